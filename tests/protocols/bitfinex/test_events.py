"""Event objects of both sides: what the server says the client reads, what the client asks the server reads."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.bitfinex import events
from protocols.bitfinex.errors import LocalProtocolError
from protocols.bitfinex.heartbeat import SilenceWatch
from protocols.bitfinex.session import PublicSession
from protocols.bitfinex.subscriptions import (
    CANDLE_TIMEFRAMES,
    FREQUENCIES,
    LENGTHS,
    PRECISIONS,
    SubscribeRefused,
    Subscription,
    book,
    candles,
    derivative_status,
    liquidations,
    read_subscription,
    ticker,
    trades,
)
from protocols.bitfinex.symbols import (
    accepted_symbol,
    is_derivative,
    is_trading_symbol,
    pair_of_symbol,
    symbol_of_pair,
    trading_symbol,
)
from protocols.market import StreamUp
from tests.recordings import ws_lines

symbols = st.sampled_from(["tBTCUSD", "tDUSK:USD", "t1INCH:USD", "tBTCF0:USTF0", "tTESTBTC:TESTUSD", "fUSD", "fUST"])
trading = symbols.filter(lambda symbol: symbol.startswith("t"))
subscriptions = st.one_of(
    st.builds(ticker, symbols),
    st.builds(trades, symbols),
    st.builds(book, symbols, st.sampled_from(PRECISIONS), st.sampled_from(FREQUENCIES), st.sampled_from(LENGTHS)),
    st.builds(candles, trading, st.sampled_from(CANDLE_TIMEFRAMES)),
    st.builds(candles, st.just("fUSD"), st.sampled_from(CANDLE_TIMEFRAMES), st.sampled_from(["p30", "a30:p2:p30"])),
    st.builds(derivative_status, st.just("tBTCF0:USTF0")),
    st.builds(liquidations),
)


@given(subscriptions, st.integers(1, 999_999), st.none() | st.text(min_size=1, max_size=8))
def test_a_subscription_goes_round(wish: Subscription, number: int, sub_id: str | None) -> None:
    """Client asks, server reads and acknowledges, client's stream is up."""
    session = PublicSession(session=1)
    request = json.loads(session.send_subscribe(wish, sub_id=sub_id))
    assert request["event"] == "subscribe"
    assert request.get("subId") == sub_id
    read = read_subscription(request)
    assert read == wish
    answer = events.subscribed_event(read, number, sub_id=request.get("subId"))
    (up,) = session.receive(answer, 1)
    assert isinstance(up, StreamUp)
    assert (up.stream, up.symbol, up.timeframe) == (wish.channel, wish.symbol, wish.timeframe)
    assert json.loads(session.send_unsubscribe(wish)) == {"event": "unsubscribe", "chanId": number}
    session.receive(events.unsubscribed_event(number), 2)
    assert wish not in session.table.streams


def test_an_acknowledgement_echoes_what_the_documents_say() -> None:
    assert json.loads(events.subscribed_event(book("tBTCF0:USTF0"), 943592, sub_id="my-1")) == {
        "event": "subscribed",
        "channel": "book",
        "chanId": 943592,
        "symbol": "tBTCF0:USTF0",
        "prec": "P0",
        "freq": "F0",
        "len": "25",
        "subId": "my-1",
        "pair": "BTCF0:USTF0",
    }
    assert json.loads(events.subscribed_event(ticker("fUSD"), 1))["currency"] == "USD"
    assert "pair" not in json.loads(events.subscribed_event(candles("tBTCUSD", "1m"), 1))


def test_an_error_echoes_the_request() -> None:
    """As the venue answered a 37th subscription in 2026."""
    line = next(json.loads(line) for line in ws_lines("frames-2026-09-control-and-errors.jsonl") if b"37th" in line)
    told = json.loads(line["data"])
    request = {key: told[key] for key in ("channel", "symbol", "prec", "freq", "len")}
    assert json.loads(events.error_event(10305, "subscribe: limit", request)) == told
    assert json.loads(events.error_event(10301, "subscribe: dup", {}, channel_id=5)) == {
        "event": "error",
        "msg": "subscribe: dup",
        "code": 10301,
        "chanId": 5,
    }


