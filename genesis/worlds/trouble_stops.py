"""The faults that are about stops: one comes twice, because nobody has seen it for so long that another one stands in
for it; or the socket alone is away, and it may leave over REST.
"""

import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import trio

from genesis.simulator.faults import FaultKind, FaultRule
from genesis.worlds.engine_host import EngineHost
from genesis.worlds.route import LOGIN_ANSWER

if TYPE_CHECKING:
    from genesis.worlds.world import World

SINGLE: Final = b'[0,"on"'
"""A new order by itself: one in a frame with the cancel of another leaves that one at the venue meanwhile."""
LOST_SHARE: Final = 0.4
HANGS_UP_SHARE: Final = 0.5
"""Of lost answers: the connection ends without one, instead of an answer of a gateway."""
FLATTEN_SHARE: Final = 0.4
LATEST_STOP_S: Final = 60.0
"""As late as any order of a world is carried out."""


class TroubleWithStops:
    """A part of `Trouble`."""

    world: "World"
    chance: random.Random
    _live: Callable[[], EngineHost | None]
    _for: Callable[[float, float], float]
    _later: Callable[[float, Callable[[], object]], None]
    _for_orders_s: Callable[[], float]
    _flatten: Callable[[], str]
    _stops_until: float = 0.0

    def _twin_stop(self) -> str:
        """The line breaks when the next stop has left, which is carried out late; history is silent until long after.

        The next session shows no stop, so another one is placed by what the session tells. Then the first one appears:
        both sell the same lot, and one has to go although nobody can say what has traded.
        """
        if not self.world.spare:
            return "no coins for a second stop"
        self._stops_until = trio.current_time() + self._for_orders_s()
        return f"at the next stop until {self._stops_until:.0f}"

    def _socket_away(self) -> str:
        """The authenticated socket alone is away: no login is answered, no handshake, or each socket is dropped soon.

        REST answers all the time, now and then but for the one answer to a stop. At times a person flattens meanwhile.
        """
        way, until = self.chance.choice(("auth", "handshake", "drop")), self._for(15, 120)
        if way == "auth":
            self._stand_until(FaultRule(kind=FaultKind.LOSE, times=None, contains=LOGIN_ANSWER), until)
        elif way == "handshake":
            self._stand_until(FaultRule(kind=FaultKind.HANDSHAKE, times=None, value=503), until)
        else:
            at = trio.current_time()
            while (at := at + self.chance.uniform(0.2, 3.0)) < until:
                self._later(at, self._drop_private)
        drawn = self.chance.random()
        if drawn < LOST_SHARE:
            hangs_up = float(drawn < LOST_SHARE * HANGS_UP_SHARE)
            lost = FaultRule(kind=FaultKind.LOST_ANSWER, contains="order/submit", value=hangs_up)
            self._stand_until(lost, until)
            what = "the answer to a stop over REST was lost"
            self._later(until, lambda: self.world.witness.reached(what, lost.happened))
        if self.chance.random() < FLATTEN_SHARE:
            self._later(trio.current_time() + self.chance.uniform(0, 15), self._flatten)
        self._drop_private()
        return f"{way} until {until:.0f}"

    def _drop_private(self) -> None:
        self.world.venue.exchange.faults.drop(private=True)

    def stop_leaves(self, host: EngineHost, frame: bytes, cids: list[int]) -> None:
        """A frame with these orders is about to leave."""
        if trio.current_time() >= self._stops_until or host is not self._live() or not frame.startswith(SINGLE):
            return
        rows = [self.world.rules.rows.get(cid) for cid in cids]
        if not all(row is not None and row.protects for row in rows):
            return
        self._stops_until = 0.0
        host.break_next_send = True
        late_s, silent_s = self.chance.uniform(25, LATEST_STOP_S), self.chance.uniform(120, 240)
        late = FaultRule(kind=FaultKind.GHOST, value=late_s)
        self._stand_until(late, self._for(10, 10))
        self._stand_until(FaultRule(kind=FaultKind.SERVER_ERROR, times=None), self._for(silent_s, silent_s))
        text = f"order {cids[0]} comes {late_s:.0f} s late, history is silent for {silent_s:.0f} s"
        self.world.witness.note("fault", text)
        self.world.witness.reached("a stop left that came late, and history was silent")

    def _stand_until(self, rule: FaultRule, until: float) -> None:
        """A rule of the venue's fault desk, in force until then."""
        desk = self.world.venue.exchange.faults
        desk.add(rule)
        # And no frame is looked at any longer for the sake of a rule that is over.
        self._later(until, lambda: desk.remove(rule))
