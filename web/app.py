"""The Quart application: the table of routes, the stream, the page, and one way to answer errors."""

import hashlib
import logging
import random
from collections.abc import Awaitable, Callable
from functools import cache
from pathlib import Path
from typing import Any, Final

import msgspec
import trio
from prometheus_client.exposition import choose_encoder
from quart import Response, has_request_context, request, websocket
from quart.routing import QuartMap
from quart_trio import QuartTrio
from werkzeug.exceptions import HTTPException

from genesis.core.clock import Clock
from protocols.plain_text import plain_numbers
from web.api import Api, Call, Route, bearer_of
from web.bodies import NoBody
from web.body_checks import LARGEST, SMALLEST, NamedTwice, check_names, far_numbers
from web.config_models import Versioned
from web.controls import Busy, Controls, Refused
from web.desk import Desk
from web.errors import ApiError, Detail
from web.faults import refusal, sent_in
from web.guard import Guard, GuardedApp
from web.hub import Hub
from web.idempotency import HEADER, KEY, REPLAYED, Answered, KeyReused, StillRunning
from web.legacy import headers_of
from web.metrics import Metrics
from web.observability import dashboard
from web.openapi import document
from web.quick import QuickHealth, health_answer
from web.readers import Readers
from web.routes import ROUTES
from web.rules import Rule
from web.server import ServerCounters
from web.static_files import StaticFiles, StaticSite
from web.stream import stream
from web.tokens import Claims, Scope, Tokens
from web.views import health_of

MAX_BODY_BYTES: Final = 65_536
BODY_TIMEOUT_S: Final = 5
RESPONSE_TIMEOUT_S: Final = 15
STATIC: Final = Path(__file__).parent / "static"
PLAIN_ROUTES: Final = (
    ("/health", "GET", "health"),
    ("/metrics", "GET", "metrics"),
    ("/observability/dashboard", "GET", "observability"),
    ("/openapi.json", "GET", "openapi"),
)
"""Path, method and name of what answers something else than the API's own JSON."""

log = logging.getLogger("genesis.web")
_encode_exact = msgspec.json.Encoder().encode


def _encode(value: Any) -> bytes:
    if isinstance(value, msgspec.Raw):
        # Made by another process as it goes out.
        return bytes(value)
    return plain_numbers(_encode_exact(value))


def create_app(
    *,
    readers: Readers,
    controls: Controls,
    tokens: Tokens,
    clock: Clock,
    chance: random.Random,
    hosts: frozenset[str],
    hub: Hub | None = None,
    server_counters: ServerCounters | None = None,
    loopback: bool = True,
    open_access: bool = False,
    desk: Desk | None = None,
) -> QuartTrio:
    """The web of one engine. `hosts` are the Host values it answers to (`web.guard.hosts_for`).

    `hub` is what the web actor publishes to; `loopback` says that nobody beyond this machine can reach the listeners.
    `open_access` asks nobody for a token; only a simulation on loopback may have it.
    The `Api` it works with is `app.config["API"]`.
    """
    hub = hub if hub is not None else Hub()
    counters = server_counters if server_counters is not None else ServerCounters()
    api = Api(
        readers=readers,
        controls=controls,
        tokens=tokens,
        clock=clock,
        chance=chance,
        hub=hub,
        metrics=Metrics.over(readers, hub, counters),
        loopback=loopback,
        open_access=open_access,
        desk=desk if desk is not None else Desk(),
        routes=ROUTES,
    )
    app = QuartTrio("web", static_folder=None)
    app.url_map = _addresses()
    app.config.update(
        API=api,
        MAX_CONTENT_LENGTH=MAX_BODY_BYTES,
        BODY_TIMEOUT=BODY_TIMEOUT_S,
        RESPONSE_TIMEOUT=RESPONSE_TIMEOUT_S,
        BACKGROUND_TASK_SHUTDOWN_TIMEOUT=1,
        PROPAGATE_EXCEPTIONS=False,
    )
    # Quart's own hooks would fetch a logger with a handler of its own.
    app.logger.handlers.clear()
    app.logger.propagate = True
    for route in ROUTES:
        _add(app, api, route)
    _add_plain(app, api)
    app.register_error_handler(HTTPException, _on_http_error(api))
    app.register_error_handler(Exception, _on_error(api))
    app.asgi_app = GuardedApp(  # type: ignore[assignment]
        app=QuickHealth(
            app=StaticSite(app.asgi_app, StaticFiles(STATIC)),  # type: ignore[arg-type]
            api=api,
            health_of=health_of,
        ),
        guard=Guard(hosts=hosts),
        refused=lambda code: api.metrics.refused.labels(code).inc(),
        new_id=api.new_id,
    )
    return app


