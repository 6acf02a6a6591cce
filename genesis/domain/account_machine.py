"""The account machine: wallets as the venue tells them, positions as our fills make them, equity over time."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

import msgspec

from genesis.domain.account_cells import (
    booking_order,
    fills_and_endings,
    read_adoptions,
    read_changed_orders,
    read_margin_held,
    read_openings,
)
from genesis.domain.account_checkpoint import (
    ACCOUNT_KEY,
    ACCOUNT_TABLE,
    CHECKPOINTS,
    AccountCheckpoint,
    CountedOtherwise,
)
from genesis.domain.coin_owners import CoinOwners
from genesis.domain.equity_curve import CURVE_LIMIT, EquityCurve
from genesis.domain.flows import moves_money
from genesis.domain.missed_flows import Gap, MissedFlows
from genesis.domain.performance import TradeFigures, figures
from genesis.domain.position import Position
from genesis.domain.profit_report import ClosedBook
from genesis.domain.risk_state import TRADED_WALLETS, equity, worth_of
from genesis.domain.strategy_books import StrategyBooks
from protocols.account import AccountView, ClosedTrade, EquityPoint
from protocols.journal import CellWrite
from protocols.measures import OpenRow, TradeShare
from protocols.orders import (
    TERMINAL_STATES,
    Adopted,
    BalanceEvent,
    Fill,
    OrderReport,
    OrderState,
    OrderUpdate,
    OrderView,
    PositionSnapshot,
    UnclearRow,
    VenuePosition,
    VenueWallet,
    WalletSnapshot,
)
from protocols.reference import LedgerEntry
from protocols.risk import (
    AccountState,
    MarginHolding,
    OrderResult,
    PositionView,
    SettledChange,
    TradeResult,
    WalletView,
)
from protocols.settings import Settings
from protocols.units import AMOUNT_STEP, ZERO, Symbol, base_currency, exact

CLOSED_INTENTS_TOLD = 128
RESULTS_TOLD = 32
REFUSED_STATES = frozenset({OrderState.REJECTED, OrderState.DEAD})
RECENT = 500
TRADES_KEPT = 5_000
"""Figures of the live account are worked out of the newest so many trades; their sums are of all."""
SLICE = 500
"""Rows that are taken in between two chances for others: a few milliseconds."""


POSITION = "position"
"""Stands for a wallet's type where a position's symbol stands for its currency."""

_ENCODER = msgspec.json.Encoder(order="sorted")


class AccountMachine:
    """State of one account. `version` rises with every change that risk must hear of (never with a mere price).

    With `asks_ledger` wallets that changed while nobody listened make the account unknown until `on_ledger` has said
    why (`missed.currencies()` are to be asked), or `give_up` that nobody will.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        curve_step_ms: int = 60_000,
        curve_limit: int = CURVE_LIMIT,
        asks_ledger: bool = False,
    ) -> None:
        self.settings = settings
        self.version = 0
        self.known = False
        self._told = False
        """Whether a snapshot of the wallets came."""
        self._told_before = False
        """And whether one came in any life: one without wallets tells of an empty account."""
        self._asks_ledger = asks_ledger
        self.missed = MissedFlows()
        self._unclear: set[tuple[str, str]] = set()
        """Wallets and positions that the venue told as they cannot be, by type and name."""
        self.positions: dict[Symbol, Position] = {}
        self.trades: deque[ClosedTrade] = deque(maxlen=TRADES_KEPT)
        self.fills: deque[Fill] = deque(maxlen=RECENT)
        self.equity_curve = EquityCurve(step_ms=curve_step_ms, limit=curve_limit)
        self._trade_figures = TradeFigures()
        self._closed = ClosedBook()
        self._traded_quote = ZERO
        self._books = StrategyBooks()
        self._began: dict[Symbol, dict[str, tuple[Decimal, Decimal]]] = {}
        """What each strategy had made of a symbol, and its fees, when the trade under way began."""
        self._first: tuple[tuple[WalletView, ...], tuple[MarginHolding, ...], Decimal] | None = None
        """Wallets, margin and flows as they were first told, until the curve begins."""
        self.flows = ZERO
        """Paid into the traded wallets less taken out, ever, in the quote currency."""
        self.now_ms = 0
        self._wallets: dict[tuple[str, str], WalletView] = {}
        self._wallets_told: tuple[WalletView, ...] | None = None
        self._marks: dict[str, Decimal] = {}
        self._margin_held: dict[Symbol, Decimal] = {}
        self._holdings: dict[Symbol, MarginHolding] = {}
        self._seen_trades: set[tuple[int, int]] = set()
        self._closed_intents: deque[str] = deque(maxlen=CLOSED_INTENTS_TOLD)
        self._closed_seen: set[str] = set()
        self._parts: dict[str, dict[str, OrderView]] = {}
        """Of intents that were cut into several orders: those that ended while others are open."""
        self._endings: deque[OrderResult] = deque(maxlen=CLOSED_INTENTS_TOLD)
        self._results: deque[TradeResult] = deque(maxlen=RESULTS_TOLD)
        self._trades_count = 0
        self._owners = CoinOwners()
        self._adopted: set[int] = set()
        self._changes: dict[str, SettledChange] = {}
        self._partly: dict[str, OrderView] = {}
        """Open orders of which a part has traded."""
        self._traded: dict[str, Decimal] = {}
        """What of an unfinished order stands in the positions."""

    # --- inputs -----------------------------------------------------------------------------------------------------

    def on_settings(self, settings: Settings) -> None:
        self.settings = settings

    def on_balance(self, event: BalanceEvent) -> None:
        """Wallets and margin positions of the venue. What our own orders made of them comes of fills."""
        if isinstance(event, WalletSnapshot):
            before = self._wallets
            self._wallets, self._wallets_told = {}, None
            for wallet in event.wallets:
                self._keep(wallet)
            self._unclear -= {each for each in self._unclear if each[0] != POSITION}
            for each in event.unclear:
                self._keep_unclear(each, before)
            if self._asks_ledger and self._told_before:
                self.missed.on_snapshot(before, self._wallets, self.now_ms)
            self._told = self._told_before = True
            self._look_if_known()
            self.version += 1
        elif isinstance(event, VenueWallet):
            if moves_money(event.description):
                self._on_flow(event)
            self._keep(event)
            self._clear((event.wallet_type, event.currency))
            self.version += 1
        elif isinstance(event, PositionSnapshot):
            held, self._holdings = self._holdings, {}
            for position in event.positions:
                self._hold(position)
            self._unclear -= {each for each in self._unclear if each[0] == POSITION}
            for each in event.unclear:
                self._unclear.add((POSITION, each.name))
                self._holdings |= {symbol: kept for symbol, kept in held.items() if symbol == each.name}
            self._look_if_known()
            self.version += 1
        else:
            was_known = self.known
            self._clear((POSITION, event.symbol))
            if self._hold(event) or self.known != was_known:
                self.version += 1

    def _keep_unclear(self, row: UnclearRow, before: dict[tuple[str, str], WalletView]) -> None:
        """Left out, its wallet would stand as emptied, and what was in it as lost."""
        if row.wallet_type and row.wallet_type not in TRADED_WALLETS:
            return
        key = (row.wallet_type, row.name)
        self._unclear.add(key)
        # One that does not say which it is may be any.
        for each, wallet in before.items():
            if each == key or (not all(key) and each not in self._wallets):
                self._wallets[each] = wallet

    def _clear(self, key: tuple[str, str]) -> None:
        if key in self._unclear:
            self._unclear.discard(key)
            self._look_if_known()

    def _look_if_known(self) -> None:
        """The account is known once all its wallets and positions were told as they can be: until then nothing is
        entered, and no figure is made of it."""
        known = self._told and not self._unclear and not self.missed.gaps
        if known and not self.known and not self.curve:
            self._first = self.state_wallets(), self._margin(), self.flows
        self.known = known

    def _on_flow(self, wallet: VenueWallet) -> None:
        """Somebody moved money: nothing was won or lost by it."""
        if not self._told or wallet.wallet_type not in TRADED_WALLETS:
            # What moved before the first snapshot is in that.
            return
        before = self._wallets.get((wallet.wallet_type, wallet.currency))
        moved = wallet.balance - (ZERO if before is None else before.balance)
        self.missed.on_flow((wallet.wallet_type, wallet.currency), moved)
        self._count_flow(wallet.currency, moved)

    def on_ledger(self, currency: str, entries: Sequence[LedgerEntry], *, whole: bool) -> list[tuple[Gap, Decimal]]:
        """The newest entries of a ledger that was asked for, `whole` when there are no older ones; gives the gaps that
        they close, with what was moved in each."""
        closed = self.missed.on_ledger(currency, entries, whole=whole)
        for gap, moved in closed:
            if moved:
                self._count_flow(gap.currency, moved)
        if closed:
            self._look_if_known()
            self.version += 1
        return closed

    def give_up(self, currency: str) -> list[Gap]:
        """The venue does not show that ledger."""
        gone = self.missed.give_up(currency)
        if gone:
            self._look_if_known()
            self.version += 1
        return gone

    def _count_flow(self, currency: str, amount: Decimal) -> None:
        self.flows += worth_of(currency, amount, self._marks, self.settings.quote_currency)
        # Coins without a price yet would be a gain of the first minute.
        self._first = None

    def on_report(self, report: OrderReport) -> ClosedTrade | None:
        """An order's news. A fill heard before changes nothing; gives the trade that this one finished."""
        if isinstance(report, OrderUpdate):
            order = report.order
            if order.state in TERMINAL_STATES and not order.foreign:
                for kept in (self._changes, self._partly, self._traded):
                    kept.pop(order.intent_id, None)
                self._on_end(order)
            elif order.settled_change and order.price is not None:
                # Of what it has traded only what stands in the positions, as of an order that traded in part.
                traded = self._traded.get(order.intent_id, ZERO)
                self._on_change(order.intent_id, order.settled_change, order.quantity - traded, order.price)
            elif order.filled_quantity > 0 and not order.foreign:
                self._partly[order.intent_id] = order
                self._on_part(order.intent_id)
            return None
        if isinstance(report, Adopted):
            self._on_adopted(report)
            return None
        return self._on_fill(report)

    def _on_adopted(self, adopted: Adopted) -> None:
        """The coins are the heir's; what came of them so far stays with whom it was made by. Said again it is done."""
        if adopted.serial in self._adopted:
            return
        self._adopted.add(adopted.serial)
        given = self._owners.give(adopted)
        if given > ZERO:
            self._books.give(adopted.symbol, adopted.owner, adopted.heir, given)
            self.version += 1

    def on_price(self, symbol: str, price: float) -> None:
        """A closed candle's close marks the position."""
        self._marks[symbol] = exact(price)

    def mark_time(self, at_ms: int) -> None:
        """Venue time has come to `at_ms`: put a point on the curve when a step has passed."""
        self.now_ms = max(self.now_ms, at_ms)
        if not self.known:
            return
        curve = self.equity_curve
        if self._first is not None:
            self._begin_curve(*self._first)
            self._first = None
        if curve.is_due(self.now_ms):
            curve.add(EquityPoint(at_ms=self.now_ms, equity=self.equity, flows=self.flows))
        elif self.now_ms == curve.points[-1].at_ms:
            # Another symbol's candle of the same moment: the point is that moment's last word.
            curve.say_again(EquityPoint(at_ms=self.now_ms, equity=self.equity, flows=self.flows))

    def _begin_curve(self, wallets: tuple[WalletView, ...], margin: tuple[MarginHolding, ...], flows: Decimal) -> None:
        """What was traded before the first price is in the figures, too: its fee and its fall are not the start."""
        if self.curve or (wallets, margin) == (self.state_wallets(), self._margin()):
            return
        worth = equity(wallets, self._marks, self.settings.quote_currency, margin)
        began_ms = self.now_ms - self.equity_curve.next_ms(0)[1]
        self.equity_curve.add(EquityPoint(at_ms=began_ms, equity=worth, flows=flows))

    def take_points(self, points: list[EquityPoint]) -> None:
        """Points that `mark_time` would have put, by somebody who knew the prices; the curve's `room` at most."""
        if points and self.known:
            self.equity_curve.extend(points)

    def restore(self, *, orders: Iterable[CellWrite], kept: Iterable[CellWrite], same_process: bool) -> None:
        """Take up where the journal says we were.

        Positions and trades are made anew of every fill in the order actor's cells, beginning with the sum of those
        that it has let go of; wallets, marks and the curve come from our own. Wallets count as known only within one
        process: while the engine was down the venue went on.
        """
        for _ in self.restoring(orders=orders, kept=kept, same_process=same_process):
            pass

    def restoring(
        self, *, orders: Iterable[CellWrite], kept: Iterable[CellWrite], same_process: bool
    ) -> Iterator[None]:
        """`restore` in short steps, so that whoever drives it can let others run between them."""
        orders = tuple(orders)
        for opening in read_openings(orders):
            self.positions[opening.symbol] = opening.position()
            self._books.open(opening)
            # Results are numbered through all time: whoever has heard of one waits for the next.
            self._trades_count += opening.trades
            if opening.quantity > 0 and opening.trade is not None:
                self._owners.open(opening.symbol, opening.trade.strategy, opening.quantity)
        fills: list[Fill] = []
        endings: list[tuple[int, str]] = []
        for begin in range(0, len(orders), SLICE):
            yield
            found, ended = fills_and_endings(orders[begin : begin + SLICE])
            fills += found
            endings += ended
        fills.sort(key=booking_order)
        endings.sort()
        adoptions = deque(read_adoptions(orders))
        for number, fill in enumerate(fills):
            if number % SLICE == 0:
                yield
            while adoptions and adoptions[0].time_ms < fill.time_ms:
                self._on_adopted(adoptions.popleft())
            self._on_fill(fill)
        for adopted in adoptions:
            self._on_adopted(adopted)
        # Of what is kept no more only the sums are left, and those are told by wallet.
        self._margin_held = read_margin_held(orders)
        for _, intent_id in endings:
            self._end(intent_id)
        traded, self._traded = self._traded, {}
        for order in read_changed_orders(orders):
            intent_id = order.intent.intent_id
            if order.change and not order.is_changing and order.price is not None:
                self._on_change(intent_id, order.change, order.quantity - order.filled, order.price)
            elif part := traded.get(intent_id):
                self._traded[intent_id] = part
                self._on_change(intent_id, 0, order.quantity - part, order.price or ZERO)
        kept = tuple(kept)
        for cell in kept:
            if cell.key == ACCOUNT_KEY:
                checkpoint = CHECKPOINTS.decode(cell.payload)
                if checkpoint.quote_currency not in ("", self.settings.quote_currency):
                    raise CountedOtherwise(checkpoint.quote_currency, self.settings.quote_currency)
                self._wallets = {(wallet.wallet_type, wallet.currency): wallet for wallet in checkpoint.wallets}
                self._wallets_told = None
                self._holdings = {each.symbol: each for each in checkpoint.margin}
                self._marks = dict(checkpoint.marks)
                self._told_before = checkpoint.told_before or checkpoint.known or bool(checkpoint.wallets)
                self._told = (checkpoint.known or checkpoint.told) and same_process
                self._unclear = set(checkpoint.unclear) if same_process else set()
                self.missed = MissedFlows(checkpoint.gaps)
                self.known = self._told and not self._unclear and not self.missed.gaps
                self.flows = checkpoint.flows
                self.now_ms = checkpoint.now_ms
                self.version = max(self.version, checkpoint.version)
        self.equity_curve.restore(kept)
        self.version += 1

    def checkpoint(self) -> tuple[CellWrite, ...]:
        """What the order actor's cells do not tell already. Curve points are kept by day, a few at a time."""
        checkpoint = AccountCheckpoint(
            known=self.known,
            version=self.version,
            wallets=self.state_wallets(),
            marks=self._marks,
            now_ms=self.now_ms,
            margin=self._margin(),
            flows=self.flows,
            quote_currency=self.settings.quote_currency,
            told=self._told,
            told_before=self._told_before,
            unclear=tuple(sorted(self._unclear)),
            gaps=tuple(self.missed.gaps.values()),
        )
        state = CellWrite(table=ACCOUNT_TABLE, key=ACCOUNT_KEY, payload=_ENCODER.encode(checkpoint))
        return (state, *self.equity_curve.take_cells(ACCOUNT_TABLE))

    # --- what it says -----------------------------------------------------------------------------------------------

    @property
    def curve(self) -> list[EquityPoint]:
        return self.equity_curve.points

    @property
    def equity(self) -> Decimal:
        holdings = self._holdings.values()
        return equity(self.state_wallets(), self._marks, self.settings.quote_currency, holdings)

    @property
    def realized_pnl(self) -> Decimal:
        return sum([position.realized_pnl for position in self.positions.values()], ZERO)

    @property
    def fees_quote(self) -> Decimal:
        return sum([position.fees_quote for position in self.positions.values()], ZERO)

    def left_open(self) -> tuple[OpenRow, ...]:
        """The positions under way, as reports list them."""
        rows: list[OpenRow] = []
        for symbol in sorted(self.positions):
            position = self.positions[symbol]
            trade = position.open_trade
            if position.quantity and trade is not None:
                mark = self._marks.get(symbol, position.average_price)
                whole = OpenRow(
                    symbol=symbol,
                    strategy=trade.strategy,
                    quantity=position.quantity,
                    entry_ms=trade.entry_ms,
                    average_price=position.average_price,
                    mark_price=mark,
                    unrealized_pnl=position.unrealized_pnl(mark),
                )
                rows += self._by_holder(whole)
        return tuple(rows)

    def _by_holder(self, whole: OpenRow) -> list[OpenRow]:
        """A position as those hold it whose it is: who opened it may have sold its part long ago."""
        holders = self._books.holders(whole.symbol)
        if len(holders) < 2:
            return [msgspec.structs.replace(whole, strategy=name) for name, _, _ in holders] or [whole]
        return [
            msgspec.structs.replace(
                whole,
                strategy=name,
                quantity=quantity,
                average_price=average,
                unrealized_pnl=(whole.mark_price - average) * quantity,
            )
            for name, quantity, average in holders
        ]

    def state(self) -> AccountState:
        views = tuple([self._position_view(self.positions[symbol]) for symbol in sorted(self.positions)])
        cash = self._wallets.get(("exchange", self.settings.quote_currency))
        return AccountState(
            known=self.known,
            told=self._told,
            version=self.version,
            quote_currency=self.settings.quote_currency,
            equity=self.equity,
            cash=cash.balance if cash is not None else ZERO,
            realized_pnl=self.realized_pnl,
            unrealized_pnl=sum([view.unrealized_pnl for view in views], ZERO),
            fees=self.fees_quote,
            wallets=self.state_wallets(),
            positions=views,
            closed_intents=tuple(self._closed_intents),
            closed_count=len(self._closed_seen),
            mismatched_symbols=self._mismatched(),
            as_of_ms=self.now_ms,
            results=tuple(self._results),
            trades_count=self._trades_count,
            owners=self._owners.holdings(),
            endings=tuple(self._endings),
            margin=self._margin(),
            changes=tuple(self._changes.values()),
            flows=self.flows,
        )

    def view(self, state: AccountState | None = None) -> AccountView:
        """Everything for readers, figures included, with the state of now where that is at hand."""
        performance = None
        points = self.equity_curve.points
        if points:
            made = self.equity_curve.figures().with_point(points[-1])
            if points[-1].flows != self.flows:
                # Money moved since: until the next point, it would stand there as won or lost.
                made = made.with_point(EquityPoint(at_ms=self.now_ms, equity=self.equity, flows=self.flows))
            performance = figures(
                made,
                self._trade_figures,
                fees_quote=self.fees_quote,
                realized_pnl=self.realized_pnl,
            )
        return AccountView(
            state=state or self.state(),
            curve=tuple(points),
            trades=tuple(self.trades),
            fills=tuple(self.fills),
            performance=performance,
            left_open=self.left_open(),
            closed=self._closed.totals(),
            books=self._books.views(),
            traded_quote=self._traded_quote,
        )

    def _margin(self) -> tuple[MarginHolding, ...]:
        return tuple([self._holdings[symbol] for symbol in sorted(self._holdings)])

    def state_wallets(self) -> tuple[WalletView, ...]:
        if self._wallets_told is None:
            self._wallets_told = tuple(self._wallets[key] for key in sorted(self._wallets))
        return self._wallets_told

    # --- inside -----------------------------------------------------------------------------------------------------

    def _keep(self, wallet: VenueWallet) -> None:
        self._wallets[(wallet.wallet_type, wallet.currency)] = WalletView(
            wallet_type=wallet.wallet_type,
            currency=wallet.currency,
            balance=wallet.balance,
            available=wallet.available,
        )
        self._wallets_told = None

    def _hold(self, position: VenuePosition) -> bool:
        """True when it is another position than before: the venue tells its profit every other moment."""
        before = self._holdings.pop(position.symbol, None)
        if not position.amount:
            return before is not None
        told = MarginHolding(symbol=position.symbol, quantity=position.amount, base_price=position.base_price)
        self._holdings[position.symbol] = told
        return told != before

    def _on_change(self, intent_id: str, number: int, leaves: Decimal, price: Decimal) -> None:
        """An order of which no change is under way, or (number 0) that traded in part: that says no word of changes."""
        before = self._changes.get(intent_id)
        if before is not None and before.number > number:
            return
        told = SettledChange(intent_id=intent_id, number=number, quantity=max(leaves, ZERO), price=price)
        if before != told:
            self._changes[intent_id] = told
            self.version += 1

    def _on_part(self, intent_id: str) -> None:
        """Less is set aside for an order once what traded of it stands in the positions, and not before."""
        order = self._partly[intent_id]
        traded = self._traded.get(intent_id)
        if traded is not None:
            self._on_change(intent_id, 0, order.quantity - traded, order.price or ZERO)

    def _on_end(self, order: OrderView) -> None:
        """An order ended; its intent has when all that it was cut into have."""
        parts = self._parts.setdefault(order.whole_intent, {})
        parts[order.intent_id] = order
        if order.others_open:
            return
        del self._parts[order.whole_intent]
        if not self._end(order.whole_intent):
            return
        filled, average = order.filled_quantity, order.average_fill_price
        if len(parts) > 1:
            filled = sum((part.filled_quantity for part in parts.values()), ZERO)
            cost = sum((part.filled_quantity * part.average_fill_price for part in parts.values()), ZERO)
            average = cost / filled if filled else ZERO
        self._endings.append(
            OrderResult(
                intent_id=order.whole_intent,
                refused=any([part.state in REFUSED_STATES and not part.withdrawn for part in parts.values()]),
                filled_quantity=filled,
                average_price=average,
                ended_ms=order.updated_ms,
            )
        )

    def _end(self, intent_id: str) -> bool:
        if intent_id in self._closed_seen:
            return False
        self._closed_seen.add(intent_id)
        self._closed_intents.append(intent_id)
        self.version += 1
        return True

    def _on_fill(self, fill: Fill) -> ClosedTrade | None:
        # With the order's id: a trade between two orders of one account has one number and two sides.
        identity = (fill.trade_id, fill.venue_order_id)
        if identity in self._seen_trades:
            return None
        self._seen_trades.add(identity)
        self.fills.append(fill)
        self.version += 1
        if fill.foreign:
            # Somebody else's order on the same account: its coins are not ours to sell.
            return None
        self._traded_quote += fill.quantity * fill.price
        position = self.positions.setdefault(fill.symbol, Position(symbol=fill.symbol))
        if position.open_trade is None:
            self._began[fill.symbol] = self._books.made(fill.symbol)
        self._books.take(fill)
        if fill.intent_id not in self._closed_seen:
            self._traded[fill.intent_id] = self._traded.get(fill.intent_id, ZERO) + fill.quantity
            if fill.intent_id in self._partly:
                self._on_part(fill.intent_id)
        if not fill.margin:
            self._owners.divide(fill)
        if fill.margin:
            held = self._margin_held.get(fill.symbol, ZERO)
            self._margin_held[fill.symbol] = held + fill.side.sign * fill.quantity
        self._marks.setdefault(fill.symbol, fill.price)
        finished = position.on_fill(fill)
        if finished is not None:
            shares = self._shares(finished.symbol)
            if len(shares) > 1:
                finished = msgspec.structs.replace(finished, shares=shares)
            self.trades.append(finished)
            self._trade_figures.on_trade(finished)
            self._closed.on_trade(finished)
            self._trades_count += 1
            for part in finished.parts():
                self._tell_result(finished, part.strategy, part.pnl)
        return finished

    def _shares(self, symbol: Symbol) -> tuple[TradeShare, ...]:
        """Who made what of the trade that has just ended, by their own books."""
        began = self._began.pop(symbol, None)
        if began is None:
            return ()
        shares: list[TradeShare] = []
        for name, (pnl, fees) in sorted(self._books.made(symbol).items()):
            pnl_before, fees_before = began.get(name, (ZERO, ZERO))
            if pnl != pnl_before:
                shares.append(TradeShare(strategy=name, pnl=pnl - pnl_before, fees_quote=fees - fees_before))
        return tuple(shares)

    def _tell_result(self, finished: ClosedTrade, strategy: str, pnl: Decimal) -> None:
        # By the trade's number, however many had a part: journals of before, and trades kept as a sum, know it.
        put_in = finished.entry_price * finished.quantity
        self._results.append(
            TradeResult(
                number=self._trades_count,
                symbol=finished.symbol,
                strategy=strategy,
                pnl=pnl,
                fraction=round(pnl / put_in, 8) if put_in else ZERO,
                exit_ms=finished.exit_ms,
            )
        )

    def _position_view(self, position: Position) -> PositionView:
        mark = self._marks.get(position.symbol, position.average_price)
        return PositionView(
            symbol=position.symbol,
            quantity=position.quantity,
            average_price=position.average_price,
            mark_price=mark,
            notional=abs(position.quantity) * mark,
            unrealized_pnl=position.unrealized_pnl(mark),
            realized_pnl=position.realized_pnl,
            fees=position.fees_quote,
            margin_quantity=self._margin_held.get(position.symbol, ZERO),
        )

    def _mismatched(self) -> tuple[Symbol, ...]:
        """Symbols of which our fills say we hold more than the venue's wallet does."""
        if not self.known:
            return ()
        missing: list[Symbol] = []
        for symbol in sorted(self.positions):
            wallet = self._wallets.get(("exchange", base_currency(symbol)))
            balance = wallet.balance if wallet is not None else ZERO
            coins = self.positions[symbol].quantity - self._margin_held.get(symbol, ZERO)
            if coins > balance + AMOUNT_STEP:
                missing.append(symbol)
        return tuple(missing)
