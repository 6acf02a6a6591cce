"""What the journal's records alone say of risk's latch, counters, marks, locks and breakers.

Risk keeps its state in one cell beside the records of the same commit. This fold knows nothing of that cell. At each
start of the process risk reads its records through it and compares: where the two differ, the journal is believed.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

import attrs
import msgspec

from genesis.domain.risk_marks import DAY, PEAK, STRATEGY, WEEK, begin_day
from genesis.domain.risk_rules.activity import MINUTE_MS
from genesis.domain.risk_state import ENTRY_PURPOSES, RiskState, StrategyBook
from genesis.domain.trading_breaker import TradingBreaker
from genesis.domain.trading_day import trading_day
from protocols.journal import AnyRecord
from protocols.orders import Purpose
from protocols.risk import (
    CHANGE,
    BreakerChanged,
    BreakerView,
    ChangeOrder,
    EquityMarked,
    Lock,
    LockAdded,
    LockSource,
    ManualOrder,
    RemoveLock,
    SetPaused,
    SetTradingState,
    TradingState,
    Verdict,
)
from protocols.units import ZERO, Side

LOCKS_REMEMBERED: Final = 1000


class _Rule(msgspec.Struct):
    """What of a rule's answer matters here: a journal of years is read in one go."""

    rule: str
    code: str | None
    numbers: dict[str, str]


class _Intent(msgspec.Struct):
    purpose: Purpose
    side: Side
    quantity: Decimal


class _Verdict(msgspec.Struct):
    verdict_id: str
    strategy: str
    symbol: str
    approved: bool
    intent: _Intent | None
    trace: list[_Rule]
    decided_ms: int
    signal_id: str | None


class _Moment(msgspec.Struct):
    """A message of which only its record's time is of interest."""


_DECODERS: Final[Mapping[str, msgspec.json.Decoder[Any]]] = {
    Verdict.__name__: msgspec.json.Decoder(_Verdict),
    **{kind.__name__: msgspec.json.Decoder(_Moment) for kind in (ManualOrder, ChangeOrder)},
    **{
        kind.__name__: msgspec.json.Decoder(kind)
        for kind in (SetTradingState, SetPaused, LockAdded, RemoveLock, BreakerChanged, EquityMarked)
    },
}
KINDS: Final = tuple(_DECODERS)
"""The kinds of records that risk is told again from."""


