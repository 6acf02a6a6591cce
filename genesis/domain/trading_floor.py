"""The trading floor: what happens to orders that were accepted, tick by tick.

The rules, in the order of a tick: orders past their time end; orders that waited trade as takers, first come first
served; resting orders that the tick reached trade at their own price; stops that it reached become market (or limit)
orders and trade at this tick, however far past the trigger it is; trailing stops follow; margin calls come last.
"""

import math
from collections.abc import Callable
from decimal import Decimal
from typing import Final

from genesis.domain.matching import (
    UNLIMITED,
    FillModel,
    FillWhen,
    Ladder,
    PriceTimeBook,
    crosses,
    is_reached,
    market_offers,
    trailed,
)
from genesis.domain.pairs import PairSpecs
from genesis.domain.venue_ledger import Books
from genesis.domain.venue_liquidation import (
    MARGIN_CALL,
    MARGIN_CALL_OVER,
    liquidated,
    liquidation,
    margin_call,
)
from genesis.domain.venue_margin import calm_bands, standing
from genesis.domain.venue_market import NEVER, Market
from genesis.domain.venue_rules import needed_lock
from genesis.domain.venue_state import Account, History, Order, Position, Stage, VenueOutput, Wallet
from genesis.domain.venue_texts import (
    BOOK_SLIP,
    FILL_OR_KILL_CANCELED,
    IOC_CANCELED,
    NO_BALANCE,
    NO_MARGIN,
    NO_POSITION,
    POST_ONLY_CANCELED,
    REDUCE_WOULD_FLIP,
    REDUCE_WOULD_INCREASE,
    ended_status,
    executed_status,
    open_status,
)
from protocols.bitfinex.account import FLAG_CLOSE, FLAG_HIDDEN, FLAG_POST_ONLY, FLAG_REDUCE_ONLY
from protocols.bitfinex.inputs import NewOrder
from protocols.market import Liquidation
from protocols.units import AMOUNT_STEP, ZERO, Side, Symbol, exact, floor_amount, round_amount, round_price

NOTHING: Final[list[VenueOutput]] = []
"""What nearly every tick returns: one list for all of them, never to be changed."""
FIRST_ORDER_ID: Final = 1_000_000_001
AUTO_CID_MODULUS: Final = 2**45
CARRIES_A_DAY: Final = 3
CARRY_EVERY_MS: Final = 86_400_000 // CARRIES_A_DAY
"""The venue's funding times: 00, 08 and 16 UTC."""


