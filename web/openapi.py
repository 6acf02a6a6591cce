"""The OpenAPI 3.1 document, made from the table of routes: what is served and what is written cannot differ."""

from http import HTTPStatus
from typing import Any, Final

import msgspec

from web.api import Route
from web.bodies import NoBody, NoQuery
from web.models import ErrorAnswer, Health

REFERENCE: Final = "#/components/schemas/{name}"
ALWAYS: Final = (400, 403, 405, 408, 413, 415, 421, 422, 429, 500)
"""Refusals that any route may answer with."""


def document(routes: tuple[Route, ...], *, version: str) -> dict[str, Any]:
    """The whole document as plain JSON values."""
    types: list[type] = [ErrorAnswer, Health]
    for route in routes:
        types += [route.answer, route.body, route.query]
    types = list(dict.fromkeys(types))
    schemas, components = msgspec.json.schema_components(types, ref_template=REFERENCE)
    schema_of = dict(zip(types, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schema_of, components)
    paths["/health"] = {"get": _health(schema_of[Health])}
    paths["/metrics"] = {"get": _metrics()}
    whole = {
        "openapi": "3.1.0",
        "info": {
            "title": "Genesis",
            "version": version,
            "description": (
                "Status and control of a Genesis trading engine. Numbers of money are decimal text; market data are "
                "JSON numbers. Live events come over the WebSocket `/api/v2/stream`: say "
                '`{"op":"auth","token":"..."}`, then `{"op":"subscribe","topics":["ticker","order"]}`; a snapshot of '
                "each topic comes first, then its updates with rising `seq`."
            ),
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "Made by `genesis token` or POST /api/v2/auth/ws-token. Scopes: read, trade, admin.",
                }
            },
        },
    }
    # Defaults are values of ours (tuples, decimals); through JSON they become what the document's readers see.
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(whole))
    return plain


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _refusal(status: int, schema: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": HTTPStatus(status).phrase, "content": _json(schema)}
    if status in (429, 503):
        answer["headers"] = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "string"}}}
    return answer


def _operation(route: Route, schema_of: dict[type, dict[str, Any]], components: dict[str, Any]) -> dict[str, Any]:
    error = schema_of[ErrorAnswer]
    scope = "Public." if route.scope is None else f"Scope: {route.scope.word}."
    statuses = {*ALWAYS, *route.statuses} | ({401} if route.scope is not None else set())
    if route.needs is not None:
        statuses.add(404)
    operation: dict[str, Any] = {
        "operationId": route.operation_id,
        "summary": route.summary,
        "description": f"{scope} {(route.handler.__doc__ or '').strip()}".strip(),
        "tags": [route.tag],
        "responses": {
            str(route.status): {
                "description": HTTPStatus(route.status).phrase,
                "content": _json(schema_of[route.answer]),
            },
            **{str(status): _refusal(status, error) for status in sorted(statuses)},
        },
        "security": [] if route.scope is None else [{"bearer": []}],
    }
    if route.etag:
        operation["responses"]["304"] = {"description": "The same as If-None-Match says."}
    if route.successor is not None:
        operation["deprecated"] = True
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "maxLength": 200}}
        for name in path_names(route.path)
    ]
    if route.query is not NoQuery:
        query = components[route.query.__name__]
        required = query.get("required", [])
        parameters += [
            {"name": name, "in": "query", "required": name in required, "schema": schema}
            for name, schema in query["properties"].items()
        ]
    if parameters:
        operation["parameters"] = parameters
    if route.body is not NoBody:
        required_fields = components[route.body.__name__].get("required", [])
        operation["requestBody"] = {"required": bool(required_fields), "content": _json(schema_of[route.body])}
    return operation


def path_names(path: str) -> list[str]:
    """`/order/{order_id}` -> `["order_id"]`."""
    return [part[1:-1] for part in path.split("/") if part.startswith("{")]


def _health(schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "operationId": "get_health",
        "summary": "Whether the engine is well. Parts are told only to callers with a token.",
        "tags": ["engine"],
        "security": [{}, {"bearer": []}],
        "responses": {
            "200": {"description": "Well, or degraded but trading.", "content": _json(schema)},
            "503": {"description": "Starting or down.", "content": _json(schema)},
        },
    }


def _metrics() -> dict[str, Any]:
    return {
        "operationId": "get_metrics",
        "summary": "Metrics for Prometheus (text, or OpenMetrics when asked for).",
        "tags": ["engine"],
        "security": [{"bearer": []}],
        "responses": {"200": {"description": "OK", "content": {"text/plain": {"schema": {"type": "string"}}}}},
    }
