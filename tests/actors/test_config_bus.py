"""Two engines share settings over a real Redis, whatever becomes of it, and nobody else can tell them anything."""

import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import attrs
import msgspec
import pytest
import trio

from actors.config_bus import STREAM, BusPorts, ConfigBusActor
from genesis.core.backoff import IMMEDIATE
from genesis.core.clock import TrioClock
from genesis.core.latest import Latest
from genesis.core.mailbox import Channel, Mailbox, Overflow
from genesis.core.supervisor import ChildSpec
from genesis.domain.config_bus import BusMessage, BusView, Stamp, Value, seal
from genesis.domain.settings_build import Layer
from genesis.edge.redis_stream import connected
from genesis.edge.secrets import Secret
from protocols.config import SettingsApplied
from protocols.risk import RiskStatus, SetTradingState, TradingState
from tests.actors.test_config import House, a_house, risk
from tests.own_time import own_s
from tests.redis_server import RedisServer, a_redis
from tests.web.fakes import a_risk

pytestmark = [
    pytest.mark.redis,
    # coredis leaves a channel of its own to the collector when a connection breaks in its hands.
    pytest.mark.filterwarnings("ignore:Unclosed <MemoryObject:ResourceWarning"),
]

SECRET = "a shared secret of engines"
CLOCK = TrioClock()


@attrs.define(eq=False)
class Engine:
    """One engine's configuration with its bus."""

    house: House
    bus: Latest[BusView]
    risk: Latest[RiskStatus | None]
    halts: Channel[SetTradingState]

    async def set(self, **values: Any) -> None:
        number = self.house.view.value.version
        changes = {f"risk.{name}": value for name, value in values.items()}
        answer = await self.house.set(changes, correlation_id=f"set-{id(self)}-{number}-{sorted(values.items())}")
        assert isinstance(answer, SettingsApplied), answer

    def value(self, name: str) -> Any:
        return getattr(self.house.settings.value.risk, name)

    @property
    def runtime(self) -> dict[str, Any]:
        return self.house.view.value.runtime


async def until(true: Callable[[], object], *, seconds: float = 60) -> None:
    """Real servers take real time: a look every few milliseconds, and a deadline."""
    with trio.fail_after(seconds):
        while not true():  # noqa: ASYNC110
            await trio.sleep(0.01)


def _make(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)


def _move(old: Path, new: Path) -> None:
    """A journal with its anchor and whatever SQLite has beside it."""
    new.parent.mkdir()
    for path in old.parent.glob(old.name + "*"):
        path.rename(new.parent / path.name.replace(old.name, new.name))


@contextlib.asynccontextmanager
async def an_engine(folder: Path, server: RedisServer, *layers: Layer, secret: str = SECRET) -> AsyncIterator[Engine]:
    _make(folder)
    bus = Latest(BusView())
    risk_status: Latest[RiskStatus | None] = Latest(a_risk())
    halts = Channel[SetTradingState]("halts", Overflow.UNBOUNDED)
    ports = BusPorts(url=Secret(server.url), secret=Secret(secret), name=folder.name, wall_ms=CLOCK.wall_ms)

    def beside(house: House) -> ChildSpec:
        def start() -> ConfigBusActor:
            return ConfigBusActor(
                ports=ports,
                config=house.view,
                risk=risk_status,
                commands=house.commands,
                halts=halts,
                journal=house.journal,
                view=bus,
                notices=house.notices,
            )

        return ChildSpec(id="config_bus", start=start, mailbox=Mailbox("config_bus", []), backoff=IMMEDIATE)

    async with a_house(folder / "sim.sqlite", *layers, beside=beside) as house:
        yield Engine(house, bus, risk_status, halts)


@contextlib.asynccontextmanager
async def two_engines(tmp_path: Path, server: RedisServer) -> AsyncIterator[tuple[Engine, Engine]]:
    async with an_engine(tmp_path / "a", server) as one, an_engine(tmp_path / "b", server) as two:
        await until(lambda: one.bus.value.connected and two.bus.value.connected)
        yield one, two


async def shout(server: RedisServer, message: BusMessage, secret: str = SECRET) -> None:
    text, mac = seal(message, secret.encode())
    async with connected(server.url, STREAM) as stream:
        await stream.append({"m": text, "s": mac})


