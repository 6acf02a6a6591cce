"""The exchange as others use it: start it, point a client at its address, replay a recording, look behind the wire."""

import random
import ssl
import uuid
from collections.abc import Iterable, Iterator
from typing import Any, Final

import attrs
import trio

from genesis.core.clock import Clock
from genesis.domain.matching import FillWhen
from genesis.domain.pairs import PairSpecs, pair_specs, paper_twin, perpetual_of
from genesis.domain.recording import CandleRecording
from genesis.domain.venue import Venue
from genesis.domain.venue_ledger import IDS_PER_MS
from genesis.edge.tcp_stream import straight
from genesis.simulator.account_side import AccountSide
from genesis.simulator.alerts import AlertDesk
from genesis.simulator.faults import FaultDesk
from genesis.simulator.feed import Feed, PublicTrade
from genesis.simulator.frame_tape import tape
from genesis.simulator.funding_market import DAY_MS, STEP_MS
from genesis.simulator.link import HttpRequest, HttpResponse, serve_client
from genesis.simulator.market_side import MarketSide
from genesis.simulator.perpetuals import Perpetuals
from genesis.simulator.recordings import FrameRecording, Recording
from genesis.simulator.replay_driver import Moment, Pacer, Replayer, source_of
from genesis.simulator.rest import Rest
from genesis.simulator.session import Session
from genesis.simulator.settings import ApiKey, ExchangeSettings
from genesis.simulator.state_file import SavedState, StateFile
from genesis.simulator.tokens import Tokens
from protocols.bitfinex.auth import AuthClaim
from protocols.bitfinex.errors import InputRefused
from protocols.bitfinex.inputs import Input, MultiOperation, NewOrder
from protocols.bitfinex.subscriptions import Subscription
from protocols.orders import VenueOrder, VenueTrade
from protocols.units import Symbol

SLOW_CLIENT_BYTES: Final = 1024 * 1024
SLOW_CLIENT_S: Final = 10.0
WEBSOCKET_PATHS: Final = ("/ws/2", "/ws", "/ws/")


@attrs.frozen
class Address:
    """Where an exchange listens."""

    host: str
    port: int
    secure: bool = False

    @property
    def rest(self) -> str:
        """The base address, to which clients add /v2/..."""
        return f"{'https' if self.secure else 'http'}://{self.host}:{self.port}"

    @property
    def websocket(self) -> str:
        return f"{'wss' if self.secure else 'ws'}://{self.host}:{self.port}/ws/2"


@attrs.frozen(kw_only=True)
class SocketView:
    """One WebSocket of a client. `queued` frames were said, `sent` of them are written, `received` came from it."""

    number: int
    peer: str
    account: str | None
    channels: int
    queued: int
    sent: int
    received: int


@attrs.frozen(kw_only=True)
class AccountSnapshot:
    """What the venue knows of one account, for tests that check by its side. Wallets are keyed `exchange USD`."""

    wallets: dict[str, Any]
    open_orders: dict[int, VenueOrder]
    closed_orders: tuple[VenueOrder, ...]
    trades: tuple[VenueTrade, ...]

    @property
    def orders_by_cid(self) -> dict[int, list[VenueOrder]]:
        """Every order ever accepted, by client id; more than one for a cid means that it was doubled."""
        found: dict[int, list[VenueOrder]] = {}
        for order in (*self.closed_orders, *self.open_orders.values()):
            found.setdefault(order.cid, []).append(order)
        return found


