"""The session fence: whose words count now, and whether this session has been compared with the venue's books.

A session is heard from its first frame until its end is told; frames of an older one change nothing, because a dead
socket's bytes may arrive after the next session's snapshot. Nothing of ours leaves before the comparison of the session
is done: order snapshot of the socket, then open orders, history and trades over REST.
"""

from typing import Final

import msgspec

from protocols.orders import HistoryRequest
from protocols.units import Symbol

HISTORY_GAP_S: Final = 2.0
"""The shortest time between two questions to REST of one session; doubts that arise meanwhile share the next one."""
SOON_S: Final = 0.5
"""The same where a position may lie bare until REST has answered."""
NARROW_S: Final = 10.0
"""How often a narrow session asks for what happened meanwhile: nothing is told it unasked."""
HISTORY_LOST_S: Final = 60.0
"""A question without any answer for so long is asked again under another number."""
QUESTIONS_UNKEPT: Final = 8
"""So many questions after the fence was kept it is kept again: until then reports are in memory, to be recorded."""
KNOWN_KEPT_MS: Final = 3_600_000
"""A report by which so much more of the account's trades is known is kept at once: no process reads it again."""
HISTORY_MARGIN_MS: Final = 600_000
"""How far before the oldest thing of interest history is read: clocks of two machines and slow books fit into it."""
LISTED_MS: Final = 15 * 86_400_000
"""The venue lists closed orders that were placed in the last two weeks: there is nothing to ask for before that."""
RETRY_CAP_S: Final = 15.0
RECONNECT_AGAIN_S: Final = 60.0
"""A wish for a new session that changed nothing is said again after this long."""


class Fence(msgspec.Struct, kw_only=True):
    """The session state of the order machine; it is kept in the journal, so a crash of the actor does not lose it. Of
    questions to history since the last change it may: then the next life asks anew."""

    epoch: int
    session: int = 0
    dead: int = 0
    up: bool = False
    shown: bool = False
    reconciled: bool = False
    pending_id: int | None = None
    pending_at: float = 0.0
    asked_at: float | None = None
    history_at: float | None = None
    request_id: int = 0
    failures: int = 0
    reconnect_at: float | None = None
    venue_ms: int = 0
    floor_ms: int = 0
    watched_ms: int | None = None
    """The venue's time when this journal was first compared with the account: what others place later is told."""
    since_ms: int = 0
    trades_since_ms: int = 0
    asked_ms: int = 0
    """The venue's time when the open question was asked."""
    trades_ms: int = 0
    """The venue's time until which every trade of the account is known. No time of this kind is taken from our clock,
    which may be ahead: history would be asked from a future on, and what it does not show counts as proven absent."""
    trades_floor_ms: int = 0
    """Trades of before may have been let go of. 0 in what older programs kept: there `floor_ms` was that, too."""
    commits: int = 0
    heard: int = 0
    """The newest commit for which the journal has what was heard. An older version leaves it behind `commits`."""
    code: str = ""
    """The name of the code that wrote that commit."""
    serial: int = 0
    reported: int = 0
    shown_at: float = 0.0
    compared_at: float = 0.0
    """When this session was compared, and orders could leave."""
    narrow: bool = False
    """This session is held over REST: it hears nothing unasked, and nothing leaves that opens or changes anything."""
    paused: bool = False
    """A command of this session met a maintenance: what that kept back waits for the next one."""
    unclear: tuple[int, ...] = ()
    """Client ids that this session's snapshot has, or may have, in a row that cannot be: their orders are there."""

    @property
    def trades_from_ms(self) -> int:
        """Of trades that happened before nobody is told any more."""
        return self.trades_floor_ms or self.floor_ms

    @property
    def ready(self) -> bool:
        """True when everything may leave."""
        return self.up and self.reconciled and not self.narrow

    @property
    def guards(self) -> bool:
        """True when stops, sales at market that close, and cancels may leave."""
        return self.up and self.reconciled

    def hears(self, session: int) -> bool:
        """True when a frame of this session may change anything."""
        return session == self.session and session > self.dead

    def enters(self, session: int) -> bool:
        """Begin a newer session; True when that was news."""
        if session <= self.session or session <= self.dead:
            return False
        self.session = session
        self.dead = session - 1
        self._begin()
        return True

    def leaves(self, session: int) -> bool:
        """The session's socket is closed; True when that was news."""
        if session <= self.dead:
            return False
        self.dead = session
        self.session = max(self.session, session)
        self._begin()
        return True

    def _begin(self) -> None:
        self.up = self.shown = self.reconciled = self.narrow = self.paused = False
        self.pending_id = self.asked_at = self.history_at = self.reconnect_at = None
        self.failures = 0
        self.unclear = ()

    def want_history(self, now: float, *, gap_s: float = HISTORY_GAP_S) -> None:
        """Ask soon: now, or when the gap since the last question has passed."""
        at = now if self.asked_at is None else max(now, self.asked_at + gap_s)
        self.history_at = at if self.history_at is None else min(self.history_at, at)

    def wants_reconnect(self, now: float) -> bool:
        """True when a new session should be asked for now; remembers that it was."""
        if not self.up or (self.reconnect_at is not None and now < self.reconnect_at):
            return False
        self.reconnect_at = now + RECONNECT_AGAIN_S
        return True

    def wish_said_again(self) -> str | None:
        """Whoever had asked for a new session has died, perhaps before anybody heard of it. Twice does no harm: a wish
        is for the end of one session."""
        return None if self.reconnect_at is None else "a new session was asked for before the order actor crashed"

    def asks_anew(self) -> None:
        """Whoever had asked has died, perhaps with an answer in hand, and not every question of its is kept: ask under
        a number that nobody has used, and at once where orders wait for it."""
        self.request_id += QUESTIONS_UNKEPT
        self.pending_id = None
        if not self.reconciled:
            self.asked_at = self.history_at = None

    def history_deadline(self) -> float | None:
        """When `ask` should be tried next."""
        if not (self.up and self.shown):
            return None
        return self.history_at if self.pending_id is None else self.pending_at + HISTORY_LOST_S

    def ask(
        self,
        now: float,
        *,
        interval_s: float,
        since_ms: int,
        trades_since_ms: int,
        asked_ms: int,
        symbols: tuple[Symbol, ...],
        positions: bool = False,
    ) -> HistoryRequest | None:
        """The question that is due now, or None."""
        deadline = self.history_deadline()
        if deadline is None or now < deadline:
            return None
        self.request_id += 1
        self.pending_id, self.pending_at, self.asked_at = self.request_id, now, now
        self.history_at = now + (min(interval_s, NARROW_S) if self.narrow else interval_s)
        self.since_ms, self.trades_since_ms = since_ms, trades_since_ms
        self.asked_ms = asked_ms
        return HistoryRequest(
            request_id=self.request_id,
            session=self.session,
            since_ms=since_ms,
            trades_since_ms=trades_since_ms,
            symbols=symbols,
            positions=positions,
        )

    def answered(self, request_id: int, session: int) -> bool:
        """True when this is the answer to the open question and its session still lives."""
        if request_id != self.pending_id:
            return False
        self.pending_id = None
        self.failures = 0
        return self.hears(session) and self.up

    def failed(self, request_id: int, now: float) -> bool:
        """The open question found no answer: ask again, later each time."""
        if request_id != self.pending_id:
            return False
        self.pending_id = None
        self.failures += 1
        self.history_at = now + min(float(2 ** min(self.failures, 10)), RETRY_CAP_S)
        return True
