"""What of the real venue is relayed only while somebody asks for it: funding streams and the status of contracts.

A line of its own carries them, opened with the first listener and told of every one that comes and goes. Each stream
is kept as its rows, so that a newcomer gets a snapshot and, after a fall of the line, everybody the difference.
Questions over REST about such symbols are asked of the real venue. Offers of accounts do not stand in the real book;
they are taken by the real market's trades at or above their rate.
"""

import random
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Final

import attrs
import trio

from genesis.core.clock import Clock
from genesis.domain.rate_limit import RateLimit
from genesis.domain.redial import Redial
from genesis.edge.errors import EdgeError
from genesis.edge.rest import RestDoor
from genesis.edge.websocket import Dial, WebSocket
from genesis.simulator.link import HttpRequest
from protocols.bitfinex.errors import ERR_CHANNEL_LIMIT, BitfinexError
from protocols.bitfinex.events import subscribe_request, unsubscribe_request
from protocols.bitfinex.numbers import read_json_floats, write_json
from protocols.bitfinex.rest_requests import RestRequest
from protocols.bitfinex.subscriptions import SubscribeRefused, Subscription, read_subscription, ticker, trades
from protocols.units import exact

STREAMS_A_LINE: Final = 25
KEPT_TRADES: Final = 30
KEPT_CANDLES: Final = 240
SILENCE_S: Final = 20.0
DIAL_TIMEOUT_S: Final = 15.0
SERVER_STOPS: Final = 20051
SIDE_PATHS: Final = ("status/", "liquidations/", "stats1/", "funding/stats/", "rankings/")
FUNDING_PATHS: Final = ("ticker/f", "trades/f", "book/f")

Tell = Callable[[Subscription, str], None]
"""Tells a payload to everybody who listens to a stream."""
Traded = Callable[[str, Decimal, Decimal, Decimal], None]
"""The real funding market traded: symbol, amount, rate, flash return rate."""


class SideLost(Exception):
    """The line is no good any more; the text says why."""


def is_of_the_side(target: str) -> bool:
    """Whether this exchange asks the real venue what it is asked here: `target` is the decoded path below /v2/."""
    path, _, query = target.partition("?")
    if path == "tickers":
        symbols = query.partition("symbols=")[2].partition("&")[0].split(",")
        return all(symbol.startswith("f") for symbol in symbols)
    funding_candles = path.startswith("candles/trade:") and path.split(":")[2].startswith("f")
    return path.startswith((*SIDE_PATHS, *FUNDING_PATHS)) or funding_candles


def _text(row: Any) -> str:
    return write_json(row).decode()


