"""Tells a recording to the exchange's clients: step by step, at a speed, waiting for whoever must keep up."""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, Protocol

import trio

from genesis.domain.recording import CandleRecording
from genesis.domain.replay import Step, StepKind, forming, schedule
from genesis.domain.venue_ledger import IDS_PER_MS
from genesis.simulator.feed import PublicTrade
from protocols.units import Symbol

if TYPE_CHECKING:
    from genesis.simulator.exchange import Exchange

MAX_SPEED: Final = math.inf
LATE_S: Final = 1.0
"""A replay further behind than this starts counting anew instead of hurrying."""


class Pacer(Protocol):
    """Who must have understood everything so far before the market goes on."""

    async def settled(self) -> None:
        """Returns when everything that was told has been read and acted upon, and the answers have arrived."""
        ...


class NoPacer:
    """Nobody has to keep up; clients still get their turn."""

    async def settled(self) -> None:
        await trio.lowlevel.checkpoint()


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
        self._sides: dict[Symbol, float] = {}

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
        recording = self.exchange.recording
        assert isinstance(recording, CandleRecording)
        exchange = self.exchange
        steps = schedule(recording.rows, first_ms=recording.first_ms, last_ms=recording.last_ms)
        for step in self._skip(steps):
            if not self._going.is_set():
                await self._going.wait()
                self._anchor = None
            if step.kind is StepKind.BOUNDARY:
                await self.pacer.settled()
                await exchange.wait_until_written()
            await self._wait_for(step.time_ms)
            # Before telling: what the step changes is saved together with its number.
            exchange.step = step.number
            changed = self._tell(step)
            self.steps_told += 1
            if step.kind is StepKind.BOUNDARY:
                exchange.save_position()
            if changed:
                await self.pacer.settled()
        await self.pacer.settled()
        exchange.ended.set()

    def _skip(self, steps: Iterator[Step]) -> Iterator[Step]:
        """Take in what happened in a former life of this process, and yield the rest."""
        for step in steps:
            if step.number > self.exchange.resume_after:
                yield step
            elif step.row is not None:
                trade = self._print(step)
                for symbol in self.exchange.twins(step.symbol):
                    self.exchange.market.absorb(symbol, trade, forming(step.row, step.part))
                    self.exchange.venue.observe(symbol, step.price)
                self.exchange.step = step.number

    def _tell(self, step: Step) -> bool:
        if step.kind is StepKind.BOUNDARY:
            return self.exchange.boundary(step.symbol, step.time_ms)
        assert step.row is not None
        return self.exchange.tick(step.symbol, self._print(step), forming(step.row, step.part), step.time_ms)

    def _print(self, step: Step) -> PublicTrade:
        """The public trade of a tick: a buy if the price rose (or stood after a rise), else a sell."""
        before = self._sides.get(step.symbol, 0.0)
        rose = step.price >= before
        self._sides[step.symbol] = step.price
        size = max(round(step.volume, 8), 1e-8)
        number = step.time_ms * IDS_PER_MS + self.exchange.symbols.index(step.symbol)
        return PublicTrade(number, step.time_ms, size if rose else -size, step.price)

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
