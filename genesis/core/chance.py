"""Chance ports: one seeded generator per subsystem, so that a draw more in one never reshuffles another."""

import os
import random


class Chance:
    """Hands out generators by name. The same seed and name give the same numbers, whoever else draws."""

    __slots__ = ("seed",)

    def __init__(self, seed: int | str) -> None:
        self.seed = seed

    def port(self, name: str) -> random.Random:
        """A generator of its own for `name`; asking again starts it anew."""
        # Seeding with text goes through SHA-512, which does not depend on PYTHONHASHSEED. Jitter is no secret.
        return random.Random(f"{self.seed}-{name}")  # noqa: S311

    def life(self, number: int) -> "Chance":
        """Generators of one of several lives that have a seed in common: what one of them drew is not drawn again."""
        return Chance(f"{self.seed}-life-{number}")


def fresh_seed() -> int:
    """A seed that nobody chose, for runs that are not to be repeated; log it, and it can be."""
    return int.from_bytes(os.urandom(8), "big")
