"""Market data comes from the stream while it speaks, over REST when it is silent, and from the stream again after."""

import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import attrs
import msgspec
import pytest
import trio

from genesis.core.clock import TrioClock
from genesis.core.latest import Latest
from genesis.domain.candles import series_key
from genesis.domain.market_book import EMPTY_MARKET
from genesis.domain.rest_budget import RestBudget
from genesis.edge.http import HttpClient
from genesis.edge.rest import RestDoor
from genesis.market_data import MarketData, NoMarketData, Source
from genesis.simulator.exchange import Exchange
from genesis.simulator.faults import FaultKind, FaultRule
from genesis.simulator.settings import ExchangeSettings
from protocols.market import Candle, CandleSeries, Freshness, MarketView, Ticker
from protocols.settings import Settings
from protocols.units import Symbol
from tests.house import piece_of

BTC = Symbol("tBTCUSD")


@attrs.define
class HandClock:
    """Moves when a test says so; the sockets below live on trio's own."""

    seconds: float = 1000.0

    def now(self) -> float:
        return self.seconds

    def now_ns(self) -> int:
        return int(self.seconds * 1e9)

    def wall_ms(self) -> int:
        return 0


@attrs.define
class Stage:
    data: MarketData
    market: Latest[MarketView]
    clock: HandClock
    exchange: Exchange

    def speak(self, *, ticker: float | None = None, closes: tuple[float, ...] = (), age_ms: int = 0) -> None:
        """What the market cache publishes: the stream said this just now, or `age_ms` ago."""
        now_ns = self.clock.now_ns()
        view = msgspec.structs.replace(self.market.value, received_ns=now_ns)
        fresh = [
            Freshness(stream="ticker", symbol=BTC, timeframe="", age_ms=age_ms, limit_ms=1, stale=False),
            Freshness(stream="candles", symbol=BTC, timeframe="1m", age_ms=age_ms, limit_ms=1, stale=False),
        ]
        if ticker is not None:
            view = msgspec.structs.replace(view, tickers={BTC: a_ticker(ticker, now_ns)})
        if closes:
            rows = tuple(
                Candle(symbol=BTC, timeframe="1m", open_ms=n * 60_000, open=1, high=9, low=1, close=close, volume=1)
                for n, close in enumerate(closes)
            )
            series = CandleSeries(
                symbol=BTC,
                timeframe="1m",
                candles=rows[:-1],
                pending=rows[-1:],
                told_until_ms=0,
                venue_ms=0,
                received_ns=now_ns,
                corrections=0,
                holes=0,
                synced=True,
            )
            view = msgspec.structs.replace(view, series={series_key(BTC, "1m"): series})
        self.market.set(msgspec.structs.replace(view, freshness=tuple(fresh)))


def a_ticker(last: float, received_ns: int) -> Ticker:
    numbers = dict.fromkeys(("bid_size", "ask_size", "daily_change", "daily_change_relative", "volume"), 1.0)
    return Ticker(
        symbol=BTC, bid=last, ask=last, last=last, high=last, low=last, venue_ms=1, received_ns=received_ns, **numbers
    )


@asynccontextmanager
async def opened() -> AsyncIterator[Stage]:
    exchange = Exchange(ExchangeSettings(), piece_of(minutes=5), TrioClock(), random.Random(1))
    clock, market = HandClock(), Latest(EMPTY_MARKET)
    async with AsyncExitStack() as stack, trio.open_nursery() as nursery:
        address = await nursery.start(exchange.serve)
        http = await stack.enter_async_context(HttpClient(address.rest))
        door = RestDoor(
            public=http, private=http, budget=RestBudget(share=1000.0), clock=TrioClock(), chance=random.Random(2)
        )
        data = MarketData(market=market, settings=Latest(Settings()), door=door, clock=clock)
        yield Stage(data, market, clock, exchange)
        nursery.cancel_scope.cancel()


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with opened() as found:
        yield found


async def test_the_stream_is_the_source_while_it_speaks_and_again_after(stage: Stage) -> None:
    stage.speak(ticker=5.0)
    first = await stage.data.get_ticker(BTC)
    assert (first.value.last, first.source) == (5.0, Source.WS)
    stage.clock.seconds += 3600
    silent = await stage.data.get_ticker(BTC)
    assert silent.source is Source.REST
    assert silent.value.last > 1000
    stage.speak(ticker=6.0)
    back = await stage.data.get_ticker(BTC)
    assert (back.value.last, back.source) == (6.0, Source.WS)
    assert stage.exchange.rest.requests == 1


async def test_what_rest_said_serves_everybody_for_a_while(stage: Stage) -> None:
    sources: list[Source] = []

    async def ask() -> None:
        sources.append((await stage.data.get_ticker(BTC)).source)

    async with trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(ask)
    assert sorted(sources) == [Source.CACHE] * 9 + [Source.REST]
    stage.clock.seconds += 1.9
    assert (await stage.data.get_ticker(BTC)).source is Source.CACHE
    assert (await stage.data.get_ticker(BTC, force_fresh=True)).source is Source.REST
    stage.clock.seconds += 2.1
    assert (await stage.data.get_ticker(BTC)).source is Source.REST
    assert stage.exchange.rest.requests == 3
    assert sum(stage.data.shares().values()) == pytest.approx(100)
    assert stage.data.shares()["tradingbot_marketdata_rest_percent"] == pytest.approx(100 * 3 / 13)


async def test_candles_come_from_the_stream_if_it_has_enough_of_them(stage: Stage) -> None:
    stage.speak(closes=(1.0, 2.0, 3.0))
    known = await stage.data.get_candles(BTC, "1m", limit=2)
    assert ([candle.close for candle in known.value], known.source) == ([2.0, 3.0], Source.WS)
    more = await stage.data.get_candles(BTC, "1m", limit=50)
    assert (len(more.value), more.source) == (50, Source.REST)
    assert [candle.open_ms for candle in more.value] == sorted(candle.open_ms for candle in more.value)
    assert (await stage.data.get_candles(BTC, "1m", limit=2, force_fresh=True)).source is Source.REST
    stage.clock.seconds += 10
    stage.speak(closes=(1.0, 2.0, 3.0), age_ms=3_600_000)
    assert (await stage.data.get_candles(BTC, "1m", limit=2)).source is Source.REST
    with pytest.raises(NoMarketData, match="time frame must be one of"):
        await stage.data.get_candles(BTC, "7s")


async def test_pairs_and_currency_names_are_asked_for_once_an_hour(stage: Stage) -> None:
    assert BTC in (await stage.data.symbols()).value
    assert isinstance((await stage.data.currencies()).value, dict)
    stage.clock.seconds += 3599
    assert (await stage.data.symbols()).source is Source.CACHE
    stage.clock.seconds += 2
    assert (await stage.data.symbols()).source is Source.REST


async def test_names_that_nobody_trades_are_not_kept(stage: Stage) -> None:
    for number in range(20):
        with pytest.raises(NoMarketData):
            await stage.data.get_ticker(Symbol(f"tNO{number}USD"))
    assert not stage.data._kept._under_way


async def test_no_stream_and_no_rest_is_said(stage: Stage) -> None:
    stage.exchange.faults.add(FaultRule(kind=FaultKind.SERVER_ERROR, times=None, value=500))
    with pytest.raises(NoMarketData):
        await stage.data.get_ticker(BTC)
    assert stage.data.rest_failures == 1
