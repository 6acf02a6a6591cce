"""Protections, breakers, budgets and conditions; and the journal's records alone tell the same state."""

import random
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genesis.domain.conditions import AGAIN_S, ConditionWatch
from genesis.domain.risk_history import rederive
from genesis.domain.risk_machine import RiskMachine, RiskOutputs
from genesis.domain.trading_breaker import TradingBreaker
from protocols.journal import AnyRecord
from protocols.market import Freshness, Ticker
from protocols.orders import Purpose
from protocols.risk import (
    AccountState,
    AddLock,
    BreakerState,
    ConditionKind,
    DenialCode,
    ManualOrder,
    MarketCondition,
    OrderResult,
    RemoveLock,
    ResetBreaker,
    ResetPeaks,
    SetPaused,
    SetTradingState,
    TradeResult,
    TradingState,
)
from protocols.settings import RiskSettings, Settings
from protocols.signals import SignalScore
from protocols.units import Side
from tests.genesis.domain.denials import ETH, PAIRS, machine, manual, wild
from tests.genesis.domain.risk_world import BTC, START_MS, a_score, an_account

MINUTE = 60_000


def codes_of(made: RiskMachine, score: SignalScore) -> set[DenialCode]:
    outputs = made.on_score(score)
    return {result.code for verdict in outputs.verdicts for result in verdict.denials if result.code is not None}


def results(*each: tuple[int, str, str]) -> AccountState:
    """An account whose trades ended at these minutes, in these symbols, with these profits (of 1,000 put in)."""
    told = tuple(
        TradeResult(
            number=number,
            symbol=BTC if symbol == "BTC" else ETH,
            strategy="s",
            pnl=Decimal(pnl),
            fraction=Decimal(pnl) / 1000,
            exit_ms=START_MS + minute * MINUTE,
        )
        for number, (minute, symbol, pnl) in enumerate(each, 1)
    )
    return msgspec.structs.replace(an_account(), results=told, trades_count=len(told))


def ended(made: RiskMachine, *, refused: bool = False, price: float = 7000.0, filled: str = "0.1") -> RiskOutputs:
    """Every order at work ends so."""
    open_now = [approved.intent for approved in made.open_approvals()]
    endings = tuple(
        OrderResult(
            intent_id=intent.intent_id,
            refused=refused,
            filled_quantity=Decimal(filled),
            average_price=Decimal(str(price)) if Decimal(filled) else Decimal(0),
            ended_ms=0,
        )
        for intent in open_now
    )
    account = an_account(closed=tuple(intent.intent_id for intent in open_now))
    return made.on_account(msgspec.structs.replace(account, endings=endings))


# --- locks --------------------------------------------------------------------------------------------------------


def test_the_stop_loss_guard_locks_its_symbol_and_lets_go_again() -> None:
    made = machine(RiskSettings(stop_guard_losses=2, stop_guard_window_s=600, stop_guard_lock_s=300))
    made.on_score(a_score(0, "hold"))
    made.on_account(results((0, "BTC", "-5"), (1, "ETH", "-5"), (2, "BTC", "5")))
    assert made.status().locks == ()
    outputs = made.on_account(results((0, "BTC", "-5"), (1, "ETH", "-5"), (2, "BTC", "5"), (3, "BTC", "-1")))
    (lock,) = made.status().locks
    assert (lock.symbol, lock.until_ms) == (BTC, START_MS + 8 * MINUTE)
    assert outputs.notices[0][0] == "risk_locked"
    assert codes_of(made, a_score(6, "buy")) == {DenialCode.LOCKED}
    assert made.evaluate(manual(symbol=ETH).intent).denials[0].code is not DenialCode.LOCKED
    assert codes_of(made, a_score(7, "buy")) == set()


