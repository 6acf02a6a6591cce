"""The account actor: what the venue says we have, what our fills made of it, and what that is worth.

It recovers positions from every fill the order actor kept, and wallets from its own cell. What changed is put to the
journal before risk hears of it, so that nothing which risk keeps is durable without it, and acknowledged when it is
durable. Prices move the curve and what readers see; risk hears those alone of which no strategy tells it. When it is
stopped it hears what still waits, keeps the curve to its end, and publishes.
"""

from collections.abc import Sequence
from typing import Any

import attrs
import msgspec
import trio

from genesis.core.actor import Context
from genesis.core.channel import Answer, Channel
from genesis.core.latest import Latest
from genesis.core.mailbox import Envelope, Outlet
from genesis.domain.account_checkpoint import ACCOUNT_TABLE
from genesis.domain.account_machine import AccountMachine
from genesis.domain.market_prices import MarketPrices
from genesis.domain.order_rows import TABLE as ORDER_TABLE
from genesis.domain.risk_state import spot_symbol
from protocols.account import AccountView, LedgerFailed, LedgerReport, LedgerRequest
from protocols.health import Notice
from protocols.journal import Cells, Commit, JournalRequest, ReadCells
from protocols.market import CandleClosed
from protocols.orders import (
    Adopted,
    Fill,
    OrderUpdate,
    PositionSnapshot,
    VenuePosition,
    VenueWallet,
    WalletSnapshot,
)
from protocols.risk import AccountState, MarketPrice
from protocols.settings import Settings
from protocols.signals import StrategyView
from protocols.units import ZERO, base_currency, plain

BATCH = 256
DIFFERENCE_S = 5.0
"""A difference of books that lasts this long is told to people."""
ASK_LEDGER_EVERY_S = 5.0
LEDGER_LOST_S = 120.0
"""An answer that has not come by then will not."""
PUBLISH_S = 0.25
"""Readers get a new view this often at most."""
KEEP_POINTS = 15
"""Curve points that a crash of the process may cost."""
FILL_FOLLOWS_S = 0.02
"""A wallet that an order moved comes with its trade, which the order actor keeps before it tells us: so long the wallet
waits, so that both are kept by one commit and risk hears of both at once."""


