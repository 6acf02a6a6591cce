"""Rules about what we know and own: the symbol, its price, the account, and the cash to pay with."""

from decimal import Decimal

from genesis.domain.risk_rules.results import Number, rule
from genesis.domain.risk_state import Facts, Wish
from protocols.risk import DenialCode
from protocols.settings import Settings
from protocols.units import Side, base_currency, quote_currency

# A market order fills at the next price, not at ours: one per cent of room keeps the venue from refusing it.
CASH_MARGIN = Decimal("1.01")
_BUY = Side.BUY


@rule(DenialCode.UNKNOWN_SYMBOL)
def known_symbol(settings: Settings, facts: Facts, wish: Wish) -> bool:
    return facts.symbol_known


@known_symbol.tells
def _known_symbol(settings: Settings, facts: Facts, wish: Wish) -> dict[str, Number]:
    return {"symbol": wish.symbol}


@rule(DenialCode.OTHER_QUOTE, opens=True)
def counted_currency(settings: Settings, facts: Facts, wish: Wish) -> bool:
    """Limits, cash and equity are counted in one currency: 5000 of another one is no 5000."""
    return quote_currency(wish.symbol) == settings.quote_currency


@counted_currency.tells
def _counted_currency(settings: Settings, facts: Facts, wish: Wish) -> dict[str, Number]:
    return {"symbol": wish.symbol, "quote": quote_currency(wish.symbol), "counted_in": settings.quote_currency}


@rule(DenialCode.STALE_DATA)
def known_price(settings: Settings, facts: Facts, wish: Wish) -> bool:
    return facts.price_known


@known_price.tells
def _known_price(settings: Settings, facts: Facts, wish: Wish) -> dict[str, Number]:
    return {"price": wish.price}


@rule(DenialCode.ACCOUNT_UNKNOWN)
def known_account(settings: Settings, facts: Facts, wish: Wish) -> bool:
    # What only takes away needs no figure of the account: it must not wait until each wallet has been explained.
    return facts.account_known or (facts.reduces and facts.account_told)


@known_account.tells
def _known_account(settings: Settings, facts: Facts, wish: Wish) -> dict[str, Number]:
    return {"known": facts.account_known}


@rule(DenialCode.SYMBOL_HALTED, opens=True)
def matching_books(settings: Settings, facts: Facts, wish: Wish) -> bool:
    """While our fills say that we hold more than the venue keeps, nobody knows what an entry would add to."""
    return not facts.mismatched


@matching_books.tells
def _matching_books(settings: Settings, facts: Facts, wish: Wish) -> dict[str, Number]:
    return {"by_our_fills": facts.held, "at_the_venue": facts.base_balance}


@rule(DenialCode.INSUFFICIENT_BALANCE, opens=True, moves=True)
def enough_cash(settings: Settings, facts: Facts, wish: Wish) -> bool:
    """Buying needs free cash, selling needs the coins; on margin either needs its share of the margin wallet."""
    if wish.margin:
        return _margin_needed(facts, wish) <= facts.free_margin
    if wish.side is _BUY:
        return wish.notional * CASH_MARGIN <= facts.free_cash
    return wish.quantity <= _coins(facts)


def _margin_needed(facts: Facts, wish: Wish) -> Decimal:
    return wish.notional * CASH_MARGIN * facts.initial_margin


def _coins(facts: Facts) -> Decimal:
    return max(facts.base_balance, facts.held)


@enough_cash.tells
def _enough_cash(settings: Settings, facts: Facts, wish: Wish) -> dict[str, Number]:
    pays = wish.margin or wish.side is _BUY
    if wish.margin:
        needed, free = _margin_needed(facts, wish), facts.free_margin
    elif pays:
        needed, free = wish.notional * CASH_MARGIN, facts.free_cash
    else:
        needed, free = wish.quantity, _coins(facts)
    currency = quote_currency(wish.symbol) if pays else base_currency(wish.symbol)
    wallet = "margin" if wish.margin else "exchange"
    return {"needed": needed, "free": free, "currency": currency, "wallet": wallet}
