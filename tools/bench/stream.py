"""What 1,000 clients of the event stream cost: processor time of the server, and how late the last of them hears.

    python -m tools.bench.stream [rounds] [clients]

The server runs here, the clients in a process of their own over real sockets on loopback. Each client subscribes to
tickers, orders and candles; the server publishes what a lively market of ten symbols says. Late is from the moment of
publishing to the moment that a client has decoded the frame; a client that is behind gets newer values in fewer frames.
"""

import os
import random
import statistics
import subprocess
import sys
import time
from functools import partial

import msgspec
import trio
from trio_websocket import open_websocket_url

from protocols.units import Symbol
from tests.web.fakes import a_ticker, some_readers
from tests.web.serving import a_server
from tools.bench._figures import tell
from web.feed import publish_event
from web.limits import RateLimit
from web.server import ServerLimits

CLIENTS = 1000
SECONDS = 8.0
TICKERS_PER_S = 100
OPENING = 40
"""Clients that dial at the same time."""

_decode = msgspec.json.decode


async def client(url: str, token: str, late: list[float], opened: list[int], gate: trio.CapacityLimiter) -> None:
    await gate.acquire()
    async with open_websocket_url(url) as socket:
        await socket.send_message(msgspec.json.encode({"op": "auth", "token": token}).decode())
        topics = ["ticker", "order", "status"]
        await socket.send_message(msgspec.json.encode({"op": "subscribe", "topics": topics}).decode())
        await socket.get_message()
        opened[0] += 1
        gate.release()
        while True:
            frame = _decode(await socket.get_message())
            now_ns = time.monotonic_ns()
            for message in frame["messages"]:
                if message["topic"] == "ticker" and message["kind"] == "update":
                    late.append((now_ns - message["data"]["received_ns"]) / 1e6)


async def clients(url: str, token: str, count: int, seconds: float) -> None:
    """The other process: says `ready` when all are connected, then what they heard."""
    late: list[float] = []
    opened = [0]
    gate = trio.CapacityLimiter(OPENING)
    async with trio.open_nursery() as nursery:
        for _ in range(count):
            nursery.start_soon(client, url, token, late, opened, gate)
        while opened[0] < count:  # noqa: ASYNC110 -- a count has no event of its own
            await trio.sleep(0.05)
        await trio.sleep(1.0)
        late.clear()
        print("ready", flush=True)
        await trio.sleep(seconds)
        late.sort()
        told: list[float] = (
            [len(late), statistics.median(late), late[int(0.99 * (len(late) - 1))]] if late else [0, 0.0, 0.0]
        )
        print(msgspec.json.encode(told).decode(), flush=True)
        # A thousand goodbyes are not part of it.
        os._exit(0)


async def one_round(count: int) -> tuple[float, float, float, float]:
    """(share of one core, updates a second and client, median ms, p99 ms)."""
    chance = random.Random(1)  # noqa: S311
    async with a_server(limits=ServerLimits(), readers=some_readers()) as served:
        # Every client shows the same token.
        served.site.app.config["API"].requests = RateLimit(per_s=1e6, burst=1e6)
        words = [sys.executable, "-m", "tools.bench.stream", "clients", served.stream, served.token(), str(count)]
        async with trio.open_nursery() as nursery:
            process: trio.Process = await nursery.start(partial(trio.run_process, words, stdout=subprocess.PIPE))
            assert process.stdout is not None
            lines = _Lines(process.stdout)
            assert await lines.next() == "ready"
            began, began_cpu = time.monotonic(), time.process_time()
            while time.monotonic() - began < SECONDS - 0.5:
                for _ in range(TICKERS_PER_S // 20):
                    ticker = a_ticker(Symbol(f"t{chance.randrange(10)}USD"), chance.uniform(6000, 7000))
                    publish_event(served.hub, msgspec.structs.replace(ticker, received_ns=time.monotonic_ns()))
                await trio.sleep(0.05)
            share = (time.process_time() - began_cpu) / (time.monotonic() - began)
            heard, median, p99 = msgspec.json.decode(await lines.next())
            nursery.cancel_scope.cancel()
    return share, heard / count / SECONDS, median, p99


class _Lines:
    def __init__(self, stream: trio.abc.ReceiveStream) -> None:
        self._stream = stream
        self._rest = b""

    async def next(self) -> str:
        while b"\n" not in self._rest:
            self._rest += await self._stream.receive_some()
        line, _, self._rest = self._rest.partition(b"\n")
        return line.decode()


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    count = int(sys.argv[2]) if len(sys.argv) > 2 else CLIENTS
    for _ in range(rounds):
        share, updates, median, p99 = trio.run(one_round, count)
        tell("stream: cores of the server", share, f"{count} clients", beside=1.0, beside_name="a core")
        tell("stream: updates heard", updates, "a client and s")
        tell("stream: late, median", median, "ms")
        tell("stream: late, p99", p99, "ms")


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] == "clients":
        seconds = float(sys.argv[5]) if len(sys.argv) > 5 else SECONDS
        trio.run(clients, sys.argv[2], sys.argv[3], int(sys.argv[4]), seconds)
    else:
        main()
