"""Draws a price line with its regimes behind it, and counts how long each lasted. Needs the extra `report`.

    python -m tools.draw_regimes BTCUSD-1m-2018.csv.gz --timeframe 1h --out docs/images/regimes-2018.png

The file holds the venue's own columns: time,open,close,high,low,volume; several files follow one another.
"""

import argparse
import datetime
import itertools
import sys
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from genesis.domain.regime import CRASH, HIGH_VOLATILITY, NAMES, RANGE, TREND_DOWN, TREND_UP
from genesis.domain.regime_arrays import replay_regimes
from genesis.research.candle_rows import on_timeframe, rows_of_files
from protocols.units import TIMEFRAME_MS

COLOURS: Final = {
    RANGE: "#d9d9d9",
    TREND_UP: "#a6dba0",
    TREND_DOWN: "#f4a582",
    HIGH_VOLATILITY: "#fee08b",
    CRASH: "#d73027",
}


def table(codes: npt.NDArray[np.float64], rows: npt.NDArray[np.float64]) -> list[str]:
    """One line a regime: its share of time, how often it came, how long it lasts, and what price did in it."""
    lines = ["| regime | share of time | times | median bars | move a bar, bps | its deviation, bps |"]
    lines.append("|---|---:|---:|---:|---:|---:|")
    changes = np.flatnonzero(np.r_[True, codes[1:] != codes[:-1], True])
    # What price does in the bar after the one that told the regime: what somebody who acts on it would meet.
    moves = np.diff(np.log(rows[:, 4])) * 10_000
    known = np.count_nonzero(codes)
    for code, name in enumerate(NAMES):
        here = np.flatnonzero(codes[:-1] == code)
        if not code or not len(here):
            continue
        lengths = [b - a for a, b in itertools.pairwise(changes) if codes[a] == code]
        lines.append(
            f"| {name} | {np.count_nonzero(codes == code) / known:.1%} | {len(lengths)} | {np.median(lengths):.0f} | "
            f"{moves[here].mean():+.2f} | {moves[here].std():.0f} |"
        )
    return lines


def draw(rows: npt.NDArray[np.float64], codes: npt.NDArray[np.float64], title: str, out: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.patches import Patch

    times: list[Any] = [datetime.datetime.fromtimestamp(stamp / 1000, tz=datetime.UTC) for stamp in rows[:, 0]]
    halves = np.array_split(np.arange(len(rows)), 2)
    figure, axes = plt.subplots(2, 1, figsize=(16, 9), dpi=80)
    for axis, places in zip(axes, halves, strict=True):
        first = places[0]
        for start in [
            first,
            *(place for place in places[1:] if codes[place] != codes[place - 1]),
        ]:
            stop = start
            while stop < places[-1] and codes[stop] == codes[start]:
                stop += 1
            if codes[start]:
                axis.axvspan(times[start], times[stop], color=COLOURS[codes[start]], alpha=0.75, linewidth=0)
        axis.plot([times[place] for place in places], rows[places, 4], color="#202020", linewidth=0.8)
        axis.set_yscale("log")
        axis.yaxis.set_major_formatter("{x:,.0f}")
        axis.yaxis.set_minor_formatter("{x:,.0f}")
        axis.set_xlim(times[first], times[places[-1]])
        axis.grid(visible=True, linewidth=0.3)
    axes[0].set_title(title)
    axes[0].legend(
        handles=[Patch(color=COLOURS[float(code)], label=str(name)) for code, name in enumerate(NAMES) if code],
        loc="upper right",
        ncol=5,
    )
    figure.tight_layout()
    figure.savefig(out, metadata={"Software": None})


def main() -> int:
    parser = argparse.ArgumentParser(description="Draw regimes behind a price line.")
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--timeframe", default="1h", choices=sorted(TIMEFRAME_MS, key=lambda name: TIMEFRAME_MS[name]))
    parser.add_argument("--skip", type=int, default=0, help="bars that warm up and are not drawn")
    parser.add_argument("--title", default="")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    rows = on_timeframe(rows_of_files(asked.files), asked.timeframe)
    codes, _ = replay_regimes(rows)
    rows, codes = rows[asked.skip :], codes[asked.skip :]
    print("\n".join(table(codes, rows)))
    if asked.out is not None:
        draw(rows, codes, asked.title, asked.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
