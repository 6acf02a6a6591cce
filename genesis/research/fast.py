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
from functools import cached_property
from typing import Any, Final, Protocol

import attrs
import msgspec
import numpy as np

from genesis.domain.indicators.compiling import compile_for, compiled
from genesis.domain.performance import MIN_PERIODS, YEAR_MS
from genesis.domain.replay import TICK_MS
from genesis.domain.strategy_arrays import CandleArrays, Floats
from genesis.research import fast_curve, fast_events, fast_places, fast_sweep, fast_walk
from genesis.research.backtest import BacktestResult, run_backtest
from genesis.research.bars import Whole
from genesis.research.fast_beside import Beside, compile_beside
from genesis.research.fast_market import NotFast, Prepared, why_not_fast
from genesis.research.fast_places import DONE, ENTRY, F_WHAT, FIGURES, FILL, REASONS, RECORD
from genesis.research.fast_said import AT_ONCE, NOTHING, Events, Room, Together, said_by
from protocols.orders import Fill
from protocols.units import AMOUNT_STEP, Side, Symbol

__all__ = ["FastFill", "FastResult", "NotFast", "Prepared", "exact_fills", "run_fast", "sweep", "why_not_fast"]


WALK_AND_CURVE: Final = (fast_walk.walk_scores, fast_curve.curve_figures)
FEW: Final = 64
"""Numbers that are read so often that a list of them pays."""


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
    _details: "_Details" = attrs.field(eq=False, repr=False)

    @cached_property
    def fills(self) -> tuple[FastFill, ...]:
        """Every fill, oldest first."""
        return self._details.fills()

    @cached_property
    def curve(self) -> Floats:
        """float64[points]: equity at each point of the exact runner's curve."""
        return self._details.curve()

    @cached_property
    def profits(self) -> Floats:
        """float64[trades]: what each finished trade made in quote, after fees."""
        return self._details.profits()

    @property
    def winrate(self) -> float | None:
        return self.wins / self.trades if self.trades else None


def run_fast(prepared: Prepared, parameters: Mapping[str, float] | None = None) -> FastResult:
    """Trade one set of parameters (those of the settings where none are given).

    Raises ValueError on parameters that the strategy cannot run with. Where the kernel meets something it does not
    know, the exact runner trades instead.
    """
    given = dict(prepared.strategy.parameters if parameters is None else parameters)
    filled, figures, stopped = _run(prepared, given)
    if stopped != DONE:
        return _by_exact(prepared, given, REASONS[stopped])
    return _by_kernel(prepared, given, figures, filled.traded())


def _run(prepared: Prepared, given: Mapping[str, float]) -> tuple["_Fills", list[float], int]:
    """One set's fills, figures, and DONE or why not."""
    said = said_by(prepared, given)
    filled = _Fills.of(int(said.count[0]))
    (figures,), (stopped,) = _trade(prepared, said, filled)
    return filled, figures, stopped


def _trade(
    prepared: Prepared, said: Events, filled: "_Fills", beside: Beside | None = None
) -> tuple[list[list[float]], list[int]]:
    """(figures, DONE or why not) of each set whose events are given; `beside` may be compiling the walk."""
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
            function(*map(_read, read), *map(_numbers_of, written))

    room = int(said.count.sum()) + sets * len(said.wanted)
    at, code, first = np.empty(room, dtype=np.int32), np.empty(room, dtype=np.int8), np.zeros(sets + 1, dtype=np.int64)
    call(fast_events.merge, [said.wanted, said.score, said.code, said.count], first, at, code)
    at, code = at[: first[-1]], code[: first[-1]]
    records = said.table
    if not len(records):
        records, atr = np.empty((len(at), RECORD)), NOTHING
        if prepared.tells_range:
            atr = np.full(len(at), math.nan)
            atr[code != 0] = said.atr
        scores = [*prepared.rows[:2], score_minute, score_row, score_price, said.flags]
        call(fast_events.lay_out, [*scores, *terms, at, code, atr], records)
        at = np.arange(len(at), dtype=np.int32)
    market = [*prepared.rows, score_row, score_price, block_price, said.heard_atr, *terms]
    told, curve, cash = [records, at, code, first], [*points, step_ms], int(prepared.numbers[fast_places.N_CASH])
    trade: Callable[..., None] = fast_sweep.trade_sets
    if is_compiled:
        walk, draw = (compiled(function, kept=True, inline=False) for function in WALK_AND_CURVE)
        written = [*filled.places(), stopped]
        if beside is not None:
            # While the child is at the walk.
            compile_for(draw, *curve, 0, 0, 0, *written, figures)
            beside.wait()
        trade(walk, draw, market, told, curve, cash, written, figures)
    else:
        read = ([_read(each) for each in arrays] for arrays in (market, told, curve))
        trade(*WALK_AND_CURVE, *read, cash, [*filled.plain_places(), _numbers_of(stopped)], _numbers_of(figures))
    return figures.tolist(), stopped.tolist()


