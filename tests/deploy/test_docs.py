"""The documentation builds without a warning, and no example in it names a command or an option that is not there."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from cyclopts import MissingArgumentError

from genesis.cli.main import make_app

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(?:sh|shell|console)?\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(genesis [a-z][^`\n]*)`")


def commands(text: str) -> list[str]:
    """Every line that begins with `genesis`, without its comment, of fenced blocks and of code within sentences."""
    found = []
    for block in FENCE.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            # Several commands may stand side by side in a block of names.
            found += [part for part in re.split(r"\s{2,}", line.split(" #")[0].strip()) if part.startswith("genesis ")]
    return found + INLINE.findall(text)


EXAMPLES = sorted({(page.name, line) for page in PAGES for line in commands(page.read_text())})


def test_there_are_examples() -> None:
    assert len(EXAMPLES) > 60


@pytest.mark.parametrize("page", [page.name for page in PAGES])
def test_every_command_of_a_page_is_one_that_there_is(page: str) -> None:
    for name, line in EXAMPLES:
        if name != page or any(mark in line for mark in ("...", "…", "|", "<")):
            continue
        words = shlex.split(re.split(r"\s(?:&&|>)\s", line)[0])[1:]
        try:
            *_, unused, _ = make_app().parse_known_args(words)
        except MissingArgumentError:
            # A sentence names the command; a block shows it whole.
            continue
        assert not unused, f"{line}: {unused} must be known"


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    done = subprocess.run(
        [Path(sys.executable).parent / "mkdocs", "build", "--strict", "--site-dir", tmp_path / "site"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    index = (tmp_path / "site" / "index.html").read_text()
    outside = [link for link in re.findall(r'(?:src|href)="(https?://[^"]+)"', index) if "github" not in link]
    assert not [link for link in outside if link.endswith((".js", ".css", ".woff2"))]
