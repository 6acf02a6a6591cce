"""The order actor: what the order machine decides becomes durable first and happens after.

A batch of messages goes through the machine, one commit keeps all that came of it, and only then do commands leave,
reports go out, and the batch is acknowledged. Commands leave in the very step in which the journal answers, while we
stand aside: nothing is left to decide. When orders that risk approved can leave, they do so before protection is looked
at; what follows of that is a second commit. It may be killed at any await; what then?

- Before the commit is put: nothing of the batch is durable and nothing left. The batch comes again, to a machine that
  is made anew of the journal's cells, and is decided again.
- After the commit is put, before its answer: the commit will be written (it is in the journal's mailbox, which outlives
  us), and our next life's reading stands behind it in that very mailbox. So the next life knows the rows; the batch
  comes again and changes nothing, because the machine hears everything twice without harm.
- After the answer, between two puts, or before the ack: rows in INTENT with a session, and open requests, are exactly
  the commands that may not have been put. The next life hands all of them out again under the keys that they have for
  life, and `put_once` lets through those that were not put. Reports newer than the last ones known to be told are said
  again: an OrderUpdate said twice is the same state, a Fill is known by its trade.
- The process itself killed: mailboxes and keys are gone with it, so handing out again would be guessing. The journal's
  epoch tells the two cases apart, and rows that may have left become UNKNOWN until the venue or the whole proof of
  absence decides.

A mailbox that is full refuses a command before a byte of it exists: the machine hears "not sent", and it may go again.
"""

import contextlib
import math
from collections import deque
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import partial
from typing import Any

import attrs
import trio

from genesis.core.actor import Context
from genesis.core.channel import Answer, Channel, Envelope
from genesis.core.errors import ChannelClosed, ChannelFull
from genesis.core.latest import Latest
from genesis.core.mailbox import Outlet
from genesis.domain.fee_prices import price_in, with_fee_prices
from genesis.domain.order_ahead import OrderAhead
from genesis.domain.order_heard import STEPS_KEPT, OrderRecorder
from genesis.domain.order_machine import SLICE
from genesis.domain.order_outputs import Outputs
from genesis.domain.order_rows import TABLE, view_of
from genesis.domain.pairs import PairSpecs
from genesis.edge.code_name import code_name
from genesis.edge.stage_times import StageTimes
from protocols.bitfinex.inputs import WrittenCommand, write_ahead
from protocols.health import Notice, Reconnect
from protocols.journal import AnyCell, AnyRecord, Cells, Commit, Committed, JournalRequest, ReadCells
from protocols.market import BookLevels, MarketView
from protocols.orders import (
    TERMINAL_STATES,
    AccountEvent,
    Adopt,
    Adopted,
    Approved,
    ApprovedChange,
    CancelIntent,
    CommandNotSent,
    CommandSent,
    Fill,
    Flatten,
    HistoryFailed,
    HistoryRequest,
    OrderReport,
    OrderState,
    OrderUpdate,
    OrderView,
    OrderWish,
    Protect,
    SubmitOrder,
    UpdateIntent,
    VenueCommand,
    commands_of,
)
from protocols.risk import EntryUnwanted, ForeseenOrder, RiskCommand, RiskStatus, SetTradingState, TradingState
from protocols.settings import Settings
from protocols.trading import OrdersView
from protocols.units import Side, Symbol, exact, plain

BATCH = 256
_HALTED = TradingState.HALTED
"""Asked of its class a member costs a call."""
RECENT = 200
NO_STRATEGY = frozenset({"manual", "protection"})
"""Whose lots need nobody who speaks for them."""
LEVELS = 250
"""More than any book that is subscribed to has."""
ANSWER_COMES_S = 0.05
"""That a command has left waits so long for what the venue says to it, so that one commit keeps both: on a restart an
order that may have left and one that has are in the same doubt."""


