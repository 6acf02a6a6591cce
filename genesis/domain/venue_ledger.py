"""The venue's books: whose money moves when two orders meet, what it costs, and what is written down of it.

Money is neither made nor lost: what accounts, the recorded market and the fee account hold together never changes
(`Books.total`). A notional is cut to eight decimals, so a buyer never pays more than was locked for the order.
"""

from collections import deque
from collections.abc import Callable, Iterable
from decimal import ROUND_DOWN, Decimal
from typing import Any

from genesis.domain.matching import FeeTier
from genesis.domain.pairs import PairSpec, is_perpetual
from genesis.domain.venue_margin import initial_margin, leverage_of
from genesis.domain.venue_state import (
    EXCHANGE,
    MARGIN,
    Account,
    History,
    LedgerEntry,
    Movement,
    Order,
    Position,
    PositionChange,
    VenueOutput,
    Wallet,
    WalletChange,
)
from protocols.bitfinex.account import FLAG_HIDDEN
from protocols.orders import VenueTrade
from protocols.units import AMOUNT_STEP, ZERO, Symbol, base_currency, plain, quote_currency, round_amount

CATEGORY_EXCHANGE = 5
CATEGORY_SETTLEMENT = 31
CATEGORY_LIQUIDATION = 22
CATEGORY_CONTRACT_FUNDING = 29
CATEGORY_CLAIM = 23
CATEGORY_CARRY = 28
CATEGORY_TRANSFER = 51
CATEGORY_WITHDRAWAL = 104
CATEGORY_FEE = 201
CATEGORY_HIDDEN_FEE = 204

DERIVATIVE_MAKER = Decimal("0.0002")
DERIVATIVE_TAKER = Decimal("0.00065")
"""What trades in contracts cost whoever pays for trades at all."""

FEE_WINDOW_MS = 30 * 86_400_000

IDS_PER_MS = 1000
FIRST_FILL_OF_MS = 500
"""Trade ids rise with time: millisecond times a thousand, the upper half for fills of accounts, the lower for prints
of the recording."""


def notional_of(quantity: Decimal, price: Decimal) -> Decimal:
    """Quote currency of a trade, cut to eight decimals."""
    return (quantity * price).quantize(AMOUNT_STEP, rounding=ROUND_DOWN)


def fee_of(amount: Decimal, rate: Decimal) -> Decimal:
    """The fee on an amount received, rounded to eight decimals; 0 or more for a rate that is."""
    return round_amount(amount * rate)


