"""One question to the venue over REST for a person who waits: bounded in time, its failures in the words of the web."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

import trio

from genesis.edge.errors import EdgeError
from genesis.edge.rest import RestDoor
from protocols.bitfinex.errors import ERR_GENERIC, ERR_PARAMS, BitfinexError, VenueError
from protocols.bitfinex.rest_requests import RestRequest
from web.desk import VenueRefused, VenueSilent

ANSWER_WITHIN_S: Final = 10.0
SAID_NO: Final = frozenset({ERR_GENERIC, ERR_PARAMS})
"""What the venue says of a question that it understood: asking again gets the same answer."""

T = TypeVar("T")


async def ask_venue(door: RestDoor, request: RestRequest, read: Callable[[Any], T], *, exact: bool = True) -> T:
    """The answer, read. Raises VenueRefused when the venue said no, and VenueSilent without an answer: what was asked
    to be changed may then be changed or not."""
    with trio.move_on_after(ANSWER_WITHIN_S):
        try:
            return read(await door.ask(request, exact=exact))
        except VenueError as error:
            if error.code in SAID_NO:
                raise VenueRefused(error.text or str(error), fault=error.code == ERR_PARAMS) from None
            raise VenueSilent(str(error)) from None
        except (EdgeError, BitfinexError) as error:
            raise VenueSilent(str(error)) from None
    raise VenueSilent(f"{request.kind} was not answered within {ANSWER_WITHIN_S:g} s")
