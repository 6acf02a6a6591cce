"""Long and short on margin: an oracle of fractions and lists says of every order exactly which limits it breaks."""

import datetime
import random
from collections import Counter
from decimal import Decimal
from fractions import Fraction

import attrs
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genesis.domain.account_machine import AccountMachine
from genesis.domain.risk_history import rederive
from genesis.domain.risk_machine import RiskMachine
from genesis.domain.risk_state import equity
from protocols.journal import AnyRecord
from protocols.orders import Fill, OrderIntent, OrderType, PositionSnapshot, Purpose, VenuePosition
from protocols.risk import (
    AccountState,
    AddLock,
    DenialCode,
    ManualOrder,
    MarginHolding,
    PositionView,
    SetPaused,
    SetTradingState,
    TradingState,
    WalletView,
)
from protocols.settings import RiskSettings, Settings
from protocols.units import ZERO, Side, Symbol
from tests.genesis.domain.denials import ETH, PAIRS, machine
from tests.genesis.domain.risk_world import BTC, START_MS, a_score, an_account

SYMBOLS = (BTC, ETH)
MINUTE = 60_000


@attrs.define
class Order:
    name: str
    symbol: Symbol
    sign: int
    quantity: Fraction
    price: Fraction
    closes: bool

    @property
    def worth(self) -> Fraction:
        return self.quantity * self.price


