"""The real market behind the simulated exchange: its public feed is read, and everything here moves by it.

Trades are told and matched as they come, the book is the real one, candles are the real venue's own. Orders never
leave: they take from the real book as it stands (and what they took is gone until that level changes), or rest until
the real market trades through them. While the line to the real venue is down this exchange says nothing about the
market, so that whoever listens finds out as he would at the venue.
"""

import math
import random
from collections.abc import Sequence
from typing import Final

import attrs
import structlog
import trio

from genesis.core.clock import Clock
from genesis.domain.pair_sizes import said_by_venue
from genesis.domain.rate_limit import RateLimit
from genesis.domain.redial import Redial
from genesis.domain.replay import MINUTE_MS, CandleRow
from genesis.edge.errors import EdgeError
from genesis.edge.pair_infos import ask_pairs
from genesis.edge.rest import CircuitOpen, RestDoor
from genesis.edge.websocket import Dial, WebSocket
from genesis.simulator.exchange import Exchange
from genesis.simulator.feed import Feed, PublicTrade
from genesis.simulator.frame_tape import RecordedBook
from genesis.simulator.relay_side import SideRelay
from protocols.bitfinex import rest_requests
from protocols.bitfinex.errors import BitfinexError
from protocols.bitfinex.events import SequenceGap, ServerInfo, ServerStopping, StreamBroken, SubscriptionRefused
from protocols.bitfinex.rest import read_candle_answer
from protocols.bitfinex.session import PublicEvent, PublicSession, require_version
from protocols.bitfinex.subscriptions import Subscription, book, candles, trades
from protocols.bitfinex.wire_book import LevelBook
from protocols.market import Candle, CandleSnapshot, CandleUpdate, TradePrint, TradeSnapshot
from protocols.units import Symbol

log = structlog.get_logger("genesis.relay")

SYMBOLS_A_LINE: Final = 8
"""Three channels each, below the venue's 25 a socket."""
SIZES_EVERY_S: Final = 300.0
BOOK_LENGTH: Final = 100
HISTORY_MINUTES: Final = 10_000
"""What one REST answer holds: a week of minutes, from which the bigger time frames are made."""
SILENCE_S: Final = 20.0
"""Heartbeats come every 15 s; a line without a frame for this long is dead."""
DIAL_TIMEOUT_S: Final = 15.0
BOOK_EVERY_S: Final = 0.1
BOUNDARY_MS: Final = 1_000
"""After the end of a minute, when its candle is told to be over; the real venue's last trades have come by then."""
NS: Final = 1_000_000_000


class RelayLost(Exception):
    """The line to the real venue is no good any more; the text says why."""


@attrs.define(eq=False)
class _Market:
    """What is known of one pair."""

    symbol: Symbol
    book: RecordedBook = attrs.field(factory=RecordedBook)
    minutes: dict[int, CandleRow] = attrs.field(factory=dict)
    newest_ms: int = 0
    last_trade_id: int = 0
    up: bool = False


