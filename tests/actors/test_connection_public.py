"""A public connection keeps its streams whole whatever the line does, and says what it cannot."""

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from actors import connection_public
from actors.connection_public import ConnectionPublicActor
from genesis.core.actor import Context
from genesis.core.channel import Channel, Overflow
from genesis.core.latest import Latest
from genesis.edge.connection_stats import ConnectionStats
from genesis.edge.websocket import fast_websocket
from protocols.bitfinex.book_shelf import BookShelf
from protocols.bitfinex.events import FLAG_CHECKSUM, FLAG_SEQ_ALL, FLAG_TIMESTAMP
from protocols.bitfinex.subscriptions import Subscription, book, candles, ticker, trades
from protocols.health import ConnectionView, Notice, Reconnect
from protocols.market import BookTop, CandleSnapshot, StreamBeat, StreamDown, StreamUp, Ticker, TradePrint
from protocols.settings import ConnectionSettings, Settings
from protocols.units import Symbol
from tests.actors.deciding_stage import Listener, Stage, journal_channel, on_stage
from tests.actors.scripted_venue import Conf, ScriptedVenue, Subscribe, Unsubscribe, eventually, scripted_venue

BTC = (ticker("tBTCUSD"), trades("tBTCUSD"), book("tBTCUSD"), candles("tBTCUSD", "1m"))
ETH = ticker("tETHUSD")


@attrs.define(kw_only=True)
class World:
    venue: ScriptedVenue
    stage: Stage
    share: Latest[tuple[Subscription, ...]]
    stats: ConnectionStats
    view: Latest[ConnectionView]
    commands: Channel[Any]
    events: list[Any]
    prices: list[Any]
    notices: list[Any]
    shelf: BookShelf

    async def until(self, condition: Callable[[], bool], *, within_s: float = 300.0) -> None:
        await eventually(condition, within_s=within_s)

    async def up(self) -> None:
        await self.until(lambda: self.stats.up)

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


def a_view() -> ConnectionView:
    return ConnectionView(
        name="public-0",
        uri="",
        status="idle",
        session=0,
        reconnects=0,
        last_error=None,
        frames=0,
        subscriptions=0,
        venue_ms=0,
        last_frame_age_s=0.0,
    )


@asynccontextmanager
async def a_world(
    clock: MockClock,
    share: tuple[Subscription, ...] = BTC,
    settings: Settings | None = None,
    prepare: Callable[[ScriptedVenue], None] = lambda venue: None,
) -> AsyncIterator[World]:
    clock.autojump_threshold = 0.02
    async with scripted_venue() as venue:
        prepare(venue)
        prices = Channel[Any]("prices", Overflow.CONFLATE, key=lambda message: (type(message), message.symbol))
        events = Channel[Any]("events", Overflow.BLOCK)
        commands = Channel[Any]("commands", Overflow.CONFLATE, key=lambda message: 0)
        notices = Channel[Any]("notices", Overflow.DROP_OLDEST)
        shelf = BookShelf()
        cell, stats, view = Latest(share), ConnectionStats(), Latest(a_view())
        heard = {name: Listener() for name in ("prices", "events", "notices")}

        def start() -> ConnectionPublicActor:
            return ConnectionPublicActor(
                name="public-0",
                uri=venue.uri,
                share=cell,
                settings=Latest(settings or Settings()),
                dial=fast_websocket,
                prices=prices,
                events=events,
                view=view,
                stats=stats,
                notices=notices,
                shelf=shelf,
            )

        async with on_stage(
            start,
            hears=(commands,),
            journal=journal_channel(),
            listeners={
                "prices": (heard["prices"], prices),
                "events": (heard["events"], events),
                "notices": (heard["notices"], notices),
            },
        ) as stage:
            yield World(
                venue=venue,
                stage=stage,
                share=cell,
                stats=stats,
                view=view,
                commands=commands,
                events=heard["events"].heard,
                prices=heard["prices"].heard,
                notices=heard["notices"].heard,
                shelf=shelf,
            )


