"""Whose range a person's order is judged by, where several strategies hear one market."""

import pytest

from genesis.domain.risk_facts import volatility_of
from genesis.domain.risk_state import RiskState
from genesis.domain.volatility import Volatility


def heard(*names: str) -> RiskState:
    ranges = {name: Volatility(symbol="tETHUSD" if name == "eth" else "tBTCUSD", atr=10.0) for name in names}
    return RiskState(volatility=ranges)


@pytest.mark.parametrize("names", [("wide", "narrow", "eth"), ("eth", "narrow", "wide")])
def test_who_spoke_first_moves_no_verdict_of_a_person(names: tuple[str, ...]) -> None:
    """A restart reads strategies by name, whoever spoke first: a verdict must not hang on that."""
    state = heard(*names)
    assert volatility_of(state, "manual", "tBTCUSD") is state.volatility["narrow"]


def test_a_strategy_is_judged_by_its_own_range_and_a_strange_market_by_none() -> None:
    state = heard("narrow", "wide")
    assert volatility_of(state, "wide", "tBTCUSD") is state.volatility["wide"]
    assert volatility_of(state, "wide", "tETHUSD") is None
