"""The bracket around a lot of a position: which orders should rest for it, and the steps from those that do to those.

It is one pure function of what is wanted and what is there, so it needs no memory of how things came to be: after a
crash, a reconnect or a stranger's cancel the same question is asked again, and the answer leads to the same end: one
stop of the right size, with its target beside it where the venue can hold both.

On the exchange wallet a resting sell holds its coins back, so two orders cannot protect the same coins: stop and target
are one OCO there, and a new one goes in one frame with the cancel of the old, or when the old has let go. A leg whose
fate is open (on its way, being changed, in doubt) is waited for, never doubled.
"""

from collections.abc import Container, Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Final

import attrs
import msgspec

from genesis.domain.order_lots import cut
from genesis.domain.pairs import PairSpec
from protocols.orders import Bracket, OrderIntent, OrderType, Purpose
from protocols.units import AMOUNT_STEP, ZERO, Side, Symbol, floor_amount, round_price, same_amount


class Levels(msgspec.Struct, frozen=True, kw_only=True):
    """Where to leave a position, in prices the venue takes. `trail` is the distance of a stop that the venue moves.

    `follow` is the distance of one that we move: `stop` stands where it is until the market reaches `activation`, and
    from then on it is drawn after the market in place, so that at no moment nothing rests.
    """

    stop: Decimal | None = None
    target: Decimal | None = None
    trail: Decimal | None = None
    follow: Decimal | None = None
    activation: Decimal | None = None

    @property
    def exist(self) -> bool:
        return self.stop is not None or self.target is not None or self.trail is not None

    def in_order(self, side: Side) -> bool:
        """True unless the target of a position of `side` lies on the wrong side of its stop: no OCO can be that."""
        return self.stop is None or self.target is None or (self.target - self.stop) * side.sign > 0

    @property
    def guards(self) -> bool:
        """True with a stop of either kind."""
        return self.stop is not None or self.trail is not None


class LegState(StrEnum):
    """What we know of a protective order."""

    RESTING = "resting"
    MOVING = "moving"
    """On its way, being changed, or in doubt: wait."""
    LEAVING = "leaving"
    """Its cancel is wanted, or its end is told."""
    BROKEN = "broken"
    """It rests, but lost its other half: an OCO whose stop is gone."""
    LOST = "lost"
    """A later session does not show it: it covers nothing, and should it come back it is taken out."""


class LegKind(StrEnum):
    STOP = "stop"
    TRAIL = "trail"
    TARGET = "target"
    OCO = "oco"


GUARDS: Final = (LegKind.STOP, LegKind.TRAIL, LegKind.OCO)
"""What sells at a loss: a target alone protects nothing."""


@attrs.frozen(kw_only=True)
class Leg:
    """A protective order as it is: `quantity` is what of it has not traded."""

    cid: int
    kind: LegKind
    state: LegState
    quantity: Decimal
    levels: Levels


@attrs.frozen(kw_only=True)
class Place:
    kind: LegKind
    quantity: Decimal
    levels: Levels


@attrs.frozen(kw_only=True)
class Resize:
    """Change a resting leg in place. None leaves a field as it is."""

    cid: int
    quantity: Decimal | None
    price: Decimal | None
    place: Place
    """What it is after that, should the venue refuse to change it."""


@attrs.frozen(kw_only=True)
class Replace:
    """A resting leg that cannot be changed in place: another one takes its place, in one frame where that is safe."""

    cid: int
    place: Place
    reason: str


@attrs.frozen(kw_only=True)
class TakeOut:
    cid: int
    reason: str


Step = Place | Resize | Replace | TakeOut


def levels_of(bracket: Bracket, *, side: Side, price: Decimal) -> Levels:
    """The levels of a lot opened by `side` at `price`. A level on the wrong side of zero is none, and neither is a
    target that the stop has passed: a gap between decision and fill can do that, and a stop is what must rest."""
    sign = side.sign
    stop, target = bracket.stop_price, bracket.target_price
    trail = round_price(bracket.stop_distance) if bracket.trailing and bracket.stop_distance is not None else None
    follow = activation = None
    if bracket.activation_price is not None:
        follow, trail, activation = trail, None, _level(bracket.activation_price)
    if trail is None and bracket.stop_distance is not None:
        stop = price - bracket.stop_distance * sign
    if bracket.target_distance is not None:
        target = price + bracket.target_distance * sign
    levels = Levels(stop=_level(stop), target=_level(target), trail=trail, follow=follow, activation=activation)
    return levels if levels.in_order(side) else msgspec.structs.replace(levels, target=None)


