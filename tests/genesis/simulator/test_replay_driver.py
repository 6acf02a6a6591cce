"""The replay: one order of things at every speed, and a venue that comes back as it was."""

import json
import random
import shutil
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from genesis.core.clock import TrioClock
from genesis.domain.matching import FillModel
from genesis.simulator.exchange import Exchange
from genesis.simulator.recordings import load, shipped_names
from genesis.simulator.replay_driver import MAX_SPEED, Replayer
from genesis.simulator.settings import demo_settings
from genesis.simulator.state_file import StateError
from protocols.bitfinex.inputs import EndOrders, NewOrder
from protocols.units import Symbol


class Trader:
    """Stands where the engine would: decides at the pacer's call, from the venue's side of the wire."""

    def __init__(self, exchange: Exchange, *, stop_after: int | None = None) -> None:
        self.exchange = exchange
        self.calls = 0
        self.stop_after = stop_after
        self.chance = random.Random(5)
        self.scope = trio.CancelScope()

    def minds_trades(self) -> bool:
        return False

    async def settled(self) -> None:
        await trio.lowlevel.checkpoint()
        self.calls += 1
        if self.calls == self.stop_after:
            self.scope.cancel()
            await trio.lowlevel.checkpoint()
        # Decided by venue time alone, so that a trader who begins anew decides the same.
        self.decide(self.exchange.time_ms // 60_000)

    def decide(self, minute: int) -> None:
        cid = minute % 10**9
        if any(order.cid == cid for order in self.exchange.snapshot().closed_orders):
            return
        if any(order.cid == cid for order in self.exchange.snapshot().open_orders.values()):
            return
        chance = random.Random(minute)
        key = self.exchange.accounts.keys["genesis-sim-key"]
        if chance.random() < 0.1:
            self.exchange.accounts.apply(self.exchange.accounts.perform(key, EndOrders(everything=True)))
        last = self.exchange.venue.last_price(Symbol("tBTCUSD"))
        kind = chance.choice(("EXCHANGE MARKET", "EXCHANGE LIMIT"))
        price = None if last is None else last * (100 + chance.choice((-1, 1))) / 100
        if price is not None:
            order = NewOrder(
                cid=cid,
                group_id=None,
                symbol="tBTCUSD",
                wire_type=kind,
                amount=chance.choice((1, -1)) * price / 100_000,
                price=price,
            )
            self.exchange.accounts.apply(self.exchange.accounts.perform(key, order))


def an_exchange(recording: Any, **changes: Any) -> Exchange:
    return Exchange(attrs.evolve(demo_settings(), **changes), recording, TrioClock(), random.Random(3))


def outcome(exchange: Exchange) -> Any:
    found = exchange.snapshot()
    return (found.wallets, found.closed_orders, found.trades, sorted(found.open_orders))


async def told(recording: Any, speed: float, **changes: Any) -> Exchange:
    exchange = an_exchange(recording, **changes)
    trader = Trader(exchange)
    await exchange.replay(speed, trader, wait_for_clients=False)
    return exchange


@pytest.fixture
def flash() -> Any:
    return load("2015-08-flash")


async def test_every_shipped_recording_is_told_to_its_end() -> None:
    assert "2018-02-crash" in shipped_names()
    for name in ("2015-08-flash", "2016-08-halt"):
        exchange = an_exchange(load(name))
        await exchange.replay(MAX_SPEED, wait_for_clients=False)
        assert exchange.ended.is_set()


async def test_a_pacer_makes_every_speed_the_same(flash: Any) -> None:
    fast = await told(flash, MAX_SPEED)
    paced = await told(flash, 1e6)
    assert outcome(paced) == outcome(fast)
    assert len(fast.snapshot().trades) > 50


async def test_a_replay_takes_as_long_as_its_speed_says(open_world: Any, autojump_clock: Any) -> None:
    """On a virtual clock: twenty minutes at sixty seconds a second are twenty seconds and the last boundary."""
    from genesis.domain.recording import CandleRecording

    async with open_world(minutes=2) as world:
        recording = world.exchange.recording
        assert isinstance(recording, CandleRecording)
        exchange = an_exchange(recording)
    began = trio.current_time()
    await exchange.replay(60.0, wait_for_clients=False)
    assert trio.current_time() - began == pytest.approx(120 / 60)


async def test_pause_speed_and_seek(flash: Any, autojump_clock: Any) -> None:
    exchange = an_exchange(flash)
    replayer = Replayer(exchange, speed=60.0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(replayer.run)
        await trio.sleep(10)
        replayer.pause()
        await trio.sleep(1)
        at = exchange.time_ms
        assert (replayer.paused, at - flash.first_ms) == (True, 601_000)
        await trio.sleep(1000)
        assert exchange.time_ms == at
        replayer.seek(flash.first_ms + 3_600_000)
        await trio.sleep(0.01)
        assert exchange.time_ms - flash.first_ms >= 3_600_000
        replayer.set_speed(MAX_SPEED)
        await exchange.ended.wait()
    with pytest.raises(ValueError, match="speed must be above zero"):
        replayer.set_speed(0)


@pytest.mark.parametrize("cut", [3, 40, 41, 200, 333, 500])
async def test_a_venue_killed_midway_goes_on_as_if_nothing_had_happened(flash: Any, tmp_path: Path, cut: int) -> None:
    """The process dies between two moments; what it had told its customers is in the state file."""
    whole = await told(flash, MAX_SPEED, state=tmp_path / "whole.json")
    exchange = an_exchange(flash, state=tmp_path / "cut.json")
    trader = Trader(exchange, stop_after=cut)
    with trader.scope:
        await exchange.replay(MAX_SPEED, trader, wait_for_clients=False)
    assert not exchange.ended.is_set()
    again = an_exchange(flash, state=tmp_path / "cut.json")
    # At worst it tells the last minute once more: its ticks changed nobody's order, or they would be saved.
    assert exchange.step - 5 <= again.resume_after <= exchange.step
    await again.replay(MAX_SPEED, Trader(again), wait_for_clients=False)
    assert outcome(again) == outcome(whole)
    assert again.market.candles_equal(whole.market)


async def test_a_torn_history_is_cut_to_what_the_state_counts(flash: Any, tmp_path: Path) -> None:
    path = tmp_path / "venue.json"
    before = await told(flash, MAX_SPEED, state=path)
    history = tmp_path / "venue.json.history"
    history.write_bytes(history.read_bytes() + b'{"account":"sim","ord')
    again = an_exchange(flash, state=path)
    assert outcome(again) == outcome(before)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda folder: (folder / "venue.json").write_text("{"), "must be a venue's state"),
        (lambda folder: (folder / "venue.json").write_text("{}"), "must be a venue's state"),
        (lambda folder: (folder / "venue.json.history").write_bytes(b""), "must have at least"),
        (
            lambda folder: (folder / "venue.json").write_text(
                json.dumps(json.loads((folder / "venue.json").read_text()) | {"recording": "other"})
            ),
            "must belong to recording '2015-08-flash', was of 'other'",
        ),
    ],
)
async def test_a_damaged_state_is_refused(flash: Any, tmp_path: Path, damage: Any, reason: str) -> None:
    await told(flash, MAX_SPEED, state=tmp_path / "venue.json")
    damage(tmp_path)
    with pytest.raises(StateError, match=reason):
        an_exchange(flash, state=tmp_path / "venue.json")


async def test_a_saved_venue_survives_being_copied(flash: Any, tmp_path: Path) -> None:
    before = await told(flash, MAX_SPEED, state=tmp_path / "venue.json", model=FillModel())
    (tmp_path / "copy").mkdir()
    for name in ("venue.json", "venue.json.history", "venue.json.step"):
        shutil.copy(tmp_path / name, tmp_path / "copy" / name)
    assert outcome(an_exchange(flash, state=tmp_path / "copy" / "venue.json")) == outcome(before)
