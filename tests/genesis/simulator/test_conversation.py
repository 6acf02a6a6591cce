"""Conversations with the exchange over a real socket: the public half of the protocol, errors included."""

from typing import Any

import msgspec
import pytest
import trio
from trio_websocket import ConnectionClosed

from genesis.simulator.replay_driver import MAX_SPEED
from protocols.bitfinex.wire_book import KeyedBook, LevelBook
from protocols.units import Symbol

SEQ, STAMP, SUM, BULK = 65536, 32768, 131072, 536870912


async def test_info_comes_first_and_says_version_two(world: Any) -> None:
    async with world.talker(greeted=False) as talker:
        info = await talker.hear()
        assert (info["event"], info["version"], info["platform"]) == ("info", 2, {"status": 1})
        assert len(info["serverId"]) == 36


async def test_ping_is_answered_with_its_cid(world: Any) -> None:
    async with world.talker() as talker:
        pong = await talker.ask({"event": "ping", "cid": 1234})
        assert (pong["event"], pong["cid"]) == ("pong", 1234)
        assert "cid" not in await talker.ask({"event": "ping"})


async def test_every_conf_replaces_the_one_before(world: Any) -> None:
    async with world.talker() as talker:
        assert await talker.ask({"event": "conf", "flags": SEQ}) == {"event": "conf", "status": "OK", "flags": SEQ}
        await talker.ask({"event": "conf", "flags": SUM})
        _, _ = await talker.subscribe("trades", symbol="tBTCUSD")
        assert len(talker.heard[-1]) == 2
        assert (await talker.ask({"event": "conf", "flags": "x"}))["status"] == "ERROR"


@pytest.mark.parametrize(
    ("request_fields", "code", "text"),
    [
        ({"event": "nope"}, 10000, "event: invalid (nope)"),
        ({"event": "subscribe", "channel": "dreams"}, 10300, "channel: unknown"),
        ({"event": "subscribe", "channel": "ticker", "symbol": "tNOPEUSD"}, 10300, "symbol: invalid"),
        ({"event": "subscribe", "channel": "ticker", "symbol": "btcusd"}, 10300, "symbol: invalid"),
        ({"event": "subscribe", "channel": "book", "symbol": "tBTCUSD", "prec": "P9"}, 10300, "precision: invalid"),
        ({"event": "subscribe", "channel": "book", "symbol": "tBTCUSD", "len": "7"}, 10300, "length: invalid"),
        ({"event": "subscribe", "channel": "candles", "key": "trade:2m:tBTCUSD"}, 10300, "key: invalid"),
        ({"event": "unsubscribe", "chanId": 5}, 10400, "unsubscribe: invalid"),
        ({"event": "unauth"}, 10200, "unauth: invalid"),
    ],
)
async def test_errors_echo_the_request(world: Any, request_fields: dict[str, Any], code: int, text: str) -> None:
    async with world.talker() as talker:
        error = await talker.ask(request_fields | ({"subId": "x"} if "channel" in request_fields else {}))
        assert (error["event"], error["code"], error["msg"]) == ("error", code, text)
        for name in ("symbol", "prec", "len", "key", "channel"):
            assert error.get(name) == request_fields.get(name)
        if "symbol" in request_fields:
            assert error["pair"] == request_fields["symbol"][1:]
            assert error["subId"] == "x"


async def test_nonsense_and_unknown_status_keys_get_no_answer_at_all(world: Any) -> None:
    async with world.talker() as talker:
        await talker.say("hello", '"text"', "[", "[0]", "17", {"event": "subscribe", "channel": "status", "key": "x"})
        assert (await talker.ask({"event": "ping"}))["event"] == "pong"


async def test_binary_messages_count_as_text(world: Any) -> None:
    # The venue's own Go client (its mux) says everything in binary messages.
    async with world.talker() as talker:
        await talker.socket.send_message(b'{"event":"ping","cid":7}')
        assert (await talker.hear())["cid"] == 7
        await talker.socket.send_message(b"\xff\xfe{}")
        assert (await talker.ask({"event": "ping", "cid": 8}))["cid"] == 8


async def test_a_second_subscription_of_the_same_stream_is_refused_with_its_channel(world: Any) -> None:
    async with world.talker() as talker:
        number, _ = await talker.subscribe("trades", symbol="tBTCUSD")
        error = await talker.ask({"event": "subscribe", "channel": "trades", "symbol": "BTCUSD"})
        assert (error["code"], error["msg"], error["chanId"]) == (10301, "subscribe: dup", number)


