"""A venue that closes and opens in mid-session by greeting again, with no code 20060 or 20061."""

from pathlib import Path

from trio.testing import MockClock

from protocols.bitfinex.events import info_event
from protocols.market import StreamUp
from protocols.orders import CommandNotSent, SessionUp
from tests.actors.scripted_venue import PeerSocket, eventually
from tests.actors.test_connection_private import a_world as a_private_world
from tests.actors.test_connection_private import an_order
from tests.actors.test_connection_public import a_world as a_public_world


async def greet_again(socket: PeerSocket, *, operative: bool) -> None:
    await socket.say(info_event(server_id="scripted", operative=operative))


async def test_what_waits_for_the_end_of_a_maintenance_leaves_in_a_new_session_at_once(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    """The session took no command and was not renewed: what waited for the next one waited for three minutes."""
    async with a_private_world(autojump_clock, tmp_path) as world:
        await world.up()
        await eventually(lambda: bool(world.of(SessionUp)))
        await greet_again(world.venue.socket, operative=True)
        await greet_again(world.venue.socket, operative=False)
        await eventually(lambda: world.stats.maintenance == 1)
        world.commands.put_nowait(an_order(1, world.session))
        await eventually(lambda: bool(world.of(CommandNotSent)))
        assert world.of(CommandNotSent)[0].paused
        await greet_again(world.venue.socket, operative=False)
        await greet_again(world.venue.socket, operative=True)
        await eventually(lambda: len(world.of(SessionUp)) == 2)
        assert world.stats.maintenance == 1
        assert world.stats.falls == 1, "the greeting of a venue that was open all the time changes nothing"


async def test_streams_are_renewed_after_it_as_after_a_code(autojump_clock: MockClock) -> None:
    async with a_public_world(autojump_clock) as world:
        await world.up()
        await greet_again(world.venue.socket, operative=False)
        await world.until(lambda: world.view.value.status == "maintenance")
        await greet_again(world.venue.socket, operative=True)
        await world.until(lambda: len(world.of(StreamUp)) == 8)
        assert len(world.venue.sockets) == 1
