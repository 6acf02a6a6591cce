"""The figures of a run, made of its equity curve and its finished trades, one point and one trade at a time.

The Sharpe ratio has one definition here and in every report (`genesis.domain.measures` takes it of whole columns): the
mean over the sample deviation of the returns of whole periods, times the root of the periods in a year (365 days of 24
hours), without a risk-free rate. Periods are days UTC once 30 of them have ended, and hours before; a ratio is told
from 30 periods on.
"""

import copy
import math
from collections.abc import Iterable
from decimal import Decimal

import attrs

from protocols.account import ClosedTrade, EquityPoint, Performance
from protocols.units import ZERO

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
# Markets that never close: a year is 365 days of 24 hours.
YEAR_MS = 365 * 24 * HOUR_MS
MIN_PERIODS = 30
"""Whole periods before a ratio of returns is told: of three, the deviation is chance."""


def return_period_ms(first_ms: int, last_ms: int) -> int:
    """The period of returns of a curve between two moments: a day once `MIN_PERIODS` have ended, else an hour."""
    return DAY_MS if last_ms // DAY_MS - first_ms // DAY_MS >= MIN_PERIODS else HOUR_MS


@attrs.define
class _Returns:
    """The returns of one length of period: Welford's running mean and sum of squared distances, exact enough over years
    and without a list of them."""

    period_ms: int
    periods: int = 0
    mean: float = 0.0
    squares: float = 0.0
    before: float = 0.0
    """Equity when the period under way began."""

    def end(self, equity: float) -> None:
        """A period has ended with this equity."""
        period_return = equity / self.before - 1.0 if self.before > 0.0 else 0.0
        self.before = equity
        self.periods += 1
        distance = period_return - self.mean
        self.mean += distance / self.periods
        self.squares += distance * (period_return - self.mean)

    @property
    def sharpe(self) -> float | None:
        if self.periods < MIN_PERIODS:
            return None
        deviation = math.sqrt(self.squares / (self.periods - 1))
        # Below this it is the rounding of equal returns.
        if deviation <= 1e-15:
            return None
        return self.mean / deviation * math.sqrt(YEAR_MS / self.period_ms)


