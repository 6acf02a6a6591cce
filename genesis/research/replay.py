"""Replay: make every decision of a finished run again from what its journal says was heard, and compare.

Three machines decided, and each is asked again. Strategies get the candles they were told (the user's
files too, as long as they are what they were: the caller has them on the shelf); risk gets scores, account
states, conditions and people's wishes in the order in which it took them, under the settings and pairs of then; the
order machine gets what risk approved, every word of the venue, and the moments at which it looked at its deadlines.
What comes of it must be, byte for byte, what the journal says: risk's whole state after every batch, and every command,
question, report and row of the order machine, by their digests.

The journal is taken as it is: whether its own bytes are whole is the chain's question, which `ReadOnlyStore.verify`
answers.
"""

from collections import Counter, deque
from collections.abc import Iterable
from typing import Any, Final

import attrs
import msgspec

from genesis.domain.decision_log import (
    ORDER_KIND,
    SIGNAL_KIND,
    VERDICT_KIND,
    order_record,
    read_decision,
    signal_record,
)
from genesis.domain.heard import (
    HEARD_KINDS,
    NOTHING,
    ORDER_HEARD_KIND,
    PAIRS_KIND,
    RISK_HEARD_KIND,
    SETTINGS_KIND,
    SIGNAL_HEARD_KIND,
    RiskHeard,
    SignalInput,
    read_pairs,
    read_risk_heard,
    read_settings,
    read_signal_heard,
    state_digest,
)
from genesis.domain.order_heard import read_order_heard
from genesis.domain.order_requests import parts_of
from genesis.domain.order_wire import submit_order
from genesis.domain.pairs import PairSpec
from genesis.domain.risk_machine import RISK_KEY, RISK_TABLE, RiskMachine, RiskOutputs
from genesis.domain.running_strategy import read_checkpoint
from genesis.domain.signal_machine import SIGNAL_TABLE, SignalMachine
from genesis.domain.strategies import STRATEGY_KINDS
from genesis.domain.strategies.ensemble import kind_for, kinds_of
from genesis.edge.code_name import code_name
from genesis.research.parity import differing
from genesis.research.replay_orders import OrderReplay
from protocols.journal import AnyRecord, CellWrite, Record, StoredRecord
from protocols.market import CandleClosed, CandleHistory, Tick
from protocols.orders import Approved, Fill, SubmitOrder
from protocols.risk import AccountState, MarketCondition
from protocols.settings import Settings, StrategySettings
from protocols.signals import SignalScore, StrategyFailed
from protocols.units import Symbol

APPROVED_KIND: Final = "Approved"
RISK_KINDS: Final = (
    VERDICT_KIND,
    "SetTradingState",
    "SetPaused",
    "AddLock",
    "RemoveLock",
    "ResetBreaker",
    "ResetPeaks",
    "ManualOrder",
    "ChangeOrder",
    "MarketCondition",
    "StrategyFailed",
    "LockAdded",
    "BreakerChanged",
    "EquityMarked",
)
"""Everything that the risk machine, and nobody else, writes."""
REPLAYED_KINDS: Final = (*HEARD_KINDS, SIGNAL_KIND, *RISK_KINDS, APPROVED_KIND, ORDER_KIND)
DIFFERENCES_KEPT: Final = 20
FIELDS_TOLD: Final = 5

_APPROVED: Final = msgspec.json.Decoder(Approved)
_SCORES: Final = msgspec.json.Decoder(SignalScore)


class CannotReplay(ValueError):
    """The journal does not say what was heard: it was written by a version that did not keep it."""


@attrs.frozen(kw_only=True)
class ReplayDifference:
    """One decision that comes out differently. `seq` is its place in the journal; `fields` say what differs."""

    seq: int
    kind: str
    fields: tuple[str, ...]

    def __str__(self) -> str:
        return f"row {self.seq}: {self.kind} comes out differently\n" + "\n".join(f"  {field}" for field in self.fields)


