"""How positions and what stands around them are shown: to readers, and to whoever looks for those nobody speaks for."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from genesis.domain.bracket import Leg, LegKind, LegState, Levels, covered
from genesis.domain.order_foresight import OrderForesight
from genesis.domain.order_holdings import Book
from genesis.domain.order_lots import REST
from genesis.domain.order_rows import BracketRow
from genesis.domain.order_wire import side_of
from protocols.trading import LotView, ProtectionView
from protocols.units import ZERO, Side, floor_amount


class OrderPositions(OrderForesight):
    """What the protector knows, as values."""

    def held_for(self) -> dict[str, tuple[str, ...]]:
        """Strategy -> the symbols that it holds something in. What people opened is under `manual`."""
        found: dict[str, set[str]] = {}
        for bracket in self.brackets.values():
            if bracket.lot != REST and floor_amount(bracket.quantity or ZERO):
                found.setdefault(bracket.strategy, set()).add(bracket.symbol)
        for row in self.plain.values():
            for strategy, quantity in row.owners.items():
                if floor_amount(quantity):
                    found.setdefault(strategy, set()).add(row.symbol)
        return {strategy: tuple(sorted(symbols)) for strategy, symbols in sorted(found.items())}

    def protection(self) -> tuple[ProtectionView, ...]:
        """Every position and what stands around it."""
        books = {book for book, held in self.fills.held.items() if floor_amount(abs(held))}
        books |= {bracket.book for bracket in self.brackets.values()}
        return tuple(self._protection_of(book) for book in sorted(books))

    def _protection_of(self, book: Book) -> ProtectionView:
        held = self._holding(book)
        side = side_of(-held) if held else Side.SELL
        sizes, rest = self._to_protect(book), self._shares(book).rest
        brackets, rows = self._brackets_of(book), self._legs(book)
        legs = [self._leg(row, side) for row in rows]
        of_lots: dict[str, list[Leg]] = {}
        for row, leg in zip(rows, legs, strict=True):
            of_lots.setdefault(row.lot, []).append(leg)
        lots = tuple([_lot_view(bracket, of_lots.get(bracket.lot, ()), sizes, rest) for bracket in brackets])
        if sizes:
            wanted = sum(sizes.values(), ZERO)
        elif not book[1]:
            wanted = floor_amount(max(held - sum((row.leaves for row in self._reducing(book)), ZERO), ZERO))
        else:
            wanted = floor_amount(abs(held))
        newest = brackets[-1].levels if brackets else Levels()
        return ProtectionView(
            symbol=book[0],
            margin=book[1],
            held=held,
            wanted=wanted,
            stopped=covered(legs),
            stops=sum(leg.state is LegState.RESTING and leg.kind is not LegKind.TARGET for leg in legs),
            stop_price=newest.stop,
            target_price=newest.target,
            trailing_distance=newest.trail or newest.follow,
            note=_note(lots, legs),
            lots=lots,
        )


def _lot_view(bracket: BracketRow, legs: Sequence[Leg], sizes: Mapping[str, Decimal], rest: Decimal) -> LotView:
    levels = bracket.levels
    return LotView(
        lot=bracket.lot,
        strategy=bracket.strategy,
        quantity=rest if bracket.quantity is None else bracket.quantity,
        wanted=sizes.get(bracket.lot, ZERO),
        stopped=covered(legs),
        stop_price=levels.stop,
        target_price=levels.target,
        trailing_distance=levels.trail or levels.follow,
        activation_price=levels.activation,
    )


def _note(lots: Sequence[LotView], legs: Sequence[Leg]) -> str:
    if not lots:
        return "no bracket"
    moving = [leg.state.value for leg in legs if leg.state is not LegState.RESTING]
    return ", ".join(moving)
