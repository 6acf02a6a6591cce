"""What a deliberate defect is: one method of the engine that is replaced for the time of a run."""

from collections.abc import Callable
from typing import Any

import attrs


@attrs.frozen
class Mutant:
    """`replace` gives the new method for the old one; `where` is the class or module, `name` what is replaced there."""

    text: str
    where: Any
    name: str
    replace: Callable[[Any], Any]
    also: tuple[tuple[Any, str, Callable[[Any], Any]], ...] = ()
    """What else must go before the defect shows: some things are promised twice."""
    led_by: frozenset[str] = frozenset()
    """The faults that lead to where it shows, of which a hunt's plans are then made; none: of all that there are."""
    with_web: bool = False
