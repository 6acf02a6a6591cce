"""The history actor: it asks REST what streams cannot say, the account's past for orders, candles and trades for holes.

It recovers by nothing: a question that it had not answered when it crashed is delivered to it again, and asking twice
changes nothing. Every question is served in a task of its own, so that a long download of candles never keeps the
orders waiting; what comes back is told to whoever asked, failures included.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final

import attrs
import structlog
import trio

from genesis.core.actor import Context
from genesis.core.channel import Channel, Envelope
from genesis.core.errors import ChannelClosed
from genesis.core.mailbox import Outlet
from genesis.edge.errors import EdgeError
from genesis.edge.rest import CircuitOpen, RestDoor
from genesis.edge.turn import Turn
from protocols.account import LedgerFailed, LedgerReport, LedgerRequest
from protocols.bitfinex import rest_requests
from protocols.bitfinex.errors import ERR_AUTH, ERR_GENERIC, ERR_PARAMS, BitfinexError, MalformedFrame, VenueError
from protocols.bitfinex.rest import read_candle_answer, read_trades_answer
from protocols.bitfinex.rest_account import read_ledgers, read_orders, read_own_trades, read_positions
from protocols.bitfinex.rest_requests import LARGEST_HISTORY, LARGEST_PUBLIC
from protocols.market import (
    Candle,
    CandleRequest,
    CandlesFailed,
    CandleSnapshot,
    MarketEvent,
    OlderCandles,
    TradePrint,
    TradesRequest,
)
from protocols.orders import (
    AccountEvent,
    HistoryFailed,
    HistoryReport,
    HistoryRequest,
    UnclearRow,
    VenueOrder,
    VenueTrade,
)
from protocols.units import TIMEFRAME_MS

log = structlog.get_logger("genesis.history")

PAGES: Final = 40
"""100,000 orders or trades since the last reconcile: more than the venue keeps for its two weeks."""
HISTORY_TIMEOUT_S: Final = 45.0
"""Below the minute after which the order actor asks again under another number."""
CANDLES_TIMEOUT_S: Final = 120.0
AT_ONCE: Final = 32
REFUSED_KEPT: Final = 1000
NEVER_ANSWERED: Final = frozenset({ERR_GENERIC, ERR_PARAMS, ERR_AUTH})
"""The venue's refusals of a question that will be refused again: a key without that permission, an unknown currency."""
BEAT_S: Final = 5.0
"""How often the supervisor hears that an answer is waited for: each wait has its own end, later than its patience."""


