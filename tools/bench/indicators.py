"""What an indicator costs a bar: over a long array beside TA-Lib, and live, one candle at a time.

    python -m tools.bench.indicators [rounds]

TA-Lib is looked for in this environment and in .venv-bench (`uv venv .venv-bench`, then `uv pip install ta-lib` into
it). Without it the limit is numpy reading the columns once. Compiling happens before the clock starts.
"""

import importlib
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from genesis.domain.indicators import catalog
from genesis.domain.indicators.catalog import CLOSE, HIGH, LOW, Floats
from tools.bench._figures import tell

BARS: Final = 1_000_000
LIVE_BARS: Final = 20_000
BESIDE: Final = Path(__file__).resolve().parents[2] / ".venv-bench/lib"
NAMES: Final = ("ema", "rsi", "atr", "adx", "macd", "bollinger")


def rows_of(bars: int) -> Floats:
    chance = np.random.default_rng(1)
    close = 6000 * np.exp(np.cumsum(chance.normal(0, 0.0006, bars)))
    begin = np.concatenate(([6000.0], close[:-1]))
    high = np.maximum(begin, close) * (1 + np.abs(chance.normal(0, 0.0003, bars)))
    low = np.minimum(begin, close) * (1 - np.abs(chance.normal(0, 0.0003, bars)))
    return np.column_stack([np.arange(bars) * 60_000.0, begin, high, low, close, chance.random(bars)])


def talib() -> Any:
    sys.path += [str(found) for found in BESIDE.glob("python*/site-packages")]
    try:
        return importlib.import_module("talib")
    except ImportError:
        return None


def peers(library: Any, rows: Floats) -> dict[str, Callable[[], object]]:
    high, low, close = (np.ascontiguousarray(rows[:, column]) for column in (HIGH, LOW, CLOSE))
    if library is None:
        return dict.fromkeys(NAMES, lambda: high.sum() + low.sum() + close.sum())

    def adx_of_three() -> None:
        # Ours gives the two directions too.
        library.ADX(high, low, close, 14)
        library.PLUS_DI(high, low, close, 14)
        library.MINUS_DI(high, low, close, 14)

    return {
        "ema": lambda: library.EMA(close, 12),
        "rsi": lambda: library.RSI(close, 14),
        "atr": lambda: library.ATR(high, low, close, 14),
        "adx": adx_of_three,
        "macd": lambda: library.MACD(close, 12, 26, 9),
        "bollinger": lambda: library.BBANDS(close, 20, 2, 2),
    }


def nanoseconds(call: Callable[[], object], bars: int) -> float:
    began = time.process_time()
    call()
    return (time.process_time() - began) / bars * 1e9


def main() -> int:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    rows, library = rows_of(BARS), talib()
    beside_name = "numpy reads the columns" if library is None else f"TA-Lib {library.__version__}"
    beside = peers(library, rows)
    live = rows[:LIVE_BARS].tolist()
    for name in NAMES:
        catalog.run_over(catalog.INDICATORS[name], rows[:100])
    for _ in range(rounds):
        for name in NAMES:
            indicator = catalog.INDICATORS[name]
            theirs = nanoseconds(beside[name], BARS)
            ours = nanoseconds(lambda indicator=indicator: catalog.run_over(indicator, rows), BARS)  # type: ignore[misc]
            tell(f"{name}, batch", ours, "ns/bar", beside=theirs, beside_name=beside_name)
            state, out = indicator.start(**indicator.resolve({})), [0.0] * len(indicator.outputs)
            began = time.process_time()
            for row in live:
                indicator.on_row(state, row, out)
            tell(f"{name}, live", (time.process_time() - began) / LIVE_BARS * 1e6, "us/bar")
    return 0


if __name__ == "__main__":
    sys.exit(main())
