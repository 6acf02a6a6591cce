"""An HTTP server on a real loopback socket whose every answer a test can choose."""

import contextlib
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable

import attrs
import h11
import trio


@attrs.frozen(kw_only=True)
class Heard:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@attrs.frozen(kw_only=True)
class Answer:
    status: int = 200
    body: bytes = b"[]"
    headers: tuple[tuple[str, str], ...] = ()
    cut: bool = False
    """Break the stream inside the body."""
    silent: bool = False
    """Say nothing at all."""
    wait: Callable[[], Awaitable[None]] | None = None


@attrs.define(eq=False)
class ScriptedHttp:
    """`answers` are given in order, then `otherwise`."""

    url: str = ""
    answers: deque[Answer] = attrs.field(factory=deque)
    otherwise: Callable[[Heard], Answer] = attrs.field(default=lambda heard: Answer())
    heard: list[Heard] = attrs.field(factory=list)
    at_once: int = 0
    most_at_once: int = 0

    async def serve(self, stream: trio.SocketStream) -> None:
        with contextlib.suppress(trio.BrokenResourceError):
            while await self._one(stream):
                pass

    async def _one(self, stream: trio.SocketStream) -> bool:
        parser = h11.Connection(h11.SERVER)
        request: h11.Request | None = None
        body = b""
        while True:
            event = parser.next_event()
            if event is h11.NEED_DATA:
                data = await stream.receive_some()
                parser.receive_data(data)
                if not data and request is None:
                    return False
            elif isinstance(event, h11.Request):
                request = event
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            else:
                break
        if request is None:
            return False
        heard = Heard(
            method=request.method.decode(),
            target=request.target.decode(),
            headers={name.decode(): value.decode() for name, value in request.headers},
            body=body,
        )
        self.heard.append(heard)
        answer = self.answers.popleft() if self.answers else self.otherwise(heard)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            return await self._answer(stream, parser, answer)
        finally:
            self.at_once -= 1

    async def _answer(self, stream: trio.SocketStream, parser: h11.Connection, answer: Answer) -> bool:
        if answer.wait is not None:
            await answer.wait()
        if answer.silent:
            await trio.sleep_forever()
        headers = [("content-length", str(len(answer.body))), *answer.headers]
        head = parser.send(h11.Response(status_code=answer.status, headers=headers))
        assert head is not None
        await stream.send_all(head + (answer.body[: len(answer.body) // 2] if answer.cut else answer.body))
        if answer.cut:
            return False
        return True


@contextlib.asynccontextmanager
async def scripted_http() -> AsyncIterator[ScriptedHttp]:
    server = ScriptedHttp()
    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        await nursery.start(trio.serve_listeners, server.serve, listeners)
        server.url = f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}"
        yield server
        nursery.cancel_scope.cancel()
