"""The jobs of one engine: how one is run, and what the web may ask about them."""

import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final

import attrs
import msgspec
import trio

from genesis.core.channel import Channel
from genesis.core.errors import ChannelClosed, ChannelFull, DeadLettered
from genesis.core.latest import Latest
from genesis.domain.replay import MINUTE_MS
from genesis.domain.settings_build import Built, Layer, as_tree, build, layer_of_tree
from genesis.edge.jobs import JobFolders, run_child
from genesis.job_child import KINDS
from genesis.research.costs import Costs
from genesis.research.runs import RunRequest
from genesis.searches import SearchRequest
from protocols.jobs import CancelJob, ForgetJob, JobRefused, JobView, StartJob
from protocols.settings import Settings
from web.controls import Busy, Refused
from web.job_ports import JobPorts, Market, NotDoable

COMMAND: Final = (sys.executable, "-P", "-m", "genesis.job_child")
SEARCH_FIELDS: Final = frozenset(SearchRequest.__struct_fields__) - {"request"}
ANSWER_WITHIN_S: Final = 10.0
FORMATS: Final = ("%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y%m%d")


@attrs.frozen(kw_only=True)
class JobHouse:
    """Where this engine's jobs live, and which market they look at when nobody says."""

    folders: JobFolders
    data_folder: Path
    market: str
    wall_ms: Callable[[], int]
    strategies_folder: Path | None = None
    command: tuple[str, ...] = COMMAND

    async def run(self, request: Mapping[str, Any], on_progress: Callable[[float, str], None]) -> dict[str, Any]:
        """One job to its end, in its process."""
        said = {**request, "data_folder": str(self.data_folder)}
        if self.strategies_folder is not None:
            said["strategies_folder"] = str(self.strategies_folder)
        return await run_child(self.command, said, on_progress)


def moment(text: str) -> int:
    """A date or a moment, UTC, in milliseconds. Raises ValueError."""
    for form in FORMATS:
        try:
            return int(datetime.strptime(text.removesuffix("Z"), form).replace(tzinfo=UTC).timestamp() * 1000)
        except ValueError:
            continue
    raise ValueError(f"a date must be as 2018-02-05 or 2018-02-05T12:00, was {text}")


def request_of(body: Mapping[str, Any], settings: Settings, market: str, newest_ms: Callable[[str], int]) -> RunRequest:
    """A backtest's request of what somebody typed, over the settings in force. Raises ValueError with every fault.

    `newest_ms` gives the end of a market's data, for whoever asks for the newest so many minutes.
    """
    layers = [layer_of_tree("in force", as_tree(settings)), Layer(name="request", values=body.get("settings") or {})]
    strategies = body.get("strategies")
    if strategies is None and (body.get("symbol") or body.get("timeframe")):
        one = {"symbol": body.get("symbol"), "timeframe": body.get("timeframe")}
        strategies = [{name: value for name, value in one.items() if value is not None}]
    if strategies is not None:
        named = [{**one, "name": one.get("name") or f"s{place}"} for place, one in enumerate(strategies, start=1)]
        listed = [{name: value for name, value in one.items() if value is not None} for one in named]
        layers.append(Layer(name="request", values={"strategies": listed}))
    built = build(layers)
    if not isinstance(built, Built):
        raise ValueError("; ".join(str(fault) for fault in built))
    chosen = body.get("market") or market
    start = body.get("start")
    end = body.get("end")
    start_ms = None if start is None else moment(start)
    end_ms = None if end is None else moment(end)
    limit = body.get("limit")
    if limit is not None:
        if start_ms is not None:
            raise ValueError("limit and start must not be given together, were")
        last_ms = end_ms if end_ms is not None else newest_ms(chosen)
        start_ms = last_ms - limit * MINUTE_MS
    request = RunRequest(
        market=chosen,
        settings=built.settings,
        start_ms=start_ms,
        end_ms=end_ms,
        balance=_number("balance", body.get("balance"), Decimal(10_000)),
        costs=_costs(body.get("costs") or {}),
        title=body.get("title") or "",
        stress=bool(body.get("stress")),
    )
    request.check()
    return request


def _number(name: str, text: object, default: Decimal) -> Decimal:
    if text is None:
        return default
    try:
        return Decimal(str(text))
    except InvalidOperation:
        raise ValueError(f"{name} must be a number, was {str(text)[:30]}") from None


def _costs(given: Mapping[str, Any]) -> Costs:
    terms: dict[str, Any] = {
        name: given[name] for name in ("latency_ms", "fee_tiers", "worst_case") if given.get(name) is not None
    }
    for name in ("half_spread", "slippage", "participation", "maker_fee", "taker_fee", "impact", "carry_a_day"):
        if given.get(name) is not None:
            terms[name] = _number(name, given[name], Decimal(0))
    return Costs(**terms)


