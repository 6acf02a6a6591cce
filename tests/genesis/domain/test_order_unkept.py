"""Questions to history that told nothing new are not written for their own sake, and a crash does not miss them."""

import pytest

from genesis.domain.order_session import QUESTIONS_UNKEPT
from protocols.orders import HistoryFailed, HistoryRequest
from tests.genesis.domain.order_bench import Bench, a_row, closed, down, sent

INTERVAL_S = 60.0


@pytest.fixture
def bench() -> Bench:
    """Session 1 is compared, and an order of ours rests."""
    bench = Bench()
    bench.ready()
    bench.admit(1)
    bench.hear(sent(), a_row())
    return bench


def ask(bench: Bench, *, kept: bool = False) -> HistoryRequest:
    out = bench.wait(INTERVAL_S)
    assert out.must_be_kept is kept
    (question,) = out.questions
    return question


def fail(bench: Bench, question: HistoryRequest) -> None:
    told = HistoryFailed(request_id=question.request_id, session=question.session, reason="429")
    assert not bench.hear(told).must_be_kept


def test_what_history_has_nothing_new_to_say_to_is_not_written(bench: Bench) -> None:
    ask(bench)
    assert bench.report(opened=[a_row()]).must_be_kept, "until when trades are known, now that the venue's time is"
    ask(bench)
    assert not bench.report(opened=[a_row()]).must_be_kept
    fail(bench, ask(bench))
    ask(bench)
    changed = bench.report(closed=[closed()])
    assert {"session", "order:00000000000001"} <= changed.cells.keys(), "what it tells is kept, with all before"


def test_some_are_kept_all_the_same(bench: Bench) -> None:
    """A journal that hears nothing for days would hold all reports of them in memory."""
    for number in range(1, 3 * QUESTIONS_UNKEPT + 1):
        fail(bench, ask(bench, kept=number % QUESTIONS_UNKEPT == 0))


@pytest.mark.parametrize("unkept", range(2 * QUESTIONS_UNKEPT))
def test_after_a_crash_a_number_is_asked_that_nobody_has_used(bench: Bench, unkept: int) -> None:
    """An old one would be taken for the question that was put before, and never be answered."""
    used = {bench.machine.fence.request_id}
    for number in range(unkept):
        question = ask(bench, kept=(number + 1) % QUESTIONS_UNKEPT == 0)
        used.add(question.request_id)
        fail(bench, question)
    for _ in range(3):
        bench.restart(new_process=False)
        (question,) = bench.wait(INTERVAL_S).questions
        assert question.request_id > max(used)
        used.add(question.request_id)
        assert not bench.report(opened=[a_row()]).alarms
        assert bench.machine.fence.ready


def test_a_session_that_was_being_compared_is_asked_about_at_once(bench: Bench) -> None:
    bench.hear(down())
    (before,) = bench.up(2, a_row(event="os", session=2)).questions
    fail(bench, before)
    bench.restart(new_process=False)
    (question,) = bench.wait(0.0).questions
    assert question.request_id > before.request_id
    bench.report(opened=[a_row(session=2)])
    assert bench.machine.fence.ready
