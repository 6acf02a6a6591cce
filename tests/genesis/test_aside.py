"""What trading can do without may die as often as it likes."""

import math
import random
from collections import Counter
from pathlib import Path

import pytest
import trio

from genesis.core.backoff import Backoff
from genesis.domain.decision_log import in_canonical_order
from genesis.edge.jobs import JobFolders
from genesis.engine import Restarts
from genesis.job_desk import JobHouse
from genesis.simulator.recordings import DEFAULT
from tests.house import check_books, decision_lines, house, leaves, lively_layer, piece_of

DEATHS = 40
USUAL = Restarts(backoff=Backoff(base_s=0.001, factor=1.0, cap_s=0.001))


@pytest.mark.parametrize("path", ["messages/notifier", "screens/web", "helpers/regime", "helpers/rollout"])
async def test_screens_and_messages_may_die_without_end_and_trading_goes_on(tmp_path: Path, path: str) -> None:
    """Any other branch would have given up after ten deaths in ten seconds, and the engine with it."""
    async with house(tmp_path, recording=piece_of(minutes=30), layer=lively_layer(), restarts=USUAL) as here:
        await here.ready()
        deaths = 0

        async def assassin() -> None:
            nonlocal deaths
            while deaths < DEATHS:
                deaths += here.engine.supervisor.kill(path, reason="again")
                await trio.sleep(0.002)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(assassin)
            await here.exchange.replay(math.inf, here.pacer)
        await here.all_orders_known()
        check_books(here)
        crashed = [event.path for event in here.events if event.kind.value == "crashed"]
        assert {one.removeprefix("engine/") for one in crashed} == {path}
        assert here.engine.cells.orders.value.fills_total > 0


ASIDE = ("engine/helpers/", "engine/messages/", "engine/screens/")


def some_jobs(directory: Path) -> JobHouse:
    """With them the scheduler and the jobs actor are there, too."""
    return JobHouse(
        folders=JobFolders(directory / "reports"),
        data_folder=directory / "data",
        market=DEFAULT,
        wall_ms=lambda: 0,
        strategies_folder=directory / "strategies",
    )


async def a_run(directory: Path, seed: int | None) -> tuple[list[bytes], Counter[str], int]:
    """(what was decided, who died how often, fills); with a seed whoever stands aside is killed all the while."""
    recording, layer = piece_of(minutes=30, skip=600), lively_layer()
    async with house(directory, recording=recording, layer=layer, restarts=USUAL, jobs=some_jobs(directory)) as here:
        await here.ready()
        aside = [path for path in leaves(here.engine) if f"engine/{path}".startswith(ASIDE)]
        assert {path.rpartition("/")[2] for path in aside} >= {"notifier", "scheduler", "web", "health", "jobs"}
        async with trio.open_nursery() as nursery:

            async def assassin(chance: random.Random) -> None:
                while True:
                    # One, some, or all of them in the same moment.
                    for path in chance.sample(aside, chance.choice((1, 2, len(aside)))):
                        here.engine.supervisor.kill(path, reason="again")
                    await trio.sleep(chance.uniform(0.0, 0.004))

            if seed is not None:
                nursery.start_soon(assassin, random.Random(seed))
            await here.exchange.replay(math.inf, here.pacer)
            nursery.cancel_scope.cancel()
        await here.all_orders_known()
        check_books(here)
        deaths = Counter(event.path for event in here.events if event.kind.value == "crashed")
        return in_canonical_order(decision_lines(here.store.store)), deaths, here.engine.cells.orders.value.fills_total


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_whatever_dies_beside_trading_not_one_decision_differs(tmp_path: Path) -> None:
    """Each of them dies far more often than any branch of trading could bear: ten deaths in ten seconds end that."""
    for name in ("calm", "1", "2"):
        await trio.Path(tmp_path / name).mkdir()
    calm, nobody, fills = await a_run(tmp_path / "calm", None)
    assert not nobody
    assert fills > 5
    for seed in (1, 2):
        lines, deaths, again = await a_run(tmp_path / str(seed), seed)
        assert all(path.startswith(ASIDE) for path in deaths)
        assert min(deaths.values()) > 10, deaths
        assert len(deaths) >= 7
        assert (lines, again) == (calm, fills)
