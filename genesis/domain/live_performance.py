"""The live account's figures: the same measures as a backtest's, of what the account and the order books hold now."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

import msgspec

from genesis.domain.executions import ROWS_TOLD, executions, expected_of
from genesis.domain.measures import measure, tally_orders, trade_row
from protocols.account import AccountView
from protocols.measures import ExecutionReport, Measures
from protocols.orders import OrderView
from protocols.signals import SignalScore


class LivePerformance(msgspec.Struct, frozen=True, kw_only=True):
    """`trades_seen` and `fills_seen` say how far back the tables reach: the newest of each that readers are given."""

    measures: Measures
    executions: ExecutionReport
    trades_seen: int
    fills_seen: int


def live_performance(
    view: AccountView,
    orders: Iterable[OrderView],
    scores: Iterable[SignalScore],
    refused_by_risk: Mapping[str, int],
) -> LivePerformance | None:
    """None before the first point of the equity curve."""
    if not view.curve or view.performance is None:
        return None
    known = [order for order in orders if not order.foreign]
    # Of one candle every strategy says something, under one correlation.
    told = {(score.strategy, score.correlation_id): score for score in scores}
    expected: dict[str, Decimal | None] = {}
    decided_ms: dict[str, int] = {}
    for order in known:
        score = told.get((order.strategy, order.correlation_id))
        expected[order.intent_id] = expected_of(order, None if score is None else score.price)
        if score is not None:
            decided_ms[order.intent_id] = score.decided_ms
    tags = {said: score.source for said, score in told.items()}
    made = measure(
        view.curve,
        [trade_row(trade, tags.get((trade.strategy, trade.correlation_id), "")) for trade in view.trades],
        fees_quote=view.performance.fees_quote,
        realized_pnl=view.performance.realized_pnl,
        traded_quote=view.traded_quote,
        left_open=view.left_open,
        orders=tally_orders(known).counts(refused_by_risk),
    )
    report = executions(view.fills, expected, decided_ms)
    return LivePerformance(
        measures=made,
        executions=msgspec.structs.replace(report, rows=report.rows[-ROWS_TOLD:]),
        trades_seen=len(view.trades),
        fills_seen=len(view.fills),
    )
