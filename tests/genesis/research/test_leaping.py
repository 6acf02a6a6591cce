"""The leaping walk against the walk of every minute: the same decisions to the byte, and the same figures."""

import math
import random
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from genesis.domain import order_ledger, risk_judgement
from genesis.domain.candles import aggregate, bucket_open
from genesis.domain.indicators.compiling import can_compile
from genesis.domain.matching import FillModel
from genesis.domain.pairs import pair_specs
from genesis.domain.recording import CandleRecording
from genesis.domain.replay import CandleRow
from genesis.domain.risk_rules.results import Rule
from genesis.domain.strategies import STRATEGY_KINDS
from genesis.domain.strategy import Opinion, StrategyFault, StrategyKind
from genesis.domain.volatility import Volatility
from genesis.research import heard_ranges
from genesis.research.backtest import START_BALANCES, BacktestResult, run_backtest
from genesis.research.bars import BarRecording, candle_at, columns_of, in_time_frame
from genesis.research.leaping import Leap, can_leap
from genesis.research.parity import compare
from genesis.research.walk import Walk
from genesis.simulator.recordings import load
from protocols.market import Candle
from protocols.settings import MarketSettings, RiskSettings, Settings, StrategySettings
from protocols.signals import Recommendation, SignalScore
from protocols.units import Symbol

BTC, ETH = Symbol("tBTCUSD"), Symbol("tETHUSD")
NAMES = ("2018-02-crash", "2015-08-flash", "2016-08-halt")


def recording(name: str, begin: int, minutes: int, *, holes: frozenset[int] = frozenset()) -> CandleRecording:
    """A part of a shipped recording whose history is what came before it, perhaps with minutes taken out."""
    whole = load(name)
    assert isinstance(whole, CandleRecording)
    first_ms = whole.first_ms + begin * 60_000
    last_ms = min(whole.last_ms, first_ms + (minutes - 1) * 60_000)
    before: dict[Symbol, tuple[CandleRow, ...]] = {}
    rows: dict[Symbol, tuple[CandleRow, ...]] = {}
    for symbol, found in whole.rows.items():
        every = whole.history.get(symbol, ()) + found
        before[symbol] = tuple(row for row in every if row.open_ms < first_ms)[-400:]
        part = [row for row in every if first_ms <= row.open_ms <= last_ms]
        rows[symbol] = tuple(row for number, row in enumerate(part) if number not in holes)
    return msgspec.structs.replace(whole, history=before, rows=rows, first_ms=first_ms, last_ms=last_ms)


def assert_same(found: BacktestResult, judge: BacktestResult) -> None:
    report = compare(found.lines, judge.lines, left_name="leaping", right_name="every minute")
    assert report.equal, str(report)
    assert found == judge
    assert found.decisions == judge.decisions


def both(candles: CandleRecording, settings: Settings, model: FillModel | None = None) -> BacktestResult:
    found = run_backtest(candles, settings, model=model)
    assert_same(found, run_backtest(candles, settings, model=model, every_minute=True))
    return found


@st.composite
def parameters_of(draw: st.DrawFn, kind: StrategyKind) -> Mapping[str, float]:
    """Parameters near the low end of their ranges, where strategies trade a lot; those that contradict are redrawn."""
    for _ in range(50):
        given_: dict[str, float] = {}
        for parameter in kind.parameters:
            high = min(parameter.high, max(parameter.default * 1.5, parameter.low + 5))
            if parameter.whole:
                given_[parameter.name] = draw(st.integers(int(parameter.low), int(high)))
            else:
                given_[parameter.name] = draw(st.floats(parameter.low, high))
        try:
            kind.start(kind.resolve(given_))
        except ValueError:
            continue
        return given_
    return {}


