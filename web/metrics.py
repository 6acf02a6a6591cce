"""What Prometheus sees: the engine's views turned into samples at the moment of the scrape.

Nothing in the engine counts for Prometheus; actors, mailboxes, connections and the account already carry their
numbers. Only what happens in the web itself is counted here. Labels are names from our own settings, never a client's.
"""

from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import Final

import attrs
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from protocols.health import ActorStatus, ActorView
from protocols.orders import TERMINAL_STATES
from protocols.risk import BreakerState, TradingState
from web.hub import Hub
from web.readers import Readers
from web.server import ServerCounters

SEED_GAUGES: Final = (
    ("tradingbot_marketdata_cache_percent", "Share of market data answered from the cache, in percent."),
    ("tradingbot_marketdata_rest_percent", "Share of market data answered over REST, in percent."),
    ("tradingbot_marketdata_ws_percent", "Share of market data that came over WebSocket, in percent."),
    ("tradingbot_trading_circuit_breaker_active", "1 while trading is stopped by risk."),
    ("tradingbot_transport_circuit_breaker_active", "1 while a REST endpoint is not asked because it failed."),
    ("tradingbot_circuit_breaker_active", "1 while any circuit breaker is open."),
)
SEED_COUNTERS: Final = (
    ("ws_auth_request_total", "Authentications sent to the exchange."),
    ("ws_auth_success_total", "Authentications the exchange accepted."),
    ("ws_auth_error_total", "Authentications the exchange refused."),
    ("ws_auth_maintenance_total", "Authentications that met the exchange in maintenance."),
    ("ws_auth_timeout_total", "Authentications the exchange did not answer."),
)


