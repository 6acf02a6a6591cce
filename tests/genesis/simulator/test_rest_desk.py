"""The rest of an account: funding offers, withdrawals, claims, alerts, settings, tokens."""

from decimal import Decimal
from typing import Any

import httpx
import pytest

from genesis.simulator.replay_driver import MAX_SPEED
from protocols.bitfinex.account import read_notice
from protocols.bitfinex.funding_rows import read_offer
from protocols.bitfinex.numbers import read_json
from protocols.bitfinex.rest_account import read_logins, read_movements, read_token
from protocols.units import Symbol
from tests.genesis.simulator.conftest import START_MS

READ: dict[str, Any] = {"session": 0, "received_ns": 0}
OFFER = {"type": "LIMIT", "symbol": "fUSD", "amount": "1000", "rate": "0.0002", "period": 7}
BOB = {"key": "bob-withdraw", "secret": "bob-withdraw-secret"}


async def asked(world: Any, path: str, body: Any = None, *, nonce: int, **keys: str) -> Any:
    """The answer's body with exact fractions."""
    return read_json((await world.post(path, {} if body is None else body, nonce=nonce, **keys)).content)


async def test_an_offer_over_rest_holds_its_money_and_gives_it_back(world: Any) -> None:
    answer = await asked(world, "auth/w/funding/offer/submit", OFFER, nonce=1)
    assert answer[1:8:6] == ["fon-req", "Submitting funding offer of 1000 USD at 0.02 for 7 days."]
    (row,) = await asked(world, "auth/r/funding/offers/fUSD", nonce=2)
    offer = read_offer(row, event="rest", **READ)
    assert (offer.status, offer.period) == ("ACTIVE", 7)
    wallets = {tuple(row[:2]): row[4] for row in await asked(world, "auth/r/wallets", nonce=3)}
    assert wallets["funding", "USD"] == 49_000
    answer = await asked(world, "auth/w/funding/offer/cancel", {"id": offer.venue_id}, nonce=4)
    assert answer[1] == "foc-req"
    assert await asked(world, "auth/r/funding/offers", nonce=5) == []
    (row,) = await asked(world, "auth/r/funding/offers/hist", nonce=6)
    assert row[10] == "CANCELED"
    answer = await asked(world, "auth/w/funding/offer/cancel", {"id": offer.venue_id}, nonce=7)
    assert answer == ["error", 10001, "Offer not found."]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"amount": "1000000"}, [10001, "Invalid offer: not enough funding balance for 1000000 USD"]),
        ({"rate": "9"}, [10001, "rate: invalid"]),
        ({"period": 1}, [10020, "period: invalid"]),
        ({"symbol": "tBTCUSD"}, [10020, "symbol: invalid"]),
    ],
)
async def test_offers_are_refused_in_the_venues_words(world: Any, change: dict[str, Any], error: list[Any]) -> None:
    assert await asked(world, "auth/w/funding/offer/submit", OFFER | change, nonce=1) == ["error", *error]


async def test_offers_over_the_socket(world: Any) -> None:
    async with world.talker() as talker:
        await talker.authenticate()
        await talker.say([0, "fon", None, OFFER])
        row = await talker.account("fon")
        assert (await talker.account("n"))[6] == "SUCCESS"
        await talker.say([0, "fon", None, OFFER | {"amount": "999999"}])
        notice = await talker.account("n")
        assert (notice[1], notice[6], len(notice[4])) == ("fon-req", "ERROR", 21)
        await talker.say([0, "foc", None, {"id": row[0]}], [0, "foc", None, {"id": row[0]}])
        assert (await talker.account("foc"))[10] == "CANCELED"
        assert [(await talker.account("n"))[6] for _ in range(2)] == ["SUCCESS", "ERROR"]
        await talker.say([0, "fon", None, OFFER])
        await talker.account("fon")
    async with world.talker() as talker:
        await talker.authenticate(nonce=2)
        assert len(next(frame[2] for frame in talker.heard if isinstance(frame, list) and frame[1] == "fos")) == 1


