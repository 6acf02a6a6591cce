"""What the journal's records have told of risk so far, kept as a record among them: a start goes on from there.

A cell would be as durable, but this stands in the chain behind the very records that it is made of.
"""

from typing import Final

import msgspec

from genesis.domain.risk_history import RiskHistory
from protocols.journal import Record


class RiskHistoryKept(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """`history` is told by all records up to `upto_seq`, as `code` understands them: another may do so otherwise."""

    code: str
    upto_seq: int
    history: RiskHistory


KEPT_KIND: Final = RiskHistoryKept.__name__

_ENCODER: Final = msgspec.json.Encoder(order="sorted", decimal_format="string")
_DECODER: Final = msgspec.json.Decoder(RiskHistoryKept)


def kept_record(history: RiskHistory, upto_seq: int, code: str) -> Record:
    """The history as it is now; what becomes of it later is in the next record."""
    kept = RiskHistoryKept(code=code, upto_seq=upto_seq, history=history)
    payload = _ENCODER.encode(kept)
    return Record(kind=KEPT_KIND, key=None, payload=payload, correlation_id="risk", at_ms=history.now_ms)


def read_kept(record: Record, *, code: str, timezone: str) -> RiskHistoryKept | None:
    """None of what other code kept, or counted by other days: then all has to be told again."""
    try:
        kept = _DECODER.decode(record.payload)
    except msgspec.MsgspecError:
        return None
    return kept if (kept.code, kept.history.timezone) == (code, timezone) else None
