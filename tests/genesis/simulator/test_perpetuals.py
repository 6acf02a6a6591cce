"""Contracts over the wire: asleep until asked for, traded on collateral, paid for every eight hours, taken away."""

import random
from decimal import Decimal
from typing import Any

import pytest

from genesis.core.clock import TrioClock
from genesis.domain.replay import CandleRow
from genesis.simulator.exchange import Exchange
from genesis.simulator.feed import Feed
from genesis.simulator.funding_market import CLAMP_MAX, FUNDING_EVENT_MS, funding_rate_at
from genesis.simulator.perpetuals import contract_price
from genesis.simulator.replay_driver import MAX_SPEED
from genesis.simulator.settings import ExchangeSettings
from protocols.bitfinex.rest import read_deriv_statuses, read_liquidations
from protocols.units import Symbol
from tests.genesis.simulator.conftest import START_MS
from tests.genesis.simulator.test_rest_desk import asked

BTC, PERP = Symbol("tBTCUSD"), Symbol("tBTCF0:USTF0")
LONG = {"type": "MARKET", "symbol": PERP, "amount": "0.1", "lev": 20}


def trades(world: Any, price: float, at_ms: int) -> None:
    """The pair trades once."""
    exchange = world.exchange
    exchange.tick(BTC, exchange.print_of(BTC, price, 0.5, at_ms), None, at_ms)


async def test_a_contract_sleeps_until_somebody_asks_for_it(world: Any) -> None:
    await world.exchange.replay(MAX_SPEED, wait_for_clients=False)
    assert world.exchange.perpetuals.awake == {}
    assert world.exchange.venue.last_price(PERP) is None
    rows = (await world.get(f"candles/trade:1m:{PERP}/hist?limit=10000")).json()
    spot = (await world.get("candles/trade:1m:tBTCUSD/hist?limit=10000")).json()
    assert [row[0] for row in rows] == [row[0] for row in spot]
    assert [row[2] for row in rows] == [contract_price(PERP, row[2], row[0]) for row in spot]
    assert world.exchange.perpetuals.awake == {BTC: [PERP]}
    ticker = (await world.get(f"ticker/{PERP}")).json()
    assert ticker[6] == rows[0][2] == float(world.exchange.venue.last_price(PERP))
    (status,) = read_deriv_statuses((await world.get(f"status/deriv?keys={PERP}")).json(), received_ns=0)
    assert status.deriv_price == contract_price(PERP, spot[0][2], world.exchange.venue_ms())
    assert (await world.get("conf/pub:list:pair:futures,pub:map:currency:undl")).json()[0][0] == "BTCF0:USTF0"


async def test_candles_made_asleep_and_awake_are_the_same(open_world: Any) -> None:
    found = []
    for early in (True, False):
        async with open_world() as world:
            if early:
                world.exchange.wake(PERP)
            await world.exchange.replay(MAX_SPEED, wait_for_clients=False)
            found.append((await world.get(f"candles/trade:1m:{PERP}/hist?limit=10000")).json())
    assert found[0] == found[1]
    assert len(found[0]) > 60


async def test_a_contract_from_subscription_to_the_closed_position(world: Any) -> None:
    async with world.talker() as talker:
        await talker.authenticate()
        number, snapshot = await talker.subscribe("ticker", symbol=PERP)
        assert len(snapshot) == 10
        book, levels = await talker.subscribe("book", symbol=PERP)
        assert len(levels) == 50
        assert (await talker.order(**LONG))[6] == "SUCCESS"
        trades(world, 8000.0, START_MS + 1_000)
        row = await talker.account("pn")
        assert (row[0], row[2], row[9], row[15]) == (PERP, 0.1, pytest.approx(20, 1e-6), 1)
        assert row[17] == pytest.approx(8000 * 0.1 / 20, rel=0.01)
        assert row[19]["reason"] == "TRADE"
        # The market's move was told before what it did to the account.
        ticker = [frame[1] for frame in talker.heard if isinstance(frame, list) and frame[0] == number][-1]
        assert ticker[6] == pytest.approx(row[3], rel=0.001)
        (told,) = await asked(world, "auth/r/positions", nonce=2)
        assert None not in (told[6], told[7], told[8], told[18])
        wallets = {tuple(row[:2]): row for row in await asked(world, "auth/r/wallets", nonce=3)}
        usdt = wallets["margin", "USTF0"]
        assert usdt[2] - usdt[4] == told[17]
        (size,) = await asked(
            world,
            "auth/calc/order/avail",
            {"symbol": PERP, "dir": -1, "type": "DERIV", "rate": "8000", "lev": 50},
            nonce=4,
        )
        assert size == -round(usdt[4] * 50 / 8000, 8)
        base = await asked(world, "auth/r/info/margin/base", nonce=5)
        assert base[1][2] == 50_000
        least, most = await asked(world, "auth/calc/deriv/collateral/limits", {"symbol": PERP}, nonce=6)
        assert least < told[17] < most
        for nonce, (amount, answer) in enumerate(
            (("500", [[1]]), (str(least / 2), "collateral: market risk"), ("1000000", "not enough margin balance")), 7
        ):
            found = await asked(
                world, "auth/w/deriv/collateral/set", {"symbol": PERP, "collateral": amount}, nonce=nonce
            )
            assert found == answer or answer in found[2]
        assert (await talker.account("pu"))[17] == 500
        assert (await talker.order(type="MARKET", symbol=PERP, amount="-0.1", cid=2, flags=1024))[6] == "SUCCESS"
        trades(world, 8100.0, START_MS + 2_000)
        assert (await talker.account("pc"))[1] == "CLOSED"
        assert world.exchange.venue.accounts["alice"].wallet("margin", "USTF0").balance > 10_000
        assert book != number