def a_message(path: str, value: Any, *, ms: int | None = None, **fields: Any) -> BusMessage:
    stamp = Stamp(ms=CLOCK.wall_ms() if ms is None else ms, by="stranger")
    return BusMessage(
        instance="stranger", sent_ms=CLOCK.wall_ms(), changes={path: Value(stamp=stamp, value=value)}, **fields
    )


async def test_two_engines_converge_and_what_is_each_ones_own_stays(tmp_path: Path) -> None:
    async with a_redis(tmp_path / "redis") as server, two_engines(tmp_path, server) as (one, two):
        await one.set(max_open_positions=3)
        await until(lambda: two.value("max_open_positions") == 3)
        await two.set(max_open_positions=5, cooldown_s=60)
        await until(lambda: one.value("max_open_positions") == 5 and one.value("cooldown_s") == 60)
        # Both at once: one of the two wins, on both.
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: one.set(max_open_positions=7))
            nursery.start_soon(lambda: two.set(max_open_positions=8))
        await until(lambda: one.value("max_open_positions") == two.value("max_open_positions") in (7, 8))
        await one.house.set({}, cleared=("risk.cooldown_s",), correlation_id="clear")
        await until(lambda: "risk.cooldown_s" not in two.runtime)
        await one.house.set({"logs.level": "debug", "web.port": 9}, correlation_id="own")
        await one.set(max_trades_per_day=9)
        await until(lambda: two.value("max_trades_per_day") == 9)
        assert "web.port" not in two.runtime
        newest = (await two.house.history())[-1]
        assert (newest.author, "tester on" in newest.reason) == ("bus", True)
        # Nobody repeats what he heard: silence follows.
        sent = (one.bus.value.sent, two.bus.value.sent)
        await trio.sleep(0.6)
        assert (one.bus.value.sent, two.bus.value.sent) == sent


async def test_without_redis_settings_go_on_and_are_told_later(tmp_path: Path) -> None:
    async with a_redis(tmp_path / "redis") as server, two_engines(tmp_path, server) as (one, two):
        await one.set(max_open_positions=3)
        await until(lambda: two.value("max_open_positions") == 3)
        server.kill()
        await one.set(max_open_positions=4)
        await two.set(cooldown_s=30)
        assert (one.value("max_open_positions"), two.value("max_open_positions")) == (4, 3)
        await until(lambda: not one.bus.value.connected and not two.bus.value.connected)
        await server.start()
        await until(lambda: two.value("max_open_positions") == 4 and one.value("cooldown_s") == 30)
        assert one.bus.value.outages == 1


async def test_a_redis_that_forgot_everything_is_told_anew(tmp_path: Path) -> None:
    async with a_redis(tmp_path / "redis", keeps=False) as server:
        async with two_engines(tmp_path, server) as (one, two):
            await one.set(max_open_positions=3)
            await until(lambda: two.value("max_open_positions") == 3)
            said = one.bus.value.sent
            server.kill()
            await server.start()
            await until(lambda: one.bus.value.connected and one.bus.value.sent > said)
        async with an_engine(tmp_path / "c", server) as late:
            await until(lambda: late.value("max_open_positions") == 3)


async def test_a_redis_that_stands_still_stops_nobody(tmp_path: Path) -> None:
    async with a_redis(tmp_path / "redis") as server, two_engines(tmp_path, server) as (one, two):
        server.freeze()
        try:
            started = own_s()
            await one.set(max_open_positions=6)
            assert one.value("max_open_positions") == 6
            assert own_s() - started < 5
            await until(lambda: one.bus.value.outages == 1)
        finally:
            server.thaw()
        await until(lambda: two.value("max_open_positions") == 6)


async def test_a_late_comer_takes_what_the_bus_has_and_gives_what_only_it_has(tmp_path: Path) -> None:
    async with a_redis(tmp_path / "redis") as server, an_engine(tmp_path / "a", server) as one:
        await one.set(max_open_positions=3)
        await until(lambda: one.bus.value.sent >= 1)
        async with a_house(tmp_path / "late.sqlite") as before:
            await before.set({"risk.max_open_positions": 9, "risk.cooldown_s": 45})
        _move(tmp_path / "late.sqlite", tmp_path / "b" / "sim.sqlite")
        async with an_engine(tmp_path / "b", server) as late:
            await until(lambda: late.value("max_open_positions") == 3 and one.value("cooldown_s") == 45)
            await late.set(max_open_positions=11)
            await until(lambda: one.value("max_open_positions") == 11)


