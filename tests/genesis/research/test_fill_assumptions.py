"""What docs/backtesting.md says of fills, one assumption a test: minutes made by hand, traded by the whole backtest.

Both runners are asked wherever the fast one can trade.
"""

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path

import attrs
import msgspec
import pytest

from genesis.domain.matching import VENUE_TIERS, FillModel
from genesis.domain.pairs import pair_specs
from genesis.domain.recording import CandleRecording
from genesis.domain.replay import CandleRow
from genesis.domain.strategies import STRATEGY_KINDS
from genesis.domain.strategy import BUY, HOLD, SELL, State, StrategyKind
from genesis.domain.venue import Venue
from genesis.research.backtest import BacktestResult, run_backtest
from genesis.research.bars import BarRecording
from genesis.research.costs import Costs
from genesis.research.fast import FastFill, Prepared, exact_fills, run_fast, why_not_fast
from protocols.bitfinex.inputs import NewOrder
from protocols.settings import RiskSettings, Settings, StrategySettings
from protocols.units import Side, Symbol

BTC = Symbol("tBTCUSD")
FREE = FillModel(half_spread=Decimal(0), slippage=Decimal(0))
QUIET = (100.0, 100.0, 100.0, 100.0)
"""A minute at one price: open, high, low, close."""
RISK = RiskSettings(stop_fraction=Decimal("0.05"), target_fraction=Decimal("0.05"))
MINUTE_MS = 60_000


def by_volume(
    state: State, open_: float, high: float, low: float, close: float, volume: float
) -> tuple[float, float, float]:
    """Buys after a minute of volume 7, sells after one of volume 9."""
    return (BUY if volume == 7.0 else SELL if volume == 9.0 else HOLD), 1.0, 0.5


@pytest.fixture(autouse=True)
def _kind() -> Iterator[None]:
    kind = StrategyKind(
        name="by_volume",
        version=1,
        parameters=(),
        start=lambda _: [0.0],
        numeric=by_volume,
        describe=lambda state, code: ({}, ("the volume says so",)),
    )
    STRATEGY_KINDS.take_up({"by_volume": kind})
    yield
    STRATEGY_KINDS.take_up({})


def minutes(*rows: Sequence[float] | None, volumes: dict[int, float]) -> CandleRecording:
    """(open, high, low, close) of each minute; None is a minute without a trade."""
    made = tuple(
        CandleRow(number * MINUTE_MS, row[0], row[3], row[1], row[2], volumes.get(number, 1.0))
        for number, row in enumerate(rows)
        if row is not None
    )
    return CandleRecording(
        name="by hand", history={BTC: ()}, rows={BTC: made}, first_ms=0, last_ms=(len(rows) - 1) * MINUTE_MS
    )


def traded(
    *rows: Sequence[float] | None, volumes: dict[int, float], model: FillModel = FREE, risk: RiskSettings = RISK
) -> tuple[tuple[FastFill, ...], BacktestResult]:
    recording = minutes(*rows, volumes=volumes)
    settings = Settings(strategies=(StrategySettings(name="s", kind="by_volume", timeframe="1m"),), risk=risk)
    bars = BarRecording.of(recording)
    result = run_backtest(recording, settings, model=model)
    fills = exact_fills(result, bars.rows[BTC])
    if why_not_fast(bars, settings, model=model) is None:
        fast = run_fast(Prepared.of(bars, settings, model=model, compile=False))
        assert fast.ran_fast, fast.why
        assert fast.fills == fills
    return fills, result


def test_an_entry_fills_at_the_open_of_the_next_minute() -> None:
    fills, _ = traded(QUIET, (101, 102, 101, 102), QUIET, volumes={0: 7.0})
    assert [(fill.what, fill.bar, fill.price) for fill in fills] == [("entry", 1, Decimal(101))]


