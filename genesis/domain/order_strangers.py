"""Orders on the account that this engine did not place: by hand in the venue's own app, or with another key of it.

They are shown and left alone, and a person is told of each once, because nobody may know of it: a key may be stolen.
Of many in a row the first few are told one by one, and the others by a line a minute with their number: two hundred
lines would bury, and at a messenger's pace keep back for a quarter of an hour, whatever else has to be said.
What was there before the engine first looked at the account is no news.
"""

import math
from collections import Counter
from typing import Final

from genesis.domain.order_questions import OrderQuestions
from genesis.domain.order_rows import StrangerRow, foreign_view
from genesis.domain.order_wire import ending_of, side_of
from protocols.orders import OrderUpdate, VenueOrder, VenueTrade
from protocols.units import Symbol, plain

WHO = "not of this engine: by hand, or with another key of the account"
FORGOTTEN = (
    "with this engine's group, and its journal does not know it: forgotten with a backup that was restored, or placed "
    "by an engine of another directory with the same orders.group_id. Nobody looks after it, nor sells what it bought"
)
TOLD_EACH: Final = 5
"""Orders and trades of others that are told one by one in a minute."""
FOLD_S: Final = 60.0
NAMED: Final = 3
"""Symbols that a line about many names."""


class OrderStrangers(OrderQuestions):
    """`fence.watched_ms` is the venue's time of the first comparison with this journal: what is younger is news.

    Whoever was told of stands in a cell, so that no restart tells it again, until no history can show it any more.
    """

    def _on_foreign_order(self, order: VenueOrder) -> None:
        self._notice_order(order)
        ending = ending_of(order)
        if ending is not None and order.venue_id not in self.foreign:
            return
        view = foreign_view(order, ending)
        if self.foreign.get(order.venue_id) == view:
            return
        if ending is None:
            self.foreign[order.venue_id] = view
        else:
            del self.foreign[order.venue_id]
        self._out.said.append(OrderUpdate(order=view))

    def _watch_from_here(self) -> None:
        """The account has been compared with this journal for the first time: what it shows was there before."""
        if self.fence.watched_ms is None:
            self.fence.watched_ms = self.fence.venue_ms
            self._fence_changed = True

    def _notice_order(self, order: VenueOrder) -> None:
        if not self._is_news(order.venue_id, order.created_ms, order.updated_ms):
            return
        ending = ending_of(order)
        price = f" at {plain(order.price)}" if order.price else ""
        ends = "" if ending is None else f", {ending.value}"
        what = _in_words(order.symbol, order.venue_id, f"{side_of(order.original).value} {plain(abs(order.original))}")
        who = FORGOTTEN if order.group_id == self.settings.group_id else WHO
        self._tell_stranger("foreign_order", f"{what}{price} ({order.wire_type}{ends}), {who}", order.symbol)

    def _notice_trade(self, trade: VenueTrade) -> None:
        """A trade whose order has not been shown, and cannot be one of ours."""
        if not self._is_news(trade.venue_order_id, trade.time_ms, trade.time_ms):
            return
        verb = "bought" if trade.amount > 0 else "sold"
        what = _in_words(trade.symbol, trade.venue_order_id, f"{verb} {plain(abs(trade.amount))}")
        self._tell_stranger("foreign_trade", f"{what} at {plain(trade.price)}, {WHO}", trade.symbol)

    def _tell_stranger(self, code: str, text: str, symbol: Symbol) -> None:
        """Tell it, or count it where this minute has had its share. A crash of the actor forgets that count alone."""
        if self._now >= self._strangers_until:
            self._tell_folded()
            self._strangers_until, self._strangers_told = self._now + FOLD_S, 0
        self._strangers_told += 1
        if self._strangers_told <= TOLD_EACH:
            self._out.warnings.append((code, text))
            return
        self._folded[symbol] += 1
        self._newest_folded = (code, text)

    def _tell_folded(self) -> None:
        """One line for all that were only counted, when their minute is over."""
        if not self._folded or self._now < self._strangers_until:
            return
        code, newest = self._newest_folded
        named = [f"{symbol} {count}" for symbol, count in self._folded.most_common(NAMED)]
        others = len(self._folded) - len(named)
        where = ", ".join([*named, f"{others} other symbols"] if others else named)
        count = self._folded.total()
        self._folded = Counter()
        self._out.warnings.append(
            (code, f"{count} more on the account in {FOLD_S:.0f} s ({where}); the newest: {newest}")
        )

    def _strangers_deadline(self) -> float:
        return self._strangers_until if self._folded else math.inf

    def _is_news(self, venue_id: int, began_ms: int, at_ms: int) -> bool:
        """Whether nobody was told of that order; from now on somebody is."""
        watched_ms, told = self.fence.watched_ms, self.strangers.get(venue_id)
        if watched_ms is None or (told is None and began_ms <= watched_ms):
            return False
        if told is None or told.heard_ms < at_ms:
            row = self.strangers[venue_id] = StrangerRow(venue_id=venue_id, heard_ms=at_ms)
            self._dirty[row.key] = row
        return told is None

    def _forget_strangers(self, before_ms: int) -> None:
        """Let go of those that are neither open nor in any history that will be asked for."""
        for row in list(self.strangers.values()):
            if row.heard_ms < before_ms and row.venue_id not in self.foreign:
                del self.strangers[row.venue_id]
                self._dirty[row.key] = None


def _in_words(symbol: Symbol, venue_id: int, what: str) -> str:
    return f"order {venue_id} at the venue: {what} {symbol}"
