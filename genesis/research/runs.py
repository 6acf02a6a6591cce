"""One backtest from a request to a result on disk: what was asked, of which data, by which code, and what came of it.

A result holds no time of day and nothing of the machine: the same request on the same data and code is the same bytes.
"""

import hashlib
import importlib.metadata
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Final

import attrs
import msgspec
import numpy as np

from genesis.domain.bars import Table, resampled
from genesis.domain.measures import trade_row
from genesis.domain.recording import RecordingError
from genesis.domain.replay import MINUTE_MS, CandleRow
from genesis.domain.strategies import STRATEGY_KINDS
from genesis.domain.strategies.ensemble import kind_for
from genesis.domain.strategy_arrays import CandleArrays
from genesis.domain.warm_up import history_of, needs_of
from genesis.edge.kept_file import KeptFile
from genesis.research.backtest import BacktestResult, run_backtest
from genesis.research.bars import BarRecording, Whole
from genesis.research.costs import Costs
from genesis.research.stress import Stress, stress
from protocols.account import Performance
from protocols.measures import ExecutionReport, Measures, TradeRow
from protocols.settings import Settings
from protocols.units import TIMEFRAME_MS, ZERO, Symbol

RESULT: Final = "result.json"
FIELDS: Final = ("open", "close", "high", "low", "volume")
CHART_CANDLES: Final = 1_500
CHART_STEPS_MIN: Final = (1, 5, 15, 30, 60, 180, 360, 720, 1440, 10_080)
EXECUTIONS_TOLD: Final = 1_000
TRADES_TOLD: Final = 20_000
PACKAGE: Final = "genesis-engine"

LoadMarket = Callable[[str, int | None, int | None, int], BarRecording]
"""A market by its name, cut to [start, end) in milliseconds UTC. Raises RecordingError, ValueError."""


class RunRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One backtest. `market` names a recording, or pairs of the data store as `tBTCUSD:1m,tETHUSD:1m`.

    `start` and `end` cut it, in milliseconds UTC (the end is not part of it).
    """

    market: str
    settings: Settings
    start_ms: int | None = None
    end_ms: int | None = None
    balance: Decimal = Decimal(10_000)
    costs: Costs = Costs()
    title: str = ""
    stress: bool = False
    """Also trade it under worse costs."""

    def check(self) -> None:
        """Everything that can be known to be wrong without the data. Raises ValueError."""
        self.costs.model()
        if not (self.balance.is_finite() and 0 < self.balance <= Decimal(10**12)):
            raise ValueError(f"balance must be above 0 and at most 10^12, was {self.balance}")
        if self.start_ms is not None and self.end_ms is not None and self.end_ms <= self.start_ms:
            raise ValueError(f"end must be after start, was {when(self.end_ms)} and {when(self.start_ms)}")
        check_strategies(self.settings)


class DataStamp(msgspec.Struct, frozen=True, kw_only=True):
    """Which market it was: `sha256` is over every number of every candle that could be seen."""

    market: str
    symbols: tuple[str, ...]
    first_ms: int
    last_ms: int
    candles: int
    sha256: str


class CodeStamp(msgspec.Struct, frozen=True, kw_only=True):
    """Which code it was: the version, and a sha256 over the sources that decide and count."""

    version: str
    sha256: str


class Chart(msgspec.Struct, frozen=True, kw_only=True):
    """The market behind the trades, coarse enough to draw: [open_ms, open, close, high, low, volume]."""

    symbol: str
    step_ms: int
    candles: tuple[CandleRow, ...]


class RunResult(msgspec.Struct, frozen=True, kw_only=True):
    """A backtest's result as it is kept. `performance` is the short list, `measures` the whole one.

    `digest` is over every fill with all its numbers: two runs with one digest traded the same.
    """

    title: str
    request: RunRequest
    data: DataStamp
    code: CodeStamp
    digest: str
    performance: Performance
    measures: Measures
    trades: tuple[TradeRow, ...]
    executions: ExecutionReport
    charts: tuple[Chart, ...]
    carry_quote: Decimal = ZERO
    stress: Stress | None = None


def check_strategies(settings: Settings) -> None:
    """Raises ValueError on a strategy or a parameter that is not known, or a number out of its range."""
    if not any(strategy.enabled for strategy in settings.strategies):
        raise ValueError("strategies must hold at least one that is enabled, held none")
    for strategy in settings.strategies:
        kind = kind_for(strategy, STRATEGY_KINDS)
        kind.start(kind.resolve(strategy.parameters))


def when(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")


def cut(recording: BarRecording, start_ms: int | None, end_ms: int | None) -> BarRecording:
    """A part of a market; what lies before `start_ms` becomes history. Raises ValueError when nothing is left."""
    if start_ms is None and end_ms is None:
        return recording
    first = max(recording.first_ms, start_ms if start_ms is not None else recording.first_ms)
    last = min(recording.last_ms, (end_ms if end_ms is not None else recording.last_ms + 1) - 1)
    first -= first % MINUTE_MS
    last -= last % MINUTE_MS
    rows: dict[Symbol, CandleArrays] = {}
    history: dict[Symbol, CandleArrays] = {}
    for symbol, bars in recording.rows.items():
        begin, end = np.searchsorted(bars.open_ms, (first, last + 1)).tolist()
        rows[symbol] = part_of(bars, begin, end)
        history[symbol] = _joined(recording.history.get(symbol), part_of(bars, 0, begin))
        if begin == end:
            text = f"{when(recording.first_ms)} to {when(recording.last_ms)}"
            raise ValueError(f"range must hold candles of {symbol} ({text}), held none")
    return attrs.evolve(recording, rows=rows, history=history, first_ms=first, last_ms=last)


def part_of(bars: CandleArrays, begin: int, end: int) -> CandleArrays:
    """Some rows of them, without a copy."""
    return CandleArrays(**{name: getattr(bars, name)[begin:end] for name in ("open_ms", *FIELDS)})


def _joined(before: CandleArrays | None, after: CandleArrays) -> CandleArrays:
    if before is None or not len(before):
        return after
    return CandleArrays(
        **{name: np.concatenate((getattr(before, name), getattr(after, name))) for name in ("open_ms", *FIELDS)}
    )


def table_of(bars: CandleArrays) -> Table:
    """The columns of a data table: time, open, close, high, low, volume."""
    return np.column_stack((bars.open_ms.astype(np.float64), *(getattr(bars, name) for name in FIELDS)))


def arrays_of(table: Table, times: Whole) -> CandleArrays:
    """The reverse of `table_of`; `times` are its first column as whole numbers. Columns in one piece are not copied."""
    columns = {name: np.ascontiguousarray(table[:, place]) for place, name in enumerate(FIELDS, start=1)}
    return CandleArrays(open_ms=times, **columns)


def stamp_data(market: str, recording: BarRecording) -> DataStamp:
    """The name and the hash of what a run may look at."""
    found = hashlib.sha256()
    candles = 0
    for symbol in recording.symbols:
        found.update(symbol.encode())
        for bars in (recording.history.get(symbol), recording.rows[symbol]):
            if bars is not None and len(bars):
                found.update(table_of(bars).astype("<f8").tobytes())
            found.update(b"|")
        candles += len(recording.rows[symbol])
    return DataStamp(
        market=market,
        symbols=tuple(recording.symbols),
        first_ms=recording.first_ms,
        last_ms=recording.last_ms,
        candles=candles,
        sha256=found.hexdigest(),
    )


@cache
def stamp_code() -> CodeStamp:
    """Hash the sources of truth and speech: whatever could change a decision or a figure."""
    import protocols

    root = Path(str(protocols.__file__)).parent.parent
    found = hashlib.sha256()
    for folder in (root / "genesis" / "domain", root / "genesis" / "research", root / "protocols"):
        for path in sorted(folder.rglob("*.py")):
            found.update(str(path.relative_to(root)).encode())
            found.update(path.read_bytes())
    return CodeStamp(version=importlib.metadata.version(PACKAGE), sha256=found.hexdigest())


def chart_of(symbol: Symbol, bars: CandleArrays, *, limit: int = CHART_CANDLES) -> Chart:
    """The candles of a run, put together until at most `limit` are left."""
    span_min = int(bars.open_ms[-1] - bars.open_ms[0]) // MINUTE_MS + 1
    step_min = next((step for step in CHART_STEPS_MIN if span_min / step <= limit), CHART_STEPS_MIN[-1])
    table = resampled(table_of(bars), step_min * MINUTE_MS)
    rows = tuple(CandleRow(int(row[0]), *row[1:]) for row in table.tolist())
    return Chart(symbol=symbol, step_ms=step_min * MINUTE_MS, candles=rows)


def fitted(settings: Settings, recording: BarRecording) -> Settings:
    """The settings with the market of the recording. Raises ValueError when an enabled strategy has no data."""
    for strategy in settings.strategies:
        if strategy.enabled and strategy.symbol not in recording.symbols:
            known = ", ".join(recording.symbols)
            raise ValueError(f"{strategy.name}: symbol must be in the data ({known}), was {strategy.symbol}")
    market = msgspec.structs.replace(settings.market, symbols=tuple(recording.symbols))
    return msgspec.structs.replace(settings, market=market)


def reach_ms(settings: Settings) -> int:
    """How far before a run the candles lie that its strategies begin with. Raises ValueError on what cannot run."""
    needed = 0
    for strategy in settings.strategies:
        if strategy.enabled:
            kind = kind_for(strategy, STRATEGY_KINDS)
            needs = needs_of(kind, kind.resolve(strategy.parameters), strategy.symbol, strategy.timeframe)
            needed = max(needed, history_of(needs) * TIMEFRAME_MS[strategy.timeframe])
    return needed


def walk(
    request: RunRequest, load: LoadMarket, on_progress: Callable[[float, str], None] = lambda part, text: None
) -> tuple[BarRecording, BacktestResult]:
    """Carry a request out. Raises ValueError on what cannot be tested, before any work where that can be known."""
    request.check()
    on_progress(0.0, "reading the market")
    try:
        market = load(request.market, request.start_ms, request.end_ms, reach_ms(request.settings))
    except RecordingError as error:
        raise ValueError(str(error)) from None
    return market, backtest(request, market, on_progress)


def backtest(
    request: RunRequest, market: BarRecording, on_progress: Callable[[float, str], None] = lambda part, text: None
) -> BacktestResult:
    """Carry a request out on a market that is loaded. Raises ValueError."""
    settings = fitted(request.settings, market)
    return run_backtest(
        market,
        settings,
        model=request.costs.model(),
        balances=(("exchange", settings.quote_currency, request.balance),),
        on_progress=lambda part: on_progress(0.05 + 0.9 * part, when(int(_at(market, part)))),
    )


def run(
    request: RunRequest, load: LoadMarket, on_progress: Callable[[float, str], None] = lambda part, text: None
) -> RunResult:
    """Carry a request out and put together what is kept of it. Raises ValueError."""
    share = 0.2 if request.stress else 1.0
    market, result = walk(request, load, lambda part, text: on_progress(part * share, text))
    on_progress(0.96 * share, "counting")
    return result_of(request, market, result, lambda part, text: on_progress(share + part * (1.0 - share), text))


def _at(recording: BarRecording, part: float) -> float:
    return recording.first_ms + part * (recording.last_ms - recording.first_ms)


def result_of(
    request: RunRequest,
    recording: BarRecording,
    result: BacktestResult,
    on_progress: Callable[[float, str], None] = lambda part, text: None,
) -> RunResult:
    """What is kept of a finished run; here its cost stress is made, where one was asked for."""
    stressed = None
    if request.stress:
        settings = fitted(request.settings, recording)
        stressed = stress(
            recording, settings, request.costs.model(), request.balance, as_assumed=result, on_progress=on_progress
        )
    executions = result.executions
    rows = tuple(trade_row(trade, result.tags.get(trade.correlation_id, "")) for trade in result.trades)
    return RunResult(
        title=request.title,
        request=request,
        data=stamp_data(request.market, recording),
        code=stamp_code(),
        digest=_digest(result),
        performance=result.performance,
        measures=result.measures,
        trades=rows[-TRADES_TOLD:],
        executions=msgspec.structs.replace(executions, rows=executions.rows[-EXECUTIONS_TOLD:]),
        charts=tuple(chart_of(symbol, found) for symbol, found in recording.rows.items() if found),
        carry_quote=result.carry_quote,
        stress=stressed,
    )


def _digest(result: BacktestResult) -> str:
    found = hashlib.sha256()
    for fill in result.fills:
        found.update(msgspec.json.encode(fill))
    return found.hexdigest()


def encode_result(result: RunResult) -> bytes:
    """The bytes of a result: equal for equal runs."""
    return msgspec.json.Encoder(order="sorted").encode(result)


def read_result(data: bytes) -> RunResult:
    """Raises ValueError on bytes that are no result."""
    try:
        return msgspec.json.decode(data, type=RunResult)
    except msgspec.MsgspecError as error:
        raise ValueError(f"must be a backtest's result, was not: {error}") from None


def keep_result(folder: Path, result: RunResult) -> Path:
    """Write it whole into its folder. Raises OSError."""
    file = KeptFile(folder / RESULT)
    file.replace(encode_result(result))
    return file.path


def short(result: RunResult) -> dict[str, Any]:
    """What a list of runs shows of one."""
    made = result.measures
    answer: Mapping[str, Any] = {
        "title": result.title,
        "market": result.data.market,
        "first_ms": result.data.first_ms,
        "last_ms": result.data.last_ms,
        "final_equity": str(made.final_equity),
        "total_return": made.total_return,
        "max_drawdown": made.max_drawdown,
        "sharpe": made.sharpe,
        "trades": made.trades,
        "winrate": made.winrate,
        "digest": result.digest,
    }
    return dict(answer)


def job(
    request: Mapping[str, Any], folder: Path, load: LoadMarket, on_progress: Callable[[float, str], None]
) -> dict[str, Any]:
    """A backtest as a job. Raises ValueError."""
    try:
        asked = msgspec.convert(request, RunRequest)
    except msgspec.ValidationError as error:
        raise ValueError(f"the request is not valid: {error}") from None
    result = run(asked, load, on_progress)
    keep_result(folder, result)
    return short(result)


def with_strategies(settings: Settings, changes: Mapping[str, Mapping[str, float]]) -> Settings:
    """The settings with some parameters of some strategies changed: `{"btc-ema": {"fast": 9}}`. Raises ValueError."""
    names = {strategy.name for strategy in settings.strategies}
    for name in changes:
        if name not in names:
            raise ValueError(f"strategy must be one of {', '.join(sorted(names))}, was {name}")
    return msgspec.structs.replace(
        settings,
        strategies=tuple(
            msgspec.structs.replace(one, parameters={**one.parameters, **changes.get(one.name, {})})
            for one in settings.strategies
        ),
    )
