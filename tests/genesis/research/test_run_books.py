"""A backtest's money, worked out a second time from nothing but its fills and the candles."""

from decimal import ROUND_DOWN, Decimal
from itertools import takewhile

from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from genesis.domain.matching import VENUE_TIERS, FillModel
from genesis.domain.recording import CandleRecording
from genesis.domain.replay import MINUTE_MS
from genesis.research.backtest import BacktestResult, run_backtest
from protocols.orders import Fill
from protocols.units import AMOUNT_STEP, ZERO, Side, Symbol, base_currency
from tests.genesis.research.test_leaping import NAMES, any_settings, recording

D = Decimal
MODELS = (
    FillModel(),
    FillModel(half_spread=D(0), slippage=D(0)),
    FillModel(participation=D("0.02")),
    FillModel(latency_ms=60_000, participation=D("0.01")),
    FillModel(fee_tiers=VENUE_TIERS),
    FillModel(impact=D("0.02")),
    FillModel(low_first=True),
    FillModel(carry_a_day=D("0.02")),
)


class Purse:
    """Cash and coins after each fill."""

    def __init__(self, cash: Decimal) -> None:
        self.cash = cash
        self.coins: dict[Symbol, Decimal] = {}

    def take(self, fill: Fill) -> None:
        notional = (fill.quantity * fill.price).quantize(AMOUNT_STEP, rounding=ROUND_DOWN)
        held = self.coins.get(fill.symbol, ZERO)
        if fill.side is Side.BUY:
            assert fill.fee_currency == base_currency(fill.symbol)
            self.cash -= notional
            self.coins[fill.symbol] = held + fill.quantity + fill.fee
        else:
            assert fill.fee_currency == "USD"
            self.cash += notional + fill.fee
            self.coins[fill.symbol] = held - fill.quantity
        assert min(self.cash, self.coins[fill.symbol]) >= 0, "nothing is spent that is not there"


def check_prices(result: BacktestResult, candles: CandleRecording, model: FillModel) -> None:
    """Each fill was in a minute with a trade, after its decision, and at a price that minute had, or a worse one."""
    rows = {symbol: {row.open_ms: row for row in found} for symbol, found in candles.rows.items()}
    for fill in result.fills:
        row = rows[fill.symbol][fill.time_ms // MINUTE_MS * MINUTE_MS]
        assert fill.time_ms > result.decided_ms.get(fill.intent_id, 0)
        best, worst = (row.low, row.high) if fill.side is Side.BUY else (row.high, row.low)
        # A price has five digits.
        assert fill.side.sign * (float(fill.price) - best) >= -2e-4 * best, (fill, row)
        if not (fill.maker or model.impact):
            costs = float(model.half_spread + model.slippage) + 3e-4
            assert fill.side.sign * (float(fill.price) - worst) <= costs * worst, (fill, row)


@given(data=st.data())
@hypothesis_settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
def test_equity_is_cash_and_coins_and_profits_are_its_change(data: st.DataObject) -> None:
    begin, minutes = data.draw(st.integers(0, 1500)), data.draw(st.integers(30, 900))
    holes = frozenset(data.draw(st.sets(st.integers(0, 400), max_size=40)))
    candles = recording(data.draw(st.sampled_from(NAMES)), begin, minutes, holes=holes)
    if not all(candles.rows.values()):
        return
    model, start = data.draw(st.sampled_from(MODELS)), data.draw(st.sampled_from([D(100), D(10_000), D(1_000_000)]))
    settings = data.draw(any_settings(candles.symbols))
    result = run_backtest(candles, settings, model=model, balances=(("exchange", "USD", start),))
    check_prices(result, candles, model)
    purse, marks = Purse(start), dict[Symbol, Decimal]()
    fills = sorted(result.fills, key=lambda fill: (fill.time_ms, fill.trade_id))
    closes = sorted(
        (row.open_ms + MINUTE_MS, symbol, row.close) for symbol, rows in candles.rows.items() for row in rows
    )
    for point in result.curve:
        for fill in list(takewhile(lambda fill: fill.time_ms <= point.at_ms, fills)):  # noqa: B023
            purse.take(fills.pop(0))
            assert fill.time_ms <= point.at_ms
        while closes and closes[0][0] <= point.at_ms:
            _, symbol, close = closes.pop(0)
            marks[symbol] = D(repr(close))
        worth = purse.cash + sum((held * marks[symbol] for symbol, held in purse.coins.items() if held), ZERO)
        if not model.carry_a_day:
            assert abs(worth - point.equity) < D("1e-6"), point
    assert not fills
    change = result.curve[-1].equity - result.curve[0].equity + result.carry_quote
    left = sum((row.unrealized_pnl for row in result.left_open), ZERO)
    assert abs(result.performance.realized_pnl + left - change) < D("1e-5")
    if not result.left_open:
        assert abs(sum((trade.pnl for trade in result.trades), ZERO) - change) < D("1e-5")
