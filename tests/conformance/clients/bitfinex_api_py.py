"""bitfinex-api-py, the exchange's own client, unmodified: REST, then two sockets that hang up and come back."""

import asyncio
import importlib.metadata
import sys
from decimal import Decimal
from typing import Any

from bfxapi import Client
from report import Control, Report, expect, until, until_async

BTC = "tBTCUSD"
PERPETUAL = "tBTCF0:USTF0"
HIDDEN, POST_ONLY, OCO, REDUCE_ONLY = 64, 4096, 16384, 1024


def public(report: Report, rest: Any) -> None:
    with report.operation("platform status"):
        expect(rest.get_platform_status().status == 1, "operative")
    with report.operation("conf: pairs and their limits"):
        expect("BTCUSD" in rest.conf("pub:list:pair:exchange"), "the pair is listed")
        expect(any(pair == "BTCUSD" for pair, _ in rest.conf("pub:info:pair")), "its limits are known")
    with report.operation("ticker"):
        ticker = rest.get_t_ticker(BTC)
        expect(ticker.bid < ticker.ask and ticker.low <= ticker.last_price <= ticker.high, "prices make sense")
    with report.operation("tickers"):
        expect(BTC in rest.get_t_tickers("ALL") and "tETHUSD" in rest.get_t_tickers(["tETHUSD"]), "both ways")
    with report.operation("tickers history"):
        expect(isinstance(rest.get_tickers_history([BTC], limit=5), list), "a list")
    for timeframe in ("1m", "5m", "15m", "1h"):
        with report.operation(f"candles {timeframe}"):
            rows = rest.get_candles_hist(BTC, timeframe, limit=50)
            stamps = [row.mts for row in rows]
            expect(len(rows) >= 20 and stamps == sorted(stamps, reverse=True), "newest first")
            oldest = rest.get_candles_hist(BTC, timeframe, limit=3, sort=1, start=str(stamps[-1]))
            expect([row.mts for row in oldest] == stamps[:-4:-1], "oldest first from a start")
            expect(rest.get_candles_last(BTC, timeframe).mts >= stamps[0], "the last one")
    with report.operation("public trades"):
        trades = rest.get_t_trades(BTC, limit=20)
        expect(len({trade.id for trade in trades}) == len(trades) > 0, "each once")
    with report.operation("status of contracts, liquidations"):
        expect(rest.get_derivatives_status([PERPETUAL])[PERPETUAL].mark_price > 0, "it has a mark price")
        expect(len(rest.get_derivatives_status_history(PERPETUAL, limit=3)) == 3, "and a past")
        expect(isinstance(rest.get_liquidations(), list), "liquidations are a list")
    for precision in ("P0", "P1", "P2", "P3", "P4"):
        with report.operation(f"book {precision}"):
            levels = rest.get_t_book(BTC, precision, len=25)
            bids = [level.price for level in levels if level.amount > 0]
            asks = [level.price for level in levels if level.amount < 0]
            expect(bids and asks and max(bids) <= min(asks), "not crossed")
    with report.operation("book R0"):
        expect(len(rest.get_t_raw_book(BTC, len=25)) == 50, "25 orders a side")
    with report.operation("average price and exchange rate"):
        expect(rest.get_trading_market_average_price(BTC, 0.1).price_avg > 0, "a price")
        expect(rest.get_fx_rate("BTC", "USD").current_rate > 0, "a rate")


