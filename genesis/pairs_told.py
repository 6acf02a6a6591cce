"""What the venue says of the pairs of a run, before its engine begins."""

from collections.abc import Iterable
from typing import Final

import structlog
import trio

from genesis.domain.pair_sizes import said_by_venue
from genesis.domain.pairs import PairSpecs, pair_specs
from genesis.edge.errors import EdgeError
from genesis.edge.pair_infos import ask_pairs
from genesis.edge.rest import RestDoor
from protocols.bitfinex.errors import BitfinexError

WAITS_S: Final = 10.0

log = structlog.get_logger("genesis.run")


async def told_pairs(door: RestDoor, symbols: Iterable[str]) -> PairSpecs:
    """What the venue says of these pairs. While it says nothing of them, what such pairs mostly are: a start with a
    position must not wait for it, and it is asked again while the engine runs.
    """
    guess = pair_specs(symbols)
    try:
        with trio.fail_after(WAITS_S):
            infos, unclear = await ask_pairs(door)
    except (EdgeError, BitfinexError, trio.TooSlowError) as error:
        log.warning("pairs_not_told", error=f"{type(error).__name__}: {error}")
        return guess
    for reason in unclear.values():
        log.warning("row_refused", error=reason)
    specs, news = said_by_venue(infos, guess, guess, frozenset(guess), unclear)
    for each in news:
        log.warning("pair_gone", text=each.text)
    return specs
