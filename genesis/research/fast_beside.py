"""The first sweep of a machine: its longest kernel is compiled by a process of its own, beside the others.

A compiler works for some nine seconds before the first set is traded, nearly all of it Python that holds the
interpreter, so a thread would not help. Half of it is one kernel. Where that is not kept on the disk yet and there is a
second core, a child compiles and keeps it, while this process compiles the rest and then reads what was kept. Nothing
hangs on the child: whatever becomes of it, what is not kept in the end is compiled here, as without it.
"""

import gc
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import attrs
import numpy as np

from genesis.domain.indicators.compiling import can_compile, compile_for, compiled, kept_name

LONGEST_S: Final = 60.0
"""After so long a child is no help any more: it takes six seconds of a core, and 40 among ten that want one."""


@attrs.define
class Beside:
    """A child that compiles one kernel; `end` waits for it, or ends it, and leaves none behind."""

    child: "subprocess.Popen[bytes]"

    def wait(self) -> None:
        """Until it is done. What does not end in time is killed."""
        try:
            self.child.wait(LONGEST_S)
        except subprocess.TimeoutExpired:
            self.end()

    def end(self) -> None:
        """End it where it is not needed any more, and see it off."""
        if self.child.poll() is None:
            self.child.kill()
        self.child.wait()


def compile_beside(function: Callable[..., Any], arguments: Sequence[Any]) -> Beside | None:
    """Begin to compile `function` for arguments like these (arrays in C order, and whole numbers) in a child; None
    where that is no help. Asked again in the same process it begins nothing.

    It is begun before the compiler is loaded here, so whether the function is kept already is looked up by its name
    alone. Where that is told wrongly, a child finds what is kept and ends, or this process compiles as without one.
    """
    if not can_compile() or not sys.executable or _cores() < 2 or is_kept(function):
        return None
    return _begin(function, json.dumps([_type_of(each) for each in arguments]))


@cache
def _tried() -> set[str]:
    """What this process began: where nothing can be kept, each sweep would begin it again."""
    return set()


def _begin(function: Callable[..., Any], types: str) -> Beside | None:
    name = kept_name(function)
    if name in _tried():
        return None
    _tried().add(name)
    # From the very files that this process runs, wherever it stands: what comes of others would be kept elsewhere.
    surroundings = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    try:
        child = subprocess.Popen(  # noqa: S603 - our own interpreter, with our own module
            (sys.executable, "-P", "-m", __name__, function.__module__, function.__name__, types),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=surroundings,
        )
    except OSError:
        # No memory or no process to be had: a reason to go on alone.
        return None
    return Beside(child)


def is_kept(function: Callable[..., Any]) -> bool:
    """Whether machine code of it seems to be kept on the disk, in any of the places where the compiler may keep it."""
    index = f"*.{kept_name(function)}-*.nbi"
    asked = os.environ.get("NUMBA_CACHE_DIR")
    if asked:
        # Then it looks nowhere else.
        return _is_in(Path(asked), index)
    own = Path(function.__code__.co_filename).parent / "__pycache__"
    return any(True for _ in own.glob(index)) or any(_is_in(folder, index) for folder in _kept_elsewhere())


def _is_in(folder: Path, index: str) -> bool:
    """A folder with a folder for each source."""
    return folder.is_dir() and any(True for _ in folder.glob(f"*/{index}"))


def _kept_elsewhere() -> list[Path]:
    """Each system's usual folders of a user."""
    home = Path(os.path.expanduser("~"))
    usual = (os.environ.get("XDG_CACHE_HOME") or home / ".cache", home / "Library" / "Caches")
    windows = os.environ.get("LOCALAPPDATA")
    places = [Path(each) / "numba" for each in usual]
    return places + ([Path(windows) / "numba" / "Cache"] if windows else [])


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


# --- what an argument is, told to the child ---------------------------------------------------------------------------


def _type_of(argument: Any) -> tuple[str, int, bool] | None:
    """(kind of number, dimensions, whether it may be written to) of an array; None of a whole number."""
    if isinstance(argument, int):
        return None
    return argument.dtype.str, argument.ndim, bool(argument.flags.writeable)


def _like(told: Sequence[Any] | None) -> Any:
    if told is None:
        return 0
    kind, dimensions, may_write = told
    array = np.empty((0,) * dimensions, dtype=kind)
    array.flags.writeable = may_write
    return array


def main(arguments: Sequence[str]) -> int:
    """The child: 0 when the function is compiled and kept, 1 when there is no place to keep it."""
    module, name, types = arguments
    made = compiled(getattr(importlib.import_module(module), name), kept=True, inline=False)
    return 0 if compile_for(made, *map(_like, json.loads(types))) else 1


if __name__ == "__main__":
    # It lives to compile once: to look for garbage, and to take everything down in order, would be a sixth of its time.
    gc.disable()
    os._exit(main(sys.argv[1:]))
