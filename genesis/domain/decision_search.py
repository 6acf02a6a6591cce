"""Which verdicts somebody asks for: by symbol, strategy, code, rule, outcome, event and time."""

from collections.abc import Iterable

import attrs
import msgspec

from genesis.domain.decision_log import VERDICT_KIND
from protocols.journal import StoredRecord
from protocols.risk import Verdict

_VERDICTS = msgspec.json.Decoder(Verdict)


@attrs.frozen(kw_only=True)
class DecisionSearch:
    """None is everything. `code` and `rule` find refusals by it; times are venue time, both included."""

    symbol: str | None = None
    strategy: str | None = None
    code: str | None = None
    rule: str | None = None
    approved: bool | None = None
    signal_id: str | None = None
    correlation_id: str | None = None
    from_ms: int | None = None
    to_ms: int | None = None
    limit: int = 100
    offset: int = 0

    def matches(self, verdict: Verdict) -> bool:
        return (
            self.symbol in (None, verdict.symbol)
            and self.strategy in (None, verdict.strategy)
            and self.approved in (None, verdict.approved)
            and self.signal_id in (None, verdict.signal_id)
            and self.correlation_id in (None, verdict.correlation_id)
            and (self.from_ms is None or verdict.decided_ms >= self.from_ms)
            and (self.to_ms is None or verdict.decided_ms <= self.to_ms)
            and (self.code is None or any(each.code == self.code for each in verdict.denials))
            and (self.rule is None or any(each.rule == self.rule for each in verdict.denials))
        )


@attrs.frozen(kw_only=True)
class DecisionsFound:
    """`total` matched among the `searched` newest; `verdicts` is the page that was asked for, newest first."""

    total: int
    searched: int
    verdicts: tuple[Verdict, ...]


def search(newest_first: Iterable[Verdict], asked: DecisionSearch) -> DecisionsFound:
    searched, total = 0, 0
    page: list[Verdict] = []
    for verdict in newest_first:
        searched += 1
        if asked.matches(verdict):
            total += 1
            if total > asked.offset and len(page) < asked.limit:
                page.append(verdict)
    return DecisionsFound(total=total, searched=searched, verdicts=tuple(page))


def verdicts_of(records: Iterable[StoredRecord]) -> Iterable[Verdict]:
    return (_VERDICTS.decode(kept.record.payload) for kept in records if kept.record.kind == VERDICT_KIND)
