"""A whole house for tests: a venue that replays a recording, an engine that trades on it, and a look behind both."""

import contextlib
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path

import attrs
import msgspec
import trio

from genesis.core.backoff import Backoff
from genesis.core.chance import Chance
from genesis.core.clock import TrioClock
from genesis.core.supervisor import SupervisorEvent
from genesis.domain.decision_log import record_lines
from genesis.domain.recording import CandleRecording
from genesis.domain.rest_budget import RestBudget
from genesis.domain.settings_build import Built, Layer, build
from genesis.edge.http import HttpClient
from genesis.edge.nonce import NonceOwner
from genesis.edge.rest import RestDoor, RestKey
from genesis.edge.secrets import Credentials, Secret
from genesis.edge.store import Store
from genesis.edge.store_thread import StoreThread
from genesis.edge.websocket import fast_websocket
from genesis.engine import Engine, Restarts, VenuePorts
from genesis.job_desk import JobHouse
from genesis.pacer import Pacer, histories_told
from genesis.simulator.exchange import Exchange
from genesis.simulator.recordings import DEFAULT, load
from genesis.simulator.settings import DEFAULT_KEY, DEFAULT_SECRET, ExchangeSettings
from genesis.user_strategies import UserStrategies
from genesis.venue_clock import VenueClock
from protocols.journal import ReadRecords
from protocols.orders import OrderState
from protocols.settings import Settings
from tests.own_time import own_s
from web.models import EngineStatus

RESTING = frozenset({OrderState.ACKED, OrderState.PARTIAL})
PATIENT = Restarts(
    intensity=10_000,
    period_s=10.0,
    max_consecutive=10_000,
    # With the pauses of an engine that trades, an actor that was killed ten times is down for most of a test: fewer
    # kills would hit somebody at work.
    backoff=Backoff(base_s=0.001, factor=2.0, cap_s=0.02),
)


def piece_of(name: str = DEFAULT, *, minutes: int, skip: int = 0) -> CandleRecording:
    """The first minutes of a shipped recording's replay, with all of its history."""
    whole = load(name)
    assert isinstance(whole, CandleRecording)
    first = whole.first_ms + skip * 60_000
    last = first + (minutes - 1) * 60_000
    history = {
        symbol: (*whole.history[symbol], *(row for row in rows if row.open_ms < first))
        for symbol, rows in whole.rows.items()
    }
    rows = {symbol: tuple(row for row in rows if first <= row.open_ms <= last) for symbol, rows in whole.rows.items()}
    return msgspec.structs.replace(whole, history=history, rows=rows, first_ms=first, last_ms=last)


def lively_layer() -> Layer:
    """Crosses every few minutes, and a quarantine that a test can wait for."""
    quick = {"fast": 3, "slow": 6}
    names = {"btc-quick": "tBTCUSD", "eth-quick": "tETHUSD"}
    return Layer(
        name="test",
        values={
            "strategies": [
                {"name": name, "kind": "ema_cross", "symbol": symbol, "timeframe": "1m", "parameters": quick}
                for name, symbol in names.items()
            ],
            "risk.max_trades_per_day": 10_000,
            "risk.max_trades_per_symbol": 10_000,
            "risk.max_orders_per_minute": 1000,
            "orders.quarantine_s": 1.0,
            "orders.doubt_after_s": 0.9,
            "market.timeframes": ["1m"],
            "connection.backoff_base_s": 0.01,
            "connection.backoff_cap_s": 0.1,
        },
    )


def settings_of(layer: Layer) -> Settings:
    built = build((layer,))
    assert isinstance(built, Built), built
    return built.settings


@attrs.define(eq=False)
class House:
    engine: Engine
    exchange: Exchange
    store: StoreThread
    nursery: trio.Nursery
    events: list[SupervisorEvent]
    pacer: Pacer = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.pacer = Pacer(self.engine.idle, self.wires_quiet, self.lines_up, minds_trades=self.engine.minds_trades)

    def wires_quiet(self) -> bool:
        engine, exchange = self.engine, self.exchange
        return exchange.sent_frames == engine.frames_in() and exchange.received_frames == engine.frames_out()

    def lines_up(self) -> bool:
        return all(stats.up for stats in self.engine.stats.values())

    async def ready(self) -> None:
        while not self.engine.ready_to_trade():  # noqa: ASYNC110 - readiness is four cells and some counters
            await trio.sleep(0.002)
        await histories_told(self.engine.waits_for_history)

    async def replay(self, speed: float = float("inf")) -> None:
        await self.ready()
        await self.exchange.replay(speed, self.pacer)

    async def all_orders_known(self) -> None:
        """Until no order is on its way or in doubt. What was decided at the last boundary rests: no tick comes."""
        while True:
            await self.pacer.settled()
            orders = self.engine.cells.orders.value
            if orders.ready and all(order.state in RESTING for order in orders.open):
                await self.view_published()
                return
            await trio.sleep(0.01)

    async def wallets_agree(self) -> None:
        """Until our wallets are the venue's. Where the last frame of a fill was lost, its next heartbeat shows it."""
        while True:
            ours, theirs = wallets_of(self)
            if ours == theirs:
                return
            await trio.sleep(0.01)

    async def view_published(self) -> None:
        """Until readers see what the account actor knows: it publishes a few times a second at most, and nothing where
        nothing is new. A second that others had the processor is no second."""
        cell, end = self.engine.cells.account, own_s() + 1.0
        version = cell.version
        while cell.version == version and own_s() < end:
            with trio.move_on_after(0.1):
                await cell.changed(version)


