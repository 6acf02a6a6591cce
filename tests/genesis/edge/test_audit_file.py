"""The append-only file: what a crash tore is mended, what a hand changed is put aside, a full disk costs no line."""

import errno
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from genesis.edge.anchor import Head
from genesis.edge.audit_file import AuditFile, Pages, anchor_path, anchored, read_lines

LINES = [b'{"seq":1}', b'{"seq":2}', b'{"seq":3}']


def head(seq: int) -> Head:
    return Head(seq, bytes([seq]) * 32)


def pages_of(lines: Sequence[bytes], size: int = 2) -> Pages:
    async def page(at: int) -> tuple[Sequence[bytes], int | None]:
        end = at + size
        return lines[at:end], end if end <= len(lines) else None

    return page


async def written(path: Path, count: int = 3) -> AuditFile:
    file = AuditFile(path, inline=True)
    assert await file.begin(pages_of(LINES[:count]), head(count)) is None
    return file


async def test_lines_and_anchor_are_there_after_each_append(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "audit.log"
    file = await written(path, 1)
    await file.append(LINES[1:], head(3))
    file.close()
    assert read_lines(path) == LINES
    assert anchored(path) == head(3)
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("cut", range(1, len(b"\n".join(LINES)) + 1))
async def test_a_file_that_a_crash_tore_anywhere_is_made_whole(tmp_path: Path, cut: int) -> None:
    """The anchor is written after the lines, so a torn line is one that it does not name."""
    path = tmp_path / "audit.log"
    (await written(path, 0)).close()
    path.write_bytes(b"\n".join(LINES)[:cut])
    assert await AuditFile(path, inline=True).begin(pages_of(LINES), head(3)) is None
    assert read_lines(path) == LINES


@pytest.mark.parametrize("how", ["edit", "remove", "cut", "add", "delete", "anchor"])
async def test_what_a_hand_changed_is_put_aside_and_told(tmp_path: Path, how: str) -> None:
    path = tmp_path / "audit.log"
    (await written(path)).close()
    lines = {
        "edit": [LINES[0], b'{"seq":9}', LINES[2]],
        "remove": [LINES[0], LINES[2]],
        "cut": LINES[:2],
        "add": [*LINES, b'{"seq":4}'],
    }
    if how == "delete":
        path.unlink()
    elif how == "anchor":
        anchor_path(path).write_bytes(b"rubbish")
    else:
        path.write_bytes(b"".join(line + b"\n" for line in lines[how]))
    trouble = await AuditFile(path, inline=True).begin(pages_of(LINES), head(3))
    assert trouble is not None
    assert "kept as audit.log.damaged-1" in trouble
    assert (tmp_path / "audit.log.damaged-1").exists()
    assert read_lines(path) == LINES
    assert await AuditFile(path, inline=True).begin(pages_of(LINES), head(3)) is None


async def test_a_full_disk_is_an_error_and_the_next_beginning_catches_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "audit.log"
    file = await written(path, 1)
    real = os.write

    def full(handle: int, data: bytes) -> int:
        real(handle, data[:3])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space left"):
        await file.append(LINES[1:2], head(2))
    monkeypatch.undo()
    assert await file.begin(pages_of(LINES), head(3)) is None
    assert read_lines(path) == LINES


@pytest.mark.parametrize("size", range(1, 5))
@pytest.mark.parametrize("there", range(4))
async def test_where_a_page_ends_makes_no_difference(tmp_path: Path, size: int, there: int) -> None:
    path = tmp_path / "audit.log"
    (await written(path, there)).close()
    file = AuditFile(path, inline=True)
    assert await file.begin(pages_of(LINES, size), head(3)) is None
    assert (read_lines(path), anchored(path)) == (LINES, head(3))
    # The journal has fewer lines than the file: one of them is not what it was.
    file.close()
    trouble = await AuditFile(path, inline=True).begin(pages_of(LINES[:2], size), head(2))
    assert trouble is not None
    assert trouble.startswith("audit.log was not what the journal has")
    assert read_lines(path) == LINES[:2]
