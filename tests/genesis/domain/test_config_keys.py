"""The key registry and the settings must say the same, and each key must be fit to show to a person."""

import msgspec
import pytest

from genesis.domain.config_keys import (
    ALIASES,
    KEYS,
    NOT_SET_BY_HAND,
    SECRETS,
    SECTIONS,
    STRATEGY_KEYS,
    described_paths,
    nearest,
)
from genesis.domain.settings_build import Built, build
from protocols.settings import Settings, StrategySettings


def leaf_paths(struct: type[msgspec.Struct], prefix: str = "") -> set[str]:
    paths: set[str] = set()
    for field in msgspec.structs.fields(struct):
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            paths |= leaf_paths(field.type, f"{prefix}{field.name}.")
        else:
            paths.add(prefix + field.name)
    return paths


def test_every_setting_has_a_row_and_every_row_has_a_setting() -> None:
    assert leaf_paths(Settings) - NOT_SET_BY_HAND - {"strategies"} == set(KEYS) == described_paths()


def test_every_key_of_a_strategy_is_described() -> None:
    assert set(STRATEGY_KEYS) == leaf_paths(StrategySettings)
    assert all(key.meaning for key in STRATEGY_KEYS.values())


@pytest.mark.parametrize("path", sorted(KEYS))
def test_a_key_has_a_meaning_and_a_default_inside_its_own_range(path: str) -> None:
    key = KEYS[path]
    assert key.meaning
    assert not key.meaning.endswith(".")
    if key.low is not None:
        assert key.default >= key.low
    if key.high is not None:
        assert key.default <= key.high
    if key.check is not None:
        assert key.check(key.default) is None
    if key.choices:
        assert key.default in key.choices


def test_numbers_have_units_and_sections_are_the_structs() -> None:
    without = [path for path, key in KEYS.items() if path.endswith(("_s", "_ms")) and "seconds" not in key.unit]
    assert without == []
    assert set(SECTIONS) == {path.split(".")[0] for path in KEYS if "." in path}


def test_defaults_are_the_settings_without_any_layer() -> None:
    built = build([])
    assert isinstance(built, Built)
    assert built.settings == Settings()


def test_no_secret_is_a_setting() -> None:
    words = {path.split(".")[-1].upper() for path in KEYS}
    assert not words & {secret.name for secret in SECRETS}
    assert not set(ALIASES) & {secret.name for secret in SECRETS}


def test_environment_names_are_all_different() -> None:
    names = [key.environment for key in KEYS.values()] + list(ALIASES)
    assert len(set(names)) == len(names)


def test_the_nearest_name_is_near_or_none() -> None:
    assert nearest("risk.max_dialy_loss", KEYS) == "risk.max_daily_loss"
    assert nearest("zzzz", KEYS) is None
