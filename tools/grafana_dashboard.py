"""Makes deploy/grafana/genesis.json, the Grafana dashboard: `python -m tools.grafana_dashboard`.

Rows follow the questions of an operator: is it well, what does it hold, what did risk say, is the data fresh, are the
actors keeping up, and what do clients ask for. A test compares the file with what this makes, and every metric that is
named here with what a running engine tells.
"""

import json
from pathlib import Path
from typing import Final

import attrs
from grafana_foundation_sdk.builders.common import VizLegendOptions
from grafana_foundation_sdk.builders.dashboard import Dashboard, DatasourceVariable, Row
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.builders.stat import Panel as Stat
from grafana_foundation_sdk.builders.timeseries import Panel as TimeSeries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import LegendDisplayMode, LegendPlacement
from grafana_foundation_sdk.models.dashboard import DataSourceRef

PATH: Final = Path(__file__).resolve().parent.parent / "deploy" / "grafana" / "genesis.json"
SOURCE: Final = DataSourceRef(type_val="prometheus", uid="${source}")


@attrs.frozen
class Query:
    expression: str
    legend: str = ""


@attrs.frozen
class Chart:
    """`unit` is one of Grafana's: s, ms, percentunit, ops, short, none."""

    title: str
    queries: tuple[Query, ...]
    unit: str = "short"
    stat: bool = False


def one(title: str, expression: str, legend: str = "", unit: str = "short", *, stat: bool = False) -> Chart:
    return Chart(title, (Query(expression, legend),), unit, stat)


ROWS: Final[dict[str, tuple[Chart, ...]]] = {
    "Is it well": (
        one("Ready to trade", "genesis_ready_to_trade", stat=True),
        one("Trading state", "genesis_trading_state == 1", "{{state}}", stat=True),
        one("Orders in doubt", "genesis_orders_unknown", stat=True),
        one("Positions without a stop", "genesis_positions_naked", stat=True),
        one("Dead letters", "genesis_dead_letters_total", stat=True),
        one("Uptime", "genesis_uptime_seconds", unit="s", stat=True),
    ),
    "Account": (
        Chart(
            "Equity and result",
            (
                Query("genesis_account_equity", "equity"),
                Query("genesis_account_realized_pnl", "realized"),
                Query("genesis_account_unrealized_pnl", "unrealized"),
            ),
        ),
        one("Positions, worth", "genesis_position_notional", "{{symbol}}"),
        one("Orders by state", "genesis_orders", "{{state}}"),
        Chart(
            "Orders and fills a minute",
            (
                Query("60 * rate(genesis_orders_total[5m])", "orders"),
                Query("60 * rate(genesis_fills_total[5m])", "fills"),
            ),
        ),
        Chart(
            "Longest time without a stop",
            (
                Query("genesis_position_naked_p99_seconds", "p99"),
                Query("genesis_position_naked_worst_seconds", "worst"),
            ),
            "s",
        ),
    ),
    "Risk": (
        one("Limits used", "genesis_risk_limit_used_ratio", "{{limit}}", "percentunit"),
        one("Refusals an hour", "3600 * rate(genesis_risk_denials_total[15m])", "{{code}}"),
        one("Breakers open", "genesis_trading_breaker_open", "{{scope}}"),
    ),
    "Market data": (
        one("Age of streams", "genesis_stream_age_seconds", "{{stream}} {{symbol}} {{timeframe}}", "s"),
        one("Frames a second", "rate(genesis_frames_in_total[1m])", "in", "ops"),
        Chart(
            "Where prices come from",
            (
                Query("tradingbot_marketdata_ws_percent", "socket"),
                Query("tradingbot_marketdata_rest_percent", "REST"),
                Query("tradingbot_marketdata_cache_percent", "cache"),
            ),
            "percent",
        ),
        Chart(
            "Trouble on the line, in ten minutes",
            (
                Query("increase(genesis_reconnects_total[10m])", "reconnects"),
                Query("increase(genesis_sequence_gaps_total[10m])", "sequence gaps"),
                Query("increase(genesis_bad_checksums_total[10m])", "bad checksums"),
                Query("increase(genesis_sessions_over_rest_total[10m])", "sessions over REST"),
            ),
        ),
        one("Clock against the venue's", "genesis_venue_skew_ms", "skew", "ms"),
    ),
    "Actors": (
        one(
            "From market frame to order frame, p50",
            "histogram_quantile(0.5, sum by (le, stage) (rate(genesis_decision_seconds_bucket[15m])))",
            "{{stage}}",
            "s",
        ),
        one("Mailbox depth", "genesis_mailbox_depth", "{{actor}} {{channel}}"),
        one("Oldest message", "genesis_mailbox_oldest_age_seconds", "{{actor}} {{channel}}", "s"),
        one("Messages a second", "sum by (actor) (rate(genesis_mailbox_acked_total[1m]))", "{{actor}}", "ops"),
        one("Restarts in ten minutes", "increase(genesis_actor_restarts_total[10m])", "{{actor}}"),
    ),
    "Web and messages": (
        one("Requests a second", "sum by (route) (rate(genesis_http_requests_total[1m]))", "{{route}}", "ops"),
        one(
            "Request time, p99",
            "histogram_quantile(0.99, sum by (le) (rate(genesis_http_request_seconds_bucket[5m])))",
            "p99",
            "s",
        ),
        one(
            "The world outside, answers p99",
            "histogram_quantile(0.99, sum by (le, client) (rate(genesis_io_seconds_bucket[5m])))",
            "{{client}}",
            "s",
        ),
        one("The world outside, answers a second", "rate(genesis_io_answers_total[1m])", "{{client}}", "ops"),
        one("Events a second", "rate(genesis_events_total[1m])", "{{category}}", "ops"),
        one("Stream clients", "genesis_stream_clients", "clients"),
        Chart(
            "Notifications in an hour",
            (
                Query("increase(genesis_news_sent_total[1h])", "sent"),
                Query("increase(genesis_news_failed_total[1h])", "failed"),
            ),
        ),
    ),
}


def dashboard() -> str:
    """The file's text: sorted, so that a change of this module is the only thing that changes it."""
    board = (
        Dashboard("Genesis")
        .uid("genesis")
        .tags(["genesis", "trading"])
        .refresh("10s")
        .time("now-6h", "now")
        .with_variable(DatasourceVariable("source").label("Source").type("prometheus"))
    )
    for title, charts in ROWS.items():
        board = board.with_row(Row(title))
        for chart in charts:
            board = board.with_panel(_panel(chart))
    return json.dumps(board.build(), cls=JSONEncoder, indent=2, sort_keys=True) + "\n"


def _panel(chart: Chart) -> Stat | TimeSeries:
    panel: Stat | TimeSeries
    if chart.stat:
        panel = Stat().title(chart.title).unit(chart.unit).datasource(SOURCE).span(4).height(4)
    else:
        legend = VizLegendOptions().display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM)
        legend = legend.show_legend(True)
        panel = TimeSeries().title(chart.title).unit(chart.unit).datasource(SOURCE).span(12).height(8).legend(legend)
    for query in chart.queries:
        panel = panel.with_target(Dataquery().expr(query.expression).legend_format(query.legend))
    return panel


def main() -> None:
    PATH.write_text(dashboard())


if __name__ == "__main__":
    main()
