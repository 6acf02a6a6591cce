"""What is told to people who are not looking at the page: kinds of news, and letters that wait to be sent."""

from enum import StrEnum

import msgspec


class NewsKind(StrEnum):
    """What a piece of news is about. Settings switch each kind to loud, silent or off."""

    ENGINE = "engine"
    FILL = "fill"
    ORDER_PLACED = "order_placed"
    ORDER_FAILED = "order_failed"
    ORDER_CANCELED = "order_canceled"
    REFUSED = "refused"
    HALT = "halt"
    BREAKER = "breaker"
    PROTECTION = "protection"
    PRICE_ALERT = "price_alert"
    CONNECTION = "connection"
    ALARM = "alarm"
    WARNING = "warning"
    INFO = "info"


class News(msgspec.Struct, frozen=True, kw_only=True):
    """One thing worth telling. News with the same `key` that wait together become one line with a count."""

    kind: NewsKind
    key: str
    text: str
    at_ms: int


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """News on its way to one place; `count` is how many of the same it stands for."""

    number: int
    kind: NewsKind
    key: str
    text: str
    at_ms: int
    silent: bool
    count: int = 1
