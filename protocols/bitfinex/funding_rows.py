"""Rows about lending and margin: offers, loans, credits, funding trades, and the calculated bu, miu and fiu."""

from typing import Any, Final

from protocols.bitfinex.errors import MalformedFrame
from protocols.bitfinex.rows import Row, Tolerance, rows_of
from protocols.funding import (
    BalanceInfo,
    FundingEvent,
    FundingInfo,
    FundingLoan,
    FundingOffer,
    FundingSnapshot,
    FundingTrade,
    MarginBase,
    MarginEvent,
    MarginSymbol,
)

OFFER_LENGTH: Final = 21
LOAN_LENGTH: Final = 21
CREDIT_LENGTH: Final = 22
FUNDING_TRADE_LENGTH: Final = 8

OFFER_KINDS: Final = frozenset({"fon", "fou", "foc"})
LOAN_KINDS: Final = frozenset({"fln", "flu", "flc"})
CREDIT_KINDS: Final = frozenset({"fcn", "fcu", "fcc"})
FUNDING_KINDS: Final = OFFER_KINDS | LOAN_KINDS | CREDIT_KINDS | {"fos", "fls", "fcs", "fte", "ftu", "bu", "miu", "fiu"}


def read_offer(
    value: object, *, event: str, session: int, received_ns: int, tolerance: Tolerance | None = None
) -> FundingOffer:
    row = Row.of("funding offer", value, OFFER_LENGTH, tolerance)
    return FundingOffer(
        event=event,
        session=session,
        venue_id=row.id(0),
        symbol=row.text(1),
        created_ms=row.integer(2),
        updated_ms=row.integer(3),
        remaining=row.decimal(4),
        original=row.decimal(5),
        wire_type=row.text(6),
        flags=row.integer(9),
        status=row.text(10),
        rate=row.decimal(14),
        period=row.integer(15),
        hidden=row.integer(17) == 1,
        renew=row.integer(19) == 1,
        received_ns=received_ns,
    )


def read_loan(
    value: object,
    *,
    event: str,
    session: int,
    received_ns: int,
    tolerance: Tolerance | None = None,
    length: int = LOAN_LENGTH,
) -> FundingLoan:
    """A loan, or a credit when `length` is CREDIT_LENGTH (one element more: the position that uses it)."""
    row = Row.of("funding loan", value, length, tolerance)
    return FundingLoan(
        event=event,
        session=session,
        venue_id=row.id(0),
        symbol=row.text(1),
        side=row.integer(2),
        created_ms=row.integer(3),
        updated_ms=row.integer(4),
        amount=row.decimal(5),
        flags=row.integer(6),
        status=row.text(7),
        rate_type=row.text_or_none(8),
        rate=row.decimal(11),
        period=row.integer(12),
        opened_ms=row.integer(13),
        last_payout_ms=row.integer(14),
        hidden=row.integer(16) == 1,
        renew=row.integer(18) == 1,
        no_close=row.integer(20) == 1,
        position_pair=row.text_or_none(21) if length == CREDIT_LENGTH else None,
        received_ns=received_ns,
    )


def read_funding_trade(
    value: object, *, event: str, session: int, received_ns: int, tolerance: Tolerance | None = None
) -> FundingTrade:
    row = Row.of("funding trade", value, FUNDING_TRADE_LENGTH, tolerance)
    return FundingTrade(
        event=event,
        session=session,
        trade_id=row.id(0),
        symbol=row.text(1),
        time_ms=row.integer(2),
        offer_id=row.integer(3),
        amount=row.decimal(4),
        rate=row.decimal(5),
        period=row.integer(6),
        maker=row.integer(7) == 1,
        received_ns=received_ns,
    )


def read_margin(value: object, *, session: int, received_ns: int) -> MarginBase | MarginSymbol:
    """`["base",[...]]` or `["sym","tBTCUSD",[...]]`, on the WebSocket and in REST's margin info."""
    outer = Row.of("margin info", value, 2, None)
    if outer.text(0) == "base":
        row = Row.of("margin base", outer.get(1), 5, None)
        return MarginBase(
            session=session,
            profit=row.decimal_or_none(0),
            swaps=row.decimal_or_none(1),
            balance=row.decimal_or_none(2),
            net=row.decimal_or_none(3),
            required=row.decimal_or_none(4),
            received_ns=received_ns,
        )
    if outer.text(0) == "sym":
        row = Row.of("margin symbol", outer.get(2), 8, None)
        return MarginSymbol(
            session=session,
            symbol=outer.text(1),
            tradable=row.decimal_or_none(0),
            gross=row.decimal_or_none(1),
            buy=row.decimal_or_none(2),
            sell=row.decimal_or_none(3),
            received_ns=received_ns,
        )
    raise MalformedFrame(f"margin info must be base or sym, was {outer.text(0)[:20]!r}")


