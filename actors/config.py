"""The configuration actor: one immutable settings value a version, in the journal before anybody sees it.

Every command leaves a line in the audit trail in the same commit as the version that it makes. The trail's file follows
the journal: what a full disk or a crash kept from it is written with the next line or at the next start.
"""

from collections.abc import Sequence
from typing import Any, Final

import attrs
import msgspec

from genesis.core.actor import Context
from genesis.core.channel import Channel
from genesis.core.latest import Latest
from genesis.core.mailbox import Envelope
from genesis.domain.config_audit import KIND as AUDIT_KIND
from genesis.domain.config_audit import decode_entry, encode_entry, next_entry
from genesis.domain.releases import NAME
from genesis.domain.settings_build import Fault, Layer, Priority, Source, plain
from genesis.domain.settings_history import (
    AT_START,
    IN_FORCE,
    JOURNAL,
    RUNTIME,
    VERSION,
    Start,
    Step,
    after,
    at_start,
    published,
)
from genesis.edge.anchor import Head
from genesis.edge.audit_file import AuditFile
from protocols.config import (
    AuditEntry,
    ConfigCommand,
    ConfigView,
    EffectiveValue,
    EndRollout,
    Rollback,
    SetFlag,
    SetSettings,
    SettingFault,
    SettingsApplied,
    SettingsRefused,
    SettingsVersion,
    Snapshot,
    StartRollout,
    TakeSnapshot,
    WriteAudit,
    news_of,
)
from protocols.health import Notice
from protocols.journal import (
    Cells,
    CellWrite,
    Commit,
    Committed,
    JournalRequest,
    NotKept,
    ReadCells,
    ReadRecords,
    Record,
    Records,
)
from protocols.settings import Settings

KIND: Final = "SettingsVersion"
LOOK_BACK: Final = 100
"""So many stored versions are tried at a start before files and environment stand alone."""
SNAPSHOT_TABLE: Final = "config_snapshots"
MAX_SNAPSHOTS: Final = 1000
PAGE: Final = 500
"""So many lines of the audit trail are in memory at once."""


class _NoRoom(Exception):
    """The journal has no room for what was asked: nothing of it happened."""


