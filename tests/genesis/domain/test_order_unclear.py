"""Rows of the venue that cannot be: what they are about is there all the same, and doubt about it is no absence."""

from decimal import Decimal

import pytest

from genesis.domain.order_wire import ending_of
from protocols.orders import HistoryReport, OrderSnapshot, OrderState, SessionUp, UnclearRow, VenueOrder
from tests.genesis.domain.order_bench import Bench, a_row, closed, commands, down, sent, states
from tests.genesis.domain.order_oracle import SETTINGS, START_MS

S = OrderState
QUARANTINE_S = SETTINGS.quarantine_s


def an_unclear(venue_id: int | None = 1001, cid: int | None = 1) -> UnclearRow:
    return UnclearRow(reason=f"order {venue_id}: amount must not be 0, was 0", venue_id=venue_id, cid=cid)


def up(bench: Bench, session: int, *unclear: UnclearRow, orders: tuple[VenueOrder, ...] = ()) -> None:
    bench.hear(
        OrderSnapshot(session=session, orders=orders, received_ns=0, unclear=unclear),
        SessionUp(session=session, user_id=1, received_ns=0),
    )


def report(bench: Bench, *unclear: UnclearRow, orders: tuple[VenueOrder, ...] = ()) -> list[tuple[str, str]]:
    fence = bench.machine.fence
    assert fence.pending_id is not None
    out = bench.hear(
        HistoryReport(
            request_id=fence.pending_id,
            session=fence.session,
            since_ms=fence.since_ms,
            open_orders=orders,
            closed_orders=(),
            trades=(),
            received_ns=0,
            unclear=unclear,
        )
    )
    return out.alarms


def pass_time(bench: Bench, seconds: float, *unclear: UnclearRow) -> None:
    """Answer every question of the next seconds with what is given."""
    end = bench.now + seconds
    while bench.now < end:
        bench.wait(1.0)
        if bench.machine.fence.pending_id is not None:
            report(bench, *unclear)


@pytest.fixture
def acked() -> Bench:
    bench = Bench()
    bench.ready()
    bench.admit(1)
    bench.hear(sent(), a_row())
    return bench


WHICH = [(1001, 1), (1001, None), (None, 1), (None, None)]


@pytest.mark.parametrize(("venue_id", "cid"), WHICH)
def test_an_order_in_a_row_that_cannot_be_is_never_proven_absent(
    acked: Bench, venue_id: int | None, cid: int | None
) -> None:
    """Left out, it was given up as dead after the quarantine, and a stop like it was placed a second time."""
    acked.hear(down())
    up(acked, 2, an_unclear(venue_id, cid))
    pass_time(acked, 3 * QUARANTINE_S, an_unclear(venue_id, cid))
    assert acked.state() is S.ACKED
    # A later word of it that can be counts.
    acked.hear(closed(session=2))
    assert acked.state() is S.CANCELED


@pytest.mark.parametrize(("venue_id", "cid"), WHICH)
def test_it_is_there_by_the_snapshots_row_alone_also_for_a_life_that_begins_behind_it(
    acked: Bench, venue_id: int | None, cid: int | None
) -> None:
    acked.hear(down())
    up(acked, 2, an_unclear(venue_id, cid))
    acked.restart(new_process=False)
    pass_time(acked, 3 * QUARANTINE_S)
    assert acked.state() is S.ACKED
    # A session that does not show it proves as much as ever.
    acked.hear(down(2))
    up(acked, 3)
    pass_time(acked, 3 * QUARANTINE_S)
    assert acked.state() is S.DEAD


def test_one_that_was_sent_and_not_answered_stays_in_doubt_and_is_not_sent_again() -> None:
    bench = Bench()
    bench.ready()
    bench.admit(1)
    bench.hear(sent(), down())
    up(bench, 2, an_unclear(None, 1))
    pass_time(bench, 3 * QUARANTINE_S, an_unclear(None, 1))
    assert bench.state() is S.UNKNOWN
    bench.hear(a_row(session=2))
    assert bench.state() is S.ACKED


def test_what_a_row_is_about_that_names_another_order_is_judged_as_ever(acked: Bench) -> None:
    acked.hear(down())
    up(acked, 2, an_unclear(5000, 1))
    pass_time(acked, 3 * QUARANTINE_S, an_unclear(5000, 1))
    assert acked.state() is S.DEAD


def test_a_person_is_told_once_of_each_row(acked: Bench) -> None:
    acked.hear(down())
    out = acked.hear(OrderSnapshot(session=2, orders=(), received_ns=0, unclear=(an_unclear(),)))
    assert [code for code, _ in out.alarms] == ["order_unclear"]
    acked.hear(SessionUp(session=2, user_id=1, received_ns=0))
    assert not report(acked, an_unclear())


def test_the_other_orders_of_that_session_go_on(acked: Bench) -> None:
    acked.hear(down())
    up(acked, 2, an_unclear())
    report(acked, an_unclear())
    assert [command.cid for command in commands(acked.admit(2))] == [2]


@pytest.mark.parametrize("status", ["SHELVED", "", "PENDING REVIEW", "aktiv"])
@pytest.mark.parametrize("event", ["on", "ou", "os", "rest"])
def test_an_order_with_a_status_that_nobody_knows_is_what_the_list_is_that_it_stands_in(
    status: str, event: str
) -> None:
    """It was taken for cancelled: a resting stop with such a word was placed a second time."""
    assert ending_of(a_row(event=event, status=status)) is None
    assert ending_of(a_row(event="oc", status=status)) is S.CANCELED
    assert ending_of(a_row(event="past", status=status)) is S.CANCELED


def test_such_a_status_is_told_once_and_the_order_rests(acked: Bench) -> None:
    out = acked.hear(a_row(event="ou", status="SHELVED", updated_ms=START_MS + 1))
    assert [code for code, _ in out.alarms] == ["order_unclear"]
    assert not acked.hear(a_row(event="ou", status="SHELVED", updated_ms=START_MS + 2)).alarms
    assert acked.state() is S.ACKED
    assert states(acked.hear(closed(status="SHELVED", updated_ms=START_MS + 3))) == [S.CANCELED]


def test_a_stamp_of_the_far_future_does_not_deafen_us_to_an_order(acked: Bench) -> None:
    """Every later word on it was older than that one, its end included."""
    acked.hear(a_row(event="ou", updated_ms=START_MS + 10**12, price=Decimal(7100)))
    assert acked.machine.orders[1].price == 7100
    acked.hear(closed())
    assert acked.state() is S.CANCELED
