"""Whose the coins are that the venue holds for us beyond, or short of, what our trades say, while history is silent.

The venue tells what is held in all. Orders that nobody has heard of since may have bought for one lot and sold of
another, so each lot holds something between two bounds, and often the sum leaves more than one way to share it.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

import msgspec

from genesis.domain.bracket import Levels, levels_of
from genesis.domain.order_brackets import OrderBrackets, lot_of
from genesis.domain.order_holdings import Book
from genesis.domain.order_lots import Claim, Explained, Lot, Sale, Shares, explained, shares_of
from genesis.domain.order_rows import BracketRow, OrderRow
from protocols.units import ZERO, Side, plain

NOTHING = Explained({}, {})
PRICE_S: Final = 0.5


class OrderGuesses(OrderBrackets):
    """Lots as they are for certain now, with what entries in doubt have bought."""

    _price_at: float | None = None
    """When to look again for a price without which some lot has no levels."""

    def _shares_now(self, book: Book) -> Shares:
        """`_shares` of what is certainly held now, with what entries in doubt have bought."""
        lots = self._lots_of(book)
        holding = self._holding(book)
        if not self._stands_in:
            return shares_of(holding, [Lot(lot.lot, lot.strategy, lot.quantity or ZERO) for lot in lots])
        sizes = self._explain(book).sizes
        return shares_of(holding, [Lot(lot.lot, lot.strategy, sizes.get(lot.lot, ZERO)) for lot in lots])

    def _explain(self, book: Book) -> Explained:
        """Whose what is held is, by lots; of entries in doubt, too, that have none yet."""
        holding = self._holding(book)
        if not holding:
            return NOTHING
        known = self._shares(book) if self.fills.held.get(book, ZERO) * holding > 0 else Shares((), ZERO)
        rows = [row for row in self._open.values() if (row.intent.symbol, row.intent.margin) == book]
        buying = [row for row in rows if row.intent.side.sign * holding > 0]
        bought: dict[str, Decimal] = {}
        for row in buying:
            if row.intent.bracket is not None:
                bought[lot_of(row.intent)] = bought.get(lot_of(row.intent), ZERO) + self._unaccounted(row)
        strategies = {lot.lot: lot.strategy for lot in self._lots_of(book)}
        strategies |= {lot_of(row.intent): row.intent.strategy for row in buying if lot_of(row.intent) in bought}
        has = {lot.name: lot.quantity for lot in known.lots}
        # A leg's lot is known; an exit may be any of its strategy's.
        sales = [
            Sale(strategy=row.intent.strategy, quantity=self._unaccounted(row), lot=row.lot if row.protects else None)
            for row in sorted(rows, key=lambda row: not row.protects)
            if row.intent.side.sign * holding < 0
        ]
        if holding != self.fills.held.get(book, ZERO) and self._all_done(book, holding):
            # All of it done comes to just what is there.
            all_bought = {name: has.get(name, ZERO) + bought.get(name, ZERO) for name in strategies}
            done = self._after(strategies, all_bought, known.rest, sales)
            return Explained({lot.name: lot.quantity for lot in shares_of(holding, done.lots).lots}, {})
        left = self._after(strategies, has, known.rest, sales)
        least = {lot.name: lot.quantity for lot in left.lots}
        claims = [
            Claim(
                name=name,
                least=least[name],
                most=has.get(name, ZERO) + bought.get(name, ZERO),
                reach=self._reach(book, holding, self._levels_now(book, name, buying)),
                bought=bool(bought.get(name)),
            )
            for name in strategies
        ]
        others = sum((self._unaccounted(row) for row in buying if row.intent.bracket is None), ZERO)
        return explained(abs(holding), claims, rest_least=left.rest, rest_most=known.rest + others)

    def _after(
        self, strategies: Mapping[str, str], has: Mapping[str, Decimal], rest: Decimal, sales: list[Sale]
    ) -> Shares:
        shares = Shares(tuple(Lot(name, strategies[name], has.get(name, ZERO)) for name in strategies), rest)
        for sale in sales:
            shares = shares.after(sale)
        return shares

    def _levels_now(self, book: Book, lot: str, buying: list[OrderRow]) -> Levels | None:
        """A lot's levels, or those that it would get of its entry in doubt; None while nobody can say."""
        bracket = next((bracket for bracket in self._lots_of(book) if bracket.lot == lot), None)
        if bracket is not None:
            return bracket.levels
        row = next(row for row in buying if row.intent.bracket is not None and lot_of(row.intent) == lot)
        price = self._likely_price(row)
        if price is None or row.intent.bracket is None:
            return None
        return levels_of(row.intent.bracket, side=row.intent.side, price=price)

    def _likely_price(self, row: OrderRow) -> Decimal | None:
        return row.price if self.touch is None or row.price else self.touch(row.intent.symbol, row.intent.side)

    def _reach(self, book: Book, holding: Decimal, levels: Levels | None) -> Decimal | None:
        """How far the stop of these levels is from the market; None without one."""
        if levels is None or not levels.guards:
            return None
        if levels.stop is None:
            return levels.trail
        side = Side.SELL if holding > 0 else Side.BUY
        front = None if self.touch is None else self.touch(book[0], side)
        # Without a market nobody knows how far, and still which of two is farther.
        return ((front or ZERO) - levels.stop) * (1 if holding > 0 else -1)

    def _guess_lots(self) -> None:
        """What the venue holds for us beyond our trades was bought by entries in doubt: their levels hold for it.

        No more than they can have bought, and nothing of what is held without any levels: that was there before.
        """
        books = {(row.intent.symbol, row.intent.margin): None for row in self._open.values()}
        self._price_at = None
        for book in books:
            found = self._explain(book)
            self._tell_unclear(book, found)
            holding = self._holding(book)
            for row in list(self._open.values()):
                intent = row.intent
                if intent.bracket is None or (intent.symbol, intent.margin) != book or intent.side.sign * holding <= 0:
                    continue
                bracket = self.brackets.get(self._lot_key(row))
                known = ZERO if bracket is None else bracket.quantity or ZERO
                price = self._likely_price(row)
                if price is None and bracket is None:
                    # The market tells nobody that it is known now.
                    self._price_at = self._now + PRICE_S
                if price is not None and (bracket is not None or found.sizes.get(lot_of(intent), ZERO) > known):
                    self._guess_lot(row, max(found.sizes.get(lot_of(intent), ZERO) - known, ZERO), price)

    def _guess_lot(self, row: OrderRow, quantity: Decimal, price: Decimal) -> None:
        before = self.brackets.get(self._lot_key(row))
        if before is None:
            self._add_to_lot(row, ZERO, price, self.fence.venue_ms or self._wall_ms)
        bracket = self.brackets[self._lot_key(row)]
        if before is None or bracket.guess != quantity:
            bracket.assumed = bracket.assumed or before is None
            bracket.guess = quantity
            self._dirty[bracket.key] = bracket

    def _sure_levels(self, bracket: BracketRow) -> Levels:
        """The levels that hold for a lot now. A target takes a profit, so it waits until it is known whose that is."""
        levels = bracket.levels
        if levels.target is None or not self._stands_in or not self._explain(bracket.book).unclear.get(bracket.lot):
            return levels
        return msgspec.structs.replace(levels, target=None)

    def _tell_unclear(self, book: Book, found: Explained) -> None:
        if not found.unclear or self._unclear.get(book) == self.fence.session:
            return
        self._unclear[book] = self.fence.session
        parts = ", ".join(f"{plain(quantity)} as of {lot}" for lot, quantity in found.unclear.items())
        text = f"{book[0]}: nobody can say whose coins are left until history answers; the farthest stop covers {parts}"
        self._out.alarms.append(("coins_unclear", text))
