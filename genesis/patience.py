"""How long the engine is patient with its actors, and how it lets them begin again."""

from typing import Final

import attrs

from genesis.core.backoff import Backoff

JOURNAL_BACKOFF: Final = Backoff(base_s=0.05, cap_s=0.25)
"""While the journal is away nobody can decide anything or look after an order."""
TRADING_BACKOFF_CAP_S: Final = 1.0
"""Longer pauses would keep those who look after orders from ever failing ten times in ten seconds."""
NEVER_GIVES_UP: Final = 1_000_000_000
RISK_READS_S: Final = 600.0
"""How long risk may take to begin: some 30 s for a million verdicts, and a slow disk must not keep an engine down."""
BOOKS_READ_S: Final = 300.0
"""And the account and the order actor, who read 20,000 orders and 100,000 trades: some five seconds of a processor that
many may share. An engine that could not start for that would leave what is open to its stops alone."""
STOPS_WAIT_S: Final = 10.0
"""What a position without its stop can wait for an actor on that way that is slow."""
AUTHORS_S: Final = 75.0
"""What one step of somebody's own strategy may take by the clock: its process starts and reads the file (56 s on a busy
machine), and waits for something (11 s). Each has its end, and the strategy is off then."""
HANG_S: Final = 1.0
"""And for one that hangs: that waits for no disk, no socket and no other actor. What is left takes milliseconds."""


def of_trading(pauses: Backoff) -> Backoff:
    """The pauses of those who look after orders."""
    return attrs.evolve(
        pauses, base_s=min(pauses.base_s, TRADING_BACKOFF_CAP_S), cap_s=min(pauses.cap_s, TRADING_BACKOFF_CAP_S)
    )
