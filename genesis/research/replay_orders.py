"""Replay of the order actor: every command, question, report and row again, from what its journal says it heard.

The machine of each life restores the cells that the replay itself has made so far. After a difference the state is
another one, and everything behind it would differ for that alone: comparing goes on where a record brings all cells.
"""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import attrs
import msgspec

from genesis.domain.order_heard import KeptInput, Level, OrderHeard, OrderInput, OrderStep, cells_of, digest_of, said_in
from genesis.domain.order_machine import OrderMachine
from genesis.domain.order_outputs import Outputs
from genesis.domain.pairs import PairSpecs
from genesis.domain.report_again import ReportAgain, whole
from genesis.research.parity import differing
from protocols.journal import AnyCell
from protocols.orders import (
    Adopt,
    Approved,
    ApprovedChange,
    CancelIntent,
    Flatten,
    HistoryReport,
    Protect,
    UpdateIntent,
    VenueCommand,
)
from protocols.risk import EntryUnwanted
from protocols.settings import Settings
from protocols.units import Side, Symbol


class _AskedOtherwise(Exception):
    """The machine asked something of the market that it had not asked then."""


@attrs.define
class OrderReplay:
    """`hear` one record after the other; it gives what differs, as texts."""

    settings: Mapping[str, Settings]
    pairs: Mapping[str, PairSpecs]
    ours: str
    """The name of the code that decides again."""
    lives: int = 0
    steps: int = 0
    commands: int = 0
    code: str = ""
    """Of the life that is heard."""
    lost: bool = False
    """True behind a difference: nothing is compared."""
    _kept: dict[str, bytes] = attrs.Factory(dict)
    _machine: OrderMachine | None = None
    _prices: list[Decimal | None] = attrs.Factory(list)
    _levels: list[tuple[Level, ...]] = attrs.Factory(list)
    _report: HistoryReport | None = None
    """The newest one of the life that is heard."""

    def hear(self, heard: OrderHeard) -> tuple[str, ...]:
        """Do its steps again. Raises KeyError for settings or pairs that the journal does not have."""
        if heard.epoch is not None:
            self.code = heard.code
            self._report = None
        if heard.cells is not None:
            self._kept = {key: bytes(payload) for key, payload in heard.cells.items()}
            self.lost = False
        if self.lost:
            return ()
        outputs: list[Sequence[Any]] = []
        cells: list[AnyCell] = []
        commands: list[VenueCommand] = []
        try:
            for number, step in enumerate(heard.steps):
                out = self._begin(heard.epoch, step) if number == 0 and heard.epoch is not None else self._do(step)
                self._note(out)
                outputs.append(said_in(out))
                cells += out.cells.values()
                commands += [outgoing.command for outgoing in out.commands]
        except _AskedOtherwise as error:
            self.lost = True
            return (str(error),)
        self.steps += len(heard.steps)
        self.commands += len(commands)
        found = tuple(_differing(tuple(commands), heard.commands))
        # Other code may have rows of another shape, which says nothing of what it did.
        if not found and self.code == self.ours and (after := digest_of(outputs, cells)) != heard.after:
            found = (
                f"questions, reports and rows of {len(heard.steps)} steps must have digest {heard.after}, have {after}",
            )
        self.lost = bool(found)
        return found

    def _begin(self, epoch: int, step: OrderStep) -> Outputs:
        assert step.settings is not None, "a life must name its settings"
        settings = self.settings[step.settings]
        self.lives += 1
        machine = OrderMachine(settings.orders, epoch=epoch, signal_max_age_s=settings.risk.signal_max_age_s)
        machine.touch, machine.depth = self._front, self._side
        self._machine = machine
        self._use(machine, step)
        machine.restore(cells_of(self._kept), now=step.now, wall_ms=step.wall_ms)
        machine.fence.code = self.code
        return self._take(machine)

    def _do(self, step: OrderStep) -> Outputs:
        machine = self._machine
        if machine is None:
            raise _AskedOtherwise("the steps of a life must follow its beginning, do not")
        if step.told:
            machine.told()
        self._use(machine, step)
        if step.disowned is not None:
            machine.disown(step.disowned)
        for kept in step.inputs:
            said = self._as_heard(kept)
            _say(machine, said, step)
        if step.timer:
            machine.on_timer(now=step.now, wall_ms=step.wall_ms)
        return self._take(machine, ready=step.ready)

    def _as_heard(self, kept: KeptInput) -> OrderInput:
        if isinstance(kept, ReportAgain):
            try:
                kept = whole(kept, self._report)
            except ValueError as error:
                raise _AskedOtherwise(str(error)) from None
        if isinstance(kept, HistoryReport):
            self._report = kept
        return kept

    def _use(self, machine: OrderMachine, step: OrderStep) -> None:
        if step.settings is not None:
            settings = self.settings[step.settings]
            machine.settings, machine.signal_max_age_s = settings.orders, settings.risk.signal_max_age_s
        if step.pairs is not None:
            machine.pairs = self.pairs[step.pairs]
        machine.halted = step.halted
        self._prices, self._levels = list(step.prices), list(step.levels)

    def _take(self, machine: OrderMachine, *, ready: bool = False) -> Outputs:
        out = machine.take_ready() if ready else machine.take()
        if out is None:
            raise _AskedOtherwise("something must be ready to leave, was not")
        if self._prices or self._levels:
            raise _AskedOtherwise(
                f"the market must be asked {len(self._prices) + len(self._levels)} times more, was not"
            )
        return out

    def _note(self, out: Outputs) -> None:
        for key, cell in out.cells.items():
            if cell.payload:
                self._kept[key] = cell.payload
            else:
                self._kept.pop(key, None)

    def _front(self, symbol: Symbol, side: Side) -> Decimal | None:
        if not self._prices:
            raise _AskedOtherwise(f"the front of {symbol} must not be asked for here, was")
        return self._prices.pop(0)

    def _side(self, symbol: Symbol, side: Side) -> Sequence[Level]:
        if not self._levels:
            raise _AskedOtherwise(f"the book of {symbol} must not be asked for here, was")
        return self._levels.pop(0)


def _say(machine: OrderMachine, said: OrderInput, step: OrderStep) -> None:
    now, wall_ms = step.now, step.wall_ms
    match said:
        case Approved():
            machine.admit(said, now=now, wall_ms=wall_ms)
        case ApprovedChange():
            machine.on_change(said, now=now, wall_ms=wall_ms)
        case EntryUnwanted():
            machine.on_unwanted(said, now=now, wall_ms=wall_ms)
        case CancelIntent():
            machine.on_cancel(said, now=now, wall_ms=wall_ms)
        case UpdateIntent():
            machine.on_update(said, now=now, wall_ms=wall_ms)
        case Flatten():
            machine.on_flatten(said, now=now, wall_ms=wall_ms)
        case Protect():
            machine.on_protect(said, now=now, wall_ms=wall_ms)
        case Adopt():
            machine.on_adopt(said, now=now, wall_ms=wall_ms)
        case _:
            machine.on_event(said, now=now, wall_ms=wall_ms)


def _differing(ours: tuple[VenueCommand, ...], theirs: tuple[VenueCommand, ...]) -> Iterator[str]:
    if len(ours) != len(theirs):
        yield f"{len(theirs)} commands must leave, {len(ours)} did"
    for mine, other in zip(ours, theirs, strict=False):
        if mine != other:
            yield from differing(msgspec.to_builtins(mine), msgspec.to_builtins(other), "", "replay", "journal")
