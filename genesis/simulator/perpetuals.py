"""Contracts on the recording's pairs: they trade where their pair trades, with a premium, and pay funding.

A recording holds no contracts, so their prices are made of the pair's (`funding_market.premium_at`), minute by minute
the same in every run. One sleeps until somebody asks for it, subscribes to it or orders it: whoever trades no contracts
does not pay for them. What it was in its sleep is made of its pair's candles when it wakes.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from genesis.domain.pairs import perpetual_of
from genesis.domain.replay import MINUTE_MS, CandleRow
from genesis.domain.venue import Venue
from genesis.domain.venue_state import VenueOutput
from genesis.simulator.feed import Feed, PublicTrade
from genesis.simulator.funding_market import FUNDING_EVENT_MS, funding_rate_at, premium_at
from genesis.simulator.market_side import MarketSide
from protocols.market import Candle
from protocols.units import Symbol, exact

SHOWN_DIGITS: Final = 5


def contract_price(symbol: str, spot: float, at_ms: int) -> float:
    """What a contract costs while its pair costs `spot`: five digits, like every price of the venue."""
    return float(f"{spot * (1 + premium_at(symbol, at_ms)):.{SHOWN_DIGITS}g}")


class Perpetuals:
    """The contracts of one exchange, by the pair whose price they follow."""

    def __init__(self, venue: Venue, market: MarketSide, spots: Iterable[Symbol]) -> None:
        self.venue = venue
        self.market = market
        self.spot_of: dict[Symbol, Symbol] = {}
        for spot in spots:
            contract = perpetual_of(spot)
            if contract is not None and contract in venue.specs:
                self.spot_of[contract] = spot
        self.awake: dict[Symbol, list[Symbol]] = {}
        """By pair: the contracts that move with it."""
        self._event_ms = 0

    def wake(self, symbol: str, now_ms: int) -> None:
        """From now on this contract trades; nothing happens to one that does, or to what is none."""
        contract = Symbol(symbol)
        spot = self.spot_of.get(contract)
        if spot is None or contract in self.awake.get(spot, ()):
            return
        feed = self.market.feeds[spot]
        minutes = [self._row(contract, candle) for candle in feed.candles("1m")]
        own = self.market.feeds[contract] = Feed(contract, minutes)
        if feed.last is not None and own.last is not None:
            self._value(contract, feed.last, now_ms)
            self.venue.observe(contract, own.last)
        self.awake.setdefault(spot, []).append(contract)
        if not self._event_ms:
            self._event_ms = now_ms - now_ms % FUNDING_EVENT_MS + FUNDING_EVENT_MS

    def wake_used(self, now_ms: int) -> None:
        """Those in which somebody holds or wants something, after the accounts were loaded."""
        for account in self.venue.accounts.values():
            for symbol in (*account.positions, *(order.symbol for order in account.orders.values())):
                self.wake(symbol, now_ms)

    def tick(self, spot: Symbol, trade: PublicTrade, minute: CandleRow | None, now_ms: int) -> list[VenueOutput]:
        """The pair traded, so its contracts do."""
        outputs: list[VenueOutput] = []
        if now_ms >= self._event_ms:
            outputs += self._pay_funding(now_ms)
        for contract in self.awake.get(spot, ()):
            price = contract_price(contract, trade.price, now_ms)
            self._value(contract, trade.price, now_ms)
            outputs += self.venue.on_tick(contract, price, abs(trade.amount), now_ms)
            row = None if minute is None else self._row(contract, minute)
            self.market.moved(contract, trade._replace(price=price), row)
        return outputs

    def _value(self, contract: Symbol, spot: float, now_ms: int) -> None:
        self.venue.set_mark(contract, round((contract_price(contract, spot, now_ms) + spot) / 2, 8))

    def _pay_funding(self, now_ms: int) -> list[VenueOutput]:
        """Every event up to now, at the rate that the status told as the next."""
        outputs: list[VenueOutput] = []
        while self._event_ms <= now_ms:
            for account in self.venue.accounts.values():
                for position in list(account.positions.values()):
                    price = self.venue.value_price(position.symbol)
                    if position.symbol in self.spot_of and price is not None:
                        rate = round(exact(funding_rate_at(position.symbol, self._event_ms)), 8)
                        outputs += self.venue.books.pay_contract_funding(
                            account, position, self.venue.specs[position.symbol], Decimal(rate), price, self._event_ms
                        )
            self._event_ms += FUNDING_EVENT_MS
        return outputs

    @staticmethod
    def _row(contract: Symbol, minute: Candle | CandleRow) -> CandleRow:
        at_ms = minute.open_ms - minute.open_ms % MINUTE_MS
        prices = (minute.open, minute.close, minute.high, minute.low)
        opened, close, high, low = (contract_price(contract, price, at_ms) for price in prices)
        return CandleRow(minute.open_ms, opened, close, high, low, minute.volume)
