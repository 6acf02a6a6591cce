"""What an ended task's exception means: a way out of the program, a cancellation, or a crash."""

import trio

WAYS_OUT = (KeyboardInterrupt, SystemExit)
"""What no supervisor may keep to itself."""


def way_out(error: BaseException) -> BaseException | None:
    """The part that must end the program (KeyboardInterrupt, SystemExit), or None."""
    if isinstance(error, BaseExceptionGroup):
        return error.subgroup(WAYS_OUT)
    return error if isinstance(error, WAYS_OUT) else None


def crash(error: BaseException) -> BaseException | None:
    """What is left without the ways out and trio's cancellations: the crash, or None when there was none.

    A cancelled actor whose clean-up fails ends in a group of both; `except Exception` would miss the error in it.
    """
    if isinstance(error, BaseExceptionGroup):
        return error.split((*WAYS_OUT, trio.Cancelled))[1]
    return None if isinstance(error, (*WAYS_OUT, trio.Cancelled)) else error


def first_line(error: BaseException) -> str:
    """One line for people: the type and text of the error, of the first one in a group."""
    inner = error
    while isinstance(inner, BaseExceptionGroup):
        inner = inner.exceptions[0]
    text = str(inner).strip().splitlines()
    return f"{type(inner).__name__}: {text[0]}" if text else type(inner).__name__