async def test_it_sets_flags_first_then_subscribes_and_tells_what_it_hears(autojump_clock: MockClock) -> None:
    async with a_world(autojump_clock) as world:
        await world.up()
        heard = world.venue.socket.heard
        assert isinstance(heard[0], Conf)
        assert heard[0].flags == FLAG_TIMESTAMP | FLAG_SEQ_ALL | FLAG_CHECKSUM
        assert sum(isinstance(asked, Subscribe) for asked in heard) == 4
        await world.until(lambda: bool(world.of(CandleSnapshot)) and len(world.prices) == 2)
        assert {(up.stream, up.symbol) for up in world.of(StreamUp)} == {
            (channel, "tBTCUSD") for channel in ("ticker", "trades", "book", "candles")
        }
        assert {type(price) for price in world.prices} == {Ticker, BookTop}
        await world.venue.socket.data(BTC[1], "te", [9, 1_700_000_000_500, -0.5, 100.0])
        await world.venue.socket.data(BTC[3], "hb")
        await world.until(lambda: bool(world.of(StreamBeat)))
        assert [trade.trade_id for trade in world.of(TradePrint)] == [9]
        assert world.of(StreamBeat)[0].venue_ms == world.venue.time_ms
        assert world.view.value.status == "up"


async def test_people_can_look_into_its_books_while_its_line_is_up(autojump_clock: MockClock) -> None:
    async with a_world(autojump_clock) as world:
        await world.up()
        await world.until(lambda: world.shelf.levels(Symbol("tBTCUSD"), 5) is not None)
        levels = world.shelf.levels(Symbol("tBTCUSD"), 5)
        assert levels is not None
        assert levels.bids[0][0] < levels.asks[0][0]
        assert world.shelf.levels(Symbol("tETHUSD"), 5) is None
        await world.venue.socket.cut()
        await world.until(lambda: world.shelf.levels(Symbol("tBTCUSD"), 5) is None)
        await world.until(lambda: world.shelf.levels(Symbol("tBTCUSD"), 5) is not None)


async def test_its_counts_equal_what_the_other_side_counts(autojump_clock: MockClock) -> None:
    async with a_world(autojump_clock) as world:
        await world.up()
        # info, conf, four times subscribed with its first frame
        await world.until(lambda: world.stats.socket_frames_in == 2 + 4 * 2)
        assert world.stats.socket_frames_out == len(world.venue.socket.heard)


async def test_a_dropped_line_is_dialled_again_at_once_and_every_stream_is_told_down_and_up(
    autojump_clock: MockClock,
) -> None:
    async with a_world(autojump_clock) as world:
        await world.up()
        await trio.sleep(10)
        await world.venue.socket.cut()
        await world.until(lambda: len(world.venue.sockets) == 2 and world.stats.up)
        assert len(world.of(StreamDown)) == 4
        assert {down.session for down in world.of(StreamDown)} == {1}
        assert {up.session for up in world.of(StreamUp)} == {1, 2}
        assert world.stats.recover_s[0] < 2
        names = [type(event).__name__ for event in world.events]
        assert names.index("StreamDown") > names.index("StreamUp")


async def test_trades_of_the_gap_come_from_the_next_snapshot_once(autojump_clock: MockClock) -> None:
    async with a_world(autojump_clock) as world:
        await world.up()
        await world.venue.socket.data(BTC[1], "te", [4, 1_700_000_000_500, 1.0, 100.0])
        await world.until(lambda: bool(world.of(TradePrint)))
        world.venue.last_trades = (3, 4, 5, 6)
        await trio.sleep(10)
        await world.venue.socket.cut()
        await world.until(lambda: len(world.of(TradePrint)) == 3)
        assert [trade.trade_id for trade in world.of(TradePrint)] == [4, 5, 6]
        assert world.stats.trades_refilled == 2
        assert world.stats.trades_missed == 0


