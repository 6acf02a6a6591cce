"""What a fast run begins with: a market and its limits as arrays of whole numbers, or why it cannot."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from genesis.domain.indicators.catalog import CLOSE, HIGH, LOW, OPEN, TIME, VOLUME, candle_rows
from genesis.domain.indicators.compiling import worth_compiling
from genesis.domain.market_replay import replayed_streams
from genesis.domain.matching import FillModel, FillWhen
from genesis.domain.pairs import PairSpecs, pair_specs
from genesis.domain.performance import return_period_ms
from genesis.domain.replay import MINUTE_MS
from genesis.domain.strategies import STRATEGY_KINDS
from genesis.domain.strategy import StrategyKind
from genesis.domain.strategy_arrays import CandleArrays, Floats, side_compiles, turns_on_averages, why_not_compiled
from genesis.domain.trading_day import trading_day
from genesis.domain.warm_up import HISTORIES, SNAPSHOT_CANDLES, history_of, needs_of
from genesis.domain.windows import is_open
from genesis.research import fast_places
from genesis.research.backtest import START_BALANCES
from genesis.research.bars import BarRecording, Whole, in_time_frame, part, rows_before, rows_of, stretches
from genesis.research.costs import flat_fees
from genesis.research.fast_curve import POINT_BLOCK
from genesis.research.fast_places import LIMITS, MAY_OPEN, NEW_DAY, NEW_WEEK, NUMBERS
from genesis.research.fast_walk import BLOCK
from genesis.research.leaping import can_leap
from genesis.research.walk import curve_step
from protocols.settings import Settings, StrategySettings
from protocols.units import AMOUNT_STEP, TIMEFRAME_MS, Symbol, quote_currency

Flags = npt.NDArray[np.bool_]
Bits = npt.NDArray[np.uint8]
Short = npt.NDArray[np.int32]

UNIT = 100_000_000
KNOWN_COSTS = ("half_spread", "slippage", "low_first", "fee_tiers")
DAY_MS = 86_400_000
LIGHT = 20
"""Candles that cost plain Python as much as one step, where only averages and their turns are looked at: half a
microsecond each. Up to some six million a run alone begins without a compiler, which takes two seconds to load and
160 MiB, and ten seconds where nothing that it made before is kept."""


class NotFast(ValueError):
    """This market or these settings are not for the fast runner; the text says why."""


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
    return_period_ms: int
    before: CandleArrays
    """Every closed candle before the run that a strategy may begin with, oldest first."""
    warm: CandleArrays
    """Those of them that this strategy begins with, of which it speaks of the newest `told`."""
    snapshot: int
    """How many a subscription tells; one of its candles may still be forming."""
    candles: CandleArrays
    rows: tuple[Any, ...]
    scores: tuple[Any, ...]
    flags: Bits
    """What `fast_places` has bits for, of each score."""
    numbers: Whole
    limits: Floats
    price_decimals: int
    first_of_days: Whole
    """Scores that begin a trading day."""
    point_ms: Whole
    point_row: Whole
    point_period: Whole
    points: tuple[Any, ...]
    """The curve's points as `curve_figures` takes them."""
    compile: bool | None

    def is_compiled(self, sets: int = 1) -> bool:
        """Whether so many sets are traded by machine code. It loads the compiler when they are."""
        if not self.is_worth_compiling(sets):
            return False
        return side_compiles(self.kind) if self._turns else why_not_compiled(self.kind) is None

    def is_worth_compiling(self, sets: int = 1) -> bool:
        """Whether machine code is wanted for so many sets, told without loading the compiler."""
        steps = sets * len(self.candles) // (LIGHT if self._turns else 1)
        return worth_compiling(steps) if self.compile is None else self.compile

    @property
    def _turns(self) -> bool:
        return turns_on_averages(self.kind) and not self.tells_range

    @property
    def minds_range(self) -> bool:
        """Whether risk looks at the range of every candle."""
        limits = self.settings.risk
        return bool(limits.atr_budget or limits.regime_high_fraction != 1 or limits.breaker_volatility_ratio)

    @property
    def tells_range(self) -> bool:
        """Whether the range at an entry decides anything."""
        return self.minds_range or bool(self.settings.risk.stop_atr or self.settings.risk.target_atr)

    @property
    def told(self) -> int:
        """Candles before the run that were spoken of."""
        return min(SNAPSHOT_CANDLES, len(self.warm))

    def begins_with(self, resolved: Mapping[str, float]) -> int:
        """How many candles before the run a strategy of these parameters begins with, of those that there are."""
        if len(self.before) == self.snapshot:
            return self.snapshot
        turning = self.kind.turning
        if turning is not None:
            # Known when both averages are: a sweep asks for every set, and to try each takes as long as to trade it.
            needs = int(max(resolved[turning.one[1]], resolved[turning.other[1]]))
        else:
            needs = needs_of(self.kind, resolved, self.strategy.symbol, self.strategy.timeframe)
        count = history_of(needs)
        return self.snapshot if count == SNAPSHOT_CANDLES else min(count, len(self.before))

    def beginning_with(self, count: int) -> "Prepared":
        """The same for strategies that begin with so many candles."""
        if count == len(self.warm):
            return self
        return attrs.evolve(self, warm=_newest(self.before, count))

    @classmethod
    def of(
        cls,
        bars: BarRecording,
        settings: Settings,
        *,
        model: FillModel | None = None,
        pairs: PairSpecs | None = None,
        balances: Iterable[tuple[str, str, Decimal]] = START_BALANCES,
        compile: bool | None = None,
    ) -> "Prepared":
        """Raises NotFast with the reason, and ValueError on settings that no strategy can run with.

        `compile=False` runs the kernels as plain Python, as they run without numba; None compiles them when that pays.
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
        before, begun, snapshot = _history(bars, settings, strategy)
        candles = in_time_frame(found, strategy.timeframe, begun=begun)
        after_ms = bars.first_ms + (last_minute + 2) * MINUTE_MS - TIMEFRAME_MS[strategy.timeframe]
        candles = part(candles, 0, int(np.searchsorted(candles.open_ms, after_ms)))
        row_minute, ends, score_row = _minutes_of(found, candles, bars.first_ms, TIMEFRAME_MS[strategy.timeframe])
        opens, highs, lows, closes = (
            np.ascontiguousarray(column, dtype=np.float64)
            for column in (found.open, found.high, found.low, found.close)
        )
        rows = (row_minute, opens, highs, lows, closes, _blocks(lows, np.minimum), _blocks(highs, np.maximum))
        highest = int(np.rint(float(rows[-1].max()) * 10.0**decimals))
        prices = np.ascontiguousarray(candles.close, dtype=np.float64)
        scores = (ends, score_row, prices, _blocks(prices, np.maximum))
        flags = _flags(settings, ends, bars.first_ms)
        step_ms = curve_step(bars.first_ms, bars.last_ms)
        point_ms = np.arange(bars.first_ms, bars.last_ms + MINUTE_MS + 1, step_ms)
        point_row = rows_before(found.open_ms, point_ms) - 1
        point_close = np.where(point_row >= 0, found.close[np.maximum(point_row, 0)], 0.0)
        period_ms = return_period_ms(int(point_ms[0]), int(point_ms[-1]))
        point_period = point_ms // period_ms
        period_begin = np.flatnonzero(_changes(point_period))
        point_before = np.maximum(period_begin - 1, 0)
        points = (
            point_close,
            period_begin,
            point_period[period_begin] - point_period[point_before],
            point_close[point_before],
            _blocks(point_close, np.minimum, POINT_BLOCK),
            _blocks(point_close, np.maximum, POINT_BLOCK),
            step_ms,
        )
        return cls(
            bars=bars,
            settings=settings,
            strategy=strategy,
            kind=kind,
            model=model,
            pairs=pairs,
            start_equity=balances[0][2],
            return_period_ms=period_ms,
            before=before,
            warm=_newest(before, snapshot),
            snapshot=snapshot,
            candles=candles,
            rows=rows,
            scores=scores,
            flags=flags,
            numbers=_numbers(settings, strategy, model, pairs, balances[0][2], decimals, highest),
            limits=_limits(settings),
            price_decimals=decimals,
            first_of_days=np.flatnonzero(flags & NEW_DAY),
            point_ms=point_ms,
            point_row=point_row,
            point_period=point_period,
            points=points,
            compile=compile,
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


def _running(settings: Settings) -> list[StrategySettings]:
    return [strategy for strategy in settings.strategies if strategy.enabled]


def _blocks(values: Floats, extreme: Any, size: int = BLOCK) -> Floats:
    """The lowest or highest of each block of rows; the last one may be shorter."""
    parts = [extreme.reduceat(some, np.arange(0, len(some), size)) for some in stretches(values, blocks=size)]
    return np.concatenate([values[:0], *parts])


def _minutes_of(rows: CandleArrays, candles: CandleArrays, first_ms: int, frame_ms: int) -> tuple[Short, Short, Short]:
    """(the minute of each row, that at which each candle ends, the first row at or after that), from `first_ms`.

    In 32 bits, since they are as many as there are bars; and one array serves all three where candles are the rows and
    none is missing.
    """
    size, first = len(rows), int(rows.open_ms[0] - first_ms) // MINUTE_MS
    last = int(rows.open_ms[-1] - first_ms) // MINUTE_MS
    if frame_ms == MINUTE_MS and len(candles) == size and first == 0 and last == size - 1:
        minutes = np.arange(size + 1, dtype=np.int32)
        return minutes[:-1], minutes[1:], minutes[1:]
    row_minute, ends = _minutes(rows.open_ms, first_ms), _minutes(candles.open_ms, first_ms - frame_ms)
    after = [np.searchsorted(row_minute, some).astype(np.int32) for some in stretches(ends)]
    return row_minute, ends, np.concatenate([np.empty(0, dtype=np.int32), *after])


def _minutes(times: Whole, first_ms: int) -> Short:
    parts = [((some - first_ms) // MINUTE_MS).astype(np.int32) for some in stretches(times)]
    return np.concatenate([np.empty(0, dtype=np.int32), *parts])


def _flags(settings: Settings, ends: Short, first_ms: int) -> Bits:
    """What `fast_places` has bits for, of scores at these minutes."""
    flags, begin = np.empty(len(ends), dtype=np.uint8), 0
    before: Short = ends[:0]
    for some in stretches(ends):
        # The last of the stretch before tells whether a day begins with this one.
        decided = first_ms + np.concatenate([before, some]) * np.int64(MINUTE_MS)
        new_day, new_week = _new_days(decided, settings.risk.day_timezone)
        bits = _windows_open(settings, decided) * MAY_OPEN + new_day * NEW_DAY + new_week * NEW_WEEK
        flags[begin : begin + len(some)] = bits[len(before) :]
        begin, before = begin + len(some), some[-1:]
    return flags


def _price_decimals(bars: CandleArrays) -> int | None:
    """The fewest decimals in which every price is a whole number; None when there is no such number."""
    decimals = 0
    for column in (bars.open, bars.high, bars.low, bars.close):
        for prices in stretches(np.asarray(column)):
            if prices.max() >= 1e7 or prices.min() <= 0:
                return None
            while not np.array_equal(np.rint(prices * 10.0**decimals) / 10.0**decimals, prices):
                decimals += 1
                if decimals > 8:
                    return None
    return decimals


def _history(bars: BarRecording, settings: Settings, strategy: StrategySettings) -> tuple[CandleArrays, Any, int]:
    """The candles that a strategy may warm up with, the one that was begun before the run, and how many of them a
    subscription tells."""
    symbol = Symbol(strategy.symbol)
    (stream,) = replayed_streams(
        [(symbol, strategy.timeframe)],
        grace_ms=settings.market.candle_close_grace_ms,
        late_after_ms=int(settings.risk.signal_max_age_s * 1000),
    )
    before = bars.history.get(symbol)
    told = stream.tell_history(rows_of(before) if before is not None else (), bars.first_ms)
    table = candle_rows(stream.before[-HISTORIES[-1] :])
    warm = CandleArrays(
        open_ms=table[:, TIME].astype(np.int64),
        open=table[:, OPEN].copy(),
        high=table[:, HIGH].copy(),
        low=table[:, LOW].copy(),
        close=table[:, CLOSE].copy(),
        volume=table[:, VOLUME].copy(),
    )
    return warm, stream.begun, len(told)


def _newest(candles: CandleArrays, count: int) -> CandleArrays:
    return part(candles, max(0, len(candles) - count), len(candles))


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
        fast_places.N_PRICE_DECIMALS: price_decimals,
        fast_places.N_SPREAD_UP: unit + spread,
        fast_places.N_SPREAD_DOWN: unit - spread,
        fast_places.N_SLIP_UP: unit + slip,
        fast_places.N_SLIP_DOWN: unit - slip,
        fast_places.N_COST_DECIMALS: cost_decimals,
        fast_places.N_TAKER: taker,
        fast_places.N_MAKER: maker,
        fast_places.N_FEE_DECIMALS: fee_decimals,
        fast_places.N_FRACTION: fraction,
        fast_places.N_CUT: cut,
        fast_places.N_FRACTION_DECIMALS: fraction_decimals,
        fast_places.N_CAP: int(cap * UNIT),
        fast_places.N_MINIMUM: int(minimum * UNIT),
        fast_places.N_MAXIMUM: int(pair.maximum * UNIT),
        fast_places.N_STOP_FRACTION: stop,
        fast_places.N_TARGET_FRACTION: target,
        fast_places.N_DISTANCE_DECIMALS: distance_decimals,
        fast_places.N_TRADES_A_DAY: min(limits.max_trades_per_day, limits.max_trades_per_symbol),
        fast_places.N_MAY_ENTER: int(may_enter),
        fast_places.N_COOLDOWN_MS: int(limits.cooldown_s * 1000),
        fast_places.N_EXIT_LOCK_MS: int(limits.exit_cooldown_s * 1000),
        fast_places.N_GUARD_LOSSES: limits.stop_guard_losses,
        fast_places.N_GUARD_WINDOW_MS: int(limits.stop_guard_window_s * 1000),
        fast_places.N_GUARD_LOCK_MS: int(limits.stop_guard_lock_s * 1000),
        fast_places.N_PROFIT_TRADES: limits.low_profit_trades,
        fast_places.N_PROFIT_WINDOW_MS: int(limits.low_profit_window_s * 1000),
        fast_places.N_PROFIT_LOCK_MS: int(limits.low_profit_lock_s * 1000),
        fast_places.N_BREAKER_MS: int(limits.breaker_cooldown_s * 1000),
        fast_places.N_PROBES: limits.breaker_probes,
        fast_places.N_CASH: int(cash * UNIT),
        fast_places.N_LOW_FIRST: int(model.low_first),
    }
    for place, number in wanted.items():
        numbers[place] = number
    return numbers


def _limits(settings: Settings) -> Floats:
    limits = settings.risk
    numbers = np.zeros(LIMITS)
    for place, number in {
        fast_places.L_DAILY: limits.max_daily_loss,
        fast_places.L_WEEKLY: limits.max_weekly_loss,
        fast_places.L_DRAWDOWN: limits.max_drawdown,
        fast_places.L_STRATEGY: limits.max_strategy_drawdown,
        fast_places.L_ATR_BUDGET: limits.atr_budget,
        fast_places.L_STOP_ATR: limits.stop_atr,
        fast_places.L_TARGET_ATR: limits.target_atr,
        fast_places.L_SLIPPAGE_BPS: limits.breaker_slippage_bps,
        fast_places.L_PROFIT: limits.low_profit_fraction,
    }.items():
        numbers[place] = float(number)
    return numbers
