"""People and strangers at the engine's web, from another process of its machine: who reads nothing, and who may not."""

from typing import TYPE_CHECKING, Final

import trio

from genesis.worlds.engine_host import WEB_PORT, EngineHost
from genesis.worlds.network import LOOPBACK
from genesis.worlds.process import Process
from genesis.worlds.witness import Witness
from web.tokens import Scope

if TYPE_CHECKING:
    from genesis.worlds.world import World

GIVEN_UP_S: Final = 15.0


async def _ask(text: str) -> int | None:
    """The status of an answer; None when there was none."""
    with trio.move_on_after(GIVEN_UP_S):
        try:
            async with await trio.open_tcp_stream(LOOPBACK, WEB_PORT) as stream:
                await stream.send_all(text.encode())
                head = b""
                while b"\r\n" not in head:
                    data = await stream.receive_some(4096)
                    if not data:
                        return None
                    head += data
                return int(head.split(b" ", 2)[1])
        except (OSError, trio.BrokenResourceError):
            return None
    return None


def _request(
    method: str, path: str, *, host: str = f"{LOOPBACK}:{WEB_PORT}", headers: tuple[str, ...] = (), body: str = ""
) -> str:
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Connection: close", *headers]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join(lines) + "\r\n\r\n" + body


def _browser_of(host: EngineHost) -> Process:
    """From here on the task belongs to a browser on the engine's machine, whose clock is off by as much."""
    browser = Process("browser", host.process.machine, clock_off_s=host.process.clock_off_s)
    browser.enter()
    return browser


async def strangers_knock(host: EngineHost, witness: Witness) -> None:
    """Every door that must stay shut, and one that must open."""
    _browser_of(host)
    assert host.tokens is not None
    token = host.tokens.mint(subject="reader", scope=Scope.READ, life_s=600).token
    bearer = f"Authorization: Bearer {token}"
    status = "/api/v2/status"
    halt = "/api/v2/risk/unified/halt"
    doors = [
        ("no token", 401, _request("GET", status)),
        ("a forged token", 401, _request("GET", status, headers=(bearer[:-6] + "AAAAAA",))),
        ("a rebound host", 421, _request("GET", status, host="evil.example", headers=(bearer,))),
        (
            "another site",
            403,
            _request("POST", halt, headers=(bearer, "Origin: http://evil.example"), body='{"reason":"web stranger"}'),
        ),
        ("too small a scope", 403, _request("POST", halt, headers=(bearer,), body='{"reason":"web stranger"}')),
        ("a reader", 200, _request("GET", status, headers=(bearer,))),
    ]
    for name, expected, request in doors:
        answer = await _ask(request)
        if answer is not None and host.process.alive:
            witness.check("A2", answer in (expected, 429, 503), f"{name} must be answered {expected}, was {answer}")
            witness.reached(f"the web answered {answer} to {name}")


async def boss_halts(host: EngineHost, world: "World", reason: str) -> None:
    """Somebody who may halts trading over the web, and lets it go on half a minute later."""
    browser = _browser_of(host)
    assert host.tokens is not None
    for what, word in (("halt", f"{reason} halt"), ("resume-trading", f"{reason} resume")):
        browser.clock_off_s = host.process.clock_off_s
        token = host.tokens.mint(subject="boss", scope=Scope.ADMIN, life_s=600).token
        bearer = f"Authorization: Bearer {token}"
        world.inside.web_wishes[word] = True
        request = _request("POST", f"/api/v2/risk/unified/{what}", headers=(bearer,), body=f'{{"reason":"{word}"}}')
        answer = await _ask(request)
        if answer is not None and host.process.alive:
            world.witness.check("A2", answer in (200, 202, 429, 503), f"the boss must be answered 200, was {answer}")
            world.inside.web_answered(host, word, answer)
        await trio.sleep(30)


async def write_slowly(host: EngineHost, witness: Witness, until: float) -> None:
    """Ask for something a byte a second, for as long as the server bears it."""
    _browser_of(host)
    with trio.move_on_at(until):
        try:
            async with await trio.open_tcp_stream(LOOPBACK, WEB_PORT) as stream:
                for letter in _request("GET", "/health"):
                    await stream.send_all(letter.encode())
                    await trio.sleep(1.0)
                    witness.reached("a browser wrote a byte a second")
        except (OSError, trio.BrokenResourceError):
            witness.reached("a browser that wrote too slowly was left")


async def read_nothing(host: EngineHost, witness: Witness, until: float) -> None:
    """Subscribe to everything, then never read again."""
    _browser_of(host)
    assert host.tokens is not None
    token = host.tokens.mint(subject="sloth", scope=Scope.READ, life_s=600).token
    upgrade = (
        "Upgrade: websocket",
        "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Protocol: genesis.v2, bearer.{token}",
    )
    request = _request("GET", "/api/v2/stream", headers=upgrade).replace("Connection: close", "Connection: Upgrade")
    with trio.move_on_at(until):
        try:
            async with await trio.open_tcp_stream(LOOPBACK, WEB_PORT) as stream:
                await stream.send_all(request.encode())
                if b" 101 " in await stream.receive_some(4096):
                    witness.reached("a browser opened the stream and read nothing")
                await trio.sleep_forever()
        except (OSError, trio.BrokenResourceError):
            return
