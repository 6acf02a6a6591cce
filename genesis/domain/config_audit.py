"""The audit trail of the configuration: who asked for what and what came of it, each line sealed to the one before.

The trail is kept twice: in the journal, whose own chain has its anchor, and in a file that is only ever appended to and
has an anchor beside it. What was edited, taken out or cut off in one of them shows against its seal or against the
other.
"""

import hashlib
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from protocols.config import AuditEntry

KIND: Final = "ConfigAudit"
START: Final = "0" * 64
"""The hash before the first line."""
SHOWN_FAULTS: Final = 20

_ENCODER = msgspec.json.Encoder(order="sorted", decimal_format="string")
_DECODER = msgspec.json.Decoder(AuditEntry)


def next_entry(
    before: AuditEntry | None,
    *,
    at_ms: int,
    actor: str,
    action: str,
    outcome: str,
    version: int,
    text: str,
    detail: dict[str, Any],
    correlation_id: str,
) -> AuditEntry:
    """The line that follows `before` (None: the first one), sealed."""
    entry = AuditEntry(
        seq=1 if before is None else before.seq + 1,
        at_ms=at_ms,
        actor=actor,
        action=action,
        outcome=outcome,
        version=version,
        text=text,
        detail=detail,
        correlation_id=correlation_id,
        previous_hash=START if before is None else before.hash,
    )
    return msgspec.structs.replace(entry, hash=seal_of(entry))


def seal_of(entry: AuditEntry) -> str:
    """SHA-256 over the entry's canonical JSON without its own hash, as hex."""
    return hashlib.sha256(_ENCODER.encode(msgspec.structs.replace(entry, hash=""))).hexdigest()


def encode_entry(entry: AuditEntry) -> bytes:
    """The one text of an entry, as journal and file have it; no line end inside."""
    return _ENCODER.encode(entry)


def decode_entry(line: bytes) -> AuditEntry:
    """Raises ValueError on a line that is no entry."""
    return _DECODER.decode(line)


def trail_faults(lines: Sequence[bytes], *, where: str) -> list[str]:
    """What is wrong with a trail by itself, in sentences, at most `SHOWN_FAULTS` of them."""
    faults: list[str] = []
    before: AuditEntry | None = None
    for number, line in enumerate(lines, start=1):
        if len(faults) >= SHOWN_FAULTS:
            break
        try:
            entry = decode_entry(line)
        except ValueError:
            faults.append(f"{where} line {number} is not readable")
            before = None
            continue
        if entry.seq != number:
            faults.append(f"{where} line {number} must have number {number}, had {entry.seq}: a line is missing or new")
        if entry.hash != seal_of(entry):
            faults.append(f"{where} line {number} is not what was written: its hash differs")
        elif number == 1 and entry.previous_hash != START:
            faults.append(f"{where} line 1 is not the first one: what was before it is missing")
        elif before is not None and entry.previous_hash != before.hash:
            faults.append(f"{where} line {number} does not continue the line before it")
        before = entry
    return faults


def difference(kept: Sequence[bytes], written: Sequence[bytes]) -> list[str]:
    """Where the file's lines are not those of the journal."""
    for number, (ours, theirs) in enumerate(zip(kept, written, strict=False), start=1):
        if ours != theirs:
            return [f"audit file line {number} differs from the journal's"]
    if len(written) < len(kept):
        return [f"audit file must have {len(kept)} lines as the journal has, had {len(written)}: its end is missing"]
    if len(written) > len(kept):
        return [f"audit file has {len(written)} lines, the journal {len(kept)}: the journal's end is missing"]
    return []
