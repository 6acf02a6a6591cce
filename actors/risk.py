"""The risk actor: nothing becomes an order without a verdict, and none leaves the house before that is durable.

A batch is judged, then one commit with the verdicts and the whole state is put to the journal, then approvals go to the
order actor, then, when the commit is durable, the batch is acknowledged. The order actor's commit stands behind ours in
the journal's mailbox, so the disk has the verdict before anything leaves. Dying before the commit is put judges the
batch again from the same state; dying after it says the same approvals again (our next life reads the state behind that
very commit), and the order actor knows them by their intent ids. It recovers by reading the state;
the first of a process tells counters, marks, locks and switches again from the journal's records and believes those.
What they told so far is kept among them now and then, so that years of them are not read at each start.
"""

import contextlib
from collections import deque
from collections.abc import Sequence
from typing import Any

import attrs
import msgspec

from genesis.core.actor import Context
from genesis.core.channel import Channel, Envelope
from genesis.core.latest import Latest
from genesis.core.mailbox import Outlet
from genesis.domain.decision_log import SIGNAL_KIND, VERDICT_KIND, read_decision
from genesis.domain.heard import (
    NOTHING,
    RiskHeard,
    RiskInput,
    news_in,
    pairs_record,
    risk_heard_record,
    settings_record,
)
from genesis.domain.order_rows import TABLE as ORDER_TABLE
from genesis.domain.pairs import PairSpecs
from genesis.domain.risk_ahead import RiskAhead
from genesis.domain.risk_foresight import Foreseen
from genesis.domain.risk_history import KINDS as HISTORY_KINDS
from genesis.domain.risk_history import RiskHistory
from genesis.domain.risk_history_kept import KEPT_KIND, kept_record, read_kept
from genesis.domain.risk_machine import RISK_TABLE, RiskMachine, late_checkpoint_of, told_as
from genesis.domain.risk_outputs import NOTHING as NOTHING_FOLLOWS
from genesis.domain.risk_outputs import RiskOutputs
from genesis.edge.code_name import code_name
from genesis.edge.stage_times import StageTimes
from genesis.edge.store_check import check_commit
from genesis.edge.store_errors import CommitRefused
from genesis.edge.store_proof import NEWEST
from protocols.health import Notice
from protocols.journal import (
    AnyRecord,
    Cells,
    Commit,
    Committed,
    JournalRequest,
    LateCell,
    ReadCells,
    ReadRecords,
    Record,
    Records,
)
from protocols.orders import TERMINAL_STATES, Approved, ApprovedChange, OrderState
from protocols.risk import (
    AccountState,
    ChangeAnswer,
    ChangeOrder,
    EntryUnwanted,
    EvaluateOrder,
    ForeseenOrder,
    ManualOrder,
    MarketCondition,
    RiskCommand,
    RiskStatus,
    SetTradingState,
    Verdict,
)
from protocols.settings import Settings
from protocols.signals import ForeseenScores, SignalScore, StrategyFailed

BATCH = 64
RECENT = 200
HISTORY_PAGE = 2_000
"""Records that are read in one go at a start: some milliseconds, so that nobody else's commit waits long."""
KEEP_AFTER_RECORDS = 1_000
"""So many of our records at most are told again at a start, plus those of one turn."""
KEEP_AFTER_ROWS = NEWEST // 2
"""What is kept is believed where a start has proven it: among the newest of all records."""
FOLLOW_PAGE = 2 * BATCH
"""Records that are told between two batches, some milliseconds: more than a batch makes."""
ORDER = "order"
"""The actor beside us whose commit comes behind ours when something is approved."""
UNJUDGED = 2_000
"""So many of the newest kept scores are looked at for some that were lost: far more than are ever on the way."""


class _NamedIntent(msgspec.Struct):
    intent_id: str


class _KnownOrder(msgspec.Struct):
    """What of an order's row matters here."""

    intent: _NamedIntent
    state: OrderState
    change: int = 0


_KNOWN_ORDERS = msgspec.json.Decoder(_KnownOrder)


