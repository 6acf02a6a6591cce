"""Lots: which part of a position belongs to whom, so that each part has its own stop and target.

A strategy's entries in a symbol are one lot; every bracket that a person places is one of its own; what nobody gave
levels is the rest. A sale takes from the seller's own lots first, oldest first, then from the rest, then from the
others: the account has one position per symbol and wallet, and what is sold must be somebody's.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

import msgspec

from genesis.domain.pairs import PairSpec
from protocols.units import AMOUNT_STEP, ZERO, floor_amount

REST: Final = ""
"""The name of the lot of all that no bracket covers."""


class Lot(msgspec.Struct, frozen=True):
    """`quantity` is unsigned base currency: what is left of what the lot's entries opened."""

    name: str
    strategy: str
    quantity: Decimal


class Sale(msgspec.Struct, frozen=True, kw_only=True):
    """A reduction of the position by `quantity`, by an order of `strategy`; a leg takes from its own `lot` first."""

    strategy: str
    quantity: Decimal
    lot: str | None = None


class Shares(msgspec.Struct, frozen=True):
    """What is left to each lot (oldest first) and to the rest."""

    lots: tuple[Lot, ...]
    rest: Decimal

    @property
    def total(self) -> Decimal:
        return sum((lot.quantity for lot in self.lots), self.rest)

    def after(self, sale: Sale) -> "Shares":
        """The same when `sale` is done. More than there is takes all there is."""
        if len(self.lots) == 1:
            # So it is nearly always.
            (only,) = self.lots
            is_own = only.name == sale.lot or only.strategy == sale.strategy
            from_rest = min(self.rest, sale.quantity if not is_own else max(sale.quantity - only.quantity, ZERO))
            from_lot = min(only.quantity, sale.quantity if is_own else sale.quantity - from_rest)
            lot = Lot(only.name, only.strategy, only.quantity - from_lot) if from_lot else only
            return Shares((lot,), self.rest - from_rest if from_rest else self.rest)
        left = {lot.name: lot.quantity for lot in self.lots}
        rest, wanted = self.rest, sale.quantity
        own = [lot.name for lot in self.lots if lot.name == sale.lot]
        own += [lot.name for lot in self.lots if lot.strategy == sale.strategy and lot.name != sale.lot]
        others = [lot.name for lot in self.lots if lot.name not in own]
        for name in own:
            taken = min(left[name], wanted)
            left[name], wanted = left[name] - taken, wanted - taken
        taken = min(rest, wanted)
        rest, wanted = rest - taken, wanted - taken
        for name in others:
            taken = min(left[name], wanted)
            left[name], wanted = left[name] - taken, wanted - taken
        return Shares(tuple([Lot(lot.name, lot.strategy, left[lot.name]) for lot in self.lots]), rest)


def shares_of(held: Decimal, lots: Sequence[Lot]) -> Shares:
    """Split what is held among its lots. Lots that say more than is held (fees, a stranger) are cut, newest first."""
    left, kept = abs(held), []
    for lot in lots:
        quantity = min(lot.quantity, left)
        left -= quantity
        kept.append(Lot(lot.name, lot.strategy, quantity))
    return Shares(tuple(kept), left)


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """What a lot may hold while nobody can ask: at least and at most so much, unsigned base currency.

    `reach` is how far its stop is from the market, in prices; None where it has none, so that nothing is ever sold at
    it. `bought` says that an entry of it is in doubt.
    """

    name: str
    least: Decimal
    most: Decimal
    reach: Decimal | None
    bought: bool = False


class Explained(msgspec.Struct, frozen=True):
    """How much each lot is taken to hold, and of how much of that nobody knows whose it is."""

    sizes: Mapping[str, Decimal]
    unclear: Mapping[str, Decimal]


