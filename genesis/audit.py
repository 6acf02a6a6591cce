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
from protocols.orders import Approved, OrderUpdate
from protocols.risk import Verdict

ORDER_KIND: Final = OrderUpdate.__name__
APPROVAL_KIND: Final = Approved.__name__
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
        not_sent = {verdict.verdict_id: why for verdict in verdicts if (why := _why_not_sent(store, verdict))}
    return DecisionsFound(total=found.total, searched=found.of_kind, verdicts=verdicts, not_sent=not_sent)


def _why_not_sent(store: ReadOnlyStore, verdict: Verdict) -> str:
    """Why the order of an approval was given up before it left; nothing where it was not."""
    if not verdict.approved or verdict.intent is None:
        return ""
    named = b'"intent_id":' + msgspec.json.encode(verdict.intent.intent_id)
    asked = FindRecords(
        kind=ORDER_KIND, correlation_id=verdict.correlation_id, fragments=(named, b'"withdrawn":true'), limit=1
    )
    found = next(store.walk_records(asked), None)
    return "" if found is None else _UPDATES.decode(found.payload).order.reason


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
    # A verdict on a signal is named after it, so that of all payloads none but its own are looked into.
    of_signal = DecisionSearch(signal_id=about).fragments()
    yield attrs.evolve(whole, key_prefix=f"{about}:", fragments=(*whole.fragments, *of_signal))
    yield attrs.evolve(whole, correlation_id=about)
    yield attrs.evolve(whole, correlation_id=f"manual:{about}")
    order = _order_of(store, about)
    if order is not None:
        intent_id, correlation_id = order
        yield attrs.evolve(whole, key=intent_id)
        # A stop or a target has no verdict of its own: it came of the same event as its entry.
        yield attrs.evolve(whole, correlation_id=correlation_id)


def _order_of(store: ReadOnlyStore, about: str) -> tuple[str, str] | None:
    """(intent id, correlation id) of the order that goes by this name: its intent, our client id, the venue's id."""
    approval = next(store.walk_records(FindRecords(kind=APPROVAL_KIND, key=about)), None)
    if approval is not None:
        return about, approval.correlation_id
    if not (about.isascii() and about.isdecimal()):
        return None
    number = int(about)
    asked = [FindRecords(kind=ORDER_KIND, key_prefix=f"{number}:")]
    # The venue's ids have no index: the newest orders are found soon, and of a number that is none all are read.
    asked += [FindRecords(kind=ORDER_KIND, any_of=tuple(b'"venue_id":%d%s' % (number, end) for end in (b",", b"}")))]
    for question in asked:
        found = next(store.walk_records(question), None)
        if found is not None:
            order = _UPDATES.decode(found.payload).order
            return order.intent_id, order.correlation_id
    return None
