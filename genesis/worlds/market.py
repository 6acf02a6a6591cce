"""A made-up market: a seeded walk with trends that turn, so that a quick strategy has something to do all the time."""

import math
import random
from typing import Final

from genesis.domain.recording import CandleRecording
from genesis.domain.replay import MINUTE_MS, CandleRow
from protocols.units import Symbol

START_PRICES: Final = {"tBTCUSD": 40_000.0, "tETHUSD": 2_500.0}
HISTORY_MINUTES: Final = 60
HISTORY_CANDLES: Final = 24
"""The past is as long as the longer of the two: strategies have enough of it."""


def made_up_recording(
    chance: random.Random,
    *,
    first_ms: int,
    minutes: int,
    symbols: tuple[str, ...] = ("tBTCUSD",),
    every: int = 1,
    swing: int = 1,
) -> CandleRecording:
    """`every` says after how many minutes a minute with trades comes again; the others are silent. Trends turn every
    few candles of `swing` minutes."""
    history, rows = {}, {}
    past = max(HISTORY_MINUTES, HISTORY_CANDLES * swing)
    for symbol in symbols:
        walk = _walk(chance, START_PRICES[symbol], first_ms - past * MINUTE_MS, past + minutes, swing)
        history[Symbol(symbol)] = tuple(row for row in walk if row.open_ms < first_ms)
        rows[Symbol(symbol)] = tuple(
            row for row in walk if row.open_ms >= first_ms and (row.open_ms - first_ms) // MINUTE_MS % every == 0
        )
    return CandleRecording(
        name="made up",
        history=history,
        rows=rows,
        first_ms=first_ms,
        last_ms=first_ms + (minutes - 1) * MINUTE_MS,
    )


def _walk(chance: random.Random, price: float, first_ms: int, minutes: int, swing: int) -> list[CandleRow]:
    found = []
    # Prices go as far as the root of the time that they have.
    most = 0.0018 / math.sqrt(swing)
    phase, length = 0.0, 5.0
    for number in range(minutes):
        if chance.random() < 0.05 / swing:
            length = chance.uniform(3.5, 8.0)
        phase += 2 * math.pi / (length * swing)
        moved = most * math.sin(phase) + chance.gauss(0.0, 0.0004)
        closing = round(price * (1 + moved), 1)
        reach = abs(chance.gauss(0.0, 0.0004)) * price
        high, low = round(max(price, closing) + reach, 1), round(min(price, closing) - reach, 1)
        found.append(
            CandleRow(first_ms + number * MINUTE_MS, price, closing, high, low, round(chance.uniform(1, 20), 4))
        )
        price = closing
    return found