FOLLOW_STEP: Final = Decimal("0.1")
"""A stop that we move is moved by at least this part of its distance: each move costs the venue a request."""


def followed(levels: Levels, *, side: Side, best: Decimal) -> Levels:
    """The levels of a position of `side` when the front of the book on that side is `best`. Stops never move back."""
    distance = levels.follow
    if distance is None:
        return levels
    if levels.activation is not None:
        if (best - levels.activation) * side.sign < 0:
            return levels
        levels = msgspec.structs.replace(levels, activation=None)
    stop = _level(best - distance * side.sign)
    if stop is None:
        return levels
    far_enough = levels.stop is None or (stop - levels.stop) * side.sign >= distance * FOLLOW_STEP
    return msgspec.structs.replace(levels, stop=stop) if far_enough else levels


def _level(price: Decimal | None) -> Decimal | None:
    return round_price(price) if price is not None and price > 0 else None


def wanted_legs(levels: Levels, quantity: Decimal, *, margin: bool, pair: PairSpec | None = None) -> tuple[Place, ...]:
    """The protective orders of a lot: one, or on margin a stop that moves with a target beside it.

    What is more than one order may be is cut into several.
    """
    if quantity <= 0 or not levels.exist:
        return ()
    kinds = _kinds(levels, margin)
    return tuple(
        [Place(kind=kind, quantity=part, levels=place) for part in cut(quantity, pair) for kind, place in kinds]
    )


def _kinds(levels: Levels, margin: bool) -> list[tuple[LegKind, Levels]]:
    stop, target, trail = levels.stop, levels.target, levels.trail
    if stop is not None and target is not None and levels.follow is None:
        return [(LegKind.OCO, Levels(stop=stop, target=target))]
    kinds: list[tuple[LegKind, Levels]] = []
    if trail is not None:
        kinds.append((LegKind.TRAIL, Levels(trail=trail)))
    elif stop is not None:
        kinds.append((LegKind.STOP, Levels(stop=stop)))
    if target is not None and (margin or not kinds):
        kinds.append((LegKind.TARGET, Levels(target=target)))
    return kinds


def next_steps(wanted: Sequence[Place], legs: Sequence[Leg], *, margin: bool) -> tuple[Step, ...]:
    """What to do now. Nothing while it is right, or while the answer to something under way must come first."""
    if len(wanted) == len(legs) <= 1 and all(map(_is_right, wanted, legs)):
        # So it is nearly always.
        return ()
    steps: list[Step] = []
    present = [leg for leg in legs if leg.state is not LegState.LOST]
    missing: list[Place] = []
    kept: set[int] = set()
    changed: list[Place] = []
    for place in wanted:
        # What is right already must not be taken for what needs a change: of several parts each has its own.
        right = [
            leg
            for leg in _alike(place, present, kept)
            if same_amount(leg.quantity, place.quantity) and leg.levels == place.levels
        ]
        if right:
            kept.add(min(leg.cid for leg in right))
        else:
            changed.append(place)
    for place in changed:
        alike = _alike(place, present, kept)
        if not alike:
            missing.append(place)
            continue
        # The one that needs the least change stays; of equals the oldest, so that everybody picks the same.
        best = min(
            alike, key=lambda leg: (not same_amount(leg.quantity, place.quantity), leg.levels != place.levels, leg.cid)
        )
        kept.add(best.cid)
        step = _adjust(best, place)
        if step is not None:
            steps.append(step)
    for leg in present:
        if leg.cid not in kept and leg.state in (LegState.RESTING, LegState.MOVING, LegState.BROKEN):
            steps.append(TakeOut(cid=leg.cid, reason=_why(leg, wanted)))
    in_the_way = [leg for leg in present if leg.cid not in kept]
    if missing and (margin or not in_the_way):
        # On margin a second reduce-only order may rest beside the one that leaves; coins can be promised only once.
        steps += missing
    if in_the_way and not margin:
        # Whatever leaves holds coins that the new one may need: the old one stays until it is gone.
        quantities = {leg.cid: leg.quantity for leg in present}
        steps = [step for step in steps if not isinstance(step, Replace) and not _grows(step, quantities)]
    return tuple(steps)


def _grows(step: Step, quantities: Mapping[int, Decimal]) -> bool:
    return isinstance(step, Resize) and step.quantity is not None and step.quantity > quantities[step.cid]


