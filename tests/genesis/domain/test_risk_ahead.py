"""A risk machine that judges ahead remembers what one does that foresees nothing, and no more."""

import msgspec

from genesis.domain.risk_ahead import RiskAhead
from genesis.domain.risk_machine import REMEMBERED, RiskMachine
from protocols.settings import Settings
from protocols.signals import ForeseenScores, Recommendation
from protocols.units import Symbol
from tests.genesis.domain.denials import PAIRS
from tests.genesis.domain.risk_world import an_account, crossing_scores
from tests.genesis.domain.test_risk_seeded_world import STRATEGIES

DAY_MS = 86_400_000


def test_of_what_was_foreseen_no_more_is_remembered_than_of_what_was_not() -> None:
    """In a market where every order is foreseen, nothing else ever makes room for the newest."""
    asked = [score for score in crossing_scores(400) if score.recommendation is not Recommendation.HOLD]
    remembered: list[list[str]] = []
    for kind in (RiskMachine, RiskAhead):
        made = kind(Settings(strategies=STRATEGIES), PAIRS)
        made.on_account(an_account())
        heard = 0
        for day in range(2 * REMEMBERED // len(asked) + 1):
            for score in asked:
                score = msgspec.structs.replace(
                    score,
                    signal_id=f"{score.signal_id}:{day}",
                    candle_open_ms=score.candle_open_ms + day * DAY_MS,
                    decided_ms=score.decided_ms + day * DAY_MS,
                )
                if isinstance(made, RiskAhead):
                    made.foresee(ForeseenScores(symbol=score.symbol, timeframe=score.timeframe, scores=(score,)))
                    assert made._ready.foreseen
                made.on_score(score)
                heard += 1
        assert heard > REMEMBERED
        remembered.append(list(made._judgements))
    assert remembered[0] == remembered[1]
    assert len(remembered[0]) == REMEMBERED


def test_an_order_that_is_expected_is_nobody_elses_to_stamp() -> None:
    """Who was told of it keeps what it was told; the order that comes knows when its candle's end was heard of."""
    stamped = 0
    for score in crossing_scores(400):
        made = RiskAhead(Settings(strategies=STRATEGIES), PAIRS)
        made.on_account(an_account())
        heard = msgspec.structs.replace(score, received_ns=77)
        expected = made.foresee(ForeseenScores(symbol=score.symbol, timeframe=score.timeframe, scores=(score,)))
        outputs = made.on_score(heard)
        assert (expected is not None) == bool(outputs.approved)
        for approved, judgement in zip(outputs.approved, outputs.judgements, strict=bool(outputs.approved)):
            assert expected is not None
            assert expected.intent.received_ns == 0
            assert expected.intent is not approved.intent
            intents = approved.intent, judgement.wish.intent, made.state.reservations[approved.intent.intent_id].intent
            assert [each.received_ns for each in intents if each is not None] == [77, 77, 77]
            assert msgspec.structs.replace(approved.intent, received_ns=0) == expected.intent
            stamped += 1
    assert stamped > 5


def test_what_is_ready_is_what_would_be_worked_out_anew() -> None:
    """It is made once and kept while nothing has changed that it rests on; the status is made of it."""
    made, plain = (RiskMachine(Settings(strategies=STRATEGIES), PAIRS) for _ in range(2))
    account, kept = an_account(), 0
    for place, score in enumerate(crossing_scores(400)):
        if place % 7 == 0:
            ended = tuple(made.state.reservations)
            account = msgspec.structs.replace(
                account,
                version=account.version + 1,
                cash=account.cash - place,
                closed_intents=ended,
                closed_count=account.closed_count + len(ended),
            )
            for machine in (made, plain):
                machine.on_account(account)
        for machine in (made, plain):
            machine.on_score(score)
        kept += bool(made._ready._by_strategy)
        made.prepare()
        assert made._ready._by_strategy
        for name, ready in made._ready._by_strategy.items():
            anew = made._grounds(Symbol(ready.symbol), ready.side, ready.purpose, name, ready.settings)
            assert ready.grounds == anew
        assert made.status() == plain.status()
    assert 0 < kept < len(crossing_scores(400))
