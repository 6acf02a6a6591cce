"""The decision log: one canonical line per decision, made by the same function live and in a backtest.

Three kinds of decision are compared: what a strategy said, what risk answered, and the order as its bytes go to the
venue. A line holds nothing of when we heard of something (`received_ns`) nor of which connection was up (`session`):
two runs that decide the same write the same bytes.
"""

import hashlib
from collections.abc import Iterable
from functools import partial

import msgspec

from protocols.bitfinex.inputs import encode_command
from protocols.journal import AnyRecord, LateRecord, Record
from protocols.orders import SubmitOrder
from protocols.risk import Verdict
from protocols.signals import SignalScore

Decision = SignalScore | Verdict | SubmitOrder

SIGNAL_KIND = "SignalScore"
VERDICT_KIND = "Verdict"
ORDER_KIND = "SubmitOrder"
SHADOW_KIND = "ShadowVerdict"
"""What a shadow would have said: kept beside the decisions and no decision itself."""
DECISION_KINDS = (SIGNAL_KIND, VERDICT_KIND, ORDER_KIND)
"""In the order in which decisions follow one another."""

_ENCODER = msgspec.json.Encoder(order="sorted", decimal_format="string")
_SCORES = msgspec.json.Decoder(SignalScore)
_VERDICTS = msgspec.json.Decoder(Verdict)
_ORDERS = msgspec.json.Decoder(SubmitOrder)


def decision_line(decision: Decision) -> bytes:
    """The one text of a decision: its kind, a space, and canonical JSON (of an order: its bytes on the wire)."""
    match decision:
        case SignalScore():
            return b"SignalScore " + _ENCODER.encode(msgspec.structs.replace(decision, received_ns=0))
        case Verdict():
            intent = decision.intent
            if intent is not None:
                decision = msgspec.structs.replace(decision, intent=msgspec.structs.replace(intent, received_ns=0))
            return b"Verdict " + _ENCODER.encode(decision)
        case SubmitOrder():
            return b"SubmitOrder " + encode_command(decision)


def signal_record(score: SignalScore) -> LateRecord:
    return LateRecord(
        kind=SIGNAL_KIND,
        key=score.signal_id,
        write=partial(_ENCODER.encode, score),
        correlation_id=score.correlation_id,
        at_ms=score.decided_ms,
    )


def verdict_record(verdict: Verdict) -> LateRecord:
    return LateRecord(
        kind=VERDICT_KIND,
        key=verdict.verdict_id,
        write=partial(_ENCODER.encode, verdict),
        correlation_id=verdict.correlation_id,
        at_ms=verdict.decided_ms,
    )


def shadow_record(verdict: Verdict) -> Record:
    """A verdict that nobody acts on, under a key of its own for each settings version."""
    return Record(
        kind=SHADOW_KIND,
        key=f"{verdict.verdict_id}:{verdict.settings_version}",
        payload=_ENCODER.encode(verdict),
        correlation_id=verdict.correlation_id,
        at_ms=verdict.decided_ms,
    )


def order_record(command: SubmitOrder, at_ms: int) -> LateRecord:
    return LateRecord(
        kind=ORDER_KIND,
        key=str(command.cid),
        write=partial(_ENCODER.encode, command),
        correlation_id=command.correlation_id,
        at_ms=at_ms,
    )


def read_decision(record: AnyRecord) -> Decision:
    """The decision a record keeps. Raises ValueError on a record of another kind."""
    match record.kind:
        case "SignalScore":
            return _SCORES.decode(record.payload)
        case "Verdict":
            return _VERDICTS.decode(record.payload)
        case "SubmitOrder":
            return _ORDERS.decode(record.payload)
    raise ValueError(f"kind of a decision must be one of {', '.join(DECISION_KINDS)}, was {record.kind}")


def record_lines(records: Iterable[AnyRecord]) -> list[bytes]:
    """The lines of the decisions among some records, in their order."""
    return [decision_line(read_decision(record)) for record in records if record.kind in DECISION_KINDS]


def in_canonical_order(lines: Iterable[bytes]) -> list[bytes]:
    """Signals, then verdicts, then orders, each in the order they were made.

    Across kinds the journal's order says only which actor's commit came first.
    """
    by_kind: dict[bytes, list[bytes]] = {kind.encode(): [] for kind in DECISION_KINDS}
    for line in lines:
        by_kind[line.split(b" ", 1)[0]].append(line)
    return [line for kind in by_kind.values() for line in kind]


def digest(lines: Iterable[bytes]) -> str:
    """SHA-256 over the lines in canonical order, as hex."""
    whole = hashlib.sha256()
    for line in in_canonical_order(lines):
        whole.update(line + b"\n")
    return whole.hexdigest()
