"""What the README shows can be done: its commands exist, its files are there, its settings are valid."""

import json
import re
from pathlib import Path

import pytest

from genesis.cli.main import COMMANDS
from genesis.domain.config_keys import KEYS
from genesis.domain.settings_build import Built, build, layer_of_tree

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()


def test_every_command_it_shows_exists() -> None:
    shown = set(
        re.findall(r"(?<![./\w])genesis ([a-z]+)", "\n".join(re.findall(r"```sh\n(.*?)```", README, re.DOTALL)))
    )
    assert shown
    assert shown <= {*COMMANDS, "version"}


def test_every_make_target_it_shows_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:^|`)make ([a-z-]+)", README, re.MULTILINE)) <= targets


@pytest.mark.parametrize("name", sorted(set(re.findall(r"\]\(([^)#:]+)\)", README))))
def test_every_file_it_links_to_is_there(name: str) -> None:
    assert (ROOT / name).exists()


def test_its_settings_are_valid() -> None:
    for path in re.findall(r"config set ([a-z_.]+)", README):
        assert path in KEYS
    [strategies] = re.findall(r"```json\n(.*?)```", README, re.DOTALL)
    assert isinstance(build([layer_of_tree("README.md", json.loads(strategies), section="strategies")]), Built)
    for name in re.findall(r"GENESIS_[A-Z_]+__[A-Z_]+", README):
        assert name in {key.environment for key in KEYS.values()}