async def test_a_restarted_engine_hears_what_was_said_while_it_was_away(tmp_path: Path) -> None:
    async with a_redis(tmp_path / "redis") as server, an_engine(tmp_path / "a", server) as one:
        async with an_engine(tmp_path / "b", server) as two:
            await until(lambda: two.bus.value.connected)
            two.house.supervisor.kill("config_bus", reason="test")
            await one.set(max_open_positions=3)
            await until(lambda: two.value("max_open_positions") == 3)
        await one.set(max_open_positions=2)
        async with an_engine(tmp_path / "b", server) as two:
            await until(lambda: two.value("max_open_positions") == 2)
            assert one.value("max_open_positions") == 2


async def test_stale_and_malicious_messages_change_nothing(tmp_path: Path) -> None:
    async with a_redis(tmp_path / "redis") as server, an_engine(tmp_path / "a", server) as one:
        await one.set(max_open_positions=3)
        await until(lambda: one.bus.value.sent == 1)
        path = "risk.max_open_positions"
        await shout(server, a_message(path, 99, ms=5))
        await shout(server, a_message(path, 99), secret="a guess of sixteen letters")
        await shout(server, a_message(path, 99, ms=CLOCK.wall_ms() + 86_400_000))
        await shout(server, a_message("web.host", "0.0.0.0"))  # noqa: S104
        await shout(server, a_message("risk.no_such_limit", 1))
        async with connected(server.url, STREAM) as stream:
            await stream.append({"m": b"[" * 50_000, "s": b"0" * 64})
            await stream.append({"m": b"\xff" * 90_000, "s": b""})
            await stream.append({"other": b"field"})
        await shout(server, a_message(path, "many"))
        await until(lambda: one.bus.value.forged == 5 and one.bus.value.refused == 1)
        assert one.value("max_open_positions") == 3
        assert one.bus.value.stale >= 1
        assert one.bus.value.waiting == (path,)
        assert [version.author for version in await one.house.history()] == ["start", "tester"]
        # A person's word is newer than what was refused, and is told.
        await one.set(max_open_positions=4)
        await until(lambda: one.bus.value.waiting == ())


async def test_a_value_that_fits_only_one_engine_stays_with_it(tmp_path: Path) -> None:
    """Files that contradict a value of the bus: it is refused there, and the others keep theirs."""
    slow = risk()
    orders = Layer(name="config/orders.json", values={"orders.quarantine_s": 20})
    async with a_redis(tmp_path / "redis") as server:
        async with an_engine(tmp_path / "a", server) as one, an_engine(tmp_path / "b", server, slow, orders) as two:
            await until(lambda: one.bus.value.connected and two.bus.value.connected)
            await one.house.set({"orders.doubt_after_s": 30, "risk.cooldown_s": 5}, correlation_id="both")
            await until(lambda: two.bus.value.waiting == ("orders.doubt_after_s",))
            await until(lambda: two.value("cooldown_s") == 5)
            assert two.house.settings.value.orders.doubt_after_s == 5
            await trio.sleep(0.5)
            assert one.house.settings.value.orders.doubt_after_s == 30


async def test_a_halt_is_raised_over_the_bus_and_never_lifted(tmp_path: Path) -> None:
    def status(state: TradingState, reason: str) -> RiskStatus:
        return msgspec.structs.replace(a_risk(), state=state, reason=reason)

    async with a_redis(tmp_path / "redis") as server, two_engines(tmp_path, server) as (one, two):
        one.risk.set(status(TradingState.ACTIVE, ""))
        two.risk.set(status(TradingState.ACTIVE, ""))
        # Two changes are said in two turns, and in between each looks at its trading state.
        await one.set(max_open_positions=3)
        await until(lambda: two.value("max_open_positions") == 3)
        await one.set(max_open_positions=4)
        await until(lambda: two.value("max_open_positions") == 4)
        one.risk.set(status(TradingState.HALTED, "a fat finger"))
        await until(lambda: two.halts.depth == 1)
        [told] = [envelope.message for envelope in two.halts.take(10)]
        assert (told.state, "a fat finger" in told.reason) == (TradingState.HALTED, True)
        two.risk.set(status(told.state, told.reason))
        one.risk.set(status(TradingState.ACTIVE, ""))
        await trio.sleep(0.8)
        assert two.halts.depth == 0, "that one engine trades again is no word about another"
        assert one.halts.depth == 0, "what came over the bus is not said back"
