"""The figures of a sweep as Markdown: parts of one page, each between marks of its own, made anew by each run."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from genesis.domain.protection_watch import percentile
from genesis.edge.proof_files import folder_beside, markdown, table, write_sheet
from genesis.worlds.catalogue import CATALOGUE, unreached
from genesis.worlds.mutants import MUTANTS
from genesis.worlds.sweep import THEIR_CHECKPOINT_US, Caught, Totals
from protocols.proof import ProofFact, ProofSheet, ProofTable

TITLE: Final = """# What breaks, and what does not

Engine, exchange, web and journal run unchanged in simulated worlds: a virtual network, clock and disk, where the seed
alone decides what happens. The figures below are written by `genesis chaos`; nobody types them.
"""

SWEPT: Final = "The whole engine and its exchange in simulated worlds, broken by plan, and watched by rules."
LONGEST_TOLD: Final = 5
NAKED: Final = "Naked seconds and recovery"
HUNTED: Final = "A rule that was never seen to be broken proves nothing: the worlds must find every defect put in."

DEFECTS: Final = """# Deliberate defects

A rule that was never seen to be broken proves nothing. Each line is a defect that somebody could put into the engine
by accident; the worlds of `genesis chaos` must find every one. Written by `genesis chaos --mutants`; nobody types it.
"""


def write_figures(
    path: Path, totals: Totals, *, first_seed: int, hours: float, faults_an_hour: float, timeframe: str = ""
) -> None:
    """The part with the last sweep."""
    rows: dict[str, object] = {
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
        "a bare checkpoint of trio meanwhile": f"{totals.checkpoint_us:.1f} µs",
        f"virtual hours a CPU second where it costs {THEIR_CHECKPOINT_US:g} µs": (
            f"{totals.hours_a_second_of_theirs:.2f}"
        ),
        **{f"worlds on candles of {name}": told for name, told in totals.by_timeframe.items()},
    }
    again = f"genesis chaos --seed {first_seed} --seeds {totals.seeds} --hours {hours:g} --faults {faults_an_hour:g}"
    again += f" --timeframe {timeframe}" if timeframe else ""
    tables = [table("The last sweep", ("", ""), rows.items())]
    if totals.failed:
        failed = [(seed, found[0], f"`{totals.replays[seed]}`") for seed, found in sorted(totals.failed.items())]
        tables.append(table("Violations", ("seed", "first violation", "again"), failed))
    tables.append(_stops(totals))
    owed = unreached(totals.sometimes, totals.checks)
    rules = [
        (name, rule.text, f"{totals.checks[name]:,}", "; ".join(owed.get(name, ()))) for name, rule in CATALOGUE.items()
    ]
    tables.append(table("Rules", ("rule", "what it says", "looks", "never reached"), rules))
    reached = sorted((name, times) for name, times in totals.sometimes.items() if not name.startswith("fault "))
    tables.append(table("States that were reached", ("state", "times"), reached))
    faults = sorted(
        (name.removeprefix("fault "), n) for name, n in totals.sometimes.items() if name.startswith("fault ")
    )
    tables.append(table("Faults", ("fault", "times"), faults))
    figures, *others = tables
    parts = [f"## {figures.title}\n\n`{again}`\n{markdown(figures)}"]
    parts += [f"### {each.title}\n\n{_said_of(each, totals)}{markdown(each)}" for each in others]
    _replace(path, "sweep", "\n".join(parts))
    glance = {"worlds": None, "virtual hours": None, "faults planned": None, "looks at rules": None}
    facts = [ProofFact(label=name, value=str(rows[name]), good=good) for name, good in glance.items()]
    naked, recovery = percentile(totals.naked_s, 0.99), percentile(totals.recovery_s, 0.99)
    facts.append(ProofFact(label="naked seconds p99", value=f"{naked:.1f}"))
    routed = percentile(totals.routed_s, 0.99)
    facts.append(ProofFact(label="naked seconds with a route p99", value=f"{routed:.1f}"))
    facts.append(ProofFact(label="recovery seconds p99", value=f"{recovery:.1f}"))
    broken = len(totals.failed)
    facts.append(ProofFact(label="worlds with a violation", value=str(broken), good=not broken))
    _ship(path, "sweep", "Worlds with faults", SWEPT, again, facts, tables)


def _stops(totals: Totals) -> ProofTable:
    """Naked seconds and recovery, by the venue's side."""
    kinds = {
        "a position without its stop": totals.naked_s,
        "of these times the part with a route to the venue": totals.routed_s,
        "the part without any route, where there was one": totals.cut_off_s,
        "of that the part in which REST could have placed one": totals.rest_alone_s,
        "from a wish to flatten, where REST alone could have carried it": totals.closed_s,
        "of all times the part in which its books were compared and the venue was open": totals.compared_s,
        "from the start of a process until its books are compared and every position has its stop": totals.recovery_s,
    }
    rows = [
        (kind, f"{len(spans):,}", *(f"{seconds:.2f}" for seconds in (*_spread(spans), max(spans, default=0.0))))
        for kind, spans in kinds.items()
    ]
    return table(NAKED, ("", "times", "p50 s", "p99 s", "longest s"), rows)


