"""Many worlds: seed after seed, on one core or several, added up."""

import functools
import gc
import logging
import multiprocessing
import os
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Final

import attrs
import msgspec
import trio

from genesis.edge.huge_pages import gather
from genesis.worlds.mutants import MUTANTS, mutated
from genesis.worlds.timeframes import SHARES
from genesis.worlds.witness import Violation
from genesis.worlds.world import FAULTS_AN_HOUR, Outcome, simulate

ELSEWHERE: Final = """
import sys
import msgspec
from genesis.worlds.sweep import Errand, run_errand
terms = msgspec.json.decode(sys.stdin.buffer.read())
outcome = run_errand(Errand(**{**terms, "only": frozenset(terms["only"])}))
print(outcome.digest, outcome.fingerprint, outcome.steps)
"""

CHECKPOINTS: Final = 300
"""In a row; the middle one of three rows counts. Some 5 ms a world."""
THEIR_CHECKPOINT_US: Final = 3.5
"""A bare checkpoint of trio on the machine on which the goal of virtual hours a CPU second was set."""
AGAIN: Final = "a world was run again in another process"
LONGEST_KEPT: Final = 10


@attrs.frozen(kw_only=True)
class Errand:
    """One world to run. `mutant` names a deliberate defect of the engine."""

    seed: int
    hours: float
    faults_an_hour: float = FAULTS_AN_HOUR
    mutant: str | None = None
    only: frozenset[str] = frozenset()
    with_web: bool | None = None
    timeframe: str = ""
    """What it trades; empty: what its seed says."""
    to_first: bool = False
    """Leave it at the first rule that is broken."""


@attrs.define(kw_only=True)
class Totals:
    """What all worlds of a sweep came to."""

    seeds: int = 0
    virtual_hours: float = 0.0
    cpu_s: float = 0.0
    wall_s: float = 0.0
    steps: int = 0
    faults: int = 0
    kills: int = 0
    crashes: int = 0
    lives: int = 0
    orders: int = 0
    fills: int = 0
    openings: int = 0
    naked_s: list[float] = attrs.field(factory=list)
    """By the venue's side: each time that a position lay without its stop, in seconds."""
    compared_s: list[float] = attrs.field(factory=list)
    routed_s: list[float] = attrs.field(factory=list)
    cut_off_s: list[float] = attrs.field(factory=list)
    rest_alone_s: list[float] = attrs.field(factory=list)
    closed_s: list[float] = attrs.field(factory=list)
    longest: list[tuple[float, int]] = attrs.field(factory=list)
    """Seconds bare with a route, and in which world: the longest ones."""
    recovery_s: list[float] = attrs.field(factory=list)
    failed: dict[int, tuple[Violation, ...]] = attrs.field(factory=dict)
    replays: dict[int, str] = attrs.field(factory=dict)
    sometimes: Counter[str] = attrs.field(factory=Counter)
    checks: Counter[str] = attrs.field(factory=Counter)
    checkpoints_us: list[float] = attrs.field(factory=list)
    """What a bare checkpoint of trio cost before each world: how fast the machine was just then."""
    traded: dict[str, list[float]] = attrs.field(factory=dict)
    """By what worlds traded: how many there were, their virtual hours and CPU seconds."""

    @property
    def by_timeframe(self) -> dict[str, str]:
        """In words, shortest candles first."""
        return {
            name: f"{count:.0f}, {hours / cpu_s if cpu_s else 0.0:.2f} hours a CPU second"
            for name in SHARES
            for count, hours, cpu_s in [self.traded.get(name, (0.0, 0.0, 0.0))]
            if count
        }

    @property
    def violations(self) -> int:
        return sum(len(found) for found in self.failed.values())

    @property
    def hours_a_cpu_second(self) -> float:
        return self.virtual_hours / self.cpu_s if self.cpu_s else 0.0

    @property
    def checkpoint_us(self) -> float:
        """What a bare checkpoint of trio cost on the whole; 0 when nobody measured."""
        return sum(self.checkpoints_us) / len(self.checkpoints_us) if self.checkpoints_us else 0.0

    @property
    def hours_a_second_of_theirs(self) -> float:
        """Virtual hours a CPU second of a machine whose checkpoint costs `THEIR_CHECKPOINT_US`.

        A second of one machine is not that of another, nor of the same one whose host is busy: the same code was seen
        three times as slow an hour later, its checkpoints with it.
        """
        return self.hours_a_cpu_second * self.checkpoint_us / THEIR_CHECKPOINT_US

    def add(self, outcome: Outcome) -> None:
        self.seeds += 1
        self.virtual_hours += outcome.virtual_s / 3600
        sums = self.traded.setdefault(outcome.traded, [0.0, 0.0, 0.0])
        for place, more in enumerate((1.0, outcome.virtual_s / 3600, outcome.cpu_s)):
            sums[place] += more
        self.sometimes.update(outcome.sometimes)
        self.checks.update(outcome.checks)
        for name in ("cpu_s", "wall_s", "steps", "faults", "kills", "crashes", "lives", "orders", "fills", "openings"):
            setattr(self, name, getattr(self, name) + getattr(outcome, name))
        self.naked_s += outcome.naked_s
        self.compared_s += outcome.compared_s
        self.routed_s += outcome.routed_s
        self.cut_off_s += outcome.cut_off_s
        self.rest_alone_s += outcome.rest_alone_s
        self.closed_s += outcome.closed_s
        self.longest += [(seconds, outcome.seed) for seconds in outcome.routed_s]
        self.longest = sorted(self.longest, reverse=True)[:LONGEST_KEPT]
        self.recovery_s += outcome.recovery_s
        if outcome.checkpoint_us:
            self.checkpoints_us.append(outcome.checkpoint_us)
        if outcome.violations:
            self.failed[outcome.seed] = outcome.violations
            self.replays[outcome.seed] = outcome.replay


