"""One judgement of risk: what was found at once, and its words once somebody reads them."""

import attrs

from genesis.domain.decision_log import verdict_record
from genesis.domain.risk_rules.results import Finding, told
from genesis.domain.risk_state import Wish
from protocols.journal import Record
from protocols.risk import Verdict


@attrs.define(kw_only=True, eq=False)
class Judgement:
    """What every rule found about a wish. A live engine writes each one down at once; most backtests are run for their
    figures and read none, and the text of its seventy numbers costs twice as much as finding them.

    `denied` are the findings of the rules that failed, in the order of the rules. Two judgements are equal when their
    words are.
    """

    wish: Wish
    settings_version: int
    _findings: tuple[Finding, ...]
    denied: tuple[Finding, ...] = attrs.field(init=False)
    _verdict: Verdict | None = attrs.field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        self.denied = tuple([finding for finding in self._findings if finding.code is not None])

    def __eq__(self, other: object) -> bool:
        return self.verdict == other.verdict if isinstance(other, Judgement) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    @property
    def approved(self) -> bool:
        return not self.denied

    @property
    def verdict(self) -> Verdict:
        """The judgement in words, with the answer of every rule."""
        if self._verdict is None:
            wish = self.wish
            self._verdict = Verdict(
                verdict_id=wish.intent_id,
                strategy=wish.strategy,
                symbol=wish.symbol,
                side=wish.side,
                approved=self.approved,
                intent=wish.intent,
                trace=tuple([told(finding) for finding in self._findings]),
                decided_ms=wish.decided_ms,
                signal_id=wish.signal_id,
                settings_version=self.settings_version,
                correlation_id=wish.correlation_id,
            )
            # Five hundred are remembered: not each number twice.
            self._findings = ()
        return self._verdict

    @property
    def record(self) -> Record:
        return verdict_record(self.verdict)
