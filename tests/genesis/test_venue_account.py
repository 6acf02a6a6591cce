"""A live start that waits for its venue tells somebody: nobody looks at a log while nothing trades."""

from typing import cast

import attrs
import pytest
import trio
from trio.testing import MockClock

from genesis.core.chance import Chance
from genesis.core.clock import TrioClock
from genesis.core.rest import LoopClock
from genesis.edge.errors import RequestFailed
from genesis.edge.messengers import NotDelivered
from genesis.edge.rest import RestDoor
from genesis.edge.service_manager import ServiceManager
from genesis.venue_account import Wait, trusted_account

PERMISSIONS = [[scope, 1, int(scope != "withdraw")] for scope in ("account", "orders", "wallets")] + [
    ["withdraw", 0, 0]
]


@attrs.define
class LateVenue:
    """A door to a venue that answers from the virtual second `from_s` on."""

    from_s: float

    async def ask(self, request: object) -> object:
        if trio.current_time() < self.from_s:
            raise RequestFailed("ConnectError", sent=False)
        return PERMISSIONS if "permissions" in str(request) else [4711, *[None] * 54]


@attrs.define
class Chat:
    """A messenger that is reached from `from_s` on; before, it hangs or says that it was not reached."""

    from_s: float = 0.0
    hangs: bool = False
    lasting: bool = False
    name: str = "chat"
    tries: int = 0
    told: list[tuple[float, str]] = attrs.Factory(list)

    async def send(self, text: str, *, silent: bool) -> None:
        self.tries += 1
        assert not silent
        if self.lasting or trio.current_time() < self.from_s:
            if self.hangs:
                await trio.sleep_forever()
            raise NotDelivered("chat was not reached", lasting=self.lasting)
        self.told.append((trio.current_time(), text))


async def started(venue_s: float, *chats: Chat) -> int | None:
    wait = Wait(chats, TrioClock(LoopClock.current_time))
    door = cast("RestDoor", LateVenue(trio.current_time() + venue_s))
    return await trusted_account(door, ServiceManager(), Chance(1).port("key"), wait)


async def test_a_wait_of_a_minute_is_told_once_and_so_is_its_end(autojump_clock: MockClock) -> None:
    chat, began = Chat(), trio.current_time()
    assert await started(600.0, chat) == 4711
    (first_s, first), (last_s, last) = chat.told
    assert 60.0 <= first_s - began <= 80.0
    assert "waits for the venue since" in first
    assert "RequestFailed" in first
    assert last_s - began >= 600.0
    assert "the live start goes on" in last


async def test_a_wait_that_is_soon_over_is_nobody_s_matter(autojump_clock: MockClock) -> None:
    chat = Chat()
    assert await started(40.0, chat) == 4711
    assert chat.tries == 0


@pytest.mark.parametrize("hangs", [False, True])
async def test_who_is_reached_later_is_told_then_and_holds_nobody_up(autojump_clock: MockClock, hangs: bool) -> None:
    """A line that is down takes Telegram's words no more than the venue's."""
    began = trio.current_time()
    far, dead = Chat(from_s=began + 300.0, hangs=hangs), Chat(lasting=True)
    assert await started(400.0, far, dead) == 4711
    assert trio.current_time() - began < 440.0
    assert 300.0 <= far.told[0][0] - began <= 330.0
    assert len(far.told) == 2
    assert dead.tries == 2, "a wrong token is tried once, and once for the end"
