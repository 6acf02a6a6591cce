"""One seeded world with everything in it: every rule says no in some of its lives, and yes in some."""

import itertools
import random
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from typing_extensions import override

from genesis.domain.decision_log import decision_line
from genesis.domain.pairs import PairSpec
from genesis.domain.risk_ahead import RiskAhead
from genesis.domain.risk_facts import Grounds
from genesis.domain.risk_foresight import Foreseen
from genesis.domain.risk_machine import RiskMachine, RiskOutputs
from genesis.domain.risk_ready import ReadyGrounds
from genesis.domain.risk_rules import RULES
from protocols.journal import LateRecord
from protocols.orders import OrderIntent, OrderType, Purpose
from protocols.risk import (
    AddLock,
    ConditionKind,
    ManualOrder,
    MarketCondition,
    OrderResult,
    SetPaused,
    SetTradingState,
    TradeResult,
    TradingState,
    Verdict,
)
from protocols.settings import RiskSettings, Settings, StrategySettings
from protocols.signals import ForeseenScores, SignalScore
from protocols.units import Side, Symbol
from tests.genesis.domain.denials import ETH, PAIRS
from tests.genesis.domain.risk_world import BTC, START_MS, a_score, an_account, crossing_scores

MINUTE = 60_000
SYMBOLS = (BTC, ETH, Symbol("tNOPEBTC"))


def _limits(chance: random.Random) -> RiskSettings:
    """Mostly roomy, each limit now and then tight."""

    def tight(roomy: object, strict: object) -> str:
        return str(strict if chance.random() < 0.12 else roomy)

    return RiskSettings(
        position_fraction=Decimal(chance.choice(("0.00001", "0.1", "0.25", "0.9"))),
        max_order_notional=Decimal(tight(50_000, 0)),
        max_position_notional=Decimal(tight(50_000, 0)),
        max_gross_exposure=Decimal(tight(90_000, 0)),
        max_net_exposure=Decimal(tight(90_000, 0)),
        max_open_positions=int(tight(5, 0)),
        max_daily_loss=Decimal(tight("0.5", "0.001")),
        max_weekly_loss=Decimal(tight("0.5", "0.001")),
        max_drawdown=Decimal(tight("0.5", "0.001")),
        max_strategy_drawdown=Decimal(tight("0.5", "0.0001")),
        max_trades_per_day=int(tight(50, 1)),
        max_trades_per_symbol=int(tight(50, 1)),
        max_orders_per_minute=int(tight(50, 0)),
        cooldown_s=float(tight(0, 600)),
        windows=("mon 08:00-09:00",) if chance.random() < 0.1 else (),
        atr_budget=Decimal(tight(0, "0.0001")),
        regime_high_fraction=Decimal(chance.choice((1, 0))),
        breaker_volatility_ratio=Decimal(0),
    )


STRATEGIES = (
    StrategySettings(name="s", kind="ema_cross", symbol=BTC, timeframe="1m"),
    StrategySettings(name="z", kind="ema_cross", symbol=ETH, timeframe="1m"),
)


