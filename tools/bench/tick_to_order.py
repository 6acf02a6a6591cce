"""From the exchange's frame that closes a candle to the order's frame at the exchange, through the whole engine.

    python -m tools.bench.tick_to_order [rounds]

A whole engine trades some hours of a recording over real sockets, one decision in flight. The time runs from the
exchange handing the bytes that close a candle to its socket until it has read the bytes of the order: the engine's ends
of both sockets, cache, signal, risk with all rules, order, and the durable intent. Then the same with a journal that
answers and keeps nothing: all that durability costs is left out, not the disk's part alone. That stands beside five
actors that do the least there is between a tick and an order (`_prototype.py`), in the same round, with the same pauses
between two ticks and the same two moments; an engine that was idle finds its code and data no longer near the core, and
so do they. The wall's time is told, and CPU time, which a busy machine does not stretch.

From wire to wire: the exchange has a process of its own here, and so has the prober of the five actors, so that either
side answers for its own work alone; of both the part between reading the tick and sending the order is told, too.
At a rate, the exchange says so many messages a second of the traded pair on the same socket, as many in a write as the
prober writes ticks, and a candle closes in such a write. On one loop: the exchange, or the prober, on the loop and core
of those whom it times, as all of this was measured until November 2026; and the feed beside it is of another symbol,
from a process of its own, through the engine's socket layer and market cache.
"""

import contextlib
import math
import mmap
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from pathlib import Path
from subprocess import PIPE
from typing import Any, Final, NamedTuple

import attrs
import msgspec
import trio
from typing_extensions import override

from genesis.core.chance import Chance
from genesis.core.channel import Answer
from genesis.core.clock import TrioClock
from genesis.core.rest import LoopClock
from genesis.core.term import Term
from genesis.core.turns import run_loop
from genesis.domain.settings_build import Layer
from genesis.edge.collector import Collector
from genesis.edge.store_thread import StoreThread
from genesis.edge.websocket import WebSocket, fast_websocket
from genesis.engine import Engine
from genesis.running import GIL_TURN_S
from genesis.simulator.exchange import Address, Exchange
from genesis.simulator.replay_driver import NoPacer
from genesis.simulator.session import Session
from genesis.simulator.settings import ExchangeSettings
from protocols.bitfinex.inputs import Calculate, Input
from protocols.journal import Commit, Committed, JournalRequest
from protocols.units import Symbol
from tests.house import house, lively_layer, piece_of
from tools.bench import _prototype
from tools.bench._figures import is_quick, tell
from tools.bench._moments import Marks, NearTap, Span, Tap, Watch
from tools.bench.feed import feeding, server
from tools.bench.symbols import lines_of

MINUTES: Final = 300
QUICK_MINUTES: Final = 90
PARTS: Final = (0, 720, 1440)
"""First minutes of what is traded, one part after the other in the rounds."""
PAUSE_S: Final = 0.015
"""Between two steps of the market: an idle engine has long done with the one before."""
TICKS: Final = 2_000
PAUSED_TICKS: Final = 200
ECHOES: Final = 500
TRADED: Final = Symbol("tBTCUSD")
OTHER: Final = Symbol("tLTCUSD")
SLOW_RATE: Final = 10_000
RATE: Final = 20_000
FEED_S: Final = 180
"""Longer than the trading beside it."""
DAY_MS: Final = 86_400_000
"""So much older are the feed's stamps: it must not move the venue's time, by which signals are judged."""
FIRST_CHATTER_ID: Final = 900_000_000_000
"""Above those of the recording's trades."""


class Pause(NoPacer):
    """Gives the engine time, without looking at it: looking would be work on the same loop."""

    @override
    async def settled(self) -> None:
        await trio.sleep(PAUSE_S)


