"""ccxt over REST, unmodified: what its users do first, on an exchange of ours."""

import sys
import time
from typing import Any

import ccxt
from report import Report, expect, until

BTC, ETH = "BTC/USD", "ETH/USD"


def main(rest: str, key: str, secret: str) -> int:
    report = Report("ccxt", ccxt.__version__)
    exchange = ccxt.bitfinex({"apiKey": key, "secret": secret, "enableRateLimit": False, "timeout": 10_000})
    for name in ("public", "private", "v1"):
        exchange.urls["api"][name] = rest
    public(report, exchange)
    orders(report, exchange)
    account(report, exchange)
    refusals(report, exchange)
    return report.failed


def public(report: Report, exchange: Any) -> None:
    with report.operation("load markets"):
        markets = exchange.load_markets()
        expect(BTC in markets and ETH in markets, "both pairs of the recording are markets")
        expect(markets[BTC]["limits"]["amount"]["min"], "a market has a smallest amount")
    with report.operation("currencies"):
        expect({"BTC", "USD"} <= set(exchange.currencies), "currencies of the pairs are known")
    with report.operation("platform status"):
        expect(exchange.fetch_status()["status"] == "ok", "the platform is operative")
    with report.operation("ticker"):
        ticker = exchange.fetch_ticker(BTC)
        expect(ticker["bid"] < ticker["ask"], "the book is not crossed")
        expect(ticker["low"] <= ticker["last"] <= ticker["high"], "the last price is within the day")
    with report.operation("tickers"):
        expect({BTC, ETH} <= set(exchange.fetch_tickers()), "all tickers hold both")
        expect(set(exchange.fetch_tickers([ETH])) == {ETH}, "chosen tickers hold the chosen")
    for timeframe in ("1m", "5m", "15m", "1h"):
        with report.operation(f"candles {timeframe}"):
            rows = exchange.fetch_ohlcv(BTC, timeframe, limit=50)
            stamps = [row[0] for row in rows]
            expect(stamps == sorted(set(stamps)) and rows, "candles come once each, oldest first")
            expect(all(row[3] <= min(row[1], row[4]) <= max(row[1], row[4]) <= row[2] for row in rows), "low to high")
            since = exchange.fetch_ohlcv(BTC, timeframe, since=stamps[0], limit=2)
            expect([row[0] for row in since] == stamps[:2], "since is answered with the oldest from there on")
    with report.operation("public trades"):
        trades = exchange.fetch_trades(BTC, limit=20)
        expect(trades and {trade["side"] for trade in trades} <= {"buy", "sell"}, "trades have sides")
    with report.operation("book"):
        book = exchange.fetch_order_book(BTC, 25)
        expect(len(book["bids"]) >= 20 and len(book["asks"]) >= 20, "25 levels of each side")
        expect(book["bids"][0][0] < book["asks"][0][0], "the book is not crossed")
    with report.operation("raw book"):
        raw = exchange.publicGetBookSymbolPrecision({"symbol": "tBTCUSD", "precision": "R0", "len": 25})
        expect(len(raw) == 50 and len(raw[0]) == 3, "50 orders of three values")