def read_funding_info(value: object, *, session: int, received_ns: int) -> FundingInfo:
    outer = Row.of("funding info", value, 3, None)
    row = Row.of("funding info", outer.get(2), 4, None)
    return FundingInfo(
        session=session,
        symbol=outer.text(1),
        yield_loan=row.decimal_or_none(0),
        yield_lend=row.decimal_or_none(1),
        duration_loan=row.decimal_or_none(2),
        duration_lend=row.decimal_or_none(3),
        received_ns=received_ns,
    )


def read_funding(
    kind: str, payload: object, *, session: int, received_ns: int, tolerance: Tolerance
) -> FundingEvent | MarginEvent:
    """The message of a frame whose kind is one of FUNDING_KINDS. Raises MalformedFrame."""
    if kind in OFFER_KINDS:
        return read_offer(payload, event=kind, session=session, received_ns=received_ns, tolerance=tolerance)
    if kind in LOAN_KINDS or kind in CREDIT_KINDS:
        length = CREDIT_LENGTH if kind in CREDIT_KINDS else LOAN_LENGTH
        return read_loan(
            payload, event=kind, session=session, received_ns=received_ns, tolerance=tolerance, length=length
        )
    if kind in ("fte", "ftu"):
        return read_funding_trade(payload, event=kind, session=session, received_ns=received_ns, tolerance=tolerance)
    if kind == "bu":
        row = Row.of("balance", payload, 2, tolerance)
        return BalanceInfo(
            session=session, total=row.decimal_or_none(0), net=row.decimal_or_none(1), received_ns=received_ns
        )
    if kind == "miu":
        return read_margin(payload, session=session, received_ns=received_ns)
    if kind == "fiu":
        return read_funding_info(payload, session=session, received_ns=received_ns)
    offers: tuple[FundingOffer, ...] = ()
    loans: tuple[FundingLoan, ...] = ()
    if kind == "fos":
        offers = tuple(
            read_offer(row, event=kind, session=session, received_ns=received_ns, tolerance=tolerance)
            for row in rows_of(kind, payload)
        )
    else:
        length = CREDIT_LENGTH if kind == "fcs" else LOAN_LENGTH
        loans = tuple(
            read_loan(row, event=kind, session=session, received_ns=received_ns, tolerance=tolerance, length=length)
            for row in rows_of(kind, payload)
        )
    return FundingSnapshot(session=session, kind=kind, offers=offers, loans=loans, received_ns=received_ns)


def offer_row(offer: FundingOffer) -> list[Any]:
    """The 21 elements of a funding offer."""
    row: list[Any] = [None] * OFFER_LENGTH
    row[0:7] = [
        offer.venue_id,
        offer.symbol,
        offer.created_ms,
        offer.updated_ms,
        offer.remaining,
        offer.original,
        offer.wire_type,
    ]
    row[9:11] = [offer.flags, offer.status]
    row[14:18] = [offer.rate, offer.period, 0, int(offer.hidden)]
    row[19] = int(offer.renew)
    return row


def loan_row(loan: FundingLoan, *, credit: bool = False) -> list[Any]:
    """The 21 elements of a loan or, with `credit`, the 22 of a credit."""
    row: list[Any] = [None] * LOAN_LENGTH
    row[0:9] = [
        loan.venue_id,
        loan.symbol,
        loan.side,
        loan.created_ms,
        loan.updated_ms,
        loan.amount,
        loan.flags,
        loan.status,
        loan.rate_type,
    ]
    row[11:17] = [loan.rate, loan.period, loan.opened_ms, loan.last_payout_ms, 0, int(loan.hidden)]
    row[18] = int(loan.renew)
    row[20] = int(loan.no_close)
    return [*row, loan.position_pair] if credit else row


def funding_trade_row(trade: FundingTrade) -> list[Any]:
    """The 8 elements of a funding trade."""
    return [
        trade.trade_id,
        trade.symbol,
        trade.time_ms,
        trade.offer_id,
        trade.amount,
        trade.rate,
        trade.period,
        1 if trade.maker else None,
    ]


def balance_row(info: BalanceInfo) -> list[Any]:
    return [info.total, info.net]


def margin_row(info: MarginBase | MarginSymbol) -> list[Any]:
    """The nested row of a miu frame."""
    if isinstance(info, MarginBase):
        return ["base", [info.profit, info.swaps, info.balance, info.net, info.required]]
    return ["sym", info.symbol, [info.tradable, info.gross, info.buy, info.sell, None, None, None, None]]


def funding_info_row(info: FundingInfo) -> list[Any]:
    """The nested row of a fiu frame."""
    return ["sym", info.symbol, [info.yield_loan, info.yield_lend, info.duration_loan, info.duration_lend]]
