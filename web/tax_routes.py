"""The year for a tax return: trades and disposals out of the journal, and the venue's ledger of the rest."""

from typing import Annotated, Final

import msgspec

from genesis.domain.tax_report import CannotExport, Kind, TaxExport, ledger_export, year_ms
from web.api import Api, Call, Route
from web.bodies import Strict
from web.desk import VenueSilent
from web.errors import ApiError
from web.faults import own_fault
from web.tokens import Scope
from web.venue_faults import venue_fault


class TaxQuery(Strict, frozen=True, kw_only=True):
    """A calendar year in a time zone (that of the trading day when none is named); `kind` says which list."""

    year: Annotated[int, msgspec.Meta(ge=2009, le=9999)]
    kind: Kind = Kind.DISPOSALS
    timezone: Annotated[str, msgspec.Meta(min_length=1, max_length=60)] | None = None


async def tax(api: Api, call: Call) -> TaxExport | msgspec.Raw:
    query: TaxQuery = call.query
    timezone = query.timezone or api.readers.settings().risk.day_timezone
    try:
        begin_ms, end_ms = year_ms(query.year, timezone), year_ms(query.year + 1, timezone)
    except ValueError as error:
        raise own_fault(str(error)) from None
    if query.kind is Kind.LEDGER:
        return await _ledger(api, query.year, timezone, begin_ms, end_ms)
    export = api.controls.tax
    assert export is not None, "the route needs this control"
    try:
        return await export(query.year, timezone, query.kind)
    except CannotExport as error:
        raise ApiError(503, f"the year could not be worked out: {error}", headers={"Retry-After": "10"}) from None


async def _ledger(api: Api, year: int, timezone: str, begin_ms: int, end_ms: int) -> TaxExport:
    span = api.desk.ledger_span
    if span is None:
        raise ApiError(404, "this engine cannot ask the venue for its ledger", code="no_such_control")
    try:
        entries = await span(begin_ms, end_ms)
    except VenueSilent as error:
        raise venue_fault(error) from None
    return ledger_export(entries, year, timezone, api.readers.status().mode)


TAX: Final = (
    Route(
        method="GET",
        path="/api/v2/tax",
        scope=Scope.READ,
        handler=tax,
        answer=TaxExport,
        query=TaxQuery,
        needs="tax",
        tag="account",
        summary="A year for a tax return as CSV: disposals with their cost (FIFO), trades with fees, or the ledger.",
        statuses=(503,),
    ),
)
