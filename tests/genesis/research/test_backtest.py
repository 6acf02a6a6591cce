"""The backtest of the shipped crash: exact, repeatable, and its money adds up."""

import itertools
from collections import Counter
from decimal import Decimal
from typing import TypeVar

import msgspec
import pytest

from genesis.domain.recording import CandleRecording
from genesis.domain.replay import CandleRow
from genesis.research import backtest, walk
from genesis.research.backtest import run_backtest, strategy_markets
from genesis.research.parity import compare
from genesis.research.walk import Walk
from genesis.simulator.recordings import load
from protocols.risk import DenialCode, Verdict
from protocols.settings import RiskSettings, Settings, StrategySettings
from protocols.signals import SignalScore
from protocols.units import Symbol

T = TypeVar("T")
BTC, ETH = Symbol("tBTCUSD"), Symbol("tETHUSD")
NERVOUS = Settings(
    strategies=(
        StrategySettings(name="btc", symbol=BTC, timeframe="1m", parameters={"fast": 5, "slow": 20}),
        StrategySettings(name="eth", symbol=ETH, timeframe="5m"),
    )
)


@pytest.fixture(scope="module")
def crash() -> CandleRecording:
    recording = load("2018-02-crash")
    assert isinstance(recording, CandleRecording)
    return recording


def shortened(recording: CandleRecording, minutes: int) -> CandleRecording:
    last_ms = recording.first_ms + (minutes - 1) * 60_000
    rows = {symbol: tuple(row for row in found if row.open_ms <= last_ms) for symbol, found in recording.rows.items()}
    return msgspec.structs.replace(recording, rows=rows, last_ms=last_ms)


def test_two_runs_decide_the_same_to_the_byte(crash: CandleRecording) -> None:
    first, second = run_backtest(crash, Settings()), run_backtest(crash, Settings())
    assert compare(first.lines, second.lines).equal
    assert first == second


def test_the_money_adds_up(crash: CandleRecording) -> None:
    result = run_backtest(crash, NERVOUS)
    figures = result.performance
    assert figures.trades > 20
    open_profit = figures.final_equity - figures.start_equity - figures.realized_pnl
    closed = sum((trade.pnl for trade in result.trades), Decimal(0))
    # What is not realized is the open positions' own; with none open, realized profit is the whole change.
    assert abs(closed - figures.realized_pnl) <= abs(open_profit) + Decimal("0.01")
    assert figures.fees_quote > 0
    assert min(point.equity for point in result.curve) > 0


def test_orders_alternate_and_sell_exactly_what_the_fees_left(crash: CandleRecording) -> None:
    result = run_backtest(crash, NERVOUS)
    sides: dict[str, list[str]] = {BTC: [], ETH: []}
    for line in result.lines:
        if line.startswith(b"SubmitOrder"):
            body = msgspec.json.decode(line.split(b" ", 1)[1])[3]
            if body["type"] == "EXCHANGE STOP":
                # The stop around what was just bought; nothing falls far enough here for it to sell.
                continue
            sides[body["symbol"]].append("sell" if body["amount"].startswith("-") else "buy")
    for symbol, told in sides.items():
        assert told, symbol
        assert all(one != other for one, other in itertools.pairwise(told)), symbol
    assert all(trade.quantity > 0 for trade in result.trades)


def test_what_follows_changes_nothing_that_was_decided_before(crash: CandleRecording) -> None:
    """No look-ahead: the decisions of half a day are the first decisions of two days."""
    short = run_backtest(shortened(crash, 700), NERVOUS)
    whole = run_backtest(crash, NERVOUS)
    for kind in (b"SignalScore", b"Verdict", b"SubmitOrder"):
        part = [line for line in short.lines if line.startswith(kind)]
        assert part
        assert part == [line for line in whole.lines if line.startswith(kind)][: len(part)]


def test_a_changed_future_changes_no_past(crash: CandleRecording) -> None:
    rows = {symbol: list(found) for symbol, found in crash.rows.items()}
    cut = 700
    rows[BTC][cut:] = [
        CandleRow(row.open_ms, row.open * 2, row.close * 2, row.high * 2, row.low * 2, row.volume)
        for row in rows[BTC][cut:]
    ]
    changed = msgspec.structs.replace(crash, rows={symbol: tuple(found) for symbol, found in rows.items()})
    first, second = run_backtest(crash, NERVOUS), run_backtest(changed, NERVOUS)
    before_ms = rows[BTC][cut].open_ms
    assert _signals_until(first.lines, before_ms) == _signals_until(second.lines, before_ms)
    assert first.digest != second.digest