@attrs.define(kw_only=True)
class EquityFigures:
    """Drawdown and Sharpe ratio of the points so far, in constant time a point (and a step for each quiet hour).

    A period's return is from the last equity known at its start to the last known at its end. Money that was paid in or
    taken out earns and loses nothing: what was before it is scaled to what there was after it, as a fund's shares are.
    """

    start: Decimal | None = None
    final: Decimal = ZERO
    flows: Decimal = ZERO
    """Paid in less taken out since the start."""
    scale: Decimal = Decimal(1)
    """By how much money from outside has made the account larger than trading alone would have."""
    max_drawdown: float = 0.0
    _hours: _Returns = attrs.field(factory=lambda: _Returns(HOUR_MS))
    _days: _Returns = attrs.field(factory=lambda: _Returns(DAY_MS))
    _peak: float = -math.inf
    _now: float = 0.0
    _end_ms: int = 0
    _flows_seen: Decimal = ZERO

    @property
    def _told(self) -> _Returns:
        return self._days if self._days.periods >= MIN_PERIODS else self._hours

    @property
    def period_ms(self) -> int:
        """The period of the returns that are told."""
        return self._told.period_ms

    @property
    def periods(self) -> int:
        """How many of them have ended."""
        return self._told.periods

    def on_point(self, point: EquityPoint) -> None:
        """Take a point in. Points come in order of time."""
        equity = float(point.equity)
        if self.start is None:
            self.start = point.equity
            self._hours.before = self._days.before = self._now = equity
            self._flows_seen = point.flows
            self._end_ms = (point.at_ms // HOUR_MS + 1) * HOUR_MS
        while point.at_ms >= self._end_ms:
            self._hours.end(self._now)
            if self._end_ms % DAY_MS == 0:
                self._days.end(self._now)
            self._end_ms += HOUR_MS
        if point.flows != self._flows_seen:
            self._take_flow(point)
        self._now = equity
        self.final = point.equity
        self._peak = max(self._peak, equity)
        if self._peak > 0.0:
            self.max_drawdown = max(self.max_drawdown, (self._peak - equity) / self._peak)

    def _take_flow(self, point: EquityPoint) -> None:
        moved = point.flows - self._flows_seen
        self._flows_seen = point.flows
        self.flows += moved
        own = point.equity - moved
        if own > 0 and point.equity > 0:
            factor = point.equity / own
            self.scale *= factor
            self._hours.before *= float(factor)
            self._days.before *= float(factor)
            self._peak *= float(factor)
        else:
            # Nothing was there before, or nothing is left: what comes is measured from here.
            self._hours.before = self._days.before = self._peak = float(point.equity)

    def on_points(self, points: Iterable[EquityPoint]) -> None:
        """Take many points in: the same as one after the other, several times as fast."""
        final, now, peak, deepest, end_ms = self.final, self._now, self._peak, self.max_drawdown, self._end_ms
        for point in points:
            if self.start is None or point.at_ms >= end_ms or point.flows != self._flows_seen:
                self.final, self._now, self._peak, self.max_drawdown = final, now, peak, deepest
                self.on_point(point)
                final, now, peak, deepest, end_ms = self.final, self._now, self._peak, self.max_drawdown, self._end_ms
                continue
            if point.equity is final:
                # Nothing held, nothing new.
                continue
            final = point.equity
            now = float(final)
            if now > peak:
                peak = now
            elif peak > 0.0:
                fallen = (peak - now) / peak
                if fallen > deepest:
                    deepest = fallen
        self.final, self._now, self._peak, self.max_drawdown = final, now, peak, deepest

    @property
    def sharpe(self) -> float | None:
        """None under `MIN_PERIODS` periods, or when all returned the same."""
        return self._told.sharpe

    def with_point(self, point: EquityPoint) -> "EquityFigures":
        """What they would be after this point, without taking it in."""
        ends = self.start is None or point.at_ms >= self._end_ms or point.flows != self._flows_seen
        after = EquityFigures(
            start=self.start,
            final=self.final,
            flows=self.flows,
            scale=self.scale,
            max_drawdown=self.max_drawdown,
            # Within a period nothing is written upon them.
            hours=copy.copy(self._hours) if ends else self._hours,
            days=copy.copy(self._days) if ends else self._days,
            peak=self._peak,
            now=self._now,
            end_ms=self._end_ms,
            flows_seen=self._flows_seen,
        )
        after.on_point(point)
        return after


@attrs.define(kw_only=True)
class TradeFigures:
    """Counts and sums of finished trades. A trade that ended at exactly zero is neither won nor lost."""

    trades: int = 0
    wins: int = 0
    won: Decimal = ZERO
    lost: Decimal = ZERO

    def on_trade(self, trade: ClosedTrade) -> None:
        self.trades += 1
        if trade.pnl > 0:
            self.wins += 1
            self.won += trade.pnl
        else:
            self.lost -= trade.pnl

    @property
    def winrate(self) -> float | None:
        """Share of trades that ended above zero after fees."""
        return self.wins / self.trades if self.trades else None

    @property
    def profit_factor(self) -> float | None:
        """Sum of the wins over the sum of the losses; None without a loss."""
        return float(self.won / self.lost) if self.lost > 0 else None


def figures(equity: EquityFigures, trades: TradeFigures, *, fees_quote: Decimal, realized_pnl: Decimal) -> Performance:
    """All figures in one value. Raises ValueError when there was no point yet."""
    if equity.start is None:
        raise ValueError("curve must have at least one point, was empty")
    return Performance(
        start_equity=equity.start,
        final_equity=equity.final,
        total_return=float(equity.final / (equity.start * equity.scale) - 1) if equity.start > 0 else 0.0,
        max_drawdown=equity.max_drawdown,
        sharpe=equity.sharpe,
        sharpe_period_ms=equity.period_ms,
        trades=trades.trades,
        winrate=trades.winrate,
        profit_factor=trades.profit_factor,
        fees_quote=fees_quote,
        realized_pnl=realized_pnl,
        flows_quote=equity.flows,
    )


def performance(
    curve: Iterable[EquityPoint],
    trades: Iterable[ClosedTrade],
    *,
    fees_quote: Decimal,
    realized_pnl: Decimal,
) -> Performance:
    """All figures of a whole run. Raises ValueError on an empty curve, which says nothing."""
    equity = EquityFigures()
    equity.on_points(curve)
    finished = TradeFigures()
    for trade in trades:
        finished.on_trade(trade)
    return figures(equity, finished, fees_quote=fees_quote, realized_pnl=realized_pnl)
