"""The private half of the exchange: keys and nonces, requests of customers, and what their sockets are told."""

import uuid
from collections import deque
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, Final

from genesis.domain.venue import Venue
from genesis.domain.venue_funding import interest
from genesis.domain.venue_ledger import changed, position_change
from genesis.domain.venue_margin import liquidation_price, margin_base, shown_profit, tradable, unbound
from genesis.domain.venue_state import (
    MARGIN,
    Account,
    PositionChange,
    PositionNews,
    VenueMessage,
    VenueNotice,
    VenueOutput,
    WalletChange,
)
from genesis.simulator.funding_desk import FundingDesk
from genesis.simulator.funding_side import FundingSide
from genesis.simulator.session import Session
from genesis.simulator.settings import SCOPES, ApiKey
from genesis.simulator.tokens import Login, Tokens
from protocols.bitfinex.account import (
    notice_row,
    order_row,
    position_row,
    refused_order_row,
    trade_row,
    wallet_row,
)
from protocols.bitfinex.auth import LARGEST_NONCE, AuthClaim, is_signed
from protocols.bitfinex.errors import ERR_AUTH, ERR_AUTH_NONCE, ERR_AUTH_PAYLOAD, InputRefused
from protocols.bitfinex.events import auth_accepted_event
from protocols.bitfinex.funding_rows import funding_trade_row, loan_row, offer_row
from protocols.bitfinex.inputs import (
    Broadcast,
    Calculate,
    ChangeOrder,
    EndOffer,
    EndOrder,
    EndOrders,
    Input,
    MultiOperation,
    NewOffer,
    NewOrder,
    Operation,
    Refused,
)
from protocols.funding import FundingLoan, FundingOffer, FundingTrade
from protocols.orders import VenueOrder, VenueTrade, VenueWallet
from protocols.units import ZERO, Symbol

KEPT_LOGINS: Final = 1000
NO_PERMISSION: Final = "api_key: permission invalid"
KIND_OF: Final = {NewOrder: "on-req", ChangeOrder: "ou-req", EndOrder: "oc-req", EndOrders: "oc_multi-req"}