@attrs.define(kw_only=True)
class RiskActor:
    """Hears scores, account states and commands on one mailbox; a command's asker is answered with what came of it.

    `foreseen` is told which order will most likely be approved next, for who can prepare for that.
    """

    settings: Latest[Settings]
    journal: Channel[JournalRequest]
    orders: Channel[Approved | ApprovedChange | EntryUnwanted]
    foreseen: Channel[ForeseenOrder] | None = None
    status: Latest[RiskStatus | None]
    verdicts: Latest[tuple[Verdict, ...]]
    pairs: Latest[PairSpecs]
    ui: Channel[Any] | None = None
    halt_wanted: Latest[SetTradingState | None] | None = None
    stages: StageTimes | None = None
    proven_after_seq: int = 0
    """Behind this record the opening of the journal has proven everything."""

    async def run(self, ctx: Context) -> None:
        journal = ctx.outlet(self.journal)
        orders = ctx.outlet(self.orders)
        foreseen = ctx.outlet(self.foreseen) if self.foreseen is not None else None
        ui = ctx.outlet(self.ui) if self.ui is not None else None
        memory = _Memory(ctx, self.settings, self.pairs)
        past = _Told(ctx.name, journal, self.settings, self.proven_after_seq)
        machine = await self._recover(ctx, memory, journal, ui, past)
        # Our last life may have died before it told.
        for unwanted in machine.taken_back():
            if not orders.put_if_room(unwanted):
                await orders.put(unwanted)
        recent = deque(self.verdicts.value, maxlen=RECENT)
        self.status.set(machine.status())
        ctx.ready()
        while True:
            batch = await ctx.inbox.lease(limit=BATCH)
            approvals: list[Approved | ApprovedChange | EntryUnwanted] = []
            if (self.settings.version, self.pairs.version) != memory.versions:
                approvals += memory.look(machine)
            first = batch[0].message if batch else None
            if type(first) is SignalScore and len(batch) == 1:
                # Most of what is heard, and what an order may wait for.
                inputs: list[RiskInput] = [first]
                outcomes = [(batch[0], machine.on_score(first))]
            elif batch and not approvals and all([type(envelope.message) is ForeseenScores for envelope in batch]):
                # One alone: it takes its time, and of several markets the first that speaks makes the others void.
                self._foresee(machine, memory, batch[-1].message, foreseen)
                ctx.inbox.ack_all(batch)
                continue
            else:
                inputs, outcomes = _judged(machine, batch)
            commit = memory.commit_ahead(machine, inputs)
            if commit is not None:
                count = len(commit.records) - 1
            else:
                told = [outputs for _, outputs in outcomes if outputs is not NOTHING_FOLLOWS]
                records = [record for outputs in told for record in outputs.records]
                released: tuple[str, ...] = ()
                if machine.endings_missed:
                    known = await _known_orders(journal)
                    released = tuple(order.intent.intent_id for order in known if order.state in TERMINAL_STATES)
                    machine.release_ended(released)
                    machine.endings_missed = False
                approves = any([outputs.approved or outputs.changed for outputs in told])
                commit = memory.commit(machine, inputs, records, released=released, approves=approves)
                # One that the journal would not take must end us before anybody hears of what is in it. Its texts are
                # made by the journal: all words in them came here as JSON, and our state rests until it has answered.
                check_commit(commit)
                count = len(records)
            answer = journal.lodge_if_room(commit) or await journal.lodge(commit)
            for _, outputs in outcomes:
                approvals += outputs.unwanted
                approvals += outputs.approved
                approvals += outputs.changed
            for approved in approvals:
                if not orders.put_if_room(approved):
                    await orders.put(approved)
            if approvals:
                # What is left is for people: the order goes first, and its commit takes ours along.
                told_ns = ctx.clock.now_ns()
                await ctx.step_aside()
                for approved in approvals:
                    if self.stages is not None and isinstance(approved, Approved):
                        self.stages.note("risk", approved.intent.received_ns, told_ns)
            past.note(count, await journal.answer_to(answer))
            for envelope, outputs in outcomes:
                for verdict in outputs.verdicts:
                    if not outputs.repeated:
                        recent.append(verdict)
                    if ui is not None and not isinstance(envelope.message, EvaluateOrder):
                        ui.put_nowait(verdict)
                if ui is not None:
                    for code, text in outputs.notices:
                        ui.put_nowait(Notice(level="warning", code=code, text=text, at_ms=ctx.clock.wall_ms()))
                if isinstance(envelope.message, ManualOrder | EvaluateOrder):
                    words = outputs.verdicts or await _kept_verdicts(journal, envelope.message.intent.intent_id)
                    envelope.reply(words[0] if words else None)
                elif isinstance(envelope.message, ChangeOrder):
                    name = envelope.message.intent.intent_id
                    words = outputs.verdicts or await _kept_verdicts(journal, name)
                    heard = name in machine.state.manual
                    envelope.reply(ChangeAnswer(known=heard, verdict=words[0] if words else None))
                elif isinstance(envelope.message, RiskCommand):
                    envelope.reply(machine.status())
            if any([outputs.judgements and not outputs.repeated for _, outputs in outcomes]):
                # Else two hundred are told once more, one after the other fetched for that.
                self.verdicts.set(tuple(recent))
            machine.prepare()
            # By what has just been made ready.
            status = machine.status()
            self.status.set(status)
            self._taken(batch)
            if ui is not None:
                ui.put_nowait(status)
            ctx.inbox.ack_all(batch)
            # Given back now: when the next ones are there, an order may wait.
            del batch, first, inputs, outcomes, commit, answer, approvals
            if past.is_due:
                await past.follow()

    def _foresee(
        self, machine: RiskAhead, memory: "_Memory", hint: ForeseenScores, foreseen: Outlet[ForeseenOrder] | None
    ) -> None:
        approved = machine.foresee(hint)
        memory.prepare_commit(machine.expected(hint))
        if foreseen is not None and approved is not None:
            foreseen.put_nowait(ForeseenOrder(approved=approved))

    def _taken(self, batch: list[Envelope]) -> None:
        """A halt that the house wants is ours from now on, and so is its end."""
        wanted = self.halt_wanted
        if wanted is None or wanted.value is None:
            return
        if any(envelope.message is wanted.value for envelope in batch):
            wanted.set(None)

    async def _recover(
        self, ctx: Context, memory: "_Memory", journal: Outlet[JournalRequest], ui: Outlet[Any] | None, past: "_Told"
    ) -> RiskAhead:
        machine = RiskAhead(self.settings.take(ctx.name), self.pairs.value)
        machine.have_orders_wait()
        kept: Cells = await journal.ask(ReadCells(table=RISK_TABLE))
        machine.restore(kept.cells)
        if ctx.generation > 1:
            # The order actor's mailbox has outlived us: what we approved is there or will be said again.
            machine.on_settings(machine.settings)
            memory.begin(machine)
            return machine
        machine.forget_account()
        await self._rederive(ctx, machine, journal, ui, await past.all())
        taken = {order.intent.intent_id: order.change for order in await _known_orders(journal)}
        unsent = [
            approved.intent.intent_id for approved in machine.open_approvals() if approved.intent.intent_id not in taken
        ]
        machine.release_unsent(unsent)
        void = [*unsent, *[f"a change of {intent_id}" for intent_id in machine.release_unheard(taken)]]
        if void:
            await journal.ask(Commit(writer=ctx.name, cells=(machine.checkpoint(),)))
            if ui is not None:
                text = f"approved but never sent when the engine stopped, now void: {', '.join(void)}"
                ui.put_nowait(Notice(level="warning", code="approval_void", text=text, at_ms=ctx.clock.wall_ms()))
        await self._hear_what_was_lost(memory, machine, journal)
        return machine

    async def _rederive(
        self,
        ctx: Context,
        machine: RiskMachine,
        journal: Outlet[JournalRequest],
        ui: Outlet[Any] | None,
        history: RiskHistory,
    ) -> None:
        """Believe what the journal alone has told. What was kept otherwise is put right and told."""
        differences = machine.settle(history)
        if not differences:
            return
        await journal.ask(Commit(writer=ctx.name, cells=(machine.checkpoint(),)))
        if ui is not None:
            text = f"risk was kept otherwise than the journal tells, which is believed: {'; '.join(differences)}"
            ui.put_nowait(Notice(level="alarm", code="risk_rederived", text=text, at_ms=ctx.clock.wall_ms()))

    async def _hear_what_was_lost(
        self, memory: "_Memory", machine: RiskMachine, journal: Outlet[JournalRequest]
    ) -> None:
        """Scores that were kept by who said them when the process was killed, and not yet judged by us.

        Nobody says them again, and the strategy believes that it has sold. As history they open nothing.
        """
        question = ReadRecords(kinds=(SIGNAL_KIND,), newest_first=True, limit=UNJUDGED)
        kept: Records = await journal.ask(question)
        judged = machine.state.judged
        records: list[AnyRecord] = []
        lost: list[RiskInput] = []
        memory.begin(machine)
        for row in reversed(kept.records):
            score = read_decision(row.record)
            assert isinstance(score, SignalScore)
            # A strategy that risk has never heard of was told nothing by the last process either.
            who, number = told_as(score)
            if number > judged.get(who, -1 if score.strategy in judged else number):
                late = msgspec.structs.replace(score, catch_up=True)
                lost.append(late)
                outputs = machine.on_score(late)
                # Nothing is told from here: what would be approved is owed, and asked again when we live.
                machine.release_unsent(approved.intent.intent_id for approved in outputs.approved)
                records += outputs.records
        if lost:
            await journal.ask(memory.commit(machine, lost, records, lost=True))


