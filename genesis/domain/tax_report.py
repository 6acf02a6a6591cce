"""What a year's trades were for a tax return: every trade, every disposal with what it had cost, first in, first out.

Coins are one pool for each pair, whoever of us bought them; a position on margin is its own, longs and shorts. Money is
in the pair's quote currency. A fee taken in coins leaves fewer of them at the same cost; any other fee makes a purchase
dearer and a sale poorer, a third currency at its price of then. Nothing is rounded before it is written.
"""

import csv
import io
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

import attrs
import msgspec

from protocols.orders import Fill
from protocols.reference import LedgerEntry
from protocols.units import ZERO, Side, Symbol, base_currency, plain, quote_currency

PLACES: Final = Decimal("1e-10")
"""What is written of money: below any amount that a venue keeps."""


class Kind(StrEnum):
    """What an export lists."""

    DISPOSALS = "disposals"
    TRADES = "trades"
    LEDGER = "ledger"


class Note(StrEnum):
    """What a reader must look at by hand."""

    NO_BASIS = "no_basis"
    """Sold coins that no trade bought (a deposit, or before the engine kept its journal): their cost is taken as 0."""
    FEE_UNPRICED = "fee_unpriced"
    """A fee in a third currency of which no price was known: it is not in these figures."""


class Disposal(msgspec.Struct, frozen=True, kw_only=True):
    """A quantity that was given up, of one purchase. `acquired_ms` is None without one; of a short `cost` is what it
    took to buy it back, and it was opened at `acquired_ms`. Fees of both sides are in the figures."""

    symbol: Symbol
    wallet: str
    side: str
    quantity: Decimal
    acquired_ms: int | None
    disposed_ms: int
    proceeds: Decimal
    cost: Decimal
    trade_id: int
    strategy: str
    notes: tuple[Note, ...] = ()

    @property
    def gain(self) -> Decimal:
        return self.proceeds - self.cost


@attrs.define
class _Lot:
    """What is left of a purchase, or of a sale that opened a short: unsigned quantity, and all its value in quote."""

    at_ms: int
    quantity: Decimal
    value: Decimal
    notes: tuple[Note, ...]

    def take(self, quantity: Decimal) -> Decimal:
        """The value of a part that is taken out. The last part is all that is left, so that nothing is lost."""
        value = self.value if quantity == self.quantity else self.value * quantity / self.quantity
        self.quantity -= quantity
        self.value -= value
        return value


class FifoBook:
    """Lots of every pair, as fills come in the order of their time."""

    def __init__(self) -> None:
        self._coins: dict[Symbol, deque[_Lot]] = {}
        self._margin: dict[Symbol, tuple[int, deque[_Lot]]] = {}

    def take(self, fill: Fill) -> list[Disposal]:
        """The next fill; gives what it disposed of."""
        return self._on_margin(fill) if fill.margin else self._on_coins(fill)

    def left(self) -> dict[Symbol, tuple[Decimal, Decimal]]:
        """Coins that are still held, and what they had cost."""
        return {
            symbol: (sum((lot.quantity for lot in lots), ZERO), sum((lot.value for lot in lots), ZERO))
            for symbol, lots in self._coins.items()
            if lots
        }

    def _on_coins(self, fill: Fill) -> list[Disposal]:
        lots = self._coins.setdefault(fill.symbol, deque())
        worth, notes = fill.quantity * fill.price, _notes(fill)
        if fill.side is Side.BUY:
            received = fill.quantity + fill.fee_in_base
            if received > 0:
                lots.append(_Lot(fill.time_ms, received, worth - fill.fee_beside, notes))
            return []
        return list(_close(fill, lots, fill.quantity - fill.fee_in_base, worth + fill.fee_beside, "long", "exchange"))

    def _on_margin(self, fill: Fill) -> list[Disposal]:
        sign, lots = self._margin.get(fill.symbol, (0, deque[_Lot]()))
        worth, quantity = fill.quantity * fill.price, fill.quantity
        # On margin nobody gets coins: whatever the fee is in is money.
        fee = fill.fee_beside + fill.fee_in_base * fill.price
        value = worth - fill.side.sign * fee
        found: list[Disposal] = []
        held = sum((lot.quantity for lot in lots), ZERO)
        if lots and sign != fill.side.sign:
            closed = min(quantity, held)
            part = value if closed == quantity else value * closed / quantity
            side = "long" if sign > 0 else "short"
            found = list(_close(fill, lots, closed, part, side, "margin"))
            quantity, value = quantity - closed, value - part
        if quantity > 0:
            if not lots:
                sign = fill.side.sign
            lots.append(_Lot(fill.time_ms, quantity, value, _notes(fill)))
        self._margin[fill.symbol] = (sign, lots)
        return found


