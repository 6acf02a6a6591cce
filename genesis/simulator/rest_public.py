"""Public REST endpoints: tickers, trades, books, candles, what is traded here, and two calculators."""

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

from genesis.simulator.book import BookView
from genesis.simulator.feed import Feed
from genesis.simulator.funding_market import (
    FundingView,
    funding_candles,
    funding_candles_from,
    funding_statistics,
    seed_of,
)
from genesis.simulator.market_statistics import statistic
from genesis.simulator.rest import Call, RestRefusal, Route, route
from protocols.bitfinex.errors import ERR_PARAMS
from protocols.bitfinex.numbers import read_json_floats
from protocols.bitfinex.public import liquidation_row
from protocols.bitfinex.subscriptions import CANDLE_TIMEFRAMES, PRECISIONS
from protocols.market import Candle
from protocols.units import ZERO, Symbol, exact, plain

CANDLE_KEY: Final = re.compile(r"trade:(\w+):(t[^:]+(?::[^:]+)?|f[^:]+(?::.+)?)")
RANKING: Final = re.compile(r"(plu_diff|plu|plr|vol):(3h|1w|1M):(.+)")
RANKING_MS: Final = {"3h": 3 * 3_600_000, "1w": 7 * 86_400_000, "1M": 30 * 86_400_000}
STATUS_STEP_MS: Final = 60_000
BOOK_LENGTHS: Final = (1, 25, 100, 250)
CURRENCY_NAMES: Final = {"BTC": "Bitcoin", "ETH": "Ethereum", "USD": "US Dollar"}


def _feed(call: Call, symbol: str) -> Feed:
    call.exchange.wake(Symbol(symbol))
    feed = call.exchange.market.feeds.get(Symbol(symbol))
    if feed is None:
        raise RestRefusal(ERR_PARAMS, "symbol: invalid")
    return feed


def platform_status(call: Call) -> Any:
    return [1 if call.exchange.operative else 0]


def _currency(call: Call, symbol: str) -> str | None:
    """The currency of a funding symbol that is lent here; None of a pair."""
    if not symbol.startswith("f"):
        return None
    currency = call.exchange.market.funding.currency_of(symbol)
    if currency is None:
        raise RestRefusal(ERR_PARAMS, "symbol: invalid")
    return currency


def ticker(call: Call) -> Any:
    symbol = Symbol(call.groups[0])
    if (currency := _currency(call, symbol)) is not None:
        return call.exchange.market.funding.ticker(currency, call.exchange.venue_ms())
    _feed(call, symbol)
    row = call.exchange.market.ticker_row(symbol)
    if row is None:
        raise RestRefusal(ERR_PARAMS, "symbol: invalid")
    return read_json_floats(row)


def tickers(call: Call) -> Any:
    asked = str(call.parameter("symbols") or "")
    if not asked:
        raise RestRefusal(ERR_PARAMS, "symbols: invalid")
    market = call.exchange.market
    every = [*market.feeds, *(f"f{each}" for each in sorted(market.funding.currencies))]
    symbols: Sequence[str] = every if asked == "ALL" else asked.split(",")
    rows: list[Any] = []
    for symbol in symbols:
        call.exchange.wake(Symbol(symbol))
        if (currency := market.funding.currency_of(symbol)) is not None:
            rows.append([symbol, *market.funding.ticker(currency, call.exchange.venue_ms())])
            continue
        row = market.ticker_row(Symbol(symbol)) if symbol in market.feeds else None
        if row is not None:
            rows.append([symbol, *read_json_floats(row)])
    return rows


def tickers_hist(call: Call) -> Any:
    """Best bid and ask at each full hour, from the candles: the recording holds no quotes of the past."""
    symbols = [symbol for symbol in str(call.parameter("symbols") or "").split(",") if symbol]
    start, end = call.window()
    rows: list[Any] = []
    for symbol in symbols:
        call.exchange.wake(Symbol(symbol))
        feed = call.exchange.market.feeds.get(Symbol(symbol))
        for candle in feed.candles("1h") if feed is not None else ():
            if start <= candle.open_ms <= end:
                model, tick = call.exchange.settings.model, exact(candle.open)
                bid, ask = model.best(tick)
                rows.append([symbol, bid, None, ask, *[None] * 8, candle.open_ms])
    rows.sort(key=lambda row: row[12], reverse=not call.oldest_first)
    return rows[: call.limit(100, 250)]


