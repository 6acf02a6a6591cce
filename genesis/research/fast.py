"""The fast runner: one strategy on one symbol as array kernels, for sweeps over many parameters.

It trades what the exact runner trades, fill for fill: the same bars, sides, quantities and prices, and the same equity
but for the rounding of floats (a property test holds both against each other). It knows market entries and exits of a
strategy with a numeric step, the bracket around them, all costs, sizes and precision, and every guard of risk that
settings can switch on. What it does not know it says (`why_not_fast`, or `FastResult.why` when it shows on the way),
and then the exact runner has traded in its place: the answer is always right, and `ran_fast` says how it came to be.

For those who build on it: `Prepared.of(bars, settings)` once for a market and its limits, then `run_fast(prepared)` for
each set of parameters, or `sweep(prepared, [parameters, ...], threads=2)` for all of them at once.
"""

import contextlib
import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from functools import cache, cached_property, partial
from typing import Any, Final

import attrs
import msgspec
import numpy as np
import numpy.typing as npt

from genesis.domain.indicators.catalog import INDICATORS, run_over
from genesis.domain.indicators.compiling import compiled
from genesis.domain.performance import MIN_PERIODS, YEAR_MS
from genesis.domain.replay import TICK_MS
from genesis.domain.strategy_arrays import CandleArrays, Floats, Said, Spoken, say, speak
from genesis.domain.volatility import WARM_UP, Volatility
from genesis.research import fast_curve, fast_events, fast_places, fast_sweep
from genesis.research.backtest import BacktestResult, run_backtest
from genesis.research.bars import Whole
from genesis.research.fast_market import Bits, Flags, NotFast, Prepared, why_not_fast
from genesis.research.fast_places import DONE, ENTRY, F_WHAT, FIGURES, FILL, REASONS, RECORD
from genesis.research.heard_ranges import volatility_over
from protocols.orders import Fill
from protocols.units import AMOUNT_STEP, Side, Symbol

__all__ = ["FastFill", "FastResult", "NotFast", "Prepared", "exact_fills", "run_fast", "sweep", "why_not_fast"]

LARGEST_COLUMNS = 200_000_000
"""Bytes of columns from which on sets are traded one by one."""
AT_ONCE: Final = 75
"""Sets that are traded in one call: few enough for their columns to stay near the processor."""
MANY: Final = 50
"""Sets from which on what an order would meet is worked out at every score beforehand."""
NOTHING: Floats = np.empty(0)


@attrs.frozen(kw_only=True)
class FastFill:
    """One fill. `bar` is the minute's place among the symbol's rows, `what` entry, exit, stop or target."""

    time_ms: int
    bar: int
    side: Side
    what: str
    quantity: Decimal
    price: Decimal
    notional: Decimal
    fee: Decimal
    """In the currency that was received: base of a buy, quote of a sale."""


@attrs.frozen(kw_only=True)
class FastResult:
    """What came of one set of parameters.

    Equity is in the quote currency: of the curve's last point, as the exact runner counts it. `why` is empty when the
    kernel traded, else why the exact runner did. `refused` are entries that risk denied.
    """

    parameters: dict[str, float]
    ran_fast: bool
    why: str
    final_equity: float
    trades: int
    wins: int
    fees_quote: float
    max_drawdown: float
    sharpe: float | None
    refused: int
    _fills: Callable[[], tuple[FastFill, ...]] = attrs.field(eq=False, repr=False)
    _curve: Callable[[], Floats] = attrs.field(eq=False, repr=False)
    _profits: Callable[[], Floats] = attrs.field(eq=False, repr=False)
    traded: Callable[[], "_Traded"] = attrs.field(eq=False, repr=False)
    """The kernel's own arrays."""

    @cached_property
    def fills(self) -> tuple[FastFill, ...]:
        """Every fill, oldest first."""
        return self._fills()

    @cached_property
    def curve(self) -> Floats:
        """float64[points]: equity at each point of the exact runner's curve."""
        return self._curve()

    @cached_property
    def profits(self) -> Floats:
        """float64[trades]: what each finished trade made in quote, after fees."""
        return self._profits()

    @property
    def winrate(self) -> float | None:
        return self.wins / self.trades if self.trades else None


def run_fast(prepared: Prepared, parameters: Mapping[str, float] | None = None) -> FastResult:
    """Trade one set of parameters (those of the settings where none are given).

    Raises ValueError on parameters that the strategy cannot run with. Where the kernel meets something it does not
    know, the exact runner trades instead.
    """
    given = dict(prepared.strategy.parameters if parameters is None else parameters)
    said = _said(prepared, given)
    filled = _Fills.of(len(said.score[0]))
    figures, stopped = _trade(prepared, said, filled)
    if stopped[0] != DONE:
        return _by_exact(prepared, given, REASONS[stopped[0]])
    return _by_kernel(prepared, given, figures[0], filled.traded)


