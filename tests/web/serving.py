"""A real server on loopback around a web of fakes, with limits short enough for tests."""

import math
import random
import secrets
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import attrs
import httpx
import trio

from genesis.core.clock import TrioClock
from tests.own_time import own_s
from tests.web.fakes import Told, some_readers
from web.app import create_app
from web.feed import Poll
from web.guard import hosts_for
from web.hub import Hub
from web.keyring import new_keyring
from web.readers import Readers
from web.server import ServerCounters, ServerLimits, open_listeners, port_of
from web.site import Site
from web.tokens import Scope, Tokens

QUICK = ServerLimits(
    headers_s=1.0,
    request_s=2.0,
    keep_alive_s=0.6,
    silence_s=30.0,
    ping_s=20.0,
    send_s=0.5,
    grace_s=0.5,
    connections=60,
    connections_per_address=50,
)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something the server does in its own time; fails after a minute."""
    with trio.fail_after(60):
        while not condition():  # noqa: ASYNC110 -- what is waited for has no event of its own
            await trio.sleep(0.01)


class JumpingClock(TrioClock):
    """A clock whose wall is put ahead by a test: nothing of it depends on how long the test itself takes."""

    def __init__(self) -> None:
        super().__init__()
        self.ahead_s = 0.0

    def wall_ms(self) -> int:
        return super().wall_ms() + int(self.ahead_s * 1000)


@attrs.define
class Served:
    site: Site
    tokens: Tokens
    hub: Hub
    poll: Poll
    told: Told
    stopping: trio.Event
    clock: "JumpingClock"
    ended_in: float = math.inf
    """How long stopping took, in seconds of its own."""

    @property
    def port(self) -> int:
        return self.site.port

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def stream(self) -> str:
        return f"ws://127.0.0.1:{self.port}/api/v2/stream"

    def token(self, scope: Scope = Scope.READ, life_s: float = 600) -> str:
        return self.tokens.mint(subject="tester", scope=scope, life_s=life_s).token

    async def connect(self) -> trio.SocketStream:
        return await trio.open_tcp_stream("127.0.0.1", self.port)

    async def alive(self) -> bool:
        """The server answers somebody new; asked again where this machine let him be too slow for the server."""
        async with httpx.AsyncClient(trust_env=False) as client:
            with trio.fail_after(60):
                while True:
                    slow = self.site.counters.timed_out
                    try:
                        return (await client.get(f"{self.base}/health")).status_code == 200
                    except httpx.TransportError:
                        if self.site.counters.timed_out == slow:
                            raise


@asynccontextmanager
async def a_server(
    limits: ServerLimits = QUICK,
    readers: Readers | None = None,
    told: Told | None = None,
    patience_s: float = 150,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[Served]:
    """Serve until the block ends, then stop and note how long that took."""
    listeners = await open_listeners("127.0.0.1", 0)
    counters, clock, hub, told = ServerCounters(), JumpingClock(), Hub(), told or Told()
    tokens = Tokens(keyring=new_keyring(secrets.token_bytes), clock=clock, random_bytes=secrets.token_bytes)
    readers = readers if readers is not None else some_readers()
    app = create_app(
        readers=readers,
        controls=told.controls(),
        tokens=tokens,
        clock=clock,
        chance=random.Random(1),
        hosts=hosts_for((), port_of(listeners)),
        hub=hub,
        server_counters=counters,
    )
    site = Site(app=app, listeners=listeners, counters=counters, limits=limits, tls=tls)
    served = Served(site, tokens, hub, Poll(readers=readers, hub=hub), told, trio.Event(), clock)
    started = 0.0
    try:
        with trio.fail_after(patience_s):
            async with trio.open_nursery() as nursery:
                await nursery.start(site.serve, served.stopping)
                yield served
                started = own_s()
                served.stopping.set()
            served.ended_in = own_s() - started
    finally:
        await site.aclose()
