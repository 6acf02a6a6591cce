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
from typing import Any

import attrs
import msgspec
import numpy as np

from genesis.domain.indicators.catalog import INDICATORS, run_over
from genesis.domain.indicators.compiling import compiled
from genesis.domain.performance import MIN_PERIODS, YEAR_MS
from genesis.domain.replay import TICK_MS
from genesis.domain.strategy_arrays import CandleArrays, Floats, Said, say, speak
from genesis.domain.volatility import WARM_UP, Volatility
from genesis.research import fast_curve, fast_places, fast_sweep, fast_walk
from genesis.research.backtest import BacktestResult, run_backtest
from genesis.research.bars import Whole
from genesis.research.fast_market import Flags, NotFast, Prepared, why_not_fast
from genesis.research.fast_places import DONE, ENTRY, FIGURES, REASONS
from genesis.research.leaping import volatility_over
from protocols.orders import Fill
from protocols.units import AMOUNT_STEP, Side, Symbol

__all__ = ["FastFill", "FastResult", "NotFast", "Prepared", "exact_fills", "run_fast", "sweep", "why_not_fast"]

LARGEST_COLUMNS = 200_000_000
"""Bytes of columns from which on sets are traded one by one."""
UNIT = 100_000_000


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
    return _traded(prepared, given, _said(prepared, given), keep=True)


def _traded(prepared: Prepared, given: dict[str, float], said: "_Events", *, keep: bool) -> FastResult:
    """Trade what was said, by the kernels, or by the exact runner where they stop."""
    room = 2 * int(np.count_nonzero(said.code > 0)) + 2
    fills = np.zeros((room, 8), dtype=np.int64)
    results = np.zeros(room)
    counts = np.zeros(5, dtype=np.int64)
    arrays: list[Any] = [
        *prepared.rows,
        *prepared.scores,
        prepared.windows_open,
        prepared.new_day,
        prepared.new_week,
        said.heard_atr,
        said.is_wild,
        said.trips,
        prepared.numbers,
        prepared.limits,
        said.place,
        said.code,
        said.atr,
    ]
    if prepared.is_compiled():
        walk = compiled(fast_walk.walk_scores, kept=True, inline=False)
        stopped = walk(*arrays, len(said.place), fills, results, counts)
    else:
        plain: Callable[..., int] = fast_walk.walk_scores
        stopped = plain(*(array.tolist() for array in arrays), len(said.place), fills, results, counts)
    if stopped != DONE:
        return _by_exact(prepared, given, REASONS[int(stopped)])
    filled = int(counts[0])
    fills, results = fills[:filled].copy(), results[:filled].copy()
    figures = np.zeros(FIGURES)
    points = (prepared.point_row, prepared.point_close, prepared.point_period)
    begin_cash = int(prepared.numbers[fast_places.N_CASH])
    if prepared.is_compiled():
        compiled(fast_curve.curve_figures, kept=True, inline=False)(*points, fills, filled, begin_cash, figures)
        compiled(fast_curve.fill_figures, kept=True, inline=False)(fills, results, filled, figures)
    else:
        curve: Callable[..., None] = fast_curve.curve_figures
        curve(*(array.tolist() for array in points), fills, filled, begin_cash, figures)
        count: Callable[..., None] = fast_curve.fill_figures
        count(fills, results, filled, figures)
    figures[FIGURES - 1] = counts[1]
    if not keep:
        return _by_kernel(prepared, given, figures.tolist(), partial(_again, prepared, given))
    return _by_kernel(prepared, given, figures.tolist(), partial(_Traded, fills=fills, results=results))


