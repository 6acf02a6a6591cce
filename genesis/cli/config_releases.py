"""`genesis config history|diff|snapshot|rollback|flag|rollout|audit`: settings as releases, on the running engine.

What only looks at history works without an engine, too: it then reads the newest journal of the user directory, or the
one of `--mode`.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from genesis.cli import printing, shadow
from genesis.cli.controls import Reason, who
from genesis.cli.failures import CommandFailed, NotRunning, Starting
from genesis.cli.options import Reading
from genesis.domain.settings_build import read_text
from genesis.edge.user_dir import UserDir
from genesis.run_options import ExitCode, Mode

ModeOf = Annotated[Mode | None, Parameter(help="Read this mode's journal instead of asking the engine.")]
Symbols = Annotated[tuple[str, ...], Parameter(help="Only these symbols; commas between several.", negative="")]
Strategies = Annotated[tuple[str, ...], Parameter(help="Only these strategies; commas between several.", negative="")]
Percent = Annotated[int, Parameter(help="Only so many in a hundred pairs of symbol and strategy.")]

rollout = App(name="rollout", help="Try a change on a part of the trading or as a shadow, by a metric.")
flag = App(name="flag", help="Feature flags: named values for all of the trading or for a part of it.")


def post(reading: Reading, path: str, body: Mapping[str, object], *, admin: bool = True) -> None:
    """Ask the engine for a change and say what came of it."""
    answer = _client(reading, admin=admin, trade=True).post(path, body)
    _said(reading, answer)


def _client(reading: Reading, *, admin: bool = False, trade: bool = False) -> Any:
    from genesis.cli.client import Client
    from web.tokens import Scope

    scope = Scope.ADMIN if admin else Scope.TRADE if trade else Scope.READ
    return Client(reading.user_dir, reading.port, scope=scope, subject=who())


def _said(reading: Reading, answer: Any) -> None:
    if reading.json:
        printing.print_json(answer)
    else:
        print(answer["message"])


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


# --- history ------------------------------------------------------------------------------------------------------


def _database(user_dir: UserDir, mode: Mode | None) -> tuple[Path, Mode]:
    """The journal that was asked for, else the newest one. Raises CommandFailed when there is none."""
    wanted = [mode] if mode is not None else list(Mode)
    found = [(user_dir.database(each.value), each) for each in wanted if user_dir.database(each.value).exists()]
    if not found:
        raise CommandFailed(f"no journal is in {user_dir.root}", ExitCode.NOT_FOUND)
    return max(found, key=lambda each: each[0].stat().st_mtime)


def _from_journal(reading: Reading, mode: Mode | None, read: Callable[[Path, Path], Any]) -> Any:
    from genesis.config_history import audit_path
    from genesis.edge.store_errors import StoreError

    database, found = _database(reading.user_dir, mode)
    try:
        return read(database, audit_path(reading.user_dir, found.value))
    except StoreError as error:
        raise CommandFailed(" ".join(str(error).split())) from None


def history(
    *,
    limit: Annotated[int, Parameter(help="So many versions, newest first.")] = 20,
    verify: Annotated[bool, Parameter(negative="", help="Look for rows that were edited, removed or cut.")] = False,
    audit: Annotated[bool, Parameter(negative="", help="Show the audit trail instead of the versions.")] = False,
    mode: ModeOf = None,
    reading: Reading | None = None,
) -> int:
    """Versions of the settings: who changed what, when and why."""
    import msgspec

    from genesis import config_history

    reading = reading or Reading()
    if verify:
        report = msgspec.to_builtins(_from_journal(reading, mode, config_history.verify))
        return _show_report(reading, report)
    if audit:
        entries = _from_journal(reading, mode, lambda database, _: config_history.trail(database, limit))
        _show_trail(reading, msgspec.to_builtins(entries))
        return ExitCode.OK
    rows = _from_journal(reading, mode, lambda database, _: config_history.versions(database, limit))
    plain = [
        {name: value for name, value in row.items() if name not in ("settings", "runtime", "flags")}
        for row in msgspec.to_builtins(rows)
    ]
    if reading.json:
        printing.print_json(plain)
        return ExitCode.OK
    printing.table(
        "versions of the settings",
        ("version", "time", "who", "what", "changed", "why"),
        (
            (
                str(row["version"]),
                _time(row["at_ms"]),
                row["author"],
                row["action"],
                ", ".join(row["changed"]),
                row["reason"],
            )
            for row in plain
        ),
    )
    return ExitCode.OK


def _show_report(reading: Reading, report: Mapping[str, Any]) -> int:
    if reading.json:
        printing.print_json(dict(report))
    elif not report["faults"]:
        lines = report["file_lines"]
        file = "no audit file" if lines is None else f"{lines} lines in the audit file"
        print(f"whole: {report['versions']} versions, {report['audit_lines']} audit lines, {file}")
    if report["faults"]:
        raise CommandFailed("\n".join(report["faults"]))
    return ExitCode.OK


def _show_trail(reading: Reading, entries: Sequence[Mapping[str, Any]]) -> None:
    if reading.json:
        printing.print_json(list(entries))
        return
    printing.table(
        "audit trail",
        ("line", "time", "who", "what", "outcome", "version", "why"),
        (
            (
                str(entry["seq"]),
                _time(entry["at_ms"]),
                entry["actor"],
                entry["action"],
                entry["outcome"],
                str(entry["version"]),
                entry["text"],
            )
            for entry in entries
        ),
    )


def diff(
    old: Annotated[int, Parameter(help="A version.")],
    new: Annotated[int | None, Parameter(help="Another; the newest when not given.")] = None,
    /,
    *,
    mode: ModeOf = None,
    reading: Reading | None = None,
) -> None:
    """What differs between two versions, as JSON Patch (RFC 6902)."""
    from genesis import config_history
    from genesis.domain.release_chain import diff as patch_of
    from genesis.domain.release_chain import document_of

    reading = reading or Reading()

    def read(database: Path, _: Path) -> tuple[dict[str, Any], ...]:
        newest = config_history.versions(database, 1)
        numbers = (old, new if new is not None else newest[0].version if newest else 0)
        found = [config_history.version(database, number) for number in numbers]
        for number, told in zip(numbers, found, strict=True):
            if told is None:
                raise CommandFailed(f"there is no settings version {number}", ExitCode.NOT_FOUND)
        return patch_of(document_of(found[0]), document_of(found[1]))

    patch = _from_journal(reading, mode, read)
    if reading.json:
        printing.print_json(list(patch))
        return
    for operation in patch:
        value = printing.plain_json(operation["value"]) if "value" in operation else ""
        print(f"{operation['op']:8} {operation['path'].strip('/').replace('/', '.')} {value}".rstrip())
    if not patch:
        print("the same")


# --- changing -----------------------------------------------------------------------------------------------------


def snapshot(
    name: Annotated[str | None, Parameter(help="What the version in force shall be called; none lists them.")] = None,
    /,
    *,
    reason: Reason = "asked on the command line",
    reading: Reading | None = None,
) -> None:
    """Give the version in force a name to go back to, or list the names."""
    reading = reading or Reading()
    if name is not None:
        post(reading, "/config/snapshots", {"name": name, "reason": reason}, admin=False)
        return
    rows = _client(reading).get("/config/snapshots")["snapshots"]
    if reading.json:
        printing.print_json(rows)
        return
    printing.table(
        "snapshots",
        ("name", "version", "time", "who", "why"),
        ((row["name"], str(row["version"]), _time(row["at_ms"]), row["author"], row["reason"]) for row in rows),
    )


def rollback(
    to: Annotated[str, Parameter(help="A version's number or a snapshot's name.")],
    /,
    *,
    reason: Reason = "asked on the command line",
    reading: Reading | None = None,
) -> None:
    """Set what was set while running as it was then; it makes a new version."""
    body: dict[str, object] = {"version": int(to)} if to.isascii() and to.isdigit() else {"snapshot": to}
    post(reading or Reading(), "/config/rollback", {**body, "reason": reason})


def audit(text: str, /, *, reading: Reading | None = None) -> None:
    """Put a note of your own into the audit trail."""
    reading = reading or Reading()
    _said(reading, _client(reading, trade=True).post("/config/audit", {"text": text}, api=""))


def _changes(pairs: Sequence[str]) -> dict[str, Any]:
    """`risk.stop_fraction=0.02` and its like. Raises CommandFailed naming every fault."""
    changes: dict[str, Any] = {}
    faults: list[str] = []
    for pair in pairs:
        path, equals, text = pair.partition("=")
        if not equals:
            faults.append(f"{pair[:60]} must be KEY=VALUE")
            continue
        if path.strip() in changes:
            faults.append(f"{path.strip()[:60]} must be given once, was given again")
        value, found = read_text(path.strip(), text.strip())
        faults += [str(fault) for fault in found]
        changes[path.strip()] = value
    if faults:
        raise CommandFailed("\n".join(faults), ExitCode.CONFIGURATION)
    return changes


def _apart(names: Sequence[str]) -> list[str]:
    """Several names, each by its own option or with commas between, as the page takes them."""
    return [name for each in names for one in each.split(",") if (name := one.strip())]


@flag.command(name="set")
def set_flag(
    name: str,
    /,
    *changes: Annotated[str, Parameter(help="KEY=VALUE, as often as needed.")],
    symbols: Symbols = (),
    strategies: Strategies = (),
    percent: Percent = 100,
    off: Annotated[bool, Parameter(negative="", help="Keep it without letting it act.")] = False,
    meaning: Annotated[str, Parameter(help="What it is for.")] = "",
    reason: Reason = "asked on the command line",
    reading: Reading | None = None,
) -> None:
    """Put a feature flag."""
    body = {
        "name": name,
        "values": _changes(changes),
        "enabled": not off,
        "symbols": _apart(symbols),
        "strategies": _apart(strategies),
        "percent": percent,
        "meaning": meaning,
        "reason": reason,
    }
    post(reading or Reading(), "/config/flags", body)


@flag.command(name="remove")
def remove_flag(name: str, /, *, reading: Reading | None = None) -> None:
    """Take a feature flag away."""
    reading = reading or Reading()
    _said(reading, _client(reading, admin=True).delete(f"/config/flags/{name}"))


@flag.command(name="list")
def list_flags(*, reading: Reading | None = None) -> None:
    """The feature flags there are."""
    reading = reading or Reading()
    rows = _client(reading).get("/config/flags")["flags"]
    if reading.json:
        printing.print_json(rows)
        return
    printing.table(
        "feature flags",
        ("name", "on", "values", "for", "meaning"),
        (
            (
                row["name"],
                "on" if row["enabled"] else "off",
                printing.plain_json(row["values"]),
                _target(row),
                row["meaning"],
            )
            for row in rows
        ),
    )


def _target(row: Mapping[str, Any]) -> str:
    parts = [", ".join(row["symbols"]), ", ".join(row["strategies"])]
    parts += [] if row["percent"] == 100 else [f"{row['percent']} %"]
    return "; ".join(part for part in parts if part) or "everything"


@rollout.command(name="start")
def start_rollout(
    name: str,
    /,
    *changes: Annotated[str, Parameter(help="KEY=VALUE, as often as needed.")],
    symbols: Symbols = (),
    strategies: Strategies = (),
    percent: Percent = 100,
    as_shadow: Annotated[
        bool, Parameter(name="--shadow", negative="", help="Judge beside the live settings; decide nothing.")
    ] = False,
    metric: Annotated[
        str, Parameter(help="refusal_rate, error_rate, slippage_bps, drawdown, loss or losing_trades.")
    ] = "refusal_rate",
    threshold: Annotated[float, Parameter(help="The metric may be so much at most.")] = 0.5,
    against_control: Annotated[
        bool, Parameter(negative="", help="The threshold is for the difference to the rest of the trading.")
    ] = False,
    duration: Annotated[float, Parameter(help="Seconds of the venue's time until it is promoted.")] = 3600.0,
    min_samples: Annotated[int, Parameter(help="Decisions that it takes to be proven.")] = 10,
    reason: Reason = "asked on the command line",
    reading: Reading | None = None,
) -> None:
    """Try a change; it is promoted or taken back by itself, with the reason."""
    body = {
        "name": name,
        "changes": _changes(changes),
        "symbols": _apart(symbols),
        "strategies": _apart(strategies),
        "percent": percent,
        "shadow": as_shadow,
        "metric": metric,
        "threshold": threshold,
        "against_control": against_control,
        "duration_s": duration,
        "min_samples": min_samples,
        "reason": reason,
    }
    post(reading or Reading(), "/config/rollout", body)


@rollout.command(name="status")
def rollout_status(*, reading: Reading | None = None) -> None:
    """How the rollout does, or how the last one ended."""
    reading = reading or Reading()
    told = _client(reading).get("/config/rollout")
    if reading.json:
        printing.print_json(told)
        return
    status = told["status"]
    if status is None:
        none = "no rollout since the engine's start; `genesis config history` tells how those before ended"
        print(none if told["rollout"] is None else f"{told['rollout']['plan']['name']}: just begun")
        return
    plan = status["rollout"]["plan"]
    if status["paper"] is not None:
        shadow.tell(told)
        return
    value = "nothing yet" if status["value"] is None else f"{status['value']:.4g}"
    control = "" if status["control"] is None else f", elsewhere {status['control']:.4g}"
    print(f"{plan['name']}: {printing.plain_json(plan['changes'])} for {_target(plan)}{' (shadow)' * plan['shadow']}")
    print(f"{plan['metric']} {value} of at most {plan['threshold']:g}{control}; {status['samples']} samples")
    print(status["verdict"] or f"until {_time(status['ends_ms'])} of the venue's time")


@rollout.command
def promote(*, reason: Reason = "asked on the command line", reading: Reading | None = None) -> None:
    """Make the candidate everybody's settings now."""
    post(reading or Reading(), "/config/rollout/promote", {"reason": reason})


@rollout.command
def revert(*, reason: Reason = "asked on the command line", reading: Reading | None = None) -> None:
    """Take the candidate back now."""
    post(reading or Reading(), "/config/rollout/revert", {"reason": reason}, admin=False)


def set_running(reading: Reading, path: str, value: Any, reason: str, version: int | None) -> bool:
    """Set a key on the running engine; False when none runs here."""
    from genesis.edge import run_file

    if reading.port is None and run_file.read(reading.user_dir.run_file) is None:
        return False
    body: dict[str, object] = {"value": value, "reason": reason}
    if version is not None:
        body["expected_version"] = version
    try:
        post(reading, f"/config/{path}", body)
    except Starting:
        # It has read its files already: what is written into them now would hold from its next start on.
        raise
    except NotRunning:
        if reading.port is not None:
            raise
        return False
    return True