class _Told:
    """What the journal's records tell of risk: from the newest record in which that was kept, on. It is kept anew when
    enough has come behind it. All this knows nothing of our state, and a life that dies in the middle loses nothing."""

    def __init__(
        self, name: str, journal: Outlet[JournalRequest], settings: Latest[Settings], proven_after_seq: int
    ) -> None:
        self._name, self._journal, self._settings = name, journal, settings
        self._proven_after_seq = proven_after_seq
        self._history: RiskHistory | None = None
        """While it is being told."""
        self._upto_seq = 0
        self._records, self._seq, self._kept_seq = 0, 0, 0

    async def all(self) -> RiskHistory:
        """Told to the end of the journal."""
        history, count = await self._begin(), 0
        while heard := await self._hear(history, HISTORY_PAGE):
            count += heard
            if heard < HISTORY_PAGE:
                break
        if count >= KEEP_AFTER_RECORDS:
            await self._keep(history)
        return history

    def note(self, records: int, answer: Committed) -> None:
        """A commit with so many records of ours was answered."""
        self._records += records
        self._seq = max(self._seq, answer.first_seq)

    @property
    def is_due(self) -> bool:
        """Whether something is to be told before it is kept again."""
        return self._records >= KEEP_AFTER_RECORDS or self._seq - self._kept_seq >= KEEP_AFTER_ROWS

    async def follow(self) -> None:
        """A page more; the last one is followed by what is kept."""
        if self._history is None:
            self._history = await self._begin()
        if await self._hear(self._history, FOLLOW_PAGE) < FOLLOW_PAGE:
            history, self._history = self._history, None
            await self._keep(history)

    async def _begin(self) -> RiskHistory:
        timezone = self._settings.value.risk.day_timezone
        newest: Records = await self._journal.ask(ReadRecords(kinds=(KEPT_KIND,), limit=1, newest_first=True))
        for row in newest.records:
            kept = read_kept(row.record, code=code_name(), timezone=timezone)
            if kept is not None and row.seq > self._proven_after_seq:
                self._upto_seq, self._kept_seq = kept.upto_seq, row.seq
                return kept.history
        self._upto_seq = 0
        return RiskHistory(timezone=timezone)

    async def _hear(self, history: RiskHistory, limit: int) -> int:
        question = ReadRecords(kinds=HISTORY_KINDS, after_seq=self._upto_seq, limit=limit)
        page: Records = await self._journal.ask(question)
        for row in page.records:
            history.hear(row.record)
            self._upto_seq = row.seq
        return len(page.records)

    async def _keep(self, history: RiskHistory) -> None:
        # A start does without it: where the disk has no room, it must not end the journal.
        record = kept_record(history, self._upto_seq, code_name())
        answer = await self._journal.ask(Commit(writer=self._name, records=(record,), optional=True))
        first_seq = answer.first_seq if isinstance(answer, Committed) else self._seq
        self._records, self._seq, self._kept_seq = 0, max(self._seq, first_seq), first_seq