def orders(report: Report, rest: Any, public: Any) -> None:
    def price(factor: float) -> str:
        return str(round(public.get_t_ticker(BTC).last_price * factor))

    def closed(order_id: int) -> Any:
        def look() -> Any:
            return next((order for order in rest.get_orders_history(ids=[order_id])), None)

        return until(look, f"order {order_id} is closed")

    wished: list[tuple[str, str, str, float, dict[str, Any]]] = [
        ("limit", "EXCHANGE LIMIT", "0.01", 0.8, {"cid": 1001}),
        ("limit sell", "EXCHANGE LIMIT", "-0.01", 1.2, {}),
        ("post-only", "EXCHANGE LIMIT", "0.01", 0.8, {"flags": POST_ONLY}),
        ("hidden", "EXCHANGE LIMIT", "0.01", 0.8, {"flags": HIDDEN}),
        ("stop", "EXCHANGE STOP", "-0.01", 0.5, {}),
        ("stop limit", "EXCHANGE STOP LIMIT", "-0.01", 0.5, {"price_aux_limit": 0.49}),
        ("trailing stop", "EXCHANGE TRAILING STOP", "-0.01", 1.0, {"price_trailing": 0.3}),
        ("margin limit", "LIMIT", "0.01", 0.8, {"lev": 3}),
    ]
    for name, kind, amount, factor, extra in wished:
        with report.operation(f"place {name}, read it, cancel it"):
            given = {k: price(v) if k.startswith("price_") else v for k, v in extra.items()}
            answer = rest.submit_order(kind, BTC, Decimal(amount), price(factor), **given)
            expect(answer.status == "SUCCESS", f"taken, was {answer.status}: {answer.text}")
            # The venue answers a submission with a list of one; this client reads the row out of it.
            order = answer.data
            expect(order.order_type == kind and str(order.amount_orig) == amount, "kind and amount are those wished")
            expect(order.id in [each.id for each in rest.get_orders(symbol=BTC)], "it is among the open orders")
            rest.cancel_order(id=order.id)
            expect(closed(order.id).order_status.startswith("CANCELED"), "it is canceled")
    with report.operation("place market, its trade"):
        order = rest.submit_order("EXCHANGE MARKET", BTC, "0.02", "0").data
        expect(closed(order.id).order_status.startswith("EXECUTED"), "it is executed")
        expect(sum(t.exec_amount for t in rest.get_order_trades(BTC, order.id)) == 0.02, "its trades sum up to it")
    for kind in ("EXCHANGE IOC", "EXCHANGE FOK"):
        with report.operation(f"place {kind.split()[1]}"):
            order = rest.submit_order(kind, BTC, "0.01", price(1.2)).data
            expect(closed(order.id).order_status.startswith("EXECUTED"), "it is executed")
    with report.operation("amend price and amount"):
        order = rest.submit_order("EXCHANGE LIMIT", BTC, "0.01", price(0.8)).data
        wanted = price(0.75)
        expect(rest.update_order(order.id, price=wanted, amount="0.03").status == "SUCCESS", "taken")
        [changed] = [each for each in rest.get_orders(symbol=BTC) if each.id == order.id]
        expect(str(int(changed.price)) == wanted and changed.amount == 0.03, "both are changed")
        rest.cancel_order(id=order.id)
    with report.operation("cancel several, by group and all"):
        placed = [rest.submit_order("EXCHANGE LIMIT", BTC, "0.01", price(0.7), gid=g).data for g in (5, 5, 6, 7)]
        rest.cancel_order_multi(id=[placed[2].id])
        rest.cancel_order_multi(gid=[5])
        expect([each.id for each in rest.get_orders(symbol=BTC)] == [placed[3].id], "one is left")
        rest.cancel_order_multi(all=True)
        expect(rest.get_orders() == [], "none is left")
    with report.operation("margin position: open, read, close reduce-only"):
        opened = rest.submit_order("MARKET", BTC, "0.05", "0", lev=3).data
        closed(opened.id)
        [position] = rest.get_positions()
        expect(position.amount == 0.05 and position.status == "ACTIVE", f"it is held, was {position}")
        closing = rest.submit_order("MARKET", BTC, "-0.05", "0", flags=REDUCE_ONLY).data
        closed(closing.id)
        expect(rest.get_positions() == [], "none is left")
    with report.operation("a contract: open, collateral, close reduce-only"):
        closed(rest.submit_order("MARKET", PERPETUAL, "0.02", "0", lev=5).data.id)
        [position] = rest.get_positions()
        expect(position.symbol == PERPETUAL and position.collateral > 0 and position.leverage, f"held, was {position}")
        limits = rest.get_derivative_position_collateral_limits(PERPETUAL)
        expect(0 <= limits.min_collateral < position.collateral < limits.max_collateral, f"limits, were {limits}")
        rest.set_derivative_position_collateral(PERPETUAL, position.collateral + 10)
        [more] = rest.get_positions()
        expect(more.collateral == position.collateral + 10, f"more stands behind it, was {more}")
        closed(rest.submit_order("MARKET", PERPETUAL, "-0.02", "0", flags=REDUCE_ONLY).data.id)
        expect(rest.get_positions() == [], "none is left")
    with report.operation("an order beyond the balance is refused"):
        try:
            answer = rest.submit_order("EXCHANGE LIMIT", BTC, "1000", price(0.9))
        except Exception as error:
            expect("not enough" in str(error), f"says why, was {error}")
        else:
            raise AssertionError(f"must be refused, was {answer}")


