"""Other parameters for a configured strategy: every declared number, and nothing that the settings would not take."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genesis.domain.parameter_changes import differences, fields_of, list_with, with_parameters
from genesis.domain.settings_build import Built, Fault, Layer, build
from genesis.domain.strategies import STRATEGY_KINDS
from genesis.domain.strategies.ensemble import NAME as ENSEMBLE
from genesis.domain.strategies.ensemble import kind_for
from genesis.domain.strategy import StrategyKind
from protocols.settings import MemberSettings, Settings, StrategySettings

EMA = StrategySettings(name="btc-ema", symbol="tBTCUSD", parameters={"fast": 9.0})
MEMBERS = (
    MemberSettings(kind="ema_cross", weight=2.0, parameters={"slow": 30.0}),
    MemberSettings(kind="rsi_reversion"),
)
ALL = StrategySettings(name="all", kind=ENSEMBLE, symbol="tBTCUSD", members=MEMBERS)


def faults(strategy: StrategySettings, **wanted: Any) -> dict[str, str]:
    made = with_parameters(strategy, wanted, STRATEGY_KINDS)
    assert not isinstance(made, StrategySettings)
    return {fault.path: f"must be {fault.must_be}, was {fault.was}" for fault in made}


def test_every_number_that_its_author_declares_may_be_chosen_a_members_too() -> None:
    own = {field.path: (field.value, field.given) for field in fields_of(EMA, STRATEGY_KINDS)}
    assert own["fast"] == (9.0, True)
    assert own["slow"] == (STRATEGY_KINDS["ema_cross"].resolve({})["slow"], False)
    paths = [field.path for field in fields_of(ALL, STRATEGY_KINDS)]
    assert paths[:4] == ["enter", "leave", "members[0].weight", "members[0].parameters.fast"]
    assert {"members[1].weight", "members[1].parameters.period"} <= set(paths)


def test_a_choice_changes_what_it_names_and_nothing_else() -> None:
    made = with_parameters(EMA, {"slow": 40.0, "fast": None}, STRATEGY_KINDS)
    assert isinstance(made, StrategySettings)
    assert made.parameters == {"slow": 40.0}
    default = STRATEGY_KINDS["ema_cross"].resolve({})
    told = {each.path: (each.old, each.new) for each in differences(EMA, made, STRATEGY_KINDS)}
    assert told == {"fast": (9.0, default["fast"]), "slow": (default["slow"], 40.0)}
    made = with_parameters(
        ALL, {"members[0].weight": None, "members[1].parameters.period": 7.0, "leave": -0.1}, STRATEGY_KINDS
    )
    assert isinstance(made, StrategySettings)
    assert made.parameters == {"leave": -0.1}
    assert made.members == (
        MemberSettings(kind="ema_cross", weight=1.0, parameters={"slow": 30.0}),
        MemberSettings(kind="rsi_reversion", parameters={"period": 7.0}),
    )
    assert [each["name"] for each in list_with(Settings().strategies, EMA)] == ["btc-ema", "eth-ema"]


@pytest.mark.parametrize(
    ("strategy", "wanted", "path", "told"),
    [
        (EMA, {"fast": 0.0}, "fast", "must be a whole number from"),
        (EMA, {"fast": 9.5}, "fast", "was 9.5"),
        (EMA, {"fast": math.inf}, "fast", "was inf"),
        (EMA, {"fast": math.nan}, "fast", "was nan"),
        (EMA, {"fsat": 9.0}, "fsat", "must be a parameter of btc-ema (ema_cross), was unknown"),
        (EMA, {"members[0].weight": 1.0}, "members[0].weight", "was unknown"),
        (EMA, {"fast": 50.0, "slow": 20.0}, "fast", "must be below ema_cross.slow (20), was 50"),
        (ALL, {"members[0].weight": 0.0}, "members[0].weight", "must be above 0 and at most 1000, was 0"),
        (ALL, {"members[2].weight": 1.0}, "members[2].weight", "was unknown"),
        (ALL, {"members[0].parameters.fast": 40.0}, "members[0].parameters.fast", "must be below ema_cross.slow (30)"),
        (ALL, {"leave": 0.6}, "leave", "must be below enter (0.5), was 0.6"),
    ],
)
def test_what_cannot_be_is_told_at_its_field(
    strategy: StrategySettings, wanted: dict[str, float], path: str, told: str
) -> None:
    found = faults(strategy, **wanted)
    assert list(found) == [path]
    assert told in found[path]


def test_every_fault_is_told_at_once() -> None:
    assert set(faults(ALL, enter=7.0, **{"members[0].weight": -1.0})) == {"enter", "members[0].weight"}


def test_of_a_kind_that_cannot_be_used_nothing_is_declared() -> None:
    kinds = {**STRATEGY_KINDS, "rsi_reversion": StrategyKind.broken("rsi_reversion", "line 3: it is broken")}
    assert not any(field.path.startswith("members[1].parameters") for field in fields_of(ALL, kinds))
    made = with_parameters(ALL, {"members[0].parameters.fast": 5.0}, kinds)
    assert isinstance(made, StrategySettings), "the others may be chosen still"
    alone = StrategySettings(name="a", kind="rsi_reversion", parameters={"period": 9.0})
    assert isinstance(with_parameters(alone, {"period": 8.0}, kinds), tuple)


@given(
    st.dictionaries(
        st.sampled_from([field.path for field in fields_of(ALL, STRATEGY_KINDS)]),
        st.none() | st.floats() | st.integers(-10, 500).map(float),
        max_size=4,
    )
)
def test_what_is_taken_here_the_settings_take_and_it_runs(wanted: dict[str, float | None]) -> None:
    made = with_parameters(ALL, wanted, STRATEGY_KINDS)
    if isinstance(made, tuple):
        assert made
        assert all(isinstance(fault, Fault) and fault.must_be for fault in made)
        return
    built = build((Layer(name="runtime", values={"strategies": list_with((ALL,), made)}),))
    assert isinstance(built, Built), built
    assert built.settings.strategies == (made,)
    kind_for(made, STRATEGY_KINDS).start(kind_for(made, STRATEGY_KINDS).resolve(made.parameters))
    values = {field.path: field for field in fields_of(made, STRATEGY_KINDS)}
    for path, number in wanted.items():
        assert values[path].value == (values[path].declared.default if number is None else number)
