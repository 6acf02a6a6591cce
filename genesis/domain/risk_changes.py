"""What is set aside for an order while it is changed: the most that it may be worth, until nobody can doubt which.

An approved change counts from its approval on. It ends when the order actor says, by its number, that no change is
under way: then the order counts as what it rests as, whether the venue took the change, refused it, or we gave it up.
"""

from decimal import Decimal

import msgspec

from genesis.domain.risk_state import OpenChange, Reservation, Resting
from protocols.orders import OrderIntent
from protocols.risk import ChangeOrder, SettledChange


def order_after(kept: Reservation, command: ChangeOrder) -> OrderIntent:
    """The order that it may become. What a change leaves open is the most that changes before it may make of it: they
    may be under way, and whoever asks may not know yet that they were taken."""
    update, intent = command.update, command.intent
    assert intent.price is not None
    price, quantity = intent.price, intent.quantity
    known: tuple[OpenChange | Resting, ...] = kept.changes if kept.rests is None else (kept.rests, *kept.changes)
    if update.price is None:
        price = max([price, *[each.price for each in known]])
    if update.quantity is None:
        quantity = max([quantity, *[each.quantity for each in known]])
    return msgspec.structs.replace(intent, price=price, quantity=quantity, reduce_only=kept.intent.reduce_only)


def grows(kept: Reservation, intent: OrderIntent, rests: Decimal) -> bool:
    """Whether it becomes more than it is for whoever asks, or more than is set aside."""
    assert intent.price is not None
    worth = intent.quantity * intent.price
    return worth > rests or worth > kept.notional or (kept.reduces and intent.quantity > kept.quantity)


def with_change(kept: Reservation, intent: OrderIntent, *, reduces: bool) -> Reservation:
    """From now on the larger of the two counts."""
    assert intent.price is not None
    rests = kept.rests or _as_ordered(kept)
    change = OpenChange(
        number=max([rests.number, *[each.number for each in kept.changes]]) + 1,
        change_id=intent.intent_id,
        quantity=intent.quantity,
        price=intent.price,
        reduces=reduces,
    )
    return _counted(kept, rests, (*kept.changes, change))


def _as_ordered(kept: Reservation) -> Resting:
    return Resting(
        number=0,
        quantity=kept.intent.quantity,
        price=kept.notional / kept.intent.quantity,
        notional=kept.notional,
        reduces=kept.reduces,
    )


def settled(kept: Reservation, told: SettledChange) -> Reservation:
    """It rests as told, and no change up to that number is under way. Number 0 is of a part that traded."""
    rests = kept.rests or _as_ordered(kept)
    if told.number < rests.number or (kept.rests is None and (told.number or told.quantity >= rests.quantity)):
        return kept
    done = [each for each in kept.changes if each.number <= told.number]
    # Larger than what was allowed as one that takes away, it may open something.
    reduces = rests.reduces and (told.quantity <= rests.quantity or all(each.reduces for each in done))
    # Trading changes no price, and an order at market has none but the one that it was judged by.
    price = told.price if told.number else rests.price
    now = Resting(
        number=told.number,
        quantity=told.quantity,
        price=price,
        notional=told.quantity * price,
        reduces=reduces,
    )
    left = tuple(each for each in kept.changes if each.number > told.number)
    return _counted(kept, now, left)


def without_unheard(kept: Reservation, heard: int) -> Reservation:
    """The process died before the order actor took the changes above `heard`: nothing will come of them."""
    left = tuple(each for each in kept.changes if each.number <= heard)
    return kept if kept.rests is None or left == kept.changes else _counted(kept, kept.rests, left)


def _counted(kept: Reservation, rests: Resting, changes: tuple[OpenChange, ...]) -> Reservation:
    return msgspec.structs.replace(
        kept,
        notional=max([rests.notional, *[each.quantity * each.price for each in changes]]),
        reduces=rests.reduces and all(each.reduces for each in changes),
        rests=rests,
        changes=changes,
    )
