"""Jobs over HTTP: start a backtest, follow it, fetch its result, cancel it, forget it."""

from typing import Annotated, Any, Final

import msgspec

from protocols.jobs import JobState, JobView
from protocols.units import TIMEFRAME_MS
from web.api import Api, Call, Route
from web.bodies import NameText, Strict, SymbolText
from web.errors import ApiError
from web.job_ports import JobPorts, Market, NotDoable
from web.tokens import Scope

V2: Final = "/api/v2"
BACKTESTS: Final = f"{V2}/strategy/backtest"
ONE: Final = f"{BACKTESTS}/{{job_id}}"
JOBS: Final = f"{V2}/jobs"
RESULT: Final = "result.json"
SEARCHES: Final = f"{V2}/research/searches"
SEARCH_RESULTS: Final = {"optimize": "study.json", "walkforward": "walkforward.json"}
"""What a search leaves, by its kind."""

FixedTimeframe = Annotated[str, msgspec.Meta(pattern=f"^({'|'.join(TIMEFRAME_MS)})$")]
"""A time frame that has one length; months have not."""
Title = Annotated[str, msgspec.Meta(max_length=120)]
MarketName = Annotated[str, msgspec.Meta(max_length=400)]
Moment = Annotated[str, msgspec.Meta(max_length=32)]
Number = Annotated[float, msgspec.Meta(ge=-1e12, le=1e12)]


class StrategyBody(Strict, frozen=True, kw_only=True):
    """One strategy of a backtest. Parameters that are not given have their defaults."""

    name: Annotated[str, msgspec.Meta(max_length=60)] | None = None
    kind: Annotated[str, msgspec.Meta(max_length=60)] = "ema_cross"
    symbol: SymbolText = "tBTCUSD"
    timeframe: FixedTimeframe = "5m"
    parameters: Annotated[dict[str, Number], msgspec.Meta(max_length=50)] = {}


class CostsBody(Strict, frozen=True, kw_only=True):
    """What trading costs: fractions of the price (of what was received for fees) as decimal text, `participation` of a
    tick's volume. `fee_tiers` lets fees fall with the volume of thirty days, `impact` is what an order as large as its
    minute's volume pays for its size, `carry_a_day` the interest on what is held, `worst_case` trades every minute at
    its low before its high."""

    half_spread: Annotated[str, msgspec.Meta(max_length=20)] | None = None
    slippage: Annotated[str, msgspec.Meta(max_length=20)] | None = None
    latency_ms: Annotated[int, msgspec.Meta(ge=0, le=60_000)] | None = None
    participation: Annotated[str, msgspec.Meta(max_length=20)] | None = None
    maker_fee: Annotated[str, msgspec.Meta(max_length=20)] | None = None
    taker_fee: Annotated[str, msgspec.Meta(max_length=20)] | None = None
    fee_tiers: bool = False
    impact: Annotated[str, msgspec.Meta(max_length=20)] | None = None
    carry_a_day: Annotated[str, msgspec.Meta(max_length=20)] | None = None
    worst_case: bool = False


class BacktestBody(Strict, frozen=True, kw_only=True):
    """What to test. `market` is a recording's name or pairs of the data store (`tBTCUSD:1m`); the recording of this
    session, or the shipped one, when it is not given.

    `symbol` and `timeframe` are the short way of one strategy; `strategies` the long one; with neither, those that run
    now. `limit` takes the newest so many minutes. `start` and `end` are dates as 2018-02-05 or 2018-02-05T12:00.
    `settings` lays values over those in force, by path: `{"risk.max_drawdown": "0.1"}`. `stress` trades it again under
    worse fees, slippage and latency.
    """

    market: MarketName | None = None
    symbol: SymbolText | None = None
    timeframe: FixedTimeframe | None = None
    strategies: Annotated[tuple[StrategyBody, ...], msgspec.Meta(min_length=1, max_length=50)] | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=10_000_000)] | None = None
    start: Moment | None = None
    end: Moment | None = None
    balance: Annotated[str, msgspec.Meta(max_length=30)] | None = None
    costs: CostsBody | None = None
    settings: Annotated[dict[str, Any], msgspec.Meta(max_length=200)] = {}
    title: Title = ""
    stress: bool = False
    job_id: NameText | None = None


Text = Annotated[str, msgspec.Meta(max_length=200)]
Texts = Annotated[tuple[Text, ...], msgspec.Meta(max_length=20)]
Days = Annotated[float, msgspec.Meta(ge=0, le=10_000)]