class Books:
    """Accounts with what they hold, and the other side of every trade of theirs."""

    def __init__(self) -> None:
        self.accounts: dict[str, Account] = {}
        self.histories: dict[str, History] = {}
        self.market: dict[str, Decimal] = {}
        """What the recorded market gained or lost by trading with accounts, by currency."""
        self.fees: dict[str, Decimal] = {}
        self.fee_tiers: tuple[FeeTier, ...] = ()
        """By volume, ascending from 0; empty: every account pays its own two rates."""
        self._traded: dict[str, deque[tuple[int, Decimal]]] = {}
        self._volume: dict[str, Decimal] = {}
        self._owed: dict[tuple[str, str], Decimal] = {}
        """Interest that a wallet could not pay yet, by account, wallet and pair."""
        self.last_trade_id = 0
        self.next_position_id = 100_000_001
        self.next_entry_id = 1
        self.is_told = True
        """False where nobody listens on a wire or asks over REST, as in a backtest: then what only those are told (`te`
        before `tu`, texts of wallets, what is over) is not written."""
        self.on_margin: Callable[[Account], None] = lambda account: None
        """Told whenever an account's margin wallet or one of its positions has changed."""

    def open_account(self, name: str, balances: Iterable[tuple[str, str, Decimal]] = (), **terms: Any) -> Account:
        if name in self.accounts:
            raise ValueError(f"account must be new, was {name!r}")
        account = Account(name=name, **({"user_id": 269_000 + len(self.accounts) + 1} | terms))
        for wallet_type, currency, balance in balances:
            account.wallet(wallet_type, currency).balance = balance
        self.accounts[name] = account
        self.histories[name] = History()
        return account

    def total(self, currency: str) -> Decimal:
        """All there is of a currency, in all hands: nothing but a deposit changes it."""
        held = sum(
            (w.balance for a in self.accounts.values() for w in a.wallets.values() if w.currency == currency), ZERO
        )
        return held + self.market.get(currency, ZERO) + self.fees.get(currency, ZERO)

    def trade_id(self, now_ms: int) -> int:
        self.last_trade_id = max(self.last_trade_id + 1, now_ms * IDS_PER_MS + FIRST_FILL_OF_MS)
        return self.last_trade_id

    def market_took(self, spec: PairSpec, sign: int, quantity: Decimal, price: Decimal) -> None:
        """The recorded market is the other side of a spot trade of an account that has `sign`."""
        self._market(spec.base, -quantity * sign)
        self._market(spec.quote, notional_of(quantity, price) * sign)

    def _market(self, currency: str, amount: Decimal) -> None:
        self.market[currency] = self.market.get(currency, ZERO) + amount

    def settle(
        self,
        account: Account,
        order: Order,
        spec: PairSpec,
        quantity: Decimal,
        price: Decimal,
        maker: bool,
        trade_id: int,
        now_ms: int,
    ) -> list[VenueOutput]:
        """One side of one match: te, position, wallets, tu."""
        # A hidden order pays the taker's rate even when it was there first.
        hidden = bool(order.flags & FLAG_HIDDEN)
        is_margin, cost = order.is_margin, notional_of(quantity, price)
        if spec.is_derivative:
            rate = (DERIVATIVE_MAKER if maker and not hidden else DERIVATIVE_TAKER) if account.taker_fee else ZERO
        else:
            rate = self._rate(account, maker and not hidden, cost, now_ms)
        gets_coins = order.sign > 0 and not is_margin
        currency = spec.base if gets_coins else spec.quote
        fee = fee_of(quantity if gets_coins else cost, rate)
        trade = VenueTrade(
            event="tu",
            session=0,
            trade_id=trade_id,
            symbol=order.symbol,
            time_ms=now_ms,
            venue_order_id=order.venue_id,
            cid=order.cid,
            amount=quantity * order.sign,
            price=price,
            wire_type=order.wire_type,
            order_price=order.price,
            maker=maker,
            fee=-fee,
            fee_currency=currency,
            received_ns=0,
        )
        out: list[VenueOutput] = []
        meta: dict[str, Any] | None = None
        moved, fee_text = "", ""
        if self.is_told:
            self.histories[account.name].trades.append(trade)
            out.append((account.name, _executed(trade)))
            meta = _meta_of(order, quantity, price)
            moved = f"Exchange {plain(quantity)} {spec.base} for {spec.quote} @ {plain(price)} on wallet exchange"
            fee_text = _fee_text(spec, quantity, price, rate, MARGIN if is_margin else EXCHANGE)
        category = CATEGORY_HIDDEN_FEE if hidden else CATEGORY_FEE
        if is_margin:
            out += self._settle_margin(account, order, spec, quantity, price, now_ms, meta or {})
            wallet = account.wallet(MARGIN, currency)
            self._charge(account, wallet, fee, currency, now_ms, fee_text, category)
            out.append((account.name, changed(wallet, fee_text, meta)))
        else:
            base, quote = account.wallet(EXCHANGE, spec.base), account.wallet(EXCHANGE, spec.quote)
            self._move(account, quote, -cost * order.sign, now_ms, moved, CATEGORY_EXCHANGE)
            self._move(account, base, quantity * order.sign, now_ms, moved, CATEGORY_EXCHANGE)
            charged = base if order.sign > 0 else quote
            self._charge(account, charged, fee, currency, now_ms, fee_text, category)
            out.append((account.name, changed(quote, moved, meta)))
            out.append((account.name, changed(base, moved, meta)))
        out.append((account.name, trade))
        return out

    def _rate(self, account: Account, maker: bool, notional: Decimal, now_ms: int) -> Decimal:
        """What this trade costs, by what was traded in the thirty days before it."""
        if not self.fee_tiers:
            return account.maker_fee if maker else account.taker_fee
        traded = self._traded.setdefault(account.name, deque())
        volume = self._volume.get(account.name, ZERO)
        while traded and traded[0][0] <= now_ms - FEE_WINDOW_MS:
            volume -= traded.popleft()[1]
        tier = next(each for each in reversed(self.fee_tiers) if each.volume <= volume)
        traded.append((now_ms, notional))
        self._volume[account.name] = volume + notional
        return tier.maker if maker else tier.taker

    def _settle_margin(
        self,
        account: Account,
        order: Order,
        spec: PairSpec,
        quantity: Decimal,
        price: Decimal,
        now_ms: int,
        meta: dict[str, Any],
    ) -> list[VenueOutput]:
        # market_took() booked a spot trade; on margin no currency changes hands but the profit.
        amount = quantity * order.sign
        self._market(spec.base, amount)
        self._market(spec.quote, -notional_of(quantity, price) * order.sign)
        out: list[VenueOutput] = []
        position = account.positions.get(order.symbol)
        event = "pu"
        if position is None:
            event = "pn"
            position = self._new_position(account, order.symbol, price, now_ms)
        closed = min(abs(position.amount), quantity) if position.amount * order.sign < 0 else ZERO
        forced = bool(order.meta and order.meta.get("forced"))
        if closed:
            gain = round_amount(closed * (price - position.base_price) * -order.sign)
            if spec.is_derivative:
                # Nothing but its collateral stands behind a contract: the insurance fund bears what goes beyond.
                released = round_amount(position.collateral * closed / abs(position.amount))
                position.collateral -= released
                gain = max(gain, -released)
            wallet = account.wallet(MARGIN, spec.quote)
            text, category = f"Position closed @ {plain(price)} (TRADE) on wallet margin", CATEGORY_SETTLEMENT
            if forced:
                text = f"Position #{position.position_id} liquidated @ {plain(price)} on wallet margin"
                category = CATEGORY_LIQUIDATION
            self._move(account, wallet, gain, now_ms, text, category)
            self._market(spec.quote, -gain)
        before, position.amount = position.amount, position.amount + amount
        if abs(position.amount) > abs(before) and before * amount > 0:
            position.base_price = round_price_average(before, position.base_price, amount, price)
        elif before * position.amount < 0:
            position.base_price = price
        position.updated_ms = now_ms
        if spec.is_derivative:
            opened = notional_of(quantity - closed, price)
            position.collateral += round_amount(opened * (initial_margin(spec, order.leverage) or ZERO))
            position.leverage = leverage_of(position)
        if position.amount == 0:
            event = "pc"
            del account.positions[order.symbol]
        reason = {"reason": "LIQUIDATION", "liq_stage": 1} if forced else {}
        told = position_change(position, event, meta=meta | {"liq_stage": None} | reason)
        if event == "pc" and self.is_told:
            self.histories[account.name].positions.append(told)
        self.on_margin(account)
        out.append((account.name, told))
        return out

    def _charge(
        self, account: Account, wallet: Wallet, fee: Decimal, currency: str, now_ms: int, text: str, category: int
    ) -> None:
        if fee:
            self._move(account, wallet, -fee, now_ms, text, category)
            self.fees[currency] = self.fees.get(currency, ZERO) + fee

    def _move(self, account: Account, wallet: Wallet, amount: Decimal, now_ms: int, text: str, category: int) -> None:
        wallet.balance += amount
        if self.is_told:
            entry = LedgerEntry(
                entry_id=self.next_entry_id,
                currency=wallet.currency,
                wallet_type=wallet.wallet_type,
                time_ms=now_ms,
                amount=amount,
                balance=wallet.balance,
                description=text,
                category=category,
            )
            self.next_entry_id += 1
            self.histories[account.name].ledger.append(entry)
        if wallet.wallet_type == MARGIN:
            self.on_margin(account)

    def charge_carry(
        self, account: Account, spec: PairSpec, price: Decimal, rate: Decimal, now_ms: int
    ) -> list[VenueOutput]:
        """Take the interest on what is held of a pair from the wallet that holds its quote currency.

        A wallet that has too little pays what is free in it, and owes the rest until the next time.
        """
        position = account.positions.get(spec.symbol)
        held = {
            EXCHANGE: account.wallet(EXCHANGE, spec.base).balance,
            MARGIN: abs(position.amount if position else ZERO),
        }
        out: list[VenueOutput] = []
        for wallet_type, quantity in held.items():
            owed = self._owed.get((account.name, wallet_type + spec.symbol), ZERO) + round_amount(
                quantity * price * rate
            )
            if owed <= ZERO:
                continue
            wallet = account.wallet(wallet_type, spec.quote)
            paid = min(owed, max(wallet.available, ZERO))
            self._owed[account.name, wallet_type + spec.symbol] = owed - paid
            if paid:
                text = f"Margin funding payment on {spec.pair} on wallet {wallet_type}"
                self._charge(account, wallet, paid, spec.quote, now_ms, text, CATEGORY_CARRY)
                out.append((account.name, changed(wallet, text, None)))
        return out

    def from_market(
        self, account: Account, wallet: Wallet, amount: Decimal, now_ms: int, text: str, category: int
    ) -> None:
        """The market pays an account (`amount` above zero), or is paid by it."""
        self._move(account, wallet, amount, now_ms, text, category)
        self._market(wallet.currency, -amount)

    def market_pays_fee(self, currency: str, fee: Decimal) -> None:
        """A fee that was kept from what the market paid."""
        self._market(currency, -fee)
        self.fees[currency] = self.fees.get(currency, ZERO) + fee

    def pay_contract_funding(
        self, account: Account, position: Position, spec: PairSpec, rate: Decimal, price: Decimal, now_ms: int
    ) -> list[VenueOutput]:
        """A funding event of a contract: at a rate above zero longs pay shorts, out of the margin wallet.

        What is bound as collateral pays only when nothing else is there.
        """
        paid = round_amount(position.amount * price * rate)
        if not paid:
            return []
        wallet = account.wallet(MARGIN, spec.quote)
        bound = sum((each.collateral for each in account.positions.values()), ZERO)
        short = paid - max(ZERO, wallet.balance - bound)
        if paid > 0 and short > 0:
            taken = min(short, position.collateral)
            position.collateral -= taken
            paid -= short - taken
            position.leverage = leverage_of(position)
        text = f"Derivatives Funding Event on {position.symbol[1:]} at {plain(rate * 100)}% on wallet margin"
        self.from_market(account, wallet, -paid, now_ms, text, CATEGORY_CONTRACT_FUNDING)
        position.updated_ms = now_ms
        return [(account.name, changed(wallet, text, None)), (account.name, position_change(position, "pu"))]

    def transfer(
        self, name: str, source: str, target: str, currency: str, currency_to: str, amount: Decimal, now_ms: int
    ) -> list[VenueOutput]:
        """Move money between two wallets of one account. Raises ValueError when there is not enough."""
        account = self.accounts[name]
        wallet, other = account.wallet(source, currency), account.wallet(target, currency_to)
        if not 0 < amount <= wallet.available:
            raise ValueError(f"amount must be in (0, {plain(wallet.available)}], was {plain(amount)}")
        text = f"Transfer of {plain(amount)} {currency} from wallet {source} to {target} on wallet"
        self._move(account, wallet, -amount, now_ms, f"{text} {source}", CATEGORY_TRANSFER)
        self._move(account, other, amount, now_ms, f"{text} {target}", CATEGORY_TRANSFER)
        if currency != currency_to:
            # A conversion (UST to USTF0) goes through the market's hands, one for one.
            self._market(currency, amount)
            self._market(currency_to, -amount)
        return [(name, changed(wallet, f"{text} {source}", None)), (name, changed(other, f"{text} {target}", None))]

    def withdraw(
        self,
        name: str,
        wallet_type: str,
        currency: str,
        amount: Decimal,
        now_ms: int,
        *,
        method: str,
        address: str,
        payment_id: str | None,
        note: str | None,
    ) -> tuple[Movement, list[VenueOutput]]:
        """Money leaves for good, without a fee. Raises ValueError when there is not enough."""
        account = self.accounts[name]
        wallet = account.wallet(wallet_type, currency)
        if not 0 < amount <= wallet.available:
            raise ValueError(f"amount must be in (0, {plain(wallet.available)}], was {plain(amount)}")
        text = f"{method} withdrawal of {plain(amount)} {currency} on wallet {wallet_type}"
        self._move(account, wallet, -amount, now_ms, text, CATEGORY_WITHDRAWAL)
        self._market(currency, amount)
        movement = Movement(
            movement_id=self.next_entry_id,
            currency=currency,
            method=method,
            time_ms=now_ms,
            amount=-amount,
            fee=ZERO,
            address=address,
            payment_id=payment_id,
            note=note,
        )
        self.next_entry_id += 1
        self.histories[name].movements.append(movement)
        return movement, [(name, changed(wallet, text, None))]

    def claim(self, name: str, symbol: Symbol, quantity: Decimal, now_ms: int) -> list[VenueOutput]:
        """Settle a position, or a part of it, in the currencies themselves, at its own base price.

        A long pays its price and gets the coins, a short gives coins and gets the price, all in the margin wallet.
        Raises ValueError when the wallet cannot.
        """
        account = self.accounts[name]
        position = account.positions[symbol]
        sign = 1 if position.amount > 0 else -1
        if not 0 < quantity <= abs(position.amount):
            raise ValueError(f"amount must be in (0, {plain(abs(position.amount))}], was {plain(quantity)}")
        base = account.wallet(MARGIN, base_currency(symbol))
        quote = account.wallet(MARGIN, quote_currency(symbol))
        cost = notional_of(quantity, position.base_price)
        payer, price = (quote, cost) if sign > 0 else (base, quantity)
        if price > payer.available:
            raise ValueError(f"{payer.currency} must be at least {plain(price)}, was {plain(payer.available)}")
        text = f"Position claim of {plain(quantity)} {base.currency} @ {plain(position.base_price)} on wallet margin"
        self._move(account, quote, -cost * sign, now_ms, text, CATEGORY_CLAIM)
        self._move(account, base, quantity * sign, now_ms, text, CATEGORY_CLAIM)
        self._market(quote.currency, cost * sign)
        self._market(base.currency, -quantity * sign)
        position.amount -= quantity * sign
        position.updated_ms = now_ms
        told = position_change(position, "pu" if position.amount else "pc")
        if not position.amount:
            del account.positions[symbol]
            self.histories[name].positions.append(told)
        return [(name, told), (name, changed(quote, text, None)), (name, changed(base, text, None))]

    def increase(self, name: str, spec: PairSpec, amount: Decimal, price: Decimal, now_ms: int) -> list[VenueOutput]:
        """The reverse of a claim: what lies in the margin wallet becomes a position, or more of one, at `price`.

        A long (`amount` above zero) gives its coins and gets their price, a short the other way round. Raises
        ValueError when the wallet cannot, or when the position is on the other side.
        """
        account = self.accounts[name]
        position = account.positions.get(spec.symbol)
        if position is not None and position.amount * amount < 0:
            raise ValueError(f"amount must be of the position's side, was {plain(amount)}")
        base, quote = account.wallet(MARGIN, spec.base), account.wallet(MARGIN, spec.quote)
        cost = notional_of(amount, price)
        payer, needed = (base, amount) if amount > 0 else (quote, -cost)
        if needed > payer.available:
            raise ValueError(f"{payer.currency} must be at least {plain(needed)}, was {plain(payer.available)}")
        text = f"Position increase of {plain(abs(amount))} {spec.base} @ {plain(price)} on wallet margin"
        self._move(account, base, -amount, now_ms, text, CATEGORY_CLAIM)
        self._move(account, quote, cost, now_ms, text, CATEGORY_CLAIM)
        self._market(spec.base, amount)
        self._market(spec.quote, -cost)
        event = "pn" if position is None else "pu"
        if position is None:
            position = self._new_position(account, spec.symbol, price, now_ms)
        position.base_price = round_price_average(position.amount, position.base_price, amount, price)
        position.amount += amount
        position.updated_ms = now_ms
        told = position_change(position, event)
        return [(name, told), (name, changed(quote, text, None)), (name, changed(base, text, None))]

    def _new_position(self, account: Account, symbol: Symbol, price: Decimal, now_ms: int) -> Position:
        position = Position(
            position_id=self.next_position_id,
            symbol=symbol,
            amount=ZERO,
            base_price=price,
            created_ms=now_ms,
            updated_ms=now_ms,
        )
        self.next_position_id += 1
        account.positions[symbol] = position
        return position