async def test_the_channel_limit_counts_the_account_channel(open_world: Any) -> None:
    async with open_world(channel_limit=2) as world, world.talker() as talker:
        await talker.authenticate()
        await talker.subscribe("trades", symbol="tBTCUSD")
        error = await talker.ask({"event": "subscribe", "channel": "ticker", "symbol": "tBTCUSD"})
        assert (error["code"], error["msg"]) == (10305, "subscribe: limit")


async def test_acknowledgements_hold_what_clients_need(world: Any) -> None:
    async with world.talker() as talker:
        wish = {"event": "subscribe", "channel": "book", "symbol": "BTCUSD", "len": 25, "subId": "mine"}
        ack = await talker.ask(wish)
        number = ack.pop("chanId")
        assert ack == {
            "event": "subscribed",
            "channel": "book",
            "symbol": "tBTCUSD",
            "prec": "P0",
            "freq": "F0",
            "len": "25",
            "subId": "mine",
            "pair": "BTCUSD",
        }
        snapshot = (await talker.hear())[1]
        bids, asks = snapshot[:25], snapshot[25:]
        assert [row[0] for row in bids] == sorted((row[0] for row in bids), reverse=True)
        assert [row[0] for row in asks] == sorted(row[0] for row in asks)
        assert all(row[2] > 0 for row in bids)
        assert all(row[2] < 0 for row in asks)
        assert bids[0][0] < asks[0][0]
        gone = await talker.ask({"event": "unsubscribe", "chanId": str(number)})
        assert gone == {"event": "unsubscribed", "status": "OK", "chanId": number}


async def test_snapshots_of_ticker_trades_and_candles(world: Any) -> None:
    async with world.talker() as talker:
        _, ticker = await talker.subscribe("ticker", symbol="tBTCUSD")
        assert len(ticker) == 10
        assert ticker[0] < ticker[6] < ticker[2]
        _, trades = await talker.subscribe("trades", symbol="tBTCUSD")
        assert trades == []
        for timeframe in ("1m", "5m", "15m", "30m", "1h", "3h", "6h", "12h", "1D", "7D", "14D", "1M"):
            _, rows = await talker.subscribe("candles", key=f"trade:{timeframe}:tBTCUSD")
            times = [row[0] for row in rows]
            assert times == sorted(times, reverse=True)
            assert all(len(row) == 6 and row[4] <= min(row[1:3]) <= max(row[1:3]) <= row[3] for row in rows)
        assert await talker.ask({"event": "ping"})


async def test_a_status_subscription_that_exists_is_acknowledged(world: Any) -> None:
    async with world.talker() as talker:
        ack = await talker.ask({"event": "subscribe", "channel": "status", "key": "deriv:tBTCF0:USTF0"})
        assert (ack["event"], ack["key"]) == ("subscribed", "deriv:tBTCF0:USTF0")


async def test_the_ticker_has_an_eleventh_element_when_asked_for(open_world: Any) -> None:
    async with open_world(ticker_length=11) as world, world.talker() as talker:
        _, ticker = await talker.subscribe("ticker", symbol="tBTCUSD")
        assert ticker[10] is None


async def test_books_of_all_precisions_stay_true_to_their_checksums(world: Any) -> None:
    """A whole replay seen as a client sees it: sequence without a hole, books without a wrong sum or a crossing."""
    books: dict[int, Any] = {}
    sums = 0
    async with world.talker() as talker:
        await talker.ask({"event": "conf", "flags": SEQ | STAMP | SUM})
        for precision in ("P0", "P1", "P2", "P3", "P4", "R0"):
            for length in ("1", "25", "100", "250"):
                wish = {"event": "subscribe", "channel": "book", "symbol": "tBTCUSD", "prec": precision, "len": length}
                number = (await talker.ask(wish))["chanId"]
                books[number] = KeyedBook(raw=True, funding=False) if precision == "R0" else LevelBook()
                for row in (await talker.hear())[1]:
                    books[number].apply(row, None)
                assert len(books[number].best_bids(300)) <= int(length)
        world.nursery.start_soon(world.exchange.replay, MAX_SPEED, None)
        await talker.authenticate()
        await talker.say({"event": "subscribe", "channel": "candles", "key": "trade:1m:tBTCUSD"})
        ended = False
        counted = 0
        while not ended:
            frame = await talker.hear()
            if isinstance(frame, dict):
                continue
            book = books.get(frame[0])
            if book is not None and frame[1] == "cs":
                assert book.checksum() == frame[2]
                sums += 1
            elif book is not None and frame[1] != "hb":
                book.apply(frame[1], talker.raw[-1])
                assert not book.is_crossed
            ended = world.exchange.ended.is_set() and world.exchange.sent_frames == len(talker.heard) + 1
        for frame in talker.heard:
            if isinstance(frame, list) and frame[:2] != [0, "n"]:
                counted += 1
                account = frame[0] == 0 and frame[1] != "hb"
                assert frame[-3 if account else -2] == counted
    assert sums > 100
    assert all(book.unknown_deletes == 0 for book in books.values())


