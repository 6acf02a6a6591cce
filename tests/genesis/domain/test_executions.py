"""Expected against real price by hand, and what is learned of it."""

from decimal import Decimal

import attrs
import msgspec
import pytest

from genesis.domain.executions import executions, expected_of, learned_model
from genesis.domain.live_performance import live_performance
from genesis.domain.matching import FillModel
from genesis.research.backtest import run_backtest
from genesis.simulator.recordings import load
from protocols.orders import Fill, OrderState, OrderType, OrderView, Purpose
from protocols.settings import Settings
from protocols.units import Side, Symbol
from tests.genesis.domain.risk_world import a_score

BTC = Symbol("tBTCUSD")


def a_fill(number: int, intent_id: str, side: Side, quantity: str, price: str, *, maker: bool = False) -> Fill:
    return Fill(
        trade_id=number,
        intent_id=intent_id,
        cid=number,
        venue_order_id=number,
        strategy="one",
        symbol=BTC,
        side=side,
        quantity=Decimal(quantity),
        price=Decimal(price),
        fee=Decimal(0),
        fee_currency="USD",
        maker=maker,
        purpose=Purpose.ENTRY if side is Side.BUY else Purpose.STOP,
        time_ms=1000 + number,
        correlation_id="c",
        foreign=False,
    )


def test_two_fills_of_one_order_are_one_execution() -> None:
    report = executions(
        [
            a_fill(1, "buy", Side.BUY, "1", "101"),
            a_fill(2, "buy", Side.BUY, "3", "105"),
            a_fill(3, "sell", Side.SELL, "4", "99"),
            a_fill(4, "who knows", Side.BUY, "1", "100"),
        ],
        {"buy": Decimal(100), "sell": Decimal(100)},
        {"buy": 500},
    )
    assert (report.orders, report.unknown) == (3, 1)
    buy, sell = report.rows
    assert (buy.real_price, buy.quantity, buy.cost_quote) == (Decimal(104), Decimal(4), Decimal(16))
    assert buy.slippage_bps == pytest.approx(400.0)
    assert (buy.delay_ms, sell.delay_ms) == (502, None)
    # A seller who gets less has lost, too.
    assert sell.slippage_bps == pytest.approx(100.0)
    (row,) = report.by_symbol
    assert (row.orders, row.cost_quote) == (2, Decimal(20))
    assert row.worst_bps == pytest.approx(400.0)
    assert row.mean_bps == pytest.approx(250.0)


def test_what_is_expected_of_an_order() -> None:
    order = OrderView(
        intent_id="i",
        cid=1,
        venue_id=1,
        strategy="one",
        symbol=BTC,
        side=Side.SELL,
        order_type=OrderType.STOP,
        purpose=Purpose.STOP,
        quantity=Decimal(1),
        filled_quantity=Decimal(0),
        average_fill_price=Decimal(0),
        price=Decimal(95),
        state=OrderState.ACKED,
        reason="",
        created_ms=0,
        updated_ms=0,
        correlation_id="c",
        foreign=False,
        stop_price=Decimal(94),
    )
    assert expected_of(order, 100.0) == Decimal(94)
    replace = msgspec.structs.replace
    assert expected_of(replace(order, purpose=Purpose.TARGET), 100.0) == Decimal(95)
    assert expected_of(replace(order, purpose=Purpose.ENTRY, price=None, stop_price=None), 100.5) == Decimal("100.5")
    assert expected_of(replace(order, purpose=Purpose.MANUAL, price=None, stop_price=None), None) is None


def test_the_model_takes_what_takers_paid_and_no_less_than_nothing() -> None:
    base = FillModel()

    def paid(bps: int, count: int = 20) -> FillModel:
        fills = [a_fill(n, f"i{n}", Side.BUY, "1", str(Decimal(100_000) + bps * 10)) for n in range(count)]
        makers = [a_fill(100, "maker", Side.BUY, "500", "50000", maker=True)]
        known = {fill.intent_id: Decimal(100_000) for fill in (*fills, *makers)}
        return learned_model(executions([*fills, *makers], dict(known)).rows, base)

    learned = paid(7)
    assert learned.half_spread == base.half_spread
    assert learned.half_spread + learned.slippage == Decimal("0.0007")
    assert paid(-5) == attrs.evolve(base, half_spread=Decimal(0), slippage=Decimal(0))
    with pytest.raises(ValueError, match="at least 20 taker orders, was 19"):
        paid(7, count=19)
    with pytest.raises(ValueError, match="at most 100 bps, was 101"):
        paid(101)


