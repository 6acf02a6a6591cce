"""What a strategy will say of a candle that closes as it stands: what it says then, and nothing changes by it."""

import random
from collections import Counter

import msgspec
import pytest

from genesis.domain.heard import signal_heard_record
from genesis.domain.market_book import MarketBook
from genesis.domain.running_strategy import StepAhead, kept
from genesis.domain.signal_machine import SignalMachine
from genesis.domain.strategies import STRATEGY_KINDS
from protocols.market import CandleClosed, CandleUpdate
from protocols.settings import Settings, StrategySettings
from protocols.signals import Recommendation
from protocols.units import Symbol
from tests.recorded_candles import as_closed, recorded_candles
from tests.web.fakes import a_fill

STRATEGY = StrategySettings(name="s", timeframe="1m", parameters={"fast": 3, "slow": 6})


def _states(machine: SignalMachine) -> list[bytes]:
    return [kept(running) for running in machine.running.values()]


def test_the_score_that_comes_is_the_one_that_was_foreseen() -> None:
    machine = SignalMachine(Settings(strategies=(STRATEGY,)))
    machine.have_orders_wait()
    foreseen = 0
    for candle in recorded_candles()[:400]:
        before = _states(machine)
        machine.foresee(msgspec.structs.replace(candle, close=candle.low))
        told = machine.foresee(candle)
        assert _states(machine) == before
        (said,) = machine.speak(as_closed(candle))
        if said.score.recommendation is Recommendation.HOLD:
            assert told is None
        else:
            assert told is not None
            assert told.scores == (msgspec.structs.replace(said.score, received_ns=0),)
            foreseen += 1
        machine.have_read()
        assert machine.foresee(candle) is None, "what was heard is not to come"
    assert foreseen > 50


def test_all_who_speak_of_a_candle_are_foreseen_up_to_the_last_that_asks_for_something() -> None:
    """Risk judges one after the other: what the second asks for hangs on what the first did, and be it nothing."""
    slower = msgspec.structs.replace(STRATEGY, name="t", parameters={"fast": 8, "slow": 21})
    machine = SignalMachine(Settings(strategies=(STRATEGY, slower)))
    machine.have_orders_wait()
    lengths = Counter[int]()
    for candle in recorded_candles()[:400]:
        told = machine.foresee(candle)
        said = [msgspec.structs.replace(each.score, received_ns=0) for each in machine.speak(as_closed(candle))]
        machine.have_read()
        while said and said[-1].recommendation is Recommendation.HOLD:
            said.pop()
        assert (() if told is None else told.scores) == tuple(said)
        lengths[len(said)] += 1
    assert min(lengths[number] for number in (0, 1, 2)) > 10, lengths


def test_nothing_is_foreseen_by_who_waits_for_no_order_and_of_other_markets() -> None:
    machine = SignalMachine(Settings(strategies=(STRATEGY,)))
    candles = recorded_candles()[:50]
    assert [machine.foresee(candle) for candle in candles] == [None] * len(candles)
    machine.have_orders_wait()
    other = [msgspec.structs.replace(candle, symbol=Symbol("tETHUSD")) for candle in candles]
    assert [machine.foresee(candle) for candle in other] == [None] * len(candles)


def test_nothing_is_foreseen_while_fills_wait_that_may_change_what_is_said() -> None:
    machine = SignalMachine(Settings(strategies=(STRATEGY,)))
    machine.have_orders_wait()
    (running,) = machine.running.values()
    for candle in recorded_candles()[:400]:
        if machine.foresee(candle):
            running.waiting.append(a_fill())
            assert machine.foresee(candle) is None
            return
        machine.speak(as_closed(candle))
    raise AssertionError("something must be foreseen, was not")


@pytest.mark.parametrize(
    ("after_ms", "enabled", "about_to"),
    [(58_000, True, True), (57_999, True, False), (59_000, False, False), (60_400, True, True)],
)
def test_a_candle_that_ends_soon_is_about_to_close_for_who_speaks_of_it(
    after_ms: int, enabled: bool, about_to: bool
) -> None:
    candle = recorded_candles()[0]
    book = MarketBook(Settings(strategies=(msgspec.structs.replace(STRATEGY, enabled=enabled),)))
    update = CandleUpdate(candle=candle, venue_ms=candle.open_ms + after_ms, received_ns=1)
    assert book.will_close(update) == about_to
    for changes in ({"timeframe": "5m"}, {"symbol": Symbol("tETHUSD")}):
        other = msgspec.structs.replace(candle, **changes)
        assert not book.will_close(CandleUpdate(candle=other, venue_ms=candle.open_ms + 300_000, received_ns=1))


NUMERIC = sorted(name for name, kind in STRATEGY_KINDS.items() if kind.numeric is not None)


