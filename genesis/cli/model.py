"""Commands of the probability model: train it, judge it on data of one's own, show it, and see whether it drifts."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from genesis.cli import printing
from genesis.cli.examples import epilogue
from genesis.cli.failures import CommandFailed
from genesis.cli.options import Where
from genesis.run_options import ExitCode

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from genesis.domain.probability import Figures, Model

model = App(
    name="model",
    help_epilogue=epilogue("model"),
    help_format="markdown",
    help="The probability model: train, validate, show, drift.",
)

Files = Annotated[
    tuple[Path, ...], Parameter(help="Minutes as csv.gz with the venue's columns, oldest first; none: --market.")
]
Market = Annotated[str, Parameter(help="A recording, or data of this directory, where no files are given.")]
AsJson = Annotated[bool, Parameter(negative="", help="Print JSON for programs instead of tables.")]


@model.command
def train(
    files: Files = (),
    /,
    *,
    symbol: Annotated[str, Parameter(help="What the candles are of.")] = "tBTCUSD",
    timeframe: Annotated[str, Parameter(help="Candles it looks at; the strategy must trade the same.")] = "1h",
    market: Market = "",
    kind: Annotated[str, Parameter(help="logistic, or boosting (extra `ml`).")] = "logistic",
    calibration: Annotated[str, Parameter(help="platt or isotonic.")] = "platt",
    label: Annotated[str, Parameter(help="forward or triple_barrier.")] = "forward",
    horizon: Annotated[int, Parameter(help="How many candles ahead.")] = 24,
    cost: Annotated[float, Parameter(help="A round trip's costs, as a fraction.")] = 0.004,
    train_bars: Annotated[int, Parameter(help="Candles a model is trained on.")] = 8_000,
    test_bars: Annotated[int, Parameter(help="Candles it is judged on before it is trained anew.")] = 720,
    out: Annotated[Path | None, Parameter(help="Where to write it; models/probability.json, which trades.")] = None,
    json: AsJson = False,
    where: Where | None = None,
) -> None:
    """Train with walk-forward windows, and write the model with its out-of-sample figures."""
    from genesis.domain.probability import LabelKind, LabelSpec, write_model
    from genesis.edge.kept_file import KeptFile
    from genesis.research.model import Training
    from genesis.research.model import train as fit
    from genesis.user_strategies import model_path

    user_dir = (where or Where()).user_dir
    if label not in [each.value for each in LabelKind]:
        raise CommandFailed(f"--label must be forward or triple_barrier, was {label}")
    training = Training(
        symbol=symbol,
        timeframe=timeframe,
        kind=kind,
        calibration=calibration,
        label=LabelSpec(kind=LabelKind(label), horizon=horizon, cost=cost),
        train_bars=train_bars,
        test_bars=test_bars,
        embargo=horizon,
    )
    try:
        training.check()
        rows = _rows(files, market, symbol, timeframe, user_dir.data)
        made = fit(rows, training, created_ms=int(time.time() * 1000))
    except ValueError as error:
        raise CommandFailed(str(error)) from None
    path = out or model_path(user_dir.strategies)
    if out is None:
        user_dir.create()
    try:
        KeptFile(path).replace(write_model(made))
    except OSError as error:
        raise CommandFailed(f"{path} must be writable, was not: {error.strerror}") from None
    _tell(made, made.out_of_sample, json=json, path=path)


@model.command
def validate(
    files: Files = (),
    /,
    *,
    market: Market = "",
    file: Annotated[Path | None, Parameter(help="The model; models/probability.json when not given.")] = None,
    since: Annotated[str | None, Parameter(help="Judge from this date on (2018-07-01); older candles warm up.")] = None,
    json: AsJson = False,
    where: Where | None = None,
) -> None:
    """Judge a model on candles: Brier, log loss, calibration, and the reliability curve, against the base rate."""
    from datetime import UTC, datetime

    from genesis.research.model import validate as judge

    user_dir = (where or Where()).user_dir
    found = _model(file, where)
    try:
        from_ms = 0 if since is None else int(datetime.fromisoformat(since).replace(tzinfo=UTC).timestamp() * 1000)
        figures = judge(found, _rows(files, market, found.symbol, found.timeframe, user_dir.data), from_ms=from_ms)
    except ValueError as error:
        raise CommandFailed(str(error)) from None
    _tell(found, figures, json=json)


@model.command
def show(
    *,
    file: Annotated[Path | None, Parameter(help="The model; models/probability.json when not given.")] = None,
    json: AsJson = False,
    where: Where | None = None,
) -> None:
    """What a model looks at, where it comes from, and how it fared on data it had not seen."""
    found = _model(file, where)
    _tell(found, found.out_of_sample, json=json)
    if json or not found.weights:
        return
    weights = sorted(zip(found.features, found.weights, strict=True), key=lambda pair: -abs(pair[1]))
    printing.table(
        "weights (of standardised features)",
        ("feature", "weight"),
        ((name, f"{weight:+.4f}") for name, weight in weights),
        right=("weight",),
    )


@model.command
def drift(*, json: AsJson = False, where: Where | None = None) -> None:
    """What the model said lately against what came, for every strategy that is gated by it, of the journals."""
    from genesis.domain.running_strategy import read_checkpoint
    from genesis.domain.signal_machine import SIGNAL_TABLE
    from genesis.domain.strategies.probability_gated import NAME, drift_in
    from genesis.edge.store import ReadOnlyStore
    from genesis.edge.store_errors import StoreError
    from protocols.journal import ReadCells

    user_dir = (where or Where()).user_dir
    found = _model(None, where)
    rows: list[dict[str, Any]] = []
    for mode in ("sim", "paper", "live"):
        path = user_dir.database(mode)
        if not path.is_file():
            continue
        try:
            with ReadOnlyStore.open(path) as store:
                cells = store.read_cells(ReadCells(table=SIGNAL_TABLE)).cells
        except StoreError as error:
            raise CommandFailed(str(error)) from None
        for cell in cells:
            kept = read_checkpoint(cell.payload)
            if kept.kind == NAME:
                seen = drift_in([0.0 if number is None else number for number in kept.state], found)
                rows.append(
                    {
                        "mode": mode,
                        "strategy": cell.key,
                        "resolved": int(seen.resolved),
                        "said": seen.said,
                        "came": seen.came,
                        "gap": seen.gap,
                        "allowed": seen.allowed,
                        "trust": seen.trust,
                    }
                )
    if json:
        printing.print_json(rows)
        return
    printing.table(
        "drift",
        ("mode", "strategy", "resolved", "said", "came", "gap", "allowed", "size"),
        (
            (
                row["mode"],
                row["strategy"],
                row["resolved"],
                f"{row['said']:.1%}",
                f"{row['came']:.1%}",
                f"{row['gap']:.1%}",
                f"{row['allowed']:.1%}",
                f"{row['trust']:.0%}",
            )
            for row in rows
        ),
    )


def _rows(files: tuple[Path, ...], market: str, symbol: str, timeframe: str, data: Path) -> "npt.NDArray[np.float64]":
    from genesis.domain.recording import RecordingError
    from genesis.edge.recordings import RecordingUnreadable
    from genesis.markets import load_market
    from genesis.research.candle_rows import on_timeframe, rows_of_files, rows_of_market

    try:
        minutes = rows_of_files(files) if files else rows_of_market(load_market(market, data), symbol)
    except (RecordingError, RecordingUnreadable) as error:
        raise CommandFailed(str(error), ExitCode.NOT_FOUND) from None
    return on_timeframe(minutes, timeframe)


def _model(file: Path | None, where: Where | None) -> "Model":
    from genesis.domain.probability import ModelError, read_model
    from genesis.user_strategies import model_path

    path = file or model_path((where or Where()).user_dir.strategies)
    try:
        return read_model(path.read_bytes(), source=str(path))
    except OSError as error:
        text = f"{path} must be a model, was not: {error.strerror}; `genesis model train` makes one"
        raise CommandFailed(text, ExitCode.NOT_FOUND) from None
    except ModelError as error:
        raise CommandFailed(str(error)) from None


def _tell(found: "Model", figures: "Figures", *, json: bool, path: Path | None = None) -> None:
    import msgspec

    from genesis.research.model import verdict

    if json:
        answer = msgspec.to_builtins(found, str_keys=True)
        for heavy in ("trees", "weights", "means", "scales", "folds"):
            answer.pop(heavy, None)
        answer["figures"] = msgspec.to_builtins(figures)
        answer["verdict"] = list(verdict(figures))
        printing.print_json(answer)
        return
    printing.pairs(
        [
            ("model", f"{found.name}, {found.kind}, {found.calibration.kind}" + (f", in {path}" if path else "")),
            ("of", f"{found.symbol} {found.timeframe}, {len(found.features)} features"),
            ("foresees", f"{found.label.kind}, {found.label.horizon} candles, after costs of {found.label.cost:.2%}"),
            ("trained on", f"{printing.when(found.data_first_ms)} to {printing.when(found.data_last_ms)}"),
            ("data", f"{found.data_rows} rows, sha256 {found.data_sha256[:16]}"),
            ("Brier", f"{figures.brier:.4f}, of the base rate {figures.brier_base:.4f}"),
            ("log loss", f"{figures.log_loss:.4f}, of the base rate {figures.log_loss_base:.4f}"),
            ("skill", f"{figures.skill:+.2%}, standard error {figures.skill_error:.2%}"),
            ("calibration error", f"{figures.calibration_error:.2%}"),
            ("base rate", f"{figures.base_rate:.1%} of {figures.rows} rows"),
            ("a trade", f"{figures.net_bps:+.1f} bps after costs, standard error {figures.net_error_bps:.1f}"),
            ("trades", f"{figures.trades}, from a probability of {figures.threshold:.1%}"),
        ]
    )
    printing.table(
        "reliability",
        ("said from", "to", "rows", "said", "came"),
        ((f"{b.low:.1%}", f"{b.high:.1%}", b.rows, f"{b.said:.1%}", f"{b.came:.1%}") for b in figures.reliability),
    )
    for sentence in verdict(figures):
        print(sentence)