@attrs.define(kw_only=True)
class ReplayReport:
    """`counts` are decisions made again by kind, `states` how many of risk's states were compared.

    `candles` counts closed candles, not the ticks and fills between them. `unheard` decisions, the last one in row
    `unheard_to`, were made by a version that did not yet keep what was heard, and cannot be made again. `others` of the
    differences, the last one in row `others_to`, are to what other code than this decided. `without` counts signals, by
    strategy, whose file of the user's (or model) is another one now, or not there.
    """

    counts: Counter[str] = attrs.Factory(Counter)
    candles: int = 0
    inputs: int = 0
    lives: int = 0
    states: int = 0
    order_steps: int = 0
    commands: int = 0
    order_lives: int = 0
    others: int = 0
    others_to: int = 0
    unheard: int = 0
    unheard_to: int = 0
    without: Counter[str] = attrs.Factory(Counter)
    differences: list[ReplayDifference] = attrs.Factory(list)
    differences_total: int = 0

    @property
    def equal(self) -> bool:
        return self.differences_total == 0

    def __str__(self) -> str:
        made = ", ".join(f"{count} {kind}" for kind, count in sorted(self.counts.items())) or "no decision"
        orders = f"{self.commands} commands to the venue of {self.order_steps} steps of orders"
        lives = self.lives + self.order_lives
        head = f"{made}; {self.states} states of risk; {orders}; {lives} lives; {self.differences_total} differences"
        if self.unheard:
            head += (
                f"\nnot made again: {self.unheard} decisions up to row {self.unheard_to}, of a version of the engine"
                " that did not keep what they were made of"
            )
        for strategy, count in sorted(self.without.items()):
            head += f"\nnot made again: {count} signals of {strategy}, whose file is another one now, or not there"
        if self.others:
            head += (
                f"\n{self.others} of them, up to row {self.others_to}, are to what another version of the engine"
                " decided: they show what has changed since"
            )
        return "\n".join([head, *map(str, self.differences)])


def replay(rows: Iterable[StoredRecord]) -> ReplayReport:
    """Decide again. `rows` are the journal's of `REPLAYED_KINDS`, in its order. Raises CannotReplay.

    Of what other code decided only the decisions are compared: its states may be of another shape.
    """
    again = _Replay()
    for row in rows:
        again.hear(row)
    again.end()
    return again.report


