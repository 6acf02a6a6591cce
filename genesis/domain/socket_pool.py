"""Which socket carries which stream: shares of a pool, changed as little as possible."""

from collections.abc import Iterable, Sequence
from typing import Final

from protocols.bitfinex.subscriptions import Subscription, book, candles, ticker, trades
from protocols.settings import MarketSettings

LARGEST_SHARE: Final = 25
"""The venue's documented limit of channels a connection; it has been seen to accept a few more, never fewer."""


def wanted_streams(market: MarketSettings) -> tuple[Subscription, ...]:
    """Every stream that the settings ask for, symbol by symbol, so that one symbol's streams fall together or not."""
    return tuple(
        stream
        for symbol in market.symbols
        for stream in (
            ticker(symbol),
            trades(symbol),
            book(symbol),
            *(candles(symbol, timeframe) for timeframe in market.timeframes),
        )
    )


def spread(
    wanted: Iterable[Subscription],
    shares: Sequence[Sequence[Subscription]] = (),
    *,
    limit: int = LARGEST_SHARE,
) -> tuple[tuple[Subscription, ...], ...]:
    """New shares for `wanted`. A stream that has a socket keeps it; new ones fill the emptiest, then further sockets.

    There are never fewer shares than before (a socket without streams rests), and none above `limit`.
    """
    if not 1 <= limit:
        raise ValueError(f"limit must be at least 1, was {limit}")
    remaining = dict.fromkeys(wanted)
    kept: list[list[Subscription]] = []
    for share in shares:
        mine = [stream for stream in share if stream in remaining][:limit]
        for stream in mine:
            del remaining[stream]
        kept.append(mine)
    # Streams of one symbol go to one socket when there is room: they are believed or doubted together.
    for group in _by_symbol(remaining):
        while group:
            place = next((share for share in kept if len(share) + len(group) <= limit), None)
            if place is None and len(group) > limit:
                place = next((share for share in kept if len(share) < limit), None)
            if place is None:
                place = []
                kept.append(place)
            room = limit - len(place)
            place.extend(group[:room])
            group = group[room:]
    return tuple(tuple(share) for share in kept)


def _by_symbol(streams: Iterable[Subscription]) -> list[list[Subscription]]:
    groups: dict[str, list[Subscription]] = {}
    for stream in streams:
        groups.setdefault(stream.symbol, []).append(stream)
    return list(groups.values())
