"""Margin at the simulated venue: what a position is worth, what may still be traded, when it is taken away.

Behind the margin positions of a quote currency stands all that lies in the margin wallet in it (the real venue also
counts other currencies with a haircut); behind a contract stands the collateral that was set aside for it, and no
more. What a margin position needs is lent by `funding_floor`.
"""

import math
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
EARLY: Final = Decimal("0.999999")

Prices = Mapping[Symbol, Decimal]
"""The last price of each pair that has one."""


@attrs.frozen
class MarginBase:
    """In quote currency: unrealised profit, the wallet, the wallet with the profit, what must be kept."""

    profit: Decimal
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
    return MarginBase(profit=gain, balance=balance, net=balance + gain, required=required)


@attrs.frozen
class Standing:
    """What stands behind a position now, and what must: at less the venue takes the position away."""

    net: Decimal
    required: Decimal


def standing(account: Account, position: Position, specs: PairSpecs, prices: Prices) -> Standing:
    """Of a contract its collateral with its profit, else the margin wallet with the profit of all in its currency."""
    spec = specs[position.symbol]
    if not spec.is_derivative:
        base = margin_base(account, specs, prices, spec.quote)
        return Standing(base.net, base.required)
    price = prices.get(position.symbol, position.base_price)
    required = abs(position.amount) * price * (spec.minimum_margin or ZERO)
    return Standing(position.collateral + profit(position, price), required)


def calm_bands(account: Account, specs: PairSpecs, prices: Prices, times: Decimal) -> dict[Symbol, tuple[float, float]]:
    """By pair: prices between which no position falls to `times` what must stand behind it, whatever the others do.

    Of positions in one quote currency each may use up an equal part of what is over. Pairs that are to be looked at all
    the time are left out: contracts (their mark moves besides), who has been warned, and whose margin is low already.
    """
    groups: dict[str, list[Position]] = {}
    for position in account.positions.values():
        groups.setdefault(specs[position.symbol].quote, []).append(position)
    bands: dict[Symbol, tuple[float, float]] = {}
    for quote, held in groups.items():
        if any(each.symbol not in prices or specs[each.symbol].is_derivative for each in held):
            continue
        base = margin_base(account, specs, prices, quote)
        part = (base.net - base.required * times) / len(held)
        for position in held if part > 0 else ():
            amount, keep = position.amount, (specs[position.symbol].minimum_margin or ZERO) * times
            slope = amount - abs(amount) * keep
            if position.called or not slope:
                continue
            # A little early is looked at exactly; late would be too late.
            edge = float(prices[position.symbol] - part / slope * EARLY)
            bands[position.symbol] = (edge, math.inf) if slope > 0 else (-math.inf, edge)
    return bands


def unbound(account: Account, specs: PairSpecs, currency: str) -> Decimal:
    """What of a contracts' currency is neither collateral nor needed by open orders; below zero when too little."""
    free = account.wallet(MARGIN, currency).balance
    for position in account.positions.values():
        if specs[position.symbol].quote == currency:
            free -= position.collateral
    for order in account.orders.values():
        spec = specs[order.symbol]
        if spec.quote == currency and spec.is_derivative and order.placed_id is None:
            if not _reduces(account, order.symbol, order.sign):
                price = order.price or order.reference_price
                free -= order.remaining * price * (initial_margin(spec, order.leverage) or ZERO)
    return free


def collateral_limits(
    account: Account, position: Position, spec: PairSpec, specs: PairSpecs, price: Decimal
) -> tuple[Decimal, Decimal]:
    """(least, most) that may stand behind a contract: with its profit the initial margin, and all that is free."""
    least = abs(position.amount) * price * (spec.initial_margin or ZERO) - profit(position, price)
    most = position.collateral + max(ZERO, unbound(account, specs, spec.quote))
    return max(ZERO, least), most


def leverage_of(position: Position) -> Decimal | None:
    """What a contract is worth over what stands behind it, at its base price."""
    if not position.collateral:
        return None
    return round(abs(position.amount) * position.base_price / position.collateral, 8)


def tradable(account: Account, spec: PairSpec, specs: PairSpecs, prices: Prices, leverage: int | None) -> Decimal:
    """Notional (quote) that may still be opened on this pair, open margin orders counted as if filled."""
    needed = initial_margin(spec, leverage)
    if needed is None:
        return ZERO
    if spec.is_derivative:
        return max(ZERO, unbound(account, specs, spec.quote) / needed)
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
    """The price at which this position alone would eat what stands behind it down to what must be kept."""
    keep = spec.minimum_margin or ZERO
    amount = position.amount
    balance = position.collateral if spec.is_derivative else account.wallet(MARGIN, spec.quote).balance
    # balance + amount * (p - base) = |amount| * p * keep
    slope = amount - abs(amount) * keep
    if slope == 0:
        return None
    price = (amount * position.base_price - balance) / slope
    return price if price > 0 else None
