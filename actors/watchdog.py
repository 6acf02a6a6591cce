"""The watchdog actor: data that has grown old is seen by somebody who was not there when it did.

Each connection looks at its own clock; this one looks at all of them from outside, and at what the market cache made
of their words. It recovers by nothing, hears no messages, reads counters and snapshots once a second, says Reconnect
to a line that is silent or whose streams stay stale, and publishes how fresh every stream is.
"""

from typing import Any, Final

import attrs
import msgspec

from genesis.core.actor import Context
from genesis.core.channel import Channel
from genesis.core.latest import Latest
from genesis.core.mailbox import Outlet
from genesis.domain.conditions import ConditionWatch
from genesis.edge.connection_stats import ConnectionStats, worst_skew_ms
from protocols.bitfinex.subscriptions import Subscription
from protocols.health import Notice, Reconnect
from protocols.market import Freshness, MarketView
from protocols.risk import MarketCondition
from protocols.settings import Settings

LOOK_S: Final = 1.0
PATIENCE_S: Final = 5.0
"""A connection that sees its own trouble has this much longer to act on it before somebody else does."""
AGAIN_S: Final = 60.0
"""The shortest time between two Reconnects to one connection; each one that did not help doubles it."""
AGAIN_CAP_S: Final = 960.0
FROZEN_S: Final = 5.0
"""A market view that has not changed for so long is counted as that much older than it says."""
NS: Final = 1_000_000_000


@attrs.define(kw_only=True, eq=False)
class Watched:
    """One connection as it looks from outside. `share` is what it carries; None for the private one."""

    name: str
    stats: ConnectionStats
    reconnect: Channel[Reconnect]
    share: Latest[tuple[Subscription, ...]] | None = None
    _connected_since: float | None = attrs.field(default=None, init=False)
    _socket: int = attrs.field(default=0, init=False)
    _told_at: float | None = attrs.field(default=None, init=False)
    _pause_s: float = attrs.field(default=AGAIN_S, init=False)

    def trouble(self, now: float, settings: Settings) -> str | None:
        """What is wrong with the line itself."""
        stats, limits = self.stats, settings.connection
        if not stats.connected:
            self._connected_since = None
            return None
        if self._connected_since is None or self._socket != stats.sockets:
            self._connected_since, self._socket = now, stats.sockets
        silent_s = now - stats.last_frame_ns / NS
        if silent_s > limits.silence_timeout_s + PATIENCE_S:
            return f"silent for {silent_s:.0f} s"
        waiting_s = now - self._connected_since
        allowed_s = limits.connect_timeout_s + 2 * limits.subscribe_timeout_s + PATIENCE_S
        if not stats.up and waiting_s > allowed_s and not stats.paused:
            return f"connected for {waiting_s:.0f} s and not up"
        return None

    def may_tell(self, now: float) -> bool:
        """Whether enough time has passed since the last Reconnect; a good run between them forgives."""
        if self._told_at is None:
            return True
        if now - self._told_at >= 4 * self._pause_s:
            self._pause_s = AGAIN_S
        return now - self._told_at >= self._pause_s

    def told(self, now: float) -> None:
        if self._told_at is not None:
            self._pause_s = min(self._pause_s * 2, AGAIN_CAP_S)
        self._told_at = now


@attrs.define(kw_only=True, eq=False)
class WatchdogActor:
    """`freshness` is published for everybody; `notices` may be None.

    `conditions` is where risk hears of spreads, ages and skews; None in a replay, whose market waits for us and whose
    decisions must not depend on how fast we are. `measures_skew` is false where the venue's clock is ours.
    """

    settings: Latest[Settings]
    market: Latest[MarketView]
    connections: tuple[Watched, ...]
    freshness: Latest[tuple[Freshness, ...]]
    notices: Channel[Any] | None = None
    conditions: Channel[MarketCondition] | None = None
    measures_skew: bool = True
    reconnects: int = 0
    _view_version: int = attrs.field(default=-1, init=False)
    _view_at: float = attrs.field(default=0.0, init=False)
    _stale_since: dict[tuple[str, str, str], float] = attrs.field(factory=dict, init=False)

    async def run(self, ctx: Context) -> None:
        outlets = {watched.name: ctx.outlet(watched.reconnect) for watched in self.connections}
        notices = ctx.outlet(self.notices) if self.notices is not None else None
        conditions = ctx.outlet(self.conditions) if self.conditions is not None else None
        watch = ConditionWatch()
        self.settings.take(ctx.name)
        ctx.ready()
        look_at = ctx.clock.now()
        while True:
            ctx.inbox.ack_all(await ctx.inbox.lease(until=look_at))
            self.settings.take(ctx.name)
            now = ctx.clock.now()
            if now < look_at:
                continue
            look_at = now + LOOK_S
            fresh = self._look_at_streams(now)
            self.freshness.set(fresh)
            if conditions is not None:
                for condition in self._conditions(watch, fresh, now):
                    conditions.put_nowait(condition)
            lasting = self._lasting(now, fresh)
            for watched in self.connections:
                reason = watched.trouble(now, self.settings.value) or _stale_on(watched, lasting)
                if reason is not None and watched.may_tell(now):
                    watched.told(now)
                    self.reconnects += 1
                    outlets[watched.name].put_nowait(Reconnect(reason=reason))
                    self._notify(ctx, notices, f"{watched.name} was told to dial again: {reason}")

    def _look_at_streams(self, now: float) -> tuple[Freshness, ...]:
        """What the market cache says, corrected by the time since it said so."""
        if self.market.version != self._view_version:
            self._view_version, self._view_at = self.market.version, now
        frozen_s = now - self._view_at
        found = self.market.value.freshness
        if frozen_s < FROZEN_S:
            return found
        older_ms = int(frozen_s * 1000)
        return tuple(
            msgspec.structs.replace(
                entry, age_ms=entry.age_ms + older_ms, stale=entry.age_ms + older_ms > entry.limit_ms
            )
            for entry in found
        )

    def _conditions(self, watch: ConditionWatch, fresh: tuple[Freshness, ...], now: float) -> list[MarketCondition]:
        return watch.look(
            fresh=fresh,
            tickers=self.market.value.tickers,
            skew_ms=worst_skew_ms(each.stats for each in self.connections) if self.measures_skew else None,
            settings=self.settings.value,
            venue_ms=self.market.value.venue_ms,
            now=now,
        )

    def _lasting(self, now: float, fresh: tuple[Freshness, ...]) -> dict[tuple[str, str, str], float]:
        """Streams that have been stale for longer than silence is allowed, with their age in seconds."""
        stale = {(entry.stream, str(entry.symbol), entry.timeframe): entry for entry in fresh if entry.stale}
        self._stale_since = {name: self._stale_since.get(name, now) for name in stale}
        limit_s = self.settings.value.connection.silence_timeout_s
        return {name: stale[name].age_ms / 1000 for name, since in self._stale_since.items() if now - since >= limit_s}

    def _notify(self, ctx: Context, notices: Outlet[Any] | None, text: str) -> None:
        if notices is not None:
            notices.put_nowait(Notice(level="warning", code="watchdog", text=text, at_ms=ctx.clock.wall_ms()))


def _stale_on(watched: Watched, lasting: dict[tuple[str, str, str], float]) -> str | None:
    """The first stale stream that this connection carries while it claims to be up."""
    if watched.share is None or not watched.stats.up:
        return None
    for carried in watched.share.value:
        age_s = lasting.get((carried.channel, carried.symbol, carried.timeframe))
        if age_s is not None:
            return f"{carried.name} stale for {age_s:.0f} s"
    return None
