"""REST: public and signed endpoints, and the errors as the venue gives them."""

import json
from typing import Any

import httpx
import pytest

from genesis.simulator.replay_driver import MAX_SPEED
from protocols.bitfinex.account import read_notice, read_order, read_position, read_trade, read_wallet
from protocols.bitfinex.auth import sign
from protocols.bitfinex.numbers import read_json
from protocols.units import Symbol

READ: dict[str, Any] = {"session": 0, "received_ns": 0}


def exact(answer: httpx.Response) -> Any:
    """The body with its fractions as decimals, as the engine reads it."""
    return read_json(answer.content)


async def replayed(world: Any) -> None:
    await world.exchange.replay(MAX_SPEED, wait_for_clients=False)


async def test_public_answers(world: Any) -> None:
    await replayed(world)
    assert (await world.get("platform/status")).json() == [1]
    assert len((await world.get("ticker/tBTCUSD")).json()) == 10
    rows = (await world.get("tickers?symbols=tBTCUSD,tNOPE,fUSD")).json()
    assert [(row[0], len(row)) for row in rows] == [("tBTCUSD", 11), ("fUSD", 17)]
    assert len((await world.get("tickers?symbols=ALL")).json()) == 11
    trades = (await world.get("trades/tBTCUSD/hist?limit=3")).json()
    assert [row[1] for row in trades] == sorted((row[1] for row in trades), reverse=True)
    assert (await world.get("trades/tBTCUSD/hist?limit=1&sort=1")).json()[0][1] < trades[-1][1]
    assert len((await world.get("book/tBTCUSD/P0?len=100")).json()) == 200
    assert len((await world.get("book/tBTCUSD/R0")).json()[0]) == 3
    assert len((await world.get("tickers/hist?symbols=tBTCUSD")).json()[0]) == 13


async def test_candles_newest_first_oldest_first_last_and_window(world: Any) -> None:
    await replayed(world)
    newest = (await world.get("candles/trade:1m:tBTCUSD/hist?limit=5")).json()
    assert [row[0] for row in newest] == sorted((row[0] for row in newest), reverse=True)
    assert (await world.get("candles/trade%3A1m%3AtBTCUSD/last")).json() == newest[0]
    start, end = newest[3][0], newest[1][0]
    window = (await world.get(f"candles/trade:1m:tBTCUSD/hist?sort=1&start={start}&end={end}")).json()
    assert (await world.get(f"candles/trade:1m:tBTCUSD/hist?sort=1&start={start}&end=0")).json()[0] == window[0]
    assert window == [newest[3], newest[2], newest[1]]
    assert (await world.get("candles/trade:1m:tNOPEUSD/hist")).json() == []
    assert (await world.get("candles/trade:1D:tBTCUSD/hist")).json()


async def test_conf_answers_one_element_a_label(world: Any) -> None:
    labels = "pub:info:pair,pub:info:pair:futures,pub:list:pair:securities,pub:list:pair:margin"
    info, futures, securities, margin = (await world.get(f"conf/{labels}")).json()
    assert info[0] == ["BTCUSD", [None, None, None, "0.00004", "2000.0", None, None, None, 0.2, 0.1, None, None]]
    assert [pair for pair, _ in futures if not pair.startswith("TEST")] == ["BTCF0:USTF0", "ETHF0:USTF0"]
    assert futures[0][1][8:10] == [0.01, 0.005]
    assert (securities, margin[0]) == ([], "BTCUSD")
    assert not [pair for pair in margin if "F0" in pair]
    assert {"BTC", "ETH", "USTF0"} < set((await world.get("conf/pub:list:currency")).json()[0])


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        ("ticker/tNOPEUSD", 500, ["error", 10020, "symbol: invalid"]),
        ("book/tBTCUSD/P9", 500, ["error", 10020, "prec: invalid"]),
        ("book/tBTCUSD/P0?len=7", 500, ["error", 10020, "len: invalid"]),
        ("candles/trade:1m:tBTCUSD/hist?limit=20000", 500, ["error", 10020, "limit: invalid"]),
        ("candles/trade:2m:tBTCUSD/hist", 500, ["error", 10020, "key: invalid"]),
        ("candles/trade:1m:tBTCUSD/hist?start=soon", 500, ["error", 10020, "start: invalid"]),
        ("status/deriv?keys=tNOPE", 200, []),
    ],
)
async def test_errors_are_arrays_with_500(world: Any, path: str, status: int, body: Any) -> None:
    answer = await world.get(path)
    assert (answer.status_code, answer.json()) == (status, body)


async def test_an_unknown_path_is_html_with_the_internal_prefix(world: Any) -> None:
    answer = await world.get("nope<script>")
    assert answer.status_code == 404
    assert "<pre>Cannot GET /api/v2/nope" in answer.text
    assert "<script>" not in answer.text


