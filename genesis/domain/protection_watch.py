"""The watch over stops: does every position have its stop at the venue, exactly once and of its size, and since when.

It reads what two others say - the account, which makes positions of fills, and the orders as the venue tells them - and
shares no thought with the machine that places stops: whoever forgets a stop would forget to look for it, too.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Final

import attrs

from genesis.domain.pairs import PairSpecs
from protocols.account import AccountView
from protocols.orders import OrderState, OrderType, OrderView, Purpose
from protocols.risk import PositionView
from protocols.trading import Protection, ProtectionStatus
from protocols.units import ZERO, Side, Symbol, amount_blur, floor_amount, round_price

SPANS_KEPT: Final = 2000
REPAIR_AGAIN_S: Final = 1.0
"""The shortest time between two wishes about one position: the first one's orders are on their way."""
REPAIR_CAP_S: Final = 30.0
"""A wish that changed nothing is said again after twice the time, at most after this: each has history asked."""
HELD_BACK_CAP_S: Final = 600.0
"""The same where nothing is missing but what a resting sale holds back: the venue takes no stop for these coins, for as
long as it rests, whatever is asked."""
PATIENCE: Final = 0.4
"""After this part of the time allowed somebody else is asked to repair, so that the rest is left for the repair."""
STOP_TYPES: Final = frozenset({OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP})
AT_VENUE: Final = frozenset({OrderState.ACKED, OrderState.PARTIAL, OrderState.PENDING_UPDATE})


@attrs.frozen(kw_only=True)
class Repair:
    """A position that should be looked at now. `stop_price` is where a stop belongs when nobody said better."""

    symbol: Symbol
    stop_price: Decimal | None
    reason: str


@attrs.frozen(kw_only=True)
class Looked:
    """What one look found: the figures for readers, who should be repaired, and what people should hear."""

    status: ProtectionStatus
    repairs: tuple[Repair, ...]
    alarms: tuple[str, ...]


@attrs.define
class _Span:
    since: float
    asked_at: float | None = None
    told: bool = False
    pause_s: float = 0.0
    asked_of: tuple[Decimal, Decimal, int] | None = None
    held_back_pause_s: float = 0.0

    def asks(self, now: float, found: "_Found", first_pause_s: float) -> bool:
        """Whether it is time for a wish; what is there, and how much of it is stopped, may be other than last time."""
        if found.is_held_back:
            # What trades beside the resting sale changes nothing about it.
            if self.asked_at is not None and now - self.asked_at < self.held_back_pause_s:
                return False
            self.held_back_pause_s = min(2 * self.held_back_pause_s or first_pause_s, HELD_BACK_CAP_S)
            self.asked_at, self.asked_of = now, None
            return True
        facts = (found.wanted, found.stopped, found.stops)
        if self.asked_at is None or facts != self.asked_of:
            self.pause_s = first_pause_s
        if self.asked_at is not None and now - self.asked_at < self.pause_s:
            return False
        if self.asked_at is not None and facts == self.asked_of:
            self.pause_s = min(2 * self.pause_s, max(REPAIR_CAP_S, first_pause_s))
        self.asked_at, self.asked_of = now, facts
        return True


def held_in(account: AccountView | None) -> list[tuple[Symbol, Decimal]] | None:
    """What of an account the watch looks at, but for prices."""
    return None if account is None else [(each.symbol, each.quantity) for each in account.state.positions]