def test_each_part_of_a_trade_is_heard_once_and_the_trade_is_known_by_its_number() -> None:
    """A journal of before has one result a trade: had each part a number of its own, the account made anew would count
    further than what was heard, and the newest trades were heard a second time."""
    made = machine(RiskSettings(stop_guard_losses=3, stop_guard_window_s=600, stop_guard_all=True))
    made.on_score(a_score(0, "hold"))
    whole = results((0, "BTC", "-5"), (1, "ETH", "-5"))
    made.on_account(whole)
    assert made.state.trades_seen == 2
    of_a = msgspec.structs.replace(whole.results[1], strategy="a", pnl=Decimal(-2))
    parts = msgspec.structs.replace(whole, results=(*whole.results[:1], of_a, whole.results[1]))
    made.on_account(parts)
    assert made.status().locks == ()
    third = [msgspec.structs.replace(each, number=3) for each in parts.results[1:]]
    made.on_account(msgspec.structs.replace(parts, results=(*parts.results, *third), trades_count=3))
    assert len(made.status().locks) == 1
    assert [result.number for result in made.state.results] == [1, 2, 3, 3]


def test_losses_out_of_the_guards_time_do_not_count() -> None:
    made = machine(RiskSettings(stop_guard_losses=2, stop_guard_window_s=60, stop_guard_all=True))
    made.on_account(results((0, "BTC", "-5"), (2, "BTC", "-5")))
    assert made.status().locks == ()
    made.on_account(results((0, "BTC", "-5"), (2, "BTC", "-5"), (2, "ETH", "-1")))
    assert [lock.symbol for lock in made.status().locks] == [None]


def test_low_profit_and_cooldown_lock_too() -> None:
    made = machine(
        RiskSettings(
            low_profit_trades=2, low_profit_fraction=Decimal("0.01"), exit_cooldown_s=60, low_profit_lock_s=600
        )
    )
    made.on_account(results((0, "BTC", "4"), (1, "BTC", "5")))
    assert {lock.source.value for lock in made.status().locks} == {"cooldown", "low_profit"}
    assert len(made.status().locks) == 2
    # Said again, the same trades lock nothing again.
    made.on_command(RemoveLock(lock_id="lock-2", reason="", actor="", correlation_id=""))
    before = dict(made.state.locks)
    made.on_account(results((0, "BTC", "4"), (1, "BTC", "5")))
    assert made.state.locks == before


def test_a_person_locks_and_unlocks() -> None:
    made = machine()
    made.on_score(a_score(0, "hold"))
    made.on_command(AddLock(symbol=None, strategy="s", duration_s=None, reason="r", actor="anna", correlation_id="c"))
    assert codes_of(made, a_score(1, "buy")) == {DenialCode.LOCKED}
    (lock,) = made.status().locks
    made.on_command(RemoveLock(lock_id=lock.lock_id, reason="", actor="anna", correlation_id="d"))
    assert codes_of(made, a_score(2, "buy")) == set()


# --- breakers -----------------------------------------------------------------------------------------------------


def test_refused_orders_open_the_breaker_and_a_good_fill_closes_it() -> None:
    made = machine(RiskSettings(breaker_errors=2, breaker_cooldown_s=120))
    for minute in (0, 1):
        assert codes_of(made, a_score(minute, "buy")) == set()
        ended(made, refused=True, filled="0")
    assert made.status().breakers[0].state is BreakerState.OPEN
    assert codes_of(made, a_score(2, "buy")) == {DenialCode.BREAKER_OPEN}
    # Half open: one order is let through, and a second one waits for how it goes.
    assert codes_of(made, a_score(4, "buy")) == set()
    assert made.status().breakers[0].state is BreakerState.HALF_OPEN
    assert DenialCode.BREAKER_OPEN in codes_of(made, a_score(5, "buy", strategy="t"))
    ended(made)
    assert made.status().breakers[0].state is BreakerState.CLOSED


def test_a_bad_probe_opens_it_again_for_twice_as_long() -> None:
    made = machine(RiskSettings(breaker_errors=1, breaker_cooldown_s=60))
    made.on_score(a_score(0, "buy"))
    ended(made, refused=True, filled="0")
    made.on_score(a_score(2, "buy"))
    ended(made, refused=True, filled="0")
    view = made.status().breakers[0]
    assert (view.state, view.trips, view.until_ms - view.since_ms) == (BreakerState.OPEN, 2, 120_000)
    made.on_command(ResetBreaker(scope=None, reason="", actor="", correlation_id=""))
    assert made.status().breakers[0].state is BreakerState.CLOSED