async def test_too_many_requests_are_429_for_a_minute(open_world: Any) -> None:
    async with open_world(rest_limits=True) as world, httpx.AsyncClient(base_url=world.address.rest) as client:
        answers = [await client.get("/v2/platform/status") for _ in range(31)]
        assert [answer.status_code for answer in answers] == [200] * 30 + [429]
        assert answers[-1].json() == ["error", 11010, "ratelimit: error"]
        assert (await client.get("/v2/ticker/tBTCUSD")).status_code == 200


async def test_signatures_nonces_and_keys_are_checked(world: Any) -> None:
    path = "auth/r/wallets"
    cases: list[tuple[dict[str, Any], list[object] | None]] = [
        ({"key": "nobody"}, [10100, "apikey: invalid"]),
        ({"secret": "wrong"}, [10100, "apikey: digest invalid"]),
        ({"key": "bob-key", "secret": "bob-secret", "nonce": 7}, None),
        ({"key": "bob-key", "secret": "bob-secret", "nonce": 7}, [10114, "nonce: small"]),
        ({"key": "bob-key", "secret": "wrong", "nonce": 99}, [10100, "apikey: digest invalid"]),
        # A bad signature does not use the nonce up.
        ({"key": "bob-key", "secret": "bob-secret", "nonce": 8}, None),
    ]
    for fields, error in cases:
        answer = await world.post(path, {}, **fields)
        assert answer.status_code == (200 if error is None else 500)
        assert error is None or answer.json() == ["error", *error]
    async with httpx.AsyncClient(base_url=world.address.rest) as client:
        answer = await client.post(f"/v2/{path}")
        assert answer.json() == ["error", 10100, "apikey: invalid"]


async def test_an_empty_body_and_an_encoded_path_are_verified_as_they_came(world: Any) -> None:
    assert (await world.post("auth/r/wallets", None, nonce=1)).status_code == 200
    message = "/api/v2/auth/r/order/tBTCUSD:5/trades2{}"
    headers = {"bfx-nonce": "2", "bfx-apikey": "alice-key", "bfx-signature": sign("alice-secret", message)}
    async with httpx.AsyncClient(base_url=world.address.rest) as client:
        answer = await client.post("/v2/auth/r/order/tBTCUSD%3A5/trades", content=b"{}", headers=headers)
        assert (answer.status_code, answer.json()) == (200, [])


async def test_an_order_over_rest_from_submit_to_history(world: Any) -> None:
    order = {"type": "EXCHANGE LIMIT", "symbol": "tBTCUSD", "amount": "0.1", "price": "7000", "cid": 5, "gid": 3}
    answer = exact(await world.post("auth/w/order/submit", order, nonce=1))
    # Seconds, and the order wrapped once more: only here.
    assert answer[0] == world.exchange.venue_ms() // 1000
    assert isinstance(answer[4][0], list)
    notice = read_notice(answer, **READ)
    assert (notice.kind, notice.status, notice.cid) == ("on-req", "SUCCESS", 5)
    venue_id = notice.venue_id
    (row,) = exact(await world.post("auth/r/orders/tBTCUSD", {}, nonce=2))
    assert read_order(row, event="rest", **READ).venue_id == venue_id
    change = {"id": venue_id, "price": "7100", "amount": "0.2"}
    assert (await world.post("auth/w/order/update", change, nonce=3)).json()[6] == "SUCCESS"
    wallets = exact(await world.post("auth/r/wallets", None, nonce=4))
    dollars = next(wallet for row in wallets if (wallet := read_wallet(row, **READ)).currency == "USD")
    assert dollars.available == 100_000 - 1420
    answer = (await world.post("auth/w/order/cancel", {"id": venue_id}, nonce=5)).json()
    assert answer[4][0] == venue_id
    answer = await world.post("auth/w/order/cancel", {"id": venue_id}, nonce=6)
    assert (answer.status_code, answer.json()) == (500, ["error", 10001, "Order not found."])
    answer = await world.post("auth/w/order/cancel", {"cid": 5}, nonce=7)
    assert answer.json() == ["error", 10020, "cid_date: invalid"]
    (row,) = (await world.post("auth/r/orders/hist", {}, nonce=8)).json()
    assert row[13] == "CANCELED"
    assert (await world.post("auth/r/orders", {}, nonce=9)).json() == []


