"""Rules about how much is at stake: in one symbol, in all, and in how many."""

from genesis.domain.risk_rules.results import answer
from genesis.domain.risk_state import Facts, RiskState, Wish
from protocols.risk import DenialCode, RuleResult
from protocols.settings import Settings


def position_notional(state: RiskState, settings: Settings, facts: Facts, wish: Wish) -> RuleResult:
    after = facts.position_notional + wish.notional
    allowed = settings.risk.max_position_notional
    return answer(
        "position_notional",
        DenialCode.MAX_POSITION_NOTIONAL,
        facts.reduces or after <= allowed,
        now=facts.position_notional,
        after=after,
        allowed=allowed,
    )


def gross_exposure(state: RiskState, settings: Settings, facts: Facts, wish: Wish) -> RuleResult:
    after = facts.gross_notional + wish.notional
    allowed = settings.risk.max_gross_exposure
    return answer(
        "gross_exposure",
        DenialCode.MAX_GROSS_EXPOSURE,
        facts.reduces or after <= allowed,
        now=facts.gross_notional,
        after=after,
        allowed=allowed,
    )


def open_positions(state: RiskState, settings: Settings, facts: Facts, wish: Wish) -> RuleResult:
    after = len(facts.open_symbols | {wish.symbol})
    allowed = settings.risk.max_open_positions
    return answer(
        "open_positions",
        DenialCode.MAX_OPEN_POSITIONS,
        facts.reduces or after <= allowed,
        now=len(facts.open_symbols),
        after=after,
        allowed=allowed,
    )