def trades(call: Call) -> Any:
    start, end = call.window()
    if (currency := _currency(call, call.groups[0])) is not None:
        end = min(end, call.exchange.venue_ms())
        limit = call.limit(125, 10_000)
        lent = call.exchange.market.funding.trades(currency, start, end, limit, oldest_first=call.oldest_first)
        return [trade.row() for trade in lent]
    feed = _feed(call, call.groups[0])
    found = [trade for trade in feed.trades if start <= trade.time_ms <= end]
    limit = call.limit(125, 10_000)
    chosen = found[:limit] if call.oldest_first else found[: -limit - 1 : -1]
    return [[trade.trade_id, trade.time_ms, trade.amount, trade.price] for trade in chosen]


def book(call: Call) -> Any:
    symbol, precision = Symbol(call.groups[0]), call.groups[1]
    currency = _currency(call, symbol)
    if currency is None:
        _feed(call, symbol)
    if precision not in PRECISIONS:
        raise RestRefusal(ERR_PARAMS, "prec: invalid")
    length = call.integer("len", 25)
    if length not in BOOK_LENGTHS:
        raise RestRefusal(ERR_PARAMS, "len: invalid")
    if currency is not None:
        lent = FundingView(precision, length)
        lent.update(*call.exchange.market.funding.book(currency, call.exchange.venue_ms()))
        return read_json_floats(lent.snapshot())
    view = BookView(precision, length)
    view.update(*call.exchange.market.book(symbol))
    return read_json_floats(view.snapshot())


def _row(candle: Candle) -> list[Any]:
    return [candle.open_ms, candle.open, candle.close, candle.high, candle.low, candle.volume]


def candles(call: Call) -> Any:
    matched = CANDLE_KEY.fullmatch(call.groups[0])
    if matched is None or matched[1] not in CANDLE_TIMEFRAMES:
        raise RestRefusal(ERR_PARAMS, "key: invalid")
    timeframe, symbol = matched[1], matched[2]
    if (currency := call.exchange.market.funding.currency_of(symbol)) is not None and ":" in symbol:
        return _funding_candles(call, currency, timeframe)
    call.exchange.wake(Symbol(symbol))
    feed = call.exchange.market.feeds.get(Symbol(symbol))
    if feed is None:
        return []
    known = feed.candles(timeframe)
    if call.groups[1].lower() == "last":
        return _row(known[-1]) if known else []
    limit = call.limit(100, 10_000)
    start, end = call.window()
    if call.oldest_first:
        found = [candle for candle in known if start <= candle.open_ms <= end][:limit]
    else:
        found = [candle for candle in reversed(known) if start <= candle.open_ms <= end][:limit]
    return [_row(candle) for candle in found]


def _funding_candles(call: Call, currency: str, timeframe: str) -> Any:
    now_ms = call.exchange.venue_ms()
    if call.groups[1].lower() == "last":
        return next(iter(funding_candles(currency, timeframe, 0, now_ms, now_ms, 1)))
    limit = call.limit(100, 10_000)
    start, end = call.window()
    rows = funding_candles_from if call.oldest_first else funding_candles
    return list(rows(currency, timeframe, start, end, now_ms, limit))


def conf(call: Call) -> Any:
    return [_conf(call, label) for label in call.groups[0].split(",")]


