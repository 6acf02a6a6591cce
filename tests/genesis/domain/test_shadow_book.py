"""A shadow's book: it loses nothing over a restart at any moment, and orders meet what the market did meanwhile."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genesis.domain.account_checkpoint import ACCOUNT_TABLE
from genesis.domain.order_rows import TABLE as ORDER_TABLE
from genesis.domain.pairs import pair_specs
from genesis.domain.replay import TICK_MS, CandleRow, tick_prices
from genesis.domain.risk_machine import RISK_TABLE
from genesis.domain.shadow_book import STATE_TABLE, TABLES, CannotGoOn, ShadowBook, beginning, emptied
from genesis.domain.signal_machine import SIGNAL_TABLE
from genesis.domain.ticks import merge_stretches, price_path
from genesis.domain.venue_state import EXCHANGE
from protocols.config import Metric, Rollout, RolloutPlan
from protocols.journal import CellWrite, Record
from protocols.market import Candle, CandleClosed
from protocols.settings import Settings
from protocols.shadow import Stretch
from protocols.units import Side, Symbol
from tests.house import lively_layer, piece_of, settings_of

BTC = Symbol("tBTCUSD")
LIVE: Settings = settings_of(lively_layer())
RUNNING: list[dict[str, Any]] = msgspec.convert(lively_layer().values["strategies"], list[dict[str, Any]])
TWIN: dict[str, Any] = {**RUNNING[0], "name": "twin"}
RECORDING = piece_of(minutes=90, skip=600)
BEGINS_MS = RECORDING.first_ms


def a_rollout(version: int = 2) -> Rollout:
    changes = {"strategies": [*RUNNING, TWIN]}
    plan = RolloutPlan(name="tried", changes=changes, shadow=True, metric=Metric.LOSS)
    return Rollout(plan=plan, version=version, started_ms=BEGINS_MS, author="a", reason="")


def a_candle(row: CandleRow, timeframe: str = "1m") -> Candle:
    return Candle(
        symbol=BTC,
        timeframe=timeframe,
        open_ms=row.open_ms,
        open=row.open,
        high=row.high,
        low=row.low,
        close=row.close,
        volume=row.volume,
    )


def closed(row: CandleRow, *, catch_up: bool = False) -> CandleClosed:
    candle = a_candle(row)
    return CandleClosed(
        candle=candle,
        closed_ms=row.open_ms + 60_000,
        catch_up=catch_up,
        correlation_id=f"{BTC}:{row.open_ms}",
        received_ns=123_456_789,
    )


def stretch(time_ms: int, price: float, **more: Any) -> Stretch:
    given: dict[str, Any] = {
        "symbol": BTC,
        "trade_id": time_ms,
        "first_ms": time_ms,
        "time_ms": time_ms,
        "open": price,
        "high": price,
        "low": price,
        "close": price,
        "volume": 1.0,
        "trades": 1,
        "received_ns": 5,
    }
    return Stretch(**{**given, **more})


def nothing(symbol: str, timeframe: str) -> Sequence[Candle]:
    return ()


def before(symbol: str, timeframe: str) -> Sequence[Candle]:
    return [a_candle(row) for row in RECORDING.history[BTC][-240:]]


def heard() -> list[Stretch | CandleClosed]:
    """What a shadow hears of the recording, in the order of the market."""
    told: list[Stretch | CandleClosed] = []
    for row in RECORDING.rows[BTC]:
        told += [stretch(row.open_ms + at_ms, price) for at_ms, price in zip(TICK_MS, tick_prices(row), strict=True)]
        told.append(closed(row))
    return told


HEARD = heard()


def hear(book: ShadowBook, message: Stretch | CandleClosed) -> None:
    if isinstance(message, Stretch):
        book.on_stretch(message)
    else:
        book.on_candle(message, nothing)


def made(version: int = 2) -> ShadowBook:
    return ShadowBook(a_rollout(version), LIVE, pairs=pair_specs([BTC]), cash=Decimal(10_000), now_ms=BEGINS_MS)


def begun() -> ShadowBook:
    book = made()
    book.begin(beginning(book.rollout, LIVE, equity=Decimal(10_000), at_ms=BEGINS_MS), before)
    return book


class Kept:
    """A journal: cells as the last commit left them, and every record."""

    def __init__(self) -> None:
        self.cells: dict[tuple[str, str], CellWrite] = {}
        self.records: list[Record] = []

    def commit(self, book: ShadowBook) -> None:
        records, cells = book.take()
        self.records += records
        for cell in cells:
            self.cells[cell.table, cell.key] = cell
            if not cell.payload:
                del self.cells[cell.table, cell.key]

    def tables(self) -> dict[str, list[CellWrite]]:
        return {table: [cell for cell in self.cells.values() if cell.table == table] for table in TABLES}

    def again(self) -> ShadowBook:
        book = made()
        assert book.go_on(self.tables()) == ()
        return book


def one_life() -> tuple[list[Record], ShadowBook]:
    kept, book = Kept(), begun()
    for message in HEARD:
        hear(book, message)
        kept.commit(book)
    return kept.records, book


WHOLE, BOOK = one_life()


def test_it_trades_and_money_is_neither_made_nor_lost() -> None:
    fills = [record for record in WHOLE if record.kind == "PaperFill"]
    assert len(fills) > 10
    assert BOOK.venue.books.total("USD") == 10_000
    assert {record.key.split(":")[0] for record in WHOLE if record.key is not None} == {"2"}


@settings(max_examples=40, deadline=None)
@given(st.sets(st.integers(1, len(HEARD) - 1), min_size=1, max_size=6))
def test_lives_that_end_at_any_moment_decide_what_one_life_decides(ends: set[int]) -> None:
    kept, book = Kept(), begun()
    for number, message in enumerate(HEARD):
        if number in ends:
            book = kept.again()
        hear(book, message)
        kept.commit(book)
    assert kept.records == WHOLE
    assert book.gaps == len(ends)
    assert book.account.equity == BOOK.account.equity
    assert book.venue.books.total("USD") == 10_000
    assert [(each.cid, each.state) for each in book.view(lag_ms=0, dropped=0).orders] == [
        (each.cid, each.state) for each in BOOK.view(lag_ms=0, dropped=0).orders
    ]


@settings(max_examples=20, deadline=None)
@given(st.integers(1, len(HEARD) - 2))
def test_what_is_heard_again_after_a_crash_changes_nothing(end: int) -> None:
    """The last batch comes again: its life ended between the commit and the acknowledgement."""
    kept, book = Kept(), begun()
    for number, message in enumerate(HEARD):
        hear(book, message)
        kept.commit(book)
        if number == end:
            book = kept.again()
            hear(book, message)
            kept.commit(book)
    assert kept.records == WHOLE


def with_a_position() -> tuple[Kept, ShadowBook, int]:
    """A shadow that holds something with its stop at the paper venue, and where that was."""
    kept, book = Kept(), begun()
    for number, message in enumerate(HEARD):
        hear(book, message)
        kept.commit(book)
        if isinstance(message, Stretch) and any(
            order.side is Side.SELL for order in book.view(lag_ms=0, dropped=0).orders
        ):
            return kept, book, number
    raise AssertionError("it must enter once, did not")


def test_a_stop_that_the_market_reached_while_nobody_was_there_was_hit() -> None:
    kept, _, number = with_a_position()
    book = kept.again()
    [stop] = book.view(lag_ms=0, dropped=0).orders
    assert stop.price is not None
    trigger, last = float(stop.price), HEARD[number]
    assert isinstance(last, Stretch)
    opened_ms = (last.time_ms // 60_000 + 1) * 60_000
    fell = CandleRow(opened_ms, last.close, last.close, last.close, trigger - 10, 4.0)
    book.on_candle(closed(fell, catch_up=True), nothing)
    records, _ = book.take()
    [fill] = [msgspec.json.decode(record.payload) for record in records if record.kind == "PaperFill"]
    assert fill["side"] == "sell"
    assert float(fill["price"]) == pytest.approx(trigger - 10, rel=1e-3), (
        "it trades where the market was, not at its trigger"
    )
    assert not book.view(lag_ms=0, dropped=0).holdings


def test_candles_that_it_missed_are_read_of_the_chart() -> None:
    """A mailbox that was full dropped some: its averages are those of a life that heard all."""
    rows = RECORDING.rows[BTC]
    whole, holed = begun(), begun()
    for row in rows[:40]:
        whole.on_candle(closed(row), nothing)
    for row in [*rows[:10], *rows[20:40]]:
        holed.on_candle(closed(row), lambda symbol, timeframe: [a_candle(each) for each in rows[:40]])
    assert holed.signals.states() == whole.signals.states()


def test_what_is_of_another_shadow_or_damaged_is_refused() -> None:
    kept, _, _ = with_a_position()
    other = made(version=3)
    with pytest.raises(CannotGoOn) as refused:
        other.go_on(kept.tables())
    assert not refused.value.was_this
    with pytest.raises(CannotGoOn) as refused:
        made().go_on({table: [] for table in TABLES})
    assert not refused.value.was_this
    for table in (STATE_TABLE, *(f"shadow_{each}" for each in (ORDER_TABLE, RISK_TABLE, ACCOUNT_TABLE, SIGNAL_TABLE))):
        tables = kept.tables()
        tables[table] = [msgspec.structs.replace(cell, payload=cell.payload[:-3]) for cell in tables[table]]
        with pytest.raises(CannotGoOn) as refused:
            made().go_on(tables)
        assert refused.value.was_this, table
    left = emptied(kept.tables())
    assert {(cell.table, cell.key) for cell in left} == set(kept.cells)
    assert all(cell.payload == b"" for cell in left)


def test_its_tables_are_nobody_elses() -> None:
    assert not set(TABLES) & {ORDER_TABLE, RISK_TABLE, ACCOUNT_TABLE, SIGNAL_TABLE}
    kept, book, _ = with_a_position()
    assert {table for table, _ in kept.cells} <= set(TABLES)
    assert book.take() == ([], []), "where nothing happened nothing is kept"


def test_what_it_remembers_does_not_grow_with_its_trades() -> None:
    # Its limits end no losing streak here.
    bold = {
        name: Decimal(100) for name in ("max_daily_loss", "max_weekly_loss", "max_drawdown", "max_strategy_drawdown")
    }
    risk = msgspec.structs.replace(LIVE.risk, **bold)
    kept, book = Kept(), begun()
    book.on_settings(msgspec.structs.replace(LIVE, risk=risk), nothing)
    price, at_ms = 8_000.0, BEGINS_MS
    for number in range(3_000):
        at_ms += 60_000
        swing = price * (1.004 if number % 8 < 4 else 0.996)
        row = CandleRow(at_ms - 60_000, price, swing, max(price, swing), min(price, swing), 4.0)
        book.on_stretch(stretch(at_ms - 30_000, price))
        book.on_candle(closed(row), nothing)
        kept.commit(book)
        price = 8_000.0 + (swing - 8_000.0) * 0.5
    fills = sum(record.kind == "PaperFill" for record in kept.records)
    assert fills > 500
    assert len(book.machine.orders) <= 2 * 200 + 10
    assert sum(table.endswith(ORDER_TABLE) for table, _ in kept.cells) < 2 * 2 * 200 + 100
    assert len(book.fills) + len(book.decisions) + len(book.expected) + len(book.tags) == 0
    again = kept.again()
    assert again.account.equity == book.account.equity
    wallet = again.venue.accounts["sim"].wallet(EXCHANGE, "USD")
    assert wallet.balance == book.venue.accounts["sim"].wallet(EXCHANGE, "USD").balance


PRICES = st.floats(1.0, 1000.0)


def paths(minute: Sequence[float]) -> Iterator[Stretch]:
    for number, price in enumerate(minute):
        yield stretch(1_000 + number, price)


@given(st.lists(PRICES, min_size=1, max_size=12))
def test_merged_trades_keep_both_ends_and_both_extremes(minute: list[float]) -> None:
    whole, *others = paths(minute)
    for newer in others:
        whole = merge_stretches(whole, newer)
    assert (whole.open, whole.close, whole.low, whole.high) == (minute[0], minute[-1], min(minute), max(minute))
    assert (whole.trades, whole.first_ms, whole.time_ms) == (len(minute), 1_000, 999 + len(minute))
    path = price_path(whole, low_first=False)
    assert (path[0], path[-1], min(path), max(path)) == (minute[0], minute[-1], min(minute), max(minute))


@given(PRICES, PRICES, PRICES, PRICES)
def test_a_minute_that_was_merged_is_met_as_a_backtest_meets_it(
    first: float, one: float, other: float, last: float
) -> None:
    low, high = min(first, one, other, last), max(first, one, other, last)
    row = CandleRow(0, first, last, high, low, 4.0)
    whole, *others = paths(tick_prices(row))
    for newer in others:
        whole = merge_stretches(whole, newer)
    met = list(price_path(whole, low_first=False))
    told = list(tick_prices(row))
    # An extreme that is one of the ends is met there.
    assert met == [
        told[0],
        *(price for price in told[1:3] if not min(first, last) <= price <= max(first, last)),
        told[3],
    ]
