"""Whole worlds: the real engine, the real exchange, a virtual everything else."""

import random
import signal
from decimal import Decimal
from typing import Any

import pytest
import trio

from genesis.simulator.faults import FaultKind
from genesis.worlds.mutants import mutated
from genesis.worlds.plan import PlannedFault
from genesis.worlds.sweep import Errand, told_elsewhere
from genesis.worlds.trouble import Trouble
from genesis.worlds.trouble_inside import turn_in_place
from genesis.worlds.world import World, run_world, simulate
from protocols.orders import Approved, OrderState, Purpose
from protocols.units import Side, Symbol


@pytest.mark.parametrize(("seed", "faults"), [(7, 12.0), (205, 60.0)])
def test_one_seed_is_one_history_in_any_process(seed: int, faults: float) -> None:
    """One in a hundred of the sweep's worlds; 205 has a web and every kind of trouble at once."""
    errand = Errand(seed=seed, hours=0.25, faults_an_hour=faults)
    told = {told_elsewhere(errand, hash_seed) for hash_seed in ("0", "4711")}
    assert len(told) == 1
    digest, _, steps = told.pop().split()
    assert len(digest) == 64
    assert int(steps) > 1000


def test_the_engine_trades_in_its_world() -> None:
    outcome = simulate(3, hours=0.5, timeframe="1m")
    assert not outcome.violations
    assert sum(line.kind == "venue" for line in outcome.lines) >= 2


TURNED = "an actor turned in place with messages in its hands"


class StuckAtTheEnd(Trouble):
    """The order actor is to turn in place with the next approval; that comes a second before the faults end."""

    def _armed(self) -> str:
        host = self._live()
        assert host is not None, "nothing has broken"
        self._stick_in(host, "order", TURNED, turn_in_place, lambda message: isinstance(message, Approved))
        # It waits for messages already, by the way that is now changed: something else has to come first.
        return self._cancel_all()

    def _approved(self) -> str:
        price = self.world.price_of("tBTCUSD")
        assert price is not None
        return self._order_by_hand(Symbol("tBTCUSD"), Side.BUY, Decimal("0.01"), price * Decimal("0.99"))


def test_a_world_is_not_over_while_an_actor_hangs_with_an_approval_in_its_hands() -> None:
    """Its books are the venue's meanwhile: an approval is no order yet."""
    world = World(607, hours=0.1, faults_an_hour=1)
    end_s = world.hours * 3600
    world.plan = (PlannedFault(end_s - 2, "armed"), PlannedFault(end_s - 1, "approved"))
    world.trouble = StuckAtTheEnd(world, random.Random(0))
    outcome = run_world(world)
    assert not outcome.violations, outcome.violations[0]
    assert outcome.sometimes[TURNED] == 1
    assert outcome.sometimes["a stuck actor was found in time"] == 1
    by_hand = [row for row in world.rules.rows.values() if row.intent.purpose is Purpose.MANUAL]
    assert [row.state for row in by_hand] == [OrderState.ACKED]


@pytest.mark.parametrize(
    ("seed", "timeframe", "hours"),
    [
        *((seed, "1m", 0.25) for seed in range(10)),
        *((seed, "5m", 1.5) for seed in range(3)),
        *((seed, "15m", 4.5) for seed in range(2)),
        *((seed, "1m+5m", 0.5) for seed in range(2)),
    ],
)
def test_where_nothing_breaks_a_backtest_decides_the_same(seed: int, timeframe: str, hours: float) -> None:
    """And everywhere what was decided is decided again from the journal alone."""
    outcome = simulate(seed, hours=hours, faults_an_hour=0, timeframe=timeframe)
    assert not outcome.violations, outcome.violations[0]
    assert outcome.orders >= 3
    assert outcome.checks["P2"] == 1
    for state in ("a backtest decided the same", "a decision was made again"):
        assert outcome.sometimes[state] >= 100, state


@pytest.mark.parametrize("seed", [53, 323])
def test_who_sells_coins_of_before_leaves_what_is_bought_next_with_its_owner(seed: int) -> None:
    """What the account says somebody holds is what lots with stops hold, and positions are what the wallet has more."""
    world = World(seed, hours=1, faults_an_hour=12, timeframe="1m")
    outcome = run_world(world)
    assert not outcome.violations, outcome.violations[0]
    assert sum(fill.no_basis for fill in world.rules.fills.values()) > 0, "such coins were sold"


def test_who_took_the_journal_over_is_started_again_when_it_dies() -> None:
    """Though the engine that it ousted lives on, because it has had nothing to write."""
    world = World(3, hours=0.1, faults_an_hour=1, timeframe="15m", with_web=False)
    world.plan = (PlannedFault(150.0, "usurper"), PlannedFault(160.0, "power_cut"))
    outcome = run_world(world)
    assert not outcome.violations, outcome.violations[0]
    (killed_s,) = [line.at_s for line in outcome.lines if line.kind == "kill"]
    began = [line.at_s for line in outcome.lines if line.text.endswith("starts")]
    assert outcome.lives == 3
    assert began[-1] - killed_s <= 10, began


def test_who_was_ousted_and_still_listens_takes_no_port_from_the_next_life() -> None:
    world = World(3, hours=0.1, faults_an_hour=1, timeframe="15m", with_web=True)
    world.plan = (PlannedFault(150.0, "usurper"), PlannedFault(160.0, "power_cut"))
    outcome = run_world(world)
    assert not outcome.violations, outcome.violations[0]
    assert outcome.lives == 3


