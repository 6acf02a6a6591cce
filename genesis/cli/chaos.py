"""`genesis chaos`: the whole engine in simulated worlds, one for each seed, where everything that can break does."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import attrs
from cyclopts import Parameter

from genesis.cli import printing
from genesis.cli.failures import CommandFailed
from genesis.run_options import ExitCode

AGAIN_EVERY = 100
"""One world in a hundred is run twice, in two processes with different hashes."""

if TYPE_CHECKING:
    from genesis.worlds.sweep import Totals
    from genesis.worlds.world import Outcome


def chaos(
    *,
    seed: Annotated[int, Parameter(help="The first seed.")] = 0,
    seeds: Annotated[int, Parameter(help="How many worlds, each with the next seed.")] = 1,
    hours: Annotated[float, Parameter(help="Virtual hours of a world.")] = 1.0,
    faults: Annotated[float, Parameter(help="Faults in a virtual hour.")] = 12.0,
    timeframe: Annotated[
        str, Parameter(help="What every world trades: 1m, 1m+5m, 5m or 15m; left out, each draws its own.")
    ] = "",
    jobs: Annotated[int, Parameter(help="Processes; 0 takes one for each core.")] = 1,
    trace: Annotated[bool, Parameter(negative="", help="Print what happened, line by line.")] = False,
    html: Annotated[Path | None, Parameter(help="Write the world's story as an HTML page to this file.")] = None,
    mutant: Annotated[str | None, Parameter(help="Put this deliberate defect into the engine first.")] = None,
    mutants: Annotated[
        bool, Parameter(negative="", help="For each deliberate defect (or --mutant alone): which world catches it?")
    ] = False,
    report: Annotated[Path | None, Parameter(help="Write the figures as a Markdown page to this file.")] = None,
    json: Annotated[bool, Parameter(negative="", help="Print the figures as JSON.")] = False,
) -> int:
    """Run the whole engine in simulated worlds and check every rule. Exit code 1 when one was broken.

    A world is a function of its seed: what failed once fails again by the line that is printed with it.
    """
    from genesis.worlds.mutants import MUTANTS
    from genesis.worlds.timeframes import SHARES

    if seeds < 1 or not 0 < hours <= 1000 or faults < 0 or jobs < 0:
        raise CommandFailed("seeds and hours must be above 0, faults and jobs not below it", ExitCode.CONFIGURATION)
    if mutant is not None and mutant not in MUTANTS:
        raise CommandFailed(f"mutant must be one of {', '.join(MUTANTS)}, was {mutant}", ExitCode.NOT_FOUND)
    if timeframe and timeframe not in SHARES:
        raise CommandFailed(f"timeframe must be one of {', '.join(SHARES)}, was {timeframe}", ExitCode.CONFIGURATION)
    processes = jobs or os.cpu_count() or 1
    if mutants:
        return _hunt(seed, seeds, hours, faults, timeframe, processes, mutant, report)
    if seeds == 1 and (trace or html is not None):
        return _one(seed, hours, faults, timeframe, mutant, trace, html)
    return _many(seed, seeds, hours, faults, timeframe, processes, mutant, report, json)


def _one(
    seed: int, hours: float, faults: float, timeframe: str, mutant: str | None, trace: bool, html: Path | None
) -> int:
    import logging

    from genesis.worlds.mutants import MUTANTS, mutated
    from genesis.worlds.timeline import page
    from genesis.worlds.world import simulate

    logging.disable(logging.CRITICAL)
    # A defect is looked for where it shows: the same world as its hunt's.
    defect = None if mutant is None else MUTANTS[mutant]
    with mutated(mutant):
        outcome = simulate(
            seed,
            hours=hours,
            faults_an_hour=faults,
            only=frozenset() if defect is None else defect.led_by,
            with_web=None if defect is None else defect.with_web or None,
            timeframe=timeframe,
        )
    if trace:
        for line in outcome.lines:
            print(line)
    if html is not None:
        html.write_text(page(outcome), encoding="utf-8")
        print(f"written: {html}")
    _tell(outcome)
    print(f"seed {seed}: digest {outcome.digest}, {outcome.steps} steps, {len(outcome.violations)} violations")
    return ExitCode.ERROR if outcome.violations else ExitCode.OK


def _tell(outcome: "Outcome") -> None:
    if outcome.violations:
        print(f"seed {outcome.seed} broke {outcome.violations[0]}", file=sys.stderr)
        print(f"  again: {outcome.replay}", file=sys.stderr)


def _many(
    seed: int,
    seeds: int,
    hours: float,
    faults: float,
    timeframe: str,
    processes: int,
    mutant: str | None,
    report: Path | None,
    json: bool,
) -> int:
    from genesis.worlds.report import write_figures
    from genesis.worlds.sweep import Errand, Hunt, errand_of, sweep

    if mutant is None:
        one = Errand(seed=seed, hours=hours, faults_an_hour=faults, timeframe=timeframe)
        errands = [attrs.evolve(one, seed=number) for number in range(seed, seed + seeds)]
    else:
        hunt = Hunt(
            mutant=mutant, first_seed=seed, seeds=seeds, hours=hours, faults_an_hour=faults, timeframe=timeframe
        )
        errands = [attrs.evolve(errand_of(hunt, number), mutant=mutant) for number in range(seed, seed + seeds)]
    totals = sweep(errands, processes=processes, told=_tell, again_every=0 if mutant else AGAIN_EVERY)
    if report is not None:
        write_figures(report, totals, first_seed=seed, hours=hours, faults_an_hour=faults, timeframe=timeframe)
    if json:
        printing.print_json(_figures(totals))
    else:
        printing.pairs(list(_figures(totals).items()))
    return ExitCode.ERROR if totals.failed else ExitCode.OK


def _figures(totals: "Totals") -> dict[str, object]:
    from genesis.domain.protection_watch import percentile
    from genesis.worlds.sweep import AGAIN, THEIR_CHECKPOINT_US

    spans = {
        "naked": totals.naked_s,
        "naked with a route": totals.routed_s,
        "naked without a route": totals.cut_off_s,
        "naked while only REST could place a stop": totals.rest_alone_s,
        "naked and compared": totals.compared_s,
        "recovery": totals.recovery_s,
    }
    return {
        "seeds": totals.seeds,
        "virtual hours": round(totals.virtual_hours, 2),
        "hours a cpu second": round(totals.hours_a_cpu_second, 3),
        "microseconds of a bare checkpoint": round(totals.checkpoint_us, 2),
        f"hours a cpu second where that is {THEIR_CHECKPOINT_US:g}": round(totals.hours_a_second_of_theirs, 3),
        **{f"worlds on {name}": told for name, told in totals.by_timeframe.items()},
        "cpu seconds of the worlds": round(totals.cpu_s, 1),
        # Of this process since it began, and of those that it has waited for: loading everything, and running some
        # worlds once more elsewhere, which a sweep of one world does with all of it.
        "cpu seconds in all": round(sum(os.times()[:4]), 1),
        "worlds run again elsewhere": totals.sometimes[AGAIN],
        "faults": totals.faults,
        "process kills": totals.kills,
        "actor crashes": totals.crashes,
        "orders": totals.orders,
        "trades": totals.fills,
        "positions opened or added to": totals.openings,
        **{f"{name} s p50": round(percentile(each, 0.5), 3) for name, each in spans.items()},
        **{f"{name} s p99": round(percentile(each, 0.99), 3) for name, each in spans.items()},
        **{f"{name} s longest": round(max(each, default=0.0), 3) for name, each in spans.items()},
        "longest naked with a route, by seed": ", ".join(f"{s:.1f} s in {seed}" for s, seed in totals.longest),
        "looks at rules": sum(totals.checks.values()),
        "seeds with violations": len(totals.failed),
        "violations": totals.violations,
    }


def _hunt(
    seed: int,
    seeds: int,
    hours: float,
    faults: float,
    timeframe: str,
    processes: int,
    mutant: str | None,
    report: Path | None,
) -> int:
    """Every deliberate defect, until a world catches it that breaks no rule without it."""
    from genesis.worlds.mutants import MUTANTS
    from genesis.worlds.report import write_hunt
    from genesis.worlds.sweep import Hunt, hunts

    names = list(MUTANTS) if mutant is None else [mutant]
    first = Hunt(mutant="", first_seed=seed, seeds=seeds, hours=hours, faults_an_hour=faults, timeframe=timeframe)
    wanted = [attrs.evolve(first, mutant=name) for name in names]
    caught = {}
    for one in hunts(wanted, processes=processes):
        caught[one.mutant] = one
        said = f"caught by seed {one.seed}, rule {one.rule}" if one.rule else f"not caught by {one.worlds} worlds"
        print(f"{one.mutant:<24} {said}", flush=True)
        for each in one.unfit:
            print(f"  seed {each} breaks a rule without any defect, too: it has caught nothing", flush=True)
        if report is not None:
            # What is known is written down at once.
            write_hunt(report, [caught[name] for name in names if name in caught], hours=hours, faults_an_hour=faults)
    right = all(one.rule and not one.unfit for one in caught.values())
    return ExitCode.OK if right else ExitCode.ERROR
