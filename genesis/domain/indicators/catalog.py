"""Every indicator by name: its parameters and outputs, run per candle or over an array with one and the same step.

A row is [open_ms, open, high, low, close, volume]. A row with a number that the indicator needs and that is not finite
is as if it had never been: its outputs are NaN and the state does not move. Candles without trades do not exist, so
periods count candles, not minutes.
"""

import math
from collections.abc import Callable, Mapping, MutableSequence, Sequence
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from genesis.domain.indicators.averages import State, ema_start, ema_step, sma_start, sma_step, wma_start, wma_step
from genesis.domain.indicators.bands import (
    bollinger_over,
    bollinger_start,
    bollinger_step,
    donchian_start,
    donchian_step,
    keltner_start,
    keltner_step,
    zscore_start,
    zscore_step,
)
from genesis.domain.indicators.compiling import can_compile, compiled, local_floats
from genesis.domain.indicators.lanes import atr_over, ema_over
from genesis.domain.indicators.momentum import (
    macd_start,
    macd_step,
    rsi_start,
    rsi_step,
    stochastic_start,
    stochastic_step,
)
from genesis.domain.indicators.ranges import (
    adx_start,
    adx_step,
    atr_start,
    atr_step,
    true_range_start,
    true_range_step,
)
from genesis.domain.indicators.unfolding import unfolded
from genesis.domain.indicators.volatility import realised_volatility_start, realised_volatility_step
from genesis.domain.indicators.volume import obv_start, obv_step, vwap_start, vwap_step
from protocols.market import Candle

TIME, OPEN, HIGH, LOW, CLOSE, VOLUME = range(6)
COLUMNS = 6

Row = Sequence[float]
Out = MutableSequence[float]
Floats = npt.NDArray[np.float64]


@attrs.frozen(kw_only=True)
class Indicator:
    """`step(state, row, out)` writes one bar's outputs; `first(**parameters)` is the first bar that has them all."""

    name: str
    outputs: tuple[str, ...]
    needs: tuple[int, ...]
    defaults: Mapping[str, float]
    start: Callable[..., list[float]]
    step: Callable[[Any, Any, Any], None]
    first: Callable[..., int]
    has_window: bool = False
    """Whether the state grows with a parameter."""
    over: Callable[..., None] | None = None
    """(columns that it needs, parameters, outputs): the same over arrays of finite numbers, where that is quicker."""

    on_row: Callable[[Any, Any, Any], None] = attrs.field(init=False, eq=False, repr=False)
    """`step` as it is called live, bar by bar: with all that it calls written into it, at the first bar or before."""

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "on_row", self._first_row)

    def write(self) -> None:
        """Write the live step now. A property would be slower to reach at every bar than what is saved by it."""
        object.__setattr__(self, "on_row", unfolded(self.step))

    def _first_row(self, state: Any, row: Any, out: Any) -> None:
        self.write()
        self.on_row(state, row, out)

    def resolve(self, given: Mapping[str, float]) -> dict[str, float]:
        """All parameters; whole ones as int. Raises ValueError on an unknown name or a broken count."""
        unknown = given.keys() - self.defaults.keys()
        if unknown:
            known = ", ".join(self.defaults) or "none"
            raise ValueError(f"parameters of {self.name} must be among: {known}; was {', '.join(sorted(unknown))}")
        resolved: dict[str, float] = {}
        for name, default in self.defaults.items():
            number = given.get(name, default)
            if isinstance(default, int):
                if number != int(number):
                    raise ValueError(f"{self.name}.{name} must be a whole number, was {number}")
                number = int(number)
            resolved[name] = number
        return resolved


@attrs.define
class LiveIndicator:
    """One indicator fed candle by candle. `state` may be kept and set again."""

    indicator: Indicator
    state: list[float]

    @classmethod
    def of(cls, indicator: Indicator, **parameters: float) -> "LiveIndicator":
        return cls(indicator, indicator.start(**indicator.resolve(parameters)))

    def on_candle(self, candle: Candle) -> tuple[float, ...]:
        row = (float(candle.open_ms), candle.open, candle.high, candle.low, candle.close, candle.volume)
        out = [float("nan")] * len(self.indicator.outputs)
        if _usable(self.indicator.needs, row):
            self.indicator.on_row(self.state, row, out)
        return tuple(out)


def candle_rows(candles: Sequence[Candle]) -> Floats:
    """float64[n, 6] of candles, oldest first."""
    return np.array(
        [(one.open_ms, one.open, one.high, one.low, one.close, one.volume) for one in candles], dtype=np.float64
    ).reshape(-1, COLUMNS)


