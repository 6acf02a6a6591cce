"""Feature flags and rollouts as parts of the settings: what is wrong with one, and whom it reaches."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any, Final

import msgspec

from genesis.domain.config_keys import STRATEGIES, SYMBOL, nearest
from genesis.domain.pairs import is_perpetual
from genesis.domain.settings_build import ORDER, Built, Fault, Layer, Priority, Source, read_value
from genesis.domain.targeting import SCOPABLE, SECTION, covers
from protocols.config import FeatureFlag, Metric, Rollout, RolloutPlan
from protocols.settings import Overlay, Settings, StrategySettings
from protocols.units import quote_currency

NAME: Final = re.compile(r"[a-z][a-z0-9._-]{0,39}")
MAX_VALUES: Final = 100
SHORTEST_S: Final = 1.0
LONGEST_S: Final = 90 * 86_400.0
SHADOW_METRICS: Final = frozenset({Metric.REFUSAL_RATE, Metric.DRAWDOWN, Metric.LOSS})
"""A shadow sends no orders, so it has neither errors nor slippage."""
PAPER_METRICS: Final = SHADOW_METRICS | {Metric.LOSING_TRADES}
PAPER_ONLY: Final = PAPER_METRICS - SHADOW_METRICS
PAIRS_NAMED: Final = 8
MOST_CASH: Final = 1_000_000_000


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
    if changes or tried is None:
        faults += _value_faults(f"{at}.changes", changes, scoped=True, layer="rollout")
    new = _names(tried) if tried is not None and not faults else set()
    faults += _target_faults(at, plan.symbols, plan.strategies, plan.percent, settings, new)
    metrics = PAPER_METRICS if plan.is_paper else SHADOW_METRICS if plan.shadow else frozenset(Metric) - PAPER_ONLY
    if plan.metric not in metrics:
        known = ", ".join(sorted(metric.value for metric in metrics))
        kind = "a paper shadow" if plan.is_paper else "a shadow" if plan.shadow else "a part of the trading"
        faults.append(_fault(f"{at}.metric", f"one of {known} for {kind}", plan.metric.value))
    if not (math.isfinite(plan.threshold) and -1e6 <= plan.threshold <= 1e6):
        faults.append(_fault(f"{at}.threshold", "a finite number", plan.threshold))
    elif plan.threshold < 0 and plan.metric is not Metric.SLIPPAGE_BPS and not plan.against_control:
        must_be = f"0 or more: {plan.metric.value} begins at 0, and the rollout would be taken back at once"
        faults.append(_fault(f"{at}.threshold", must_be, plan.threshold))
    if not SHORTEST_S <= plan.duration_s <= LONGEST_S:
        faults.append(_fault(f"{at}.duration_s", f"{SHORTEST_S:g} to {LONGEST_S:g} seconds", plan.duration_s))
    if not 0 <= plan.min_samples <= 1_000_000:
        faults.append(_fault(f"{at}.min_samples", "0 to 1000000", plan.min_samples))
    if plan.against_control and not plan.shadow and not plan.symbols and not plan.strategies and plan.percent >= 100:
        faults.append(_fault(f"{at}.against_control", "false where nobody is left to compare with", True))
    faults += _paper_faults(f"{at}.paper", plan)
    if plan.is_paper and not faults:
        faults += _candidate_faults(plan, settings)
    return faults


def reach_faults(plan: RolloutPlan, now: Settings, later: Settings) -> list[Fault]:
    """Whether there is anybody to try it on, when it begins: at its end it would be taken back, for want of samples.

    Not asked of one that is under way: what it reaches may be switched off meanwhile.
    """
    pairs = {(each.name, each.symbol): None for each in (*now.strategies, *later.strategies)}
    pairs |= {("manual", symbol): None for symbol in now.market.symbols}
    part = Overlay(name=plan.name, values={}, symbols=plan.symbols, strategies=plan.strategies, percent=plan.percent)
    if any(covers(part, symbol, strategy) for strategy, symbol in pairs):
        return []
    named = ", ".join([f"{strategy} {symbol}" for strategy, symbol in pairs][:PAIRS_NAMED])
    more = ", ..." if len(pairs) > PAIRS_NAMED else ""
    return [_fault("rollout", f"for a strategy and symbol that trade here ({named}{more})", "for none of them")]


def _paper_faults(at: str, plan: RolloutPlan) -> list[Fault]:
    if isinstance(plan.paper, msgspec.UnsetType):
        return []
    if not plan.is_paper:
        return [_fault(at, "left out where no strategies are tried as a shadow", "given")]
    faults: list[Fault] = []
    terms = plan.paper
    if not 0 <= terms.trades <= 1_000_000:
        faults.append(_fault(f"{at}.trades", "0 to 1000000", terms.trades))
    if terms.cash is not None and not (terms.cash.is_finite() and 0 < terms.cash <= MOST_CASH):
        faults.append(_fault(f"{at}.cash", f"above 0 and at most {MOST_CASH}", terms.cash))
    return faults


def _candidate_faults(plan: RolloutPlan, settings: Settings) -> list[Fault]:
    """Whether there is something to run on paper, and whether one currency of cash can trade it."""
    runs = paper_settings(settings, plan).strategies
    if not runs:
        must_be = "a list in which a strategy that is enabled differs from the live one where the rollout reaches"
        return [_fault(STRATEGIES, must_be, "the same")]
    return [
        _fault(f"{STRATEGIES}.{each.name}.symbol", f"a spot pair in {settings.quote_currency} on paper", each.symbol)
        for each in runs
        if is_perpetual(each.symbol) or quote_currency(each.symbol) != settings.quote_currency
    ]


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
    if rollout is not None and not rollout.plan.is_paper and set(rollout.plan.changes) != {STRATEGIES}:
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


def paper_settings(settings: Settings, plan: RolloutPlan) -> Settings:
    """What a paper shadow runs by: the live settings, with the candidate's strategies that are new or changed where the
    plan reaches (all that it reaches, where it tries limits too), and with its limits as those of its own book."""
    reach = overlay_of(plan)
    live = {each.name: each for each in settings.strategies}
    strategies = tuple(
        each
        for each in _candidate(plan)
        if each.enabled and covers(reach, each.symbol, each.name) and (reach.values or live.get(each.name) != each)
    )
    overlays = settings.overlays
    if reach.values:
        overlays = (*overlays, msgspec.structs.replace(reach, shadow=False))
    return msgspec.structs.replace(settings, strategies=strategies, overlays=overlays)


def compared(settings: Settings, plan: RolloutPlan) -> tuple[str, ...]:
    """Whose trading a paper shadow is held against: what it runs, and live ones that the candidate changes or ends."""
    reach = overlay_of(plan)
    runs = {each.name for each in paper_settings(settings, plan).strategies}
    candidate = {each.name: each for each in _candidate(plan)}
    gone = {
        each.name
        for each in settings.strategies
        if covers(reach, each.symbol, each.name) and candidate.get(each.name) != each
    }
    return tuple(sorted(runs | gone))


def _candidate(plan: RolloutPlan) -> tuple[StrategySettings, ...]:
    return msgspec.convert(
        read_value(STRATEGIES, plan.changes[STRATEGIES], layer="rollout")[0], tuple[StrategySettings, ...]
    )


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
