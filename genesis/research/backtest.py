"""The exact backtest: the engine's own machines and the venue's own matching, walked over a candle recording.

So the same recording and settings give the same decision lines as a run of the engine. The walk leaps over minutes in
which nothing can happen (`genesis.research.leaping`) and comes to the same result as the walk of every minute, to the
last byte; it is the settings' numbers, not a model of them, that decide.
"""

import gc
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from functools import cached_property

import attrs

from genesis.domain.decision_log import Decision, decision_line, digest
from genesis.domain.executions import executions
from genesis.domain.matching import FillModel
from genesis.domain.measures import measure, trade_row, traded_quote
from genesis.domain.pairs import PairSpecs, pair_specs
from genesis.domain.performance import performance
from genesis.domain.recording import CandleRecording
from genesis.research.bars import BarRecording
from genesis.research.leaping import Leap, can_leap
from genesis.research.walk import WORDS_HELD, Walk, strategy_markets
from protocols.account import ClosedTrade, EquityPoint, Performance
from protocols.measures import ExecutionReport, Measures, OpenRow, OrderCounts
from protocols.orders import Fill
from protocols.settings import Settings
from protocols.units import ZERO

__all__ = ["START_BALANCES", "BacktestResult", "refusals_by_code", "run_backtest", "strategy_markets"]

START_BALANCES = (("exchange", "USD", Decimal(10_000)),)


@attrs.frozen(kw_only=True)
class BacktestResult:
    """What came of a run. `refusals` count risk's codes; `candles` are the one-minute bars that were replayed.

    `tags` say by correlation id what opened a trade, `expected` by intent the price that the decision was made at;
    `market` is each symbol's first and last price.
    """

    recording: str
    first_ms: int
    last_ms: int
    candles: int
    orders: int
    performance: Performance
    trades: tuple[ClosedTrade, ...]
    curve: tuple[EquityPoint, ...]
    refusals: dict[str, int]
    _told: Callable[[], tuple[Decision, ...]] = attrs.field(eq=False, repr=False)
    carry_quote: Decimal = ZERO
    """Interest paid for what was held."""
    fills: tuple[Fill, ...] = ()
    left_open: tuple[OpenRow, ...] = ()
    order_counts: OrderCounts = attrs.field(factory=OrderCounts)
    market: dict[str, tuple[float, float]] = attrs.field(factory=dict)
    tags: dict[str, str] = attrs.field(factory=dict)
    expected: dict[str, Decimal | None] = attrs.field(factory=dict)
    decided_ms: dict[str, int] = attrs.field(factory=dict)
    faults: dict[str, str] = attrs.field(factory=dict)
    """Strategies that failed on the way, and why: they said nothing from then on."""

    @cached_property
    def decisions(self) -> tuple[Decision, ...]:
        """Every decision in the order they were made, HOLD included; worked out when somebody asks, as are `lines`."""
        return self._told()

    @cached_property
    def measures(self) -> Measures:
        """Every figure, worked out when somebody asks."""
        return measure(
            self.curve,
            [trade_row(trade, self.tags.get(trade.correlation_id, "")) for trade in self.trades],
            fees_quote=self.performance.fees_quote,
            realized_pnl=self.performance.realized_pnl,
            traded_quote=traded_quote(self.fills),
            left_open=self.left_open,
            market=self.market,
            orders=self.order_counts,
        )

    @cached_property
    def executions(self) -> ExecutionReport:
        """Expected against real price, order by order."""
        return executions(self.fills, self.expected, self.decided_ms)

    @cached_property
    def lines(self) -> tuple[bytes, ...]:
        """Written when somebody asks: most runs are for their figures."""
        return tuple(decision_line(decision) for decision in self.decisions)

    @property
    def digest(self) -> str:
        return digest(self.lines)

    @property
    def final_equity(self) -> Decimal:
        return self.performance.final_equity

    @property
    def winrate(self) -> float | None:
        return self.performance.winrate

    @property
    def max_drawdown(self) -> float:
        return self.performance.max_drawdown

    @property
    def sharpe(self) -> float | None:
        return self.performance.sharpe


def run_backtest(
    recording: CandleRecording | BarRecording,
    settings: Settings,
    *,
    model: FillModel | None = None,
    pairs: PairSpecs | None = None,
    balances: Iterable[tuple[str, str, Decimal]] = START_BALANCES,
    on_progress: Callable[[float], None] | None = None,
    every_minute: bool = False,
) -> BacktestResult:
    """Trade the recording once. `on_progress` hears the part that is done, about once for each day of the market.

    Raises ValueError on settings that no strategy can run with. `every_minute` walks them all: the result is the same,
    and so slow that only tests of the leaping walk want it.
    """
    specs = pairs or pair_specs(recording.symbols)
    balances = tuple(balances)

    bars: BarRecording | None = None
    if not every_minute and can_leap(settings):
        bars = recording if isinstance(recording, BarRecording) else BarRecording.of_regular(recording)

    def walked(words_held: int | None, on_progress: Callable[[float], None] | None) -> Walk:
        found: Walk
        if bars is not None:
            found = Leap(bars, settings, model, specs, balances)
        else:
            rows = recording.as_rows() if isinstance(recording, BarRecording) else recording
            found = Walk(rows, settings, model, specs, balances)
        found.words_held = words_held
        with _few_collections():
            found.begin()
            found.walk(on_progress)
        return found

    run = walked(WORDS_HELD, on_progress)
    told: Callable[[], tuple[Decision, ...]] = run.whole_log
    if not run.has_words:
        # Of more decisions than are kept the same walk finds the words once more. Nothing of this one is looked at
        # again: without the machine's way back to it its columns are let go of now, and not when garbage is collected.
        told = lambda: walked(None, None).whole_log()  # noqa: E731
        run.machine.touch = run.machine.depth = None
    account = run.account
    return BacktestResult(
        recording=recording.name,
        first_ms=recording.first_ms,
        last_ms=recording.last_ms,
        candles=run.candles,
        orders=run.machine.last_cid,
        performance=performance(
            account.curve,
            tuple(run.trades),
            fees_quote=account.fees_quote,
            realized_pnl=account.realized_pnl,
        ),
        trades=tuple(run.trades),
        curve=tuple(account.curve),
        refusals=dict(sorted(run.risk.state.denials_by_code.items())),
        faults=run.signals.new_faults(),
        told=told,
        carry_quote=run.carry_quote,
        fills=tuple(run.fills),
        left_open=account.left_open(),
        order_counts=attrs.evolve(run.tally, sent=run.machine.last_cid).counts(run.risk.state.denials_by_code),
        market=run.market,
        tags=run.tags,
        expected=run.expected,
        decided_ms=run.decided_ms,
    )


@contextmanager
def _few_collections() -> Iterator[None]:
    """A run makes very many objects that live on, and hardly a cycle: to look through them each time costs a sixth."""
    before = gc.get_threshold()
    gc.set_threshold(100_000, 50, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def refusals_by_code(results: Iterable[BacktestResult]) -> Counter[str]:
    """Refusals of several runs together."""
    total: Counter[str] = Counter()
    for result in results:
        total.update(result.refusals)
    return total
