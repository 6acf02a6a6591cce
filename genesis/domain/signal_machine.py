"""The signal machine: closed candles in, one score per strategy out, and a state that can be written down.

Strategies that want it also hear of trades between two candles (ticks) and of the fills of their own books. A fill
waits for the next tick or candle of its pair that is later than it: so whatever a strategy decides is decided at a
moment of the market, the same live and in a backtest.

A strategy that needs more candles to begin with than a subscription tells waits for its history: it hears nothing
before that, and goes on with the candle after it. Its newest `SNAPSHOT_CANDLES` are spoken of, as those of a
subscription are, since risk learns from them what the market usually does.
"""

import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

import attrs
import msgspec

from genesis.domain.candles import correlation_id
from genesis.domain.said import Said
from genesis.domain.strategies import STRATEGY_KINDS
from genesis.domain.strategies.ensemble import kind_for, kinds_of
from genesis.domain.strategy import RECOMMENDATIONS, Opinion, StrategyFault, StrategyKind
from genesis.domain.warm_up import SNAPSHOT_CANDLES, history_of, needs_of
from protocols.journal import CellWrite, LateCell
from protocols.market import Candle, CandleClosed, CandleHistory, HistoryWish, Tick
from protocols.orders import Fill
from protocols.settings import Settings, StrategySettings
from protocols.signals import Recommendation, SignalScore, StrategyView
from protocols.units import TIMEFRAME_MS, Symbol

SIGNAL_TABLE = "signal_state"
NOTHING_SEEN = -1

History = Callable[[str, str], Sequence[Candle]]
"""(symbol, time frame) -> closed candles, oldest first: what a strategy that was just switched on warms up with."""


NO_TRADE = -1
FILLS_REMEMBERED = 64
"""Fills told last, by which one that is told again is known."""