def _trade(prepared: Prepared, said: "_Events", filled: "_Fills") -> tuple[list[list[float]], list[int]]:
    """(figures, DONE or why not) of each set whose events are given."""
    sets = len(said.count)
    figures, stopped = np.zeros((sets, FIGURES)), np.zeros(sets, dtype=np.int64)
    *points, step_ms = prepared.points
    score_minute, score_row, score_price, block_price = prepared.scores
    terms = (prepared.numbers, prepared.limits)
    is_compiled = prepared.is_compiled(sets)

    def call(function: Callable[..., None], read: Sequence[Any], *written: Any) -> None:
        if is_compiled:
            compiled(function, kept=True, inline=False)(*read, *written)
        else:
            function(*(array.tolist() if isinstance(array, np.ndarray) else array for array in read), *written)

    room = int(said.count.sum()) + sets * len(said.wanted)
    at, code, first = np.empty(room, dtype=np.int32), np.empty(room, dtype=np.int8), np.zeros(sets + 1, dtype=np.int64)
    call(fast_events.merge, [said.wanted, said.score, said.code, said.count], first, at, code)
    at, code = at[: first[-1]], code[: first[-1]]
    records = said.table
    if not len(records):
        records, atr = np.zeros((len(at), RECORD)), NOTHING
        if prepared.tells_range:
            atr = np.full(len(at), math.nan)
            atr[code != 0] = said.atr
        scores = [*prepared.rows[:2], score_minute, score_row, score_price, said.flags]
        call(fast_events.lay_out, [*scores, *terms, at, code, atr], records)
        at = np.arange(len(at), dtype=np.int32)
    read = [*prepared.rows, score_row, score_price, block_price, said.heard_atr, *terms, *points, step_ms]
    written = (filled.fills, filled.results, filled.counts, figures, stopped)
    # Records are read here and there: as an array, compiled or not.
    call(fast_sweep.trade_sets, read, records, at.tolist() if not is_compiled else at, code, first, *written)
    return figures.tolist(), stopped.tolist()


@attrs.frozen
class _Fills:
    """Where fills are written, one set's over those of the one before."""

    fills: Whole
    results: Floats
    counts: Whole

    @classmethod
    def of(cls, events: int) -> "_Fills":
        """Room for what so many events can bring: each enters or leaves, and what entered may be stopped."""
        room = 2 * events + 2
        return cls(np.empty((room, FILL), dtype=np.int64), np.empty(room), np.zeros(5, dtype=np.int64))

    def traded(self) -> "_Traded":
        return _Traded(fills=self.fills[: self.counts[0]], results=self.results[: self.counts[0]])


def sweep(
    prepared: Prepared,
    parameters: Sequence[Mapping[str, float]],
    *,
    threads: int = 1,
    on_done: Callable[[int], None] | None = None,
) -> list[FastResult]:
    """Trade every set of parameters; the results come in their order. `on_done` hears how many are finished.

    Sets of a strategy that speaks when two columns change sides share the columns, and are traded `AT_ONCE` in a call;
    only their figures are kept, and fills and curve are made again when somebody looks. Threads share the arrays and
    run at once, because kernels let go of the interpreter. Raises ValueError before anything is traded when the
    strategy cannot run with one of the sets.
    """
    if threads < 1:
        raise ValueError(f"threads must be at least 1, was {threads}")
    resolved = [prepared.kind.resolve(given) for given in parameters]
    for one in resolved:
        prepared.kind.start(one)
    if not parameters:
        return []
    together = _Together.of(prepared, resolved)
    rooms: list[_Room] = []

    def work(begin: int) -> list[FastResult]:
        given = [dict(each) for each in parameters[begin : begin + at_once]]
        if together is None:
            return [run_fast(prepared, each) for each in given]
        room = rooms.pop() if rooms else _Room.of(prepared)
        try:
            return together.trade(given, begin, room)
        finally:
            rooms.append(room)

    at_once = 1 if together is None else AT_ONCE
    begins = range(0, len(parameters), at_once)
    results: list[FastResult] = []
    with ThreadPoolExecutor(threads) if threads > 1 else contextlib.nullcontext() as pool:
        for some in map(work, begins) if pool is None else pool.map(work, begins):
            for result in some:
                results.append(result)
                if on_done is not None:
                    on_done(len(results))
    return results


