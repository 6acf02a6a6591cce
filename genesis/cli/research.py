"""Commands of the laboratory: a backtest, the proof that a simulation decides the same, and deciding a run again."""

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec
from cyclopts import Parameter

from genesis.cli import printing
from genesis.cli.config import in_force
from genesis.cli.failures import CommandFailed
from genesis.cli.options import Where, newest_of
from genesis.cli.progress import Bar
from genesis.cli.terms import Terms
from genesis.domain.settings_build import Layer
from genesis.edge.user_dir import UserDir
from genesis.run_options import ExitCode

if TYPE_CHECKING:
    from genesis.domain.recording import CandleRecording
    from genesis.research.backtest import BacktestResult
    from genesis.research.bars import BarRecording
    from genesis.research.runs import RunRequest
    from genesis.research.stress import Stress
    from protocols.journal import StoredRecord
    from protocols.measures import Measures
    from protocols.settings import Settings

RUN_TIME_OUT_S: Final = 1800.0
RECORDS_A_READ: Final = 10_000
LINES_UP_TO: Final = 100_000
"""Candles up to which a backtest counts and hashes every decision it made."""

RecordingName = Annotated[str | None, Parameter(help="A recording's name or folder; `genesis data list` names them.")]
AsJson = Annotated[bool, Parameter(negative="", help="Print JSON for programs instead of tables.")]


def backtest(
    *,
    recording: RecordingName = None,
    data: Annotated[
        str | None, Parameter(help="Pairs of the data store instead, as tBTCUSD:1m or tBTCUSD:1m,tETHUSD:1m.")
    ] = None,
    start: Annotated[str | None, Parameter(name="--from", help="The first day, as 2018-02-05.")] = None,
    end: Annotated[str | None, Parameter(name="--to", help="The moment it ends before.")] = None,
    balance: Annotated[str, Parameter(help="What the account begins with, in the quote currency.")] = "10000",
    half_spread: Annotated[str | None, Parameter(help="Half the spread, as a fraction of the price.")] = None,
    slippage: Annotated[str | None, Parameter(help="Slippage of takers, as a fraction of the price.")] = None,
    costs: Annotated[
        Literal["sim", "paper", "live"] | None, Parameter(help="Take the costs from this mode's own past orders.")
    ] = None,
    terms: Terms | None = None,
    stress: Annotated[
        bool, Parameter(negative="", help="Also trade it under worse fees, slippage and latency: what is left then?")
    ] = False,
    save: Annotated[
        str | None, Parameter(help="Keep the result in reports/ under this name, with settings, data and code hash.")
    ] = None,
    check_lookahead: Annotated[
        bool, Parameter(negative="", help="Also tell every strategy other futures; exit code 1 when one notices.")
    ] = False,
    json: AsJson = False,
    where: Where | None = None,
) -> int:
    """Trade a recording, or a part of the data store, without wire or clock, by the same decisions."""
    from genesis.domain.recording import RecordingError
    from genesis.research.runs import keep_result, result_of, short

    user_dir = (where or Where()).user_dir
    if costs is not None:
        if half_spread is not None or slippage is not None:
            raise CommandFailed("--costs and --half-spread or --slippage must not be given together, were")
        half_spread, slippage = _learned(user_dir, costs, quiet=json)
    request = a_request(
        user_dir,
        recording=recording,
        data=data,
        start=start,
        end=end,
        balance=balance,
        half_spread=half_spread,
        slippage=slippage,
        title=save or "",
        terms=terms,
        stress=stress,
    )
    began = time.monotonic()
    try:
        with Bar("backtest", hidden=json) as bar:
            market, result = run_request(request, user_dir, bar.update)
        took_s = time.monotonic() - began
        kept = None
        if save is not None or stress:
            with Bar("cost stress", hidden=json or not stress) as bar:
                kept = result_of(request, market, result, bar.update)
    except (ValueError, RecordingError) as error:
        raise CommandFailed(str(error), ExitCode.CONFIGURATION) from None
    if save is not None and kept is not None:
        folder = _report_folder(user_dir, save)
        keep_result(folder, kept)
        keep_view(folder, "backtest", save, short(kept))
    looks = _lookahead(market, request.settings) if check_lookahead else {}
    code = ExitCode.ERROR if any(looks.values()) else ExitCode.OK
    # The lines of years are gigabytes of HOLD: only of what one looks at line by line.
    lines = result.lines if result.candles <= LINES_UP_TO else None
    if json:
        told: dict[str, Any] = {"lookahead": looks} if check_lookahead else {}
        if kept is not None and kept.stress is not None:
            told["stress"] = msgspec.to_builtins(kept.stress)
        printing.print_json({**_summary(result, lines), "took_s": round(took_s, 3), **told})
        return code
    show_measures(result.measures, recording=result.recording)
    if kept is not None and kept.stress is not None:
        _show_stress(kept.stress)
    printing.pairs(
        [
            ("assumed", request.costs.words()),
            ("candles", f"{result.candles} in {took_s:.2f} s"),
            *([] if lines is None else [("decisions", f"{len(lines)}, sha256 {result.digest}")]),
            *([("interest on what was held", printing.money(result.carry_quote))] if result.carry_quote else []),
            *((f"strategy {name}", f"off: {fault}") for name, fault in result.faults.items()),
            *([] if save is None else [("kept as", f"{save}; genesis report {save} makes a page of it")]),
            *((f"look-ahead, {name}", text or "none: other futures change nothing") for name, text in looks.items()),
        ]
    )
    return code


