"""Numbers of sessions are written down some at a time, and none is ever used twice; nonces of logins fail alone."""

from pathlib import Path

import pytest
from trio.testing import MockClock

from actors import connection_private
from actors.connection_private import SESSION_KEY, SESSION_TABLE
from genesis.edge.errors import EdgeError
from genesis.edge.nonce import NonceOwner
from protocols.orders import SessionDown, SessionUp
from tests.actors.deciding_stage import MemoryDisk
from tests.actors.scripted_venue import eventually
from tests.actors.test_connection_private import a_world


async def test_no_number_is_heard_that_is_not_on_the_disk(
    autojump_clock: MockClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_private, "RESERVED", 3)
    disk = MemoryDisk()
    heard: list[int] = []
    for _ in range(2):
        kept: list[int] = []
        async with a_world(autojump_clock, tmp_path, disk=disk) as world:
            for session in range(1, 6):
                await eventually(lambda session=session: len(world.of(SessionUp)) == session)  # type: ignore[misc]
                kept.append(int(disk.cells[SESSION_TABLE, SESSION_KEY].payload))
                assert world.session <= kept[-1]
                if session == 2:
                    world.stage.kill()
                else:
                    await world.venue.socket.cut()
            heard += [event.session for event in world.of(SessionUp)]
        assert len(set(kept)) == 2, "five sessions are two times three numbers"
    assert heard == [1, 2, 3, 4, 5, 7, 8, 9, 10, 11], "a process that ends leaves out what it has not used"


async def test_a_disk_that_keeps_no_nonce_costs_a_login_and_not_the_actor(
    autojump_clock: MockClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, fails = NonceOwner.next, [1, 2, 3, 4, 5, 6]

    async def broken(owner: NonceOwner) -> int:
        if fails:
            raise EdgeError(f"nonce {fails.pop()} must be kept, was not")
        return await real(owner)

    monkeypatch.setattr(NonceOwner, "next", broken)
    async with a_world(autojump_clock, tmp_path) as world:
        await world.up()
        assert [event.reason for event in world.of(SessionDown)] == [
            f"nonce {number} must be kept, was not" for number in (6, 5, 4, 3, 2, 1)
        ]
