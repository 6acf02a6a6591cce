"""What one run of the engine is told, and how it says that it cannot: the words between the commands and the engine."""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import IntEnum, StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from genesis.edge.user_dir import UserDir
from protocols.settings import Settings

if TYPE_CHECKING:
    # Strategies and numpy come with it, and `genesis --help` shall wait for neither.
    from genesis.domain.settings_build import Layer, Priority


class ExitCode(IntEnum):
    """What a command's end means to the script that called it."""

    OK = 0
    ERROR = 1
    NOT_FOUND = 2
    NOT_RUNNING = 3
    CONFIGURATION = 4
    TIME_OUT = 5


class Mode(StrEnum):
    SIM = "sim"
    PAPER = "paper"
    LIVE = "live"


class CannotStart(Exception):
    """The engine refuses to run. The text is one line for a person; the command prints it and exits with `exit_code`.

    Nothing has been changed on disk and no order has left when this is raised.
    """

    def __init__(self, text: str, exit_code: ExitCode = ExitCode.ERROR) -> None:
        super().__init__(text)
        self.exit_code = exit_code


@attrs.frozen(kw_only=True)
class RunOptions:
    """One run. `speed` is recorded seconds a second, inf for as fast as it goes.

    `recording` is a file, the name of a shipped recording, or None for the default one; it counts in mode `sim` only.
    `layers` built `settings` and build them again with a stored version on top, by `priority` (None: as usual).
    `environment` holds secrets, so it does not show in `repr`. `fresh` puts an unfinished simulated session away and
    begins a new one. `confirmed` says that a person agreed to trade real money in mode `live`. `open_access` asks
    nobody for a token; `token_minutes` is how long one lives whose asker did not say.
    """

    mode: Mode
    user_dir: UserDir
    settings: Settings
    layers: tuple[Layer, ...] = attrs.field(default=(), repr=False)
    priority: Priority | None = None
    environment: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    recording: str | None = None
    speed: float = 60.0
    seed: int = 0
    json: bool = False
    dev: bool = False
    open_access: bool = False
    token_minutes: float | None = None
    fresh: bool = False
    confirmed: bool = False

    @property
    def database(self) -> Path:
        return self.user_dir.database(self.mode.value)

    @property
    def unpaced(self) -> bool:
        return self.speed == math.inf
