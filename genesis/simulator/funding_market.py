"""A made-up funding market, and the status of made-up perpetuals: recordings hold neither.

Everything follows from the currency and the moment (rates drift over the day, sizes depend on their place alone), so
two runs see the same and history can be asked for at any time. The trades made up here are also what offers of
accounts meet (`genesis.domain.funding_floor`).
"""

import math
import zlib
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

from genesis.simulator.book import DEPTH, DIGITS, rounded_price
from genesis.simulator.feed import SAME_TIMEFRAME, bucket_start
from protocols.bitfinex.numbers import js_number
from protocols.units import TIMEFRAME_MS

STEP_MS: Final = 10_000
"""How often the market changes, in venue time."""
MINUTE_MS: Final = 60_000
HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS
FUNDING_EVENT_MS: Final = 8 * HOUR_MS
BASE_RATES: Final = {"USD": 0.0002, "UST": 0.00018, "BTC": 0.00001, "ETH": 0.00002}
"""A day, of what such currencies cost in calm times; others cost 0.0001."""
PERIODS: Final = (2, 2, 2, 7, 30, 120)
SAMPLES: Final = 6
"""Looks into each candle: open, close and four between."""
SNAPSHOT_TRADES: Final = 30
IDS_A_STEP: Final = 1000
MARKET_IDS: Final = 500
"""Of a step's trade ids the lower half is the market's, the upper that of accounts."""
LONGEST_CATCH_UP: Final = 20
WIDEST_PREMIUM: Final = 0.0012
CLAMP_MIN: Final = 0.0005
CLAMP_MAX: Final = 0.0025


class FundingLevel(NamedTuple):
    """One offer (`amount` above zero) or demand (below), or several of one rate and period."""

    offer_id: int
    rate: float
    period: int
    offers: int
    amount: float


class FundingTrade(NamedTuple):
    trade_id: int
    time_ms: int
    amount: float
    rate: float
    period: int

    def row(self) -> list[Any]:
        return [self.trade_id, self.time_ms, self.amount, self.rate, self.period]

    def text(self) -> str:
        return f"[{self.trade_id},{self.time_ms},{js_number(self.amount)},{js_number(self.rate)},{self.period}]"


def seed_of(*parts: object) -> int:
    """A number that these parts alone decide: chance that can be asked for again."""
    return zlib.crc32(":".join(map(str, parts)).encode())


def _wave(at_ms: int, length_ms: int) -> float:
    return math.sin(2 * math.pi * (at_ms % length_ms) / length_ms)


def base_rate(currency: str) -> float:
    return BASE_RATES.get(currency.removeprefix("TEST"), 0.0001)


def rate_at(currency: str, at_ms: int) -> float:
    """The rate a day at which was lent last."""
    step = at_ms // STEP_MS
    noise = seed_of(currency, step) % 1000 / 1000 - 0.5
    drift = 1 + 0.3 * _wave(at_ms, DAY_MS) + 0.1 * _wave(at_ms, 3 * HOUR_MS) + 0.04 * noise
    return round(base_rate(currency) * drift, 8)


def trade_at(currency: str, at_ms: int) -> FundingTrade:
    """The trade of the step that holds this moment: one a step."""
    step = at_ms // STEP_MS
    seed = seed_of("trade", currency, step)
    sign = 1 if seed & 1 else -1
    return FundingTrade(
        trade_id=step * IDS_A_STEP + seed % MARKET_IDS,
        time_ms=step * STEP_MS,
        amount=sign * (5_000 + seed % 500_000) / 100,
        rate=rate_at(currency, at_ms),
        period=PERIODS[seed % len(PERIODS)],
    )


