"""Where funding offers meet borrowers: money is lent and borrowed, earns interest, and comes back.

The market is a stream of trades, each with a size and a rate. One that borrows takes the offers at or below its rate,
the cheapest first, each at its own rate; one that lends serves the bids at or above. Interest runs by the millisecond
and is paid at 01:30 UTC every day and when a loan ends; a lender gets it less the venue's fee. Whoever holds a margin
position borrows what it needs at once: a long its cost in the quote currency, a short its size in the base currency, at
the flash return rate, for two days at a time. Pure: the same offers and the same trades make the same loans.
"""

import math
import zlib
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from itertools import count
from typing import Final

from genesis.domain.venue_funding import (
    DAY_MS,
    VARIABLE,
    end_offer,
    interest,
    loan_event,
    loan_told,
    place_offer,
    real_rate,
    told,
)
from genesis.domain.venue_ledger import Books, changed
from genesis.domain.venue_state import FUNDING, MARGIN, Account, Loan, Offer, Renewal, VenueOutput
from protocols.bitfinex.account import FLAG_HIDDEN
from protocols.bitfinex.inputs import NewOffer
from protocols.funding import FundingTrade
from protocols.units import ZERO, base_currency, plain, quote_currency, round_amount

FIRST_OFFER_ID: Final = 41_000_001
PAYOUT_MS: Final = 90 * 60_000
"""Of each day: 01:30 UTC."""
LENDERS_FEE: Final = Decimal("0.15")
HIDDEN_FEE: Final = Decimal("0.18")
"""Parts of the interest that the venue keeps."""
POSITION_PERIOD_DAYS: Final = 2
"""What a position needs is borrowed for so long, and then anew."""
UNUSED_ONE_IN: Final = 4
"""So many loans of the made-up borrowers is one that no position uses."""
CATEGORY_INTEREST: Final = 28
CATEGORY_USED: Final = 226
CATEGORY_UNUSED: Final = 228
IDS_A_STEP: Final = 1000
FIRST_OWN_ID: Final = 500
"""Trades of accounts have the upper half of the ids of their moment, those of the market the lower."""

OnTrade = Callable[[FundingTrade], None]


def next_payout(now_ms: int) -> int:
    """The next moment after this one at which interest is paid."""
    return (now_ms - PAYOUT_MS) // DAY_MS * DAY_MS + DAY_MS + PAYOUT_MS


