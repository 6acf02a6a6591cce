"""Protecting: around every lot of a position whose entry named levels rests a stop at the venue, once, of its size.

`take` compares what is held with what rests, each time anything was heard, and asks the bracket for the next step.
"""

import copy
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

import msgspec

from genesis.domain.bracket import (
    GUARDS,
    Leg,
    LegKind,
    LegState,
    Levels,
    Place,
    Replace,
    Resize,
    Step,
    TakeOut,
    beside,
    covered,
    followed,
    guarded,
    kind_of,
    leg_intent,
    next_steps,
    wanted_legs,
)
from genesis.domain.order_brackets import bracket_key
from genesis.domain.order_guesses import OrderGuesses
from genesis.domain.order_holdings import Book
from genesis.domain.order_lots import REST, Sale, Shares, stop_sizes
from genesis.domain.order_outputs import Outputs
from genesis.domain.order_requests import URGENT_S
from genesis.domain.order_rows import BracketRow, OrderRow
from genesis.domain.order_state import OrderEvent
from genesis.domain.order_wire import side_of
from protocols.orders import (
    CUT,
    Approved,
    OrderState,
    OrderType,
    Protect,
)
from protocols.units import AMOUNT_STEP, ZERO, Side, floor_amount, round_price

FIRST_PAUSE_S: Final = 0.25
"""A stop that was refused is tried again after this, then after twice as long, and so on."""
LONGEST_PAUSE_S: Final = 30.0
NARROW_PAUSE_S: Final = 5.0
"""And over REST no longer than this: what a key for REST may not do, the one for the socket may."""
REFUSED: Final = "update refused"

FOLLOW_S: Final = 0.5
"""How often a stop that we move is compared with the market."""

E, S = OrderEvent, OrderState


