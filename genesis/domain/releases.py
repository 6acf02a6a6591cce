"""Feature flags and rollouts as parts of the settings: what is wrong with one, and whom it reaches."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any, Final

from genesis.domain.config_keys import STRATEGIES, SYMBOL, nearest
from genesis.domain.settings_build import ORDER, Built, Fault, Layer, Priority, Source, read_value
from genesis.domain.targeting import SCOPABLE, SECTION, covers
from protocols.config import FeatureFlag, Metric, Rollout, RolloutPlan
from protocols.settings import Overlay, Settings, StrategySettings

NAME: Final = re.compile(r"[a-z][a-z0-9._-]{0,39}")
MAX_VALUES: Final = 100
SHORTEST_S: Final = 1.0
LONGEST_S: Final = 90 * 86_400.0
SHADOW_METRICS: Final = frozenset({Metric.REFUSAL_RATE, Metric.DRAWDOWN, Metric.LOSS})
"""A shadow sends no orders, so it has neither errors nor slippage."""


def flag_layer(flag: FeatureFlag) -> Layer:
    """An untargeted flag as a layer of its own, so that `effective` can name it."""
    return Layer(name=f"flag {flag.name}", values=flag.values, source=Source.FLAGS)


def flag_faults(flag: FeatureFlag, settings: Settings) -> list[Fault]:
    """What is wrong with a flag, enabled or not: one that is put aside must work on the day it is needed."""
    at = f"flags.{flag.name[:40]}"
    faults = _name_faults(at, flag.name)
    faults += _value_faults(at, flag.values, scoped=flag.targeted, layer=f"flag {flag.name[:40]}")
    faults += _target_faults(at, flag.symbols, flag.strategies, flag.percent, settings)
    return faults


def plan_faults(plan: RolloutPlan, settings: Settings) -> list[Fault]:
    """What is wrong with a plan, all at once."""
    at = "rollout"
    faults = _name_faults(f"{at}.name", plan.name)
    changes = dict(plan.changes)
    tried = changes.pop(STRATEGIES, None)
    if tried is not None:
        faults += read_value(STRATEGIES, tried, layer="rollout")[1]
        if plan.shadow:
            must_be = "false for strategies: a shadow judges the signals that there are"
            faults.append(_fault(f"{at}.shadow", must_be, True))
    if changes or tried is None:
        faults += _value_faults(f"{at}.changes", changes, scoped=True, layer="rollout")
    new = _names(tried) if tried is not None and not faults else set()
    faults += _target_faults(at, plan.symbols, plan.strategies, plan.percent, settings, new)
    if plan.shadow and plan.metric not in SHADOW_METRICS:
        known = ", ".join(sorted(metric.value for metric in SHADOW_METRICS))
        faults.append(_fault(f"{at}.metric", f"one of {known} for a shadow", plan.metric.value))
    if not (math.isfinite(plan.threshold) and -1e6 <= plan.threshold <= 1e6):
        faults.append(_fault(f"{at}.threshold", "a finite number", plan.threshold))
    if not SHORTEST_S <= plan.duration_s <= LONGEST_S:
        faults.append(_fault(f"{at}.duration_s", f"{SHORTEST_S:g} to {LONGEST_S:g} seconds", plan.duration_s))
    if not 0 <= plan.min_samples <= 1_000_000:
        faults.append(_fault(f"{at}.min_samples", "0 to 1000000", plan.min_samples))
    if plan.against_control and not plan.shadow and not plan.symbols and not plan.strategies and plan.percent >= 100:
        faults.append(_fault(f"{at}.against_control", "false where nobody is left to compare with", True))
    return faults


def overlays_of(
    built: Built, flags: Iterable[FeatureFlag], rollout: Rollout | None, priority: Priority
) -> tuple[Overlay, ...]:
    """Targeted flags and the rollout as the risk machine reads them.

    What a stronger source than the flags has set holds for everybody; the candidate of a rollout lies on top of all.
    """
    rank = ORDER[priority].index
    found: list[Overlay] = []
    for flag in flags:
        if not (flag.enabled and flag.targeted):
            continue
        values = {
            path: value
            for path, value in flag.values.items()
            if rank(built.effective[path].source) <= rank(Source.FLAGS)
        }
        if values:
            found.append(
                Overlay(
                    name=flag.name,
                    values=_fields(values),
                    symbols=flag.symbols,
                    strategies=flag.strategies,
                    percent=flag.percent,
                )
            )
    if rollout is not None and set(rollout.plan.changes) != {STRATEGIES}:
        found.append(overlay_of(rollout.plan))
    return tuple(found)


def tried_strategies(settings: Settings, candidate: Settings, plan: RolloutPlan) -> tuple[StrategySettings, ...]:
    """The strategies that run while a plan tries others: inside its reach those of the candidate, outside the present.

    One that only the candidate has comes, one that it lacks goes, each where the plan reaches it.
    """
    reach = overlay_of(plan)
    new = {each.name: each for each in candidate.strategies if covers(reach, each.symbol, each.name)}
    old = {each.name: each for each in settings.strategies}
    found = [
        new.get(name, each) for name, each in old.items() if name in new or not covers(reach, each.symbol, each.name)
    ]
    return (*found, *(each for name, each in new.items() if name not in old))


def _names(tried: Any) -> set[str]:
    return {each["name"] for each in tried}


def overlay_of(plan: RolloutPlan) -> Overlay:
    """Whom the candidate reaches, and with what."""
    return Overlay(
        name=plan.name,
        values=_fields(plan.changes),
        symbols=plan.symbols,
        strategies=plan.strategies,
        percent=plan.percent,
        shadow=plan.shadow,
    )


def _fields(values: Mapping[str, Any]) -> dict[str, Any]:
    # Said once more in the plain form that the settings themselves have: 1 and 1.0 are then one value.
    return {
        path.removeprefix(SECTION): read_value(path, value, layer="")[0]
        for path, value in values.items()
        if path != STRATEGIES
    }


def _fault(path: str, must_be: str, was: object, hint: str = "") -> Fault:
    return Fault(path=path, must_be=must_be, was=str(was)[:80], layer="runtime", hint=hint)


def _name_faults(path: str, name: str) -> list[Fault]:
    if NAME.fullmatch(name):
        return []
    return [_fault(path, "1 to 40 of a-z, 0-9, dot, dash and underscore, a letter first", name)]


def _value_faults(at: str, values: Mapping[str, Any], *, scoped: bool, layer: str) -> list[Fault]:
    if not 1 <= len(values) <= MAX_VALUES:
        return [_fault(at, f"1 to {MAX_VALUES} settings", len(values))]
    faults: list[Fault] = []
    for path, value in values.items():
        _, found = read_value(path, value, layer=layer)
        faults += found
        if not found and scoped and path not in SCOPABLE:
            faults.append(_fault(path, "a limit that each order is judged by", "one value for all of the engine"))
    return faults


def _target_faults(
    at: str,
    symbols: Sequence[str],
    strategies: Sequence[str],
    percent: int,
    settings: Settings,
    new: Set[str] = frozenset(),
) -> list[Fault]:
    faults: list[Fault] = []
    if not 0 <= percent <= 100:
        faults.append(_fault(f"{at}.percent", "0 to 100", percent))
    faults += [
        _fault(f"{at}.symbols", "Bitfinex symbols such as tBTCUSD", symbol)
        for symbol in symbols
        if not SYMBOL.fullmatch(symbol)
    ]
    known = {strategy.name for strategy in settings.strategies} | {"manual", *new}
    for name in strategies:
        if name not in known:
            near = nearest(name, known)
            hint = f"did you mean {near}?" if near else ""
            faults.append(_fault(f"{at}.strategies", f"one of {', '.join(sorted(known))}", name, hint))
    return faults
