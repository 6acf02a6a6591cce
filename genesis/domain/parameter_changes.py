"""Other parameters for a strategy that is configured: what may be chosen, what a choice would change, what is wrong.

A field is named as in the settings below the strategy: `fast` for a parameter of its own, `members[0].parameters.fast`
for one of an ensemble's member, `members[0].weight` for its weight. The value that leaves here is a whole entry of the
key `strategies`; whether it comes into force, the settings decide as for every change.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs
import msgspec

from genesis.domain.config_keys import nearest
from genesis.domain.settings_build import Fault
from genesis.domain.strategies.ensemble import check_members
from genesis.domain.strategy import Parameter, StrategyKind
from protocols.settings import MemberSettings, StrategySettings

LAYER: Final = "request"
HEAVIEST: Final = 1_000.0
WEIGHT: Final = Parameter(
    name="weight", default=1.0, low=0.0, high=HEAVIEST, whole=False, meaning="how much its vote counts"
)
_SAID: Final = re.compile(r"(?:\w+\.)?(\w+) must (?:be )?(.+), was (.+)", re.DOTALL)
# A kind says what contradicts what as "fast must be below slow (21), was 30".


@attrs.frozen(kw_only=True)
class ParameterField:
    """One number that may be chosen. `of` is the kind that declares it, `member` its place in an ensemble, from 0.

    `given` says that the settings name it; else `value` is the default. `above` says that `low` itself is not allowed.
    """

    path: str
    of: str
    member: int | None
    declared: Parameter
    value: float
    given: bool
    above: bool = False

    @property
    def must_be(self) -> str:
        return (
            f"above {self.declared.low:g} and at most {self.declared.high:g}" if self.above else self.declared.must_be
        )

    def takes(self, number: float) -> bool:
        return self.declared.takes(number) and not (self.above and number <= self.declared.low)


@attrs.frozen(kw_only=True)
class ParameterChange:
    """`old` and `new` are what the strategy runs with, defaults filled in."""

    path: str
    old: float
    new: float


def fields_of(strategy: StrategySettings, kinds: Mapping[str, StrategyKind]) -> tuple[ParameterField, ...]:
    """What may be chosen, in the order of its author. Of a kind that cannot be used nothing is declared."""
    found = _declared("", None, strategy.kind, strategy.parameters, kinds)
    for place, member in enumerate(strategy.members):
        at = f"members[{place}]."
        weight = member.weight
        found.append(
            ParameterField(
                path=f"{at}weight",
                of=member.kind,
                member=place,
                declared=WEIGHT,
                value=weight,
                given=weight != WEIGHT.default,
                above=True,
            )
        )
        found += _declared(f"{at}parameters.", place, member.kind, member.parameters, kinds)
    return tuple(found)


def _declared(
    at: str, member: int | None, name: str, given: Mapping[str, float], kinds: Mapping[str, StrategyKind]
) -> list[ParameterField]:
    kind = kinds.get(name)
    if kind is None or kind.fault:
        return []
    return [
        ParameterField(
            path=f"{at}{each.name}",
            of=name,
            member=member,
            declared=each,
            value=float(given.get(each.name, each.default)),
            given=each.name in given,
        )
        for each in kind.parameters
    ]


def with_parameters(
    strategy: StrategySettings, wanted: Mapping[str, float | None], kinds: Mapping[str, StrategyKind]
) -> StrategySettings | tuple[Fault, ...]:
    """The strategy with other numbers (None: the default again), or every fault with the field as its path.

    A contradiction between several numbers stands at the one that its author names, else at no field (an empty path).
    """
    fields = {each.path: each for each in fields_of(strategy, kinds)}
    faults: list[Fault] = []
    for path, number in wanted.items():
        field = fields.get(path)
        if field is None:
            near = nearest(path, fields)
            known = ", ".join(fields) or "nothing: it declares no parameters"
            hint = f"did you mean {near}?" if near else f"known are {known}"
            must_be = f"a parameter of {strategy.name} ({strategy.kind})"
            faults.append(Fault(path=path[:120], must_be=must_be, was="unknown", layer=LAYER, hint=hint))
        elif number is not None and not field.takes(number):
            meaning = field.declared.meaning
            faults.append(Fault(path=path, must_be=field.must_be, was=f"{number:g}", layer=LAYER, hint=meaning))
    if faults:
        return tuple(faults)
    own = _chosen("", strategy.parameters, wanted)
    members = tuple(_member(f"members[{place}].", each, wanted) for place, each in enumerate(strategy.members))
    new = msgspec.structs.replace(strategy, parameters=own, members=members)
    faults = _contradictions(new, kinds, fields)
    return tuple(faults) if faults else new


def _member(at: str, member: MemberSettings, wanted: Mapping[str, float | None]) -> MemberSettings:
    weight = wanted.get(f"{at}weight", member.weight)
    return msgspec.structs.replace(
        member,
        weight=WEIGHT.default if weight is None else weight,
        parameters=_chosen(f"{at}parameters.", member.parameters, wanted),
    )


def _chosen(at: str, given: Mapping[str, float], wanted: Mapping[str, float | None]) -> dict[str, float]:
    chosen = dict(given)
    for path, number in wanted.items():
        name = path.removeprefix(at)
        if not path.startswith(at) or "." in name:
            continue
        if number is None:
            chosen.pop(name, None)
        else:
            chosen[name] = number
    return chosen


def _contradictions(
    new: StrategySettings, kinds: Mapping[str, StrategyKind], fields: Mapping[str, ParameterField]
) -> list[Fault]:
    parts: list[tuple[str, str, Mapping[str, float]]] = [("", new.kind, new.parameters)]
    parts += [(f"members[{at}].parameters.", each.kind, each.parameters) for at, each in enumerate(new.members)]
    found: list[Fault] = []
    for at, name, given in parts:
        kind = kinds.get(name)
        if kind is None or kind.fault:
            continue
        try:
            kind.start(kind.resolve(given))
        except ValueError as error:
            found.append(_told(at, str(error), fields))
    if not found:
        try:
            check_members(new, kinds)
        except ValueError as error:
            found.append(_told("", str(error), fields))
    return found


def _told(at: str, text: str, fields: Mapping[str, ParameterField]) -> Fault:
    said = _SAID.fullmatch(text)
    if said is not None and f"{at}{said[1]}" in fields:
        return Fault(path=f"{at}{said[1]}", must_be=said[2], was=said[3], layer=LAYER)
    return Fault(path="", must_be=f"free of contradictions ({text})", was="not", layer=LAYER)


def differences(
    old: StrategySettings, new: StrategySettings, kinds: Mapping[str, StrategyKind]
) -> tuple[ParameterChange, ...]:
    """What a change changes, by field. A number that is named and equals the default is no change."""
    after = {each.path: each.value for each in fields_of(new, kinds)}
    return tuple(
        ParameterChange(path=each.path, old=each.value, new=after[each.path])
        for each in fields_of(old, kinds)
        if after[each.path] != each.value
    )


def list_with(strategies: Sequence[StrategySettings], new: StrategySettings) -> list[Any]:
    """The whole value of the key `strategies`, as JSON has it, with `new` in the place of the one of its name."""
    return [msgspec.to_builtins(new if each.name == new.name else each) for each in strategies]