def _show_stress(found: "Stress") -> None:
    printing.table(
        "worse costs",
        ("costs", "return", "max drawdown", "sharpe", "trades", "fees"),
        (
            (
                row.worse.name,
                f"{row.total_return:+.2%}",
                f"{row.max_drawdown:.2%}",
                _ratio(row.sharpe),
                row.trades,
                printing.money(row.fees_quote),
            )
            for row in found.rows
        ),
        right=("return", "max drawdown", "sharpe", "trades", "fees"),
    )
    known = found.break_even
    earns = "at no costs that were tried" if found.rows[0].total_return > 0 else "already, without any costs"
    printing.pairs([("stops earning", earns if known is None else f"at {known:.2f} times the assumed costs")])


def _lookahead(bars: "BarRecording", settings: "Settings") -> dict[str, str]:
    """By strategy, and for the whole backtest: how it looks ahead, or nothing."""
    from genesis.research.lookahead import check_backtest, check_settings

    found = {name: "" if look is None else str(look) for name, look in check_settings(bars, settings)}
    return {**found, "decisions": check_backtest(bars, settings) or ""}


def _learned(user_dir: UserDir, mode: str, *, quiet: bool) -> tuple[str, str]:
    """(half spread, slippage) of a journal's own orders. Raises CommandFailed."""
    from genesis.domain.executions import learned_model
    from genesis.domain.matching import FillModel
    from genesis.edge.store_errors import StoreError
    from genesis.research.learning import executions_of

    path = user_dir.database(mode)
    try:
        found = executions_of(path)
        model = learned_model(found.rows, FillModel())
    except StoreError as error:
        raise CommandFailed(str(error), ExitCode.ERROR if path.is_file() else ExitCode.NOT_FOUND) from None
    except ValueError as error:
        raise CommandFailed(f"{mode}: {error}", ExitCode.CONFIGURATION) from None
    if not quiet:
        paid = (model.half_spread + model.slippage) * 10_000
        print(f"costs of {len(found.rows)} orders of {mode}: {paid:.2f} bps each way")
    return str(model.half_spread), str(model.slippage)


def a_request(
    user_dir: UserDir,
    *,
    recording: str | None,
    data: str | None,
    start: str | None,
    end: str | None,
    balance: str = "10000",
    half_spread: str | None = None,
    slippage: str | None = None,
    title: str = "",
    terms: Terms | None = None,
    stress: bool = False,
) -> "RunRequest":
    """What the options of a research command ask for, with the settings in force. Raises CommandFailed."""
    from genesis.job_desk import request_of
    from genesis.markets import market_symbols
    from genesis.simulator.recordings import DEFAULT

    if recording is not None and data is not None:
        raise CommandFailed("--recording and --data must not be given together, were", ExitCode.CONFIGURATION)
    market = data or recording or DEFAULT
    try:
        symbols = _candles(recording).symbols if data is None else market_symbols(market, user_dir.data)
    except ValueError as error:
        raise CommandFailed(str(error), ExitCode.NOT_FOUND) from None
    base = Layer(name=f"market {market}", values={"market.symbols": list(symbols)})
    _, built = in_force(user_dir, base=base)
    costs = {"half_spread": half_spread, "slippage": slippage, **(terms or Terms()).costs}
    body: dict[str, Any] = {"market": market, "start": start, "end": end, "balance": balance, "costs": costs}
    body |= {"title": title, "stress": stress}
    try:
        return request_of(body, built.settings, market, lambda name: 0)
    except ValueError as error:
        raise CommandFailed(str(error), ExitCode.CONFIGURATION) from None


