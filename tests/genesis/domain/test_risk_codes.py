"""Every rule has words, and the words speak of numbers that its refusals really tell."""

from genesis.domain.risk_codes import RULE_TEXTS, reasons, sentence
from genesis.domain.risk_rules import RULES
from protocols.risk import DenialCode, RuleResult
from tests.genesis.domain.denials import DENIALS
from tools.generate_docs import ROOT, risk_codes_page


def test_every_rule_and_every_code_has_words() -> None:
    assert set(RULE_TEXTS) == {rule.name for rule in RULES}
    assert {text.code for text in RULE_TEXTS.values()} == set(DenialCode)
    assert set(DENIALS) == set(DenialCode), "each code is denied somewhere"


def test_the_words_of_every_refusal_are_made_of_its_numbers() -> None:
    for code, deny in DENIALS.items():
        (verdict,) = deny().verdicts
        for result in verdict.denials:
            assert set(RULE_TEXTS[result.rule].numbers) <= set(result.numbers), (code, result.rule)
            assert RULE_TEXTS[result.rule].code is result.code
        assert all("{" not in text and not text.startswith(tuple(RULE_TEXTS)) for text in reasons(verdict))


def test_until_when_a_lock_holds_is_told_as_a_clock_would() -> None:
    numbers = {"lock_id": "lock-3", "source": "stop_guard", "reason": "3 losing trades", "until_ms": "1517807702000"}

    def told(**more: str) -> str:
        return sentence(RuleResult(rule="not_locked", passed=False, code=DenialCode.LOCKED, numbers=numbers | more))

    assert told() == "lock-3 by stop_guard stands in the way until 2018-02-05T05:15:02Z: 3 losing trades"
    assert told(until_ms="none") == "lock-3 by stop_guard stands in the way until somebody removes it: 3 losing trades"


def test_a_rule_of_another_version_speaks_with_its_numbers() -> None:
    old = RuleResult(rule="moon_phase", passed=False, code=DenialCode.PAUSED, numbers={"phase": "full"})
    assert sentence(old) == "moon phase: phase full"


def test_the_page_of_codes_is_the_table() -> None:
    assert (ROOT / "docs/risk-codes.md").read_text(encoding="utf-8") == risk_codes_page()
