"""Runs the engine and counts what it keeps: objects by type, and memory by the line that asked for it.

    python -m tools.census FOLDER EVERY_S -- run --speed 20 ...

A thread writes census-NNN.json to the folder every so often: live objects by type as the collector sees them, the sizes
of the largest containers, and, unless `CENSUS=objects`, tracemalloc's bytes by line and by file. It slows the
engine by half and stops it for a moment each time, so it is for finding growth, not for measuring latency.
"""

import collections
import ctypes
import gc
import json
import os
import sys
import threading
import time
import tracemalloc
from pathlib import Path
from typing import Any, Final

FRAMES: Final = 6
LINES: Final = 400
CONTAINERS: Final = 60


def census() -> dict[str, Any]:
    """Objects by type, and the longest containers with the type of one of their elements."""
    gc.collect()
    counts: collections.Counter[str] = collections.Counter()
    longest: list[tuple[int, str]] = []
    for one in gc.get_objects():
        kind = type(one)
        counts[f"{kind.__module__}.{kind.__qualname__}"] += 1
        if kind in (list, dict, set, tuple, collections.deque) and len(one) > 500:
            try:
                first = next(iter(one.items() if kind is dict else one))
            except (RuntimeError, StopIteration):
                continue
            longest.append((len(one), f"{kind.__name__} of {repr(first)[:160]}"))
    longest.sort(reverse=True)
    return {"objects": dict(counts.most_common(300)), "containers": longest[:CONTAINERS]}


def allocations() -> list[tuple[int, int, str]]:
    """(bytes, blocks, innermost frames) of the largest allocators."""
    snapshot = tracemalloc.take_snapshot()
    told = snapshot.statistics("traceback")[:LINES]
    return [
        (one.size, one.count, " < ".join(f"{frame.filename}:{frame.lineno}" for frame in reversed(list(one.traceback))))
        for one in told
    ]


class _Mallinfo2(ctypes.Structure):
    """Of glibc's <malloc.h>, from 2.33 on."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            "arena",
            "ordblks",
            "smblks",
            "hblks",
            "hblkhd",
            "usmblks",
            "fsmblks",
            "uordblks",
            "fordblks",
            "keepcost",
        )
    )


def native() -> dict[str, int]:
    """KiB that C's allocator has from the system, uses, and keeps free; and what the maps of the process hold."""
    told: dict[str, int] = {}
    library = ctypes.CDLL(None)
    if hasattr(library, "mallinfo2"):
        library.mallinfo2.restype = _Mallinfo2
        info = library.mallinfo2()
        told = {name: getattr(info, name) // 1024 for name in ("arena", "hblkhd", "uordblks", "fordblks", "keepcost")}
    kind, name = "", ""
    for line in Path("/proc/self/smaps").read_text().splitlines():
        head = line.split()
        if "-" in head[0]:
            name = head[5] if len(head) > 5 else ""
            size = (int(head[0].split("-")[1], 16) - int(head[0].split("-")[0], 16)) // 1024
            kind = name if name.startswith("[") else "files" if name else f"anonymous {'1M' if size == 1024 else ''}"
        elif head[0] == "Rss:":
            told[f"rss {kind}"] = told.get(f"rss {kind}", 0) + int(head[1])
    return told


def watch(folder: Path, every_s: float) -> None:
    number = 0
    while True:
        time.sleep(every_s)
        number += 1
        told = census()
        told["at_s"] = number * every_s
        status = Path("/proc/self/status").read_text()
        told["rss_kib"] = int(status.partition("VmRSS:")[2].split()[0])
        told["native"] = native()
        if tracemalloc.is_tracing():
            told["traced"] = tracemalloc.get_traced_memory()
            told["allocations"] = allocations()
        (folder / f"census-{number:03}.json").write_text(json.dumps(told, indent=0))
        if number == 1 and os.environ.get("CENSUS") != "objects":
            # What was there by now is no growth, and a start under tracing takes minutes.
            tracemalloc.start(FRAMES)


def main() -> None:
    folder, every_s, _, *arguments = sys.argv[1:]
    Path(folder).mkdir(parents=True, exist_ok=True)
    threading.Thread(target=watch, args=(Path(folder), float(every_s)), daemon=True).start()
    from genesis.cli.main import main as genesis

    sys.argv = ["genesis", *arguments]
    sys.exit(genesis())


if __name__ == "__main__":
    main()
