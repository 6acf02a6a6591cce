"""The look-ahead check: what is said of a candle must not hang on any later one.

A backtest lies when a strategy knows what comes: the next close, a window centred on the present, a longer candle that
is still forming, a series scaled by its own end. None of them can happen live. So the same past is told with several
futures (as it was, none at all, mirrored, and doubled) and everything said of it must be the same, to the last bit:

- `check_batch`: any function from columns to one row of numbers a candle, such as features, a model, a notebook;
- `check_strategy`: a strategy as the engine runs it, candle by candle through the signal machine (tick by tick, too, if
  it minds them: each candle's own four prices before its close), against its own run over the whole columns; with other
  futures told in between, so that a memory of an earlier run gives itself away;
- `check_backtest`: the decisions of a whole backtest, orders included, against those of its first parts.

A clean bill speaks of the candles that were tried. It is found at the first difference, not by reading code.
"""

from collections.abc import Callable, Iterator, Mapping

import attrs
import numpy as np

from genesis.domain.candles import correlation_id
from genesis.domain.replay import Step, StepKind, tick_prices
from genesis.domain.signal_machine import SignalMachine
from genesis.domain.strategies import STRATEGY_KINDS
from genesis.domain.strategies.ensemble import kind_for
from genesis.domain.strategy import HOLD, RECOMMENDATIONS, StrategyKind
from genesis.domain.strategy_arrays import CandleArrays, Floats, say
from genesis.domain.ticks import replayed_tick
from genesis.research.backtest import run_backtest
from genesis.research.bars import BarRecording, candle_at, in_time_frame, part, row_at
from genesis.research.parity import compare
from protocols.market import CandleClosed
from protocols.settings import Settings, StrategySettings
from protocols.units import TIMEFRAME_MS, Symbol

CUTS = 12
MOST_CANDLES = 5_000
"""Candles of a strategy that are told again with every future: seconds for a plain step, minutes for a foreign one."""
_CODES = {recommendation: code for code, recommendation in RECOMMENDATIONS.items()}
FUTURES = ("as it was", "none", "mirrored", "doubled")

Batch = Callable[[CandleArrays], Floats]
"""Columns of n candles -> float64[n] or float64[n, outputs]."""


@attrs.frozen(kw_only=True)
class LookAhead:
    """Something that knew the future. `candle` is the place of what was said, `cut` where the futures part."""

    what: str
    candle: int
    open_ms: int
    cut: int
    future: str
    said: str
    said_otherwise: str

    def __str__(self) -> str:
        return (
            f"{self.what} looks ahead: of candle {self.candle} ({self.open_ms}) it said {self.said}, "
            f"and with the future after candle {self.cut - 1} {self.future} it said {self.said_otherwise}"
        )


def cuts_of(size: int, count: int = CUTS) -> list[int]:
    """Where to part past and future: spread over the candles, no two at the same distance from a round number."""
    if size < 2:
        return []
    places = {1 + int((size - 1) * (number + 0.5) / count) + number % 3 for number in range(count)}
    return sorted(min(place, size - 1) for place in places)


def futures(candles: CandleArrays, cut: int) -> Iterator[tuple[str, CandleArrays]]:
    """The same past with other futures."""
    yield FUTURES[1], part(candles, 0, cut)
    last = float(candles.close[cut - 1])
    # Mirrored at the last price that is common, and never below a tenth of it.
    yield FUTURES[2], _changed(candles, cut, lambda price: np.maximum(2 * last - price, last / 10))
    yield FUTURES[3], _changed(candles, cut, lambda price: price * 2)


def _changed(candles: CandleArrays, cut: int, change: Callable[[Floats], Floats]) -> CandleArrays:
    def column(past: Floats, future: Floats) -> Floats:
        return np.concatenate([past[:cut], future])

    changed = [change(each[cut:]) for each in (candles.open, candles.high, candles.low, candles.close)]
    return CandleArrays(
        open_ms=candles.open_ms,
        open=column(candles.open, changed[0]),
        high=column(candles.high, np.max(changed, axis=0)),
        low=column(candles.low, np.min(changed, axis=0)),
        close=column(candles.close, changed[3]),
        volume=column(candles.volume, candles.volume[cut:] * 3),
    )


def check_batch(
    batch: Batch, candles: CandleArrays, *, name: str = "the function", count: int = CUTS
) -> LookAhead | None:
    """The first look ahead of a function over columns, or None. Raises ValueError when it gives another length."""
    whole = _rows(batch, candles)
    for cut in cuts_of(len(candles), count):
        for future, other in futures(candles, cut):
            found = _rows(batch, other)
            difference = _first_difference(whole[:cut], found[:cut])
            if difference is not None:
                return LookAhead(
                    what=name,
                    candle=difference,
                    open_ms=int(candles.open_ms[difference]),
                    cut=cut,
                    future=future,
                    said=str(whole[difference].tolist()),
                    said_otherwise=str(found[difference].tolist()),
                )
    return None


def _rows(batch: Batch, candles: CandleArrays) -> Floats:
    found = np.asarray(batch(candles), dtype=np.float64)
    if len(found) != len(candles):
        raise ValueError(f"a batch must give one row a candle ({len(candles)}), gave {len(found)}")
    return found.reshape(len(candles), -1)


def _first_difference(one: Floats, other: Floats) -> int | None:
    same = ((one == other) | (np.isnan(one) & np.isnan(other))).all(axis=1)
    return None if same.all() else int(np.flatnonzero(~same)[0])


