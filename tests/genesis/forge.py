"""The program a hundred times without importing it a hundred times: a process that has it in memory and forks.

Each line on stdin is an errand of JSON; each answer is a line of JSON on stdout. The children are whole processes of
the program, with a pid, files and sockets of their own, and they die of SIGKILL like any other. Run as
`python -m tests.genesis.forge`; tests use `Forge`.
"""

import contextlib
import gc
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any


def main() -> None:
    # What a run needs, so that children share it.
    import genesis.running  # noqa: F401
    from genesis.cli.main import main as program

    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        errand = json.loads(line)
        if "wait" in errand:
            _, status = os.waitpid(errand["wait"], 0)
            _say({"code": os.waitstatus_to_exitcode(status)})
            continue
        pid = os.fork()
        if pid == 0:
            _become(errand)
            code = program()
            sys.stdout.flush()
            os._exit(code)
        _say({"pid": pid})


def _become(errand: Mapping[str, Any]) -> None:
    os.setsid()
    os.environ.clear()
    os.environ.update(errand["environment"])
    os.chdir(errand["directory"])
    sys.argv = ["genesis", *errand["arguments"]]
    for number, name in ((0, os.devnull), (1, errand["stdout"]), (2, errand["stderr"])):
        file = os.open(name, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(file, number)
        os.close(file)


def _say(answer: Mapping[str, int]) -> None:
    print(json.dumps(answer), flush=True)


class Forge:
    """The other end of the line."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def _ask(self, errand: Mapping[str, Any]) -> Mapping[str, int]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(errand) + "\n")
        self._process.stdin.flush()
        answer: Mapping[str, int] = json.loads(self._process.stdout.readline())
        return answer

    def start(self, *arguments: str, environment: Mapping[str, str], directory: Path, out: Path) -> int:
        """Begin a life of the program; its pid. What it prints is appended to `out` and to `out` with `.err`."""
        return self._ask(
            {
                "arguments": arguments,
                "environment": dict(environment),
                "directory": str(directory),
                "stdout": str(out),
                "stderr": f"{out}.err",
            }
        )["pid"]

    def wait(self, pid: int) -> int:
        """The exit code of a child that ended or is about to: minus the signal that killed it."""
        return self._ask({"wait": pid})["code"]


@contextlib.contextmanager
def forge() -> Iterator[Forge]:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.genesis.forge"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    ) as process:
        try:
            yield Forge(process)
        finally:
            process.kill()


def cpu_seconds(pid: int) -> float | None:
    """How much of a processor a process has used, from /proc; None once it is gone or a zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    if fields[0] in ("Z", "X"):
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