def test_slippage_opens_it_and_a_better_price_does_not() -> None:
    made = machine(RiskSettings(breaker_slippage_bps=Decimal(50)))
    made.on_score(a_score(0, "buy"))
    ended(made, price=6900.0)
    assert made.status().breakers == ()
    made.on_score(a_score(1, "buy"))
    ended(made, price=7036.0)
    assert made.status().breakers[0].cause == "a fill slipped 51.4 bps"


def test_a_wide_spread_stops_its_symbol_until_it_is_gone() -> None:
    made = machine(RiskSettings(breaker_spread_bps=Decimal(100), breaker_cooldown_s=60))
    made.on_score(a_score(0, "hold"))

    def spread(value: float) -> None:
        made.on_condition(
            MarketCondition(kind=ConditionKind.SPREAD, symbol=BTC, value=value, at_ms=0, correlation_id="c")
        )

    spread(150.0)
    assert codes_of(made, a_score(1, "buy")) == {DenialCode.BREAKER_OPEN}
    assert codes_of(made, a_score(5, "buy")) == {DenialCode.BREAKER_OPEN}, "still wide: not even tried"
    spread(10.0)
    assert codes_of(made, a_score(7, "buy")) == set()


def test_wild_prices_stop_their_symbol_and_shrink_what_may_be_put_in() -> None:
    stopped = wild(machine(RiskSettings(breaker_volatility_ratio=Decimal(3))))
    assert stopped.verdicts[0].denials[0].code is DenialCode.BREAKER_OPEN
    usual = wild(machine(), now=20.0).approved[0].intent.quantity
    halved = wild(machine(RiskSettings(regime_high_fraction=Decimal("0.5")))).approved[0].intent.quantity
    assert abs(halved * 2 - usual) <= Decimal("0.00000002")
    budget = wild(machine(RiskSettings(atr_budget=Decimal("0.001")))).approved[0].intent.quantity
    assert budget == Decimal("0.1"), "10 USD of 10,000 at a range of 100"


@settings(max_examples=200, deadline=None)
@given(events=st.lists(st.tuples(st.sampled_from(("trip", "wait", "try", "good", "nothing")), st.integers(0, 400))))
def test_a_breaker_keeps_its_laws(events: list[tuple[str, int]]) -> None:
    breaker, now = TradingBreaker(scope=""), 0
    let_through: str | None = None
    for number, (event, step) in enumerate(events):
        now += step
        before = breaker.state
        breaker.on_time(now)
        match event:
            case "trip":
                breaker.trip("c", now, 100)
                let_through = None
                assert breaker.state is BreakerState.OPEN
                assert 0 < breaker.until_ms - now <= 800
            case "try" if not breaker.in_the_way():
                breaker.try_with(str(number))
                let_through = str(number) if breaker.state is BreakerState.HALF_OPEN else None
            case "good" if let_through is not None:
                assert breaker.on_good(let_through, now, 1)
                assert breaker.state is BreakerState.CLOSED
                let_through = None
            case "nothing" if let_through is not None:
                breaker.on_nothing(let_through)
                let_through = None
        if let_through is not None:
            assert breaker.in_the_way(), "one at a time"
        if before is BreakerState.OPEN and breaker.state is BreakerState.CLOSED:
            raise AssertionError("open never closes without being tried")


# --- conditions ---------------------------------------------------------------------------------------------------


def a_ticker(bid: float, ask: float) -> Ticker:
    zeros = dict.fromkeys(
        ("bid_size", "ask_size", "last", "daily_change", "daily_change_relative", "volume", "high", "low"), 0.0
    )
    return Ticker(symbol=BTC, bid=bid, ask=ask, venue_ms=0, received_ns=0, **zeros)


def test_conditions_are_said_at_first_when_they_cross_and_now_and_then_while_they_last() -> None:
    watch = ConditionWatch()

    def look(now: float, *, ask: float = 101.0, age_ms: int = 0, skew: float = 0.0) -> list[tuple[str, float]]:
        fresh = Freshness(
            stream="ticker", symbol=BTC, timeframe="", age_ms=age_ms, limit_ms=30_000, stale=age_ms > 30_000
        )
        told = watch.look(
            fresh=[fresh], tickers={BTC: a_ticker(100.0, ask)}, skew_ms=skew, settings=Settings(), venue_ms=1, now=now
        )
        return [(condition.kind.value, round(condition.value)) for condition in told]

    assert look(0) == [("data_age", 0), ("spread", 100), ("clock_skew", 0)]
    assert look(1) == []
    assert look(2, ask=110.0) == [("spread", 952)]
    assert look(3, ask=110.0) == []
    assert look(2 + AGAIN_S, ask=110.0, age_ms=31_000) == [("data_age", 31_000), ("spread", 952)]
    assert look(13, skew=-2000.0) == [("data_age", 0), ("spread", 100), ("clock_skew", -2000)]


