"""Versions of settings: which one is in force at a start, what a change makes of it, and what waits for a restart."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, assert_never

import attrs
import msgspec

from genesis.domain.config_keys import KEYS, STRATEGIES, Applies, nearest
from genesis.domain.release_chain import patch_between, sealed
from genesis.domain.releases import flag_faults, flag_layer, overlays_of, plan_faults, reach_faults, tried_strategies
from genesis.domain.settings_build import (
    Built,
    Effective,
    Fault,
    Layer,
    Priority,
    Source,
    as_tree,
    build,
    in_order,
    unknown_path,
)
from protocols.config import (
    ChangeCommand,
    EndRollout,
    FeatureFlag,
    Rollback,
    Rollout,
    SetFlag,
    SetSettings,
    SettingFault,
    SettingsVersion,
    StartRollout,
)
from protocols.settings import Settings

RUNTIME: Final = "runtime"
AT_START: Final = "start"
VERSION: Final = "version"
"""The path of the fault that says that another change came first."""
IN_FORCE: Final = "the version in force"
JOURNAL: Final = "journal"
"""The path of the fault that says that there is no room to keep a change."""
MAX_FLAGS: Final = 200


@attrs.frozen(kw_only=True)
class Step:
    """A version with its settings. `record` is None when it stands in the journal already."""

    version: int
    runtime: Mapping[str, Any]
    settings: Settings
    record: SettingsVersion | None
    changed: tuple[str, ...] = ()
    flags: Mapping[str, FeatureFlag] = attrs.field(factory=dict)
    rollout: Rollout | None = None
    effective: Mapping[str, Effective] = attrs.field(factory=dict, repr=False)
    hash: str = ""
    at_ms: int = 0
    author: str = ""
    reason: str = ""
    action: str = "set"

    def as_record(self) -> SettingsVersion:
        """What the journal keeps of it, without its patch: what the next version is compared with."""
        return SettingsVersion(
            version=self.version,
            at_ms=self.at_ms,
            author=self.author,
            reason=self.reason,
            runtime=dict(self.runtime),
            changed=self.changed,
            settings=as_tree(self.settings),
            action=self.action,
            flags=dict(self.flags),
            rollout=self.rollout,
            hash=self.hash,
        )


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


@attrs.frozen(kw_only=True)
class _Wanted:
    """What a version shall be made of, besides the layers that were there at the start."""

    runtime: Mapping[str, Any]
    flags: Mapping[str, FeatureFlag]
    rollout: Rollout | None

    def build(self, layers: Sequence[Layer], version: int, priority: Priority) -> Built | tuple[Fault, ...]:
        """The settings with all of it, or every fault of all of it."""
        given = [
            *layers,
            *(flag_layer(flag) for flag in self.flags.values() if flag.enabled and not flag.targeted),
            Layer(name=RUNTIME, values=self.runtime, source=Source.RUNTIME),
        ]
        built = build(in_order(given, priority), version=version)
        if not isinstance(built, Built):
            return built
        faults = [fault for flag in self.flags.values() for fault in flag_faults(flag, built.settings)]
        if self.rollout is not None:
            faults += plan_faults(self.rollout.plan, built.settings)
        if faults:
            return tuple(faults)
        overlays = overlays_of(built, self.flags.values(), self.rollout, priority)
        settings = msgspec.structs.replace(built.settings, overlays=overlays)
        if self.rollout is not None and STRATEGIES in self.rollout.plan.changes:
            plan = self.rollout.plan
            values = {**self.runtime, STRATEGIES: plan.changes[STRATEGIES]}
            candidate = build(
                in_order([*given[:-1], attrs.evolve(given[-1], values=values)], priority), version=version
            )
            if not isinstance(candidate, Built):
                return candidate
            if not plan.is_paper:
                # Those of a paper shadow run beside: the live list is as it was.
                tried = tried_strategies(built.settings, candidate.settings, plan)
                settings = msgspec.structs.replace(settings, strategies=tried)
        return attrs.evolve(built, settings=settings)

    def without_misfits(self, layers: Sequence[Layer], priority: Priority) -> "_Wanted":
        """The same without a rollout, and with those flags alone that build by themselves."""
        bare = attrs.evolve(self, rollout=None)
        fit = {
            name: flag
            for name, flag in self.flags.items()
            if isinstance(attrs.evolve(bare, flags={name: flag}).build(layers, 1, priority), Built)
        }
        return attrs.evolve(bare, flags=fit)

    @classmethod
    def of(cls, kept: SettingsVersion) -> "_Wanted":
        return cls(runtime=kept.runtime, flags=kept.flags, rollout=kept.rollout)


def kinds_of(stored: Iterable[SettingsVersion]) -> frozenset[str]:
    """Of which kinds the strategies of stored versions are, members included."""
    found = [each for kept in stored for each in kept.settings.get(STRATEGIES, ())]
    return frozenset(one["kind"] for each in found for one in (each, *each.get("members", ())))


def at_start(
    layers: Sequence[Layer], stored: Iterable[SettingsVersion], *, at_ms: int, priority: Priority = Priority.RUNTIME
) -> Start:
    """The settings of this start: the newest stored runtime values that still build, over files and environment.

    `stored` is newest first. Raises ValueError when files and environment alone do not build: that is told before
    anything is started, so here it cannot be.
    """
    rejected: list[tuple[int, tuple[Fault, ...]]] = []
    newest: SettingsVersion | None = None
    for kept in stored:
        newest = newest or kept
        wanted = _Wanted.of(kept)
        outcome = wanted.build(layers, kept.version, priority)
        if not isinstance(outcome, Built):
            rejected.append((kept.version, outcome))
            # A flag or a rollout that no longer fits must not take the limits along that were set beside it.
            wanted = wanted.without_misfits(layers, priority)
            outcome = wanted.build(layers, kept.version, priority)
        if not isinstance(outcome, Built):
            continue
        if kept is newest and as_tree(outcome.settings) == kept.settings:
            step = Step(
                version=kept.version,
                runtime=kept.runtime,
                flags=kept.flags,
                rollout=kept.rollout,
                settings=outcome.settings,
                effective=outcome.effective,
                record=None,
                hash=kept.hash,
                at_ms=kept.at_ms,
                author=kept.author,
                reason=kept.reason,
                action=kept.action,
            )
            return Start(step=step)
        reason = "a stored version does not build as it was" if rejected else "files, environment or program changed"
        step = _new_step(newest.version + 1, wanted, outcome, newest, AT_START, AT_START, reason, at_ms)
        return Start(step=step, rejected=tuple(rejected))
    version = 1 if newest is None else newest.version + 1
    wanted = _Wanted(runtime={}, flags={}, rollout=None)
    outcome = wanted.build(layers, version, priority)
    if not isinstance(outcome, Built):
        raise ValueError(f"files and environment must build settings, did not: {'; '.join(map(str, outcome))}")
    reason = "first start" if newest is None else "no stored version builds"
    step = _new_step(version, wanted, outcome, newest, AT_START, AT_START, reason, at_ms)
    return Start(step=step, rejected=tuple(rejected))


def after(
    layers: Sequence[Layer],
    now: Step,
    asked: ChangeCommand,
    *,
    at_ms: int,
    priority: Priority = Priority.RUNTIME,
    target: SettingsVersion | None = None,
) -> Step | tuple[Fault, ...]:
    """The version that a command makes of the present one, or every reason why not.

    `target` is the stored version that a rollback names, None when there is none of that name.
    """
    if asked.expected_version is not None and asked.expected_version != now.version:
        return (
            Fault(
                path=VERSION,
                must_be=f"{now.version}, {IN_FORCE}",
                was=str(asked.expected_version),
                layer=RUNTIME,
            ),
        )
    wanted = _wanted(now, asked, at_ms, target)
    if not isinstance(wanted, _Wanted):
        return wanted
    outcome = wanted.build(layers, now.version + 1, priority)
    if not isinstance(outcome, Built):
        return outcome
    if outcome.settings.quote_currency != now.settings.quote_currency:
        must_be = f"{now.settings.quote_currency}, in which this journal counts; another --data-dir is another account"
        was = outcome.settings.quote_currency
        return (Fault(path="quote_currency", must_be=must_be, was=was, layer=RUNTIME),)
    if isinstance(asked, StartRollout):
        # What cannot be everybody's one day need not be tried by some.
        promoted = attrs.evolve(wanted, runtime={**wanted.runtime, **asked.plan.changes}, rollout=None)
        later = promoted.build(layers, now.version + 2, priority)
        if not isinstance(later, Built):
            return later
        alone = reach_faults(asked.plan, now.settings, later.settings)
        if alone:
            return tuple(alone)
        held = {path: later.effective[path] for path in asked.plan.changes}
        hidden = tuple(
            Fault(
                path=path,
                must_be=f"free for a rollout: {each.layer} holds it in this profile, promoted or not",
                was=str(each.value)[:80],
                layer=each.layer,
            )
            for path, each in held.items()
            if each.source is not Source.RUNTIME
        )
        if hidden:
            return hidden
    if (
        dict(wanted.runtime) == dict(now.runtime)
        and dict(wanted.flags) == dict(now.flags)
        and wanted.rollout == now.rollout
    ):
        return attrs.evolve(now, record=None, changed=())
    action = _action(asked)
    return _new_step(now.version + 1, wanted, outcome, now.as_record(), action, asked.actor, _reason(asked, now), at_ms)


def _wanted(now: Step, asked: ChangeCommand, at_ms: int, target: SettingsVersion | None) -> _Wanted | tuple[Fault, ...]:
    wanted = _Wanted(runtime=now.runtime, flags=now.flags, rollout=now.rollout)
    match asked:
        case SetSettings():
            trial = now.rollout.plan if now.rollout is not None else None
            both = sorted({*asked.changes, *asked.cleared} & set(trial.changes)) if trial is not None else []
            if trial is not None and both:
                must_be = f"left alone while rollout {trial.name} tries it"
                return tuple(Fault(path=path, must_be=must_be, was="changed", layer=RUNTIME) for path in both)
            torn = sorted({*asked.cleared} & set(asked.changes))
            if torn:
                must_be = "either set or cleared"
                return tuple(Fault(path=path, must_be=must_be, was="both", layer=RUNTIME) for path in torn)
            unknown = [path for path in asked.cleared if path not in KEYS and path != STRATEGIES]
            if unknown:
                return tuple(unknown_path(path) for path in unknown)
            kept = {path: value for path, value in now.runtime.items() if path not in asked.cleared}
            return attrs.evolve(wanted, runtime=kept | asked.changes)
        case SetFlag(flag=None):
            if asked.name not in now.flags:
                hint = nearest(asked.name, now.flags) or ""
                must_be = "a feature flag that there is"
                return (
                    Fault(
                        path=f"flags.{asked.name[:40]}",
                        must_be=must_be,
                        was="unknown",
                        layer=RUNTIME,
                        hint=f"did you mean {hint}?" if hint else "",
                    ),
                )
            return attrs.evolve(wanted, flags={name: flag for name, flag in now.flags.items() if name != asked.name})
        case SetFlag():
            assert asked.flag is not None
            if len(now.flags) >= MAX_FLAGS and asked.name not in now.flags:
                return (Fault(path="flags", must_be=f"at most {MAX_FLAGS}", was="one more", layer=RUNTIME),)
            return attrs.evolve(wanted, flags={**now.flags, asked.name: asked.flag})
        case Rollback():
            if target is None:
                was = asked.snapshot if asked.snapshot is not None else str(asked.version)
                must_be = "a version or snapshot that there is"
                return (Fault(path="rollback", must_be=must_be, was=was[:40], layer=RUNTIME),)
            return _Wanted(runtime=target.runtime, flags=target.flags, rollout=None)
        case StartRollout():
            if now.rollout is not None:
                must_be = f"one at a time: {now.rollout.plan.name} is under way"
                return (Fault(path="rollout", must_be=must_be, was=asked.plan.name, layer=RUNTIME),)
            rollout = Rollout(
                plan=asked.plan,
                version=now.version + 1,
                started_ms=at_ms,
                author=asked.actor,
                reason=asked.reason,
            )
            return attrs.evolve(wanted, rollout=rollout)
        case EndRollout():
            if now.rollout is None or now.rollout.plan.name != asked.name:
                must_be = "the rollout that is under way"
                if now.rollout is not None:
                    must_be += f", {now.rollout.plan.name}"
                return (Fault(path="rollout", must_be=must_be, was=asked.name[:40], layer=RUNTIME),)
            runtime = {**now.runtime, **now.rollout.plan.changes} if asked.promote else now.runtime
            return attrs.evolve(wanted, runtime=runtime, rollout=None)
    assert_never(asked)


def _action(asked: ChangeCommand) -> str:
    match asked:
        case SetSettings():
            return "set"
        case SetFlag():
            return "flag"
        case Rollback():
            return "rollback"
        case StartRollout():
            return "rollout"
        case EndRollout():
            return "promote" if asked.promote else "revert"
    assert_never(asked)


def _reason(asked: ChangeCommand, now: Step) -> str:
    match asked:
        case Rollback():
            where = f"snapshot {asked.snapshot}" if asked.snapshot is not None else f"version {asked.version}"
            ended = f"; rollout {now.rollout.plan.name} ended with it" if now.rollout is not None else ""
            return f"back to {where}: {asked.reason}{ended}"
        case EndRollout():
            return f"rollout {asked.name}: {asked.reason}"
    return asked.reason


def _new_step(
    version: int,
    wanted: _Wanted,
    built: Built,
    before: SettingsVersion | None,
    action: str,
    author: str,
    reason: str,
    at_ms: int,
) -> Step:
    settings = msgspec.structs.replace(built.settings, version=version)
    tree, values = as_tree(settings), flat(settings)
    old = before.settings if before is not None else {}
    changed = tuple(sorted(path for path in values if _at(old, path) != values[path])) if before is not None else ()
    record = SettingsVersion(
        version=version,
        at_ms=at_ms,
        author=author,
        reason=reason,
        runtime=dict(wanted.runtime),
        changed=changed,
        settings=tree,
        action=action,
        flags=dict(wanted.flags),
        rollout=wanted.rollout,
        previous_hash=before.hash if before is not None else "",
    )
    record = sealed(msgspec.structs.replace(record, patch=patch_between(before, record)))
    return Step(
        version=version,
        runtime=wanted.runtime,
        flags=wanted.flags,
        rollout=wanted.rollout,
        settings=settings,
        effective=built.effective,
        record=record,
        changed=changed,
        hash=record.hash,
        at_ms=at_ms,
        author=author,
        reason=reason,
        action=action,
    )


def _at(tree: Mapping[str, Any], path: str) -> Any:
    section, dot, name = path.partition(".")
    inner = tree.get(section)
    return (inner.get(name) if isinstance(inner, Mapping) else None) if dot else inner


def came_late(fault: Fault | SettingFault) -> bool:
    """Whether it says that another change came first. Who names the version among the settings hears another one."""
    return fault.path == VERSION and fault.must_be.endswith(IN_FORCE)


def waits_for_restart(path: str) -> bool:
    """Strategies do not: a new one is warmed by the candles that are kept, and what a gone one holds keeps its stop."""
    return path != STRATEGIES and KEYS[path].applies is Applies.RESTART


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
