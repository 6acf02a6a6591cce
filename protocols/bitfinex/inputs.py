"""What a client asks on the account channel: `[0, TYPE, null, BODY]`, written by our client and read by our venue."""

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import msgspec

from protocols.bitfinex.account import FLAG_HIDDEN, FLAG_OCO, FLAG_POST_ONLY
from protocols.bitfinex.errors import InputRefused, LocalProtocolError, MalformedFrame
from protocols.bitfinex.numbers import read_json, wire_decimal, write_json
from protocols.bitfinex.symbols import is_funding_symbol, is_trading_symbol
from protocols.orders import CancelOrder, CommandBatch, SubmitOrder, UpdateOrder, VenueCommand, commands_of
from protocols.units import plain

LARGEST_CID: Final = 2**45 - 1
LARGEST_CALC_BATCH: Final = 30
LARGEST_MULTI: Final = 75

_BASE_TYPES: Final = ("LIMIT", "MARKET", "STOP", "STOP LIMIT", "TRAILING STOP", "FOK", "IOC")
ORDER_TYPES: Final = frozenset({*_BASE_TYPES, *(f"EXCHANGE {name}" for name in _BASE_TYPES)})
_encode: Final = msgspec.json.Encoder().encode
FUNDING_TYPES: Final = frozenset({"LIMIT", "FRRDELTAVAR", "FRRDELTAFIX"})


# --- client side: our commands to bytes ---------------------------------------------------------------------------


def submit_fields(order: SubmitOrder) -> dict[str, Any]:
    """The body of `on`, and of REST's order/submit. Amounts and prices go as decimal text."""
    if not 0 < order.cid <= LARGEST_CID:
        raise LocalProtocolError(f"cid must be in 1..{LARGEST_CID}, was {order.cid}")
    fields: dict[str, Any] = {
        "cid": order.cid,
        "type": order.wire_type,
        "symbol": order.symbol,
        "amount": plain(order.amount),
    }
    if order.group_id:
        fields["gid"] = order.group_id
    flags = order.flags
    if order.price is not None:
        fields["price"] = plain(order.price)
    if order.trailing_distance is not None:
        fields["price_trailing"] = plain(order.trailing_distance)
    if order.aux_limit_price is not None:
        fields["price_aux_limit"] = plain(order.aux_limit_price)
    if order.oco_stop_price is not None:
        fields["price_oco_stop"] = plain(order.oco_stop_price)
        flags |= FLAG_OCO
    if flags:
        fields["flags"] = flags
    if order.leverage is not None:
        fields["lev"] = order.leverage
    if order.expires_ms is not None:
        fields["tif"] = write_time(order.expires_ms)
    return fields


def cancel_fields(order: CancelOrder) -> dict[str, Any]:
    """The body of `oc`, and of REST's order/cancel: the venue's id when known, else cid with its day."""
    if order.venue_id is not None:
        return {"id": order.venue_id}
    return {"cid": order.cid, "cid_date": order.cid_date}


def update_fields(order: UpdateOrder) -> dict[str, Any]:
    """The body of `ou`, and of REST's order/update. Flags always go: an update without them clears them."""
    fields: dict[str, Any] = {"id": order.venue_id}
    if order.price is not None:
        fields["price"] = plain(order.price)
    if order.amount is not None:
        fields["amount"] = plain(order.amount)
    fields["flags"] = order.flags
    return fields


def command_fields(command: SubmitOrder | CancelOrder | UpdateOrder) -> tuple[str, dict[str, Any]]:
    """The input's type and body."""
    if isinstance(command, SubmitOrder):
        return "on", submit_fields(command)
    if isinstance(command, CancelOrder):
        return "oc", cancel_fields(command)
    return "ou", update_fields(command)


class WrittenCommand(msgspec.Struct, frozen=True, eq=False):
    """A command's text, made before there was need of it. It is that of this very object, and of no other like it."""

    command: VenueCommand
    frame: bytes


def write_ahead(command: VenueCommand) -> WrittenCommand | None:
    """`encode_command` while nobody waits for it; None of one that cannot be written."""
    try:
        return WrittenCommand(command, encode_command(command))
    except LocalProtocolError:
        return None


