"""The one door: turns, signatures, and no repeat that could do harm."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from genesis.core.clock import TrioClock
from genesis.domain.rest_budget import RestBudget
from genesis.edge.errors import RequestFailed
from genesis.edge.http import HttpClient
from genesis.edge.nonce import NonceOwner
from genesis.edge.rest import CircuitOpen, RestDoor, RestKey
from genesis.edge.secrets import Secret
from genesis.edge.waits import LONGEST_S
from protocols.bitfinex import rest_requests
from protocols.bitfinex.auth import is_signed, rest_message
from protocols.bitfinex.errors import AuthFailed, MalformedFrame, NonceTooSmall, RateLimited, VenueError
from protocols.bitfinex.rest import error_body
from protocols.bitfinex.rest_requests import RestRequest
from tests.genesis.edge.scripted_http import Answer, ScriptedHttp, scripted_http

SECRET = Secret("genesis-test-secret")
READ = rest_requests.open_orders()
WRITE = rest_requests.cancel_orders(everything=True)
PUBLIC = rest_requests.ticker("tBTCUSD")


@asynccontextmanager
async def a_door(clock: MockClock, folder: Path) -> AsyncIterator[tuple[RestDoor, ScriptedHttp]]:
    clock.autojump_threshold = 0.02
    async with scripted_http() as server, HttpClient(server.url) as client:
        nonce = NonceOwner(folder / "nonce", lambda: 1_700_000_000_000_000 + int(trio.current_time() * 1e6))
        key = RestKey(key="genesis-test-key", secret=SECRET, nonce=nonce)
        yield RestDoor(client, client, RestBudget(), TrioClock(), random.Random(3), key), server
        nonce.close()


def error(code: int | None, text: str = "x", status: int = 500) -> Answer:
    return Answer(status=status, body=error_body(code, text) if code is not None else b'["error",null,"x"]')


async def test_a_signed_request_is_signed_over_the_bytes_it_sends(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with a_door(autojump_clock, tmp_path) as (door, server):
        assert await door.ask(READ) == []
        heard = server.heard[0]
        nonce = heard.headers["bfx-nonce"]
        assert heard.target == "/v2/auth/r/orders"
        assert heard.headers["bfx-apikey"] == "genesis-test-key"
        assert is_signed(
            SECRET.reveal(), rest_message("v2/auth/r/orders", nonce, heard.body), heard.headers["bfx-signature"]
        )


async def test_a_public_request_carries_no_key(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with a_door(autojump_clock, tmp_path) as (door, server):
        server.answers.append(Answer(body=b"[1,2]"))
        assert await door.ask(PUBLIC) == [1, 2]
        assert not any(name.startswith("bfx") for name in server.heard[0].headers)


@pytest.mark.parametrize(
    "trouble",
    [Answer(status=502, body=b"<html>bad gateway</html>"), Answer(body=b"x" * 50, cut=True), error(10000), error(None)],
)
@pytest.mark.parametrize(("request_", "times"), [(READ, 2), (PUBLIC, 2), (WRITE, 1)])
async def test_only_what_changes_nothing_is_asked_again_after_trouble(
    autojump_clock: MockClock, tmp_path: Path, trouble: Answer, request_: RestRequest, times: int
) -> None:
    async with a_door(autojump_clock, tmp_path) as (door, server):
        server.answers.append(trouble)
        answer: Any = None
        if times == 2:
            answer = await door.ask(request_)
            assert answer == []
        else:
            with pytest.raises((MalformedFrame, VenueError, RequestFailed)):
                await door.ask(request_)
        assert len(server.heard) == times


@pytest.mark.parametrize("request_", [READ, WRITE])
async def test_a_small_nonce_was_not_carried_out_and_is_asked_again_with_a_bigger_one(
    autojump_clock: MockClock, tmp_path: Path, request_: RestRequest
) -> None:
    async with a_door(autojump_clock, tmp_path) as (door, server):
        server.answers.append(error(10114, "nonce: small"))
        await door.ask(request_)
        first, second = (int(heard.headers["bfx-nonce"]) for heard in server.heard)
        assert second - first >= 10_000_000


async def test_a_nonce_that_stays_small_is_given_up(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with a_door(autojump_clock, tmp_path) as (door, server):
        server.otherwise = lambda heard: error(10114, "nonce: small")
        with pytest.raises(NonceTooSmall):
            await door.ask(READ)
        assert len(server.heard) == 3


async def test_a_final_no_is_final(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with a_door(autojump_clock, tmp_path) as (door, server):
        server.answers.append(error(10100, "apikey: invalid"))
        with pytest.raises(AuthFailed):
            await door.ask(READ)
        assert len(server.heard) == 1


async def test_after_429_that_endpoint_is_left_alone_for_a_minute(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with a_door(autojump_clock, tmp_path) as (door, server):
        server.answers.append(Answer(status=429, body=b'["error",11010,"ratelimit: error"]'))
        with pytest.raises(RateLimited):
            await door.ask(PUBLIC)
        began = trio.current_time()
        assert await door.ask(READ) == []
        assert trio.current_time() - began < 5
        assert await door.ask(PUBLIC) == []
        assert trio.current_time() - began >= 60
        assert len(server.heard) == 3


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("header", ["60000", "9" * 400])
async def test_a_wait_of_hours_that_the_other_side_asks_for_is_not_kept(
    autojump_clock: MockClock, tmp_path: Path, status: int, header: str
) -> None:
    """Milliseconds in the place of seconds would keep the account's history unknown for most of a day."""
    async with a_door(autojump_clock, tmp_path) as (door, server):
        body = error_body(11010, "ratelimit: error") if status == 429 else b"<html>"
        server.answers.append(Answer(status=status, body=body, headers=(("retry-after", header),)))
        with pytest.raises((RateLimited, MalformedFrame, CircuitOpen)):
            await door.ask(WRITE if status == 503 else READ)
        await trio.sleep(LONGEST_S)
        began = trio.current_time()
        assert await door.ask(WRITE if status == 503 else READ) == []
        assert trio.current_time() - began < 60