class _Memory:
    """What a replay must be told of one life of risk: how it began, what it heard, and by which settings.

    Its commits are named, so that the journal never keeps a batch twice.
    """

    def __init__(self, ctx: Context, settings: Latest[Settings], pairs: Latest[PairSpecs]) -> None:
        self._ctx = ctx
        self._settings, self._pairs = settings, pairs
        self.versions = (settings.version, pairs.version)
        """Of settings and pairs, as the machine has them."""
        self._named = False
        self._began: bytes | None = None
        self._commits = 0
        self._ahead: tuple[Foreseen, int, Commit] | None = None
        """What risk will most likely be told next, the number of its commit, and that."""
        self._order = beside(ctx.name, ORDER)

    def begin(self, machine: RiskMachine) -> None:
        """This is the state that a replay must begin with."""
        self._began = machine.checkpoint().payload

    def look(self, machine: RiskMachine) -> tuple[EntryUnwanted, ...]:
        """Give the machine the settings and pairs of now: they are others. Gives the entries that they take back."""
        self.versions, self._named = (self._settings.version, self._pairs.version), False
        outputs = machine.on_settings(self._settings.take(self._ctx.name))
        machine.on_pairs(self._pairs.value)
        return outputs.unwanted

    def prepare_commit(self, foreseen: Foreseen | None) -> None:
        """Make the commit of what is foreseen now, while nobody waits for it."""
        self._ahead = None
        if foreseen is None or not self._named or self._began is not None:
            return
        outputs, number = foreseen.outputs, self._commits + 1
        commit = self._made(
            number,
            (),
            (foreseen.score,),
            outputs.records,
            late_checkpoint_of(foreseen.state),
            foreseen.state.now_ms,
            approves=bool(outputs.approved or outputs.changed),
        )
        # One that the journal would not take is for its own moment to tell.
        with contextlib.suppress(CommitRefused):
            check_commit(commit)
            self._ahead = foreseen, number, commit

    def commit_ahead(self, machine: RiskMachine, inputs: Sequence[RiskInput]) -> Commit | None:
        """The commit of this batch, if it was made when that was foreseen."""
        ahead, self._ahead = self._ahead, None
        if ahead is None or machine.state is not ahead[0].state or len(inputs) != 1 or machine.endings_missed:
            return None
        if ahead[1] != self._commits + 1 or not self._named:
            return None
        self._commits += 1
        return ahead[2]

    def commit(
        self,
        machine: RiskMachine,
        inputs: Sequence[RiskInput],
        records: Sequence[AnyRecord],
        *,
        released: tuple[str, ...] = (),
        lost: bool = False,
        approves: bool = False,
    ) -> Commit:
        """A batch: what was heard, then what came of it, then the state after it."""
        cell, at_ms = machine.late_checkpoint(), machine.state.now_ms
        # Of the machine: settings that came during the batch are not what it was judged by.
        named = [] if self._named else [settings_record(machine.settings, at_ms), pairs_record(machine.pairs, at_ms)]
        self._commits += 1
        commit = self._made(
            self._commits, named, tuple(inputs), records, cell, at_ms, released=released, lost=lost, approves=approves
        )
        self._began, self._named = None, True
        return commit

    def _made(
        self,
        number: int,
        named: Sequence[Record],
        inputs: tuple[RiskInput, ...],
        records: Sequence[AnyRecord],
        cell: LateCell,
        at_ms: int,
        *,
        released: tuple[str, ...] = (),
        lost: bool = False,
        approves: bool = False,
    ) -> Commit:
        heard = RiskHeard(
            code="" if self._began is None else code_name(),
            settings=named[0].key if named else None,
            pairs=named[1].key if named else None,
            state=NOTHING if self._began is None else msgspec.Raw(self._began),
            inputs=inputs,
            released=released,
            lost=lost,
        )
        return Commit(
            writer=self._ctx.name,
            records=(*named, risk_heard_record(heard, at_ms, cell), *records),
            cells=(cell,),
            commit_id=f"{self._ctx.name}:{self._ctx.generation}:{number}",
            follower=self._order if approves else "",
        )