def _conf(call: Call, label: str) -> Any:
    specs = [spec for symbol, spec in call.exchange.venue.specs.items() if symbol not in call.exchange.unlisted]
    spot = [spec for spec in specs if not spec.is_derivative]
    currencies = sorted({currency for spec in specs for currency in (spec.base, spec.quote)})
    if label == "pub:list:pair:exchange":
        return [spec.pair for spec in spot]
    if label == "pub:list:pair:margin":
        return [spec.pair for spec in spot if spec.initial_margin is not None]
    if label == "pub:list:pair:futures":
        return [spec.pair for spec in specs if spec.is_derivative]
    if label in ("pub:list:currency", "pub:list:currency:margin"):
        return currencies
    if label in ("pub:info:pair", "pub:info:pair:futures"):
        chosen = spot if label == "pub:info:pair" else [spec for spec in specs if spec.is_derivative]
        return [
            [
                spec.pair,
                [
                    *[None] * 3,
                    plain(spec.minimum),
                    _with_point(spec.maximum),
                    *[None] * 3,
                    spec.initial_margin,
                    spec.minimum_margin,
                    None,
                    None,
                ],
            ]
            for spec in chosen
        ]
    if label == "pub:map:currency:undl":
        return [[currency, currency.removeprefix("TEST")[:-2]] for currency in currencies if currency.endswith("F0")]
    if label == "pub:map:currency:label":
        return [[currency, CURRENCY_NAMES.get(currency, currency)] for currency in currencies]
    if label == "pub:map:currency:tx:fee":
        return [[currency, [0, 0]] for currency in currencies]
    if label == "pub:map:tx:method":
        return [[CURRENCY_NAMES.get(currency, currency).upper(), [currency]] for currency in currencies]
    if label == "pub:info:tx:status":
        return [
            [CURRENCY_NAMES.get(currency, currency).upper(), 1, 1, None, None, None, None, 0, 0, None, None, 3]
            for currency in currencies
        ]
    if label == "pub:fees":
        return {
            "deriv_perp": {
                "correction_clamp_min": 0.0025,
                "correction_clamp_insurance": 0.0015,
                "correction_slope": 0.2,
            }
        }
    if label == "pub:spec:margin":
        return {"conf": {}, "initial": {}, "minimum": {}}
    if label.startswith(("pub:list:", "pub:map:", "pub:info:")):
        return []
    raise RestRefusal(ERR_PARAMS, "conf: invalid")


def _with_point(number: Decimal) -> str:
    text = plain(number)
    return text if "." in text else f"{text}.0"


def status(call: Call) -> Any:
    """The status of the made-up perpetuals, or the newest liquidations."""
    side, now_ms = call.exchange.market.funding, call.exchange.venue_ms()
    if call.groups[0] != "deriv":
        return liquidations(call)
    asked = str(call.parameter("keys") or "")
    symbols = side.perpetuals() if asked == "ALL" else asked.split(",")
    return [[symbol, *row] for symbol in symbols if (row := side.status(symbol, now_ms)) is not None]


