"""A private connection numbers its sessions, tells their ends honestly, and never sends a command twice."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import msgspec
import pytest
import trio
from trio.testing import MockClock

from actors.connection_private import (
    HANDSHAKE_S,
    PROBES_S,
    SEND_TIMEOUT_S,
    ConnectionPrivateActor,
)
from genesis.core.channel import Channel, Overflow
from genesis.core.latest import Latest
from genesis.edge.connection_stats import ConnectionStats
from genesis.edge.errors import ConnectTimeout
from genesis.edge.nonce import NonceOwner
from genesis.edge.secrets import Credentials, Secret
from genesis.edge.send_ledger import SendLedger
from genesis.edge.streams import CLOSE_GRACE_S
from genesis.edge.websocket import Dial, WebSocket, fast_websocket
from protocols.bitfinex.auth import is_signed
from protocols.bitfinex.events import info_event
from protocols.bitfinex.inputs import WrittenCommand, write_ahead
from protocols.health import ConnectionView, Reconnect
from protocols.orders import (
    CancelOrder,
    CommandBatch,
    CommandInDoubt,
    CommandNotSent,
    CommandSent,
    OrderSnapshot,
    PositionSnapshot,
    SessionDown,
    SessionUp,
    SubmitOrder,
    VenueOrder,
    WalletSnapshot,
)
from protocols.settings import OrderSettings, Settings
from protocols.units import Symbol
from tests.actors.deciding_stage import Listener, MemoryDisk, Stage, journal_channel, on_stage
from tests.actors.scripted_venue import ScriptedVenue, eventually, scripted_venue
from tests.actors.stuck_socket import StuckSocket, stuck_dial
from tests.actors.test_connection_public import a_view

KEY = Credentials(key="genesis-test-key", secret=Secret("genesis-test-secret"))


def an_order(cid: int, session: int) -> SubmitOrder:
    return SubmitOrder(
        cid=cid,
        cid_date="2023-11-14",
        group_id=71,
        symbol=Symbol("tBTCUSD"),
        wire_type="EXCHANGE MARKET",
        amount=Decimal("0.1"),
        price=None,
        aux_limit_price=None,
        trailing_distance=None,
        oco_stop_price=None,
        flags=0,
        session=session,
        correlation_id="test",
        received_ns=0,
    )


def a_cancel(cid: int, session: int) -> CancelOrder:
    return CancelOrder(cid=cid, cid_date="2023-11-14", venue_id=1000 + cid, session=session, correlation_id="test")


def an_order_row(venue_id: int, cid: int) -> list[Any]:
    row: list[Any] = [None] * 32
    row[0:9] = [venue_id, 71, cid, "tBTCUSD", 1, 2, 0.1, 0.1, "EXCHANGE LIMIT"]
    row[12:14] = [0, "ACTIVE"]
    row[16:20] = [100, 0, 0, 0]
    return row


@attrs.define(kw_only=True)
class World:
    venue: ScriptedVenue
    stage: Stage
    stats: ConnectionStats
    ledger: SendLedger
    commands: Channel[Any]
    reconnects: Channel[Any]
    orders: list[Any]
    account: list[Any]
    notices: list[Any]

    async def up(self) -> None:
        await eventually(lambda: self.stats.up)

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.orders if isinstance(event, kind)]

    @property
    def session(self) -> int:
        return int(self.of(SessionUp)[-1].session)

    @property
    def sent_cids(self) -> list[int]:
        """What the venue has got, over all sockets."""
        return [body[3]["cid"] for socket in self.venue.sockets for body in socket.inputs if body[1] == "on"]


@asynccontextmanager
async def a_world(
    clock: MockClock,
    folder: Path,
    *,
    disk: MemoryDisk | None = None,
    settings: Settings | None = None,
    dial: Dial = fast_websocket,
    written: Latest[WrittenCommand | None] | None = None,
    prepare: Callable[[ScriptedVenue], None] = lambda venue: None,
) -> AsyncIterator[World]:
    clock.autojump_threshold = 0.02
    async with scripted_venue() as venue, trio.open_nursery() as nursery:
        prepare(venue)
        nursery.start_soon(venue.heartbeats)
        orders = Channel[Any]("orders", Overflow.BLOCK)
        account = Channel[Any]("account", Overflow.BLOCK)
        commands = Channel[Any]("commands", Overflow.FAIL)
        reconnects = Channel[Any]("reconnects", Overflow.CONFLATE, key=lambda message: 0)
        notices = Channel[Any]("notices", Overflow.DROP_OLDEST)
        journal = journal_channel()
        view, stats, ledger = Latest[ConnectionView](a_view()), ConnectionStats(), SendLedger()
        nonce = NonceOwner(folder / "nonce", lambda: 1_700_000_000_000_000)
        heard = {name: Listener() for name in ("orders", "account", "notices")}

        def start() -> ConnectionPrivateActor:
            return ConnectionPrivateActor(
                name="private",
                uri=venue.uri,
                credentials=KEY,
                nonce=nonce,
                settings=Latest(settings or Settings()),
                dial=dial,
                orders=orders,
                account=account,
                journal=journal,
                view=view,
                stats=stats,
                ledger=ledger,
                written=written,
                notices=notices,
            )

        async with on_stage(
            start,
            hears=(commands, reconnects),
            journal=journal,
            disk=disk,
            listeners={
                "orders": (heard["orders"], orders),
                "account": (heard["account"], account),
                "notices": (heard["notices"], notices),
            },
        ) as stage:
            yield World(
                venue=venue,
                stage=stage,
                stats=stats,
                ledger=ledger,
                commands=commands,
                reconnects=reconnects,
                orders=heard["orders"].heard,
                account=heard["account"].heard,
                notices=heard["notices"].heard,
            )
        nonce.close()
        nursery.cancel_scope.cancel()


async def test_session_up_comes_first_and_the_snapshots_right_behind_it(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    def with_order(venue: ScriptedVenue) -> None:
        venue.open_orders = [an_order_row(5, 9)]

    async with a_world(autojump_clock, tmp_path, prepare=with_order) as world:
        await world.up()
        await eventually(lambda: len(world.orders) == 4 and len(world.account) == 2)
        assert [type(event) for event in world.orders] == [SessionUp, PositionSnapshot, WalletSnapshot, OrderSnapshot]
        assert [type(event) for event in world.account] == [PositionSnapshot, WalletSnapshot]
        assert world.orders[3].orders[0].cid == 9
        claim = world.venue.claims[0]
        assert is_signed(KEY.secret.reveal(), claim.payload, claim.signature)
        assert not claim.dead_man_switch
        assert (world.stats.auth_requests, world.stats.auth_successes) == (1, 1)


async def test_sessions_rise_over_sockets_lives_and_processes(autojump_clock: MockClock, tmp_path: Path) -> None:
    disk = MemoryDisk()
    async with a_world(autojump_clock, tmp_path, disk=disk) as world:
        await world.up()
        await trio.sleep(10)
        await world.venue.socket.cut()
        await eventually(lambda: len(world.of(SessionUp)) == 2)
        world.stage.kill()
        await eventually(lambda: len(world.of(SessionUp)) == 3)
        numbers = [event.session for event in world.of(SessionUp)]
        assert numbers == sorted(set(numbers))
        last = numbers[-1]
    async with a_world(autojump_clock, tmp_path, disk=disk) as world:
        await world.up()
        await eventually(lambda: bool(world.of(SessionUp)))
        assert world.session > last
        assert world.venue.nonces[0] > 1_700_000_000_000_000


async def test_every_session_ends_before_the_next_begins(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with a_world(autojump_clock, tmp_path) as world:
        for life in range(6):
            await eventually(lambda life=life: len(world.of(SessionUp)) == life + 1)  # type: ignore[misc]
            await trio.sleep(6)
            if life % 2:
                world.stage.kill()
            else:
                await world.venue.socket.cut()
        await eventually(lambda: len(world.of(SessionUp)) == 7)
        words = [(type(event), event.session) for event in world.orders if isinstance(event, SessionUp | SessionDown)]
        numbers = [event.session for event in world.of(SessionUp)]
        assert words == [word for number in numbers for word in ((SessionUp, number), (SessionDown, number))][:-1]


async def test_a_command_is_told_sent_after_it_left_and_reaches_the_venue_once(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with a_world(autojump_clock, tmp_path) as world:
        await world.up()
        await eventually(lambda: bool(world.of(SessionUp)))
        world.commands.put_nowait(an_order(1, world.session))
        world.commands.put_nowait(a_cancel(1, world.session))
        await eventually(lambda: len(world.of(CommandSent)) == 2)
        await eventually(lambda: len(world.venue.socket.inputs) == 2)
        assert [(event.cid, event.kind) for event in world.of(CommandSent)] == [(1, "on"), (1, "oc")]
        assert world.venue.socket.inputs[0][3]["cid"] == 1
        assert world.venue.socket.inputs[0][3]["amount"] == "0.1"
        assert world.venue.socket.inputs[1] == [0, "oc", None, {"id": 1001}]


async def test_several_in_one_frame_leave_once_and_are_each_told(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with a_world(autojump_clock, tmp_path) as world:
        await world.up()
        await eventually(lambda: bool(world.of(SessionUp)))
        batch = CommandBatch(commands=(a_cancel(1, world.session), an_order(2, world.session)))
        # As after a crash: the same frame, delivered again.
        for _ in range(2):
            world.commands.put_nowait(batch)
        await eventually(lambda: len(world.of(CommandSent)) == 4)
        assert {(event.cid, event.kind) for event in world.of(CommandSent)} == {(1, "oc"), (2, "on")}
        (frame,) = world.venue.socket.inputs
        assert frame[1] == "ox_multi"
        assert [kind for kind, _ in frame[3]] == ["oc", "on"]
        world.commands.put_nowait(msgspec.structs.replace(batch, commands=(an_order(3, world.session + 1),)))
        await eventually(lambda: [event.cid for event in world.of(CommandNotSent)] == [3])


async def test_an_order_whose_time_has_passed_does_not_leave(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with a_world(autojump_clock, tmp_path) as world:
        await world.up()
        await eventually(lambda: bool(world.of(SessionUp)))
        now_ns = int(trio.current_time() * 1e9)
        for cid, leave_by_ns in ((1, now_ns), (2, now_ns + 10**9)):
            world.commands.put_nowait(msgspec.structs.replace(an_order(cid, world.session), leave_by_ns=leave_by_ns))
        await eventually(lambda: world.sent_cids == [2])
        (refused,) = world.of(CommandNotSent)
        assert (refused.cid, refused.too_old, refused.reason.split(":")[0]) == (1, True, "signal_too_old")
        assert world.ledger.past("on", 1, None, once=True) is None, "not a byte of it has left"


async def test_a_command_for_another_session_does_not_leave(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with a_world(autojump_clock, tmp_path) as world:
        await world.up()
        await eventually(lambda: bool(world.of(SessionUp)))
        world.commands.put_nowait(an_order(1, world.session - 1))
        world.commands.put_nowait(an_order(2, world.session + 1))
        await eventually(lambda: len(world.of(CommandNotSent)) == 2)
        assert "session must be" in world.of(CommandNotSent)[0].reason
        await trio.sleep(5)
        assert world.venue.socket.inputs == []
        # Not one byte left, so the same cid may go later.
        world.commands.put_nowait(an_order(1, world.session))
        await eventually(lambda: world.sent_cids == [1])


async def test_without_a_session_nothing_leaves(autojump_clock: MockClock, tmp_path: Path) -> None:
    def never_up(venue: ScriptedVenue) -> None:
        venue.snapshots = False

    async with a_world(autojump_clock, tmp_path, prepare=never_up) as world:
        await eventually(lambda: bool(world.venue.claims))
        world.commands.put_nowait(an_order(1, 1))
        await eventually(lambda: bool(world.of(CommandNotSent)))
        assert world.of(SessionUp) == []
        # and a login whose snapshots never come is given up
        await eventually(lambda: len(world.venue.sockets) == 2)
        assert world.stats.auth_timeouts == 1


async def test_maintenance_stops_commands_and_its_end_starts_a_new_session(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with a_world(autojump_clock, tmp_path) as world:
        await world.up()
        await eventually(lambda: bool(world.of(SessionUp)))
        await world.venue.socket.notice(20060)
        await eventually(lambda: world.stats.maintenance == 1)
        world.commands.put_nowait(an_order(1, world.session))
        await eventually(lambda: bool(world.of(CommandNotSent)))
        assert "maintenance" in world.of(CommandNotSent)[0].reason
        assert world.of(CommandNotSent)[0].paused
        await world.venue.socket.notice(20061)
        await eventually(lambda: len(world.of(SessionUp)) == 2)
        assert world.sent_cids == []


@pytest.mark.parametrize("fate", ["hangs", "leaves and hangs", "tears"])
async def test_a_send_that_does_not_return_leaves_doubt_and_ends_the_session(
    autojump_clock: MockClock, tmp_path: Path, fate: str
) -> None:
    fates: list[str] = []
    async with a_world(autojump_clock, tmp_path, dial=stuck_dial(fates)) as world:
        await world.up()
        await eventually(lambda: bool(world.of(SessionUp)))
        began = trio.current_time()
        fates.append(fate)
        world.commands.put_nowait(an_order(1, world.session))
        await eventually(lambda: bool(world.of(SessionDown)))
        assert trio.current_time() - began <= SEND_TIMEOUT_S + 4
        kinds = [type(event) for event in world.orders]
        # The fate of the command is told before the end of its session.
        assert kinds.index(CommandInDoubt) < kinds.index(SessionDown)
        assert (world.of(CommandSent), world.of(CommandNotSent)) == ([], [])


@pytest.mark.parametrize("fate", ["hangs", "leaves and hangs"])
async def test_a_crash_inside_a_send_is_doubt_in_the_next_life_and_never_a_second_send(
    autojump_clock: MockClock, tmp_path: Path, fate: str
) -> None:
    fates: list[str] = []
    async with a_world(autojump_clock, tmp_path, dial=stuck_dial(fates)) as world:
        await world.up()
        await eventually(lambda: bool(world.of(SessionUp)))
        first = world.session
        fates.append(fate)
        world.commands.put_nowait(an_order(1, first))
        world.commands.put_nowait(an_order(2, first))
        await trio.sleep(1)
        world.stage.kill()
        await eventually(lambda: bool(world.of(CommandInDoubt)) and bool(world.of(CommandNotSent)))
        assert [event.cid for event in world.of(CommandInDoubt)] == [1]
        assert [event.cid for event in world.of(CommandNotSent)] == [2]
        await eventually(lambda: len(world.of(SessionUp)) == 2)
        # Even asked to, with a new session: this cid has begun to leave once.
        world.commands.put_nowait(an_order(1, world.session))
        await eventually(lambda: len(world.of(CommandInDoubt)) == 2)
        await trio.sleep(5)
        assert world.sent_cids == ([1] if fate == "leaves and hangs" else [])
        assert [event.session for event in world.of(SessionDown)] == [first]


async def test_a_hundred_kills_between_commands_double_nothing(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with a_world(autojump_clock, tmp_path) as world:
        for cid in range(1, 101):
            await eventually(lambda: world.stats.up)
            session = world.ledger.session
            world.commands.put_nowait(an_order(cid, session))
            for _ in range(cid % 7):
                await trio.lowlevel.checkpoint()
            world.stats.up = False
            world.stage.kill()
        await eventually(lambda: world.commands.idle)
        await eventually(lambda: world.stats.up)
        told = world.of(CommandSent) + world.of(CommandNotSent) + world.of(CommandInDoubt)
        assert {event.cid for event in told} == set(range(1, 101))
        assert len(world.sent_cids) == len(set(world.sent_cids))
        not_sent = {event.cid for event in world.of(CommandNotSent)}
        assert not_sent.isdisjoint(world.sent_cids)
        assert set(world.sent_cids) <= {event.cid for event in world.of(CommandSent) + world.of(CommandInDoubt)}


async def test_a_small_nonce_is_answered_with_a_bigger_one(autojump_clock: MockClock, tmp_path: Path) -> None:
    def refuse(venue: ScriptedVenue) -> None:
        venue.auth_refusals.append((10114, "nonce: small"))

    async with a_world(autojump_clock, tmp_path, prepare=refuse) as world:
        await world.up()
        assert world.venue.nonces[1] - world.venue.nonces[0] > 5_000_000
        assert trio.current_time() < 20


async def test_a_refused_key_is_alarming_and_not_dialled_in_a_loop(autojump_clock: MockClock, tmp_path: Path) -> None:
    def refuse(venue: ScriptedVenue) -> None:
        venue.auth_refusals.extend([(10100, "apikey: invalid")] * 3)

    async with a_world(autojump_clock, tmp_path, prepare=refuse) as world:
        await eventually(lambda: bool(world.notices))
        assert world.notices[0].level == "alarm"
        assert "apikey: invalid" in world.notices[0].text
        await trio.sleep(55)
        assert len(world.venue.dialled_at) == 1
        await eventually(lambda: world.stats.up)


async def test_a_key_that_may_withdraw_is_refused(autojump_clock: MockClock, tmp_path: Path) -> None:
    def risky(venue: ScriptedVenue) -> None:
        venue.caps = {"orders": {"read": 1, "write": 1}, "withdraw": {"read": 0, "write": 1}}

    async with a_world(autojump_clock, tmp_path, prepare=risky) as world:
        await eventually(lambda: bool(world.notices))
        assert "API key must not be able to withdraw, had withdraw" in world.notices[0].text
        assert world.of(SessionUp) == []
        assert world.venue.dialled_at == world.venue.dialled_at[:1]


async def test_the_dead_man_switch_is_set_only_when_asked_for(autojump_clock: MockClock, tmp_path: Path) -> None:
    settings = Settings(orders=OrderSettings(dead_man_switch=True))
    async with a_world(autojump_clock, tmp_path, settings=settings) as world:
        await world.up()
        assert world.venue.claims[0].dead_man_switch


async def test_after_a_gap_nothing_of_that_session_is_told(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with a_world(autojump_clock, tmp_path) as world:
        await world.up()
        await world.venue.socket.account("on", an_order_row(5, 1))
        await eventually(lambda: len(world.of(VenueOrder)) == 1)
        world.venue.socket.seq += 1
        await world.venue.socket.account("oc", an_order_row(5, 1))
        await eventually(lambda: len(world.of(SessionUp)) == 2)
        assert [event.event for event in world.of(VenueOrder)] == ["on"]
        assert world.stats.sequence_gaps == 1


async def test_a_lost_frame_behind_a_command_is_missed_before_any_heartbeat(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    """The fill of an order at market is the venue's last word for 15 s."""
    async with a_world(autojump_clock, tmp_path) as world:
        await world.up()
        await eventually(lambda: bool(world.of(SessionUp)))
        world.commands.put_nowait(an_order(1, world.session))
        await eventually(lambda: world.sent_cids == [1])
        venue, began = world.venue, trio.current_time()
        # One frame of it never arrives.
        venue.socket.seq, venue.socket.auth_seq = venue.socket.seq + 1, venue.socket.auth_seq + 1
        await eventually(lambda: len(world.of(SessionDown)) == 1)
        assert "sequence gap" in world.of(SessionDown)[0].reason
        assert trio.current_time() - began <= 3.0


