"""News: which of the engine's events people should hear of, and an outbox that neither floods nor forgets.

An outbox is one place's queue. What waits for the same pause between two messages leaves as one message, the same
thing said many times is one line with a count, and a limit of messages a minute holds whatever happens. When too much
waits the oldest is dropped and counted, and the next message says so.
"""

import itertools
import re
from collections import deque
from collections.abc import Iterable, Mapping, Sequence, Sized
from datetime import UTC, datetime
from typing import Final, TypeVar

import attrs
import msgspec

from genesis.domain.rate_limit import RateLimit
from protocols.health import Notice
from protocols.news import Letter, News, NewsKind
from protocols.orders import Fill, OrderState, OrderUpdate, OrderView
from protocols.risk import BreakerState, DenialCode, RiskStatus, TradingState, Verdict
from protocols.settings import NotifySettings
from protocols.units import plain

MESSAGE_LIMIT: Final = 3500
"""Characters of one message: Telegram takes 4,096, Discord 2,000 (its door cuts), Slack 40,000."""
LINE_LIMIT: Final = 600
LETTERS_KEPT: Final = 200
REMEMBERED: Final = 10_000
"""Fills and orders that are known when they are said again, or twice as many as a start says again."""
LAST_HEARD: Final = 50
"""Fills, and orders, by which a start finds what a kill kept from the outboxes: some share a millisecond."""
MISSED_AT_MOST: Final = 10
URGENT: Final = frozenset({NewsKind.HALT, NewsKind.BREAKER, NewsKind.PROTECTION, NewsKind.ALARM, NewsKind.ORDER_FAILED})
"""These do not wait for others to travel with."""
FAILED: Final = frozenset({OrderState.REJECTED, OrderState.UNKNOWN, OrderState.DEAD, OrderState.EXPIRED})
CONNECTION_CODES: Final = frozenset({"reconnects", "watchdog", "pool_full", "subscription", "auth_refused"})
STRANGERS: Final = frozenset({"foreign_order", "foreign_trade"})
"""Somebody trades on the account who is not the engine. If that is not its person a key is stolen: they must wake."""
SUBJECT: Final = re.compile(r"\bt[A-Z0-9]{3,}(?::[A-Z0-9]+)?\b|\border \d+")
"""What a notice is about: symbols, an order by its number."""
MARKS: Final = {
    NewsKind.FILL: "✓",
    NewsKind.ORDER_FAILED: "✗",
    NewsKind.HALT: "■",
    NewsKind.BREAKER: "■",
    NewsKind.PROTECTION: "!",
    NewsKind.ALARM: "!",
}

K = TypeVar("K")
V = TypeVar("V")


class LastHeard(msgspec.Struct, frozen=True, kw_only=True):
    """The last fills and orders that were heard before the outboxes were kept: newer ones have reached no outbox."""

    fills: tuple[tuple[int, int], ...] = ()
    orders: tuple[tuple[str, OrderState], ...] = ()


