"""Market data for whoever asks: from the stream while it speaks, over REST when it is silent, from memory in between.

A stream's word is believed until its freshness limit has passed. Then REST is asked, and its answer serves everybody
for `TTL_S`; as soon as the stream speaks again it is the source again. Nothing here moves a strategy: decisions are
made of closed candles that the market cache tells, and stale data stops new orders whatever REST says.
"""

from collections.abc import Awaitable, Callable, Hashable
from enum import StrEnum
from typing import Final, Generic, TypeVar

import attrs

from genesis.core.clock import Clock
from genesis.core.latest import Latest
from genesis.domain.candles import series_key
from genesis.edge.errors import EdgeError
from genesis.edge.rest import RestDoor
from genesis.kept_answers import KeptAnswers
from protocols.bitfinex import rest_requests
from protocols.bitfinex.errors import BitfinexError
from protocols.bitfinex.rest import (
    read_candle_answer,
    read_conf,
    read_deriv_statuses,
    read_map,
    read_names,
    read_one_ticker,
)
from protocols.market import Candle, DerivStatus, FundingTicker, MarketView, Ticker
from protocols.settings import Settings
from protocols.units import TIMEFRAME_MS, Symbol

TTL_S: Final = 2.0
"""How long a price that REST told is told again; the venue takes 30 such requests a minute."""
REFERENCE_TTL_S: Final = 3600.0
"""Pairs and currency names change a few times a month."""

V = TypeVar("V")


class Source(StrEnum):
    WS = "ws"
    CACHE = "cache"
    REST = "rest"


class NoMarketData(Exception):
    """Neither the stream nor REST could say it; the text tells why."""


@attrs.frozen
class Sourced(Generic[V]):
    """An answer, where it comes from, and how old it is."""

    value: V
    source: Source
    age_s: float


