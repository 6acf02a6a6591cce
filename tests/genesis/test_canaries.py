"""Secrets are planted everywhere an operator may put one, the real program trades, breaks and is asked everything, and
then all that it wrote, said, sent and kept is searched for them."""

import base64
import contextlib
import http.server
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import trio
from trio_websocket import open_websocket_url

from genesis.edge.user_dir import UserDir
from tests.genesis.test_paper import Page
from web.hub import TOPICS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(sys.executable).with_name("genesis")
MARK = "cnry"
"""Stands in every planted secret and in nothing else."""
SECRETS = {
    "BITFINEX_API_KEY": "cnryRestKey0123456789",
    "BITFINEX_API_SECRET": "cnryRestSecret0123456789",
    "BITFINEX_WS_API_KEY": "cnrySocketKey0123456789",
    "BITFINEX_WS_API_SECRET": "cnrySocketSecret01234567",
    "JWT_SECRET_KEY": "cnrySigningSecret0123456789abcdef",
    "TELEGRAM_BOT_TOKEN": "123456789:cnryBotToken0123456789",
    "GENESIS_BUS_SECRET": "cnryBusSecret0123456789",
    "VAULT_TOKEN": "cnryVaultToken0123456789",
    "OP_CONNECT_TOKEN": "cnryConnectToken0123456789",
}
CHAT = "4711"


