"""The venue of a world: the simulated exchange, unchanged, on a machine of its own, with the market on virtual time."""

import functools
import random
from collections.abc import Callable
from decimal import Decimal
from typing import Final

import attrs
import trio
from typing_extensions import override

from genesis.core.clock import TrioClock
from genesis.domain.recording import CandleRecording
from genesis.domain.replay import TICK_MS
from genesis.simulator.exchange import SLOW_CLIENT_BYTES, Exchange
from genesis.simulator.replay_driver import Moment
from genesis.simulator.session import Session
from genesis.simulator.settings import AccountTerms, ExchangeSettings
from genesis.worlds.hooks import EPOCH_S
from genesis.worlds.process import Process
from genesis.worlds.stop_watch import StopWatch
from genesis.worlds.witness import Witness
from protocols.bitfinex.inputs import ChangeOrder, Input, MultiOperation, NewOrder
from protocols.units import ZERO

VENUE_NAME: Final = "api.venue.example"
VENUE_ADDRESS: Final = "10.0.0.1"
VENUE_PORT: Final = 8700
IN_STEP_S: Final = TICK_MS[0] / 1000
"""When a venue must open for its heartbeats to come in step with the first three ticks of each minute: nothing is found
in a moment in which only one of the two comes, and each moment wakes everybody on the way of a price."""


class WatchedExchange(Exchange):
    """The exchange with a witness at its door. It trades in virtual real time, not at a replay's pace.

    The market moves and hearts beat by the world's clock itself: neither waits for anybody, so a task that sleeps in
    between would only be one turn of the loop more, and what both say in one moment would leave in two writes.
    """

    at: Callable[[float, Callable[[], object]], None]
    witness: Witness
    on_order: Callable[[int, str, Decimal], None]
    stops: StopWatch
    orders_heard: int = 0
    over: bool = False
    _looked_at: float = -1.0
    _venue_ms: int = 0

    @override
    async def heartbeats(self) -> None:
        self._beat_again()

    def _beat_again(self) -> None:
        self.at(trio.current_time() + self.settings.heartbeat_s, self._beats)

    def _beats(self) -> None:
        if not self.over:
            self.beat()
            self._beat_again()

    def make_ahead(self) -> None:
        """All moments at once, while the way to them is warm: one comes every fifteen seconds, between thousands of
        steps."""
        self._moments = iter(list(self._moments))

    def go_on(self) -> None:
        """Have the next moment of the market come."""
        moment = next(self.moments(), None)
        if moment is not None:
            self.at(moment.time_ms / 1000 - EPOCH_S, functools.partial(self._happens, moment))

    def _happens(self, moment: Moment) -> None:
        if self.over:
            return
        self.step = moment.number
        moment.tell()
        if moment.is_boundary:
            for session in list(self.sessions.values()):
                if session.backlog > SLOW_CLIENT_BYTES:
                    self.witness.reached("the venue dropped a client that did not read")
                    session.abort()
        self.go_on()

    @override
    def venue_ms(self) -> int:
        # Its machine's clock is right; asked for with every frame, so without the way over the process that asks.
        now = trio.current_time()
        if now != self._looked_at:
            self._looked_at, self._venue_ms = now, int((EPOCH_S + now) * 1000)
        return self._venue_ms

    @override
    def operate(self, session: Session, request: Input) -> None:
        for each in request.operations if isinstance(request, MultiOperation) else (request,):
            if isinstance(each, NewOrder | ChangeOrder):
                self._heard(session, each)
        super().operate(session, request)

    def _heard(self, session: Session, request: NewOrder | ChangeOrder) -> None:
        self.orders_heard += 1
        if isinstance(request, NewOrder):
            self.on_order(request.cid or 0, request.symbol, request.amount)
        gone = session.number not in self.sessions
        self.witness.note("venue", f"heard {type(request).__name__} {request.cid} on socket {session.number}")
        self.witness.reached("an order arrived on a socket that its sender had given up", gone)

    @override
    def save(self) -> None:
        super().save()
        self.stops.look()


class VenueHost:
    """One life of the venue, which nobody kills: its state is the oracle. Its account begins with `spare` of each coin
    that is traded, which nobody here has bought."""

    def __init__(
        self,
        recording: CandleRecording,
        chance: random.Random,
        witness: Witness,
        is_persons: Callable[[int], bool],
        owner: Callable[[int], object],
        *,
        at: Callable[[float, Callable[[], object]], None],
        opens_s: float = IN_STEP_S,
        spare: Decimal = ZERO,
    ) -> None:
        """`at` has something done at a time, by the world's clock."""
        self.process = Process("venue", VENUE_ADDRESS, mortal=False)
        terms = AccountTerms(name="sim")
        if spare:
            balances = [("exchange", recorded[1:4], spare) for recorded in recording.rows]
            terms = attrs.evolve(terms, balances=(*terms.balances, *balances))
        self.exchange = WatchedExchange(
            ExchangeSettings(accounts=(terms,)), recording, TrioClock(trio.current_time), chance
        )
        self.exchange.witness = witness
        self.stops = self.exchange.stops = StopWatch(self.exchange.venue, witness, is_persons, spare=spare, owner=owner)
        self.witness = witness
        self.exchange.at = at
        self.exchange.make_ahead()
        self._opens_s = opens_s

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        self.process.enter()
        await trio.sleep_until(self._opens_s)
        with self.process.scope:
            try:
                async with trio.open_nursery() as nursery:
                    await nursery.start(self.exchange.serve, VENUE_ADDRESS, VENUE_PORT)
                    self.exchange.go_on()
                    task_status.started()
            finally:
                self.exchange.over = True
