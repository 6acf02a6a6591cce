"""The health of the house: disk, memory, journal, loop and clock against their limits, and what to do past one.

A finding begins when a limit is passed and ends when the value is clearly back (a tenth inside it), so that a value at
its limit is told once and not every ten seconds.
"""

from collections import deque
from enum import StrEnum
from typing import Final

import attrs

from protocols.health import HealthFinding
from protocols.settings import HealthSettings

BACK_BY: Final = 0.1
SLOPE_OVER_S: Final = 1800.0
"""Memory grows while caches fill; half an hour of steady growth is a leak."""
SLOPE_SAMPLES_MIN: Final = 20
MIB: Final = 1024 * 1024


class Act(StrEnum):
    """What is done when a limit is passed; it is always told as well."""

    ALARM = "alarm"
    REDUCE = "reduce"
    HALT = "halt"


@attrs.frozen(kw_only=True)
class Vitals:
    """One look. None where the machine does not say. `loop_blocks` counts standstills of the loop since the start,
    `loop_starved` those for want of a processor, the last of them `loop_starved_s` long, and `clock_skew_ms` is how far
    the venue's clock is ahead of ours."""

    disk_free_bytes: int | None
    memory_bytes: int | None
    journal_wait_s: float
    loop_blocks: int
    loop_starved: int = 0
    loop_starved_s: float = 0.0
    clock_skew_ms: float | None = None


@attrs.frozen(kw_only=True)
class Passed:
    """A limit that was passed just now (`back` false), or is respected again."""

    name: str
    text: str
    act: Act
    back: bool = False
    calm: bool = False
    """Worth a look and no alarm: nothing of ours is wrong."""


class HealthWatch:
    """Remembers which limits are passed. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._passed: set[str] = set()
        self._memory: deque[tuple[float, int]] = deque()
        self._blocks = self._starved = 0
        self.findings: tuple[HealthFinding, ...] = ()

    def look(
        self, now: float, vitals: Vitals, settings: HealthSettings, *, clock_skew_max_ms: float = 0.0
    ) -> list[Passed]:
        """What changed, and `findings` for readers. The clock's limit is risk's, which refuses entries above it."""
        changed: list[Passed] = []
        findings: list[HealthFinding] = []

        def judge(name: str, value: float, limit: float, *, above: bool, unit: str, act: Act) -> None:
            if limit <= 0:
                self._passed.discard(name)
                return
            was = name in self._passed
            edge = limit * (1 - BACK_BY if above else 1 + BACK_BY) if was else limit
            wrong = value > edge if above else value < edge
            word = "at most" if above else "at least"
            text = f"{name.replace('_', ' ')} must be {word} {limit:,.0f} {unit}, was {value:,.0f}"
            findings.append(HealthFinding(name=name, ok=not wrong, detail=text if wrong else f"{value:,.1f} {unit}"))
            if wrong != was:
                (self._passed.add if wrong else self._passed.discard)(name)
                told = text if wrong else f"{name.replace('_', ' ')} is well again: {value:,.0f} {unit}"
                changed.append(Passed(name=name, text=told, act=act, back=not wrong))

        if vitals.disk_free_bytes is not None:
            free = vitals.disk_free_bytes / MIB
            act = Act(settings.disk_action)
            judge("disk_free", free, settings.disk_free_min_mib, above=False, unit="MiB", act=act)
        if vitals.memory_bytes is not None:
            used = vitals.memory_bytes / MIB
            act = Act(settings.memory_action)
            judge("memory", used, settings.memory_max_mib, above=True, unit="MiB", act=act)
            slope = self._slope(now, vitals.memory_bytes)
            if slope is not None:
                limit = settings.memory_slope_max_mib_per_hour
                judge("memory_growth", slope, limit, above=True, unit="MiB an hour", act=Act.ALARM)
        act = Act(settings.journal_action)
        judge("journal_wait", vitals.journal_wait_s, settings.journal_wait_max_s, above=True, unit="seconds", act=act)
        if vitals.clock_skew_ms is not None:
            skew = abs(vitals.clock_skew_ms)
            judge("clock_skew", skew, clock_skew_max_ms, above=True, unit="ms from the venue's", act=Act.ALARM)
        if vitals.loop_blocks > self._blocks:
            text = f"the event loop stood still {vitals.loop_blocks - self._blocks} times: the log says in which line"
            changed.append(Passed(name="loop", text=text, act=Act.ALARM))
        if vitals.loop_starved > self._starved:
            text = (
                f"the machine kept the process from running for {vitals.loop_starved_s:,.1f} s: other programs had the "
                f"processor, or it was paused or swapped out"
            )
            changed.append(Passed(name="starved", text=text, act=Act.ALARM, calm=True))
        self._blocks, self._starved = vitals.loop_blocks, vitals.loop_starved
        self.findings = tuple(findings)
        return changed

    def _slope(self, now: float, memory: int) -> float | None:
        """MiB an hour over the last half hour, by least squares; None before there is half an hour."""
        samples = self._memory
        samples.append((now, memory))
        while samples[0][0] < now - SLOPE_OVER_S:
            samples.popleft()
        if len(samples) < SLOPE_SAMPLES_MIN or now - samples[0][0] < SLOPE_OVER_S * 0.9:
            return None
        middle = sum(at for at, _ in samples) / len(samples)
        mean = sum(used for _, used in samples) / len(samples)
        spread = sum((at - middle) ** 2 for at, _ in samples)
        slope = sum((at - middle) * (used - mean) for at, used in samples) / spread
        return slope * 3600 / MIB
