"""Which scores somebody asks for: by symbol, time frame, strategy, recommendation, confidence and time."""

import attrs
import msgspec

from genesis.domain.decision_log import SIGNAL_KIND
from protocols.journal import StoredRecord
from protocols.signals import Recommendation, SignalScore

_SCORES = msgspec.json.Decoder(SignalScore)


@attrs.frozen(kw_only=True)
class SignalSearch:
    """None is everything; no `recommendation` is all but HOLD unless `hold`. Times are venue time, both included."""

    symbol: str | None = None
    timeframe: str | None = None
    strategy: str | None = None
    recommendation: Recommendation | None = None
    hold: bool = False
    confidence_from: float = 0.0
    from_ms: int | None = None
    to_ms: int | None = None
    limit: int = 100
    offset: int = 0

    def matches(self, score: SignalScore) -> bool:
        return (
            self.symbol in (None, score.symbol)
            and self.timeframe in (None, score.timeframe)
            and self.strategy in (None, score.strategy)
            and self.recommendation in (None, score.recommendation)
            and (self.hold or self.recommendation is not None or score.recommendation is not Recommendation.HOLD)
            and score.confidence >= self.confidence_from
            and (self.from_ms is None or score.decided_ms >= self.from_ms)
            and (self.to_ms is None or score.decided_ms <= self.to_ms)
        )


@attrs.frozen(kw_only=True)
class SignalsFound:
    """`total` matched among the `searched` newest; `signals` is the page that was asked for, newest first.

    `complete` is false when there is more in the journal than one search looks through.
    """

    total: int
    searched: int
    complete: bool
    signals: tuple[SignalScore, ...]


@attrs.define(kw_only=True)
class SignalHunt:
    """A search over pages of the journal, newest first."""

    asked: SignalSearch
    searched: int = 0
    total: int = 0
    complete: bool = False
    page: list[SignalScore] = attrs.field(factory=list)

    def take(self, records: tuple[StoredRecord, ...]) -> None:
        for kept in records:
            if kept.record.kind != SIGNAL_KIND:
                continue
            self.searched += 1
            score = _SCORES.decode(kept.record.payload)
            if self.asked.matches(score):
                self.total += 1
                if self.total > self.asked.offset and len(self.page) < self.asked.limit:
                    self.page.append(score)

    def found(self) -> SignalsFound:
        return SignalsFound(total=self.total, searched=self.searched, complete=self.complete, signals=tuple(self.page))
