"""The health actor: looks at disk, memory, journal, loop and clock every few seconds, tells it, acts as settings say.

It only ever makes trading more careful: from ACTIVE to REDUCING or HALTED, never back. It hears no messages; what it
remembers belongs to the engine, so that a crash does not tell everything again.
"""

from collections.abc import Callable
from typing import Any, Final

import attrs

from genesis.core.actor import Context
from genesis.core.channel import Channel
from genesis.core.latest import Latest
from genesis.domain.health_watch import Act, HealthWatch, Passed, Vitals
from protocols.health import HealthFinding, Notice
from protocols.risk import RiskStatus, SetTradingState, TradingState
from protocols.settings import Settings

LOOK_S: Final = 5.0


@attrs.define(kw_only=True)
class HealthActor:
    settings: Latest[Settings]
    vitals: Callable[[], Vitals]
    watch: HealthWatch
    risk: Latest[RiskStatus | None]
    view: Latest[tuple[HealthFinding, ...]]
    halts: Channel[SetTradingState]
    halt_wanted: Latest[SetTradingState | None]
    ui: Channel[Any]

    async def run(self, ctx: Context) -> None:
        ui, halts = ctx.outlet(self.ui), ctx.outlet(self.halts)
        ctx.ready()
        look_at = ctx.clock.now()
        while True:
            ctx.inbox.ack_all(await ctx.inbox.lease(until=look_at))
            now = ctx.clock.now()
            if now < look_at:
                continue
            look_at = now + LOOK_S
            settings = self.settings.value
            limit = settings.market.clock_skew_max_ms
            changed = self.watch.look(now, self.vitals(), settings.health, clock_skew_max_ms=limit)
            self.view.set(self.watch.findings)
            for one in changed:
                level = "info" if one.back else "warning" if one.calm else "alarm"
                text = one.text if one.back or one.act is Act.ALARM else f"{one.text} ({one.act.value})"
                ui.put_nowait(Notice(level=level, code=f"health_{one.name}", text=text, at_ms=ctx.clock.wall_ms()))
                wish = self._wish(one, ctx.clock.wall_ms())
                if wish is not None:
                    if wish.state is TradingState.HALTED:
                        # First the cell: by it the order actor stops at once, whatever becomes of risk.
                        self.halt_wanted.set(wish)
                    halts.put_nowait(wish)

    def _wish(self, passed: Passed, at_ms: int) -> SetTradingState | None:
        """None when nothing is to be done, or when trading is as careful already."""
        if passed.back or passed.act is Act.ALARM:
            return None
        wanted = TradingState.HALTED if passed.act is Act.HALT else TradingState.REDUCING
        status = self.risk.value
        now = TradingState.ACTIVE if status is None else status.state
        if now is wanted or now is TradingState.HALTED:
            return None
        return SetTradingState(
            state=wanted,
            reason=passed.text,
            actor="health",
            correlation_id=f"health:{passed.name}:{at_ms}",
            only_tighter=True,
        )
