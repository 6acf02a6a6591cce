"""What the machine gives and takes: processors, memory, disk. Read from the operating system when somebody asks."""

import os
import resource
from pathlib import Path
from typing import Final

import attrs
import msgspec

PROC: Final = Path("/proc")
IDLE: Final = slice(3, 5)
"""Idle and waiting for a disk, in the numbers of a processor's line in /proc/stat."""


class SystemInfo(msgspec.Struct, frozen=True, kw_only=True):
    """`cpu_pct` is by processor since the last question (since the machine's start at first), in percent.

    What an operating system does not tell is an empty list or 0.
    """

    cpu_pct: tuple[float, ...]
    ram_pct: float
    process_ram_mb: float
    process_cpu_s: float
    load_1m: float
    processors: int
    threads: int
    open_files: int


@attrs.define(eq=False)
class SystemWatch:
    """Remembers the last counts of each processor, so that the next question has a span to answer for."""

    proc: Path = PROC
    _before: list[tuple[int, int]] = attrs.field(factory=list)

    def look(self) -> SystemInfo:
        """A few small files of /proc: tens of microseconds, none of them on a disk."""
        usage = resource.getrusage(resource.RUSAGE_SELF)
        memory = self._memory()
        total, free = memory.get("MemTotal", 0), memory.get("MemAvailable", 0)
        status = _fields(self.proc / "self" / "status")
        return SystemInfo(
            cpu_pct=self._processors(),
            ram_pct=round(100 * (1 - free / total), 1) if total else 0.0,
            process_ram_mb=round(status.get("VmRSS", usage.ru_maxrss) / 1024, 1),
            process_cpu_s=round(usage.ru_utime + usage.ru_stime, 2),
            load_1m=round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else 0.0,
            processors=os.cpu_count() or 1,
            threads=status.get("Threads", 0),
            open_files=self._open_files(),
        )

    def _memory(self) -> dict[str, int]:
        return _fields(self.proc / "meminfo")

    def _open_files(self) -> int:
        try:
            return len(os.listdir(self.proc / "self" / "fd"))
        except OSError:
            return 0

    def _processors(self) -> tuple[float, ...]:
        try:
            lines = (self.proc / "stat").read_text().splitlines()
        except OSError:
            return ()
        now: list[tuple[int, int]] = []
        for line in lines:
            name, *numbers = line.split()
            if name.startswith("cpu") and name != "cpu":
                counts = [int(number) for number in numbers]
                now.append((sum(counts), sum(counts[IDLE])))
        before = self._before if len(self._before) == len(now) else [(0, 0)] * len(now)
        self._before = now
        return tuple(
            round(100 * (1 - (idle - idle_before) / max(1, total - total_before)), 1)
            for (total, idle), (total_before, idle_before) in zip(now, before, strict=True)
        )


def _fields(path: Path) -> dict[str, int]:
    """`Name:   123 kB` lines as numbers."""
    found: dict[str, int] = {}
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return found
    for line in lines:
        name, _, rest = line.partition(":")
        number = rest.split()[:1]
        if number and number[0].isdigit():
            found[name] = int(number[0])
    return found
