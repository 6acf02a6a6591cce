"""One strategy that runs: its state after the last candle it saw, what it says next, and how that is kept."""

import math
import operator
from collections.abc import Callable, Sequence
from functools import partial

import attrs
import msgspec

from genesis.domain.candles import correlation_id
from genesis.domain.said import Said
from genesis.domain.strategy import RECOMMENDATIONS, NumericStep, Opinion, StrategyFault, StrategyKind
from genesis.domain.warm_up import SNAPSHOT_CANDLES, history_of, needs_of
from protocols.market import Candle, CandleClosed, Tick
from protocols.orders import Fill
from protocols.settings import StrategySettings
from protocols.signals import Recommendation, SignalScore
from protocols.units import TIMEFRAME_MS, Symbol

NOTHING_SEEN = -1
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
_stamp = msgspec.structs.force_setattr
_ENCODER = msgspec.json.Encoder(order="sorted")
_DECODER = msgspec.json.Decoder(StrategyCheckpoint)


class StepAhead(msgspec.Struct, eq=False):
    """The step of a candle that has not closed: from the state `before` it leads to the one `behind`, and says `said`
    (`received_ns` is 0; nobody has seen it yet), which `recommends` that code, or nothing."""

    candle: Candle
    before: list[float]
    behind: list[float]
    recommends: str
    said: Said

    def is_of(self, closed: CandleClosed, state: list[float]) -> bool:
        """Whether it is the step of this candle, from this state."""
        score = self.said.score
        return (
            not closed.catch_up
            and closed.closed_ms == score.decided_ms
            and closed.correlation_id == score.correlation_id
            and closed.candle == self.candle
            and state == self.before
        )


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
    numeric: NumericStep | None = None
    """The kind's, with all that it calls written into it, where an order may wait for it."""
    ahead: StepAhead | None = None
    """What `foresee` has looked at last; `speak` takes it if that comes."""
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
        numeric = self.numeric or kind.numeric
        if numeric is None or kind.foreign or self.waiting:
            opinion = self.say(candle)
            return None if opinion is None else Said(score_of(self, closed, opinion))
        if self.unread is not None:
            self.have_read()
        if self.fault:
            return None
        state = self.state
        ahead, self.ahead = self.ahead, None
        if ahead is not None and ahead.is_of(closed, state):
            return self.go_on(ahead, closed.received_ns)
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

    def go_on(self, ahead: StepAhead, received_ns: int) -> Said:
        """Take a step that was made before its candle closed, and that is of this candle and state."""
        self.ahead = None
        self.state = ahead.behind
        self.last_open_ms = ahead.candle.open_ms
        self.seen += 1
        self.said = ahead.recommends
        said = self.unread = ahead.said
        # Frozen as it is: nobody has seen it, and made anew it would be one more thing between a tick and its order.
        _stamp(said.score, "received_ns", received_ns)
        return said

    def foresee(self, candle: Candle) -> SignalScore | None:
        """What `speak` will say if this candle closes as it stands; None where that is not known."""
        kind, numeric = self.kind, self.numeric
        self.ahead = None
        if numeric is None or self.waiting or self.fault:
            return None
        before = list(self.state)
        state = before.copy()
        try:
            code, confidence, probability = numeric(
                state, candle.open, candle.high, candle.low, candle.close, candle.volume
            )
        except StrategyFault:
            return None
        atr = math.nan if kind.atr is None else kind.atr(state)
        score = score_at(
            self,
            open_ms=candle.open_ms,
            closed_ms=candle.open_ms + TIMEFRAME_MS[candle.timeframe],
            price=candle.close,
            recommendation=RECOMMENDATIONS[code],
            confidence=confidence,
            probability=probability,
            features={"atr": atr} if atr == atr else {},
            correlation_id=correlation_id(candle),
        )
        # One of its own: the other is told to who prepares for it.
        said = Said(msgspec.structs.replace(score), partial(kind.opinion, state, code, confidence, probability))
        recommends = "" if score.recommendation is _HOLD else str(score.recommendation)
        self.ahead = StepAhead(candle, before, state, recommends, said)
        return score

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


def fill_name(fill: Fill) -> str:
    """One trade of ours: when we met ourselves at the venue, both sides have the trade's number."""
    return f"{fill.trade_id}:{fill.venue_order_id}"


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


def kept(running: Running) -> bytes:
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
