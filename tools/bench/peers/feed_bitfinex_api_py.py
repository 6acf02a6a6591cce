"""bitfinex-api-py on the bench's feed: a handler for each event, no book kept; prints CPU microseconds a message."""

import asyncio
import os
import sys
import time
from typing import Any

from bfxapi import Client

LAST_ID = 999_999_999


def main(port: str, messages: int) -> None:
    client = Client(wss_host=f"ws://127.0.0.1:{port}")
    newest: dict[str, Any] = {}
    began = 0.0

    @client.wss.on("open")
    async def on_open() -> None:
        await client.wss.subscribe("ticker", symbol="tBTCUSD")
        await client.wss.subscribe("candles", key="trade:1m:tBTCUSD")
        await client.wss.subscribe("trades", symbol="tBTCUSD")
        await client.wss.subscribe("book", symbol="tBTCUSD", prec="P0", freq="F0", len="25")

    @client.wss.on("t_ticker_update")
    def on_ticker(_: Any, ticker: Any) -> None:
        newest["ticker"] = ticker

    @client.wss.on("candles_update")
    def on_candle(_: Any, candle: Any) -> None:
        newest["candle"] = candle

    @client.wss.on("t_book_update")
    def on_book(_: Any, level: Any) -> None:
        nonlocal began
        began = began or time.process_time()
        newest["book"] = level

    @client.wss.on("t_trade_execution")
    def on_trade(_: Any, trade: Any) -> None:
        newest["trade"] = trade
        if trade.id == LAST_ID:
            print((time.process_time() - began) / messages * 1e6, flush=True)
            os._exit(0)  # it would dial again

    asyncio.run(client.wss.start())


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
