"""The fast runner: one strategy on one symbol as array kernels, for sweeps over many parameters.

It trades what the exact runner trades, fill for fill: the same bars, sides, quantities and prices, and the same equity
but for the rounding of floats (a property test holds both against each other). It knows market entries and exits of a
strategy with a numeric step, the bracket around them, all costs, sizes and precision, and every guard of risk that
settings can switch on. What it does not know it says (`why_not_fast`, or `FastResult.why` when it shows on the way),
and then the exact runner has traded in its place: the answer is always right, and `ran_fast` says how it came to be.

For those who build on it: `Prepared.of(bars, settings)` once for a market and its limits, then `run_fast(prepared)` for
each set of parameters, or `sweep(prepared, [parameters, ...], threads=2)` for all of them at once.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import Any

import attrs
import msgspec
import numpy as np
import numpy.typing as npt

from genesis.domain.indicators.catalog import CLOSE, HIGH, LOW, OPEN, TIME, VOLUME, candle_rows
from genesis.domain.indicators.compiling import compiled
from genesis.domain.market_replay import replayed_streams
from genesis.domain.matching import FillModel, FillWhen
from genesis.domain.pairs import PairSpecs, pair_specs
from genesis.domain.performance import HOUR_MS, MIN_PERIODS, YEAR_MS
from genesis.domain.replay import MINUTE_MS, TICK_MS
from genesis.domain.strategies import STRATEGY_KINDS
from genesis.domain.strategy import StrategyKind
from genesis.domain.strategy_arrays import CandleArrays, Floats, Said, say, why_not_compiled
from genesis.domain.trading_day import trading_day
from genesis.domain.volatility import WARM_UP, Volatility
from genesis.domain.windows import is_open
from genesis.research import fast_walk
from genesis.research.backtest import START_BALANCES, BacktestResult, run_backtest
from genesis.research.bars import BarRecording, Whole, in_time_frame, part, rows_of
from genesis.research.costs import flat_fees
from genesis.research.fast_walk import DONE, ENTRY, LIMITS, NUMBERS, REASONS
from genesis.research.leaping import can_leap, volatility_over
from genesis.research.walk import curve_step
from protocols.orders import Fill
from protocols.settings import Settings, StrategySettings
from protocols.units import AMOUNT_STEP, TIMEFRAME_MS, Side, Symbol, quote_currency

Flags = npt.NDArray[np.bool_]

UNIT = 100_000_000
KNOWN_COSTS = ("half_spread", "slippage", "low_first", "fee_tiers")
DAY_MS = 86_400_000


class NotFast(ValueError):
    """This market or these settings are not for the fast runner; the text says why."""


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

    @cached_property
    def fills(self) -> tuple[FastFill, ...]:
        """Every fill, oldest first."""
        return self._fills()

    @cached_property
    def curve(self) -> Floats:
        """float64[points]: equity at each point of the exact runner's curve."""
        return self._curve()

    @property
    def winrate(self) -> float | None:
        return self.wins / self.trades if self.trades else None


