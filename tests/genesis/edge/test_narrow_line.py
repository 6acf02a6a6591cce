"""What becomes of a stop that is submitted over REST: it is asked for once, and a lost answer is doubt, never a no."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from genesis.core.clock import TrioClock
from genesis.domain.rest_budget import RestBudget
from genesis.edge.http import HttpClient
from genesis.edge.narrow_line import SUBMIT_S, NarrowLine, open_narrowly
from genesis.edge.nonce import NonceOwner
from genesis.edge.rest import RestDoor, RestKey
from genesis.edge.secrets import Secret
from genesis.edge.send_ledger import Attempt, SendLedger
from protocols.bitfinex import rest_requests
from protocols.bitfinex.errors import VenueError
from protocols.bitfinex.numbers import write_json
from protocols.bitfinex.rest import error_body
from protocols.orders import (
    AccountEvent,
    CancelOrder,
    CommandInDoubt,
    CommandNotSent,
    CommandSent,
    OrderSnapshot,
    RequestNotice,
    SessionUp,
    SubmitOrder,
    UpdateOrder,
    VenueCommand,
    VenueOrder,
)
from protocols.units import Symbol
from tests.actors.scripted_venue import eventually
from tests.genesis.edge.scripted_http import Answer, ScriptedHttp, scripted_http

HTML = b"<html>bad gateway</html>"


def a_stop(cid: int = 9, session: int = 4) -> SubmitOrder:
    return SubmitOrder(
        cid=cid,
        cid_date="2023-11-14",
        group_id=71,
        symbol=Symbol("tBTCUSD"),
        wire_type="EXCHANGE STOP",
        amount=Decimal("-0.1"),
        price=Decimal(90),
        aux_limit_price=None,
        trailing_distance=None,
        oco_stop_price=None,
        flags=0,
        session=session,
        correlation_id="test",
        received_ns=0,
    )


A_CANCEL = CancelOrder(cid=9, cid_date="2023-11-14", venue_id=55, session=4, correlation_id="test")


def a_row(cid: int = 9) -> list[Any]:
    row: list[Any] = [None] * 32
    row[0:9] = [55, 71, cid, "tBTCUSD", 1, 2, -0.1, -0.1, "EXCHANGE STOP"]
    row[12:14] = [0, "ACTIVE"]
    row[16:20] = [90, 0, 0, 0]
    return row


def a_notice(status: str) -> bytes:
    row = a_row()
    if status != "SUCCESS":
        row[0] = None
    return write_json([1_700_000_000, "on-req", None, None, [row], None, status, "words"])


@attrs.define
class Desk:
    line: NarrowLine
    server: ScriptedHttp
    door: RestDoor
    ledger: SendLedger

    async def carry(self, *answers: Answer) -> list[AccountEvent]:
        self.server.answers.extend(answers)
        return await self.line.carry(a_stop())

    async def cancel(self, *answers: Answer) -> list[AccountEvent]:
        self.server.answers.extend(answers)
        return await self.line.carry(A_CANCEL)

    @property
    def submitted(self) -> int:
        return sum(heard.target.endswith("order/submit") for heard in self.server.heard)


async def numbered() -> int:
    await trio.lowlevel.checkpoint()
    return 4


@asynccontextmanager
async def a_desk(clock: MockClock, folder: Path) -> AsyncIterator[Desk]:
    clock.autojump_threshold = 0.02
    async with scripted_http() as server, HttpClient(server.url) as client:
        nonce = NonceOwner(folder / "nonce", lambda: 1_700_000_000_000_000 + int(trio.current_time() * 1e6))
        key = RestKey(key="genesis-test-key", secret=Secret("genesis-test-secret"), nonce=nonce)
        door, ledger = RestDoor(client, client, RestBudget(), TrioClock(), random.Random(3), key), SendLedger()
        server.answers.append(Answer(body=write_json([a_row(3)])))
        line = await open_narrowly(door, ledger, TrioClock(), numbered)
        assert line is not None
        yield Desk(line, server, door, ledger)
        nonce.close()


async def test_it_begins_with_the_account_s_open_orders(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with a_desk(autojump_clock, tmp_path) as desk:
        up, snapshot = desk.line.first_words
        assert isinstance(up, SessionUp)
        assert (up.session, up.narrow) == (4, True)
        assert isinstance(snapshot, OrderSnapshot)
        assert [(order.cid, order.session, order.event) for order in snapshot.orders] == [(3, 4, "rest")]


@pytest.mark.parametrize(("slow_s", "stay_s"), [(0.1, 4.0), (1.0, 8.0), (4.5, 30.0)])
async def test_it_stays_for_longer_where_rest_is_slow(
    autojump_clock: MockClock, tmp_path: Path, slow_s: float, stay_s: float
) -> None:
    async with a_desk(autojump_clock, tmp_path) as desk:
        desk.server.answers.append(Answer(wait=partial(trio.sleep, slow_s)))
        line = await open_narrowly(desk.door, desk.ledger, TrioClock(), numbered)
        assert line is not None
        assert line.stay_s == pytest.approx(stay_s, rel=0.2)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(status=502, body=HTML),
        Answer(status=500, body=error_body(20060, "maintenance")),
        Answer(status=429),
        Answer(body=b'{"a":'),
        Answer(body=b"7"),
    ],
)
async def test_where_rest_is_away_too_there_is_no_session(
    autojump_clock: MockClock, tmp_path: Path, answer: Answer
) -> None:
    async with a_desk(autojump_clock, tmp_path) as desk:
        desk.server.otherwise = lambda heard: answer
        assert await open_narrowly(desk.door, desk.ledger, TrioClock(), numbered) is None


async def test_a_stop_that_was_taken_is_told_with_its_order(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with a_desk(autojump_clock, tmp_path) as desk:
        sent, order, notice = await desk.carry(Answer(body=a_notice("SUCCESS")))
        assert isinstance(sent, CommandSent)
        assert isinstance(order, VenueOrder)
        assert isinstance(notice, RequestNotice)
        assert (order.venue_id, order.cid, order.session, notice.status) == (55, 9, 4, "SUCCESS")
        assert desk.ledger.past("on", 9, None, once=True) is Attempt.SENT


@pytest.mark.parametrize(
    "answer",
    [
        Answer(body=a_notice("ERROR")),
        Answer(body=write_json([1_700_000_000, "on-req", None, None, None, None, "ERROR", "words"])),
        Answer(status=500, body=error_body(10001, "Invalid order: not enough exchange balance")),
        Answer(status=500, body=error_body(10020, "price: invalid")),
    ],
)
async def test_a_refusal_of_this_very_request_is_one(autojump_clock: MockClock, tmp_path: Path, answer: Answer) -> None:
    async with a_desk(autojump_clock, tmp_path) as desk:
        sent, notice = await desk.carry(answer)
        assert isinstance(sent, CommandSent)
        assert isinstance(notice, RequestNotice)
        assert (notice.cid, notice.status, notice.kind, notice.session) == (9, "ERROR", "on-req", 4)
        assert desk.submitted == 1


@pytest.mark.parametrize(
    "answer",
    [
        Answer(status=502, body=HTML),
        Answer(status=500, body=error_body(10000, "unknown")),
        Answer(status=500, body=error_body(11000, "not ready")),
        Answer(body=a_notice("SUCCESS"), cut=True),
        Answer(silent=True),
        Answer(body=b"[]"),
        Answer(body=write_json([1_700_000_000, "on-req", None, None, [a_row(8)], None, "SUCCESS", "words"])),
        Answer(body=write_json([1_700_000_000, "on-req", None, None, [], None, "SUCCESS", "words"])),
    ],
)
async def test_a_lost_answer_is_doubt_and_the_order_is_not_asked_for_again(
    autojump_clock: MockClock, tmp_path: Path, answer: Answer
) -> None:
    async with a_desk(autojump_clock, tmp_path) as desk:
        (told,) = await desk.carry(answer)
        assert isinstance(told, CommandInDoubt)
        assert (told.cid, told.kind, told.session) == (9, "on", 4)
        assert desk.submitted == 1
        assert desk.ledger.past("on", 9, None, once=True) is Attempt.BEGUN


@pytest.mark.parametrize(
    ("code", "status", "tries"), [(10114, 500, 3), (11010, 500, 1), (11010, 429, 1), (20060, 500, 1)]
)
async def test_where_the_venue_says_that_it_did_nothing_it_may_leave_yet(
    autojump_clock: MockClock, tmp_path: Path, code: int, status: int, tries: int
) -> None:
    async with a_desk(autojump_clock, tmp_path) as desk:
        (told,) = await desk.carry(*[Answer(status=status, body=error_body(code, "no"))] * tries)
        assert isinstance(told, CommandNotSent)
        assert told.paused is (code == 20060), "in maintenance it waits for the next session"
        assert desk.submitted == tries
        assert desk.ledger.past("on", 9, None, once=True) is None


async def test_a_stop_goes_before_questions_that_wait(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with a_desk(autojump_clock, tmp_path) as desk, trio.open_nursery() as nursery:
        desk.server.heard.clear()
        go_on = trio.Event()
        desk.server.answers.append(Answer(wait=go_on.wait))
        for request in (rest_requests.wallets(), rest_requests.positions(), rest_requests.permissions()):
            nursery.start_soon(desk.door.ask, request)
        await trio.testing.wait_all_tasks_blocked(0.01)
        nursery.start_soon(desk.line.carry, a_stop())
        await trio.testing.wait_all_tasks_blocked(0.01)
        go_on.set()
        await eventually(lambda: len(desk.server.heard) == 4)
        assert desk.server.heard[1].target.endswith("order/submit")


async def test_a_stop_that_never_had_its_turn_did_not_leave(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with a_desk(autojump_clock, tmp_path) as desk, trio.open_nursery() as nursery:
        go_on = trio.Event()
        desk.server.answers.append(Answer(wait=go_on.wait))
        nursery.start_soon(desk.door.ask, rest_requests.wallets())
        await trio.testing.wait_all_tasks_blocked(0.01)
        began = trio.current_time()
        (told,) = await desk.line.carry(a_stop())
        assert trio.current_time() - began >= SUBMIT_S
        assert isinstance(told, CommandNotSent)
        assert desk.submitted == 0
        assert desk.ledger.past("on", 9, None, once=True) is None
        go_on.set()


def a_cancel_notice(status: str, *, venue_id: int = 55, word: str = "CANCELED") -> bytes:
    row = a_row()
    row[0], row[13] = venue_id, word
    return write_json([1_700_000_000_000, "oc-req", None, None, row, None, status, "words"])


@pytest.mark.parametrize("word", ["ACTIVE", "CANCELED"])
async def test_a_cancel_that_was_taken_is_no_end(autojump_clock: MockClock, tmp_path: Path, word: str) -> None:
    """The venue's own example says CANCELED in the row, and `waiting for confirmation` beside it."""
    async with a_desk(autojump_clock, tmp_path) as desk:
        sent, notice = await desk.cancel(Answer(body=a_cancel_notice("SUCCESS", word=word)))
        assert isinstance(sent, CommandSent)
        assert isinstance(notice, RequestNotice)
        assert (sent.kind, notice.kind, notice.venue_id, notice.status) == ("oc", "oc-req", 55, "SUCCESS")


