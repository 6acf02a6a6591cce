"""cryptofeed, unmodified: market data for recorders, over TLS, with its own check of the sequence numbers."""

import asyncio
import sys
import tempfile
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import Any

from cryptofeed import FeedHandler
from cryptofeed.connection import RestEndpoint, Routes, WebsocketEndpoint
from cryptofeed.defines import L2_BOOK, L3_BOOK, TICKER, TRADES
from cryptofeed.exchanges import Bitfinex
from report import Control, Report, expect, until_async

BTC, ETH = "BTC-USD", "ETH-USD"
CONF = ("pub:list:pair:exchange", "pub:list:currency", "pub:list:pair:futures")


class Heard:
    """What the callbacks were told."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()
        self.trades: list[Any] = []
        self.books: dict[tuple[str, str], tuple[int, int, Any, Any]] = {}
        self.tickers: dict[str, Any] = {}
        self.crossed = 0

    async def on_ticker(self, ticker: Any, receipt: float) -> None:
        self.counts[TICKER, ticker.symbol] += 1
        self.tickers[ticker.symbol] = ticker

    async def on_trade(self, trade: Any, receipt: float) -> None:
        self.counts[TRADES, trade.symbol] += 1
        self.trades.append(trade)

    async def on_book(self, kind: str, update: Any) -> None:
        bids, asks = update.book.bids, update.book.asks
        self.counts[kind, update.symbol] += 1
        best = bids.index(0)[0], asks.index(0)[0]
        self.books[kind, update.symbol] = (len(bids), len(asks), *best)
        self.crossed += best[0] >= best[1]


async def main(rest: str, websocket: str, control: str) -> int:
    Bitfinex.websocket_endpoints = [WebsocketEndpoint(websocket, limit=20)]
    Bitfinex.rest_endpoints = [RestEndpoint(rest, routes=Routes([f"/v2/conf/{label}" for label in CONF]))]
    report, heard, desk = Report("cryptofeed", version("cryptofeed")), Heard(), Control(control)
    log = Path(tempfile.mkdtemp()) / "cryptofeed.log"
    handler = FeedHandler(config={"log": {"filename": str(log), "level": "WARNING"}, "uvloop": False})

    async def on_l2(update: Any, receipt: float) -> None:
        await heard.on_book(L2_BOOK, update)

    async def on_l3(update: Any, receipt: float) -> None:
        await heard.on_book(L3_BOOK, update)

    def start() -> None:
        callbacks = {TICKER: heard.on_ticker, TRADES: heard.on_trade, L2_BOOK: on_l2}
        handler.add_feed(Bitfinex(symbols=[BTC, ETH], channels=[TICKER, TRADES, L2_BOOK], callbacks=callbacks))
        handler.add_feed(Bitfinex(symbols=[BTC], channels=[L3_BOOK], callbacks={L3_BOOK: on_l3}))
        handler.run(start_loop=False, install_signal_handlers=False)

    async def at_least(kind: str, symbol: str, count: int) -> None:
        async def enough() -> bool:
            return heard.counts[kind, symbol] >= count

        await until_async(enough, f"{count} of {kind} {symbol}", within_s=12)

    with report.operation("symbols"):
        start()
        expect({BTC, ETH} <= set(Bitfinex.symbols()), "both pairs of the recording are known")
    async with report.waiting("tickers"):
        await at_least(TICKER, BTC, 3)
        await at_least(TICKER, ETH, 3)
        ticker = heard.tickers[BTC]
        expect(ticker.bid < ticker.ask, "bid is below ask")
    async with report.waiting("trades"):
        await at_least(TRADES, BTC, 3)
        expect(all(trade.amount > 0 and trade.price > 0 for trade in heard.trades), "amounts and prices are positive")
        expect(len({trade.id for trade in heard.trades}) == len(heard.trades), "each trade is told once")
    async with report.waiting("books by level"):
        await at_least(L2_BOOK, BTC, 30)
        await at_least(L2_BOOK, ETH, 30)
        bids, asks, *_ = heard.books[L2_BOOK, BTC]
        expect(bids == asks == 100, f"a hundred levels of each side, was {bids} and {asks}")
    async with report.waiting("book by order"):
        await at_least(L3_BOOK, BTC, 30)
    with report.operation("no crossed book, no hole in the numbering"):
        expect(heard.crossed == 0, f"was crossed {heard.crossed} times")
        expect("sequence" not in log.read_text().lower(), "its audit of the sequence numbers is content")
    async with report.waiting("reconnect after a dropped socket", within_s=30):
        desk.ask("POST", "/drop")
        before = heard.counts.copy()
        await at_least(TICKER, BTC, before[TICKER, BTC] + 3)
        await at_least(L2_BOOK, ETH, before[L2_BOOK, ETH] + 10)
        await at_least(L3_BOOK, BTC, before[L3_BOOK, BTC] + 10)
        expect(heard.crossed == 0, "the new books are not crossed")
    await handler.stop_async(loop=asyncio.get_running_loop())
    return report.failed


if __name__ == "__main__":
    sys.exit(1 if asyncio.run(main(*sys.argv[1:4])) else 0)
