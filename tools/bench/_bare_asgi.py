"""The least that can answer: what the web layer is compared with, on the same server."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

BODY: Final = b'{"status":"ok","mode":"sim","version":"0.1.0","dev":false,"parts":[]}'
HEADERS: Final = [(b"content-type", b"application/json"), (b"content-length", str(len(BODY)).encode())]

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


async def app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        while True:
            event = await receive()
            await send({"type": f"{event['type']}.complete"})
            if event["type"] == "lifespan.shutdown":
                return
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": BODY})
