"""What an indicator costs a bar: over a long array beside TA-Lib, and live, one candle at a time.

    python -m tools.bench.indicators [rounds]

TA-Lib runs in an environment of its own, over the same numbers, the best of seven as ours; without it (in a quick run)
numpy reading the columns once stands beside. Bars lie column by column. Compiling happens before the clock starts, and
so does what a live step costs once in a process, some 4 ms in which it is written; it is the best of seven, too.
"""

import sys
import time
from collections.abc import Callable
from typing import Final

import numpy as np

from genesis.domain.indicators import catalog
from genesis.domain.indicators.catalog import CLOSE, HIGH, LOW, Floats, Indicator
from tools.bench import _peers
from tools.bench._figures import tell

BARS: Final = 1_000_000
LIVE_BARS: Final = 20_000
TRIES: Final = 7
NAMES: Final = ("ema", "rsi", "atr", "adx", "macd", "bollinger")


def rows_of(bars: int) -> Floats:
    chance = np.random.default_rng(1)
    close = 6000 * np.exp(np.cumsum(chance.normal(0, 0.0006, bars)))
    begin = np.concatenate(([6000.0], close[:-1]))
    high = np.maximum(begin, close) * (1 + np.abs(chance.normal(0, 0.0003, bars)))
    low = np.minimum(begin, close) * (1 - np.abs(chance.normal(0, 0.0003, bars)))
    columns = [np.arange(bars) * 60_000.0, begin, high, low, close, chance.random(bars)]
    return np.asfortranarray(np.column_stack(columns))


def peers(rows: Floats) -> tuple[str, dict[str, Callable[[], float]]]:
    """What stands beside ours: its name, and nanoseconds a bar by indicator."""
    environment = _peers.environment("talib")
    if _peers.python_of(environment) is not None:

        def ask(name: str) -> Callable[[], float]:
            return lambda: _peers.told_by(environment, "indicator_talib.py", name) or 0.0

        return "TA-Lib", {name: ask(name) for name in NAMES}
    high, low, close = (np.ascontiguousarray(rows[:, column]) for column in (HIGH, LOW, CLOSE))
    return "numpy reads the columns", dict.fromkeys(
        NAMES, lambda: nanoseconds(lambda: high.sum() + low.sum() + close.sum(), BARS)
    )


def nanoseconds(call: Callable[[], object], bars: int) -> float:
    best = float("inf")
    for _ in range(TRIES):
        began = time.process_time()
        call()
        best = min(best, time.process_time() - began)
    return best / bars * 1e9


def main() -> int:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    rows = rows_of(BARS)
    beside_name, beside = peers(rows)
    live = rows[:LIVE_BARS].tolist()
    for name in NAMES:
        catalog.run_over(catalog.INDICATORS[name], rows[:100])
    for _ in range(rounds):
        for name in NAMES:
            indicator = catalog.INDICATORS[name]
            theirs = beside[name]()
            ours = nanoseconds(lambda indicator=indicator: catalog.run_over(indicator, rows), BARS)  # type: ignore[misc]
            tell(f"{name}, batch", ours, "ns/bar", beside=theirs, beside_name=beside_name)
            tell(f"{name}, live", min(_live_us(indicator, live) for _ in range(TRIES)), "us/bar")
    return 0


def _live_us(indicator: Indicator, rows: list[list[float]]) -> float:
    state, out = indicator.start(**indicator.resolve({})), [0.0] * len(indicator.outputs)
    began = time.process_time()
    for row in rows:
        indicator.on_row(state, row, out)
    return (time.process_time() - began) / len(rows) * 1e6


if __name__ == "__main__":
    sys.exit(main())
