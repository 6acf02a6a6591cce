"""A running engine judges what will most likely be said before it is, and says what one does that foresees nothing."""

from collections import Counter
from pathlib import Path

import pytest

from genesis.domain.market_book import MarketBook
from genesis.domain.risk_ahead import RiskAhead
from genesis.domain.risk_foresight import Foreseen
from genesis.domain.risk_machine import RiskOutputs
from protocols.signals import SignalScore
from tests.house import decision_lines, house, lively_layer, piece_of


async def _decided(directory: Path) -> list[bytes]:
    async with house(directory, recording=piece_of(minutes=150), layer=lively_layer()) as here:
        await here.ready()
        await here.replay()
        return decision_lines(here.store.store)


async def test_an_engine_without_foresight_decides_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = Counter[bool]()
    take = RiskAhead._take

    def counted(self: RiskAhead, chain: tuple[Foreseen, ...], score: SignalScore) -> RiskOutputs:
        outputs = take(self, chain, score)
        taken[bool(outputs.approved)] += 1
        return outputs

    monkeypatch.setattr(RiskAhead, "_take", counted)
    folders = []
    for name in ("seen", "blind"):
        folder = tmp_path / name
        folder.mkdir()
        folders.append(folder)
    seen = await _decided(folders[0])
    assert taken[True] > 5, "orders were to be judged before their candles closed"
    foreseen = taken.copy()
    monkeypatch.setattr(MarketBook, "will_close", lambda *_: False)
    blind = await _decided(folders[1])
    assert taken == foreseen
    assert seen == blind