@pytest.mark.parametrize(
    ("request_fields", "text"),
    [
        ({"channel": "nope"}, "channel: unknown"),
        ({}, "channel: unknown"),
        ({"channel": ["book"]}, "channel: unknown"),
        ({"channel": "ticker"}, "symbol: invalid"),
        ({"channel": "ticker", "symbol": "tbtcusd"}, "symbol: invalid"),
        ({"channel": "book", "symbol": "tBTCUSD", "prec": "P9"}, "precision: invalid"),
        ({"channel": "book", "symbol": "tBTCUSD", "freq": "F9"}, "frequency: invalid"),
        ({"channel": "book", "symbol": "tBTCUSD", "len": 7}, "length: invalid"),
        ({"channel": "book", "symbol": "tBTCUSD", "len": [25]}, "length: invalid"),
        ({"channel": "candles", "key": "trade:2m:tBTCUSD"}, "key: invalid"),
        ({"channel": "candles", "key": "trade:1m:fUSD"}, "key: invalid"),
        ({"channel": "candles", "key": "trade:1m:BTCUSD"}, "key: invalid"),
        ({"channel": "candles", "key": 5}, "key: invalid"),
        ({"channel": "status", "key": "deriv:BTC"}, "key: invalid"),
    ],
)
def test_a_wrong_subscription_is_refused_in_the_venues_words(request_fields: dict[str, Any], text: str) -> None:
    with pytest.raises(SubscribeRefused) as caught:
        read_subscription(request_fields)
    assert (caught.value.code, caught.value.text) == (10300, text)


def test_a_missing_t_is_added_and_lengths_come_as_number_or_text() -> None:
    assert read_subscription({"channel": "ticker", "symbol": "BTCUSD"}) == ticker("tBTCUSD")
    assert read_subscription({"channel": "trades", "pair": "tBTCUSD"}) == trades("tBTCUSD")
    for length in (100, "100"):
        assert read_subscription({"channel": "book", "symbol": "tBTCUSD", "len": length}) == book("tBTCUSD", length=100)


def test_a_stream_nobody_offers_cannot_be_named() -> None:
    wishes: tuple[Callable[[], Subscription], ...] = (
        lambda: book("tBTCUSD", "P5"),
        lambda: book("tBTCUSD", frequency="F2"),
        lambda: book("tBTCUSD", length=50),
        lambda: candles("tBTCUSD", "2m"),
        lambda: candles("fUSD", "1m"),
        lambda: candles("tBTCUSD", "1m", "p30"),
    )
    for wish in wishes:
        with pytest.raises(LocalProtocolError, match="must be"):
            wish()
    assert book("tBTCUSD").name == "book tBTCUSD P0 F0 25"
    assert candles("tBTCUSD", "1m").name == "candles trade:1m:tBTCUSD"


def test_nested_values_of_a_request_are_not_echoed() -> None:
    """Whoever nests a value a thousand deep gets no answer that deep."""
    echoed = json.loads(events.error_event(10300, "channel: unknown", {"channel": [[[]]], "key": {}, "len": 5}))
    assert echoed == {"event": "error", "msg": "channel: unknown", "code": 10300, "len": 5}


def test_symbols_are_spelled_as_the_venue_spells_them() -> None:
    assert trading_symbol("BTC", "USD") == "tBTCUSD"
    assert trading_symbol("DUSK", "USD") == "tDUSK:USD"
    assert symbol_of_pair("BTCUSD") == "tBTCUSD"
    assert pair_of_symbol("tDUSK:USD") == "DUSK:USD"
    assert is_derivative("tBTCF0:USTF0")
    assert not is_derivative("tBTCUSD")
    assert accepted_symbol("fUSD") == "fUSD"
    assert accepted_symbol("f") is None
    with pytest.raises(LocalProtocolError, match="upper-case"):
        trading_symbol("btc", "USD")


def test_every_pair_the_venue_lists_is_a_trading_symbol() -> None:
    listed = 0
    for line in ws_lines("public-thin-pairs-2021-04-17.jsonl.gz"):
        told = json.loads(line)
        if told["t"] == "http" and ":pair:" in told["url"]:
            for pair in json.loads(told["data"])[0]:
                assert is_trading_symbol(f"t{pair}"), pair
                listed += 1
    assert listed > 200


def test_silence_has_a_deadline() -> None:
    watch = SilenceWatch(limit_s=20.0)
    watch.heard(5_000_000_000)
    watch.heard(1)
    assert watch.deadline_ns == 25_000_000_000
    assert not watch.is_silent(24_999_999_999)
    assert watch.is_silent(25_000_000_000)
    assert watch.silent_for_s(6_000_000_000) == 1.0