class _Replay:
    """The machines, and what they say must come next in the journal."""

    def __init__(self) -> None:
        self.report = ReplayReport()
        self.settings: dict[str, Settings] = {}
        self.pairs: dict[str, dict[Symbol, PairSpec]] = {}
        self.signals: SignalMachine | None = None
        self.without: frozenset[str] = frozenset()
        self.risk: RiskMachine | None = None
        self.code = code_name()
        self.signal_code = self.risk_code = ""
        self.orders = OrderReplay(self.settings, self.pairs, self.code)
        self.scores: deque[AnyRecord] = deque()
        self.decided: deque[AnyRecord] = deque()
        self.approved: dict[str, bytes] = {}
        self.intent: Approved | None = None
        self.keys: set[tuple[str, str]] = set()
        self.seq = 0

    def hear(self, row: StoredRecord) -> None:
        self.seq, record = row.seq, row.record
        if record.key is not None:
            self.keys.add((record.kind, record.key))
        match record.kind:
            case "SettingsHeard":
                self.settings[record.key or ""] = read_settings(record.payload)
            case "PairsHeard":
                self.pairs[record.key or ""] = read_pairs(record.payload)
            case "SignalHeard":
                self._missed(self.scores)
                self._candles(record.payload)
            case "RiskHeard":
                self._missed(self.decided)
                self._batch(read_risk_heard(record.payload))
            case "OrderHeard":
                self._steps(record.payload)
            case "SignalScore" if self.without and (name := _SCORES.decode(record.payload).strategy) in self.without:
                self.report.without[name] += 1
            case "SignalScore":
                self._compare(self.signals is not None, self.scores, record)
            case "Approved":
                self._approval(_APPROVED.decode(record.payload))
            case "SubmitOrder":
                self._order(record)
            case _:
                self._compare(self.risk is not None, self.decided, record)

    def end(self) -> None:
        self._missed(self.scores)
        self._missed(self.decided)
        if self.report.unheard and self.signals is None and self.risk is None:
            raise CannotReplay(
                f"its {self.report.unheard} decisions were made by a version of the engine that did not keep what they"
                " were made of: nothing of it can be decided again"
            )

    # --- strategies -------------------------------------------------------------------------------------------------

    def _candles(self, payload: bytes) -> None:
        heard = read_signal_heard(payload)
        if heard.states is not None:
            self.report.lives += 1
            self.signal_code = heard.code
            settings = self._named(self.settings, heard.settings, SETTINGS_KIND)
            self.without = frozenset(
                one.name for one in settings.strategies if one.enabled and not _is_here(one, heard.states.get(one.name))
            )
            kept = tuple(one for one in settings.strategies if one.name not in self.without)
            self.signals = SignalMachine(msgspec.structs.replace(settings, strategies=kept))
            cells = [
                CellWrite(table=SIGNAL_TABLE, key=name, payload=bytes(state)) for name, state in heard.states.items()
            ]
            for name in self.signals.restore(cells):
                self._differ(SIGNAL_HEARD_KIND, f"strategy {name} must fit its kept state, does not")
        if self.signals is None:
            raise CannotReplay(f"row {self.seq} must follow the state of the strategies, none was kept")
        self.report.candles += sum(isinstance(said, CandleClosed) for said in heard.inputs)
        for place, said in enumerate(heard.inputs):
            for name, failed_at in heard.off.items():
                if failed_at == place and name in self.signals.running:
                    # What made it fail (time, memory) need not happen again.
                    self.signals.running[name].fault = "it failed here"
            self._expect(self.scores, [signal_record(score) for score in _think(self.signals, said)])

    # --- risk -------------------------------------------------------------------------------------------------------

    def _batch(self, heard: RiskHeard) -> None:
        if heard.settings is not None:
            settings = self._named(self.settings, heard.settings, SETTINGS_KIND)
            pairs = self._named(self.pairs, heard.pairs, PAIRS_KIND)
            if self.risk is None:
                self.risk = RiskMachine(settings, pairs)
            self.risk.on_settings(settings)
            self.risk.on_pairs(pairs)
        if self.risk is None:
            raise CannotReplay(f"row {self.seq} must follow the settings of risk, none were kept")
        if heard.state != NOTHING:
            self.report.lives += 1
            self.risk_code = heard.code
            self.risk = RiskMachine(self.risk.settings, self.risk.pairs)
            self.risk.restore((CellWrite(table=RISK_TABLE, key=RISK_KEY, payload=bytes(heard.state)),))
            # They may have come between what the life began with and its first batch.
            self.risk.on_settings(self.risk.settings)
        machine = self.risk
        self.report.inputs += len(heard.inputs)
        for said in heard.inputs:
            outputs = _judge(machine, said)
            self._expect(self.decided, outputs.records)
            for approved in outputs.approved:
                for part in parts_of(approved.intent, machine.pairs):
                    self.approved[part.intent_id] = msgspec.json.encode(part, order="sorted")
            if heard.lost:
                machine.release_unsent(approved.intent.intent_id for approved in outputs.approved)
        machine.release_ended(heard.released)
        machine.endings_missed = False
        if self.risk_code != self.code:
            return
        self.report.states += 1
        after = state_digest(machine.checkpoint().payload)
        if after != heard.after:
            self._differ(RISK_HEARD_KIND, f"state after the batch must have digest {heard.after}, has {after}")

    # --- orders -----------------------------------------------------------------------------------------------------

    def _approval(self, approved: Approved) -> None:
        """An intent that the order actor took. Risk must have approved exactly it, unless it protects or flattens."""
        self.intent = approved
        intent = approved.intent
        if self.risk is None or (intent.signal_id is None and intent.intent_id not in self.approved):
            return
        self.report.counts[APPROVED_KIND] += 1
        ours = self.approved.get(intent.intent_id)
        theirs = msgspec.json.encode(intent, order="sorted")
        if ours is None:
            self._differ(APPROVED_KIND, f"risk must have approved {intent.intent_id}, did not")
        elif ours != theirs:
            self._differ_in(APPROVED_KIND, ours, theirs)

    def _steps(self, payload: bytes) -> None:
        """What the order actor heard: all that it did of itself must come of it."""
        orders = self.orders
        try:
            found = orders.hear(read_order_heard(payload))
        except KeyError as error:
            raise CannotReplay(f"row {self.seq} names {error}, which must be in the journal and is not") from None
        if found:
            self._differ(ORDER_HEARD_KIND, *found[:FIELDS_TOLD])
        self.report.order_steps, self.report.commands = orders.steps, orders.commands
        self.report.order_lives = orders.lives

    def _order(self, record: Record) -> None:
        self.report.counts[ORDER_KIND] += 1
        kept = read_decision(record)
        assert isinstance(kept, SubmitOrder)
        if self.intent is None or self.intent.intent.correlation_id != kept.correlation_id:
            self._differ(ORDER_KIND, f"order {kept.cid} must follow its intent, does not")
            return
        intent, self.intent = self.intent.intent, None
        made = submit_order(intent, cid=kept.cid, group_id=kept.group_id, session=0)
        ours = order_record(made, intent.decided_ms)
        # A field that an older version's orders did not have says nothing else for being left out.
        theirs = msgspec.structs.replace(record, payload=order_record(kept, intent.decided_ms).payload)
        if ours != theirs:
            self._differ_in(ORDER_KIND, ours.payload, record.payload)

    # --- comparing --------------------------------------------------------------------------------------------------

    def _named(self, known: dict[str, Any], digest: str | None, kind: str) -> Any:
        found = known.get(digest or "")
        if found is None:
            raise CannotReplay(f"row {self.seq} names {kind} {digest}, which must be in the journal and is not")
        return found

    def _expect(self, queue: deque[AnyRecord], records: Iterable[AnyRecord]) -> None:
        """What the journal must say next: it writes no second record of one key."""
        queue.extend(one for one in records if one.key is None or (one.kind, one.key) not in self.keys)

    def _compare(self, known: bool, expected: deque[AnyRecord], record: Record) -> None:
        if not known:
            # An older version's, which kept what it decided and not of what: this one goes on behind it.
            self.report.unheard += 1
            self.report.unheard_to = self.seq
            return
        self.report.counts[record.kind] += 1
        if not expected:
            self._differ(record.kind, "nothing must be decided here")
            return
        ours = expected.popleft()
        if ours.kind != record.kind:
            self._differ(record.kind, f"a {ours.kind} must be decided here")
        elif ours.payload != record.payload:
            self._differ_in(record.kind, ours.payload, record.payload)
        elif ours != record:
            self._differ(record.kind, f"must be {ours}")

    def _missed(self, expected: deque[AnyRecord]) -> None:
        for record in expected:
            self._differ(record.kind, f"{record.key or record.correlation_id} must be decided before this row")
        expected.clear()

    def _differ_in(self, kind: str, ours: bytes, theirs: bytes) -> None:
        fields = differing(msgspec.json.decode(ours), msgspec.json.decode(theirs), "", "replay", "journal")
        self._differ(kind, *list(fields)[:FIELDS_TOLD])

    def _differ(self, kind: str, *fields: str) -> None:
        self.report.differences_total += 1
        whose = {SIGNAL_KIND: self.signal_code, SIGNAL_HEARD_KIND: self.signal_code, ORDER_HEARD_KIND: self.orders.code}
        if whose.get(kind, self.risk_code) != self.code:
            self.report.others += 1
            self.report.others_to = self.seq
        if len(self.report.differences) < DIFFERENCES_KEPT:
            self.report.differences.append(ReplayDifference(seq=self.seq, kind=kind, fields=fields))