def _read(array: Any) -> Any:
    """What plain Python reads in the place of an array: the same memory, as numbers of its own."""
    if not isinstance(array, np.ndarray):
        return array
    return array.tolist() if array.ndim == 1 and array.size <= FEW else _numbers_of(array)


def _numbers_of(array: Any) -> Any:
    return memoryview(array)


@attrs.frozen
class _Fills:
    """Where fills of a few sets are written, over those of the ones before."""

    fills: Whole
    results: Floats
    counts: Whole

    @classmethod
    def of(cls, events: int, sets: int = 1) -> "_Fills":
        """Room for what so many events can bring: each enters or leaves, and what entered may be stopped."""
        room = 2 * events + 2
        places = np.empty((sets, room, FILL), dtype=np.int64)
        return cls(places, np.empty((sets, room)), np.zeros((sets, 5), dtype=np.int64))

    def for_events(self, events: int, sets: int) -> "_Fills":
        """These where there is room enough, else others: memory that was just given back must be asked for anew."""
        is_enough = len(self.fills) >= sets and self.results.shape[1] >= 2 * events + 2
        return self if is_enough else _Fills.of(events, sets)

    def places(self) -> list[Any]:
        return [self.fills, self.results, self.counts]

    def plain_places(self) -> list[Any]:
        """The same for plain Python, which has no parts of a view of several dimensions."""
        return [list(map(_numbers_of, self.fills)), list(map(_numbers_of, self.results)), _numbers_of(self.counts)]

    def traded(self) -> "_Traded":
        """Of the first of them."""
        count = self.counts[0, 0]
        return _Traded(fills=self.fills[0, :count], results=self.results[0, :count])


