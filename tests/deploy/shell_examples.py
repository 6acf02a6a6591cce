"""The shell examples of the documentation: found in its pages, and made into scripts that a shell can run.

A block is fenced as `sh` or `console`; in the second kind only what follows `$ ` is said. One that cannot be run here
has a line before it that says why: `<!-- not-run: REASON -->`. Nothing of a block is changed before it is run but the
port.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import attrs

ROOT = Path(__file__).resolve().parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
_BLOCK = re.compile(
    r"(?:^<!-- not-run: (?P<why>[^\n]*) -->\n)?^```(?P<kind>sh|shell|bash|console)\n(?P<text>.*?)^```",
    re.MULTILINE | re.DOTALL,
)
_LEFT_OUT = re.compile(r"^(?: {4}|```\w*\n)(?:\$ )?(?:genesis|curl|make|docker|sudo|pip) ", re.MULTILINE)


@attrs.frozen
class Example:
    page: str
    line: int
    text: str
    why_not: str | None


def examples(page: Path) -> Iterator[Example]:
    """Every shell block of a page, in order."""
    text = page.read_text()
    for found in _BLOCK.finditer(text):
        body = found["text"]
        if found["kind"] == "console":
            body = "".join(_said(body))
        line = text.count("\n", 0, found.start("text")) + 1
        yield Example(page=page.name, line=line, text=body, why_not=found["why"])


def _said(console: str) -> Iterator[str]:
    goes_on = False
    for line in console.splitlines(keepends=True):
        if line.startswith("$ ") or goes_on:
            yield line.removeprefix("$ ")
            goes_on = line.rstrip("\n").endswith("\\")


def unfenced(page: Path) -> list[str]:
    """Commands in blocks that are not marked as a shell's."""
    text = _BLOCK.sub("", page.read_text())
    return [found.group() for found in _LEFT_OUT.finditer(text)]


def script(page: Path, port: int) -> str:
    """All that can be run of a page, for one shell, that ends at the first command that fails and names its block."""
    parts = [
        "set -eu -o pipefail\ntrap 'echo \"failed: $BASH_COMMAND ($where)\" >&2' ERR\n",
    ]
    for example in examples(page):
        if example.why_not is None:
            parts.append(f"where={example.page}:{example.line}\n{example.text}")
    return re.sub(r"\b(127\.0\.0\.1|localhost):8000\b", rf"\1:{port}", "".join(parts))