def _is_here(wanted: StrategySettings, state: bytes | msgspec.Raw | None) -> bool:
    """Whether what a strategy of the user's was made of is still on the shelf. Shipped ones are what this code is."""
    made_of = kinds_of(wanted, STRATEGY_KINDS)
    if None in made_of:
        return False
    if state is None or not any(kind is not None and kind.name in STRATEGY_KINDS.users for kind in made_of):
        return True
    try:
        return kind_for(wanted, STRATEGY_KINDS).version == read_checkpoint(bytes(state)).kind_version
    except ValueError:
        # Its parameters, or its members, are not those of the file any more.
        return False


def _think(machine: SignalMachine, said: SignalInput) -> tuple[SignalScore, ...]:
    match said:
        case CandleClosed():
            return machine.on_candle(said)
        case CandleHistory():
            return machine.on_history(said)
        case Tick():
            return machine.on_tick(said)[1]
        case Fill():
            machine.on_fill(said)
            return ()


def _judge(machine: RiskMachine, said: Any) -> RiskOutputs:
    match said:
        case SignalScore():
            return machine.on_score(said)
        case AccountState():
            return machine.on_account(said)
        case MarketCondition():
            return machine.on_condition(said)
        case StrategyFailed():
            return machine.on_failure(said)
        case _:
            return machine.on_command(said)