def test_stale_streams_and_skewed_clocks_stop_entries_and_no_exit() -> None:
    made = machine(account=an_account(held=Decimal("0.1")))
    made.on_score(a_score(0, "hold"))
    for kind, symbol in ((ConditionKind.DATA_AGE, BTC), (ConditionKind.CLOCK_SKEW, "")):
        made.on_condition(MarketCondition(kind=kind, symbol=symbol, value=60_000.0, at_ms=0, correlation_id="c"))
    assert codes_of(made, a_score(1, "buy")) == {DenialCode.STALE_DATA, DenialCode.CLOCK_SKEW}
    (exit_,) = made.on_score(a_score(2, "sell")).approved
    assert exit_.intent.purpose is Purpose.EXIT


def test_a_candle_that_never_comes_makes_a_persons_order_wait() -> None:
    made = machine()
    made.on_score(a_score(0, "hold"))
    late = msgspec.structs.replace(manual().intent, decided_ms=START_MS + 6 * MINUTE)
    assert [result.rule for result in made.evaluate(late).denials] == ["fresh_data"]


# --- the journal --------------------------------------------------------------------------------------------------

GUARDED = RiskSettings(
    max_trades_per_symbol=4,
    stop_guard_losses=2,
    stop_guard_lock_s=1800,
    exit_cooldown_s=120,
    breaker_errors=2,
    cooldown_s=60,
    max_daily_loss=Decimal("0.02"),
)


def a_guarded_life(seed: int) -> tuple[RiskMachine, list[AnyRecord]]:
    """Random scores, endings, trades and switches, with restarts from what was written down."""
    chance = random.Random(seed)
    made, records = RiskMachine(Settings(risk=GUARDED), PAIRS), list[AnyRecord]()
    trades: list[tuple[int, str, str]] = []
    made.on_account(an_account())
    minute = 0
    for _ in range(80):
        roll = chance.random()
        outputs: RiskOutputs | None = None
        if roll < 0.1:
            kept = made.checkpoint()
            made = RiskMachine(Settings(risk=GUARDED), PAIRS)
            made.restore([kept])
        elif roll < 0.2:
            trades.append((minute, chance.choice(("BTC", "ETH")), chance.choice(("-20", "-5", "30"))))
            cash = Decimal(10_000) + sum(Decimal(pnl) for _, _, pnl in trades)
            told = results(*trades)
            wallets = an_account(cash=cash).wallets
            outputs = made.on_account(msgspec.structs.replace(told, wallets=wallets, results=told.results[-32:]))
        elif roll < 0.3:
            outputs = ended(made, refused=chance.random() < 0.6, filled="0" if chance.random() < 0.3 else "0.1")
        elif roll < 0.35:
            state = chance.choice((TradingState.ACTIVE, TradingState.ACTIVE, *TradingState))
            outputs = made.on_command(SetTradingState(state=state, reason="", actor="", correlation_id=""))
        elif roll < 0.38:
            paused = chance.random() < 0.3
            outputs = made.on_command(SetPaused(paused=paused, reason="lunch", actor="", correlation_id=""))
        elif roll < 0.4:
            wish = manual(intent_id=f"m{len(records)}", side=chance.choice(tuple(Side))).intent
            wish = msgspec.structs.replace(wish, decided_ms=START_MS + (minute + chance.choice((1, 30))) * MINUTE)
            outputs = made.on_command(ManualOrder(intent=wish, actor="anna"))
        elif roll < 0.41:
            outputs = made.on_command(ResetPeaks(strategy=None, reason="", actor="", correlation_id=""))
        elif roll < 0.43 and made.state.locks:
            lock_id = chance.choice(sorted(made.state.locks))
            outputs = made.on_command(RemoveLock(lock_id=lock_id, reason="", actor="", correlation_id=""))
        else:
            minute += chance.choice((1, 1, 2, 300))
            strategy = chance.choice(("s", "s", "other"))
            outputs = made.on_score(a_score(minute, chance.choice(("buy", "buy", "hold", "sell")), strategy=strategy))
        if outputs is not None:
            records += outputs.records
    return made, records


