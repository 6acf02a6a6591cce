"""TA-Lib over a million bars: `indicator_talib.py NAME`; prints nanoseconds of processor a bar, the best of seven."""

import sys
import time

import numpy as np
import talib

BARS = 1_000_000


def main() -> None:
    chance = np.random.default_rng(1)
    close = 6000 * np.exp(np.cumsum(chance.normal(0, 0.0006, BARS)))
    begin = np.concatenate(([6000.0], close[:-1]))
    high = np.maximum(begin, close) * (1 + np.abs(chance.normal(0, 0.0003, BARS)))
    low = np.minimum(begin, close) * (1 - np.abs(chance.normal(0, 0.0003, BARS)))

    def adx_of_three() -> None:
        # Ours gives the two directions too.
        talib.ADX(high, low, close, 14)
        talib.PLUS_DI(high, low, close, 14)
        talib.MINUS_DI(high, low, close, 14)

    calls = {
        "ema": lambda: talib.EMA(close, 20),
        "rsi": lambda: talib.RSI(close, 14),
        "atr": lambda: talib.ATR(high, low, close, 14),
        "adx": adx_of_three,
        "macd": lambda: talib.MACD(close, 12, 26, 9),
        "bollinger": lambda: talib.BBANDS(close, 20, 2, 2),
    }
    best = float("inf")
    for _ in range(7):
        began = time.process_time()
        calls[sys.argv[1]]()
        best = min(best, time.process_time() - began)
    print(best / BARS * 1e9)


if __name__ == "__main__":
    main()
