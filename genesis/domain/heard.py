"""What the deciding machines heard, as the journal keeps it: with it a finished run can be decided again.

A record of this kind stands before the decisions of its commit. Settings and pairs are kept once for each text and
named by their digest. Writers give such commits a `commit_id`: heard twice would be decided twice.
"""

import hashlib
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Final

import msgspec

from genesis.domain.pairs import PairSpec, PairSpecs
from genesis.domain.risk_state import RiskState
from protocols.journal import AnyCell, LateRecord, Record
from protocols.market import CandleClosed, CandleHistory, Tick
from protocols.orders import Fill
from protocols.risk import (
    AccountState,
    AddLock,
    ChangeOrder,
    ManualOrder,
    MarketCondition,
    RemoveLock,
    ResetBreaker,
    ResetPeaks,
    SetPaused,
    SetTradingState,
)
from protocols.settings import Settings
from protocols.signals import SignalScore, StrategyFailed
from protocols.units import Symbol

SETTINGS_KIND: Final = "SettingsHeard"
PAIRS_KIND: Final = "PairsHeard"
SIGNAL_HEARD_KIND: Final = "SignalHeard"
RISK_HEARD_KIND: Final = "RiskHeard"
ORDER_HEARD_KIND: Final = "OrderHeard"
"""Of the order actor: `genesis.domain.order_heard`."""
NOTHING: Final = msgspec.Raw(b"null")
HEARD_KINDS: Final = (SETTINGS_KIND, PAIRS_KIND, SIGNAL_HEARD_KIND, RISK_HEARD_KIND, ORDER_HEARD_KIND)

RiskInput = (
    SignalScore
    | AccountState
    | MarketCondition
    | StrategyFailed
    | ManualOrder
    | ChangeOrder
    | SetTradingState
    | SetPaused
    | AddLock
    | RemoveLock
    | ResetBreaker
    | ResetPeaks
)


SignalInput = CandleClosed | CandleHistory | Tick | Fill
"""What strategies hear of. Of ticks and histories only those that left a trace: the others are as good as not heard."""


class SignalHeard(msgspec.Struct, frozen=True, kw_only=True, tag=True, omit_defaults=True):
    """Closed candles, histories, ticks and fills in the order in which strategies saw them.

    `off` maps a strategy that failed to the place of the input at which it did: from then on it said nothing. `states`
    are the strategies as they were before (their checkpoints, by name), said at the start of a life and when `settings`
    (a digest) changed them; with them, in `code`, the name of the code that decides.
    """

    code: str = ""
    settings: str | None = None
    states: dict[str, msgspec.Raw] | None = None
    inputs: tuple[SignalInput, ...] = msgspec.field(default=(), name="candles")
    off: dict[str, int] = {}


class RiskHeard(msgspec.Struct, frozen=True, kw_only=True, tag=True, omit_defaults=True):
    """A batch of inputs in the order in which risk took them, and the digest of its state `after` them.

    `state` is what a life of the actor began with (null later), `code` the name of its code. `settings` and `pairs` are
    digests, said when they changed. `released` are intents that were found to have ended behind the batch. `lost`
    batches are scores that a killed process had not judged: whatever they approve is released at once.
    """

    code: str = ""
    settings: str | None = None
    pairs: str | None = None
    state: msgspec.Raw = NOTHING
    inputs: tuple[RiskInput, ...] = ()
    released: tuple[str, ...] = ()
    lost: bool = False
    after: str = ""


class _Pair(msgspec.Struct, kw_only=True):
    """A `PairSpec` as it is read: msgspec writes those, but reads no class whose defaults come of other fields."""

    symbol: Symbol
    minimum: Decimal
    maximum: Decimal
    initial_margin: Decimal | None
    minimum_margin: Decimal | None
    base: str
    quote: str


