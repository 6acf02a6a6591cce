"""Deliberate defects of the engine, each small enough to slip in by accident: the sweep must catch every one.

A rule that was never seen to be broken proves nothing. Each defect replaces one method for the time of a run.
"""

import contextlib
import fcntl
import inspect
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, Final
from unittest.mock import patch

import attrs
import msgspec
import trio

import actors.account as account_actor
import actors.config as config_actor
import actors.connection_private as private_line
import actors.history as rest
import actors.journal as journal_actor
import actors.order as order_actor
from genesis.core.backoff import Backoff
from genesis.core.channel import Channel
from genesis.core.hangs import Hangs
from genesis.core.mailbox import Inbox, Mailbox
from genesis.core.restart import RestartBudget
from genesis.core.supervisor import Supervisor
from genesis.domain import order_fills, order_protect, order_requests
from genesis.domain.account_machine import AccountMachine
from genesis.domain.bracket import TakeOut
from genesis.domain.order_machine import OrderMachine
from genesis.domain.order_reconcile import OrderReconciler
from genesis.domain.order_session import Fence
from genesis.domain.order_state import OrderEvent
from genesis.domain.risk_machine import RiskMachine
from genesis.edge import store
from genesis.edge.account_line import AccountLine
from genesis.edge.nonce import NonceOwner
from genesis.edge.send_ledger import SendLedger
from genesis.edge.store_errors import StoreCorrupt, StoreIncomplete
from genesis.engine import Engine
from genesis.worlds.mutant import Mutant
from genesis.worlds.mutants_rest import REST_MUTANTS
from protocols.bitfinex.sequence import SequenceAudit
from protocols.bitfinex.session import PublicSession
from protocols.journal import Commit, Committed
from protocols.orders import Adopted, CommandInDoubt, HistoryFailed, HistoryReport, OrderState, RequestNotice
from protocols.risk import TradingState
from web.api import Api

E, S = OrderEvent, OrderState


def _adoption_unheard(old: Any) -> Any:
    def hear(machine: Any, prices: Any, message: object) -> Any:
        if isinstance(message, Adopted):
            raise TypeError("message must be a balance, an order report or a candle, was Adopted")
        return old(machine, prices, message)

    return hear


def _doubt_resends(old: Any) -> Any:
    def doubt(self: Any, row: Any, why: str) -> None:
        if row.state in (S.SENT, S.INTENT) and self.fence.ready:
            row.attempt += 1
            row.session = self.fence.session
            row.state = S.INTENT
            row.check_at = self._now + self.settings.doubt_after_s
            self._emit(self._submission(row))
            self._touch(row)
        else:
            old(self, row, why)

    return doubt


def _takes_nothing_out(old: Any) -> Any:
    def steps(wanted: Any, legs: Any, *, margin: bool) -> Any:
        return tuple(step for step in old(wanted, legs, margin=margin) if not (wanted and isinstance(step, TakeOut)))

    return steps


def _rests_for_good(old: Any) -> Any:
    def rests(self: Any, row: Any) -> None:
        row.check_at = None

    return rests


def _send_before_commit(old: Any) -> Any:
    async def carry_out(self: Any, out: Any) -> None:
        self._hand_out(out)
        await old(self, out)

    return carry_out


def _books_te_and_tu(old: Any) -> Any:
    def hear(self: Any, trade: Any, now: float, check_at: float) -> Any:
        if trade.event == "te":
            other = msgspec.structs.replace(
                trade, trade_id=trade.trade_id + 1, fee=Decimal(0), fee_currency=trade.symbol[4:]
            )
            return old(self, other, now, check_at)
        return old(self, trade, now, check_at)

    return hear


def _absent_at_once(old: Any) -> Any:
    def judge(self: Any, row: Any, asked_at: float) -> None:
        if row.state is S.UNKNOWN:
            self._end(row, E.ABSENT, "not in this list")
        else:
            old(self, row, asked_at)

    return judge


def _dead_is_sent_again(old: Any) -> Any:
    def judge(self: Any, row: Any, asked_at: float) -> None:
        if row.state is S.UNKNOWN and self.fence.ready:
            row.state, row.attempt = S.INTENT, row.attempt + 1
            row.session = self.fence.session
            self._emit(self._submission(row))
            self._touch(row)
        else:
            old(self, row, asked_at)

    return judge


