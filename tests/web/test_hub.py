"""The hub: encoded once, conflated by key, bounded for each client."""

from typing import Any

import msgspec
import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from protocols.market import CandleClosed, CandleUpdate
from protocols.risk import Verdict
from tests.web.fakes import a_candle, a_verdict
from web.feed import hush_for
from web.hub import KEPT, QUIET_S, ROW_LIMIT, Hub, Subscriber


def decoded(bodies: list[bytes]) -> list[dict[str, Any]]:
    return [msgspec.json.decode(body) for body in bodies]


def a_subscriber(hub: Hub, *topics: str, limit: int = 500) -> Subscriber:
    subscriber = Subscriber(limit=limit)
    subscriber.topics.update(topics)
    hub.add(subscriber)
    return subscriber


def test_a_keyed_message_replaces_the_waiting_one_and_another_key_does_not() -> None:
    hub = Hub()
    subscriber = a_subscriber(hub, "ticker")
    for number in range(5):
        hub.publish("ticker", number, key="BTC")
    hub.publish("ticker", "x", key="ETH")
    told = decoded(subscriber.take())
    assert [(message["data"], message["seq"]) for message in told] == [(4, 5), ("x", 6)]


def test_messages_without_a_key_keep_their_order_and_losses_are_told() -> None:
    hub = Hub()
    subscriber = a_subscriber(hub, "trade", limit=3)
    for number in range(5):
        hub.publish("trade", number)
    told = decoded(subscriber.take())
    assert told[0] == {"topic": "trade", "kind": "missed", "seq": 0, "data": 2}
    assert [message["data"] for message in told[1:]] == [2, 3, 4]
    assert subscriber.missed_total == 2


def test_nothing_is_encoded_for_topics_that_nobody_wants() -> None:
    hub = Hub()
    a_subscriber(hub, "trade")
    hub.publish("ticker", object())  # not encodable: it would raise
    assert hub.sequence("ticker") == 1


def test_places_filter_by_symbol_and_time_frame() -> None:
    hub = Hub()
    subscriber = a_subscriber(hub, "candle", "ticker")
    subscriber.places["candle"] = {("tBTCUSD", "1m")}
    subscriber.places["ticker"] = {("tBTCUSD",)}
    hub.publish("candle", 1, place=("tBTCUSD", "1m"))
    hub.publish("candle", 2, place=("tBTCUSD", "5m"))
    hub.publish("ticker", 3, place=("tETHUSD",))
    hub.publish("ticker", 4, place=("tBTCUSD",))
    assert [message["data"] for message in decoded(subscriber.take())] == [1, 4]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 9)), max_size=60), st.integers(1, 10))
def test_a_slow_client_ends_with_the_newest_of_every_key(events: list[tuple[str, int]], every: int) -> None:
    hub = Hub()
    subscriber = a_subscriber(hub, "order")
    newest: dict[str, int] = {}
    heard: list[dict[str, Any]] = []
    for number, (key, value) in enumerate(events):
        hub.publish("order", [key, value], key=key)
        newest[key] = value
        if number % every == 0:
            heard += decoded(subscriber.take())
    heard += decoded(subscriber.take())
    assert {key: value for key, value in (message["data"] for message in heard)} == newest
    assert [message["seq"] for message in heard] == sorted(message["seq"] for message in heard)


async def test_what_is_published_begins_a_round_and_is_told_once() -> None:
    hub = Hub()
    subscriber = a_subscriber(hub, "status")
    hub.publish("status", 1, key="status")
    row = await hub.news()
    assert msgspec.json.decode(subscriber.part(row))["data"] == 1
    assert subscriber.depth == 0
    assert subscriber.part(row) == b""


def test_what_happened_is_kept_for_who_comes_back_as_far_as_it_reaches() -> None:
    hub = Hub()
    for number in range(KEPT + 5):
        hub.publish("trade", number)
    newest = hub.sequence("trade")
    missed = hub.since("trade", newest - 2)
    assert missed is not None
    assert [message["data"] for message in decoded([one.body for one in missed])] == [KEPT + 3, KEPT + 4]
    assert hub.since("trade", newest) == []
    assert hub.since("trade", 5) is not None
    assert hub.since("trade", 4) is None, "one of them is not kept any more"
    assert hub.since("trade", newest + 1) is None
    assert hub.since("ticker", 0) is None
    assert hub.since("order", 0) == []


def test_what_the_row_has_no_room_for_is_counted_as_missed_by_those_who_wanted_it() -> None:
    hub = Hub()
    slow, other = a_subscriber(hub, "trade", limit=10_000), a_subscriber(hub, "ticker")
    quick = a_subscriber(hub, "trade")
    hub.publish("trade", "first")
    quick.take()
    for number in range(ROW_LIMIT):
        hub.publish("trade", number)
    assert decoded(slow.take(limit=1)) == [{"topic": "trade", "kind": "missed", "seq": 0, "data": 1}]
    assert (quick.take(), quick.missed_total)[1] == ROW_LIMIT - quick.limit, "the first it had"
    assert other.take() == []


def test_a_topic_that_is_asked_for_again_is_not_told_what_its_snapshot_has() -> None:
    hub = Hub()
    subscriber = a_subscriber(hub, "ticker")
    hub.publish("ticker", 1, key="BTC")
    subscriber.since["ticker"] = hub.serial
    hub.publish("ticker", 2, key="ETH")
    assert [message["data"] for message in decoded(subscriber.take())] == [2]


async def test_what_nobody_asked_for_wakes_nobody(autojump_clock: MockClock) -> None:
    hub = Hub()
    a_subscriber(hub, "ticker")
    hub.publish("trade", 1)
    with trio.move_on_after(60) as scope:
        await hub.news()
    assert scope.cancelled_caught
    hub.publish("ticker", 1)
    assert len((await hub.news()).messages) == 1


async def test_screens_are_quiet_while_an_order_may_be_on_its_way(autojump_clock: MockClock) -> None:
    hub = Hub()
    closed = CandleClosed(candle=a_candle(1), closed_ms=0, catch_up=False, received_ns=0, correlation_id="c")
    for idle in (
        CandleUpdate(candle=a_candle(1), venue_ms=0, received_ns=0),
        msgspec.structs.replace(closed, catch_up=True),
    ):
        began = trio.current_time()
        hush_for(hub, idle)
        await hub.quiet_over()
        assert trio.current_time() == began, "nothing is decided by it"
    decided: tuple[CandleClosed | Verdict, ...] = (closed, a_verdict())
    for news in decided:
        began = trio.current_time()
        hush_for(hub, news)
        await hub.quiet_over()
        assert trio.current_time() == pytest.approx(began + QUIET_S)


async def test_however_much_is_decided_the_screens_have_half_of_the_time(autojump_clock: MockClock) -> None:
    hub = Hub()
    quiet = 0
    for _ in range(10_000):
        hub.hush(trio.current_time())
        quiet += hub.quiet_until_s > trio.current_time()
        await trio.sleep(0.001)
    assert 4_500 < quiet < 5_600, "half, and a burst at the beginning"


def test_a_symbol_that_is_asked_for_later_is_not_told_what_its_snapshot_has() -> None:
    hub = Hub()
    subscriber = a_subscriber(hub, "trade")
    subscriber.places["trade"] = {("BTC",)}
    hub.publish("trade", 1, place=("BTC",))
    hub.publish("trade", 2, place=("ETH",))
    subscriber.places["trade"].add(("ETH",))
    subscriber.joined["trade", ("ETH",)] = hub.serial
    hub.publish("trade", 3, place=("ETH",))
    assert [message["data"] for message in decoded(subscriber.take())] == [1, 3]
