"""What trading can do without may die as often as it likes."""

import math
from pathlib import Path

import pytest
import trio

from genesis.core.backoff import Backoff
from genesis.engine import Restarts
from tests.house import check_books, house, lively_layer, piece_of

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
