"""REST answers: the body checked for the venue's errors, then its rows read into messages (public endpoints).

The venue answers errors with HTTP 500 and `["error", code, text]`, a rate limit with 429, an unknown path with HTML.
Authenticated answers are in `rest_account`, requests in `rest_requests`.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from protocols.bitfinex.errors import ERR_RATE_LIMIT, MalformedFrame, VenueError, venue_error
from protocols.bitfinex.numbers import read_json, read_json_floats, write_json
from protocols.bitfinex.public import (
    FUNDING_TICKER_LENGTH,
    funding_ticker_row,
    read_candle,
    read_candles,
    read_deriv_status,
    read_funding_print,
    read_funding_ticker,
    read_liquidation,
    read_ticker,
    read_trade_print,
    ticker_row,
)
from protocols.bitfinex.rows import Row, Tolerance, rows_of
from protocols.bitfinex.symbols import symbol_of_pair
from protocols.bitfinex.wire_book import new_book
from protocols.market import (
    BookLevels,
    Candle,
    DerivStatus,
    FundingPrint,
    FundingTicker,
    Liquidation,
    Ticker,
    TradePrint,
)
from protocols.reference import FundingStatistic, PairInfo, Ranking, Statistic, TickerPast
from protocols.units import Symbol

HTTP_OK: Final = 200
HTTP_TOO_MANY: Final = 429

T = TypeVar("T")


# --- the answer as a whole ----------------------------------------------------------------------------------------


def read_answer(status: int, body: bytes | str, *, exact: bool = False) -> Any:
    """The JSON of a successful answer; `exact` reads fractions as Decimal (account data) instead of float64.

    Raises VenueError (RateLimited, NonceTooSmall, Maintenance, AuthFailed) when the venue says no, MalformedFrame when
    the body is no answer of the venue (HTML of a gateway, a cut body): whether it was carried out is then unknown.
    """
    if status == HTTP_TOO_MANY:
        raise venue_error(ERR_RATE_LIMIT, "ratelimit: error")
    value = read_json(body) if exact else read_json_floats(body)
    if isinstance(value, list) and value and value[0] == "error":
        row = Row("error", value)
        text = value[2] if len(value) > 2 and isinstance(value[2], str) else ""
        raise venue_error(row.integer_or_none(1), text)
    if isinstance(value, dict) and "error" in value:
        text = value.get("error_description") or value["error"]
        code = ERR_RATE_LIMIT if value["error"] == "ERR_RATE_LIMIT" else None
        raise venue_error(code, text if isinstance(text, str) else "")
    if status != HTTP_OK:
        raise VenueError(None, f"HTTP {status}")
    return value


def error_body(code: int, text: str) -> bytes:
    """The body of a refusal, to be sent with HTTP 500 (or 429)."""
    return write_json(["error", code, text])


def read_rows(name: str, value: object, read: Callable[[object], T]) -> tuple[T, ...]:
    """Every row of a list."""
    return tuple(read(row) for row in rows_of(name, value))


# --- market data --------------------------------------------------------------------------------------------------


def read_platform_status(value: object) -> bool:
    """Whether the venue is operative."""
    return Row.of("platform status", value, 1, None).integer(0) == 1


def read_one_ticker(value: object, symbol: str, *, received_ns: int) -> Ticker | FundingTicker:
    read = read_funding_ticker if symbol.startswith("f") else read_ticker
    return read(value, symbol, venue_ms=0, received_ns=received_ns)


def read_tickers(
    value: object, *, received_ns: int, tolerance: Tolerance | None = None
) -> tuple[Ticker | FundingTicker, ...]:
    """Rows with their symbol before them. Rows of pairs that never traded have no prices: left out, and counted."""
    tickers: list[Ticker | FundingTicker] = []
    for item in rows_of("tickers", value):
        row = Row.of("tickers", item, 0, None)
        symbol = row.text(0)
        try:
            tickers.append(read_one_ticker(list(row.cells[1:]), symbol, received_ns=received_ns))
        except MalformedFrame:
            if None not in row.cells[1:8]:
                raise
            if tolerance is not None:
                tolerance.unexpected_nulls += 1
    return tuple(tickers)


def tickers_row(ticker: Ticker | FundingTicker) -> list[Any]:
    """One row of the tickers answer."""
    row = ticker_row(ticker) if isinstance(ticker, Ticker) else funding_ticker_row(ticker)
    return [ticker.symbol, *row]


def is_funding_row(row: Sequence[object]) -> bool:
    """Rows of `tickers` differ by length only."""
    return len(row) > FUNDING_TICKER_LENGTH


def read_ticker_history(value: object) -> tuple[TickerPast, ...]:
    def read(item: object) -> TickerPast:
        row = Row.of("ticker history", item, 13, None)
        return TickerPast(symbol=Symbol(row.text(0)), bid=row.number(1), ask=row.number(3), time_ms=row.integer(12))

    return read_rows("ticker history", value, read)


def read_candle_answer(
    value: object, symbol: str, timeframe: str, *, tolerance: Tolerance | None = None
) -> tuple[Candle, ...]:
    """`hist` (rows) or `last` (one flat row), oldest first. The newest candle may still be forming."""
    rows = rows_of("candles", value)
    if rows and not isinstance(rows[0], list):
        return (read_candle(rows, symbol, timeframe, tolerance=tolerance),)
    return read_candles(rows, symbol, timeframe, tolerance=tolerance)


def read_trades_answer(
    value: object, symbol: str, *, received_ns: int, tolerance: Tolerance | None = None
) -> tuple[TradePrint, ...]:
    """Public trades of a trading symbol, oldest first."""
    prints = (
        read_trade_print(row, symbol, venue_ms=0, received_ns=received_ns, tolerance=tolerance)
        for row in rows_of("trades", value)
    )
    return tuple(sorted(prints, key=lambda trade: trade.trade_id))


def read_funding_trades_answer(value: object, symbol: str, *, received_ns: int) -> tuple[FundingPrint, ...]:
    """Public trades of a funding currency, oldest first."""
    prints = (read_funding_print(row, symbol, venue_ms=0, received_ns=received_ns) for row in rows_of("trades", value))
    return tuple(sorted(prints, key=lambda trade: trade.trade_id))


def read_book_answer(value: object, symbol: str, precision: str, *, received_ns: int) -> BookLevels:
    """A book as levels, best first; of a raw or funding book every entry is a level of its own."""
    funding = symbol.startswith("f")
    book = new_book(precision=precision, funding=funding)
    for row in rows_of("book", value):
        try:
            book.apply(row, None)
        except (TypeError, ValueError, LookupError, ArithmeticError) as error:
            raise MalformedFrame(f"book row must be of numbers ({type(error).__name__})") from None
    keyed = funding or precision == "R0"

    def levels(rows: Sequence[tuple[Any, ...]]) -> tuple[tuple[float, float, int], ...]:
        if keyed:
            return tuple((float(row[1]), abs(float(row[2])), 1) for row in rows)
        return tuple((float(row[0]), abs(float(row[2])), int(row[1])) for row in rows)

    return BookLevels(
        symbol=Symbol(symbol),
        bids=levels(book.best_bids(1000)),
        asks=levels(book.best_asks(1000)),
        venue_ms=0,
        received_ns=received_ns,
    )


# --- instruments --------------------------------------------------------------------------------------------------


def read_conf(value: object, labels: Sequence[str]) -> dict[str, Any]:
    """The elements of a conf answer by their labels: one element a label, in order."""
    rows = rows_of("conf", value)
    if len(rows) < len(labels):
        raise MalformedFrame(f"conf must have {len(labels)} elements, was {len(rows)}")
    return dict(zip(labels, rows, strict=False))


def read_pair_infos(value: object, *, unclear: dict[str, str] | None = None) -> tuple[PairInfo, ...]:
    """The element of `pub:info:pair` and `pub:info:pair:futures`; sizes come as text.

    With `unclear` a row that cannot be is left out, and its reason put there by its symbol ("" where it names none): it
    must not keep the others from being known, and its pair is listed all the same.
    """

    def read(item: object) -> PairInfo:
        row = Row.of("pair info", item, 2, None)
        inner = Row.of("pair info", row.get(1), 12, None)
        return PairInfo(
            symbol=symbol_of_pair(row.text(0)),
            minimum_size=inner.decimal(3),
            maximum_size=inner.decimal(4),
            initial_margin=_decimal_of_float(inner, 8),
            minimum_margin=_decimal_of_float(inner, 9),
        )

    if unclear is None:
        return read_rows("pair info", value, read)
    found = []
    for item in rows_of("pair info", value):
        try:
            found.append(read(item))
        except MalformedFrame as error:
            name = item[0] if isinstance(item, list) and item and isinstance(item[0], str) else ""
            unclear[symbol_of_pair(name) if name else ""] = str(error)
    return tuple(found)


def _decimal_of_float(row: Row, index: int) -> Any:
    value = row.get(index)
    return Row(row.name, [repr(value)]).decimal(0) if isinstance(value, float) else row.decimal_or_none(index)


def read_names(value: object) -> tuple[str, ...]:
    """The element of a `pub:list:...` label."""
    return read_rows("list", value, lambda item: Row("list", [item]).text(0))


def read_map(value: object) -> dict[str, str]:
    """The element of a `pub:map:currency:sym|label|unit|undl|pool` label."""
    rows = (Row.of("map", item, 2, None) for item in rows_of("map", value))
    return {row.text(0): row.text(1) for row in rows}


def pair_info_row(info: PairInfo) -> list[Any]:
    """One element of `pub:info:pair`."""
    inner: list[Any] = [None] * 12
    inner[3:5] = [_size_text(info.minimum_size), _size_text(info.maximum_size)]
    inner[8:10] = [info.initial_margin, info.minimum_margin]
    return [info.symbol[1:], inner]


def _size_text(size: Any) -> str:
    text = format(size, "f")
    return text if "." in text else f"{text}.0"


# --- statistics ---------------------------------------------------------------------------------------------------


def read_deriv_statuses(value: object, *, received_ns: int) -> tuple[DerivStatus, ...]:
    """Rows with their symbol before them."""

    def read(item: object) -> DerivStatus:
        row = Row.of("derivative status", item, 24, None)
        return read_deriv_status(list(row.cells[1:]), row.text(0), venue_ms=0, received_ns=received_ns)

    return read_rows("derivative status", value, read)


def read_deriv_history(value: object, symbol: str, *, received_ns: int) -> tuple[DerivStatus, ...]:
    """Rows without their symbol."""
    return read_rows(
        "derivative status",
        value,
        lambda item: read_deriv_status(item, symbol, venue_ms=0, received_ns=received_ns),
    )


def read_liquidations(value: object, *, received_ns: int) -> tuple[Liquidation, ...]:
    """Every row is wrapped once more."""
    return tuple(
        read_liquidation(row, venue_ms=0, received_ns=received_ns)
        for wrapped in rows_of("liquidations", value)
        for row in rows_of("liquidations", wrapped)
    )


def read_statistics(value: object) -> tuple[Statistic, ...]:
    """stats1: `hist` (rows) or `last` (one flat row)."""
    rows = rows_of("statistics", value)
    if rows and not isinstance(rows[0], list):
        rows = [rows]

    def read(item: object) -> Statistic:
        row = Row.of("statistic", item, 2, None)
        return Statistic(time_ms=row.integer(0), value=row.number(1))

    return read_rows("statistics", rows, read)


def read_funding_statistics(value: object) -> tuple[FundingStatistic, ...]:
    def read(item: object) -> FundingStatistic:
        row = Row.of("funding statistic", item, 12, None)
        return FundingStatistic(
            time_ms=row.integer(0),
            flash_return_rate=row.number(3),
            average_period=row.number(4),
            amount=row.number(7),
            amount_used=row.number(8),
            below_threshold=row.number(11),
        )

    return read_rows("funding statistics", value, read)


def read_rankings(value: object) -> tuple[Ranking, ...]:
    def read(item: object) -> Ranking:
        row = Row.of("ranking", item, 10, None)
        return Ranking(time_ms=row.integer(0), user_name=row.text(2), rank=row.integer(3), value=row.number(6))

    return read_rows("rankings", value, read)


def read_average_price(value: object) -> tuple[float, float]:
    """calc/trade/avg: the average price and the amount it holds for."""
    row = Row.of("average price", value, 2, None)
    return row.number(0), row.number(1)


def read_exchange_rate(value: object) -> float:
    """calc/fx."""
    return Row.of("exchange rate", value, 1, None).number(0)
