"""How long to wait before trying again: an exponential pause with a cap, jitter, and some tries free of charge."""

import math
import random

import attrs


@attrs.frozen(kw_only=True)
class Backoff:
    """The pause after the n-th failure in a row, in seconds.

    The first `free` failures are retried at once: most crashes are over when they happen, and a restart that waits is
    an outage. After that `base_s`, times `factor` each time, at most `cap_s`, spread by +/- `jitter` of itself.
    """

    base_s: float = 0.1
    factor: float = 2.0
    cap_s: float = 20.0
    jitter: float = 0.2
    free: int = 1

    def __attrs_post_init__(self) -> None:
        if not 0 <= self.base_s <= self.cap_s:
            raise ValueError(f"base_s must be within 0 and cap_s {self.cap_s}, was {self.base_s}")
        if not self.factor >= 1:
            raise ValueError(f"factor must be at least 1, was {self.factor}")
        if not 0 <= self.jitter < 1:
            raise ValueError(f"jitter must be at least 0 and below 1, was {self.jitter}")
        if self.free < 0:
            raise ValueError(f"free must be at least 0, was {self.free}")

    def delay_s(self, failures: int, chance: random.Random) -> float:
        """Seconds to wait after `failures` (1 or more) failures in a row; never above cap_s * (1 + jitter)."""
        if failures <= self.free or self.base_s == 0:
            return 0.0
        exponent = failures - self.free - 1
        # `factor ** n` overflows a float at some n: past the cap it is not computed.
        to_the_cap = (
            (math.log(self.cap_s) - math.log(self.base_s)) / math.log(self.factor) if self.factor > 1 else math.inf
        )
        pause = self.cap_s if exponent >= to_the_cap else self.base_s * self.factor**exponent
        return pause * (1 + self.jitter * (2 * chance.random() - 1))


DEFAULT = Backoff()
IMMEDIATE = Backoff(base_s=0.0, cap_s=0.0)
"""No pause ever; for tests and for children that are always worth an instant retry."""
