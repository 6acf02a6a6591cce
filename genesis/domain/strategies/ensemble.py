"""An ensemble: strategies of any kind, shipped or the user's own, vote with weights, and the sum decides.

Each member is a whole strategy with its own state, told every candle (and tick and fill, if it minds them). Its vote is
what it said last that was not HOLD, times how sure it was: from -1 (out) to 1 (in), 0 before it said anything. The
ensemble's vote is their mean by weight. It enters at `enter` and leaves at `leave`, so between the two it does nothing.
The probability is the mean of those members that gave one, again by weight: so a model and rules decide together.
"""

import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import attrs

from genesis.domain.strategy import Opinion, Parameter, StrategyFault, StrategyKind
from protocols.market import Candle, Tick
from protocols.orders import Fill
from protocols.settings import StrategySettings
from protocols.signals import Recommendation

NAME: Final = "ensemble"
MOST_MEMBERS: Final = 20
_EVEN_ODDS: Final = 0.5
_ENTER, _LEAVE, _INSIDE, _HEAD = 0, 1, 2, 3
# Of each member, before its own state: its vote, and the probability it gave last.
_VOTE, _PROBABILITY, _MEMBER_HEAD = 0, 1, 2

PARAMETERS: Final = (
    Parameter(name="enter", default=0.5, low=0.01, high=1, whole=False, meaning="vote that an entry takes"),
    Parameter(name="leave", default=0.0, low=-1, high=0.99, whole=False, meaning="vote at which it leaves"),
)


def _no_members(_: object, __: object) -> Opinion:
    raise StrategyFault("an ensemble must have members, had none")


def _start(parameters: Mapping[str, float]) -> list[float]:
    enter, leave = parameters["enter"], parameters["leave"]
    if leave >= enter:
        raise ValueError(f"ensemble.leave must be below enter ({enter:g}), was {leave:g}")
    return [enter, leave, 0.0]


ENSEMBLE = StrategyKind(
    name=NAME,
    version=1,
    text="Strategies of any kind vote with weights; name them as `members`.",
    parameters=PARAMETERS,
    start=_start,
    step=_no_members,
)
"""What settings name. What runs is made of the members: `kind_for`."""


@attrs.frozen(kw_only=True)
class _Member:
    name: str
    kind: StrategyKind
    weight: float
    first: int
    """Where its part of the state begins."""
    end: int


def kinds_of(wanted: StrategySettings, kinds: Mapping[str, StrategyKind]) -> tuple[StrategyKind | None, ...]:
    """The kinds that a configured strategy is made of: its own, and its members'. None for one that is not known."""
    return (kinds.get(wanted.kind), *(kinds.get(member.kind) for member in wanted.members))


def check_members(wanted: StrategySettings, kinds: Mapping[str, StrategyKind]) -> None:
    """Raises ValueError on members that cannot be."""
    if wanted.kind != NAME:
        if wanted.members:
            raise ValueError(f"only an ensemble has members, {wanted.name} is of kind {wanted.kind}")
        return
    if not 1 <= len(wanted.members) <= MOST_MEMBERS:
        raise ValueError(f"an ensemble must have 1 to {MOST_MEMBERS} members, had {len(wanted.members)}")
    for member in wanted.members:
        kind = kinds.get(member.kind)
        if kind is None or kind.name == NAME:
            known = ", ".join(sorted(name for name in kinds if name != NAME))
            raise ValueError(f"a member's kind must be one of {known}, was {member.kind}")
        if not 0 < member.weight <= 1_000:
            raise ValueError(f"a member's weight must be above 0 and at most 1000, was {member.weight:g}")
        if not kind.fault:
            kind.start(kind.resolve(member.parameters))


def kind_for(wanted: StrategySettings, kinds: Mapping[str, StrategyKind]) -> StrategyKind:
    """The kind that runs for a configured strategy; of an ensemble the one of its members. Raises ValueError."""
    kind = kinds.get(wanted.kind)
    if kind is None:
        raise ValueError(f"strategy kind must be one of {', '.join(sorted(kinds))}, was {wanted.kind}")
    check_members(wanted, kinds)
    if kind is not ENSEMBLE:
        return kind
    members = [(kinds[member.kind], member.weight, member.parameters) for member in wanted.members]
    for one, _, _ in members:
        if one.fault:
            return attrs.evolve(StrategyKind.broken(NAME, f"member {one.name}: {one.fault}"), parameters=PARAMETERS)
    return ensemble_kind(members)


