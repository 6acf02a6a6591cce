"""The bus actor: settings that were set here are told to other engines over Redis, and theirs become wishes here.

The config actor decides: what comes over the bus is checked like anybody's wish and stands in this engine's own journal
before it counts. Without Redis nothing changes here; what was set meanwhile is told when it is back. A halt may come
over the bus; nothing that comes over it ends one.
"""

from collections.abc import Callable
from typing import Any, Final

import attrs
import msgspec
import trio

from genesis.core.actor import Context
from genesis.core.backoff import Backoff
from genesis.core.channel import Channel
from genesis.core.errors import ChannelFull
from genesis.core.latest import Latest
from genesis.domain.config_bus import (
    HALT_FRESH_MS,
    BusMessage,
    BusState,
    BusView,
    Value,
    local_changes,
    newer,
    opened,
    seal,
    wishes,
)
from genesis.edge.redis_stream import BusDown, BusMissing, Entry, RedisStream, connected
from genesis.edge.secrets import Secret
from protocols.config import ConfigCommand, ConfigView, SetSettings, SettingsApplied
from protocols.health import Notice
from protocols.journal import Cells, CellWrite, Commit, JournalRequest, ReadCells
from protocols.risk import RiskStatus, SetTradingState, TradingState

TABLE: Final = "config_bus"
KEY: Final = "state"
STREAM: Final = "genesis:config"
WAIT_S: Final = 0.2
"""How long a read waits for something new: so long a change of ours may take to be told."""
TRY_AGAIN_S: Final = 15.0
"""How often what was refused here is wished for again: it may have been in the way of a rollout."""
LOOK_S: Final = 2.0
"""How often it is looked whether the server is still the same one."""
FULL_AT: Final = 500
"""A stream of so many entries is told everything anew, so that those who come late miss nothing."""
AUTHOR: Final = "bus"
PAUSES: Final = Backoff(base_s=0.2, cap_s=5.0)

_STATE = msgspec.json.Decoder(BusState)


@attrs.frozen(kw_only=True)
class BusPorts:
    """Where the bus is and what proves that a message is one of ours. `wall_ms` must be the true time, in a replay
    too: stamps of several engines are compared. `name` is this engine's from its first start on, and nobody else's:
    it must not come of a seed that two engines can share."""

    url: Secret
    secret: Secret
    name: str
    wall_ms: Callable[[], int]