@attrs.define(kw_only=True)
class ConfigActor:
    """Hears a `ConfigCommand`, answers with a `SettingsReply`, publishes through `settings` and `view`.

    `layers` are files, environment and command line as they were at the start of the process. `settings` holds what
    they make when the process starts; it belongs to the engine and tells a restart (version above 0) from a start.
    """

    layers: Sequence[Layer]
    settings: Latest[Settings]
    journal: Channel[JournalRequest]
    notices: Channel[Any] | None = None
    view: Latest[ConfigView] | None = None
    audit: AuditFile | None = None
    priority: Priority = Priority.RUNTIME
    _step: Step | None = attrs.field(default=None, init=False)
    _snapshots: dict[str, Snapshot] = attrs.field(factory=dict, init=False)
    _last: AuditEntry | None = attrs.field(default=None, init=False)
    _unwritten: list[bytes] = attrs.field(factory=list, init=False)
    _file_follows: bool = attrs.field(default=False, init=False)
    _rejected: tuple[int, ...] = attrs.field(default=(), init=False)
    _audit_trouble: str = attrs.field(default="", init=False)
    _changes: int = attrs.field(default=0, init=False)
    _refused: int = attrs.field(default=0, init=False)

    async def run(self, ctx: Context) -> None:
        if self.view is not None:
            self._changes, self._refused = self.view.value.changes_total, self.view.value.refused_total
        start = await self._recover(ctx)
        self._publish(start.step)
        ctx.ready()
        while True:
            for envelope in await ctx.inbox.lease(limit=64):
                await self._hear(ctx, envelope)
                ctx.inbox.ack(envelope)

    # --- what it keeps ----------------------------------------------------------------------------------------------

    async def _recover(self, ctx: Context) -> Start:
        stored = await self._versions(ctx, LOOK_BACK)
        kept: Cells = await ctx.outlet(self.journal).ask(ReadCells(table=SNAPSHOT_TABLE))
        snapshots = [msgspec.json.decode(cell.payload, type=Snapshot) for cell in kept.cells]
        self._snapshots = {snapshot.name: snapshot for snapshot in snapshots}
        newest: Records = await ctx.outlet(self.journal).ask(
            ReadRecords(kinds=(AUDIT_KIND,), limit=1, newest_first=True)
        )
        self._last = decode_entry(newest.records[0].record.payload) if newest.records else None
        self._file_follows = False
        start = at_start(self.layers, stored, at_ms=ctx.clock.wall_ms(), priority=self.priority)
        self._rejected = tuple(version for version, _ in start.rejected)
        # Actors read the cell between two messages: what no journal has yet must not steer a decision.
        if start.step.record is not None:
            await self._keep_start(ctx, start.step)
        await self._follow_file(ctx)
        for version, faults in start.rejected:
            text = f"stored settings version {version} is left aside: {'; '.join(map(str, faults))}"
            self._tell(ctx, "alarm", "settings_rejected", text)
        return start

    async def _versions(self, ctx: Context, limit: int) -> list[SettingsVersion]:
        question = ReadRecords(kinds=(KIND,), limit=limit, newest_first=True)
        answer: Records = await ctx.outlet(self.journal).ask(question)
        return [msgspec.json.decode(kept.record.payload, type=SettingsVersion) for kept in answer.records]

    async def _trail(self, ctx: Context, after_seq: int) -> tuple[Sequence[bytes], int | None]:
        """A page of the audit trail as the journal has it, and where the next one begins."""
        question = ReadRecords(kinds=(AUDIT_KIND,), after_seq=after_seq, limit=PAGE)
        answer: Records = await ctx.outlet(self.journal).ask(question)
        ctx.progress()
        lines = [kept.record.payload for kept in answer.records]
        return lines, answer.records[-1].seq if len(lines) == PAGE else None

    async def _keep_start(self, ctx: Context, step: Step) -> None:
        entry = self._entry(
            ctx, "start", AT_START, "applied", step.version, step.reason, {"changed": list(step.changed)}, "start"
        )
        await self._commit(ctx, f"settings:{step.version}", entry, step)

    async def _commit(
        self, ctx: Context, correlation_id: str, entry: AuditEntry, step: Step | None = None, *cells: CellWrite
    ) -> None:
        records = []
        if step is not None and step.record is not None:
            records.append(
                Record(
                    kind=KIND,
                    key=f"settings:{step.version}",
                    payload=msgspec.json.encode(step.record, order="sorted"),
                    correlation_id=correlation_id,
                    at_ms=step.record.at_ms,
                )
            )
        line = encode_entry(entry)
        records.append(
            Record(
                kind=AUDIT_KIND,
                key=f"audit:{entry.seq}",
                payload=line,
                correlation_id=correlation_id,
                at_ms=entry.at_ms,
            )
        )
        # A start must be kept or there is none. What a person asks for may be refused: what is in force goes on.
        commit = Commit(writer=ctx.name, records=tuple(records), cells=cells, optional=entry.action != AT_START)
        answer: Committed | NotKept = await ctx.outlet(self.journal).ask(commit)
        if isinstance(answer, NotKept):
            raise _NoRoom(answer.reason)
        self._last = entry
        if self._file_follows:
            self._unwritten.append(line)

    def _entry(
        self,
        ctx: Context,
        actor: str,
        action: str,
        outcome: str,
        version: int,
        text: str,
        detail: dict[str, Any],
        correlation_id: str,
    ) -> AuditEntry:
        return next_entry(
            self._last,
            at_ms=ctx.clock.wall_ms(),
            actor=actor,
            action=action,
            outcome=outcome,
            version=version,
            text=text,
            detail=detail,
            correlation_id=correlation_id,
        )

    async def _follow_file(self, ctx: Context) -> None:
        """Bring the trail's file up to the journal. A disk that takes no more costs the copy, not the change."""
        if self.audit is None or self._last is None:
            return
        head = Head(self._last.seq, bytes.fromhex(self._last.hash))
        try:
            if not self._file_follows:
                trouble = await self.audit.begin(lambda after_seq: self._trail(ctx, after_seq), head)
                if trouble is not None:
                    self._tell(ctx, "alarm", "audit_damaged", trouble)
            else:
                await self.audit.append(self._unwritten, head)
        except OSError as error:
            # The journal has every line: the next beginning reads them from there.
            self._file_follows = False
            if not self._audit_trouble:
                text = f"{self.audit.path} must be writable, was not: {error.strerror or error}; the journal has it all"
                self._tell(ctx, "alarm", "audit_unwritable", text)
            self._audit_trouble = str(error)
        else:
            self._file_follows = True
            self._audit_trouble = ""
        self._unwritten.clear()

    # --- commands ---------------------------------------------------------------------------------------------------

    async def _hear(self, ctx: Context, envelope: Envelope) -> None:
        asked: ConfigCommand = envelope.message
        step = self._step
        assert step is not None
        last = self._last
        if last is not None and last.correlation_id == asked.correlation_id and last.outcome != "refused":
            # The answer of a life that ended between the commit and the ack.
            envelope.reply(self._applied(step, asked))
            return
        try:
            match asked:
                case WriteAudit():
                    await self._note(ctx, envelope, asked, step)
                case TakeSnapshot():
                    await self._snapshot(ctx, envelope, asked, step)
                case _:
                    await self._change(ctx, envelope, asked, step)
        except _NoRoom as error:
            self._refused += 1
            must_be, was = "able to keep the change", str(error)[:300]
            fault = SettingFault(path=JOURNAL, must_be=must_be, was=was, layer=RUNTIME, hint="")
            envelope.reply(SettingsRefused(version=step.version, faults=(fault,)))
            text = f"{type(asked).__name__} by {asked.actor} is refused, version {step.version} stays in force: {error}"
            self._tell(ctx, "alarm", "settings_not_kept", text)
        await self._follow_file(ctx)
        self._show()

    async def _change(
        self,
        ctx: Context,
        envelope: Envelope,
        asked: SetSettings | SetFlag | Rollback | StartRollout | EndRollout,
        step: Step,
    ) -> None:
        target = await self._target(ctx, asked) if isinstance(asked, Rollback) else None
        at_ms = ctx.clock.wall_ms()
        outcome = after(self.layers, step, asked, at_ms=at_ms, priority=self.priority, target=target)
        if not isinstance(outcome, Step):
            await self._refuse(ctx, envelope, asked, step, outcome)
            return
        if outcome.record is None:
            envelope.reply(self._applied(outcome, asked))
            return
        entry = self._entry(
            ctx,
            asked.actor,
            outcome.action,
            "applied",
            outcome.version,
            outcome.reason,
            _detail(outcome),
            asked.correlation_id,
        )
        await self._commit(ctx, asked.correlation_id, entry, outcome)
        self._changes += 1
        self._publish(outcome)
        answer = self._applied(outcome, asked)
        envelope.reply(answer)
        what = ", ".join(outcome.changed) or outcome.action
        waits = f"; after a restart: {', '.join(answer.pending)}" if answer.pending else ""
        hidden = f"; hidden: {', '.join(f'{path} by {layer}' for path, layer in answer.hidden.items())}"
        if self.view is not None and self.notices is not None:
            ctx.outlet(self.notices).put_nowait(news_of(self.view.value))
        text = f"version {outcome.version} by {asked.actor}: {what}{waits}{hidden if answer.hidden else ''}"
        self._tell(ctx, "info", "settings_changed", text)

    async def _target(self, ctx: Context, asked: Rollback) -> SettingsVersion | None:
        wanted = asked.version
        if asked.snapshot is not None:
            snapshot = self._snapshots.get(asked.snapshot)
            wanted = None if snapshot is None else snapshot.version
        if wanted is None:
            return None
        answer: Records = await ctx.outlet(self.journal).ask(ReadRecords(kinds=(KIND,), key=f"settings:{wanted}"))
        kept = answer.records[0].record.payload if answer.records else None
        return None if kept is None else msgspec.json.decode(kept, type=SettingsVersion)

    async def _snapshot(self, ctx: Context, envelope: Envelope, asked: TakeSnapshot, step: Step) -> None:
        faults: list[Fault] = []
        if asked.expected_version is not None and asked.expected_version != step.version:
            must_be = f"{step.version}, {IN_FORCE}"
            faults.append(Fault(path=VERSION, must_be=must_be, was=str(asked.expected_version), layer=RUNTIME))
        if not NAME.fullmatch(asked.name):
            must_be = "1 to 40 of a-z, 0-9, dot, dash and underscore, a letter first"
            faults.append(Fault(path="snapshot", must_be=must_be, was=asked.name[:40], layer=RUNTIME))
        elif asked.name in self._snapshots:
            must_be = f"a new name: {asked.name} is version {self._snapshots[asked.name].version}"
            faults.append(Fault(path="snapshot", must_be=must_be, was=asked.name, layer=RUNTIME))
        elif len(self._snapshots) >= MAX_SNAPSHOTS:
            faults.append(Fault(path="snapshot", must_be=f"one of {MAX_SNAPSHOTS}", was="one more", layer=RUNTIME))
        if faults:
            await self._refuse(ctx, envelope, asked, step, tuple(faults))
            return
        snapshot = Snapshot(
            name=asked.name,
            version=step.version,
            at_ms=ctx.clock.wall_ms(),
            author=asked.actor,
            reason=asked.reason,
        )
        detail = {"name": asked.name}
        entry = self._entry(
            ctx, asked.actor, "snapshot", "applied", step.version, asked.reason, detail, asked.correlation_id
        )
        cell = CellWrite(table=SNAPSHOT_TABLE, key=asked.name, payload=msgspec.json.encode(snapshot))
        await self._commit(ctx, asked.correlation_id, entry, None, cell)
        self._snapshots[asked.name] = snapshot
        self._show()
        envelope.reply(self._applied(attrs.evolve(step, changed=()), asked))

    async def _note(self, ctx: Context, envelope: Envelope, asked: WriteAudit, step: Step) -> None:
        entry = self._entry(
            ctx, asked.actor, "note", "noted", step.version, asked.text, dict(asked.detail), asked.correlation_id
        )
        await self._commit(ctx, asked.correlation_id, entry)
        self._show()
        envelope.reply(self._applied(attrs.evolve(step, changed=()), asked))

    async def _refuse(
        self, ctx: Context, envelope: Envelope, asked: ConfigCommand, step: Step, faults: tuple[Fault, ...]
    ) -> None:
        answer = SettingsRefused(version=step.version, faults=tuple(_said(fault) for fault in faults))
        last = self._last
        if last is not None and last.correlation_id == asked.correlation_id and last.outcome == "refused":
            # By a life that ended between the commit and the ack: the trail has it.
            envelope.reply(answer)
            return
        self._refused += 1
        # Paths and what they must be: a value that was refused may be a secret in the wrong place.
        detail = {"faults": [f"{fault.path} must be {fault.must_be}"[:200] for fault in faults[:50]]}
        action = type(asked).__name__
        entry = self._entry(
            ctx, asked.actor, action, "refused", step.version, _why(asked), detail, asked.correlation_id
        )
        await self._commit(ctx, asked.correlation_id, entry)
        self._show()
        envelope.reply(answer)

    # --- what it shows ----------------------------------------------------------------------------------------------

    def _publish(self, step: Step) -> None:
        self._step = step
        first = self.settings.version == 0
        shown = step.settings if first else published(step.settings, self.settings.value)[0]
        # The view first: whoever hears of a new version finds it told.
        self._show(shown)
        if first or shown != self.settings.value:
            self.settings.set(shown)

    def _show(self, shown: Settings | None = None) -> None:
        if self.view is None:
            return
        step = self._step
        assert step is not None
        running = self.settings.value if shown is None else shown
        self.view.set(
            ConfigView(
                version=step.version,
                at_ms=step.at_ms,
                author=step.author,
                reason=step.reason,
                action=step.action,
                priority=self.priority.value,
                pending=published(step.settings, running)[1],
                effective=tuple(
                    EffectiveValue(
                        key=path,
                        value=plain(each.value),
                        layer=each.layer,
                        hidden=tuple((layer, plain(value)) for layer, value in each.hidden),
                    )
                    for path, each in sorted(step.effective.items())
                ),
                runtime=dict(step.runtime),
                flags=tuple(flag for _, flag in sorted(step.flags.items())),
                rollout=step.rollout,
                snapshots=tuple(sorted(self._snapshots.values(), key=lambda each: (each.version, each.name))),
                rejected=self._rejected,
                changes_total=self._changes,
                refused_total=self._refused,
                audit_seq=0 if self._last is None else self._last.seq,
                audit_trouble=self._audit_trouble,
            )
        )

    def _applied(self, step: Step, asked: ConfigCommand) -> SettingsApplied:
        pending = published(step.settings, self.settings.value)[1]
        hidden: dict[str, str] = {}
        if isinstance(asked, SetSettings):
            effective = step.effective
            hidden = {
                path: effective[path].layer
                for path in asked.changes
                if path in effective and effective[path].source is not Source.RUNTIME
            }
        return SettingsApplied(version=step.version, changed=step.changed, pending=pending, hidden=hidden)

    def _tell(self, ctx: Context, level: str, code: str, text: str) -> None:
        if self.notices is not None:
            notice = Notice(level=level, code=code, text=text, at_ms=ctx.clock.wall_ms())
            ctx.outlet(self.notices).put_nowait(notice)


def _said(fault: Fault) -> SettingFault:
    values: dict[str, Any] = attrs.asdict(fault)
    return SettingFault(**values)


def _why(asked: ConfigCommand) -> str:
    return asked.text if isinstance(asked, WriteAudit) else asked.reason


def _detail(step: Step) -> dict[str, Any]:
    """What the trail keeps of a change: the patch says everything that is different now."""
    patch = list(step.record.patch) if step.record is not None else []
    return {"changed": list(step.changed), "patch": patch}
