"""Releases in a whole engine: who runs which version, a canary that is promoted or taken back, over a restart, too."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import trio

from genesis import config_history
from genesis.plan import APPLY_SETTINGS
from protocols.config import Rollback, RolloutPlan, SetSettings, SettingsApplied, StartRollout
from protocols.risk import DenialCode
from tests.house import House, house, lively_layer, piece_of

WHO: dict[str, Any] = {"actor": "tester", "reason": "a test"}


def plan(**fields: Any) -> RolloutPlan:
    given: dict[str, Any] = {
        "name": "smaller",
        "changes": {"risk.position_fraction": "0.05"},
        "symbols": ("tBTCUSD",),
        "duration_s": 1800.0,
        "min_samples": 3,
        "threshold": 0.5,
    }
    return RolloutPlan(**{**given, **fields})


async def begin(here: House, wanted: RolloutPlan) -> int:
    answer = await here.engine.set_settings(StartRollout(plan=wanted, correlation_id=f"begin-{wanted.name}", **WHO))
    assert isinstance(answer, SettingsApplied), answer
    return answer.version


async def ended(here: House) -> str:
    """Until the rollout has its verdict."""
    cell = here.engine.cells.rollout
    with trio.fail_after(60):
        while cell.value is None or not cell.value.verdict:
            await cell.changed(cell.version)
    assert cell.value is not None
    return cell.value.verdict


async def test_a_change_reaches_every_actor_although_nothing_else_happens(tmp_path: Path) -> None:
    async with house(tmp_path, recording=piece_of(minutes=5), layer=lively_layer()) as here:
        await here.ready()
        taken = here.engine.cells.settings.taken
        assert set(here.engine.readers.running()) == set(APPLY_SETTINGS)
        wish = SetSettings(changes={"risk.max_daily_loss": "0.01"}, correlation_id="set-1", **WHO)
        answer = await here.engine.set_settings(wish)
        assert isinstance(answer, SettingsApplied)
        with trio.fail_after(60):
            while {each.version for each in taken.values()} != {answer.version}:  # noqa: ASYNC110
                await trio.sleep(0.001)
        assert here.engine.readers.running() == dict.fromkeys(APPLY_SETTINGS, answer.version)
        status = here.engine.cells.risk
        with trio.fail_after(60):
            while status.value is None or status.value.settings_version != answer.version:
                await status.changed(status.version)


async def test_a_canary_that_stays_well_becomes_everybodys_setting(tmp_path: Path) -> None:
    async with house(tmp_path, recording=piece_of(minutes=90, skip=600), layer=lively_layer()) as here:
        await here.ready()
        version = await begin(here, plan())
        await here.replay()
        verdict = await ended(here)
        assert verdict.startswith("promoted: refusal_rate was 0, at most 0.5, over")
        assert here.engine.cells.settings.value.risk.position_fraction == Decimal("0.05")
        database = here.store.path
        made = config_history.trades(database, version)
        sizes = {trade.symbol: trade.quantity * trade.average_price for trade in made.trades if trade.side == "buy"}
        assert set(sizes) == {"tBTCUSD", "tETHUSD"}
        assert sizes["tBTCUSD"] < 600 < sizes["tETHUSD"], "5 % and 25 % of 10000 and what it became"
        newest = config_history.versions(database, 1)[0]
        assert (newest.author, newest.action) == ("rollout", "promote")
        assert newest.reason.startswith("rollout smaller: refusal_rate was 0")


async def test_a_canary_that_does_badly_is_taken_back_with_the_reason(tmp_path: Path) -> None:
    """Where no entry is allowed, every one of them is refused."""
    bad = plan(changes={"risk.max_trades_per_symbol": 0}, threshold=0.2, duration_s=86_400.0)
    async with house(tmp_path, recording=piece_of(minutes=90, skip=600), layer=lively_layer()) as here:
        await here.ready()
        await begin(here, bad)
        await here.replay()
        verdict = await ended(here)
        assert verdict.startswith("taken back: refusal_rate must be at most 0.2, was 1 over")
        assert here.engine.cells.settings.value.overlays == ()
        assert here.engine.cells.settings.value.risk.max_trades_per_symbol == 10_000


async def test_a_rollout_goes_on_over_a_restart_with_the_same_figures(tmp_path: Path) -> None:
    layer = lively_layer()
    async with house(tmp_path, recording=piece_of(minutes=60, skip=600), layer=layer) as here:
        await here.ready()
        await begin(here, plan(duration_s=86_400.0, min_samples=1_000_000))
        await here.replay()
        await here.all_orders_known()
        cell = here.engine.cells.rollout
        with trio.fail_after(60):
            while cell.value is None or cell.value.samples < 3:
                await cell.changed(cell.version)
            # What it says next it may have counted before; what it says after that, all of the replay is in.
            for _ in range(2):
                await cell.changed(cell.version)
        before, told = cell.value, cell.version
        assert here.engine.supervisor.kill("engine/helpers/rollout", reason="test")
        with trio.fail_after(60):
            after = await cell.changed(told)
        assert before is not None
        assert after is not None
        assert (after.samples, after.value, after.control_samples) == (
            before.samples,
            before.value,
            before.control_samples,
        )
    # A new process: the same journal, and the venue that has run on.
    async with house(tmp_path, recording=piece_of(minutes=2, skip=660), layer=layer) as here:
        cell = here.engine.cells.rollout
        with trio.fail_after(60):
            while cell.value is None or cell.value.samples < before.samples:
                await cell.changed(cell.version)
        assert cell.value.rollout == before.rollout
        assert here.engine.cells.settings.value.overlays[0].name == "smaller"


async def test_a_shadow_is_judged_beside_and_changes_no_decision(tmp_path: Path) -> None:
    shadow = plan(name="tiny", shadow=True, changes={"risk.max_trades_per_symbol": 0}, threshold=0.2, symbols=())
    async with house(tmp_path, recording=piece_of(minutes=90, skip=600), layer=lively_layer()) as here:
        await here.ready()
        version = await begin(here, shadow)
        await here.replay()
        verdict = await ended(here)
        assert verdict.startswith("taken back: refusal_rate must be at most 0.2, was 1 over")
        made = config_history.trades(here.store.path, version)
        assert made.approved > 0
        codes = {result.code for verdict in here.engine.cells.verdicts.value for result in verdict.denials}
        assert DenialCode.MAX_TRADES_PER_SYMBOL not in codes


async def test_a_rollback_takes_effect_at_once(tmp_path: Path) -> None:
    async with house(tmp_path, recording=piece_of(minutes=5), layer=lively_layer()) as here:
        await here.ready()
        await here.engine.set_settings(
            SetSettings(changes={"risk.max_daily_loss": "0.01"}, correlation_id="set-1", **WHO)
        )
        await here.engine.set_settings(Rollback(version=1, correlation_id="back", **WHO))
        assert here.engine.cells.settings.value.risk.max_daily_loss == Decimal("0.05")
