"""Rules about the signal itself: history and latecomers never open a trade."""

from genesis.domain.risk_rules.results import answer
from genesis.domain.risk_state import Facts, RiskState, Wish
from protocols.risk import DenialCode, RuleResult
from protocols.settings import Settings


def fresh_signal(state: RiskState, settings: Settings, facts: Facts, wish: Wish) -> RuleResult:
    max_lag_ms = int(settings.risk.signal_max_age_s * 1000)
    fresh = not wish.catch_up and wish.lag_ms <= max_lag_ms
    return answer(
        "fresh_signal",
        DenialCode.STALE_SIGNAL,
        facts.reduces or wish.signal_id is None or fresh,
        history=str(wish.catch_up).lower(),
        lag_ms=wish.lag_ms,
        max_lag_ms=max_lag_ms,
    )
