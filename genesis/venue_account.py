"""Whose account a journal is of: the books of one must never be traded with a key of another.

The account's number at the venue stands in the journal from its first live start on. With a key of somebody else, or of
another sub-account, the engine would believe that what it holds there is its own, and sell what is not.
"""

import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final

import structlog
import trio

from genesis.core.backoff import Backoff
from genesis.core.clock import Clock
from genesis.edge.errors import EdgeError, SecretRefused
from genesis.edge.key_check import check_key
from genesis.edge.messengers import Messenger, NotDelivered
from genesis.edge.rest import CircuitOpen, RestDoor
from genesis.edge.service_manager import ServiceManager
from genesis.edge.store_thread import StoreThread
from genesis.run_options import CannotStart, ExitCode
from protocols.bitfinex import rest_requests
from protocols.bitfinex.errors import AuthFailed, BitfinexError, Maintenance, NonceTooSmall, RateLimited, VenueError
from protocols.bitfinex.rest_account import read_user_id
from protocols.journal import CellWrite, Commit, ReadCells

TABLE: Final = "venue_account"
KEY: Final = "user"
PASSES: Final = (AuthFailed, Maintenance, NonceTooSmall, RateLimited)
"""Refusals that say nothing of what the key may read."""
PAUSES: Final = Backoff(base_s=2.0, cap_s=15.0, free=0)
PATIENCE_S: Final = 120.0
"""How much longer a service manager is asked to wait, each time the venue did not answer."""

TOLD_AFTER_S: Final = 60.0
"""Somebody is told of a wait that is as long as this: nobody looks at a log while nothing trades."""
TELLING_S: Final = 5.0
"""What one messenger may take for it: a line that is away takes these words no more than ours."""

log = structlog.get_logger("genesis.run")


class Wait:
    """A start that waits for the venue, and whom it has told: `show` each reason at once (the page, which waits as
    well), messengers once it is long. There is no actor and no notifier yet.
    """

    def __init__(
        self, messengers: Sequence[Messenger], clock: Clock, show: Callable[[str], None] = lambda reason: None
    ) -> None:
        self._show = show
        self._untold = list(messengers)
        self._told: list[Messenger] = []
        self._clock = clock
        self._since_ms: int | None = None
        self._began_s = 0.0

    async def goes_on(self, error: Exception) -> None:
        self._show(f"{type(error).__name__}: {error}")
        now_ms = self._clock.wall_ms()
        if self._since_ms is None:
            self._since_ms = now_ms
            self._began_s = trio.current_time()
        if trio.current_time() - self._began_s < TOLD_AFTER_S:
            return
        since = datetime.fromtimestamp(self._since_ms / 1000, UTC).strftime("%H:%M:%S")
        text = (
            f"the live start waits for the venue since {since} UTC ({type(error).__name__}): nothing is traded and no "
            "stop is looked after until it answers; what rests at the venue stays there"
        )
        for messenger in tuple(self._untold):
            if await _arrived(messenger, text):
                self._untold.remove(messenger)
                self._told.append(messenger)

    async def is_over(self) -> None:
        for messenger in self._told:
            await _arrived(messenger, "the venue answers: the live start goes on")
        self._untold += self._told
        self._told = []
        self._since_ms = None


async def _arrived(messenger: Messenger, text: str) -> bool:
    """Whether there is nothing left to try: it arrived, or never will."""
    with trio.move_on_after(TELLING_S):
        try:
            await messenger.send(text, silent=False)
        except NotDelivered as error:
            log.warning("not_delivered", error=str(error))
            return error.lasting
        return True
    return False


async def trusted_account(door: RestDoor, manager: ServiceManager, chance: random.Random, wait: Wait) -> int | None:
    """The number of the account that the door's key is of; None where the key may not read it, which is told.

    Waits for as long as the venue cannot be asked (no line yet after a power cut, maintenance), which `wait` tells: who
    gave up here would be started again a few times by a service manager, and then be left alone with what is open.
    Raises CannotStart for a key that can do too much or too little, or that the venue does not know: that stays wrong.
    """
    failures = 0
    while True:
        try:
            await check_key(door)
            account = await _account_of(door)
            await wait.is_over()
            return account
        except SecretRefused as error:
            raise CannotStart(str(error), ExitCode.CONFIGURATION) from None
        except AuthFailed as error:
            text = f"what the API key may do must be known before it is used: {error}"
            raise CannotStart(text, ExitCode.CONFIGURATION) from None
        except (EdgeError, BitfinexError) as error:
            failures += 1
            # That nobody asks for a while is no reason; what came before it is.
            if not isinstance(error, CircuitOpen):
                log.warning("waits_for_venue", error=f"{type(error).__name__}: {error}")
                await wait.goes_on(error)
        manager.starting(PATIENCE_S, "waiting for the venue")
        await trio.sleep(PAUSES.delay_s(failures, chance))


async def _account_of(door: RestDoor) -> int | None:
    try:
        return read_user_id(await door.ask(rest_requests.user_info()))
    except VenueError as error:
        if isinstance(error, PASSES):
            raise
        log.warning("account_not_told", error=str(error), text="give the key the right to read account info")
        return None


def check_same(account: int | None, of_socket: int | None) -> None:
    """Raises CannotStart where requests and the socket have keys of two accounts."""
    if account is not None and of_socket is not None and account != of_socket:
        raise CannotStart(
            f"BITFINEX_API_KEY and BITFINEX_WS_API_KEY must be of one account, were of {account} and {of_socket}",
            ExitCode.CONFIGURATION,
        )


async def check_account(store: StoreThread, account: int | None, *, at_ms: int) -> None:
    """Keep the account in a journal that has none yet. Raises CannotStart where it has another one."""
    if account is None:
        return
    kept = await store.read_cells(ReadCells(table=TABLE, key=KEY))
    if not kept.cells:
        cell = CellWrite(table=TABLE, key=KEY, payload=str(account).encode())
        await store.commit([Commit(writer="start", cells=(cell,))], at_ms=at_ms)
        return
    known = int(kept.cells[0].payload)
    if known != account:
        raise CannotStart(
            f"the API key must be of account {known}, whose orders and positions this journal has, was of account "
            f"{account}: another account needs another --data-dir",
            ExitCode.CONFIGURATION,
        )