class TradingFloor:
    """All pairs, and the orders that rest, wait or lie armed on them. Times given to it must not go back."""

    def __init__(self, specs: PairSpecs, *, model: FillModel | None = None) -> None:
        self.specs = dict(specs)
        self.model = model or FillModel()
        self.books = Books()
        self.books.fee_tiers = self.model.fee_tiers
        """Wallets, positions, fees and history of everybody."""
        self.next_order_id = FIRST_ORDER_ID
        self.next_priority = 1
        self._last_cid = 0
        self.on_print: Callable[[Symbol, int, int, Decimal, Decimal], None] | None = None
        """Told of trades between two accounts: symbol, trade id, time, the taker's signed amount, price."""
        self.on_liquidation: Callable[[Liquidation], None] | None = None
        """Told of positions that are taken away: when it begins, and when they are sold."""
        self._markets = {symbol: Market(spec) for symbol, spec in self.specs.items()}
        self._calm: dict[str, dict[Symbol, tuple[float, float]]] = {}
        """By account: the prices at which its positions need not be looked at."""
        self.books.on_margin = self._margin_changed

    @property
    def accounts(self) -> dict[str, Account]:
        return self.books.accounts

    def history(self, account: str) -> History:
        return self.books.histories[account]

    def set_ladder(self, symbol: Symbol, ladder: Ladder | None) -> None:
        """From now on takers of this pair walk a recorded book."""
        self._markets[symbol].ladder = ladder

    def last_price(self, symbol: Symbol) -> Decimal | None:
        last = self._markets[symbol].last
        return exact(last) if last else None

    def set_mark(self, symbol: Symbol, price: float) -> None:
        """From now on positions in this contract are valued at this price."""
        self._markets[symbol].mark = price

    def prices(self) -> dict[Symbol, Decimal]:
        """What positions are valued at: the last price, of contracts the mark."""
        return {symbol: exact(market.mark or market.last) for symbol, market in self._markets.items() if market.last}

    def positions_changed(self, symbol: Symbol) -> None:
        """Somebody's position came about without a trade: from now on every tick looks at it."""
        self._refresh(self._markets[symbol])

    def value_price(self, symbol: Symbol) -> Decimal | None:
        """As `prices`, of one pair."""
        market = self._markets[symbol]
        return exact(market.mark or market.last) if market.last else None

    def band(self, symbol: Symbol) -> tuple[float, float]:
        """No order of this pair acts while low < price < high (and before `wakes_ms`)."""
        market = self._markets[symbol]
        return market.low, market.high

    def wakes_ms(self, symbol: Symbol) -> float:
        """From this time on a tick of this pair may act at any price."""
        return self._markets[symbol].wake_ms

    def anybody_rests(self, symbol: Symbol) -> bool:
        """Whether any order stands in this pair's book."""
        return len(self._markets[symbol].book) > 0

    def resting(self, symbol: Symbol, side: Side) -> list[Order]:
        """Visible and hidden orders of a side, best first."""
        return list(self._markets[symbol].book.side(side))

    # --- the market ---------------------------------------------------------------------------------------------------

    def on_tick(self, symbol: Symbol, price: float, volume: float, now_ms: int) -> list[VenueOutput]:
        """The market traded here. Costs next to nothing while nobody's order can act."""
        market = self._markets[symbol]
        market.last = price
        if market.low < price < market.high and now_ms < market.wake_ms:
            return NOTHING
        return self._tick(market, exact(price), volume, now_ms)

    def observe(self, symbol: Symbol, price: float) -> None:
        """A price of the past, taken in without matching anybody: where a resumed replay stands."""
        self._markets[symbol].last = price

    def advance(self, now_ms: int) -> list[VenueOutput]:
        """Time passed without a tick: orders past their time end."""
        out: list[VenueOutput] = []
        for market in self._markets.values():
            if now_ms >= market.wake_ms:
                self._expire(market, now_ms, out)
                self._refresh(market)
        return out

    def charge_carry(self, now_ms: int) -> list[VenueOutput]:
        """A funding time: whoever holds something pays a third of the day's rate for it (`FillModel.carry_a_day`)."""
        out: list[VenueOutput] = []
        rate = self.model.carry_a_day / CARRIES_A_DAY
        for market in self._markets.values():
            if market.last:
                for account in self.accounts.values():
                    out += self.books.charge_carry(account, market.spec, exact(market.last), rate, now_ms)
        return out

    def _tick(self, market: Market, price: Decimal, volume: float, now_ms: int) -> list[VenueOutput]:
        out: list[VenueOutput] = []
        if self.model.participation is not None:
            market.budget = floor_amount(exact(volume) * self.model.participation)
        if self.model.impact:
            market.traded = exact(volume) * 4
        if now_ms >= market.wake_ms:
            self._expire(market, now_ms, out)
        for order in [each for each in market.waiting if each.active_ms <= now_ms]:
            if self._is_open(order):
                market.waiting.remove(order)
                self._trade_or_rest(market, order, now_ms, out)
        if len(market.book):
            for side in (Side.BUY, Side.SELL):
                self._fill_resting(market, side, price, now_ms, out)
        for order in list(market.armed):
            if self._is_open(order) and order.active_ms <= now_ms:
                if is_reached(order.sign, order.price, price):
                    self._trigger(market, order, now_ms, out)
                elif order.kind == "TRAILING STOP":
                    self._trail(order, price, now_ms, out)
        self._liquidate(market, now_ms, out)
        market.budget = UNLIMITED
        self._refresh(market)
        return out

    def _expire(self, market: Market, now_ms: int, out: list[VenueOutput]) -> None:
        for order in [*market.waiting, *market.armed, *market.book.side(Side.BUY), *market.book.side(Side.SELL)]:
            if order.expires_ms is not None and order.expires_ms <= now_ms and self._is_open(order):
                self._cancel(order, now_ms, out)

    def _fill_resting(self, market: Market, side: Side, price: Decimal, now_ms: int, out: list[VenueOutput]) -> None:
        reached: list[Order] = []
        for order in market.book.side(side):
            if not crosses(order.sign, order.price, price):
                break
            # An order that began to rest at this very tick was not there when the market traded.
            if order.rested_ms < now_ms:
                reached.append(order)
        for order in reached:
            quantity = min(order.remaining, market.budget)
            if not self._is_open(order):
                continue
            ended = self._reduce_only_refusal(self.accounts[order.account], order)
            if ended is not None:
                self._cancel(order, now_ms, out, word=ended)
            elif quantity > ZERO:
                market.budget -= quantity
                self._one_fill(market, order, quantity, order.price, True, now_ms, out)

    def _trigger(self, market: Market, order: Order, now_ms: int, out: list[VenueOutput]) -> None:
        self._withdraw(market, order)
        order.type_before, order.updated_ms = order.wire_type, now_ms
        prefix = "" if order.is_margin else "EXCHANGE "
        if order.kind == "STOP LIMIT":
            order.wire_type, order.price = f"{prefix}LIMIT", order.aux_limit_price
        else:
            order.wire_type = f"{prefix}MARKET"
        order.told = False
        self._trade_or_rest(market, order, now_ms, out)

    def _trail(self, order: Order, price: Decimal, now_ms: int, out: list[VenueOutput]) -> None:
        moved = round_price(trailed(order.sign, order.price, order.trailing_distance, price))
        if moved != order.price:
            order.price, order.updated_ms = moved, now_ms
            out.append((order.account, order.told_as("ou")))

    def _liquidate(self, market: Market, now_ms: int, out: list[VenueOutput]) -> None:
        """Warn whose margin runs low, once; take the position of whom it has run out."""
        symbol = market.spec.symbol
        for account in self.accounts.values():
            position = account.positions.get(symbol)
            if position is None or any(_is_forced(order) for order in account.orders.values()):
                continue
            state = standing(account, position, self.specs, self._prices(account))
            if state.net < state.required:
                self._force_out(market, account, position, now_ms, out)
            elif position.called:
                position.called = state.net < state.required * MARGIN_CALL_OVER
            elif state.net < state.required * MARGIN_CALL:
                position.called = True
                out.append((account.name, margin_call(position, state, market.spec.quote)))

    def _prices(self, account: Account) -> dict[Symbol, Decimal]:
        held = [self._markets[Symbol(each)] for each in account.positions]
        return {each.spec.symbol: exact(each.mark or each.last) for each in held if each.last}

    def _margin_changed(self, account: Account) -> None:
        self._calm.pop(account.name, None)
        for symbol in account.positions:
            self._markets[Symbol(symbol)].wake_ms = 0

    def _force_out(
        self, market: Market, account: Account, position: Position, now_ms: int, out: list[VenueOutput]
    ) -> None:
        symbol, amount, trigger = market.spec.symbol, position.amount, exact(market.mark or market.last)
        for order in [each for each in account.orders.values() if each.is_margin and each.symbol == symbol]:
            self._end(order, NO_MARGIN, now_ms, out)
        if self.on_liquidation is not None:
            self.on_liquidation(liquidation(position, amount, trigger, now_ms, is_match=False))
        out.append((account.name, liquidated(position, trigger)))
        request = NewOrder(
            cid=None,
            group_id=None,
            symbol=symbol,
            wire_type="MARKET",
            amount=-amount,
            flags=FLAG_CLOSE,
        )
        order = self._order_of(account, request, now_ms, market)
        order.meta = {"forced": 1}
        self._admit(account, order)
        self._trade_or_rest(market, order, now_ms, out)
        sold = amount - position.amount
        if sold and self.on_liquidation is not None:
            price = order.average_price or trigger
            self.on_liquidation(liquidation(position, sold, price, now_ms, is_match=True))

    # --- an order's life ----------------------------------------------------------------------------------------------

    def _order_of(self, account: Account, request: NewOrder, now_ms: int, market: Market) -> Order:
        amount = round_amount(request.amount)
        if request.flags & FLAG_CLOSE and (position := account.positions.get(market.spec.symbol)) is not None:
            amount = -position.amount
        sign = 1 if amount > 0 else -1
        last = exact(market.last) if market.last else ZERO
        kind = request.wire_type.removeprefix("EXCHANGE ")
        price = ZERO if kind == "MARKET" or request.price is None else round_price(request.price)
        trailing = request.trailing_distance or ZERO
        if kind == "TRAILING STOP":
            price = round_price(last + trailing * sign) if last else price
        order = Order(
            venue_id=self.next_order_id,
            account=account.name,
            group_id=request.group_id,
            cid=self._cid(now_ms) if request.cid is None else request.cid,
            symbol=market.spec.symbol,
            wire_type=request.wire_type,
            created_ms=now_ms,
            updated_ms=now_ms,
            sign=sign,
            remaining=abs(amount),
            original=amount,
            price=price,
            trailing_distance=trailing,
            aux_limit_price=round_price(request.aux_limit_price or request.oco_stop_price or ZERO),
            flags=request.flags,
            expires_ms=request.expires_ms,
            leverage=request.leverage if market.spec.is_derivative else None,
            meta=request.meta,
            priority=self._priority(),
            active_ms=now_ms + self.model.latency_ms,
            reference_price=self.model.best_ask(last) if last else ZERO,
        )
        self.next_order_id += 1
        return order

    def _admit(self, account: Account, order: Order) -> None:
        account.orders[order.venue_id] = order
        self._relock(account, order)

    def _arrive(self, market: Market, order: Order, now_ms: int, out: list[VenueOutput], *, first: str = "on") -> None:
        """Put an order where it belongs: armed, waiting for a tick, trading at once, or resting."""
        kind = order.kind
        if kind in ("STOP", "STOP LIMIT", "TRAILING STOP"):
            order.stage = Stage.ARMED
            market.armed.append(order)
            self._tell(order, first, out)
            return
        if order.flags & FLAG_POST_ONLY and kind == "LIMIT" and self._would_match(market, order, visible_only=True):
            self._end(order, POST_ONLY_CANCELED, now_ms, out)
            return
        at_once = self.model.when is FillWhen.AT_ONCE and self.model.latency_ms == 0 and market.last
        if at_once:
            self._trade_or_rest(market, order, now_ms, out, first=first)
        elif kind == "LIMIT" and self.model.latency_ms == 0 and market.last and not self._would_match(market, order):
            self._rest(market, order, now_ms)
            self._tell(order, first, out)
        else:
            order.stage = Stage.WAITING
            market.waiting.append(order)
            self._tell(order, first, out)

    def _would_match(self, market: Market, order: Order, *, visible_only: bool = False) -> bool:
        other = Side.SELL if order.sign > 0 else Side.BUY
        for resting in market.book.side(other):
            if not crosses(order.sign, order.limit, resting.price):
                break
            if not (visible_only and resting.flags & FLAG_HIDDEN):
                return True
        if not market.last:
            return False
        return bool(market_offers(order.sign, order.limit, exact(market.last), self.model, market.ladder))

    def _trade_or_rest(
        self, market: Market, order: Order, now_ms: int, out: list[VenueOutput], *, first: str = "ou"
    ) -> None:
        """Meet everything on the other side, then rest, wait on, or end, as the order's type says."""
        ended = self._reduce_only_refusal(self.accounts[order.account], order)
        if ended is not None:
            self._cancel(order, now_ms, out, word=ended)
            return
        if order.kind == "FOK" and self._capacity(market, order) < order.remaining:
            self._end(order, FILL_OR_KILL_CANCELED, now_ms, out)
            return
        starved = self._take(market, order, now_ms, out)
        if not self._is_open(order):
            return
        if starved is not None:
            self._end(order, starved, now_ms, out)
        elif order.kind == "IOC":
            self._end(order, IOC_CANCELED, now_ms, out)
        elif order.kind == "MARKET":
            if self.model.participation is None:
                self._end(order, BOOK_SLIP, now_ms, out)
            else:
                order.stage = Stage.WAITING
                market.waiting.append(order)
                self._tell(order, first, out)
        else:
            self._rest(market, order, now_ms)
            self._tell(order, first, out)

    def _rest(self, market: Market, order: Order, now_ms: int) -> None:
        order.stage = Stage.RESTING
        order.rested_ms = now_ms
        market.book.add(order)

    def _capacity(self, market: Market, order: Order) -> Decimal:
        """How much of an order could trade now."""
        total = ZERO
        for resting in market.book.side(Side.SELL if order.sign > 0 else Side.BUY):
            if not crosses(order.sign, order.limit, resting.price):
                break
            total += resting.remaining
        if market.last:
            offers = market_offers(order.sign, order.limit, exact(market.last), self.model, market.ladder)
            total += min(sum((quantity for _, quantity in offers), ZERO), market.budget)
        return total

    def _take(self, market: Market, order: Order, now_ms: int, out: list[VenueOutput]) -> str | None:
        """Trade as a taker until the order, the other side or its money ends; says why if it was the money."""
        other = Side.SELL if order.sign > 0 else Side.BUY
        pieces: list[list[VenueOutput]] = []
        makers: list[VenueOutput] = []
        levels: list[tuple[Decimal, Decimal]] = []
        if market.last:
            levels = market_offers(order.sign, order.limit, exact(market.last), self.model, market.ladder)
        at = 0
        starved: str | None = None
        while order.remaining > ZERO:
            resting = market.book.best(other)
            if resting is not None and not crosses(order.sign, order.limit, resting.price):
                resting = None
            level = levels[at] if at < len(levels) and market.budget > ZERO else None
            if resting is not None and level is None and levels and market.budget <= ZERO:
                # Our share of this price is used up, not the price: nobody behind it is reached, least of all we.
                if _is_better(order.sign, levels[min(at, len(levels) - 1)][0], resting.price):
                    resting = None
            if resting is not None and (level is None or not _is_better(order.sign, level[0], resting.price)):
                if resting.account == order.account and (order.meta or {}).get("protect_selfmatch"):
                    starved = "CANCELED"
                    break
                price, offered = resting.price, resting.remaining
            elif level is not None:
                resting = None
                price, offered = level[0], min(level[1], market.budget)
            else:
                break
            wanted = min(order.remaining, offered)
            if resting is None and self.model.impact and market.ladder is None:
                moved = self.model.moved_by(price, order.sign, wanted, market.traded)
                price = moved if order.limit is None or crosses(order.sign, order.limit, moved) else order.limit
            quantity = min(wanted, self._affordable(order, price))
            if quantity <= ZERO:
                starved = NO_MARGIN if order.is_margin else NO_BALANCE
                break
            trade_id = self.books.trade_id(now_ms)
            pieces.append(self._fill(market, order, quantity, price, False, trade_id, now_ms))
            if resting is not None:
                self._one_fill(market, resting, quantity, price, True, now_ms, makers, trade_id=trade_id)
                if self.on_print is not None:
                    self.on_print(order.symbol, trade_id, now_ms, quantity * order.sign, price)
            else:
                self.books.market_took(market.spec, order.sign, quantity, price)
                market.budget -= quantity
                if market.ladder is not None:
                    market.ladder.take(other, price, quantity)
                at += 1
            if quantity < wanted:
                starved = NO_MARGIN if order.is_margin else NO_BALANCE
                break
        if pieces:
            self._after_fill(market, order, now_ms, out)
            for piece in pieces:
                out.extend(piece)
            self._end_peer(order, now_ms, out)
        out.extend(makers)
        return starved

    def _affordable(self, order: Order, price: Decimal) -> Decimal:
        if order.is_margin or order.sign < 0:
            return order.remaining
        account = self.accounts[order.account]
        wallet = account.wallet("exchange", self.specs[order.symbol].quote)
        free = wallet.available + self._lent_lock(order)
        return order.remaining if order.remaining * price <= free else floor_amount(free / price)

    def _lent_lock(self, order: Order) -> Decimal:
        """What is locked for this order, or for the other half of its OCO."""
        peer = self._peer(order)
        return order.locked + (peer.locked if peer is not None else ZERO)

    def _one_fill(
        self,
        market: Market,
        order: Order,
        quantity: Decimal,
        price: Decimal,
        maker: bool,
        now_ms: int,
        out: list[VenueOutput],
        *,
        trade_id: int | None = None,
    ) -> None:
        """A fill that comes alone: of a resting order."""
        if trade_id is None:
            trade_id = self.books.trade_id(now_ms)
            self.books.market_took(market.spec, order.sign, quantity, price)
        piece = self._fill(market, order, quantity, price, maker, trade_id, now_ms)
        self._after_fill(market, order, now_ms, out)
        out.extend(piece)
        self._end_peer(order, now_ms, out)

    def _fill(
        self, market: Market, order: Order, quantity: Decimal, price: Decimal, maker: bool, trade_id: int, now_ms: int
    ) -> list[VenueOutput]:
        """Move the money of one match; the order itself is told by the caller, before this."""
        peer = self._peer(order)
        if peer is not None and peer.locked:
            wallet = self._lock_wallet(self.accounts[order.account], order)
            moved, peer.locked = peer.locked, ZERO
            order.locked += moved
            assert wallet.locked >= order.locked
        # Release first: what was locked pays for this.
        account = self.accounts[order.account]
        filled_before = abs(order.original) - order.remaining
        order.remaining -= quantity
        order.average_price = (order.average_price * filled_before + price * quantity) / (filled_before + quantity)
        order.average_price = round(order.average_price, 8)
        order.fills.append((price, quantity * order.sign))
        order.updated_ms = now_ms
        self._relock(account, order)
        return self.books.settle(account, order, market.spec, quantity, price, maker, trade_id, now_ms)

    def _after_fill(self, market: Market, order: Order, now_ms: int, out: list[VenueOutput]) -> None:
        if order.remaining < AMOUNT_STEP:
            if _is_forced(order):
                status = executed_status(order.fills, word="FORCED EXECUTED")
            elif order.flags & FLAG_CLOSE:
                status = f"{executed_status(order.fills)} was ACTIVE (note:POSCLOSE)"
            else:
                status = executed_status(order.fills)
            self._close(order, status, now_ms, out)
        else:
            order.status = open_status(order.fills)
            order.told = True
            out.append((order.account, order.told_as("ou")))

    def _end_peer(self, order: Order, now_ms: int, out: list[VenueOutput]) -> None:
        """One cancels other: the other half ends as soon as this one has traded, in full or in part."""
        peer = self._peer(order)
        if peer is not None:
            self._end(peer, "CANCELED", now_ms, out)

    def _peer(self, order: Order) -> Order | None:
        return None if order.peer_id is None else self.accounts[order.account].orders.get(order.peer_id)

    def _cancel(self, order: Order, now_ms: int, out: list[VenueOutput], *, word: str = "CANCELED") -> None:
        peer = self._peer(order)
        self._end(order, word, now_ms, out)
        if peer is not None:
            # Cancelling one half of an OCO ends both.
            self._end(peer, "CANCELED", now_ms, out)
        self._refresh(self._markets[order.symbol])

    def _end(self, order: Order, word: str, now_ms: int, out: list[VenueOutput]) -> None:
        """Close an order that is not filled."""
        self._close(order, ended_status(word, order.fills), now_ms, out)

    def _close(self, order: Order, status: str, now_ms: int, out: list[VenueOutput]) -> None:
        self._withdraw(self._markets[order.symbol], order)
        account = self.accounts[order.account]
        order.status, order.updated_ms = status, now_ms
        wallet = self._lock_wallet(account, order)
        wallet.locked -= order.locked
        order.locked = ZERO
        del account.orders[order.venue_id]
        told = order.told_as("oc")
        if self.books.is_told:
            self.books.histories[order.account].orders.append(told)
        out.append((order.account, told))

    def _tell(self, order: Order, event: str, out: list[VenueOutput]) -> None:
        """Tell of an order that stays open, unless its fills have just told of it."""
        if not order.told:
            order.told = True
            out.append((order.account, order.told_as(event)))

    def _withdraw(self, market: Market, order: Order) -> None:
        if order in market.book:
            market.book.remove(order)
        elif order in market.waiting:
            market.waiting.remove(order)
        elif order in market.armed:
            market.armed.remove(order)

    # --- small questions ----------------------------------------------------------------------------------------------

    def _is_open(self, order: Order) -> bool:
        return order.venue_id in self.accounts[order.account].orders

    def _lock_wallet(self, account: Account, order: Order) -> Wallet:
        spec = self.specs[order.symbol]
        return account.wallet(order.wallet_type, spec.quote if order.sign > 0 or order.is_margin else spec.base)

    def _relock(self, account: Account, order: Order) -> None:
        lock = ZERO if order.is_margin or (order.placed_id is not None and self._peer(order)) else needed_lock(order)
        wallet = self._lock_wallet(account, order)
        wallet.locked += lock - order.locked
        order.locked = lock

    def _reduce_only_refusal(self, account: Account, order: Order) -> str | None:
        if not order.is_margin or not order.flags & (FLAG_REDUCE_ONLY | FLAG_CLOSE):
            return None
        position = account.positions.get(order.symbol)
        if position is None:
            return NO_POSITION
        if position.amount * order.sign > 0:
            return REDUCE_WOULD_INCREASE
        if order.remaining > abs(position.amount):
            return REDUCE_WOULD_FLIP
        return None

    def _refresh(self, market: Market) -> None:
        """Work out the band of prices in which nobody acts, and when somebody acts at any price."""
        others: set[Symbol] = set()
        for account in self.accounts.values():
            if market.spec.symbol in account.positions:
                prices = self._prices(account)
                self._calm[account.name] = calm_bands(account, self.specs, prices, MARGIN_CALL)
                others.update(map(Symbol, account.positions))
        self._band(market)
        for symbol in others - {market.spec.symbol}:
            self._band(self._markets[symbol])

    def _band(self, market: Market) -> None:
        low, high, wake = -math.inf, math.inf, NEVER
        bid = ask = None
        if len(market.book):
            bid, ask = market.book.best(Side.BUY), market.book.best(Side.SELL)
        if bid is not None:
            low = float(bid.price)
        if ask is not None:
            high = float(ask.price)
        for order in market.armed:
            if order.kind == "TRAILING STOP":
                wake = 0
            elif order.sign > 0:
                high = min(high, float(order.price))
            else:
                low = max(low, float(order.price))
        if market.waiting:
            wake = min(wake, *(order.active_ms for order in market.waiting))
        if bid is not None or ask is not None or market.armed or market.waiting:
            for order in [*market.waiting, *market.armed, *market.book.side(Side.BUY), *market.book.side(Side.SELL)]:
                if order.expires_ms is not None:
                    wake = min(wake, order.expires_ms)
        for account in self.accounts.values():
            if market.spec.symbol in account.positions:
                band = self._calm.get(account.name, {}).get(market.spec.symbol)
                if band is None:
                    wake = 0
                else:
                    low, high = max(low, band[0]), min(high, band[1])
        market.low, market.high, market.wake_ms = low, high, wake

    def restore(self) -> None:
        """After the state was loaded: put every open order back where it stood."""
        for market in self._markets.values():
            market.waiting.clear()
            market.armed.clear()
            market.book = PriceTimeBook()
        open_orders = [order for account in self.accounts.values() for order in account.orders.values()]
        for order in sorted(open_orders, key=lambda each: each.priority):
            market = self._markets[order.symbol]
            if order.stage is Stage.RESTING:
                market.book.add(order)
            else:
                (market.waiting if order.stage is Stage.WAITING else market.armed).append(order)
        for market in self._markets.values():
            self._refresh(market)

    def _cid(self, now_ms: int) -> int:
        """The time in ms, as the venue gives those who give none; and never the same twice."""
        self._last_cid = max(self._last_cid + 1, now_ms % AUTO_CID_MODULUS)
        return self._last_cid

    def _priority(self) -> int:
        self.next_priority += 1
        return self.next_priority


def _is_forced(order: Order) -> bool:
    return bool(order.meta and order.meta.get("forced"))


def _is_better(sign: int, price: Decimal, other: Decimal) -> bool:
    return price < other if sign > 0 else price > other
