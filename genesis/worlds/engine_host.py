"""One life of the engine in a world: everything that a real start makes, on a virtual network and a simulated disk."""

import contextlib
import random
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Final, TypeVar

import attrs
import trio
from typing_extensions import override

from genesis.core.chance import Chance
from genesis.core.clock import TrioClock
from genesis.core.errors import Escalated
from genesis.core.supervisor import SupervisorEvent
from genesis.domain.pairs import PairSpecs
from genesis.domain.rest_budget import RestBudget
from genesis.domain.settings_build import Built, Layer, build
from genesis.edge.errors import LinkClosed, RequestFailed
from genesis.edge.http import HttpAnswer, HttpClient
from genesis.edge.narrow_line import NOTHING_DONE
from genesis.edge.nonce import NonceOwner
from genesis.edge.rest import RestDoor, RestKey
from genesis.edge.secrets import Credentials, Secret
from genesis.edge.store import Store
from genesis.edge.store_errors import StoreError
from genesis.edge.store_thread import StoreThread
from genesis.edge.websocket import WebSocket, fast_websocket
from genesis.engine import Engine, Restarts, VenuePorts
from genesis.simulator.settings import DEFAULT_KEY, DEFAULT_SECRET
from genesis.worlds.disk import Disk
from genesis.worlds.hooks import wall_s
from genesis.worlds.network import LOOPBACK
from genesis.worlds.process import Process, ProcessDied
from genesis.worlds.venue_host import VENUE_NAME, VENUE_PORT
from genesis.worlds.witness import Witness
from protocols.bitfinex.errors import RemoteProtocolError
from protocols.bitfinex.rest import read_answer
from protocols.health import ActorView
from protocols.journal import Commit, Committed
from protocols.settings import Settings
from web.app import create_app
from web.controls import Controls
from web.guard import hosts_for
from web.keyring import open_keyring
from web.models import EngineStatus
from web.server import ServerCounters, open_listeners, port_of
from web.site import Site
from web.tokens import Tokens

ENGINE_ADDRESS: Final = "10.0.0.2"
WEB_PORT: Final = 8000
STOP_WITHIN_S: Final = 15.0
PATIENT: Final = Restarts(intensity=50, period_s=60.0, max_consecutive=100)
"""A world's plan crashes actors more often than an hour of real life; escalation has its own plans."""

ORDERS: Final = (b'[0,"on"', b'[0,"ox_multi"')
"""How a frame begins that holds a new order."""

WRITES: Final = {"auth/w/order/submit": "on", "auth/w/order/cancel": "oc"}
"""What leaves over REST, by its name on the socket."""

T = TypeVar("T")


class WatchedStore(StoreThread):
    """The store on a simulated disk: out of reach for the dead, and every commit is shown when it is durable."""

    def __init__(self, store: Store, process: Process, committed: Callable[[Commit, Committed], None]) -> None:
        super().__init__(store, inline=True)
        self._process = process
        self._committed = committed
        self.pause_s = 0.0
        """A slow disk: how long each call takes."""
        self.is_damaged = False
        """Its writes fail because the world wants them to, whoever owns the journal."""

    def fill_up(self) -> None:
        """The disk is full from now on: SQLite may take no page more than it has."""
        self.is_damaged = True
        pages = self.store._connection.execute("PRAGMA page_count").fetchone()[0]
        self.store._connection.execute(f"PRAGMA max_page_count = {pages}")

    def break_down(self) -> None:
        """Every write fails from now on."""
        self.is_damaged = True
        self.store._connection.execute("PRAGMA query_only = 1")

    @override
    async def _call(self, call: Callable[[], T]) -> T:
        if self.pause_s:
            with trio.CancelScope(shield=True):
                await trio.sleep(self.pause_s)
        else:
            await trio.lowlevel.checkpoint()
        self._process.check_alive()
        return call()

    @override
    async def commit(self, commits: "list[Commit]", *, at_ms: int) -> list[Committed]:  # type: ignore[override]
        answers = await super().commit(commits, at_ms=at_ms)
        for commit, answer in zip(commits, answers, strict=True):
            self._committed(commit, answer)
        return answers


@attrs.define(eq=False)
class WatchedSocket:
    """The private socket with a witness behind it: every frame is shown before its first byte leaves."""

    socket: WebSocket
    leaves: Callable[[bytes], None]
    breaks: Callable[[], bool] = lambda: False
    """Asked behind a send whether it is to fail after all its bytes have left."""

    async def receive_many(self) -> list[bytes]:
        return await self.socket.receive_many()

    async def send(self, message: bytes) -> None:
        self.leaves(message)
        await self.socket.send(message)
        if message.startswith(ORDERS) and self.breaks():
            raise LinkClosed(1006, "the line broke behind the last byte")

    def make_ready(self, message: bytes) -> None:
        self.socket.make_ready(message)

    async def ping(self) -> None:
        await self.socket.ping()

    async def aclose(self) -> None:
        await self.socket.aclose()

    @property
    def closed(self) -> bool:
        return self.socket.closed


