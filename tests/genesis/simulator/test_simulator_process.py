"""The exchange as a process: wrong arguments are told in one line, a right one serves."""

import json
import subprocess
import sys
import urllib.request

import pytest

COMMAND = [sys.executable, "-m", "genesis.simulator"]


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["--recording", "nope"], 1, "nope: must be a recording (one of"),
        (["--speed", "0"], 2, "must be a number above zero or 'max', was '0'"),
        (["--speed", "fast"], 2, "must be a number above zero or 'max', was 'fast'"),
        (["--port", "70000"], 2, "must be in 0..65535, was '70000'"),
        (["--host", "203.0.113.1"], 1, "203.0.113.1:0 must be free to listen on, was not"),
    ],
)
def test_wrong_arguments(arguments: list[str], code: int, text: str) -> None:
    done = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == code
    assert text in done.stderr
    assert "Traceback" not in done.stderr


def test_it_serves_until_it_is_told_to_stop() -> None:
    with subprocess.Popen([*COMMAND, "--at-once", "--control-port", "0"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            lines = dict(process.stdout.readline().strip().split(" ", 1) for _ in range(3))
            with urllib.request.urlopen(f"{lines['rest']}/v2/platform/status", timeout=60) as answer:  # noqa: S310
                assert json.load(answer) == [1]
            with urllib.request.urlopen(f"{lines['control']}/replay", timeout=60) as answer:  # noqa: S310
                assert json.load(answer)["speed"] == 60
            assert lines["websocket"].endswith("/ws/2")
        finally:
            process.send_signal(2)
        assert process.wait(timeout=120) == 0
