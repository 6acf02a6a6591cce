"""Who waits for coins: an order that sells what a stop holds back waits here until the stop has let go of them.

The stop is cancelled first, and comes back when the sale does not happen. Should the stop fill in between, there is
nothing left to sell, and the sale is withdrawn.

What somebody's resting order holds back, a person's or another client's, no cancel of ours sets free. An exit sells
what is left beside it, and when that is too little it is refused here, before any stop is touched: the venue would
refuse it, too, and the position would have been bare for nothing. Risk owes the exit again at the next candle.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from genesis.domain.order_brackets import owned_by
from genesis.domain.order_flatten import closes
from genesis.domain.order_holdings import Book
from genesis.domain.order_lots import Sale, Shares
from genesis.domain.order_protect import OrderProtector
from genesis.domain.order_rows import OrderRow
from genesis.domain.order_selftrade import met_by
from genesis.domain.order_state import OrderEvent
from protocols.orders import LARGEST_BATCH, OrderState, OrderType, Purpose
from protocols.units import AMOUNT_STEP, ZERO, Side, amount_blur, base_currency, floor_amount, plain

E, S = OrderEvent, OrderState


class OrderExits(OrderProtector):
    """Orders that wait for what stops hold back."""

    def _send(self, row: OrderRow) -> bool:
        refusal = self._refusal(row)
        if row.opens_risk and row.intent.side is Side.BUY:
            # It needs nobody's coins and clears nobody's way, as most that open something.
            return self._leave_now(row, refusal)
        if self._foreseen and (places := self._foreseen_places(row)) is not None:
            if places:
                self._swap(row, places)
            return self._leave_now(row, None)
        if not self._keeps_to_its_own(row):
            return True
        wanted = row.cancel_reason is None and refusal is None
        if wanted and (self._clears_its_way(row) or self._waits(row)):
            if not row.held_back:
                row.held_back = True
                self._touch(row)
            return False
        if row.held_back and row.intent.purpose is Purpose.EXIT and not self._fit_to_what_is_held(row):
            return True
        if row.intent.purpose is Purpose.FLATTEN and self._may_leave(row) and not self._fit_to_what_is_left(row):
            return True
        if row.protects and self._in_place_of is not None:
            self._swap(row, [self._in_place_of])
        return self._leave_now(row, refusal)

    def _foreseen_places(self, row: OrderRow) -> Sequence[OrderRow] | None:
        """The stops whose places it takes, where nothing else has to be asked of it."""
        return None

    def _places_for(self, row: OrderRow, legs: Sequence[OrderRow], sizes: Mapping[str, Decimal]) -> list[OrderRow]:
        """The stops that hold the coins, if their cancel and the sale can be one frame: both arrive, or the stops go on
        resting. None of them if not.

        Only where nothing but those coins could be sold, should a stop trade while the frame is on its way: a crash
        that triggers it may fill what somebody else lets rest below it at the same moment. `legs` are the stops that
        are there, `sizes` what those of each lot should cover beside this sale.
        """
        book = (row.intent.symbol, row.intent.margin)
        if row.intent.order_type is not OrderType.MARKET or not self._one_of_both(book):
            return []
        if self._others_buy(book, row.intent.strategy):
            return []
        leaving = [leg for leg in legs if not sizes.get(leg.lot, ZERO)]
        staying = [leg for leg in legs if sizes.get(leg.lot, ZERO)]
        if not 0 < len(leaving) < LARGEST_BATCH or not all(map(self._may_swap, leaving)):
            return []
        if staying and any(sum(leg.leaves for leg in staying if leg.lot == lot) > size for lot, size in sizes.items()):
            return []
        taken = [leg.leaves for leg in staying]
        taken += [other.leaves for other in self._reducing(book) if other is not row and other.session > 0]
        # What one of them has sold by the venue's word is not there any more, though no trade says so yet: the venue
        # would refuse the sale, and its cancel would have left the rest bare.
        taken += [leg.unbooked for leg in leaving]
        if sum(taken, ZERO) + row.quantity > self.fills.held.get(book, ZERO):
            return []
        return leaving

    def _clears_its_way(self, row: OrderRow) -> bool:
        """True while an opening order of ours, which this closing one would trade with, is being taken back."""
        # As long as no session could carry a cancel the order itself did not leave either.
        gives_up_at = max(row.since_at, self.fence.compared_at) + self.settings.doubt_after_s
        if row.opens_risk or row.protects or self._now >= gives_up_at or not self.fence.guards:
            # To be out of a position late is worse than two fees.
            return False
        other = met_by(row, [each for each in self._open.values() if each.opens_risk], self._worst)
        if other is None:
            return False
        self._want_cancel(other, f"order {row.cid} would trade with it")
        if not other.open:
            return False
        if row.check_at is None or row.check_at > gives_up_at:
            row.check_at = gives_up_at
        return True

    def _waits(self, row: OrderRow) -> bool:
        """True while protective orders hold back the coins that this order sells, or could still sell them first. Those
        whose places it can take do not hinder it: its frame cancels them."""
        places = self._places_needed(row)
        if places:
            self._swap(row, places)
        return places is None

    def _places_needed(self, row: OrderRow) -> list[OrderRow] | None:
        """The stops whose places this order must take to leave now; None when it must wait for some, and cannot."""
        intent = row.intent
        book = (intent.symbol, intent.margin)
        if intent.margin or row.protects or intent.side is not Side.SELL:
            return []
        legs = [leg for leg in self._legs(book) if not leg.is_lost]
        if not legs:
            return []
        if self._flattening(book):
            return None if self._waits_for_stops(row, legs) else []
        brackets = self._brackets_of(book)
        if not brackets:
            return []
        sizes = self._to_protect(book)
        own = [bracket.lot for bracket in brackets if bracket.strategy == intent.strategy]
        if not _is_own_stop_in_the_way(own, legs, sizes):
            others = [other.leaves for other in self._reducing(book) if other is not row and other.session > 0]
            resting = sum([leg.leaves for leg in legs], ZERO) + sum(others, ZERO)
            if resting + row.quantity <= self.fills.held.get(book, ZERO):
                return []
        if self._will_swap(row, book):
            # What it sells was not yet taken from what is to be covered.
            sizes = self._to_protect(book, by=row)
        return self._places_for(row, legs, sizes) or None

    def _waits_for_stops(self, row: OrderRow, legs: Sequence[OrderRow]) -> bool:
        """True while stops that stood in for this close, as long as history was silent, have time to let go."""
        wish = next((flatten for flatten in self.flattens.values() if closes(flatten, row)), None)
        return wish is not None and self._now < self._lets_go_until(wish) and any(leg.session > 0 for leg in legs)

    def _keeps_to_its_own(self, row: OrderRow) -> bool:
        """An exit sells no more than its strategy's lots, what it bought without levels and what is nobody's, and
        nothing that an earlier exit is selling, in doubt or not; False when that leaves nothing.

        Risk may have approved it while the strategy's stop was filled, or when the first of several orders that an exit
        was cut into had ended. The wallet would often have the coins: other lots, or what a person keeps there.
        """
        intent = row.intent
        if intent.purpose is not Purpose.EXIT or intent.margin or intent.side is not Side.SELL:
            return True
        if row.cancel_reason is not None:
            return True
        book = (intent.symbol, intent.margin)
        if self._flattening(book):
            self._end(row, E.WITHDRAWN, f"not sent: {intent.symbol} is being flattened")
            return False
        shares = self._shares(book)
        quantity = self._its_own(row, shares)
        if quantity == ZERO:
            self._end(row, E.WITHDRAWN, "not sent: nothing is left of its position")
            return False
        return self._fit_to_what_is_free(row, min(quantity, row.quantity), shares)

    def _its_own(self, row: OrderRow, shares: Shares) -> Decimal:
        """How much of its book is for this exit to sell."""
        intent = row.intent
        book = (intent.symbol, intent.margin)
        plain = max(shares.rest - self._others_plain(intent.symbol, intent.strategy), ZERO)
        owned = owned_by(shares, intent.strategy) + plain if self.fills.held.get(book, ZERO) > 0 else ZERO
        earlier = [
            other.leaves
            for other in self._open.values()
            if other.cid < row.cid
            and other.intent.purpose is Purpose.EXIT
            and other.intent.strategy == intent.strategy
            and (other.intent.symbol, other.intent.margin) == book
        ]
        return floor_amount(max(owned - sum(earlier, ZERO), ZERO))

    def _fit_to_what_is_free(self, row: OrderRow, wanted: Decimal, shares: Shares) -> bool:
        """Sell of `wanted` what no resting order but its own stops holds back; False when that is nothing."""
        intent = row.intent
        free = self._free_for(row, shares)
        quantity = wanted if free is None else min(wanted, floor_amount(max(free, ZERO)))
        pair = self.pairs.get(intent.symbol)
        smallest = max(ZERO if pair is None else pair.minimum, AMOUNT_STEP)
        name = (intent.symbol, intent.strategy)
        if quantity < wanted and quantity < smallest:
            text = f"{plain(wanted - quantity)} of {plain(wanted)} {base_currency(intent.symbol)} is held back by"
            text = f"{text} orders that are not {intent.strategy}'s"
            self._end(row, E.WITHDRAWN, f"not sent: {text}")
            if name not in self._held_from:
                # Risk owes it again and again. One word is enough, until one of them can leave.
                self._held_from.add(name)
                self._out.alarms.append(("exit_held_back", f"{intent.symbol}: {text}; its stop stays where it is"))
            return False
        self._held_from.discard(name)
        self._resize_intent(row, quantity)
        return True

    def _free_for(self, row: OrderRow, shares: Shares) -> Decimal | None:
        """What this exit could sell once the stops of its own lots have let go: of its strategy's coins, what no sale
        of a person's rests for, and of the wallet, what nobody at all holds back. None: nobody knows. `shares` are
        those of its book."""
        intent = row.intent
        book = (intent.symbol, intent.margin)
        resting = ZERO
        for other in self._open.values():
            sells = other.intent.side is Side.SELL and (other.intent.symbol, other.intent.margin) == book
            if not sells or other.cancel_reason is not None or other.closing is not None or self._is_lost(other):
                continue
            if other is row or (other.state is S.INTENT and other.session == 0):
                continue
            if not other.protects:
                resting += other.leaves
                shares = shares.after(Sale(strategy=other.intent.strategy, quantity=other.leaves))
            elif other.intent.strategy != intent.strategy:
                resting += other.leaves
        plain_coins = max(shares.rest - self._others_plain(intent.symbol, intent.strategy), ZERO)
        owned = owned_by(shares, intent.strategy) + plain_coins
        amount = self._amount(book)
        return owned if amount is None else min(owned, amount - resting - self._held_by_strangers(book))

    def _held_by_strangers(self, book: Book) -> Decimal:
        """What resting sales of other clients hold back of the exchange wallet. The halves of an OCO share their coins,
        and their client id."""
        if not self.foreign:
            return ZERO
        base, held = base_currency(book[0]), dict[int, Decimal]()
        for order in self.foreign.values():
            if order.side is Side.SELL and not order.margin and base_currency(order.symbol) == base:
                left = order.quantity - order.filled_quantity
                held[order.cid] = max(held.get(order.cid, ZERO), left)
        return sum(held.values(), ZERO)

    def _fit_to_what_is_left(self, row: OrderRow) -> bool:
        """A close sells no more than is held when it leaves, and nothing that is being sold already: a stop may have
        traded while it waited, and what else lies in the wallet is a person's. What was sold beyond that it buys back,
        if that is certain. False when that is nothing."""
        book = (row.intent.symbol, row.intent.margin)
        if row.intent.margin or row.cancel_reason is not None:
            return True
        parts = []
        for other in self._open.values():
            if (other.intent.symbol, other.intent.margin) != book:
                continue
            if (other.cid < row.cid and other.intent.purpose is Purpose.FLATTEN) or _is_selling_now(other):
                parts.append(other.leaves)
            elif other.intent.side is Side.SELL:
                # A stop that the venue has just told to have sold, and whose trade is not here yet.
                parts.append(other.unbooked)
        held = self._missing(book) if row.intent.side is Side.BUY else self.fills.held.get(book, ZERO)
        left = floor_amount(max(held - sum(parts, ZERO), ZERO))
        if left == ZERO:
            self._end(row, E.WITHDRAWN, "not sent: nothing is left of its position")
            return False
        self._resize_intent(row, min(left, row.quantity))
        return True

    def _fit_to_what_is_held(self, row: OrderRow) -> bool:
        """An exit that waited sells no more than what its stop left over; False when that is nothing."""
        held = floor_amount(max(self.fills.held.get((row.intent.symbol, row.intent.margin), ZERO), ZERO))
        if held == ZERO:
            self._end(row, E.WITHDRAWN, "not sent: its position was closed by its bracket")
            return False
        self._resize_intent(row, min(held, row.quantity))
        return True


def _is_own_stop_in_the_way(own: Sequence[str], legs: Sequence[OrderRow], sizes: Mapping[str, Decimal]) -> bool:
    """Whether a stop of the seller's `own` lots covers more than this sale leaves: it may trade at any moment, and then
    both would sell, the second time what somebody else holds."""
    for lot in own:
        covered = sum([leg.leaves for leg in legs if leg.lot == lot], ZERO)
        if covered - sizes.get(lot, ZERO) > amount_blur(covered):
            return True
    return False


def _is_selling_now(row: OrderRow) -> bool:
    """A sale at market that has left and is not in doubt: it trades any moment now, or is refused."""
    intent = row.intent
    if intent.side is not Side.SELL or intent.order_type is not OrderType.MARKET or intent.purpose is Purpose.FLATTEN:
        return False
    return row.session > 0 and row.state in (S.INTENT, S.SENT, S.ACKED, S.PARTIAL)
