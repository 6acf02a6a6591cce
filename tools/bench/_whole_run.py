"""One fast run in a process of its own: `python -m tools.bench._whole_run BARS [FOLDER]`; prints the seconds of
processor of the whole process and the most MiB it held, imports and getting the bars included.

Without a folder the bars are made in memory. With one they are the data store's, looked at as a worker of a search does
(`genesis optimize`); `keep BARS FOLDER` puts them there beforehand, as a download would, with the array that the first
look makes.
"""

import resource
import sys
import time
from pathlib import Path

from genesis.research.bars import BarRecording
from genesis.research.fast import Prepared, run_fast
from tools.bench.sweep import RICH, SYMBOL, random_bars, settings


def most_mib() -> float:
    """What this program held at most. What the system says of the process may be of the one that started it."""
    status = Path("/proc/self/status")
    if status.exists():
        told = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(told.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def keep(count: int, folder: Path) -> None:
    from genesis.edge.bar_files import BarFiles
    from genesis.research.runs import table_of

    bars = random_bars(count).rows[SYMBOL]
    BarFiles(folder).write(SYMBOL, "1m", table_of(bars))
    mapped(folder)


def mapped(folder: Path) -> BarRecording:
    # What a run in memory does not need it does not pay for.
    from genesis.markets import load_market

    return load_market(f"{SYMBOL}:1m", folder, mapped=True)


def main() -> None:
    if sys.argv[1] == "keep":
        keep(int(sys.argv[2]), Path(sys.argv[3]))
        return
    count, *folder = sys.argv[1:]
    bars = mapped(Path(folder[0])) if folder else random_bars(int(count))
    result = run_fast(Prepared.of(bars, settings("1m"), balances=RICH))
    assert result.ran_fast, result.why
    print(time.process_time(), most_mib())


if __name__ == "__main__":
    main()
