"""What all strategies of a market will say of a candle that is about to close, with the records and cells of it.

A candle stands as it will close before anybody knows that it has closed. So the steps, the scores and what the journal
is to be told are made while nobody waits, and taken when that very candle closes and finds every strategy in the very
state that its step was made from. Whatever else was heard first, the strategies are asked as if nothing were ready.
"""

from collections.abc import Sequence
from functools import partial

import msgspec

from genesis.domain.heard import SignalInput, signal_heard_record
from genesis.domain.running_strategy import Running, StepAhead, kept
from genesis.domain.said import Said
from protocols.journal import AnyRecord, LateCell
from protocols.market import CandleClosed


class SaidAhead(msgspec.Struct, eq=False):
    """`said` stands in the order in which strategies speak. `inputs` are what `records` say was heard: nothing yet."""

    steps: tuple[tuple[Running, StepAhead], ...]
    said: list[Said]
    inputs: list[SignalInput]
    records: tuple[AnyRecord, ...]
    cells: tuple[LateCell, ...]

    def take(self, closed: CandleClosed) -> bool:
        """Have it said to this candle, once. False where it is not what would be said now: then nothing has changed."""
        for running, step in self.steps:
            if (
                running.ahead is not step
                or running.waiting
                or running.fault
                or running.unread is not None
                or closed.candle.open_ms <= running.last_open_ms
                or not step.is_of(closed, running.state)
            ):
                return False
        for running, step in self.steps:
            running.go_on(step, closed.received_ns)
            running.scores += 1
        self.inputs.append(closed)
        return True


def said_ahead(table: str, speaking: Sequence[Running]) -> SaidAhead:
    """Of all strategies of a market, each of which has just looked ahead at the same candle.

    `table` is where the states are kept.
    """
    steps = tuple([(running, running.ahead) for running in speaking if running.ahead is not None])
    assert len(steps) == len(speaking), "all of them must have looked ahead"
    said = [step.said for _, step in steps]
    inputs: list[SignalInput] = []
    # As a candle is written down that comes alone.
    heard = signal_heard_record(inputs, at_ms=said[0].score.decided_ms, off={})
    cells = [LateCell(table=table, key=running.settings.name, write=partial(kept, running)) for running in speaking]
    return SaidAhead(steps, said, inputs, (heard, *[each.record for each in said]), tuple(cells))