def sweep(
    prepared: Prepared,
    parameters: Sequence[Mapping[str, float]],
    *,
    threads: int = 1,
    on_done: Callable[[int], None] | None = None,
) -> list[FastResult]:
    """Trade every set of parameters; the results come in their order. `on_done` hears how many are finished.

    Sets of a strategy that speaks when two columns change sides share the columns, and are traded many in a call;
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
    by_beginning: dict[int, list[int]] = {}
    for number, one in enumerate(resolved):
        by_beginning.setdefault(prepared.begins_with(one), []).append(number)
    found: dict[int, FastResult] = {}
    for count, numbers in by_beginning.items():
        done = len(found)
        some = _sweep_alike(
            prepared.beginning_with(count),
            [parameters[number] for number in numbers],
            [resolved[number] for number in numbers],
            threads=threads,
            on_done=None if on_done is None else lambda more, done=done: on_done(done + more),  # type: ignore[misc]
        )
        found.update(zip(numbers, some, strict=True))
    return [found[number] for number in range(len(parameters))]


def _sweep_alike(
    prepared: Prepared,
    parameters: Sequence[Mapping[str, float]],
    resolved: Sequence[Mapping[str, float]],
    *,
    threads: int,
    on_done: Callable[[int], None] | None,
) -> list[FastResult]:
    """Of sets that begin with the same candles."""
    rooms: list[tuple[Room, _Fills]] = []

    def work(begin: int) -> list[FastResult]:
        given = [dict(each) for each in parameters[begin : begin + at_once]]
        if together is None:
            return [run_fast(prepared, each) for each in given]
        room, filled = rooms.pop() if rooms else (Room.of(prepared, at_once), _Fills.of(0))
        try:
            said = together.said(begin, begin + len(given), room)
            filled = filled.for_events(int(said.count.max()), in_turn)
            return _trade_group(prepared, given, said, filled, beside)
        finally:
            rooms.append((room, filled))

    # One thread alone has nobody to take turns with, and the fills of one set lie nearest.
    in_turn = fast_sweep.IN_TURN if threads > 1 else 1
    beside = _walk_beside(prepared, len(parameters))
    try:
        results: list[FastResult] = []
        with ThreadPoolExecutor(threads) if threads > 1 else contextlib.nullcontext() as pool:
            together = Together.of(prepared, resolved, pool)
            at_once = 1 if together is None else min(len(parameters), max(1, AT_ONCE // threads))
            begins = range(0, len(parameters), at_once)
            for some in map(work, begins) if pool is None else pool.map(work, begins):
                for result in some:
                    results.append(result)
                    if on_done is not None:
                        on_done(len(results))
        return results
    finally:
        if beside is not None:
            beside.end()


def _walk_beside(prepared: Prepared, sets: int) -> Beside | None:
    """A child that compiles the walk for such a sweep, where none was ever made; before the compiler is loaded."""
    if not Together.may_be(prepared, sets):
        return None
    _, score_row, score_price, block_price = prepared.scores
    filled = _Fills.of(0)
    read = [*prepared.rows, score_row, score_price, block_price, NOTHING, prepared.numbers, prepared.limits]
    where = np.empty(0, dtype=np.int64)
    events = [np.empty((0, RECORD)), np.empty(0, dtype=np.int32), np.empty(0, dtype=np.int8), where, 0, 0]
    return compile_beside(fast_walk.walk_scores, [*read, *events, *filled.places(), where])


def _trade_group(
    prepared: Prepared, given: Sequence[dict[str, float]], said: Events, filled: _Fills, beside: Beside | None
) -> list[FastResult]:
    figures, stopped = _trade(prepared, said, filled, beside)
    # Fills would be most of what a sweep keeps: they are made again for whoever looks.
    return [
        _by_kernel(prepared, each, figures[number])
        if stopped[number] == DONE
        else _by_exact(prepared, each, REASONS[stopped[number]])
        for number, each in enumerate(given)
    ]


# --- after the run ----------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class _Traded:
    """What `walk_scores` left behind."""

    fills: Whole
    results: Floats


class _Details(Protocol):
    """What is made only for those who look."""

    def fills(self) -> tuple[FastFill, ...]: ...
    def curve(self) -> Floats: ...
    def profits(self) -> Floats: ...


@attrs.define(eq=False)
class _OfKernel:
    """Of a set that the kernel traded; one of a sweep is traded once more for them."""

    prepared: Prepared
    given: Mapping[str, float]
    made: _Traded | None

    @property
    def traded(self) -> _Traded:
        if self.made is None:
            filled, _, stopped = _run(self.prepared, self.given)
            assert stopped == DONE, REASONS[stopped]
            self.made = filled.traded()
        return self.made

    def fills(self) -> tuple[FastFill, ...]:
        return _fills(self.prepared, self.traded.fills)

    def curve(self) -> Floats:
        return _curve(self.prepared, self.traded.fills)

    def profits(self) -> Floats:
        profits: Floats = self.traded.results[self.traded.fills[:, F_WHAT] != ENTRY]
        return profits


@attrs.frozen(eq=False)
class _OfExact:
    """Of a set that the exact runner traded."""

    result: BacktestResult
    bars: CandleArrays

    def fills(self) -> tuple[FastFill, ...]:
        return exact_fills(self.result, self.bars)

    def curve(self) -> Floats:
        return np.array([float(point.equity) for point in self.result.curve])

    def profits(self) -> Floats:
        return np.array([float(trade.pnl) for trade in self.result.trades])


def _by_kernel(
    prepared: Prepared, given: dict[str, float], figures: list[float], made: _Traded | None = None
) -> FastResult:
    drawdown, periods, mean, squares, equity, trades, wins, fees, refused = figures
    return FastResult(
        parameters=given,
        ran_fast=True,
        why="",
        final_equity=equity,
        trades=int(trades),
        wins=int(wins),
        fees_quote=fees,
        max_drawdown=drawdown,
        sharpe=_sharpe(int(periods), mean, squares, prepared.return_period_ms),
        refused=int(refused),
        details=_OfKernel(prepared, given, made),
    )


def _curve(prepared: Prepared, fills: Whole) -> Floats:
    """Equity at every point."""
    equity, figures = np.empty(len(prepared.point_row)), np.zeros(4)
    arguments = (prepared.point_row, prepared.points[0], prepared.point_period)
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
        details=_OfExact(result, prepared.bars.rows[Symbol(prepared.strategy.symbol)]),
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