@pytest.mark.parametrize(
    "answer", [Answer(body=a_cancel_notice("ERROR")), Answer(status=500, body=error_body(10001, "Order not found."))]
)
async def test_a_cancel_that_was_refused_is_told_so(autojump_clock: MockClock, tmp_path: Path, answer: Answer) -> None:
    async with a_desk(autojump_clock, tmp_path) as desk:
        sent, notice = await desk.cancel(answer)
        assert isinstance(sent, CommandSent)
        assert isinstance(notice, RequestNotice)
        assert (notice.kind, notice.venue_id, notice.status) == ("oc-req", 55, "ERROR")


@pytest.mark.parametrize(
    "answer",
    [
        Answer(status=502, body=HTML),
        Answer(silent=True),
        Answer(body=a_cancel_notice("SUCCESS", venue_id=56)),
        Answer(body=a_notice("SUCCESS")),
    ],
)
async def test_a_cancel_whose_answer_was_lost_is_in_doubt_and_may_be_asked_for_again(
    autojump_clock: MockClock, tmp_path: Path, answer: Answer
) -> None:
    async with a_desk(autojump_clock, tmp_path) as desk:
        (told,) = await desk.cancel(answer)
        assert isinstance(told, CommandInDoubt)
        assert (told.cid, told.kind) == (9, "oc")
        again = CancelOrder(cid=9, cid_date="2023-11-14", venue_id=55, session=4, correlation_id="test")
        assert desk.ledger.past("oc", 9, again, once=False) is None
        desk.server.answers.append(Answer(body=a_cancel_notice("SUCCESS")))
        assert isinstance((await desk.line.carry(again))[0], CommandSent)