class WatchedHttp(HttpClient):
    """REST with a witness: orders and cancels are shown before they leave, and orders again when something of them may
    have."""

    leaves: Callable[[str, bytes], None]
    left: Callable[[bytes], None]

    @override
    async def exchange(
        self, method: str, target: str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> HttpAnswer:
        kind = WRITES.get(target.removeprefix("/v2/"))
        if kind is not None:
            self.leaves(kind, body)
        if kind != "on":
            return await super().exchange(method, target, headers=headers, body=body)
        nothing_done = False
        try:
            answer = await super().exchange(method, target, headers=headers, body=body)
            nothing_done = _nothing_done(answer)
        except RequestFailed as error:
            nothing_done = not error.sent
            raise
        finally:
            if not nothing_done:
                self.left(body)
        return answer


def _nothing_done(answer: HttpAnswer) -> bool:
    """Whether the venue says that it has done nothing, so that the same request may come once more."""
    try:
        read_answer(answer.status, answer.body)
    except NOTHING_DONE:
        return True
    except RemoteProtocolError:
        pass
    return False


@attrs.frozen(kw_only=True)
class Eyes:
    """Who is shown what the engine does: journals found, durable commits, frames about to leave, nonces, crashes."""

    opened: Callable[["EngineHost", Store], None]
    committed: Callable[["EngineHost", Commit, Committed], None]
    leaves: Callable[["EngineHost", bytes], None]
    leaves_by_rest: Callable[["EngineHost", str, bytes], None]
    left_by_rest: Callable[["EngineHost", bytes], None]
    nonce: Callable[["EngineHost", int], None]
    event: Callable[["EngineHost", SupervisorEvent], None]


class WatchedNonce(NonceOwner):
    """The nonce owner, every number of which is shown."""

    shown: Callable[[int], None]

    @override
    async def next(self) -> int:
        nonce = await super().next()
        self.shown(nonce)
        return nonce


def settings_of(layer: Layer) -> Settings:
    built = build((layer,))
    if not isinstance(built, Built):
        raise ValueError(f"a world's settings must be valid, were {built}")
    return built.settings


class EngineHost:
    """One process of the engine, from start to stop or death."""

    def __init__(
        self,
        *,
        name: str,
        life: int,
        disk: Disk,
        layer: Layer,
        settings: Settings,
        pairs: PairSpecs,
        seed: str,
        witness: Witness,
        eyes: Eyes,
        restarts: Restarts = PATIENT,
        with_web: bool = True,
    ) -> None:
        self.process = Process(name, ENGINE_ADDRESS)
        self.life = life
        self.disk = disk
        self.layer = layer
        self.pairs = pairs
        self.chance = Chance(f"{seed}-{name}-{life}")
        self.witness = witness
        self.eyes = eyes
        self.restarts = restarts
        self.with_web = with_web
        self.engine: Engine | None = None
        self.store: WatchedStore | None = None
        self.tokens: Tokens | None = None
        self.started = trio.Event()
        self.over = trio.Event()
        self.stopping = trio.Event()
        self.break_next_send = False
        self.epoch = 0
        self.opened_seq = 0
        self.settings = settings
        self.ended: str = ""
        """Why it ended: stopped, killed, gave up, or what kept it from starting."""

    def __str__(self) -> str:
        return f"{self.process.name} life {self.life}"

    @property
    def controls(self) -> Controls:
        assert self.engine is not None, f"{self} must have been started"
        return self.engine.controls

    def leaves(self) -> list[str]:
        """The path of every actor."""
        found: list[str] = []
        assert self.engine is not None

        def walk(view: ActorView, path: str) -> None:
            if not view.children:
                found.append(path)
            for child in view.children:
                walk(child, f"{path}/{child.name}" if path else child.name)

        walk(self.engine.supervisor.tree(), "")
        return found

    def kill(self, *, shared: bool, power: random.Random | None = None) -> list[str]:
        """In this instant: memory is gone, files are what they are. Its locks die with it.

        With `shared` another engine lives on the same files, and goes on doing so. With `power` (that fails) files are
        what was synced of them, and perhaps more; gives the names of those that lost something.
        """
        lost: list[str] = []
        if self.process.alive:
            if self.store is not None:
                # The dead fold no log back, not even while they are carried out.
                self.store.store._poison = "killed"
            if not shared and power is not None:
                lost = self.disk.power_cut(power)
            elif not shared:
                self.disk.freeze()
            self.process.kill()
            self.ended = "killed"
            self.started.set()
            self.over.set()
        return lost

    def stop(self) -> None:
        """What SIGTERM does."""
        self.stopping.set()

    async def run(self) -> None:
        self.process.enter()
        try:
            with self.process.scope:
                await self._live()
        except* ProcessDied:
            pass
        except* StoreError as group:
            self._failed(group)
        except* Exception as group:
            if self.process.alive:
                self._failed(group)
                raise
        finally:
            self.process.alive = False
            self.ended = self.ended or "stopped"
            self.started.set()
            self.over.set()

    def _failed(self, group: BaseExceptionGroup[BaseException]) -> None:
        if self.process.alive:
            leaf: BaseException = group
            while isinstance(leaf, BaseExceptionGroup):
                leaf = leaf.exceptions[0]
            # Without the name of the folder, which is another one in every run.
            self.ended = f"{type(leaf).__name__}: {leaf}".replace(str(self.disk.root), "disk")
            self.witness.note("engine", f"{self} ended: {type(leaf).__name__}")

    async def _live(self) -> None:
        # As it is now, while the world's clock stands in for trio's way to it.
        clock = TrioClock(trio.current_time)
        folder = self.disk.folder
        async with contextlib.AsyncExitStack() as stack:
            nonce = WatchedNonce(folder / "nonce", lambda: int(wall_s() * 1e6))
            nonce.shown = lambda number: self.eyes.nonce(self, number)
            stack.callback(nonce.close)
            address = f"http://{VENUE_NAME}:{VENUE_PORT}"
            http = WatchedHttp(address)
            await stack.enter_async_context(http)
            http.leaves = lambda kind, body: self.eyes.leaves_by_rest(self, kind, body)
            http.left = lambda body: self.eyes.left_by_rest(self, body)
            secret = Secret(DEFAULT_SECRET)
            door = RestDoor(
                public=http,
                private=http,
                budget=RestBudget(""),
                clock=clock,
                chance=self.chance.port("rest"),
                key=RestKey(key=DEFAULT_KEY, secret=secret, nonce=nonce),
            )
            opened = Store.open(folder / "live.sqlite", at_ms=clock.wall_ms())
            # A killed process closes nothing, but this one's files are files of ours, too.
            stack.callback(opened.close)
            self.epoch = opened.epoch()
            self.opened_seq = opened.head().seq
            self.eyes.opened(self, opened)
            store = self.store = WatchedStore(
                opened, self.process, lambda commit, answer: self.eyes.committed(self, commit, answer)
            )
            socket = f"ws://{VENUE_NAME}:{VENUE_PORT}/ws/2"
            engine = self.engine = Engine(
                settings=self.settings,
                layers=(self.layer,),
                pairs=self.pairs,
                store=store,
                venue=VenuePorts(
                    public_uri=socket,
                    private_uri=socket,
                    dial_public=fast_websocket,
                    dial_private=self._dial_private,
                    door=door,
                    credentials=Credentials(key=DEFAULT_KEY, secret=secret),
                    nonce=nonce,
                    pace_dials=True,
                ),
                clock=clock,
                chance=self.chance,
                status=self._status,
                on_event=lambda event: self.eyes.event(self, event),
                restarts=self.restarts,
                chaos=True,
            )
            if self.with_web:
                await self._open_web(engine, folder, stack, clock)
            async with trio.open_nursery() as nursery:
                try:
                    await nursery.start(self._supervise, engine)
                except Escalated as error:
                    self.ended = f"could not start: {error}"
                else:
                    self.started.set()
                    await self.stopping.wait()
                    began = trio.current_time()
                    await engine.supervisor.stop()
                    took = trio.current_time() - began
                    self.witness.check("E6", took <= STOP_WITHIN_S, f"{self} took {took:.1f} s to stop")
                    nursery.cancel_scope.cancel()

    async def _supervise(self, engine: Engine, *, task_status: trio.TaskStatus[None]) -> None:
        try:
            await engine.supervisor.run(task_status=task_status)
        except Escalated as error:
            self.ended = f"gave up: {error}"
            self.witness.note("engine", f"{self} gave up")
            self.witness.reached("the engine gave up and its process ended")
            if not self.started.is_set():
                raise
            self.stopping.set()

    async def _open_web(self, engine: Engine, folder: Path, stack: contextlib.AsyncExitStack, clock: TrioClock) -> None:
        listeners = await open_listeners(LOOPBACK, WEB_PORT)
        counters = ServerCounters()
        entropy = self.chance.port("tokens")
        tokens = self.tokens = Tokens(
            keyring=open_keyring(folder / "web.json", entropy.randbytes),
            clock=clock,
            random_bytes=entropy.randbytes,
        )
        app = create_app(
            readers=engine.readers,
            controls=engine.controls,
            tokens=tokens,
            clock=clock,
            chance=self.chance.port("web"),
            hosts=hosts_for([LOOPBACK], port_of(listeners)),
            hub=engine.hub,
            server_counters=counters,
        )
        site = Site(app=app, listeners=listeners, counters=counters)
        engine.serve_web = site.serve
        stack.push_async_callback(site.aclose)

    @contextlib.asynccontextmanager
    async def _dial_private(self, uri: str, *, timeout_s: float) -> AsyncIterator[WebSocket]:
        async with fast_websocket(uri, timeout_s=timeout_s) as socket:
            yield WatchedSocket(socket, lambda frame: self.eyes.leaves(self, frame), self._send_breaks)

    def _send_breaks(self) -> bool:
        broken, self.break_next_send = self.break_next_send, False
        return broken

    def _status(self) -> EngineStatus:
        return EngineStatus(mode="sim", version="world")