@attrs.define(kw_only=True)
class RiskHistory:
    """Counters are of `day`, whose zone is `timezone`; `now_ms` is the latest moment that a record tells.

    `locks` may have run out. A strategy's book has its marks and nothing of what it realized: that comes of its trades.
    """

    timezone: str
    now_ms: int = 0
    trading: TradingState = TradingState.ACTIVE
    trading_reason: str = ""
    paused: bool = False
    paused_reason: str = ""
    day: str = ""
    trades_today: int = 0
    trades_today_by_symbol: dict[str, int] = attrs.field(factory=dict)
    order_times_ms: list[int] = attrs.field(factory=list)
    last_entry_ms: dict[str, int] = attrs.field(factory=dict)
    denials_by_code: dict[str, int] = attrs.field(factory=dict)
    denials_by_rule: dict[str, int] = attrs.field(factory=dict)
    day_start_equity: Decimal | None = None
    week: str = ""
    week_start_equity: Decimal | None = None
    peak_equity: Decimal | None = None
    strategies: dict[str, StrategyBook] = attrs.field(factory=dict)
    owner: dict[str, str] = attrs.field(factory=dict)
    locks: dict[str, Lock] = attrs.field(factory=dict)
    breakers: dict[str, BreakerView] = attrs.field(factory=dict)

    def hear(self, record: AnyRecord) -> None:
        """The next record, oldest first; kinds that say nothing of risk are passed over."""
        decoder = _DECODERS.get(record.kind)
        if decoder is None:
            return
        message = decoder.decode(record.payload)
        if isinstance(message, _Verdict):
            # A person's wish may name any moment: the record of the wish, just before, told when it was judged.
            self._come_to(message.decided_ms if message.signal_id is not None else self.now_ms)
            self._count(message)
            return
        self._come_to(record.at_ms)
        match message:
            case SetTradingState(state=state, reason=reason):
                self.trading, self.trading_reason = state, reason
            case SetPaused(paused=paused, reason=reason):
                self.paused, self.paused_reason = paused, reason
            case LockAdded(lock=lock):
                self._lock(lock)
            case RemoveLock(lock_id=lock_id):
                self.locks.pop(lock_id, None)
            case BreakerChanged(breaker=breaker):
                self.breakers[breaker.scope] = breaker
            case EquityMarked():
                self._mark(message)

    def _come_to(self, at_ms: int) -> None:
        self.now_ms = max(self.now_ms, at_ms)
        if self.now_ms:
            self._begin(trading_day(self.now_ms, self.timezone))

    def _begin(self, day: str) -> None:
        if day > self.day:
            self.day = day
            self.day_start_equity = None
            self.trades_today = 0
            self.trades_today_by_symbol = {}

    def _count(self, verdict: _Verdict) -> None:
        for rule in verdict.trace:
            if rule.code is not None:
                self.denials_by_code[rule.code] = self.denials_by_code.get(rule.code, 0) + 1
                self.denials_by_rule[rule.rule] = self.denials_by_rule.get(rule.rule, 0) + 1
        if not verdict.approved or verdict.intent is None or verdict.verdict_id.startswith(CHANGE):
            return
        self.order_times_ms = [*_within_a_minute(self.order_times_ms, self.now_ms), self.now_ms]
        if _reduces(verdict, verdict.intent):
            return
        symbol = verdict.symbol
        self.trades_today += 1
        self.trades_today_by_symbol[symbol] = self.trades_today_by_symbol.get(symbol, 0) + 1
        self.last_entry_ms[symbol] = self.now_ms
        self.owner[symbol] = verdict.strategy
        self.strategies.setdefault(verdict.strategy, StrategyBook(base_equity=_number(verdict, "equity")))

    def _lock(self, lock: Lock) -> None:
        # A protection has one lock in a place: its newer one stands for the older.
        same = (lock.source, lock.symbol)
        older = [each.lock_id for each in self.locks.values() if (each.source, each.symbol) == same]
        for lock_id in older if lock.source is not LockSource.MANUAL else ():
            del self.locks[lock_id]
        self.locks[lock.lock_id] = lock
        if len(self.locks) > LOCKS_REMEMBERED:
            self.locks = self.locks_at(self.now_ms)

    def locks_at(self, now_ms: int) -> dict[str, Lock]:
        """Those that have not run out."""
        return {key: lock for key, lock in self.locks.items() if lock.until_ms is None or lock.until_ms > now_ms}

    def _mark(self, marked: EquityMarked) -> None:
        if marked.mark == DAY:
            self._begin(marked.name)
            self.day_start_equity = marked.equity
        elif marked.mark == WEEK:
            self.week, self.week_start_equity = marked.name, marked.equity
        elif marked.mark == PEAK:
            self.peak_equity = marked.equity
        elif marked.mark == STRATEGY:
            book = self.strategies.setdefault(marked.name, StrategyBook())
            book.peak = marked.equity or ZERO
            # Journals of before this was told do not know it: 0 says so.
            book.base_equity = marked.base_equity or ZERO


def _within_a_minute(times_ms: Iterable[int], now_ms: int) -> list[int]:
    return [at_ms for at_ms in times_ms if at_ms > now_ms - MINUTE_MS]


def _number(verdict: _Verdict, name: str) -> Decimal:
    return next((Decimal(rule.numbers[name]) for rule in verdict.trace if name in rule.numbers), ZERO)


def _reduces(verdict: _Verdict, intent: _Intent) -> bool:
    if intent.purpose not in ENTRY_PURPOSES:
        return True
    said = next((rule.numbers["reduces"] for rule in verdict.trace if "reduces" in rule.numbers), None)
    if said is not None:
        return said == "true"
    # Before verdicts said so themselves there were no shorts.
    held = _number(verdict, "held")
    return held * intent.side.sign < 0 and intent.quantity <= abs(held)


