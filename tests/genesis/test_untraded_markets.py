"""A watched market that no strategy trades: a person trades it, through risk, and it is protected like any other."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import trio

from genesis.domain.settings_build import Layer
from genesis.edge.store import ReadOnlyStore
from genesis.research.replay import REPLAYED_KINDS, replay
from protocols.journal import ReadRecords
from protocols.orders import OrderIntent, OrderType, Purpose
from protocols.risk import ManualOrder, Verdict
from protocols.units import Side, Symbol
from tests.genesis.test_protection import check_stops, stops_of
from tests.house import check_books, house, lively_layer, piece_of

ETH = Symbol("tETHUSD")


def an_order(at_ms: int) -> OrderIntent:
    return OrderIntent(
        intent_id="manual:1",
        strategy="manual",
        symbol=ETH,
        side=Side.BUY,
        quantity=Decimal("0.5"),
        order_type=OrderType.MARKET,
        purpose=Purpose.MANUAL,
        decided_ms=at_ms,
        correlation_id="manual:1",
    )


def layer_without(*, both: bool) -> Layer:
    """Nobody is enabled on ETH, or on nothing at all."""
    layer = lively_layer()
    strategies: Any = [dict(each) for each in layer.values["strategies"]]  # type: ignore[attr-defined]
    for each in strategies:
        each["enabled"] = not both and each["symbol"] != ETH
    return attrs.evolve(layer, values={**layer.values, "strategies": strategies})


async def test_a_person_buys_what_no_strategy_trades_and_gets_a_stop(tmp_path: Path) -> None:
    await trade(tmp_path, both=False)


async def test_a_person_trades_where_no_strategy_is_enabled_at_all(tmp_path: Path) -> None:
    await trade(tmp_path, both=True)


async def trade(tmp_path: Path, *, both: bool) -> None:
    recording = piece_of(minutes=22, skip=600)
    async with house(tmp_path, recording=recording, layer=layer_without(both=both)) as here:
        await here.ready()
        told: list[Verdict] = []

        async def trader() -> None:
            while here.exchange.venue_ms() < recording.first_ms + 3 * 60_000:  # noqa: ASYNC110 - the clock has no bell
                await trio.sleep(0.001)
            order = here.engine.controls.order
            assert order is not None
            verdict = await order(ManualOrder(intent=an_order(here.exchange.venue_ms()), actor="tester"))
            assert verdict is not None
            told.append(verdict)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(trader)
            await here.exchange.replay(60 * 60, here.pacer)
        assert told[0].approved, told[0].denials
        await here.all_orders_known()
        account = here.engine.cells.account.value
        assert account is not None
        assert [each.symbol for each in account.state.positions if each.quantity > 0 and each.symbol == ETH] == [ETH]
        assert check_stops(here) > 0
        assert len(stops_of(here, ETH)) == 1
        await here.wallets_agree()
        check_books(here)
    with ReadOnlyStore.open(tmp_path / "sim.sqlite") as store:
        rows = store.read_records(ReadRecords(kinds=REPLAYED_KINDS, limit=1_000_000)).records
    report = replay(rows)
    assert report.equal, report
