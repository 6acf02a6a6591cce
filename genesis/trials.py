"""Trials worked out: in processes of this machine, or on a Dask cluster that somebody runs.

A task carries the request and the names of data, never the data: whoever works it out reads the market once and keeps
it. A worker that dies costs the tasks it had in hand, and those are given to another.
"""

import contextlib
import os
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import attrs
import msgspec
import numpy as np

from genesis.domain.measures import period_returns
from genesis.domain.overfitting import returns_by_block
from genesis.domain.recording import RecordingError
from genesis.domain.strategies import STRATEGY_KINDS
from genesis.edge.jobs import NICENESS
from genesis.markets import load_market
from genesis.research.backtest import BacktestResult
from genesis.research.bars import BarRecording
from genesis.research.fast import NotFast, Prepared, run_fast
from genesis.research.fast_figures import FAST_FIGURES, fast_figures, returns_shape
from genesis.research.runs import RunRequest, backtest, fitted, reach_ms
from genesis.research.search import BY_ARRAYS, METRICS, with_values

COMPILE_FROM: Final = 20_000_000
"""Candles of all trials together from which on loading a compiler is worth it."""
ATTEMPTS: Final = 3
"""How often a task may take its worker down before it is told as failed: it may be the task that kills."""

Answer = dict[str, float | None] | str


class Judge(msgspec.Struct, frozen=True, kw_only=True):
    """Which runner works trials out: the array runner where it can (compiled, when that pays), else the exact one."""

    by_arrays: bool = False
    is_compiled: bool = False


EXACT: Final = Judge()


def judge_of(metrics: Iterable[str], steps: int, *, exact: bool = False) -> Judge:
    """The judge of a search: by the array runner when it knows every figure that is wanted.

    `steps` are the candles of all trials together: a compiler is worth its loading only for many.
    """
    knows = not exact and set(metrics) <= FAST_FIGURES
    return Judge(by_arrays=knows, is_compiled=knows and steps >= COMPILE_FROM)


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """One trial for a worker, wherever it is: the request and the numbers laid over its settings."""

    request: RunRequest
    data_folder: str
    strategies_folder: str
    values: dict[str, float]
    judge: Judge = EXACT


@lru_cache(maxsize=4)
def _market(name: str, data_folder: str, start_ms: int | None, end_ms: int | None, reach: int) -> BarRecording:
    return load_market(name, Path(data_folder), start_ms, end_ms, reach, mapped=True)


@lru_cache(maxsize=4)
def _prepared(request: bytes, data_folder: str, is_compiled: bool, reach: int) -> Prepared | str:
    """The market and limits of a request whose strategy has no parameters yet, or why they need the exact runner."""
    asked = msgspec.json.decode(request, type=RunRequest)
    market = _market(asked.market, data_folder, asked.start_ms, asked.end_ms, reach)
    settings = fitted(asked.settings, market)
    balances = (("exchange", settings.quote_currency, asked.balance),)
    try:
        return Prepared.of(market, settings, model=asked.costs.model(), balances=balances, compile=is_compiled)
    except NotFast as error:
        return str(error)


def _by_arrays(request: RunRequest, data_folder: str, is_compiled: bool, reach: int) -> dict[str, float | None] | None:
    """The figures by the array runner; None where it must not or could not judge."""
    running = [one for one in request.settings.strategies if one.enabled]
    if len(running) != 1 or STRATEGY_KINDS[running[0].kind].numeric is None:
        return None
    bare = tuple(
        msgspec.structs.replace(one, parameters={}) if one.enabled else one for one in request.settings.strategies
    )
    without = msgspec.structs.replace(request, settings=msgspec.structs.replace(request.settings, strategies=bare))
    prepared = _prepared(msgspec.json.encode(without), data_folder, is_compiled, reach)
    if isinstance(prepared, str):
        return None
    result = run_fast(prepared, running[0].parameters)
    return fast_figures(prepared, result) | {BY_ARRAYS: 1.0} if result.ran_fast else None