@attrs.define(kw_only=True)
class ConfigBusActor:
    """`view` and `risk` are what it tells of; `commands` and `halts` where it wishes."""

    ports: BusPorts
    config: Latest[ConfigView]
    risk: Latest[RiskStatus | None]
    commands: Channel[ConfigCommand]
    halts: Channel[SetTradingState]
    journal: Channel[JournalRequest]
    view: Latest[BusView]
    notices: Channel[Any] | None = None
    _state: BusState = attrs.field(factory=lambda: BusState(instance=""), init=False)
    _found: dict[str, Value] = attrs.field(factory=dict, init=False)
    _halted: bool | None = attrs.field(default=None, init=False)
    _server: str = attrs.field(default="", init=False)
    _look_at: float = attrs.field(default=0.0, init=False)
    _retry_at: float = attrs.field(default=0.0, init=False)

    async def run(self, ctx: Context) -> None:
        await self._recover(ctx)
        stopping = ctx.stopping
        ctx.ready()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._work, ctx)
            await stopping.wait()
            nursery.cancel_scope.cancel()

    async def _work(self, ctx: Context) -> None:
        failures = 0
        while True:
            try:
                async with connected(self.ports.url.reveal(), STREAM) as stream:
                    await self._begin(ctx, stream)
                    failures = 0
                    while True:
                        await self._turn(ctx, stream)
                        ctx.progress()
            except (BusDown, BusMissing, ValueError) as error:
                self._down(ctx, error)
            failures += 1
            await trio.sleep(PAUSES.delay_s(failures, ctx.chance))
            ctx.progress()

    async def _recover(self, ctx: Context) -> None:
        kept: Cells = await ctx.outlet(self.journal).ask(ReadCells(table=TABLE))
        cell = next((each for each in kept.cells if each.key == KEY), None)
        if cell is None:
            self._state = BusState(instance=self.ports.name)
            # Nobody knows when these were set: whatever the bus says of them is newer.
            runtime = self.config.value.runtime
            self._found = local_changes(self._state, runtime, now_ms=self.ports.wall_ms(), first=True)
        else:
            self._state = _STATE.decode(cell.payload)
        self._show(instance=self._state.instance, connected=False)

    async def _keep(self, ctx: Context) -> None:
        cell = CellWrite(table=TABLE, key=KEY, payload=msgspec.json.encode(self._state, order="sorted"))
        await ctx.outlet(self.journal).ask(Commit(writer=ctx.name, cells=(cell,)))

    async def _begin(self, ctx: Context, stream: RedisStream) -> None:
        """What was said while we were away comes first; then a server that has forgotten is told everything."""
        length, server = await stream.length(), await stream.server_id()
        restarted = self._server not in ("", server)
        self._server = server
        while await self._read(ctx, stream, wait_s=0.0):
            pass
        still = {path: value for path, value in self._found.items() if self._state.values[path] is value}
        if still:
            await self._say(stream, BusMessage(**self._head(), changes=still))
        if self._found:
            self._found = {}
            await self._keep(ctx)
        elif self._state.values and (restarted or length == 0 or length > FULL_AT):
            await self._say(stream, BusMessage(**self._head(), changes=dict(self._state.values)))
        if not self.view.value.connected:
            self._tell(ctx, "info", "bus_up", f"the configuration bus is up, this engine is {self._state.instance}")
        self._show(connected=True, last_error="")

    async def _turn(self, ctx: Context, stream: RedisStream) -> None:
        await self._say_ours(ctx, stream)
        await self._say_halt(ctx, stream)
        await self._read(ctx, stream, wait_s=WAIT_S)
        now = ctx.clock.now()
        if now >= self._look_at:
            self._look_at = now + LOOK_S
            if await stream.server_id() != self._server:
                # It was restarted between two calls, and who knows what it still has.
                await self._begin(ctx, stream)
        if self._state.wanted and now >= self._retry_at:
            self._retry_at = now + TRY_AGAIN_S
            again, self._state.wanted = self._state.wanted, []
            await self._wish(ctx, again, "again", "what the bus says")

    # --- saying -------------------------------------------------------------------------------------------------------

    def _head(self) -> dict[str, Any]:
        view = self.config.value
        return {
            "instance": self._state.instance,
            "sent_ms": self.ports.wall_ms(),
            "author": view.author,
            "reason": view.reason,
        }

    async def _say_ours(self, ctx: Context, stream: RedisStream) -> None:
        view = self.config.value
        if view.version == 0:
            return
        before, values = self._state.seen, dict(self._state.values)
        changes = local_changes(self._state, view.runtime, now_ms=self.ports.wall_ms(), first=False)
        if not changes:
            if before != self._state.seen:
                await self._keep(ctx)
            return
        try:
            await self._say(stream, BusMessage(**self._head(), changes=changes))
        except BusDown:
            # It was not said, as far as we know: the next connection finds it unsaid. Said twice, it changes nothing.
            self._state.seen, self._state.values = before, values
            raise
        # Said before kept: a crash between says it once more, with a later stamp.
        await self._keep(ctx)

    async def _say_halt(self, ctx: Context, stream: RedisStream) -> None:
        status = self.risk.value
        if status is None:
            return
        halted = status.state is TradingState.HALTED
        if halted and self._halted is False and not status.reason.startswith(AUTHOR):
            await self._say(stream, BusMessage(**self._head(), halt=status.reason[:200]))
        self._halted = halted

    async def _say(self, stream: RedisStream, message: BusMessage) -> None:
        text, mac = seal(message, self.ports.secret.reveal().encode())
        await stream.append({"m": text, "s": mac})
        self._show(sent=self.view.value.sent + 1, waiting=tuple(self._state.wanted))

    # --- hearing ------------------------------------------------------------------------------------------------------

    async def _read(self, ctx: Context, stream: RedisStream, *, wait_s: float) -> bool:
        entries = await stream.read(self._state.last_id, wait_s=wait_s)
        for entry in entries:
            await self._hear(ctx, entry)
            self._state.last_id = entry.entry_id
        if entries:
            await self._keep(ctx)
        return bool(entries)

    async def _hear(self, ctx: Context, entry: Entry) -> None:
        now_ms = self.ports.wall_ms()
        secret = self.ports.secret.reveal().encode()
        message = opened(entry.fields.get(b"m", b""), entry.fields.get(b"s", b""), secret, now_ms=now_ms)
        if message is None:
            if self.view.value.forged == 0:
                self._tell(ctx, "alarm", "bus_forged", f"a message on the bus ({entry.entry_id}) is not from an engine")
            self._show(forged=self.view.value.forged + 1)
            return
        if message.instance == self._state.instance:
            return
        if message.halt is not None:
            self._halt(ctx, message, now_ms)
        paths = newer(self._state, message)
        self._show(stale=self.view.value.stale + len(message.changes) - len(paths))
        if paths:
            await self._wish(ctx, paths, entry.entry_id, f"{message.author} on {message.instance}: {message.reason}")

    def _halt(self, ctx: Context, message: BusMessage, now_ms: int) -> None:
        status = self.risk.value
        fresh = now_ms - message.sent_ms <= HALT_FRESH_MS
        if not fresh or (status is not None and status.state is TradingState.HALTED):
            return
        halt = SetTradingState(
            state=TradingState.HALTED,
            reason=f"{AUTHOR}: {message.instance} halted: {message.halt}"[:200],
            actor=AUTHOR,
            correlation_id=f"bus-halt:{message.instance}:{message.sent_ms}",
        )
        ctx.outlet(self.halts).put_nowait(halt)

    async def _wish(self, ctx: Context, paths: list[str], name: str, reason: str) -> None:
        """Ask for all of it together; when that is refused each by itself, so that one bad value stops no other."""
        if await self._ask(ctx, paths, name, reason):
            return
        for path in paths:
            if not (len(paths) > 1 and await self._ask(ctx, [path], f"{name}:{path}", reason)):
                self._state.wanted = sorted({*self._state.wanted, path})
                self._retry_at = ctx.clock.now() + TRY_AGAIN_S
                self._show(refused=self.view.value.refused + 1, waiting=tuple(self._state.wanted))

    async def _ask(self, ctx: Context, paths: list[str], name: str, reason: str) -> bool:
        runtime = self.config.value.runtime
        changes, cleared = wishes(self._state, paths, runtime)
        if changes or cleared:
            wish = SetSettings(
                changes=changes,
                cleared=cleared,
                actor=AUTHOR,
                reason=reason[:200],
                correlation_id=f"bus:{name}:{ctx.clock.now_ns()}",
            )
            try:
                reply = await ctx.outlet(self.commands).ask(wish)
            except ChannelFull:
                return False
            if not isinstance(reply, SettingsApplied):
                return False
            self._show(applied=self.view.value.applied + len(changes) + len(cleared))
        # What we have of these is the bus's now, and nothing to tell it.
        self._state.seen = {path: value for path, value in self._state.seen.items() if path not in paths}
        self._state.seen |= {path: each for path in paths if (each := self._said(path)) is not None}
        self._state.wanted = [path for path in self._state.wanted if path not in paths]
        self._show(waiting=tuple(self._state.wanted))
        return True

    def _said(self, path: str) -> Any:
        value: Value = self._state.values[path]
        return None if value.cleared else self.config.value.runtime.get(path, value.value)

    # --- showing ------------------------------------------------------------------------------------------------------

    def _down(self, ctx: Context, error: Exception) -> None:
        if self.view.value.connected or not self.view.value.last_error:
            text = f"{error}; settings and trading go on, and what is set meanwhile is told later"
            self._tell(ctx, "warning", "bus_down", text)
            self._show(outages=self.view.value.outages + 1)
        self._show(connected=False, last_error=str(error)[:200])

    def _show(self, **changes: Any) -> None:
        self.view.set(msgspec.structs.replace(self.view.value, **changes))

    def _tell(self, ctx: Context, level: str, code: str, text: str) -> None:
        if self.notices is not None:
            ctx.outlet(self.notices).put_nowait(Notice(level=level, code=code, text=text, at_ms=ctx.clock.wall_ms()))
