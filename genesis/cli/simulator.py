"""`genesis simulator`: the exchange alone, for clients of your own."""

import random
import signal
import sys
from typing import TYPE_CHECKING, Annotated, Final

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
    seed: Annotated[int, Parameter(help="Seed of what is left to chance.")] = 0,
    json: Annotated[bool, Parameter(negative="", help="Print the addresses as JSON.")] = False,
) -> None:
    """Run the exchange alone, for clients of your own.

    It speaks Bitfinex's protocol over REST and WebSocket and goes on, at rest, when the recording has ended.
    """
    pace = speed_of(speed)
    found = _load(recording)
    try:
        trio.run(_serve, found, pace, host, port, seed, json)
    except* OSError as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise CommandFailed(f"{host}:{port} must be free to listen on, was not: {error}") from None


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


async def _serve(recording: "Recording", speed: float, host: str, port: int, seed: int, json: bool) -> None:
    from genesis.simulator.exchange import Address, Exchange
    from genesis.simulator.replay_driver import Replayer
    from genesis.simulator.settings import demo_settings

    settings = demo_settings()
    # Jitter and ids of a simulation come from its seed, so that a run can be had again.
    exchange = Exchange(settings, recording, TrioClock(), random.Random(seed))  # noqa: S311
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_stop_when_told, nursery.cancel_scope)
        address: Address = await nursery.start(exchange.serve, host, port)
        if json:
            keys = [{"key": each.key, "secret": each.secret, "account": each.account} for each in settings.keys]
            printing.print_json({"rest": address.rest, "websocket": address.websocket, "keys": keys})
        else:
            printing.pairs([("rest", address.rest), ("websocket", address.websocket)])
            printing.table(
                "customers (keys of a simulation open nothing)",
                ("account", "key", "secret"),
                ((each.account, each.key, each.secret) for each in settings.keys),
            )
        sys.stdout.flush()
        await Replayer(exchange, speed=speed).run()


async def _stop_when_told(scope: trio.CancelScope) -> None:
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            scope.cancel()
            return