def check_strategy(
    strategy: StrategySettings,
    candles: CandleArrays,
    *,
    kinds: Mapping[str, StrategyKind] = STRATEGY_KINDS,
    count: int = CUTS,
) -> LookAhead | None:
    """The first look ahead of a strategy, or None. Raises ValueError on one that cannot be started."""
    kind = kind_for(strategy, kinds)
    kind.start(kind.resolve(strategy.parameters))
    settings = Settings(strategies=(_switched_on(strategy),))

    def live(told: CandleArrays) -> Floats:
        machine = SignalMachine(settings, kinds)
        # Candle by candle from the first one, whatever it would begin with on a venue.
        machine.running[strategy.name].waits = False
        rows = [
            (*_live_ticks(machine, told, place, strategy), *_live_row(machine, told, place, strategy))
            for place in range(len(told))
        ]
        return np.array(rows, dtype=np.float64).reshape(len(told), -1)

    def batch(told: CandleArrays) -> Floats:
        assert kind is not None
        said = say(kind, kind.start(kind.resolve(strategy.parameters)), told)
        return np.column_stack([said.code, said.confidence, said.probability])

    name = f"strategy {strategy.name} ({kind.name})"
    if kind.numeric is not None:
        at_once, one_by_one = batch(candles), live(candles)
        difference = _first_difference(at_once, one_by_one)
        if difference is not None:
            return LookAhead(
                what=name,
                candle=difference,
                open_ms=int(candles.open_ms[difference]),
                cut=difference + 1,
                future="told candle by candle",
                said=str(at_once[difference].tolist()),
                said_otherwise=str(one_by_one[difference].tolist()),
            )
    return check_batch(live, candles, name=name, count=count)


def _switched_on(strategy: StrategySettings) -> StrategySettings:
    """The same, switched on: who asks wants to know."""
    return StrategySettings(
        name=strategy.name,
        kind=strategy.kind,
        symbol=strategy.symbol,
        timeframe=strategy.timeframe,
        parameters=strategy.parameters,
        members=strategy.members,
    )


def _live_ticks(
    machine: SignalMachine, candles: CandleArrays, place: int, strategy: StrategySettings
) -> tuple[float, ...]:
    """What it says to the four prices of a candle that is still forming; nothing where it minds no ticks."""
    if not machine.thinks_at_trades(strategy.symbol):
        return ()
    open_ms, length_ms = int(candles.open_ms[place]), TIMEFRAME_MS[strategy.timeframe]
    said = []
    for part_of_it, price in enumerate(tick_prices(row_at(candles, place))):
        time_ms = open_ms + length_ms * (2 * part_of_it + 1) // 8
        step = Step(0, StepKind.TICK, Symbol(strategy.symbol), time_ms, open_ms, price, 0.0, part_of_it, None)
        _, scores = machine.on_tick(replayed_tick(step, 0))
        said.append(_CODES[scores[0].recommendation] if scores else HOLD)
    return tuple(said)


def _live_row(
    machine: SignalMachine, candles: CandleArrays, place: int, strategy: StrategySettings
) -> tuple[float, float, float]:
    candle = candle_at(candles, place, Symbol(strategy.symbol), strategy.timeframe)
    closed = CandleClosed(
        candle=candle,
        closed_ms=candle.open_ms + TIMEFRAME_MS[strategy.timeframe],
        catch_up=False,
        correlation_id=correlation_id(candle),
        received_ns=0,
    )
    scores = machine.on_candle(closed)
    if not scores:
        # It failed: from here on it says nothing, in every future.
        return (np.nan, np.nan, np.nan)
    return _CODES[scores[0].recommendation], scores[0].confidence, scores[0].probability


def check_settings(
    bars: BarRecording, settings: Settings, *, count: int = CUTS, most: int = MOST_CANDLES
) -> Iterator[tuple[str, LookAhead | None]]:
    """Every enabled strategy on the newest candles of its own in a recording: (name, what was found)."""
    for strategy in settings.strategies:
        if strategy.enabled and strategy.symbol in bars.rows:
            minutes = bars.rows[Symbol(strategy.symbol)]
            candles = in_time_frame(minutes, strategy.timeframe)
            # The last candle may be unfinished, and is nobody's to look at.
            end_ms = bars.last_ms + TIMEFRAME_MS["1m"] - TIMEFRAME_MS[strategy.timeframe]
            finished = int(np.searchsorted(candles.open_ms, end_ms, side="right"))
            candles = part(candles, max(0, finished - most), finished)
            yield strategy.name, check_strategy(strategy, candles, count=count)


def check_backtest(bars: BarRecording, settings: Settings, *, count: int = 3) -> str | None:
    """Decisions of first parts of a backtest against those of the whole: None, or where they part, in words."""
    whole = run_backtest(bars, settings).lines
    for cut in cuts_of((bars.last_ms - bars.first_ms) // TIMEFRAME_MS["1m"] + 1, count):
        last_ms = bars.first_ms + (cut - 1) * TIMEFRAME_MS["1m"]
        rows = {
            symbol: part(found, 0, int(np.searchsorted(found.open_ms, last_ms, side="right")))
            for symbol, found in bars.rows.items()
        }
        lines = run_backtest(attrs.evolve(bars, rows=rows, last_ms=last_ms), settings).lines
        for kind in (b"SignalScore", b"Verdict", b"SubmitOrder"):
            first = [line for line in lines if line.startswith(kind)]
            report = compare(first, [line for line in whole if line.startswith(kind)][: len(first)])
            if not report.equal:
                return f"decisions before {last_ms} change with what follows: {report}"
    return None
