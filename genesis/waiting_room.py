"""What a start shows while it waits: a site at the engine's address, until the engine's own takes the place over."""

import ssl
from collections.abc import Callable, Sequence
from typing import Final

import attrs
import structlog
import trio

from genesis.core.clock import Clock
from web.models import EngineStatus, Waits
from web.server import Server, ServerLimits
from web.tokens import Tokens
from web.waiting import waiting_app

GRACE_S: Final = 0.5
"""What an answer that is on its way may take when the engine's own site is ready: they are small."""

log = structlog.get_logger("genesis.run")


@attrs.define(kw_only=True, eq=False)
class WaitingRoom:
    """`on_wait` is called once, when the wait has its first reason. The listeners stay open and their owner's."""

    listeners: Sequence[trio.SocketListener]
    tls: ssl.SSLContext | None
    tokens: Tokens
    hosts: frozenset[str]
    loopback: bool
    clock: Clock
    status: Callable[[], EngineStatus]
    new_id: Callable[[], str]
    on_wait: Callable[[Waits], None]
    waits: Waits = attrs.field(init=False)
    _told: bool = attrs.field(default=False, init=False)
    _stopping: trio.Event = attrs.field(factory=trio.Event, init=False)
    _left: trio.Event = attrs.field(factory=trio.Event, init=False)

    def __attrs_post_init__(self) -> None:
        self.waits = Waits(what="start", since_ms=self.clock.wall_ms())

    def tell(self, what: str, reason: str = "") -> None:
        """What is waited for now, and why it goes on; the wait for another thing begins now."""
        since_ms = self.waits.since_ms if what == self.waits.what else self.clock.wall_ms()
        self.waits = Waits(what=what, since_ms=since_ms, reason=reason)
        if reason and not self._told:
            self._told = True
            self.on_wait(self.waits)

    async def serve(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Until `leave`. What goes wrong here is told, and ends no start: it only had a page to show."""
        app = waiting_app(
            status=self.status,
            waits=lambda: self.waits,
            tokens=self.tokens,
            hosts=self.hosts,
            loopback=self.loopback,
            new_id=self.new_id,
        )
        server = Server(app=app, stopping=self._stopping, limits=ServerLimits(grace_s=GRACE_S), tls=self.tls)
        task_status.started()
        try:
            await server.serve(self.listeners)
        except Exception as error:
            log.error("no_waiting_page", error=f"{type(error).__name__}: {error}", exc_info=error)
        finally:
            self._left.set()

    async def leave(self) -> None:
        """Give the listeners up; returns when nobody accepts on them any more. Asked again, it has left already."""
        self._stopping.set()
        await self._left.wait()
