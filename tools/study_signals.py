"""Ablation studies: the model without each group of features, the ensemble without each voter or regime.

    python -m tools.study_signals BTCUSD-1m-2017.csv.gz BTCUSD-1m-2018.csv.gz --since 2018-01-01 \
        --out docs/images/ablation-2018.png

Prints the tables of docs/model.md and draws them (extra `report`). Trades here are on closes, 20 basis points a side,
all in or out: good for comparing, not what an account would have made (`genesis backtest` says that).
"""

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from genesis.domain.probability import Figures, LabelKind, LabelSpec
from genesis.domain.regime import NAMES
from genesis.domain.regime_arrays import regimes_over
from genesis.domain.strategies import STRATEGY_KINDS
from genesis.domain.strategy_arrays import CandleArrays, say
from genesis.research.candle_rows import on_timeframe, rows_of_files
from genesis.research.model import Training, ablation, table_of

Floats = npt.NDArray[np.float64]
SIDE_COST: Final = 0.002
GROUPS: Final = {
    "returns": ("return_1", "return_4", "return_12"),
    "momentum": ("rsi", "push", "gap", "zscore", "place", "drift"),
    "volatility": ("volatility", "burst"),
    "volume": ("volume", "pressure"),
    "regime": ("drift", "fall", "volatility"),
    "longer candles": ("middle_rsi", "middle_push", "middle_gap", "long_rsi", "long_gap"),
}
ENSEMBLES: Final[dict[str, dict[str, float]]] = {
    "all": {},
    "without the regime": {"regime": 0.0},
    "without trend": {"trend": 0.0},
    "without breakout": {"breakout": 0.0},
    "without reversion": {"reversion": 0.0},
}


def held(rows: Floats, parameters: dict[str, float]) -> Floats:
    """1 where the ensemble holds after each close, else 0."""
    kind = STRATEGY_KINDS["regime_ensemble"]
    candles = CandleArrays(
        open_ms=rows[:, 0].astype(np.int64),
        open=rows[:, 1],
        high=rows[:, 2],
        low=rows[:, 3],
        close=rows[:, 4],
        volume=rows[:, 5],
    )
    code = say(kind, kind.start(kind.resolve(parameters)), candles).code
    inside = np.zeros(len(rows))
    now = 0.0
    for place, said in enumerate(code.tolist()):
        now = 1.0 if said > 0 else 0.0 if said < 0 else now
        inside[place] = now
    return inside


def fared(rows: Floats, inside: Floats, since: int) -> tuple[float, float, int, float]:
    """(net log return, largest fall of it, round trips, part of the time inside) from place `since` on."""
    moves = np.diff(np.log(rows[:, 4]))
    net = inside[:-1] * moves - SIDE_COST * np.abs(np.diff(inside, prepend=0.0))[:-1]
    line = np.cumsum(net[since:])
    fall = float(np.max(np.maximum.accumulate(np.r_[0.0, line]) - np.r_[0.0, line]))
    trips = int(np.sum(np.diff(inside[since:]) > 0))
    return float(line[-1]), fall, trips, float(inside[since:].mean())


def main() -> int:
    parser = argparse.ArgumentParser(description="Ablation of features, voters and regimes.")
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--timeframe", default="1h")
    parser.add_argument("--horizon", type=int, default=6)
    parser.add_argument("--since", required=True)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    since_ms = int(datetime.fromisoformat(asked.since).replace(tzinfo=UTC).timestamp() * 1000)
    rows = on_timeframe(rows_of_files(asked.files), asked.timeframe)
    label = LabelSpec(kind=LabelKind.FORWARD, horizon=asked.horizon, cost=2 * SIDE_COST)
    training = Training(symbol="tBTCUSD", timeframe=asked.timeframe, label=label, embargo=asked.horizon)
    table = table_of(rows, asked.timeframe, label)
    found = ablation(table, training, GROUPS, from_ms=since_ms)
    print("| features | skill | log loss | calibration error | trades | a trade, bps |\n|---|---:|---:|---:|---:|---:|")
    for name, one in found:
        print(
            f"| {name} | {one.skill:+.2%} ± {one.skill_error:.2%} | {one.log_loss:.4f} | {one.calibration_error:.1%} | "
            f"{one.trades} | {one.net_bps:+.0f} ± {one.net_error_bps:.0f} |"
        )
    since = int(np.searchsorted(rows[:, 0], since_ms))
    whole = held(rows, {})
    codes = regimes_over(rows)[:, 0]
    variants = [(name, held(rows, parameters)) for name, parameters in ENSEMBLES.items()]
    variants += [
        (f"never in {name.replace('_', ' ')}", np.where(codes == code, 0.0, whole))
        for code, name in enumerate(NAMES)
        if code and (codes == code).any()
    ]
    print("\n| ensemble | net | largest fall | round trips | time inside |\n|---|---:|---:|---:|---:|")
    results = [(name, fared(rows, inside, since)) for name, inside in variants]
    for name, (net, fall, trips, part) in results:
        print(f"| {name} | {net:+.1%} | {fall:.1%} | {trips} | {part:.0%} |")
    market = float(np.log(rows[-1, 4] / rows[since, 4]))
    print(f"| (holding) | {market:+.1%} | | | 100% |")
    if asked.out is not None:
        draw(found, [(name, one[0]) for name, one in results], asked.out)
    return 0


def draw(features: list[tuple[str, Figures]], ensembles: list[tuple[str, float]], out: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(16, 5), dpi=80)
    names = [name for name, _ in features]
    left.barh(
        names,
        [100 * one.skill for _, one in features],
        xerr=[200 * one.skill_error for _, one in features],
        color="#7fa8d1",
        capsize=3,
    )
    left.invert_yaxis()
    left.axvline(0, color="black", linewidth=0.8)
    left.set_title("Model: skill against the base rate, %\n(bars: two standard errors)")
    curve = features[0][1].reliability
    middle.plot([0, 1], [0, 1], color="#999999", linewidth=0.8)
    middle.plot([each.said for each in curve], [each.came for each in curve], marker="o", color="#d1495b")
    middle.set_xlim(0, 0.8)
    middle.set_ylim(0, 0.8)
    middle.set_xlabel("said")
    middle.set_ylabel("came")
    middle.set_title("Model: reliability, ten bins of equal size")
    right.barh([name for name, _ in ensembles], [100 * net for _, net in ensembles], color="#8fbc8f")
    right.invert_yaxis()
    right.axvline(0, color="black", linewidth=0.8)
    right.set_title("Ensemble: net log return, %")
    figure.tight_layout()
    figure.savefig(out, metadata={"Software": None})


if __name__ == "__main__":
    sys.exit(main())
