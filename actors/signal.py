"""The signal actor: every strategy says what it thinks of every closed candle, and of ticks and fills if it wants.

It recovers from its strategies' kept states and then says the same numbers as if it had never died. A batch's scores
are told first, then their records and the states become durable in one commit, then the candles are acknowledged: dying
anywhere between repeats scores, which risk recognises by their candle, and never skips one.
"""

from collections import deque
from collections.abc import Sequence
from typing import Any

import attrs
import trio

from genesis.core.actor import Context
from genesis.core.channel import Channel
from genesis.core.latest import Latest
from genesis.core.mailbox import Envelope, Outlet
from genesis.domain.account_cells import read_order_cells
from genesis.domain.candles import series_key
from genesis.domain.heard import SignalInput, settings_record, signal_heard_record
from genesis.domain.order_rows import TABLE as ORDER_TABLE
from genesis.domain.said import Said
from genesis.domain.signal_machine import SIGNAL_TABLE, SignalMachine
from genesis.edge.code_name import code_name
from genesis.edge.stage_times import StageTimes
from protocols.health import Notice
from protocols.journal import AnyRecord, Cells, Commit, JournalRequest, ReadCells
from protocols.market import Candle, CandleClosed, CandleHistory, CandleUpdate, HistoryWish, MarketView, Tick
from protocols.orders import Fill
from protocols.settings import Settings
from protocols.signals import ForeseenScores, Recommendation, SignalScore, StrategyFailed, StrategyView
from protocols.units import TIMEFRAME_MS

BATCH = 64
RECENT = 200