def encode_command(command: VenueCommand) -> bytes:
    if isinstance(command, SubmitOrder):
        return _encoded([0, "on", None, submit_fields(command)])
    if isinstance(command, CommandBatch):
        return encode_multi(command.commands)
    kind, fields = command_fields(command)
    return _encoded([0, kind, None, fields])


def _encoded(command: list[Any]) -> bytes:
    frame = _encode(command)
    # Nothing but whole numbers and text is in it, of which `write_json` makes the same bytes, more slowly.
    return frame if frame.isascii() else write_json(command)


def cancel_many_fields(
    *,
    venue_ids: Iterable[int] = (),
    cids: Iterable[tuple[int, str]] = (),
    group_ids: Iterable[int] = (),
    everything: bool = False,
) -> dict[str, Any]:
    """The body of `oc_multi`. `everything` cancels all orders of the whole account, not only ours."""
    fields: dict[str, Any] = {}
    if ids := list(venue_ids):
        fields["id"] = ids
    if pairs := [[cid, day] for cid, day in cids]:
        fields["cid"] = pairs
    if groups := list(group_ids):
        fields["gid"] = groups
    if everything:
        fields["all"] = 1
    if not fields:
        raise LocalProtocolError("oc_multi must name at least one order, was empty")
    return fields


def encode_cancel_many(fields: dict[str, Any]) -> bytes:
    return write_json([0, "oc_multi", None, fields])


def encode_multi(commands: Iterable[VenueCommand]) -> bytes:
    """`ox_multi`: several commands in one frame."""
    operations = [list(command_fields(each)) for command in commands for each in commands_of(command)]
    if not 0 < len(operations) <= LARGEST_MULTI:
        raise LocalProtocolError(f"ox_multi must hold 1..{LARGEST_MULTI} commands, was {len(operations)}")
    return _encoded([0, "ox_multi", None, operations])


def encode_calc(keys: Iterable[str]) -> bytes:
    """`calc`: ask for calculated values, as `margin_base`, `margin_sym_tBTCUSD`, `wallet_exchange_USD`, `balance`."""
    batch = [[key] for key in keys]
    if not 0 < len(batch) <= LARGEST_CALC_BATCH:
        raise LocalProtocolError(f"calc must hold 1..{LARGEST_CALC_BATCH} keys, was {len(batch)}")
    return write_json([0, "calc", None, batch])


# --- server side: bytes to what was asked -------------------------------------------------------------------------


class NewOrder(msgspec.Struct, frozen=True, kw_only=True):
    """`on`, checked. `cid` is None when the client gave none; `amount` is signed; hidden and OCO are in `flags`."""

    cid: int | None
    group_id: int | None
    symbol: str
    wire_type: str
    amount: Decimal
    price: Decimal | None = None
    aux_limit_price: Decimal | None = None
    trailing_distance: Decimal | None = None
    oco_stop_price: Decimal | None = None
    flags: int = 0
    leverage: int | None = None
    expires_ms: int | None = None
    meta: dict[str, Any] | None = None


class ChangeOrder(msgspec.Struct, frozen=True, kw_only=True):
    """`ou`: `amount` is the new remaining amount, `delta` a change of it; both signed. None leaves as it is."""

    venue_id: int | None
    cid: int | None
    cid_date: str | None
    group_id: int | None = None
    price: Decimal | None = None
    amount: Decimal | None = None
    delta: Decimal | None = None
    aux_limit_price: Decimal | None = None
    trailing_distance: Decimal | None = None
    flags: int = 0
    leverage: int | None = None
    expires_ms: int | None = None
    meta: dict[str, Any] | None = None


class EndOrder(msgspec.Struct, frozen=True, kw_only=True):
    """`oc`: by id, or by cid and the UTC day it was created."""

    venue_id: int | None
    cid: int | None
    cid_date: str | None


class EndOrders(msgspec.Struct, frozen=True, kw_only=True):
    """`oc_multi`."""

    venue_ids: tuple[int, ...] = ()
    cids: tuple[tuple[int, str], ...] = ()
    group_ids: tuple[int, ...] = ()
    everything: bool = False


class Calculate(msgspec.Struct, frozen=True, kw_only=True):
    """`calc`."""

    keys: tuple[str, ...]


