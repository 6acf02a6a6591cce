"""A paper shadow: a candidate's strategies on a paper desk that hears the very market which the live ones hear.

It is the backtest's desk, driven by closed candles and trades as they come instead of by a recording: the same machines
decide, and the same matching fills at the next trade. `take` gives what it decided and what must be kept of its state,
for one commit; a life that is begun from what was kept goes on as if nothing had happened. What the market did while it
was not there is told by the candles of that time: a stop that they reached was hit.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Final

import msgspec

from genesis.domain.account_checkpoint import ACCOUNT_TABLE
from genesis.domain.candles import correlation_id
from genesis.domain.decision_log import Decision, read_decision
from genesis.domain.order_rows import TABLE as ORDER_TABLE
from genesis.domain.order_rows import view_of
from genesis.domain.pairs import PairSpecs
from genesis.domain.paper_desk import ACCOUNT, PaperDesk, Unread
from genesis.domain.paper_records import began_record, paper_record
from genesis.domain.releases import compared, paper_settings
from genesis.domain.replay import CandleRow, tick_prices
from genesis.domain.risk_judgement import Judgement
from genesis.domain.risk_machine import RISK_TABLE
from genesis.domain.signal_machine import SIGNAL_TABLE
from genesis.domain.strategies import STRATEGY_KINDS
from genesis.domain.strategy import StrategyKind
from genesis.domain.ticks import price_path
from genesis.domain.venue_state import EXCHANGE, Account
from genesis.domain.warm_up import SNAPSHOT_CANDLES
from protocols.config import Rollout
from protocols.journal import AnyCell, CellWrite, LateRecord, Record
from protocols.market import Candle, CandleClosed, CandleHistory, HistoryWish, Tick
from protocols.orders import Fill, HistoryReport, HistoryRequest
from protocols.settings import Settings
from protocols.shadow import ShadowBegan, ShadowHolding, ShadowView, Stretch
from protocols.signals import SignalScore
from protocols.units import TIMEFRAME_MS, Symbol

OWN: Final = "shadow_"
"""Before the names of tables: what is kept of a shadow lies beside what is kept of the live trading, never in it."""
STATE_TABLE: Final = f"{OWN}state"
STATE_KEY: Final = "state"
TABLES: Final = (
    STATE_TABLE,
    *(f"{OWN}{table}" for table in (SIGNAL_TABLE, RISK_TABLE, ORDER_TABLE, ACCOUNT_TABLE)),
)
"""Everything that is kept of a shadow."""
CURVE_STEP_MS: Final = 3_600_000
CURVE_POINTS: Final = 2_000
KEEP_POINTS: Final = 15
ORDERS_HELD: Final = 200
FILLS_SHOWN: Final = 50

History = Callable[[str, str], Sequence[Candle]]
"""(symbol, time frame) -> the closed candles that are known, oldest first."""


class CannotGoOn(Exception):
    """What was kept is no state that this shadow can go on from. The text says why; `was_this` that there was one."""

    def __init__(self, why: str, *, was_this: bool) -> None:
        super().__init__(why)
        self.was_this = was_this


class ShadowState(msgspec.Struct, kw_only=True):
    """What is kept beside the machines' own cells: the paper venue, and where the market stood.

    `seen` maps a symbol to its newest price and when that was.
    """

    began: ShadowBegan
    now_ms: int
    seen: dict[str, tuple[float, int]]
    next_order_id: int
    next_priority: int
    last_trade_id: int
    next_entry_id: int
    market: dict[str, Decimal]
    fees: dict[str, Decimal]
    account: Account
    gaps: int = 0


_ENCODER = msgspec.json.Encoder(decimal_format="string")
_DECODER = msgspec.json.Decoder(ShadowState)


class ShadowBook(PaperDesk):
    """One shadow. Made new it must `begin`, made of what was kept it must `go_on`; times are the venue's.

    `live` are the settings that the engine runs by, `cash` the quote currency that it begins with. Raises ValueError on
    settings that nothing can run with.
    """

    def __init__(
        self,
        rollout: Rollout,
        live: Settings,
        *,
        pairs: PairSpecs,
        cash: Decimal,
        now_ms: int,
        kinds: Mapping[str, StrategyKind] = STRATEGY_KINDS,
    ) -> None:
        self.rollout = rollout
        settings = paper_settings(live, rollout.plan)
        self.compared = compared(live, rollout.plan)
        self.symbols = frozenset(Symbol(each.symbol) for each in settings.strategies)
        super().__init__(
            settings,
            model=None,
            pairs={symbol: pair for symbol, pair in pairs.items() if symbol in self.symbols},
            balances=[(EXCHANGE, settings.quote_currency, cash)],
            now_ms=now_ms,
            curve_step_ms=CURVE_STEP_MS,
            curve_limit=CURVE_POINTS,
            kinds=kinds,
        )
        self.machine.keeps = True
        self.began: ShadowBegan | None = None
        self.gaps = 0
        self.shown: deque[Fill] = deque(maxlen=FILLS_SHOWN)
        self._cells: dict[str, AnyCell] = {}
        self._records: list[Record] = []
        self._seen: dict[str, tuple[float, int]] = {}
        self._kept_version = -1
        self._touched = True
        self._warms = False

    # --- a life begins ----------------------------------------------------------------------------------------------

    def begin(self, began: ShadowBegan, history: History) -> None:
        """A login with the cash, and the candles before the first: as a backtest begins."""
        self.began = began
        self._records.append(began_record(began))
        self.log_in()
        self._warms = True
        for symbol, timeframe in self.markets:
            candles = history(symbol, timeframe)
            if candles:
                self._observe(symbol, candles[-1].close, candles[-1].open_ms)
            self._decide([_of_the_past(candle) for candle in candles[-SNAPSHOT_CANDLES:]])
        self._warms = False

    def go_on(self, tables: Mapping[str, Sequence[CellWrite]]) -> tuple[str, ...]:
        """Take up where it stopped; the strategies that no longer fit what was kept of them, and begin anew.

        `tables` maps each of `TABLES` to its cells. Raises CannotGoOn.
        """
        kept = [cell for cell in tables[STATE_TABLE] if cell.key == STATE_KEY]
        if not kept:
            raise CannotGoOn("nothing was kept of it", was_this=False)
        try:
            state = _DECODER.decode(kept[0].payload)
            if state.began.version != self.rollout.version:
                raise CannotGoOn(f"what was kept is of version {state.began.version}", was_this=False)
            orders = _of(tables, ORDER_TABLE)
            misfits = self.signals.restore(_of(tables, SIGNAL_TABLE), waiting_anew=True)
            self.risk.restore(_of(tables, RISK_TABLE))
            self.machine.restore(orders, now=state.now_ms / 1000, wall_ms=state.now_ms)
            self.account.restore(orders=orders, kept=_of(tables, ACCOUNT_TABLE), same_process=True)
        except (msgspec.MsgspecError, LookupError, ArithmeticError, ValueError) as error:
            raise CannotGoOn(f"what was kept cannot be read: {error}", was_this=True) from None
        # What it would say again was heard before it was kept, and nothing was on its way.
        self.machine.take()
        self.began, self.now_ms, self.gaps = state.began, state.now_ms, state.gaps + 1
        books = self.venue.books
        self.venue.next_order_id, self.venue.next_priority = state.next_order_id, state.next_priority
        books.last_trade_id, books.next_entry_id = state.last_trade_id, state.next_entry_id
        books.market, books.fees = state.market, state.fees
        books.accounts[ACCOUNT] = state.account
        for symbol, (price, at_ms) in state.seen.items():
            self._observe(symbol, price, at_ms)
        self.venue.restore()
        self.shown.extend([*self.account.fills][-FILLS_SHOWN:])
        self._told_version = self.account.version
        return misfits

    def on_settings(self, live: Settings, history: History) -> None:
        """The live settings changed around it: its limits and the rules that it shares are the new ones."""
        self.settings = settings = paper_settings(live, self.rollout.plan)
        self.risk.on_settings(settings)
        self.account.on_settings(settings)
        self.machine.settings = settings.orders
        self.machine.signal_max_age_s = settings.risk.signal_max_age_s
        self.signals.on_settings(settings, history)
        self._touched = True

    @property
    def markets(self) -> tuple[tuple[str, str], ...]:
        """(symbol, time frame) of its strategies."""
        return tuple(dict.fromkeys((each.symbol, each.timeframe) for each in self.settings.strategies))

    def wishes(self) -> tuple[HistoryWish, ...]:
        """What its strategies must be told of the past before they hear of a candle."""
        return self.signals.wishes()

    # --- what it hears ----------------------------------------------------------------------------------------------

    def on_candle(self, closed: CandleClosed, history: History) -> None:
        """A closed candle of a symbol that it trades, of any time frame; those that it missed are read of `history`."""
        for missed in self._missed(closed, history):
            self._hear_candle(missed)
        # Its time is the market's: how long ago we heard of it is no reason to let an order of paper go.
        self._hear_candle(msgspec.structs.replace(closed, received_ns=0))

    def on_history(self, told: CandleHistory) -> None:
        self._say(self.signals.on_history(msgspec.structs.replace(told, received_ns=0)))
        self._touched = True

    def on_stretch(self, stretch: Stretch) -> None:
        """What traded: orders meet it as they meet a candle of a backtest, then strategies hear of it."""
        if stretch.time_ms < self._seen.get(stretch.symbol, (0.0, 0))[1]:
            return
        prices = price_path(stretch, low_first=self.venue.model.low_first)
        self._trade(stretch.symbol, prices, stretch.volume, stretch.first_ms, stretch.time_ms)
        if self.signals.thinks_at_trades(stretch.symbol):
            traced, scores = self.signals.on_tick(_tick(stretch))
            self._touched = self._touched or traced
            self._say(scores)

    def _hear_candle(self, closed: CandleClosed) -> None:
        candle = closed.candle
        length_ms = TIMEFRAME_MS[candle.timeframe]
        if closed.catch_up and candle.open_ms > self._seen.get(candle.symbol, (0.0, 0))[1]:
            # Nobody was there to hear its trades, and an order rests at a venue all the same.
            row = CandleRow(candle.open_ms, candle.open, candle.close, candle.high, candle.low, candle.volume)
            prices = tick_prices(row, low_first=self.venue.model.low_first)
            self._trade(candle.symbol, prices, candle.volume, candle.open_ms + 1, candle.open_ms + length_ms - 1)
        self.now_ms = max(self.now_ms, closed.closed_ms + self.settings.market.candle_close_grace_ms)
        self.account.on_price(candle.symbol, candle.close)
        self._decide([closed])
        if not closed.catch_up:
            self.account.mark_time(closed.closed_ms)

    def _missed(self, closed: CandleClosed, history: History) -> list[CandleClosed]:
        """Closed candles between the newest that some strategy of this market saw and this one."""
        candle = closed.candle
        seen = self.signals.seen_until().get((candle.symbol, candle.timeframe), -1)
        if seen < 0 or candle.open_ms <= seen + TIMEFRAME_MS[candle.timeframe]:
            return []
        known = history(candle.symbol, candle.timeframe)
        return [_of_the_past(each) for each in known if seen < each.open_ms < candle.open_ms]

    def _trade(self, symbol: Symbol, prices: Sequence[float], volume: float, first_ms: int, last_ms: int) -> None:
        steps = max(1, len(prices) - 1)
        for number, price in enumerate(prices):
            self.now_ms = max(self.now_ms, first_ms + (last_ms - first_ms) * number // steps)
            fills = len(self.fills)
            self._on_tick(symbol, price, volume / len(prices))
            self._touched = self._touched or len(self.fills) > fills
        self._seen[symbol] = (prices[-1], last_ms)

    def _observe(self, symbol: str, price: float, at_ms: int) -> None:
        self._seen[symbol] = (price, at_ms)
        self.venue.observe(Symbol(symbol), price)
        self.account.on_price(symbol, price)

    def _say(self, scores: Iterable[SignalScore]) -> None:
        told = tuple(scores)
        self._touched = self._touched or bool(told)
        super()._say(told)

    # --- what must be kept ------------------------------------------------------------------------------------------

    def _keep(self, cells: Mapping[str, AnyCell]) -> None:
        self._cells |= cells
        self._touched = True

    def take(self) -> tuple[list[Record], list[CellWrite]]:
        """The decisions and trades since the last time, and all that has changed of its state: for one commit.

        Nothing where nothing happened.
        """
        if not self._touched:
            return [], []
        version = self.rollout.version
        if len(self.machine.orders) > 2 * ORDERS_HELD:
            self.machine.let_go(self.now_ms, trades_before_ms=self.now_ms, orders=ORDERS_HELD, fills=ORDERS_HELD)
            self._settle()
        records, self._records = self._records, []
        for each in self.decisions:
            # What is said of the past decides nothing, and risk has learned of it by now.
            if not (isinstance(each, SignalScore) and each.catch_up):
                decided, at_ms = _in_words(each)
                records.append(paper_record(version, decided, at_ms or self.now_ms))
        records += [paper_record(version, fill, fill.time_ms) for fill in self.fills]
        self.shown.extend(self.fills)
        self._forget()
        cells = [_own(ORDER_TABLE, key, cell) for key, cell in self._cells.items()]
        cells += [_own(SIGNAL_TABLE, cell.key, cell) for cell in self.signals.checkpoint()]
        cells.append(_own(RISK_TABLE, (risk := self.risk.checkpoint()).key, risk))
        if self.account.version != self._kept_version or self.account.equity_curve.unkept >= KEEP_POINTS:
            self._kept_version = self.account.version
            cells += [_own(ACCOUNT_TABLE, cell.key, cell) for cell in self.account.checkpoint()]
        cells.append(CellWrite(table=STATE_TABLE, key=STATE_KEY, payload=_ENCODER.encode(self._state())))
        self._cells, self._touched = {}, False
        return records, cells

    def _forget(self) -> None:
        """A backtest counts these to its end; of a shadow the journal has them."""
        self.decisions, self.fills, self.trades = [], [], []
        self.tags, self.expected, self.decided_ms = {}, {}, {}

    def _state(self) -> ShadowState:
        assert self.began is not None
        books = self.venue.books
        return ShadowState(
            began=self.began,
            now_ms=self.now_ms,
            seen=self._seen,
            next_order_id=self.venue.next_order_id,
            next_priority=self.venue.next_priority,
            last_trade_id=books.last_trade_id,
            next_entry_id=books.next_entry_id,
            market=books.market,
            fees=books.fees,
            account=books.accounts[ACCOUNT],
            gaps=self.gaps,
        )

    def _history(self, question: HistoryRequest) -> HistoryReport:
        """Of a wire that loses nothing all is heard: only what rests is worth telling."""
        return HistoryReport(
            request_id=question.request_id,
            session=question.session,
            since_ms=question.since_ms,
            open_orders=tuple(order.told_as("rest") for order in self.venue.accounts[ACCOUNT].orders.values()),
            closed_orders=(),
            trades=(),
            received_ns=0,
        )

    # --- what it shows ----------------------------------------------------------------------------------------------

    def view(self, *, lag_ms: int, dropped: int, dead: int = 0) -> ShadowView:
        """`lag_ms` is how far it is behind the market, `dropped` what of that its mailbox had no room for, `dead` what
        was put aside there since the engine started."""
        assert self.began is not None
        wallet = self.venue.accounts[ACCOUNT].wallet(EXCHANGE, self.settings.quote_currency)
        return ShadowView(
            version=self.rollout.version,
            name=self.rollout.plan.name,
            since_ms=self.began.at_ms,
            at_ms=self.now_ms,
            equity=self.account.equity,
            balance=wallet.balance,
            holdings=tuple(
                ShadowHolding(
                    symbol=each.symbol,
                    quantity=each.quantity,
                    average_price=each.average_price,
                    unrealized_pnl=each.unrealized_pnl,
                )
                for each in self.account.state().positions
                if each.quantity
            ),
            orders=tuple(view_of(row) for row in self.machine.orders.values() if row.open),
            fills=tuple(self.shown),
            strategies=self.signals.views(),
            lag_ms=lag_ms,
            dropped=dropped,
            dead=dead,
            gaps=self.gaps,
        )


def beginning(rollout: Rollout, live: Settings, *, equity: Decimal, at_ms: int, again: str = "") -> ShadowBegan:
    """What a shadow that begins now counts from. `equity` is the live account's."""
    cash = rollout.plan.terms.cash
    return ShadowBegan(
        version=rollout.version,
        at_ms=at_ms,
        strategies=compared(live, rollout.plan),
        cash=equity if cash is None else cash,
        equity=equity,
        again=again,
    )


