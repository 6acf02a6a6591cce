"""Asking an actor from outside: an answer, a refusal in words, or that it is busy."""

from typing import Any, Final

import trio

from genesis.core.errors import ChannelClosed, ChannelFull, DeadLettered
from genesis.core.mailbox import Channel
from web.controls import Busy, Refused

ANSWER_WITHIN_S: Final = 10.0
"""A control that the engine has taken but not answered after this long is reported as under way."""


async def ask(channel: Channel[Any], message: Any, what: str) -> Any:
    """The answer; None when it takes too long. Raises Busy and Refused."""
    try:
        with trio.move_on_after(ANSWER_WITHIN_S):
            return await channel.ask(message)
    except ChannelFull:
        raise Busy(what) from None
    except ChannelClosed:
        raise Busy(what, retry_after_s=5.0) from None
    except DeadLettered as error:
        raise Refused("not_understood", str(error)) from None
    return None