class TimedExchange(Exchange):
    """Notes the time from the bytes of a boundary of `TRADED` to those of the first request: an entry's order, or the
    cancel of a stop that an exit takes out of its own way. A boundary that fills something by itself is not counted."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.spans: list[Span] = []
        self.watch = Watch()

    @override
    async def _converse(self, stream: trio.abc.Stream, peer: str) -> None:
        await super()._converse(Tap(stream, self.watch), peer)

    def boundary(self, symbol: Symbol, time_ms: int) -> bool:
        changed = super().boundary(symbol, time_ms)
        if symbol == TRADED:
            self.watch.expect(not changed)
        return changed

    def tick(self, *arguments: Any, **options: Any) -> bool:
        self.watch.expect(False)
        return super().tick(*arguments, **options)

    def operate(self, session: Session, request: Input) -> None:
        # What is asked for its number alone comes by the clock, and is no decision.
        if not isinstance(request, Calculate):
            span = self.watch.answered()
            if span is not None:
                self.spans.append(span)
        super().operate(session, request)


class ForgetfulStore(StoreThread):
    """Says that it has kept what it has not: for the time of a decision without its durability."""

    @override
    async def commit(self, commits: Sequence[Commit], *, at_ms: int) -> list[Committed]:
        await trio.lowlevel.checkpoint()
        return [Committed(first_seq=1, new=(True,) * len(commit.records)) for commit in commits]


def one_pair() -> Layer:
    """The test's lively strategies, of the one pair whose boundaries are timed."""
    layer = lively_layer()
    mine: Any = layer.values["strategies"]
    strategies = [each for each in mine if each["symbol"] == TRADED]
    return Layer(name="bench", values={**layer.values, "strategies": strategies})


# --- from wire to wire: the exchange in a process of its own ----------------------------------------------------------


class SharedTime:
    """The venue's time in a page that both processes have mapped, since the engine of a replay lives by it."""

    def __init__(self, path: Path) -> None:
        with path.open("r+b") as file:
            self._number = memoryview(mmap.mmap(file.fileno(), 8)).cast("q")
        # Without a function of ours: the engine asks for the time while an order waits.
        self.read: Callable[[], int] = partial(self._number.__getitem__, 0)

    @staticmethod
    def make(path: Path, at_ms: int) -> "SharedTime":
        path.write_bytes(bytes(8))
        time = SharedTime(path)
        time.set(at_ms)
        return time

    def set(self, at_ms: int) -> None:
        self._number[0] = at_ms


class DistantExchange(TimedExchange):
    """Tells its time to the other process, and at a `rate` what a lively market of the traded pair says."""

    def __init__(self, time: SharedTime, rate: int, *arguments: Any) -> None:
        self.time = time
        super().__init__(*arguments)
        self.rate = rate
        self.said = 0
        self.next_write = trio.Event()

    def boundary(self, symbol: Symbol, time_ms: int) -> bool:
        changed = super().boundary(symbol, time_ms)
        self.time.set(self.venue_ms())
        return changed

    def tick(self, *arguments: Any, **options: Any) -> bool:
        changed = super().tick(*arguments, **options)
        self.time.set(self.venue_ms())
        return changed

    async def settled(self) -> None:
        """As `Pause`; at a rate until what comes next leaves in one write with messages of that moment."""
        await trio.sleep(PAUSE_S)
        if self.rate:
            await self.next_write.wait()

    def minds_trades(self) -> bool:
        return False

    async def chatter(self) -> None:
        """Tickers and trades in turn, at the price there is."""
        due = trio.current_time()
        while True:
            soon, self.next_write = self.next_write, trio.Event()
            soon.set()
            # The market's next step and these are both queued before the socket's writer has its turn.
            await trio.lowlevel.checkpoint()
            self._say(_prototype.burst(self.rate))
            due += _prototype.RATE_STEP_S
            await trio.sleep_until(due)

    def _say(self, count: int) -> None:
        ticker = self.market.ticker_row(TRADED)
        price = self.market.last_price(TRADED)
        channels = {
            subscription.channel: (session, channel)
            for session in self.sessions.values()
            for channel, subscription in session.channels.items()
            if subscription.symbol == TRADED
        }
        for _ in range(count):
            self.said += 1
            if self.said % 2:
                session, channel = channels["ticker"]
                session.channel(channel, f"{ticker}")
            else:
                session, channel = channels["trades"]
                trade = f'"te",[{FIRST_CHATTER_ID + self.said},{self.venue_ms()},0.001,{price}]'
                session.channel(channel, trade)


async def venue(path: Path, part: int, minutes: int, rate: int) -> None:
    """The other process: prints its port, waits for a word, and prints the spans of all decisions."""
    recording = piece_of(minutes=minutes, skip=part)
    time = SharedTime(path)
    exchange = DistantExchange(time, rate, ExchangeSettings(), recording, TrioClock(), Chance(part).port("venue"))
    collector = Collector()
    async with trio.open_nursery() as nursery:
        address: Address = await nursery.start(exchange.serve)
        time.set(exchange.venue_ms())
        print(address.port, flush=True)
        await trio.to_thread.run_sync(sys.stdin.readline)
        collector.begin()
        collector.settle()
        if rate:
            nursery.start_soon(exchange.chatter)
        await exchange.replay(math.inf, exchange)
        sys.stdout.buffer.write(msgspec.json.encode(exchange.spans) + b"\n")
        sys.stdout.flush()
        nursery.cancel_scope.cancel()
    collector.end()


