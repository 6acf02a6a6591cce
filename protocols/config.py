"""What is said about settings: change them, they are changed or why not, and the versions that history keeps."""

from decimal import Decimal
from enum import StrEnum
from typing import Any

import msgspec

from protocols.shadow import Comparison


class Metric(StrEnum):
    """What a rollout is judged by. All are better when they are smaller."""

    REFUSAL_RATE = "refusal_rate"
    """Refused entries as a part of all that were asked for."""
    ERROR_RATE = "error_rate"
    """Orders that the venue refused or that were proven absent, as a part of all that ended."""
    SLIPPAGE_BPS = "slippage_bps"
    """Mean adverse distance of a fill from the price it was decided at, in basis points."""
    DRAWDOWN = "drawdown"
    """Fall of the part's own result from its best, as a fraction of the account's equity."""
    LOSS = "loss"
    """What the part has lost since the rollout began, as a fraction of the account's equity."""
    LOSING_TRADES = "losing_trades"
    """Closed trades that earned nothing after fees, as a part of all: what a win rate lacks. Of paper shadows only."""


class FeatureFlag(msgspec.Struct, frozen=True, kw_only=True):
    """Named values that are in force while it is enabled, everywhere or (limits only) for a part of the trading.

    `values` maps paths to plain JSON values. See `Overlay` for whom it reaches.
    """

    name: str
    values: dict[str, Any]
    enabled: bool = True
    symbols: tuple[str, ...] = ()
    strategies: tuple[str, ...] = ()
    percent: int = 100
    meaning: str = ""

    @property
    def targeted(self) -> bool:
        return bool(self.symbols or self.strategies or self.percent != 100)


class PaperTerms(msgspec.Struct, frozen=True, kw_only=True):
    """How a paper shadow ends and what it trades with.

    It has proven itself after `trades` closed trades, when that comes before the plan's duration (0: only time counts).
    It then waits for a person to promote it, unless `automatic`. `cash` in the quote currency is what it begins with;
    without it as much as the live account is worth then.
    """

    trades: int = 0
    automatic: bool = False
    cash: Decimal | None = None


class RolloutPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A change that must prove itself on a part of the trading, or as a shadow that decides nothing.

    After `duration_s` of the venue's time it is promoted when the metric stayed at or under `threshold` over at least
    `min_samples` decisions, else taken back; above the threshold it is taken back at once. With `against_control` the
    threshold is for the part's figure less that of the rest of the trading (of a shadow: less the live one).

    A shadow of strategies is a paper shadow: they run beside the live ones, on a paper account of their own. `paper`
    belongs to those alone; plans of earlier programs have none, and their seals must stay.
    """

    name: str
    changes: dict[str, Any]
    symbols: tuple[str, ...] = ()
    strategies: tuple[str, ...] = ()
    percent: int = 100
    shadow: bool = False
    metric: Metric = Metric.REFUSAL_RATE
    threshold: float = 0.5
    against_control: bool = False
    duration_s: float = 3600.0
    min_samples: int = 10
    paper: PaperTerms | msgspec.UnsetType = msgspec.UNSET

    @property
    def is_paper(self) -> bool:
        """Whether it runs strategies of its own on paper."""
        return self.shadow and "strategies" in self.changes

    @property
    def terms(self) -> PaperTerms:
        return PaperTerms() if isinstance(self.paper, msgspec.UnsetType) else self.paper


class Rollout(msgspec.Struct, frozen=True, kw_only=True):
    """A plan that is under way since settings version `version`."""

    plan: RolloutPlan
    version: int
    started_ms: int
    author: str
    reason: str


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


class SetFlag(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Put a feature flag, or (None) take it away."""

    name: str
    flag: FeatureFlag | None
    actor: str
    reason: str
    expected_version: int | None = None
    correlation_id: str


