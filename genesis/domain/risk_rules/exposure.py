"""Rules about how much is at stake: in one symbol, in all, net of shorts, and in how many."""

from genesis.domain.risk_rules.results import Finding, answer
from genesis.domain.risk_state import Facts, RiskState, Wish
from protocols.risk import DenialCode
from protocols.settings import Settings


def position_notional(state: RiskState, settings: Settings, facts: Facts, wish: Wish) -> Finding:
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


def gross_exposure(state: RiskState, settings: Settings, facts: Facts, wish: Wish) -> Finding:
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


def net_exposure(state: RiskState, settings: Settings, facts: Facts, wish: Wish) -> Finding:
    """Long less short. An order that brings the net nearer to nothing passes, however far out it is."""
    after = facts.net_notional + wish.side.sign * wish.notional
    allowed = settings.risk.max_net_exposure
    return answer(
        "net_exposure",
        DenialCode.MAX_NET_EXPOSURE,
        facts.reduces or abs(after) <= allowed or abs(after) < abs(facts.net_notional),
        now=facts.net_notional,
        after=after,
        allowed=allowed,
    )


def open_positions(state: RiskState, settings: Settings, facts: Facts, wish: Wish) -> Finding:
    now = len(facts.open_symbols)
    after = now if wish.symbol in facts.open_symbols else now + 1
    allowed = settings.risk.max_open_positions
    return answer(
        "open_positions",
        DenialCode.MAX_OPEN_POSITIONS,
        facts.reduces or after <= allowed,
        now=now,
        after=after,
        allowed=allowed,
    )
