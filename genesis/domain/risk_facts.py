"""The facts of one judgement, worked out once from what risk remembers."""

from collections.abc import Mapping
from decimal import Decimal

from genesis.domain.account_sheet import AccountSheet, sheet_of
from genesis.domain.pairs import PairSpec
from genesis.domain.risk_breakers import breaker_in_the_way
from genesis.domain.risk_protections import locks_against
from genesis.domain.risk_rules.account import CASH_MARGIN
from genesis.domain.risk_rules.activity import MINUTE_MS
from genesis.domain.risk_state import (
    ENTRY_PURPOSES,
    Facts,
    RiskState,
    StrategyBook,
    condition_key,
    margin_profit,
    owned_quantity,
)
from genesis.domain.volatility import UNKNOWN, Volatility
from protocols.orders import Purpose
from protocols.risk import ConditionKind, PositionView
from protocols.settings import Settings
from protocols.units import ZERO, Side, Symbol, base_currency, exact, quote_currency

_EXIT, _SELL = Purpose.EXIT, Side.SELL
_DATA_AGE, _CLOCK_SKEW = ConditionKind.DATA_AGE, ConditionKind.CLOCK_SKEW


def work_out(
    state: RiskState,
    settings: Settings,
    *,
    symbol: Symbol,
    side: Side,
    purpose: Purpose,
    quantity: Decimal,
    strategy: str,
    known_symbols: frozenset[str],
    pairs: Mapping[Symbol, PairSpec],
    at_ms: int | None = None,
    margin: bool = False,
    reduce_only: bool = False,
    sheet: AccountSheet | None = None,
    worth: Decimal | None = None,
) -> Facts:
    """`sheet` is of the state's account and the settings' quote currency, `worth` what it says at the state's prices,
    where the caller knows them."""
    account, marks = state.account, state.marks
    if sheet is None:
        sheet = sheet_of(account, settings.quote_currency)
    mine = sheet.positions.get(symbol)
    held = ZERO if mine is None else mine.margin_quantity if margin else mine.quantity - mine.margin_quantity
    if purpose is _EXIT and not margin and held > 0:
        held = owned_quantity(account, symbol, strategy)
    notional_by_symbol: dict[str, Decimal] = {}
    net = ZERO
    for position in sheet.open:
        on_margin = position.margin_quantity
        price = marks.get(position.symbol, position.average_price)
        # Coins do not lessen what is at stake in a short beside them: they are two books at the venue.
        at_stake = abs(on_margin) + abs(position.quantity - on_margin) if on_margin else abs(position.quantity)
        notional_by_symbol[position.symbol] = at_stake * price
        net += position.quantity * price
    reserved_cash = reserved_margin = closing = ZERO
    working = []
    for reservation in state.reservations.values():
        at = reservation.intent.symbol
        on_margin_now = reservation.intent.margin
        if at == symbol:
            working.append(reservation.intent)
            if on_margin_now and margin and reservation.intent.side is side:
                closing += reservation.quantity
        if not reservation.reduces:
            notional_by_symbol[at] = notional_by_symbol.get(at, ZERO) + reservation.notional
            net += reservation.intent.side.sign * reservation.notional
            if on_margin_now:
                reserved_margin += reservation.notional * CASH_MARGIN * initial_margin(pairs.get(at))
            elif reservation.intent.side is not _SELL:
                reserved_cash += reservation.notional * CASH_MARGIN
    against = held > 0 if side is _SELL else held < 0
    pair = pairs.get(symbol)
    volatility = volatility_of(state, strategy, symbol)
    now_ms = state.now_ms if at_ms is None else at_ms
    breaker = breaker_in_the_way(state, symbol) if state.breakers else None
    book = state.strategies.get(strategy)
    conditions = state.conditions
    since_ms = now_ms - MINUTE_MS
    return Facts(
        now_ms=now_ms,
        account_known=sheet.known,
        price_known=marks.get(symbol, ZERO) > 0,
        symbol_known=symbol in known_symbols,
        equity=sheet.worth(marks) if worth is None else worth,
        free_cash=sheet.cash - reserved_cash,
        held=held,
        base_balance=sheet.balances.get(base_currency(symbol)) or ZERO,
        position_notional=notional_by_symbol.get(symbol, ZERO),
        gross_notional=sum(notional_by_symbol.values(), ZERO) if notional_by_symbol else ZERO,
        largest_position=max(notional_by_symbol.values()) if notional_by_symbol else ZERO,
        open_symbols=frozenset(notional_by_symbol),
        working=tuple(working),
        # On margin a second order for what the first one closes would open the other side.
        reduces=purpose not in ENTRY_PURPOSES or reduce_only or (against and quantity + closing <= abs(held)),
        pair=pair,
        net_notional=net,
        strategy_result=ZERO if book is None else _result(state, strategy, book, sheet.open),
        mismatched=account is not None and symbol in account.mismatched_symbols,
        overdue_ms=max(0, now_ms - state.due_ms.get(symbol, now_ms)),
        atr=None if volatility is None else exact(volatility.atr),
        regime=UNKNOWN if volatility is None else volatility.regime(float(settings.risk.regime_high_ratio)),
        locks=locks_against(state, symbol, strategy, now_ms) if state.locks else (),
        breaker=None if breaker is None else breaker.view(),
        free_margin=_free_margin(state, sheet, pairs) - reserved_margin if margin else ZERO,
        initial_margin=initial_margin(pair),
        trading=state.trading,
        trading_reason=state.trading_reason,
        paused=state.paused,
        paused_reason=state.paused_reason,
        data_age_ms=conditions.get(condition_key(_DATA_AGE, symbol), 0.0) if conditions else 0.0,
        clock_skew_ms=conditions.get(condition_key(_CLOCK_SKEW, ""), 0.0) if conditions else 0.0,
        day_start_equity=state.day_start_equity,
        week_start_equity=state.week_start_equity,
        peak_equity=state.peak_equity,
        strategy_peak=ZERO if book is None else book.peak,
        strategy_base=ZERO if book is None else book.base_equity,
        trades_today=state.trades_today,
        trades_today_here=state.trades_today_by_symbol.get(symbol, 0),
        orders_last_minute=sum([time_ms > since_ms for time_ms in state.order_times_ms]) if state.order_times_ms else 0,
        last_entry_ms=state.last_entry_ms.get(symbol),
    )


