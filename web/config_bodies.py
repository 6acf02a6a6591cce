"""What clients may send about the configuration. What a value may be is not repeated here: the settings judge it."""

from decimal import Decimal
from typing import Annotated, Any

import msgspec
from msgspec import UNSET

from protocols.config import FeatureFlag, Metric, PaperTerms, RolloutPlan
from web.bodies import Limit, NameText, ShortText, Strict

Path = Annotated[str, msgspec.Meta(min_length=1, max_length=120)]
Changes = Annotated[dict[Path, Any], msgspec.Meta(max_length=200)]
ReleaseName = Annotated[
    str,
    msgspec.Meta(pattern=r"^[a-z][a-z0-9._-]{0,39}$", description="1 to 40 of a-z, 0-9, ., _ and -, a letter first"),
]
Version = Annotated[int, msgspec.Meta(ge=1, le=1_000_000_000)]
Targets = Annotated[tuple[Annotated[str, msgspec.Meta(max_length=40)], ...], msgspec.Meta(max_length=100)]
Percent = Annotated[int, msgspec.Meta(ge=0, le=100)]


class SetKeyBody(Strict, frozen=True, kw_only=True):
    """A new value for the key in the path; exact numbers may be text.

    With `expected_version`, or an If-Match header with the entity tag of an answer, it is refused (412) when another
    change came first.
    """

    value: Any
    reason: ShortText = "asked over the API"
    expected_version: Version | None = None


class SetConfigBody(Strict, frozen=True, kw_only=True):
    """Several keys at once: all of them change or none. `cleared` keys fall back to files and environment."""

    changes: Changes = {}
    cleared: Annotated[tuple[Path, ...], msgspec.Meta(max_length=200)] = ()
    reason: ShortText = "asked over the API"
    expected_version: Version | None = None


class ValidateBody(Strict, frozen=True, kw_only=True):
    """Either `changes` by path, laid over what is in force, or `config`: a document as in config/settings.json."""

    changes: Changes | None = None
    config: dict[str, Any] | None = None


class DiffBody(Strict, frozen=True, kw_only=True):
    """Two JSON documents."""

    old: Any
    new: Any


class AuditBody(Strict, frozen=True, kw_only=True):
    """A note for the audit trail. Secrets do not belong there: names of secrets are refused."""

    text: Annotated[str, msgspec.Meta(min_length=1, max_length=1000)]
    detail: Annotated[dict[NameText, Annotated[str, msgspec.Meta(max_length=500)]], msgspec.Meta(max_length=20)] = {}


class SnapshotBody(Strict, frozen=True, kw_only=True):
    name: ReleaseName
    reason: ShortText = "asked over the API"


class RollbackBody(Strict, frozen=True, kw_only=True):
    """To a version or to a snapshot: one of the two."""

    version: Version | None = None
    snapshot: ReleaseName | None = None
    reason: ShortText = "asked over the API"
    expected_version: Version | None = None


class FlagBody(Strict, frozen=True, kw_only=True):
    """See `FeatureFlag`: without a target it holds for everybody and may name any key."""

    name: ReleaseName
    values: Changes
    enabled: bool = True
    symbols: Targets = ()
    strategies: Targets = ()
    percent: Percent = 100
    meaning: Annotated[str, msgspec.Meta(max_length=200)] = ""
    reason: ShortText = "asked over the API"
    expected_version: Version | None = None

    def flag(self) -> FeatureFlag:
        return FeatureFlag(
            name=self.name,
            values=self.values,
            enabled=self.enabled,
            symbols=self.symbols,
            strategies=self.strategies,
            percent=self.percent,
            meaning=self.meaning,
        )


class PaperBody(Strict, frozen=True, kw_only=True):
    """How a shadow of strategies ends and what it trades with; see `PaperTerms`."""

    trades: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 0
    automatic: bool = False
    cash: Decimal | None = None

    def terms(self) -> PaperTerms:
        return PaperTerms(trades=self.trades, automatic=self.automatic, cash=self.cash)


class RolloutBody(Strict, frozen=True, kw_only=True):
    """See `RolloutPlan`. Durations are the venue's seconds; `paper` is for a shadow of strategies only."""

    name: ReleaseName
    changes: Changes
    symbols: Targets = ()
    strategies: Targets = ()
    percent: Percent = 100
    shadow: bool = False
    metric: Metric = Metric.REFUSAL_RATE
    threshold: float = 0.5
    against_control: bool = False
    duration_s: float = 3600.0
    min_samples: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 10
    paper: PaperBody | None = None
    reason: ShortText = "asked over the API"
    expected_version: Version | None = None

    def plan(self) -> RolloutPlan:
        return RolloutPlan(
            name=self.name,
            changes=self.changes,
            symbols=self.symbols,
            strategies=self.strategies,
            percent=self.percent,
            shadow=self.shadow,
            metric=self.metric,
            threshold=self.threshold,
            against_control=self.against_control,
            duration_s=self.duration_s,
            min_samples=self.min_samples,
            paper=UNSET if self.paper is None else self.paper.terms(),
        )


class RuntimeBody(Strict, frozen=True, kw_only=True):
    """`values` by path or by the older names, such as WS_TICKER_STALE_SECS."""

    values: Annotated[dict[Path, Any], msgspec.Meta(min_length=1, max_length=200)]
    reason: ShortText = "asked over the API"


class ConnectOnStartBody(Strict, frozen=True, kw_only=True):
    ws_connect_on_start: bool
    reason: ShortText = "asked over the API"


class HistoryQuery(Strict, frozen=True, kw_only=True):
    """Newest first; `below` pages on from the last version that was seen."""

    limit: Limit = 50
    below: Version | None = None


class ChangesQuery(Strict, frozen=True, kw_only=True):
    """From one version to another; without `to`, to the one in force."""

    old: Version
    new: Version | None = None


class TrailQuery(Strict, frozen=True, kw_only=True):
    limit: Limit = 100


class KeysQuery(Strict, frozen=True, kw_only=True):
    """Keys whose path or meaning holds the word."""

    word: Annotated[str, msgspec.Meta(max_length=60)] = ""