@attrs.define(kw_only=True)
class SignalActor:
    """`market` is where a strategy that is switched on later finds the candles to warm up with.

    Of a candle that is about to close `foreseen` is told what will be said, for who can prepare for that.

    `kinds` rises when the user's strategy files changed; `views` shows what runs, and what is off and why. Steps of the
    user's own code run beside the loop: they may be slow, and nobody else waits for them.
    """

    settings: Latest[Settings]
    journal: Channel[JournalRequest]
    scores: Channel[SignalScore | StrategyFailed]
    foreseen: Channel[ForeseenScores] | None = None
    market: Latest[MarketView]
    recent: Latest[tuple[SignalScore, ...]]
    kinds: Latest[int] = attrs.field(factory=lambda: Latest(0))
    views: Latest[tuple[StrategyView, ...]] = attrs.field(factory=lambda: Latest(()))
    tick_symbols: Latest[frozenset[str]] = attrs.field(factory=lambda: Latest(frozenset()))
    wishes: Latest[tuple[HistoryWish, ...]] = attrs.field(factory=lambda: Latest(()))
    ui: Channel[Any] | None = None
    stages: StageTimes | None = None

    async def run(self, ctx: Context) -> None:
        scores = ctx.outlet(self.scores)
        journal = ctx.outlet(self.journal)
        foreseen = ctx.outlet(self.foreseen) if self.foreseen is not None else None
        ui = ctx.outlet(self.ui) if self.ui is not None else None
        versions = self.settings.version, self.kinds.version
        settings = self.settings.take(ctx.name)
        machine = SignalMachine(settings)
        machine.have_orders_wait()
        machine.moved = ctx.progress
        kept: Cells = await journal.ask(ReadCells(table=SIGNAL_TABLE))
        for name in machine.restore(kept.cells, waiting_anew=True):
            if ui is not None:
                text = f"strategy {name} starts anew: its kept state belongs to other settings"
                ui.put_nowait(Notice(level="info", code="strategy_restarted", text=text, at_ms=ctx.clock.wall_ms()))
        recent = deque(self.recent.value, maxlen=RECENT)
        heard = _Heard(machine)
        if machine.hears_fills:
            orders: Cells = await journal.ask(ReadCells(table=ORDER_TABLE, prefix="fill:"))
            machine.take_up_fills(read_order_cells(orders.cells)[0])
        # For a replay: the strategies as they are before their next candle, and the settings that made them so.
        heard.begin()
        # The number of the next commit is written while nobody waits for it.
        commits = 1
        commit_id = f"{ctx.name}:{ctx.generation}:{commits}"
        await self._show(ctx, machine, scores, ui)
        ctx.ready()
        while True:
            batch = await ctx.inbox.lease(limit=BATCH)
            if (self.settings.version, self.kinds.version) != versions:
                versions = self.settings.version, self.kinds.version
                settings = self.settings.take(ctx.name)
                if machine.leaves_the_process():
                    # Warming up is thousands of steps.
                    await trio.to_thread.run_sync(machine.on_settings, settings, self._history)
                else:
                    machine.on_settings(settings, self._history)
                heard.begin()
                await self._show(ctx, machine, scores, ui)
            # What came alone may be what was foreseen, and is said and kept as it was made ready then.
            ahead = machine.ready_for(batch[0].message) if len(batch) == 1 and heard.nothing else None
            if ahead is not None:
                said, cells = ahead.said, ahead.cells
                for each in said:
                    if not scores.put_if_room(each.score):
                        await scores.put(each.score)
                told_ns = ctx.clock.now_ns()
                records = ahead.records
                del each
            else:
                said = await self._hear(batch, machine, heard, scores, foreseen)
                told_ns = ctx.clock.now_ns()
                # Its texts are made by the journal: the machine rests until that has answered.
                cells = machine.late_checkpoint()
                # A strategy that was just warmed is kept before it has heard anything.
                records = heard.records(settings, said) if said or cells else ()
            if said or cells:
                commit = Commit(writer=ctx.name, records=records, cells=cells, commit_id=commit_id)
                answer = journal.lodge_if_room(commit) or await journal.lodge(commit)
                # An order that may come of it goes first, and its commit takes this one along.
                await ctx.step_aside()
                await journal.answer_to(answer)
                machine.have_read()
                whole = [each.whole for each in said]
                if self.stages is not None:
                    for score in whole:
                        if not score.catch_up:
                            self.stages.note("signal", score.received_ns, told_ns)
                heard.clear()
                wanted = [score for score in whole if score.recommendation is not _HOLD]
                recent.extend(wanted)
                if ui is not None:
                    for score in whole:
                        ui.put_nowait(score)
                if wanted:
                    self.recent.set(tuple(recent))
                await self._show(ctx, machine, scores, ui)
                commits += 1
                commit_id = f"{ctx.name}:{ctx.generation}:{commits}"
                del commit, answer, whole, wanted
            ctx.inbox.ack_all(batch)
            # While it is at hand: what the next batch takes the place of would be freed while an order waits.
            del batch, ahead, said, records, cells

    async def _hear(
        self,
        batch: Sequence[Envelope],
        machine: SignalMachine,
        heard: "_Heard",
        scores: Outlet[SignalScore | StrategyFailed],
        foreseen: Outlet[ForeseenScores] | None,
    ) -> list[Said]:
        """What the strategies say to a batch, told as it is said."""
        said: list[Said] = []
        # What is certain first: a tick waits for the newest, and may have overtaken the candle before it.
        for envelope in batch if len(batch) == 1 else sorted(batch, key=_turn):
            if type(envelope.message) is CandleUpdate:
                hint = machine.foresee(envelope.message.candle)
                if foreseen is not None and hint is not None:
                    foreseen.put_nowait(hint)
                continue
            for each in await self._think(machine, envelope.message, heard):
                # Who judges it comes in the next turn of the loop, and our commit stands in the line by then.
                if not scores.put_if_room(each.score):
                    await scores.put(each.score)
                said.append(each)
        return said

    async def _think(self, machine: SignalMachine, said: SignalInput, heard: "_Heard") -> Sequence[Said]:
        """What the strategies say to one input, noted for the replay if it left a trace."""
        told: Sequence[Said] = ()
        scores: tuple[SignalScore, ...] = ()
        match said:
            # First: an order may wait for what is said to a closed candle.
            case CandleClosed():
                foreign = machine.foreign_markets
                if foreign and (said.candle.symbol, said.candle.timeframe) in foreign:
                    told = await trio.to_thread.run_sync(machine.speak, said)
                else:
                    told = machine.speak(said)
                traced = bool(told)
            case Fill():
                if machine.on_fill(said):
                    heard.note(said)
                return ()
            case Tick():
                if not machine.thinks_at_trades(said.symbol):
                    return ()
                traced, scores = await trio.to_thread.run_sync(machine.on_tick, said)
            case CandleHistory():
                waited = machine.wishes()
                scores = await trio.to_thread.run_sync(machine.on_history, said)
                traced = waited != machine.wishes()
        failed = heard.failed()
        if traced or failed:
            heard.note(said)
        return told if not scores else [Said(score) for score in scores]

    async def _show(
        self, ctx: Context, machine: SignalMachine, scores: Outlet[SignalScore | StrategyFailed], ui: Outlet[Any] | None
    ) -> None:
        self.views.set(machine.views())
        if self.tick_symbols.value != machine.tick_symbols():
            self.tick_symbols.set(machine.tick_symbols())
        if self.wishes.value != machine.wishes():
            self.wishes.set(machine.wishes())
        for name, fault in machine.new_faults().items():
            failed = StrategyFailed(strategy=name, reason=fault, correlation_id=ctx.name)
            if not scores.put_if_room(failed):
                await scores.put(failed)
            if ui is not None:
                text = f"strategy {name} is off until its file or its settings change: {fault}"
                ui.put_nowait(Notice(level="alarm", code="strategy_off", text=text, at_ms=ctx.clock.wall_ms()))

    def _history(self, symbol: str, timeframe: str) -> Sequence[Candle]:
        series = self.market.value.series.get(series_key(symbol, timeframe))
        return series.candles if series is not None else ()