def orders(report: Report, exchange: Any) -> None:
    def last() -> float:
        return float(exchange.fetch_ticker(BTC)["last"])

    def finished(order_id: str, symbol: str = BTC) -> Any:
        return until(lambda: _closed(exchange, order_id, symbol), f"order {order_id} is closed")

    wished: list[tuple[str, str, str, float, float | None, dict[str, Any]]] = [
        ("limit", "limit", "buy", 0.01, 0.8, {}),
        ("limit sell", "limit", "sell", 0.01, 1.2, {}),
        ("post-only", "limit", "buy", 0.01, 0.8, {"postOnly": True}),
        ("stop", "market", "sell", 0.01, None, {"stopPrice": 0.5}),
        ("stop limit", "limit", "sell", 0.01, 0.49, {"stopPrice": 0.5}),
        ("trailing stop", "market", "sell", 0.01, None, {"trailingAmount": 0.4}),
        ("hidden", "limit", "buy", 0.01, 0.8, {"flags": 64}),
        ("OCO", "limit", "sell", 0.01, 1.2, {"flags": 16384, "price_oco_stop": 0.5}),
        ("client id", "limit", "buy", 0.01, 0.8, {"clientOrderId": 12345}),
        ("margin limit", "limit", "buy", 0.01, 0.8, {"marginMode": "cross"}),
    ]
    for name, kind, side, amount, factor, params in wished:
        with report.operation(f"place {name}, read it, cancel it"):
            mark = last()
            price = None if factor is None else round(mark * factor, 0)
            scaled = {"stopPrice", "trailingAmount", "price_oco_stop"}
            given = {key: round(mark * value, 0) if key in scaled else value for key, value in params.items()}
            placed = exchange.create_order(BTC, kind, side, amount, price, given)
            expect(placed["status"] == "open", f"it rests, was {placed['status']} ({placed['info']})")
            expect(placed["side"] == side and placed["amount"] == amount, "side and amount are those wished")
            if "stopPrice" in given:
                expect(placed["triggerPrice"] == given["stopPrice"], f"trigger, was {placed['triggerPrice']}")
            shown = exchange.fetch_open_orders(BTC)
            expect(placed["id"] in [each["id"] for each in shown], "it is among the open orders")
            expect(exchange.fetch_order(placed["id"])["id"] == placed["id"], "it is found by its id")
            canceled = exchange.cancel_order(placed["id"])
            expect(canceled["id"] == placed["id"], "the cancel names it")
            expect(finished(placed["id"])["status"] == "canceled", "it is canceled")
    with report.operation("place market, its fill and its trade"):
        placed = exchange.create_order(BTC, "market", "buy", 0.02)
        done = finished(placed["id"])
        expect(done["status"] == "closed" and done["filled"] == 0.02, f"it is filled, was {done['status']}")
        trades = exchange.fetch_order_trades(placed["id"], BTC)
        expect(round(sum(trade["amount"] for trade in trades), 8) == 0.02, "its trades sum up to it")
        expect(trades[0]["fee"]["currency"] == "BTC", "a buy pays its fee in what it bought")
    with report.operation("place IOC"):
        placed = exchange.create_order(BTC, "limit", "buy", 0.01, round(last() * 1.2), {"timeInForce": "IOC"})
        expect(finished(placed["id"])["filled"] == 0.01, "it is filled")
    with report.operation("place FOK"):
        placed = exchange.create_order(BTC, "limit", "buy", 0.01, round(last() * 1.2), {"timeInForce": "FOK"})
        expect(finished(placed["id"])["filled"] == 0.01, "it is filled")
    with report.operation("amend price and amount"):
        mark = last()
        placed = exchange.create_order(BTC, "limit", "buy", 0.01, round(mark * 0.8))
        price = round(mark * 0.75)
        exchange.edit_order(placed["id"], BTC, "limit", "buy", 0.03, price)
        changed = until(
            lambda: next((o for o in exchange.fetch_open_orders(BTC) if o["price"] == price), None), "the price changed"
        )
        expect(changed["id"] == placed["id"] and changed["amount"] == 0.03, "same order, new amount")
        exchange.cancel_order(placed["id"])
    with report.operation("cancel by client id"):
        placed = exchange.create_order(BTC, "limit", "buy", 0.01, round(last() * 0.8), {"clientOrderId": 777})
        date = time.strftime("%Y-%m-%d", time.gmtime(placed["timestamp"] / 1000))
        exchange.cancel_order("", BTC, {"cid": 777, "cidDate": date})
        expect(finished(placed["id"])["status"] == "canceled", "it is canceled")
    with report.operation("several at once (order/multi)"):
        mark = last()
        wanted = [
            {"symbol": BTC, "type": "limit", "side": "buy", "amount": 0.01, "price": round(mark * factor)}
            for factor in (0.7, 0.71, 0.72)
        ]
        placed_many = exchange.create_orders(wanted)
        expect(len(placed_many) == 3, "three orders")
        exchange.cancel_orders([each["id"] for each in placed_many[:2]])
        until(lambda: len(exchange.fetch_open_orders(BTC)) == 1, "one is left")
    with report.operation("cancel all"):
        exchange.create_order(BTC, "limit", "buy", 0.01, round(last() * 0.7))
        exchange.cancel_all_orders()
        until(lambda: not exchange.fetch_open_orders(), "nothing is left")
    with report.operation("margin position: open, read, close reduce-only"):
        opened = exchange.create_order(BTC, "market", "buy", 0.05, None, {"marginMode": "cross"})
        expect(finished(opened["id"])["status"] == "closed", "it is filled")
        [position] = exchange.fetch_positions([BTC])
        expect(position["notional"] == 0.05 and position["side"] == "long", f"it is held, was {position['info']}")
        closing = exchange.create_order(BTC, "market", "sell", 0.05, None, {"marginMode": "cross", "reduceOnly": True})
        expect(finished(closing["id"])["status"] == "closed", "it is filled")
        expect(not exchange.fetch_positions([BTC]), "no position is left")
    with report.operation("a contract: funding rate, open, read, close reduce-only"):
        contract = next(market["symbol"] for market in exchange.markets.values() if market["id"] == "tBTCF0:USTF0")
        expect(exchange.fetch_funding_rate(contract)["markPrice"] > 0, "it has a mark price")
        expect(exchange.fetch_ticker(contract)["last"] > 0, "it trades")
        opened = exchange.create_order(contract, "market", "buy", 0.02, None, {"lev": 5})
        expect(finished(opened["id"], contract)["status"] == "closed", "it is filled")
        [position] = exchange.fetch_positions([contract])
        expect(position["side"] == "long" and float(position["collateral"]) > 0, f"held, was {position['info']}")
        closing = exchange.create_order(contract, "market", "sell", 0.02, None, {"reduceOnly": True})
        expect(finished(closing["id"], contract)["status"] == "closed", "it is filled")
        expect(not exchange.fetch_positions([contract]), "no position is left")


