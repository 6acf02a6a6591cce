"""The account actor: what the venue says we have, what our fills made of it, and what that is worth.

It recovers positions from every fill the order actor kept, and wallets from its own cell. What changed is durable
before it is acknowledged, then risk hears the newest state. Prices move the curve and what readers see, never the
state that risk decides by. When it is stopped it hears what still waits, keeps the curve to its end, and publishes.
"""

from typing import Any

import attrs

from genesis.core.actor import Context
from genesis.core.channel import Channel
from genesis.core.latest import Latest
from genesis.domain.account_machine import ACCOUNT_TABLE, AccountMachine
from genesis.domain.order_rows import TABLE as ORDER_TABLE
from protocols.account import AccountView
from protocols.journal import Cells, Commit, JournalRequest, ReadCells
from protocols.market import CandleClosed
from protocols.orders import (
    Fill,
    OrderUpdate,
    PositionSnapshot,
    VenuePosition,
    VenueWallet,
    WalletSnapshot,
)
from protocols.risk import AccountState
from protocols.settings import Settings

BATCH = 256
PUBLISH_S = 0.25
"""Readers get a new view this often at most."""
KEEP_POINTS = 15
"""Curve points that a crash of the process may cost."""


@attrs.define(kw_only=True)
class AccountActor:
    """Hears balances, order reports and closed candles on one mailbox."""

    settings: Latest[Settings]
    journal: Channel[JournalRequest]
    risk: Channel[AccountState]
    view: Latest[AccountView | None]
    ui: Channel[Any] | None = None

    async def run(self, ctx: Context) -> None:
        journal = ctx.outlet(self.journal)
        risk = ctx.outlet(self.risk)
        ui = ctx.outlet(self.ui) if self.ui is not None else None
        settings_version = self.settings.version
        machine = AccountMachine(self.settings.value)
        orders: Cells = await journal.ask(ReadCells(table=ORDER_TABLE))
        kept: Cells = await journal.ask(ReadCells(table=ACCOUNT_TABLE))
        machine.restore(orders=orders.cells, kept=kept.cells, same_process=ctx.generation > 1)
        told_version = machine.version
        risk.put_nowait(machine.state())
        self.view.set(machine.view())
        stopping = ctx.stopping
        ctx.ready()
        publish_at = float("inf")
        while True:
            batch = await ctx.inbox.lease(limit=BATCH, until=publish_at)
            ends = stopping.is_set() and not batch
            if self.settings.version != settings_version:
                settings_version = self.settings.version
                machine.on_settings(self.settings.value)
            for envelope in batch:
                _hear(machine, envelope.message)
            changed = machine.version != told_version
            if changed or machine.unkept_points >= (1 if ends else KEEP_POINTS):
                await journal.ask(Commit(writer=ctx.name, cells=machine.checkpoint()))
            if changed:
                told_version = machine.version
                state = machine.state()
                risk.put_nowait(state)
                if ui is not None:
                    ui.put_nowait(state)
            now = ctx.clock.now()
            if batch:
                publish_at = min(publish_at, now + PUBLISH_S)
            if now >= publish_at or ends:
                publish_at = float("inf")
                view = machine.view()
                self.view.set(view)
                if ui is not None:
                    ui.put_nowait(view.state)
            ctx.inbox.ack_all(batch)
            if ends:
                # Everything told has been heard: what the summary of the run reads is its last word.
                return


def _hear(machine: AccountMachine, message: object) -> None:
    match message:
        case OrderUpdate() | Fill():
            machine.on_report(message)
        case WalletSnapshot() | VenueWallet() | PositionSnapshot() | VenuePosition():
            machine.on_balance(message)
        case CandleClosed():
            machine.on_price(message.candle.symbol, message.candle.close)
            if not message.catch_up:
                # What we own now was not worth that then: history marks, but draws no points.
                machine.mark_time(message.closed_ms)
        case _:
            raise TypeError(f"message must be a balance, an order report or a candle, was {type(message).__name__}")
