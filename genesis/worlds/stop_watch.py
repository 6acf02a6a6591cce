"""How long positions lie open without a stop, or with two that are the same, and how long the engine is away: measured
by the venue's side.

The venue's wallets and orders are looked at with every change of an account, and while something lies bare a few times
a second whether anybody could place a stop at all. Nothing is asked of the engine (when its books are compared its
journal tells), and no task of its world is woken for it: a look is a call between two steps.
"""

import itertools
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

import attrs
import trio

from genesis.domain.venue import Venue
from genesis.domain.venue_state import EXCHANGE, Order
from genesis.worlds.witness import Witness
from protocols.units import ZERO, Symbol, floor_amount

STOPS: Final = frozenset({"STOP", "STOP LIMIT", "TRAILING STOP"})
BARE_WHEN_COMPARED_S: Final = 75.0
"""No position may lack its stop for longer than this while the engine's books are compared with the venue's and
the venue is open: an answer that does not come, the silence that shows it, and the new session behind that. A
maintenance is none of these: it ends when the venue says so, may be longer than this by itself, and no order may leave
in it."""
BARE_WITH_A_ROUTE_S: Final = 20.0
"""Nor while anybody could place one: a lost frame, a broken login and a hang are each found within seconds, and what is
longer is a disk that takes seconds for each word, several times in a row."""
BARE_WITH_REST_S: Final = 45.0
"""Nor for longer than this while no socket could carry a stop, and REST could: an outage shows first, then sessions
over REST take turns with dials, each of which has its own patience with a venue that says nothing."""
CLOSED_WITH_REST_S: Final = 45.0
"""Nor may what a person wants flat be held for longer than this while no socket could carry a close, and REST could:
the same, and the cancel of the stop before it."""
TWINS_WITH_A_ROUTE_S: Final = 20.0
"""So long may two stops of one lot stand beside each other that are the same and more than is held, while anybody could
cancel one: together they sell what is another's."""
ROUTE_LOOK_S: Final = 0.25


@attrs.define
class _Span:
    since: float
    by_opening: bool
    compared_s: float = 0.0
    """Seconds of it in which the engine's orders might leave: its books were compared, and the venue was open."""
    routed_s: float = 0.0
    """Seconds of it in which a route to the venue stood."""
    rest_alone_s: float = 0.0
    """Seconds of it in which none stood, and REST could have placed a stop."""


