"""Deliberate defects of stops over REST while the socket alone is away."""

from typing import Any, Final

import msgspec

import genesis.domain.order_protect as order_protect
import genesis.edge.stand_in as stand_in
from genesis.domain.order_machine import OrderMachine
from genesis.domain.order_session import Fence
from genesis.edge.errors import RequestFailed
from genesis.edge.narrow_line import NarrowLine
from genesis.edge.rest import RestDoor
from genesis.worlds.mutant import Mutant
from protocols.bitfinex import rest_requests
from protocols.bitfinex.errors import VenueError
from protocols.orders import CommandInDoubt

AWAY: Final = frozenset({"socket_away"})


def _asked_again(old: Any) -> Any:
    return lambda order: msgspec.structs.replace(old(order), repeatable=True)


def _lost_is_refused(old: Any) -> Any:
    def failed(self: Any, command: Any, error: Exception) -> Any:
        told = old(self, command, error)
        return self._refusal(command, VenueError(None, "no answer")) if isinstance(told, CommandInDoubt) else told

    return failed


def _broken_is_not_sent(old: Any) -> Any:
    async def timed(self: Any, *asked: Any) -> Any:
        try:
            return await old(self, *asked)
        except RequestFailed as error:
            raise RequestFailed(str(error), sent=False) from error

    return timed


async def _nobody_opens(*_: Any) -> None:
    return None


REST_MUTANTS: Final[dict[str, Mutant]] = {
    "rest-asks-again": Mutant(
        "a stop whose answer over REST was lost is submitted once more",
        rest_requests,
        "submit_order",
        _asked_again,
        led_by=AWAY,
    ),
    "lost-answer-is-a-no": Mutant(
        "a stop whose answer over REST was lost counts as refused",
        NarrowLine,
        "_failed",
        _lost_is_refused,
        led_by=AWAY,
    ),
    "broken-is-not-sent": Mutant(
        "a request over REST whose connection broke counts as one that never left",
        RestDoor,
        "_timed",
        _broken_is_not_sent,
        led_by=AWAY,
    ),
    "rest-takes-everything": Mutant(
        "over REST leaves what would leave on a socket",
        Fence,
        "ready",
        lambda old: property(lambda self: self.up and self.reconciled),
        led_by=AWAY,
    ),
    "closes-wait-for-the-socket": Mutant(
        "over REST stops leave and nothing else: a flatten waits for the socket",
        order_protect,
        "gets_out",
        lambda old: lambda row: False,
        also=((OrderMachine, "_makes_way", lambda old: lambda self, book: False),),
        led_by=AWAY,
    ),
    "rest-unused": Mutant(
        "while the socket is away stops wait for it",
        stand_in,
        "open_narrowly",
        lambda old: _nobody_opens,
        led_by=AWAY,
    ),
}