def test_a_taker_pays_half_the_spread_and_slippage_and_the_price_is_cut_to_five_digits() -> None:
    costs = FillModel(half_spread=Decimal("0.0005"), slippage=Decimal("0.0005"))
    fills, _ = traded(QUIET, (101, 102, 101, 102), QUIET, volumes={0: 7.0}, model=costs)
    # 101 x 1.0005 = 101.0505, up to 101.06; x 1.0005 = 101.11053, up to 101.12.
    assert fills[0].price == Decimal("101.12")


def test_the_bracket_is_live_in_the_minute_of_the_entry() -> None:
    fills, _ = traded(QUIET, (100, 100, 90, 99), QUIET, volumes={0: 7.0})
    assert (fills[1].what, fills[1].bar) == ("stop", 1)


def test_a_stop_fills_at_the_tick_that_reached_it_as_a_taker() -> None:
    fills, _ = traded(QUIET, QUIET, (100, 100, 94, 96), QUIET, volumes={0: 7.0})
    assert (fills[1].what, fills[1].bar, fills[1].price) == ("stop", 2, Decimal(94))
    assert fills[1].fee == (fills[1].notional * Decimal("0.002")).quantize(Decimal("1e-8"))


def test_a_stop_that_the_open_gaps_through_fills_at_the_open() -> None:
    fills, _ = traded(QUIET, QUIET, (80, 82, 79, 81), QUIET, volumes={0: 7.0})
    assert (fills[1].what, fills[1].bar, fills[1].price) == ("stop", 2, Decimal(80))


def test_a_target_fills_at_its_own_price_as_a_maker() -> None:
    fills, _ = traded(QUIET, QUIET, (100, 110, 100, 109), QUIET, volumes={0: 7.0})
    assert (fills[1].what, fills[1].bar, fills[1].price) == ("target", 2, Decimal(105))
    assert fills[1].fee == (fills[1].notional * Decimal("0.001")).quantize(Decimal("1e-8"))


@pytest.mark.parametrize(
    ("close", "low_first", "winner"),
    [(101.0, False, "stop"), (99.0, False, "target"), (101.0, True, "stop"), (99.0, True, "stop")],
)
def test_when_one_minute_touches_both_its_path_decides_or_the_worst_case(
    close: float, low_first: bool, winner: str
) -> None:
    model = FillModel(half_spread=Decimal(0), slippage=Decimal(0), low_first=low_first)
    fills, _ = traded(QUIET, QUIET, (100, 110, 90, close), QUIET, volumes={0: 7.0}, model=model)
    assert fills[1].what == winner


def test_an_exit_fills_at_the_next_open_and_its_stop_is_gone_before() -> None:
    fills, _ = traded(QUIET, QUIET, (102, 103, 90, 91), QUIET, volumes={0: 7.0, 1: 9.0})
    assert (fills[1].what, fills[1].bar, fills[1].price) == ("exit", 2, Decimal(102))
    assert len(fills) == 2


def test_nothing_fills_after_the_last_minute() -> None:
    fills, result = traded(QUIET, QUIET, volumes={1: 7.0})
    assert fills == ()
    assert result.orders == 1


def test_empty_minutes_make_an_order_wait_for_the_next_trade() -> None:
    """As in a halt of the exchange: no candle, no tick, no fill, and the first price afterwards is what it is."""
    fills, _ = traded(QUIET, None, None, None, (120, 121, 119, 120), QUIET, volumes={0: 7.0})
    assert (fills[0].time_ms, fills[0].price) == (4 * MINUTE_MS + 2_000, Decimal(120))


def test_a_position_held_through_a_halt_is_stopped_at_the_first_price_after_it() -> None:
    fills, _ = traded(QUIET, QUIET, None, None, None, (60, 61, 59, 60), volumes={0: 7.0})
    assert (fills[1].what, fills[1].time_ms, fills[1].price) == ("stop", 5 * MINUTE_MS + 2_000, Decimal(60))


