"""What the journal's records alone say of the latch, counters, marks, locks and breakers.

Risk keeps its state in one cell beside the records of the same commit. This fold knows nothing of that cell: where the
two differ, one of them is wrong.
"""

from collections.abc import Iterable
from decimal import Decimal

import attrs
import msgspec

from genesis.domain.risk_state import ENTRY_PURPOSES
from genesis.domain.trading_day import trading_day
from protocols.journal import Record
from protocols.risk import (
    BreakerChanged,
    BreakerState,
    EquityMarked,
    Lock,
    LockAdded,
    LockSource,
    RemoveLock,
    SetPaused,
    SetTradingState,
    TradingState,
    Verdict,
)

KINDS = tuple(
    kind.__name__ for kind in (Verdict, SetTradingState, SetPaused, LockAdded, RemoveLock, BreakerChanged, EquityMarked)
)
_DECODER = msgspec.json.Decoder(
    Verdict | SetTradingState | SetPaused | LockAdded | RemoveLock | BreakerChanged | EquityMarked
)


@attrs.define(kw_only=True)
class RiskHistory:
    """Counters are of `day`. `locks` may have run out; `breakers` maps a scope to its state."""

    timezone: str
    trading: TradingState = TradingState.ACTIVE
    paused: bool = False
    day: str = ""
    trades_today: int = 0
    trades_today_by_symbol: dict[str, int] = attrs.field(factory=dict)
    denials_by_code: dict[str, int] = attrs.field(factory=dict)
    day_start_equity: Decimal | None = None
    week_start_equity: Decimal | None = None
    peak_equity: Decimal | None = None
    locks: dict[str, Lock] = attrs.field(factory=dict)
    breakers: dict[str, BreakerState] = attrs.field(factory=dict)

    def hear(self, record: Record) -> None:
        """The next record, oldest first; kinds that say nothing of risk are passed over."""
        if record.kind not in KINDS:
            return
        match _DECODER.decode(record.payload):
            case Verdict() as verdict:
                self._begin(trading_day(record.at_ms, self.timezone))
                self._count(verdict)
            case SetTradingState(state=state):
                self.trading = state
            case SetPaused(paused=paused):
                self.paused = paused
            case LockAdded(lock=lock):
                # A protection has one lock in a place: its newer one stands for the older.
                same = (lock.source, lock.symbol)
                older = [each.lock_id for each in self.locks.values() if (each.source, each.symbol) == same]
                for lock_id in older if lock.source is not LockSource.MANUAL else ():
                    del self.locks[lock_id]
                self.locks[lock.lock_id] = lock
            case RemoveLock(lock_id=lock_id):
                self.locks.pop(lock_id, None)
            case BreakerChanged(breaker=breaker):
                self.breakers[breaker.scope] = breaker.state
            case EquityMarked(mark="day", name=day, equity=equity):
                self._begin(day)
                self.day_start_equity = equity
            case EquityMarked(mark="week", equity=equity):
                self.week_start_equity = equity
            case EquityMarked(mark="peak", equity=equity):
                self.peak_equity = equity
            case EquityMarked():
                pass

    def _begin(self, day: str) -> None:
        if day != self.day:
            self.day = day
            self.trades_today = 0
            self.trades_today_by_symbol = {}

    def _count(self, verdict: Verdict) -> None:
        for result in verdict.denials:
            if result.code is not None:
                self.denials_by_code[result.code.value] = self.denials_by_code.get(result.code.value, 0) + 1
        if verdict.approved and verdict.intent is not None and not _reduces(verdict):
            self.trades_today += 1
            symbol = str(verdict.symbol)
            self.trades_today_by_symbol[symbol] = self.trades_today_by_symbol.get(symbol, 0) + 1


def _reduces(verdict: Verdict) -> bool:
    assert verdict.intent is not None
    if verdict.intent.purpose not in ENTRY_PURPOSES:
        return True
    held = next((Decimal(result.numbers["held"]) for result in verdict.trace if "held" in result.numbers), Decimal(0))
    return held * verdict.intent.side.sign < 0 and verdict.intent.quantity <= abs(held)


def rederive(records: Iterable[Record], timezone: str) -> RiskHistory:
    history = RiskHistory(timezone=timezone)
    for record in records:
        history.hear(record)
    return history
