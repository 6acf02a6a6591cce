"""A file that says how the running engine is, for whoever watches it without a socket: a container, a human with `cat`.

It is written anew every few seconds. A file whose `at_ms` is older than three times `every_s` tells of an engine that
stands still or is gone, whatever its `state` says.
"""

import contextlib
import json
import os
from pathlib import Path
from typing import Final

import attrs
import msgspec

MISSED_BEFORE_OLD: Final = 3


@attrs.frozen(kw_only=True)
class Health:
    """`state` is starting, running, stopping or stopped; `ready` says that orders may leave. `waits` is what a start
    waits for: venue, feed or start (its own records); empty for an engine that runs."""

    pid: int
    mode: str
    state: str
    ready: bool
    at_ms: int
    every_s: float
    trading: str
    orders_open: int
    orders_in_doubt: int
    actor_crashes: int
    dead_letters: int
    longest_block_s: float
    waits: str = ""

    def is_fresh(self, now_ms: int) -> bool:
        """False for an engine that should have written again by now."""
        return self.state == "running" and 0 <= now_ms - self.at_ms <= self.every_s * 1000 * MISSED_BEFORE_OLD

    def write(self, path: Path) -> bool:
        """Replace the file as a whole. False when the disk does not want it, which must not stop trading."""
        draft = path.with_name(path.name + ".new")
        with contextlib.suppress(OSError):
            handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "w") as out:
                json.dump(attrs.asdict(self), out)
            draft.replace(path)
            return True
        return False


def read_health(path: Path) -> Health | None:
    """None when there is none or it makes no sense."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Health)
    except (OSError, msgspec.MsgspecError, ValueError):
        return None