def test_sizes_are_cut_to_eight_decimals_and_fees_taken_in_what_was_received() -> None:
    fills, result = traded(QUIET, (99, 99, 99, 99), QUIET, QUIET, volumes={0: 7.0, 2: 9.0})
    entry, leaving = fills
    assert entry.quantity == Decimal("25.00000000")
    assert entry.fee == Decimal("0.05")
    assert leaving.quantity == Decimal("24.95")
    assert result.performance.fees_quote > 0


def test_below_the_minimum_size_nothing_is_ordered() -> None:
    small = msgspec.structs.replace(RISK, max_order_notional=Decimal("0.0001"))
    fills, result = traded(QUIET, QUIET, volumes={0: 7.0}, risk=small)
    assert fills == ()
    assert result.refusals == {"below_minimum_size": 1}


def test_a_share_of_the_volume_fills_in_parts() -> None:
    shared = FillModel(half_spread=Decimal(0), slippage=Decimal(0), participation=Decimal("0.5"))
    rows = [QUIET] * 40
    fills, _ = traded(*rows, volumes={0: 7.0, **dict.fromkeys(range(1, 40), 4.0)}, model=shared)
    # A tick has a quarter of its minute's volume, and half of that is for us.
    assert fills[0].quantity == Decimal("0.5")
    assert len([fill for fill in fills if fill.what == "entry"]) > 10


def test_latency_lets_an_order_miss_the_ticks_before_it_arrives() -> None:
    late = FillModel(half_spread=Decimal(0), slippage=Decimal(0), latency_ms=20_000)
    fills, _ = traded(QUIET, (101, 104, 98, 103), QUIET, volumes={0: 7.0}, model=late)
    # Decided at 1 s; the ticks at 2 s (open) and 17 s (low) are over, the next one is the high.
    assert (fills[0].time_ms, fills[0].price) == (MINUTE_MS + 32_000, Decimal(104))


def test_fees_fall_with_the_volume_of_thirty_days() -> None:
    assert [tier.volume for tier in VENUE_TIERS] == sorted(tier.volume for tier in VENUE_TIERS)
    tiers = FillModel(half_spread=Decimal(0), slippage=Decimal(0), fee_tiers=VENUE_TIERS)
    risk = msgspec.structs.replace(
        RISK,
        position_fraction=Decimal("0.9"),
        max_order_notional=Decimal("1e9"),
        max_position_notional=Decimal("1e9"),
        max_gross_exposure=Decimal("1e9"),
        max_net_exposure=Decimal("1e9"),
    )
    dear = (10_000.0, 10_000.0, 10_000.0, 10_000.0)
    recording = minutes(*[dear] * 8, volumes={0: 7.0, 2: 9.0, 4: 7.0, 6: 9.0})
    settings = Settings(strategies=(StrategySettings(name="s", kind="by_volume", timeframe="1m"),), risk=risk)
    result = run_backtest(recording, settings, model=tiers, balances=(("exchange", "USD", Decimal(9_000_000)),))
    rates = [
        abs(fill.fee) / (fill.quantity if fill.side is Side.BUY else fill.quantity * fill.price)
        for fill in result.fills
    ]
    assert [round(rate, 6) for rate in rates] == [Decimal(x) for x in ("0.002", "0.002", "0.0016", "0.0014")]


def test_fees_of_ones_own_are_paid_by_both_runners() -> None:
    model = Costs(half_spread=Decimal(0), slippage=Decimal(0), maker_fee=Decimal(0), taker_fee=Decimal("0.003")).model()
    fills, _ = traded(QUIET, QUIET, (100, 110, 100, 109), QUIET, volumes={0: 7.0}, model=model)
    assert fills[0].fee == fills[0].quantity * Decimal("0.003")
    assert (fills[1].what, fills[1].fee) == ("target", Decimal(0))