async def test_a_line_that_keeps_falling_is_dialled_ever_later(autojump_clock: MockClock) -> None:
    def refuse(venue: ScriptedVenue) -> None:
        venue.refusals.extend([500] * 8)

    async with a_world(autojump_clock, prepare=refuse) as world:
        await world.until(lambda: len(world.venue.dialled_at) == 9, within_s=1000)
        pauses = [
            later - earlier for earlier, later in zip(world.venue.dialled_at, world.venue.dialled_at[1:], strict=False)
        ]
        assert pauses[0] <= 0.6
        for number, pause in enumerate(pauses[1:], start=1):
            assert 0.25 * 2**number <= pause <= 0.5 * 2**number + 0.2
        await world.up()
        assert world.stats.refused_handshakes == 8


@pytest.mark.parametrize("status", [429, 503])
async def test_a_refusal_that_asks_for_patience_gets_a_minute(autojump_clock: MockClock, status: int) -> None:
    def refuse(venue: ScriptedVenue) -> None:
        venue.refusals.append(status)

    async with a_world(autojump_clock, prepare=refuse) as world:
        await world.up()
        assert 60 <= world.venue.dialled_at[1] - world.venue.dialled_at[0] <= 67


async def test_a_silent_line_is_noticed_within_its_limit_and_a_second(autojump_clock: MockClock) -> None:
    async with a_world(autojump_clock) as world:
        await world.up()
        world.venue.deaf = True
        await world.until(lambda: world.stats.falls == 1)
        assert world.stats.detect_s[0] <= Settings().connection.silence_timeout_s + 1.1
        assert "silent" in world.stats.falls_by_reason


async def test_pongs_do_not_hide_that_no_stream_speaks(autojump_clock: MockClock) -> None:
    async with a_world(autojump_clock) as world:
        await world.up()
        await world.until(lambda: world.stats.falls == 1)
        assert world.stats.falls_by_reason == {"silent streams": 1}


async def test_one_silent_stream_is_renewed_alone_and_a_second_silence_ends_the_line(
    autojump_clock: MockClock,
) -> None:
    async with a_world(autojump_clock) as world:
        await world.up()
        first = world.venue.socket

        async def beat_all_but_the_ticker() -> None:
            while first.connection.closed is None:
                await trio.sleep(5)
                for stream in list(first.channels):
                    if stream != BTC[0]:
                        await first.data(stream, "hb")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(beat_all_but_the_ticker)
            await world.until(lambda: world.stats.resubscribed == 1)
            assert world.stats.falls == 0
            assert [down.stream for down in world.of(StreamDown)] in ([], ["ticker"])
            await world.until(lambda: world.stats.falls == 1)


async def test_20051_is_followed_by_another_socket(autojump_clock: MockClock) -> None:
    async with a_world(autojump_clock) as world:
        await world.up()
        await world.venue.socket.notice(20051)
        await world.until(lambda: len(world.venue.sockets) == 2 and world.stats.up)
        assert world.stats.falls_by_reason == {"20051": 1}


async def test_maintenance_is_waited_for_and_then_every_stream_is_renewed(autojump_clock: MockClock) -> None:
    async with a_world(autojump_clock) as world:
        await world.up()
        await world.venue.socket.notice(20060)
        await world.until(lambda: world.view.value.status == "maintenance")
        await trio.sleep(100)
        assert world.stats.falls == 0
        await world.venue.socket.notice(20061)
        await world.until(lambda: len(world.of(StreamUp)) == 8)
        assert sum(isinstance(asked, Unsubscribe) for asked in world.venue.socket.heard) == 4
        assert len(world.venue.sockets) == 1
        # As health tells it: a line that stays "connected" is one that lacks a stream.
        await world.until(lambda: world.view.value.status == "up" or world.stats.falls > 0)
        assert world.stats.falls == 0