async def test_cancelling_all_offers_of_a_currency(world: Any) -> None:
    for nonce in (1, 2):
        await asked(world, "auth/w/funding/offer/submit", OFFER, nonce=nonce)
    answer = await asked(world, "auth/w/funding/offer/cancel/all", {"currency": "USD"}, nonce=3)
    assert answer[1] == "foc_all-req"
    assert await asked(world, "auth/r/funding/offers", nonce=4) == []


async def test_a_withdrawal_leaves_a_movement_and_a_smaller_wallet(world: Any) -> None:
    wish = {"wallet": "exchange", "method": "bitcoin", "amount": "1", "address": "bc1", "payment_id": "p"}
    assert await asked(world, "auth/w/withdraw", wish, nonce=1) == ["error", 10001, "api_key: permission invalid"]
    answer = await asked(world, "auth/w/withdraw", wish, nonce=1, **BOB)
    assert (answer[1], answer[4][5]) == ("acc_wd-req", 1)
    (movement,) = read_movements(await asked(world, "auth/r/movements/BTC/hist", nonce=2, **BOB))
    assert movement.amount == -1
    info = await asked(world, "auth/r/movements/info", {"id": answer[4][0]}, nonce=3, **BOB)
    assert len(info) == 32
    assert world.exchange.snapshot("bob").wallets["exchange BTC"] == 9
    assert world.exchange.venue.books.total("BTC") == 20
    answer = await asked(world, "auth/w/withdraw", wish | {"amount": "100"}, nonce=4, **BOB)
    assert answer == ["error", 10001, "Invalid withdrawal: not enough exchange balance"]
    past = await asked(world, "auth/r/wallets/hist", {"end": 1, "currency": "BTC"}, nonce=5, **BOB)
    assert past[0][:3] == ["exchange", "BTC", 10]


async def test_a_deposit_address_is_the_accounts_own(world: Any) -> None:
    wish = {"wallet": "exchange", "method": "bitcoin"}
    mine = await asked(world, "auth/w/deposit/address", wish, nonce=1)
    theirs = await asked(world, "auth/w/deposit/address", wish, nonce=1, **BOB)
    assert mine[4][2] == "BTC"
    assert mine[4][4] != theirs[4][4]
    answer = await asked(world, "auth/w/deposit/address", wish | {"method": "shells"}, nonce=2)
    assert answer == ["error", 10020, "method: invalid"]


async def test_a_claimed_position_becomes_coins(world: Any) -> None:
    order = {"symbol": "tBTCUSD", "amount": "0.5", "cid": 6, "type": "MARKET"}
    await asked(world, "auth/w/order/submit", order, nonce=1)
    await world.exchange.replay(MAX_SPEED, wait_for_clients=False)
    (row,) = await asked(world, "auth/r/positions", nonce=2)
    info = await asked(world, "auth/r/position/increase/info", {"symbol": "tBTCUSD"}, nonce=3)
    assert info[0][1] == row[2]
    before = world.exchange.venue.books.total("USD")
    answer = await asked(world, "auth/w/position/claim", {"id": row[11]}, nonce=4)
    assert answer[1] == "pm-req"
    wallets = world.exchange.snapshot("alice").wallets
    assert wallets["margin BTC"] == row[2]
    assert world.exchange.venue.books.total("USD") == before
    assert await asked(world, "auth/r/positions", nonce=5) == []
    (closed,) = await asked(world, "auth/r/positions/hist", nonce=6)
    assert closed[1] == "CLOSED"
    assert (await asked(world, "auth/w/position/claim", {"id": row[11]}, nonce=7))[0] == "error"