class Exchange:
    """A simulated Bitfinex. It knows no wall time but the clock it is given, and takes chance from `chance`.

    `pairs` are sizes and margins that are known better than by the pair's name: those of the market that it follows.
    """

    def __init__(
        self,
        settings: ExchangeSettings,
        recording: Recording | Iterable[str],
        clock: Clock,
        chance: random.Random,
        pairs: PairSpecs | None = None,
    ) -> None:
        self.settings = settings
        self.recording = recording
        self.clock = clock
        self.chance = chance
        self.server_id = str(uuid.UUID(int=chance.getrandbits(128), version=4))
        self.time_ms = 0
        """Venue time: of the last thing that happened."""
        self.step = -1
        """Number of the last step of the recording that happened; -1 before the first."""
        self.address: Address | None = None
        self.tls: ssl.SSLContext | None = None
        self.ended = trio.Event()
        """Set when the recording has been told to its end."""
        self.operative = True
        self.quiet = False
        """No heartbeats on market streams: whoever drives this exchange has lost its own source."""
        self._next_step_ms = 0
        self._idle: dict[int, tuple[int, float]] = {}
        """By the number of a socket: how much it had said, and when it was last seen in use."""
        self._day = 0
        symbols = _symbols(recording)
        if any(terms.paper for terms in settings.accounts):
            symbols += [paper_twin(symbol) for symbol in symbols]
        self.symbols = _symbols(recording)
        made_up = isinstance(recording, CandleRecording | FrameRecording)
        contracts = [contract for symbol in symbols if made_up and (contract := perpetual_of(symbol)) is not None]
        model = settings.model
        if isinstance(recording, FrameRecording):
            # A recorded book can be met at once; waiting for the next trade would only be worse.
            model = attrs.evolve(model, when=FillWhen.AT_ONCE)
        self.venue = Venue({**pair_specs([*symbols, *contracts]), **(pairs or {})}, model=model)
        self.market = MarketSide(
            self.venue.specs,
            self.venue,
            ticker_length=settings.ticker_length,
            venue_ms=self.venue_ms,
            # Beside a real market that is relayed nothing made up may stand.
            made_up_funding=made_up,
        )
        self.perpetuals = Perpetuals(self.venue, self.market, symbols if made_up else ())
        self.market.wake = self.wake
        self.accounts = AccountSide(
            self.venue,
            settings.keys,
            tokens=Tokens(chance, clock.now),
            venue_ms=self.venue_ms,
            saved=self.save,
            orders_changed=self.market.orders_changed,
            wake=self.wake,
            funding=self.market.funding,
        )
        self.alerts = AlertDesk(lambda account, row: self.accounts.tell(account, "n", row), self.venue_ms)
        self.rest = Rest(self)
        self.faults = FaultDesk(self)
        self.sessions: dict[int, Session] = {}
        self._next_session = 1
        self._joined = trio.Event()
        self.venue.on_print = self._printed
        self.venue.on_liquidation = self.market.liquidated
        self.replayer: Replayer | None = None
        for terms in settings.accounts:
            self.venue.open_account(
                terms.name, terms.balances, maker_fee=terms.maker_fee, taker_fee=terms.taker_fee, paper=terms.paper
            )
        if isinstance(recording, CandleRecording):
            self.time_ms = recording.first_ms
            for symbol, rows in recording.history.items():
                for twin in self.twins(symbol):
                    self.market.feeds[twin] = Feed(twin, rows)
        elif isinstance(recording, FrameRecording):
            self.time_ms = next(tape(recording)).time_ms
        self.state_file = None if settings.state is None else StateFile(settings.state)
        self.unlisted: set[Symbol] = set()
        """Pairs that the real venue, whose market this one has, lists no more."""
        self.resume_after = -1
        """Steps up to this one happened before this process; they are taken in, not told."""
        if self.state_file is not None:
            self._load(self.state_file)
        source = source_of(self)
        self._moments: Iterator[Moment] = iter(()) if source is None else source.moments()

    # --- ports that sessions use ----------------------------------------------------------------------------------

    def venue_ms(self) -> int:
        """Venue time in ms. Without a recording it is the clock's."""
        return self.time_ms or self.clock.wall_ms()

    def check_subscription(self, subscription: Subscription) -> None:
        self.market.check(subscription)

    def joined(self, session: Session, subscription: Subscription, channel: int) -> None:
        self.market.joined(session, subscription, channel)
        self._notify()

    def left(self, session: Session, subscription: Subscription) -> None:
        self.market.left(session, subscription)

    def authenticate(self, claim: AuthClaim) -> ApiKey | tuple[int, str]:
        return self.faults.on_authentication() or self.accounts.authenticate(claim)

    def authenticated(self, session: Session) -> None:
        self.accounts.joined(session)
        self._notify()

    def operate(self, session: Session, request: Input) -> None:
        """One input of channel 0; a ghost order is carried out later with all of its frame, and may outlive its
        session."""
        parts = request.operations if isinstance(request, MultiOperation) else (request,)
        new = next((each for each in parts if isinstance(each, NewOrder)), None)
        late_s = None if new is None else self.faults.ghost_s(str(new.cid))
        if late_s is None or self.faults.nursery is None:
            self.accounts.operate(session, request)
        else:
            self.faults.nursery.start_soon(self._operate_later, session, request, late_s)

    async def _operate_later(self, session: Session, request: Input, seconds: float) -> None:
        await trio.sleep(seconds)
        if session.key is not None:
            self.accounts.operate(session, request)

    def refuse(self, session: Session, error: InputRefused) -> None:
        self.accounts.refuse(session, error)

    # --- serving --------------------------------------------------------------------------------------------------

    async def serve(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        tls: ssl.SSLContext | None = None,
        task_status: trio.TaskStatus[Address] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Listen until cancelled; HTTP and WebSocket on one port. Raises OSError when the port is taken.

        With `tls` it speaks https and wss only: some clients take no other address.
        """
        self.catch_up()
        self.tls = tls
        listeners = await trio.open_tcp_listeners(port, host=host)
        self.address = Address(host, listeners[0].socket.getsockname()[1], secure=tls is not None)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.heartbeats)
            self.faults.nursery = nursery
            task_status.started(self.address)
            await trio.serve_listeners(self._serve_client, listeners, handler_nursery=nursery)

    async def _serve_client(self, stream: trio.SocketStream) -> None:
        try:
            peer = ":".join(map(str, stream.socket.getpeername()[:2]))
        except OSError:
            return
        await self._converse(straight(stream), peer)

    async def _converse(self, stream: trio.abc.Stream, peer: str) -> None:
        secure = None if self.tls is None else trio.SSLStream(stream, self.tls, server_side=True, https_compatible=True)
        await serve_client(
            secure or stream,
            peer=peer,
            handler=self.rest.handle,
            open_session=self.open_session,
            left=self.close_session,
        )

    def open_session(self, request: HttpRequest) -> Session | HttpResponse:
        """A WebSocket handshake."""
        refusal = self.faults.on_handshake(request)
        if refusal is not None:
            return refusal
        if request.target.split("?")[0] not in WEBSOCKET_PATHS:
            return self.rest.not_found(request)
        session = Session(self, number=self._next_session)
        self._next_session += 1
        self.sessions[session.number] = session
        self.faults.opened(session)
        return session

    def close_session(self, session: Session) -> None:
        """The socket is gone."""
        self.sessions.pop(session.number, None)
        self._idle.pop(session.number, None)
        self.faults.closed(session)
        for subscription in list(session.by_subscription):
            self.market.left(session, subscription)
        self.accounts.left(session)

    async def heartbeats(self) -> None:
        """Beat as long as it serves."""
        # On the wall's clock: a replay at low speed, or one that waits, must not look like a dead line.
        while True:
            await trio.sleep(self.settings.heartbeat_s)
            self.beat()

    def beat(self) -> None:
        """One heartbeat on every channel, and a goodbye to sockets that have asked for nothing for long.

        The stamp is that of the last step, so that this beat never closes a candle before its boundary does.
        """
        for symbol in [] if self.quiet else list(self.market.streams()):
            self.market.beat(symbol)
        for session in list(self.accounts.sessions):
            session.beat()
        limit, idle = self.settings.idle_close_s, self._idle
        for session in list(self.sessions.values()):
            said, since = idle.get(session.number, (-1, 0.0))
            if session.channels or session.key is not None or session.received != said:
                idle[session.number] = (session.received, trio.current_time())
            elif limit is not None and trio.current_time() - since >= limit:
                session.close(1000, "")

    # --- the market moves -----------------------------------------------------------------------------------------

    def twins(self, symbol: Symbol) -> list[Symbol]:
        """A pair and the TEST pair that moves with it, if paper accounts exist."""
        twin = paper_twin(symbol)
        return [symbol, twin] if twin in self.venue.specs else [symbol]

    def boundary(self, symbol: Symbol, time_ms: int) -> bool:
        """The heartbeat that closes the last minute of a pair. True when time alone changed somebody's order."""
        self.time_ms = time_ms
        if time_ms >= self._next_step_ms:
            self._step_of_time(time_ms)
        outputs = self.venue.advance(time_ms)
        self.accounts.apply(outputs)
        for each in self.twins(symbol):
            self.market.beat(each)
        return bool(outputs)

    def _step_of_time(self, time_ms: int) -> None:
        """What goes by the clock of the venue: funding, and what the world hears of it."""
        self._next_step_ms = time_ms - time_ms % STEP_MS + STEP_MS
        day = time_ms // DAY_MS
        if self._day and day > self._day:
            self.accounts.day_ended(day * DAY_MS)
        self._day = day
        self.accounts.funding.time_came(time_ms)
        self.market.funding.time_came(time_ms)

    def match(self, symbol: Symbol, price: float, size: float, time_ms: int) -> bool:
        """The first half of `tick`: what a trade does to orders, before anybody hears of the trade."""
        self.time_ms = time_ms
        if time_ms >= self._next_step_ms:
            self._step_of_time(time_ms)
        changed = False
        for each in self.twins(symbol):
            outputs = self.venue.on_tick(each, price, size, time_ms)
            self.accounts.apply(outputs)
            changed = changed or bool(outputs)
        return changed

    def tick(self, symbol: Symbol, trade: PublicTrade, minute: Any, time_ms: int, *, matched: bool = False) -> bool:
        """The market trades. True when it filled or changed somebody's order. `matched`: `match` was called before."""
        self.time_ms = time_ms
        if time_ms >= self._next_step_ms:
            self._step_of_time(time_ms)
        changed = False
        for each in self.twins(symbol):
            outputs = [] if matched else self.venue.on_tick(each, trade.price, abs(trade.amount), time_ms)
            self.market.moved(each, trade, minute)
            self.accounts.apply(outputs)
            self.alerts.on_tick(each, trade.price)
            changed = changed or bool(outputs)
            if self.perpetuals.awake:
                outputs = self.perpetuals.tick(each, trade, minute, time_ms)
                self.accounts.apply(outputs)
                changed = changed or bool(outputs)
        return changed

    def wake(self, symbol: Symbol) -> None:
        """Somebody asks for a contract: it trades from now on."""
        self.perpetuals.wake(symbol, self.venue_ms())

    @staticmethod
    def print_of(symbol: Symbol, price: float, amount: float, time_ms: int) -> PublicTrade:
        """A public trade with the id that its time gives it."""
        return PublicTrade(time_ms * IDS_PER_MS, time_ms, amount, price)

    def _printed(self, symbol: Symbol, trade_id: int, time_ms: int, amount: Any, price: Any) -> None:
        self.market.traded_between_accounts(PublicTrade(trade_id, time_ms, float(amount), float(price)), symbol)

    async def replay(self, speed: float, pacer: Pacer | None = None, *, wait_for_clients: bool = True) -> None:
        """Tell the recording to its end at `speed` venue seconds a second (MAX_SPEED: as fast as everybody reads).

        With `wait_for_clients` it begins when a socket is authenticated and a candle channel is subscribed.
        """
        self.replayer = Replayer(self, speed=speed, pacer=pacer)
        if wait_for_clients:
            await self.wait_for_clients()
        await self.replayer.run()

    def catch_up(self) -> None:
        """Take in, without telling, what happened in a former life of this process; `serve` does it first of all."""
        while self.step < self.resume_after:
            moment = next(self._moments, None)
            if moment is None:
                break
            moment.absorb()
            self.step, self.time_ms = moment.number, max(self.time_ms, moment.time_ms)
        self.perpetuals.wake_used(self.venue_ms())

    def moments(self) -> Iterator[Moment]:
        """What is still to be told. One iterator: a second replay goes on where the first one stopped."""
        return self._moments

    # --- waiting for clients --------------------------------------------------------------------------------------

    def _notify(self) -> None:
        self._joined.set()
        self._joined = trio.Event()

    async def wait_for_clients(self, *, authenticated: int = 1, channels: int = 1, kind: str = "candles") -> None:
        """Until so many sockets are authenticated and so many channels of a kind are subscribed."""
        while len(self.accounts.sessions) < authenticated or self.market.counts(kind) < channels:
            await self._joined.wait()

    async def wait_until_written(self) -> None:
        """Until no client has more than a mebibyte to read; one that does not read for ten seconds is dropped."""
        for session in list(self.sessions.values()):
            if session.backlog > SLOW_CLIENT_BYTES:
                with trio.move_on_after(SLOW_CLIENT_S) as scope:
                    await session.wait_drained()
                if scope.cancelled_caught:
                    session.abort()

    # --- looking behind the wire ----------------------------------------------------------------------------------

    def sockets(self) -> tuple[SocketView, ...]:
        return tuple(
            SocketView(
                number=session.number,
                peer=session.peer,
                account=self.accounts.sessions.get(session),
                channels=len(session.channels),
                queued=session.queued,
                sent=session.sent,
                received=session.received,
            )
            for session in self.sessions.values()
        )

    @property
    def sent_frames(self) -> int:
        """Frames said to all sockets that are open now."""
        return sum(session.queued for session in self.sessions.values())

    @property
    def received_frames(self) -> int:
        return sum(session.received for session in self.sessions.values())

    def snapshot(self, account: str = "sim") -> AccountSnapshot:
        known, history = self.venue.accounts[account], self.venue.history(account)
        return AccountSnapshot(
            wallets={key: wallet.balance for key, wallet in known.wallets.items()},
            open_orders={order.venue_id: order.told_as("os") for order in known.orders.values()},
            closed_orders=tuple(history.orders),
            trades=tuple(history.trades),
        )

    # --- surviving ------------------------------------------------------------------------------------------------

    def save(self) -> None:
        """Write the accounts to the state file, whole or not at all."""
        if self.state_file is not None:
            self.state_file.save(self._saved_state(), self.venue.books.histories)

    def save_position(self) -> None:
        """Remember how far the replay is; cheap enough for every minute."""
        if self.state_file is not None:
            self.state_file.save_position(self.step)

    def _saved_state(self) -> SavedState:
        return SavedState(
            recording=getattr(self.recording, "name", ""),
            step=self.step,
            time_ms=self.time_ms,
            next_order_id=self.venue.next_order_id,
            next_priority=self.venue.next_priority,
            last_trade_id=self.venue.books.last_trade_id,
            next_position_id=self.venue.books.next_position_id,
            next_entry_id=self.venue.books.next_entry_id,
            market=self.venue.books.market,
            fees=self.venue.books.fees,
            accounts=self.venue.accounts,
            nonces=self.accounts.nonces,
        )

    def _load(self, state_file: StateFile) -> None:
        loaded = state_file.load(getattr(self.recording, "name", ""))
        if loaded is None:
            return
        saved, histories = loaded
        self.venue.next_order_id, self.venue.next_priority = saved.next_order_id, saved.next_priority
        books = self.venue.books
        books.last_trade_id, books.next_entry_id = saved.last_trade_id, saved.next_entry_id
        books.next_position_id, books.market, books.fees = saved.next_position_id, saved.market, saved.fees
        books.accounts.update(saved.accounts)
        books.histories.update(histories)
        self.accounts.nonces.update(saved.nonces)
        self.resume_after, self.time_ms = saved.step, max(self.time_ms, saved.time_ms)
        self.venue.restore()
        floor = self.accounts.funding.floor
        floor.refresh()
        floor.waiting.update(name for name, account in books.accounts.items() if account.positions)


def _symbols(recording: Recording | Iterable[str]) -> list[Symbol]:
    if isinstance(recording, CandleRecording):
        return list(recording.symbols)
    if isinstance(recording, FrameRecording):
        return list(dict.fromkeys(Symbol(channel.symbol) for channel in recording.channels))
    return [Symbol(symbol) for symbol in recording]
