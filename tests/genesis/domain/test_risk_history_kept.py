"""What is kept of risk's history is that history: told from it on, it is what all records tell."""

from decimal import Decimal

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from genesis.domain.risk_history import LOCKS_REMEMBERED, RiskHistory, rederive
from genesis.domain.risk_history_kept import KEPT_KIND, kept_record, read_kept
from protocols.journal import Record
from protocols.risk import (
    BreakerChanged,
    BreakerState,
    BreakerView,
    EquityMarked,
    Lock,
    LockAdded,
    LockSource,
    ManualOrder,
    RemoveLock,
    SetPaused,
    SetTradingState,
    TradingState,
)

HOUR = 3_600_000
SYMBOLS = ("tBTCUSD", "tETHUSD")
STRATEGIES = ("fast", "slow")
WHO = {"actor": "a", "correlation_id": "c"}


def record(kind: str, payload: bytes, at_ms: int) -> Record:
    return Record(kind=kind, key=None, payload=payload, correlation_id="", at_ms=at_ms)


def of(message: msgspec.Struct, at_ms: int) -> Record:
    return record(type(message).__name__, msgspec.json.encode(message), at_ms)


@st.composite
def verdicts(draw: st.DrawFn, at_ms: int) -> Record:
    strategy, symbol = draw(st.sampled_from(STRATEGIES)), draw(st.sampled_from(SYMBOLS))
    denied = draw(st.lists(st.sampled_from(("MAX_DRAWDOWN", "LOCKED", "DAILY_LOSS")), max_size=2))
    numbers = {"equity": str(draw(st.integers(1, 9999))), "reduces": draw(st.sampled_from(("true", "false")))}
    trace = [{"rule": "facts", "code": None, "numbers": numbers}]
    trace += [{"rule": code.lower(), "code": code, "numbers": {}} for code in denied]
    intent = {"purpose": draw(st.sampled_from(("entry", "exit", "manual"))), "side": "buy", "quantity": "0.5"}
    said = {
        "verdict_id": draw(st.sampled_from(("a:entry", "change:7"))),
        "strategy": strategy,
        "symbol": symbol,
        "approved": not denied,
        "intent": intent if draw(st.booleans()) else None,
        "trace": trace,
        "decided_ms": at_ms,
        "signal_id": draw(st.sampled_from((None, "s"))),
    }
    return record("Verdict", msgspec.json.encode(said), at_ms)


@st.composite
def histories(draw: st.DrawFn) -> list[Record]:
    at_ms, records = 1_700_000_000_000, []
    for number in range(draw(st.integers(0, 30))):
        at_ms += draw(st.sampled_from((0, 1000, 30_000, 7 * HOUR, 60 * HOUR)))
        name = draw(st.sampled_from(STRATEGIES))
        amount = draw(st.none() | st.decimals(Decimal("-1e6"), Decimal("1e6"), places=8))
        source = draw(st.sampled_from(LockSource))
        lock = Lock(
            lock_id=f"{source.value}-{number}",
            symbol=draw(st.sampled_from((None, *SYMBOLS))),
            strategy=None,
            source=source,
            reason="r",
            actor="test",
            created_ms=at_ms,
            until_ms=draw(st.sampled_from((None, at_ms + HOUR))),
        )
        breaker = BreakerView(
            scope=draw(st.sampled_from(("", *SYMBOLS))),
            state=draw(st.sampled_from(BreakerState)),
            cause="c",
            since_ms=at_ms,
            until_ms=at_ms + HOUR,
            trips=number,
        )
        marks = st.sampled_from(("day", "week", "peak", "strategy"))
        records.append(
            draw(
                verdicts(at_ms)
                | st.sampled_from(
                    [
                        of(
                            SetTradingState(
                                state=draw(st.sampled_from(TradingState)),
                                reason="x",
                                actor=WHO["actor"],
                                correlation_id=WHO["correlation_id"],
                            ),
                            at_ms,
                        ),
                        of(SetPaused(paused=draw(st.booleans()), reason="y", **WHO), at_ms),
                        of(LockAdded(lock=lock), at_ms),
                        of(RemoveLock(lock_id=lock.lock_id, reason="z", **WHO), at_ms),
                        of(BreakerChanged(breaker=breaker), at_ms),
                        of(
                            EquityMarked(mark=draw(marks), name=name, equity=amount, base_equity=amount, at_ms=at_ms),
                            at_ms,
                        ),
                        record(ManualOrder.__name__, b"{}", at_ms),
                        record("Fill", b"{}", at_ms),
                    ]
                )
            )
        )
    return records


@given(histories(), st.data(), st.sampled_from(("UTC", "Europe/Stockholm")))
def test_a_history_that_was_kept_anywhere_goes_on_as_if_all_were_told(
    records: list[Record], data: st.DataObject, timezone: str
) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(records)), max_size=3)))
    history = RiskHistory(timezone=timezone)
    for begin, end in zip([0, *cuts], [*cuts, len(records)], strict=True):
        for each in records[begin:end]:
            history.hear(each)
        kept = read_kept(kept_record(history, end, "code"), code="code", timezone=timezone)
        assert kept is not None
        assert (kept.upto_seq, kept.history) == (end, history)
        history = kept.history
    assert history == rederive(records, timezone)


def test_what_is_kept_does_not_change_with_the_history() -> None:
    history = RiskHistory(timezone="UTC")
    kept = kept_record(history, 5, "code")
    history.hear(of(SetPaused(paused=True, reason="later", **WHO), 9))
    again = read_kept(kept, code="code", timezone="UTC")
    assert again is not None
    assert not again.history.paused


def test_nothing_of_other_code_other_days_or_no_sense_is_believed() -> None:
    kept = kept_record(RiskHistory(timezone="UTC"), 5, "code")
    assert read_kept(kept, code="newer", timezone="UTC") is None
    assert read_kept(kept, code="code", timezone="Asia/Tokyo") is None
    for payload in (b"", b"{}", b"[1]", kept.payload[:-2], kept.payload.replace(b'"upto_seq":5', b'"upto_seq":"a"')):
        assert read_kept(msgspec.structs.replace(kept, payload=payload), code="code", timezone="UTC") is None


def test_it_stays_small_whatever_happened() -> None:
    """It is written again and again: what has an end must not gather in it."""
    history = RiskHistory(timezone="UTC")
    for number in range(3 * LOCKS_REMEMBERED):
        lock = Lock(
            lock_id=f"manual-{number}",
            symbol=None,
            strategy=None,
            source=LockSource.MANUAL,
            reason="r",
            actor="a",
            created_ms=number * HOUR,
            until_ms=number * HOUR + 1,
        )
        history.hear(of(LockAdded(lock=lock), number * HOUR))
    kept = kept_record(history, 5, "code")
    assert kept.kind == KEPT_KIND
    assert len(kept.payload) < 300 * LOCKS_REMEMBERED