@lru_cache(maxsize=2)
def _own_strategies(folder: str) -> object:
    from genesis.user_strategies import user_strategies

    return user_strategies(Path(folder))


def work_out(data: bytes) -> bytes:
    """One task to its answer, as bytes both ways: the same on this machine and on another."""
    task = msgspec.json.decode(data, type=Task)
    answer: Answer
    try:
        _own_strategies(task.strategies_folder)
        request = task.request
        request = msgspec.structs.replace(request, settings=with_values(request.settings, task.values))
        request.check()
        reach = reach_ms(request.settings)
        market = _market(request.market, task.data_folder, request.start_ms, request.end_ms, reach)
        judge = task.judge
        quick = _by_arrays(request, task.data_folder, judge.is_compiled, reach) if judge.by_arrays else None
        answer = figures_of(backtest(request, market)) if quick is None else quick
    except (ValueError, RecordingError) as error:
        answer = str(error)
    return msgspec.json.encode(answer)


def figures_of(result: BacktestResult) -> dict[str, float | None]:
    """Every figure that a search may look at, what a deflated Sharpe ratio and the probability of overfitting need, and
    how far equity went either way from its start, of which windows are put together."""
    made = result.measures
    found: dict[str, float | None] = {}
    for name in METRICS:
        value = getattr(made, name)
        found[name] = None if value is None else float(value)
    for name, equity_then in (("highest_return", made.highest_equity), ("lowest_return", made.lowest_equity)):
        found[name] = float(equity_then / made.start_equity - 1) if made.start_equity > 0 else 0.0
    at = np.array([point.at_ms for point in result.curve], dtype=np.int64)
    equity = np.array([float(point.equity) for point in result.curve], dtype=np.float64)
    _, returns = period_returns(at, equity)
    return found | returns_shape(returns, made.sharpe) | returns_by_block(returns)


def _begin_worker() -> None:
    # Ctrl-C is for whoever asks; workers end when they are told.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # An engine that trades on this machine goes first, also beside a command that is not niced itself.
    os.nice(max(0, NICENESS - os.getpriority(os.PRIO_PROCESS, 0)))


