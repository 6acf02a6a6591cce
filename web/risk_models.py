"""What the risk routes answer with."""

import msgspec

from protocols.risk import BreakerView, ConditionKind, Lock, StrategyHolding, Verdict, WindowsView
from web.risk_bodies import Value


class LimitView(msgspec.Struct, frozen=True, kw_only=True):
    """One limit. `stricter` says which way a token of trade scope may move it."""

    name: str
    value: Value
    default: Value
    unit: str
    range: str
    meaning: str
    stricter: str


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    version: int
    limits: tuple[LimitView, ...]


class LimitsChanged(msgspec.Struct, frozen=True, kw_only=True):
    """`version` is in force now; `pending` are changed paths that wait for a restart."""

    accepted: bool
    correlation_id: str
    message: str
    version: int
    changed: tuple[str, ...]
    pending: tuple[str, ...]


class Windows(msgspec.Struct, frozen=True, kw_only=True):
    """`windows` is by day, as it is posted; `now` says where venue time stands in them."""

    timezone: str
    windows: dict[str, list[tuple[str, str]]]
    paused: bool
    now: WindowsView


class TradeCounter(msgspec.Struct, frozen=True, kw_only=True):
    day: str
    timezone: str
    trades_today: int
    max_trades_per_day: int
    trades_today_by_symbol: dict[str, int]
    max_trades_per_symbol_per_day: int


class Locks(msgspec.Struct, frozen=True, kw_only=True):
    now_ms: int
    locks: tuple[Lock, ...]


class Breakers(msgspec.Struct, frozen=True, kw_only=True):
    """Only breakers that ever opened are listed; `open` is true while one of them lets no entry through freely.

    `not_measured` are conditions that nobody looks at here, whatever the limits are: a replay's market waits for us,
    and what is decided in it must not hang on how fast we are.
    """

    open: bool
    breakers: tuple[BreakerView, ...]
    conditions: dict[str, float]
    not_measured: tuple[ConditionKind, ...] = ()


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """What would be said to the order now. `reasons` and `advice` are words for every refusal.

    `takes` is what a sale would sell of what strategies hold: their stops shrink, and their books have its result.
    """

    approved: bool
    verdict: Verdict
    reasons: tuple[str, ...]
    advice: tuple[str, ...]
    takes: tuple[StrategyHolding, ...] = ()


class ToldDecision(msgspec.Struct, frozen=True, kw_only=True):
    """`not_sent` is why an order that was approved was given up before it left; empty where it was not."""

    verdict: Verdict
    reasons: tuple[str, ...]
    not_sent: str = ""


class DecisionsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Newest first. `total` matched among the `searched` verdicts of the journal, which is all of them."""

    total: int
    searched: int
    decisions: tuple[ToldDecision, ...]


class CodeView(msgspec.Struct, frozen=True, kw_only=True):
    code: str
    rule: str
    sentence: str
    numbers: tuple[str, ...]
    advice: str


class Codes(msgspec.Struct, frozen=True, kw_only=True):
    codes: tuple[CodeView, ...]


class Flattening(msgspec.Struct, frozen=True, kw_only=True):
    """`verified` is true once no order of ours is open and nothing is held of what was to be closed.

    Amounts smaller than the venue takes count as nothing. `waited_s` is how long was looked for it. `opened_since` is
    what is held, or ordered, of symbols in which something was opened after all was closed: trading goes on. Nothing of
    that counts as left. While it is `under_way` the engine works on it, and opens nothing there. What is `given_up`
    nobody closes any more: three sales of it were in vain. `symbol` is null for everything. Once the `recording_over`
    is true (mode sim) nothing trades any more, and what is still held stays.
    """

    accepted: bool
    correlation_id: str
    message: str
    symbol: str | None
    verified: bool
    open_orders: int
    held: dict[str, str]
    opened_since: dict[str, str]
    under_way: bool
    given_up: tuple[str, ...]
    recording_over: bool
    waited_s: float


class Flattenings(msgspec.Struct, frozen=True, kw_only=True):
    """The wishes to flatten, or to close a position, that are under way, and the newest that are over; newest first."""

    flattens: tuple[Flattening, ...]
