"""Rows of the account channel (number 0) and of REST's account answers: read into messages, and written from them.

Positions are the venue's documentation of 2025. Reading accepts shorter and longer rows; writing pads to the full
length, because the common clients refuse shorter ones.
"""

from collections.abc import Callable, Iterable
from decimal import Decimal
from functools import partial
from typing import Any, Final, TypeVar

from protocols.bitfinex.errors import MalformedFrame
from protocols.bitfinex.funding_rows import FUNDING_KINDS, read_funding
from protocols.bitfinex.numbers import write_json
from protocols.bitfinex.plausible import order_fault, own_trade_fault, position_fault, wallet_fault
from protocols.bitfinex.rows import Row, Tolerance, rows_of
from protocols.funding import FundingEvent, MarginEvent
from protocols.orders import (
    OrderSnapshot,
    PositionSnapshot,
    RequestNotice,
    UnclearRow,
    VenueOrder,
    VenuePosition,
    VenueTrade,
    VenueWallet,
    WalletSnapshot,
)
from protocols.reference import PriceReached
from protocols.units import ZERO, Symbol

T = TypeVar("T")

ORDER_LENGTH: Final = 32
TRADE_LENGTH: Final = 12
POSITION_LENGTH: Final = 20
WALLET_LENGTH: Final = 7
NOTICE_LENGTH: Final = 8

FLAG_HIDDEN: Final = 64
FLAG_CLOSE: Final = 512
FLAG_REDUCE_ONLY: Final = 1024
FLAG_POST_ONLY: Final = 4096
FLAG_OCO: Final = 16384
FLAG_NO_VAR_RATES: Final = 524288

LEVERAGE_META: Final = "$F33"
POST_ONLY_META: Final = "$F7"

ORDER_REQUESTS: Final = frozenset({"on-req", "ou-req", "oc-req", "oc_multi-req", "ox_multi-req"})
"""Notifications whose INFO is an order row or a list of them."""

PRICE_ALERT: Final = "uca"
"""The notification of a price alert that fired: `[KEY, "price", SYMBOL, PRICE, COUNT, DIRECTION]`."""

AccountMessage = (
    VenueOrder
    | VenueTrade
    | VenueWallet
    | VenuePosition
    | OrderSnapshot
    | WalletSnapshot
    | PositionSnapshot
    | RequestNotice
    | PriceReached
    | FundingEvent
    | MarginEvent
)


# --- reading ------------------------------------------------------------------------------------------------------


def read_order(
    value: object, *, event: str, session: int, received_ns: int, tolerance: Tolerance | None = None
) -> VenueOrder:
    row = Row.of("order", value, ORDER_LENGTH, tolerance)
    symbol, remaining, original = row.text(3), row.decimal(6), row.decimal(7)
    price, average_price = row.decimal(16), row.decimal(17)
    trailing_distance, aux_limit_price = row.decimal(18), row.decimal(19)
    others = (remaining, trailing_distance, aux_limit_price)
    fault = order_fault(symbol, original, others, (price, average_price))
    if fault is not None:
        raise MalformedFrame(f"order {row.id(0)}: {fault}")
    meta = row.get(31)
    leverage = None
    if isinstance(meta, dict):
        # REST history prefixes the keys with an underscore.
        leverage = next((meta[key] for key in (LEVERAGE_META, "_" + LEVERAGE_META, "lev") if key in meta), None)
    return VenueOrder(
        event=event,
        session=session,
        venue_id=row.id(0),
        group_id=row.integer_or_none(1),
        cid=row.integer(2),
        symbol=Symbol(symbol),
        created_ms=row.integer(4),
        updated_ms=row.integer(5),
        remaining=remaining,
        original=original,
        wire_type=row.text(8),
        wire_type_before=row.text_or_none(9),
        expires_ms=row.integer_or_none(10),
        flags=row.integer(12),
        status=row.text(13),
        price=price,
        average_price=average_price,
        trailing_distance=trailing_distance,
        aux_limit_price=aux_limit_price,
        placed_id=row.integer_or_none(25),
        leverage=leverage if isinstance(leverage, int) and not isinstance(leverage, bool) else None,
        received_ns=received_ns,
    )


