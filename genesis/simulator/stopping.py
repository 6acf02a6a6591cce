"""How an exchange that runs as a process of its own is told to stop."""

import signal

import trio


async def stop_when_told(scope: trio.CancelScope) -> None:
    """Cancel `scope` on the first SIGINT or SIGTERM.

    Heard as a signal and not as KeyboardInterrupt: that may be raised, and lost, within whatever Python does just then.
    """
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            scope.cancel()
            return
