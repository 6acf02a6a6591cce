"""When a child is started again: restart types, strategies, and the one budget of all children of a supervisor."""

import enum
from collections import deque


class Restart(enum.Enum):
    PERMANENT = "permanent"
    """Always; an end without a crash is a failure too."""
    TRANSIENT = "transient"
    """After a crash, not after a normal end."""
    TEMPORARY = "temporary"
    """Never; it is forgotten, also when a sibling's crash took it down."""


class Strategy(enum.Enum):
    ONE_FOR_ONE = "one_for_one"
    """Only the child that died."""
    ONE_FOR_ALL = "one_for_all"
    """All others are stopped in reverse order, then all are started in order."""
    REST_FOR_ONE = "rest_for_one"
    """Those after it in order are stopped in reverse, then it and they are started in order."""


class AutoShutdown(enum.Enum):
    NEVER = "never"
    ANY_SIGNIFICANT = "any_significant"
    """The supervisor ends normally when the first significant child has ended by itself."""
    ALL_SIGNIFICANT = "all_significant"
    """The same when the last of them has."""


class RestartBudget:
    """At most `intensity` failures within any `period_s` seconds, the window's ends included (OTP's MaxR and MaxT)."""

    __slots__ = ("_spent", "intensity", "period_s")

    def __init__(self, intensity: int, period_s: float) -> None:
        self.intensity = intensity
        self.period_s = period_s
        self._spent: deque[float] = deque()

    def spend(self, now: float) -> bool:
        """Count one failure, however many children it takes down. False when that is more than allowed."""
        self._spent.append(now)
        while self._spent[0] < now - self.period_s:
            self._spent.popleft()
        return len(self._spent) <= self.intensity

    def spent_at(self, now: float) -> int:
        """How many failures of the window that ends now are counted."""
        return sum(at >= now - self.period_s for at in self._spent)

    @property
    def spent(self) -> int:
        return len(self._spent)
