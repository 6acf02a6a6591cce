"""What the venue counts of markets: asked once a minute however many look, and refused where there is none."""

import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from decimal import Decimal

import attrs
import pytest
import trio

from genesis.core.clock import TrioClock
from genesis.domain.rest_budget import RestBudget
from genesis.edge.http import HttpClient
from genesis.edge.rest import RestDoor
from genesis.market_figures import MarketFigures
from genesis.simulator.exchange import Exchange
from genesis.simulator.settings import ExchangeSettings
from protocols.market import Liquidation
from protocols.units import Side
from tests.house import piece_of
from tests.web.fakes import HandClock
from web.desk import VenueRefused


@attrs.frozen
class Stage:
    figures: MarketFigures
    clock: HandClock
    exchange: Exchange


@asynccontextmanager
async def opened() -> AsyncIterator[Stage]:
    exchange = Exchange(ExchangeSettings(), piece_of(minutes=5), TrioClock(), random.Random(1))
    clock = HandClock()
    async with AsyncExitStack() as stack, trio.open_nursery() as nursery:
        address = await nursery.start(exchange.serve)
        http = await stack.enter_async_context(HttpClient(address.rest))
        door = RestDoor(
            public=http, private=http, budget=RestBudget(share=1000.0), clock=TrioClock(), chance=random.Random(2)
        )
        yield Stage(MarketFigures(door=door, clock=clock), clock, exchange)
        nursery.cancel_scope.cancel()


def a_liquidation(number: int, symbol: str) -> Liquidation:
    return Liquidation(
        position_id=number,
        time_ms=number,
        symbol=symbol,
        amount=0.5,
        base_price=8000.0,
        is_match=False,
        is_market_sold=True,
        price=7900.0,
        venue_ms=0,
        received_ns=0,
    )


async def test_open_interest_and_lending_are_asked_once_a_minute() -> None:
    async with opened() as stage:
        figures, rest = stage.figures, stage.exchange.rest
        told = await figures.interest("tBTCUSD", 3)
        assert len(told.longs) == len(told.shorts) == 3
        assert told.longs[0].time_ms > told.longs[1].time_ms
        assert min(each.value for each in (*told.longs, *told.shorts)) > 0
        lent = await figures.lending("fUSD", 2)
        assert lent[0].amount > lent[0].amount_used > 0
        asked = rest.requests
        stage.clock.seconds += 60.0
        assert await figures.interest("tBTCUSD", 3) == told
        assert rest.requests == asked == 3
        stage.clock.seconds += 0.1
        await figures.interest("tBTCUSD", 3)
        assert rest.requests == asked + 2
        for question in (figures.interest("tNOPEUSD", 3), figures.lending("fNOPE", 3)):
            with pytest.raises(VenueRefused, match="invalid"):
                await question


async def test_liquidations_of_a_pair_are_those_of_its_contract_too() -> None:
    async with opened() as stage:
        for number, symbol in enumerate(("tBTCUSD", "tETHUSD", "tBTCF0:USTF0", "tBTCUSD"), 1):
            stage.exchange.market.liquidated(a_liquidation(number, symbol))
        found = await stage.figures.liquidations("tBTCUSD", 50)
        assert [each.position_id for each in found] == [4, 3, 1]
        assert [each.position_id for each in await stage.figures.liquidations("tBTCUSD", 2)] == [4, 3]
        assert [each.position_id for each in await stage.figures.liquidations(None, 50)] == [4, 3, 2, 1]
        assert stage.exchange.rest.requests == 1


async def test_leader_boards_and_what_a_market_order_would_get() -> None:
    async with opened() as stage:
        board = await stage.figures.rankings("plu", "1w", "tGLOBAL:USD", 5)
        assert [each.rank for each in board] == [1, 2, 3, 4, 5]
        assert [each.value for each in board] == sorted((each.value for each in board), reverse=True)
        few = await stage.figures.average_price("tBTCUSD", Side.BUY, Decimal("0.1"))
        many = await stage.figures.average_price("tBTCUSD", Side.BUY, Decimal(100_000))
        sold = await stage.figures.average_price("tBTCUSD", Side.SELL, Decimal("0.1"))
        assert few.quantity == pytest.approx(0.1)
        assert many.quantity < 100_000
        assert sold.price < few.price < many.price
