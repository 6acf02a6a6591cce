"""freqtrade's names: its clients' first questions are answered in the shapes they know."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from genesis.domain.profit_report import totals_of
from protocols.account import ClosedTrade, Performance
from protocols.orders import Flatten
from protocols.risk import Lock, LockSource, RiskStatus, SetPaused
from protocols.units import Side
from tests.web.fakes import BTC, ETH, NOW_MS, a_risk, a_web, some_readers
from web.sysinfo import SystemWatch
from web.tokens import Scope

V2 = "/api/v2"
DAY_MS = 86_400_000


def a_trade(pnl: str, *, days_ago: int = 0, symbol: Any = BTC) -> ClosedTrade:
    return ClosedTrade(
        symbol=symbol,
        strategy="btc-ema",
        side=Side.BUY,
        quantity=Decimal("0.5"),
        entry_price=Decimal("6000"),
        exit_price=Decimal("6100"),
        entry_ms=NOW_MS - days_ago * DAY_MS - 60_000,
        exit_ms=NOW_MS - days_ago * DAY_MS,
        pnl=Decimal(pnl),
        fees_quote=Decimal("1"),
        correlation_id="c",
    )


TRADES = (a_trade("-20", days_ago=1), a_trade("50"), a_trade("10", symbol=ETH))
FIGURES = Performance(
    start_equity=Decimal("9960"),
    final_equity=Decimal("10000"),
    total_return=0.004,
    max_drawdown=0.02,
    sharpe=None,
    sharpe_period_ms=3_600_000,
    trades=3,
    winrate=2 / 3,
    profit_factor=3.0,
    fees_quote=Decimal("3"),
    realized_pnl=Decimal("40"),
)


def a_locked_risk() -> RiskStatus:
    lock = Lock(
        lock_id="l1",
        symbol="tBTCUSD",
        strategy=None,
        source=LockSource.MANUAL,
        reason="news",
        actor="me",
        created_ms=NOW_MS,
        until_ms=None,
    )
    fields = {field: getattr(a_risk(), field) for field in RiskStatus.__struct_fields__}
    return RiskStatus(**{**fields, "locks": (lock,)})


def a_trading_web() -> Any:
    return a_web(readers=some_readers(closed=lambda: totals_of(TRADES), figures=lambda: FIGURES, risk=a_locked_risk))


async def got(path: str) -> Any:
    async with a_trading_web().client(Scope.READ) as client:
        answer = await client.get(V2 + path)
        assert answer.status_code == 200, answer.text
        return answer.json()


async def test_anybody_may_ping_and_only_a_token_asks_more() -> None:
    async with a_trading_web().client(None) as client:
        assert (await client.get(f"{V2}/ping")).json() == {"status": "pong"}
        for name in ("version", "count", "balance", "profit", "stats", "daily", "locks", "show_config", "sysinfo"):
            assert (await client.get(f"{V2}/{name}")).status_code == 401, name


async def test_version_and_count() -> None:
    assert await got("/version") == {"version": "0.1.0"}
    assert await got("/count") == {"current": 1, "max": 10, "total_stake": 3444.5}


async def test_balance_names_what_each_currency_is_worth() -> None:
    told = await got("/balance")
    assert told["total"] == 10_000
    assert told["stake"] == "USD"
    assert told["starting_capital"] == 9960
    (dollars,) = told["currencies"]
    assert (dollars["currency"], dollars["est_stake"], dollars["used"]) == ("USD", 6550, 0)
    assert told["note"] == "Simulated balances"


async def test_profit_counts_finished_and_open() -> None:
    told = await got("/profit")
    assert told["profit_closed_coin"] == 40
    assert told["profit_all_coin"] == 40
    assert (told["closed_trade_count"], told["trade_count"]) == (3, 4)
    assert (told["winning_trades"], told["losing_trades"], told["profit_factor"]) == (2, 1, 3)
    # A loss was 20 on average, and a trade brought 40 / 3: what is risked comes back two thirds more.
    assert told["expectancy_ratio"] == pytest.approx(40 / 3 / 20)
    assert told["best_pair"] == "tBTCUSD"
    assert told["max_drawdown"] == 0.02
    assert [row["pair"] for row in told["by_symbol"]] == ["tBTCUSD", "tETHUSD"]
    assert told["figures"]["winrate"] == 2 / 3


async def test_days_weeks_and_months() -> None:
    days = await got("/daily?timescale=3")
    assert [row["abs_profit"] for row in days["data"]] == [60, -20, 0]
    assert [row["trade_count"] for row in days["data"]] == [2, 1, 0]
    assert days["data"][1]["starting_balance"] == 9960
    assert len((await got("/weekly"))["data"]) == 7
    assert len((await got("/monthly?timescale=2"))["data"]) == 2
    async with a_trading_web().client() as client:
        assert (await client.get(f"{V2}/daily?timescale=0")).status_code == 422


async def test_stats_say_how_trades_ended() -> None:
    told = await got("/stats")
    assert told["exit_reasons"] == {"unknown": {"wins": 2, "losses": 1, "draws": 0}}
    assert told["durations"] == {"wins": 60, "losses": 60, "draws": None}


async def test_locks_are_listed() -> None:
    told = await got("/locks")
    assert told["lock_count"] == 1
    assert told["locks"][0]["pair"] == "tBTCUSD"


async def test_show_config_says_what_runs_and_answers_304_to_who_knows_it() -> None:
    async with a_trading_web().client(Scope.READ) as client:
        first = await client.get(f"{V2}/show_config")
        told = first.json()
        assert told["dry_run"] is True
        assert told["strategy"] == "btc-ema"
        assert told["timeframe_ms"] == 300_000
        again = await client.get(f"{V2}/show_config", headers={"If-None-Match": f'"other", {first.headers["etag"]}'})
        assert (again.status_code, again.content) == (304, b"")
        changed = await client.get(f"{V2}/show_config", headers={"If-None-Match": '"other"'})
        assert changed.json() == told


async def test_sysinfo_tells_of_the_machine() -> None:
    told = await got("/sysinfo")
    assert len(told["cpu_pct"]) == told["processors"] >= 1
    assert 0 < told["ram_pct"] < 100
    assert told["process_ram_mb"] > 1
    assert told["open_files"] > 0


def test_a_machine_without_proc_is_answered_for_all_the_same(tmp_path: Path) -> None:
    told = SystemWatch(proc=tmp_path).look()
    assert told.cpu_pct == ()
    assert told.ram_pct == 0
    assert told.process_ram_mb > 0


async def test_stopentry_pauses_and_forceexit_closes() -> None:
    web = a_trading_web()
    async with web.client(Scope.TRADE) as client:
        assert (await client.post(f"{V2}/stopentry")).status_code == 200
        assert (await client.post(f"{V2}/forceexit", json={"tradeid": "tBTCUSD"})).status_code == 200
        assert (await client.post(f"{V2}/forceexit", json={"tradeid": "all"})).status_code == 200
        assert (await client.post(f"{V2}/forceexit", json={"symbol": "tETHUSD"})).status_code == 404
        assert (await client.post(f"{V2}/forceexit", json={})).status_code == 422
        both = {"symbol": "tBTCUSD", "tradeid": "all"}
        assert (await client.post(f"{V2}/forceexit", json=both)).status_code == 422
    paused, one, everything = web.told.messages
    assert isinstance(paused, SetPaused)
    assert paused.paused
    assert isinstance(one, Flatten)
    assert one.symbol == "tBTCUSD"
    assert isinstance(everything, Flatten)
    assert everything.symbol is None
    async with a_trading_web().client(Scope.READ) as client:
        assert (await client.post(f"{V2}/stopentry")).status_code == 403


async def test_logs_are_found_by_level_and_text_and_in_both_shapes() -> None:
    said = (
        '{"event": "fill", "symbol": "tBTCUSD", "level": "info", "logger": "genesis.diary", '
        '"timestamp": "2026-11-26T23:15:22.025484Z"}',
        '{"event": "connection", "status": "down", "level": "warning", "logger": "genesis.diary", '
        '"timestamp": "2026-11-26T23:15:23.025484Z"}',
    )
    async with a_web(readers=some_readers(log_lines=lambda: said)).client(Scope.READ) as client:
        told = (await client.get(f"{V2}/logs")).json()
        assert told["log_count"] == 2
        at, at_ms, *rest = told["logs"][0]
        assert (at, rest) == ("2026-11-26 23:15:23.025", ["genesis.diary", "WARNING", "connection status=down"])
        assert at_ms == 1_795_734_923_025
        assert [line["event"] for line in told["lines"]] == ["connection", "fill"]
        assert (await client.get(f"{V2}/logs?level=warning")).json()["log_count"] == 1
        assert (await client.get(f"{V2}/logs?text=TBTC")).json()["lines"][0]["values"] == {"symbol": "tBTCUSD"}
        assert (await client.get(f"{V2}/logs?level=loud")).status_code == 422
