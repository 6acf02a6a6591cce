"""A short way to `/health`: what balancers, supervisors and the page ask all day is answered without the framework.

Only the plainest form of the question comes this way: GET, without a query, a body or an Authorization header, and
past the guard. Everything else goes on to the application, whose answer to the same question is the same.
"""

from collections.abc import Callable
from typing import Final

import attrs
import msgspec

from web.api import Api
from web.errors import ApiError
from web.guard import Application, Receive, Scope, Send
from web.models import Health

PATH: Final = "/health"
NOT_PLAIN: Final = frozenset({b"authorization", b"content-length", b"transfer-encoding", b"expect"})
HEALTH_STATUS: Final = {"ok": 200, "degraded": 200, "starting": 503, "not_ready": 503, "down": 503}
FRESH_S: Final = 0.05
"""To look at every actor and mailbox takes longer than all the rest of an answer."""
_CONTENT_TYPE: Final = (b"content-type", b"application/json")
_encode: Final = msgspec.json.Encoder().encode


def health_answer(api: Api, bearer: str | None, address: str, health_of: Callable[[Api], Health]) -> tuple[int, bytes]:
    """Status and body for a caller; the parts are told to those with a token. Raises ApiError."""
    claims = api.claims_of(bearer, address)
    api.admit(claims, address, None)
    told = health_of(api)
    if claims is None:
        told = msgspec.structs.replace(told, parts=())
    return HEALTH_STATUS[told.status], _encode(told)


@attrs.define(kw_only=True, eq=False)
class QuickHealth:
    """ASGI middleware behind the guard."""

    app: Application
    api: Api
    health_of: Callable[[Api], Health]
    _kept: tuple[int, bytes] | None = attrs.field(default=None, init=False)
    _kept_until: float = attrs.field(default=0.0, init=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not _is_plain(scope):
            await self.app(scope, receive, send)
            return
        client = scope.get("client")
        headers = [_CONTENT_TYPE]
        try:
            status, body = self._answer(client[0] if client else "")
        except ApiError as error:
            status, body = error.status, _encode(error.answer(self.api.new_id()))
            headers += [(name.lower().encode(), value.encode()) for name, value in error.headers.items()]
        except Exception:
            # A mistake of ours is the application's to answer and to log.
            await self.app(scope, receive, send)
            return
        headers.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})

    def _answer(self, address: str) -> tuple[int, bytes]:
        """For whoever has no token: all that ask within `FRESH_S` are told the same. Raises ApiError."""
        now = self.api.clock.now()
        if self._kept is None or now >= self._kept_until or self.api.stopping.is_set():
            self._kept = health_answer(self.api, None, address, self.health_of)
            self._kept_until = now + FRESH_S
        else:
            self.api.admit(self.api.claims_of(None, address), address, None)
        return self._kept


def _is_plain(scope: Scope) -> bool:
    return (
        scope["type"] == "http"
        and scope["path"] == PATH
        and scope["method"] == "GET"
        and not scope["query_string"]
        and NOT_PLAIN.isdisjoint([name for name, _ in scope["headers"]])
    )
