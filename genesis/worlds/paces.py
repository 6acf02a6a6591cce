"""How often somebody looks at something in a world: less often than as shipped, since looks would be most of its steps.

No limit that anybody looks for is as short as the pauses here. One world in sixty keeps the pace of the engine as it
is shipped, so that nothing depends on the difference.
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
import actors.watchdog
import genesis.core.supervisor
import web.actor

AS_SHIPPED_SHARE: Final = 1 / 60

PACES: Final[tuple[tuple[ModuleType, str, float], ...]] = (
    (actors.protection, "LOOK_S", 1.0),
    (actors.protection, "LOOK_AT_LASTING_S", 10.0),
    (actors.pool, "LOOK_S", 30.0),
    (actors.watchdog, "LOOK_S", 15.0),
    (actors.regime, "LOOK_S", 60.0),
    (actors.market_cache, "LOOK_S", 15.0),
    (actors.connection_private, "LOOK_S", 19.0),
    (actors.connection_public, "LOOK_S", 19.0),
    (actors.notifier, "LOOK_S", 60.0),
    (actors.health, "LOOK_S", 60.0),
    (web.actor, "POLL_S", 30.0),
    (web.actor, "PULSE_S", 30.0),
    (genesis.core.supervisor, "WATCHES", 1.0),
)
SPARSE: Final[dict[str, Any]] = {"connection.ping_interval_s": 19.5, "orders.reconcile_interval_s": 600.0}
"""Settings with the same purpose. Heartbeats come every 15 s and keep every silence shorter than its limit."""


@contextlib.contextmanager
def paced(*, as_shipped: bool) -> Iterator[None]:
    """For the time of a run."""
    with contextlib.ExitStack() as stack:
        for module, name, value in () if as_shipped else PACES:
            stack.enter_context(patch.object(module, name, value))
        yield