def live(
    seed: int,
    steps: int = 320,
    instead: Callable[[RiskOutputs], None] | None = None,
    after: Callable[[RiskMachine], None] = lambda machine: None,
    machine: type[RiskMachine] = RiskMachine,
) -> tuple[Counter[str], Counter[str]]:
    """(refusals, passes) by rule. A refused order must say why, and a halted house opens nothing. `instead` hears
    all that is said, and nothing is counted; `after` is called with the machine before the first and after each step.
    """
    chance = random.Random(seed)
    pairs = {**PAIRS, ETH: PairSpec(symbol=ETH, minimum=Decimal("0.01"), maximum=Decimal(3))}
    limits = _limits(chance)
    made = machine(Settings(risk=limits, strategies=STRATEGIES), pairs)
    cash, held, minute, results = Decimal(10_000), Decimal(0), 0, list[TradeResult]()
    denied, passed = Counter[str](), Counter[str]()

    def hear(outputs: RiskOutputs) -> None:
        if instead is not None:
            instead(outputs)
            return
        for verdict in outputs.verdicts:
            _check(verdict, made.state.trading)
            for rule in verdict.trace:
                (passed if rule.passed else denied)[rule.rule] += 1

    for step in range(steps):
        after(made)
        roll = chance.random()
        if roll < 0.03:
            limits = _limits(chance)
            made.on_settings(Settings(risk=limits, strategies=STRATEGIES))
        elif roll < 0.06:
            state = chance.choice((TradingState.ACTIVE, *TradingState))
            hear(made.on_command(SetTradingState(state=state, reason="r", actor="a", correlation_id=f"c{step}")))
        elif roll < 0.08:
            paused = chance.random() < 0.4
            hear(made.on_command(SetPaused(paused=paused, reason="r", actor="a", correlation_id=f"c{step}")))
        elif roll < 0.1:
            lock = AddLock(
                symbol=chance.choice(SYMBOLS),
                strategy=None,
                duration_s=300,
                reason="r",
                actor="a",
                correlation_id=f"c{step}",
            )
            hear(made.on_command(lock))
        elif roll < 0.15:
            kind = chance.choice(tuple(ConditionKind))
            value = chance.choice((0.0, 0.0, 900.0, 90_000.0))
            where = "" if kind is ConditionKind.CLOCK_SKEW else chance.choice(SYMBOLS)
            hear(made.on_condition(MarketCondition(kind=kind, symbol=where, value=value, at_ms=0, correlation_id="c")))
        elif roll < 0.4:
            ended = [approved.intent for approved in made.open_approvals() if chance.random() < 0.8]
            for intent in ended:
                if intent.symbol == BTC and not intent.margin:
                    held = max(Decimal(0), held + intent.side.sign * intent.quantity)
                    cash -= intent.side.sign * intent.quantity * 7000
            cash += Decimal(chance.choice((0, 0, -40, 30)))
            if chance.random() < 0.3:
                pnl = Decimal(chance.choice((-30, 20)))
                number = len(results) + 1
                results.append(
                    TradeResult(
                        number=number,
                        symbol=BTC,
                        strategy=chance.choice("sz"),
                        pnl=pnl,
                        fraction=pnl / 1000,
                        exit_ms=START_MS + minute * MINUTE,
                    )
                )
            endings = tuple(
                OrderResult(
                    intent_id=intent.intent_id,
                    refused=chance.random() < 0.2,
                    filled_quantity=intent.quantity,
                    average_price=Decimal(7000),
                    ended_ms=0,
                )
                for intent in ended
            )
            account = an_account(
                cash=cash, held=held, closed=tuple(intent.intent_id for intent in ended), known=chance.random() < 0.95
            )
            hear(
                made.on_account(
                    msgspec.structs.replace(
                        account,
                        results=tuple(results[-30:]),
                        trades_count=len(results),
                        endings=endings,
                        mismatched_symbols=(BTC,) if chance.random() < 0.1 else (),
                    )
                )
            )
        elif roll < 0.55:
            symbol = chance.choice(SYMBOLS)
            intent = OrderIntent(
                intent_id=f"m{step}",
                strategy="manual",
                symbol=symbol,
                side=chance.choice(tuple(Side)),
                quantity=Decimal(chance.choice(("0.00001", "0.01", "1", "2.5", "9000"))),
                order_type=OrderType.MARKET,
                purpose=Purpose.MANUAL,
                decided_ms=START_MS + (minute + chance.choice((0, 0, 30))) * MINUTE,
                correlation_id="c",
                margin=chance.random() < 0.3,
            )
            hear(made.on_command(ManualOrder(intent=intent, actor="anna")))
        else:
            minute += chance.choice((1, 1, 1, 3, 90))
            symbol = chance.choice((BTC, BTC, BTC, ETH, SYMBOLS[2]))
            price = (700.0 if symbol == ETH else 7000.0) * chance.choice((1, 1, 1, 0.995, 1.01))
            late = minute - 20 if chance.random() < 0.06 and minute > 20 else minute
            wish = chance.choice(("buy", "buy", "sell", "hold"))
            # A strategy keeps to its market; a signal that is late is another one's.
            strategy = f"x{step}" if late != minute else "s" if symbol == BTC else "z"
            score = a_score(late, wish, price=price, symbol=symbol, strategy=strategy)
            atr = 400.0 if chance.random() < 0.03 else chance.choice((20.0, 20.0, 22.0))
            hear(made.on_score(msgspec.structs.replace(score, features={"atr": atr})))
    after(made)
    return denied, passed


