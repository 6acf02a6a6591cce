"""Tells a recording to the exchange's clients: step by step, at a speed, waiting for whoever must keep up."""

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

import trio

from genesis.domain.recording import CandleRecording
from genesis.domain.replay import BOUNDARY_MS, MINUTE_MS, CandleRow, Step, StepKind, forming, schedule
from genesis.domain.ticks import replayed_amount, replayed_trade_id
from genesis.simulator.feed import PublicTrade
from genesis.simulator.frame_tape import RecordedBook, TapeFrame, tape
from genesis.simulator.recordings import FrameRecording
from protocols.units import Symbol

if TYPE_CHECKING:
    from genesis.simulator.exchange import Exchange

MAX_SPEED: Final = math.inf
LATE_S: Final = 1.0
"""A replay further behind than this starts counting anew instead of hurrying."""
FRAMES_A_TURN: Final = 64


class Pacer(Protocol):
    """Who must have understood everything so far before the market goes on."""

    async def settled(self) -> None:
        """Returns when everything that was told has been read and acted upon, and the answers have arrived."""
        ...

    def minds_trades(self) -> bool:
        """Whether somebody decides at trades, too, and not at boundaries only."""
        ...


class NoPacer:
    """Nobody has to keep up; clients still get their turn."""

    async def settled(self) -> None:
        await trio.lowlevel.checkpoint()

    def minds_trades(self) -> bool:
        return False


class Replayer:
    """One run through a recording. Controls may be used from other tasks while it runs."""

    def __init__(self, exchange: "Exchange", *, speed: float, pacer: Pacer | None = None) -> None:
        """`speed` is venue seconds a second, above zero; MAX_SPEED does not wait for the clock at all."""
        if not speed > 0:
            raise ValueError(f"speed must be above zero, was {speed}")
        self.exchange = exchange
        self.pacer = pacer or NoPacer()
        self.steps_told = 0
        self._speed = speed
        self._going = trio.Event()
        self._going.set()
        self._seek_ms = 0
        self._anchor: tuple[float, int] | None = None
        self._hurry = trio.CancelScope()

    # --- controls -------------------------------------------------------------------------------------------------

    @property
    def speed(self) -> float:
        return self._speed

    def set_speed(self, speed: float) -> None:
        if not speed > 0:
            raise ValueError(f"speed must be above zero, was {speed}")
        self._speed = speed
        self._wake()

    @property
    def paused(self) -> bool:
        return not self._going.is_set()

    def pause(self) -> None:
        if self._going.is_set():
            self._going = trio.Event()

    def resume(self) -> None:
        self._going.set()
        self._wake()

    def seek(self, time_ms: int) -> None:
        """Go on at full speed until this venue time (orders are matched on the way); back is not possible."""
        self._seek_ms = time_ms
        self.resume()

    def _wake(self) -> None:
        self._anchor = None
        self._hurry.cancel()

    # --- the run --------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Tell the whole recording; sets `exchange.ended` at its end."""
        exchange = self.exchange
        exchange.catch_up()
        exchange.save()
        # Who comes back after a crash may still owe an answer to the last thing it heard.
        await self.pacer.settled()
        for moment in exchange.moments():
            if not self._going.is_set():
                await self._going.wait()
                self._anchor = None
            if moment.is_boundary:
                await self.pacer.settled()
                await exchange.wait_until_written()
            elif moment.number % FRAMES_A_TURN == 0:
                await exchange.wait_until_written()
                await trio.lowlevel.checkpoint()
            await self._wait_for(moment.time_ms)
            # Before telling: what the moment changes is saved together with its number.
            exchange.step = moment.number
            minds_trades = self.pacer.minds_trades()
            if minds_trades and moment.match is not None:
                if moment.match():
                    # Whoever decides by this trade must know what it did to his orders.
                    await self.pacer.settled()
                changed = moment.tell(matched=True)
            else:
                changed = moment.tell()
            self.steps_told += 1
            if moment.is_boundary:
                exchange.save_position()
            if changed or moment.is_boundary or minds_trades:
                # After a boundary somebody has decided: his order must be here before the next price is.
                await self.pacer.settled()
        await self.pacer.settled()
        exchange.ended.set()

    async def _wait_for(self, time_ms: int) -> None:
        """Until the wall has reached this venue time at the speed of the replay."""
        while self._speed != MAX_SPEED and time_ms > self._seek_ms:
            now = trio.current_time()
            if self._anchor is None:
                self._anchor = (now, time_ms)
            wall, venue_ms = self._anchor
            due = wall + (time_ms - venue_ms) / 1000 / self._speed
            if now - due > LATE_S:
                self._anchor = (now, time_ms)
                return
            with trio.CancelScope() as self._hurry:
                await trio.sleep_until(due)
            if not self._hurry.cancelled_caught:
                return


class Moment(NamedTuple):
    """One thing that happens. `tell` says whether somebody's order changed by it.

    `match` is the part of a trade that is between the venue and its orders; `tell(matched=True)` then leaves it out.
    """

    number: int
    time_ms: int
    is_boundary: bool
    tell: Callable[..., bool]
    absorb: Callable[[], None]
    match: Callable[[], bool] | None = None


