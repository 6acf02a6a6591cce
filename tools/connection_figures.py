"""Runs the storms of the connection tests and writes their figures into docs/bitfinex.md (between its two marks)."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
PAGE: Final = ROOT / "docs" / "bitfinex.md"
MARKS: Final = ("<!-- figures -->\n", "<!-- end of figures -->")
TESTS: Final = "tests/actors/test_lines_against_simulator.py"


def measured() -> list[str]:
    """The lines that the storms print. Raises CalledProcessError when a test fails: then there is no figure."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", TESTS, "-k", "whatever_breaks"],
        cwd=ROOT,
        env=os.environ | {"STORM_DROPS": "1000"},
        check=True,
        capture_output=True,
        text=True,
    )
    return re.findall(r"^\d+ (?:drops|troubles): .*$", done.stdout, re.MULTILINE)


def main() -> int:
    lines = measured()
    page = PAGE.read_text(encoding="utf-8")
    head, _, rest = page.partition(MARKS[0])
    _, mark, tail = rest.partition(MARKS[1])
    told = "".join(f"- {line}; 0 trades missed, 0 told twice\n" for line in lines)
    PAGE.write_text(f"{head}{MARKS[0]}{told}{mark}{tail}", encoding="utf-8")
    print(told, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
