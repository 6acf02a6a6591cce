"""The rule of locks: what a person or a protection has locked is not entered until that runs out or is removed."""

from genesis.domain.risk_rules.results import Number, rule
from genesis.domain.risk_state import Facts, Wish
from protocols.risk import DenialCode
from protocols.settings import Settings


@rule(DenialCode.LOCKED, opens=True)
def not_locked(settings: Settings, facts: Facts, wish: Wish) -> bool:
    return not facts.locks


@not_locked.tells
def _not_locked(settings: Settings, facts: Facts, wish: Wish) -> dict[str, Number]:
    locks = facts.locks
    numbers: dict[str, Number] = {"locks": len(locks)}
    if not not_locked.passes(settings, facts, wish):
        longest = max(locks, key=lambda lock: (lock.until_ms is None, lock.until_ms or 0))
        numbers |= {
            "lock_id": longest.lock_id,
            "source": longest.source.value,
            "reason": longest.reason,
            "until_ms": longest.until_ms,
        }
    return numbers
