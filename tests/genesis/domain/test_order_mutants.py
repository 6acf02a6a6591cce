"""Deliberate defects of the order machine, each of which the world of `order_oracle` must catch.

A checker that was never seen to fire proves nothing. With `-s` pytest prints which seed caught which defect, and with
which words.
"""

import random
from collections.abc import Callable
from typing import Any

import pytest

import genesis.domain.order_requests as order_requests
import tests.genesis.domain.order_oracle as order_oracle
from genesis.domain.order_fills import FillBook
from genesis.domain.order_machine import OrderMachine
from genesis.domain.order_rows import FillRow, OrderRow, fill_key
from genesis.domain.order_session import Fence
from genesis.domain.order_state import OrderEvent
from protocols.orders import Approved, OrderSnapshot, OrderState, VenueTrade
from protocols.settings import OrderSettings
from tests.genesis.domain.order_oracle import World

pytestmark = pytest.mark.chaos

SEEDS = 150
STEPS = 400
E, S = OrderEvent, OrderState
Patch = pytest.MonkeyPatch
_as_written = {
    name: getattr(OrderMachine, name)
    for name in ("_begin_process", "_admit", "_pursue_cancel", "_judge_absence", "take", "_give_up_waiting")
}
_hear = FillBook.hear
_carry_out = World.carry_out


def no_quarantine(patch: Patch) -> None:
    patch.setattr(order_oracle, "SETTINGS", OrderSettings(quarantine_s=0.0))


def resend_on_doubt(patch: Patch) -> None:
    def doubt(machine: OrderMachine, row: OrderRow, why: str) -> None:
        row.session, row.state, row.check_at = 0, S.INTENT, machine._now + 1
        machine._touch(row)

    patch.setattr(OrderMachine, "_doubt", doubt)


def doubt_is_a_rejection(patch: Patch) -> None:
    def doubt(machine: OrderMachine, row: OrderRow, why: str) -> None:
        if row.state in (S.INTENT, S.SENT):
            machine._end(row, E.REFUSED, why)

    patch.setattr(OrderMachine, "_doubt", doubt)


def retry_without_a_pause(patch: Patch) -> None:
    patch.setattr(order_requests, "RETRY_PAUSE_S", 0.0)


def send_before_the_comparison(patch: Patch) -> None:
    patch.setattr(Fence, "ready", property(lambda fence: fence.up))


def absence_while_the_socket_lives(patch: Patch) -> None:
    def judge(machine: OrderMachine, row: OrderRow, asked_at: float) -> None:
        if row.state in (S.SENT, S.UNKNOWN):
            machine._move(row, E.DOUBT, "not listed")
            machine._end(row, E.ABSENT, "not listed")
        else:
            _as_written["_judge_absence"](machine, row, asked_at)

    patch.setattr(OrderMachine, "_judge_absence", judge)


def a_restart_resends(patch: Patch) -> None:
    def begin(machine: OrderMachine, epoch: int) -> None:
        _as_written["_begin_process"](machine, epoch)
        for row in machine._open.values():
            if row.state is S.UNKNOWN:
                row.state, row.session, row.check_at = S.INTENT, 0, machine._now + 6

    patch.setattr(OrderMachine, "_begin_process", begin)


def a_restart_begins_ids_anew(patch: Patch) -> None:
    def begin(machine: OrderMachine, epoch: int) -> None:
        _as_written["_begin_process"](machine, epoch)
        machine.last_cid = 0

    patch.setattr(OrderMachine, "_begin_process", begin)


def a_restart_forgets_intents(patch: Patch) -> None:
    def begin(machine: OrderMachine, epoch: int) -> None:
        _as_written["_begin_process"](machine, epoch)
        machine._by_intent.clear()

    patch.setattr(OrderMachine, "_begin_process", begin)


def the_end_before_the_fills(patch: Patch) -> None:
    def settle(machine: OrderMachine, row: OrderRow) -> None:
        if row.closing is not None and row.open:
            event = {S.FILLED: E.LAST_FILL, S.EXPIRED: E.EXPIRED}.get(row.closing, E.CANCELED)
            machine._end(row, event, row.reason)

    patch.setattr(OrderMachine, "_settle", settle)


def reports_are_not_said_again(patch: Patch) -> None:
    patch.setattr(OrderMachine, "_say_again", lambda machine, after_serial: iter(()))


