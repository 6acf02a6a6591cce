"""The faults that need a look inside: messages that kill, actors that hang or turn in place, sectors that go bad."""

import math
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import trio

from genesis.core.errors import ChannelClosed, ChannelFull
from genesis.worlds.engine_host import EngineHost
from genesis.worlds.poison import Poison
from genesis.worlds.rules_ills import ATTEMPTS

if TYPE_CHECKING:
    from genesis.worlds.world import World

STUCK: Final = ("signal", "risk", "order", "account", "market_cache", "history", "journal", "connection_private")
POISONED: Final = (("market_cache", "market_events"), ("notifier", "news"))
"""Mailboxes and their channels. A message about money that nobody understands halts trading until a person has looked
at it: that would end most of what a world is for."""
SPIN_S: Final = 0.25
LONGEST_BEFORE_S: Final = 61.0
"""So long before a decision does its line go away at most."""


class TroubleInside:
    """A part of `Trouble`."""

    world: "World"
    chance: random.Random
    _live: Callable[[], EngineHost | None]
    _for: Callable[[float, float], float]
    _for_messages: Callable[[float], None]
    _kill: Callable[..., None]
    _later: Callable[[float, Callable[[], None]], None]
    _manual_order: Callable[[], str]
    _halt: Callable[[], str]
    _reset: Callable[[], str]
    _weather: Callable[[str, float, float], str]

    def _hang(self) -> str:
        """An actor takes its next messages and is never heard of again, until somebody notices."""
        return self._stick("an actor hung with messages in its hands", trio.sleep_forever)

    def _livelock(self) -> str:
        """An actor takes its next messages and turns in place: busy all the time, and nothing is done."""
        return self._stick("an actor turned in place with messages in its hands", turn_in_place)

    def _stick(self, state: str, instead: Callable[[], Any]) -> str:
        host = self._live()
        if host is None or host.engine is None:
            return "nobody"
        name = self.chance.choice(STUCK)
        self._stick_in(host, name, state, instead)
        self._for_messages(120)
        return name

    def _stick_in(
        self,
        host: EngineHost,
        name: str,
        state: str,
        instead: Callable[[], Any],
        takes: Callable[[object], bool] = lambda message: True,
    ) -> None:
        """Its next batch in which it `takes` a message is the one that it gets stuck with."""
        assert host.engine is not None
        root = host.engine.supervisor.tree().name
        path = next(f"{root}/{path}" for path in host.leaves() if path.rpartition("/")[2] == name)
        box = host.engine.plan.mailboxes[name]
        lease = box.lease

        async def stick(*args: Any) -> Any:
            found = await lease(*args)
            # Not over what has been in dying hands twice: the third time it would be put aside as poison, rightly.
            fresh = "lease" in box.__dict__ and all(one.attempts < ATTEMPTS - 1 for one in found)
            if fresh and any(takes(one.message) for one in found):
                del box.__dict__["lease"]
                self.world.witness.reached(state)
                self.world.ills.got_stuck(host, path)
                await instead()
            return found

        box.__dict__["lease"] = stick

    def _poison(self) -> str:
        """A message whose reader dies of it, whoever that is and however often it tries."""
        host = self._live()
        if host is None or host.engine is None:
            return "nobody"
        name, channel = self.chance.choice(POISONED)
        poison = Poison(number=self.world.ills.next_poison())
        try:
            getattr(host.engine.channels, channel).put_nowait(poison)
        except (ChannelFull, ChannelClosed):
            return "no room"
        self._for(60, 61)
        return f"number {poison.number} for {name}"

    def _bad_sector(self) -> str:
        """The machine goes dark, and when it is back a sector of the journal's file holds something else."""
        host = self._live()
        if host is None or self.world.ills.damaged:
            return "nobody"
        self._kill(host)
        self._for(60, 61)
        return self.world.ills.damage(self.chance)

    def _sync_error(self) -> str:
        """The disk takes what is written and fails when it is told to keep it."""
        disk = self.world.disk
        disk.syncs_fail, before = True, disk.failed_syncs

        def mend() -> None:
            disk.syncs_fail = False
            self.world.witness.reached("a sync failed", disk.failed_syncs - before)

        self._later(self._for(5, 40), mend)
        return "until it is mended"

    def _halt_in_line(self) -> str:
        """An order that risk has approved waits for a line, and before that is back somebody halts trading."""
        now = trio.current_time()
        told = self._reset() + self._weather("refuse", 8, 14)
        self._later(now + 1.0, lambda: self._told(self._manual_order()))
        self._later(now + 3.0, lambda: self._told(self._halt()))
        return told

    def _line_at_decision(self) -> str:
        """The private line alone is away from now until long after the next candle's decisions: they grow old in it.

        Where that is far off it goes away in the minute before it.
        """
        candle_s = self.world.timeframes.shortest_s
        decided = math.ceil(trio.current_time() / candle_s) * candle_s + 1
        begins = decided - LONGEST_BEFORE_S
        if trio.current_time() < begins:
            self._later(self._for(begins - trio.current_time(), begins - trio.current_time()), self._line_leaves)
            return f"at {begins}"
        return self._away_until(decided + 42)

    def _line_leaves(self) -> None:
        until = trio.current_time() + LONGEST_BEFORE_S + 42
        self.world.witness.note("fault", f"line_at_decision: {self._away_until(until)}")

    def _away_until(self, least: float) -> str:
        dropped = self.world.venue.exchange.faults.drop(private=True)
        seconds = least - trio.current_time()
        return f"{dropped} sockets, " + self._weather("refuse", seconds, seconds + 14)

    def _told(self, text: str) -> None:
        self.world.witness.note("fault", f"halt_in_line: {text}")


async def turn_in_place() -> None:
    while True:  # noqa: ASYNC110 - turning without any progress is what was asked for
        await trio.sleep(SPIN_S)
