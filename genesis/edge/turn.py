"""Whose turn it is, where mostly nobody else wants one: a mark, and a line of those who wait.

trio's own lock takes a turn of the loop from whoever takes it, also where it is free.
"""

import trio


class Turn:
    """Turns are given in the order in which they were waited for. A checkpoint only where there is somebody before us.

    Use it as an async context manager; or, where it is not `taken`, mark it, and `end` it.
    """

    def __init__(self) -> None:
        self.taken = False
        self._line = trio.lowlevel.ParkingLot()

    async def wait(self) -> None:
        """Until it is ours: it is somebody else's now. Who is cancelled here has left the line."""
        await self._line.park()

    def end(self) -> None:
        # It stays taken when somebody waits for it.
        if self._line:
            self._line.unpark()
        else:
            self.taken = False

    async def __aenter__(self) -> None:
        if self.taken:
            await self.wait()
        else:
            await trio.lowlevel.checkpoint_if_cancelled()
            self.taken = True

    async def __aexit__(self, *error: object) -> None:
        self.end()
