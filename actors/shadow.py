"""The shadow actor: a candidate's strategies on paper beside the live ones, while a rollout wants that.

It hears copies of closed candles and trades on channels that never make their sender wait, thinks about them when
everybody else has had his turn, and says nothing to anybody but the journal and people: no order of it can reach the
venue, because it has no channel to one. What it decided and its whole state become durable in one commit before a
batch is acknowledged, so a crash or a restart goes on from there. Code of a person's own file runs in processes of its
own, apart from those of the live strategies.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, Protocol

import attrs
import trio

from genesis.core.actor import Context
from genesis.core.channel import Channel, Envelope
from genesis.core.errors import ChannelClosed
from genesis.core.latest import Latest
from genesis.core.mailbox import Outlet
from genesis.domain.candles import series_key
from genesis.domain.pairs import PairSpecs
from genesis.domain.shadow_book import TABLES, CannotGoOn, ShadowBook, beginning, emptied
from genesis.domain.strategies import STRATEGY_KINDS
from genesis.domain.strategy import StrategyKind
from protocols.account import AccountView
from protocols.config import ConfigView, Rollout
from protocols.health import Notice
from protocols.journal import Cells, CellWrite, Commit, Committed, JournalRequest, NotKept, ReadCells, Record
from protocols.market import Candle, CandleClosed, CandleHistory, HistoryWish, MarketView
from protocols.settings import Settings
from protocols.shadow import ShadowView, Stretch

BATCH: Final = 256
TURNS: Final = 16
"""Messages between two chances for others."""
LOOK_S: Final = 1.0
"""How often it looks whether it can begin, and shows how it does."""
LAGS_MS: Final = 60_000
"""So far behind the market it is told."""
MOST_UNKEPT: Final = 5_000
"""Records that wait for a disk with room; of more the oldest are lost, and the figures lack them."""


class PaperKinds(Protocol):
    """The strategies that there are, in processes of a shadow's own. Both block."""

    @property
    def shelf(self) -> Mapping[str, StrategyKind]: ...

    def refresh(self) -> object: ...

    def close(self) -> None: ...


@attrs.define(kw_only=True)
class ShadowActor:
    """`config` tells what is under way; `view` is what it shows, None while no shadow runs. `symbols` and `wishes` tell
    the market cache what to copy into `heard`. `kinds` rises when the user's strategy files changed; without
    `open_kinds` there are none."""

    config: Latest[ConfigView]
    settings: Latest[Settings]
    pairs: Latest[PairSpecs]
    account: Latest[AccountView | None]
    market: Latest[MarketView]
    journal: Channel[JournalRequest]
    heard: Sequence[Channel[Any]]
    view: Latest[ShadowView | None]
    symbols: Latest[frozenset[str]]
    wishes: Latest[tuple[HistoryWish, ...]]
    kinds: Latest[int]
    open_kinds: Callable[[], PaperKinds] | None = None
    ui: Channel[Any] | None = None

    async def run(self, ctx: Context) -> None:
        life = _Life(self, ctx)
        ctx.ready()
        try:
            await life.live()
        finally:
            life.close()


