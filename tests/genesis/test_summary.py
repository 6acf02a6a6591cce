"""What a run decided, read off its journal page by page."""

from collections import Counter
from pathlib import Path

import pytest

import genesis.summary as summary_module
from genesis.domain.decision_log import digest, record_lines
from genesis.edge.store import ReadOnlyStore
from genesis.summary import decided
from protocols.journal import ReadRecords
from tests.recorded_journals import put_journal


def test_it_is_what_all_lines_at_once_would_give(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put_journal(1, tmp_path / "sim.sqlite")
    monkeypatch.setattr(summary_module, "RECORDS_A_READ", 7)
    with ReadOnlyStore.open(path) as store:
        kept = store.read_records(ReadRecords(kinds=(), limit=100_000)).records
    for after in (0, kept[500].seq):
        records = [each.record for each in kept if each.seq > after]
        found = decided(path, after_seq=after)
        lines = record_lines(records)
        assert len(lines) > 50
        assert found.sha256 == digest(lines)
        assert found.kinds == Counter(line.split(b" ")[0].decode() for line in lines)
