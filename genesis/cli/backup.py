"""`genesis backup`: a verified copy of what an engine keeps, made while it runs, and the way back.

The journal is copied by SQLite's own online backup and its chain is followed in the copy, so a backup that was taken is
a backup that can be read. Secrets are never copied: they belong in another safe than the books.
"""

import contextlib
import datetime
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final

from cyclopts import App, Parameter

from genesis.cli import printing
from genesis.cli.examples import epilogue
from genesis.cli.failures import CommandFailed
from genesis.cli.options import Reading
from genesis.edge.store_errors import StoreError
from genesis.edge.user_dir import UserDir
from genesis.run_options import ExitCode

MODES: Final = ("sim", "paper", "live")
FOLDERS: Final = ("config", "strategies", "models")
MANIFEST: Final = "backup.json"
FORMAT: Final = 1
FORGOTTEN: Final = """\
  These trades, and the orders and stops of them that still rest at the venue, are a stranger's for the engine from now
  on: it tells them (foreign_order) and leaves them alone, and no strategy sells what was bought. Look at the venue:
  cancel what rests there, and sell by hand what nobody should hold."""

backup = App(
    name="backup",
    help_epilogue=epilogue("backup"),
    help_format="markdown",
    help="A verified copy of what the engine keeps, made while it runs.",
)


@backup.command(name="take")
def take(
    folder: Annotated[Path, Parameter(help="Where backups go; each gets a folder of its own, named by its time.")],
    /,
    *,
    keep: Annotated[int, Parameter(help="Remove the oldest backups there beyond so many; 0 keeps all.")] = 0,
    reading: Reading | None = None,
) -> None:
    """Copy journals, settings, strategies and models; secrets are not copied."""
    from genesis.edge.store import ReadOnlyStore

    reading = reading or Reading()
    user_dir = reading.user_dir
    present = [mode for mode in MODES if user_dir.database(mode).exists()]
    if not present:
        raise CommandFailed(f"{user_dir.root} must hold a journal, held none", ExitCode.NOT_FOUND)
    if keep < 0:
        raise CommandFailed(f"keep must be at least 0, was {keep}", ExitCode.CONFIGURATION)
    stamp = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%SZ")  # noqa: TID251 - a command has no engine's clock
    target, fresh = folder / stamp, folder / f".{stamp}.new"
    journals: dict[str, Any] = {}
    with _told(folder):
        fresh.mkdir(parents=True)
        for mode in present:
            with ReadOnlyStore.open(user_dir.database(mode)) as store:
                head = store.backup(fresh / f"{mode}.sqlite")
            journals[mode] = {"seq": head.seq, "hash": head.hash.hex()}
        for name in FOLDERS:
            source = user_dir.root / name
            if source.is_dir():
                shutil.copytree(source, fresh / name, ignore=shutil.ignore_patterns("__pycache__", ".probe-*"))
        files = {path.relative_to(fresh).as_posix(): _digest(path) for path in _files(fresh)}
        manifest = {"format": FORMAT, "taken": stamp, "journals": journals, "files": files}
        (fresh / MANIFEST).write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n")
        os.replace(fresh, target)
        for old in sorted(path for path in folder.iterdir() if (path / MANIFEST).exists())[: -keep or None]:
            if keep:
                shutil.rmtree(old)
    _say(reading, target, journals)


@backup.command(name="verify")
def verify(
    folder: Annotated[Path, Parameter(help="One backup, as `take` made it.")], /, *, reading: Reading | None = None
) -> None:
    """Read a backup whole: every file's hash, and every journal's chain."""
    _say(reading or Reading(), folder, _verified(folder)["journals"])


