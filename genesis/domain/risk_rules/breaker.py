"""The rule of the trading circuit breaker: open lets no entry through, half open one at a time."""

from genesis.domain.risk_rules.results import Finding, answer
from genesis.domain.risk_state import Facts, RiskState, Wish
from protocols.risk import BreakerState, DenialCode
from protocols.settings import Settings


def breaker_closed(state: RiskState, settings: Settings, facts: Facts, wish: Wish) -> Finding:
    in_the_way = facts.breaker
    if facts.reduces or in_the_way is None:
        return answer("breaker_closed", DenialCode.BREAKER_OPEN, True, state=BreakerState.CLOSED.value)
    return answer(
        "breaker_closed",
        DenialCode.BREAKER_OPEN,
        False,
        state=in_the_way.state.value,
        scope=in_the_way.scope or "all",
        cause=in_the_way.cause,
        tried_from_ms=in_the_way.until_ms,
    )
