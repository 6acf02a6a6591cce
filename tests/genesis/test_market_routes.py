"""The routes about where market data comes from, on a real engine: pool, budget, sourced prices, shares."""

from pathlib import Path

import pytest

from tests.house import house, lively_layer, piece_of
from web.market_ports import MarketSilent


async def test_pool_budget_and_sources_of_a_running_engine(tmp_path: Path) -> None:
    async with house(tmp_path, recording=piece_of(minutes=5), layer=lively_layer()) as here:
        await here.ready()
        ports = here.engine.controls.market
        assert ports is not None
        first, *spares = ports.pool()
        assert len(spares) == 3
        spare = spares[-1]
        assert first.status == "up"
        assert "ticker tBTCUSD" in " ".join(first.streams).replace(":", " ")
        assert (spare.status, spare.streams, spare.room) == ("idle", (), 25)
        forced = await ports.fresh("tBTCUSD", None, 100, True)
        assert (forced.source, forced.ticker is not None) == ("rest", True)
        await here.replay()
        told = await ports.fresh("tETHUSD", None, 100, False)
        assert told.source == "ws"
        candles = await ports.fresh("tBTCUSD", "5m", 20, False)
        assert (candles.source, len(candles.candles)) == ("rest", 20)
        rates = await ports.fresh("fUSD", None, 100, False)
        assert (rates.source, rates.funding is not None and rates.funding.flash_return_rate > 0) == ("rest", True)
        contract = await ports.fresh("tBTCF0:USTF0", None, 100, False)
        assert (contract.contract is not None and contract.contract.mark_price > 0, contract.ticker) == (True, None)
        assert (await ports.fresh("fUSD", None, 100, False)).source == "cache"
        assert "tBTCUSD" in (await ports.symbols()).symbols
        budget = ports.budget()
        assert budget["endpoints"]["ticker"]["taken"] == 2
        assert set(budget) == {"classes", "endpoints", "breakers"}
        gauges = here.engine.readers.gauges()
        assert gauges["tradingbot_marketdata_rest_percent"] > gauges["tradingbot_marketdata_ws_percent"] > 0
        assert gauges["tradingbot_transport_circuit_breaker_active"] == 0.0
        silent: list[str] = []
        try:
            await ports.fresh("tNOPEUSD", None, 100, False)
        except MarketSilent as error:
            silent.append(str(error))
        assert "symbol: invalid" in silent[0]
        for unknown in ("fNOPE", "tNOPEF0:USTF0"):
            with pytest.raises(MarketSilent):
                await ports.fresh(unknown, None, 100, False)
