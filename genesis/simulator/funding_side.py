"""Who listens to the made-up funding market and to derivative status, and what they are told as venue time goes on."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

from genesis.domain.venue import Venue
from genesis.domain.venue_funding import FLASH_TYPES, real_rate
from genesis.simulator.funding_market import (
    LONGEST_CATCH_UP,
    SNAPSHOT_TRADES,
    STEP_MS,
    FundingLevel,
    FundingTrade,
    FundingView,
    derivative_row,
    flash_return_rate,
    funding_book,
    funding_candles,
    funding_ticker,
    spot_pairs,
    trade_at,
    trades_between,
)
from genesis.simulator.relay_side import SideRelay
from genesis.simulator.session import Session
from protocols.bitfinex.account import FLAG_HIDDEN
from protocols.bitfinex.numbers import js_number
from protocols.bitfinex.subscriptions import Subscription
from protocols.funding import FundingTrade as OwnTrade
from protocols.units import ZERO, exact

SNAPSHOT_CANDLES: Final = 240
KEPT_TRADES: Final = 1_000


def row_text(row: Iterable[Any]) -> str:
    return "[" + ",".join(map(_cell, row)) + "]"


def _cell(value: float | int | None) -> str:
    if value is None:
        return "null"
    return str(value) if isinstance(value, int) else js_number(value)


class FundingSide:
    """`last_price` gives the newest price of a pair, or None. `open` is false where a real market is relayed."""

    def __init__(
        self, venue: Venue, last_price: Callable[[str], float | None], *, venue_ms: Callable[[], int], is_open: bool
    ) -> None:
        self.venue = venue
        self.last_price = last_price
        self.venue_ms = venue_ms
        self.open = is_open
        self.currencies = frozenset(
            each
            for spec in venue.specs.values()
            if not spec.is_paper and not spec.is_derivative
            for each in (spec.base, spec.quote)
        )
        self.relayed: SideRelay | None = None
        """The real venue's, where one is relayed."""
        self._heard: dict[Subscription, Mapping[Session, int]] = {}
        self._views: dict[Subscription, FundingView] = {}
        self._told_ms = 0
        self._own_trades: dict[str, deque[FundingTrade]] = {}

    # --- what is asked ----------------------------------------------------------------------------------------------

    def currency_of(self, symbol: str) -> str | None:
        """`USD` of `fUSD` and of `fUSD:p30`; None for what is not lent here."""
        currency = symbol[1:].partition(":")[0]
        return currency if self.open and symbol.startswith("f") and currency in self.currencies else None

    def own(self, currency: str) -> list[FundingLevel]:
        """The visible offers and demands of accounts."""
        flash_rate: Decimal | None = None
        found = []
        for account in self.venue.accounts.values():
            for offer in account.offers.values():
                if offer.symbol == f"f{currency}" and not offer.flags & FLAG_HIDDEN:
                    flash_rate = flash_rate or self.flash_rate(currency) or ZERO
                    rate = float(real_rate(offer, flash_rate))
                    found.append(FundingLevel(offer.offer_id, rate, offer.period, 1, float(offer.amount)))
        return found

    def flash_rate(self, currency: str) -> Decimal | None:
        """The flash return rate now; None of what is not lent here."""
        if self.relayed is not None:
            return self.relayed.flash_rate(currency)
        if not (self.open and currency in self.currencies):
            return None
        return round(exact(flash_return_rate(currency, self.venue_ms())), 8)

    def trades(
        self, currency: str, start_ms: int, end_ms: int, limit: int, *, oldest_first: bool
    ) -> list[FundingTrade]:
        """The market's trades and those of accounts, at most `limit` of them."""
        found = trades_between(currency, start_ms, end_ms, limit, oldest_first=oldest_first)
        own = [trade for trade in self._own_trades.get(currency, ()) if start_ms <= trade.time_ms <= end_ms]
        if not own:
            return found
        return sorted((*found, *own), key=lambda trade: trade.trade_id, reverse=not oldest_first)[:limit]

    def lent(self, trade: OwnTrade) -> None:
        """An account lent or borrowed: the world hears of the trade."""
        currency = trade.symbol[1:]
        # The market was the taker: it borrowed what an account lent.
        told = FundingTrade(trade.trade_id, trade.time_ms, float(trade.amount), float(trade.rate), trade.period)
        self._own_trades.setdefault(currency, deque(maxlen=KEPT_TRADES)).append(told)
        for subscription in list(self._heard):
            if subscription.channel == "trades" and subscription.symbol == trade.symbol:
                self._tell(subscription, f'"fte",{told.text()}')
                self._tell(subscription, f'"ftu",{told.text()}')

    def ticker(self, currency: str, at_ms: int) -> list[Any]:
        at_flash_rate = sum(
            float(offer.amount)
            for account in self.venue.accounts.values()
            for offer in account.offers.values()
            if offer.symbol == f"f{currency}" and offer.wire_type in FLASH_TYPES and offer.rate == 0 < offer.amount
        )
        return funding_ticker(currency, at_ms, self.own(currency), self._own_trades.get(currency, ()), at_flash_rate)

    def book(self, currency: str, at_ms: int) -> tuple[list[FundingLevel], list[FundingLevel]]:
        return funding_book(currency, at_ms, self.own(currency))

    def perpetuals(self) -> list[str]:
        """The contracts that have a status: one for each pair in dollars."""
        return [spec.symbol for spec in self.venue.specs.values() if spec.is_derivative and not spec.is_paper]

    def status(self, symbol: str, at_ms: int) -> list[Any] | None:
        """The status row of a perpetual; None of what is none, or whose spot pair has no price."""
        if not self.open:
            return None
        prices = (self.last_price(pair) for pair in spot_pairs(symbol))
        spot = next((price for price in prices if price is not None), None)
        if spot is None:
            return None
        held = [
            account.positions[symbol].amount for account in self.venue.accounts.values() if symbol in account.positions
        ]
        return derivative_row(symbol, spot, at_ms, float(sum(map(abs, held))))

    # --- who listens ------------------------------------------------------------------------------------------------

    def joined(self, session: Session, subscription: Subscription, channel: int, all_: Mapping[Session, int]) -> None:
        """Send the state of a stream. `all_` are its subscribers, this one among them, as they change."""
        first = subscription not in self._heard
        self._heard[subscription] = all_
        if self.relayed is not None:
            snapshot = self.relayed.want(subscription)
            if snapshot is not None:
                session.channel(channel, snapshot)
            return
        now_ms = self.venue_ms()
        currency = self.currency_of(subscription.symbol)
        if subscription.channel == "status":
            row = self.status(subscription.symbol, now_ms)
            if row is not None:
                session.channel(channel, row_text(row))
        elif currency is None:
            if subscription.channel != "ticker":
                session.channel(channel, "[]")
        elif subscription.channel == "ticker":
            session.channel(channel, row_text(self.ticker(currency, now_ms)))
        elif subscription.channel == "trades":
            newest = self.trades(currency, 0, now_ms, SNAPSHOT_TRADES, oldest_first=False)
            session.channel(channel, "[" + ",".join(trade.text() for trade in newest) + "]")
        elif subscription.channel == "candles":
            rows = funding_candles(currency, subscription.timeframe, 0, now_ms, now_ms, SNAPSHOT_CANDLES)
            session.channel(channel, "[" + ",".join(map(row_text, rows)) + "]")
        elif subscription.channel == "book":
            if first:
                self._views[subscription] = FundingView(subscription.precision, subscription.length)
            # The others are told the difference first, so that all of them know the same book.
            self._publish_book(subscription, currency, now_ms, others_than=session)
            session.channel(channel, self._views[subscription].snapshot())

    def left(self, subscription: Subscription) -> None:
        """Nobody listens to it any more."""
        self._heard.pop(subscription, None)
        self._views.pop(subscription, None)
        if self.relayed is not None:
            self.relayed.leave(subscription)

    def tell(self, subscription: Subscription, text: str) -> None:
        """What the real venue says, to everybody who listens."""
        if subscription in self._heard:
            self._tell(subscription, text)

    def time_came(self, now_ms: int) -> None:
        """Venue time has come to `now_ms`: when a step has passed, everybody hears of it."""
        if self.relayed is not None:
            return
        if not self._heard or now_ms // STEP_MS <= self._told_ms // STEP_MS:
            self._told_ms = max(self._told_ms, now_ms) if self._heard else now_ms
            return
        before_ms = max(self._told_ms, now_ms - LONGEST_CATCH_UP * STEP_MS)
        self._told_ms = now_ms
        for subscription in list(self._heard):
            self._publish(subscription, before_ms, now_ms)

    def offers_changed(self, symbol: str) -> None:
        """Somebody offered, or took an offer back."""
        if self.relayed is not None:
            accounts = self.venue.accounts.values()
            self.relayed.need(sorted({offer.symbol for account in accounts for offer in account.offers.values()}))
            return
        for subscription in list(self._heard):
            if subscription.channel == "book" and subscription.symbol == symbol:
                currency = self.currency_of(symbol)
                if currency is not None:
                    self._publish_book(subscription, currency, self.venue_ms())

    def _publish(self, subscription: Subscription, before_ms: int, now_ms: int) -> None:
        currency = self.currency_of(subscription.symbol)
        if subscription.channel == "status":
            row = self.status(subscription.symbol, now_ms)
            if row is not None:
                self._tell(subscription, row_text(row))
        elif currency is None:
            return
        elif subscription.channel == "ticker":
            self._tell(subscription, row_text(self.ticker(currency, now_ms)))
        elif subscription.channel == "trades":
            for step in range(before_ms // STEP_MS + 1, now_ms // STEP_MS + 1):
                text = trade_at(currency, step * STEP_MS).text()
                self._tell(subscription, f'"fte",{text}')
                self._tell(subscription, f'"ftu",{text}')
        elif subscription.channel == "candles":
            rows = list(funding_candles(currency, subscription.timeframe, 0, now_ms, now_ms, 2))
            # The one before may have ended since it was last told.
            for row in reversed(rows) if rows[0][0] > before_ms else rows[:1]:
                self._tell(subscription, row_text(row))
        elif subscription.channel == "book":
            self._publish_book(subscription, currency, now_ms)

    def _publish_book(
        self, subscription: Subscription, currency: str, now_ms: int, *, others_than: Session | None = None
    ) -> None:
        rows = self._views[subscription].update(*self.book(currency, now_ms))
        for session, channel in self._heard[subscription].items():
            if session is not others_than and rows:
                session.updates(channel, rows)

    def _tell(self, subscription: Subscription, text: str) -> None:
        for session, channel in self._heard[subscription].items():
            session.channel(channel, text)
