"""The venue's book about the account, asked by a running engine: money moved, logins, alerts, and answers lost."""

from decimal import Decimal
from pathlib import Path

import pytest
import trio

from genesis.account_book import VenueBook
from genesis.simulator.link import HttpRequest, HttpResponse
from genesis.simulator.rest import Rest
from protocols.health import Notice
from protocols.units import Side, Symbol
from tests.house import House, house, lively_layer, piece_of
from web.desk import VenueRefused, VenueSilent

BTC = Symbol("tBTCUSD")


def book_of(here: House) -> VenueBook:
    return VenueBook(door=here.engine.venue.door, clock=here.engine.clock)


async def test_what_the_venue_keeps_about_an_account(tmp_path: Path) -> None:
    async with house(tmp_path, recording=piece_of(minutes=5), layer=lively_layer()) as here:
        await here.ready()
        book, venue = book_of(here), here.exchange.venue
        movement, outputs = venue.books.withdraw(
            "sim",
            "exchange",
            "USD",
            Decimal(250),
            here.exchange.venue_ms(),
            method="WIRE",
            address="somewhere",
            payment_id=None,
            note="rent",
        )
        here.exchange.accounts.apply(outputs)
        (told,) = await book.movements(None, 100)
        assert (told.movement_id, told.amount, told.status) == (movement.movement_id, Decimal(-250), "COMPLETED")
        assert (told.address, told.note, len(told.transaction_id)) == ("somewhere", "rent", 64)
        assert await book.movements("USD", 100) == (told,)
        assert await book.movements("BTC", 100) == ()
        assert {login.address for login in await book.logins(10)} == {"127.0.0.1"}
        fees = await book.fees()
        assert (fees.maker, fees.taker_fiat) == (Decimal("0.001"), Decimal("0.002"))
        assert {each.scope for each in await book.permissions() if each.write} >= {"orders", "wallets"}
        assert await book.past_positions(50) == await book.position_snapshots(100) == ()
        balance = venue.accounts["sim"].wallet("exchange", "USD").available
        price = Decimal(8000)
        assert await book.available(BTC, Side.BUY, price, False) == round(balance / price, 8)
        assert (
            await book.available(BTC, Side.SELL, None, False) == venue.accounts["sim"].wallet("exchange", "BTC").balance
        )
        with pytest.raises(VenueRefused, match="symbol: invalid") as refused:
            await book.available("tNOPEUSD", Side.BUY, None, False)
        assert refused.value.fault


async def test_an_alert_is_set_told_when_it_is_reached_and_dropped(tmp_path: Path) -> None:
    async with house(tmp_path, recording=piece_of(minutes=5), layer=lively_layer()) as here:
        await here.ready()
        book = book_of(here)
        last = here.exchange.market.feeds[BTC].last
        assert last is not None
        level = Decimal(str(last)) + Decimal("0.12345678")
        alert = await book.set_alert(BTC, level)
        assert (alert.price, alert.key) == (level, f"price:tBTCUSD:{level}")
        assert await book.set_alert(BTC, level) == alert
        await book.set_alert(BTC, Decimal("1.5"))
        assert {each.price for each in await book.alerts()} == {level, Decimal("1.5")}
        await book.drop_alert(BTC, Decimal("1.50"))
        assert await book.alerts() == (alert,)
        with pytest.raises(VenueRefused, match="not found"):
            await book.drop_alert(BTC, Decimal("1.5"))
        await here.replay()
        with trio.fail_after(60):
            while not (told := _price_alerts(here)):  # noqa: ASYNC110 - another task's sockets
                await trio.sleep(0.01)
        assert told[0].text.startswith(f"tBTCUSD reached {level}")
        assert len(told) == 1
        book = book_of(here)
        assert await book.alerts() == ()


def _price_alerts(here: House) -> list[Notice]:
    return [notice for notice in here.engine.readers.notices() if notice.code == "price_alert"]


@pytest.mark.parametrize("done", [True, False])
async def test_a_lost_answer_is_looked_into_before_anybody_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, done: bool
) -> None:
    """`done`: the venue did it, and its answer was lost; else the request was."""
    answer, lossy = Rest.handle, False

    async def handle(rest: Rest, request: HttpRequest) -> HttpResponse:
        if lossy and "/auth/w/alert" in request.target:
            if done:
                await answer(rest, request)
            return HttpResponse(status=502, body=b"<html>bad gateway</html>")
        return await answer(rest, request)

    monkeypatch.setattr(Rest, "handle", handle)
    async with house(tmp_path, recording=piece_of(minutes=5), layer=lively_layer()) as here:
        await here.ready()
        book = book_of(here)
        await book.set_alert(BTC, Decimal(2))
        lossy = True
        if done:
            assert (await book.set_alert(BTC, Decimal(1))).price == 1
            await book.drop_alert(BTC, Decimal(2))
            assert [each.price for each in await book.alerts()] == [1]
        else:
            with pytest.raises(VenueSilent, match="the alert is not set"):
                await book.set_alert(BTC, Decimal(1))
            with pytest.raises(VenueSilent, match="the alert is still set"):
                await book.drop_alert(BTC, Decimal(2))
            assert [each.price for each in await book.alerts()] == [2]
