"""Reports of REST in the journal: what the one before told, too, is kept once, and comes back as it was heard."""

import random
from collections.abc import Sequence
from decimal import Decimal

import msgspec
import pytest

from genesis.domain.order_heard import OrderHeard, OrderRecorder, read_order_heard
from genesis.domain.report_again import ReportAgain, thinned, whole
from protocols.orders import HistoryReport, OrderType, Purpose, VenueOrder, VenueTrade
from tests.genesis.domain.protect_bench import START_MS, Bench

D = Decimal
ROWS = 300
_encode = msgspec.json.Encoder(decimal_format="string").encode


def report_of(bench: Bench, number: int, **rows: Sequence[VenueOrder | VenueTrade]) -> HistoryReport:
    """One whose rows are stamped as it is, as REST's are."""
    stamped = {
        name: tuple(msgspec.structs.replace(row, session=1, received_ns=number) for row in each)
        for name, each in rows.items()
    }
    empty: dict[str, tuple[()]] = {"open_orders": (), "closed_orders": (), "trades": ()}
    numbers = {"request_id": number, "session": 1, "since_ms": START_MS, "received_ns": number}
    return HistoryReport(**numbers, **{**empty, **stamped})  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(20))
def test_every_report_comes_back_byte_for_byte(seed: int) -> None:
    """New rows in front, old ones let go of behind, some changed, some in another order, some stamped otherwise."""
    chance, bench = random.Random(seed), Bench()
    bench.admit(order_type=OrderType.LIMIT, price=D(90))
    bench.accept(1)
    orders = [bench.row(1, "rest") for _ in range(10)]
    trades = [bench.trade(1, "0.01") for _ in range(10)]
    before = heard = report_of(bench, 0, closed_orders=orders, trades=trades)
    for number in range(1, 8):
        orders = [*[bench.row(1, "rest") for _ in range(chance.randrange(3))], *orders][: chance.randrange(5, 15)]
        trades = [*[bench.trade(1, "0.01") for _ in range(chance.randrange(3))], *trades]
        if chance.random() < 0.5:
            at = chance.randrange(len(orders))
            orders[at] = msgspec.structs.replace(orders[at], price=D("1.0"), status="CANCELED")
        if chance.random() < 0.3:
            chance.shuffle(trades)
        opened = [bench.row(1, "rest")] if chance.random() < 0.5 else []
        report = report_of(bench, number, open_orders=opened, closed_orders=orders, trades=trades)
        if chance.random() < 0.3:
            odd = msgspec.structs.replace(report.trades[0], received_ns=99)
            report = msgspec.structs.replace(report, trades=(odd, *report.trades[1:]))
        kept = msgspec.json.decode(_encode(thinned(report, before)), type=ReportAgain)
        heard = whole(kept, heard)
        assert _encode(heard) == _encode(report)
        before = report


def test_what_is_equal_as_a_number_and_no_text_is_kept_anew() -> None:
    bench = Bench()
    bench.admit(order_type=OrderType.LIMIT, price=D(90))
    bench.accept(1)
    row = bench.row(1, "rest")
    first, second = (
        report_of(bench, number, closed_orders=[msgspec.structs.replace(row, price=D(price))])
        for number, price in enumerate(("90", "90.0"))
    )
    assert _encode(whole(thinned(second, first), first)) == _encode(second)


def test_a_report_that_does_not_follow_the_one_before_is_told() -> None:
    bench = Bench()
    bench.admit(order_type=OrderType.LIMIT, price=D(90))
    bench.accept(1)
    one = report_of(bench, 1, trades=[bench.trade(1, "0.01")])
    again = thinned(one, one)
    for before in (None, report_of(bench, 0)):
        with pytest.raises(ValueError, match="must follow one with 1 such rows, had 0"):
            whole(again, before)


def test_a_report_every_minute_costs_the_journal_what_is_new_in_it() -> None:
    """With an order that rests each goes back to when it came, and nearly all of its rows are known: whole they were a
    gigabyte a day."""
    bench = Bench()
    machine = bench.machine
    bench.admit(order_type=OrderType.LIMIT, price=D(50), purpose=Purpose.MANUAL, bracket=None)
    bench.accept(1)
    orders, trades = [], []
    for _ in range(ROWS):
        bench.admit(quantity=D("0.1"), bracket=None)
        cid = machine.last_cid
        bench.accept(cid)
        orders.append(bench.row(cid, "rest", status="EXECUTED @ 100(0.1)", remaining="0"))
        bench.hear(msgspec.structs.replace(orders[-1], event="oc"))
        trades.append(bench.trade(cid, "0.1"))
        bench.hear(trades[-1])
    recorder = OrderRecorder(machine, lambda symbol, side: D(100), lambda symbol, side: ())
    sizes, told = [], list[HistoryReport]()
    heard: list[OrderHeard] = []
    for number in range(1, 4):
        bench.now += 61.0
        machine.on_timer(now=bench.now, wall_ms=START_MS)
        machine.take()
        rows: dict[str, Sequence[VenueOrder | VenueTrade]] = {
            "open_orders": [bench.row(1, "rest")],
            "closed_orders": orders,
            "trades": trades,
        }
        report = msgspec.structs.replace(
            report_of(bench, number, **rows), request_id=machine.fence.pending_id, since_ms=machine.fence.since_ms
        )
        told.append(report)
        recorder.start()
        machine.on_event(report, now=bench.now, wall_ms=START_MS)
        out = machine.take()
        recorder.end(out, now=bench.now, wall_ms=START_MS, inputs=[report])
        payload = recorder.record(0)[-1].payload
        sizes.append(len(payload))
        heard.append(read_order_heard(payload))
    assert sizes[0] > 100_000 > 2_000 > max(sizes[1:]), sizes
    before: HistoryReport | None = None
    for each, report in zip(heard, told, strict=True):
        (kept,) = each.steps[0].inputs
        before = whole(kept, before) if isinstance(kept, ReportAgain) else kept  # type: ignore[assignment]
        assert before == report
