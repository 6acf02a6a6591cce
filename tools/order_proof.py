"""Writes the figures about orders into docs/reliability.md, and the deliberate defects with the seeds that caught them.

`python -m tools.order_proof --kills 10000` runs seeded worlds of orders, of brackets and of people until so many
processes were killed; `--mutants` hunts every deliberate defect besides. Exit code 1 when a law was broken or a defect
lived.
"""

import argparse
import random
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import attrs
import pytest

from genesis.edge.proof_files import folder_beside, markdown, read_sheets, table, write_sheet
from protocols.proof import ProofFact, ProofSheet, ProofTable
from tests.genesis.domain import bracket_mutants, bracket_world, people_world, test_order_mutants, test_people_worlds
from tests.genesis.domain.order_oracle import World

PAGE: Final = Path(__file__).parents[1] / "docs" / "reliability.md"
BEGIN: Final = "<!-- orders -->"
END: Final = "<!-- end of orders -->"
NAME: Final = "orders"
TEXT: Final = (
    "A venue that keeps the truth, a line that loses, delays and repeats, strangers that cancel, and an engine that"
    " dies at any step between deciding and acting."
)
COMMAND: Final = "python -m tools.order_proof --report"
ORDER_STEPS: Final = 400
MUTANT_SEEDS: Final = 150


@attrs.define
class Tally:
    """What the worlds of one kind went through."""

    worlds: int = 0
    process_kills: int = 0
    actor_kills: int = 0
    faults: int = 0
    orders: int = 0
    trades: int = 0
    recovery_s: list[float] = attrs.Factory(list)
    naked_s: list[float] = attrs.Factory(list)
    broken: list[str] = attrs.Factory(list)


class CountedWorld(World):
    """The orders' world, with its deaths counted."""

    process_kills = 0
    actor_kills = 0

    def start_process(self) -> None:
        self.process_kills += 1
        super().start_process()

    def turn(self, limit: int, kill_at: int | None) -> None:
        self.actor_kills += kill_at is not None
        super().turn(limit, kill_at)


def order_world(seed: int, world: type[World] = World) -> World:
    """One world of orders from its seed, to its settled end. Raises whatever its laws raise."""
    chance = random.Random(seed)  # noqa: S311 - a world is a function of its seed
    made = world()
    for _ in range(ORDER_STEPS):
        made.act(chance.randrange(24 * 840))
        made.check_laws()
    made.heal()
    made.check_settled()
    return made


def orders(kills: int) -> Tally:
    """Worlds of orders until so many processes were killed."""
    tally = Tally()
    while tally.process_kills < kills:
        seed = tally.worlds
        tally.worlds += 1
        try:
            made = order_world(seed, CountedWorld)
        except Exception as error:
            tally.broken.append(f"orders, seed {seed}: {type(error).__name__}: {error}")
            continue
        assert isinstance(made, CountedWorld)
        # The first life is nobody's death.
        tally.process_kills += made.process_kills - 1
        tally.actor_kills += made.actor_kills
        tally.orders += len(made.orders)
        tally.trades += len(made.trades)
    return tally


def brackets(kills: int, live: Callable[[int], bracket_world.BracketWorld], name: str) -> Tally:
    """Worlds of brackets, or of brackets and people, until so many processes were killed."""
    tally = Tally()
    while tally.process_kills < kills:
        seed = tally.worlds
        tally.worlds += 1
        try:
            figures = live(seed).figures
        except Exception as error:
            tally.broken.append(f"{name}, seed {seed}: {type(error).__name__}: {error}")
            continue
        for figure in ("process_kills", "actor_kills", "faults", "orders", "trades", "recovery_s", "naked_s"):
            setattr(tally, figure, getattr(tally, figure) + getattr(figures, figure))
    return tally


Found = tuple[str, str, int | None, str]
"""A defect, what it breaks, the seed that caught it or None, and with which words."""


def hunt(
    mutants: Iterable[Callable[[Any], None]], live: Callable[[int], object], seeds: int = MUTANT_SEEDS
) -> list[Found]:
    """Each defect until a world catches it."""
    found: list[Found] = []
    for mutant in mutants:
        caught: tuple[int | None, str] = (None, "")
        for seed in range(seeds):
            # Each seed begins with the whole engine: a defect that broke a world half way leaves nothing behind.
            with pytest.MonkeyPatch.context() as patch:
                mutant(patch)
                try:
                    live(seed)
                except Exception as error:
                    caught = seed, f"{type(error).__name__}: {error}".splitlines()[0]
                    break
        text = (mutant.__doc__ or mutant.__name__.replace("_", " ")).strip().splitlines()[0]
        found.append((mutant.__name__, text, *caught))
        print(f"{mutant.__name__:<42} {'NOT CAUGHT' if caught[0] is None else f'seed {caught[0]}'}", flush=True)
    return found


def percentile(values: list[float], share: float) -> float:
    ranked = sorted(values)
    return ranked[min(int(len(ranked) * share), len(ranked) - 1)] if ranked else 0.0