@attrs.define(kw_only=True)
class AccountActor:
    """Hears balances, order reports and closed candles on one mailbox."""

    settings: Latest[Settings]
    journal: Channel[JournalRequest]
    risk: Channel[AccountState]
    view: Latest[AccountView | None]
    strategies: Latest[tuple[StrategyView, ...]] = attrs.field(factory=lambda: Latest(()))
    """Who speaks: of the other watched markets risk hears the prices from here."""
    own_fills: Channel[Fill] | None = None
    """To the strategies, after risk knows what a fill made of the account."""
    ledgers: Channel[LedgerRequest] | None = None
    """To who asks the venue's ledgers what moved while nobody listened."""
    ui: Channel[Any] | None = None

    async def run(self, ctx: Context) -> None:
        journal = ctx.outlet(self.journal)
        risk = ctx.outlet(self.risk)
        ui = ctx.outlet(self.ui) if self.ui is not None else None
        own_fills = None if self.own_fills is None else ctx.outlet(self.own_fills)
        settings_version = self.settings.version
        machine = AccountMachine(self.settings.take(ctx.name), asks_ledger=self.ledgers is not None)
        ledgers = _Ledgers(machine, None if self.ledgers is None else ctx.outlet(self.ledgers))
        orders: Cells = await journal.ask(ReadCells(table=ORDER_TABLE))
        kept: Cells = await journal.ask(ReadCells(table=ACCOUNT_TABLE))
        for _ in machine.restoring(orders=orders.cells, kept=kept.cells, same_process=ctx.generation > 1):
            await trio.lowlevel.checkpoint()
        if machine.missed.gaps:
            # The life before may have asked, and may not: nobody else will wake us for it.
            ledgers.ask_at = ctx.clock.now()
        told_version = machine.version
        prices = MarketPrices()
        told_prices: tuple[MarketPrice, ...] = ()
        risk.put_nowait(machine.state())
        self.view.set(machine.view())
        stopping = ctx.stopping
        ctx.ready()
        publish_at, published_at = float("inf"), float("-inf")
        # As of the last batch, where somebody has asked for it since.
        state: AccountState | None = None
        differences, unpriced, unclear = _Differences(), _UnpricedFees(), _UnclearRows()
        while True:
            batch = await ctx.inbox.lease(limit=BATCH, until=min(publish_at, differences.look_at, ledgers.ask_at))
            await _wait_for_fills(ctx, batch)
            ends = stopping.is_set() and not batch
            if batch or self.settings.version != settings_version:
                state = None
            if self.settings.version != settings_version:
                settings_version = self.settings.version
                machine.on_settings(self.settings.take(ctx.name))
            moved = [_hear(machine, prices, envelope.message) for envelope in batch]
            if any(moved):
                unspoken = prices.unspoken(machine.settings, self.strategies.value)
                moved = [] if unspoken == told_prices else moved
                told_prices = unspoken
            for envelope in batch:
                ledgers.hear(envelope.message)
            ledgers.ask(ctx.clock.now())
            changed = machine.version != told_version
            commit: Answer | None = None
            if changed or machine.equity_curve.unkept >= (1 if ends else KEEP_POINTS):
                commit = await journal.lodge(Commit(writer=ctx.name, cells=machine.checkpoint()))
            if changed or any(moved):
                told_version = machine.version
                state = machine.state()
                risk.put_nowait(msgspec.structs.replace(state, prices=told_prices))
            if commit is not None:
                # What risk makes of it is put behind our commit meanwhile, and one sync keeps both.
                await trio.lowlevel.checkpoint()
                await journal.answer_to(commit)
                if ui is not None and changed:
                    ui.put_nowait(state)
            if own_fills is not None:
                for envelope in batch:
                    if isinstance(envelope.message, Fill) and not envelope.message.foreign:
                        own_fills.put_nowait(envelope.message)
            if ui is not None:
                for text in unpriced.follow([envelope.message for envelope in batch], machine.settings.quote_currency):
                    ui.put_nowait(Notice(level="warning", code="fee_unpriced", text=text, at_ms=ctx.clock.wall_ms()))
                for code, text in ledgers.take_news():
                    level = "info" if code == "money_moved" else "warning"
                    ui.put_nowait(Notice(level=level, code=code, text=text, at_ms=ctx.clock.wall_ms()))
                for text in unclear.follow([envelope.message for envelope in batch]):
                    ui.put_nowait(Notice(level="alarm", code="account_unclear", text=text, at_ms=ctx.clock.wall_ms()))
            now = ctx.clock.now()
            if batch:
                # At once after a quiet time: nobody has to be woken for it again.
                publish_at = min(publish_at, max(now, published_at + PUBLISH_S))
            if now >= publish_at or ends:
                publish_at, published_at = float("inf"), now
                view = machine.view(state)
                self.view.set(view)
                if ui is not None:
                    ui.put_nowait(view.state)
            if changed or now >= differences.look_at:
                for text in differences.follow(state or machine.state(), now):
                    if ui is not None:
                        ui.put_nowait(Notice(level="alarm", code="books_differ", text=text, at_ms=ctx.clock.wall_ms()))
            ctx.inbox.ack_all(batch)
            if ends:
                # Everything told has been heard: what the summary of the run reads is its last word.
                return


@attrs.define
class _Differences:
    """Symbols of which our fills and the venue's wallet tell different stories. Risk lets nothing into them at once;
    people hear of it when it lasts, because a fill and its wallet come in two frames."""

    since: dict[str, float] = attrs.field(factory=dict)
    told: set[str] = attrs.field(factory=set)

    @property
    def look_at(self) -> float:
        if not self.since:
            return float("inf")
        waiting = [since + DIFFERENCE_S for symbol, since in self.since.items() if symbol not in self.told]
        return min(waiting, default=float("inf"))

    def follow(self, state: AccountState, now: float) -> list[str]:
        """Sentences for people about what is news."""
        texts = []
        held = {position.symbol: position.quantity for position in state.positions}
        balances = {wallet.currency: wallet.balance for wallet in state.wallets if wallet.wallet_type == "exchange"}
        for symbol in state.mismatched_symbols:
            since = self.since.setdefault(symbol, now)
            if now >= since + DIFFERENCE_S and symbol not in self.told:
                self.told.add(symbol)
                balance = balances.get(base_currency(symbol), ZERO)
                texts.append(
                    f"{symbol} is halted: our fills hold {plain(held[symbol])}, the venue's wallet {plain(balance)}"
                )
        for gone in [symbol for symbol in self.since if symbol not in state.mismatched_symbols]:
            del self.since[gone]
            if gone in self.told:
                self.told.discard(gone)
                texts.append(f"{gone} is open again: our fills and the venue's wallet agree")
        return texts


