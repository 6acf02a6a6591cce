"""The facts of one judgement, worked out once from what risk remembers: the grounds, which hold while only time and
prices move and may be known long before, and then the moment."""

from collections.abc import Mapping
from decimal import Decimal

import msgspec

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


class Grounds(msgspec.Struct, frozen=True, kw_only=True):
    """The facts of a wish without the moment: `facts` are whole but for what the time and prices have a part in.

    They hold until something other than a price or the time changes (the account, an order, a switch, settings).
    `stakes` are what is held: (symbol, quantity at stake, signed quantity, average price); `mine` are those whose
    result is the strategy's. `reserved` are (symbol, notional, signed notional) of approved orders that open.
    """

    facts: Facts
    strategy: str
    symbol: Symbol
    sheet: AccountSheet
    stakes: tuple[tuple[str, Decimal, Decimal, Decimal], ...]
    reserved: tuple[tuple[str, Decimal, Decimal], ...]
    mine: tuple[PositionView, ...]
    realized: Decimal
    margin: bool
    reserved_margin: Decimal


def grounds_of(
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
    margin: bool = False,
    reduce_only: bool = False,
    sheet: AccountSheet | None = None,
) -> Grounds:
    """`sheet` is of the state's account and the settings' quote currency, where the caller has it."""
    account = state.account
    if sheet is None:
        sheet = sheet_of(account, settings.quote_currency)
    held_here = sheet.positions.get(symbol)
    held = ZERO
    if held_here is not None:
        held = held_here.margin_quantity if margin else held_here.quantity - held_here.margin_quantity
    if purpose is _EXIT and not margin and held > 0:
        held = owned_quantity(account, symbol, strategy)
    stakes = []
    for position in sheet.open:
        whole, on_margin = position.quantity, position.margin_quantity
        # Coins do not lessen what is at stake in a short beside them: they are two books at the venue.
        at_stake = abs(on_margin) + abs(whole - on_margin) if on_margin else abs(whole)
        stakes.append((position.symbol, at_stake, whole, position.average_price))
    reserved_cash = reserved_margin = closing = ZERO
    working, reserved = [], []
    for reservation in state.reservations.values():
        at = reservation.intent.symbol
        on_margin_now = reservation.intent.margin
        if at == symbol:
            working.append(reservation.intent)
            if on_margin_now and margin and reservation.intent.side is side:
                closing += reservation.quantity
        if not reservation.reduces:
            notional = reservation.notional
            reserved.append((at, notional, reservation.intent.side.sign * notional))
            if on_margin_now:
                reserved_margin += notional * CASH_MARGIN * initial_margin(pairs.get(at))
            elif reservation.intent.side is not _SELL:
                reserved_cash += notional * CASH_MARGIN
    against = held > 0 if side is _SELL else held < 0
    pair = pairs.get(symbol)
    breaker = breaker_in_the_way(state, symbol) if state.breakers else None
    book = state.strategies.get(strategy)
    conditions, owner = state.conditions, state.owner
    facts = Facts(
        now_ms=0,
        account_known=sheet.known,
        account_told=sheet.told,
        price_known=False,
        symbol_known=symbol in known_symbols,
        equity=ZERO,
        free_cash=sheet.cash - reserved_cash,
        held=held,
        base_balance=sheet.balances.get(base_currency(symbol)) or ZERO,
        position_notional=ZERO,
        gross_notional=ZERO,
        open_symbols=frozenset([each[0] for each in stakes] + [each[0] for each in reserved]),
        working=tuple(working),
        # On margin a second order for what the first one closes would open the other side.
        reduces=purpose not in ENTRY_PURPOSES or reduce_only or (against and quantity + closing <= abs(held)),
        pair=pair,
        strategy_result=ZERO if book is None else book.realized,
        mismatched=account is not None and symbol in account.mismatched_symbols,
        breaker=None if breaker is None else breaker.view(),
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
        last_entry_ms=state.last_entry_ms.get(symbol),
    )
    return Grounds(
        facts=facts,
        strategy=strategy,
        symbol=symbol,
        sheet=sheet,
        stakes=tuple(stakes),
        reserved=tuple(reserved),
        mine=() if book is None else tuple([each for each in sheet.open if owner.get(each.symbol) == strategy]),
        realized=facts.strategy_result,
        margin=margin,
        reserved_margin=reserved_margin,
    )


