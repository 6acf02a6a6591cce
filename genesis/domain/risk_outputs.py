"""What follows of one input to risk: judgements, approvals, and records and words of what changed."""

from typing import Final

import msgspec

from genesis.domain.risk_judgement import Judgement
from protocols.journal import AnyRecord, Record
from protocols.orders import Approved, ApprovedChange
from protocols.risk import (
    AddLock,
    BreakerChanged,
    ChangeOrder,
    EntryUnwanted,
    EquityMarked,
    LockAdded,
    ManualOrder,
    MarketCondition,
    RemoveLock,
    ResetBreaker,
    ResetPeaks,
    SetPaused,
    SetTradingState,
    Verdict,
)
from protocols.signals import StrategyFailed

_ENCODER: Final = msgspec.json.Encoder(order="sorted")

Change = LockAdded | BreakerChanged | EquityMarked
Switch = SetTradingState | SetPaused | AddLock | RemoveLock | ResetBreaker | ResetPeaks


class RiskOutputs(msgspec.Struct, frozen=True, kw_only=True):
    """What follows of one input. `records` and the state must be on their way to the disk before `unwanted`, `approved`
    and `changed` are told, in this order, and durable before anything that comes of them leaves.

    `repeated` judgements were given before: they are said again, and their records are already kept. `turned` are the
    records of what a person or time changed before anything was judged, `shadows` those of what a shadow would have
    said; `notices` are (code, text) for people.
    """

    judgements: tuple[Judgement, ...] = ()
    approved: tuple[Approved, ...] = ()
    changed: tuple[ApprovedChange, ...] = ()
    unwanted: tuple[EntryUnwanted, ...] = ()
    turned: tuple[AnyRecord, ...] = ()
    shadows: tuple[AnyRecord, ...] = ()
    repeated: bool = False
    notices: tuple[tuple[str, str], ...] = ()

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """The judgements in words."""
        return tuple([judgement.verdict for judgement in self.judgements])

    @property
    def records(self) -> tuple[AnyRecord, ...]:
        """What the journal is to keep, in the order in which it happened."""
        judged = () if self.repeated else [judgement.record for judgement in self.judgements]
        return (*self.turned, *judged, *self.shadows)


NOTHING: Final = RiskOutputs()


def record_of(
    message: Switch | ManualOrder | ChangeOrder | MarketCondition | StrategyFailed | Change,
    at_ms: int,
    correlation_id: str,
) -> Record:
    """Who turned which switch, and what changed by itself, for the audit."""
    return Record(
        kind=type(message).__name__,
        key=None,
        payload=_ENCODER.encode(message),
        correlation_id=correlation_id,
        at_ms=at_ms,
    )


def notice_of(change: Change) -> tuple[str, str] | None:
    """(code, text) for people."""
    match change:
        case LockAdded(lock=lock):
            what = lock.symbol or lock.strategy or "everything"
            return "risk_locked", f"entries in {what} are locked by {lock.source.value}: {lock.reason}"
        case BreakerChanged(breaker=breaker):
            what = breaker.scope or "all symbols"
            cause = f": {breaker.cause}" if breaker.cause else ""
            return "breaker_" + breaker.state.value, f"trading breaker of {what} is {breaker.state.value}{cause}"
        case EquityMarked():
            return None
