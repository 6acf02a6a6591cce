"""What the trading desk's routes may ask beyond readers and controls: pairs, order templates, the venue's own books.

Functions that ask the venue wait for its answer and raise `VenueSilent` when there is none; one that is None does not
exist in this engine, and its route answers 404.
"""

from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from typing import Protocol

import attrs

from genesis.domain.order_templates import OrderTemplate
from genesis.domain.pairs import PairSpecs
from protocols.funding import FundingInfo, FundingLoan, FundingOffer, FundingTrade, MarginBase, MarginSymbol
from protocols.orders import Fill, OrderView
from protocols.reference import (
    ClosedPosition,
    FeeRates,
    LedgerEntry,
    Login,
    Movement,
    Permission,
    PriceAlert,
)
from protocols.transfers import Transfer, TransferWish
from protocols.units import Side


class VenueSilent(Exception):
    """The venue did not answer; the text says why."""


class VenueRefused(VenueSilent):
    """The venue said no, in the text's words. `fault` when it named what is wrong with the question."""

    def __init__(self, text: str, *, fault: bool = False) -> None:
        super().__init__(text)
        self.fault = fault


class Templates(Protocol):
    """Named orders that outlive the process."""

    def all(self) -> tuple[OrderTemplate, ...]: ...
    async def put(self, template: OrderTemplate) -> None: ...
    async def remove(self, name: str) -> bool: ...


class AccountBook(Protocol):
    """What the venue keeps about the account beside orders and trades. Lists are newest first.

    Each may raise VenueSilent or VenueRefused; `set_alert` and `drop_alert` only after having looked what came of it.
    """

    async def movements(self, currency: str | None, limit: int) -> Sequence[Movement]: ...
    async def logins(self, limit: int) -> Sequence[Login]: ...
    async def alerts(self) -> Sequence[PriceAlert]: ...
    async def set_alert(self, symbol: str, price: Decimal) -> PriceAlert: ...
    async def drop_alert(self, symbol: str, price: Decimal) -> None: ...
    async def past_positions(self, limit: int) -> Sequence[ClosedPosition]: ...
    async def position_snapshots(self, limit: int) -> Sequence[ClosedPosition]: ...
    async def permissions(self) -> Sequence[Permission]: ...
    async def fees(self) -> FeeRates: ...
    async def available(self, symbol: str, side: Side, price: Decimal | None, margin: bool) -> Decimal: ...


class Transfers(Protocol):
    """Money between wallets; see `genesis.transfer_desk`. `make` may also raise Refused and Busy of the controls."""

    async def make(self, wish: TransferWish, free: Callable[[], Decimal | None]) -> Transfer: ...
    async def all(self) -> Sequence[Transfer]: ...


OrderHistory = Callable[[str | None, int, int], Awaitable[tuple[int, Sequence[OrderView]]]]
"""By symbol (None: all), limit and offset: how many orders ended in all, and the page of them, newest first."""

FillHistory = Callable[[str | None, int, int], Awaitable[tuple[int, Sequence[Fill]]]]
"""The same of our trades."""


def _no_pairs() -> PairSpecs:
    return {}


@attrs.frozen(kw_only=True)
class Desk:
    """`funding` maps offers, loans, credits and trades to what asks for them, by symbol or (None) of all."""

    pairs: Callable[[], PairSpecs] = _no_pairs
    templates: Templates | None = None
    ledgers: Callable[[str | None, int], Awaitable[Sequence[LedgerEntry]]] | None = None
    ledger_span: Callable[[int, int], Awaitable[Sequence[LedgerEntry]]] | None = None
    margin: Callable[[str], Awaitable[Sequence[MarginBase | MarginSymbol]]] | None = None
    offers: Callable[[str | None, bool], Awaitable[Sequence[FundingOffer]]] | None = None
    loans: Callable[[str | None, bool], Awaitable[Sequence[FundingLoan]]] | None = None
    credits: Callable[[str | None, bool], Awaitable[Sequence[FundingLoan]]] | None = None
    funding_trades: Callable[[str | None], Awaitable[Sequence[FundingTrade]]] | None = None
    order_history: OrderHistory | None = None
    fill_history: FillHistory | None = None
    funding_info: Callable[[str], Awaitable[FundingInfo]] | None = None
    book: AccountBook | None = None
    transfers: Transfers | None = None