async def test_whoever_commands_nothing_asks_for_nothing(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with a_world(autojump_clock, tmp_path) as world:
        await world.up()
        await eventually(lambda: bool(world.of(SessionUp)))
        await trio.sleep(20)
        assert world.venue.socket.calculated == 0
        world.commands.put_nowait(an_order(1, world.session))
        await eventually(lambda: world.sent_cids == [1])
        await trio.sleep(60)
        assert world.venue.socket.calculated == len(PROBES_S)


async def test_a_slow_login_is_given_longer_each_time(autojump_clock: MockClock, tmp_path: Path) -> None:
    def never_up(venue: ScriptedVenue) -> None:
        venue.snapshots = False

    async with a_world(autojump_clock, tmp_path, prepare=never_up) as world:
        ends: list[float] = []
        for _ in range(3):
            before = len(world.of(SessionDown))
            await eventually(lambda: len(world.venue.claims) > len(ends))
            began = trio.current_time()
            await eventually(partial(lambda before: len(world.of(SessionDown)) > before, before))
            ends.append(trio.current_time() - began)
        assert [round(seconds) for seconds in ends] == [HANDSHAKE_S, 2 * HANDSHAKE_S, 4 * HANDSHAKE_S]
        world.venue.snapshots = True
        await eventually(lambda: bool(world.of(SessionUp)))


async def test_a_first_word_that_was_lost_is_missed_by_the_answer_to_a_ping(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    """Nor does it make the next login wait longer: the venue was not slow."""

    def two_are_lost(venue: ScriptedVenue) -> None:
        venue.lost_infos = 2

    async with a_world(autojump_clock, tmp_path, prepare=two_are_lost) as world:
        await eventually(lambda: bool(world.of(SessionUp)))
        assert [down.reason for down in world.of(SessionDown)] == ["the info event was lost"] * 2
        first, _, third = world.venue.dialled_at
        assert third - first < HANDSHAKE_S


async def test_a_venue_that_is_slow_with_its_first_word_is_waited_for(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    def says_nothing(venue: ScriptedVenue) -> None:
        venue.lost_infos, venue.deaf = 1, True

    async with a_world(autojump_clock, tmp_path, prepare=says_nothing) as world:
        await eventually(lambda: len(world.venue.sockets) == 1)
        await trio.sleep(HANDSHAKE_S - 0.5)
        assert world.of(SessionDown) == []
        world.venue.deaf = False
        await world.venue.socket.say(info_event(server_id="scripted", operative=True))
        await eventually(lambda: bool(world.of(SessionUp)))
        assert len(world.venue.sockets) == 1


async def test_the_frame_of_a_command_that_may_come_is_ready_before_it_comes(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    """On the socket of the moment, and taken for that very command alone; whatever comes leaves as it would have."""
    lines: list[StuckSocket] = []
    written = Latest[WrittenCommand | None](None)

    @asynccontextmanager
    async def dial(uri: str, *, timeout_s: float) -> AsyncIterator[WebSocket]:
        async with fast_websocket(uri, timeout_s=timeout_s) as socket:
            lines.append(StuckSocket(socket, []))
            yield lines[-1]

    async with a_world(autojump_clock, tmp_path, dial=dial, written=written) as world:
        await eventually(lambda: bool(world.of(SessionUp)))
        expected = an_order(1, world.session)
        written.set(write_ahead(expected))
        assert written.value is not None
        text = written.value.frame
        assert lines[-1].made_ready == [text]
        world.commands.put_nowait(an_order(2, world.session))
        world.commands.put_nowait(expected)
        await eventually(lambda: world.sent_cids == [2, 1])
        assert [frame for frame in lines[-1].sent if frame is text] == [text]
        await world.venue.socket.cut()
        await eventually(lambda: len(world.of(SessionUp)) == 2)
        assert lines[-1].made_ready == []
        written.set(None)
        written.set(write_ahead(an_order(3, world.session)))
        assert len(lines[-1].made_ready) == 1
        world.stage.kill()
        await eventually(lambda: len(world.of(SessionUp)) == 3)
        written.set(write_ahead(an_order(4, world.session)))
        assert [len(line.made_ready) for line in lines] == [1, 1, 1]
        assert world.sent_cids == [2, 1]


def hanging_dial(times: int, waited: list[float]) -> Dial:
    """The first dials are not answered; how long each was waited for."""

    @asynccontextmanager
    async def dial(uri: str, *, timeout_s: float) -> AsyncIterator[WebSocket]:
        if len(waited) < times:
            waited.append(timeout_s)
            await trio.sleep(timeout_s)
            raise ConnectTimeout("nobody answers")
        async with fast_websocket(uri, timeout_s=timeout_s) as socket:
            yield socket

    return dial


async def test_a_dial_that_hangs_is_given_up_soon_and_then_now_and_then_given_all_its_time(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    waited: list[float] = []
    async with a_world(autojump_clock, tmp_path, dial=hanging_dial(5, waited)) as world:
        await eventually(lambda: bool(world.of(SessionUp)))
        longest_s = Settings().connection.connect_timeout_s
        assert waited == [HANDSHAKE_S, 2 * HANDSHAKE_S, longest_s, HANDSHAKE_S, 2 * HANDSHAKE_S]


async def test_a_goodbye_that_nobody_answers_does_not_keep_the_next_session_away(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    class Unanswered(StuckSocket):
        async def aclose(self) -> None:
            await trio.sleep(CLOSE_GRACE_S)
            await super().aclose()

    @asynccontextmanager
    async def dial(uri: str, *, timeout_s: float) -> AsyncIterator[WebSocket]:
        async with fast_websocket(uri, timeout_s=timeout_s) as socket:
            yield Unanswered(socket, [])

    async with a_world(autojump_clock, tmp_path, dial=dial) as world:
        await world.up()
        await trio.sleep(10)
        began = trio.current_time()
        world.reconnects.put_nowait(Reconnect(reason="a stop has no answer"))
        await eventually(lambda: len(world.of(SessionUp)) == 2)
        # Nor is a session that we wish for put off by chance.
        assert trio.current_time() - began < CLOSE_GRACE_S / 2


async def test_a_login_whose_conf_was_not_answered_is_begun_anew(autojump_clock: MockClock, tmp_path: Path) -> None:
    """Nobody would read its numbers, so nobody would miss a frame."""

    def one_is_lost(venue: ScriptedVenue) -> None:
        venue.lost_confs = 1

    async with a_world(autojump_clock, tmp_path, prepare=one_is_lost) as world:
        await eventually(lambda: bool(world.of(SessionUp)))
        (down,) = world.of(SessionDown)
        assert down.reason == "conf was not answered"
        assert world.of(SessionUp)[0].session > down.session


async def test_an_acceptance_that_was_lost_is_missed_by_the_snapshots(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    """Two in a row were nine seconds without a login, in which a position had no stop (world 74056)."""

    def two_are_lost(venue: ScriptedVenue) -> None:
        venue.lost_acceptances = 2

    async with a_world(autojump_clock, tmp_path, prepare=two_are_lost) as world:
        await eventually(lambda: bool(world.of(SessionUp)))
        assert [down.reason for down in world.of(SessionDown)] == ["the answer to the login was lost"] * 2
        first, _, third = world.venue.dialled_at
        assert third - first < HANDSHAKE_S


async def test_a_snapshot_that_was_lost_is_missed_at_once(autojump_clock: MockClock, tmp_path: Path) -> None:
    def one_is_lost(venue: ScriptedVenue) -> None:
        venue.lost_snapshots = 1

    async with a_world(autojump_clock, tmp_path, prepare=one_is_lost) as world:
        await eventually(lambda: bool(world.of(SessionDown)))
        assert "sequence gap" in world.of(SessionDown)[0].reason
        await eventually(lambda: bool(world.of(SessionUp)))


async def test_an_unreadable_account_frame_ends_the_session(autojump_clock: MockClock, tmp_path: Path) -> None:
    """It may have been a fill."""
    async with a_world(autojump_clock, tmp_path) as world:
        await world.up()
        await world.venue.socket.account("oc", "what is this")
        await eventually(lambda: len(world.of(SessionUp)) == 2)
        await eventually(lambda: bool(world.notices))
        assert [notice.code for notice in world.notices] == ["frame_refused"]


async def test_pongs_do_not_hide_a_silent_account(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with a_world(autojump_clock, tmp_path) as world:
        await world.up()
        world.venue.socket.snapshots_done = False  # the peer's heartbeats on channel 0 end with this
        await eventually(lambda: len(world.of(SessionDown)) == 1)
        assert world.of(SessionDown)[0].reason == "silent account channel"


async def test_who_speaks_and_hears_nothing_is_left(autojump_clock: MockClock, tmp_path: Path) -> None:
    """Heartbeats go on, but nothing of ours arrives: a cancel would be asked for in vain for ever."""
    async with a_world(autojump_clock, tmp_path) as world:
        await world.up()
        world.venue.deaf = True
        began = trio.current_time()
        await eventually(lambda: len(world.of(SessionDown)) == 1)
        assert world.of(SessionDown)[0].reason == "pings are not answered"
        assert 30.0 <= trio.current_time() - began <= 42.0


async def test_it_obeys_a_reconnect(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with a_world(autojump_clock, tmp_path) as world:
        await world.up()
        world.reconnects.put_nowait(Reconnect(reason="order 7 has no answer"))
        await eventually(lambda: len(world.of(SessionUp)) == 2)
        assert world.of(SessionDown)[0].reason == "asked: order 7 has no answer"


async def test_a_login_that_the_venue_ends_is_begun_anew_without_a_crash(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    """Whatever is asked of such a session is refused here: not even the question behind a command may leave."""
    async with a_world(autojump_clock, tmp_path) as world:
        await world.up()
        await eventually(lambda: bool(world.of(SessionUp)))
        world.commands.put_nowait(an_order(1, world.session))
        await eventually(lambda: world.sent_cids == [1])
        began = trio.current_time()
        await world.venue.socket.say(b'{"event":"unauth","status":"OK","chanId":0,"code":0}')
        await eventually(lambda: len(world.of(SessionUp)) == 2)
        assert world.of(SessionDown)[0].reason == "the venue has ended the login"
        assert trio.current_time() - began <= 3.0