def run_over(indicator: Indicator, rows: Floats, *, compile: bool | None = None, **parameters: float) -> Floats:
    """float64[n, outputs] for float64[n, 6]; NaN until warm. Compiled when numba is there, unless told otherwise.

    Rows that lie column by column in memory (as `numpy.asfortranarray` lays them) are read where they are.
    """
    rows = np.asarray(rows, dtype=np.float64)
    if rows.ndim != 2 or rows.shape[1] != COLUMNS:
        raise ValueError(f"rows must have shape (n, {COLUMNS}), was {rows.shape}")
    resolved = indicator.resolve(parameters)
    state = indicator.start(**resolved)
    if can_compile() if compile is None else compile:
        # Columns that it does not need are never looked at: any will do.
        wanted = [column if column in indicator.needs else indicator.needs[0] for column in range(COLUMNS)]
        once = {column: np.ascontiguousarray(rows[:, column]) for column in indicator.needs}
        columns = [once[column] for column in wanted]
        out = np.empty((len(indicator.outputs), len(rows)))
        for is_clean in (True, False):
            if _run_compiled(indicator, resolved, state, columns, out, is_clean):
                break
        return out.T
    plain_out = [[float("nan")] * len(indicator.outputs) for _ in range(len(rows))]
    _loop(indicator.step, indicator.needs, state, rows.tolist(), plain_out)
    return np.array(plain_out, dtype=np.float64).reshape(len(rows), len(indicator.outputs))


def _run_compiled(
    indicator: Indicator,
    parameters: dict[str, float],
    state: list[float],
    columns: list[Floats],
    out: Floats,
    is_clean: bool,
) -> bool:
    """False when it took every number for a finite one (`is_clean`) and met one that is not."""
    if indicator.over is not None and is_clean and len(columns[CLOSE]):
        needed = [columns[column] for column in indicator.needs]
        compiled(indicator.over, kept=True)(*needed, *parameters.values(), *out)
        # An average that took in what is not finite never comes back from it; a window does.
        ends = out[0, -1:] if not indicator.has_window else np.array([columns[CLOSE].sum()])
        return all(bool(np.isfinite(one).all()) for one in (ends, *(column[[0, -1]] for column in needed)))
    loop = compiled(
        _loop_over_columns,
        kept=True,
        _on_row=indicator.step,
        _SIZE=0 if indicator.has_window else len(state),
        _OUTPUTS=len(indicator.outputs),
        _IS_CLEAN=is_clean,
        _NEEDS=indicator.needs,
    )
    return bool(loop(np.array(state, dtype=np.float64), *columns, out) == 0.0)


def _usable(needs: Any, row: Any) -> bool:
    for column in needs:
        # Not a number, or infinite: neither equals zero when taken from itself.
        if not row[column] - row[column] == 0.0:
            return False
    return True


def _loop(on_row: Any, needs: Any, state: Any, rows: Any, out: Any) -> None:
    for place in range(len(rows)):
        if _usable(needs, rows[place]):
            on_row(state, rows[place], out[place])


_on_row: Any = None
_SIZE, _OUTPUTS, _IS_CLEAN, _NEEDS = 0, 1, True, (CLOSE,)


def _loop_over_columns(
    state: Any, times: Any, opens: Any, highs: Any, lows: Any, closes: Any, volumes: Any, out: Any
) -> float:
    # Without a view of a row: compiled code counts who holds one, which costs more than the step itself.
    kept = state
    if _SIZE > 0:
        kept = local_floats(_SIZE)
        for place in range(_SIZE):
            kept[place] = state[place]
    told = local_floats(_OUTPUTS)
    broken = 0.0
    for place in range(len(closes)):
        row = (times[place], opens[place], highs[place], lows[place], closes[place], volumes[place])
        for output in range(_OUTPUTS):
            told[output] = math.nan
        if _IS_CLEAN:
            for column in _NEEDS:
                broken += row[column] - row[column]
            _on_row(kept, row, told)
        else:
            usable = True
            for column in _NEEDS:
                usable = usable and row[column] - row[column] == 0.0
            if usable:
                _on_row(kept, row, told)
        for output in range(_OUTPUTS):
            out[output, place] = told[output]
    # Nothing but zeros was added, unless a number was not finite.
    return broken


def _sma(state: State, row: Row, out: Out) -> None:
    out[0] = sma_step(state, 0, row[CLOSE])


def _ema(state: State, row: Row, out: Out) -> None:
    out[0] = ema_step(state, 0, row[CLOSE])


def _wma(state: State, row: Row, out: Out) -> None:
    out[0] = wma_step(state, 0, row[CLOSE])


def _rsi(state: State, row: Row, out: Out) -> None:
    out[0] = rsi_step(state, 0, row[CLOSE])


def _true_range(state: State, row: Row, out: Out) -> None:
    out[0] = true_range_step(state, 0, row[HIGH], row[LOW], row[CLOSE])


def _atr(state: State, row: Row, out: Out) -> None:
    out[0] = atr_step(state, 0, row[HIGH], row[LOW], row[CLOSE])


