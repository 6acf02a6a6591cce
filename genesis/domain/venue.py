"""The exchange as a pure state machine: requests and ticks in, what its customers are told out.

The simulator wraps it in the venue's wire protocol and the backtester drives it directly, so fills are the same in
both. Everything is exact: Decimal money, integer milliseconds, no clock and no chance. Outputs are (account, message)
in the order of the wire: order, its trade (te), positions and wallets, the trade with its fee (tu).

The rules, in the order of a tick: orders past their time end; orders that waited trade as takers, first come first
served; resting orders that the tick reached trade at their own price; stops that it reached become market (or limit)
orders and trade at this tick, however far past the trigger it is; trailing stops follow; margin calls come last.
"""

import math
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, Final

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
from genesis.domain.pairs import PairSpec, PairSpecs
from genesis.domain.venue_ledger import Books
from genesis.domain.venue_margin import must_liquidate, tradable
from genesis.domain.venue_rules import LARGEST_PRICE, Refusal, check_new, needed_lock
from genesis.domain.venue_state import Account, History, Order, Stage, VenueNotice, VenueOutput, Wallet
from genesis.domain.venue_texts import (
    BOOK_SLIP,
    FILL_OR_KILL_CANCELED,
    IOC_CANCELED,
    NO_BALANCE,
    NO_MARGIN,
    NO_POSITION,
    ORDER_NOT_FOUND,
    POST_ONLY_CANCELED,
    REDUCE_WOULD_FLIP,
    REDUCE_WOULD_INCREASE,
    TOO_MANY_ORDERS,
    cancelling,
    ended_status,
    executed_status,
    not_enough,
    open_status,
    submitting,
    updating,
)
from protocols.bitfinex.account import FLAG_CLOSE, FLAG_HIDDEN, FLAG_OCO, FLAG_POST_ONLY, FLAG_REDUCE_ONLY
from protocols.bitfinex.inputs import ChangeOrder, EndOrder, EndOrders, NewOrder, write_day
from protocols.orders import SubmitOrder, VenueOrder
from protocols.units import AMOUNT_STEP, ZERO, Side, Symbol, exact, floor_amount, round_amount, round_price

NOTHING: Final[list[VenueOutput]] = []
"""What nearly every tick returns: one list for all of them, never to be changed."""
NEVER: Final = math.inf
FIRST_ORDER_ID: Final = 1_000_000_001
ORDER_WINDOW_MS: Final = 300_000
AUTO_CID_MODULUS: Final = 2**45


def request_of(order: SubmitOrder) -> NewOrder:
    """The engine's command as the venue reads it from the wire."""
    flags = order.flags | (FLAG_OCO if order.oco_stop_price is not None else 0)
    return NewOrder(
        cid=order.cid,
        group_id=order.group_id or None,
        symbol=order.symbol,
        wire_type=order.wire_type,
        amount=order.amount,
        price=order.price,
        aux_limit_price=order.aux_limit_price,
        trailing_distance=order.trailing_distance,
        oco_stop_price=order.oco_stop_price,
        flags=flags,
        leverage=order.leverage,
        expires_ms=order.expires_ms,
    )


class _Market:
    """One pair: who rests, who waits, and the band of prices in which nobody has to act."""

    __slots__ = ("armed", "book", "budget", "high", "ladder", "last", "low", "spec", "waiting", "wake_ms")

    def __init__(self, spec: PairSpec) -> None:
        self.spec = spec
        self.book: PriceTimeBook[Order] = PriceTimeBook()
        self.waiting: list[Order] = []
        self.armed: list[Order] = []
        self.last: float = 0.0
        self.low: float = -math.inf
        self.high: float = math.inf
        self.wake_ms: float = NEVER
        self.budget: Decimal = UNLIMITED
        self.ladder: Ladder | None = None


