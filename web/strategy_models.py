"""What clients send and get about one strategy and its parameters."""

from decimal import Decimal
from typing import Annotated

import msgspec

from protocols.config import Metric, SettingFault
from protocols.units import Symbol
from web.bodies import ShortText, Strict
from web.config_bodies import ReleaseName, Version
from web.config_models import Versioned

FieldPath = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[A-Za-z0-9_.\[\]-]{1,120}$",
        description="a parameter such as fast, members[0].parameters.fast or members[0].weight",
    ),
]


class FieldView(msgspec.Struct, frozen=True, kw_only=True):
    """One number that may be chosen, as the kind `of` declares it. `member` is its place in an ensemble, from 0.

    `given` says that the settings name it, else `value` is the default; `above` that `low` itself is not allowed.
    """

    path: str
    of: str
    member: int | None
    name: str
    value: float
    given: bool
    default: float
    low: float
    high: float
    above: bool
    whole: bool
    meaning: str


class HeldLot(msgspec.Struct, frozen=True, kw_only=True):
    """What the strategy holds of a symbol by its book, and the levels that rest at the venue around it (newest lot)."""

    symbol: Symbol
    quantity: Decimal
    stop_price: Decimal | None
    target_price: Decimal | None


class OneStrategy(Versioned, frozen=True, kw_only=True):
    """A configured strategy as the settings have it: what may be chosen, and what its positions are guarded by.

    `layer` is where the list of strategies comes from. `blocked` says why nothing can be chosen now, empty when it can;
    `faults` say which of its kinds cannot be used: nothing is known of their parameters.
    """

    strategy: str
    kind: str
    text: str
    symbol: Symbol
    timeframe: str
    enabled: bool
    layer: str
    blocked: str
    faults: tuple[str, ...]
    fields: tuple[FieldView, ...]
    holds: tuple[HeldLot, ...]


class ParametersBody(Strict, frozen=True, kw_only=True):
    """Other numbers for one strategy; null is the kind's default again. What is not named stays. `enabled` starts or
    ends it: one that is not enabled says nothing, and of what it holds only the stop sells.

    With `expected_version`, or an If-Match header with the entity tag of an answer, it is refused (412) when another
    change came first. With `preview` nothing happens: the answer says what would change, or every fault.
    """

    parameters: Annotated[dict[FieldPath, float | None], msgspec.Meta(max_length=400)] = {}
    enabled: bool | None = None
    reason: ShortText = "asked over the API"
    expected_version: Version | None = None
    preview: bool = False


class ShadowBody(Strict, frozen=True, kw_only=True):
    """Run a strategy on paper beside the live ones: one that is configured with other `parameters` or another `kind`,
    or a new one, which needs `kind`, `symbol` and `timeframe`. With another kind no parameter of the old one counts.

    It is a rollout as a shadow: `metric` may be `threshold` at most (`against_live`: less the live side's), over
    `min_trades` closed trades at least. It has proven itself after `duration_s` of the venue's time, or after `trades`
    closed trades when that comes first; then a person promotes it, or with `automatic` nobody needs to. `cash` in the
    quote currency is what it begins with, else as much as the account is worth. `name` is the rollout's, else made of
    the strategy's. With `preview` nothing happens.
    """

    parameters: Annotated[dict[FieldPath, float | None], msgspec.Meta(max_length=400)] = {}
    kind: Annotated[str, msgspec.Meta(min_length=1, max_length=40)] | None = None
    symbol: Annotated[str, msgspec.Meta(max_length=40)] | None = None
    timeframe: Annotated[str, msgspec.Meta(max_length=4)] | None = None
    name: ReleaseName | None = None
    metric: Metric = Metric.LOSS
    threshold: float = 0.05
    against_live: bool = False
    duration_s: float = 604_800.0
    min_trades: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 10
    trades: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 0
    automatic: bool = False
    cash: Decimal | None = None
    reason: ShortText = "asked over the API"
    expected_version: Version | None = None
    preview: bool = False


class NumberChange(msgspec.Struct, frozen=True, kw_only=True):
    """`old` and `new` are what the strategy runs with, defaults filled in."""

    path: str
    old: float
    new: float


class ParametersAnswer(Versioned, frozen=True, kw_only=True):
    """What a change changed, or, of a preview (`accepted` false), would change; `faults` are a preview's alone.

    `needs` closed candles are heard before it speaks (0: not known); with `own_history` they are more than are kept, so
    that it waits for them. `holds` stays as it is, with its levels. `enabled` is what it is then.
    """

    accepted: bool
    strategy: str
    enabled: bool
    correlation_id: str
    message: str
    changes: tuple[NumberChange, ...]
    faults: tuple[SettingFault, ...] = ()
    needs: int = 0
    own_history: bool = False
    holds: tuple[HeldLot, ...] = ()
    hidden: dict[str, str] = {}
