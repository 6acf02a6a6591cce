"""The web beside the market and beside bad company: the page, answers under a feed, orders with listeners and besieged.

    python -m tools.bench.web [rounds] [hostile clients]

The page: from its address to being of use, in Chromium (`_page_load.py`). Answers: every GET route without parameters
is asked over one connection, 100 a second, while the same loop takes 5,000 market messages a second from a server in a
process of its own through the connection actor. Orders with listeners: from the exchange's tick to the order at the
exchange through a whole engine with its web, by turns in one run without clients, with 200 of its event stream, and
with 200 of another process's (`_listeners.py`). Siege: clients that say nothing, half a header, or ask and never read,
from ten addresses of loopback, dial again when they are closed; meanwhile the owner orders over a connection of each
time's own, and at the end the server is told to stop. What asks, listens or besieges is in processes of their own.
"""

import http.client
import json
import resource
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from functools import partial
from typing import Final

import msgspec
import trio

from tests.web.serving import Served, a_server
from tools.bench._figures import tell
from tools.bench._listeners import Turn, Turns, at, turns
from tools.bench._page_load import visits
from tools.bench.feed import actors, server
from tools.web_demo import Demo
from web.limits import RateLimit
from web.routes import ROUTES
from web.server import ServerLimits
from web.tokens import Scope

RATE: Final = 5_000
ASK_S: Final = 6.0
PAUSE_S: Final = 0.01
MINUTES: Final = 2_000
"""Of made-up trading before the questions: as many orders, trades and decisions as an engine keeps."""
LISTENERS: Final = 200
LISTENED_ORDERS: Final = 1_000
"""In each of the three kinds of turn: the p99 is then the tenth longest."""
HOSTILE: Final = 10_000
PATIENCE_S: Final = 400.0
ORDERS: Final = 100
ORDER_PATIENCE_S: Final = 5.0
SIEGE_ADDRESSES: Final = 10
AGAIN_S: Final = 10.0
ORDER: Final = json.dumps({"symbol": "tBTCUSD", "amount": "0.01"})
HEADERS: Final = {"Content-Type": "application/json"}


def p99(values: list[float]) -> float:
    return at(values, 0.99)


