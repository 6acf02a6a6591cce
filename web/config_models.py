"""The API's answers about the configuration. Those that tell the version in force carry it as their entity tag."""

from typing import Any

import msgspec

from genesis.domain.config_bus import BusView
from genesis.domain.version_trades import VersionReport, VersionTrades
from protocols.config import (
    AuditEntry,
    FeatureFlag,
    Rollout,
    RolloutStatus,
    SettingFault,
    SettingsVersion,
    Snapshot,
)
from protocols.shadow import ShadowView


class Versioned(msgspec.Struct, frozen=True, kw_only=True):
    """Answers about what is in force: `version` is sent as their ETag, to be given back as If-Match."""

    version: int


class KeyRow(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a form needs to know of a key, and its value in force with the layer that it comes from."""

    key: str
    section: str
    type: str
    default: Any
    value: Any
    layer: str
    pending: bool
    unit: str
    low: str | None
    high: str | None
    range: str
    choices: tuple[str, ...]
    meaning: str
    applies: str
    scope: str
    secret: bool
    environment: str
    alias: str | None
    stricter: str = ""
    targetable: bool = False


class ConfigKeys(Versioned, frozen=True, kw_only=True):
    keys: tuple[KeyRow, ...]


class HiddenValue(msgspec.Struct, frozen=True, kw_only=True):
    layer: str
    value: Any


class ConfigValue(Versioned, frozen=True, kw_only=True):
    """`hidden` are the weaker layers' values, nearest first. A `pending` key waits for the next start."""

    key: str
    value: Any
    layer: str
    hidden: tuple[HiddenValue, ...]
    pending: bool


class ConfigEffective(Versioned, frozen=True, kw_only=True):
    priority: str
    values: tuple[ConfigValue, ...]


class ConfigStats(Versioned, frozen=True, kw_only=True):
    """Who runs which version: `running` by actor. `applied` when all of them run the newest."""

    at_ms: int
    author: str
    reason: str
    action: str
    priority: str
    running: dict[str, int]
    applied: bool
    pending: tuple[str, ...]
    runtime_keys: int
    flags: int
    snapshots: int
    rejected: tuple[int, ...]
    changes_total: int
    refused_total: int
    audit_seq: int
    audit_trouble: str
    rollout: str | None
    bus: BusView | None


class VersionRow(msgspec.Struct, frozen=True, kw_only=True):
    version: int
    at_ms: int
    author: str
    reason: str
    action: str
    changed: tuple[str, ...]
    patch: tuple[dict[str, Any], ...]
    hash: str
    previous_hash: str


class ConfigVersions(Versioned, frozen=True, kw_only=True):
    versions: tuple[VersionRow, ...]


class OneVersion(msgspec.Struct, frozen=True, kw_only=True):
    """One version whole, and what it decided and traded."""

    told: SettingsVersion
    trades: VersionTrades


class ConfigChanges(msgspec.Struct, frozen=True, kw_only=True):
    """A JSON Patch (RFC 6902)."""

    old: int
    new: int
    changes: tuple[dict[str, Any], ...]


class DocumentChanges(msgspec.Struct, frozen=True, kw_only=True):
    """The JSON Patch (RFC 6902) that makes the new document of the old one."""

    changes: tuple[dict[str, Any], ...]


class ConfigSnapshots(Versioned, frozen=True, kw_only=True):
    snapshots: tuple[Snapshot, ...]


class ConfigFlags(Versioned, frozen=True, kw_only=True):
    flags: tuple[FeatureFlag, ...]


class RolloutAnswer(Versioned, frozen=True, kw_only=True):
    """`rollout` is under way; `status` is how it does, or how the last one ended; `shadow` is what runs on paper."""

    rollout: Rollout | None
    status: RolloutStatus | None
    shadow: ShadowView | None = None


class ConfigChanged(Versioned, frozen=True, kw_only=True):
    """`pending` paths wait for a restart, `hidden` ones are hidden by the layer that is named."""

    accepted: bool
    correlation_id: str
    message: str
    changed: tuple[str, ...] = ()
    pending: tuple[str, ...] = ()
    hidden: dict[str, str] = {}


class ConfigValid(Versioned, frozen=True, kw_only=True):
    """Every fault at once. `changes` is what would differ from what is in force."""

    valid: bool
    faults: tuple[SettingFault, ...]
    changes: tuple[dict[str, Any], ...]


class AuditTrail(msgspec.Struct, frozen=True, kw_only=True):
    """Newest first."""

    entries: tuple[AuditEntry, ...]


class ConfigVerified(msgspec.Struct, frozen=True, kw_only=True):
    whole: bool
    report: VersionReport


class RuntimeConfig(Versioned, frozen=True, kw_only=True):
    """What was set while running, by path, and the older names that some paths have."""

    values: dict[str, Any]
    aliases: dict[str, str]


class ConnectOnStart(Versioned, frozen=True, kw_only=True):
    """`ws_connect_on_start` is what the next start will do; `pending` when this one did otherwise."""

    ws_connect_on_start: bool
    pending: bool


class SchemaAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The JSON Schema of config/settings.json; the same stands in genesis/config/schema_v1.json."""

    schema: dict[str, Any]
