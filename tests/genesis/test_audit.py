"""The audit finds every decision of a journal, however old, by whatever is known of it."""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from genesis.audit import search_journal
from genesis.cli.main import call
from genesis.domain.decision_log import verdict_record
from genesis.domain.decision_search import DecisionSearch, search
from genesis.domain.order_ledger import encode
from genesis.edge.store import Store
from genesis.run_options import ExitCode
from protocols.journal import AnyRecord, Commit, Record
from protocols.orders import OrderState, OrderType, OrderUpdate, OrderView, Purpose
from protocols.risk import SetPaused, Verdict
from protocols.units import Side
from tests.genesis.domain.denials import machine, manual
from tests.genesis.domain.risk_world import BTC, START_MS, a_score

MINUTE = 60_000
MANY = 600


GIVEN_UP = "not sent: fast said sell before it could leave"


def an_order(verdict: Verdict, cid: int, venue_id: int | None, *, reason: str = "") -> Record:
    order = OrderView(
        intent_id=verdict.verdict_id,
        cid=cid,
        venue_id=venue_id,
        strategy=verdict.strategy,
        symbol=BTC,
        side=Side.BUY,
        order_type=OrderType.MARKET,
        purpose=Purpose.ENTRY,
        quantity=Decimal(1),
        filled_quantity=Decimal(0),
        average_fill_price=Decimal(0),
        price=None,
        state=OrderState.REJECTED if reason else OrderState.ACKED,
        reason=reason,
        withdrawn=bool(reason),
        created_ms=1,
        updated_ms=1,
        correlation_id=verdict.correlation_id,
        foreign=False,
    )
    payload = encode(OrderUpdate(order=order))
    return Record(kind="OrderUpdate", key=f"{cid}:1", payload=payload, correlation_id=order.correlation_id, at_ms=1)


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, list[Verdict]]]:
    """Six hundred decisions of three strategies, some refused for a reason that quotes another record's text."""
    path = tmp_path_factory.mktemp("audit") / "sim.sqlite"
    made, verdicts, records = machine(), list[Verdict](), list[AnyRecord]()
    quoted = 'a "code":"max_drawdown" {"approved":true,'
    for number in range(MANY):
        if number == 300:
            made.on_command(SetPaused(paused=True, reason=quoted, actor="anna", correlation_id="c"))
        strategy, symbol = ("fast", BTC) if number % 3 else ("slow", "tETHUSD")
        outputs = made.on_score(a_score(number, "buy", strategy=strategy, symbol=symbol))
        verdicts += outputs.verdicts
        records += outputs.records
    outputs = made.on_command(manual(intent_id="mine"))
    person = msgspec.structs.replace(outputs.verdicts[0], correlation_id="manual:mine", verdict_id="m-1")
    verdicts.append(person)
    records += [verdict_record(person), an_order(verdicts[1], 7_001, 4_711), an_order(verdicts[2], 7_002, None)]
    with Store.open(path, at_ms=1) as store:
        store.commit([Commit(writer="risk", records=tuple(records))], at_ms=2)
        yield path, verdicts


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"symbol": "tETHUSD"},
        {"strategy": "slow", "approved": False},
        {"approved": True},
        {"code": "paused"},
        {"code": "max_drawdown"},
        {"rule": "not_paused"},
        {"rule": "cooled_down"},
        {"from_ms": START_MS + 20 * MINUTE, "to_ms": START_MS + 40 * MINUTE},
        {"to_ms": START_MS + 2 * MINUTE},
        {"code": "paused", "offset": 190, "limit": 20},
        {"signal_id": f"fast:{BTC}:1m:{START_MS + MINUTE}"},
        {"correlation_id": "manual:mine"},
        {"strategy": '"'},
    ],
)
def test_the_journal_is_searched_whole_and_as_exactly_as_a_list(
    journal: tuple[Path, list[Verdict]], asked: dict[str, Any]
) -> None:
    path, verdicts = journal
    question = DecisionSearch(**asked)
    assert search_journal(path, question) == search(reversed(verdicts), question)


def test_any_name_of_a_decision_finds_it(journal: tuple[Path, list[Verdict]]) -> None:
    path, verdicts = journal
    first, second = verdicts[1], verdicts[2]
    for name in (first.verdict_id, first.signal_id, first.correlation_id, "7001", "4711"):
        found = search_journal(path, DecisionSearch(about=name))
        assert found.verdicts == (first,), name
        assert found.searched == len(verdicts)
    assert search_journal(path, DecisionSearch(about="7002")).verdicts == (second,)
    assert search_journal(path, DecisionSearch(about="mine")).verdicts == (verdicts[-1],)
    for name in ("700", "47", "tLTCUSD:1m:5", "-1", "٧", '"'):
        assert search_journal(path, DecisionSearch(about=name)).verdicts == (), name
    # A name and a filter both count.
    assert search_journal(path, DecisionSearch(about="7001", symbol="tETHUSD")).total == 0


def test_why_is_answered_while_no_engine_runs(
    journal: tuple[Path, list[Verdict]], capsys: pytest.CaptureFixture[str]
) -> None:
    path, verdicts = journal
    home = str(path.parent)
    assert call(["why", "7001", "--data-dir", home]) == ExitCode.OK
    said = capsys.readouterr().out
    assert said.startswith("no engine runs; from sim.sqlite:\n")
    assert verdicts[1].verdict_id in said
    assert call(["why", "--code", "paused", "--limit", "3", "--json", "--data-dir", home]) == ExitCode.OK
    assert len(json.loads(capsys.readouterr().out)["decisions"]) == 3
    assert call(["why", "nobody", "--data-dir", home]) == ExitCode.NOT_FOUND
    # A port says which engine is meant: then no file will do.
    assert call(["why", "7001", "--data-dir", home, "--port", "1"]) == ExitCode.NOT_RUNNING


def test_why_says_what_became_of_an_approved_order_that_never_left(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outputs = machine().on_score(a_score(1, "buy", strategy="fast"))
    (verdict,) = outputs.verdicts
    assert verdict.approved
    other = msgspec.structs.replace(verdict, verdict_id="another")
    records = (*outputs.records, an_order(other, 2, None, reason="of another"), an_order(verdict, 1, None))
    path = tmp_path / "sim.sqlite"
    with Store.open(path, at_ms=1) as store:
        store.commit([Commit(writer="risk", records=records)], at_ms=2)
        assert search_journal(path, DecisionSearch()).not_sent == {}
        ended = msgspec.structs.replace(an_order(verdict, 1, None, reason=GIVEN_UP), key="1:2")
        store.commit([Commit(writer="order", records=(ended,))], at_ms=3)
        assert search_journal(path, DecisionSearch()).not_sent == {verdict.verdict_id: GIVEN_UP}
        assert call(["why", verdict.verdict_id, "--data-dir", str(tmp_path)]) == ExitCode.OK
        assert f"  its order was given up: {GIVEN_UP}\n" in capsys.readouterr().out
        assert call(["why", verdict.verdict_id, "--json", "--data-dir", str(tmp_path)]) == ExitCode.OK
        assert json.loads(capsys.readouterr().out)["decisions"][0]["not_sent"] == GIVEN_UP
