"""The JSON Schema accepts what the settings accept, key by key, and refuses what a person mistypes."""

from typing import Any

import jsonschema  # type: ignore[import-untyped]
import msgspec
import pytest

from genesis.domain.config_keys import KEYS
from genesis.domain.config_schema import schema
from genesis.domain.settings_build import Built, as_tree, build, layer_of_tree
from protocols.settings import Settings

VALIDATOR = jsonschema.Draft202012Validator(schema())


def accepts(document: Any) -> bool:
    # Through JSON: a reader of files meets lists, never tuples.
    return bool(VALIDATOR.is_valid(msgspec.json.decode(msgspec.json.encode(document))))


def builds(document: Any) -> bool:
    return isinstance(build([layer_of_tree("config/settings.json", document)]), Built)


def test_it_is_a_schema_and_the_defaults_are_valid() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    assert accepts(as_tree(Settings()))
    assert accepts({})


@pytest.mark.parametrize(
    "document",
    [
        {"risk": {"max_daly_loss": 0.1}},
        {"risk": {"max_daily_loss": 1.5}},
        {"risk": {"max_daily_loss": "much"}},
        {"risk": {"max_open_positions": 2.5}},
        {"risk": {"stop_trails": "yes"}},
        {"risk": []},
        {"web": {"port": 70000}},
        {"logs": {"level": "loud"}},
        {"version": 3},
        {"strategies": [{"symbol": "tBTCUSD"}]},
        {"strategies": {}},
        {"BITFINEX_API_SECRET": "x"},
        [],
        None,
    ],
)
def test_it_refuses_what_the_settings_refuse(document: Any) -> None:
    assert not accepts(document)
    assert not builds(document)


@pytest.mark.parametrize("path", sorted(KEYS))
def test_each_default_and_each_bound_is_accepted(path: str) -> None:
    key = KEYS[path]
    bounds: list[Any] = [float(bound) for bound in (key.low, key.high) if bound is not None]
    if isinstance(key.default, int):
        bounds = [int(bound) for bound in bounds]
    for value in (key.default, *bounds):
        section, dot, name = path.partition(".")
        assert accepts({section: {name: value}} if dot else {path: value})