@attrs.define(eq=False)
class EngineCollector(Collector):
    """Reads the readers. A reader that fails costs its own samples only: a scrape must not depend on every part."""

    readers: Readers
    hub: Hub
    server: ServerCounters

    def collect(self) -> Iterator[Metric]:
        for part in (
            self._status,
            self._actors,
            self._connections,
            self._freshness,
            self._io,
            self._events,
            self._account,
            self._orders,
            self._risk,
            self._seeds,
            self._stream,
            self._server,
        ):
            yield from part()

    def _status(self) -> Iterable[Metric]:
        status = self.readers.status()
        yield _gauge("genesis_up", "1 while the engine runs.", 1)
        yield _gauge("genesis_uptime_seconds", "Seconds since the engine started.", status.uptime_s)
        yield _gauge("genesis_venue_time_seconds", "The venue's clock, seconds UTC.", status.venue_ms / 1000)
        info = GaugeMetricFamily("genesis_build_info", "Always 1; the labels tell.", labels=["version", "mode"])
        info.add_metric([status.version, status.mode], 1)
        yield info
        if status.replay is not None:
            yield _gauge("genesis_replay_progress_ratio", "How far the replay is.", status.replay.fraction)

    def _actors(self) -> Iterable[Metric]:
        tree = self.readers.actors()
        if tree is None:
            return
        up = GaugeMetricFamily("genesis_actor_up", "1 while the actor runs.", labels=["actor"])
        restarts = CounterMetricFamily("genesis_actor_restarts_total", "Restarts of the actor.", labels=["actor"])
        progress = GaugeMetricFamily(
            "genesis_actor_last_progress_seconds", "Seconds since the actor last did something.", labels=["actor"]
        )
        labels = ["actor", "channel"]
        depth = GaugeMetricFamily("genesis_mailbox_depth", "Messages waiting.", labels=labels)
        leased = GaugeMetricFamily("genesis_mailbox_leased", "Messages being handled.", labels=labels)
        age = GaugeMetricFamily("genesis_mailbox_oldest_age_seconds", "Age of the oldest message.", labels=labels)
        totals = {
            name: CounterMetricFamily(f"genesis_mailbox_{name}_total", text, labels=labels)
            for name, text in (
                ("put", "Messages put."),
                ("acked", "Messages handled."),
                ("conflated", "Messages replaced by newer ones."),
                ("dropped", "Messages dropped because the mailbox was full."),
                ("refused", "Messages refused because the mailbox was full."),
                ("dead", "Messages given up after failing again and again."),
                ("redelivered", "Messages given again after a crash."),
            )
        }
        for path, actor in walk(tree):
            up.add_metric([path], 1 if actor.status is ActorStatus.RUNNING else 0)
            restarts.add_metric([path], actor.restarts)
            progress.add_metric([path], actor.last_progress_s)
            for channel in actor.channels:
                where = [path, channel.name]
                depth.add_metric(where, channel.depth)
                leased.add_metric(where, channel.leased)
                age.add_metric(where, channel.oldest_age_s)
                for name, family in totals.items():
                    family.add_metric(where, getattr(channel, name))
        yield from (up, restarts, progress, depth, leased, age, *totals.values())

    def _connections(self) -> Iterable[Metric]:
        labels = ["connection"]
        up = GaugeMetricFamily("genesis_connection_up", "1 while the connection is up.", labels=labels)
        reconnects = CounterMetricFamily("genesis_connection_reconnects_total", "Times it fell.", labels=labels)
        frames = CounterMetricFamily("genesis_connection_frames_total", "Frames received.", labels=labels)
        age = GaugeMetricFamily(
            "genesis_connection_last_frame_age_seconds", "Seconds since the last frame.", labels=labels
        )
        subscriptions = GaugeMetricFamily("genesis_connection_subscriptions", "Channels it carries.", labels=labels)
        for view in self.readers.connections():
            up.add_metric([view.name], 1 if view.status in ("up", "connected", "authenticated", "ready") else 0)
            reconnects.add_metric([view.name], view.reconnects)
            frames.add_metric([view.name], view.frames)
            age.add_metric([view.name], view.last_frame_age_s)
            subscriptions.add_metric([view.name], view.subscriptions)
        yield from (up, reconnects, frames, age, subscriptions)
        texts = {
            "detect": "From the last word of a line to knowing that it is dead.",
            "recover": "From knowing that a line is dead to every stream being confirmed again.",
        }
        times_of = {what: (f"genesis_connection_{what}_seconds", text, labels) for what, text in texts.items()}
        text = "From reading the market's frame to the decision's score, verdict, durable intent, and order frame."
        times_of["decision"] = ("genesis_decision_seconds", text, ["stage"])
        text = "How long everything stood still while Python looked for cyclic garbage."
        times_of["gc"] = ("genesis_gc_pause_seconds", text, ["generation"])
        for what, (name, text, label) in times_of.items():
            times = HistogramMetricFamily(name, text, labels=label)
            for each in self.readers.line_times():
                if each.what == what:
                    upto = [*map(floatToGoString, each.bounds_s), "+Inf"]
                    times.add_metric(
                        [each.line], list(zip(upto, accumulate(each.counts), strict=True)), sum_value=each.sum_s
                    )
            yield times

    def _freshness(self) -> Iterable[Metric]:
        labels = ["stream", "symbol", "timeframe"]
        age = GaugeMetricFamily("genesis_stream_age_seconds", "Age of the newest word, venue time.", labels=labels)
        stale = GaugeMetricFamily("genesis_stream_stale", "1 when it is older than its limit.", labels=labels)
        for view in self.readers.freshness():
            where = [view.stream, view.symbol, view.timeframe]
            age.add_metric(where, view.age_ms / 1000)
            stale.add_metric(where, 1 if view.stale else 0)
        yield from (age, stale)

    def _io(self) -> Iterable[Metric]:
        labels = ["client"]
        counted = {
            name: CounterMetricFamily(f"genesis_io_{name}_total", text, labels=labels)
            for name, text in (
                ("requests", "What a client of the world outside asked or sent: requests, frames, commits, messages."),
                ("answers", "What came back: answers, frames, commits on the disk."),
                ("failures", "Requests without an answer, and falls of sockets."),
                ("bytes_out", "Bytes of bodies sent; 0 of sockets, whose frames are counted."),
                ("bytes_in", "Bytes of bodies received."),
            )
        }
        text = "How long the other side took to answer: a request, a commit, a ping."
        times = HistogramMetricFamily("genesis_io_seconds", text, labels=labels)
        tokens = GaugeMetricFamily("genesis_rest_tokens", "Requests that may go at once.", labels=labels)
        text = "Used part of the venue's budget; 1 is all."
        used = GaugeMetricFamily("genesis_rest_utilization_ratio", text, labels=labels)
        for view in self.readers.io():
            for name, family in counted.items():
                family.add_metric([view.client], getattr(view, name))
            upto = [*map(floatToGoString, view.times.bounds_s), "+Inf"]
            buckets = list(zip(upto, accumulate(view.times.counts), strict=True))
            times.add_metric([view.client], buckets, sum_value=view.times.sum_s)
            if view.tokens is not None and view.utilization is not None:
                tokens.add_metric([view.client], view.tokens)
                used.add_metric([view.client], view.utilization)
        yield from (*counted.values(), times, tokens, used)

    def _events(self) -> Iterable[Metric]:
        labels = ["category"]
        heard = CounterMetricFamily("genesis_events_total", "Events of the engine.", labels=labels)
        told = CounterMetricFamily("genesis_events_told_total", "Events that the log tells.", labels=labels)
        left = CounterMetricFamily(
            "genesis_events_sampled_out_total", "Events that the log does not tell.", labels=labels
        )
        for each in self.readers.event_counts():
            heard.add_metric([each.category], each.heard)
            told.add_metric([each.category], each.told)
            left.add_metric([each.category], each.sampled_out)
        yield from (heard, told, left)

    def _account(self) -> Iterable[Metric]:
        account = self.readers.account()
        if account is None or not account.known:
            return
        yield _gauge("genesis_account_equity", "Equity in the quote currency.", float(account.equity))
        yield _gauge("genesis_account_realized_pnl", "Realized profit and loss.", float(account.realized_pnl))
        yield _gauge("genesis_account_unrealized_pnl", "Unrealized profit and loss.", float(account.unrealized_pnl))
        yield _gauge("genesis_account_fees", "Fees paid.", float(account.fees))
        balance = GaugeMetricFamily("genesis_account_balance", "Wallet balance.", labels=["wallet", "currency"])
        for wallet in account.wallets:
            balance.add_metric([wallet.wallet_type, wallet.currency], float(wallet.balance))
        position = GaugeMetricFamily("genesis_position_quantity", "Signed quantity held.", labels=["symbol"])
        notional = GaugeMetricFamily("genesis_position_notional", "Value held, in quote.", labels=["symbol"])
        for view in account.positions:
            position.add_metric([view.symbol], float(view.quantity))
            notional.add_metric([view.symbol], float(view.notional))
        yield from (balance, position, notional)

    def _orders(self) -> Iterable[Metric]:
        orders = self.readers.orders()
        yield _gauge(
            "genesis_orders_open", "Orders that are not finished.", sum(o.state not in TERMINAL_STATES for o in orders)
        )
        states: dict[str, int] = {}
        for order in orders:
            states[order.state.value] = states.get(order.state.value, 0) + 1
        family = GaugeMetricFamily("genesis_orders", "Orders remembered by the web, by state.", labels=["state"])
        for state, count in sorted(states.items()):
            family.add_metric([state], count)
        yield family

    def _risk(self) -> Iterable[Metric]:
        risk = self.readers.risk()
        if risk is None:
            return
        family = GaugeMetricFamily("genesis_trading_state", "1 for the state that holds.", labels=["state"])
        for state in TradingState:
            family.add_metric([state.value], 1 if risk.state is state else 0)
        yield family
        yield _gauge("genesis_trading_paused", "1 while entries are paused.", 1 if risk.paused else 0)
        yield _gauge("genesis_trades_today", "Trades of this day.", risk.trades_today)
        denials = CounterMetricFamily("genesis_risk_denials_total", "Refused intents.", labels=["code"])
        for code, count in sorted(risk.denials_by_code.items()):
            denials.add_metric([code], count)
        yield denials
        # Rules are a fixed table, and so are scopes and limits: no client can make a label.
        by_rule = CounterMetricFamily("genesis_risk_rule_denials_total", "Refusals by rule.", labels=["rule"])
        for rule, count in sorted(risk.denials_by_rule.items()):
            by_rule.add_metric([rule], count)
        yield by_rule
        used = GaugeMetricFamily("genesis_risk_limit_used_ratio", "Used part of a limit; 1 is all.", labels=["limit"])
        left = GaugeMetricFamily("genesis_risk_headroom", "How far a limit is, in its own unit.", labels=["limit"])
        for limit, (now, allowed) in sorted(risk.headroom.items()):
            left.add_metric([limit], float(allowed) - float(now))
            used.add_metric([limit], float(now) / float(allowed) if float(allowed) else 1.0)
        yield from (used, left)
        yield _gauge("genesis_risk_locks", "Locks against entries.", len(risk.locks))
        opened = GaugeMetricFamily("genesis_trading_breaker_open", "1 while not closed.", labels=["scope"])
        for breaker in risk.breakers:
            opened.add_metric([breaker.scope or "all"], 0 if breaker.state is BreakerState.CLOSED else 1)
        yield opened
        if risk.windows is not None:
            yield _gauge("genesis_trading_window_open", "1 while entries have their hours.", int(risk.windows.open))

    def _seeds(self) -> Iterable[Metric]:
        gauges, counters = dict(self.readers.gauges()), dict(self.readers.counters())
        risk = self.readers.risk()
        stopped = 0.0
        if risk is not None:
            broken = any(breaker.state is not BreakerState.CLOSED for breaker in risk.breakers)
            stopped = 1.0 if broken or risk.state is TradingState.HALTED else 0.0
        trading = gauges.setdefault("tradingbot_trading_circuit_breaker_active", stopped)
        transport = gauges.setdefault("tradingbot_transport_circuit_breaker_active", 0.0)
        gauges.setdefault("tradingbot_circuit_breaker_active", max(trading, transport))
        for name, text in SEED_GAUGES:
            yield _gauge(name, text, gauges.pop(name, 0.0))
        for name, text in SEED_COUNTERS:
            yield _counter(name, text, counters.pop(name, 0.0))
        for name, value in sorted(gauges.items()):
            yield _gauge(name, "A number of the engine.", value)
        for name, value in sorted(counters.items()):
            yield _counter(name, "A count of the engine.", value)

    def _stream(self) -> Iterable[Metric]:
        subscribers = tuple(self.hub.subscribers)
        yield _gauge("genesis_stream_clients", "Clients of the event stream.", len(subscribers))
        yield _gauge("genesis_stream_queued", "Messages waiting for them.", sum(s.depth for s in subscribers))
        yield _counter("genesis_stream_published_total", "Messages published.", self.hub.published_total)

    def _server(self) -> Iterable[Metric]:
        server = self.server
        yield _counter("genesis_web_connections_total", "Connections accepted.", server.accepted)
        yield _counter("genesis_web_connections_refused_total", "Refused above the cap.", server.refused_over_limit)
        yield _counter("genesis_web_connections_timed_out_total", "Closed for silence.", server.timed_out)
        yield _counter("genesis_web_connections_slow_total", "Closed because they did not read.", server.slow_closed)
        errors = CounterMetricFamily("genesis_web_connection_errors_total", "Ended with an error.", labels=["error"])
        for name, count in sorted(server.errors.items()):
            errors.add_metric([name], count)
        yield errors


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(name, text, value=value)


