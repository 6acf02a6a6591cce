"""Beginnings that are shared: whoever joins knows what it would know from one of its own."""

import json
from collections.abc import Mapping
from typing import Any
from unittest.mock import patch

import attrs
import msgspec
from hypothesis import given
from hypothesis import strategies as st

from protocols.market import Ticker
from protocols.units import Symbol
from tests.web.fakes import a_risk, a_ticker, some_readers
from tests.web.serving import a_server
from tests.web.test_stream import listening
from web import hub as hub_module
from web.feed import Poll, publish_event
from web.hub import Hub, Subscriber
from web.snapshots import KEPT_AT_MOST, SHARED_S, Snapshots

SYMBOLS = tuple(Symbol(f"t{name}USD") for name in ("ONE", "TWO", "SIX"))


@attrs.define
class Hands:
    """A clock that is turned by hand."""

    at: float = 100.0

    def now(self) -> float:
        return self.at


@attrs.define(eq=False)
class Desk:
    """Tickers that move, a hub that tells them, and snapshots over both."""

    clock: Hands = attrs.field(factory=Hands)
    hub: Hub = attrs.field(factory=Hub)
    tickers: dict[str, Ticker] = attrs.field(factory=dict)
    snapshots: Snapshots = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        readers = attrs.evolve(some_readers(), tickers=lambda: self.tickers)
        self.snapshots = Snapshots(readers=readers, hub=self.hub, clock=self.clock)  # type: ignore[arg-type]

    def move(self, symbol: Symbol, last: float) -> None:
        ticker = msgspec.structs.replace(a_ticker(last=last), symbol=symbol)
        self.tickers = {**self.tickers, symbol: ticker}
        publish_event(self.hub, ticker)

    def join(self) -> tuple[Subscriber, dict[str, float]]:
        """A new listener and what it knows of every symbol."""
        subscriber = Subscriber(topics={"ticker"})
        self.hub.add(subscriber)
        told = self.snapshots.kept("ticker", ()) or self.snapshots.make("ticker", ())
        return subscriber, known_of(told)

    @property
    def truth(self) -> dict[str, float]:
        return {str(symbol): ticker.last for symbol, ticker in self.tickers.items()}


def known_of(messages: list[bytes]) -> dict[str, float]:
    """What a client makes of these messages; their numbers must rise."""
    known: dict[str, float] = {}
    newest = -1
    for message in (json.loads(body) for body in messages):
        assert message["seq"] > newest
        newest = message["seq"]
        rows: list[Mapping[str, Any]] = message["data"] if message["kind"] == "snapshot" else [message["data"]]
        known.update({row["symbol"]: row["last"] for row in rows})
    return known


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("move"), st.sampled_from(SYMBOLS), st.integers(1, 99)),
        st.tuples(st.just("join"), st.none(), st.none()),
        st.tuples(st.just("leave"), st.none(), st.none()),
        st.tuples(st.just("wait"), st.none(), st.sampled_from((0.1, 0.6, 2.0))),
    ),
    max_size=40,
)


@given(steps=STEPS, room=st.sampled_from((1, 2, 4096)))
def test_whoever_joins_knows_all_that_is_whatever_happened_before(steps: list[tuple[Any, Any, Any]], room: int) -> None:
    desk = Desk()
    listening: list[Subscriber] = []
    with patch.object(hub_module, "ROW_LIMIT", room):
        for step, symbol, number in steps:
            match step:
                case "move":
                    desk.move(symbol, float(number))
                case "join":
                    subscriber, known = desk.join()
                    assert known == desk.truth
                    listening.append(subscriber)
                case "leave" if listening:
                    desk.hub.remove(listening.pop(0))
                case "wait":
                    desk.clock.at += number


def test_those_who_join_at_about_the_same_time_share_one_beginning() -> None:
    desk = Desk()
    desk.move(SYMBOLS[0], 1.0)
    for number in range(200):
        desk.clock.at += 0.9 * SHARED_S / 200
        desk.move(SYMBOLS[1], float(number))
        _, known = desk.join()
        assert known == desk.truth
    assert desk.snapshots.made_total == 1
    desk.clock.at += 2 * SHARED_S
    desk.join()
    assert desk.snapshots.made_total == 2


def test_nobody_who_asks_for_every_symbol_there_is_fills_the_memory() -> None:
    desk = Desk()
    for number in range(3 * KEPT_AT_MOST):
        desk.snapshots.make("candle", (f"t{number}USD", "1m"))
        desk.snapshots.make("ticker", (f"t{number}USD",))
    assert len(desk.snapshots._kept) <= KEPT_AT_MOST


def test_a_state_that_was_over_before_the_next_look_does_not_stay_with_who_joined_in_it() -> None:
    hub, risk = Hub(), [a_risk()]
    readers = attrs.evolve(some_readers(), risk=lambda: risk[0])
    poll = Poll(readers=readers, hub=hub)
    first = Subscriber(topics={"risk"})
    hub.add(first)
    poll.look()
    risk[0] = msgspec.structs.replace(a_risk(), paused=True)
    snapshots = Snapshots(readers=readers, hub=hub, clock=Hands())  # type: ignore[arg-type]
    assert json.loads(snapshots.make("risk", ())[0])["data"]["paused"] is True
    risk[0] = a_risk()
    poll.look()
    told = snapshots.kept("risk", ())
    assert told is not None
    assert json.loads(told[-1])["data"]["paused"] is False
    hub.told_beside.clear()
    assert poll.look() == 0


async def test_listeners_that_join_together_are_told_one_beginning_and_then_all_the_same() -> None:
    async with a_server() as served:
        token = served.token()
        async with listening(served, token) as one, listening(served, token) as other:
            await one.say(op="subscribe", topics=["ticker"])
            first = await one.hear_topic("ticker")
            publish_event(served.hub, a_ticker(last=7.0))
            await other.say(op="subscribe", topics=["ticker"])
            second = await other.hear_topic("ticker")
            assert second == first
            update = await other.hear_topic("ticker")
            assert (update["kind"], update["data"]["last"]) == ("update", 7.0)
            assert await one.hear_topic("ticker") == update
            publish_event(served.hub, a_ticker(last=8.0))
            assert (await one.hear_topic("ticker"))["data"]["last"] == 8.0
            assert (await other.hear_topic("ticker"))["data"]["last"] == 8.0


def test_what_the_row_had_no_room_for_is_not_left_out_of_a_beginning() -> None:
    desk = Desk()
    with patch.object(hub_module, "ROW_LIMIT", 1):
        desk.move(SYMBOLS[0], 1.0)
        desk.join()
        desk.move(SYMBOLS[0], 2.0)
        desk.move(SYMBOLS[1], 3.0)
        _, known = desk.join()
    assert known == desk.truth
