"""A venue of its own for the search for leaked secrets: its customer's keys are the ones that are looked for."""

import os
import random
import sys
from functools import partial

import attrs
import trio

from genesis.core.clock import TrioClock
from genesis.simulator.exchange import Exchange
from genesis.simulator.recordings import DEFAULT, load
from genesis.simulator.settings import ApiKey, ExchangeSettings


async def main() -> None:
    names = ("BITFINEX_API", "BITFINEX_WS_API")
    keys = tuple(ApiKey(key=os.environ[f"{n}_KEY"], secret=os.environ[f"{n}_SECRET"], account="sim") for n in names)
    settings = attrs.evolve(ExchangeSettings(), keys=keys)
    exchange = Exchange(settings, load(DEFAULT), TrioClock(), random.Random(1))
    async with trio.open_nursery() as nursery:
        address = await nursery.start(partial(exchange.serve, "127.0.0.1", 0))
        sys.stdout.write(f"rest {address.rest}\nwebsocket {address.websocket}\n")
        sys.stdout.flush()
        await exchange.replay(60.0, wait_for_clients=False)


if __name__ == "__main__":
    trio.run(main)
