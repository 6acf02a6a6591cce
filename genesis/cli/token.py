"""`genesis token`: a bearer token, or a link that opens the page signed in."""

from typing import Annotated, Literal

from cyclopts import Parameter

from genesis.cli import printing
from genesis.cli.failures import CommandFailed, NotRunning
from genesis.cli.options import Reading
from genesis.run_options import ExitCode


def token(
    *,
    scope: Annotated[Literal["read", "trade", "admin"], Parameter(help="What it may do.")] = "read",
    hours: Annotated[float, Parameter(help="How long it lives; cut to what the scope allows.")] = 1.0,
    user: Annotated[str, Parameter(help="Whose name stands in the journal.")] = "cli",
    link: Annotated[bool, Parameter(negative="", help="Print a link to the page that works once, instead.")] = False,
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

    from genesis.cli.client import API, TIME_OUT_S, address_of, keyring_of

    address = address_of(reading.user_dir, reading.port)
    proof = keyring_of(reading.user_dir).bootstrap_secret
    try:
        answer = httpx.post(
            address + API + "/auth/link",
            json={},
            headers={"Authorization": f"Bearer {proof}"},
            timeout=TIME_OUT_S,
            trust_env=False,
        )
        answer.raise_for_status()
    except httpx.TimeoutException:
        raise CommandFailed(f"the engine at {address} did not answer", ExitCode.TIME_OUT) from None
    except httpx.HTTPStatusError as error:
        raise CommandFailed(f"the engine gave no link, it answered {error.response.status_code}") from None
    except httpx.TransportError:
        raise NotRunning(f"at {address}") from None
    ticket = answer.json()
    if reading.json:
        printing.print_json({"link": address + ticket["path"], "expires_ms": ticket["expires_ms"]})
    else:
        print(address + ticket["path"])
