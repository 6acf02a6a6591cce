"""The watchdog sees from outside what grows old, tells the right line, and does not nag."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import msgspec
import trio
from trio.testing import MockClock

from actors.watchdog import AGAIN_S, WatchdogActor, Watched
from genesis.core.channel import Channel, Overflow
from genesis.core.latest import Latest
from genesis.domain.market_book import EMPTY_MARKET
from genesis.edge.connection_stats import ConnectionStats
from protocols.bitfinex.subscriptions import ticker
from protocols.health import Notice, Reconnect
from protocols.market import Freshness, MarketView
from protocols.settings import Settings
from protocols.units import Symbol
from tests.actors.deciding_stage import Listener, journal_channel, on_stage

BTC, ETH = Symbol("tBTCUSD"), Symbol("tETHUSD")
NS = 1_000_000_000


def a_freshness(symbol: Symbol, age_ms: int) -> Freshness:
    return Freshness(
        stream="ticker", symbol=symbol, timeframe="", age_ms=age_ms, limit_ms=30_000, stale=age_ms > 30_000
    )


@attrs.define(kw_only=True)
class World:
    stats: dict[str, ConnectionStats]
    heard: dict[str, Listener]
    market: Latest[MarketView]
    freshness: Latest[tuple[Freshness, ...]]
    notices: Listener

    def told(self, name: str) -> list[str]:
        return [message.reason for message in self.heard[name].heard if isinstance(message, Reconnect)]

    def see(self, *fresh: Freshness) -> None:
        self.market.set(msgspec.structs.replace(self.market.value, freshness=fresh))

    async def live(self, seconds: float, *speaking: str) -> None:
        """Time passes, in which the named connections are heard each second."""
        until = trio.current_time() + seconds
        while trio.current_time() < until:
            for name in speaking:
                self.stats[name].last_frame_ns = int(trio.current_time() * NS)
            await trio.sleep(1)


@asynccontextmanager
async def a_world() -> AsyncIterator[World]:
    names = {"public-0": (ticker(BTC),), "public-1": (ticker(ETH),), "private": None}
    stats = {name: ConnectionStats() for name in names}
    channels: dict[str, Channel[Any]] = {
        name: Channel(name, Overflow.CONFLATE, key=lambda message: 0) for name in names
    }
    ui = Channel[Any]("ui", Overflow.DROP_OLDEST)
    heard = {name: Listener() for name in names}
    notices = Listener()
    market, freshness = Latest(EMPTY_MARKET), Latest[tuple[Freshness, ...]](())
    for connection in stats.values():
        connection.opened()
        connection.up = True

    def start() -> WatchdogActor:
        return WatchdogActor(
            settings=Latest(Settings()),
            market=market,
            connections=tuple(
                Watched(
                    name=name,
                    stats=stats[name],
                    reconnect=channels[name],
                    share=None if share is None else Latest(share),
                )
                for name, share in names.items()
            ),
            freshness=freshness,
            notices=ui,
        )

    listeners = {name: (heard[name], channels[name]) for name in names} | {"ui": (notices, ui)}
    async with on_stage(start, hears=(), journal=journal_channel(), listeners=listeners) as _:
        yield World(stats=stats, heard=heard, market=market, freshness=freshness, notices=notices)


async def test_it_publishes_what_the_market_cache_says(autojump_clock: MockClock) -> None:
    async with a_world() as world:
        world.see(a_freshness(BTC, 100), a_freshness(ETH, 40_000))
        await world.live(2, "public-0", "public-1", "private")
        assert [entry.stale for entry in world.freshness.value] == [False, True]


async def test_a_view_that_stands_still_grows_old(autojump_clock: MockClock) -> None:
    """A market cache that hangs must not look fresh for ever."""
    async with a_world() as world:
        world.see(a_freshness(BTC, 100))
        await world.live(40, "public-0", "public-1", "private")
        entry = world.freshness.value[0]
        assert entry.age_ms >= 38_000
        assert entry.stale


async def test_a_silent_line_is_told_once_and_then_ever_more_rarely(autojump_clock: MockClock) -> None:
    async with a_world() as world:
        await world.live(24, "public-1", "private")
        assert world.told("public-0") == []
        await world.live(4, "public-1", "private")
        assert [reason[:6] for reason in world.told("public-0")] == ["silent"]
        await world.live(AGAIN_S - 5, "public-1", "private")
        assert len(world.told("public-0")) == 1
        await world.live(10, "public-1", "private")
        assert len(world.told("public-0")) == 2
        await world.live(AGAIN_S + 10, "public-1", "private")
        assert len(world.told("public-0")) == 2
        assert (world.told("public-1"), world.told("private")) == ([], [])
        assert isinstance(world.notices.heard[0], Notice)


async def test_a_line_that_is_connected_but_never_up_is_told(autojump_clock: MockClock) -> None:
    async with a_world() as world:
        world.stats["private"].up = False
        await world.live(50, "public-0", "public-1", "private")
        assert world.told("private") == []
        await world.live(10, "public-0", "public-1", "private")
        assert len(world.told("private")) == 1


async def test_maintenance_is_no_trouble_and_neither_is_a_line_that_dials(autojump_clock: MockClock) -> None:
    async with a_world() as world:
        world.stats["private"].up = False
        world.stats["private"].paused = True
        world.stats["public-0"].connected = False
        await world.live(100, "public-1", "private")
        assert (world.told("private"), world.told("public-0")) == ([], [])


async def test_a_stream_that_stays_stale_is_told_to_the_line_that_carries_it(autojump_clock: MockClock) -> None:
    async with a_world() as world:
        for second in range(40):
            world.see(a_freshness(BTC, 100), a_freshness(ETH, 31_000 + 1000 * second))
            await world.live(1, "public-0", "public-1", "private")
            if second < 15:
                assert world.told("public-1") == []
        assert len(world.told("public-1")) == 1
        assert "ticker tETHUSD stale" in world.told("public-1")[0]
        assert world.told("public-0") == []
