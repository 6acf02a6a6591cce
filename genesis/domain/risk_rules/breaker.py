"""The rule of the trading circuit breaker: open lets no entry through, half open one at a time."""

from genesis.domain.risk_rules.results import Number, rule
from genesis.domain.risk_state import Facts, Wish
from protocols.risk import BreakerState, DenialCode
from protocols.settings import Settings


@rule(DenialCode.BREAKER_OPEN, opens=True)
def breaker_closed(settings: Settings, facts: Facts, wish: Wish) -> bool:
    return facts.breaker is None


@breaker_closed.tells
def _breaker_closed(settings: Settings, facts: Facts, wish: Wish) -> dict[str, Number]:
    in_the_way = facts.breaker
    if facts.reduces or in_the_way is None:
        return {"state": BreakerState.CLOSED.value}
    return {
        "state": in_the_way.state.value,
        "scope": in_the_way.scope or "all",
        "cause": in_the_way.cause,
        "tried_from_ms": in_the_way.until_ms,
    }
