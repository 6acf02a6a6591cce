"""What is said about lending and margin: offers, loans, credits, their trades, and what the venue calculates on demand.

No part of the engine trades funding; the messages exist so that nothing the account channel says is lost, and for the
simulator, which says them.
"""

from decimal import Decimal

import msgspec


class FundingOffer(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """An offer (`amount` above zero) or a wish to borrow (below). `rate` is per day, 0.01 is 1 %; `period` in days."""

    event: str
    session: int
    venue_id: int
    symbol: str
    created_ms: int
    updated_ms: int
    remaining: Decimal
    original: Decimal
    wire_type: str
    flags: int
    status: str
    rate: Decimal
    period: int
    hidden: bool
    renew: bool
    received_ns: int


class FundingLoan(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Money lent or borrowed: a credit when `position_pair` says which position uses it, else an unused loan.

    `side` is 1 for the lender, -1 for the borrower, 0 for both.
    """

    event: str
    session: int
    venue_id: int
    symbol: str
    side: int
    created_ms: int
    updated_ms: int
    amount: Decimal
    flags: int
    status: str
    rate_type: str | None
    rate: Decimal
    period: int
    opened_ms: int
    last_payout_ms: int
    hidden: bool
    renew: bool
    no_close: bool
    position_pair: str | None
    received_ns: int


class FundingTrade(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """One own funding trade; `amount` is signed."""

    event: str
    session: int
    trade_id: int
    symbol: str
    time_ms: int
    offer_id: int
    amount: Decimal
    rate: Decimal
    period: int
    maker: bool
    received_ns: int


class FundingSnapshot(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What is open at authentication: `kind` is fos, fcs or fls, and only the matching tuple may hold something."""

    session: int
    kind: str
    offers: tuple[FundingOffer, ...]
    loans: tuple[FundingLoan, ...]
    received_ns: int


class BalanceInfo(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Assets under management, gross and net, in USD; None when not calculated yet."""

    session: int
    total: Decimal | None
    net: Decimal | None
    received_ns: int


class MarginBase(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Margin of the whole account."""

    session: int
    profit: Decimal | None
    swaps: Decimal | None
    balance: Decimal | None
    net: Decimal | None
    required: Decimal | None
    received_ns: int


class MarginSymbol(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What margin allows of one symbol: most that can be bought at the best ask and sold at the best bid."""

    session: int
    symbol: str
    tradable: Decimal | None
    gross: Decimal | None
    buy: Decimal | None
    sell: Decimal | None
    received_ns: int


class FundingInfo(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Average rate and duration of one currency's loans taken and given."""

    session: int
    symbol: str
    yield_loan: Decimal | None
    yield_lend: Decimal | None
    duration_loan: Decimal | None
    duration_lend: Decimal | None
    received_ns: int


FundingEvent = FundingOffer | FundingLoan | FundingTrade | FundingSnapshot | FundingInfo
MarginEvent = BalanceInfo | MarginBase | MarginSymbol