def account(report: Report, rest: Any) -> None:
    with report.operation("user and login history"):
        expect(rest.get_user_info().id > 0 and isinstance(rest.get_login_history(), list), "known")
    with report.operation("wallets"):
        found = {(wallet.wallet_type, wallet.currency) for wallet in rest.get_wallets()}
        expect({("exchange", "USD"), ("exchange", "BTC"), ("margin", "USD")} <= found, f"all of them, was {found}")
    with report.operation("balance available for an order"):
        expect(rest.get_balance_available_for_orders_or_offers(BTC, "EXCHANGE", dir=1, rate="8000").amount, "some")
    with report.operation("trades of ours"):
        trades = rest.get_trades_history(symbol=BTC)
        expect(len(trades) >= 5 and len({trade.id for trade in trades}) == len(trades), "every fill once")
        expect(len(rest.get_trades_history(sort=1, limit=2)) == 2, "over all pairs, oldest first")
    with report.operation("order history"):
        expect(len(rest.get_orders_history()) >= 10, "closed orders are there")
    with report.operation("ledgers"):
        expect(rest.get_ledgers("USD", limit=10) and rest.get_ledgers(), "by currency and all")
    with report.operation("margin information"):
        rest.get_base_margin_info()
        rest.get_symbol_margin_info(BTC)
        rest.get_all_symbols_margin_info()
    with report.operation("position history, snapshots, audit"):
        expect(len(rest.get_positions_history()) >= 1, "the closed position is there")
        rest.get_positions_snapshot()
        rest.get_positions_audit(limit=5)
    with report.operation("movements"):
        expect(isinstance(rest.get_movements(), list), "a list")
    with report.operation("transfer between wallets"):
        expect(rest.transfer_between_wallets("exchange", "margin", "USD", "USD", "100").status == "SUCCESS", "done")
    with report.operation("deposit address"):
        expect(rest.get_deposit_address("exchange", "bitcoin").data.address, "an address")
    with report.operation("funding: offer, read, cancel, history"):
        offer = rest.submit_funding_offer("LIMIT", "fUSD", "200", "0.001", 2)
        expect(offer.status == "SUCCESS", f"taken, was {offer.text}")
        expect(offer.data.id in [each.id for each in rest.get_funding_offers(symbol="fUSD")], "it is open")
        rest.cancel_funding_offer(offer.data.id)
        expect(rest.get_funding_offers(symbol="fUSD") == [], "it is gone")
        expect(offer.data.id in [each.id for each in rest.get_funding_offers_history()], "it is history")
        for read in (rest.get_funding_loans, rest.get_funding_credits, rest.get_funding_loans_history):
            expect(isinstance(read(), list), "a list")
        expect(isinstance(rest.get_funding_credits_history(), list), "a list")
        expect(isinstance(rest.get_funding_trades_history(), list), "a list")
        rest.get_funding_info("fUSD")
    with report.operation("funding: an offer is taken, becomes loans and trades"):
        lent = rest.submit_funding_offer("LIMIT", "fUSD", "150", "0.00001", 2).data
        until(lambda: lent.id not in [each.id for each in rest.get_funding_offers(symbol="fUSD")], "it is taken")
        loans = [*rest.get_funding_loans(symbol="fUSD"), *rest.get_funding_credits(symbol="fUSD")]
        expect(sum(loan.amount for loan in loans) == 150, f"all of it is lent, was {loans}")
        trades = rest.get_funding_trades_history(symbol="fUSD")
        expect(sum(trade.amount for trade in trades if trade.offer_id == lent.id) == 150, f"in trades, was {trades}")
        expect(rest.get_funding_info("fUSD").yield_lend > 0, "it yields")


