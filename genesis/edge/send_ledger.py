"""Which commands have begun to leave, kept by the engine over all lives of the actor that sends them.

A command is marked before its first byte. Delivered again after a crash, a marked one is never sent a second time:
either its send had returned, or nobody can know how much of it left.
"""

import enum
from collections import OrderedDict
from typing import Final

import attrs

from genesis.edge.websocket import WebSocket

REMEMBERED: Final = 65_536
"""Redelivery follows a crash at once, so only the newest could ever be asked for."""
RESERVED: Final = 16
"""Numbers of sessions that are written down together: a restart leaves out those that are left of them."""


class Attempt(enum.Enum):
    BEGUN = "begun"
    SENT = "sent"


_BEGUN: Final = Attempt.BEGUN
_SENT: Final = Attempt.SENT


@attrs.define(eq=False)
class SendLedger:
    """`once` attempts are remembered by (kind, number) for life, the others by the very message that was leased.

    It also remembers the session that was open, with its socket: a next life closes that and says so before it opens
    another.
    """

    session: int = 0
    reserved: int = 0
    """Up to this number sessions are on the disk as begun, so that no dial waits for it."""
    open_session: int | None = None
    open_socket: WebSocket | None = None
    _attempts: OrderedDict[tuple[str, int], tuple[object, Attempt]] = attrs.field(factory=OrderedDict)

    def past(self, kind: str, number: int, message: object, *, once: bool) -> Attempt | None:
        """What became of an earlier attempt of this message (or, when `once`, of any with its name)."""
        known = self._attempts.get((kind, number))
        if known is None or not (once or known[0] is message):
            return None
        return known[1]

    def past_or_begin(self, kind: str, number: int, message: object, *, once: bool) -> Attempt | None:
        """`past`; where that is None, `begin`, too: in one step, since an order waits for it."""
        name, attempts = (kind, number), self._attempts
        known = attempts.get(name)
        if known is not None and (once or known[0] is message):
            return known[1]
        attempts[name] = (message, _BEGUN)
        return None

    def begin(self, kind: str, number: int, message: object) -> None:
        """Say it before the first byte; there must be no checkpoint between this and the send."""
        self._attempts[(kind, number)] = (message, _BEGUN)

    def sent(self, kind: str, number: int, message: object) -> None:
        """The send has returned."""
        attempts = self._attempts
        attempts[(kind, number)] = (message, _SENT)
        attempts.move_to_end((kind, number))
        while len(attempts) > REMEMBERED:
            attempts.popitem(last=False)

    def withdraw(self, kind: str, number: int) -> None:
        """It is proven that nothing came of this attempt: it counts for nothing."""
        self._attempts.pop((kind, number), None)