class Venue:
    """The exchange. Times given to it must not go back. One `Venue` is one matching engine for all accounts."""

    def __init__(
        self,
        specs: PairSpecs,
        *,
        model: FillModel | None = None,
        orders_per_window: int = 1000,
    ) -> None:
        self.specs = dict(specs)
        self.model = model or FillModel()
        self.orders_per_window = orders_per_window
        self.books = Books()
        """Wallets, positions, fees and history of everybody."""
        self.next_order_id = FIRST_ORDER_ID
        self.next_priority = 1
        self.on_print: Callable[[Symbol, int, int, Decimal, Decimal], None] | None = None
        """Told of trades between two accounts: symbol, trade id, time, the taker's signed amount, price."""
        self._markets = {symbol: _Market(spec) for symbol, spec in self.specs.items()}
        self._recent: dict[str, list[int]] = {}

    # --- accounts -------------------------------------------------------------------------------------------------

    def open_account(self, name: str, balances: Iterable[tuple[str, str, Decimal]] = (), **terms: Any) -> Account:
        """A new customer with (wallet type, currency, balance); `terms` are fields of `Account`."""
        return self.books.open_account(name, balances, **terms)

    @property
    def accounts(self) -> dict[str, Account]:
        return self.books.accounts

    def history(self, account: str) -> History:
        return self.books.histories[account]

    def set_ladder(self, symbol: Symbol, ladder: Ladder | None) -> None:
        """From now on takers of this pair walk a recorded book."""
        self._markets[symbol].ladder = ladder

    # --- what others may ask --------------------------------------------------------------------------------------

    def last_price(self, symbol: Symbol) -> Decimal | None:
        last = self._markets[symbol].last
        return exact(last) if last else None

    def prices(self) -> dict[Symbol, Decimal]:
        return {symbol: exact(market.last) for symbol, market in self._markets.items() if market.last}

    def band(self, symbol: Symbol) -> tuple[float, float]:
        """No order of this pair acts while low < price < high (and before `wakes_ms`)."""
        market = self._markets[symbol]
        return market.low, market.high

    def wakes_ms(self, symbol: Symbol) -> float:
        """From this time on a tick of this pair may act at any price."""
        return self._markets[symbol].wake_ms

    def resting(self, symbol: Symbol, side: Side) -> list[Order]:
        """Visible and hidden orders of a side, best first."""
        return list(self._markets[symbol].book.side(side))

    # --- requests -------------------------------------------------------------------------------------------------

    def submit(self, name: str, request: NewOrder, now_ms: int) -> list[VenueOutput]:
        """A new order (two for an OCO). A refusal is an ERROR notification and changes nothing."""
        account = self.accounts[name]
        spec = self.specs.get(Symbol(request.symbol))
        refusal = check_new(request, spec, account) or self._too_many(name, now_ms)
        if refusal is not None or spec is None:
            return [(name, self._refused("on-req", str(refusal), request))]
        market = self._markets[spec.symbol]
        order = self._order_of(account, request, now_ms, market)
        refusal = self._fund(account, order, spec, market)
        if refusal is not None:
            return [(name, self._refused("on-req", str(refusal), request))]
        out: list[VenueOutput] = []
        self._admit(account, order)
        orders = [order]
        if request.oco_stop_price is not None:
            orders.append(self._oco_stop(account, order, round_price(request.oco_stop_price), now_ms))
        told = tuple(each.told_as("on") for each in orders)
        text = submitting(order.wire_type, order.symbol, order.original)
        out.append((name, _notice("on-req", "SUCCESS", text, told)))
        ended = self._reduce_only_refusal(account, order)
        if ended is not None:
            self._cancel(order, now_ms, out, word=ended)
        else:
            for each in orders:
                if self._is_open(each):
                    self._arrive(market, each, now_ms, out)
        self._refresh(market)
        return out

    def cancel(self, name: str, request: EndOrder, now_ms: int) -> list[VenueOutput]:
        order = self._find(name, request.venue_id, request.cid, request.cid_date)
        if order is None:
            notice = VenueNotice(
                session=0,
                kind="oc-req",
                status="ERROR",
                text=ORDER_NOT_FOUND,
                cid=request.cid,
                venue_id=request.venue_id,
                received_ns=0,
            )
            return [(name, notice)]
        out: list[VenueOutput] = [
            (name, _notice("oc-req", "SUCCESS", cancelling(order.venue_id), (order.told_as("ou"),)))
        ]
        self._cancel(order, now_ms, out)
        return out

    def cancel_many(self, name: str, request: EndOrders, now_ms: int) -> list[VenueOutput]:
        """`oc_multi`: whatever of the named orders is open."""
        orders = [
            order
            for order in self.accounts[name].orders.values()
            if request.everything
            or order.venue_id in request.venue_ids
            or (order.group_id is not None and order.group_id in request.group_ids)
            or (order.cid, write_day(order.created_ms)) in request.cids
        ]
        text = f"Submitting {len(orders)} order cancellations."
        told = tuple(order.told_as("ou") for order in orders)
        out: list[VenueOutput] = [(name, _notice("oc_multi-req", "SUCCESS", text, told))]
        for order in orders:
            if order.venue_id in self.accounts[name].orders:
                self._cancel(order, now_ms, out)
        return out

    def cancel_all(self, name: str, now_ms: int) -> list[VenueOutput]:
        """Without a request: the dead-man switch, or maintenance."""
        out: list[VenueOutput] = []
        for order in list(self.accounts[name].orders.values()):
            if order.venue_id in self.accounts[name].orders:
                self._cancel(order, now_ms, out)
        return out

    def update(self, name: str, request: ChangeOrder, now_ms: int) -> list[VenueOutput]:
        """Change an open order in place. Post-only and hidden end unless the request says them again."""
        account = self.accounts[name]
        order = self._find(name, request.venue_id, request.cid, request.cid_date)
        if order is None:
            notice = VenueNotice(
                session=0,
                kind="ou-req",
                status="ERROR",
                text=ORDER_NOT_FOUND,
                cid=request.cid,
                venue_id=request.venue_id,
                received_ns=0,
            )
            return [(name, notice)]
        market = self._markets[order.symbol]
        changed = self._changed(order, request)
        if isinstance(changed, Refusal):
            return [(name, _notice("ou-req", "ERROR", str(changed), (order.told_as("ou"),)))]
        remaining, price, aux, trailing = changed
        lock = needed_lock(order, remaining=remaining, price=price, aux=aux)
        if not order.is_margin and lock - order.locked > self._lock_wallet(account, order).available:
            text = not_enough("exchange", remaining, order.symbol, price)
            return [(name, _notice("ou-req", "ERROR", text, (order.told_as("ou"),)))]
        text = updating(order.wire_type, order.symbol, remaining * order.sign)
        out: list[VenueOutput] = [(name, _notice("ou-req", "SUCCESS", text, (order.told_as("ou"),)))]
        loses_place = price != order.price or remaining > order.remaining
        self._withdraw(market, order)
        order.original += (remaining - order.remaining) * order.sign
        order.remaining, order.price, order.aux_limit_price, order.trailing_distance = remaining, price, aux, trailing
        order.flags = order.flags & ~(FLAG_POST_ONLY | FLAG_HIDDEN) | request.flags
        order.type_before, order.updated_ms = order.wire_type, now_ms
        if request.expires_ms is not None:
            order.expires_ms = request.expires_ms
        if request.group_id is not None:
            order.group_id = request.group_id
        if loses_place:
            order.priority = self._priority()
        self._relock(account, order)
        order.told = False
        self._arrive(market, order, now_ms, out, first="ou")
        self._refresh(market)
        return out

    # --- the market -----------------------------------------------------------------------------------------------

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

    def _tick(self, market: _Market, price: Decimal, volume: float, now_ms: int) -> list[VenueOutput]:
        out: list[VenueOutput] = []
        if self.model.participation is not None:
            market.budget = floor_amount(exact(volume) * self.model.participation)
        self._expire(market, now_ms, out)
        for order in [each for each in market.waiting if each.active_ms <= now_ms]:
            if self._is_open(order):
                market.waiting.remove(order)
                self._trade_or_rest(market, order, now_ms, out)
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

    def _expire(self, market: _Market, now_ms: int, out: list[VenueOutput]) -> None:
        for order in [*market.waiting, *market.armed, *market.book.side(Side.BUY), *market.book.side(Side.SELL)]:
            if order.expires_ms is not None and order.expires_ms <= now_ms and self._is_open(order):
                self._cancel(order, now_ms, out)

    def _fill_resting(self, market: _Market, side: Side, price: Decimal, now_ms: int, out: list[VenueOutput]) -> None:
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

    def _trigger(self, market: _Market, order: Order, now_ms: int, out: list[VenueOutput]) -> None:
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

    def _liquidate(self, market: _Market, now_ms: int, out: list[VenueOutput]) -> None:
        symbol, currency = market.spec.symbol, market.spec.quote
        for account in self.accounts.values():
            position = account.positions.get(symbol)
            if position is None or not must_liquidate(account, self.specs, self.prices(), currency):
                continue
            for order in [each for each in account.orders.values() if each.is_margin and each.symbol == symbol]:
                self._end(order, NO_MARGIN, now_ms, out)
            request = NewOrder(
                cid=None,
                group_id=None,
                symbol=symbol,
                wire_type="MARKET",
                amount=-position.amount,
                flags=FLAG_CLOSE,
            )
            order = self._order_of(account, request, now_ms, market)
            order.meta = {"forced": 1}
            self._admit(account, order)
            self._trade_or_rest(market, order, now_ms, out)

    # --- an order's life ------------------------------------------------------------------------------------------

    def _order_of(self, account: Account, request: NewOrder, now_ms: int, market: _Market) -> Order:
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
            cid=now_ms % AUTO_CID_MODULUS if request.cid is None else request.cid,
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

    def _oco_stop(self, account: Account, first: Order, trigger: Decimal, now_ms: int) -> Order:
        """The other half: a stop on the other side of the market, which shares what the first half locked."""
        order = Order(
            venue_id=self.next_order_id,
            account=account.name,
            group_id=first.group_id,
            cid=first.cid,
            symbol=first.symbol,
            wire_type="STOP" if first.is_margin else "EXCHANGE STOP",
            created_ms=now_ms,
            updated_ms=now_ms,
            sign=first.sign,
            remaining=first.remaining,
            original=first.original,
            price=trigger,
            flags=first.flags & ~(FLAG_POST_ONLY | FLAG_HIDDEN),
            placed_id=first.venue_id,
            peer_id=first.venue_id,
            expires_ms=first.expires_ms,
            leverage=first.leverage,
            priority=self._priority(),
            active_ms=first.active_ms,
        )
        self.next_order_id += 1
        first.peer_id = order.venue_id
        account.orders[order.venue_id] = order
        return order

    def _fund(self, account: Account, order: Order, spec: PairSpec, market: _Market) -> Refusal | None:
        price = order.price or order.reference_price
        if order.is_margin:
            if order.flags & (FLAG_REDUCE_ONLY | FLAG_CLOSE):
                return None
            position = account.positions.get(order.symbol)
            held = position.amount if position is not None else ZERO
            opens = abs(held + order.original) - abs(held)
            prices = self.prices()
            if opens > 0 and opens * price > tradable(account, spec, self.specs, prices, order.leverage):
                return Refusal(not_enough("tradable", order.original, order.symbol, price))
            return None
        wallet = self._lock_wallet(account, order)
        if needed_lock(order) > wallet.available or wallet.available <= 0:
            return Refusal(not_enough("exchange", order.original, order.symbol, price))
        return None

    def _admit(self, account: Account, order: Order) -> None:
        account.orders[order.venue_id] = order
        self._relock(account, order)

    def _arrive(self, market: _Market, order: Order, now_ms: int, out: list[VenueOutput], *, first: str = "on") -> None:
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

    def _would_match(self, market: _Market, order: Order, *, visible_only: bool = False) -> bool:
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
        self, market: _Market, order: Order, now_ms: int, out: list[VenueOutput], *, first: str = "ou"
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

    def _rest(self, market: _Market, order: Order, now_ms: int) -> None:
        order.stage = Stage.RESTING
        order.rested_ms = now_ms
        market.book.add(order)

    def _capacity(self, market: _Market, order: Order) -> Decimal:
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

    def _take(self, market: _Market, order: Order, now_ms: int, out: list[VenueOutput]) -> str | None:
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
        market: _Market,
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
        self, market: _Market, order: Order, quantity: Decimal, price: Decimal, maker: bool, trade_id: int, now_ms: int
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

    def _after_fill(self, market: _Market, order: Order, now_ms: int, out: list[VenueOutput]) -> None:
        if order.remaining < AMOUNT_STEP:
            if order.meta and order.meta.get("forced"):
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
        self.books.histories[order.account].orders.append(told)
        out.append((order.account, told))

    def _tell(self, order: Order, event: str, out: list[VenueOutput]) -> None:
        """Tell of an order that stays open, unless its fills have just told of it."""
        if not order.told:
            order.told = True
            out.append((order.account, order.told_as(event)))

    def _withdraw(self, market: _Market, order: Order) -> None:
        if order in market.book:
            market.book.remove(order)
        elif order in market.waiting:
            market.waiting.remove(order)
        elif order in market.armed:
            market.armed.remove(order)

    # --- small questions ------------------------------------------------------------------------------------------

    def _is_open(self, order: Order) -> bool:
        return order.venue_id in self.accounts[order.account].orders

    def _priority(self) -> int:
        self.next_priority += 1
        return self.next_priority

    def _lock_wallet(self, account: Account, order: Order) -> Wallet:
        spec = self.specs[order.symbol]
        return account.wallet(order.wallet_type, spec.quote if order.sign > 0 or order.is_margin else spec.base)

    def _relock(self, account: Account, order: Order) -> None:
        lock = ZERO if order.is_margin or (order.placed_id is not None and self._peer(order)) else needed_lock(order)
        wallet = self._lock_wallet(account, order)
        wallet.locked += lock - order.locked
        order.locked = lock

    def _find(self, name: str, venue_id: int | None, cid: int | None, day: str | None) -> Order | None:
        orders = self.accounts[name].orders
        if venue_id is not None:
            return orders.get(venue_id)
        named = [order for order in orders.values() if order.cid == cid and write_day(order.created_ms) == day]
        return named[-1] if named else None

    def _too_many(self, name: str, now_ms: int) -> Refusal | None:
        recent = [at for at in self._recent.get(name, ()) if at > now_ms - ORDER_WINDOW_MS]
        self._recent[name] = recent
        if len(recent) >= self.orders_per_window:
            return Refusal(TOO_MANY_ORDERS)
        recent.append(now_ms)
        return None

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

    def _changed(self, order: Order, request: ChangeOrder) -> tuple[Decimal, Decimal, Decimal, Decimal] | Refusal:
        remaining = order.remaining
        if request.amount is not None:
            amount = round_amount(request.amount)
            if amount * order.sign <= 0:
                return Refusal("amount: invalid")
            remaining = abs(amount)
        elif request.delta is not None:
            remaining += round_amount(request.delta) * order.sign
        if remaining <= ZERO or remaining > self.specs[order.symbol].maximum:
            return Refusal("amount: invalid")
        price = order.price if request.price is None else round_price(request.price)
        if price > LARGEST_PRICE:
            return Refusal("price: invalid")
        aux = order.aux_limit_price if request.aux_limit_price is None else round_price(request.aux_limit_price)
        trailing = order.trailing_distance if request.trailing_distance is None else request.trailing_distance
        if request.trailing_distance is not None and order.kind == "TRAILING STOP":
            last = self.last_price(order.symbol)
            if last is not None:
                price = round_price(last + trailing * order.sign)
        return remaining, price, aux, trailing

    def _refused(self, kind: str, text: str, request: NewOrder) -> VenueNotice:
        return VenueNotice(
            session=0,
            kind=kind,
            status="ERROR",
            text=text,
            cid=request.cid,
            venue_id=None,
            received_ns=0,
            symbol=request.symbol,
            amount=request.amount,
            wire_type=request.wire_type,
        )

    def _refresh(self, market: _Market) -> None:
        """Work out the band of prices in which nobody acts, and when somebody acts at any price."""
        low, high, wake = -math.inf, math.inf, NEVER
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
        if any(market.spec.symbol in account.positions for account in self.accounts.values()):
            wake = 0
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


def _is_better(sign: int, price: Decimal, other: Decimal) -> bool:
    return price < other if sign > 0 else price > other


def _notice(kind: str, status: str, text: str, orders: tuple[VenueOrder, ...]) -> VenueNotice:
    return VenueNotice(
        session=0,
        kind=kind,
        status=status,
        text=text,
        cid=orders[0].cid if len(orders) == 1 or kind == "on-req" else None,
        venue_id=orders[0].venue_id if orders else None,
        received_ns=0,
        orders=orders,
        venue_ids=tuple(order.venue_id for order in orders),
    )
