"""The whole engine against the simulator over real sockets: it trades, it survives its actors, it stops in order."""

import math
import random
from pathlib import Path

import pytest
import trio

from actors.risk import ORDER, beside
from genesis.core.errors import ChannelFull
from genesis.core.mailbox import DeadLetter
from genesis.core.specs import ChildSpec, SupervisorSpec
from genesis.core.supervisor import EventKind
from genesis.domain.decision_log import digest
from genesis.research.backtest import run_backtest
from protocols.risk import SetPaused, TradingState
from tests.house import House, check_books, decision_lines, house, leaves, lively_layer, piece_of, settings_of

KILLS_A_SEED = 250
SEEDS = range(8)


def decisions(here: House) -> list[bytes]:
    return decision_lines(here.store.store)


async def test_a_simulation_decides_byte_for_byte_what_the_backtest_decides(tmp_path: Path) -> None:
    recording, layer = piece_of(minutes=90, skip=600), lively_layer()
    async with house(tmp_path, recording=recording, layer=layer) as here:
        await here.replay()
        await here.all_orders_known()
        check_books(here)
        lines = decisions(here)
    result = run_backtest(recording, settings_of(layer))
    assert result.orders > 20
    assert digest(lines) == result.digest


async def test_two_runs_from_one_seed_decide_the_same(tmp_path: Path) -> None:
    recording, layer = piece_of(minutes=30), lively_layer()
    digests = []
    for number in range(2):
        directory = tmp_path / str(number)
        directory.mkdir()
        async with house(directory, recording=recording, layer=layer, seed=7) as here:
            await here.replay()
            digests.append(digest(decisions(here)))
    assert digests[0] == digests[1]


@pytest.mark.parametrize("seed", SEEDS)
async def test_nothing_is_lost_or_doubled_whoever_is_killed_when(tmp_path: Path, seed: int) -> None:
    """2,000 kills over all seeds, of every actor, at moments between any two steps of the loop."""
    chance = random.Random(f"kills-{seed}")
    recording, layer = piece_of(minutes=60, skip=120 * seed), lively_layer()
    killed: dict[str, int] = {}
    async with house(tmp_path, recording=recording, layer=layer, seed=seed) as here:
        await here.ready()
        paths = leaves(here.engine)
        assert beside("trading/risk", ORDER) in paths

        async def assassin() -> None:
            while sum(killed.values()) < KILLS_A_SEED:
                # Kills fall between any two steps of the loop: a few checkpoints, sometimes a pause.
                for _ in range(chance.randrange(60)):
                    await trio.lowlevel.checkpoint()
                if chance.random() < 0.3:
                    await trio.sleep(chance.random() * 0.06)
                path = chance.choice(paths)
                if here.engine.supervisor.kill(path, reason=f"seed {seed}"):
                    killed[path] = killed.get(path, 0) + 1

        async with trio.open_nursery() as nursery:
            nursery.start_soon(assassin)
            with trio.fail_after(120):
                await here.exchange.replay(math.inf, here.pacer)
                # The assassin goes on until it has done its number.
        with trio.fail_after(60):
            await here.all_orders_known()
            await here.pacer.settled()
        check_books(here)
        assert not here.engine.supervisor.dead_letters
        assert len(killed) == len(paths)
        crashes = sum(event.kind is EventKind.CRASHED for event in here.events)
        assert crashes >= KILLS_A_SEED
        assert here.engine.cells.orders.value.orders_total > 5


async def test_a_halt_after_a_dead_letter_is_taken_although_risk_has_no_room_for_commands(tmp_path: Path) -> None:
    recording, layer = piece_of(minutes=5), lively_layer()
    async with house(tmp_path, recording=recording, layer=layer) as here:
        await here.ready()
        channels, cells = here.engine.channels, here.engine.cells
        noise = SetPaused(paused=False, reason="noise", actor="test", correlation_id="noise")
        with pytest.raises(ChannelFull):
            while True:
                channels.risk_commands.put_nowait(noise)
        alarm = here.engine.plan.mailboxes["account"].alarm
        assert alarm is not None
        alarm(DeadLetter(mailbox="account", channel="balances", message=noise, attempts=3, error="broken"))
        # From this very moment the order actor sends no new risk.
        wanted = cells.halt_wanted
        assert wanted.value is not None
        with trio.fail_after(60):
            await wanted.changed(wanted.version)
        status = cells.risk.value
        assert status is not None
        assert (status.state, status.reason) == (TradingState.HALTED, "dead letter on balances")


async def test_whoever_reads_books_of_years_at_a_start_has_the_time_for_it(tmp_path: Path) -> None:
    """Half a minute is enough for everybody else. On a busy machine the order actor took longer to read 20,000 orders
    and 100,000 trades, and the engine did not start at all."""
    async with house(tmp_path, recording=piece_of(minutes=5), layer=lively_layer()) as here:
        trading = {child.spec.id: child.spec for child in here.engine.supervisor._children}["trading"]
        assert isinstance(trading, SupervisorSpec)
        given = {child.id: child.start_timeout_s for child in trading.children if isinstance(child, ChildSpec)}
        assert min(given[name] for name in ("account", "order", "risk")) >= 300.0
        assert given["signal"] == 30.0