@contextlib.asynccontextmanager
async def house(
    directory: Path,
    *,
    recording: CandleRecording,
    layer: Layer,
    seed: int = 0,
    exchange: Exchange | None = None,
    venue: ExchangeSettings | None = None,
    restarts: Restarts = PATIENT,
    environment: Mapping[str, str] | None = None,
    journal_inline: bool = False,
    journal: type[StoreThread] = StoreThread,
    user_strategies: UserStrategies | None = None,
    jobs: JobHouse | None = None,
    prepare: Callable[[Engine], None] = lambda engine: None,
) -> AsyncIterator[House]:
    """Start everything, yield, and stop in order. With `exchange` the engine meets a venue that is running already;
    `prepare` gets the engine before its actors start."""
    loop_time = trio.lowlevel.current_clock().current_time
    clock = TrioClock(loop_time)
    chance = Chance(seed)
    async with contextlib.AsyncExitStack() as stack, trio.open_nursery() as nursery:
        if exchange is None:
            exchange = Exchange(venue or ExchangeSettings(), recording, clock, chance.port("venue"))
            await nursery.start(exchange.serve)
        assert exchange.address is not None
        nonce = NonceOwner(directory / "nonce", lambda: clock.wall_ms() * 1000)
        stack.callback(nonce.close)
        http = await stack.enter_async_context(HttpClient(exchange.address.rest))
        secret = Secret(DEFAULT_SECRET)
        door = RestDoor(
            public=http,
            private=http,
            budget=RestBudget(share=1000.0),
            clock=clock,
            chance=random.Random(f"{seed}-rest"),
            key=RestKey(key=DEFAULT_KEY, secret=secret, nonce=nonce),
        )
        venue_clock = VenueClock(exchange.venue_ms, loop_time)
        store = journal(Store.open(directory / "sim.sqlite", at_ms=venue_clock.wall_ms()), inline=journal_inline)
        events: list[SupervisorEvent] = []
        engine = Engine(
            settings=settings_of(layer),
            # The config actor builds its settings from these, as it does from files.
            layers=(layer,),
            pairs=exchange.venue.specs,
            store=store,
            venue=VenuePorts(
                public_uri=exchange.address.websocket,
                private_uri=exchange.address.websocket,
                dial_public=fast_websocket,
                dial_private=fast_websocket,
                door=door,
                credentials=Credentials(key=DEFAULT_KEY, secret=secret),
                nonce=nonce,
                pace_dials=False,
                replayed=True,
            ),
            clock=venue_clock,
            chance=chance,
            status=lambda: EngineStatus(mode="sim", version="test"),
            on_event=events.append,
            restarts=restarts,
            chaos=True,
            user_strategies=user_strategies,
            jobs=jobs,
        )
        prepare(engine)
        try:
            await nursery.start(engine.supervisor.run)
            yield House(engine, exchange, store, nursery, events)
        finally:
            with trio.CancelScope(shield=True), trio.move_on_after(20):
                await engine.supervisor.stop()
                await store.close()
        nursery.cancel_scope.cancel()


def leaves(engine: Engine) -> Sequence[str]:
    """The path of every actor."""
    found: list[str] = []

    def walk(view: object, path: str) -> None:
        children = view.children  # type: ignore[attr-defined]
        if not children:
            found.append(path)
        for child in children:
            walk(child, f"{path}/{child.name}" if path else child.name)

    walk(engine.supervisor.tree(), "")
    return found


def check_books(house: House) -> None:
    """The venue's side against ours: no order doubled or unknown, every trade booked once, every wallet equal."""
    venue = house.exchange.snapshot()
    orders = house.engine.cells.orders.value
    for cid, rows in venue.orders_by_cid.items():
        # The second half of an OCO carries the client id of the first.
        told = [order for order in rows if order.placed_id is None]
        assert len(told) == 1, f"cid {cid} must be at the venue once, was {len(told)} times"
        assert cid <= orders.orders_total, f"cid {cid} must be one of ours, {orders.orders_total} were given out"
    assert not orders.foreign, f"no order may be foreign, were {orders.foreign}"
    assert orders.unknown == 0
    resting = {order.cid for order in venue.open_orders.values()}
    assert {order.cid for order in orders.open} == resting
    assert orders.fills_total == len(venue.trades), (
        f"{len(venue.trades)} trades must be booked, {orders.fills_total} were"
    )
    ours, theirs = wallets_of(house)
    assert ours == theirs, f"every wallet must be the venue's {theirs}, was {ours}"


def wallets_of(house: House) -> tuple[dict[str, Decimal], dict[str, Decimal]]:
    """What we think that the wallets hold, and what they do; empty ones left out."""
    account = house.engine.cells.account.value
    assert account is not None
    told = {f"{wallet.wallet_type} {wallet.currency}": wallet.balance for wallet in account.state.wallets}
    ours, theirs = (
        {name: balance for name, balance in wallets.items() if balance}
        for wallets in (told, house.exchange.snapshot().wallets)
    )
    return ours, theirs


def decision_lines(store: Store) -> list[bytes]:
    """The line of every decision in a journal."""
    return record_lines(kept.record for kept in store.read_records(ReadRecords(kinds=(), limit=1_000_000)).records)