def source_of(exchange: "Exchange") -> "CandleSource | FrameSource | None":
    """The moments of an exchange's recording; None where it has none."""
    if isinstance(exchange.recording, CandleRecording):
        return CandleSource(exchange)
    return FrameSource(exchange) if isinstance(exchange.recording, FrameRecording) else None


class CandleSource:
    """The schedule of a candle recording as moments."""

    def __init__(self, exchange: "Exchange") -> None:
        self.exchange = exchange
        self._before: dict[Symbol, float] = {}

    def moments(self) -> Iterator[Moment]:
        recording = self.exchange.recording
        assert isinstance(recording, CandleRecording)
        for step in schedule(recording.rows, first_ms=recording.first_ms, last_ms=recording.last_ms):
            if step.row is None:
                tell = partial(self.exchange.boundary, step.symbol, step.time_ms)
                yield Moment(step.number, step.time_ms, step.kind is StepKind.BOUNDARY, tell, _nothing)
                continue
            # Made with the moment, not when it is told: who walks through many at once finds all this warm.
            trade, minute = self._print(step), forming(step.row, step.part)
            yield Moment(
                step.number,
                step.time_ms,
                step.kind is StepKind.BOUNDARY,
                partial(self.exchange.tick, step.symbol, trade, minute, step.time_ms),
                partial(self._absorb, step, trade, minute),
                partial(self._match, step),
            )

    def _match(self, step: Step) -> bool:
        return self.exchange.match(step.symbol, step.price, replayed_amount(step.volume), step.time_ms)

    def _absorb(self, step: Step, trade: PublicTrade, minute: CandleRow) -> None:
        for symbol in self.exchange.twins(step.symbol):
            self.exchange.market.absorb(symbol, trade, minute)
            self.exchange.venue.observe(symbol, step.price)

    def _print(self, step: Step) -> PublicTrade:
        """The public trade of a tick: a buy if the price rose or stood, else a sell."""
        rose = step.price >= self._before.get(step.symbol, 0.0)
        self._before[step.symbol] = step.price
        size = replayed_amount(step.volume)
        number = replayed_trade_id(step.time_ms, self.exchange.symbols.index(step.symbol))
        return PublicTrade(number, step.time_ms, size if rose else -size, step.price)


def _nothing() -> None:
    pass


class FrameSource:
    """A frame recording as moments, with a boundary a second after each full minute."""

    def __init__(self, exchange: "Exchange") -> None:
        self.exchange = exchange
        self.books: dict[Symbol, RecordedBook] = {}
        for symbol in exchange.symbols:
            book = self.books[symbol] = RecordedBook()
            exchange.market.sources[symbol] = book.shown
            exchange.venue.set_ladder(symbol, book)

    def moments(self) -> Iterator[Moment]:
        recording = self.exchange.recording
        assert isinstance(recording, FrameRecording)
        number = 0
        due_ms: int | None = None
        time_ms = 0
        for item in tape(recording):
            time_ms = item.time_ms
            if due_ms is None:
                due_ms = time_ms - time_ms % MINUTE_MS + MINUTE_MS + BOUNDARY_MS
            while time_ms >= due_ms:
                yield from self._boundary(number, due_ms)
                number += len(self.exchange.symbols)
                due_ms += MINUTE_MS
            yield Moment(number, time_ms, False, partial(self._tell, item), partial(self._absorb, item))
            number += 1
        if due_ms is not None:
            yield from self._boundary(number, due_ms)

    def _boundary(self, number: int, time_ms: int) -> Iterator[Moment]:
        for place, symbol in enumerate(self.exchange.symbols):
            tell = partial(self.exchange.boundary, symbol, time_ms)
            yield Moment(number + place, time_ms, True, tell, _nothing)

    def _tell(self, item: TapeFrame) -> bool:
        exchange, symbol = self.exchange, Symbol(item.channel.symbol)
        exchange.time_ms = max(exchange.time_ms, item.time_ms)
        trade = item.trade
        if trade is not None:
            return exchange.tick(symbol, trade, None, exchange.time_ms)
        if item.frame[1] == "hb":
            return False
        if item.channel.channel == "trades":
            if item.frame[1] == "tu":
                exchange.market.confirmed(symbol, item.payload)
            else:
                self._absorb(item)
            return False
        self._absorb(item)
        if isinstance(item.frame[1][0], list):
            exchange.market.orders_changed(symbol)
        else:
            exchange.market.book_moved(symbol, item.channel.event, item.payload)
        return False

    def _absorb(self, item: TapeFrame) -> None:
        exchange, symbol = self.exchange, Symbol(item.channel.symbol)
        payload = item.frame[1]
        if payload in ("hb", "tu"):
            return
        if item.channel.channel == "book":
            if payload and isinstance(payload[0], list):
                self.books[symbol].snapshot(payload)
            elif payload:
                self.books[symbol].update(payload)
            return
        trades = [item.trade] if item.trade is not None else [PublicTrade(*row[:4]) for row in reversed(payload)]
        for trade in trades:
            if trade is not None:
                exchange.market.absorb(symbol, trade, None)
                exchange.venue.observe(symbol, trade.price)
        exchange.time_ms = max(exchange.time_ms, item.time_ms)
