"""What a hostile strategy file may not do, tried from inside its process; and that the engine outlives all of it."""

import os
import platform
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from genesis.domain.signal_machine import SignalMachine
from genesis.domain.strategies import STRATEGY_KINDS, StrategyShelf
from genesis.edge.confine import _MACHINES, REFUSED, filter_of, has_seccomp, landlock_version
from genesis.user_strategies import Budget, UserStrategies
from protocols.settings import Settings, StrategySettings
from tests.recorded_candles import as_closed, recorded_candles

CANDLES = [as_closed(candle) for candle in recorded_candles()[:4]]
TEXT = """
from genesis.strategy_kit import *
import os, sys

class Mine(Strategy):
    def on_candle(self, bar, memory):
        TRY
"""
needs_files = pytest.mark.skipif(landlock_version() == 0, reason="the kernel has no Landlock")
needs_calls = pytest.mark.skipif(not has_seccomp(), reason="the kernel takes no filter")


class Place:
    """A user directory with a secret, and one strategy in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files = root / "strategies"
        self.files.mkdir(parents=True)
        (root / "secrets").mkdir()
        self.secret = root / "secrets" / "key"
        self.secret.write_text("do not tell")
        self.shelf = StrategyShelf(tuple(STRATEGY_KINDS.shipped.values()))
        self.strategies = UserStrategies(self.files, shelf=self.shelf, budget=Budget(end_s=1.0, wall_s=6.0))

    def fault(self, tried: str) -> str:
        """What came of one step that tries something; empty when it could."""
        (self.files / "mine.py").write_text(TEXT.replace("TRY", tried))
        told = self.strategies.refresh()
        assert [level for level, _ in told] == ["info"], told
        mine = StrategySettings(name="mine", kind="mine", symbol="tBTCUSD", timeframe="1m")
        ema = StrategySettings(name="ema", kind="ema_cross", symbol="tBTCUSD", timeframe="1m")
        machine = SignalMachine(Settings(strategies=(mine, ema)), self.shelf)
        said = [score.strategy for closed in CANDLES for score in machine.on_candle(closed)]
        assert said.count("ema") == len(CANDLES), "the others go on"
        return machine.new_faults().get("mine", "")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    made.strategies.close()


@needs_files
@pytest.mark.parametrize(
    "tried",
    [
        "open(SECRET).read()",
        "open('/proc/' + str(os.getppid()) + '/environ').read()",
        "open('/etc/passwd').read()",
        "open(STRATEGIES + '/mine.py', 'a')",
        "open('/tmp/left-behind', 'w')",
        "os.remove(SECRET)",
        "os.listdir(HOME)",
    ],
)
def test_files_are_closed_off(place: Place, tried: str) -> None:
    for word, path in (("SECRET", place.secret), ("STRATEGIES", place.files), ("HOME", place.root)):
        tried = tried.replace(word, repr(str(path)))
    assert "mine.py, line 7: PermissionError" in place.fault(tried)
    assert place.secret.read_text() == "do not tell"


@needs_calls
@pytest.mark.parametrize(
    "tried",
    [
        "import socket; socket.socket()",
        "os.fork()",
        "import subprocess; subprocess.run(['/bin/true'])",
        "os.kill(os.getppid(), 9)",
        "os.execv('/bin/true', ['true'])",
    ],
)
def test_network_programs_processes_and_signals_are_refused(place: Place, tried: str) -> None:
    assert "mine.py, line 7: PermissionError" in place.fault(tried)


@pytest.mark.parametrize(
    ("tried", "told"),
    [
        ("x = bytearray(4 << 30)", "mine.py, line 7: MemoryError"),
        ("while True: pass", "line 7: must answer within its time"),
        ("import time; time.sleep(60)", "line 7: must answer within its time"),
        ("os._exit(7)", "its process was lost: the process ended with code 7"),
        ("[os.write(fd, b'\\xff' * 64) for fd in range(3, 20)]", "mine.py"),
        ("return float('nan')", "on_candle must return buy"),
        ("raise KeyboardInterrupt", "line 7: KeyboardInterrupt"),
        ("os.abort()", "its process was lost"),
        ("sys.setrecursionlimit(10**9); f = lambda: f(); f()", "mine.py"),
    ],
)
def test_whatever_it_does_hurts_itself_only(place: Place, tried: str, told: str) -> None:
    assert told in place.fault(tried)


def test_what_is_printed_has_an_end(place: Place, capfd: pytest.CaptureFixture[str]) -> None:
    assert place.fault("print('garbage' * 100_000); print('more'); sys.stderr.write('x' * 9_000)") == ""
    printed = capfd.readouterr().err
    assert 0 < printed.count("garbage") < 1_000 * len(CANDLES)
    assert "a step may print no more" in printed


def test_it_begins_with_nothing(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BITFINEX_API_SECRET", "do not tell")
    monkeypatch.setenv("SOMETHING", "else")
    kept = "{'LANG', 'LC_ALL', 'LC_CTYPE', 'PYTHONPATH', 'PYTHONHASHSEED'}"
    odd = f"assert {{n for n in os.environ if not n.endswith('_THREADS')}} <= {kept}, dict(os.environ)"
    assert place.fault(odd) == ""
    assert place.fault("assert os.getcwd() != '/' and os.path.basename(os.getcwd()).startswith('genesis-strat')") == ""


def test_sets_have_one_order_in_every_process(place: Place) -> None:
    """A step must be a function of what it is given: the order of a set of texts hangs on a seed."""
    (place.files / "mine.py").write_text(TEXT.replace("TRY", "return hold(','.join({'a', 'b', 'c', 'd', 'e'}))"))
    reasons = set()
    for _ in range(2):
        strategies = UserStrategies(place.files, shelf=place.shelf)
        strategies.refresh()
        mine = StrategySettings(name="mine", kind="mine", symbol="tBTCUSD", timeframe="1m")
        machine = SignalMachine(Settings(strategies=(mine,)), place.shelf)
        reasons.add(machine.on_candle(CANDLES[0])[0].reasons)
        strategies.close()
    assert len(reasons) == 1


def test_useful_things_still_work(place: Place) -> None:
    """Libraries, the kit's own parts, a helper beside the file, and threads of a library."""
    (place.files / "_helper.py").write_text("WORD = 'help'")
    tried = "import json, decimal, numpy as np, threading, _helper, zoneinfo; from genesis.domain import regime"
    tried += "\n        t = threading.Thread(target=lambda: None); t.start(); t.join(); np.linalg.inv(np.eye(3))"
    tried += "\n        zoneinfo.ZoneInfo('Europe/Stockholm'); return hold(_helper.WORD)"
    assert place.fault(tried) == ""


def test_the_filter_knows_every_call_of_both_machines() -> None:
    x86, arm = _MACHINES["x86_64"], _MACHINES["aarch64"]
    assert set(REFUSED) - x86[1].keys() == set()
    # ARM64 was made without them; `clone` and `execve` do what they did.
    assert set(REFUSED) - arm[1].keys() == {"fork", "vfork"}
    for machine in (x86, arm):
        lines = list(struct.iter_unpack("=HBBI", filter_of(*machine)))
        assert all(place + 1 + max(line[1], line[2]) < len(lines) for place, line in enumerate(lines) if line[0] != 6)
    assert platform.machine() in _MACHINES or not has_seccomp()
    assert os.getpid() > 0
