"""What our own past orders say about costs: the journal's fills against the prices they were decided at."""

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Final

from genesis.domain.account_cells import read_order_cells
from genesis.domain.decision_log import SIGNAL_KIND, read_decision
from genesis.domain.executions import executions
from genesis.domain.order_rows import TABLE
from genesis.edge.store import ReadOnlyStore
from protocols.journal import ReadCells, ReadRecords
from protocols.measures import ExecutionReport
from protocols.orders import Purpose
from protocols.signals import SignalScore
from protocols.units import exact

RECORDS_A_READ: Final = 10_000
DECIDED: Final = frozenset({Purpose.ENTRY, Purpose.EXIT})
"""Orders that a strategy's closed candle began: their expected price is that candle's close."""


def executions_of(path: Path) -> ExecutionReport:
    """Expected against real price of a journal's entries and exits. Raises StoreError when it cannot be read."""
    with ReadOnlyStore.open(path) as store:
        fills, _ = read_order_cells(store.read_cells(ReadCells(table=TABLE)).cells)
        wanted = {
            (fill.strategy, fill.correlation_id): fill.intent_id
            for fill in fills
            if fill.purpose in DECIDED and not fill.foreign
        }
        found = _decided(store, wanted)
    expected: dict[str, Decimal | None] = {intent_id: exact(score.price) for intent_id, score in found.items()}
    decided_ms = {intent_id: score.decided_ms for intent_id, score in found.items()}
    return executions([fill for fill in fills if fill.purpose in DECIDED], expected, decided_ms)


def _decided(store: ReadOnlyStore, wanted: Mapping[tuple[str, str], str]) -> dict[str, SignalScore]:
    found: dict[str, SignalScore] = {}
    candles = {correlation_id for _, correlation_id in wanted}
    after = 0
    while True:
        page = store.read_records(ReadRecords(kinds=(SIGNAL_KIND,), after_seq=after, limit=RECORDS_A_READ)).records
        for kept in page:
            if kept.record.correlation_id in candles:
                score = read_decision(kept.record)
                assert isinstance(score, SignalScore)
                intent_id = wanted.get((score.strategy, score.correlation_id))
                if intent_id is not None:
                    found[intent_id] = score
        if len(page) < RECORDS_A_READ:
            return found
        after = page[-1].seq
