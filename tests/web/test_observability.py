"""Numbers, events and old paths for people: one answer for the page, one for programs, one address for both."""

import attrs
import msgspec

from genesis.edge.io_stats import IoStats
from protocols.health import EventCount
from protocols.market import BookLevels, TradePrint
from tests.web.fakes import BTC, NOW_MS, a_web, some_readers
from tests.web.test_familiar import TRADES
from web.tokens import Scope

V2 = "/api/v2"


def a_print(number: int) -> TradePrint:
    return TradePrint(
        symbol=BTC, trade_id=number, time_ms=NOW_MS + number, amount=0.1, price=6900.0, venue_ms=NOW_MS, received_ns=0
    )


async def test_the_summary_has_every_counter_and_gauge_and_the_uses_of_old_paths() -> None:
    async with a_web().client(Scope.READ) as client:
        assert (await client.get(f"{V2}/risk/status")).status_code == 200
        told = (await client.get(f"{V2}/metrics/summary")).json()
        assert told["legacy"] == {"/api/v2/risk/status": 1}
        assert told["gauges"]["genesis_up"] == 1
        assert told["gauges"]["tradingbot_marketdata_ws_percent"] == 0
        assert told["counters"]['genesis_http_requests_total{route="get_risk_status",status="200"}'] == 1
        some = (await client.get(f"{V2}/metrics/summary?prefix=ws_auth")).json()
        assert set(some["counters"]) == {
            f"ws_auth_{name}_total" for name in ("request", "success", "error", "maintenance", "timeout")
        }
        assert some["gauges"] == {}


async def test_the_dashboard_is_one_answer() -> None:
    async with a_web().client(Scope.READ) as client:
        await client.get(f"{V2}/status")
        told = (await client.get(f"{V2}/observability/dashboard")).json()
        assert told["http"]["count"] == 1
        assert told["http"]["p99_s"] == 0.001
        assert [row["path"] for row in told["actors"]] == ["engine/risk", "engine/order"]
        assert told["actors"][0]["waiting"] == 4
        assert told["events"][0]["code"] == "start"
        assert told["events_by_level"] == {"info": 1}
        assert told["system"]["processors"] >= 1
        assert not [name for name in told["counters"] if name.startswith("genesis_mailbox")]


async def test_its_own_address_gives_programs_the_numbers_and_browsers_the_page() -> None:
    web = a_web()
    async with web.client(Scope.READ) as client:
        assert (await client.get("/observability/dashboard")).json()["mode"] == "sim"
    async with web.client(None) as client:
        page = await client.get("/observability/dashboard", headers={"Accept": "text/html,*/*;q=0.8"})
        assert page.status_code == 200
        assert "<!doctype html>" in page.text
        assert (await client.get("/observability/dashboard")).status_code == 401


async def test_what_goes_away_is_listed_with_its_successor() -> None:
    async with a_web().client(Scope.READ) as client:
        told = (await client.get(f"{V2}/deprecations")).json()["deprecations"]
        paths = {row["path"]: row for row in told}
        assert paths["/api/v2/risk/pause"]["successor"] == "/api/v2/risk/unified/pause"
        assert all(row["sunset"].endswith("GMT") and row["uses"] == 0 for row in told)


async def test_the_book_is_told_by_levels_and_said_to_be_unknown_without_one() -> None:
    levels = BookLevels(
        symbol=BTC, bids=((6899.0, 1.5, 2), (6898.0, 1.0, 1)), asks=((6901.0, 1.0, 1),), venue_ms=NOW_MS, received_ns=0
    )
    asked: list[tuple[str, int]] = []

    def depth(symbol: str, limit: int) -> BookLevels | None:
        asked.append((symbol, limit))
        return levels if symbol == BTC else None

    async with a_web(readers=some_readers(depth=depth)).client(Scope.READ) as client:
        told = (await client.get(f"{V2}/market/book?symbol=tBTCUSD&limit=5")).json()
        assert told["known"]
        assert told["bids"][0] == [6899.0, 1.5, 2]
        assert asked == [(BTC, 5)]
        assert (await client.get(f"{V2}/market/book?symbol=tETHUSD")).json()["known"] is False
        assert (await client.get(f"{V2}/market/book?symbol=tXYZUSD")).status_code == 404
        assert (await client.get(f"{V2}/market/book?symbol=tBTCUSD&limit=0")).status_code == 422


async def test_public_trades_come_newest_first() -> None:
    rows = tuple(a_print(number) for number in range(5))
    async with a_web(readers=some_readers(prints=lambda symbol: rows)).client(Scope.READ) as client:
        told = (await client.get(f"{V2}/market/trades?symbol=tBTCUSD&limit=2")).json()
        assert [row["trade_id"] for row in told["trades"]] == [4, 3]


async def test_finished_positions_are_paged() -> None:
    async with a_web(readers=some_readers(closed_trades=lambda: TRADES)).client(Scope.READ) as client:
        first = (await client.get(f"{V2}/positions/history?limit=2")).json()
        assert first["total"] == 3
        assert [row["pnl"] for row in first["trades"]] == ["10", "50"]
        rest = (await client.get(f"{V2}/positions/history?limit=2&offset=2")).json()
        assert [row["pnl"] for row in rest["trades"]] == ["-20"]
        ethers = (await client.get(f"{V2}/positions/history?symbol=tETHUSD")).json()
        assert ethers["total"] == 1


async def test_the_world_outside_and_events_by_category_are_numbers_and_a_part_of_the_dashboard() -> None:
    stats = IoStats()
    stats.answered(0.003, sent=10, received=20)
    stats.answered(0.3)
    stats.failed(sent=5)
    view = msgspec.structs.replace(stats.view("rest_public_market", "rest"), tokens=3.5, utilization=0.25)
    counts = (EventCount(category="ticker", heard=100, told=1, rate=0.01),)
    readers = attrs.evolve(some_readers(), io=lambda: (view,), event_counts=lambda: counts)
    async with a_web(readers=readers).client(Scope.READ) as client:
        text = (await client.get("/metrics")).text
        told = (await client.get(f"{V2}/observability/dashboard")).json()
    for line in (
        'genesis_io_requests_total{client="rest_public_market"} 3.0',
        'genesis_io_failures_total{client="rest_public_market"} 1.0',
        'genesis_io_bytes_out_total{client="rest_public_market"} 15.0',
        'genesis_io_seconds_bucket{client="rest_public_market",le="0.005"} 1.0',
        'genesis_io_seconds_bucket{client="rest_public_market",le="+Inf"} 2.0',
        'genesis_rest_utilization_ratio{client="rest_public_market"} 0.25',
        'genesis_events_total{category="ticker"} 100.0',
        'genesis_events_told_total{category="ticker"} 1.0',
        'genesis_events_sampled_out_total{category="ticker"} 99.0',
    ):
        assert line in text, line
    (client_row,) = told["io"]
    assert (client_row["answers"], client_row["p50_s"], client_row["p99_s"]) == (2, 0.003, 0.3)
    assert told["event_counts"][0]["rate"] == 0.01
