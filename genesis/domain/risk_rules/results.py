"""How a rule words its answer: at once as raw numbers, and as text only for those who read it."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec

from protocols.risk import DenialCode, RuleResult
from protocols.units import plain

Number = Decimal | int | float | str | bool | None


class Finding(msgspec.Struct, frozen=True, gc=False):
    """One rule's answer before it is written down. `code` is None when the rule passed."""

    rule: str
    code: DenialCode | None
    numbers: dict[str, Number]

    @property
    def passed(self) -> bool:
        return self.code is None


def answer(rule: str, code: DenialCode, passed: bool, **numbers: Number) -> Finding:
    """Pass, or deny with `code`; the numbers are told either way."""
    return Finding(rule, None if passed else code, numbers)


def told(finding: Finding) -> RuleResult:
    """The answer as it is kept: plain decimal text, `yes` and `no`, `none` for what is not known."""
    numbers = {name: _TEXT.get(number.__class__, text)(number) for name, number in finding.numbers.items()}
    return RuleResult(rule=finding.rule, passed=finding.code is None, code=finding.code, numbers=numbers)


def text(number: Number) -> str:
    if isinstance(number, Decimal):
        return plain(number)
    if number is None:
        return "none"
    if isinstance(number, bool):
        return "true" if number else "false"
    return number if isinstance(number, str) else str(number)


_TEXT: dict[type, Callable[[Any], str]] = {Decimal: plain, int: str, str: str}
"""`text` of the classes that most numbers have: there are some seventy of them in a verdict."""
