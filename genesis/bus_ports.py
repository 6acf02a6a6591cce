"""The configuration bus of a run, if its environment names one."""

import importlib
import importlib.util
import os
from collections.abc import Callable, Mapping
from typing import Final

from actors.config_bus import BusPorts
from genesis.domain.config_bus import SHORTEST_SECRET
from genesis.edge.secrets import Secret
from genesis.run_options import CannotStart, ExitCode

CLIENT: Final = "coredis"


def load_client(environment: Mapping[str, str]) -> None:
    """Import the bus's client where one is wanted, before the event loop turns: it takes a second, and longer on a busy
    machine, in which the loop would stand still."""
    if environment.get("GENESIS_REDIS_URL", "").strip() and importlib.util.find_spec(CLIENT) is not None:
        importlib.import_module(CLIENT)


def bus_ports(environment: Mapping[str, str], wall_ms: Callable[[], int]) -> BusPorts | None:
    """Where the bus is; None without GENESIS_REDIS_URL. Raises CannotStart when it cannot be used as it is named."""
    url = environment.get("GENESIS_REDIS_URL", "").strip()
    if not url:
        return None
    secret = environment.get("GENESIS_BUS_SECRET", "").strip()
    if not url.startswith(("redis://", "rediss://")):
        raise CannotStart("GENESIS_REDIS_URL must begin with redis:// or rediss://", ExitCode.CONFIGURATION)
    if len(secret) < SHORTEST_SECRET:
        text = f"GENESIS_BUS_SECRET must have {SHORTEST_SECRET} characters or more, had {len(secret)}"
        raise CannotStart(text, ExitCode.CONFIGURATION)
    if importlib.util.find_spec(CLIENT) is None:
        text = "the configuration bus needs the extra redis: pip install 'genesis-engine[redis]'"
        raise CannotStart(text, ExitCode.CONFIGURATION)
    return BusPorts(url=Secret(url), secret=Secret(secret), name=os.urandom(6).hex(), wall_ms=wall_ms)
