"""Layers become one settings value or every fault at once; nothing is half applied."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genesis.domain.config_keys import KEYS, SECTIONS
from genesis.domain.settings_build import (
    Built,
    Fault,
    Layer,
    as_tree,
    build,
    layer_of_environment,
    layer_of_tree,
    read_text,
)
from protocols.settings import Settings


def built(*layers: Layer) -> Built:
    outcome = build(layers)
    assert isinstance(outcome, Built), [str(fault) for fault in outcome]
    return outcome


def faults(*layers: Layer) -> tuple[Fault, ...]:
    outcome = build(layers)
    assert not isinstance(outcome, Built)
    return outcome


def tree(content: Any, name: str = "config/settings.json") -> Layer:
    return layer_of_tree(name, content)


def test_a_later_layer_hides_an_earlier_one_and_says_what_it_hid() -> None:
    outcome = built(
        tree({"risk": {"max_daily_loss": Decimal("0.10")}}),
        layer_of_environment({"GENESIS_RISK__MAX_DAILY_LOSS": "0.02"}),
    )
    assert outcome.settings.risk.max_daily_loss == Decimal("0.02")
    effective = outcome.effective["risk.max_daily_loss"]
    assert effective.layer == "environment"
    assert effective.hidden == (("config/settings.json", Decimal("0.10")), ("defaults", Decimal("0.05")))


def test_older_names_of_the_environment_work_and_the_full_name_wins() -> None:
    assert built(layer_of_environment({"WS_TICKER_STALE_SECS": "5"})).settings.market.ticker_stale_s == 5.0
    both = {"WS_TICKER_STALE_SECS": "5", "GENESIS_MARKET__TICKER_STALE_S": "7"}
    assert built(layer_of_environment(both)).settings.market.ticker_stale_s == 7.0


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("tBTCUSD,tETHUSD", ["tBTCUSD", "tETHUSD"]),
        ('["tBTCUSD", "tETHUSD"]', ["tBTCUSD", "tETHUSD"]),
        (' ["tBTCUSD"] ', ["tBTCUSD"]),
        ("[]", None),
        ("", None),
        ('["tBTCUSD"', None),
        ("[1]", None),
        ("[" * 5000, None),
    ],
)
def test_a_typed_list_is_taken_with_commas_and_as_it_is_printed(typed: str, meant: list[str] | None) -> None:
    """`config get` prints JSON, which `config set` took for one name with brackets."""
    value, wrong = read_text("market.symbols", typed)
    assert value == meant
    assert bool(wrong) is (meant is None)


def test_environment_text_becomes_every_kind_of_value() -> None:
    settings = built(
        layer_of_environment(
            {
                "GENESIS_MARKET__SYMBOLS": "tBTCUSD, tETHUSD,tDUSK:USD",
                "GENESIS_ORDERS__DEAD_MAN_SWITCH": "yes",
                "GENESIS_ORDERS__GROUP_ID": "99",
                "GENESIS_RISK__POSITION_FRACTION": "0.1",
                "GENESIS_STRATEGIES": '[{"name": "one", "parameters": {"fast": 5, "slow": 20.0}}]',
            }
        )
    ).settings
    assert settings.market.symbols == ("tBTCUSD", "tETHUSD", "tDUSK:USD")
    assert settings.orders.dead_man_switch is True
    assert settings.orders.group_id == 99
    assert settings.risk.position_fraction == Decimal("0.1")
    assert settings.strategies[0].parameters == {"fast": 5.0, "slow": 20.0}


def test_a_strategy_file_that_is_not_there_is_named() -> None:
    """It was deleted while the engine ran, or its folder is not mounted: whoever is called must hear where to look."""
    [fault] = faults(tree({"strategies": [{"name": "one", "kind": "my_own"}]}))
    assert "(is strategies/my_own.py there?)" in str(fault)
    [slip] = faults(tree({"strategies": [{"name": "one", "kind": "ema_cros"}]}))
    assert "(did you mean ema_cross?)" in str(slip)


def test_every_fault_is_reported_at_once_with_path_must_be_and_was() -> None:
    found = faults(
        tree(
            {
                "risk": {"max_dialy_loss": 1, "position_fraction": 1.5, "max_open_positions": "many"},
                "web": 8000,
                "logs": {"level": "chatty"},
            }
        ),
        layer_of_environment({"GENESIS_RISK__MAX_DRAWDWON": "0.1"}),
    )
    assert sorted(fault.path for fault in found) == [
        "GENESIS_RISK__MAX_DRAWDWON",
        "logs.level",
        "risk.max_dialy_loss",
        "risk.max_open_positions",
        "risk.position_fraction",
        "web",
    ]
    texts = {fault.path: str(fault) for fault in found}
    assert "did you mean risk.max_daily_loss?" in texts["risk.max_dialy_loss"]
    assert "must be 0 to 1, was 1.5" in texts["risk.position_fraction"]
    assert 'must be a whole number, was "many"' in texts["risk.max_open_positions"]
    assert "did you mean GENESIS_RISK__MAX_DRAWDOWN?" in texts["GENESIS_RISK__MAX_DRAWDWON"]
    assert "[config/settings.json]" in texts["web"]


def test_the_value_of_an_unknown_name_is_never_repeated() -> None:
    """It may be a secret that was put into the wrong place."""
    for layer in (
        tree({"venue": {"api_secret": "hunter2"}}),
        tree({"bitfinex_api_secret": "hunter2"}),
        layer_of_environment({"GENESIS_API_SECRET": "hunter2"}),
    ):
        assert all("hunter2" not in str(fault) for fault in faults(layer))


@pytest.mark.parametrize(
    "value",
    [
        "NaN",
        "1E+999999",
        "Infinity",
        "",
        "0x10",
        "１２",
        True,
        None,
        [],
        {},
        float("nan"),
        float("inf"),
        Decimal("1e-50"),
    ],
)
def test_what_is_no_exact_number_is_refused(value: Any) -> None:
    assert [fault.path for fault in faults(tree({"risk": {"max_order_notional": value}}))] == [
        "risk.max_order_notional"
    ]


@pytest.mark.parametrize("value", ["1.0", "1e3", "", "٣", "99999999999999999999", "--1"])
def test_what_is_no_whole_number_is_refused(value: str) -> None:
    assert faults(layer_of_environment({"GENESIS_ORDERS__GROUP_ID": value}))


@pytest.mark.parametrize(
    ("symbols", "fine"),
    [
        (["tBTCUSD"], True),
        (["tDUSK:USD"], True),
        (["BTCUSD"], False),
        (["tbtcusd"], False),
        (["tBTCUSD", "tBTCUSD"], False),
        ([], False),
        ("tBTCUSD", False),
        (["tBTC USD"], False),
    ],
)
def test_symbols_are_the_venues(symbols: Any, fine: bool) -> None:
    outcome = build([tree({"market": {"symbols": symbols}, "strategies": []})])
    assert isinstance(outcome, Built) is fine


def test_values_that_contradict_one_another_are_refused() -> None:
    found = faults(
        tree(
            {
                "connection": {"backoff_base_s": 5, "backoff_cap_s": 1, "ping_interval_s": 30},
                "orders": {"doubt_after_s": 10, "quarantine_s": 10},
                "strategies": [
                    {"name": "a", "symbol": "tLTCUSD"},
                    {"name": "a", "timeframe": "1h"},
                    {"name": "b", "kind": "ema_crosss"},
                    {"name": "c", "parameters": {"fats": 5}},
                    {"name": "d", "parameters": {"fast": 50, "slow": 20}},
                ],
            }
        )
    )
    assert [fault.path for fault in found] == [
        "connection.backoff_cap_s",
        "connection.ping_interval_s",
        "orders.quarantine_s",
        "strategies[0].symbol",
        "strategies[1].name",
        "strategies[1].timeframe",
        "strategies[2].kind",
        "strategies[3].parameters.fats",
        "strategies[4].parameters",
    ]
    assert "did you mean ema_cross?" in str(found[6])
    assert "did you mean fast?" in str(found[7])


def test_a_strategy_has_no_name_that_stands_for_somebody_else() -> None:
    """One called manual shared the lots of a person's orders, and its exit would have sold them."""
    for name in ("manual", "flatten", "protection"):
        (fault,) = faults(tree({"strategies": [{"name": name}]}))
        assert (fault.path, fault.was) == ("strategies[0].name", f'"{name}"')
        assert "another name than manual" in str(fault)


