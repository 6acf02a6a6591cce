"""The table of one socket's public streams: what was asked, what was given under which channel number, what broke."""

from enum import StrEnum
from typing import Any

import attrs

from protocols.bitfinex.errors import LocalProtocolError
from protocols.bitfinex.subscriptions import Subscription
from protocols.bitfinex.usual import USUAL, Usual
from protocols.bitfinex.wire_book import WireBook, new_book
from protocols.units import Symbol

REMEMBERED_TRADES = 1024
"""A `tu` came at most a few dozen trades after its `te` in the recordings."""


class StreamState(StrEnum):
    ASKED = "asked"
    UP = "up"
    BROKEN = "broken"
    LEAVING = "leaving"
    RENEWING = "renewing"
    REFUSED = "refused"


@attrs.define(eq=False)
class Stream:
    """One stream. `primed` once its snapshot has been read; `top` is the book top last told.

    `live` is `primed` and up, kept beside them because every update asks for it.
    """

    subscription: Subscription
    state: StreamState = StreamState.ASKED
    channel_id: int | None = None
    sub_id: str | None = None
    asked_ns: int = 0
    heard_ns: int = 0
    frames: int = 0
    primed: bool = False
    live: bool = False
    book: WireBook | None = None
    top: tuple[float, float, float, float] | None = None
    crossed_since_ns: int = 0
    checksums_right: int = 0
    checksums_wrong: int = 0
    error: str = ""
    trades_doubled: int = 0
    next_end_ms: int = 0
    """Of candles: none can end before, by what was heard so far."""
    oldest_trade: int = 0
    # What every event of it says, read off the subscription once.
    channel: str = attrs.field(init=False)
    symbol: Symbol = attrs.field(init=False)
    timeframe: str = attrs.field(init=False)
    usual: Usual | None = attrs.field(init=False)
    """How its updates are read straight from their bytes; None where they are not."""
    _trade_ids: set[int] = attrs.field(factory=set)
    _older_trade_ids: set[int] = attrs.field(factory=set)

    def __attrs_post_init__(self) -> None:
        self.channel = self.subscription.channel
        self.symbol = Symbol(self.subscription.symbol)
        self.timeframe = self.subscription.timeframe
        self.usual = None if self.subscription.is_funding else USUAL.get(self.channel)

    def begin(self, channel_id: int, now_ns: int) -> None:
        """Confirmed: everything known of it before is void, the first frame will be the snapshot."""
        self.state = StreamState.UP
        self.channel_id = channel_id
        self.heard_ns = now_ns
        self.primed = self.live = False
        self.top = None
        self.crossed_since_ns = 0
        self.error = ""
        if self.channel == "book":
            subscription = self.subscription
            self.book = new_book(precision=subscription.precision, funding=subscription.is_funding)

    def prime(self) -> None:
        """The snapshot is read: updates may follow."""
        self.primed = True
        self.live = self.state is StreamState.UP

    def turn(self, state: StreamState) -> None:
        """Another state than up: whatever is still on its way says nothing."""
        self.state = state
        self.live = False

    def knows_trade(self, trade_id: int) -> bool:
        """Whether this trade was told before, as far back as trades are remembered."""
        return trade_id in self._trade_ids or trade_id in self._older_trade_ids

    def is_new_trade(self, trade_id: int) -> bool:
        """Whether this trade was not told before: `te` and `tu` say the same one twice."""
        if trade_id in self._trade_ids or trade_id in self._older_trade_ids:
            return False
        if len(self._trade_ids) >= REMEMBERED_TRADES:
            self._older_trade_ids = self._trade_ids
            self._trade_ids = set()
        self._trade_ids.add(trade_id)
        return True


def _heads(channel_id: int) -> tuple[bytes, bytes]:
    """What frames of a channel begin with: rows, and words (a heartbeat, the kind of a trade)."""
    return b"[%d,[" % channel_id, b'[%d,"' % channel_id


