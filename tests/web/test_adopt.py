"""Giving away what a strategy holds, over the API."""

from decimal import Decimal

import msgspec

from protocols.orders import Adopt
from protocols.risk import StrategyHolding
from protocols.signals import StrategyView
from protocols.units import Symbol
from tests.web.fakes import Told, a_lot, a_web, an_account, some_readers

V2 = "/api/v2"


def a_strategy(name: str) -> StrategyView:
    return StrategyView(
        strategy=name,
        kind="ema_cross",
        version=1,
        symbol=Symbol("tBTCUSD"),
        timeframe="1m",
        parameters={},
        scores=0,
        last_open_ms=0,
        fault="",
        own=False,
    )


async def test_what_a_strategy_holds_is_given_to_one_that_runs_or_to_a_person() -> None:
    told = Told()
    lots = (a_lot("tBTCUSD", "old"), a_lot("tETHUSD", "old"), a_lot("tETHUSD", "ema"))
    readers = some_readers(brackets=lambda: lots, strategies=lambda: (a_strategy("ema"), a_strategy("btc")))
    async with a_web(told=told, readers=readers).client() as client:
        path = f"{V2}/positions/adopt"
        for wish, status, code in (
            ({"owner": "nobody", "heir": "manual"}, 404, "no_position"),
            ({"owner": "old", "heir": "stranger"}, 422, "invalid"),
            ({"owner": "ema", "heir": "ema"}, 422, "invalid"),
            ({"owner": "old", "heir": "ema"}, 409, "heir_holds"),
        ):
            answer = await client.post(path, json=wish)
            assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), answer.text
        answer = await client.post(path, json={"owner": "ema", "heir": "btc", "symbol": "tETHUSD"})
        assert answer.status_code == 422
        assert "heir must be manual or a strategy that trades tETHUSD" in answer.json()["error"]["message"]
        answer = await client.post(path, json={"owner": "old", "heir": "ema", "symbol": "tBTCUSD", "reason": "renamed"})
        assert answer.status_code == 202
        assert answer.json()["message"] == "tBTCUSD went from old to ema, with the stops around it"
    (adopt,) = told.messages
    assert isinstance(adopt, Adopt)
    assert (adopt.symbol, adopt.owner, adopt.heir, adopt.reason) == ("tBTCUSD", "old", "ema", "renamed (tester)")


async def test_coins_without_levels_are_in_no_lot_and_are_given_too() -> None:
    told = Told()
    holding = StrategyHolding(symbol=Symbol("tBTCUSD"), strategy="old", quantity=Decimal(1))
    account = msgspec.structs.replace(an_account(), owners=(holding,))
    readers = some_readers(account=lambda: account, brackets=lambda: (), strategies=lambda: (a_strategy("ema"),))
    async with a_web(told=told, readers=readers).client() as client:
        path = f"{V2}/positions/adopt"
        assert (await client.post(path, json={"owner": "old", "heir": "ema", "symbol": "tETHUSD"})).status_code == 404
        answer = await client.post(path, json={"owner": "old", "heir": "ema"})
        assert (answer.status_code, answer.json()["message"]) == (202, "tBTCUSD went from old to ema")
    assert len(told.messages) == 1
