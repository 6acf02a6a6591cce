"""A real redis-server for tests: started on a free port, killed, stopped and started again as a test wants it."""

import contextlib
import gc
import shutil
import signal
import socket
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import attrs
import pytest
import trio


@attrs.define(eq=False)
class RedisServer:
    """`start` waits until it answers; `kill` is kill -9; `freeze` stops it without closing a connection."""

    folder: Path
    port: int
    keeps: bool = True
    _process: subprocess.Popen[bytes] | None = attrs.field(default=None, init=False)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def _spawn(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        words = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder)]
        words += ["--save", "", "--appendonly", "yes" if self.keeps else "no", "--appendfsync", "always"]
        self._process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    async def start(self) -> None:
        self._spawn()
        with trio.fail_after(20):
            while True:
                with contextlib.suppress(OSError):
                    stream = await trio.open_tcp_stream("127.0.0.1", self.port)
                    async with stream:
                        await stream.send_all(b"PING\r\n")
                        if await stream.receive_some(7) == b"+PONG\r\n":
                            return
                await trio.sleep(0.02)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)


@contextlib.asynccontextmanager
async def a_redis(folder: Path, *, keeps: bool = True) -> AsyncIterator[RedisServer]:
    """Skips the test where no redis-server is installed. `keeps` false forgets everything when it is killed."""
    if shutil.which("redis-server") is None:
        pytest.skip("no redis-server is installed")
    pytest.importorskip("coredis", reason="the extra redis is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = RedisServer(folder, port, keeps)
    await server.start()
    try:
        yield server
    finally:
        server.kill()
        # What a broken connection left must not be found by the collector in somebody else's test.
        gc.collect()