@attrs.define(kw_only=True)
class OrderActor:
    """Hears what risk approved, account events, and wishes to cancel, update, flatten or protect (answered with the
    orders); and of what risk will most likely approve, by which nothing is decided or kept. `written` is told the text
    of the command that would come of that.

    `epoch` is the journal's session: it tells a crash of this actor from a new process.
    """

    epoch: int
    settings: Latest[Settings]
    journal: Channel[JournalRequest]
    venue: Channel[VenueCommand]
    history: Channel[HistoryRequest]
    account: Channel[OrderReport]
    risk: Channel[RiskCommand]
    view: Latest[OrdersView]
    pairs: Latest[PairSpecs] | None = None
    market: Latest[MarketView] | None = None
    depth: Callable[[Symbol, int], BookLevels | None] | None = None
    risk_status: Latest[RiskStatus | None] | None = None
    written: Latest[WrittenCommand | None] | None = None
    reconnects: Channel[Reconnect] | None = None
    ui: Channel[Any] | None = None
    halt_wanted: Latest[SetTradingState | None] | None = None
    stages: StageTimes | None = None

    async def run(self, ctx: Context) -> None:
        life = _Life(self, ctx)
        await life.recover()
        ctx.ready()
        while True:
            await life.turn()


@attrs.frozen
class _CommitAhead:
    """What keeps an order that was rehearsed, if `out` comes of it as it is."""

    out: Outputs
    cells: dict[str, AnyCell]
    heard: AnyRecord
    commit: Commit


_Left = tuple[list[VenueCommand], int]
"""Commands that were handed out for the first time, and when."""