def _close(
    fill: Fill, lots: deque[_Lot], quantity: Decimal, value: Decimal, side: str, wallet: str
) -> Iterable[Disposal]:
    """Take `quantity` from the oldest lots; `value` is what it brought, or what buying a short back took."""
    left, left_value = quantity, value
    while left > 0:
        lot = lots[0] if lots else None
        part = left if lot is None else min(left, lot.quantity)
        closing = left_value if part == left else value * part / quantity
        notes = _notes(fill)
        opening, at_ms = ZERO, None
        if lot is None:
            notes = (Note.NO_BASIS, *notes)
        else:
            opening, at_ms = lot.take(part), lot.at_ms
            notes = tuple(dict.fromkeys((*lot.notes, *notes)))
            if lot.quantity <= 0:
                lots.popleft()
        proceeds, cost = (opening, closing) if side == "short" else (closing, opening)
        yield Disposal(
            symbol=fill.symbol,
            wallet=wallet,
            side=side,
            quantity=part,
            acquired_ms=at_ms,
            disposed_ms=fill.time_ms,
            proceeds=proceeds,
            cost=cost,
            trade_id=fill.trade_id,
            strategy=fill.strategy,
            notes=notes,
        )
        left, left_value = left - part, left_value - closing


def _notes(fill: Fill) -> tuple[Note, ...]:
    return () if fill.fee_is_priced else (Note.FEE_UNPRICED,)


class YearTotal(msgspec.Struct, frozen=True, kw_only=True):
    """A pair's year in one line, of one wallet; money in its quote currency."""

    symbol: Symbol
    wallet: str
    quote: str
    disposals: int
    proceeds: Decimal
    cost: Decimal
    gain: Decimal


class StillHeld(msgspec.Struct, frozen=True, kw_only=True):
    """Coins at the end of the year that trades bought, with what they had cost: what next year's sales begin with."""

    symbol: Symbol
    quantity: Decimal
    cost: Decimal
    quote: str


class TaxYear(msgspec.Struct, frozen=True, kw_only=True):
    """A calendar year in one time zone. `trades` and `disposals` by time; `notes` counts what must be looked at."""

    year: int
    timezone: str
    trades: tuple[Fill, ...]
    disposals: tuple[Disposal, ...]
    totals: tuple[YearTotal, ...]
    held: tuple[StillHeld, ...]
    notes: dict[str, int]


class TaxExport(msgspec.Struct, frozen=True, kw_only=True):
    """One list of a year as CSV, and the year in short. `notes` counts disposals that must be looked at by hand."""

    name: str
    year: int
    timezone: str
    rows: int
    csv: str
    totals: tuple[YearTotal, ...]
    held: tuple[StillHeld, ...]
    notes: dict[str, int]


class CannotExport(Exception):
    """The year could not be worked out; the text says why."""


TaxPort = Callable[[int, str, Kind], Awaitable[msgspec.Raw]]
"""Gives the JSON of a `TaxExport` as it goes out: whoever passes megabytes on does not take them apart."""


def tax_year(fills: Iterable[Fill], year: int, timezone: str = "UTC") -> TaxYear:
    """The year of all `fills` there ever were: what is sold was bought in years before. Raises ValueError.

    A trade that two ways brought (REST and the stream) is kept once in a journal; here it counts once, too.
    """
    if not 2009 <= year <= 9999:
        raise ValueError(f"year must be from 2009 to 9999, was {year}")
    begin_ms, end_ms = year_ms(year, timezone), year_ms(year + 1, timezone)
    known = {(fill.trade_id, fill.venue_order_id): fill for fill in fills}
    book, trades, disposals = FifoBook(), [], []
    for fill in sorted(known.values(), key=lambda each: (each.time_ms, each.trade_id)):
        if fill.time_ms >= end_ms:
            break
        found = book.take(fill)
        if begin_ms <= fill.time_ms:
            trades.append(fill)
            disposals += found
    return TaxYear(
        year=year,
        timezone=timezone,
        trades=tuple(trades),
        disposals=tuple(disposals),
        totals=_totals(disposals),
        held=tuple(
            StillHeld(symbol=symbol, quantity=quantity, cost=cost.quantize(PLACES), quote=quote_currency(symbol))
            for symbol, (quantity, cost) in sorted(book.left().items())
        ),
        notes={note.value: count for note in Note if (count := sum(note in each.notes for each in disposals))},
    )


def year_ms(year: int, timezone: str) -> int:
    """When a year begins there, in venue ms. Raises ValueError for an unknown zone."""
    try:
        zone = ZoneInfo(timezone)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"timezone must be a name such as Europe/Stockholm, was {timezone[:60]}") from None
    return int(datetime(min(year, 9999), 1, 1, tzinfo=zone).timestamp() * 1000)


