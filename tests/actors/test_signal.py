"""The signal actor says every score once or more, never fewer, and after any crash the same numbers."""

import random
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import msgspec
import pytest
import trio

from actors.signal import SignalActor
from genesis.core.channel import Channel, Overflow
from genesis.core.latest import Latest
from genesis.domain.decision_log import SIGNAL_KIND, decision_line, record_lines, signal_record
from genesis.domain.market_book import EMPTY_MARKET
from genesis.domain.running_strategy import read_checkpoint
from genesis.domain.signal_machine import SIGNAL_TABLE, SignalMachine
from protocols.journal import Commit
from protocols.market import CandleClosed, CandleSeries, CandleUpdate, MarketView
from protocols.settings import Settings, StrategySettings
from protocols.signals import ForeseenScores, Recommendation, SignalScore, StrategyFailed
from protocols.units import Symbol
from tests.actors.deciding_stage import Listener, MemoryDisk, Stage, journal_channel, on_stage
from tests.recorded_candles import as_closed, recorded_candles

SETTINGS = Settings(
    strategies=(
        StrategySettings(name="fast", symbol="tBTCUSD", timeframe="1m", parameters={"fast": 5, "slow": 12}),
        StrategySettings(name="slow", symbol="tBTCUSD", timeframe="1m"),
    )
)
CANDLES = [as_closed(candle) for candle in recorded_candles()[:400]]


class World:
    """The actor's ends; survives nothing but what a process survives."""

    def __init__(self, settings: Settings = SETTINGS) -> None:
        self.candles: Channel[CandleClosed] = Channel("candles", Overflow.BLOCK)
        self.forming: Channel[CandleUpdate] = Channel("forming", Overflow.CONFLATE, key=lambda told: told.candle.symbol)
        self.foreseen: Channel[ForeseenScores] = Channel("foreseen", Overflow.CONFLATE, key=lambda hint: hint.symbol)
        self.scores: Channel[SignalScore | StrategyFailed] = Channel("scores", Overflow.BLOCK)
        self.journal = journal_channel()
        self.settings = Latest(settings)
        self.market = Latest(EMPTY_MARKET)
        self.recent: Latest[tuple[SignalScore, ...]] = Latest(())
        self.listener = Listener()
        self.hints = Listener()

    def actor(self) -> SignalActor:
        return SignalActor(
            settings=self.settings,
            journal=self.journal,
            scores=self.scores,
            foreseen=self.foreseen,
            market=self.market,
            recent=self.recent,
        )

    def run(self, disk: MemoryDisk | None = None) -> AbstractAsyncContextManager[Stage]:
        return on_stage(
            self.actor,
            hears=(self.candles, self.forming),
            journal=self.journal,
            listeners={"risk": (self.listener, self.scores), "ahead": (self.hints, self.foreseen)},
            disk=disk,
        )


def expected_scores(settings: Settings = SETTINGS) -> list[SignalScore]:
    machine = SignalMachine(settings)
    return [score for closed in CANDLES for score in machine.on_candle(closed)]


def acted_on(scores: Sequence[SignalScore]) -> list[SignalScore]:
    """What of scores is told to who acts on them: all but the words, which are in the record."""
    ranges = [{"atr": score.features["atr"]} if "atr" in score.features else {} for score in scores]
    return [msgspec.structs.replace(each, features=atr, reasons=()) for each, atr in zip(scores, ranges, strict=True)]


async def test_every_strategy_scores_every_candle_and_the_record_is_kept() -> None:
    world = World()
    async with world.run() as stage:
        for closed in CANDLES:
            await world.candles.put(closed)
        await stage.settled()
        assert world.listener.heard == acted_on(expected_scores())
        assert record_lines(stage.disk.records) == [decision_line(score) for score in expected_scores()]
        assert all(score.recommendation is not Recommendation.HOLD for score in world.recent.value)
        assert world.recent.value == tuple(
            [score for score in expected_scores() if score.recommendation is not Recommendation.HOLD]
        )
        assert len(world.recent.value) > 10


