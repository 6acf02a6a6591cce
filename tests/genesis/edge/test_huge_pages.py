"""What may lie in a huge page is found by the kernel's own words, and a kernel that has none is no error."""

import ctypes
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from genesis.edge import huge_pages
from genesis.edge.huge_pages import HUGE, PAGE, blocks, gather, share_in_memory

MAPS = """\
00400000-00a00000 r-xp 00000000 fe:01 131 /usr/bin/python3
00a00000-01000000 rw-p 00600000 fe:01 131 /usr/bin/python3
01000000-01300000 rw-p 00000000 00:00 0                          [heap]
7f0000100000-7f0000700000 rw-p 00000000 00:00 0 
7f0000800000-7f0000a00000 ---p 00000000 00:00 0 
7f0000a00000-7f0000c00000 rw-s 00000000 00:01 7 /dev/zero (deleted)
7f0000c00000-7f0000dff000 rw-p 00000000 00:00 0
7ffc00000000-7ffc00800000 rw-p 00000000 00:00 0                  [stack]
""".splitlines()  # noqa: W291 - as the kernel writes it

LIVES_IN_HUGE_PAGES = """
from pathlib import Path
from genesis.edge.huge_pages import gather

def lies_in_huge_pages() -> int:
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("AnonHugePages")) * 1024

much = [bytes(500) for _ in range(60_000)]
before = lies_in_huge_pages()
print(before, gather(), lies_in_huge_pages(), sum(map(len, much)))
"""


def test_whole_blocks_of_what_belongs_to_no_file_and_may_be_written() -> None:
    assert list(blocks(MAPS)) == [0x01000000, 0x7F0000200000, 0x7F0000400000]


@pytest.mark.parametrize("present", [0, 1, 383, 384, 512])
def test_the_share_that_is_in_memory(present: int) -> None:
    in_use, elsewhere = (1 << 63 | 1 << 55).to_bytes(8, "little"), (1 << 62 | 1 << 55).to_bytes(8, "little")
    assert share_in_memory(in_use * present + elsewhere * (512 - present)) == present / 512


def test_of_what_cannot_be_seen_nothing_is_in_memory() -> None:
    assert share_in_memory(b"") == 0.0


def test_what_lives_lies_in_huge_pages_afterwards() -> None:
    """Where the kernel cannot, it says so, and nothing has changed."""
    done = subprocess.run([sys.executable, "-c", LIVES_IN_HUGE_PAGES], check=True, capture_output=True, text=True)
    before, gathered, after, alive = map(int, done.stdout.split())
    assert alive == 60_000 * 500
    assert gathered % HUGE == 0
    assert after - before == gathered
    release = re.match(r"(\d+)\.(\d+)", Path("/proc/sys/kernel/osrelease").read_text())
    enabled = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    assert release is not None
    if (int(release[1]), int(release[2])) >= (6, 1) and enabled.exists() and "[never]" not in enabled.read_text():
        assert gathered >= 10 * HUGE


def test_only_what_is_full_enough_is_gathered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A stack of 8 MiB of which a page is in use must not become 2 MiB of memory."""
    asked: list[int] = []

    def madvise(start: int, length: int, advice: int) -> int:
        asked.append(start)
        assert (length, advice) == (HUGE, huge_pages.MADV_COLLAPSE)
        return -1 if start else 0

    (tmp_path / "maps").write_text(f"{0:x}-{3 * HUGE:x} rw-p 00000000 00:00 0\n")
    here, elsewhere = (1 << 63).to_bytes(8, "little"), bytes(8)
    full, hardly = here * (HUGE // PAGE), here * 383 + elsewhere * 129
    (tmp_path / "pagemap").write_bytes(full + hardly + full)
    monkeypatch.setattr(huge_pages, "_PROCESS", tmp_path)
    monkeypatch.setattr(ctypes, "CDLL", lambda name: SimpleNamespace(madvise=madvise))
    assert gather() == HUGE, "the kernel had no huge page for the third"
    assert asked == [0, 2 * HUGE]


def test_where_nothing_may_be_seen_nothing_is_done(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(huge_pages, "_PROCESS", tmp_path / "hidden")
    assert gather() == 0
