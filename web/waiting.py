"""The site of a start that waits: what it waits for and since when, before there is an engine that could be asked.

It answers at the address where the engine will: the page says what is waited for, `/health` and the status do, and
everything else is refused with the same words. Nothing can be changed here, and no ticket or secret is taken.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import attrs
import msgspec

from web.api import bearer_of
from web.errors import ApiError
from web.guard import Application, Guard, GuardedApp, Receive, Scope, Send
from web.models import EngineStatus, Health, Waits
from web.static_files import PAGES, StaticFiles, StaticSite
from web.tokens import TokenError, Tokens

STATIC: Final = Path(__file__).parent / "static"
HEALTH: Final = "/health"
STATUS: Final = "/api/v2/status"
ASK_AGAIN_S: Final = 5
WORDS: Final = {
    "venue": "the venue, which does not answer",
    "feed": "the public market feed",
    "start": "its own records, which it reads",
}
_encode: Final = msgspec.json.Encoder().encode


def told(waits: Waits) -> str:
    """One sentence for people."""
    since = datetime.fromtimestamp(waits.since_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    reason = f" ({waits.reason})" if waits.reason else ""
    return f"the engine starts and waits since {since} UTC for {WORDS.get(waits.what, waits.what)}{reason}"


@attrs.frozen(kw_only=True)
class WaitingSite:
    """ASGI, behind the guard and the static files. `tells_all` tells callers without a token the reason, too."""

    status: Callable[[], EngineStatus]
    waits: Callable[[], Waits]
    tokens: Tokens
    tells_all: bool
    new_id: Callable[[], str]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        headers: list[tuple[bytes, bytes]] = []
        try:
            status, body = self._answer(scope)
        except ApiError as error:
            status, body = error.status, _encode(error.answer(self.new_id()))
            headers = [(name.lower().encode(), value.encode()) for name, value in error.headers.items()]
        headers += [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        kind = "http.response" if scope["type"] == "http" else "websocket.http.response"
        await send({"type": f"{kind}.start", "status": status, "headers": headers})
        await send({"type": f"{kind}.body", "body": body, "more_body": False})

    def _answer(self, scope: Scope) -> tuple[int, bytes]:
        waits = self.waits()
        reads = scope["type"] == "http" and scope["method"] in ("GET", "HEAD")
        if reads and scope["path"] == HEALTH:
            known = self._is_known(scope)
            status = self.status()
            health = Health(
                status="starting",
                mode=status.mode,
                version=status.version,
                dev=status.dev,
                auth_required=status.auth_required,
                waits=waits if known or self.tells_all else msgspec.structs.replace(waits, reason=""),
            )
            return 503, _encode(health)
        if reads and scope["path"] == STATUS:
            if not self._is_known(scope):
                raise ApiError(401, "a bearer token is needed", headers={"WWW-Authenticate": "Bearer"})
            return 200, _encode(msgspec.structs.replace(self.status(), waits=waits))
        shown = waits if self.tells_all or self._is_known(scope) else msgspec.structs.replace(waits, reason="")
        raise ApiError(503, told(shown), code="starting", headers={"Retry-After": str(ASK_AGAIN_S)})

    def _is_known(self, scope: Scope) -> bool:
        """Whether the caller shows a good token. Raises ApiError for a bad one."""
        given = dict(scope["headers"]).get(b"authorization")
        bearer = bearer_of(None if given is None else bytes(given).decode("latin1"))
        if bearer is None:
            return False
        try:
            self.tokens.verify(bearer)
        except TokenError as error:
            raise ApiError(401, str(error), headers={"WWW-Authenticate": 'Bearer error="invalid_token"'}) from None
        return True


def waiting_app(
    *,
    status: Callable[[], EngineStatus],
    waits: Callable[[], Waits],
    tokens: Tokens,
    hosts: frozenset[str],
    loopback: bool,
    new_id: Callable[[], str],
) -> Application:
    """The whole site; `hosts` are the names under which it answers, as the engine's."""
    site = WaitingSite(status=status, waits=waits, tokens=tokens, tells_all=loopback, new_id=new_id)
    pages = dict.fromkeys(PAGES, "waiting.html")
    files = StaticSite(site, StaticFiles(STATIC), pages)
    return GuardedApp(app=files, guard=Guard(hosts=hosts), refused=lambda _: None, new_id=new_id)


async def _live(receive: Receive, send: Send) -> None:
    while True:
        message: Any = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
