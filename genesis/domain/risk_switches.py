"""The switches of risk, and what each of them changes in its state: the latch, the pause, locks, breakers and peaks."""

from decimal import Decimal
from typing import Final

from genesis.domain import risk_marks, risk_protections
from genesis.domain.risk_outputs import Change, Switch
from genesis.domain.risk_state import RiskState
from protocols.risk import (
    AddLock,
    BreakerChanged,
    BreakerState,
    LockAdded,
    LockSource,
    RemoveLock,
    ResetBreaker,
    ResetPeaks,
    SetPaused,
    SetTradingState,
    TradingState,
)

_CAREFUL: Final = (TradingState.ACTIVE, TradingState.REDUCING, TradingState.HALTED)
"""From the least to the most careful."""


def is_as_careful(state: RiskState, wanted: TradingState) -> bool:
    """Whether trading is as careful as `wanted`, or more."""
    return _CAREFUL.index(state.trading) >= _CAREFUL.index(wanted)


def turn(state: RiskState, command: Switch, worth: Decimal | None) -> tuple[Change, ...]:
    """Somebody turned a switch; gives what is to be kept and told of it beside the command. `worth` is what the account
    is worth in the quote currency, None where that is not known: peaks begin there."""
    match command:
        case SetTradingState():
            # Resuming is somebody's decision to live with the drawdown so far: it is measured from here on.
            resumes = command.state is TradingState.ACTIVE and state.trading is not TradingState.ACTIVE
            changes = tuple(risk_marks.reset_peaks(state, None, worth)) if resumes else ()
            state.trading, state.trading_reason = command.state, command.reason
            return changes
        case SetPaused():
            state.paused, state.paused_reason = command.paused, command.reason
            return ()
        case AddLock():
            lasts_s = command.duration_s
            lock = risk_protections.add_lock(
                state,
                symbol=command.symbol,
                strategy=command.strategy,
                source=LockSource.MANUAL,
                reason=command.reason,
                actor=command.actor,
                at_ms=state.now_ms,
                until_ms=None if lasts_s is None else state.now_ms + int(lasts_s * 1000),
            )
            return (LockAdded(lock=lock),)
        case RemoveLock():
            state.locks.pop(command.lock_id, None)
            return ()
        case ResetBreaker():
            closed = []
            for scope, breaker in state.breakers.items():
                if command.scope in (None, scope) and breaker.state is not BreakerState.CLOSED:
                    breaker.close(state.now_ms)
                    closed.append(BreakerChanged(breaker=breaker.view()))
            return tuple(closed)
        case ResetPeaks():
            return tuple(risk_marks.reset_peaks(state, command.strategy, worth))