async def test_a_server_in_maintenance_is_asked_for_nothing_until_it_is_over(autojump_clock: MockClock) -> None:
    def closed(venue: ScriptedVenue) -> None:
        venue.operative = False

    async with a_world(autojump_clock, prepare=closed) as world:
        await world.until(lambda: world.view.value.status == "maintenance")
        await trio.sleep(30)
        assert not any(isinstance(asked, Subscribe) for asked in world.venue.socket.heard)
        await world.venue.socket.notice(20061)
        await world.up()


async def test_a_gap_in_the_numbers_ends_the_line_and_nothing_after_it_is_told(autojump_clock: MockClock) -> None:
    async with a_world(autojump_clock) as world:
        await world.up()
        world.venue.socket.seq += 1
        await world.venue.socket.data(BTC[1], "te", [50, 1_700_000_000_500, 1.0, 100.0])
        await world.until(lambda: len(world.venue.sockets) == 2 and world.stats.up)
        assert world.stats.sequence_gaps == 1
        assert world.of(TradePrint) == []


async def test_of_the_tickers_of_one_read_the_newest_is_told_and_of_the_trades_each(
    autojump_clock: MockClock,
) -> None:
    async with a_world(autojump_clock) as world:
        await world.up()
        venue = world.venue.socket
        await world.until(lambda: len(world.prices) == 2)
        told: list[tuple[Subscription, list[Any]]] = []
        for number in range(1, 6):
            price = 100.0 + number
            told.append((BTC[0], [[price, 1.0, price + 1, 1.0, 0.0, 0.0, price, 5.0, 110.0, 90.0]]))
            told.append((BTC[1], ["te", [900 + number, 1_700_000_000_500, -0.5, price]]))
        await venue.at_once(told)
        await world.until(lambda: len(world.of(TradePrint)) == 5)
        assert [price.last for price in world.prices if isinstance(price, Ticker)][1:] == [105.0]
        assert [trade.price for trade in world.of(TradePrint)] == [101.0, 102.0, 103.0, 104.0, 105.0]


@pytest.mark.parametrize("falls", [False, True])
async def test_what_may_end_a_candle_is_told_in_front_of_what_came_before_it_in_its_read(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch, falls: bool
) -> None:
    aside = Context.step_aside
    async with a_world(autojump_clock) as world:
        await world.up()
        venue = world.venue.socket
        await world.until(lambda: len(world.prices) == 2)
        told: list[tuple[Subscription, list[Any]]] = [
            (BTC[1], ["te", [900 + number, 1_700_000_000_500, -0.5, 100.0]]) for number in range(5)
        ]
        row = [100.0, 1.0, 101.0, 1.0, 0.0, 0.0, 107.0, 5.0, 110.0, 90.0]

        def ends_meanwhile(ctx: Context) -> Coroutine[Any, Any, None]:
            if ctx.name.endswith("subject"):
                world.commands.put_nowait(Reconnect(reason="a test"))
            return aside(ctx)

        if falls:
            monkeypatch.setattr(Context, "step_aside", ends_meanwhile)
        await venue.at_once([*told, (BTC[3], ["hb"]), (BTC[0], [row])])
        await world.until(lambda: len(world.of(TradePrint)) == 5)
        kinds = [type(event) for event in world.events]
        assert kinds.index(StreamBeat) < kinds.index(TradePrint)
        if falls:
            # It was heard before the end, and is told before the end is.
            await world.until(lambda: len(world.of(StreamDown)) == len(BTC))
            assert world.stats.reconnects_asked == 1
            assert world.stats.falls == 1
            last_trade = max(place for place, event in enumerate(world.events) if type(event) is TradePrint)
            assert last_trade < [type(event) for event in world.events].index(StreamDown)
        assert [trade.trade_id for trade in world.of(TradePrint)] == [900, 901, 902, 903, 904]
        assert [price.last for price in world.prices if isinstance(price, Ticker)][1:] == [107.0]