def allow_files(wanted: int) -> None:
    """A connection is a file, and many systems allow a thousand by default."""
    soft, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and most < wanted:
        raise SystemExit(f"the limit of open files must be at least {wanted}, was {most}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), most))


@asynccontextmanager
async def helper(*words: str) -> AsyncIterator[trio.Process]:
    """A process of this module that has said that it is ready; killed at the end."""
    command = [sys.executable, "-m", *words]
    async with trio.open_nursery() as nursery:
        process: trio.Process = await nursery.start(
            partial(trio.run_process, command, stdout=subprocess.PIPE, check=False)
        )
        assert process.stdout is not None
        said = b""
        while b"ready" not in said:
            more = await process.stdout.receive_some()
            if not more:
                raise SystemExit(f"a helper must say that it is ready, said {said!r}")
            said += more
        yield process
        process.kill()


async def line_of(process: trio.Process) -> bytes:
    assert process.stdout is not None
    said = b""
    while b"\n" not in said:
        more = await process.stdout.receive_some()
        if not more:
            break
        said += more
    return said


def without_bounds(served: Served) -> None:
    """One caller asks as many would."""
    served.site.app.config["API"].requests = RateLimit(per_s=1e6, burst=1e6)


# --- answers under a feed ------------------------------------------------------------------------------------------


def ask(port: int, token: str) -> None:
    """The other process: every route again and again; prints `ready`, then the seconds of each answer by route."""
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    headers = {"Authorization": f"Bearer {token}"}
    took: dict[str, list[float]] = {}
    paths = [route.path for route in ROUTES if route.method == "GET" and "{" not in route.path]
    asked = []
    for path in paths:
        line.request("GET", path, headers=headers)
        answer = line.getresponse()
        answer.read()
        # What needs a port that this web has not, or a parameter, is not asked again.
        if answer.status == 200:
            asked.append(path)
    print("ready", flush=True)
    began = time.perf_counter()
    while time.perf_counter() - began < ASK_S:
        for path in asked:
            sent = time.perf_counter()
            line.request("GET", path, headers=headers)
            line.getresponse().read()
            took.setdefault(path, []).append(time.perf_counter() - sent)
            time.sleep(PAUSE_S)
    print(json.dumps(took), flush=True)


async def answers(messages_a_second: int) -> tuple[float, float, str]:
    """(p50 ms, p99 ms, the slowest route) of all answers."""
    demo = Demo()
    for _ in range(MINUTES):
        demo.step()
    async with a_server(ServerLimits(), readers=demo.readers(), patience_s=PATIENCE_S) as served:
        without_bounds(served)
        with ExitStack() as feed:
            total = int(messages_a_second * (ASK_S + 20))
            port = feed.enter_context(server(total, messages_a_second)) if messages_a_second else ""
            async with trio.open_nursery() as nursery:
                if port:
                    nursery.start_soon(actors, port, 1)
                told = await _asked(served)
                nursery.cancel_scope.cancel()
    every = [second for seconds in told.values() for second in seconds]
    slowest = max(told, key=lambda path: statistics.median(told[path]))
    return statistics.median(every) * 1e3, p99(every) * 1e3, slowest


async def _asked(served: Served) -> dict[str, list[float]]:
    async with helper("tools.bench.web", "ask", str(served.port), served.token()) as process:
        return msgspec.json.decode(await line_of(process), type=dict[str, list[float]])


# --- orders under siege ----------------------------------------------------------------------------------------------


def besiege(port: int, count: int) -> None:
    """The other process: bad clients of four kinds. Prints `ready` when each has dialled once."""
    allow_files(count + 100)
    trio.run(_besiege, port, count)


async def _besiege(port: int, count: int) -> None:
    dialled = [0]
    async with trio.open_nursery() as nursery:
        for number in range(count):
            nursery.start_soon(_bad, port, number, dialled)
            if number % 50 == 49:
                await trio.sleep(0.02)
        while dialled[0] < count:  # noqa: ASYNC110 -- a count has no event of its own
            await trio.sleep(0.1)
        print("ready", flush=True)


async def _bad(port: int, number: int, dialled: list[int]) -> None:
    host = f"Host: 127.0.0.1:{port}\r\n"
    words = (
        b"",
        f"POST /api/v2/order HTTP/1.1\r\n{host}Content-Le".encode(),
        f"GET /static/vendor/uplot.js HTTP/1.1\r\n{host}\r\n".encode() * 4,
        f"GET /api/v2/stream HTTP/1.1\r\n{host}Connection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode(),
    )[number % 4]
    first = True
    while True:
        sock = trio.socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            await sock.bind((f"127.0.0.{2 + number % SIEGE_ADDRESSES}", 0))
            await sock.connect(("127.0.0.1", port))
            if words:
                await sock.send(words)
            dialled[0] += first
            first = False
            # It never reads; that it was closed shows when it speaks.
            while True:
                await trio.sleep(AGAIN_S)
                await sock.send(b"x")
        except OSError:
            dialled[0] += first
            first = False
            await trio.sleep(AGAIN_S)
        finally:
            sock.close()


async def siege(count: int) -> tuple[list[float], int, float]:
    """(seconds of each order, how many connections were refused, seconds to stop)."""
    async with a_server(ServerLimits(), readers=Demo().readers(), patience_s=PATIENCE_S) as served:
        without_bounds(served)
        token = served.token(Scope.TRADE)
        if count:
            async with helper("tools.bench.web", "besiege", str(served.port), str(count)):
                took = await trio.to_thread.run_sync(_orders, served.port, token)
                # They are still there when it is told to stop.
                served.stopping.set()
                began = trio.current_time()
                while not served.site.counters.closed_at_shutdown:  # noqa: ASYNC110 -- a counter has no event
                    await trio.sleep(0.02)
                ended = trio.current_time() - began
        else:
            took = await trio.to_thread.run_sync(_orders, served.port, token)
            ended = 0.0
        refused = served.site.counters.refused_over_limit
    return took, refused, ended


def _orders(port: int, token: str) -> list[float]:
    took = []
    for _ in range(ORDERS):
        began = time.perf_counter()
        line = http.client.HTTPConnection("127.0.0.1", port, timeout=ORDER_PATIENCE_S)
        try:
            line.request("POST", "/api/v2/order", body=ORDER, headers={**HEADERS, "Authorization": f"Bearer {token}"})
            status = line.getresponse().status
        except (OSError, http.client.HTTPException):
            # No answer is the worst of answers, and counts as the longest wait.
            took.append(ORDER_PATIENCE_S)
            continue
        finally:
            line.close()
        if status != 202:
            raise SystemExit(f"an order must be accepted, was answered {status}")
        took.append(time.perf_counter() - began)
        time.sleep(PAUSE_S)
    return took


# --- orders beside listeners -----------------------------------------------------------------------------------------


def beside_listeners(told: Turns) -> None:
    """What clients cost an order: by the wall, and of its engine's one thread, of which nothing else on the machine is
    a part. Both have a control: the same clients at another process's web."""
    for name, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99)):
        for what, by_turn in (
            ("", {turn: times.took_s for turn, times in told.items()}),
            (", CPU", {turn: times.cpu_s for turn, times in told.items()}),
        ):
            alone, beside, elsewhere = (at(by_turn[turn], share) * 1e6 for turn in Turn)
            tell(
                f"tick to order beside {LISTENERS} listeners{what}, {name}",
                beside,
                "us",
                beside=alone,
                beside_name="without",
            )
            tell(
                f"tick to order beside {LISTENERS} listeners of another web{what}, {name}",
                elsewhere,
                "us",
                beside=alone,
                beside_name="without",
            )
    print("orders:", ", ".join(f"{len(times.took_s)} {turn.value}" for turn, times in told.items()))


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 2
    hostile = int(sys.argv[2]) if len(sys.argv) > 2 else HOSTILE
    allow_files(2 * ServerLimits().connections)
    for _ in range(rounds):
        loaded = visits()
        if loaded is not None:
            tell("page, from its address to being of use", loaded.usable_s, "s")
            tell("page, the engine's part of a visit", loaded.engine_s * 1e3, "ms CPU")
            tell("page, requests of a first visit", loaded.requests, "requests")
        _, idle, _ = trio.run(answers, 0)
        median, late, slowest = trio.run(answers, RATE)
        tell("GET routes under 5,000 messages/s, p50", median, "ms")
        tell("GET routes under 5,000 messages/s, p99", late, "ms", beside=idle, beside_name="without a feed")
        print(f"slowest: {slowest}")
        beside_listeners(trio.run(turns, LISTENERS, LISTENED_ORDERS))
        calm, _, _ = trio.run(siege, 0)
        took, refused, ended = trio.run(siege, hostile)
        tell(
            "order under siege, p50",
            statistics.median(took) * 1e3,
            "ms",
            beside=statistics.median(calm) * 1e3,
            beside_name="without",
        )
        tell("order under siege, p99", p99(took) * 1e3, "ms", beside=p99(calm) * 1e3, beside_name="without")
        tell("siege: connections refused", refused, "connections")
        tell("siege: stop of the server", ended, "s")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["ask", port, token]:
            ask(int(port), token)
        case ["besiege", port, count]:
            besiege(int(port), int(count))
        case _:
            main()
