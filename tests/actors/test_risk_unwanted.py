"""Entries that nobody wants any more are told to who may still hold them: at once when settings say so, and after any
crash in the words that were told before."""

import random
from typing import Any

import msgspec
import pytest
import trio

from protocols.orders import Approved
from protocols.risk import AddLock, EntryUnwanted
from protocols.settings import Settings, StrategySettings
from protocols.signals import ForeseenScores, StrategyFailed
from tests.actors.deciding_stage import Stage
from tests.actors.test_risk import World
from tests.genesis.domain.risk_world import BTC, a_score, an_account

NAMES = tuple(f"s{number}" for number in range(8))
SETTINGS = Settings(strategies=tuple([StrategySettings(name=name, symbol=BTC, timeframe="1m") for name in NAMES]))


def without(*names: str, version: int = 2) -> Settings:
    left = tuple([each for each in SETTINGS.strategies if each.name not in names])
    return msgspec.structs.replace(SETTINGS, strategies=left, version=version)


def told(world: World) -> dict[str, str]:
    """Strategy -> why its entry is unwanted; the words must be the same however often they were told."""
    words = {(each.intent_id, each.reason) for each in world.listener.heard if isinstance(each, EntryUnwanted)}
    reasons = {intent_id.partition(":")[0]: reason for intent_id, reason in words}
    assert len(reasons) == len(words)
    return reasons


def a_world() -> World:
    world = World()
    world.settings.set(SETTINGS)
    return world


async def change(world: World, stage: Stage, settings: Settings) -> None:
    world.settings.set(settings)
    # As the plan has it: whoever applies settings looks at once.
    stage.mailbox.nudge()


async def test_settings_are_heard_by_an_entry_that_waits_though_nobody_says_anything() -> None:
    world = a_world()
    async with world.run() as stage:
        world.accounts.put_nowait(an_account())
        await world.scores.put(a_score(0, "buy", strategy="s0"))
        await stage.settled()
        assert [type(each) for each in world.listener.heard] == [Approved]
        await change(world, stage, without("s0"))
        await stage.settled()
        assert told(world) == {"s0": "s0 was removed before it could leave"}


async def test_they_are_heard_beside_a_hint_too() -> None:
    world = a_world()
    async with world.run() as stage:
        world.accounts.put_nowait(an_account())
        await world.scores.put(a_score(0, "buy", strategy="s0"))
        await stage.settled()
        world.settings.set(without("s0"))
        world.hints.put_nowait(ForeseenScores(symbol=BTC, timeframe="1m", scores=(a_score(1, "buy", strategy="s1"),)))
        await stage.settled()
        assert told(world) == {"s0": "s0 was removed before it could leave"}


async def test_settings_that_changed_while_nobody_lived_are_heard_by_the_next_life() -> None:
    world = a_world()
    async with world.run() as stage:
        world.accounts.put_nowait(an_account())
        await world.scores.put(a_score(0, "buy", strategy="s0"))
        await stage.settled()
        stage.kill()
        world.settings.set(without("s0"))
        await stage.settled()
        assert told(world) == {"s0": "s0 was removed before it could leave"}


@pytest.mark.parametrize("seed", range(4))
async def test_kills_at_any_moment_lose_no_word(seed: int) -> None:
    chance = random.Random(seed)
    world = a_world()
    expected: dict[str, str] = {}
    async with world.run() as stage:
        world.accounts.put_nowait(an_account())
        await stage.settled()

        async def shake() -> None:
            for _ in range(chance.randrange(8)):
                await trio.lowlevel.checkpoint()
            if chance.random() < 0.8:
                stage.kill()

        gone: list[str] = []
        for number, name in enumerate(NAMES):
            await world.scores.put(a_score(number, "buy", strategy=name))
            await shake()
            await stage.settled()
            match number % 3:
                case 0:
                    gone.append(name)
                    await change(world, stage, without(*gone, version=2 + number))
                    expected[name] = f"{name} was removed before it could leave"
                case 1:
                    lock: Any = AddLock(
                        symbol=None, strategy=name, duration_s=None, reason="x", actor="me", correlation_id=f"l{number}"
                    )
                    world.commands.put_nowait(lock)
                    expected[name] = f"entries in {name} were locked by manual before it could leave: x"
                case _:
                    await world.scores.put(StrategyFailed(strategy=name, reason="x", correlation_id="signal"))
                    expected[name] = f"{name} failed before it could leave: x"
            await shake()
            await stage.settled()
            assert told(world) == expected
            # One waits at a time: this one's end is known.
            ended = {each.intent_id: None for each in world.listener.heard if isinstance(each, EntryUnwanted)}
            world.accounts.put_nowait(an_account(version=2 + number, closed=tuple(ended)))
            await stage.settled()
