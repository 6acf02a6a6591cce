"""Regimes, the watchlist and the search of signals, on a real engine that has replayed an hour."""

from pathlib import Path

import trio

from genesis.domain.signal_search import SignalSearch
from genesis.signal_ports import PAGE, search_signals
from protocols.regime import RegimeName
from protocols.signals import Recommendation
from tests.house import House, house, lively_layer, piece_of


async def _until_regimes_know(here: House, open_ms: int) -> None:
    cell = here.engine.cells.regimes
    with trio.fail_after(60):
        while not cell.value or min(view.candle_open_ms for view in cell.value) < open_ms:
            await cell.changed(cell.version)


async def test_regimes_and_signal_history_of_a_running_engine(tmp_path: Path) -> None:
    recording = piece_of(minutes=60)
    async with house(tmp_path, recording=recording, layer=lively_layer()) as here:
        await here.replay()
        await _until_regimes_know(here, recording.last_ms)
        views = here.engine.readers.regimes()
        assert [(view.symbol, view.timeframe) for view in views] == [("tBTCUSD", "1m"), ("tETHUSD", "1m")]
        assert all(view.regime is not RegimeName.UNKNOWN for view in views), "history warms them up"
        # An actor that is killed says the same again.
        path = "helpers/regime"
        assert here.engine.supervisor.kill(path, reason="test")
        version = here.engine.cells.regimes.version
        await here.engine.cells.regimes.changed(version)
        await _until_regimes_know(here, recording.last_ms)
        assert here.engine.readers.regimes() == views

        ports = here.engine.controls.signals
        assert ports is not None
        everything = await ports.search(SignalSearch(hold=True, limit=1000))
        assert everything.complete
        # Two symbols' records of one minute may be committed in either order.
        told = [score.decided_ms for score in everything.signals if score.symbol == "tBTCUSD"]
        assert told == sorted(told, reverse=True)
        acted = await ports.search(SignalSearch(limit=1000))
        assert 0 < acted.total < everything.total == everything.searched
        assert all(score.recommendation is not Recommendation.HOLD for score in acted.signals)
        one = await ports.search(SignalSearch(strategy="btc-quick", recommendation=Recommendation.BUY, limit=1))
        assert len(one.signals) == 1 < one.total
        second = await ports.search(
            SignalSearch(strategy="btc-quick", recommendation=Recommendation.BUY, limit=1, offset=1)
        )
        assert second.signals[0].decided_ms < one.signals[0].decided_ms
        at = one.signals[0].decided_ms
        exact = await ports.search(SignalSearch(symbol="tBTCUSD", from_ms=at, to_ms=at))
        assert [score.signal_id for score in exact.signals] == [one.signals[0].signal_id]
        database = here.store.path
    assert search_signals(database, SignalSearch(hold=True)).total == everything.total
    assert everything.total < PAGE