class Watcher:
    """What the socket client has told, by event."""

    def __init__(self, client: Any) -> None:
        self.told: dict[str, list[Any]] = {}
        self.wss = client.wss
        for name in (
            "open",
            "authenticated",
            "subscribed",
            "t_ticker_update",
            "t_trades_snapshot",
            "t_trade_execution",
            "t_book_snapshot",
            "t_book_update",
            "t_raw_book_snapshot",
            "candles_snapshot",
            "candles_update",
            "checksum",
            "wallet_snapshot",
            "wallet_update",
            "order_snapshot",
            "order_new",
            "order_update",
            "order_cancel",
            "trade_execution",
            "trade_execution_update",
            "on-req-notification",
            "oc-req-notification",
        ):
            self.wss.on(name, self._listener(name))

    def _listener(self, name: str) -> Any:
        def told(*values: Any) -> None:
            self.told.setdefault(name, []).append(values)

        return told

    def count(self, name: str) -> int:
        return len(self.told.get(name, ()))

    async def reach(self, name: str, wanted: int, within_s: float = 15.0) -> list[Any]:
        async def look() -> bool:
            return self.count(name) >= wanted

        await until_async(look, f"{name} is told", within_s)
        return self.told[name]

    async def hear(self, name: str, more: int = 1, within_s: float = 15.0) -> list[Any]:
        return await self.reach(name, self.count(name) + more, within_s)

    async def heard(self, name: str) -> list[Any]:
        if not self.count(name):
            await self.hear(name)
        return self.told[name]


