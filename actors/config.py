"""The configuration actor: one immutable settings value a version, in the journal before anybody sees it."""

from collections.abc import Sequence
from typing import Any, Final

import attrs
import msgspec

from genesis.core.actor import Context
from genesis.core.channel import Channel
from genesis.core.latest import Latest
from genesis.core.mailbox import Envelope
from genesis.domain.settings_build import Fault, Layer
from genesis.domain.settings_history import Start, Step, after, at_start, published
from protocols.config import SetSettings, SettingFault, SettingsApplied, SettingsRefused, SettingsVersion
from protocols.health import Notice
from protocols.journal import Commit, JournalRequest, ReadRecords, Record
from protocols.settings import Settings

KIND: Final = "SettingsVersion"
LOOK_BACK: Final = 100
"""So many stored versions are tried at a start before files and environment stand alone."""


@attrs.define(kw_only=True)
class ConfigActor:
    """Hears `SetSettings`, answers with a `SettingsReply`, publishes through `settings`.

    `layers` are files, environment and command line as they were at the start of the process. `settings` holds what
    they make when the process starts; it belongs to the engine and tells a restart (version above 0) from a start.
    """

    layers: Sequence[Layer]
    settings: Latest[Settings]
    journal: Channel[JournalRequest]
    notices: Channel[Notice] | None = None
    _step: Step | None = attrs.field(default=None, init=False)

    async def run(self, ctx: Context) -> None:
        start = await self._recover(ctx)
        self._publish(start.step)
        ctx.ready()
        while True:
            for envelope in await ctx.inbox.lease(limit=64):
                await self._hear(ctx, envelope)
                ctx.inbox.ack(envelope)

    async def _recover(self, ctx: Context) -> Start:
        question = ReadRecords(kinds=(KIND,), limit=LOOK_BACK, newest_first=True)
        answer = await ctx.outlet(self.journal).ask(question)
        stored = [msgspec.json.decode(kept.record.payload, type=SettingsVersion) for kept in answer.records]
        start = at_start(self.layers, stored, at_ms=ctx.clock.wall_ms())
        # Actors read the cell between two messages: what no journal has yet must not steer a decision.
        await self._commit(ctx, start.step, f"settings:{start.step.version}")
        for version, faults in start.rejected:
            text = f"stored settings version {version} is left aside: {'; '.join(map(str, faults))}"
            self._tell(ctx, "alarm", "settings_rejected", text)
        return start

    async def _hear(self, ctx: Context, envelope: Envelope) -> None:
        asked: SetSettings = envelope.message
        assert self._step is not None
        if await self._done_before(ctx, asked):
            # The answer of a life that ended between the commit and the ack.
            envelope.reply(self._applied(self._step))
            return
        outcome = after(self.layers, self._step, asked, at_ms=ctx.clock.wall_ms())
        if not isinstance(outcome, Step):
            envelope.reply(SettingsRefused(version=self._step.version, faults=tuple(_said(each) for each in outcome)))
            return
        await self._commit(ctx, outcome, asked.correlation_id)
        self._publish(outcome)
        answer = self._applied(outcome)
        envelope.reply(answer)
        if outcome.changed:
            waits = f"; after a restart: {', '.join(answer.pending)}" if answer.pending else ""
            text = f"version {outcome.version} by {asked.actor}: {', '.join(outcome.changed)}{waits}"
            self._tell(ctx, "info", "settings_changed", text)

    async def _done_before(self, ctx: Context, asked: SetSettings) -> bool:
        question = ReadRecords(kinds=(KIND,), limit=1, newest_first=True)
        answer = await ctx.outlet(self.journal).ask(question)
        newest = answer.records[0].record if answer.records else None
        return newest is not None and newest.correlation_id == asked.correlation_id

    async def _commit(self, ctx: Context, step: Step, correlation_id: str) -> None:
        if step.record is None:
            return
        record = Record(
            kind=KIND,
            key=f"settings:{step.version}",
            payload=msgspec.json.encode(step.record, order="sorted"),
            correlation_id=correlation_id,
            at_ms=step.record.at_ms,
        )
        await ctx.outlet(self.journal).ask(Commit(writer=ctx.name, records=(record,)))

    def _publish(self, step: Step) -> None:
        self._step = step
        first = self.settings.version == 0
        shown = step.settings if first else published(step.settings, self.settings.value)[0]
        if first or shown != self.settings.value:
            self.settings.set(shown)

    def _applied(self, step: Step) -> SettingsApplied:
        pending = published(step.settings, self.settings.value)[1]
        return SettingsApplied(version=step.version, changed=step.changed, pending=pending)

    def _tell(self, ctx: Context, level: str, code: str, text: str) -> None:
        if self.notices is not None:
            notice = Notice(level=level, code=code, text=text, at_ms=ctx.clock.wall_ms())
            ctx.outlet(self.notices).put_nowait(notice)


def _said(fault: Fault) -> SettingFault:
    values: dict[str, Any] = attrs.asdict(fault)
    return SettingFault(**values)