def _closed(exchange: Any, order_id: str, symbol: str = BTC) -> Any:
    return next((order for order in exchange.fetch_closed_orders(symbol) if order["id"] == order_id), None)


def account(report: Report, exchange: Any) -> None:
    with report.operation("wallets"):
        balance = exchange.fetch_balance()
        expect(balance["BTC"]["total"] > 0 and balance["USD"]["total"] > 0, "both currencies are held")
        margin = exchange.fetch_balance({"type": "margin"})
        expect(margin["USD"]["total"] > 0, "the margin wallet is told apart")
    with report.operation("trades of ours"):
        trades = exchange.fetch_my_trades(BTC)
        stamps = [trade["timestamp"] for trade in trades]
        expect(len(trades) >= 5 and stamps == sorted(stamps), "every fill is there")
        expect(len({trade["id"] for trade in trades}) == len(trades), "none twice")
    with report.operation("order history"):
        expect(len(exchange.fetch_closed_orders(BTC)) >= 10, "closed orders are there")
    with report.operation("ledgers"):
        entries = exchange.fetch_ledger()
        expect(any(entry["type"] == "trade" for entry in entries), "trades stand in the ledger")
    with report.operation("trading fees"):
        fees = exchange.fetch_trading_fees()
        expect(0 <= fees[BTC]["maker"] <= fees[BTC]["taker"], "a maker pays no more than a taker")
    with report.operation("deposits and withdrawals"):
        expect(isinstance(exchange.fetch_deposits_withdrawals(), list), "a list")
    with report.operation("transfer between wallets"):
        before = exchange.fetch_balance({"type": "margin"})["USD"]["total"]
        # transfer() of this release stumbles over its own precision (8.0 is no int); so the call below it.
        exchange.private_post_auth_w_transfer(
            {"from": "exchange", "to": "margin", "currency": "USD", "currency_to": "USD", "amount": "100"}
        )
        after = exchange.fetch_balance({"type": "margin"})["USD"]["total"]
        expect(round(after - before, 8) == 100, f"100 more, was {after - before}")


def refusals(report: Report, exchange: Any) -> None:
    with report.operation("an order beyond the balance is InsufficientFunds or ExchangeError"):
        try:
            exchange.create_order(BTC, "limit", "buy", 1000, round(exchange.fetch_ticker(BTC)["last"] * 0.9))
        except ccxt.ExchangeError:
            pass
        else:
            raise AssertionError("must be refused, was not")
    with report.operation("a wrong secret is AuthenticationError or ExchangeError"):
        stranger = ccxt.bitfinex({"apiKey": exchange.apiKey, "secret": "wrong", "enableRateLimit": False})
        for name in ("public", "private", "v1"):
            stranger.urls["api"][name] = exchange.urls["api"][name]
        try:
            stranger.privatePostAuthRWallets()
        except ccxt.ExchangeError:
            pass
        else:
            raise AssertionError("must be refused, was not")
    with report.operation("an unknown pair is BadSymbol"):
        try:
            exchange.fetch_ticker("NOPE/USD")
        except ccxt.BadSymbol:
            pass
        else:
            raise AssertionError("must be refused, was not")


if __name__ == "__main__":
    sys.exit(1 if main(sys.argv[1], sys.argv[4], sys.argv[5]) else 0)
