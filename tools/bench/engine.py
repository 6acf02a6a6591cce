"""The whole program as a user starts it: time until it could trade, memory at rest, and how fast it says it is well.

    python -m tools.bench.engine [rounds]

`genesis run` in mode sim with its defaults, in a process of its own with a fresh user directory. Start to ready runs
from the launch to the first /health that says ok. Requests are sent one after the other over one connection, in turns
with a bare ASGI application on the same server. /metrics writes every figure of the engine.
"""

import contextlib
import http.client
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from tools.bench._figures import tell

ROOT: Final = Path(__file__).resolve().parents[2]
PATIENCE_S: Final = 60.0
REST_S: Final = 5.0
REQUESTS: Final = 45
TURNS: Final = 3
"""In all fewer than one caller may ask at once."""
METRICS: Final = 15


def free_port() -> int:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return int(door.getsockname()[1])


@contextlib.contextmanager
def running(command: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def until_well(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise SystemExit(f"a measured process must keep running, ended with {process.returncode}")
        with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
            connection.request("GET", "/health")
            if json.loads(connection.getresponse().read())["status"] == "ok":
                return
        time.sleep(0.03)
    raise SystemExit(f"a measured process must be well within {PATIENCE_S:g} s, was not")


def resident_mib(pid: int) -> float:
    """Resident memory. The engine is one process."""
    told = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], check=True, capture_output=True)
    return int(told.stdout) / 1024


def requests_a_second(port: int) -> float:
    """GET /health over one connection, with as little of our own as a client can have."""
    with socket.create_connection(("127.0.0.1", port)) as line:
        question = f"GET /health HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
        began = time.perf_counter()
        for _ in range(REQUESTS):
            line.sendall(question)
            answer = line.recv(65_536)
            while b"}" not in answer:
                answer += line.recv(65_536)
            if not answer.startswith(b"HTTP/1.1 200"):
                raise SystemExit(f"every answer must be 200, was {answer[:40]!r}")
        return REQUESTS / (time.perf_counter() - began)


def token_of(directory: str, port: int) -> str:
    command = (sys.executable, "-m", "genesis", "token", "--data-dir", directory, "--port", str(port), "--json")
    told = subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return str(json.loads(told.stdout)["token"])


def seconds_of_metrics(port: int, token: str) -> float:
    """Median seconds of GET /metrics."""
    took = []
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    for _ in range(METRICS):
        began = time.perf_counter()
        connection.request("GET", "/metrics", headers={"Authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        answer.read()
        took.append(time.perf_counter() - began)
        if answer.status != 200:
            raise SystemExit(f"/metrics must answer 200, was {answer.status}")
    connection.close()
    return statistics.median(took)


@contextlib.contextmanager
def bare() -> Iterator[int]:
    """The port of the least that can answer."""
    port = free_port()
    command = [sys.executable, "-m", "hypercorn", "-k", "trio", "-b", f"127.0.0.1:{port}", "tools.bench._bare_asgi:app"]
    with running(command) as process:
        until_well(port, process)
        yield port


def main() -> int:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    for _ in range(rounds):
        port = free_port()
        with tempfile.TemporaryDirectory() as directory:
            words = ["run", "--data-dir", directory, "--port", str(port)]
            began = time.perf_counter()
            with running([sys.executable, "-m", "genesis", *words]) as process:
                until_well(port, process)
                tell("start to ready", time.perf_counter() - began, "s")
                time.sleep(REST_S)
                tell("memory of the engine at rest", resident_mib(process.pid), "MiB")
                with bare() as other:
                    turns = [(requests_a_second(other), requests_a_second(port)) for _ in range(TURNS)]
                limit, speed = (statistics.median(speeds) for speeds in zip(*turns, strict=True))
                tell("GET /health", speed, "requests/s", beside=limit, beside_name="bare ASGI")
                tell("GET /metrics", seconds_of_metrics(port, token_of(directory, port)) * 1e3, "ms")
    return 0


if __name__ == "__main__":
    sys.exit(main())
