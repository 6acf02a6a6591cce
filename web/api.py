"""What every route works with: the engine's readers and controls, the mint, and one request at a time."""

import random
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import attrs
import msgspec
import trio

from genesis.core.clock import Clock
from web.bodies import NoBody, NoQuery
from web.controls import Controls
from web.desk import Desk
from web.errors import ApiError
from web.hub import Hub
from web.idempotency import Attempts, Replays
from web.limits import Lockout, RateLimit
from web.metrics import Metrics
from web.readers import Readers
from web.snapshots import Snapshots
from web.sysinfo import SystemWatch
from web.tokens import Claims, Scope, TokenError, Tokens

BEARER: Final = "bearer "
ANONYMOUS: Final = "anonymous"


@attrs.define(kw_only=True)
class Api:
    """Everything the web was given, in one place. `stopping` belongs to the server that runs now, and says drain.

    With `open_access` nobody is asked for a token: only a simulation on loopback may have it.
    """

    readers: Readers
    controls: Controls
    tokens: Tokens
    clock: Clock
    chance: random.Random
    hub: Hub
    metrics: Metrics
    desk: Desk = attrs.field(factory=Desk)
    routes: "tuple[Route, ...]" = ()
    system: SystemWatch = attrs.field(factory=SystemWatch)
    replays: Replays = attrs.field(factory=Replays)
    attempts: Attempts = attrs.field(factory=Attempts)
    stopping: trio.Event = attrs.field(factory=trio.Event)
    loopback: bool = True
    open_access: bool = False
    requests: RateLimit = attrs.field(factory=RateLimit)
    lockout: Lockout = attrs.field(factory=Lockout)
    snapshots: Snapshots = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.snapshots = Snapshots(readers=self.readers, hub=self.hub, clock=self.clock)

    def new_id(self) -> str:
        """A name for an error, a command or an order: unique enough to find it again, no secret."""
        return f"{self.chance.getrandbits(64):016x}"

    def has(self, needs: str) -> bool:
        """Whether this engine has a control, or a port of the desk, of that name."""
        return getattr(self.controls, needs, None) is not None or getattr(self.desk, needs, None) is not None

    def claims_of(self, bearer: str | None, address: str) -> Claims | None:
        """What a presented token says; None without one. Raises ApiError for a bad one, slower with every failure.

        The token is looked at first and the lock-out after: bad guesses at this address never keep the owner out.
        """
        if bearer is None:
            return self.everybody() if self.open_access else None
        now = self.clock.now()
        try:
            claims = self.tokens.verify(bearer)
        except TokenError as error:
            wait_s = self.lockout.wait_s(address, now)
            if wait_s > 0:
                raise too_many(wait_s, "too many failed tokens from this address") from None
            self.lockout.failed(address, now)
            self.metrics.token_failures.inc()
            raise ApiError(401, str(error), headers={"WWW-Authenticate": 'Bearer error="invalid_token"'}) from None
        return claims

    def everybody(self) -> Claims:
        """What a caller without a token may do where none is asked for."""
        now_s = self.clock.wall_ms() // 1000
        key = self.tokens.keyring.signing_key.kid
        return Claims(
            subject=ANONYMOUS,
            scope=Scope.ADMIN,
            jti=ANONYMOUS,
            issued_s=now_s,
            expires_s=now_s + 3600,
            auth_s=now_s,
            kid=key,
        )

    def admit(self, claims: Claims | None, address: str, scope: Scope | None) -> None:
        """Raises ApiError unless the caller may use a route of this scope, and has not asked too often."""
        wait_s = self.requests.take(address if claims is None else claims.jti, self.clock.now())
        if wait_s > 0:
            raise too_many(wait_s, "too many requests")
        if scope is None:
            return
        if claims is None:
            raise ApiError(401, "a bearer token is needed", headers={"WWW-Authenticate": "Bearer"})
        if claims.scope < scope:
            raise ApiError(
                403,
                f"the token's scope must be {scope.word} or above, was {claims.scope.word}",
                code="scope_too_low",
                headers={"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{scope.word}"'},
            )


def too_many(wait_s: float, message: str) -> ApiError:
    return ApiError(429, message, headers={"Retry-After": str(max(1, round(wait_s)))})


def bearer_of(authorization: str | None) -> str | None:
    """The token of an Authorization header; raises ApiError when the header is of another kind."""
    if authorization is None:
        return None
    if authorization[: len(BEARER)].lower() != BEARER or not authorization[len(BEARER) :].strip():
        raise ApiError(401, "the Authorization header must be: Bearer <token>", headers={"WWW-Authenticate": "Bearer"})
    return authorization[len(BEARER) :].strip()


@attrs.frozen(kw_only=True)
class Call:
    """One request, decoded and admitted. `claims` is None on public routes called without a token."""

    claims: Claims | None
    bearer: str | None
    address: str
    path: Mapping[str, str]
    query: Any
    body: Any
    idempotency_key: str | None = None
    if_match: str | None = None

    @property
    def subject(self) -> str:
        return self.claims.subject if self.claims is not None else ANONYMOUS


Handler = Callable[[Api, Call], Awaitable[msgspec.Struct | msgspec.Raw]]


@attrs.frozen(kw_only=True)
class Route:
    """One line of the table of routes. `scope` None is public; there is no default, so nobody forgets it.

    `path` is written as in OpenAPI: `/api/v2/order/{order_id}`. `needs` names the control, or the port of the desk,
    without which the route answers 404; `statuses` are the refusals of its own that the document should list;
    `successor` is the new path of an old one; `etag` answers 304 to who has the same already.
    """

    method: str
    path: str
    scope: Scope | None
    handler: Handler
    answer: type[msgspec.Struct]
    tag: str
    summary: str
    body: type[msgspec.Struct] = NoBody
    query: type[msgspec.Struct] = NoQuery
    status: int = 200
    needs: str | None = None
    statuses: tuple[int, ...] = ()
    successor: str | None = None
    etag: bool = False

    @property
    def operation_id(self) -> str:
        path = self.path if self.path.startswith("/api/v2") else f"plain{self.path}"
        words = path.removeprefix("/api/v2").strip("/").replace("{", "").replace("}", "")
        return f"{self.method.lower()}_{words.replace('/', '_').replace('-', '_').replace('.', '_') or 'root'}"