def _check(verdict: Verdict, trading: TradingState) -> None:
    assert len(verdict.trace) == len(RULES), "every rule is asked, always"
    assert verdict.approved == (not verdict.denials)
    assert all(rule.code is not None for rule in verdict.denials)
    if trading is TradingState.HALTED:
        assert not verdict.approved


def test_every_rule_refuses_in_some_lives_and_passes_in_some() -> None:
    denied, passed = Counter[str](), Counter[str]()
    for seed in range(30):
        more = live(seed)
        denied += more[0]
        passed += more[1]
    names = {rule.name for rule in RULES}
    assert set(denied) == names, names ^ set(denied)
    assert set(passed) == names, names ^ set(passed)


@pytest.mark.parametrize("seed", range(8))
def test_a_judgement_that_is_read_late_says_what_it_would_have_said_at_once(seed: int) -> None:
    """Its words are found when somebody reads: the state has gone on by then, and they must not have."""
    at_once: list[Verdict] = []
    kept: list[RiskOutputs] = []
    live(seed, instead=lambda outputs: at_once.extend(outputs.verdicts))
    live(seed, instead=kept.append)
    late = [verdict for outputs in kept for verdict in outputs.verdicts]
    assert len(late) > 50
    assert late == at_once


def test_who_has_orders_wait_says_the_same_to_the_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is ready before it is asked for, and all rules in one question, change no word and no state."""
    found = Counter[bool]()
    find = ReadyGrounds.find

    def counted(self: ReadyGrounds, *asked: Any) -> Grounds | None:
        grounds = find(self, *asked)
        found[grounds is not None] += 1
        return grounds

    monkeypatch.setattr(ReadyGrounds, "find", counted)

    def told(seed: int, *, waits: bool) -> list[bytes]:
        lines: list[bytes] = []

        def hear(outputs: RiskOutputs) -> None:
            lines.extend(decision_line(verdict) for verdict in outputs.verdicts)
            lines.extend(record.payload for record in outputs.records)
            lines.append(msgspec.json.encode([outputs.approved, outputs.notices]))

        def after(machine: RiskMachine) -> None:
            lines.append(machine.checkpoint().payload)
            if waits:
                machine.have_orders_wait()
                machine.prepare()

        live(seed, instead=hear, after=after)
        return lines

    plain = [told(seed, waits=False) for seed in range(16)]
    assert not found[True]
    assert [told(seed, waits=True) for seed in range(16)] == plain
    assert found[True] > 100


def test_what_was_foreseen_is_said_to_the_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hints of what comes next, made before whatever else comes first, change no word and no state."""
    counts = Counter[str]()
    take = RiskAhead._take

    def counted(self: RiskAhead, chain: tuple[Foreseen, ...], score: SignalScore) -> RiskOutputs:
        outputs = take(self, chain, score)
        counts["of several"] += len(chain) > 1
        counts["approved" if outputs.approved else "refused" if outputs.judgements else "nothing"] += 1
        return outputs

    monkeypatch.setattr(RiskAhead, "_take", counted)

    class Told(RiskAhead):
        @override
        def on_score(self, score: SignalScore) -> RiskOutputs:
            said.append(score)
            return super().on_score(score)

    said: list[SignalScore] = []

    def told(seed: int, coming: list[SignalScore] | None = None) -> tuple[list[bytes], list[SignalScore]]:
        lines: list[bytes] = []
        said.clear()
        chance = random.Random(seed)

        def hear(outputs: RiskOutputs) -> None:
            lines.extend(decision_line(verdict) for verdict in outputs.verdicts)
            lines.extend(record.payload for record in outputs.records)
            lines.append(msgspec.json.encode([outputs.approved, outputs.notices]))

        def after(made: RiskMachine) -> None:
            assert isinstance(made, RiskAhead)
            lines.append(made.checkpoint().payload)
            if coming is None or len(said) == len(coming) or chance.random() < 0.3:
                return
            next_ones = [
                score if chance.random() < 0.9 else msgspec.structs.replace(score, price=6900.0)
                for score in coming[len(said) : len(said) + chance.randrange(1, 4)]
            ]
            counts["foreseen"] += 1
            made.foresee(_hint(next_ones))
            assert made.checkpoint().payload == lines[-1], "nothing is decided by a hint"

        live(seed, instead=hear, after=after, machine=Told)
        return lines, list(said)

    for seed in range(16):
        plain, scores = told(seed)
        assert told(seed, scores) == (plain, scores)
    assert min(counts["refused"], counts["nothing"]) > 200, counts
    assert counts["approved"], counts
    assert counts["of several"] > 200, counts
    assert counts["foreseen"] > 2 * (counts["approved"] + counts["refused"] + counts["nothing"]), counts


