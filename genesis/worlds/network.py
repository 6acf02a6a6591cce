"""A virtual network: TCP with latency, bounded buffers and every way to break, under trio's own socket seam.

Each direction of a connection is a pipe: bytes are delivered in order, after a latency, and only so many may be under
way, so a sender that nobody reads from waits. What arrives at a closed socket is answered with a reset, which travels
behind whatever was sent before it: bytes of a connection that one end holds for dead may still reach the other.
"""

import random
import socket as stdlib
from typing import Any, Final

import attrs
import trio

from genesis.worlds.process import Process, current_process
from genesis.worlds.virtual_clock import VirtualClock
from genesis.worlds.virtual_socket import Endpoint, VirtualSocket

FIRST_PORT: Final = 40_000
CONNECT_TIMEOUT_S: Final = 127.0
"""After so many unanswered SYNs Linux gives up."""
LOOPBACK: Final = "127.0.0.1"


@attrs.define
class Weather:
    """How the network behaves towards one machine now. Times are virtual seconds until which a trouble lasts."""

    latency_s: float = 0.002
    jitter_s: float = 0.001
    spike_until: float = 0.0
    spike_s: float = 0.0
    bytewise_until: float = 0.0
    refuse_until: float = 0.0
    hang_until: float = 0.0
    dns_until: float = 0.0
    mute_until: float = 0.0
    """Connections that are opened now are accepted, and their client never hears a word."""


class Network:
    """One per world, called by sockets and by the fault plan. Its clock delivers."""

    def __init__(self, chance: random.Random, clock: VirtualClock) -> None:
        self.chance = chance
        self.clock = clock
        self.at = clock.at
        self.names: dict[str, str] = {}
        self.listeners: dict[tuple[str, int], VirtualSocket] = {}
        self.weather: dict[str, Weather] = {}
        self.connections: dict[int, tuple[Endpoint, Endpoint]] = {}
        self.delivered_bytes = 0
        self.late_bytes = 0
        self.connected = 0
        self._next_port = FIRST_PORT
        self._next_number = 1

    # --- trio's seam ----------------------------------------------------------------------------------------------

    def install(self) -> None:
        """Make this the network of the running trio loop."""
        trio.socket.set_custom_socket_factory(_Factory(self))
        trio.socket.set_custom_hostname_resolver(_Resolver(self))

    def weather_of(self, machine: str) -> Weather:
        return self.weather.setdefault(machine, Weather())

    def free_port(self) -> int:
        self._next_port += 1
        return self._next_port

    # --- connections ----------------------------------------------------------------------------------------------

    def latency(self, one: str, other: str) -> float:
        """Seconds from one machine to another, drawn anew for each chunk."""
        if one == other:
            return 0.0001
        now = self.clock.now
        total = 0.0
        for machine in (one, other):
            weather = self.weather.get(machine)
            if weather is not None:
                total += weather.latency_s + self.chance.random() * weather.jitter_s
                if now < weather.spike_until:
                    total += weather.spike_s * self.chance.random()
        return total

    def bytewise(self, one: str, other: str) -> bool:
        if one == other:
            return False
        now = self.clock.now
        for machine in (one, other):
            weather = self.weather.get(machine)
            if weather is not None and now < weather.bytewise_until:
                return True
        return False

    async def connect(self, client: VirtualSocket, address: tuple[str, int]) -> Endpoint:
        """The client's end of a new connection. Raises OSError as a kernel does."""
        process = client.process
        process.check_alive()
        machine = process.machine if address[0] == LOOPBACK else address[0]
        weather = self.weather_of(process.machine if address[0] != LOOPBACK else LOOPBACK)
        await trio.sleep(self.latency(process.machine, machine))
        if trio.current_time() < weather.hang_until:
            await trio.sleep(min(weather.hang_until - trio.current_time(), CONNECT_TIMEOUT_S))
            raise TimeoutError(110, "Connection timed out")
        listener = self.listeners.get((machine, address[1]))
        if trio.current_time() < weather.refuse_until or listener is None or not listener.process.alive:
            raise ConnectionRefusedError(111, "Connection refused")
        number = self._next_number
        self._next_number += 1
        peer = (process.machine if address[0] != LOOPBACK else LOOPBACK, self.free_port())
        ours = Endpoint(self, process, number, name=peer, peer=address)
        theirs = Endpoint(self, listener.process, number, name=address, peer=peer)
        ours.other, theirs.other = theirs, ours
        if trio.current_time() < weather.mute_until:
            theirs.blocked_until = float("inf")
        self.connections[number] = (ours, theirs)
        self.connected += 1
        listener.offer(theirs)
        await trio.sleep(self.latency(machine, process.machine))
        if not process.alive:
            raise ConnectionResetError(104, "Connection reset by peer")
        return ours

    def closed(self, endpoint: Endpoint) -> None:
        """Both ends are over: forget the connection."""
        pair = self.connections.get(endpoint.number)
        if pair is not None and all(end.over for end in pair):
            del self.connections[endpoint.number]

    def of(self, client: Process | str, *, server: str | None = None) -> list[tuple[Endpoint, Endpoint]]:
        """Live connections that a process (or any process of a name) opened, oldest first."""
        return [
            pair
            for pair in self.connections.values()
            if (pair[0].process is client or pair[0].process.name == client)
            and (server is None or pair[1].process.name == server)
        ]

    def die(self, process: Process, *, politely: bool) -> None:
        """A process is gone: its kernel closes its sockets, with a goodbye or with a reset."""
        for key, listener in list(self.listeners.items()):
            if listener.process is process:
                del self.listeners[key]
        for pair in list(self.connections.values()):
            for end in pair:
                if end.process is process:
                    end.close(reset=not politely)


@attrs.frozen
class _Factory(trio.abc.SocketFactory):
    network: Network

    def socket(self, family: Any = stdlib.AF_INET, type: Any = stdlib.SOCK_STREAM, proto: int = 0) -> VirtualSocket:
        process = current_process()
        assert process is not None, "a socket must belong to a simulated process"
        if type != stdlib.SOCK_STREAM or family != stdlib.AF_INET:
            raise OSError(97, "Address family not supported by protocol")
        return VirtualSocket(self.network, process)


@attrs.frozen
class _Resolver(trio.abc.HostnameResolver):
    network: Network

    async def getaddrinfo(
        self, host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
    ) -> list[Any]:
        process = current_process()
        assert process is not None, "a name must be asked for by a simulated process"
        await trio.sleep(0.001)
        name = host.decode() if isinstance(host, bytes) else host
        if trio.current_time() < self.network.weather_of(process.machine).dns_until:
            raise stdlib.gaierror(stdlib.EAI_AGAIN, "Temporary failure in name resolution")
        address = self.network.names.get(name)
        if address is None:
            raise stdlib.gaierror(stdlib.EAI_NONAME, "Name or service not known")
        return [(stdlib.AF_INET, stdlib.SOCK_STREAM, 6, "", (address, port))]

    async def getnameinfo(self, sockaddr: Any, flags: int) -> tuple[str, str]:
        await trio.lowlevel.checkpoint()
        return str(sockaddr[0]), str(sockaddr[1])
