"""What cannot leave in a maintenance waits for the venue's next session, and is not tried every second."""

import pytest

from protocols.orders import OrderState, Purpose
from tests.genesis.domain.order_bench import Bench, commands, down, not_sent, states

S = OrderState


@pytest.fixture
def bench() -> Bench:
    """An exit whose command met a venue in maintenance."""
    bench = Bench()
    bench.ready()
    assert commands(bench.admit(1, purpose=Purpose.EXIT))
    assert not bench.hear(not_sent(paused=True)).commands
    return bench


def test_it_is_not_tried_until_the_venue_opens_and_leaves_in_that_moment(bench: Bench) -> None:
    for _ in range(90):
        out = bench.wait(1.0)
        assert not out.commands
        assert not out.said
    bench.hear(down())
    bench.up(2)
    (command,) = commands(bench.report())
    assert (command.cid, command.session) == (1, 2)


@pytest.mark.parametrize("crashes", [1, 2])
def test_a_crash_of_the_actor_meanwhile_loses_nothing(bench: Bench, crashes: int) -> None:
    bench.wait(1.0)
    for _ in range(crashes):
        assert not bench.restart(new_process=False).commands
    # The batch with the note comes again: it is tried once more, at the most.
    bench.hear(not_sent(paused=True))
    for command in commands(bench.wait(1.0)):
        bench.hear(not_sent(command.cid, command.session, paused=True))
    assert not bench.wait(30.0).commands
    bench.hear(down())
    bench.up(2)
    assert [command.cid for command in commands(bench.report())] == [1]


def test_a_note_of_a_session_that_is_over_does_not_make_it_wait() -> None:
    """The next session was compared before the note was heard: nothing would release the order any more."""
    bench = Bench()
    bench.ready()
    bench.admit(1, purpose=Purpose.EXIT)
    bench.hear(down())
    bench.ready(2)
    bench.hear(not_sent(session=1, paused=True))
    assert [command.cid for command in commands(bench.wait(1.0))] == [1]


def test_an_entry_waits_no_longer_than_its_signal_is_young() -> None:
    bench = Bench()
    bench.ready()
    bench.admit(1)
    bench.hear(not_sent(paused=True))
    assert not bench.wait(29.0).said
    assert states(bench.wait(2.0)) == [S.REJECTED]
    assert "must be below 30 s" in bench.machine.orders[1].reason
