"""The full walk of a backtest: every minute of a recording, through the engine's own machines and the venue's matching.

Nothing here decides. Candles close by the live rule, and a paper desk hears them: strategies score, risk judges, the
order machine writes the commands, the venue fills them at the next tick, the account adds up.
"""

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal

from genesis.domain.decision_log import Decision, read_decision
from genesis.domain.market_replay import ReplayedStream, replayed_streams
from genesis.domain.matching import FillModel
from genesis.domain.pairs import PairSpecs
from genesis.domain.paper_desk import PaperDesk, Unread
from genesis.domain.performance import DAY_MS, HOUR_MS
from genesis.domain.recording import CandleRecording
from genesis.domain.replay import BOUNDARY_MS, MINUTE_MS, TICK_MS, CandleRow, Step, minutes, ticks
from genesis.domain.risk_judgement import Judgement
from genesis.domain.ticks import replayed_tick
from protocols.journal import AnyRecord
from protocols.settings import Settings
from protocols.units import Symbol

CURVE_POINTS = 50_000
ORDERS_HELD = 1_000
"""Ended orders, and trades, that the order machine remembers at least and at most twice: it looks back at the newest of
them only, and 28 KB for each trade of years would be gigabytes."""
WORDS_HELD = 20_000
"""Decisions that wait for a reader of their words. Of a run that makes more none is kept: it is walked again then."""


def strategy_markets(settings: Settings, symbols: Iterable[Symbol]) -> list[tuple[Symbol, str]]:
    """(symbol, time frame) of the enabled strategies: by symbol, then in the order of the settings' time frames."""
    wanted = {(strategy.symbol, strategy.timeframe) for strategy in settings.strategies if strategy.enabled}
    known = list(dict.fromkeys([*settings.market.timeframes, *(timeframe for _, timeframe in sorted(wanted))]))
    return [(symbol, timeframe) for symbol in symbols for timeframe in known if (symbol, timeframe) in wanted]


def curve_step(first_ms: int, last_ms: int) -> int:
    """Whole minutes between two points of the curve: few enough to keep, and never past an hour, which is the shorter
    period of returns."""
    minutes = (last_ms - first_ms) // MINUTE_MS // CURVE_POINTS + 1
    return max(MINUTE_MS, min(minutes * MINUTE_MS, HOUR_MS))


