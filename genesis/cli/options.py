"""Options that many commands share: which user directory, and whether a person or a program reads the answer."""

import os
from collections.abc import Mapping
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
