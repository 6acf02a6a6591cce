"""Margin at the simulated venue: what a position is worth, what may still be traded, when it is taken away.

Collateral is what lies in the margin wallet in the pair's own quote currency; the real venue also counts other
currencies with a haircut. Positions carry no funding cost: recordings hold no funding market.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

import attrs

from genesis.domain.pairs import PairSpec, PairSpecs
from genesis.domain.venue_state import MARGIN, Account, Position
from protocols.units import ZERO, Symbol

CLOSING_FEE: Final = Decimal("0.002")
"""The venue's PL assumes that closing costs this."""
DERIVATIVE_LEVERAGE: Final = 10

Prices = Mapping[Symbol, Decimal]
"""The last price of each pair that has one."""


@attrs.frozen
class MarginBase:
    """In quote currency: unrealised profit, swaps, the wallet, the wallet with the profit, what must be kept."""

    profit: Decimal
    swaps: Decimal
    balance: Decimal
    net: Decimal
    required: Decimal


def profit(position: Position, price: Decimal) -> Decimal:
    """Unrealised, without the closing fee."""
    return position.amount * (price - position.base_price)


def shown_profit(position: Position, price: Decimal) -> Decimal:
    """PL as the venue shows it: less an assumed closing fee of 0.2 %."""
    return profit(position, price) - abs(position.amount) * price * CLOSING_FEE


def initial_margin(spec: PairSpec, leverage: int | Decimal | None) -> Decimal | None:
    """The fraction of the notional that a new position needs; None where the pair has no margin."""
    if spec.is_derivative:
        return 1 / Decimal(leverage or DERIVATIVE_LEVERAGE)
    return spec.initial_margin


def margin_base(account: Account, specs: PairSpecs, prices: Prices, currency: str) -> MarginBase:
    """The state of everything that is margined in one quote currency."""
    gain = required = ZERO
    for position in account.positions.values():
        spec = specs[position.symbol]
        if spec.quote == currency and (price := prices.get(position.symbol)) is not None:
            gain += profit(position, price)
            required += abs(position.amount) * price * (spec.minimum_margin or ZERO)
    balance = account.wallet(MARGIN, currency).balance
    return MarginBase(profit=gain, swaps=ZERO, balance=balance, net=balance + gain, required=required)


def tradable(account: Account, spec: PairSpec, specs: PairSpecs, prices: Prices, leverage: int | None) -> Decimal:
    """Notional (quote) that may still be opened on this pair, open margin orders counted as if filled."""
    needed = initial_margin(spec, leverage)
    if needed is None:
        return ZERO
    free = margin_base(account, specs, prices, spec.quote).net
    for position in account.positions.values():
        other = specs[position.symbol]
        if other.quote == spec.quote and (price := prices.get(position.symbol)) is not None:
            free -= abs(position.amount) * price * (initial_margin(other, position.leverage) or ZERO)
    for order in account.orders.values():
        other = specs[order.symbol]
        if order.is_margin and other.quote == spec.quote and order.placed_id is None:
            if not _reduces(account, order.symbol, order.sign):
                price = order.price or order.reference_price
                free -= order.remaining * price * (initial_margin(other, order.leverage) or ZERO)
    return max(ZERO, free / needed)


def _reduces(account: Account, symbol: Symbol, sign: int) -> bool:
    position = account.positions.get(symbol)
    return position is not None and position.amount * sign < 0


def liquidation_price(account: Account, position: Position, spec: PairSpec) -> Decimal | None:
    """The price at which this position alone would eat the margin wallet down to what must be kept."""
    keep = spec.minimum_margin or ZERO
    amount, balance = position.amount, account.wallet(MARGIN, spec.quote).balance
    # balance + amount * (p - base) = |amount| * p * keep
    slope = amount - abs(amount) * keep
    if slope == 0:
        return None
    price = (amount * position.base_price - balance) / slope
    return price if price > 0 else None


def must_liquidate(account: Account, specs: PairSpecs, prices: Prices, currency: str) -> bool:
    base = margin_base(account, specs, prices, currency)
    return base.required > 0 and base.net < base.required
