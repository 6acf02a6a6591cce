"""How a rollout ends when what it would become no longer fits, or cannot be kept."""

import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from actors import rollout
from actors.rollout import ASK_AGAIN_S, RolloutActor
from genesis import config_history
from genesis.core.backoff import IMMEDIATE
from genesis.core.latest import Latest
from genesis.core.mailbox import Mailbox
from genesis.core.supervisor import ChildSpec
from genesis.edge import store as store_module
from protocols.account import AccountView
from protocols.config import (
    FeatureFlag,
    Metric,
    RolloutPlan,
    RolloutStatus,
    SetFlag,
    SettingsApplied,
    StartRollout,
)
from protocols.journal import ReadRecords
from protocols.risk import RiskStatus
from tests.actors.test_config import House, a_house
from tests.web.fakes import an_account

TREND: dict[str, Any] = {"name": "trend", "kind": "ema_cross", "symbol": "tBTCUSD", "timeframe": "5m"}
SWING: dict[str, Any] = {"name": "swing", "kind": "ema_cross", "symbol": "tBTCUSD", "timeframe": "1m"}


@attrs.define(kw_only=True)
class Watched:
    """A rollout actor beside a config actor."""

    status: Latest[RolloutStatus | None] = attrs.field(factory=lambda: Latest(None))

    def beside(self, house: House) -> ChildSpec:
        account = AccountView(
            state=an_account(),
            curve=(),
            trades=(),
            fills=(),
            performance=None,
        )
        risk: Latest[RiskStatus | None] = Latest(None)
        mailbox = Mailbox("rollout", [])
        house.view.on_set = mailbox.nudge

        def start() -> RolloutActor:
            return RolloutActor(
                view=house.view,
                journal=house.journal,
                commands=house.commands,
                account=Latest(account),
                risk=risk,
                status=self.status,
            )

        return ChildSpec(id="rollout", start=start, mailbox=mailbox, backoff=IMMEDIATE)


@pytest.fixture(autouse=True)
def wall_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wall follows the virtual clock."""
    monkeypatch.setattr(time, "time", lambda: 1_800_000_000 + trio.current_time())


def who(what: str) -> dict[str, Any]:
    return {"actor": "anna", "reason": "a test", "correlation_id": what}


def plan(**changes: Any) -> RolloutPlan:
    return RolloutPlan(
        name="fewer", changes=changes, metric=Metric.LOSS, threshold=0.01, duration_s=60.0, min_samples=0
    )


async def test_what_no_longer_fits_when_it_shall_be_promoted_is_taken_back_with_the_reason(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    assert autojump_clock.rate == 0
    database = tmp_path / "test.sqlite"
    watched = Watched()
    async with a_house(database, beside=watched.beside) as house:
        assert isinstance(await house.set({"strategies": [TREND, SWING]}, correlation_id="two"), SettingsApplied)
        begin = StartRollout(plan=plan(strategies=[TREND]), **who("begin"))
        assert isinstance(await house.ask(begin), SettingsApplied)
        # Good while swing is there, which the rollout would take away.
        flag = FeatureFlag(name="small", values={"risk.position_fraction": "0.05"}, strategies=("swing",))
        assert isinstance(await house.ask(SetFlag(name="small", flag=flag, **who("flag"))), SettingsApplied)
        await trio.sleep(300)
        assert house.view.value.rollout is None
        assert [each.name for each in house.settings.value.strategies] == ["trend", "swing"]
        assert watched.status.value is not None
        verdict = watched.status.value.verdict
        assert verdict.startswith("taken back: loss was 0, at most 0.01"), verdict
        assert "cannot be promoted: flags.small.strategies must be one of" in verdict
        lines = [each for each in config_history.trail(database, 100) if each.actor == "rollout"]
        assert [(each.action, each.outcome) for each in lines] == [("revert", "applied"), ("EndRollout", "refused")]


async def test_a_promotion_that_the_disk_has_no_room_for_waits_for_room(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert autojump_clock.rate == 0
    watched = Watched()
    async with a_house(tmp_path / "test.sqlite", beside=watched.beside) as house:
        change = {"risk.position_fraction": "0.05"}
        assert isinstance(await house.ask(StartRollout(plan=plan(**change), **who("begin"))), SettingsApplied)
        with monkeypatch.context() as full:
            full.setattr(store_module, "KEPT_FOR_ORDERS", 1 << 60)
            house.told()
            await trio.sleep(60 + 3.5 * ASK_AGAIN_S)
            assert [notice.code for notice in house.told()] == ["settings_not_kept"] * 4
        await trio.sleep(ASK_AGAIN_S)
        assert house.view.value.rollout is None
        assert house.settings.value.risk.position_fraction == Decimal("0.05")


async def test_a_journal_in_which_nothing_moves_is_not_read_at_every_look(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was read twice a second for as long as a rollout ran, weeks perhaps, beside the orders' own commits."""
    assert autojump_clock.rate == 0
    asked, read = list[float](), ReadRecords

    def counted(**fields: Any) -> Any:
        asked.append(trio.current_time())
        return read(**fields)

    monkeypatch.setattr(rollout, "ReadRecords", counted)
    watched = Watched()
    async with a_house(tmp_path / "test.sqlite", beside=watched.beside) as house:
        begin = StartRollout(plan=plan(**{"risk.position_fraction": "0.05"}), **who("begin"))
        assert isinstance(await house.ask(begin), SettingsApplied)
        await trio.sleep(5)
        asked.clear()
        await trio.sleep(50)
        assert 5 <= len(asked) <= 11
        await trio.sleep(10)
        # What time alone decides comes in its time.
        assert watched.status.value is not None
        assert watched.status.value.verdict.startswith("promoted")