class NewOffer(msgspec.Struct, frozen=True, kw_only=True):
    """`fon`: `amount` above zero lends, below borrows; `rate` per day."""

    wire_type: str
    symbol: str
    amount: Decimal
    rate: Decimal
    period: int
    flags: int = 0


class EndOffer(msgspec.Struct, frozen=True, kw_only=True):
    """`foc`."""

    venue_id: int


class Broadcast(msgspec.Struct, frozen=True, kw_only=True):
    """`n`: a user's own message to all sockets of the same account."""

    message_id: int | None
    kind: str
    info: Any


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """One operation of an `ox_multi` that could not be read; the others stand."""

    error: InputRefused


Operation = NewOrder | ChangeOrder | EndOrder | EndOrders


class MultiOperation(msgspec.Struct, frozen=True, kw_only=True):
    """`ox_multi`, in order."""

    operations: tuple[Operation | Refused, ...]


Input = Operation | MultiOperation | Calculate | NewOffer | EndOffer | Broadcast


def read_input(value: object) -> Input:
    """Check `[0, TYPE, ID, BODY]` as the venue does.

    Raises InputRefused with the venue's text (`price: invalid`), MalformedFrame on what is no input at all.
    """
    if not isinstance(value, list) or len(value) < 4 or value[0] != 0 or not isinstance(value[1], str):
        raise MalformedFrame("input must be [0, type, null, body]")
    kind, message_id, body = value[1], value[2], value[3]
    if kind == "ox_multi":
        return MultiOperation(operations=_read_operations(body))
    if kind == "calc":
        return Calculate(keys=_read_calc(body))
    if not isinstance(body, dict):
        raise InputRefused(f"{kind}-req", "input: invalid")
    if kind in ("on", "ou", "oc", "oc_multi"):
        return read_operation(kind, body)
    fields = _Fields(f"{kind}-req", body)
    if kind == "fon":
        return _read_offer(fields)
    if kind == "foc":
        return EndOffer(venue_id=fields.needed_integer("id"))
    if kind == "n":
        name = body.get("type")
        if not isinstance(name, str) or not name.startswith("ucm-"):
            raise InputRefused("n-req", "type: invalid", body)
        known = isinstance(message_id, int) and not isinstance(message_id, bool)
        return Broadcast(message_id=message_id if known else None, kind=name, info=body.get("info"))
    raise InputRefused(f"{kind[:20]}-req", "input: invalid", body)


def decode_input(frame: bytes | str) -> Input:
    return read_input(read_json(frame))


def read_operation(kind: str, body: object) -> Operation:
    """The body of `on`, `ou`, `oc` or `oc_multi`, from the WebSocket or from a REST request."""
    if not isinstance(body, dict):
        raise InputRefused(f"{kind}-req", "input: invalid")
    fields = _Fields(f"{kind}-req", body)
    if kind == "on":
        return _read_new(fields)
    if kind == "ou":
        return _read_change(fields)
    if kind == "oc":
        return EndOrder(**_read_name(fields))
    if kind == "oc_multi":
        return _read_end_many(fields)
    raise InputRefused(f"{kind[:20]}-req", "input: invalid", body)


