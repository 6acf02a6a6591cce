"""Secrets: values that are used but never shown, and where they may come from.

A secret comes from a file that only its owner can read, from a command that prints it, or, as the last resort, from
the environment (and is removed there, so that child processes do not inherit it). Never from argv, which everybody on
the machine can read.
"""

import os
import shlex
import stat
import subprocess
from collections.abc import MutableMapping, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

import attrs

from genesis.edge.errors import SecretRefused

MASK: Final = "********"
COMMAND_TIMEOUT_S: Final = 30.0
LARGEST_SECRET: Final = 16_384


class Secret:
    """A text that shows itself as stars everywhere but in `reveal()`. It cannot be pickled, copied out or encoded."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        if not text or len(text) > LARGEST_SECRET:
            raise SecretRefused(f"a secret must have 1 to {LARGEST_SECRET} characters, had {len(text)}")
        self._text = text

    def reveal(self) -> str:
        """The text itself. Hand it to what needs it, and keep it nowhere."""
        return self._text

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __bytes__(self) -> NoReturn:
        raise SecretRefused("a secret must be revealed, not encoded")

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise SecretRefused("a secret must not be pickled or copied")

    def __eq__(self, other: object) -> bool:
        # Comparing in constant time is the business of whoever reveals it; equal objects only help tests and caches.
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(("Secret", self._text))


@attrs.frozen(kw_only=True)
class Credentials:
    """An API key. Its secret shows itself to nobody."""

    key: str
    secret: Secret


def from_file(path: Path) -> Secret:
    """The text of a file that nobody but its owner can read, without the line end."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise SecretRefused(f"{path} must be readable, was not: {error.strerror}") from None
    try:
        # Asked of the open file: a path could become another file between the look and the open.
        facts = os.fstat(file)
        if not stat.S_ISREG(facts.st_mode):
            raise SecretRefused(f"{path} must be a plain file")
        if facts.st_mode & 0o077:
            raise SecretRefused(f"mode of {path} must be 0600, was {stat.S_IMODE(facts.st_mode):04o}: chmod 600 {path}")
        data = os.read(file, LARGEST_SECRET + 1)
    finally:
        os.close(file)
    return _secret(data, str(path))


def from_command(command: str | Sequence[str], *, timeout_s: float = COMMAND_TIMEOUT_S) -> Secret:
    """What a command prints (a password manager's, say), without the line end. No shell runs it."""
    arguments = shlex.split(command) if isinstance(command, str) else list(command)
    if not arguments:
        raise SecretRefused("a secret command must not be empty")
    try:
        done = subprocess.run(arguments, capture_output=True, timeout=timeout_s, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SecretRefused(f"secret command {arguments[0]} failed: {type(error).__name__}") from None
    if done.returncode != 0:
        # Its output may hold anything, so nothing of it is repeated.
        raise SecretRefused(f"secret command {arguments[0]} must end with 0, was {done.returncode}")
    return _secret(done.stdout, f"secret command {arguments[0]}")


def from_environment(name: str, environment: MutableMapping[str, str] | None = None) -> Secret | None:
    """The variable, which is removed; None when it is not set or empty."""
    text = (os.environ if environment is None else environment).pop(name, "")
    return Secret(text.strip()) if text.strip() else None


def find(
    name: str, *, directory: Path | None = None, environment: MutableMapping[str, str] | None = None
) -> Secret | None:
    """The secret `name`, looked for in this order: `directory/name` in lower case, `NAME_FILE`, `NAME_CMD`, `NAME`.

    A place that is there but unusable raises; it is not skipped for a later one.
    """
    given: MutableMapping[str, str] = os.environ if environment is None else environment
    if directory is not None and (directory / name.lower()).exists():
        return from_file(directory / name.lower())
    if given.get(f"{name}_FILE"):
        return from_file(Path(given[f"{name}_FILE"]))
    if given.get(f"{name}_CMD"):
        return from_command(given[f"{name}_CMD"])
    return from_environment(name, given)


def write_secret(path: Path, secret: Secret) -> None:
    """Create the file for its owner alone; a file that is there already is left alone and refused."""
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise SecretRefused(f"{path} must be new, was not: {error.strerror}") from None
    try:
        os.fchmod(file, 0o600)  # whatever the umask made of it
        os.write(file, secret.reveal().encode() + b"\n")
        os.fsync(file)
    finally:
        os.close(file)


def _secret(data: bytes, where: str) -> Secret:
    try:
        text = data.decode().strip()
    except UnicodeDecodeError:
        raise SecretRefused(f"{where} must hold text, did not") from None
    if not text:
        raise SecretRefused(f"{where} must hold a secret, was empty")
    return Secret(text)
