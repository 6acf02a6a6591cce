"""Every shell example of the README and the documentation is run, as its reader would, beside a running engine."""

import csv
import gzip
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from genesis.domain.recording import CandleRecording
from genesis.edge import run_file
from genesis.simulator.recordings import DEFAULT, load
from protocols.units import Symbol
from tests.deploy.shell_examples import PAGES, ROOT, examples, script, unfenced

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(shutil.which("bash") is None or shutil.which("curl") is None, reason="needs bash and curl"),
]

FORKS = Path(__file__).with_name("genesis_forks.py")
GENESIS = Path(sys.executable).with_name("genesis")
RUN_ONCE = """#!/bin/bash
# `genesis run` goes on until it is told to stop: here it is told so once it has greeted.
if [ "${1:-}" != run ]; then exec "$PYTHON" -S -E "$FORKS" ask "$FORKS_SOCKET" "$@"; fi
shift
coproc "$REAL_GENESIS" run --data-dir "$(mktemp -d)" --port 0 "$@"
engine=$COPROC_PID
while read -r line <&"${COPROC[0]}"; do
    echo "$line"
    case $line in page:*) kill -TERM "$engine" ;; esac
done
wait "$engine"
"""
RUNNABLE = [page for page in PAGES if any(example.why_not is None for example in examples(page))]


@attrs.frozen
class Desk:
    """Where the reader sits: the engine's port, and the environment of the shell."""

    folder: Path
    port: int
    environment: dict[str, str]


def a_market(path: Path) -> None:
    """Two days of minutes, as a file that somebody brings."""
    recording = load(DEFAULT)
    assert isinstance(recording, CandleRecording)
    rows = recording.rows[Symbol("tBTCUSD")][:2880]
    with gzip.open(path, "wt", newline="") as file:
        out = csv.writer(file)
        out.writerow(("time", "open", "close", "high", "low", "volume"))
        out.writerows((row.open_ms, row.open, row.close, row.high, row.low, row.volume) for row in rows)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("reader")
    home = folder / "genesis_data"
    (folder / "bin").mkdir()
    (folder / "bin" / "genesis").write_text(RUN_ONCE)
    (folder / "bin" / "genesis").chmod(0o755)
    a_market(folder / "BTCUSD-1m-2018.csv.gz")
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("GENESIS_", "BITFINEX_", "JWT_"))
    }
    environment |= {
        "PATH": f"{folder / 'bin'}:{GENESIS.parent}:{os.environ['PATH']}",
        "REAL_GENESIS": str(GENESIS),
        "PYTHON": sys.executable,
        "FORKS": str(FORKS),
        "FORKS_SOCKET": str(folder / "forks"),
        "GENESIS_HOME": str(home),
        "NO_COLOR": "1",
    }
    run = [str(GENESIS), "run", "--dev", "--speed", "300", "--port", "0"]
    serve = [sys.executable, str(FORKS), "serve", environment["FORKS_SOCKET"]]
    with (
        subprocess.Popen(serve, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as forks,
        subprocess.Popen(run, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True) as engine,
    ):
        assert forks.stdout is not None
        assert engine.stdout is not None
        assert forks.stdout.readline() == "ready\n"
        while not engine.stdout.readline().startswith("page: "):
            assert engine.poll() is None
        told = run_file.read(home / "run.json")
        assert told is not None
        port = int(told.address.rpartition(":")[2])
        (folder / "old").mkdir()
        subprocess.run([GENESIS, "backup", "take", folder / "old"], env=environment, check=True, capture_output=True)
        (taken,) = (folder / "old").glob("*/sim.sqlite")
        shutil.copy(taken, folder / "old" / "sim.sqlite")
        # A reader asks why when there is something to ask about.
        why, deadline = [str(GENESIS), "why", "tBTCUSD"], time.monotonic() + 300
        while subprocess.run(why, env=environment, check=False, capture_output=True).returncode:
            assert time.monotonic() < deadline, "the engine must decide about tBTCUSD within 300 s, did not"
        yield Desk(folder, port, environment)
        engine.send_signal(signal.SIGTERM)
        engine.communicate(timeout=120)
        forks.kill()
    assert engine.returncode == 0


@pytest.mark.parametrize("page", RUNNABLE, ids=lambda page: page.name)
def test_the_examples_of_a_page_work_one_after_the_other(desk: Desk, page: Path) -> None:
    done = subprocess.run(
        ["bash", "-c", script(page, desk.port)],
        cwd=desk.folder,
        env=desk.environment,
        input="a secret that is pasted\n",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def test_a_block_that_is_not_run_says_why_and_they_are_few() -> None:
    every = [example for page in PAGES for example in examples(page)]
    left = [example for example in every if example.why_not is not None]
    for example in left:
        print(f"{example.page}:{example.line} is not run: {example.why_not}")
        assert len(example.why_not or "") > 20, f"{example.page}:{example.line} must say why it is not run"
        for path in re.findall(r"tests/[\w/.]+", example.why_not or ""):
            assert (ROOT / path).exists(), f"{example.page}:{example.line} names {path}, which must be there"
    run = sum(len(example.text.splitlines()) for example in every if example.why_not is None)
    assert run > 3 * sum(len(example.text.splitlines()) for example in left)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_command_hides_in_a_block_that_is_not_a_shells(page: Path) -> None:
    assert unfenced(page) == []