def beside(wanted: Sequence[Place], legs: Sequence[Leg], *, room: Decimal, pair: PairSpec | None) -> tuple[Place, ...]:
    """Stops for what those that rest lack of the wanted size, where none of them may be changed.

    `room` is how much of what is held no order protects yet, whosever lot that is: no more than that is placed, and
    nothing that the venue would not take as an order of its own.
    """
    guards = [place for place in wanted if place.kind in GUARDS]
    lacks = floor_amount(min(sum((place.quantity for place in guards), ZERO) - guarded(legs), room))
    if lacks < max(ZERO if pair is None else pair.minimum, AMOUNT_STEP):
        return ()
    first = guards[0]
    return tuple(Place(kind=first.kind, quantity=part, levels=first.levels) for part in cut(lacks, pair))


def guarded(legs: Sequence[Leg]) -> Decimal:
    """How much of a position the stops cover that rest, or may come to rest yet."""
    counts = (LegState.RESTING, LegState.MOVING)
    return sum((leg.quantity for leg in legs if leg.kind in GUARDS and leg.state in counts), ZERO)


def _is_right(place: Place, leg: Leg) -> bool:
    stays = leg.state is LegState.RESTING or leg.state is LegState.MOVING
    return stays and leg.kind is place.kind and same_amount(leg.quantity, place.quantity) and leg.levels == place.levels


def _alike(place: Place, legs: Sequence[Leg], taken: Container[int]) -> list[Leg]:
    """Legs of the right kind that rest or are on their way, and that nothing else counts on."""
    stays = (LegState.RESTING, LegState.MOVING)
    return [leg for leg in legs if leg.kind is place.kind and leg.state in stays and leg.cid not in taken]


def _adjust(leg: Leg, place: Place) -> Step | None:
    """Bring a leg of the right kind to the right size and price, in place where the venue can do that."""
    if leg.state is LegState.MOVING or (same_amount(leg.quantity, place.quantity) and leg.levels == place.levels):
        return None
    if leg.kind is LegKind.OCO or (leg.kind is LegKind.TRAIL and leg.levels != place.levels):
        # The two halves of an OCO share one amount: they are replaced together.
        return Replace(cid=leg.cid, place=place, reason="its size or its levels changed")
    price = place.levels.stop if leg.kind is LegKind.STOP else place.levels.target
    return Resize(
        cid=leg.cid,
        quantity=None if same_amount(leg.quantity, place.quantity) else place.quantity,
        price=None if leg.levels == place.levels or leg.kind is LegKind.TRAIL else price,
        place=place,
    )


def _why(leg: Leg, wanted: Sequence[Place]) -> str:
    if not wanted:
        return "nothing is left to protect"
    if leg.state is LegState.BROKEN:
        return "its stop is gone"
    return "another order protects the position"


def leg_intent(
    place: Place,
    *,
    intent_id: str,
    strategy: str,
    symbol: Symbol,
    side: Side,
    margin: bool,
    decided_ms: int,
    correlation_id: str,
) -> OrderIntent:
    """The order of a leg. `side` is the one that closes the position."""
    order_type, price = {
        LegKind.STOP: (OrderType.STOP, place.levels.stop),
        LegKind.TRAIL: (OrderType.TRAILING_STOP, None),
        LegKind.TARGET: (OrderType.LIMIT, place.levels.target),
        LegKind.OCO: (OrderType.LIMIT, place.levels.target),
    }[place.kind]
    return OrderIntent(
        intent_id=intent_id,
        strategy=strategy,
        symbol=symbol,
        side=side,
        quantity=floor_amount(place.quantity),
        order_type=order_type,
        purpose=Purpose.TARGET if place.kind is LegKind.TARGET else Purpose.STOP,
        decided_ms=decided_ms,
        correlation_id=correlation_id,
        price=price,
        trailing_distance=place.levels.trail if place.kind is LegKind.TRAIL else None,
        oco_stop_price=place.levels.stop if place.kind is LegKind.OCO else None,
        margin=margin,
        reduce_only=True,
    )


def kind_of(intent: OrderIntent) -> LegKind:
    """Which leg a protective intent is."""
    if intent.oco_stop_price is not None:
        return LegKind.OCO
    if intent.order_type is OrderType.TRAILING_STOP:
        return LegKind.TRAIL
    return LegKind.TARGET if intent.purpose is Purpose.TARGET else LegKind.STOP


def covered(legs: Sequence[Leg]) -> Decimal:
    """How much of a position the stops that rest at the venue cover."""
    return sum((leg.quantity for leg in legs if leg.kind in GUARDS and leg.state is LegState.RESTING), ZERO)