def rederive(records: Iterable[AnyRecord], timezone: str) -> RiskHistory:
    history = RiskHistory(timezone=timezone)
    for record in records:
        history.hear(record)
    return history


def settle(state: RiskState, history: RiskHistory) -> tuple[str, ...]:
    """Make `state` what the journal says. Gives a line for each thing that was kept otherwise; none is as it should be.

    What no record tells stays as it is kept: reservations (the order actor knows which live), marks of prices, results
    that protections still look at, and what a strategy realized.
    """
    state.now_ms = max(state.now_ms, history.now_ms)
    if state.now_ms:
        begin_day(state, history.timezone)
    same_day, same_week = history.day == state.day, history.week == state.week
    now_ms = state.now_ms
    told: list[str] = []

    def take(name: str, theirs: Any, ours: Any = None) -> None:
        ours = getattr(state, name) if ours is None else ours
        if ours != theirs:
            told.append(f"{name} was kept as {_short(ours)}, the journal says {_short(theirs)}")
            setattr(state, name, theirs)

    take("trading", history.trading)
    take("trading_reason", history.trading_reason)
    take("paused", history.paused)
    take("paused_reason", history.paused_reason)
    # On a day of which no record speaks nothing was traded, and nobody knew the account.
    take("trades_today", history.trades_today if same_day else 0)
    take("trades_today_by_symbol", dict(history.trades_today_by_symbol) if same_day else {})
    take("day_start_equity", history.day_start_equity if same_day else None)
    take("week_start_equity", history.week_start_equity if same_week else None)
    take("peak_equity", history.peak_equity)
    take(
        "order_times_ms",
        _within_a_minute(history.order_times_ms, now_ms),
        _within_a_minute(state.order_times_ms, now_ms),
    )
    take("last_entry_ms", dict(history.last_entry_ms))
    take("denials_by_code", dict(history.denials_by_code))
    take("denials_by_rule", dict(history.denials_by_rule))
    take("owner", dict(history.owner))
    take("locks", history.locks_at(now_ms), _unexpired(state, now_ms))
    state.locks_made = max([state.locks_made, *map(_number_of, history.locks)])
    told += _settle_books(state, history)
    told += _settle_breakers(state, history)
    return tuple(told)


def _unexpired(state: RiskState, now_ms: int) -> dict[str, Lock]:
    return {key: lock for key, lock in state.locks.items() if lock.until_ms is None or lock.until_ms > now_ms}


def _number_of(lock_id: str) -> int:
    _, _, number = lock_id.rpartition("-")
    return int(number) if number.isdecimal() else 0


def _settle_books(state: RiskState, history: RiskHistory) -> list[str]:
    told = []
    for name, theirs in history.strategies.items():
        ours = state.strategies.get(name)
        if ours is None:
            state.strategies[name] = theirs
            told.append(f"the book of {name} was not kept, the journal has its marks")
            continue
        base = theirs.base_equity or ours.base_equity
        if (ours.peak, ours.base_equity) != (theirs.peak, base):
            told.append(f"the best of {name} was kept as {_short(ours.peak)}, the journal says {_short(theirs.peak)}")
            ours.peak, ours.base_equity = theirs.peak, base
    return told


def _settle_breakers(state: RiskState, history: RiskHistory) -> list[str]:
    told = []
    for scope, view in history.breakers.items():
        ours = state.breakers.get(scope)
        if ours is None or ours.state is not view.state:
            kept = "not kept" if ours is None else f"kept as {ours.state.value}"
            told.append(f"the breaker of {scope or 'all symbols'} was {kept}, the journal says {view.state.value}")
            state.breakers[scope] = TradingBreaker(
                scope=scope,
                state=view.state,
                cause=view.cause,
                since_ms=view.since_ms,
                until_ms=view.until_ms,
                trips=view.trips,
            )
    return told


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
