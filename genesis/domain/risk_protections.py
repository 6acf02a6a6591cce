"""Protections: finished trades that went badly, or only just ended, lock what they were made in for a while.

Cooldown locks a symbol after every exit. The stop-loss guard locks after so many losing trades in its time, a symbol or
all of them; here every trade that ends at a loss counts, whichever order ended it. Low profit locks a symbol whose last
trades together did not bring what they should.
"""

from collections.abc import Iterator
from decimal import Decimal

import msgspec

from genesis.domain.risk_state import RiskState
from protocols.risk import AccountState, Lock, LockSource, TradeResult
from protocols.settings import RiskSettings
from protocols.units import ZERO, plain

RESULTS_KEPT = 256
LOCKS_KEPT = 500


def hear_results(state: RiskState, limits: RiskSettings, account: AccountState) -> Iterator[Lock]:
    """Take in the trades that finished since; gives every lock that follows, which then is in the state."""
    if account.trades_count < state.trades_seen:
        # Another history than the one we counted in: begin with it as it is.
        state.trades_seen = account.trades_count
    seen = state.trades_seen
    if not account.results or account.results[-1].number <= seen:
        # Numbers ascend: nothing is new.
        return
    for result in account.results:
        if result.number <= seen:
            continue
        state.trades_seen = result.number
        book = state.strategies.get(result.strategy)
        if book is not None:
            book.realized += result.pnl
        kept_s = max(limits.stop_guard_window_s, limits.low_profit_window_s)
        oldest_ms = result.exit_ms - int(kept_s * 1000)
        state.results = [*[each for each in state.results if each.exit_ms > oldest_ms], result][-RESULTS_KEPT:]
        yield from _locks_after(state, limits, result)


def _locks_after(state: RiskState, limits: RiskSettings, result: TradeResult) -> Iterator[Lock]:
    symbol = str(result.symbol)
    if limits.exit_cooldown_s > 0:
        reason = "a position was closed"
        yield from _lock(state, LockSource.COOLDOWN, symbol, reason, result.exit_ms, limits.exit_cooldown_s)
    if limits.stop_guard_losses and result.pnl < 0:
        where = None if limits.stop_guard_all else symbol
        since_ms = result.exit_ms - int(limits.stop_guard_window_s * 1000)
        lost = [
            each
            for each in state.results
            if each.pnl < 0 and each.exit_ms > since_ms and where in (None, str(each.symbol))
        ]
        if len(lost) >= limits.stop_guard_losses:
            reason = f"{len(lost)} losing trades in {limits.stop_guard_window_s:g} s"
            yield from _lock(state, LockSource.STOP_GUARD, where, reason, result.exit_ms, limits.stop_guard_lock_s)
    if limits.low_profit_trades:
        since_ms = result.exit_ms - int(limits.low_profit_window_s * 1000)
        mine = [each for each in state.results if each.symbol == result.symbol and each.exit_ms > since_ms]
        profit = sum((each.fraction for each in mine), ZERO)
        if len(mine) >= limits.low_profit_trades and profit < limits.low_profit_fraction:
            reason = (
                f"{len(mine)} trades brought {_share(profit)}, at least {_share(limits.low_profit_fraction)} is asked"
            )
            yield from _lock(state, LockSource.LOW_PROFIT, symbol, reason, result.exit_ms, limits.low_profit_lock_s)


def _share(fraction: Decimal) -> str:
    return f"{plain(round(fraction * 100, 4))} %"


def _lock(
    state: RiskState, source: LockSource, symbol: str | None, reason: str, at_ms: int, lasts_s: float
) -> Iterator[Lock]:
    until_ms = at_ms + int(lasts_s * 1000)
    if until_ms <= state.now_ms:
        return
    for lock in list(state.locks.values()):
        if (lock.source, lock.symbol) == (source, symbol):
            # One lock of each kind and place: the newer one says why now, and lasts as long as either would.
            until_ms = max(until_ms, lock.until_ms or until_ms)
            del state.locks[lock.lock_id]
    yield add_lock(
        state, symbol=symbol, strategy=None, source=source, reason=reason, actor="risk", at_ms=at_ms, until_ms=until_ms
    )


def add_lock(
    state: RiskState,
    *,
    symbol: str | None,
    strategy: str | None,
    source: LockSource,
    reason: str,
    actor: str,
    at_ms: int,
    until_ms: int | None,
) -> Lock:
    state.locks_made += 1
    lock = Lock(
        lock_id=f"lock-{state.locks_made}",
        symbol=symbol,
        strategy=strategy,
        source=source,
        reason=reason,
        actor=actor,
        created_ms=at_ms,
        until_ms=until_ms,
    )
    state.locks[lock.lock_id] = lock
    while len(state.locks) > LOCKS_KEPT:
        # The one that runs out first; what a person locked for good goes last.
        soonest = min(state.locks.values(), key=lambda each: (each.until_ms is None, each.until_ms or 0))
        del state.locks[soonest.lock_id]
    return lock


def begin_locks(state: RiskState, at_ms: int) -> tuple[Lock, ...]:
    """The first word of the market: locks that a person made before anybody knew the time begin now."""
    for lock in state.locks.values():
        until_ms = None if lock.until_ms is None else lock.until_ms + at_ms
        state.locks[lock.lock_id] = msgspec.structs.replace(lock, created_ms=at_ms, until_ms=until_ms)
    return tuple(state.locks.values())


def drop_expired(state: RiskState) -> None:
    gone = [key for key, lock in state.locks.items() if lock.until_ms is not None and lock.until_ms <= state.now_ms]
    for key in gone:
        del state.locks[key]


def locks_against(state: RiskState, symbol: str, strategy: str, at_ms: int) -> tuple[Lock, ...]:
    """The locks that a new entry would break."""
    if not state.locks:
        return ()
    return tuple(
        lock
        for lock in state.locks.values()
        if (lock.until_ms is None or lock.until_ms > at_ms)
        and lock.symbol in (None, symbol)
        and lock.strategy in (None, strategy)
    )
