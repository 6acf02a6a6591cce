"""Versions, flags and rollouts as pure values: what a command makes of the present, and what gives tampering away."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genesis.domain.release_chain import applied, chain_faults, diff, document_of
from genesis.domain.settings_build import Fault, Layer, Priority, Source, layer_of_environment, layer_of_tree
from genesis.domain.settings_history import Step, after, at_start
from genesis.domain.targeting import SCOPABLE, bucket, covers, risk_for, settings_for, shadow_for
from protocols.config import (
    ChangeCommand,
    EndRollout,
    FeatureFlag,
    Metric,
    Rollback,
    RolloutPlan,
    SetFlag,
    SetSettings,
    SettingsVersion,
    StartRollout,
)
from protocols.settings import Overlay

WHO: dict[str, Any] = {"actor": "tester", "reason": "a test", "correlation_id": "c"}


def a_start(*layers: Layer) -> Step:
    return at_start(layers, [], at_ms=0).step


def step_of(outcome: Step | tuple[Fault, ...]) -> Step:
    assert isinstance(outcome, Step), [str(fault) for fault in outcome]
    return outcome


def faults_of(outcome: Step | tuple[Fault, ...]) -> list[str]:
    assert not isinstance(outcome, Step)
    return [str(fault) for fault in outcome]


def changed(values: dict[str, Any], **fields: Any) -> SetSettings:
    return SetSettings(changes=values, **WHO, **fields)


def flag(name: str = "calm", **fields: Any) -> SetFlag:
    return SetFlag(name=name, flag=FeatureFlag(name=name, **fields), **WHO)


def plan(**fields: Any) -> RolloutPlan:
    given: dict[str, Any] = {"name": "tighter", "changes": {"risk.position_fraction": "0.1"}, "symbols": ("tBTCUSD",)}
    return RolloutPlan(**{**given, **fields})


def follow(*commands: ChangeCommand, layers: tuple[Layer, ...] = ()) -> list[Step]:
    steps = [a_start(*layers)]
    for number, command in enumerate(commands):
        steps.append(step_of(after(layers, steps[-1], command, at_ms=1000 + number)))
    return steps


def records_of(steps: list[Step]) -> list[SettingsVersion]:
    return [step.record for step in steps if step.record is not None]


@pytest.mark.parametrize(
    "command", [changed({"quote_currency": "EUR"}), flag(values={"quote_currency": "EUR"}, enabled=True)]
)
def test_what_the_account_is_counted_in_stays(command: ChangeCommand) -> None:
    """It would wait for the next start, which cannot begin with it."""
    (fault,) = faults_of(after((), a_start(), command, at_ms=0))
    assert fault.startswith("quote_currency: must be USD, in which this journal counts;")
    assert isinstance(after((), a_start(), changed({"quote_currency": "USD"}), at_ms=0), Step)


# --- layers and flags ---------------------------------------------------------------------------------------------


def test_the_stronger_source_wins_in_each_profile() -> None:
    layers = (
        layer_of_tree("config/risk.json", {"max_open_positions": 2}, section="risk"),
        layer_of_environment({"GENESIS_RISK__MAX_OPEN_POSITIONS": "3"}),
    )
    expected = {Priority.RUNTIME: 5, Priority.ENVIRONMENT: 3, Priority.FILES: 2}
    for priority, value in expected.items():
        step = at_start(layers, [], at_ms=0, priority=priority).step
        with_flag = step_of(
            after(layers, step, flag(values={"risk.max_open_positions": 4}), at_ms=1, priority=priority)
        )
        step = step_of(after(layers, with_flag, changed({"risk.max_open_positions": 5}), at_ms=1, priority=priority))
        assert step.settings.risk.max_open_positions == value, priority
        told = step.effective["risk.max_open_positions"]
        assert len(told.hidden) == 4, "all that lost is named"
        assert {layer for layer, _ in told.hidden} | {told.layer} == {
            "defaults",
            "config/risk.json",
            "environment",
            "flag calm",
            "runtime",
        }


def test_a_flag_without_a_target_holds_for_everybody_until_it_is_switched_off() -> None:
    values = {"risk.max_daily_loss": "0.01", "market.ticker_stale_s": 5}
    on, off = follow(flag(values=values), flag(values=values, enabled=False))[1:]
    assert (on.settings.risk.max_daily_loss, on.settings.market.ticker_stale_s) == (Decimal("0.01"), 5.0)
    assert on.effective["market.ticker_stale_s"].layer == "flag calm"
    assert (off.settings.risk.max_daily_loss, off.settings.market.ticker_stale_s) == (Decimal("0.05"), 30.0)


def test_a_targeted_flag_reaches_its_pairs_and_yields_to_what_was_set_while_running() -> None:
    target: dict[str, Any] = {"symbols": ("tETHUSD",), "strategies": ("eth-ema",)}
    values = {"risk.position_fraction": "0.05", "risk.stop_fraction": "0.01"}
    step = follow(flag(values=values, **target))[-1]
    assert risk_for(step.settings, "tETHUSD", "eth-ema").position_fraction == Decimal("0.05")
    for symbol, strategy in (("tBTCUSD", "eth-ema"), ("tETHUSD", "btc-ema")):
        assert settings_for(step.settings, symbol, strategy) is step.settings
    later = step_of(after((), step, changed({"risk.position_fraction": "0.2"}), at_ms=9))
    reached = risk_for(later.settings, "tETHUSD", "eth-ema")
    assert (reached.position_fraction, reached.stop_fraction) == (Decimal("0.2"), Decimal("0.01"))


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"values": {}}, "must be 1 to 100 settings"),
        ({"values": {"risk.max_daly_loss": 1}}, "did you mean risk.max_daily_loss?"),
        ({"values": {"risk.max_daily_loss": float("nan")}}, "risk.max_daily_loss"),
        ({"values": {"web.port": 1}, "percent": 50}, "must be a limit that each order is judged by"),
        ({"values": {"risk.stop_fraction": 2}, "percent": 50}, "0 to 0.99"),
        ({"values": {"risk.stop_fraction": "0.1"}, "percent": 101}, "0 to 100"),
        ({"values": {"risk.stop_fraction": "0.1"}, "symbols": ("btc",)}, "Bitfinex symbols"),
        ({"values": {"risk.stop_fraction": "0.1"}, "strategies": ("btc-emma",)}, "did you mean btc-ema?"),
        ({"name": "No Name", "values": {"risk.stop_fraction": "0.1"}}, "a letter first"),
    ],
)
def test_a_flag_that_makes_no_sense_is_refused_with_the_reason(fields: dict[str, Any], text: str) -> None:
    command = flag(**fields)
    assert text in " ".join(faults_of(after((), a_start(), command, at_ms=1)))
    if "name" not in fields:
        put_aside = SetFlag(name="calm", flag=FeatureFlag(name="calm", enabled=False, **fields), **WHO)
        assert faults_of(after((), a_start(), put_aside, at_ms=1)), "a flag that is off must work when it is needed"


@given(st.text(max_size=20), st.text(max_size=12), st.text(max_size=12), st.integers(0, 100), st.integers(0, 100))
def test_a_larger_percentage_only_adds(name: str, symbol: str, strategy: str, small: int, large: int) -> None:
    small, large = sorted((small, large))
    reached = [
        covers(Overlay(name=name, values={}, percent=percent), symbol, strategy) for percent in (0, small, large, 100)
    ]
    assert reached == sorted(reached)
    assert (reached[0], reached[-1]) == (False, True)
    assert 0 <= bucket(name, symbol, strategy) < 100


def test_a_percentage_picks_about_that_part_of_the_pairs() -> None:
    pairs = [(f"t{number:04d}USD", f"s{number % 7}") for number in range(2000)]
    picked = sum(covers(Overlay(name="x", values={}, percent=30), *pair) for pair in pairs)
    assert 540 < picked < 660


def test_whatever_may_differ_by_target_is_a_known_limit() -> None:
    step = a_start()
    for path in SCOPABLE:
        value = step.effective[path].value
        plain = msgspec.json.decode(msgspec.json.encode(value))
        one = step_of(after((), step, flag(values={path: plain}, symbols=("tBTCUSD",)), at_ms=1))
        assert risk_for(one.settings, "tBTCUSD", "btc-ema") == one.settings.risk


# --- rollouts -----------------------------------------------------------------------------------------------------


def test_a_rollout_reaches_its_part_and_promotion_makes_it_everybodys() -> None:
    began, promoted = follow(StartRollout(plan=plan(), **WHO), EndRollout(name="tighter", promote=True, **WHO))[1:]
    assert risk_for(began.settings, "tBTCUSD", "btc-ema").position_fraction == Decimal("0.1")
    assert risk_for(began.settings, "tETHUSD", "eth-ema").position_fraction == Decimal("0.25")
    assert began.rollout is not None
    assert (began.rollout.version, began.rollout.started_ms, began.changed) == (2, 1000, ())
    assert promoted.settings.risk.position_fraction == Decimal("0.1")
    assert (promoted.settings.overlays, promoted.rollout, promoted.action) == ((), None, "promote")
    assert promoted.changed == ("risk.position_fraction",)


def test_a_rollout_that_is_taken_back_leaves_everything_as_it_was() -> None:
    first, _, back = follow(StartRollout(plan=plan(), **WHO), EndRollout(name="tighter", promote=False, **WHO))
    assert msgspec.structs.replace(back.settings, version=1) == first.settings
    assert (back.reason, back.action) == ("rollout tighter: a test", "revert")


def test_a_shadow_decides_nothing() -> None:
    step = follow(StartRollout(plan=plan(shadow=True), **WHO))[-1]
    assert settings_for(step.settings, "tBTCUSD", "btc-ema") is step.settings
    shadow = shadow_for(step.settings, "tBTCUSD", "btc-ema")
    assert shadow is not None
    assert shadow.risk.position_fraction == Decimal("0.1")
    assert shadow_for(step.settings, "tETHUSD", "eth-ema") is None


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"changes": {"web.port": 9}}, "each order is judged by"),
        ({"shadow": True, "metric": Metric.SLIPPAGE_BPS}, "drawdown, loss, refusal_rate for a shadow"),
        ({"duration_s": 0.0}, "1 to 7.776e+06 seconds"),
        ({"duration_s": float("nan")}, "1 to 7.776e+06 seconds"),
        ({"threshold": float("inf")}, "a finite number"),
        (
            {"threshold": -0.1, "metric": Metric.LOSS},
            "0 or more: loss begins at 0, and the rollout would be taken back",
        ),
        ({"min_samples": -1}, "0 to 1000000"),
        ({"symbols": (), "against_control": True}, "nobody is left to compare with"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(fields: dict[str, Any], text: str) -> None:
    assert text in " ".join(faults_of(after((), a_start(), StartRollout(plan=plan(**fields), **WHO), at_ms=1)))


@pytest.mark.parametrize(
    "part",
    [
        {"symbols": ("tXXXUSD",)},
        {"symbols": ("tBTCUSD",), "strategies": ("eth",)},
        {"percent": 0},
        {"symbols": ("tXXXUSD",), "shadow": True, "metric": Metric.LOSS},
    ],
)
def test_a_rollout_that_reaches_nobody_does_not_begin(part: dict[str, Any]) -> None:
    """A slip of the pen ran for an hour, was not proven, and was taken back."""
    eth = {"name": "eth", "kind": "ema_cross", "symbol": "tETHUSD", "timeframe": "1m"}
    step = a_start(layer_of_tree("config/strategies.json", [eth], section="strategies"))
    layers = (layer_of_tree("config/strategies.json", [eth], section="strategies"),)
    asked = StartRollout(plan=plan(**{"symbols": (), **part}), **WHO)
    [fault] = faults_of(after(layers, step, asked, at_ms=1))
    assert fault.startswith("rollout: must be for a strategy and symbol that trade here (eth tETHUSD, manual tBTCUSD")
    assert "was for none of them" in fault.replace('"', "")
    for good in ({"strategies": ("eth",)}, {"symbols": ("tBTCUSD",)}, {"strategies": ("manual",)}):
        step_of(after(layers, step, StartRollout(plan=plan(**{"symbols": (), **good}), **WHO), at_ms=1))


def test_one_rollout_at_a_time_and_its_keys_are_left_alone_meanwhile() -> None:
    began = follow(StartRollout(plan=plan(), **WHO))[-1]
    assert "one at a time" in faults_of(after((), began, StartRollout(plan=plan(name="b"), **WHO), at_ms=1))[0]
    assert "left alone" in faults_of(after((), began, changed({"risk.position_fraction": "0.3"}), at_ms=1))[0]
    assert "under way, tighter" in faults_of(after((), began, EndRollout(name="b", promote=True, **WHO), at_ms=1))[0]
    assert step_of(after((), began, changed({"risk.max_daily_loss": "0.01"}), at_ms=1)).rollout == began.rollout


def test_what_would_be_hidden_once_it_is_promoted_is_not_tried() -> None:
    """A part would trade by it for hours, it would be promoted, and nobody would trade by it from then on."""
    layers = (layer_of_environment({"GENESIS_RISK__POSITION_FRACTION": "0.2"}),)
    asked = StartRollout(plan=plan(), **WHO)
    strong = at_start(layers, [], at_ms=0, priority=Priority.ENVIRONMENT).step
    (fault,) = faults_of(after(layers, strong, asked, at_ms=1, priority=Priority.ENVIRONMENT))
    assert "risk.position_fraction: must be free for a rollout: environment holds it in this profile" in fault
    weak = step_of(after(layers, at_start(layers, [], at_ms=0).step, asked, at_ms=1))
    promoted = step_of(after(layers, weak, EndRollout(name="tighter", promote=True, **WHO), at_ms=2))
    assert promoted.settings.risk.position_fraction == Decimal("0.1")


# --- versions -----------------------------------------------------------------------------------------------------


def test_a_second_writer_is_told_that_another_change_came_first() -> None:
    first, second = follow(changed({"risk.max_open_positions": 3}))
    late = changed({"risk.max_open_positions": 9}, expected_version=first.version)
    assert faults_of(after((), second, late, at_ms=1)) == ["version: must be 2, the version in force, was 1 [runtime]"]
    assert step_of(after((), second, changed({"risk.max_open_positions": 9}, expected_version=2), at_ms=1)).version == 3


BTC_5, ETH_5 = (
    {"name": "btc", "symbol": "tBTCUSD", "timeframe": "5m"},
    {"name": "eth", "symbol": "tETHUSD", "timeframe": "5m"},
)
FASTER = [
    {**BTC_5, "parameters": {"fast": 3, "slow": 9}},
    {**ETH_5, "enabled": False},
    {"name": "new", "symbol": "tBTCUSD", "timeframe": "1m"},
]


def running(step: Step) -> dict[str, tuple[bool, dict[str, float]]]:
    return {each.name: (each.enabled, dict(each.parameters)) for each in step.settings.strategies}


def test_strategies_are_tried_on_a_part_promoted_and_taken_back() -> None:
    two = (Layer(name="config/strategies.json", values={"strategies": [BTC_5, ETH_5]}),)
    tried = plan(changes={"strategies": FASTER}, symbols=("tBTCUSD",))
    before, began = follow(StartRollout(plan=tried, **WHO), layers=two)
    assert running(before) == {"btc": (True, {}), "eth": (True, {})}
    faster = {"btc": (True, {"fast": 3, "slow": 9}), "new": (True, {})}
    assert running(began) == {**faster, "eth": (True, {})}, "the other symbol goes on as it was"
    assert (began.changed, began.settings.overlays) == (("strategies",), ())
    # It survives a restart in the middle.
    assert running(at_start(two, records_of([before, began])[::-1], at_ms=9).step) == running(began)
    promoted = step_of(after(two, began, EndRollout(name="tighter", promote=True, **WHO), at_ms=5))
    assert running(promoted) == {**faster, "eth": (False, {})}
    back = step_of(after(two, began, EndRollout(name="tighter", promote=False, **WHO), at_ms=5))
    assert running(back) == running(before)


@pytest.mark.parametrize(
    ("fields", "must_be"),
    [
        ({"shadow": True, "metric": Metric.SLIPPAGE_BPS}, "one of drawdown, losing_trades, loss, refusal_rate"),
        ({"changes": {"strategies": [{**BTC_5, "kind": "ema_crss"}]}}, "did you mean ema_cross?"),
        ({"changes": {"strategies": [BTC_5, BTC_5]}}, "a name that no other strategy has"),
        ({"changes": {"strategies": "none"}}, "a list of at most"),
        ({"changes": {"strategies": [{**BTC_5, "symbol": "tXYZUSD"}]}}, "one of market.symbols"),
        ({"changes": {"strategies": FASTER}, "strategies": ("newer",)}, "did you mean new?"),
    ],
)
def test_strategies_that_cannot_run_are_not_tried(fields: dict[str, Any], must_be: str) -> None:
    asked = plan(**{"changes": {"strategies": FASTER}, **fields})
    found = faults_of(after((), a_start(), StartRollout(plan=asked, **WHO), at_ms=0))
    assert any(must_be in text for text in found), found


def test_strategies_are_left_alone_while_a_rollout_tries_others() -> None:
    began = follow(StartRollout(plan=plan(changes={"strategies": FASTER}), **WHO))[-1]
    assert "left alone while rollout" in faults_of(after((), began, changed({"strategies": []}), at_ms=1))[0]


def test_a_rollback_sets_what_was_set_and_ends_a_rollout() -> None:
    steps = follow(
        changed({"risk.max_open_positions": 3}), flag(values={"risk.cooldown_s": 9}), StartRollout(plan=plan(), **WHO)
    )
    back = step_of(after((), steps[-1], Rollback(version=2, **WHO), at_ms=5, target=steps[1].record))
    assert (back.version, dict(back.runtime), dict(back.flags), back.rollout) == (
        5,
        {"risk.max_open_positions": 3},
        {},
        None,
    )
    assert back.reason == "back to version 2: a test; rollout tighter ended with it"
    assert "that there is" in faults_of(after((), back, Rollback(version=77, **WHO), at_ms=5))[0]


def test_every_version_says_how_it_differs_and_the_patches_lead_through_history() -> None:
    steps = follow(
        changed({"risk.max_open_positions": 3}),
        flag(values={"risk.cooldown_s": 9}),
        StartRollout(plan=plan(), **WHO),
        EndRollout(name="tighter", promote=True, **WHO),
        SetFlag(name="calm", flag=None, **WHO),
    )
    records = records_of(steps)
    assert chain_faults(records) == []
    assert {"op": "replace", "path": "/risk/max_open_positions", "value": 3} in records[1].patch
    document = document_of(records[0])
    for record in records[1:]:
        document = applied(document, record.patch)
    assert document == document_of(records[-1])


@pytest.mark.parametrize("how", ["edit value", "edit author", "edit patch", "edit and seal anew", "remove", "swap"])
def test_any_tampering_with_a_version_shows(how: str) -> None:
    records = records_of(follow(*(changed({"risk.max_open_positions": number}) for number in range(3, 8))))
    victim = records[2]
    match how:
        case "edit value":
            tree = {**victim.settings, "risk": {**victim.settings["risk"], "max_daily_loss": "1"}}
            records[2] = msgspec.structs.replace(victim, settings=tree)
        case "edit author":
            records[2] = msgspec.structs.replace(victim, author="nobody")
        case "edit patch":
            records[2] = msgspec.structs.replace(victim, patch=())
        case "edit and seal anew":
            from genesis.domain.release_chain import sealed

            records[2] = sealed(msgspec.structs.replace(victim, reason="another"))
        case "remove":
            del records[2]
        case "swap":
            records[2], records[3] = records[3], records[2]
    assert chain_faults(records)


def test_a_stored_rollout_goes_on_after_a_restart() -> None:
    steps = follow(changed({"risk.max_open_positions": 3}), StartRollout(plan=plan(), **WHO))
    stored = [
        msgspec.json.decode(msgspec.json.encode(record), type=SettingsVersion) for record in reversed(records_of(steps))
    ]
    again = at_start((), stored, at_ms=99).step
    assert (again.version, again.record) == (3, None)
    assert again.settings == steps[-1].settings
    assert again.rollout == steps[-1].rollout


def test_a_flag_that_no_longer_fits_takes_no_limit_along() -> None:
    """A strategy was renamed in the files: the flag for it goes, what was set before and after it stays."""
    steps = follow(
        changed({"risk.max_open_positions": 3}),
        flag("mine", values={"risk.cooldown_s": 9}, strategies=("btc-ema",)),
        flag("others", values={"risk.stop_fraction": "0.01"}, symbols=("tETHUSD",)),
        StartRollout(plan=plan(strategies=("btc-ema",)), **WHO),
        changed({"risk.max_drawdown": "0.1"}),
    )
    renamed = Layer(name="config/strategies.json", values={"strategies": [{"name": "new-name", "symbol": "tBTCUSD"}]})
    start = at_start((renamed,), list(reversed(records_of(steps))), at_ms=99)
    assert [version for version, _ in start.rejected] == [6]
    assert (start.step.version, start.step.rollout, list(start.step.flags)) == (7, None, ["others"])
    assert dict(start.step.runtime) == {"risk.max_open_positions": 3, "risk.max_drawdown": "0.1"}
    assert "must be one of manual, new-name" in str(start.rejected[0][1][0])


def test_a_version_of_an_older_program_is_read() -> None:
    record = records_of([a_start()])[0]
    old = msgspec.json.decode(msgspec.json.encode(record))
    for name in ("action", "flags", "rollout", "patch", "previous_hash", "hash"):
        del old[name]
    stored = msgspec.convert(old, SettingsVersion)
    step = at_start((), [stored], at_ms=1).step
    assert step.record is None
    newer = step_of(after((), step, changed({"risk.max_open_positions": 3}), at_ms=2))
    assert newer.record is not None
    assert chain_faults([stored, newer.record]) == []


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=3), json_values, max_size=4), st.dictionaries(st.text(max_size=3), json_values))
def test_a_diff_leads_from_the_old_document_to_the_new_one(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert applied(old, diff(old, new)) == new


def test_sources_are_all_in_every_profile() -> None:
    from genesis.domain.settings_build import ORDER

    assert all(set(order) == set(Source) for order in ORDER.values())
