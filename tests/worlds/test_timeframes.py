"""What worlds trade is drawn from a seed of its own, and what is measured in candles goes with it."""

import itertools
import random
from collections import Counter
from typing import Any

import attrs
import pytest

from genesis.cli.chaos import chaos
from genesis.cli.failures import CommandFailed
from genesis.domain.said import Said
from genesis.domain.signal_machine import SignalMachine
from genesis.worlds.market import made_up_recording
from genesis.worlds.plan import plan_of
from genesis.worlds.sweep import Errand, Totals, run_errand
from genesis.worlds.timeframes import SHARES, Timeframes, timeframes_of
from genesis.worlds.trouble_inside import LONGEST_BEFORE_S
from genesis.worlds.world import World, run_world, simulate
from protocols.market import CandleClosed


def drawn(hours: float) -> Counter[str]:
    return Counter(timeframes_of(random.Random(f"{seed}-timeframes"), hours).name for seed in range(2000))


def test_worlds_of_an_hour_trade_what_their_shares_say() -> None:
    told = drawn(1.0)
    for name, share in SHARES.items():
        assert abs(told[name] / 2000 - share) < 0.04, name


@pytest.mark.parametrize(("hours", "names"), [(0.1, {"1m"}), (0.25, {"1m"}), (0.5, {"1m", "1m+5m", "5m"})])
def test_a_short_world_trades_nothing_of_which_it_sees_too_few_candles(hours: float, names: set[str]) -> None:
    assert set(drawn(hours)) == names


def test_some_hear_the_candles_that_the_engine_hears_as_it_is_shipped() -> None:
    heard = {timeframes_of(random.Random(seed), 1.0, "15m").hears for seed in range(20)}
    assert heard == {("15m",), ("1m", "5m", "15m")}
    assert timeframes_of(random.Random(0), 1.0, "1m").hears == ("1m",)
    assert Timeframes("1m+5m", ()).traded == ("1m", "5m")


@pytest.mark.parametrize(("candle_s", "least"), [(60, 0.4), (300, 0.4), (900, 0.4)])
def test_half_of_all_faults_are_put_where_candles_end(candle_s: int, least: float) -> None:
    faults = [
        fault
        for seed in range(50)
        for fault in plan_of(random.Random(seed), first_s=150, last_s=3600, per_hour=12, candle_s=candle_s)
    ]
    # Those that come in company come seconds later.
    assert sum(1.0 <= fault.at_s % candle_s < 4.0 for fault in faults) > least * 0.7 * len(faults)
    assert min(fault.at_s for fault in faults) > 61, "the market has begun"


def test_around_the_ends_of_longer_candles_are_as_many_faults_as_around_those_of_a_minute() -> None:
    """A session that breaks just before a decision is as likely with any of them."""

    def near(candle_s: int) -> float:
        faults = [
            fault
            for seed in range(200)
            for fault in plan_of(random.Random(seed), first_s=150, last_s=3600, per_hour=12, candle_s=candle_s)
        ]
        return sum(fault.at_s % candle_s > candle_s - 15 for fault in faults) / len(faults)

    for candle_s in (300, 900):
        assert near(candle_s) > 0.6 * near(60), candle_s


def test_trends_of_longer_candles_turn_as_many_candles_later() -> None:
    def turns(swing: int) -> int:
        recording = made_up_recording(random.Random(7), first_ms=0, minutes=3000 * swing, swing=swing)
        (rows,) = recording.rows.values()
        closes = [row.close for row in rows[swing - 1 :: swing]]
        ups = [after > before for before, after in itertools.pairwise(closes)]
        return sum(up != before for before, up in itertools.pairwise(ups))

    assert abs(turns(5) / turns(1) - 1) < 0.25


def test_a_line_that_is_away_at_a_decision_goes_in_the_minute_before_it() -> None:
    world = World(1, hours=1, faults_an_hour=1, only=frozenset({"line_at_decision"}), timeframe="15m")
    outcome = run_world(world)
    assert not outcome.violations, outcome.violations[0]
    away = [line.at_s for line in outcome.lines if "line_at_decision" in line.text and "until" in line.text]
    assert away
    assert all(line % 900 == pytest.approx(900 - LONGEST_BEFORE_S + 1) or line % 900 > 838 for line in away)


def test_a_strategy_that_skips_a_candle_of_five_minutes_breaks_the_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    before = SignalMachine.speak

    def skips(machine: SignalMachine, closed: CandleClosed) -> list[Said]:
        return [] if closed.candle.open_ms // 1000 % 3600 == 1500 else before(machine, closed)

    monkeypatch.setattr(SignalMachine, "speak", skips)
    outcome = run_errand(Errand(seed=42, hours=1.0, faults_an_hour=1.0, timeframe="5m", only=frozenset({"halt"})))
    assert {found.rule for found in outcome.violations} >= {"C1"}


def test_what_was_wished_stands_in_the_line_that_has_it_again() -> None:
    wished = simulate(3, hours=0.1, faults_an_hour=1, timeframe="5m")
    assert wished.replay == "genesis chaos --seed 3 --hours 0.1 --faults 1 --timeframe 5m --trace"
    assert wished.traded == "5m"
    drawn = simulate(3, hours=0.1, faults_an_hour=1)
    assert (drawn.traded, drawn.replay) == ("1m", "genesis chaos --seed 3 --hours 0.1 --faults 1 --trace")


def test_a_time_frame_that_no_world_trades_is_refused() -> None:
    with pytest.raises(CommandFailed, match="timeframe must be one of 1m, 1m\\+5m, 5m, 15m, was 2m"):
        chaos(timeframe="2m")


def test_figures_tell_what_each_kind_of_world_costs() -> None:
    totals = Totals()
    for seed, timeframe in ((1, "5m"), (2, "1m"), (3, "5m")):
        one = simulate(seed, hours=0.05, faults_an_hour=1, timeframe=timeframe)
        totals.add(attrs.evolve(one, cpu_s=0.5, virtual_s=3600.0))
    assert totals.by_timeframe == {"1m": "1, 2.00 hours a CPU second", "5m": "2, 2.00 hours a CPU second"}
    assert (totals.checkpoint_us, totals.hours_a_second_of_theirs) == (0.0, 0.0)  # nobody measured


def test_figures_tell_how_fast_the_machine_was_just_then() -> None:
    totals = Totals()
    one = run_errand(Errand(seed=1, hours=0.05, faults_an_hour=1, timeframe="5m"))
    assert 0.1 < one.checkpoint_us < 10_000
    for checkpoint_us in (7.0, 14.0):
        totals.add(attrs.evolve(one, cpu_s=1.0, virtual_s=3600.0, checkpoint_us=checkpoint_us))
    assert (totals.hours_a_cpu_second, totals.checkpoint_us, totals.hours_a_second_of_theirs) == (1.0, 10.5, 3.0)


def test_a_person_who_finds_no_other_strategy_takes_the_coins_over_himself() -> None:
    """It ended the world's loop: a world of one strategy has nobody else to give them to."""
    world = World(49, hours=1, faults_an_hour=12, timeframe="1m")
    values: Any = world.layer.values
    values["strategies"][:] = [each for each in values["strategies"] if each["parameters"]["slow"] == 3]
    outcome = run_world(world)
    assert not outcome.violations, outcome.violations[0]
