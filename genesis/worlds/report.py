"""The figures of a sweep as Markdown: parts of one page, each between marks of its own, made anew by each run."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from genesis.worlds.catalogue import CATALOGUE, unreached
from genesis.worlds.mutants import MUTANTS
from genesis.worlds.sweep import Caught, Totals

TITLE: Final = """# What breaks, and what does not

Engine, exchange, web and journal run unchanged in simulated worlds: a virtual network, clock and disk, where the seed
alone decides what happens. The figures below are written by `genesis chaos`; nobody types them.
"""

DEFECTS: Final = """# Deliberate defects

A rule that was never seen to be broken proves nothing. Each line is a defect that somebody could put into the engine
by accident; the worlds of `genesis chaos` must find every one. Written by `genesis chaos --mutants`; nobody types it.
"""


def write_figures(path: Path, totals: Totals, *, first_seed: int, hours: float, faults_an_hour: float) -> None:
    """The part with the last sweep."""
    rows = {
        "worlds": totals.seeds,
        "virtual hours": f"{totals.virtual_hours:,.1f}",
        "faults planned": f"{totals.faults:,}",
        "process kills": f"{totals.kills:,}",
        "lives of the engine": f"{totals.lives:,}",
        "actor crashes": f"{totals.crashes:,}",
        "orders sent": f"{totals.orders:,}",
        "trades booked": f"{totals.fills:,}",
        "looks at rules": f"{sum(totals.checks.values()):,}",
        "worlds with a violation": len(totals.failed),
        "virtual hours a CPU second": f"{totals.hours_a_cpu_second:.2f}",
    }
    again = f"genesis chaos --seed {first_seed} --seeds {totals.seeds} --hours {hours:g} --faults {faults_an_hour:g}"
    text = [f"## The last sweep\n\n`{again}`\n", _table(("", ""), list(rows.items()))]
    if totals.failed:
        failed = [(seed, found[0], f"`{totals.replays[seed]}`") for seed, found in sorted(totals.failed.items())]
        text.append("\n### Violations\n\n" + _table(("seed", "first violation", "again"), failed))
    owed = unreached(totals.sometimes, totals.checks)
    rules = [
        (name, rule.text, f"{totals.checks[name]:,}", "; ".join(owed.get(name, ()))) for name, rule in CATALOGUE.items()
    ]
    text.append("\n### Rules\n\n" + _table(("rule", "what it says", "looks", "never reached"), rules))
    reached = sorted((name, times) for name, times in totals.sometimes.items() if not name.startswith("fault "))
    text.append("\n### States that were reached\n\n" + _table(("state", "times"), reached))
    faults = sorted(
        (name.removeprefix("fault "), n) for name, n in totals.sometimes.items() if name.startswith("fault ")
    )
    text.append("\n### Faults\n\n" + _table(("fault", "times"), faults))
    _replace(path, "sweep", "".join(text))


def write_hunt(path: Path, caught: list[Caught], *, clean: Totals | None, hours: float, faults_an_hour: float) -> None:
    """A page of its own: the deliberate defects, and what the same worlds say of an engine without any."""
    rows = [
        (f"`{one.mutant}`", MUTANTS[one.mutant].text, one.seed if one.rule else "**not caught**", one.worlds, one.rule)
        for one in caught
    ]
    number = sum(bool(one.rule) for one in caught)
    untried = len(MUTANTS) - len(caught)
    again = f" {untried} more are defined and were not tried in this run." if untried else ""
    if clean is not None:
        broken = clean.violations or "no rule"
        again += f" The same {clean.seeds} worlds without a defect break {broken}."
    text = (
        f"{number} of {len(caught)} are caught, in worlds of {hours:g} virtual hours with {faults_an_hour:g} faults an"
        f" hour, each by the first world that breaks a rule.{again}\n\n"
    )
    _replace(path, "defects", text + _table(("defect", "what it breaks", "seed", "worlds", "rule"), rows), DEFECTS)


def _table(head: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    lines += [f"| {' | '.join(str(cell).replace('|', '/') for cell in row)} |" for row in rows]
    return "\n".join(lines) + "\n"


def _replace(path: Path, part: str, text: str, title: str = TITLE) -> None:
    """Put this part where it stands, or at the end of a page that begins with `title`."""
    begin, end = f"<!-- {part} -->", f"<!-- end of {part} -->"
    whole = path.read_text(encoding="utf-8") if path.is_file() else title
    block = f"{begin}\n\n{text}\n{end}"
    if begin in whole and end in whole:
        head, _, rest = whole.partition(begin)
        _, _, tail = rest.partition(end)
        whole = head + block + tail
    else:
        whole = f"{whole.rstrip()}\n\n{block}\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(whole, encoding="utf-8")
