"""What opens and closes the trading breakers: refused orders, slippage, wild prices, wide spreads, old data.

Refusals and slippage speak of the venue and of us, so their breaker stops everything; the others speak of one market
and stop that symbol. Every cause comes in a message, so a replay of the messages trips the same breakers.
"""

from collections.abc import Iterable, Iterator
from decimal import Decimal

from genesis.domain.risk_state import Reservation, RiskState, condition_key
from genesis.domain.trading_breaker import TradingBreaker
from genesis.domain.volatility import Volatility
from protocols.risk import BreakerState, ConditionKind, MarketCondition, OrderResult
from protocols.settings import RiskSettings
from protocols.units import ZERO, Side, plain

ALL = ""
BASIS_POINTS = Decimal(10_000)


def slippage_bps(reservation: Reservation, result: OrderResult) -> Decimal:
    """How much worse than the price it was judged by an order was filled; below zero when better.

    Of an order that was changed it is the worst of the prices that it was allowed: a change may have been taken without
    anybody having said so.
    """
    intent = reservation.intent
    if reservation.rests is None:
        expected = reservation.notional / intent.quantity
    else:
        allowed = [reservation.rests.price, *[each.price for each in reservation.changes]]
        expected = max(allowed) if intent.side is Side.BUY else min(allowed)
    if expected <= 0 or result.average_price <= 0:
        return ZERO
    return intent.side.sign * (result.average_price - expected) / expected * BASIS_POINTS


def hear_endings(
    state: RiskState, limits: RiskSettings, endings: Iterable[OrderResult], now_ms: int
) -> Iterator[TradingBreaker]:
    """Look at how our orders ended, before their reservations go. Gives the breakers that changed."""
    if not state.reservations:
        return
    for result in [result for result in endings if result.intent_id in state.reservations]:
        reservation = state.reservations[result.intent_id]
        breaker = state.breakers.get(ALL) or TradingBreaker(scope=ALL)
        if result.refused:
            window_ms = int(limits.breaker_error_window_s * 1000)
            too_many = breaker.on_error(now_ms, window_ms, limits.breaker_errors)
            state.breakers[ALL] = breaker
            errors = len(breaker.errors_ms)
            tried = breaker.state is BreakerState.HALF_OPEN and breaker.probe == result.intent_id
            if tried or (limits.breaker_errors and too_many):
                cause = "the tried order was refused" if tried else f"{errors} orders refused"
                if breaker.trip(cause, now_ms, _pause_ms(limits)):
                    yield breaker
            continue
        if result.filled_quantity <= 0:
            continue
        slipped = slippage_bps(reservation, result)
        if limits.breaker_slippage_bps and slipped > limits.breaker_slippage_bps:
            state.breakers[ALL] = breaker
            cause = f"a fill slipped {plain(round(slipped, 1))} bps"
            if breaker.trip(cause, now_ms, _pause_ms(limits)):
                yield breaker
            continue
        for each in state.breakers.values():
            if each.on_good(result.intent_id, now_ms, limits.breaker_probes):
                yield each


def hear_condition(
    state: RiskState, limits: RiskSettings, condition: MarketCondition, now_ms: int
) -> Iterator[TradingBreaker]:
    state.conditions[condition_key(condition.kind, condition.symbol)] = condition.value
    cause = _condition_cause(state, limits, condition.symbol)
    if cause is not None:
        yield from _trip(state, limits, condition.symbol, cause, now_ms)


def hear_volatility(
    state: RiskState, limits: RiskSettings, volatility: Volatility, now_ms: int
) -> Iterator[TradingBreaker]:
    ratio = volatility.ratio
    if limits.breaker_volatility_ratio and ratio is not None and ratio > float(limits.breaker_volatility_ratio):
        cause = f"volatility {ratio:.1f} times the usual"
        yield from _trip(state, limits, volatility.symbol, cause, now_ms)


def let_time_pass(state: RiskState, limits: RiskSettings, now_ms: int) -> Iterator[TradingBreaker]:
    """Breakers whose pause is over are tried, unless what opened them is still so."""
    for breaker in state.breakers.values():
        if breaker.state is BreakerState.OPEN and now_ms >= breaker.until_ms:
            cause = _condition_cause(state, limits, breaker.scope)
            if cause is not None:
                breaker.trip(cause, now_ms, _pause_ms(limits))
        if breaker.on_time(now_ms):
            yield breaker


def breaker_in_the_way(state: RiskState, symbol: str) -> TradingBreaker | None:
    for scope in (ALL, symbol):
        breaker = state.breakers.get(scope)
        if breaker is not None and breaker.in_the_way():
            return breaker
    return None


def try_with(state: RiskState, symbol: str, intent_id: str) -> None:
    for scope in (ALL, symbol):
        if scope in state.breakers:
            state.breakers[scope].try_with(intent_id)


def forget_probe(state: RiskState, intent_id: str) -> None:
    for breaker in state.breakers.values():
        breaker.on_nothing(intent_id)


def _pause_ms(limits: RiskSettings) -> int:
    return int(limits.breaker_cooldown_s * 1000)


def _trip(state: RiskState, limits: RiskSettings, scope: str, cause: str, now_ms: int) -> Iterator[TradingBreaker]:
    breaker = state.breakers.setdefault(scope, TradingBreaker(scope=scope))
    if breaker.trip(cause, now_ms, _pause_ms(limits)):
        yield breaker


def _condition_cause(state: RiskState, limits: RiskSettings, symbol: str) -> str | None:
    spread = state.conditions.get(condition_key(ConditionKind.SPREAD, symbol), 0.0)
    if limits.breaker_spread_bps and spread > limits.breaker_spread_bps:
        return f"spread {spread:.1f} bps"
    age_ms = state.conditions.get(condition_key(ConditionKind.DATA_AGE, symbol), 0.0)
    if limits.breaker_data_age_s and age_ms > limits.breaker_data_age_s * 1000:
        return f"data {age_ms / 1000:.1f} s old"
    return None