def ensemble_kind(given: Sequence[tuple[StrategyKind, float, Mapping[str, float]]]) -> StrategyKind:
    """An ensemble of (kind, weight, its parameters). Raises ValueError on parameters that contradict one another."""
    starts = [kind.start(kind.resolve(parameters)) for kind, _, parameters in given]
    members: list[_Member] = []
    place = _HEAD
    for number, ((kind, weight, _), inner) in enumerate(zip(given, starts, strict=True), 1):
        twice = sum(kind is other for other, _, _ in given) > 1
        first, place = place, place + _MEMBER_HEAD + len(inner)
        name = f"{kind.name}_{number}" if twice else kind.name
        members.append(_Member(name=name, kind=kind, weight=weight, first=first, end=place))
    total = sum(member.weight for member in members)

    def start(parameters: Mapping[str, float]) -> list[float]:
        state = _start(parameters)
        for inner in starts:
            state += [0.0, _EVEN_ODDS, *inner]
        return state

    def ask(state: list[float], say: Callable[[StrategyKind, list[float]], Opinion | None]) -> dict[str, Opinion]:
        """Every member's answer; none of their states is changed when one fails."""
        said: dict[str, Opinion] = {}
        changed = list(state)
        for member in members:
            inner = changed[member.first + _MEMBER_HEAD : member.end]
            try:
                opinion = say(member.kind, inner)
            except StrategyFault as fault:
                raise StrategyFault(f"member {member.name}: {fault}") from None
            changed[member.first + _MEMBER_HEAD : member.end] = inner
            if opinion is None:
                continue
            said[member.name] = opinion
            changed[member.first + _PROBABILITY] = opinion.probability
            if opinion.recommendation is not Recommendation.HOLD:
                sign = 1.0 if opinion.recommendation is Recommendation.BUY else -1.0
                changed[member.first + _VOTE] = sign * opinion.confidence
        state[:] = changed
        return said

    def conclude(state: list[float], said: Mapping[str, Opinion]) -> Opinion:
        vote = sum(member.weight * state[member.first + _VOTE] for member in members) / total
        probability, sure = 0.0, 0.0
        for member in members:
            given_by_it = state[member.first + _PROBABILITY]
            if given_by_it != _EVEN_ODDS:
                probability += member.weight * given_by_it
                sure += member.weight
        features = {"vote": vote}
        reasons = []
        for member in members:
            opinion = said.get(member.name)
            features[f"vote_{member.name}"] = state[member.first + _VOTE]
            why = "" if opinion is None or not opinion.reasons else f": {opinion.reasons[0]}"
            reasons.append(f"{member.name} (weight {member.weight:g}) votes {state[member.first + _VOTE]:+.2f}{why}")
        for name in ("atr", "trust"):
            known = [opinion.features[name] for opinion in said.values() if name in opinion.features]
            if known:
                # The first one's range; of doubts about a model the greatest.
                features[name] = known[0] if name == "atr" else min(known)
        recommendation, what = Recommendation.HOLD, ""
        if state[_INSIDE] == 0.0 and vote >= state[_ENTER]:
            state[_INSIDE], recommendation = 1.0, Recommendation.BUY
            what = f", at least {state[_ENTER]:g}, what an entry takes"
        elif state[_INSIDE] == 1.0 and vote <= state[_LEAVE]:
            state[_INSIDE], recommendation = 0.0, Recommendation.SELL
            what = f", at most {state[_LEAVE]:g}, where it leaves"
        return Opinion(
            recommendation=recommendation,
            confidence=min(1.0, abs(vote)),
            probability=probability / sure if sure else _EVEN_ODDS,
            features=features,
            reasons=(f"the vote is {vote:+.2f}{what}", *reasons),
        )

    def step(state: list[float], candle: Candle) -> Opinion:
        return conclude(state, ask(state, lambda kind, inner: kind.step(inner, candle)))

    def warm(state: list[float], candle: Candle) -> bool:
        known = []
        for member in members:
            inner = state[member.first + _MEMBER_HEAD : member.end]
            known.append(member.kind.knows(inner, candle))
            state[member.first + _MEMBER_HEAD : member.end] = inner
        return all(known)

    def between(state: list[float], said: Mapping[str, Opinion]) -> Opinion | None:
        if not said:
            return None
        opinion = conclude(state, said)
        return None if opinion.recommendation is Recommendation.HOLD else opinion

    def on_tick(state: list[float], tick: Tick) -> Opinion | None:
        return between(state, ask(state, lambda kind, inner: kind.on_tick and kind.on_tick(inner, tick)))

    def on_fill(state: list[float], fill: Fill) -> Opinion | None:
        return between(state, ask(state, lambda kind, inner: kind.on_fill and kind.on_fill(inner, fill)))

    return StrategyKind(
        name=NAME,
        version=zlib.crc32(repr([(m.kind.name, m.kind.version, m.weight) for m in members]).encode()),
        text=ENSEMBLE.text,
        parameters=PARAMETERS,
        start=start,
        step=step,
        warm=warm,
        on_tick=on_tick if any(member.kind.on_tick for member in members) else None,
        on_fill=on_fill if any(member.kind.on_fill for member in members) else None,
        foreign=any(member.kind.foreign for member in members),
    )
