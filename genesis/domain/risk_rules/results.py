"""How a rule words its answer."""

from decimal import Decimal

from protocols.risk import DenialCode, RuleResult
from protocols.units import plain

Number = Decimal | int | str


def answer(rule: str, code: DenialCode, passed: bool, **numbers: Number) -> RuleResult:
    """Pass, or deny with `code`; the numbers are told either way."""
    texts = {name: plain(number) if isinstance(number, Decimal) else str(number) for name, number in numbers.items()}
    return RuleResult(rule=rule, passed=passed, code=None if passed else code, numbers=texts)
