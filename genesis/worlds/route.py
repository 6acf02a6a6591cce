"""Whether anybody could place an order at the venue now: an authenticated socket that carries words both ways.

What lies bare without a route lies bare whatever the engine does: its process is dead, its line is cut or carries
nothing, the venue is closed, or keeps its words back for seconds, those about trades among them. What lies bare with
one is the engine's own doing, and is told apart. A venue that loses a frame or carries an order out late, or whose REST
is down, is a route all the same, and so is a slow line.
"""

import trio

from genesis.simulator.exchange import Exchange
from genesis.worlds.network import Network


def route_stands(network: Network, exchange: Exchange) -> bool:
    """True while the venue is open and at least one live process has such a socket."""
    if not exchange.operative:
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