@st.composite
def any_settings(draw: st.DrawFn, symbols: tuple[Symbol, ...]) -> Settings:
    strategies = []
    for number in range(draw(st.integers(1, 3))):
        kind = STRATEGY_KINDS[draw(st.sampled_from(sorted(STRATEGY_KINDS.keys() - {"ensemble"})))]
        strategies.append(
            StrategySettings(
                name=f"s{number}",
                kind=kind.name,
                symbol=draw(st.sampled_from(symbols)),
                timeframe=draw(st.sampled_from(["1m", "1m", "5m", "15m", "1h"])),
                parameters=dict(draw(parameters_of(kind))),
            )
        )
    limits: dict[str, object] = {
        "position_fraction": draw(st.sampled_from([Decimal("0.25"), Decimal("0.8"), Decimal("1")])),
        "max_daily_loss": draw(st.sampled_from([Decimal("0.05"), Decimal("0.01"), Decimal(1)])),
        "max_drawdown": draw(st.sampled_from([Decimal("0.2"), Decimal("0.03"), Decimal(1)])),
        "max_strategy_drawdown": draw(st.sampled_from([Decimal("0.2"), Decimal("0.02"), Decimal(1)])),
        "max_trades_per_day": draw(st.sampled_from([200, 4])),
        "cooldown_s": draw(st.sampled_from([0.0, 600.0])),
        "exit_cooldown_s": draw(st.sampled_from([0.0, 900.0])),
        "windows": draw(st.sampled_from([(), ("mon 00:00-20:00", "tue 03:00-26:00", "wed 10:00-12:00")])),
        "windows_timezone": draw(st.sampled_from(["UTC", "Asia/Kolkata"])),
        "day_timezone": draw(st.sampled_from(["UTC", "America/New_York"])),
        "stop_guard_losses": draw(st.sampled_from([0, 2])),
        "stop_guard_all": draw(st.booleans()),
        "low_profit_trades": draw(st.sampled_from([0, 2])),
        "atr_budget": draw(st.sampled_from([Decimal(0), Decimal("0.01")])),
        "regime_high_fraction": draw(st.sampled_from([Decimal(1), Decimal("0.5")])),
        "regime_high_ratio": draw(st.sampled_from([Decimal(2), Decimal("1.1")])),
        "breaker_volatility_ratio": draw(st.sampled_from([Decimal(0), Decimal("1.5")])),
        "breaker_slippage_bps": draw(st.sampled_from([Decimal(300), Decimal("2")])),
        "stop_fraction": draw(st.sampled_from([Decimal("0.05"), Decimal("0.005"), Decimal(0)])),
        "stop_atr": draw(st.sampled_from([Decimal(0), Decimal(2)])),
        "target_fraction": draw(st.sampled_from([Decimal(0), Decimal("0.01")])),
        "target_atr": draw(st.sampled_from([Decimal(0), Decimal(3)])),
        "stop_trails": draw(st.sampled_from([False, False, True])),
        "stop_trails_from": draw(st.sampled_from([Decimal(0), Decimal("0.002")])),
    }
    return Settings(strategies=tuple(strategies), risk=RiskSettings(**limits))  # type: ignore[arg-type]


@given(data=st.data())
@hypothesis_settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
def test_leaps_come_to_the_same_as_every_minute(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(NAMES))
    candles = recording(
        name,
        data.draw(st.integers(0, 1500)),
        data.draw(st.integers(3, 1200)),
        holes=frozenset(data.draw(st.sets(st.integers(0, 400), max_size=40))),
    )
    if not all(candles.rows.values()):
        return
    settings = data.draw(any_settings(candles.symbols))
    models = [
        None,
        FillModel(half_spread=Decimal("0.001"), slippage=Decimal("0.002")),
        FillModel(impact=Decimal("0.01"), carry_a_day=Decimal("0.01")),
    ]
    both(candles, settings, data.draw(st.sampled_from(models)))


def test_it_trades_stops_out_and_is_refused_on_the_way() -> None:
    """The property would hold for runs in which nothing happens: here everything does."""
    settings = Settings(
        strategies=(
            StrategySettings(name="btc", symbol=BTC, timeframe="1m", parameters={"fast": 3, "slow": 8, "atr": 5}),
            StrategySettings(name="eth", symbol=ETH, timeframe="5m", parameters={"fast": 2, "slow": 5}),
            StrategySettings(name="slow", symbol=BTC, timeframe="15m"),
        ),
        risk=RiskSettings(stop_fraction=Decimal("0.004"), target_fraction=Decimal("0.008"), exit_cooldown_s=300),
    )
    result = both(recording("2018-02-crash", 200, 2000), settings)
    assert len(result.trades) > 40
    assert result.refusals.keys() >= {"locked", "nothing_to_reduce"}
    kinds = {line.split(b'"type":"')[1].split(b'"')[0] for line in result.lines if line.startswith(b"SubmitOrder")}
    assert len(kinds) > 1


def test_a_stop_that_we_draw_after_the_market_is_drawn_in_every_minute() -> None:
    """Until it trails at the venue nothing there reaches it: the price that begins it is ours to look for."""
    settings = Settings(
        strategies=(
            StrategySettings(name="btc", symbol=BTC, timeframe="5m", parameters={"fast": 3, "slow": 8, "atr": 5}),
        ),
        risk=RiskSettings(stop_fraction=Decimal("0.004"), stop_trails=True, stop_trails_from=Decimal("0.002")),
    )
    result = both(recording("2018-02-crash", 200, 2000), settings)
    assert sum(price is not None for price in result.expected.values()) > 20