class AccountSide:
    """Everything that needs a key. `saved` is called with every change, before anybody is told of it."""

    def __init__(
        self,
        venue: Venue,
        keys: Iterable[ApiKey],
        *,
        tokens: Tokens,
        venue_ms: Callable[[], int],
        saved: Callable[[], None],
        orders_changed: Callable[[Symbol], None],
        wake: Callable[[Symbol], None],
        funding: FundingSide,
    ) -> None:
        self.venue = venue
        self.keys = {key.key: key for key in keys}
        self.tokens = tokens
        self.logins: deque[Login] = deque(maxlen=KEPT_LOGINS)
        self.nonces: dict[str, int] = {}
        self.sessions: dict[Session, str] = {}
        """Authenticated sockets and whose they are."""
        self.venue_ms = venue_ms
        self.saved = saved
        self._orders_changed = orders_changed
        self._wake = wake
        self.requests = 0
        self.funding = FundingDesk(self, funding)

    # --- who is it ------------------------------------------------------------------------------------------------

    def check(self, key: str, nonce: int, signature: str, messages: Iterable[bytes]) -> ApiKey | tuple[int, str]:
        """The key, or why not. Any of the messages may be the signed one. A nonce is used up by a good signature."""
        known = self.keys.get(key)
        if known is None:
            return ERR_AUTH, "apikey: invalid"
        if not any([is_signed(known.secret, message, signature) for message in messages]):
            return ERR_AUTH, "apikey: digest invalid"
        if not self.nonces.get(key, 0) < nonce <= LARGEST_NONCE:
            return ERR_AUTH_NONCE, "nonce: small"
        self.nonces[key] = nonce
        return known

    def authenticate(self, claim: AuthClaim) -> ApiKey | tuple[int, str]:
        """A socket's claim: the signature is checked over the payload as it was sent."""
        if claim.token is not None:
            return self.tokens.key_of(claim.token) or (ERR_AUTH, "token: invalid")
        if not claim.payload.startswith("AUTH") or len(claim.payload) > 200:
            return ERR_AUTH_PAYLOAD, "payload: invalid"
        return self.check(claim.key, claim.nonce, claim.signature, [claim.payload.encode()])

    def joined(self, session: Session) -> None:
        """Answer a good claim, then the snapshots."""
        key = session.key
        assert key is not None
        account = self.venue.accounts[key.account]
        self.sessions[session] = account.name
        number = self.logins[-1].number + 1 if self.logins else 1
        self.logins.append(Login(number=number, account=account.name, time_ms=self.venue_ms(), peer=session.peer))
        caps = {
            scope: {"read": int(key.may(scope, write=False)), "write": int(key.may(scope, write=True))}
            for scope in SCOPES
        }
        # The id names this authentication; chance and clock stay out of it, so that equal runs are equal.
        auth_id = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{key.key}:{self.nonces.get(key.key)}"))
        session.send(
            auth_accepted_event(user_id=account.user_id, auth_id=auth_id, caps=caps, sub_id=session.auth_sub_id)
        )
        positions = [
            self.position_row(self.position(account, symbol, calculated=False)) for symbol in account.positions
        ]
        wallets = [wallet_row(changed(wallet, None, None)) for wallet in account.wallets.values()]
        orders = [order_row(order.told_as("os")) for order in account.orders.values()]
        for kind, rows in (("ps", positions), ("ws", wallets), ("os", orders), *self.funding.snapshots(account)):
            session.account(kind, rows, snapshot=True)

    def left(self, session: Session) -> None:
        """A socket is gone; with its dead-man switch all orders of the account go too."""
        name = self.sessions.pop(session, None)
        if name is not None and session.dead_man_switch:
            self.apply(self.venue.cancel_all(name, self.venue_ms()))

    # --- requests -------------------------------------------------------------------------------------------------

    def operate(self, session: Session, request: Input) -> None:
        """One input of channel 0."""
        assert session.key is not None
        self.requests += 1
        key, name = session.key, session.key.account
        if isinstance(request, Calculate):
            for item in request.keys:
                self.calculate(session, item)
        elif isinstance(request, Broadcast):
            row = notice_row(
                request.kind, request.info, "SUCCESS", "", time=self.venue_ms(), message_id=request.message_id
            )
            self.tell(name, "n", row)
        elif isinstance(request, NewOffer | EndOffer):
            if key.may("funding", write=True):
                answer = self.funding.operate(name, request)
            else:
                kind = "fon-req" if isinstance(request, NewOffer) else "foc-req"
                answer = notice_row(kind, None, "ERROR", NO_PERMISSION, time=self.venue_ms())
            self.tell(name, "n", answer)
        elif isinstance(request, MultiOperation):
            text = f"Submitting {len(request.operations)} order operations."
            session.account("n", notice_row("ox_multi-req", None, "SUCCESS", text, time=self.venue_ms()))
            for operation in request.operations:
                if isinstance(operation, Refused):
                    self.refuse(session, operation.error)
                else:
                    self.apply(self.perform(key, operation))
        else:
            self.apply(self.perform(key, request))

    def perform(self, key: ApiKey, request: Operation) -> list[VenueOutput]:
        """One operation on orders; the answer is the first output, a notification."""
        name, now_ms = key.account, self.venue_ms()
        if not key.may("orders", write=True):
            return [(name, _no_permission(request))]
        if isinstance(request, NewOrder):
            self._wake(Symbol(request.symbol))
            return self.venue.submit(name, request, now_ms)
        if isinstance(request, ChangeOrder):
            return self.venue.update(name, request, now_ms)
        if isinstance(request, EndOrder):
            return self.venue.cancel(name, request, now_ms)
        return self.venue.cancel_many(name, request, now_ms)

    def refuse(self, session: Session, error: InputRefused) -> None:
        """An input that nobody could read: answered with whatever names it."""
        self.requests += 1
        session.account("n", notice_row(error.kind, refused_info(error), "ERROR", error.text, time=self.venue_ms()))

    def apply(self, outputs: list[VenueOutput], *, without_notices: bool = False) -> None:
        """Save what changed, then tell the sockets of those it concerns."""
        if not outputs:
            return
        if any(not isinstance(message, VenueNotice) for _, message in outputs):
            self.saved()
        for name, message in outputs:
            if without_notices and isinstance(message, VenueNotice):
                continue
            for session, owner in self.sessions.items():
                if owner == name:
                    self._tell(session, message)
        for symbol in dict.fromkeys(message.symbol for _, message in outputs if isinstance(message, VenueOrder)):
            self._orders_changed(symbol)
        for lent in dict.fromkeys(message.symbol for _, message in outputs if isinstance(message, FundingOffer)):
            self.funding.market.offers_changed(lent)
        for name in dict.fromkeys(owner for owner, message in outputs if isinstance(message, PositionChange)):
            self.apply(self.funding.floor.positions_changed(name, self.venue_ms(), self.funding.market.flash_rate))

    def _tell(self, session: Session, message: VenueMessage) -> None:
        if isinstance(message, VenueNotice):
            session.account("n", self.notice(message))
        elif isinstance(message, VenueOrder):
            session.account(message.event, order_row(message), filter_key=message.symbol)
        elif isinstance(message, VenueTrade):
            session.account(message.event, trade_row(message), filter_key=message.symbol)
        elif isinstance(message, VenueWallet):
            meta = message.meta if isinstance(message, WalletChange) else None
            session.account(
                "wu", wallet_row(message, meta=meta), filter_key=f"{message.wallet_type}-{message.currency}"
            )
        elif isinstance(message, PositionChange):
            session.account(message.event, self.position_row(message), filter_key=message.symbol)
        elif isinstance(message, PositionNews):
            row = self.position_row(message.position)
            session.account("n", notice_row(message.kind, row, "INFO", message.text, time=self.venue_ms()))
        elif isinstance(message, FundingOffer):
            session.account(message.event, offer_row(message), filter_key=message.symbol)
        elif isinstance(message, FundingLoan):
            row = loan_row(message, credit=message.event.startswith("fc"))
            session.account(message.event, row, filter_key=message.symbol)
        elif isinstance(message, FundingTrade):
            session.account(message.event, funding_trade_row(message), filter_key=message.symbol)

    def notice(self, notice: VenueNotice) -> list[Any]:
        """A notification as the WebSocket has it: the order flat, several as a list, null-padded when refused."""
        info: Any
        if notice.kind in ("oc_multi-req", "ox_multi-req"):
            info = [order_row(order) for order in notice.orders]
        elif notice.orders:
            info = order_row(notice.orders[0])
        else:
            info = refused_order_row(
                cid=notice.cid,
                venue_id=notice.venue_id,
                symbol=notice.symbol,
                amount=notice.amount,
                wire_type=notice.wire_type,
            )
        return notice_row(notice.kind, info, notice.status, notice.text, time=self.venue_ms())

    # --- calculated values ----------------------------------------------------------------------------------------

    def position(self, account: Account, symbol: str, *, calculated: bool) -> PositionChange:
        """A position as a message; with `calculated` also its profit and the price at which it is taken away."""
        position = account.positions[symbol]
        told = position_change(position, "pu")
        price = self.venue.value_price(position.symbol)
        if not calculated or price is None:
            return told
        spec = self.venue.specs[position.symbol]
        return _with(
            told,
            profit=shown_profit(position, price),
            liquidation_price=liquidation_price(account, position, spec),
        )

    def position_row(self, told: PositionChange) -> list[Any]:
        """A position as all 20 elements of the wire, what was calculated of it and what made it so among them."""
        row = position_row(told, created_ms=told.created_ms, updated_ms=told.updated_ms)
        if told.profit is not None and told.amount:
            row[7] = round(100 * told.profit / (abs(told.amount) * told.base_price), 8)
        price = self.venue.value_price(told.symbol)
        if told.derivative and price is not None:
            spec = self.venue.specs[told.symbol]
            row[18] = round(abs(told.amount) * price * (spec.minimum_margin or ZERO), 8)
        row[19] = told.meta
        return row

    def margin_symbol_row(self, account: Account, symbol: Symbol) -> list[Any]:
        """`sym` info: tradable and gross balance, what may be bought and sold."""
        spec = self.venue.specs[symbol]
        price = self.venue.last_price(symbol)
        free = tradable(account, spec, self.venue.specs, self.venue.prices(), None)
        gross = margin_base(account, self.venue.specs, self.venue.prices(), spec.quote).net
        size = round(free / price, 8) if price else ZERO
        return ["sym", symbol, [round(free, 8), round(gross, 8), size, size, None, None, None, None]]

    def _swaps(self, account: Account) -> Decimal:
        """What is owed for what positions have borrowed since it was paid last, coins at their price."""
        owed, now_ms = ZERO, self.venue_ms()
        for loan in account.loans.values():
            if loan.side < 0 and loan.position_pair is not None:
                pair = Symbol(loan.position_pair)
                in_coins = self.venue.specs[pair].base == loan.symbol[1:]
                price = self.venue.value_price(pair) if in_coins else None
                owed += interest(loan, now_ms) * (price or 1)
        return round(owed, 8)

    def margin_base_row(self, account: Account) -> list[Any]:
        # Contracts have collateral of their own and are not part of it.
        specs = [spec for spec in self.venue.specs.values() if not spec.is_derivative]
        quotes = dict.fromkeys(spec.quote for spec in specs if spec.is_paper is account.paper)
        bases = [margin_base(account, self.venue.specs, self.venue.prices(), quote) for quote in quotes]
        return [
            "base",
            [
                sum((base.profit for base in bases), ZERO),
                self._swaps(account),
                sum((base.balance for base in bases), ZERO),
                sum((base.net for base in bases), ZERO),
                sum((base.required for base in bases), ZERO),
            ],
        ]

    def worth(self, account: Account) -> Decimal:
        """Everything an account has, in its quote currency, at the last prices."""
        total = ZERO
        for wallet in account.wallets.values():
            total += wallet.balance * self._rate(wallet.currency)
        return round(total, 8)

    def _rate(self, currency: str) -> Decimal:
        for spec in self.venue.specs.values():
            if spec.quote == currency:
                return Decimal(1)
        for spec in self.venue.specs.values():
            if spec.base == currency:
                return self.venue.last_price(spec.symbol) or ZERO
        return ZERO

    def calculate(self, session: Session, item: str) -> None:
        """One key of `calc`: the result comes as a frame of its kind, or not at all."""
        assert session.key is not None
        account = self.venue.accounts[session.key.account]
        if item == "margin_base":
            session.account("miu", self.margin_base_row(account))
        elif item.startswith("margin_sym_"):
            symbol = Symbol(item.removeprefix("margin_sym_"))
            if symbol in self.venue.specs:
                session.account("miu", self.margin_symbol_row(account, symbol), filter_key=symbol)
        elif item.startswith("funding_sym_"):
            session.account("fiu", self.funding.info_row(account, item.removeprefix("funding_sym_")))
        elif item.startswith("position_"):
            symbol = Symbol(item.removeprefix("position_"))
            if symbol in account.positions:
                told = self.position(account, symbol, calculated=True)
                session.account("pu", self.position_row(told), filter_key=symbol)
        elif item.startswith("wallet_"):
            wallet_type, _, currency = item.removeprefix("wallet_").partition("_")
            wallet = account.wallets.get(f"{wallet_type} {currency}")
            if wallet is not None:
                told_wallet = changed(wallet, None, None)
                row = wallet_row(told_wallet)
                row[4] = self.available(account, wallet_type, currency)
                session.account("wu", row, filter_key=f"{wallet_type}-{currency}")
        elif item == "balance":
            worth = self.worth(account)
            session.account("bu", [worth, worth])

    def available(self, account: Account, wallet_type: str, currency: str) -> Decimal:
        """What a wallet can still spend."""
        wallet = account.wallet(wallet_type, currency)
        if wallet_type != MARGIN:
            return wallet.available
        if any(spec.is_derivative and spec.quote == currency for spec in self.venue.specs.values()):
            return max(ZERO, unbound(account, self.venue.specs, currency))
        base = margin_base(account, self.venue.specs, self.venue.prices(), currency)
        return max(ZERO, min(wallet.balance, base.net - base.required))

    def day_ended(self, midnight_ms: int) -> None:
        """Keep every position as it is now, for whoever asks later."""
        for name, account in self.venue.accounts.items():
            for symbol in account.positions:
                told = self.position(account, symbol, calculated=True)
                self.venue.history(name).snapshots.append(_with(told, updated_ms=midnight_ms))

    def tell(self, name: str, kind: str, row: list[Any], filter_key: str = "") -> None:
        """One frame to all sockets of an account."""
        for session, owner in self.sessions.items():
            if owner == name:
                session.account(kind, row, filter_key=filter_key)


