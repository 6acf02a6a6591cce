"""How often somebody looks at something in a world: less often than as shipped, since looks would be most of its steps.

No limit that anybody looks for is as short as the pauses here. One world in sixty keeps the pace of the engine as it
is shipped, so that nothing depends on the difference.

And what of the market is heard: its order book and its trades are more than half of all frames, and nothing is decided
by them but how deep an order at market would reach. One world in five hears them, each whose plan spoils a checksum,
and each with a shadow, whose orders on paper are filled by trades.
"""

import contextlib
from collections.abc import Iterator
from types import ModuleType
from typing import Any, Final
from unittest.mock import patch

import actors.connection_private
import actors.connection_public
import actors.health
import actors.market_cache
import actors.notifier
import actors.pool
import actors.protection
import actors.regime
import actors.rollout
import actors.watchdog
import genesis.core.supervisor
import genesis.domain.order_questions
import genesis.engine
import web.actor
from protocols.bitfinex.subscriptions import Subscription, candles, ticker
from protocols.settings import MarketSettings

AS_SHIPPED_SHARE: Final = 1 / 60
WITH_BOOK_SHARE: Final = 0.2
BOOK_FAULT: Final = "bad_checksum"
"""What needs a book to happen to."""

PACES: Final[tuple[tuple[ModuleType, str, float], ...]] = (
    (actors.protection, "LOOK_S", 1.0),
    (actors.protection, "LOOK_AT_LASTING_S", 10.0),
    (actors.pool, "LOOK_S", 30.0),
    (actors.watchdog, "LOOK_S", 15.0),
    (actors.regime, "LOOK_S", 60.0),
    (actors.rollout, "LOOK_S", 5.0),
    (actors.market_cache, "LOOK_S", 45.0),
    (actors.connection_private, "LOOK_S", 19.0),
    (actors.connection_public, "LOOK_S", 19.0),
    (actors.notifier, "LOOK_S", 60.0),
    (actors.health, "LOOK_S", 60.0),
    (web.actor, "POLL_S", 30.0),
    (web.actor, "PULSE_S", 30.0),
    (genesis.core.supervisor, "WATCHES", 1.0),
    (genesis.domain.order_questions, "GLANCE_S", 5.0),
)
SPARSE: Final[dict[str, Any]] = {"connection.ping_interval_s": 19.5, "orders.reconcile_interval_s": 600.0}
"""Settings with the same purpose. Heartbeats come every 15 s and keep every silence shorter than its limit."""


def streams_without_book(market: MarketSettings) -> tuple[Subscription, ...]:
    """As `wanted_streams`, of prices and candles alone."""
    return tuple(
        stream
        for symbol in market.symbols
        for stream in (ticker(symbol), *(candles(symbol, timeframe) for timeframe in market.timeframes))
    )


@contextlib.contextmanager
def paced(*, as_shipped: bool, with_book: bool = True) -> Iterator[None]:
    """For the time of a run."""
    with contextlib.ExitStack() as stack:
        for hears in () if with_book else (actors.pool, genesis.engine):
            stack.enter_context(patch.object(hears, "wanted_streams", streams_without_book))
        for module, name, value in () if as_shipped else PACES:
            stack.enter_context(patch.object(module, name, value))
        yield
