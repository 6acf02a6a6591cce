"""The venue of a run: the embedded simulator, the one that follows the real feed on paper, or Bitfinex itself."""

import contextlib
import os
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Protocol

import attrs
import trio

from genesis.core.chance import Chance
from genesis.core.clock import Clock
from genesis.core.rest import LoopClock
from genesis.domain.pairs import PairSpecs
from genesis.domain.recording import CandleRecording, RecordingError
from genesis.domain.replay import MINUTE_MS
from genesis.domain.rest_budget import RestBudget
from genesis.edge.errors import EdgeError
from genesis.edge.http import HttpClient
from genesis.edge.messengers import Messenger
from genesis.edge.nonce import NonceOwner
from genesis.edge.rest import RestDoor, RestKey
from genesis.edge.secrets import Credentials, Secret
from genesis.edge.service_manager import ServiceManager
from genesis.edge.websocket import fast_websocket
from genesis.engine import VenuePorts
from genesis.pairs_told import told_pairs
from genesis.paper_session import open_paper
from genesis.run_options import CannotStart, ExitCode, Mode, RunOptions
from genesis.sim_session import SimSession
from genesis.simulator.exchange import Exchange
from genesis.simulator.recordings import DEFAULT, Recording, load
from genesis.simulator.relay import Relay
from genesis.simulator.settings import DEFAULT_KEY, DEFAULT_SECRET, ExchangeSettings
from genesis.simulator.state_file import StateError
from genesis.venue_account import Wait, check_same, trusted_account
from genesis.venue_clock import VenueClock
from web.models import ReplayProgress


class Tell(Protocol):
    """Hears what a start waits for, and the last reason why it goes on waiting."""

    def __call__(self, what: str, reason: str = "") -> None: ...


@attrs.frozen(kw_only=True)
class OpenVenue:
    """What an engine is given of its venue, and the parts of ours that stand behind it where the money is not real."""

    ports: VenuePorts
    clock: Clock
    """Venue time where the venue is ours, else the machine's."""
    pairs: PairSpecs
    exchange: Exchange | None = None
    relay: Relay | None = None
    session: SimSession | None = None
    recording_name: str = ""
    account: int | None = None
    """The account's number at the venue, in mode live where the key may read it."""

    def progress(self) -> ReplayProgress | None:
        """How far a recording of candles has been told; None where nothing is replayed."""
        exchange = self.exchange
        if exchange is None or not isinstance(exchange.recording, CandleRecording):
            return None
        first, last = exchange.recording.first_ms, exchange.recording.last_ms + MINUTE_MS
        at = min(max(exchange.venue_ms(), first), last)
        return ReplayProgress(
            recording=self.recording_name,
            start_ms=first,
            end_ms=last,
            at_ms=at,
            fraction=(at - first) / (last - first),
            done=exchange.ended.is_set(),
        )


@attrs.frozen(kw_only=True)
class _Side:
    """Addresses and keys of one venue. REST and the private socket may have keys of their own."""

    public_ws: str
    private_ws: str
    public_rest: str
    private_rest: str
    key: str
    secret: Secret
    socket_key: str
    socket_secret: Secret