def test_a_taker_moves_the_price_by_the_root_of_its_share_of_the_volume() -> None:
    """25 of the 100 that the minute traded: half of what all of it would have cost."""
    moving = FillModel(half_spread=Decimal(0), slippage=Decimal(0), impact=Decimal("0.02"))
    fills, _ = traded(QUIET, QUIET, volumes={0: 7.0, 1: 100.0}, model=moving)
    assert fills[0].quantity == Decimal(25)
    assert fills[0].price == Decimal(101)
    alone, _ = traded(QUIET, QUIET, volumes={0: 7.0, 1: 0.0}, model=moving)
    assert alone[0].price == Decimal(102)


def test_a_limit_bounds_what_size_may_cost() -> None:
    moving = FillModel(half_spread=Decimal(0), slippage=Decimal(0), impact=Decimal("0.02"))
    venue = Venue(pair_specs([BTC]), model=moving)
    venue.open_account("a", (("exchange", "USD", Decimal(10_000)),))
    venue.on_tick(BTC, 100.0, 1.0, 0)
    order = NewOrder(
        cid=1, group_id=None, symbol=BTC, wire_type="EXCHANGE LIMIT", amount=Decimal(4), flags=0, price=Decimal("100.5")
    )
    venue.submit("a", order, 1)
    venue.on_tick(BTC, 100.0, 1.0, 2)
    assert [trade.price for trade in venue.history("a").trades] == [Decimal("100.5")]


def test_holding_costs_a_third_of_the_days_interest_at_each_funding_time() -> None:
    held = FillModel(half_spread=Decimal(0), slippage=Decimal(0), carry_a_day=Decimal("0.003"))
    rows = [QUIET] * (8 * 60 + 2)
    recording = minutes(*rows, volumes={0: 7.0})
    settings = Settings(strategies=(StrategySettings(name="s", kind="by_volume", timeframe="1m"),), risk=RISK)
    result = run_backtest(recording, settings, model=held)
    (entry,) = result.fills
    # 25 bought, a fee of 0.05 taken in coins; at 08:00 they are worth 100 each.
    assert result.carry_quote == (entry.quantity - Decimal("0.05")) * 100 * Decimal("0.001")
    without = run_backtest(recording, settings, model=attrs.evolve(held, carry_a_day=Decimal(0)))
    assert without.final_equity - result.final_equity == result.carry_quote
    assert result == run_backtest(recording, settings, model=held, every_minute=True)


def test_interest_that_a_wallet_cannot_pay_is_owed_and_money_is_not_lost() -> None:
    venue = Venue(pair_specs([BTC]), model=FillModel(carry_a_day=Decimal("0.3")))
    account = venue.open_account("a", (("exchange", "BTC", Decimal(1)), ("exchange", "USD", Decimal(5))))
    venue.on_tick(BTC, 100.0, 1.0, 0)
    assert len(venue.charge_carry(0)) == 1
    assert account.wallet("exchange", "USD").balance == 0
    account.wallet("exchange", "USD").balance = Decimal(50)
    venue.charge_carry(1)
    # Ten of the first time, of which five were there, and ten of the second.
    assert account.wallet("exchange", "USD").balance == Decimal(35)
    assert venue.books.fees["USD"] == Decimal(20)


def test_costs_that_no_market_has_are_refused() -> None:
    for name in ("slippage", "maker_fee", "taker_fee", "impact", "carry_a_day"):
        for wrong in ("-0.001", "0.2", "NaN"):
            with pytest.raises(ValueError, match=name):
                Costs(**{name: Decimal(wrong)}).model()  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="fee_tiers"):
        Costs(fee_tiers=True, maker_fee=Decimal(0)).model()


def test_every_test_that_the_page_names_exists() -> None:
    root = Path(__file__).parents[3]
    page = (root / "docs" / "backtesting.md").read_text()
    sources = "".join(path.read_text() for path in (root / "tests" / "genesis").rglob("test_*.py"))
    named = set(re.findall(r"`(test_\w+)`", page))
    assert len(named) > 15
    assert {name for name in named if f"def {name}(" not in sources} == set()
