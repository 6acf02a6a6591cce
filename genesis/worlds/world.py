"""A world: one seed, one venue, one engine after the other on one disk, for some virtual hours."""

import time
from typing import Final

import attrs
import trio

from genesis.core.chance import Chance
from genesis.domain.settings_build import Layer
from genesis.worlds.disk import Disk, scratch_folder
from genesis.worlds.engine_host import ENGINE_ADDRESS, EngineHost, Eyes
from genesis.worlds.hooks import EPOCH_S, Steps, run_virtual
from genesis.worlds.market import made_up_recording
from genesis.worlds.network import Network
from genesis.worlds.venue_host import VENUE_ADDRESS, VENUE_NAME, VenueHost
from genesis.worlds.witness import Line, Violation, Witness

MARKET_BEGINS_S: Final = 60
READY_WITHIN_S: Final = 60.0


def world_layer(symbols: tuple[str, ...] = ("tBTCUSD",)) -> Layer:
    """The defaults of a real engine, but for a strategy that trades often and limits that let it."""
    return Layer(
        name="world",
        values={
            "strategies": [
                {
                    "name": f"quick-{symbol[1:4].lower()}",
                    "kind": "ema_cross",
                    "symbol": symbol,
                    "timeframe": "1m",
                    "parameters": {"fast": 2, "slow": 4},
                }
                for symbol in symbols
            ],
            "risk.max_trades_per_day": 10_000,
            "risk.max_trades_per_symbol": 10_000,
            "risk.max_daily_loss": "0.9",
            "risk.max_drawdown": "0.9",
            "risk.position_fraction": "0.05",
            "market.symbols": list(symbols),
            "market.timeframes": ["1m"],
        },
    )


@attrs.frozen(kw_only=True)
class Outcome:
    """What a world came to."""

    seed: int
    hours: float
    digest: str
    fingerprint: int
    steps: int
    wall_s: float
    virtual_s: float
    violations: tuple[Violation, ...]
    sometimes: dict[str, int]
    checks: dict[str, int]
    lines: tuple[Line, ...]


class World:
    """The parts of one run and how they hang together."""

    def __init__(self, seed: int, *, hours: float, symbols: tuple[str, ...] = ("tBTCUSD",)) -> None:
        self.seed = seed
        self.hours = hours
        self.steps = Steps()
        self.witness = Witness()
        chance = Chance(seed)
        self.network = Network(chance.port("net"))
        self.network.names[VENUE_NAME] = VENUE_ADDRESS
        self.network.weather_of(ENGINE_ADDRESS)
        self.layer = world_layer(symbols)
        self.recording = made_up_recording(
            chance.port("market"),
            first_ms=(EPOCH_S + MARKET_BEGINS_S) * 1000,
            minutes=max(5, round(hours * 60) + 30),
            symbols=symbols,
        )
        self.chance = chance
        self.disk = Disk(scratch_folder())
        self.lives: list[EngineHost] = []
        self.venue: VenueHost | None = None
        self.host: EngineHost | None = None
        self.eyes = Eyes(
            committed=lambda host, commit, answer: None,
            leaves=lambda host, frame: self.witness.note("frame", f"{host} {frame[:60]!r}"),
            nonce=lambda host, nonce: None,
            event=lambda host, event: self.witness.note("actor", f"{event.kind} {event.path} {event.generation}"),
        )

    async def main(self) -> None:
        self.network.install()
        self.venue = VenueHost(self.recording, self.chance.port("venue"), self.witness)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.network.run)
            await nursery.start(self.venue.run)
            host = self.host = EngineHost(
                name="engine",
                life=1,
                disk=self.disk,
                layer=self.layer,
                pairs=self.venue.exchange.venue.specs,
                seed=str(self.seed),
                witness=self.witness,
                eyes=self.eyes,
            )
            nursery.start_soon(host.run)
            await host.started.wait()
            self.witness.note("world", f"started {host.ended}")
            await trio.sleep(self.hours * 3600)
            engine = host.engine
            assert engine is not None
            o = engine.cells.orders.value
            self.witness.note("world", f"orders {o.orders_total} fills {o.fills_total} ready {engine.ready_to_trade()}")
            host.stop()
            await host.over.wait()
            nursery.cancel_scope.cancel()

    def outcome(self, wall_s: float) -> Outcome:
        w = self.witness
        return Outcome(
            seed=self.seed,
            hours=self.hours,
            digest=w.digest(),
            fingerprint=self.steps.fingerprint,
            steps=self.steps.count,
            wall_s=wall_s,
            virtual_s=0,
            violations=tuple(w.violations),
            sometimes=dict(w.sometimes),
            checks=dict(w.checks),
            lines=tuple(w.lines),
        )


def simulate(seed: int, *, hours: float) -> Outcome:
    world = World(seed, hours=hours)
    began = time.perf_counter()
    try:
        run_virtual(seed, world.main, steps=world.steps)
    finally:
        world.disk.clear()
    return world.outcome(time.perf_counter() - began)
