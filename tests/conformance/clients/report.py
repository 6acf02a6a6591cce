"""What a client's script says of itself: one JSON line for each operation it tried, with how long it took."""

import asyncio
import contextlib
import json
import sys
import time
import traceback
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any


class Report:
    """Lines for one client, written as they come: a script that hangs has said how far it got."""

    def __init__(self, client: str, version: str) -> None:
        self.client = client
        self.version = version
        self.failed = 0

    @contextlib.contextmanager
    def operation(self, name: str) -> Iterator[None]:
        """One operation: it passes when nothing is raised. The script goes on after one that did not."""
        began = time.monotonic()
        problem = ""
        try:
            yield
        except Exception as error:
            traceback.print_exc(limit=8)
            problem = f"{type(error).__name__}: {error}"[:300]
        self._say(name, problem, time.monotonic() - began)

    @contextlib.asynccontextmanager
    async def waiting(self, name: str, within_s: float = 15.0) -> AsyncIterator[None]:
        """The same for a client on asyncio, with a limit."""
        began = time.monotonic()
        problem = ""
        try:
            async with asyncio.timeout(within_s):
                yield
        except Exception as error:
            traceback.print_exc(limit=8)
            problem = f"{type(error).__name__}: {error}"[:300]
        self._say(name, problem, time.monotonic() - began)

    def _say(self, name: str, problem: str, seconds: float) -> None:
        self.failed += bool(problem)
        line = {"client": self.client, "version": self.version, "operation": name, "passed": not problem}
        sys.stdout.write(json.dumps(line | {"problem": problem, "seconds": round(seconds, 3)}) + "\n")
        sys.stdout.flush()


class Control:
    """The simulator's control port: it drops sockets and says 20051 when asked."""

    def __init__(self, base: str) -> None:
        self.base = base

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data=data, method=method)  # noqa: S310 - our own loopback
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return json.load(answer)


def expect(truth: object, what: str) -> None:
    """Raises AssertionError that says what should have been so."""
    if not truth:
        raise AssertionError(f"must hold, did not: {what}")


def until(found: Callable[[], Any], what: str, within_s: float = 10.0) -> Any:
    """Ask again until the answer is true; other processes are at work, so this one cannot know when."""
    end = time.monotonic() + within_s
    while True:
        value = found()
        if value:
            return value
        expect(time.monotonic() < end, what)
        time.sleep(0.05)


async def until_async(found: Callable[[], Awaitable[Any]], what: str, within_s: float = 10.0) -> Any:
    end = time.monotonic() + within_s
    while True:
        value = await found()
        if value:
            return value
        expect(time.monotonic() < end, what)
        await asyncio.sleep(0.05)