@attrs.define
class StreamTable:
    """All streams of one socket, by subscription and by channel number.

    `by_head` has those whose updates are read straight from their bytes, by what these begin with. By what any of their
    frames begin with `candles` has the streams of candles, and `tickers` the pairs whose prices they are.
    """

    limit: int = 25
    streams: dict[Subscription, Stream] = attrs.field(factory=dict)
    by_channel: dict[int, Stream] = attrs.field(factory=dict)
    by_head: dict[bytes, tuple[Stream, Usual]] = attrs.field(factory=dict)
    candles: dict[bytes, Stream] = attrs.field(factory=dict)
    tickers: dict[bytes, Symbol] = attrs.field(factory=dict)
    candle_heads: tuple[bytes, ...] = ()
    ticker_heads: tuple[bytes, ...] = ()
    """The keys of the two above."""
    next_end_ms: int = 0
    """The first moment at which a frame may end a candle."""

    def ask(self, subscription: Subscription, *, now_ns: int, sub_id: str | None) -> Stream:
        known = self.streams.get(subscription)
        if known is not None and known.state not in (StreamState.REFUSED, StreamState.LEAVING):
            raise LocalProtocolError(f"{subscription.name} must not be asked twice, was {known.state.value}")
        if known is None and self.occupied >= self.limit:
            raise LocalProtocolError(f"streams of a socket must be at most {self.limit}, was {self.occupied + 1}")
        if known is not None and known.state is StreamState.LEAVING:
            # The old channel's farewell is still to come; this one takes its place in the table.
            known.state = StreamState.RENEWING
            known.asked_ns, known.sub_id = now_ns, sub_id
            return known
        stream = Stream(subscription, asked_ns=now_ns, sub_id=sub_id)
        self.streams[subscription] = stream
        return stream

    def leave(self, subscription: Subscription) -> int:
        """The channel number to unsubscribe from."""
        stream = self.streams.get(subscription)
        if stream is None or stream.channel_id is None or stream.state not in (StreamState.UP, StreamState.BROKEN):
            was = "unknown" if stream is None else stream.state.value
            raise LocalProtocolError(f"{subscription.name} must be up to be left, was {was}")
        stream.turn(StreamState.LEAVING)
        return stream.channel_id

    def forget(self, subscription: Subscription) -> None:
        stream = self.streams.pop(subscription, None)
        if stream is not None and stream.channel_id is not None:
            self.left(stream.channel_id)

    def given(self, channel_id: int, stream: Stream, now_ns: int) -> None:
        """The venue speaks of a stream under this number from now on, and under no other."""
        if stream.channel_id is not None:
            self.left(stream.channel_id)
        self.left(channel_id)
        stream.begin(channel_id, now_ns)
        self.by_channel[channel_id] = stream
        if stream.usual is not None:
            self.by_head[b"[%d,%s" % (channel_id, stream.usual.mark)] = stream, stream.usual
        heads = _heads(channel_id)
        if stream.channel == "candles":
            self.candles.update(dict.fromkeys(heads, stream))
            self.next_end_ms = 0
        elif stream.channel == "ticker" and stream.usual is not None:
            self.tickers[heads[0]] = stream.symbol
        self._note_heads()

    def left(self, channel_id: int) -> Stream | None:
        """Whose number this was."""
        stream = self.by_channel.pop(channel_id, None)
        if stream is not None and stream.usual is not None:
            self.by_head.pop(b"[%d,%s" % (channel_id, stream.usual.mark), None)
        for head in _heads(channel_id):
            self.candles.pop(head, None)
            self.tickers.pop(head, None)
        self._note_heads()
        return stream

    def _note_heads(self) -> None:
        self.candle_heads, self.ticker_heads = tuple(self.candles), tuple(self.tickers)

    def clear(self) -> None:
        """The socket is gone."""
        self.streams.clear()
        self.by_channel.clear()
        self.by_head.clear()
        self.candles.clear()
        self.tickers.clear()
        self._note_heads()

    @property
    def occupied(self) -> int:
        """Places taken of the venue's channel limit."""
        return sum(1 for stream in self.streams.values() if stream.state is not StreamState.REFUSED)

    def unanswered(self, now_ns: int, timeout_ns: int) -> list[Subscription]:
        """Asked for longer than `timeout_ns` ago, without a word since (an unknown status key gets no answer)."""
        waiting = (StreamState.ASKED, StreamState.RENEWING)
        return [
            subscription
            for subscription, stream in self.streams.items()
            if stream.state in waiting and now_ns - stream.asked_ns >= timeout_ns
        ]

    def silent(self, now_ns: int, limit_ns: int) -> list[Subscription]:
        """Up, but not heard for `limit_ns`, heartbeats included."""
        return [
            subscription
            for subscription, stream in self.streams.items()
            if stream.state is StreamState.UP and now_ns - stream.heard_ns >= limit_ns
        ]

    def view(self) -> list[dict[str, Any]]:
        """The table for people."""
        return [
            {
                "subscription": subscription.name,
                "state": stream.state.value,
                "channel": stream.channel_id,
                "frames": stream.frames,
                "checksums_right": stream.checksums_right,
                "checksums_wrong": stream.checksums_wrong,
                "error": stream.error,
            }
            for subscription, stream in self.streams.items()
        ]
