"""The facts of one judgement, worked out once from what risk remembers."""

from collections.abc import Mapping
from decimal import Decimal

from genesis.domain.pairs import PairSpec
from genesis.domain.risk_breakers import breaker_in_the_way
from genesis.domain.risk_protections import locks_against
from genesis.domain.risk_rules.account import CASH_MARGIN
from genesis.domain.risk_state import (
    ENTRY_PURPOSES,
    Facts,
    RiskState,
    base_balance,
    cash,
    equity,
    held_quantity,
)
from genesis.domain.volatility import UNKNOWN, Volatility
from protocols.orders import Purpose
from protocols.settings import Settings
from protocols.units import ZERO, Side, Symbol, exact


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
) -> Facts:
    account = state.account
    held = held_quantity(account, symbol)
    notional_by_symbol: dict[str, Decimal] = {}
    net = ZERO
    for position in account.positions if account is not None else ():
        if position.quantity:
            price = state.marks.get(position.symbol, position.average_price)
            worth = position.quantity * price
            notional_by_symbol[position.symbol] = abs(worth)
            net += worth
    reserved_cash = ZERO
    working = []
    for reservation in state.reservations.values():
        at = reservation.intent.symbol
        if at == symbol:
            working.append(reservation.intent)
        if not reservation.reduces:
            notional_by_symbol[at] = notional_by_symbol.get(at, ZERO) + reservation.notional
            net += reservation.intent.side.sign * reservation.notional
            if reservation.intent.side is Side.BUY:
                reserved_cash += reservation.notional * CASH_MARGIN
    against = (held > 0 and side is Side.SELL) or (held < 0 and side is Side.BUY)
    volatility = volatility_of(state, strategy, symbol)
    now_ms = state.now_ms if at_ms is None else at_ms
    return Facts(
        now_ms=now_ms,
        account_known=account is not None and account.known,
        price_known=state.marks.get(symbol, ZERO) > 0,
        symbol_known=symbol in known_symbols,
        equity=equity(account.wallets if account is not None else (), state.marks, settings.quote_currency),
        free_cash=cash(account, settings.quote_currency) - reserved_cash,
        held=held,
        base_balance=base_balance(account, symbol) or ZERO,
        position_notional=notional_by_symbol.get(symbol, ZERO),
        gross_notional=sum(notional_by_symbol.values(), ZERO),
        open_symbols=frozenset(notional_by_symbol),
        working=tuple(working),
        reduces=purpose not in ENTRY_PURPOSES or (against and quantity <= abs(held)),
        pair=pairs.get(symbol),
        net_notional=net,
        strategy_result=strategy_result(state, strategy),
        mismatched=account is not None and symbol in account.mismatched_symbols,
        overdue_ms=max(0, now_ms - state.due_ms.get(symbol, now_ms)),
        atr=None if volatility is None else exact(volatility.atr),
        regime=UNKNOWN if volatility is None else volatility.regime(float(settings.risk.regime_high_ratio)),
        locks=locks_against(state, symbol, strategy, now_ms),
        breaker=breaker_in_the_way(state, symbol),
    )


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
    result = book.realized
    for position in state.account.positions if state.account is not None else ():
        if position.quantity and state.owner.get(position.symbol) == strategy:
            mark = state.marks.get(position.symbol, position.average_price)
            result += position.quantity * (mark - position.average_price)
    return result