@attrs.frozen(kw_only=True)
class Prepared:
    """A market and its limits, ready for any number of parameter sets. Nothing in it changes."""

    bars: BarRecording
    settings: Settings
    strategy: StrategySettings
    kind: StrategyKind
    model: FillModel
    pairs: PairSpecs
    start_equity: Decimal
    sharpe_period_ms: int
    warm: CandleArrays
    candles: CandleArrays
    rows: tuple[Any, ...]
    scores: tuple[Any, ...]
    windows_open: Flags
    new_day: Flags
    new_week: Flags
    numbers: Whole
    limits: Floats
    price_decimals: int
    point_close: Floats
    point_row: Whole
    point_period: Whole
    is_compiled: bool

    @classmethod
    def of(
        cls,
        bars: BarRecording,
        settings: Settings,
        *,
        model: FillModel | None = None,
        pairs: PairSpecs | None = None,
        balances: Iterable[tuple[str, str, Decimal]] = START_BALANCES,
        sharpe_period_ms: int = HOUR_MS,
        compile: bool | None = None,
    ) -> "Prepared":
        """Raises NotFast with the reason, and ValueError on settings that no strategy can run with.

        `compile=False` runs the kernels as plain Python, as they run without numba.
        """
        model = model or FillModel()
        pairs = pairs or pair_specs(bars.symbols)
        balances = tuple(balances)
        why = why_not_fast(bars, settings, model=model, balances=balances)
        if why is not None:
            raise NotFast(why)
        (strategy,) = _running(settings)
        kind = STRATEGY_KINDS[strategy.kind]
        symbol = Symbol(strategy.symbol)
        found = bars.rows[symbol]
        decimals = _price_decimals(found)
        if decimals is None:
            raise NotFast("prices have more than eight decimals, or are too large to be counted in whole numbers")
        last_minute = (bars.last_ms - bars.first_ms) // MINUTE_MS
        warm, begun = _history(bars, settings, strategy)
        candles = in_time_frame(found, strategy.timeframe, begun=begun)
        ends = (candles.open_ms + TIMEFRAME_MS[strategy.timeframe] - bars.first_ms) // MINUTE_MS
        closing = int(np.searchsorted(ends, last_minute + 1, side="right"))
        candles, ends = part(candles, 0, closing), ends[:closing]
        row_minute = (found.open_ms - bars.first_ms) // MINUTE_MS
        scale = 10.0**decimals
        rows = (row_minute, *(_whole(column, scale) for column in (found.open, found.high, found.low, found.close)))
        scores = (ends, np.searchsorted(row_minute, ends), _whole(candles.close, scale))
        decided = bars.first_ms + ends * MINUTE_MS
        new_day, new_week = _new_days(decided, settings.risk.day_timezone)
        step_ms = curve_step(bars.first_ms, bars.last_ms, sharpe_period_ms)
        points = range(bars.first_ms, bars.last_ms + MINUTE_MS + 1, step_ms)
        point_row = np.searchsorted(found.open_ms, np.array(points)) - 1
        return cls(
            bars=bars,
            settings=settings,
            strategy=strategy,
            kind=kind,
            model=model,
            pairs=pairs,
            start_equity=balances[0][2],
            sharpe_period_ms=sharpe_period_ms,
            warm=warm,
            candles=candles,
            rows=rows,
            scores=scores,
            windows_open=_windows_open(settings, decided),
            new_day=new_day,
            new_week=new_week,
            numbers=_numbers(settings, strategy, model, pairs, balances[0][2], decimals, int(rows[2].max())),
            limits=_limits(settings),
            price_decimals=decimals,
            point_close=np.where(point_row >= 0, found.close[np.maximum(point_row, 0)], 0.0),
            point_row=point_row,
            point_period=np.array(points) // sharpe_period_ms,
            is_compiled=compile is not False and why_not_compiled(kind) is None,
        )


def why_not_fast(
    bars: BarRecording,
    settings: Settings,
    *,
    model: FillModel | None = None,
    balances: Sequence[tuple[str, str, Decimal]] = START_BALANCES,
) -> str | None:
    """Why these settings need the exact runner, in words; None when the fast one can begin."""
    strategies = _running(settings)
    if len(strategies) != 1:
        return f"it trades one strategy at a time, not {len(strategies)}"
    strategy = strategies[0]
    kind = STRATEGY_KINDS.get(strategy.kind)
    if kind is None:
        raise ValueError(f"strategy kind must be one of {', '.join(sorted(STRATEGY_KINDS))}, was {strategy.kind}")
    kind.start(kind.resolve(strategy.parameters))
    model = model or FillModel()
    if kind.numeric is None:
        return f"strategy {kind.name} has no numeric step"
    if strategy.symbol not in bars.rows or not len(bars.rows[Symbol(strategy.symbol)]):
        return f"the recording has no {strategy.symbol}"
    if settings.quote_currency != quote_currency(strategy.symbol):
        return f"{strategy.symbol} is not traded in {settings.quote_currency}"
    if [(wallet, currency) for wallet, currency, _ in balances] != [("exchange", settings.quote_currency)]:
        return f"it begins with {settings.quote_currency} in the exchange wallet and nothing else"
    if balances[0][2] % AMOUNT_STEP:
        return "it begins with an amount of at most eight decimals"
    if not can_leap(settings):
        return "candles close later than at their end"
    if settings.risk.stop_trails:
        return "stops that follow the market are for the exact runner"
    if len(model.fee_tiers) > 1:
        return "fees that fall with the volume are for the exact runner"
    if model.impact or model.carry_a_day:
        return "sizes that move the price, and interest on what is held, are for the exact runner"
    known = attrs.evolve(FillModel(), **{name: getattr(model, name) for name in KNOWN_COSTS})
    if model != known or model.when is FillWhen.AT_ONCE:
        return "it fills at the next tick, whole and without latency"
    return None


