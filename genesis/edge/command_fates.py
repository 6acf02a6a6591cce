"""What a line to the venue tells of a command: that it was sent, that not one byte of it was, or that nobody knows."""

from typing import Final

from protocols.orders import (
    CancelOrder,
    CommandInDoubt,
    CommandNotSent,
    CommandSent,
    SubmitOrder,
    UpdateOrder,
    VenueCommand,
    commands_of,
)

KINDS: Final[dict[type, str]] = {SubmitOrder: "on", CancelOrder: "oc", UpdateOrder: "ou"}


def sent(command: VenueCommand, now_ns: int) -> list[CommandSent]:
    return [
        CommandSent(cid=each.cid, kind=KINDS[type(each)], session=each.session, received_ns=now_ns)
        for each in commands_of(command)
    ]


def not_sent(
    command: VenueCommand, reason: str, *, paused: bool = False, too_old: bool = False
) -> list[CommandNotSent]:
    return [
        CommandNotSent(
            cid=each.cid, kind=KINDS[type(each)], session=each.session, reason=reason, paused=paused, too_old=too_old
        )
        for each in commands_of(command)
    ]


def in_doubt(command: VenueCommand, reason: str) -> list[CommandInDoubt]:
    return [
        CommandInDoubt(cid=each.cid, kind=KINDS[type(each)], session=each.session, reason=reason)
        for each in commands_of(command)
    ]
