"""The figures of a run in full, made of its equity curve, its finished trades, its fills and its orders.

`measure` is a pure function of what it is given, so a backtest, a replay and the live account have one set of figures.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

import attrs
import msgspec
import numpy as np
import numpy.typing as npt

from genesis.domain.performance import DAY_MS, MIN_PERIODS, YEAR_MS, return_period_ms
from protocols.account import ClosedTrade, EquityPoint
from protocols.measures import (
    Distribution,
    Drawdown,
    Group,
    Holding,
    Measures,
    OpenRow,
    OrderCounts,
    Tables,
    TradeRow,
)
from protocols.orders import Fill, OrderState, OrderUpdate, OrderView
from protocols.units import ZERO

ANNUAL_NEEDS_MS: Final = 30 * DAY_MS
"""A year cannot be told from less: two good days would be a growth of a million percent."""
DRAWDOWNS_TOLD: Final = 5
CURVE_TOLD: Final = 2_000
BINS: Final = 20
WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
NOT_FILLED: Final = "not filled in"
"""How the order machine begins its reason when it takes an entry back that nobody filled."""
REASONS_KEPT: Final = 50
REASON_LENGTH: Final = 90
_NUMBERS: Final = re.compile(r"\d[\d.,]*")

Floats = npt.NDArray[np.float64]
Times = npt.NDArray[np.int64]


@attrs.define(kw_only=True)
class OrderTally:
    """Counts what becomes of orders as their news comes in. An order is counted when it ends, once."""

    sent: int = 0
    _states: Counter[str] = attrs.field(factory=Counter)
    _refused: Counter[str] = attrs.field(factory=Counter)
    _cancelled: Counter[str] = attrs.field(factory=Counter)
    _timed_out: Counter[str] = attrs.field(factory=Counter)
    _seen: set[str] = attrs.field(factory=set)
    _asked: dict[str, str] = attrs.field(factory=dict)

    def on_update(self, update: OrderUpdate) -> None:
        order = update.order
        if order.state is _PENDING_CANCEL:
            # The venue's last word is a bare CANCELED; why we wanted that is said here only.
            self._asked[order.intent_id] = order.reason
        # What we gave up ourselves nobody refused.
        ended = "cancelled" if order.withdrawn else _ENDED.get(order.state)
        if ended is None or order.foreign or order.intent_id in self._seen:
            return
        self._seen.add(order.intent_id)
        if ended in _NEEDS_NO_REASON:
            self._states[ended] += 1
            return
        why = self._asked.pop(order.intent_id, "") if ended == "cancelled" else ""
        reason = f"{order.purpose}: {reason_code(why or order.reason)}"
        if ended == "cancelled" and NOT_FILLED in reason:
            ended = "timed_out"
        self._states[ended] += 1
        kept = {"refused": self._refused, "cancelled": self._cancelled, "timed_out": self._timed_out}.get(ended)
        if kept is not None:
            kept[reason if reason in kept or len(kept) < REASONS_KEPT else "other"] += 1

    def counts(self, refused_by_risk: Mapping[str, int]) -> OrderCounts:
        return OrderCounts(
            sent=self.sent,
            **{name: self._states[name] for name in ("filled", "cancelled", "refused", "timed_out", "expired")},
            refused_by_risk=dict(sorted(refused_by_risk.items())),
            refused_by_reason=dict(sorted(self._refused.items())),
            cancelled_by_reason=dict(sorted(self._cancelled.items())),
            timed_out_by_reason=dict(sorted(self._timed_out.items())),
        )


_PENDING_CANCEL: Final = OrderState.PENDING_CANCEL
_ENDED: Final = {
    OrderState.FILLED: "filled",
    OrderState.CANCELED: "cancelled",
    OrderState.REJECTED: "refused",
    OrderState.DEAD: "refused",
    OrderState.EXPIRED: "expired",
}


_NEEDS_NO_REASON: Final = frozenset({"filled", "expired"})


def reason_code(reason: str) -> str:
    """A reason without its numbers, so that equal ones can be counted.

    >>> reason_code("not filled in 30 s, priced anew 2 times")
    'not filled in # s, priced anew # times'
    """
    return _NUMBERS.sub("#", reason).strip()[:REASON_LENGTH] or "no reason given"


def tally_orders(orders: Iterable[OrderView]) -> OrderTally:
    """The tally of orders that are known already, as the live account has them."""
    tally = OrderTally()
    for order in orders:
        if not order.foreign:
            tally.sent += 1
            tally.on_update(OrderUpdate(order=order))
    return tally


def trade_row(trade: ClosedTrade, tag: str = "") -> TradeRow:
    """A finished trade as reports list it; `tag` names what opened it."""
    return TradeRow(
        symbol=trade.symbol,
        strategy=trade.strategy,
        tag=tag,
        side="long" if trade.side.sign > 0 else "short",
        quantity=trade.quantity,
        entry_ms=trade.entry_ms,
        entry_price=trade.entry_price,
        exit_ms=trade.exit_ms,
        exit_price=trade.exit_price,
        exit_reason=trade.exit_reason,
        pnl=trade.pnl,
        return_=trade_return(trade),
        fees_quote=trade.fees_quote,
        shares=trade.shares,
    )


def trade_return(trade: ClosedTrade) -> float:
    """Profit after fees over what was put in."""
    put_in = trade.entry_price * trade.quantity
    return float(trade.pnl / put_in) if put_in else 0.0


def measure(
    curve: Sequence[EquityPoint],
    trades: Sequence[TradeRow],
    *,
    fees_quote: Decimal,
    realized_pnl: Decimal,
    traded_quote: Decimal = ZERO,
    left_open: Sequence[OpenRow] = (),
    market: Mapping[str, tuple[float, float]] | None = None,
    orders: OrderCounts | None = None,
    curve_points: int = CURVE_TOLD,
) -> Measures:
    """All figures. `curve` ascends in time; `market` has each symbol's first and last price.

    Raises ValueError on an empty curve, which says nothing.
    """
    if not curve:
        raise ValueError("curve must have at least one point, was empty")
    at = np.array([point.at_ms for point in curve], dtype=np.int64)
    told = np.array([float(point.equity) for point in curve], dtype=np.float64)
    equity = without_flows(curve, told)
    start, final = curve[0].equity, curve[-1].equity
    flows = curve[-1].flows - curve[0].flows
    span_ms = int(at[-1] - at[0])
    years = span_ms / YEAR_MS
    total_return = float(final / start - 1) if start > 0 else 0.0
    if equity is not told and start > 0:
        total_return = float(equity[-1] / equity[0] - 1.0)
    cagr = None
    if span_ms >= ANNUAL_NEEDS_MS and start > 0:
        cagr = (1.0 + total_return) ** (1.0 / years) - 1.0 if total_return > -1.0 else -1.0
    falls = drawdowns_of(at, equity)
    below = below_peak(equity)
    deepest = max((fall.depth for fall in falls), default=0.0)
    period_ms, returns = period_returns(at, equity)
    per_year = YEAR_MS / period_ms
    won, lost = [row for row in trades if row.pnl > 0], [row for row in trades if row.pnl < 0]
    gain, loss = float(sum((row.pnl for row in won), ZERO)), -float(sum((row.pnl for row in lost), ZERO))
    average_win = gain / len(won) if won else None
    average_loss = loss / len(lost) if lost else None
    expectancy = (gain - loss) / len(trades) if trades else None
    held = dict(market or {})
    by_symbol = {name: last / first - 1.0 for name, (first, last) in sorted(held.items()) if first > 0}
    streaks = _streaks(trades)
    returned, winrate, counts = _heatmaps(trades)
    average_equity = _time_average(at, told)
    recoveries = [fall.recovery_ms for fall in falls if fall.recovery_ms is not None]
    return Measures(
        start_ms=int(at[0]),
        end_ms=int(at[-1]),
        start_equity=start,
        final_equity=final,
        total_return=total_return,
        profit=final - start - flows,
        flows_quote=flows,
        cagr=cagr,
        max_drawdown=deepest,
        max_drawdown_quote=max((fall.depth_quote for fall in falls), default=0.0),
        drawdowns=tuple(sorted(falls, key=lambda fall: (-fall.depth, fall.peak_ms))[:DRAWDOWNS_TOLD]),
        longest_drawdown_ms=max((fall.duration_ms for fall in falls), default=0),
        longest_recovery_ms=max(recoveries, default=None),
        time_under_water=_part_of_time(at, below > 0.0),
        average_drawdown=float(np.mean([fall.depth for fall in falls])) if falls else 0.0,
        ulcer_index=math.sqrt(float(np.mean(below**2))),
        lowest_equity=min(point.equity for point in curve),
        highest_equity=max(point.equity for point in curve),
        return_period_ms=period_ms,
        periods=len(returns),
        periods_needed=MIN_PERIODS,
        periods_per_year=per_year,
        sharpe=sharpe_of(returns, per_year),
        sortino=sortino_of(returns, per_year),
        calmar=None if cagr is None or deepest <= 0.0 else cagr / deepest,
        omega=omega_of(returns),
        volatility=deviation_of(returns) * math.sqrt(per_year) if len(returns) >= MIN_PERIODS else None,
        best_period=float(returns.max()) if len(returns) else None,
        worst_period=float(returns.min()) if len(returns) else None,
        trades=len(trades),
        trades_per_day=len(trades) / (span_ms / DAY_MS) if span_ms >= DAY_MS else None,
        wins=len(won),
        losses=len(lost),
        draws=len(trades) - len(won) - len(lost),
        winrate=len(won) / len(trades) if trades else None,
        profit_factor=gain / loss if loss > 0 else None,
        expectancy=expectancy,
        expectancy_ratio=None if expectancy is None or not average_loss else expectancy / average_loss,
        payoff_ratio=None if average_win is None or not average_loss else average_win / average_loss,
        sqn=sqn_of([float(row.pnl) for row in trades]),
        average_win=average_win,
        average_loss=average_loss,
        best_trade=max((row.pnl for row in trades), default=None),
        worst_trade=min((row.pnl for row in trades), default=None),
        longest_win_streak=streaks[0],
        longest_loss_streak=streaks[1],
        current_streak=streaks[2],
        holding=_holding(trades),
        exposure=_exposure(trades, left_open, int(at[0]), int(at[-1])),
        turnover=float(traded_quote) / average_equity if average_equity > 0 else None,
        traded_quote=traded_quote,
        fees_quote=fees_quote,
        buy_and_hold=sum(by_symbol.values()) / len(by_symbol) if by_symbol else None,
        buy_and_hold_by_symbol=by_symbol,
        realized_pnl=realized_pnl,
        left_open=tuple(left_open),
        orders=orders or OrderCounts(),
        distribution=distribution_of([row.return_ for row in trades]),
        tables=_tables(trades),
        monthly_returns=_monthly(at, equity),
        equity_curve=_thinned(at, told, curve_points),
        heatmap_return=returned,
        heatmap_winrate=winrate,
        heatmap_counts=counts,
        heatmap=returned,
    )


# --- equity over time ---------------------------------------------------------------------------------------------


def drawdowns_of(at: Times, equity: Floats) -> list[Drawdown]:
    """Every fall from a peak, in the order of time; one that was not made good ends with the curve."""
    falls: list[Drawdown] = []
    peak, peak_ms = float(equity[0]), int(at[0])
    bottom, bottom_ms = peak, peak_ms

    def fall(recovered_ms: int | None) -> Drawdown:
        end_ms = int(at[-1]) if recovered_ms is None else recovered_ms
        return Drawdown(
            depth=(peak - bottom) / peak if peak > 0 else 0.0,
            depth_quote=peak - bottom,
            peak_ms=peak_ms,
            bottom_ms=bottom_ms,
            recovered_ms=recovered_ms,
            duration_ms=end_ms - peak_ms,
            recovery_ms=None if recovered_ms is None else recovered_ms - bottom_ms,
        )

    for at_ms, now in zip(at.tolist(), equity.tolist(), strict=True):
        if now >= peak:
            if bottom < peak:
                falls.append(fall(at_ms))
            peak, peak_ms, bottom, bottom_ms = now, at_ms, now, at_ms
        elif now < bottom:
            bottom, bottom_ms = now, at_ms
    if bottom < peak:
        falls.append(fall(None))
    return falls


def without_flows(curve: Sequence[EquityPoint], equity: Floats) -> Floats:
    """The curve as if nothing had been paid in or taken out since its start: the very same array where nothing was.

    Each flow is taken for what the account grew by at its point, and all that follows is scaled back by that, as the
    worth of one share of a fund (time-weighted return). Where nothing was before, or nothing is left, what comes after
    goes on from where it stood.
    """
    if not any(point.flows for point in curve):
        return equity
    flows = np.array([float(point.flows) for point in curve], dtype=np.float64)
    moved = np.diff(flows, prepend=flows[:1])
    places = np.flatnonzero(moved)
    if not len(places):
        return equity
    scale = np.ones(len(equity))
    for place in places.tolist():
        own, before = equity[place] - moved[place], equity[place - 1]
        # With nothing before or after it there is no growth to tell: the level stays.
        worth = own if own > 0.0 else before
        if worth > 0.0 and equity[place] > 0.0:
            scale[place] = worth / equity[place]
    return equity * np.cumprod(scale)


def period_returns(at: Times, equity: Floats, period_ms: int | None = None) -> tuple[int, Floats]:
    """The period, and the return of each whole one: by the day when there are 30 whole days, else by the hour.

    Periods begin at whole days or hours UTC. The first is the one that the curve begins in; the last that has ended.
    """
    period_ms = period_ms or return_period_ms(int(at[0]), int(at[-1]))
    first = (int(at[0]) // period_ms + 1) * period_ms
    ends = np.arange(first, int(at[-1]) + 1, period_ms, dtype=np.int64)
    if not len(ends):
        return period_ms, np.empty(0)
    # The last equity known before each end: a point exactly at the end belongs to the next period.
    known = equity[np.searchsorted(at, ends, side="left") - 1]
    before = np.concatenate((equity[:1], known[:-1]))
    safe = np.where(before > 0.0, before, 1.0)
    return period_ms, np.where(before > 0.0, known / safe - 1.0, 0.0)


def below_peak(equity: Floats) -> Floats:
    peak = np.maximum.accumulate(equity)
    return np.where(peak > 0.0, (peak - equity) / np.where(peak > 0.0, peak, 1.0), 0.0)


def _part_of_time(at: Times, holds: npt.NDArray[np.bool_]) -> float:
    """The part of the time for which something holds, each point until the next."""
    steps = np.diff(at)
    total = int(steps.sum())
    return float(steps[holds[:-1]].sum() / total) if total else 0.0


def _time_average(at: Times, equity: Floats) -> float:
    steps = np.diff(at).astype(np.float64)
    total = float(steps.sum())
    return float((equity[:-1] * steps).sum() / total) if total else float(equity[-1])


def deviation_of(returns: Floats) -> float:
    return float(returns.std(ddof=1)) if len(returns) > 1 else 0.0


def sharpe_of(returns: Floats, per_year: float) -> float | None:
    deviation = deviation_of(returns)
    # Below this it is the rounding of equal returns.
    if len(returns) < MIN_PERIODS or deviation <= 1e-15:
        return None
    return float(returns.mean()) / deviation * math.sqrt(per_year)


def sortino_of(returns: Floats, per_year: float) -> float | None:
    """Mean over the root of the mean square of the losses, both over all periods."""
    if len(returns) < MIN_PERIODS:
        return None
    downside = math.sqrt(float(np.mean(np.minimum(returns, 0.0) ** 2)))
    return float(returns.mean()) / downside * math.sqrt(per_year) if downside > 1e-15 else None


def omega_of(returns: Floats) -> float | None:
    lost = -float(returns[returns < 0.0].sum()) if len(returns) else 0.0
    if len(returns) < MIN_PERIODS or lost <= 1e-15:
        return None
    return float(returns[returns > 0.0].sum()) / lost


def _monthly(at: Times, equity: Floats) -> dict[str, float]:
    """The return of each month that the curve touches: from the last equity known before it to its own last."""
    months = at.astype("datetime64[ms]").astype("datetime64[M]")
    lasts = np.append(np.flatnonzero(months[1:] != months[:-1]), len(at) - 1)
    before = float(equity[0])
    found: dict[str, float] = {}
    for place in lasts.tolist():
        now = float(equity[place])
        found[str(months[place])] = now / before - 1.0 if before > 0 else 0.0
        before = now
    return found


def _thinned(at: Times, equity: Floats, limit: int) -> tuple[tuple[int, float], ...]:
    """At most about `limit` points: the first, the last, and of each stretch between its lowest and its highest."""
    if len(at) <= limit:
        places = np.arange(len(at))
    else:
        edges = np.linspace(0, len(at), max(limit // 2, 2), dtype=np.int64)
        kept = {0, len(at) - 1}
        for begin, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
            if end > begin:
                kept.add(begin + int(equity[begin:end].argmin()))
                kept.add(begin + int(equity[begin:end].argmax()))
        places = np.array(sorted(kept))
    return tuple(zip(at[places].tolist(), equity[places].tolist(), strict=True))


# --- trades -------------------------------------------------------------------------------------------------------


def sqn_of(profits: Sequence[float]) -> float | None:
    if len(profits) < 2:
        return None
    deviation = float(np.std(profits, ddof=1))
    return math.sqrt(len(profits)) * float(np.mean(profits)) / deviation if deviation > 1e-15 else None


def _streaks(trades: Iterable[TradeRow]) -> tuple[int, int, int]:
    """(longest run of wins, of losses, the run under way: below zero when it is one of losses), by exit."""
    longest_win = longest_loss = now = 0
    for row in sorted(trades, key=lambda row: row.exit_ms):
        if row.pnl > 0:
            now = now + 1 if now > 0 else 1
        elif row.pnl < 0:
            now = now - 1 if now < 0 else -1
        else:
            now = 0
        longest_win, longest_loss = max(longest_win, now), max(longest_loss, -now)
    return longest_win, longest_loss, now


def _holding(trades: Sequence[TradeRow]) -> Holding:
    times = [row.exit_ms - row.entry_ms for row in trades]

    def average(some: Iterable[TradeRow]) -> float | None:
        found = [row.exit_ms - row.entry_ms for row in some]
        return sum(found) / len(found) if found else None

    return Holding(
        average_ms=average(trades),
        median_ms=float(np.median(times)) if times else None,
        shortest_ms=min(times, default=None),
        longest_ms=max(times, default=None),
        winners_average_ms=average(row for row in trades if row.pnl > 0),
        losers_average_ms=average(row for row in trades if row.pnl < 0),
    )


def _exposure(trades: Iterable[TradeRow], left_open: Iterable[OpenRow], start_ms: int, end_ms: int) -> float:
    """The part of the time with at least one position."""
    spans = [(row.entry_ms, row.exit_ms) for row in trades] + [(row.entry_ms, end_ms) for row in left_open]
    covered, reached = 0, start_ms
    for begin, end in sorted(spans):
        begin, end = max(begin, reached), min(end, end_ms)
        if end > begin:
            covered += end - begin
            reached = end
    return covered / (end_ms - start_ms) if end_ms > start_ms else 0.0


def distribution_of(returns: Sequence[float]) -> Distribution:
    """How the returns of trades are spread. One trade has a mean, but no deviation."""
    if not returns:
        nothing = dict.fromkeys(("mean", "median", "deviation", "skewness", "kurtosis", "var_95", "var_99"), None)
        return Distribution(edges=(), counts=(), **nothing)
    found = np.array(returns, dtype=np.float64)
    counts, edges = np.histogram(found, bins=BINS)
    mean, deviation = float(found.mean()), float(found.std(ddof=1)) if len(found) > 1 else None
    skewness = kurtosis = None
    spread = float(found.std())
    if len(found) > 2 and spread > 1e-15:
        skewness = float(np.mean(((found - mean) / spread) ** 3))
        kurtosis = float(np.mean(((found - mean) / spread) ** 4)) - 3.0
    return Distribution(
        edges=tuple(edges.tolist()),
        counts=tuple(counts.tolist()),
        mean=mean,
        median=float(np.median(found)),
        deviation=deviation,
        skewness=skewness,
        kurtosis=kurtosis,
        var_95=max(0.0, -float(np.percentile(found, 5))),
        var_99=max(0.0, -float(np.percentile(found, 1))),
    )


def _utc(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)


def _tables(trades: Sequence[TradeRow]) -> Tables:
    def by(name: Callable[[TradeRow], str], rows: Sequence[TradeRow] = trades) -> tuple[Group, ...]:
        groups: dict[str, list[TradeRow]] = {}
        for row in rows:
            groups.setdefault(name(row), []).append(row)
        return tuple(_group(key, rows) for key, rows in sorted(groups.items()))

    weekday = {group.name: group for group in by(lambda row: WEEKDAYS[_utc(row.entry_ms).weekday()])}
    return Tables(
        symbol=by(lambda row: row.symbol),
        strategy=by(lambda row: row.strategy, [part for row in trades for part in _parts(row)]),
        tag=by(lambda row: row.tag),
        exit_reason=by(lambda row: row.exit_reason),
        side=by(lambda row: row.side),
        hour=by(lambda row: f"{_utc(row.entry_ms).hour:02}"),
        weekday=tuple(weekday[name] for name in WEEKDAYS if name in weekday),
        month=by(lambda row: f"{_utc(row.entry_ms):%Y-%m}"),
    )


def _parts(row: TradeRow) -> Iterator[TradeRow]:
    """A trade as each who had a part in it made it; a return is still over what was put in by all."""
    if not row.shares:
        yield row
    put_in = row.entry_price * row.quantity
    for share in row.shares:
        return_ = float(share.pnl / put_in) if put_in else 0.0
        yield msgspec.structs.replace(
            row, strategy=share.strategy, pnl=share.pnl, fees_quote=share.fees_quote, return_=return_, shares=()
        )


def _group(name: str, rows: Sequence[TradeRow]) -> Group:
    wins = sum(row.pnl > 0 for row in rows)
    return Group(
        name=name,
        trades=len(rows),
        wins=wins,
        winrate=wins / len(rows),
        pnl=sum((row.pnl for row in rows), ZERO),
        average_return=sum(row.return_ for row in rows) / len(rows),
        best=max(row.pnl for row in rows),
        worst=min(row.pnl for row in rows),
        fees_quote=sum((row.fees_quote for row in rows), ZERO),
        average_holding_ms=sum(row.exit_ms - row.entry_ms for row in rows) / len(rows),
    )


Grid = tuple[tuple[float | None, ...], ...]


def _heatmaps(trades: Iterable[TradeRow]) -> tuple[Grid, Grid, tuple[tuple[int, ...], ...]]:
    """(mean return, winrate, trades) of each weekday and hour of entry, UTC."""
    returned, wins, counts = np.zeros((7, 24)), np.zeros((7, 24)), np.zeros((7, 24), dtype=np.int64)
    for row in trades:
        entry = _utc(row.entry_ms)
        cell = entry.weekday(), entry.hour
        returned[cell] += row.return_
        wins[cell] += row.pnl > 0
        counts[cell] += 1

    def over_counts(sums: Floats) -> Grid:
        return tuple(
            tuple(value / count if count else None for value, count in zip(*pair, strict=True))
            for pair in zip(sums.tolist(), counts.tolist(), strict=True)
        )

    return over_counts(returned), over_counts(wins), tuple(tuple(row) for row in counts.tolist())


def traded_quote(fills: Iterable[Fill]) -> Decimal:
    """What was bought and sold, in quote."""
    return sum((fill.quantity * fill.price for fill in fills if not fill.foreign), ZERO)
