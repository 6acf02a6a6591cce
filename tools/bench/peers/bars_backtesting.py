"""backtesting.py on the bench's bars: `bars_backtesting.py BARS whole|engine`.

A cross of two exponential averages (12 and 26), filled at the next open, with a fee of 0.2 %. `engine` prints the bars
a second of the run alone, `whole` the seconds of processor of the whole process, imports and making the bars included.
"""

import sys
import time

import numpy as np
import pandas as pd
from backtesting import Backtest, Strategy
from backtesting.lib import crossover


def bars(count: int) -> pd.DataFrame:
    chance = np.random.default_rng(1)
    close = np.round(6000 * np.exp(np.cumsum(chance.normal(0, 0.0006, count))), 1)
    begin = np.concatenate(([6000.0], close[:-1]))
    high = np.round(np.maximum(begin, close) * (1 + np.abs(chance.normal(0, 0.0003, count))), 1)
    low = np.round(np.minimum(begin, close) * (1 - np.abs(chance.normal(0, 0.0003, count))), 1)
    index = pd.date_range("2018-11-13", periods=count, freq="min")
    return pd.DataFrame({"Open": begin, "High": high, "Low": low, "Close": close, "Volume": 1.0}, index=index)


class Cross(Strategy):
    def init(self) -> None:
        close = pd.Series(self.data.Close)
        self.fast = self.I(lambda: close.ewm(span=12, adjust=False).mean())
        self.slow = self.I(lambda: close.ewm(span=26, adjust=False).mean())

    def next(self) -> None:
        if crossover(self.fast, self.slow):
            self.buy(size=0.02)
        elif crossover(self.slow, self.fast):
            self.position.close()


def main() -> None:
    count, what = int(sys.argv[1]), sys.argv[2]
    made = Backtest(bars(count), Cross, cash=1e7, commission=0.002, finalize_trades=True)
    began = time.process_time()
    made.run()
    print(time.process_time() if what == "whole" else count / (time.process_time() - began))


if __name__ == "__main__":
    main()
