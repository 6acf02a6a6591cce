"""While the authenticated socket alone is away sessions over REST stand in for it, one line at a time."""

import itertools
import random
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
from trio.testing import MockClock

from genesis.core.latest import Latest
from genesis.edge.narrow_line import AWAY_S, NARROW_STAY_S
from genesis.simulator.faults import FaultKind, FaultRule
from protocols.health import Reconnect
from protocols.orders import (
    CommandInDoubt,
    CommandNotSent,
    CommandSent,
    OrderSnapshot,
    RequestNotice,
    SessionDown,
    SessionUp,
    UpdateOrder,
    VenueOrder,
)
from protocols.trading import OrdersView, ProtectionView
from protocols.units import Symbol
from tests.actors.scripted_venue import eventually
from tests.actors.test_connection_private import a_cancel, an_order
from tests.actors.test_lines_against_simulator import World, a_world

UNANSWERED = FaultRule(kind=FaultKind.LOSE, times=None, contains='"event":"auth"')


def an_update(cid: int, session: int) -> UpdateOrder:
    return UpdateOrder(
        cid=cid, venue_id=1000 + cid, price=Decimal(90), amount=None, flags=0, session=session, correlation_id="test"
    )


def of(world: World, *kinds: type) -> list[Any]:
    return [event for event in world.orders if isinstance(event, kinds)]


def narrow(world: World) -> list[SessionUp]:
    return [event for event in of(world, SessionUp) if event.narrow]


async def take_away(world: World) -> FaultRule:
    """No login is answered any more, and the socket that was up is cut."""
    await world.both_up()
    await trio.sleep(6)
    rule = FaultRule(kind=UNANSWERED.kind, times=None, contains=UNANSWERED.contains)
    world.exchange.faults.add(rule)
    world.exchange.faults.drop(private=True)
    return rule


