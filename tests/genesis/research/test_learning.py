"""Costs learned from a journal: of a whole engine's own orders, by the prices that its strategies decided at."""

from pathlib import Path

import pytest

from genesis.cli.main import call
from genesis.domain.executions import learned_model
from genesis.domain.matching import FillModel
from genesis.research.learning import executions_of
from genesis.run_options import ExitCode
from tests.house import house, lively_layer, piece_of


async def test_an_engines_own_orders_tell_what_they_paid(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house(tmp_path, recording=piece_of(minutes=140), layer=lively_layer()) as here:
        await here.replay()
        await here.all_orders_known()
        fills = here.engine.cells.orders.value.fills_total
    found = executions_of(tmp_path / "sim.sqlite")
    assert found.unknown == 0
    assert 20 <= found.orders <= fills
    assert {row.purpose for row in found.rows} == {"entry", "exit"}
    # Decided at the minute's end, filled at the next tick: seconds later.
    assert all(0 <= (row.delay_ms or 0) < 120_000 for row in found.rows)
    model = learned_model(found.rows, FillModel())
    assert model.half_spread + model.slippage >= 0
    monkeypatch.setenv("GENESIS_HOME", str(tmp_path))
    assert call(["backtest", "--recording", "2015-08-flash", "--costs", "sim"]) == ExitCode.OK
    assert f"costs of {len(found.rows)} orders of sim" in capsys.readouterr().out
    assert call(["backtest", "--recording", "2015-08-flash", "--costs", "live"]) == ExitCode.NOT_FOUND
    assert call(["backtest", "--costs", "sim", "--slippage", "0.1"]) == ExitCode.ERROR