def emptied(tables: Mapping[str, Sequence[CellWrite]]) -> list[CellWrite]:
    """What takes away all that was kept of a shadow."""
    return [CellWrite(table=table, key=cell.key, payload=b"") for table, cells in tables.items() for cell in cells]


def _in_words(made: Unread) -> tuple[Decision, int]:
    """A decision, and when it was made (0: the decision itself says so)."""
    if isinstance(made, Judgement):
        return made.verdict, 0
    return (read_decision(made), made.at_ms) if isinstance(made, Record | LateRecord) else (made, 0)


def _of(tables: Mapping[str, Sequence[CellWrite]], table: str) -> Sequence[CellWrite]:
    return [msgspec.structs.replace(cell, table=table) for cell in tables[f"{OWN}{table}"]]


def _own(table: str, key: str, cell: AnyCell) -> CellWrite:
    return CellWrite(table=f"{OWN}{table}", key=key, payload=cell.payload)


def _of_the_past(candle: Candle) -> CandleClosed:
    return CandleClosed(
        candle=candle,
        closed_ms=candle.open_ms + TIMEFRAME_MS[candle.timeframe],
        catch_up=True,
        correlation_id=correlation_id(candle),
        received_ns=0,
    )


def _tick(stretch: Stretch) -> Tick:
    return Tick(
        symbol=stretch.symbol,
        trade_id=stretch.trade_id,
        time_ms=stretch.time_ms,
        price=stretch.close,
        high=stretch.high,
        low=stretch.low,
        volume=stretch.volume,
        trades=stretch.trades,
        received_ns=0,
    )
