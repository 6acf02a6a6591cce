"""The books of every open socket, for people who want to look at depth. Strategies and risk never do."""

import attrs

from protocols.bitfinex.session import PublicSession
from protocols.bitfinex.subscriptions import book
from protocols.market import BookLevels
from protocols.units import Symbol


@attrs.define(eq=False)
class BookShelf:
    """One a process. A connection puts its session here while its socket is open, and takes it away after."""

    _sessions: dict[str, PublicSession] = attrs.field(factory=dict)

    def put(self, name: str, session: PublicSession) -> None:
        self._sessions[name] = session

    def remove(self, name: str) -> None:
        self._sessions.pop(name, None)

    def levels(self, symbol: Symbol, limit: int) -> BookLevels | None:
        """The first `limit` levels of each side, best first; None while no socket has the whole book."""
        for session in self._sessions.values():
            found = session.levels(book(symbol), limit)
            if found is not None:
                return found
        return None
