"""Parity finds the first cause of a difference, and says nothing but a digest when there is none."""

import msgspec

from genesis.domain.decision_log import decision_line
from genesis.research.parity import compare, differing
from protocols.risk import Verdict
from protocols.signals import SignalScore
from tests.genesis.domain.risk_world import a_score, crossing_scores


def _verdict(score: SignalScore, approved: bool) -> Verdict:
    return Verdict(
        verdict_id=score.signal_id,
        strategy="s",
        symbol=score.symbol,
        side=None,
        approved=approved,
        intent=None,
        trace=(),
        decided_ms=score.decided_ms,
        signal_id=score.signal_id,
        settings_version=1,
        correlation_id="c",
    )


SCORES = crossing_scores(60)
SIGNALS = [decision_line(score) for score in SCORES]
VERDICTS = [decision_line(_verdict(score, True)) for score in SCORES[:5]]


def test_equal_logs_give_one_digest_whatever_the_interleaving() -> None:
    report = compare([*SIGNALS, *VERDICTS], [*VERDICTS, *SIGNALS])
    assert report.equal
    assert report.left_digest == report.right_digest
    assert str(report).startswith("equal: 60 SignalScore, 5 Verdict, 0 SubmitOrder; sha256 ")


def test_when_we_heard_of_a_candle_is_no_difference() -> None:
    later = [decision_line(msgspec.structs.replace(score, received_ns=999)) for score in SCORES]
    assert compare(SIGNALS, later).equal


def test_the_first_cause_is_named_with_its_field_and_both_values() -> None:
    changed = [*SIGNALS]
    changed[40] = decision_line(msgspec.structs.replace(SCORES[40], price=1.5))
    report = compare([*SIGNALS, *VERDICTS], [*changed, decision_line(_verdict(SCORES[0], False))])
    assert not report.equal
    assert report.left_digest != report.right_digest
    assert report.difference is not None
    assert (report.difference.kind, report.difference.number) == ("SignalScore", 40)
    price = SCORES[40].price
    assert report.difference.fields == (f"price must be equal: {price!r} in backtest, 1.5 in run",)
    assert "Verdict: 5 in backtest, 1 in run" in str(report)


def test_a_log_that_ends_early_is_told() -> None:
    report = compare(SIGNALS, SIGNALS[:50])
    assert report.difference is not None
    assert report.difference.fields == ("run ends after 50 lines of SignalScore",)


def test_the_order_within_a_kind_matters() -> None:
    lines = [decision_line(a_score(minute, "hold")) for minute in (1, 2)]
    assert not compare(lines, lines[::-1]).equal


def test_a_trace_with_another_rule_names_it_and_not_all_of_them() -> None:
    """After an upgrade each verdict stood there twice whole, forty rules each, and hid which was new."""

    def trace(*rules: tuple[str, int]) -> dict[str, object]:
        return {"trace": [{"rule": name, "passed": True, "numbers": {"now": now}} for name, now in rules]}

    now, then = trace(("a", 1), ("b", 2), ("c", 3)), trace(("a", 1), ("c", 4), ("d", 5))
    assert list(differing(now, then, "", "replay", "journal")) == [
        "trace[b] must be in both, was in replay alone",
        "trace[c].numbers.now must be equal: 3 in replay, 4 in journal",
        "trace[d] must be in both, was in journal alone",
    ]