@attrs.define
class Oracle:
    """A margin account kept as the list of what was traded. Everything asked of it is added up anew."""

    limits: RiskSettings
    trades: list[tuple[Symbol, Fraction, Fraction]] = attrs.Factory(list)
    added_up: dict[tuple[Symbol, int], tuple[Fraction, Fraction, Fraction]] = attrs.Factory(dict)
    prices: dict[Symbol, Fraction] = attrs.Factory(dict)
    working: list[Order] = attrs.Factory(list)
    entries: list[tuple[int, Symbol]] = attrs.Factory(list)
    orders: list[int] = attrs.Factory(list)
    first_of: dict[str, Fraction] = attrs.Factory(dict)
    peak: Fraction | None = None
    state: TradingState = TradingState.ACTIVE
    paused: bool = False
    locked_s: float = 0
    locked_until_ms: int = 0
    now_ms: int = 0

    def book(self, symbol: Symbol) -> tuple[Fraction, Fraction, Fraction]:
        """(signed amount, what it cost a piece, what was realized), by going through all trades."""
        if (found := self.added_up.get((symbol, len(self.trades)))) is not None:
            return found
        amount, cost, realized = Fraction(0), Fraction(0), Fraction(0)
        for traded, signed, price in self.trades:
            if traded != symbol:
                continue
            if amount * signed >= 0:
                cost = (abs(amount) * cost + abs(signed) * price) / (abs(amount) + abs(signed))
            else:
                closed = min(abs(amount), abs(signed))
                realized += closed * (price - cost) * (1 if amount > 0 else -1)
                cost = price if abs(signed) > abs(amount) else cost
            amount += signed
        self.added_up[symbol, len(self.trades)] = amount, cost, realized
        return amount, cost, realized

    def wallet(self) -> Fraction:
        return Fraction(10_000) + sum(self.book(symbol)[2] for symbol in SYMBOLS)

    def price(self, symbol: Symbol) -> Fraction:
        return self.prices.get(symbol, self.book(symbol)[1])

    def open_profit(self) -> Fraction:
        books = {symbol: self.book(symbol) for symbol in SYMBOLS}
        return sum((amount * (self.price(each) - cost) for each, (amount, cost, _) in books.items()), Fraction(0))

    def worth(self) -> Fraction:
        return self.wallet() + self.open_profit()

    def at_stake(self) -> dict[Symbol, Fraction]:
        found = {symbol: abs(self.book(symbol)[0]) * self.price(symbol) for symbol in SYMBOLS}
        for order in self.working:
            if not order.closes:
                found[order.symbol] += order.worth
        return {symbol: worth for symbol, worth in found.items() if worth}

    def net(self) -> Fraction:
        held = sum((self.book(symbol)[0] * self.price(symbol) for symbol in SYMBOLS), Fraction(0))
        return held + sum((order.sign * order.worth for order in self.working if not order.closes), Fraction(0))

    def free_margin(self) -> Fraction:
        bound = sum(
            (abs(self.book(symbol)[0]) * self.price(symbol) * _margin(symbol) for symbol in SYMBOLS), Fraction(0)
        )
        asked = sum(
            (each.worth * Fraction(101, 100) * _margin(each.symbol) for each in self.working if not each.closes),
            Fraction(0),
        )
        return self.worth() - bound - asked

    def only_closes(self, symbol: Symbol, sign: int, quantity: Fraction) -> bool:
        amount = self.book(symbol)[0]
        under_way = sum(
            (each.quantity for each in self.working if (each.symbol, each.sign) == (symbol, sign)), Fraction(0)
        )
        return amount * sign < 0 and quantity + under_way <= abs(amount)

    def tick(self, at_ms: int, symbol: Symbol, price: Fraction) -> None:
        if self.now_ms == 0:
            # What was locked before anybody knew the time is locked from now on.
            self.locked_until_ms = at_ms + int(self.locked_s * 1000)
        self.now_ms = at_ms
        self.prices[symbol] = price
        for name in _periods(at_ms):
            self.first_of.setdefault(name, self.worth())
        if self.peak is None or not self.working:
            self.peak = max(self.peak or self.worth(), self.worth())

    def lost(self, since: Fraction | None) -> Fraction:
        return Fraction(0) if since is None or since <= 0 else max(Fraction(0), (since - self.worth()) / since)

    def breaks(self, symbol: Symbol, sign: int, quantity: Fraction) -> set[DenialCode]:
        """Every limit that stands against this order."""
        limits, code = self.limits, DenialCode
        worth = quantity * self.price(symbol)
        pair = PAIRS[symbol]
        found = {
            code.HALTED: self.state is TradingState.HALTED,
            code.BELOW_MINIMUM_SIZE: quantity < Fraction(pair.minimum),
            code.ABOVE_MAXIMUM_SIZE: quantity > Fraction(pair.maximum),
        }
        if not self.only_closes(symbol, sign, quantity):
            day, week = _periods(self.now_ms)
            stake = self.at_stake()
            today = [each for at_ms, each in self.entries if _periods(at_ms)[0] == day]
            mine = [at_ms for at_ms, each in self.entries if each == symbol]
            net = self.net()
            after = net + sign * worth
            found |= {
                code.REDUCING_ONLY: self.state is TradingState.REDUCING,
                code.PAUSED: self.paused,
                code.LOCKED: self.now_ms < self.locked_until_ms,
                code.MAX_ORDER_NOTIONAL: worth > limits.max_order_notional,
                code.MAX_POSITION_NOTIONAL: stake.get(symbol, Fraction(0)) + worth > limits.max_position_notional,
                code.MAX_GROSS_EXPOSURE: sum(stake.values(), worth) > limits.max_gross_exposure,
                code.MAX_NET_EXPOSURE: abs(after) > limits.max_net_exposure and abs(after) >= abs(net),
                code.MAX_OPEN_POSITIONS: len(stake.keys() | {symbol}) > limits.max_open_positions,
                code.MAX_DAILY_LOSS: self.lost(self.first_of.get(day)) >= limits.max_daily_loss,
                code.MAX_WEEKLY_LOSS: self.lost(self.first_of.get(week)) >= limits.max_weekly_loss,
                code.MAX_DRAWDOWN: self.lost(self.peak) >= limits.max_drawdown,
                code.MAX_TRADES_PER_DAY: len(today) >= limits.max_trades_per_day,
                code.MAX_TRADES_PER_SYMBOL: today.count(symbol) >= limits.max_trades_per_symbol,
                code.MAX_ORDERS_PER_MINUTE: sum(at > self.now_ms - MINUTE for at in self.orders)
                >= limits.max_orders_per_minute,
                code.COOLDOWN: bool(mine) and self.now_ms - mine[-1] < limits.cooldown_s * 1000,
                code.INSUFFICIENT_BALANCE: worth * Fraction(101, 100) * _margin(symbol) > self.free_margin(),
            }
        return {each for each, broken in found.items() if broken}

    def account(self, closed: list[str]) -> AccountState:
        positions, holdings = [], []
        for symbol in SYMBOLS:
            amount, cost, _ = self.book(symbol)
            if amount:
                quantity, base_price = _decimal(amount), _decimal(cost)
                positions.append(
                    PositionView(
                        symbol=symbol,
                        quantity=quantity,
                        average_price=base_price,
                        mark_price=base_price,
                        notional=ZERO,
                        unrealized_pnl=ZERO,
                        realized_pnl=ZERO,
                        fees=ZERO,
                        margin_quantity=quantity,
                    )
                )
                holdings.append(MarginHolding(symbol=symbol, quantity=quantity, base_price=base_price))
        wallet = WalletView(wallet_type="margin", currency="USD", balance=_decimal(self.wallet()), available=None)
        return msgspec.structs.replace(
            an_account(),
            wallets=(wallet,),
            positions=tuple(positions),
            margin=tuple(holdings),
            closed_intents=tuple(closed[-100:]),
            closed_count=len(closed),
        )