@attrs.frozen
class TappedDial:
    """Dials as `inner` does, and has the near end's moments noted."""

    inner: Any
    marks: Marks
    reads: bool
    sends: bool

    @contextlib.asynccontextmanager
    async def __call__(self, uri: str, *, timeout_s: float) -> AsyncIterator[WebSocket]:
        async with self.inner(uri, timeout_s=timeout_s) as socket:
            socket.stream = NearTap(socket.stream, self.marks, reads=self.reads, sends=self.sends)
            yield socket


class Told(NamedTuple):
    """Each decision at the far end, and of each the part of the near end and the seconds it waited for the journal."""

    spans: list[Span]
    own: list[Span]
    waited_s: Sequence[float] = ()


def note_waits(engine: Engine, marks: Marks) -> None:
    """Have it noted from when to when an order waits for the journal: that is the durable intent. It goes on in the
    step that answers the order actor's question."""
    ask_then = engine.channels.journal.ask_then

    def noted(term: Term | None, message: JournalRequest, then: Callable[[Any], object]) -> Answer | None:
        began_s = time.perf_counter()

        def told(value: Any) -> None:
            marks.waits.append((began_s, time.perf_counter()))
            then(value)

        return ask_then(term, message, told)

    engine.channels.journal.ask_then = noted  # type: ignore[method-assign]


async def wire_to_wire(directory: Path, part: int, *, minutes: int, inline: bool, rate: int = 0) -> Told:
    """A recording's decisions, with the exchange in a process of its own."""
    recording = piece_of(minutes=minutes, skip=part)
    marks = Marks()
    path = directory / "time"
    shared = SharedTime.make(path, recording.first_ms)
    collector = Collector()

    def tap(engine: Engine) -> None:
        engine.venue = attrs.evolve(
            engine.venue,
            dial_public=TappedDial(fast_websocket, marks, reads=True, sends=False),
            dial_private=TappedDial(fast_websocket, marks, reads=False, sends=True),
        )
        note_waits(engine, marks)

    async with trio.open_nursery() as nursery:
        command = [sys.executable, "-m", "tools.bench.tick_to_order", "venue", path, part, minutes, rate]
        start = partial(trio.run_process, [str(word) for word in command], stdin=PIPE, stdout=PIPE, check=False)
        process: trio.Process = await nursery.start(start)
        assert process.stdin is not None
        async with lines_of(process) as lines:
            # It lends its address, its pairs and the venue's time, and serves nobody.
            stand_in = Exchange(ExchangeSettings(), recording, TrioClock(), Chance(part).port("stand-in"))
            stand_in.address = Address("127.0.0.1", int(await anext(lines)))
            stand_in.venue_ms = shared.read  # type: ignore[method-assign]
            async with house(
                directory,
                recording=recording,
                layer=one_pair(),
                seed=part,
                exchange=stand_in,
                journal=ForgetfulStore if inline else StoreThread,
                prepare=tap,
            ) as here:
                await here.ready()
                collector.begin()
                collector.settle()
                await process.stdin.send_all(b"go\n")
                spans = msgspec.json.decode(await anext(lines), type=list[Span])
            collector.end()
        nursery.cancel_scope.cancel()
    return Told(spans, marks.within(spans), marks.waited_s(spans))


# --- on one loop ------------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def _beside(engine: Engine, rate: int, start_ms: int) -> AsyncIterator[None]:
    """A feed of another symbol into the engine's market cache, through a socket of its own."""
    if not rate:
        yield
        return
    with server(rate * FEED_S, rate, start_ms) as port:
        async with feeding(port, OTHER, engine.channels.prices, engine.channels.market_events) as stats:
            while not stats.frames_in:  # noqa: ASYNC110 - a count has no event
                await trio.sleep(0.05)
            yield


