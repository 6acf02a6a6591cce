"""What losses are measured from: the equity at the begin of day and week, its peak, and each strategy's best.

Every change of one of them is a record, so that the journal alone can tell them again.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal

from genesis.domain.risk_facts import strategy_result
from genesis.domain.risk_state import RiskState, StrategyBook
from genesis.domain.trading_day import trading_day
from protocols.orders import OrderType
from protocols.risk import EquityMarked, MarketPrice
from protocols.settings import Settings
from protocols.signals import SignalScore
from protocols.units import TIMEFRAME_MS, ZERO, exact

DAY, WEEK, PEAK, STRATEGY = "day", "week", "peak", "strategy"


def begin_day(state: RiskState, timezone: str) -> None:
    day = trading_day(state.now_ms, timezone)
    # Nor after a change of the zone to one further west, where it is yesterday still: that has had its allowance.
    if day <= state.day:
        return
    state.day = day
    state.day_start_equity = None
    state.trades_today = 0
    state.trades_today_by_symbol = {}
    year, week, _ = date.fromisoformat(day).isocalendar()
    name = f"{year}-W{week:02}"
    if name != state.week:
        state.week = name
        state.week_start_equity = None


def take_price(state: RiskState, score: SignalScore) -> None:
    """Know the price by a score, unless it is older than what is known: history that warms a new strategy, or a
    latecomer. What is held is worth today's price, and a false peak is remembered for ever."""
    due_ms = state.due_ms.get(score.symbol)
    if due_ms is None or score.decided_ms >= due_ms - TIMEFRAME_MS.get(score.timeframe, 0):
        state.marks[score.symbol] = exact(score.price)


def take_told_prices(
    state: RiskState, settings: Settings, prices: Iterable[MarketPrice], worth: Callable[[], Decimal]
) -> Iterator[EquityMarked]:
    """Know the prices of markets of which no strategy speaks, unless a score has told a newer one.

    Where none was known, what is held of it counted as nothing: it is no gain of this moment, so what losses are
    measured from moves with it.
    """
    for told in prices:
        spoken = [
            TIMEFRAME_MS.get(each.timeframe, 0)
            for each in settings.strategies
            if each.enabled and each.symbol == told.symbol
        ]
        due_ms = state.due_ms.get(told.symbol)
        if spoken and due_ms is not None and told.at_ms < due_ms - min(spoken):
            continue
        before = None if told.symbol in state.marks else worth()
        state.marks[told.symbol] = told.price
        state.due_ms[told.symbol] = told.due_ms
        if before is not None:
            yield from _move(state, worth() - before)


def follow_equity(state: RiskState, worth: Decimal) -> Sequence[EquityMarked]:
    """Note what the day and the week began with, and the peaks. The account must be known."""
    marked: list[EquityMarked] = []
    if state.day_start_equity is None:
        state.day_start_equity = worth
        marked.append(_mark(state, DAY, state.day, worth))
    if state.week_start_equity is None:
        state.week_start_equity = worth
        marked.append(_mark(state, WEEK, state.week, worth))
    peak = state.peak_equity
    sure = worth if peak is None else _surely(state, worth)
    if sure is not None and (peak is None or sure > peak):
        state.peak_equity = sure
        marked.append(_mark(state, PEAK, "", sure))
    holds = state.account is not None and state.account.positions
    for strategy, book in state.strategies.items():
        result = strategy_result(state, strategy) if holds else book.realized
        if result > book.peak or book.base_equity <= ZERO:
            book.peak = max(result, book.peak)
            book.base_equity = worth
            marked.append(_mark(state, STRATEGY, strategy, book.peak, book.base_equity))
    return marked


def _surely(state: RiskState, worth: Decimal) -> Decimal | None:
    """What the account is worth without a doubt; None while that cannot be told.

    While an order works, half of a trade may be in the wallets and half not: no peak is made of that. One at market is
    soon gone. One that rests may do so for weeks, and trades at most at a moment: what two looks at different times
    agree on was there.
    """
    if not state.reservations:
        state.looked_worth = None
        return worth
    if not all([kept.intent.order_type in _RESTS for kept in state.reservations.values()]):
        return None
    before = state.looked_worth
    if before is not None and state.now_ms < state.looked_ms + APART_MS:
        return None
    state.looked_worth, state.looked_ms = worth, state.now_ms
    return None if before is None else min(worth, before)


APART_MS = 1_000
"""The wallets of one trade are told within a fraction of this."""
_RESTS = frozenset({OrderType.LIMIT, OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP})


def move_with(state: RiskState, flows: Decimal) -> Iterator[EquityMarked]:
    """Money was paid in or taken out: what losses are measured from moves with it, since nothing was won or lost.

    `flows` is the sum of all there ever were. Were a deposit counted as a gain, it would hide a day's loss; were a
    withdrawal counted as a loss, it would stop trading.
    """
    moved = flows - state.flows_seen
    state.flows_seen = flows
    yield from _move(state, moved)


def _move(state: RiskState, moved: Decimal) -> Iterator[EquityMarked]:
    if not moved:
        return
    if state.day_start_equity is not None:
        state.day_start_equity += moved
        yield _mark(state, DAY, state.day, state.day_start_equity)
    if state.week_start_equity is not None:
        state.week_start_equity += moved
        yield _mark(state, WEEK, state.week, state.week_start_equity)
    if state.peak_equity is not None:
        state.peak_equity += moved
        yield _mark(state, PEAK, "", state.peak_equity)
    if state.looked_worth is not None:
        state.looked_worth += moved


def reset_peaks(state: RiskState, strategy: str | None, worth: Decimal | None) -> Iterator[EquityMarked]:
    """Measure from here on. `worth` is None while the account is not known: then from the moment it is."""
    if strategy is None:
        state.peak_equity = worth
        yield _mark(state, PEAK, "", worth)
    for name, book in state.strategies.items():
        if strategy in (None, name):
            book.peak = strategy_result(state, name)
            book.base_equity = worth or book.base_equity
            yield _mark(state, STRATEGY, name, book.peak, book.base_equity)


def own(state: RiskState, strategy: str, symbol: str, worth: Decimal) -> None:
    """A strategy enters a symbol: what becomes of it is its result from now on."""
    state.owner[symbol] = strategy
    if strategy not in state.strategies:
        state.strategies[strategy] = StrategyBook(base_equity=worth)


def _mark(
    state: RiskState, mark: str, name: str, equity: Decimal | None, base_equity: Decimal | None = None
) -> EquityMarked:
    return EquityMarked(mark=mark, name=name, equity=equity, at_ms=state.now_ms, base_equity=base_equity)
