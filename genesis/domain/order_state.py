"""The states of an order, and which word of whom leads from one to the next.

    INTENT -> SENT -> ACKED -> PARTIAL* -> FILLED | CANCELED | REJECTED | EXPIRED

and around them the states of doubt: UNKNOWN (it may be at the venue or not), PENDING_CANCEL and PENDING_UPDATE (it is
at the venue and a request about it is open), DEAD (proven absent). Doubt is never a rejection: only a reply that names
our order and refuses it makes REJECTED, and only the whole proof of absence makes DEAD.
"""

from enum import StrEnum
from typing import Final

from protocols.orders import TERMINAL_STATES, OrderState


class OrderEvent(StrEnum):
    """What can happen to an order, whoever said it and in whichever frame."""

    SENT = "sent"
    """The connection gave the whole frame to its socket."""
    NOT_SENT = "not sent"
    """The connection says that not one byte left."""
    DOUBT = "doubt"
    """An error, a time-out, a lost session, a restart, or the venue's lists do not show it."""
    OPEN = "open"
    """The venue shows it as open."""
    PART_FILL = "part fill"
    LAST_FILL = "last fill"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REFUSED = "refused"
    """A reply names it and refuses it."""
    WITHDRAWN = "withdrawn"
    """We gave it up before anything of it left."""
    ABSENT = "absent"
    """The proof of absence is complete."""
    ASK_CANCEL = "ask cancel"
    ASK_UPDATE = "ask update"
    ANSWERED = "answered"
    """The open request about it has its answer, and it is still at the venue."""
    GHOST = "ghost"
    """The venue shows an order that we had taken for gone."""


class IllegalTransition(Exception):
    """This event cannot happen in this state: our book and the venue's have parted."""


S, E = OrderState, OrderEvent

_ENDINGS: Final = {
    E.LAST_FILL: S.FILLED,
    E.CANCELED: S.CANCELED,
    E.EXPIRED: S.EXPIRED,
}

# Any word of the venue can be the first that we hear of an order: it fills at once without an `on`, answers overtake
# the note that the frame left, and after a restart the snapshot speaks first.
_FIRST_WORDS: Final = {E.OPEN: S.ACKED, E.PART_FILL: S.PARTIAL, E.REFUSED: S.REJECTED, **_ENDINGS}

ORDER_TRANSITIONS: Final[dict[OrderState, dict[OrderEvent, OrderState]]] = {
    S.INTENT: {
        E.SENT: S.SENT,
        E.NOT_SENT: S.INTENT,
        E.DOUBT: S.UNKNOWN,
        E.WITHDRAWN: S.REJECTED,
        **_FIRST_WORDS,
    },
    S.SENT: {E.SENT: S.SENT, E.DOUBT: S.UNKNOWN, **_FIRST_WORDS},
    S.UNKNOWN: {
        E.SENT: S.UNKNOWN,  # a late note does not lift the doubt
        E.NOT_SENT: S.INTENT,  # but a late "nothing left" does
        E.DOUBT: S.UNKNOWN,
        E.ABSENT: S.DEAD,
        **_FIRST_WORDS,
    },
    S.ACKED: {
        E.SENT: S.ACKED,
        E.OPEN: S.ACKED,
        E.PART_FILL: S.PARTIAL,
        E.ASK_CANCEL: S.PENDING_CANCEL,
        E.ASK_UPDATE: S.PENDING_UPDATE,
        E.ANSWERED: S.ACKED,
        E.DOUBT: S.UNKNOWN,
        **_ENDINGS,
    },
    S.PARTIAL: {
        E.SENT: S.PARTIAL,
        E.OPEN: S.PARTIAL,
        E.PART_FILL: S.PARTIAL,
        E.ASK_CANCEL: S.PENDING_CANCEL,
        E.ASK_UPDATE: S.PENDING_UPDATE,
        E.ANSWERED: S.PARTIAL,
        E.DOUBT: S.UNKNOWN,
        **_ENDINGS,
    },
    S.PENDING_CANCEL: {
        E.SENT: S.PENDING_CANCEL,
        E.OPEN: S.PENDING_CANCEL,
        E.PART_FILL: S.PENDING_CANCEL,
        E.ASK_CANCEL: S.PENDING_CANCEL,
        E.ANSWERED: S.ACKED,
        E.DOUBT: S.UNKNOWN,
        **_ENDINGS,
    },
    S.PENDING_UPDATE: {
        E.SENT: S.PENDING_UPDATE,
        E.OPEN: S.PENDING_UPDATE,
        E.PART_FILL: S.PENDING_UPDATE,
        E.ASK_CANCEL: S.PENDING_CANCEL,
        E.ANSWERED: S.ACKED,
        E.DOUBT: S.UNKNOWN,
        **_ENDINGS,
    },
    # A fill that crossed our cancel on the wire is late, legal and booked.
    S.CANCELED: {E.PART_FILL: S.CANCELED, E.LAST_FILL: S.FILLED, E.GHOST: S.ACKED},
    S.EXPIRED: {E.PART_FILL: S.EXPIRED, E.LAST_FILL: S.FILLED, E.GHOST: S.ACKED},
    # These two should not exist at the venue; when one shows up all the same it is ours and is taken back in.
    S.REJECTED: {E.GHOST: S.ACKED},
    S.DEAD: {E.GHOST: S.ACKED},
    # Nothing follows but more of the same: a trade of an order that was made larger while it filled.
    S.FILLED: {E.PART_FILL: S.FILLED, E.LAST_FILL: S.FILLED},
}

assert set(ORDER_TRANSITIONS) == set(OrderState), "the table must know every state"

IN_DOUBT: Final = frozenset({S.UNKNOWN})
AT_VENUE: Final = frozenset({S.ACKED, S.PARTIAL, S.PENDING_CANCEL, S.PENDING_UPDATE})
"""States in which the venue has shown us the order and not yet its end."""


def after(state: OrderState, event: OrderEvent) -> OrderState:
    """The next state. Raises IllegalTransition."""
    try:
        return ORDER_TRANSITIONS[state][event]
    except KeyError:
        raise IllegalTransition(f"{event.value} in {state.value}") from None


def is_open(state: OrderState) -> bool:
    """True until the order's fate is known: while it counts as exposure."""
    return state not in TERMINAL_STATES
