"""Risk takes back the approved entries of a strategy that says sell or speaks no more, and those that whoever switched
trading off, a lock, a breaker or a window lets in no more."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from genesis.domain.risk_machine import RiskMachine
from genesis.domain.risk_outputs import RiskOutputs
from protocols.orders import OrderIntent, OrderType, Purpose
from protocols.risk import (
    AddLock,
    ConditionKind,
    EntryUnwanted,
    ManualOrder,
    MarketCondition,
    RemoveLock,
    SetPaused,
    SetTradingState,
    TradeResult,
    TradingState,
)
from protocols.settings import RiskSettings, Settings, StrategySettings
from protocols.signals import StrategyFailed
from protocols.units import Side
from tests.genesis.domain.risk_world import BTC, START_MS, a_score, an_account

ETH = "tETHUSD"
SETTINGS = Settings()


def a_machine() -> RiskMachine:
    machine = RiskMachine(SETTINGS)
    machine.on_account(an_account())
    return machine


def approved(outputs: RiskOutputs) -> list[str]:
    return [each.intent.intent_id for each in outputs.approved]


def unwanted(outputs: RiskOutputs) -> list[str]:
    return [each.intent_id for each in outputs.unwanted]


def test_a_sell_takes_back_the_entry_that_may_still_wait() -> None:
    machine = a_machine()
    (entry,) = approved(machine.on_score(a_score(0, "buy")))
    assert unwanted(machine.on_score(a_score(1, "hold"))) == []
    outputs = machine.on_score(a_score(2, "sell"))
    assert outputs.unwanted == (
        EntryUnwanted(
            intent_id=entry,
            reason="s said sell before it could leave",
            correlation_id=a_score(2, "sell").correlation_id,
        ),
    )
    # Nobody knows yet whether it has left: until its end it counts, and the exit is owed.
    assert list(machine.state.reservations) == [entry]
    assert machine.state.exits_owed
    assert unwanted(machine.on_score(a_score(3, "sell"))) == []
    machine.on_account(an_account(version=2, closed=(entry,)))
    assert machine.state.reservations == {}
    machine.on_score(a_score(4, "hold"))
    assert machine.state.exits_owed == {}


def test_an_entry_that_had_left_is_sold_by_the_next_word() -> None:
    machine = a_machine()
    (entry,) = approved(machine.on_score(a_score(0, "buy")))
    machine.on_score(a_score(1, "sell"))
    machine.on_account(an_account(version=2, held=Decimal("0.1"), closed=(entry,)))
    (exit_,) = machine.on_score(a_score(2, "hold")).approved
    assert (exit_.intent.purpose, exit_.intent.side) == (Purpose.EXIT, Side.SELL)


@pytest.mark.parametrize("other", [{"strategy": "other"}, {"symbol": ETH}, {"strategy": "other", "symbol": ETH}])
def test_entries_of_other_strategies_and_symbols_are_theirs(other: dict[str, Any]) -> None:
    machine = a_machine()
    assert approved(machine.on_score(a_score(0, "buy")))
    assert unwanted(machine.on_score(a_score(1, "sell", **other))) == []


def test_what_a_person_ordered_stays_when_a_strategy_says_sell() -> None:
    machine = a_machine()
    machine.on_score(a_score(0, "hold"))
    assert machine.on_command(by_hand()).approved
    assert unwanted(machine.on_score(a_score(1, "sell"))) == []


def by_hand() -> ManualOrder:
    intent = OrderIntent(
        intent_id="manual:1",
        strategy="s",
        symbol=BTC,
        side=Side.BUY,
        quantity=Decimal("0.01"),
        order_type=OrderType.MARKET,
        purpose=Purpose.MANUAL,
        decided_ms=START_MS + 60_000,
        correlation_id="m",
    )
    return ManualOrder(intent=intent, actor="me")


SWITCHES = (
    (
        SetTradingState(state=TradingState.HALTED, reason="enough", actor="me", correlation_id="x"),
        "trading was halted before it could leave: enough",
    ),
    (
        SetTradingState(state=TradingState.REDUCING, reason="enough", actor="me", correlation_id="x"),
        "trading was set to reducing before it could leave: enough",
    ),
    (
        SetPaused(paused=True, reason="enough", actor="me", correlation_id="x"),
        "trading was paused before it could leave: enough",
    ),
)


@pytest.mark.parametrize(("switch", "reason"), SWITCHES)
def test_who_switches_trading_off_takes_back_all_that_waits_whatever_is_switched_on_meanwhile(
    switch: Any, reason: str
) -> None:
    machine = a_machine()
    (entry,) = approved(machine.on_score(a_score(0, "buy")))
    (manual,) = approved(machine.on_command(by_hand()))
    outputs = machine.on_command(switch)
    assert [(each.intent_id, each.reason) for each in outputs.unwanted] == [(entry, reason), (manual, reason)]
    # It was in our hands when we died, and comes again: the telling may have been lost.
    assert machine.on_command(switch).unwanted == outputs.unwanted
    assert machine.on_command(msgspec.structs.replace(switch, correlation_id="y")).unwanted == ()


def test_switching_on_takes_nothing_back() -> None:
    machine = a_machine()
    assert approved(machine.on_score(a_score(0, "buy")))
    on = SetTradingState(state=TradingState.ACTIVE, reason="", actor="me", correlation_id="x")
    assert machine.on_command(on).unwanted == ()
    assert machine.on_command(SetPaused(paused=False, reason="", actor="me", correlation_id="y")).unwanted == ()


WORDS = st.tuples(st.sampled_from(["buy", "sell", "hold"]), st.sampled_from(["s", "other"]), st.booleans())


@given(said=st.lists(WORDS, min_size=2, max_size=24))
@example(said=[("buy", "s", False), ("sell", "s", False)])
def test_each_is_taken_back_once_by_the_first_sell_behind_it_over_crashes(
    said: list[tuple[str, str, bool]],
) -> None:
    """Risk dies behind the commit of every word: the word comes again, and leads to the same and no more."""
    machine = a_machine()
    waits: dict[str, str] = {}
    taken_back: list[str] = []
    ended: list[str] = []
    for minute, (word, strategy, ends) in enumerate(said):
        score = a_score(minute, word, strategy=strategy)
        outputs = machine.on_score(score)
        mine = [intent_id for intent_id, owner in waits.items() if owner == strategy] if word == "sell" else []
        assert unwanted(outputs) == mine
        before, machine = machine, RiskMachine(SETTINGS)
        machine.restore((before.checkpoint(),))
        again = machine.on_score(score)
        assert (approved(again), unwanted(again)) == (approved(outputs), mine)
        assert machine.checkpoint() == before.checkpoint()
        taken_back += mine
        for intent_id in mine:
            del waits[intent_id]
        waits |= {each.intent.intent_id: strategy for each in outputs.approved if each.intent.purpose is Purpose.ENTRY}
        if ends and (open_ := list(machine.state.reservations)):
            ended.append(open_[0])
            waits.pop(open_[0], None)
            machine.on_account(an_account(version=2 + len(ended), closed=tuple(ended)))
    assert len(taken_back) == len(set(taken_back))


# --- doors that shut while an entry waits ----------------------------------------------------------------------------

ON = StrategySettings(name="s", symbol=BTC, timeframe="1m")
NAMED = Settings(strategies=(ON, msgspec.structs.replace(ON, name="other")))


def with_entries(settings: Settings = NAMED) -> tuple[RiskMachine, str, str, str]:
    """Entries of `s` in BTC, of `other` in ETH, and by hand in BTC."""
    machine = RiskMachine(settings)
    machine.on_account(an_account())
    (mine,) = approved(machine.on_score(a_score(0, "buy")))
    (others,) = approved(machine.on_score(a_score(0, "buy", strategy="other", symbol=ETH)))
    (manual,) = approved(machine.on_command(by_hand()))
    return machine, mine, others, manual


def told(outputs: RiskOutputs) -> dict[str, str]:
    return {each.intent_id: each.reason for each in outputs.unwanted}


def lock(**where: Any) -> AddLock:
    return AddLock(
        **{"symbol": None, "strategy": None, **where}, reason="enough", actor="me", duration_s=None, correlation_id=""
    )


def test_a_lock_takes_back_what_waits_in_its_place_and_removing_it_gives_nothing_back() -> None:
    machine, mine, others, manual = with_entries()
    reason = "entries in tBTCUSD were locked by manual before it could leave: enough"
    assert told(machine.on_command(lock(symbol=BTC))) == {mine: reason, manual: reason}
    assert told(machine.on_command(lock(symbol=BTC))) == {}
    assert told(machine.on_command(RemoveLock(lock_id="lock-1", reason="", actor="me", correlation_id=""))) == {}
    assert told(machine.on_command(lock(strategy="other"))) == {
        others: "entries in other were locked by manual before it could leave: enough"
    }
    assert [each.intent_id for each in machine.taken_back()] == [mine, others, manual]


def test_a_lock_of_everything_takes_back_all_of_it() -> None:
    machine, mine, others, manual = with_entries()
    assert set(told(machine.on_command(lock()))) == {mine, others, manual}


def test_a_protection_that_locks_takes_back_what_waits_there() -> None:
    settings = msgspec.structs.replace(NAMED, risk=RiskSettings(exit_cooldown_s=600.0))
    machine, mine, others, manual = with_entries(settings)
    ended = TradeResult(
        number=1,
        symbol=BTC,
        strategy="elsewhere",
        pnl=Decimal(-1),
        fraction=Decimal("-0.01"),
        exit_ms=START_MS + 60_000,
    )
    account = msgspec.structs.replace(an_account(version=2), results=(ended,), trades_count=1)
    reason = "entries in tBTCUSD were locked by cooldown before it could leave: a position was closed"
    assert told(machine.on_account(account)) == {mine: reason, manual: reason}
    assert others in machine.state.reservations


def test_a_breaker_that_opens_takes_back_what_waits_in_its_scope() -> None:
    settings = msgspec.structs.replace(NAMED, risk=RiskSettings(breaker_spread_bps=Decimal(10)))
    machine, mine, others, manual = with_entries(settings)

    def spread(bps: float, symbol: str) -> RiskOutputs:
        return machine.on_condition(
            MarketCondition(kind=ConditionKind.SPREAD, symbol=symbol, value=bps, at_ms=START_MS, correlation_id="c")
        )

    assert told(spread(9.0, BTC)) == {}
    reason = "the trading breaker of tBTCUSD opened before it could leave: spread 11.0 bps"
    assert told(spread(11.0, BTC)) == {mine: reason, manual: reason}
    assert told(spread(12.0, BTC)) == {}
    assert list(told(spread(11.0, ETH))) == [others]


CHANGES = (
    ((msgspec.structs.replace(ON, enabled=False),), "s was disabled before it could leave"),
    ((), "s was removed before it could leave"),
    ((msgspec.structs.replace(ON, symbol=ETH),), "s was given another symbol before it could leave"),
)


@pytest.mark.parametrize(("strategies", "reason"), CHANGES)
def test_settings_that_let_a_strategy_speak_no_more_take_back_its_entries_alone(
    strategies: tuple[StrategySettings, ...], reason: str
) -> None:
    machine, mine, others, manual = with_entries(
        msgspec.structs.replace(NAMED, strategies=(ON, msgspec.structs.replace(ON, name="other", symbol=ETH)))
    )
    kept = msgspec.structs.replace(ON, name="other", symbol=ETH)
    assert told(machine.on_settings(msgspec.structs.replace(NAMED, strategies=(ON, kept), version=2))) == {}
    assert told(machine.on_settings(msgspec.structs.replace(NAMED, strategies=(*strategies, kept), version=3))) == {
        mine: reason
    }
    # Enabled again before its line is back, it stays void.
    assert told(machine.on_settings(msgspec.structs.replace(NAMED, strategies=(ON, kept), version=4))) == {}
    assert [each.intent_id for each in machine.taken_back()] == [mine]
    assert {others, manual} <= machine.state.reservations.keys()


def test_other_parameters_take_nothing_back_and_a_strategy_that_no_settings_name_is_theirs_alone() -> None:
    machine, *_ = with_entries()
    quicker = (msgspec.structs.replace(ON, parameters={"fast": 5.0}), NAMED.strategies[1])
    assert told(machine.on_settings(msgspec.structs.replace(NAMED, strategies=quicker))) == {}
    machine = a_machine()
    assert approved(machine.on_score(a_score(0, "buy")))
    assert told(machine.on_settings(msgspec.structs.replace(SETTINGS, version=2))) == {}


def test_an_exit_is_never_taken_back() -> None:
    machine = RiskMachine(NAMED)
    machine.on_account(an_account(held=Decimal("0.1")))
    assert approved(machine.on_score(a_score(0, "sell")))
    assert told(machine.on_settings(Settings(strategies=()))) == {}
    assert told(machine.on_command(lock())) == {}
    assert told(machine.on_failure(StrategyFailed(strategy="s", reason="x", correlation_id="c"))) == {}
    assert machine.taken_back() == ()


def test_a_strategy_that_fails_wants_nothing_any_more_and_that_is_kept() -> None:
    machine, mine, _, _ = with_entries()
    outputs = machine.on_failure(StrategyFailed(strategy="s", reason="no number in line 3", correlation_id="c"))
    assert told(outputs) == {mine: "s failed before it could leave: no number in line 3"}
    assert [record.kind for record in outputs.records] == ["StrategyFailed"]


def test_what_was_decided_within_the_trading_windows_does_not_leave_behind_them() -> None:
    # 1517832000 is Monday, 2018-02-05 12:00 UTC.
    settings = msgspec.structs.replace(NAMED, risk=RiskSettings(windows=("mon 11:00-12:03",)))
    machine, mine, others, manual = with_entries(settings)
    assert told(machine.on_score(a_score(1, "hold"))) == {}
    assert set(told(machine.on_score(a_score(2, "hold")))) == {mine, others, manual}
    assert set(told(machine.on_score(a_score(3, "hold")))) == set()
    assert {each.reason for each in machine.taken_back()} == {"the trading window closed before it could leave"}


DOORS = ("sell", "lock", "spread", "disable", "fail", "halt", "window")


@given(shut=st.lists(st.sampled_from(DOORS), min_size=1, max_size=12))
def test_whoever_begins_a_life_tells_all_that_was_told_and_whose_end_nobody_knows(shut: list[str]) -> None:
    limits = RiskSettings(breaker_spread_bps=Decimal(10), windows=("mon 11:00-12:30",))
    settings = msgspec.structs.replace(NAMED, risk=limits)
    machine, *_ = with_entries(settings)
    said: list[EntryUnwanted] = []
    for number, door in enumerate(shut, 1):
        match door:
            case "sell":
                outputs = machine.on_score(a_score(number, "sell"))
            case "lock":
                outputs = machine.on_command(lock(symbol=BTC))
            case "spread":
                condition = MarketCondition(
                    kind=ConditionKind.SPREAD, symbol=BTC, value=99.0, at_ms=START_MS, correlation_id="c"
                )
                outputs = machine.on_condition(condition)
            case "disable":
                outputs = machine.on_settings(msgspec.structs.replace(settings, strategies=(), version=1 + number))
            case "fail":
                outputs = machine.on_failure(StrategyFailed(strategy="other", reason="x", correlation_id="c"))
            case "halt":
                outputs = machine.on_command(msgspec.structs.replace(SWITCHES[0][0], correlation_id=f"h{number}"))
            case _:
                outputs = machine.on_score(a_score(60 + number, "hold"))
        said += outputs.unwanted
        before, machine = machine, RiskMachine(machine.settings)
        machine.restore((before.checkpoint(),))
        # What a life begins with is what the settings of its beginning make of it.
        assert machine.on_settings(machine.settings).unwanted == ()
        assert sorted(machine.taken_back(), key=repr) == sorted(said, key=repr)
        assert machine.checkpoint() == before.checkpoint()
    assert len({each.intent_id for each in said}) == len(said)
