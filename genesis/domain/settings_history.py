"""Versions of settings: which one is in force at a start, what a change makes of it, and what waits for a restart."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import attrs
import msgspec

from genesis.domain.config_keys import KEYS, STRATEGIES, Applies
from genesis.domain.settings_build import Built, Fault, Layer, as_tree, build
from protocols.config import SetSettings, SettingsVersion
from protocols.settings import Settings

RUNTIME: Final = "runtime"
AT_START: Final = "start"


@attrs.frozen(kw_only=True)
class Step:
    """A version with its settings. `record` is None when it stands in the journal already."""

    version: int
    runtime: Mapping[str, Any]
    settings: Settings
    record: SettingsVersion | None
    changed: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class Start:
    """What is in force at a start, and the stored versions (newest first) that no longer build, with their faults."""

    step: Step
    rejected: tuple[tuple[int, tuple[Fault, ...]], ...] = ()


def flat(settings: Settings) -> dict[str, Any]:
    """Every path with its plain JSON value; the list of strategies is one value."""
    tree = as_tree(settings)
    sections = {path.split(".")[0] for path in KEYS if "." in path}
    values: dict[str, Any] = {}
    for name, value in tree.items():
        if name in sections:
            values |= {f"{name}.{inner}": each for inner, each in value.items()}
        else:
            values[name] = value
    return values


def differences(old: Settings, new: Settings) -> tuple[str, ...]:
    before, after = flat(old), flat(new)
    return tuple(sorted(path for path in after if after[path] != before.get(path)))


def _with_runtime(layers: Sequence[Layer], runtime: Mapping[str, Any], version: int) -> Built | tuple[Fault, ...]:
    return build([*layers, Layer(name=RUNTIME, values=runtime)], version=version)


def at_start(layers: Sequence[Layer], stored: Iterable[SettingsVersion], *, at_ms: int) -> Start:
    """The settings of this start: the newest stored runtime values that still build, over files and environment.

    `stored` is newest first. Raises ValueError when files and environment alone do not build: that is told before
    anything is started, so here it cannot be.
    """
    rejected: list[tuple[int, tuple[Fault, ...]]] = []
    newest: SettingsVersion | None = None
    for kept in stored:
        newest = newest or kept
        outcome = _with_runtime(layers, kept.runtime, kept.version)
        if not isinstance(outcome, Built):
            rejected.append((kept.version, outcome))
            continue
        if kept is newest and as_tree(outcome.settings) == kept.settings:
            step = Step(version=kept.version, runtime=kept.runtime, settings=outcome.settings, record=None)
            return Start(step=step)
        reason = "a stored version does not build" if rejected else "files, environment or program changed"
        return Start(
            step=_new_step(newest.version + 1, kept.runtime, outcome.settings, kept.settings, AT_START, reason, at_ms),
            rejected=tuple(rejected),
        )
    version = 1 if newest is None else newest.version + 1
    outcome = _with_runtime(layers, {}, version)
    if not isinstance(outcome, Built):
        raise ValueError(f"files and environment must build settings, did not: {'; '.join(map(str, outcome))}")
    before = {} if newest is None else newest.settings
    reason = "first start" if newest is None else "no stored version builds"
    return Start(
        step=_new_step(version, {}, outcome.settings, before, AT_START, reason, at_ms), rejected=tuple(rejected)
    )


def after(layers: Sequence[Layer], now: Step, asked: SetSettings, *, at_ms: int) -> Step | tuple[Fault, ...]:
    """The version that a command makes of the present one, or every reason why not."""
    if asked.expected_version is not None and asked.expected_version != now.version:
        must_be = f"{now.version}, the version in force"
        return (Fault(path="version", must_be=must_be, was=str(asked.expected_version), layer=RUNTIME),)
    runtime = {path: value for path, value in now.runtime.items() if path not in asked.cleared} | asked.changes
    outcome = _with_runtime(layers, runtime, now.version + 1)
    if not isinstance(outcome, Built):
        return outcome
    if runtime == dict(now.runtime):
        return attrs.evolve(now, record=None, changed=())
    before = as_tree(now.settings)
    return _new_step(now.version + 1, runtime, outcome.settings, before, asked.actor, asked.reason, at_ms)


def _new_step(
    version: int,
    runtime: Mapping[str, Any],
    settings: Settings,
    before: Mapping[str, Any],
    author: str,
    reason: str,
    at_ms: int,
) -> Step:
    settings = msgspec.structs.replace(settings, version=version)
    values = flat(settings)
    changed = tuple(sorted(path for path in values if _at(before, path) != values[path])) if before else ()
    record = SettingsVersion(
        version=version,
        at_ms=at_ms,
        author=author,
        reason=reason,
        runtime=dict(runtime),
        changed=changed,
        settings=as_tree(settings),
    )
    return Step(version=version, runtime=runtime, settings=settings, record=record, changed=changed)


def _at(tree: Mapping[str, Any], path: str) -> Any:
    section, dot, name = path.partition(".")
    inner = tree.get(section)
    return (inner.get(name) if isinstance(inner, Mapping) else None) if dot else inner


def waits_for_restart(path: str) -> bool:
    """Strategies wait too: a new one needs its warm-up, and a gone one its positions closed."""
    return path == STRATEGIES or KEYS[path].applies is Applies.RESTART


def published(wanted: Settings, running: Settings) -> tuple[Settings, tuple[str, ...]]:
    """What actors may see of `wanted` while `running` is what they were started with, and the paths that wait."""
    pending = tuple(path for path in differences(running, wanted) if waits_for_restart(path))
    merged: dict[str, Any] = {}
    for field in msgspec.structs.fields(Settings):
        value, old = getattr(wanted, field.name), getattr(running, field.name)
        if isinstance(value, msgspec.Struct):
            kept = {p.split(".")[1]: getattr(old, p.split(".")[1]) for p in pending if p.startswith(field.name + ".")}
            merged[field.name] = msgspec.structs.replace(value, **kept)
        else:
            merged[field.name] = old if field.name in pending else value
    return Settings(**merged), pending
