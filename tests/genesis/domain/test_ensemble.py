"""An ensemble of any kinds: weighed votes decide, each member is named with its vote, and is a whole strategy."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from genesis.domain.decision_log import digest
from genesis.domain.settings_build import Built, Layer, build
from genesis.domain.signal_machine import SignalMachine
from genesis.domain.strategies import STRATEGY_KINDS, StrategyShelf
from genesis.domain.strategies.ensemble import ensemble_kind, kind_for
from genesis.domain.strategy import Opinion, StrategyFault, StrategyKind
from genesis.research.backtest import run_backtest
from genesis.research.bars import columns_of
from genesis.research.lookahead import check_strategy
from genesis.strategy_template import TEMPLATE
from genesis.user_strategies import UserStrategies
from protocols.market import Candle
from protocols.settings import MemberSettings, Settings, StrategySettings
from protocols.signals import Recommendation, SignalScore
from protocols.units import Symbol
from tests.house import decision_lines, house, lively_layer, piece_of, settings_of
from tests.recorded_candles import as_closed, recorded_candles

CANDLES = [as_closed(candle) for candle in recorded_candles()[:600]]
QUICK = MemberSettings(kind="ema_cross", weight=2.0, parameters={"fast": 3, "slow": 8})
DIPS = MemberSettings(kind="rsi_reversion", parameters={"period": 7, "buy_below": 40, "sell_above": 55})


def an_ensemble(*members: MemberSettings, **parameters: float) -> StrategySettings:
    return StrategySettings(
        name="all", kind="ensemble", symbol="tBTCUSD", timeframe="1m", members=members, parameters=parameters
    )


def scripted(name: str, *opinions: tuple[Recommendation, float, float], **features: float) -> StrategyKind:
    """A kind that says these (recommendation, confidence, probability), then HOLD."""

    def step(state: list[float], candle: Candle) -> Opinion:
        place = int(state[0])
        state[0] += 1
        told = opinions[place] if place < len(opinions) else (Recommendation.HOLD, 0.0, 0.5)
        return Opinion(
            recommendation=told[0],
            confidence=told[1],
            probability=told[2],
            features=dict(features),
            reasons=(f"{name}!",),
        )

    return StrategyKind(name=name, version=1, parameters=(), start=lambda _: [0.0], step=step)


BUY, SELL, HOLD = Recommendation.BUY, Recommendation.SELL, Recommendation.HOLD


def test_votes_are_weighed_and_remembered_and_every_member_is_named() -> None:
    trend = scripted("trend", (BUY, 1.0, 0.5), (HOLD, 0.0, 0.5), (SELL, 0.5, 0.5), atr=12.0, trust=0.8)
    model = scripted("model", (HOLD, 0.0, 0.7), (BUY, 0.4, 0.6), (HOLD, 0.0, 0.5), atr=99.0, trust=0.6)
    kind = ensemble_kind([(trend, 3.0, {}), (model, 1.0, {})])
    state = kind.start({"enter": 0.8, "leave": -0.2})
    said = [kind.step(state, CANDLES[0].candle) for _ in range(3)]
    assert [one.recommendation for one in said] == [HOLD, BUY, SELL]
    assert [one.features["vote"] for one in said] == pytest.approx([0.75, (3 + 0.4) / 4, (-1.5 + 0.4) / 4])
    assert [one.probability for one in said] == [0.7, 0.6, 0.5], "of those that gave one"
    assert said[0].features["atr"] == 12.0
    assert said[0].features["trust"] == 0.6, "the greatest doubt"
    assert said[1].reasons == (
        "the vote is +0.85, at least 0.8, what an entry takes",
        "trend (weight 3) votes +1.00: trend!",
        "model (weight 1) votes +0.40: model!",
    )
    assert said[2].features["vote_trend"] == -0.5


def test_members_of_one_kind_are_told_apart() -> None:
    one = scripted("trend", (BUY, 1.0, 0.5))
    kind = ensemble_kind([(one, 1.0, {}), (one, 1.0, {})])
    said = kind.step(kind.start({"enter": 0.5, "leave": 0.0}), CANDLES[0].candle)
    assert {"vote_trend_1", "vote_trend_2"} <= said.features.keys()


def test_a_member_that_fails_switches_the_ensemble_off_and_changes_nothing() -> None:
    def broken(state: list[float], candle: Candle) -> Opinion:
        raise StrategyFault("mine.py, line 3: no")

    bad = StrategyKind(name="mine", version=1, parameters=(), start=lambda _: [0.0], step=broken)
    kind = ensemble_kind([(scripted("trend", (BUY, 1.0, 0.5)), 1.0, {}), (bad, 1.0, {})])
    state = kind.start({"enter": 0.5, "leave": 0.0})
    before = list(state)
    with pytest.raises(StrategyFault, match=r"member mine: mine.py, line 3: no"):
        kind.step(state, CANDLES[0].candle)
    assert state == before


def test_it_trades_recorded_candles_and_goes_on_after_a_restart() -> None:
    settings = Settings(strategies=(an_ensemble(QUICK, DIPS, enter=0.3, leave=-0.3),))
    machine = SignalMachine(settings)
    whole = [score for closed in CANDLES for score in machine.on_candle(closed)]
    acted = [score.recommendation for score in whole if score.recommendation is not HOLD]
    assert len(acted) > 3
    assert acted[:4] == [BUY, SELL, BUY, SELL]
    first = SignalMachine(settings)
    said = [score for closed in CANDLES[:250] for score in first.on_candle(closed)]
    second = SignalMachine(settings)
    assert second.restore(first.checkpoint(everything=True)) == ()
    assert said + [score for closed in CANDLES[250:] for score in second.on_candle(closed)] == whole
    other = SignalMachine(Settings(strategies=(an_ensemble(QUICK, enter=0.3, leave=-0.3),)))
    assert other.restore(first.checkpoint(everything=True)) == ("all",), "other members, another state"
    assert machine.views()[0].members == (QUICK, DIPS)


def test_an_ensemble_of_one_decides_what_its_member_does_alone() -> None:
    alone = StrategySettings(
        name="all", kind="ema_cross", symbol="tBTCUSD", timeframe="1m", parameters=QUICK.parameters
    )
    machine = SignalMachine(Settings(strategies=(alone,)))
    wanted = [(s.decided_ms, s.recommendation) for c in CANDLES for s in machine.on_candle(c) if s.confidence > 0.2]
    together = SignalMachine(Settings(strategies=(an_ensemble(QUICK, enter=0.01, leave=0.0),)))
    acted = [s for c in CANDLES for s in together.on_candle(c) if s.recommendation is not HOLD]
    assert {(s.decided_ms, s.recommendation) for s in acted} >= {
        (at, what) for at, what in wanted if what is not HOLD and at > acted[0].decided_ms
    }


@pytest.mark.parametrize(
    ("members", "told"),
    [
        ([], "must have 1 to 20 members, had 0"),
        ([{"kind": "magic"}], "a member's kind must be one of"),
        ([{"kind": "ensemble"}], "a member's kind must be one of"),
        ([{"kind": "ema_cross", "weight": 0}], "weight must be above 0"),
        ([{"kind": "ema_cross", "parameters": {"fast": 99999}}], "ema_cross.fast must be from"),
        ([{"kind": "ema_cross", "odd": 1}], "a list of objects with kind, weight and parameters"),
        ("ema_cross", "a list of objects with kind, weight and parameters"),
    ],
)
def test_what_is_wrong_with_members_is_told_by_the_settings(members: object, told: str) -> None:
    strategy = {"name": "all", "kind": "ensemble", "symbol": "tBTCUSD", "timeframe": "5m", "members": members}
    built = build((Layer(name="test", values={"strategies": [strategy]}),))
    assert not isinstance(built, Built)
    assert told in "\n".join(map(str, built))


def test_members_are_an_ensembles_only() -> None:
    strategy = {
        "name": "a",
        "kind": "ema_cross",
        "symbol": "tBTCUSD",
        "timeframe": "5m",
        "members": [{"kind": "ema_cross"}],
    }
    built = build((Layer(name="test", values={"strategies": [strategy]}),))
    assert not isinstance(built, Built)
    assert "only an ensemble has members" in str(built[0])
    with pytest.raises(ValueError, match="strategy kind must be one of"):
        kind_for(StrategySettings(name="a", kind="magic"), STRATEGY_KINDS)


@pytest.fixture
def own(tmp_path: Path) -> Iterator[UserStrategies]:
    files = tmp_path / "strategies"
    files.mkdir()
    text = TEMPLATE.replace("CLASS_NAME", "RsiDip").replace("KIND_NAME", "rsi_dip").replace('timeframe="1h", ', "")
    (files / "rsi_dip.py").write_text(text)
    strategies = UserStrategies(files)
    strategies.refresh()
    yield strategies
    strategies.close()


async def test_shipped_and_own_members_decide_the_same_in_simulation_and_backtest(
    tmp_path: Path, own: UserStrategies
) -> None:
    layer = lively_layer()
    members = [
        {"kind": "ema_cross", "weight": 2, "parameters": {"fast": 3, "slow": 6}},
        {"kind": "rsi_dip", "parameters": {"period": 5}},
    ]
    layer.values["strategies"].append(  # type: ignore[attr-defined]
        {
            "name": "all",
            "kind": "ensemble",
            "symbol": "tBTCUSD",
            "timeframe": "1m",
            "members": members,
            "parameters": {"enter": 0.1, "leave": 0.0},
        }
    )
    recording = piece_of(minutes=40, skip=600)
    expected = run_backtest(recording, settings_of(layer))
    assert expected.faults == {}
    acted = [
        one
        for one in expected.decisions
        if isinstance(one, SignalScore) and one.strategy == "all" and one.recommendation is not HOLD
    ]
    assert len(acted) > 2
    async with house(tmp_path, recording=recording, layer=layer, user_strategies=own) as here:
        await here.replay()
        await here.all_orders_known()
        assert digest(decision_lines(here.store.store)) == expected.digest
    # A file that is read again is another kind: the ensemble starts anew with it.
    machine = SignalMachine(settings_of(layer))
    before = machine.running["all"]
    machine.on_settings(settings_of(layer))
    assert machine.running["all"] is before
    (tmp_path / "strategies" / "rsi_dip.py").write_text("class X(")
    own.refresh()
    machine.on_settings(settings_of(layer))
    assert "member rsi_dip: rsi_dip.py, line 1: SyntaxError" in machine.new_faults()["all"]


def test_it_looks_ahead_no_more_than_its_members() -> None:
    rows = piece_of(minutes=120, skip=600).rows[Symbol("tBTCUSD")]
    assert check_strategy(an_ensemble(QUICK, DIPS), columns_of(rows), count=3) is None
    assert isinstance(STRATEGY_KINDS, StrategyShelf)
