"""The repository installs as one wheel of four packages, from a lock that names no address, beside no stranger."""

import importlib.metadata
import re
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path

import pytest

from tools import bootstrap, generate_docs

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("genesis", "actors", "protocols", "web")
OURS = {*PACKAGES, "tools", "tests"}
LOCK = (ROOT / "requirements.lock").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_no_stranger_owns_one_of_our_names() -> None:
    """Installing web.py over our wheel replaces `web/__init__.py` without a word, and `pip check` is content."""
    owners = importlib.metadata.packages_distributions()
    strangers = {name: set(owners.get(name, [])) - {"genesis-engine"} for name in OURS}
    assert {name: owner for name, owner in strangers.items() if owner} == {}


def test_what_is_imported_is_this_tree() -> None:
    for name in PACKAGES:
        found = __import__(name).__file__
        assert found is not None
        assert Path(found).is_relative_to(ROOT)


def test_the_lock_has_a_hash_for_every_package_and_no_address() -> None:
    entries = [entry for entry in re.split(r"\n(?=\S)", LOCK) if not entry.startswith("#")]
    assert len(entries) > 100
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []
    assert not re.search(r"https?://|file:|git\+|--index|--find-links", LOCK)


def declared() -> list[str]:
    project = PROJECT["project"]
    extras = [each for extra in project["optional-dependencies"].values() for each in extra]
    return [*project["dependencies"], *extras, *PROJECT["dependency-groups"]["dev"]]


@pytest.mark.parametrize("requirement", declared())
def test_the_lock_holds_what_the_project_asks_for(requirement: str) -> None:
    found = re.match(r"([A-Za-z0-9._-]+)(?:\[[^\]]*\])?(.*)", requirement)
    assert found is not None
    name = re.sub(r"[-_.]+", "-", found.group(1)).lower()
    locked = re.search(rf"^{re.escape(name)}==(\S+)", LOCK, re.MULTILINE)
    assert locked is not None
    if found.group(2).startswith("=="):
        assert locked.group(1) == found.group(2)[2:]


def test_the_lock_gives_the_installer_of_the_lock() -> None:
    entry = bootstrap.locked("uv", LOCK)
    assert entry.startswith("uv==")
    assert entry.count("--hash=sha256:") >= 1
    assert entry.rstrip().splitlines()[-1].lstrip().startswith(("--hash", "#"))
    with pytest.raises(LookupError, match="must list nothing-such"):
        bootstrap.locked("nothing-such", LOCK)


@pytest.mark.parametrize(
    ("configured", "prefix", "plain"),
    [
        ("'--enable-shared'", "/opt/python", True),
        ("'--enable-shared' '--enable-optimizations'", "/opt/python", False),
        ("'--enable-shared'", "/usr", False),
    ],
)
def test_a_python_without_optimizations_is_told_of_a_quicker_one_that_can_make_an_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, configured: str, prefix: str, plain: bool
) -> None:
    monkeypatch.setattr(sysconfig, "get_config_var", {"CONFIG_ARGS": configured}.get)
    monkeypatch.setattr(sys, "base_prefix", prefix)
    other = tmp_path / "python3"
    monkeypatch.setattr(bootstrap, "SYSTEM", other)
    assert bootstrap.better_built() == ""  # there is none
    for fits in (False, True):
        other.write_text(f"#!/bin/sh\nexit {int(not fits)}\n")
        other.chmod(0o755)
        wanted = f"rm -rf .venv && make install PYTHON={other}" if fits and plain else ""
        assert bootstrap.better_built() == wanted


def test_quart_stays_below_the_release_that_breaks_it() -> None:
    """Quart 0.23 takes away what quart-trio 0.12 imports; quart-trio's own bounds let it in."""
    version = importlib.metadata.version("quart")
    assert tuple(map(int, version.split(".")[:2])) < (0, 23)


def test_the_wheel_holds_the_four_packages_with_their_data_and_nothing_else(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=120,
    )
    [wheel] = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    roots = {name.split("/")[0] for name in names}
    assert {root for root in roots if not root.endswith(".dist-info")} == set(PACKAGES)
    assert {f"{package}/py.typed" for package in PACKAGES} <= set(names)
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not [name for name in names if "__pycache__" in name]
    # What is read at run time must be inside.
    for folder in (
        ROOT / "web" / "static",
        ROOT / "web" / "proof_sheets",
        ROOT / "genesis" / "simulator" / "recordings",
    ):
        for path in folder.rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                assert path.relative_to(ROOT).as_posix() in names


@pytest.mark.parametrize("name", sorted(generate_docs.FILES))
def test_generated_files_are_as_generated(name: str) -> None:
    assert (ROOT / name).read_text() == generate_docs.FILES[name](), f"{name} must be as `make docs` writes it"


def test_nothing_secret_has_a_value_in_the_example() -> None:
    text = (ROOT / ".env.example").read_text()
    assert not re.search(r"^[^#\n]", text, re.MULTILINE)
    assert re.search(r"^#BITFINEX_API_SECRET=$", text, re.MULTILINE)
