"""The moments between which a decision is timed, at both ends of its wires.

At the far end (the exchange, or the prober of the five actors): just before the first byte of a tick is written, and
just after the bytes of the order are read. At the near end: when a read has brought bytes, and when an order is given
to its socket. Both ends read the machine's one monotonic clock, so moments of two processes can be compared.
"""

import time
from bisect import bisect_left
from collections.abc import Sequence
from typing import Final, NamedTuple

import attrs
import trio
from typing_extensions import override


class Moment(NamedTuple):
    """`cpu_s` is of the thread that timed it, at the near end of the whole process."""

    at_s: float
    cpu_s: float


def now() -> Moment:
    return Moment(time.perf_counter(), time.thread_time())


def now_of_process() -> Moment:
    return Moment(time.perf_counter(), time.process_time())


NEVER: Final = Moment(0.0, 0.0)


class Span(NamedTuple):
    """From the tick's first byte to the order's last, at the far end."""

    wrote: Moment
    read: Moment

    @property
    def took_s(self) -> float:
        return self.read.at_s - self.wrote.at_s

    @property
    def cpu_s(self) -> float:
        return self.read.cpu_s - self.wrote.cpu_s


@attrs.define(eq=False)
class Watch:
    """What the taps of one far end share: whether a tick is to be timed, when it was written, and the newest read."""

    awaited: bool = False
    wrote: Moment | None = None
    read: Moment = NEVER

    def expect(self, awaited: bool = True) -> None:
        """What is written next is a tick; or not, and what is awaited is no more."""
        self.awaited, self.wrote = awaited, None

    def answered(self) -> Span | None:
        """The order has come: its span, if it was awaited and something was written."""
        if not self.awaited or self.wrote is None:
            return None
        self.awaited = False
        return Span(self.wrote, self.read)


class _Around(trio.abc.Stream):
    """A stream that is another one, but for what is noted of it."""

    def __init__(self, inner: trio.abc.Stream) -> None:
        self.inner = inner

    @override
    async def wait_send_all_might_not_block(self) -> None:
        await self.inner.wait_send_all_might_not_block()

    @override
    async def aclose(self) -> None:
        await self.inner.aclose()


class Tap(_Around):
    """A stream of the far end, which notes when it wrote a tick and when it read."""

    def __init__(self, inner: trio.abc.Stream, watch: Watch) -> None:
        super().__init__(inner)
        self.watch = watch

    @override
    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        watch = self.watch
        if watch.awaited and watch.wrote is None:
            watch.wrote = now()
        await self.inner.send_all(data)

    @override
    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        data = await self.inner.receive_some(max_bytes)
        self.watch.read = now()
        return data


@attrs.define(eq=False)
class Marks:
    """What the taps of one near end note."""

    reads: list[Moment] = attrs.field(factory=list)
    sends: list[Moment] = attrs.field(factory=list)
    waits: list[tuple[float, float]] = attrs.field(factory=list)
    """For intents, in seconds of `Moment.at_s`: when the journal was asked, and when the order went on. By the wall
    alone: it is noted while the order waits, and asking the kernel for CPU time takes longer than all else of it."""

    def waited_s(self, spans: Sequence[Span]) -> list[float]:
        """Of each span the seconds in which its order waited for its intent to be kept."""
        begins = [began_s for began_s, _ in self.waits]
        found: list[float] = []
        for span in spans:
            first, last = bisect_left(begins, span.wrote.at_s), bisect_left(begins, span.read.at_s)
            within = [wait for wait in self.waits[first:last] if wait[1] < span.read.at_s]
            found.append(sum([ended_s - began_s for began_s, ended_s in within]))
        return found

    def within(self, spans: Sequence[Span]) -> list[Span]:
        """Of each span the part that is the near end's own: from its first read to its last send."""
        found: list[Span] = []
        for span in spans:
            read = bisect_left(self.reads, span.wrote)
            send = bisect_left(self.sends, span.read) - 1
            if read < len(self.reads) and send >= 0 and self.reads[read] < self.sends[send]:
                found.append(Span(self.reads[read], self.sends[send]))
        return found


class NearTap(_Around):
    """A stream of the near end. `reads` and `sends`: which of the two is noted."""

    def __init__(self, inner: trio.abc.Stream, marks: Marks, *, reads: bool = True, sends: bool = True) -> None:
        super().__init__(inner)
        self._reads: Final = marks.reads if reads else []
        self._sends: Final = marks.sends if sends else []

    @override
    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        self._sends.append(now_of_process())
        await self.inner.send_all(data)

    @override
    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        data = await self.inner.receive_some(max_bytes)
        self._reads.append(now_of_process())
        return data