class StopWatch:
    """One per world. `owner` tells by client id for whose lot an order of ours stands (None: it is not ours).

    `naked_s`, `compared_s` and `routed_s` are of the same spans: each, the part in which the engine's books are
    compared and the venue is open, and the part in which `route` says that a stop could be placed. What is no part of
    that is `cut_off_s`: nobody could have placed one.

    What rests for sale at a person's wish holds its coins back, and the venue takes no stop for them: `is_persons`
    tells by client id whose order it is. No other resting sale stands for a stop. `spare` of each coin was there before
    anybody traded: it needs no stop.
    """

    def __init__(
        self,
        venue: Venue,
        witness: Witness,
        is_persons: Callable[[int], bool],
        *,
        account: str = "sim",
        spare: Decimal = ZERO,
        owner: Callable[[int], object] = lambda cid: None,
    ) -> None:
        self._venue = venue
        self.spare = spare
        self._is_persons = is_persons
        self._owner = owner
        self._witness = witness
        self._account = account
        self._spans: dict[Symbol, _Span] = {}
        self._twins: dict[tuple[object, ...], _Span] = {}
        self._closes: dict[Symbol, _Span] = {}
        """What a person wants flat, and is held."""
        self._wanted_flat: frozenset[Symbol] = frozenset()
        self._held = dict.fromkeys(venue.specs, ZERO)
        self._traded: dict[Symbol, Decimal] = {}
        """What all trades of the exchange wallet leave of each coin, never less than nothing behind a person's sale."""
        self._sold: dict[Symbol, Decimal] = {}
        self._last_trade = 0
        self._looked_at = 0.0
        self._away_since: float | None = None
        self._compared = False
        self.route: Callable[[], bool] = lambda: True
        self.is_open: Callable[[], bool] = lambda: True
        """Whether the venue takes orders, or is in maintenance."""
        self.rest: Callable[[], bool] = lambda: False
        """Whether REST could place a stop."""
        self.close_in_doubt: Callable[[Symbol], bool] = lambda symbol: False
        """Whether, by the journal, an order that closes may have left and nobody knows what became of it."""
        self.at: Callable[[float, Callable[[], None]], None] = lambda when, action: None
        """Has something done at a time, between two steps."""
        self._routed = False
        self._open = True
        self._rests = False
        self._looks = False
        self.naked_s: list[float] = []
        self.compared_s: list[float] = []
        self.routed_s: list[float] = []
        self.cut_off_s: list[float] = []
        self.rest_alone_s: list[float] = []
        self.closed_s: list[float] = []
        """Of a wish to flatten the seconds in which REST alone could have carried it."""
        self.recovery_s: list[float] = []
        self.openings = 0

    def look(self) -> None:
        """Something of the account may have changed."""
        now = self._pass()
        self._note_trades()
        account = self._venue.accounts[self._account]
        for symbol, spec in self._venue.specs.items():
            wallet = account.wallets.get(f"{EXCHANGE} {spec.base}")
            held = floor_amount(max(wallet.balance - self.spare_of(symbol), ZERO)) if wallet is not None else ZERO
            grew, self._held[symbol] = held > self._held[symbol], held
            resting = [order for order in account.orders.values() if order.symbol == symbol]
            bare = held - sum(map(self._covers, resting), ZERO)
            self.openings += grew and held >= spec.minimum
            if bare >= spec.minimum:
                self._begin(symbol, now, grew)
            elif (span := self._spans.pop(symbol, None)) is not None:
                self._end(symbol, span, now)
            self._look_for_twins(symbol, [order for order in resting if order.kind in STOPS], held, now)
            leaving = sum([order.remaining for order in resting if order.kind == "MARKET" and order.sign < 0], ZERO)
            self._look_for_closes(symbol, held - leaving >= spec.minimum, now)
        self._recovered(now)

    def wants_flat(self, symbols: frozenset[Symbol]) -> None:
        """What a person wants flat from now on, by the journal."""
        self._wanted_flat = symbols
        self.look()

    def _look_for_closes(self, symbol: Symbol, is_held: bool, now: float) -> None:
        if symbol in self._wanted_flat and is_held:
            self._span_of(self._closes, symbol, now, False)
        elif (span := self._closes.pop(symbol, None)) is not None:
            self._end_of_close(symbol, span, now)

    def _end_of_close(self, symbol: Symbol, span: _Span, now: float) -> None:
        alone_s = span.rest_alone_s
        if alone_s > ROUTE_LOOK_S:
            self.closed_s.append(alone_s)
            self._witness.reached("a flatten was wished where REST alone could carry it")
        self._witness.note("stop", f"{symbol} was closed after {now - span.since:.3f} s, of REST alone {alone_s:.3f} s")
        text = f"{symbol} must be flat within {CLOSED_WITH_REST_S:g} s of REST alone, took {alone_s:.1f} s"
        self._witness.check("M18", alone_s <= CLOSED_WITH_REST_S, text)

    def spare_of(self, symbol: Symbol) -> Decimal:
        """The coins that were there before, less what people have sold of them by hand."""
        return self.spare - self._sold.get(symbol, ZERO)

    def _note_trades(self) -> None:
        trades = self._venue.history(self._account).trades
        if not trades or trades[-1].trade_id <= self._last_trade:
            return
        news = list(itertools.takewhile(lambda trade: trade.trade_id > self._last_trade, reversed(trades)))
        self._last_trade = trades[-1].trade_id
        for trade in reversed(news):
            if not trade.wire_type.startswith("EXCHANGE "):
                continue
            fee = (trade.fee or ZERO) if trade.fee_currency == self._venue.specs[trade.symbol].base else ZERO
            left = self._traded.get(trade.symbol, ZERO) + trade.amount + fee
            if left < 0 and trade.amount < 0 and self._is_persons(trade.cid or 0):
                self._sold[trade.symbol] = self._sold.get(trade.symbol, ZERO) - left
                left = ZERO
            self._traded[trade.symbol] = left

    def starts(self) -> None:
        """A process of the engine begins where another one has ended."""
        self.compared(False)
        if self._away_since is None:
            self._away_since = trio.current_time()

    def compared(self, now_so: bool) -> None:
        """Whether the engine's books are compared with the venue's: only then may its orders leave."""
        now = self._pass()
        self._compared = now_so
        self._recovered(now)

    def bare(self) -> list[Symbol]:
        """What lies without its stop now."""
        return list(self._spans)

    def finish(self) -> None:
        """The world is over. What lies bare now has been bare until now."""
        now = self._pass()
        for symbol, span in self._spans.items():
            self._end(symbol, span, now)
        self._spans.clear()
        for twins, span in self._twins.items():
            self._end_of_twins(twins, span, now)
        self._twins.clear()
        for symbol, span in self._closes.items():
            self._end_of_close(symbol, span, now)
        self._closes.clear()

    def _look_for_twins(self, symbol: Symbol, stops: list[Order], held: Decimal, now: float) -> None:
        """What a stop is cut into may be the same several times, and is no more than what is held."""
        more = sum([order.remaining for order in stops], ZERO) > held
        found: dict[tuple[object, ...], int] = {}
        for order in stops if more and len(stops) > 1 else ():
            owner = self._owner(order.cid)
            what: tuple[object, ...] = (
                symbol,
                owner,
                order.wire_type,
                order.sign,
                order.remaining,
                order.price,
                order.trailing_distance,
            )
            found[what] = found.get(what, 0) + (owner is not None)
        twins = {what for what, count in found.items() if count > 1}
        for what in twins:
            self._witness.reached("two stops of one lot were the same", what not in self._twins)
            self._span_of(self._twins, what, now, False)
        for what in [what for what in self._twins if what[0] == symbol and what not in twins]:
            self._end_of_twins(what, self._twins.pop(what), now)

    def _end_of_twins(self, twins: tuple[object, ...], span: _Span, now: float) -> None:
        text = (
            f"of two equal stops of {twins[0]} one must go within {TWINS_WITH_A_ROUTE_S:g} s of a route, both stood for"
        )
        self._witness.note(
            "stop", f"{twins[0]} had two equal stops for {now - span.since:.3f} s, {span.routed_s:.3f} routed"
        )
        self._witness.check("M17", span.routed_s <= TWINS_WITH_A_ROUTE_S, f"{text} {span.routed_s:.1f} s")

    def _covers(self, order: Order) -> Decimal:
        """How many coins this order keeps from lying bare: a stop, a sale on its way, or a person's own sale."""
        if order.sign > 0 or order.is_margin:
            return ZERO
        if order.kind in STOPS or order.kind == "MARKET":
            return order.remaining
        # The other half of an OCO is a stop, and has been counted.
        return order.remaining if order.peer_id is None and self._is_persons(order.cid) else ZERO

    def _begin(self, symbol: Symbol, now: float, grew: bool) -> None:
        self._span_of(self._spans, symbol, now, grew)

    def _span_of(self, spans: dict[Any, _Span], name: object, now: float, grew: bool) -> None:
        if name not in spans:
            if not self._measures:
                self._routed, self._open, self._rests = self.route(), self.is_open(), self.rest()
            spans[name] = _Span(now, grew)
            self._look_again()

    def _look_again(self) -> None:
        if not self._looks:
            self._looks = True
            self.at(trio.current_time() + ROUTE_LOOK_S, self._look_at_route)

    def _look_at_route(self) -> None:
        self._looks = False
        self._pass()
        if self._measures:
            self._look_again()

    @property
    def _measures(self) -> bool:
        return bool(self._spans or self._twins or self._closes)

    def _pass(self) -> float:
        """Time since the last look was spent as the engine was then; with a route if one stood then and stands now, and
        with the venue closed if it was closed then and is now."""
        now = trio.current_time()
        if not self._measures:
            self._looked_at = now
            return now
        stood, self._routed = self._routed, self.route()
        was_open, self._open = self._open, self.is_open()
        rested, self._rests = self._rests, self.rest()
        # Nobody sends another close beside one of which nobody knows.
        doubted = [span for symbol, span in self._closes.items() if self.close_in_doubt(symbol)]
        for span in (*self._spans.values(), *self._twins.values(), *self._closes.values()):
            seconds = now - max(self._looked_at, span.since)
            span.compared_s += seconds * (self._compared and (was_open or self._open))
            span.routed_s += seconds * (stood and self._routed)
            alone = rested and self._rests and not stood and not self._routed
            span.rest_alone_s += seconds * (alone and span not in doubted)
        self._looked_at = now
        return now

    def _end(self, symbol: Symbol, span: _Span, now: float) -> None:
        self.naked_s.append(now - span.since)
        self.compared_s.append(span.compared_s)
        self.routed_s.append(span.routed_s)
        cut_off_s = now - span.since - span.routed_s
        if cut_off_s > ROUTE_LOOK_S:
            self.cut_off_s.append(cut_off_s)
        if span.rest_alone_s > ROUTE_LOOK_S:
            self.rest_alone_s.append(span.rest_alone_s)
        text = f"{symbol} was bare for {now - span.since:.3f} s, compared {span.compared_s:.3f} s"
        self._witness.note("stop", f"{text}, with a route {span.routed_s:.3f} s, REST {span.rest_alone_s:.3f} s")
        self._witness.reached("an opened position waited for its stop", span.by_opening)
        self._witness.reached("a stop was gone and came back", not span.by_opening)
        text = f"{symbol} must have its stop within {BARE_WHEN_COMPARED_S:g} s, lay bare for {span.compared_s:.1f} s"
        self._witness.check("M16", span.compared_s <= BARE_WHEN_COMPARED_S, text)
        text = f"{symbol} must have its stop within {BARE_WITH_A_ROUTE_S:g} s of a route, had none for"
        self._witness.check("M16", span.routed_s <= BARE_WITH_A_ROUTE_S, f"{text} {span.routed_s:.1f} s")
        text = f"{symbol} must have its stop within {BARE_WITH_REST_S:g} s of REST alone, had none for"
        self._witness.check("M16", span.rest_alone_s <= BARE_WITH_REST_S, f"{text} {span.rest_alone_s:.1f} s")

    def _recovered(self, now: float) -> None:
        if self._away_since is not None and self._compared and not self._spans:
            self.recovery_s.append(now - self._away_since)
            self._away_since = None
