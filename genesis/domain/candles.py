"""One candle stream: which of its candles are closed, in what order they are told, and what is missing.

The rule: a candle is closed when a frame of its own stream carries a venue stamp at or past the end of its bucket plus
a grace. Nothing else closes it, least of all our clock: a frame of the same socket that was sent after the bucket's end
proves that everything before it has been read. Heartbeats carry stamps too, so a quiet minute closes as well. What is
told is never told again and never taken back; a later change by the venue is counted as a correction.
"""

import math
from bisect import bisect_left
from collections import deque
from collections.abc import Collection, Iterable

import attrs
import msgspec

from protocols.market import (
    Candle,
    CandleClosed,
    CandleRequest,
    CandleSeries,
    CandleSnapshot,
    CandleUpdate,
    OlderCandles,
)
from protocols.units import TIMEFRAME_MS, Symbol

NOTHING_TOLD = -1
KEPT_TOGETHER = 400_000
"""Candles of all series that nobody trades: some 100 MB, with what the page keeps of them."""
LARGEST_HOLE = 100_000
"""Candles, seventy days of minutes: whoever was away for longer goes on with what the subscription tells. To tell them
all would take tens of megabytes, and averages have forgotten what was before."""
FEWEST_KEPT = 500
"""What a chart and a regime begin with, however many series there are."""

_stamp = msgspec.structs.force_setattr


def correlation_id(candle: Candle) -> str:
    """The name of everything that comes of this candle, to the fill."""
    return name_of(candle.symbol, candle.timeframe, candle.open_ms)


def name_of(symbol: str, timeframe: str, open_ms: int) -> str:
    """The name of a candle."""
    return f"{symbol}:{timeframe}:{open_ms}"


def series_key(symbol: str, timeframe: str) -> str:
    """Where a stream stands in `MarketView.series`."""
    return f"{symbol}:{timeframe}"


