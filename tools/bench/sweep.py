"""What the fast runner costs a bar, and a sweep a set of parameters, beside a loop that does only the arithmetic.

    python -m tools.bench.sweep [rounds]

The limit is one compiled loop over the same bars: two averages, their cross, sizing by a fraction of equity, a stop, a
target, fees, and guards of the day's loss and of drawdown, in floats, with none of the venue's precision, order life or
other guards. CPU time; compiling happens
before the clock starts. Needs numba (`fast`). In a full run vectorbt trades a part of the same sets, and backtesting.py
one of them, each in an environment of its own and without any of the guards.
"""

import importlib
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

import attrs
import numpy as np

from genesis.domain.strategy_arrays import CandleArrays, Floats
from genesis.research.backtest import run_backtest
from genesis.research.bars import BarRecording, Whole
from genesis.research.fast import Prepared, run_fast, sweep
from protocols.settings import RiskSettings, Settings, StrategySettings
from protocols.units import Symbol
from tools.bench import _peers
from tools.bench._figures import is_quick, tell

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
RICH: Final = (("exchange", "USD", Decimal(10_000_000)),)
"""So much that 90,000 trades cannot use it up: a run that ends with an account too small to trade measures less."""
PEER_SETS: Final = 50
SIZES: Final = (100_000, 1_000_000, 5_000_000)
SETS: Final = [{"fast": fast, "slow": slow} for fast in range(5, 45) for slow in range(50, 175, 5)]


def random_bars(bars: int, seed: int = 1) -> BarRecording:
    chance = np.random.default_rng(seed)
    close = np.round(6000 * np.exp(np.cumsum(chance.normal(0, 0.0006, bars))), 1)
    begin = np.concatenate(([6000.0], close[:-1]))
    high = np.round(np.maximum(begin, close) * (1 + np.abs(chance.normal(0, 0.0003, bars))), 1)
    low = np.round(np.minimum(begin, close) * (1 - np.abs(chance.normal(0, 0.0003, bars))), 1)
    # In place: what making them takes is no part of what a run takes, but would be the most that its process held.
    times = np.arange(bars)
    times *= 60_000
    times += FIRST_MS
    volume = chance.random(bars)
    volume *= 20
    np.round(volume, 6, out=volume)
    columns = CandleArrays(open_ms=times, open=begin, high=high, low=low, close=close, volume=volume)
    return BarRecording(
        name="random walk", history={}, rows={SYMBOL: columns}, first_ms=FIRST_MS, last_ms=int(times[-1])
    )


def settings(timeframe: str, kind: str = "ema_cross", risk: RiskSettings = FREE) -> Settings:
    return Settings(
        strategies=(StrategySettings(name="bench", kind=kind, symbol=SYMBOL, timeframe=timeframe),), risk=risk
    )


def reference(days: Whole, opens: Floats, highs: Floats, lows: Floats, closes: Floats) -> float:
    """The arithmetic of a cross in floats: sizing, a stop, a target, and guards of the day's loss and of drawdown."""
    fast = slow = closes[0]
    cash = peak = day_start = 10_000.0
    coins, stop, target, above = 0.0, 0.0, 0.0, False
    for place in range(len(closes) - 1):
        fast += (closes[place] - fast) * (2.0 / 13.0)
        slow += (closes[place] - slow) * (2.0 / 27.0)
        if coins > 0.0 and lows[place] <= stop:
            cash += coins * min(stop, opens[place]) * 0.998
            coins = 0.0
        elif coins > 0.0 and highs[place] >= target:
            cash += coins * target * 0.999
            coins = 0.0
        equity = cash + coins * closes[place]
        peak = max(peak, equity)
        if days[place] != days[place - 1]:
            day_start = equity
        now = fast > slow
        if now and not above and coins == 0.0 and equity > 0.0 * peak and equity > 0.0 * day_start:
            price = opens[place + 1]
            coins = equity * 0.02 / price
            cash -= coins * price * 1.002
            stop, target = price * 0.95, price * 10.0
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


def whole_process(bars: int, *store: str) -> tuple[float, float]:
    """(seconds of processor, MiB) of a process that makes one fast run, and nothing else; of bars in the data store at
    this path, where one is given."""
    told = _whole_run(str(bars), *store).split()
    return float(told[0]), float(told[1])


