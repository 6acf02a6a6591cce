"""The market cache tells every candle once it cannot change, in order, whatever dies meanwhile."""

import itertools
import random
from contextlib import AbstractAsyncContextManager
from typing import Any

import msgspec
import pytest
import trio
import trio.testing

from actors.market_cache import MarketCacheActor
from genesis.core.actor import Context
from genesis.core.channel import Channel, Overflow
from genesis.core.latest import Latest
from genesis.domain.market_book import EMPTY_MARKET
from genesis.domain.signal_machine import SignalMachine
from protocols.health import Notice
from protocols.market import (
    Candle,
    CandleClosed,
    CandleHistory,
    CandleRequest,
    CandlesFailed,
    CandleSnapshot,
    CandleUpdate,
    HistoryWait,
    HistoryWish,
    MarketEvent,
    MarketView,
    OlderCandles,
    StreamBeat,
    StreamDown,
    StreamUp,
    Ticker,
    TradePrint,
)
from protocols.settings import MarketSettings, Settings, StrategySettings
from protocols.units import Symbol
from tests.actors.deciding_stage import Listener, MemoryDisk, Stage, journal_channel, on_stage
from tests.recorded_candles import as_closed, recorded_candles

BTC = Symbol("tBTCUSD")
SETTINGS = Settings(strategies=(StrategySettings(name="s", timeframe="1m"),))
CANDLES = recorded_candles()[:120]


def live_minute(candle: Candle) -> list[MarketEvent]:
    """The candle as a stream tells it: opening, finished, then the beat that closes it."""
    opening = Candle(
        symbol=candle.symbol,
        timeframe="1m",
        open_ms=candle.open_ms,
        open=candle.open,
        high=candle.open,
        low=candle.open,
        close=candle.open,
        volume=candle.volume / 4,
    )
    return [
        CandleUpdate(candle=opening, venue_ms=candle.open_ms + 2_000, received_ns=1),
        CandleUpdate(candle=candle, venue_ms=candle.open_ms + 59_000, received_ns=2),
        beat(candle.open_ms + 61_000),
    ]


def beat(venue_ms: int) -> StreamBeat:
    return StreamBeat(stream="candles", symbol=BTC, timeframe="1m", venue_ms=venue_ms, received_ns=3)


def snapshot(candles: tuple[Candle, ...], venue_ms: int) -> CandleSnapshot:
    return CandleSnapshot(symbol=BTC, timeframe="1m", candles=candles, venue_ms=venue_ms, received_ns=1)


class World:
    def __init__(self, *, refillable: bool = False) -> None:
        self.events: Channel[MarketEvent] = Channel("events", Overflow.BLOCK)
        self.closed: Channel[Any] = Channel("closed", Overflow.BLOCK)
        self.also: Channel[CandleClosed] = Channel("also", Overflow.BLOCK)
        self.ui: Channel[Any] = Channel("ui", Overflow.DROP_OLDEST, capacity=10_000)
        self.requests: Channel[CandleRequest] = Channel("requests", Overflow.DROP_OLDEST)
        self.journal = journal_channel()
        self.settings = Latest(SETTINGS)
        self.view: Latest[MarketView] = Latest(EMPTY_MARKET)
        self.wishes: Latest[tuple[HistoryWish, ...]] = Latest(())
        self.waits: Latest[tuple[HistoryWait, ...]] = Latest(())
        self.forming: Channel[CandleUpdate] = Channel("forming", Overflow.BLOCK)
        self.ahead = Listener()
        self.listener, self.second, self.shown, self.asked = Listener(), Listener(), Listener(), Listener()
        self.refillable = refillable

    def actor(self) -> MarketCacheActor:
        return MarketCacheActor(
            settings=self.settings,
            view=self.view,
            journal=self.journal,
            closed=(self.closed, self.also),
            forming=self.forming,
            requests=self.requests if self.refillable else None,
            wishes=self.wishes,
            waits=self.waits,
            ui=self.ui,
        )

    def run(self, disk: MemoryDisk | None = None) -> AbstractAsyncContextManager[Stage]:
        return on_stage(
            self.actor,
            hears=(self.events,),
            journal=self.journal,
            listeners={
                "signal": (self.listener, self.closed),
                "account": (self.second, self.also),
                "web": (self.shown, self.ui),
                "ahead": (self.ahead, self.forming),
                "history": (self.asked, self.requests),
            },
            disk=disk,
        )


