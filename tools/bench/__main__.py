"""Runs the measurements of this folder in interleaved rounds: `python -m tools.bench [--quick] [--docs] [name ...]`.

A measurement is a file that can be run by itself and takes its number of rounds as the first argument. Here each is run
for one round, in a process of its own, then the next; and all of them again. What they tell is gathered into one table
of medians and spreads. A full run builds the peers' environments first and writes docs/benchmarks.json and
docs/benchmarks.md; a quick one measures without peers, and writes only with --docs.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from genesis.edge.proof_files import FOLDER as SHEETS
from genesis.edge.proof_files import write_sheet
from tools.bench._figures import GATHERED_IN, QUICK, Figure, told
from tools.bench._page import Results, gather, merged, page, read_results, sheet, table, write_results
from tools.bench._peers import build_all

FOLDER: Final = Path(__file__).resolve().parent
ROOT: Final = FOLDER.parent.parent
RESULTS: Final = ROOT / "docs" / "benchmarks.json"
PAGE: Final = ROOT / "docs" / "benchmarks.md"
ROUNDS: Final = 3
QUICK_ROUNDS: Final = 1
TIME_LIMIT_S: Final = 600
AT_MOST_ROUNDS: Final = {"first_sweep": 2, "restarts": 1, "symbols": 1}
"""Long ones whose figures say enough after fewer rounds than the others; a quick run leaves them out."""


def measurements(names: list[str], quick: bool) -> list[Path]:
    files = sorted(path for path in FOLDER.glob("*.py") if not path.name.startswith("_"))
    if names:
        return [path for path in files if path.stem in names]
    return [path for path in files if not (quick and path.stem in AT_MOST_ROUNDS)]


def one_round(path: Path, gathered: Path, quick: bool) -> bool:
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    environment = {**os.environ, GATHERED_IN: str(gathered), **({QUICK: "yes"} if quick else {})}
    try:
        ended = subprocess.run(
            [sys.executable, "-m", module, "1"], cwd=ROOT, check=False, env=environment, timeout=TIME_LIMIT_S
        )
    except subprocess.TimeoutExpired:
        return False
    return ended.returncode == 0


def measure(paths: list[Path], rounds: int, quick: bool) -> tuple[list[Figure], list[str]]:
    """(all figures, the measurements that failed)."""
    failed: list[str] = []
    with tempfile.TemporaryDirectory() as directory:
        gathered = Path(directory) / "figures.jsonl"
        for number in range(1, rounds + 1):
            for path in paths:
                if number > AT_MOST_ROUNDS.get(path.stem, rounds):
                    continue
                print(f"== {path.stem}, round {number} of {rounds}", flush=True)
                began = time.monotonic()
                if not one_round(path, gathered, quick) and path.stem not in failed:
                    failed.append(path.stem)
                print(f"   {time.monotonic() - began:.0f} s", flush=True)
        return told(gathered), failed


def _write_page(results: Results) -> None:
    PAGE.write_text(page(results))
    write_sheet(ROOT / SHEETS, sheet(results))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="measurements to run; all when none is named")
    parser.add_argument("--quick", action="store_true", help="one round, without the long ones and without peers")
    parser.add_argument("--rounds", type=int, help=f"rounds ({ROUNDS}; quick {QUICK_ROUNDS})")
    parser.add_argument("--docs", action="store_true", help="write the page and its figures after a quick run too")
    parser.add_argument("--page", action="store_true", help="only write the page anew from the figures there are")
    options = parser.parse_args()
    if options.page:
        _write_page(read_results(RESULTS))
        return 0
    rounds = options.rounds or (QUICK_ROUNDS if options.quick else ROUNDS)
    began = time.monotonic()
    missing = [] if options.quick else build_all()
    if missing:
        print(f"without these peers, whose environments could not be built: {', '.join(missing)}", file=sys.stderr)
    figures, failed = measure(measurements(options.names, options.quick), rounds, options.quick)
    results = gather(figures, rounds)
    print("\n" + table(results))
    print(f"\n{time.monotonic() - began:.0f} s, {rounds} rounds")
    if options.docs or not (options.quick or options.names):
        if options.names and RESULTS.exists():
            # Only these were measured: the others keep the figures that they have.
            results = merged(read_results(RESULTS), results)
        write_results(RESULTS, results)
        _write_page(results)
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