def _margin(symbol: Symbol) -> Fraction:
    share = PAIRS[symbol].initial_margin
    assert share is not None
    return Fraction(share)


def _decimal(number: Fraction) -> Decimal:
    return Decimal(number.numerator) / Decimal(number.denominator)


def _periods(at_ms: int) -> tuple[str, str]:
    at = datetime.datetime.fromtimestamp(at_ms / 1000, datetime.UTC)
    return at.strftime("%F"), at.strftime("%G-%V")


def _limits(chance: random.Random) -> RiskSettings:
    return RiskSettings(
        max_order_notional=Decimal(chance.choice((2_000, 9_000))),
        max_position_notional=Decimal(chance.choice((5_000, 15_000, 60_000))),
        max_gross_exposure=Decimal(chance.choice((9_000, 40_000, 90_000))),
        max_net_exposure=Decimal(chance.choice((3_000, 20_000, 90_000))),
        max_open_positions=chance.choice((1, 2, 5)),
        max_daily_loss=Decimal(chance.choice(("0.03", "0.2", "1"))),
        max_weekly_loss=Decimal(chance.choice(("0.05", "0.3", "1"))),
        max_drawdown=Decimal(chance.choice(("0.05", "0.3", "1"))),
        max_strategy_drawdown=Decimal(1),
        max_trades_per_day=chance.choice((3, 50)),
        max_trades_per_symbol=chance.choice((2, 50)),
        max_orders_per_minute=chance.choice((2, 50)),
        cooldown_s=chance.choice((0.0, 0.0, 90.0)),
        stop_fraction=ZERO,
    )


