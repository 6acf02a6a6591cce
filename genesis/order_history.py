"""Orders that ended, and our trades, from the journal: as far back as it goes, whichever life of the engine it was."""

from pathlib import Path
from typing import Final

import msgspec

from genesis.domain.order_rows import TABLE
from genesis.edge.store import FindRecords, ReadOnlyStore
from protocols.orders import TERMINAL_STATES, Fill, OrderUpdate, OrderView

_UPDATES: Final = msgspec.json.Decoder(OrderUpdate)
_KIND: Final = OrderUpdate.__name__
_FILLS: Final = msgspec.json.Decoder(Fill)
_ENDED: Final = tuple(b'"state":' + msgspec.json.encode(state) for state in sorted(TERMINAL_STATES))


def ended_orders(path: Path, symbol: str | None, limit: int, offset: int) -> tuple[int, tuple[OrderView, ...]]:
    """(how many ended orders the journal holds, the page of them that was asked for, newest first).

    An order that traded on after its end was told has two ends: the newer counts. Reads the file itself, so call it in
    a thread. Raises StoreUnusable, StoreTooNew or StoreCorrupt.
    """
    page: list[OrderView] = []
    passed: set[str] = set()
    with ReadOnlyStore.open(path) as store:
        for record in store.walk_records(_ends(fragments=_of(symbol))):
            name = (record.key or "").partition(":")[0]
            if name not in passed:
                passed.add(name)
                if len(passed) > offset:
                    page.append(_UPDATES.decode(record.payload).order)
                    if len(page) >= limit:
                        break
        else:
            # That was all there is.
            return len(passed), tuple(page)
        return store.count_names(_KIND, _of(symbol)) - _never_ended(store, symbol), tuple(page)


def _never_ended(store: ReadOnlyStore, symbol: str | None) -> int:
    """Orders that are open and were never anything else: a few, and every one of them has its cell."""
    count = 0
    for cell in store.cells_without(TABLE, "order:", _ENDED):
        if all(fragment in cell.payload for fragment in _of(symbol)):
            ends = store.walk_records(_ends(key_prefix=f"{int(cell.key.partition(':')[2])}:"))
            count += next(ends, None) is None
    return count


def _ends(*, fragments: tuple[bytes, ...] = (), key_prefix: str | None = None) -> FindRecords:
    return FindRecords(kind=_KIND, fragments=fragments, any_of=_ENDED, key_prefix=key_prefix)


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
