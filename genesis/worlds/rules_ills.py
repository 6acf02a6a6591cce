"""The rules about what ails: poisonous messages (E3), actors that are stuck (E5), files with bad sectors (S3)."""

import random
import re
import sqlite3
from collections import Counter
from typing import TYPE_CHECKING, Final

import trio

import genesis.core.supervisor as supervision
from genesis.core.events import EventKind, SupervisorEvent
from genesis.core.hangs import LOOK_S
from genesis.core.specs import ChildSpec
from genesis.core.supervisor import Supervisor
from genesis.worlds.engine_host import EngineHost
from genesis.worlds.poison import Poison
from genesis.worlds.witness import Witness

if TYPE_CHECKING:
    from genesis.worlds.world import World

_POISON: Final = re.compile(r"poison (\d+)")
ATTEMPTS: Final = 3
PROCEEDS_WITHIN_S: Final = 120.0
REFUSALS: Final = 2
"""Starts on a damaged journal before somebody restores the copy: the second finds no file, and must not make one."""
JOURNAL: Final = "live.sqlite"
HELD_UP_S: Final = 45.0
"""What a stuck actor had in its hands is on its way for so long at most after it was found."""


class Ills:
    """One per world."""

    def __init__(self, world: "World", witness: Witness) -> None:
        self.world = world
        self.witness = witness
        self.damaged = False
        self.letters: Counter[EngineHost] = Counter()
        self._poisons = 0
        self._deaths: Counter[tuple[str, str]] = Counter()
        self._stuck: dict[tuple[EngineHost, str], float] = {}
        self._held_up: dict[EngineHost, tuple[float, float]] = {}
        self._copy: dict[str, bytes] = {}
        self._refused = 0

    # --- events of supervisors ------------------------------------------------------------------------------------

    def event(self, host: EngineHost, event: SupervisorEvent) -> None:
        match event.kind:
            case EventKind.CRASHED:
                named = _POISON.search(event.text)
                if named is not None:
                    self._deaths[f"{host}", named[1]] += 1
                self._found(host, event)
            case EventKind.DEAD_LETTER:
                self._put_aside(host, event)
            case EventKind.STOPPED | EventKind.ESCALATED:
                for key in [key for key in self._stuck if key[0] is host and key[1].startswith(event.path)]:
                    del self._stuck[key]
            case _:
                pass

    # --- E3 -------------------------------------------------------------------------------------------------------

    def next_poison(self) -> int:
        self._poisons += 1
        return self._poisons

    def _put_aside(self, host: EngineHost, event: SupervisorEvent) -> None:
        """A message that kills is put aside after exactly so many lives, no other ever is, and the rest go on."""
        self.letters[host] += 1
        letter = event.letter
        # By its type alone: asking for more would be our end, too.
        if letter is None or not issubclass(type(letter.message), Poison):
            self.witness.check("E3", False, f"{host} put a message aside that kills nobody: {event.text[:200]}")
            return
        deaths = self._deaths[f"{host}", str(letter.message.number)]
        # In a batch nobody can tell who of it was the poison: the first death may be blamed on its neighbour.
        exact = letter.attempts == ATTEMPTS and deaths in (ATTEMPTS, ATTEMPTS + 1)
        text = f"poison {letter.message.number} must be put aside after {ATTEMPTS} lives, was after {deaths}"
        self.witness.check("E3", exact, text)
        self.witness.reached("a poisonous message was put aside")
        assert host.engine is not None
        box = host.engine.plan.mailboxes[letter.mailbox]
        before = box.progress

        def look() -> None:
            if host is self.world.host and host.process.alive and not host.stopping.is_set() and not host.over.is_set():
                goes_on = box.idle or box.progress > before
                self.witness.check("E3", goes_on, f"{letter.mailbox} must go on behind the poison, does not")

        self.world.clock.at(trio.current_time() + PROCEEDS_WITHIN_S, look)

    # --- E5 -------------------------------------------------------------------------------------------------------

    def got_stuck(self, host: EngineHost, path: str) -> None:
        """An actor has work in its hands and will never get on with it."""
        assert host.engine is not None
        patience = _patience(_spec_at(host.engine.supervisor, path))
        self._stuck[host, path] = trio.current_time() + patience
        self._held_up[host] = (trio.current_time() + patience + HELD_UP_S, patience)

    def held_up_s(self, host: EngineHost) -> float:
        """How much longer a line may be silent unseen, since whoever looks after it may have been stuck."""
        until, patience = self._held_up.get(host, (0.0, 0.0))
        return patience if trio.current_time() <= until else 0.0

    def _found(self, host: EngineHost, event: SupervisorEvent) -> None:
        until = self._stuck.pop((host, event.path), None)
        if until is not None and "progress" in event.text:
            self.witness.check("E5", trio.current_time() <= until, f"{event.path} was stuck and found too late")
            self.witness.reached("a stuck actor was found in time")

    def look(self) -> None:
        """Whoever is still stuck behind time was not found at all."""
        for (host, path), until in list(self._stuck.items()):
            if not host.process.alive or host.stopping.is_set() or host.over.is_set():
                del self._stuck[host, path]
            elif trio.current_time() > until:
                del self._stuck[host, path]
                self.witness.check("E5", False, f"{path} must have been found stuck by {until:.1f} s, was not")

    # --- S3 -------------------------------------------------------------------------------------------------------

    def damage(self, chance: random.Random) -> str:
        """Write noise into the journal of the engine that comes next, and keep a copy of what was there."""
        path = self.world.disk.folder / JOURNAL
        if not path.is_file():
            return "no journal yet"
        # What is in the log is folded back first: noise under a page of the log would harm nothing.
        with sqlite3.connect(path) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
        self._copy = {file.name: file.read_bytes() for file in path.parent.glob(f"{JOURNAL}*") if file.is_file()}
        whole = bytearray(path.read_bytes())
        at = chance.randrange(100, len(whole) - 64)
        whole[at : at + 64] = chance.randbytes(64)
        path.write_bytes(whole)
        self.damaged, self._refused = True, 0
        self.witness.reached("a sector of the journal went bad")
        return f"64 bytes at {at} of {len(whole)}"

    def started(self, host: EngineHost, promised: int) -> bool:
        """S3: an engine on damaged files says so, by name, and makes no empty journal. True when that was the case."""
        if not self.damaged:
            return False
        if host.epoch:
            # The noise may have fallen where nothing is.
            text = (
                f"{host} made a journal that ends at {host.opened_seq} of one that was damaged and reached {promised}"
            )
            self.witness.check("S3", host.opened_seq >= promised, text)
            self.damaged = False
            return False
        self._refused += 1
        clear = host.ended.startswith(("StoreCorrupt", "StoreIncomplete", "StoreUnusable", "killed"))
        self.witness.check("S3", clear, f"damage to the journal must be told as such, was '{host.ended}'")
        aside = list(self.world.disk.folder.glob(f"{JOURNAL}.corrupt-*"))
        if host.ended.startswith("StoreCorrupt"):
            self.witness.check("S3", bool(aside), "a corrupt journal must be put aside by name, was not")
            self.witness.reached("a corrupt journal was put aside by name", len(aside))
        if self._refused >= REFUSALS:
            for name, content in self._copy.items():
                (self.world.disk.folder / name).write_bytes(content)
            self.damaged = False
            self.witness.note("world", "somebody restores the journal")
        return True


def _spec_at(supervisor: Supervisor, path: str) -> ChildSpec:
    for child in supervisor._children:
        if child.path == path:
            assert isinstance(child.spec, ChildSpec)
            return child.spec
    branch = next(child for child in supervisor._children if path.startswith(f"{child.path}/"))
    return _spec_at(supervisor._inner[branch], path)


def _patience(spec: ChildSpec) -> float:
    """Seconds in which a worker that hangs must have been found.

    Its time runs from a look that finds the work undone, and it is found by one when its time is over. Another task of
    the same worker may wait for the outside meanwhile: then only the long watch can tell.
    """
    term = None if spec.mailbox is None else spec.mailbox.term
    if spec.hang_timeout_s is not None and term is not None and not term.outside:
        return spec.hang_timeout_s + 2 * LOOK_S + 1.0
    return (spec.progress_timeout_s or float("inf")) * (1 + 2 / supervision.WATCHES) + 1.0
