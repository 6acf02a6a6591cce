"""What the web may break, in sim mode: one port that says what there is, what is broken now, and breaks more of it."""

from collections.abc import Awaitable, Callable

import attrs
import msgspec


class FaultInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of trouble. `target` is what it needs: `actor` (a path in the tree), `sockets`, or nothing.

    `takes` names the other fields that it looks at: seconds, times.
    """

    fault: str
    target: str | None
    takes: tuple[str, ...]
    text: str


class FaultWish(msgspec.Struct, frozen=True, kw_only=True):
    """`seconds` is how long it lasts, or how late something comes; `times` how often it happens at most."""

    fault: str
    actor: str | None = None
    sockets: str = "all"
    seconds: float | None = None
    times: int | None = None


class FaultView(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is broken now. `ends_in_s` is None for what ends by itself when it has happened."""

    fault: str
    text: str
    happened: int
    ends_in_s: float | None


@attrs.frozen(kw_only=True)
class ChaosPort:
    """`inject` raises Refused; it answers what was done, in words. `clear` mends what is broken; gives how much."""

    kinds: tuple[FaultInfo, ...]
    active: Callable[[], tuple[FaultView, ...]]
    inject: Callable[[FaultWish], Awaitable[str]]
    clear: Callable[[], Awaitable[int]]