@attrs.define(eq=False)
class SideStream:
    """One stream as its rows, by what names them."""

    subscription: Subscription
    rows: dict[Any, list[Any]] = attrs.field(factory=dict)
    primed: bool = False

    def snapshot(self) -> str | None:
        """What a newcomer is told; None until the venue has said something."""
        if not self.primed:
            return None
        channel, rows = self.subscription.channel, list(self.rows.values())
        if channel == "ticker" or self.subscription.key.startswith("deriv:"):
            return _text(rows[-1]) if rows else None
        if channel in ("trades", "candles"):
            return _text([self.rows[key] for key in sorted(self.rows, reverse=True)])
        if channel == "book":
            # Of a funding book what is below zero is a bid; the best rate of either side comes first.
            rate = 2 if self.subscription.precision == "R0" else 0
            bids = sorted((row for row in rows if row[3] < 0), key=lambda row: -row[rate])
            return _text(bids + sorted((row for row in rows if row[3] > 0), key=lambda row: row[rate]))
        return _text(rows[:-11:-1])

    def take(self, payload: Sequence[Any]) -> list[str]:
        """What a frame's payload tells those who know everything that came before. Raises LookupError, TypeError."""
        channel, first = self.subscription.channel, payload[0]
        if channel == "trades":
            if isinstance(first, str):
                return self._trades([payload[1]], (first,))
            return self._trades(list(reversed(first)), ("fte", "ftu"))
        nested = not first or isinstance(first[0], list)
        rows = list(first) if nested else [first]
        primed, self.primed = self.primed, True
        if channel == "book":
            return self._book(rows, snapshot=nested and bool(first), primed=primed)
        if channel == "candles":
            return self._candles(rows, primed=primed)
        if self.subscription.key == "liq:global":
            for row in rows:
                self.rows[(row[1], row[8])] = row
            self._forget(KEPT_TRADES)
            return [_text(rows)] if primed else [_text(rows[::-1])]
        self.rows = {0: rows[-1]}
        return [_text(rows[-1])]

    def _trades(self, rows: list[list[Any]], kinds: tuple[str, ...]) -> list[str]:
        primed, self.primed = self.primed, True
        fresh = [row for row in rows if row[0] not in self.rows or len(kinds) == 1]
        for row in fresh:
            self.rows[row[0]] = row
        self._forget(KEPT_TRADES)
        if not primed:
            return [_text(rows[::-1])]
        return [f'"{kind}",{_text(row)}' for row in fresh for kind in kinds]

    def _candles(self, rows: list[list[Any]], *, primed: bool) -> list[str]:
        fresh = [row for row in rows if self.rows.get(row[0]) != row]
        for row in fresh:
            self.rows[row[0]] = row
        self._forget(KEPT_CANDLES)
        if not primed:
            return [_text(rows)]
        return [_text(row) for row in sorted(fresh, key=lambda row: row[0])]

    def _book(self, rows: list[list[Any]], *, snapshot: bool, primed: bool) -> list[str]:
        raw = self.subscription.precision == "R0"
        if not snapshot:
            for row in rows:
                self._level(row, raw=raw)
            return [_text(row) for row in rows]
        before, self.rows = self.rows, {}
        for row in rows:
            self._level(row, raw=raw)
        if not primed:
            return [_text(rows)]
        gone = [row for key, row in before.items() if key not in self.rows]
        ends = [[row[0], row[1], 0, 1 if row[3] > 0 else -1] for row in gone]
        return [_text(row) for row in ends] + [_text(row) for key, row in self.rows.items() if before.get(key) != row]

    def _level(self, row: list[Any], *, raw: bool) -> None:
        key = row[0] if raw else (row[0], row[1])
        if row[2] == 0:
            self.rows.pop(key, None)
        else:
            self.rows[key] = row

    def _forget(self, kept: int) -> None:
        if self.subscription.channel in ("trades", "candles"):
            for key in sorted(self.rows)[:-kept]:
                del self.rows[key]
        else:
            for key in list(self.rows)[:-kept]:
                del self.rows[key]


