"""Finished trades added up as traders look at them: by day, week and month, by symbol, and by how they ended.

A trade is added when it ends (`ClosedBook`), so that a report reaches back to the first one however many there were.
Calendar units are UTC. Money is in the quote currency, ratios are fractions of what a trade put in.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final

import attrs
import msgspec

from protocols.account import ClosedDay, ClosedGroup, ClosedTotals, ClosedTrade
from protocols.units import ZERO, Symbol

DAY_MS: Final = 86_400_000
WIN, LOSS, DRAW = "win", "loss", "draw"


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


def ratio_of(trade: ClosedTrade, pnl: Decimal) -> float:
    """What was made of a trade, all of it or one's share, over what it put in."""
    cost = put_in(trade)
    return float(pnl / cost) if cost > 0 else 0.0


@attrs.define
class _Sum:
    trades: int = 0
    profit: Decimal = ZERO
    put_in: Decimal = ZERO
    volume: Decimal = ZERO
    ratios: float = 0.0
    held_ms: int = 0


_Sums = dict[tuple[Symbol, str, str, str], _Sum]
"""By symbol, strategy, how it ended, and won or lost."""


def _add(sums: _Sums, trade: ClosedTrade, strategy: str, pnl: Decimal) -> None:
    """Add what `strategy` made of a trade to the sum of its like."""
    outcome = WIN if pnl > 0 else LOSS if pnl < 0 else DRAW
    cost = put_in(trade)
    group = sums.setdefault((trade.symbol, strategy, trade.exit_reason, outcome), _Sum())
    group.trades += 1
    group.profit += pnl
    group.put_in += cost
    group.volume += cost + trade.exit_price * trade.quantity
    group.ratios += ratio_of(trade, pnl)
    group.held_ms += trade.exit_ms - trade.entry_ms


def _told(sums: _Sums) -> tuple[ClosedGroup, ...]:
    return tuple(
        ClosedGroup(symbol=symbol, strategy=strategy, exit_reason=reason, outcome=outcome, **attrs.asdict(group))
        for (symbol, strategy, reason, outcome), group in sorted(sums.items())
    )


@attrs.define
class ClosedBook:
    """Adds finished trades up as they end."""

    _groups: _Sums = attrs.field(factory=dict)
    _parts: _Sums = attrs.field(factory=dict)
    _days: dict[int, tuple[int, Decimal]] = attrs.field(factory=dict)
    _first_ms: int = 0
    _last_ms: int = 0
    _told: ClosedTotals | None = None

    def on_trade(self, trade: ClosedTrade) -> None:
        self._told = None
        _add(self._groups, trade, trade.strategy, trade.pnl)
        for part in trade.parts():
            _add(self._parts, trade, part.strategy, part.pnl)
        day = trade.exit_ms // DAY_MS
        trades, profit = self._days.get(day, (0, ZERO))
        self._days[day] = trades + 1, profit + trade.pnl
        self._first_ms = min(self._first_ms or trade.entry_ms, trade.entry_ms)
        self._last_ms = max(self._last_ms, trade.exit_ms)

    def totals(self) -> ClosedTotals:
        if self._told is None:
            self._told = ClosedTotals(
                groups=_told(self._groups),
                parts=_told(self._parts),
                days=tuple(
                    ClosedDay(day=day, trades=trades, profit=profit)
                    for day, (trades, profit) in sorted(self._days.items())
                ),
                first_entry_ms=self._first_ms,
                last_exit_ms=self._last_ms,
            )
        return self._told


def totals_of(trades: Iterable[ClosedTrade]) -> ClosedTotals:
    """These trades added up."""
    book = ClosedBook()
    for trade in trades:
        book.on_trade(trade)
    return book.totals()


def trades_in(groups: Iterable[ClosedGroup]) -> int:
    return sum(group.trades for group in groups)


def profit_in(groups: Iterable[ClosedGroup]) -> Decimal:
    return sum((group.profit for group in groups), ZERO)


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
    closed: ClosedTotals, *, unit: Unit, count: int, now_ms: int, start_equity: Decimal
) -> tuple[PeriodProfit, ...]:
    """The newest `count` units up to now, newest first; a unit without a trade is there with zero.

    Raises ValueError unless `count` is at least 1.
    """
    if count < 1:
        raise ValueError(f"count must be at least 1, was {count}")
    profits: dict[date, Decimal] = {}
    counts: dict[date, int] = {}
    for each in closed.days:
        day = first_day(each.day * DAY_MS, unit)
        profits[day] = profits.get(day, ZERO) + each.profit
        counts[day] = counts.get(day, 0) + each.trades
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


def by_symbol(closed: ClosedTotals) -> tuple[SymbolProfit, ...]:
    """Each symbol's sum, the best first."""
    found: dict[str, list[ClosedGroup]] = {}
    for group in closed.groups:
        found.setdefault(group.symbol, []).append(group)
    rows = [
        SymbolProfit(symbol=symbol, profit=profit_in(several), ratio=_ratio_of_all(several), trades=trades_in(several))
        for symbol, several in found.items()
    ]
    return tuple(sorted(rows, key=lambda row: (-row.profit, row.symbol)))


def _ratio_of_all(groups: list[ClosedGroup]) -> float:
    cost = sum((group.put_in for group in groups), ZERO)
    return float(profit_in(groups) / cost) if cost > 0 else 0.0


def exit_reasons(closed: ClosedTotals) -> Mapping[str, Outcomes]:
    """How trades ended (exit, stop, target, flatten, manual; unknown when nobody noted it) and how many were won."""
    found: dict[str, Outcomes] = {}
    for group in closed.groups:
        name = group.exit_reason or "unknown"
        so_far = found.get(name, Outcomes())
        found[name] = Outcomes(
            wins=so_far.wins + (group.trades if group.outcome == WIN else 0),
            losses=so_far.losses + (group.trades if group.outcome == LOSS else 0),
            draws=so_far.draws + (group.trades if group.outcome == DRAW else 0),
        )
    return found


class Durations(msgspec.Struct, frozen=True, kw_only=True):
    """Mean seconds that trades were open; None where there was none."""

    wins: float | None
    losses: float | None
    draws: float | None


def durations(closed: ClosedTotals) -> Durations:
    def mean(outcome: str) -> float | None:
        chosen = [group for group in closed.groups if group.outcome == outcome]
        return mean_held_s(chosen)

    return Durations(wins=mean(WIN), losses=mean(LOSS), draws=mean(DRAW))


def mean_held_s(groups: Iterable[ClosedGroup]) -> float | None:
    """Mean seconds that these trades were open; None without a trade."""
    several = tuple(groups)
    trades = trades_in(several)
    return sum(group.held_ms for group in several) / trades / 1000 if trades else None
