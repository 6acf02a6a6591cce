"""One paper session: an exchange of ours that follows the real public feed, with the trader's paper money on disk.

Nothing but public market data is read from the real venue; no key of it is needed or used.
"""

import contextlib
from collections.abc import Callable
from typing import Final, Protocol

import structlog
import trio

from genesis.core.chance import Chance
from genesis.core.clock import Clock
from genesis.domain.matching import FillModel, FillWhen
from genesis.domain.rate_limit import RateLimit
from genesis.domain.rest_budget import RestBudget
from genesis.edge.http import HttpClient
from genesis.edge.rest import RestDoor
from genesis.edge.websocket import fast_websocket
from genesis.pairs_told import told_pairs
from genesis.run_options import CannotStart, ExitCode, RunOptions
from genesis.simulator.exchange import Exchange
from genesis.simulator.relay import Relay
from genesis.simulator.settings import ExchangeSettings
from genesis.simulator.state_file import StateError

FIRST_WORD_S: Final = 60.0
"""A start in which no other pair's history or streams came for so long is given up. It may take longer in all: the
venue tells the history of some thirty pairs a minute."""
TELL_EVERY_S: Final = 5.0
"""How soon, and how often, a start that waits for the feed says so: a silent terminal looks like a hang."""
LOOKS: Final = 20
"""How often that is looked for in this time."""
DIALS_A_MINUTE: Final = 20
"""The venue's own limit for its public host."""

log = structlog.get_logger("genesis.run")


async def open_paper(
    nursery: trio.Nursery,
    stack: contextlib.AsyncExitStack,
    *,
    options: RunOptions,
    clock: Clock,
    chance: Chance,
    budget: RestBudget,
    first_word_s: float = FIRST_WORD_S,
    tell: Callable[[str], None] = lambda reason: None,
) -> tuple[Exchange, Relay]:
    """An exchange that listens and moves with the real market; `tell` hears why the start waits. Raises CannotStart."""
    state = options.user_dir.root / "paper-venue.json"
    if options.fresh and state.exists():
        raise CannotStart(
            f"--fresh is for mode sim: paper money and its history stay until {state} and {options.database} are moved",
            ExitCode.CONFIGURATION,
        )
    venue = options.settings.venue
    # The real book is there to be taken from at once; waiting for the next trade would only be worse.
    settings = ExchangeSettings(state=state, model=FillModel(when=FillWhen.AT_ONCE))
    public = await stack.enter_async_context(HttpClient(venue.public_rest_url))
    door = RestDoor(public=public, private=public, budget=budget, clock=clock, chance=chance.port("relay-rest"))
    symbols = options.settings.market.symbols
    pairs = await told_pairs(door, symbols)
    try:
        exchange = Exchange(settings, symbols, clock, chance.port("venue"), pairs)
    except StateError as error:
        raise CannotStart(str(error)) from None
    limits = options.settings.connection
    relay = Relay(
        exchange=exchange,
        uri=venue.public_ws_uri,
        dial=fast_websocket,
        door=door,
        clock=clock,
        chance=chance.port("relay"),
        pacing=RateLimit.at_most(DIALS_A_MINUTE, 60.0, burst=8),
        backoff_base_s=limits.backoff_base_s,
        backoff_cap_s=limits.backoff_cap_s,
    )
    await nursery.start(exchange.serve, "127.0.0.1", 0)
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as meanwhile:
            meanwhile.start_soon(_tell_waiting, relay, tell)
            meanwhile.start_soon(_give_up, relay, scope, first_word_s)
            await nursery.start(relay.run)
            meanwhile.cancel_scope.cancel()
    if scope.cancelled_caught:
        histories, heard, of = relay.begun
        text = f"mode paper needs the public feed at {venue.public_ws_uri} and {venue.public_rest_url}"
        had = f"had none after {first_word_s:g} s"
        if histories:
            had = f"had the history of {histories} and heard {heard} of {of} pairs, and no more in {first_word_s:g} s"
        raise CannotStart(f"{text}, {had}{': ' if relay.last_error else ''}{relay.last_error}")
    return exchange, relay


async def _tell_waiting(relay: Relay, tell: Callable[[str], None]) -> None:
    while True:
        await trio.sleep(TELL_EVERY_S)
        histories, heard, of = relay.begun
        told = {"histories": histories, "heard": heard, "pairs": of, "last_error": relay.last_error or None}
        log.warning("waits_for_market", uri=relay.uri, **told)
        why = f"; {relay.last_error}" if relay.last_error else ""
        tell(f"{histories} of {of} pairs have their history, {heard} are heard{why}")


class Beginning(Protocol):
    """What comes bit by bit: pairs with a history, those that are heard, and all."""

    @property
    def begun(self) -> tuple[int, int, int]: ...


async def _give_up(relay: Beginning, scope: trio.CancelScope, patience_s: float) -> None:
    """Cancel when nothing has been added for `patience_s`."""
    begun, since = relay.begun, trio.current_time()
    while trio.current_time() - since < patience_s:
        await trio.sleep(patience_s / LOOKS)
        if relay.begun > begun:
            begun, since = relay.begun, trio.current_time()
    scope.cancel()
