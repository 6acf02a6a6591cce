"""What the engine shows: its snapshot cells and counters, in the words that the web reads."""

from typing import TYPE_CHECKING

import msgspec

from genesis.account_readers import AccountReaders
from genesis.domain.history_desk import waiting_for
from genesis.domain.live_performance import LivePerformance, live_performance
from genesis.edge.connection_stats import ConnectionStats
from genesis.edge.io_stats import WHAT, quantiles
from genesis.figures import counters, gauges
from protocols.health import IoView, LineTimes
from protocols.signals import StrategyView
from protocols.units import ZERO
from web.readers import Readers

if TYPE_CHECKING:
    from genesis.engine import Engine


def readers_of(engine: "Engine") -> Readers:
    """Readers look when they are asked: they cost nothing while nobody does."""
    cells, recent = engine.cells, engine.recent
    account = AccountReaders(cells.account)
    return Readers(
        status=engine.status,
        tickers=lambda: cells.market.value.tickers,
        tops=lambda: cells.market.value.tops,
        candles=recent.candles,
        account=account.account,
        orders=lambda: (*cells.orders.value.ended, *cells.orders.value.open, *cells.orders.value.foreign),
        fills=lambda: cells.orders.value.fills,
        flattens=lambda: cells.orders.value.flattens,
        signals=recent.signals,
        regimes=lambda: cells.regimes.value,
        regime_spells=lambda: cells.regime_spells.value,
        schedule=lambda: cells.schedule.value,
        strategies=lambda: _strategies(engine),
        verdicts=lambda: cells.verdicts.value,
        risk=lambda: cells.risk.value,
        settings=lambda: cells.settings.value,
        actors=engine.supervisor.tree,
        dead_letters=engine.letters.shown,
        connections=lambda: tuple(cell.value for cell in cells.connections.values()),
        config=lambda: cells.config.value,
        running=lambda: {
            path.rpartition("/")[2]: taken.version for path, taken in sorted(cells.settings.taken.items())
        },
        rollout=lambda: cells.rollout.value,
        shadow=lambda: cells.shadow.value,
        bus=(lambda: None) if engine.bus is None else (lambda: cells.bus.value),
        freshness=lambda: cells.freshness.value,
        equity=account.equity,
        notices=recent.notices,
        line_times=lambda: _line_times(engine),
        io=lambda: _io(engine),
        performance=lambda: _performance(engine),
        prints=lambda symbol: cells.market.value.prints.get(symbol, ()),
        depth=engine.books.levels,
        closed_trades=account.closed_trades,
        closed=account.closed,
        books=account.books,
        # Risk's, which its limits are measured from: the account counting for itself began a second later, or before.
        day_start_equity=lambda: ZERO if cells.risk.value is None else cells.risk.value.day_start_equity,
        figures=account.figures,
        jobs=lambda: cells.jobs.value,
        protection=lambda: cells.protection.value,
        brackets=lambda: cells.orders.value.protection,
        house=lambda: cells.health.value,
        gauges=lambda: _gauges(engine),
        counters=lambda: _counters(engine),
    )


def _performance(engine: "Engine") -> LivePerformance | None:
    view, risk, orders = engine.cells.account.value, engine.cells.risk.value, engine.cells.orders.value
    if view is None:
        return None
    refused = {} if risk is None else risk.denials_by_code
    return live_performance(view, (*orders.ended, *orders.open), engine.recent.signals(), refused)


def _gauges(engine: "Engine") -> dict[str, float]:
    shares = engine.market_data.shares()
    return (
        gauges(engine.cells, engine.stats, ready=engine.ready_to_trade(), transport_open=_transport_is_open(engine))
        | shares
    )


def _counters(engine: "Engine") -> dict[str, float]:
    return (
        counters(
            engine.cells, engine.stats, crashes=engine.restarts_total, dead_letters=len(engine.supervisor.dead_letters)
        )
        | engine.post.counters()
    )


def _transport_is_open(engine: "Engine") -> bool:
    door = engine.venue.door
    return any(one["time_until_open"] > 0 for one in door.budget.view(door.clock.now())["breakers"].values())


def _line_times(engine: "Engine") -> tuple[LineTimes, ...]:
    return (
        *(
            times.view(name, what)
            for name, stats in engine.stats.items()
            for what, times in (("detect", stats.detect_s), ("recover", stats.recover_s))
        ),
        *engine.stages.views(),
    )


def _io(engine: "Engine") -> tuple[IoView, ...]:
    """Every client of the world outside: the venue's lines and REST, the journal's disk, and the messengers."""
    return (
        *(_line_view(name, stats) for name, stats in engine.stats.items()),
        *engine.venue.door.views(),
        engine.store.io.view("journal", "database"),
        *(stats.view(name, "messenger") for name, stats in engine.post.io.items()),
    )


def _line_view(name: str, stats: ConnectionStats) -> IoView:
    median, slow = quantiles(stats.pings_s)
    return IoView(
        client=name,
        kind="websocket",
        requests=stats.frames_out,
        answers=stats.frames_in,
        failures=stats.falls,
        bytes_out=0,
        bytes_in=0,
        p50_s=median,
        p99_s=slow,
        times=stats.pings_s.view(name, WHAT),
    )


def _strategies(engine: "Engine") -> tuple[StrategyView, ...]:
    """With what keeps them waiting, which the market cache knows."""
    views, waits = engine.cells.strategies.value, engine.cells.history_waits.value
    if not waits:
        return views
    return tuple(
        msgspec.structs.replace(view, history=waiting_for(view.symbol, view.timeframe, waits, history=view.waits))
        for view in views
    )
