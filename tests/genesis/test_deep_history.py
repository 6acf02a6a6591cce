"""Strategies that need more of the past than a subscription tells: it is fetched, and they decide as in a backtest."""

import math
import random
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import trio

from genesis import pacer
from genesis.core.clock import TrioClock
from genesis.domain import history_desk
from genesis.domain.decision_log import digest
from genesis.domain.settings_build import Layer
from genesis.edge.store import ReadOnlyStore
from genesis.research.backtest import run_backtest
from genesis.research.replay import REPLAYED_KINDS, replay
from genesis.simulator.exchange import Exchange
from genesis.simulator.link import HttpRequest, HttpResponse
from genesis.simulator.settings import ExchangeSettings
from protocols.config import SetSettings
from protocols.journal import ReadRecords
from protocols.signals import StrategyView
from protocols.units import Symbol
from tests.house import House, check_books, decision_lines, house, lively_layer, piece_of, settings_of

LONG = {"fast": 5, "slow": 300}
"""Three hundred minutes before it can say anything: it begins with a thousand."""


def deep_layer(**more: object) -> Layer:
    """Two that need much of the past and two that need little, on two markets."""
    strategies = [
        {"name": "btc-long", "symbol": "tBTCUSD", "timeframe": "1m", "parameters": LONG},
        {"name": "btc-quick", "symbol": "tBTCUSD", "timeframe": "1m", "parameters": {"fast": 3, "slow": 6}},
        {"name": "eth-long", "symbol": "tETHUSD", "timeframe": "1m", "parameters": LONG},
        {"name": "eth-five", "symbol": "tETHUSD", "timeframe": "1m", "parameters": {"fast": 3, "slow": 6}},
    ]
    named: list[object] = [{"kind": "ema_cross", **one} for one in strategies]
    return Layer(name="test", values={**lively_layer().values, "strategies": named, **more})


def view_of(here: House, name: str) -> StrategyView:
    return next(view for view in here.engine.readers.strategies() if view.strategy == name)


def seen(here: House, name: str) -> int:
    return next((view.seen for view in here.engine.readers.strategies() if view.strategy == name), 0)


async def until(question: Callable[[], bool]) -> None:
    while not question():  # noqa: ASYNC110 - a look at cells of several actors
        await trio.sleep(0.01)


def replayed(directory: Path) -> tuple[bool, int]:
    with ReadOnlyStore.open(directory / "sim.sqlite") as store:
        report = replay(store.read_records(ReadRecords(kinds=REPLAYED_KINDS, limit=1_000_000)).records)
    assert report.equal, str(report)
    return report.equal, report.candles


async def test_they_decide_byte_for_byte_what_the_backtest_decides(tmp_path: Path) -> None:
    recording, layer = piece_of(minutes=90, skip=600), deep_layer()
    async with house(tmp_path, recording=recording, layer=layer) as here:
        await here.replay()
        await here.all_orders_known()
        check_books(here)
        lines = decision_lines(here.store.store)
        assert not view_of(here, "btc-long").waits
        assert view_of(here, "btc-long").seen >= 1_000
        said = here.engine.cells.strategies.value
    result = run_backtest(recording, settings_of(layer))
    assert result.orders > 20
    assert digest(lines) == result.digest
    assert {view.strategy for view in said if view.scores > 300} >= {"btc-long", "eth-long"}
    replayed(tmp_path)


class Clerk:
    """Who answers REST: counts the questions for older candles, and fails as many of them as it is told to."""

    def __init__(self, here: House, *, failures: float = 0, status: int = 503) -> None:
        self.asked, self.failures, self.status = 0, failures, status
        here.exchange.rest.before = self.before

    def before(self, request: HttpRequest) -> HttpResponse | None:
        if "/candles/" not in request.target or "start=" in request.target:
            return None
        self.asked += 1
        if self.asked > self.failures:
            return None
        return HttpResponse(status=self.status, body=b"<html>", content_type="text/html")


async def test_while_the_history_fails_the_others_trade_and_the_reason_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_desk, "ASK_AGAIN_S", 0.02)
    monkeypatch.setattr(pacer, "HISTORIES_S", 0.0)
    recording, layer = piece_of(minutes=60, skip=600), deep_layer()
    async with house(tmp_path, recording=recording, layer=layer) as here:
        clerk = Clerk(here, failures=math.inf)
        await here.ready()
        await until(lambda: any(wait.trouble for wait in here.engine.cells.history_waits.value))
        await here.replay()
        await here.all_orders_known()
        waiting, trading = view_of(here, "btc-long"), view_of(here, "btc-quick")
        assert (waiting.waits, waiting.seen, waiting.scores, waiting.fault) == (True, 0, 0, "")
        assert waiting.history is not None
        assert (waiting.history.wanted, waiting.history.have >= 240) == (1_000, True)
        assert waiting.history.tries >= 1
        assert "503" in waiting.history.trouble or "html" in waiting.history.trouble
        assert (trading.waits, trading.history, trading.scores > 240) == (False, None, True)
        codes = [notice.code for notice in here.engine.readers.notices()]
        assert "history_waits" in codes
        quick = [line for line in decision_lines(here.store.store) if b"-long" not in line]
        assert quick == decision_lines(here.store.store)
        check_books(here)
        # As soon as the venue answers it is told, and speaks from then on.
        clerk.failures = 0
        with trio.fail_after(60):
            await until(lambda: seen(here, "btc-long") >= 1_000)
        assert not view_of(here, "btc-long").waits
        assert view_of(here, "btc-long").history is None
        assert "history_there" in [notice.code for notice in here.engine.readers.notices()]
    shallow = settings_of(layer)
    few = tuple(one for one in shallow.strategies if not one.name.endswith("-long"))
    result = run_backtest(recording, msgspec.structs.replace(shallow, strategies=few))
    assert digest(quick) == result.digest
    replayed(tmp_path)


