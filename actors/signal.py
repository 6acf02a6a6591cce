"""The signal actor: every strategy says what it thinks of every closed candle.

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
from genesis.core.mailbox import Outlet
from genesis.domain.candles import series_key
from genesis.domain.decision_log import signal_record
from genesis.domain.heard import settings_record, signal_heard_record
from genesis.domain.signal_machine import SIGNAL_TABLE, SignalMachine
from genesis.edge.stage_times import StageTimes
from protocols.health import Notice
from protocols.journal import Cells, Commit, JournalRequest, ReadCells
from protocols.market import Candle, CandleClosed, MarketView
from protocols.settings import Settings
from protocols.signals import Recommendation, SignalScore, StrategyView

BATCH = 64
RECENT = 200


@attrs.define(kw_only=True)
class SignalActor:
    """`market` is where a strategy that is switched on later finds the candles to warm up with.

    `kinds` rises when the user's strategy files changed; `views` shows what runs, and what is off and why. Steps of the
    user's own code run beside the loop: they may be slow, and nobody else waits for them.
    """

    settings: Latest[Settings]
    journal: Channel[JournalRequest]
    scores: Channel[SignalScore]
    market: Latest[MarketView]
    recent: Latest[tuple[SignalScore, ...]]
    kinds: Latest[int] = attrs.field(factory=lambda: Latest(0))
    views: Latest[tuple[StrategyView, ...]] = attrs.field(factory=lambda: Latest(()))
    ui: Channel[Any] | None = None
    stages: StageTimes | None = None

    async def run(self, ctx: Context) -> None:
        scores = ctx.outlet(self.scores)
        journal = ctx.outlet(self.journal)
        ui = ctx.outlet(self.ui) if self.ui is not None else None
        versions = self.settings.version, self.kinds.version
        machine = SignalMachine(self.settings.take(ctx.name))
        kept: Cells = await journal.ask(ReadCells(table=SIGNAL_TABLE))
        for name in machine.restore(kept.cells):
            if ui is not None:
                text = f"strategy {name} starts anew: its kept state belongs to other settings"
                ui.put_nowait(Notice(level="info", code="strategy_restarted", text=text, at_ms=ctx.clock.wall_ms()))
        recent = deque(self.recent.value, maxlen=RECENT)
        # For a replay: the strategies as they are before their next candle, and the settings that made them so.
        states: dict[str, bytes] | None = machine.states()
        settings, commits = self.settings.value, 0
        self._show(ctx, machine, ui)
        ctx.ready()
        while True:
            batch = await ctx.inbox.lease(limit=BATCH)
            if (self.settings.version, self.kinds.version) != versions:
                versions = self.settings.version, self.kinds.version
                if machine.leaves_the_process():
                    # Warming up is thousands of steps.
                    await trio.to_thread.run_sync(machine.on_settings, self.settings.take(ctx.name), self._history)
                else:
                    machine.on_settings(self.settings.take(ctx.name), self._history)
                states, settings = machine.states(), self.settings.value
                self._show(ctx, machine, ui)
            heard: list[CandleClosed] = []
            said: list[SignalScore] = []
            for envelope in batch:
                closed: CandleClosed = envelope.message
                candle = closed.candle
                if machine.leaves_the_process(candle.symbol, candle.timeframe):
                    scores_of_it = await trio.to_thread.run_sync(machine.on_candle, closed)
                else:
                    scores_of_it = machine.on_candle(closed)
                if scores_of_it:
                    heard.append(closed)
                for score in scores_of_it:
                    await scores.put(score)
                    if self.stages is not None and not score.catch_up:
                        self.stages.note("signal", score.received_ns, ctx.clock.now_ns())
                    said.append(score)
            records = [signal_record(score) for score in said]
            cells = machine.checkpoint()
            if records or cells:
                at_ms = heard[-1].closed_ms if heard else 0
                named = None if states is None else settings_record(settings, at_ms)
                told = signal_heard_record(
                    heard, settings=None if named is None else named.key, states=states, at_ms=at_ms
                )
                commits += 1
                commit = Commit(
                    writer=ctx.name,
                    records=(*([] if named is None else [named]), told, *records),
                    cells=cells,
                    commit_id=f"{ctx.name}:{ctx.generation}:{commits}",
                )
                await journal.ask(commit)
                states = None
                # What is left is for people: an order that came of it goes first.
                await ctx.step_aside()
                recent.extend(score for score in said if score.recommendation is not Recommendation.HOLD)
                if ui is not None:
                    for score in said:
                        ui.put_nowait(score)
                self.recent.set(tuple(recent))
                self._show(ctx, machine, ui)
            ctx.inbox.ack_all(batch)

    def _show(self, ctx: Context, machine: SignalMachine, ui: Outlet[Any] | None) -> None:
        self.views.set(machine.views())
        for name, fault in machine.new_faults().items():
            if ui is not None:
                text = f"strategy {name} is off until its file or its settings change: {fault}"
                ui.put_nowait(Notice(level="alarm", code="strategy_off", text=text, at_ms=ctx.clock.wall_ms()))

    def _history(self, symbol: str, timeframe: str) -> Sequence[Candle]:
        series = self.market.value.series.get(series_key(symbol, timeframe))
        return series.candles if series is not None else ()
