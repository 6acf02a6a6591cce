"""The history actor pages through the past, tells failures, and keeps orders ahead of candles."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import attrs
import msgspec
import pytest
import trio
from trio.testing import MockClock

from actors.history import HistoryActor
from genesis.core.channel import Channel, Overflow
from genesis.core.clock import TrioClock
from genesis.domain.rest_budget import RestBudget
from genesis.edge.http import HttpClient
from genesis.edge.nonce import NonceOwner
from genesis.edge.rest import RestDoor, RestKey
from genesis.edge.secrets import Secret
from protocols.account import LedgerFailed, LedgerReport, LedgerRequest
from protocols.bitfinex.rest import error_body
from protocols.market import CandleRequest, CandlesFailed, CandleSnapshot, OlderCandles
from protocols.orders import HistoryFailed, HistoryReport, HistoryRequest
from protocols.units import Symbol
from tests.actors.deciding_stage import Listener, Stage, journal_channel, on_stage
from tests.actors.scripted_venue import eventually
from tests.genesis.edge.scripted_http import Answer, Heard, ScriptedHttp, scripted_http

BTC = Symbol("tBTCUSD")
MINUTE = 60_000


def order_row(number: int, created_ms: int) -> list[Any]:
    row: list[Any] = [None] * 32
    row[0:9] = [number, "71", number, "tBTCUSD", created_ms, created_ms, 0, 0.1, "EXCHANGE LIMIT"]
    row[12:14] = ["0", "EXECUTED @ 100.0(0.1)"]
    row[16:20] = [100, 100, 0, 0]
    return row


def trade_row(number: int, time_ms: int) -> list[Any]:
    return [number, "tBTCUSD", time_ms, number, 0.1, 100, "EXCHANGE LIMIT", 100, 1, -0.001, "BTC", number]


@attrs.define
class Past:
    """A venue's memory behind REST: rows with times, newest first, in pages."""

    orders: list[int] = attrs.field(factory=list)
    trades: list[int] = attrs.field(factory=list)
    candles: list[int] = attrs.field(factory=list)
    asked: list[str] = attrs.field(factory=list)

    def answer(self, heard: Heard) -> Answer:
        parts = urlsplit(heard.target)
        self.asked.append(parts.path)
        if parts.path.endswith("/orders"):
            return Answer(body=msgspec.json.encode([order_row(1_000_000, 5)]))
        if "/candles/" in parts.path:
            asked = {key: int(values[0]) for key, values in parse_qs(parts.query).items()}
            times = [at for at in self.candles if asked.get("start", 0) <= at <= asked["end"]]
            times = times[: asked["limit"]] if asked.get("sort") == 1 else times[::-1][: asked["limit"]]
            return Answer(body=msgspec.json.encode([[at, 1, 2, 3, 0.5, 10] for at in times]))
        body = msgspec.json.decode(heard.body)
        kept, row = (self.orders, order_row) if "/orders/" in parts.path else (self.trades, trade_row)
        found = [(number, at) for number, at in enumerate(kept, 1) if body["start"] <= at <= body.get("end", 2**53)]
        found.sort(key=lambda entry: -entry[1])
        return Answer(body=msgspec.json.encode([row(*entry) for entry in found[: body["limit"]]]))


@attrs.define(kw_only=True)
class World:
    server: ScriptedHttp
    past: Past
    stage: Stage
    actors: list[HistoryActor]
    requests: Channel[Any]
    told: list[Any]
    market: list[Any]
    balances: list[Any]


@asynccontextmanager
async def a_world(clock: MockClock, folder: Path) -> AsyncIterator[World]:
    clock.autojump_threshold = 0.01
    past = Past()
    async with scripted_http() as server, HttpClient(server.url) as client:
        server.otherwise = past.answer
        nonce = NonceOwner(folder / "nonce", lambda: 1_700_000_000_000_000)
        key = RestKey(key="genesis-test-key", secret=Secret("genesis-test-secret"), nonce=nonce)
        door = RestDoor(client, client, RestBudget(), TrioClock(), random.Random(3), key)
        requests = Channel[Any]("requests", Overflow.FAIL)
        orders = Channel[Any]("orders", Overflow.BLOCK)
        market = Channel[Any]("market", Overflow.BLOCK)
        balances = Channel[Any]("balances", Overflow.BLOCK)
        told, heard, moved = Listener(), Listener(), Listener()
        actors: list[HistoryActor] = []

        def start() -> HistoryActor:
            actors.append(HistoryActor(door=door, orders=orders, market=market, balances=balances))
            return actors[-1]

        async with on_stage(
            start,
            hears=(requests,),
            journal=journal_channel(),
            listeners={"orders": (told, orders), "market": (heard, market), "account": (moved, balances)},
        ) as stage:
            yield World(
                server=server,
                past=past,
                stage=stage,
                actors=actors,
                requests=requests,
                told=told.heard,
                market=heard.heard,
                balances=moved.heard,
            )
        nonce.close()


