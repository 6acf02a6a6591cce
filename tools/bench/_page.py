"""Figures of all rounds as medians and spreads: the table, the JSON file, and docs/benchmarks.md."""

import platform
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from genesis.edge.proof_files import table as table_of
from protocols.proof import ProofFact, ProofSheet
from tools.bench._figures import Figure
from tools.bench._goals import GOALS, Goal
from tools.bench._notes import NOTES
from tools.bench._notes_worlds import WORLDS
from tools.bench._useless import USELESS

DURABLE: Final = "tick to order, durable intent, p50"
IN_MEMORY: Final = "tick to order, not durable, p50"
ADDED: Final = "tick to order, added by the durable intent, p50"
WAYS: Final = ("wire to wire: ", "one loop: ")
"""Both ways in which tick to order is measured."""


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """One figure over all rounds. `ratio` is the median of the rounds' own ratios to what was beside them."""

    name: str
    unit: str
    median: float
    low: float
    high: float
    rounds: int
    beside: float | None = None
    beside_name: str = ""
    ratio: float | None = None


class Results(msgspec.Struct, frozen=True, kw_only=True):
    machine: str
    python: str
    rounds: int
    figures: tuple[Measured, ...]


def gather(figures: Sequence[Figure], rounds: int) -> Results:
    by_name: dict[str, list[Figure]] = {}
    for figure in figures:
        by_name.setdefault(figure.name, []).append(figure)
    for way in WAYS:
        if way + DURABLE in by_name and way + IN_MEMORY in by_name:
            by_name[way + ADDED] = [
                Figure(name="", value=disk.value - memory.value, unit="us")
                for disk, memory in zip(by_name[way + DURABLE], by_name[way + IN_MEMORY], strict=False)
            ]
    return Results(
        machine=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        rounds=rounds,
        figures=tuple(_measured(name, told) for name, told in by_name.items()),
    )


def _measured(name: str, told: Sequence[Figure]) -> Measured:
    values = [figure.value for figure in told]
    besides = [figure.beside for figure in told if figure.beside is not None]
    ratios = [figure.ratio for figure in told if figure.ratio is not None]
    return Measured(
        name=name,
        unit=told[0].unit,
        median=statistics.median(values),
        low=min(values),
        high=max(values),
        rounds=len(values),
        beside=statistics.median(besides) if besides else None,
        beside_name=told[0].beside_name,
        ratio=statistics.median(ratios) if ratios else None,
    )


def merged(kept: Results, newer: Results) -> Results:
    """The newer figures, and those of the others that were kept."""
    again = {figure.name for figure in newer.figures}
    figures = tuple(figure for figure in kept.figures if figure.name not in again)
    return msgspec.structs.replace(newer, figures=figures + newer.figures)


def write_results(path: Path, results: Results) -> None:
    path.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=2) + b"\n")


def read_results(path: Path) -> Results:
    return msgspec.json.decode(path.read_bytes(), type=Results)


def number(value: float) -> str:
    """Three digits that count."""
    size = abs(value)
    return f"{value:,.0f}" if size >= 100 else f"{value:.1f}" if size >= 10 else f"{value:.3g}"


def verdict(goal: Goal, found: Measured | None) -> tuple[str, str]:
    """(the figure, whether it is what was meant)."""
    if not goal.figure:
        return "", f"not measured: {goal.why_not}"
    value = None if found is None else found.ratio if goal.of_ratio else found.median
    if found is None or value is None:
        return "", "not measured in this run"
    shown = f"{number(value)} x {found.beside_name}" if goal.of_ratio else f"{number(value)} {found.unit}"
    if goal.at_most is not None:
        return shown, "met" if value <= goal.at_most else f"**missed**: {number(value / goal.at_most)} times the goal"
    bound = goal.at_least or 0.0
    return shown, "met" if value >= bound else f"**missed**: {number(value / bound * 100)} % of the goal"


def table(results: Results) -> str:
    lines = [
        "| measured | median | spread | unit | beside it, in the same round | ratio |",
        "|---|---:|---:|---|---|---:|",
    ]
    for each in results.figures:
        beside = "" if each.beside is None else f"{each.beside_name} {number(each.beside)}"
        ratio = "" if each.ratio is None else number(each.ratio)
        spread = f"{number(each.low)} to {number(each.high)}"
        lines.append(f"| {each.name} | {number(each.median)} | {spread} | {each.unit} | {beside} | {ratio} |")
    return "\n".join(lines)


def _goal_rows(results: Results) -> list[tuple[str, str, str, str]]:
    found = {each.name: each for each in results.figures}
    return [(goal.area, goal.text, *verdict(goal, found.get(goal.figure))) for goal in GOALS]


def goals_table(results: Results) -> str:
    lines = ["| area | goal | measured | |", "|---|---|---:|---|"]
    return "\n".join(lines + [f"| {' | '.join(row)} |" for row in _goal_rows(results)])


def sheet(results: Results) -> ProofSheet:
    """The same figures for the page of a running engine."""
    rows = [tuple(cell.replace("**", "") for cell in row) for row in _goal_rows(results)]
    measured = [row for row in rows if row[2]]
    met = sum(row[3] == "met" for row in measured)
    figures = [
        (each.name, number(each.median), f"{number(each.low)} to {number(each.high)}", each.unit)
        for each in results.figures
    ]
    return ProofSheet(
        name="speed",
        title="Speed",
        text=f"{results.machine}, Python {results.python}: medians of {results.rounds} interleaved rounds.",
        command="make bench",
        facts=(ProofFact(label="goals met", value=f"{met} of {len(measured)}", good=met == len(measured)),),
        tables=(
            table_of("Goals", ("area", "goal", "measured", ""), rows),
            table_of("Figures", ("measured", "median", "spread", "unit"), figures),
        ),
    )


def page(results: Results) -> str:
    return "\n".join(
        [
            "# Benchmarks",
            "",
            "Generated by `make bench` from `docs/benchmarks.json`; the notes are in `tools/bench/_notes*.py`.",
            "",
            f"{results.machine}, Python {results.python}, rounds: {results.rounds}, interleaved, each measurement in a"
            " process of its own. Medians, with the lowest and highest round. Compare figures of one run with each"
            " other: absolute times move by a factor of two and more with the machine and its load.",
            "",
            "## Goals",
            "",
            goals_table(results),
            "",
            "## Figures",
            "",
            table(results),
            "",
            NOTES,
            WORLDS,
            USELESS,
        ]
    )
