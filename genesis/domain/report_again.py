"""Reports of REST as the journal keeps them: a row that the report before told, too, is named by its place there.

Orders are compared with the venue's every minute, and each report goes back to the oldest order that rests: on a busy
account that is a thousand rows, of which one or none is new. Kept whole they were a gigabyte a day.
"""

from collections.abc import Sequence
from typing import TypeVar

import msgspec

from protocols.orders import HistoryReport, VenueOrder, VenuePosition, VenueTrade

Run = tuple[int, int]
"""The place of the first row in the same list of the report before, and how many follow each other there."""

_Row = TypeVar("_Row", VenueOrder, VenueTrade)
# By their texts: what is equal in number (1 and 1.0) is kept as two texts.
_encode = msgspec.json.Encoder(decimal_format="string").encode


class ReportAgain(msgspec.Struct, frozen=True, kw_only=True, tag=True, omit_defaults=True):
    """A HistoryReport that came after another one in the same life. All rows of a run carry this one's session and
    `received_ns`."""

    request_id: int
    session: int
    since_ms: int
    received_ns: int
    open_orders: tuple[VenueOrder | Run, ...] = ()
    closed_orders: tuple[VenueOrder | Run, ...] = ()
    trades: tuple[VenueTrade | Run, ...] = ()
    positions: tuple[VenuePosition, ...] | None = None


def thinned(report: HistoryReport, before: HistoryReport) -> ReportAgain:
    """What of a report is not in the one before it. `whole` is the way back."""
    return ReportAgain(
        request_id=report.request_id,
        session=report.session,
        since_ms=report.since_ms,
        received_ns=report.received_ns,
        open_orders=_runs(report.open_orders, before.open_orders, report, before),
        closed_orders=_runs(report.closed_orders, before.closed_orders, report, before),
        trades=_runs(report.trades, before.trades, report, before),
        positions=report.positions,
    )


def whole(again: ReportAgain, before: HistoryReport | None) -> HistoryReport:
    """The report as it was heard, byte for byte. Raises ValueError where `before` cannot have been the one before."""
    return HistoryReport(
        request_id=again.request_id,
        session=again.session,
        since_ms=again.since_ms,
        open_orders=_rows(again.open_orders, () if before is None else before.open_orders, again),
        closed_orders=_rows(again.closed_orders, () if before is None else before.closed_orders, again),
        trades=_rows(again.trades, () if before is None else before.trades, again),
        received_ns=again.received_ns,
        positions=again.positions,
    )


def _runs(
    rows: Sequence[_Row], known: Sequence[_Row], report: HistoryReport, before: HistoryReport
) -> tuple[_Row | Run, ...]:
    places = {_text_of(row): place for place, row in enumerate(known) if _is_stamped_as(row, before)}
    found: list[_Row | Run] = []
    for row in rows:
        place = places.get(_text_of(row)) if _is_stamped_as(row, report) else None
        last = found[-1] if found else None
        if place is None:
            found.append(row)
        elif isinstance(last, tuple) and last[0] + last[1] == place:
            found[-1] = (last[0], last[1] + 1)
        else:
            found.append((place, 1))
    return tuple(found)


def _text_of(row: VenueOrder | VenueTrade) -> bytes:
    """All of a row but what its report says for all of them."""
    return _encode(msgspec.structs.replace(row, session=0, received_ns=0))


def _is_stamped_as(row: VenueOrder | VenueTrade, report: HistoryReport) -> bool:
    return row.session == report.session and row.received_ns == report.received_ns


def _rows(kept: Sequence[_Row | Run], known: Sequence[_Row], again: ReportAgain) -> tuple[_Row, ...]:
    found: list[_Row] = []
    for one in kept:
        if isinstance(one, tuple):
            first, count = one
            if not (first >= 0 and count > 0 and first + count <= len(known)):
                raise ValueError(f"a report must follow one with {first + count} such rows, had {len(known)}")
            found += [
                msgspec.structs.replace(row, session=again.session, received_ns=again.received_ns)
                for row in known[first : first + count]
            ]
        else:
            found.append(one)
    return tuple(found)
