"""Rules about how old things are: the signal, the symbol's data, and the difference between two clocks."""

from genesis.domain.risk_rules.results import Number, rule
from genesis.domain.risk_state import Facts, Wish
from protocols.risk import DenialCode
from protocols.settings import Settings


@rule(DenialCode.STALE_SIGNAL, opens=True, moves=True)
def fresh_signal(settings: Settings, facts: Facts, wish: Wish) -> bool:
    """History and latecomers never open a trade."""
    if wish.signal_id is None:
        return True
    return not wish.catch_up and wish.lag_ms <= int(settings.risk.signal_max_age_s * 1000)


@fresh_signal.tells
def _fresh_signal(settings: Settings, facts: Facts, wish: Wish) -> dict[str, Number]:
    max_lag_ms = int(settings.risk.signal_max_age_s * 1000)
    return {"history": wish.catch_up, "lag_ms": wish.lag_ms, "max_lag_ms": max_lag_ms}


@rule(DenialCode.STALE_DATA, opens=True, moves=True)
def fresh_data(settings: Settings, facts: Facts, wish: Wish) -> bool:
    """The symbol's next candle is not overdue in venue time, and nobody outside has seen its streams go silent."""
    return facts.overdue_ms <= int(settings.market.candle_stale_s * 1000) and facts.data_age_ms <= 0


@fresh_data.tells
def _fresh_data(settings: Settings, facts: Facts, wish: Wish) -> dict[str, Number]:
    return {
        "overdue_ms": facts.overdue_ms,
        "allowed_ms": int(settings.market.candle_stale_s * 1000),
        "stale_ms": int(facts.data_age_ms),
    }


@rule(DenialCode.CLOCK_SKEW, opens=True)
def clocks_agree(settings: Settings, facts: Facts, wish: Wish) -> bool:
    return abs(int(facts.clock_skew_ms)) <= settings.market.clock_skew_max_ms


@clocks_agree.tells
def _clocks_agree(settings: Settings, facts: Facts, wish: Wish) -> dict[str, Number]:
    return {"skew_ms": int(facts.clock_skew_ms), "allowed_ms": settings.market.clock_skew_max_ms}