async def test_a_cancel_in_a_maintenance_did_not_leave(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with a_desk(autojump_clock, tmp_path) as desk:
        (told,) = await desk.cancel(Answer(status=500, body=error_body(20060, "maintenance")))
        assert isinstance(told, CommandNotSent)
        assert (told.kind, told.paused) == ("oc", True)


@pytest.mark.parametrize("what", ["update", "older session", "session is over"])
async def test_what_it_does_not_take(autojump_clock: MockClock, tmp_path: Path, what: str) -> None:
    async with a_desk(autojump_clock, tmp_path) as desk:
        command: VenueCommand = a_stop(session=3 if what == "older session" else 4)
        if what == "update":
            command = UpdateOrder(
                cid=9, venue_id=55, price=Decimal(1), amount=None, flags=0, session=4, correlation_id="test"
            )
        if what == "session is over":
            desk.line.over.set()
        assert not desk.line.takes(command)
        assert desk.line.takes(a_stop()) is (what != "session is over")


NO_RIGHT = error_body(10001, "api_key: permission invalid")
UNKNOWN_KEY = error_body(10100, "apikey: invalid")


@pytest.mark.parametrize("words", [NO_RIGHT, UNKNOWN_KEY])
async def test_a_key_that_is_refused_is_no_doubt_and_ends_the_session(
    autojump_clock: MockClock, tmp_path: Path, words: bytes
) -> None:
    async with a_desk(autojump_clock, tmp_path) as desk:
        (told,) = await desk.carry(Answer(status=500, body=words))
        assert isinstance(told, CommandNotSent)
        assert told.paused, "it waits for another session"
        assert desk.line.over.is_set()
        assert desk.line.key_refused
        assert desk.submitted == 1
        assert desk.ledger.past("on", 9, None, once=True) is None


async def test_a_key_that_may_not_even_ask_is_told_so(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with a_desk(autojump_clock, tmp_path) as desk:
        desk.server.answers.append(Answer(status=500, body=UNKNOWN_KEY))
        with pytest.raises(VenueError, match="apikey: invalid"):
            await open_narrowly(desk.door, desk.ledger, TrioClock(), numbered)
