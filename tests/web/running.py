"""The program as a user starts it, on a free port, until the test is done with it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROGRAM = Path(sys.executable).with_name("genesis")
OURS = ("GENESIS_", "BITFINEX_", "JWT_", "AUTH_", "ACCESS_")


@contextmanager
def a_run(home: Path, *arguments: str, **environment: str) -> Iterator[str]:
    """`genesis run` in mode sim; gives the page's address. Stops it as Ctrl-C does."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    process = subprocess.Popen(
        [PROGRAM, "run", "--port", "0", "--speed", "60", "--data-dir", home, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=home,
        env={**clean, "GENESIS_LOGS__LEVEL": "error", **environment},
    )
    try:
        assert process.stdout is not None
        yield next(line for line in process.stdout if line.startswith("page: ")).split()[1].split("/?")[0]
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=120)