def _said_of(shown: ProofTable, totals: Totals) -> str:
    if shown.title != NAKED:
        return ""
    return (
        "By the venue's side: its wallets and resting orders after each change, in virtual seconds. Positions were"
        f" opened or added to {totals.openings:,} times, and each time lay bare until their stop had come; so they do"
        " while a stranger has cancelled the stop, while a frame that was lost is looked for, and for as long as the"
        " engine is dead, its disk keeps nothing, or the line carries nothing. Coins that rest for sale at"
        " a person's wish are left out: the venue takes no stop for them.\n\n"
        "A route stands while the venue is open and speaks, and an authenticated socket of a live engine carries words"
        " both ways;"
        " without one only REST can place a stop, where it answers and is reached. The longest with a route: "
        + "; ".join(f"{seconds:.1f} s in seed {seed}" for seconds, seed in totals.longest[:LONGEST_TOLD])
        + ".\n\n"
    )


def _spread(spans: list[float]) -> tuple[float, float]:
    return percentile(spans, 0.5), percentile(spans, 0.99)


def write_hunt(path: Path, caught: list[Caught], *, hours: float, faults_an_hour: float) -> None:
    """A page of its own: the deliberate defects, and what the same world says of an engine without each."""
    rows = [
        (
            f"`{one.mutant}`",
            MUTANTS[one.mutant].text,
            ", ".join(sorted(MUTANTS[one.mutant].led_by)) or "all",
            one.seed if one.rule else "**not caught**",
            one.worlds,
            one.rule,
            f"{one.clean_looks:,} looks, none broken" if one.rule else "",
        )
        for one in caught
    ]
    number = sum(bool(one.rule) for one in caught)
    untried = len(MUTANTS) - len(caught)
    again = f" {untried} more are defined and were not tried in this run." if untried else ""
    unfit = sum(len(one.unfit) for one in caught)
    if unfit:
        again += f" {unfit} worlds broke a rule without their defect, too, and count for nothing."
    text = (
        f"{number} of {len(caught)} are caught, in worlds of {hours:g} virtual hours with {faults_an_hour:g} faults an"
        " hour, each by the first world that breaks a rule with the defect and none without it: that world is run"
        f" again with the same seed and the same faults on the engine as it is.{again}\n\n"
    )
    defects = table(
        "Defects", ("defect", "what it breaks", "faults", "seed", "worlds", "rule", "the same world without it"), rows
    )
    _replace(path, "defects", text + markdown(defects), DEFECTS)
    fact = ProofFact(label="defects caught", value=f"{number} of {len(caught)}", good=number == len(caught))
    _ship(path, "defects", "Deliberate defects", HUNTED, "genesis chaos --mutants", [fact], [defects])


def _ship(
    path: Path,
    name: str,
    title: str,
    text: str,
    command: str,
    facts: Iterable[ProofFact],
    tables: Iterable[ProofTable],
) -> None:
    """A page of the project's own docs has its figures on the engine's page, too."""
    folder = folder_beside(path)
    if folder is not None:
        made = ProofSheet(name=name, title=title, text=text, command=command, facts=tuple(facts), tables=tuple(tables))
        write_sheet(folder, made)


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