async def test_a_wrong_checksum_renews_that_book_alone(autojump_clock: MockClock) -> None:
    async with a_world(autojump_clock) as world:
        await world.up()
        await world.venue.socket.data(BTC[2], "cs", 12345)
        await world.until(lambda: world.stats.bad_checksums == 1)
        await world.until(lambda: [down.stream for down in world.of(StreamDown)] == ["book"])
        await world.until(lambda: len(world.of(StreamUp)) == 5)
        assert len(world.venue.sockets) == 1


async def test_a_refused_stream_is_told_and_does_not_hold_up_the_others(autojump_clock: MockClock) -> None:
    def refuse(venue: ScriptedVenue) -> None:
        venue.refused[BTC[0]] = (10300, "symbol: invalid")

    async with a_world(autojump_clock, prepare=refuse) as world:
        await world.up()
        await world.until(lambda: bool(world.notices))
        assert isinstance(world.notices[0], Notice)
        assert world.notices[0].level == "alarm"
        assert "ticker tBTCUSD was refused: 10300 symbol: invalid" in world.notices[0].text
        assert {up.stream for up in world.of(StreamUp)} == {"trades", "book", "candles"}


async def test_what_cannot_be_is_counted_and_told_and_the_line_goes_on(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_public, "TELL_REFUSED_EVERY_S", 2.0)
    async with a_world(autojump_clock) as world:
        await world.up()
        venue = world.venue.socket
        for _ in range(3):
            await venue.data(BTC[1], "te", [9, 1_700_000_000_500, -0.5, -100.0])
        await venue.data(BTC[1], "te", [9, 1_500_000_000_500, -0.5, 100.0])
        await world.until(lambda: bool(world.of(TradePrint)))
        assert world.stats.refused_frames == 3
        (notice,) = world.notices
        assert (notice.level, notice.code) == ("warning", "frame_refused")
        assert "trade of tBTCUSD: price must be" in notice.text
        assert len(world.venue.sockets) == 1
        await trio.sleep(connection_public.TELL_REFUSED_EVERY_S)
        await venue.data(BTC[1], "te", [10, 1_500_000_000_500, -0.5, -100.0])
        await world.until(lambda: len(world.notices) == 2)
        assert "(3 since" in world.notices[1].text


async def test_a_stream_that_is_not_answered_is_asked_for_three_times(autojump_clock: MockClock) -> None:
    def ignore(venue: ScriptedVenue) -> None:
        venue.unanswered.add(BTC[0])

    async with a_world(autojump_clock, prepare=ignore) as world, trio.open_nursery() as nursery:
        nursery.start_soon(world.venue.heartbeats)
        await world.until(lambda: bool(world.notices))
        asked = [frame for frame in world.venue.socket.heard if isinstance(frame, Subscribe)]
        assert sum(frame.request.get("channel") == "ticker" for frame in asked) == 3
        assert "was not given after 3 tries: no answer" in world.notices[0].text
        assert len(world.venue.sockets) == 1
        nursery.cancel_scope.cancel()


async def test_a_handshake_that_is_never_answered_is_given_up_in_time(autojump_clock: MockClock) -> None:
    autojump_clock.autojump_threshold = 0.02
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listeners[0].socket.getsockname()[1]
    async with a_world(autojump_clock) as world:
        await world.up()
        world.venue.uri = f"ws://127.0.0.1:{port}/"
        assert world.stage.supervisor.kill("world/subject", reason="a new address")
        await world.until(lambda: bool(world.stats.falls_by_reason))
        assert list(world.stats.falls_by_reason) == ["ConnectTimeout"]
    await listeners[0].aclose()