def a_question(number: int = 1) -> HistoryRequest:
    return HistoryRequest(request_id=number, session=4, since_ms=1000, trades_since_ms=1000, symbols=(BTC,))


async def test_a_report_holds_open_orders_closed_orders_and_trades(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with a_world(autojump_clock, tmp_path) as world:
        world.past.orders = [500, 2000, 3000]
        world.past.trades = [900, 2500]
        world.requests.put_nowait(a_question())
        await eventually(lambda: bool(world.told))
        report = world.told[0]
        assert isinstance(report, HistoryReport)
        assert (report.request_id, report.session, report.since_ms) == (1, 4, 1000)
        assert [order.venue_id for order in report.open_orders] == [1_000_000]
        assert sorted(order.venue_id for order in report.closed_orders) == [2, 3]
        assert [trade.trade_id for trade in report.trades] == [2]
        # An order that ends between the questions must be in one of the answers.
        assert world.past.asked[0].endswith("/r/orders")


async def test_rows_that_cannot_be_are_told_as_open_where_they_are_and_keep_nothing_else_from_being_known(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    """One made the whole report fail, each time anew, and nothing left any more."""
    nothing = order_row(7, 5)
    nothing[7] = 0
    async with a_world(autojump_clock, tmp_path) as world:
        positions = [["tBTCUSD", "ACTIVE", 1e30, 100], ["tETHUSD", "ACTIVE", 1, 100]]
        for rows in (positions, [nothing, order_row(8, 5)], [nothing, order_row(9, 5)]):
            world.server.answers.append(Answer(body=msgspec.json.encode(rows)))
        world.requests.put_nowait(msgspec.structs.replace(a_question(), positions=True))
        await eventually(lambda: bool(world.told))
        report = world.told[0]
        assert isinstance(report, HistoryReport)
        assert [(order.venue_id, order.event) for order in report.open_orders] == [(8, "rest")]
        assert [(order.venue_id, order.event) for order in report.closed_orders] == [(9, "past")]
        assert [(row.venue_id, row.cid) for row in report.unclear] == [(7, 7)]
        assert report.positions is None


async def test_pages_meet_at_equal_times_and_lose_nothing(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with a_world(autojump_clock, tmp_path) as world:
        world.past.orders = [10_000 + number // 7 for number in range(6000)]
        world.past.trades = [10_000 + number // 3 for number in range(5100)]
        world.requests.put_nowait(a_question())
        await eventually(lambda: bool(world.told))
        report = world.told[0]
        assert sorted(order.venue_id for order in report.closed_orders) == list(range(1, 6001))
        assert sorted(trade.trade_id for trade in report.trades) == list(range(1, 5101))


async def test_a_ledger_is_told_to_who_asked_and_a_refusal_of_it_as_one(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with a_world(autojump_clock, tmp_path) as world:
        row = [7, "USD", "exchange", 5, None, 400, 1400, None, "Deposit on wallet exchange"]
        world.server.answers.append(Answer(body=msgspec.json.encode([row])))
        world.requests.put_nowait(LedgerRequest(currency="USD"))
        await eventually(lambda: len(world.balances) == 1)
        (report,) = world.balances
        assert isinstance(report, LedgerReport)
        assert [(entry.entry_id, entry.amount, entry.balance) for entry in report.entries] == [
            (7, Decimal(400), Decimal(1400))
        ]
        assert report.whole
        world.server.answers.append(Answer(status=500, body=error_body(10100, "apikey: invalid")))
        world.requests.put_nowait(LedgerRequest(currency="USD"))
        await eventually(lambda: len(world.balances) == 2)
        assert isinstance(world.balances[1], LedgerFailed)
        assert world.balances[1].refused


@pytest.mark.parametrize(
    "strange", ["no row", [6, "USD", 0, 4, None, 1, 1000, None, "x"], [5, "USD", "exchange", 3, None, {}]]
)
async def test_a_row_of_a_ledger_that_cannot_be_read_hides_no_other(
    strange: object, autojump_clock: MockClock, tmp_path: Path
) -> None:
    """It was asked for again every five seconds, for ever; until it is told nothing is entered."""
    async with a_world(autojump_clock, tmp_path) as world:
        row = [7, "USD", "exchange", 5, None, 400, 1400, None, "Deposit on wallet exchange"]
        world.server.answers.append(Answer(body=msgspec.json.encode([row, strange])))
        world.requests.put_nowait(LedgerRequest(currency="USD"))
        await eventually(lambda: len(world.balances) == 1)
        (report,) = world.balances
        assert isinstance(report, LedgerReport)
        assert [entry.entry_id for entry in report.entries] == [7]
        assert report.whole


async def test_a_failure_is_told_with_its_reason(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with a_world(autojump_clock, tmp_path) as world:
        world.server.answers.append(Answer(status=500, body=error_body(10100, "apikey: invalid")))
        world.requests.put_nowait(a_question(3))
        await eventually(lambda: bool(world.told))
        assert isinstance(world.told[0], HistoryFailed)
        assert world.told[0].request_id == 3
        assert "apikey: invalid" in world.told[0].reason


async def test_half_a_history_is_a_failure(autojump_clock: MockClock, tmp_path: Path) -> None:
    """A list without its end would look like proof that the rest does not exist."""
    async with a_world(autojump_clock, tmp_path) as world:
        world.past.orders = [2000]
        world.server.answers.extend([Answer(), Answer(status=500, body=error_body(10020, "limit: invalid"))])
        world.requests.put_nowait(a_question())
        await eventually(lambda: bool(world.told))
        assert isinstance(world.told[0], HistoryFailed)


async def test_silence_of_rest_ends_in_a_failure(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with a_world(autojump_clock, tmp_path) as world:
        world.server.otherwise = lambda heard: Answer(silent=True)
        world.requests.put_nowait(a_question())
        await eventually(lambda: bool(world.told))
        assert isinstance(world.told[0], HistoryFailed)
        assert trio.current_time() < 60
        # The supervisor heard that it waits: nobody restarted it for that.
        assert len(world.actors) == 1


async def test_candles_come_oldest_first_over_pages(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with a_world(autojump_clock, tmp_path) as world:
        world.past.candles = [number * MINUTE for number in range(25_000)]
        world.requests.put_nowait(
            CandleRequest(symbol=BTC, timeframe="1m", first_open_ms=MINUTE, last_open_ms=24_000 * MINUTE)
        )
        await eventually(lambda: bool(world.market))
        snapshot = world.market[0]
        assert isinstance(snapshot, CandleSnapshot)
        assert [candle.open_ms for candle in snapshot.candles] == [number * MINUTE for number in range(1, 24_001)]
        candle = snapshot.candles[0]
        assert (candle.open, candle.high, candle.low, candle.close) == (1.0, 3.0, 0.5, 2.0)
        assert snapshot.covers_from_ms == MINUTE


async def test_an_answer_says_from_where_on_it_is_whole_and_a_cut_one_does_not(
    autojump_clock: MockClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.history.PAGES", 2)
    async with a_world(autojump_clock, tmp_path) as world:
        # A hole that begins with minutes in which nobody traded: no row could prove that nothing is missing.
        world.past.candles = [9 * MINUTE]
        world.requests.put_nowait(
            CandleRequest(symbol=BTC, timeframe="1m", first_open_ms=5 * MINUTE, last_open_ms=9 * MINUTE)
        )
        await eventually(lambda: bool(world.market))
        assert [candle.open_ms for candle in world.market[0].candles] == [9 * MINUTE]
        assert world.market[0].covers_from_ms == 5 * MINUTE
        world.past.candles = [number * MINUTE for number in range(25_000)]
        world.requests.put_nowait(
            CandleRequest(symbol=BTC, timeframe="1m", first_open_ms=0, last_open_ms=10**6 * MINUTE)
        )
        await eventually(lambda: len(world.market) == 2)
        assert world.market[1].covers_from_ms is None


def older(newest: int, last: int) -> CandleRequest:
    return CandleRequest(symbol=BTC, timeframe="1m", first_open_ms=0, last_open_ms=last * MINUTE, newest=newest)


@pytest.mark.parametrize(
    ("wanted", "first", "pages"), [(300, 24_701, 1), (10_000, 15_001, 1), (12_345, 12_656, 2), (20_000, 5_001, 2)]
)
async def test_what_came_before_is_told_from_its_end_over_pages(
    autojump_clock: MockClock, tmp_path: Path, wanted: int, first: int, pages: int
) -> None:
    async with a_world(autojump_clock, tmp_path) as world:
        world.past.candles = [number * MINUTE for number in range(25_010)]
        world.requests.put_nowait(older(wanted, 25_000))
        await eventually(lambda: bool(world.market))
        (answer,) = world.market
        assert isinstance(answer, OlderCandles)
        assert [candle.open_ms for candle in answer.candles] == [n * MINUTE for n in range(first, 25_001)]
        assert not answer.is_all
        assert len(world.past.asked) == pages


@pytest.mark.parametrize("known", [0, 7, 10_000, 10_007])
async def test_a_young_market_says_that_there_is_no_more(autojump_clock: MockClock, tmp_path: Path, known: int) -> None:
    async with a_world(autojump_clock, tmp_path) as world:
        world.past.candles = [number * MINUTE for number in range(known)]
        world.requests.put_nowait(older(20_000, 25_000))
        await eventually(lambda: bool(world.market))
        assert (len(world.market[0].candles), world.market[0].is_all) == (known, True)


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ([[61_000, 1, 2, 3, 0.5, 10]], "must open on a whole 1m"),
        ([[9 * MINUTE, 1, 2, 3, 0.5, 10]], "must open on a whole 1m in 0 to 480000"),
        ([[MINUTE, 1, 2, 3, 0.5, 10]] * 2, "must be told once"),
        ([[MINUTE, 1, 2, 0.5, 3, 10]], "must be between low 3.0 and high 0.5"),
        ([[number * MINUTE, 1, 2, 3, 0.5, 10] for number in range(5)], "must be at most 3, were 5"),
        ([[MINUTE, 1, -2, 3, 0.5, 10]], "close must be 1e-08 to 1e+15, was -2.0"),
        ([[MINUTE, 1, None, 3, 0.5, 10]], "MalformedFrame"),
        ({"rows": "what"}, "must be an array of rows"),
    ],
)
async def test_wrong_rows_are_a_failure_and_nothing_of_them_is_used(
    autojump_clock: MockClock, tmp_path: Path, rows: Any, text: str
) -> None:
    async with a_world(autojump_clock, tmp_path) as world:
        world.server.otherwise = lambda heard: Answer(body=msgspec.json.encode(rows))
        world.requests.put_nowait(older(3, 8))
        await eventually(lambda: bool(world.market))
        (answer,) = world.market
        assert isinstance(answer, CandlesFailed)
        assert text in answer.reason
        assert answer.request == older(3, 8)


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (Answer(status=429, body=error_body(11010, "ratelimit: error")), "RateLimited"),
        (Answer(status=500, body=error_body(10001, "unknown")), "10001"),
        (Answer(status=502, body=b"<html>bad gateway</html>"), "MalformedFrame"),
        (Answer(silent=True), "ReadTimeout"),
    ],
)
async def test_why_candles_could_not_be_had_is_told_to_whoever_asked(
    autojump_clock: MockClock, tmp_path: Path, answer: Answer, text: str
) -> None:
    async with a_world(autojump_clock, tmp_path) as world:
        world.server.otherwise = lambda heard: answer
        world.requests.put_nowait(older(3, 8))
        # Asked again before there is an answer: one is enough.
        world.requests.put_nowait(older(3, 8))
        await eventually(lambda: bool(world.market))
        (failed,) = world.market
        assert isinstance(failed, CandlesFailed)
        assert text in failed.reason
        assert world.actors[0].failed == 1


async def test_orders_do_not_wait_for_candles(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with a_world(autojump_clock, tmp_path) as world:
        past = world.past

        def slow_candles(heard: Heard) -> Answer:
            return Answer(silent=True) if "/candles/" in heard.target else past.answer(heard)

        world.server.otherwise = slow_candles
        for first in range(5):
            world.requests.put_nowait(
                CandleRequest(symbol=BTC, timeframe="1m", first_open_ms=first, last_open_ms=MINUTE)
            )
        world.requests.put_nowait(a_question())
        began = trio.current_time()
        await eventually(lambda: bool(world.told))
        assert trio.current_time() - began < 5


async def test_a_question_survives_the_crash_of_who_was_to_answer_it(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with a_world(autojump_clock, tmp_path) as world:
        world.server.answers.append(Answer(silent=True))
        world.requests.put_nowait(a_question())
        await trio.sleep(1)
        world.stage.kill()
        await eventually(lambda: bool(world.told))
        assert isinstance(world.told[0], HistoryReport)
        assert len(world.actors) == 2
