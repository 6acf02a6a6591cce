"""What will be said to a score that will most likely come: judged while nobody waits for it.

A candle stands as it will close before anybody knows that it has closed, and what a strategy will say of it hangs on
nothing else. So what risk will answer is worked out of a copy of its state, and taken when that very score is said to
the very state that the copy was made of. Whatever else is heard first, it is judged as if nothing had been foreseen.
"""

from collections.abc import Sequence

import msgspec

from genesis.domain.risk_judgement import Judgement
from genesis.domain.risk_outputs import RiskOutputs
from genesis.domain.risk_state import RiskState
from protocols.orders import Approved, OrderIntent
from protocols.signals import SignalScore

_replace = msgspec.structs.replace


class Foreseen(msgspec.Struct, frozen=True):
    """The answer to `score`, which nobody has said yet (`received_ns` is 0), and the state behind it."""

    score: SignalScore
    state: RiskState
    outputs: RiskOutputs

    def is_of(self, score: SignalScore) -> bool:
        """Whether this is what was foreseen, whenever it was heard."""
        return _replace(score, received_ns=0) == self.score

    def heard_at(self, received_ns: int, chain: "Sequence[Foreseen]") -> RiskOutputs:
        """The answer, with orders that know when their candle's end was heard of. They are noted so in the states of
        `chain`: this one's, and those that were worked out of it."""
        outputs = self.outputs
        if not outputs.judgements:
            return outputs
        judgements: list[Judgement] = []
        stamped: dict[str, OrderIntent] = {}
        for judgement in outputs.judgements:
            wish = judgement.wish
            if wish.intent is not None:
                intent = stamped[wish.intent_id] = _replace(wish.intent, received_ns=received_ns)
                judgement = _replace(judgement, wish=_replace(wish, intent=intent))
            judgements.append(judgement)
        approved: list[Approved] = []
        for each in outputs.approved:
            name = each.intent.intent_id
            intent = stamped[name]
            for after in chain:
                reservations = after.state.reservations
                reservations[name] = _replace(reservations[name], intent=intent)
            approved.append(Approved(intent=intent, settings_version=each.settings_version))
        return _replace(outputs, judgements=tuple(judgements), approved=tuple(approved))