async def test_what_lies_in_the_margin_wallet_becomes_a_position_and_comes_back_by_a_claim(world: Any) -> None:
    await world.exchange.replay(MAX_SPEED, wait_for_clients=False)
    totals = [world.exchange.venue.books.total(currency) for currency in ("USD", "BTC")]
    moved = {"from": "exchange", "to": "margin", "currency": "BTC", "amount": "1"}
    await asked(world, "auth/w/transfer", moved, nonce=1)
    answer = await asked(world, "auth/w/position/increase", {"symbol": "tBTCUSD", "amount": "0.75"}, nonce=2)
    assert (answer[1], answer[4][2]) == ("pmi-req", Decimal("0.75"))
    wallets = world.exchange.snapshot("alice").wallets
    price = world.exchange.venue.last_price(Symbol("tBTCUSD"))
    assert (wallets["margin BTC"], wallets["margin USD"]) == (Decimal("0.25"), 50_000 + Decimal("0.75") * price)
    for body in ({"amount": "9"}, {"amount": "-0.1"}):
        answer = await asked(world, "auth/w/position/increase", {"symbol": "tBTCUSD"} | body, nonce=3 + len(str(body)))
        assert answer[:2] == ["error", 10001]
    (row,) = await asked(world, "auth/r/positions", nonce=50)
    await asked(world, "auth/w/position/claim", {"id": row[11]}, nonce=51)
    wallets = world.exchange.snapshot("alice").wallets
    assert (wallets["margin BTC"], wallets["margin USD"]) == (1, 50_000)
    assert [world.exchange.venue.books.total(currency) for currency in ("USD", "BTC")] == totals


async def test_positions_are_kept_as_they_were_at_midnight(world: Any) -> None:
    order = {"symbol": "tBTCUSD", "amount": "0.5", "cid": 6, "type": "MARKET"}
    await asked(world, "auth/w/order/submit", order, nonce=1)
    await world.exchange.replay(MAX_SPEED, wait_for_clients=False)
    assert await asked(world, "auth/r/positions/snap", nonce=2) == []
    midnight_ms = START_MS + 86_400_000
    world.exchange.boundary(Symbol("tBTCUSD"), midnight_ms + 5_000)
    (row,) = await asked(world, "auth/r/positions/snap", nonce=3)
    assert (row[0], row[2], row[13], row[6] is not None) == ("tBTCUSD", Decimal("0.5"), midnight_ms, True)
    fees = (await asked(world, "auth/r/summary", nonce=4))[5]
    assert fees[2] == fees[0][0]["vol"] == Decimal("0.5") * row[3]
    assert fees[0][0]["vol_maker"] == 0


async def test_interest_that_has_run_is_shown_as_unsettled(world: Any) -> None:
    low = OFFER | {"rate": "0.00001"}
    await asked(world, "auth/w/funding/offer/submit", low, nonce=1)
    for minute in range(1, 20):
        world.exchange.boundary(Symbol("tBTCUSD"), START_MS + minute * 60_000)
    wallets = {tuple(row[:2]): row for row in await asked(world, "auth/r/wallets", nonce=2)}
    assert 0 < wallets["funding", "USD"][3] < Decimal("0.001")
    assert wallets["exchange", "USD"][3] == 0


async def test_statistics_rankings_addresses_and_changes_of_an_account(world: Any) -> None:
    last = (await world.get("stats1/pos.size:1m:tBTCUSD:long/last")).json()
    rows = (await world.get("stats1/pos.size:1m:tBTCUSD:long/hist?limit=5")).json()
    assert rows[0] == last
    assert [later[0] - earlier[0] for earlier, later in zip(rows[1:], rows, strict=False)] == [60_000] * 4
    for name in ("funding.size:1m:fUSD", "credits.size:1m:fUSD", "credits.size.sym:1m:fUSD:tBTCUSD", "vol.7d:30m:BFX"):
        assert (await world.get(f"stats1/{name}/last")).json()[1] > 0, name
    assert (await world.get("stats1/vwap:1d:tBTCUSD/hist?limit=1")).json()[0][1] == pytest.approx(8000, rel=0.01)
    for name in ("pos.size:1m:tBTCUSD", "vwap:1d:tNOPEUSD", "funding.size:1m:fNOPE", "nope"):
        assert (await world.get(f"stats1/{name}/last")).json() == ["error", 10020, "key: invalid"], name
    leaders = (await world.get("rankings/vol:1w:tBTCUSD/hist?limit=3")).json()
    assert ([row[3] for row in leaders], len(leaders[0])) == ([1, 2, 3], 10)
    assert leaders[0][6] > leaders[2][6]
    assert (await world.get("rankings/vol:9w:tBTCUSD/hist")).json() == ["error", 10020, "key: invalid"]
    async with world.talker() as talker:
        await talker.authenticate()
    (changed,) = await asked(world, "auth/r/audit/hist", nonce=2)
    assert (len(changed), changed[5]) == (7, "127.0.0.1")
    addresses = await asked(world, "auth/r/deposit/address/all", {"method": "bitcoin"}, nonce=3)
    assert len({row[4] for row in addresses}) == 3
    invoice = await asked(world, "auth/w/deposit/invoice", {"wallet": "exchange", "amount": "0.001"}, nonce=4)
    assert (len(invoice[0]), invoice[4]) == (64, Decimal("0.001"))


