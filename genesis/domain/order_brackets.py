"""Which lot of a position is protected at which levels.

The levels become known with the entry's first fill, in the same commit as that fill, so no crash lies between a
position and the memory that it needs a stop.
"""

from decimal import Decimal

import msgspec

from genesis.domain.bracket import LegKind, kind_of, levels_of
from genesis.domain.order_holdings import Book
from genesis.domain.order_lots import REST, Lot, Sale, Shares, shares_of
from genesis.domain.order_rows import BracketRow, FillRow, OrderRow
from genesis.domain.order_state import OrderEvent
from genesis.domain.order_word import OrderWord
from protocols.orders import PROTECTIVE_PURPOSES, OrderIntent, OrderState, Purpose, UpdateIntent
from protocols.units import ZERO, Side, floor_amount, round_price

E, S = OrderEvent, OrderState


class OrderBrackets(OrderWord):
    """Brackets by (symbol, wallet, lot): what sets their levels and sizes."""

    def _brackets_of(self, book: Book) -> list[BracketRow]:
        """Oldest first."""
        symbol, margin = book
        return [each for each in self.brackets.values() if each.symbol == symbol and each.margin == margin]

    def _lots_of(self, book: Book) -> list[BracketRow]:
        symbol, margin = book
        return [
            each
            for each in self.brackets.values()
            if each.symbol == symbol and each.margin == margin and each.lot != REST
        ]

    def _guard(self, book: Book) -> BracketRow | None:
        """The bracket of what no other bracket covers."""
        for bracket in self.brackets.values():
            if bracket.lot == REST and (bracket.symbol, bracket.margin) == book:
                return bracket
        return None

    def _shares(self, book: Book) -> Shares:
        lots = [Lot(bracket.lot, bracket.strategy, bracket.quantity or ZERO) for bracket in self._lots_of(book)]
        return shares_of(self.fills.held.get(book, ZERO), lots)

    def _legs(self, book: Book, lot: str | None = None) -> list[OrderRow]:
        """Open protective orders of a position, or of one lot of it."""
        symbol, margin = book
        return [
            row
            for row in self._open.values()
            if (intent := row.intent).purpose in PROTECTIVE_PURPOSES
            and intent.symbol == symbol
            and intent.margin == margin
            and (lot is None or lot == row.lot)
            and not row.is_over
        ]

    def _tell(self, fill: FillRow, row: OrderRow | None) -> None:
        if row is None:
            super()._tell(fill, row)
            return
        book = (row.intent.symbol, row.intent.margin)
        before, shares = self.fills.held.get(book, ZERO), self._shares(book)
        super()._tell(fill, row)
        self._share_out(row, before, shares, fill.trade.price, (fill.trade.time_ms, fill.trade.trade_id))

    def _book(self, row: OrderRow, change: Decimal, price: Decimal) -> None:
        book = (row.intent.symbol, row.intent.margin)
        before, shares = self.fills.held.get(book, ZERO), self._shares(book)
        super()._book(row, change, price)
        self._share_out(row, before, shares, price, (row.venue_updated_ms, 0))

    def _share_out(
        self, row: OrderRow, before: Decimal, shares: Shares, price: Decimal, traded_at: tuple[int, int]
    ) -> None:
        """An order has changed what is held, `before` in these shares: it opened a lot, or took from some. `traded_at`
        is the venue's time, ms, and the trade's number (0: nobody has told it)."""
        at_ms = traded_at[0]
        book = (row.intent.symbol, row.intent.margin)
        after = self.fills.held.get(book, ZERO)
        closed = min(abs(before), abs(after - before)) if before * (after - before) < 0 else ZERO
        opened = abs(after - before) - closed
        if closed:
            shares = self._reduce(book, shares, row, closed)
            if row.intent.bracket is not None and row.opens_risk:
                self._book_against(row, closed, traded_at)
        elif row.intent.side is Side.BUY and row.intent.bracket is None and not (book[1] or row.protects):
            self._buy_plain(book[0], row.intent.strategy, opened)
        for bracket in self._brackets_of(book):
            # Everything about a lot is decided in the time of the newest trade around it.
            bracket.decided_ms = max(bracket.decided_ms, at_ms)
            self._dirty[bracket.key] = bracket
        if opened and (row.protects or row.intent.reduce_only):
            self._give_back(book, opened, after, price)
        if row.protects:
            protected = self.brackets.get(bracket_key(book, row.lot))
            if protected is not None:
                self._stop_entry(protected)
        elif row.intent.bracket is not None and opened and after * row.intent.side.sign > 0:
            left = self._open_for(book, row.intent.side, opened, price, newer_than=traded_at) if book[1] else opened
            if left != opened:
                # Told late: it closed what one that traded after it seemed to have closed.
                self._book_against(row, opened - left, traded_at)
            if left:
                self._add_to_lot(row, left, price, at_ms)

    def _reduce(self, book: Book, shares: Shares, row: OrderRow, quantity: Decimal) -> Shares:
        """Something was sold: take it from the lots, and from exits that wait to sell the same."""
        lot = row.lot if row.protects else None
        left = shares.after(Sale(strategy=row.intent.strategy, quantity=quantity, lot=lot))
        if not book[1]:
            self._sell_plain(book[0], row.intent.strategy, shares.rest - left.rest, rest=shares.rest)
        for lot_left in left.lots:
            self.brackets[bracket_key(book, lot_left.name)].quantity = lot_left.quantity
        if row.protects:
            self._note_taken(row, shares, left)
            for waiting in list(self._open.values()):
                intent = waiting.intent
                if intent.purpose is Purpose.EXIT and waiting.held_back and (intent.symbol, intent.margin) == book:
                    self._shrink_exit(waiting, owned_by(shares, intent.strategy), owned_by(left, intent.strategy))
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
            if self._late:
                self._settle_late_of(row.cid)
            row.intent = msgspec.structs.replace(row.intent, quantity=quantity)
            row.quantity = quantity
            self._changed(row)

    def _add_to_lot(self, row: OrderRow, opened: Decimal, price: Decimal, at_ms: int) -> None:
        """A lot was opened, or added to: from now on the newest entry's levels hold for all of it."""
        intent = row.intent
        assert intent.bracket is not None
        lot, key = lot_of(intent), self._lot_key(row)
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
        bracket.quantity = (bracket.quantity or ZERO) + self._less_what_was_taken(bracket, row, opened)
        self._dirty[key] = bracket

    def _note_taken(self, leg: OrderRow, before: Shares, after: Shares) -> None:
        """Remember from whom a leg took what its own lot did not have."""
        own = self.brackets.get(bracket_key((leg.intent.symbol, leg.intent.margin), leg.lot))
        if own is None:
            return
        for was, now in zip(before.lots, after.lots, strict=True):
            if was.name != leg.lot and was.quantity > now.quantity:
                own.taken[was.name] = own.taken.get(was.name, ZERO) + was.quantity - now.quantity
                own.taken_by = leg.cid

    def _less_what_was_taken(self, bracket: BracketRow, entry: OrderRow, opened: Decimal) -> Decimal:
        """A stop may have sold what this entry bought before anybody was told of it: then others' lots were made
        smaller for that sale, and get it back. What is left is the lot's own."""
        if entry.cid > bracket.taken_by:
            return opened
        for name, taken in list(bracket.taken.items()):
            back = min(taken, opened)
            opened -= back
            bracket.taken[name] -= back
            giver = self.brackets.get(bracket_key(bracket.book, name))
            if giver is not None:
                giver.quantity = (giver.quantity or ZERO) + back
                self._dirty[giver.key] = giver
        bracket.taken = {name: left for name, left in bracket.taken.items() if left}
        return opened

    def _lot_key(self, row: OrderRow) -> str:
        return bracket_key((row.intent.symbol, row.intent.margin), lot_of(row.intent))

    def _book_against(self, row: OrderRow, quantity: Decimal, traded_at: tuple[int, int]) -> None:
        row.against += quantity
        row.against_at = max(row.against_at, traded_at)
        self._touch(row)

    def _open_for(
        self, book: Book, side: Side, opened: Decimal, price: Decimal, *, newer_than: tuple[int, int] = (0, 0)
    ) -> Decimal:
        """Give entries that were taken for closes what they really opened; gives what none of them can have. Whoever
        traded first was the first to close what was there, so the newest ones opened."""
        waiting = [
            row
            for row in self.orders.values()
            if row.against
            and row.against_at > newer_than
            and row.intent.side is side
            and (row.intent.symbol, row.intent.margin) == book
        ]
        for row in sorted(waiting, key=lambda row: (row.against_at, row.cid), reverse=True):
            part = min(row.against, opened)
            opened -= part
            row.against -= part
            self._touch(row)
            bracket = self.brackets.get(self._lot_key(row))
            if bracket is None or not self._opened_by(bracket, side):
                self._add_to_lot(row, part, self._word_price(row) or price, row.against_at[0])
            else:
                # A newer entry of it may have set the levels since.
                bracket.quantity = (bracket.quantity or ZERO) + part
                self._dirty[bracket.key] = bracket
            if not opened:
                break
        return opened

    def _give_back(self, book: Book, opened: Decimal, held: Decimal, price: Decimal) -> None:
        """What only closes seems to have opened: its trade was told after those of entries the other way, which were
        taken for closes. What each of them really opened belongs to its own lot, or opens it now."""
        side = Side.BUY if held > 0 else Side.SELL
        opened = self._open_for(book, side, opened, price)
        for bracket in reversed(self._brackets_of(book)):
            if opened and bracket.quantity is not None and self._opened_by(bracket, side):
                bracket.quantity += opened
                self._dirty[bracket.key] = bracket
                return

    def _opened_by(self, bracket: BracketRow, side: Side) -> bool:
        """Whether the newest entry of this lot traded on that side."""
        cid = self._by_intent.get(bracket.entry_id)
        return cid is not None and self.orders[cid].intent.side is side

    def _stop_entry(self, bracket: BracketRow) -> None:
        """A leg trades: what still rests of the entry would only open the position again."""
        cid = self._by_intent.get(bracket.entry_id)
        if cid is not None and self.orders[cid].open:
            self._want_cancel(self.orders[cid], "its position is being closed by its bracket")

    def _update(self, row: OrderRow, wish: UpdateIntent) -> None:
        """A person moves a leg: the level moves, and the leg follows it."""
        bracket = self.brackets.get(bracket_key((row.intent.symbol, row.intent.margin), row.lot))
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


def bracket_key(book: Book, lot: str) -> str:
    return f"bracket:{book[0]}:{'margin' if book[1] else 'exchange'}:{lot}"


def lot_of(intent: OrderIntent) -> str:
    """The lot that an entry opens, or adds to."""
    return intent.strategy if intent.purpose is Purpose.ENTRY else intent.intent_id


def owned_by(shares: Shares, strategy: str) -> Decimal:
    return sum((lot.quantity for lot in shares.lots if lot.strategy == strategy), ZERO)
