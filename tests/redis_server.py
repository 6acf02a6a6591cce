"""A real redis-server for tests: started on a free port, killed, stopped and started again as a test wants it."""

import contextlib
import gc
import random
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import attrs
import pytest
import trio

PORTS = range(15_000, 32_000)
"""Below those that the system gives to whoever dials: one that is started again finds its own free."""


class PortTaken(Exception):
    """Another program listens there."""


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

    def _spawn(self) -> subprocess.Popen[bytes]:
        self.folder.mkdir(parents=True, exist_ok=True)
        words = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder)]
        words += ["--save", "", "--appendonly", "yes" if self.keeps else "no", "--appendfsync", "always"]
        self._process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return self._process

    async def start(self) -> None:
        """Raises PortTaken where another program listens."""
        process = self._spawn()
        with trio.fail_after(60):
            while True:
                with contextlib.suppress(OSError):
                    stream = await trio.open_tcp_stream("127.0.0.1", self.port)
                    async with stream:
                        # Another test's server may be there, and ours may be about to find that out.
                        await stream.send_all(b"INFO server\r\nPING\r\n")
                        told = b""
                        while b"+PONG\r\n" not in told and (more := await stream.receive_some(65_536)):
                            told += more
                            if b"-LOADING" in told:
                                break
                        if b"+PONG\r\n" in told and b"process_id:%d\r\n" % process.pid in told:
                            return
                if process.poll() is not None:
                    raise PortTaken
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
    server = RedisServer(folder, 0, keeps)
    for last in (False,) * 20 + (True,):
        server.port = random.SystemRandom().choice(PORTS)
        try:
            await server.start()
            break
        except PortTaken:
            if last:
                raise
    try:
        yield server
    finally:
        server.kill()
        # What a broken connection left must not be found by the collector in somebody else's test.
        gc.collect()