def _failure_is_an_empty_list(old: Any) -> Any:
    def on_event(self: Any, event: Any, *, now: float, wall_ms: int) -> None:
        if isinstance(event, HistoryFailed):
            event = HistoryReport(
                request_id=event.request_id,
                session=event.session,
                since_ms=self.fence.since_ms,
                open_orders=(),
                closed_orders=(),
                trades=(),
                received_ns=0,
            )
        old(self, event, now=now, wall_ms=wall_ms)

    return on_event


def _doubt_is_refusal(old: Any) -> Any:
    def on_event(self: Any, event: Any, *, now: float, wall_ms: int) -> None:
        if isinstance(event, CommandInDoubt):
            event = RequestNotice(
                session=event.session,
                kind="on-req",
                status="ERROR",
                text="doubt",
                cid=event.cid,
                venue_id=None,
                received_ns=0,
            )
        old(self, event, now=now, wall_ms=wall_ms)

    return on_event


def _restart_forgets_what_left(old: Any) -> Any:
    def begin(self: Any, epoch: int) -> None:
        for row in self._open.values():
            if row.state in (S.INTENT, S.SENT, S.UNKNOWN):
                row.state, row.held_back = S.INTENT, True
                row.session, row.sent, row.attempt = 0, False, 0
        old(self, epoch)

    return begin


def _client_ids_begin_anew(old: Any) -> Any:
    def restoring(self: Any, cells: Any, **terms: Any) -> Any:
        yield from old(self, cells, **terms)
        self.last_cid = max(0, self.last_cid - 1)

    return restoring


def _ack_first(old: Any) -> Any:
    async def lease(self: Any, **terms: Any) -> Any:
        batch = await old(self, **terms)
        self.ack_all(batch)
        return batch

    return lease


def _fee_is_nothing(old: Any) -> Any:
    def fill_of(trade: Any, row: Any, *more: Any) -> Any:
        return msgspec.structs.replace(old(trade, row, *more), fee=Decimal(0))

    return fill_of


def _history_without_trades(old: Any) -> Any:
    def on_report(self: Any, report: Any) -> None:
        old(self, msgspec.structs.replace(report, trades=()))

    return on_report


def _journal_answers_first(old: Any) -> Any:
    async def serve(self: Any, ctx: Any, batch: Any) -> None:
        for envelope in batch:
            if isinstance(envelope.message, Commit):
                envelope.reply(Committed(first_seq=0, new=(True,) * len(envelope.message.records)))
        await old(self, ctx, batch)

    return serve


def _scores_out_of_turn(old: Any) -> Any:
    def take(self: Any, limit: int) -> Any:
        return old(self, limit)[::-1]

    return take


def _redelivered_last(old: Any) -> Any:
    def put_back(self: Any, envelopes: Any) -> None:
        self.redelivered += len(envelopes)
        self.queue.extend(envelopes)

    return put_back


def _stops_from_the_front(old: Any) -> Any:
    async def stop_all(self: Any) -> None:
        self._children.reverse()
        try:
            await old(self)
        finally:
            self._children.reverse()

    return stop_all


def _half_a_change(old: Any) -> Any:
    def after(layers: Any, now: Any, asked: Any, **terms: Any) -> Any:
        first = dict(list(asked.changes.items())[:1])
        return old(layers, now, msgspec.structs.replace(asked, changes=first), **terms)

    return after


def _resumes_at_start(old: Any) -> Any:
    def restore(self: Any, cells: Any) -> None:
        old(self, cells)
        self.state.trading = TradingState.ACTIVE

    return restore


def _no_audit_row(old: Any) -> Any:
    def on_command(self: Any, command: Any) -> Any:
        outputs = old(self, command)
        kept = tuple(record for record in outputs.turned if record.kind != "SetTradingState")
        return attrs.evolve(outputs, turned=kept)

    return on_command


def _scope_unread(old: Any) -> Any:
    def admit(self: Any, claims: Any, address: str, scope: Any) -> None:
        old(self, claims, address, None if claims is not None else scope)

    return admit


