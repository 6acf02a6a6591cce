"""Authenticated REST answers: rows read into messages, and the envelope of every write.

Read them from `read_answer(status, body, exact=True)`. `session` in the messages is the one the question was for.
"""

from collections.abc import Iterable
from decimal import Decimal
from functools import partial
from typing import Any, Final

import msgspec

from protocols.bitfinex.account import (
    ORDER_REQUESTS,
    read_each,
    read_notice,
    read_order,
    read_position,
    read_trade,
    read_wallet,
)
from protocols.bitfinex.errors import MalformedFrame
from protocols.bitfinex.funding_rows import (
    CREDIT_LENGTH,
    LOAN_LENGTH,
    read_funding_info,
    read_funding_trade,
    read_loan,
    read_margin,
    read_offer,
)
from protocols.bitfinex.rest import read_rows
from protocols.bitfinex.rows import Row, Tolerance, rows_of
from protocols.funding import FundingInfo, FundingLoan, FundingOffer, FundingTrade, MarginBase, MarginSymbol
from protocols.orders import RequestNotice, UnclearRow, VenueOrder, VenuePosition, VenueTrade, VenueWallet
from protocols.reference import (
    ClosedPosition,
    FeeRates,
    LedgerEntry,
    Login,
    Movement,
    Permission,
    PriceAlert,
    UserInfo,
)
from protocols.units import Symbol

WITHDRAW_SCOPES: Final = frozenset({"withdraw", "ui_withdraw"})
SECONDS_LIMIT: Final = 100_000_000_000
"""Times below are seconds: order/submit answers in seconds where all others have milliseconds."""


# --- writes -------------------------------------------------------------------------------------------------------


class WriteAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The envelope of a write. `orders` holds every order row in it; `parts` the envelopes inside an order/multi.

    HTTP 200 does not mean yes: `notice.status` may be ERROR or FAILURE.
    """

    notice: RequestNotice
    orders: tuple[VenueOrder, ...]
    parts: tuple["WriteAnswer", ...]
    time_ms: int

    @property
    def accepted(self) -> bool:
        return self.notice.status == "SUCCESS"


def read_write_answer(
    value: object, *, session: int, received_ns: int, tolerance: Tolerance | None = None
) -> WriteAnswer:
    """`[MTS, TYPE, MESSAGE_ID, null, DATA, CODE, STATUS, TEXT]`, with order rows flat, in a list, or in envelopes."""
    row = Row.of("notification", value, 8, tolerance)
    notice = read_notice(value, session=session, received_ns=received_ns)
    time = row.integer(0)
    data = row.get(4)
    orders: list[VenueOrder] = []
    parts: list[WriteAnswer] = []
    if notice.kind in ORDER_REQUESTS and isinstance(data, list) and data:
        for item in data if isinstance(data[0], list) else [data]:
            if not isinstance(item, list) or not item:
                continue
            if len(item) > 1 and isinstance(item[1], str) and item[1].endswith("-req"):
                parts.append(read_write_answer(item, session=session, received_ns=received_ns))
            elif item[0] is not None:
                # A refused order has no id, and is no order.
                orders.append(
                    read_order(item, event="rest", session=session, received_ns=received_ns, tolerance=tolerance)
                )
    return WriteAnswer(
        notice=notice,
        orders=tuple(orders),
        parts=tuple(parts),
        time_ms=time * 1000 if 0 < time < SECONDS_LIMIT else time,
    )


# --- orders, trades, wallets, positions ---------------------------------------------------------------------------


def read_orders(
    value: object,
    *,
    session: int,
    received_ns: int,
    tolerance: Tolerance | None = None,
    event: str = "rest",
    unclear: list[UnclearRow] | None = None,
) -> tuple[VenueOrder, ...]:
    """Open orders, or the history (`event` past; newest first; flags and group ids come as text there).

    With `unclear` a row that can be no order is left out and told there: one must not keep all others from being known.
    """
    read = partial(read_order, event=event, session=session, received_ns=received_ns, tolerance=tolerance)
    if unclear is None:
        return read_rows("orders", value, read)
    return read_each("orders", value, read, unclear, name=3, ids=True)


def read_own_trades(
    value: object,
    *,
    session: int,
    received_ns: int,
    tolerance: Tolerance | None = None,
    refused: list[MalformedFrame] | None = None,
) -> tuple[VenueTrade, ...]:
    """Own trades with their fees, or the trades of one order. With `refused` a row that can be no trade is left out and
    its reason put there: one row must not keep all others from being known."""
    trades = []
    for row in rows_of("trades", value):
        try:
            trades.append(read_trade(row, event="rest", session=session, received_ns=received_ns, tolerance=tolerance))
        except MalformedFrame as error:
            if refused is None:
                raise
            refused.append(error)
    return tuple(trades)


def read_wallets(value: object, *, session: int, received_ns: int) -> tuple[VenueWallet, ...]:
    return read_rows("wallets", value, lambda row: read_wallet(row, session=session, received_ns=received_ns))


def read_positions(
    value: object, *, session: int, received_ns: int, unclear: list[UnclearRow] | None = None
) -> tuple[VenuePosition, ...]:
    """Margin positions. With `unclear` a row that can be none is left out and told there."""
    read = partial(read_position, session=session, received_ns=received_ns)
    if unclear is None:
        return read_rows("positions", value, read)
    return read_each("positions", value, read, unclear, name=0)


def read_past_positions(value: object) -> tuple[ClosedPosition, ...]:
    """Position history, snapshots and audit."""

    def read(item: object) -> ClosedPosition:
        row = Row.of("position", item, 20, None)
        return ClosedPosition(
            symbol=Symbol(row.text(0)),
            status=row.text(1),
            amount=row.decimal(2),
            base_price=row.decimal(3),
            position_id=row.integer(11),
            created_ms=row.integer_or_none(12),
            updated_ms=row.integer_or_none(13),
        )

    return read_rows("positions", value, read)


def read_margin_answer(value: object, *, session: int, received_ns: int) -> tuple[MarginBase | MarginSymbol, ...]:
    """info/margin/base, /{symbol}, or /sym_all (a list of rows)."""
    rows = rows_of("margin info", value)
    if rows and not isinstance(rows[0], list):
        rows = [rows]
    return tuple(read_margin(row, session=session, received_ns=received_ns) for row in rows)


# --- funding ------------------------------------------------------------------------------------------------------


def read_offers(value: object, *, session: int, received_ns: int) -> tuple[FundingOffer, ...]:
    return read_rows(
        "offers", value, lambda row: read_offer(row, event="rest", session=session, received_ns=received_ns)
    )


def read_loans(value: object, *, session: int, received_ns: int, credits: bool = False) -> tuple[FundingLoan, ...]:
    length = CREDIT_LENGTH if credits else LOAN_LENGTH
    return read_rows(
        "loans",
        value,
        lambda row: read_loan(row, event="rest", session=session, received_ns=received_ns, length=length),
    )


def read_own_funding_trades(value: object, *, session: int, received_ns: int) -> tuple[FundingTrade, ...]:
    return read_rows(
        "funding trades",
        value,
        lambda row: read_funding_trade(row, event="rest", session=session, received_ns=received_ns),
    )


def read_funding_info_answer(value: object, *, session: int, received_ns: int) -> FundingInfo:
    return read_funding_info(value, session=session, received_ns=received_ns)


# --- the account --------------------------------------------------------------------------------------------------


def read_permissions_answer(value: object) -> tuple[Permission, ...]:
    def read(item: object) -> Permission:
        row = Row.of("permission", item, 3, None)
        return Permission(scope=row.text(0), read=row.integer(1) == 1, write=row.integer(2) == 1)

    return read_rows("permissions", value, read)


def can_withdraw(permissions: Iterable[Permission]) -> bool:
    """Whether a key could move money out: no engine should hold such a key."""
    return any(permission.scope in WITHDRAW_SCOPES and permission.write for permission in permissions)


def read_fee_rates(value: object) -> FeeRates:
    """The fees of auth/r/summary."""
    fees = Row.of("fees", Row.of("summary", value, 10, None).get(4), 2, None)
    maker = Row.of("maker fees", fees.get(0), 6, None)
    taker = Row.of("taker fees", fees.get(1), 6, None)
    return FeeRates(
        maker=maker.decimal(0),
        derivative_maker=maker.decimal(5),
        taker_crypto=taker.decimal(0),
        taker_stable=taker.decimal(1),
        taker_fiat=taker.decimal(2),
        derivative_taker=taker.decimal(5),
    )


def read_user_info(value: object) -> UserInfo:
    row = Row.of("user info", value, 55, None)
    return UserInfo(
        user_id=row.id(0),
        created_ms=row.integer(3),
        timezone=row.text(7),
        verification_level=row.integer(5),
        is_sub_account=row.get(16) is not None,
        paper=row.get(21) in (1, True),
    )


def read_user_id(value: object) -> int:
    """Whose account it is; nothing else of the row needs to be as it is documented."""
    return Row.of("user info", value, 55, None).id(0)


def read_ledgers(value: object, *, refused: list[MalformedFrame] | None = None) -> tuple[LedgerEntry, ...]:
    """Entries, newest first. With `refused` a row that can be none is left out and its reason put there."""

    def read(item: object) -> LedgerEntry:
        row = Row.of("ledger", item, 9, None)
        return LedgerEntry(
            entry_id=row.id(0),
            currency=row.text(1),
            wallet_type=row.text(2),
            time_ms=row.integer(3),
            amount=row.decimal(5),
            balance=row.decimal(6),
            description=row.text(8),
        )

    if refused is None:
        return read_rows("ledgers", value, read)
    entries = []
    for item in rows_of("ledgers", value):
        try:
            entries.append(read(item))
        except MalformedFrame as error:
            refused.append(error)
    return tuple(entries)


def ledger_row(entry: LedgerEntry) -> list[Any]:
    return [
        entry.entry_id,
        entry.currency,
        entry.wallet_type or None,
        entry.time_ms,
        None,
        entry.amount,
        entry.balance,
        None,
        entry.description,
    ]


def read_movements(value: object) -> tuple[Movement, ...]:
    def read(item: object) -> Movement:
        row = Row.of("movement", item, 22, None)
        return Movement(
            movement_id=row.id(0),
            currency=row.text(1),
            method=row.text(2),
            started_ms=row.integer(5),
            updated_ms=row.integer(6),
            status=row.text(9),
            amount=row.decimal(12),
            fees=row.decimal(13),
            address=row.text_or_none(16) or "",
            transaction_id=row.text_or_none(20) or "",
            note=row.text_or_none(21) or "",
        )

    return read_rows("movements", value, read)


def read_alerts(value: object) -> tuple[PriceAlert, ...]:
    """auth/r/alerts, or the one row of alert/set."""
    rows = rows_of("alerts", value)
    if rows and not isinstance(rows[0], list):
        rows = [rows]

    def read(item: object) -> PriceAlert:
        row = Row.of("alert", item, 5, None)
        return PriceAlert(key=row.text(0), symbol=row.text(2), price=row.decimal(3), countdown=row.integer(4))

    return read_rows("alerts", rows, read)


def read_logins(value: object) -> tuple[Login, ...]:
    def read(item: object) -> Login:
        row = Row.of("login", item, 8, None)
        return Login(login_id=row.id(0), time_ms=row.integer(2), address=row.text(4))

    return read_rows("logins", value, read)


def read_available(value: object) -> Decimal:
    """auth/calc/order/avail: what can be ordered (negative for a sale)."""
    row = Row.of("available balance", value, 1, None)
    number = row.decimal_or_none(0)
    if number is None:
        raise MalformedFrame("available balance must be a number, was null")
    return number


def read_token(value: object) -> str:
    """auth/w/token."""
    return Row.of("token", value, 1, None).text(0)
