"""One judgement of risk: which rules denied it at once, and its words once somebody reads them."""

import msgspec

from genesis.domain.decision_log import VERDICT_KIND, verdict_record
from genesis.domain.risk_rules import RULES
from genesis.domain.risk_rules.results import Rule, told
from genesis.domain.risk_state import Facts, Wish
from protocols.journal import LateRecord
from protocols.risk import Verdict
from protocols.settings import Settings


class Judgement(msgspec.Struct, eq=False):
    """What the rules said to a wish. A live engine writes each one down, beside the loop while its order is on the way;
    most backtests are run for their figures and read none, and a judgement in words costs several times what it costs
    to judge.

    `denied` are the rules that do not let it through, in their order; with none it is approved. Two judgements are
    equal when their words are.
    """

    wish: Wish
    _settings: Settings
    _facts: Facts | None
    denied: tuple[Rule, ...]
    settings_version: int
    _verdict: Verdict | None = None

    def __eq__(self, other: object) -> bool:
        return self.verdict == other.verdict if isinstance(other, Judgement) else NotImplemented

    def __ne__(self, other: object) -> bool:
        # A struct has one of its own, which asks no `__eq__`.
        return not self == other

    __hash__ = None  # type: ignore[assignment]

    @property
    def approved(self) -> bool:
        return not self.denied

    @property
    def verdict(self) -> Verdict:
        """The judgement in words, with the answer of every rule."""
        # In this order: the journal's thread may find the words at the same time.
        facts, verdict = self._facts, self._verdict
        if verdict is None:
            assert facts is not None
            wish, settings, denied = self.wish, self._settings, self.denied
            trace = [told(rule, settings, facts, wish, passed=rule not in denied) for rule in RULES]
            verdict = self._verdict = Verdict(
                verdict_id=wish.intent_id,
                strategy=wish.strategy,
                symbol=wish.symbol,
                side=wish.side,
                approved=self.approved,
                intent=wish.intent,
                trace=tuple(trace),
                decided_ms=wish.decided_ms,
                signal_id=wish.signal_id,
                settings_version=self.settings_version,
                correlation_id=wish.correlation_id,
            )
            # Five hundred are remembered: not each number twice.
            self._facts = None
        return verdict

    @property
    def record(self) -> LateRecord:
        """For the journal, which finds the words when it writes them down."""
        wish = self.wish
        return LateRecord(
            kind=VERDICT_KIND,
            key=wish.intent_id,
            write=self._text,
            correlation_id=wish.correlation_id,
            at_ms=wish.decided_ms,
        )

    def _text(self) -> bytes:
        return verdict_record(self.verdict).payload