def run_fast(prepared: Prepared, parameters: Mapping[str, float] | None = None) -> FastResult:
    """Trade one set of parameters (those of the settings where none are given).

    Raises ValueError on parameters that the strategy cannot run with. Where the kernel meets something it does not
    know, the exact runner trades instead.
    """
    given = dict(prepared.strategy.parameters if parameters is None else parameters)
    kind, warm = prepared.kind, len(prepared.warm)
    state = kind.start(kind.resolve(given))
    atr_of_warm = say(kind, state, prepared.warm, compile=prepared.is_compiled).atr if warm else np.empty(0)
    said = say(kind, state, prepared.candles, compile=prepared.is_compiled)
    heard_atr, is_wild, trips = _wildness(prepared, atr_of_warm, said)
    entries = int(np.count_nonzero(said.code > 0))
    fills = np.zeros((2 * entries + 2, 8), dtype=np.int64)
    results = np.zeros(2 * entries + 2)
    counts = np.zeros(5, dtype=np.int64)
    arrays: list[Any] = [
        *prepared.rows,
        prepared.scores[0],
        prepared.scores[1],
        said.code,
        prepared.scores[2],
        said.atr,
        prepared.windows_open,
        prepared.new_day,
        prepared.new_week,
        heard_atr,
        is_wild,
        trips,
        prepared.numbers,
        prepared.limits,
    ]
    if prepared.is_compiled:
        stopped = compiled(fast_walk.walk_scores, kept=True, inline=False)(*arrays, fills, results, counts)
    else:
        walk: Callable[..., int] = fast_walk.walk_scores
        stopped = walk(*(array.tolist() for array in arrays), fills, results, counts)
    if stopped != DONE:
        return _by_exact(prepared, given, REASONS[int(stopped)])
    filled = int(counts[0])
    return _by_kernel(prepared, given, fills[:filled].copy(), results[:filled], counts)


def sweep(
    prepared: Prepared,
    parameters: Sequence[Mapping[str, float]],
    *,
    threads: int = 1,
    on_done: Callable[[int], None] | None = None,
) -> list[FastResult]:
    """Trade every set of parameters; the results come in their order. `on_done` hears how many are finished.

    Threads share the arrays and run at once, because kernels let go of the interpreter. Raises ValueError before
    anything is traded when the strategy cannot run with one of the sets.
    """
    if threads < 1:
        raise ValueError(f"threads must be at least 1, was {threads}")
    for given in parameters:
        prepared.kind.start(prepared.kind.resolve(given))
    results: list[FastResult] = []
    if threads == 1:
        each: Iterable[FastResult] = (run_fast(prepared, given) for given in parameters)
        for result in each:
            results.append(result)
            if on_done is not None:
                on_done(len(results))
        return results
    with ThreadPoolExecutor(threads) as pool:
        for result in pool.map(lambda given: run_fast(prepared, given), parameters):
            results.append(result)
            if on_done is not None:
                on_done(len(results))
    return results


# --- before the run ---------------------------------------------------------------------------------------------------


def _running(settings: Settings) -> list[StrategySettings]:
    return [strategy for strategy in settings.strategies if strategy.enabled]


def _whole(prices: Floats, scale: float) -> Whole:
    return np.rint(np.asarray(prices) * scale).astype(np.int64)


def _price_decimals(bars: CandleArrays) -> int | None:
    """The fewest decimals in which every price is a whole number; None when there is no such number."""
    decimals = 0
    for column in (bars.open, bars.high, bars.low, bars.close):
        prices = np.asarray(column)
        if prices.max() >= 1e7 or prices.min() <= 0:
            return None
        while not np.array_equal(np.rint(prices * 10.0**decimals) / 10.0**decimals, prices):
            decimals += 1
            if decimals > 8:
                return None
    return decimals


def _history(bars: BarRecording, settings: Settings, strategy: StrategySettings) -> tuple[CandleArrays, Any]:
    """The candles that the strategy warms up with, and the one that was begun before the run."""
    symbol = Symbol(strategy.symbol)
    (stream,) = replayed_streams(
        [(symbol, strategy.timeframe)],
        grace_ms=settings.market.candle_close_grace_ms,
        late_after_ms=int(settings.risk.signal_max_age_s * 1000),
    )
    before = bars.history.get(symbol)
    closed = stream.tell_history(rows_of(before) if before is not None else (), bars.first_ms)
    table = candle_rows([each.candle for each in closed])
    warm = CandleArrays(
        open_ms=table[:, TIME].astype(np.int64),
        open=table[:, OPEN].copy(),
        high=table[:, HIGH].copy(),
        low=table[:, LOW].copy(),
        close=table[:, CLOSE].copy(),
        volume=table[:, VOLUME].copy(),
    )
    return warm, stream.begun