def live_short_and_long(seed: int, steps: int = 120) -> Counter[str]:
    """One random life on margin; every verdict must name exactly the limits that the oracle finds broken."""
    chance = random.Random(seed)
    oracle = Oracle(_limits(chance))
    made, records = RiskMachine(Settings(risk=oracle.limits), PAIRS), list[AnyRecord]()
    closed: list[str] = []
    made.on_account(oracle.account(closed))
    seen: Counter[str] = Counter()
    minute = 0
    chosen = {BTC: Fraction(7000), ETH: Fraction(700)}
    for step in range(steps):
        roll = chance.random()
        if oracle.worth() < 4_000:
            break
        if roll < 0.05:
            kept = made.checkpoint()
            made = RiskMachine(Settings(risk=oracle.limits), PAIRS)
            made.restore([kept])
            assert made.settle(rederive(records, "UTC")) == ()
            seen["restart"] += 1
        elif roll < 0.08:
            oracle.limits = _limits(chance)
            made.on_settings(Settings(risk=oracle.limits))
            seen["settings"] += 1
        elif roll < 0.11:
            oracle.state = chance.choice((TradingState.ACTIVE, TradingState.ACTIVE, *TradingState))
            resumed = oracle.state is TradingState.ACTIVE and made.state.trading is not TradingState.ACTIVE
            wish = SetTradingState(state=oracle.state, reason="", actor="", correlation_id="")
            records += made.on_command(wish).records
            oracle.peak = oracle.worth() if resumed else oracle.peak
        elif roll < 0.13:
            oracle.paused = chance.random() < 0.3
            pause = SetPaused(paused=oracle.paused, reason="", actor="", correlation_id="")
            records += made.on_command(pause).records
        elif roll < 0.14:
            oracle.locked_s, oracle.locked_until_ms = 60, oracle.now_ms + MINUTE
            lock = AddLock(symbol=None, strategy=None, duration_s=60, reason="news", actor="", correlation_id="")
            records += made.on_command(lock).records
        elif roll < 0.3:
            for order in [each for each in oracle.working if chance.random() < 0.7]:
                part = order.quantity * chance.choice((0, 1, 1)) if chance.random() < 0.8 else order.quantity / 2
                part = Fraction(round(part * 10**8), 10**8)
                if part:
                    oracle.trades.append((order.symbol, order.sign * part, oracle.price(order.symbol)))
                oracle.working.remove(order)
                closed.append(order.name)
            made.on_account(oracle.account(closed))
        elif roll < 0.55 or not oracle.prices:
            minute += chance.choice((1, 1, 2, 400))
            symbol = chance.choice(SYMBOLS)
            chosen[symbol] = Fraction(round(chosen[symbol] * Fraction(chance.uniform(0.95, 1.05)) * 100), 100)
            score = a_score(minute, "hold", price=float(chosen[symbol]), symbol=symbol, strategy=f"{symbol} {step}")
            oracle.tick(score.decided_ms, symbol, chosen[symbol])
            records += made.on_score(score).records
        else:
            symbol, side = chance.choice(sorted(oracle.prices)), chance.choice(tuple(Side))
            amount = oracle.book(symbol)[0]
            size = Fraction(chance.choice((100, 900, 2_500, 7_000))) / oracle.price(symbol)
            quantity = Fraction(round(chance.choice((size, size, abs(amount) or size)) * 10**8), 10**8)
            if chance.random() < 0.03:
                quantity = Fraction(chance.choice((1, 3_000 * 10**8)), 10**8)
            if made.state.due_ms.get(symbol, 0) + MINUTE < oracle.now_ms:
                # Data that is late has a rule of its own; here every symbol's newest candle is taken as in time.
                made.state.due_ms[symbol] = oracle.now_ms
            expected = oracle.breaks(symbol, side.sign, quantity)
            intent = OrderIntent(
                intent_id=f"m{step}",
                strategy="manual",
                symbol=symbol,
                side=side,
                quantity=_decimal(quantity),
                order_type=OrderType.MARKET,
                purpose=Purpose.MANUAL,
                decided_ms=oracle.now_ms,
                correlation_id="c",
                margin=True,
            )
            outputs = made.on_command(ManualOrder(intent=intent, actor="anna"))
            records += outputs.records
            (verdict,) = outputs.verdicts
            told = {result.code for result in verdict.denials}
            assert told == expected, (symbol, side, float(quantity), oracle)
            assert bool(outputs.approved) == (not expected)
            seen.update(code.value for code in expected)
            if not expected:
                closes = oracle.only_closes(symbol, side.sign, quantity)
                order = Order(intent.intent_id, symbol, side.sign, quantity, oracle.price(symbol), closes)
                oracle.working.append(order)
                oracle.orders.append(oracle.now_ms)
                if not closes:
                    oracle.entries.append((oracle.now_ms, symbol))
                seen[f"{side.value} {'closes' if closes else 'opens'}"] += 1
                seen["turns over"] += not closes and amount * side.sign < 0
        seen["short"] += any(oracle.book(symbol)[0] < 0 for symbol in SYMBOLS)
    return seen


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_every_order_is_told_exactly_the_limits_that_it_breaks(seed: int) -> None:
    live_short_and_long(seed)


def test_in_some_lives_on_margin_everything_happens() -> None:
    seen: Counter[str] = Counter()
    for seed in range(60):
        seen += live_short_and_long(seed)
    wanted = {"restart", "settings", "short", "turns over", "buy opens", "sell opens", "buy closes", "sell closes"}
    wanted |= {
        "halted",
        "reducing_only",
        "paused",
        "locked",
        "below_minimum_size",
        "above_maximum_size",
        "max_order_notional",
        "max_position_notional",
        "max_gross_exposure",
        "max_net_exposure",
        "max_open_positions",
        "max_daily_loss",
        "max_weekly_loss",
        "max_drawdown",
        "max_trades_per_day",
        "max_trades_per_symbol",
        "max_orders_per_minute",
        "cooldown",
        "insufficient_balance",
    }
    assert wanted <= set(seen), wanted - set(seen)


# --- what the account knows of margin ------------------------------------------------------------------------------


def a_holding(amount: str, base_price: str = "7000", **more: object) -> VenuePosition:
    position = VenuePosition(
        session=1,
        symbol=BTC,
        status="ACTIVE",
        amount=Decimal(amount),
        base_price=Decimal(base_price),
        margin_funding=ZERO,
        position_id=1,
        received_ns=0,
    )
    return msgspec.structs.replace(position, **more)