def refused_info(error: InputRefused) -> list[Any]:
    """The order row of a refusal: what was readable of the request, null for the rest."""
    fields = error.fields
    cid, venue_id, amount = fields.get("cid"), fields.get("id"), fields.get("amount")
    symbol, wire_type = fields.get("symbol"), fields.get("type")
    row = refused_order_row(
        cid=cid if isinstance(cid, int) else None,
        venue_id=venue_id if isinstance(venue_id, int) else None,
        symbol=symbol if isinstance(symbol, str) else None,
        wire_type=wire_type if isinstance(wire_type, str) else None,
    )
    try:
        number = Decimal(str(amount))
        row[6] = number if number.is_finite() else None
    except ArithmeticError:
        row[6] = None
    return row


def _no_permission(request: Operation) -> VenueNotice:
    cid = request.cid if isinstance(request, NewOrder | ChangeOrder | EndOrder) else None
    return VenueNotice(
        session=0,
        kind=KIND_OF[type(request)],
        status="ERROR",
        text=NO_PERMISSION,
        cid=cid,
        venue_id=None,
        received_ns=0,
        symbol=request.symbol if isinstance(request, NewOrder) else None,
        amount=request.amount if isinstance(request, NewOrder) else None,
        wire_type=request.wire_type if isinstance(request, NewOrder) else None,
    )


def _with(told: PositionChange, **changes: Any) -> PositionChange:
    return PositionChange(**({name: getattr(told, name) for name in told.__struct_fields__} | changes))
