"""A running engine judges what will most likely be said before it is, and says what one does that foresees nothing;
and has rehearsed the orders that come of it."""

from collections import Counter
from pathlib import Path

import pytest

from genesis.domain.market_book import MarketBook
from genesis.domain.order_ahead import OrderAhead
from genesis.domain.order_outputs import Outputs
from genesis.domain.risk_ahead import RiskAhead
from genesis.domain.risk_foresight import Foreseen
from genesis.domain.risk_machine import RiskOutputs
from protocols.orders import Approved
from protocols.signals import SignalScore
from tests.house import decision_lines, house, lively_layer, piece_of


async def _decided(directory: Path) -> list[bytes]:
    async with house(directory, recording=piece_of(minutes=150), layer=lively_layer()) as here:
        await here.ready()
        await here.replay()
        return decision_lines(here.store.store)


async def test_an_engine_without_foresight_decides_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken, rehearsed = Counter[bool](), Counter[bool]()
    take, take_rehearsed = RiskAhead._take, OrderAhead.take_rehearsed

    def counted(self: RiskAhead, chain: tuple[Foreseen, ...], score: SignalScore) -> RiskOutputs:
        outputs = take(self, chain, score)
        taken[bool(outputs.approved)] += 1
        return outputs

    def counted_orders(self: OrderAhead, approved: Approved, *, now: float, wall_ms: int) -> Outputs | None:
        out = take_rehearsed(self, approved, now=now, wall_ms=wall_ms)
        rehearsed[out is not None] += 1
        return out

    monkeypatch.setattr(RiskAhead, "_take", counted)
    monkeypatch.setattr(OrderAhead, "take_rehearsed", counted_orders)
    folders = []
    for name in ("seen", "blind"):
        folder = tmp_path / name
        folder.mkdir()
        folders.append(folder)
    seen = await _decided(folders[0])
    assert taken[True] > 5, "orders were to be judged before their candles closed"
    assert rehearsed[True] > 5, "orders were to be rehearsed before they were approved"
    foreseen, taken_orders = taken.copy(), rehearsed[True]
    monkeypatch.setattr(MarketBook, "will_close", lambda *_: False)
    blind = await _decided(folders[1])
    assert taken == foreseen
    assert rehearsed[True] == taken_orders
    assert seen == blind