async def one_loop(directory: Path, part: int, *, minutes: int, inline: bool, rate: int = 0) -> list[Span]:
    """The spans of each decision, with the exchange on the engine's own loop; `inline` is without durability."""
    recording = piece_of(minutes=minutes, skip=part)
    exchange = TimedExchange(ExchangeSettings(), recording, TrioClock(), Chance(part).port("venue"))
    collector = Collector()
    async with trio.open_nursery() as nursery:
        await nursery.start(exchange.serve)
        async with house(
            directory,
            recording=recording,
            layer=one_pair(),
            seed=part,
            exchange=exchange,
            journal=ForgetfulStore if inline else StoreThread,
        ) as here:
            await here.ready()
            # As a process that runs one engine has it.
            collector.begin()
            collector.settle()
            async with _beside(here.engine, rate, recording.first_ms - DAY_MS):
                await exchange.replay(math.inf, Pause())
        nursery.cancel_scope.cancel()
    collector.end()
    return exchange.spans


async def echo() -> float:
    """Median seconds of one small frame there and back."""
    took: list[float] = []

    async def answer(stream: trio.SocketStream) -> None:
        async for data in stream:
            await stream.send_all(data)

    async with trio.open_nursery() as nursery:
        [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, answer, [listener])
        stream = await trio.open_tcp_stream(*listener.socket.getsockname()[:2])
        async with stream:
            for _ in range(ECHOES):
                began = time.perf_counter()
                await stream.send_all(b"[1,[1,2,3,4,5,6,7,8,9,10]]")
                await stream.receive_some()
                took.append(time.perf_counter() - began)
        nursery.cancel_scope.cancel()
    return statistics.median(took)


# --- what is told -----------------------------------------------------------------------------------------------------


@attrs.define
class Times:
    """Spans of several runs, and of each the part of the near end; told in microseconds."""

    spans: list[Span] = attrs.field(factory=list)
    own: list[Span] = attrs.field(factory=list)
    waited_s: list[float] = attrs.field(factory=list)

    def add(self, told: Told) -> None:
        self.spans += told.spans
        self.own += told.own
        self.waited_s += told.waited_s

    def took_us(self, percent: int = 50) -> float:
        return _of([span.took_s for span in self.spans], percent)

    def without_waits_us(self, percent: int = 50) -> float:
        """Without the time in which the order waited for its intent to be kept."""
        return _of([span.took_s - waited for span, waited in zip(self.spans, self.waited_s, strict=True)], percent)

    def cpu_us(self) -> float:
        return _of([span.cpu_s for span in self.spans], 50)

    def own_us(self) -> float:
        return _of([span.took_s for span in self.own], 50)

    def own_cpu_us(self) -> float:
        return _of([span.cpu_s for span in self.own], 50)


def times_of(told: Told) -> Times:
    times = Times()
    times.add(told)
    return times


def _of(times_s: Sequence[float], percent: int) -> float:
    if not times_s:
        raise SystemExit("must measure at least one decision, was none")
    ordered = sorted(times_s)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)] * 1e6


def minutes_of_a_part() -> int:
    return QUICK_MINUTES if is_quick() else MINUTES


def far(part: int, *, durable: bool = False, rate: int = 0) -> Told:
    """The engine, its exchange in a process of its own."""
    with tempfile.TemporaryDirectory() as directory:
        trade = partial(wire_to_wire, Path(directory), part, minutes=minutes_of_a_part(), inline=not durable, rate=rate)
        return run_loop(trade)


def near(part: int, *, durable: bool = False, rate: int = 0) -> Times:
    """The engine, its exchange on its loop."""
    with tempfile.TemporaryDirectory() as directory:
        trade = partial(one_loop, Path(directory), part, minutes=minutes_of_a_part(), inline=not durable, rate=rate)
        return Times(run_loop(trade))


def prototype(*words: float) -> Told:
    """The five actors, their prober in a process of its own: ticks, the pause, and the rate where there is one."""
    return Told(*trio.run(_prototype.two_processes, *words))


