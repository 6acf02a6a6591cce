"""A fee in a third currency is worth what that currency was worth when the trade was made, in every book."""

from decimal import Decimal

import msgspec
import pytest

from genesis.domain.candles import series_key
from genesis.domain.fee_prices import price_in, with_fee_prices
from genesis.domain.position import Opening, Position
from genesis.domain.strategy_books import strategy_books
from protocols.market import Candle, CandleSeries, MarketView
from protocols.orders import Fill, HistoryReport, SessionDown, VenueTrade
from protocols.units import Side, Symbol
from tests.web.fakes import a_fill, a_ticker

BTC, LEO = Symbol("tBTCUSD"), Symbol("tLEOUSD")
NOW_MS = 1_800_000_000_000


def a_market(symbol: Symbol, price: float, *, at_ms: int = NOW_MS) -> MarketView:
    ticker = msgspec.structs.replace(a_ticker(symbol, price), venue_ms=at_ms)
    return MarketView(
        tickers={symbol: ticker}, tops={}, prints={}, series={}, freshness=(), venue_ms=at_ms, received_ns=0
    )


def a_trade(currency: str | None, *, symbol: Symbol = BTC, time_ms: int = NOW_MS) -> VenueTrade:
    return VenueTrade(
        event="tu",
        session=1,
        trade_id=1,
        symbol=symbol,
        time_ms=time_ms,
        venue_order_id=2,
        cid=3,
        amount=Decimal(1),
        price=Decimal(100),
        wire_type="EXCHANGE MARKET",
        order_price=Decimal(0),
        maker=False,
        fee=Decimal("-0.5"),
        fee_currency=currency,
        received_ns=0,
    )


@pytest.mark.parametrize(
    ("prices", "symbol", "worth"),
    [
        ({"tLEOUSD": "4"}, "tBTCUSD", "4"),
        ({"tUSDLEO": "0.25"}, "tBTCUSD", "4"),
        ({"tLEOUSD": "4", "tBTCUSD": "8000"}, "tETHBTC", "0.0005"),
        ({"tLEOUSD": "4"}, "tETHBTC", None),
        ({"tETHUSD": "4"}, "tBTCUSD", None),
    ],
)
def test_the_pair_the_turned_pair_or_two_pairs_tell_the_price(
    prices: dict[str, str], symbol: str, worth: str | None
) -> None:
    def price_at(pair: str, at_ms: int) -> Decimal | None:
        assert at_ms == NOW_MS
        return Decimal(prices[pair]) if pair in prices else None

    told = with_fee_prices(a_trade("LEO", symbol=Symbol(symbol)), price_at, "USD")
    assert told.fee_price == (None if worth is None else Decimal(worth))


def test_of_a_report_each_trade_is_priced_and_nothing_else_is_touched() -> None:
    def price_at(pair: str, at_ms: int) -> Decimal | None:
        return Decimal(at_ms)

    report = HistoryReport(
        request_id=1,
        session=1,
        since_ms=0,
        open_orders=(),
        closed_orders=(),
        trades=(a_trade("BTC"), a_trade("LEO", time_ms=7), a_trade(None)),
        received_ns=0,
    )
    told = with_fee_prices(report, price_at, "USD")
    assert [trade.fee_price for trade in told.trades] == [None, Decimal(7), None]
    plain = msgspec.structs.replace(report, trades=(a_trade("USD"),))
    for same in (plain, a_trade("BTC"), a_trade(None), SessionDown(session=1, reason="x", received_ns=0)):
        assert with_fee_prices(same, price_at, "USD") is same


def test_a_ticker_of_then_or_the_candle_of_then_is_the_price_and_nothing_newer() -> None:
    market = a_market(LEO, 3.5)
    assert price_in(market, LEO, NOW_MS + 59_000) == Decimal("3.5")
    assert price_in(market, LEO, NOW_MS - 3_600_000) is None
    assert price_in(market, BTC, NOW_MS) is None
    hour = NOW_MS - 3_600_000
    candles = tuple(
        Candle(symbol=LEO, timeframe="5m", open_ms=at_ms, open=1, high=1, low=1, close=close, volume=1)
        for at_ms, close in ((hour, 3.0), (hour + 300_000, 3.25), (hour + 900_000, 9.0))
    )
    series = CandleSeries(
        symbol=LEO,
        timeframe="5m",
        candles=candles,
        pending=(),
        told_until_ms=0,
        venue_ms=NOW_MS,
        received_ns=0,
        corrections=0,
        holes=0,
        synced=True,
    )
    market = msgspec.structs.replace(market, series={series_key(LEO, "5m"): series})
    assert price_in(market, LEO, hour + 300_000 + 299_999) == Decimal("3.25")
    assert price_in(market, LEO, hour + 600_000) is None, "a minute in which nobody traded has no candle"
    assert price_in(market, LEO, hour - 1) is None


def leo_fill(side: Side, price: str, fee_price: str | None, number: int) -> Fill:
    return msgspec.structs.replace(
        a_fill(),
        trade_id=number,
        symbol=BTC,
        side=side,
        quantity=Decimal(1),
        price=Decimal(price),
        fee=Decimal("-0.5"),
        fee_currency="LEO",
        fee_price=None if fee_price is None else Decimal(fee_price),
        strategy="s",
    )


def test_every_book_counts_it_alike_and_the_coins_stay_whole() -> None:
    fills = [leo_fill(Side.BUY, "100", "4", 1), leo_fill(Side.SELL, "110", "6", 2)]
    position, opening = Position(symbol=BTC), Opening(symbol=BTC)
    trades = [position.on_fill(fill) for fill in fills]
    for fill in fills:
        opening = opening.with_fill(fill)
    [book] = strategy_books(fills, {})
    trade = trades[-1]
    assert trade is not None
    assert (trade.pnl, trade.fees_quote, trade.quantity) == (Decimal(5), Decimal(5), Decimal(1))
    assert (position.realized_pnl, position.fees_quote, position.quantity) == (Decimal(5), Decimal(5), Decimal(0))
    assert (opening.realized_pnl, opening.fees_quote) == (Decimal(5), Decimal(5))
    assert (book.realized_pnl, book.fees) == (Decimal(5), Decimal(5))
    unpriced = leo_fill(Side.BUY, "100", None, 3)
    assert (unpriced.fee_is_priced, unpriced.fee_beside) == (False, Decimal(0))
