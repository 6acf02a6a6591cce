"""Reads the history of the configuration out of a journal, beside the engine that writes it or after it has ended."""

from pathlib import Path
from typing import Final

import msgspec
import trio

from genesis.domain.config_audit import KIND as AUDIT_KIND
from genesis.domain.config_audit import decode_entry, difference, trail_faults
from genesis.domain.decision_log import VERDICT_KIND
from genesis.domain.release_chain import chain_faults
from genesis.domain.version_trades import VersionReport, VersionTrades, trades_of
from genesis.edge.audit_file import anchored, read_lines
from genesis.edge.store import ReadOnlyStore
from genesis.edge.store_errors import StoreError
from genesis.edge.user_dir import UserDir
from protocols.config import AuditEntry, SettingsVersion
from protocols.journal import ReadRecords, StoredRecord
from protocols.orders import Fill
from protocols.risk import Verdict
from web.controls import ConfigHistory

VERSION_KIND: Final = "SettingsVersion"
FILL_KIND: Final = "Fill"
PAGE: Final = 10_000
VERSIONS_PAGE: Final = 200
"""Versions read at once: each holds the whole settings."""
TRADES_SHOWN: Final = 200
DECISIONS_READ: Final = 100_000
"""So many of the newest verdicts and fills are joined: some seconds in a thread of its own."""

_VERSIONS = msgspec.json.Decoder(SettingsVersion)
_VERDICTS = msgspec.json.Decoder(Verdict)
_FILLS = msgspec.json.Decoder(Fill)


def audit_path(user_dir: UserDir, mode: str) -> Path:
    """Where the audit trail of a mode is appended to."""
    return user_dir.logs / f"config_audit-{mode}.log"


def history_ports(path: Path, audit: Path | None) -> ConfigHistory:
    """What the web may read of the journal at `path`: each question in a thread of its own."""
    file = audit if audit is not None else path.with_name("config_audit.log")
    run = trio.to_thread.run_sync
    return ConfigHistory(
        versions=lambda limit, below: run(versions, path, limit, below),
        version=lambda number: run(version, path, number),
        trail=lambda limit: run(trail, path, limit),
        trades=lambda number: run(trades, path, number),
        verify=lambda: run(verify, path, file),
    )


def versions(path: Path, limit: int, below: int | None = None) -> tuple[SettingsVersion, ...]:
    """Stored versions, newest first, at most `limit`, with numbers under `below`. Raises StoreError."""
    found: list[SettingsVersion] = []
    with ReadOnlyStore.open(path) as store:
        at = None if below is None else _seq_of(store, below)
        while len(found) < limit:
            size = min(VERSIONS_PAGE, limit - len(found))
            question = ReadRecords(kinds=(VERSION_KIND,), before_seq=at, limit=size, newest_first=True)
            page = store.read_records(question).records
            read = (_VERSIONS.decode(kept.record.payload) for kept in page)
            found += [each for each in read if below is None or each.version < below]
            if len(page) < size:
                break
            at = page[-1].seq
    return tuple(found)


def version(path: Path, number: int) -> SettingsVersion | None:
    """One stored version, None when there is none of that number. Raises StoreError."""
    with ReadOnlyStore.open(path) as store:
        kept = store.read_records(ReadRecords(kinds=(VERSION_KIND,), key=f"settings:{number}")).records
    return _VERSIONS.decode(kept[0].record.payload) if kept else None


def trail(path: Path, limit: int) -> tuple[AuditEntry, ...]:
    """The newest lines of the audit trail, newest first. Raises StoreError."""
    return tuple(decode_entry(kept.record.payload) for kept in _newest(path, AUDIT_KIND, limit))


def trades(path: Path, number: int) -> VersionTrades:
    """What a version decided and traded, of the newest `DECISIONS_READ`. Raises StoreError."""
    verdicts = [_VERDICTS.decode(kept.record.payload) for kept in _newest(path, VERDICT_KIND, DECISIONS_READ)]
    fills = [_FILLS.decode(kept.record.payload) for kept in _newest(path, FILL_KIND, DECISIONS_READ)]
    return trades_of(number, verdicts, fills, limit=TRADES_SHOWN)


def verify(path: Path, file: Path) -> VersionReport:
    """Hold journal, chain of versions, audit trail, its file and both anchors against one another.

    What follows the last whole line in the file, or stands in the journal only, may be on its way while an engine runs.
    """
    faults: list[str] = []
    found: list[SettingsVersion] = []
    kept: list[bytes] = []
    written: list[bytes] | None = None
    try:
        # The file first: what is written meanwhile then is in the journal, and not the other way round.
        written = read_lines(file) if file.exists() else None
        anchor = anchored(file)
        with ReadOnlyStore.open(path) as store:
            store.verify()
            found = [_VERSIONS.decode(each.record.payload) for each in _all(store, VERSION_KIND)]
            kept = [each.record.payload for each in _all(store, AUDIT_KIND)]
    except (StoreError, OSError) as error:
        return VersionReport(
            versions=len(found),
            audit_lines=len(kept),
            file_lines=None if written is None else len(written),
            faults=(" ".join(str(error).split()),),
        )
    faults += chain_faults(found)
    faults += trail_faults(kept, where="journal's audit")
    if written is not None:
        faults += trail_faults(written, where="audit file")
        faults += difference(kept[: max(len(written), 0 if anchor is None else anchor.seq)], written)
        if anchor is None:
            faults.append(f"audit file must have its anchor {file.name}.anchor beside it, it is missing")
        elif anchor.seq > len(kept):
            faults.append(f"the anchor names audit line {anchor.seq}, the journal ends at {len(kept)}")
        elif anchor.seq and decode_entry(kept[anchor.seq - 1]).hash != anchor.hash.hex():
            faults.append(f"audit line {anchor.seq} is not the one that the anchor names")
    elif anchor is not None and anchor.seq:
        faults.append(f"audit file must have {anchor.seq} lines as its anchor says, the file is missing")
    faults += [f"an audit file was put aside as damaged: {each.name}" for each in _damaged(file)]
    return VersionReport(
        versions=len(found),
        audit_lines=len(kept),
        file_lines=None if written is None else len(written),
        faults=tuple(dict.fromkeys(faults)),
    )


def _damaged(file: Path) -> list[Path]:
    return sorted(file.parent.glob(f"{file.name}.damaged-*"))


def _newest(path: Path, kind: str, limit: int) -> tuple[StoredRecord, ...]:
    with ReadOnlyStore.open(path) as store:
        return store.read_records(ReadRecords(kinds=(kind,), limit=limit, newest_first=True)).records


def _seq_of(store: ReadOnlyStore, number: int) -> int | None:
    kept = store.read_records(ReadRecords(kinds=(VERSION_KIND,), key=f"settings:{number}")).records
    return kept[0].seq if kept else None


def _all(store: ReadOnlyStore, kind: str) -> list[StoredRecord]:
    found: list[StoredRecord] = []
    at = 0
    while True:
        page = store.read_records(ReadRecords(kinds=(kind,), after_seq=at, limit=PAGE)).records
        found += page
        if len(page) < PAGE:
            return found
        at = page[-1].seq
