"""What readers see of our trading: orders and fills in one value."""

import msgspec

from protocols.orders import Fill, OrderView


class OrdersView(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """This engine's orders for readers: `open` and `foreign` whole; of `ended` and `fills` the newest, oldest first.

    `session` is the one that orders go to; `ready` is true while they may: its books have been compared with ours.
    """

    session: int
    ready: bool
    open: tuple[OrderView, ...] = ()
    ended: tuple[OrderView, ...] = ()
    foreign: tuple[OrderView, ...] = ()
    fills: tuple[Fill, ...] = ()
    orders_total: int = 0
    fills_total: int = 0
    unknown: int = 0
    doubts_total: int = 0
    dead_total: int = 0
    ghosts_total: int = 0
    stale_frames_total: int = 0
    alarms_total: int = 0
