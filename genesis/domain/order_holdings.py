"""What is certainly held while nobody can ask what became of an order in doubt.

A session's first words are all open orders, all wallets and all positions. What happened while no session stood is told
by history alone, and REST may be silent for minutes. So long nothing that opens or sells leaves, but a stop may: for
what our trades say is held, cut and raised by what the venue's own wallet says is there.

How much of a wallet is a person's is remembered from quiet times, when neither the wallet nor our trades had changed
for a while (`spare`). What is there beyond that is ours, within the bounds of what unaccounted orders can have done.
No order of the exchange wallet changes what another wallet holds: coins that went there, or came from there, since then
were moved by a person, and none of ours was sold or bought with them.
"""

import math
from decimal import Decimal
from typing import Final

from genesis.domain.order_flatten import OrderFlattener
from genesis.domain.order_rows import FillRow, OrderRow, ToldRow
from genesis.domain.order_state import AT_VENUE
from protocols.orders import (
    MANUAL,
    Approved,
    OrderState,
    OrderType,
    PositionSnapshot,
    Purpose,
    VenuePosition,
    VenueWallet,
    WalletSnapshot,
)
from protocols.units import AMOUNT_STEP, ZERO, Side, Symbol, base_currency, plain, quote_currency

HISTORY_PATIENCE_S: Final = 0.5
"""After a session's snapshot stops wait no longer for history. One that answers later finds them, and moves them."""
SETTLED_S: Final = 0.25
"""All that a session says of itself has come in this time behind its snapshot."""
QUIET_S: Final = 1.0
"""Wallet and trades tell of one event within less than this."""
LARGEST_FEE: Final = Decimal("0.01")
"""Of what is bought, in its coins; the venue's dearest is 0.2 %."""
EXCHANGE: Final = "exchange"

Book = tuple[Symbol, bool]
"""A symbol and whether it is held on margin."""
S = OrderState


