"""What is said about settings: change them, they are changed or why not, and the version that history keeps."""

from typing import Any

import msgspec


class SetSettings(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Ask for other values; answered with a `SettingsReply`. All of it happens or nothing.

    `changes` maps paths to plain JSON values (exact numbers as text). `cleared` paths fall back to what files and
    environment say. With `expected_version` it is refused when another change came first.
    """

    changes: dict[str, Any]
    cleared: tuple[str, ...] = ()
    actor: str
    reason: str
    expected_version: int | None = None
    correlation_id: str


class SettingFault(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """One thing that is wrong; see `genesis.domain.settings_build.Fault`."""

    path: str
    must_be: str
    was: str
    layer: str
    hint: str


class SettingsApplied(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The version that is in force now. `pending` are changed paths that wait for the next start."""

    version: int
    changed: tuple[str, ...]
    pending: tuple[str, ...]


class SettingsRefused(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Nothing changed; `version` still is in force."""

    version: int
    faults: tuple[SettingFault, ...]


class SettingsVersion(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """One version as the journal keeps it: what was set while running, and the whole settings that it made.

    `runtime` holds only what commands set; `settings` is everything in force, so that an old decision can be read
    without the files of its day. Neither can hold a secret: secrets are no settings.
    """

    version: int
    at_ms: int
    author: str
    reason: str
    runtime: dict[str, Any]
    changed: tuple[str, ...]
    settings: dict[str, Any]


SettingsReply = SettingsApplied | SettingsRefused