async def test_a_session_over_rest_stands_in_soon_and_says_what_rests(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with a_world(autojump_clock, tmp_path) as world:
        await take_away(world)
        gone_at = trio.current_time()
        await eventually(lambda: bool(narrow(world)))
        # One dial that nobody answered may lie between.
        assert AWAY_S <= trio.current_time() - gone_at < 12
        up = narrow(world)[0]
        assert [type(event) for event in world.orders[world.orders.index(up) :]][:2] == [SessionUp, OrderSnapshot]
        assert not world.private.up


async def test_an_order_reaches_the_venue_over_rest_and_its_answer_is_told(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with a_world(autojump_clock, tmp_path) as world:
        await take_away(world)
        await eventually(lambda: bool(narrow(world)))
        session = narrow(world)[-1].session
        world.commands.put_nowait(an_order(1, session))
        world.commands.put_nowait(an_order(2, session - 1))
        world.commands.put_nowait(an_update(1, session))
        await eventually(lambda: world.commands.idle)
        assert [(event.cid, event.session) for event in of(world, CommandSent)] == [(1, session)]
        assert [(event.cid, event.kind) for event in of(world, CommandNotSent)] == [(2, "on"), (1, "ou")]
        assert [event.cid for event in of(world, VenueOrder)] == [1]
        assert set(world.exchange.snapshot("sim").orders_by_cid) == {1}
        # What has not left may leave.
        world.commands.put_nowait(an_order(2, session))
        await eventually(lambda: world.commands.idle)
        assert [event.cid for event in of(world, CommandSent)] == [1, 2]


async def test_a_cancel_reaches_the_venue_over_rest_and_its_answer_is_no_end(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with a_world(autojump_clock, tmp_path) as world:
        await take_away(world)
        await eventually(lambda: bool(narrow(world)))
        session = narrow(world)[-1].session
        world.commands.put_nowait(an_order(1, session))
        await eventually(lambda: world.commands.idle)
        (placed,) = of(world, VenueOrder)
        cancel = msgspec.structs.replace(a_cancel(1, session), venue_id=placed.venue_id)
        world.commands.put_nowait(cancel)
        world.commands.put_nowait(msgspec.structs.replace(cancel, correlation_id="again"))
        await eventually(lambda: world.commands.idle)
        assert [(event.cid, event.kind) for event in of(world, CommandSent)] == [(1, "on"), (1, "oc"), (1, "oc")]
        notices = [event for event in of(world, RequestNotice) if event.kind == "oc-req"]
        assert [(event.status, event.venue_id) for event in notices] == [
            ("SUCCESS", placed.venue_id),
            ("ERROR", placed.venue_id),
        ]
        assert of(world, VenueOrder) == [placed], "its end is told by history"
        assert not world.exchange.venue.accounts["sim"].orders


async def test_sessions_of_both_kinds_never_overlap_and_the_socket_comes_back(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with a_world(autojump_clock, tmp_path) as world:
        rule = await take_away(world)
        await eventually(lambda: len(narrow(world)) == 3)
        assert world.private.narrow_sessions == 3
        world.exchange.faults.remove(rule)
        await world.both_up()
        await eventually(lambda: not of(world, SessionUp)[-1].narrow)
        words = of(world, SessionUp, SessionDown)
        open_now: int | None = None
        for word in words:
            if isinstance(word, SessionUp):
                assert open_now is None, "the one before has ended"
                open_now = word.session
            elif word.session == open_now:
                open_now = None
        numbers = [word.session for word in words if isinstance(word, SessionUp)]
        assert numbers == sorted(set(numbers))


async def test_a_short_outage_is_none_of_rest_s_business(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with a_world(autojump_clock, tmp_path) as world:
        await world.both_up()
        for life in range(4):
            await trio.sleep(6)
            world.exchange.faults.drop(private=True)
            await eventually(lambda life=life: world.private.falls == life + 1)  # type: ignore[misc]
            await world.both_up()
        assert narrow(world) == []


async def test_where_the_venue_is_closed_nothing_is_told_and_nothing_hammered(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with a_world(autojump_clock, tmp_path) as world:
        await take_away(world)
        world.exchange.faults.add(FaultRule(kind=FaultKind.SERVER_ERROR, times=None))
        before = world.exchange.rest.requests
        await trio.sleep(120)
        assert narrow(world) == []
        # Each look is at most three tries, one look in ten seconds.
        assert world.exchange.rest.requests - before <= 3 * (120 / 10 + 1)


async def test_an_answer_that_was_lost_is_doubt_and_the_next_session_shows_the_order(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with a_world(autojump_clock, tmp_path) as world:
        await take_away(world)
        await eventually(lambda: bool(narrow(world)))
        session = narrow(world)[-1].session
        world.exchange.faults.add(FaultRule(kind=FaultKind.LOST_ANSWER, contains="order/submit"))
        world.commands.put_nowait(an_order(1, session))
        await eventually(lambda: world.commands.idle)
        assert [(event.cid, event.session) for event in of(world, CommandInDoubt)] == [(1, session)]
        assert of(world, CommandSent) == []
        assert set(world.exchange.snapshot("sim").orders_by_cid) == {1}
        world.commands.put_nowait(an_order(1, session + 5))
        await eventually(lambda: world.commands.idle)
        assert len(of(world, CommandInDoubt)) == 2, "asked for again, it is still in doubt and not sent"


async def test_the_session_waits_for_the_answer_before_it_ends(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with a_world(autojump_clock, tmp_path) as world:
        await take_away(world)
        await eventually(lambda: bool(narrow(world)))
        session = narrow(world)[-1].session
        await trio.sleep(NARROW_STAY_S - 1.0)
        world.commands.put_nowait(an_order(1, session))
        await eventually(lambda: any(event.session == session for event in of(world, SessionDown)))
        fates = of(world, CommandSent, CommandNotSent, CommandInDoubt)
        ends = [event for event in of(world, SessionDown) if event.session == session]
        assert [event.cid for event in fates] == [1]
        assert world.orders.index(fates[0]) < world.orders.index(ends[0])


def books_of(session: int, *, compared: bool = False, stopped: str = "0") -> OrdersView:
    """One coin is held."""
    held = ProtectionView(
        symbol=Symbol("tBTCUSD"),
        margin=False,
        held=Decimal(1),
        wanted=Decimal(1),
        stopped=Decimal(stopped),
        stops=0,
        stop_price=None,
        target_price=None,
        trailing_distance=None,
        note="",
    )
    return OrdersView(session=session, ready=False, compared=compared, protection=(held,))


async def test_where_nothing_is_held_nor_ordered_the_socket_is_dialled_and_nothing_else(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    books = Latest(OrdersView(session=0, ready=False))
    async with a_world(autojump_clock, tmp_path, books=books) as world:
        books.set(OrdersView(session=1, ready=True))
        await take_away(world)
        await trio.sleep(60)
        assert narrow(world) == []
        books.set(books_of(1))
        await eventually(lambda: bool(narrow(world)))


async def test_what_is_held_in_the_middle_of_a_long_pause_waits_for_no_dial(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    books = Latest(OrdersView(session=0, ready=False))
    async with a_world(autojump_clock, tmp_path, books=books) as world:
        books.set(OrdersView(session=1, ready=True))
        await world.both_up()
        await trio.sleep(6)
        # Too many dials: the next one is a minute away.
        world.exchange.faults.add(FaultRule(kind=FaultKind.HANDSHAKE, times=None))
        world.exchange.faults.drop(private=True)
        await trio.sleep(20)
        books.set(OrdersView(session=1, ready=True, orders_total=1))
        await trio.sleep(1)
        assert narrow(world) == []
        books.set(books_of(1))
        held_at = trio.current_time()
        await eventually(lambda: bool(narrow(world)))
        assert trio.current_time() - held_at < 2.0


async def test_who_does_not_know_yet_what_is_held_has_it_stood_in_for(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with a_world(autojump_clock, tmp_path, books=Latest(OrdersView(session=0, ready=False))) as world:
        await take_away(world)
        await eventually(lambda: bool(narrow(world)))


@pytest.mark.parametrize(
    ("of_session", "compared", "stopped", "lasts"),
    [(0, True, "1", False), (0, True, "0.9", True), (0, False, "1", True), (-1, True, "1", True)],
)
async def test_once_nothing_lacks_a_stop_it_lasts_no_longer_than_until_the_next_dial(
    autojump_clock: MockClock, tmp_path: Path, of_session: int, compared: bool, stopped: str, lasts: bool
) -> None:
    books = Latest(OrdersView(session=0, ready=False))
    async with a_world(autojump_clock, tmp_path, books=books) as world:
        await take_away(world)
        await eventually(lambda: bool(narrow(world)))
        began_at, session = trio.current_time(), narrow(world)[0].session
        books.set(books_of(session + of_session, compared=compared, stopped=stopped))
        await eventually(lambda: any(event.session == session for event in of(world, SessionDown)))
        assert (trio.current_time() - began_at >= NARROW_STAY_S - 0.1) is lasts


@pytest.mark.parametrize("other", [False, True])
async def test_a_wish_for_another_session_ends_the_one_that_it_means_and_no_other(
    autojump_clock: MockClock, tmp_path: Path, other: bool
) -> None:
    async with a_world(autojump_clock, tmp_path) as world:
        await world.both_up()
        session = of(world, SessionUp)[-1].session
        world.commands.put_nowait(Reconnect(reason="order 7 has no answer", session=session + 7 * other))
        await eventually(lambda: world.commands.idle)
        await trio.sleep(30)
        assert (len(of(world, SessionUp)) == 1) is other


async def test_a_key_without_the_right_to_order_is_asked_later_each_time(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with a_world(autojump_clock, tmp_path) as world:
        await take_away(world)
        for key in world.exchange.settings.keys:
            key.permissions["orders"] = (True, False)
        began_at: list[float] = []
        for number in range(1, 5):
            await eventually(lambda number=number: len(narrow(world)) == number)  # type: ignore[misc]
            began_at.append(trio.current_time())
            world.commands.put_nowait(an_order(number, narrow(world)[-1].session))
            await eventually(lambda: world.commands.idle)
        pauses = [after - before for before, after in itertools.pairwise(began_at)]
        assert pauses == sorted(pauses)
        assert pauses[-1] >= 30.0, "10 s, 20 s, 40 s, each behind the end of the one before, or the dial behind that"
        assert {event.cid for event in of(world, CommandNotSent)} == {1, 2, 3, 4}
        assert of(world, CommandInDoubt) == []


async def test_kills_between_commands_over_rest_double_nothing(autojump_clock: MockClock, tmp_path: Path) -> None:
    chance = random.Random(5)
    async with a_world(autojump_clock, tmp_path) as world:
        await take_away(world)
        for cid in range(1, 41):
            known = len(narrow(world))
            await eventually(lambda known=known: len(narrow(world)) > known)  # type: ignore[misc]
            if cid % 3 == 0:
                world.exchange.faults.add(FaultRule(kind=FaultKind.LOST_ANSWER, contains="order/submit"))
            world.commands.put_nowait(an_order(cid, narrow(world)[-1].session))
            for _ in range(chance.randrange(30)):
                await trio.lowlevel.checkpoint()
            if chance.random() < 0.8:
                world.supervisor.kill("world/private_line", reason="chaos")
        await eventually(lambda: world.commands.idle)
        told = of(world, CommandSent, CommandNotSent, CommandInDoubt)
        assert {event.cid for event in told} == set(range(1, 41))
        placed = Counter(order.cid for order in world.exchange.venue.history("sim").orders)
        placed.update(order.cid for order in world.exchange.venue.accounts["sim"].orders.values())
        assert max(placed.values()) == 1
        assert {event.cid for event in of(world, CommandNotSent)}.isdisjoint(placed)
        assert set(placed) <= {event.cid for event in of(world, CommandSent, CommandInDoubt)}
        assert len(placed) > 10
