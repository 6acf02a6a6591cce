"""Rules of the latch: halted lets nothing through, reducing and paused let only exits through."""

from genesis.domain.risk_rules.results import Finding, answer
from genesis.domain.risk_state import Facts, RiskState, Wish
from protocols.risk import DenialCode, TradingState
from protocols.settings import Settings


def not_halted(state: RiskState, settings: Settings, facts: Facts, wish: Wish) -> Finding:
    passed = state.trading is not TradingState.HALTED
    return answer("not_halted", DenialCode.HALTED, passed, state=state.trading.value, reason=state.trading_reason)


def not_reducing(state: RiskState, settings: Settings, facts: Facts, wish: Wish) -> Finding:
    passed = facts.reduces or state.trading is not TradingState.REDUCING
    return answer(
        "not_reducing",
        DenialCode.REDUCING_ONLY,
        passed,
        state=state.trading.value,
        held=facts.held,
        reduces=facts.reduces,
    )


def not_paused(state: RiskState, settings: Settings, facts: Facts, wish: Wish) -> Finding:
    passed = facts.reduces or not state.paused
    return answer("not_paused", DenialCode.PAUSED, passed, paused=state.paused, reason=state.paused_reason)