async def test_both_listeners_hear_each_closed_candle_and_readers_see_it() -> None:
    world = World()
    async with world.run() as stage:
        await world.events.put(snapshot((), CANDLES[0].open_ms))
        for candle in CANDLES:
            for event in live_minute(candle):
                await world.events.put(event)
        await stage.settled()
        assert [told.candle for told in world.listener.heard] == list(CANDLES)
        assert world.second.heard == world.listener.heard
        assert not any(told.catch_up for told in world.listener.heard)
        series = world.view.value.series["tBTCUSD:1m"]
        assert series.candles == CANDLES
        assert series.pending == ()
        assert sum(isinstance(event, CandleClosed) for event in world.shown.heard) == len(CANDLES)


async def test_a_candle_that_is_about_to_close_is_told_as_it_stands() -> None:
    world = World()
    async with world.run() as stage:
        world.events.put_nowait(StreamUp(stream="candles", symbol=BTC, timeframe="1m", session=1, received_ns=1))
        world.events.put_nowait(snapshot(CANDLES[:2], CANDLES[2].open_ms))
        for candle in CANDLES[2:12]:
            for event in live_minute(candle):
                await world.events.put(event)
        await stage.settled()
        assert [told.candle for told in world.ahead.heard] == list(CANDLES[2:12])
        assert [closed.candle for closed in world.listener.heard][-10:] == list(CANDLES[2:12])


