"""What will be said to a score that will most likely come: judged while nobody waits for it.

A candle stands as it will close before anybody knows that it has closed, and what a strategy will say of it hangs on
nothing else. So what risk will answer is worked out of a copy of its state, and taken when that very score is said to
the very state that the copy was made of. Whatever else is heard first, it is judged as if nothing had been foreseen.
"""

from collections.abc import Sequence

import msgspec

from genesis.domain.risk_outputs import RiskOutputs
from genesis.domain.risk_state import RiskState
from protocols.orders import OrderIntent
from protocols.signals import SignalScore

_stamp = msgspec.structs.force_setattr


class Foreseen(msgspec.Struct, frozen=True):
    """The answer to `score`, which nobody has said yet (`received_ns` is 0), and the state behind it. The score is
    nobody else's: when it is said, it is told when that was heard."""

    score: SignalScore
    state: RiskState
    outputs: RiskOutputs
    intents: tuple[OrderIntent, ...]
    """The orders that come of it, wherever they lie: in the answer, in the state, and in those worked out of it."""

    def is_of(self, score: SignalScore) -> bool:
        """Whether this is what was foreseen, whenever it was heard."""
        _stamp(self.score, "received_ns", score.received_ns)
        return score == self.score

    def heard_at(self, received_ns: int) -> RiskOutputs:
        """The answer, with orders that know when their candle's end was heard of.

        Once, and not before it is given: frozen as they are, orders that nobody has seen get their stamp where they
        lie. Made anew, each of them would be looked through for numbers that no order can have.
        """
        for intent in self.intents:
            _stamp(intent, "received_ns", received_ns)
        return self.outputs


def orders_in(outputs: RiskOutputs, states: Sequence[RiskState]) -> tuple[OrderIntent, ...]:
    """Those that come of an answer, in it and in the states behind it."""
    mine = [judgement.wish.intent for judgement in outputs.judgements if judgement.wish.intent is not None]
    kept = [state.reservations.get(intent.intent_id) for intent in mine for state in states]
    return (*mine, *[each.intent for each in kept if each is not None])
