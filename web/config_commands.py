"""The configuration routes: what is in force and why, changing it, history, snapshots, flags, rollouts, the trail.

Whoever may trade may tighten a limit; everything else that changes a decision takes a token of admin scope. Which is
which, the key registry and the domain say.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from genesis.domain.config_keys import ALIASES, KEYS, SECRETS, STRATEGIES, Key, KeyScope, nearest
from genesis.domain.config_schema import schema
from genesis.domain.limit_changes import SECTION, STRICTER, loosened
from genesis.domain.release_chain import diff, document_of
from genesis.domain.settings_build import Built, Fault, Layer, as_tree, build, layer_of_tree, plain
from genesis.domain.settings_history import JOURNAL, came_late
from genesis.domain.targeting import SCOPABLE
from protocols.config import (
    ConfigCommand,
    ConfigView,
    EffectiveValue,
    EndRollout,
    Rollback,
    SetFlag,
    SetSettings,
    SettingFault,
    SettingsApplied,
    SettingsRefused,
    SettingsVersion,
    StartRollout,
    TakeSnapshot,
    WriteAudit,
)
from web.api import Api, Call
from web.bodies import ReasonBody
from web.config_bodies import (
    AuditBody,
    ChangesQuery,
    ConnectOnStartBody,
    DiffBody,
    FlagBody,
    HistoryQuery,
    KeysQuery,
    RollbackBody,
    RolloutBody,
    RuntimeBody,
    SetConfigBody,
    SetKeyBody,
    SnapshotBody,
    TrailQuery,
    ValidateBody,
)
from web.config_models import (
    AuditTrail,
    ConfigChanged,
    ConfigChanges,
    ConfigEffective,
    ConfigFlags,
    ConfigKeys,
    ConfigSnapshots,
    ConfigStats,
    ConfigValid,
    ConfigValue,
    ConfigVerified,
    ConfigVersions,
    ConnectOnStart,
    DocumentChanges,
    HiddenValue,
    KeyRow,
    OneVersion,
    RolloutAnswer,
    RuntimeConfig,
    SchemaAnswer,
    VersionRow,
)
from web.controls import ConfigHistory
from web.errors import ApiError, Detail
from web.tokens import Scope

CONNECT_ON_START = "market.connect_on_start"


# --- looking ------------------------------------------------------------------------------------------------------


async def keys(api: Api, call: Call) -> ConfigKeys:
    query: KeysQuery = call.query
    view = view_of(api)
    word = query.word.lower()
    known = {each.key: each for each in view.effective}
    rows = [
        _row(key, known.get(key.path), key.path in view.pending)
        for key in KEYS.values()
        if word in f"{key.path} {key.meaning}".lower()
    ]
    return ConfigKeys(version=view.version, keys=tuple(rows))


def _row(key: Key, told: EffectiveValue | None, pending: bool) -> KeyRow:
    name = key.path.removeprefix(SECTION)
    limit = key.path.startswith(SECTION)
    return KeyRow(
        key=key.path,
        section=key.path.partition(".")[0] if "." in key.path else "general",
        type=key.kind.value,
        default=plain(key.default),
        value=plain(key.default) if told is None else told.value,
        layer="defaults" if told is None else told.layer,
        pending=pending,
        unit=key.unit,
        low=None if key.low is None else str(key.low),
        high=None if key.high is None else str(key.high),
        range=key.range_text,
        choices=key.choices,
        meaning=key.meaning,
        applies=key.applies.value,
        scope=key.scope.value,
        secret=False,
        environment=key.environment,
        alias=key.alias,
        stricter=STRICTER[name].value if limit and name in STRICTER else "",
        targetable=key.path in SCOPABLE,
    )


async def effective(api: Api, call: Call) -> ConfigEffective:
    view = view_of(api)
    return ConfigEffective(
        version=view.version, priority=view.priority, values=tuple(_value(view, each) for each in view.effective)
    )


async def one_key(api: Api, call: Call) -> ConfigValue:
    view = view_of(api)
    path = _path_of(call.path["key"])
    return next(_value(view, each) for each in view.effective if each.key == path)


def _value(view: ConfigView, each: EffectiveValue) -> ConfigValue:
    return ConfigValue(
        version=view.version,
        key=each.key,
        value=each.value,
        layer=each.layer,
        hidden=tuple(HiddenValue(layer=layer, value=value) for layer, value in each.hidden),
        pending=each.key in view.pending,
    )


async def stats(api: Api, call: Call) -> ConfigStats:
    view, running = view_of(api), dict(api.readers.running())
    return ConfigStats(
        version=view.version,
        at_ms=view.at_ms,
        author=view.author,
        reason=view.reason,
        action=view.action,
        priority=view.priority,
        running=running,
        applied=all(version == view.version for version in running.values()),
        pending=view.pending,
        runtime_keys=len(view.runtime),
        flags=len(view.flags),
        snapshots=len(view.snapshots),
        rejected=view.rejected,
        changes_total=view.changes_total,
        refused_total=view.refused_total,
        audit_seq=view.audit_seq,
        audit_trouble=view.audit_trouble,
        rollout=None if view.rollout is None else view.rollout.plan.name,
        bus=api.readers.bus(),
    )


async def json_schema(api: Api, call: Call) -> SchemaAnswer:
    return SchemaAnswer(schema=schema())


async def history(api: Api, call: Call) -> ConfigVersions:
    query: HistoryQuery = call.query
    found = await _history(api).versions(query.limit, query.below)
    return ConfigVersions(version=view_of(api).version, versions=tuple(_version_row(each) for each in found))


def _version_row(told: SettingsVersion) -> VersionRow:
    return VersionRow(
        version=told.version,
        at_ms=told.at_ms,
        author=told.author,
        reason=told.reason,
        action=told.action,
        changed=told.changed,
        patch=told.patch,
        hash=told.hash,
        previous_hash=told.previous_hash,
    )


async def one_version(api: Api, call: Call) -> OneVersion:
    told = await _known_version(api, call.path["version"])
    return OneVersion(told=told, trades=await _history(api).trades(told.version))


async def changes(api: Api, call: Call) -> ConfigChanges:
    query: ChangesQuery = call.query
    old = await _known_version(api, str(query.old))
    new = await _known_version(api, str(query.new or view_of(api).version))
    patch = diff(document_of(old), document_of(new))
    return ConfigChanges(old=old.version, new=new.version, changes=patch)


async def snapshots(api: Api, call: Call) -> ConfigSnapshots:
    view = view_of(api)
    return ConfigSnapshots(version=view.version, snapshots=view.snapshots)


async def flags(api: Api, call: Call) -> ConfigFlags:
    view = view_of(api)
    return ConfigFlags(version=view.version, flags=view.flags)


async def rollout(api: Api, call: Call) -> RolloutAnswer:
    view = view_of(api)
    status, shadow = api.readers.rollout(), api.readers.shadow()
    return RolloutAnswer(version=view.version, rollout=view.rollout, status=status, shadow=shadow)


async def trail(api: Api, call: Call) -> AuditTrail:
    query: TrailQuery = call.query
    return AuditTrail(entries=await _history(api).trail(query.limit))


async def verify(api: Api, call: Call) -> ConfigVerified:
    report = await _history(api).verify()
    return ConfigVerified(whole=report.whole, report=report)


async def runtime(api: Api, call: Call) -> RuntimeConfig:
    view = view_of(api)
    return RuntimeConfig(version=view.version, values=view.runtime, aliases=dict(ALIASES))


async def connect_on_start(api: Api, call: Call) -> ConnectOnStart:
    view = view_of(api)
    value = next(each.value for each in view.effective if each.key == CONNECT_ON_START)
    return ConnectOnStart(version=view.version, ws_connect_on_start=value, pending=CONNECT_ON_START in view.pending)


# --- trying -------------------------------------------------------------------------------------------------------


async def validate(api: Api, call: Call) -> ConfigValid:
    """Every fault of a change or of a whole document, and what it would change. Nothing happens."""
    body: ValidateBody = call.body
    if (body.changes is None) == (body.config is None):
        raise ApiError(422, "one of changes and config must be given", code="invalid")
    view = view_of(api)
    layers: list[Layer] = []
    if body.changes is not None:
        # What is in force counts, too: a change may contradict a value that it does not name.
        in_force = {each.key: each.value for each in view.effective}
        layers = [Layer(name="in force", values=in_force), Layer(name="request", values=_by_path(body.changes))]
    else:
        layers = [layer_of_tree("request", body.config)]
    outcome = build(layers)
    if not isinstance(outcome, Built):
        return ConfigValid(version=view.version, valid=False, faults=tuple(map(_fault, outcome)), changes=())
    patch = diff(as_tree(api.readers.settings()), as_tree(outcome.settings))
    return ConfigValid(version=view.version, valid=True, faults=(), changes=patch)


async def difference(api: Api, call: Call) -> DocumentChanges:
    body: DiffBody = call.body
    try:
        return DocumentChanges(changes=diff(body.old, body.new))
    except RecursionError:
        raise ApiError(422, "documents must not be nested that deeply", code="invalid") from None


def _fault(fault: Fault) -> SettingFault:
    return SettingFault(path=fault.path, must_be=fault.must_be, was=fault.was, layer=fault.layer, hint=fault.hint)


# --- changing -----------------------------------------------------------------------------------------------------


async def set_key(api: Api, call: Call) -> ConfigChanged:
    body: SetKeyBody = call.body
    path = _path_of(call.path["key"])
    return await _set(api, call, {path: body.value}, (), body.reason, body.expected_version)


async def clear_key(api: Api, call: Call) -> ConfigChanged:
    path = _path_of(call.path["key"])
    return await _set(api, call, {}, (path,), "cleared over the API", None)


async def set_many(api: Api, call: Call) -> ConfigChanged:
    body: SetConfigBody = call.body
    if not body.changes and not body.cleared:
        raise ApiError(422, "changes or cleared must name a key, were empty", code="invalid")
    return await _set(api, call, _by_path(body.changes), body.cleared, body.reason, body.expected_version)


async def set_runtime(api: Api, call: Call) -> ConfigChanged:
    body: RuntimeBody = call.body
    return await _set(api, call, _by_path(body.values), (), body.reason, None)


async def set_connect_on_start(api: Api, call: Call) -> ConfigChanged:
    body: ConnectOnStartBody = call.body
    return await _set(api, call, {CONNECT_ON_START: body.ws_connect_on_start}, (), body.reason, None)


async def take_snapshot(api: Api, call: Call) -> ConfigChanged:
    body: SnapshotBody = call.body
    command = TakeSnapshot(name=body.name, actor=call.subject, reason=body.reason, correlation_id=new_id(api))
    reply = await tell_config(api, command)
    return answer_of(reply, command.correlation_id, f"version {reply.version} is called {body.name}")


async def roll_back(api: Api, call: Call) -> ConfigChanged:
    body: RollbackBody = call.body
    if (body.version is None) == (body.snapshot is None):
        raise ApiError(422, "one of version and snapshot must be given", code="invalid")
    command = Rollback(
        version=body.version,
        snapshot=body.snapshot,
        actor=call.subject,
        reason=body.reason,
        expected_version=expected_version(call, body.expected_version),
        correlation_id=new_id(api),
    )
    return answer_of(await tell_config(api, command), command.correlation_id)


async def set_flag(api: Api, call: Call) -> ConfigChanged:
    body: FlagBody = call.body
    command = SetFlag(
        name=body.name,
        flag=body.flag(),
        actor=call.subject,
        reason=body.reason,
        expected_version=expected_version(call, body.expected_version),
        correlation_id=new_id(api),
    )
    return answer_of(
        await tell_config(api, command),
        command.correlation_id,
        f"flag {body.name} is {'on' if body.enabled else 'off'}",
    )


async def remove_flag(api: Api, call: Call) -> ConfigChanged:
    name = call.path["name"]
    if all(flag.name != name for flag in view_of(api).flags):
        raise ApiError(404, f"no feature flag is called {name[:40]}", code="unknown_flag")
    command = SetFlag(
        name=name,
        flag=None,
        actor=call.subject,
        reason="removed over the API",
        expected_version=expected_version(call, None),
        correlation_id=new_id(api),
    )
    return answer_of(await tell_config(api, command), command.correlation_id, f"flag {name} is gone")


async def start_rollout(api: Api, call: Call) -> ConfigChanged:
    body: RolloutBody = call.body
    command = StartRollout(
        plan=body.plan(),
        actor=call.subject,
        reason=body.reason,
        expected_version=expected_version(call, body.expected_version),
        correlation_id=new_id(api),
    )
    return answer_of(await tell_config(api, command), command.correlation_id, f"rollout {body.name} has begun")


async def promote(api: Api, call: Call) -> ConfigChanged:
    return await _end(api, call, promote=True)


async def revert(api: Api, call: Call) -> ConfigChanged:
    return await _end(api, call, promote=False)


async def _end(api: Api, call: Call, *, promote: bool) -> ConfigChanged:
    body: ReasonBody = call.body
    under_way = view_of(api).rollout
    if under_way is None:
        raise ApiError(409, "no rollout is under way", code="no_rollout")
    command = EndRollout(
        name=under_way.plan.name,
        promote=promote,
        actor=call.subject,
        reason=body.reason,
        expected_version=expected_version(call, None),
        correlation_id=new_id(api),
    )
    return answer_of(
        await tell_config(api, command),
        command.correlation_id,
        f"rollout {under_way.plan.name} is {'promoted' if promote else 'taken back'}",
    )


async def write_audit(api: Api, call: Call) -> ConfigChanged:
    """A note in the trail, beside what the engine writes there itself."""
    body: AuditBody = call.body
    secret = {each.name for each in SECRETS}
    for name in body.detail:
        if name.upper() in secret:
            raise ApiError(422, f"{name} must not be in the audit trail: it is a secret", code="invalid")
    command = WriteAudit(text=body.text, detail=body.detail, actor=call.subject, correlation_id=new_id(api))
    reply = await tell_config(api, command)
    return answer_of(reply, command.correlation_id, "written")


# --- parts --------------------------------------------------------------------------------------------------------


async def tell_config(api: Api, command: ConfigCommand) -> SettingsApplied:
    """Hand a command to the config actor. Raises ApiError with every fault: 412 when another change came first."""
    control = api.controls.settings
    if control is None:
        raise ApiError(404, "this engine does not have that control", code="no_such_control")
    reply = await control(command)
    if reply is None:
        raise ApiError(503, "the change is under way and not confirmed yet", headers={"Retry-After": "1"})
    if not isinstance(reply, SettingsRefused):
        return reply
    detail: Detail = {
        fault.path: {"must_be": fault.must_be, "was": fault.was, "hint": fault.hint} for fault in reply.faults
    }
    texts = "; ".join(f"{fault.path} must be {fault.must_be}, was {fault.was}" for fault in reply.faults)
    if any(map(came_late, reply.faults)):
        raise ApiError(412, f"another change came first: {texts}", code="version_conflict", detail=detail)
    if any(fault.path == JOURNAL for fault in reply.faults):
        raise ApiError(507, f"version {reply.version} stays in force: {texts}", code="not_kept", detail=detail)
    raise ApiError(422, texts, code="invalid", detail=detail)


async def _set(
    api: Api,
    call: Call,
    changes: Mapping[str, Any],
    cleared: tuple[str, ...],
    reason: str,
    expected: int | None,
) -> ConfigChanged:
    _must_be_allowed(api, call, changes, cleared)
    command = SetSettings(
        changes=dict(changes),
        cleared=cleared,
        actor=call.subject,
        reason=reason,
        expected_version=expected_version(call, expected),
        correlation_id=new_id(api),
    )
    fresh = [path for path in changes if path in KEYS and path not in view_of(api).runtime]
    reply = await tell_config(api, command)
    message = None
    if fresh and not reply.changed and not reply.hidden:
        # A version all the same: what was set to its own value follows its file no more.
        message = f"settings version {reply.version}: no value changed; {', '.join(fresh)} no longer follows files"
    return answer_of(reply, command.correlation_id, message)


def _must_be_allowed(api: Api, call: Call, changes: Mapping[str, Any], cleared: Iterable[str]) -> None:
    """Raises ApiError unless the token may change all of it. To clear a key is to set it to what it hides."""
    if call.claims is not None and call.claims.scope >= Scope.ADMIN:
        return
    view = view_of(api)
    below = {each.key: each.hidden[0][1] for each in view.effective if each.hidden and each.key in view.runtime}
    wanted = {**{path: below[path] for path in cleared if path in below}, **changes}
    limits = {path: value for path, value in wanted.items() if path.startswith(SECTION)}
    looser = loosened(api.readers.settings().risk, limits)
    others = [
        path for path in wanted if path not in limits and (path not in KEYS or KEYS[path].scope is KeyScope.ADMIN)
    ]
    if looser or others:
        what = ", ".join([f"loosening {path}" for path in looser] + [f"changing {path[:80]}" for path in others])
        raise ApiError(403, f"{what} takes a token of admin scope", code="scope_too_low")


def expected_version(call: Call, given: int | None) -> int | None:
    """The version that the writer saw: of the body, else of If-Match. Raises ApiError for a foreign tag."""
    if given is not None or call.if_match is None or call.if_match.strip() == "*":
        return given
    text = call.if_match.strip().removeprefix("W/").strip('"')
    if not text.isascii() or not text.isdigit() or len(text) > 12:
        raise ApiError(
            412, "If-Match must be the entity tag of an answer about the configuration", code="version_conflict"
        )
    return int(text)


def answer_of(reply: SettingsApplied, correlation_id: str, message: str | None = None) -> ConfigChanged:
    if message is None or reply.changed:
        about = f"; {message}" if message is not None else ""
        message = f"settings version {reply.version}: {', '.join(reply.changed) or 'no value'} changed{about}"
        if reply.pending:
            message += f"; after a restart: {', '.join(reply.pending)}"
        if reply.hidden:
            message += "; hidden: " + ", ".join(f"{path} by {layer}" for path, layer in reply.hidden.items())
    return ConfigChanged(
        version=reply.version,
        accepted=True,
        correlation_id=correlation_id,
        message=message,
        changed=reply.changed,
        pending=reply.pending,
        hidden=reply.hidden,
    )


def new_id(api: Api) -> str:
    return f"api:{api.new_id()}"


def view_of(api: Api) -> ConfigView:
    view = api.readers.config()
    if not view.effective:
        raise ApiError(503, "the configuration is not known yet", code="not_ready", headers={"Retry-After": "1"})
    return view


def _history(api: Api) -> ConfigHistory:
    found = api.controls.history
    if found is None:
        raise ApiError(404, "this engine does not have that control", code="no_such_control")
    return found


async def _known_version(api: Api, text: str) -> SettingsVersion:
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
    told = await _history(api).version(number) if number else None
    if told is None:
        raise ApiError(404, f"there is no settings version {text[:20]}", code="unknown_version")
    return told


def _path_of(name: str) -> str:
    path = ALIASES.get(name, name)
    if path in KEYS or path == STRATEGIES:
        return path
    near = nearest(name, [*KEYS, STRATEGIES, *ALIASES])
    hint = f"; did you mean {near}?" if near else ""
    raise ApiError(404, f"no setting is called {name[:80]}{hint}", code="unknown_key")


def _by_path(values: Mapping[str, Any]) -> dict[str, Any]:
    """Older names become paths; what is unknown stays, for the settings to refuse it with the nearest name."""
    return {ALIASES.get(name, name): value for name, value in values.items()}
