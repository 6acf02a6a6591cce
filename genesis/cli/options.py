"""Options that many commands share: which user directory, and whether a person or a program reads the answer."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated

import attrs
from cyclopts import Parameter

from genesis.edge.user_dir import UserDir


@Parameter(name="*")
@attrs.define(kw_only=True)
class Where:
    """Which engine is meant."""

    data_dir: Annotated[
        Path | None, Parameter(help="The user directory; GENESIS_HOME, or ./genesis_data, when not given.")
    ] = None

    @property
    def user_dir(self) -> UserDir:
        """Raises UserDirError when it is another user's."""
        user_dir = UserDir.at(self.data_dir, os.environ)
        user_dir.check_readable()
        return user_dir


@Parameter(name="*")
@attrs.define(kw_only=True)
class Reading(Where):
    """A command that looks."""

    port: Annotated[int | None, Parameter(help="The engine's port, when it is not the one its directory names.")] = None
    json: Annotated[bool, Parameter(negative="", help="Print JSON for programs instead of tables.")] = False


def environment() -> Mapping[str, str]:
    return os.environ


def newest_of(path_of: Callable[[str], Path], mode: str | None = None) -> Path:
    """The file of this mode; of none the one that was written last, of `sim` where there is none at all.

    A journal that is written has its newest records beside it, in `-wal`.
    """

    def written(path: Path) -> float:
        beside = (path, path.with_name(f"{path.name}-wal"))
        return max((each.stat().st_mtime for each in beside if each.is_file()), default=0.0)

    return path_of(mode) if mode is not None else max(map(path_of, ("sim", "paper", "live")), key=written)
