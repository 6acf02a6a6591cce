"""Waits until a moment are said as such: what a second look at the clock leaves of one may be less than nothing.

On a real clock time passes between two looks, and `trio.sleep`, `move_on_after` and `fail_after` refuse a negative
number. A world's clock stands still between them, so no simulated world finds it: this reads the code.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("genesis", "actors", "web", "protocols")
WAITS = frozenset({"sleep", "move_on_after", "fail_after"})
LOOKS = frozenset({"now", "now_ns", "current_time", "monotonic", "wall_ms"})


def called(node: ast.AST) -> str:
    if not isinstance(node, ast.Call):
        return ""
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def sums(node: ast.AST) -> Iterator[ast.AST]:
    """Differences with a look at the clock on their right, unless `max` keeps them above something."""
    if called(node) == "max":
        return
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub):
        if any(called(part) in LOOKS for part in ast.walk(node.right)):
            yield node
        return
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
        return  # Never below zero.
    for child in ast.iter_child_nodes(node):
        yield from sums(child)


def faults(text: str) -> list[int]:
    """Lines that wait for what a look at the clock leaves."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(text))
        if called(node) in WAITS and isinstance(node, ast.Call) and any(list(sums(each)) for each in node.args)
    ]


def test_they_are_found() -> None:
    assert faults("trio.sleep(until - clock.now())") == [1]
    assert faults("with trio.fail_after(min(3, until - trio.current_time())): pass") == [1]
    assert faults("trio.sleep(max(0.0, until - clock.now())); trio.sleep_until(until); trio.sleep(1 - 0.5)") == []
    assert faults("trio.sleep(((5 - clock.wall_ms()) % 60 or 60) / 1000)") == []


def test_nobody_waits_for_what_a_second_look_at_the_clock_leaves() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for room in ROOMS
        for path in sorted((ROOT / room).rglob("*.py"))
        # There the clock is the world's own.
        if "worlds" not in path.parts
        for line in faults(path.read_text(encoding="utf-8"))
    ]
    assert found == []