def run_errand(errand: Errand) -> Outcome:
    """One world, quietly, without its lines. What it left is collected once, behind it, and in its time."""
    collecting = gc.isenabled()
    gc.disable()
    _settle()
    # What actors log in a world is not for people; its witness has what is.
    logging.disable(logging.CRITICAL)
    try:
        checkpoint_us = trio.run(_checkpoint_us)
        with mutated(errand.mutant):
            outcome = simulate(
                errand.seed,
                hours=errand.hours,
                faults_an_hour=errand.faults_an_hour,
                only=errand.only,
                with_web=errand.with_web,
                to_first=errand.to_first,
                timeframe=errand.timeframe,
            )
        outcome = attrs.evolve(outcome, lines=(), checkpoint_us=checkpoint_us)
        began = time.process_time()
        _settle()
        return attrs.evolve(outcome, cpu_s=outcome.cpu_s + time.process_time() - began)
    finally:
        logging.disable(logging.NOTSET)
        if collecting:
            gc.enable()


async def _checkpoint_us() -> float:
    took: list[float] = []
    for _ in range(3):
        began = time.process_time()
        for _ in range(CHECKPOINTS):
            await trio.lowlevel.checkpoint()
        took.append((time.process_time() - began) / CHECKPOINTS * 1e6)
    return statistics.median(took)


def _settle() -> None:
    """Modules and caches stay: no later collection need look through them, and they lie together."""
    gc.collect()
    gc.freeze()
    gather()


def outcomes(errands: Iterable[Errand], *, processes: int = 1) -> Iterator[Outcome]:
    """The worlds of all errands, in order."""
    if processes == 1:
        yield from map(run_errand, errands)
        return
    # Spawned, not forked: a world must not inherit what another one left in memory.
    with multiprocessing.get_context("spawn").Pool(processes, maxtasksperchild=500) as pool:
        yield from pool.imap(run_errand, errands)