async def test_funding_is_paid_at_the_event_at_the_rate_that_was_told(world: Any) -> None:
    event_ms = next(
        START_MS + n * FUNDING_EVENT_MS
        for n in range(1, 20)
        if funding_rate_at(PERP, START_MS + n * FUNDING_EVENT_MS) > 0
    )
    rate = Decimal(repr(funding_rate_at(PERP, event_ms)))
    assert 0 < rate <= Decimal(repr(CLAMP_MAX))
    world.exchange.time_ms = event_ms - 60_000
    async with world.talker() as talker:
        await talker.authenticate()
        await talker.order(**LONG)
        trades(world, 8000.0, event_ms - 50_000)
        (status,) = (await world.get(f"status/deriv?keys={PERP}")).json()
        assert status[8] == event_ms
        trades(world, 8000.0, event_ms - 1)
        mark = world.exchange.venue.value_price(PERP)
        trades(world, 8000.0, event_ms + 1)
        trades(world, 8000.0, event_ms + 2)
        (entry,) = await asked(world, "auth/r/ledgers/USTF0/hist", {"category": 29}, nonce=2)
        assert entry[5] == -round(Decimal("0.1") * mark * rate, 8)
        assert (await world.get(f"status/deriv?keys={PERP}")).json()[0][12] == float(rate)


async def test_a_liquidation_is_told_to_its_owner_and_to_everybody(world: Any) -> None:
    async with world.talker() as talker, world.talker() as public:
        await talker.authenticate()
        channel, snapshot = await public.subscribe("status", key="liq:global")
        assert snapshot == []
        await talker.order(**LONG)
        trades(world, 8000.0, START_MS + 1_000)
        trades(world, 7640.0, START_MS + 2_000)
        warning = await talker.account("n")
        assert (warning[1], warning[6], warning[4][0]) == ("margin_call", "INFO", PERP)
        trades(world, 7500.0, START_MS + 3_000)
        news = await talker.account("n")
        assert (news[1], news[6]) == ("liquidation", "INFO")
        assert (await talker.account("oc"))[13].startswith("FORCED EXECUTED @")
        closed = await talker.account("pc")
        assert closed[19]["reason"] == "LIQUIDATION"
        rows = [(await public.hear_until(lambda frame: frame[0] == channel and frame[1] != "hb"))[1] for _ in range(2)]
        assert [row[0][8] for row in rows] == [0, 1]
        assert rows[0][0][1] == closed[11]
    told = read_liquidations((await world.get("liquidations/hist")).json(), received_ns=0)
    assert [(each.symbol, each.amount, each.is_match) for each in told] == [(PERP, 0.1, True), (PERP, 0.1, False)]
    (entry,) = await asked(world, "auth/r/ledgers/hist", {"category": 22}, nonce=2)
    assert f"Position #{told[0].position_id} liquidated" in entry[8]


async def test_paper_accounts_have_contracts_of_their_own(world: Any) -> None:
    paper = {"key": "paper-key", "secret": "paper-secret"}
    order = LONG | {"cid": 1, "symbol": "tTESTBTCF0:TESTUSDTF0"}
    assert (await asked(world, "auth/w/order/submit", order, nonce=1, **paper))[6] == "SUCCESS"
    assert (await asked(world, "auth/w/order/submit", LONG | {"cid": 2}, nonce=2, **paper))[2] == "symbol: invalid"
    trades(world, 8000.0, START_MS + 1_000)
    assert len(await asked(world, "auth/r/positions", nonce=3, **paper)) == 1


async def test_money_becomes_money_of_contracts_and_nothing_else(world: Any) -> None:
    wish = {"from": "exchange", "to": "margin", "currency": "UST", "currency_to": "USTF0", "amount": "100"}
    assert (await asked(world, "auth/w/transfer", wish, nonce=1))[6] == "SUCCESS"
    assert world.exchange.snapshot("alice").wallets["margin USTF0"] == 10_100
    refused = await asked(world, "auth/w/transfer", wish | {"currency": "BTC", "amount": "1"}, nonce=2)
    assert refused == ["error", 10020, "currency_to: invalid"]


async def test_a_position_in_a_contract_survives_the_process(open_world: Any, tmp_path: Any) -> None:
    async with open_world(state=tmp_path / "venue.json") as world:
        await asked(world, "auth/w/order/submit", LONG | {"cid": 1}, nonce=1)
        trades(world, 8000.0, START_MS + 1_000)
    async with open_world(state=tmp_path / "venue.json") as world:
        assert world.exchange.perpetuals.awake == {BTC: [PERP]}
        (row,) = await asked(world, "auth/r/positions", nonce=2)
        assert (row[0], row[17] > 0, row[6] is not None) == (PERP, True, True)


def test_beside_a_relayed_market_a_contract_is_the_real_one_and_nothing_is_made_up() -> None:
    exchange = Exchange(ExchangeSettings(), [BTC, PERP], TrioClock(), random.Random(1))
    exchange.market.feeds[PERP] = real = Feed(PERP, [CandleRow(START_MS, 1.0, 1.0, 1.0, 1.0, 1.0)])
    exchange.market.feeds[BTC] = Feed(BTC, [CandleRow(START_MS, 2.0, 2.0, 2.0, 2.0, 1.0)])
    exchange.wake(PERP)
    assert exchange.market.feeds[PERP] is real
