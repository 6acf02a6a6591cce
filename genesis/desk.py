"""The trading desk of one engine: its pairs, its order templates on disk, and what it asks of the venue on demand."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import attrs
import trio

from genesis.account_book import VenueBook
from genesis.core.clock import Clock
from genesis.domain.order_templates import (
    OrderTemplate,
    TemplateBook,
    read_templates,
    with_template,
    without_template,
    write_templates,
)
from genesis.domain.pairs import PairSpecs
from genesis.edge.kept_file import KeptFile
from genesis.edge.rest import RestDoor
from genesis.kept_answers import KeptAnswers
from genesis.order_history import ended_orders, kept_fills
from genesis.venue_asking import ask_venue
from protocols.bitfinex import rest_requests
from protocols.bitfinex.rest_account import (
    read_funding_info_answer,
    read_ledgers,
    read_loans,
    read_margin_answer,
    read_offers,
    read_own_funding_trades,
)
from protocols.bitfinex.rest_requests import RestRequest
from protocols.funding import FundingInfo, FundingLoan, FundingOffer, FundingTrade, MarginBase, MarginSymbol
from protocols.orders import Fill, OrderView
from protocols.reference import LedgerEntry
from web.desk import Desk, Transfers, VenueSilent

TTL_S: Final = 2.0
"""How long what the venue said of the account is said again."""

T = TypeVar("T")


class TemplateShelf:
    """Order templates in a kept file. `warn` is told what was wrong with it; a damaged file never stops a start."""

    def __init__(self, file: KeptFile, warn: Callable[[str], object]) -> None:
        self._file = file
        self._lock = trio.Lock()
        self._book = self._read(warn)

    def all(self) -> tuple[OrderTemplate, ...]:
        return self._book.templates

    async def put(self, template: OrderTemplate) -> None:
        """Keep one; it is on the disk when this returns. Raises ValueError when the shelf is full, OSError."""
        async with self._lock:
            await self._write(with_template(self._book, template))

    async def remove(self, name: str) -> bool:
        """Forget one; False when it was not there."""
        async with self._lock:
            book = without_template(self._book, name)
            if book is None:
                return False
            await self._write(book)
            return True

    def _read(self, warn: Callable[[str], object]) -> TemplateBook:
        try:
            data = self._file.read()
            if data is None:
                return TemplateBook()
            try:
                return read_templates(data)
            except ValueError as error:
                aside = self._file.set_aside()
                warn(f"order templates were damaged ({error}); the file was kept as {aside.name}, the list is empty")
        except OSError as error:
            warn(f"order templates cannot be read, the list is empty: {error}")
        return TemplateBook()

    async def _write(self, book: TemplateBook) -> None:
        # Shielded: a replacement that has begun is finished, or memory and disk would part.
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(self._file.replace, write_templates(book))
        self._book = book


LEDGER_PAGE: Final = 2500
LEDGER_PAGES: Final = 80
"""Two hundred thousand changes: a minute and a half at what the venue allows."""


@attrs.frozen(kw_only=True)
class VenueReads:
    """Questions to the venue's account endpoints, each with its end. Raises VenueSilent without an answer."""

    door: RestDoor
    clock: Clock
    _kept: KeptAnswers = attrs.field(init=False, eq=False, repr=False)

    @_kept.default
    def _memory(self) -> KeptAnswers:
        return KeptAnswers(self.clock)

    async def ledgers(self, currency: str | None, limit: int) -> tuple[LedgerEntry, ...]:
        return await self._ask(rest_requests.ledgers(currency, limit=limit), read_ledgers)

    async def ledger_span(self, begin_ms: int, end_ms: int) -> tuple[LedgerEntry, ...]:
        """Every change of every wallet in [begin, end), newest first: a page of the venue after another."""
        found: dict[int, LedgerEntry] = {}
        newest_ms = end_ms - 1
        for _ in range(LEDGER_PAGES):
            request = rest_requests.ledgers(start_ms=begin_ms, end_ms=newest_ms, limit=LEDGER_PAGE)
            page = await self._ask(request, read_ledgers)
            known = len(found)
            found |= {entry.entry_id: entry for entry in page}
            if len(page) < LEDGER_PAGE:
                return tuple(found.values())
            if len(found) == known:
                raise VenueSilent(f"more than {LEDGER_PAGE:,} changes of wallets have one time, {newest_ms}")
            # Its own moment once more: others of it may be on the next page.
            newest_ms = page[-1].time_ms
        raise VenueSilent(f"more than {LEDGER_PAGES * LEDGER_PAGE:,} changes of wallets lie in that time")

    async def margin(self, key: str) -> tuple[MarginBase | MarginSymbol, ...]:
        return await self._ask(
            rest_requests.margin_info(key), lambda value: read_margin_answer(value, session=0, received_ns=self._ns)
        )

    async def offers(self, symbol: str | None, history: bool) -> tuple[FundingOffer, ...]:
        return await self._ask(
            rest_requests.funding_offers(symbol, history=history),
            lambda value: read_offers(value, session=0, received_ns=self._ns),
        )

    async def loans(self, symbol: str | None, history: bool) -> tuple[FundingLoan, ...]:
        return await self._ask(
            rest_requests.funding_loans(symbol, history=history),
            lambda value: read_loans(value, session=0, received_ns=self._ns),
        )

    async def credits(self, symbol: str | None, history: bool) -> tuple[FundingLoan, ...]:
        return await self._ask(
            rest_requests.funding_credits(symbol, history=history),
            lambda value: read_loans(value, session=0, received_ns=self._ns, credits=True),
        )

    async def trades(self, symbol: str | None) -> tuple[FundingTrade, ...]:
        return await self._ask(
            rest_requests.funding_trades(symbol),
            lambda value: read_own_funding_trades(value, session=0, received_ns=self._ns),
        )

    async def info(self, symbol: str) -> FundingInfo:
        return await self._ask(
            rest_requests.funding_info(symbol),
            lambda value: read_funding_info_answer(value, session=0, received_ns=self._ns),
        )

    @property
    def _ns(self) -> int:
        return self.clock.now_ns()

    async def _ask(self, request: RestRequest, read: Callable[[Any], T]) -> T:
        """The answer, no older than `TTL_S`: a page that is open ten times asks the venue once."""

        async def ask() -> T:
            return await ask_venue(self.door, request, read)

        return (await self._kept.get((request.path, request.body), ask, TTL_S)).value


