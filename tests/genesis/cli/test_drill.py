"""The drill: it reports what a restart changed, and a restart of the real program changes nothing."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest

from genesis.cli.drill import Books, compare
from genesis.cli.main import call
from genesis.edge.user_dir import UserDir
from genesis.run_options import ExitCode


def an_order(cid: int, state: str = "ACKED", **changes: Any) -> dict[str, Any]:
    return {"cid": cid, "venue_id": 1000 + cid, "state": state, "foreign": False, "reason": "", **changes}


def a_trade(trade_id: int, quantity: str = "1", side: str = "buy") -> dict[str, Any]:
    return {
        "trade_id": trade_id,
        "venue_order_id": 1001,
        "symbol": "tBTCUSD",
        "side": side,
        "quantity": quantity,
        "fee": "-0.002" if side == "buy" else "-1",
        "fee_currency": "BTC" if side == "buy" else "USD",
        "time_ms": trade_id,
        "foreign": False,
        "margin": False,
    }


BEFORE = Books(
    orders=(an_order(1, "FILLED"), an_order(2)),
    trades=(a_trade(10),),
    trades_total=1,
    positions={"tBTCUSD": Decimal("0.998")},
    trading="HALTED",
    naked=0,
    worst_naked_s=0.0,
)


def faults(after: Books) -> dict[str, tuple[str, ...]]:
    return {check.name: check.faults for check in compare(BEFORE, after) if check.faults}


def test_the_same_books_are_well() -> None:
    assert faults(BEFORE) == {}


def test_trading_that_went_on_is_no_fault() -> None:
    after = attrs.evolve(
        BEFORE,
        orders=(an_order(1, "FILLED"), an_order(2, "CANCELED"), an_order(3, "FILLED")),
        trades=(a_trade(10), a_trade(11, "0.5", "sell")),
        trades_total=2,
        positions={"tBTCUSD": Decimal("0.498")},
    )
    assert faults(after) == {}


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"orders": (an_order(1, "FILLED"),)}, "no order is lost"),
        ({"orders": (an_order(1, "FILLED"), an_order(2, intent_id="another"))}, "no order is lost"),
        ({"orders": (*BEFORE.orders, an_order(2))}, "no order is doubled"),
        ({"orders": (*BEFORE.orders, an_order(3, venue_id=1002))}, "no order is doubled"),
        ({"orders": (an_order(1), an_order(2))}, "no order comes back from its end"),
        ({"orders": (an_order(1, "FILLED"), an_order(2, "UNKNOWN"))}, "no order is in doubt"),
        ({"trades": (a_trade(9),)}, "no trade is forgotten"),
        ({"trades": (a_trade(10), a_trade(10))}, "no trade is booked twice"),
        ({"positions": {"tBTCUSD": Decimal("1.996")}}, "positions are the trades"),
        ({"trading": "ACTIVE"}, "halts are kept"),
        ({"naked": 1}, "every position has its stop"),
    ],
)
def test_each_thing_that_must_hold_is_looked_at(change: dict[str, Any], name: str) -> None:
    assert name in faults(attrs.evolve(BEFORE, **change))


@pytest.mark.parametrize(
    "arguments",
    [("--mode", "live"), ("--times", "0"), ("--after", "-1"), ("--after", "nan"), ("--speed", "fast")],
)
def test_what_cannot_be_drilled_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    code = call(["drill", "restart", *arguments, "--data-dir", str(tmp_path / "home")])
    assert code != ExitCode.OK
    assert capsys.readouterr().err.startswith("genesis: ")


def test_an_engine_that_runs_on_the_directory_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = UserDir(tmp_path / "home")
    home.create()
    held = home.hold()
    try:
        assert call(["drill", "restart", "--after", "0", "--data-dir", str(home.root)]) == ExitCode.ERROR
    finally:
        held.release()
    assert "the engine did not become ready" in capsys.readouterr().err


@pytest.mark.timeout(200)
def test_a_death_of_the_real_program_changes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("--after", "3", "--speed", "1800", "--recording", "2015-08-flash", "--json")
    assert call(["drill", "restart", *arguments, "--data-dir", str(tmp_path / "home")]) == ExitCode.OK
    report = json.loads(capsys.readouterr().out)
    (death,) = report["deaths"]
    assert report["broken"] == 0
    assert death["up_again_s"] > 0
    assert all(check["faults"] == [] for check in death["checks"])
