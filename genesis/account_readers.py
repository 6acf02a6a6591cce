"""What the web reads of the account, made of the newest view that its actor published."""

from collections.abc import Sequence

import attrs

from genesis.core.latest import Latest
from protocols.account import AccountView, ClosedTotals, ClosedTrade, Performance, StrategyBookView
from protocols.risk import AccountState
from web.models import EquityPoint


@attrs.frozen
class AccountReaders:
    """Nothing, or nothing yet, as long as there is no view."""

    view: Latest[AccountView | None]

    def account(self) -> AccountState | None:
        return None if self.view.value is None else self.view.value.state

    def closed_trades(self) -> Sequence[ClosedTrade]:
        """The newest ones; `closed` has the sums of all."""
        return () if self.view.value is None else self.view.value.trades

    def closed(self) -> ClosedTotals:
        return ClosedTotals() if self.view.value is None else self.view.value.closed

    def books(self) -> Sequence[StrategyBookView]:
        return () if self.view.value is None else self.view.value.books

    def figures(self) -> Performance | None:
        return None if self.view.value is None else self.view.value.performance

    def equity(self) -> tuple[EquityPoint, ...]:
        if self.view.value is None:
            return ()
        return tuple(
            EquityPoint(at_ms=point.at_ms, equity=float(point.equity), flows=float(point.flows))
            for point in self.view.value.curve
        )
