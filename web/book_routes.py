"""What the venue keeps about the account: money in and out, logins, price alerts, past positions, fees, what may be
ordered. Asked when somebody looks."""

from collections.abc import Awaitable, Sequence
from decimal import Decimal
from typing import Annotated, Any, Final, TypeVar

import msgspec

from protocols.reference import ClosedPosition, FeeRates, Login, Movement, Permission, PriceAlert
from protocols.units import Side, plain
from web.api import Api, Call, Route
from web.bodies import CurrencyText, Limit, Strict, SymbolText
from web.desk import AccountBook, VenueSilent
from web.intents import invalid
from web.models import Accepted
from web.tokens import Scope
from web.venue_faults import venue_fault

V2: Final = "/api/v2"
ALERT: Final = f"{V2}/alerts/{{symbol}}/{{price}}"

T = TypeVar("T")


# --- what may be asked ------------------------------------------------------------------------------------------------


class MovementsQuery(Strict, frozen=True, kw_only=True):
    currency: CurrencyText | None = None
    limit: Limit = 100


class LoginsQuery(Strict, frozen=True, kw_only=True):
    limit: Annotated[int, msgspec.Meta(ge=1, le=250)] = 100


class PastQuery(Strict, frozen=True, kw_only=True):
    """The venue gives no more than 50 at once."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=50)] = 50


class SnapshotsQuery(Strict, frozen=True, kw_only=True):
    limit: Annotated[int, msgspec.Meta(ge=1, le=500)] = 100


class AvailableQuery(Strict, frozen=True, kw_only=True):
    """Without `price` at the market's; `margin` asks what may be ordered with borrowed money."""

    symbol: SymbolText
    side: Side
    price: Decimal | None = None
    margin: bool = False


class AlertBody(Strict, frozen=True, kw_only=True):
    symbol: SymbolText
    price: Decimal


# --- what is answered -------------------------------------------------------------------------------------------------


class Movements(msgspec.Struct, frozen=True, kw_only=True):
    """Deposits (above zero) and withdrawals (below), newest first."""

    movements: tuple[Movement, ...]


class SeenLogin(Login, frozen=True, kw_only=True):
    """`first` marks the oldest login of an address in this list, where older ones of other addresses are in it too.

    That is a fact about the list and no alarm: at home an address changes by itself.
    """

    first: bool


class Logins(msgspec.Struct, frozen=True, kw_only=True):
    """Who signed in to the account, newest first, by the venue's own record."""

    logins: tuple[SeenLogin, ...]


class Alerts(msgspec.Struct, frozen=True, kw_only=True):
    """Prices at which the venue says so. `countdown` is how often it still may."""

    alerts: tuple[PriceAlert, ...]


class VenuePositions(msgspec.Struct, frozen=True, kw_only=True):
    """Positions on margin and in contracts as the venue remembers them, newest first."""

    positions: tuple[ClosedPosition, ...]


class Permissions(msgspec.Struct, frozen=True, kw_only=True):
    """What the engine's key may read and write."""

    permissions: tuple[Permission, ...]


class Available(msgspec.Struct, frozen=True, kw_only=True):
    """How much could be ordered now, base currency."""

    symbol: str
    side: Side
    quantity: Decimal


# --- the handlers -----------------------------------------------------------------------------------------------------


def _book(api: Api) -> AccountBook:
    assert api.desk.book is not None, "the route needs this port"
    return api.desk.book


async def _told(asked: Awaitable[T]) -> T:
    try:
        return await asked
    except VenueSilent as error:
        raise venue_fault(error) from None


async def movements(api: Api, call: Call) -> Movements:
    query: MovementsQuery = call.query
    return Movements(movements=tuple(await _told(_book(api).movements(query.currency, query.limit))))


async def logins(api: Api, call: Call) -> Logins:
    query: LoginsQuery = call.query
    return Logins(logins=seen_logins(await _told(_book(api).logins(query.limit))))


def seen_logins(found: Sequence[Login]) -> tuple[SeenLogin, ...]:
    """Whether each has a new address. The oldest of all has not: what came before is unknown."""
    rows: list[SeenLogin] = []
    met: set[str] = set()
    for login in sorted(found, key=lambda each: (each.time_ms, each.login_id)):
        first = bool(met) and login.address not in met
        met.add(login.address)
        rows.append(SeenLogin(login_id=login.login_id, time_ms=login.time_ms, address=login.address, first=first))
    return tuple(reversed(rows))