_ALL = Decimal(1)


def initial_margin(pair: PairSpec | None) -> Decimal:
    """The part of a notional that a margin order must have behind it; all of it where nobody says."""
    return _ALL if pair is None or pair.initial_margin is None else pair.initial_margin


def _free_margin(state: RiskState, sheet: AccountSheet, pairs: Mapping[Symbol, PairSpec]) -> Decimal:
    """The margin wallet with what its positions gained, less what they bind."""
    holdings, quote = sheet.margin, sheet.quote
    bound = sum(
        (
            abs(each.quantity) * state.marks.get(each.symbol, each.base_price) * initial_margin(pairs.get(each.symbol))
            for each in holdings
            if quote_currency(each.symbol) == quote
        ),
        ZERO,
    )
    return sheet.margin_cash + margin_profit(holdings, state.marks, quote) - bound


def volatility_of(state: RiskState, strategy: str, symbol: str) -> Volatility | None:
    """What the strategy itself heard of its market; for a person, what any strategy heard of the symbol."""
    mine = state.volatility.get(strategy)
    if mine is not None and mine.symbol == symbol:
        return mine
    return next((each for each in state.volatility.values() if each.symbol == symbol), None)


def strategy_result(state: RiskState, strategy: str) -> Decimal:
    """What a strategy made: finished trades, and open positions that it entered last, at the last known price."""
    book = state.strategies.get(strategy)
    if book is None:
        return ZERO
    return _result(state, strategy, book, state.account.positions if state.account is not None else ())


def _result(state: RiskState, strategy: str, book: StrategyBook, positions: tuple[PositionView, ...]) -> Decimal:
    result = book.realized
    for position in positions:
        if position.quantity and state.owner.get(position.symbol) == strategy:
            mark = state.marks.get(position.symbol, position.average_price)
            result += position.quantity * (mark - position.average_price)
    return result
