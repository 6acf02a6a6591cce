"""Expected against real price, order by order, and what it teaches the next backtest about costs."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Final

import attrs
import numpy as np

from genesis.domain.matching import FillModel
from protocols.measures import Execution, ExecutionReport, SlippageRow
from protocols.orders import Fill, OrderView, Purpose
from protocols.units import ZERO, exact

ROWS_TOLD: Final = 200
LEARN_FROM: Final = 20
"""Taker orders before their cost says more than the move of the price between decision and fill."""
LARGEST_LEARNED: Final = Decimal("0.01")
"""One per cent each way: above that it is not a cost but a fault, and a model made of it would hide it."""


def expected_of(order: OrderView, decided_at: float | None) -> Decimal | None:
    """The price an order was meant to get: its own, where it has one, else the close it was decided at."""
    if order.purpose is Purpose.STOP:
        return order.stop_price or order.price
    if order.price is not None:
        return order.price
    return None if decided_at is None else exact(decided_at)


def executions(
    fills: Iterable[Fill],
    expected: Mapping[str, Decimal | None],
    decided_ms: Mapping[str, int] | None = None,
) -> ExecutionReport:
    """Each filled order once, oldest first. `expected` and `decided_ms` are by intent."""
    by_intent: dict[str, list[Fill]] = {}
    for fill in fills:
        if not fill.foreign:
            by_intent.setdefault(fill.intent_id, []).append(fill)
    rows: list[Execution] = []
    unknown = 0
    for intent_id, parts in by_intent.items():
        wanted = expected.get(intent_id)
        if wanted is None or wanted <= 0:
            unknown += 1
            continue
        rows.append(_execution(parts, wanted, (decided_ms or {}).get(intent_id)))
    rows.sort(key=lambda row: (row.filled_ms, row.intent_id))
    return ExecutionReport(
        orders=len(by_intent),
        unknown=unknown,
        by_symbol=_table(rows, lambda row: row.symbol),
        by_purpose=_table(rows, lambda row: row.purpose),
        rows=tuple(rows),
    )


def _execution(parts: Sequence[Fill], wanted: Decimal, decided_ms: int | None) -> Execution:
    quantity = sum((fill.quantity for fill in parts), ZERO)
    real = sum((fill.quantity * fill.price for fill in parts), ZERO) / quantity
    first, filled_ms = parts[0], max(fill.time_ms for fill in parts)
    lost = (real - wanted) * first.side.sign
    return Execution(
        intent_id=first.intent_id,
        symbol=first.symbol,
        strategy=first.strategy,
        side=first.side.value,
        purpose=first.purpose.value,
        quantity=quantity,
        expected_price=wanted,
        real_price=real,
        slippage_bps=float(lost / wanted) * 1e4,
        cost_quote=lost * quantity,
        maker=all(fill.maker for fill in parts),
        filled_ms=filled_ms,
        delay_ms=None if decided_ms is None else filled_ms - decided_ms,
    )


def _table(rows: Iterable[Execution], name: Callable[[Execution], str]) -> tuple[SlippageRow, ...]:
    groups: dict[str, list[Execution]] = {}
    for row in rows:
        groups.setdefault(name(row), []).append(row)
    return tuple(_row(key, found) for key, found in sorted(groups.items()))


def _row(name: str, rows: Sequence[Execution]) -> SlippageRow:
    lost = np.array([row.slippage_bps for row in rows])
    weights = np.array([float(row.quantity * row.expected_price) for row in rows])
    return SlippageRow(
        name=name,
        orders=len(rows),
        mean_bps=float(np.average(lost, weights=weights)),
        median_bps=float(np.median(lost)),
        p95_bps=float(np.percentile(lost, 95)),
        worst_bps=float(lost.max()),
        cost_quote=sum((row.cost_quote for row in rows), ZERO),
    )


def learned_model(rows: Iterable[Execution], base: FillModel) -> FillModel:
    """The fill model with what takers really paid, by notional, in place of an assumption.

    Half the spread stays as assumed as long as it fits into what was paid; the rest is slippage. Costs are never
    learned to be below zero: prices that happened to move our way will not always. Raises ValueError under
    `LEARN_FROM` taker orders, or above one per cent.
    """
    takers = [row for row in rows if not row.maker]
    if len(takers) < LEARN_FROM:
        raise ValueError(f"executions must be at least {LEARN_FROM} taker orders, was {len(takers)}")
    paid_bps = max(0.0, _row("all", takers).mean_bps)
    paid = Decimal(repr(round(paid_bps / 1e4, 9)))
    if not math.isfinite(paid_bps) or paid > LARGEST_LEARNED:
        raise ValueError(f"paid on the way to the market must be at most 100 bps, was {paid_bps:.1f}")
    half_spread = min(base.half_spread, paid)
    return attrs.evolve(base, half_spread=half_spread, slippage=paid - half_spread)
