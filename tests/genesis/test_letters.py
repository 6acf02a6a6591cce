"""Dead letters: a message that kills its actor is put aside, and can be read with the reason."""

from decimal import Decimal
from pathlib import Path

import pytest
import trio

from genesis.core.events import EventKind, SupervisorEvent
from genesis.core.mailbox import DeadLetter
from genesis.letters import LETTERS_KEPT, LONGEST_TEXT, DeadLetters
from genesis.plan import MONEY_CHANNELS
from protocols.risk import SetPaused, TradingState
from tests.house import house, lively_layer, piece_of


async def test_a_poisonous_message_about_money_halts_and_can_be_read(tmp_path: Path) -> None:
    async with house(tmp_path, recording=piece_of(minutes=5), layer=lively_layer()) as here:
        await here.ready()
        poison = SetPaused(paused=True, reason="nobody understands this", actor="test", correlation_id="poison")
        here.engine.channels.approved.put_nowait(poison)  # type: ignore[arg-type]
        with trio.fail_after(60):
            while not here.engine.readers.dead_letters():  # noqa: ASYNC110 - three crashes and their pauses
                await trio.sleep(0.05)
        (letter,) = here.engine.readers.dead_letters()
        assert (letter.number, letter.mailbox, letter.channel, letter.kind) == (1, "order", "approved", "SetPaused")
        assert letter.message["reason"] == "nobody understands this"
        assert letter.attempts == 3
        assert "TypeError" in letter.error
        assert letter.money
        with trio.fail_after(60):
            while True:
                status = here.engine.cells.risk.value
                if status is not None and status.state is TradingState.HALTED:
                    break
                await trio.sleep(0.05)


@pytest.mark.parametrize("message", [object(), "x" * (2 * LONGEST_TEXT), {1: Decimal(1)}, float("nan"), b"\xff"])
def test_whatever_was_said_can_be_shown(message: object) -> None:
    letters = DeadLetters()
    channel = sorted(MONEY_CHANNELS)[0]
    for _ in range(LETTERS_KEPT + 5):
        letter = DeadLetter(mailbox="order", channel=channel, message=message, attempts=3, error="broken")
        event = SupervisorEvent(kind=EventKind.DEAD_LETTER, path="engine/order", generation=1, at_s=0.0, letter=letter)
        letters.hear(event, 5)
    shown = letters.shown()
    assert [shown[0].number, shown[-1].number] == [6, LETTERS_KEPT + 5]
    assert len(str(shown[-1].message)) <= LONGEST_TEXT + 2
