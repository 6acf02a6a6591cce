"""Paper trading: one simulator plays the real venue, the relay moves a second one by it, and orders stay there."""

import json
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from decimal import Decimal
from typing import Any

import attrs
import pytest
import trio

from genesis.core.clock import TrioClock
from genesis.domain.matching import FillModel, FillWhen
from genesis.domain.recording import CandleRecording
from genesis.domain.rest_budget import RestBudget
from genesis.edge.http import HttpClient
from genesis.edge.pair_infos import ask_pairs
from genesis.edge.rest import RestDoor
from genesis.edge.websocket import fast_websocket
from genesis.simulator import relay as relay_module
from genesis.simulator.alerts import Alert
from genesis.simulator.exchange import Exchange
from genesis.simulator.faults import FaultKind, FaultRule
from genesis.simulator.funding_market import FundingView, trades_between
from genesis.simulator.recordings import load
from genesis.simulator.relay import Relay
from genesis.simulator.settings import AccountTerms, ExchangeSettings
from protocols.bitfinex.inputs import NewOffer, NewOrder
from protocols.bitfinex.wire_book import KeyedBook, new_book
from protocols.units import Symbol, exact
from tests.genesis.simulator.conftest import Talker, World

BTC = Symbol("tBTCUSD")


@attrs.frozen
class Two:
    """The venue that is played, the exchange that follows it, and what leads from one to the other."""

    real: Exchange
    paper: Exchange
    relay: Relay
    nursery: trio.Nursery


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
        with trio.fail_after(60):
            await nursery.start(relay.run)
        yield Two(real, paper, relay, nursery)
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
    with trio.fail_after(60):
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


async def test_candles_of_before_it_listened_are_asked_of_the_real_venue(monkeypatch: pytest.MonkeyPatch) -> None:
    """A week of minutes is what it begins with; strategies on hours need months."""
    monkeypatch.setattr(relay_module, "HISTORY_MINUTES", 200)
    async with two() as both, HttpClient(both.paper.address.rest if both.paper.address else "") as http:
        theirs, ours = (list(each.market.feeds[BTC].candles("1h")) for each in (both.real, both.paper))
        assert 0 < len(ours) < len(theirs)
        # Not the hour of which only the end is known.
        assert ours == theirs[-len(ours) :]
        path = f"/v2/candles/trade:1h:{BTC}/hist?limit=5&end={ours[0].open_ms - 1}"
        answer = await http.exchange("GET", path, headers={}, body=b"")
        rows = json.loads(answer.body)
        assert [row[0] for row in rows] == [candle.open_ms for candle in theirs[-len(ours) - 1 : -len(ours) - 6 : -1]]
        # What is known here is told from here.
        before = both.real.rest.requests
        answer = await http.exchange("GET", f"/v2/candles/trade:1h:{BTC}/hist?limit=2", headers={}, body=b"")
        assert [row[0] for row in json.loads(answer.body)] == [candle.open_ms for candle in ours[:-3:-1]]
        assert both.real.rest.requests == before


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


async def test_an_alert_fires_by_the_real_market(both: Two) -> None:
    await tell(both, 5)
    last = both.paper.venue.last_price(BTC)
    assert last is not None
    alerts = both.paper.alerts
    for price in (last + Decimal("0.5"), last - Decimal("0.5"), Decimal(1)):
        alerts.set(Alert(account="sim", symbol=BTC, price=price, count=1), last)
    await tell(both, 200)
    assert Decimal(1) in {alert.price for alert in alerts.of("sim")}
    assert len(alerts.of("sim")) < 3


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
    with trio.fail_after(60):
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
    with trio.fail_after(60):
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


async def heard(talker: Talker, channel: int, *, beyond: int) -> list[Any]:
    """Data frames of a channel, once there are more than so many."""
    while True:
        frames = [frame for frame in talker.heard if isinstance(frame, list) and frame[0] == channel]
        found = [frame for frame in frames if frame[1] != "hb"]
        if len(found) > beyond:
            return found
        await talker.hear()


