"""One Redis stream: append to it, and read what was appended since. Every call ends in time, or raises BusDown.

Needs the extra `redis`. A connection is made for each session of use; after any failure it is thrown away, because a
server that was stopped and went on may answer an older question.
"""

import contextlib
import math
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

import attrs
import trio

from genesis.edge.errors import EdgeError

CALL_S: Final = 5.0
CONNECT_S: Final = 3.0
READ_AT_MOST: Final = 100
KEEP: Final = 1_000
"""Entries that the stream keeps, about."""


class BusDown(EdgeError):
    """Redis does not answer, or not as it should; the text says how."""


class BusMissing(EdgeError):
    """The extra that speaks to Redis is not installed."""


@attrs.frozen(kw_only=True)
class Entry:
    """One entry of the stream: its id and its fields."""

    entry_id: str
    fields: dict[bytes, bytes]


class RedisStream:
    """An open connection to one stream. Made by `connected`."""

    def __init__(self, client: Any, stream: str) -> None:
        self._client = client
        self._stream = stream

    async def append(self, fields: dict[str, bytes]) -> str:
        """Append an entry; gives its id. Raises BusDown."""
        from coredis import PureToken

        with _deadline(CALL_S):
            told = await self._client.xadd(
                self._stream,
                field_values=fields,
                trim_strategy=PureToken.MAXLEN,
                trim_operator=PureToken.APPROXIMATELY,
                threshold=KEEP,
            )
        return _text(told)

    async def length(self) -> int:
        """How many entries there are. Raises BusDown."""
        with _deadline(CALL_S):
            return int(await self._client.xlen(self._stream))

    async def server_id(self) -> str:
        """Which life of the server this is: a restart gives it another. Raises BusDown."""
        with _deadline(CALL_S):
            told = await self._client.info("server")
        return _text(told.get("run_id", told.get(b"run_id", "")))

    async def read(self, after_id: str, *, wait_s: float) -> list[Entry]:
        """Entries after an id, oldest first; none when none came within `wait_s`. Raises BusDown."""
        with _deadline(CALL_S + wait_s):
            told = await self._client.xread(
                {self._stream: after_id}, count=READ_AT_MOST, block=max(1, math.ceil(wait_s * 1000))
            )
        if not told:
            return []
        rows = next(iter(told.values()))
        return [
            Entry(
                entry_id=_text(row.identifier),
                fields={_bytes(name): _bytes(value) for name, value in row.field_values.items()},
            )
            for row in rows
        ]


@contextlib.asynccontextmanager
async def connected(url: str, stream: str) -> AsyncIterator[RedisStream]:
    """Connect for as long as the block lasts. Raises BusDown, BusMissing or ValueError (an address that is none)."""
    try:
        import coredis
    except ImportError:
        raise BusMissing("the bus needs the extra: pip install 'genesis-engine[redis]'") from None
    with _translated():
        client = coredis.Redis.from_url(
            url,
            stream_timeout=CALL_S,
            connect_timeout=CONNECT_S,
            retry_policy=coredis.retry.NoRetryPolicy(),
        )
        async with client:
            yield RedisStream(client, stream)


@contextlib.contextmanager
def _deadline(seconds: float) -> Iterator[None]:
    with trio.move_on_after(seconds) as scope:
        yield
    if scope.cancelled_caught:
        raise BusDown(f"Redis must answer within {seconds:g} s, did not")


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """Whatever coredis raises, alone or in a group, as BusDown. What is ours, and a cancel, passes."""
    try:
        yield
    except Exception as error:
        leaf = _leaf(error)
        if isinstance(leaf, BusDown | BusMissing):
            raise leaf from None
        if not _is_of_redis(leaf):
            raise
        # The text of a connection's error may hold its address, and that a password.
        raise BusDown(f"Redis must be reachable, was not: {type(leaf).__name__}") from None


def _is_of_redis(error: BaseException) -> bool:
    return isinstance(error, OSError | trio.BrokenResourceError | trio.ClosedResourceError | TimeoutError) or type(
        error
    ).__module__.startswith(("coredis", "anyio"))


def _leaf(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _text(value: object) -> str:
    return value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()