def test_history_warms_up_and_never_trades(crash: CandleRecording) -> None:
    result = run_backtest(crash, NERVOUS)
    scores = [_decoded(line, SignalScore) for line in result.lines if line.startswith(b"SignalScore")]
    history = [score for score in scores if score.catch_up]
    assert history
    assert all(score.decided_ms <= crash.first_ms for score in history)
    told = {score.signal_id for score in history}
    verdicts = [_decoded(line, Verdict) for line in result.lines if line.startswith(b"Verdict")]
    assert verdicts
    assert not any(verdict.signal_id in told for verdict in verdicts)


def test_a_stop_follows_from_the_gain_on_that_the_settings_name(crash: CandleRecording) -> None:
    def fills(**limits: object) -> list[tuple[str, Decimal]]:
        risk = RiskSettings(stop_fraction=Decimal("0.02"), max_trades_per_day=500, max_trades_per_symbol=500, **limits)  # type: ignore[arg-type]
        result = run_backtest(crash, msgspec.structs.replace(NERVOUS, risk=risk))
        return [(fill.purpose.value, fill.price) for fill in result.fills]

    fixed = fills()
    assert fills(stop_trails=True, stop_trails_from=Decimal(1)) == fixed, "a gain that never comes moves nothing"
    moved = fills(stop_trails=True, stop_trails_from=Decimal("0.01"))
    assert moved != fixed
    assert sum(purpose == "stop" for purpose, _ in moved) > sum(purpose == "stop" for purpose, _ in fixed)


def test_refusals_are_counted_by_code(crash: CandleRecording) -> None:
    tight = msgspec.structs.replace(NERVOUS, risk=RiskSettings(max_trades_per_day=3))
    result = run_backtest(crash, tight)
    verdicts = [_decoded(line, Verdict) for line in result.lines if line.startswith(b"Verdict")]
    counted = Counter(denial.code.value for verdict in verdicts for denial in verdict.denials if denial.code)
    assert result.refusals == dict(sorted(counted.items()))
    assert result.refusals[DenialCode.MAX_TRADES_PER_DAY.value] > 0
    entries = [verdict for verdict in verdicts if verdict.approved and verdict.verdict_id.endswith(":entry")]
    assert len(entries) == 6  # two days


@pytest.mark.parametrize("name", ["2015-08-flash", "2016-08-halt"])
def test_gaps_halts_and_flash_crashes_run_through(name: str) -> None:
    recording = load(name)
    assert isinstance(recording, CandleRecording)
    settings = Settings(strategies=(StrategySettings(name="btc", timeframe="1m"),))
    result = run_backtest(recording, settings)
    assert result.candles == len(recording.rows[BTC])
    assert len([line for line in result.lines if line.startswith(b"SignalScore")]) >= result.candles - 1


def test_markets_come_in_the_order_in_which_their_candles_close() -> None:
    settings = Settings(
        strategies=(
            StrategySettings(name="a", symbol=ETH, timeframe="5m"),
            StrategySettings(name="b", symbol=BTC, timeframe="15m"),
            StrategySettings(name="c", symbol=BTC, timeframe="1m"),
            StrategySettings(name="d", symbol=BTC, timeframe="5m", enabled=False),
        )
    )
    assert strategy_markets(settings, (BTC, ETH)) == [(BTC, "1m"), (BTC, "15m"), (ETH, "5m")]


def _decoded(line: bytes, kind: type[T]) -> T:
    return msgspec.json.decode(line.split(b" ", 1)[1], type=kind)


def _signals_until(lines: tuple[bytes, ...], before_ms: int) -> list[bytes]:
    return [
        line
        for line in lines
        if line.startswith(b"SignalScore") and _decoded(line, SignalScore).decided_ms <= before_ms
    ]


def test_a_long_run_holds_neither_words_nor_ended_orders_and_finds_both_the_same(
    crash: CandleRecording, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Years of trades would not fit into memory: words are made again by the same walk when somebody reads them."""
    kept = run_backtest(crash, NERVOUS)
    seen: list[Walk] = []
    begin = Walk.begin

    def begin_and_show(self: Walk) -> None:
        seen.append(self)
        begin(self)

    monkeypatch.setattr(Walk, "begin", begin_and_show)
    monkeypatch.setattr(walk, "ORDERS_HELD", 5)
    monkeypatch.setattr(backtest, "WORDS_HELD", 50)
    for every_minute in (False, True):
        seen.clear()
        short = run_backtest(crash, NERVOUS, every_minute=every_minute)
        (run,) = seen
        assert not run.has_words
        assert run.machine.last_cid > 100
        assert len(run.machine.orders) <= 15
        assert len(run.machine.fills.rows) <= 15
        assert len(run.decisions) <= 60
        assert short == kept
        assert compare(short.lines, kept.lines).equal
        assert len(seen) == 2
        assert short.decisions == kept.decisions
        assert len(seen) == 2
