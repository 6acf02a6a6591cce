"""How old an entry may be when it leaves: judged by its candle's close, wherever it was kept."""

from typing import Any

from genesis.domain.order_outputs import Outputs
from protocols.orders import CommandNotSent, OrderState
from tests.genesis.domain.order_bench import Bench

S = OrderState


def sent(out: Outputs) -> list[Any]:
    return [outgoing.command for outgoing in out.commands]


def test_an_entry_is_as_old_as_its_candle_and_not_as_its_stay_in_this_room() -> None:
    """Whoever had it before kept it for 29 s: it may leave within one more, here and at the socket."""
    bench = Bench()
    bench.now = 100.0
    bench.ready()
    (command,) = sent(bench.admit(1, received_ns=71 * 10**9))
    assert command.leave_by_ns == 101 * 10**9
    late = CommandNotSent(cid=1, kind="on", session=1, reason="signal_too_old: by 4 s", too_old=True)
    bench.hear(late)
    assert (bench.state(), bench.machine.too_old_total) == (S.REJECTED, 1)
    assert bench.machine.orders[1].reason == "not sent: signal_too_old: by 4 s"
    assert sent(bench.admit(2, received_ns=70 * 10**9)) == []
    assert bench.machine.orders[2].reason.startswith("not sent: signal_too_old: its age must be below 30 s, was 30.0")
    assert bench.machine.too_old_total == 2