@attrs.define(kw_only=True, eq=False)
class SideRelay:
    """`tell` and `traded` are the exchange's; `door` asks the real venue over REST."""

    uri: str
    dial: Dial
    door: RestDoor
    clock: Clock
    chance: random.Random
    tell: Tell
    traded: Traded
    pacing: RateLimit | None = None
    backoff_base_s: float = 1.0
    backoff_cap_s: float = 60.0
    falls: int = attrs.field(default=0, init=False)
    last_error: str = attrs.field(default="", init=False)
    streams: dict[Subscription, SideStream] = attrs.field(factory=dict, init=False)
    _listened: set[Subscription] = attrs.field(factory=set, init=False)
    _needed: set[Subscription] = attrs.field(factory=set, init=False)
    _channels: dict[int, Subscription] = attrs.field(factory=dict, init=False)
    _changed: trio.Event = attrs.field(factory=trio.Event, init=False)

    # --- asked by the exchange --------------------------------------------------------------------------------------

    def check(self, subscription: Subscription) -> None:
        """Raises SubscribeRefused when the line to the real venue carries all it can."""
        if subscription not in self.streams and len(self.streams) >= STREAMS_A_LINE:
            raise SubscribeRefused(ERR_CHANNEL_LIMIT, "subscribe: limit")

    def want(self, subscription: Subscription) -> str | None:
        """Somebody listens. Returns the snapshot when there is one; else everybody is told it when it comes."""
        self._listened.add(subscription)
        self._keep()
        return self.streams[subscription].snapshot()

    def leave(self, subscription: Subscription) -> None:
        self._listened.discard(subscription)
        self._keep()

    def need(self, symbols: Sequence[str]) -> None:
        """Offers stand in these currencies: what the real market trades there must be known."""
        self._needed = {make(symbol) for symbol in symbols for make in (ticker, trades)}
        self._keep()

    def flash_rate(self, currency: str) -> Decimal | None:
        stream = self.streams.get(ticker(f"f{currency}"))
        row = stream.rows.get(0) if stream is not None else None
        return None if row is None or not isinstance(row[0], int | float) else round(exact(row[0]), 8)

    async def ask(self, request: HttpRequest) -> Any:
        """The real venue's answer to a question about the side. Raises EdgeError, BitfinexError."""
        path, _, query = request.target.partition("?")
        kind = path.removeprefix("/v2/").split("/")[0]
        return await self.door.ask(RestRequest(method="GET", path=path.removeprefix("/"), kind=kind, query=query))

    def _keep(self) -> None:
        wanted = self._listened | self._needed
        for subscription in wanted - self.streams.keys():
            self.streams[subscription] = SideStream(subscription)
        for subscription in self.streams.keys() - wanted:
            del self.streams[subscription]
        self._changed.set()
        self._changed = trio.Event()

    # --- the line ---------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Relay until cancelled; without a listener there is no line."""
        redial = Redial(self.backoff_base_s, self.backoff_cap_s)
        while True:
            while not self.streams:
                await self._changed.wait()
            if self.pacing is not None:
                await trio.sleep(self.pacing.take(self.clock.now()))
            began = self.clock.now()
            try:
                async with self.dial(self.uri, timeout_s=DIAL_TIMEOUT_S) as socket:
                    async with trio.open_nursery() as nursery:
                        self._channels.clear()
                        nursery.start_soon(self._ask_for_streams, socket)
                        await self._listen(socket)
            except* (EdgeError, BitfinexError, SideLost) as group:
                first: BaseException = group
                while isinstance(first, BaseExceptionGroup):
                    first = first.exceptions[0]
                self.last_error = f"{type(first).__name__}: {first}"
            self.falls += 1
            await trio.sleep(redial.fell(up_for_s=max(0.0, self.clock.now() - began), chance=self.chance))

    async def _ask_for_streams(self, socket: WebSocket) -> None:
        asked: set[Subscription] = set()
        while True:
            changed = self._changed
            for subscription in sorted(self.streams.keys() - asked):
                asked.add(subscription)
                await socket.send(subscribe_request(subscription))
            for channel, subscription in list(self._channels.items()):
                if subscription not in self.streams:
                    asked.discard(subscription)
                    del self._channels[channel]
                    await socket.send(unsubscribe_request(channel))
            await changed.wait()

    async def _listen(self, socket: WebSocket) -> None:
        while True:
            with trio.move_on_after(SILENCE_S) as silence:
                frames = await socket.receive_many()
            if silence.cancelled_caught:
                raise SideLost(f"silent for {SILENCE_S:g} s")
            for frame in frames:
                value = read_json_floats(frame)
                if isinstance(value, dict):
                    self._on_event(value)
                elif isinstance(value, list) and len(value) > 1 and value[1] not in ("hb", "cs"):
                    subscription = self._channels.get(value[0])
                    if subscription is not None:
                        self._on_payload(subscription, value[1:])

    def _on_event(self, event: dict[str, Any]) -> None:
        if event.get("event") == "info" and event.get("code") == SERVER_STOPS:
            raise SideLost("20051: server is stopping")
        if event.get("event") == "subscribed" and isinstance(event.get("chanId"), int):
            try:
                self._channels[event["chanId"]] = read_subscription(event)
            except SubscribeRefused:
                return

    def _on_payload(self, subscription: Subscription, payload: list[Any]) -> None:
        stream = self.streams.get(subscription)
        if stream is None:
            return
        try:
            texts = stream.take(payload)
            first_word = subscription.channel == "trades" and payload[0] == "fte"
            if first_word and subscription in self._needed:
                _, _, amount, rate, *_ = payload[1]
                flash_rate = self.flash_rate(subscription.symbol[1:])
                self.traded(subscription.symbol, exact(amount), exact(rate), flash_rate or exact(rate))
        except (LookupError, TypeError, ValueError, ArithmeticError) as error:
            raise SideLost(f"{subscription.name} must be rows, was not: {type(error).__name__}") from None
        for text in texts:
            self.tell(subscription, text)