@cache
def _addresses() -> QuartMap:
    """Where each view is found. It hangs on no application, and reading every path takes most of making one: a process
    that starts engine after engine makes it once."""
    ours = [(route.path.replace("{", "<").replace("}", ">"), route.method, route.operation_id) for route in ROUTES]
    rules = [Rule(path, methods=[method], endpoint=name) for path, method, name in (*ours, *PLAIN_ROUTES)]
    rules.append(Rule("/api/v2/stream", endpoint="stream", websocket=True, methods=["GET"]))
    names = {rule.endpoint for rule in rules}
    assert len(names) == len(rules), "each route must have a name of its own"
    return QuartMap(rules, strict_slashes=False)


def _answer(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(_encode(value), status=status, headers=headers, content_type="application/json")


def _refusal(api: Api, error: ApiError) -> Response:
    return _answer(error.answer(api.new_id()), error.status, dict(error.headers))


def _caller() -> tuple[str | None, str]:
    """The bearer text and the address that a request came with."""
    return bearer_of(request.headers.get("Authorization")), request.remote_addr or ""


@cache
def _decoder_of(body: type[msgspec.Struct]) -> msgspec.json.Decoder[Any]:
    """Most routes have the same one: no body."""
    return msgspec.json.Decoder(body)


def _add(app: QuartTrio, api: Api, route: Route) -> None:
    decode_body = _decoder_of(route.body).decode
    in_seconds = api.metrics.seconds
    old_name = headers_of(route)

    async def respond(**path: str) -> Response:
        bearer, address = _caller()
        # On public routes the bearer may be another proof than a token, and the handler looks at it.
        claims: Claims | None = None if route.scope is None else api.claims_of(bearer, address)
        api.admit(claims, address, route.scope)
        if route.needs is not None and not api.has(route.needs):
            raise ApiError(404, "this engine does not have that control", code="no_such_control")
        call = Call(
            claims=claims,
            bearer=bearer,
            address=address,
            path=path,
            query=_query(route),
            body=await _body(route, decode_body),
            idempotency_key=_idempotency_key(route),
            if_match=request.headers.get("If-Match"),
        )
        try:
            return await _once(api, route, call)
        except Busy as error:
            wait = {"Retry-After": str(max(1, round(error.retry_after_s)))}
            raise ApiError(503, str(error), headers=wait) from None
        except Refused as error:
            raise ApiError(409, str(error), code=error.code) from None

    async def timed(**path: str) -> Response:
        started = api.clock.now()
        try:
            answer = await respond(**path)
        except ApiError as error:
            answer = _refusal(api, error)
        if route.successor is not None:
            answer.headers.update(old_name)
            api.metrics.legacy.labels(route.path).inc()
        in_seconds.observe(api.clock.now() - started)
        api.metrics.requests.labels(route.operation_id, str(answer.status_code)).inc()
        return answer

    app.view_functions[route.operation_id] = timed


def _idempotency_key(route: Route) -> str | None:
    key: str | None = request.headers.get(HEADER)
    if key is None or route.method != "POST":
        return None
    if not KEY.fullmatch(key):
        raise ApiError(400, f"{HEADER} must be 1 to 120 letters, digits and _.:@/-, was {key[:40]!r}")
    return key


async def _once(api: Api, route: Route, call: Call) -> Response:
    """Work on a request; one with a key that was answered before gets that answer, and nothing happens."""
    if route.etag:
        return _unless_known(_encode(await route.handler(api, call)))
    if call.idempotency_key is None or call.claims is None:
        told = await route.handler(api, call)
        # The version in force is the tag that a writer gives back, so that nobody overwrites what they have not seen.
        tag = {"ETag": f'"{told.version}"'} if isinstance(told, Versioned) else None
        return _answer(told, route.status, tag)
    name = (call.subject, f"{route.operation_id} {sorted(call.path.items())}", call.idempotency_key)
    try:
        raw = await request.get_data(as_text=False)
        assert isinstance(raw, bytes)
        before = api.replays.begin(name, raw)
    except KeyReused as error:
        raise ApiError(422, str(error), code="idempotency_key_reused") from None
    except StillRunning as error:
        raise ApiError(409, str(error), code="still_running", headers={"Retry-After": "1"}) from None
    if before is not None:
        return Response(before.body, before.status, headers={REPLAYED: "true"}, content_type="application/json")
    try:
        body = _encode(await route.handler(api, call))
    except BaseException:
        # No success is no answer worth keeping. An order's own id still makes a repeat harmless.
        api.replays.forget(name)
        raise
    api.replays.end(name, Answered(route.status, body))
    return Response(body, route.status, content_type="application/json")


def _unless_known(body: bytes) -> Response:
    """The answer with its entity tag, or 304 when the client has it already."""
    tag = f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
    known = [one.strip().removeprefix("W/") for one in request.headers.get("If-None-Match", "").split(",")]
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if tag in known or known == ["*"]:
        return Response(b"", 304, headers=headers)
    return Response(body, 200, headers=headers, content_type="application/json")


def _query(route: Route) -> Any:
    values: dict[str, str] = {}
    for name, several in request.args.lists():
        if len(several) != 1:
            raise ApiError(422, f"the query parameter {name[:40]} must be given once, was given {len(several)} times")
        values[name] = several[0]
    try:
        return msgspec.convert(values, route.query, strict=False)
    except msgspec.ValidationError as error:
        raise refusal(error, values, route.query, whole="the query", text=True) from None


async def _body(route: Route, decode: Callable[[bytes], Any]) -> Any:
    raw = await request.get_data(as_text=False)
    assert isinstance(raw, bytes)
    if not raw:
        if route.method == "GET" or not _has_required(route.body):
            return route.body()
        raise ApiError(400, "a JSON body must be sent, was empty")
    if route.method == "GET":
        raise ApiError(400, "a GET request must not have a body")
    try:
        told = decode(raw)
        check_names(raw)
    except NamedTwice as error:
        raise ApiError(400, f"a name must stand once in an object, {str(error)[:80]!r} stands twice") from None
    except msgspec.ValidationError as error:
        raise _invalid_body(error, raw, route.body) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ApiError(400, f"the body must be JSON: {error}"[:200]) from None
    for name, number in far_numbers(told):
        must = f"smaller than 1e{LARGEST} and have at most {-SMALLEST} decimals"
        detail: Detail = {name: {"must_be": must, "was": str(number)[:40]}}
        raise ApiError(422, f"{name} must be {must}, was {str(number)[:40]}", detail=detail)
    return told


def _invalid_body(error: msgspec.ValidationError, raw: bytes, kind: type) -> ApiError:
    try:
        sent = sent_in(raw)
    except (ValueError, RecursionError):
        # The decoder stopped at the first thing that does not fit: what stands behind it need not be JSON at all.
        return ApiError(400, "the body must be JSON, and was cut off, nested too deeply, or something else")
    return refusal(error, sent, kind, whole="the body")


def _has_required(body: type[msgspec.Struct]) -> bool:
    return body is not NoBody and any(
        field.default is msgspec.NODEFAULT and field.default_factory is msgspec.NODEFAULT
        for field in msgspec.structs.fields(body)
    )


@cache
def _described(version: str) -> bytes:
    """The OpenAPI document. It takes a good part of a second to make, and one release has one."""
    return _encode(document(ROUTES, version=version))


def _add_plain(app: QuartTrio, api: Api) -> None:
    """The routes that answer something else than the API's own JSON, and the stream."""
    described = _described(api.readers.status().version)

    async def health() -> Response:
        status, body = health_answer(api, *_caller(), health_of)
        return Response(body, status, content_type="application/json")

    async def metrics() -> Response:
        bearer, address = _caller()
        api.admit(api.claims_of(bearer, address), address, Scope.READ)
        encoder, content_type = choose_encoder(request.headers.get("Accept", ""))
        # The samples are read here, where nothing changes meanwhile; writing hundreds of them out takes milliseconds,
        # which in a thread are not taken from the market.
        body = await trio.to_thread.run_sync(encoder, api.metrics.collected())
        return Response(body, content_type=content_type)

    async def openapi() -> Response:
        api.admit(None, request.remote_addr or "", None)
        return _unless_known(described)

    async def events() -> None:
        await stream(api)

    async def observability() -> Response:
        bearer, address = _caller()
        claims = api.claims_of(bearer, address)
        api.admit(claims, address, Scope.READ)
        call = Call(claims=claims, bearer=bearer, address=address, path={}, query=None, body=None)
        return _answer(await dashboard(api, call))

    views: dict[str, Callable[[], Awaitable[Response]]] = {
        "health": health,
        "metrics": metrics,
        "observability": observability,
        "openapi": openapi,
    }
    for name, view in views.items():
        app.view_functions[name] = _guarded(api, view)
    app.view_functions["stream"] = events  # type: ignore[assignment]


def _guarded(api: Api, view: Callable[[], Awaitable[Response]]) -> Callable[[], Awaitable[Response]]:
    async def answered() -> Response:
        try:
            return await view()
        except ApiError as error:
            return _refusal(api, error)

    return answered


def _on_http_error(api: Api) -> Callable[[HTTPException], Awaitable[Response]]:
    async def answer(error: HTTPException) -> Response:
        status = error.code or 500
        allowed = ", ".join(sorted(getattr(error, "valid_methods", None) or ()))
        headers = {"Allow": allowed} if allowed else None
        texts = {
            404: "there is nothing at this address; /docs lists what there is",
            405: f"the method must be one of {allowed}, was {request.method[:20]}",
            408: f"the body must arrive within {BODY_TIMEOUT_S} s",
            413: f"the body must have at most {MAX_BODY_BYTES} bytes, had {request.content_length or 'more'}",
        }
        return _refusal(api, ApiError(status, texts.get(status, error.name), headers=headers))

    return answer


def _on_error(api: Api) -> Callable[[Exception], Awaitable[Response]]:
    async def answer(error: Exception) -> Response:
        refusal = ApiError(500, "the engine made a mistake; its log has more under this id").answer(api.new_id())
        # The stream has no request.
        path = request.path if has_request_context() else websocket.path
        log.error("error %s in %s: %s", refusal.error.id, path, type(error).__name__, exc_info=error)
        return _answer(refusal, 500)

    return answer