@attrs.frozen(kw_only=True)
class _Events:
    """What each set's strategy said, the scores that begin days or trip breakers, and what risk heard of the range.

    `score` and `code` have a row for each set, of which the first `count` are what it said; `atr` are the ranges told
    with that, of one set after another. `wanted` are the scores at which something begins, whatever is said.
    """

    score: npt.NDArray[np.int32]
    code: npt.NDArray[np.int8]
    atr: Floats
    count: Whole
    wanted: Whole
    flags: Bits
    heard_atr: Floats
    table: Floats = attrs.field(factory=lambda: np.empty((0, RECORD)))
    """The record of every score, or nothing: then records are worked out where something is said."""


def _said(prepared: Prepared, given: Mapping[str, float]) -> _Events:
    kind, is_compiled = prepared.kind, prepared.is_compiled()
    state = kind.start(kind.resolve(given))
    if prepared.minds_range:
        warm = say(kind, state, prepared.warm, compile=is_compiled).atr if len(prepared.warm) else np.empty(0)
        said = say(kind, state, prepared.candles, compile=is_compiled)
        heard_atr, is_wild, trips = _wildness(prepared, warm, said)
        wild = is_wild * fast_places.IS_WILD + trips * fast_places.TRIPS
        place = np.flatnonzero(said.code)
        spoken = Spoken(place=place, code=said.code[place], atr=said.atr[place])
        wanted = np.flatnonzero(prepared.new_day | trips)
        return _events(spoken, wanted, prepared.flags + wild.astype(np.uint8), heard_atr)
    if len(prepared.warm):
        speak(kind, state, prepared.warm, compile=is_compiled, with_atr=True)
    spoken = speak(kind, state, prepared.candles, compile=is_compiled, with_atr=prepared.tells_range)
    return _events(spoken, prepared.first_of_days, prepared.flags, NOTHING)


def _events(spoken: Spoken, wanted: Whole, flags: Bits, heard_atr: Floats) -> _Events:
    """Of one set."""
    return _Events(
        score=spoken.place.astype(np.int32)[None],
        code=spoken.code.astype(np.int8)[None],
        atr=spoken.atr,
        count=np.array([len(spoken.place)]),
        wanted=wanted,
        flags=flags,
        heard_atr=heard_atr,
    )


@attrs.frozen(kw_only=True)
class _Together:
    """Sets whose columns are shared: which set looks at which column."""

    prepared: Prepared
    one_of: Whole
    other_of: Whole
    atr_of: Whole
    columns: Floats
    atrs: Floats
    table: Floats

    @classmethod
    def of(cls, prepared: Prepared, resolved: Sequence[Mapping[str, float]]) -> "_Together | None":
        """None where sets are better traded one by one."""
        turning, warm, candles = prepared.kind.turning, prepared.warm, prepared.candles
        if turning is None or prepared.minds_range or not len(candles) or not prepared.is_compiled(len(resolved)):
            return None
        sides = [(name, int(one[parameter])) for one in resolved for name, parameter in (turning.one, turning.other)]
        wanted = sorted(set(sides))
        ranges = sorted({int(one[turning.atr[1]]) for one in resolved}) if prepared.tells_range else []
        size = len(warm) + len(candles)
        if (len(wanted) + len(ranges)) * size * 8 > LARGEST_COLUMNS:
            return None
        rows = np.empty((6, size))
        pairs = zip(("open_ms", "open", "high", "low", "close", "volume"), range(6), strict=True)
        for name, column in pairs:
            rows[column, : len(warm)], rows[column, len(warm) :] = getattr(warm, name), getattr(candles, name)
        columns, atrs = np.empty((len(wanted), size)), np.empty((len(ranges), size))
        for place, (name, period) in enumerate(wanted):
            columns[place] = run_over(INDICATORS[name], rows.T, compile=True, period=period)[:, 0]
        for place, period in enumerate(ranges):
            atrs[place] = run_over(INDICATORS[turning.atr[0]], rows.T, compile=True, period=period)[:, 0]
        where = {column: place for place, column in enumerate(wanted)}
        at = np.array([where[side] for side in sides], dtype=np.int64).reshape(-1, 2)
        range_of = {period: place for place, period in enumerate(ranges)}
        return cls(
            prepared=prepared,
            one_of=np.ascontiguousarray(at[:, 0]),
            other_of=np.ascontiguousarray(at[:, 1]),
            atr_of=np.array([range_of.get(int(one[turning.atr[1]]), 0) for one in resolved], dtype=np.int64),
            columns=columns,
            atrs=atrs,
            table=_table(prepared, len(resolved)),
        )

    def trade(self, given: Sequence[dict[str, float]], begin: int, room: "_Room") -> list[FastResult]:
        """The sets from `begin` on."""
        prepared, end = self.prepared, begin + len(given)
        assert prepared.kind.turning is not None
        count = np.zeros(len(given), dtype=np.int64)
        compiled(fast_events.find_turns, kept=True, _side=prepared.kind.turning.side)(
            self.columns,
            self.one_of[begin:end],
            self.other_of[begin:end],
            len(prepared.warm),
            np.zeros(len(given), dtype=np.int64),
            count,
            room.score,
            room.code,
            *room.stretch,
        )
        atr = NOTHING
        if prepared.tells_range:
            told = [
                self.atrs[self.atr_of[begin + number], room.score[number, :events] + len(prepared.warm)]
                for number, events in enumerate(count.tolist())
            ]
            atr = np.concatenate(told)
        said = _Events(
            score=room.score,
            code=room.code,
            atr=atr,
            count=count,
            wanted=prepared.first_of_days,
            flags=prepared.flags,
            heard_atr=NOTHING,
            table=self.table,
        )
        figures, stopped = _trade(prepared, said, _Fills.of(int(count.max())))
        # Fills would be most of what a sweep keeps: they are made again for whoever looks.
        return [
            _by_kernel(prepared, each, figures[number], partial(_again, prepared, each))
            if stopped[number] == DONE
            else _by_exact(prepared, each, REASONS[stopped[number]])
            for number, each in enumerate(given)
        ]


