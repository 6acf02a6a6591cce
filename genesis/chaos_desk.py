"""The chaos desk: trouble on demand for an engine that trades on its own simulator. It exists in sim mode only.

Actors are killed, hung or set spinning by their supervisor and mailbox, as a defect in them would do it; the venue is
made to misbehave by the simulator's fault desk. Nothing here reaches into what an actor knows.
"""

import math
from collections.abc import Callable
from typing import Any, Final

import attrs
import trio

from genesis.engine import Engine
from genesis.simulator.exchange import Exchange
from genesis.simulator.faults import FaultKind, FaultRule
from protocols.health import ActorView
from web.chaos_port import ChaosPort, FaultInfo, FaultView, FaultWish
from web.controls import Refused

SPIN_S: Final = 0.002
DEFAULT_S: Final = 30.0
LONGEST_S: Final = 600.0
MOST_TIMES: Final = 1000
WHERE: Final = ("all", "public", "private")

KINDS: Final = (
    FaultInfo(fault="kill", target="actor", takes=(), text="The actor crashes now."),
    FaultInfo(fault="hang", target="actor", takes=(), text="It takes its next messages and is never heard of again."),
    FaultInfo(fault="livelock", target="actor", takes=(), text="It takes its next messages and turns in place."),
    FaultInfo(fault="drop", target="sockets", takes=(), text="Sockets are cut without a goodbye."),
    FaultInfo(
        fault="socket_away",
        target=None,
        takes=("seconds",),
        text="The account's socket alone is away: no login is answered. REST answers.",
    ),
    FaultInfo(fault="stop", target=None, takes=(), text="The venue says 20051 and closes every socket."),
    FaultInfo(fault="maintenance", target=None, takes=("seconds",), text="20060, and 20061 when it is over."),
    FaultInfo(fault="stall", target="sockets", takes=("seconds",), text="A socket stays open and says nothing more."),
    FaultInfo(fault="gap", target="sockets", takes=("seconds", "times"), text="Frames are lost."),
    FaultInfo(fault="duplicate", target="sockets", takes=("seconds", "times"), text="Frames come twice."),
    FaultInfo(fault="reorder", target="sockets", takes=("seconds", "times"), text="Two frames change places."),
    FaultInfo(fault="delay", target="sockets", takes=("seconds", "times"), text="Frames come late, by `seconds`."),
    FaultInfo(fault="tear", target="sockets", takes=("seconds", "times"), text="The line breaks within a frame."),
    FaultInfo(fault="bad_checksum", target=None, takes=("seconds", "times"), text="A book's checksum is wrong."),
    FaultInfo(fault="lost_ack", target=None, takes=("seconds", "times"), text="A request is done and not answered."),
    FaultInfo(fault="ghost", target=None, takes=("seconds", "times"), text="An order is carried out `seconds` late."),
    FaultInfo(fault="nonce", target=None, takes=("seconds", "times"), text="A signed request hears `nonce: small`."),
    FaultInfo(fault="rate_limit", target=None, takes=("seconds", "times"), text="REST answers 429."),
    FaultInfo(fault="server_error", target=None, takes=("seconds", "times"), text="REST answers 503."),
    FaultInfo(fault="handshake", target=None, takes=("seconds", "times"), text="New sockets are refused with 429."),
)
_RULES: Final = {
    "stall": FaultKind.STALL,
    "gap": FaultKind.LOSE,
    "duplicate": FaultKind.DUPLICATE,
    "reorder": FaultKind.REORDER,
    "delay": FaultKind.DELAY,
    "tear": FaultKind.TEAR,
    "bad_checksum": FaultKind.BAD_CHECKSUM,
    "lost_ack": FaultKind.LOST_ACK,
    "ghost": FaultKind.GHOST,
    "nonce": FaultKind.NONCE,
    "rate_limit": FaultKind.RATE_LIMIT,
    "server_error": FaultKind.SERVER_ERROR,
    "handshake": FaultKind.HANDSHAKE,
}
LOGIN_ANSWER: Final = '"event":"auth"'
_LATE: Final = frozenset({"delay", "ghost"})
"""Their seconds are how late something comes; the rule itself then stands until it has happened."""


@attrs.define(eq=False)
class _Broken:
    """Something that can be mended. `rule` is the venue's, for those that are rules."""

    fault: str
    text: str
    mend: Callable[[], object]
    ends_at: float = math.inf
    rule: FaultRule | None = None
    happened: int = 0

    @property
    def times(self) -> int:
        return self.happened if self.rule is None else self.rule.happened

    @property
    def over(self) -> bool:
        rule = self.rule
        return rule is not None and rule.times is not None and rule.happened >= rule.times


