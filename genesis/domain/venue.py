"""The exchange as a pure state machine: requests and ticks in, what its customers are told out.

The simulator wraps it in the venue's wire protocol and the backtester drives it directly, so fills are the same in
both. Everything is exact: Decimal money, integer milliseconds, no clock and no chance. Outputs are (account, message)
in the order of the wire: order, its trade (te), positions and wallets, the trade with its fee (tu).
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Final

from genesis.domain.matching import FillModel
from genesis.domain.pairs import PairSpec, PairSpecs
from genesis.domain.trading_floor import NOTHING, TradingFloor
from genesis.domain.venue_margin import tradable
from genesis.domain.venue_market import Market
from genesis.domain.venue_rules import LARGEST_PRICE, Refusal, check_new, needed_lock
from genesis.domain.venue_state import Account, Order, VenueNotice, VenueOutput
from genesis.domain.venue_texts import (
    ORDER_NOT_FOUND,
    TOO_MANY_ORDERS,
    cancelling,
    not_enough,
    submitting,
    updating,
)
from protocols.bitfinex.account import FLAG_CLOSE, FLAG_HIDDEN, FLAG_OCO, FLAG_POST_ONLY, FLAG_REDUCE_ONLY
from protocols.bitfinex.inputs import ChangeOrder, EndOrder, EndOrders, NewOrder, write_day
from protocols.orders import SubmitOrder, VenueOrder
from protocols.units import ZERO, Symbol, round_amount, round_price

ORDER_WINDOW_MS: Final = 300_000

__all__ = ["NOTHING", "Venue", "request_of"]


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


class Venue(TradingFloor):
    """The floor with its counter: requests, refusals, and what an order must be to be let in."""

    def __init__(self, specs: PairSpecs, *, model: FillModel | None = None, orders_per_window: int = 1000) -> None:
        super().__init__(specs, model=model)
        self.orders_per_window = orders_per_window
        self._recent: dict[str, list[int]] = {}

    def open_account(self, name: str, balances: Iterable[tuple[str, str, Decimal]] = (), **terms: Any) -> Account:
        """A new customer with (wallet type, currency, balance); `terms` are fields of `Account`."""
        return self.books.open_account(name, balances, **terms)

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

    def _fund(self, account: Account, order: Order, spec: PairSpec, market: Market) -> Refusal | None:
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


def _notice(kind: str, status: str, text: str, orders: tuple[VenueOrder, ...]) -> VenueNotice:
    order = orders[0] if len(orders) == 1 or (orders and kind == "on-req") else None
    return VenueNotice(
        session=0,
        kind=kind,
        status=status,
        text=text,
        cid=None if order is None else order.cid,
        venue_id=orders[0].venue_id if orders else None,
        received_ns=0,
        orders=orders,
        venue_ids=tuple(order.venue_id for order in orders),
        symbol=None if order is None else order.symbol,
        amount=None if order is None else order.remaining,
        group_id=None if order is None else order.group_id,
    )