def test_a_backtest_learns_its_own_costs_back() -> None:
    """The model of a run, learned of the run's own fills, is of the size that the run was made with."""
    recording = load("2018-02-crash")
    dear = FillModel(half_spread=Decimal("0.0005"), slippage=Decimal("0.0015"))
    from protocols.settings import StrategySettings

    nervous = Settings(
        strategies=(StrategySettings(name="b", symbol=BTC, timeframe="1m", parameters={"fast": 5, "slow": 20}),)
    )
    result = run_backtest(recording, nervous, model=dear)  # type: ignore[arg-type]
    report = result.executions
    assert report.orders == len({fill.intent_id for fill in result.fills})
    assert report.unknown == 0
    learned = learned_model(report.rows, FillModel())
    # Twenty hundredths of a percent each way, give or take how the price moved until the next tick.
    assert Decimal("0.0015") < learned.half_spread + learned.slippage < Decimal("0.0025")


def test_the_live_account_has_the_figures_of_a_backtest() -> None:
    from genesis.domain.account_machine import AccountMachine
    from protocols.orders import VenueWallet, WalletSnapshot

    machine = AccountMachine(Settings())
    assert live_performance(machine.view(), (), (), {}) is None
    wallet = VenueWallet(
        session=1, wallet_type="exchange", currency="USD", balance=Decimal(1000), available=None, received_ns=0
    )
    machine.on_balance(WalletSnapshot(session=1, wallets=(wallet,), received_ns=0))
    machine.mark_time(60_000)
    machine.on_report(a_fill(1, "buy", Side.BUY, "1", "101"))
    machine.on_report(a_fill(2, "sell", Side.SELL, "1", "99"))
    machine.on_report(a_fill(3, "again", Side.BUY, "2", "98"))
    machine.mark_time(120_000)
    found = live_performance(machine.view(), (), (), {"paused": 3})
    assert found is not None
    assert (found.measures.trades, found.measures.winrate, found.measures.best_trade) == (1, 0.0, Decimal(-2))
    assert [row.name for row in found.measures.tables.exit_reason] == ["stop"]
    (left,) = found.measures.left_open
    assert (left.quantity, left.average_price) == (Decimal(2), Decimal(98))
    assert found.measures.traded_quote == Decimal(396)
    assert found.measures.orders.refused_by_risk == {"paused": 3}
    assert (found.trades_seen, found.fills_seen, found.executions.unknown) == (1, 3, 3)


def test_a_live_trade_is_tagged_by_the_strategy_that_made_it() -> None:
    """Two strategies speak of every candle under one correlation: the other's HOLD is not what opened it."""
    from genesis.domain.account_machine import AccountMachine
    from protocols.orders import VenueWallet, WalletSnapshot

    machine = AccountMachine(Settings())
    wallet = VenueWallet(
        session=1, wallet_type="exchange", currency="USD", balance=Decimal(1000), available=None, received_ns=0
    )
    machine.on_balance(WalletSnapshot(session=1, wallets=(wallet,), received_ns=0))
    machine.mark_time(60_000)
    machine.on_report(a_fill(1, "buy", Side.BUY, "1", "101"))
    machine.on_report(a_fill(2, "sell", Side.SELL, "1", "99"))
    scores = [
        msgspec.structs.replace(a_score(0, said, strategy=name), correlation_id="c", source=source)
        for name, said, source in (("one", "buy", "ema/1"), ("two", "hold", "rsi/1"))
    ]
    found = live_performance(machine.view(), (), scores, {})
    assert found is not None
    assert [row.name for row in found.measures.tables.tag] == ["ema/1"]