class SearchBody(BacktestBody, frozen=True, kw_only=True):
    """What to look for, over a backtest's own fields. `vary` are parameters with their ranges (`s1.fast=5:30`,
    `risk.stop_fraction=0.01:0.1`; strategies of the body are called s1, s2 and so on unless they have names),
    `maximize` and `minimize` figures, `require` what must hold (`trades>=30`). `method` is tpe, random or grid. Trials
    are judged by the array runner where it can, and its winners by the exact one; `exact` asks that of all."""

    vary: Annotated[tuple[Text, ...], msgspec.Meta(min_length=1, max_length=20)]
    maximize: Texts = ()
    minimize: Texts = ()
    require: Texts = ()
    method: Annotated[str, msgspec.Meta(pattern="^(tpe|random|grid)$")] = "tpe"
    trials: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 50
    seed: Annotated[int, msgspec.Meta(ge=0, le=2**31)] = 1
    exact: bool = False


class WalkforwardBody(SearchBody, frozen=True, kw_only=True):
    """A search window by window: learn from `train_days`, leave out `purge_days`, trade `test_days` with what was
    found, and go on; `anchored` learns from the beginning on."""

    train_days: Days = 60.0
    test_days: Days = 20.0
    purge_days: Days = 0.0
    anchored: bool = False


class SearchAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A search with its report once it is done: `report` of an optimisation, `steps`, `summary` of a walk-forward."""

    job: JobView
    result: Any = None


class JobAnswer(msgspec.Struct, frozen=True, kw_only=True):
    job: JobView


class JobList(msgspec.Struct, frozen=True, kw_only=True):
    """Jobs, newest first."""

    jobs: tuple[JobView, ...]


class BacktestAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A backtest with its result once it is done: `measures` holds final_equity, winrate, max_drawdown, sharpe,
    distribution, equity_curve, heatmap_return (heatmap), heatmap_winrate, heatmap_counts, and the rest."""

    job: JobView
    result: Any = None


class Markets(msgspec.Struct, frozen=True, kw_only=True):
    """What a backtest can be made on, the usual one first."""

    markets: tuple[Market, ...]


class JobsQuery(Strict, frozen=True, kw_only=True):
    """`kind` lists jobs of one kind."""

    kind: Annotated[str, msgspec.Meta(max_length=40)] | None = None


def _ports(api: Api) -> JobPorts:
    ports = api.controls.jobs
    if ports is None:
        raise ApiError(404, "this engine does no jobs", code="no_jobs")
    return ports


def _known(api: Api, job_id: str, kind: str | None = None) -> JobView:
    for job in _ports(api).views():
        if job.job_id == job_id and kind in (None, job.kind):
            return job
    raise ApiError(404, f"no job is called {job_id[:120]}")


async def start(api: Api, call: Call) -> JobAnswer:
    body: BacktestBody = call.body
    ports = _ports(api)
    asked = msgspec.to_builtins(body)
    job_id = asked.pop("job_id") or f"backtest-{api.new_id()}"
    if "/" in job_id or job_id.startswith("."):
        raise ApiError(422, "job_id must be a name without slashes, was not")
    try:
        request = await ports.backtest(asked)
        title = body.title or request.get("title") or request["market"]
        return JobAnswer(job=await ports.start(job_id, "backtest", title, request, call.subject))
    except NotDoable as error:
        raise ApiError(422, str(error)) from None


async def _start_search(api: Api, call: Call, kind: str) -> JobAnswer:
    body: SearchBody = call.body
    ports = _ports(api)
    asked = msgspec.to_builtins(body)
    job_id = asked.pop("job_id") or f"{kind}-{api.new_id()}"
    if "/" in job_id or job_id.startswith("."):
        raise ApiError(422, "job_id must be a name without slashes, was not")
    try:
        request = await ports.search(kind, asked)
        title = body.title or request["request"]["market"]
        return JobAnswer(job=await ports.start(job_id, kind, title, request, call.subject))
    except NotDoable as error:
        raise ApiError(422, str(error)) from None


async def optimize(api: Api, call: Call) -> JobAnswer:
    return await _start_search(api, call, "optimize")


async def walkforward(api: Api, call: Call) -> JobAnswer:
    return await _start_search(api, call, "walkforward")


async def searches(api: Api, call: Call) -> JobList:
    return JobList(jobs=tuple(reversed([job for job in _ports(api).views() if job.kind in SEARCH_RESULTS])))


async def one_search(api: Api, call: Call) -> SearchAnswer:
    job = _known(api, call.path["job_id"])
    file = SEARCH_RESULTS.get(job.kind)
    if file is None:
        raise ApiError(404, f"no search is called {job.job_id[:120]}")
    if job.state is not JobState.DONE:
        return SearchAnswer(job=job)
    data = await _ports(api).result(job.job_id, file)
    if data is None:
        raise ApiError(404, "the result of this job is gone", code="result_gone")
    return SearchAnswer(job=job, result=msgspec.Raw(data))


