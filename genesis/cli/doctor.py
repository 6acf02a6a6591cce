"""`genesis doctor`: looks at everything a start needs, and says what to do about what is not well."""

import importlib.util
import os
import shutil
import socket
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Final

import attrs
from cyclopts import Parameter

from genesis.cli import printing
from genesis.cli.failures import CommandFailed
from genesis.cli.findings import Finding
from genesis.cli.options import Reading, environment
from genesis.configuration import load
from genesis.domain.settings_build import Built
from genesis.edge import run_file
from genesis.edge.confine import landlock_version, what_is_missing
from genesis.edge.errors import SecretRefused
from genesis.edge.user_dir import UserDir
from genesis.environment import with_secrets
from genesis.run_options import ExitCode, Mode
from protocols.settings import Settings

LEAST_FREE_BYTES: Final = 1_000_000_000
KEYS: Final = ("BITFINEX_API_KEY", "BITFINEX_API_SECRET")
OLDEST_PYTHON: Final = (3, 11)
EXTRAS: Final = {
    "numba": ("fast", "backtest kernels run in plain Python"),
    "coredis": ("redis", "no configuration bus"),
    "sklearn": ("ml", "models cannot be trained"),
    "optuna": ("cluster", "no parameter search"),
    "plotly": ("report", "no HTML reports"),
}


def doctor(
    *,
    offline: Annotated[bool, Parameter(negative="", help="Ask nobody over the network.")] = False,
    reading: Reading | None = None,
) -> int:
    """Check this installation, its user directory, the venue and the key, and say what to do.

    Exit code 4 when something keeps the engine from starting.
    """
    reading = reading or Reading()
    found = list(findings(reading.user_dir))
    configuration = load(reading.user_dir, environment())
    if not offline and isinstance(configuration.outcome, Built):
        from genesis.cli.doctor_online import online

        found += online(reading.user_dir, configuration.outcome.settings, configuration.environment)
    if reading.json:
        printing.print_json([attrs.asdict(each) for each in found])
    else:
        printing.table(
            "doctor",
            ("what", "", "seen", "do"),
            ((each.name, each.level, each.detail, each.advice) for each in found),
        )
    bad = [each for each in found if each.level == "bad"]
    if bad:
        raise CommandFailed(f"{len(bad)} of {len(found)} checks failed", ExitCode.CONFIGURATION)
    return ExitCode.OK


def findings(user_dir: UserDir) -> Iterator[Finding]:
    yield _python()
    yield from _extras()
    yield _confinement()
    yield from _directory(user_dir)
    yield _disk(user_dir)
    yield from _secrets(user_dir)
    configuration = load(user_dir, environment())
    if isinstance(configuration.outcome, Built):
        yield Finding(name="settings", level="ok", detail=f"{len(configuration.layers)} layers, no fault")
        yield _port(user_dir, configuration.outcome.settings)
        yield _host(configuration.outcome.settings)
    else:
        for fault in configuration.outcome:
            yield Finding(name="settings", level="bad", detail=str(fault), advice="correct it")
    yield from _strategies(user_dir)
    yield _keys(user_dir, configuration.environment)
    for mode in Mode:
        if user_dir.database(mode).exists():
            yield _database(user_dir.database(mode))


def _python() -> Finding:
    seen = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] < OLDEST_PYTHON:
        return Finding(name="python", level="bad", detail=seen, advice="install Python 3.11 or newer")
    if not is_optimised(sysconfig.get_config_var("CONFIG_ARGS"), sys.base_prefix):
        advice = "nothing; one built with --enable-optimizations takes 6 to 20 % less of the processor"
        return Finding(name="python", level="ok", detail=f"{seen}, built without optimisation", advice=advice)
    return Finding(name="python", level="ok", detail=seen)


def is_optimised(configured: str | None, prefix: str) -> bool:
    """Whether an interpreter was built by its own profile, as far as it tells: pyenv and the like leave that out.

    A distribution's own is, and does not always say so; neither does one that was not made by configure.
    """
    return not configured or prefix == "/usr" or "--enable-optimizations" in configured


def _extras() -> Iterator[Finding]:
    for module, (extra, without) in EXTRAS.items():
        if importlib.util.find_spec(module) is None:
            advice = f"pip install genesis-engine[{extra}]"
            yield Finding(name=f"extra {extra}", level="warn", detail=without, advice=advice)
        else:
            yield Finding(name=f"extra {extra}", level="ok", detail="present")


def _confinement() -> Finding:
    """Whether a strategy file's process can be kept from keys and network."""
    missing = what_is_missing()
    name = "strategies' processes"
    if missing:
        advice = "run only strategy files that you trust, or a Linux kernel from 5.13 on"
        return Finding(name=name, level="warn", detail="; ".join(missing), advice=advice)
    detail = f"confined: Landlock version {landlock_version()}, seccomp filter"
    return Finding(name=name, level="ok", detail=detail)


def _directory(user_dir: UserDir) -> Iterator[Finding]:
    root = user_dir.root
    if not root.exists():
        yield Finding(name="user directory", level="ok", detail=f"{root} will be made at the first start")
        return
    if not root.is_dir() or not os.access(root, os.W_OK | os.X_OK):
        advice = "give another --data-dir, or its permissions back"
        yield Finding(name="user directory", level="bad", detail=f"{root} cannot be written", advice=advice)
        return
    yield Finding(name="user directory", level="ok", detail=str(root))
    running = run_file.read(user_dir.run_file)
    if running is not None:
        detail = f"process {running.pid}, mode {running.mode}, {running.address}"
        if _is_alive(running):
            yield Finding(name="running engine", level="ok", detail=detail)
        else:
            advice = "nothing; the next start recovers"
            yield Finding(name="running engine", level="warn", detail=f"{detail}: ended without a word", advice=advice)


