"""Every route against every kind of token, Host and Origin: only the one right combination gets in."""

from itertools import product

import httpx
import pytest

from tests.web.fakes import BASE, HandClock, Web, a_web
from web.api import Route
from web.routes import ROUTES
from web.tokens import LIFE_S, Scope

ADDRESSES = {"ours": "127.0.0.1:8000", "rebound": "evil.example:8000", "any": "0.0.0.0:8000"}
ORIGINS = {"absent": None, "ours": BASE, "foreign": "https://evil.example", "null": "null"}
REFUSED = {400, 404, 409, 422}
"""Inside, past the guard and the token: the body is empty or the thing unknown, but the caller was let in."""


def bearers(web: Web) -> dict[str, str | None]:
    """Each class of token; the ones named like a scope are good."""
    made = {scope.word: web.tokens.mint(subject="t", scope=scope, life_s=900).token for scope in Scope}
    revoked = web.tokens.mint(subject="t", scope=Scope.ADMIN, life_s=900)
    web.tokens.revoke(revoked.claims.jti)
    clock = HandClock(1000 - LIFE_S[Scope.ADMIN] - 10)
    old = type(web.tokens)(keyring=web.tokens.keyring, clock=clock, random_bytes=web.tokens.random_bytes)
    head, body, signature = made["admin"].split(".")
    return {
        **made,
        "none": None,
        "garbage": "x.y.z",
        "expired": old.mint(subject="t", scope=Scope.ADMIN, life_s=900).token,
        "revoked": revoked.token,
        "cut": f"{head}.{body}.{signature[:-4]}",
    }


def path_of(route: Route) -> str:
    return route.path.replace("{lock_id}", "lock-9").replace("{order_id}", "nothing").replace("{symbol}", "tXXXUSD")


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.operation_id)
async def test_only_the_right_token_host_and_origin_get_in(route: Route) -> None:
    web = a_web()
    kinds = bearers(web)
    transport = httpx.ASGITransport(app=web.app)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
        for (kind, bearer), (host, address), (origin, value) in product(
            kinds.items(), ADDRESSES.items(), ORIGINS.items()
        ):
            if route.operation_id == "post_auth_sign_out" or route.operation_id == "post_auth_revoke":
                kinds = bearers(web)
                bearer = kinds[kind]
            web.clock.seconds += 1
            headers = {"Host": address}
            if bearer is not None:
                headers["Authorization"] = f"Bearer {bearer}"
            if value is not None:
                headers["Origin"] = value
            answer = await client.request(route.method, path_of(route), headers=headers)
            where = (route.operation_id, kind, host, origin, answer.text[:200])
            if host != "ours":
                assert answer.status_code == 421, where
            elif origin in ("foreign", "null"):
                assert answer.status_code == 403, where
            elif route.scope is None:
                # Public routes judge the proof themselves: without the bootstrap secret there is nothing to get.
                assert answer.status_code in {200, 400, 401, 422, 429}, where
            elif kind not in ("read", "trade", "admin"):
                assert answer.status_code in (401, 429), where
            elif Scope.named(kind) < route.scope:
                assert answer.status_code == 403, where
                assert answer.json()["error"]["code"] == "scope_too_low"
            else:
                assert answer.status_code in {route.status, *REFUSED}, where
            assert answer.status_code < 500


def test_every_route_has_a_scope_and_only_minting_is_public() -> None:
    public = {route.path for route in ROUTES if route.scope is None}
    minting = {"/api/v2/auth/ws-token", "/api/v2/auth/link", "/api/v2/auth/ticket"}
    assert public == {*minting, "/api/v2/ping"}
    for route in ROUTES:
        if route.method != "GET" and route.scope is not None:
            assert route.scope >= Scope.TRADE or route.tag == "tokens", route.path


def test_the_application_serves_nothing_that_is_not_in_the_table() -> None:
    served = {
        (rule.rule.replace("<", "{").replace(">", "}"), method)
        for rule in a_web().app.url_map.iter_rules()
        for method in (rule.methods or {"WS"})
    }
    known = {(route.path, route.method) for route in ROUTES}
    others = {path for path, method in served - known if method not in ("HEAD", "OPTIONS")}
    assert others == {
        "/observability/dashboard",
        "/health",
        "/metrics",
        "/openapi.json",
        "/api/v2/stream",
    }
