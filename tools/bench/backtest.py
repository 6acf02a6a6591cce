"""How many one-minute bars a second the exact backtest walks, beside a bare loop over the same rows.

    python -m tools.bench.backtest [rounds]

One symbol of a seeded random walk, with default risk, brackets, fees and slippage: a strategy on 1m and on 5m candles,
twice the length and trades to show that cost grows with the work, and the shipped crash with default settings. CPU
time.
"""

import gc
import random
import sys
import time
from decimal import Decimal
from typing import Any

import msgspec

from genesis.domain.indicators.averages import ema_start, ema_step
from genesis.domain.recording import CandleRecording
from genesis.domain.replay import MINUTE_MS, CandleRow
from genesis.domain.settings_build import Built, Layer, build
from genesis.research.backtest import run_backtest
from genesis.simulator.recordings import load
from protocols.settings import Settings
from protocols.units import Symbol
from tools.bench import _peers
from tools.bench._figures import tell

BARS = 100_000
FIRST_MS = 1_542_067_200_000
SYMBOL = Symbol("tBTCUSD")


def random_walk(bars: int, seed: int = 1) -> CandleRecording:
    chance = random.Random(seed)  # noqa: S311 - chosen to be had again
    price = 6000.0
    rows: list[CandleRow] = []
    for number in range(bars):
        begin, price = price, round(price * (1 + chance.gauss(0, 0.0006)), 1)
        high = round(max(begin, price) * (1 + abs(chance.gauss(0, 0.0003))), 1)
        low = round(min(begin, price) * (1 - abs(chance.gauss(0, 0.0003))), 1)
        open_ms = FIRST_MS + number * MINUTE_MS
        rows.append(CandleRow(open_ms, begin, price, high, low, round(chance.random() * 20, 6)))
    return CandleRecording(
        name="random walk",
        history={SYMBOL: ()},
        rows={SYMBOL: tuple(rows)},
        first_ms=FIRST_MS,
        last_ms=rows[-1].open_ms,
    )


def settings(values: dict[str, Any]) -> Settings:
    built = build((Layer(name="bench", values=values),) if values else ())
    assert isinstance(built, Built), built
    return built.settings


def one_strategy(timeframe: str) -> Settings:
    strategy = {"name": "bench", "kind": "ema_cross", "symbol": SYMBOL, "timeframe": timeframe}
    return settings({"strategies": [strategy]})


def to_the_end(narrow: Settings) -> Settings:
    """The same, but no loss ends it: on a random walk fees do, half way, and what follows is cheaper than trades."""
    losses = ("max_daily_loss", "max_weekly_loss", "max_drawdown", "max_strategy_drawdown")
    limits = msgspec.structs.replace(narrow.risk, **dict.fromkeys(losses, Decimal(1)))
    return msgspec.structs.replace(narrow, risk=limits)


def bars_a_second(recording: CandleRecording, wanted: Settings) -> float:
    # Else one run of three pays for what the ones before it left to be thrown away.
    gc.collect()
    began = time.process_time()
    result = run_backtest(recording, wanted)
    return result.candles / (time.process_time() - began)


def bare_loop(recording: CandleRecording) -> float:
    """Two averages and a comparison a bar: what plain Python needs to look at the rows at all."""
    began = time.process_time()
    bars = crossings = 0
    for rows in recording.rows.values():
        fast, slow, above = ema_start(12), ema_start(26), False
        for row in rows:
            now = ema_step(fast, 0, row.close) > ema_step(slow, 0, row.close)
            crossings += now != above
            above = now
            bars += 1
    return bars / (time.process_time() - began)


def main() -> int:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    short, long, crash = random_walk(BARS), random_walk(2 * BARS), load("2018-02-crash")
    assert isinstance(crash, CandleRecording)
    for _ in range(rounds):
        limit = bare_loop(short)
        beside = "bare loop"
        for timeframe in ("1m", "5m"):
            speed = bars_a_second(short, one_strategy(timeframe))
            tell(f"backtest, strategy on {timeframe}", speed, "bars/s", beside=limit, beside_name=beside)
        wide = to_the_end(one_strategy("5m"))
        half, doubled = bars_a_second(short, wide), bars_a_second(long, wide)
        tell("backtest, 5m, trading to the end", half, "bars/s", beside=limit, beside_name=beside)
        tell("backtest, twice the bars and trades", doubled, "bars/s", beside=half, beside_name="half as many")
        theirs = _peers.told_by(_peers.environment("backtesting"), "bars_backtesting.py", BARS, "engine")
        if theirs is not None:
            tell("backtesting.py, cross on 1m, no guards", theirs, "bars/s", beside=limit, beside_name=beside)
        crashed = bars_a_second(crash, settings({}))
        tell("backtest, shipped crash, default settings", crashed, "bars/s", beside=limit, beside_name=beside)
    return 0


if __name__ == "__main__":
    sys.exit(main())