def _is_alive(engine: run_file.RunFile) -> bool:
    return Path(f"/proc/{engine.pid}").exists() or not Path("/proc").exists()


def _strategies(user_dir: UserDir) -> Iterator[Finding]:
    """The user's own strategy files; nothing where there are none."""
    from genesis.domain.strategies.probability_gated import NAME as GATED
    from genesis.user_strategies import user_strategies

    name, own = "strategies", user_strategies(user_dir.strategies)
    kinds = [kind for kind in own.kinds.values() if kind.name != GATED]
    faults = [own.folder_fault, *(kind.fault for kind in kinds)]
    own.close()
    for fault in filter(None, faults):
        yield Finding(name=name, level="warn", detail=fault, advice="mend or remove it: what names it is off")
    if kinds and not any(faults):
        yield Finding(name=name, level="ok", detail=f"{len(kinds)} files of your own, each can be used")


def _disk(user_dir: UserDir) -> Finding:
    folder = next(path for path in (user_dir.root, *user_dir.root.parents) if path.exists())
    free = shutil.disk_usage(folder).free
    if free < LEAST_FREE_BYTES:
        advice = "make room: the journal stops the engine when it cannot be written"
        return Finding(name="disk", level="bad", detail=f"{free / 1e9:.1f} GB free", advice=advice)
    return Finding(name="disk", level="ok", detail=f"{free / 1e9:.1f} GB free")


def _secrets(user_dir: UserDir) -> Iterator[Finding]:
    loose = user_dir.loose_secrets()
    for path in loose:
        yield Finding(name="secrets", level="bad", detail=f"{path} is open to others", advice=f"chmod 600 {path}")
    dotenv = user_dir.root / ".env"
    if dotenv.is_file() and dotenv.stat().st_mode & 0o077:
        yield Finding(name="secrets", level="warn", detail=f"{dotenv} is open to others", advice=f"chmod 600 {dotenv}")
    if not loose:
        yield Finding(name="secrets", level="ok", detail="for their owner only")


def _keys(user_dir: UserDir, given: Mapping[str, str]) -> Finding:
    """Whether both halves of the key are found where a live start looks for them."""
    try:
        found = with_secrets(given, KEYS, user_dir)
    except SecretRefused as error:
        return Finding(name="exchange keys", level="bad", detail=str(error), advice="a live start ends with this")
    missing = [name for name in KEYS if not found.get(name)]
    if len(missing) == len(KEYS):
        return Finding(name="exchange keys", level="ok", detail="none: modes sim and paper only")
    if missing:
        advice = "docs/keys.md says where it is looked for"
        return Finding(name="exchange keys", level="warn", detail=f"{missing[0]} is missing", advice=advice)
    return Finding(name="exchange keys", level="ok", detail="given")


def _port(user_dir: UserDir, settings: Settings) -> Finding:
    host, port = settings.web.host, settings.web.port
    running = run_file.read(user_dir.run_file)
    if running is not None and not _is_alive(running):
        running = None
    if running is not None and running.address.endswith(f":{port}"):
        return Finding(name="port", level="ok", detail=f"{port} is this directory's engine's")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            detail = f"{host}:{port}: {error.strerror}"
            if running is not None:
                detail += f"; this directory's engine is at {running.address}"
                advice = "nothing now; give the next start its --port again, or set web.port"
                return Finding(name="port", level="warn", detail=detail, advice=advice)
            advice = "stop what listens there, or start with --port 0"
            return Finding(name="port", level="bad", detail=detail, advice=advice)
    return Finding(name="port", level="ok", detail=f"{host}:{port} is free")


def _host(settings: Settings) -> Finding:
    if settings.web.host in ("127.0.0.1", "::1", "localhost"):
        return Finding(name="listening", level="ok", detail="on this machine only")
    advice = "put a proxy with TLS before it, or set web.host to 127.0.0.1"
    return Finding(name="listening", level="warn", detail=f"on {settings.web.host}, without TLS", advice=advice)


def _database(path: Path) -> Finding:
    from genesis.edge.store import ReadOnlyStore, copy_path
    from genesis.edge.store_errors import StoreCorrupt, StoreError, StoreIncomplete, StoreTooNew
    from genesis.edge.store_layouts import SCHEMA_VERSION

    name = f"journal {path.stem}"
    try:
        with ReadOnlyStore.open(path) as store:
            head, version = store.verify(), store.version()
    except StoreTooNew as error:
        advice = "start the version that wrote it, or restore a backup from before the upgrade"
        return Finding(name=name, level="bad", detail=str(error), advice=advice)
    except (StoreCorrupt, StoreIncomplete) as error:
        restore = "genesis backup restore FOLDER/STAMP"
        advice = f"{restore}, or genesis run --fresh" if path.stem == "sim" else restore
        return Finding(name=name, level="bad", detail=" ".join(str(error).split()), advice=advice)
    except StoreError as error:
        return Finding(name=name, level="bad", detail=str(error), advice="give back its permissions, or its place")
    size = path.stat().st_size
    detail = f"{size / 1e6:.1f} MB, {head.seq} records, each as it was written"
    if version == SCHEMA_VERSION:
        return Finding(name=name, level="ok", detail=detail)
    detail += f"; layout {version}, the next start brings it to {SCHEMA_VERSION}"
    if shutil.disk_usage(path.parent).free < 3 * size:
        advice = f"make room for {3 * size / 1e6:.0f} MB: it is copied first"
        return Finding(name=name, level="bad", detail=detail, advice=advice)
    advice = f"nothing; a copy is kept as {copy_path(path, version).name}"
    return Finding(name=name, level="ok", detail=detail, advice=advice)
