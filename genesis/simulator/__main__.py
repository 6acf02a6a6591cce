"""`python -m genesis.simulator`: the exchange as a process of its own."""

import argparse
import math
import random
import sys
from functools import partial
from pathlib import Path

import attrs
import trio

from genesis.core.clock import TrioClock
from genesis.domain.recording import RecordingError
from genesis.simulator.control import ControlPort
from genesis.simulator.exchange import Exchange
from genesis.simulator.recordings import DEFAULT, Recording, load, shipped_names
from genesis.simulator.replay_driver import MAX_SPEED
from genesis.simulator.settings import demo_settings
from genesis.simulator.state_file import StateError
from genesis.simulator.stopping import stop_when_told
from genesis.simulator.tls import TlsError, server_context


def _speed(text: str) -> float:
    if text == "max":
        return MAX_SPEED
    try:
        speed = float(text)
    except ValueError:
        speed = math.nan
    if not 0 < speed < math.inf:
        raise argparse.ArgumentTypeError(f"must be a number above zero or 'max', was {text!r}")
    return speed


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= 65_535):
        raise argparse.ArgumentTypeError(f"must be in 0..65535, was {text!r}")
    return int(text)


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(prog="python -m genesis.simulator", description=__doc__)
    known = ", ".join(shipped_names())
    found.add_argument("--recording", default=DEFAULT, help=f"a path, or one of: {known} (default: {DEFAULT})")
    found.add_argument("--host", default="127.0.0.1")
    found.add_argument("--port", type=_port, default=0, help="0 takes a free one (default)")
    found.add_argument("--control-port", type=_port, default=None, help="faults and replay over HTTP; off by default")
    found.add_argument("--speed", type=_speed, default=60.0, help="recorded seconds a second, or max (default: 60)")
    found.add_argument("--seed", type=int, default=0, help="of everything that is left to chance")
    found.add_argument("--state", type=Path, default=None, help="file in which accounts survive this process")
    found.add_argument("--at-once", action="store_true", help="begin without waiting for a client")
    found.add_argument("--rest-limits", action="store_true", help="count requests a minute as the venue does")
    found.add_argument(
        "--number-notices", action="store_true", help="number notifications too, as Bitfinex.Net wants them"
    )
    found.add_argument("--tls-cert", type=Path, default=None, help="certificate (PEM): then https and wss only")
    found.add_argument("--tls-key", type=Path, default=None, help="its key (PEM)")
    return found


def build(arguments: argparse.Namespace, recording: Recording) -> Exchange:
    """Raises StateError for a state file that is not this exchange's."""
    settings = attrs.evolve(
        demo_settings(),
        state=arguments.state,
        rest_limits=arguments.rest_limits,
        number_notices=arguments.number_notices,
    )
    # Ids and faults of a simulation come from its seed, so that a run can be had again.
    return Exchange(settings, recording, TrioClock(), random.Random(arguments.seed))  # noqa: S311


async def serve(arguments: argparse.Namespace, exchange: Exchange) -> None:
    """Serve until interrupted; the exchange stays open, at rest, when the recording has ended."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stop_when_told, nursery.cancel_scope)
        tls = None if arguments.tls_cert is None else server_context(arguments.tls_cert, arguments.tls_key)
        address = await nursery.start(partial(exchange.serve, arguments.host, arguments.port, tls=tls))
        lines = [f"rest {address.rest}", f"websocket {address.websocket}"]
        if arguments.control_port is not None:
            port = await nursery.start(ControlPort(exchange).serve, "127.0.0.1", arguments.control_port)
            lines.append(f"control http://127.0.0.1:{port}")
        lines += [f"account {key.account} key {key.key} secret {key.secret}" for key in exchange.settings.keys]
        sys.stdout.write("\n".join(lines) + "\n")
        sys.stdout.flush()
        await exchange.replay(arguments.speed, wait_for_clients=not arguments.at_once)


def main(argv: list[str] | None = None) -> int:
    """Exit codes: 0 stopped by a signal, 1 cannot run, 2 wrong arguments."""
    arguments = parser().parse_args(argv)
    if (arguments.tls_cert is None) != (arguments.tls_key is None):
        parser().error("--tls-cert and --tls-key must be given together")
    code = 0
    try:
        recording = load(arguments.recording)
        exchange = build(arguments, recording)
        if arguments.tls_cert is not None:
            server_context(arguments.tls_cert, arguments.tls_key)
    except (RecordingError, StateError, TlsError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    try:
        trio.run(serve, arguments, exchange)
    except* KeyboardInterrupt:
        code = 0
    except* OSError as group:
        first: BaseException = group
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        sys.stderr.write(f"{arguments.host}:{arguments.port} must be free to listen on, was not: {first}\n")
        code = 1
    return code


if __name__ == "__main__":
    sys.exit(main())