class OrderHoldings(OrderFlattener):
    """The venue's word on wallets and positions, and what follows of it for each book."""

    _spare_at = 0.0
    """Before this moment `_note_spare` finds nothing, unless something is told."""
    _began_in = 0
    """The session that stood when this life began: its first words, the wallets, were said to the life before."""

    def _hears(self, session: int) -> bool:
        if session > self.fence.session:
            self._note_spare()
        return super()._hears(session)

    def _admit_one(self, approved: Approved) -> None:
        if self._now >= self._spare_at:
            self._note_spare()
        super()._admit_one(approved)

    def _tell(self, fill: FillRow, row: OrderRow | None) -> None:
        self._note_spare()
        self._held_at |= dict.fromkeys(_names(fill.trade.symbol), self._now)
        self._spare_at = min(self._spare_at, self._now + QUIET_S)
        book = (fill.trade.symbol, row is not None and row.intent.margin)
        missed = self._missing(book)
        super()._tell(fill, row)
        missing = self._missing(book)
        if missing > missed:
            text = (
                f"{book[0]}: {self._sold_beyond(book)}: two stops of one lot have traded, or a sale by hand took coins"
            )
            text = (
                f"{text} that nobody knew of. Until it is bought back no strategy enters; `genesis flatten` does that"
            )
            self._out.alarms.append(("sold_twice", text))
        told = self.told_amounts[False]
        if fill.fill is not None and fill.fill.no_basis and told.spare is not None:
            # They were a person's: until the wallet is quiet again, what is bought next must not count as theirs.
            base = base_currency(fill.fill.symbol)
            told.spare = {**told.spare, base: told.spare.get(base, ZERO) - fill.fill.no_basis}
            self._dirty[told.key] = told

    def _missing(self, book: Book) -> Decimal:
        """What of a book of the exchange wallet was certainly sold beyond what was bought, where an order could buy it
        back. What is bought next fills that first, as a purchase whose sale was told before it does."""
        held = self.fills.held.get(book, ZERO)
        if held >= ZERO or book[1]:
            return ZERO
        missing = -held - self._unheard(book)[0]
        pair = self.pairs.get(book[0])
        return missing if missing >= max(ZERO if pair is None else pair.minimum, AMOUNT_STEP) else ZERO

    def _sold_beyond(self, book: Book) -> str:
        return (
            f"{plain(self._missing(book))} {base_currency(book[0])} more was sold than bought, and is not bought back"
        )

    def _refusal(self, row: OrderRow) -> str | None:
        refusal = super()._refusal(row)
        if refusal is None and row.intent.purpose is Purpose.ENTRY and row.intent.side is Side.BUY:
            book = (row.intent.symbol, row.intent.margin)
            if self._missing(book):
                # Its coins would close that, and nothing of them be its lot: no stop, and no exit.
                return self._sold_beyond(book)
        return refusal

    def _from_before(self, row: OrderRow, quantity: Decimal) -> Decimal:
        """A person may sell coins of the exchange wallet that were there before. Nothing is owed for those: were they
        counted as held below zero, what is bought next would be missing from its lot, and have no stop.

        Everything else sells what is held: what it sells beyond that was bought by a trade that is still to be told. So
        was what a person sells beyond all that is known to be their own, while a purchase in doubt may have brought it.
        """
        intent = row.intent
        if intent.purpose is not Purpose.MANUAL or intent.margin or intent.side is not Side.SELL:
            return ZERO
        book = (intent.symbol, False)
        held = self.fills.held.get(book, ZERO)
        beyond = quantity - max(held, ZERO)
        if beyond <= ZERO:
            return ZERO
        spare = (self.told_amounts[False].spare or {}).get(_name(book), ZERO)
        return max(min(beyond, spare), beyond - self._bought_unheard(row), ZERO)

    def _leaves_now(self, row: OrderRow) -> None:
        super()._leaves_now(row)
        intent = row.intent
        if intent.purpose is Purpose.MANUAL and intent.side is Side.SELL and not intent.margin:
            self._bought_ahead = {cid: ahead for cid, ahead in self._bought_ahead.items() if cid in self._open}
            purchases = [each for each in self._purchases(row) if each.session > 0 or each.state is not S.INTENT]
            self._bought_ahead[row.cid] = frozenset([each.cid for each in purchases])

    def _purchases(self, row: OrderRow) -> list[OrderRow]:
        """Open orders that buy, in any state, what an order sells from the exchange wallet."""
        symbol = row.intent.symbol
        return [
            other
            for other in self._open.values()
            if other.intent.symbol == symbol and other.intent.side is Side.BUY and not other.intent.margin
        ]

    def _bought_unheard(self, row: OrderRow) -> Decimal:
        """How much of what a person's sale took may have been bought by orders that we have not been told of.

        None of one that history does not know, and none of one that left behind a sale at market on the same socket:
        the venue takes them in turn. What a session that has ended left behind may arrive at any time.
        """
        in_turn = row.intent.order_type is OrderType.MARKET and row.session == self.fence.session
        ahead = self._bought_ahead.get(row.cid) if in_turn else None
        return sum(
            [
                self._unaccounted(other)
                for other in self._purchases(row)
                if not other.is_lost and (ahead is None or other.cid in ahead)
            ],
            ZERO,
        )

    def _on_amounts(self, event: WalletSnapshot | VenueWallet | PositionSnapshot | VenuePosition) -> None:
        match event:
            case WalletSnapshot() if any(each.wallet_type in (EXCHANGE, "") for each in event.unclear):
                # As if it had not come: what is left out would be taken for nothing.
                return
            case WalletSnapshot():
                wallets = [wallet for wallet in event.wallets if wallet.wallet_type == EXCHANGE]
                self._say_amounts(False, {wallet.currency: wallet.balance for wallet in wallets}, whole=True)
                self.told_amounts[False].others = None if event.unclear else {}
                for wallet in event.wallets:
                    self._say_other(wallet)
            case VenueWallet():
                if event.wallet_type == EXCHANGE:
                    self._say_amounts(False, {event.currency: event.balance}, whole=False)
                elif self.told_amounts[False].session == self.fence.session:
                    self._note_spare()
                    self._say_other(event)
                    self._spare_at = min(self._spare_at, self._now + QUIET_S)
            case PositionSnapshot() if event.unclear:
                return
            case PositionSnapshot():
                positions: dict[str, Decimal] = {position.symbol: position.amount for position in event.positions}
                self._say_amounts(True, positions, whole=True)
            case VenuePosition():
                self._say_amounts(True, {event.symbol: event.amount}, whole=False)

    def _say_amounts(self, margin: bool, amounts: dict[str, Decimal], *, whole: bool) -> None:
        told = self.told_amounts[margin]
        if not whole and told.session != self.fence.session:
            # Without the snapshot of this session nobody knows what the others are.
            return
        before = told.amounts
        now = {name: amount for name, amount in ((amounts if whole else before | amounts).items()) if amount}
        if told.session == self.fence.session:
            news = {name for name in {*now, *before} if now.get(name) != before.get(name)}
        else:
            news = {*now, *before}
            told.changed_at = self._now
        if not news and told.session == self.fence.session:
            return
        self._note_spare()
        told.amounts = now
        told.session = self.fence.session
        # Only `spare` is kept: a wallet's every word is not worth a write, and the next life asks for all of them anew.
        self._told_at |= {(margin, name): self._now for name in news}
        self._spare_at = min(self._spare_at, self._now + QUIET_S)

    def _say_other(self, wallet: VenueWallet) -> None:
        others = self.told_amounts[False].others
        if others is not None and wallet.wallet_type != EXCHANGE:
            there = others.setdefault(wallet.currency, {})
            if there.get(wallet.wallet_type) != wallet.balance:
                # A margin wallet is told again with each price, for what is free in it: nothing has moved.
                there[wallet.wallet_type] = wallet.balance
                self._elsewhere_at[wallet.currency] = self._now

    def _note_spare(self) -> None:
        """Before anything changes: what a wallet holds beyond our trades, of what was quiet for long enough."""
        if not self.fence.ready:
            return
        moving: set[str] | None = None
        again_at = math.inf
        for told in self.told_amounts:
            if told.session != self.fence.session:
                continue
            held, amounts, known = self._held_by_name(told.margin), told.amounts, told.spare
            elsewhere = told.elsewhere
            now: dict[str, Decimal] = {}
            for name in {*amounts, *held, *(known or ())}:
                amount = amounts.get(name, ZERO) - held.get(name, ZERO)
                # Mostly nothing is new, or nothing new is quiet yet.
                if known is None:
                    now[name] = amount
                elif amount != known.get(name, ZERO) or elsewhere.get(name) != told.in_others(name):
                    if self._is_quiet(told, name):
                        now[name] = amount
                    else:
                        again_at = min(again_at, self._quiet_at(told, name))
            if known is not None and not now:
                continue
            moving = self._moving() if moving is None else moving
            if moving or known is None:
                # What is still moving need not be told once more to have come to rest.
                again_at = self._now
            if known is None and (moving or not all([self._is_quiet(told, name) for name in ("", *now)])):
                # What is not named in it is nothing, so the first one must be of everything.
                continue
            now = {name: amount for name, amount in now.items() if name not in moving}
            spare = {name: amount for name, amount in sorted(((known or {}) | now).items()) if amount}
            there = {name: told.in_others(name) for name in now}
            elsewhere = elsewhere | {name: amount for name, amount in there.items() if amount is not None}
            whole = sorted(elsewhere.items())
            elsewhere = {name: amount for name, amount in whole if there.get(name, amount) is not None}
            if (spare, elsewhere) != (known, told.elsewhere):
                told.spare, told.elsewhere = spare, elsewhere
                self._dirty[told.key] = told
        self._spare_at = again_at

    def _first_spare_deadline(self) -> list[float]:
        """When what was there before us can first be told from what is ours. It does not wait for the first trade: a
        life that ends in it would never know, and by the wallet alone no stop could stand in for one in doubt."""
        if not self.fence.ready:
            return []
        at = [
            max(self._quiet_at(told, name) for name in {"", *told.amounts, *self._held_by_name(told.margin)})
            for told in self.told_amounts
            if told.spare is None and told.session == self.fence.session
        ]
        return [min(at)] if at and min(at) > self._now and not self._moving() else []

    def _note_first_spare(self) -> None:
        if any([told.spare is None for told in self.told_amounts]):
            self._note_spare()

    def _moving(self) -> set[str]:
        """Of what a trade or an order may have moved more than we were told."""
        moving = {name for fill in self.fills.untold.values() for name in _names(fill.trade.symbol)}
        for row in self._open.values():
            if row.state is S.UNKNOWN or row.unshown:
                moving.update(_names(row.intent.symbol))
        return moving

    def _is_quiet(self, told: ToldRow, name: str) -> bool:
        """Neither wallet nor trades have told anything of it for a while, and the wallet is not behind the trades."""
        # A wallet that is late with the newest trade would be taken for one that lacks its coins.
        late = self._last_told(told, name) + QUIET_S < self._last_trade(name)
        return self._now >= self._quiet_at(told, name) and not late

    def _quiet_at(self, told: ToldRow, name: str) -> float:
        # Of a move between two wallets each tells its half: noted with one of them, the other would look like a trade.
        elsewhere_at = 0.0 if told.margin else self._elsewhere_at.get(name, 0.0)
        return max(self._last_told(told, name), self._last_trade(name), elsewhere_at) + QUIET_S

    def _last_told(self, told: ToldRow, name: str) -> float:
        return max(told.changed_at, self._told_at.get((told.margin, name), 0.0))

    def _last_trade(self, name: str) -> float:
        return max(self._held_at.get("", 0.0), self._held_at.get(name, 0.0))

    def _held_by_name(self, margin: bool) -> dict[str, Decimal]:
        """What our trades hold by the venue's name of it: a currency, or on margin a symbol."""
        found: dict[str, Decimal] = {}
        for (symbol, on_margin), held in self.fills.held.items():
            if on_margin == margin:
                name = symbol if margin else base_currency(symbol)
                found[name] = found.get(name, ZERO) + held
        return found

    def _amount(self, book: Book, *, older_by: float = 0.0) -> Decimal | None:
        """What the venue says is in a book, or None: it has not said so in this session, several books share it, or it
        said so more than `older_by` seconds before our newest trade."""
        symbol, margin = book
        told = self.told_amounts[margin]
        name = _name(book)
        if told.session != self.fence.session or self._last_told(told, name) + older_by < self._last_trade(name):
            # The wallet's word on the newest trade is still to come.
            return None
        if margin:
            return told.amounts.get(symbol, ZERO)
        base = base_currency(symbol)
        for (other, on_margin), held in self.fills.held.items():
            if other != symbol and held and not on_margin and base_currency(other) == base:
                return None
        for row in self._open.values():
            other = row.intent.symbol
            if other != symbol and not row.intent.margin and base_currency(other) == base:
                return None
        return told.amounts.get(base, ZERO)

    # --- while history is silent ------------------------------------------------------------------------------------

    @property
    def _stands_in(self) -> bool:
        """True while this session's snapshot is here, and history has not answered in time: stops may leave."""
        fence = self.fence
        if fence.reconciled or fence.narrow or not (fence.up and fence.shown):
            return False
        return self._now >= self._stands_in_at

    @property
    def _stands_in_at(self) -> float:
        """When history has had its time in this session. That it failed is an answer: the next one takes seconds."""
        return self.fence.shown_at + (SETTLED_S if self.fence.failures else HISTORY_PATIENCE_S)

    def _stand_in_deadline(self) -> list[float]:
        fence = self.fence
        waits = fence.up and fence.shown and not (fence.reconciled or fence.narrow)
        waits = waits and bool(self.fills.held or self._open)
        at = self._stands_in_at
        return [at] if waits and at > self._now else []

    def _ask_for_amounts(self) -> None:
        """Nobody says twice in a session what its wallets hold. With an order in doubt that alone tells what is held,
        and another session says it again."""
        told = all([told.session == self.fence.session for told in self.told_amounts])
        if told or self._began_in != self.fence.session:
            return
        doubted = next((row.cid for row in self._open.values() if row.state is S.UNKNOWN), None)
        if doubted is not None and self.fence.wants_reconnect(self._now):
            self._fence_changed = True
            self._out.reconnect = f"order {doubted} is in doubt, and nobody knows what the wallets hold"
            self._out.reconnect_session = self.fence.session

    def _unaccounted(self, row: OrderRow) -> Decimal:
        """How much of an order may have traded that we have not been told of."""
        if row.state is S.INTENT and row.session == 0:
            return ZERO
        # Of what is held by the venue's word, a fee was set aside that may be smaller: the wallet knows.
        set_aside = row.by_word - row.word_change * row.intent.side.sign
        if row.seen_session == self.fence.session:
            return row.unbooked + set_aside
        return row.leaves + set_aside

    def _unheard(self, book: Book) -> tuple[Decimal, Decimal]:
        """How much of a book may have been bought, and how much sold, that we have not been told of."""
        bought = sold = ZERO
        for row in self._open.values():
            if (row.intent.symbol, row.intent.margin) == book:
                if row.intent.side is Side.BUY:
                    bought += self._unaccounted(row)
                else:
                    sold += self._unaccounted(row)
        return bought, sold

    def _holding(self, book: Book) -> Decimal:
        """What is held, signed: by our trades, and while history is silent what is certain of it."""
        held = self.fills.held.get(book, ZERO)
        if not self._stands_in:
            return held
        bought, sold = self._unheard(book)
        low, high = held - sold, held + bought
        if not book[1]:
            low, high = max(low, ZERO), max(high, ZERO)
        amount, told = self._amount(book), self.told_amounts[book[1]]
        spare = None if told.spare is None else told.spare.get(_name(book), ZERO)
        if amount is not None and spare is not None:
            if not book[1]:
                ours = amount - spare + self._moved_out(book, amount - spare)
                # What a person has sold of ours by hand is not there, whatever our trades say.
                return min(max(ours, ZERO), amount, high)
            return min(max(amount - spare, low), high)
        if amount is not None and not book[1]:
            low = min(low, amount)
        if low <= ZERO <= high:
            return ZERO
        return low if low > ZERO else high

    def _moved_out(self, book: Book, ours: Decimal) -> Decimal:
        """How much of a book's coins a person has moved into other wallets of the account since `spare` was noted, less
        what came from there. Orders in doubt change no other wallet.

        Interest and deposits do, so it is believed only where, with it, what seems to be ours comes to exactly what our
        trades say when everything that sells has done nothing, or all; or where nothing sells, within what was bought.
        """
        told, name = self.told_amounts[False], _name(book)
        there, before = told.in_others(name), told.elsewhere.get(name)
        if there is None or before is None or there == before:
            return ZERO
        held = self.fills.held.get(book, ZERO)
        bought, sold = self._unheard(book)
        found = ours + there - before
        fits = found in (held, held - sold) or (not sold and held <= found <= held + bought)
        return there - before if fits else ZERO

    def _all_done(self, book: Book, holding: Decimal) -> bool:
        """Whether all that may have traded unheard, done in full, comes to just what is held, fees of coins aside."""
        bought, sold = self._unheard(book)
        fees = ZERO if book[1] else bought * LARGEST_FEE
        over = self.fills.held.get(book, ZERO) + bought - sold - holding
        return ZERO <= over <= fees

    # --- while an order goes in another's place ---------------------------------------------------------------------

    def _spare_coins(self, book: Book) -> Decimal | None:
        """What of the exchange wallet no resting order of ours holds back; None when nobody knows.

        As long as that is nothing, of two orders that sell the same coins the venue takes one.
        """
        # One of the two tells of a trade before the other; what both say is counted as held.
        amount = self._amount(book, older_by=QUIET_S)
        if amount is None:
            return None
        resting = [
            row.leaves
            for row in self._open.values()
            if row.state in AT_VENUE and row.intent.side is Side.SELL and (row.intent.symbol, row.intent.margin) == book
        ]
        return max(amount, self.fills.held.get(book, ZERO)) - sum(resting, ZERO)

    def _others_buy(self, book: Book, strategy: str) -> bool:
        """True while somebody but `strategy` may be about to get coins of an exchange book: what sells the strategy's
        own a second time would sell those. Of what people order each is its own."""
        base = base_currency(book[0])
        orders = [(order.symbol, order.side) for order in self.foreign.values() if not order.margin]
        orders += [
            (row.intent.symbol, row.intent.side)
            for row in self._open.values()
            if not row.intent.margin
            and not row.is_over
            and (row.intent.strategy != strategy or strategy == MANUAL)
            and (row.session > 0 or row.state is not S.INTENT)
        ]
        return any(
            base == (base_currency(symbol) if side is Side.BUY else quote_currency(symbol)) for symbol, side in orders
        )


def _name(book: Book) -> str:
    return book[0] if book[1] else base_currency(book[0])


def _names(symbol: Symbol) -> tuple[str, ...]:
    """What a trade in it changes: two currencies, or on margin a position."""
    return symbol, base_currency(symbol), quote_currency(symbol)