@attrs.define(kw_only=True, eq=False)
class HistoryActor:
    """Hears HistoryRequest, CandleRequest, TradesRequest, LedgerRequest. `market` is None where nobody asks for candles
    and trades, `balances` where nobody asks for ledgers."""

    door: RestDoor
    orders: Channel[AccountEvent]
    market: Channel[MarketEvent] | None = None
    balances: Channel[Any] | None = None
    answered: int = 0
    failed: int = 0
    _refused: set[str] = attrs.field(factory=set, init=False)
    """Why rows were refused, as it was told."""
    _candles_asked: set[CandleRequest] = attrs.field(factory=set, init=False)
    _asked: trio.Event = attrs.field(factory=trio.Event, init=False)

    async def run(self, ctx: Context) -> None:
        orders = ctx.outlet(self.orders)
        market = ctx.outlet(self.market) if self.market is not None else None
        balances = ctx.outlet(self.balances) if self.balances is not None else None
        # One of each kind at a time: reports must not overtake each other.
        of_orders, of_candles, of_trades, of_ledgers = Turn(), Turn(), Turn(), Turn()
        under_way = trio.CapacityLimiter(AT_ONCE)
        ctx.ready()
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._beat, ctx, under_way)
                while True:
                    if not under_way.available_tokens:
                        async with under_way:
                            # Leases only when a place is free; the rest waits where it is counted.
                            pass
                    for envelope in await ctx.inbox.lease(limit=AT_ONCE):
                        self._asked.set()
                        message = envelope.message
                        if isinstance(message, HistoryRequest):
                            nursery.start_soon(self._serve_orders, ctx, envelope, orders, of_orders, under_way)
                        elif isinstance(message, TradesRequest):
                            nursery.start_soon(self._serve_gap, ctx, envelope, market, of_trades, under_way)
                        elif isinstance(message, LedgerRequest):
                            nursery.start_soon(self._serve_ledger, ctx, envelope, balances, of_ledgers, under_way)
                        else:
                            nursery.start_soon(self._serve_candles, ctx, envelope, market, of_candles, under_way)
        except* ChannelClosed:
            # The asker has stopped for good: the engine is going down, and we are next.
            await trio.sleep_forever()

    async def _beat(self, ctx: Context, under_way: trio.CapacityLimiter) -> None:
        while True:
            await self._asked.wait()
            self._asked = trio.Event()
            await trio.sleep(BEAT_S)
            while under_way.borrowed_tokens:
                ctx.progress()
                await trio.sleep(BEAT_S)

    async def _serve_orders(
        self,
        ctx: Context,
        envelope: Envelope,
        orders: Outlet[AccountEvent],
        turn: Turn,
        under_way: trio.CapacityLimiter,
    ) -> None:
        request: HistoryRequest = envelope.message
        with ctx.outside:
            async with under_way, turn:
                answer: HistoryReport | HistoryFailed
                try:
                    with trio.fail_after(HISTORY_TIMEOUT_S):
                        answer = await self._history(ctx, request)
                    self.answered += 1
                except (EdgeError, BitfinexError, trio.TooSlowError) as error:
                    self.failed += 1
                    answer = HistoryFailed(
                        request_id=request.request_id,
                        session=request.session,
                        reason=f"{type(error).__name__}: {error}",
                    )
                await orders.put(answer)
                ctx.inbox.ack(envelope)

    async def _history(self, ctx: Context, request: HistoryRequest) -> HistoryReport:
        positions = None
        if request.positions:
            # Before the trades: one that falls between the two is ours and not yet theirs, and asked about again.
            answer = await self.door.ask(rest_requests.positions(), exact=True)
            strange: list[UnclearRow] = []
            positions = read_positions(answer, session=request.session, received_ns=ctx.clock.now_ns(), unclear=strange)
            if strange:
                # Left out, a position would be taken for gone; not told, it is compared with nothing.
                self._tell_refused([row.reason for row in strange])
                positions = None
        # Open orders first: one that ends between the questions is then told twice, and never not at all.
        value = await self.door.ask(rest_requests.open_orders(), exact=True)
        now_ns = ctx.clock.now_ns()
        unclear: list[UnclearRow] = []
        open_orders = read_orders(value, session=request.session, received_ns=now_ns, unclear=unclear)
        return HistoryReport(
            request_id=request.request_id,
            session=request.session,
            since_ms=request.since_ms,
            open_orders=open_orders,
            closed_orders=await self._closed_orders(request, now_ns),
            trades=await self._trades(request, now_ns),
            received_ns=now_ns,
            positions=positions,
            unclear=tuple(unclear),
        )

    async def _closed_orders(self, request: HistoryRequest, now_ns: int) -> tuple[VenueOrder, ...]:
        """Newest first, page by page backwards. Pages meet at a millisecond, so ids tell what was seen."""
        seen: dict[int, VenueOrder] = {}
        end_ms: int | None = None
        for _ in range(PAGES):
            value = await self.door.ask(
                rest_requests.order_history(start_ms=request.since_ms, end_ms=end_ms, limit=LARGEST_HISTORY),
                exact=True,
            )
            refused: list[UnclearRow] = []
            rows = read_orders(value, session=request.session, received_ns=now_ns, event="past", unclear=refused)
            # It is over: the list of open orders lacks it, and its trades tell what it did.
            self._tell_refused([row.reason for row in refused])
            new = [row for row in rows if row.venue_id not in seen]
            seen.update((row.venue_id, row) for row in new)
            if len(rows) + len(refused) < LARGEST_HISTORY or not new:
                break
            end_ms = min(row.created_ms for row in rows)
        else:
            raise _TooMuch(f"order history since {request.since_ms} must fit {PAGES} pages, did not")
        return tuple(seen.values())

    async def _trades(self, request: HistoryRequest, now_ns: int) -> tuple[VenueTrade, ...]:
        seen: dict[int, VenueTrade] = {}
        end_ms: int | None = None
        for _ in range(PAGES):
            value = await self.door.ask(
                rest_requests.own_trades(start_ms=request.trades_since_ms, end_ms=end_ms, limit=LARGEST_HISTORY),
                exact=True,
            )
            refused: list[MalformedFrame] = []
            rows = read_own_trades(value, session=request.session, received_ns=now_ns, refused=refused)
            # What its order says was executed is booked without it.
            self._tell_refused([str(error) for error in refused])
            new = [row for row in rows if row.trade_id not in seen]
            seen.update((row.trade_id, row) for row in new)
            if len(rows) + len(refused) < LARGEST_HISTORY or not new:
                break
            end_ms = min(row.time_ms for row in rows)
        else:
            raise _TooMuch(f"trades since {request.trades_since_ms} must fit {PAGES} pages, did not")
        return tuple(seen.values())

    async def _serve_ledger(
        self,
        ctx: Context,
        envelope: Envelope,
        balances: Outlet[Any] | None,
        turn: Turn,
        under_way: trio.CapacityLimiter,
    ) -> None:
        currency = envelope.message.currency
        with ctx.outside:
            # Who waits for a turn takes no place from orders.
            async with turn, under_way:
                answer: LedgerReport | LedgerFailed
                try:
                    with trio.fail_after(HISTORY_TIMEOUT_S):
                        value = await self.door.ask(rest_requests.ledgers(currency, limit=LARGEST_HISTORY), exact=True)
                    # Asked again, a row that cannot be read is there again: the account would never be known.
                    strange: list[MalformedFrame] = []
                    entries = read_ledgers(value, refused=strange)
                    self._tell_refused([str(error) for error in strange])
                    is_whole = len(entries) + len(strange) < LARGEST_HISTORY
                    answer = LedgerReport(currency=currency, entries=entries, whole=is_whole)
                    self.answered += 1
                except (EdgeError, BitfinexError, trio.TooSlowError) as error:
                    self.failed += 1
                    refused = isinstance(error, VenueError) and error.code in NEVER_ANSWERED
                    answer = LedgerFailed(currency=currency, reason=f"{type(error).__name__}: {error}", refused=refused)
                if balances is not None:
                    await balances.put(answer)
                ctx.inbox.ack(envelope)

    def _tell_refused(self, reasons: Sequence[str]) -> None:
        """Once of each: history is read every minute, and for as long as that row is in it."""
        for reason in reasons:
            if reason not in self._refused and len(self._refused) < REFUSED_KEPT:
                self._refused.add(reason)
                log.warning("row_refused", error=reason)

    async def _serve_candles(
        self,
        ctx: Context,
        envelope: Envelope,
        market: Outlet[MarketEvent] | None,
        turn: Turn,
        under_way: trio.CapacityLimiter,
    ) -> None:
        request: CandleRequest = envelope.message
        if request in self._candles_asked:
            # Asked again while it waits for its turn: one answer will do.
            ctx.inbox.ack(envelope)
            return
        self._candles_asked.add(request)
        try:
            with ctx.outside:
                async with under_way, turn:
                    answer = await self._candle_answer(ctx, request)
                    if market is not None:
                        await market.put(answer)
                    ctx.inbox.ack(envelope)
        finally:
            self._candles_asked.discard(request)

    async def _candle_answer(
        self, ctx: Context, request: CandleRequest
    ) -> CandleSnapshot | OlderCandles | CandlesFailed:
        try:
            with trio.fail_after(CANDLES_TIMEOUT_S):
                if request.newest is not None:
                    older, is_all = await self._older(request, request.newest)
                else:
                    candles, whole = await self._candles(request)
        except (EdgeError, BitfinexError, trio.TooSlowError) as error:
            self.failed += 1
            # Whoever asked asks again or gives it up.
            reason = f"no answer within {CANDLES_TIMEOUT_S:g} s" if isinstance(error, trio.TooSlowError) else str(error)
            return CandlesFailed(
                request=request,
                reason=f"{type(error).__name__}: {reason}",
                received_ns=ctx.clock.now_ns(),
                asked=not isinstance(error, CircuitOpen),
            )
        self.answered += 1
        now_ns = ctx.clock.now_ns()
        if request.newest is not None:
            return OlderCandles(request=request, candles=older, is_all=is_all, received_ns=now_ns)
        return CandleSnapshot(
            symbol=request.symbol,
            timeframe=request.timeframe,
            candles=candles,
            venue_ms=0,
            received_ns=now_ns,
            # The venue tells no candle of a minute without a trade: that it was asked proves it.
            covers_from_ms=request.first_open_ms if whole else None,
            covers_to_ms=request.last_open_ms,
        )

    async def _older(self, request: CandleRequest, wanted: int) -> tuple[tuple[Candle, ...], bool]:
        """The newest `wanted`, page by page backwards, oldest first; and whether there are no more than these."""
        found: tuple[Candle, ...] = ()
        end_ms = request.last_open_ms
        while len(found) < wanted:
            limit = min(wanted - len(found), LARGEST_PUBLIC)
            value = await self.door.ask(
                rest_requests.candles(f"trade:{request.timeframe}:{request.symbol}", end_ms=end_ms, limit=limit)
            )
            page = read_candle_answer(value, request.symbol, request.timeframe)
            _check(page, 0, end_ms, limit)
            found = (*page, *found)
            if len(page) < limit:
                return found, True
            end_ms = page[0].open_ms - 1
        return found, False

    async def _candles(self, request: CandleRequest) -> tuple[tuple[Candle, ...], bool]:
        """Oldest first, page by page forwards; and whether that is all there is in the range."""
        found: dict[int, Candle] = {}
        start_ms, whole = request.first_open_ms, False
        for _ in range(PAGES):
            value = await self.door.ask(
                rest_requests.candles(
                    f"trade:{request.timeframe}:{request.symbol}",
                    start_ms=start_ms,
                    end_ms=request.last_open_ms,
                    limit=LARGEST_PUBLIC,
                    oldest_first=True,
                )
            )
            page = read_candle_answer(value, request.symbol, request.timeframe)
            _check(page, start_ms, request.last_open_ms, LARGEST_PUBLIC)
            found.update((candle.open_ms, candle) for candle in page)
            if whole := len(page) < LARGEST_PUBLIC:
                break
            if page[-1].open_ms <= start_ms:
                break
            start_ms = page[-1].open_ms
        return tuple(found[open_ms] for open_ms in sorted(found)), whole

    async def _serve_gap(
        self,
        ctx: Context,
        envelope: Envelope,
        market: Outlet[MarketEvent] | None,
        turn: Turn,
        under_way: trio.CapacityLimiter,
    ) -> None:
        request: TradesRequest = envelope.message
        with ctx.outside:
            async with under_way, turn:
                try:
                    with trio.fail_after(CANDLES_TIMEOUT_S):
                        missed = await self._gap(ctx, request)
                except (EdgeError, BitfinexError, trio.TooSlowError):
                    # The prints of a gap are for people and statistics; candles come from their own stream.
                    self.failed += 1
                else:
                    self.answered += 1
                    if market is not None:
                        for trade in missed:
                            await market.put(trade)
                ctx.inbox.ack(envelope)

    async def _gap(self, ctx: Context, request: TradesRequest) -> list[TradePrint]:
        """Oldest first, page by page forwards; the known trades at both ends are cut off by their numbers."""
        found: dict[int, TradePrint] = {}
        start_ms = request.after_ms
        for _ in range(PAGES):
            value = await self.door.ask(
                rest_requests.trades(
                    request.symbol,
                    start_ms=start_ms,
                    end_ms=request.before_ms,
                    limit=LARGEST_PUBLIC,
                    oldest_first=True,
                )
            )
            page = read_trades_answer(value, request.symbol, received_ns=ctx.clock.now_ns())
            found.update((trade.trade_id, trade) for trade in page)
            if len(page) < LARGEST_PUBLIC or page[-1].time_ms <= start_ms:
                break
            start_ms = page[-1].time_ms
        return [found[number] for number in sorted(found) if request.after_id < number < request.before_id]


def _check(page: Sequence[Candle], first_ms: int, last_ms: int, limit: int) -> None:
    """Raises _Wrong unless these are at most `limit` candles, each once, which opened between the two stamps.

    Weeks are not looked at more closely: the venue alone knows on which day its fortnights begin.
    """
    if len(page) > limit:
        raise _Wrong(f"candles must be at most {limit}, were {len(page)}")
    for candle in page:
        grid_ms = min(TIMEFRAME_MS[candle.timeframe], TIMEFRAME_MS["1D"])
        if candle.open_ms % grid_ms or not first_ms <= candle.open_ms <= last_ms:
            raise _Wrong(f"candle must open on a whole {candle.timeframe} in {first_ms} to {last_ms}: {candle.open_ms}")
    for before, after in pairwise(page):
        if before.open_ms == after.open_ms:
            raise _Wrong(f"candle of {after.open_ms} must be told once, was twice")


class _TooMuch(EdgeError):
    """An answer without an end in sight; half of it would look like absence of the rest."""


class _Wrong(EdgeError):
    """An answer that cannot be what was asked for: nothing of it is used."""