@pytest.mark.parametrize(
    "strategies", [{}, "x", [1], [{}], [{"name": "Bad Name"}], [{"name": "a", "simbol": "tBTCUSD"}]]
)
def test_a_list_of_strategies_must_be_one(strategies: Any) -> None:
    assert all(fault.path.startswith("strategies") for fault in faults(tree({"strategies": strategies})))


def test_the_version_is_not_set_by_hand() -> None:
    assert faults(tree({"version": 7}))[0].path == "version"


def test_a_document_that_is_no_object_is_refused() -> None:
    documents: tuple[object, ...] = ([], "x", 1, None)
    for content in documents:
        assert faults(tree(content))


def test_the_tree_of_a_value_builds_it_again() -> None:
    settings = built(
        tree({"risk": {"max_order_notional": "1234.5678"}, "strategies": [{"name": "x", "parameters": {"fast": 5}}]})
    ).settings
    assert built(tree(json.loads(json.dumps(as_tree(settings))))).settings == settings


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.decimals() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
trees = st.dictionaries(
    st.sampled_from([*SECTIONS, "strategies", "quote_currency", "version"]) | st.text(max_size=8),
    st.dictionaries(
        st.sampled_from(sorted({path.split(".")[-1] for path in KEYS})) | st.text(max_size=8), json_values, max_size=5
    )
    | json_values,
    max_size=5,
)


@given(trees)
def test_any_document_gives_settings_or_faults_and_never_breaks(content: dict[str, Any]) -> None:
    outcome = build([layer_of_tree("config/settings.json", content)])
    if isinstance(outcome, Built):
        assert isinstance(outcome.settings, Settings)
    else:
        assert outcome
        assert all(fault.path and fault.must_be and len(str(fault)) < 2000 for fault in outcome)


@given(st.dictionaries(st.sampled_from([key.environment for key in KEYS.values()]), st.text(max_size=30), max_size=6))
def test_any_environment_gives_settings_or_faults(environment: dict[str, str]) -> None:
    outcome = build([layer_of_environment(environment)])
    assert isinstance(outcome, Built) or outcome