def sweep(
    prepared: Prepared,
    parameters: Sequence[Mapping[str, float]],
    *,
    threads: int = 1,
    on_done: Callable[[int], None] | None = None,
) -> list[FastResult]:
    """Trade every set of parameters; the results come in their order. `on_done` hears how many are finished.

    Sets of a strategy that speaks when two columns change sides share the columns; only their figures are kept, and
    fills and curve are made again when somebody looks. Threads share the arrays and run at
    once, because kernels let go of the interpreter. Raises ValueError before anything is traded when the strategy
    cannot run with one of the sets.
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

    def work(number: int) -> FastResult:
        if together is None:
            return run_fast(prepared, parameters[number])
        room = rooms.pop() if rooms else _Room.of(prepared)
        try:
            return together.trade(parameters[number], number, room)
        finally:
            rooms.append(room)

    numbers = range(len(parameters))
    results: list[FastResult] = []
    with ThreadPoolExecutor(threads) if threads > 1 else contextlib.nullcontext() as pool:
        for result in map(work, numbers) if pool is None else pool.map(work, numbers):
            results.append(result)
            if on_done is not None:
                on_done(len(results))
    return results


@attrs.frozen(kw_only=True)
class _Events:
    """What a strategy said, with the scores that begin days or trip breakers, and what risk heard of the range."""

    place: Whole
    code: Floats
    atr: Floats
    heard_atr: Floats
    is_wild: Flags
    trips: Flags


def _said(prepared: Prepared, given: Mapping[str, float]) -> _Events:
    kind, is_compiled = prepared.kind, prepared.is_compiled()
    state = kind.start(kind.resolve(given))
    if prepared.minds_range:
        warm = say(kind, state, prepared.warm, compile=is_compiled).atr if len(prepared.warm) else np.empty(0)
        said = say(kind, state, prepared.candles, compile=is_compiled)
        heard_atr, is_wild, trips = _wildness(prepared, warm, said)
        place = np.flatnonzero((said.code != 0.0) | prepared.new_day | trips)
        return _Events(
            place=place,
            code=said.code[place],
            atr=said.atr[place],
            heard_atr=heard_atr,
            is_wild=is_wild,
            trips=trips,
        )
    if len(prepared.warm):
        speak(kind, state, prepared.warm, compile=is_compiled, with_atr=True)
    spoken = speak(kind, state, prepared.candles, compile=is_compiled, with_atr=prepared.tells_range)
    place = np.union1d(spoken.place, prepared.first_of_days)
    at = np.searchsorted(place, spoken.place)
    code, atr = np.zeros(len(place)), np.full(len(place), math.nan)
    code[at], atr[at] = spoken.code, spoken.atr
    quiet = prepared.quiet
    return _Events(place=place, code=code, atr=atr, heard_atr=prepared.no_atr, is_wild=quiet, trips=quiet)


@attrs.frozen(kw_only=True)
class _Together:
    """Sets whose columns are shared: which set looks at which column."""

    prepared: Prepared
    one_of: Whole
    other_of: Whole
    atr_of: Whole
    columns: Floats
    atrs: Floats

    @classmethod
    def of(cls, prepared: Prepared, resolved: Sequence[Mapping[str, float]]) -> "_Together | None":
        """None where sets are better traded one by one."""
        turning, warm, candles = prepared.kind.turning, prepared.warm, prepared.candles
        if turning is None or prepared.minds_range or not len(candles) or not prepared.is_compiled(len(resolved)):
            return None
        sides = [(name, int(one[parameter])) for one in resolved for name, parameter in (turning.one, turning.other)]
        wanted = sorted(set(sides))
        ranges = sorted({int(one[turning.atr[1]]) for one in resolved}) if prepared.tells_range else [0]
        size = len(warm) + len(candles)
        if (len(wanted) + len(ranges)) * size * 8 > LARGEST_COLUMNS:
            return None
        rows = np.empty((6, size))
        pairs = zip(("open_ms", "open", "high", "low", "close", "volume"), range(6), strict=True)
        for name, column in pairs:
            rows[column, : len(warm)], rows[column, len(warm) :] = getattr(warm, name), getattr(candles, name)
        columns = np.empty((len(wanted), size))
        for place, (name, period) in enumerate(wanted):
            columns[place] = run_over(INDICATORS[name], rows.T, compile=True, period=period)[:, 0]
        atrs = np.full((len(ranges), size), math.nan)
        if prepared.tells_range:
            for place, period in enumerate(ranges):
                atrs[place] = run_over(INDICATORS[turning.atr[0]], rows.T, compile=True, period=period)[:, 0]
        where = {column: place for place, column in enumerate(wanted)}
        at = np.array([where[side] for side in sides], dtype=np.int64).reshape(-1, 2)
        range_of = {period: place for place, period in enumerate(ranges)}
        return cls(
            prepared=prepared,
            one_of=np.ascontiguousarray(at[:, 0]),
            other_of=np.ascontiguousarray(at[:, 1]),
            atr_of=np.array(
                [range_of[int(one[turning.atr[1]])] if prepared.tells_range else 0 for one in resolved],
                dtype=np.int64,
            ),
            columns=columns,
            atrs=atrs,
        )

    def trade(self, given: Mapping[str, float], number: int, room: "_Room") -> FastResult:
        prepared = self.prepared
        assert prepared.kind.turning is not None
        find = compiled(fast_sweep.find_turns, kept=True, _side=prepared.kind.turning.side)
        atr = self.atrs[self.atr_of[number]]
        one, other = self.columns[self.one_of[number]], self.columns[self.other_of[number]]
        events = find(one, other, len(prepared.warm), prepared.first_of_days, atr, room.place, room.code, room.atr)
        quiet = prepared.quiet
        said = _Events(
            place=room.place[:events],
            code=room.code[:events],
            atr=room.atr[:events],
            heard_atr=prepared.no_atr,
            is_wild=quiet,
            trips=quiet,
        )
        # Fills would be half of what a sweep keeps: they are made again for whoever looks.
        return _traded(prepared, dict(given), said, keep=False)


@attrs.frozen
class _Room:
    """Where the events of one set after another are written; one for each that is under way."""

    place: Whole
    code: Floats
    atr: Floats

    @classmethod
    def of(cls, prepared: Prepared) -> "_Room":
        size = len(prepared.candles) + 1
        return cls(np.empty(size, dtype=np.int64), np.empty(size), np.empty(size))


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
        profits=lambda: traded().results[traded().fills[:, 0] != ENTRY],
        traded=traded,
    )


def _curve(prepared: Prepared, fills: Whole) -> Floats:
    """Equity at every point."""
    equity, figures = np.empty(len(prepared.point_row)), np.zeros(4)
    arguments = (prepared.point_row, prepared.point_close, prepared.point_period)
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
        for what, row, tick, quantity, price, decimals, notional, fee in fills.tolist()
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
        traded=lambda: _Traded(fills=np.empty((0, 8), dtype=np.int64), results=np.empty(0)),
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
