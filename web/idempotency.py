"""Idempotency keys: a POST that is sent twice with one key happens once, and is answered twice the same.

The header is `Idempotency-Key`. Answers of success are remembered for a while, by caller, route and key; a second
request that says something else under a used key is refused. An order's key also makes its intent id, which the journal
knows for ever, so that a repeat after a restart is the same order, too. One that was refused for now and may be sent
again with its key has a number behind it from then on: the journal knows each verdict by its order's id.
"""

import hashlib
import re
from collections import OrderedDict
from typing import Final

import attrs

HEADER: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotency-Replayed"
KEY: Final = re.compile(r"[A-Za-z0-9_.:@/-]{1,120}")
REMEMBERED: Final = 2000

Name = tuple[str, str, str]
"""Caller, route, key."""


class KeyReused(Exception):
    """The key stands for another request; the text says so."""


class StillRunning(Exception):
    """The first request with this key has no answer yet."""


@attrs.frozen
class Answered:
    status: int
    body: bytes


@attrs.define
class Replays:
    """What was answered to which key. `begin`, then either `end` with the answer or `forget` without one."""

    _known: OrderedDict[Name, tuple[bytes, Answered | None]] = attrs.field(factory=OrderedDict)

    def begin(self, name: Name, body: bytes) -> Answered | None:
        """The answer to give again; None when this is the first time. Raises KeyReused, StillRunning."""
        digest = hashlib.sha256(body).digest()
        known = self._known.get(name)
        if known is None:
            self._known[name] = (digest, None)
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
            return None
        if known[0] != digest:
            raise KeyReused(f"{HEADER} must be new for a new request, {name[2]} stands for another one")
        if known[1] is None:
            raise StillRunning(f"the first request with {HEADER} {name[2]} is still being worked on")
        return known[1]

    def end(self, name: Name, answer: Answered) -> None:
        known = self._known.get(name)
        if known is not None:
            self._known[name] = (known[0], answer)

    def forget(self, name: Name) -> None:
        """It did not happen: the key may be used again."""
        self._known.pop(name, None)


@attrs.define
class Attempts:
    """How often an order of one name was refused for now. Only a refusal of what the name stands for now counts on, so
    that of all that one name may stand for no two are ever approved."""

    _refused: OrderedDict[str, int] = attrs.field(factory=OrderedDict)

    def name(self, name: str) -> str:
        """What the order is called this time."""
        refused = self._refused.get(name, 0)
        return f"{name}~{refused + 1}" if refused else name

    def refused(self, name: str, called: str) -> None:
        """An order of that name was refused for now when it was called so. One that was sent twice is refused twice,
        and the second refusal may be heard when the next try is on its way: it says nothing of that one."""
        if called != self.name(name):
            return
        self._refused[name] = self._refused.pop(name, 0) + 1
        while len(self._refused) > REMEMBERED:
            self._refused.popitem(last=False)
