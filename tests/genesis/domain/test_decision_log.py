"""Decision lines: one text for one decision, back from the journal to the byte."""

from decimal import Decimal

import msgspec
import pytest

from genesis.domain.decision_log import (
    decision_line,
    digest,
    in_canonical_order,
    order_record,
    read_decision,
    record_lines,
    signal_record,
    verdict_record,
)
from genesis.domain.risk_machine import RiskMachine
from protocols.journal import Record
from protocols.orders import SubmitOrder
from protocols.settings import Settings
from protocols.units import Symbol
from tests.genesis.domain.risk_world import a_score, an_account

SCORE = a_score(1, "buy")


def an_order(**words: object) -> SubmitOrder:
    order = SubmitOrder(
        cid=7,
        cid_date="2018-02-06",
        group_id=71,
        symbol=Symbol("tBTCUSD"),
        wire_type="EXCHANGE MARKET",
        amount=Decimal("0.50"),
        price=None,
        aux_limit_price=None,
        trailing_distance=None,
        oco_stop_price=None,
        flags=0,
        session=1,
        correlation_id="c",
        received_ns=5,
    )
    return msgspec.structs.replace(order, **words)


def test_an_order_is_its_bytes_on_the_wire() -> None:
    line = b'SubmitOrder [0,"on",null,{"cid":7,"type":"EXCHANGE MARKET","symbol":"tBTCUSD","amount":"0.5","gid":71}]'
    assert decision_line(an_order()) == line
    assert decision_line(an_order(session=9, received_ns=1)) == line
    assert decision_line(an_order(amount=Decimal("0.51"))) != line


def test_every_decision_comes_back_from_its_record_with_the_same_line() -> None:
    machine = RiskMachine(Settings())
    machine.on_account(an_account())
    (verdict,) = machine.on_score(SCORE).verdicts
    records = [signal_record(SCORE), verdict_record(verdict), order_record(an_order(), 1)]
    assert [read_decision(record) for record in records] == [SCORE, verdict, an_order()]
    lines = [decision_line(SCORE), decision_line(verdict), decision_line(an_order())]
    other = Record(kind="Fill", key=None, payload=b"{}", correlation_id="", at_ms=0)
    assert record_lines([other, *records]) == lines


def test_when_we_heard_of_it_is_in_the_record_but_not_in_the_line() -> None:
    later = msgspec.structs.replace(SCORE, received_ns=10**9)
    assert decision_line(later) == decision_line(SCORE)
    assert signal_record(later).payload != signal_record(SCORE).payload


def test_kinds_are_put_in_order_and_within_a_kind_nothing_moves() -> None:
    lines = [b"SubmitOrder 1", b"Verdict 1", b"SignalScore 2", b"Verdict 0", b"SignalScore 1"]
    ordered = [b"SignalScore 2", b"SignalScore 1", b"Verdict 1", b"Verdict 0", b"SubmitOrder 1"]
    assert in_canonical_order(lines) == ordered
    assert digest(lines) == digest(ordered) != digest(ordered[1:])


def test_records_of_other_kinds_are_no_decisions() -> None:
    with pytest.raises(ValueError, match="kind of a decision must be one of SignalScore, Verdict, SubmitOrder"):
        read_decision(Record(kind="Fill", key=None, payload=b"{}", correlation_id="", at_ms=0))
