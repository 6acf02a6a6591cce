"""Whose the coins in the exchange wallet are: who bought them, whoever sold them, and to whom they were given."""

from decimal import Decimal

import attrs

from genesis.domain.order_lots import Lot, Sale, Shares
from protocols.orders import PROTECTIVE_PURPOSES, Adopted, Fill
from protocols.risk import StrategyHolding
from protocols.units import AMOUNT_STEP, ZERO, Symbol, base_currency


@attrs.define
class _Taken:
    """What one strategy's stop sold of others' coins; the purchase that it sold is an older order than `cid`."""

    cid: int = 0
    owners: dict[str, Decimal] = attrs.field(factory=dict)


class CoinOwners:
    """Quantities in base currency by symbol and strategy, and what was sold that was nobody's."""

    def __init__(self) -> None:
        self._owners: dict[Symbol, dict[str, Decimal]] = {}
        self._owed: dict[Symbol, Decimal] = {}
        """What was sold in the exchange wallet and was nobody's."""
        self._taken: dict[tuple[Symbol, str], _Taken] = {}
        """By whose stop it was."""

    def open(self, symbol: Symbol, strategy: str, quantity: Decimal) -> None:
        """What was held when the fills that are still kept begin."""
        self._owners[symbol] = {strategy: quantity}

    def divide(self, fill: Fill) -> None:
        """Coins belong to who bought them; a sale takes from the seller first, and then from the oldest."""
        owners = self._owners.setdefault(fill.symbol, {})
        change = fill.side.sign * (fill.quantity - fill.no_basis)
        if fill.fee_currency == base_currency(fill.symbol):
            change += fill.fee
        # Two stops that sold the same are bought back, and a purchase may be told behind the sale of its coins.
        owed = self._owed.get(fill.symbol, ZERO)
        self._owed[fill.symbol] = max(owed - change - sum(owners.values(), ZERO), ZERO)
        if change > owed:
            self._share_out(fill, owners, change - owed)
        if change >= 0:
            return
        lots = tuple(Lot(strategy, strategy, quantity) for strategy, quantity in owners.items())
        left = Shares(lots, ZERO).after(Sale(strategy=fill.strategy, quantity=-change))
        if fill.purpose in PROTECTIVE_PURPOSES:
            self._note_taken(fill, owners, left)
        self._owners[fill.symbol] = {lot.name: lot.quantity for lot in left.lots if lot.quantity >= AMOUNT_STEP}

    def _note_taken(self, fill: Fill, owners: dict[str, Decimal], left: Shares) -> None:
        """A stop sold more than its strategy has, by the trades that were told: the rest was for now others'."""
        for lot in left.lots:
            if lot.name != fill.strategy and (taken := owners[lot.name] - lot.quantity) > ZERO:
                debt = self._taken.setdefault((fill.symbol, fill.strategy), _Taken())
                debt.cid = fill.cid
                debt.owners[lot.name] = debt.owners.get(lot.name, ZERO) + taken

    def _share_out(self, fill: Fill, owners: dict[str, Decimal], bought: Decimal) -> None:
        """Coins of a purchase that is told behind the sale of its stop: who was taken from has his own again first."""
        debt = self._taken.get((fill.symbol, fill.strategy))
        if debt is not None and fill.cid <= debt.cid:
            for name, taken in list(debt.owners.items()):
                back = min(taken, bought)
                bought -= back
                debt.owners[name] = taken - back
                owners[name] = owners.get(name, ZERO) + back
            if not any(debt.owners.values()):
                del self._taken[fill.symbol, fill.strategy]
        if bought:
            owners[fill.strategy] = owners.get(fill.strategy, ZERO) + bought

    def give(self, adopted: Adopted) -> Decimal:
        """The coins are the heir's, as far as the owner has them; gives how many that were."""
        owners = self._owners.get(adopted.symbol, {})
        had = owners.get(adopted.owner, ZERO)
        quantity = min(had, adopted.quantity)
        if quantity <= ZERO:
            return ZERO
        owners[adopted.heir] = owners.get(adopted.heir, ZERO) + quantity
        owners[adopted.owner] = had - quantity
        if owners[adopted.owner] < AMOUNT_STEP:
            del owners[adopted.owner]
        return quantity

    def holdings(self) -> tuple[StrategyHolding, ...]:
        """Who holds how much, by symbol, the first buyer first."""
        return tuple(
            [
                StrategyHolding(symbol=symbol, strategy=strategy, quantity=quantity)
                for symbol, owners in sorted(self._owners.items())
                for strategy, quantity in owners.items()
            ]
        )
