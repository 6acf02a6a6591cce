"""What clients send and get about one strategy and its parameters."""

from decimal import Decimal
from typing import Annotated

import msgspec

from protocols.config import SettingFault
from protocols.units import Symbol
from web.bodies import ShortText, Strict
from web.config_bodies import Version
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