@pytest.mark.parametrize("kind", NUMERIC)
def test_a_step_that_was_foreseen_is_the_step_to_the_byte(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """From candles as they closed, as they did not, of history, and after a trouble: states, scores, words, texts."""
    taken = Counter[bool]()
    is_of = StepAhead.is_of

    def counted(step: StepAhead, closed: CandleClosed, state: list[float]) -> bool:
        found = is_of(step, closed, state)
        taken[found] += 1
        return found

    monkeypatch.setattr(StepAhead, "is_of", counted)
    settings = Settings(strategies=(StrategySettings(name="s", kind=kind, timeframe="1m"),))
    machines = seen, blind = SignalMachine(settings), SignalMachine(settings)
    dice = random.Random(kind)
    for machine in machines:
        machine.have_orders_wait()
        for running in machine.running.values():
            running.waits = False
    for candle in recorded_candles()[:600]:
        closed = as_closed(candle)
        if dice.random() < 0.1:
            closed = msgspec.structs.replace(closed, catch_up=True)
        hints = dice.choice(((candle,), (), (msgspec.structs.replace(candle, close=candle.low), candle)))
        if dice.random() < 0.1:
            hints = (candle, msgspec.structs.replace(candle, volume=candle.volume + 1))
        for hint in hints:
            seen.foresee(hint)
        if dice.random() < 0.05:
            # Something changed the state in between.
            for machine in machines:
                (running,) = machine.running.values()
                running.state[0] += 1.0
        said = [machine.speak(closed) for machine in machines]
        texts = [[(each.score, each.record.payload, each.whole) for each in words] for words in said]
        assert texts[0] == texts[1]
        for machine in machines:
            machine.have_read()
        assert _states(seen) == _states(blind)
        shown = [[(each.said, each.seen, each.last_open_ms) for each in made.running.values()] for made in machines]
        assert shown[0] == shown[1]
    assert taken[True] > 200, taken
    assert taken[False] > 20, taken


def test_what_is_ready_when_a_candle_closes_is_what_would_be_said_and_kept_to_the_byte() -> None:
    """Of two strategies, from candles as they closed and as they did not, of history, and after a trouble."""
    slower = msgspec.structs.replace(STRATEGY, name="t", parameters={"fast": 8, "slow": 21})
    settings = Settings(strategies=(STRATEGY, slower))
    seen, blind = SignalMachine(settings), SignalMachine(settings)
    dice = random.Random(7)
    for machine in (seen, blind):
        machine.have_orders_wait()
        machine.late_checkpoint()
    answers = Counter[bool]()
    for candle in recorded_candles():
        closed = msgspec.structs.replace(as_closed(candle), catch_up=dice.random() < 0.05)
        for hint in dice.choice(((candle,), (candle,), (), (msgspec.structs.replace(candle, close=candle.low),))):
            seen.foresee(hint)
        if dice.random() < 0.05:
            for machine in (seen, blind):
                machine.running["t"].state[0] += 1.0
        ready = seen.ready_for(closed)
        answers[ready is not None] += 1
        plain = blind.speak(closed)
        heard = signal_heard_record([closed], at_ms=closed.closed_ms, off={})
        records = (heard, *[each.record for each in plain])
        cells = blind.late_checkpoint()
        if ready is None:
            said = seen.speak(closed)
            assert [each.score for each in said] == [each.score for each in plain]
            seen.late_checkpoint()
        else:
            assert [each.score for each in ready.said] == [each.score for each in plain]
            assert [each.whole for each in ready.said] == [each.whole for each in plain]
            assert ready.records == records
            assert [each.payload for each in ready.records] == [each.payload for each in records]
            assert [(each.key, each.payload) for each in ready.cells] == [(each.key, each.payload) for each in cells]
            assert seen.late_checkpoint() == ()
        for machine in (seen, blind):
            machine.have_read()
        assert seen.views() == blind.views()
        assert _states(seen) == _states(blind)
        assert seen.ready_for(closed) is None, "what was said is not ready again"
    assert answers[True] > 100, answers
    assert answers[False] > 100, answers


def test_nothing_is_ready_where_a_fill_came_behind_the_hint_and_of_what_is_no_candle() -> None:
    machine = SignalMachine(Settings(strategies=(STRATEGY,)))
    machine.have_orders_wait()
    (running,) = machine.running.values()
    for candle in recorded_candles()[:400]:
        if machine.foresee(candle):
            assert machine.ready_for(a_fill()) is None
            running.waiting.append(a_fill())
            before = _states(machine)
            assert machine.ready_for(as_closed(candle)) is None
            assert _states(machine) == before
            return
        machine.speak(as_closed(candle))
        machine.have_read()
    raise AssertionError("something must be foreseen, was not")
