"""`genesis config`: what can be set, what is in force and why, and setting it in the files."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

from cyclopts import App, Parameter

from genesis.cli import printing
from genesis.cli.examples import epilogue
from genesis.cli.failures import CommandFailed
from genesis.cli.options import Reading, environment
from genesis.configuration import WHOLE_TREE, Configuration, load
from genesis.domain.config_keys import KEYS, STRATEGIES, Key, nearest
from genesis.domain.settings_build import Built, Effective, Layer, Priority, build, layer_of_tree, read_text
from genesis.edge import config_files
from genesis.edge.user_dir import UserDir
from genesis.run_options import ExitCode, Mode

config = App(
    name="config",
    help_epilogue=epilogue("config"),
    help_format="markdown",
    help="What can be set, what is in force, and setting it.",
)
RELEASES: Final[Mapping[str, str]] = {
    "history": "Versions of the settings: who changed what, when and why; --verify looks for tampering.",
    "diff": "What differs between two versions, as JSON Patch.",
    "snapshot": "Give the version in force a name to go back to, or list the names.",
    "rollback": "Set what was set while running as it was in a version or snapshot.",
    "flag": "Feature flags: named values for all of the trading or for a part of it.",
    "rollout": "Try a change on a part of the trading or as a shadow, by a metric.",
    "audit": "Put a note of your own into the audit trail.",
}
for _name, _text in RELEASES.items():
    config.command(f"genesis.cli.config_releases:{_name}", name=_name, help=_text)


def _set_while_running(user_dir: UserDir, priority: Priority) -> dict[str, dict[str, Any]]:
    """What was set on engines that run no more and stands over the files at their next start, by mode."""
    from genesis.config_history import versions
    from genesis.edge.store_errors import StoreError

    if priority is Priority.FILES:
        return {}
    found: dict[str, dict[str, Any]] = {}
    for mode in Mode:
        path = user_dir.database(mode.value)
        if not path.exists():
            continue
        try:
            newest = versions(path, 1)
        except StoreError as error:
            printing.warn(f"what was set while running in mode {mode.value} cannot be read: {error}")
            continue
        if newest and newest[0].runtime:
            found[mode.value] = newest[0].runtime
    return found


def in_force(user_dir: UserDir, *, base: Layer | None = None) -> tuple[Configuration, Built]:
    """The settings as files and environment make them, which is how the next start of a new journal would have them.
    Raises CommandFailed naming every fault."""
    configuration = load(user_dir, environment(), base=base)
    if not isinstance(configuration.outcome, Built):
        raise CommandFailed("\n".join(str(fault) for fault in configuration.outcome), ExitCode.CONFIGURATION)
    for mode, runtime in _set_while_running(user_dir, configuration.priority).items():
        printing.warn(f"in mode {mode}, what was set while it ran stands over this: {', '.join(sorted(runtime))}")
    return configuration, configuration.outcome


def _plain(value: Any) -> Any:
    import msgspec

    return msgspec.to_builtins(value, str_keys=True)


def _key(path: str) -> None:
    if path not in KEYS and path != STRATEGIES:
        near = nearest(path, [*KEYS, STRATEGIES])
        hint = f"; did you mean {near}?" if near else "; `genesis config keys` lists them"
        raise CommandFailed(f"no setting is called {path}{hint}", ExitCode.NOT_FOUND)


def _running(reading: Reading, path: str) -> Any:
    """What the engine that runs here says; None when none does."""
    from genesis.cli.client import Client
    from genesis.cli.failures import NotRunning
    from genesis.edge import run_file

    if reading.port is None and run_file.read(reading.user_dir.run_file) is None:
        return None
    try:
        return Client(reading.user_dir, reading.port).get(path)
    except NotRunning:
        if reading.port is not None:
            raise
        return None


def _tell_hidden(over: Mapping[str, Mapping[str, Any]], path: str) -> None:
    """A start of that mode will not have what was just said."""
    for mode, runtime in over.items():
        if path in runtime:
            value = printing.plain_json(_plain(runtime[path]))
            printing.warn(
                f"but not in mode {mode}: {value} was set there while it ran, and stands over the files; "
                f"set it again when it runs"
            )


@config.command
def keys(
    word: Annotated[str, Parameter(help="Only keys whose name or meaning holds this word.")] = "",
    /,
    *,
    reading: Reading | None = None,
) -> None:
    """Every key: type, default, range, unit, meaning, and whether a change takes a restart."""
    reading = reading or Reading()
    chosen = [key for key in KEYS.values() if word.lower() in f"{key.path} {key.meaning}".lower()]
    if reading.json:
        printing.print_json([_key_row(key) for key in chosen])
        return
    printing.table(
        "settings",
        ("key", "default", "range", "unit", "takes effect", "meaning"),
        (
            (key.path, printing.plain_json(_plain(key.default)), key.range_text, key.unit, key.applies, key.meaning)
            for key in chosen
        ),
    )


def _key_row(key: Key) -> dict[str, Any]:
    return {
        "key": key.path,
        "type": key.kind.value,
        "default": _plain(key.default),
        "unit": key.unit,
        "low": None if key.low is None else str(key.low),
        "high": None if key.high is None else str(key.high),
        "choices": list(key.choices),
        "meaning": key.meaning,
        "applies": key.applies.value,
        "scope": key.scope.value,
        "environment": key.environment,
        "alias": key.alias,
    }


@config.command
def get(path: str, /, *, reading: Reading | None = None) -> None:
    """The value of one key: of the engine that runs here, else as the next start would have it."""
    reading = reading or Reading()
    _key(path)
    running = _running(reading, f"/config/{path}")
    if running is not None:
        value = running["value"]
        if reading.json:
            printing.print_json({"key": path, "value": value})
        else:
            print(value if isinstance(value, str) else printing.plain_json(value))
        return
    _, built = in_force(reading.user_dir)
    value = _plain(built.effective[path].value)
    if reading.json:
        printing.print_json({"key": path, "value": value})
    else:
        print(value if isinstance(value, str) else printing.plain_json(value))


def _effective_row(each: Effective) -> dict[str, Any]:
    hidden = [{"layer": layer, "value": _plain(value)} for layer, value in each.hidden]
    return {"key": each.path, "value": _plain(each.value), "layer": each.layer, "hidden": hidden}


@config.command
def effective(*, reading: Reading | None = None) -> None:
    """Each key's value, the layer it comes from, and what that hid: of the engine that runs here, else of a start."""
    reading = reading or Reading()
    running = _running(reading, "/config/effective")
    if running is None:
        _, built = in_force(reading.user_dir)
        rows = [_effective_row(each) for _, each in sorted(built.effective.items())]
    else:
        rows = [{name: row[name] for name in ("key", "value", "layer", "hidden")} for row in running["values"]]
    if reading.json:
        printing.print_json(rows)
        return
    printing.table(
        "settings in force",
        ("key", "value", "from", "hides"),
        (
            (
                row["key"],
                printing.plain_json(row["value"]),
                row["layer"],
                ", ".join(f"{each['layer']}: {printing.plain_json(each['value'])}" for each in row["hidden"]),
            )
            for row in rows
        ),
    )


