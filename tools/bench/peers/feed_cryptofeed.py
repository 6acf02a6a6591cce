"""cryptofeed on the bench's feed: ticker, trades and book by callbacks (it has no candles of this exchange)."""

import asyncio
import os
import sys
import tempfile
import time
from typing import Any

from cryptofeed import FeedHandler
from cryptofeed.connection import WebsocketEndpoint
from cryptofeed.defines import L2_BOOK, TICKER, TRADES
from cryptofeed.exchanges import Bitfinex
from cryptofeed.symbols import Symbols

LAST_ID = "999999999"


class Plain(str):
    """It takes only wss addresses; encryption is not what is compared here."""

    def startswith(self, *_: Any) -> bool:
        return True


def main(port: str, messages: int) -> None:
    Bitfinex.websocket_endpoints = [WebsocketEndpoint(Plain(f"ws://127.0.0.1:{port}"), limit=20)]
    Symbols.set(Bitfinex.id, {"BTC-USD": "tBTCUSD"}, {"instrument_type": {"BTC-USD": "spot"}})
    newest: dict[str, Any] = {}
    began = 0.0

    async def on_ticker(ticker: Any, receipt: float) -> None:
        newest["ticker"] = ticker

    async def on_book(book: Any, receipt: float) -> None:
        nonlocal began
        began = began or time.process_time()
        newest["book"] = book

    async def on_trade(trade: Any, receipt: float) -> None:
        newest["trade"] = trade
        if str(trade.id) == LAST_ID:
            print((time.process_time() - began) / messages * 1e6, flush=True)
            os._exit(0)  # it would dial again

    log = os.path.join(tempfile.mkdtemp(), "cryptofeed.log")
    handler = FeedHandler(config={"log": {"filename": log, "level": "WARNING"}, "uvloop": True})
    callbacks = {TICKER: on_ticker, TRADES: on_trade, L2_BOOK: on_book}
    handler.add_feed(Bitfinex(symbols=["BTC-USD"], channels=[TICKER, TRADES, L2_BOOK], callbacks=callbacks))
    # Its handler has chosen the kind of loop by now, and asks for the one of this thread.
    asyncio.set_event_loop(asyncio.new_event_loop())
    handler.run(install_signal_handlers=False)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
