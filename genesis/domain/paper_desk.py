"""A desk with paper money: the engine's own machines, and the venue's matching as the other side of the wire.

Nothing here decides. Strategies score, risk judges, the order machine writes the commands, the venue fills them, the
account adds up; only the actors, the wire and time are left out. Who drives it says what the market did: a recording
in a backtest, the market itself in a shadow.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal

import msgspec

from genesis.domain.account_machine import AccountMachine
from genesis.domain.decision_log import ORDER_KIND, Decision
from genesis.domain.executions import expected_of
from genesis.domain.matching import FillModel
from genesis.domain.measures import OrderTally
from genesis.domain.order_machine import OrderMachine
from genesis.domain.pairs import PairSpecs
from genesis.domain.risk_judgement import Judgement
from genesis.domain.risk_machine import RiskMachine
from genesis.domain.signal_machine import SignalMachine
from genesis.domain.strategies import STRATEGY_KINDS
from genesis.domain.strategy import StrategyKind
from genesis.domain.trading_floor import CARRY_EVERY_MS
from genesis.domain.venue import Venue, request_of
from genesis.domain.venue_state import VenueOutput
from protocols.account import ClosedTrade
from protocols.bitfinex.inputs import ChangeOrder, EndOrder
from protocols.journal import AnyCell, AnyRecord
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

_HEARD = (VenueOrder, VenueTrade, RequestNotice)

Unread = Decision | Judgement | AnyRecord
"""A decision as it was made: its words are worth their time only once somebody reads them."""


class PaperDesk:
    """The machines and the messages between them. Raises ValueError on settings that nothing can run with.

    `balances` are (wallet type, currency, balance); the curve has a point every `curve_step_ms`, at most `curve_limit`.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        model: FillModel | None,
        pairs: PairSpecs,
        balances: Iterable[tuple[str, str, Decimal]],
        now_ms: int,
        curve_step_ms: int,
        curve_limit: int,
        kinds: Mapping[str, StrategyKind] = STRATEGY_KINDS,
    ) -> None:
        self.settings = settings
        self.signals = SignalMachine(settings, kinds)
        self.risk = RiskMachine(settings, pairs)
        self.machine = OrderMachine(settings.orders, epoch=1, signal_max_age_s=settings.risk.signal_max_age_s)
        self.machine.pairs = pairs
        self.machine.keeps = False
        self.machine.touch = self._front
        self.machine.depth = self._levels
        self.account = AccountMachine(settings, curve_step_ms=curve_step_ms, curve_limit=curve_limit)
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
        self.carry_quote = ZERO
        """Interest that was paid for what was held."""
        self.now_ms = now_ms
        self._told_version = -1

    def log_in(self) -> None:
        """A login, an empty order book, and known wallets."""
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
        for unwanted in outputs.unwanted:
            self.machine.on_unwanted(unwanted, now=self._now_s, wall_ms=self.now_ms)
        for approved in outputs.approved:
            self.tags[score.correlation_id] = score.source
            self.expected[approved.intent.intent_id] = exact(score.price)
            self.decided_ms[approved.intent.intent_id] = score.decided_ms
            self.machine.admit(approved, now=self._now_s, wall_ms=self.now_ms)
        if outputs.approved or outputs.unwanted:
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
            if out.cells:
                self._keep(out.cells)
            for outgoing in out.commands:
                self._send(outgoing.command)
            if not (out.commands or out.questions):
                # Reports ask nothing of the machine.
                break
        if self.account.version != self._told_version:
            self._told_version = self.account.version
            self.risk.on_account(self.account.state())

    def _keep(self, cells: Mapping[str, AnyCell]) -> None:
        """What a machine that `keeps` wants to have kept of this turn."""

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