def _totals(disposals: Sequence[Disposal]) -> tuple[YearTotal, ...]:
    groups: dict[tuple[Symbol, str], list[Disposal]] = {}
    for each in disposals:
        groups.setdefault((each.symbol, each.wallet), []).append(each)
    return tuple(
        YearTotal(
            symbol=symbol,
            wallet=wallet,
            quote=quote_currency(symbol),
            disposals=len(rows),
            proceeds=sum((row.proceeds for row in rows), ZERO).quantize(PLACES),
            cost=sum((row.cost for row in rows), ZERO).quantize(PLACES),
            gain=sum((row.gain for row in rows), ZERO).quantize(PLACES),
        )
        for (symbol, wallet), rows in sorted(groups.items())
    )


# --- as text ----------------------------------------------------------------------------------------------------------


def csv_of(made: TaxYear, kind: Kind) -> str:
    """The rows of one kind as CSV (RFC 4180, a head line, times in the year's zone). The ledger has `ledger_export`."""
    when = _clock(made.timezone)
    if kind is Kind.TRADES:
        return _table(_TRADES, (_trade_row(fill, when) for fill in made.trades))
    return _table(_DISPOSALS, (_disposal_row(each, when) for each in made.disposals))


def ledger_export(entries: Iterable[LedgerEntry], year: int, timezone: str, mode: str) -> TaxExport:
    """Changes of wallets that are no trade (funding, interest, deposits, withdrawals), oldest first."""
    when = _clock(timezone)
    rows = [
        [
            when(each.time_ms),
            each.currency,
            each.wallet_type,
            plain(each.amount),
            plain(each.balance),
            _text(each.description),
            str(each.entry_id),
        ]
        for each in sorted(entries, key=lambda each: (each.time_ms, each.entry_id))
        if not is_of_a_trade(each)
    ]
    return TaxExport(
        name=f"genesis-{mode}-{year}-{Kind.LEDGER.value}.csv",
        year=year,
        timezone=timezone,
        rows=len(rows),
        csv=_table(_LEDGER, rows),
        totals=(),
        held=(),
        notes={},
    )


def is_of_a_trade(entry: LedgerEntry) -> bool:
    """Whether a ledger entry is a trade or its fee, which the trades tell better."""
    return entry.description.startswith(("Exchange ", "Trading fee", "Position closed", "Position #", "Settlement"))


_TRADES: Final = (
    *("time", "symbol", "side", "wallet", "quantity", "price", "value", "quote_currency", "fee", "fee_currency"),
    *("fee_value", "purpose", "strategy", "trade_id", "order_id", "placed_elsewhere", "notes"),
)
_DISPOSALS: Final = (
    *("disposed", "acquired", "asset", "quantity", "proceeds", "cost", "gain", "quote_currency", "wallet", "side"),
    *("days_held", "symbol", "strategy", "trade_id", "notes"),
)
_LEDGER: Final = ("time", "currency", "wallet", "amount", "balance", "description", "entry_id")


def _trade_row(fill: Fill, when: Callable[[int], str]) -> list[str]:
    return [
        when(fill.time_ms),
        fill.symbol,
        fill.side.value,
        "margin" if fill.margin else "exchange",
        plain(fill.quantity),
        plain(fill.price),
        _money(fill.quantity * fill.price),
        quote_currency(fill.symbol),
        plain(-fill.fee),
        fill.fee_currency,
        _money(-fill.fee_beside - fill.fee_in_base * fill.price) if fill.fee_is_priced else "",
        fill.purpose.value,
        _text(fill.strategy),
        str(fill.trade_id),
        str(fill.venue_order_id),
        "yes" if fill.foreign else "",
        " ".join(_notes(fill)),
    ]


def _disposal_row(each: Disposal, when: Callable[[int], str]) -> list[str]:
    return [
        when(each.disposed_ms),
        "" if each.acquired_ms is None else when(each.acquired_ms),
        base_currency(each.symbol),
        plain(each.quantity),
        _money(each.proceeds),
        _money(each.cost),
        _money(each.gain),
        quote_currency(each.symbol),
        each.wallet,
        each.side,
        "" if each.acquired_ms is None else str((each.disposed_ms - each.acquired_ms) // 86_400_000),
        each.symbol,
        _text(each.strategy),
        str(each.trade_id),
        " ".join(each.notes),
    ]


def _money(value: Decimal) -> str:
    return plain(value.quantize(PLACES))


def _text(text: str) -> str:
    """Words of others in a cell: a spreadsheet would take some of them for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def _clock(timezone: str) -> Callable[[int], str]:
    zone = ZoneInfo(timezone)

    def when(at_ms: int) -> str:
        return datetime.fromtimestamp(at_ms / 1000, tz=UTC).astimezone(zone).isoformat(timespec="milliseconds")

    return when


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(head)
    writer.writerows(rows)
    return text.getvalue()