def room_for_each(series: int, most: int) -> int:
    """How many candles each of so many series keeps: `most`, or its share of `KEPT_TOGETHER`."""
    return min(most, max(FEWEST_KEPT, KEPT_TOGETHER // max(series, 1)))


@attrs.define(kw_only=True)
class CandleStream:
    """State of one (symbol, time frame). Each event returns the candles it closed, oldest first.

    `late_after_ms`: a candle told later than that after its end is history (`catch_up`), as is everything in the first
    snapshot of a stream that was never told before. `refillable` says that somebody can answer `wanted`; until then
    nothing past the hole is told, so that order is kept. Somebody has seen all until `covered_until_ms` and goes on
    there, though others hear everything anew: what comes after it must be whole.
    """

    symbol: Symbol
    timeframe: str
    grace_ms: int
    late_after_ms: int
    history: int
    refillable: bool = False
    told_until_ms: int = NOTHING_TOLD
    covered_until_ms: int = NOTHING_TOLD
    venue_ms: int = 0
    received_ns: int = 0
    corrections: int = 0
    holes: int = 0
    synced: bool = False
    wanted: CandleRequest | None = None
    whole_from_ms: int = 0
    begins: bool = False
    _fresh: bool = True
    _closed: deque[Candle] = attrs.field(factory=deque)
    _pending: dict[int, Candle] = attrs.field(factory=dict)
    _told_view: tuple[Candle, ...] = ()
    _told_view_stale: bool = False
    _ahead: CandleClosed | None = None
    length_ms: int = attrs.field(init=False)

    @length_ms.default
    def _length_ms(self) -> int:
        return TIMEFRAME_MS[self.timeframe]

    @classmethod
    def restored(
        cls, series: CandleSeries, *, grace_ms: int, late_after_ms: int, history: int, refillable: bool = False
    ) -> "CandleStream":
        """The stream as its last published view says it was."""
        stream = cls(
            symbol=series.symbol,
            timeframe=series.timeframe,
            grace_ms=grace_ms,
            late_after_ms=late_after_ms,
            history=history,
            refillable=refillable,
            told_until_ms=series.told_until_ms,
            venue_ms=series.venue_ms,
            received_ns=series.received_ns,
            corrections=series.corrections,
            holes=series.holes,
            synced=series.synced,
            wanted=series.wanted,
            whole_from_ms=series.whole_from_ms,
            begins=series.begins,
        )
        stream._fresh = series.told_until_ms == NOTHING_TOLD and not series.pending
        stream._closed = deque(series.candles)
        stream._pending = {candle.open_ms: candle for candle in series.pending}
        stream._told_view_stale = True
        return stream

    @property
    def closes_ms(self) -> float:
        """The venue time from which on a stamp closes something. Before it stamps tell nobody anything."""
        return min(self._pending, default=math.inf) + self.length_ms + self.grace_ms

    def on_up(self) -> None:
        """The subscription is new: what happened before it may be missing until a snapshot says."""
        self.synced = False

    def on_down(self) -> None:
        self.synced = False

    def on_beat(self, venue_ms: int, received_ns: int) -> list[CandleClosed]:
        # As `_stamp` and `_close_due` do: most beats tell nothing, and at one an order may wait.
        if venue_ms > self.venue_ms:
            self.venue_ms = venue_ms
        if received_ns > self.received_ns:
            self.received_ns = received_ns
        return self._close_due(received_ns, everything_is_history=False)

    def look_ahead(self, candle: Candle) -> None:
        """This one is about to close: have ready what is told then, for as long as it stands so."""
        self._ahead = CandleClosed(
            candle=candle,
            closed_ms=candle.open_ms + self.length_ms,
            catch_up=False,
            correlation_id=correlation_id(candle),
            received_ns=0,
        )

    def on_update(self, update: CandleUpdate) -> list[CandleClosed]:
        candle = update.candle
        # Without the venue's stamp a candle's own start is the newest proof of time that the frame carries.
        self._stamp(max(update.venue_ms, candle.open_ms), update.received_ns)
        if candle.open_ms <= self.told_until_ms:
            self._correct(candle, count_missing=True)
            return []
        # Taken in before anything closes: the frame that closes a candle may also be the one that finished it.
        self._pending[candle.open_ms] = candle
        return self._close_due(update.received_ns, everything_is_history=False)

    def on_snapshot(self, snapshot: CandleSnapshot) -> list[CandleClosed]:
        """Merge history: fills holes, corrects what was told, and makes the stream trustworthy again."""
        newest_ms = snapshot.candles[-1].open_ms if snapshot.candles else 0
        self._stamp(max(snapshot.venue_ms, newest_ms), snapshot.received_ns)
        for candle in snapshot.candles:
            if candle.open_ms <= self.told_until_ms:
                self._correct(candle, count_missing=False)
            else:
                self._pending[candle.open_ms] = candle
        first_time = self._fresh
        self._fresh = False
        if not self._covers(snapshot):
            until_ms = self._hole_until_ms(snapshot)
            # What was forming when the line broke did not stay so: it lies in the hole, and is asked for with it.
            for open_ms in [open_ms for open_ms in self._pending if open_ms < until_ms]:
                del self._pending[open_ms]
            missing = (until_ms - self._known_until_ms) // self.length_ms - 1
            if self.refillable and missing <= LARGEST_HOLE:
                self.synced = False
                self.wanted = CandleRequest(
                    symbol=self.symbol,
                    timeframe=self.timeframe,
                    first_open_ms=self._known_until_ms + self.length_ms,
                    last_open_ms=until_ms - self.length_ms,
                )
                return []
            self._pass_hole()
        self.wanted = None
        self.synced = True
        return self._close_due(snapshot.received_ns, everything_is_history=first_time)

    def give_up_hole(self, received_ns: int) -> list[CandleClosed]:
        """Nobody could fill the hole: count it and go on behind it."""
        if self.wanted is None:
            return []
        self.wanted = None
        self._pass_hole()
        self.synced = True
        return self._close_due(received_ns, everything_is_history=False)

    @property
    def closed_known(self) -> int:
        """Closed candles that are known without a hole."""
        return len(self._whole())

    # --- what came before -------------------------------------------------------------------------------------------

    def known(self, count: int) -> tuple[tuple[Candle, ...], bool] | None:
        """The newest `count` closed candles, and whether the venue has none older than the first of them.

        There may be fewer only when it has none. None while there may be more, or while nothing is certain.
        """
        if not self.is_whole(count):
            return None
        whole = tuple(self._whole())
        return whole[-count:], self.begins and len(whole) <= count

    def is_whole(self, count: int) -> bool:
        """Whether the newest `count` closed candles are known, or all that there are."""
        return self.synced and (self.begins or self.closed_known >= count)

    def older(self, count: int) -> CandleRequest | None:
        """What to ask the venue for, so that `count` closed candles are known; None where nothing is to be asked.

        The whole count before the first known one: what is asked for does not change while the market goes on.
        """
        last_ms = self._begins_ms() - self.length_ms
        if not self.synced or self.is_whole(count) or last_ms < 0:
            return None
        return CandleRequest(
            symbol=self.symbol, timeframe=self.timeframe, first_open_ms=0, last_open_ms=last_ms, newest=count
        )

    def on_older(self, answer: OlderCandles) -> None:
        """Put before the first known candle what the venue says came before it.

        Only what was asked of where the stream begins now: between anything else and it there may be a hole.
        """
        if not self.synced or self.begins or answer.request.last_open_ms != self._begins_ms() - self.length_ms:
            return
        whole = self._whole()
        self._closed = deque((*answer.candles, *whole))
        self.begins = answer.is_all
        self.whole_from_ms = self._closed[0].open_ms if self._closed else 0
        self._trim()

    def _whole(self) -> Collection[Candle]:
        """The closed candles behind the last hole."""
        if not self._closed or self._closed[0].open_ms >= self.whole_from_ms:
            return self._closed
        return [candle for candle in self._closed if candle.open_ms >= self.whole_from_ms]

    def _begins_ms(self) -> int:
        """Up to where the past is asked for: the first closed candle, or the first that is none."""
        for candle in self._closed:
            if candle.open_ms >= self.whole_from_ms:
                return candle.open_ms
        if self._pending:
            return min(self._pending)
        return bucket_open(max(self.venue_ms - self.grace_ms, 0), self.timeframe)

    def _pass_hole(self) -> None:
        self.holes += 1
        self.whole_from_ms = min(self._pending, default=self.told_until_ms + self.length_ms)
        self.begins = False

    def view(self) -> CandleSeries:
        if self._told_view_stale:
            self._told_view = tuple(self._closed)
            self._told_view_stale = False
        return CandleSeries(
            symbol=self.symbol,
            timeframe=self.timeframe,
            candles=self._told_view,
            pending=tuple(self._pending[open_ms] for open_ms in sorted(self._pending)),
            told_until_ms=self.told_until_ms,
            venue_ms=self.venue_ms,
            received_ns=self.received_ns,
            corrections=self.corrections,
            holes=self.holes,
            synced=self.synced,
            wanted=self.wanted,
            whole_from_ms=self.whole_from_ms,
            begins=self.begins,
        )

    def _stamp(self, venue_ms: int, received_ns: int) -> None:
        self.venue_ms = max(self.venue_ms, venue_ms)
        self.received_ns = max(self.received_ns, received_ns)

    def _hole_until_ms(self, snapshot: CandleSnapshot) -> int:
        """The candle behind a hole: the first that a subscription told, whatever of the hole is known by now."""
        if snapshot.covers_to_ms is not None and self.wanted is not None:
            return self.wanted.last_open_ms + self.length_ms
        return snapshot.candles[0].open_ms if snapshot.candles else min(self._pending)

    @property
    def _known_until_ms(self) -> int:
        return max(self.told_until_ms, self.covered_until_ms)

    def _covers(self, snapshot: CandleSnapshot) -> bool:
        if self._known_until_ms == NOTHING_TOLD or not self._pending:
            return True
        first_missing_ms = self._known_until_ms + self.length_ms
        if snapshot.covers_to_ms is not None and self.wanted is not None:
            if snapshot.covers_to_ms < self.wanted.last_open_ms:
                # The answer to an older question: the line broke again since, and the hole is longer.
                return False
            if snapshot.covers_from_ms is None:
                return False
        if snapshot.covers_from_ms is not None and snapshot.covers_from_ms <= first_missing_ms:
            return True
        # The venue leaves out empty minutes: only a row at or before the hole's start proves that nothing is missing.
        return bool(snapshot.candles) and snapshot.candles[0].open_ms <= first_missing_ms

    def _close_due(self, received_ns: int, *, everything_is_history: bool) -> list[CandleClosed]:
        if not self.synced or not self._pending:
            return []
        # Those that opened until then have ended.
        until_ms = self.venue_ms - self.grace_ms - self.length_ms
        closed: list[CandleClosed] = []
        pending = self._pending
        # Mostly one, which needs no order.
        for open_ms in sorted(pending) if len(pending) > 1 else list(pending):
            if open_ms > until_ms:
                break
            candle = pending.pop(open_ms)
            self._closed.append(candle)
            self.told_until_ms = open_ms
            end_ms = open_ms + self.length_ms
            late = everything_is_history or self.venue_ms - end_ms > self.late_after_ms
            ahead, self._ahead = self._ahead, None
            if ahead is not None and ahead.candle is candle and not late:
                # Frozen as it is: nobody has seen it.
                _stamp(ahead, "received_ns", received_ns)
                closed.append(ahead)
                continue
            closed.append(
                CandleClosed(
                    candle=candle,
                    closed_ms=end_ms,
                    catch_up=late,
                    correlation_id=correlation_id(candle),
                    received_ns=received_ns,
                )
            )
        if closed:
            self._trim()
        return closed

    def _correct(self, candle: Candle, *, count_missing: bool) -> None:
        at = bisect_left(self._closed, candle.open_ms, key=lambda told: told.open_ms)
        if at < len(self._closed) and self._closed[at].open_ms == candle.open_ms:
            if self._closed[at] == candle:
                return
            self._closed[at] = candle
            self.corrections += 1
        else:
            self._closed.insert(at, candle)
            self.corrections += int(count_missing)
            self._trim()
        self._told_view_stale = True

    def _trim(self) -> None:
        while len(self._closed) > self.history:
            self._closed.popleft()
            self.begins = False
        self._told_view_stale = True


def bucket_open(at_ms: int, timeframe: str) -> int:
    """Start of the bucket that holds a moment. Weeks begin on Monday (the epoch was a Thursday)."""
    offset_ms = 4 * TIMEFRAME_MS["1D"] if timeframe in ("1W", "14D") else 0
    return at_ms - (at_ms - offset_ms) % TIMEFRAME_MS[timeframe]


def aggregate(candles: Iterable[Candle], timeframe: str) -> list[Candle]:
    """Bigger candles of smaller ones of one symbol, oldest first; the last may be unfinished.

    A bucket without any smaller candle has no bigger one, as at the venue.
    """
    bigger: list[Candle] = []
    for candle in candles:
        open_ms = bucket_open(candle.open_ms, timeframe)
        if bigger and bigger[-1].open_ms == open_ms:
            bigger[-1] = merged(bigger[-1], candle)
        else:
            if bigger and open_ms < bigger[-1].open_ms:
                raise ValueError(f"candles must ascend, was {candle.open_ms} after {bigger[-1].open_ms}")
            bigger.append(
                Candle(
                    symbol=candle.symbol,
                    timeframe=timeframe,
                    open_ms=open_ms,
                    open=candle.open,
                    high=candle.high,
                    low=candle.low,
                    close=candle.close,
                    volume=candle.volume,
                )
            )
    return bigger


def merged(into: Candle, later: Candle) -> Candle:
    """A candle that has also seen what `later` saw."""
    return Candle(
        symbol=into.symbol,
        timeframe=into.timeframe,
        open_ms=into.open_ms,
        open=into.open,
        high=max(into.high, later.high),
        low=min(into.low, later.low),
        close=later.close,
        volume=into.volume + later.volume,
    )
