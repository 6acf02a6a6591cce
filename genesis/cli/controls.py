"""Commands that tell the running engine to do something."""

import getpass
import sys
from collections.abc import Mapping
from typing import Annotated, Any, Final

from cyclopts import Parameter

from genesis.cli import printing
from genesis.cli.failures import CommandFailed
from genesis.cli.options import Reading
from genesis.run_options import ExitCode

LONGEST_WAIT_S: Final = 9
"""Less than a command waits for an answer."""

Reason = Annotated[str, Parameter(help="Why; it is kept in the journal.")]


def _post(reading: Reading, path: str, body: Mapping[str, object], *, admin: bool = False) -> Any:
    from genesis.cli.client import Client
    from web.tokens import Scope

    client = Client(reading.user_dir, reading.port, scope=Scope.ADMIN if admin else Scope.TRADE)
    answer: Any = client.post(path, body)
    if reading.json:
        printing.print_json(answer)
    else:
        print(answer["message"])
    return answer


def who() -> str:
    """Who sits at this terminal, as far as the system knows."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


def halt(
    *,
    reason: Reason = "asked on the command line",
    reducing: Annotated[bool, Parameter(negative="", help="Refuse entries only; exits stay allowed.")] = False,
    reading: Reading | None = None,
) -> None:
    """Stop trading. The halt is durable: it holds over restarts until `genesis resume`."""
    _post(reading or Reading(), "/risk/unified/halt", {"reason": f"{reason} ({who()})", "reducing": reducing})


def resume(*, reason: Reason = "asked on the command line", reading: Reading | None = None) -> None:
    """Allow trading again after a halt or a reduction. Drawdown is measured from there on."""
    _post(reading or Reading(), "/risk/unified/resume-trading", {"reason": f"{reason} ({who()})"}, admin=True)


def adopt(
    owner: Annotated[str, Parameter(help="The strategy that is gone, or has another name now.")],
    heir: Annotated[str, Parameter(help="Who gets what it holds: a strategy that runs, or manual.")],
    symbol: Annotated[str | None, Parameter(help="Only this symbol; all that it holds when not given.")] = None,
    /,
    *,
    reason: Reason = "asked on the command line",
    reading: Reading | None = None,
) -> None:
    """Give the coins of a strategy, and the stop around them, to another one. Nothing is cancelled or placed."""
    body: dict[str, object] = {"owner": owner, "heir": heir, "reason": f"{reason} ({who()})"}
    if symbol is not None:
        body["symbol"] = symbol
    _post(reading or Reading(), "/positions/adopt", body)


def flatten(
    symbol: Annotated[str | None, Parameter(help="Only this symbol; everything when not given.")] = None,
    /,
    *,
    yes: Annotated[bool, Parameter(negative="", help="Do not ask.")] = False,
    wait: Annotated[int, Parameter(help="Seconds to look whether it came true, 0 to 9; 0: not at all.")] = 8,
    reason: Reason = "asked on the command line",
    reading: Reading | None = None,
) -> None:
    """Cancel the orders and sell what is held. Exit code 5 while something of it is still open or held."""
    if not 0 <= wait <= LONGEST_WAIT_S:
        raise CommandFailed(f"--wait must be 0 to {LONGEST_WAIT_S}, was {wait}", ExitCode.CONFIGURATION)
    what = symbol or "EVERYTHING"
    if not yes:
        if not sys.stdin.isatty():
            raise CommandFailed("flatten must be confirmed: give --yes", ExitCode.CONFIGURATION)
        if input(f"cancel the orders and close {what}? type flatten: ").strip() != "flatten":
            raise CommandFailed("nothing was done")
    body: dict[str, object] = {"confirm": "flatten", "reason": f"{reason} ({who()})", "wait_s": wait}
    if symbol is not None:
        body["symbol"] = symbol
    reading = reading or Reading()
    answer = _post(reading, "/risk/unified/flatten", body)
    if not wait:
        return
    if not answer["verified"]:
        held = ", ".join(f"{printing.number(amount)} {name}" for name, amount in answer["held"].items()) or "nothing"
        left = f"after {wait} s {answer['open_orders']} orders are open and {held} is held"
        if (names := ", ".join(answer["given_up"])) and not answer["under_way"]:
            raise CommandFailed(
                f"{left}; {names} was given up after three tries: `genesis orders` tells why, and nobody closes it now",
                ExitCode.TIME_OUT,
            )
        if answer["recording_over"]:
            raise CommandFailed(f"{left}; the recording is over: nothing trades any more", ExitCode.TIME_OUT)
        raise CommandFailed(f"{left}; it goes on: look at `genesis positions`", ExitCode.TIME_OUT)
    if reading.json:
        return
    if since := [_opened(name, amount) for name, amount in answer["opened_since"].items()]:
        print(f"done: what was open and held is closed; trading goes on, and has opened since then: {', '.join(since)}")
        print("`genesis halt` before `genesis flatten` keeps it closed")
    else:
        print("done: no order is open and nothing is held")


def _opened(name: str, amount: str) -> str:
    return f"{printing.number(amount)} {name}" if float(amount) else f"an order in {name}"
