"""How a rule is written: a question that is asked at once, and the numbers of its answer for those who read them.

Both look only at what does not change any more (settings, facts, a wish), so the numbers may be told whenever somebody
wants them, by any thread: a judgement in words costs several times what it costs to judge.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import attrs

from genesis.domain.risk_state import Facts, Wish
from protocols.risk import DenialCode, RuleResult
from protocols.settings import Settings
from protocols.units import plain

Number = Decimal | int | float | str | bool | None
Numbers = Callable[[Settings, Facts, Wish], dict[str, Number]]


@attrs.define(eq=False)
class Rule:
    """`passes` is the question; a wish that it does not let through is denied with `code`. `numbers` tell why, either
    way.

    A rule `moves` when its answer to an entry may change with nothing but the time, the price and its range. In a row
    of refusals (`genesis.domain.refusals`) it is asked at every candle, and any other once while nothing happens."""

    name: str
    code: DenialCode
    passes: Callable[[Settings, Facts, Wish], bool]
    moves: bool = False
    numbers: Numbers = attrs.field(init=False)

    def tells(self, numbers: Numbers) -> Numbers:
        """Decorates the function that gives the numbers of the answer."""
        self.numbers = numbers
        return numbers


def rule(code: DenialCode, *, moves: bool = False) -> Callable[[Callable[[Settings, Facts, Wish], bool]], Rule]:
    """Decorates the question of a rule, which is called as the function is."""

    def of(passes: Callable[[Settings, Facts, Wish], bool]) -> Rule:
        return Rule(passes.__name__, code, passes, moves)

    return of


def told(rule: Rule, settings: Settings, facts: Facts, wish: Wish, *, passed: bool) -> RuleResult:
    """The answer as it is kept: plain decimal text, `yes` and `no`, `none` for what is not known."""
    numbers = {
        name: _TEXT.get(number.__class__, text)(number) for name, number in rule.numbers(settings, facts, wish).items()
    }
    return RuleResult(rule=rule.name, passed=passed, code=None if passed else rule.code, numbers=numbers)


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
