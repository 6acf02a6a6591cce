"""How long the other side asks us to stay away, and for how long we do."""

from typing import Final

LONGEST_S: Final = 600.0
"""However long the other side asks for, it is asked again after this: an account, a market or a message must not be
left for hours because of one number, which may count in milliseconds."""


def asked_s(text: str | None) -> float | None:
    """A Retry-After header in seconds, at most `LONGEST_S`; None without one. Dates are not used by venues."""
    text = (text or "").strip()
    return bounded_s(float(text)) if text.isascii() and text.isdigit() else None


def bounded_s(asked: float) -> float:
    return min(asked, LONGEST_S)