class _Life:
    """One generation of the actor: its machine, its outlets, and what it shows."""

    def __init__(self, actor: OrderActor, ctx: Context) -> None:
        settings = actor.settings.take(ctx.name)
        self.actor = actor
        self.ctx = ctx
        # Cells of which an order asks; one that nobody writes says nothing.
        self.settings = actor.settings
        self.pairs: Latest[Any] = actor.pairs or Latest(None)
        self.halt_wanted: Latest[SetTradingState | None] = actor.halt_wanted or Latest(None)
        self.risk_status: Latest[RiskStatus | None] = actor.risk_status or Latest(None)
        self.machine = OrderAhead(settings.orders, epoch=actor.epoch, signal_max_age_s=settings.risk.signal_max_age_s)
        self.machine.lends = True
        self.heard = OrderRecorder(self.machine, self._best_price, self._levels)
        self.named: tuple[int, int] | None = None
        """The versions of settings and pairs that the journal knows of."""
        self.journal = ctx.outlet(actor.journal)
        self.venue = ctx.outlet(actor.venue)
        self.history = ctx.outlet(actor.history)
        self.account = ctx.outlet(actor.account)
        self.risk = ctx.outlet(actor.risk)
        self.reconnects: Outlet[Reconnect] | None = None
        if actor.reconnects is not None:
            self.reconnects = ctx.outlet(actor.reconnects)
        self.ui: Outlet[Any] | None = None if actor.ui is None else ctx.outlet(actor.ui)
        self.alarms_total = actor.view.value.alarms_total
        self.open: dict[str, OrderView] = {}
        self.ended: deque[OrderView] = deque(maxlen=RECENT)
        self.ended_shown: tuple[OrderView, ...] | None = ()
        """What readers see of those that have ended; None when that has changed."""
        self.fills: deque[Fill] = deque(maxlen=RECENT)
        self.fills_shown: tuple[Fill, ...] = ()
        """The same for readers, made anew when there is another."""
        self.for_screens: list[OrderReport] = []
        self.shown: set[tuple[int, int]] = set()
        """Trades that readers were told of."""
        self.adoptions_told: set[int] = set()
        self.settings_seen = -1
        self.quiet = 0
        """Commits of steps of which nothing came."""
        self.ahead: _CommitAhead | None = None
        """Of the order that was rehearsed last."""
        self.orphans: dict[str, tuple[str, ...]] = {}

    async def recover(self) -> None:
        """Everything from the journal, then whatever the last life may have left undone."""
        kept: Cells = await self.journal.ask(ReadCells(table=TABLE))
        clock = self.ctx.clock
        now, wall_ms = clock.now(), clock.wall_ms()
        # Others may come between here and the first turn: what is named is what is used.
        settings, versions = self._know_settings(), (self.settings.version, self.pairs.version)
        self.heard.start()
        for _ in self.machine.restoring(kept.cells, now=now, wall_ms=wall_ms):
            await trio.lowlevel.checkpoint()
        self.heard.begin(self.actor.epoch, code_name(), kept.cells)
        self._name(settings, versions)
        newest = list(self.machine.orders.values())
        for row in newest:
            if row.open or row.cid > newest[-1].cid - 2 * RECENT:
                self._show(view_of(row))
        told = [fill for fill in self.machine.fills.rows.values() if fill.fill is not None]
        told.sort(key=lambda fill: fill.serial)
        self.fills.extend(fill.fill for fill in told[-RECENT:] if fill.fill is not None)
        self.fills_shown = tuple(self.fills)
        self.shown = {(fill.trade.trade_id, fill.trade.venue_order_id) for fill in told}
        self.adoptions_told = {adopted.serial for adopted in self.machine.adoptions.values()}
        out = self.machine.take()
        self.heard.end(out, now=now, wall_ms=wall_ms, timer=False)
        await self._carry_out(out)
        while rest := self.for_screens[SLICE:]:
            # All that the journal holds is said again, and others want their turn meanwhile.
            del self.for_screens[SLICE:]
            self._tell_screens()
            self.for_screens = rest
            self.ctx.progress()
            await trio.lowlevel.checkpoint()
        self._tell_screens()
        self._publish()

    async def turn(self) -> None:
        """Lease, decide, keep, act, acknowledge."""
        deadline = self.machine.next_deadline()
        batch = await self.ctx.inbox.lease(limit=BATCH, until=math.inf if deadline is None else deadline)
        clock = self.ctx.clock
        if len(batch) == 1 and type(batch[0].message) is Approved:
            now = clock.now()
        else:
            heard = await self._to_hear(batch, deadline)
            if heard is None:
                return
            batch, now = heard
        if (self.settings.version, self.pairs.version) != self.named:
            self._name(self._know_settings(), (self.settings.version, self.pairs.version))
        self.machine.halted = self._halted()
        wall_ms = clock.wall_ms()
        self.heard.start()
        inputs = [envelope.message for envelope in batch]
        answers: list[tuple[Envelope, tuple[OrderView, ...]]] = []
        ready = None
        if len(inputs) == 1 and type(inputs[0]) is Approved:
            ready = self.machine.take_rehearsed(inputs[0], now=now, wall_ms=wall_ms)
            if ready is None:
                # It may have asked the market; who admits it asks once more.
                self.heard.start()
        if ready is not None or (inputs and self._admit(inputs, now, wall_ms)):
            ready = ready or self.machine.take_ready()
            if ready is not None:
                # An order is on its way: deadlines, and what protection makes of it, come when that has left.
                self.heard.end(ready, now=now, wall_ms=wall_ms, inputs=inputs, timer=False, ready=True)
                await self._carry_out(ready)
                inputs = []
                now, wall_ms = self.ctx.clock.now(), self.ctx.clock.wall_ms()
                self.heard.start()
        else:
            inputs = [self._priced(message) for message in inputs]
            answers = [
                (envelope, self._hear(message, now, wall_ms)) for envelope, message in zip(batch, inputs, strict=True)
            ]
        # After the messages: what they answer is no longer overdue.
        self.machine.on_timer(now=now, wall_ms=wall_ms)
        out = self.machine.take()
        self.heard.end(out, now=now, wall_ms=wall_ms, inputs=inputs)
        await self._carry_out(out)
        if len(self.heard.steps) >= STEPS_KEPT:
            await self._keep_steps()
        self._tell_screens()
        _reply(answers)
        self.ctx.inbox.ack_all(batch)
        if batch or out.must_be_kept:
            self._publish()
        # For the exit that may come next.
        self.machine.foresee()
        if self.settings_seen != self.actor.settings.version:
            self.settings_seen = self.actor.settings.version
            self._look_for_orphans(self.actor.settings.value)

    async def _to_hear(self, batch: list[Envelope], deadline: float | None) -> tuple[list[Envelope], float] | None:
        """What there is to hear, if anything, and the time; None where nothing must be looked at."""
        while True:
            hints = [envelope for envelope in batch if type(envelope.message) is ForeseenOrder]
            if hints:
                batch = self._take_hints(batch, hints)
            if batch and type(batch[0].message) is CommandSent:
                await self._wait_for_answers(batch, deadline)
            now = self.ctx.clock.now()
            if batch:
                return batch, now
            if deadline is None or now < deadline or self.settings_seen != self.actor.settings.version:
                return None if hints and self.settings_seen == self.actor.settings.version else (batch, now)
            deadline = self.machine.next_glance(now=now)
            if deadline is None:
                return batch, now
            batch = await self.ctx.inbox.lease(limit=BATCH, until=deadline)

    def _take_hints(self, batch: list[Envelope], hints: list[Envelope]) -> list[Envelope]:
        """What is to be heard of a batch with hints. Alone, the newest of them is rehearsed."""
        rest = [envelope for envelope in batch if envelope not in hints]
        if not rest and (self.settings.version, self.pairs.version) == self.named:
            self.machine.halted = self._halted()
            clock = self.ctx.clock
            out = self.machine.rehearse(hints[-1].message.approved, now=clock.now(), wall_ms=clock.wall_ms())
            self._make_ahead(out)
        self.ctx.inbox.ack_all(hints)
        return rest

    def _make_ahead(self, out: Outputs | None) -> None:
        """Make now what an order that was rehearsed would wait for: its commit, and its command's text."""
        if out is not None and self.ahead is not None and self.ahead.out is out:
            return
        heard = None if out is None else self.heard.record_ahead(self.machine.fence.venue_ms)
        self.ahead = None
        if out is not None and heard is not None:
            self.ahead = _CommitAhead(out, out.cells, heard, self._commit_of(out, (heard,)))
        if out is not None and self.actor.written is not None:
            self.actor.written.set(write_ahead(out.commands[0].command))

    def _admit(self, messages: Sequence[Any], now: float, wall_ms: int) -> bool:
        """Take approved intents, if there is nothing else: they can leave before anything else is looked at."""
        for message in messages:
            if type(message) is not Approved:
                return False
        for message in messages:
            self.machine.admit(message, now=now, wall_ms=wall_ms)
        return True

    async def _wait_for_answers(self, batch: list[Envelope], deadline: float | None) -> None:
        """Add to news that commands have left what comes first after it."""
        until = min(self.ctx.clock.now() + ANSWER_COMES_S, math.inf if deadline is None else deadline)
        newest = batch
        while newest and len(batch) < BATCH and all([isinstance(each.message, CommandSent) for each in newest]):
            newest = await self.ctx.inbox.more(limit=BATCH - len(batch), until=until)
            while newest and (hints := [each for each in newest if type(each.message) is ForeseenOrder]):
                # There is something to decide, so they are of no use; and nobody waits the less for them.
                newest = [each for each in newest if each not in hints]
                self.ctx.inbox.ack_all(hints)
                if not newest:
                    newest = await self.ctx.inbox.more(limit=BATCH - len(batch), until=until)
            batch += newest

    def _look_for_orphans(self, settings: Settings) -> None:
        """Tell which positions only their stops will ever sell: their strategy is gone, off, has a new name, or trades
        another symbol now."""
        speaking = {(strategy.name, strategy.symbol) for strategy in settings.strategies if strategy.enabled}
        orphans: dict[str, tuple[str, ...]] = {}
        for name, held in self.machine.held_for().items():
            unspoken = tuple(symbol for symbol in held if (name, symbol) not in speaking)
            if unspoken and name not in NO_STRATEGY:
                orphans[name] = unspoken
        for name, symbols in orphans.items():
            if self.orphans.get(name) != symbols and self.ui is not None:
                text = (
                    f"no strategy {name} trades {', '.join(symbols)}, and it holds that: only a stop, if any, sells it."
                    f" Close it, run a strategy of that name there again, or give it away: genesis adopt {name} HEIR"
                )
                at_ms = self.ctx.clock.wall_ms()
                self.ui.put_nowait(Notice(level="alarm", code="position_without_strategy", text=text, at_ms=at_ms))
        self.orphans = orphans

    def _name(self, settings: Settings, versions: tuple[int, int]) -> None:
        """Tell the journal by what is decided from now on."""
        if versions != self.named:
            self.named = versions
            self.heard.use(settings, self.machine.pairs)

    def _know_settings(self) -> Settings:
        """Decide by settings and pairs as they are now."""
        settings = self.actor.settings.take(self.ctx.name)
        self.machine.settings = settings.orders
        self.machine.signal_max_age_s = settings.risk.signal_max_age_s
        if self.actor.pairs is not None:
            self.machine.pairs = self.actor.pairs.value
        return settings

    def _best_price(self, symbol: Symbol, side: Side) -> Decimal | None:
        """The front of the book on our side; for pricing what rests, and for what would meet our own orders."""
        ticker = None if self.actor.market is None else self.actor.market.value.tickers.get(symbol)
        price = 0.0 if ticker is None else (ticker.bid if side is Side.BUY else ticker.ask)
        return exact(price) if price > 0 else None

    def _priced(self, message: Any) -> Any:
        """With what fees in third currencies are worth now: it stays with the trade, and a replay hears it so."""
        market = self.actor.market
        if market is None:
            return message
        counted_in = self.actor.settings.value.quote_currency
        return with_fee_prices(message, lambda symbol, at_ms: price_in(market.value, symbol, at_ms), counted_in)

    def _levels(self, symbol: Symbol, side: Side) -> Sequence[tuple[float, float, int]]:
        """What is known of a side of the book, to see how far an order at market may come."""
        levels = None if self.actor.depth is None else self.actor.depth(symbol, LEVELS)
        if levels is None:
            return ()
        return levels.bids if side is Side.BUY else levels.asks

    def _halted(self) -> str | None:
        wanted = self.halt_wanted.value
        if wanted is not None:
            # Risk has not taken it yet, and may never.
            return wanted.reason
        status = self.risk_status.value
        return status.reason if status is not None and status.state is _HALTED else None

    def _hear(self, message: object, now: float, wall_ms: int) -> tuple[OrderView, ...]:
        match message:
            case Approved():
                self.machine.admit(message, now=now, wall_ms=wall_ms)
            case ApprovedChange():
                self.machine.on_change(message, now=now, wall_ms=wall_ms)
            case EntryUnwanted():
                self.machine.on_unwanted(message, now=now, wall_ms=wall_ms)
            case CancelIntent():
                return self.machine.on_cancel(message, now=now, wall_ms=wall_ms)
            case UpdateIntent():
                return self.machine.on_update(message, now=now, wall_ms=wall_ms)
            case Flatten():
                self.machine.on_flatten(message, now=now, wall_ms=wall_ms)
            case Protect():
                self.machine.on_protect(message, now=now, wall_ms=wall_ms)
            case Adopt():
                # Whose strategy is gone is looked at anew.
                self.settings_seen = -1
                return self.machine.on_adopt(message, now=now, wall_ms=wall_ms)
            case _ if isinstance(message, AccountEvent):
                self.machine.on_event(message, now=now, wall_ms=wall_ms)
            case _:
                raise TypeError(f"message must be an intent, a wish or an account event, was {type(message).__name__}")
        return ()

    async def _carry_out(self, out: Outputs) -> None:
        while True:
            left: list[_Left] = []
            commit = self._commit_for(out)
            if commit is not None:
                question = None
                if out.commands:
                    # Commands leave in the very step in which the journal says that they are kept: they wait for
                    # nothing else, and we come to when nobody waits any more.
                    question = self.journal.ask_then(commit, partial(self._leave, out, left))
                    if question is not None:
                        await self.ctx.step_aside()
                self.machine.enter()
                self.heard.enter()
                await self._keep(out, commit, question)
            refused, given = self._hand_out(out)
            if out.commands and not left:
                # They leave first; what came of them, and what is for people, can wait for that.
                left.append((given, self.ctx.clock.now_ns()))
                await self.ctx.step_aside()
            for each in left:
                self._time(*each)
            for number, report in enumerate(out.reports):
                await self.account.hand(report)
                self._note(report)
                if number % SLICE == SLICE - 1:
                    self.ctx.progress()
                    await trio.lowlevel.checkpoint()
            self.machine.told()
            self.heard.told()
            self._tell_people(out)
            if not refused:
                return
            now, wall_ms = self.ctx.clock.now(), self.ctx.clock.wall_ms()
            self.heard.start()
            for event in refused:
                self.machine.on_event(event, now=now, wall_ms=wall_ms)
            out = self.machine.take()
            self.heard.end(out, now=now, wall_ms=wall_ms, inputs=refused, timer=False)

    def _commit_for(self, out: Outputs) -> Commit | None:
        """What keeps it and all that was heard until now; None where nothing must be kept."""
        ahead = self.ahead
        if ahead is not None and ahead.out is out and ahead.cells is out.cells and self.heard.take_ahead(ahead.heard):
            self.ahead = None
            return ahead.commit
        if not out.must_be_kept:
            return None
        self.ahead = None
        return self._commit_of(out, self.heard.record(self.machine.fence.venue_ms))

    async def _keep(self, out: Outputs, commit: Commit, question: Answer | None = None) -> None:
        """Have it kept, if the journal is not asked to already. What comes of an order that it knew is forgotten."""
        if question is None:
            question = self.journal.lodge_if_room(commit) or await self.journal.lodge(commit)
        answer: Committed = await self.journal.answer_to(question)
        for place, intent_id in out.intents:
            if not answer.new[place]:
                self.heard.start()
                disowned = self.machine.disown(intent_id)
                forgotten = self.machine.take()
                now, wall_ms = self.ctx.clock.now(), self.ctx.clock.wall_ms()
                self.heard.end(forgotten, now=now, wall_ms=wall_ms, timer=False, disowned=intent_id)
                out.commands = [outgoing for outgoing in out.commands if outgoing.command.cid not in disowned]
                self.ahead = None
                await self._keep(forgotten, self._commit_of(forgotten, self.heard.record(self.machine.fence.venue_ms)))
                out.commands += forgotten.commands
                out.questions += forgotten.questions
                out.said += forgotten.said
                out.changes += forgotten.changes
                out.alarms += forgotten.alarms
                out.warnings += forgotten.warnings
                if out.reconnect is None:
                    out.reconnect, out.reconnect_session = forgotten.reconnect, forgotten.reconnect_session

    def _leave(self, out: Outputs, left: list[_Left], answer: Committed) -> None:
        """It is kept, and new: so its commands leave, as `_hand_out` says it. Else, or where there is no room, that
        comes when we come to, and tells what was refused."""
        for place, _ in out.intents:
            if not answer.new[place]:
                return
        given: list[VenueCommand] = []
        try:
            for outgoing in out.commands:
                if self.venue.put_once(outgoing.key, outgoing.command):
                    given.append(outgoing.command)
        except (ChannelFull, ChannelClosed):
            return
        left.append((given, self.ctx.clock.now_ns()))

    def _commit_of(self, out: Outputs, heard: Sequence[AnyRecord]) -> Commit:
        # Behind the others: `intents` are places among those.
        return Commit(
            writer=self.ctx.name,
            records=(*out.records, *heard),
            cells=tuple(out.cells.values()),
            commit_id=f"{self.ctx.name}:{self.actor.epoch}:{out.number}",
        )

    async def _keep_steps(self) -> None:
        """Steps of which nothing came would else be kept in memory without end, while nothing happens."""
        records = self.heard.record(self.machine.fence.venue_ms)
        self.quiet += 1
        name = f"{self.ctx.name}:{self.actor.epoch}:{self.ctx.generation}:heard:{self.quiet}"
        await self.journal.ask(Commit(writer=self.ctx.name, records=records, commit_id=name))

    def _time(self, given: Sequence[VenueCommand], given_ns: int) -> None:
        """Note how long decisions had been under way when their commands were handed out."""
        stages = self.actor.stages
        if stages is not None:
            for command in given:
                for each in commands_of(command):
                    if isinstance(each, SubmitOrder):
                        stages.note("order", each.received_ns, given_ns)

    def _hand_out(self, out: Outputs) -> tuple[list[CommandNotSent | HistoryFailed], list[VenueCommand]]:
        """Give commands and questions to the lines to the venue, and tell what they refused and what they were given
        for the first time. At a stop those end first: then nothing leaves."""
        refused: list[CommandNotSent | HistoryFailed] = []
        given: list[VenueCommand] = []
        for outgoing in out.commands:
            try:
                if self.venue.put_once(outgoing.key, outgoing.command):
                    given.append(outgoing.command)
            except (ChannelFull, ChannelClosed) as error:
                refused += [
                    CommandNotSent(cid=each.cid, kind=type(each).__name__, session=each.session, reason=str(error))
                    for each in commands_of(outgoing.command)
                ]
        for question in out.questions:
            try:
                self.history.put_once(("history", question.request_id), question)
            except (ChannelFull, ChannelClosed) as error:
                refused.append(
                    HistoryFailed(request_id=question.request_id, session=question.session, reason=str(error))
                )
        for change in out.changes:
            # Where risk has no room the order rests at its price until its time is over again.
            with contextlib.suppress(ChannelFull, ChannelClosed):
                self.risk.put_nowait(change)
        if out.reconnect is not None and self.reconnects is not None:
            self.reconnects.put_nowait(Reconnect(reason=out.reconnect, session=out.reconnect_session))
        return refused, given

    # --- what is shown ----------------------------------------------------------------------------------------------

    def _note(self, report: OrderReport) -> None:
        if isinstance(report, Adopted):
            if report.serial not in self.adoptions_told:
                self.adoptions_told.add(report.serial)
                self._tell_adoption(report)
            return
        if isinstance(report, OrderUpdate):
            self._show(report.order)
        elif (name := (report.trade_id, report.venue_order_id)) not in self.shown:
            # At a start the journal's fills are shown already when they are said again.
            self.shown.add(name)
            self.fills.append(report)
            self.fills_shown = tuple(self.fills)
        self.for_screens.append(report)

    def _tell_adoption(self, adopted: Adopted) -> None:
        if self.ui is not None:
            text = (
                f"{plain(adopted.quantity)} of {adopted.symbol}, with the stop around it, went from {adopted.owner} to"
                f" {adopted.heir}: {adopted.reason}"
            )
            at_ms = self.ctx.clock.wall_ms()
            self.ui.put_nowait(Notice(level="info", code="position_adopted", text=text, at_ms=at_ms))

    def _tell_screens(self) -> None:
        reports, self.for_screens = self.for_screens, []
        if self.ui is not None:
            for report in reports:
                self.ui.put_nowait(report)

    def _show(self, order: OrderView) -> None:
        if order.foreign:
            return
        self.ended_shown = None
        if order.state in TERMINAL_STATES:
            self.open.pop(order.intent_id, None)
            self.ended.append(order)
        else:
            self.open[order.intent_id] = order

    def _tell_people(self, out: Outputs) -> None:
        self.alarms_total += len(out.alarms)
        for level, told in (("alarm", out.alarms), ("warning", out.warnings)):
            for code, text in told:
                if self.ui is not None:
                    self.ui.put_nowait(Notice(level=level, code=code, text=text, at_ms=self.ctx.clock.wall_ms()))

    def _publish(self) -> None:
        machine = self.machine
        if self.ended_shown is None:
            newest = {order.intent_id: order for order in self.ended if order.intent_id not in self.open}
            self.ended_shown = tuple(newest.values())
        self.actor.view.set(
            OrdersView(
                session=machine.fence.session,
                ready=machine.fence.ready,
                compared=machine.compared_over_rest,
                under_way=machine.under_way_over_rest,
                open=tuple(self.open.values()),
                ended=self.ended_shown,
                foreign=tuple(machine.foreign.values()),
                fills=self.fills_shown,
                orders_total=machine.last_cid,
                fills_total=len(machine.fills.rows) - len(machine.fills.untold),
                unknown=sum(order.state is OrderState.UNKNOWN for order in self.open.values()),
                doubts_total=machine.doubts_total,
                dead_total=machine.dead_total,
                ghosts_total=machine.ghosts_total,
                stale_frames_total=machine.stale_frames_total,
                too_old_total=machine.too_old_total,
                alarms_total=self.alarms_total,
                protection=machine.protection(),
                mismatched=tuple(machine.mismatched.values()),
                flattens=machine.flattenings(),
            )
        )


def _reply(answers: list[tuple[Envelope, tuple[OrderView, ...]]]) -> None:
    for envelope, orders in answers:
        if isinstance(envelope.message, OrderWish):
            envelope.reply(orders)
