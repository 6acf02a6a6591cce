"""The crier: one task for all clients, a little at a time, and nobody while an order may be on its way."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import attrs
import msgspec
import pytest
import trio
import trio.testing
from trio.testing import MockClock

from web.crier import BREATH_S, LOOK_S, ROUND_GAP_S, SLICE_S, Crier
from web.hub import QUIET_S, ROW_LIMIT, Hub, Subscriber

WRITE_S = SLICE_S / 2
"""What telling one client takes here."""


@attrs.define(eq=False)
class Ear:
    """Notes what it hears and when; hearing takes its time, as writing into a socket does."""

    clock: MockClock
    on_hear: Callable[[], None] = lambda: None
    heard: list[bytes] = attrs.field(factory=list)
    at_s: list[float] = attrs.field(factory=list)
    looks: int = 0

    def hear(self, messages: bytes) -> None:
        self.at_s.append(trio.current_time())
        self.heard.append(messages)
        self.clock.jump(WRITE_S)
        self.on_hear()

    def look(self) -> None:
        self.looks += 1

    @property
    def data(self) -> list[Any]:
        return [message["data"] for part in self.heard for message in msgspec.json.decode(b"[%b]" % part)]


def a_client(hub: Hub, ear: Ear, *topics: str) -> Subscriber:
    subscriber = Subscriber(ear=ear)
    subscriber.topics.update(topics)
    hub.add(subscriber)
    return subscriber


@asynccontextmanager
async def crying(hub: Hub) -> AsyncIterator[None]:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(Crier(hub).run)
        yield
        nursery.cancel_scope.cancel()


async def test_between_a_few_clients_and_the_next_everybody_else_has_the_loop(autojump_clock: MockClock) -> None:
    hub = Hub()
    ears = [Ear(autojump_clock) for _ in range(50)]
    for ear in ears:
        a_client(hub, ear, "ticker")
    async with crying(hub):
        hub.publish("ticker", 1, key="BTC")
        await trio.sleep(1)
    times = sorted(ear.at_s[0] for ear in ears)
    stretch = 0.0
    for before, after in pairwise(times):
        stretch = stretch + WRITE_S if after - before < BREATH_S else 0.0
        assert stretch <= SLICE_S, "so long is a market's frame kept waiting"
    assert times[-1] - times[0] > 10 * BREATH_S


async def test_an_order_on_its_way_stops_the_crier_in_the_middle_of_his_round(autojump_clock: MockClock) -> None:
    hub = Hub()
    ears = [Ear(autojump_clock) for _ in range(30)]
    for ear in ears:
        a_client(hub, ear, "ticker")
    hushed: list[float] = []

    def hush() -> None:
        hushed.append(trio.current_time())
        hub.hush(trio.current_time())

    ears[9].on_hear = hush
    async with crying(hub):
        hub.publish("ticker", 1, key="BTC")
        await trio.sleep(1)
    later = [ear.at_s[0] for ear in ears if ear.at_s[0] > hushed[0] + SLICE_S]
    assert len(later) >= 15
    assert min(later) >= hushed[0] + QUIET_S


async def test_a_hush_that_becomes_longer_is_waited_for(autojump_clock: MockClock) -> None:
    hub = Hub()
    hub.hush(trio.current_time())
    began = trio.current_time()
    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def decide() -> None:
            await trio.sleep(QUIET_S / 2)
            hub.hush(trio.current_time())

        await hub.quiet_over()
        assert trio.current_time() == pytest.approx(began + 1.5 * QUIET_S)


async def test_who_is_held_hears_nothing_and_then_the_newest_while_others_hear_everything(
    autojump_clock: MockClock,
) -> None:
    hub = Hub()
    quick, slow = Ear(autojump_clock), Ear(autojump_clock)
    a_client(hub, quick, "ticker")
    held = a_client(hub, slow, "ticker")
    held.hold()
    async with crying(hub):
        for number in range(3):
            hub.publish("ticker", number, key="BTC")
            await trio.sleep(2 * ROUND_GAP_S)
        assert (quick.data, slow.data) == ([0, 1, 2], [])
        held.tell(b'{"data":"answer"}')
        held.release()
        await trio.sleep(2 * ROUND_GAP_S)
    assert slow.data == ["answer", 2]


async def test_an_answer_does_not_wait_for_a_round(autojump_clock: MockClock) -> None:
    hub = Hub()
    ears = [Ear(autojump_clock) for _ in range(200)]
    clients = [a_client(hub, ear, "ticker") for ear in ears]
    async with crying(hub):
        hub.publish("ticker", 1, key="BTC")
        await trio.sleep(0.01)
        hub.publish("ticker", 2, key="BTC")
        asked = trio.current_time()
        clients[-1].tell(b'{"data":"answer"}')
        await trio.sleep(1)
    assert ears[-1].at_s[0] - asked < 3 * BREATH_S
    assert ears[-1].data == ["answer", 2], "and brings along what is new; nothing is told twice"
    assert ears[0].data == [1, 2]


async def test_more_than_a_frame_holds_goes_on_in_the_next_round(autojump_clock: MockClock) -> None:
    hub = Hub()
    ear = Ear(autojump_clock)
    a_client(hub, ear, "trade")
    async with crying(hub):
        for number in range(450):
            hub.publish("trade", number)
        await trio.sleep(1)
    assert ear.data == list(range(450))
    assert len(ear.heard) == 3


async def test_everybody_is_looked_at_in_time_and_who_has_gone_hears_nothing(autojump_clock: MockClock) -> None:
    hub = Hub()
    ears = [Ear(autojump_clock) for _ in range(70)]
    clients = [a_client(hub, ear, "ticker") for ear in ears]
    async with crying(hub):
        await trio.sleep(2 * LOOK_S + 1)
        assert min(ear.looks for ear in ears) >= 2
        hub.remove(clients[3])
        hub.publish("ticker", 1, key="BTC")
        await trio.sleep(1)
    assert [bool(ear.heard) for ear in ears].count(False) == 1
    assert not ears[3].heard


def test_clients_that_differ_in_nothing_share_what_is_put_together() -> None:
    hub = Hub()
    one, same, other = (Subscriber(topics={"trade", "ticker"}) for _ in range(3))
    for subscriber in (one, same, other):
        hub.add(subscriber)
    other.places["trade"] = {("ETH",)}
    hub.publish("trade", 1, place=("BTC",))
    hub.publish("ticker", 2, key="BTC")
    row = hub.row()
    assert one.part(row) is same.part(row)
    assert msgspec.json.decode(other.part(row))["data"] == 2


def test_a_round_that_is_older_than_the_row_tells_what_it_has_and_nothing_is_counted_that_it_tells() -> None:
    hub = Hub()
    slow = Subscriber(topics={"trade"}, limit=2 * ROW_LIMIT)
    hub.add(slow)
    for number in range(ROW_LIMIT + 2):
        hub.publish("trade", number)
    row = hub.row()
    for number in range(100):
        hub.publish("trade", number)
    told = msgspec.json.decode(b"[%b]" % slow.part(row))
    assert [message["data"] for message in told[:3]] == [2, 2, 3], (
        "two are lost; the next are in the round, if not kept"
    )
    assert slow.missed_total == 2


@pytest.mark.parametrize("told", [False, True])
def test_who_was_answered_since_a_round_began_hears_nothing_of_it_twice(told: bool) -> None:
    hub = Hub()
    subscriber = Subscriber(topics={"trade"})
    hub.add(subscriber)
    hub.publish("trade", 1)
    row = hub.row()
    hub.publish("trade", 2)
    assert len(subscriber.take()) == 2
    if told:
        subscriber.tell(b"{}")
    assert subscriber.part(row) == (b"{}" if told else b"")
    assert subscriber.take() == []


def test_losses_are_told_to_who_had_them_only() -> None:
    hub = Hub()
    quick, slow = Subscriber(topics={"trade"}, limit=3), Subscriber(topics={"trade"}, limit=3)
    hub.add(slow)
    for number in range(5):
        hub.publish("trade", number)
    hub.add(quick)
    hub.publish("trade", 5)
    row = hub.row()
    told = [msgspec.json.decode(b"[%b]" % subscriber.part(row)) for subscriber in (slow, quick)]
    assert [[message["data"] for message in messages] for messages in told] == [[3, 3, 4, 5], [5]]
