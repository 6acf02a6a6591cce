"""Orders that ended, and our trades, from the journal: as far back as it goes, whichever life of the engine it was."""

from pathlib import Path
from typing import Final

import msgspec

from genesis.edge.store import FindRecords, ReadOnlyStore
from protocols.orders import TERMINAL_STATES, Fill, OrderUpdate, OrderView

_UPDATES: Final = msgspec.json.Decoder(OrderUpdate)
_FILLS: Final = msgspec.json.Decoder(Fill)
_ENDED: Final = tuple(b'"state":' + msgspec.json.encode(state) for state in sorted(TERMINAL_STATES))


def ended_orders(path: Path, symbol: str | None, limit: int, offset: int) -> tuple[int, tuple[OrderView, ...]]:
    """(how many ended orders the journal holds, the page of them that was asked for, newest first).

    An order that traded on after its end was told has two ends: the newer counts. Reads the file itself, so call it in
    a thread. Raises StoreUnusable, StoreTooNew or StoreCorrupt.
    """
    asked = FindRecords(
        kind=OrderUpdate.__name__, fragments=_of(symbol), any_of=_ENDED, newest_of_each=True, limit=limit, offset=offset
    )
    with ReadOnlyStore.open(path) as store:
        found = store.find_records(asked)
    return found.total, tuple(_UPDATES.decode(record.payload).order for record in found.records)


def kept_fills(path: Path, symbol: str | None, limit: int, offset: int) -> tuple[int, tuple[Fill, ...]]:
    """(how many trades the journal holds, the page of them that was asked for, newest first): a trade is kept once.

    Reads the file itself, as `ended_orders` does, and raises the same.
    """
    asked = FindRecords(kind=Fill.__name__, fragments=_of(symbol), limit=limit, offset=offset)
    with ReadOnlyStore.open(path) as store:
        found = store.find_records(asked)
    return found.total, tuple(_FILLS.decode(record.payload) for record in found.records)


def _of(symbol: str | None) -> tuple[bytes, ...]:
    return () if symbol is None else (b'"symbol":' + msgspec.json.encode(symbol),)