async def test_an_alert_is_told_once_when_the_price_is_reached(world: Any) -> None:
    async with world.talker() as talker:
        await talker.authenticate()
        last = world.exchange.market.feeds[Symbol("tBTCUSD")].last
        wish = {"type": "price", "symbol": "tBTCUSD", "price": str(last + 0.5)}
        row = await asked(world, "auth/w/alert/set", wish, nonce=2)
        assert row[1:3] == ["price", "tBTCUSD"]
        assert len(await asked(world, "auth/r/alerts", {"type": "price"}, nonce=3)) == 1
        await world.exchange.replay(MAX_SPEED, wait_for_clients=False)
        notice = await talker.account("n")
        assert (notice[1], notice[4][2]) == ("uca", "tBTCUSD")
        assert await asked(world, "auth/r/alerts", nonce=4) == []
        await asked(world, "auth/w/alert/set", wish | {"price": "1"}, nonce=5)
        assert await asked(world, "auth/w/alert/price:tBTCUSD:1/del", nonce=6) == [True]
        assert (await asked(world, "auth/w/alert/price:tBTCUSD:1/del", nonce=7))[0] == "error"


async def test_settings_are_kept_by_key(world: Any) -> None:
    wish = {"settings": {"api:layout": {"size": 1.5}, "api:theme": "dark"}}
    assert (await asked(world, "auth/w/settings/set", wish, nonce=1))[4] == [2]
    kept = (await world.post("auth/r/settings", {"keys": ["api:layout", "api:nope"]}, nonce=2)).json()
    assert kept == [["api:layout", {"size": 1.5}]]
    assert (await asked(world, "auth/w/settings/del", {"settings": ["api:theme"]}, nonce=3))[4] == [1]
    assert (await asked(world, "auth/w/settings/set", {"settings": {"other": 1}}, nonce=4))[0] == "error"


async def test_a_token_stands_for_its_key_until_it_is_withdrawn(world: Any) -> None:
    token = read_token(
        await asked(world, "auth/w/token", {"scope": "api", "ttl": 60, "writePermission": False}, nonce=1)
    )
    order = {"type": "EXCHANGE MARKET", "symbol": "tBTCUSD", "amount": "0.1"}
    async with httpx.AsyncClient(base_url=world.address.rest, headers={"bfx-token": token}) as client:
        assert (await client.post("/v2/auth/r/wallets")).status_code == 200
        answer = await client.post("/v2/auth/w/order/submit", json=order)
        assert answer.json()[2] == "api_key: permission invalid"
        async with world.talker() as talker:
            await talker.say({"event": "auth", "token": token})
            assert (await talker.event("auth"))["status"] == "OK"
        await asked(world, "auth/w/token/del", {"token": token}, nonce=2)
        assert (await client.post("/v2/auth/r/wallets")).json() == ["error", 10100, "token: invalid"]
    assert len(read_logins(await asked(world, "auth/r/logins/hist", nonce=3))) == 1


async def test_orders_without_a_client_id_get_different_ones(world: Any) -> None:
    order = {"type": "EXCHANGE LIMIT", "symbol": "tBTCUSD", "amount": "0.1", "price": "7000"}
    notices = [read_notice(await asked(world, "auth/w/order/submit", order, nonce=n), **READ) for n in (1, 2)]
    assert notices[0].cid != notices[1].cid
