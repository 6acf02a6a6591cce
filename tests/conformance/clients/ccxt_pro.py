"""ccxt.pro over WebSocket, unmodified: watching, and coming back after the exchange has hung up."""

import asyncio
import sys
from typing import Any

import ccxt.pro
from report import Control, Report, expect, until_async

BTC = "BTC/USD"
CHECKED_UPDATES = 60


def client(rest: str, websocket: str, key: str, secret: str) -> Any:
    exchange = ccxt.pro.bitfinex({"apiKey": key, "secret": secret, "enableRateLimit": False})
    for name in ("public", "private", "v1"):
        exchange.urls["api"][name] = rest
    # One socket for each purpose, as at the venue: this client knows a socket by its address.
    exchange.urls["api"]["ws"] = {"public": websocket, "private": websocket + "?private"}
    return exchange


async def watch(exchange: Any, report: Report) -> None:
    async with report.waiting("watch ticker"):
        ticker = await exchange.watch_ticker(BTC)
        expect(ticker["bid"] < ticker["ask"], "the book is not crossed")
        await exchange.watch_ticker(BTC)
    async with report.waiting("watch trades"):
        seen: dict[str, Any] = {}
        while len(seen) < 10:
            seen |= {trade["id"]: trade for trade in await exchange.watch_trades(BTC)}
        expect({trade["side"] for trade in seen.values()} <= {"buy", "sell"}, "trades have sides")
    for timeframe in ("1m", "5m"):
        async with report.waiting(f"watch candles {timeframe}"):
            for _ in range(5):
                candles = await exchange.watch_ohlcv(BTC, timeframe)
            expect(candles and candles[-1][3] <= candles[-1][4] <= candles[-1][2], "close between low and high")
    async with report.waiting("watch book, checksums verified"):
        # Every 2.5 seconds of the venue a checksum comes; a wrong one raises ChecksumError here.
        checked = count_checksums(exchange)
        for _ in range(CHECKED_UPDATES):
            book = await exchange.watch_order_book(BTC)
            expect(book["bids"][0][0] < book["asks"][0][0], "the book is not crossed")
        expect(checked() >= 2, f"checksums were verified, were {checked()}")
    async with report.waiting("watch raw book R0"):
        other = exchange.clone_for_raw()
        try:
            for _ in range(10):
                raw = await other.watch_order_book("ETH/USD", 25, {"prec": "R0", "len": "25"})
            expect(raw["bids"][0][0] < raw["asks"][0][0], "the book is not crossed")
        finally:
            await other.close()


def count_checksums(exchange: Any) -> Any:
    """How many checksums the client has compared; it says so nowhere, so its own handler is counted."""
    handle, counted = exchange.handle_checksum, [0]

    def counting(*arguments: Any) -> Any:
        counted[0] += 1
        return handle(*arguments)

    exchange.handle_checksum = counting
    return lambda: counted[0]


async def private(exchange: Any, report: Report) -> None:
    orders: dict[str, Any] = {}
    trades: dict[str, Any] = {}

    async def collect_orders() -> None:
        while True:
            for order in await exchange.watch_orders(BTC):
                orders[order["id"]] = order

    async def collect_trades() -> None:
        while True:
            for trade in await exchange.watch_my_trades(BTC):
                trades[trade["id"]] = trade

    async def seen(order_id: str, status: str) -> bool:
        return orders.get(order_id, {}).get("status") == status

    async with report.waiting("authenticate, watch balance"):
        balance = await first_balance(exchange)
        expect(balance["BTC"]["total"] > 0 and balance["USD"]["total"] > 0, "both currencies are held")
    tasks = [asyncio.create_task(collect_orders()), asyncio.create_task(collect_trades())]
    try:
        async with report.waiting("watch an order being placed, amended and canceled"):
            mark = (await exchange.fetch_ticker(BTC))["last"]
            placed = await exchange.create_order(BTC, "limit", "buy", 0.01, round(mark * 0.7))
            await until_async(lambda: seen(placed["id"], "open"), "it is told as open")
            price = round(mark * 0.6)
            await exchange.edit_order(placed["id"], BTC, "limit", "buy", 0.01, price)

            async def repriced() -> bool:
                return bool(orders[placed["id"]]["price"] == price)

            await until_async(repriced, "the new price is told")
            await exchange.cancel_order(placed["id"])
            await until_async(lambda: seen(placed["id"], "canceled"), "it is told as canceled")
        async with report.waiting("watch an order being filled, and its trade"):
            filled = await exchange.create_order(BTC, "market", "buy", 0.01)
            await until_async(lambda: seen(filled["id"], "closed"), "it is told as closed")

            async def traded() -> bool:
                return any(trade["order"] == filled["id"] for trade in trades.values())

            await until_async(traded, "its trade is told")
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def comes_back(exchange: Any, report: Report, control: Control) -> None:
    for name, path in (("a dropped socket", "/drop"), ("20051", "/stop")):
        async with report.waiting(f"reconnect after {name}", 30.0):
            before = {socket["number"] for socket in control.ask("GET", "/sockets")}
            await exchange.watch_ticker(BTC)
            control.ask("POST", path)
            # ccxt tells the drop to whoever watches; the next watch dials again. That is its documented way.
            good = 0
            while good < 3:
                try:
                    await exchange.watch_ticker(BTC)
                    await exchange.watch_order_book(BTC)
                    good = good + 1 if sockets(control) - before else 0
                except (ccxt.pro.NetworkError, ccxt.pro.ChecksumError) as error:
                    expect(not isinstance(error, ccxt.pro.ChecksumError), "no checksum fails after a reconnect")
                    # This release takes a new snapshot for an update of the book it keeps, so its user drops that.
                    exchange.orderbooks.pop(BTC, None)
            balance = await asyncio.wait_for(first_balance(exchange), 10)
            expect(balance["BTC"]["total"] > 0, "the account is seen again")


def sockets(control: Control) -> set[int]:
    return {socket["number"] for socket in control.ask("GET", "/sockets")}


async def first_balance(exchange: Any) -> Any:
    """The account's balances on a new socket.

    The wallet snapshot comes with the authentication, and this client listens for balances only once that is through:
    it sees the first change. So something is bought.
    """
    while True:
        watching = asyncio.create_task(exchange.watch_balance())
        try:
            await asyncio.wait([watching], timeout=0.5)
            while not watching.done():
                await exchange.create_order(BTC, "market", "buy", 0.001)
                await asyncio.wait([watching], timeout=0.5)
            return watching.result()
        except ccxt.pro.NetworkError:
            await asyncio.sleep(0.05)


async def main(rest: str, websocket: str, control: Control, key: str, secret: str) -> int:
    report = Report("ccxt.pro", ccxt.pro.__version__)
    exchange = client(rest, websocket, key, secret)
    exchange.clone_for_raw = lambda: client(rest, websocket, key, secret)
    try:
        async with report.waiting("load markets"):
            expect(BTC in await exchange.load_markets(), "the pair is a market")
        await watch(exchange, report)
        await private(exchange, report)
        async with report.waiting("unsubscribe"):
            await exchange.un_watch_ticker(BTC)
        await comes_back(exchange, report, control)
    finally:
        await exchange.close()
    return report.failed


if __name__ == "__main__":
    code = asyncio.run(main(sys.argv[1], sys.argv[2], Control(sys.argv[3]), sys.argv[4], sys.argv[5]))
    sys.exit(1 if code else 0)