class Walk(PaperDesk):
    """One walk: a paper desk that hears a recording. Raises ValueError on settings that nothing can run with."""

    def __init__(
        self,
        recording: CandleRecording,
        settings: Settings,
        model: FillModel | None,
        pairs: PairSpecs,
        balances: Iterable[tuple[str, str, Decimal]],
    ) -> None:
        self.recording = recording
        super().__init__(
            settings,
            model=model,
            pairs=pairs,
            balances=balances,
            now_ms=recording.first_ms,
            curve_step_ms=curve_step(recording.first_ms, recording.last_ms),
            curve_limit=2 * CURVE_POINTS,
        )
        self.candles = 0
        self.words_held: int | None = WORDS_HELD
        """None keeps the words of all decisions, however many."""
        self.has_words = True
        """False once there were too many decisions to keep."""
        self._places = {symbol: place for place, symbol in enumerate(recording.symbols)}
        self._streams: dict[Symbol, list[ReplayedStream]] = {symbol: [] for symbol in recording.symbols}
        for stream in replayed_streams(
            strategy_markets(settings, recording.symbols),
            grace_ms=settings.market.candle_close_grace_ms,
            late_after_ms=int(settings.risk.signal_max_age_s * 1000),
        ):
            self._streams[stream.symbol].append(stream)

    def begin(self) -> None:
        """A login, an empty order book, known wallets, and the candles before the first replayed minute."""
        self.log_in()
        for symbol, streams in self._streams.items():
            for stream in streams:
                self._decide(stream.tell_history(self.recording.history.get(symbol, ()), self.now_ms))
        # As in the engine: when every stream has begun, those are told more that need it.
        by_market = {(stream.symbol, stream.timeframe): stream for each in self._streams.values() for stream in each}
        for wish in self.signals.wishes():
            market = (wish.symbol, wish.timeframe)
            if market in by_market:
                self._say(self.signals.on_history(by_market[market].history(wish.candles)))

    @property
    def market(self) -> dict[str, tuple[float, float]]:
        """Each symbol's first and last price."""
        return {symbol: (rows[0].open, rows[-1].close) for symbol, rows in self.recording.rows.items() if rows}

    def walk(self, on_progress: Callable[[float], None] | None = None) -> None:
        """The steps of `schedule`, but that a minute in which no order can act has one tick: its last."""
        recording, symbols = self.recording, tuple(self.recording.rows)
        minute_ms = None
        for minute_ms, found in minutes(recording.rows, first_ms=recording.first_ms, last_ms=recording.last_ms):
            self._on_boundary(minute_ms)
            self._let_go()
            if on_progress is not None and minute_ms % DAY_MS == 0:
                on_progress((minute_ms - recording.first_ms) / (recording.last_ms - recording.first_ms + MINUTE_MS))
            if self._is_quiet(symbols, found, minute_ms + TICK_MS[-1]):
                self.now_ms = minute_ms + TICK_MS[-1]
                for symbol, row in zip(symbols, found, strict=True):
                    if row is not None:
                        self._on_tick(symbol, row.close, row.volume / 4)
                        self._on_minute(symbol, row)
                continue
            for step in ticks(symbols, minute_ms, found, low_first=self.venue.model.low_first):
                self.now_ms = step.time_ms
                self._on_tick(step.symbol, step.price, step.volume)
                self._think(step)
                if step.part == 3 and step.row is not None:
                    self._on_minute(step.symbol, step.row)
        if minute_ms is not None:
            self._on_boundary(minute_ms + MINUTE_MS)

    def _let_go(self) -> None:
        """Forget what nobody will look back at."""
        if len(self.machine.orders) > 2 * ORDERS_HELD:
            self.machine.let_go(self.now_ms, trades_before_ms=self.now_ms, orders=ORDERS_HELD, fills=ORDERS_HELD)
        if self.words_held is not None and len(self.decisions) > self.words_held:
            self.decisions.clear()
            self.has_words = False

    def _is_quiet(self, symbols: tuple[Symbol, ...], found: tuple[CandleRow | None, ...], until_ms: int) -> bool:
        """No tick of this minute can fill, trigger, move or end an order, and nobody thinks at ticks."""
        if self.machine.follows:
            return False
        for symbol, row in zip(symbols, found, strict=True):
            if row is not None:
                if self.signals.thinks_at_trades(symbol):
                    return False
                low, high = self.venue.band(symbol)
                if not (low < row.low and row.high < high and until_ms < self.venue.wakes_ms(symbol)):
                    return False
        return True

    def _on_boundary(self, minute_ms: int) -> None:
        self._pay_carry(minute_ms)
        self.now_ms = minute_ms + BOUNDARY_MS
        for streams in self._streams.values():
            for stream in streams:
                closed = stream.on_boundary(self.now_ms)
                if closed:
                    self._decide(closed)
        self.account.mark_time(minute_ms)

    def _think(self, step: Step) -> None:
        """Strategies hear of a trade after what it did to their orders, as in the simulator."""
        if self.signals.thinks_at_trades(step.symbol):
            _, scores = self.signals.on_tick(replayed_tick(step, self._places[step.symbol]))
            self._say(scores)

    def _on_minute(self, symbol: Symbol, row: CandleRow) -> None:
        self.candles += 1
        self.account.on_price(symbol, row.close)
        for stream in self._streams[symbol]:
            closed = stream.on_minute(row, self.now_ms)
            if closed:
                self._decide(closed)

    def whole_log(self) -> tuple[Decision, ...]:
        """Every decision, in the order they were made."""
        return tuple(in_words(self.decisions))


def in_words(decisions: Iterable[Unread]) -> Iterator[Decision]:
    """The decisions themselves."""
    for each in decisions:
        if isinstance(each, Judgement):
            yield each.verdict
        else:
            yield read_decision(each) if isinstance(each, AnyRecord) else each
