"""What the order machine wants done, in the order in which it must be done."""

from collections.abc import Callable

import msgspec

from protocols.journal import AnyCell, AnyRecord
from protocols.orders import HistoryRequest, OrderReport, OrderUpdate, VenueCommand
from protocols.risk import ChangeOrder


class LateUpdate(msgspec.Struct, eq=False):
    """An update that is made when somebody looks at it for the first time; until then nobody changes what `tell` reads
    without looking."""

    tell: Callable[[], OrderUpdate] | None
    _update: OrderUpdate | None = None

    @property
    def update(self) -> OrderUpdate:
        # Two threads may ask at once: each makes the same.
        tell = self.tell
        if tell is not None:
            self._update = tell()
            self.tell = None
        assert self._update is not None
        return self._update


class Outgoing(msgspec.Struct, frozen=True):
    """A command and its name for life: put under the same key twice, it leaves once."""

    key: tuple[str, int, int]
    command: VenueCommand


class Outputs(msgspec.Struct, kw_only=True):
    """First `records` and `cells` in one commit; after its sync the commands, questions, reports and the rest.

    `intents` are the (place in records, intent id) of intents that must be new in the journal: one that is not was
    ordered in a life that this machine has forgotten, and its command must not leave. `number` is the commit's: it
    rises over all lives of one journal, because it is kept in the very cells that it numbers. `changes` are wishes for
    risk to judge: what it approves comes back as an ApprovedChange. `said` are the reports, some of them not made yet.
    `alarms` and `warnings` are (code, text) for people.
    """

    number: int = 0
    records: list[AnyRecord] = []
    cells: dict[str, AnyCell] = {}
    intents: list[tuple[int, str]] = []
    commands: list[Outgoing] = []
    questions: list[HistoryRequest] = []
    said: list[OrderReport | LateUpdate] = []
    changes: list[ChangeOrder] = []
    alarms: list[tuple[str, str]] = []
    warnings: list[tuple[str, str]] = []
    reconnect: str | None = None
    reconnect_session: int = 0
    """Which session is to end; one that has begun meanwhile is not."""

    @property
    def reports(self) -> list[OrderReport]:
        """What others are told."""
        return [each.update if isinstance(each, LateUpdate) else each for each in self.said]

    @property
    def must_be_kept(self) -> bool:
        """True when there is something for the journal."""
        return bool(self.records or self.cells)