def test_who_was_ousted_is_not_blamed_for_what_a_damaged_disk_refuses_it() -> None:
    world = World(3, hours=0.3, faults_an_hour=1, timeframe="15m", with_web=False)
    world.plan = (PlannedFault(150.0, "disk_error"), PlannedFault(151.0, "usurper"))
    outcome = run_world(world)
    assert not outcome.violations, outcome.violations[0]
    assert any("readonly" in line.text for line in outcome.lines), "it tried to write"


def test_of_two_rivals_in_one_moment_the_lock_that_is_broken_for_one_lets_nobody_else_in() -> None:
    """The one that was to be refused had the journal then, nobody looked after it, and every start was refused."""
    world = World(3, hours=0.3, faults_an_hour=1, timeframe="15m", with_web=False)
    world.plan = (PlannedFault(150.0, "second_engine"), PlannedFault(150.0, "usurper"))
    outcome = run_world(world)
    assert not outcome.violations, outcome.violations[0]
    assert outcome.lives == 2


class TurnsForGood(Trouble):
    """A task that asks for its next turn in each one."""

    def _spin(self) -> str:
        async def spin() -> None:
            while True:
                await trio.lowlevel.checkpoint()

        assert self.world._nursery is not None
        self.world._nursery.start_soon(spin)
        return "for good"


class LeavesTasks(Trouble):
    """More of them than come and go."""

    def _leave(self) -> str:
        for _ in range(21):
            self.world.start_soon(trio.sleep_forever)
        return "for good"


def test_tasks_that_stay_behind_are_told() -> None:
    world = World(3, hours=0.1, faults_an_hour=1, timeframe="15m", with_web=False)
    world.plan = (PlannedFault(100.0, "leave"),)
    world.trouble = LeavesTasks(world, random.Random(0))
    assert [found.rule for found in run_world(world).violations] == ["E8"]


def test_what_the_venue_keeps_of_lines_whose_end_it_never_hears_is_no_task_left_behind() -> None:
    only = frozenset({"bad_checksum", "delay_frames", "reorder_frames", "stall_to_venue"})
    assert not simulate(422015, hours=1.0, faults_an_hour=36, only=only).violations


@pytest.mark.parametrize("handler", [signal.default_int_handler, signal.SIG_IGN], ids=["at a terminal", "behind one"])
def test_a_world_whose_time_stands_still_is_left(handler: Any) -> None:
    """It never ended where a shell had started it in the background: such a process ignores Ctrl-C."""
    world = World(3, hours=0.1, faults_an_hour=1, timeframe="15m", with_web=False)
    world.plan = (PlannedFault(100.0, "spin"),)
    world.trouble = TurnsForGood(world, random.Random(0))
    before = signal.signal(signal.SIGINT, handler)
    try:
        outcome = run_world(world)
        assert signal.getsignal(signal.SIGINT) == handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert [found.rule for found in outcome.violations] == ["E5"]


BOOK_BEATS = '[1015,"hb"'
"""Another stream has spoken before it, and so the line is not silent as a whole."""


LEFT_ALREADY = "a wrong checksum came to a book that was thrown away already"
CROSSED = "a wrong checksum crossed the word that its channel is left"
THROWN_AWAY = "a book was thrown away for its checksum"


class BehindLateFrames(Trouble):
    """A checksum that is wrong, behind a frame that is late."""

    late_s = 0.0

    def _late(self) -> str:
        return self._rule(FaultKind.DELAY, times=1, where="public", contains=BOOK_BEATS, value=self.late_s)

    def _late_again(self) -> str:
        self.late_s = 20.0
        return self._late()

    def _slow_way(self) -> str:
        """What the engine says takes 3 s; what it hears comes at once."""
        host = self._live()
        assert host is not None, "nothing has broken"
        pairs = self.world.network.of(host.process, server="venue")
        for ours, _ in pairs:
            ours.blocked_until = trio.current_time() + 3.0
        return f"{len(pairs)} lines"


@pytest.mark.parametrize(
    ("late_s", "besides", "mutant", "broken", "reached"),
    [
        (20.0, (), None, False, LEFT_ALREADY),
        (20.0, (PlannedFault(320.0, "slow_way"),), None, False, CROSSED),
        (4.0, (), None, False, THROWN_AWAY),
        (4.0, (), "checksum-unread", True, ""),
        # It leaves the channel in the end, for its silence: long behind the checksum that it has read.
        (4.0, (PlannedFault(320.0, "late_again"),), "checksum-unread", True, ""),
    ],
)
def test_a_wrong_checksum_is_noticed_unless_its_book_was_thrown_away_before_it_came(
    late_s: float, besides: tuple[PlannedFault, ...], mutant: str | None, broken: bool, reached: str
) -> None:
    """A book that is silent for 20 s is asked for anew; who compares no checksums is caught behind late frames too."""
    world = World(3, hours=0.2, timeframe="1m", with_web=False, only=frozenset({"bad_checksum"}))
    world.as_shipped = True
    world.plan = (PlannedFault(300.0, "late"), PlannedFault(300.0, "bad_checksum"), *besides)
    trouble = world.trouble = BehindLateFrames(world, random.Random(0))
    trouble.late_s = late_s
    with mutated(mutant):
        outcome = run_world(world)
    assert [found.rule for found in outcome.violations] == ["M13"] * broken
    told = {name for name in (LEFT_ALREADY, CROSSED, THROWN_AWAY) if world.witness.sometimes[name]}
    assert told == ({reached} if reached else set())
