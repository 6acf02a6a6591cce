"""The protection actor: it looks whether every open position has its stop at the venue, and asks for what is missing.

The order actor places stops; this one looks from outside at positions and orders as two other actors publish them:
when they do, and many times a second while anything is missing. A stop that is missing, of the wrong size or there
twice is told to the order actor as a wish and, when it lasts, to people. It hears no messages and keeps nothing:
after a crash it looks again.
"""

import math
from decimal import Decimal
from typing import Any, Final

import attrs

from genesis.core.actor import Context
from genesis.core.channel import Channel
from genesis.core.errors import ChannelFull
from genesis.core.latest import Latest
from genesis.core.mailbox import Outlet
from genesis.domain.pairs import PairSpecs
from genesis.domain.protection_watch import Looked, ProtectionWatch, held_in
from protocols.account import AccountView
from protocols.health import Notice
from protocols.orders import OrderWish, Protect
from protocols.settings import Settings
from protocols.trading import OrdersView, ProtectionStatus
from protocols.units import ZERO

LOOK_S: Final = 0.1
"""Between two looks while something is wanting, or changes without end."""
LASTING_S: Final = 60.0
LOOK_AT_LASTING_S: Final = 2.0
"""What has been wanting for so long is looked at less often; what changes is seen at once all the same."""


@attrs.define(kw_only=True)
class ProtectionActor:
    """`watch` outlives crashes of the actor, so that a span does not begin anew."""

    settings: Latest[Settings]
    account: Latest[AccountView | None]
    orders: Latest[OrdersView]
    pairs: Latest[PairSpecs]
    wishes: Channel[OrderWish]
    status: Latest[ProtectionStatus]
    watch: ProtectionWatch
    notices: Channel[Any] | None = None
    _versions: tuple[int, ...] = attrs.field(default=(), init=False)
    _known: tuple[object, ...] = attrs.field(default=(), init=False)

    async def run(self, ctx: Context) -> None:
        wishes = ctx.outlet(self.wishes)
        notices = None if self.notices is None else ctx.outlet(self.notices)
        self.settings.take(ctx.name)
        ctx.ready()
        looked_at = -math.inf
        seen: tuple[object, ...] = ()
        while True:
            pause_s = LOOK_S if self._facts() != seen else self._pause_s()
            # We are nudged when anything of this is another: where all is covered nothing is looked at again.
            ctx.inbox.ack_all(await ctx.inbox.lease(until=looked_at + pause_s))
            self.settings.take(ctx.name)
            now = ctx.clock.now()
            facts = self._facts()
            if now < looked_at + (LOOK_S if facts != seen else self._pause_s()):
                continue
            looked_at = now
            seen = facts
            looked = self._look(now)
            if looked is not None:
                self.status.set(looked.status)
                self._act(ctx, looked, wishes, notices)

    def _facts(self) -> tuple[object, ...]:
        """What a look finds follows from these alone, but for how long something has been wanting. The account is
        published each second, and nearly always its prices are all that is new in it."""
        versions = (self.orders.version, self.account.version, self.pairs.version, self.settings.version)
        if versions != self._versions:
            self._versions = versions
            self._known = (held_in(self.account.value), self.orders.value.open, *versions[2:])
        return self._known

    def _pause_s(self) -> float:
        """Until the next look where nothing has changed since the last one."""
        wanting = [view.naked_s for view in self.status.value.positions if view.fault]
        if not wanting:
            return math.inf
        return LOOK_S if min(wanting) < LASTING_S else LOOK_AT_LASTING_S

    def _look(self, now: float) -> Looked | None:
        account = self.account.value
        if account is None:
            return None
        limits = self.settings.value.risk
        return self.watch.look(
            now,
            positions=account.state.positions,
            orders=self.orders.value.open,
            pairs=self.pairs.value,
            stop_fraction=max(limits.stop_fraction, Decimal(0)),
            within_s=limits.protect_within_s,
        )

    def _act(self, ctx: Context, looked: Looked, wishes: Outlet[OrderWish], notices: Outlet[Any] | None) -> None:
        account = self.account.value
        nets = {} if account is None else {each.symbol: each.quantity for each in account.state.positions}
        books = [(view.symbol, view.margin, view.held) for view in self.orders.value.protection if view.held]
        texts = [("warning", "protection_repair", repair.reason) for repair in looked.repairs]
        asked = [
            # Coins and a margin position of one symbol are protected apart. The price is one for what is held in all:
            # a stop there would close at once what is held the other way.
            (repair, margin, repair.stop_price if held * nets.get(repair.symbol, ZERO) > 0 else None)
            for repair in looked.repairs
            for margin, held in [(margin, held) for symbol, margin, held in books if symbol == repair.symbol]
            or [(False, nets.get(repair.symbol, ZERO))]
        ]
        for repair, margin, stop_price in asked:
            wish = Protect(
                symbol=repair.symbol,
                margin=margin,
                stop_price=stop_price,
                reason=repair.reason,
                correlation_id=f"protect:{repair.symbol}:{self.watch.repairs_total}",
            )
            try:
                wishes.put_nowait(wish)
            except ChannelFull:
                texts.append(("alarm", "protection_not_asked", f"{repair.symbol}: the order actor takes no wishes"))
        texts += [("alarm", "position_naked", text) for text in looked.alarms]
        for level, code, text in texts:
            if notices is not None:
                notices.put_nowait(Notice(level=level, code=code, text=text, at_ms=ctx.clock.wall_ms()))