async def open_venue(
    nursery: trio.Nursery,
    stack: contextlib.AsyncExitStack,
    *,
    options: RunOptions,
    clock: Clock,
    chance: Chance,
    started_ms: int,
    messengers: Sequence[Messenger] = (),
    tell: Tell = lambda what, reason="": None,
) -> OpenVenue:
    """The venue that the options name, with ways to it that `stack` closes. Raises CannotStart.

    `messengers` are told of a live start that has to wait for its venue, and `tell` of what any start waits for.
    """
    try:
        budget = RestBudget(options.environment.get("RATE_LIMIT_PATTERNS", ""))
    except ValueError as error:
        raise CannotStart(f"RATE_LIMIT_PATTERNS: {error}", ExitCode.CONFIGURATION) from None
    exchange: Exchange | None = None
    relay: Relay | None = None
    session: SimSession | None = None
    recording_name = ""
    if options.mode is Mode.SIM:
        recording = _recording(options)
        recording_name = recording.name
        stamp = datetime.fromtimestamp(started_ms / 1000, UTC).strftime("%Y%m%dT%H%M%SZ")
        session = SimSession.prepare(options.user_dir, recording_name, fresh=options.fresh, stamp=stamp)
        exchange = await _simulator(nursery, options, recording, session, clock, chance)
    elif options.mode is Mode.PAPER:
        tell("feed")
        exchange, relay = await open_paper(
            nursery, stack, options=options, clock=clock, chance=chance, budget=budget, tell=partial(tell, "feed")
        )
    side = _live(options) if exchange is None else _ours(exchange)
    try:
        nonce = NonceOwner(options.user_dir.secrets / f"nonce-{options.mode.value}", _wall_us)
    except EdgeError as error:
        raise CannotStart(str(error)) from None
    stack.callback(nonce.close)
    public = await stack.enter_async_context(HttpClient(side.public_rest))
    private = await stack.enter_async_context(HttpClient(side.private_rest))
    door = RestDoor(
        public=public,
        private=private,
        budget=budget,
        clock=clock,
        chance=chance.port("rest"),
        key=RestKey(key=side.key, secret=side.secret, nonce=nonce),
    )
    account: int | None = None
    if options.mode is Mode.LIVE:
        manager = ServiceManager.of(options.environment, os.getpid())
        tell("venue")
        wait = Wait(messengers, clock, partial(tell, "venue"))
        account = await trusted_account(door, manager, chance.port("key"), wait)
        if side.socket_key != side.key:
            of_socket = attrs.evolve(door, key=RestKey(key=side.socket_key, secret=side.socket_secret, nonce=nonce))
            check_same(account, await trusted_account(of_socket, manager, chance.port("key"), wait))
    symbols = options.settings.market.symbols
    pairs = exchange.venue.specs if exchange is not None else await told_pairs(door, symbols)
    ports = VenuePorts(
        public_uri=side.public_ws,
        private_uri=side.private_ws,
        dial_public=fast_websocket,
        dial_private=fast_websocket,
        door=door,
        credentials=Credentials(key=side.socket_key, secret=side.socket_secret),
        nonce=nonce,
        pace_dials=options.mode is Mode.LIVE,
        replayed=options.mode is Mode.SIM,
        changes_pairs=options.mode is not Mode.SIM,
    )
    return OpenVenue(
        ports=ports,
        clock=clock if exchange is None else VenueClock(exchange.venue_ms, LoopClock.current_time),
        pairs=pairs,
        exchange=exchange,
        relay=relay,
        session=session,
        recording_name=recording_name,
        account=account,
    )


def _ours(exchange: Exchange) -> _Side:
    address, secret = exchange.address, Secret(DEFAULT_SECRET)
    assert address is not None, "the exchange must listen before anybody is sent to it"
    return _Side(
        public_ws=address.websocket,
        private_ws=address.websocket,
        public_rest=address.rest,
        private_rest=address.rest,
        key=DEFAULT_KEY,
        secret=secret,
        socket_key=DEFAULT_KEY,
        socket_secret=secret,
    )


def _live(options: RunOptions) -> _Side:
    venue, environment = options.settings.venue, options.environment
    key, secret = _given(environment, "BITFINEX_API_KEY"), Secret(_given(environment, "BITFINEX_API_SECRET"))
    of_its_own = environment.get("BITFINEX_WS_API_KEY")
    return _Side(
        public_ws=venue.public_ws_uri,
        private_ws=venue.private_ws_uri,
        public_rest=venue.public_rest_url,
        private_rest=venue.private_rest_url,
        key=key,
        secret=secret,
        socket_key=of_its_own or key,
        socket_secret=Secret(_given(environment, "BITFINEX_WS_API_SECRET")) if of_its_own else secret,
    )


def _given(environment: Mapping[str, str], name: str) -> str:
    found = environment.get(name)
    if not found:
        raise CannotStart(f"mode {Mode.LIVE} needs {name} in the environment", ExitCode.CONFIGURATION)
    return found


async def _simulator(
    nursery: trio.Nursery,
    options: RunOptions,
    recording: Recording,
    session: SimSession,
    clock: Clock,
    chance: Chance,
) -> Exchange:
    try:
        exchange = Exchange(ExchangeSettings(state=session.venue_state), recording, clock, chance.port("venue"))
    except StateError as error:
        raise CannotStart(str(error)) from None
    unknown = [one for one in options.settings.market.symbols if one not in exchange.symbols]
    if unknown:
        known = ", ".join(exchange.symbols)
        text = f"market.symbols must be in recording {recording.name} ({known}), was {', '.join(unknown)}"
        raise CannotStart(text, ExitCode.CONFIGURATION)
    await nursery.start(exchange.serve, "127.0.0.1", 0)
    return exchange


def _recording(options: RunOptions) -> Recording:
    try:
        return load(options.recording or DEFAULT)
    except RecordingError as error:
        raise CannotStart(str(error), ExitCode.CONFIGURATION) from None


def _wall_us() -> int:
    return time.time_ns() // 1000