class ChaosDesk:
    """`nursery` is where faults wait for their end."""

    def __init__(self, engine: Engine, exchange: Exchange, nursery: trio.Nursery) -> None:
        self._engine = engine
        self._exchange = exchange
        self._nursery = nursery
        self._broken: list[_Broken] = []

    def port(self) -> ChaosPort:
        return ChaosPort(kinds=KINDS, active=self.active, inject=self.inject, clear=self.clear)

    def active(self) -> tuple[FaultView, ...]:
        """What is broken now; what has happened as often as it may is forgotten here."""
        for one in [one for one in self._broken if one.over]:
            self._mend(one)
        now = trio.current_time()
        return tuple(
            FaultView(
                fault=one.fault,
                text=one.text,
                happened=one.times,
                ends_in_s=None if one.ends_at == math.inf else max(0.0, one.ends_at - now),
            )
            for one in self._broken
        )

    async def clear(self) -> int:
        found = len(self.active())
        for one in list(self._broken):
            self._mend(one)
        return found

    async def inject(self, wish: FaultWish) -> str:
        """Raises Refused with the sentence for people when the wish makes no sense."""
        known = {kind.fault: kind for kind in KINDS}
        kind = known.get(wish.fault)
        if kind is None:
            raise Refused("unknown_fault", f"fault must be one of {', '.join(known)}, was {wish.fault[:60]}")
        if wish.sockets not in WHERE:
            raise Refused("bad_fault", f"sockets must be one of {', '.join(WHERE)}, was {wish.sockets[:60]}")
        if wish.seconds is not None and not 0 < wish.seconds <= LONGEST_S:
            raise Refused("bad_fault", f"seconds must be above 0 and at most {LONGEST_S:g}, was {wish.seconds}")
        if wish.times is not None and not 0 < wish.times <= MOST_TIMES:
            raise Refused("bad_fault", f"times must be at least 1 and at most {MOST_TIMES}, was {wish.times}")
        if kind.target == "actor":
            text = self._actor_fault(wish)
        elif wish.fault in _RULES:
            text = self._rule(wish)
        else:
            text = self._switch(wish)
        self._engine.notice("warning", "chaos", f"asked for on the page: {text}")
        return text

    # --- actors -----------------------------------------------------------------------------------------------------

    def _actor_fault(self, wish: FaultWish) -> str:
        path = wish.actor
        if path is None:
            raise Refused("bad_fault", f"{wish.fault} needs an actor: a path in the tree, as engine/trading/order")
        if wish.fault == "kill":
            if not self._engine.supervisor.kill(path, reason="asked on the page"):
                raise Refused("unknown_actor", f"no actor that runs is called {path[:80]}")
            return f"{path} was killed; its supervisor takes it from here"
        if path not in _workers(self._engine.supervisor.tree()):
            raise Refused("unknown_actor", f"no actor with a mailbox is called {path[:80]}")
        name = path.rpartition("/")[2]
        box = self._engine.plan.mailboxes[name]
        if "lease" in box.__dict__:
            raise Refused("already_broken", f"{path} waits for its next message to hang already")
        one = _Broken(wish.fault, f"{wish.fault} of {path}", mend=lambda: box.__dict__.pop("lease", None))
        lease, spins = box.lease, wish.fault == "livelock"

        async def broken_lease(*terms: Any) -> Any:
            found = await lease(*terms)
            if found and one in self._broken:
                # One life of it: the next one gets a mailbox that works.
                self._mend(one)
                if spins:
                    await _turn_in_place()
                await trio.sleep_forever()
            return found

        box.__dict__["lease"] = broken_lease
        self._broken.append(one)
        return f"{path} takes its next messages and will not be heard of until its watchdog finds it"

    # --- the venue --------------------------------------------------------------------------------------------------

    def _rule(self, wish: FaultWish) -> str:
        late = wish.fault in _LATE
        rule = FaultRule(
            kind=_RULES[wish.fault],
            where="public" if wish.fault == "bad_checksum" else wish.sockets,
            times=wish.times or 1,
            value=(wish.seconds or 5.0) if late else 0.0,
        )
        desk = self._exchange.faults
        desk.add(rule)
        lasts = LONGEST_S if late else wish.seconds or DEFAULT_S
        times = f"{rule.times} times" if rule.times != 1 else "once"
        text = f"{wish.fault} on {rule.where} sockets, {times}" + (f", {rule.value:g} s late" if late else "")
        one = _Broken(wish.fault, text, mend=lambda: desk.remove(rule), rule=rule)
        self._until(one, lasts)
        return text

    def _switch(self, wish: FaultWish) -> str:
        desk = self._exchange.faults
        if wish.fault == "drop":
            private = None if wish.sockets == "all" else wish.sockets == "private"
            return f"{desk.drop(private=private)} sockets were cut"
        if wish.fault == "stop":
            desk.stop()
            return "the venue said 20051"
        seconds = wish.seconds or DEFAULT_S
        if wish.fault == "socket_away":
            rule = FaultRule(kind=FaultKind.LOSE, where="private", times=None, contains=LOGIN_ANSWER)
            desk.add(rule)
            desk.drop(private=True)
            away = f"the account's socket is away for {seconds:g} s, and REST answers"
            self._until(_Broken("socket_away", away, mend=lambda: desk.remove(rule), rule=rule), seconds)
            return away
        if not self._exchange.operative:
            raise Refused("already_broken", "the venue is in maintenance already")
        desk.maintenance(True)
        one = _Broken("maintenance", f"maintenance for {seconds:g} s", mend=lambda: desk.maintenance(False), happened=1)
        self._until(one, seconds)
        return one.text

    # --- ends -------------------------------------------------------------------------------------------------------

    def _until(self, one: _Broken, seconds: float) -> None:
        one.ends_at = trio.current_time() + seconds
        self._broken.append(one)
        self._nursery.start_soon(self._end, one, seconds)

    async def _end(self, one: _Broken, seconds: float) -> None:
        await trio.sleep(seconds)
        self._mend(one)

    def _mend(self, one: _Broken) -> None:
        if one in self._broken:
            self._broken.remove(one)
            one.mend()


async def _turn_in_place() -> None:
    while True:  # noqa: ASYNC110 - turning without any progress is what was asked for
        await trio.sleep(SPIN_S)


def _workers(view: ActorView, path: str = "") -> set[str]:
    here = f"{path}/{view.name}" if path else view.name
    if view.kind == "worker":
        return {here}
    return set().union(*(_workers(child, here) for child in view.children)) if view.children else set()
