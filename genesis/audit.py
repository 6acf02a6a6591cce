"""The audit of decisions: every verdict of a journal, found by whatever is known of it.

The whole journal is searched, however long it is. SQLite looks through the records by itself; only the page that was
asked for is ever decoded, so a long search costs those who trade nothing.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import attrs
import msgspec

from genesis.domain.decision_log import VERDICT_KIND
from genesis.domain.decision_search import DecisionSearch, DecisionsFound
from genesis.edge.store import FindRecords, FoundRecords, ReadOnlyStore
from protocols.orders import OrderUpdate
from protocols.risk import Verdict

ORDER_KIND: Final = OrderUpdate.__name__
_VERDICTS: Final = msgspec.json.Decoder(Verdict)
_UPDATES: Final = msgspec.json.Decoder(OrderUpdate)


def search_journal(path: Path, asked: DecisionSearch) -> DecisionsFound:
    """Newest first. Raises StoreUnusable, StoreTooNew or StoreCorrupt."""
    with ReadOnlyStore.open(path) as store:
        found = FoundRecords(total=0, of_kind=0, records=())
        for question in _questions(store, asked):
            found = store.find_records(question)
            if found.total:
                break
    verdicts = tuple(_VERDICTS.decode(record.payload) for record in found.records)
    return DecisionsFound(total=found.total, searched=found.of_kind, verdicts=verdicts)


def _questions(store: ReadOnlyStore, asked: DecisionSearch) -> Iterator[FindRecords]:
    """What to look for, the likeliest first; the first that finds something is the answer."""
    whole = FindRecords(
        kind=VERDICT_KIND,
        fragments=asked.fragments(),
        from_ms=asked.from_ms,
        to_ms=asked.to_ms,
        limit=asked.limit,
        offset=asked.offset,
    )
    about = asked.about
    if about is None:
        yield whole
        return
    yield attrs.evolve(whole, key=about)
    yield attrs.evolve(whole, fragments=(*whole.fragments, *DecisionSearch(signal_id=about).fragments()))
    yield attrs.evolve(whole, correlation_id=about)
    yield attrs.evolve(whole, correlation_id=f"manual:{about}")
    order = _order_of(store, about)
    if order is not None:
        yield attrs.evolve(whole, key=order.order.intent_id)
        # A stop or a target has no verdict of its own: it came of the same event as its entry.
        yield attrs.evolve(whole, correlation_id=order.order.correlation_id)


def _order_of(store: ReadOnlyStore, about: str) -> OrderUpdate | None:
    """The order that goes by this name: our client id, the venue's id, or its intent."""
    names = [b'"intent_id":' + msgspec.json.encode(about)]
    if about.isascii() and about.isdecimal():
        number = str(int(about)).encode()
        names += [b'"cid":' + number + b",", b'"venue_id":' + number + b"}", b'"venue_id":' + number + b","]
    for name in names:
        found = store.find_records(FindRecords(kind=ORDER_KIND, fragments=(name,), limit=1))
        if found.records:
            return _UPDATES.decode(found.records[0].payload)
    return None
