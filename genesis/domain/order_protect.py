"""Protecting: around every lot of a position whose entry named levels rests a stop at the venue, once, of its size.

The levels become known with the entry's first fill, in the same commit as that fill, so no crash lies between a
position and the memory that it needs a stop. From then on `take` compares what is held with what rests, each time
anything was heard, and asks the bracket for the next step.

An order that sells what a stop holds back waits here until the stop has let go of the coins: the stop is cancelled
first, and comes back when the sale does not happen. Should the stop fill in between, there is nothing left to sell, and
the sale is withdrawn.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

import msgspec

from genesis.domain.bracket import (
    Leg,
    LegKind,
    LegState,
    Levels,
    Place,
    Replace,
    Resize,
    Step,
    TakeOut,
    followed,
    kind_of,
    leg_intent,
    levels_of,
    next_steps,
    wanted_legs,
)
from genesis.domain.order_holdings import OrderHoldings
from genesis.domain.order_lots import REST, Lot, Sale, Shares, shares_of, stop_sizes
from genesis.domain.order_outputs import Outputs
from genesis.domain.order_rows import BracketRow, FillRow, OrderRow
from genesis.domain.order_selftrade import met_by
from genesis.domain.order_state import OrderEvent
from genesis.domain.order_wire import side_of
from protocols.orders import (
    CUT,
    LARGEST_BATCH,
    Approved,
    OrderIntent,
    OrderState,
    OrderType,
    Protect,
    Purpose,
    UpdateIntent,
)
from protocols.units import AMOUNT_STEP, ZERO, Side, Symbol, floor_amount, round_price

FIRST_PAUSE_S: Final = 0.25
"""A stop that was refused is tried again after this, then after twice as long, and so on."""
LONGEST_PAUSE_S: Final = 30.0
REFUSED: Final = "update refused"

URGENT_S: Final = 2.0
"""After so long without an answer an order that a position hangs on is in doubt, and after as long again without one
of REST a new session is asked for."""

FOLLOW_S: Final = 0.5
"""How often a stop that we move is compared with the market."""

Book = tuple[Symbol, bool]
"""A symbol and whether it is held on margin."""

E, S = OrderEvent, OrderState


class OrderProtector(OrderHoldings):
    """Brackets by (symbol, wallet, lot), and the orders that wait for them."""

    _in_place_of: OrderRow | None = None
    """The leg whose place the one that is being placed takes."""

    def take(self) -> Outputs:
        """What is to be done, protection included. See `OrderLedger.take`."""
        for row in list(self._open.values()):
            if row.held_back and row.state is S.INTENT and row.session == 0 and not self._pauses(row):
                self._send(row)
        if self._stands_in:
            self._guess_lots()
        if self.brackets and (self.fence.ready or self._stands_in):
            for book in {bracket.book: None for bracket in self.brackets.values()}:
                self._advance_book(book)
        return super().take()

    # --- what sets the levels ---------------------------------------------------------------------------------------

    def _brackets_of(self, book: Book) -> list[BracketRow]:
        """Oldest first."""
        return [bracket for bracket in self.brackets.values() if bracket.book == book]

    def _lots_of(self, book: Book) -> list[BracketRow]:
        return [bracket for bracket in self._brackets_of(book) if bracket.lot != REST]

    def _guard(self, book: Book) -> BracketRow | None:
        """The bracket of what no other bracket covers."""
        return next((bracket for bracket in self._brackets_of(book) if bracket.lot == REST), None)

    def _shares(self, book: Book) -> Shares:
        lots = [Lot(bracket.lot, bracket.strategy, bracket.quantity or ZERO) for bracket in self._lots_of(book)]
        return shares_of(self.fills.held.get(book, ZERO), lots)

    def _shares_now(self, book: Book) -> Shares:
        """The same of what is certainly held now, with what entries in doubt have bought."""
        lots = [
            Lot(bracket.lot, bracket.strategy, (bracket.quantity or ZERO) + bracket.guess)
            for bracket in self._lots_of(book)
        ]
        holding = self._holding(book)
        return shares_of(holding, self._less_the_unheard(book, holding, lots) if self._stands_in else lots)

    def _less_the_unheard(self, book: Book, holding: Decimal, lots: list[Lot]) -> Sequence[Lot]:
        """The lots without what their own orders have sold unheard: all of it where the venue's amount is what comes of
        every missing order done, else as much as the lots say more than is held."""
        left, all_done = Shares(tuple(lots), ZERO), self._all_done(book, holding)
        # A leg's lot is known; an exit may be any of its strategy's.
        for row in sorted(self._open.values(), key=lambda row: not row.protects):
            if (row.intent.symbol, row.intent.margin) != book or row.intent.side.sign * holding >= 0:
                continue
            sold = self._unaccounted(row)
            if not all_done:
                sold = min(sold, left.total - abs(holding))
            if sold > ZERO:
                lot = row.lot if row.protects else None
                left = left.after(Sale(strategy=row.intent.strategy, quantity=sold, lot=lot))
        return left.lots

    def _guess_lots(self) -> None:
        """What the venue holds for us beyond our trades was bought by entries in doubt: their levels hold for it.

        No more than they can have bought, and nothing of what is held without any levels: that was there before.
        """
        entries = [row for row in self._open.values() if row.intent.bracket is not None]
        for row in entries:
            book = (row.intent.symbol, row.intent.margin)
            holding, key = self._holding(book), self._lot_key(row)
            if holding * row.intent.side.sign <= 0:
                continue
            bought = sum((self._unaccounted(each) for each in entries if self._lot_key(each) == key), ZERO)
            guessed = self.brackets[key].guess if key in self.brackets else ZERO
            without = self._shares(book).rest if self.fills.held.get(book, ZERO) * holding > 0 else ZERO
            quantity = min(bought - guessed, self._shares_now(book).rest - without)
            price = row.price if self.touch is None or row.price else self.touch(row.intent.symbol, row.intent.side)
            if quantity > ZERO and price is not None:
                self._guess_lot(row, quantity, price)

    def _guess_lot(self, row: OrderRow, quantity: Decimal, price: Decimal) -> None:
        before = self.brackets.get(self._lot_key(row))
        if before is None:
            self._add_to_lot(row, ZERO, price, self.fence.venue_ms or self._wall_ms)
        bracket = self.brackets[self._lot_key(row)]
        bracket.assumed = bracket.assumed or before is None
        bracket.guess += quantity
        self._dirty[bracket.key] = bracket

    def _tell(self, fill: FillRow, row: OrderRow | None) -> None:
        if row is None:
            super()._tell(fill, row)
            return
        book = (row.intent.symbol, row.intent.margin)
        before = self.fills.held.get(book, ZERO)
        shares = self._shares(book)
        super()._tell(fill, row)
        after = self.fills.held.get(book, ZERO)
        closed = min(abs(before), abs(after - before)) if before * (after - before) < 0 else ZERO
        opened = abs(after - before) - closed
        if closed:
            shares = self._reduce(book, shares, row, closed)
        for bracket in self._brackets_of(book):
            # Everything about a lot is decided in the time of the newest trade around it.
            bracket.decided_ms = max(bracket.decided_ms, fill.trade.time_ms)
            self._dirty[bracket.key] = bracket
        if opened and (row.protects or row.intent.reduce_only):
            self._give_back(book, opened, after)
        if row.protects:
            protected = self.brackets.get(_bracket_key(book, row.lot))
            if protected is not None:
                self._stop_entry(protected)
        elif row.intent.bracket is not None and opened and after * row.intent.side.sign > 0:
            self._add_to_lot(row, opened, fill.trade.price, fill.trade.time_ms)

    def _reduce(self, book: Book, shares: Shares, row: OrderRow, quantity: Decimal) -> Shares:
        """Something was sold: take it from the lots, and from exits that wait to sell the same."""
        lot = row.lot if row.protects else None
        left = shares.after(Sale(strategy=row.intent.strategy, quantity=quantity, lot=lot))
        for lot_left in left.lots:
            self.brackets[_bracket_key(book, lot_left.name)].quantity = lot_left.quantity
        if row.protects:
            for waiting in list(self._open.values()):
                intent = waiting.intent
                if intent.purpose is Purpose.EXIT and waiting.held_back and (intent.symbol, intent.margin) == book:
                    self._shrink_exit(waiting, _owned(shares, intent.strategy), _owned(left, intent.strategy))
        return left

    def _shrink_exit(self, row: OrderRow, owned_before: Decimal, owned: Decimal) -> None:
        """The stop of what this exit wants to sell was faster: it sells what is left, and not what is another's."""
        if row.state is not S.INTENT or row.session or owned == owned_before:
            return
        quantity = floor_amount(min(row.quantity, owned + max(row.quantity - owned_before, ZERO)))
        if quantity == ZERO:
            self._end(row, E.WITHDRAWN, "not sent: its position was closed by its bracket")
        else:
            self._resize_intent(row, quantity)

    def _resize_intent(self, row: OrderRow, quantity: Decimal) -> None:
        if quantity != row.quantity:
            row.intent = msgspec.structs.replace(row.intent, quantity=quantity)
            row.quantity = quantity
            self._changed(row)

    def _add_to_lot(self, row: OrderRow, opened: Decimal, price: Decimal, at_ms: int) -> None:
        """A lot was opened, or added to: from now on the newest entry's levels hold for all of it."""
        intent = row.intent
        assert intent.bracket is not None
        lot, key = _lot_of(intent), self._lot_key(row)
        bracket = self.brackets.get(key)
        if bracket is None:
            bracket = self.brackets[key] = BracketRow(
                symbol=intent.symbol,
                margin=intent.margin,
                levels=levels_of(intent.bracket, side=intent.side, price=price),
                entry_id=intent.intent_id,
                strategy=intent.strategy,
                correlation_id=intent.correlation_id,
                decided_ms=at_ms,
                lot=lot,
                since=self.last_cid,
                quantity=ZERO,
            )
        elif bracket.entry_id != intent.intent_id or bracket.assumed:
            bracket.levels = levels_of(intent.bracket, side=intent.side, price=price)
            bracket.entry_id, bracket.correlation_id = intent.intent_id, intent.correlation_id
            bracket.assumed = False
        bracket.quantity = (bracket.quantity or ZERO) + opened
        self._dirty[key] = bracket

    def _lot_key(self, row: OrderRow) -> str:
        return _bracket_key((row.intent.symbol, row.intent.margin), _lot_of(row.intent))

    def _give_back(self, book: Book, opened: Decimal, held: Decimal) -> None:
        """What only closes seems to have opened: its trade was told after that of an entry the other way, which was
        taken for a close. What that entry really opened belongs to its lot."""
        for bracket in reversed(self._brackets_of(book)):
            cid = self._by_intent.get(bracket.entry_id)
            if bracket.quantity is not None and cid is not None and self.orders[cid].intent.side.sign * held > 0:
                bracket.quantity += opened
                self._dirty[bracket.key] = bracket
                return

    def _stop_entry(self, bracket: BracketRow) -> None:
        """A leg trades: what still rests of the entry would only open the position again."""
        cid = self._by_intent.get(bracket.entry_id)
        if cid is not None and self.orders[cid].open:
            self._want_cancel(self.orders[cid], "its position is being closed by its bracket")

    def _update(self, row: OrderRow, wish: UpdateIntent) -> None:
        """A person moves a leg: the level moves, and the leg follows it."""
        bracket = self.brackets.get(_bracket_key((row.intent.symbol, row.intent.margin), row.lot))
        if not row.protects or bracket is None:
            super()._update(row, wish)
            return
        kind, levels = kind_of(row.intent), bracket.levels
        stop, target = (wish.price, None) if kind is LegKind.STOP else (None, wish.price)
        stop = stop if wish.stop_price is None else wish.stop_price
        if stop is not None and kind in (LegKind.STOP, LegKind.OCO):
            levels = msgspec.structs.replace(levels, stop=round_price(stop))
        if target is not None and kind in (LegKind.TARGET, LegKind.OCO):
            levels = msgspec.structs.replace(levels, target=round_price(target))
        if levels == bracket.levels:
            return
        if not levels.in_order(Side.BUY if row.intent.side is Side.SELL else Side.SELL):
            text = (
                f"{bracket.symbol}: stop {levels.stop} and target {levels.target} cannot be one order; nothing is moved"
            )
            self._out.alarms.append(("level_refused", text))
            return
        bracket.levels = levels
        self._dirty[bracket.key] = bracket

    def _protect_again(self, wish: Protect) -> None:
        book = (wish.symbol, wish.margin)
        shares = self._shares(book)
        if self._guard(book) is None and wish.stop_price is not None:
            pair = self.pairs.get(wish.symbol)
            if stop_sizes(shares, pair, guarded=True).get(REST, ZERO):
                guard = BracketRow(
                    symbol=wish.symbol,
                    margin=wish.margin,
                    levels=Levels(stop=round_price(wish.stop_price)),
                    entry_id="",
                    strategy="protection",
                    correlation_id=wish.correlation_id,
                    decided_ms=self.fence.venue_ms or self._wall_ms,
                    since=self.last_cid,
                )
                self.brackets[guard.key] = guard
        brackets = self._brackets_of(book)
        if not brackets:
            return
        for bracket in brackets:
            if not bracket.levels.guards and wish.stop_price is not None:
                bracket.levels = msgspec.structs.replace(bracket.levels, stop=round_price(wish.stop_price))
            bracket.pause_at = bracket.lag_at = None
            bracket.tries = 0
            self._dirty[bracket.key] = bracket
        self._want_history()
        doubted = [
            row
            for row in self._legs(book)
            if row.state is S.UNKNOWN and not row.is_lost and row.evidence_session == self.fence.session
        ]
        if doubted and self.fence.wants_reconnect(self._now):
            # Only a new session's snapshot can say whether it rests.
            self._fence_changed = True
            self._out.reconnect = f"nobody knows whether stop order {doubted[0].cid} rests"

    # --- what is there, and what should be --------------------------------------------------------------------------

    def _legs(self, book: Book, lot: str | None = None) -> list[OrderRow]:
        """Open protective orders of a position, or of one lot of it."""
        return [
            row
            for row in self._open.values()
            if row.protects and (row.intent.symbol, row.intent.margin) == book and lot in (None, row.lot)
        ]

    def _reducing(self, book: Book, *, by: OrderRow | None = None) -> list[OrderRow]:
        """Open orders that sell from the exchange wallet what is held."""
        return [
            row
            for row in self._open.values()
            if not row.protects
            and not self._is_lost(row)
            and row.intent.side is Side.SELL
            and (row.intent.symbol, row.intent.margin) == book
            and self._has_arrived(row)
            and (row is by or not self._will_swap(row, book))
        ]

    def _has_arrived(self, row: OrderRow) -> bool:
        """False while all stops whose places it takes are there: its own frame has not arrived. The first that is
        canceled says that it has, for all of them."""
        taken = [self.orders[cid] for cid in row.swaps if cid in self.orders]
        return not any(leg.open for leg in taken) or any(leg.state is S.CANCELED for leg in taken)

    def _will_swap(self, row: OrderRow, book: Book) -> bool:
        """It is to be tried again in one frame with the cancel of the stop, which stays until then."""
        pauses = row.session == 0 and self._pauses(row)
        return pauses and bool(self._legs(book)) and self._one_of_both(book)

    def _is_lost(self, row: OrderRow) -> bool:
        """In doubt, and this session's snapshot does not show it: without history that is all that is known of it."""
        unseen = row.evidence_session < self.fence.session and (row.session > 0 or row.state is not S.INTENT)
        return row.is_lost or (self._stands_in and unseen)

    def _to_protect(self, book: Book, *, by: OrderRow | None = None) -> Mapping[str, Decimal]:
        """How much the stops of each lot should cover now: what is held, without what is being sold by somebody, `by`
        this order for certain."""
        symbol, margin = book
        if self._flattening(book):
            return {}
        shares = self._shares_now(book)
        if not margin:
            for row in self._reducing(book, by=by):
                shares = shares.after(Sale(strategy=row.intent.strategy, quantity=row.leaves))
        return stop_sizes(shares, self.pairs.get(symbol), guarded=self._guard(book) is not None)

    def _leg(self, row: OrderRow, side: Side) -> Leg:
        intent, kind = row.intent, kind_of(row.intent)
        levels = {
            LegKind.STOP: Levels(stop=row.price),
            LegKind.TRAIL: Levels(trail=intent.trailing_distance),
            LegKind.TARGET: Levels(target=row.price),
            LegKind.OCO: Levels(stop=intent.oco_stop_price, target=row.price),
        }[kind]
        if self._is_lost(row):
            state = LegState.LOST
        elif row.cancel_reason is not None or row.closing is not None or row.swapped:
            state = LegState.LEAVING
        elif row.state not in (S.ACKED, S.PARTIAL):
            state = LegState.MOVING
        elif row.stop_gone or intent.side is not side:
            state = LegState.BROKEN
        else:
            state = LegState.RESTING
        return Leg(cid=row.cid, kind=kind, state=state, quantity=row.leaves, levels=levels)

    def _trades_are_late(self, bracket: BracketRow) -> bool:
        """The venue told of more trades than it has shown: their sizes come with the next frames, so wait for those.

        Never longer than any answer may take: then the stop is made of what is known.
        """
        late = not self._stands_in and any(
            row.filled < row.executed and not row.protects
            for row in self._open.values()
            if (row.intent.symbol, row.intent.margin) == bracket.book
        )
        if not late:
            bracket.lag_at = None
            return False
        if bracket.lag_at is None:
            bracket.lag_at = self._now
        return self._now < bracket.lag_at + self.settings.doubt_after_s

    # --- the steps --------------------------------------------------------------------------------------------------

    def _advance_book(self, book: Book) -> None:
        sizes = self._to_protect(book)
        rows: dict[str, list[OrderRow]] = {}
        for row in self._legs(book):
            rows.setdefault(row.lot, []).append(row)
        for bracket in self._brackets_of(book):
            self._advance_bracket(bracket, sizes.get(bracket.lot, ZERO), rows.get(bracket.lot, []))

    def _advance_bracket(self, bracket: BracketRow, quantity: Decimal, rows: Sequence[OrderRow]) -> None:
        book = bracket.book
        held = self._holding(book)
        side = side_of(-held) if held else Side.SELL
        legs = [self._leg(row, side) for row in rows]
        if any(leg.state is LegState.RESTING for leg in legs):
            bracket.tries, bracket.pause_at = 0, None
        if not self._trades_are_late(bracket):
            self._follow(bracket, side)
            wanted = wanted_legs(bracket.levels, quantity, margin=bracket.margin, pair=self.pairs.get(bracket.symbol))
            steps = next_steps(wanted, legs, margin=bracket.margin)
            if self._stands_in:
                # What rests is left as it is until history has told what traded.
                steps = tuple(step for step in steps if isinstance(step, Place))
            if any(isinstance(step, Place) for step in steps) and not self._may_place(bracket):
                steps = tuple(step for step in steps if not isinstance(step, Place))
            for step in steps:
                self._take_step(bracket, step, side)
        if self._stands_in:
            return
        left = self._shares(book).rest if bracket.quantity is None else bracket.quantity
        if floor_amount(min(left, abs(held))) == ZERO and not self._entry_is_open(bracket):
            if not self._legs(book, bracket.lot):
                del self.brackets[bracket.key]
                self._dirty[bracket.key] = None

    def _take_step(self, bracket: BracketRow, step: Step, side: Side) -> None:
        match step:
            case Place():
                self._place(bracket, step, side)
            case Replace():
                self._replace(bracket, self.orders[step.cid], step.place, step.reason, side)
            case Resize():
                row = self.orders[step.cid]
                if row.reason.startswith(REFUSED):
                    # It cannot be changed in place.
                    self._replace(bracket, row, step.place, "the venue refused to change it", side)
                else:
                    self._ask_update(row, step.price, step.quantity, "the position changed")
            case TakeOut():
                self._want_cancel(self.orders[step.cid], step.reason)

    def _follow(self, bracket: BracketRow, side: Side) -> None:
        """Draw a stop that we move after the market; `side` is the one that closes the lot."""
        bracket.look_at = None
        if bracket.levels.follow is None or self.touch is None:
            return
        bracket.look_at = self._now + FOLLOW_S
        position = Side.BUY if side is Side.SELL else Side.SELL
        best = self.touch(bracket.symbol, position)
        levels = bracket.levels if best is None else followed(bracket.levels, side=position, best=best)
        if levels != bracket.levels:
            bracket.levels = levels
            self._dirty[bracket.key] = bracket

    def _pauses(self, row: OrderRow) -> bool:
        """The line has just said that nothing of it left: asked again in the same turn it would say so without end."""
        return row.attempt > 0 and row.check_at is not None and self._now < row.check_at

    def _entry_is_open(self, bracket: BracketRow) -> bool:
        cid = self._by_intent.get(bracket.entry_id)
        return cid is not None and self.orders[cid].open

    def _may_place(self, bracket: BracketRow) -> bool:
        """False during the pause after a leg that did not come to rest; begins the next pause otherwise."""
        if bracket.pause_at is not None and self._now < bracket.pause_at:
            return False
        self._report_replacement(bracket)
        bracket.pause_at = self._now + min(FIRST_PAUSE_S * float(2 ** min(bracket.tries, 10)), LONGEST_PAUSE_S)
        bracket.tries += 1
        return True

    def _replace(self, bracket: BracketRow, row: OrderRow, place: Place, reason: str, side: Side) -> None:
        """In one frame, unless both could trade: then the next look places the new one when the old has let go."""
        if self._pauses(row):
            return
        if not (self._may_swap(row) and (bracket.margin or self._one_of_both(bracket.book))):
            self._want_cancel(row, reason)
        elif self._may_place(bracket):
            self._in_place_of = row
            self._place(bracket, place, side)
            self._in_place_of = None

    def _one_of_both(self, book: Book) -> bool:
        """True when the venue takes at most one of two orders that sell the same coins: no others are there to sell."""
        spare = self._spare_coins(book)
        pair = self.pairs.get(book[0])
        return spare is not None and spare < max(ZERO if pair is None else pair.minimum, AMOUNT_STEP)

    def _place(self, bracket: BracketRow, place: Place, side: Side) -> None:
        wallet = "margin" if bracket.margin else "exchange"
        intent = leg_intent(
            place,
            # With the client id it will have: a name that was never used before.
            intent_id=f"protect:{bracket.symbol}:{wallet}:{self.last_cid + 1}",
            strategy=bracket.strategy,
            symbol=bracket.symbol,
            side=side,
            margin=bracket.margin,
            decided_ms=bracket.decided_ms,
            correlation_id=bracket.correlation_id,
        )
        self._admit(Approved(intent=intent, settings_version=0))
        self.orders[self.last_cid].lot = bracket.lot
        bracket.last_cid = self.last_cid
        self._dirty[bracket.key] = bracket

    def _report_replacement(self, bracket: BracketRow) -> None:
        """A leg that is gone without our wish and without a trade: somebody should know that it was placed anew."""
        last = self.orders.get(bracket.last_cid)
        if last is None or last.cancel_reason is not None or last.state is S.FILLED:
            return
        if last.open and not last.is_lost:
            return
        word = "in doubt and not shown" if last.open else last.state.value
        text = f"{bracket.symbol}: protective order {last.cid} is {word} ({last.reason}); another one is placed"
        self._out.alarms.append(("protection_replaced", text))

    # --- who waits for coins ----------------------------------------------------------------------------------------

    def _send(self, row: OrderRow) -> bool:
        if not self._keeps_to_its_own(row):
            return True
        wanted = row.cancel_reason is None and (not row.opens_risk or self._refusal(row) is None)
        if wanted and (self._clears_its_way(row) or (self._waits(row) and not self._takes_places(row))):
            if not row.held_back:
                row.held_back = True
                self._touch(row)
            return False
        if row.held_back and row.intent.purpose is Purpose.EXIT and not self._fit_to_what_is_held(row):
            return True
        if row.protects and self._in_place_of is not None:
            self._swap(row, [self._in_place_of])
        return super()._send(row)

    def _urgent(self, row: OrderRow) -> bool:
        """Legs, and what sells coins whose stop is gone for it."""
        return row.protects or (row.intent.purpose in CUT and not row.intent.margin)

    def _answer_within(self, row: OrderRow) -> float:
        patience = super()._answer_within(row)
        return min(patience, URGENT_S) if self._urgent(row) else patience

    def _doubted_for(self, row: OrderRow) -> float:
        patience = super()._doubted_for(row)
        return min(patience, URGENT_S) if self._urgent(row) else patience

    def _may_leave(self, row: OrderRow) -> bool:
        return super()._may_leave(row) or (row.protects and self._stands_in)

    def _takes_places(self, row: OrderRow) -> bool:
        """Sell in one frame with the cancel of the stops that hold the coins: both arrive, or the stops go on resting.

        Only where nothing but those coins could be sold, should a stop trade while the frame is on its way: a crash
        that triggers it may fill what somebody else lets rest below it at the same moment.
        """
        book = (row.intent.symbol, row.intent.margin)
        if row.intent.order_type is not OrderType.MARKET or not self._one_of_both(book):
            return False
        if self._others_buy(book, row.intent.strategy):
            return False
        sizes = self._to_protect(book, by=row)
        leaving = [leg for leg in self._legs(book) if not leg.is_lost and not sizes.get(leg.lot, ZERO)]
        staying = [leg for leg in self._legs(book) if not leg.is_lost and sizes.get(leg.lot, ZERO)]
        if not 0 < len(leaving) < LARGEST_BATCH or not all(map(self._may_swap, leaving)):
            return False
        if any(sum(leg.leaves for leg in staying if leg.lot == lot) > size for lot, size in sizes.items()):
            return False
        taken = [leg.leaves for leg in staying]
        taken += [other.leaves for other in self._reducing(book) if other is not row and other.session > 0]
        if sum(taken, ZERO) + row.quantity > self.fills.held.get(book, ZERO):
            return False
        self._swap(row, leaving)
        return True

    def _clears_its_way(self, row: OrderRow) -> bool:
        """True while an opening order of ours, which this closing one would trade with, is being taken back."""
        gives_up_at = row.since_at + self.settings.doubt_after_s
        if row.opens_risk or row.protects or self._now >= gives_up_at or not self.fence.ready:
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
        """True while protective orders hold back the coins that this order sells, or could still sell them first."""
        intent = row.intent
        book = (intent.symbol, intent.margin)
        if intent.margin or row.protects or intent.side is not Side.SELL or not self._brackets_of(book):
            return False
        resting = [leg.leaves for leg in self._legs(book) if not leg.is_lost]
        if not resting or self._flattening(book):
            return False
        if self._is_own_stop_in_the_way(row, book):
            return True
        others = [other.leaves for other in self._reducing(book) if other is not row and other.session > 0]
        return sum(resting, ZERO) + sum(others, ZERO) + row.quantity > self.fills.held.get(book, ZERO)

    def _is_own_stop_in_the_way(self, row: OrderRow, book: Book) -> bool:
        """Whether a stop of the seller's own lots covers more than this sale leaves: it may trade at any moment, and
        then both would sell, the second time what somebody else holds."""
        sizes = self._to_protect(book)
        for bracket in self._brackets_of(book):
            if bracket.strategy == row.intent.strategy:
                covered_now = [leg.leaves for leg in self._legs(book, bracket.lot) if not leg.is_lost]
                if sum(covered_now, ZERO) > sizes.get(bracket.lot, ZERO):
                    return True
        return False

    def _keeps_to_its_own(self, row: OrderRow) -> bool:
        """An exit sells no more than its strategy's lots and what is nobody's lot, and nothing that an earlier exit is
        selling, in doubt or not; False when that leaves nothing.

        Risk may have approved it while the strategy's stop was filled, or when the first of several orders that an exit
        was cut into had ended. The wallet would often have the coins: other lots, or what a person keeps there.
        """
        intent = row.intent
        if intent.purpose is not Purpose.EXIT or intent.margin or intent.side is not Side.SELL:
            return True
        if row.cancel_reason is not None:
            return True
        book = (intent.symbol, intent.margin)
        shares = self._shares(book)
        owned = _owned(shares, intent.strategy) + shares.rest if self.fills.held.get(book, ZERO) > 0 else ZERO
        earlier = [
            other.leaves
            for other in self._open.values()
            if other.cid < row.cid
            and other.intent.purpose is Purpose.EXIT
            and other.intent.strategy == intent.strategy
            and (other.intent.symbol, other.intent.margin) == book
        ]
        quantity = floor_amount(max(owned - sum(earlier, ZERO), ZERO))
        if quantity == ZERO:
            self._end(row, E.WITHDRAWN, "not sent: nothing is left of its position")
            return False
        self._resize_intent(row, min(quantity, row.quantity))
        return True

    def _fit_to_what_is_held(self, row: OrderRow) -> bool:
        """An exit that waited sells no more than what its stop left over; False when that is nothing."""
        held = floor_amount(max(self.fills.held.get((row.intent.symbol, row.intent.margin), ZERO), ZERO))
        if held == ZERO:
            self._end(row, E.WITHDRAWN, "not sent: its position was closed by its bracket")
            return False
        self._resize_intent(row, min(held, row.quantity))
        return True

    @property
    def follows(self) -> bool:
        """True while a stop is, or may soon be, drawn after the market by us."""
        return any(bracket.levels.follow is not None for bracket in self.brackets.values())

    # --- for others -------------------------------------------------------------------------------------------------

    def _bracket_deadlines(self) -> list[float]:
        deadlines = [bracket.pause_at for bracket in self.brackets.values() if bracket.pause_at is not None]
        deadlines += [bracket.look_at for bracket in self.brackets.values() if bracket.look_at is not None]
        patience = self.settings.doubt_after_s
        deadlines += [bracket.lag_at + patience for bracket in self.brackets.values() if bracket.lag_at is not None]
        return [deadline for deadline in deadlines if deadline > self._now] + self._stand_in_deadline()


def _bracket_key(book: Book, lot: str) -> str:
    return f"bracket:{book[0]}:{'margin' if book[1] else 'exchange'}:{lot}"


def _lot_of(intent: OrderIntent) -> str:
    """The lot that an entry opens, or adds to."""
    return intent.strategy if intent.purpose is Purpose.ENTRY else intent.intent_id


def _owned(shares: Shares, strategy: str) -> Decimal:
    return sum((lot.quantity for lot in shares.lots if lot.strategy == strategy), ZERO)
