"""The rule of locks: what a person or a protection has locked is not entered until that runs out or is removed."""

from genesis.domain.risk_rules.results import Finding, answer
from genesis.domain.risk_state import Facts, RiskState, Wish
from protocols.risk import DenialCode
from protocols.settings import Settings


def not_locked(state: RiskState, settings: Settings, facts: Facts, wish: Wish) -> Finding:
    locks = facts.locks
    if facts.reduces or not locks:
        return answer("not_locked", DenialCode.LOCKED, True, locks=len(locks))
    longest = max(locks, key=lambda lock: (lock.until_ms is None, lock.until_ms or 0))
    return answer(
        "not_locked",
        DenialCode.LOCKED,
        False,
        locks=len(locks),
        lock_id=longest.lock_id,
        source=longest.source.value,
        reason=longest.reason,
        until_ms=longest.until_ms,
    )