def run_request(
    request: "RunRequest", user_dir: UserDir, on_progress: Callable[[float, str], None]
) -> "tuple[BarRecording, BacktestResult]":
    """Carry a request out in this process. Raises ValueError, RecordingError."""
    from genesis.markets import load_market
    from genesis.research.runs import walk

    return walk(request, lambda name, *cut: load_market(name, user_dir.data, *cut), on_progress)


def _report_folder(user_dir: UserDir, name: str) -> Path:
    if not name or "/" in name or name.startswith("."):
        raise CommandFailed(f"--save must be a name without slashes, was {name!r}", ExitCode.CONFIGURATION)
    folder = user_dir.reports / name
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def keep_view(folder: Path, kind: str, title: str, summary: Mapping[str, Any]) -> None:
    """Note a finished run as the engine notes its jobs, so that both are in one list."""
    from genesis.edge.jobs import VIEW
    from genesis.edge.kept_file import KeptFile
    from protocols.jobs import JobState, JobView

    now_ms = int(time.time() * 1000)
    view = JobView(
        job_id=folder.name,
        kind=kind,
        title=title,
        by="command line",
        state=JobState.DONE,
        created_ms=now_ms,
        started_ms=now_ms,
        ended_ms=now_ms,
        progress=1.0,
        summary=dict(summary),
    )
    KeptFile(folder / VIEW).replace(msgspec.json.encode(view))


def show_measures(figures: "Measures", *, recording: str) -> None:
    """The figures as a person reads them; `--json` tells all of them."""
    orders = figures.orders
    every = printing.span(figures.return_period_ms / 1000)
    printing.pairs(
        [
            ("market", recording),
            ("from", printing.when(figures.start_ms)),
            ("to", printing.when(figures.end_ms)),
            ("final equity", f"{printing.money(figures.final_equity)} ({figures.total_return:+.2%})"),
            ("buy and hold", _percent(figures.buy_and_hold)),
            ("growth a year", _percent(figures.cagr)),
            (
                "max drawdown",
                f"{figures.max_drawdown:.2%} ({figures.max_drawdown_quote:,.2f}), "
                f"under water {figures.time_under_water:.0%} of the time",
            ),
            (
                "sharpe, sortino",
                f"{_ratio(figures.sharpe)}, {_ratio(figures.sortino)} (of {figures.periods} returns over {every}, "
                "a year of 365 days)",
            ),
            ("calmar, omega", f"{_ratio(figures.calmar)}, {_ratio(figures.omega)}"),
            (
                "trades",
                f"{figures.trades}, won {figures.wins}, lost {figures.losses}, even {figures.draws}, "
                f"left open {len(figures.left_open)}",
            ),
            ("win rate", "" if figures.winrate is None else f"{figures.winrate:.1%}"),
            (
                "profit factor",
                f"{_ratio(figures.profit_factor)}, expectancy {_ratio(figures.expectancy)} a trade, "
                f"SQN {_ratio(figures.sqn)}",
            ),
            ("streaks", f"{figures.longest_win_streak} won, {figures.longest_loss_streak} lost in a row"),
            ("exposure", f"{figures.exposure:.0%} of the time, turnover {_ratio(figures.turnover)}"),
            ("fees", printing.money(figures.fees_quote)),
            (
                "orders",
                f"{orders.sent} sent, {orders.filled} filled, {orders.cancelled} cancelled, {orders.refused} refused, "
                f"{orders.timed_out} timed out",
            ),
            ("refused by risk", ", ".join(f"{code} {count}" for code, count in orders.refused_by_risk.items())),
        ]
    )


