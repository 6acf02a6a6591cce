"""Who stands in for the socket while it is away: when sessions over REST begin in the pauses between two dials."""

from collections.abc import Awaitable, Callable
from typing import Final

import attrs
import trio

from genesis.core.actor import Context
from genesis.core.latest import Latest
from genesis.edge.narrow_line import AWAY_S, NARROW_EVERY_S, NarrowLine, open_narrowly, wait_for_need
from genesis.edge.rest import RestDoor
from genesis.edge.send_ledger import SendLedger
from protocols.bitfinex.errors import VenueError
from protocols.trading import OrdersView

REFUSED_EVERY_S: Final = 300.0
"""Where the venue refuses the key for REST it is asked later each time, and so often in the end: a person may give it
the right that it lacks, and what was refused once may have been the venue's own trouble."""


@attrs.define(eq=False)
class StandIn:
    """`away_since` is when a socket was up last; `line` is the session over REST that stands now."""

    away_since: float = 0.0
    line: NarrowLine | None = None
    _next_at: float = 0.0
    _refused: int = 0
    """How many sessions in a row ended, or did not begin, because the venue refuses the key for REST."""

    async def pause(
        self,
        ctx: Context,
        pause_s: float,
        *,
        door: RestDoor | None,
        ledger: SendLedger,
        books: Latest[OrdersView] | None,
        number: Callable[[], Awaitable[int]],
        live: Callable[[NarrowLine, float], Awaitable[None]],
        refused: Callable[[str], None],
    ) -> None:
        """Until the next dial. Where the socket alone is away, sessions over REST stand in for it meanwhile: `live` is
        the life of one, told when the next dial is due. `refused` hears once that the venue refuses the key."""
        dial_at = ctx.clock.now() + pause_s
        while door is not None:
            if books is not None:
                await wait_for_need(books, dial_at)
            begins_at = max(self.away_since + AWAY_S, self._next_at, ctx.clock.now())
            if begins_at >= dial_at:
                break
            # Until, not for: what is left of it may be past by the time it is reckoned.
            await trio.sleep_until(begins_at)
            self._next_at = ctx.clock.now() + NARROW_EVERY_S
            line, refusal = None, ""
            try:
                with ctx.outside:
                    line = await open_narrowly(door, ledger, ctx.clock, number)
            except VenueError as error:
                refusal = str(error)
            if line is not None:
                await live(line, dial_at)
                refusal = line.key_refused
            if refusal:
                self._next_at = ctx.clock.now() + min(NARROW_EVERY_S * 2 ** min(self._refused, 10), REFUSED_EVERY_S)
                self._refused += 1
                if self._refused == 1:
                    refused(refusal)
            elif line is not None and line.has_carried:
                self._refused = 0
        await trio.sleep_until(dial_at)