async def test_bulk_updates_come_as_one_frame(world: Any) -> None:
    async with world.talker() as talker:
        await talker.ask({"event": "conf", "flags": BULK})
        number, _ = await talker.subscribe("book", symbol="tBTCUSD")
        world.nursery.start_soon(lambda: world.exchange.replay(MAX_SPEED, wait_for_clients=False))
        frame = await talker.hear_until(lambda frame: frame[0] == number and frame[1] != "hb")
        assert len(frame[1]) > 1
        assert isinstance(frame[1][0], list)


async def test_every_channel_beats_its_heart_without_any_market(open_world: Any) -> None:
    async with open_world(heartbeat_s=0.01) as world, world.talker() as talker:
        await talker.authenticate()
        numbers = {0}
        for channel in ("ticker", "trades", "book"):
            await talker.say({"event": "subscribe", "channel": channel, "symbol": "tBTCUSD"})
            numbers.add((await talker.event("subscribed"))["chanId"])
        beaten: set[int] = set()
        while beaten != numbers:
            frame = await talker.hear()
            if isinstance(frame, list) and frame[1] == "hb":
                beaten.add(frame[0])


async def test_a_book_that_trades_leave_as_it_was_beats_in_the_time_of_its_market(world: Any, open_world: Any) -> None:
    """However fast the market is told: who compares the venue's stamps must not think that this stream has died."""
    still = world.exchange.recording
    rows = {
        symbol: tuple(row._replace(open=8000.0, high=8000.0, low=8000.0, close=8000.0) for row in rows)
        for symbol, rows in still.rows.items()
    }
    async with open_world(recording=msgspec.structs.replace(still, rows=rows)) as quiet, quiet.talker() as talker:
        await talker.ask({"event": "conf", "flags": STAMP})
        book, _ = await talker.subscribe("book", symbol="tBTCUSD")
        trades, _ = await talker.subscribe("trades", symbol="tBTCUSD")
        quiet.nursery.start_soon(lambda: quiet.exchange.replay(MAX_SPEED, wait_for_clients=False))
        said_ms, beats = 0, 0
        while not (quiet.exchange.ended.is_set() and quiet.exchange.sent_frames == len(talker.heard) + 1):
            frame = await talker.hear()
            if frame[0] == book:
                beats += frame[1] == "hb"
                said_ms = frame[-1]
            elif frame[0] == trades and said_ms:
                assert frame[-1] - said_ms < 30_000
    assert beats > len(rows[Symbol("tBTCUSD")])


async def test_an_idle_socket_is_closed_when_the_exchange_is_told_to(open_world: Any) -> None:
    async with open_world(heartbeat_s=0.01, idle_close_s=0.02) as world, world.talker() as talker:
        with pytest.raises(ConnectionClosed), trio.fail_after(60):
            await talker.socket.get_message()


async def test_candles_of_a_replay_add_up(world: Any) -> None:
    """The last word on each five-minute candle is the sum of its minutes."""
    minutes: dict[int, list[float]] = {}
    fives: dict[int, list[float]] = {}
    async with world.talker() as talker:
        one, _ = await talker.subscribe("candles", key="trade:1m:tBTCUSD")
        five, _ = await talker.subscribe("candles", key="trade:5m:tBTCUSD")
        await talker.authenticate()
        world.nursery.start_soon(world.exchange.replay, MAX_SPEED)
        while not (world.exchange.ended.is_set() and world.exchange.sent_frames == len(talker.heard) + 1):
            frame = await talker.hear()
            if isinstance(frame, list) and frame[1] != "hb" and frame[0] in (one, five):
                (minutes if frame[0] == one else fives)[frame[1][0]] = frame[1][1:]
    recorded = {row.open_ms: list(row[1:]) for row in world.exchange.recording.rows["tBTCUSD"]}
    assert minutes == recorded
    for open_ms, candle in fives.items():
        inside = [minutes[at] for at in range(open_ms, open_ms + 300_000, 60_000) if at in minutes]
        assert candle[0] == inside[0][0]
        assert candle[1] == inside[-1][1]
        assert candle[2] == max(row[2] for row in inside)
        assert candle[3] == min(row[3] for row in inside)
        assert candle[4] == sum(row[4] for row in inside)
