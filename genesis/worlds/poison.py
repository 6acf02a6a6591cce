"""A message that nobody can read: whoever asks what it is dies of the answer."""

from typing import Any


class PoisonError(Exception):
    """What the reader dies of."""


class Poison:
    """Only its number can be asked for; its type is known to those who ask with `type`, and named for the number: who
    dies of a type that he does not know tells which one it was."""

    def __new__(cls, number: int) -> "Poison":
        named: type[Poison] = type(f"poison {number}", (Poison,), {"__module__": __name__})
        return object.__new__(named)

    def __init__(self, number: int) -> None:
        object.__setattr__(self, "number", number)

    def __getattribute__(self, name: str) -> Any:
        if name == "number":
            return object.__getattribute__(self, name)
        raise PoisonError(f"poison {object.__getattribute__(self, 'number')}")
