"""Risk takes back the approved entries of a strategy that says sell, and of whoever switched trading off."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from genesis.domain.risk_machine import RiskMachine
from genesis.domain.risk_outputs import RiskOutputs
from protocols.orders import OrderIntent, OrderType, Purpose
from protocols.risk import EntryUnwanted, ManualOrder, SetPaused, SetTradingState, TradingState
from protocols.settings import Settings
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
