"""Parity: do two runs decide byte for byte the same, and if not, where do they part first and over what.

Signals come before verdicts and verdicts before orders, so the first difference in that order is the cause and the
later ones its consequences.
"""

from collections.abc import Iterable
from typing import Any

import attrs
import msgspec

from genesis.domain.decision_log import DECISION_KINDS, digest, in_canonical_order

_DIFFERENCES_TOLD = 5


@attrs.frozen(kw_only=True)
class Difference:
    """The first lines that differ: the `number`-th of their kind, from 0. None where a run has no such line."""

    kind: str
    number: int
    left: bytes | None
    right: bytes | None
    fields: tuple[str, ...]


@attrs.frozen(kw_only=True)
class ParityReport:
    """The answer for two runs called `left_name` and `right_name`; `counts` are (left, right) lines by kind."""

    left_name: str
    right_name: str
    equal: bool
    left_digest: str
    right_digest: str
    counts: dict[str, tuple[int, int]]
    difference: Difference | None

    def __str__(self) -> str:
        counts = ", ".join(f"{left} {kind}" for kind, (left, _) in self.counts.items())
        if self.equal:
            return f"equal: {counts}; sha256 {self.left_digest}"
        assert self.difference is not None
        one = self.difference
        lines = [f"differ in {one.kind} number {one.number} (all {one.kind}s before it are equal)"]
        lines += [f"  {field}" for field in one.fields]
        lines.append(f"  {self.left_name}: {_shown(one.left)}")
        lines.append(f"  {self.right_name}: {_shown(one.right)}")
        lines += [
            f"  {kind}: {left} in {self.left_name}, {right} in {self.right_name}"
            for kind, (left, right) in self.counts.items()
        ]
        return "\n".join(lines)


def compare(
    left: Iterable[bytes], right: Iterable[bytes], *, left_name: str = "backtest", right_name: str = "run"
) -> ParityReport:
    """Compare two decision logs (lines of `genesis.domain.decision_log`), in any interleaving of their kinds."""
    left_lines, right_lines = in_canonical_order(left), in_canonical_order(right)
    left_kinds, right_kinds = _by_kind(left_lines), _by_kind(right_lines)
    difference = next(
        (
            found
            for kind in DECISION_KINDS
            if (found := _first_difference(kind, left_kinds[kind], right_kinds[kind], left_name, right_name))
            is not None
        ),
        None,
    )
    return ParityReport(
        left_name=left_name,
        right_name=right_name,
        equal=difference is None,
        left_digest=digest(left_lines),
        right_digest=digest(right_lines),
        counts={kind: (len(left_kinds[kind]), len(right_kinds[kind])) for kind in DECISION_KINDS},
        difference=difference,
    )


def _by_kind(lines: list[bytes]) -> dict[str, list[bytes]]:
    found: dict[str, list[bytes]] = {kind: [] for kind in DECISION_KINDS}
    for line in lines:
        found[line.split(b" ", 1)[0].decode()].append(line)
    return found


def _first_difference(
    kind: str, left: list[bytes], right: list[bytes], left_name: str, right_name: str
) -> Difference | None:
    for number in range(max(len(left), len(right))):
        one = left[number] if number < len(left) else None
        other = right[number] if number < len(right) else None
        if one == other:
            continue
        if one is None or other is None:
            shorter = left_name if one is None else right_name
            fields: tuple[str, ...] = (f"{shorter} ends after {number} lines of {kind}",)
        else:
            fields = tuple(differing(_value(one), _value(other), "", left_name, right_name))[:_DIFFERENCES_TOLD]
        return Difference(kind=kind, number=number, left=one, right=other, fields=fields)
    return None


def _value(line: bytes) -> Any:
    return msgspec.json.decode(line.split(b" ", 1)[1])


def differing(left: Any, right: Any, path: str, left_name: str, right_name: str) -> Iterable[str]:
    """Each field that differs, by its path, with both values."""
    if isinstance(left, dict) and isinstance(right, dict):
        for key in sorted(left.keys() | right.keys()):
            inner = f"{path}.{key}" if path else key
            yield from differing(left.get(key), right.get(key), inner, left_name, right_name)
    elif (ours := _rules(left)) is not None and (theirs := _rules(right)) is not None and ours.keys() != theirs.keys():
        # Another version asked other rules: the whole of two traces would bury which.
        for rule in sorted(ours.keys() | theirs.keys()):
            if rule in ours and rule in theirs:
                yield from differing(ours[rule], theirs[rule], f"{path}[{rule}]", left_name, right_name)
            else:
                yield f"{path}[{rule}] must be in both, was in {left_name if rule in ours else right_name} alone"
    elif isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        for place, (one, other) in enumerate(zip(left, right, strict=True)):
            name = one["rule"] if isinstance(one, dict) and "rule" in one else place
            yield from differing(one, other, f"{path}[{name}]", left_name, right_name)
    elif left != right:
        yield f"{path} must be equal: {left!r} in {left_name}, {right!r} in {right_name}"


def _rules(value: Any) -> dict[str, Any] | None:
    """A trace by its rules' names; None for anything else."""
    if not isinstance(value, list) or not value or not all(isinstance(one, dict) and "rule" in one for one in value):
        return None
    return {one["rule"]: one for one in value}


def _shown(line: bytes | None) -> str:
    return "nothing" if line is None else line.decode()
