"""The public half of the exchange: who is subscribed to what, and what they are told when the market moves."""

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final

from genesis.domain.pairs import PairSpecs
from genesis.domain.replay import CandleRow
from genesis.domain.venue import Venue
from genesis.simulator.book import DEPTH, BookView, Level, made_up_book
from genesis.simulator.feed import TIMEFRAMES, Feed, PublicTrade, candle_text, kept_candle_text
from genesis.simulator.funding_side import FundingSide
from genesis.simulator.session import Session
from protocols.bitfinex.account import FLAG_HIDDEN
from protocols.bitfinex.errors import ERR_SUBSCRIBE
from protocols.bitfinex.numbers import js_numbers, write_json
from protocols.bitfinex.public import liquidation_row
from protocols.bitfinex.subscriptions import SubscribeRefused, Subscription
from protocols.market import Liquidation
from protocols.units import Side, Symbol

SNAPSHOT_TRADES: Final = 30
SNAPSHOT_CANDLES: Final = 240
SNAPSHOT_LIQUIDATIONS: Final = 10
KEPT_LIQUIDATIONS: Final = 1_000
CHECKSUM_EVERY_MS: Final = 2_500
SLOW_BOOK_MS: Final = 2_000
"""Frequency F1."""
RECORDED_BOOK_MS: Final = 100
"""How often a recorded book is told to those who asked for another cut of it than was recorded."""
QUIET_BOOK_MS: Final = 15_000
"""A book that a trade left as it was says by a heartbeat that it still stands, as often as a venue's channels do. In
the time of its market: at sixty times the speed, fifteen seconds of a client's own are a quarter of an hour of it."""

TICKER_LEVELS: Final = 25

BookSource = Callable[[], tuple[list[Level], list[Level]]]


