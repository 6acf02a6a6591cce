"""A socket with the engine's own codec: ticker, trades and a checked book, then (with a key) the account's snapshots.

    python examples/websocket.py                                        # the real venue, public only
    python examples/websocket.py --url ws://127.0.0.1:8700/ws/2         # `genesis simulator`

A key is read from BITFINEX_API_KEY and BITFINEX_API_SECRET. Nothing is ordered.
"""

import argparse
import os
import time

import trio

from genesis.edge.websocket import calm_websocket, fast_websocket
from protocols.bitfinex.auth import auth_event
from protocols.bitfinex.events import ServerInfo
from protocols.bitfinex.session import PublicSession
from protocols.bitfinex.subscriptions import book, ticker, trades


async def watch_market(url: str, symbol: str, events: int) -> None:
    session = PublicSession(session=1)
    async with fast_websocket(url, timeout_s=15) as socket:
        shown = 0
        while shown < events:
            for event in session.receive_many(await socket.receive_many(), time.monotonic_ns()):
                if isinstance(event, ServerInfo):
                    # Flags first: sequence numbers, stamps, and a checksum of the book that the session verifies.
                    await socket.send(session.send_conf())
                    for subscription in (ticker(symbol), trades(symbol), book(symbol)):
                        await socket.send(session.send_subscribe(subscription))
                else:
                    print(event)
                    shown += 1


async def show_account(url: str, key: str, secret: str) -> None:
    async with calm_websocket(url, timeout_s=15) as socket:
        await socket.send(auth_event(key, secret, time.time_ns() // 1000))
        seen: set[str] = set()
        while not {'"ws"', '"os"'} <= seen:
            for frame in await socket.receive_many():
                print(frame.decode()[:160])
                seen |= {name for name in ('"ws"', '"os"') if name in frame.decode()[:12]}


async def main(url: str, symbol: str, events: int) -> None:
    with trio.fail_after(120):
        await watch_market(url, symbol, events)
        key, secret = os.environ.get("BITFINEX_API_KEY"), os.environ.get("BITFINEX_API_SECRET")
        if key and secret:
            await show_account(url, key, secret)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="wss://api.bitfinex.com/ws/2")
    parser.add_argument("--symbol", default="tBTCUSD")
    parser.add_argument("--events", type=int, default=20, help="how many to show before it ends")
    arguments = parser.parse_args()
    trio.run(main, arguments.url, arguments.symbol, arguments.events)