def _new_days(decided_ms: Whole, timezone: str) -> tuple[Flags, Flags]:
    """Which scores are the first of their trading day, and of their week."""
    if not len(decided_ms):
        return np.empty(0, dtype=np.bool_), np.empty(0, dtype=np.bool_)
    if timezone == "UTC":
        days = decided_ms // DAY_MS
        weeks = (days + 3) // 7
    else:
        quarters, where = np.unique(decided_ms // 900_000, return_inverse=True)
        names = [date.fromisoformat(trading_day(int(quarter) * 900_000, timezone)) for quarter in quarters]
        ordinals = np.array([name.toordinal() for name in names])
        days = ordinals[where]
        weeks = (days - 1) // 7
    return _changes(days), _changes(weeks)


def _changes(numbers: Any) -> Flags:
    return np.concatenate([[True], numbers[1:] != numbers[:-1]]).astype(np.bool_)


def _windows_open(settings: Settings, decided_ms: Whole) -> Flags:
    limits = settings.risk
    if not limits.windows:
        return np.ones(len(decided_ms), dtype=np.bool_)
    minutes, where = np.unique(decided_ms // MINUTE_MS, return_inverse=True)
    told = [is_open(limits.windows, limits.windows_timezone, int(minute) * MINUTE_MS) for minute in minutes]
    return np.array(told, dtype=np.bool_)[where]


def _scaled(numbers: Sequence[Decimal], what: str) -> tuple[list[int], int]:
    """These numbers as whole ones of one unit, and its decimals. Raises NotFast when that takes too many."""
    decimals = max(0, *(-int(number.normalize().as_tuple().exponent) for number in numbers))
    if decimals > 9:
        raise NotFast(f"{what} has more than nine decimals")
    return [int(number.scaleb(decimals)) for number in numbers], decimals


def _numbers(
    settings: Settings,
    strategy: StrategySettings,
    model: FillModel,
    pairs: PairSpecs,
    cash: Decimal,
    price_decimals: int,
    highest: int,
) -> Whole:
    limits, pair = settings.risk, pairs[Symbol(strategy.symbol)]
    taker_fee, maker_fee = flat_fees(model)
    (spread, slip), cost_decimals = _scaled([model.half_spread, model.slippage], "spread or slippage")
    (taker, maker), fee_decimals = _scaled([taker_fee, maker_fee], "a fee")
    if min(taker, maker) < 0:
        raise NotFast("a fee is paid to us")
    fractions = [limits.position_fraction, limits.position_fraction * limits.regime_high_fraction]
    (fraction, cut), fraction_decimals = _scaled(fractions, "position_fraction")
    distances = [limits.stop_fraction, limits.target_fraction]
    (stop, target), distance_decimals = _scaled(distances, "stop_fraction or target_fraction")
    cap = min(
        limits.max_order_notional, limits.max_position_notional, limits.max_gross_exposure, limits.max_net_exposure
    )
    minimum = max(pair.minimum, AMOUNT_STEP)
    amounts = [cap, minimum, pair.maximum]
    if any(amount % AMOUNT_STEP for amount in amounts) or max(amounts) * UNIT > 10**17 or cash * UNIT > 10**17:
        raise NotFast("an amount has more than eight decimals, or is too large")
    unit = 10**cost_decimals
    if highest * 2 * unit > 9 * 10**18 or min(spread, slip) < 0 or max(spread, slip) >= unit:
        raise NotFast("prices are too large to be counted in whole numbers")
    numbers = np.zeros(NUMBERS, dtype=np.int64)
    may_enter = (
        limits.max_open_positions >= 1
        and limits.max_orders_per_minute >= 1
        and strategy.symbol in settings.market.symbols
    )
    wanted = {
        fast_walk.N_PRICE_DECIMALS: price_decimals,
        fast_walk.N_SPREAD_UP: unit + spread,
        fast_walk.N_SPREAD_DOWN: unit - spread,
        fast_walk.N_SLIP_UP: unit + slip,
        fast_walk.N_SLIP_DOWN: unit - slip,
        fast_walk.N_COST_DECIMALS: cost_decimals,
        fast_walk.N_TAKER: taker,
        fast_walk.N_MAKER: maker,
        fast_walk.N_FEE_DECIMALS: fee_decimals,
        fast_walk.N_FRACTION: fraction,
        fast_walk.N_CUT: cut,
        fast_walk.N_FRACTION_DECIMALS: fraction_decimals,
        fast_walk.N_CAP: int(cap * UNIT),
        fast_walk.N_MINIMUM: int(minimum * UNIT),
        fast_walk.N_MAXIMUM: int(pair.maximum * UNIT),
        fast_walk.N_STOP_FRACTION: stop,
        fast_walk.N_TARGET_FRACTION: target,
        fast_walk.N_DISTANCE_DECIMALS: distance_decimals,
        fast_walk.N_TRADES_A_DAY: min(limits.max_trades_per_day, limits.max_trades_per_symbol),
        fast_walk.N_MAY_ENTER: int(may_enter),
        fast_walk.N_COOLDOWN_MS: int(limits.cooldown_s * 1000),
        fast_walk.N_EXIT_LOCK_MS: int(limits.exit_cooldown_s * 1000),
        fast_walk.N_GUARD_LOSSES: limits.stop_guard_losses,
        fast_walk.N_GUARD_WINDOW_MS: int(limits.stop_guard_window_s * 1000),
        fast_walk.N_GUARD_LOCK_MS: int(limits.stop_guard_lock_s * 1000),
        fast_walk.N_PROFIT_TRADES: limits.low_profit_trades,
        fast_walk.N_PROFIT_WINDOW_MS: int(limits.low_profit_window_s * 1000),
        fast_walk.N_PROFIT_LOCK_MS: int(limits.low_profit_lock_s * 1000),
        fast_walk.N_BREAKER_MS: int(limits.breaker_cooldown_s * 1000),
        fast_walk.N_PROBES: limits.breaker_probes,
        fast_walk.N_CASH: int(cash * UNIT),
        fast_walk.N_LOW_FIRST: int(model.low_first),
    }
    for place, number in wanted.items():
        numbers[place] = number
    return numbers


def _limits(settings: Settings) -> Floats:
    limits = settings.risk
    numbers = np.zeros(LIMITS)
    for place, number in {
        fast_walk.L_DAILY: limits.max_daily_loss,
        fast_walk.L_WEEKLY: limits.max_weekly_loss,
        fast_walk.L_DRAWDOWN: limits.max_drawdown,
        fast_walk.L_STRATEGY: limits.max_strategy_drawdown,
        fast_walk.L_ATR_BUDGET: limits.atr_budget,
        fast_walk.L_STOP_ATR: limits.stop_atr,
        fast_walk.L_TARGET_ATR: limits.target_atr,
        fast_walk.L_SLIPPAGE_BPS: limits.breaker_slippage_bps,
        fast_walk.L_PROFIT: limits.low_profit_fraction,
    }.items():
        numbers[place] = float(number)
    return numbers


def _wildness(prepared: Prepared, warm_atr: Floats, said: Said) -> tuple[Floats, Flags, Flags]:
    """What risk heard of the range, whether the market was wild, and whether that trips the symbol's breaker."""
    limits, size = prepared.settings.risk, len(said.atr)
    quiet = np.zeros(size, dtype=np.bool_)
    breaker_ratio = float(limits.breaker_volatility_ratio)
    if not (limits.atr_budget or limits.regime_high_fraction != 1 or breaker_ratio):
        return said.atr, quiet, quiet
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


def _by_kernel(prepared: Prepared, given: dict[str, float], fills: Whole, results: Floats, counts: Whole) -> FastResult:
    closing = fills[:, 0] != ENTRY
    fee = fills[:, 7] / UNIT
    price = fills[:, 4] * 10.0 ** -fills[:, 5].astype(np.float64)
    equity, figures = _curve(prepared, fills)
    return FastResult(
        parameters=given,
        ran_fast=True,
        why="",
        final_equity=float(equity[-1]),
        trades=int(np.count_nonzero(closing)),
        wins=int(np.count_nonzero(results[closing] > 0)),
        fees_quote=float(np.where(closing, fee, fee * price).sum()),
        max_drawdown=float(figures[0]),
        sharpe=_sharpe(figures, prepared.sharpe_period_ms),
        refused=int(counts[1]),
        fills=lambda: _fills(prepared, fills),
        curve=lambda: _curve(prepared, fills)[0],
    )


def _curve(prepared: Prepared, fills: Whole) -> tuple[Floats, Floats]:
    """Equity at every point, and the figures of `walk_curve`."""
    equity, figures = np.empty(len(prepared.point_row)), np.zeros(4)
    arguments = (prepared.point_row, prepared.point_close, prepared.point_period)
    begin_cash = int(prepared.numbers[fast_walk.N_CASH])
    if prepared.is_compiled:
        walk = compiled(fast_walk.walk_curve, kept=True, inline=False)
        walk(*arguments, fills, len(fills), begin_cash, equity, figures)
    else:
        plain: Callable[..., None] = fast_walk.walk_curve
        plain(*(array.tolist() for array in arguments), fills, len(fills), begin_cash, equity, figures)
    return equity, figures


def _sharpe(figures: Floats, period_ms: int) -> float | None:
    periods, mean, squares = figures[1:].tolist()
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