async def test_what_keeps_failing_is_not_asked_at_all_for_a_while(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with a_door(autojump_clock, tmp_path) as (door, server):
        server.otherwise = lambda heard: Answer(status=503, body=b"<html>")
        with pytest.raises(MalformedFrame):
            await door.ask(READ)
        with pytest.raises((CircuitOpen, MalformedFrame)):
            await door.ask(READ)
        asked = len(server.heard)
        assert asked == 4
        with pytest.raises(CircuitOpen):
            await door.ask(READ)
        assert len(server.heard) == asked
        server.otherwise = lambda heard: Answer()
        await trio.sleep(5)
        assert await door.ask(READ) == []


async def test_requests_of_one_class_do_not_crowd(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with a_door(autojump_clock, tmp_path) as (door, server):

        async def think() -> None:
            await trio.sleep(0.5)

        server.otherwise = lambda heard: Answer(wait=think)
        async with trio.open_nursery() as nursery:
            for _ in range(8):
                nursery.start_soon(door.ask, PUBLIC)
        assert server.most_at_once == door.budget.concurrency("ticker")


async def test_signed_requests_arrive_in_the_order_of_their_nonces(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with a_door(autojump_clock, tmp_path) as (door, server):
        async with trio.open_nursery() as nursery:
            for _ in range(12):
                nursery.start_soon(door.ask, READ)
        nonces = [int(heard.headers["bfx-nonce"]) for heard in server.heard]
        assert nonces == sorted(set(nonces))
        assert server.most_at_once == 1


async def test_without_a_key_nothing_signed_leaves(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with a_door(autojump_clock, tmp_path) as (door, server):
        door.key = None
        with pytest.raises(RequestFailed, match="there is no API key") as caught:
            await door.ask(READ)
        assert not caught.value.sent
        assert server.heard == []


async def test_what_is_asked_is_counted_by_class_with_how_long_the_venue_took(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with a_door(autojump_clock, tmp_path) as (door, server):
        slow = Answer(body=b"[1,2,3]", wait=partial(trio.sleep, 0.5))
        server.answers += [Answer(body=b"[1,2]"), slow, Answer(body=b"x" * 50, cut=True)]
        await door.ask(PUBLIC)
        await door.ask(PUBLIC)
        with pytest.raises(RequestFailed):
            await door.ask(WRITE)
        trading, public = door.views()
    assert (trading.client, public.client) == ("rest_private_trading", "rest_public_market")
    assert (public.requests, public.answers, public.failures) == (2, 2, 0)
    assert (public.bytes_in, public.bytes_out) == (12, 0)
    assert public.p99_s is not None
    assert public.p50_s is not None
    assert public.p50_s < 0.5 <= public.p99_s
    assert sum(public.times.counts) == 2
    assert (trading.requests, trading.failures, trading.bytes_out, trading.p50_s) == (1, 1, len(WRITE.body), None)
    assert public.tokens is not None
    assert public.utilization is not None
    assert 0 < public.utilization < 1
