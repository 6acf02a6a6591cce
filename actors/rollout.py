"""The rollout actor: it watches how a candidate's settings do, and has them promoted or taken back, with the reason.

It reads the journal from the version that began the rollout on, so it needs no memory: after any crash or restart it
counts the same records again and comes to the same figures. What it decides it asks of the config actor, which makes a
version of it like of anybody's wish.
"""

import math
from decimal import Decimal
from typing import Any, Final

import attrs
import msgspec

from genesis.core.actor import Context
from genesis.core.channel import Channel
from genesis.core.errors import ChannelFull
from genesis.core.latest import Latest
from genesis.core.mailbox import Outlet
from genesis.domain.rollout_meter import KINDS, RolloutMeter, outcome_of
from genesis.domain.settings_history import JOURNAL
from protocols.account import AccountView
from protocols.config import (
    ConfigCommand,
    ConfigView,
    EndRollout,
    Rollout,
    RolloutStatus,
    SettingsApplied,
    SettingsRefused,
    SettingsReply,
)
from protocols.health import Notice
from protocols.journal import JournalRequest, ReadRecords, Records
from protocols.risk import RiskStatus, TradingState
from protocols.shadow import ShadowView

LOOK_S: Final = 0.5
ASK_EVERY_S: Final = 5.0
"""How often the journal is read when nothing that readers see has moved: what a meter hears moves them, mostly."""
ASK_AGAIN_S: Final = 30.0
"""How often an end that was refused is asked for again: each refusal is a line in the audit trail."""
VERSION_KIND: Final = "SettingsVersion"
PAGE: Final = 2_000
AUTHOR: Final = "rollout"


