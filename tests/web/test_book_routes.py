"""The venue's book and its figures over the API: what is answered, who may change what, and nonsense refused."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.reference import ClosedPosition, FeeRates, Login, Movement, Permission, PriceAlert
from protocols.units import Side
from tests.web.fakes import Web, a_web
from web.book_routes import seen_logins
from web.desk import Desk, VenueRefused, VenueSilent
from web.tokens import Scope

V2 = "/api/v2"


@attrs.define
class Book:
    """Keeps alerts, and fails as it is told."""

    error: VenueSilent | None = None
    kept: dict[tuple[str, Decimal], PriceAlert] = attrs.field(factory=dict)

    def _fail(self) -> None:
        if self.error is not None:
            raise self.error

    async def movements(self, currency: str | None, limit: int) -> Sequence[Movement]:
        self._fail()
        return ()

    async def logins(self, limit: int) -> Sequence[Login]:
        return (Login(login_id=2, time_ms=2, address="5.6.7.8"), Login(login_id=1, time_ms=1, address="1.2.3.4"))

    async def alerts(self) -> Sequence[PriceAlert]:
        return tuple(self.kept.values())

    async def set_alert(self, symbol: str, price: Decimal) -> PriceAlert:
        self._fail()
        alert = PriceAlert(key=f"price:{symbol}:{price}", symbol=symbol, price=price, countdown=1)
        self.kept[symbol, price] = alert
        return alert

    async def drop_alert(self, symbol: str, price: Decimal) -> None:
        self._fail()
        del self.kept[symbol, price]

    async def past_positions(self, limit: int) -> Sequence[ClosedPosition]:
        return ()

    async def position_snapshots(self, limit: int) -> Sequence[ClosedPosition]:
        return ()

    async def permissions(self) -> Sequence[Permission]:
        return (Permission(scope="orders", read=True, write=True),)

    async def fees(self) -> FeeRates:
        raise NotImplementedError

    async def available(self, symbol: str, side: Side, price: Decimal | None, margin: bool) -> Decimal:
        return Decimal("1.5")


def a_book_web(book: Book | None = None, **more: Any) -> Web:
    web = a_web(**more)
    web.app.config["API"].desk = Desk(book=book or Book())
    return web


async def test_alerts_are_set_listed_and_dropped() -> None:
    book = Book()
    async with a_book_web(book).client() as client:
        told = await client.post(f"{V2}/alerts", json={"symbol": "tBTCUSD", "price": "8000.5"})
        assert (told.status_code, told.json()["price"]) == (200, "8000.5")
        assert [each["symbol"] for each in (await client.get(f"{V2}/alerts")).json()["alerts"]] == ["tBTCUSD"]
        gone = await client.delete(f"{V2}/alerts/tBTCUSD/8000.50")
        assert (gone.status_code, gone.json()["message"]) == (200, "the alert at 8000.5 is gone")
        assert (await client.get(f"{V2}/alerts")).json() == {"alerts": []}


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (VenueSilent("time-out"), 503, "venue_silent"),
        (VenueRefused("Not today"), 409, "venue_refused"),
        (VenueRefused("symbol: invalid", fault=True), 422, "venue_refused"),
    ],
)
async def test_a_silent_venue_and_one_that_says_no_are_told_apart(error: VenueSilent, status: int, code: str) -> None:
    async with a_book_web(Book(error=error)).client() as client:
        for told in (
            await client.get(f"{V2}/movements"),
            await client.post(f"{V2}/alerts", json={"symbol": "tBTCUSD", "price": 1}),
            await client.delete(f"{V2}/alerts/tBTCUSD/1"),
        ):
            assert (told.status_code, told.json()["error"]["code"]) == (status, code)
            assert str(error) in told.json()["error"]["message"]
            assert ("retry-after" in told.headers) is (status == 503)


@pytest.mark.parametrize("price", ["NaN", "-1", "0", "Infinity", "1e400", True, [], {}, None, "x", ""])
async def test_a_price_that_is_none_never_reaches_the_venue(price: object) -> None:
    book = Book()
    async with a_book_web(book).client() as client:
        assert (await client.post(f"{V2}/alerts", json={"symbol": "tBTCUSD", "price": price})).status_code == 422
        if isinstance(price, str) and price:
            assert (await client.delete(f"{V2}/alerts/tBTCUSD/{price}")).status_code == 422
            query = f"{V2}/order/available?symbol=tBTCUSD&side=buy&price={price}"
            assert (await client.get(query)).status_code == 422
        assert (await client.delete(f"{V2}/alerts/fUSD/1")).status_code == 422
    assert book.kept == {}


async def test_an_alert_needs_the_scope_that_an_order_needs() -> None:
    book = Book()
    async with a_book_web(book).client(scope=Scope.READ) as client:
        assert (await client.get(f"{V2}/alerts")).status_code == 200
        assert (await client.post(f"{V2}/alerts", json={"symbol": "tBTCUSD", "price": 1})).status_code == 403
        assert (await client.delete(f"{V2}/alerts/tBTCUSD/1")).status_code == 403
    assert book.kept == {}


async def test_an_engine_without_such_a_book_says_so() -> None:
    async with a_web().client() as client:
        for path in (
            "movements",
            "logins",
            "alerts",
            "account/fees",
            "positions/venue",
            "market/interest?symbol=tBTCUSD",
        ):
            assert (await client.get(f"{V2}/{path}")).status_code == 404, path


# --- logins ---------------------------------------------------------------------------------------------------------


@given(st.lists(st.sampled_from(["a", "b", "c"]), max_size=12))
def test_an_address_is_new_once_and_the_first_of_all_is_not(addresses: list[str]) -> None:
    newest_first = [
        Login(login_id=number, time_ms=number, address=address) for number, address in enumerate(addresses)
    ][::-1]
    seen = seen_logins(newest_first)
    assert [each.login_id for each in seen] == [each.login_id for each in newest_first]
    new = {each.address for each in seen if each.first}
    assert len([each for each in seen if each.first]) == len(new)
    assert new == set(addresses) - set(addresses[:1])
