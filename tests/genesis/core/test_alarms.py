"""One timer rings every mailbox's bell at its time, and a message that comes first needs none."""

import trio

from genesis.core.alarms import Alarms
from genesis.core.channel import Channel, Overflow
from genesis.core.mailbox import Mailbox
from genesis.core.term import Term


def a_mailbox(alarms: Alarms) -> tuple[Mailbox, Channel[str], Term]:
    channel: Channel[str] = Channel("words", Overflow.BLOCK)
    mailbox = Mailbox("subject", [channel])
    mailbox.alarms = alarms
    term = Term("subject", 1)
    mailbox.new_term(term)
    return mailbox, channel, term


async def test_a_lease_comes_back_at_its_time_also_after_earlier_and_later_ones(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    alarms = Alarms()
    nursery.start_soon(alarms.run)
    await trio.lowlevel.checkpoint()
    mailbox, channel, term = a_mailbox(alarms)
    for until in (5.0, 7.0, 7.5):
        assert await mailbox.lease(term, 10, until) == []
        assert trio.current_time() == until
    # A message comes first; the bell that rings for nothing at 20 ends no later wait.
    channel.put_nowait("now")
    (envelope,) = await mailbox.lease(term, 10, 20.0)
    mailbox.ack(term, [envelope])

    async def speak() -> None:
        await trio.sleep(1.0)
        channel.put_nowait("later")

    nursery.start_soon(speak)
    (envelope,) = await mailbox.lease(term, 10, 20.0)
    mailbox.ack(term, [envelope])
    assert await mailbox.lease(term, 10, 12.0) == []
    assert trio.current_time() == 12.0
    assert await mailbox.lease(term, 10, 30.0) == []
    assert trio.current_time() == 30.0


class Steps(trio.abc.Instrument):
    """Counts the turns of one task."""

    def __init__(self, task: trio.lowlevel.Task) -> None:
        self.task = task
        self.count = 0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self.count += task is self.task


async def test_who_waits_for_a_later_time_meanwhile_is_not_woken_for_the_old_one(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    """An actor that looks around each second and hears five messages in it would be woken for nothing each time."""
    alarms = Alarms()
    nursery.start_soon(alarms.run)
    await trio.lowlevel.checkpoint()
    mailbox, channel, term = a_mailbox(alarms)

    async def speak() -> None:
        for number in range(50):
            await trio.sleep(0.4)
            channel.put_nowait(str(number))

    nursery.start_soon(speak)
    steps = Steps(trio.lowlevel.current_task())
    trio.lowlevel.add_instrument(steps)
    for _ in range(50):
        batch = await mailbox.lease(term, 10, trio.current_time() + 1.0)
        assert batch
        mailbox.ack(term, batch)
    trio.lowlevel.remove_instrument(steps)
    assert steps.count <= 51
    # And at the time that it waits for now it is, by an alarm that was set for an earlier one.
    until = trio.current_time() + 1.0
    assert await mailbox.lease(term, 10, until) == []
    assert trio.current_time() == until
    assert len(alarms._due) <= 1


async def test_two_mailboxes_are_rung_each_at_its_own_time(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    alarms = Alarms()
    nursery.start_soon(alarms.run)
    await trio.lowlevel.checkpoint()
    rung: list[tuple[float, float]] = []

    async def wait(until: float) -> None:
        mailbox, _, term = a_mailbox(alarms)
        await mailbox.lease(term, 10, until)
        rung.append((until, trio.current_time()))

    async with trio.open_nursery() as waiting:
        for until in (3.0, 1.0, 2.0):
            waiting.start_soon(wait, until)
    assert rung == [(1.0, 1.0), (2.0, 2.0), (3.0, 3.0)]
