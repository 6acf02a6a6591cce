"""What a strategy says of a candle, before anybody has read its words.

Who acts on a score looks at what it recommends and at the range; its features and sentences are for those who read, and
while an order waits nobody does. They are found later, of the state that the strategy was in when it spoke.
"""

from collections.abc import Callable

import msgspec

from genesis.domain.decision_log import SIGNAL_KIND, signal_record
from genesis.domain.strategy import Opinion
from protocols.journal import LateRecord
from protocols.signals import SignalScore


class Said(msgspec.Struct, eq=False):
    """`score` has all that is acted on, `whole` is the same with its words.

    Without `words` it is whole already. Else they are lent: the strategy's state must be as it was until somebody has
    asked for the whole once.
    """

    score: SignalScore
    words: Callable[[], Opinion] | None = None
    _whole: SignalScore | None = None

    @property
    def whole(self) -> SignalScore:
        # In this order: the journal's thread may find the words at the same time.
        words, whole = self.words, self._whole
        if whole is not None:
            return whole
        if words is None:
            return self.score
        opinion = words()
        whole = self._whole = msgspec.structs.replace(self.score, features=opinion.features, reasons=opinion.reasons)
        self.words = None
        return whole

    @property
    def record(self) -> LateRecord:
        """For the journal, which finds the words when it writes them down."""
        score = self.score
        return LateRecord(
            kind=SIGNAL_KIND,
            key=score.signal_id,
            write=self._text,
            correlation_id=score.correlation_id,
            at_ms=score.decided_ms,
        )

    def _text(self) -> bytes:
        return signal_record(self.whole).payload