def job_ports(
    house: JobHouse, *, requests: Channel[Any], views: Latest[tuple[JobView, ...]], settings: Latest[Settings]
) -> JobPorts:
    """The web's side of the jobs."""

    async def ask(message: Any) -> JobView:
        try:
            with trio.fail_after(ANSWER_WITHIN_S):
                answer = await requests.ask(message)
        except (ChannelFull, ChannelClosed, trio.TooSlowError):
            raise Busy("the jobs") from None
        except DeadLettered as error:
            raise Refused("not_understood", str(error)) from None
        if isinstance(answer, JobRefused):
            if answer.code == "too_many_jobs":
                raise Busy(answer.text, retry_after_s=5.0)
            raise Refused(answer.code, answer.text)
        assert isinstance(answer, JobView)
        return answer

    async def start(job_id: str, kind: str, title: str, request: Mapping[str, Any], by: str) -> JobView:
        if kind not in KINDS:
            raise NotDoable(f"kind must be one of {', '.join(sorted(KINDS))}, was {kind}")
        return await ask(StartJob(job_id=job_id, kind=kind, title=title, request=dict(request), by=by))

    async def cancel(job_id: str, by: str) -> JobView:
        return await ask(CancelJob(job_id=job_id, by=by))

    async def forget(job_id: str, by: str) -> JobView:
        return await ask(ForgetJob(job_id=job_id, by=by))

    async def result(job_id: str, name: str) -> bytes | None:
        return await trio.to_thread.run_sync(house.folders.read, job_id, name)

    async def backtest(body: Mapping[str, Any]) -> dict[str, Any]:
        try:
            request = await trio.to_thread.run_sync(_prepare, body, settings.value, house)
        except ValueError as error:
            raise NotDoable(str(error)) from None
        plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(request))
        return plain

    async def search(kind: str, body: Mapping[str, Any]) -> dict[str, Any]:
        try:
            asked = await trio.to_thread.run_sync(_prepare_search, kind, body, settings.value, house)
        except ValueError as error:
            raise NotDoable(str(error)) from None
        plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(asked))
        return plain

    async def markets() -> list[Market]:
        return await trio.to_thread.run_sync(_markets, house)

    return JobPorts(
        markets=markets,
        start=start,
        cancel=cancel,
        forget=forget,
        views=lambda: views.value,
        result=result,
        backtest=backtest,
        search=search,
    )


def _markets(house: JobHouse) -> list[Market]:
    from genesis.edge.bar_files import BarFiles, DataUnusable
    from genesis.markets import market_span, recording_symbols
    from genesis.simulator.recordings import shipped_names

    found: list[Market] = []
    for name in dict.fromkeys((house.market, *shipped_names())):
        try:
            first_ms, end_ms = market_span(name, house.data_folder)
            symbols = recording_symbols(name)
        except ValueError:
            continue
        found.append(Market(name=name, where="recording", symbols=symbols, first_ms=first_ms, end_ms=end_ms))
    files = BarFiles(house.data_folder)
    for series in files.series():
        if series.timeframe == "1m":
            try:
                span = files.span(series.symbol, series.timeframe)
            except DataUnusable:
                continue
            if span is not None:
                found.append(
                    Market(
                        name=f"{series.symbol}:1m",
                        where="data store",
                        symbols=(series.symbol,),
                        first_ms=span[0],
                        end_ms=span[1] + MINUTE_MS,
                    )
                )
    return found


def _prepare_search(kind: str, body: Mapping[str, Any], settings: Settings, house: JobHouse) -> SearchRequest:
    of_search = {name: body[name] for name in SEARCH_FIELDS if body.get(name) is not None}
    of_run = {name: value for name, value in body.items() if name not in SEARCH_FIELDS}
    asked = SearchRequest(request=_prepare(of_run, settings, house), **of_search)
    asked.check()
    if kind == "walkforward":
        asked.parts(house.data_folder)
    return asked


def _prepare(body: Mapping[str, Any], settings: Settings, house: JobHouse) -> RunRequest:
    from genesis.markets import market_span

    def newest_ms(market: str) -> int:
        return market_span(market, house.data_folder)[1]

    asked = body.get("market")
    if asked is not None and asked != house.market and ("/" in asked or "\\" in asked or asked.startswith(".")):
        # Whoever may start a backtest may not look around on this machine.
        raise ValueError("market must be a recording's name or pairs of the data store, was a path")
    request = request_of(body, settings, house.market, newest_ms)
    market_span(request.market, house.data_folder)
    return request