def facts_at(
    grounds: Grounds,
    state: RiskState,
    settings: Settings,
    pairs: Mapping[Symbol, PairSpec],
    at_ms: int,
    worth: Decimal | None = None,
) -> Facts:
    """The facts at a moment, at the prices that the state knows; `worth` is what the account is worth at those."""
    marks, symbol, strategy, sheet = state.marks, grounds.symbol, grounds.strategy, grounds.sheet
    position = gross = largest = net = free_margin = ZERO
    result = grounds.realized
    if grounds.stakes or grounds.reserved:
        by_symbol, net = _at_stake(grounds, marks)
        position, gross, largest = by_symbol.get(symbol, ZERO), sum(by_symbol.values(), ZERO), max(by_symbol.values())
        for mine in grounds.mine:
            if mine.quantity:
                mark = marks.get(mine.symbol, mine.average_price)
                result += mine.quantity * (mark - mine.average_price)
    if grounds.margin:
        free_margin = _free_margin(state, sheet, pairs) - grounds.reserved_margin
    volatility = volatility_of(state, strategy, symbol)
    since_ms, times, limits = at_ms - MINUTE_MS, state.order_times_ms, settings.risk
    return msgspec.structs.replace(
        grounds.facts,
        now_ms=at_ms,
        price_known=marks.get(symbol, ZERO) > ZERO,
        equity=sheet.worth(marks) if worth is None else worth,
        position_notional=position,
        gross_notional=gross,
        net_notional=net,
        strategy_result=result,
        overdue_ms=max(0, at_ms - state.due_ms.get(symbol, at_ms)),
        # Only a budget asks for it, and only of one do the words tell it.
        atr=None if volatility is None or not limits.atr_budget else exact(volatility.atr),
        regime=UNKNOWN if volatility is None else volatility.regime(float(limits.regime_high_ratio)),
        locks=locks_against(state, symbol, strategy, at_ms) if state.locks else (),
        free_margin=free_margin,
        largest_position=largest,
        orders_last_minute=sum([time_ms > since_ms for time_ms in times]) if times else 0,
    )


def _at_stake(grounds: Grounds, marks: Mapping[str, Decimal]) -> tuple[dict[str, Decimal], Decimal]:
    """The notional of each symbol with what is reserved in it, and all of it with its signs."""
    by_symbol, net = dict[str, Decimal](), ZERO
    for held, at_stake, quantity, average_price in grounds.stakes:
        price = marks.get(held, average_price)
        by_symbol[held] = at_stake * price
        net += quantity * price
    for at, notional, signed in grounds.reserved:
        by_symbol[at] = by_symbol.get(at, ZERO) + notional
        net += signed
    return by_symbol, net


class Exposure(msgspec.Struct, frozen=True, kw_only=True):
    """What is at stake in all, whatever somebody wishes for; notionals in the quote currency."""

    equity: Decimal
    largest_position: Decimal
    gross_notional: Decimal
    net_notional: Decimal
    open_symbols: int


def exposure_at(grounds: Grounds, marks: Mapping[str, Decimal]) -> Exposure:
    """At these prices, by the grounds of any wish: they have it all alike."""
    by_symbol, net = _at_stake(grounds, marks)
    return Exposure(
        equity=grounds.sheet.worth(marks),
        largest_position=max(by_symbol.values(), default=ZERO),
        gross_notional=sum(by_symbol.values(), ZERO),
        net_notional=net,
        open_symbols=len(grounds.facts.open_symbols),
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
    """What the strategy itself heard of its market; for a person, what the first by name of the symbol's strategies
    heard: who spoke first is not kept over a restart."""
    mine = state.volatility.get(strategy)
    if mine is not None and mine.symbol == symbol:
        return mine
    heard = [name for name, each in state.volatility.items() if each.symbol == symbol]
    return state.volatility[min(heard)] if heard else None


def strategy_result(state: RiskState, strategy: str) -> Decimal:
    """What a strategy made: finished trades, and open positions that it entered last, at the last known price."""
    book = state.strategies.get(strategy)
    if book is None:
        return ZERO
    result = book.realized
    for position in state.account.positions if state.account is not None else ():
        if position.quantity and state.owner.get(position.symbol) == strategy:
            mark = state.marks.get(position.symbol, position.average_price)
            result += position.quantity * (mark - position.average_price)
    return result
