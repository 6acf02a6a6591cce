"""What the order actor heard, step by step, and what came of it: enough to decide all of it again.

The order machine is pure, so its inputs are its whole story: messages and times, the halt, settings and pairs, and what
it was told of the market when it asked. They are kept with the commit of what came of them. Steps of which nothing came
that must be kept wait for the next one; should the process die before, nothing that is kept hangs on them.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any, Final

import attrs
import msgspec

from genesis.domain.heard import ORDER_HEARD_KIND, pairs_record, settings_record
from genesis.domain.order_machine import OrderMachine
from genesis.domain.order_outputs import Outputs
from genesis.domain.order_rows import TABLE
from genesis.domain.pairs import PairSpecs
from genesis.domain.report_again import ReportAgain, thinned
from protocols.journal import AnyCell, AnyRecord, CellWrite, LateRecord
from protocols.orders import AccountEvent, Approved, ApprovedChange, HistoryReport, OrderWish, VenueCommand
from protocols.risk import EntryUnwanted
from protocols.settings import Settings
from protocols.units import Side, Symbol

STEPS_KEPT: Final = 256
"""So many steps of which nothing came are kept by themselves."""

OrderInput = AccountEvent | OrderWish | Approved | ApprovedChange | EntryUnwanted
KeptInput = OrderInput | ReportAgain
"""As the journal has it: of a report what the one before it in the same life did not tell."""
Level = tuple[float, float, int]


class OrderStep(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the machine heard between two `take`s, at one moment.

    `settings` and `pairs` are digests, said when they changed. `timer` is False where no deadline was looked at;
    `ready` says that what could leave was taken before protection was looked at. `told`: before this step all reports
    so far had reached their channel. `disowned` is an intent that the journal knew already. `prices` and `levels` are
    the answers to what the machine asked about the market, in turn.
    """

    now: float
    wall_ms: int
    inputs: tuple[KeptInput, ...] = ()
    settings: str | None = None
    pairs: str | None = None
    halted: str | None = None
    timer: bool = True
    ready: bool = False
    told: bool = False
    disowned: str | None = None
    prices: tuple[Decimal | None, ...] = ()
    levels: tuple[tuple[Level, ...], ...] = ()


class OrderHeard(msgspec.Struct, frozen=True, kw_only=True, tag=True, omit_defaults=True):
    """Steps, the `commands` that came of them, and the digest of all that did.

    A life of the actor begins with its `epoch` and the name of its `code`: the first step restores the cells that all
    steps before have left, or `cells` (by name) where other code wrote some.
    """

    epoch: int | None = None
    code: str = ""
    cells: dict[str, msgspec.Raw] | None = None
    steps: tuple[OrderStep, ...] = ()
    commands: tuple[VenueCommand, ...] = ()
    after: str = ""


_ENCODER: Final = msgspec.json.Encoder(order="sorted", decimal_format="string")
_DECODE: Final = msgspec.json.Decoder(OrderHeard).decode


def read_order_heard(payload: bytes) -> OrderHeard:
    return _DECODE(payload)


def digest_of(outputs: Iterable[Sequence[Any]], cells: Iterable[AnyCell]) -> str:
    """The short name of all that came of some steps."""
    whole = hashlib.sha256()
    for said in outputs:
        whole.update(_ENCODER.encode(said))
    for cell in cells:
        whole.update(cell.key.encode())
        whole.update(cell.payload)
    return whole.hexdigest()[:16]


def said_in(out: Outputs) -> tuple[Any, ...]:
    """What of `out` is compared, beside its cells: everything that somebody else hears of."""
    commands = tuple([(outgoing.key, outgoing.command) for outgoing in out.commands])
    people = (*out.alarms, *out.warnings)
    others = tuple(out.questions), tuple(out.reports), tuple(out.changes), people, out.reconnect
    return (out.number, commands, *others)


_Noted = tuple[
    float,
    int,
    Sequence[OrderInput],
    str | None,
    str | None,
    str | None,
    bool,
    bool,
    bool,
    str | None,
    tuple[Decimal | None, ...],
    tuple[tuple[Level, ...], ...],
]
"""The fields of an `OrderStep`, in their order. What is made of them is made by the journal, beside the loop: while the
machine decides an order waits."""


