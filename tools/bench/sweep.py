"""What the fast runner costs a bar, and a sweep a set of parameters, beside a loop that does only the arithmetic.

    python -m tools.bench.sweep [rounds]

The limit is one compiled loop over the same bars: two averages, their cross, sizing by a fraction of equity, a stop and
a fee, in floats, with none of the venue's precision, order life or guards but the drawdown. CPU time; compiling happens
before the clock starts. Needs numba (`fast`). In a full run vectorbt trades a part of the same sets, and backtesting.py
one of them, each in an environment of its own and without any of the guards.
"""

import importlib
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

import numpy as np

from genesis.domain.strategy_arrays import CandleArrays, Floats
from genesis.research.backtest import run_backtest
from genesis.research.bars import BarRecording
from genesis.research.fast import Prepared, run_fast, sweep
from protocols.settings import RiskSettings, Settings, StrategySettings
from protocols.units import Symbol
from tools.bench import _peers
from tools.bench._figures import tell

SYMBOL: Final = Symbol("tBTCUSD")
FIRST_MS: Final = 1_542_067_200_000
FREE: Final = RiskSettings(
    position_fraction=Decimal("0.02"),
    max_daily_loss=Decimal(1),
    max_weekly_loss=Decimal(1),
    max_drawdown=Decimal(1),
    max_strategy_drawdown=Decimal(1),
    max_trades_per_day=100_000,
    max_trades_per_symbol=100_000,
)
"""Guards that never stop the trading, so that all of it is measured; they are asked all the same."""
PEER_SETS: Final = 50
SETS: Final = [{"fast": fast, "slow": slow} for fast in range(5, 45, 2) for slow in range(50, 175, 5)]


def random_bars(bars: int, seed: int = 1) -> BarRecording:
    chance = np.random.default_rng(seed)
    close = np.round(6000 * np.exp(np.cumsum(chance.normal(0, 0.0006, bars))), 1)
    begin = np.concatenate(([6000.0], close[:-1]))
    high = np.round(np.maximum(begin, close) * (1 + np.abs(chance.normal(0, 0.0003, bars))), 1)
    low = np.round(np.minimum(begin, close) * (1 - np.abs(chance.normal(0, 0.0003, bars))), 1)
    times = FIRST_MS + np.arange(bars) * 60_000
    volume = np.round(chance.random(bars) * 20, 6)
    columns = CandleArrays(open_ms=times, open=begin, high=high, low=low, close=close, volume=volume)
    return BarRecording(
        name="random walk", history={}, rows={SYMBOL: columns}, first_ms=FIRST_MS, last_ms=int(times[-1])
    )


def settings(timeframe: str, kind: str = "ema_cross", risk: RiskSettings = FREE) -> Settings:
    return Settings(
        strategies=(StrategySettings(name="bench", kind=kind, symbol=SYMBOL, timeframe=timeframe),), risk=risk
    )


def reference(opens: Floats, lows: Floats, closes: Floats) -> float:
    """The arithmetic of a cross with a stop, in floats."""
    fast = slow = closes[0]
    cash, coins, stop, peak, above = 10_000.0, 0.0, 0.0, 10_000.0, False
    for place in range(len(closes) - 1):
        fast += (closes[place] - fast) * (2.0 / 13.0)
        slow += (closes[place] - slow) * (2.0 / 27.0)
        if coins > 0.0 and lows[place] <= stop:
            cash += coins * min(stop, opens[place]) * 0.998
            coins = 0.0
        equity = cash + coins * closes[place]
        peak = max(peak, equity)
        now = fast > slow
        if now and not above and coins == 0.0 and equity > 0.0 * peak:
            price = opens[place + 1]
            coins = equity * 0.02 / price
            cash -= coins * price * 1.002
            stop = price * 0.95
        elif above and not now and coins > 0.0:
            cash += coins * opens[place + 1] * 0.998
            coins = 0.0
        above = now
    return float(cash + coins * closes[-1])


def _clocks(prepared: Prepared, threads: int) -> tuple[float, float]:
    """(seconds of the processor, seconds on the wall) of the sweep."""
    began, began_cpu = time.perf_counter(), time.process_time()
    results = sweep(prepared, SETS, threads=threads)
    took = time.process_time() - began_cpu, time.perf_counter() - began
    assert all(result.ran_fast for result in results), {result.why for result in results}
    return took


def whole_process(bars: int) -> tuple[float, float]:
    """(seconds of processor, MiB) of a process that makes one fast run, and nothing else."""
    command = (sys.executable, "-m", "tools.bench._whole_run", str(bars))
    told = subprocess.run(command, capture_output=True, text=True, check=True, cwd=_peers.ROOT).stdout.split()
    return float(told[0]), float(told[1])


def processor_s(call: Callable[..., Any], *arguments: Any) -> float:
    began = time.process_time()
    call(*arguments)
    return time.process_time() - began


def main() -> int:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    limit = importlib.import_module("numba").njit(reference)
    warm = random_bars(2_000)
    columns = warm.rows[SYMBOL]
    limit(columns.open, columns.low, columns.close)
    run_fast(Prepared.of(warm, settings("1m")))
    # First, so that what it takes is not hidden by the longer runs.
    sweep(Prepared.of(random_bars(100_000), settings("1m")), SETS)
    tell("memory of the sweep's process, most", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "MiB")
    sizes = {size: Prepared.of(random_bars(size), settings("1m")) for size in (100_000, 1_000_000)}
    longer = Prepared.of(random_bars(1_000_000), settings("5m"))
    for _ in range(rounds):
        for size, prepared in sizes.items():
            columns = prepared.bars.rows[SYMBOL]
            beside = size / processor_s(limit, columns.open, columns.low, columns.close)
            speed = size / processor_s(run_fast, prepared)
            tell(f"fast runner, {size:,} bars on 1m", speed, "bars/s", beside=beside, beside_name="bare compiled loop")
        speed = 1_000_000 / processor_s(run_fast, longer)
        tell("fast runner, 1,000,000 bars, strategy on 5m", speed, "bars/s")
        prepared = sizes[100_000]
        cpu_s, wall_s = _clocks(prepared, 1)
        vectorbt = _peers.environment("vectorbt")
        theirs = _peers.told_by(vectorbt, "sweep_vectorbt.py", 100_000, PEER_SETS, "sets")
        tell("sweep of 100,000 bars, one thread", len(SETS) / cpu_s, "sets/s", beside=theirs, beside_name="vectorbt")
        # Threads are about time on the wall: on a busy machine this says little.
        _, together_s = _clocks(prepared, 2)
        alone, two = len(SETS) / wall_s, len(SETS) / together_s
        tell("sweep of 100,000 bars, two threads", two, "sets/s", beside=alone, beside_name="one thread")
        spent_s, _ = whole_process(100_000)
        theirs = _peers.told_by(_peers.environment("backtesting"), "bars_backtesting.py", 100_000, "whole")
        tell("fast run, whole process, 100,000 bars", spent_s, "s CPU", beside=theirs, beside_name="backtesting.py")
        exact = processor_s(run_backtest, prepared.bars, settings("5m", "regime_ensemble", RiskSettings()))
        tell("exact, regime ensemble on 5m, 100,000 bars", 100_000 / exact, "bars/s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