async def past_positions(api: Api, call: Call) -> VenuePositions:
    query: PastQuery = call.query
    return VenuePositions(positions=tuple(await _told(_book(api).past_positions(query.limit))))


async def position_snapshots(api: Api, call: Call) -> VenuePositions:
    query: SnapshotsQuery = call.query
    return VenuePositions(positions=tuple(await _told(_book(api).position_snapshots(query.limit))))


async def permissions(api: Api, call: Call) -> Permissions:
    return Permissions(permissions=tuple(await _told(_book(api).permissions())))


async def fees(api: Api, call: Call) -> FeeRates:
    return await _told(_book(api).fees())


async def available(api: Api, call: Call) -> Available:
    query: AvailableQuery = call.query
    if query.price is not None:
        _check_price(query.price)
    quantity = await _told(_book(api).available(query.symbol, query.side, query.price, query.margin))
    return Available(symbol=query.symbol, side=query.side, quantity=quantity)


async def alerts(api: Api, call: Call) -> Alerts:
    return Alerts(alerts=tuple(await _told(_book(api).alerts())))


async def set_alert(api: Api, call: Call) -> PriceAlert:
    body: AlertBody = call.body
    _check_price(body.price)
    return await _told(_book(api).set_alert(body.symbol, body.price))


async def drop_alert(api: Api, call: Call) -> Accepted:
    try:
        symbol = msgspec.convert(call.path["symbol"], SymbolText)
    except msgspec.ValidationError:
        raise invalid("symbol", "a trading symbol such as tBTCUSD", call.path["symbol"][:40]) from None
    text = call.path["price"]
    try:
        price = Decimal(text)
    except ArithmeticError:
        raise invalid("price", "a number above zero", text[:40]) from None
    _check_price(price)
    await _told(_book(api).drop_alert(symbol, price))
    return Accepted(accepted=True, correlation_id=f"api:{api.new_id()}", message=f"the alert at {plain(price)} is gone")


def _check_price(price: Decimal) -> None:
    """Raises ApiError. Bodies are checked for numbers beyond all sense; paths and queries are not."""
    if not price.is_finite() or price <= 0 or not -40 <= price.adjusted() < 20 or len(price.as_tuple().digits) > 40:
        raise invalid("price", "a number above zero", str(price)[:40])


# --- the table --------------------------------------------------------------------------------------------------------


def _route(path: str, handler: Any, answer: Any, summary: str, **more: Any) -> Route:
    told: dict[str, Any] = {"method": "GET", "scope": Scope.READ, "statuses": (404, 409, 503)} | more
    return Route(path=path, handler=handler, answer=answer, summary=summary, tag="venue", needs="book", **told)


BOOK: Final[tuple[Route, ...]] = (
    _route(f"{V2}/movements", movements, Movements, "Deposits and withdrawals, newest first.", query=MovementsQuery),
    _route(f"{V2}/logins", logins, Logins, "Who signed in to the venue's account, newest first.", query=LoginsQuery),
    _route(f"{V2}/alerts", alerts, Alerts, "Price alerts that are set at the venue."),
    _route(
        f"{V2}/alerts",
        set_alert,
        PriceAlert,
        "Have the venue say when a price is reached; the engine tells it as a notice.",
        method="POST",
        scope=Scope.TRADE,
        body=AlertBody,
    ),
    _route(ALERT, drop_alert, Accepted, "Take a price alert back.", method="DELETE", scope=Scope.TRADE),
    _route(
        f"{V2}/positions/venue",
        past_positions,
        VenuePositions,
        "Positions on margin that were closed, by the venue's books.",
        query=PastQuery,
    ),
    _route(
        f"{V2}/positions/snapshots",
        position_snapshots,
        VenuePositions,
        "Positions on margin as they were at each midnight, by the venue's books.",
        query=SnapshotsQuery,
    ),
    _route(f"{V2}/account/permissions", permissions, Permissions, "What the engine's key may do."),
    _route(f"{V2}/account/fees", fees, FeeRates, "The account's fees, as fractions of the traded value."),
    _route(
        f"{V2}/order/available",
        available,
        Available,
        "How much could be bought or sold now, by the venue's reckoning.",
        query=AvailableQuery,
    ),
)