@attrs.define
class _UnpricedFees:
    """Currencies of fees whose worth nobody knew: people are told once in a life what is missing in the figures."""

    told: set[str] = attrs.field(factory=set)

    def follow(self, messages: Sequence[object], counted_in: str) -> list[str]:
        """A sentence for each that is news."""
        texts = []
        for fill in messages:
            if not isinstance(fill, Fill) or fill.foreign or fill.fee_is_priced or fill.fee_currency in self.told:
                continue
            self.told.add(fill.fee_currency)
            pair = spot_symbol(fill.fee_currency, counted_in)
            texts.append(
                f"a fee of {plain(abs(fill.fee))} {fill.fee_currency} counts as 0 in profit and loss, as others in"
                f" {fill.fee_currency} will: no price of it was known; with {pair} in market.symbols it is"
            )
        return texts


@attrs.define
class _Ledgers:
    """Asks for the ledgers of wallets that changed while nobody listened, until they have said why."""

    machine: AccountMachine
    requests: Outlet[LedgerRequest] | None
    ask_at: float = float("inf")
    news: list[tuple[str, str]] = attrs.field(factory=list)
    """Codes and sentences for people."""
    _due: dict[str, float] = attrs.field(factory=dict)
    """When to ask for a currency again; one that was asked for is answered first, or is lost."""
    _answered: set[str] = attrs.field(factory=set)

    def ask(self, now: float) -> None:
        """Ask what is to be asked now: at once what is new, and what was not answered well enough after a pause."""
        wanted = self.machine.missed.currencies()
        if not wanted or self.requests is None:
            self._due, self.ask_at = {}, float("inf")
            self._answered.clear()
            return
        due = {currency: self._due.get(currency, now) for currency in wanted}
        for currency in self._answered & due.keys():
            due[currency] = now + ASK_LEDGER_EVERY_S
        self._answered.clear()
        for currency, at in due.items():
            if now >= at:
                # A venue that is silent must not be asked more and more meanwhile.
                self.requests.put_nowait(LedgerRequest(currency=currency))
                due[currency] = now + LEDGER_LOST_S
        self._due, self.ask_at = due, min(due.values())

    def hear(self, message: object) -> None:
        if isinstance(message, LedgerReport | LedgerFailed):
            self._answered.add(message.currency)
        if isinstance(message, LedgerReport):
            for gap, moved in self.machine.on_ledger(message.currency, message.entries, whole=message.whole):
                if moved:
                    went = "came into" if moved > ZERO else "left"
                    self._say(
                        "money_moved",
                        f"{plain(abs(moved))} {gap.currency} {went} the {gap.wallet_type} wallet while the private line"
                        " was down: neither won nor lost",
                    )
        elif isinstance(message, LedgerFailed) and message.refused:
            for gap in self.machine.give_up(message.currency):
                self._say(
                    "money_unclear",
                    f"the {gap.wallet_type} wallet went from {plain(gap.before)} to {plain(gap.after)} {gap.currency}"
                    f" while the private line was down, and the venue does not say why ({message.reason}): what of it"
                    " was paid in or out counts as won or lost",
                )

    def take_news(self) -> list[tuple[str, str]]:
        news, self.news = self.news, []
        return news

    def _say(self, code: str, text: str) -> None:
        self.news.append((code, text))


@attrs.define
class _UnclearRows:
    """Wallets and positions that cannot be as the venue told them: people hear of each once in a life."""

    told: set[str] = attrs.field(factory=set)

    def follow(self, messages: Sequence[object]) -> list[str]:
        """A sentence for each that is news."""
        texts = []
        for message in messages:
            if not isinstance(message, WalletSnapshot | PositionSnapshot):
                continue
            for row in message.unclear:
                if row.reason not in self.told:
                    self.told.add(row.reason)
                    texts.append(f"{row.reason}; the last one that could be counts on, and nothing is entered")
        return texts


async def _wait_for_fills(ctx: Context, batch: list[Envelope]) -> None:
    """Add to moved wallets what comes with them."""
    newest, until = batch, ctx.clock.now() + FILL_FOLLOWS_S
    while newest and len(batch) < BATCH and all([isinstance(envelope.message, VenueWallet) for envelope in newest]):
        newest = await ctx.inbox.more(limit=BATCH - len(batch), until=until)
        batch += newest


def _hear(machine: AccountMachine, prices: MarketPrices, message: object) -> bool:
    """Whether a market has a new price by it."""
    match message:
        case OrderUpdate() | Fill() | Adopted():
            machine.on_report(message)
        case WalletSnapshot() | VenueWallet() | PositionSnapshot() | VenuePosition():
            machine.on_balance(message)
        case LedgerReport() | LedgerFailed():
            # Heard by who asked.
            pass
        case CandleClosed():
            machine.on_price(message.candle.symbol, message.candle.close)
            if not message.catch_up:
                # What we own now was not worth that then: history marks, but draws no points.
                machine.mark_time(message.closed_ms)
            return prices.on_candle(message)
        case _:
            raise TypeError(f"message must be a balance, an order report or a candle, was {type(message).__name__}")
    return False
