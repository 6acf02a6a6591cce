"""The web actor under a real supervisor: it serves, remembers, survives a kill, and ends when told to."""

import random
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import httpx
import trio

from genesis.core.backoff import IMMEDIATE
from genesis.core.clock import TrioClock
from genesis.core.mailbox import Channel, Mailbox, Overflow
from genesis.core.specs import ChildSpec, SupervisorSpec
from genesis.core.supervisor import Supervisor
from protocols.market import CandleUpdate
from tests.own_time import own_s
from tests.web.fakes import BTC, Told, a_candle, a_ticker, some_readers
from tests.web.serving import QUICK, until
from web.actor import WebActor
from web.app import create_app
from web.guard import hosts_for
from web.hub import Hub
from web.keyring import new_keyring
from web.recent import Recent, UiEvent
from web.server import ServerCounters, open_listeners, port_of
from web.site import Site
from web.tokens import Scope, Tokens


@attrs.define
class Stage:
    events: Channel[UiEvent]
    recent: Recent
    supervisor: Supervisor
    site: Site
    tokens: Tokens

    async def get(self, path: str) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.tokens.mint(subject='t', scope=Scope.READ, life_s=60).token}"}
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.site.port}", trust_env=False) as client:
            return await client.get(path, headers=headers)


@asynccontextmanager
async def on_stage() -> AsyncIterator[Stage]:
    events: Channel[UiEvent] = Channel("ui", Overflow.DROP_OLDEST, capacity=1000)
    recent, hub, counters, clock = Recent(), Hub(), ServerCounters(), TrioClock()
    readers = some_readers(tickers=recent.tickers, candles=recent.candles)
    tokens = Tokens(keyring=new_keyring(secrets.token_bytes), clock=clock, random_bytes=secrets.token_bytes)
    listeners = await open_listeners("127.0.0.1", 0)
    app = create_app(
        readers=readers,
        controls=Told().controls(),
        tokens=tokens,
        clock=clock,
        chance=random.Random(1),
        hosts=hosts_for((), port_of(listeners)),
        hub=hub,
        server_counters=counters,
    )
    site = Site(app=app, listeners=listeners, counters=counters, limits=QUICK)
    child = ChildSpec(
        id="web",
        start=lambda: WebActor(recent=recent, hub=hub, readers=readers, serve=site.serve),
        mailbox=Mailbox("web", [events]),
        backoff=IMMEDIATE,
    )
    spec = SupervisorSpec(id="engine", children=(child,), intensity=100)
    supervisor = Supervisor(spec, clock=clock, chance=random.Random(1), on_event=lambda event: None)
    try:
        with trio.fail_after(60):
            async with trio.open_nursery() as nursery:
                await nursery.start(supervisor.run)
                yield Stage(events, recent, supervisor, site, tokens)
                await supervisor.stop()
    finally:
        await site.aclose()


async def test_it_serves_what_it_heard() -> None:
    async with on_stage() as stage:
        stage.events.put_nowait(a_ticker(last=123.0))
        stage.events.put_nowait(CandleUpdate(candle=a_candle(1), venue_ms=0, received_ns=0))
        await until(lambda: stage.recent.heard_total == 2)
        answer = await stage.get("/api/v2/market/ticker?symbol=tBTCUSD")
        assert answer.json()["tickers"][0]["last"] == 123.0
        assert len(stage.recent.candles(BTC, "1m")) == 1


async def test_it_is_killed_again_and_again_and_its_clients_are_answered_each_time() -> None:
    async with on_stage() as stage:
        for number in range(10):
            assert stage.supervisor.kill("engine/web", reason="test")
            stage.events.put_nowait(a_ticker(last=float(number)))
            assert (await stage.get("/health")).status_code == 200
        await until(lambda: stage.recent.heard_total >= 10)
        assert stage.recent.tickers()[BTC].last == 9.0


async def test_it_stops_in_time_with_a_client_attached() -> None:
    async with on_stage() as stage:
        idle = await trio.open_tcp_stream("127.0.0.1", stage.site.port)
        await idle.send_all(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % stage.site.port)
        await idle.receive_some(10)
        started = own_s()
        await stage.supervisor.stop()
        assert own_s() - started < QUICK.grace_s + 1
        await trio.aclose_forcefully(idle)