def trading_desk(
    *,
    door: RestDoor,
    clock: Clock,
    pairs: Callable[[], PairSpecs],
    templates: TemplateShelf | None,
    journal: Path | None = None,
    transfers: Transfers | None = None,
) -> Desk:
    """Everything the desk's routes may ask. `journal` is the file where ended orders and trades are found."""

    async def history(symbol: str | None, limit: int, offset: int) -> tuple[int, tuple[OrderView, ...]]:
        assert journal is not None
        return await trio.to_thread.run_sync(ended_orders, journal, symbol, limit, offset)

    async def fills(symbol: str | None, limit: int, offset: int) -> tuple[int, tuple[Fill, ...]]:
        assert journal is not None
        return await trio.to_thread.run_sync(kept_fills, journal, symbol, limit, offset)

    reads = VenueReads(door=door, clock=clock)
    return Desk(
        pairs=pairs,
        templates=templates,
        ledgers=reads.ledgers,
        ledger_span=reads.ledger_span,
        margin=reads.margin,
        offers=reads.offers,
        loans=reads.loans,
        credits=reads.credits,
        funding_trades=reads.trades,
        funding_info=reads.info,
        order_history=None if journal is None else history,
        fill_history=None if journal is None else fills,
        book=VenueBook(door=door, clock=clock),
        transfers=transfers,
    )