class StrategyCheckpoint(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One strategy's state as it is kept. Floats are written with all their digits; NaN as null.

    `trade_id` is the last trade that left a trace, `said` what was said last since the candle (a recommendation's
    code), `fills` those told last, `fills_until_ms` the time of the newest of them: older ones are history. `waits`
    says that it has not been told what came before its first candle.
    """

    kind: str
    kind_version: int
    symbol: str
    timeframe: str
    parameters: dict[str, float]
    last_open_ms: int
    state: tuple[float | None, ...]
    trade_id: int = NO_TRADE
    said: str = ""
    fills: tuple[str, ...] = ()
    fills_until_ms: int | None = None
    seen: int = 0
    waits: bool = False


_HOLD = Recommendation.HOLD
_ENCODER = msgspec.json.Encoder(order="sorted")
_DECODER = msgspec.json.Decoder(StrategyCheckpoint)


@attrs.define(kw_only=True)
class Running:
    """One strategy that runs: its settings, its checked parameters, and its state after the last candle it saw."""

    settings: StrategySettings
    kind: StrategyKind
    parameters: dict[str, float]
    state: list[float]
    made_of: tuple[StrategyKind | None, ...] = ()
    """The kinds on the shelf that it was made of."""
    last_open_ms: int = NOTHING_SEEN
    changed: bool = True
    fault: str = ""
    scores: int = 0
    trade_id: int = NO_TRADE
    said: str = ""
    seen: int = 0
    """Closed candles since it began."""
    fills: list[str] = attrs.field(factory=list)
    fills_until_ms: int | None = None
    waiting: list[Fill] = attrs.field(factory=list)
    unread: Said | None = None
    """What it said last, while its words may be found of the present state."""
    _needs: int | None = None
    _waits: bool | None = None

    def say(self, candle: Candle) -> Opinion | None:
        """One step; None once the strategy has failed, from then on until it is started anew."""
        if self.unread is not None:
            self.have_read()
        before = self._after_fills(candle.open_ms + TIMEFRAME_MS[candle.timeframe]) if self.waiting else None
        if self.fault:
            return None
        try:
            # An order may wait for it: without the calls of `_contained`.
            opinion = self.kind.step(self.state, candle)
        except StrategyFault as fault:
            self.fault = str(fault)
            return None
        self.last_open_ms = candle.open_ms
        self.seen += 1
        if before is not None and opinion.recommendation is _HOLD:
            # What it thought of its fills stands, with the newest numbers.
            opinion = attrs.evolve(before, features=opinion.features | before.features)
        # Asked for its value, a member of an enumeration takes three calls.
        self.said = "" if opinion.recommendation is _HOLD else str(opinion.recommendation)
        return opinion

    def speak(self, closed: CandleClosed) -> Said | None:
        """`say`, as a score whose words are found later, where the strategy is written in numbers."""
        candle, kind = closed.candle, self.kind
        numeric = kind.numeric
        if numeric is None or kind.foreign or self.waiting:
            opinion = self.say(candle)
            return None if opinion is None else Said(score_of(self, closed, opinion))
        if self.unread is not None:
            self.have_read()
        if self.fault:
            return None
        state = self.state
        try:
            code, confidence, probability = numeric(
                state, candle.open, candle.high, candle.low, candle.close, candle.volume
            )
        except StrategyFault as fault:
            self.fault = str(fault)
            return None
        self.last_open_ms = candle.open_ms
        self.seen += 1
        recommendation = RECOMMENDATIONS[code]
        self.said = "" if recommendation is _HOLD else str(recommendation)
        atr = math.nan if kind.atr is None else kind.atr(state)
        score = score_at(
            self,
            open_ms=candle.open_ms,
            closed_ms=closed.closed_ms,
            price=candle.close,
            recommendation=recommendation,
            confidence=confidence,
            probability=probability,
            features={"atr": atr} if atr == atr else {},
            catch_up=closed.catch_up,
            correlation_id=closed.correlation_id,
            received_ns=closed.received_ns,
        )
        self.unread = Said(score, partial(kind.opinion, state, code, confidence, probability))
        return self.unread

    def have_read(self) -> None:
        """Find the words of what was said last, before the state goes on."""
        unread, self.unread = self.unread, None
        if unread is not None:
            unread.whole  # noqa: B018 - it is made by being looked at

    def hear(self, tick: Tick) -> tuple[bool, Opinion | None]:
        """Whether a tick left any trace, and what the strategy says to it: None for HOLD, and for what it said already.

        A tick that is older than what was seen, or that changed nothing, is as good as not heard.
        """
        if self.fault or self.waits or tick.trade_id <= self.trade_id or tick.time_ms < self._seen_until_ms:
            return False, None
        self.have_read()
        before, waiting = list(self.state), len(self.waiting)
        opinion = self._after_fills(tick.time_ms)
        on_tick = self.kind.on_tick
        if on_tick is not None:
            opinion = self._contained(lambda: on_tick(self.state, tick)) or opinion
        if self.is_off:
            return True, None
        if opinion is not None and opinion.recommendation.value == self.said:
            opinion = None
        traced = opinion is not None or waiting != len(self.waiting) or before != self.state
        if traced:
            self.trade_id = tick.trade_id
        if opinion is not None:
            self.said = opinion.recommendation.value
        return traced, opinion

    def expect(self, fill: Fill) -> bool:
        """Take in a fill of the strategy's own book, to be told when its time has come; False for one known already."""
        name = fill_name(fill)
        if self.kind.on_fill is None or name in self.fills or name in map(fill_name, self.waiting):
            return False
        self.waiting.append(fill)
        self.waiting.sort(key=lambda each: (each.time_ms, each.trade_id))
        return True

    def is_news(self, candle: Candle) -> bool:
        """Whether it is the strategy's to hear now: one of its market, and not seen before."""
        wanted = self.settings
        if wanted.symbol != candle.symbol or wanted.timeframe != candle.timeframe:
            return False
        return candle.open_ms > self.last_open_ms and not self.waits

    @property
    def is_off(self) -> bool:
        return bool(self.fault)

    @property
    def _seen_until_ms(self) -> int:
        if self.last_open_ms == NOTHING_SEEN:
            return NOTHING_SEEN
        return self.last_open_ms + TIMEFRAME_MS[self.settings.timeframe]

    def _after_fills(self, before_ms: int) -> Opinion | None:
        """Tell the fills of before a moment; the last thing the strategy said to them that was not HOLD."""
        opinion: Opinion | None = None
        while self.waiting and self.waiting[0].time_ms < before_ms and not self.fault:
            fill = self.waiting.pop(0)
            self.fills = [*self.fills, fill_name(fill)][-FILLS_REMEMBERED:]
            self.fills_until_ms = max(self.fills_until_ms or 0, fill.time_ms)
            # The book changed: what it said before may be said again.
            self.said = ""
            on_fill = self.kind.on_fill
            assert on_fill is not None
            opinion = self._contained(lambda: on_fill(self.state, fill)) or opinion  # noqa: B023 - called at once
        return opinion

    def _contained(self, step: Callable[[], Opinion | None]) -> Opinion | None:
        if self.fault:
            return None
        try:
            return step()
        except StrategyFault as fault:
            self.fault = str(fault)
            return None

    @property
    def needs(self) -> int:
        """Closed candles before it can say anything; 0 where that is not known."""
        if self._needs is None:
            self._needs = needs_of(self.kind, self.parameters, self.settings.symbol, self.settings.timeframe)
        return self._needs

    @property
    def history(self) -> int:
        """Closed candles that it begins with."""
        return history_of(self.needs)

    @property
    def waits(self) -> bool:
        """Whether it has yet to be told what came before its first candle; of a fresh one that hangs on what it needs.

        It is part of the kept state and not worked out of it: a journal of before there were histories says that
        nothing was waited for, and must be decided again as it was.
        """
        if self._waits is None:
            self._waits = self.history > SNAPSHOT_CANDLES
        return self._waits

    @waits.setter
    def waits(self, waits: bool) -> None:
        self._waits = waits

    def is_made_of(self, kinds: Sequence[StrategyKind | None]) -> bool:
        """Whether the shelf still has what it was made of; a file that was read again is another kind."""
        return len(kinds) == len(self.made_of) and all(map(operator.is_, kinds, self.made_of))

    def matches(self, checkpoint: StrategyCheckpoint) -> bool:
        return (
            checkpoint.kind == self.kind.name
            and checkpoint.kind_version == self.kind.version
            and checkpoint.symbol == self.settings.symbol
            and checkpoint.timeframe == self.settings.timeframe
            and checkpoint.parameters == self.parameters
            and len(checkpoint.state) == len(self.state)
        )


class SignalMachine:
    """Holds the strategies that settings name. Raises ValueError on settings that no strategy can run with."""

    def __init__(self, settings: Settings, kinds: Mapping[str, StrategyKind] = STRATEGY_KINDS) -> None:
        self._kinds = kinds
        self.running: dict[str, Running] = {}
        """By the strategies' names, in the order in which they speak."""
        self.foreign_markets: frozenset[tuple[str, str]] = frozenset()
        """(symbol, time frame) of those whose author's code runs elsewhere, which may take its time."""
        self._told_faults: dict[str, str] = {}
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
                # It must be kept before its first candle: a crash would leave it cold otherwise.
                fresh.changed = True
            running[wanted.name] = fresh
        self.running = running
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
                if said is not None:
                    running.changed = True
                    running.scores += 1
                    told.append(said)
        return told

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
        return tuple(CellWrite(table=SIGNAL_TABLE, key=name, payload=_kept(self.running[name])) for name in moved)

    def late_checkpoint(self) -> tuple[LateCell, ...]:
        """`checkpoint`, to be written by the journal: nothing may be said to the machine until that has answered."""
        cells: list[LateCell] = []
        for name, running in self.running.items():
            if running.changed:
                running.changed = False
                cells.append(LateCell(table=SIGNAL_TABLE, key=name, write=partial(_kept, running)))
        return tuple(cells)

    def states(self) -> dict[str, bytes]:
        """Every strategy as it would be kept now, by its name."""
        return {name: _kept(running) for name, running in self.running.items()}

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
            checkpoint = _DECODER.decode(cell.payload)
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
        )


