"""The full walk of a backtest: every minute of a recording, through the engine's own machines and the venue's matching.

Nothing here decides. Candles close by the live rule, strategies score them, risk judges, the order machine writes the
commands, the venue fills them at the next tick, the account adds up; only the actors, the wire and time are left out.
"""

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal

import msgspec

from genesis.domain.account_machine import AccountMachine
from genesis.domain.decision_log import ORDER_KIND, Decision, read_decision
from genesis.domain.executions import expected_of
from genesis.domain.market_replay import ReplayedStream, replayed_streams
from genesis.domain.matching import FillModel
from genesis.domain.measures import OrderTally
from genesis.domain.order_machine import OrderMachine
from genesis.domain.pairs import PairSpecs
from genesis.domain.performance import DAY_MS, HOUR_MS
from genesis.domain.recording import CandleRecording
from genesis.domain.replay import BOUNDARY_MS, MINUTE_MS, TICK_MS, CandleRow, Step, minutes, ticks
from genesis.domain.risk_judgement import Judgement
from genesis.domain.risk_machine import RiskMachine
from genesis.domain.signal_machine import SignalMachine
from genesis.domain.ticks import replayed_tick
from genesis.domain.trading_floor import CARRY_EVERY_MS
from genesis.domain.venue import Venue, request_of
from genesis.domain.venue_state import VenueOutput
from protocols.account import ClosedTrade
from protocols.bitfinex.inputs import ChangeOrder, EndOrder
from protocols.journal import AnyRecord
from protocols.market import CandleClosed
from protocols.orders import (
    PROTECTIVE_PURPOSES,
    TERMINAL_STATES,
    CancelOrder,
    CommandSent,
    Fill,
    HistoryReport,
    HistoryRequest,
    OrderSnapshot,
    OrderUpdate,
    OrderView,
    RequestNotice,
    SessionUp,
    SubmitOrder,
    UpdateOrder,
    VenueCommand,
    VenueOrder,
    VenueTrade,
    VenueWallet,
    WalletSnapshot,
)
from protocols.settings import Settings
from protocols.signals import SignalScore
from protocols.units import ZERO, Side, Symbol, exact

ACCOUNT = "sim"
SESSION = 1
CURVE_POINTS = 50_000
ORDERS_HELD = 1_000
"""Ended orders, and trades, that the order machine remembers at least and at most twice: it looks back at the newest of
them only, and 28 KB for each trade of years would be gigabytes."""
WORDS_HELD = 20_000
"""Decisions that wait for a reader of their words. Of a run that makes more none is kept: it is walked again then."""

_HEARD = (VenueOrder, VenueTrade, RequestNotice)

Unread = Decision | Judgement | AnyRecord
"""A decision as it was made: its words are worth their time only once somebody reads them."""


def strategy_markets(settings: Settings, symbols: Iterable[Symbol]) -> list[tuple[Symbol, str]]:
    """(symbol, time frame) of the enabled strategies: by symbol, then in the order of the settings' time frames."""
    wanted = {(strategy.symbol, strategy.timeframe) for strategy in settings.strategies if strategy.enabled}
    known = list(dict.fromkeys([*settings.market.timeframes, *(timeframe for _, timeframe in sorted(wanted))]))
    return [(symbol, timeframe) for symbol in symbols for timeframe in known if (symbol, timeframe) in wanted]


def curve_step(first_ms: int, last_ms: int) -> int:
    """Whole minutes between two points of the curve: few enough to keep, and never past an hour, which is the shorter
    period of returns."""
    minutes = (last_ms - first_ms) // MINUTE_MS // CURVE_POINTS + 1
    return max(MINUTE_MS, min(minutes * MINUTE_MS, HOUR_MS))


