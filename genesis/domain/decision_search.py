"""Which verdicts somebody asks for: by symbol, strategy, code, rule, outcome, event, order and time."""

from collections.abc import Iterable, Mapping

import attrs
import msgspec

from protocols.risk import Verdict


@attrs.frozen(kw_only=True)
class DecisionSearch:
    """None is everything. `code` and `rule` find refusals by it; times are venue time, both included.

    `about` is whatever name of one decision somebody has: of its signal, its intent, its correlation, or an order.
    """

    about: str | None = None
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
            self.about in (None, *names_of(verdict))
            and self.symbol in (None, verdict.symbol)
            and self.strategy in (None, verdict.strategy)
            and self.approved in (None, verdict.approved)
            and self.signal_id in (None, verdict.signal_id)
            and self.correlation_id in (None, verdict.correlation_id)
            and (self.from_ms is None or verdict.decided_ms >= self.from_ms)
            and (self.to_ms is None or verdict.decided_ms <= self.to_ms)
            and (self.code is None or any(each.code == self.code for each in verdict.denials))
            and (self.rule is None or any(each.rule == self.rule for each in verdict.denials))
        )

    def fragments(self) -> tuple[bytes, ...]:
        """Texts that the record of every verdict asked for contains, and no other verdict's record.

        Records are canonical JSON: names in order, no spaces, and a quote within a text never bare.
        """
        found = [
            _fragment(name, value)
            for name, value in (
                ("symbol", self.symbol),
                ("strategy", self.strategy),
                ("code", self.code),
                ("signal_id", self.signal_id),
                ("correlation_id", self.correlation_id),
            )
            if value is not None
        ]
        if self.rule is not None:
            found.append(b'"passed":false,' + _fragment("rule", self.rule))
        if self.approved is not None:
            found.append(b'{"approved":' + (b"true" if self.approved else b"false") + b",")
        return tuple(found)


def _fragment(name: str, value: str) -> bytes:
    return msgspec.json.encode(name) + b":" + msgspec.json.encode(value)


def names_of(verdict: Verdict) -> tuple[str | None, ...]:
    """Every name by which a person may have met a decision; a manual order's own is what the API was given."""
    event = verdict.correlation_id
    return verdict.verdict_id, verdict.signal_id, event, event.removeprefix("manual:")


@attrs.frozen(kw_only=True)
class DecisionsFound:
    """`total` matched among the `searched`; `verdicts` is the page that was asked for, newest first. `not_sent` says by
    verdict why an order that was approved was given up before it left, as far as the journal was read."""

    total: int
    searched: int
    verdicts: tuple[Verdict, ...]
    not_sent: Mapping[str, str] = attrs.field(factory=dict)


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
