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
    EXACT_BIG: "an amount is larger than the quick way counts",
}

ENTRY: Final = 0
EXIT: Final = 1
STOP: Final = 2
TARGET: Final = 3

LARGEST: Final = 9.0e18
COARSE: Final = 60_000_000 * 100_000_000
"""Amounts from here on are cut to 15 digits (`floor_amount`), in steps of eight decimals."""
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

# Places in an event's record (float64): the score that makes it, and what an order at it would meet.
E_SCORE: Final = 0
E_MINUTE: Final = 1
E_FLAGS: Final = 2
E_CLOSE: Final = 3
E_ROW: Final = 4
"""The first row at or after the score's minute; there may be none. In it an order fills, as what follows says: a buy,
and a sale."""
E_OPEN: Final = 5
E_PRICE: Final = 5
"""Once it is known, the price stands where the row's open was."""
E_DECIMALS: Final = 6
E_ASK: Final = 7
E_STOP: Final = 8
E_TARGET: Final = 9
E_TARGET_PRICE: Final = 10
E_TARGET_DECIMALS: Final = 11
E_WHY: Final = 12
"""DONE, or why only the exact runner can place this buy."""
E_SALE: Final = 13
E_SALE_DECIMALS: Final = 14
E_ROW_MINUTE: Final = 15
RECORD: Final = 16
"""Numbers of a record: as many as two lines of the processor's memory hold."""

# Places in a fill (int64).
F_WHAT: Final = 0
F_ROW: Final = 1
F_TICK: Final = 2
F_QUANTITY: Final = 3
F_PRICE: Final = 4
F_DECIMALS: Final = 5
F_NOTIONAL: Final = 6
F_FEE: Final = 7
F_MINUTE: Final = 8
FILL: Final = 9

NOWHERE_LOW: Final = -1.0
NOWHERE_HIGH: Final = 1e300
"""Where protective orders stand when there are none: out of reach."""

# Bits of a score's flags.
MAY_OPEN: Final = 1
NEW_DAY: Final = 2
NEW_WEEK: Final = 4
IS_WILD: Final = 8
TRIPS: Final = 16

FIGURES: Final = 9
"""Figures of one set: drawdown, periods, mean and squares of returns, equity, trades, wins, fees, refused entries."""
