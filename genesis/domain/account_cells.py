"""What the account reads of the order actor's cells as it begins: fills, endings, orders that are not as ordered."""

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from genesis.domain.order_fills import HELD_KEY, read_held
from genesis.domain.order_rows import WantedChange
from genesis.domain.position import OPENING_KEY, Opening
from protocols.journal import CellWrite
from protocols.orders import TERMINAL_STATES, Adopted, Fill, OrderState
from protocols.units import ZERO, Symbol

ADOPTED_KEY = "adopted:"


class _NamedIntent(msgspec.Struct):
    intent_id: str
    symbol: Symbol = Symbol("")
    margin: bool = False


class KeptOrder(msgspec.Struct):
    """What matters here of an order's row."""

    intent: _NamedIntent
    state: OrderState
    updated_ms: int
    quantity: Decimal = ZERO
    filled: Decimal = ZERO
    price: Decimal | None = None
    change: int = 0
    update_out: bool = False
    wanted: WantedChange | None = None
    word_change: Decimal = ZERO

    @property
    def is_changing(self) -> bool:
        return self.update_out or self.wanted is not None


class _KeptFill(msgspec.Struct):
    fill: Fill | None = None


_KEPT_ORDERS = msgspec.json.Decoder(KeptOrder)
_ADOPTIONS = msgspec.json.Decoder(Adopted)
_OPENINGS = msgspec.json.Decoder(Opening)
_KEPT_FILLS = msgspec.json.Decoder(_KeptFill)


def read_order_cells(cells: Iterable[CellWrite]) -> tuple[list[Fill], list[str]]:
    """(every fill that was told, oldest first; the intents that ended, oldest first) of the order actor's cells."""
    fills, ended = fills_and_endings(cells)
    return sorted(fills, key=booking_order), [intent_id for _, intent_id in sorted(ended)]


def told_before(cells: Iterable[CellWrite]) -> tuple[list[Fill], dict[str, OrderState]]:
    """(every fill, the state of every order) that a journal holds, oldest first: all that a start tells once more."""
    cells = list(cells)
    kept = [_KEPT_ORDERS.decode(cell.payload) for cell in cells if cell.key.startswith("order:")]
    kept.sort(key=lambda order: order.updated_ms)
    return read_order_cells(cells)[0], {order.intent.intent_id: order.state for order in kept}


def booking_order(fill: Fill) -> tuple[int, int]:
    return fill.time_ms, fill.trade_id


def fills_and_endings(cells: Iterable[CellWrite]) -> tuple[list[Fill], list[tuple[int, str]]]:
    fills: list[Fill] = []
    ended: list[tuple[int, str]] = []
    for cell in cells:
        if cell.key.startswith("fill:"):
            fill = _KEPT_FILLS.decode(cell.payload).fill
            if fill is not None:
                fills.append(fill)
        elif cell.key.startswith("order:"):
            order = _KEPT_ORDERS.decode(cell.payload)
            if order.state in TERMINAL_STATES:
                ended.append((order.updated_ms, order.intent.intent_id))
    return fills, ended


def read_changed_orders(cells: Iterable[CellWrite]) -> list[KeptOrder]:
    """Open orders that are not what they were ordered as: changed, with no change under way, or traded in part."""
    kept = [_KEPT_ORDERS.decode(cell.payload) for cell in cells if cell.key.startswith("order:")]
    return [
        order
        for order in kept
        if order.state not in TERMINAL_STATES and (order.filled or (order.change and not order.is_changing))
    ]


def read_margin_held(cells: Iterable[CellWrite]) -> dict[Symbol, Decimal]:
    """What the order actor's cells say is held on margin, by symbol, by trades that were told.

    What it holds by the venue's word is left out: the trade of it is still to be told, and counts then.
    """
    found: dict[Symbol, Decimal] = {}
    for cell in cells:
        if cell.key.startswith(HELD_KEY):
            (symbol, margin), change = read_held(cell.key, cell.payload)
        elif cell.key.startswith("order:"):
            order = _KEPT_ORDERS.decode(cell.payload)
            symbol, margin, change = order.intent.symbol, order.intent.margin, -order.word_change
        else:
            continue
        if margin:
            found[symbol] = found.get(symbol, ZERO) + change
    return found


def read_adoptions(cells: Iterable[CellWrite]) -> list[Adopted]:
    """What was given from one strategy to another, in the order in which it was."""
    found = [_ADOPTIONS.decode(cell.payload) for cell in cells if cell.key.startswith(ADOPTED_KEY)]
    return sorted(found, key=lambda adopted: (adopted.time_ms, adopted.serial))


def read_openings(cells: Iterable[CellWrite]) -> list[Opening]:
    """What the order actor's cells say of fills that are kept no more, by symbol."""
    return [_OPENINGS.decode(cell.payload) for cell in cells if cell.key.startswith(OPENING_KEY)]