@attrs.define(kw_only=True, eq=False)
class MarketData:
    """One a process: it counts where answers came from, and asks REST once however many want the same."""

    market: Latest[MarketView]
    settings: Latest[Settings]
    door: RestDoor
    clock: Clock
    answers: dict[Source, int] = attrs.field(factory=lambda: dict.fromkeys(Source, 0))
    rest_failures: int = 0
    _kept: KeptAnswers = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._kept = KeptAnswers(self.clock)

    # --- what is asked ----------------------------------------------------------------------------------------------

    async def get_ticker(self, symbol: Symbol, *, force_fresh: bool = False) -> Sourced[Ticker]:
        """The newest prices of a pair. `force_fresh` asks REST whatever is known. Raises NoMarketData."""
        view = self.market.value
        known = view.tickers.get(symbol)
        if known is not None and not force_fresh:
            age_s = self._age_s("ticker", symbol, "", known.received_ns)
            if age_s <= self.settings.value.market.ticker_stale_s:
                return self._answer(known, Source.WS, age_s)

        async def ask() -> Ticker:
            answer = await self.door.ask(rest_requests.ticker(symbol))
            found = read_one_ticker(answer, symbol, received_ns=self.clock.now_ns())
            if not isinstance(found, Ticker):
                raise NoMarketData(f"{symbol} must be a trading pair")
            return found

        return await self._from_rest(("ticker", symbol), ask, TTL_S, force_fresh=force_fresh)

    async def get_candles(
        self, symbol: Symbol, timeframe: str, *, limit: int = 100, force_fresh: bool = False
    ) -> Sourced[tuple[Candle, ...]]:
        """The newest `limit` candles, oldest first, the forming one last. Raises NoMarketData."""
        if timeframe not in TIMEFRAME_MS:
            raise NoMarketData(f"time frame must be one of {', '.join(TIMEFRAME_MS)}, was {timeframe}")
        series = self.market.value.series.get(series_key(symbol, timeframe))
        if series is not None and not force_fresh and series.synced:
            known = (*series.candles, *series.pending)[-limit:]
            age_s = self._age_s("candles", symbol, timeframe, series.received_ns)
            # A stream that holds less than was asked for cannot say whether there is more.
            if len(known) == limit and age_s <= self.settings.value.market.candle_stale_s:
                return self._answer(known, Source.WS, age_s)

        async def ask() -> tuple[Candle, ...]:
            answer = await self.door.ask(rest_requests.candles(f"trade:{timeframe}:{symbol}", limit=limit))
            return read_candle_answer(answer, symbol, timeframe)

        return await self._from_rest(("candles", symbol, timeframe, limit), ask, TTL_S, force_fresh=force_fresh)

    async def get_funding(self, symbol: str, *, force_fresh: bool = False) -> Sourced[FundingTicker]:
        """Rates of a funding currency such as fUSD, always over REST: no stream of the engine carries them.

        Raises NoMarketData.
        """

        async def ask() -> FundingTicker:
            answer = await self.door.ask(rest_requests.ticker(symbol))
            found = read_one_ticker(answer, symbol, received_ns=self.clock.now_ns())
            if not isinstance(found, FundingTicker):
                raise NoMarketData(f"{symbol} must be a funding currency")
            return found

        return await self._from_rest(("funding", symbol), ask, TTL_S, force_fresh=force_fresh)

    async def get_status(self, symbol: str, *, force_fresh: bool = False) -> Sourced[DerivStatus]:
        """Mark price and funding of a perpetual contract, over REST. Raises NoMarketData."""

        async def ask() -> DerivStatus:
            answer = await self.door.ask(rest_requests.derivative_status((symbol,)))
            found = read_deriv_statuses(answer, received_ns=self.clock.now_ns())
            if not found:
                raise NoMarketData(f"{symbol} must be a perpetual contract that has a status")
            return found[0]

        return await self._from_rest(("status", symbol), ask, TTL_S, force_fresh=force_fresh)

    async def symbols(self) -> Sourced[tuple[str, ...]]:
        """Every pair that the venue trades, as symbols."""

        async def ask() -> tuple[str, ...]:
            labels = ("pub:list:pair:exchange",)
            found = read_conf(await self.door.ask(rest_requests.conf(labels)), labels)
            return tuple(f"t{name}" for name in read_names(found[labels[0]]))

        return await self._from_rest("symbols", ask, REFERENCE_TTL_S)

    async def currencies(self) -> Sourced[dict[str, str]]:
        """What the venue's own currency codes mean elsewhere: `UST` is `USDT`."""

        async def ask() -> dict[str, str]:
            labels = ("pub:map:currency:sym",)
            return read_map(read_conf(await self.door.ask(rest_requests.conf(labels)), labels)[labels[0]])

        return await self._from_rest("currencies", ask, REFERENCE_TTL_S)

    def shares(self) -> dict[str, float]:
        """Where answers came from, in percent of all; each 0 before the first."""
        total = sum(self.answers.values())
        return {
            f"tradingbot_marketdata_{source}_percent": 100 * n / total if total else 0.0
            for source, n in self.answers.items()
        }

    # --- how it is found --------------------------------------------------------------------------------------------

    def _age_s(self, stream: str, symbol: str, timeframe: str, received_ns: int) -> float:
        """The age that the market cache gives a stream, and the time since it last looked."""
        silent_s = max(0.0, (self.clock.now_ns() - max(self.market.value.received_ns, received_ns)) / 1e9)
        for one in self.market.value.freshness:
            if (one.stream, one.symbol, one.timeframe) == (stream, symbol, timeframe):
                # A cache that stands still is as old as its newest word.
                return max(one.age_ms / 1000, silent_s)
        # So new that the cache has not looked at it yet.
        return max(0.0, (self.clock.now_ns() - received_ns) / 1e9)

    def _answer(self, value: V, source: Source, age_s: float) -> Sourced[V]:
        self.answers[source] += 1
        return Sourced(value, source, age_s)

    async def _from_rest(
        self, key: Hashable, ask: Callable[[], Awaitable[V]], ttl_s: float, *, force_fresh: bool = False
    ) -> Sourced[V]:
        try:
            kept = await self._kept.get(key, ask, ttl_s, force_fresh=force_fresh)
        except (EdgeError, BitfinexError) as error:
            self.rest_failures += 1
            raise NoMarketData(f"{type(error).__name__}: {error}") from error
        return self._answer(kept.value, Source.REST if kept.asked else Source.CACHE, kept.age_s)
