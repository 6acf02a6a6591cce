"""Flattening: cancel what rests, then close what our own trades left open, and try again when that is refused.

An order that opens something may have left when the wish comes, and no cancel reaches it before the venue has shown it.
So its book is not flat before its end is known: what it brings is closed, too.
"""

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from genesis.domain.order_reconcile import OrderReconciler
from genesis.domain.order_rows import FlattenRow, OrderRow
from genesis.domain.order_state import AT_VENUE
from genesis.domain.order_wire import flatten_intent
from protocols.orders import Approved, Flatten, OrderState, Purpose
from protocols.trading import FlattenView
from protocols.units import ZERO, Symbol, crumb_of, floor_amount

FLATTEN_TRIES = 3
FLATTENS_KEPT = 50
"""Wishes that are done, kept to know them when they are said again."""
FLATTENS_SHOWN = 8
"""Of those, the newest are shown: whoever said one looks whether it came true."""


class OrderFlattener(OrderReconciler):
    """Wishes to flatten, each known by its correlation id, and how far they are."""

    def _begin_flatten(self, wish: Flatten) -> None:
        if wish.correlation_id in self.flattens:
            return
        books = {(row.intent.symbol, row.intent.margin) for row in self._open.values()}
        books |= {book for book, amount in self.fills.held.items() if amount}
        done = [row for row in self.flattens.values() if not row.books]
        for row in done[: max(0, len(done) - FLATTENS_KEPT)]:
            del self.flattens[row.flatten_id]
            self._dirty[row.key] = None
        flatten = FlattenRow(
            flatten_id=wish.correlation_id,
            symbol=wish.symbol,
            reason=wish.reason,
            decided_ms=max(self.fence.venue_ms, self._wall_ms if not self.fence.venue_ms else 0),
            since_at=self._now,
            books=tuple(sorted(book for book in books if wish.symbol in (None, book[0]))),
            last_cid=self.last_cid,
        )
        self.flattens[flatten.flatten_id] = flatten
        self._dirty[flatten.key] = flatten
        for order in list(self._open.values()):
            if (order.intent.symbol, order.intent.margin) in flatten.books:
                self._want_cancel(order, f"flatten: {wish.reason}")
        self._advance_flattens()

    def flattenings(self) -> tuple[FlattenView, ...]:
        """How far the wishes are: those under way, and the newest of those that are done."""
        if not self.flattens:
            return ()
        rows = list(self.flattens.values())
        older = [row for row in rows[:-FLATTENS_SHOWN] if row.books]
        return tuple([_view_of(row) for row in older + rows[-FLATTENS_SHOWN:]])

    def _advance_flattens(self) -> None:
        for flatten in self.flattens.values():
            if flatten.books:
                self._advance(flatten)

    def _advance(self, flatten: FlattenRow) -> None:
        left = []
        for symbol, margin in flatten.books:
            open_rows = [
                row
                for row in self._open.values()
                if (row.intent.symbol, row.intent.margin) == (symbol, margin) and not row.is_over
            ]
            held = self.fills.held.get((symbol, margin), ZERO)
            name = f"{symbol}:{'margin' if margin else 'exchange'}"
            tries = flatten.tries.get(name, 0)
            in_vain = self._tries_in_vain(flatten, name)
            # Whoever asked for it: a second close beside one in doubt would find nothing left to sell.
            working = any(row.intent.purpose is Purpose.FLATTEN for row in open_rows)
            if not self.fence.guards or self.fence.paused or self._lacks_a_close((symbol, margin)):
                # Meanwhile its stops stand; when they can be taken back they need time to let go.
                flatten.since_at = self._now
            resting = any(row.state in AT_VENUE for row in open_rows)
            if working or (resting and self._now < self._lets_go_until(flatten)) or self._hears_of(open_rows, held):
                # What rests holds its coins back: the close would be refused for want of balance.
                left.append((symbol, margin))
            elif floor_amount(abs(held)) == ZERO or self._is_crumb(flatten, (symbol, margin), held):
                if resting or self._may_bring(open_rows):
                    left.append((symbol, margin))
            elif len(in_vain) >= FLATTEN_TRIES:
                text = f"{symbol} is not flat after {tries} tries: {held} held"
                self._out.alarms.append(("flatten_failed", text))
                flatten.given_up = (*flatten.given_up, (symbol, margin))
            else:
                left.append((symbol, margin))
                if tries not in in_vain or flatten.pause_at is None or self._now >= flatten.pause_at:
                    self._close_book(flatten, symbol, margin, held, name, tries + 1)
        books = tuple(left)
        pause_at = self._now + self.settings.doubt_after_s if books else None
        if books != flatten.books or flatten.pause_at is None or self._now >= flatten.pause_at:
            flatten.books, flatten.pause_at = books, pause_at
            self._dirty[flatten.key] = flatten

    def _may_bring(self, open_rows: Sequence[OrderRow]) -> bool:
        """Whether one of them may open something yet, in doubt or not."""
        return any(row.opens_risk for row in open_rows)

    def _hears_of(self, open_rows: Sequence[OrderRow], held: Decimal) -> bool:
        """Whether the venue has just told that one of them closed of it what no trade shows yet. So long as that can be
        about to be booked a close of all that is held would sell it twice."""
        return any(
            row.unbooked
            and row.intent.side.sign * held < ZERO
            and row.unshown_at is not None
            and self._now < row.unshown_at + self.settings.doubt_after_s
            for row in open_rows
        )

    def _tries_in_vain(self, flatten: FlattenRow, name: str) -> list[int]:
        """The numbers of a book's closes that did not sell, by trades that were told, all that they were for. What is
        held behind one that did was brought by an order on its way: that is closed without a pause."""
        numbers = range(1, flatten.tries.get(name, 0) + 1)
        return [number for number in numbers if not self._sold_all(_close_id(flatten, name, number))]

    def _sold_all(self, close_id: str) -> bool:
        if close_id not in self._by_intent:
            return False
        return all(row.state is OrderState.FILLED and row.filled >= row.quantity for row in self._parts_of(close_id))

    def _is_crumb(self, flatten: FlattenRow, book: tuple[Symbol, bool], held: Decimal) -> bool:
        """Whether only what an order cannot say is left of what this wish has sold."""
        if not flatten.tries:
            return False
        mine = [row for row in self.orders.values() if closes(flatten, row)]
        sold = sum((row.filled + row.by_word for row in mine if (row.intent.symbol, row.intent.margin) == book), ZERO)
        return abs(held) <= crumb_of(sold)

    def _lets_go_until(self, flatten: FlattenRow) -> float:
        """How long what rests has time to let go of its coins; then they are sold as far as the venue has them."""
        return flatten.since_at + 2 * self.settings.doubt_after_s

    def _flattening(self, book: tuple[Symbol, bool]) -> bool:
        """True while a wish to flatten has the coins of this book to itself."""
        if not self.flattens:
            return False
        return any(book in flatten.books for flatten in self.flattens.values()) and not self._lacks_a_close(book)

    def _lacks_a_close(self, book: tuple[Symbol, bool]) -> bool:
        """No close of this book is at work, nor may be: its orders are in doubt, and a later session does not show
        them."""
        closing = self._closes_of(book)
        return bool(closing) and all(row.is_lost for row in closing)

    def _closes_of(self, book: tuple[Symbol, bool]) -> list[OrderRow]:
        return [
            row
            for row in self._open.values()
            if (row.intent.symbol, row.intent.margin) == book
            and row.intent.purpose is Purpose.FLATTEN
            and not row.is_over
        ]

    def _close_book(
        self, flatten: FlattenRow, symbol: Symbol, margin: bool, held: Decimal, name: str, number: int
    ) -> None:
        flatten.tries = {**flatten.tries, name: number}
        self._dirty[flatten.key] = flatten
        intent = flatten_intent(
            correlation_id=flatten.flatten_id, symbol=symbol, held=held, margin=margin, decided_ms=flatten.decided_ms
        )
        intent = msgspec.structs.replace(intent, intent_id=_close_id(flatten, name, number))
        self._admit(Approved(intent=intent, settings_version=0))


def _view_of(flatten: FlattenRow) -> FlattenView:
    return FlattenView(
        flatten_id=flatten.flatten_id,
        symbol=flatten.symbol,
        left=tuple(symbol for symbol, _ in flatten.books),
        given_up=tuple(symbol for symbol, _ in flatten.given_up),
        last_cid=flatten.last_cid,
    )


def _close_id(flatten: FlattenRow, name: str, number: int) -> str:
    return f"flatten:{flatten.flatten_id}:{name}:{number}"


def closes(flatten: FlattenRow, row: OrderRow) -> bool:
    """Whether this order is one that closes for this wish."""
    return row.intent.intent_id.startswith(f"flatten:{flatten.flatten_id}:")
