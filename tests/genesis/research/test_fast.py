"""The fast runner against the exact one: every fill the same, equity to 1e-9, and a word where it cannot trade."""

from decimal import Decimal

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from genesis.domain.indicators.compiling import can_compile
from genesis.domain.matching import VENUE_TIERS, FillModel, FillWhen
from genesis.domain.recording import CandleRecording
from genesis.domain.strategies import STRATEGY_KINDS
from genesis.domain.strategy import Opinion, StrategyKind
from genesis.research.backtest import run_backtest
from genesis.research.bars import BarRecording
from genesis.research.costs import Costs
from genesis.research.fast import FastResult, NotFast, Prepared, exact_fills, run_fast, sweep, why_not_fast
from genesis.research.fast_numbers import digits, first_above, half_even, multiply_divide, price_down, price_up, ten
from genesis.research.fast_walk import BLOCK, bound, first_reached, highest
from protocols.market import Candle
from protocols.settings import RiskSettings, Settings, StrategySettings
from protocols.units import Symbol
from tests.genesis.research.test_leaping import BTC, NAMES, any_settings, recording

FREE = RiskSettings(
    max_daily_loss=Decimal(1), max_weekly_loss=Decimal(1), max_drawdown=Decimal(1), max_strategy_drawdown=Decimal(1)
)
BUDGET = Decimal("0.002")
WAYS = [False, True] if can_compile() else [False]


def ema(symbol: str = BTC, timeframe: str = "1m", risk: RiskSettings = FREE, **parameters: float) -> Settings:
    strategy = StrategySettings(name="s", symbol=symbol, timeframe=timeframe, parameters=parameters)
    return Settings(strategies=(strategy,), risk=risk)


def assert_same(candles: CandleRecording, settings: Settings, model: FillModel | None, compile_: bool) -> FastResult:
    bars = BarRecording.of(candles)
    prepared = Prepared.of(bars, settings, model=model, compile=compile_)
    found = run_fast(prepared)
    judge = run_backtest(candles, settings, model=model)
    assert found.fills == exact_fills(judge, bars.rows[Symbol(settings.strategies[0].symbol)])
    equities = np.array([float(point.equity) for point in judge.curve])
    assert np.allclose(found.curve, equities, rtol=1e-9, atol=0)
    figures = judge.performance
    assert found.final_equity == pytest.approx(float(figures.final_equity), rel=1e-9)
    assert found.max_drawdown == pytest.approx(figures.max_drawdown, abs=1e-9)
    assert (found.sharpe is None) == (figures.sharpe is None)
    if found.sharpe is not None:
        assert found.sharpe == pytest.approx(figures.sharpe, rel=1e-6)
    assert found.fees_quote == pytest.approx(float(figures.fees_quote), abs=1e-6)
    assert (found.trades, found.winrate) == (figures.trades, figures.winrate)
    return found


@given(data=st.data())
@hypothesis_settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_it_fills_what_the_exact_runner_fills(data: st.DataObject) -> None:
    candles = recording(
        data.draw(st.sampled_from(NAMES)),
        data.draw(st.integers(0, 1500)),
        data.draw(st.integers(3, 1200)),
        holes=frozenset(data.draw(st.sets(st.integers(0, 400), max_size=40))),
    )
    if not all(candles.rows.values()):
        return
    drawn = data.draw(any_settings(candles.symbols))
    risk = msgspec.structs.replace(drawn.risk, stop_trails=False)
    settings = msgspec.structs.replace(drawn, strategies=drawn.strategies[:1], risk=risk)
    if STRATEGY_KINDS[settings.strategies[0].kind].numeric is None:
        return
    costly = FillModel(half_spread=Decimal("0.0011"), slippage=Decimal("0.0003"), low_first=True)
    free = Costs(maker_fee=Decimal(0), taker_fee=Decimal("0.00065")).model()
    model = data.draw(st.sampled_from([None, costly, free]))
    assert_same(candles, settings, model, data.draw(st.sampled_from(WAYS)))


@pytest.mark.parametrize("compile_", WAYS)
@pytest.mark.parametrize(
    "risk",
    [
        FREE,
        RiskSettings(),
        msgspec.structs.replace(FREE, stop_fraction=Decimal("0.004"), target_fraction=Decimal("0.008")),
        msgspec.structs.replace(FREE, stop_atr=Decimal("1.5"), target_atr=Decimal(2), position_fraction=Decimal("0.9")),
        msgspec.structs.replace(FREE, stop_fraction=Decimal(0), target_fraction=Decimal("0.01"), atr_budget=BUDGET),
        msgspec.structs.replace(FREE, stop_guard_losses=2, stop_guard_window_s=7200, exit_cooldown_s=90),
        msgspec.structs.replace(FREE, low_profit_trades=3, low_profit_lock_s=7200),
        msgspec.structs.replace(FREE, breaker_volatility_ratio=Decimal("1.5"), regime_high_fraction=Decimal("0.3")),
        msgspec.structs.replace(FREE, breaker_slippage_bps=Decimal(3), breaker_cooldown_s=600, breaker_probes=2),
    ],
)  # fmt: skip
def test_a_crash_is_traded_the_same_by_the_kernel_itself(risk: RiskSettings, compile_: bool) -> None:
    candles = recording("2018-02-crash", 0, 2400)
    found = assert_same(candles, ema(risk=risk, fast=4, slow=11, atr=6), None, compile_)
    assert found.ran_fast, found.why
    assert found.trades > 5


