"""A circuit breaker stops asking what does not answer, and asks one probe before it trusts again."""

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from genesis.domain.circuit_breaker import PROBE_LOST_S, BreakerState, CircuitBreaker


def broken(now: float = 0.0) -> CircuitBreaker:
    breaker = CircuitBreaker(threshold=3, base_s=2.0, cap_s=16.0)
    for _ in range(3):
        breaker.note_failure(now)
    return breaker


def test_it_opens_at_the_threshold_and_not_before() -> None:
    breaker = CircuitBreaker(threshold=3, base_s=2.0)
    breaker.note_failure(0.0)
    breaker.note_failure(0.0)
    assert breaker.can_request(0.0)
    breaker.note_failure(1.0)
    assert not breaker.can_request(1.0)
    assert breaker.time_until_open(1.0) == 2.0
    assert (breaker.fail_count, breaker.last_failure) == (3, 1.0)


def test_a_success_between_failures_forgets_them() -> None:
    breaker = CircuitBreaker(threshold=2)
    for at in range(20):
        breaker.note_failure(at)
        breaker.note_success(at)
    assert breaker.state(20.0) is BreakerState.CLOSED


def test_half_open_lets_one_probe_through() -> None:
    breaker = broken()
    assert breaker.state(2.0) is BreakerState.HALF_OPEN
    assert breaker.can_request(2.0)
    assert not breaker.can_request(2.0)
    breaker.note_success(2.5)
    assert breaker.can_request(2.5)
    assert breaker.can_request(2.5)


def test_a_failed_probe_doubles_the_pause_up_to_the_cap() -> None:
    breaker = broken()
    now, pauses = 0.0, []
    for _ in range(6):
        now += breaker.time_until_open(now)
        assert breaker.can_request(now)
        breaker.note_failure(now)
        pauses.append(breaker.time_until_open(now))
    assert pauses == [4, 8, 16, 16, 16, 16]


def test_a_probe_that_never_comes_back_makes_room_for_another() -> None:
    breaker = broken()
    assert breaker.can_request(2.0)
    assert not breaker.can_request(2.0 + PROBE_LOST_S - 0.1)
    assert breaker.can_request(2.0 + PROBE_LOST_S)


def test_429_opens_at_once_for_a_minute_or_what_the_answer_asks() -> None:
    breaker = CircuitBreaker()
    breaker.note_failure(0.0, status=429)
    assert breaker.time_until_open(0.0) == 60
    breaker = CircuitBreaker()
    breaker.note_failure(0.0, status=429, retry_after_s=90)
    assert breaker.time_until_open(0.0) == 90
    breaker = CircuitBreaker()
    breaker.note_failure(0.0, status=503, retry_after_s=7)
    assert breaker.time_until_open(0.0) == 7


class Laws(RuleBasedStateMachine):
    """Whatever happens in whatever order."""

    def __init__(self) -> None:
        super().__init__()
        self.breaker = CircuitBreaker(threshold=3, base_s=1.0, cap_s=60.0)
        self.now = 0.0

    @rule(seconds=st.integers(0, 100))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds

    @rule()
    def ask(self) -> None:
        allowed = self.breaker.can_request(self.now)
        if self.breaker.state(self.now) is BreakerState.OPEN:
            assert not allowed

    @rule()
    def succeed(self) -> None:
        self.breaker.note_success(self.now)
        assert self.breaker.can_request(self.now)

    @rule(status=st.sampled_from([None, 429, 500, 503]), asked=st.none() | st.integers(0, 300))
    def fail(self, status: int | None, asked: int | None) -> None:
        self.breaker.note_failure(self.now, status=status, retry_after_s=asked)
        if asked is not None:
            assert self.breaker.time_until_open(self.now) >= asked or self.breaker.state(self.now) is not (
                BreakerState.OPEN
            )

    @invariant()
    def the_wait_ends(self) -> None:
        assert 0 <= self.breaker.time_until_open(self.now) <= 300 + 60


TestLaws = Laws.TestCase


@given(st.lists(st.booleans(), max_size=50))
def test_it_is_closed_exactly_when_the_last_word_was_success_or_few_failures_came(words: list[bool]) -> None:
    breaker = CircuitBreaker(threshold=4)
    in_a_row = 0
    for number, worked in enumerate(words):
        (breaker.note_success if worked else breaker.note_failure)(float(number))
        in_a_row = 0 if worked else in_a_row + 1
    assert (breaker.openings == 0) == (in_a_row < 4)
