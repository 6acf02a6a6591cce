"""The risk actor: nothing becomes an order without a verdict, and nobody hears of an approval before it is durable.

A batch is judged, then the verdicts and the whole state become durable in one commit, then approvals go to the order
actor, then the batch is acknowledged. Dying before the commit judges the batch again from the same state; dying after
it says the same approvals again, and the order actor knows them by their intent ids. It recovers by reading the state;
the first of a process tells counters, marks, locks and switches again from the journal's records and believes those.
"""

from collections import deque
from typing import Any

import attrs
import msgspec

from genesis.core.actor import Context
from genesis.core.channel import Channel, Envelope
from genesis.core.latest import Latest
from genesis.core.mailbox import Outlet
from genesis.domain.decision_log import SIGNAL_KIND, read_decision
from genesis.domain.order_rows import TABLE as ORDER_TABLE
from genesis.domain.pairs import PairSpecs
from genesis.domain.risk_history import KINDS as HISTORY_KINDS
from genesis.domain.risk_history import RiskHistory
from genesis.domain.risk_machine import RISK_TABLE, RiskMachine, RiskOutputs
from protocols.health import Notice
from protocols.journal import Cells, Commit, JournalRequest, ReadCells, ReadRecords, Record, Records
from protocols.orders import TERMINAL_STATES, Approved, OrderState
from protocols.risk import (
    AccountState,
    EvaluateOrder,
    ManualOrder,
    MarketCondition,
    RiskCommand,
    RiskStatus,
    SetTradingState,
    Verdict,
)
from protocols.settings import Settings
from protocols.signals import SignalScore

BATCH = 64
RECENT = 200
HISTORY_PAGE = 2_000
"""Records that are read in one go at a start: some milliseconds, so that nobody else's commit waits long."""
UNJUDGED = 2_000
"""So many of the newest kept scores are looked at for some that were lost: far more than are ever on the way."""


class _NamedIntent(msgspec.Struct):
    intent_id: str


class _KnownOrder(msgspec.Struct):
    """What of an order's row matters here."""

    intent: _NamedIntent
    state: OrderState


_KNOWN_ORDERS = msgspec.json.Decoder(_KnownOrder)