class FundingFloor:
    """All offers and loans of all accounts. `pairs` names, by currency, the pairs whose positions may use a loan."""

    def __init__(self, books: Books, pairs: Mapping[str, Sequence[str]]) -> None:
        self.books = books
        self.pairs = pairs
        self.on_trade: OnTrade | None = None
        """Told of every trade between an account and the market."""
        self.matching = False
        """Whether anybody's offer or renewal waits for the market."""
        self.due_ms: float = math.inf
        """When the next loan is paid for or ends."""
        self.waiting: set[str] = set()
        """Accounts whose positions need a currency whose rate is not known yet."""
        self._last_trade_id = 0
        self._ids: count[int] | None = None

    # --- asked by accounts --------------------------------------------------------------------------------------------

    def place(self, name: str, request: NewOffer, now_ms: int, *, renew: bool = False) -> Offer:
        """Raises OfferRefused."""
        offer = place_offer(self.books.accounts[name], request, self._next_id(), now_ms, renew=renew)
        self.matching = True
        return offer

    def cancel(self, name: str, offer: Offer, now_ms: int) -> None:
        end_offer(self.books.accounts[name], offer, now_ms)
        self.books.histories[name].offers.append(offer)
        self.refresh()

    def renew(self, name: str, currency: str, renewal: Renewal | None) -> None:
        """Lend again whatever comes back, from the next trade of the market on; None: no more."""
        renewals = self.books.accounts[name].renewals
        renewals.pop(currency, None)
        if renewal is not None:
            renewals[currency] = renewal
        self.refresh()

    def give_back(self, name: str, loan: Loan, now_ms: int) -> list[VenueOutput]:
        """A borrower returns what he took; what it cost is paid."""
        account = self.books.accounts[name]
        out = self._pay(account, loan, now_ms)
        self._close(account, loan, now_ms, out)
        self.refresh()
        return out

    # --- the market ---------------------------------------------------------------------------------------------------

    def meet(self, symbol: str, amount: Decimal, rate: Decimal, flash_rate: Decimal, now_ms: int) -> list[VenueOutput]:
        """The market borrows (`amount` above zero) or lends (below) at `rate`; accounts take the other side."""
        out: list[VenueOutput] = []
        sign, left = (1 if amount > 0 else -1), abs(amount)
        waiting = [
            (real_rate(offer, flash_rate) * sign, offer.offer_id, account, offer)
            for account in self.books.accounts.values()
            for offer in account.offers.values()
            if offer.symbol == symbol and offer.amount * sign > 0
        ]
        for signed_rate, _, account, offer in sorted(waiting, key=lambda each: each[:2]):
            if left <= 0 or signed_rate > rate * sign:
                break
            taken = min(left, abs(offer.amount))
            left -= taken
            self._lend(account, offer, taken, signed_rate * sign, now_ms, out)
        if out:
            self.refresh()
        return out

    def renew_all(self, now_ms: int, flash_rates: Callable[[str], Decimal | None]) -> list[VenueOutput]:
        """Offer what has come back, for those who asked for it."""
        out: list[VenueOutput] = []
        for account in self.books.accounts.values():
            for currency, renewal in account.renewals.items():
                free = account.wallet(FUNDING, currency).available
                size = free if renewal.amount is None else min(free, renewal.amount)
                symbol = f"f{currency}"
                open_already = any(offer.renew and offer.symbol == symbol for offer in account.offers.values())
                if size <= 0 or open_already or flash_rates(currency) is None:
                    continue
                request = NewOffer(
                    wire_type="LIMIT" if renewal.rate else VARIABLE,
                    symbol=symbol,
                    amount=size,
                    rate=renewal.rate,
                    period=renewal.period,
                )
                offer = self.place(account.name, request, now_ms, renew=True)
                out.append((account.name, told(offer, "fon")))
        return out

    def advance(self, now_ms: int, flash_rates: Callable[[str], Decimal | None]) -> list[VenueOutput]:
        """Time has come: pay interest, move loans between used and unused, end those whose period is over."""
        out: list[VenueOutput] = []
        for account in self.books.accounts.values():
            for loan in list(account.loans.values()):
                ends_ms = loan.opened_ms + loan.period * DAY_MS
                if now_ms >= ends_ms:
                    out += self._pay(account, loan, ends_ms)
                    self._close(account, loan, now_ms, out)
                    if loan.automatic:
                        self._cover(account, now_ms, flash_rates, out)
                    continue
                last_ms = next_payout(now_ms) - DAY_MS
                if last_ms > loan.last_payout_ms:
                    paid = self._pay(account, loan, last_ms)
                    rate = flash_rates(loan.symbol[1:])
                    if loan.rate_type == "VAR" and rate is not None:
                        loan.rate = max(ZERO, rate + loan.delta)
                    out += [*paid, (account.name, loan_told(loan, loan_event(loan, "u")))]
        self.refresh()
        return out

    def positions_changed(
        self, name: str, now_ms: int, flash_rates: Callable[[str], Decimal | None]
    ) -> list[VenueOutput]:
        """What an account borrowed is used by its positions, and is given back with the last of them unless kept.

        What they need beyond that is borrowed, where its rate is known.
        """
        account = self.books.accounts[name]
        out: list[VenueOutput] = []
        for loan in [each for each in account.loans.values() if each.side < 0]:
            user = self._user(account, loan.symbol[1:])
            if user == loan.position_pair:
                continue
            if user is None and not loan.no_close:
                out += self.give_back(name, loan, now_ms)
                continue
            out.append((name, loan_told(loan, loan_event(loan, "c"))))
            loan.position_pair, loan.updated_ms = user, now_ms
            out.append((name, loan_told(loan, loan_event(loan, "n"))))
        self.waiting.discard(name)
        self._cover(account, now_ms, flash_rates, out)
        if out:
            self.refresh()
        return out

    def refresh(self) -> None:
        """Work out when the next thing is due; needed after the accounts were loaded."""
        accounts = self.books.accounts.values()
        self.matching = any(account.offers or account.renewals for account in accounts)
        self.due_ms = min(
            (
                min(next_payout(loan.last_payout_ms), loan.opened_ms + loan.period * DAY_MS)
                for account in accounts
                for loan in account.loans.values()
            ),
            default=math.inf,
        )

    # --- how it is done -----------------------------------------------------------------------------------------------

    def _cover(
        self, account: Account, now_ms: int, flash_rates: Callable[[str], Decimal | None], out: list[VenueOutput]
    ) -> None:
        """Borrow what an account's positions need and have not, or give back what they have and no longer need."""
        used = [loan for loan in account.loans.values() if loan.side < 0 and loan.position_pair is not None]
        missing: dict[str, Decimal] = {}
        users: dict[str, str] = {}
        for symbol, position in account.positions.items():
            long = position.amount > 0
            currency = quote_currency(symbol) if long else base_currency(symbol)
            if symbol in self.pairs.get(currency, ()):
                needed = round_amount(abs(position.amount) * (position.base_price if long else 1))
                missing[currency] = missing.get(currency, ZERO) + needed
                users.setdefault(currency, symbol)
        for loan in used:
            missing[loan.symbol[1:]] = missing.get(loan.symbol[1:], ZERO) - loan.amount
        for currency, amount in missing.items():
            if amount > 0:
                rate = flash_rates(currency)
                if rate is None:
                    self.waiting.add(account.name)
                else:
                    self._borrow(account, currency, amount, max(ZERO, rate), users[currency], now_ms, out)
            elif amount < 0:
                self._return(account, f"f{currency}", -amount, now_ms, out)

    def _borrow(
        self,
        account: Account,
        currency: str,
        amount: Decimal,
        rate: Decimal,
        pair: str,
        now_ms: int,
        out: list[VenueOutput],
    ) -> None:
        for loan in account.loans.values():
            # What the fills of one moment need is one loan.
            if loan.automatic and loan.symbol[1:] == currency and loan.opened_ms == now_ms and loan.rate == rate:
                loan.amount += amount
                out.append((account.name, loan_told(loan, loan_event(loan, "u"))))
                return
        loan = Loan(
            loan_id=self._next_id(),
            symbol=f"f{currency}",
            side=-1,
            amount=amount,
            rate=rate,
            rate_type="FIXED",
            period=POSITION_PERIOD_DAYS,
            opened_ms=now_ms,
            updated_ms=now_ms,
            last_payout_ms=now_ms,
            position_pair=pair,
            automatic=True,
        )
        account.loans[loan.loan_id] = loan
        out.append((account.name, loan_told(loan, loan_event(loan, "n"))))

    def _return(self, account: Account, symbol: str, amount: Decimal, now_ms: int, out: list[VenueOutput]) -> None:
        """The newest first; what somebody bid for himself is his to give back."""
        for loan in sorted(account.loans.values(), key=lambda each: -each.loan_id):
            if amount <= 0:
                return
            if not loan.automatic or loan.symbol != symbol:
                continue
            out += self._pay(account, loan, now_ms)
            part = min(amount, loan.amount)
            amount -= part
            if part == loan.amount:
                self._close(account, loan, now_ms, out)
            else:
                loan.amount -= part
                loan.updated_ms = now_ms
                out.append((account.name, loan_told(loan, loan_event(loan, "u"))))

    def _lend(
        self, account: Account, offer: Offer, amount: Decimal, rate: Decimal, now_ms: int, out: list[VenueOutput]
    ) -> None:
        side = 1 if offer.amount > 0 else -1
        offer.amount -= amount * side
        offer.updated_ms = now_ms
        variable = offer.wire_type == VARIABLE
        loan = Loan(
            loan_id=self._next_id(),
            symbol=offer.symbol,
            side=side,
            amount=amount,
            rate=rate,
            rate_type="VAR" if variable else "FIXED",
            period=offer.period,
            opened_ms=now_ms,
            updated_ms=now_ms,
            last_payout_ms=now_ms,
            flags=offer.flags,
            delta=offer.rate if variable else ZERO,
        )
        if side > 0:
            # Held back for the offer until now, and for the loan from now on.
            pairs = self.pairs.get(offer.symbol[1:], ())
            chosen = zlib.crc32(f"borrower:{loan.loan_id}".encode())
            if pairs and chosen % UNUSED_ONE_IN:
                loan.position_pair = pairs[chosen % len(pairs)]
        else:
            loan.position_pair = self._user(account, offer.symbol[1:])
        account.loans[loan.loan_id] = loan
        piece = f"at {plain(rate * 100)}% ({plain(amount * side)})"
        if offer.amount:
            offer.status = f"PARTIALLY FILLED {piece}"
            out.append((account.name, told(offer, "fou")))
        else:
            offer.status = f"EXECUTED {piece}"
            del account.offers[offer.offer_id]
            self.books.histories[account.name].offers.append(offer)
            out.append((account.name, told(offer, "foc")))
        trade = self._trade(offer, amount * side, rate, now_ms)
        self.books.histories[account.name].funding_trades.append(trade)
        out.append((account.name, trade))
        out.append((account.name, loan_told(loan, loan_event(loan, "n"))))
        out.append((account.name, _as(trade, "ftu")))
        if self.on_trade is not None:
            self.on_trade(trade)

    def _trade(self, offer: Offer, amount: Decimal, rate: Decimal, now_ms: int) -> FundingTrade:
        step = now_ms // 10_000
        self._last_trade_id = max(self._last_trade_id + 1, step * IDS_A_STEP + FIRST_OWN_ID)
        return FundingTrade(
            event="fte",
            session=0,
            trade_id=self._last_trade_id,
            symbol=offer.symbol,
            time_ms=now_ms,
            offer_id=offer.offer_id,
            amount=amount,
            rate=rate,
            period=offer.period,
            maker=True,
            received_ns=0,
        )

    def _pay(self, account: Account, loan: Loan, until_ms: int) -> list[VenueOutput]:
        """Interest up to this moment, to a lender less the fee, from a borrower as far as his margin wallet goes."""
        owed, currency = interest(loan, until_ms), loan.symbol[1:]
        loan.last_payout_ms = max(loan.last_payout_ms, until_ms)
        loan.updated_ms = loan.last_payout_ms
        if owed <= 0:
            return []
        if loan.side > 0:
            fee = round_amount(owed * (HIDDEN_FEE if loan.flags & FLAG_HIDDEN else LENDERS_FEE))
            wallet, text = account.wallet(FUNDING, currency), "Margin Funding Payment on wallet funding"
            self.books.from_market(account, wallet, owed - fee, loan.updated_ms, text, CATEGORY_INTEREST)
            self.books.market_pays_fee(currency, fee)
        else:
            used = loan.position_pair is not None
            wallet = account.wallet(MARGIN, currency)
            text = f"{'Used' if used else 'Unused'} Margin Funding {'Charge' if used else 'Fee'} on wallet margin"
            category = CATEGORY_USED if used else CATEGORY_UNUSED
            owed = min(owed, max(ZERO, wallet.balance))
            if not owed:
                return []
            self.books.from_market(account, wallet, -owed, loan.updated_ms, text, category)
        return [(account.name, changed(wallet, text, None))]

    def _close(self, account: Account, loan: Loan, now_ms: int, out: list[VenueOutput]) -> None:
        del account.loans[loan.loan_id]
        loan.status, loan.updated_ms = "CLOSED", now_ms
        self.books.histories[account.name].loans.append(loan)
        out.append((account.name, loan_told(loan, loan_event(loan, "c"))))
        if loan.side > 0:
            wallet = account.wallet(FUNDING, loan.symbol[1:])
            wallet.locked -= loan.amount
            out.append((account.name, changed(wallet, "Margin Funding returned on wallet funding", None)))

    @staticmethod
    def _user(account: Account, currency: str) -> str | None:
        """The pair of the position that needs this currency: a long its quote, a short its base."""
        for symbol, position in account.positions.items():
            needed = quote_currency(symbol) if position.amount > 0 else base_currency(symbol)
            if needed == currency:
                return symbol
        return None

    def _next_id(self) -> int:
        if self._ids is None:
            # Not before the first is needed: by then the accounts of a former life have been loaded.
            known = [number for account in self.books.accounts.values() for number in (*account.offers, *account.loans)]
            for history in self.books.histories.values():
                known += [offer.offer_id for offer in history.offers] + [loan.loan_id for loan in history.loans]
            self._ids = count(max(known, default=FIRST_OFFER_ID - 1) + 1)
        return next(self._ids)


def _as(trade: FundingTrade, event: str) -> FundingTrade:
    return FundingTrade(**({name: getattr(trade, name) for name in trade.__struct_fields__} | {"event": event}))
