"""A risk machine that has judged what will most likely be said to it before anybody says it (`risk_foresight`)."""

import copy
from typing import Final

import msgspec
from typing_extensions import override

from genesis.domain.risk_foresight import Foreseen, orders_in
from genesis.domain.risk_machine import REMEMBERED, RiskMachine, RiskOutputs, told_as
from genesis.domain.risk_ready import AT_MOST
from genesis.domain.risk_state import RiskState
from protocols.orders import Approved
from protocols.signals import ForeseenScores, SignalScore

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(RiskState).decode
_in_words = msgspec.json.Encoder(order="sorted").encode
IN_A_ROW: Final = 4
"""Strategies of one candle that are judged ahead: each takes a copy of the state, a tenth of a millisecond and more
in which nobody else is heard."""


class RiskAhead(RiskMachine):
    """Says, and remembers, what a `RiskMachine` does that is told the same and foresees nothing; only sooner."""

    _before: RiskState | None = None
    """The state before the answer that was taken last: given back when nobody waits, since that takes longer than all
    else at the taking."""

    def foresee(self, hint: ForeseenScores) -> Approved | None:
        """Judge what a candle's strategies will most likely say next, one after the other, while nobody waits. Gives
        the first order that will be approved then, if one will."""
        if self.settings.overlays:
            # A shadow would be asked, too.
            return None
        scores: list[SignalScore] = []
        states: list[RiskState] = []
        answers: list[RiskOutputs] = []
        machine: RiskMachine = self
        for score in hint.scores[:IN_A_ROW]:
            who, number = told_as(score)
            ahead = _copy_of(machine)
            if ahead is None or number <= ahead.state.judged.get(who, -1):
                break
            score = msgspec.structs.replace(score, received_ns=0)
            answers.append(ahead.on_score(score))
            scores.append(score)
            states.append(ahead.state)
            machine = ahead
        chain = [
            Foreseen(*each, orders_in(each[2], states[place:]))
            for place, each in enumerate(zip(scores, states, answers, strict=True))
        ]
        foreseen = self._ready.foreseen
        if len(foreseen) >= AT_MOST:
            foreseen.clear()
        foreseen[hint.symbol, hint.timeframe] = tuple(chain)
        expected = next((approved for each in chain for approved in each.outputs.approved), None)
        # A copy of the intent: ours is given its stamp where it lies. Of what is in it nothing changes, so that it is
        # known for the same at a glance.
        return None if expected is None else msgspec.structs.replace(expected, intent=copy.copy(expected.intent))

    def expected(self, hint: ForeseenScores) -> Foreseen | None:
        """What was foreseen of the first score of this hint, as long as nothing has made it void."""
        chain = self._ready.foreseen.get((hint.symbol, hint.timeframe), ())
        return chain[0] if chain else None

    @override
    def prepare(self) -> None:
        self._before = None
        super().prepare()

    @override
    def on_score(self, score: SignalScore) -> RiskOutputs:
        market = score.symbol, score.timeframe
        chain = self._ready.foreseen.get(market, ())
        if not (chain and chain[0].is_of(score)):
            self._ready.foreseen = {}
            return super().on_score(score)
        self._ready.forget()
        # What others will say was judged from here on.
        self._ready.foreseen = {market: chain[1:]}
        return self._take(chain, score)

    def _take(self, chain: tuple[Foreseen, ...], score: SignalScore) -> RiskOutputs:
        self._before, self.state, self._quarter = self.state, chain[0].state, -1
        outputs = chain[0].heard_at(score.received_ns)
        for judgement in outputs.judgements:
            self._judgements[judgement.wish.intent_id] = judgement
        while len(self._judgements) > REMEMBERED:
            self._judgements.pop(next(iter(self._judgements)))
        return outputs


def _copy_of(machine: RiskMachine) -> RiskMachine | None:
    """A machine of the same state; None where that would be written down in other words."""
    ahead = RiskMachine(machine.settings, machine.pairs)
    # The account is most of it, and nothing that is written upon.
    rest = msgspec.structs.replace(machine.state, account=None)
    # Not by its checkpoint, which is sorted: some answers hang on what came first.
    ahead.state = _decode(_encode(rest))
    if _in_words(ahead.state) != _in_words(rest):
        return None
    ahead.state.account = machine.state.account
    ahead._sheet, ahead._judge = machine._sheet, machine._judge
    return ahead
