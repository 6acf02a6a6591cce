"""What the signal routes may ask of the engine."""

from collections.abc import Awaitable, Callable

import attrs

from genesis.domain.signal_search import SignalSearch, SignalsFound


@attrs.frozen(kw_only=True)
class SignalPorts:
    """`search` looks through the journal."""

    search: Callable[[SignalSearch], Awaitable[SignalsFound]]
