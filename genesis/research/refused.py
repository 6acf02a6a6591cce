"""Scores that risk refuses one after another: counted at once, and judged in words for whoever reads them."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator

import attrs

from genesis.domain.pairs import PairSpecs
from genesis.domain.refusals import Refusals, kept
from genesis.domain.risk_judgement import Judgement
from genesis.domain.risk_machine import RiskMachine
from genesis.domain.risk_rules.results import Rule
from genesis.domain.risk_state import RiskState
from genesis.domain.volatility import Volatility
from protocols.settings import Settings
from protocols.signals import Recommendation, SignalScore

Wanted = tuple[Recommendation, float, int, Volatility | None]
"""What a score asks for, its price, its time, and what risk heard of the range with it."""


@attrs.frozen(kw_only=True)
class Refused:
    """Scores from `first` to `last` (not included) of a run, and what risk remembered before them."""

    first: int
    last: int
    state: RiskState

    def judgements(
        self, settings: Settings, pairs: PairSpecs, score: Callable[[int], SignalScore]
    ) -> Iterator[tuple[Judgement, ...]]:
        """What risk says to each of them."""
        risk = RiskMachine(settings, pairs)
        risk.state = kept(self.state)
        for place in range(self.first, self.last):
            yield risk.on_score(score(place)).judgements


def count(state: RiskState, refusals: Refusals, wanted: Iterable[Wanted]) -> None:
    """Count the refusals of these scores as risk would have."""
    counted: Counter[tuple[Rule, ...]] = Counter()
    for recommendation, price, at_ms, volatility in wanted:
        if recommendation is Recommendation.BUY:
            counted[refusals.entry(price, at_ms, volatility)] += 1
        else:
            counted[refusals.exits] += 1
    for denied, times in counted.items():
        for rule in denied:
            code = rule.code.value
            state.denials_by_code[code] = state.denials_by_code.get(code, 0) + times
            state.denials_by_rule[rule.name] = state.denials_by_rule.get(rule.name, 0) + times
