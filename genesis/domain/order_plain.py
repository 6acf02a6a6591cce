"""Coins of the exchange wallet that were bought without levels: whose they are.

They are one pool, the rest beside the lots, and the venue does not know them apart. But a strategy's exit may come when
its own lot is gone (its stop was faster, another strategy has adopted it): the pool would have coins, and they are
somebody else's.
"""

from decimal import Decimal

from genesis.domain.order_holdings import OrderHoldings
from genesis.domain.order_rows import PlainRow
from protocols.units import ZERO, Symbol


class OrderPlain(OrderHoldings):
    """`plain` has a row for each symbol. What was held before anybody kept these is nobody's in particular."""

    def _buy_plain(self, symbol: Symbol, strategy: str, quantity: Decimal) -> None:
        row = self.plain.get(symbol)
        if row is None:
            row = self.plain[symbol] = PlainRow(symbol=symbol)
        row.owners[strategy] = row.owners.get(strategy, ZERO) + quantity
        self._dirty[row.key] = row

    def _sell_plain(self, symbol: Symbol, strategy: str, quantity: Decimal, *, rest: Decimal) -> None:
        """The pool of `rest` gave `quantity` to a sale of `strategy`: its own, then nobody's, then the others', oldest
        first."""
        row = self.plain.get(symbol)
        if row is None:
            return
        own = min(row.owners.get(strategy, ZERO), quantity)
        left = quantity - own - max(rest - sum(row.owners.values(), ZERO), ZERO)
        owners = {**row.owners, strategy: row.owners.get(strategy, ZERO) - own}
        for name, has in owners.items():
            taken = max(min(has, left), ZERO)
            owners[name], left = has - taken, left - taken
        row.owners = {name: has for name, has in owners.items() if has > ZERO}
        self._dirty[row.key] = row
        if not row.owners:
            del self.plain[symbol]
            self._dirty[row.key] = None

    def _others_plain(self, symbol: Symbol, strategy: str) -> Decimal:
        """How much of the pool was bought by others."""
        row = self.plain.get(symbol)
        return ZERO if row is None else sum((has for name, has in row.owners.items() if name != strategy), ZERO)