class _Life:
    """One generation: its book, and what it has told people."""

    def __init__(self, actor: ShadowActor, ctx: Context) -> None:
        self.actor, self.ctx = actor, ctx
        self.journal = ctx.outlet(actor.journal)
        self.ui: Outlet[Any] | None = None if actor.ui is None else ctx.outlet(actor.ui)
        self.book: ShadowBook | None = None
        self.kinds: PaperKinds | None = None
        self.given_up: int | None = None
        self.versions = (-1, -1)
        self.records: list[Record] = []
        self.cells: dict[tuple[str, str], CellWrite] = {}
        self.dropped_before = self.dropped_told = self._dropped()
        self.lag_ms = 0
        self.lags = self.is_unkept = False

    async def live(self) -> None:
        look_at, shown_at = self.ctx.clock.now(), -math.inf
        while True:
            batch = await self.ctx.inbox.lease(limit=BATCH, until=look_at)
            # An order may wait for what others make of the same candle.
            await self.ctx.step_aside()
            rollout = self.actor.config.value.rollout
            wanted = rollout if rollout is not None and rollout.plan.is_paper else None
            # By the version: one that was read of the journal again has lists where a command had tuples.
            version = None if wanted is None else wanted.version
            if self.book is not None and self.book.rollout.version != version:
                await self._end()
            if wanted is None:
                self._forget()
            elif self.book is None and self.given_up != version:
                await self._begin(wanted)
                # Whoever asked for it sees it at once, however silent the market is.
                shown_at = -math.inf
            if self.book is not None:
                try:
                    await self._turn(self.book, batch)
                except Exception as error:
                    # What a message did is tried three times with it; without one, each life would fall the same way.
                    if batch or isinstance(error, ChannelClosed):
                        raise
                    self._fall(self.book, error)
            now = self.ctx.clock.now()
            if wanted is None:
                # The config actor nudges when there is one.
                look_at = math.inf
            elif now >= look_at or shown_at + LOOK_S <= now:
                self._show_or_fall()
                # Nothing changes until the market has said more; only who waits to begin looks again by himself.
                shown_at, look_at = now, math.inf if self.book is not None else now + LOOK_S
            elif batch:
                look_at = shown_at + LOOK_S
            self.ctx.inbox.ack_all(batch)

    def close(self) -> None:
        """What dies with this life."""
        kinds, self.kinds = self.kinds, None
        if kinds is not None:
            kinds.close()

    # --- beginning and end --------------------------------------------------------------------------------------------

    async def _begin(self, rollout: Rollout) -> None:
        """Go on with what was kept of this shadow, else begin as soon as the account is known."""
        actor = self.actor
        shown = actor.view.value
        if shown is not None and shown.version == rollout.version and self._dead() > shown.dead:
            # With a hole it would be compared as if there were none.
            self._give_up(rollout, "it fell three times over one message (actor_crashed says how)")
            return
        tables: dict[str, Sequence[CellWrite]] = {}
        for table in TABLES:
            kept: Cells = await self.journal.ask(ReadCells(table=table))
            tables[table] = kept.cells
        # Before the files are read: what changes meanwhile is read again.
        before, self.versions = self.versions, (actor.settings.version, actor.kinds.version)
        if self.kinds is None and actor.open_kinds is not None:
            self.kinds = await trio.to_thread.run_sync(actor.open_kinds)
        elif self.kinds is not None and self.versions[1] != before[1]:
            # They were opened for a shadow that never began.
            await trio.to_thread.run_sync(self.kinds.refresh)
        try:
            book, again = await self._taken_up(rollout, tables)
        except Exception as error:
            # What it falls over now it would fall over in its next life, and in every one behind that.
            fallen = "" if isinstance(error, ValueError) else f"it fell: {type(error).__name__}: "
            self._give_up(rollout, f"{fallen}{error}")
            return
        if book is None:
            return
        if again:
            self._tell("warning", "shadow_began_again", f"shadow {rollout.plan.name} counts from now on: {again}")
        self.book = book
        # From here on the market cache copies, and what it told before is read of the chart.
        actor.symbols.set(book.symbols)

    async def _taken_up(
        self, rollout: Rollout, tables: Mapping[str, Sequence[CellWrite]]
    ) -> tuple[ShadowBook | None, str]:
        """The book that goes on with what was kept, or else begins (None: not before the account is known); and why it
        had to begin again, if it had to."""
        actor = self.actor
        book = self._made(rollout, Decimal(0))
        try:
            misfits = await trio.to_thread.run_sync(book.go_on, tables)
        except CannotGoOn as error:
            again = str(error) if error.was_this else ""
        else:
            for name in misfits:
                self._tell(
                    "info", "strategy_restarted", f"shadow of {name} starts anew: its state is of other settings"
                )
            return book, ""
        account = actor.account.value
        if account is None or not account.state.known:
            return None, again
        began = beginning(
            rollout,
            actor.settings.value,
            equity=account.state.equity,
            at_ms=self.ctx.clock.wall_ms(),
            again=again,
        )
        book = self._made(rollout, began.cash)
        # Its file reads hundreds of candles first, and each may take its time.
        await self._aside(book, book.begin, began, self._history)
        for cell in emptied(tables):
            self.cells[cell.table, cell.key] = cell
        return book, again

    def _made(self, rollout: Rollout, cash: Decimal) -> ShadowBook:
        actor = self.actor
        return ShadowBook(
            rollout,
            actor.settings.value,
            pairs=actor.pairs.value,
            cash=cash,
            now_ms=self.ctx.clock.wall_ms(),
            kinds=STRATEGY_KINDS if self.kinds is None else self.kinds.shelf,
        )

    def _give_up(self, rollout: Rollout, why: str) -> None:
        """It cannot run: the rollout actor reads that and takes it back."""
        self.given_up = rollout.version
        self.actor.view.set(
            ShadowView(
                version=rollout.version,
                name=rollout.plan.name,
                since_ms=rollout.started_ms,
                at_ms=rollout.started_ms,
                equity=Decimal(0),
                balance=Decimal(0),
                trouble=why,
            )
        )

    def _fall(self, book: ShadowBook, error: Exception) -> None:
        """It can run no more."""
        rollout = book.rollout
        self._forget()
        self._give_up(rollout, f"it fell: {type(error).__name__}: {error}")

    async def _end(self) -> None:
        """The rollout is over: what is kept of its shadow goes, what it decided stays in the journal."""
        self._forget()
        tables: dict[str, Sequence[CellWrite]] = {}
        for table in TABLES:
            kept: Cells = await self.journal.ask(ReadCells(table=table))
            tables[table] = kept.cells
        await self.journal.ask(Commit(writer=self.ctx.name, cells=tuple(emptied(tables)), optional=True))
        kinds, self.kinds = self.kinds, None
        if kinds is not None:
            await trio.to_thread.run_sync(kinds.close)

    def _forget(self) -> None:
        self.book = self.given_up = None
        self.records, self.cells = [], {}
        actor = self.actor
        if actor.view.value is not None:
            actor.view.set(None)
        if actor.symbols.value:
            actor.symbols.set(frozenset())
        if actor.wishes.value:
            actor.wishes.set(())

    # --- a turn -------------------------------------------------------------------------------------------------------

    async def _turn(self, book: ShadowBook, batch: Sequence[Envelope]) -> None:
        versions = self.actor.settings.version, self.actor.kinds.version
        if versions != self.versions:
            if versions[1] != self.versions[1] and self.kinds is not None:
                await trio.to_thread.run_sync(self.kinds.refresh)
            self.versions = versions
            await self._aside(book, book.on_settings, self.actor.settings.value, self._history)
        grace_ms = book.settings.market.candle_close_grace_ms
        messages = sorted((envelope.message for envelope in batch), key=lambda message: _when(message, grace_ms))
        for number, message in enumerate(messages):
            await self._aside(book, self._hear, book, message)
            if number % TURNS == TURNS - 1:
                self.ctx.progress()
                await trio.lowlevel.checkpoint()
        wishes = book.wishes()
        if wishes != self.actor.wishes.value:
            self.actor.wishes.set(wishes)
        for name, fault in book.signals.new_faults().items():
            self._tell("warning", "shadow_strategy_off", f"strategy {name} of the shadow is off: {fault}")
        await self._keep(book)

    async def _aside(self, book: ShadowBook, work: Callable[..., None], *about: object) -> None:
        """Code of a strategy's author may take its time; what is shipped does not."""
        if book.signals.leaves_the_process():
            await trio.to_thread.run_sync(work, *about)
        else:
            work(*about)

    def _hear(self, book: ShadowBook, message: object) -> None:
        match message:
            case CandleClosed():
                book.on_candle(message, self._history)
                if not message.catch_up:
                    self.lag_ms = max(0, self.actor.market.value.venue_ms - message.closed_ms)
            case Stretch():
                book.on_stretch(message)
                self.lag_ms = max(0, self.actor.market.value.venue_ms - message.time_ms)
            case CandleHistory():
                book.on_history(message)
            case _:
                raise TypeError(f"message must be a candle or what traded, was {type(message).__name__}")

    async def _keep(self, book: ShadowBook) -> None:
        """In one commit, for which trading does not make room: what finds none is kept with the next."""
        records, cells = book.take()
        self.records += records
        self.cells |= {(cell.table, cell.key): cell for cell in cells}
        if not (self.records or self.cells):
            return
        commit = Commit(
            writer=self.ctx.name, records=tuple(self.records), cells=tuple(self.cells.values()), optional=True
        )
        answer: Committed | NotKept = await self.journal.ask(commit)
        if isinstance(answer, NotKept):
            del self.records[:-MOST_UNKEPT]
            if not self.is_unkept:
                self._tell("warning", "shadow_not_kept", f"what the shadow does is not kept for now: {answer.reason}")
            self.is_unkept = True
            return
        self.records, self.cells, self.is_unkept = [], {}, False

    # --- what people see ----------------------------------------------------------------------------------------------

    def _show_or_fall(self) -> None:
        book = self.book
        if book is None:
            return
        try:
            self._show(book)
        except Exception as error:
            # No message is to blame, so that none would be put aside for it.
            self._fall(book, error)

    def _show(self, book: ShadowBook) -> None:
        dropped = self._dropped()
        if dropped > self.dropped_told:
            missed = dropped - self.dropped_told
            self._tell("warning", "shadow_lags", f"the shadow had no room for {missed} candles: it reads them later")
            self.dropped_told = dropped
        lags = self.lag_ms > LAGS_MS
        if lags and not self.lags:
            text = f"the shadow is {self.lag_ms / 1000:.0f} s behind the market; trading is not held up by it"
            self._tell("warning", "shadow_lags", text)
        self.lags = lags
        shown = book.view(lag_ms=self.lag_ms, dropped=dropped - self.dropped_before, dead=self._dead())
        if shown != self.actor.view.value:
            self.actor.view.set(shown)

    def _dropped(self) -> int:
        return sum(channel.dropped for channel in self.actor.heard)

    def _dead(self) -> int:
        return sum(channel.dead for channel in self.actor.heard)

    def _tell(self, level: str, code: str, text: str) -> None:
        if self.ui is not None:
            self.ui.put_nowait(Notice(level=level, code=code, text=text, at_ms=self.ctx.clock.wall_ms()))

    def _history(self, symbol: str, timeframe: str) -> Sequence[Candle]:
        series = self.actor.market.value.series.get(series_key(symbol, timeframe))
        return series.candles if series is not None else ()


def _when(message: object, grace_ms: int) -> int:
    """The order of a batch: what traded before a candle was known to be closed, comes before it."""
    match message:
        case CandleClosed():
            return message.closed_ms + grace_ms
        case Stretch():
            return message.first_ms
    # What strategies must know before their next candle.
    return 0
