"""Rules about what we know and own: the symbol, its price, the account, and the cash to pay with."""

from decimal import Decimal

from genesis.domain.risk_rules.results import Finding, answer
from genesis.domain.risk_state import Facts, RiskState, Wish
from protocols.risk import DenialCode
from protocols.settings import Settings
from protocols.units import Side, base_currency, quote_currency

# A market order fills at the next price, not at ours: one per cent of room keeps the venue from refusing it.
CASH_MARGIN = Decimal("1.01")


def known_symbol(state: RiskState, settings: Settings, facts: Facts, wish: Wish) -> Finding:
    return answer("known_symbol", DenialCode.UNKNOWN_SYMBOL, facts.symbol_known, symbol=wish.symbol)


def known_price(state: RiskState, settings: Settings, facts: Facts, wish: Wish) -> Finding:
    return answer("known_price", DenialCode.STALE_DATA, facts.price_known, price=wish.price)


def known_account(state: RiskState, settings: Settings, facts: Facts, wish: Wish) -> Finding:
    return answer("known_account", DenialCode.ACCOUNT_UNKNOWN, facts.account_known, known=facts.account_known)


def matching_books(state: RiskState, settings: Settings, facts: Facts, wish: Wish) -> Finding:
    """While our fills say that we hold more than the venue keeps, nobody knows what an entry would add to."""
    return answer(
        "matching_books",
        DenialCode.SYMBOL_HALTED,
        facts.reduces or not facts.mismatched,
        by_our_fills=facts.held,
        at_the_venue=facts.base_balance,
    )


def enough_cash(state: RiskState, settings: Settings, facts: Facts, wish: Wish) -> Finding:
    """Buying needs free cash, selling needs the coins; on margin either needs its share of the margin wallet."""
    if wish.margin:
        needed, free = wish.notional * CASH_MARGIN * facts.initial_margin, facts.free_margin
        currency = quote_currency(wish.symbol)
    elif wish.side is Side.BUY:
        needed, free, currency = wish.notional * CASH_MARGIN, facts.free_cash, quote_currency(wish.symbol)
    else:
        needed, free, currency = wish.quantity, max(facts.base_balance, facts.held), base_currency(wish.symbol)
    return answer(
        "enough_cash",
        DenialCode.INSUFFICIENT_BALANCE,
        facts.reduces or needed <= free,
        needed=needed,
        free=free,
        currency=currency,
        wallet="margin" if wish.margin else "exchange",
    )
