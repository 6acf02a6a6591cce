"""The examples run as their users run them, against the simulator."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("script", "which", "words"),
    [
        ("rest.py", "rest", ("Ticker(symbol='tBTCUSD'", "Candle(", "exchange USD 10000")),
        ("websocket.py", "websocket", ("StreamUp(", "Ticker(symbol='tBTCUSD'", '[0,"ws",', '[0,"os",')),
    ],
)
def test_an_example_runs_public_and_signed(script: str, which: str, words: tuple[str, ...], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "genesis.simulator", "--at-once", "--recording", "2018-02-crash"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as exchange:
        try:
            assert exchange.stdout is not None
            address = dict(exchange.stdout.readline().strip().split(" ", 1) for _ in range(2))
            done = subprocess.run(
                [sys.executable, ROOT / "examples" / script, "--url", address[which]],
                env=os.environ
                | {"BITFINEX_API_KEY": "genesis-sim-key", "BITFINEX_API_SECRET": "genesis-sim-secret"}
                | {"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)},
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
        finally:
            exchange.kill()
    assert done.returncode == 0, done.stderr
    assert [word for word in words if word not in done.stdout] == []
