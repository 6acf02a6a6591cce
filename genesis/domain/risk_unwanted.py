"""Entries that were approved and that nobody wants any more: their strategy says sell or speaks no more, or a switch, a
lock, a breaker or the end of a trading window lets nothing open.

An approved entry may wait for its line. Risk does not know whether it has left, so it tells who does (`EntryUnwanted`):
one that waits is given up there, and its end frees what is reserved for it, as any order's. One that may have left goes
its way; the exit that its strategy asked for is owed as long as it is under way, and comes behind.

What shuts a door for the next entry takes back the one that waits before it. What counts or measures does not (losses,
exposures, trades, sizes, spreads below a breaker): by those it was judged when it was approved, with what it takes
itself, and it is never older than `risk.signal_max_age_s`.

Whose wish was taken back is kept with what was reserved: a crash between the commit and the telling brings the same
signal or switch again, and the same is told again; entries that were approved behind it are none of its business. Of
what is not heard again (settings, time, locks and breakers), all that was taken back is told once more by whoever
begins a life (`taken_back`).
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

import msgspec

from genesis.domain.risk_outputs import Change, RiskOutputs, Switch
from genesis.domain.risk_state import ENTRY_PURPOSES, Reservation, RiskState
from genesis.domain.windows import is_open
from protocols.orders import Purpose
from protocols.risk import (
    BreakerChanged,
    BreakerState,
    EntryUnwanted,
    LockAdded,
    SetPaused,
    SetTradingState,
    TradingState,
)
from protocols.settings import RiskSettings, Settings
from protocols.signals import Recommendation, SignalScore, StrategyFailed

Voices = frozenset[tuple[str, str]]
_SETTINGS: Final = "settings"


def voices_of(settings: Settings) -> Voices:
    """(strategy, symbol) of all that settings let speak."""
    return frozenset([(each.name, each.symbol) for each in settings.strategies if each.enabled])


def after_score(state: RiskState, score: SignalScore, outputs: RiskOutputs, *, again: bool = False) -> RiskOutputs:
    """A strategy that says sell wants none of its entries in that symbol any more. `again`: it was heard before."""
    if score.recommendation is not Recommendation.SELL or not state.reservations:
        return outputs

    def is_its_own(kept: Reservation) -> bool:
        return _is_entry_of(kept, score.strategy) and kept.intent.symbol == score.symbol

    reason = f"{score.strategy} said sell before it could leave"
    return with_unwanted(
        outputs, _unwanted(state, score.signal_id, is_its_own, reason, score.correlation_id, again=again)
    )


def after_switch(state: RiskState, command: Switch, outputs: RiskOutputs, *, again: bool = False) -> RiskOutputs:
    """What a person or a protection switches off shall not open anything later, should it be switched on by then."""
    match command:
        case SetTradingState(state=TradingState.HALTED):
            reason = f"trading was halted before it could leave: {command.reason}"
        case SetTradingState(state=TradingState.REDUCING):
            reason = f"trading was set to reducing before it could leave: {command.reason}"
        case SetPaused(paused=True):
            reason = f"trading was paused before it could leave: {command.reason}"
        case _:
            return outputs
    name = command.correlation_id or type(command).__name__
    return with_unwanted(outputs, _unwanted(state, name, _opens, reason, command.correlation_id, again=again))


def after_changes(state: RiskState, changes: Iterable[Change]) -> tuple[EntryUnwanted, ...]:
    """A lock that was made and a breaker that opened let nothing through in their symbol, or of their strategy."""
    told: list[EntryUnwanted] = []
    for change in changes if state.reservations else ():
        match change:
            case LockAdded(lock=lock):
                what = lock.symbol or lock.strategy or "everything"
                reason = f"entries in {what} were locked by {lock.source.value} before it could leave: {lock.reason}"
                name, symbol, strategy = lock.lock_id, lock.symbol, lock.strategy
            case BreakerChanged(breaker=breaker) if breaker.state is BreakerState.OPEN:
                what = breaker.scope or "all symbols"
                reason = f"the trading breaker of {what} opened before it could leave: {breaker.cause}"
                name, symbol, strategy = f"breaker {breaker.scope} {breaker.since_ms}", breaker.scope or None, None
            case _:
                continue

        def is_shut_out(kept: Reservation, symbol: str | None = symbol, strategy: str | None = strategy) -> bool:
            intent = kept.intent
            return _opens(kept) and symbol in (None, intent.symbol) and strategy in (None, intent.strategy)

        told += _unwanted(state, name, is_shut_out, reason, "risk", again=False)
    return tuple(told)


def after_failure(state: RiskState, failed: StrategyFailed) -> tuple[EntryUnwanted, ...]:
    """Nobody would say sell of what it opens."""
    reason = f"{failed.strategy} failed before it could leave: {failed.reason}"
    return _unwanted(
        state,
        f"failed {failed.strategy}",
        lambda kept: _is_entry_of(kept, failed.strategy),
        reason,
        failed.correlation_id,
        again=False,
    )


def after_settings(state: RiskState, settings: Settings, voices: Voices) -> tuple[EntryUnwanted, ...]:
    """A strategy that settings disable, remove or give another symbol wants nothing any more. `voices` are theirs."""
    told: list[EntryUnwanted] = []
    silent = {kept.intent.strategy for kept in state.reservations.values() if _has_lost_its_voice(kept, voices)}
    for strategy in sorted(silent):
        named = [each for each in settings.strategies if each.name == strategy]
        if not named:
            what = "was removed"
        else:
            what = "was given another symbol" if named[0].enabled else "was disabled"

        def is_silent(kept: Reservation, strategy: str = strategy) -> bool:
            return kept.intent.strategy == strategy and _has_lost_its_voice(kept, voices)

        reason = f"{strategy} {what} before it could leave"
        told += _unwanted(state, f"{_SETTINGS} {settings.version}", is_silent, reason, _SETTINGS, again=False)
    return tuple(told)


def after_time(
    state: RiskState, limits_of: Callable[[str, str], RiskSettings], at_ms: int
) -> tuple[EntryUnwanted, ...]:
    """Nothing enters outside the trading windows, also what was decided within them."""

    def is_outside(kept: Reservation) -> bool:
        limits = limits_of(kept.intent.symbol, kept.intent.strategy)
        return _opens(kept) and not is_open(limits.windows, limits.windows_timezone, at_ms)

    reason = "the trading window closed before it could leave"
    return _unwanted(state, f"windows {at_ms}", is_outside, reason, "risk", again=False)


def taken_back(reservations: Mapping[str, Reservation]) -> tuple[EntryUnwanted, ...]:
    """All whose end is not known yet, in the words in which they were told first."""
    return tuple([kept.unwanted for kept in reservations.values() if kept.unwanted is not None])


def with_unwanted(outputs: RiskOutputs, unwanted: tuple[EntryUnwanted, ...]) -> RiskOutputs:
    """The same, and these entries taken back as well."""
    if not unwanted:
        return outputs
    return msgspec.structs.replace(outputs, unwanted=(*outputs.unwanted, *unwanted))


def _opens(kept: Reservation) -> bool:
    return kept.intent.purpose in ENTRY_PURPOSES and not kept.reduces


def _is_entry_of(kept: Reservation, strategy: str) -> bool:
    return kept.intent.strategy == strategy and kept.intent.purpose is Purpose.ENTRY


def _has_lost_its_voice(kept: Reservation, voices: Voices) -> bool:
    intent = kept.intent
    return intent.purpose is Purpose.ENTRY and kept.voiced and (intent.strategy, intent.symbol) not in voices


def _unwanted(
    state: RiskState,
    name: str,
    meant: Callable[[Reservation], bool],
    reason: str,
    correlation_id: str,
    *,
    again: bool,
) -> tuple[EntryUnwanted, ...]:
    """Those that `name` takes back, or took back when it was heard first."""
    told = []
    for intent_id, kept in state.reservations.items():
        if kept.unwanted_by != name if again else kept.unwanted_by or not meant(kept):
            continue
        unwanted = EntryUnwanted(intent_id=intent_id, reason=reason, correlation_id=correlation_id)
        if not again:
            state.reservations[intent_id] = msgspec.structs.replace(kept, unwanted_by=name, unwanted=unwanted)
        told.append(unwanted)
    return tuple(told)
