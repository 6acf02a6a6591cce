"""The one door for REST: every request waits for its turn, is signed at the last moment, and repeated only if safe.

What a request means is said elsewhere; here count its kind (for the budget), whether it is signed, and whether it may
be repeated. A repeat happens when

* not one byte left, or the venue said that it did nothing (429, nonce too small, maintenance is not waited for here);
* anything else went wrong and the request changes nothing (`repeatable`).
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

import attrs
import msgspec
import trio

from genesis.core.clock import Clock
from genesis.edge.errors import EdgeError, RequestFailed
from genesis.edge.http import HttpAnswer, HttpClient
from genesis.edge.io_stats import IoStats
from genesis.edge.nonce import NonceOwner
from genesis.edge.secrets import Secret
from protocols.bitfinex.auth import rest_headers
from protocols.bitfinex.errors import MalformedFrame, NonceTooSmall, RateLimited, VenueError
from protocols.bitfinex.rest import read_answer
from protocols.bitfinex.rest_requests import RestRequest
from protocols.health import IoView

TRIES: Final = 3
RETRY_BASE_S: Final = 0.25
RATE_LIMITED_S: Final = 60.0


class Breaker(Protocol):
    def can_request(self, now: float) -> bool: ...
    def time_until_open(self, now: float) -> float: ...
    def note_success(self, now: float) -> None: ...
    def note_failure(self, now: float, *, status: int | None = None, retry_after_s: float | None = None) -> None: ...


class Budget(Protocol):
    """See `genesis.domain.rest_budget`, which this floor does not know."""

    def take(self, kind: str, now: float) -> float: ...
    def hold(self, kind: str, now: float, pause_s: float) -> None: ...
    def concurrency(self, kind: str) -> int: ...
    def class_of(self, kind: str) -> str: ...
    def breaker(self, kind: str) -> Breaker: ...
    def view(self, now: float) -> dict[str, Any]: ...


class Chance(Protocol):
    def random(self) -> float: ...


class CircuitOpen(EdgeError):
    """Not asked: too many requests of this kind have failed. `for_s` is how long it will be so."""

    def __init__(self, kind: str, for_s: float) -> None:
        super().__init__(f"{kind} is not asked for another {for_s:.1f} s, its last requests failed")
        self.for_s = for_s


@attrs.frozen(kw_only=True)
class RestKey:
    """What signs: an API key with its secret, and the one source of its nonces."""

    key: str
    secret: Secret
    nonce: NonceOwner


@attrs.define(eq=False)
class RestDoor:
    """Asks RestRequests of one venue. `public` and `private` may be the same client. One door a process."""

    public: HttpClient
    private: HttpClient
    budget: Budget
    clock: Clock
    chance: Chance
    key: RestKey | None = None
    io: dict[str, IoStats] = attrs.field(factory=dict)
    """By class of the budget."""
    asked: dict[str, int] = attrs.field(factory=dict)
    failed: dict[str, int] = attrs.field(factory=dict)
    _turns: dict[str, trio.Semaphore] = attrs.field(factory=dict)
    # Nonces that overtake each other on two connections are refused, so signed requests go one after the other.
    _signing: trio.Lock = attrs.field(factory=trio.Lock)
    _orders_waiting: int = 0
    _no_order_waits: trio.Event = attrs.field(factory=trio.Event)

    async def ask(self, request: RestRequest, *, exact: bool = False, leaving: Callable[[], None] | None = None) -> Any:
        """The JSON of the answer (fractions as Decimal when `exact`).

        `leaving` is called just before the first byte of a signed request may leave, of each try: whoever gives it
        asks for an order, and those that only ask questions let it go first.

        Raises VenueError (the venue said no), MalformedFrame (no answer of the venue), RequestFailed, CircuitOpen.
        """
        turn = self._turns.get(self.budget.class_of(request.kind))
        if turn is None:
            turn = self._turns[self.budget.class_of(request.kind)] = trio.Semaphore(
                self.budget.concurrency(request.kind)
            )
        await _take(turn)
        try:
            return await self._tries(request, exact, leaving)
        finally:
            turn.release()

    async def _tries(self, request: RestRequest, exact: bool, leaving: Callable[[], None] | None) -> Any:
        for attempt in range(1, TRIES + 1):
            try:
                return await self._once(request, exact, leaving)
            except NonceTooSmall:
                # The venue did nothing. Somebody else used this key with a bigger number: jump over it.
                if attempt == TRIES or self.key is None:
                    raise
                await self.key.nonce.bump()
            except RateLimited:
                raise
            except RequestFailed as error:
                if attempt == TRIES or (error.sent and not request.repeatable):
                    raise
            except (MalformedFrame, VenueError) as error:
                if attempt == TRIES or not request.repeatable or not _passing(error):
                    raise
            await trio.sleep(RETRY_BASE_S * 2 ** (attempt - 1) * (0.5 + self.chance.random()))
        raise AssertionError("the last try either answers or raises")

    async def _once(self, request: RestRequest, exact: bool, leaving: Callable[[], None] | None) -> Any:
        wait_s = self.budget.take(request.kind, self.clock.now())
        if wait_s > 0:
            await trio.sleep(wait_s)
        breaker = self.budget.breaker(request.kind)
        if not breaker.can_request(self.clock.now()):
            raise CircuitOpen(request.kind, breaker.time_until_open(self.clock.now()))
        self.asked[request.kind] = self.asked.get(request.kind, 0) + 1
        io = self.io.setdefault(self.budget.class_of(request.kind), IoStats())
        try:
            answer = await (self._signed(request, io, leaving) if request.signed else self._plain(request, io))
        except RequestFailed:
            io.failed(sent=len(request.body))
            breaker.note_failure(self.clock.now())
            self._count_failure(request.kind)
            raise
        try:
            value = read_answer(answer.status, answer.body, exact=exact)
        except RateLimited:
            pause_s = max(answer.retry_after_s or 0.0, RATE_LIMITED_S)
            breaker.note_failure(self.clock.now(), status=answer.status, retry_after_s=pause_s)
            self.budget.hold(request.kind, self.clock.now(), pause_s)
            self._count_failure(request.kind)
            raise
        except (MalformedFrame, VenueError) as error:
            self._count_failure(request.kind)
            if _passing(error):
                breaker.note_failure(self.clock.now(), status=answer.status, retry_after_s=answer.retry_after_s)
            else:
                breaker.note_success(self.clock.now())
            raise
        breaker.note_success(self.clock.now())
        return value

    async def _plain(self, request: RestRequest, io: IoStats) -> HttpAnswer:
        headers = {"content-type": "application/json"} if request.body else {}
        return await self._timed(self.public, request, headers, io)

    async def _timed(
        self, client: HttpClient, request: RestRequest, headers: Mapping[str, str], io: IoStats
    ) -> HttpAnswer:
        """One exchange, and how long the other side took: neither waiting for a turn nor for a nonce is in it."""
        began = self.clock.now()
        answer = await client.exchange(request.method, request.target, headers=headers, body=request.body)
        io.answered(self.clock.now() - began, sent=len(request.body), received=len(answer.body))
        return answer

    async def _signed(self, request: RestRequest, io: IoStats, leaving: Callable[[], None] | None) -> HttpAnswer:
        if self.key is None:
            raise RequestFailed(f"{request.kind} must be signed, there is no API key", sent=False)
        await self._take_turn_to_sign(is_order=leaving is not None)
        try:
            nonce = await self.key.nonce.next()
            headers = rest_headers(self.key.key, self.key.secret.reveal(), request.path, nonce, request.body)
            if leaving is not None:
                leaving()
            return await self._timed(self.private, request, headers, io)
        finally:
            self._signing.release()

    async def _take_turn_to_sign(self, *, is_order: bool) -> None:
        if is_order:
            self._orders_waiting += 1
            try:
                await _take(self._signing)
            finally:
                self._orders_waiting -= 1
                if not self._orders_waiting:
                    self._no_order_waits.set()
                    self._no_order_waits = trio.Event()
            return
        await _take(self._signing)
        while self._orders_waiting:
            self._signing.release()
            await self._no_order_waits.wait()
            await _take(self._signing)

    def views(self) -> tuple[IoView, ...]:
        """What was asked of the venue over REST, by class, with what is left of the class's budget."""
        classes = self.budget.view(self.clock.now())["classes"]
        return tuple(
            msgspec.structs.replace(
                io.view(f"rest_{name.lower()}", "rest"),
                tokens=float(classes[name]["tokens"]),
                utilization=float(classes[name]["utilization_percent"]) / 100,
            )
            for name, io in sorted(self.io.items())
        )

    def _count_failure(self, kind: str) -> None:
        self.failed[kind] = self.failed.get(kind, 0) + 1


async def _take(turn: trio.Semaphore | trio.Lock) -> None:
    """Take a turn, for the caller to release. Where nobody else has it trio would take a turn of the loop for it."""
    try:
        turn.acquire_nowait()
    except trio.WouldBlock:
        await turn.acquire()


def _passing(error: MalformedFrame | VenueError) -> bool:
    """Trouble that may be over at the next try: a gateway's page, or the venue's own `unknown` and `not ready`."""
    return isinstance(error, MalformedFrame) or error.code in (None, 10000, 10008, 11000)
