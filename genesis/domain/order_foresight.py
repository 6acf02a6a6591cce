"""Foreseeing: what an exit would do is looked at while nothing happens, before it comes.

Whether an exit may sell all of its strategy's coins, and which stops' places it takes for that, is most of what an
order has to be asked, and hangs on nothing that comes with it but its quantity. So it is asked after each turn, of an
exit that has not come. Should one come before anything else is heard, it is that one; otherwise it is asked anew.
Nothing of this is kept: whoever replays the journal asks each exit when it comes, and finds the same.
"""

from collections.abc import Sequence
from decimal import Decimal

from typing_extensions import override

from genesis.domain.order_exits import OrderExits
from genesis.domain.order_ledger import NOTHING_FORESEEN, Foreseen
from genesis.domain.order_lots import REST
from genesis.domain.order_rows import BracketRow, OrderRow
from genesis.domain.pairs import PairSpecs
from protocols.orders import OrderIntent, OrderState, OrderType, Purpose
from protocols.units import ZERO, Side


class OrderForesight(OrderExits):
    """Only what is plain is foreseen: an exit at market of all that a strategy has in an exchange book, where nothing
    of ours is under way but stops."""

    _foreseen_by: PairSpecs | None = None

    def foresee(self) -> None:
        """Look ahead. Call it when everything heard so far has been taken, and nothing waits to be heard."""
        foreseen: Foreseen = {}
        if self.fence.ready and not self._out.must_be_kept:
            for bracket in self.brackets.values():
                if not bracket.margin and bracket.lot != REST and bracket.quantity:
                    self._foresee_exit(bracket, foreseen)
        self._foreseen, self._foreseen_by = foreseen, self.pairs

    def _foresee_exit(self, bracket: BracketRow, foreseen: Foreseen) -> None:
        symbol, strategy = bracket.symbol, bracket.strategy
        if any([row.intent.symbol == symbol and not row.protects for row in self._open.values()]):
            return
        exit_row = _exit_of(bracket, self.last_cid + 1, self._now)
        if self._flattening(bracket.book):
            return
        shares = self._shares(bracket.book)
        quantity = self._its_own(exit_row, shares)
        free = self._free_for(exit_row, shares)
        if quantity == ZERO or (free is not None and free < quantity):
            return
        exit_row.quantity = quantity
        # As if it were here: who looks at all that sells looks at it, too.
        self._open[exit_row.cid] = exit_row
        try:
            places = self._places_needed(exit_row)
        finally:
            del self._open[exit_row.cid]
        if places is not None:
            foreseen[symbol, strategy] = quantity, tuple(places)

    @override
    def _foreseen_places(self, row: OrderRow) -> Sequence[OrderRow] | None:
        foreseen, self._foreseen = self._foreseen, NOTHING_FORESEEN
        intent = row.intent
        if intent.purpose is not Purpose.EXIT or intent.order_type is not OrderType.MARKET or intent.margin:
            return None
        if intent.side is not Side.SELL or self._foreseen_by is not self.pairs:
            return None
        name = intent.symbol, intent.strategy
        quantity, places = foreseen.get(name, (None, ()))
        if quantity != row.quantity:
            return None
        self._held_from.discard(name)
        return places


def _exit_of(bracket: BracketRow, cid: int, now: float) -> OrderRow:
    """An exit as it would come next, of one unit as long as nobody has asked how much it sells."""
    intent = OrderIntent(
        intent_id="",
        strategy=bracket.strategy,
        symbol=bracket.symbol,
        side=Side.SELL,
        quantity=Decimal(1),
        order_type=OrderType.MARKET,
        purpose=Purpose.EXIT,
        decided_ms=bracket.decided_ms,
        correlation_id="",
    )
    return OrderRow(
        intent=intent,
        cid=cid,
        cid_date="",
        group_id=0,
        flags=0,
        state=OrderState.INTENT,
        reason="",
        quantity=intent.quantity,
        price=None,
        created_ms=0,
        updated_ms=0,
        since_at=now,
    )
