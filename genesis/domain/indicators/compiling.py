"""Compiling steps: the same source as machine code, when numba is there.

A step is ordinary Python over numbers, so the engine runs it as it stands and never loads a compiler. For long arrays
its function is made again with every step it calls compiled too. Nothing about the arithmetic changes (no fast-math, no
contraction), so both ways give the same bits; a test holds them to it.
"""

import importlib
import importlib.util
from functools import cache
from types import FunctionType
from typing import Any

_OURS = "genesis.domain."


@cache
def can_compile() -> bool:
    return importlib.util.find_spec("numba") is not None


@cache
def compiled(function: Any) -> Any:
    """The function as machine code. Raises ModuleNotFoundError without numba."""
    numba = importlib.import_module("numba")
    surroundings = dict(function.__globals__)
    for name in function.__code__.co_names:
        called = surroundings.get(name)
        if isinstance(called, FunctionType) and called.__module__.startswith(_OURS):
            surroundings[name] = compiled(called)
    again = FunctionType(function.__code__, surroundings, function.__name__, function.__defaults__)
    again.__module__ = function.__module__
    # Steps are a few operations each, so calls and checks cost more than they do. No step may divide by zero (in plain
    # Python it would raise), so nothing needs to look here.
    return numba.njit(again, error_model="numpy", forceinline=True)
