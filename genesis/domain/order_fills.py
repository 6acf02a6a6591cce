"""The book of our trades: each is told once, with its fee, however often and in whichever order the venue tells it."""

from collections.abc import Iterator
from decimal import Decimal

import msgspec

from genesis.domain.order_rows import FillRow, OrderRow, fill_key, fill_of
from protocols.orders import Fill, VenueTrade
from protocols.units import ZERO, Symbol, base_currency


class FillBook:
    """Trades by (trade id, order id), and what is held by their sum.

    `te`, `tu` and the row of REST are one trade: the first that carries a fee completes it. What is complete and whose
    order is known is told; the rest waits in `untold`.
    """

    def __init__(self) -> None:
        self.rows: dict[str, FillRow] = {}
        self.untold: dict[str, FillRow] = {}
        self.held: dict[tuple[Symbol, bool], Decimal] = {}
        self._conflicts: set[str] = set()
        self._sides: dict[int, int] = {}

    @property
    def conflicts_total(self) -> int:
        """Trades of which the venue told two stories."""
        return len(self._conflicts)

    def restore(self, row: FillRow) -> None:
        """Take in a row that the journal kept."""
        self.rows[row.key] = row
        if row.fill is None:
            self.untold[row.key] = row
        else:
            self._count(row, 1)

    def _count(self, row: FillRow, change: int) -> None:
        trade_id = row.trade.trade_id
        self._sides[trade_id] = self._sides.get(trade_id, 0) + change
        if not self._sides[trade_id]:
            del self._sides[trade_id]

    def has_twin(self, row: FillRow) -> bool:
        """True when the other side of this trade is ours, too, and has been told."""
        return self._sides.get(row.trade.trade_id, 0) > (0 if row.fill is None else 1)

    def hear(self, trade: VenueTrade, now: float, check_at: float) -> FillRow | None:
        """The row of this trade when it said something new, None when all of it was known."""
        key = fill_key(trade.trade_id, trade.venue_order_id)
        row = self.rows.get(key)
        if row is None:
            row = FillRow(trade=trade, since_at=now, check_at=check_at)
            self.rows[key] = self.untold[key] = row
            return row
        if (row.trade.amount, row.trade.price) != (trade.amount, trade.price):
            # One id, two stories. What is told or complete stays; before that the complete one counts, because the
            # venue says `te` in haste, and without a fee it would wait for ever. Either way somebody should look.
            self._conflicts.add(key)
        if row.fill is not None or row.has_fee or trade.fee is None or trade.fee_currency is None:
            return None
        row.trade = trade
        return row

    def tell(self, row: FillRow, order: OrderRow | None, no_basis: Decimal = ZERO) -> Fill:
        """Book a complete trade to its order (None: a foreign one) and to what is held; `no_basis` is as in `Fill`."""
        assert row.fill is None, f"trade {row.trade.trade_id} must be told once"
        fill = fill_of(row.trade, order, no_basis)
        row.fill = fill
        row.check_at = None
        del self.untold[row.key]
        self._count(row, 1)
        if order is not None:
            order.filled += fill.quantity
            order.cost += fill.quantity * fill.price
            self._hold(fill, order.intent.margin)
        return fill

    def _hold(self, fill: Fill, margin: bool) -> None:
        change = (fill.quantity - fill.no_basis) * fill.side.sign
        # In the exchange wallet a buy's fee is taken from the coins received: what can be sold again is less.
        if not margin and fill.fee_currency == base_currency(fill.symbol):
            change += fill.fee
        book = (fill.symbol, margin)
        self.held[book] = self.held.get(book, ZERO) + change

    def of_order(self, venue_ids: tuple[int, ...]) -> Iterator[FillRow]:
        """Complete trades of these orders that wait to be told, in the order in which they were heard."""
        if self.untold:
            for row in list(self.untold.values()):
                if row.trade.venue_order_id in venue_ids and row.has_fee:
                    yield row

    def forget_before(self, time_ms: int, keep: int) -> list[FillRow]:
        """Let go of told trades older than `time_ms`, but never of the newest `keep`. Gives them, oldest first."""
        spare = len(self.rows) - keep
        if spare <= 0:
            return []
        old = [row for row in self.rows.values() if row.fill is not None and row.trade.time_ms < time_ms]
        # In the order in which the account books them: what is let go of must be the beginning of its sum.
        old.sort(key=lambda row: (row.trade.time_ms, row.trade.trade_id))
        gone = old[:spare]
        for row in gone:
            self._count(self.rows.pop(row.key), -1)
        return gone


HELD_KEY = "held:"


def held_key(symbol: Symbol, margin: bool) -> str:
    """The name of the cell of what is held of a symbol in a wallet."""
    return f"{HELD_KEY}{symbol}:{'margin' if margin else 'exchange'}"


def read_held(key: str, payload: bytes) -> tuple[tuple[Symbol, bool], Decimal]:
    """The reverse of `held_key`, with its amount. Symbols hold colons too."""
    _, rest = key.split(":", 1)
    symbol, wallet = rest.rsplit(":", 1)
    return (Symbol(symbol), wallet == "margin"), msgspec.json.decode(payload, type=Decimal)