class Reporter:
    """Makes news of events. It remembers what it told, since orders and fills are said again after a crash."""

    def __init__(self) -> None:
        self._last_fills: deque[tuple[int, int]] = deque(maxlen=LAST_HEARD)
        self._last_orders: deque[tuple[str, OrderState]] = deque(maxlen=LAST_HEARD)
        self._missed: set[object] = set()
        self._fills: dict[tuple[int, int], None] = {}
        self._states: dict[str, OrderState] = {}
        self._known = REMEMBERED
        self._trading: tuple[TradingState, bool] | None = None
        self._breakers: dict[str, BreakerState] = {}

    def after(self, fills: Sequence[Fill], states: Mapping[str, OrderState]) -> None:
        """Know these fills and orders, oldest first: a process that ended told them, and a start says them again."""
        self._fills = dict.fromkeys([(fill.trade_id, fill.venue_order_id) for fill in fills])
        self._states = dict(states)
        self._known = room_for(self._fills, self._states)

    @property
    def heard(self) -> LastHeard:
        return LastHeard(fills=tuple(self._last_fills), orders=tuple(self._last_orders))

    def miss_after(self, heard: LastHeard) -> None:
        """A process was killed behind this: what the journal has beyond it is news when the start says it again.

        Of more than a few the newest are: then nobody listened for long, and it is no kill's last moment.
        """
        self._last_fills.extend(heard.fills)
        self._last_orders.extend(heard.orders)
        for identity in _behind(list(self._fills), set(heard.fills)):
            del self._fills[identity]
            self._missed.add(identity)
        known = dict(heard.orders)
        told = {intent_id for intent_id, state in known.items() if self._states.get(intent_id) is state}
        moved = [intent_id for intent_id in known.keys() - told if intent_id in self._states]
        for intent_id in dict.fromkeys([*moved, *_behind(list(self._states), set(known))]):
            del self._states[intent_id]
            self._missed.add(intent_id)

    def hear(self, event: object, at_ms: int) -> News | None:
        """The news in a Notice, Fill, OrderUpdate or Verdict; None when it is none."""
        match event:
            case Notice():
                return _of_notice(event)
            case Fill():
                identity = (event.trade_id, event.venue_order_id)
                if event.foreign or identity in self._fills:
                    return None
                remember(self._fills, identity, None, self._known)
                self._last_fills.append(identity)
                return self._marked(identity, _of_fill(event))
            case OrderUpdate():
                return self._marked(event.order.intent_id, self._of_order(event.order))
            case Verdict():
                return _of_verdict(event, at_ms)
        return None

    def _marked(self, identity: object, news: News | None) -> News | None:
        """It, and that it is not of now where a process was killed before it could be told."""
        if identity not in self._missed:
            return news
        self._missed.discard(identity)
        return None if news is None else msgspec.structs.replace(news, text=f"{news.text} (before the restart)")

    def on_risk(self, status: RiskStatus | None) -> list[News]:
        """What changed of the trading state and the breakers. What it is at first is no news."""
        if status is None:
            return []
        told: list[News] = []
        now = (status.state, status.paused)
        before, self._trading = self._trading, now
        if before is not None and now != before:
            text = f"trading is {status.state.value}"
            text += ", entries are paused" if status.paused else ""
            reason = status.paused_reason if status.paused and not status.reason else status.reason
            told.append(_news(NewsKind.HALT, "trading", f"{text}: {reason}" if reason else text, status.now_ms))
        for breaker in status.breakers:
            was = self._breakers.get(breaker.scope, BreakerState.CLOSED)
            self._breakers[breaker.scope] = breaker.state
            if breaker.state is not was:
                where = breaker.scope or "all symbols"
                text = f"breaker of {where} is {breaker.state.value}: {breaker.cause}"
                told.append(_news(NewsKind.BREAKER, breaker.scope, text, status.now_ms))
        return told

    def _of_order(self, order: OrderView) -> News | None:
        if order.foreign or self._states.get(order.intent_id) is order.state:
            return None
        remember(self._states, order.intent_id, order.state, self._known)
        self._last_orders.append((order.intent_id, order.state))
        what = f"{order.side.value} {plain(order.quantity)} {order.symbol} {order.order_type.value.lower()}"
        price = order.price if order.price is not None else order.stop_price
        what += f" at {plain(price)}" if price is not None else ""
        what += f" ({order.purpose.value}, {order.strategy})"
        if order.state in FAILED:
            text = f"order {order.state.value.lower()}: {what}: {order.reason}"
            return _news(NewsKind.ORDER_FAILED, order.reason, text, order.updated_ms)
        if order.state is OrderState.CANCELED:
            return _news(NewsKind.ORDER_CANCELED, "", f"canceled: {what}", order.updated_ms)
        if order.state is OrderState.ACKED:
            return _news(NewsKind.ORDER_PLACED, "", f"placed: {what}", order.updated_ms)
        return None


def _behind(kept: list[K], heard: set[K]) -> list[K]:
    """What stands behind the newest that was heard; nothing where that is not known."""
    at = max([place for place, each in enumerate(kept) if each in heard], default=len(kept))
    return kept[at + 1 :][-MISSED_AT_MOST:]


def room_for(*said_again: Sized) -> int:
    """How many of each must be known: a start says all again that the journal keeps, the oldest first, and none of it
    may push out what comes behind it."""
    return max(REMEMBERED, *[2 * len(kept) for kept in said_again])


