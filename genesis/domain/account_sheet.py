"""An account state in the shape in which judgements look at it, made once for each state.

Every score asks what the account is worth and what it holds of a symbol; the state is the same for many of them, and
what is looked up in it would be looked up while an order waits.
"""

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from genesis.domain.risk_state import TRADED_WALLETS, margin_profit, spot_symbol
from protocols.risk import AccountState, MarginHolding, PositionView
from protocols.units import ZERO


class AccountSheet(msgspec.Struct, frozen=True, kw_only=True):
    """`positions` are by symbol, `open` those of them in which something is held. `balances` are the exchange wallet's
    by currency. `parts` are what makes up the account's worth, in the order of the wallets: (the pair that has the
    price, amount), with no pair for what is in `quote` already; `margin` are the venue's margin positions.
    """

    account: AccountState | None
    quote: str
    known: bool
    told: bool
    cash: Decimal
    margin_cash: Decimal
    balances: dict[str, Decimal]
    parts: tuple[tuple[str, Decimal], ...]
    positions: dict[str, PositionView]
    open: tuple[PositionView, ...]
    margin: tuple[MarginHolding, ...]

    def worth(self, marks: Mapping[str, Decimal]) -> Decimal:
        """As `equity` of `genesis.domain.risk_state` says, to the digit."""
        total = margin_profit(self.margin, marks, self.quote) if self.margin else ZERO
        for symbol, amount in self.parts:
            if symbol:
                price = marks.get(symbol)
                total += ZERO if price is None else amount * price
            else:
                total += amount
        return total


def sheet_of(account: AccountState | None, quote: str) -> AccountSheet:
    """`account` is None while nobody has told of it."""
    balances: dict[str, Decimal] = {}
    of_margin: dict[str, Decimal] = {}
    parts: list[tuple[str, Decimal]] = []
    positions: dict[str, PositionView] = {}
    held: list[PositionView] = []
    if account is not None:
        for wallet in account.wallets:
            currency, balance = wallet.currency, wallet.balance
            if wallet.wallet_type not in TRADED_WALLETS:
                continue
            (of_margin if wallet.wallet_type == "margin" else balances).setdefault(currency, balance)
            if currency == quote:
                parts.append(("", balance))
            elif balance:
                parts.append((spot_symbol(currency, quote), balance))
        for position in account.positions:
            positions.setdefault(position.symbol, position)
            if position.margin_quantity or position.quantity:
                held.append(position)
    return AccountSheet(
        account=account,
        quote=quote,
        known=account is not None and account.known,
        told=account is not None and account.told,
        cash=balances.get(quote) or ZERO,
        margin_cash=of_margin.get(quote) or ZERO,
        balances=balances,
        parts=tuple(parts),
        positions=positions,
        open=tuple(held),
        margin=account.margin if account is not None else (),
    )