def sweep(
    errands: Iterable[Errand],
    *,
    processes: int = 1,
    told: Callable[[Outcome], object] = lambda outcome: None,
    again_every: int = 0,
) -> Totals:
    """Run them all; `told` hears of each world when it has ended.

    One in `again_every` (0: none) is run once more in another process with other hashes, and must be the same (O2).
    """
    totals = Totals()
    wanted = list(errands)
    for number, outcome in enumerate(outcomes(wanted, processes=processes)):
        one = outcome
        if again_every and number % again_every == 0:
            one = _compared(wanted[number], outcome)
        totals.add(one)
        told(one)
    return totals


def _compared(errand: Errand, outcome: Outcome) -> Outcome:
    told = f"{outcome.digest} {outcome.fingerprint} {outcome.steps}"
    other = told_elsewhere(errand)
    found = outcome.violations
    if other != told:
        found = (*found, Violation("O2", 0.0, f"another process must tell {told}, told {other}"))
    return attrs.evolve(
        outcome,
        violations=found,
        checks={**outcome.checks, "O2": 1},
        sometimes={**outcome.sometimes, AGAIN: 1},
    )


def told_elsewhere(errand: Errand, hash_seed: str = "4711") -> str:
    """Digest, fingerprint and steps of this world, told by a new process in which hashes begin elsewhere."""
    done = subprocess.run(  # noqa: S603 - our own interpreter, our own words
        [sys.executable, "-c", ELSEWHERE],
        input=msgspec.json.encode(attrs.asdict(errand)),
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        check=False,
    )
    # What keeps it from an end is told where the digest would be.
    return (done.stdout or done.stderr).decode().strip().rpartition("\n")[2]


@attrs.frozen(kw_only=True)
class Hunt:
    """One deliberate defect, and how many worlds from `first_seed` on may be tried on it."""

    mutant: str
    first_seed: int
    seeds: int
    hours: float
    faults_an_hour: float
    timeframe: str = ""


@attrs.frozen(kw_only=True)
class Caught:
    """The world that caught it (None: none did), the rule that was broken first, and what that world is without it.

    `worlds` counts those that were tried with the defect; `unfit` names those that broke a rule without it, too, and so
    have proven nothing.
    """

    mutant: str
    worlds: int
    seed: int | None = None
    rule: str = ""
    text: str = ""
    clean_looks: int = 0
    """How often the same world without the defect looked at a rule and found it kept."""
    unfit: tuple[int, ...] = ()


def errand_of(hunt: Hunt, seed: int) -> Errand:
    """A hunt's world without its defect."""
    mutant = MUTANTS[hunt.mutant]
    return Errand(
        seed=seed,
        hours=hunt.hours,
        faults_an_hour=hunt.faults_an_hour,
        only=mutant.led_by,
        with_web=mutant.with_web or None,
        timeframe=hunt.timeframe,
    )


@functools.cache
def clean_outcome(errand: Errand) -> Outcome:
    """Run without any defect, once for all that ask."""
    return run_errand(errand)


def run_hunt(hunt: Hunt) -> Caught:
    """World after world with the same defect, until one breaks a rule that the same world keeps without it."""
    unfit: list[int] = []
    for number in range(hunt.seeds):
        seed = hunt.first_seed + number
        errand = errand_of(hunt, seed)
        outcome = run_errand(attrs.evolve(errand, mutant=hunt.mutant, to_first=True))
        if not outcome.violations:
            continue
        clean = clean_outcome(errand)
        if clean.violations:
            unfit.append(seed)
            continue
        return Caught(
            mutant=hunt.mutant,
            worlds=number + 1,
            seed=seed,
            rule=outcome.violations[0].rule,
            text=outcome.violations[0].text,
            clean_looks=sum(clean.checks.values()),
            unfit=tuple(unfit),
        )
    return Caught(mutant=hunt.mutant, worlds=hunt.seeds, unfit=tuple(unfit))


def hunts(wanted: Iterable[Hunt], *, processes: int = 1) -> Iterator[Caught]:
    """What became of each, as they end."""
    if processes == 1:
        yield from map(run_hunt, wanted)
        return
    with multiprocessing.get_context("spawn").Pool(processes, maxtasksperchild=10) as pool:
        yield from pool.imap_unordered(run_hunt, wanted)
