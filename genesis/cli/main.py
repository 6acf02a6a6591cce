"""The `genesis` command: one word for each thing a person does with the engine.

Commands load their modules when they are called, so `genesis --help` does not wait for the web server and numpy.
"""

import gc
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Final

from cyclopts import App, CycloptsError, UnusedCliTokensError

from genesis.cli.examples import EXIT_CODES, GROUPS, epilogue
from genesis.cli.failures import CommandFailed
from genesis.edge.user_dir import UserDirError
from genesis.run_options import ExitCode

COMMANDS: Final[Mapping[str, tuple[str, str]]] = {
    "run": ("genesis.cli.run:run", "Start the engine and run until the recording ends, SIGTERM or Ctrl-C."),
    "backtest": ("genesis.cli.research:backtest", "Trade a recording without wire or clock, by the same decisions."),
    "optimize": ("genesis.cli.search:optimize", "Search for parameters, in processes or on a cluster."),
    "walkforward": (
        "genesis.cli.search:walkforward",
        "Search in one window and trade the next: what a search is worth afterwards.",
    ),
    "report": ("genesis.cli.report:report", "A page of a backtest or a search that opens offline and prints."),
    "parity": ("genesis.cli.research:parity", "Prove that simulation and backtest decide the same, byte by byte."),
    "replay": (
        "genesis.cli.research:replay",
        "Decide a finished run again from its journal, and tell every difference.",
    ),
    "chaos": (
        "genesis.cli.chaos:chaos",
        "Run the engine in simulated worlds where everything breaks, each a function of its seed.",
    ),
    "simulator": ("genesis.cli.simulator:simulator", "Run the exchange alone, for clients of your own."),
    "status": ("genesis.cli.views:status", "Mode, venue time, replay progress, equity and trading state."),
    "actors": (
        "genesis.cli.views:actors",
        "The supervision tree: what runs, how often it fell, how full its mailboxes are.",
    ),
    "orders": ("genesis.cli.views:orders", "Orders with their state and the reason for it."),
    "positions": ("genesis.cli.views:positions", "What is held of each symbol, and what it is worth."),
    "trades": ("genesis.cli.views:trades", "Our own trades with their fees."),
    "account": ("genesis.cli.venue:account", "What the venue keeps: deposits, logins, fees, permissions."),
    "alerts": ("genesis.cli.venue:alerts", "Prices at which the venue tells you."),
    "market": ("genesis.cli.markets:market", "Open interest, liquidations, lending, leader boards."),
    "tax": ("genesis.cli.tax:tax", "A year's trades for a tax return, as CSV with their cost (FIFO)."),
    "why": ("genesis.cli.views:why", "Which rule said what about a signal or an order."),
    "halt": ("genesis.cli.controls:halt", "Stop trading until `genesis resume`, over restarts too."),
    "resume": ("genesis.cli.controls:resume", "Allow trading again after a halt; drawdown is measured anew."),
    "flatten": ("genesis.cli.controls:flatten", "Cancel the orders and sell what is held."),
    "adopt": ("genesis.cli.controls:adopt", "Give what a strategy holds to another one, or to a person."),
    "drill": ("genesis.cli.drill:drill", "Rehearse a crash on an account that is not real, and compare the books."),
    "logs": ("genesis.cli.log_lines:logs", "Log lines, the newest or as they come."),
    "backup": ("genesis.cli.backup:backup", "A verified copy of what the engine keeps, made while it runs."),
    "token": ("genesis.cli.token:token", "Make a token for the API, or a link to the page."),
    "config": ("genesis.cli.config:config", "What can be set, what is in force, and setting it."),
    "doctor": ("genesis.cli.doctor:doctor", "Check this installation and its user directory."),
    "model": ("genesis.cli.model:model", "The probability model: train, validate, show, drift."),
    "strategies": ("genesis.cli.shelves:strategies", "The strategies that settings may name."),
    "data": ("genesis.cli.data:data", "Market data: list, import, download, check, resample."),
}
"""Each command with where it is and what it is for: the modules are not loaded to print the help."""

LOADING: Final = (50_000, 20, 100)
"""Of the collector's three generations. A running engine and a backtest have thresholds of their own."""


def version() -> str:
    """The version of this installation."""
    import importlib.metadata

    return importlib.metadata.version("genesis-engine")


def show_version() -> None:
    """Print the version of this installation."""
    print(version())


def make_app() -> App:
    """All commands; nothing of theirs is loaded before one is called."""
    app = App(
        name="genesis",
        help="A supervised, crash-safe trading engine for Bitfinex.",
        help_epilogue=EXIT_CODES,
        # The list of commands is plain text: a reader of Markdown takes half as long to load as all the rest.
        help_format="plaintext",
        version=version,
        print_error=False,
        exit_on_error=False,
        result_action="return_value",
        suppress_keyboard_interrupt=False,
    )
    app.command(show_version, name="version")
    # `genesis --install-completion` writes the completion of the shell that runs it.
    app.register_install_completion_command(add_to_startup=False)
    for name, (target, text) in COMMANDS.items():
        if name in GROUPS:
            # Their own modules say it: what is loaded late as a whole takes no more words from here.
            app.command(target, name=name, help=text)
        else:
            app.command(target, name=name, help=text, help_format="markdown", help_epilogue=epilogue(name))
    return app


def call(arguments: Sequence[str]) -> int:
    """Carry out one command line; gives the exit code. What went wrong stands on stderr, a line for each reason."""
    try:
        answer = make_app()(list(arguments))
    except UnusedCliTokensError as error:
        # Somebody in a hurry wrote `genesis halt panic`: they must hear that nothing was halted.
        words, name = " ".join(error.unused_tokens or ()), " ".join(("genesis", *(error.command_chain or ())))
        _tell(f"nothing was done: {name} does not take {words!r}; `{name} --help` says what it takes")
        return ExitCode.ERROR
    except CycloptsError as error:
        _tell(" ".join(str(error).split()))
        return ExitCode.ERROR
    except CommandFailed as error:
        _tell(str(error))
        return error.exit_code
    except UserDirError as error:
        _tell(str(error))
        return ExitCode.CONFIGURATION
    except KeyboardInterrupt:
        return 130
    return answer if isinstance(answer, int) else ExitCode.OK


def _tell(text: str) -> None:
    for line in text.splitlines():
        print(f"genesis: {line}", file=sys.stderr)


def main() -> int:
    # Nothing that a command loads is garbage, and to look through it again and again is a sixth of loading the engine.
    gc.set_threshold(*LOADING)
    try:
        code = call(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read us (head, less) has seen enough; Python must not complain about it while it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.OK
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
