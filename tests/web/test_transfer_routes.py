"""Transfers over the API: confirmed by a word, by who may, never with coins of a position, and nonsense refused."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import attrs
import pytest

from protocols.transfers import Transfer, TransferState, TransferWish
from protocols.units import base_currency
from tests.web.fakes import Web, a_web, an_account, some_readers
from web.controls import Refused
from web.desk import Desk, VenueSilent
from web.tokens import Scope

PATH = "/api/v2/transfers"
BODY = {
    "confirm": "transfer",
    "from_wallet": "exchange",
    "to_wallet": "margin",
    "currency": "USD",
    "amount": "12.5",
    "transfer_id": "one",
}


@attrs.define
class Desks:
    """Keeps wishes, refuses what is not free, and answers with a state or an error."""

    state: TransferState = TransferState.DONE
    error: Exception | None = None
    wishes: list[TransferWish] = attrs.field(factory=list)

    async def make(self, wish: TransferWish, free: Callable[[], Decimal | None]) -> Transfer:
        if self.error is not None:
            raise self.error
        most = free()
        if most is not None and wish.amount > most:
            raise Refused("held_by_positions", f"at most {most} may be moved")
        self.wishes.append(wish)
        return Transfer(wish=wish, state=self.state, asked_ms=1, text="so it was")

    async def all(self) -> Sequence[Transfer]:
        return [Transfer(wish=wish, state=self.state, asked_ms=1) for wish in self.wishes]


def a_transfer_web(desk: Desks, **more: Any) -> Web:
    web = a_web(**more)
    web.app.config["API"].desk = Desk(transfers=desk)
    return web


async def test_a_transfer_is_made_named_and_listed() -> None:
    desk = Desks()
    async with a_transfer_web(desk).client() as client:
        told = await client.post(PATH, json=BODY)
        assert (told.status_code, told.json()["message"]) == (200, "moved: 12.5 USD from exchange to margin")
        unnamed = {name: value for name, value in BODY.items() if name != "transfer_id"}
        await client.post(PATH, json=unnamed, headers={"Idempotency-Key": "named-by-header"})
        await client.post(PATH, json=unnamed)
        listed = (await client.get(PATH)).json()["transfers"]
    names = [wish.transfer_id for wish in desk.wishes]
    assert names[:2] == ["one", "named-by-header"]
    assert len(set(names)) == 3
    assert desk.wishes[0].amount == Decimal("12.5")
    assert (desk.wishes[0].currency_to, len(listed)) == ("USD", 3)


@pytest.mark.parametrize(
    ("desk", "status", "code"),
    [
        (Desks(state=TransferState.REFUSED), 409, "venue_refused"),
        (Desks(state=TransferState.ABSENT), 409, "venue_refused"),
        (Desks(error=VenueSilent("time-out")), 503, "venue_silent"),
        (Desks(error=Refused("transfer_in_doubt", "must be known first")), 409, "transfer_in_doubt"),
    ],
)
async def test_what_did_not_happen_is_no_success(desk: Desks, status: int, code: str) -> None:
    async with a_transfer_web(desk).client() as client:
        told = await client.post(PATH, json=BODY)
    assert (told.status_code, told.json()["error"]["code"]) == (status, code)


async def test_doubt_is_told_as_doubt() -> None:
    async with a_transfer_web(Desks(state=TransferState.ASKED)).client() as client:
        told = (await client.post(PATH, json=BODY)).json()
    assert told["transfer"]["state"] == "asked"
    assert "not known yet" in told["message"]


@pytest.mark.parametrize("scope", [Scope.READ, Scope.TRADE])
async def test_only_an_admin_moves_money(scope: Scope) -> None:
    desk = Desks()
    async with a_transfer_web(desk).client(scope) as client:
        assert (await client.post(PATH, json=BODY)).status_code == 403
        assert (await client.get(PATH)).status_code == 200
    assert desk.wishes == []


@pytest.mark.parametrize(
    "more",
    [
        {"confirm": "yes"},
        {"confirm": True},
        {"from_wallet": "moon"},
        {"to_wallet": "exchange"},
        {"currency": "usd"},
        {"currency": "USD/../x"},
        {"amount": "0"},
        {"amount": "-1"},
        {"amount": "NaN"},
        {"amount": "1e300"},
        {"amount": "1e13"},
        {"amount": "0.000000001"},
        {"amount": True},
        {"amount": [1]},
        {"transfer_id": "x" * 61},
        {"transfer_id": ""},
        {"more": 1},
    ],
)
async def test_nonsense_reaches_nobody(more: dict[str, object]) -> None:
    desk = Desks()
    async with a_transfer_web(desk).client() as client:
        assert (await client.post(PATH, json=BODY | more)).status_code == 422
    assert desk.wishes == []


async def test_coins_of_a_position_stay_where_its_stop_can_sell_them() -> None:
    desk, account = Desks(), an_account()
    held = next(view for view in account.positions if view.quantity > 0)
    coin = {"currency": base_currency(held.symbol)}
    async with a_transfer_web(desk, readers=attrs.evolve(some_readers(), account=lambda: account)).client() as client:
        told = await client.post(PATH, json=BODY | coin | {"amount": "1000"})
        assert (told.status_code, told.json()["error"]["code"]) == (409, "held_by_positions")
        back = {"from_wallet": "margin", "to_wallet": "exchange", "amount": "1000"}
        assert (await client.post(PATH, json=BODY | coin | back)).status_code == 200
    assert [wish.from_wallet for wish in desk.wishes] == ["margin"]