def explained(total: Decimal, claims: Sequence[Claim], *, rest_least: Decimal, rest_most: Decimal) -> Explained:
    """Split what is held among its claims (oldest first) and the rest, which is nobody's lot.

    What surely belongs to a lot is its own. The rest takes what may be its own, since it never asked for a stop. What
    then may be one lot's or another's goes to the one whose stop is farthest from the market: whoever holds those
    coins, nothing of them is sold sooner than at their own stop, and all of them have one.
    """
    sizes: dict[str, Decimal] = {}
    left = total
    for claim in claims:
        sizes[claim.name] = min(claim.least, left)
        left -= sizes[claim.name]
    left -= min(rest_least, left)
    if left <= ZERO:
        return Explained(sizes, {})
    most = sum((claim.most for claim in claims), rest_most)
    for claim in claims:
        sure = min(total - (most - claim.most), claim.most) - sizes[claim.name]
        if sure > ZERO:
            sizes[claim.name] += sure
            left -= sure
    left -= min(rest_most - rest_least, left)
    may_hold = [claim for claim in claims if claim.most > sizes[claim.name]]
    unclear: dict[str, Decimal] = {}
    ages = {claim.name: age for age, claim in enumerate(claims)}
    for claim in sorted(
        may_hold,
        # Of equals, first whoever has just bought.
        key=lambda claim: (claim.reach is not None, -(claim.reach or ZERO), not claim.bought, -ages[claim.name]),
    ):
        part = min(claim.most - sizes[claim.name], left)
        if part > ZERO:
            sizes[claim.name] += part
            left -= part
            if len(may_hold) > 1:
                unclear[claim.name] = part
    return Explained(sizes, unclear)


def stop_sizes(shares: Shares, pair: PairSpec | None, *, guarded: bool) -> Mapping[str, Decimal]:
    """How much the stop of each lot should cover, in amounts that the venue takes.

    What is too small for an order of its own (dust of fees, a nearly closed lot) is covered by the largest lot; all
    together too small is covered by nobody. `guarded` gives the rest a stop, too, under the name REST.
    """
    if not shares.rest and not any([lot.quantity for lot in shares.lots]):
        # All of it is being sold.
        return dict.fromkeys([*[lot.name for lot in shares.lots], *([REST] if guarded else [])], ZERO)
    smallest = max(ZERO if pair is None else pair.minimum, AMOUNT_STEP * (len(shares.lots) + 2))
    if len(shares.lots) == 1 and not shares.rest and not guarded:
        only = floor_amount(shares.lots[0].quantity)
        if only >= smallest:
            return {shares.lots[0].name: only}
    parts = {lot.name: floor_amount(lot.quantity) for lot in shares.lots}
    if guarded or shares.rest < smallest:
        parts[REST] = floor_amount(shares.rest)
        whole = floor_amount(shares.total)
    else:
        whole = floor_amount(shares.total - shares.rest)
    sizes = {name: quantity if quantity >= smallest else ZERO for name, quantity in parts.items()}
    if not guarded:
        sizes.pop(REST, None)
    over = whole - sum(sizes.values(), ZERO)
    if over > ZERO and sizes:
        # Of equals the oldest, so that everybody picks the same.
        home = max(sizes, key=lambda name: sizes[name])
        minimum = ZERO if pair is None else pair.minimum
        if sizes[home] + over >= max(minimum, AMOUNT_STEP):
            sizes[home] = floor_amount(sizes[home] + over)
    return sizes


def cut(quantity: Decimal, pair: PairSpec | None) -> tuple[Decimal, ...]:
    """The fewest orders that the venue takes for `quantity`: none above the pair's maximum, none below its minimum."""
    if pair is None or quantity <= pair.maximum or pair.maximum <= ZERO:
        return (quantity,)
    parts: list[Decimal] = []
    while quantity > pair.maximum:
        parts.append(pair.maximum)
        quantity -= pair.maximum
    if quantity:
        short = max(pair.minimum - quantity, ZERO)
        parts[-1] -= short
        parts.append(quantity + short)
    return tuple(parts)
