"""What the routes of jobs may ask of the engine."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import attrs
import msgspec

from protocols.jobs import JobView


class Market(msgspec.Struct, frozen=True, kw_only=True):
    """What a backtest can be made on: a recording, or minutes of a pair in the data store."""

    name: str
    where: str
    symbols: tuple[str, ...]
    first_ms: int
    end_ms: int


class NotDoable(Exception):
    """What was asked cannot be begun; the text says what must be otherwise."""


@attrs.frozen(kw_only=True)
class JobPorts:
    """The roof fills these in. `start` takes (job id, kind, title, request, who asks); it raises NotDoable.

    `result` gives a file that a job left, None when there is none. `backtest` makes a backtest's request of a body,
    with everything checked that can be known to be wrong before any work, `search` the same of a search (its kind and
    its body); `markets` are what it may be made on, the usual one first.
    """

    start: Callable[[str, str, str, Mapping[str, Any], str], Awaitable[JobView]]
    cancel: Callable[[str, str], Awaitable[JobView]]
    forget: Callable[[str, str], Awaitable[JobView]]
    views: Callable[[], Sequence[JobView]]
    result: Callable[[str, str], Awaitable[bytes | None]]
    backtest: Callable[[Mapping[str, Any]], Awaitable[dict[str, Any]]]
    search: Callable[[str, Mapping[str, Any]], Awaitable[dict[str, Any]]]
    markets: Callable[[], Awaitable[Sequence[Market]]]
