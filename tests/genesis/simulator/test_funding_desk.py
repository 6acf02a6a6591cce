"""Money lent over the wire: taken by the made-up market, told on every channel, paid for, and back in the wallet."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from pathlib import Path
from typing import Any

from genesis.simulator.funding_market import DAY_MS, STEP_MS
from protocols.bitfinex.account_session import AccountSession
from protocols.bitfinex.funding_rows import read_loan
from protocols.bitfinex.rest_account import read_own_funding_trades
from protocols.funding import FundingLoan, FundingOffer, FundingTrade
from tests.genesis.simulator.conftest import START_MS
from tests.genesis.simulator.test_account_channel import tick
from tests.genesis.simulator.test_rest_desk import asked

LOW = {"type": "LIMIT", "symbol": "fUSD", "amount": "1000", "rate": "0.00001", "period": 2}
"""Far below what the market pays."""
FRR = {"type": "FRRDELTAVAR", "symbol": "fUSD", "amount": "400", "rate": "0", "period": 2}


def goes_on(world: Any, until_ms: int) -> None:
    """Venue time goes on to this moment, a step at a time at first, then at once."""
    at_ms = world.exchange.venue_ms()
    for _ in range(60):
        at_ms = min(at_ms + STEP_MS, until_ms)
        world.exchange.boundary(world.exchange.symbols[0], at_ms)
    world.exchange.boundary(world.exchange.symbols[0], until_ms)


async def test_an_offer_is_taken_earns_and_comes_back_and_everybody_hears_of_it(world: Any) -> None:
    session = AccountSession(session=1, api_key="alice-key", api_secret="alice-secret")
    async with world.talker() as talker, world.talker() as public:
        await talker.authenticate()
        channel, _ = await public.subscribe("trades", symbol="fUSD")
        await talker.say([0, "fon", None, LOW])
        await talker.account("n")
        goes_on(world, START_MS + 15 * 60_000)
        offer, trade = await talker.account("foc"), await talker.account("fte")
        assert offer[10].startswith("EXECUTED at 0.001% (")
        await public.hear_until(lambda frame: frame[:2] == [channel, "fte"] and frame[2][0] == trade[0])
        first = (await world.get(f"trades/fUSD/hist?start={trade[2]}&end={trade[2]}&limit=500")).json()
        assert [trade[0], trade[2], trade[4], trade[5], 2] in first
        for day in (1, 3):
            goes_on(world, START_MS + day * DAY_MS)
        await talker.say([0, "fon", None, FRR])
        await talker.account("n")
        goes_on(world, START_MS + 3 * DAY_MS + 3_600_000)
        await talker.say({"event": "ping"})
        await talker.event("pong")
        events = [event for text in talker.raw for event in session.receive(text, 1)]
    offers = [event for event in events if isinstance(event, FundingOffer)]
    loans = [event for event in events if isinstance(event, FundingLoan)]
    trades = [event for event in events if isinstance(event, FundingTrade)]
    assert {event.event for event in trades} == {"fte", "ftu"}
    assert {event.event for event in offers} <= {"fon", "fou", "foc"}
    assert {event.event[2] for event in loans} == {"n", "u", "c"}
    assert sum(loan.amount for loan in loans if loan.event[2] == "n") == 1400
    # Over REST: nothing of the first offer is open, and the second is.
    rows = await asked(world, "auth/r/funding/credits/fUSD", nonce=2)
    rows += await asked(world, "auth/r/funding/loans", nonce=3)
    open_loans = [read_loan(row, event="rest", session=0, received_ns=0, length=len(row)) for row in rows]
    assert sum(loan.amount for loan in open_loans) == 400
    assert {loan.rate_type for loan in open_loans} == {"VAR"}
    ended = await asked(world, "auth/r/funding/loans/fUSD/hist", nonce=4)
    ended += await asked(world, "auth/r/funding/credits/hist", nonce=5)
    assert sum(row[5] for row in ended) == 1000
    assert {row[7] for row in ended} == {"CLOSED"}
    own = read_own_funding_trades(
        await asked(world, "auth/r/funding/trades/fUSD/hist", nonce=6), session=0, received_ns=0
    )
    assert sum(one.amount for one in own) == 1400
    paid = await asked(world, "auth/r/ledgers/USD/hist", {"category": 28, "wallet": "funding"}, nonce=7)
    # Two days of 1000 at 0.001 % a day, less 15 %.
    assert sum(row[5] for row in paid) == Decimal("0.017")
    assert {row[8] for row in paid} == {"Margin Funding Payment on wallet funding"}
    wallets = {tuple(row[:2]): row for row in await asked(world, "auth/r/wallets", nonce=8)}
    assert wallets["funding", "USD"][2] - wallets["funding", "USD"][4] == 400
    yields = await asked(world, "auth/r/info/funding/fUSD", nonce=9)
    assert (yields[2][1] > 0, yields[2][3]) == (True, 2)


async def test_a_margin_position_is_funded_and_its_owner_hears_of_it_and_pays(world: Any) -> None:
    async with world.talker() as talker:
        await talker.authenticate()
        order = {"cid": 1, "type": "MARKET", "symbol": "tBTCUSD", "amount": "0.1"}
        await talker.say([0, "on", None, order])
        await talker.account("on")
        tick(world, 8000.0)
        goes_on(world, START_MS + STEP_MS)
        credit = await talker.account("fcn")
        base_price = world.exchange.venue.accounts["alice"].positions["tBTCUSD"].base_price
        assert (credit[1], credit[2], credit[5]) == ("fUSD", -1, round(float(base_price) / 10, 8))
        goes_on(world, START_MS + DAY_MS)
        await talker.account("fcu")
        assert "Used Margin Funding Charge" in talker.heard[-2][2][5], "the wallet says what for"
        goes_on(world, START_MS + DAY_MS + 3_600_000)
        await talker.say([0, "calc", None, [["margin_base"]]])
        swaps = (await talker.account("miu"))[1][1]
        assert 0 < swaps < 1, "owed since it was paid last"
        await talker.say([0, "on", None, order | {"cid": 2, "amount": "-0.1"}])
        await talker.account("on")
        tick(world, 8000.0)
        assert (await talker.account("fcc"))[0] == credit[0]


async def test_a_flash_rate_offer_stands_in_the_tickers_amount(world: Any) -> None:
    before = (await world.get("ticker/fUSD")).json()[15]
    await asked(world, "auth/w/funding/offer/submit", FRR, nonce=1)
    assert (await world.get("ticker/fUSD")).json()[15] == before + 400


async def test_borrowing_renewing_keeping_and_giving_back(world: Any) -> None:
    bid = LOW | {"amount": "-700", "rate": "0.01"}
    await asked(world, "auth/w/funding/offer/submit", bid, nonce=1)
    goes_on(world, START_MS + 15 * 60_000)
    rows = await asked(world, "auth/r/funding/loans/fUSD", nonce=2)
    assert {row[2] for row in rows} == {-1}
    number = rows[0][0]
    assert (await asked(world, "auth/w/funding/keep", {"type": "loan", "id": [number]}, nonce=3))[1] == "fk-req"
    assert (await asked(world, "auth/r/funding/loans/fUSD", nonce=4))[0][20] == 1
    for each, row in enumerate(rows):
        answer = await asked(world, "auth/w/funding/close", {"id": row[0]}, nonce=5 + each)
        assert answer[1] == "fc-req"
    assert await asked(world, "auth/r/funding/loans", nonce=50) == []
    assert (await asked(world, "auth/w/funding/close", {"id": number}, nonce=51))[2] == "Funding not found."
    charged = await asked(world, "auth/r/ledgers/USD/hist", {"category": 228}, nonce=52)
    assert charged[0][5] < 0
    wish = {"status": 1, "currency": "USD", "amount": "250", "rate": "0.05", "period": 5}
    assert (await asked(world, "auth/w/funding/auto", wish, nonce=53))[4] == ["USD", 5, Decimal("0.05"), 250]
    goes_on(world, START_MS + 20 * 60_000)
    (offer,) = await asked(world, "auth/r/funding/offers", nonce=54)
    assert (offer[4], offer[15], offer[19]) == (250, 5, 1)
    assert (await asked(world, "auth/w/funding/auto", {"status": 0, "currency": "USD"}, nonce=55))[6] == "SUCCESS"
    bad = [wish | {"currency": "NOPE"}, wish | {"period": 1}, wish | {"rate": "9"}, wish | {"status": 7}]
    for each, body in enumerate(bad):
        assert (await asked(world, "auth/w/funding/auto", body, nonce=60 + each))[:2] == ["error", 10020]


async def test_loans_are_in_the_next_sessions_snapshots_and_survive_the_process(
    open_world: Callable[..., AbstractAsyncContextManager[Any]], tmp_path: Path
) -> None:
    async with open_world(state=tmp_path / "venue.json") as world:
        await asked(world, "auth/w/funding/offer/submit", LOW | {"period": 30}, nonce=1)
        goes_on(world, START_MS + 15 * 60_000)
        before = world.exchange.snapshot("alice").wallets["funding USD"]
    async with open_world(state=tmp_path / "venue.json") as world:
        async with world.talker() as talker:
            await talker.authenticate(nonce=2)
            told = {frame[1]: frame[2] for frame in talker.heard if isinstance(frame, list)}
        assert sum(row[5] for row in (*told["fcs"], *told["fls"])) == 1000
        assert {len(row) for row in told["fcs"]} <= {22}
        goes_on(world, START_MS + 31 * DAY_MS)
        assert world.exchange.snapshot("alice").wallets["funding USD"] > before
        assert await asked(world, "auth/r/funding/credits", nonce=3) == []