def fill_name(fill: Fill) -> str:
    """One trade of ours: when we met ourselves at the venue, both sides have the trade's number."""
    return f"{fill.trade_id}:{fill.venue_order_id}"


def _of_the_past(candle: Candle, received_ns: int) -> CandleClosed:
    return CandleClosed(
        candle=candle,
        closed_ms=candle.open_ms + TIMEFRAME_MS[candle.timeframe],
        catch_up=True,
        correlation_id=correlation_id(candle),
        received_ns=received_ns,
    )


def score_of_tick(running: Running, tick: Tick, opinion: Opinion) -> SignalScore:
    """The message of an opinion about a tick."""
    wanted = running.settings
    return SignalScore(
        signal_id=f"{wanted.name}:{tick.symbol}:{wanted.timeframe}:trade:{tick.trade_id}",
        strategy=wanted.name,
        symbol=tick.symbol,
        timeframe=wanted.timeframe,
        candle_open_ms=running.last_open_ms,
        decided_ms=tick.time_ms,
        price=tick.price,
        recommendation=opinion.recommendation,
        confidence=opinion.confidence,
        probability=opinion.probability,
        source=f"{running.kind.name}/{running.kind.version}",
        features=opinion.features,
        reasons=opinion.reasons,
        catch_up=False,
        correlation_id=f"{tick.symbol}:trade:{tick.trade_id}",
        received_ns=tick.received_ns,
        trade_id=tick.trade_id,
    )