def status_history(call: Call) -> Any:
    """A row a minute, at the spot price of now: the contract is made up, and so is its past."""
    side, now_ms = call.exchange.market.funding, call.exchange.venue_ms()
    start, end = call.window()
    limit = call.limit(100, 5_000)
    last = min(end, now_ms) // STATUS_STEP_MS
    first = max(-(-start // STATUS_STEP_MS), 0)
    newest = range(last, max(first, last - limit + 1) - 1, -1)
    steps = range(first, min(last, first + limit - 1) + 1) if call.oldest_first and start else newest
    rows = [side.status(call.groups[0], step * STATUS_STEP_MS) for step in steps]
    return [row for row in rows if row is not None]


def statistics(call: Call) -> Any:
    """`pos.size`, `funding.size` and the like: [time, value], the newest first."""
    found, now_ms = statistic(call.exchange, call.groups[0]), call.exchange.venue_ms()
    if found is None:
        raise RestRefusal(ERR_PARAMS, "key: invalid")
    value, step_ms = found
    if call.groups[1].lower() == "last":
        return [now_ms - now_ms % step_ms, value(now_ms)]
    start, end = call.window()
    limit = call.limit(100, 10_000)
    first, last = -(-max(start, 0) // step_ms), min(end, now_ms) // step_ms
    newest = range(last, max(first, last - limit + 1) - 1, -1)
    oldest = range(first, min(last, first + limit - 1) + 1)
    return [[step * step_ms, value(step * step_ms)] for step in (oldest if call.oldest_first and start else newest)]


def funding_stats(call: Call) -> Any:
    currency = _currency(call, call.groups[0])
    if currency is None:
        raise RestRefusal(ERR_PARAMS, "symbol: invalid")
    start, end = call.window()
    return funding_statistics(currency, start, min(end, call.exchange.venue_ms()), call.limit(100, 250))


def liquidations(call: Call) -> Any:
    """Each row wrapped once more, as the venue does."""
    start, end = call.window()
    known = [each for each in call.exchange.market.liquidations if start <= each.time_ms <= end]
    limit = call.limit(100, 500)
    chosen = known[:limit] if call.oldest_first else known[: -limit - 1 : -1]
    return [[liquidation_row(each)] for each in chosen]


def rankings(call: Call) -> Any:
    """A leader board of made-up traders, at the start of each period."""
    matched = RANKING.fullmatch(call.groups[0])
    if matched is None:
        raise RestRefusal(ERR_PARAMS, "key: invalid")
    key, length_ms, now_ms = matched[1], RANKING_MS[matched[2]], call.exchange.venue_ms()
    start, end = call.window()
    at_ms = min(end, now_ms) - min(end, now_ms) % length_ms
    if at_ms < start:
        return []
    values = sorted(
        (seed_of("ranking", key, call.groups[0], at_ms, each) % 10**7 / 10 for each in range(20)), reverse=True
    )
    sign = -1 if call.oldest_first else 1
    rows = [
        [at_ms, None, f"trader{rank}", rank, None, None, value, None, None, None]
        for rank, value in enumerate(values, 1)
    ]
    return rows[::sign][: call.limit(125, 10_000)]


def nothing(call: Call) -> Any:
    return []


def average_price(call: Call) -> Any:
    """What a market order of this size would get now."""
    symbol = Symbol(str(call.parameter("symbol") or ""))
    _feed(call, symbol)
    try:
        amount = Decimal(str(call.parameter("amount")))
    except ArithmeticError:
        raise RestRefusal(ERR_PARAMS, "amount: invalid") from None
    if not amount.is_finite() or amount == 0:
        raise RestRefusal(ERR_PARAMS, "amount: invalid")
    bids, asks = call.exchange.market.book(symbol)
    wanted, cost = abs(amount), ZERO
    for level in asks if amount > 0 else bids:
        piece = min(wanted, exact(abs(level.amount)))
        cost += piece * exact(level.price)
        wanted -= piece
        if wanted == 0:
            break
    filled = abs(amount) - wanted
    if filled == 0:
        raise RestRefusal(ERR_PARAMS, "amount: invalid")
    return [round(cost / filled, 8), filled if amount > 0 else -filled]


def exchange_rate(call: Call) -> Any:
    first, second = str(call.parameter("ccy1") or ""), str(call.parameter("ccy2") or "")
    if first == second and first:
        return [1]
    for spec in call.exchange.venue.specs.values():
        price = call.exchange.venue.last_price(spec.symbol)
        if price is None and not spec.is_derivative:
            feed = call.exchange.market.feeds[spec.symbol]
            price = None if feed.last is None else exact(feed.last)
        if price is not None and {first, second} == {spec.base, spec.quote}:
            return [price if first == spec.base else round(1 / price, 8)]
    raise RestRefusal(ERR_PARAMS, "ccy: invalid")


# The Go client writes the last part of these paths in capitals.
PUBLIC_ROUTES: Final[tuple[Route, ...]] = (
    route("GET", r"platform/status", platform_status, per_minute=30),
    route("GET", r"ticker/([^/]+)", ticker),
    route("GET", r"tickers", tickers, per_minute=30),
    route("GET", r"tickers/hist", tickers_hist),
    route("GET", r"trades/([^/]+)/hist", trades, per_minute=15),
    route("GET", r"book/([^/]+)/([^/]+)", book, per_minute=240),
    route("GET", r"candles/([^/]+)/(hist|last|HIST|LAST)", candles, per_minute=30),
    route("GET", r"conf/(.+)", conf),
    route("GET", r"status/(deriv|liq)", status),
    route("GET", r"status/deriv/([^/]+)/hist", status_history),
    route("GET", r"liquidations/hist", liquidations, per_minute=3),
    route("GET", r"stats1/([^/]+)/(last|hist|LAST|HIST)", statistics, per_minute=15),
    route("GET", r"funding/stats/([^/]+)/hist", funding_stats),
    route("GET", r"rankings/([^/]+)/hist", rankings),
    route("GET", r"pulse/(?:hist|profile/[^/]+)", nothing),
    route("GET", r"ext/vasps", nothing),
    route("POST", r"calc/trade/avg", average_price),
    route("POST", r"calc/fx", exchange_rate),
)
