"""Rules about how old things are: the signal, the symbol's data, and the difference between two clocks."""

from genesis.domain.risk_rules.results import Finding, answer
from genesis.domain.risk_state import Facts, RiskState, Wish, condition_key
from protocols.risk import ConditionKind, DenialCode
from protocols.settings import Settings


def fresh_signal(state: RiskState, settings: Settings, facts: Facts, wish: Wish) -> Finding:
    """History and latecomers never open a trade."""
    max_lag_ms = int(settings.risk.signal_max_age_s * 1000)
    fresh = not wish.catch_up and wish.lag_ms <= max_lag_ms
    return answer(
        "fresh_signal",
        DenialCode.STALE_SIGNAL,
        facts.reduces or wish.signal_id is None or fresh,
        history=wish.catch_up,
        lag_ms=wish.lag_ms,
        max_lag_ms=max_lag_ms,
    )


def fresh_data(state: RiskState, settings: Settings, facts: Facts, wish: Wish) -> Finding:
    """The symbol's next candle is not overdue in venue time, and nobody outside has seen its streams go silent."""
    allowed_ms = int(settings.market.candle_stale_s * 1000)
    age_ms = state.conditions.get(condition_key(ConditionKind.DATA_AGE, wish.symbol), 0.0)
    return answer(
        "fresh_data",
        DenialCode.STALE_DATA,
        facts.reduces or (facts.overdue_ms <= allowed_ms and age_ms <= 0),
        overdue_ms=facts.overdue_ms,
        allowed_ms=allowed_ms,
        stale_ms=int(age_ms),
    )


def clocks_agree(state: RiskState, settings: Settings, facts: Facts, wish: Wish) -> Finding:
    skew_ms = int(state.conditions.get(condition_key(ConditionKind.CLOCK_SKEW, ""), 0.0))
    allowed_ms = settings.market.clock_skew_max_ms
    return answer(
        "clocks_agree",
        DenialCode.CLOCK_SKEW,
        facts.reduces or abs(skew_ms) <= allowed_ms,
        skew_ms=skew_ms,
        allowed_ms=allowed_ms,
    )
