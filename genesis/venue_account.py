"""Whose account a journal is of: the books of one must never be traded with a key of another.

The account's number at the venue stands in the journal from its first live start on. With a key of somebody else, or of
another sub-account, the engine would believe that what it holds there is its own, and sell what is not.
"""

from typing import Final

import structlog

from genesis.edge.errors import EdgeError
from genesis.edge.rest import RestDoor
from genesis.edge.store_thread import StoreThread
from genesis.run_options import CannotStart, ExitCode
from protocols.bitfinex import rest_requests
from protocols.bitfinex.errors import BitfinexError, Maintenance, NonceTooSmall, RateLimited, VenueError
from protocols.bitfinex.rest_account import read_user_info
from protocols.journal import CellWrite, Commit, ReadCells

TABLE: Final = "venue_account"
KEY: Final = "user"

log = structlog.get_logger("genesis.run")


async def account_of(door: RestDoor) -> int | None:
    """The number of the account that the door's key is of; None where the key may not read it, which is told.

    Raises CannotStart while the venue cannot be asked.
    """
    try:
        return read_user_info(await door.ask(rest_requests.user_info())).user_id
    except (EdgeError, BitfinexError) as error:
        if not isinstance(error, VenueError) or isinstance(error, Maintenance | NonceTooSmall | RateLimited):
            raise CannotStart(f"whose account the API key is of must be known before it is used: {error}") from None
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