_ENCODER: Final = msgspec.json.Encoder(order="sorted", decimal_format="string")
_SETTINGS: Final = msgspec.json.Decoder(Settings)
_PAIRS: Final = msgspec.json.Decoder(dict[Symbol, _Pair])
_SIGNAL: Final = msgspec.json.Decoder(SignalHeard)
_RISK: Final = msgspec.json.Decoder(RiskHeard)


def settings_record(settings: Settings, at_ms: int) -> Record:
    """Said again under the same key, it is not written again."""
    return _by_digest(SETTINGS_KIND, _ENCODER.encode(settings), at_ms)


def pairs_record(pairs: PairSpecs, at_ms: int) -> Record:
    """Like settings: once for each text."""
    return _by_digest(PAIRS_KIND, _ENCODER.encode(dict(pairs)), at_ms)


def signal_heard_record(
    inputs: Sequence[SignalInput],
    *,
    at_ms: int,
    off: Mapping[str, int],
    settings: str | None = None,
    states: dict[str, bytes] | None = None,
    code: str = "",
) -> LateRecord:
    """Made when it is written down: what is given is lent until then."""
    write = partial(_signal_heard, inputs, off, settings, states, code)
    return LateRecord(kind=SIGNAL_HEARD_KIND, key=None, write=write, correlation_id="heard", at_ms=at_ms)


def _signal_heard(
    inputs: Sequence[SignalInput],
    off: Mapping[str, int],
    settings: str | None,
    states: dict[str, bytes] | None,
    code: str,
) -> bytes:
    raw = None if states is None else {name: msgspec.Raw(payload) for name, payload in states.items()}
    kept = "" if raw is None else code
    return _ENCODER.encode(SignalHeard(code=kept, settings=settings, states=raw, inputs=tuple(inputs), off={**off}))


def news_in(account: AccountState, state: RiskState) -> AccountState:
    """What is news in it for risk as `state` is: the endings of orders that it still counts on, and new results.

    Every account state tells the newest hundred of each again, thirty kilobytes that a journal need not keep: what risk
    knows already changes nothing.
    """
    ours = state.reservations
    return msgspec.structs.replace(
        account,
        closed_intents=tuple(intent_id for intent_id in account.closed_intents if intent_id in ours),
        endings=tuple(each for each in account.endings if each.intent_id in ours),
        results=tuple(each for each in account.results if each.number > state.trades_seen),
        changes=tuple(each for each in account.changes if each.intent_id in ours),
    )


def risk_heard_record(heard: RiskHeard, at_ms: int, state: AnyCell | None = None) -> LateRecord:
    """With `state` (the cell behind the batch) its digest is worked out when the record is written."""
    write = partial(_risk_heard, heard, state)
    return LateRecord(kind=RISK_HEARD_KIND, key=None, write=write, correlation_id="heard", at_ms=at_ms)


def _risk_heard(heard: RiskHeard, state: AnyCell | None) -> bytes:
    whole = heard if state is None else msgspec.structs.replace(heard, after=state_digest(state.payload))
    return _ENCODER.encode(whole)


def read_settings(payload: bytes) -> Settings:
    return _SETTINGS.decode(payload)


def read_pairs(payload: bytes) -> dict[Symbol, PairSpec]:
    return {symbol: PairSpec(**msgspec.structs.asdict(pair)) for symbol, pair in _PAIRS.decode(payload).items()}


def read_signal_heard(payload: bytes) -> SignalHeard:
    return _SIGNAL.decode(payload)


def read_risk_heard(payload: bytes) -> RiskHeard:
    return _RISK.decode(payload)


def state_digest(payload: bytes) -> str:
    """The short name of a state by its text, enough to tell two apart by accident."""
    return hashlib.sha256(payload).hexdigest()[:16]


def _by_digest(kind: str, payload: bytes, at_ms: int) -> Record:
    key = hashlib.sha256(payload).hexdigest()
    return Record(kind=kind, key=key, payload=payload, correlation_id="heard", at_ms=at_ms)
