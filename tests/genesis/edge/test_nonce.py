"""Nonces rise: over calls, restarts, clock steps and processes."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from genesis.edge.errors import EdgeError
from genesis.edge.nonce import LARGEST_NONCE, SYNC_EVERY_US, NonceOwner

NOW_US = 1_700_000_000_000_000


async def test_they_follow_the_clock_and_rise_when_it_stands_still(tmp_path: Path) -> None:
    owner = NonceOwner(tmp_path / "nonce", lambda: NOW_US)
    assert [await owner.next() for _ in range(3)] == [NOW_US, NOW_US + 1, NOW_US + 2]
    owner.close()
    owner.close()


async def test_a_restart_goes_on_above_even_if_the_clock_went_back(tmp_path: Path) -> None:
    first = NonceOwner(tmp_path / "nonce", lambda: NOW_US)
    last = await first.next()
    first.close()
    second = NonceOwner(tmp_path / "nonce", lambda: NOW_US - 3_600_000_000)
    # A power cut may have taken a second of them from the file.
    assert await second.next() == last + SYNC_EVERY_US + 1
    second.close()


async def test_a_bump_jumps_over_what_somebody_else_used(tmp_path: Path) -> None:
    owner = NonceOwner(tmp_path / "nonce", lambda: NOW_US)
    await owner.next()
    await owner.bump(by_us=5_000_000)
    assert await owner.next() == NOW_US + 5_000_001
    owner.close()


async def test_a_disk_that_keeps_nothing_costs_the_request_and_nobody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A question that ended its hearer three times would be put aside, and history would be silent for a minute."""

    def broken(handle: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    owner = NonceOwner(tmp_path / "nonce", lambda: NOW_US)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", broken)
        with pytest.raises(EdgeError, match="must keep nonce"):
            await owner.next()
        with pytest.raises(EdgeError, match="must keep nonce"):
            await owner.bump()
    assert await owner.next() > NOW_US
    owner.close()


async def test_two_owners_of_one_file_never_give_the_same(tmp_path: Path) -> None:
    owners = [NonceOwner(tmp_path / "nonce", lambda: NOW_US) for _ in range(3)]
    given: list[int] = []

    async def take(owner: NonceOwner) -> None:
        for _ in range(50):
            given.append(await owner.next())
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        for owner in owners:
            nursery.start_soon(take, owner)
    assert given == sorted(set(given))
    assert len(given) == 150
    for owner in owners:
        owner.close()


CHILD = """
import sys, trio
from pathlib import Path
from genesis.edge.nonce import SYNC_EVERY_US, NonceOwner
async def main():
    owner = NonceOwner(Path(sys.argv[1]), lambda: 1_700_000_000_000_000)
    for _ in range(200):
        print(await owner.next())
trio.run(main)
"""


def test_processes_share_one_rising_row(tmp_path: Path) -> None:
    children = [
        subprocess.Popen([sys.executable, "-c", CHILD, str(tmp_path / "nonce")], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    rows = [[int(line) for line in child.communicate(timeout=60)[0].split()] for child in children]
    assert all(row == sorted(row) and len(row) == 200 for row in rows)
    assert len(set(rows[0]) | set(rows[1])) == 400


@pytest.mark.parametrize("text", [b"", b"garbage", b"\xff\xfe", b"99999999999999999999999\n"])
async def test_a_torn_file_counts_as_nothing(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "nonce").write_bytes(text)
    owner = NonceOwner(tmp_path / "nonce", lambda: NOW_US)
    assert await owner.next() == NOW_US
    owner.close()


async def test_the_numbers_end_somewhere(tmp_path: Path) -> None:
    owner = NonceOwner(tmp_path / "nonce", lambda: LARGEST_NONCE)
    assert await owner.next() == LARGEST_NONCE
    with pytest.raises(EdgeError, match="a new API key is needed"):
        await owner.next()
    owner.close()


async def test_an_unusable_place_is_named(tmp_path: Path) -> None:
    with pytest.raises(EdgeError, match="must be writable"):
        NonceOwner(tmp_path / "missing" / "nonce", lambda: NOW_US)
    assert (tmp_path / "nonce").exists() is False


async def test_the_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    NonceOwner(tmp_path / "nonce", lambda: NOW_US).close()
    assert (tmp_path / "nonce").stat().st_mode & 0o777 == 0o600