def read_trade(
    value: object, *, event: str, session: int, received_ns: int, tolerance: Tolerance | None = None
) -> VenueTrade:
    row = Row.of("trade", value, TRADE_LENGTH, tolerance)
    trade_id, time_ms, amount, price = row.id(0), row.integer(2), row.decimal(4), row.decimal(5)
    fault = own_trade_fault(trade_id, time_ms, amount, price)
    if fault is not None:
        raise MalformedFrame(f"own trade {trade_id} of order {row.id(3)}: {fault}")
    return VenueTrade(
        event=event,
        session=session,
        trade_id=trade_id,
        symbol=Symbol(row.text(1)),
        time_ms=time_ms,
        venue_order_id=row.id(3),
        amount=amount,
        price=price,
        wire_type=row.text(6),
        order_price=row.decimal(7),
        maker=row.integer(8) == 1,
        fee=row.decimal_or_none(9),
        fee_currency=row.text_or_none(10),
        cid=row.integer_or_none(11),
        received_ns=received_ns,
    )


def read_wallet(value: object, *, session: int, received_ns: int, tolerance: Tolerance | None = None) -> VenueWallet:
    row = Row.of("wallet", value, WALLET_LENGTH, tolerance)
    wallet_type, currency, balance = row.text(0), row.text(1), row.decimal(2)
    interest, available = row.decimal(3), row.decimal_or_none(4)
    fault = wallet_fault(wallet_type, currency, balance, (interest, available or ZERO))
    if fault is not None:
        raise MalformedFrame(f"wallet {wallet_type} {currency}: {fault}")
    return VenueWallet(
        session=session,
        wallet_type=wallet_type,
        currency=currency,
        balance=balance,
        unsettled_interest=interest,
        available=available,
        description=row.text_or_none(5),
        received_ns=received_ns,
    )


def read_position(
    value: object, *, session: int, received_ns: int, tolerance: Tolerance | None = None
) -> VenuePosition:
    row = Row.of("position", value, POSITION_LENGTH, tolerance)
    symbol, amount, base_price = row.text(0), row.decimal(2), row.decimal(3)
    fault = position_fault(symbol, amount, base_price)
    if fault is not None:
        raise MalformedFrame(f"position {symbol}: {fault}")
    return VenuePosition(
        session=session,
        symbol=Symbol(symbol),
        status=row.text(1),
        amount=amount,
        base_price=base_price,
        margin_funding=row.decimal(4),
        profit=row.decimal_or_none(6),
        liquidation_price=row.decimal_or_none(8),
        leverage=row.decimal_or_none(9),
        position_id=row.integer(11),
        derivative=row.integer(15) == 1,
        collateral=row.decimal_or_none(17),
        received_ns=received_ns,
    )


def read_each(
    name_of_all: str,
    value: object,
    read: Callable[[object], T],
    unclear: list[UnclearRow],
    *,
    name: int,
    ids: bool = False,
) -> tuple[T, ...]:
    """The rows that can be; of the others is put into `unclear` what they say they are about.

    One row must neither keep all others from being known nor be missing: what is missing is taken for gone. `name` is
    where a row names its symbol or currency, and `ids` says that it begins with an order's.
    """
    found: list[T] = []
    for item in rows_of(name_of_all, value):
        try:
            found.append(read(item))
        except MalformedFrame as error:
            row = Row(name_of_all, item if isinstance(item, list) else [])
            unclear.append(
                UnclearRow(
                    reason=str(error),
                    venue_id=_if_readable(row.integer_or_none, 0) if ids else None,
                    cid=_if_readable(row.integer_or_none, 2) if ids else None,
                    name=_if_readable(row.text, name) or "",
                    wallet_type=(_if_readable(row.text, 0) or "") if name == 1 else "",
                )
            )
    return tuple(found)


def _if_readable(read: Callable[[int], T], index: int) -> T | None:
    try:
        return read(index)
    except MalformedFrame:
        return None


