"""Rules about what is already under way: one order per symbol and direction, and no exit from nothing."""

from genesis.domain.risk_rules.results import Finding, answer
from genesis.domain.risk_state import ENTRY_PURPOSES, Facts, RiskState, Wish
from protocols.orders import Purpose
from protocols.risk import DenialCode
from protocols.settings import Settings


def nothing_working(state: RiskState, settings: Settings, facts: Facts, wish: Wish) -> Finding:
    """While an order of the symbol has not ended, its position is not known, so no second one is sized by it.

    A person may add to what works: manual orders are exempt.
    """
    in_the_way = [intent.intent_id for intent in facts.working if intent.purpose is not Purpose.MANUAL]
    return answer(
        "nothing_working",
        DenialCode.ORDER_ALREADY_WORKING,
        wish.purpose is Purpose.MANUAL or not in_the_way,
        working=len(in_the_way),
        newest=in_the_way[-1] if in_the_way else "none",
    )


def something_to_reduce(state: RiskState, settings: Settings, facts: Facts, wish: Wish) -> Finding:
    passed = wish.purpose in ENTRY_PURPOSES or facts.held != 0
    return answer("something_to_reduce", DenialCode.NOTHING_TO_REDUCE, passed, held=facts.held)
