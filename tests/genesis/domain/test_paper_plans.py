"""Plans of paper shadows: what one runs, what is refused and in which words, how its sides are counted, how it ends."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from genesis.domain.paper_records import PAPER_KINDS, began_record, paper_record
from genesis.domain.releases import compared, paper_settings
from genesis.domain.rollout_meter import FILL_KIND, RolloutMeter, outcome_of
from genesis.domain.settings_build import Layer
from genesis.domain.settings_history import Step, after, at_start
from genesis.domain.targeting import risk_for
from protocols.config import (
    EndRollout,
    Metric,
    PaperTerms,
    Rollout,
    RolloutPlan,
    RolloutStatus,
    SettingsVersion,
    StartRollout,
)
from protocols.journal import Record
from protocols.orders import Fill
from protocols.shadow import ShadowBegan
from protocols.units import Side, Symbol
from tests.genesis.domain.risk_world import a_score
from tests.web.fakes import a_fill

D = Decimal
WHO: dict[str, Any] = {"actor": "tester", "reason": "a test", "correlation_id": "c"}
BTC: dict[str, Any] = {"name": "btc", "symbol": "tBTCUSD", "timeframe": "5m"}
ETH: dict[str, Any] = {"name": "eth", "symbol": "tETHUSD", "timeframe": "5m"}
FAST: dict[str, Any] = {**BTC, "parameters": {"fast": 3.0, "slow": 9.0}}
NEW: dict[str, Any] = {"name": "new", "symbol": "tBTCUSD", "timeframe": "1m"}
TWO = (Layer(name="config/strategies.json", values={"strategies": [BTC, ETH]}),)


def plan(**fields: Any) -> RolloutPlan:
    given: dict[str, Any] = {
        "name": "tried",
        "changes": {"strategies": [FAST, ETH]},
        "shadow": True,
        "metric": Metric.LOSS,
        "threshold": 0.01,
        "duration_s": 60.0,
        "min_samples": 1,
    }
    return RolloutPlan(**{**given, **fields})


def asked(**fields: Any) -> Step | tuple[Any, ...]:
    return after(TWO, at_start(TWO, [], at_ms=0).step, StartRollout(plan=plan(**fields), **WHO), at_ms=1)


def begun(**fields: Any) -> Step:
    step = asked(**fields)
    assert isinstance(step, Step), step
    return step


def names(step: Step, tried: RolloutPlan) -> list[str]:
    return [each.name for each in paper_settings(step.settings, tried).strategies]


def test_the_live_side_is_as_it_was_until_it_is_promoted() -> None:
    before = at_start(TWO, [], at_ms=0).step
    step = begun(changes={"strategies": [FAST, ETH, NEW], "risk.position_fraction": "0.05"})
    assert step.settings.strategies == before.settings.strategies
    assert step.settings.overlays == ()
    assert risk_for(step.settings, "tBTCUSD", "btc") is step.settings.risk
    promoted = after(TWO, step, EndRollout(name="tried", promote=True, **WHO), at_ms=2)
    assert isinstance(promoted, Step)
    assert [each.name for each in promoted.settings.strategies] == ["btc", "eth", "new"]
    assert promoted.settings.risk.position_fraction == D("0.05")
    back = after(TWO, step, EndRollout(name="tried", promote=False, **WHO), at_ms=2)
    assert isinstance(back, Step)
    assert msgspec.structs.replace(back.settings, version=1) == before.settings


def test_it_runs_what_is_new_or_changed_where_the_plan_reaches() -> None:
    step = begun()
    assert names(step, plan()) == ["btc"]
    assert names(step, plan(changes={"strategies": [FAST, ETH, NEW]})) == ["btc", "new"]
    assert names(step, plan(changes={"strategies": [FAST, ETH, NEW]}, strategies=("new",))) == ["new"]
    limits = plan(changes={"strategies": [BTC, ETH], "risk.position_fraction": "0.05"}, symbols=("tETHUSD",))
    assert names(step, limits) == ["eth"], "other limits alone: all that it reaches"
    settings = paper_settings(step.settings, limits)
    assert risk_for(settings, "tETHUSD", "eth").position_fraction == D("0.05")
    assert risk_for(settings, "tBTCUSD", "btc").position_fraction == D("0.25")


def test_it_is_held_against_what_it_changes_adds_or_ends() -> None:
    step = begun()
    assert compared(step.settings, plan()) == ("btc",)
    assert compared(step.settings, plan(changes={"strategies": [FAST, NEW]})) == ("btc", "eth", "new")
    ends = plan(changes={"strategies": [FAST, {**ETH, "enabled": False}]})
    assert (names(step, ends), compared(step.settings, ends)) == (["btc"], ("btc", "eth"))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"changes": {"strategies": [BTC, ETH]}}, "strategies: must be a list in which a strategy that is enabled"),
        ({"changes": {"strategies": [{**FAST, "enabled": False}, ETH]}}, "a strategy that is enabled differs"),
        ({"symbols": ("tETHUSD",)}, "differs from the live one where the rollout reaches, was the same"),
        ({"metric": Metric.ERROR_RATE}, "one of drawdown, losing_trades, loss, refusal_rate for a paper shadow"),
        ({"paper": PaperTerms(trades=-1)}, "rollout.paper.trades: must be 0 to 1000000, was -1"),
        ({"paper": PaperTerms(cash=D(0))}, "rollout.paper.cash: must be above 0 and at most 1000000000, was 0"),
        ({"paper": PaperTerms(cash=D("NaN"))}, "rollout.paper.cash: must be above 0"),
        ({"shadow": False, "paper": PaperTerms()}, "rollout.paper: must be left out where no strategies are tried"),
        (
            {"shadow": False, "metric": Metric.LOSING_TRADES},
            "slippage_bps for a part of the trading, was losing_trades",
        ),
        ({"changes": {"risk.cooldown_s": 5}, "metric": Metric.LOSING_TRADES}, "refusal_rate for a shadow"),
        ({"changes": {"strategies": [{**FAST, "kind": "ema_crss"}, ETH]}}, "did you mean ema_cross?"),
        ({"changes": {"strategies": [{**FAST, "timeframe": "3h"}, ETH]}}, "one of market.timeframes"),
    ],
)
def test_what_cannot_run_is_refused_with_the_reason(fields: dict[str, Any], words: str) -> None:
    step = asked(**fields)
    assert not isinstance(step, Step)
    assert any(words in str(fault) for fault in step), [str(fault) for fault in step]


def test_one_currency_of_cash_trades_pairs_in_it_only() -> None:
    layers = (Layer(name="f", values={"strategies": [BTC], "market.symbols": ["tBTCUSD", "tETHBTC"]}),)
    tried = plan(changes={"strategies": [BTC, {**NEW, "symbol": "tETHBTC"}]})
    refused = after(layers, at_start(layers, [], at_ms=0).step, StartRollout(plan=tried, **WHO), at_ms=1)
    assert not isinstance(refused, Step)
    assert "strategies.new.symbol: must be a spot pair in USD on paper, was tETHBTC" in str(refused[0])


def test_seals_of_plans_of_before_stay() -> None:
    """A journal of an earlier program has plans without terms: they must be written as they were."""
    partly = RolloutPlan(name="p", changes={"risk.cooldown_s": 5})
    assert b"paper" not in msgspec.json.encode(partly)
    kept = begun(paper=PaperTerms(trades=4, cash=D("5000.5"))).record
    assert kept is not None
    again = msgspec.json.decode(msgspec.json.encode(kept), type=SettingsVersion)
    assert again.rollout == kept.rollout
    assert again.hash == kept.hash


def test_a_shadow_survives_a_restart_as_part_of_the_version() -> None:
    step = begun(paper=PaperTerms(trades=4))
    assert step.record is not None
    again = at_start(TWO, [step.record], at_ms=9).step
    assert again.rollout == step.rollout
    assert again.record is None


# --- both sides, counted --------------------------------------------------------------------------------------------


class Sides:
    """A meter that hears both sides of a shadow of `btc`."""

    def __init__(self, **fields: Any) -> None:
        self.rollout = Rollout(plan=plan(**fields), version=2, started_ms=1_000, author="a", reason="")
        self.meter = RolloutMeter(self.rollout)
        self.number = 0

    def begin(self, at_ms: int = 1_000, again: str = "") -> None:
        began = ShadowBegan(version=2, at_ms=at_ms, strategies=("btc",), cash=D(1_000), equity=D(10_000), again=again)
        self.meter.hear(began_record(began))

    def fill(self, side: Side, quantity: str, price: str, fee: str, *, live: bool, strategy: str = "btc") -> None:
        self.number += 1
        fill = msgspec.structs.replace(
            a_fill(self.number),
            symbol=Symbol("tBTCUSD"),
            strategy=strategy,
            side=side,
            quantity=D(quantity),
            price=D(price),
            fee=D(fee),
            fee_currency="USD",
            time_ms=2_000 + self.number,
        )
        self.meter.hear(_live(fill) if live else paper_record(2, fill, 0))

    def trade(self, bought: str, sold: str, *, live: bool, strategy: str = "btc") -> None:
        self.fill(Side.BUY, "1", bought, "-1", live=live, strategy=strategy)
        self.fill(Side.SELL, "1", sold, "-1", live=live, strategy=strategy)

    def status(self, now_ms: int = 3_000) -> RolloutStatus:
        return self.meter.status(now_ms=now_ms, equity=D(77))


def _live(fill: Fill) -> Record:
    payload = msgspec.json.encode(fill)
    return Record(kind=FILL_KIND, key=str(fill.trade_id), payload=payload, correlation_id="c", at_ms=0)


def test_each_side_is_counted_by_its_own_fills_and_its_own_capital() -> None:
    sides = Sides(against_control=True)
    sides.begin()
    sides.trade("100", "110", live=False)
    sides.trade("100", "95", live=False)
    sides.trade("100", "80", live=True)
    sides.trade("100", "9", live=True, strategy="eth")
    status = sides.status()
    assert status.paper is not None
    shadow, live = status.paper.shadow, status.paper.live
    assert (shadow.trades, shadow.won, shadow.closed_pnl, shadow.pnl, shadow.fees) == (2, 1, D(1), D(1), D(4))
    assert (live.trades, live.won, live.closed_pnl, live.fees) == (1, 0, D(-22), D(2)), (
        "another strategy is no part of it"
    )
    assert (shadow.drawdown, live.drawdown) == (D(7), D(22))
    assert (status.value, status.control) == (-0.001, 0.0022)
    assert (status.samples, status.control_samples) == (2, 1)


def test_nothing_counts_before_it_began_and_it_counts_anew_when_it_begins_anew() -> None:
    sides = Sides()
    sides.trade("100", "50", live=True)
    sides.trade("100", "50", live=False)
    assert sides.status().paper is None
    assert outcome_of(sides.status()) is None
    sides.begin()
    sides.trade("100", "50", live=False)
    sides.trade("100", "50", live=True)
    sides.begin(at_ms=2_500, again="what was kept cannot be read")
    status = sides.status()
    assert status.paper is not None
    assert (status.paper.shadow.trades, status.paper.live.trades) == (0, 0)
    assert (status.paper.since_ms, status.paper.again) == (2_500, "what was kept cannot be read")
    assert status.ends_ms == 62_500, "it is proven by the time that counts"


def test_what_another_shadow_did_is_not_this_ones() -> None:
    sides = Sides()
    sides.begin()
    other = msgspec.structs.replace(a_fill(5), strategy="btc", symbol=Symbol("tBTCUSD"), side=Side.BUY)
    sides.meter.hear(paper_record(1, other, 0))
    status = sides.status()
    assert status.paper is not None
    assert status.paper.shadow.open == 0
    part = RolloutMeter(Rollout(plan=plan(shadow=False), version=2, started_ms=0, author="a", reason=""))
    part.hear(paper_record(2, other, 0))
    assert part.status(now_ms=9, equity=D(1_000)).value == 0, "a part of the trading hears no paper"


def test_a_trade_ends_although_a_fee_took_some_of_the_coins() -> None:
    sides = Sides()
    sides.begin()
    bought = msgspec.structs.replace(
        a_fill(1), symbol=Symbol("tBTCUSD"), strategy="btc", side=Side.BUY, quantity=D(1), price=D(100), fee=D("-0.002")
    )
    bought = msgspec.structs.replace(bought, fee_currency="BTC", time_ms=2_000)
    sides.meter.hear(paper_record(2, bought, 0))
    sides.fill(Side.SELL, "0.9979", "110", "-0.2", live=False)
    status = sides.status()
    assert status.paper is not None
    assert (status.paper.shadow.trades, status.paper.shadow.open) == (1, 0)
    assert status.paper.shadow.fees == D("0.4")
    assert status.paper.shadow.closed_pnl == D("0.998") * 110 - 100 - D("0.2")


@pytest.mark.parametrize(
    ("terms", "metric", "trades", "now_ms", "ends"),
    [
        (PaperTerms(trades=2), Metric.LOSS, 1, 3_000, None),
        (
            PaperTerms(trades=2),
            Metric.LOSS,
            2,
            3_000,
            (True, "loss was -0.016, at most 0.01, over 2 closed trades in 2 s"),
        ),
        (PaperTerms(), Metric.LOSS, 2, 3_000, None),
        (PaperTerms(), Metric.LOSS, 2, 61_000, (True, "loss was -0.016, at most 0.01, over 2 closed trades in 60 s")),
        (PaperTerms(), Metric.LOSS, 0, 61_000, (False, "must be proven by 1 closed trades in 60 s, had 0")),
        (
            PaperTerms(),
            Metric.LOSING_TRADES,
            1,
            61_000,
            (True, "losing_trades was 0, at most 0.01, over 1 closed trades"),
        ),
    ],
)
def test_it_ends_by_time_or_by_trades(
    terms: PaperTerms, metric: Metric, trades: int, now_ms: int, ends: tuple[bool, str] | None
) -> None:
    sides = Sides(paper=terms, metric=metric)
    sides.begin()
    for _ in range(trades):
        sides.trade("100", "110", live=False)
    found = outcome_of(sides.status(now_ms))
    if ends is None:
        assert found is None
    else:
        assert found is not None
        assert found[0] is ends[0]
        assert found[1].startswith(ends[1])


def test_a_loss_ends_it_at_once_and_losing_trades_when_there_are_enough() -> None:
    sides = Sides()
    sides.begin()
    sides.fill(Side.BUY, "1", "100", "-1", live=False)
    sides.meter.hear(
        paper_record(2, msgspec.structs.replace(a_score(5, "hold"), symbol=Symbol("tBTCUSD"), price=80.0), 0)
    )
    assert outcome_of(sides.status()) == (False, "loss must be at most 0.01, was 0.021 over 0 closed trades")
    losing = Sides(metric=Metric.LOSING_TRADES, threshold=0.5, min_samples=2)
    losing.begin()
    losing.trade("100", "90", live=False)
    assert outcome_of(losing.status()) is None
    losing.trade("100", "90", live=False)
    assert outcome_of(losing.status()) == (False, "losing_trades must be at most 0.5, was 1 over 2 closed trades")


def test_the_journal_keeps_paper_under_kinds_of_its_own() -> None:
    assert not PAPER_KINDS & {"SignalScore", "Verdict", "SubmitOrder", "Fill", "OrderUpdate"}
