"""Whose coins a sale takes, before it is sent: an account has one position in a symbol, with everybody's part in it."""

from genesis.domain.order_lots import Lot, Sale, Shares
from protocols.orders import OrderIntent
from protocols.risk import AccountState, StrategyHolding
from protocols.units import ZERO, Side, plain


def taken_from_others(account: AccountState | None, intent: OrderIntent) -> tuple[StrategyHolding, ...]:
    """What the order would sell of what others hold, as the account's own books divide it: nothing of a purchase or an
    order on margin, and nothing as long as the seller has enough."""
    if account is None or intent.side is not Side.SELL or intent.margin:
        return ()
    holdings = [each for each in account.owners if each.symbol == intent.symbol and each.quantity > 0]
    before = Shares(tuple([Lot(each.strategy, each.strategy, each.quantity) for each in holdings]), ZERO)
    after = before.after(Sale(strategy=intent.strategy, quantity=intent.quantity))
    lost = [(old.name, old.quantity - new.quantity) for old, new in zip(before.lots, after.lots, strict=True)]
    return tuple(
        [
            StrategyHolding(symbol=intent.symbol, strategy=name, quantity=quantity)
            for name, quantity in lost
            if quantity > 0 and name != intent.strategy
        ]
    )


def taken_text(holding: StrategyHolding) -> str:
    """One of them for people."""
    return (
        f"{plain(holding.quantity)} of it are coins of {holding.strategy}: its stop grows smaller by as much, and what"
        " they bring stands in its book"
    )
