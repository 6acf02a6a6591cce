"""Requests that a machine makes up from the OpenAPI document: whatever they say, no answer is a mistake of ours."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings

from tests.web.running import a_run
from web.openapi import document
from web.routes import ROUTES
from web.tokens import Scope

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")

EXAMPLES = {None: 1, Scope.READ: 1, Scope.TRADE: 2, Scope.ADMIN: 4}
UNSAFE = {"post_auth_revoke", "post_auth_sign_out"}
"""They would take the token away that the next request needs."""
EXPECTED = {503}
"""Not a mistake: something is not known yet, or has no room. It is in the document, with Retry-After."""


def exercise(base: str, secret: str) -> list[tuple[str, str, int, str]]:
    schema = schemathesis.openapi.from_dict(document(ROUTES, version="0.1.0"))
    wrong: list[tuple[str, str, int, str]] = []
    # A refusal of the guard closes its connection: a kept one may be gone when it is used again.
    alone = httpx.Limits(max_keepalive_connections=0)
    with httpx.Client(base_url=base, trust_env=False, timeout=120, limits=alone) as client:
        for found in schema.get_all_operations():
            operation = found.ok()
            if operation.definition.raw["operationId"] in UNSAFE:
                continue
            documented = {int(status) for status in operation.definition.raw["responses"]}
            for scope in EXAMPLES:
                # A fresh token has a fresh allowance of requests.
                token = "" if scope is None else a_token(client, secret, scope)
                _one_operation(client, operation, documented, scope, token, wrong.append)
    return wrong


def a_token(client: httpx.Client, secret: str, scope: Scope) -> str:
    body = {"user_id": "machine", "scope": scope.word}
    while True:
        answer = client.post("/api/v2/auth/ws-token", json=body, headers={"Authorization": f"Bearer {secret}"})
        if answer.status_code != 429:
            break
        # Whoever has no token yet is counted by address, and a quick machine is through with an address's allowance.
        time.sleep(float(answer.headers["Retry-After"]))
    assert answer.is_success, f"a token must be made, was {answer.status_code}: {answer.text[:200]}"
    return str(answer.json()["token"])


def _one_operation(
    client: httpx.Client,
    operation: Any,
    documented: set[int],
    scope: Scope | None,
    token: str,
    wrong: Callable[[tuple[str, str, int, str]], None],
) -> None:
    headers = {"Authorization": f"Bearer {token}"} if token else {}

    @settings(
        max_examples=EXAMPLES[scope],
        database=None,
        derandomize=True,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def one(case: Any) -> None:
        asked = case.as_transport_kwargs(base_url=str(client.base_url))
        content = asked.get("data")
        answer = client.request(
            asked["method"],
            asked["url"],
            params=asked.get("params"),
            json=asked["json"] if "json" in asked else None,
            content=content if isinstance(content, bytes | str) else None,
            headers={**headers, **({"Content-Type": "application/json"} if content or "json" in asked else {})},
        )
        unexpected = answer.status_code >= 500 and answer.status_code not in EXPECTED
        if unexpected or (answer.status_code not in documented and answer.status_code != 401):
            wrong((operation.method, operation.path, answer.status_code, answer.text[:200]))

    one()


@pytest.mark.timeout(600)
def test_no_request_that_a_machine_makes_up_is_answered_with_a_mistake(tmp_path: Path) -> None:
    with a_run(tmp_path) as base:
        secret = json.loads((tmp_path / "secrets" / "web.json").read_text())["bootstrap_secret"]
        assert exercise(base, secret) == []
        assert httpx.get(f"{base}/health", trust_env=False).json()["status"] in ("ok", "degraded")