def _crashes_uncounted(old: Any) -> Any:
    def on_event(self: Any, event: Any) -> None:
        old(self, event)
        self.restarts_total = min(self.restarts_total, 1)

    return on_event


def _a_tenth_of_the_budget(old: Any) -> Any:
    def spend(self: Any, now: float) -> bool:
        return bool(old(self, now)) and len(self._spent) <= self.intensity // 10

    return spend


def _budget_without_end(old: Any) -> Any:
    def spend(self: Any, now: float) -> bool:
        old(self, now)
        return True

    return spend


def _two_stops(old: Any) -> Any:
    def order(intent: Any, *, cid: int, group_id: int, session: int) -> Any:
        command = old(intent, cid=cid, group_id=group_id, session=session)
        return msgspec.structs.replace(command, amount=command.amount * 2)

    return order


def _once_more(old: Any) -> Any:
    def init(self: Any, *args: Any, **terms: Any) -> None:
        old(self, *args, **terms)
        self.max_attempts += 1

    return init


def _begins_anew(old: Any) -> Any:
    def begin(cls: Any, /, path: Any, **terms: Any) -> Any:
        try:
            return old.__func__(cls, path, **terms)
        except (StoreCorrupt, StoreIncomplete):
            for file in path.parent.glob(f"{path.name}*"):
                file.unlink()
            return old.__func__(cls, path, **terms)

    return classmethod(begin)


def _never(result: Any) -> Callable[[Any], Any]:
    return lambda old: lambda *args, **terms: result


