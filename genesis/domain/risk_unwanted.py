"""Entries that were approved and that nobody wants any more: their strategy says sell, or a switch lets nothing open.

An approved entry may wait for its line. Risk does not know whether it has left, so it tells who does (`EntryUnwanted`):
one that waits is given up there, and its end frees what is reserved for it, as any order's. One that may have left goes
its way; the exit that its strategy asked for is owed as long as it is under way, and comes behind.

Whose wish was taken back is kept with what was reserved: a crash between the commit and the telling brings the same
signal or switch again, and the same is told again; entries that were approved behind it are none of its business.
"""

from collections.abc import Callable

import msgspec

from genesis.domain.risk_outputs import RiskOutputs, Switch
from genesis.domain.risk_state import ENTRY_PURPOSES, Reservation, RiskState
from protocols.orders import Purpose
from protocols.risk import EntryUnwanted, SetPaused, SetTradingState, TradingState
from protocols.signals import Recommendation, SignalScore


def after_score(state: RiskState, score: SignalScore, outputs: RiskOutputs, *, again: bool = False) -> RiskOutputs:
    """A strategy that says sell wants none of its entries in that symbol any more. `again`: it was heard before."""
    if score.recommendation is not Recommendation.SELL or not state.reservations:
        return outputs

    def is_its_own(kept: Reservation) -> bool:
        intent = kept.intent
        mine = intent.strategy == score.strategy and intent.symbol == score.symbol
        return mine and intent.purpose is Purpose.ENTRY

    reason = f"{score.strategy} said sell before it could leave"
    return _with(outputs, _unwanted(state, score.signal_id, is_its_own, reason, score.correlation_id, again=again))


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
    return _with(outputs, _unwanted(state, name, _opens, reason, command.correlation_id, again=again))


def _opens(kept: Reservation) -> bool:
    return kept.intent.purpose in ENTRY_PURPOSES and not kept.reduces


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
        if not again and not kept.unwanted_by and meant(kept):
            state.reservations[intent_id] = msgspec.structs.replace(kept, unwanted_by=name)
        elif not again or kept.unwanted_by != name:
            continue
        told.append(EntryUnwanted(intent_id=intent_id, reason=reason, correlation_id=correlation_id))
    return tuple(told)


def _with(outputs: RiskOutputs, unwanted: tuple[EntryUnwanted, ...]) -> RiskOutputs:
    return msgspec.structs.replace(outputs, unwanted=unwanted) if unwanted else outputs
