"""The site: the application and its listeners, which outlive every crash of the actor that serves them."""

import ssl
from collections.abc import Sequence

import attrs
import trio
from quart_trio import QuartTrio

from web.api import Api
from web.crier import Crier
from web.server import Server, ServerCounters, ServerLimits, port_of


@attrs.define(eq=False, kw_only=True)
class Site:
    """Made by the roof, which opens the listeners first: a taken port is then an error at start, not a crash later.

    `counters` must be the ones `create_app` was given.
    """

    app: QuartTrio
    listeners: Sequence[trio.SocketListener]
    counters: ServerCounters
    limits: ServerLimits = attrs.field(factory=ServerLimits)
    tls: ssl.SSLContext | None = None

    @property
    def port(self) -> int:
        return port_of(self.listeners)

    @property
    def scheme(self) -> str:
        return "http" if self.tls is None else "https"

    async def serve(
        self, stopping: trio.Event, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """One server's life: until `stopping` is set, cancelled, or broken."""
        # The stream's handlers say goodbye to their clients by this event, so it must be the one of this life.
        api: Api = self.app.config["API"]
        api.stopping = stopping
        server = Server(app=self.app, stopping=stopping, limits=self.limits, tls=self.tls, counters=self.counters)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(Crier(api.hub).run)
            await server.serve(self.listeners, task_status=task_status)
            nursery.cancel_scope.cancel()

    async def aclose(self) -> None:
        for listener in self.listeners:
            await trio.aclose_forcefully(listener)
