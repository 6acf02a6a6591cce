"""Public and signed REST with the engine's own parts: a ticker and candles, then (with a key) the wallets.

    python examples/rest.py                                  # the real venue, public only
    python examples/rest.py --url http://127.0.0.1:8700      # `genesis simulator`

A key is read from BITFINEX_API_KEY and BITFINEX_API_SECRET. Nothing is ordered.
"""

import argparse
import os
import random
import tempfile
import time
from pathlib import Path

import trio

from genesis.core.clock import TrioClock
from genesis.domain.rest_budget import RestBudget
from genesis.edge.http import HttpClient
from genesis.edge.nonce import NonceOwner
from genesis.edge.rest import RestDoor, RestKey
from genesis.edge.secrets import Secret
from protocols.bitfinex import rest_requests
from protocols.bitfinex.rest import read_candle_answer, read_one_ticker
from protocols.bitfinex.rest_account import read_wallets


async def main(url: str, symbol: str) -> None:
    key, secret = os.environ.get("BITFINEX_API_KEY"), os.environ.get("BITFINEX_API_SECRET")
    clock = TrioClock()
    # Jitter of retries needs no secrecy.
    chance = random.Random()  # noqa: S311
    nonce = NonceOwner(Path(tempfile.gettempdir()) / "genesis-example-nonce", lambda: time.time_ns() // 1000)
    try:
        async with HttpClient(url) as http:
            signing = RestKey(key=key, secret=Secret(secret), nonce=nonce) if key and secret else None
            door = RestDoor(public=http, private=http, budget=RestBudget(), clock=clock, chance=chance, key=signing)
            ticker = read_one_ticker(await door.ask(rest_requests.ticker(symbol)), symbol, received_ns=clock.now_ns())
            print(ticker)
            answer = await door.ask(rest_requests.candles(f"trade:1m:{symbol}", limit=3))
            for candle in read_candle_answer(answer, symbol, "1m"):
                print(candle)
            if signing is not None:
                answer = await door.ask(rest_requests.wallets(), exact=True)
                for wallet in read_wallets(answer, session=0, received_ns=clock.now_ns()):
                    print(wallet.wallet_type, wallet.currency, wallet.balance)
    finally:
        nonce.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="https://api.bitfinex.com")
    parser.add_argument("--symbol", default="tBTCUSD")
    arguments = parser.parse_args()
    trio.run(main, arguments.url, arguments.symbol)