def beside(name: str, other: str) -> str:
    """The name of another child of the same supervisor: writers of the journal are named by their whole path."""
    above, slash, _ = name.rpartition("/")
    return f"{above}{slash}{other}"


async def _kept_verdicts(journal: Outlet[JournalRequest], intent_id: str) -> tuple[Verdict, ...]:
    """What was said to an order in a life, or a process, that remembered its words: a repeat is told the same."""
    kept: Records = await journal.ask(ReadRecords(kinds=(VERDICT_KIND,), key=intent_id, limit=1))
    found = [read_decision(row.record) for row in kept.records]
    return tuple([verdict for verdict in found if isinstance(verdict, Verdict)])


async def _known_orders(journal: Outlet[JournalRequest]) -> list[_KnownOrder]:
    rows: Cells = await journal.ask(ReadCells(table=ORDER_TABLE, prefix="order:"))
    return [_KNOWN_ORDERS.decode(cell.payload) for cell in rows.cells]


def _judged(
    machine: RiskAhead, batch: Sequence[Envelope]
) -> tuple[list[RiskInput], list[tuple[Envelope, RiskOutputs]]]:
    """What a replay must be told of a batch, and what came of it."""
    inputs: list[RiskInput] = []
    outcomes: list[tuple[Envelope, RiskOutputs]] = []
    for envelope in batch:
        message = envelope.message
        if type(message) is ForeseenScores:
            # Too late to be of use: there is something to judge.
            continue
        if not isinstance(message, EvaluateOrder):
            inputs.append(news_in(message, machine.state) if isinstance(message, AccountState) else message)
        outcomes.append((envelope, _judge(machine, message)))
    return inputs, outcomes


def _judge(machine: RiskMachine, message: object) -> RiskOutputs:
    match message:
        case SignalScore():
            return machine.on_score(message)
        case AccountState():
            return machine.on_account(message)
        case MarketCondition():
            return machine.on_condition(message)
        case StrategyFailed():
            return machine.on_failure(message)
        case _ if isinstance(message, RiskCommand):
            return machine.on_command(message)
    raise TypeError(f"message must be a score, a failure, an account state or a command, was {type(message).__name__}")
