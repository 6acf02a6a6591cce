"""Who may open the page: the keyring on disk, the signing secret of the environment, and how long tokens live."""

import os

from genesis.core.clock import Clock
from genesis.run_options import CannotStart, ExitCode, Mode, RunOptions
from web.keyring import KeyringError, open_keyring, with_signing_secret
from web.tokens import DEFAULT_LIFE_S, Scope, Tokens


def open_tokens(options: RunOptions, clock: Clock) -> Tokens:
    """The tokens of this user directory; its keyring is made when there is none. Raises CannotStart."""
    try:
        keyring = open_keyring(options.user_dir.secrets / "web.json", os.urandom)
        given = options.environment.get("JWT_SECRET_KEY")
        if given:
            keyring = with_signing_secret(keyring, given)
    except KeyringError as error:
        raise CannotStart(str(error), ExitCode.CONFIGURATION) from None
    return Tokens(
        keyring=keyring,
        clock=clock,
        random_bytes=os.urandom,
        dev=options.dev or options.open_access,
        default_life_s=DEFAULT_LIFE_S if options.token_minutes is None else 60 * options.token_minutes,
        ticket_scope=Scope.ADMIN if options.mode is Mode.SIM else Scope.TRADE,
    )
