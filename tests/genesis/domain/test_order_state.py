"""The table of order states: laws over event sequences that nobody would write."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genesis.domain.order_state import AT_VENUE, ORDER_TRANSITIONS, IllegalTransition, OrderEvent, after, is_open
from protocols.orders import TERMINAL_STATES, OrderState

E, S = OrderEvent, OrderState
EVENTS = st.lists(st.sampled_from(OrderEvent))


@given(EVENTS)
def test_only_late_fills_and_ghosts_lead_out_of_an_end(events: list[OrderEvent]) -> None:
    state = S.INTENT
    for event in events:
        with contextlib.suppress(IllegalTransition):
            state, left = after(state, event), state
            if left in TERMINAL_STATES and state is not left:
                assert event in (E.GHOST, E.LAST_FILL)


@given(EVENTS)
def test_dead_is_reached_from_unknown_by_proof_alone(events: list[OrderEvent]) -> None:
    state = S.INTENT
    for event in events:
        with contextlib.suppress(IllegalTransition):
            state, left = after(state, event), state
            if state is S.DEAD and left is not S.DEAD:
                assert (left, event) == (S.UNKNOWN, E.ABSENT)


@given(EVENTS)
def test_doubt_is_never_a_rejection(events: list[OrderEvent]) -> None:
    state = S.INTENT
    for event in events:
        with contextlib.suppress(IllegalTransition):
            state, left = after(state, event), state
            if state is S.REJECTED and left is not S.REJECTED:
                assert event in (E.REFUSED, E.WITHDRAWN)
                assert event is E.REFUSED or left is S.INTENT


@pytest.mark.parametrize("state", sorted(AT_VENUE))
def test_every_state_at_the_venue_can_end_in_every_way(state: OrderState) -> None:
    ends = {after(state, event) for event in (E.LAST_FILL, E.CANCELED, E.EXPIRED)}
    assert ends == {S.FILLED, S.CANCELED, S.EXPIRED}
    assert after(state, E.DOUBT) is S.UNKNOWN


def test_a_fill_after_cancel_is_legal() -> None:
    assert after(S.CANCELED, E.PART_FILL) is S.CANCELED
    assert after(S.CANCELED, E.LAST_FILL) is S.FILLED


def test_what_is_not_in_the_table_says_what_was_tried() -> None:
    with pytest.raises(IllegalTransition, match="absent in ACKED"):
        after(S.ACKED, E.ABSENT)


def test_the_table_and_the_protocol_know_the_same_ends() -> None:
    assert {state for state in ORDER_TRANSITIONS if not is_open(state)} == set(TERMINAL_STATES)