def _table(prepared: Prepared, sets: int) -> Floats:
    """The record of every score, where so many sets look at it that this pays, and no range decides anything."""
    if prepared.tells_range or sets < MANY:
        return np.empty((0, RECORD))
    table = np.zeros((len(prepared.candles), RECORD))
    score_minute, score_row, score_price, _ = prepared.scores
    lay_out_all = compiled(fast_events.lay_out_all, kept=True, inline=False)
    terms = (prepared.flags, prepared.numbers, prepared.limits)
    lay_out_all(*prepared.rows[:2], score_minute, score_row, score_price, *terms, table)
    return table


@attrs.frozen
class _Room:
    """Where one group's events after another's are written; one for each group that is under way."""

    score: npt.NDArray[np.int32]
    code: npt.NDArray[np.int8]
    stretch: tuple[npt.NDArray[np.int8], npt.NDArray[np.int8], Whole]

    @classmethod
    def of(cls, prepared: Prepared) -> "_Room":
        """Memory that is never written to is never taken, so there is room for a turn at every candle."""
        size = len(prepared.candles) + fast_events.WORD
        turns = np.zeros(fast_events.STRETCH, dtype=np.int8)
        return cls(
            np.empty((AT_ONCE, size), dtype=np.int32),
            np.empty((AT_ONCE, size), dtype=np.int8),
            (np.empty(fast_events.STRETCH + 1, dtype=np.int8), turns, turns.view(np.int64)),
        )


def _again(prepared: Prepared, given: Mapping[str, float]) -> "_Traded":
    """A set of a sweep once more, for its fills."""
    return run_fast(prepared, given).traded()


def _wildness(prepared: Prepared, warm_atr: Floats, said: Said) -> tuple[Floats, Flags, Flags]:
    """What risk heard of the range, whether the market was wild, and whether that trips the symbol's breaker."""
    limits, size = prepared.settings.risk, len(said.atr)
    quiet = np.zeros(size, dtype=np.bool_)
    breaker_ratio = float(limits.breaker_volatility_ratio)
    warm = len(warm_atr)
    atrs = np.concatenate([warm_atr, said.atr])
    closes = np.concatenate([prepared.warm.close, prepared.candles.close])
    heard, relative, usual, scores = volatility_over(Volatility(symbol=prepared.strategy.symbol), atrs, closes)
    known = (scores >= WARM_UP) & (usual > 0)
    ratio = np.divide(relative, usual, out=np.full(len(usual), -1.0), where=known)[warm:]
    ever_told = np.maximum.accumulate(~np.isnan(atrs))[warm:]
    is_wild: Flags = ratio >= float(limits.regime_high_ratio)
    trips: Flags = (ratio > breaker_ratio) & ~np.isnan(said.atr) if breaker_ratio else quiet
    return np.where(ever_told, heard[warm:], math.nan), is_wild, trips


# --- after the run ----------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class _Traded:
    """What `walk_scores` left behind."""

    fills: Whole
    results: Floats


