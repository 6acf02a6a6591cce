"""An engine that starts on a long journal: what it does not read again changes nothing of what it knows and decides."""

import math
from pathlib import Path

import msgspec
import pytest

import actors.risk as risk_actor
from genesis.domain.risk_history import KINDS, rederive
from genesis.domain.risk_history_kept import KEPT_KIND, RiskHistoryKept
from genesis.edge import store as store_module
from genesis.edge.anchor import GENESIS_HEAD
from genesis.edge.store import ReadOnlyStore
from genesis.research.replay import REPLAYED_KINDS, replay
from protocols.journal import ReadRecords
from tests.house import house, lively_layer, piece_of

EVERYTHING = 1_000_000


async def test_a_life_that_goes_on_from_what_was_kept_is_decided_again_without_a_difference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "NEWEST", 300)
    monkeypatch.setattr(risk_actor, "KEEP_AFTER_RECORDS", 12)
    monkeypatch.setattr(risk_actor, "FOLLOW_PAGE", 5)
    for life in range(3):
        piece = piece_of(minutes=40, skip=600 + 40 * life)
        async with house(tmp_path, recording=piece, layer=lively_layer(), seed=life) as here:
            since = here.store.store.proven_since
            assert (since == GENESIS_HEAD) == (life == 0)
            await here.ready()
            # Of three lives the later two have read less than all, and found nothing that was kept otherwise.
            assert [each for each in here.engine.readers.notices() if each.code == "risk_rederived"] == []
            await here.exchange.replay(math.inf, here.pacer)
            await here.all_orders_known()
    with ReadOnlyStore.open(tmp_path / "sim.sqlite") as store:
        store.verify_older(since)
        store.verify()
        rows = store.read_records(ReadRecords(kinds=REPLAYED_KINDS, limit=EVERYTHING)).records
        told = store.read_records(ReadRecords(kinds=KINDS, limit=EVERYTHING)).records
        kept = store.read_records(ReadRecords(kinds=(KEPT_KIND,), limit=EVERYTHING)).records
    report = replay(rows)
    assert report.equal, str(report)
    assert report.counts["Verdict"] > 20
    assert len(kept) > 2
    assert kept[-1].seq > since.seq
    for row in kept:
        before = msgspec.json.decode(row.record.payload, type=RiskHistoryKept)
        assert before.history == rederive([each.record for each in told if each.seq <= before.upto_seq], "UTC")