def _adx(state: State, row: Row, out: Out) -> None:
    out[0], out[1], out[2] = adx_step(state, 0, row[HIGH], row[LOW], row[CLOSE])


def _macd(state: State, row: Row, out: Out) -> None:
    out[0], out[1], out[2] = macd_step(state, 0, row[CLOSE])


def _bollinger(state: State, row: Row, out: Out) -> None:
    out[0], out[1], out[2] = bollinger_step(state, 0, row[CLOSE])


def _stochastic(state: State, row: Row, out: Out) -> None:
    out[0], out[1] = stochastic_step(state, 0, row[HIGH], row[LOW], row[CLOSE])


def _donchian(state: State, row: Row, out: Out) -> None:
    out[0], out[1], out[2] = donchian_step(state, 0, row[HIGH], row[LOW])


def _keltner(state: State, row: Row, out: Out) -> None:
    out[0], out[1], out[2] = keltner_step(state, 0, row[HIGH], row[LOW], row[CLOSE])


def _obv(state: State, row: Row, out: Out) -> None:
    out[0] = obv_step(state, 0, row[CLOSE], row[VOLUME])


def _vwap(state: State, row: Row, out: Out) -> None:
    out[0] = vwap_step(state, 0, row[TIME], row[HIGH], row[LOW], row[CLOSE], row[VOLUME])


def _realised_volatility(state: State, row: Row, out: Out) -> None:
    out[0] = realised_volatility_step(state, 0, row[CLOSE])


def _zscore(state: State, row: Row, out: Out) -> None:
    out[0] = zscore_step(state, 0, row[CLOSE])


_BAR = (HIGH, LOW, CLOSE)
_BAND = ("upper", "middle", "lower")


def _indicator(
    name: str,
    step: Callable[[Any, Any, Any], None],
    start: Callable[..., list[float]],
    first: Callable[..., int],
    *,
    outputs: tuple[str, ...] = ("value",),
    needs: tuple[int, ...] = (CLOSE,),
    has_window: bool = False,
    over: Callable[..., None] | None = None,
    **defaults: float,
) -> Indicator:
    return Indicator(
        name=name,
        outputs=outputs,
        needs=needs,
        defaults=defaults,
        start=start,
        step=step,
        first=first,
        has_window=has_window,
        over=over,
    )


INDICATORS: dict[str, Indicator] = {
    indicator.name: indicator
    for indicator in (
        _indicator("sma", _sma, sma_start, lambda period: period - 1, has_window=True, period=20),
        _indicator("ema", _ema, ema_start, lambda period: period - 1, over=ema_over, period=20),
        _indicator("wma", _wma, wma_start, lambda period: period - 1, has_window=True, period=20),
        _indicator("rsi", _rsi, rsi_start, lambda period: period, period=14),
        _indicator("true_range", _true_range, true_range_start, lambda: 1, needs=_BAR),
        _indicator("atr", _atr, atr_start, lambda period: period, needs=_BAR, over=atr_over, period=14),
        _indicator(
            "adx",
            _adx,
            adx_start,
            lambda period: 2 * period - 1,
            outputs=("adx", "plus_di", "minus_di"),
            needs=_BAR,
            period=14,
        ),
        _indicator(
            "macd",
            _macd,
            macd_start,
            lambda fast, slow, signal: slow + signal - 2,
            outputs=("line", "signal", "histogram"),
            fast=12,
            slow=26,
            signal=9,
        ),
        _indicator(
            "bollinger",
            _bollinger,
            bollinger_start,
            lambda period, width: period - 1,
            outputs=_BAND,
            has_window=True,
            over=bollinger_over,
            period=20,
            width=2.0,
        ),
        _indicator(
            "stochastic",
            _stochastic,
            stochastic_start,
            lambda period, slowing, signal: period + slowing + signal - 3,
            outputs=("k", "d"),
            needs=_BAR,
            has_window=True,
            period=14,
            slowing=3,
            signal=3,
        ),
        _indicator(
            "donchian",
            _donchian,
            donchian_start,
            lambda period: period - 1,
            outputs=_BAND,
            needs=(HIGH, LOW),
            has_window=True,
            period=20,
        ),
        _indicator(
            "keltner",
            _keltner,
            keltner_start,
            lambda period, atr_period, width: max(period - 1, atr_period),
            outputs=_BAND,
            needs=_BAR,
            period=20,
            atr_period=10,
            width=2.0,
        ),
        _indicator("obv", _obv, obv_start, lambda: 0, needs=(CLOSE, VOLUME)),
        _indicator("vwap", _vwap, vwap_start, lambda: 0, needs=(TIME, HIGH, LOW, CLOSE, VOLUME)),
        _indicator(
            "realised_volatility",
            _realised_volatility,
            realised_volatility_start,
            lambda period: period,
            has_window=True,
            period=30,
        ),
        _indicator("zscore", _zscore, zscore_start, lambda period: period - 1, has_window=True, period=20),
    )
}