@attrs.define(kw_only=True, eq=False)
class Relay:
    """Moves `exchange` (one without a recording) by the public feed at `uri`; `door` fetches what came before."""

    exchange: Exchange
    uri: str
    dial: Dial
    door: RestDoor
    clock: Clock
    chance: random.Random
    pacing: RateLimit | None = None
    backoff_base_s: float = 1.0
    backoff_cap_s: float = 60.0
    falls: int = attrs.field(default=0, init=False)
    last_error: str = attrs.field(default="", init=False)
    trades_told: int = attrs.field(default=0, init=False)
    side: SideRelay = attrs.field(init=False)
    """Funding and contracts."""
    _markets: dict[Symbol, _Market] = attrs.field(factory=dict, init=False)
    _heard: tuple[int, float] = attrs.field(default=(0, 0.0), init=False)
    _first: trio.Event = attrs.field(factory=trio.Event, init=False)

    def __attrs_post_init__(self) -> None:
        self.side = SideRelay(
            uri=self.uri,
            dial=self.dial,
            door=self.door,
            clock=self.clock,
            chance=self.chance,
            tell=self.exchange.market.funding.tell,
            traded=self.exchange.accounts.funding.traded,
            pacing=self.pacing,
            backoff_base_s=self.backoff_base_s,
            backoff_cap_s=self.backoff_cap_s,
        )
        self.exchange.market.funding.relayed = self.exchange.rest.upstream = self.side

    @property
    def up(self) -> bool:
        """Whether every pair's three streams are heard."""
        return bool(self._markets) and all(market.up for market in self._markets.values())

    @property
    def begun(self) -> tuple[int, int, int]:
        """Pairs that have their history, those whose streams are heard, and how many there are."""
        known = self._markets.values()
        return sum(bool(one.minutes) for one in known), sum(one.up for one in known), len(self.exchange.symbols)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Relay until cancelled; started once every pair has its history, its book and its streams."""
        exchange = self.exchange
        exchange.quiet = True
        for symbol in exchange.symbols:
            market = self._markets[symbol] = _Market(symbol)
            exchange.market.sources[symbol] = market.book.shown
            exchange.venue.set_ladder(symbol, market.book)
        markets = list(self._markets.values())
        async with trio.open_nursery() as nursery:
            for first in range(0, len(markets), SYMBOLS_A_LINE):
                nursery.start_soon(self._stay_connected, markets[first : first + SYMBOLS_A_LINE], first)
            nursery.start_soon(self._tell_books)
            nursery.start_soon(self._tell_boundaries)
            nursery.start_soon(self._follow_sizes)
            nursery.start_soon(self.side.run)
            await self._first.wait()
            task_status.started()

    async def _follow_sizes(self) -> None:
        """Take over the real venue's least and largest orders; what it does not list any more is not listed here."""
        exchange, refused = self.exchange, set[str]()
        while True:
            await trio.sleep(SIZES_EVERY_S)
            try:
                infos, unclear = await ask_pairs(self.door)
            except (EdgeError, BitfinexError) as error:
                log.warning("pairs_not_told", error=str(error))
                continue
            for reason in set(unclear.values()) - refused:
                log.warning("row_refused", error=reason)
            refused |= set(unclear.values())
            specs, _ = said_by_venue(infos, exchange.venue.specs, self._markets, unclear=unclear)
            exchange.unlisted = {symbol for symbol in self._markets if not specs[symbol].is_listed}
            # One that is gone keeps its sizes here: what is held of it can be sold.
            listed = {symbol: spec for symbol, spec in specs.items() if spec.is_listed}
            exchange.venue.specs = {**exchange.venue.specs, **listed}

    # --- the line ---------------------------------------------------------------------------------------------------

    async def _stay_connected(self, markets: Sequence[_Market], number: int) -> None:
        redial = Redial(self.backoff_base_s, self.backoff_cap_s)
        while True:
            if self.pacing is not None:
                await trio.sleep(self.pacing.take(self.clock.now()))
            began = math.inf
            try:
                # History first: what the stream says then falls into candles that exist.
                for market in markets:
                    await self._fetch_history(market)
                async with self.dial(self.uri, timeout_s=DIAL_TIMEOUT_S) as socket:
                    began = self.clock.now()
                    about_ms = self.clock.wall_ms()
                    session = PublicSession(session=number + 1, channel_limit=30, about_ms=about_ms)
                    await self._listen(socket, markets, session)
            except (EdgeError, BitfinexError, RelayLost) as error:
                # That nobody asks for a while is no reason; what came before it is.
                if not isinstance(error, CircuitOpen):
                    self.last_error = f"{type(error).__name__}: {error}"
            self.falls += 1
            self.exchange.quiet = True
            for market in markets:
                market.up = False
                # Nobody may trade against a book of the past.
                market.book.follow(LevelBook())
            await trio.sleep(redial.fell(up_for_s=max(0.0, self.clock.now() - began), chance=self.chance))

    async def _fetch_history(self, market: _Market) -> None:
        key = f"trade:1m:{market.symbol}"
        value = await self.door.ask(rest_requests.candles(key, limit=HISTORY_MINUTES))
        self._take_candles(market, read_candle_answer(value, market.symbol, "1m"))

    async def _listen(self, socket: WebSocket, markets: Sequence[_Market], session: PublicSession) -> None:
        wanted = [make(market.symbol) for market in markets for make in (_book, _candles, trades)]
        by_symbol = {market.symbol: market for market in markets}
        while True:
            with trio.move_on_after(SILENCE_S) as silence:
                frames = await socket.receive_many()
            if silence.cancelled_caught:
                raise RelayLost(f"silent for {SILENCE_S:g} s")
            now_ns = self.clock.now_ns()
            for event in session.receive_many(frames, now_ns):
                if isinstance(event, ServerInfo):
                    require_version(event)
                    await socket.send(session.send_conf())
                    for subscription in wanted:
                        await socket.send(session.send_subscribe(subscription, now_ns=now_ns))
                else:
                    self._on_event(event, by_symbol)
            if session.venue_ms > self._heard[0]:
                self._heard = (session.venue_ms, self.clock.now())
                self.exchange.time_ms = max(self.exchange.time_ms, session.venue_ms)
            self._note_up(session, markets)

    def _note_up(self, session: PublicSession, markets: Sequence[_Market]) -> None:
        for market in markets:
            if market.up:
                continue
            known = session.book(_book(market.symbol))
            streams = session.table.streams
            if known is None or not all(
                make(market.symbol) in streams and streams[make(market.symbol)].primed
                for make in (_book, _candles, trades)
            ):
                continue
            assert isinstance(known, LevelBook)
            market.book.follow(known)
            market.up = True
        if self.up and self.exchange.quiet:
            self.exchange.quiet = False
            if self._first.is_set():
                # There is a hole in what listeners heard: they dial again, and snapshots tell them what it was.
                self.exchange.faults.drop(private=False)
            self._first.set()

    # --- what the real market says ----------------------------------------------------------------------------------

    def _on_event(self, event: PublicEvent, markets: dict[Symbol, _Market]) -> None:
        match event:
            case TradePrint():
                self._on_trade(markets[event.symbol], event)
            case TradeSnapshot():
                market = markets[event.symbol]
                if market.last_trade_id:
                    # Made while the line was down: the market did trade there, and so do orders that waited for it.
                    for trade in event.trades:
                        self._on_trade(market, trade)
                    return
                for trade in event.trades:
                    self.exchange.market.feeds[market.symbol].on_trade(_public(trade))
                    market.last_trade_id = max(market.last_trade_id, trade.trade_id)
            case CandleSnapshot():
                self._take_candles(markets[event.symbol], event.candles)
            case CandleUpdate():
                market, row = markets[event.candle.symbol], _row(event.candle)
                market.minutes[row.open_ms] = row
                # A late correction of a minute that is over waits for the next history: feeds only grow.
                if row.open_ms >= market.newest_ms:
                    market.newest_ms = row.open_ms
                    self.exchange.market.minute_moved(market.symbol, row)
            case SequenceGap():
                raise RelayLost(f"sequence gap: must be {event.expected}, was {event.was}")
            case StreamBroken():
                raise RelayLost(f"{event.subscription.name} is broken: {event.reason}")
            case SubscriptionRefused():
                raise RelayLost(f"{event.subscription.name} was refused: {event.code} {event.text}")
            case ServerStopping():
                raise RelayLost("20051: server is stopping")
            case _:
                pass

    def _on_trade(self, market: _Market, trade: TradePrint) -> None:
        if trade.trade_id <= market.last_trade_id:
            return
        market.last_trade_id = trade.trade_id
        exchange = self.exchange
        exchange.time_ms = max(exchange.time_ms, trade.time_ms)
        outputs = exchange.venue.on_tick(market.symbol, trade.price, abs(trade.amount), exchange.time_ms)
        exchange.market.traded_between_accounts(_public(trade), market.symbol)
        exchange.accounts.apply(outputs)
        exchange.alerts.on_tick(market.symbol, trade.price)
        self.trades_told += 1

    def _take_candles(self, market: _Market, found: Sequence[Candle]) -> None:
        """History, at the start and after a gap: the pair's candles are made anew, with what was known before."""
        market.minutes |= {candle.open_ms: _row(candle) for candle in found}
        for open_ms in sorted(market.minutes)[: -2 * HISTORY_MINUTES]:
            del market.minutes[open_ms]
        market.newest_ms = max(market.minutes, default=0)
        feeds = self.exchange.market.feeds
        feed = Feed(market.symbol, (market.minutes[open_ms] for open_ms in sorted(market.minutes)), whole=True)
        feed.trades.extend(feeds[market.symbol].trades)
        feeds[market.symbol] = feed
        if feed.last is not None and self.exchange.venue.last_price(market.symbol) is None:
            self.exchange.venue.observe(market.symbol, feed.last)

    # --- what is told at a pace of its own --------------------------------------------------------------------------

    async def _tell_books(self) -> None:
        while True:
            await trio.sleep(BOOK_EVERY_S)
            for market in self._markets.values():
                if market.up:
                    self.exchange.market.orders_changed(market.symbol)

    async def _tell_boundaries(self) -> None:
        """The heartbeat that ends a quiet minute, by the real venue's clock."""
        await self._first.wait()
        done_ms = self._venue_ms() // MINUTE_MS * MINUTE_MS
        while True:
            await trio.sleep(BOOK_EVERY_S)
            now_ms = self._venue_ms()
            if now_ms < done_ms + MINUTE_MS + BOUNDARY_MS or self.exchange.quiet:
                continue
            done_ms = (now_ms - BOUNDARY_MS) // MINUTE_MS * MINUTE_MS
            for symbol in self._markets:
                self.exchange.boundary(symbol, max(done_ms + BOUNDARY_MS, self.exchange.time_ms))

    def _venue_ms(self) -> int:
        """The real venue's clock: its last stamp, and ours since then."""
        stamp_ms, at = self._heard
        return stamp_ms + int((self.clock.now() - at) * 1000)


def _book(symbol: str) -> Subscription:
    return book(symbol, length=BOOK_LENGTH)


def _candles(symbol: str) -> Subscription:
    return candles(symbol, "1m")


def _row(candle: Candle) -> CandleRow:
    return CandleRow(candle.open_ms, candle.open, candle.close, candle.high, candle.low, candle.volume)


def _public(trade: TradePrint) -> PublicTrade:
    return PublicTrade(trade.trade_id, trade.time_ms, trade.amount, trade.price)