def read_notice(value: object, *, session: int, received_ns: int, tolerance: Tolerance | None = None) -> RequestNotice:
    """A notification. REST wraps the order once more than the WebSocket does; both are read."""
    row = Row.of("notification", value, NOTICE_LENGTH, tolerance)
    kind = row.text(1)
    info = row.get(4)
    cid: int | None = None
    venue_ids: tuple[int, ...] = ()
    symbol: str | None = None
    amount: Decimal | None = None
    group_id: int | None = None
    if kind in ORDER_REQUESTS and isinstance(info, list) and info:
        rows = info if isinstance(info[0], list) else [info]
        read = [Row.of("request", item, ORDER_LENGTH, None) for item in rows if isinstance(item, list)]
        # An ox_multi answer holds notifications, whose second element names a request where an order has its group.
        orders = [item for item in read if not (isinstance(item.get(1), str) and item.get(1).endswith("-req"))]
        venue_ids = tuple(number for item in orders if (number := item.integer_or_none(0)) is not None)
        if len(orders) == 1:
            (order,) = orders
            cid = order.integer_or_none(2)
            # A refusal echoes what was asked, nonsense of any client included; the word itself must be heard.
            group_id = _if_readable(order.integer_or_none, 1)
            symbol, amount = _if_readable(order.text_or_none, 3), _if_readable(order.decimal_or_none, 6)
    return RequestNotice(
        session=session,
        kind=kind,
        status=row.text(6),
        text=row.text(7),
        cid=cid,
        venue_id=venue_ids[0] if venue_ids else None,
        venue_ids=venue_ids,
        code=row.integer_or_none(5),
        symbol=symbol,
        amount=amount,
        group_id=group_id,
        received_ns=received_ns,
    )


def read_notification(
    value: object, *, session: int, received_ns: int, tolerance: Tolerance | None = None
) -> RequestNotice | PriceReached:
    """A notification of the WebSocket: an alert that fired where it is one, else what `read_notice` says."""
    row = Row.of("notification", value, NOTICE_LENGTH, tolerance)
    info = row.get(4)
    if row.get(1) == PRICE_ALERT and isinstance(info, list):
        alert = Row("alert", info)
        level = Row("alert", [str(info[0]).rpartition(":")[2] if info else None])
        symbol = _if_readable(alert.text_or_none, 2)
        reached, price = _if_readable(level.decimal_or_none, 0), _if_readable(alert.decimal_or_none, 3)
        if symbol and reached is not None and price is not None and len(info) > 5:
            return PriceReached(session=session, symbol=symbol, level=reached, price=price, received_ns=received_ns)
    return read_notice(value, session=session, received_ns=received_ns)


_ONE: Final[dict[str, Callable[..., AccountMessage]]] = {
    "pn": read_position,
    "pu": read_position,
    "pc": read_position,
    "wu": read_wallet,
    "n": read_notification,
}
RETIRED_KINDS: Final = frozenset({"hos", "hfos", "hfcs", "hfls", "hts", "hfts", "mis", "fis", "bs", "uac", "ats"})
"""Snapshots of 2017, no longer sent, and the empty one of algorithmic orders: nothing is read of them."""


def read_account(
    kind: str, payload: object, *, session: int, received_ns: int, tolerance: Tolerance
) -> AccountMessage | None:
    """The message of one channel-0 frame; None for kinds that carry nothing for us. Raises MalformedFrame."""
    if kind in ("on", "ou", "oc"):
        return read_order(payload, event=kind, session=session, received_ns=received_ns, tolerance=tolerance)
    if kind in ("te", "tu"):
        return read_trade(payload, event=kind, session=session, received_ns=received_ns, tolerance=tolerance)
    if kind in _ONE:
        return _ONE[kind](payload, session=session, received_ns=received_ns, tolerance=tolerance)
    unclear: list[UnclearRow] = []
    if kind == "os":
        read = partial(read_order, event="os", session=session, received_ns=received_ns, tolerance=tolerance)
        orders = read_each("os", payload, read, unclear, name=3, ids=True)
        return OrderSnapshot(session=session, orders=orders, received_ns=received_ns, unclear=tuple(unclear))
    if kind == "ws":
        read_one = partial(read_wallet, session=session, received_ns=received_ns, tolerance=tolerance)
        wallets = read_each("ws", payload, read_one, unclear, name=1)
        return WalletSnapshot(session=session, wallets=wallets, received_ns=received_ns, unclear=tuple(unclear))
    if kind == "ps":
        read_held = partial(read_position, session=session, received_ns=received_ns, tolerance=tolerance)
        positions = read_each("ps", payload, read_held, unclear, name=0)
        return PositionSnapshot(session=session, positions=positions, received_ns=received_ns, unclear=tuple(unclear))
    if kind in FUNDING_KINDS:
        return read_funding(kind, payload, session=session, received_ns=received_ns, tolerance=tolerance)
    if kind not in RETIRED_KINDS:
        tolerance.unknown_kinds += 1
    return None