def _hint(scores: list[SignalScore]) -> ForeseenScores:
    """Of those in front that are of one market."""
    first = scores[0]
    return ForeseenScores(
        symbol=first.symbol,
        timeframe=first.timeframe,
        scores=tuple(itertools.takewhile(lambda score: score.symbol == first.symbol, scores)),
    )


@pytest.mark.parametrize("ahead", [1, 2, 5])
def test_an_order_that_was_foreseen_is_the_order_that_comes(ahead: int) -> None:
    """In and out of a market that trades everything: with its own time, and reserved as it is."""
    lines: list[list[bytes]] = []
    taken = 0
    for machine in (RiskMachine, RiskAhead):
        made = machine(Settings(strategies=STRATEGIES), PAIRS)
        made.on_account(an_account())
        told = None
        lines.append([])
        scores = [msgspec.structs.replace(score, received_ns=7 + n) for n, score in enumerate(crossing_scores(400))]
        for number, score in enumerate(scores):
            if isinstance(made, RiskAhead):
                if not made._ready.foreseen.get((score.symbol, score.timeframe)):
                    made.foresee(_hint(scores[number : number + ahead]))
                taken += made._ready.foreseen[score.symbol, score.timeframe][0].is_of(score)
            outputs = made.on_score(score)
            lines[-1] += [record.written().payload for record in outputs.records if isinstance(record, LateRecord)]
            lines[-1] += [msgspec.json.encode(outputs.approved), made.checkpoint().payload]
            for approved in outputs.approved:
                assert approved.intent.received_ns == score.received_ns
                name, quantity = approved.intent.intent_id, approved.intent.quantity
                held = quantity if approved.intent.side is Side.BUY else Decimal(0)
                told = an_account(held=held, cash=10_000 - held * 7000, closed=(name,))
            # Not at once: what is judged next was judged with the order still under way.
            if told is not None and number % 4 == 3:
                made.on_account(told)
                told = None
    assert lines[0] == lines[1]
    assert sum(b"intent" in line for line in lines[0] if line.startswith(b"[")) > 30
    assert taken == len(scores)


def test_what_was_approved_meanwhile_is_no_longer_ready() -> None:
    """The first entry works: whoever was ready for the second one must see it."""
    answers = []
    for waits in (False, True):
        made = RiskMachine(Settings(strategies=STRATEGIES), PAIRS)
        made.on_account(an_account())
        made.on_score(a_score(0, "hold", strategy="s"))
        if waits:
            made.have_orders_wait()
            made.prepare()
        first = made.on_score(a_score(1, "buy", strategy="s"))
        second = made.on_score(a_score(2, "buy", strategy="s"))
        assert first.approved
        assert not second.approved
        answers.append([decision_line(verdict) for outputs in (first, second) for verdict in outputs.verdicts])
    assert answers[0] == answers[1]
