"""The API: readings answered, commands made and handed on, mistakes of the caller refused with a reason."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
import trio

from protocols.risk import (
    RiskStatus,
)
from protocols.trading import Protection, ProtectionStatus
from tests.web.fakes import BASE, BTC, Web, a_lot, a_risk, a_web, some_readers
from web.feed import thin
from web.models import EquityPoint
from web.tokens import Scope

V2 = "/api/v2"


async def got(web: Web, path: str, **query: Any) -> Any:
    async with web.client(Scope.READ) as client:
        answer = await client.get(V2 + path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()


async def test_readings_are_answered() -> None:
    web = a_web()
    assert (await got(web, "/status"))["mode"] == "sim"
    assert (await got(web, "/actors"))["tree"]["children"][0]["name"] == "risk"
    wallets = await got(web, "/wallets")
    assert wallets["equity"] == "10000"
    assert wallets["wallets"][0]["currency"] == "USD"
    assert (await got(web, "/positions"))["positions"][0]["quantity"] == "0.5"
    assert len((await got(web, "/market/ticker"))["tickers"]) == 2
    assert (await got(web, "/market/ticker", symbol="tETHUSD"))["tickers"][0]["last"] == 690.0
    assert len((await got(web, "/market/candles", symbol="tBTCUSD", limit=3))["candles"]) == 3
    assert (await got(web, "/signals"))["signals"][0]["recommendation"] == "buy"
    assert (await got(web, "/risk/unified/status"))["risk"]["state"] == "ACTIVE"
    assert (await got(web, "/notifications"))["notices"][0]["code"] == "start"


async def test_a_position_tells_where_its_stops_are_and_what_is_wrong_with_them() -> None:
    plain = (await got(a_web(), "/positions"))["positions"][0]
    assert (plain["type"], plain["stops"], plain["stop_fault"], plain["naked_s"]) == ("PositionView", [], "", 0.0)
    bitcoin, ether = a_lot("tBTCUSD", "mine"), a_lot("tETHUSD", "yours")
    trails = msgspec.structs.replace(bitcoin.lots[0], stop_price=None, trailing_distance=Decimal(50))
    on_margin = msgspec.structs.replace(bitcoin, margin=True, lots=(trails,))
    faults = tuple(
        Protection(symbol=BTC, margin=margin, held=Decimal(1), stopped=Decimal(0), fault=fault, naked_s=naked_s)
        for margin, fault, naked_s in ((False, "short", 1.0), (True, "missing", 3.5))
    )
    web = a_web(
        readers=some_readers(
            brackets=lambda: (ether, bitcoin, on_margin), protection=lambda: ProtectionStatus(positions=faults)
        )
    )
    told = (await got(web, "/positions"))["positions"][0]
    assert [(stop["strategy"], stop["margin"], stop["quantity"], stop["price"]) for stop in told["stops"]] == [
        ("mine", False, "1", "90"),
        ("mine", True, "1", None),
    ]
    assert told["stops"][1]["trailing_distance"] == "50"
    assert (told["stop_fault"], told["naked_s"]) == ("missing", 3.5)


async def test_lists_are_newest_first_filtered_and_paged() -> None:
    web = a_web()
    trades = await got(web, "/trades", limit=2, offset=1)
    assert trades["total"] == 5
    assert [trade["trade_id"] for trade in trades["trades"]] == [4, 3]
    assert [order["cid"] for order in (await got(web, "/orders", state="open"))["orders"]] == [4, 3, 2]
    assert [order["cid"] for order in (await got(web, "/orders", state="closed"))["orders"]] == [1]
    assert (await got(web, "/orders", symbol="tETHUSD"))["total"] == 2
    denied = await got(web, "/decisions", verdict="denied")
    assert denied["decisions"][0]["trace"][0]["numbers"]["notional"] == "6000"
    assert (await got(web, "/decisions", signal_id="s1"))["total"] == 1
    assert (await got(web, "/signals", hold="false"))["total"] == 1
    assert (await got(web, "/trades", offset=99))["trades"] == []


async def test_the_equity_line_is_thinned_with_its_ends_kept() -> None:
    points = (await got(a_web(), "/equity", limit=7))["points"]
    assert len(points) == 7
    assert points[0]["equity"] == 10_000.0
    assert points[-1]["equity"] == 10_049.0


@pytest.mark.parametrize("limit", [4, 5, 7, 100])
def test_no_fall_is_thinned_away(limit: int) -> None:
    """One minute in three days: of every n-th point none showed it, and the page told a smaller fall than there was."""
    points = [EquityPoint(at_ms=minute, equity=10_000.0) for minute in range(4321)]
    points[1234] = EquityPoint(at_ms=1234, equity=9_000.0)
    shown = thin(tuple(points), limit)
    assert len(shown) == limit
    assert [point.at_ms for point in shown] == sorted({point.at_ms for point in shown})
    assert min(point.equity for point in shown) == 9_000.0
    assert (shown[0], shown[-1]) == (points[0], points[-1])


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/market/ticker?symbol=tXYZUSD", 404),
        ("/market/candles?symbol=tXYZUSD", 404),
        ("/market/candles", 422),
        ("/market/candles?symbol=btc", 422),
        ("/trades?limit=0", 422),
        ("/trades?limit=x", 422),
        ("/trades?limit=5&limit=6", 422),
        ("/trades?colour=red", 422),
        ("/orders?state=some", 422),
        ("/nothing", 404),
    ],
)
async def test_a_wrong_query_is_told_what_is_wrong(path: str, status: int) -> None:
    async with a_web().client() as client:
        answer = await client.get(V2 + path)
        assert answer.status_code == status
        error = answer.json()["error"]
        assert set(error) == {"code", "message", "detail", "id"}
        assert len(error["id"]) == 16


async def test_what_is_not_known_yet_is_503_or_empty_and_never_zero() -> None:
    bare = a_web(readers=some_readers(account=lambda: None, risk=lambda: None, actors=lambda: None))
    async with bare.client() as client:
        for path in ("/wallets", "/positions"):
            answer = await client.get(V2 + path)
            assert answer.status_code == 503
            assert answer.headers["retry-after"] == "1"
        assert (await client.get(f"{V2}/risk/unified/status")).json() == {"known": False, "risk": None}
        assert (await client.get(f"{V2}/actors")).json()["tree"] is None
        assert (await client.get("/metrics")).status_code == 200
        assert (await client.get("/health")).status_code == 200


async def test_a_reader_that_breaks_is_a_500_with_an_id_and_no_inside(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> None:
        raise RuntimeError("a secret inside")

    async with a_web(readers=some_readers(risk=broken)).client() as client:
        answer = await client.get(f"{V2}/risk/unified/status")
        assert answer.status_code == 500
        assert "secret" not in answer.text
        assert answer.json()["error"]["id"] in caplog.text


# --- around the API ---------------------------------------------------------------------------------------------


async def test_metrics_carry_the_engines_and_the_manuals_names() -> None:
    async with a_web().client(Scope.READ) as client:
        text = (await client.get("/metrics")).text
        for line in (
            'genesis_actor_restarts_total{actor="engine/risk"} 2.0',
            'genesis_mailbox_depth{actor="engine/risk",channel="scores"} 3.0',
            "tradingbot_marketdata_ws_percent 0.0",
            "tradingbot_trading_circuit_breaker_active 0.0",
            "ws_auth_success_total 0.0",
            "genesis_account_equity 10000.0",
            'genesis_risk_denials_total{code="paused"} 2.0',
            'genesis_connection_up{connection="public"} 1.0',
            'genesis_connection_recover_seconds_bucket{connection="public",le="0.5"} 3.0',
            'genesis_connection_recover_seconds_count{connection="public"} 4.0',
            'genesis_connection_recover_seconds_sum{connection="public"} 2.5',
            'genesis_connection_detect_seconds_count{connection="public"} 1.0',
        ):
            assert line in text, line
        assert "legacy_endpoints_total" in text
        openmetrics = await client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
        assert openmetrics.text.endswith("# EOF\n")


async def test_readers_are_asked_on_the_event_loop_only() -> None:
    def only_here() -> RiskStatus:
        trio.lowlevel.current_task()
        return a_risk()

    async with a_web(readers=some_readers(risk=only_here)).client(Scope.READ) as client:
        assert (await client.get("/metrics")).status_code == 200


async def test_metrics_are_private() -> None:
    async with a_web().client(None) as client:
        assert (await client.get("/metrics")).status_code == 401


async def test_the_page_and_its_files_are_served_under_a_strict_policy() -> None:
    async with a_web().client(None) as client:
        for path, kind in (
            ("/", "text/html"),
            ("/docs", "text/html"),
            ("/static/page.css", "text/css"),
            ("/static/js/main.js", "text/javascript"),
            ("/static/vendor/uplot.js", "text/javascript"),
        ):
            answer = await client.get(path)
            assert answer.status_code == 200
            assert answer.headers["content-type"].startswith(kind)
            assert "default-src 'none'" in answer.headers["content-security-policy"]
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert "server" not in answer.headers
        page = await client.get("/")
        assert "<script>" not in page.text
        assert "onclick" not in page.text
        assert "style=" not in page.text
        again = await client.get(
            "/static/page.css", headers={"If-None-Match": (await client.get("/static/page.css")).headers["etag"]}
        )
        assert again.status_code == 304


@pytest.mark.parametrize("path", ["/static/../app.py", "/static/%2e%2e/app.py", "/static//etc/passwd", "/static/js/"])
async def test_no_path_leaves_the_static_folder(path: str) -> None:
    async with a_web().client(None) as client:
        answer = await client.get(BASE + path)
        assert answer.status_code in (404, 308)