def trades_between(currency: str, start_ms: int, end_ms: int, limit: int, *, oldest_first: bool) -> list[FundingTrade]:
    """At most `limit` trades, of those that the window holds the oldest or the newest."""
    first, last = -(-max(start_ms, 0) // STEP_MS), end_ms // STEP_MS
    oldest, newest = range(first, min(last, first + limit - 1) + 1), range(last, max(first, last - limit + 1) - 1, -1)
    steps = oldest if oldest_first else newest
    return [trade_at(currency, step * STEP_MS) for step in steps]


@lru_cache(maxsize=65_536)
def _made_up_level(currency: str, place: int, sign: int, tick: float) -> FundingLevel:
    seed = seed_of("level", currency, place, sign)
    return FundingLevel(
        offer_id=3_000_000_000 + seed % 900_000_000,
        rate=round(place * tick, 8),
        period=PERIODS[seed % len(PERIODS)],
        offers=1 + seed % 4,
        amount=sign * (1_000 + seed % 2_000_000) / 100,
    )


def funding_book(
    currency: str, at_ms: int, own: Iterable[FundingLevel] = ()
) -> tuple[list[FundingLevel], list[FundingLevel]]:
    """(demands, offers), best first: the highest rate that is bid, the lowest that is asked."""
    tick = max(round(base_rate(currency) / 200, 8), 1e-8)
    place = round(rate_at(currency, at_ms) / tick)
    bids = [_made_up_level(currency, each, -1, tick) for each in range(place, max(0, place - DEPTH), -1)]
    asks = [_made_up_level(currency, each, 1, tick) for each in range(place + 1, place + DEPTH + 1)]
    for level in own:
        (asks if level.amount > 0 else bids).append(level)
    return (
        sorted(bids, key=lambda level: (-level.rate, level.offer_id)),
        sorted(asks, key=lambda level: (level.rate, level.offer_id)),
    )


class FundingView:
    """One way to see a funding book, and what was last told of it. All subscribers of it share one."""

    def __init__(self, precision: str, length: int) -> None:
        self.precision = precision
        self.length = length
        self._told: dict[object, FundingLevel] = {}

    def update(self, bids: Sequence[FundingLevel], asks: Sequence[FundingLevel]) -> list[str]:
        """Take a new state in; returns the rows that tell the difference, ends first."""
        now = {self._key(level): level for level in (*self._cut(bids, up=False), *self._cut(asks, up=True))}
        gone = [self._end(level) for key, level in self._told.items() if key not in now]
        come = [self._text(level) for key, level in now.items() if self._told.get(key) != level]
        self._told = now
        return gone + come

    def snapshot(self) -> str:
        return "[" + ",".join(map(self._text, self._told.values())) + "]"

    def _key(self, level: FundingLevel) -> object:
        return level.offer_id if self.precision == "R0" else (level.rate, level.period, level.amount > 0)

    def _cut(self, levels: Sequence[FundingLevel], *, up: bool) -> list[FundingLevel]:
        if self.precision == "R0":
            return [level._replace(offers=1) for level in levels[: self.length]]
        joined: dict[tuple[float, int], FundingLevel] = {}
        for level in levels:
            rate = rounded_price(level.rate, DIGITS[self.precision], up)
            before = joined.get((rate, level.period))
            if before is not None:
                total = round(before.amount + level.amount, 8)
                level = before._replace(offers=before.offers + level.offers, amount=total)
            elif len(joined) == self.length:
                break
            joined[rate, level.period] = level._replace(rate=rate)
        return list(joined.values())

    def _text(self, level: FundingLevel) -> str:
        if self.precision == "R0":
            return f"[{level.offer_id},{level.period},{js_number(level.rate)},{js_number(level.amount)}]"
        return f"[{js_number(level.rate)},{level.period},{level.offers},{js_number(level.amount)}]"

    def _end(self, level: FundingLevel) -> str:
        sign = 1 if level.amount > 0 else -1
        if self.precision == "R0":
            return f"[{level.offer_id},{level.period},0,{sign}]"
        return f"[{js_number(level.rate)},{level.period},0,{sign}]"


def flash_return_rate(currency: str, at_ms: int) -> float:
    """The mean rate of the hour before."""
    looks = [rate_at(currency, at_ms - part * HOUR_MS // 12) for part in range(12)]
    return sum(looks) / len(looks)


@lru_cache(maxsize=256)
def _day(currency: str, part: int) -> tuple[float, float]:
    """(high, low) of the 24 hours up to the end of this sixth of an hour."""
    looks = [rate_at(currency, (part - back) * HOUR_MS // 6) for back in range(144)]
    return max(looks), min(looks)


def funding_ticker(
    currency: str,
    at_ms: int,
    own: Iterable[FundingLevel] = (),
    own_trades: Sequence[FundingTrade] = (),
    at_flash_rate: float = 0.0,
) -> list[Any]:
    """The 16 elements of a funding ticker, with what accounts offer, lent in the last day, and offer at the FRR."""
    bids, asks = funding_book(currency, at_ms, own)
    last, before = rate_at(currency, at_ms), rate_at(currency, at_ms - DAY_MS)
    high, low = _day(currency, at_ms * 6 // HOUR_MS)
    lent = [trade for trade in own_trades if trade.time_ms > at_ms - DAY_MS]
    lent_volume = sum(abs(trade.amount) for trade in lent)
    if lent:
        high, low = max(high, *(trade.rate for trade in lent)), min(low, *(trade.rate for trade in lent))
        if lent[-1].time_ms >= at_ms - at_ms % STEP_MS:
            last = lent[-1].rate
    change = round(last - before, 8)
    return [
        round(flash_return_rate(currency, at_ms), 12),
        bids[0].rate,
        bids[0].period,
        round(-sum(level.amount for level in bids[:25]), 8),
        asks[0].rate,
        asks[0].period,
        round(sum(level.amount for level in asks[:25]), 8),
        change,
        round(change / before, 4),
        last,
        round(
            20_000_000 + seed_of("volume", currency, at_ms // HOUR_MS) % 5_000_000 + lent_volume,
            8,
        ),
        max(high, last),
        min(low, last),
        None,
        None,
        round(1_000_000 + seed_of("frr", currency, at_ms // HOUR_MS) % 1_000_000 + at_flash_rate, 8),
    ]


def funding_candle(currency: str, timeframe: str, open_ms: int, now_ms: int) -> list[Any]:
    """[open time, open, close, high, low, volume] of the rate; the running one ends now."""
    end_ms = min(_next_open(open_ms, timeframe), now_ms + STEP_MS)
    length_ms = max(end_ms - open_ms - STEP_MS, 0)
    looks = [rate_at(currency, open_ms + length_ms * part // (SAMPLES - 1)) for part in range(SAMPLES)]
    volume = (1 + length_ms // STEP_MS) * (1_000 + seed_of("candle", currency, open_ms) % 2_000)
    return [open_ms, looks[0], looks[-1], max(looks), min(looks), float(volume)]


def _next_open(open_ms: int, timeframe: str) -> int:
    # A month has at most 31 days, and the day after begins the next one.
    length_ms = {"4h": 4 * HOUR_MS, "1M": 31 * DAY_MS}.get(timeframe) or TIMEFRAME_MS[timeframe]
    return bucket_start(open_ms + length_ms, timeframe)


def funding_candles(
    currency: str, timeframe: str, start_ms: int, end_ms: int, now_ms: int, limit: int
) -> Iterator[list[Any]]:
    """Newest first, the running one among them."""
    known = SAME_TIMEFRAME.get(timeframe, timeframe)
    open_ms = bucket_start(min(end_ms, now_ms), known)
    for _ in range(limit):
        if open_ms < max(start_ms, 0):
            return
        yield funding_candle(currency, known, open_ms, now_ms)
        open_ms = bucket_start(open_ms - 1, known)


def funding_candles_from(
    currency: str, timeframe: str, start_ms: int, end_ms: int, now_ms: int, limit: int
) -> Iterator[list[Any]]:
    """Oldest first, from the first that begins at `start_ms` or later."""
    known = SAME_TIMEFRAME.get(timeframe, timeframe)
    open_ms = bucket_start(max(start_ms, 0), known)
    if open_ms < start_ms:
        open_ms = _next_open(open_ms, known)
    for _ in range(limit):
        if open_ms > min(end_ms, now_ms):
            return
        yield funding_candle(currency, known, open_ms, now_ms)
        open_ms = _next_open(open_ms, known)


def funding_statistics(currency: str, start_ms: int, end_ms: int, limit: int) -> list[list[Any]]:
    """Hourly rows of `funding/stats`, newest first; rates are told as the 365th part of the daily one."""
    last_ms = end_ms - end_ms % HOUR_MS
    rows = []
    for at_ms in range(last_ms, max(start_ms, last_ms - limit * HOUR_MS), -HOUR_MS):
        size = 5e8 + seed_of("size", currency, at_ms) % 100_000_000
        rate = flash_return_rate(currency, at_ms) / 365
        used, idle = round(size * 0.85, 2), round(size * 0.1, 2)
        rows.append([at_ms, None, None, rate, 30.5, None, None, size, used, None, None, idle])
    return rows


# --- perpetuals ---------------------------------------------------------------------------------------------------


def spot_pairs(symbol: str) -> tuple[str, ...]:
    """The pairs whose price a perpetual follows: `tBTCF0:USTF0` follows `tBTCUST`, else `tBTCUSD`."""
    base, _, quote = symbol[1:].partition(":")
    if not (base.endswith("F0") and quote.endswith("F0")):
        return ()
    names = (base[:-2], quote[:-2]), (base[:-2], "USD")
    return tuple(f"t{one}{other}" if len(one) == len(other) == 3 else f"t{one}:{other}" for one, other in names)


def premium_at(symbol: str, at_ms: int) -> float:
    """The part by which a contract costs more than its pair, the same for a whole minute."""
    minute = at_ms // MINUTE_MS
    noise = seed_of(symbol, minute) % 1000 / 1000 - 0.5
    return WIDEST_PREMIUM * _wave(minute * MINUTE_MS, 5 * HOUR_MS) + 0.0002 * noise


def funding_rate_at(symbol: str, event_ms: int) -> float:
    """What longs pay shorts at a funding event, as a part of the position's value."""
    return round(_beyond(WIDEST_PREMIUM * _wave(event_ms, 5 * HOUR_MS)), 8)


def derivative_row(symbol: str, spot: float, at_ms: int, open_contracts: float = 0.0) -> list[Any]:
    """The 23 elements of a derivative's status; `open_contracts` are those of accounts."""
    premium = premium_at(symbol, at_ms)
    price = float(f"{spot * (1 + premium):.5g}")
    event_ms = at_ms - at_ms % FUNDING_EVENT_MS
    return [
        at_ms,
        None,
        price,
        spot,
        None,
        round(1_000_000 + 10 * (at_ms / DAY_MS), 8),
        None,
        event_ms + FUNDING_EVENT_MS,
        round(_beyond(premium), 8),
        at_ms % FUNDING_EVENT_MS // 60_000,
        None,
        funding_rate_at(symbol, event_ms),
        None,
        None,
        round((price + spot) / 2, 8),
        None,
        None,
        round(1_000 + seed_of("interest", symbol, at_ms // HOUR_MS) % 500 + open_contracts, 8),
        None,
        None,
        None,
        CLAMP_MIN,
        CLAMP_MAX,
    ]


def _beyond(premium: float) -> float:
    """What of a premium is paid: nothing within the clamp, no more than the cap."""
    paid = max(abs(premium) - CLAMP_MIN, 0.0)
    return math.copysign(min(paid, CLAMP_MAX), premium) if paid else 0.0
