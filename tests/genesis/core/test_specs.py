"""Specs that cannot be right are refused before anything starts: OTP's sup_flags and child_specs."""

import math
import random
from collections.abc import Callable
from typing import Any

import pytest

from genesis.core.clock import TrioClock
from genesis.core.errors import BadSpec
from genesis.core.mailbox import Channel, Mailbox, Overflow
from genesis.core.supervisor import AutoShutdown, ChildSpec, Restart, Supervisor, SupervisorSpec


class Nobody:
    async def run(self, ctx: object) -> None:
        raise AssertionError("must not start")


def child(**spec: Any) -> ChildSpec:
    return ChildSpec(**{"id": "a", "start": Nobody, **spec})


def top(*children: ChildSpec | SupervisorSpec, **spec: Any) -> SupervisorSpec:
    return SupervisorSpec(**{"id": "top", "children": children, **spec})


def build(spec: SupervisorSpec) -> Supervisor:
    return Supervisor(spec, clock=TrioClock(), chance=random.Random(1), on_event=lambda _: None)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: top(id=""), "id at  must be text without a slash, was ''"),
        (lambda: top(id="a/b"), "was 'a/b'"),
        (lambda: top(child(id="x/y")), "id at top/x/y must be text without a slash"),
        (lambda: top(child(), child()), "ids below top must differ, was 'a' twice"),
        (lambda: top(intensity=-1), "intensity of top must be a whole number and at least 0, was -1"),
        (lambda: top(intensity=True), "was True"),
        (lambda: top(intensity=1.5), "was 1.5"),
        (lambda: top(period_s=0), "period_s of top must be above 0, was 0"),
        (lambda: top(period_s=math.nan), "period_s of top must be above 0, was nan"),
        (lambda: top(max_consecutive=0), "max_consecutive of top must be at least 1, was 0"),
        (lambda: top(stable_after_s=-1), "stable_after_s of top must be at least 0, was -1"),
        (lambda: top(strategy="one_for_one"), "strategy of top must be one of Strategy, was 'one_for_one'"),
        (lambda: top(auto_shutdown=1), "auto_shutdown of top must be one of AutoShutdown, was 1"),
        (lambda: top(child(restart="permanent")), "restart of top/a must be one of Restart, was 'permanent'"),
        (lambda: top(child(shutdown_s=0)), "shutdown_s of top/a must be above 0, was 0"),
        (lambda: top(child(shutdown_s=math.nan)), "shutdown_s of top/a must be above 0, was nan"),
        (lambda: top(child(start_timeout_s=0)), "start_timeout_s of top/a must be above 0, was 0"),
        (lambda: top(child(progress_timeout_s=0)), "progress_timeout_s of top/a must be above 0 or None, was 0"),
        (lambda: top(child(start="Nobody")), "start of top/a must be callable, was 'Nobody'"),
        (
            lambda: top(child(significant=True, restart=Restart.TRANSIENT)),
            "auto_shutdown of top must not be NEVER while top/a is significant",
        ),
        (
            lambda: top(child(significant=True), auto_shutdown=AutoShutdown.ANY_SIGNIFICANT),
            "restart of top/a must be TRANSIENT or TEMPORARY to be significant, was PERMANENT",
        ),
        (lambda: top(top(child(shutdown_s=-1), id="in")), "shutdown_s of top/in/a must be above 0, was -1"),
        (lambda: top(top(id="in", intensity=-2)), "intensity of top/in must be"),
    ],
)
def test_a_spec_that_cannot_be_right_is_refused(make: Callable[[], SupervisorSpec], words: str) -> None:
    with pytest.raises(BadSpec) as caught:
        build(make())
    assert words in str(caught.value)


def test_two_actors_cannot_share_a_mailbox() -> None:
    mailbox = Mailbox("m", [Channel[int]("c", Overflow.FAIL)])
    with pytest.raises(BadSpec, match="mailbox m must have one actor, was given to two"):
        build(top(child(mailbox=mailbox), top(child(mailbox=mailbox), id="in")))


def test_a_channel_has_one_mailbox() -> None:
    channel = Channel[int]("c", Overflow.FAIL)
    Mailbox("m", [channel])
    with pytest.raises(ValueError, match="c must have one consumer, was given a second"):
        Mailbox("n", [channel])


@pytest.mark.parametrize(
    "spec",
    [
        top(),
        top(child(shutdown_s=math.inf, progress_timeout_s=None), intensity=0),
        top(child(), top(child(), id="b")),
        top(child(significant=True, restart=Restart.TEMPORARY), auto_shutdown=AutoShutdown.ALL_SIGNIFICANT),
    ],
)
def test_a_spec_that_can_be_right_is_taken(spec: SupervisorSpec) -> None:
    assert build(spec).idle()