class _Fields:
    """The named fields of one body; each getter refuses with the venue's `name: invalid`."""

    def __init__(self, kind: str, body: dict[str, Any]) -> None:
        self.kind = kind
        self.body = body

    def refuse(self, name: str) -> InputRefused:
        return InputRefused(self.kind, f"{name}: invalid", self.body)

    def integer(self, name: str, *, text_allowed: bool = True) -> int | None:
        value = self.body.get(name)
        if value is None:
            return None
        if isinstance(value, str) and text_allowed and value.isascii() and value.isdigit() and len(value) < 20:
            return int(value)
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63:
            return value
        if isinstance(value, Decimal) and value == value.to_integral_value() and 0 <= value < 2**63:
            return int(value)
        raise self.refuse(name)

    def needed_integer(self, name: str) -> int:
        number = self.integer(name)
        if number is None:
            raise self.refuse(name)
        return number

    def cid(self) -> int | None:
        # The venue refuses a cid in quotes, and one above 45 bits.
        cid = self.integer("cid", text_allowed=False)
        if cid is not None and cid > LARGEST_CID:
            raise self.refuse("cid")
        return cid

    def decimal(self, name: str) -> Decimal | None:
        """A number, given as text or as a number; clients do both."""
        value = self.body.get(name)
        if value is None or value == "":
            return None
        if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
            raise self.refuse(name)
        try:
            return wire_decimal(value if isinstance(value, str) else str(value))
        except MalformedFrame:
            raise self.refuse(name) from None

    def positive(self, name: str) -> Decimal | None:
        """A price: above zero; zero counts as not given (clients send it with market orders)."""
        number = self.decimal(name)
        if number is None or number == 0:
            return None
        if number < 0:
            raise self.refuse(name)
        return number

    def flags(self) -> int:
        flags = self.integer("flags") or 0
        # Before there were flags there were fields of their own; old clients still send them.
        if self.body.get("hidden") in (1, True):
            flags |= FLAG_HIDDEN
        if self.body.get("postonly") in (1, True):
            flags |= FLAG_POST_ONLY
        return flags

    def expiry(self) -> int | None:
        value = self.body.get("tif")
        if value is None:
            return None
        if isinstance(value, int) and not isinstance(value, bool):
            return value if 0 < value < 2**53 else None
        time_ms = read_time(value) if isinstance(value, str) else None
        if time_ms is None:
            raise self.refuse("tif")
        return time_ms

    def day(self) -> str | None:
        value = self.body.get("cid_date")
        if value is None:
            return None
        if not isinstance(value, str) or len(value) != 10 or read_time(value) is None:
            raise self.refuse("cid_date")
        return value

    def leverage(self) -> int | None:
        leverage = self.integer("lev")
        if leverage is not None and not 1 <= leverage <= 100:
            raise self.refuse("lev")
        return leverage

    def meta(self) -> dict[str, Any] | None:
        value = self.body.get("meta")
        if value is not None and not isinstance(value, dict):
            raise self.refuse("meta")
        return value


def _read_new(fields: _Fields) -> NewOrder:
    cid = fields.cid()
    wire_type = fields.body.get("type")
    if not isinstance(wire_type, str) or wire_type.upper() not in ORDER_TYPES:
        raise fields.refuse("type")
    wire_type = wire_type.upper()
    symbol = fields.body.get("symbol")
    if not isinstance(symbol, str) or not is_trading_symbol(symbol):
        raise fields.refuse("symbol")
    amount = fields.decimal("amount")
    if amount is None or amount == 0:
        raise fields.refuse("amount")
    price = fields.positive("price")
    trailing = fields.positive("price_trailing")
    aux_limit = fields.positive("price_aux_limit")
    oco_stop = fields.positive("price_oco_stop")
    base = wire_type.removeprefix("EXCHANGE ")
    if price is None and base in ("LIMIT", "STOP", "STOP LIMIT", "FOK", "IOC"):
        raise fields.refuse("price")
    if trailing is None and base == "TRAILING STOP":
        raise fields.refuse("price_trailing")
    if aux_limit is None and base == "STOP LIMIT":
        raise fields.refuse("price_aux_limit")
    flags = fields.flags()
    if flags & FLAG_OCO and (base != "LIMIT" or oco_stop is None):
        raise fields.refuse("price_oco_stop")
    return NewOrder(
        cid=cid,
        group_id=fields.integer("gid"),
        symbol=symbol,
        wire_type=wire_type,
        amount=amount,
        price=price,
        aux_limit_price=aux_limit,
        trailing_distance=trailing,
        oco_stop_price=oco_stop if flags & FLAG_OCO else None,
        flags=flags,
        leverage=fields.leverage(),
        expires_ms=fields.expiry(),
        meta=fields.meta(),
    )


def _read_name(fields: _Fields) -> dict[str, Any]:
    venue_id = fields.integer("id")
    cid = fields.cid()
    day = fields.day()
    if venue_id is None:
        if cid is None:
            raise fields.refuse("id")
        if day is None:
            raise fields.refuse("cid_date")
    return {"venue_id": venue_id, "cid": cid, "cid_date": day}


def _read_change(fields: _Fields) -> ChangeOrder:
    return ChangeOrder(
        **_read_name(fields),
        group_id=fields.integer("gid"),
        price=fields.positive("price"),
        amount=fields.decimal("amount"),
        delta=fields.decimal("delta"),
        aux_limit_price=fields.positive("price_aux_limit"),
        trailing_distance=fields.positive("price_trailing"),
        flags=fields.flags(),
        leverage=fields.leverage(),
        expires_ms=fields.expiry(),
        meta=fields.meta(),
    )