def round_price_average(amount: Decimal, price: Decimal, more: Decimal, at: Decimal) -> Decimal:
    """The average entry price after adding to a position."""
    return round((amount * price + more * at) / (amount + more), 8)


def _meta_of(order: Order, quantity: Decimal, price: Decimal) -> dict[str, Any]:
    """What the venue's META says of the trade that changed a wallet or a position."""
    return {
        "reason": "TRADE",
        "order_id": order.venue_id,
        "order_id_oppo": None,
        "trade_price": plain(price),
        "trade_amount": plain(quantity * order.sign),
        "order_cid": order.cid,
        "order_gid": order.group_id,
    }


def _fee_text(spec: PairSpec, quantity: Decimal, price: Decimal, rate: Decimal, wallet_type: str) -> str:
    trade = f"{plain(quantity)} {spec.base} ({spec.pair}) @ {plain(price)}"
    return f"Trading fees for {trade} on BFX ({plain(rate * 100)}%) on wallet {wallet_type}"


def _executed(trade: VenueTrade) -> VenueTrade:
    return VenueTrade(
        event="te",
        session=trade.session,
        trade_id=trade.trade_id,
        symbol=trade.symbol,
        time_ms=trade.time_ms,
        venue_order_id=trade.venue_order_id,
        cid=trade.cid,
        amount=trade.amount,
        price=trade.price,
        wire_type=trade.wire_type,
        order_price=trade.order_price,
        maker=trade.maker,
        fee=None,
        fee_currency=None,
        received_ns=0,
    )


def changed(wallet: Wallet, description: str | None, meta: dict[str, Any] | None) -> WalletChange:
    """A wallet as `wu` says it: AVAILABLE is null until somebody asks for it with `calc`."""
    return WalletChange(
        session=0,
        wallet_type=wallet.wallet_type,
        currency=wallet.currency,
        balance=wallet.balance,
        available=None,
        received_ns=0,
        description=description,
        meta=meta,
    )


def position_change(position: Position, event: str, *, meta: dict[str, Any] | None = None) -> PositionChange:
    return PositionChange(
        event=event,
        session=0,
        symbol=position.symbol,
        status="CLOSED" if event == "pc" else "ACTIVE",
        amount=position.amount,
        base_price=position.base_price,
        margin_funding=ZERO,
        position_id=position.position_id,
        received_ns=0,
        leverage=position.leverage,
        collateral=position.collateral,
        derivative=is_perpetual(position.symbol),
        created_ms=position.created_ms,
        updated_ms=position.updated_ms,
        meta=meta,
    )
