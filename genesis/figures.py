"""The engine's own figures for Prometheus, read from its cells at the moment of a scrape."""

from collections.abc import Mapping

from genesis.edge.connection_stats import ConnectionStats, worst_skew_ms
from genesis.plan import Cells
from protocols.health import ConnectionView

Stats = Mapping[str, ConnectionStats]


def gauges(cells: Cells, stats: Stats, *, ready: bool, transport_open: bool) -> dict[str, float]:
    """What goes up and down, by its full name."""
    orders, protection, config = cells.orders.value, cells.protection.value, cells.config.value
    return {
        "genesis_ready_to_trade": 1.0 if ready else 0.0,
        "genesis_orders_unknown": float(orders.unknown),
        "genesis_markets_waiting_for_history": float(len(cells.history_waits.value)),
        "genesis_order_session": float(orders.session),
        "genesis_positions_naked": float(protection.naked),
        "genesis_position_naked_seconds": max((view.naked_s for view in protection.positions), default=0.0),
        "genesis_position_naked_p99_seconds": protection.naked_p99_s,
        "genesis_position_naked_worst_seconds": protection.worst_naked_s,
        "genesis_venue_skew_ms": worst_skew_ms(stats.values()) or 0.0,
        "genesis_settings_version": float(config.version),
        "genesis_settings_pending": float(len(config.pending)),
        "genesis_settings_oldest_running": float(
            min((taken.version for taken in cells.settings.taken.values()), default=0)
        ),
        "genesis_config_bus_connected": 1.0 if cells.bus.value.connected else 0.0,
        "genesis_rollout_active": 0.0 if config.rollout is None else 1.0,
        "genesis_config_audit_file_failing": 1.0 if config.audit_trouble else 0.0,
        "tradingbot_transport_circuit_breaker_active": 1.0 if transport_open else 0.0,
    }


def counters(cells: Cells, stats: Stats, *, crashes: int, dead_letters: int) -> dict[str, float]:
    """What only goes up, by its full name."""
    orders, config = cells.orders.value, cells.config.value
    private = stats["connection_private"]
    found = {
        "genesis_orders_total": orders.orders_total,
        "genesis_fills_total": orders.fills_total,
        "genesis_order_doubts_total": orders.doubts_total,
        "genesis_orders_dead_total": orders.dead_total,
        "genesis_order_ghosts_total": orders.ghosts_total,
        "genesis_orders_too_old_total": orders.too_old_total,
        "genesis_protection_repairs_total": cells.protection.value.repairs_total,
        "genesis_protection_doubled_total": cells.protection.value.doubled_total,
        "genesis_position_naked_spans_total": cells.protection.value.spans_total,
        "genesis_actor_crashes_total": crashes,
        "genesis_dead_letters_total": dead_letters,
        "ws_auth_request_total": private.auth_requests,
        "ws_auth_success_total": private.auth_successes,
        "ws_auth_error_total": private.auth_errors,
        "ws_auth_timeout_total": private.auth_timeouts,
        "ws_auth_maintenance_total": private.maintenance,
        "genesis_frames_in_total": sum(stats.frames_in for stats in stats.values()),
        "genesis_frames_out_total": sum(stats.frames_out for stats in stats.values()),
        "genesis_sequence_gaps_total": sum(stats.sequence_gaps for stats in stats.values()),
        "genesis_refused_frames_total": sum(stats.refused_frames for stats in stats.values()),
        "genesis_bad_checksums_total": sum(stats.bad_checksums for stats in stats.values()),
        "genesis_sessions_over_rest_total": private.narrow_sessions,
        "genesis_settings_changes_total": config.changes_total,
        "genesis_settings_refused_total": config.refused_total,
        "genesis_reconnects_total": sum(stats.falls for stats in stats.values()),
    }
    return {name: float(value) for name, value in found.items()}


def resting_view(name: str, uri: str) -> ConnectionView:
    """A connection before its first dial."""
    return ConnectionView(
        name=name,
        uri=uri,
        status="idle",
        session=0,
        reconnects=0,
        last_error=None,
        frames=0,
        subscriptions=0,
        venue_ms=0,
        last_frame_age_s=0.0,
    )
