"""Rules about the size of one order."""

from genesis.domain.risk_rules.results import Finding, answer
from genesis.domain.risk_state import ENTRY_PURPOSES, Facts, RiskState, Wish
from protocols.orders import Purpose
from protocols.risk import DenialCode
from protocols.settings import Settings
from protocols.units import AMOUNT_STEP


def minimum_size(state: RiskState, settings: Settings, facts: Facts, wish: Wish) -> Finding:
    """An exit from nothing has no size to judge: `something_to_reduce` refuses it, once and for the right reason."""
    minimum = max(facts.pair.minimum, AMOUNT_STEP) if facts.pair is not None else AMOUNT_STEP
    from_nothing = wish.purpose not in ENTRY_PURPOSES and facts.held == 0
    return answer(
        "minimum_size",
        DenialCode.BELOW_MINIMUM_SIZE,
        from_nothing or wish.quantity >= minimum,
        quantity=wish.quantity,
        minimum=minimum,
    )


def maximum_size(state: RiskState, settings: Settings, facts: Facts, wish: Wish) -> Finding:
    """The venue's own maximum. It binds no exit: what closes a position is cut into several orders on its way."""
    if facts.pair is None:
        return answer("maximum_size", DenialCode.ABOVE_MAXIMUM_SIZE, True, quantity=wish.quantity, maximum="unknown")
    maximum = facts.pair.maximum
    return answer(
        "maximum_size",
        DenialCode.ABOVE_MAXIMUM_SIZE,
        wish.purpose is Purpose.EXIT or wish.quantity <= maximum,
        quantity=wish.quantity,
        maximum=maximum,
    )


def order_notional(state: RiskState, settings: Settings, facts: Facts, wish: Wish) -> Finding:
    allowed = settings.risk.max_order_notional
    return answer(
        "order_notional",
        DenialCode.MAX_ORDER_NOTIONAL,
        facts.reduces or wish.notional <= allowed,
        notional=wish.notional,
        allowed=allowed,
    )
