"""Dead letters as they are shown: who could not handle what, and why."""

from collections import deque
from typing import Any, Final

import msgspec

from genesis.core.events import SupervisorEvent
from genesis.core.mailbox import DeadLetter
from genesis.plan import MONEY_CHANNELS
from protocols.health import DeadLetterView

LETTERS_KEPT: Final = 200
LONGEST_TEXT: Final = 20_000


class DeadLetters:
    """The newest of this process, oldest first, numbered from 1."""

    def __init__(self) -> None:
        self._kept: deque[DeadLetterView] = deque(maxlen=LETTERS_KEPT)
        self._total = 0

    def hear(self, event: SupervisorEvent, at_ms: int) -> None:
        if event.letter is not None:
            self._total += 1
            self._kept.append(letter_view(event.letter, self._total, at_ms))

    def shown(self) -> tuple[DeadLetterView, ...]:
        return tuple(self._kept)


def letter_view(letter: DeadLetter, number: int, at_ms: int) -> DeadLetterView:
    return DeadLetterView(
        number=number,
        at_ms=at_ms,
        mailbox=letter.mailbox,
        channel=letter.channel,
        kind=type(letter.message).__name__,
        attempts=letter.attempts,
        error=letter.error,
        money=letter.channel in MONEY_CHANNELS,
        message=_told(letter.message),
    )


def _told(message: object) -> Any:
    """As JSON has it. What no encoder knows, or what would fill a screen for minutes, is told as text that is cut."""
    try:
        text = msgspec.json.encode(message)
    except (TypeError, ValueError):
        return repr(message)[:LONGEST_TEXT]
    return msgspec.json.decode(text) if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT].decode(errors="replace")