# --- writing ------------------------------------------------------------------------------------------------------


def order_row(order: VenueOrder, *, routing: str = "API>BFX") -> list[Any]:
    """The 32 elements of an order."""
    meta: dict[str, int] = {}
    if order.flags & FLAG_POST_ONLY:
        meta[POST_ONLY_META] = 1
    if order.leverage is not None:
        meta[LEVERAGE_META] = order.leverage
    row: list[Any] = [None] * ORDER_LENGTH
    row[0:10] = [
        order.venue_id,
        order.group_id,
        order.cid,
        order.symbol,
        order.created_ms,
        order.updated_ms,
        order.remaining,
        order.original,
        order.wire_type,
        order.wire_type_before,
    ]
    row[10] = order.expires_ms
    row[12:14] = [order.flags, order.status]
    row[16:20] = [order.price, order.average_price, order.trailing_distance, order.aux_limit_price]
    row[23] = 0
    row[24] = 1 if order.flags & FLAG_HIDDEN else 0
    row[25] = order.placed_id
    row[28] = routing
    row[31] = meta or None
    return row


def refused_order_row(
    *,
    cid: int | None = None,
    venue_id: int | None = None,
    symbol: str | None = None,
    amount: Decimal | None = None,
    wire_type: str | None = None,
    group_id: int | None = None,
) -> list[Any]:
    """The order in a notification that refuses it: padded with null to the full length, the cid sent back."""
    row: list[Any] = [None] * ORDER_LENGTH
    row[0:4] = [venue_id, group_id, cid, symbol]
    row[6] = amount
    row[8] = wire_type
    return row


def trade_row(trade: VenueTrade) -> list[Any]:
    """The 12 elements of an own trade; `te` never shows the fee."""
    told = trade.event != "te"
    return [
        trade.trade_id,
        trade.symbol,
        trade.time_ms,
        trade.venue_order_id,
        trade.amount,
        trade.price,
        trade.wire_type,
        trade.order_price,
        1 if trade.maker else -1,
        trade.fee if told else None,
        trade.fee_currency if told else None,
        trade.cid,
    ]


def wallet_row(wallet: VenueWallet, *, meta: dict[str, Any] | None = None) -> list[Any]:
    """The 7 elements of a wallet."""
    return [
        wallet.wallet_type,
        wallet.currency,
        wallet.balance,
        wallet.unsettled_interest,
        wallet.available,
        wallet.description,
        meta,
    ]


def position_row(position: VenuePosition, *, created_ms: int | None = None, updated_ms: int | None = None) -> list[Any]:
    """The 20 elements of a position."""
    row: list[Any] = [None] * POSITION_LENGTH
    row[0:7] = [
        position.symbol,
        position.status,
        position.amount,
        position.base_price,
        position.margin_funding,
        0,
        position.profit,
    ]
    row[8:10] = [position.liquidation_price, position.leverage]
    row[11:14] = [position.position_id, created_ms, updated_ms]
    row[15] = 1 if position.derivative else 0
    row[17] = position.collateral if position.collateral is not None else 0
    return row


def notice_row(
    kind: str, info: Any, status: str, text: str, *, time: int, code: int | None = None, message_id: int | None = None
) -> list[Any]:
    """The 8 elements of a notification. `time` in ms on the WebSocket, in seconds in REST's order/submit answer."""
    return [time, kind, message_id, None, info, code, status, text]


def account_frame(kind: str, payload: Any, numbers: Iterable[int] = ()) -> bytes:
    """A frame of channel 0; `numbers` are the sequence numbers and the time stamp, in this order, as flags demand."""
    return write_json([0, kind, payload, *numbers])


def account_heartbeat(numbers: Iterable[int] = ()) -> bytes:
    return write_json([0, "hb", *numbers])
