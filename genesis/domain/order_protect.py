"""Protecting: around every position whose entry named levels rests a stop at the venue, exactly once, of its size.

The levels become known with the entry's first fill, in the same commit as that fill, so no crash lies between a
position and the memory that it needs a stop. From then on `take` compares what is held with what rests, each time
anything was heard, and asks the bracket for the next step.

An order that sells what a stop holds back waits here until the stop has let go of the coins: the stop is cancelled
first, and comes back when the sale does not happen. Should the stop fill in between, there is nothing left to sell, and
the sale is withdrawn.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import msgspec

from genesis.domain.bracket import (
    Leg,
    LegKind,
    LegState,
    Levels,
    Place,
    Resize,
    TakeOut,
    covered,
    kind_of,
    leg_intent,
    levels_of,
    next_steps,
    wanted_legs,
)
from genesis.domain.order_flatten import OrderFlattener
from genesis.domain.order_outputs import Outputs
from genesis.domain.order_rows import BracketRow, FillRow, OrderRow
from genesis.domain.order_state import OrderEvent
from genesis.domain.order_wire import side_of
from protocols.orders import Approved, OrderState, Protect, Purpose, UpdateIntent
from protocols.trading import ProtectionView
from protocols.units import ZERO, Side, Symbol, floor_amount, round_price

FIRST_PAUSE_S: Final = 0.25
"""A stop that was refused is tried again after this, then after twice as long, and so on."""
LONGEST_PAUSE_S: Final = 30.0
REFUSED: Final = "update refused"

E, S = OrderEvent, OrderState


class OrderProtector(OrderFlattener):
    """Brackets by (symbol, margin), and the orders that wait for them."""

    def take(self) -> Outputs:
        """What is to be done, protection included. See `OrderLedger.take`."""
        for bracket in list(self.brackets.values()):
            self._advance_bracket(bracket)
        return super().take()

    # --- what sets the levels ---------------------------------------------------------------------------------------

    def _tell(self, fill: FillRow, row: OrderRow | None) -> None:
        super()._tell(fill, row)
        if row is None:
            return
        book = (row.intent.symbol, row.intent.margin)
        bracket = self.brackets.get(book)
        if row.protects:
            if bracket is not None:
                bracket.decided_ms = max(bracket.decided_ms, fill.trade.time_ms)
                self._dirty[bracket.key] = bracket
                self._stop_entry(bracket)
        elif row.intent.bracket is not None and self.fills.held.get(book, ZERO) * row.intent.side.sign > 0:
            if bracket is None or bracket.entry_id != row.intent.intent_id:
                self._begin_bracket(row, fill.trade.price, fill.trade.time_ms)
        elif bracket is not None:
            bracket.decided_ms = max(bracket.decided_ms, fill.trade.time_ms)

    def _begin_bracket(self, row: OrderRow, price: Decimal, at_ms: int) -> None:
        """A position was opened, or added to: from now on the newest entry's levels hold for all of it."""
        intent = row.intent
        assert intent.bracket is not None
        book = (intent.symbol, intent.margin)
        levels = levels_of(intent.bracket, side=intent.side, price=price)
        bracket = self.brackets.get(book)
        if bracket is None:
            bracket = self.brackets[book] = BracketRow(
                symbol=intent.symbol,
                margin=intent.margin,
                levels=levels,
                entry_id=intent.intent_id,
                strategy=intent.strategy,
                correlation_id=intent.correlation_id,
                decided_ms=at_ms,
            )
        else:
            bracket.levels, bracket.entry_id = levels, intent.intent_id
            bracket.strategy, bracket.correlation_id = intent.strategy, intent.correlation_id
            bracket.decided_ms = max(bracket.decided_ms, at_ms)
        self._dirty[bracket.key] = bracket

    def _stop_entry(self, bracket: BracketRow) -> None:
        """A leg trades: what still rests of the entry would only open the position again."""
        cid = self._by_intent.get(bracket.entry_id)
        if cid is not None and self.orders[cid].open:
            self._want_cancel(self.orders[cid], "its position is being closed by its bracket")

    def _update(self, row: OrderRow, wish: UpdateIntent) -> None:
        """A person moves a leg: the level moves, and the leg follows it."""
        bracket = self.brackets.get((row.intent.symbol, row.intent.margin))
        if not row.protects or bracket is None:
            super()._update(row, wish)
            return
        if wish.price is None:
            return
        price = round_price(wish.price)
        if kind_of(row.intent) is LegKind.STOP:
            bracket.levels = msgspec.structs.replace(bracket.levels, stop=price)
        elif kind_of(row.intent) in (LegKind.TARGET, LegKind.OCO):
            bracket.levels = msgspec.structs.replace(bracket.levels, target=price)
        self._dirty[bracket.key] = bracket

    def _protect_again(self, wish: Protect) -> None:
        book = (wish.symbol, wish.margin)
        bracket = self.brackets.get(book)
        if bracket is None and wish.stop_price is not None and self.fills.held.get(book):
            bracket = self.brackets[book] = BracketRow(
                symbol=wish.symbol,
                margin=wish.margin,
                levels=Levels(stop=round_price(wish.stop_price)),
                entry_id="",
                strategy="protection",
                correlation_id=wish.correlation_id,
                decided_ms=self.fence.venue_ms or self._wall_ms,
            )
        if bracket is None:
            return
        if not bracket.levels.guards and wish.stop_price is not None:
            bracket.levels = msgspec.structs.replace(bracket.levels, stop=round_price(wish.stop_price))
        bracket.pause_at = bracket.lag_at = None
        bracket.tries = 0
        self._dirty[bracket.key] = bracket
        self._want_history()
        doubted = [row for row in self._legs(book) if row.state is S.UNKNOWN and not row.is_lost]
        if doubted and self.fence.wants_reconnect(self._now):
            # Only a new session's snapshot can say whether it rests.
            self._fence_changed = True
            self._out.reconnect = f"nobody knows whether stop order {doubted[0].cid} rests"

    # --- what is there, and what should be --------------------------------------------------------------------------

    def _legs(self, book: tuple[Symbol, bool]) -> list[OrderRow]:
        return [row for row in self._open.values() if row.protects and (row.intent.symbol, row.intent.margin) == book]

    def _reducing(self, book: tuple[Symbol, bool]) -> list[OrderRow]:
        """Open orders that sell from the exchange wallet what is held."""
        return [
            row
            for row in self._open.values()
            if not row.protects
            and not row.is_lost
            and row.intent.side is Side.SELL
            and (row.intent.symbol, row.intent.margin) == book
        ]

    def _to_protect(self, book: tuple[Symbol, bool]) -> Decimal:
        """How much a stop should cover now: what is held, without what is being sold by somebody else."""
        symbol, margin = book
        held = self.fills.held.get(book, ZERO)
        if any(book in flatten.books for flatten in self.flattens.values()):
            return ZERO
        if margin:
            quantity = floor_amount(abs(held))
        else:
            quantity = floor_amount(max(held - sum((row.leaves for row in self._reducing(book)), ZERO), ZERO))
        pair = self.pairs.get(symbol)
        return quantity if pair is None or quantity >= pair.minimum else ZERO

    def _leg(self, row: OrderRow, side: Side) -> Leg:
        intent, kind = row.intent, kind_of(row.intent)
        levels = {
            LegKind.STOP: Levels(stop=row.price),
            LegKind.TRAIL: Levels(trail=intent.trailing_distance),
            LegKind.TARGET: Levels(target=row.price),
            LegKind.OCO: Levels(stop=intent.oco_stop_price, target=row.price),
        }[kind]
        if row.is_lost:
            state = LegState.LOST
        elif row.cancel_reason is not None or row.closing is not None:
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
        late = any(
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

    def _advance_bracket(self, bracket: BracketRow) -> None:
        if not self.fence.ready:
            return
        book = bracket.book
        held = self.fills.held.get(book, ZERO)
        side = side_of(-held) if held else Side.SELL
        rows = self._legs(book)
        legs = [self._leg(row, side) for row in rows]
        if any(leg.state is LegState.RESTING for leg in legs):
            bracket.tries, bracket.pause_at = 0, None
        quantity = self._to_protect(book)
        if not self._trades_are_late(bracket):
            wanted = wanted_legs(bracket.levels, quantity, margin=bracket.margin)
            for step in next_steps(wanted, legs, margin=bracket.margin):
                match step:
                    case Place():
                        self._place(bracket, step, side)
                    case Resize():
                        self._resize(self.orders[step.cid], step)
                    case TakeOut():
                        self._want_cancel(self.orders[step.cid], step.reason)
        for row in list(self._open.values()):
            if row.held_back and row.state is S.INTENT and row.session == 0 and not self._pauses(row):
                self._send(row)
        nothing_held = floor_amount(abs(held)) == ZERO
        if nothing_held and not self._legs(book) and not self._entry_is_open(bracket):
            del self.brackets[book]
            self._dirty[bracket.key] = None

    def _pauses(self, row: OrderRow) -> bool:
        """The line has just said that nothing of it left: asked again in the same turn it would say so without end."""
        return row.attempt > 0 and row.check_at is not None and self._now < row.check_at

    def _entry_is_open(self, bracket: BracketRow) -> bool:
        cid = self._by_intent.get(bracket.entry_id)
        return cid is not None and self.orders[cid].open

    def _place(self, bracket: BracketRow, place: Place, side: Side) -> None:
        if bracket.pause_at is not None and self._now < bracket.pause_at:
            return
        self._report_replacement(bracket)
        bracket.pause_at = self._now + min(FIRST_PAUSE_S * float(2 ** min(bracket.tries, 10)), LONGEST_PAUSE_S)
        bracket.tries += 1
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

    def _resize(self, row: OrderRow, step: Resize) -> None:
        if row.reason.startswith(REFUSED):
            # It cannot be changed in place: the next look places another one.
            self._want_cancel(row, "the venue refused to change it")
        else:
            self._ask_update(row, step.price, step.quantity, "the position changed")

    # --- who waits for coins ----------------------------------------------------------------------------------------

    def _send(self, row: OrderRow) -> bool:
        if row.cancel_reason is None and (not row.opens_risk or self._refusal(row) is None) and self._waits(row):
            if not row.held_back:
                row.held_back = True
                self._touch(row)
            return False
        if row.held_back and row.intent.purpose is Purpose.EXIT and not self._fit_to_what_is_held(row):
            return True
        return super()._send(row)

    def _waits(self, row: OrderRow) -> bool:
        """True while protective orders hold back the coins that this order sells."""
        intent = row.intent
        book = (intent.symbol, intent.margin)
        if intent.margin or row.protects or intent.side is not Side.SELL or book not in self.brackets:
            return False
        resting = [leg.leaves for leg in self._legs(book) if not leg.is_lost]
        if not resting or any(book in flatten.books for flatten in self.flattens.values()):
            return False
        others = [other.leaves for other in self._reducing(book) if other is not row and other.session > 0]
        return sum(resting, ZERO) + sum(others, ZERO) + row.quantity > self.fills.held.get(book, ZERO)

    def _fit_to_what_is_held(self, row: OrderRow) -> bool:
        """An exit that waited sells no more than what its stop left over; False when that is nothing."""
        held = floor_amount(max(self.fills.held.get((row.intent.symbol, row.intent.margin), ZERO), ZERO))
        if held == ZERO:
            self._end(row, E.WITHDRAWN, "not sent: its position was closed by its bracket")
            return False
        if held < row.quantity:
            row.intent = msgspec.structs.replace(row.intent, quantity=held)
            row.quantity = held
            self._changed(row)
        return True

    # --- for others -------------------------------------------------------------------------------------------------

    def _bracket_deadlines(self) -> list[float]:
        deadlines = [bracket.pause_at for bracket in self.brackets.values() if bracket.pause_at is not None]
        patience = self.settings.doubt_after_s
        deadlines += [bracket.lag_at + patience for bracket in self.brackets.values() if bracket.lag_at is not None]
        return [deadline for deadline in deadlines if deadline > self._now]

    def protection(self) -> tuple[ProtectionView, ...]:
        """Every position and what stands around it."""
        books = {book for book, held in self.fills.held.items() if floor_amount(abs(held))}
        return tuple(self._protection_of(book) for book in sorted(books | set(self.brackets)))

    def _protection_of(self, book: tuple[Symbol, bool]) -> ProtectionView:
        held = self.fills.held.get(book, ZERO)
        bracket = self.brackets.get(book)
        side = side_of(-held) if held else Side.SELL
        legs = [self._leg(row, side) for row in self._legs(book)]
        levels = bracket.levels if bracket is not None else Levels()
        return ProtectionView(
            symbol=book[0],
            margin=book[1],
            held=held,
            wanted=self._to_protect(book),
            stopped=covered(legs),
            stops=sum(leg.state is LegState.RESTING and leg.kind is not LegKind.TARGET for leg in legs),
            stop_price=levels.stop,
            target_price=levels.target,
            trailing_distance=levels.trail,
            note=_note(bracket, legs),
        )


def _note(bracket: BracketRow | None, legs: Sequence[Leg]) -> str:
    if bracket is None:
        return "no bracket"
    moving = [leg.state.value for leg in legs if leg.state is not LegState.RESTING]
    return ", ".join(moving)