async def test_the_real_venues_sizes_hold_here_and_what_it_delists_is_not_listed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They were asked at the start alone: for months paper took orders that the venue refuses."""
    monkeypatch.setattr(relay_module, "SIZES_EVERY_S", 0.05)
    async with two() as both:
        real, paper = both.real.venue, both.paper
        btc, eth = Symbol("tBTCUSD"), Symbol("tETHUSD")
        real.specs = {**real.specs, btc: attrs.evolve(real.specs[btc], minimum=Decimal("0.5"))}
        with trio.fail_after(60):
            while paper.venue.specs[btc].minimum != Decimal("0.5"):  # noqa: ASYNC110 - set by another task
                await trio.sleep(0.01)
            real.specs = {symbol: spec for symbol, spec in real.specs.items() if symbol != eth}
            while eth not in paper.unlisted:  # noqa: ASYNC110 - set by another task
                await trio.sleep(0.01)
        assert paper.venue.specs[eth].is_listed, "what is held of it can be sold"
        async with HttpClient(paper.address.rest if paper.address else "") as http:
            door = RestDoor(
                public=http, private=http, budget=RestBudget(share=1000.0), clock=TrioClock(), chance=random.Random(5)
            )
            infos, unclear = await ask_pairs(door)
        told = {info.symbol: info.minimum_size for info in infos}
        assert (told[btc], eth in told, unclear) == (Decimal("0.5"), False, {})


async def test_funding_and_status_come_from_the_real_venue_as_soon_as_somebody_listens(both: Two) -> None:
    await tell(both, 40)
    assert both.relay.side.streams == {}
    assert both.paper.address is not None
    world = World(both.paper, both.paper.address, both.nursery)
    wanted: dict[str, dict[str, str]] = {
        "ticker": {"symbol": "fUSD"},
        "trades": {"symbol": "fUSD"},
        "book": {"symbol": "fUSD", "len": "25"},
        "candles": {"key": "trade:1m:fUSD:p30"},
        "status": {"key": "deriv:tBTCF0:USTF0"},
    }
    async with world.talker() as talker, world.talker() as late:
        channels = {}
        for kind, fields in wanted.items():
            await talker.say({"event": "subscribe", "channel": kind} | fields)
            channels[kind] = (await talker.event("subscribed"))["chanId"]
        first = {kind: await heard(talker, channel, beyond=0) for kind, channel in channels.items()}
        now_ms = both.real.venue_ms()
        assert first["ticker"][0][1] == both.real.market.funding.ticker("USD", now_ms)
        assert first["trades"][0][1] == [
            each.row() for each in trades_between("USD", 0, now_ms, 30, oldest_first=False)
        ]
        assert len(first["book"][0][1]) == 50
        assert len(first["candles"][0][1]) == 240
        assert first["status"][0][1] == both.real.market.funding.status("tBTCF0:USTF0", now_ms)
        await tell(both, 200)
        later = {kind: await heard(talker, channel, beyond=8) for kind, channel in channels.items()}
        kinds = [frame[1] for frame in later["trades"][1:9]]
        assert kinds == ["fte", "ftu"] * 4
        # Who comes later is told what the others know.
        await late.say({"event": "subscribe", "channel": "book"} | wanted["book"])
        channel = (await late.event("subscribed"))["chanId"]
        ((_, snapshot),) = await heard(late, channel, beyond=0)
        levels = json.loads(funding_view_of(both.real).snapshot())
        assert sorted(map(tuple, snapshot)) == sorted(map(tuple, levels))
        assert both.relay.side.falls == 0
    with trio.fail_after(60):
        while both.relay.side.streams:  # noqa: ASYNC110 - the server notices in its own time
            await trio.sleep(0.001)


def funding_view_of(exchange: Exchange) -> FundingView:
    """The real funding book as it is now."""
    view = FundingView("P0", 25)
    view.update(*exchange.market.funding.book("USD", exchange.venue_ms()))
    return view


async def test_rest_about_the_side_is_the_real_venues_answer(both: Two) -> None:
    await tell(both, 40)
    assert both.paper.address is not None
    assert both.real.address is not None
    paper, real = (World(each, each.address, both.nursery) for each in (both.paper, both.real) if each.address)
    for path in (
        "ticker/fUSD",
        "tickers?symbols=fUSD,fBTC",
        "book/fUSD/P0?len=25",
        "trades/fUSD/hist?limit=3",
        "candles/trade:1m:fUSD:p30/hist?limit=3",
        "candles/trade%3A1m%3AfUSD%3Ap30/last",
        "status/deriv?keys=tBTCF0:USTF0",
        "funding/stats/fUSD/hist?limit=2",
        "stats1/funding.size:1m:fUSD/last",
        "liquidations/hist",
        "ticker/fNOPE",
    ):
        ours, theirs = await paper.get(path), await real.get(path)
        assert (ours.status_code, ours.json()) == (theirs.status_code, theirs.json()), path
    assert (await paper.get("ticker/tBTCUSD")).status_code == 200


async def test_an_offer_on_paper_is_taken_by_the_real_markets_trades(both: Two) -> None:
    await tell(both, 40)
    wallet = both.paper.venue.accounts["sim"].wallet("funding", "USD")
    wallet.balance = Decimal(1000)
    request = NewOffer(wire_type="LIMIT", symbol="fUSD", amount=Decimal(1000), rate=Decimal("0.00001"), period=2)
    assert both.paper.accounts.funding.place("sim", request)[6] == "SUCCESS"
    with trio.fail_after(60):
        while not all(stream.primed for stream in both.relay.side.streams.values()):  # noqa: ASYNC110
            await trio.sleep(0.001)
    await tell(both, 400)
    with trio.fail_after(60):
        while both.paper.venue.accounts["sim"].offers:  # noqa: ASYNC110 - the other line's frames come on their own
            await trio.sleep(0.001)
    assert sum(loan.amount for loan in both.paper.venue.accounts["sim"].loans.values()) == 1000
    assert wallet.available == 0
    assert both.relay.side.streams == {}


async def test_after_a_fall_listeners_are_told_the_difference(both: Two) -> None:
    await tell(both, 40)
    assert both.paper.address is not None
    async with World(both.paper, both.paper.address, both.nursery).talker() as talker:
        await talker.say({"event": "subscribe", "channel": "book", "symbol": "fUSD", "len": "25"})
        channel = (await talker.event("subscribed"))["chanId"]
        await heard(talker, channel, beyond=0)
        side = both.relay.side
        sockets = {
            session
            for session in both.real.sessions.values()
            if any(each.is_funding for each in session.by_subscription)
        }
        for session in sockets:
            session.abort()
        moments = both.real.moments()
        for _ in range(60):
            next(moments).tell()
        with trio.fail_after(60):
            while side.falls != 1 or not side._channels:  # noqa: ASYNC110 - another task dials
                await trio.sleep(0.001)
        followed = new_book(precision="P0", funding=True)
        assert isinstance(followed, KeyedBook)
        wanted = {(row[0], row[1]) for row in json.loads(funding_view_of(both.real).snapshot())}
        for frame in await heard(talker, channel, beyond=1):
            for row in frame[1] if isinstance(frame[1][0], list) else [frame[1]]:
                followed.apply(row, None)
        while set(followed.orders) != wanted:
            frame = await talker.hear()
            if isinstance(frame, list) and frame[0] == channel and frame[1] != "hb":
                followed.apply(frame[1], None)
        assert followed.unknown_deletes == 0
