"""Checks what import-linter cannot see: words in the core, the length of files, and that each file names its idea."""

import ast
import io
import re
import sys
import tokenize
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("genesis", "actors", "protocols", "web", "tools", "tests")
LONGEST_FILE_LINES = 700
"""Files are meant to stay under about 600 lines; this is where about ends."""

# Words of trading that names in the supervision core have no use for. "order", "position" and "strategy" are not here:
# a queue has order and positions, a supervisor has a strategy.
TRADING_WORDS = frozenset(
    "bitfinex btc candle candles currency equity exchange fill fills notional portfolio price prices ticker tickers "
    "trade trades trader trading venue venues wallet wallets".split()
)
WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")
GROUPING_NAMES = {"utils.py", "util.py", "common.py", "helpers.py", "misc.py"}


def trading_words(text: str) -> list[tuple[int, str]]:
    """Each name that holds a trading word, with its line number. Comments may say what the core is not."""
    return [
        (token.start[0], token.string)
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type == tokenize.NAME and TRADING_WORDS & {word.lower() for word in WORD.findall(token.string)}
    ]


def faults(root: Path = ROOT) -> list[str]:
    found: list[str] = []
    for room in ROOMS:
        for path in sorted((root / room).rglob("*.py")):
            name = path.relative_to(root).as_posix()
            if "/static/" in name:
                continue
            text = path.read_text(encoding="utf-8")
            lines = len(text.splitlines())
            if lines > LONGEST_FILE_LINES:
                found.append(f"{name}: must have at most {LONGEST_FILE_LINES} lines, was {lines}")
            if path.name in GROUPING_NAMES:
                found.append(f"{name}: must be named for its idea, was {path.name}")
            if text.strip() and room != "tests" and ast.get_docstring(ast.parse(text)) is None:
                found.append(f"{name}: must begin with a sentence that names its idea")
            if name.startswith("genesis/core/"):
                found.extend(
                    f"{name}:{number}: the core knows no trading word, was {word!r}"
                    for number, word in trading_words(text)
                )
    if (root / "genesis" / "__init__.py").read_text().strip():
        found.append("genesis/__init__.py: must stay empty, so that rooms load only what they need")
    return found


def main() -> int:
    found = faults()
    for fault in found:
        print(fault)
    print("rooms: kept" if not found else f"rooms: {len(found)} faults")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