def _read_end_many(fields: _Fields) -> EndOrders:
    body = fields.body
    cids: list[tuple[int, str]] = []
    for pair in _list(fields, "cid"):
        if not isinstance(pair, list) or len(pair) != 2:
            raise fields.refuse("cid")
        named = _Fields(fields.kind, {"cid": pair[0], "cid_date": pair[1]})
        cid, day = named.cid(), named.day()
        if cid is None or day is None:
            raise fields.refuse("cid")
        cids.append((cid, day))
    # One official client sends ids as text, or one id bare.
    venue_ids = tuple(_Fields(fields.kind, {"id": item}).needed_integer("id") for item in _list(fields, "id"))
    groups: list[Any] = []
    for item in _list(fields, "gid"):
        # Bitfinex.Net says them as a list in the list.
        groups += item if isinstance(item, list) else [item]
    group_ids = tuple(_Fields(fields.kind, {"gid": item}).needed_integer("gid") for item in groups)
    everything = body.get("all") in (1, True)
    if not (cids or venue_ids or group_ids or everything):
        raise fields.refuse("id")
    return EndOrders(venue_ids=venue_ids, cids=tuple(cids), group_ids=group_ids, everything=everything)


def _list(fields: _Fields, name: str) -> list[Any]:
    value = fields.body.get(name)
    if value is None:
        return []
    if isinstance(value, int) and not isinstance(value, bool):
        return [value]
    if not isinstance(value, list):
        raise fields.refuse(name)
    return value


def _read_operations(body: object) -> tuple[Operation | Refused, ...]:
    if not isinstance(body, list) or not 0 < len(body) <= LARGEST_MULTI:
        raise InputRefused("ox_multi-req", "ops: invalid")
    operations: list[Operation | Refused] = []
    for item in body:
        try:
            if not isinstance(item, list) or len(item) < 2 or not isinstance(item[0], str):
                raise InputRefused("ox_multi-req", "input: invalid")
            operations.append(read_operation(item[0], item[1]))
        except InputRefused as error:
            operations.append(Refused(error=error))
    return tuple(operations)


def read_multi(body: object) -> MultiOperation:
    """The body of REST's order/multi: `{"ops": [[type, fields], ...]}`."""
    return MultiOperation(operations=_read_operations(body.get("ops") if isinstance(body, dict) else None))


def _read_calc(body: object) -> tuple[str, ...]:
    if not isinstance(body, list) or not 0 < len(body) <= LARGEST_CALC_BATCH:
        raise InputRefused("calc-req", "calc: invalid")
    keys: list[str] = []
    for item in body:
        key = item[0] if isinstance(item, list) and item else item
        if not isinstance(key, str):
            raise InputRefused("calc-req", "calc: invalid")
        keys.append(key)
    return tuple(keys)


def _read_offer(fields: _Fields) -> NewOffer:
    wire_type = fields.body.get("type")
    if not isinstance(wire_type, str) or wire_type not in FUNDING_TYPES:
        raise fields.refuse("type")
    symbol = fields.body.get("symbol")
    if not isinstance(symbol, str) or not is_funding_symbol(symbol):
        raise fields.refuse("symbol")
    amount = fields.decimal("amount")
    if amount is None or amount == 0:
        raise fields.refuse("amount")
    rate = fields.decimal("rate")
    if rate is None:
        raise fields.refuse("rate")
    period = fields.needed_integer("period")
    if not 2 <= period <= 120:
        raise fields.refuse("period")
    return NewOffer(wire_type=wire_type, symbol=symbol, amount=amount, rate=rate, period=period, flags=fields.flags())


# --- times in text ------------------------------------------------------------------------------------------------


def write_time(time_ms: int) -> str:
    """`YYYY-MM-DD HH:MM:SS` in UTC, the text of `tif`."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def write_day(time_ms: int) -> str:
    """`YYYY-MM-DD` in UTC, the text of `cid_date`."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%d")


def read_time(text: str) -> int | None:
    """Milliseconds of `YYYY-MM-DD[ HH:MM:SS]` in UTC; None on any other text."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp() * 1000)
