"""Rules about what is already under way: one order per symbol and direction, and no exit from nothing."""

from genesis.domain.risk_rules.results import Number, rule
from genesis.domain.risk_state import ENTRY_PURPOSES, Facts, Wish
from protocols.orders import Purpose
from protocols.risk import DenialCode
from protocols.settings import Settings

_MANUAL = Purpose.MANUAL


@rule(DenialCode.ORDER_ALREADY_WORKING)
def nothing_working(settings: Settings, facts: Facts, wish: Wish) -> bool:
    """While an order of the symbol has not ended, its position is not known, so no second one is sized by it.

    A person may add to what works: manual orders are exempt.
    """
    return not facts.working or wish.purpose is _MANUAL or not _in_the_way(facts)


def _in_the_way(facts: Facts) -> list[str]:
    return [intent.intent_id for intent in facts.working if intent.purpose is not _MANUAL]


@nothing_working.tells
def _nothing_working(settings: Settings, facts: Facts, wish: Wish) -> dict[str, Number]:
    in_the_way = _in_the_way(facts)
    return {"working": len(in_the_way), "newest": in_the_way[-1] if in_the_way else "none"}


@rule(DenialCode.NOTHING_TO_REDUCE)
def something_to_reduce(settings: Settings, facts: Facts, wish: Wish) -> bool:
    return wish.purpose in ENTRY_PURPOSES or facts.held != 0


@something_to_reduce.tells
def _something_to_reduce(settings: Settings, facts: Facts, wish: Wish) -> dict[str, Number]:
    return {"held": facts.held}
