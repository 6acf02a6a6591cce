"""One authenticated socket and everything that dies with it: its conversation, its clocks, and the command in hand."""

from collections.abc import Awaitable
from typing import Any, TypeVar

import attrs
import trio

from genesis.core.clock import Clock
from genesis.edge.connection_stats import ConnectionStats
from genesis.edge.errors import EdgeError
from genesis.edge.websocket import WebSocket
from protocols.bitfinex.account_session import AccountSession
from protocols.bitfinex.events import Pong
from protocols.orders import VenueCommand
from protocols.settings import ConnectionSettings

T = TypeVar("T")


@attrs.define(eq=False)
class AccountLine:
    """It lives from the open socket to `SessionDown`. Times are monotonic seconds, `data_ns` nanoseconds."""

    session: AccountSession
    socket: WebSocket
    scope: trio.CancelScope
    opened_at: float
    # The command whose send has not returned, and whether one's fate is still to be told: then the end of the session
    # is told after it.
    leaving: VenueCommand | None = None
    untold: bool = False
    greeted: bool = False
    up_since: float | None = None
    is_up: trio.Event = attrs.field(factory=trio.Event)
    stirred: trio.Event = attrs.field(factory=trio.Event)
    paused_since: float | None = None
    fall: str = ""
    pause_s: float = 0.0
    wished: bool = False
    data_ns: int = 0
    held: list[Any] = attrs.field(factory=list)
    ping_cid: int = 0
    ping_at: float = 0.0
    pong_at: float = attrs.field(init=False)
    _told: trio.Event | None = None

    def __attrs_post_init__(self) -> None:
        self.pong_at = self.opened_at

    def is_deaf(self, now: float, limits: ConnectionSettings) -> bool:
        """Whoever speaks and does not answer pings hears nothing: no order and no cancel arrives there."""
        return now - self.pong_at >= 2 * max(limits.silence_timeout_s, limits.ping_interval_s)

    def ponged(self, pong: Pong, stats: ConnectionStats, clock: Clock) -> None:
        """A pong was heard."""
        self.pong_at = now = clock.now()
        if not self.greeted:
            self.end("the info event was lost")
        if pong.cid != self.ping_cid:
            return
        round_trip_s = now - self.ping_at
        stats.ponged(round_trip_s)
        if pong.venue_ms:
            # The venue's stamp is of about the middle of the round trip.
            stats.skew_ms = pong.venue_ms - (clock.wall_ms() - round_trip_s * 500)

    async def kept(self, nonce: Awaitable[T]) -> T | None:
        """A number for the login. None where the disk keeps none: that ends this line, and no more."""
        try:
            return await nonce
        except EdgeError as error:
            self.end(str(error))
            return None

    def end(self, reason: str, pause_s: float = 0.0, *, wished: bool = False) -> None:
        """The first reason counts. `wished` says that it ends for a new one."""
        if not self.fall:
            self.fall, self.pause_s, self.wished = reason, pause_s, wished
        self.scope.cancel()

    def let_go(self) -> None:
        """The fate of the command in hand is told, or will be by the next life."""
        self.leaving, self.untold = None, False
        if self._told is not None:
            self._told.set()

    async def last_command(self) -> None:
        """Wait until the fate of the command in hand is told."""
        if self.untold:
            self._told = trio.Event()
            await self._told.wait()