@pytest.mark.parametrize("seed", range(60))
def test_the_journal_alone_tells_the_same_counters_marks_locks_and_states(seed: int) -> None:
    made, records = a_guarded_life(seed)
    history = rederive(records, "UTC")
    assert made.settle(history) == ()
    # The same without the cell: all that records can tell is told.
    blank = RiskMachine(Settings(risk=GUARDED), PAIRS)
    blank.settle(rederive(records, "UTC"))
    state, again = made.state, blank.state
    for name in (
        "trading",
        "trading_reason",
        "paused",
        "paused_reason",
        "peak_equity",
        "denials_by_code",
        "denials_by_rule",
        "last_entry_ms",
        "owner",
    ):
        assert getattr(again, name) == getattr(state, name), name
    # A minute in which nobody decided anything is in no record.
    assert again.now_ms <= state.now_ms
    if again.day == state.day:
        assert (again.trades_today, again.day_start_equity) == (state.trades_today, state.day_start_equity)
        assert again.trades_today_by_symbol == state.trades_today_by_symbol
    assert {key: each.peak for key, each in again.strategies.items()} == {
        key: each.peak for key, each in state.strategies.items()
    }
    tripped = {scope: each.state for scope, each in state.breakers.items() if each.since_ms}
    assert {scope: each.state for scope, each in again.breakers.items()} == tripped
    alive = {key for key, lock in again.locks.items() if lock.until_ms is None or lock.until_ms > state.now_ms}
    assert alive == set(state.locks)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("trading", TradingState.HALTED),
        ("paused", True),
        ("trades_today", 99),
        ("trades_today_by_symbol", {}),
        ("day_start_equity", Decimal(1)),
        ("week_start_equity", None),
        ("peak_equity", Decimal(99_999)),
        ("denials_by_code", {"halted": 3}),
        ("denials_by_rule", {}),
        ("last_entry_ms", {}),
        ("owner", {}),
        ("strategies", {}),
        ("locks", {}),
    ],
)
def test_what_was_kept_otherwise_is_put_right_and_named(name: str, wrong: object) -> None:
    made = machine(RiskSettings(max_orders_per_minute=1))
    records = list(made.on_score(a_score(0, "buy")).records)
    records += made.on_score(a_score(0, "buy", strategy="z")).records
    lock = AddLock(symbol=BTC, strategy=None, duration_s=None, reason="news", actor="anna", correlation_id="c")
    records += made.on_command(lock).records
    history = rederive(records, "UTC")
    assert made.settle(history) == ()
    right = made.checkpoint()
    assert getattr(made.state, name) != wrong
    setattr(made.state, name, wrong)
    (told,) = made.settle(history)
    assert name in told or "book of s" in told
    # What a book realized, and nothing else, is not in risk's own records: here nothing was.
    assert made.checkpoint() == right


def test_a_lock_made_before_the_first_candle_is_told_again_when_its_time_begins() -> None:
    made = RiskMachine(Settings(), PAIRS)
    lock = AddLock(symbol=None, strategy=None, duration_s=600, reason="news", actor="anna", correlation_id="c")
    records = list(made.on_command(lock).records)
    made.on_account(an_account())
    records += made.on_score(a_score(0, "hold")).records
    (kept,) = made.state.locks.values()
    assert kept.until_ms == START_MS + MINUTE + 600_000
    assert rederive(records, "UTC").locks_at(START_MS + 10 * MINUTE) == made.state.locks


def test_a_wish_of_a_person_at_an_impossible_moment_moves_no_day() -> None:
    """In a replay the wall clock is years ahead: the record of the wish tells when it was judged."""
    made = machine()
    records = list(made.on_score(a_score(0, "buy")).records)
    wish = manual(symbol=ETH)
    late = msgspec.structs.replace(wish.intent, decided_ms=START_MS + 10**11)
    made.state.marks[ETH] = Decimal(700)
    records += made.on_command(msgspec.structs.replace(wish, intent=late)).records
    assert made.settle(rederive(records, "UTC")) == ()
