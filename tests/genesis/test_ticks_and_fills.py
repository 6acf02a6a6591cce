"""Strategies that think between candles: at ticks, and after fills of their own book, the same everywhere."""

import random
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import attrs
import msgspec
import pytest
import trio

from genesis.core.channel import Channel, Overflow
from genesis.domain.decision_log import digest
from genesis.domain.settings_build import Layer
from genesis.domain.signal_machine import SignalMachine
from genesis.domain.strategies import STRATEGY_KINDS, StrategyShelf
from genesis.domain.ticks import merge_ticks, tick_symbol
from genesis.edge.store import ReadOnlyStore
from genesis.research.backtest import run_backtest
from genesis.research.bars import BarRecording
from genesis.research.lookahead import check_backtest, check_settings
from genesis.research.replay import REPLAYED_KINDS, replay
from genesis.user_strategies import Budget, UserStrategies
from protocols.journal import ReadRecords
from protocols.market import Tick
from protocols.orders import Fill, Purpose
from protocols.settings import Settings, StrategySettings
from protocols.signals import Recommendation, SignalScore
from protocols.units import Side, Symbol
from tests.house import check_books, decision_lines, house, leaves, lively_layer, piece_of, settings_of
from tests.recorded_candles import as_closed, recorded_candles

BTC = Symbol("tBTCUSD")
CANDLES = [as_closed(candle) for candle in recorded_candles()[:60]]
SCALP = '''
from genesis.strategy_kit import Bar, Fill, Indicator, Signal, Strategy, Tick, buy, hold, sell


class Scalp(Strategy):
    """Buys a dip below the average between candles, and sells what it bought when it moved."""

    indicators = {"mean": Indicator("sma", period=5)}
    memory = {"paid": 0.0, "fills": 0.0}

    def on_candle(self, bar: Bar, memory: dict[str, float]) -> Signal | None:
        return hold(f"holds at {memory['paid']:g}", fills=memory["fills"])

    def on_tick(self, tick: Tick, memory: dict[str, float]) -> Signal | None:
        if memory["paid"] == 0.0 and tick.price < tick["mean"] * 0.9999:
            return buy(f"{tick.price} is below {tick['mean']:.2f}", price=tick.price)
        if memory["paid"] > 0.0 and abs(tick.price - memory["paid"]) > 0.001 * tick.price:
            return sell("it moved", price=tick.price)
        return None

    def on_fill(self, fill: Fill, memory: dict[str, float]) -> Signal | None:
        memory["fills"] += 1
        memory["paid"] = fill.price if fill.reason == "entry" else 0.0
        return None
'''
TEXT = """
from genesis.strategy_kit import *

class Mine(Strategy):
    memory = {"seen": 0.0, "bought": 0.0}

    def on_candle(self, bar, memory):
        return None

    def on_tick(self, tick, memory):
        ON_TICK

    def on_fill(self, fill, memory):
        ON_FILL
"""


@pytest.fixture
def own(tmp_path: Path) -> Iterator[UserStrategies]:
    files = tmp_path / "strategies"
    files.mkdir()
    (files / "scalp.py").write_text(SCALP)
    strategies = UserStrategies(files)
    strategies.refresh()
    yield strategies
    strategies.close()


def a_layer(name: str = "scalp") -> Layer:
    layer = lively_layer()
    layer.values["strategies"].append(  # type: ignore[attr-defined]
        {"name": name, "kind": name, "symbol": "tBTCUSD", "timeframe": "1m"}
    )
    return layer


async def test_simulation_backtest_and_replay_decide_the_same_between_candles(
    tmp_path: Path, own: UserStrategies
) -> None:
    recording, layer = piece_of(minutes=60, skip=600), a_layer()
    expected = run_backtest(recording, settings_of(layer))
    assert expected.faults == {}
    mine = [one for one in expected.decisions if isinstance(one, SignalScore) and one.trade_id is not None]
    assert {one.recommendation for one in mine} == {Recommendation.BUY, Recommendation.SELL}
    assert len([fill for fill in expected.fills if fill.strategy == "scalp"]) > 3
    async with house(tmp_path, recording=recording, layer=layer, user_strategies=own) as here:
        await here.replay()
        await here.all_orders_known()
        check_books(here)
        lines = decision_lines(here.store.store)
    assert digest(lines) == expected.digest
    with ReadOnlyStore.open(tmp_path / "sim.sqlite") as store:
        rows = store.read_records(ReadRecords(kinds=REPLAYED_KINDS, limit=1_000_000)).records
    report = replay(rows)
    assert report.equal, str(report)
    # A tick that left no trace is not kept.
    kept = sum(row.record.payload.count(b'"type":"Tick"') for row in rows if row.record.kind == "SignalHeard")
    assert len(mine) <= kept < 4 * 60 / 2