async def test_streams_come_and_go_with_the_share(autojump_clock: MockClock) -> None:
    async with a_world(autojump_clock) as world, trio.open_nursery() as nursery:
        nursery.start_soon(world.venue.heartbeats)
        await world.up()
        world.share.set((*BTC[1:], ETH))
        await world.until(lambda: any(up.symbol == "tETHUSD" for up in world.of(StreamUp)))
        await world.until(lambda: [down.stream for down in world.of(StreamDown)] == ["ticker"])
        assert set(world.venue.socket.channels) == {*BTC[1:], ETH}
        world.share.set(())
        await world.until(lambda: world.view.value.status == "idle" or "waiting" in world.view.value.status)
        await world.until(lambda: world.view.value.status == "idle")
        world.share.set((ETH,))
        # A socket that is not wanted counts as up; now it is wanted.
        await world.until(lambda: len(world.venue.sockets) == 2 and world.stats.up)
        nursery.cancel_scope.cancel()


async def test_it_obeys_the_watchdog(autojump_clock: MockClock) -> None:
    async with a_world(autojump_clock) as world:
        await world.up()
        world.commands.put_nowait(Reconnect(reason="stale"))
        await world.until(lambda: len(world.venue.sockets) == 2 and world.stats.up)
        assert world.stats.falls_by_reason == {"asked": 1}


async def test_a_kill_leaves_no_socket_behind_and_the_next_life_subscribes_again(autojump_clock: MockClock) -> None:
    async with a_world(autojump_clock) as world:
        for life in range(1, 6):
            await world.up()
            assert len(world.venue.sockets) == life
            world.stats.up = False
            world.stage.kill()
        await world.until(lambda: len(world.venue.sockets) == 6 and world.stats.up)
        await world.until(lambda: sum(socket.connection.closed is None for socket in world.venue.sockets) == 1)


async def test_the_clocks_are_compared_by_pings(autojump_clock: MockClock) -> None:
    async with a_world(autojump_clock) as world, trio.open_nursery() as nursery:
        nursery.start_soon(world.venue.heartbeats)
        await world.up()
        await world.until(lambda: world.stats.skew_ms is not None)
        assert world.stats.falls == 0
        nursery.cancel_scope.cancel()


async def test_a_full_listener_slows_it_down_and_loses_nothing(autojump_clock: MockClock) -> None:
    """Pings are answered meanwhile: the reader hands over what it can and goes on reading."""
    autojump_clock.autojump_threshold = 0.02
    settings = Settings(connection=ConnectionSettings(silence_timeout_s=1000))
    async with scripted_venue() as venue:
        events = Channel[Any]("events", Overflow.BLOCK, capacity=2)
        prices = Channel[Any]("prices", Overflow.CONFLATE, key=lambda message: (type(message), message.symbol))
        commands = Channel[Any]("commands", Overflow.CONFLATE, key=lambda message: 0)
        stats = ConnectionStats()
        told = Listener()

        def start() -> ConnectionPublicActor:
            return ConnectionPublicActor(
                name="public-0",
                uri=venue.uri,
                share=Latest((BTC[1],)),
                settings=Latest(settings),
                dial=fast_websocket,
                prices=prices,
                events=events,
                view=Latest(a_view()),
                stats=stats,
            )

        # Nobody hears `events` until later: its mailbox is made by the listener's stage only.
        async with on_stage(start, hears=(commands,), journal=journal_channel(), listeners={}):
            with trio.fail_after(100):
                await eventually(lambda: stats.up)
                for number in range(100, 200):
                    await venue.socket.data(BTC[1], "te", [number, 1_700_000_000_000 + number, 1.0, 100.0])
                await venue.socket.connection.ping(b"are you there")
                assert len(events.queue) == 2
                async with on_stage(lambda: told, hears=(events,), journal=journal_channel(), listeners={}):
                    await eventually(lambda: sum(isinstance(event, TradePrint) for event in told.heard) == 100)
                    ids = [event.trade_id for event in told.heard if isinstance(event, TradePrint)]
                    assert ids == list(range(100, 200))
                    # info, conf, subscribed, snapshot and the trades: counted only now, when all are in.
                    assert stats.socket_frames_in == 104