async def test_trades_positions_margin_and_ledgers(world: Any) -> None:
    order = {"symbol": "tBTCUSD", "amount": "0.1", "cid": 5}
    await world.post("auth/w/order/submit", order | {"type": "EXCHANGE MARKET"}, nonce=1)
    await world.post("auth/w/order/submit", order | {"type": "MARKET", "cid": 6}, nonce=2)
    await replayed(world)
    trades = [
        read_trade(row, event="rest", **READ) for row in exact(await world.post("auth/r/trades/hist", {}, nonce=3))
    ]
    assert {trade.cid for trade in trades} == {5, 6}
    assert all(trade.fee is not None and trade.fee < 0 for trade in trades)
    by_order = (await world.post(f"auth/r/order/tBTCUSD:{trades[0].venue_order_id}/trades", {}, nonce=4)).json()
    assert (by_order[0][0], by_order[0][7]) == (trades[0].trade_id, None)
    (row,) = exact(await world.post("auth/r/positions", {}, nonce=5))
    position = read_position(row, **READ)
    assert position.amount == sum(trade.amount for trade in trades) / 2
    assert position.profit is not None
    assert (await world.post("auth/r/info/margin/base", {}, nonce=6)).json()[0] == "base"
    assert len((await world.post("auth/r/info/margin/sym_all", {}, nonce=7)).json()) == 2
    entries = (await world.post("auth/r/ledgers/USD/hist", {"limit": 100}, nonce=8)).json()
    assert len(entries[0]) == 9
    assert {row[1] for row in entries} == {"USD"}
    moved = {"from": "margin", "to": "exchange", "currency": "USD", "amount": "100"}
    assert (await world.post("auth/w/transfer", moved, nonce=9)).json()[1] == "acc_tf"
    answer = await world.post("auth/w/transfer", moved | {"amount": "1000000"}, nonce=10)
    assert answer.json()[0] == "error"
    keys = {"key": "alice-read", "secret": "alice-read-secret"}
    answer = await world.post("auth/w/transfer", moved, nonce=1, **keys)
    assert answer.json()[2] == "api_key: permission invalid"


async def test_many_operations_in_one_request(world: Any) -> None:
    good = {"type": "EXCHANGE LIMIT", "symbol": "tBTCUSD", "amount": "0.1", "price": "7000", "cid": 5}
    operations = [["on", good], ["on", good | {"price": "-1"}], ["oc_multi", {"all": 1}]]
    answer = (await world.post("auth/w/order/multi", {"ops": operations}, nonce=1)).json()
    assert answer[1] == "ox_multi-req"
    assert [inner[6] for inner in answer[4]] == ["SUCCESS", "ERROR", "SUCCESS"]
    assert answer[4][0][0] < 10**11 < answer[0]
    assert len(answer[4][2][4]) == 1


async def test_what_may_be_ordered(world: Any) -> None:
    body = {"symbol": "tBTCUSD", "dir": 1, "rate": "8000", "type": "EXCHANGE"}
    assert (await world.post("auth/calc/order/avail", body, nonce=1)).json() == [12.5]
    assert (await world.post("auth/calc/order/avail", body | {"dir": -1}, nonce=2)).json() == [-10]


async def test_permissions_are_shown_and_kept(world: Any) -> None:
    keys = {"key": "bob-withdraw", "secret": "bob-withdraw-secret"}
    rows = {row[0]: row[1:] for row in (await world.post("auth/r/permissions", {}, nonce=1, **keys)).json()}
    assert rows["withdraw"] == [1, 1]
    order = {"type": "EXCHANGE MARKET", "symbol": "tBTCUSD", "amount": "0.1"}
    keys = {"key": "alice-read", "secret": "alice-read-secret"}
    answer = await world.post("auth/w/order/submit", order, nonce=1, **keys)
    assert (answer.status_code, answer.json()) == (500, ["error", 10001, "api_key: permission invalid"])
    assert len((await world.post("auth/r/info/user", {}, nonce=2, **keys)).json()) >= 55
    assert (await world.post("auth/r/summary", {}, nonce=3, **keys)).json()[4][0][0] == 0.001


async def test_average_price_and_exchange_rate(world: Any) -> None:
    async with httpx.AsyncClient(base_url=world.address.rest) as client:
        price, amount = (await client.post("/v2/calc/trade/avg?symbol=tBTCUSD&amount=1", content=b"{}")).json()
        assert (price > 7900, amount) == (True, 1)
        (rate,) = (await client.post("/v2/calc/fx", content=b'{"ccy1":"BTC","ccy2":"USD"}')).json()
        assert rate == world.exchange.market.feeds[Symbol("tBTCUSD")].last


async def test_numbers_are_printed_the_javascript_way(world: Any) -> None:
    text = (await world.get("candles/trade:1m:tBTCUSD/last")).text
    assert ".0," not in text
    assert " " not in text
    assert json.loads(text)


@pytest.mark.parametrize("raw", [b"GET", b"\x00\xff" * 50, b"GET / HTTP/1.1\r\n\r\n", b"POST /v2/x HTTP/1.1\r\n"])
async def test_bytes_that_are_no_request_end_their_connection_only(world: Any, raw: bytes) -> None:
    import trio

    stream = await trio.open_tcp_stream(world.address.host, world.address.port)
    await stream.send_all(raw)
    await stream.send_eof()
    with trio.fail_after(60):
        while await stream.receive_some():
            pass
    await stream.aclose()
    assert (await world.get("platform/status")).json() == [1]
