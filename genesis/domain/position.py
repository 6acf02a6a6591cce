"""One symbol's position from our own fills: quantity, average cost, profit, and the trades it was made of."""

from decimal import Decimal

import attrs
import msgspec

from protocols.account import ClosedTrade
from protocols.orders import Fill
from protocols.units import AMOUNT_STEP, ZERO, Side, Symbol, crumb_of

OPENING_KEY = "opening:"


class OpenTrade(msgspec.Struct, kw_only=True):
    """A trade from its first fill on, until the position is flat."""

    side: Side
    strategy: str
    entry_ms: int
    correlation_id: str
    realized_before: Decimal
    fees_before: Decimal
    entered: Decimal = ZERO
    entry_notional: Decimal = ZERO
    exited: Decimal = ZERO
    exit_notional: Decimal = ZERO


@attrs.define(kw_only=True)
class Position:
    """`quantity` is signed base, `cost` what that quantity was bought (or, below zero, sold) for in quote.

    A fee taken in base makes the quantity smaller and leaves the cost, so it raises the average price; a fee in quote
    (or in a third currency, at its price of then) is realized at once. Either way, realized and unrealized together are
    what the account gained.
    """

    symbol: Symbol
    quantity: Decimal = ZERO
    cost: Decimal = ZERO
    realized_pnl: Decimal = ZERO
    fees_quote: Decimal = ZERO
    _trade: OpenTrade | None = None

    @property
    def open_trade(self) -> OpenTrade | None:
        """The trade under way."""
        return self._trade

    @property
    def average_price(self) -> Decimal:
        return abs(self.cost / self.quantity) if self.quantity else ZERO

    def unrealized_pnl(self, mark: Decimal) -> Decimal:
        return self.quantity * mark - self.cost

    def on_fill(self, fill: Fill) -> ClosedTrade | None:
        """Take one fill in; the trade that it finished, if it did. `fee` is negative when paid, as on the wire."""
        ours = fill.in_positions
        if ours is None:
            return None
        fill = ours
        fee_base, fee_quote = fill.fee_in_base, fill.fee_beside
        signed = fill.side.sign * fill.quantity
        finished: ClosedTrade | None = None
        opens = signed
        if self.quantity * signed < 0:
            closes = -self.quantity if abs(signed) > abs(self.quantity) else signed
            opens = signed - closes
            released = self.cost * (-closes / self.quantity)
            self.realized_pnl += -closes * fill.price - released
            self.cost -= released
            self.quantity += closes
            if self._trade is not None:
                self._trade.exited += abs(closes)
                self._trade.exit_notional += abs(closes) * fill.price
        self.realized_pnl += fee_quote
        self.fees_quote -= fee_quote + fee_base * fill.price
        if opens:
            if self.quantity == 0 or self._trade is None:
                # The fill turned the position over: what it closed is a trade of its own.
                finished = self._finish(fill)
                self._trade = self._begin(fill, fee_base, fee_quote)
            self._trade.entered += abs(opens)
            self._trade.entry_notional += abs(opens) * fill.price
            self.cost += opens * fill.price
            self.quantity += opens
        self.quantity += fee_base
        entered = ZERO if self._trade is None else self._trade.entered
        if abs(self.quantity) < max(AMOUNT_STEP, crumb_of(entered)):
            self.realized_pnl -= self.cost
            self.quantity = self.cost = ZERO
            finished = self._finish(fill) or finished
        return finished

    def give(self, heir: "Position", quantity: Decimal) -> None:
        """Hand so much of what is held over at what it cost, its fees included; what was realized stays here."""
        cost = self.cost * (quantity / self.quantity) if self.quantity else ZERO
        self.quantity, self.cost = self.quantity - quantity, self.cost - cost
        heir.quantity, heir.cost = heir.quantity + quantity, heir.cost + cost
        if not self.quantity:
            # Dust of the division: nothing is held any more that it could be of.
            heir.cost, self.cost = heir.cost + self.cost, ZERO

    def _begin(self, fill: Fill, fee_base: Decimal, fee_quote: Decimal) -> OpenTrade:
        return OpenTrade(
            side=fill.side,
            strategy=fill.strategy,
            entry_ms=fill.time_ms,
            correlation_id=fill.correlation_id,
            realized_before=self.realized_pnl - fee_quote,
            fees_before=self.fees_quote + fee_quote + fee_base * fill.price,
        )

    def _finish(self, fill: Fill) -> ClosedTrade | None:
        trade, self._trade = self._trade, None
        if trade is None or not trade.entered:
            return None
        return ClosedTrade(
            symbol=self.symbol,
            strategy=trade.strategy,
            side=trade.side,
            quantity=trade.entered,
            entry_price=trade.entry_notional / trade.entered,
            exit_price=trade.exit_notional / trade.exited if trade.exited else ZERO,
            entry_ms=trade.entry_ms,
            exit_ms=fill.time_ms,
            pnl=self.realized_pnl - trade.realized_before,
            fees_quote=self.fees_quote - trade.fees_before,
            correlation_id=trade.correlation_id,
            exit_reason=fill.purpose.value,
        )


class Opening(msgspec.Struct, frozen=True, kw_only=True):
    """A position as the sum of fills that nobody keeps any more, with the trades that they finished."""

    symbol: Symbol
    quantity: Decimal = ZERO
    cost: Decimal = ZERO
    realized_pnl: Decimal = ZERO
    fees_quote: Decimal = ZERO
    trade: OpenTrade | None = None
    trades: int = 0
    fills: int = 0

    def position(self) -> Position:
        """The position to go on from."""
        return Position(
            symbol=self.symbol,
            quantity=self.quantity,
            cost=self.cost,
            realized_pnl=self.realized_pnl,
            fees_quote=self.fees_quote,
            trade=None if self.trade is None else msgspec.structs.replace(self.trade),
        )

    def with_fill(self, fill: Fill) -> "Opening":
        """The same with the next fill taken in."""
        position = self.position()
        finished = position.on_fill(fill)
        return Opening(
            symbol=self.symbol,
            quantity=position.quantity,
            cost=position.cost,
            realized_pnl=position.realized_pnl,
            fees_quote=position.fees_quote,
            trade=position.open_trade,
            trades=self.trades + (finished is not None),
            fills=self.fills + 1,
        )


def opening_key(symbol: Symbol) -> str:
    """The name of a symbol's opening in the order actor's cells."""
    return f"{OPENING_KEY}{symbol}"
