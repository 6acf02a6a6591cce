"""`genesis simulator`: the exchange alone, for clients of your own."""

import random
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import attrs
import trio
from cyclopts import Parameter

from genesis.cli import printing
from genesis.cli.failures import CommandFailed
from genesis.cli.run import speed_of
from genesis.core.clock import TrioClock
from genesis.domain.recording import RecordingError
from genesis.run_options import ExitCode

if TYPE_CHECKING:
    from genesis.simulator.recordings import Recording

DEFAULT_PORT: Final = 8700


def simulator(
    *,
    recording: Annotated[str | None, Parameter(help="A recording's name or path.")] = None,
    speed: Annotated[str, Parameter(help="Recorded seconds a second, or max.")] = "60",
    host: Annotated[str, Parameter(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, Parameter(help="Port to listen on; 0 takes a free one.")] = DEFAULT_PORT,
    control_port: Annotated[
        int | None, Parameter(help="Port of the fault desk and the replay, on loopback; off when not given.")
    ] = None,
    state: Annotated[Path | None, Parameter(help="File in which accounts survive this process.")] = None,
    wait: Annotated[
        bool, Parameter(negative="", help="Begin when a client is authenticated and listens to candles.")
    ] = False,
    rest_limits: Annotated[bool, Parameter(negative="", help="Count requests a minute as the venue does.")] = False,
    number_notices: Annotated[
        bool, Parameter(negative="", help="Number notifications too, as some clients want them.")
    ] = False,
    tls_cert: Annotated[Path | None, Parameter(help="Certificate (PEM): then https and wss only.")] = None,
    tls_key: Annotated[Path | None, Parameter(help="Its key (PEM).")] = None,
    seed: Annotated[int, Parameter(help="Seed of what is left to chance.")] = 0,
    json: Annotated[bool, Parameter(negative="", help="Print the addresses as JSON.")] = False,
) -> None:
    """Run the exchange alone, for clients of your own.

    It speaks Bitfinex's protocol over REST and WebSocket and goes on, at rest, when the recording has ended.
    """
    pace = speed_of(speed)
    found = _load(recording)
    for name, number in (("port", port), ("control-port", control_port or 0)):
        if not 0 <= number <= 65_535:
            raise CommandFailed(f"{name} must be in 0..65535, was {number}", ExitCode.CONFIGURATION)
    if (tls_cert is None) != (tls_key is None):
        raise CommandFailed("--tls-cert and --tls-key must be given together", ExitCode.CONFIGURATION)
    start = _Start(
        tls=None if tls_cert is None or tls_key is None else (tls_cert, tls_key),
        recording=found,
        speed=pace,
        host=host,
        port=port,
        control_port=control_port,
        state=state,
        wait=wait,
        rest_limits=rest_limits,
        number_notices=number_notices,
        seed=seed,
        json=json,
    )
    try:
        trio.run(_serve, start)
    except* OSError as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise CommandFailed(f"{host}:{port} must be free to listen on, was not: {error}") from None


@attrs.frozen(kw_only=True)
class _Start:
    tls: tuple[Path, Path] | None
    recording: "Recording"
    speed: float
    host: str
    port: int
    control_port: int | None
    state: Path | None
    wait: bool
    rest_limits: bool
    number_notices: bool
    seed: int
    json: bool


def _load(name: str | None) -> "Recording":
    from genesis.simulator.recordings import DEFAULT, find, load

    try:
        find(name or DEFAULT)
    except RecordingError as error:
        raise CommandFailed(str(error), ExitCode.NOT_FOUND) from None
    try:
        return load(name or DEFAULT)
    except RecordingError as error:
        raise CommandFailed(str(error)) from None


async def _serve(start: _Start) -> None:
    from genesis.simulator.control import ControlPort
    from genesis.simulator.exchange import Address, Exchange
    from genesis.simulator.settings import demo_settings
    from genesis.simulator.state_file import StateError
    from genesis.simulator.stopping import stop_when_told
    from genesis.simulator.tls import TlsError, server_context

    settings = attrs.evolve(
        demo_settings(), state=start.state, rest_limits=start.rest_limits, number_notices=start.number_notices
    )
    try:
        # Jitter and ids of a simulation come from its seed, so that a run can be had again.
        exchange = Exchange(settings, start.recording, TrioClock(), random.Random(start.seed))  # noqa: S311
        tls = None if start.tls is None else server_context(*start.tls)
    except (StateError, TlsError) as error:
        raise CommandFailed(str(error)) from None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stop_when_told, nursery.cancel_scope)
        address: Address = await nursery.start(partial(exchange.serve, start.host, start.port, tls=tls))
        addresses = {"rest": address.rest, "websocket": address.websocket}
        if start.control_port is not None:
            # Whoever reaches this port breaks the exchange at will: it is for this machine alone.
            port = await nursery.start(ControlPort(exchange).serve, "127.0.0.1", start.control_port)
            addresses["control"] = f"http://127.0.0.1:{port}"
        if start.json:
            keys = [{"key": each.key, "secret": each.secret, "account": each.account} for each in settings.keys]
            printing.print_json({**addresses, "keys": keys})
        else:
            printing.pairs(list(addresses.items()))
            printing.table(
                "customers (keys of a simulation open nothing)",
                ("account", "key", "secret"),
                ((each.account, each.key, each.secret) for each in settings.keys),
            )
        sys.stdout.flush()
        await exchange.replay(start.speed, wait_for_clients=start.wait)
