"""Paper trading: one simulator plays the real venue, the relay moves a second one by it, and orders stay there."""

import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from decimal import Decimal

import attrs
import pytest
import trio

from genesis.core.clock import TrioClock
from genesis.domain.matching import FillModel, FillWhen
from genesis.domain.recording import CandleRecording
from genesis.domain.rest_budget import RestBudget
from genesis.edge.http import HttpClient
from genesis.edge.rest import RestDoor
from genesis.edge.websocket import fast_websocket
from genesis.simulator.exchange import Exchange
from genesis.simulator.faults import FaultKind, FaultRule
from genesis.simulator.recordings import load
from genesis.simulator.relay import Relay
from genesis.simulator.settings import AccountTerms, ExchangeSettings
from protocols.bitfinex.inputs import NewOrder
from protocols.units import Symbol, exact

BTC = Symbol("tBTCUSD")


@attrs.frozen
class Two:
    """The venue that is played, the exchange that follows it, and what leads from one to the other."""

    real: Exchange
    paper: Exchange
    relay: Relay


@asynccontextmanager
async def two() -> AsyncIterator[Two]:
    clock = TrioClock()
    recording = load("2018-02-crash")
    assert isinstance(recording, CandleRecording)
    real = Exchange(ExchangeSettings(), recording, clock, random.Random(1))
    rich = AccountTerms(name="sim", balances=(("exchange", "USD", Decimal(1_000_000)),))
    settings = ExchangeSettings(accounts=(rich,), model=FillModel(when=FillWhen.AT_ONCE))
    paper = Exchange(settings, real.symbols, clock, random.Random(2))
    async with AsyncExitStack() as stack, trio.open_nursery() as nursery:
        address = await nursery.start(real.serve)
        http = await stack.enter_async_context(HttpClient(address.rest))
        door = RestDoor(
            public=http, private=http, budget=RestBudget(share=1000.0), clock=clock, chance=random.Random(3)
        )
        relay = Relay(
            exchange=paper,
            uri=address.websocket,
            dial=fast_websocket,
            door=door,
            clock=clock,
            chance=random.Random(4),
            backoff_base_s=0.05,
            backoff_cap_s=0.2,
        )
        await nursery.start(paper.serve)
        with trio.fail_after(20):
            await nursery.start(relay.run)
        yield Two(real, paper, relay)
        nursery.cancel_scope.cancel()


@pytest.fixture
async def both() -> AsyncIterator[Two]:
    async with two() as found:
        yield found


async def tell(both: Two, steps: int) -> None:
    """So much of the recording, at once, and until the follower has heard it."""
    moments = both.real.moments()
    for _ in range(steps):
        moment = next(moments)
        both.real.step = moment.number
        moment.tell()
    await caught_up(both)


async def line_is(both: Two, *, up: bool) -> None:
    while both.relay.up is not up:  # noqa: ASYNC110 - set by another task
        await trio.sleep(0.001)


async def caught_up(both: Two) -> None:
    with trio.fail_after(10):
        while not both.relay.up or _newest(both.real) != _newest(both.paper):  # noqa: ASYNC110 - another task's sockets
            await trio.sleep(0.01)
        # Books are told at a pace of their own.
        await trio.sleep(0.15)


def _newest(exchange: Exchange) -> list[tuple[int, ...]]:
    found: list[tuple[int, ...]] = []
    for symbol in exchange.symbols:
        feed = exchange.market.feeds[symbol]
        minute = feed.current("1m")
        found.append((feed.trades[-1].trade_id if feed.trades else 0, minute.open_ms if minute else 0))
    return found


def order(amount: str, price: str | None, wire_type: str = "EXCHANGE LIMIT", cid: int = 1) -> NewOrder:
    return NewOrder(
        cid=cid,
        group_id=None,
        symbol=BTC,
        wire_type=wire_type,
        amount=Decimal(amount),
        price=None if price is None else Decimal(price),
    )


def submit(both: Two, request: NewOrder) -> None:
    venue = both.paper.venue
    both.paper.accounts.apply(venue.submit("sim", request, both.paper.venue_ms()))


