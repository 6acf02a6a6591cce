"""Rules of the latch: halted lets nothing through, reducing and paused let only exits through."""

from genesis.domain.risk_rules.results import Number, rule
from genesis.domain.risk_state import Facts, Wish
from protocols.risk import DenialCode, TradingState
from protocols.settings import Settings

# A member of an enumeration that is asked of its class costs as much as three rules.
_HALTED, _REDUCING = TradingState.HALTED, TradingState.REDUCING


@rule(DenialCode.HALTED)
def not_halted(settings: Settings, facts: Facts, wish: Wish) -> bool:
    return facts.trading is not _HALTED


@not_halted.tells
def _not_halted(settings: Settings, facts: Facts, wish: Wish) -> dict[str, Number]:
    return {"state": facts.trading.value, "reason": facts.trading_reason}


@rule(DenialCode.REDUCING_ONLY, opens=True)
def not_reducing(settings: Settings, facts: Facts, wish: Wish) -> bool:
    return facts.trading is not _REDUCING


@not_reducing.tells
def _not_reducing(settings: Settings, facts: Facts, wish: Wish) -> dict[str, Number]:
    return {"state": facts.trading.value, "held": facts.held, "reduces": facts.reduces}


@rule(DenialCode.PAUSED, opens=True)
def not_paused(settings: Settings, facts: Facts, wish: Wish) -> bool:
    return not facts.paused


@not_paused.tells
def _not_paused(settings: Settings, facts: Facts, wish: Wish) -> dict[str, Number]:
    return {"paused": facts.paused, "reason": facts.paused_reason}
