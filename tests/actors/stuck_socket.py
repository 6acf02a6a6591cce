"""A private socket whose next send does not end as it should."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from genesis.edge.websocket import Dial, WebSocket, fast_websocket


class StuckSocket:
    """A socket whose next send hangs for ever, or tears, in the middle of a command."""

    def __init__(self, inner: WebSocket, fate: list[str]) -> None:
        self.made_ready: list[bytes] = []
        self.sent: list[bytes] = []
        self._inner = inner
        self._fate = fate

    @property
    def closed(self) -> bool:
        return self._inner.closed

    async def receive_many(self) -> list[bytes]:
        return await self._inner.receive_many()

    def make_ready(self, message: bytes) -> None:
        self.made_ready.append(message)
        self._inner.make_ready(message)

    async def ping(self) -> None:
        await self._inner.ping()

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def send(self, message: bytes) -> None:
        self.sent.append(message)
        fate = self._fate.pop(0) if self._fate and message.startswith(b"[0,") else "goes"
        if fate == "hangs":
            await trio.sleep_forever()
        if fate == "leaves and hangs":
            await self._inner.send(message)
            await trio.sleep_forever()
        if fate == "tears":
            await self._inner.aclose()
        await self._inner.send(message)


def stuck_dial(fate: list[str]) -> Dial:
    @asynccontextmanager
    async def dial(uri: str, *, timeout_s: float) -> AsyncIterator[WebSocket]:
        async with fast_websocket(uri, timeout_s=timeout_s) as socket:
            yield StuckSocket(socket, fate)

    return dial