async def test_trades_candles_and_books_are_those_of_the_real_venue(both: Two) -> None:
    await tell(both, 400)
    for symbol in both.real.symbols:
        ours, theirs = both.paper.market.feeds[symbol], both.real.market.feeds[symbol]
        assert list(ours.candles("1m"))[-30:] == list(theirs.candles("1m"))[-30:]
        assert list(ours.candles("5m"))[-6:] == list(theirs.candles("5m"))[-6:]
        assert list(ours.trades)[-50:] == list(theirs.trades)[-50:]
        assert both.paper.market.ticker_row(symbol) is not None
    (bids, asks), (real_bids, real_asks) = both.paper.market.book(BTC), both.real.market.book(BTC)
    assert [level[1:] for level in bids[:25]] == [level[1:] for level in real_bids[:25]]
    assert [level[1:] for level in asks[:25]] == [level[1:] for level in real_asks[:25]]
    assert both.relay.falls == 0
    assert abs(both.paper.venue_ms() - both.real.venue_ms()) < 60_000


async def test_a_taker_gets_the_real_books_prices_and_the_real_venue_never_hears_of_it(both: Two) -> None:
    await tell(both, 40)
    _, asks = both.real.market.book(BTC)
    first, second = asks[0], asks[1]
    wanted = exact(-first.amount) + Decimal("0.01")
    submit(both, order(str(wanted), None, "EXCHANGE MARKET"))
    trades = both.paper.snapshot().trades
    assert [(trade.price, abs(trade.amount)) for trade in trades] == [
        (exact(first.price), exact(-first.amount)),
        (exact(second.price), Decimal("0.01")),
    ]
    assert both.real.snapshot().trades == ()
    # What was taken is gone until the real book says something new about that level.
    submit(both, order("0.01", str(exact(first.price)), "EXCHANGE IOC", cid=2))
    assert len(both.paper.snapshot().trades) == 2


async def test_a_resting_order_is_filled_when_the_real_market_trades_through_it(both: Two) -> None:
    await tell(both, 40)
    price = exact(both.real.market.feeds[BTC].last or 0) - 30
    submit(both, order("0.01", str(price)))
    assert len(both.paper.snapshot().open_orders) == 1
    steps = 0
    while float(price) < (both.real.market.feeds[BTC].last or 0):
        await tell(both, 64)
        steps += 64
        assert steps < 4000
    [trade] = both.paper.snapshot().trades
    assert trade.price == price
    assert trade.maker


async def test_a_lost_line_makes_this_exchange_silent_and_what_was_missed_is_made_up_for(both: Two) -> None:
    await tell(both, 100)
    both.real.faults.drop()
    with trio.fail_after(5):
        await line_is(both, up=False)
    assert both.paper.quiet
    # No book of the past may be traded against.
    assert both.paper.market.book(BTC)[1] == []
    submit(both, order("0.01", None, "EXCHANGE MARKET", cid=9))
    assert both.paper.snapshot().trades == ()
    moments = both.real.moments()
    for _ in range(120):
        next(moments).tell()
    await caught_up(both)
    assert both.relay.falls == 1
    with trio.fail_after(5):
        await line_is(both, up=True)
    for symbol in both.real.symbols:
        ours, theirs = both.paper.market.feeds[symbol], both.real.market.feeds[symbol]
        assert list(ours.candles("1m"))[-40:] == list(theirs.candles("1m"))[-40:]


async def test_a_sequence_gap_of_the_real_venue_renews_the_line(both: Two) -> None:
    await tell(both, 20)
    both.real.faults.add(FaultRule(kind=FaultKind.LOSE, contains='"te"'))
    moments = both.real.moments()
    for _ in range(20):
        next(moments).tell()
    await caught_up(both)
    assert both.relay.falls == 1
    assert "sequence gap" in both.relay.last_error
    assert list(both.paper.market.feeds[BTC].trades)[-10:] == list(both.real.market.feeds[BTC].trades)[-10:]
