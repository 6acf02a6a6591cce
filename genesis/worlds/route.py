"""Whether anybody could place an order at the venue now: an authenticated socket that carries words both ways; and
whether REST could place a stop.

What lies bare without a route lies bare whatever the engine does: its process is dead, its line is cut or carries
nothing, the venue is closed, or keeps its words back for seconds, those about trades among them. What lies bare with
one is the engine's own doing, and is told apart. A venue that loses a frame or carries an order out late, or whose REST
is down, is a route all the same, and so is a slow line.
"""

from typing import Final

import trio

from genesis.simulator.exchange import Exchange
from genesis.simulator.faults import FaultKind
from genesis.worlds.engine_host import ENGINE_ADDRESS
from genesis.worlds.network import Network

SLOW_S: Final = 1.0
LOGIN_ANSWER: Final = '"event":"auth"'
"""Where it is kept back, a socket that the venue takes for authenticated is none for the engine."""
BROKEN_REST: Final = frozenset({FaultKind.SERVER_ERROR, FaultKind.RATE_LIMIT, FaultKind.NONCE})


def route_stands(network: Network, exchange: Exchange) -> bool:
    """True while the venue is open and at least one live process has such a socket."""
    if not exchange.operative or any(rule.contains == LOGIN_ANSWER for rule in exchange.faults.rules):
        return False
    now = trio.current_time()
    lines = {
        ":".join(map(str, theirs.peer)): (ours, theirs)
        for ours, theirs in network.connections.values()
        if theirs.process.name == "venue" and ours.process.alive
    }
    for session in exchange.accounts.sessions:
        line = lines.get(session.peer)
        if line is None or exchange.faults.is_silent(session):
            continue
        if all(not end.over and not end.eof and end.blocked_until <= now for end in line):
            return True
    return False


def rest_stands(network: Network, exchange: Exchange) -> bool:
    """True while the venue is open, answers requests, and a live process could have one answered: it may connect, and
    none of its connections for requests is held up or half dead."""
    now = trio.current_time()
    weather = network.weather_of(ENGINE_ADDRESS)
    if not exchange.operative or any(rule.kind in BROKEN_REST for rule in exchange.faults.rules):
        return False
    if now < max(weather.hang_until, weather.refuse_until, weather.dns_until, weather.mute_until):
        return False
    if now < weather.spike_until and weather.spike_s > SLOW_S:
        # A stop is behind six requests or so, each of which takes two such ways.
        return False
    sockets = {session.peer for session in exchange.sessions.values()}
    alive = False
    for ours, theirs in network.connections.values():
        if theirs.process.name != "venue" or not ours.process.alive:
            continue
        alive = True
        if ":".join(map(str, theirs.peer)) not in sockets:
            if any(end.over or end.eof or end.blocked_until > now for end in (ours, theirs)):
                return False
    return alive