@attrs.define(eq=False)
class Workers:
    """Processes that are started by the first task and wait for the next ones. Use as a context."""

    count: int
    lost: int = 0
    """How many tasks were given out again because their worker died."""
    on_lost: Callable[[int], None] = lambda lost: None
    """Told `lost` when it has risen."""
    _pool: ProcessPoolExecutor | None = attrs.field(default=None, init=False)

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self) -> ProcessPoolExecutor:
        if self._pool is None:
            # Fresh processes, not forks: a fork of a process with threads may hang for ever.
            self._pool = ProcessPoolExecutor(self.count, mp_context=get_context("spawn"), initializer=_begin_worker)
        return self._pool

    def lose(self, tasks: int) -> None:
        self.close()
        self.lost += tasks
        self.on_lost(self.lost)

    def close(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            for process in list((getattr(pool, "_processes", None) or {}).values()):
                with contextlib.suppress(OSError):
                    process.kill()
            pool.shutdown(wait=True, cancel_futures=True)


@attrs.define(kw_only=True, eq=False)
class LocalExecutor:
    """Processes of this machine: its own, or those of somebody who has more for them to do. Use as a context."""

    request: RunRequest
    data_folder: Path
    strategies_folder: Path
    workers: int
    judge: Judge = EXACT
    shared: Workers | None = None
    _own: Workers = attrs.field(init=False)

    @_own.default
    def _default_own(self) -> Workers:
        return self.shared if self.shared is not None else Workers(self.workers)

    def __enter__(self) -> "LocalExecutor":
        return self

    def __exit__(self, *_: object) -> None:
        if self.shared is None:
            self._own.close()

    @property
    def width(self) -> int:
        return self._own.count

    @property
    def lost(self) -> int:
        """How many tasks were given out again because their worker died."""
        return self._own.lost

    def run(self, batch: Sequence[Mapping[str, float]]) -> Iterator[Answer]:
        answers: list[Answer | None] = [None] * len(batch)
        tasks = [self._task(values) for values in batch]
        tries = [0] * len(batch)
        told = 0
        while told < len(batch):
            pool = self._own.open()
            waiting: dict[Future[bytes], int] = {}
            try:
                for place, answer in enumerate(answers):
                    if answer is None:
                        waiting[pool.submit(work_out, tasks[place])] = place
                for future in as_completed(waiting):
                    answers[waiting[future]] = read_answer(future.result())
                    while told < len(batch) and (known := answers[told]) is not None:
                        yield known
                        told += 1
            except BrokenProcessPool:
                # One worker's death ends the pool. What was answered stays; the rest is given to a new one.
                again = [place for place, answer in enumerate(answers) if answer is None]
                for place in again:
                    tries[place] += 1
                    if tries[place] >= ATTEMPTS:
                        answers[place] = f"its process died {ATTEMPTS} times"
                self._own.lose(len(again))
            except KeyboardInterrupt:
                self._own.close()
                raise
            while told < len(batch) and (known := answers[told]) is not None:
                yield known
                told += 1

    def _task(self, values: Mapping[str, float]) -> bytes:
        return encode_task(self.request, self.data_folder, self.strategies_folder, values, self.judge)


@attrs.define(kw_only=True, eq=False)
class ClusterExecutor:
    """A Dask cluster by its address. Its workers need this installation and the data folder under the same paths.

    Dask gives the tasks of a worker that dies to another one, and so often that a task that kills is told as failed.
    Whoever reaches a scheduler's port runs code there: bind it to loopback, or use mutual TLS.
    """

    address: str
    request: RunRequest
    data_folder: Path
    strategies_folder: Path
    judge: Judge = EXACT
    _client: Any = attrs.field(default=None, init=False)

    def __enter__(self) -> "ClusterExecutor":
        try:
            import distributed
        except ImportError:
            raise ValueError("a cluster needs Dask: install genesis-engine[cluster]") from None
        try:
            client: Any = distributed.Client
            self._client = client(self.address, timeout=10, set_as_default=False)
        except (OSError, ValueError) as error:
            raise ValueError(
                f"--cluster must be the address of a Dask scheduler, was {self.address}: {error}"
            ) from None
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    @property
    def width(self) -> int:
        threads: dict[str, int] = self._client.nthreads()
        return max(1, sum(threads.values()))

    def run(self, batch: Sequence[Mapping[str, float]]) -> list[Answer]:
        tasks = [
            encode_task(self.request, self.data_folder, self.strategies_folder, values, self.judge) for values in batch
        ]
        futures = [self._client.submit(work_out, task, pure=False, retries=ATTEMPTS) for task in tasks]
        answers: list[Answer] = []
        try:
            for future in futures:
                try:
                    answers.append(read_answer(future.result()))
                except Exception as error:
                    if isinstance(error, OSError) or type(error).__name__ in ("CommClosedError", "CancelledError"):
                        raise ValueError(f"the cluster at {self.address} was lost: {error}") from None
                    answers.append(f"{type(error).__name__}: {error}")
        except KeyboardInterrupt:
            self._client.cancel(futures)
            raise
        return answers


def encode_task(
    request: RunRequest,
    data_folder: Path,
    strategies_folder: Path,
    values: Mapping[str, float],
    judge: Judge = EXACT,
) -> bytes:
    """A task in the bytes that travel."""
    return msgspec.json.encode(
        Task(
            request=request,
            data_folder=str(data_folder),
            strategies_folder=str(strategies_folder),
            values=dict(values),
            judge=judge,
        )
    )


def read_answer(data: bytes) -> Answer:
    """An answer of its bytes."""
    answer: Answer = msgspec.json.decode(data, type=dict[str, float | None] | str)
    return answer
