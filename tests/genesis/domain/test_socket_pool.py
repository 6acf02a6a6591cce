"""Streams are spread over sockets within their limit, and stay where they are when the wish changes."""

from hypothesis import given
from hypothesis import strategies as st

from genesis.domain.socket_pool import spread, wanted_streams
from protocols.bitfinex.subscriptions import Subscription, candles, ticker, trades
from protocols.settings import MarketSettings

SYMBOLS = [f"t{name}USD" for name in ("BTC", "ETH", "LTC", "XRP", "EOS", "XMR", "ZEC", "TRX")]
STREAMS = st.sets(
    st.builds(ticker, st.sampled_from(SYMBOLS))
    | st.builds(trades, st.sampled_from(SYMBOLS))
    | st.builds(candles, st.sampled_from(SYMBOLS), st.sampled_from(["1m", "5m", "15m"])),
    max_size=40,
).map(sorted)


@given(STREAMS, st.integers(1, 10))
def test_every_wanted_stream_has_one_socket_and_none_is_overfull(wanted: list[Subscription], limit: int) -> None:
    shares = spread(wanted, limit=limit)
    assert sorted(stream for share in shares for stream in share) == wanted
    assert all(len(share) <= limit for share in shares)


@given(STREAMS, STREAMS, st.integers(1, 10))
def test_a_changed_wish_moves_no_stream_that_stays(
    first: list[Subscription], second: list[Subscription], limit: int
) -> None:
    before = spread(first, limit=limit)
    after = spread(second, before, limit=limit)
    assert sorted(stream for share in after for stream in share) == second
    assert len(after) >= len(before)
    place = {stream: number for number, share in enumerate(before) for stream in share}
    for number, share in enumerate(after):
        for stream in share:
            assert place.get(stream, number) == number


def test_streams_of_one_symbol_share_a_socket_when_there_is_room() -> None:
    market = MarketSettings(symbols=tuple(SYMBOLS), timeframes=("1m", "5m"))
    shares = spread(wanted_streams(market), limit=25)
    assert [len(share) for share in shares] == [25, 15]
    assert [{stream.symbol for stream in share} for share in shares] == [set(SYMBOLS[:5]), set(SYMBOLS[5:])]