def test_stops_and_targets_are_hit_on_the_way() -> None:
    risk = msgspec.structs.replace(FREE, stop_fraction=Decimal("0.004"), target_fraction=Decimal("0.008"))
    found = run_fast(Prepared.of(BarRecording.of(recording("2018-02-crash", 0, 2400)), ema(risk=risk, fast=4, slow=11)))
    assert {fill.what for fill in found.fills} == {"entry", "exit", "stop", "target"}


def test_an_entry_decided_at_the_last_close_never_fills() -> None:
    settings = ema(fast=4, slow=11, atr=6)
    whole = run_fast(Prepared.of(BarRecording.of(recording("2018-02-crash", 0, 400)), settings, compile=False))
    entry = [fill.bar for fill in whole.fills if fill.what == "entry"][3]
    found = assert_same(recording("2018-02-crash", 0, entry), settings, None, False)
    assert found.ran_fast
    assert found.fills == tuple(fill for fill in whole.fills if fill.bar < entry)


def test_a_sweep_is_its_runs_in_their_order_on_any_number_of_threads() -> None:
    prepared = Prepared.of(BarRecording.of(recording("2018-02-crash", 0, 1500)), ema())
    sets = [{"fast": fast, "slow": slow} for fast in (3, 5, 9) for slow in (12, 20)]
    heard: list[int] = []
    one = sweep(prepared, sets, on_done=heard.append)
    assert heard == [1, 2, 3, 4, 5, 6]
    assert one == [run_fast(prepared, given) for given in sets] == sweep(prepared, sets, threads=2)
    assert len({result.final_equity for result in one}) == len(sets)
    assert [result.parameters for result in one] == sets
    with pytest.raises(ValueError, match=r"ema_cross.fast must be below ema_cross.slow"):
        sweep(prepared, [{"fast": 3, "slow": 9}, {"fast": 9, "slow": 3}])
    assert sweep(prepared, []) == []
    with pytest.raises(ValueError, match="threads must be at least 1, was 0"):
        sweep(prepared, sets, threads=0)


def buys_every_minute(
    state: object, open_: float, high: float, low: float, close: float, volume: float
) -> tuple[float, float, float]:
    return 1.0, 1.0, 0.5


def test_what_shows_on_the_way_is_left_to_the_exact_runner() -> None:
    eager = StrategyKind(
        name="eager",
        version=1,
        parameters=(),
        start=lambda _: [0.0],
        numeric=buys_every_minute,
        describe=lambda state, code: ({}, ("always",)),
    )
    STRATEGY_KINDS.take_up({"eager": eager})
    try:
        strategy = StrategySettings(name="s", kind="eager", timeframe="1m")
        settings = Settings(strategies=(strategy,), risk=FREE)
        found = assert_same(recording("2018-02-crash", 0, 300), settings, None, False)
    finally:
        STRATEGY_KINDS.take_up({})
    assert not found.ran_fast
    assert found.why == "the strategy adds to a position that it holds"
    assert found.fills


def plain_step(state: list[float], candle: Candle) -> Opinion:
    raise AssertionError


def test_it_says_why_it_cannot() -> None:
    bars = BarRecording.of(recording("2018-02-crash", 0, 60))
    two = ema()
    two = msgspec.structs.replace(
        two, strategies=(*two.strategies, msgspec.structs.replace(two.strategies[0], name="t"))
    )
    plain = StrategyKind(name="plain", version=1, parameters=(), start=lambda _: [], step=plain_step)
    STRATEGY_KINDS.take_up({"plain": plain})
    try:
        foreign = Settings(strategies=(StrategySettings(name="p", kind="plain", timeframe="1m"),))
        assert why_not_fast(bars, foreign) == "strategy plain has no numeric step"
    finally:
        STRATEGY_KINDS.take_up({})
    trailing = ema(risk=msgspec.structs.replace(FREE, stop_trails=True))
    assert why_not_fast(bars, ema()) is None
    assert why_not_fast(bars, two) == "it trades one strategy at a time, not 2"
    assert why_not_fast(bars, trailing) == "stops that follow the market are for the exact runner"
    assert why_not_fast(bars, ema("tXRPUSD")) == "the recording has no tXRPUSD"
    for model in (FillModel(latency_ms=5), FillModel(when=FillWhen.AT_ONCE), FillModel(participation=Decimal("0.1"))):
        assert why_not_fast(bars, ema(), model=model) == "it fills at the next tick, whole and without latency"
    tiers = "fees that fall with the volume are for the exact runner"
    assert why_not_fast(bars, ema(), model=FillModel(fee_tiers=VENUE_TIERS)) == tiers
    with pytest.raises(NotFast, match="nothing else"):
        Prepared.of(bars, ema(), balances=[("margin", "USD", Decimal(5))])
    with pytest.raises(ValueError, match="strategy kind must be one of"):
        why_not_fast(bars, msgspec.structs.replace(ema(), strategies=(StrategySettings(name="x", kind="magic"),)))