@config.command
def validate(*, reading: Reading | None = None) -> None:
    """Check files and environment; every fault is told at once, and the exit code is 4."""
    reading = reading or Reading()
    configuration = load(reading.user_dir, environment())
    if isinstance(configuration.outcome, Built):
        if reading.json:
            printing.print_json({"valid": True, "faults": []})
        else:
            layers = ", ".join(layer.name for layer in configuration.layers)
            print(f"valid: {layers}")
        return
    faults = configuration.outcome
    if reading.json:
        printing.print_json(
            {
                "valid": False,
                "faults": [
                    {"path": f.path, "must_be": f.must_be, "was": f.was, "layer": f.layer, "hint": f.hint}
                    for f in faults
                ],
            }
        )
        raise CommandFailed(f"{len(faults)} faults", ExitCode.CONFIGURATION)
    raise CommandFailed("\n".join(str(fault) for fault in faults), ExitCode.CONFIGURATION)


@config.command(name="set")
def set_(
    path: str,
    value: str,
    /,
    *,
    file: Annotated[bool, Parameter(negative="", help="Write the file, although an engine runs here.")] = False,
    reason: Annotated[str, Parameter(help="Why; it stands in the history.")] = "asked on the command line",
    version: Annotated[int | None, Parameter(help="Only if this is the version in force.")] = None,
    reading: Reading | None = None,
) -> None:
    """Set one key: on the engine that runs here, else in its file, after checking it together with everything else."""
    from genesis.cli.config_releases import set_running

    reading = reading or Reading()
    _key(path)
    if not file and set_running(reading, path, _from_text(path, value), reason, version):
        return
    user_dir = reading.user_dir
    user_dir.create()
    section, dot, name = path.partition(".")
    document = user_dir.config / (f"{section}.json" if dot or path == STRATEGIES else f"{WHOLE_TREE}.json")
    try:
        content = config_files.read(document).content if document.exists() else {}
    except config_files.DocumentError as error:
        raise CommandFailed(str(error), ExitCode.CONFIGURATION) from None
    if path == STRATEGIES:
        content = _from_text(path, value)
    elif not isinstance(content, dict):
        raise CommandFailed(f"{document} must be an object, was something else", ExitCode.CONFIGURATION)
    else:
        content[name if dot else path] = _from_text(path, value)
    # The same check as at a start, with the new document laid over what the files say now.
    layer = layer_of_tree(f"config/{document.name}", content, section=section if dot or path == STRATEGIES else None)
    before = load(user_dir, environment())
    outcome = build([*(each for each in before.layers if each.name != layer.name), layer])
    if not isinstance(outcome, Built):
        raise CommandFailed("\n".join(str(fault) for fault in outcome), ExitCode.CONFIGURATION)
    try:
        config_files.replace(document, content)
    except config_files.DocumentError as error:
        raise CommandFailed(str(error)) from None
    after = load(user_dir, environment()).outcome
    shown = _plain(after.effective[path].value) if isinstance(after, Built) else _plain(content)
    over = _set_while_running(user_dir, before.priority)
    if reading.json:
        printing.print_json({"key": path, "value": shown, "file": str(document)})
        _tell_hidden(over, path)
        return
    print(f"{path} = {printing.plain_json(shown)}  ({document}; in force at the next start)")
    if isinstance(after, Built) and after.effective[path].layer != layer.name:
        print(f"but {after.effective[path].layer} hides it")
    _tell_hidden(over, path)


def _from_text(path: str, text: str) -> Any:
    value, faults = read_text(path, text)
    if faults:
        raise CommandFailed("\n".join(str(fault) for fault in faults), ExitCode.CONFIGURATION)
    return value
