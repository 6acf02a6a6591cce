"""The signal machine: closed candles in, one score per strategy out, and a state that can be written down.

Strategies that want it also hear of trades between two candles (ticks) and of the fills of their own books. A fill
waits for the next tick or candle of its pair that is later than it: so whatever a strategy decides is decided at a
moment of the market, the same live and in a backtest.

A strategy that needs more candles to begin with than a subscription tells waits for its history: it hears nothing
before that, and goes on with the candle after it. Its newest `SNAPSHOT_CANDLES` are spoken of, as those of a
subscription are, since risk learns from them what the market usually does.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from genesis.domain.candles import correlation_id
from genesis.domain.indicators.unfolding import unfolded
from genesis.domain.running_strategy import (
    FILLS_REMEMBERED,
    NOTHING_SEEN,
    Running,
    fill_name,
    kept,
    read_checkpoint,
    score_of,
    score_of_tick,
)
from genesis.domain.said import Said
from genesis.domain.said_ahead import SaidAhead, said_ahead
from genesis.domain.strategies import STRATEGY_KINDS
from genesis.domain.strategies.ensemble import kind_for, kinds_of
from genesis.domain.strategy import NumericStep, StrategyKind
from genesis.domain.warm_up import SNAPSHOT_CANDLES
from protocols.journal import CellWrite, LateCell
from protocols.market import Candle, CandleClosed, CandleHistory, HistoryWish, Tick
from protocols.orders import Fill
from protocols.settings import Settings, StrategySettings
from protocols.signals import ForeseenScores, Recommendation, SignalScore, StrategyView
from protocols.units import TIMEFRAME_MS, Symbol

SIGNAL_TABLE = "signal_state"
_HOLD = Recommendation.HOLD

History = Callable[[str, str], Sequence[Candle]]
"""(symbol, time frame) -> closed candles, oldest first: what a strategy that was just switched on warms up with."""


class SignalMachine:
    """Holds the strategies that settings name. Raises ValueError on settings that no strategy can run with."""

    def __init__(self, settings: Settings, kinds: Mapping[str, StrategyKind] = STRATEGY_KINDS) -> None:
        self._kinds = kinds
        self.running: dict[str, Running] = {}
        """By the strategies' names, in the order in which they speak."""
        self.foreign_markets: frozenset[tuple[str, str]] = frozenset()
        """(symbol, time frame) of those whose author's code runs elsewhere, which may take its time."""
        self.moved: Callable[[], None] = _nobody_waits
        """Called whenever one of those has answered: several that take their time are no hang of who asks them."""
        self._told_faults: dict[str, str] = {}
        self._written: dict[NumericStep, NumericStep] = {}
        self._ahead: dict[tuple[str, str], SaidAhead] = {}
        """(symbol, time frame) -> what is ready to be said there."""
        self.on_settings(settings)

    def on_settings(self, settings: Settings, history: History | None = None) -> None:
        """Start, stop and keep strategies. One whose kind, market or parameters changed starts anew, warmed by history.

        A kind counts as changed when its author's file did. Nothing changes when any of them is refused. One that
        needs more than a subscription tells is not warmed here: it waits for its own history.
        """
        running: dict[str, Running] = {}
        for wanted in settings.strategies:
            if not wanted.enabled:
                continue
            if wanted.name in running:
                raise ValueError(f"strategy names must be unique, was {wanted.name} twice")
            kept = self.running.get(wanted.name)
            if kept is not None and kept.settings == wanted and kept.is_made_of(kinds_of(wanted, self._kinds)):
                running[wanted.name] = kept
                continue
            fresh = self._start(wanted)
            if history is not None:
                for candle in () if fresh.waits else history(wanted.symbol, wanted.timeframe):
                    fresh.say(candle)
                    if fresh.kind.foreign:
                        self.moved()
                # It must be kept before its first candle: a crash would leave it cold otherwise.
                fresh.changed = True
            running[wanted.name] = fresh
        self.running = running
        self._ahead.clear()
        self.foreign_markets = frozenset(
            [(each.settings.symbol, each.settings.timeframe) for each in running.values() if each.kind.foreign]
        )

    def on_candle(self, closed: CandleClosed) -> tuple[SignalScore, ...]:
        """Every strategy of that market says what it thinks. A candle seen before moves nothing and says nothing."""
        candle = closed.candle
        scores: list[SignalScore] = []
        for running in self.running.values():
            if not running.is_news(candle):
                continue
            opinion = running.say(candle)
            if opinion is None:
                continue
            running.changed = True
            running.scores += 1
            scores.append(score_of(running, closed, opinion))
        return tuple(scores)

    def speak(self, closed: CandleClosed) -> list[Said]:
        """`on_candle`, for who acts on it before anybody reads it: `have_read` when the words are kept."""
        told: list[Said] = []
        for running in self.running.values():
            if running.is_news(closed.candle):
                said = running.speak(closed)
                if running.kind.foreign:
                    self.moved()
                if said is not None:
                    running.changed = True
                    running.scores += 1
                    told.append(said)
        return told

    def foresee(self, candle: Candle) -> ForeseenScores | None:
        """What will be said if this candle closes as it stands, as far as it is known, up to the last that asks for
        something; None where nothing does."""
        scores: list[SignalScore] = []
        last = 0
        market = candle.symbol, candle.timeframe
        self._ahead.pop(market, None)
        speaking = [running for running in self.running.values() if running.is_news(candle)]
        for running in speaking:
            score = running.foresee(candle)
            if score is None:
                break
            scores.append(score)
            if score.recommendation is not _HOLD:
                last = len(scores)
        if not last:
            return None
        if len(scores) == len(speaking):
            self._ahead[market] = said_ahead(SIGNAL_TABLE, speaking)
        return ForeseenScores(symbol=candle.symbol, timeframe=candle.timeframe, scores=tuple(scores[:last]))

    def ready_for(self, message: object) -> SaidAhead | None:
        """What was foreseen of a candle, if this is its end: said at once, with all that is to be kept; `have_read`
        when it is.

        None for whatever must be thought about: then nothing has changed. Cells of strategies that have moved since
        the last checkpoint, before this candle, are not in it.
        """
        if type(message) is not CandleClosed:
            return None
        candle = message.candle
        ahead = self._ahead.pop((candle.symbol, candle.timeframe), None)
        return ahead if ahead is not None and ahead.take(message) else None

    def have_orders_wait(self) -> None:
        """From now on orders wait for what is said here: be quick. Takes 10 to 50 milliseconds for each kind, the first
        time in a process; a kind that comes later goes on as it was read."""
        for running in self.running.values():
            kind = running.kind
            if kind.numeric is not None and not kind.foreign:
                running.numeric = self._written[kind.numeric] = unfolded(kind.numeric)

    def have_read(self) -> None:
        """All words are found that anybody may ask for."""
        for running in self.running.values():
            running.have_read()

    def on_history(self, history: CandleHistory) -> tuple[SignalScore, ...]:
        """Every strategy of that market which waits is told as much of it as it begins with, and speaks of the newest.

        One for which it is too little waits on, unless the venue has no more.
        """
        scores: list[SignalScore] = []
        for running in self.running.values():
            wanted = running.settings
            if not running.waits or (wanted.symbol, wanted.timeframe) != (history.symbol, history.timeframe):
                continue
            if len(history.candles) < running.history and not history.is_all:
                continue
            running.waits, running.changed = False, True
            candles = history.candles[-running.history :]
            for place, candle in enumerate(candles, start=SNAPSHOT_CANDLES - len(candles)):
                opinion = running.say(candle)
                if running.kind.foreign:
                    self.moved()
                if opinion is not None and place >= 0:
                    running.scores += 1
                    scores.append(score_of(running, _of_the_past(candle, history.received_ns), opinion))
        return tuple(scores)

    def wishes(self) -> tuple[HistoryWish, ...]:
        """The histories that strategies wait for, one for each market."""
        wanted: dict[tuple[str, str], int] = {}
        for running in self.running.values():
            if running.waits and not running.fault:
                market = (running.settings.symbol, running.settings.timeframe)
                wanted[market] = max(wanted.get(market, 0), running.history)
        return tuple(
            HistoryWish(symbol=Symbol(symbol), timeframe=timeframe, candles=count)
            for (symbol, timeframe), count in wanted.items()
        )

    def on_fill(self, fill: Fill) -> bool:
        """A fill of some book: true when its strategy will be told of it."""
        running = self.running.get(fill.strategy)
        return running is not None and not fill.foreign and running.expect(fill)

    def on_tick(self, tick: Tick) -> tuple[bool, tuple[SignalScore, ...]]:
        """Whether the tick left any trace in a strategy of that pair, and what is said to it."""
        traced = False
        scores: list[SignalScore] = []
        for running in self.running.values():
            if running.settings.symbol != tick.symbol or not running.kind.hears_trades:
                continue
            moved, opinion = running.hear(tick)
            if running.kind.foreign:
                self.moved()
            traced = traced or moved
            running.changed = running.changed or moved
            if opinion is not None:
                running.scores += 1
                scores.append(score_of_tick(running, tick, opinion))
        return traced, tuple(scores)

    def take_up_fills(self, fills: Iterable[Fill]) -> list[Fill]:
        """After a start: those of all kept fills (oldest first) that their strategies have not been told of.

        A strategy that starts anew is told of none: they belong to a life before.
        """
        known = list(fills)
        for running in self.running.values():
            if running.kind.on_fill is not None and running.fills_until_ms is None:
                mine = (fill.time_ms for fill in known if fill.strategy == running.settings.name)
                running.fills_until_ms = max(mine, default=0)
                running.fills = [fill_name(fill) for fill in known if fill.strategy == running.settings.name]
                running.fills = running.fills[-FILLS_REMEMBERED:]
                running.changed = True
        untold = []
        for fill in known:
            running_one = self.running.get(fill.strategy)
            if running_one is not None and fill.time_ms >= (running_one.fills_until_ms or 0) and self.on_fill(fill):
                untold.append(fill)
        return untold

    def waiting_fills(self) -> list[Fill]:
        """Fills that were heard and not told yet."""
        return [fill for running in self.running.values() for fill in running.waiting]

    def tick_symbols(self) -> frozenset[str]:
        """The pairs of which somebody must hear the trades."""
        return frozenset(each.settings.symbol for each in self.running.values() if each.kind.hears_trades)

    @property
    def hears_fills(self) -> bool:
        return any(running.kind.on_fill is not None for running in self.running.values())

    def thinks_at_trades(self, symbol: str) -> bool:
        """Whether the next trade of this pair may make a strategy say or remember something."""
        return any(
            running.settings.symbol == symbol and (running.kind.on_tick is not None or bool(running.waiting))
            for running in self.running.values()
        )

    def leaves_the_process(self) -> bool:
        """Whether new settings may make somebody's own code run elsewhere, which may take its time."""
        return bool(self.foreign_markets) or any(kind.foreign for kind in self._kinds.values())

    def new_faults(self) -> dict[str, str]:
        """Strategy -> why it is off, of those that failed since the last time this was asked."""
        faults = {name: running.fault for name, running in self.running.items() if running.fault}
        new = {name: text for name, text in faults.items() if self._told_faults.get(name) != text}
        self._told_faults = faults
        return new

    def views(self) -> tuple[StrategyView, ...]:
        """Every strategy that runs or should."""
        return tuple(
            StrategyView(
                strategy=name,
                kind=running.kind.name,
                version=running.kind.version,
                symbol=Symbol(running.settings.symbol),
                timeframe=running.settings.timeframe,
                parameters=running.parameters,
                scores=running.scores,
                last_open_ms=max(running.last_open_ms, 0),
                fault=running.fault,
                own=running.kind.foreign or bool(running.kind.fault),
                members=running.settings.members,
                needs=running.needs,
                seen=running.seen,
                waits=running.waits,
            )
            for name, running in self.running.items()
        )

    def checkpoint(self, *, everything: bool = False) -> tuple[CellWrite, ...]:
        """The cells of the strategies that moved since the last checkpoint (or of all of them)."""
        moved = [name for name, running in self.running.items() if running.changed or everything]
        for name in moved:
            self.running[name].changed = False
        return tuple(CellWrite(table=SIGNAL_TABLE, key=name, payload=kept(self.running[name])) for name in moved)

    def late_checkpoint(self) -> tuple[LateCell, ...]:
        """`checkpoint`, to be written by the journal: nothing may be said to the machine until that has answered."""
        cells: list[LateCell] = []
        for name, running in self.running.items():
            if running.changed:
                running.changed = False
                cells.append(LateCell(table=SIGNAL_TABLE, key=name, write=partial(kept, running)))
        return tuple(cells)

    def states(self) -> dict[str, bytes]:
        """Every strategy as it would be kept now, by its name."""
        return {name: kept(running) for name, running in self.running.items()}

    def restore(self, cells: Iterable[CellWrite], *, waiting_anew: bool = False) -> tuple[str, ...]:
        """Take kept states back, and name those that no longer fit their settings (they start anew).

        `waiting_anew`: one that is still counting up to what it needs begins anew, too, and waits for its history
        instead: it has said nothing yet.
        """
        refused: list[str] = []
        for cell in cells:
            running = self.running.get(cell.key)
            if running is None:
                continue
            checkpoint = read_checkpoint(cell.payload)
            if not running.matches(checkpoint):
                refused.append(cell.key)
                continue
            if waiting_anew and running.waits and checkpoint.seen < running.needs:
                continue
            running.waits = checkpoint.waits
            running.state[:] = [math.nan if number is None else number for number in checkpoint.state]
            running.last_open_ms = checkpoint.last_open_ms
            running.trade_id, running.said = checkpoint.trade_id, checkpoint.said
            running.seen = checkpoint.seen
            running.fills, running.fills_until_ms = list(checkpoint.fills), checkpoint.fills_until_ms
            running.changed = False
        return tuple(refused)

    def seen_until(self) -> dict[tuple[str, str], int]:
        """(symbol, time frame) -> newest candle that every strategy there has seen; those that wait see none yet."""
        seen: dict[tuple[str, str], int] = {}
        for running in self.running.values():
            if not running.waits:
                market = (running.settings.symbol, running.settings.timeframe)
                seen[market] = min(seen.get(market, running.last_open_ms), running.last_open_ms)
        return seen

    def goes_on_after(self) -> dict[tuple[str, str], int]:
        """(symbol, time frame) -> the candle after which nothing may be missing for those that have seen any."""
        seen: dict[tuple[str, str], int] = {}
        for running in self.running.values():
            if running.last_open_ms != NOTHING_SEEN:
                market = (running.settings.symbol, running.settings.timeframe)
                seen[market] = min(seen.get(market, running.last_open_ms), running.last_open_ms)
        return seen

    def _start(self, wanted: StrategySettings) -> Running:
        kind = kind_for(wanted, self._kinds)
        parameters = kind.resolve(wanted.parameters)
        return Running(
            settings=wanted,
            kind=kind,
            parameters=parameters,
            state=kind.start(parameters),
            made_of=kinds_of(wanted, self._kinds),
            fault=kind.fault,
            numeric=None if kind.numeric is None else self._written.get(kind.numeric),
        )


def _nobody_waits() -> None:
    """What is called where nobody is watched."""


def _of_the_past(candle: Candle, received_ns: int) -> CandleClosed:
    return CandleClosed(
        candle=candle,
        closed_ms=candle.open_ms + TIMEFRAME_MS[candle.timeframe],
        catch_up=True,
        correlation_id=correlation_id(candle),
        received_ns=received_ns,
    )


def seen_until(settings: Settings, cells: Iterable[CellWrite]) -> dict[tuple[str, str], int]:
    """What a signal machine with these settings and kept cells has seen; the market cache tells what comes after."""
    return _restored(settings, cells).seen_until()


def goes_on_after(settings: Settings, cells: Iterable[CellWrite]) -> dict[tuple[str, str], int]:
    """The candles of such a machine after which none may be missing."""
    return _restored(settings, cells).goes_on_after()


def _restored(settings: Settings, cells: Iterable[CellWrite]) -> SignalMachine:
    machine = SignalMachine(settings)
    machine.restore(cells, waiting_anew=True)
    return machine