def _by_kernel(
    prepared: Prepared, given: dict[str, float], figures: list[float], again: Callable[[], _Traded]
) -> FastResult:
    drawdown, periods, mean, squares, equity, trades, wins, fees, refused = figures
    traded = cache(again)
    return FastResult(
        parameters=given,
        ran_fast=True,
        why="",
        final_equity=equity,
        trades=int(trades),
        wins=int(wins),
        fees_quote=fees,
        max_drawdown=drawdown,
        sharpe=_sharpe(int(periods), mean, squares, prepared.sharpe_period_ms),
        refused=int(refused),
        fills=lambda: _fills(prepared, traded().fills),
        curve=lambda: _curve(prepared, traded().fills),
        profits=lambda: traded().results[traded().fills[:, F_WHAT] != ENTRY],
        traded=traded,
    )


def _curve(prepared: Prepared, fills: Whole) -> Floats:
    """Equity at every point."""
    equity, figures = np.empty(len(prepared.point_row)), np.zeros(4)
    arguments = (prepared.point_row, *prepared.points[:2])
    begin_cash = int(prepared.numbers[fast_places.N_CASH])
    if prepared.is_compiled():
        walk = compiled(fast_curve.walk_curve, kept=True, inline=False)
        walk(*arguments, fills, len(fills), begin_cash, equity, figures)
    else:
        plain: Callable[..., None] = fast_curve.walk_curve
        plain(*(array.tolist() for array in arguments), fills, len(fills), begin_cash, equity, figures)
    return equity


def _sharpe(periods: int, mean: float, squares: float, period_ms: int) -> float | None:
    if periods < MIN_PERIODS:
        return None
    deviation = math.sqrt(squares / (periods - 1))
    # Below this it is the rounding of equal returns.
    return None if deviation <= 1e-15 else mean / deviation * math.sqrt(YEAR_MS / period_ms)


def _fills(prepared: Prepared, fills: Whole) -> tuple[FastFill, ...]:
    times = prepared.bars.rows[Symbol(prepared.strategy.symbol)].open_ms
    names = ("entry", "exit", "stop", "target")
    return tuple(
        FastFill(
            time_ms=int(times[row]) + TICK_MS[tick],
            bar=row,
            side=Side.BUY if what == ENTRY else Side.SELL,
            what=names[what],
            quantity=Decimal(quantity).scaleb(-8),
            price=Decimal(price).scaleb(-decimals),
            notional=Decimal(notional).scaleb(-8),
            fee=Decimal(fee).scaleb(-8),
        )
        for what, row, tick, quantity, price, decimals, notional, fee, _ in fills.tolist()
    )


def _by_exact(prepared: Prepared, given: dict[str, float], why: str) -> FastResult:
    strategy = msgspec.structs.replace(prepared.strategy, parameters=given)
    settings = msgspec.structs.replace(prepared.settings, strategies=(strategy,))
    result = run_backtest(
        prepared.bars,
        settings,
        model=prepared.model,
        pairs=prepared.pairs,
        balances=(("exchange", settings.quote_currency, prepared.start_equity),),
        sharpe_period_ms=prepared.sharpe_period_ms,
    )
    figures = result.performance
    return FastResult(
        parameters=given,
        ran_fast=False,
        why=why,
        final_equity=float(figures.final_equity),
        trades=figures.trades,
        wins=sum(trade.pnl > 0 for trade in result.trades),
        fees_quote=float(figures.fees_quote),
        max_drawdown=figures.max_drawdown,
        sharpe=figures.sharpe,
        refused=sum(result.refusals.values()),
        fills=lambda: exact_fills(result, prepared.bars.rows[Symbol(prepared.strategy.symbol)]),
        curve=lambda: np.array([float(point.equity) for point in result.curve]),
        profits=lambda: np.array([float(trade.pnl) for trade in result.trades]),
        traded=lambda: _Traded(fills=np.empty((0, FILL), dtype=np.int64), results=np.empty(0)),
    )


def exact_fills(result: BacktestResult, bars: CandleArrays) -> tuple[FastFill, ...]:
    """The exact runner's fills in the fast one's words."""
    return tuple(_exact_fill(fill, bars) for fill in result.fills)


def _exact_fill(fill: Fill, bars: CandleArrays) -> FastFill:
    purpose = fill.intent_id.rsplit(":", 1)[-1]
    what = purpose if purpose in ("entry", "exit") else "target" if fill.maker else "stop"
    return FastFill(
        time_ms=fill.time_ms,
        bar=int(np.searchsorted(bars.open_ms, fill.time_ms, side="right")) - 1,
        side=fill.side,
        what=what,
        quantity=fill.quantity,
        price=fill.price,
        notional=(fill.quantity * fill.price).quantize(AMOUNT_STEP, rounding="ROUND_DOWN"),
        fee=abs(fill.fee),
    )
