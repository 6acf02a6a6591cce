"""`genesis config`: what can be set, what is in force and why, and setting it in the files."""

from typing import Annotated, Any

from cyclopts import App, Parameter

from genesis.cli import printing
from genesis.cli.failures import CommandFailed
from genesis.cli.options import Reading, environment
from genesis.configuration import WHOLE_TREE, Configuration, load
from genesis.domain.config_keys import KEYS, STRATEGIES, Key, nearest
from genesis.domain.settings_build import Built, Effective, Layer, build, layer_of_tree, read_text
from genesis.edge import config_files
from genesis.edge.user_dir import UserDir
from genesis.run_options import ExitCode

config = App(name="config", help="What can be set, what is in force, and setting it.")


def in_force(user_dir: UserDir, *, base: Layer | None = None) -> tuple[Configuration, Built]:
    """The settings as the next start would have them. Raises CommandFailed naming every fault."""
    configuration = load(user_dir, environment(), base=base)
    if not isinstance(configuration.outcome, Built):
        raise CommandFailed("\n".join(str(fault) for fault in configuration.outcome), ExitCode.CONFIGURATION)
    return configuration, configuration.outcome


def _plain(value: Any) -> Any:
    import msgspec

    return msgspec.to_builtins(value, str_keys=True)


def _key(path: str) -> None:
    if path not in KEYS and path != STRATEGIES:
        near = nearest(path, [*KEYS, STRATEGIES])
        hint = f"; did you mean {near}?" if near else "; `genesis config keys` lists them"
        raise CommandFailed(f"no setting is called {path}{hint}", ExitCode.NOT_FOUND)


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
    """The value of one key."""
    reading = reading or Reading()
    _key(path)
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
    """Each key's value, the layer it comes from, and what that hid."""
    reading = reading or Reading()
    _, built = in_force(reading.user_dir)
    rows = [_effective_row(each) for _, each in sorted(built.effective.items())]
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
def set_(path: str, value: str, /, *, reading: Reading | None = None) -> None:
    """Write one key into its file, after checking it together with everything else. A running engine keeps its own."""
    reading = reading or Reading()
    _key(path)
    user_dir = reading.user_dir
    user_dir.create()
    section, dot, name = path.partition(".")
    file = user_dir.config / (f"{section}.json" if dot or path == STRATEGIES else f"{WHOLE_TREE}.json")
    try:
        content = config_files.read(file).content if file.exists() else {}
    except config_files.DocumentError as error:
        raise CommandFailed(str(error), ExitCode.CONFIGURATION) from None
    if path == STRATEGIES:
        content = _from_text(path, value)
    elif not isinstance(content, dict):
        raise CommandFailed(f"{file} must be an object, was something else", ExitCode.CONFIGURATION)
    else:
        content[name if dot else path] = _from_text(path, value)
    # The same check as at a start, with the new document laid over what the files say now.
    layer = layer_of_tree(f"config/{file.name}", content, section=section if dot or path == STRATEGIES else None)
    before = load(user_dir, environment())
    outcome = build([*(each for each in before.layers if each.name != layer.name), layer])
    if not isinstance(outcome, Built):
        raise CommandFailed("\n".join(str(fault) for fault in outcome), ExitCode.CONFIGURATION)
    try:
        config_files.replace(file, content)
    except config_files.DocumentError as error:
        raise CommandFailed(str(error)) from None
    after = load(user_dir, environment()).outcome
    shown = _plain(after.effective[path].value) if isinstance(after, Built) else _plain(content)
    if reading.json:
        printing.print_json({"key": path, "value": shown, "file": str(file)})
        return
    print(f"{path} = {printing.plain_json(shown)}  ({file}; in force at the next start)")
    if isinstance(after, Built) and after.effective[path].layer != layer.name:
        print(f"but {after.effective[path].layer} hides it")


def _from_text(path: str, text: str) -> Any:
    value, faults = read_text(path, text)
    if faults:
        raise CommandFailed("\n".join(str(fault) for fault in faults), ExitCode.CONFIGURATION)
    return value
