"""The house makes trading more careful when it is unwell, and never less."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import pytest
from trio.testing import MockClock

from actors.health import HealthActor
from genesis.core.channel import Channel, Overflow
from genesis.core.latest import Latest
from genesis.domain.health_watch import MIB, HealthWatch, Vitals
from protocols.health import HealthFinding, Notice
from protocols.risk import RiskStatus, SetTradingState, TradingState
from protocols.settings import HealthSettings, Settings
from tests.actors.deciding_stage import Listener, Stage, journal_channel, on_stage
from tests.actors.scripted_venue import eventually
from tests.web.fakes import a_risk


@attrs.define(kw_only=True)
class World:
    stage: Stage
    free_mib: float
    risk: Latest[RiskStatus | None]
    halt_wanted: Latest[SetTradingState | None]
    notices: list[Any]
    wishes: list[Any]
    view: Latest[tuple[HealthFinding, ...]]


@asynccontextmanager
async def a_world(clock: MockClock, action: str, state: TradingState = TradingState.ACTIVE) -> AsyncIterator[World]:
    clock.autojump_threshold = 0
    halts = Channel[SetTradingState]("halts", Overflow.UNBOUNDED)
    ui = Channel[Any]("ui", Overflow.DROP_OLDEST)
    heard = {"halts": Listener(), "ui": Listener()}
    watch, view = HealthWatch(), Latest[tuple[HealthFinding, ...]](())
    risk, wanted = Latest[RiskStatus | None](a_risk(state)), Latest[SetTradingState | None](None)
    settings = Latest(Settings(health=HealthSettings(disk_action=action)))
    world: World

    def vitals() -> Vitals:
        free = int(world.free_mib * MIB)
        return Vitals(disk_free_bytes=free, memory_bytes=None, journal_wait_s=0.0, loop_blocks=0)

    def start() -> HealthActor:
        return HealthActor(
            settings=settings,
            vitals=vitals,
            watch=watch,
            risk=risk,
            view=view,
            halts=halts,
            halt_wanted=wanted,
            ui=ui,
        )

    world = World(
        stage=None,  # type: ignore[arg-type]
        free_mib=10_000,
        risk=risk,
        halt_wanted=wanted,
        notices=heard["ui"].heard,
        wishes=heard["halts"].heard,
        view=view,
    )
    listeners = {"halts": (heard["halts"], halts), "ui": (heard["ui"], ui)}
    async with on_stage(start, hears=(), journal=journal_channel(), listeners=listeners) as stage:
        world.stage = stage
        yield world


@pytest.mark.parametrize(
    ("action", "wanted"), [("alarm", None), ("reduce", TradingState.REDUCING), ("halt", TradingState.HALTED)]
)
async def test_little_disk_does_what_settings_say(
    autojump_clock: MockClock, action: str, wanted: TradingState | None
) -> None:
    async with a_world(autojump_clock, action) as world:
        await eventually(lambda: bool(world.view.value))
        world.free_mib = 10
        await eventually(lambda: bool(world.notices))
        await world.stage.settled()
        assert [wish.state for wish in world.wishes] == ([] if wanted is None else [wanted])
        assert all(wish.only_tighter for wish in world.wishes)
        assert (world.halt_wanted.value is not None) == (wanted is TradingState.HALTED)
        assert isinstance(world.notices[0], Notice)
        assert world.notices[0].level == "alarm"
        world.free_mib = 10_000
        await eventually(lambda: len(world.notices) == 2)
        # Well again is no reason to trade again: a person says so.
        assert len(world.wishes) == (wanted is not None)


@pytest.mark.parametrize("action", ["reduce", "halt"])
async def test_a_halt_is_never_loosened(autojump_clock: MockClock, action: str) -> None:
    async with a_world(autojump_clock, action, TradingState.HALTED) as world:
        world.free_mib = 10
        await eventually(lambda: bool(world.notices))
        await world.stage.settled()
        assert world.wishes == []


async def test_a_crash_does_not_tell_it_again(autojump_clock: MockClock) -> None:
    async with a_world(autojump_clock, "reduce") as world:
        world.free_mib = 10
        await eventually(lambda: bool(world.notices))
        version = world.view.version
        world.stage.kill()
        await eventually(lambda: world.view.version > version + 1)
        assert len(world.notices) == 1
