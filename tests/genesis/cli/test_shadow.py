"""`genesis strategies shadow` against an engine's own web, and how the comparison is told."""

from typing import Any

import pytest
import trio

from genesis.cli import shadow
from genesis.cli.main import call
from genesis.edge.user_dir import UserDir
from genesis.run_options import ExitCode
from tests.genesis.cli.test_config_releases import Capture, an_engine
from tests.genesis.cli.test_config_releases import home as home


async def strategies(*words: str) -> int:
    return await trio.to_thread.run_sync(call, ["strategies", *words])


async def test_a_strategy_is_tried_on_paper_and_promoted(home: UserDir, capsys: Capture) -> None:
    async with an_engine(home) as engine:
        assert await strategies("shadow", "btc-ema", "fast=7", "--preview") == ExitCode.OK
        told = capsys.readouterr().out
        assert told.splitlines() == ["nothing is changed yet", "fast: live 12, on paper 7"]
        words = ("--trades", "20", "--threshold", "0.03", "--cash", "5000", "--automatic", "--reason", "quicker")
        assert await strategies("shadow", "btc-ema", "fast=7", *words) == ExitCode.OK
        assert "rollout shadow-btc-ema has begun: btc-ema runs on paper" in capsys.readouterr().out
        rollout = engine.house.view.value.rollout
        assert rollout is not None
        plan = rollout.plan
        assert (plan.threshold, plan.terms.trades, plan.terms.automatic, str(plan.terms.cash)) == (
            0.03,
            20,
            True,
            "5000",
        )
        assert await strategies("shadow", "btc-ema", "fast=8") == ExitCode.CONFIGURATION
        assert "one at a time" in capsys.readouterr().err
        assert await engine.command("rollout", "promote", "--reason", "proven") == ExitCode.OK
        assert engine.house.settings.value.strategies[0].parameters == {"fast": 7.0}


@pytest.mark.parametrize(
    ("words", "told", "code"),
    [
        (("btc-ema",), "parameters must differ from the live ones", ExitCode.CONFIGURATION),
        (("btc-ema", "fast=9", "--metric", "luck"), "metric must be one of", ExitCode.CONFIGURATION),
        (("btc-ema", "fast"), "PARAMETER=NUMBER", ExitCode.CONFIGURATION),
        (("btc-ema", "fast=900", "--preview"), "fast must be a whole number from 2 to 500", ExitCode.CONFIGURATION),
        (("nobody", "fast=9"), "no strategy in the settings is called nobody", ExitCode.NOT_FOUND),
    ],
)
async def test_what_makes_no_sense_is_refused(
    home: UserDir, capsys: Capture, words: tuple[str, ...], told: str, code: ExitCode
) -> None:
    async with an_engine(home) as engine:
        assert await strategies("shadow", *words) == code
        assert told in capsys.readouterr().err
        assert engine.house.view.value.rollout is None


def test_both_sides_are_told_beside_one_another(capsys: Capture) -> None:
    side = {"decisions": 9, "refusals": 2, "trades": 4, "won": 3, "pnl": "12.5", "closed_pnl": "10", "fees": "3.25"}
    shadowed = {**side, "drawdown": "7", "open": 1}
    live = {**shadowed, "trades": 0, "won": 0, "pnl": "-1.005"}
    told: dict[str, Any] = {
        "status": {
            "rollout": {"plan": {"name": "tried", "metric": "loss", "threshold": 0.05}},
            "paper": {
                "strategies": ["btc"],
                "since_ms": 0,
                "again": "what was kept cannot be read",
                "cash": "5000",
                "shadow": shadowed,
                "live": live,
            },
            "value": -0.0025,
            "control": 0.0002,
            "samples": 4,
            "proven": "loss was -0.0025",
            "verdict": "",
            "ends_ms": 86_400_000,
        },
        "shadow": {"equity": "5012.50", "lag_ms": 90_000},
    }
    shadow.tell(told)
    text = capsys.readouterr().out
    for words in (
        "tried of btc, counted since 1970-01-01 00:00:00",
        "it had to begin anew: what was kept cannot be read",
        "75%",
        "loss -0.0025 of at most 0.05, live 0.0002; 4 samples",
        "paper account: 5012.50 of 5000.00, 90 s behind the market",
        "it may be promoted: loss was -0.0025",
        "until 1970-01-02 00:00:00 of the venue's time",
    ):
        assert words in text, text