def score_of(running: Running, closed: CandleClosed, opinion: Opinion) -> SignalScore:
    """The message of an opinion: who said it, of which candle."""
    return score_at(
        running,
        open_ms=closed.candle.open_ms,
        closed_ms=closed.closed_ms,
        price=closed.candle.close,
        recommendation=opinion.recommendation,
        confidence=opinion.confidence,
        probability=opinion.probability,
        features=opinion.features,
        reasons=opinion.reasons,
        catch_up=closed.catch_up,
        correlation_id=closed.correlation_id,
        received_ns=closed.received_ns,
    )


def score_at(
    running: Running,
    *,
    open_ms: int,
    closed_ms: int,
    price: float,
    recommendation: Recommendation,
    confidence: float,
    probability: float,
    features: dict[str, float],
    correlation_id: str,
    reasons: tuple[str, ...] = (),
    catch_up: bool = False,
    received_ns: int = 0,
) -> SignalScore:
    """What a strategy says of the candle of its market that opened at `open_ms` and closed at `price`."""
    wanted = running.settings
    symbol, timeframe = Symbol(wanted.symbol), wanted.timeframe
    return SignalScore(
        signal_id=f"{wanted.name}:{symbol}:{timeframe}:{open_ms}",
        strategy=wanted.name,
        symbol=symbol,
        timeframe=timeframe,
        candle_open_ms=open_ms,
        # The candle's end, not the moment we heard of it: a decision must not depend on our latency.
        decided_ms=closed_ms,
        price=price,
        recommendation=recommendation,
        confidence=confidence,
        probability=probability,
        source=f"{running.kind.name}/{running.kind.version}",
        features=features,
        reasons=reasons,
        catch_up=catch_up,
        correlation_id=correlation_id,
        received_ns=received_ns,
    )


def _kept(running: Running) -> bytes:
    kept = StrategyCheckpoint(
        kind=running.kind.name,
        kind_version=running.kind.version,
        symbol=running.settings.symbol,
        timeframe=running.settings.timeframe,
        parameters=running.parameters,
        last_open_ms=running.last_open_ms,
        state=tuple(None if math.isnan(number) else number for number in running.state),
        trade_id=running.trade_id,
        said=running.said if running.kind.hears_trades else "",
        fills=tuple(running.fills),
        fills_until_ms=running.fills_until_ms,
        seen=running.seen,
        waits=running.waits,
    )
    return _ENCODER.encode(kept)


def read_checkpoint(payload: bytes) -> StrategyCheckpoint:
    """A kept state. Raises ValueError on bytes that are none."""
    return _DECODER.decode(payload)


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