def a_fill(number: int, quantity: str, *, margin: bool) -> Fill:
    return Fill(
        trade_id=number,
        intent_id=f"i{number}",
        cid=number,
        venue_order_id=number,
        strategy="manual",
        symbol=BTC,
        side=Side.BUY if Decimal(quantity) > 0 else Side.SELL,
        quantity=abs(Decimal(quantity)),
        price=Decimal(7000),
        fee=ZERO,
        fee_currency="USD",
        maker=False,
        purpose=Purpose.MANUAL,
        time_ms=number,
        correlation_id="c",
        foreign=False,
        margin=margin,
    )


def test_a_short_that_loses_lowers_equity_before_it_is_closed() -> None:
    wallets = (WalletView(wallet_type="margin", currency="USD", balance=Decimal(1000), available=None),)
    short = (MarginHolding(symbol=BTC, quantity=Decimal("-0.5"), base_price=Decimal(7000)),)
    assert equity(wallets, {BTC: Decimal(7400)}, "USD", short) == 800
    assert equity(wallets, {BTC: Decimal(6000)}, "USD", short) == 1500
    assert equity(wallets, {}, "USD", short) == 1000
    assert equity(wallets, {BTC: Decimal(7400)}, "EUR", short) == 0


def test_margin_and_coins_are_two_books_of_one_symbol() -> None:
    made = AccountMachine(Settings())
    made.on_report(a_fill(1, "2", margin=False))
    made.on_report(a_fill(2, "-0.5", margin=True))
    (position,) = made.state().positions
    assert (position.quantity, position.margin_quantity) == (Decimal("1.5"), Decimal("-0.5"))
    risk = machine(account=msgspec.structs.replace(an_account(), positions=(position,)))
    risk.state.marks[BTC] = Decimal(7000)
    # Both books are at stake, and the strategy's exit sells the coins alone.
    assert risk.status().headroom["gross_exposure"][0] == "17500"
    assert risk.status().headroom["net_exposure"][0] == "10500"
    (exit_,) = risk.on_score(a_score(0, "sell")).approved
    assert (exit_.intent.side, exit_.intent.quantity) == (Side.SELL, Decimal(2))


def test_a_long_on_margin_is_no_missing_coin() -> None:
    made = AccountMachine(Settings())
    made.known = True
    made.on_report(a_fill(1, "2", margin=True))
    assert made.state().mismatched_symbols == ()
    made.on_report(a_fill(2, "1", margin=False))
    assert made.state().mismatched_symbols == (BTC,)


def test_the_venues_positions_are_heard_kept_and_let_go_of() -> None:
    made = AccountMachine(Settings())
    made.on_balance(PositionSnapshot(session=1, positions=(a_holding("0.5"),), received_ns=0))
    made.on_price(BTC, 7200.0)
    assert made.equity == 100
    version = made.version
    made.on_balance(a_holding("0.5", profit=Decimal(99)))
    assert made.version == version, "a profit that moves is no news"
    again = AccountMachine(Settings())
    again.restore(orders=(), kept=made.checkpoint(), same_process=True)
    assert again.equity == 100
    made.on_balance(a_holding("0"))
    assert made.state().margin == ()
    made.on_balance(PositionSnapshot(session=2, positions=(), received_ns=0))
    assert made.equity == 0


@pytest.mark.parametrize(("side", "closes"), [(Side.BUY, True), (Side.SELL, False)])
def test_reduce_only_orders_on_margin_pass_limits_that_openings_do_not(side: Side, closes: bool) -> None:
    short = PositionView(
        symbol=BTC,
        quantity=Decimal(-1),
        average_price=Decimal(7000),
        mark_price=Decimal(7000),
        notional=Decimal(7000),
        unrealized_pnl=ZERO,
        realized_pnl=ZERO,
        fees=ZERO,
        margin_quantity=Decimal(-1),
    )
    account = msgspec.structs.replace(an_account(), positions=(short,))
    made = machine(RiskSettings(max_order_notional=ZERO), account)
    made.on_score(a_score(0, "hold"))
    intent = OrderIntent(
        intent_id="m",
        strategy="manual",
        symbol=BTC,
        side=side,
        quantity=Decimal(1),
        order_type=OrderType.MARKET,
        purpose=Purpose.MANUAL,
        decided_ms=START_MS + MINUTE,
        correlation_id="c",
        margin=True,
    )
    assert made.evaluate(intent).approved is closes
