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
Question = Callable[[Settings, Facts, Wish], bool]


@attrs.define(eq=False)
class Rule:
    """`asks` is the question; a wish for which its answer is no is denied with `code`. `numbers` tell why, either way.

    A rule of what `opens` is asked only of wishes that may add to what is at stake: one that only takes away passes it.

    A rule `moves` when its answer to an entry may change with nothing but the time, the price and its range. In a row
    of refusals (`genesis.domain.refusals`) it is asked at every candle, and any other once while nothing happens."""

    name: str
    code: DenialCode
    asks: Question
    opens: bool = False
    moves: bool = False
    numbers: Numbers = attrs.field(init=False)

    def passes(self, settings: Settings, facts: Facts, wish: Wish) -> bool:
        """Whether it lets the wish through."""
        return (self.opens and facts.reduces) or self.asks(settings, facts, wish)

    def tells(self, numbers: Numbers) -> Numbers:
        """Decorates the function that gives the numbers of the answer."""
        self.numbers = numbers
        return numbers


def rule(code: DenialCode, *, opens: bool = False, moves: bool = False) -> Callable[[Question], Rule]:
    """Decorates the question of a rule, which is called as the function is."""

    def of(asks: Question) -> Rule:
        return Rule(asks.__name__, code, asks, opens, moves)

    return of


def told(rule: Rule, settings: Settings, facts: Facts, wish: Wish, *, passed: bool) -> RuleResult:
    """The answer as it is kept: plain decimal text, `yes` and `no`, `none` for what is not known."""
    # Where they lie: a verdict has thirty-four such dictionaries, and each is nobody else's.
    numbers: dict[str, Any] = rule.numbers(settings, facts, wish)
    for name, number in numbers.items():
        numbers[name] = _TEXT.get(number.__class__, text)(number)
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
