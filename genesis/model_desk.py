"""The probability model in a running engine: judged on the newest candles, in a process of its own."""

import random
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import trio

from actors.scheduler import Scheduled, SchedulerActor
from genesis.core.clock import Clock
from genesis.core.latest import Latest
from genesis.domain.candles import series_key
from genesis.domain.probability import Figures, Model, ModelError, read_model
from genesis.edge.jobs import JobDied, JobFailed
from genesis.job_desk import JobHouse
from genesis.plan import Plan
from genesis.user_strategies import model_path
from web.model_ports import ModelPorts, NotJudged, ValidationReport

RunJob = Callable[[Mapping[str, Any], Callable[[float, str], None]], Awaitable[dict[str, Any]]]
WITHIN_S = 120.0


class ModelDesk:
    """`run_job` runs one job in a process. One validation at a time: whoever asks meanwhile waits for its turn."""

    def __init__(self, *, path: Path, run_job: RunJob, plan: Plan, clock: Clock, chance: random.Random) -> None:
        self.path, self.last = path, Latest[ValidationReport | None](None)
        self._run_job, self._clock, self._chance = run_job, clock, chance
        self._market, self._settings = plan.cells.market, plan.cells.settings
        self._schedule, self._notices = plan.cells.schedule, plan.channels.ui
        self._lock: trio.Lock | None = None

    def ports(self) -> ModelPorts:
        return ModelPorts(model=self.model, validate=self.validate, last=lambda: self.last.value)

    async def model(self) -> Model | None:
        """The model as its file is now; None when there is none that can be used."""
        try:
            return read_model(await trio.to_thread.run_sync(self.path.read_bytes), source=self.path.name)
        except (OSError, ModelError):
            return None

    async def validate(self, by: str, limit: int | None = None, samples: int | None = None) -> ValidationReport:
        """Judge the model on the newest candles of its market. Raises NotJudged."""
        if self._lock is None:
            self._lock = trio.Lock()
        async with self._lock:
            return await self._validate(by, limit, samples)

    async def _validate(self, by: str, limit: int | None, samples: int | None) -> ValidationReport:
        wanted = self._settings.value.model
        try:
            model = read_model(await trio.to_thread.run_sync(self.path.read_bytes), source=self.path.name)
        except OSError:
            raise NotJudged(f"{self.path} must be there, is not: `genesis model train` makes it") from None
        except ModelError as error:
            raise NotJudged(str(error)) from None
        if wanted.validate_timeframe not in ("", model.timeframe):
            text = f"model.validate_timeframe must be the model's ({model.timeframe}) or empty"
            raise NotJudged(f"{text}, was {wanted.validate_timeframe}")
        series = self._market.value.series.get(series_key(model.symbol, model.timeframe))
        if series is None or not series.candles:
            text = f"candles of {model.symbol} {model.timeframe} must be watched (market.symbols, market.timeframes)"
            raise NotJudged(f"{text}, are not")
        candles = series.candles[-(limit or wanted.validate_limit) :]
        rows = [(one.open_ms, one.open, one.high, one.low, one.close, one.volume) for one in candles]
        request = {
            "kind": "model_validate",
            "request": {
                "model": str(self.path),
                "rows": rows,
                "max_samples": samples or wanted.validate_max_samples,
            },
            "folder": str(self.path.parent),
        }
        try:
            with trio.fail_after(WITHIN_S):
                told = await self._run_job(request, lambda fraction, text: None)
        except trio.TooSlowError:
            raise NotJudged(f"the process must answer within {WITHIN_S:.0f} s, did not") from None
        except JobFailed as error:
            raise NotJudged(str(error)) from None
        except JobDied as error:
            raise NotJudged(f"the process ended without an answer: {error}") from None
        report = ValidationReport(
            at_ms=self._clock.wall_ms(),
            by=by,
            symbol=model.symbol,
            timeframe=model.timeframe,
            candles=int(told["candles"]),
            figures=msgspec.convert(told["figures"], Figures),
            verdict=tuple(told["verdict"]),
        )
        self.last.set(report)
        return report

    async def scheduled(self) -> str:
        """What the scheduler runs: silent while there is no model."""
        if not await trio.to_thread.run_sync(self.path.is_file):
            return ""
        report = await self.validate("scheduler")
        return f"probability model judged on {report.figures.rows} rows: {report.verdict[0]}"

    def scheduler(self) -> SchedulerActor:
        """The actor that lets it come round by the clock, as settings want it at that moment."""
        settings = self._settings
        validation = Scheduled(
            name="probability_validation",
            every_s=lambda: settings.value.model.validate_interval_minutes * 60.0,
            enabled=lambda: settings.value.model.validate_enabled,
            run=self.scheduled,
        )
        return SchedulerActor(works=(validation,), views=self._schedule, chance=self._chance, notices=self._notices)


def model_desk(jobs: JobHouse | None, plan: Plan, clock: Clock, chance: random.Random) -> ModelDesk | None:
    """None where an engine has no jobs: then nobody can judge a model."""
    if jobs is None or jobs.strategies_folder is None:
        return None
    return ModelDesk(path=model_path(jobs.strategies_folder), run_job=jobs.run, plan=plan, clock=clock, chance=chance)
