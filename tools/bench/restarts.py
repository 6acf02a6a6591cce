"""How long an actor is away when it is killed while the engine trades: from its crash until it is ready again.

    python -m tools.bench.restarts [rounds]

A whole engine trades a piece of a recording over real sockets against the embedded exchange. Each round is a run in
which actors are killed one after the other at seeded moments, each when the one before is back. The pause before a
restart is left out, since it is chosen and not measured: an engine has none after the first failure, later up to 20 s.
"""

import math
import random
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import trio

from genesis.core.backoff import IMMEDIATE
from genesis.core.supervisor import EventKind, SupervisorEvent
from genesis.engine import Restarts
from tests.house import House, house, leaves, lively_layer, piece_of

KILLS = 300
GAP_S = 0.02
UNBOUNDED = Restarts(intensity=10_000, max_consecutive=10_000, backoff=IMMEDIATE)


def away_s(events: Iterable[SupervisorEvent]) -> dict[str, list[float]]:
    """Seconds from CRASHED to the next READY without the pause, by path. Crashes between are part of one absence."""
    crashed: dict[str, float] = {}
    found: defaultdict[str, list[float]] = defaultdict(list)
    for event in events:
        if event.kind is EventKind.CRASHED:
            crashed.setdefault(event.path, event.at_s)
        elif event.kind is EventKind.BACKING_OFF and event.path in crashed:
            crashed[event.path] += event.delay_s
        elif event.kind is EventKind.READY and event.path in crashed:
            found[event.path].append(event.at_s - crashed.pop(event.path))
    return found


async def back(here: House, path: str, since: int) -> None:
    # A look now and then costs the engine less than a listener that wakes at every event.
    while not any(event.path.endswith(path) and event.kind is EventKind.READY for event in here.events[since:]):  # noqa: ASYNC110
        await trio.sleep(0.001)


async def one_run(seed: int) -> dict[str, list[float]]:
    chance = random.Random(seed)  # noqa: S311 - chosen to be had again
    recording = piece_of(minutes=720, skip=720 * (seed % 4))
    with tempfile.TemporaryDirectory() as directory:
        async with house(
            Path(directory), recording=recording, layer=lively_layer(), seed=seed, restarts=UNBOUNDED
        ) as here:
            await here.ready()
            paths = leaves(here.engine)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(here.exchange.replay, math.inf, here.pacer)
                for _ in range(KILLS):
                    await trio.sleep(chance.expovariate(1 / GAP_S))
                    path, before = chance.choice(paths), len(here.events)
                    if here.engine.supervisor.kill(path, reason="measured"):
                        with trio.move_on_after(2):
                            await back(here, path, before)
                nursery.cancel_scope.cancel()
            return away_s(here.events)


def row(name: str, times: Sequence[float]) -> str:
    ordered = sorted(times)
    p50, p99 = (ordered[min(len(ordered) - 1, int(len(ordered) * part))] for part in (0.5, 0.99))
    return f"{name:<22}{len(ordered):>7}{p50 * 1e3:>10.2f}{p99 * 1e3:>10.2f}{ordered[-1] * 1e3:>10.2f}"


def main() -> int:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    times: defaultdict[str, list[float]] = defaultdict(list)
    for seed in range(rounds):
        for path, found in trio.run(one_run, seed).items():
            times[path.rsplit("/", 1)[-1]].extend(found)
    print(f"{'crash to ready, ms':<22}{'kills':>7}{'p50':>10}{'p99':>10}{'max':>10}")
    for name in sorted(times):
        print(row(name, times[name]))
    print(row("all", [each for found in times.values() for each in found]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