class OrderProtector(OrderGuesses):
    """Brackets by (symbol, wallet, lot), and the legs that rest for them."""

    _in_place_of: OrderRow | None = None
    """The leg whose place the one that is being placed takes."""
    _stood_in = 0
    """The session in which stops were last let leave without history."""

    def take(self) -> Outputs:
        """What is to be done, protection included. See `OrderLedger.take`."""
        if self._late:
            self._settle_late()
        for row in list(self._open.values()):
            if row.held_back and row.state is S.INTENT and row.session == 0 and not self._pauses(row):
                self._send(row)
            elif row.wanted is not None:
                self._pursue_update(row)
        self._book_words()
        if self._stands_in:
            self._ask_for_amounts()
            self._let_stops_leave()
            self._let_stops_go()
            self._guess_lots()
        elif self.fence.narrow and self.fence.guards:
            self._let_stops_go()
        if self.brackets and (self.fence.guards or self._stands_in):
            for book in {bracket.book: None for bracket in self.brackets.values()}:
                self._advance_book(book)
        return super().take()

    def _let_stops_leave(self) -> None:
        """What of a stop an older session's line did not take may leave on this one, once nobody waits for history."""
        if self._stood_in == self.fence.session:
            return
        self._stood_in = self.fence.session
        for row in list(self._open.values()):
            if row.protects and _never_left(row):
                self._send(row)

    def _let_stops_go(self) -> None:
        """Ask for cancels that are wanted and could not be asked for then. Of two equal stops that somebody wants
        canceled (a flatten, say) one goes before history speaks; over REST those go that are in the way of a sale."""
        for row in list(self._open.values()):
            # One that the line has just refused to carry would be asked for again in the same turn, without end.
            if row.protects and row.cancel_reason is not None and not self._goes_again(row):
                self._pursue_cancel(row)

    def _goes_again(self, row: OrderRow) -> bool:
        """The line has just refused to carry its cancel, and is asked again in a moment."""
        waits = row.request is None and row.check_at is not None and self._now < row.check_at
        return waits and row.cancel_reason is not None

    def take_ready(self) -> Outputs | None:
        """What is ready to leave, before protection is looked at; `take` must follow. None when nothing is."""
        return super().take() if self._out.commands else None

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
                self.brackets[guard.key] = self._dirty[guard.key] = guard
        brackets = self._brackets_of(book)
        if not brackets:
            return
        for bracket in brackets:
            before = copy.copy(bracket)
            if not bracket.levels.guards and wish.stop_price is not None:
                bracket.levels = msgspec.structs.replace(bracket.levels, stop=round_price(wish.stop_price))
            bracket.pause_at = bracket.lag_at = None
            bracket.tries = 0
            if bracket != before:
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
            self._out.reconnect_session = self.fence.session

    def _reducing(self, book: Book, *, by: OrderRow | None = None) -> list[OrderRow]:
        """Open orders that sell from the exchange wallet what is held."""
        return [
            row
            for row in self._open.values()
            if not row.protects
            and not row.is_over
            and row.intent.side is Side.SELL
            and (row.intent.symbol, row.intent.margin) == book
            and not self._is_lost(row)
            and not (self._only_stops and _never_left(row) and not self._may_leave(row))
            and self._has_arrived(row)
            and (row is by or not self._will_swap(row, book))
        ]

    def _has_arrived(self, row: OrderRow) -> bool:
        """False while all stops whose places it takes are there: its own frame has not arrived. The first that is
        canceled says that it has, for all of them."""
        if not row.swaps:
            return True
        taken = [self.orders[cid] for cid in row.swaps if cid in self.orders]
        return not any(leg.open for leg in taken) or any(leg.state is S.CANCELED for leg in taken)

    def _will_swap(self, row: OrderRow, book: Book) -> bool:
        """It is to be tried again in one frame with the cancel of the stop, which stays until then."""
        pauses = row.session == 0 and self._pauses(row)
        return pauses and bool(self._legs(book)) and self._one_of_both(book)

    def _is_lost(self, row: OrderRow) -> bool:
        """In doubt, and this session's snapshot does not show it: without history that is all that is known of it."""
        if row.is_lost:
            return True
        if not self._stands_in:
            # So it is nearly always, and every order is asked for many times a turn.
            return False
        return row.evidence_session < self.fence.session and (row.session > 0 or row.state is not S.INTENT)

    def _lacks_a_close(self, book: Book) -> bool:
        """Or none can leave, because history is silent: what is held is not to lie bare so long."""
        if not self._only_stops or self.fence.guards:
            return super()._lacks_a_close(book)
        return all(_never_left(row) or self._is_lost(row) for row in self._closes_of(book))

    def _to_protect(self, book: Book, *, by: OrderRow | None = None) -> Mapping[str, Decimal]:
        """How much the stops of each lot should cover now: what is held, without what is being sold by somebody, `by`
        this order for certain."""
        return {} if self._flattening(book) else self._stops_of(book, self._shares_now(book), by=by)

    def _stops_of(self, book: Book, shares: Shares, *, by: OrderRow | None = None) -> Mapping[str, Decimal]:
        """The same of such shares, whatever is wanted with the position."""
        symbol, margin = book
        if not margin:
            for row in self._reducing(book, by=by):
                shares = shares.after(Sale(strategy=row.intent.strategy, quantity=row.leaves))
        return stop_sizes(shares, self.pairs.get(symbol), guarded=self._guard(book) is not None)

    def _leg(self, row: OrderRow, side: Side) -> Leg:
        intent, kind = row.intent, kind_of(row.intent)
        match kind:
            case LegKind.OCO:
                levels = Levels(stop=intent.oco_stop_price, target=row.price)
            case LegKind.STOP:
                levels = Levels(stop=row.price)
            case LegKind.TRAIL:
                levels = Levels(trail=intent.trailing_distance)
            case LegKind.TARGET:
                levels = Levels(target=row.price)
        # Over REST few cancels of stops leave, and often none at all: one that is only wanted takes nothing away.
        only_wanted = row.request is None and (self.fence.narrow or self._stays_for_now(row))
        cancelled = row.cancel_reason is not None and not only_wanted
        if self._is_lost(row):
            state = LegState.LOST
        elif cancelled or row.closing is not None or row.swapped:
            state = LegState.LEAVING
        elif row.state not in (S.ACKED, S.PARTIAL):
            state = LegState.MOVING
        elif row.stop_gone or intent.side is not side:
            state = LegState.BROKEN
        else:
            state = LegState.RESTING
        return Leg(cid=row.cid, kind=kind, state=state, quantity=row.leaves, levels=levels)

    def _stays_for_now(self, row: OrderRow) -> bool:
        """No cancel of it has ever left, and none will now: no session, silent history, or a maintenance."""
        return row.state is not S.PENDING_CANCEL and (self.fence.paused or not self.fence.guards)

    def _trades_are_late(self, bracket: BracketRow) -> bool:
        """The venue told of more trades than it has shown: their sizes come with the next frames, so wait for those.

        Never longer than any answer may take: then the stop is made of what is known.
        """
        late = False
        for row in self._open.values():
            if not row.protects and (row.intent.symbol, row.intent.margin) == bracket.book and row.unbooked:
                late = not self._stands_in
                break
        if not late:
            bracket.lag_at = None
            return False
        if bracket.lag_at is None:
            bracket.lag_at = self._now
        return self._now < bracket.lag_at + self.settings.doubt_after_s

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
        if not self._trades_are_late(bracket):
            self._follow(bracket, side)
            wanted = wanted_legs(
                self._sure_levels(bracket), quantity, margin=bracket.margin, pair=self.pairs.get(bracket.symbol)
            )
            steps = next_steps(wanted, legs, margin=bracket.margin)
            if self._only_stops:
                steps = self._added(bracket, wanted, legs, steps)
            places = any(isinstance(step, Place) for step in steps)
            if self._came_to_rest(bracket, legs, places=places):
                bracket.tries, bracket.pause_at = 0, None
            if places and not self._may_place(bracket):
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

    def _came_to_rest(self, bracket: BracketRow, legs: Sequence[Leg], *, places: bool) -> bool:
        """Whether nothing of a lot has to be waited for: its newest leg rests, whatever became of older ones. Of
        several parts one may rest, and another be refused again and again; that is the newest then. Beside others it
        must have rested for a moment: the venue may accept one and end it with its next word."""
        if legs and not places and all(leg.state is LegState.RESTING for leg in legs):
            return True
        if not any(leg.cid == bracket.last_cid and leg.state is LegState.RESTING for leg in legs):
            return False
        return self._settles_at(bracket) is None

    def _settles_at(self, bracket: BracketRow) -> float | None:
        """When a lot's newest leg, which rests, has rested for a moment, if that is still to come."""
        newest = self.orders.get(bracket.last_cid)
        if newest is None or newest.state not in (S.ACKED, S.PARTIAL):
            return None
        at = newest.heard_at + FIRST_PAUSE_S
        return at if at > self._now else None

    def _added(
        self, bracket: BracketRow, wanted: Sequence[Place], legs: Sequence[Leg], steps: Sequence[Step]
    ) -> tuple[Step, ...]:
        """What rests is left as it is until history has told what traded, or the socket is back; but, while history is
        silent, for one of two that are the same and more than is wanted, and over REST for what is in the way of a
        sale. What it lacks gets a stop beside it."""
        quantities = {leg.cid: leg.quantity for leg in legs if leg.kind in GUARDS}
        over = guarded(legs) - sum((place.quantity for place in wanted if place.kind in GUARDS), ZERO)
        wanted_steps = (Place, TakeOut) if self._makes_way(bracket.book) else Place
        kept: list[Step] = [step for step in steps if isinstance(step, wanted_steps)]
        for step in steps:
            if self._stands_in and isinstance(step, TakeOut) and self._has_twin(self.orders[step.cid]):
                quantity = quantities.get(step.cid, ZERO)
                if over > ZERO or not quantity:
                    over -= quantity
                    kept.append(step)
        if kept or over >= ZERO or any(leg.state in (LegState.LEAVING, LegState.BROKEN) for leg in legs):
            return tuple(kept)
        return beside(wanted, legs, room=self._uncovered(bracket.book), pair=self.pairs.get(bracket.symbol))

    def _uncovered(self, book: Book) -> Decimal:
        """How much of what a book's stops should cover none of its protective orders can sell, whosever lot it is."""
        rest = [row.leaves for row in self._legs(book) if kind_of(row.intent) in GUARDS and not self._is_lost(row)]
        return sum(self._to_protect(book).values(), ZERO) - sum(rest, ZERO)

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
        if row.attempt > 0 and self.fence.paused:
            # And so it would until the next session.
            return True
        return row.attempt > 0 and row.check_at is not None and self._now < row.check_at

    def _entry_is_open(self, bracket: BracketRow) -> bool:
        cid = self._by_intent.get(bracket.entry_id)
        return cid is not None and self.orders[cid].open

    def _may_place(self, bracket: BracketRow) -> bool:
        """False during the pause after a leg that did not come to rest; begins the next pause otherwise."""
        if bracket.pause_at is not None and self._now < bracket.pause_at:
            return False
        self._report_replacement(bracket)
        longest_s = NARROW_PAUSE_S if self.fence.narrow else LONGEST_PAUSE_S
        bracket.pause_at = self._now + min(FIRST_PAUSE_S * float(2 ** min(bracket.tries, 10)), longest_s)
        bracket.tries += 1
        return True

    def _replace(self, bracket: BracketRow, row: OrderRow, place: Place, reason: str, side: Side) -> None:
        """In one frame, unless both could trade: then the next look places the new one when the old has let go."""
        if self._pauses(row):
            return
        if not (self._may_swap(row) and (bracket.margin or self._sells_once(bracket))):
            paused = bracket.pause_at is not None and self._now < bracket.pause_at
            if not paused or self._settles_at(bracket) is None:
                # Else the next one would wait for the end of the pause behind its cancel: a moment later there is none.
                self._want_cancel(row, reason)
        elif self._may_place(bracket):
            self._in_place_of = row
            self._place(bracket, place, side)
            self._in_place_of = None

    def _sells_once(self, bracket: BracketRow) -> bool:
        """Nor may others be about to get any: a fall that triggers the old stop may fill what they let rest below it
        while the frame is on its way, and the new one would sell theirs."""
        return self._one_of_both(bracket.book) and not self._others_buy(bracket.book, bracket.strategy)

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

    def _urgent(self, row: OrderRow) -> bool:
        """Legs, and what sells coins whose stop is gone, or smaller, for it."""
        if row.protects or row.intent.margin:
            return row.protects
        book = (row.intent.symbol, row.intent.margin)
        return row.intent.purpose in CUT or (row.intent.side is Side.SELL and bool(self._brackets_of(book)))

    def _answer_within(self, row: OrderRow) -> float:
        patience = self.settings.doubt_after_s
        return URGENT_S if patience > URGENT_S and self._urgent(row) else patience

    def _doubted_for(self, row: OrderRow) -> float:
        patience = super()._doubted_for(row)
        return min(patience, URGENT_S / 2) if self._urgent(row) else patience

    def _may_cancel(self, row: OrderRow) -> bool:
        if super()._may_cancel(row):
            return True
        if self.fence.paused:
            # Nothing leaves before the venue's next session: asked for again it would be refused in the same turn.
            return False
        if self.fence.guards:
            return not row.protects or self._makes_way((row.intent.symbol, row.intent.margin))
        return self._stands_in and row.protects and self._has_twin(row) and self._is_spare(row)

    def _is_spare(self, row: OrderRow) -> bool:
        """Whether the lot's others that rest cover what is its own, but for what somebody is selling: two equal stops
        may be parts of one lot, both needed."""
        book = (row.intent.symbol, row.intent.margin)
        rest = [
            other.leaves
            for other in self._legs(book, row.lot)
            if other is not row
            and other.state in (S.ACKED, S.PARTIAL)
            and other.seen_session == self.fence.session
            and other.closing is None
            and not other.stop_gone
            and not self._goes_again(other)
            and kind_of(other.intent) in GUARDS
        ]
        # By our trades, and by what is certain while history is silent: whichever is more.
        needed = [self._stops_of(book, shares) for shares in (self._shares(book), self._shares_now(book))]
        return sum(rest, ZERO) >= max(each.get(row.lot, ZERO) for each in needed)

    def _has_twin(self, row: OrderRow) -> bool:
        """This session has shown another leg that does the same, whole: one that a dead socket still delivered, say.
        Together they may sell what another lot holds."""

        def what(leg: OrderRow) -> tuple[object, ...]:
            levels = leg.price, leg.intent.oco_stop_price, leg.intent.trailing_distance
            return leg.intent.order_type, leg.intent.side, leg.leaves, leg.executed, *levels

        return row.seen_session == self.fence.session and any(
            other is not row
            # One whose cancel is wanted and has not left stays, too.
            and other.state is S.ACKED
            and other.seen_session == self.fence.session
            and other.closing is None
            and not other.stop_gone
            and what(other) == what(row)
            for other in self._legs((row.intent.symbol, row.intent.margin), row.lot)
        )

    def _leave_now(self, row: OrderRow, refusal: str | None) -> bool:
        if refusal is not None and row.protects and row.attempt > 0:
            bracket = self.brackets.get(bracket_key((row.intent.symbol, row.intent.margin), row.lot))
            if bracket is not None and bracket.last_cid == row.cid:
                # No venue has refused it: the one of the right size does not wait for a pause that it began.
                bracket.pause_at = None
                self._dirty[bracket.key] = bracket
        return super()._leave_now(row, refusal)

    def _may_leave(self, row: OrderRow) -> bool:
        if row.protects:
            return self.fence.guards or self._stands_in
        return self.fence.ready or (self.fence.guards and gets_out(row))

    def _makes_way(self, book: Book) -> bool:
        """True while, in a session over REST, a sale that could leave waits for what stops of this book hold back."""
        if not (self.fence.narrow and self.fence.guards) or self.fence.paused:
            return False
        return self._flattening(book) or any(
            row.held_back
            and _never_left(row)
            and row.cancel_reason is None
            and (row.intent.symbol, row.intent.margin) == book
            and gets_out(row)
            for row in self._open.values()
        )

    def _refusal(self, row: OrderRow) -> str | None:
        """A stop that could not leave before its position's close could: both would sell the same coins."""
        if row.protects and row.cancel_reason is None and self._flattening((row.intent.symbol, row.intent.margin)):
            return "its position is being closed"
        if row.protects and row.attempt > 0 and row.cancel_reason is None and self._covers_too_much(row):
            return "it would cover more than its lot still lacks"
        return super()._refusal(row)

    def _covers_too_much(self, row: OrderRow) -> bool:
        """Whether its lot lacks less by now: another stop was lost and this session has shown it, or history has told
        what is held, and this one was sized by a guess. It would sell what somebody else holds."""
        book = (row.intent.symbol, row.intent.margin)
        wanted = self._to_protect(book).get(row.lot, ZERO)
        others = [other for other in self._legs(book, row.lot) if other is not row]
        # What one that has ended sold of the lot is gone from it, though no trade has told so yet.
        sold = sum([other.unbooked for other in others if other.closing is not None], ZERO)
        return ZERO < wanted < covered([self._leg(other, row.intent.side) for other in others]) + sold + row.leaves

    @property
    def _only_stops(self) -> bool:
        """Stops are left as they are: history is silent, or the session has no socket."""
        return self.fence.narrow or self._stands_in

    @property
    def compared_over_rest(self) -> bool:
        """In a session over REST: the books are compared, and of nothing that was carried out are trades missing."""
        fence = self.fence
        return fence.narrow and fence.guards and not any([row.unshown for row in self._open.values()])

    @property
    def under_way_over_rest(self) -> bool:
        """In a session over REST: a sale at market, or a cancel, is about to leave, or has left and its end is not
        told. Between a stop's cancel and the sale that it made way for the position lies bare."""
        fence = self.fence
        if not (fence.narrow and fence.guards) or fence.paused:
            return False
        for row in self._open.values():
            if row.closing is None and row.request is not None and row.request.session == fence.session:
                return True
            if gets_out(row) and not row.is_over and row.state is not S.UNKNOWN:
                if row.session == fence.session or (_never_left(row) and row.attempt > 0):
                    return True
        return False

    @property
    def follows(self) -> bool:
        """True while a stop is, or may soon be, drawn after the market by us."""
        return any([bracket.levels.follow is not None for bracket in self.brackets.values()])

    def _bracket_deadlines(self) -> list[float]:
        paused = [each for each in self.brackets.values() if each.pause_at is not None and each.pause_at > self._now]
        deadlines = [each for bracket in paused for each in (bracket.pause_at, self._settles_at(bracket)) if each]
        deadlines += [bracket.look_at for bracket in self.brackets.values() if bracket.look_at is not None]
        patience = self.settings.doubt_after_s
        deadlines += [bracket.lag_at + patience for bracket in self.brackets.values() if bracket.lag_at is not None]
        if self._stands_in and self._price_at is not None:
            deadlines.append(self._price_at)
        ahead = [deadline for deadline in deadlines if deadline > self._now]
        return ahead + self._stand_in_deadline() + self._word_deadlines() + self._first_spare_deadline()


def gets_out(row: OrderRow) -> bool:
    """Whether it only makes a position smaller, and at once: what rests to do so would have to be listened to."""
    return not row.opens_risk and not row.protects and row.intent.order_type is OrderType.MARKET


def _never_left(row: OrderRow) -> bool:
    return row.state is S.INTENT and row.session == 0
