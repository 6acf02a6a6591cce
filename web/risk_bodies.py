"""What clients may send about risk. Ranges of limits are not repeated here: the settings themselves judge them."""

from typing import Annotated

import msgspec

from web.bodies import Limit, NameText, Offset, ShortText, Strict, SymbolText

Value = str | int | float | bool | list[str]
Count = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]
CodeText = Annotated[str, msgspec.Meta(pattern="^[a-z_]{1,40}$", description="1 to 40 of a-z and _")]
Interval = Annotated[list[str], msgspec.Meta(min_length=2, max_length=2)]
Intervals = Annotated[list[Interval], msgspec.Meta(max_length=48)]
Moment = Annotated[int, msgspec.Meta(ge=0, le=9_999_999_999_999)]


class LimitsBody(Strict, frozen=True, kw_only=True):
    """`changes` maps names of limits, such as max_daily_loss, to new values; exact numbers may be text.

    All of it happens or nothing. With `expected_version` it is refused when another change came first.
    """

    changes: Annotated[dict[NameText, Value], msgspec.Meta(min_length=1, max_length=100)]
    reason: ShortText = "asked over the API"
    expected_version: int | None = None


class WindowsBody(Strict, frozen=True, kw_only=True):
    """Intervals by day: `{"mon": [["08:00", "17:00"]]}`; a day without any is closed, no day at all is always open.

    An interval over midnight ends past 24:00, as 22:00 to 26:00. `paused` left out changes nothing.
    """

    windows: dict[str, Intervals]
    timezone: Annotated[str, msgspec.Meta(min_length=1, max_length=64)] | None = None
    paused: bool | None = None
    reason: ShortText = "asked over the API"


class MaxTradesBody(Strict, frozen=True, kw_only=True):
    max_trades_per_day: Count
    reason: ShortText = "asked over the API"


class MaxTradesSymbolBody(Strict, frozen=True, kw_only=True):
    max_trades_per_symbol_per_day: Count
    reason: ShortText = "asked over the API"


class LockBody(Strict, frozen=True, kw_only=True):
    """Without symbol and strategy everything is locked, without `duration_s` until the lock is removed."""

    symbol: SymbolText | None = None
    strategy: NameText | None = None
    duration_s: Annotated[float, msgspec.Meta(gt=0, le=31_536_000)] | None = None
    reason: ShortText


class BreakerResetBody(Strict, frozen=True, kw_only=True):
    """`scope` is a symbol or `all` for the breaker of all of them; left out, every breaker is closed."""

    scope: Annotated[str, msgspec.Meta(max_length=26)] | None = None
    reason: ShortText = "asked over the API"


class PeaksResetBody(Strict, frozen=True, kw_only=True):
    strategy: NameText | None = None
    reason: ShortText = "asked over the API"


class DecisionSearchQuery(Strict, frozen=True, kw_only=True):
    """`code` and `rule` find refusals by it; `from_ms` and `to_ms` are venue time, both included.

    `about` is any name of a decision: a signal's or an intent's id, a correlation id, or an order's id (ours, the
    venue's, or the name it was given over the API).
    """

    about: ShortText | None = None
    symbol: SymbolText | None = None
    strategy: NameText | None = None
    code: CodeText | None = None
    rule: CodeText | None = None
    verdict: Annotated[str, msgspec.Meta(pattern="^(approved|denied|all)$")] = "all"
    signal_id: ShortText | None = None
    correlation_id: ShortText | None = None
    from_ms: Moment | None = None
    to_ms: Moment | None = None
    limit: Limit = 100
    offset: Offset = 0