class TakeSnapshot(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Give the version in force a name, under which it can be found and rolled back to."""

    name: str
    actor: str
    reason: str
    expected_version: int | None = None
    correlation_id: str


class Rollback(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Set what was set while running, and the flags, as they were in a version or a snapshot. It makes a new version.

    Files and environment are what they are now. A rollout that is under way ends with it.
    """

    version: int | None = None
    snapshot: str | None = None
    actor: str
    reason: str
    expected_version: int | None = None
    correlation_id: str


class StartRollout(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    plan: RolloutPlan
    actor: str
    reason: str
    expected_version: int | None = None
    correlation_id: str


class EndRollout(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Make the candidate everybody's settings, or take it back. `name` must be the rollout that is under way."""

    name: str
    promote: bool
    actor: str
    reason: str
    expected_version: int | None = None
    correlation_id: str


class WriteAudit(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Put a note of somebody's into the audit trail. It changes no setting."""

    text: str
    detail: dict[str, str]
    actor: str
    correlation_id: str


ConfigCommand = SetSettings | SetFlag | TakeSnapshot | Rollback | StartRollout | EndRollout | WriteAudit
ChangeCommand = SetSettings | SetFlag | Rollback | StartRollout | EndRollout
"""Those that may make a new version."""


class SettingFault(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """One thing that is wrong; see `genesis.domain.settings_build.Fault`."""

    path: str
    must_be: str
    was: str
    layer: str
    hint: str


class SettingsApplied(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The version that is in force now. `pending` are changed paths that wait for the next start.

    `hidden` maps paths that were set to the layer that hides them: they change nothing until it is gone.
    """

    version: int
    changed: tuple[str, ...]
    pending: tuple[str, ...]
    hidden: dict[str, str] = {}


class SettingsRefused(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Nothing changed; `version` still is in force."""

    version: int
    faults: tuple[SettingFault, ...]


class SettingsVersion(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """One version as the journal keeps it: what was set while running, and the whole settings that it made.

    `runtime` holds only what commands set; `settings` is everything in force, so that an old decision can be read
    without the files of its day. Neither can hold a secret: secrets are no settings. `patch` (RFC 6902) leads from the
    previous version's document to this one's; `hash` seals the record together with `previous_hash`. Both are empty in
    records of earlier programs.
    """

    version: int
    at_ms: int
    author: str
    reason: str
    runtime: dict[str, Any]
    changed: tuple[str, ...]
    settings: dict[str, Any]
    action: str = "set"
    flags: dict[str, FeatureFlag] = {}
    rollout: Rollout | None = None
    patch: tuple[dict[str, Any], ...] = ()
    previous_hash: str = ""
    hash: str = ""


class Snapshot(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A name for a version."""

    name: str
    version: int
    at_ms: int
    author: str
    reason: str


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """One line of the audit trail: who asked for what, and what came of it. `hash` seals it with `previous_hash`.

    `outcome` is applied, refused or noted; `version` is the one in force afterwards.
    """

    seq: int
    at_ms: int
    actor: str
    action: str
    outcome: str
    version: int
    text: str
    detail: dict[str, Any]
    correlation_id: str
    previous_hash: str
    hash: str = ""


class EffectiveValue(msgspec.Struct, frozen=True, kw_only=True):
    """A key's value in force with its layer, and what that hides, nearest first, as (layer, value)."""

    key: str
    value: Any
    layer: str
    hidden: tuple[tuple[str, Any], ...] = ()


class ConfigView(msgspec.Struct, frozen=True, kw_only=True):
    """What the config actor publishes of itself. `pending` paths wait for the next start.

    `rejected` are stored versions that no longer build. The counters are of this process.
    """

    version: int = 0
    at_ms: int = 0
    author: str = ""
    reason: str = ""
    action: str = ""
    priority: str = ""
    pending: tuple[str, ...] = ()
    effective: tuple[EffectiveValue, ...] = ()
    runtime: dict[str, Any] = {}
    flags: tuple[FeatureFlag, ...] = ()
    rollout: Rollout | None = None
    snapshots: tuple[Snapshot, ...] = ()
    rejected: tuple[int, ...] = ()
    changes_total: int = 0
    refused_total: int = 0
    audit_seq: int = 0
    audit_trouble: str = ""


class ConfigNews(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A version came into force. `pending` paths wait for the next start."""

    version: int
    at_ms: int
    author: str
    reason: str
    action: str
    pending: tuple[str, ...]
    rollout: str | None


def news_of(view: ConfigView) -> ConfigNews:
    """What there is to tell of a view."""
    return ConfigNews(
        version=view.version,
        at_ms=view.at_ms,
        author=view.author,
        reason=view.reason,
        action=view.action,
        pending=view.pending,
        rollout=None if view.rollout is None else view.rollout.plan.name,
    )


class RolloutStatus(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """How a rollout does. `value` and `control` are None while there is nothing to judge by; times are the venue's.

    `paper` is a paper shadow's comparison. `proven` says why it may be promoted while it waits for a person to do so.
    """

    rollout: Rollout
    value: float | None
    control: float | None
    samples: int
    control_samples: int
    now_ms: int
    ends_ms: int
    verdict: str = ""
    """Empty while it runs, else why it was promoted or taken back."""
    paper: Comparison | None = None
    proven: str = ""


SettingsReply = SettingsApplied | SettingsRefused
