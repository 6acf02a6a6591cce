"""Rules about the size of one order."""

from decimal import Decimal

from genesis.domain.risk_rules.results import Number, rule
from genesis.domain.risk_state import ENTRY_PURPOSES, Facts, Wish
from protocols.orders import Purpose
from protocols.risk import DenialCode
from protocols.settings import Settings
from protocols.units import AMOUNT_STEP

_EXIT = Purpose.EXIT


@rule(DenialCode.BELOW_MINIMUM_SIZE, moves=True)
def minimum_size(settings: Settings, facts: Facts, wish: Wish) -> bool:
    """An exit from nothing has no size to judge: `something_to_reduce` refuses it, once and for the right reason."""
    if wish.quantity >= _minimum(facts):
        return True
    return wish.purpose not in ENTRY_PURPOSES and facts.held == 0


def _minimum(facts: Facts) -> Decimal:
    return max(facts.pair.minimum, AMOUNT_STEP) if facts.pair is not None else AMOUNT_STEP


@minimum_size.tells
def _minimum_size(settings: Settings, facts: Facts, wish: Wish) -> dict[str, Number]:
    return {"quantity": wish.quantity, "minimum": _minimum(facts)}


@rule(DenialCode.ABOVE_MAXIMUM_SIZE, moves=True)
def maximum_size(settings: Settings, facts: Facts, wish: Wish) -> bool:
    """The venue's own maximum. It binds no exit: what closes a position is cut into several orders on its way."""
    return wish.purpose is _EXIT or facts.pair is None or wish.quantity <= facts.pair.maximum


@maximum_size.tells
def _maximum_size(settings: Settings, facts: Facts, wish: Wish) -> dict[str, Number]:
    return {"quantity": wish.quantity, "maximum": "unknown" if facts.pair is None else facts.pair.maximum}


@rule(DenialCode.MAX_ORDER_NOTIONAL, opens=True, moves=True)
def order_notional(settings: Settings, facts: Facts, wish: Wish) -> bool:
    return wish.notional <= settings.risk.max_order_notional


@order_notional.tells
def _order_notional(settings: Settings, facts: Facts, wish: Wish) -> dict[str, Number]:
    return {"notional": wish.notional, "allowed": settings.risk.max_order_notional}
