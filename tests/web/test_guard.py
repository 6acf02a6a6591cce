"""The guard: which requests a browser may bring from where."""

import pytest

from web.guard import Guard, Visit, content_policy, hosts_for

GUARD = Guard(hosts=hosts_for(("genesis.test",), 8000))
OURS = {"host": "127.0.0.1:8000"}


def judged(headers: dict[str, str], *, method: str = "GET", kind: str = "http") -> int:
    """The status the guard answers with, 0 when it lets the visit in."""
    pairs = tuple((name.encode(), value.encode("latin1")) for name, value in headers.items())
    error = GUARD.judge(Visit(kind=kind, method=method, headers=pairs))
    return 0 if error is None else error.status


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8000", "localhost:8000", "LOCALHOST:8000", "[::1]:8000", "genesis.test:8000"]
)
def test_our_own_names_are_answered(host: str) -> None:
    assert judged({"host": host}) == 0


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8000",
        "0.0.0.0:8000",
        "127.0.0.1",
        "127.0.0.1:8001",
        "127.0.0.1:8000.evil.example",
        "",
    ],
)
def test_a_rebound_host_is_misdirected(host: str) -> None:
    assert judged({"host": host}) == 421
    assert judged({"host": host}, kind="websocket") == 421


def test_a_missing_and_a_doubled_host_are_misdirected() -> None:
    assert judged({}) == 421
    double = Visit(kind="http", method="GET", headers=((b"host", b"127.0.0.1:8000"), (b"Host", b"evil.example")))
    error = GUARD.judge(double)
    assert error is not None
    assert error.status == 421


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "http://127.0.0.1:9000",
        "http://localhost",
        "file://",
        "http://127.0.0.1:8000@evil",
    ],
)
@pytest.mark.parametrize(("kind", "method"), [("http", "GET"), ("http", "POST"), ("websocket", "GET")])
def test_a_foreign_origin_is_forbidden_for_everything(origin: str, kind: str, method: str) -> None:
    headers = {**OURS, "origin": origin, "content-type": "application/json", "content-length": "2"}
    assert judged(headers, kind=kind, method=method) == 403


def test_our_own_origin_is_welcome() -> None:
    assert judged({**OURS, "origin": "http://localhost:8000"}, kind="websocket") == 0


@pytest.mark.parametrize("site", ["cross-site", "same-site", "strange"])
def test_a_fetch_from_another_site_is_forbidden_but_a_link_may_open_the_page(site: str) -> None:
    assert judged({**OURS, "sec-fetch-site": site}) == 403
    assert judged({**OURS, "sec-fetch-site": site, "sec-fetch-mode": "navigate"}) == 0
    assert judged({**OURS, "sec-fetch-site": site, "sec-fetch-mode": "navigate"}, method="POST") == 403
    assert judged({**OURS, "sec-fetch-site": site, "sec-fetch-mode": "navigate"}, kind="websocket") == 403


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""]
)
def test_a_form_is_not_json(content_type: str) -> None:
    assert judged({**OURS, "content-type": content_type, "content-length": "20"}, method="POST") == 415
    chunked = {**OURS, "content-type": content_type, "transfer-encoding": "chunked"}
    assert judged(chunked, method="POST") == 415


def test_json_and_an_empty_command_pass() -> None:
    assert (
        judged({**OURS, "content-type": "application/json; charset=utf-8", "content-length": "2"}, method="POST") == 0
    )
    assert judged({**OURS, "content-length": "0"}, method="POST") == 0
    assert judged(OURS, method="DELETE") == 0


@pytest.mark.parametrize(
    ("headers", "method", "message"),
    [
        ({"host": "evil.example"}, "GET", "the Host header must name this engine's own address, was evil.example"),
        (
            {**OURS, "origin": "http://evil.example"},
            "GET",
            "the Origin must be absent or this engine's own address, was http://evil.example",
        ),
        (
            {**OURS, "content-type": "text/plain", "content-length": "2"},
            "POST",
            "the content type must be application/json, was text/plain",
        ),
        ({**OURS, "content-length": "2"}, "POST", "the content type must be application/json, was absent"),
        (OURS, "BREW", "the method must be one of GET, HEAD, POST, PATCH, DELETE, was BREW"),
    ],
)
def test_a_refusal_says_what_must_be_and_what_was(headers: dict[str, str], method: str, message: str) -> None:
    pairs = tuple((name.encode(), value.encode("latin1")) for name, value in headers.items())
    error = GUARD.judge(Visit(kind="http", method=method, headers=pairs))
    assert error is not None
    assert error.message == message
    assert method != "BREW" or error.headers == {"Allow": "GET, HEAD, POST, PATCH, DELETE"}


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE", "CONNECT", "BREW"])
def test_other_methods_are_not_taken(method: str) -> None:
    assert judged(OURS, method=method) == 405


def test_the_policy_allows_own_files_and_nothing_inline() -> None:
    policy = content_policy("127.0.0.1:8000")
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert "*" not in policy