async def sockets(report: Report, client: Any, control: Control) -> None:
    watcher, wss = Watcher(client), client.wss
    running = asyncio.create_task(wss.start())
    try:
        async with report.waiting("WebSocket: authenticate, snapshots"):
            await watcher.heard("authenticated")
            [[wallets]] = await watcher.heard("wallet_snapshot")
            expect({"USD", "BTC"} <= {wallet.currency for wallet in wallets}, "wallets are told")
            await watcher.heard("order_snapshot")
        for channel, sub_id, options, events in (
            ("ticker", "ticker", {"symbol": BTC}, ("t_ticker_update",)),
            ("trades", "trades", {"symbol": BTC}, ("t_trades_snapshot", "t_trade_execution")),
            ("candles", "candles", {"key": "trade:1m:" + BTC}, ("candles_snapshot", "candles_update")),
            ("book", "book", {"symbol": BTC, "prec": "P0", "len": "25"}, ("t_book_snapshot", "t_book_update")),
            ("book", "raw", {"symbol": "tETHUSD", "prec": "R0", "len": "25"}, ("t_raw_book_snapshot",)),
        ):
            async with report.waiting(f"WebSocket: {channel} ({sub_id})"):
                await wss.subscribe(channel, sub_id=sub_id, **options)
                for event in events:
                    await watcher.heard(event)
        async with report.waiting("WebSocket: checksums are told (flag 131072)"):
            await watcher.heard("checksum")
        async with report.waiting("WebSocket: place, amend, cancel"):
            mark = client.rest.public.get_t_ticker(BTC).last_price
            await wss.inputs.submit_order("EXCHANGE LIMIT", BTC, "0.01", str(round(mark * 0.7)), cid=2001)
            [order] = (await watcher.heard("order_new"))[-1]
            expect(order.cid == 2001, "the client id comes back")
            await wss.inputs.update_order(order.id, price=str(round(mark * 0.6)))
            [changed] = (await watcher.heard("order_update"))[-1]
            expect(changed.price == round(mark * 0.6), "the price is changed")
            await wss.inputs.cancel_order(id=order.id)
            [canceled] = (await watcher.heard("order_cancel"))[-1]
            expect(canceled.order_status.startswith("CANCELED"), "it is canceled")
            [note] = (await watcher.heard("on-req-notification"))[-1]
            expect(note.status == "SUCCESS", "the request was acknowledged")
        async with report.waiting("WebSocket: place OCO, cancel both orders"):
            # Over REST the venue answers with both orders, of which this client can read only one.
            before, ended = watcher.count("order_new"), watcher.count("order_cancel")
            stop = str(round(mark * 0.5))
            await wss.inputs.submit_order(
                "EXCHANGE LIMIT", BTC, "-0.01", str(round(mark * 1.2)), price_oco_stop=stop, flags=OCO
            )
            await watcher.reach("order_new", before + 2)
            pair = [order for (order,) in watcher.told["order_new"][before:]]
            expect({order.order_type for order in pair} == {"EXCHANGE LIMIT", "EXCHANGE STOP"}, f"two, was {pair}")
            await wss.inputs.cancel_order(id=pair[0].id)
            await watcher.reach("order_cancel", ended + 2)
        async with report.waiting("WebSocket: a market order, its fill, the wallet"):
            before = watcher.count("wallet_update")
            await wss.inputs.submit_order("EXCHANGE MARKET", BTC, "0.01", "0", cid=2002)
            trades = await watcher.heard("trade_execution_update")
            expect(trades[-1][0].exec_amount == 0.01, "the fill is told")
            if watcher.count("wallet_update") == before:
                await watcher.hear("wallet_update")
        for name, path in (("20051", "/stop"), ("a dropped socket", "/drop")):
            async with report.waiting(f"WebSocket: reconnect after {name}", 45.0):
                # It says `authenticated` and snapshots once in its life, so that it came back is seen by what follows.
                old = {socket["number"] for socket in control.ask("GET", "/sockets")}
                control.ask("POST", path)

                async def back(gone: set[int] = old) -> bool:
                    now = control.ask("GET", "/sockets")
                    return any(s["account"] for s in now if s["number"] not in gone) and any(
                        s["channels"] >= 5 for s in now if s["number"] not in gone
                    )

                await until_async(back, "authenticated and resubscribed", 40.0)
                for event in ("t_ticker_update", "t_trade_execution", "candles_update", "t_book_update", "checksum"):
                    await watcher.hear(event)
                await wss.inputs.submit_order("EXCHANGE MARKET", BTC, "0.01", "0")
                await watcher.hear("trade_execution_update")
        async with report.waiting("WebSocket: unsubscribe"):
            await wss.unsubscribe(sub_id="ticker")
            # What was under way may still come; after that nothing does.
            await asyncio.sleep(0.3)
            told = watcher.count("t_ticker_update")
            await watcher.hear("t_trade_execution", 3)
            expect(watcher.count("t_ticker_update") == told, "no more tickers")
        async with report.waiting("WebSocket: close"):
            await wss.close()
            await running
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def main(rest: str, websocket: str, control: Control, key: str, secret: str) -> int:
    report = Report("bitfinex-api-py", importlib.metadata.version("bitfinex-api-py"))

    async def run() -> None:
        client = Client(key, secret, rest_host=rest + "/v2", wss_host=websocket, timeout=None)
        public(report, client.rest.public)
        orders(report, client.rest.auth, client.rest.public)
        account(report, client.rest.auth)
        await sockets(report, client, control)

    asyncio.run(run())
    return report.failed


if __name__ == "__main__":
    sys.exit(1 if main(sys.argv[1], sys.argv[2], Control(sys.argv[3]), sys.argv[4], sys.argv[5]) else 0)