async def test_what_will_be_said_of_a_candle_is_told_before_it_closes_and_kept_by_nobody() -> None:
    world = World()
    async with world.run() as stage:
        for closed in CANDLES:
            kept = len(stage.disk.records)
            world.forming.put_nowait(CandleUpdate(candle=closed.candle, venue_ms=closed.closed_ms, received_ns=5))
            await stage.settled()
            assert len(stage.disk.records) == kept
            await world.candles.put(closed)
            await stage.settled()
        assert world.listener.heard == acted_on(expected_scores())
        said = {score.signal_id: msgspec.structs.replace(score, received_ns=0) for score in world.listener.heard}
        hinted = [score for hint in world.hints.heard for score in hint.scores]
        assert hinted == [said[score.signal_id] for score in hinted]
        asked = {name for name, score in said.items() if score.recommendation is not Recommendation.HOLD}
        assert asked == {score.signal_id for score in hinted if score.recommendation is not Recommendation.HOLD}


@pytest.mark.parametrize("seed", range(3))
async def test_what_was_made_ready_before_a_candle_closed_is_kept_to_the_byte_as_what_was_not(seed: int) -> None:
    """With hints that come true, that do not, and none; of candles that come alone and several at once."""
    chance = random.Random(seed)
    seen, blind = World(), World()
    taken = 0
    async with seen.run() as hinted, blind.run() as plain:
        rest = list(CANDLES)
        while rest:
            several, rest = rest[: (number := chance.choice((1, 1, 1, 2)))], rest[number:]
            candle = several[0].candle
            if chance.random() < 0.1:
                # From here on the strategies' states are told with what they hear.
                for world in (seen, blind):
                    world.settings.set(msgspec.structs.replace(SETTINGS))
            if chance.random() < 0.2:
                candle = msgspec.structs.replace(candle, volume=candle.volume + 1)
            if chance.random() < 0.9:
                seen.forming.put_nowait(CandleUpdate(candle=candle, venue_ms=several[0].closed_ms, received_ns=5))
                await hinted.settled()
            hints = len(seen.hints.heard)
            for world, stage in ((seen, hinted), (blind, plain)):
                for closed in several:
                    world.candles.put_nowait(closed)
                await stage.settled()
            taken += hints > 0 and number == 1 and candle == several[0].candle
        assert seen.listener.heard == blind.listener.heard
        assert hinted.disk.records == plain.disk.records
        assert hinted.disk.cells == plain.disk.cells
        assert seen.recent.value == blind.recent.value
    assert taken > 100, taken


@pytest.mark.parametrize("seed", range(5))
async def test_kills_at_any_moment_change_no_score_and_lose_none(seed: int) -> None:
    world = World()
    chance = random.Random(seed)
    async with world.run() as stage:
        for closed in CANDLES:
            await world.candles.put(closed)
            if chance.random() < 0.2:
                for _ in range(chance.randrange(6)):
                    await trio.lowlevel.checkpoint()
                stage.supervisor.kill("world/subject", reason="chaos")
        await stage.settled()
        expected = expected_scores()
        by_id = {score.signal_id: score for score in world.listener.heard}
        assert list(by_id.values()) == acted_on(expected)
        assert all(by_id[score.signal_id] == score for score in world.listener.heard)
        assert record_lines(stage.disk.records) == [decision_line(score) for score in expected]


async def test_a_new_process_goes_on_where_the_old_one_ended() -> None:
    first = World()
    async with first.run() as stage:
        for closed in CANDLES[:150]:
            await first.candles.put(closed)
        await stage.settled()
        disk = stage.disk
    second = World()
    async with second.run(disk) as stage:
        # The market cache tells history from wherever it stands: what was seen moves nothing.
        for closed in [msgspec.structs.replace(closed, catch_up=True) for closed in CANDLES[100:200]]:
            await second.candles.put(closed)
        await stage.settled()
        heard = [msgspec.structs.replace(score, catch_up=False) for score in second.listener.heard]
        assert heard == acted_on(expected_scores()[300:400])
        kept = [record for record in stage.disk.records if record.kind == SIGNAL_KIND]
        whole = [msgspec.structs.replace(score, catch_up=True) for score in expected_scores()[300:400]]
        assert record_lines(kept[-100:]) == [decision_line(score) for score in whole]
        assert all(score.catch_up for score in second.listener.heard)


