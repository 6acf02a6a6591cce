"""Bars and trades from the venue's REST, page by page, into the store: what is there already is not asked again.

Every page is on the disk before the next one is asked, so a download that was cut off goes on where it stopped. The
budget of the process paces the requests; a page that fails is asked again by the door, and a rate limit is waited for.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

import attrs
import numpy as np
import trio

from genesis.domain.bars import Table
from genesis.edge.bar_files import TRADES, BarFiles, Written
from protocols.bitfinex import rest_requests
from protocols.bitfinex.errors import RateLimited
from protocols.bitfinex.rest import read_candle_answer, read_trades_answer
from protocols.bitfinex.rest_requests import RestRequest
from protocols.units import TIMEFRAME_MS

PAGE: Final = 10_000
RATE_LIMITS_WAITED: Final = 10
RATE_LIMITED_PAUSE_S: Final = 60.0
SETTLES_MS: Final = 60_000
"""How long after its end a bar or a trade is sure to be told."""

OnProgress = Callable[[float, str], None]


class Door(Protocol):
    def ask(self, request: RestRequest) -> Awaitable[Any]: ...


@attrs.frozen(kw_only=True)
class Downloaded:
    """What a download did. `rows` came over the wire, `requests` were asked."""

    symbol: str
    timeframe: str
    requests: int
    rows: int
    written: Written
    first_ms: int | None
    last_ms: int | None


async def download(
    door: Door,
    files: BarFiles,
    symbol: str,
    timeframe: str,
    start_ms: int,
    end_ms: int,
    *,
    now_ms: int,
    on_progress: OnProgress,
    anew: bool = False,
    page: int = PAGE,
) -> Downloaded:
    """Bars, or with the time frame `trades` trades, of [start, end). Ranges that were asked for are left out unless
    `anew`; what was forming at `now_ms` is asked for again next time.

    Raises VenueError, MalformedFrame or EdgeError after the door's own repeats, DataUnusable, OSError.
    """
    step_ms = 1 if timeframe == TRADES else TIMEFRAME_MS[timeframe]
    start_ms -= start_ms % step_ms
    ranges = [(start_ms, end_ms)] if anew else files.open_ranges(symbol, timeframe, start_ms, end_ms)
    whole = max(1, sum(end - start for start, end in ranges))
    done_ms = requests = rows = 0
    written = Written()
    first: int | None = None
    last: int | None = None
    for begin, end in ranges:
        at = begin
        while at < end:
            table = await _page(door, symbol, timeframe, at, end, page)
            requests += 1
            full = len(table) >= page
            table = table[(table[:, _time(timeframe)] >= at) & (table[:, _time(timeframe)] < end)]
            if len(table):
                newest = int(table[:, _time(timeframe)].max())
                written += await trio.to_thread.run_sync(files.write, symbol, timeframe, table)
                rows += len(table)
                first = int(table[:, _time(timeframe)].min()) if first is None else first
                last = newest
                # A full page may end within one moment, of which more stands on the next; a bar is alone in its own.
                reached = newest + step_ms if timeframe != TRADES or newest == at else newest
            else:
                reached = at
            if not full:
                # A page that is not full is the last; what was still forming is asked for again another day.
                known = min(end, now_ms - now_ms % step_ms - max(step_ms, SETTLES_MS))
                await trio.to_thread.run_sync(files.cover, symbol, timeframe, begin, known)
                break
            await trio.to_thread.run_sync(files.cover, symbol, timeframe, begin, min(reached, end))
            at = reached
            on_progress(min(1.0, (done_ms + at - begin) / whole), f"{symbol}:{timeframe} {rows} rows")
        done_ms += end - begin
    on_progress(1.0, f"{symbol}:{timeframe} {rows} rows")
    return Downloaded(
        symbol=symbol,
        timeframe=timeframe,
        requests=requests,
        rows=rows,
        written=written,
        first_ms=first,
        last_ms=last,
    )


def _time(timeframe: str) -> int:
    return 1 if timeframe == TRADES else 0


async def _page(door: Door, symbol: str, timeframe: str, at: int, end: int, page: int) -> Table:
    if timeframe == TRADES:
        answer = await _ask(
            door, rest_requests.trades(symbol, start_ms=at, end_ms=end - 1, limit=page, oldest_first=True)
        )
        prints = read_trades_answer(answer, symbol, received_ns=0)
        rows = [[one.trade_id, one.time_ms, one.amount, one.price] for one in prints]
        return np.array(rows, dtype=np.float64).reshape(-1, 4)
    key = f"trade:{timeframe}:{symbol}"
    answer = await _ask(door, rest_requests.candles(key, start_ms=at, end_ms=end - 1, limit=page, oldest_first=True))
    candles = read_candle_answer(answer, symbol, timeframe)
    rows = [[one.open_ms, one.open, one.close, one.high, one.low, one.volume] for one in candles]
    return np.array(rows, dtype=np.float64).reshape(-1, 6)


async def _ask(door: Door, request: RestRequest) -> Any:
    for _ in range(RATE_LIMITS_WAITED):
        try:
            return await door.ask(request)
        except RateLimited:
            await trio.sleep(RATE_LIMITED_PAUSE_S)
    return await door.ask(request)