async def test_killed_at_any_moment_it_still_decides_what_its_journal_says(tmp_path: Path, own: UserStrategies) -> None:
    """Fills that waited for their moment are found again, and none is told twice."""
    chance = random.Random("ticks")
    layer = a_layer()
    async with house(tmp_path, recording=piece_of(minutes=30, skip=600), layer=layer, user_strategies=own) as here:
        await here.ready()
        paths = [path for path in leaves(here.engine) if path.endswith(("signal", "account", "market_cache"))]

        async def assassin() -> None:
            for _ in range(12):
                for _ in range(chance.randrange(400)):
                    await trio.lowlevel.checkpoint()
                here.engine.supervisor.kill(chance.choice(paths), reason="chaos")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(assassin)
            await here.exchange.replay(float("inf"), here.pacer)
        await here.all_orders_known()
        fills = [fill for fill in here.engine.cells.orders.value.fills if fill.strategy == "scalp"]
        newest = [one for one in here.engine.readers.signals() if one.strategy == "scalp" and one.trade_id is None][-1]
    with ReadOnlyStore.open(tmp_path / "sim.sqlite") as store:
        rows = store.read_records(ReadRecords(kinds=REPLAYED_KINDS, limit=1_000_000)).records
    report = replay(rows)
    assert report.equal, str(report)
    assert report.lives > 1
    told = [fill for fill in fills if fill.time_ms < newest.decided_ms]
    assert newest.features["fills"] == len(told) > 2


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    """No process of a strategy outlives its test."""
    yield
    while _OPENED:
        _OPENED.pop().close()


_OPENED: list[UserStrategies] = []


def machine_with(folder: Path, *, on_tick: str = "return None", on_fill: str = "return None") -> SignalMachine:
    shelf = StrategyShelf(tuple(STRATEGY_KINDS.shipped.values()))
    files = folder / "strategies"
    files.mkdir(exist_ok=True)
    (files / "mine.py").write_text(TEXT.replace("ON_TICK", on_tick).replace("ON_FILL", on_fill))
    strategies = UserStrategies(files, shelf=shelf, budget=Budget(warn_s=5.0, end_s=1.0))
    _OPENED.append(strategies)
    strategies.refresh()
    assert shelf["mine"].fault == ""
    mine = StrategySettings(name="mine", kind="mine", symbol=BTC, timeframe="1m")
    ema = StrategySettings(name="ema", kind="ema_cross", symbol=BTC, timeframe="1m")
    machine = SignalMachine(Settings(strategies=(mine, ema)), shelf)
    machine.on_candle(CANDLES[0])
    return machine


def a_tick(number: int = 1, price: float = 100.0, volume: float = 1.0) -> Tick:
    time_ms = CANDLES[0].closed_ms + number * 1_000
    return Tick(
        symbol=BTC,
        trade_id=number,
        time_ms=time_ms,
        price=price,
        high=price,
        low=price,
        volume=volume,
        trades=1,
        received_ns=0,
    )


def a_fill(number: int = 1, *, time_ms: int | None = None, strategy: str = "mine") -> Fill:
    return Fill(
        trade_id=number,
        intent_id=f"i{number}",
        cid=number,
        venue_order_id=number,
        strategy=strategy,
        symbol=BTC,
        side=Side.BUY,
        quantity=Decimal("0.5"),
        price=Decimal(100),
        fee=Decimal("-0.1"),
        fee_currency="USD",
        maker=False,
        purpose=Purpose.ENTRY,
        time_ms=CANDLES[0].closed_ms + 500 if time_ms is None else time_ms,
        correlation_id="c",
        foreign=False,
    )


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        ("raise RuntimeError('no')", "mine.py, line 11: RuntimeError: no"),
        ("return 5", "on_tick must return buy"),
        ("return buy(confidence=float('nan'))", "confidence must be a number from 0 to 1, was nan"),
        ("memory['seen'] = float('inf')", "memory seen must be a finite number, was inf"),
        ("while True: pass", "mine.py, line 11: must answer within its time"),
        ("import os; os._exit(9)", "its process was lost: the process ended with code 9"),
    ],
)
def test_what_goes_wrong_at_a_tick_switches_that_one_off(tmp_path: Path, broken: str, told: str) -> None:
    machine = machine_with(tmp_path, on_tick=broken)
    traced, scores = machine.on_tick(a_tick())
    assert (traced, scores) == (True, ())
    assert told in machine.new_faults()["mine"]
    assert [score.strategy for score in machine.on_candle(CANDLES[1])] == ["ema"]


def test_what_goes_wrong_in_on_fill_has_its_line_too(tmp_path: Path) -> None:
    machine = machine_with(tmp_path, on_fill="raise RuntimeError(fill.reason)")
    assert machine.on_fill(a_fill())
    assert machine.new_faults() == {}
    assert [score.strategy for score in machine.on_candle(CANDLES[1])] == ["ema"]
    assert machine.new_faults() == {"mine": "mine.py, line 14: RuntimeError: entry"}