class Walk:
    """One walk: the machines and the messages between them. Raises ValueError on settings that nothing can run with."""

    def __init__(
        self,
        recording: CandleRecording,
        settings: Settings,
        model: FillModel | None,
        pairs: PairSpecs,
        balances: Iterable[tuple[str, str, Decimal]],
    ) -> None:
        self.recording = recording
        self.settings = settings
        self.signals = SignalMachine(settings)
        self.risk = RiskMachine(settings, pairs)
        self.machine = OrderMachine(settings.orders, epoch=1, signal_max_age_s=settings.risk.signal_max_age_s)
        self.machine.pairs = pairs
        self.machine.keeps = False
        self.machine.touch = self._front
        self.machine.depth = self._levels
        self.account = AccountMachine(
            settings,
            curve_step_ms=curve_step(recording.first_ms, recording.last_ms),
            curve_limit=2 * CURVE_POINTS,
        )
        self.venue = Venue(pairs, model=model)
        self.venue.books.is_told = False
        self.venue.open_account(ACCOUNT, balances)
        self.decisions: list[Unread] = []
        self.trades: list[ClosedTrade] = []
        self.fills: list[Fill] = []
        self.tally = OrderTally()
        self.tags: dict[str, str] = {}
        self.expected: dict[str, Decimal | None] = {}
        self.decided_ms: dict[str, int] = {}
        self.candles = 0
        self.carry_quote = ZERO
        """Interest that was paid for what was held."""
        self.now_ms = recording.first_ms
        self.words_held: int | None = WORDS_HELD
        """None keeps the words of all decisions, however many."""
        self.has_words = True
        """False once there were too many decisions to keep."""
        self._told_version = -1
        self._places = {symbol: place for place, symbol in enumerate(recording.symbols)}
        self._streams: dict[Symbol, list[ReplayedStream]] = {symbol: [] for symbol in recording.symbols}
        for stream in replayed_streams(
            strategy_markets(settings, recording.symbols),
            grace_ms=settings.market.candle_close_grace_ms,
            late_after_ms=int(settings.risk.signal_max_age_s * 1000),
        ):
            self._streams[stream.symbol].append(stream)

    def begin(self) -> None:
        """A login, an empty order book, known wallets, and the candles before the first replayed minute."""
        for event in (
            SessionUp(session=SESSION, user_id=1, received_ns=0),
            OrderSnapshot(session=SESSION, orders=(), received_ns=0),
        ):
            self.machine.on_event(event, now=self._now_s, wall_ms=self.now_ms)
        self.machine.on_timer(now=self._now_s, wall_ms=self.now_ms)
        wallets = tuple(
            VenueWallet(
                session=SESSION,
                wallet_type=wallet.wallet_type,
                currency=wallet.currency,
                balance=wallet.balance,
                available=wallet.available,
                received_ns=0,
            )
            for wallet in self.venue.accounts[ACCOUNT].wallets.values()
        )
        self.account.on_balance(WalletSnapshot(session=SESSION, wallets=wallets, received_ns=0))
        self.account.mark_time(self.now_ms)
        self._settle()
        for symbol, streams in self._streams.items():
            for stream in streams:
                self._decide(stream.tell_history(self.recording.history.get(symbol, ()), self.now_ms))
        # As in the engine: when every stream has begun, those are told more that need it.
        by_market = {(stream.symbol, stream.timeframe): stream for each in self._streams.values() for stream in each}
        for wish in self.signals.wishes():
            market = (wish.symbol, wish.timeframe)
            if market in by_market:
                self._say(self.signals.on_history(by_market[market].history(wish.candles)))

    @property
    def market(self) -> dict[str, tuple[float, float]]:
        """Each symbol's first and last price."""
        return {symbol: (rows[0].open, rows[-1].close) for symbol, rows in self.recording.rows.items() if rows}

    def walk(self, on_progress: Callable[[float], None] | None = None) -> None:
        """The steps of `schedule`, but that a minute in which no order can act has one tick: its last."""
        recording, symbols = self.recording, tuple(self.recording.rows)
        minute_ms = None
        for minute_ms, found in minutes(recording.rows, first_ms=recording.first_ms, last_ms=recording.last_ms):
            self._on_boundary(minute_ms)
            self._let_go()
            if on_progress is not None and minute_ms % DAY_MS == 0:
                on_progress((minute_ms - recording.first_ms) / (recording.last_ms - recording.first_ms + MINUTE_MS))
            if self._is_quiet(symbols, found, minute_ms + TICK_MS[-1]):
                self.now_ms = minute_ms + TICK_MS[-1]
                for symbol, row in zip(symbols, found, strict=True):
                    if row is not None:
                        self._on_tick(symbol, row.close, row.volume / 4)
                        self._on_minute(symbol, row)
                continue
            for step in ticks(symbols, minute_ms, found, low_first=self.venue.model.low_first):
                self.now_ms = step.time_ms
                self._on_tick(step.symbol, step.price, step.volume)
                self._think(step)
                if step.part == 3 and step.row is not None:
                    self._on_minute(step.symbol, step.row)
        if minute_ms is not None:
            self._on_boundary(minute_ms + MINUTE_MS)

    def _let_go(self) -> None:
        """Forget what nobody will look back at."""
        if len(self.machine.orders) > 2 * ORDERS_HELD:
            self.machine.let_go(self.now_ms, trades_before_ms=self.now_ms, orders=ORDERS_HELD, fills=ORDERS_HELD)
        if self.words_held is not None and len(self.decisions) > self.words_held:
            self.decisions.clear()
            self.has_words = False

    def _is_quiet(self, symbols: tuple[Symbol, ...], found: tuple[CandleRow | None, ...], until_ms: int) -> bool:
        """No tick of this minute can fill, trigger, move or end an order, and nobody thinks at ticks."""
        if self.machine.follows:
            return False
        for symbol, row in zip(symbols, found, strict=True):
            if row is not None:
                if self.signals.thinks_at_trades(symbol):
                    return False
                low, high = self.venue.band(symbol)
                if not (low < row.low and row.high < high and until_ms < self.venue.wakes_ms(symbol)):
                    return False
        return True

    def _on_boundary(self, minute_ms: int) -> None:
        self._pay_carry(minute_ms)
        self.now_ms = minute_ms + BOUNDARY_MS
        for streams in self._streams.values():
            for stream in streams:
                closed = stream.on_boundary(self.now_ms)
                if closed:
                    self._decide(closed)
        self.account.mark_time(minute_ms)

    def _pay_carry(self, minute_ms: int) -> None:
        """What holding costs, at the venue's funding times and before anything is decided then."""
        if self.venue.model.carry_a_day and minute_ms % CARRY_EVERY_MS == 0:
            self.now_ms = minute_ms
            before = self.venue.books.fees.get(self.settings.quote_currency, ZERO)
            self._hear(self.venue.charge_carry(self.now_ms))
            self.carry_quote += self.venue.books.fees.get(self.settings.quote_currency, ZERO) - before
            self._settle()

    def _on_tick(self, symbol: Symbol, price: float, volume: float) -> None:
        outputs = self.venue.on_tick(symbol, price, volume, self.now_ms)
        if outputs or self.machine.follows:
            self._hear(outputs)
            self._settle()

    def _think(self, step: Step) -> None:
        """Strategies hear of a trade after what it did to their orders, as in the simulator."""
        if self.signals.thinks_at_trades(step.symbol):
            _, scores = self.signals.on_tick(replayed_tick(step, self._places[step.symbol]))
            self._say(scores)

    def _on_minute(self, symbol: Symbol, row: CandleRow) -> None:
        self.candles += 1
        self.account.on_price(symbol, row.close)
        for stream in self._streams[symbol]:
            closed = stream.on_minute(row, self.now_ms)
            if closed:
                self._decide(closed)

    def _front(self, symbol: Symbol, side: Side) -> Decimal | None:
        """The best price on one side of the book, as the venue's model makes it of the last tick."""
        last = self.venue.last_price(symbol)
        if last is None:
            return None
        return self.venue.model.best_bid(last) if side is Side.BUY else self.venue.model.best_ask(last)

    def _levels(self, symbol: Symbol, side: Side) -> tuple[tuple[float, float, int], ...]:
        """The venue's model fills any order at its first level, so there is no other."""
        front = self._front(symbol, side)
        return () if front is None else ((float(front), float(self.machine.pairs[symbol].maximum) * 2, 1),)

    @property
    def _now_s(self) -> float:
        return self.now_ms / 1000

    def _decide(self, closed: list[CandleClosed]) -> None:
        for one in closed:
            self._say(self.signals.on_candle(one))

    def _say(self, scores: Iterable[SignalScore]) -> None:
        for score in scores:
            self.decisions.append(score)
            self._judge(score)

    def _judge(self, score: SignalScore) -> None:
        outputs = self.risk.on_score(score)
        self.decisions += outputs.judgements
        for approved in outputs.approved:
            self.tags[score.correlation_id] = score.source
            self.expected[approved.intent.intent_id] = exact(score.price)
            self.decided_ms[approved.intent.intent_id] = score.decided_ms
            self.machine.admit(approved, now=self._now_s, wall_ms=self.now_ms)
        if outputs.approved:
            self._settle()

    def _settle(self) -> None:
        """Carry out what the order machine wants until it wants nothing more, then tell risk what changed."""
        while True:
            out = self.machine.take()
            for record in out.records:
                if record.kind == ORDER_KIND:
                    self.decisions.append(record)
            for report in out.reports:
                if isinstance(report, OrderUpdate):
                    self.tally.on_update(report)
                    if report.order.purpose in PROTECTIVE_PURPOSES:
                        self._expect(report.order)
                elif isinstance(report, Fill):
                    self.fills.append(report)
                    self.signals.on_fill(report)
                finished = self.account.on_report(report)
                if finished is not None:
                    self.trades.append(finished)
            for question in out.questions:
                self.machine.on_event(self._history(question), now=self._now_s, wall_ms=self.now_ms)
            for outgoing in out.commands:
                self._send(outgoing.command)
            if not (out.commands or out.questions):
                # Reports ask nothing of the machine.
                break
        if self.account.version != self._told_version:
            self._told_version = self.account.version
            self.risk.on_account(self.account.state())

    def _expect(self, order: OrderView) -> None:
        """The price that a stop or a target names; of one that ends without a trade nobody will ask."""
        if order.state in TERMINAL_STATES and not order.filled_quantity:
            self.expected.pop(order.intent_id, None)
        else:
            self.expected[order.intent_id] = expected_of(order, None)

    def _send(self, command: VenueCommand) -> None:
        sent = CommandSent(cid=command.cid, kind=type(command).__name__, session=SESSION, received_ns=0)
        self.machine.on_event(sent, now=self._now_s, wall_ms=self.now_ms)
        match command:
            case SubmitOrder():
                outputs = self.venue.submit(ACCOUNT, request_of(command), self.now_ms)
            case CancelOrder():
                end = EndOrder(venue_id=command.venue_id, cid=command.cid, cid_date=command.cid_date)
                outputs = self.venue.cancel(ACCOUNT, end, self.now_ms)
            case UpdateOrder():
                change = ChangeOrder(
                    venue_id=command.venue_id,
                    cid=command.cid,
                    cid_date=None,
                    price=command.price,
                    amount=command.amount,
                    flags=command.flags,
                )
                outputs = self.venue.update(ACCOUNT, change, self.now_ms)
        self._hear(outputs)

    def _hear(self, outputs: Iterable[VenueOutput]) -> None:
        for _, message in outputs:
            if isinstance(message, VenueWallet):
                self._on_wallet(message)
            elif isinstance(message, _HEARD):
                heard = msgspec.structs.replace(message, session=SESSION)
                self.machine.on_event(heard, now=self._now_s, wall_ms=self.now_ms)

    def _on_wallet(self, wallet: VenueWallet) -> None:
        self.account.on_balance(wallet)

    def _history(self, question: HistoryRequest) -> HistoryReport:
        """Asked when the walk begins, and never again: of a wire that loses nothing all is heard."""
        assert not self.machine.last_cid, "the venue of a walk keeps no history"
        history = self.venue.history(ACCOUNT)
        return HistoryReport(
            request_id=question.request_id,
            session=question.session,
            since_ms=question.since_ms,
            open_orders=tuple(order.told_as("rest") for order in self.venue.accounts[ACCOUNT].orders.values()),
            closed_orders=tuple(order for order in history.orders if order.updated_ms >= question.since_ms),
            trades=tuple(trade for trade in history.trades if trade.time_ms >= question.since_ms),
            received_ns=0,
        )

    def whole_log(self) -> tuple[Decision, ...]:
        """Every decision, in the order they were made."""
        return tuple(in_words(self.decisions))


def in_words(decisions: Iterable[Unread]) -> Iterator[Decision]:
    """The decisions themselves."""
    for each in decisions:
        if isinstance(each, Judgement):
            yield each.verdict
        else:
            yield read_decision(each) if isinstance(each, AnyRecord) else each