@pytest.mark.parametrize("compiled", [False, True])
def test_ranges_over_an_array_are_what_they_are_heard_as_one_by_one(
    compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if compiled and not can_compile():
        pytest.skip("nothing to compile with")
    monkeypatch.setattr(heard_ranges, "worth_compiling", lambda _: compiled)
    chance = random.Random(3)
    broken = (math.nan, math.inf, 0.0, -1.0)
    for size in (0, 1, 3, 250, 600):
        ranges = [chance.choice(broken) if chance.random() < 0.1 else chance.random() * 5 for _ in range(size)]
        prices = [chance.choice(broken) if chance.random() < 0.05 else 100 + chance.random() for _ in range(size)]
        heard = Volatility(symbol=BTC, atr=1.0, relative=0.01, usual=0.02, scores=chance.choice((0, 40, 300)))
        told = zip(
            *heard_ranges.volatility_over(msgspec.structs.replace(heard), np.array(ranges), np.array(prices)),
            strict=True,
        )
        for distance, price, one in zip(ranges, prices, told, strict=True):
            heard.hear(distance, price)
            assert one == (heard.atr, heard.relative, heard.usual, heard.scores)


@pytest.mark.parametrize("deaf", [0.0, 0.1])
@pytest.mark.parametrize("unknown", [0, 14, 250])
def test_ranges_in_little_room_are_what_one_candle_after_the_other_was_heard(deaf: float, unknown: int) -> None:
    chance = random.Random(unknown)
    size = 250
    ranges = [math.nan if n < unknown or chance.random() < deaf else chance.random() * 5 for n in range(size)]
    prices = [100 + chance.random() for _ in range(size)]
    for scores in (0, 60):
        heard = Volatility(symbol=BTC, atr=1.0, relative=0.01, usual=0.02, scores=scores)
        found = heard_ranges.HeardRanges.of(msgspec.structs.replace(heard), np.array(ranges), np.array(prices))
        assert (found.newest is None) == (deaf == 0.0 or unknown == size)
        ratios = found.ratios()
        for place, (distance, price) in enumerate(zip(ranges, prices, strict=True)):
            heard.hear(distance, price)
            assert found.at(place) == (heard.atr, heard.relative, heard.usual, heard.scores)
            assert ratios[place] == (heard.ratio or 0.0)


def fails_at_the_hundredth(state: list[float], candle: Candle) -> Opinion:
    state[0] += 1
    if state[0] == 100:
        raise StrategyFault("a hundred is too many")
    buys = state[0] % 7 == 0
    return Opinion(
        recommendation=Recommendation.BUY if buys else Recommendation.HOLD,
        confidence=1.0,
        probability=0.5,
        features={},
        reasons=(),
    )


def test_a_plain_python_strategy_leaps_too_until_it_fails() -> None:
    cross = STRATEGY_KINDS["ema_cross"]

    def step(state: list[float], candle: Candle) -> Opinion:
        return cross.step(state, candle)

    plain = StrategyKind(name="plain", version=1, parameters=cross.parameters, start=cross.start, step=step)
    failing = StrategyKind(name="failing", version=1, parameters=(), start=lambda _: [0.0], step=fails_at_the_hundredth)
    STRATEGY_KINDS.take_up({"plain": plain, "failing": failing})
    try:
        settings = Settings(
            strategies=(
                StrategySettings(name="p", kind="plain", timeframe="1m", parameters={"fast": 4, "slow": 9}),
                StrategySettings(name="f", kind="failing", timeframe="5m"),
            )
        )
        result = both(recording("2018-02-crash", 100, 900), settings)
    finally:
        STRATEGY_KINDS.take_up({})
    assert result.trades
    assert result.faults == {"f": "a hundred is too many"}


def test_settings_that_close_candles_later_are_walked_minute_by_minute() -> None:
    late = Settings(market=MarketSettings(candle_close_grace_ms=30_000))
    assert can_leap(Settings())
    assert not can_leap(late)
    both(recording("2018-02-crash", 0, 300), late)


def test_decisions_are_worked_out_when_somebody_asks() -> None:
    candles = recording("2018-02-crash", 0, 600)
    bars = BarRecording.of(candles)
    settings = Settings()
    found, judge = run_backtest(bars, settings), run_backtest(candles, settings, every_minute=True)
    assert found.curve == judge.curve
    assert_same(found, judge)


def test_no_word_is_written_before_somebody_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of verdicts, nor of rows and updates for a journal that a backtest has not."""
    written: list[object] = []

    def noted(once: Callable[..., Any]) -> Callable[..., Any]:
        def write(each: Any, *more: Any, **named: Any) -> Any:
            written.append(each)
            return once(each, *more, **named)

        return write

    for module, name in ((risk_judgement, "told"), (order_ledger, "encode")):
        monkeypatch.setattr(module, name, noted(getattr(module, name)))
    result = run_backtest(recording("2018-02-crash", 0, 600), Settings())
    assert result.fills
    assert not written
    assert result.lines
    assert {type(each) for each in written} == {Rule}


def test_most_minutes_are_leapt_over(monkeypatch: pytest.MonkeyPatch) -> None:
    walked: list[int] = []
    once = Leap._walk_minute

    def counted(self: Leap, minute: int) -> None:
        walked.append(minute)
        once(self, minute)

    monkeypatch.setattr(Leap, "_walk_minute", counted)
    result = run_backtest(recording("2018-02-crash", 0, 2000), Settings())
    assert result.trades
    assert len(walked) < 150


def test_refusals_in_a_row_are_counted_and_not_walked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until the next day, a lock's end or the like: then something may be let through again."""
    walked: list[int] = []
    once = Leap._walk_minute

    def counted(self: Leap, minute: int) -> None:
        walked.append(minute)
        once(self, minute)

    monkeypatch.setattr(Leap, "_walk_minute", counted)
    cross: Mapping[str, float] = {"fast": 2, "slow": 6, "atr": 5}
    settings = Settings(
        strategies=tuple(
            StrategySettings(name=name, symbol=symbol, timeframe="1m", parameters=dict(cross))
            for name, symbol in (("btc", BTC), ("eth", ETH))
        ),
        risk=RiskSettings(
            max_daily_loss=Decimal("0.02"),
            max_trades_per_day=10,
            cooldown_s=600.0,
            windows=("mon 00:00-24:00", "tue 00:00-12:00", "wed 00:00-24:00"),
            exit_cooldown_s=900.0,
        ),
    )
    result = both(recording("2018-02-crash", 200, 4000), settings)
    assert len(result.trades) > 15
    assert result.refusals.keys() >= {
        "max_trades_per_day",
        "nothing_to_reduce",
        "cooldown",
        "locked",
        "outside_windows",
    }
    scores = [decision for decision in result.decisions if isinstance(decision, SignalScore)]
    assert sum(score.recommendation is not Recommendation.HOLD for score in scores) > 10 * len(walked)


@pytest.mark.parametrize("timeframe", ["1m", "5m", "15m", "1h", "1D", "1W"])
def test_columns_become_the_candles_of_the_live_path(timeframe: str) -> None:
    candles = recording("2018-02-crash", 7, 2500, holes=frozenset(range(100, 130)))
    rows = candles.rows[BTC]
    minutes = [
        Candle(symbol=BTC, timeframe="1m", open_ms=row.open_ms, open=row.open, high=row.high, low=row.low,
               close=row.close, volume=row.volume)
        for row in rows
    ]  # fmt: skip
    expected = aggregate(minutes, timeframe)
    found = in_time_frame(columns_of(rows), timeframe)
    assert [candle_at(found, place, BTC, timeframe) for place in range(len(found))] == expected
    begun = aggregate(minutes[:3], timeframe)[-1]
    after = [row for row in rows[3:]]
    if bucket_open(after[0].open_ms, timeframe) == begun.open_ms:
        again = in_time_frame(columns_of(after), timeframe, begun=begun)
        assert candle_at(again, 0, BTC, timeframe) == expected[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"first_ms": 30_000}, "times must ascend in whole minutes"),
        ({"last_ms": 60_000}, "times must be from 0 to 60000, were not"),
    ],
)
def test_columns_that_cannot_be_a_recording_are_refused(change: dict[str, int], message: str) -> None:
    rows = [CandleRow(number * 60_000, 1.0, 1.0, 1.0, 1.0, 1.0) for number in range(5)]
    wanted = {"first_ms": 0, "last_ms": 240_000} | change
    with pytest.raises(ValueError, match=message):
        BarRecording(name="x", history={}, rows={BTC: columns_of(rows)}, **wanted)


def test_what_risk_remembers_of_leapt_scores_is_what_it_would_have_heard() -> None:
    """The states themselves, not only what came of them."""
    candles = recording("2018-02-crash", 0, 1500)
    settings = Settings(
        strategies=(
            StrategySettings(name="btc", symbol=BTC, timeframe="1m"),
            StrategySettings(name="btc-5", symbol=BTC, timeframe="5m"),
            StrategySettings(name="eth", symbol=ETH, timeframe="15m"),
        )
    )
    specs = pair_specs(candles.symbols)
    runs = (
        Leap(BarRecording.of(candles), settings, None, specs, START_BALANCES),
        Walk(candles, settings, None, specs, START_BALANCES),
    )
    for run in runs:
        run.begin()
        run.walk()
    leapt, walked = (
        msgspec.json.decode(msgspec.json.encode((run.risk.state, run.account.state()), order="sorted")) for run in runs
    )
    assert leapt == walked
