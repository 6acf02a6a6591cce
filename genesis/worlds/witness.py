"""What happened in a world, line by line: the log that is digested, the states that were reached, the rules broken."""

import hashlib
from collections import Counter
from collections.abc import Callable
from typing import Final

import attrs
import trio

LINES_KEPT: Final = 200_000


@attrs.frozen
class Line:
    """One thing that happened, at a virtual second."""

    at_s: float
    kind: str
    text: str

    def __str__(self) -> str:
        minutes, seconds = divmod(self.at_s, 60)
        hours, minutes = divmod(int(minutes), 60)
        return f"{hours:02d}:{minutes:02d}:{seconds:06.3f}  {self.kind:<10} {self.text}"


@attrs.frozen
class Violation:
    """A rule of the catalogue that did not hold."""

    rule: str
    at_s: float
    text: str

    def __str__(self) -> str:
        return f"{self.rule} at {self.at_s:.3f} s: {self.text}"


@attrs.define(eq=False)
class Witness:
    """`sometimes` counts how often a state worth reaching was reached: where a rule never applied it proves nothing."""

    lines: list[Line] = attrs.field(factory=list)
    violations: list[Violation] = attrs.field(factory=list)
    sometimes: Counter[str] = attrs.field(factory=Counter)
    checks: Counter[str] = attrs.field(factory=Counter)
    on_violation: Callable[[], object] = lambda: None
    """Called after each that is kept."""
    _digest: "hashlib._Hash" = attrs.field(factory=hashlib.sha256)

    def note(self, kind: str, text: str) -> None:
        line = Line(trio.current_time(), kind, text)
        self._digest.update(f"{line.at_s!r} {kind} {text}\n".encode())
        if len(self.lines) < LINES_KEPT:
            self.lines.append(line)

    def reached(self, state: str, times: int = 1) -> None:
        if times > 0:
            self.sometimes[state] += times

    def check(self, rule: str, holds: bool, text: str) -> bool:
        """One look at a rule. Only the first hundred violations are kept: the first one is the interesting one."""
        self.checks[rule] += 1
        if not holds and len(self.violations) < 100:
            self.violations.append(Violation(rule, trio.current_time(), text))
            self.note("VIOLATION", f"{rule}: {text}")
            self.on_violation()
        return holds

    def kept(self, rule: str) -> None:
        """As `check`, of a look that found all as it must be: where looks are many, only what is not gets a text."""
        self.checks[rule] += 1

    def digest(self) -> str:
        return self._digest.hexdigest()