def test_a_fill_is_told_once_and_at_the_next_moment_of_the_market(tmp_path: Path) -> None:
    remember = "memory['bought'] += fill.amount if fill.side == 'buy' else 0; return sell('enough', fee=fill.fee)"
    machine = machine_with(tmp_path, on_fill=remember)
    late = a_fill(2, time_ms=a_tick(3).time_ms)
    assert machine.on_fill(late)
    assert machine.on_fill(a_fill(1))
    assert not machine.on_fill(a_fill(1)), "known already"
    assert not machine.on_fill(a_fill(7, strategy="ema")), "that one does not want to know"
    first = machine.on_tick(a_tick(1))[1]
    assert [(one.recommendation, one.features, one.trade_id) for one in first] == [
        (Recommendation.SELL, {"fee": -0.1}, 1)
    ]
    assert machine.on_tick(a_tick(2)) == (False, ()), "nothing happened, nothing is left behind"
    assert machine.on_tick(a_tick(3)) == (False, ()), "the fill is no older than that trade"
    assert not machine.on_fill(a_fill(1)), "told already"
    kept = machine.checkpoint(everything=True)
    again = machine_with(tmp_path, on_fill=remember)
    again.restore(kept)
    # The kept fills of the account after a restart: the one that waited is found, the other was told.
    assert again.take_up_fills([a_fill(1), late]) == [late]
    assert machine.on_tick(a_tick(4))[1][0].recommendation is Recommendation.SELL
    assert machine.running["mine"].state == [0.0, 1.0]


def test_what_was_said_is_said_once_until_something_happens(tmp_path: Path) -> None:
    machine = machine_with(tmp_path, on_tick="return buy('up') if tick.price > 100 else None")
    said = [len(machine.on_tick(a_tick(number, 101.0))[1]) for number in (1, 2, 3)]
    assert said == [1, 0, 0]
    assert machine.on_tick(a_tick(2, 101.0)) == (False, ()), "an older trade is no news"
    machine.on_fill(a_fill(1, time_ms=a_tick(3).time_ms))
    assert len(machine.on_tick(a_tick(4, 101.0))[1]) == 1, "the book changed"
    machine.on_candle(CANDLES[1])
    assert machine.on_tick(a_tick(5, 101.0)) == (False, ()), "that trade was before the candle's end"
    assert len(machine.on_tick(a_tick(70, 101.0))[1]) == 1, "a new candle"


async def test_ticks_that_nobody_has_heard_yet_become_one() -> None:
    channel: Channel[Tick] = Channel("ticks", Overflow.CONFLATE, key=tick_symbol, merge=merge_ticks)
    for number, price in enumerate((100.0, 105.0, 97.0, 101.0), 1):
        channel.put_nowait(a_tick(number, price, volume=2.0))
    (envelope,) = channel.take(10)
    tick = envelope.message
    assert (tick.price, tick.high, tick.low, tick.volume, tick.trades, tick.trade_id) == (101.0, 105.0, 97.0, 8.0, 4, 4)
    # One that comes back out of a dead actor's hands joins what came meanwhile.
    channel.put_nowait(a_tick(5, 99.0))
    channel.put_back([envelope])
    assert channel.depth == 1
    assert channel.queue[0].message.high == 105.0
    assert channel.queue[0].message.trade_id == 5


def test_ticks_look_ahead_no_more_than_candles_do(tmp_path: Path, own: UserStrategies) -> None:
    bars = BarRecording.of(piece_of(minutes=40, skip=600))
    alone = {"name": "scalp", "kind": "scalp", "symbol": "tBTCUSD", "timeframe": "1m"}
    layer = attrs.evolve(lively_layer(), values=dict(lively_layer().values) | {"strategies": [alone]})
    settings = settings_of(layer)
    assert [found for _, found in check_settings(bars, settings, count=2)] == [None]
    assert check_backtest(bars, settings, count=1) is None
    remembers = "at = tick.time_ms\n        self.seen[at] = self.seen.get(at, 0) + 1\n        if self.seen[at] > 1 and"
    cheat = SCALP.replace("def on_tick", "seen = {}\n\n    def on_tick").replace("if memory", f"{remembers} memory", 1)
    (tmp_path / "strategies" / "scalp.py").write_text(cheat)
    own.refresh()
    ((_, found),) = check_settings(bars, settings, count=2)
    assert "looks ahead" in str(found), "what is kept on the class from an earlier run gives itself away"


def test_scores_of_ticks_keep_their_text(tmp_path: Path) -> None:
    """A score of a candle is written as ever; journals of before can be replayed."""
    machine = machine_with(tmp_path, on_tick="return buy('up')")
    candle = machine.on_candle(CANDLES[1])[0]
    assert b"trade_id" not in msgspec.json.encode(candle)
    tick = machine.on_tick(a_tick(70))[1][0]
    assert msgspec.json.decode(msgspec.json.encode(tick), type=SignalScore) == tick
    assert tick.correlation_id == "tBTCUSD:trade:70"