def tell_wire_to_wire(parts: Sequence[int]) -> None:
    idle, kept, actors = Times(), Times(), Times()
    for part in parts:
        # Five actors before and after: what the machine does meanwhile meets both.
        actors.add(prototype(PAUSED_TICKS, PAUSE_S))
        idle.add(far(part))
        actors.add(prototype(PAUSED_TICKS, PAUSE_S))
        kept.add(far(part, durable=True))
    hot = times_of(prototype(TICKS, 0.0))
    beside_actors = partial(tell, beside=actors.took_us(), beside_name="five actors")
    tell("wire to wire: five actors, one tick right after the other, p50", hot.took_us(), "us")
    tell("wire to wire: five actors, p50", actors.took_us(), "us", beside=hot.took_us(), beside_name="without pauses")
    beside_actors("wire to wire: tick to order, not durable, p50", idle.took_us(), "us")
    beside_actors("wire to wire: tick to order, not durable, without its wait, p50", idle.without_waits_us(), "us")
    tell("wire to wire: tick to order, not durable, p99", idle.took_us(99), "us")
    tell("wire to wire: decisions timed", len(idle.spans), "decisions")
    tell(
        "wire to wire: the engine's part, from its read to its send, p50",
        idle.own_us(),
        "us",
        beside=actors.own_us(),
        beside_name="five actors' part",
    )
    tell(
        "wire to wire: the engine's part, CPU of its process, p50",
        idle.own_cpu_us(),
        "us",
        beside=actors.own_cpu_us(),
        beside_name="five actors' part",
    )
    beside_actors("wire to wire: tick to order, durable intent, p50", kept.took_us(), "us")
    tell("wire to wire: tick to order, durable intent, p99", kept.took_us(99), "us")


def tell_at_rate(parts: Sequence[int], rate: int) -> None:
    busy, actors = Times(), times_of(prototype(rate, 0.0, rate))
    for part in parts:
        busy.add(far(part, rate=rate))
        actors.add(prototype(rate, 0.0, rate))
    beside_actors = partial(tell, beside=actors.took_us(), beside_name="five actors at that rate")
    name = f"wire to wire: tick to order, at {rate:,} messages/s"
    beside_actors(f"{name}, p50", busy.took_us(), "us")
    beside_actors(f"{name}, without its wait, p50", busy.without_waits_us(), "us")


def tell_one_loop(part: int) -> None:
    limit_us = trio.run(echo) * 1e6
    hot = Times(trio.run(_prototype.one_loop, partial(_prototype.in_turn, ticks=TICKS, pause_s=0.0)))
    beside_echo = partial(tell, beside=limit_us, beside_name="loopback echo")
    beside_echo("one loop: five actors, one tick right after the other, p50", hot.took_us(), "us")
    actors = Times(trio.run(_prototype.one_loop, partial(_prototype.in_turn, ticks=PAUSED_TICKS, pause_s=PAUSE_S)))
    beside_actors = partial(tell, beside=actors.took_us(), beside_name="five actors")
    beside_echo("one loop: five actors, one in flight, p50", actors.took_us(), "us")
    kept = near(part, durable=True)
    beside_actors("one loop: tick to order, durable intent, p50", kept.took_us(), "us")
    beside_echo("one loop: tick to order, durable intent, p99", kept.took_us(99), "us")
    idle = near(part)
    p99 = idle.took_us(99)
    beside_actors("one loop: tick to order, not durable, p50", idle.took_us(), "us")
    beside_echo("one loop: tick to order, not durable, p99", p99, "us")
    cpu_us = actors.cpu_us()
    name = "one loop: tick to order, not durable, CPU, p50"
    tell(name, idle.cpu_us(), "us", beside=cpu_us, beside_name="five actors")
    for rate in (SLOW_RATE, RATE):
        at_rate = Times(trio.run(_prototype.one_loop, partial(_prototype.open_loop, ticks=rate, rate=rate))).took_us()
        busy = near(part, rate=rate)
        name = f"one loop: tick to order, beside {rate:,} messages/s"
        tell(f"{name}, p50", busy.took_us(), "us", beside=at_rate, beside_name="five actors at that rate")
        tell(f"{name}, p99", busy.took_us(99), "us", beside=p99, beside_name="p99 when idle")


def main() -> int:
    sys.setswitchinterval(GIL_TURN_S)
    match sys.argv[1:]:
        case ["venue", path, *numbers]:
            part, minutes, rate = map(int, numbers)
            trio.run(venue, Path(path), part, minutes, rate, clock=LoopClock())
            return 0
        case words:
            rounds = int(words[0]) if words else 3
    for number in range(rounds):
        now_part = PARTS[(number + int(time.time())) % len(PARTS)]
        if is_quick():
            tell_wire_to_wire([now_part])
            continue
        tell_wire_to_wire(PARTS)
        tell_one_loop(now_part)
        for rate in (SLOW_RATE, RATE):
            tell_at_rate(PARTS, rate)
    return 0


if __name__ == "__main__":
    sys.exit(main())
