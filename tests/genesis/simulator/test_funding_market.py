"""The made-up funding market and derivative status: the same for everybody, whole for whoever follows it."""

import json
from typing import Any

import pytest

from genesis.simulator.funding_market import (
    CLAMP_MAX,
    STEP_MS,
    FundingLevel,
    FundingView,
    derivative_row,
    funding_book,
    funding_candles,
    funding_candles_from,
    funding_ticker,
    rate_at,
    trades_between,
)
from genesis.simulator.replay_driver import MAX_SPEED
from protocols.bitfinex.events import FrameRefused
from protocols.bitfinex.session import PublicSession
from protocols.bitfinex.subscriptions import book, candles, derivative_status, ticker, trades
from protocols.bitfinex.wire_book import new_book
from protocols.market import CandleSnapshot, CandleUpdate, DerivStatus, FundingPrint, FundingTicker
from tests.genesis.simulator.conftest import START_MS

OFFER = {"type": "LIMIT", "symbol": "fUSD", "amount": "1000", "rate": "0.00001", "period": 7}


@pytest.mark.parametrize("currency", ["USD", "BTC", "XRP"])
def test_rates_move_little_and_books_do_not_cross(currency: str) -> None:
    at_ms = START_MS
    for _ in range(300):
        at_ms += STEP_MS
        before, now = rate_at(currency, at_ms - STEP_MS), rate_at(currency, at_ms)
        assert now > 0
        assert abs(now / before - 1) < 0.06
    bids, asks = funding_book(currency, at_ms)
    assert bids[0].rate < asks[0].rate
    assert all(level.amount < 0 for level in bids)
    assert all(level.amount > 0 for level in asks)
    row = funding_ticker(currency, at_ms)
    assert len(row) == 16
    assert row[12] <= row[9] <= row[11]


def test_trades_and_candles_are_windows_of_one_past() -> None:
    end_ms = START_MS + 3_600_000
    every = trades_between("USD", START_MS, end_ms, 10_000, oldest_first=True)
    assert [each.time_ms for each in every] == list(range(START_MS, end_ms + 1, STEP_MS))
    assert len({each.trade_id for each in every}) == len(every)
    assert trades_between("USD", START_MS, end_ms, 5, oldest_first=False) == every[:-6:-1]
    for timeframe in ("1m", "1h", "4h", "1D", "7D", "1M"):
        newest = list(funding_candles("USD", timeframe, 0, end_ms, end_ms, 12))
        oldest = list(funding_candles_from("USD", timeframe, newest[-1][0], end_ms, end_ms, 12))
        assert oldest == newest[::-1], timeframe
        assert all(row[4] <= min(row[1], row[2]) <= max(row[1], row[2]) <= row[3] for row in newest)


@pytest.mark.parametrize("precision", ["P0", "P2", "R0"])
def test_a_book_followed_by_differences_is_the_book(precision: str) -> None:
    view = FundingView(precision, 25)
    at_ms = START_MS
    view.update(*funding_book("USD", at_ms))
    followed = new_book(precision=precision, funding=True)
    for row in json.loads(view.snapshot()):
        followed.apply(row, None)
    own = [FundingLevel(5, 0.000001, 2, 1, 10.0)]
    for step in range(60):
        at_ms += STEP_MS
        for text in view.update(*funding_book("USD", at_ms, own if step % 3 == 0 else ())):
            followed.apply(json.loads(text), None)
        assert followed.unknown_deletes == 0
        fresh = new_book(precision=precision, funding=True)
        for row in json.loads(view.snapshot()):
            fresh.apply(row, None)
        assert followed.best_bids(25) == fresh.best_bids(25)
        assert followed.best_asks(25) == fresh.best_asks(25)


def test_funding_of_a_perpetual_is_clamped_and_due_every_eight_hours() -> None:
    for hour in range(48):
        row = derivative_row("tBTCF0:USTF0", 8000.0, START_MS + hour * 3_600_000)
        assert len(row) == 23
        assert 0 < row[7] - row[0] <= 8 * 3_600_000
        assert row[7] % (8 * 3_600_000) == 0
        assert abs(row[8]) <= CLAMP_MAX
        assert min(row[2], row[3]) <= row[14] <= max(row[2], row[3])


async def test_a_session_of_ours_follows_all_of_it(world: Any) -> None:
    streams = (
        ticker("fUSD"),
        trades("fUSD"),
        book("fUSD"),
        book("fBTC", precision="R0"),
        candles("fUSD", "1m", "p30"),
        derivative_status("tBTCF0:USTF0"),
    )
    session = PublicSession(session=1)
    told: list[Any] = []
    async with world.talker() as talker:
        for stream in streams:
            await talker.say(session.send_subscribe(stream))
        world.nursery.start_soon(lambda: world.exchange.replay(MAX_SPEED, wait_for_clients=False))
        await world.exchange.ended.wait()
        # The answer comes behind everything that was said before.
        await talker.say({"event": "ping"})
        await talker.event("pong")
    for text in talker.raw:
        told += session.receive(text, 1)
    assert not [each for each in told if isinstance(each, FrameRefused)]
    kinds = {type(each) for each in told}
    assert {FundingTicker, FundingPrint, CandleSnapshot, CandleUpdate, DerivStatus} <= kinds
    prints = [each for each in told if isinstance(each, FundingPrint)]
    assert len({each.trade_id for each in prints}) == len(prints) > 50
    for stream in streams[2:4]:
        levels = session.levels(stream)
        assert levels is not None
        assert len(levels.bids) == len(levels.asks) == 25


async def test_rest_tells_the_same_market_and_an_offer_of_ours_stands_in_it(world: Any) -> None:
    row = (await world.get("ticker/fUSD")).json()
    assert len(row) == 16
    assert (await world.get("tickers?symbols=fUSD,fNOPE,tBTCUSD")).json()[0] == ["fUSD", *row]
    assert (await world.get("ticker/fNOPE")).json() == ["error", 10020, "symbol: invalid"]
    levels = (await world.get("book/fUSD/P0?len=25")).json()
    assert (len(levels), len(levels[0])) == (50, 4)
    assert (await world.get("trades/fUSD/hist?limit=3")).json()[0][4] in (2, 7, 30, 120)
    rows = (await world.get("candles/trade:1m:fUSD:p30/hist?limit=5")).json()
    assert [later[0] - earlier[0] for earlier, later in zip(rows[1:], rows, strict=False)] == [60_000] * 4
    oldest = (await world.get(f"candles/trade:1m:fUSD:p30/hist?limit=2&sort=1&start={rows[-1][0]}")).json()
    assert oldest == rows[:-3:-1]
    assert (await world.get("candles/trade:1m:fUSD:p30/last")).json() == rows[0]
    assert len((await world.get("funding/stats/fUSD/hist?limit=4")).json()) == 4
    (status, _) = (await world.get("status/deriv?keys=ALL")).json()
    assert (status[0], len(status)) == ("tBTCF0:USTF0", 24)
    assert len((await world.get("status/deriv/tBTCF0:USTF0/hist?limit=7")).json()) == 7
    await world.post("auth/w/funding/offer/submit", OFFER, nonce=1)
    after = (await world.get("book/fUSD/R0?len=25")).json()
    assert [level[2] for level in after if level[3] == 1000] == [0.00001]