def remember(kept: dict[K, V], key: K, value: V, at_most: int) -> None:
    """Note it, and forget the oldest where there are too many."""
    kept[key] = value
    if len(kept) > at_most:
        # Many at once: a dictionary whose front is taken away one by one is searched for its front each time.
        for old in list(itertools.islice(kept, len(kept) - at_most + at_most // 16)):
            del kept[old]


def _news(kind: NewsKind, key: str, text: str, at_ms: int) -> News:
    text = " ".join(text.split())
    if len(text) > LINE_LIMIT:
        text = f"{text[:LINE_LIMIT]}…"
    # Where the key is empty each stands for itself: two fills are two fills.
    return News(kind=kind, key=f"{kind}:{key or text}", text=text, at_ms=at_ms)


def _of_notice(notice: Notice) -> News:
    if notice.code == "position_naked" or notice.code.startswith("protection"):
        kind = NewsKind.PROTECTION
    elif notice.code.startswith("engine_"):
        kind = NewsKind.ENGINE
    elif notice.code == "price_alert":
        # By its text: two prices that were reached are two pieces of news.
        return _news(NewsKind.PRICE_ALERT, "", notice.text, notice.at_ms)
    elif notice.code in CONNECTION_CODES:
        kind = NewsKind.CONNECTION
    elif notice.code in STRANGERS:
        kind = NewsKind.ALARM
    else:
        kind = {"alarm": NewsKind.ALARM, "warning": NewsKind.WARNING}.get(notice.level, NewsKind.INFO)
    # The same of another symbol is another thing: of two positions without a stop both must be heard of.
    subject = " ".join(SUBJECT.findall(notice.text))
    return _news(kind, f"{notice.code}:{subject}", notice.text, notice.at_ms)


def _of_fill(fill: Fill) -> News:
    verb = "bought" if fill.side.sign > 0 else "sold"
    text = f"{verb} {plain(fill.quantity)} {fill.symbol} at {plain(fill.price)} ({fill.purpose.value}, {fill.strategy})"
    return _news(NewsKind.FILL, str(fill.trade_id), text, fill.time_ms)


def _of_verdict(verdict: Verdict, at_ms: int) -> News | None:
    codes = [rule.code for rule in verdict.denials if rule.code is not None]
    if verdict.approved or codes == [DenialCode.NOTHING_TO_REDUCE]:
        return None
    names = ", ".join(code.value for code in codes)
    side = "" if verdict.side is None else f"{verdict.side.value} "
    text = f"refused: {side}{verdict.symbol} ({verdict.strategy}): {names}"
    return _news(NewsKind.REFUSED, f"{verdict.symbol}:{names}", text, at_ms)


class OutboxState(msgspec.Struct, frozen=True, kw_only=True):
    """What of an outbox outlives the process."""

    letters: tuple[Letter, ...] = ()
    dropped: int = 0
    heard: LastHeard | None = None


@attrs.frozen(kw_only=True)
class Parcel:
    """One message to send now; `letters` have left with it once it arrived."""

    text: str
    silent: bool
    letters: tuple[Letter, ...]
    dropped: int


class Outbox:
    """One place's letters. `together_s` is how long news that is not urgent waits for company."""

    def __init__(self, *, together_s: float = 3.0) -> None:
        self._together_s = together_s
        self._letters: list[Letter] = []
        self._last_number = 0
        self._due_at: float | None = None
        self._limit: RateLimit | None = None
        self._limit_of = 0
        self._hold_until = 0.0
        self._failures = 0
        self.dropped = 0
        self.sent_total = 0
        self.failed_total = 0

    def __len__(self) -> int:
        return len(self._letters)

    def hear(self, news: News, settings: NotifySettings, now: float) -> bool:
        """Take it in, unless its kind is off. True when something waits that did not before."""
        if news.kind.value in settings.off:
            return False
        for place, letter in enumerate(self._letters):
            if letter.key == news.key:
                again = msgspec.structs.replace(letter, text=news.text, at_ms=news.at_ms, count=letter.count + 1)
                self._letters[place] = again
                return True
        self._last_number += 1
        silent = news.kind.value in settings.silent
        self._letters.append(
            Letter(
                number=self._last_number,
                kind=news.kind,
                key=news.key,
                text=news.text,
                at_ms=news.at_ms,
                silent=silent,
            )
        )
        if len(self._letters) > LETTERS_KEPT:
            # What shouts is kept longer than what whispers.
            oldest = next((letter for letter in self._letters if letter.silent), self._letters[0])
            self._letters.remove(oldest)
            self.dropped += 1
        due_at = now if news.kind in URGENT else now + self._together_s
        self._due_at = due_at if self._due_at is None else min(self._due_at, due_at)
        return True

    def next_at(self, settings: NotifySettings, now: float) -> float | None:
        """When `take` will have something; None while nothing waits."""
        if not self._letters or self._due_at is None:
            return None
        return max(self._due_at, self._hold_until, now + self._rate(settings).wait_s(now))

    def take(self, settings: NotifySettings, now: float) -> Parcel | None:
        """The next message if it may leave now. It waits here until `sent` says that it arrived."""
        at = self.next_at(settings, now)
        if at is None or at > now:
            return None
        self._rate(settings).take(now)
        lines: list[str] = []
        letters: list[Letter] = []
        silent = True
        if self.dropped:
            lines.append(f"({self.dropped} earlier ones were dropped)")
        size = sum(len(line) + 1 for line in lines)
        for letter in self._letters:
            line = _line(letter)
            if lines and size + len(line) > MESSAGE_LIMIT:
                break
            lines.append(line)
            letters.append(letter)
            silent = silent and letter.silent
            size += len(line) + 1
        return Parcel(text="\n".join(lines), silent=silent, letters=tuple(letters), dropped=self.dropped)

    def sent(self, parcel: Parcel, now: float) -> None:
        told = {letter.number: letter.count for letter in parcel.letters}
        # What was said again meanwhile has not been told.
        self._letters = [
            msgspec.structs.replace(letter, count=letter.count - told.get(letter.number, 0))
            for letter in self._letters
            if letter.count > told.get(letter.number, 0)
        ]
        self.dropped -= parcel.dropped
        self.sent_total += 1
        self._failures = 0
        self._due_at = now if self._letters else None

    def failed(self, now: float, *, retry_after_s: float | None = None, lasting: bool = False) -> float:
        """It did not arrive: when to try again. `lasting` troubles (a wrong token) are tried rarely."""
        self._failures += 1
        self.failed_total += 1
        pause = min(300.0, 2.0 ** min(self._failures, 8)) if not lasting else 600.0
        self._hold_until = now + max(pause, retry_after_s or 0.0)
        return self._hold_until

    def state(self) -> OutboxState:
        return OutboxState(letters=tuple(self._letters), dropped=self.dropped)

    def restore(self, state: OutboxState, now: float) -> None:
        """Letters of the last process, before whatever came since."""
        known = {letter.key for letter in self._letters}
        older = [letter for letter in state.letters if letter.key not in known]
        self._letters = [
            msgspec.structs.replace(letter, number=number)
            for number, letter in enumerate([*older, *self._letters][-LETTERS_KEPT:], 1)
        ]
        self._last_number = len(self._letters)
        self.dropped += state.dropped
        if self._letters:
            self._due_at = now

    def _rate(self, settings: NotifySettings) -> RateLimit:
        if self._limit is None or self._limit_of != settings.messages_per_minute:
            self._limit_of = settings.messages_per_minute
            self._limit = RateLimit.at_most(self._limit_of, 60.0, burst=min(3, max(1, self._limit_of - 1)))
        return self._limit


def _line(letter: Letter) -> str:
    moment = datetime.fromtimestamp(letter.at_ms / 1000, UTC).strftime("%H:%M:%S") if letter.at_ms > 0 else ""
    mark = MARKS.get(letter.kind, "·")
    times = f" (×{letter.count})" if letter.count > 1 else ""
    return f"{mark} {moment} {letter.text}{times}".replace("  ", " ")


def tell_all(news: Iterable[News], boxes: Iterable[Outbox], settings: NotifySettings, now: float) -> bool:
    """Every outbox hears every piece. True when any of them has something new."""
    places = tuple(boxes)
    return any([box.hear(one, settings, now) for one in news for box in places])