def _whole_run(*words: str) -> str:
    command = (sys.executable, "-m", "tools.bench._whole_run", *words)
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=_peers.ROOT).stdout


def floats_of(bars: BarRecording) -> tuple[Any, ...]:
    """What the bare loop reads: each row's day, and its prices."""
    columns = bars.rows[SYMBOL]
    return columns.open_ms // 86_400_000, columns.open, columns.high, columns.low, columns.close


def processor_s(call: Callable[..., Any], *arguments: Any) -> float:
    began = time.process_time()
    call(*arguments)
    return time.process_time() - began


def main() -> int:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    limit = importlib.import_module("numba").njit(reference)
    warm = random_bars(2_000)
    limit(*floats_of(warm))
    run_fast(Prepared.of(warm, settings("1m")))
    # First, so that what it takes is not hidden by the longer runs.
    small = Prepared.of(random_bars(100_000), settings("1m"))
    sweep(small, SETS)
    tell("memory of the sweep's process, most", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "MiB")
    sizes = {
        size: Prepared.of(random_bars(size), settings("1m"), balances=RICH) for size in SIZES[: 2 if is_quick() else 3]
    }
    longer = Prepared.of(random_bars(1_000_000), settings("5m"))
    for _ in range(rounds):
        for size, prepared in sizes.items():
            columns = floats_of(prepared.bars)
            tries = max(3, 1_000_000 // size)
            beside = size / min(processor_s(limit, *columns) for _ in range(tries))
            speed = size / min(processor_s(run_fast, prepared) for _ in range(tries))
            tell(f"fast runner, {size:,} bars on 1m", speed, "bars/s", beside=beside, beside_name="bare compiled loop")
        speed = 1_000_000 / processor_s(run_fast, longer)
        tell("fast runner, 1,000,000 bars, strategy on 5m", speed, "bars/s")
        prepared = small
        # The best of three each, as for every line of this page whose work is short.
        alone_s = [_clocks(prepared, 1) for _ in range(3)]
        cpu_s, wall_s = (min(each[place] for each in alone_s) for place in (0, 1))
        vectorbt = _peers.environment("vectorbt")
        theirs = _peers.told_by(vectorbt, "sweep_vectorbt.py", 100_000, PEER_SETS, "sets")
        tell("sweep of 100,000 bars, one thread", len(SETS) / cpu_s, "sets/s", beside=theirs, beside_name="vectorbt")
        # Threads are about time on the wall: on a busy machine this says little.
        together_s = min(_clocks(prepared, 2)[1] for _ in range(3))
        alone, two = len(SETS) / wall_s, len(SETS) / together_s
        tell("sweep of 100,000 bars, two threads", two, "sets/s", beside=alone, beside_name="one thread")
        plain = attrs.evolve(small, compile=False)
        speed = 100_000 / min(processor_s(run_fast, plain) for _ in range(3))
        backtesting = _peers.environment("backtesting")
        theirs = _peers.told_by(backtesting, "bars_backtesting.py", 100_000, "engine")
        without = "fast runner without a compiler, 100,000 bars on 1m"
        tell(without, speed, "bars/s", beside=theirs, beside_name="backtesting.py")
        spent_s, _ = whole_process(100_000)
        theirs = _peers.told_by(backtesting, "bars_backtesting.py", 100_000, "whole")
        tell("fast run, whole process, 100,000 bars", spent_s, "s CPU", beside=theirs, beside_name="backtesting.py")
        if not is_quick():
            with tempfile.TemporaryDirectory() as folder:
                _whole_run("keep", str(SIZES[-1]), folder)
                _, most = whole_process(SIZES[-1], folder)
            theirs = _peers.told_by(vectorbt, "sweep_vectorbt.py", SIZES[-1], 1, "memory")
            tell("memory of a fast run of 5,000,000 bars", most, "MiB", beside=theirs, beside_name="vectorbt")
            _, most = whole_process(SIZES[-1])
            made = "memory of a fast run of 5,000,000 bars that somebody made"
            tell(made, most, "MiB", beside=theirs, beside_name="vectorbt")
        exact = processor_s(run_backtest, prepared.bars, settings("5m", "regime_ensemble", RiskSettings()))
        tell("exact, regime ensemble on 5m, 100,000 bars", 100_000 / exact, "bars/s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