def walk(tree: ActorView, above: str = "") -> Iterator[tuple[str, ActorView]]:
    """Every node with its path, parents first."""
    path = f"{above}/{tree.name}" if above else tree.name
    yield path, tree
    for child in tree.children:
        yield from walk(child, path)


@attrs.frozen(eq=False)
class Collected:
    """Samples of one moment, in the shape that prometheus-client's encoders ask for."""

    families: tuple[Metric, ...]

    def collect(self) -> tuple[Metric, ...]:
        return self.families


@attrs.define(eq=False)
class Metrics:
    """The web's own counters and the registry that `/metrics` renders."""

    registry: CollectorRegistry
    requests: Counter
    seconds: Histogram
    refused: Counter
    token_failures: Counter
    legacy: Counter
    slow_clients: Counter
    stream_clients_peak: Gauge

    def collected(self) -> Collected:
        """Every sample as it is now. Readers belong to the event loop, so call this there."""
        return Collected(tuple(self.registry.collect()))

    @classmethod
    def over(cls, readers: Readers, hub: Hub, server: ServerCounters) -> "Metrics":
        registry = CollectorRegistry()
        registry.register(EngineCollector(readers, hub, server))
        return cls(
            registry=registry,
            requests=Counter("genesis_http_requests", "Answered requests.", ["route", "status"], registry=registry),
            seconds=Histogram(
                "genesis_http_request_seconds",
                "Time to answer.",
                registry=registry,
                buckets=(0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5),
            ),
            refused=Counter("genesis_http_refused", "Refused by the guard.", ["reason"], registry=registry),
            token_failures=Counter("genesis_token_failures", "Tokens that were not valid.", registry=registry),
            legacy=Counter("legacy_endpoints", "Uses of deprecated routes.", ["endpoint"], registry=registry),
            slow_clients=Counter("genesis_stream_slow_clients", "Stream clients that did not read.", registry=registry),
            stream_clients_peak=Gauge("genesis_stream_clients_peak", "Most stream clients at once.", registry=registry),
        )
