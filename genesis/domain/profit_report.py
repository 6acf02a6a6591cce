"""Finished trades added up as traders look at them: by day, week and month, by symbol, and by how they ended.

Calendar units are UTC. Money is in the quote currency, ratios are fractions of what a trade put in.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum

import msgspec

from protocols.account import ClosedTrade
from protocols.units import ZERO


class Unit(StrEnum):
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class PeriodProfit(msgspec.Struct, frozen=True, kw_only=True):
    """What one calendar unit made. `starting_equity` is before its first trade, by the trades alone."""

    first_day: str
    profit: Decimal
    trades: int
    starting_equity: Decimal

    @property
    def ratio(self) -> float:
        return float(self.profit / self.starting_equity) if self.starting_equity > 0 else 0.0


class SymbolProfit(msgspec.Struct, frozen=True, kw_only=True):
    symbol: str
    profit: Decimal
    ratio: float
    trades: int


class Outcomes(msgspec.Struct, frozen=True, kw_only=True):
    wins: int = 0
    losses: int = 0
    draws: int = 0


def put_in(trade: ClosedTrade) -> Decimal:
    """What a trade cost to enter, without fees."""
    return trade.entry_price * trade.quantity


def ratio_of(trade: ClosedTrade) -> float:
    cost = put_in(trade)
    return float(trade.pnl / cost) if cost > 0 else 0.0


def first_day(at_ms: int, unit: Unit) -> date:
    """The day on which the unit of a moment begins; weeks begin on Monday."""
    day = datetime.fromtimestamp(at_ms / 1000, UTC).date()
    if unit is Unit.WEEK:
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if unit is Unit.MONTH else day


def _before(day: date, unit: Unit) -> date:
    if unit is Unit.MONTH:
        return (day - timedelta(days=1)).replace(day=1)
    return day - timedelta(days=7 if unit is Unit.WEEK else 1)


def by_period(
    trades: Iterable[ClosedTrade], *, unit: Unit, count: int, now_ms: int, start_equity: Decimal
) -> tuple[PeriodProfit, ...]:
    """The newest `count` units up to now, newest first; a unit without a trade is there with zero.

    Raises ValueError unless `count` is at least 1.
    """
    if count < 1:
        raise ValueError(f"count must be at least 1, was {count}")
    profits: dict[date, Decimal] = {}
    counts: dict[date, int] = {}
    for trade in trades:
        day = first_day(trade.exit_ms, unit)
        profits[day] = profits.get(day, ZERO) + trade.pnl
        counts[day] = counts.get(day, 0) + 1
    day = first_day(now_ms, unit)
    # What was made before a unit's beginning is in its starting equity.
    made = sum(profits.values(), ZERO)
    rows = []
    for _ in range(count):
        profit = profits.get(day, ZERO)
        made -= profit
        rows.append(
            PeriodProfit(
                first_day=day.isoformat(),
                profit=profit,
                trades=counts.get(day, 0),
                starting_equity=start_equity + made,
            )
        )
        if day <= date(1970, 1, 1):
            break
        day = _before(day, unit)
    return tuple(rows)


def by_symbol(trades: Iterable[ClosedTrade]) -> tuple[SymbolProfit, ...]:
    """Each symbol's sum, the best first."""
    found: dict[str, list[ClosedTrade]] = {}
    for trade in trades:
        found.setdefault(trade.symbol, []).append(trade)
    rows = [
        SymbolProfit(
            symbol=symbol,
            profit=sum((trade.pnl for trade in several), ZERO),
            ratio=_ratio_of_all(several),
            trades=len(several),
        )
        for symbol, several in found.items()
    ]
    return tuple(sorted(rows, key=lambda row: (-row.profit, row.symbol)))


def _ratio_of_all(trades: list[ClosedTrade]) -> float:
    cost = sum((put_in(trade) for trade in trades), ZERO)
    return float(sum((trade.pnl for trade in trades), ZERO) / cost) if cost > 0 else 0.0


def exit_reasons(trades: Iterable[ClosedTrade]) -> Mapping[str, Outcomes]:
    """How trades ended (exit, stop, target, flatten, manual; unknown when nobody noted it) and how many were won."""
    found: dict[str, Outcomes] = {}
    for trade in trades:
        name = trade.exit_reason or "unknown"
        so_far = found.get(name, Outcomes())
        found[name] = Outcomes(
            wins=so_far.wins + (trade.pnl > 0),
            losses=so_far.losses + (trade.pnl < 0),
            draws=so_far.draws + (trade.pnl == 0),
        )
    return found


class Durations(msgspec.Struct, frozen=True, kw_only=True):
    """Mean seconds that trades were open; None where there was none."""

    wins: float | None
    losses: float | None
    draws: float | None


def durations(trades: Iterable[ClosedTrade]) -> Durations:
    several = tuple(trades)

    def mean(chosen: list[ClosedTrade]) -> float | None:
        return sum(trade.exit_ms - trade.entry_ms for trade in chosen) / len(chosen) / 1000 if chosen else None

    return Durations(
        wins=mean([trade for trade in several if trade.pnl > 0]),
        losses=mean([trade for trade in several if trade.pnl < 0]),
        draws=mean([trade for trade in several if trade.pnl == 0]),
    )
