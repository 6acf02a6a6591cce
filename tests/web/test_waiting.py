"""The site of a start that waits: it says what it waits for, takes no command, and gives its place to the engine's."""

import random
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import httpx
import pytest
import trio

from genesis.core.clock import TrioClock
from genesis.waiting_room import WaitingRoom
from tests.web.test_words import SHOWN, parts_of, read, shared_words
from web.guard import hosts_for
from web.keyring import new_keyring
from web.models import EngineStatus, Waits
from web.server import open_listeners, port_of
from web.tokens import Scope, Tokens

V2 = "/api/v2"
STATUS = EngineStatus(mode="live", version="1.2.3", state="starting")
REASON = "Maintenance: 20060"


@attrs.frozen
class Waiting:
    room: WaitingRoom
    client: httpx.AsyncClient
    told: list[Waits]

    def bearer(self) -> dict[str, str]:
        token = self.room.tokens.mint(subject="tester", scope=Scope.READ, life_s=60).token
        return {"Authorization": f"Bearer {token}"}


@asynccontextmanager
async def waiting(*, loopback: bool = True) -> AsyncIterator[Waiting]:
    listeners, told, chance = await open_listeners("127.0.0.1", 0), list[Waits](), random.Random(1)
    port, clock = port_of(listeners), TrioClock()
    room = WaitingRoom(
        listeners=listeners,
        tls=None,
        tokens=Tokens(keyring=new_keyring(secrets.token_bytes), clock=clock, random_bytes=secrets.token_bytes),
        hosts=hosts_for((), port),
        loopback=loopback,
        clock=clock,
        status=lambda: STATUS,
        new_id=lambda: f"{chance.getrandbits(64):016x}",
        on_wait=told.append,
    )
    try:
        async with (
            trio.open_nursery() as nursery,
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=60) as client,
        ):
            await nursery.start(room.serve)
            yield Waiting(room, client, told)
            nursery.cancel_scope.cancel()
    finally:
        for listener in listeners:
            await trio.aclose_forcefully(listener)


async def test_health_and_status_say_what_is_waited_for_and_since_when() -> None:
    async with waiting() as site:
        site.room.tell("venue")
        began = site.room.waits.since_ms
        site.room.tell("venue", REASON)
        answer = await site.client.get("/health")
        health = answer.json()
        assert (answer.status_code, health["status"], health["mode"]) == (503, "starting", "live")
        assert health["waits"] == {"what": "venue", "since_ms": began, "reason": REASON}
        assert (await site.client.get(f"{V2}/status")).status_code == 401
        status = await site.client.get(f"{V2}/status", headers=site.bearer())
        assert (status.status_code, status.json()["state"]) == (200, "starting")
        assert status.json()["waits"] == health["waits"]


async def test_a_stranger_from_elsewhere_is_not_told_why() -> None:
    async with waiting(loopback=False) as site:
        site.room.tell("venue", REASON)
        assert (await site.client.get("/health")).json()["waits"]["reason"] == ""
        assert (await site.client.get("/health", headers=site.bearer())).json()["waits"]["reason"] == REASON
        assert REASON not in (await site.client.get(f"{V2}/orders")).text
        wrong = await site.client.get("/health", headers={"Authorization": "Bearer a.b.c"})
        assert wrong.status_code == 401


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", f"{V2}/orders"),
        ("POST", f"{V2}/order"),
        ("POST", f"{V2}/auth/ticket"),
        ("POST", f"{V2}/risk/unified/flatten"),
        ("GET", "/metrics"),
        ("GET", "/no/such/thing"),
        ("GET", "/static/no.js"),
    ],
)
async def test_everything_else_is_refused_with_the_same_words(method: str, path: str) -> None:
    async with waiting() as site:
        site.room.tell("venue", REASON)
        body = {"confirm": "flatten"} if method == "POST" else None
        answer = await site.client.request(method, path, json=body, headers=site.bearer())
        error = answer.json()["error"]
        assert (answer.status_code, error["code"], answer.headers["retry-after"]) == (503, "starting", "5")
        assert "for the venue, which does not answer (Maintenance: 20060)" in error["message"]


@pytest.mark.parametrize("path", ["/", "/docs", "/ws"])
async def test_every_page_says_that_the_start_waits(path: str) -> None:
    async with waiting() as site:
        answer = await site.client.get(path)
        assert answer.status_code == 200
        assert "js/waiting.js" in answer.text
        assert answer.headers["cache-control"] == "no-cache", "the engine's page comes to the same address"
        assert "script-src 'self'" in answer.headers["content-security-policy"]


async def test_the_guard_stands_here_as_well_and_streams_are_refused() -> None:
    async with waiting() as site:
        assert (await site.client.get("/health", headers={"Host": "evil.example"})).status_code == 421
        upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
        knock = await site.client.get(
            f"{V2}/stream", headers={**upgrade, "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
        )
        assert (knock.status_code, knock.json()["error"]["code"]) == (503, "starting")


async def test_the_first_reason_is_told_once_and_another_wait_begins_anew() -> None:
    async with waiting() as site:
        room = site.room
        room.tell("venue")
        assert site.told == []
        for reason in ("first", "second"):
            room.tell("venue", reason)
        assert [one.reason for one in site.told] == ["first"]
        since_ms = room.waits.since_ms
        await trio.sleep(0.002)
        room.tell("start")
        assert room.waits.since_ms > since_ms
        assert room.waits.reason == ""


async def test_the_place_is_given_up_at_once_and_the_listeners_stay_open() -> None:
    """Who knocks between the two sites waits in the backlog for the engine's, and is not refused."""
    async with waiting() as site:
        assert (await site.client.get("/health")).status_code == 503
        with trio.fail_after(60):
            await site.room.leave()
            await site.room.leave()
            # Nobody accepts here any more, and the line stands all the same.
            async with await trio.open_tcp_stream("127.0.0.1", port_of(site.room.listeners)) as late:
                await late.send_all(b"GET /health HTTP/1.1\r\n")
                accepted = await site.room.listeners[0].accept()
                assert (await accepted.receive_some(3)) == b"GET"
                await accepted.aclose()


def test_every_text_of_the_page_has_a_swedish_one() -> None:
    shown = set(SHOWN.findall(read("waiting.js")))
    told = set(re.findall(r'\b(?:venue|feed|start): "([^"]+)"', read("waiting.js")))
    assert len(told) == 6
    words = shared_words(parts_of("waiting.js"))
    assert sorted((shown | told) - words.keys()) == []