MUTANTS: Final = {
    "resend-on-timeout": Mutant(
        "a doubt is answered with a second send, and the line remembers no first",
        OrderReconciler,
        "_doubt",
        _doubt_resends,
        also=((SendLedger, "past", _never(None)), (SendLedger, "past_or_begin", _never(None))),
        led_by=frozenset({"lost_ack", "half_sent", "reset"}),
    ),
    "send-before-commit": Mutant(
        "commands leave before their intents are durable", order_actor._Life, "_carry_out", _send_before_commit
    ),
    "te-and-tu": Mutant("both words about a trade are booked", order_fills.FillBook, "hear", _books_te_and_tu),
    "no-session-fence": Mutant(
        "frames of dead sessions count",
        Fence,
        "hears",
        _never(True),
        led_by=frozenset({"echo", "fin"}),
    ),
    "no-reconcile": Mutant(
        "orders leave on a session that was not compared",
        Fence,
        "ready",
        lambda old: property(lambda self: self.up),
        led_by=frozenset({"halt_in_line", "reset", "kill_at_step"}),
    ),
    "no-quarantine": Mutant(
        "one list without an order proves that it is nowhere",
        OrderReconciler,
        "_judge_absence",
        _absent_at_once,
        led_by=frozenset({"late_bytes", "ghost", "half_sent"}),
    ),
    "absent-is-resent": Mutant(
        "an order that a list lacks is sent again",
        OrderReconciler,
        "_judge_absence",
        _dead_is_sent_again,
        led_by=frozenset({"late_bytes", "ghost", "half_sent"}),
    ),
    "error-is-empty": Mutant(
        "a question that failed counts as an empty answer",
        OrderMachine,
        "on_event",
        _failure_is_an_empty_list,
        led_by=frozenset({"rest_down"}),
    ),
    "doubt-is-refusal": Mutant(
        "a broken send counts as refused",
        OrderMachine,
        "on_event",
        _doubt_is_refusal,
        led_by=frozenset({"half_sent", "lost_ack"}),
    ),
    "restart-resends": Mutant(
        "a new process sends what an old one may have sent",
        OrderMachine,
        "_begin_process",
        _restart_forgets_what_left,
        led_by=frozenset({"kill_at_step", "power_cut", "half_sent"}),
    ),
    "client-ids-again": Mutant(
        "a restart gives a client id out again",
        OrderMachine,
        "restoring",
        _client_ids_begin_anew,
        led_by=frozenset({"kill_at_step"}),
    ),
    "ack-first": Mutant(
        "messages are acked before they are handled",
        Inbox,
        "lease",
        _ack_first,
        led_by=frozenset({"crash_busy", "crash", "hang"}),
    ),
    "no-fees": Mutant("fees are not booked", order_fills, "fill_of", _fee_is_nothing),
    "history-without-trades": Mutant(
        "trades that only REST tells are dropped",
        OrderReconciler,
        "_on_report",
        _history_without_trades,
    ),
    "no-new-session": Mutant(
        "a doubt never asks for a new session",
        Fence,
        "wants_reconnect",
        _never(False),
        also=((AccountLine, "is_deaf", _never(False)),),
        led_by=frozenset({"stall_to_venue"}),
    ),
    "nonce-of-the-clock": Mutant(
        "nonces are the clock's, whatever was used before",
        NonceOwner,
        "_take",
        lambda old: lambda self: self._wall_us(),
        led_by=frozenset({"clock_step", "reset", "fin"}),
    ),
    "halt-unheard": Mutant(
        "the order actor does not know of a halt",
        order_actor._Life,
        "_halted",
        _never(None),
        led_by=frozenset({"halt_in_line"}),
    ),
    "old-signals": Mutant(
        "a signal may wait for a session as long as it likes",
        order_requests.OrderRequests,
        "_too_old_at",
        lambda old: lambda self, row: row.since_at + 1e6,
        led_by=frozenset({"line_at_decision"}),
    ),
    "deaf-watch": Mutant(
        "silence on the private line is not noticed",
        private_line.ConnectionPrivateActor,
        "_look",
        lambda old: _wait_for_ever,
        led_by=frozenset({"stall_from_venue", "stall_both"}),
    ),
    "deaf-to-gaps": Mutant(
        "nobody asks for a number or a market order, so a lost frame shows with the heartbeats",
        private_line.ConnectionPrivateActor,
        "_probe",
        lambda old: _wait_for_ever,
        also=((OrderMachine, "_ask_for_end", _rests_for_good),),
        led_by=frozenset({"lose_frames"}),
    ),
    "hangs-unseen": Mutant(
        "an actor that hangs is found by the long watch alone",
        Hangs,
        "_has_work",
        _never(None),
        led_by=frozenset({"hang", "livelock"}),
    ),
    "no-lock": Mutant(
        "the lock of the journal is not taken",
        fcntl,
        "flock",
        _never(None),
        led_by=frozenset({"second_engine"}),
    ),
    "no-epoch": Mutant(
        "an older session of the journal goes on writing",
        store._Reader,
        "epoch",
        lambda old: lambda self: getattr(self, "_epoch", 0) or old(self),
        led_by=frozenset({"usurper"}),
    ),
    "no-wallets": Mutant("changes of wallets are not kept", AccountMachine, "_keep", _never(None)),
    "no-progress-watch": Mutant(
        "an actor that hangs is left alone",
        Supervisor,
        "_watch",
        _never(None),
        led_by=frozenset({"hang", "livelock"}),
    ),
    "rest-says-nothing": Mutant(
        "questions about history are never answered", rest.HistoryActor, "_serve_orders", lambda old: _wait_for_ever
    ),
    "gap-unread": Mutant(
        "a gap in a socket's numbers is not noticed",
        SequenceAudit,
        "_count_account",
        _never(None),
        also=((SequenceAudit, "_count_public", _never(None)),),
        led_by=frozenset({"lose_frames", "duplicate_frames"}),
    ),
    "checksum-unread": Mutant(
        "a book's checksum is not compared",
        PublicSession,
        "_checked",
        _never(None),
        led_by=frozenset({"bad_checksum"}),
    ),
    "journal-answers-first": Mutant(
        "the journal answers before the disk has what it was told",
        journal_actor.JournalActor,
        "_serve",
        _journal_answers_first,
        led_by=frozenset({"slow_disk", "disk_error", "manual_order"}),
    ),
    "last-first": Mutant("a channel gives its newest message first", Channel, "take", _scores_out_of_turn),
    "redelivered-last": Mutant(
        "what a dead actor had in its hands comes back behind the rest",
        Channel,
        "put_back",
        _redelivered_last,
        led_by=frozenset({"hang", "crash_busy"}),
    ),
    "stops-forward": Mutant(
        "children are stopped in the order of their start", Supervisor, "_stop_all", _stops_from_the_front
    ),
    "budget-without-end": Mutant(
        "a branch may fail as often as it likes",
        RestartBudget,
        "spend",
        _budget_without_end,
        led_by=frozenset({"crash_storm", "reset", "fin"}),
    ),
    "tenth-of-a-budget": Mutant(
        "a branch gives up long before its budget is spent",
        RestartBudget,
        "spend",
        _a_tenth_of_the_budget,
        led_by=frozenset({"crash_storm"}),
    ),
    "settings-unkept": Mutant(
        "settings are in force before the journal has them",
        config_actor.ConfigActor,
        "_commit",
        lambda old: _nothing,
        led_by=frozenset({"new_settings"}),
    ),
    "settings-forgotten": Mutant(
        "a start does not read what was set while running",
        config_actor,
        "at_start",
        lambda old: lambda layers, stored, **terms: old(layers, (), **terms),
        led_by=frozenset({"new_settings", "kill_at_step"}),
    ),
    "half-a-change": Mutant(
        "of two settings changed together one changes",
        config_actor,
        "after",
        _half_a_change,
        led_by=frozenset({"new_settings"}),
    ),
    "halt-forgotten": Mutant(
        "a restart ends a halt",
        RiskMachine,
        "restore",
        _resumes_at_start,
        led_by=frozenset({"halt", "kill_at_step", "manual_order"}),
    ),
    "audit-silent": Mutant(
        "a halt by a person is not written down",
        RiskMachine,
        "on_command",
        _no_audit_row,
        led_by=frozenset({"boss"}),
        with_web=True,
    ),
    "scope-unread": Mutant(
        "any token may do anything",
        Api,
        "admit",
        _scope_unread,
        led_by=frozenset({"strangers"}),
        with_web=True,
    ),
    "four-lives": Mutant(
        "a message may kill its reader once more than agreed",
        Mailbox,
        "__init__",
        _once_more,
        led_by=frozenset({"poison"}),
    ),
    "empty-for-corrupt": Mutant(
        "a corrupt journal is answered with an empty one",
        store.Store,
        "open",
        _begins_anew,
        led_by=frozenset({"bad_sector"}),
    ),
    "crashes-uncounted": Mutant(
        "the counter of crashes stands still",
        Engine,
        "_on_event",
        _crashes_uncounted,
        led_by=frozenset({"crash"}),
    ),
    "adoption-unheard": Mutant(
        "the account's actor does not know what an adoption is",
        account_actor,
        "_hear",
        _adoption_unheard,
        led_by=frozenset({"adopt"}),
    ),
    "adoption-forgotten": Mutant(
        "the account leaves adopted coins with who had them",
        AccountMachine,
        "_on_adopted",
        _never(None),
        led_by=frozenset({"adopt"}),
    ),
    "room-held": Mutant("risk holds room for orders that have ended", RiskMachine, "release_ended", _never(None)),
    "twins-stay": Mutant(
        "of two equal stops both are kept",
        order_protect,
        "next_steps",
        _takes_nothing_out,
        led_by=frozenset({"twin_stop", "ghost"}),
    ),
    "no-stops": Mutant("no position gets a stop", order_protect, "next_steps", _never(())),
    "twice-the-size": Mutant("twice what risk allowed is ordered", order_requests, "submit_order", _two_stops),
    "slow-comeback": Mutant(
        "a crashed actor pauses for ten minutes",
        Backoff,
        "delay_s",
        _never(600.0),
        led_by=frozenset({"crash"}),
    ),
    **REST_MUTANTS,
}


async def _nothing(*_: Any) -> None:
    await trio.lowlevel.checkpoint()


async def _wait_for_ever(*_: Any) -> None:
    await trio.sleep_forever()


@contextlib.contextmanager
def mutated(name: str | None) -> Iterator[None]:
    """The engine with this defect, inside. None: without any."""
    if name is None:
        yield
        return
    mutant = MUTANTS[name]
    with contextlib.ExitStack() as stack:
        for where, attribute, replace in ((mutant.where, mutant.name, mutant.replace), *mutant.also):
            old = inspect.getattr_static(where, attribute)
            stack.enter_context(patch.object(where, attribute, replace(old)))
        yield