@pytest.mark.parametrize("seed", range(4))
async def test_refusals_and_kills_on_the_way_change_no_decision(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_desk, "ASK_AGAIN_S", 0.02)
    chance = random.Random(f"deep-{seed}")
    recording, layer = piece_of(minutes=40, skip=500 + 100 * seed), deep_layer()
    async with house(tmp_path, recording=recording, layer=layer, seed=seed) as here:
        clerk = Clerk(here, failures=chance.randrange(4), status=chance.choice((500, 502, 503)))

        async def assassin() -> None:
            for _ in range(6):
                await trio.sleep(chance.random() * 0.05)
                path = chance.choice(("trading/signal", "trading/market_cache", "venue/history", "journal"))
                here.engine.supervisor.kill(path, reason=f"seed {seed}")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(assassin)
            await here.ready()
        await here.replay()
        await here.all_orders_known()
        assert clerk.asked > clerk.failures
        lines = decision_lines(here.store.store)
    result = run_backtest(recording, settings_of(layer))
    assert sorted(lines) == sorted(result.lines)
    replayed(tmp_path)


async def test_a_restart_asks_for_nothing_again(tmp_path: Path) -> None:
    recording, layer = piece_of(minutes=40, skip=600), deep_layer()
    async with house(tmp_path, recording=recording, layer=layer) as first:
        clerk = Clerk(first)
        await first.ready()
        assert clerk.asked == 2
        # They are in the journal before the first candle that they may trade on.
        await first.pacer.settled()
        exchange = first.exchange
        exchange.rest.before = None
    async with trio.open_nursery() as nursery:
        exchange = Exchange(ExchangeSettings(), recording, TrioClock(), random.Random(0))
        await nursery.start(exchange.serve)
        async with house(tmp_path, recording=recording, layer=layer, exchange=exchange) as second:
            clerk = Clerk(second)
            await second.ready()
            assert not view_of(second, "btc-long").waits
            assert clerk.asked == 0
            await second.replay()
            await second.all_orders_known()
            lines = decision_lines(second.store.store)
        nursery.cancel_scope.cancel()
    result = run_backtest(recording, settings_of(layer))
    assert digest(lines) == result.digest
    replayed(tmp_path)


async def test_a_market_with_less_of_a_past_tells_all_of_it(tmp_path: Path) -> None:
    whole = piece_of(minutes=40, skip=600)
    history = {symbol: rows[-180:] for symbol, rows in whole.history.items()}
    recording, layer = msgspec.structs.replace(whole, history=history), deep_layer()
    async with house(tmp_path, recording=recording, layer=layer) as here:
        await here.replay()
        await here.all_orders_known()
        view = view_of(here, "btc-long")
        assert (view.waits, view.needs, view.seen) == (False, 300, 220)
        lines = decision_lines(here.store.store)
    assert digest(lines) == run_backtest(recording, settings_of(layer)).digest
    replayed(tmp_path)


async def test_one_that_is_switched_on_later_is_told_its_history_and_speaks_from_the_next_candle(
    tmp_path: Path,
) -> None:
    recording, layer = piece_of(minutes=30, skip=600), deep_layer(strategies=[])
    async with house(tmp_path, recording=recording, layer=layer) as here:
        await here.ready()
        one = {"name": "late", "kind": "ema_cross", "symbol": "tBTCUSD", "timeframe": "1m", "parameters": LONG}
        wish = SetSettings(changes={"strategies": [one]}, actor="me", reason="more", correlation_id="more")
        await here.engine.set_settings(wish)
        with trio.fail_after(60):
            await until(lambda: seen(here, "late") > 0)
        view = view_of(here, "late")
        assert (view.seen, view.waits, view.scores) == (1_000, False, 240)
        await here.exchange.replay(math.inf, here.pacer)
        assert view_of(here, "late").seen == 1_031
        lines = decision_lines(here.store.store)
    result = run_backtest(recording, settings_of(deep_layer(strategies=[one])))
    assert [line for line in lines if b"SignalScore" in line] == [x for x in result.lines if b"SignalScore" in x]
    replayed(tmp_path)


async def test_a_gap_longer_than_a_snapshot_is_filled_for_who_was_there_before_it(tmp_path: Path) -> None:
    """Though a newcomer of the same market hears everything anew."""
    early, late = piece_of(minutes=20, skip=100), piece_of(minutes=20, skip=900)
    old = {"name": "old", "kind": "ema_cross", "symbol": "tBTCUSD", "timeframe": "1m", "parameters": {"slow": 50}}
    async with house(tmp_path, recording=early, layer=deep_layer(strategies=[old])) as here:
        await here.replay()
        await here.all_orders_known()
        before = seen(here, "old")
        last_ms = view_of(here, "old").last_open_ms
    both = deep_layer(strategies=[old, {**old, "name": "new", "parameters": {"slow": 60}}])
    async with house(tmp_path, recording=late, layer=both) as here:
        await here.ready()
        await here.pacer.settled()
        newest = view_of(here, "old").last_open_ms
        between = [row for row in late.history[Symbol("tBTCUSD")] if last_ms < row.open_ms <= newest]
        assert len(between) > 500
        assert seen(here, "old") == before + len(between)
        # The answer goes back to the gap's first candle, so the newcomer has more than a snapshot, too.
        assert seen(here, "new") >= 240
        assert here.engine.cells.market.value.series["tBTCUSD:1m"].holes == 0
        await here.replay()
        await here.all_orders_known()
    replayed(tmp_path)
