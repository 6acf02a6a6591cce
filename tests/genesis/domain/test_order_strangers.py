"""Other clients of the account: they count their client ids from 1, too, and every socket hears what they are told."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from genesis.domain.order_outputs import Outputs
from protocols.bitfinex.account import read_notice
from protocols.orders import CancelOrder, Fill, OrderState, RequestNotice
from tests.genesis.domain.order_bench import Bench, a_row, a_trade, commands, executed, fills, sent
from tests.genesis.domain.order_oracle import SETTINGS, SYMBOL

S = OrderState
STRANGER = 9001


@pytest.fixture
def bench() -> Bench:
    """Our order 1 is on its way to the venue."""
    bench = Bench()
    bench.ready()
    bench.admit(1)
    bench.hear(sent())
    return bench


def told(bench: Bench, status: str = "SUCCESS", *, kind: str = "on-req", **changes: Any) -> Outputs:
    fields: dict[str, Any] = {
        "session": 1,
        "kind": kind,
        "status": status,
        "text": "",
        "cid": 1,
        "venue_id": STRANGER if status == "SUCCESS" else None,
        "symbol": SYMBOL,
        "amount": Decimal(1),
        "group_id": None,
        "received_ns": 0,
    }
    return bench.hear(RequestNotice(**{**fields, **changes}))


@pytest.mark.parametrize(
    "other", [{"group_id": None}, {"group_id": SETTINGS.group_id + 1}, {"symbol": "tETHUSD"}, {"amount": Decimal(-1)}]
)
def test_a_strangers_order_with_our_client_id_is_not_taken_for_ours(bench: Bench, other: dict[str, Any]) -> None:
    told(bench, **{"group_id": SETTINGS.group_id, **other})
    assert (bench.machine.orders[1].venue_id, bench.state()) == (None, S.SENT)
    bench.hear(a_row())
    assert (bench.machine.orders[1].venue_id, bench.state()) == (1001, S.ACKED)
    cancels = commands(bench.cancel(bench.machine.orders[1].intent.intent_id))
    assert [(type(each), each.venue_id) for each in cancels] == [(CancelOrder, 1001)]


def test_the_answer_to_ours_is_believed(bench: Bench) -> None:
    told(bench, venue_id=1001, group_id=SETTINGS.group_id)
    assert (bench.state(), bench.machine.orders[1].venue_id) == (S.ACKED, 1001)


@pytest.mark.parametrize("other", [{"symbol": "tETHUSD"}, {"amount": Decimal(2)}, {"group_id": 5}])
def test_what_a_stranger_is_refused_does_not_end_ours(bench: Bench, other: dict[str, Any]) -> None:
    told(bench, "ERROR", **other)
    assert bench.state() is S.SENT


def test_our_own_refusal_need_not_name_our_group(bench: Bench) -> None:
    told(bench, "ERROR")
    assert bench.state() is S.REJECTED


def test_a_stranger_whose_cancel_is_refused_changes_nothing_of_ours(bench: Bench) -> None:
    bench.hear(a_row())
    bench.cancel(bench.machine.orders[1].intent.intent_id)
    request = bench.machine.orders[1].request
    told(bench, "ERROR", kind="oc-req", venue_id=STRANGER)
    assert bench.machine.orders[1].request == request


def test_a_strangers_trade_with_our_client_id_stays_a_strangers(bench: Bench) -> None:
    """History shows its order, which is not of our group, beside ours in doubt: no number of reports makes it ours."""
    stranger = executed(cid=1, venue_id=STRANGER, group_id=None)
    found: list[Fill] = []
    for _ in range(4):
        bench.wait(SETTINGS.reconcile_interval_s)
        theirs = msgspec.structs.replace(a_trade("rest"), venue_order_id=STRANGER)
        found += fills(bench.report(closed=(stranger,), trades=(theirs,)))
    assert [(fill.venue_order_id, fill.foreign) for fill in found] == [(STRANGER, True)]


def test_a_notice_says_whose_order_it_is_about() -> None:
    row: list[Any] = [STRANGER, 7, 1, "tBTCUSD", 1, 1, Decimal("-0.5"), Decimal("-0.5")]
    notice = read_notice([1, "on-req", None, None, row, None, "SUCCESS", "x"], session=1, received_ns=0)
    assert (notice.group_id, notice.cid, notice.symbol, notice.amount) == (7, 1, "tBTCUSD", Decimal("-0.5"))


def test_a_refusal_is_heard_whatever_nonsense_it_echoes() -> None:
    row: list[Any] = [None, "", 1, 5, None, None, "half a coin"]
    notice = read_notice([1, "on-req", None, None, row, None, "ERROR", "bad amount"], session=1, received_ns=0)
    assert (notice.cid, notice.group_id, notice.symbol, notice.amount) == (1, None, None, None)