@backup.command(name="restore")
def restore(
    folder: Annotated[Path, Parameter(help="One backup, as `take` made it.")],
    /,
    *,
    accept_loss: Annotated[
        bool,
        Parameter(negative="", help="Take it although the journal here goes further: what came after is forgotten."),
    ] = False,
    reading: Reading | None = None,
) -> None:
    """Put a backup into the user directory. The engine must not run; what is there is moved aside, not deleted."""
    from genesis.edge.anchor import read_anchor
    from genesis.edge.store import anchor_path

    reading = reading or Reading()
    user_dir = reading.user_dir
    manifest = _verified(folder)
    user_dir.create()
    with _told(user_dir.root):
        lock = user_dir.hold()
    try:
        for mode, told in manifest["journals"].items():
            here = read_anchor(anchor_path(user_dir.database(mode)))
            if here is not None and here.seq > told["seq"] and not accept_loss:
                raise CommandFailed(
                    f"the journal of mode {mode} here has {here.seq} records, the backup {told['seq']}: what came "
                    "after would be forgotten. Give --accept-loss if that is meant; reconciliation then asks the venue"
                )
        with _told(user_dir.root):
            aside = _move_aside(user_dir, manifest)
            for path in _files(folder):
                name = path.relative_to(folder)
                if name.name == MANIFEST:
                    continue
                place = user_dir.root / name
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(path, place)
                place.chmod(0o600)
    finally:
        lock.release()
    forgotten = {mode: _traded_since(aside / f"{mode}.sqlite", told["seq"]) for mode, told in _journals(manifest)}
    if reading.json:
        told = {"restored": str(folder), "aside": str(aside), "journals": manifest["journals"]}
        printing.print_json(told | {"forgotten": forgotten})
        return
    print(f"restored {folder}; what was there is in {aside}")
    for mode, traded in forgotten.items():
        if traded:
            print(f"forgotten of mode {mode}: {', '.join(f'{amount} {name}' for name, amount in traded.items())}")
            print(FORGOTTEN)
        elif traded is None:
            print(f"what mode {mode} traded after the backup cannot be told: its journal could not be read")


def _journals(manifest: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return list(manifest["journals"].items())


def _traded_since(journal: Path, seq: int) -> dict[str, str] | None:
    """What that journal's trades after a record bought (sold: below zero) on the whole, by symbol, before fees.

    None when it cannot be read: it may be the reason why somebody restores.
    """
    from genesis.tax_desk import fills_of
    from protocols.units import ZERO, Side, plain

    if not journal.exists():
        return {}
    try:
        fills = fills_of(journal, after_seq=seq)
    except StoreError:
        return None
    moved = dict.fromkeys((str(fill.symbol) for fill in fills), ZERO)
    for fill in fills:
        moved[fill.symbol] += fill.quantity if fill.side is Side.BUY else -fill.quantity
    return {symbol: plain(amount) for symbol, amount in sorted(moved.items())}


def _move_aside(user_dir: UserDir, manifest: dict[str, Any]) -> Path:
    number = 1
    while (aside := user_dir.root / "archive" / f"before-restore-{number}").exists():
        number += 1
    aside.mkdir(parents=True)
    for mode in manifest["journals"]:
        for path in user_dir.root.glob(f"{mode}.sqlite*"):
            os.replace(path, aside / path.name)
    for name in FOLDERS:
        if (user_dir.root / name).exists():
            os.replace(user_dir.root / name, aside / name)
    return aside


def _verified(folder: Path) -> dict[str, Any]:
    from genesis.edge.store import ReadOnlyStore

    path = folder / MANIFEST
    try:
        manifest: dict[str, Any] = json.loads(path.read_text())
        if manifest["format"] != FORMAT:
            raise CommandFailed(f"format of {path} must be {FORMAT}, was {manifest['format']}")
        files, journals = dict(manifest["files"]), dict(manifest["journals"])
    except FileNotFoundError:
        raise CommandFailed(f"{folder} must be a backup, had no {MANIFEST}", ExitCode.NOT_FOUND) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CommandFailed(f"{path} must be readable, was not: {error}") from None
    there = {each.relative_to(folder).as_posix() for each in _files(folder)} - {MANIFEST}
    # A journal that somebody looked at may have left an empty log of SQLite's beside it.
    there = {name for name in there if not name.endswith(("-wal", "-shm"))}
    if there != set(files):
        differing = ", ".join(sorted(there ^ set(files))[:5])
        raise CommandFailed(f"{folder} must hold the files of its list, differed in {differing}")
    for name, digest in files.items():
        if name.endswith(".sqlite"):
            continue
        if _digest(folder / name) != digest:
            raise CommandFailed(f"{folder / name} must be as it was taken, was changed")
    for mode, told in journals.items():
        try:
            with ReadOnlyStore.open(folder / f"{mode}.sqlite") as store:
                head = store.verify()
        except StoreError as error:
            raise CommandFailed(str(error)) from None
        if (head.seq, head.hash.hex()) != (told["seq"], told["hash"]):
            raise CommandFailed(f"journal {mode} must end at record {told['seq']}, ended at {head.seq}")
    return manifest


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink())


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def _told(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        where = error.filename or folder
        raise CommandFailed(f"{where} must be writable, was not: {error.strerror}") from None
    except StoreError as error:
        raise CommandFailed(str(error)) from None


def _say(reading: Reading, target: Path, journals: dict[str, Any]) -> None:
    if reading.json:
        printing.print_json({"backup": str(target), "journals": journals})
    else:
        told = ", ".join(f"{mode} {one['seq']} records" for mode, one in journals.items())
        print(f"{target}: whole and verified ({told})")