class Outside:
    """Where news goes: a Telegram and a webhook in one, that fail in every way before they work."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.asked = 0
        self.commands = ["/status", "/show_config", "/logs 50", "/balance", "/help", f"/cancel {'x' * 40}", "/health"]
        outside = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                outside.bodies.append(body)
                outside.asked += 1
                if outside.asked % 5 == 1:
                    self.close_connection = True
                    return
                if outside.asked % 5 == 2:
                    # A server that repeats what it was asked, with the token in it.
                    self._answer(401, {"ok": False, "description": f"no such bot: {self.path}"})
                elif outside.asked % 5 == 3:
                    self._answer(429, {"ok": False, "parameters": {"retry_after": 1}})
                elif self.path.endswith("getUpdates"):
                    self._answer(200, {"ok": True, "result": outside._next(json.loads(body)["offset"])})
                else:
                    self._answer(200, {"ok": True})

            def _answer(self, status: int, told: dict[str, Any]) -> None:
                text = json.dumps(told).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def _next(self, offset: int) -> list[dict[str, Any]]:
        if not self.commands:
            time.sleep(0.2)
            return []
        message = {"chat": {"id": int(CHAT)}, "date": int(time.time()), "text": self.commands.pop(0)}
        return [{"update_id": offset + 1, "message": message}]

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server.server_address[1]}"


def forms(secret: str) -> Iterator[bytes]:
    """As it is, in an address, in hexadecimal, and in base64 wherever it stands in what was encoded."""
    yield from {secret.encode(), quote(secret, safe="").encode(), secret.encode().hex().encode()}
    for before in range(3):
        text = base64.b64encode(b"." * before + secret.encode())
        # The first and last characters depend on the neighbours.
        yield text[4:-4]


def found_in(name: str, content: bytes) -> list[str]:
    every = [*SECRETS.values(), "cnryHookPassword", "cnryHookPath", "cnryHookQuery", "cnryRedisPassword"]
    hits = [f"{name}: {form!r}" for secret in every for form in forms(secret) if form in content]
    place = content.find(MARK.encode())
    return hits + ([f"{name}: {content[max(0, place - 60) : place + 40]!r}"] if place >= 0 else [])


def ask_everything(page: Page) -> dict[str, bytes]:
    """Every route of the document, read and written to, with sense and without."""
    told: dict[str, bytes] = {}
    with httpx.Client(base_url=page.address, timeout=60, headers={"authorization": f"Bearer {page.token}"}) as http_:
        paths = http_.get("/openapi.json").json()["paths"]
        assert len(paths) > 60
        for path, methods in paths.items():
            filled = re.sub(r"\{\w*symbol\w*\}", "tBTCUSD", path)
            filled = re.sub(r"\{[^}]*\}", "1", filled)
            for method in methods:
                if method.upper() not in ("GET", "POST", "DELETE", "PUT", "PATCH"):
                    continue
                for body in (None,) if method == "get" else (b"{}", b'{"symbol": "tBTCUSD", "wrong": [1'):
                    with contextlib.suppress(httpx.HTTPError):
                        answer = http_.request(method, filled, content=body)
                        told[f"{method} {filled} {body!r}"] = answer.content + str(answer.headers).encode()
        for path in ("/metrics", "/health", "/", "/observability/dashboard", "/docs"):
            answer = http_.get(path)
            told[path] = answer.content
    return told


async def listen(page: Page, seconds: float, least: int = 1000) -> bytes:
    """What the stream says in so many seconds, and longer where that is hardly anything yet."""
    heard = bytearray()
    address = page.address.replace("http", "ws") + "/api/v2/stream"
    async with open_websocket_url(address, extra_headers=[(b"origin", page.address.encode())]) as socket:
        await socket.send_message(json.dumps({"op": "auth", "token": page.token}))
        await socket.send_message(json.dumps({"op": "subscribe", "topics": sorted(set(TOPICS) - {"candle"})}))
        with trio.move_on_after(seconds):
            while True:
                heard += str(await socket.get_message()).encode()
        with trio.fail_after(60):
            while len(heard) <= least:
                heard += str(await socket.get_message()).encode()
    return bytes(heard)


def test_no_planted_secret_is_found_in_anything_that_comes_out(tmp_path: Path) -> None:
    outside, home = Outside(), UserDir(tmp_path / "home")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GENESIS_", "BITFINEX_", "JWT_"))}
    planted = kept | SECRETS
    venue = subprocess.Popen(
        [sys.executable, "-m", "tests.genesis.canary_venue"], env=planted, cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    sinks: dict[str, bytes] = {}
    try:
        assert venue.stdout is not None
        address = dict(venue.stdout.readline().strip().split(" ", 1) for _ in range(2))
        settings = planted | {
            "GENESIS_HOME": str(home.root),
            "BITFINEX_PUBLIC_API_URL": address["rest"],
            "BITFINEX_AUTH_API_URL": address["rest"],
            "BITFINEX_WS_PUBLIC_URI": address["websocket"],
            "BITFINEX_WS_AUTH_URI": address["websocket"],
            "GENESIS_LIVE_CONFIRM": "trade real money",
            "GENESIS_LOGS__LEVEL": "debug",
            "GENESIS_NOTIFY__TELEGRAM_URL": f"http://{outside.address}",
            "TELEGRAM_CHAT_ID": CHAT,
            "NOTIFY_WEBHOOK_URL": f"http://hook:cnryHookPassword@{outside.address}/cnryHookPath?sig=cnryHookQuery",
            "GENESIS_REDIS_URL": "redis://bus:cnryRedisPassword@127.0.0.1:9/0",
        }
        stderr = (tmp_path / "stderr").open("wb")
        engine = subprocess.Popen(
            [PROGRAM, "run", "--mode", "live", "--live", "--port", "0"],
            env=settings,
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
        try:
            assert engine.stdout is not None
            try:
                page = Page(engine.stdout)
            except StopIteration:
                pytest.fail(f"the engine must come up, did not: {(tmp_path / 'stderr').read_text()[-3000:]}")
            page.wait_for("status", "state", being="running", within_s=300)
            # Placed or refused, as the market of that moment has it: both are told and kept.
            with contextlib.suppress(httpx.HTTPStatusError):
                page.ask("POST", "order", {"symbol": "tBTCUSD", "side": "buy", "amount": "0.01"}, patience_s=0)
            sinks |= ask_everything(page)
            sinks["stream"] = trio.run(listen, page, 2.0)
            for words in (
                ["status"],
                ["status", "--json"],
                ["doctor", "--json"],
                ["config", "effective"],
                ["config", "history"],
                ["logs"],
                ["actors", "--json"],
                ["backup", "take", str(tmp_path / "backups")],
            ):
                done = subprocess.run([PROGRAM, *words], env=settings, cwd=tmp_path, capture_output=True, check=False)
                sinks[f"genesis {' '.join(words[:2])}"] = done.stdout + done.stderr
            deadline = time.monotonic() + 120
            while outside.commands and time.monotonic() < deadline:
                time.sleep(0.1)
            # While it writes: the log that is not folded back yet.
            sinks |= {f"running {path.name}": path.read_bytes() for path in home.root.glob("live.sqlite*")}
            # The last words of a process whose venue goes away in the middle of everything.
            venue.kill()
            time.sleep(1.0)
            engine.send_signal(signal.SIGTERM)
        finally:
            with contextlib.suppress(subprocess.TimeoutExpired):
                sinks["stdout"] = engine.communicate(timeout=120)[0].encode()
            engine.kill()
            engine.communicate()
            stderr.close()
    finally:
        venue.kill()
        venue.communicate()
        outside.server.shutdown()
        outside.server.server_close()
    assert outside.asked > 10
    sinks["told outside"] = b"\n".join(outside.bodies)
    files = [*home.root.rglob("*"), *(tmp_path / "backups").rglob("*"), tmp_path / "stderr"]
    sinks |= {str(path.relative_to(tmp_path)): path.read_bytes() for path in files if path.is_file()}
    kinds = ("live.sqlite", "stderr", "/metrics", "live.log", "get /api/v2/logs", "notifications-live", "backup.json")
    for kind in kinds:
        assert any(kind in name for name in sinks), f"{kind} must be among what is searched, was not: {sorted(sinks)}"
    # Where secrets are kept is for them.
    leaks = [hit for name, content in sinks.items() if "/secrets/" not in name for hit in found_in(name, content)]
    assert leaks == []


def test_the_search_finds_what_it_looks_for() -> None:
    secret = SECRETS["BITFINEX_API_SECRET"]
    for before in range(4):
        assert found_in("x", base64.b64encode(b"x" * before + f"{secret}:and more".encode()))
    assert found_in("x", secret.encode().hex().encode())
    assert found_in("x", quote(SECRETS["TELEGRAM_BOT_TOKEN"], safe="").encode())
    assert not found_in("x", b"nothing of the kind")