_HOLD = Recommendation.HOLD


def _turn(envelope: Envelope) -> int:
    """Fills before candles before ticks."""
    match envelope.message:
        case Fill():
            return 0
        case CandleClosed() | CandleHistory():
            return 1
        case _:
            return 2


class _Heard:
    """What a replay must be told: the strategies as they were, and everything since that left a trace in them.

    A fill leaves one only when its time has come, so it may wait here for a commit with something else in it. Should
    the actor die first, the next life finds it among the kept fills.
    """

    def __init__(self, machine: SignalMachine) -> None:
        self._machine = machine
        self.nothing = False
        """Whether all that was heard is kept."""
        self._states: dict[str, bytes] | None = None
        self._inputs: list[SignalInput] = []
        self._off: dict[str, int] = {}
        self._known_off: set[str] = set()

    def begin(self) -> None:
        """A life began, or settings changed it. Fills that wait are no part of a strategy's state."""
        self.nothing = False
        self._states = self._machine.states()
        self._inputs = list(self._machine.waiting_fills())
        self._off = {}
        self._known_off = self._failed()

    def failed(self) -> bool:
        """Whether a strategy failed that had not before; it is then noted with the next input."""
        for running in self._machine.running.values():
            if running.fault:
                new = self._failed() - self._known_off
                self._known_off |= new
                self._off |= dict.fromkeys(new, len(self._inputs))
                return bool(new)
        return False

    def note(self, said: SignalInput) -> None:
        self.nothing = False
        self._inputs.append(said)

    def records(self, settings: Settings, said: Sequence[Said]) -> tuple[AnyRecord, ...]:
        """What was heard, and what was said to it; nothing where nothing was heard."""
        if not self._inputs:
            return ()
        at_ms = _time_of(self._inputs[-1])
        scores = [each.record for each in said]
        if self._states is None:
            return (signal_heard_record(self._inputs, at_ms=at_ms, off=self._off), *scores)
        named = settings_record(settings, at_ms)
        told = signal_heard_record(
            self._inputs, settings=named.key, states=self._states, at_ms=at_ms, off=self._off, code=code_name()
        )
        return (named, told, *scores)

    def clear(self) -> None:
        """It is kept."""
        if self._inputs:
            self._states, self._inputs, self._off = None, [], {}
            self.nothing = True

    def _failed(self) -> set[str]:
        return {name for name, running in self._machine.running.items() if running.fault}


def _time_of(said: SignalInput) -> int:
    match said:
        case CandleClosed():
            return said.closed_ms
        case CandleHistory():
            return said.candles[-1].open_ms + TIMEFRAME_MS[said.timeframe] if said.candles else 0
        case _:
            return said.time_ms
