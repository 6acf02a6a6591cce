"""Significant children: whose end ends their supervisor. OTP's auto_shutdown cases."""

from typing import Any

import pytest
from trio.testing import MockClock

from genesis.core.backoff import IMMEDIATE
from genesis.core.supervisor import AutoShutdown, Restart, Strategy, SupervisorSpec
from tests.genesis.core.stage import Stage

ANY, ALL = AutoShutdown.ANY_SIGNIFICANT, AutoShutdown.ALL_SIGNIFICANT
TR, TE = Restart.TRANSIENT, Restart.TEMPORARY


def spec(stage: Stage, auto: AutoShutdown, significant: str, plain: str = "p", **rest: Any) -> SupervisorSpec:
    restart = rest.pop("child_restart", TR)
    children = (
        *stage.children(plain, restart=restart),
        *stage.children(significant, restart=restart, significant=True),
    )
    return SupervisorSpec(**{"id": "top", "intensity": 9, "auto_shutdown": auto, "children": children, **rest})


@pytest.mark.parametrize("auto", [ANY, ALL])
@pytest.mark.parametrize("restart", [TR, TE])
async def test_the_end_of_the_only_significant_child_ends_the_supervisor_normally(
    stage: Stage, auto: AutoShutdown, restart: Restart, autojump_clock: MockClock
) -> None:
    async with stage.runs(spec(stage, auto, "s", "p q", child_restart=restart)):
        stage.fresh_log()
        await stage.end("s")
        assert stage.ended.is_set()
        assert stage.log == ["-s", "-q", "-p"]
    assert stage.failure is None


@pytest.mark.parametrize("auto", [ANY, ALL])
@pytest.mark.parametrize("restart", [TR, TE])
async def test_the_end_of_an_insignificant_child_ends_nothing(
    stage: Stage, auto: AutoShutdown, restart: Restart, autojump_clock: MockClock
) -> None:
    async with stage.runs(spec(stage, auto, "s", child_restart=restart)):
        await stage.end("p")
        assert not stage.ended.is_set()


async def test_any_means_the_first_and_all_means_the_last(stage: Stage, autojump_clock: MockClock) -> None:
    async with stage.runs(spec(stage, ALL, "s t u")):
        for name in "st":
            await stage.end(name)
            assert not stage.ended.is_set()
        await stage.end("u")
        assert stage.ended.is_set()


async def test_any_means_the_first(stage: Stage, autojump_clock: MockClock) -> None:
    async with stage.runs(spec(stage, ANY, "s t u")):
        await stage.end("t")
        assert stage.ended.is_set()


@pytest.mark.parametrize(("restart", "ends"), [(TR, False), (TE, True)])
async def test_a_crash_ends_it_only_if_it_means_no_restart(
    stage: Stage, restart: Restart, ends: bool, autojump_clock: MockClock
) -> None:
    async with stage.runs(spec(stage, ANY, "s", child_restart=restart)):
        await stage.crash("s")
        assert stage.ended.is_set() is ends
    assert stage.failure is None


@pytest.mark.parametrize("strategy", [Strategy.ONE_FOR_ALL, Strategy.REST_FOR_ONE])
async def test_being_taken_down_by_a_sibling_does_not_count(
    stage: Stage, strategy: Strategy, autojump_clock: MockClock
) -> None:
    """Only a child's own ending counts: the temporary one is forgotten, the supervisor stays."""
    children = (
        stage.child("p"),
        stage.child("s", restart=TE, significant=True),
    )
    async with stage.runs(SupervisorSpec(id="top", strategy=strategy, auto_shutdown=ANY, children=children)) as top:
        await stage.crash("p")
        assert not stage.ended.is_set()
        assert [child.name for child in top.tree().children] == ["p"]


async def test_one_that_is_between_two_lives_still_counts_as_active(stage: Stage, autojump_clock: MockClock) -> None:
    from genesis.core.backoff import Backoff

    patient = Backoff(base_s=9, cap_s=9, jitter=0, free=0)
    children = (
        stage.child("s", restart=TR, significant=True, backoff=patient),
        stage.child("t", restart=TR, significant=True),
    )
    async with stage.runs(SupervisorSpec(id="top", auto_shutdown=ALL, children=children)):
        await stage.crash("s")
        await stage.end("t")
        assert not stage.ended.is_set()


@pytest.mark.parametrize(("restart", "comes_back"), [(Restart.PERMANENT, True), (TR, False), (TE, False)])
async def test_for_the_parent_it_is_a_normal_end(
    stage: Stage, restart: Restart, comes_back: bool, autojump_clock: MockClock
) -> None:
    """nested supervisors: a permanent one is started again, a transient one is done."""
    branch = SupervisorSpec(
        id="in",
        auto_shutdown=ANY,
        restart=restart,
        backoff=IMMEDIATE,
        children=stage.children("s", restart=TR, significant=True),
    )
    async with stage.runs(SupervisorSpec(id="top", children=(stage.child("a"), branch))):
        await stage.end("s")
        assert ("s" in stage.alive) is comes_back
    assert stage.failure is None


async def test_a_significant_supervisor_ends_its_parent(stage: Stage, autojump_clock: MockClock) -> None:
    """significant_supervisor: the end climbs as far as significance goes."""
    branch = SupervisorSpec(
        id="in",
        auto_shutdown=ANY,
        restart=TR,
        significant=True,
        children=stage.children("s", restart=TR, significant=True),
    )
    async with stage.runs(SupervisorSpec(id="top", auto_shutdown=ANY, children=(stage.child("a"), branch))):
        stage.fresh_log()
        await stage.end("s")
        assert stage.ended.is_set()
        assert stage.log == ["-s", "-a"]
    assert stage.failure is None
