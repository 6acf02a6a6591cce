"""What the kernels of the fast runner are told and answer: places in their arrays, and why they stopped."""

from typing import Final

# Why the loop stopped.
DONE: Final = 0
EXACT_TIE: Final = 1
EXACT_ADDS: Final = 2
EXACT_WAITS: Final = 3
EXACT_STARVED: Final = 4
EXACT_SMALL: Final = 5
EXACT_BIG: Final = 6
REASONS: Final = {
    EXACT_TIE: "a limit is met to the last digit",
    EXACT_ADDS: "the strategy adds to a position that it holds",
    EXACT_WAITS: "the strategy speaks while its order waits for the next trade",
    EXACT_STARVED: "an entry costs more than there is",
    EXACT_SMALL: "a position is too small to be protected or closed",
    EXACT_BIG: "an amount is larger than 64 bits can hold",
}

ENTRY: Final = 0
EXIT: Final = 1
STOP: Final = 2
TARGET: Final = 3

LARGEST: Final = 9.0e18
RESULTS_KEPT: Final = 256
LONGEST_PAUSES: Final = 8.0

# Places in `numbers` (int64): what settings, pair and fill model say.
N_PRICE_DECIMALS: Final = 0
N_SPREAD_UP: Final = 1
N_SPREAD_DOWN: Final = 2
N_SLIP_UP: Final = 3
N_SLIP_DOWN: Final = 4
N_COST_DECIMALS: Final = 5
N_TAKER: Final = 6
N_MAKER: Final = 7
N_FEE_DECIMALS: Final = 8
N_FRACTION: Final = 9
N_CUT: Final = 10
N_FRACTION_DECIMALS: Final = 11
N_CAP: Final = 12
N_MINIMUM: Final = 13
N_MAXIMUM: Final = 14
N_STOP_FRACTION: Final = 15
N_TARGET_FRACTION: Final = 16
N_DISTANCE_DECIMALS: Final = 17
N_TRADES_A_DAY: Final = 18
N_MAY_ENTER: Final = 19
N_COOLDOWN_MS: Final = 20
N_EXIT_LOCK_MS: Final = 21
N_GUARD_LOSSES: Final = 22
N_GUARD_WINDOW_MS: Final = 23
N_GUARD_LOCK_MS: Final = 24
N_PROFIT_TRADES: Final = 25
N_PROFIT_WINDOW_MS: Final = 26
N_PROFIT_LOCK_MS: Final = 27
N_BREAKER_MS: Final = 28
N_PROBES: Final = 29
N_CASH: Final = 30
N_LOW_FIRST: Final = 31
NUMBERS: Final = 32

# Places in `limits` (float64).
L_DAILY: Final = 0
L_WEEKLY: Final = 1
L_DRAWDOWN: Final = 2
L_STRATEGY: Final = 3
L_ATR_BUDGET: Final = 4
L_STOP_ATR: Final = 5
L_TARGET_ATR: Final = 6
L_SLIPPAGE_BPS: Final = 7
L_PROFIT: Final = 8
LIMITS: Final = 9

FIGURES: Final = 9
"""Figures of one set: drawdown, periods, mean and squares of returns, equity, trades, wins, fees, refused entries."""