@attrs.define(kw_only=True)
class RolloutActor:
    """`view` tells what is under way; `status` is what it publishes, None while there is no rollout."""

    view: Latest[ConfigView]
    journal: Channel[JournalRequest]
    commands: Channel[ConfigCommand]
    account: Latest[AccountView | None]
    risk: Latest[RiskStatus | None]
    shadow: Latest[ShadowView | None] = attrs.field(factory=lambda: Latest(None))
    status: Latest[RolloutStatus | None]
    ui: Channel[Any] | None = None
    _meter: RolloutMeter | None = attrs.field(default=None, init=False)
    _seq: int = attrs.field(default=0, init=False)
    _ask_at: float = attrs.field(default=-math.inf, init=False)
    _asked_at: float = attrs.field(default=-math.inf, init=False)
    _moved: tuple[int, ...] = attrs.field(default=(), init=False)
    """The versions of what was seen at the look before."""
    _told_proven: int = attrs.field(default=0, init=False)

    async def run(self, ctx: Context) -> None:
        journal, commands = ctx.outlet(self.journal), ctx.outlet(self.commands)
        ui = ctx.outlet(self.ui) if self.ui is not None else None
        ctx.ready()
        look_at = ctx.clock.now()
        while True:
            ctx.inbox.ack_all(await ctx.inbox.lease(until=look_at))
            if ctx.clock.now() < look_at and self.view.value.rollout == self._under_way():
                continue
            look_at = ctx.clock.now() + LOOK_S
            rollout = self.view.value.rollout
            if rollout is None:
                # Nothing to look at until the config actor tells of one, and then it nudges.
                look_at = math.inf
                self._meter = None
                if self.status.value is not None and not self.status.value.verdict:
                    # Somebody else ended it: what it came to stays to be read.
                    self._show(msgspec.structs.replace(self.status.value, verdict=self.view.value.reason), ui)
                continue
            await self._look(ctx, rollout, journal, commands, ui)

    def _under_way(self) -> Rollout | None:
        return None if self._meter is None else self._meter.rollout

    async def _look(
        self,
        ctx: Context,
        rollout: Rollout,
        journal: Outlet[JournalRequest],
        commands: Outlet[ConfigCommand],
        ui: Outlet[Any] | None,
    ) -> None:
        if self._meter is None or self._meter.rollout != rollout:
            self._meter = RolloutMeter(rollout)
            self._seq = await _began_at(journal, rollout)
            self._ask_at = self._asked_at = -math.inf
        meter = self._meter
        reads = self._may_have_more(ctx.clock.now())
        if reads:
            await self._read_on(ctx, meter, journal)
        status = self._figures(ctx, meter)
        ended = outcome_of(status)
        if ended is not None and not reads and self._told_proven != rollout.version:
            # Nothing is decided without the newest word; one that waits for a person is looked at as before.
            await self._read_on(ctx, meter, journal)
            status = self._figures(ctx, meter)
            ended = outcome_of(status)
        risk = self.risk.value
        if risk is not None and risk.state is TradingState.HALTED:
            ended = (False, f"trading is halted: {risk.reason}")
        shadow = self.shadow.value
        if rollout.plan.is_paper and shadow is not None and shadow.version == rollout.version and shadow.fault:
            ended = (False, f"the shadow cannot go on: {shadow.fault}")
        if ended is not None and ended[0] and rollout.plan.is_paper and not rollout.plan.terms.automatic:
            # A person decides; until then it must go on being as good as it was.
            status = msgspec.structs.replace(status, proven=ended[1])
            if self._told_proven != rollout.version:
                self._told_proven = rollout.version
                text = f"shadow {rollout.plan.name} may be promoted: {ended[1]}"
                self._tell(ctx, ui, "info", "rollout_proven", text)
            ended = None
        if ended is not None and ctx.clock.now() >= self._ask_at:
            promote, reason = ended
            reply = await _end(commands, rollout, promote, reason)
            if promote and isinstance(reply, SettingsRefused) and all(one.path != JOURNAL for one in reply.faults):
                # Meanwhile other settings have become such that it fits no more: asked again it would fit no better.
                why = "; ".join(f"{one.path} must be {one.must_be}" for one in reply.faults)[:300]
                promote, reason = False, f"{reason}, and cannot be promoted: {why}"
                reply = await _end(commands, rollout, promote, reason)
            if not isinstance(reply, SettingsApplied):
                if isinstance(reply, SettingsRefused):
                    self._ask_at = ctx.clock.now() + ASK_AGAIN_S
                self._show(status, ui)
                return
            word = "promoted" if promote else "taken back"
            status = msgspec.structs.replace(status, verdict=f"{word}: {reason}")
            what = f"{'shadow' if rollout.plan.shadow else 'rollout'} {rollout.plan.name} is {status.verdict}"
            if promote:
                self._tell(ctx, ui, "info", "rollout_promoted", what)
            else:
                self._tell(ctx, ui, "warning", "rollout_taken_back", what)
        self._show(status, ui)

    async def _read_on(self, ctx: Context, meter: RolloutMeter, journal: Outlet[JournalRequest]) -> None:
        """Hear what the journal has got since the last time."""
        self._moved, self._asked_at = self._versions, ctx.clock.now()
        while True:
            answer: Records = await journal.ask(ReadRecords(kinds=KINDS, after_seq=self._seq, limit=PAGE))
            for kept in answer.records:
                meter.hear(kept.record)
                self._seq = kept.seq
            ctx.progress()
            if len(answer.records) < PAGE:
                return

    def _figures(self, ctx: Context, meter: RolloutMeter) -> RolloutStatus:
        account = self.account.value
        equity = Decimal(0) if account is None else account.state.equity
        return meter.status(now_ms=ctx.clock.wall_ms(), equity=equity)

    @property
    def _versions(self) -> tuple[int, ...]:
        return self.account.version, self.risk.version, self.shadow.version

    def _may_have_more(self, now: float) -> bool:
        """Whether to read on: what moved since the look before may be told before it is in the journal, and after."""
        return self._versions != self._moved or now >= self._asked_at + ASK_EVERY_S

    def _tell(self, ctx: Context, ui: Outlet[Any] | None, level: str, code: str, text: str) -> None:
        if ui is not None:
            ui.put_nowait(Notice(level=level, code=code, text=text, at_ms=ctx.clock.wall_ms()))

    def _show(self, status: RolloutStatus, ui: Outlet[Any] | None) -> None:
        before = self.status.value
        self.status.set(status)
        if ui is not None and (before is None or _told(before) != _told(status)):
            ui.put_nowait(status)


async def _end(commands: Outlet[ConfigCommand], rollout: Rollout, promote: bool, reason: str) -> SettingsReply | None:
    """Ask for its end. None when the config actor can take no command now."""
    wish = EndRollout(
        name=rollout.plan.name,
        promote=promote,
        actor=AUTHOR,
        reason=reason,
        correlation_id=f"rollout:{rollout.version}:{'promote' if promote else 'revert'}",
    )
    try:
        answer: SettingsReply = await commands.ask(wish)
    except ChannelFull:
        return None
    return answer


def _told(status: RolloutStatus) -> RolloutStatus:
    """What is worth telling again: the clock is not."""
    return msgspec.structs.replace(status, now_ms=0)


async def _began_at(journal: Outlet[JournalRequest], rollout: Rollout) -> int:
    """The chain number of the version that began it."""
    answer: Records = await journal.ask(ReadRecords(kinds=(VERSION_KIND,), key=f"settings:{rollout.version}"))
    return answer.records[0].seq if answer.records else 0
