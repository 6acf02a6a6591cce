"""`genesis token`: a bearer token, or a link that opens the page signed in."""

import os
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

from cyclopts import Parameter

from genesis.cli import printing
from genesis.cli.failures import CommandFailed, NotRunning
from genesis.cli.options import Reading
from genesis.run_options import ExitCode

if TYPE_CHECKING:
    from web.tokens import Scope

RENEWED_AFTER: Final = 0.5
"""Of a token's life: whoever reads the file always finds one that is good for half of it."""


def token(
    *,
    scope: Annotated[Literal["read", "trade", "admin"], Parameter(help="What it may do.")] = "read",
    hours: Annotated[float, Parameter(help="How long it lives; cut to what the scope allows.")] = 1.0,
    user: Annotated[str, Parameter(help="Whose name stands in the journal.")] = "cli",
    link: Annotated[bool, Parameter(negative="", help="Print a link to the page that works once, instead.")] = False,
    keep: Annotated[
        Path | None, Parameter(help="Keep a valid token in this file (mode 0640) until stopped; for Prometheus.")
    ] = None,
    reading: Reading | None = None,
) -> None:
    """Make a token for the API. Whoever can read the user directory may; no running engine is needed."""
    reading = reading or Reading()
    from genesis.cli.client import mint
    from web.tokens import Scope

    if hours <= 0:
        raise CommandFailed(f"hours must be above 0, was {hours:g}", ExitCode.CONFIGURATION)
    if link:
        _link(reading)
        return
    reading.user_dir.create()
    if keep is not None:
        _keep(reading, keep, Scope.named(scope), user)
        return
    minted = mint(reading.user_dir, scope=Scope.named(scope), life_s=hours * 3600, subject=user)
    if reading.json:
        printing.print_json(
            {
                "token": minted.token,
                "scope": minted.claims.scope.word,
                "user_id": minted.claims.subject,
                "expires_ms": minted.claims.expires_s * 1000,
            }
        )
    else:
        print(minted.token)


def _link(reading: Reading) -> None:
    import httpx

    from genesis.cli.client import API, TIME_OUT_S, address_of, keyring_of, trust_of
    from genesis.edge import run_file

    address = address_of(reading.user_dir, reading.port)
    proof = keyring_of(reading.user_dir).bootstrap_secret
    try:
        answer = httpx.post(
            address + API + "/auth/link",
            json={},
            headers={"Authorization": f"Bearer {proof}"},
            timeout=TIME_OUT_S,
            trust_env=False,
            verify=trust_of(reading.user_dir, reading.port),
        )
        answer.raise_for_status()
    except httpx.TimeoutException:
        raise CommandFailed(f"the engine at {address} did not answer", ExitCode.TIME_OUT) from None
    except httpx.HTTPStatusError as error:
        if error.response.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            text = f"the engine at {address} starts, or is too busy, and gives no link yet; `genesis status` says which"
            raise CommandFailed(text, ExitCode.NOT_RUNNING) from None
        raise CommandFailed(f"the engine gave no link, it answered {error.response.status_code}") from None
    except httpx.TransportError:
        raise NotRunning(f"at {address}") from None
    ticket = answer.json()
    written = None if reading.port is not None else run_file.read(reading.user_dir.run_file)
    shown = address if written is None else written.page
    if reading.json:
        printing.print_json({"link": shown + ticket["path"], "expires_ms": ticket["expires_ms"]})
    else:
        print(shown + ticket["path"])


def _keep(reading: Reading, path: Path, scope: "Scope", user: str) -> None:
    from genesis.cli.client import mint
    from web.tokens import LIFE_S

    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    print(f"keeping a token of scope {scope.word} in {path} (Ctrl-C stops)", flush=True)
    while True:
        minted = mint(reading.user_dir, scope=scope, life_s=LIFE_S[scope], subject=user)
        fresh = path.with_name(path.name + ".new")
        try:
            file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
            with os.fdopen(file, "w") as text:
                text.write(minted.token)
            os.replace(fresh, path)
        except OSError as error:
            raise CommandFailed(f"{path} must be writable, was not: {error.strerror}") from None
        if stopped.wait(LIFE_S[scope] * RENEWED_AFTER):
            path.unlink(missing_ok=True)
            return