async def listed(api: Api, call: Call) -> JobList:
    query: JobsQuery = call.query
    found = [job for job in _ports(api).views() if query.kind in (None, job.kind)]
    return JobList(jobs=tuple(reversed(found)))


async def backtests(api: Api, call: Call) -> JobList:
    return JobList(jobs=tuple(reversed([job for job in _ports(api).views() if job.kind == "backtest"])))


async def one(api: Api, call: Call) -> BacktestAnswer:
    job = _known(api, call.path["job_id"], "backtest")
    if job.state is not JobState.DONE:
        return BacktestAnswer(job=job)
    data = await _ports(api).result(job.job_id, RESULT)
    if data is None:
        raise ApiError(404, "the result of this job is gone", code="result_gone")
    return BacktestAnswer(job=job, result=msgspec.Raw(data))


async def one_job(api: Api, call: Call) -> JobAnswer:
    return JobAnswer(job=_known(api, call.path["job_id"]))


async def markets(api: Api, call: Call) -> Markets:
    return Markets(markets=tuple(await _ports(api).markets()))


async def cancel(api: Api, call: Call) -> JobAnswer:
    job = _known(api, call.path["job_id"])
    return JobAnswer(job=await _ports(api).cancel(job.job_id, call.subject))


async def forget(api: Api, call: Call) -> JobAnswer:
    job = _known(api, call.path["job_id"])
    return JobAnswer(job=await _ports(api).forget(job.job_id, call.subject))


def _route(method: str, path: str, scope: Scope, handler: Any, answer: Any, summary: str, **more: Any) -> Route:
    return Route(
        method=method,
        path=path,
        scope=scope,
        handler=handler,
        answer=answer,
        needs="jobs",
        tag="research",
        summary=summary,
        **more,
    )


JOB_ROUTES: Final[tuple[Route, ...]] = (
    _route(
        "POST",
        BACKTESTS,
        Scope.TRADE,
        start,
        JobAnswer,
        "Start a backtest in a process of its own. Progress comes on the stream's topic `job`.",
        body=BacktestBody,
        status=202,
        statuses=(409, 503),
    ),
    _route("GET", BACKTESTS, Scope.READ, backtests, JobList, "Backtests, newest first."),
    _route("GET", ONE, Scope.READ, one, BacktestAnswer, "A backtest, with its whole result once it is done."),
    _route(
        "POST",
        f"{ONE}/cancel",
        Scope.TRADE,
        cancel,
        JobAnswer,
        "Cancel a backtest: its process is killed.",
        statuses=(409, 503),
    ),
    _route(
        "DELETE", ONE, Scope.TRADE, forget, JobAnswer, "Forget an ended backtest and its files.", statuses=(409, 503)
    ),
    _route(
        "GET",
        f"{V2}/research/markets",
        Scope.READ,
        markets,
        Markets,
        "What a backtest can be made on: recordings, and the data store's pairs.",
    ),
    _route(
        "POST",
        f"{V2}/research/optimize",
        Scope.TRADE,
        optimize,
        JobAnswer,
        "Search for parameters in a process of its own. Progress comes on the stream's topic `job`.",
        body=SearchBody,
        status=202,
        statuses=(409, 503),
    ),
    _route(
        "POST",
        f"{V2}/research/walkforward",
        Scope.TRADE,
        walkforward,
        JobAnswer,
        "Search window by window, and trade the next one with what was found, in a process of its own.",
        body=WalkforwardBody,
        status=202,
        statuses=(409, 503),
    ),
    _route("GET", SEARCHES, Scope.READ, searches, JobList, "Searches and walk-forwards, newest first."),
    _route(
        "GET", f"{SEARCHES}/{{job_id}}", Scope.READ, one_search, SearchAnswer, "A search, with its report once done."
    ),
    _route(
        "DELETE",
        f"{JOBS}/{{job_id}}",
        Scope.TRADE,
        forget,
        JobAnswer,
        "Forget an ended job and its files.",
        statuses=(409, 503),
    ),
    _route("GET", JOBS, Scope.READ, listed, JobList, "Jobs of all kinds, newest first.", query=JobsQuery),
    _route("GET", f"{JOBS}/{{job_id}}", Scope.READ, one_job, JobAnswer, "One job: its state, progress and last words."),
    _route(
        "POST",
        f"{JOBS}/{{job_id}}/cancel",
        Scope.TRADE,
        cancel,
        JobAnswer,
        "Cancel a job: its process is killed.",
        statuses=(409, 503),
    ),
)