class ProtectionWatch:
    """Remembers since when each position lacks its stop. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._naked: dict[Symbol, _Span] = {}
        self._doubled: dict[Symbol, _Span] = {}
        self._waiting: dict[Symbol, _Span] = {}
        """Positions that nothing but an exit covers that has not left yet."""
        self._spans: deque[float] = deque(maxlen=SPANS_KEPT)
        self.spans_total = 0
        self.repairs_total = 0
        self.doubled_total = 0
        self.worst_s = 0.0

    def look(
        self,
        now: float,
        *,
        positions: Iterable[PositionView],
        orders: Iterable[OrderView],
        pairs: PairSpecs,
        stop_fraction: Decimal,
        within_s: float,
    ) -> Looked:
        """Compare, and say what is wrong. With a `stop_fraction` of 0 a position may do without a stop."""
        open_orders = tuple(orders)
        views: list[Protection] = []
        repairs: list[Repair] = []
        alarms: list[str] = []
        held: dict[Symbol, PositionView] = {}
        for position in positions:
            held[position.symbol] = position
            found = _look_at(position, open_orders, pairs)
            naked = found.wanted - found.stopped > amount_blur(found.wanted) and stop_fraction > 0
            naked_s = self._follow(self._naked, position.symbol, naked, now)
            doubled = found.stopped - found.held > amount_blur(found.held)
            doubled_s = self._follow(self._doubled, position.symbol, doubled, now)
            waits = not naked and stop_fraction > 0 and found.waits
            waits_s = self._follow(self._waiting, position.symbol, waits, now)
            if found.wanted == ZERO and found.stopped == ZERO and waits_s is None:
                continue
            fault = _fault(naked, found, doubled_s) or ("waits" if waits_s is not None else "")
            views.append(
                Protection(
                    symbol=position.symbol,
                    margin=found.margin,
                    held=position.quantity,
                    stopped=found.stopped,
                    fault=fault,
                    naked_s=naked_s or waits_s or 0.0,
                )
            )
            if waits_s is not None and waits_s >= within_s and not self._waiting[position.symbol].told:
                # Nothing to repair: whoever sent it looks after it. That nothing covers the position meanwhile is told.
                self._waiting[position.symbol].told = True
                alarms.append(
                    f"{position.symbol}: {found.waiting} waits to be closed by an exit that has not left yet, "
                    f"{found.stopped} stopped, for {waits_s:.1f} s (waits)"
                )
            for spans, seconds in ((self._naked, naked_s), (self._doubled, doubled_s)):
                if seconds is None:
                    continue
                span = spans[position.symbol]
                reason = (
                    f"{position.symbol}: {found.stopped} of {found.wanted} stopped by {found.stops} orders "
                    f"for {seconds:.1f} s ({fault})"
                )
                first_pause_s = max(REPAIR_AGAIN_S, within_s * PATIENCE)
                if seconds >= within_s * PATIENCE and span.asks(now, found, first_pause_s):
                    self.repairs_total += 1
                    stop_price = _stop_price(position, stop_fraction)
                    repairs.append(Repair(symbol=position.symbol, stop_price=stop_price, reason=reason))
                if seconds >= within_s and not span.told:
                    span.told = True
                    alarms.append(reason)
        for symbol in [symbol for symbol in self._naked if not _is_held(held.get(symbol))]:
            self._end(self._naked.pop(symbol), now)
        for spans in (self._doubled, self._waiting):
            for symbol in [symbol for symbol in spans if not _is_held(held.get(symbol))]:
                del spans[symbol]
        return Looked(status=self._status(views, within_s), repairs=tuple(repairs), alarms=tuple(alarms))

    def _follow(self, spans: dict[Symbol, _Span], symbol: Symbol, wrong: bool, now: float) -> float | None:
        """Begin, continue or end a span; gives its seconds so far while it lasts."""
        if wrong:
            span = spans.get(symbol)
            if span is None:
                if spans is self._doubled:
                    self.doubled_total += 1
                span = spans[symbol] = _Span(now)
            return now - span.since
        if symbol in spans:
            span = spans.pop(symbol)
            if spans is self._naked:
                self._end(span, now)
        return None

    def _end(self, span: _Span, now: float) -> None:
        self._spans.append(now - span.since)
        self.spans_total += 1
        self.worst_s = max(self.worst_s, now - span.since)

    def _status(self, views: list[Protection], within_s: float) -> ProtectionStatus:
        current = max((view.naked_s for view in views if view.fault != "waits"), default=0.0)
        return ProtectionStatus(
            positions=tuple(views),
            protected=sum(view.fault == "" for view in views),
            naked=sum(view.fault in ("missing", "short") for view in views),
            spans_total=self.spans_total,
            repairs_total=self.repairs_total,
            doubled_total=self.doubled_total,
            naked_p99_s=percentile(self._spans, 0.99),
            worst_naked_s=max(self.worst_s, current),
            within_s=within_s,
        )


@attrs.frozen(kw_only=True)
class _Found:
    held: Decimal
    wanted: Decimal
    stopped: Decimal
    stops: int
    margin: bool
    waiting: Decimal
    """What exits will close that have not left yet: for coins that a stop holds, or for the venue."""
    reserved: Decimal
    """What rests for sale, and is no stop, holds back of the coins."""

    @property
    def waits(self) -> bool:
        """Whether an exit that has not left is all that covers a part of what is held."""
        return self.waiting > ZERO and self.wanted + self.waiting - self.stopped > amount_blur(self.held)

    @property
    def is_held_back(self) -> bool:
        """Whether what lacks a stop is no more than what a resting sale keeps the venue from taking one for."""
        lacking = self.wanted - self.stopped
        return ZERO < lacking <= self.reserved + amount_blur(self.wanted)


def _look_at(position: PositionView, orders: tuple[OrderView, ...], pairs: Mapping[Symbol, object]) -> _Found:
    """What is held, how much of it should be stopped, and how much is."""
    closing = Side.SELL if position.quantity > 0 else Side.BUY
    against = [order for order in orders if order.symbol == position.symbol and order.side is closing]
    # What the venue says it executed is gone, though the account hears of it with its trades.
    gone = sum((order.by_word for order in against if not order.foreign), ZERO)
    held = floor_amount(max(abs(position.quantity) - gone, ZERO))
    stops = [order for order in against if _is_stop(order)]
    # What an order on its way sells needs no stop any more; what a limit order may sell one day does.
    exits = [order for order in against if order.order_type is OrderType.MARKET and not order.foreign]
    left = sum((order.leaves_quantity for order in exits if order.state is not OrderState.INTENT), ZERO)
    leaving = sum((order.leaves_quantity for order in exits), ZERO)
    wanted = max(held - leaving, ZERO)
    pair = pairs.get(position.symbol)
    minimum = getattr(pair, "minimum", ZERO)
    return _Found(
        held=held,
        wanted=wanted if wanted >= minimum else ZERO,
        stopped=sum((order.leaves_quantity for order in stops), ZERO),
        stops=len(stops),
        margin=any(order.margin for order in against),
        waiting=max(held - left, ZERO) - wanted,
        reserved=sum((order.leaves_quantity for order in against if _holds_back(order)), ZERO),
    )


def _is_stop(order: OrderView) -> bool:
    if order.foreign or order.state not in AT_VENUE:
        return False
    if order.order_type in STOP_TYPES:
        return True
    # The limit half of an OCO, while its stop half lives.
    return order.purpose is Purpose.STOP and order.stop_price is not None


def _holds_back(order: OrderView) -> bool:
    """Whether it rests for a sale of coins. On margin nothing is held back for what rests."""
    rests = order.state in AT_VENUE and order.order_type is not OrderType.MARKET
    return rests and not order.margin and not _is_stop(order)


def _fault(naked: bool, found: _Found, doubled_s: float | None) -> str:
    if naked:
        return "missing" if found.stopped == ZERO else "short"
    return "doubled" if doubled_s is not None else ""


def _is_held(position: PositionView | None) -> bool:
    return position is not None and floor_amount(abs(position.quantity)) > 0


def _stop_price(position: PositionView, fraction: Decimal) -> Decimal | None:
    away = fraction if position.quantity > 0 else -fraction
    price = position.average_price * (1 - away)
    return round_price(price) if price > 0 and fraction > 0 else None


def percentile(values: Iterable[float], share: float) -> float:
    """The value that `share` of them do not exceed; 0 of nothing."""
    ranked = sorted(values)
    return ranked[min(int(len(ranked) * share), len(ranked) - 1)] if ranked else 0.0