@given(one=st.integers(0, 10**17), other=st.integers(1, 10**8), by=st.integers(10**3, 10**15))
def test_a_product_too_long_for_64_bits_is_divided_exactly(one: int, other: int, by: int) -> None:
    if one * other // by >= 2**52:
        return
    assert multiply_divide(one, other, by) == one * other // by


@given(number=st.integers(1, 10**16), decimals=st.integers(0, 12))
def test_prices_are_cut_as_the_venue_cuts_them(number: int, decimals: int) -> None:
    from genesis.domain import pairs

    exact = Decimal(number).scaleb(-decimals)
    for ours, theirs in ((price_down, pairs.price_down), (price_up, pairs.price_up)):
        found, places = ours(number, decimals)
        assert Decimal(found).scaleb(-places) == theirs(exact)


def test_powers_and_digits_are_those_of_the_numbers() -> None:
    for power in range(19):
        assert ten(power) == 10**power
        assert [digits(10**power - 1), digits(10**power)] == [max(1, power), power + 1]


@given(numbers=st.lists(st.integers(-5, 5), max_size=20), value=st.integers(-6, 6), begin=st.integers(0, 20))
def test_the_first_number_above_is_found(numbers: list[int], value: int, begin: int) -> None:
    numbers.sort()
    begin = min(begin, len(numbers))
    found = first_above(numbers, begin, len(numbers), value)
    assert found == next((at for at in range(begin, len(numbers)) if numbers[at] > value), len(numbers))


@given(
    bars=st.lists(st.tuples(st.integers(1, 60), st.integers(61, 99)), min_size=1, max_size=200),
    stop=st.integers(-1, 30),
    target=st.integers(80, 120),
    data=st.data(),
)
def test_rows_are_leapt_over_only_where_nothing_is_reached(
    bars: list[tuple[int, int]], stop: int, target: int, data: st.DataObject
) -> None:
    lows, highs = [low for low, _ in bars], [high for _, high in bars]
    begin = data.draw(st.integers(0, len(bars)))
    until = data.draw(st.integers(begin, len(bars)))
    blocks = range(0, len(bars), BLOCK)
    block_low, block_high = (
        [min(lows[at : at + BLOCK]) for at in blocks],
        [max(highs[at : at + BLOCK]) for at in blocks],
    )
    found = first_reached(begin, until, stop, target, lows, highs, block_low, block_high)
    assert found == next((at for at in range(begin, until) if lows[at] <= stop or highs[at] >= target), until)
    if begin < until:
        assert highest(highs, block_high, begin, until) == max(highs[begin:until])
        assert bound(block_high, begin, until) >= max(highs[begin:until])


@pytest.mark.skipif(not can_compile(), reason="a sweep with shared columns is compiled")
@pytest.mark.parametrize("risk", [FREE, msgspec.structs.replace(FREE, stop_atr=Decimal(2), target_atr=Decimal(3))])
def test_sets_that_share_columns_trade_as_each_alone_does(risk: RiskSettings) -> None:
    """The sweep finds where sides change in shared columns; a set alone asks the strategy's own step."""
    prepared = Prepared.of(BarRecording.of(recording("2018-02-crash", 300, 2400)), ema(risk=risk), compile=True)
    assert len(prepared.warm) > 0
    sets = [{"fast": fast, "slow": slow, "atr": atr} for fast in (3, 5, 9) for slow in (12, 20) for atr in (5, 14)]
    swept = sweep(prepared, sets)
    assert swept == [run_fast(prepared, given) for given in sets]
    judge = run_fast(Prepared.of(prepared.bars, prepared.settings, compile=False), sets[3])
    assert swept[3] == judge
    assert swept[3].fills == judge.fills
    assert swept[3].trades == len(swept[3].profits) > 10


@given(number=st.integers(0, 10**15), unit=st.sampled_from([1, 10, 1000]))
def test_halves_go_to_the_even_neighbour(number: int, unit: int) -> None:
    assert half_even(number, unit) == (Decimal(number) / unit).to_integral_value("ROUND_HALF_EVEN")
