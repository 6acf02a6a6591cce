"""The pacer: holds the replay until everything that was said has been heard, thought over and answered.

A replayed market has no reason to outrun the engine, so the embedded simulator asks here before each step that can
lead to a decision. The engine is settled when no message waits anywhere, and each end of every socket has read as many
frames as the other end has sent. Runs are then equal to the byte at any speed, and equal to a backtest.
"""

from collections.abc import Callable
from typing import Final

import trio

from genesis.core.rest import loop_at_rest

CALM_LOOKS: Final = 2
"""A message may be between two places at one look: it must be nowhere at two, with every task given a turn between."""
QUICK_LOOKS: Final = 8
"""Those who stood aside go on when the loop rests, and others after them."""
PAUSE_S: Final = 0.0002
"""After the quick looks somebody waits for a disk or a socket: looking less often leaves it the processor."""
REST_S: Final = 0.005
"""A loop that does not come to rest is busy with what the market has no part in: a look all the same."""
HISTORIES_S: Final = 30.0
"""A replay begins without them then: whoever waits goes on waiting, and the others trade."""


async def histories_told(waits: Callable[[], bool]) -> None:
    """Until every strategy has been told what came before its first candle, as a backtest's are before it begins."""
    with trio.move_on_after(HISTORIES_S):
        # A look now and then is simpler than an event in the cell of each.
        while waits():  # noqa: ASYNC110
            await trio.sleep(PAUSE_S)


class Pacer:
    """`quiet` are the questions that must all say yes: no mailbox filled, no frame under way.

    `minds_trades` says whether somebody decides at trades: then the replay waits after each of them.
    """

    def __init__(self, *quiet: Callable[[], bool], minds_trades: Callable[[], bool] = lambda: False) -> None:
        self._quiet = quiet
        self.minds_trades = minds_trades
        self.settled_total = 0
        self.looks_total = 0

    async def settled(self) -> None:
        """Return once everything is quiet. Waits as long as that takes; the caller's cancel scope is the deadline."""
        calm = 0
        looks = 0
        while calm < CALM_LOOKS:
            # Whoever can go on does: looking at him would only keep him waiting, and with him who stands aside.
            with trio.move_on_after(REST_S):
                await loop_at_rest()
            looks += 1
            calm = calm + 1 if all(question() for question in self._quiet) else 0
            if looks >= QUICK_LOOKS and not calm:
                await trio.sleep(PAUSE_S)
        self.settled_total += 1
        self.looks_total += looks
