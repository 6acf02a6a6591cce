"""ccxt.pro on the bench's feed: watches the four streams and prints CPU microseconds a message."""

import asyncio
import sys
import time

import ccxt.pro

LAST_ID = "999999999"


async def main(port: str, messages: int) -> None:
    exchange = ccxt.pro.bitfinex({"enableRateLimit": False, "options": {"checksum": False, "ws": {"inflate": False}}})
    exchange.urls["api"]["ws"] = {"public": f"ws://127.0.0.1:{port}", "private": f"ws://127.0.0.1:{port}"}
    market = {"id": "tBTCUSD", "symbol": "BTC/USD", "base": "BTC", "quote": "USD", "baseId": "BTC", "quoteId": "USD"}
    market |= {"type": "spot", "spot": True, "swap": False, "contract": False, "active": True, "info": {}}
    market |= {"precision": {"price": 5, "amount": 8}, "limits": {}, "taker": 0.002, "maker": 0.001}
    exchange.set_markets([market])
    began = 0.0
    over = asyncio.Event()

    async def follow(watch: object) -> None:
        nonlocal began
        while not over.is_set():
            await watch("BTC/USD")  # type: ignore[operator]
            began = began or time.process_time()

    async def trades() -> None:
        while not over.is_set():
            told = await exchange.watch_trades("BTC/USD")
            if any(trade["id"] == LAST_ID for trade in told):
                over.set()

    async def candles() -> None:
        while not over.is_set():
            await exchange.watch_ohlcv("BTC/USD", "1m")

    tasks = [asyncio.create_task(job) for job in (follow(exchange.watch_ticker), trades(), candles())]
    tasks.append(asyncio.create_task(follow(exchange.watch_order_book)))
    await over.wait()
    print((time.process_time() - began) / messages * 1e6)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await exchange.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