@attrs.define
class OrderRecorder:
    """Stands between the machine and the market, and notes both: `begin`, then `start` and `end` around each step, and
    `record` for each commit."""

    machine: OrderMachine
    touch: Callable[[Symbol, Side], Decimal | None]
    depth: Callable[[Symbol, Side], Sequence[Level]]
    steps: list[_Noted] = attrs.Factory(list)
    _outputs: list[Outputs] = attrs.Factory(list)
    """What came of each of `steps`. Nobody changes any of it before the journal has answered."""
    _named: list[AnyRecord] = attrs.Factory(list)
    _prices: list[Decimal | None] = attrs.Factory(list)
    _levels: list[tuple[Level, ...]] = attrs.Factory(list)
    _told: bool = False
    _settings: str | None = None
    _pairs: str | None = None
    _epoch: int | None = None
    _code: str = ""
    _whole: dict[str, msgspec.Raw] | None = None
    _report: HistoryReport | None = None
    """The newest report in a record of this life."""
    _ahead: AnyRecord | None = None
    """The next record, made before its steps are over."""
    _entering: bool = False
    """That was taken, and `steps` are still those that are in it."""

    def __attrs_post_init__(self) -> None:
        self.machine.touch, self.machine.depth = self._front, self._side

    def begin(self, epoch: int, code: str, cells: Iterable[CellWrite]) -> None:
        """A life has restored these cells; before its first `end`."""
        fence = self.machine.fence
        self._epoch, self._code = epoch, code
        known = fence.heard == fence.commits and fence.code in ("", code)
        fence.code = code
        if not known:
            self._whole = {cell.key: msgspec.Raw(cell.payload) for cell in cells}

    def use(self, settings: Settings, pairs: PairSpecs) -> None:
        """By these the machine decides from now on; said when they are others than before."""
        named = settings_record(settings, self.machine.fence.venue_ms), pairs_record(pairs, self.machine.fence.venue_ms)
        self._named += named
        self._settings, self._pairs = named[0].key, named[1].key

    def told(self) -> None:
        self._told = True

    def start(self) -> None:
        """A step begins. What was asked of the market since the last one was for readers."""
        self._prices.clear()
        self._levels.clear()

    def end(
        self,
        out: Outputs,
        *,
        now: float,
        wall_ms: int,
        inputs: Sequence[OrderInput] = (),
        timer: bool = True,
        ready: bool = False,
        disowned: str | None = None,
    ) -> None:
        """The machine heard this, and `out` came of it."""
        assert not self._entering, "what was taken must be entered before anything else is noted"
        self.steps.append(
            (
                now,
                wall_ms,
                inputs,
                self._settings,
                self._pairs,
                self.machine.halted,
                timer,
                ready,
                self._told,
                disowned,
                tuple(self._prices),
                tuple(self._levels),
            )
        )
        self._outputs.append(out)
        self._settings = self._pairs = None
        self._told = False

    def record(self, at_ms: int) -> tuple[AnyRecord, ...]:
        """All steps so far, for the commit of the newest one."""
        late, named = self._late_record(at_ms), self._named
        self._begin_anew()
        return (*named, late)

    def record_ahead(self, at_ms: int) -> AnyRecord | None:
        """What `record` will be, with all steps until then; None where it will be more than that."""
        self._ahead = None if self._named or self._whole is not None else self._late_record(at_ms)
        return self._ahead

    def take_ahead(self, record: AnyRecord | None) -> bool:
        """Whether this one, which was made ahead, is still what `record` would be. Then it is as if it had been, once
        `enter` was called: before anything else is noted, and when nobody waits any more."""
        if record is None or record is not self._ahead or self._named:
            return False
        self._ahead, self._entering = None, True
        return True

    def enter(self) -> None:
        """See `take_ahead`."""
        if self._entering:
            self._begin_anew()

    def _late_record(self, at_ms: int) -> LateRecord:
        # The very lists to which steps are added until it is kept.
        write = partial(_write, self.steps, self._outputs, self._report, self._epoch, self._code, self._whole)
        return LateRecord(kind=ORDER_HEARD_KIND, key=None, write=write, correlation_id="heard", at_ms=at_ms)

    def _begin_anew(self) -> None:
        for step in self.steps:
            for said in step[2]:
                if type(said) is HistoryReport:
                    self._report = said
        self.steps, self._outputs, self._named = [], [], []
        self._epoch, self._code, self._whole, self._ahead = None, "", None, None
        self._entering = False

    def _front(self, symbol: Symbol, side: Side) -> Decimal | None:
        price = self.touch(symbol, side)
        self._prices.append(price)
        return price

    def _side(self, symbol: Symbol, side: Side) -> Sequence[Level]:
        levels = tuple(self.depth(symbol, side))
        self._levels.append(levels)
        return levels


def _write(
    noted: Sequence[_Noted],
    outputs: Sequence[Outputs],
    before: HistoryReport | None,
    epoch: int | None,
    code: str,
    whole: dict[str, msgspec.Raw] | None,
) -> bytes:
    steps = []
    for now, wall_ms, inputs, settings, pairs, halted, timer, ready, told, disowned, prices, levels in noted:
        kept: list[KeptInput] = []
        for said in inputs:
            if isinstance(said, HistoryReport):
                kept.append(said if before is None else thinned(said, before))
                before = said
            else:
                kept.append(said)
        steps.append(
            OrderStep(
                now=now,
                wall_ms=wall_ms,
                inputs=tuple(kept),
                settings=settings,
                pairs=pairs,
                halted=halted,
                timer=timer,
                ready=ready,
                told=told,
                disowned=disowned,
                prices=prices,
                levels=levels,
            )
        )
    heard = OrderHeard(
        epoch=epoch,
        code=code,
        cells=whole,
        steps=tuple(steps),
        commands=tuple([outgoing.command for out in outputs for outgoing in out.commands]),
        after=digest_of(map(said_in, outputs), [cell for out in outputs for cell in out.cells.values()]),
    )
    return _ENCODER.encode(heard)


def cells_of(kept: Mapping[str, bytes]) -> tuple[CellWrite, ...]:
    """Cells as the journal gives them: by name."""
    return tuple([CellWrite(table=TABLE, key=key, payload=payload) for key, payload in sorted(kept.items())])