def _percent(part: float | None) -> str:
    return "-" if part is None else f"{part:+.2%}"


def _ratio(number: float | None) -> str:
    return "-" if number is None else f"{number:.2f}"


def parity(
    *,
    recording: RecordingName = None,
    journal: Annotated[
        Path | None, Parameter(help="Compare a finished run's journal instead of making a new run.")
    ] = None,
    json: AsJson = False,
    where: Where | None = None,
) -> int:
    """Prove that simulation and backtest decide the same, byte by byte. Exit code 1 when they do not."""
    from genesis.research.parity import compare

    user_dir = (where or Where()).user_dir
    candles = _candles(recording)
    left = _backtest(user_dir, candles).lines
    if journal is not None:
        right = journal_lines(journal)
    else:
        with tempfile.TemporaryDirectory(prefix="genesis-parity-") as scratch:
            right = _run_and_read(user_dir, recording, UserDir(Path(scratch)))
    report = compare(left, right, left_name="backtest", right_name="simulation")
    if json:
        printing.print_json(msgspec.to_builtins(_parity_answer(report)))
    else:
        print(report)
    return ExitCode.OK if report.equal else ExitCode.ERROR


def _parity_answer(report: Any) -> Mapping[str, Any]:
    one = report.difference
    return {
        "equal": report.equal,
        "digests": {report.left_name: report.left_digest, report.right_name: report.right_digest},
        "counts": {kind: {report.left_name: a, report.right_name: b} for kind, (a, b) in report.counts.items()},
        "difference": None
        if one is None
        else {
            "kind": one.kind,
            "number": one.number,
            "fields": list(one.fields),
            report.left_name: None if one.left is None else one.left.decode(),
            report.right_name: None if one.right is None else one.right.decode(),
        },
    }


def replay(
    *,
    journal: Annotated[
        Path | None, Parameter(help="The journal of a finished run. Without it: this user directory's.")
    ] = None,
    mode: Annotated[
        Literal["sim", "paper", "live"] | None, Parameter(help="Whose journal, when no file is named; else the newest.")
    ] = None,
    json: AsJson = False,
    where: Where | None = None,
) -> int:
    """Decide a finished run again from what its journal says was heard. Exit code 1 when anything differs.

    The journal is only read; its chain and cells are verified first.
    """
    from genesis.research.replay import CannotReplay
    from genesis.research.replay import replay as decide_again
    from genesis.user_strategies import user_strategies

    user_dir = (where or Where()).user_dir
    path = journal if journal is not None else newest_of(user_dir.database, mode)
    # A backup has the files that ran beside its journal.
    beside = path.parent / user_dir.strategies.name
    user_strategies(beside if journal is not None and beside.is_dir() else user_dir.strategies)
    try:
        report = decide_again(_rows(path))
    except CannotReplay as error:
        raise CommandFailed(f"{path}: {error}") from None
    if json:
        printing.print_json(
            {
                "journal": str(path),
                "equal": report.equal,
                "decisions": dict(sorted(report.counts.items())),
                "candles": report.candles,
                "inputs": report.inputs,
                "states": report.states,
                "lives": report.lives + report.order_lives,
                "order_steps": report.order_steps,
                "commands": report.commands,
                "not_decided_again": report.unheard,
                "without_their_file": dict(sorted(report.without.items())),
                "differences_to_other_versions": report.others,
                "differences": report.differences_total,
                "first": [msgspec.to_builtins(one) for one in report.differences],
            }
        )
    else:
        print(report)
    return ExitCode.OK if report.equal else ExitCode.ERROR


def _rows(path: Path) -> "Iterator[StoredRecord]":
    """The rows that a replay looks at, a few thousand at a time. Raises CommandFailed when they cannot be read."""
    from genesis.edge.store import ReadOnlyStore
    from genesis.edge.store_errors import StoreError
    from genesis.research.replay import REPLAYED_KINDS
    from protocols.journal import ReadRecords

    after = 0
    try:
        with ReadOnlyStore.open(path) as store:
            store.verify()
            while found := store.read_records(
                ReadRecords(kinds=REPLAYED_KINDS, after_seq=after, limit=RECORDS_A_READ)
            ).records:
                yield from found
                after = found[-1].seq
    except StoreError as error:
        raise CommandFailed(str(error), ExitCode.ERROR if path.is_file() else ExitCode.NOT_FOUND) from None