class Batches(Listener):
    """Remembers what came together."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[list[Any]] = []

    async def run(self, ctx: Context) -> None:
        ctx.ready()
        while True:
            batch = await ctx.inbox.lease()
            self.batches.append([envelope.message.candle for envelope in batch])
            ctx.inbox.ack_all(batch)


async def test_who_does_not_decide_hears_together_what_closes_together() -> None:
    """One by one, an account would value itself as many times."""
    world = World()
    world.second = together = Batches()
    async with world.run() as stage:
        await world.events.put(snapshot(CANDLES[:2], CANDLES[2].open_ms))
        await stage.settled()
        await world.events.put(snapshot(CANDLES[:9], CANDLES[9].open_ms + 5_000))
        await stage.settled()
    # The newest of the first snapshot was still forming.
    assert together.batches[-1] == list(CANDLES[1:9])


class Decider(Listener):
    """Takes some turns for each candle, and remembers what others had heard, and what the view said, behind them."""

    def __init__(self, world: "World") -> None:
        super().__init__()
        self.world = world
        self.found: list[tuple[int, float | None, tuple[Candle, ...]]] = []

    async def run(self, ctx: Context) -> None:
        ctx.ready()
        while True:
            for envelope in await ctx.inbox.lease():
                for _ in range(5):
                    await trio.lowlevel.checkpoint()
                view = self.world.view.value
                ticker = view.tickers.get(BTC)
                known = view.series["tBTCUSD:1m"].candles
                self.found.append((len(self.world.second.heard), None if ticker is None else ticker.last, known))
                ctx.inbox.ack(envelope)


async def test_who_decides_goes_first_and_finds_the_prices_that_came_with_the_candle() -> None:
    """A view that had the candle before everybody heard it would lose it to some in a crash."""
    world = World()
    decider = world.listener = Decider(world)
    async with world.run() as stage:
        await world.events.put(snapshot((), CANDLES[0].open_ms))
        for number, candle in enumerate(CANDLES[:3]):
            *updates, closing = live_minute(candle)
            for event in updates:
                await world.events.put(event)
            await stage.settled()
            if number != 1:
                world.events.put_nowait(msgspec.structs.replace(a_ticker(1, received_s=1.0), last=100.0 + number))
            world.events.put_nowait(closing)
            await stage.settled()
        assert decider.found == [(0, 100.0, ()), (1, 100.0, CANDLES[:1]), (2, 102.0, CANDLES[:2])]
        assert [told.candle for told in world.second.heard] == list(CANDLES[:3])


async def test_a_beat_that_comes_with_a_candles_end_is_heard_of_behind_it() -> None:
    world = World()
    async with world.run() as stage:
        *updates, closing = live_minute(CANDLES[0])
        for event in (snapshot((), CANDLES[0].open_ms), *updates):
            await world.events.put(event)
        await stage.settled()
        venue_ms = CANDLES[0].open_ms + 61_500
        world.events.put_nowait(StreamBeat(stream="ticker", symbol=BTC, timeframe="", venue_ms=venue_ms, received_ns=3))
        world.events.put_nowait(closing)
        await stage.settled()
        assert [told.candle for told in world.listener.heard] == [CANDLES[0]]
        assert world.view.value.venue_ms == venue_ms


async def test_what_was_traded_is_heard_of_behind_a_candles_end_and_in_front_of_its_streams() -> None:
    """It is in the view like everything else; and a stream that has ended is not begun anew by what it said before."""
    world = World()
    async with world.run() as stage:
        *updates, closing = live_minute(CANDLES[0])
        for event in (snapshot((), CANDLES[0].open_ms), *updates):
            await world.events.put(event)
        await stage.settled()
        prints = [a_trade(number, CANDLES[0].open_ms + 61_000) for number in (1, 2, 3)]
        for event in (prints[0], closing, *prints[1:]):
            world.events.put_nowait(event)
        await stage.settled()
        assert [told.candle for told in world.listener.heard] == [CANDLES[0]]
        assert world.view.value.prints[BTC] == tuple(prints)
        other = Symbol("tLTCUSD")
        last = msgspec.structs.replace(prints[0], symbol=other)
        down = StreamDown(stream="trades", symbol=other, timeframe="", session=1, reason="unsubscribed", received_ns=3)
        for gone in (last, msgspec.structs.replace(closing, stream="trades", symbol=other, timeframe=""), down):
            world.events.put_nowait(gone)
        await stage.settled()
        assert other not in world.view.value.prints


def a_trade(number: int, time_ms: int) -> TradePrint:
    return TradePrint(
        symbol=BTC,
        trade_id=number,
        time_ms=time_ms,
        amount=0.5,
        price=100.0 + number,
        venue_ms=time_ms,
        received_ns=3,
    )


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("prices", [False, True])
async def test_kills_at_any_moment_lose_no_candle(seed: int, prices: bool) -> None:
    world = World()
    chance = random.Random(seed)
    async with world.run() as stage:
        await world.events.put(snapshot((), CANDLES[0].open_ms))
        for candle in CANDLES:
            for event in live_minute(candle):
                if prices:
                    world.events.put_nowait(a_ticker(candle.open_ms, received_s=1.0))
                await world.events.put(event)
                if chance.random() < 0.1:
                    for _ in range(chance.randrange(6)):
                        await trio.lowlevel.checkpoint()
                    stage.supervisor.kill("world/subject", reason="chaos")
        await stage.settled()
        told = {one.candle.open_ms: one for one in world.listener.heard}
        assert [one.candle for one in told.values()] == list(CANDLES)
        assert all(told[one.candle.open_ms] == one for one in world.listener.heard)
        assert {one.candle.open_ms for one in world.second.heard} == set(told)
        assert world.view.value.series["tBTCUSD:1m"].candles == CANDLES


async def test_a_new_process_tells_as_history_what_the_strategies_have_not_seen() -> None:
    machine = SignalMachine(SETTINGS)
    for candle in CANDLES[:50]:
        machine.on_candle(as_closed(candle))
    disk = MemoryDisk()
    for cell in machine.checkpoint():
        disk.cells[(cell.table, cell.key)] = cell
    world = World()
    async with world.run(disk) as stage:
        now_ms = CANDLES[100].open_ms + 60_700
        await world.events.put(StreamUp(stream="candles", symbol=BTC, timeframe="1m", session=1, received_ns=1))
        await world.events.put(snapshot(CANDLES[:102], now_ms))
        await stage.settled()
        assert [told.candle for told in world.listener.heard] == list(CANDLES[50:101])
        # Even the newest one: it closed before we looked, so whoever trades on it would be late.
        assert all(told.catch_up for told in world.listener.heard)
        await world.events.put(beat(CANDLES[101].open_ms + 61_000))
        await stage.settled()
        assert world.listener.heard[-1].candle == CANDLES[101]
        assert not world.listener.heard[-1].catch_up
        assert world.view.value.series["tBTCUSD:1m"].candles == CANDLES[:102]


async def test_a_broken_line_is_refilled_by_the_next_snapshot() -> None:
    world = World()
    async with world.run() as stage:
        await world.events.put(snapshot((), CANDLES[0].open_ms))
        for candle in CANDLES[:10]:
            for event in live_minute(candle):
                await world.events.put(event)
        await world.events.put(
            StreamDown(stream="candles", symbol=BTC, timeframe="1m", session=1, reason="reset", received_ns=1)
        )
        await world.events.put(StreamUp(stream="candles", symbol=BTC, timeframe="1m", session=2, received_ns=1))
        # A stamp alone proves nothing now: candles may be missing.
        await world.events.put(beat(CANDLES[15].open_ms))
        await stage.settled()
        assert len(world.listener.heard) == 10
        await world.events.put(snapshot(CANDLES[5:16], CANDLES[14].open_ms + 61_000))
        await stage.settled()
        told = world.listener.heard
        assert [one.candle for one in told] == list(CANDLES[:15])
        assert [one.catch_up for one in told[10:]] == [True] * 4 + [False]
        assert world.view.value.series["tBTCUSD:1m"].holes == 0


async def test_a_hole_deeper_than_the_snapshot_is_asked_for_and_waited_for() -> None:
    world = World(refillable=True)
    async with world.run() as stage:
        await world.events.put(snapshot((), CANDLES[0].open_ms))
        for candle in CANDLES[:10]:
            for event in live_minute(candle):
                await world.events.put(event)
        await world.events.put(StreamUp(stream="candles", symbol=BTC, timeframe="1m", session=2, received_ns=1))
        await world.events.put(snapshot(CANDLES[50:61], CANDLES[59].open_ms + 61_000))
        await stage.settled()
        assert len(world.listener.heard) == 10
        (request,) = world.asked.heard
        assert request.first_open_ms == CANDLES[9].open_ms + 60_000
        assert request.last_open_ms == CANDLES[50].open_ms - 60_000
        await world.events.put(
            CandleSnapshot(
                symbol=BTC,
                timeframe="1m",
                candles=CANDLES[10:50],
                venue_ms=0,
                received_ns=1,
                covers_from_ms=request.first_open_ms,
            )
        )
        await stage.settled()
        assert [told.candle for told in world.listener.heard] == list(CANDLES[:60])


async def test_a_hole_that_nobody_can_fill_is_counted_and_passed(autojump_clock: trio.testing.MockClock) -> None:
    """In a stream that only charts look at."""
    world = World(refillable=True)
    world.settings.set(Settings())
    async with world.run():
        await world.events.put(snapshot((), CANDLES[0].open_ms))
        for event in live_minute(CANDLES[0]):
            await world.events.put(event)
        await world.events.put(snapshot(CANDLES[50:61], CANDLES[59].open_ms + 61_000))
        await trio.sleep(60)
        assert len(world.asked.heard) == 3
        assert [told.candle for told in world.listener.heard] == [CANDLES[0], *CANDLES[50:60]]
        assert world.view.value.series["tBTCUSD:1m"].holes == 1


async def test_nobody_decides_across_a_hole_however_long_it_takes_to_fill(
    autojump_clock: trio.testing.MockClock,
) -> None:
    world = World(refillable=True)
    async with world.run() as stage:
        await world.events.put(snapshot((), CANDLES[0].open_ms))
        for event in live_minute(CANDLES[0]):
            await world.events.put(event)
        await world.events.put(snapshot(CANDLES[50:61], CANDLES[59].open_ms + 61_000))
        asked_at: list[float] = []
        for _ in range(3600):
            await trio.sleep(1)
            while len(asked_at) < len(world.asked.heard):
                asked_at.append(trio.current_time())
                failed = CandlesFailed(request=world.asked.heard[-1], reason="503", received_ns=1)
                await world.events.put(failed)
        assert [told.candle for told in world.listener.heard] == [CANDLES[0]]
        pauses = [after - before for before, after in itertools.pairwise(asked_at)]
        assert pauses[:5] == pytest.approx([10, 20, 40, 80, 160], abs=2.5)
        assert max(pauses) == pytest.approx(300, abs=2.5)
        (wait,) = world.waits.value
        assert (wait.symbol, wait.wanted, wait.tries, wait.trouble) == (BTC, 0, len(asked_at), "503")
        assert _codes(world)[0] == "history_waits"
        request = world.asked.heard[-1]
        await world.events.put(
            CandleSnapshot(
                symbol=BTC,
                timeframe="1m",
                candles=CANDLES[1:50],
                venue_ms=0,
                received_ns=1,
                covers_from_ms=request.first_open_ms,
            )
        )
        await stage.settled()
        assert [told.candle for told in world.listener.heard] == list(CANDLES[:60])
        assert world.waits.value == ()
        assert [code for code in _codes(world) if "history" in code] == ["history_waits", "history_there"]


def a_wish(candles: int) -> HistoryWish:
    return HistoryWish(symbol=BTC, timeframe="1m", candles=candles)


async def test_a_history_is_asked_for_and_told_between_two_candles() -> None:
    world = World(refillable=True)
    world.wishes.set((a_wish(70),))
    async with world.run() as stage:
        await world.events.put(snapshot(CANDLES[80:101], CANDLES[100].open_ms + 2_000))
        await stage.settled()
        assert [told.candle for told in world.listener.heard] == list(CANDLES[80:100])
        (request,) = world.asked.heard
        assert (request.newest, request.first_open_ms, request.last_open_ms) == (70, 0, CANDLES[79].open_ms)
        # The market goes on while the answer is on its way.
        for event in live_minute(CANDLES[100]):
            await world.events.put(event)
        answer = OlderCandles(request=request, candles=CANDLES[10:80], is_all=False, received_ns=4)
        await world.events.put(answer)
        for event in live_minute(CANDLES[101]):
            await world.events.put(event)
        # Told twice by a venue that answered late: nothing changes.
        await world.events.put(answer)
        await stage.settled()
        heard = world.listener.heard
        (place,) = [place for place, told in enumerate(heard) if isinstance(told, CandleHistory)]
        before = [told.candle for told in heard[:place]]
        assert heard[place].candles == (*CANDLES[: len(before) + 80],)[-70:] == (*CANDLES[10:80], *before)[-70:]
        assert [told.candle for told in heard[:place] + heard[place + 1 :]] == list(CANDLES[80:102])
        assert world.view.value.series["tBTCUSD:1m"].candles == CANDLES[10:102]
        assert not any(isinstance(told, CandleHistory) for told in world.second.heard)
        assert len(world.asked.heard) == 1
        assert world.waits.value == ()


@pytest.mark.parametrize("seed", range(8))
async def test_whatever_fails_a_history_is_what_was_there(seed: int, autojump_clock: trio.testing.MockClock) -> None:
    """Refusals, silence, late answers, kills, lost lines: it is told once it is whole, and never before."""
    chance = random.Random(f"history-{seed}")
    world = World(refillable=True)
    world.wishes.set((a_wish(60),))
    known = CANDLES[:70] if chance.random() < 0.7 else CANDLES[40:70]
    async with world.run() as stage:
        place = 70
        await world.events.put(snapshot(CANDLES[55:71], CANDLES[70].open_ms + 2_000))
        seen = 0
        late: list[OlderCandles] = []
        for _ in range(49):
            await trio.sleep(chance.choice((0.5, 5.0, 60.0)))
            for request in world.asked.heard[seen:]:
                seen += 1
                found = [candle for candle in CANDLES if known[0].open_ms <= candle.open_ms <= request.last_open_ms]
                newest = found[-request.newest :] if request.newest else found
                is_all = len(newest) < (request.newest or 0)
                answer = OlderCandles(request=request, candles=tuple(newest), is_all=is_all, received_ns=1)
                match chance.randrange(5):
                    case 0:
                        await world.events.put(CandlesFailed(request=request, reason="429", received_ns=1))
                    case 1:
                        late.append(answer)
                    case 2:
                        pass
                    case _:
                        await world.events.put(answer)
            if late and chance.random() < 0.3:
                await world.events.put(late.pop())
            for event in live_minute(CANDLES[place]):
                await world.events.put(event)
            place += 1
            match chance.randrange(8):
                case 0:
                    stage.supervisor.kill("world/subject", reason="chaos")
                case 1:
                    await world.events.put(
                        StreamUp(stream="candles", symbol=BTC, timeframe="1m", session=place, received_ns=1)
                    )
                    told = snapshot(CANDLES[place - 12 : place + 1], CANDLES[place].open_ms + 2_000)
                    await world.events.put(told)
        await trio.sleep(700)
        await stage.settled()
        assert all(history.is_all == (len(history.candles) < 60) for history in _histories(world))
        first = _histories(world)[0]
        upto = CANDLES.index(first.candles[-1])
        assert (
            first.candles == tuple(candle for candle in CANDLES[: upto + 1] if candle.open_ms >= known[0].open_ms)[-60:]
        )


def _histories(world: World) -> list[CandleHistory]:
    return [told for told in world.listener.heard if isinstance(told, CandleHistory)]


async def test_a_market_without_a_candle_keeps_nobody_waiting(autojump_clock: trio.testing.MockClock) -> None:
    world = World(refillable=True)
    world.wishes.set((a_wish(1000),))
    async with world.run() as stage:
        await world.events.put(snapshot((), CANDLES[0].open_ms + 30_000))
        await stage.settled()
        (request,) = world.asked.heard
        assert request.last_open_ms == CANDLES[0].open_ms - 60_000
        await world.events.put(OlderCandles(request=request, candles=(), is_all=True, received_ns=4))
        await stage.settled()
        (history,) = world.listener.heard
        assert (history.candles, history.is_all) == ((), True)


async def test_a_history_without_a_hearer_is_told_again(autojump_clock: trio.testing.MockClock) -> None:
    """As long as it is wished for; room for it is kept as long."""
    world = World(refillable=True)
    world.settings.set(msgspec.structs.replace(SETTINGS, market=MarketSettings(candle_history=30)))
    world.wishes.set((a_wish(50),))
    async with world.run() as stage:
        await world.events.put(snapshot(CANDLES[:101], CANDLES[100].open_ms + 2_000))
        await stage.settled()
        assert world.asked.heard == []
        await trio.sleep(65)
        assert [history.candles for history in _histories(world)] == [CANDLES[50:100]] * 2
        world.wishes.set(())
        await trio.sleep(200)
        for event in live_minute(CANDLES[100]):
            await world.events.put(event)
        await stage.settled()
        assert len(_histories(world)) == 2
        assert world.view.value.series["tBTCUSD:1m"].candles == CANDLES[71:101]


async def test_a_stream_that_falls_silent_is_reported_once_and_again_when_it_speaks(
    autojump_clock: trio.testing.MockClock,
) -> None:
    world = World()
    async with world.run():
        await world.events.put(a_ticker(1_000_000, received_s=trio.current_time()))
        await trio.sleep(29)
        assert [one.stale for one in world.view.value.freshness] == [False]
        await trio.sleep(120)
        assert [one.stale for one in world.view.value.freshness] == [True]
        assert _codes(world) == ["stream_stale"]
        await world.events.put(a_ticker(1_150_000, received_s=trio.current_time()))
        await trio.sleep(2)
        assert _codes(world) == ["stream_stale", "stream_fresh"]


async def test_one_silent_stream_is_noticed_by_the_stamps_of_the_others(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """In a replay at sixty times the speed our own clock says nothing."""
    world = World()
    async with world.run():
        await world.events.put(a_ticker(1_000_000, received_s=trio.current_time()))
        await world.events.put(a_ticker(1_031_000, received_s=trio.current_time(), symbol="tETHUSD"))
        await trio.sleep(1.5)
        assert {one.symbol: one.stale for one in world.view.value.freshness} == {"tBTCUSD": True, "tETHUSD": False}


def a_ticker(venue_ms: int, *, received_s: float, symbol: str = BTC) -> Ticker:
    return Ticker(
        symbol=Symbol(symbol),
        bid=99.0,
        bid_size=1.0,
        ask=101.0,
        ask_size=1.0,
        last=100.0,
        daily_change=0.0,
        daily_change_relative=0.0,
        volume=1.0,
        high=101.0,
        low=99.0,
        venue_ms=venue_ms,
        received_ns=int(received_s * 1e9),
    )


def _codes(world: World) -> list[str]:
    return [event.code for event in world.shown.heard if isinstance(event, Notice)]