def _table(tallies: Sequence[Tally]) -> ProofTable:
    rows: list[tuple[object, ...]] = [
        (text, *(f"{getattr(tally, name):,}" for tally in tallies))
        for text, name in (
            ("worlds", "worlds"),
            ("processes killed, the disk kept", "process_kills"),
            ("actors killed", "actor_kills"),
            ("orders at the venue", "orders"),
            ("trades", "trades"),
        )
    ]
    rows += [
        (text, *(len([one for one in tally.broken if any(word in one for word in words)]) for tally in tallies))
        for text, words in (
            ("orders doubled", ("was doubled", "rest twice")),
            ("orders lost or without a fate", ("unknown", "ended before", "has no row")),
            ("positions without their stop", ("stops must cover", "its stops cover", "must have its stop")),
            ("coins of another sold", ("sold what another holds",)),
            ("worlds with any law broken", ("",)),
        )
    ]
    return table("Orders and stops", ("", "orders", "brackets", "brackets and people"), rows)


def _figures(shown: ProofTable, settled: list[float], cpu_s: float) -> str:
    text = (
        "Written by `python -m tools.order_proof`; nobody types it. Each world is a function of its seed: a venue that"
        " keeps the truth, a line that loses, delays and repeats, strangers that cancel, and an engine that dies at any"
        " step between deciding and acting.\n\n"
    )
    text += markdown(shown)
    text += (
        f"\nFrom the start of a new process to every position covered, the time until the line was back included (which"
        f" these worlds let wait): p50 {percentile(settled, 0.5):.2f} s, p99 {percentile(settled, 0.99):.1f} s of"
        f" virtual time. All of it took {cpu_s:.0f} s of one processor.\n"
    )
    return text


def _caught(rows: list[Found]) -> ProofTable:
    cells = [
        (f"`{name}`", text, "**not caught**" if seed is None else seed, words[:110]) for name, text, seed, words in rows
    ]
    head = ("defect", "what it breaks", "seed", "with these words")
    return table("Deliberate defects of orders and brackets", head, cells)


def _defects(shown: ProofTable, caught: int) -> str:
    return f"\n### {shown.title}\n\n{caught} of {len(shown.rows)} are caught.\n\n{markdown(shown)}"


def _ship(kills: int, broken: int, shown: ProofTable, defects: ProofTable | None, caught: int) -> None:
    """The figures for the page of a running engine. A run without the hunt leaves the last one's table there, too."""
    folder = folder_beside(PAGE)
    if folder is None:
        return
    facts = [
        ProofFact(label="processes killed", value=f"{kills:,}"),
        ProofFact(label="worlds with any law broken", value=str(broken), good=not broken),
    ]
    if defects is None:
        for old in read_sheets(folder):
            if old.name == NAME:
                facts += old.facts[2:]
                defects = next(iter(old.tables[1:]), None)
    else:
        number = len(defects.rows)
        facts.append(ProofFact(label="defects caught", value=f"{caught} of {number}", good=caught == number))
    tables = (shown,) if defects is None else (shown, defects)
    sheet = ProofSheet(name=NAME, title=shown.title, text=TEXT, command=COMMAND, facts=tuple(facts), tables=tables)
    write_sheet(folder, sheet)


def _write(text: str, defects: str) -> None:
    whole = PAGE.read_text(encoding="utf-8")
    if BEGIN in whole:
        head, _, rest = whole.partition(BEGIN)
        old, _, tail = rest.partition(END)
    else:
        head, old, tail = whole.rstrip("\n") + "\n\n", "", "\n"
    if not defects and "### Deliberate" in old:
        # A run without the hunt leaves the last one's table.
        defects = "\n### Deliberate" + old.partition("### Deliberate")[2].rstrip("\n") + "\n"
    PAGE.write_text(f"{head}{BEGIN}\n\n## Orders and stops\n\n{text}{defects}\n{END}{tail}", encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=10_000, help="processes to kill, a third in worlds of each kind")
    parser.add_argument("--mutants", action="store_true", help="hunt the deliberate defects, too")
    parser.add_argument("--report", action="store_true", help="write the figures into docs/reliability.md")
    options = parser.parse_args()
    began = time.process_time()
    part = -(-options.kills // 3)
    of_brackets = brackets(part, bracket_world.live_through, "brackets")
    tallies = (orders(part), of_brackets, brackets(part, people_world.live_through, "people"))
    broken = [line for tally in tallies for line in tally.broken]
    kills = sum(tally.process_kills for tally in tallies)
    shown = _table(tallies)
    text = _figures(shown, of_brackets.recovery_s, time.process_time() - began)
    print(text)
    for line in broken[:20]:
        print(line, file=sys.stderr)
    rows: list[Found] = []
    if options.mutants:
        rows = hunt(test_order_mutants.MUTANTS, order_world)
        rows += hunt(bracket_mutants.MUTANTS, bracket_world.live_through)
        rows += hunt(test_people_worlds.MUTANTS, people_world.live_through, test_people_worlds.SEEDS)
    if options.report:
        defects = _caught(rows) if rows else None
        caught = sum(seed is not None for _, _, seed, _ in rows)
        _write(text, "" if defects is None else _defects(defects, caught))
        _ship(kills, len(broken), shown, defects, caught)
        print(f"wrote {PAGE}")
    return 1 if broken or any(seed is None for _, _, seed, _ in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