async def test_a_strategy_switched_on_later_is_warm_from_the_market_cache() -> None:
    only_slow = Settings(strategies=SETTINGS.strategies[1:])
    world = World(only_slow)
    async with world.run() as stage:
        for closed in CANDLES[:200]:
            await world.candles.put(closed)
        await stage.settled()
        world.market.set(_market_with(CANDLES[:200]))
        world.settings.set(SETTINGS)
        await world.candles.put(CANDLES[200])
        await stage.settled()
        assert world.listener.heard[-2:] == acted_on(expected_scores()[400:402])
        assert record_lines(stage.disk.records)[-2:] == [decision_line(score) for score in expected_scores()[400:402]]


def _market_with(closed: list[CandleClosed]) -> MarketView:
    series = CandleSeries(
        symbol=closed[0].candle.symbol,
        timeframe="1m",
        candles=tuple(one.candle for one in closed),
        pending=(),
        told_until_ms=closed[-1].candle.open_ms,
        venue_ms=closed[-1].closed_ms,
        received_ns=1,
        corrections=0,
        holes=0,
        synced=True,
    )
    return msgspec.structs.replace(EMPTY_MARKET, series={"tBTCUSD:1m": series})


@pytest.mark.parametrize("killed", [False, True])
async def test_a_strategy_that_comes_while_running_is_warm_and_one_that_goes_is_silent(killed: bool) -> None:
    """Also when the actor falls right behind the change, before the first candle of the new one."""
    world = World(msgspec.structs.replace(SETTINGS, strategies=SETTINGS.strategies[:1]))
    async with world.run() as stage:
        for closed in CANDLES[:200]:
            await world.candles.put(closed)
        await stage.settled()
        world.market.set(_market_with(CANDLES[:200]))
        world.settings.set(msgspec.structs.replace(SETTINGS, strategies=SETTINGS.strategies[1:], version=2))
        # A candle of a market that nobody watches: the engine wakes who sleeps when settings change.
        foreign = msgspec.structs.replace(CANDLES[199].candle, symbol=Symbol("tETHUSD"))
        await world.candles.put(msgspec.structs.replace(CANDLES[199], candle=foreign))
        await stage.settled()
        if killed:
            stage.supervisor.kill("world/subject", reason="chaos")
        for closed in CANDLES[200:]:
            await world.candles.put(closed)
        await stage.settled()
    said = [score for score in world.listener.heard if score.candle_open_ms > CANDLES[199].candle.open_ms]
    assert {score.strategy for score in said} == {"slow"}
    expected = [score for score in expected_scores() if score.strategy == "slow"][200:]
    assert said == acted_on(expected)
    assert record_lines(stage.disk.records)[-200:] == [decision_line(score) for score in expected]


async def test_the_commit_of_a_score_stands_in_the_journals_line_when_risk_hears_the_score() -> None:
    """What risk and order commit comes behind it, so that an order never lies in the journal without its score."""
    world, disk = World(), MemoryDisk()
    seen: list[bool] = []

    class Suspicious(Listener):
        async def run(self, ctx: Any) -> None:
            journal = ctx.outlet(world.journal)
            ctx.ready()
            while True:
                for envelope in await ctx.inbox.lease():
                    await journal.ask(Commit(writer=ctx.name))
                    score: SignalScore = envelope.message
                    seen.append(any(record.key == signal_record(score).key for record in disk.records))
                    kept = read_checkpoint(disk.cells[(SIGNAL_TABLE, score.strategy)].payload)
                    seen.append(kept.last_open_ms == score.candle_open_ms)
                    ctx.inbox.ack(envelope)

    world.listener = Suspicious()
    async with world.run(disk) as stage:
        for closed in CANDLES[:40]:
            await world.candles.put(closed)
            await stage.settled()
    assert len(seen) == 160
    assert all(seen)