@attrs.define(kw_only=True)
class RiskActor:
    """Hears scores, account states and commands on one mailbox; a command's asker is answered with what came of it."""

    settings: Latest[Settings]
    journal: Channel[JournalRequest]
    orders: Channel[Approved]
    status: Latest[RiskStatus | None]
    verdicts: Latest[tuple[Verdict, ...]]
    pairs: Latest[PairSpecs]
    ui: Channel[Any] | None = None
    halt_wanted: Latest[SetTradingState | None] | None = None

    async def run(self, ctx: Context) -> None:
        journal = ctx.outlet(self.journal)
        orders = ctx.outlet(self.orders)
        ui = ctx.outlet(self.ui) if self.ui is not None else None
        settings_version, pairs_version = self.settings.version, self.pairs.version
        machine = await self._recover(ctx, journal, ui)
        recent = deque(self.verdicts.value, maxlen=RECENT)
        self.status.set(machine.status())
        ctx.ready()
        while True:
            batch = await ctx.inbox.lease(limit=BATCH)
            if self.settings.version != settings_version:
                settings_version = self.settings.version
                machine.on_settings(self.settings.value)
            if self.pairs.version != pairs_version:
                pairs_version = self.pairs.version
                machine.on_pairs(self.pairs.value)
            outcomes: list[tuple[Envelope, RiskOutputs]] = []
            records: list[Record] = []
            for envelope in batch:
                outputs = _judge(machine, envelope.message)
                outcomes.append((envelope, outputs))
                records += outputs.records
            if machine.endings_missed:
                known = await _known_orders(journal)
                machine.release_ended(order.intent.intent_id for order in known if order.state in TERMINAL_STATES)
                machine.endings_missed = False
            await journal.ask(Commit(writer=ctx.name, records=tuple(records), cells=(machine.checkpoint(),)))
            for envelope, outputs in outcomes:
                for approved in outputs.approved:
                    await orders.put(approved)
                for verdict in outputs.verdicts:
                    if not outputs.repeated:
                        recent.append(verdict)
                    if ui is not None and not isinstance(envelope.message, EvaluateOrder):
                        ui.put_nowait(verdict)
                if ui is not None:
                    for code, text in outputs.notices:
                        ui.put_nowait(Notice(level="warning", code=code, text=text, at_ms=ctx.clock.wall_ms()))
                if isinstance(envelope.message, ManualOrder | EvaluateOrder):
                    envelope.reply(outputs.verdicts[0] if outputs.verdicts else None)
                elif isinstance(envelope.message, RiskCommand):
                    envelope.reply(machine.status())
            self.verdicts.set(tuple(recent))
            status = machine.status()
            self.status.set(status)
            self._taken(batch)
            if ui is not None:
                ui.put_nowait(status)
            ctx.inbox.ack_all(batch)

    def _taken(self, batch: list[Envelope]) -> None:
        """A halt that the house wants is ours from now on, and so is its end."""
        wanted = self.halt_wanted
        if wanted is None or wanted.value is None:
            return
        if any(envelope.message is wanted.value for envelope in batch):
            wanted.set(None)

    async def _recover(self, ctx: Context, journal: Outlet[JournalRequest], ui: Outlet[Any] | None) -> RiskMachine:
        machine = RiskMachine(self.settings.value, self.pairs.value)
        kept: Cells = await journal.ask(ReadCells(table=RISK_TABLE))
        machine.restore(kept.cells)
        if ctx.generation > 1:
            # The order actor's mailbox has outlived us: what we approved is there or will be said again.
            return machine
        machine.forget_account()
        await self._rederive(ctx, machine, journal, ui)
        taken = {order.intent.intent_id for order in await _known_orders(journal)}
        unsent = [
            approved.intent.intent_id for approved in machine.open_approvals() if approved.intent.intent_id not in taken
        ]
        if unsent:
            machine.release_unsent(unsent)
            await journal.ask(Commit(writer=ctx.name, cells=(machine.checkpoint(),)))
            if ui is not None:
                text = f"approved but never sent when the engine stopped, now void: {', '.join(unsent)}"
                ui.put_nowait(Notice(level="warning", code="approval_void", text=text, at_ms=ctx.clock.wall_ms()))
        await self._hear_what_was_lost(ctx, machine, journal)
        return machine

    async def _rederive(
        self, ctx: Context, machine: RiskMachine, journal: Outlet[JournalRequest], ui: Outlet[Any] | None
    ) -> None:
        """Tell the state again from the journal alone. What was kept otherwise is put right and told."""
        history = RiskHistory(timezone=self.settings.value.risk.day_timezone)
        after_seq = 0
        while True:
            question = ReadRecords(kinds=HISTORY_KINDS, after_seq=after_seq, limit=HISTORY_PAGE)
            page: Records = await journal.ask(question)
            for row in page.records:
                history.hear(row.record)
            if len(page.records) < HISTORY_PAGE:
                break
            after_seq = page.records[-1].seq
        differences = machine.settle(history)
        if not differences:
            return
        await journal.ask(Commit(writer=ctx.name, cells=(machine.checkpoint(),)))
        if ui is not None:
            text = f"risk was kept otherwise than the journal tells, which is believed: {'; '.join(differences)}"
            ui.put_nowait(Notice(level="alarm", code="risk_rederived", text=text, at_ms=ctx.clock.wall_ms()))

    async def _hear_what_was_lost(self, ctx: Context, machine: RiskMachine, journal: Outlet[JournalRequest]) -> None:
        """Scores that were kept by who said them when the process was killed, and not yet judged by us.

        Nobody says them again, and the strategy believes that it has sold. As history they open nothing.
        """
        question = ReadRecords(kinds=(SIGNAL_KIND,), newest_first=True, limit=UNJUDGED)
        kept: Records = await journal.ask(question)
        judged = machine.state.judged
        records: list[Record] = []
        for row in reversed(kept.records):
            score = read_decision(row.record)
            assert isinstance(score, SignalScore)
            # A strategy that risk has never heard of was told nothing by the last process either.
            if score.candle_open_ms > judged.get(score.strategy, score.candle_open_ms):
                outputs = machine.on_score(msgspec.structs.replace(score, catch_up=True))
                # Nothing is told from here: what would be approved is owed, and asked again when we live.
                machine.release_unsent(approved.intent.intent_id for approved in outputs.approved)
                records += outputs.records
        if records:
            await journal.ask(Commit(writer=ctx.name, records=tuple(records), cells=(machine.checkpoint(),)))


async def _known_orders(journal: Outlet[JournalRequest]) -> list[_KnownOrder]:
    rows: Cells = await journal.ask(ReadCells(table=ORDER_TABLE))
    return [_KNOWN_ORDERS.decode(cell.payload) for cell in rows.cells if cell.key.startswith("order:")]


def _judge(machine: RiskMachine, message: object) -> RiskOutputs:
    match message:
        case SignalScore():
            return machine.on_score(message)
        case AccountState():
            return machine.on_account(message)
        case MarketCondition():
            return machine.on_condition(message)
        case _ if isinstance(message, RiskCommand):
            return machine.on_command(message)
    raise TypeError(f"message must be a score, an account state or a command, was {type(message).__name__}")
