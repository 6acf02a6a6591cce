"""What the journal keeps of a paper shadow: its decisions and trades, under kinds of their own that nobody acts on.

A key begins with the settings version of the rollout, so that what one shadow did is never taken for another's.
"""

from typing import Final

import msgspec

from protocols.journal import Record
from protocols.orders import Fill, SubmitOrder
from protocols.risk import Verdict
from protocols.shadow import ShadowBegan
from protocols.signals import SignalScore

BEGAN: Final = "ShadowBegan"
PAPER_SCORE: Final = "PaperScore"
PAPER_VERDICT: Final = "PaperVerdict"
PAPER_ORDER: Final = "PaperOrder"
PAPER_FILL: Final = "PaperFill"
PAPER_KINDS: Final = frozenset({BEGAN, PAPER_SCORE, PAPER_VERDICT, PAPER_ORDER, PAPER_FILL})

_ENCODER = msgspec.json.Encoder(order="sorted", decimal_format="string")


def began_record(began: ShadowBegan) -> Record:
    return _record(BEGAN, began.version, str(began.at_ms), began, "", began.at_ms)


def paper_record(version: int, decided: SignalScore | Verdict | SubmitOrder | Fill, at_ms: int) -> Record:
    """A decision or a trade of the shadow of this version. `at_ms` is the time of an order, which has none itself."""
    match decided:
        case SignalScore():
            return _record(PAPER_SCORE, version, decided.signal_id, decided, decided.correlation_id, decided.decided_ms)
        case Verdict():
            return _record(
                PAPER_VERDICT, version, decided.verdict_id, decided, decided.correlation_id, decided.decided_ms
            )
        case SubmitOrder():
            return _record(PAPER_ORDER, version, str(decided.cid), decided, decided.correlation_id, at_ms)
        case Fill():
            key = f"{decided.trade_id}:{decided.venue_order_id}"
            return _record(PAPER_FILL, version, key, decided, decided.correlation_id, decided.time_ms)


def is_of(record: Record, version: int) -> bool:
    """Whether the shadow of this version said it."""
    return record.key is not None and record.key.startswith(f"{version}:")


def _record(kind: str, version: int, key: str, told: msgspec.Struct, correlation_id: str, at_ms: int) -> Record:
    return Record(
        kind=kind,
        key=f"{version}:{key}",
        payload=_ENCODER.encode(told),
        correlation_id=correlation_id,
        at_ms=at_ms,
    )