def journal_lines(path: Path) -> list[bytes]:
    """Every decision in a journal. Raises CommandFailed when it cannot be read."""
    from genesis.domain.decision_log import DECISION_KINDS, record_lines
    from genesis.edge.store import ReadOnlyStore
    from genesis.edge.store_errors import StoreError
    from protocols.journal import ReadRecords

    lines: list[bytes] = []
    after = 0
    try:
        with ReadOnlyStore.open(path) as store:
            while True:
                question = ReadRecords(kinds=DECISION_KINDS, after_seq=after, limit=RECORDS_A_READ)
                found = store.read_records(question).records
                lines += record_lines(kept.record for kept in found)
                if len(found) < RECORDS_A_READ:
                    return lines
                after = found[-1].seq
    except StoreError as error:
        code = ExitCode.ERROR if path.is_file() else ExitCode.NOT_FOUND
        raise CommandFailed(str(error), code) from None


def _run_and_read(user_dir: UserDir, recording: str | None, scratch: UserDir) -> list[bytes]:
    """A whole run of the engine as fast as it goes, in a directory of its own with this one's configuration."""
    if user_dir.config.is_dir():
        shutil.copytree(user_dir.config, scratch.config)
    if user_dir.strategies.is_dir():
        shutil.copytree(user_dir.strategies, scratch.strategies)
    if user_dir.models.is_dir():
        shutil.copytree(user_dir.models, scratch.models)
    if (user_dir.root / ".env").is_file():
        shutil.copy(user_dir.root / ".env", scratch.root / ".env")
    command = [sys.executable, "-P", "-m", "genesis", "run", "--mode", "sim", "--speed", "max", "--port", "0", "--json"]
    command += ["--data-dir", str(scratch.root), *(["--recording", recording] if recording is not None else [])]
    try:
        # The words are our own and the recording's name, which was found already.
        done = subprocess.run(  # noqa: S603
            command, capture_output=True, text=True, timeout=RUN_TIME_OUT_S, check=False, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        text = f"the simulation did not end in {RUN_TIME_OUT_S:.0f} s"
        raise CommandFailed(text, ExitCode.TIME_OUT) from None
    if done.returncode != ExitCode.OK:
        last = done.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        raise CommandFailed(f"the simulation ended with code {done.returncode}: {last[0]}")
    return journal_lines(scratch.database("sim"))


def _candles(name: str | None) -> "CandleRecording":
    from genesis.domain.recording import CandleRecording, RecordingError
    from genesis.simulator.recordings import DEFAULT, find, load

    try:
        find(name or DEFAULT)
    except RecordingError as error:
        raise CommandFailed(str(error), ExitCode.NOT_FOUND) from None
    try:
        recording = load(name or DEFAULT)
    except RecordingError as error:
        raise CommandFailed(str(error)) from None
    if not isinstance(recording, CandleRecording):
        text = f"{name} holds wire frames; a backtest needs candles"
        raise CommandFailed(text, ExitCode.CONFIGURATION)
    return recording


def _backtest(user_dir: UserDir, recording: "CandleRecording") -> "BacktestResult":
    from genesis.research.backtest import run_backtest

    base = Layer(name=f"recording {recording.name}", values={"market.symbols": list(recording.symbols)})
    _, built = in_force(user_dir, base=base)
    try:
        return run_backtest(recording, built.settings)
    except ValueError as error:
        raise CommandFailed(str(error), ExitCode.CONFIGURATION) from None


def _summary(result: "BacktestResult", lines: tuple[bytes, ...] | None) -> dict[str, Any]:
    figures: dict[str, Any] = msgspec.to_builtins(result.performance)
    figures.pop("type", None)
    return {
        "recording": result.recording,
        "first_ms": result.first_ms,
        "last_ms": result.last_ms,
        "candles": result.candles,
        **figures,
        **msgspec.to_builtins(result.measures),
        "refusals": result.refusals,
        "faults": result.faults,
        **({} if lines is None else {"decisions": len(lines), "digest": result.digest}),
    }
