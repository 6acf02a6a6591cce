"""The account machine: wallets as the venue tells them, positions as our fills make them, equity over time."""

from collections import deque
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from genesis.domain.performance import performance
from genesis.domain.position import Position
from genesis.domain.risk_state import equity
from protocols.account import AccountView, ClosedTrade, EquityPoint
from protocols.orders import (
    TERMINAL_STATES,
    BalanceEvent,
    Fill,
    OrderReport,
    OrderUpdate,
    VenueWallet,
    WalletSnapshot,
)
from protocols.risk import AccountState, PositionView, WalletView
from protocols.settings import Settings
from protocols.units import AMOUNT_STEP, ZERO, Symbol, base_currency, exact

CLOSED_INTENTS_TOLD = 128
CURVE_LIMIT = 20_000
RECENT = 500


class AccountMachine:
    """State of one account. `version` rises with every change that risk must hear of (never with a mere price)."""

    def __init__(self, settings: Settings, *, curve_step_ms: int = 60_000) -> None:
        self.settings = settings
        self.version = 0
        self.known = False
        self.positions: dict[Symbol, Position] = {}
        self.trades: deque[ClosedTrade] = deque(maxlen=RECENT)
        self.fills: deque[Fill] = deque(maxlen=RECENT)
        self.trade_count = 0
        self.curve: list[EquityPoint] = []
        self.day = ""
        self.day_start_equity = ZERO
        self.now_ms = 0
        self._curve_step_ms = curve_step_ms
        self._wallets: dict[tuple[str, str], WalletView] = {}
        self._marks: dict[str, Decimal] = {}
        self._seen_trades: set[int] = set()
        self._closed_intents: deque[str] = deque(maxlen=CLOSED_INTENTS_TOLD)
        self._closed_seen: set[str] = set()
        self._zone = ZoneInfo(settings.risk.day_timezone)

    # --- inputs -----------------------------------------------------------------------------------------------------

    def on_settings(self, settings: Settings) -> None:
        self.settings = settings
        self._zone = ZoneInfo(settings.risk.day_timezone)

    def on_balance(self, event: BalanceEvent) -> None:
        """Wallets of the venue. Margin positions are the order actor's to reconcile: spot positions come of fills."""
        if isinstance(event, WalletSnapshot):
            self._wallets = {}
            for wallet in event.wallets:
                self._keep(wallet)
            self.known = True
            self.version += 1
        elif isinstance(event, VenueWallet):
            self._keep(event)
            self.version += 1

    def on_report(self, report: OrderReport) -> ClosedTrade | None:
        """An order's news. A fill heard before changes nothing; gives the trade that this one finished."""
        if isinstance(report, OrderUpdate):
            order = report.order
            if order.state in TERMINAL_STATES and order.intent_id not in self._closed_seen:
                self._closed_seen.add(order.intent_id)
                self._closed_intents.append(order.intent_id)
                self.version += 1
            return None
        return self._on_fill(report)

    def on_price(self, symbol: str, price: float, at_ms: int) -> None:
        """A closed candle's close: marks positions, and puts a point on the curve when the step has passed."""
        self._marks[symbol] = exact(price)
        self.mark_time(at_ms)

    def mark_time(self, at_ms: int) -> None:
        self.now_ms = max(self.now_ms, at_ms)
        if not self.known:
            return
        day = datetime.fromtimestamp(self.now_ms / 1000, tz=UTC).astimezone(self._zone).date().isoformat()
        if day != self.day:
            self.day = day
            self.day_start_equity = self.equity
        if not self.curve or self.now_ms >= self.curve[-1].at_ms + self._curve_step_ms:
            self._add_point()
        elif self.now_ms == self.curve[-1].at_ms:
            # Another symbol's candle of the same moment: the point is that moment's last word.
            self.curve[-1] = EquityPoint(at_ms=self.now_ms, equity=self.equity)

    def restore(self, fills: Iterable[Fill], closed_intents: Iterable[str], curve: Iterable[EquityPoint] = ()) -> None:
        """Positions and trades of every fill ever kept, oldest first. Wallets stay unknown until the venue speaks."""
        for fill in fills:
            self._on_fill(fill)
        for intent_id in closed_intents:
            if intent_id not in self._closed_seen:
                self._closed_seen.add(intent_id)
                self._closed_intents.append(intent_id)
        self.curve = list(curve)
        self.version += 1

    def restore_marks(self, marks: Mapping[str, float]) -> None:
        self._marks = {symbol: exact(price) for symbol, price in marks.items()}

    # --- what it says -----------------------------------------------------------------------------------------------

    @property
    def equity(self) -> Decimal:
        return equity(self.state_wallets(), self._marks, self.settings.quote_currency)

    @property
    def realized_pnl(self) -> Decimal:
        return sum((position.realized_pnl for position in self.positions.values()), ZERO)

    @property
    def fees_quote(self) -> Decimal:
        return sum((position.fees_quote for position in self.positions.values()), ZERO)

    def state(self) -> AccountState:
        views = tuple(self._position_view(self.positions[symbol]) for symbol in sorted(self.positions))
        cash = self._wallets.get(("exchange", self.settings.quote_currency))
        return AccountState(
            known=self.known,
            version=self.version,
            quote_currency=self.settings.quote_currency,
            equity=self.equity,
            cash=cash.balance if cash is not None else ZERO,
            realized_pnl=self.realized_pnl,
            unrealized_pnl=sum((view.unrealized_pnl for view in views), ZERO),
            fees=self.fees_quote,
            wallets=self.state_wallets(),
            positions=views,
            closed_intents=tuple(self._closed_intents),
            closed_count=len(self._closed_seen),
            mismatched_symbols=self._mismatched(),
            as_of_ms=self.now_ms,
        )

    def view(self) -> AccountView:
        """Everything for readers, figures included; costs time in proportion to the curve."""
        curve = tuple(self.curve)
        return AccountView(
            state=self.state(),
            day=self.day,
            day_start_equity=self.day_start_equity,
            curve=curve,
            trades=tuple(self.trades),
            fills=tuple(self.fills),
            performance=performance(
                curve, tuple(self.trades), fees_quote=self.fees_quote, realized_pnl=self.realized_pnl
            )
            if curve
            else None,
        )

    def state_wallets(self) -> tuple[WalletView, ...]:
        return tuple(self._wallets[key] for key in sorted(self._wallets))

    # --- inside -----------------------------------------------------------------------------------------------------

    def _keep(self, wallet: VenueWallet) -> None:
        self._wallets[(wallet.wallet_type, wallet.currency)] = WalletView(
            wallet_type=wallet.wallet_type,
            currency=wallet.currency,
            balance=wallet.balance,
            available=wallet.available,
        )

    def _on_fill(self, fill: Fill) -> ClosedTrade | None:
        if fill.trade_id in self._seen_trades:
            return None
        self._seen_trades.add(fill.trade_id)
        self.fills.append(fill)
        self.version += 1
        if fill.foreign:
            # Somebody else's order on the same account: its coins are not ours to sell.
            return None
        position = self.positions.setdefault(fill.symbol, Position(symbol=fill.symbol))
        self._marks.setdefault(fill.symbol, fill.price)
        finished = position.on_fill(fill)
        if finished is not None:
            self.trades.append(finished)
            self.trade_count += 1
        return finished

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
        )

    def _mismatched(self) -> tuple[Symbol, ...]:
        """Symbols of which our fills say we hold more than the venue's wallet does."""
        if not self.known:
            return ()
        missing: list[Symbol] = []
        for symbol in sorted(self.positions):
            wallet = self._wallets.get(("exchange", base_currency(symbol)))
            balance = wallet.balance if wallet is not None else ZERO
            if self.positions[symbol].quantity > balance + AMOUNT_STEP:
                missing.append(symbol)
        return tuple(missing)

    def _add_point(self) -> None:
        self.curve.append(EquityPoint(at_ms=self.now_ms, equity=self.equity))
        if len(self.curve) > CURVE_LIMIT:
            # Half the points at twice the step: the shape stays, the first and the newest point too.
            self.curve = [*self.curve[:-1:2], self.curve[-1]]
            self._curve_step_ms *= 2