def history_books_a_trade_again(patch: Patch) -> None:
    def hear(book: FillBook, trade: VenueTrade, now: float, check_at: float) -> FillRow | None:
        row = book.rows.get(fill_key(trade.trade_id, trade.venue_order_id))
        if row is not None and row.fill is not None and trade.event == "rest":
            row.fill = None
            book.untold[row.key] = row
            return row
        return _hear(book, trade, now, check_at)

    patch.setattr(FillBook, "hear", hear)


def te_and_tu_are_two_trades(patch: Patch) -> None:
    def hear(book: FillBook, trade: VenueTrade, now: float, check_at: float) -> FillRow | None:
        if trade.event == "te":
            trade = order_oracle.with_fee(trade, "tu", trade.session)
        elif trade.event == "tu":
            trade = order_oracle._replace(trade, trade_id=-trade.trade_id)
        return _hear(book, trade, now, check_at)

    patch.setattr(FillBook, "hear", hear)


def any_snapshot_is_believed(patch: Patch) -> None:
    def on_snapshot(machine: OrderMachine, snapshot: OrderSnapshot) -> None:
        for order in snapshot.orders:
            machine._on_venue_order(order)
        machine.fence.shown = True
        machine._begin_reconcile()

    patch.setattr(OrderMachine, "_on_snapshot", on_snapshot)


def an_intent_said_again_is_another(patch: Patch) -> None:
    def admit(machine: OrderMachine, approved: Approved) -> None:
        machine._by_intent.pop(approved.intent.intent_id, None)
        _as_written["_admit"](machine, approved)

    patch.setattr(OrderMachine, "_admit", admit)


def updates_are_never_answered(patch: Patch) -> None:
    patch.setattr(OrderMachine, "_answered", lambda machine, row, reason: None)


def cancels_end_with_the_process(patch: Patch) -> None:
    def pursue(machine: OrderMachine, row: OrderRow) -> None:
        if machine.fence.epoch == 1:
            _as_written["_pursue_cancel"](machine, row)

    patch.setattr(OrderMachine, "_pursue_cancel", pursue)


def commands_before_the_commit(patch: Patch) -> None:
    def carry_out(world: World, out: Any, kill_at: int | None) -> None:
        for outgoing in out.commands:
            if outgoing.key not in world.put_keys:
                world.put_keys.add(outgoing.key)
                world.commands.append(outgoing.command)
        _carry_out(world, out, kill_at)

    patch.setattr(World, "carry_out", carry_out)


def fills_are_not_kept(patch: Patch) -> None:
    def take(machine: OrderMachine) -> Any:
        out = _as_written["take"](machine)
        for key in [key for key in out.cells if key.startswith("fill:")]:
            del out.cells[key]
        return out

    patch.setattr(OrderMachine, "take", take)


def an_unwanted_entry_leaves(patch: Patch) -> None:
    patch.setattr(OrderMachine, "on_unwanted", lambda machine, told, now, wall_ms: None)


def an_unwanted_entry_is_tried_again(patch: Patch) -> None:
    def give_up(machine: OrderMachine, row: OrderRow, reason: str) -> None:
        if row.state is S.INTENT and row.session == 0:
            _as_written["_give_up_waiting"](machine, row, reason)

    patch.setattr(OrderMachine, "_give_up_waiting", give_up)


MUTANTS: tuple[Callable[[Patch], None], ...] = (
    no_quarantine,
    resend_on_doubt,
    doubt_is_a_rejection,
    retry_without_a_pause,
    send_before_the_comparison,
    absence_while_the_socket_lives,
    a_restart_resends,
    a_restart_begins_ids_anew,
    a_restart_forgets_intents,
    the_end_before_the_fills,
    reports_are_not_said_again,
    history_books_a_trade_again,
    te_and_tu_are_two_trades,
    any_snapshot_is_believed,
    an_intent_said_again_is_another,
    updates_are_never_answered,
    cancels_end_with_the_process,
    commands_before_the_commit,
    fills_are_not_kept,
    an_unwanted_entry_leaves,
    an_unwanted_entry_is_tried_again,
)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_every_deliberate_defect_is_caught(mutant: Callable[[Patch], None], monkeypatch: Patch) -> None:
    mutant(monkeypatch)
    for seed in range(SEEDS):
        chance = random.Random(seed)
        try:
            world = World()
            for _ in range(STEPS):
                world.act(chance.randrange(24 * 840))
                world.check_laws()
            world.heal()
            world.check_settled()
        except Exception as caught:
            print(f"{mutant.__name__}: seed {seed}: {type(caught).__name__}: {str(caught)[:100]}")
            return
    pytest.fail(f"{mutant.__name__} lived through {SEEDS} seeds")
