"""The user directory: where one engine keeps everything, readable by its owner only."""

import os
import pwd
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import attrs

from genesis.edge.file_lock import FileLock
from genesis.edge.store_errors import StoreLocked, StoreUnusable

DEFAULT_NAME: Final = "genesis_data"
HOME_VARIABLE: Final = "GENESIS_HOME"
FOLDER_MODE: Final = 0o700
FILE_MODE: Final = 0o600


class UserDirError(Exception):
    """The directory cannot be used; the text is one line that says what must be done."""


class DirectoryInUse(UserDirError):
    """Another process holds the directory; `pid` is its number, None when it has not said it yet."""

    def __init__(self, path: Path, pid: int | None) -> None:
        holder = "another process" if pid is None else f"process {pid}"
        super().__init__(f"{path} must have one engine, {holder} runs on it; stop that one or give another --data-dir")
        self.pid = pid


@attrs.frozen
class UserDir:
    """Paths below `root`. Nothing is made before `create`, so reading commands leave no traces."""

    root: Path

    @classmethod
    def at(cls, given: Path | None, environment: Mapping[str, str]) -> "UserDir":
        """The directory that was asked for, else GENESIS_HOME, else ./genesis_data."""
        home = given if given is not None else Path(environment.get(HOME_VARIABLE) or DEFAULT_NAME)
        return cls(home.expanduser().absolute())

    @property
    def config(self) -> Path:
        return self.root / "config"

    @property
    def strategies(self) -> Path:
        return self.root / "strategies"

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def models(self) -> Path:
        return self.root / "models"

    @property
    def reports(self) -> Path:
        return self.root / "reports"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def secrets(self) -> Path:
        return self.root / "secrets"

    @property
    def keyring(self) -> Path:
        """What signs and proves on the web."""
        return self.secrets / "web.json"

    @property
    def lock(self) -> Path:
        return self.root / "engine.lock"

    @property
    def run_file(self) -> Path:
        """Where the running engine says how it is reached."""
        return self.root / "run.json"

    @property
    def health_file(self) -> Path:
        """Where it says, every few seconds, how it is."""
        return self.root / "health.json"

    def database(self, mode: str) -> Path:
        """`sim`, `paper` and `live` never share one."""
        return self.root / f"{mode}.sqlite"

    @property
    def folders(self) -> tuple[Path, ...]:
        return (
            self.root,
            self.config,
            self.strategies,
            self.data,
            self.models,
            self.reports,
            self.logs,
            self.secrets,
        )

    def check_readable(self) -> None:
        """Raises UserDirError for a directory that is somebody else's: whoever looks into it would find nothing there,
        and say that no engine runs."""
        if self.root.is_dir() and not os.access(self.root, os.R_OK | os.X_OK):
            owner = self.root.stat().st_uid
            raise UserDirError(
                f"{self.root} must be readable, was not: it belongs to user {_name_of(owner)}, be that user"
            )

    def create(self) -> None:
        """Make what is missing and see that it can be written. Raises UserDirError; makes no file that stays."""
        for folder in self.folders:
            try:
                folder.mkdir(mode=FOLDER_MODE, parents=folder == self.root, exist_ok=True)
            except OSError as error:
                raise UserDirError(
                    f"{folder} must be a directory that can be made, was not: {error.strerror}"
                ) from None
            probe = folder / f".probe-{os.getpid()}"
            try:
                os.close(os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, FILE_MODE))
                probe.unlink()
            except OSError as error:
                raise UserDirError(f"{folder} must be writable, was not: {error.strerror}") from None
        mode = self.secrets.stat().st_mode & 0o777
        if mode & 0o077:
            # Ours to mend: nobody but us makes this folder, and what is inside is not yet known to be secret.
            self.secrets.chmod(FOLDER_MODE)

    def loose_secrets(self) -> list[Path]:
        """Files under secrets/ that others can read."""
        if not self.secrets.is_dir():
            return []
        return [path for path in sorted(self.secrets.iterdir()) if path.stat().st_mode & 0o077]

    def hold(self) -> FileLock:
        """Take the directory for this process until it ends. Raises DirectoryInUse naming the process that has it."""
        try:
            return FileLock(self.lock)
        except StoreLocked as error:
            raise DirectoryInUse(self.root, error.pid) from None
        except StoreUnusable as error:
            raise UserDirError(str(error)) from None


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