class MarketSide:
    """Feeds, books and subscriptions of all pairs. `sources` replaces the made-up book of a pair by a recorded one."""

    def __init__(
        self,
        specs: PairSpecs,
        venue: Venue,
        *,
        ticker_length: int,
        venue_ms: Callable[[], int],
        made_up_funding: bool = True,
    ) -> None:
        self.specs = specs
        self.venue = venue
        self.ticker_length = ticker_length
        self.venue_ms = venue_ms
        self.feeds: dict[Symbol, Feed] = {symbol: Feed(symbol) for symbol in specs}
        self.sources: dict[Symbol, BookSource] = {}
        self.wake: Callable[[Symbol], None] = lambda symbol: None
        """Called before anything is said of a contract: it may be asleep."""
        self.liquidations: deque[Liquidation] = deque(maxlen=KEPT_LIQUIDATIONS)
        self.subscribers: dict[Subscription, dict[Session, int]] = {}
        self.funding = FundingSide(venue, self.last_price, venue_ms=venue_ms, is_open=made_up_funding)
        self._streams: dict[str, dict[Subscription, None]] = {symbol: {} for symbol in specs}
        self._views: dict[Subscription, BookView] = {}
        self._told_ms: dict[Subscription, int] = {}
        self._said_ms: dict[Subscription, int] = {}
        self._summed_ms: dict[Subscription, int] = {}

    # --- subscriptions --------------------------------------------------------------------------------------------

    def check(self, subscription: Subscription) -> None:
        """Raises SubscribeRefused for what is not traded here."""
        symbol = subscription.symbol
        self.wake(Symbol(symbol))
        if subscription.is_funding or subscription.channel == "status":
            # Recordings hold neither; what is not made up (or relayed) exists, and stays silent.
            if subscription.is_funding or symbol == "global" or symbol.endswith("F0"):
                if self.funding.relayed is not None:
                    self.funding.relayed.check(subscription)
                return
        if symbol not in self.specs:
            raise SubscribeRefused(ERR_SUBSCRIBE, "symbol: invalid")

    def joined(self, session: Session, subscription: Subscription, channel: int) -> None:
        """Remember a subscriber and send it the state of its stream."""
        first = subscription not in self.subscribers
        symbol = Symbol(subscription.symbol)
        self.subscribers.setdefault(subscription, {})[session] = channel
        self._streams.setdefault(subscription.symbol, {})[subscription] = None
        if symbol == "global" and self.funding.relayed is None:
            session.channel(channel, self._liquidation_text(list(self.liquidations)[: -SNAPSHOT_LIQUIDATIONS - 1 : -1]))
            return
        if subscription.is_funding or subscription.channel == "status":
            self.funding.joined(session, subscription, channel, self.subscribers[subscription])
            return
        feed = self.feeds.get(symbol)
        if subscription.channel == "ticker":
            row = self.ticker_row(symbol)
            if row is not None:
                session.channel(channel, row)
        elif subscription.channel == "trades":
            newest = list(feed.trades)[: -SNAPSHOT_TRADES - 1 : -1] if feed is not None else []
            session.channel(channel, "[" + ",".join(trade.text() for trade in newest) + "]")
        elif subscription.channel == "candles":
            known = feed.candles(subscription.timeframe)[-SNAPSHOT_CANDLES:] if feed is not None else []
            session.channel(channel, "[" + ",".join(map(kept_candle_text, reversed(known))) + "]")
        elif subscription.channel == "book":
            if feed is None:
                session.channel(channel, "[]")
                return
            if first:
                self._views[subscription] = BookView(subscription.precision, subscription.length)
            # The others are told the difference first, so that all of them know the same book.
            self._publish_book(subscription, *self.book(symbol), others_than=session)
            session.channel(channel, self._views[subscription].snapshot())

    def left(self, session: Session, subscription: Subscription) -> None:
        sessions = self.subscribers.get(subscription, {})
        sessions.pop(session, None)
        if not sessions:
            self.subscribers.pop(subscription, None)
            self._streams.get(subscription.symbol, {}).pop(subscription, None)
            self.funding.left(subscription)
            for table in (self._views, self._told_ms, self._said_ms, self._summed_ms):
                table.pop(subscription, None)

    def streams(self) -> list[str]:
        """The symbols (and `global`) that somebody listens to."""
        return [symbol for symbol, streams in self._streams.items() if streams]

    def candles_equal(self, other: "MarketSide") -> bool:
        """Whether both have told the same candles."""
        return all(
            list(feed.candles(timeframe)) == list(other.feeds[symbol].candles(timeframe))
            for symbol, feed in self.feeds.items()
            for timeframe in TIMEFRAMES
        )

    def counts(self, channel: str) -> int:
        """How many subscriptions of this kind of channel there are, over all sockets."""
        return sum(len(who) for what, who in self.subscribers.items() if what.channel == channel)

    # --- what happens ---------------------------------------------------------------------------------------------

    def absorb(self, symbol: Symbol, trade: PublicTrade | None, minute: CandleRow | None) -> None:
        """Take the market's move in without telling anybody."""
        feed = self.feeds[symbol]
        if minute is None:
            if trade is not None:
                feed.on_print(trade)
            return
        if trade is not None:
            feed.on_trade(trade)
        feed.on_minute(minute)

    def moved(self, symbol: Symbol, trade: PublicTrade, minute: CandleRow | None) -> None:
        """The market traded: trades, candles, ticker, book, to whoever listens.

        Without `minute` the trade makes the candle, and is confirmed (`confirmed`) when the recording says so.
        """
        self.absorb(symbol, trade, minute)
        streams = self._streams[symbol]
        if not streams:
            return
        feed = self.feeds[symbol]
        book: tuple[list[Level], list[Level]] | None = None
        for subscription in list(streams):
            if subscription.channel == "trades":
                text = trade.text()
                for session, channel in self.subscribers[subscription].items():
                    session.channel(channel, f'"te",{text}')
                    if minute is not None:
                        session.channel(channel, f'"tu",{text}')
            elif subscription.channel == "candles":
                candle = feed.current(subscription.timeframe)
                assert candle is not None
                text = candle_text(candle)
                for session, channel in self.subscribers[subscription].items():
                    session.channel(channel, text)
            elif subscription.channel == "book":
                book = book or self.book(symbol, self._depth(symbol))
                self._publish_book(subscription, *book)
                if self.venue_ms() - self._said_ms.get(subscription, 0) >= QUIET_BOOK_MS:
                    self._beat(subscription)
            elif subscription.channel == "ticker":
                book = book or self.book(symbol, self._depth(symbol))
                row = self.ticker_row(symbol, book)
                for session, channel in self.subscribers[subscription].items():
                    if row is not None:
                        session.channel(channel, row)

    def minute_moved(self, symbol: Symbol, minute: CandleRow) -> None:
        """A candle as its venue tells it: to whoever listens to candles and the ticker, in every time frame."""
        feed = self.feeds[symbol]
        feed.on_minute(minute)
        for subscription in list(self._streams[symbol]):
            text: str | None = None
            if subscription.channel == "candles":
                candle = feed.current(subscription.timeframe)
                text = None if candle is None else candle_text(candle)
            elif subscription.channel == "ticker":
                text = self.ticker_row(symbol)
            if text is not None:
                for session, channel in self.subscribers[subscription].items():
                    session.channel(channel, text)

    def confirmed(self, symbol: Symbol, payload: str) -> None:
        """A recorded `tu`, as it was sent."""
        for subscription in list(self._streams[symbol]):
            if subscription.channel == "trades":
                for session, channel in self.subscribers[subscription].items():
                    session.channel(channel, payload)

    def book_moved(self, symbol: Symbol, event: dict[str, Any], payload: str) -> None:
        """A recorded book update: as it was sent to those who asked for that very book, as differences to others."""
        bids_asks: tuple[list[Level], list[Level]] | None = None
        now_ms = self.venue_ms()
        for subscription in self._streams[symbol]:
            if subscription.channel != "book":
                continue
            same = subscription.fields() == {name: event.get(name) for name in subscription.fields()}
            if same and not self.venue.resting(symbol, Side.BUY) and not self.venue.resting(symbol, Side.SELL):
                for session, channel in self.subscribers[subscription].items():
                    session.channel(channel, payload)
                self._views[subscription].stale = True
                if now_ms - self._summed_ms.get(subscription, 0) >= CHECKSUM_EVERY_MS:
                    self._views[subscription].refresh(*self.book(symbol))
                    self.send_checksum(subscription)
            elif now_ms - self._told_ms.get(subscription, 0) >= RECORDED_BOOK_MS:
                bids_asks = bids_asks or self.book(symbol)
                self._publish_book(subscription, *bids_asks)

    def traded_between_accounts(self, trade: PublicTrade, symbol: Symbol) -> None:
        """A print of our own making: told, but not counted into the recording's candles."""
        self.feeds[symbol].on_trade(trade)
        for subscription in list(self._streams[symbol]):
            if subscription.channel == "trades":
                for session, channel in self.subscribers[subscription].items():
                    session.channel(channel, f'"te",{trade.text()}')
                    session.channel(channel, f'"tu",{trade.text()}')

    def liquidated(self, event: Liquidation) -> None:
        """Somebody's position is taken away."""
        self.liquidations.append(event)
        for subscription in self._streams.get("global", {}):
            for session, channel in self.subscribers[subscription].items():
                session.channel(channel, self._liquidation_text([event]))

    @staticmethod
    def _liquidation_text(events: Iterable[Liquidation]) -> str:
        return write_json([liquidation_row(event) for event in events]).decode()

    def orders_changed(self, symbol: Symbol) -> None:
        """Somebody's visible order came, went or shrank."""
        books = [what for what in self._streams[symbol] if what.channel == "book"]
        if books:
            bids, asks = self.book(symbol, self._depth(symbol))
            for subscription in books:
                self._publish_book(subscription, bids, asks)

    def beat(self, symbol: str) -> None:
        """A heartbeat on every channel of a pair."""
        for subscription in self._streams.get(symbol, {}):
            self._beat(subscription)

    def _beat(self, subscription: Subscription) -> None:
        self._said_ms[subscription] = self.venue_ms()
        for session, channel in self.subscribers[subscription].items():
            session.channel(channel, '"hb"')

    # --- what is asked --------------------------------------------------------------------------------------------

    def last_price(self, symbol: str) -> float | None:
        feed = self.feeds.get(Symbol(symbol))
        return None if feed is None else feed.last

    def _depth(self, symbol: Symbol) -> int:
        """The deepest look that somebody has into this book; the ticker sums 25 levels."""
        depths = [self._views[each].depth for each in self._streams[symbol] if each in self._views]
        return max(TICKER_LEVELS, *depths) if depths else TICKER_LEVELS

    def book(self, symbol: Symbol, depth: int = DEPTH) -> tuple[list[Level], list[Level]]:
        """(bids, asks) with the visible orders of accounts among them, best first."""
        bids, asks = self._plain_book(symbol, depth)
        if not self.venue.anybody_rests(symbol):
            return bids, asks
        return (
            self._with_orders(symbol, Side.BUY, bids),
            self._with_orders(symbol, Side.SELL, asks),
        )

    def _plain_book(self, symbol: Symbol, depth: int = DEPTH) -> tuple[list[Level], list[Level]]:
        source = self.sources.get(symbol)
        if source is not None:
            return source()
        last = self.feeds[symbol].last
        return ([], []) if last is None else made_up_book(symbol, last, self.venue.model, depth)

    def _with_orders(self, symbol: Symbol, side: Side, levels: list[Level]) -> list[Level]:
        own = [
            Level(order.venue_id, float(order.price), 1, float(order.remaining * order.sign))
            for order in self.venue.resting(symbol, side)
            if not order.flags & FLAG_HIDDEN
        ]
        if not own:
            return levels
        sign = -1 if side is Side.BUY else 1
        return sorted([*levels, *own], key=lambda level: (sign * level.price, level.order_id))

    def ticker_row(self, symbol: Symbol, book: tuple[list[Level], list[Level]] | None = None) -> str | None:
        """None while nothing has been traded."""
        feed = self.feeds.get(symbol)
        day = feed.day() if feed is not None else None
        if feed is None or day is None or feed.last is None:
            return None
        bids, asks = book or self.book(symbol)
        change = round(feed.last - day.open, 8)
        numbers: list[float] = [
            bids[0].price if bids else feed.last,
            round(sum([level.amount for level in bids[:25]]), 8),
            asks[0].price if asks else feed.last,
            round(-sum([level.amount for level in asks[:25]]), 8),
            change,
            round(change / day.open, 8),
            feed.last,
            day.volume,
            day.high,
            day.low,
        ]
        return f"[{js_numbers(numbers)}{',null' * (self.ticker_length - 10)}]"

    def _publish_book(
        self,
        subscription: Subscription,
        bids: list[Level],
        asks: list[Level],
        *,
        others_than: Session | None = None,
    ) -> None:
        now_ms = self.venue_ms()
        view = self._views[subscription]
        slow = subscription.frequency == "F1" and others_than is None
        if slow and now_ms - self._told_ms.get(subscription, 0) < SLOW_BOOK_MS:
            return
        self._told_ms[subscription] = now_ms
        if view.stale:
            view.refresh(*self._plain_book(Symbol(subscription.symbol)))
        rows = view.update(bids, asks)
        if not rows:
            return
        self._tell_rows(subscription, rows, others_than)
        if now_ms - self._summed_ms.get(subscription, 0) >= CHECKSUM_EVERY_MS:
            self.send_checksum(subscription, others_than=others_than)

    def _tell_rows(self, subscription: Subscription, rows: Iterable[str], others_than: Session | None) -> None:
        told = list(rows)
        self._said_ms[subscription] = self.venue_ms()
        for session, channel in self.subscribers[subscription].items():
            if session is not others_than:
                session.updates(channel, told)

    def send_checksum(self, subscription: Subscription, *, others_than: Session | None = None) -> None:
        """The sum of what was last told, to those who asked for sums."""
        view = self._views[subscription]
        self._summed_ms[subscription] = self.venue_ms()
        wanted = [who for who in self.subscribers[subscription].items() if who[0].wants_checksums]
        if not wanted:
            return
        value = view.checksum()
        for session, channel in wanted:
            if session is not others_than:
                session.channel(channel, f'"cs",{value}')
