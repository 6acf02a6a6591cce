"""Runs every measurement of this folder, each in its own process: `python -m tools.bench [--quick] [name ...]`.

A measurement is a file that can be run by itself and takes its number of rounds as the first argument.
"""

import subprocess
import sys
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).resolve().parent
ROOT: Final = FOLDER.parent.parent
QUICK_ROUNDS: Final = "1"


def measurements() -> list[Path]:
    return sorted(path for path in FOLDER.glob("*.py") if not path.name.startswith("_"))


def main() -> int:
    words = sys.argv[1:]
    quick = "--quick" in words
    names = [word for word in words if not word.startswith("-")]
    failed: list[str] = []
    for path in measurements():
        if names and path.stem not in names:
            continue
        print(f"== {path.stem}", flush=True)
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        command = [sys.executable, "-m", module, *([QUICK_ROUNDS] if quick else [])]
        if subprocess.run(command, cwd=ROOT, check=False).returncode != 0:
            failed.append(path.stem)
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
