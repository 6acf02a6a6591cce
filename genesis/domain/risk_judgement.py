"""One judgement of risk: what was found at once, and its words once somebody reads them."""

from functools import cached_property

import attrs

from genesis.domain.decision_log import verdict_record
from genesis.domain.risk_rules.results import Finding, told
from genesis.domain.risk_state import Wish
from protocols.journal import Record
from protocols.orders import OrderIntent
from protocols.risk import Verdict


@attrs.frozen(kw_only=True, slots=False)
class Judgement:
    """What every rule found about a wish. A live engine writes each one down at once; most backtests are run for their
    figures and read none, and the text of its seventy numbers costs twice as much as finding them."""

    wish: Wish
    findings: tuple[Finding, ...]
    settings_version: int

    @cached_property
    def denied(self) -> tuple[Finding, ...]:
        """What the rules that failed found, in the order of the rules."""
        return tuple([finding for finding in self.findings if finding.code is not None])

    @property
    def approved(self) -> bool:
        return not self.denied

    @property
    def verdict_id(self) -> str:
        return self.wish.intent_id

    @property
    def intent(self) -> OrderIntent | None:
        return self.wish.intent

    @cached_property
    def verdict(self) -> Verdict:
        """The judgement in words, with the answer of every rule."""
        wish = self.wish
        return Verdict(
            verdict_id=wish.intent_id,
            strategy=wish.strategy,
            symbol=wish.symbol,
            side=wish.side,
            approved=self.approved,
            intent=wish.intent,
            trace=tuple([told(finding) for finding in self.findings]),
            decided_ms=wish.decided_ms,
            signal_id=wish.signal_id,
            settings_version=self.settings_version,
            correlation_id=wish.correlation_id,
        )

    @property
    def record(self) -> Record:
        return verdict_record(self.verdict)
