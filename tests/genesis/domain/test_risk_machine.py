"""Risk: every rule denies with its numbers, nothing is approved twice, and an oracle written apart never disagrees."""

import datetime
import random
from collections import Counter
from decimal import ROUND_DOWN, Decimal

import attrs
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genesis.domain.pairs import PairSpec
from genesis.domain.risk_machine import RiskMachine, RiskOutputs
from genesis.domain.risk_rules import RULES
from genesis.domain.windows import DAYS
from protocols.orders import Approved, OrderIntent, OrderType, Purpose
from protocols.risk import (
    AccountState,
    DenialCode,
    PositionView,
    SetPaused,
    SetTradingState,
    StrategyHolding,
    TradingState,
    Verdict,
    WalletView,
)
from protocols.settings import MarketSettings, RiskSettings, Settings
from protocols.signals import SignalScore
from protocols.units import ZERO, Side, Symbol
from tests.genesis.domain.denials import DENIALS, ETH, PAIRS, after_loss, machine, manual
from tests.genesis.domain.risk_world import BTC, START_MS, a_score, an_account


def codes(outputs: RiskOutputs) -> set[DenialCode]:
    (verdict,) = outputs.verdicts
    return {result.code for result in verdict.denials if result.code is not None}


def says_nothing(outputs: RiskOutputs) -> bool:
    """Nothing decided. What the equity was measured from may have been noted on the way."""
    return outputs.verdicts == () and outputs.approved == ()


# --- sizing and the way through -----------------------------------------------------------------------------------


def test_an_entry_is_a_fraction_of_equity_floored_to_eight_decimals() -> None:
    (approved,) = machine().on_score(a_score(0, "buy", price=7000.0)).approved
    assert approved.intent.quantity == Decimal("0.35714285")
    assert approved.intent.order_type is OrderType.MARKET
    assert approved.intent.purpose is Purpose.ENTRY
    assert approved.intent.intent_id == a_score(0, "buy").signal_id + ":entry"


@pytest.mark.parametrize(
    ("risk", "notional"),
    [
        (RiskSettings(max_order_notional=Decimal(700)), 700),
        (RiskSettings(max_position_notional=Decimal(1400)), 1400),
        (RiskSettings(max_gross_exposure=Decimal(2100)), 2100),
        (RiskSettings(position_fraction=Decimal("0.1")), 1000),
    ],
)
def test_an_entry_is_cut_to_what_every_limit_has_room_for(risk: RiskSettings, notional: int) -> None:
    (approved,) = machine(risk).on_score(a_score(0, "buy", price=7000.0)).approved
    assert approved.intent.quantity == (Decimal(notional) / 7000).quantize(Decimal("1e-8"), ROUND_DOWN)


def test_an_exit_sells_everything_held_even_above_the_order_limit() -> None:
    held = an_account(cash=Decimal(100), held=Decimal("2.00000001"))
    (approved,) = machine(account=held).on_score(a_score(0, "sell")).approved
    assert (approved.intent.side, approved.intent.quantity) == (Side.SELL, Decimal("2.00000001"))


def test_an_exit_is_told_what_is_at_stake_behind_it() -> None:
    (verdict,) = machine(account=an_account(held=Decimal(2))).on_score(a_score(0, "sell")).verdicts
    told = {result.rule: result.numbers for result in verdict.trace}
    assert told["position_notional"]["now"] != "0"
    assert told["position_notional"]["after"] == told["gross_exposure"]["after"] == "0"


def test_an_exit_never_sells_more_than_the_venue_keeps_for_us() -> None:
    account = an_account(held=Decimal(2))
    short = msgspec.structs.replace(
        account, wallets=(WalletView(wallet_type="exchange", currency="BTC", balance=Decimal(1), available=None),)
    )
    (approved,) = machine(account=short).on_score(a_score(0, "sell")).approved
    assert approved.intent.quantity == 1


def test_hold_says_nothing() -> None:
    assert says_nothing(machine().on_score(a_score(0, "hold")))


# --- each rule ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", list(DENIALS))
def test_each_rule_denies_with_numbers_and_nothing_is_approved(code: DenialCode) -> None:
    outputs = DENIALS[code]()
    assert code in codes(outputs)
    assert outputs.approved == ()
    (verdict,) = outputs.verdicts
    assert len(verdict.trace) == len(RULES)
    assert all(result.numbers for result in verdict.trace)
    assert outputs.records[-1].key == verdict.verdict_id


def test_a_single_cause_is_denied_for_that_cause_alone() -> None:
    alone = set(DENIALS) - {DenialCode.STALE_DATA, DenialCode.UNKNOWN_SYMBOL, DenialCode.ACCOUNT_UNKNOWN}
    together = {
        DenialCode.INSUFFICIENT_BALANCE: {DenialCode.STALE_DATA},
        DenialCode.ABOVE_MAXIMUM_SIZE: {DenialCode.STALE_DATA},
        DenialCode.ORDER_ALREADY_WORKING: {DenialCode.BELOW_MINIMUM_SIZE},
    }
    for code in alone:
        assert codes(DENIALS[code]()) - {code} <= together.get(code, set()), code


def test_limits_never_keep_anybody_in_a_position() -> None:
    tight = RiskSettings(
        max_order_notional=ZERO,
        max_position_notional=ZERO,
        max_gross_exposure=ZERO,
        max_open_positions=0,
        max_daily_loss=ZERO,
        max_drawdown=ZERO,
        max_trades_per_day=0,
        max_trades_per_symbol=0,
        max_orders_per_minute=0,
        max_weekly_loss=ZERO,
        max_net_exposure=ZERO,
        max_strategy_drawdown=ZERO,
        cooldown_s=1e6,
        windows=("mon 00:00-00:01",),
    )
    made = machine(tight, an_account(held=Decimal(1)))
    made.on_command(SetPaused(paused=True, reason="", actor="a", correlation_id="b"))
    made.on_command(SetTradingState(state=TradingState.REDUCING, reason="", actor="a", correlation_id="c"))
    assert made.on_score(a_score(0, "sell")).approved


# --- history, repeats, restarts -----------------------------------------------------------------------------------


def test_history_opens_nothing_but_may_close() -> None:
    assert says_nothing(machine().on_score(a_score(0, "buy", catch_up=True)))
    assert says_nothing(machine().on_score(a_score(0, "sell", catch_up=True)))
    held = machine(account=an_account(held=Decimal(1)))
    assert held.on_score(a_score(0, "sell", catch_up=True)).approved


def test_a_score_said_again_gets_the_same_answer_and_no_second_approval() -> None:
    made = machine()
    first = made.on_score(a_score(0, "buy"))
    again = made.on_score(a_score(0, "buy"))
    assert again == RiskOutputs(judgements=first.judgements, approved=first.approved, repeated=True)
    assert made.state.trades_today == 1
    (approved,) = first.approved
    made.on_account(an_account(held=Decimal("0.35"), closed=(approved.intent.intent_id,)))
    assert made.on_score(a_score(0, "buy")).approved == ()


def test_a_state_written_down_and_read_back_decides_the_same() -> None:
    made = machine()
    made.on_score(a_score(0, "buy"))
    other = RiskMachine(made.settings, PAIRS)
    other.restore([made.checkpoint()])
    assert other.state == made.state
    assert other.on_score(a_score(1, "sell")) == made.on_score(a_score(1, "sell"))
    assert other.checkpoint() == made.checkpoint()


def test_an_exit_that_could_not_be_is_owed_and_tried_again_until_it_can() -> None:
    made = machine()
    (entry,) = made.on_score(a_score(0, "buy")).approved
    refused = made.on_score(a_score(1, "sell"))
    assert DenialCode.ORDER_ALREADY_WORKING in codes(refused)
    # The same refusal again is not news.
    assert says_nothing(made.on_score(a_score(2, "hold")))
    made.on_account(an_account(held=Decimal("0.35"), closed=(entry.intent.intent_id,)))
    (late,) = made.on_score(a_score(3, "hold")).approved
    assert (late.intent.side, late.intent.quantity) == (Side.SELL, Decimal("0.35"))
    made.on_account(an_account(closed=(entry.intent.intent_id, late.intent.intent_id)))
    assert says_nothing(made.on_score(a_score(4, "hold")))


def test_an_exit_that_ends_without_closing_is_owed_again() -> None:
    """Refused by the venue, withdrawn by a restart, proven absent: the strategy does not say sell twice."""
    made = machine(account=an_account(held=Decimal("0.5")))
    (exit_,) = made.on_score(a_score(0, "sell")).approved
    made.on_account(an_account(held=Decimal("0.5"), closed=(exit_.intent.intent_id,)))
    (again,) = made.on_score(a_score(1, "hold")).approved
    assert (again.intent.side, again.intent.quantity) == (Side.SELL, Decimal("0.5"))
    made.on_account(an_account(held=Decimal("0.2"), closed=(exit_.intent.intent_id, again.intent.intent_id)))
    (rest,) = made.on_score(a_score(2, "hold")).approved
    assert rest.intent.quantity == Decimal("0.2")


def test_an_exit_that_leaves_dust_is_done() -> None:
    made = machine(account=an_account(held=Decimal("0.5")))
    (exit_,) = made.on_score(a_score(0, "sell")).approved
    made.on_account(an_account(held=Decimal("0.00000001"), closed=(exit_.intent.intent_id,)))
    assert says_nothing(made.on_score(a_score(1, "hold")))


def test_endings_that_an_account_state_does_not_name_are_noticed() -> None:
    """States are conflated, and each names the newest endings only."""
    made = machine()
    made.on_account(msgspec.structs.replace(an_account(closed=("a", "b")), closed_count=2))
    assert not made.endings_missed
    made.on_account(msgspec.structs.replace(an_account(closed=("d", "e")), closed_count=4))
    assert not made.endings_missed
    made.on_account(msgspec.structs.replace(an_account(closed=("g", "h")), closed_count=7))
    assert made.endings_missed


def test_an_owed_exit_is_forgiven_by_the_next_buy() -> None:
    made = machine(account=an_account(held=Decimal(1), known=False))
    made.on_score(a_score(0, "sell"))
    made.on_score(a_score(1, "buy"))
    made.on_account(an_account(held=Decimal(1)))
    assert says_nothing(made.on_score(a_score(2, "hold")))


def test_resuming_measures_drawdown_from_there() -> None:
    made = machine(RiskSettings(max_daily_loss=Decimal(1), max_weekly_loss=Decimal(1), max_drawdown=Decimal("0.1")))
    assert DenialCode.MAX_DRAWDOWN in codes(after_loss(made))
    for state in (TradingState.HALTED, TradingState.ACTIVE):
        made.on_command(SetTradingState(state=state, reason="seen", actor="a", correlation_id=state))
    assert made.on_score(a_score(2, "buy")).approved


def test_the_house_never_loosens_a_halt_that_it_did_not_know_of() -> None:
    """Its wish may wait behind a person's halt, or behind a latch that risk reads from the journal."""
    made = machine()
    made.on_command(SetTradingState(state=TradingState.HALTED, reason="enough", actor="anna", correlation_id="c"))
    wish = SetTradingState(
        state=TradingState.REDUCING, reason="disk", actor="health", correlation_id="h", only_tighter=True
    )
    told = made.on_command(wish)
    assert (made.state.trading, made.state.trading_reason) == (TradingState.HALTED, "enough")
    assert told.records == ()
    made.on_command(SetTradingState(state=TradingState.ACTIVE, reason="seen", actor="anna", correlation_id="d"))
    made.on_command(msgspec.structs.replace(wish, correlation_id="i"))
    assert made.status().state is TradingState.REDUCING
    made.on_command(msgspec.structs.replace(wish, state=TradingState.HALTED, correlation_id="j"))
    assert made.status().state is TradingState.HALTED


def test_the_day_begins_anew_in_the_zone_of_the_settings() -> None:
    stockholm = RiskSettings(max_trades_per_day=1, day_timezone="Europe/Stockholm")
    made = machine(stockholm)
    minute_of_day = START_MS // 60_000 % 1440
    before = 22 * 60 + 58 - minute_of_day  # 23:59 in Stockholm after this candle
    (entry,) = made.on_score(a_score(before - 1440, "buy")).approved
    made.on_account(an_account(closed=(entry.intent.intent_id,)))
    assert made.on_score(a_score(before, "buy")).approved
    assert made.state.day == datetime.datetime.fromtimestamp(START_MS / 1000, datetime.UTC).date().isoformat()
    made.on_account(an_account(closed=(entry.intent.intent_id, a_score(before, "buy").signal_id + ":entry")))
    assert DenialCode.MAX_TRADES_PER_DAY not in codes(made.on_score(a_score(before + 2, "buy")))


def test_asking_changes_nothing() -> None:
    made = machine()
    made.on_score(a_score(0, "hold"))
    before = made.checkpoint()
    assert made.evaluate(manual().intent).approved
    assert not made.evaluate(manual("100").intent).approved
    assert made.checkpoint() == before


def test_status_tells_how_far_every_limit_is() -> None:
    made = machine()
    made.on_score(a_score(0, "buy"))
    status = made.status()
    assert status.trades_today == 1
    assert status.headroom["gross_exposure"] == ("2499.99995", "10000")
    assert status.headroom["position_notional"] == ("2499.99995", "5000")
    assert status.headroom["open_positions"] == ("1", "10")
    assert status.headroom["trades_per_symbol"] == ("1", str(RiskSettings().max_trades_per_symbol))


# --- the oracle ---------------------------------------------------------------------------------------------------


@attrs.define
class World:
    """A tiny venue and, beside it, every limit once more in other words (floats, lists of what happened)."""

    chance: random.Random
    limits: RiskSettings
    cash: Decimal = Decimal(10_000)
    coins: dict[str, Decimal] = attrs.Factory(lambda: {BTC: ZERO, ETH: ZERO})
    prices: dict[str, float] = attrs.Factory(lambda: {BTC: 7000.0, ETH: 700.0})
    heard: dict[str, float] = attrs.Factory(dict)
    working: dict[str, OrderIntent] = attrs.Factory(dict)
    priced: dict[str, float] = attrs.Factory(dict)
    closed: list[str] = attrs.Factory(list)
    entries: list[tuple[int, str]] = attrs.Factory(list)
    orders: list[int] = attrs.Factory(list)
    approved_ids: set[str] = attrs.Factory(set)
    days: dict[str, float] = attrs.Factory(dict)
    weeks: dict[str, float] = attrs.Factory(dict)
    peak: float = 0.0
    state: TradingState = TradingState.ACTIVE
    paused: bool = False
    minute: int = 0

    def account(self) -> AccountState:
        positions = tuple(
            PositionView(
                symbol=Symbol(symbol),
                quantity=quantity,
                average_price=Decimal(1),
                mark_price=Decimal(1),
                notional=ZERO,
                unrealized_pnl=ZERO,
                realized_pnl=ZERO,
                fees=ZERO,
            )
            for symbol, quantity in self.coins.items()
            if quantity
        )
        wallets = (
            WalletView(wallet_type="exchange", currency="USD", balance=self.cash, available=None),
            WalletView(wallet_type="exchange", currency="BTC", balance=self.coins[BTC], available=None),
            WalletView(wallet_type="exchange", currency="ETH", balance=self.coins[ETH], available=None),
        )
        return msgspec.structs.replace(
            an_account(),
            wallets=wallets,
            positions=positions,
            cash=self.cash,
            closed_intents=tuple(self.closed[-128:]),
            closed_count=len(self.closed),
        )

    def worth(self) -> float:
        return float(self.cash) + sum(float(self.coins[symbol]) * price for symbol, price in self.heard.items())

    def fill_some(self) -> None:
        for intent_id, intent in list(self.working.items()):
            if self.chance.random() < 0.6:
                part = self.chance.choice((Decimal(0), Decimal("0.5"), Decimal(1), Decimal(1)))
                quantity = (intent.quantity * part).quantize(Decimal("1e-8"), ROUND_DOWN)
                price = Decimal(repr(self.prices[intent.symbol]))
                self.cash -= intent.side.sign * quantity * price
                self.coins[intent.symbol] += intent.side.sign * quantity
                del self.working[intent_id]
                self.closed.append(intent_id)

    def note_time(self, score: SignalScore) -> str:
        self.heard[score.symbol] = score.price
        day = datetime.datetime.fromtimestamp(score.decided_ms / 1000, datetime.UTC).date().isoformat()
        self.days.setdefault(day, self.worth())
        self.weeks.setdefault(_week(day), self.worth())
        if not self.working or self.peak == 0.0:
            self.peak = max(self.peak, self.worth())
        return day

    def exposure(self) -> dict[str, float]:
        found = {symbol: float(self.coins[symbol]) * self.heard.get(symbol, 1.0) for symbol in self.coins}
        for intent_id, intent in self.working.items():
            if intent.side is Side.BUY:
                found[intent.symbol] += float(intent.quantity) * self.priced[intent_id]
        return {symbol: notional for symbol, notional in found.items() if notional}

    def cool(self, score: SignalScore) -> bool:
        mine = [at for at, symbol in self.entries if symbol == score.symbol]
        return not mine or score.decided_ms - mine[-1] >= self.limits.cooldown_s * 1000

    def hours_open(self, score: SignalScore) -> bool:
        clock = datetime.datetime.fromtimestamp(score.decided_ms / 1000, datetime.UTC).strftime("%a %H:%M").lower()
        return not self.limits.windows or any(
            text[:3] == clock[:3] and text[4:9] <= clock[4:] < text[10:] for text in self.limits.windows
        )

    def check(self, score: SignalScore, outputs: RiskOutputs) -> Counter[str]:
        """Every limit against what was approved; and a denied entry must have had a reason."""
        day = self.note_time(score)
        limits, seen = self.limits, Counter[str]()
        exposure, worth = self.exposure(), self.worth()
        mine = exposure.get(score.symbol, 0.0)
        target = float(limits.position_fraction) * worth - mine
        symbol_busy = any(intent.symbol == score.symbol for intent in self.working.values())
        today = [symbol for at, symbol in self.entries if _day(at) == day]
        reserved = sum(
            float(intent.quantity) * self.priced[intent_id] * 1.01
            for intent_id, intent in self.working.items()
            if intent.side is Side.BUY
        )
        may_enter = (
            self.state is TradingState.ACTIVE
            and not self.paused
            and not symbol_busy
            and len(today) < limits.max_trades_per_day
            and today.count(score.symbol) < limits.max_trades_per_symbol
            and sum(at > score.decided_ms - 60_000 for at in self.orders) < limits.max_orders_per_minute
            and len(exposure.keys() | {score.symbol}) <= limits.max_open_positions
            and (self.days[day] - worth) / self.days[day] < float(limits.max_daily_loss)
            and (self.weeks[_week(day)] - worth) / self.weeks[_week(day)] < float(limits.max_weekly_loss)
            and (self.peak - worth) / self.peak < float(limits.max_drawdown)
            and self.cool(score)
            and self.hours_open(score)
        )
        room = min(
            target,
            float(limits.max_order_notional),
            float(limits.max_position_notional) - mine,
            float(limits.max_gross_exposure) - sum(exposure.values()),
            # Nothing is sold short here, so the net is the gross.
            float(limits.max_net_exposure) - sum(exposure.values()),
            (float(self.cash) - reserved) / 1.01,
        )
        minimum = float(PAIRS[Symbol(score.symbol)].minimum) * score.price
        for approved in outputs.approved:
            intent = approved.intent
            assert intent.intent_id not in self.approved_ids, "approved twice"
            assert self.state is not TradingState.HALTED
            assert not symbol_busy
            notional = float(intent.quantity) * score.price
            if intent.side is Side.BUY:
                assert may_enter
                assert notional <= room + 1e-6
                assert notional >= room - score.price * 2e-8, "as much as every limit allows"
                self.entries.append((score.decided_ms, score.symbol))
            else:
                assert intent.quantity == self.coins[intent.symbol], "all of it"
            self.approved_ids.add(intent.intent_id)
            self.working[intent.intent_id] = intent
            self.priced[intent.intent_id] = score.price
            self.orders.append(score.decided_ms)
            seen[f"approved {intent.side.value}"] += 1
        for verdict in outputs.verdicts:
            if not verdict.approved:
                seen.update(result.code.value for result in verdict.denials if result.code is not None)
                if verdict.side is Side.BUY:
                    assert not may_enter or room < minimum * (1 + 1e-9), "denied without a reason"
        return seen


def _day(at_ms: int) -> str:
    return datetime.datetime.fromtimestamp(at_ms / 1000, datetime.UTC).date().isoformat()


def _week(day: str) -> str:
    return datetime.date.fromisoformat(day).strftime("%G %V")


def _random_limits(chance: random.Random) -> RiskSettings:
    return RiskSettings(
        position_fraction=Decimal(chance.choice(("0.1", "0.25", "0.6"))),
        max_order_notional=Decimal(chance.choice((500, 2000, 5000))),
        max_position_notional=Decimal(chance.choice((400, 3000, 6000))),
        max_gross_exposure=Decimal(chance.choice((1000, 4000, 20000))),
        max_open_positions=chance.choice((1, 2, 10)),
        max_daily_loss=Decimal(chance.choice(("0.02", "0.05", "0.5"))),
        max_drawdown=Decimal(chance.choice(("0.02", "0.1", "0.9"))),
        max_trades_per_day=chance.choice((2, 5, 200)),
        max_trades_per_symbol=chance.choice((1, 3, 100)),
        max_orders_per_minute=chance.choice((1, 30)),
        max_weekly_loss=Decimal(chance.choice(("0.03", "0.1", "0.9"))),
        max_net_exposure=Decimal(chance.choice((900, 5000, 20000))),
        max_strategy_drawdown=Decimal(1),
        cooldown_s=chance.choice((0.0, 0.0, 300.0)),
        windows=chance.choice(((), (), tuple(f"{day} 03:00-21:00" for day in DAYS))),
    )


def live_through(seed: int, steps: int = 120) -> Counter[str]:
    """One random life: scores, fills, restarts, repeats, commands and changed settings."""
    chance = random.Random(seed)
    world = World(chance, _random_limits(chance))
    made = RiskMachine(Settings(risk=world.limits), PAIRS)
    made.on_account(world.account())
    seen: Counter[str] = Counter()
    said: list[tuple[SignalScore, RiskOutputs]] = []
    for _ in range(steps):
        roll = chance.random()
        if roll < 0.04:
            kept = made.checkpoint()
            made = RiskMachine(Settings(risk=world.limits), PAIRS)
            made.restore([kept])
            seen["restart"] += 1
        elif roll < 0.07:
            world.limits = _random_limits(chance)
            made.on_settings(Settings(risk=world.limits))
            seen["settings"] += 1
        elif roll < 0.11:
            world.state = chance.choice((TradingState.ACTIVE, TradingState.ACTIVE, *TradingState))
            resumed = world.state is TradingState.ACTIVE and made.state.trading is not TradingState.ACTIVE
            made.on_command(SetTradingState(state=world.state, reason="", actor="", correlation_id=""))
            world.peak = world.worth() if resumed else world.peak
        elif roll < 0.14:
            world.paused = chance.random() < 0.3
            made.on_command(SetPaused(paused=world.paused, reason="", actor="", correlation_id=""))
        elif roll < 0.2 and said:
            score, before = chance.choice(said[-3:])
            again = made.on_score(score)
            assert again.repeated
            assert set(again.approved) <= set(before.approved)
            assert again.records == ()
            seen["repeat"] += 1
        elif roll < 0.4:
            world.fill_some()
            made.on_account(world.account())
        else:
            step = chance.choice((0, 1, 1, 1, 200))
            world.minute += step
            symbol = chance.choice((BTC, ETH))
            world.prices[symbol] = round(world.prices[symbol] * chance.uniform(0.94, 1.06), 2)
            wish = chance.choice(("buy", "buy", "sell", "hold", "hold"))
            # A strategy speaks once a candle: two scores in one minute are of two strategies.
            strategy = f"{symbol} {chance.choice('ab') if step else len(said)}"
            score = a_score(world.minute, wish, price=world.prices[symbol], symbol=symbol, strategy=strategy)
            outputs = made.on_score(score)
            seen += world.check(score, outputs)
            said.append((score, outputs))
    return seen


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_no_life_breaks_a_limit_or_is_denied_without_a_reason(seed: int) -> None:
    live_through(seed)


def test_in_some_lives_everything_happens() -> None:
    """The oracle is worth something only if its worlds reach every rule it speaks of."""
    seen: Counter[str] = Counter()
    for seed in range(150):
        seen += live_through(seed)
    wanted = {code.value for code in DenialCode} - {
        "unknown_symbol",
        "other_quote",
        "account_unknown",
        "stale_data",
        "stale_signal",
        "symbol_halted",
        "clock_skew",
        # What these worlds trade is far from either end.
        "below_minimum_size",
        "above_maximum_size",
        "insufficient_balance",
        # These have oracles of their own in test_risk_protections.
        "locked",
        "breaker_open",
        "max_strategy_drawdown",
        "volatility_budget",
        "regime_budget",
    }
    wanted |= {"approved buy", "approved sell", "restart", "settings", "repeat"}
    assert wanted <= set(seen), wanted - set(seen)


def test_pairs_without_limits_allow_any_size_above_zero() -> None:
    made = RiskMachine(Settings(market=MarketSettings(symbols=("tBTCUSD",))), {})
    made.on_account(an_account())
    assert made.on_score(a_score(0, "buy")).approved
    made.on_pairs({BTC: PairSpec(symbol=BTC, minimum=Decimal(1), maximum=Decimal(2))})
    made.on_account(an_account(closed=(a_score(0, "buy").signal_id + ":entry",)))
    assert DenialCode.BELOW_MINIMUM_SIZE in codes(made.on_score(a_score(1, "buy")))


def test_verdicts_survive_the_journal() -> None:
    (verdict,) = machine().on_score(a_score(0, "buy")).verdicts
    assert msgspec.json.decode(msgspec.json.encode(verdict), type=Verdict) == verdict
    (approved,) = machine().on_score(a_score(0, "buy")).approved
    assert msgspec.json.decode(msgspec.json.encode(approved), type=Approved) == approved


# --- whose coins they are


def shared(own: str, others: str) -> AccountState:
    """An account whose coins belong to strategy `s` and to a person."""
    holdings = (("s", Decimal(own)), ("manual", Decimal(others)))
    owners = tuple(StrategyHolding(symbol=BTC, strategy=name, quantity=each) for name, each in holdings if each)
    return msgspec.structs.replace(an_account(held=Decimal(own) + Decimal(others), version=2), owners=owners)


def test_an_exit_sells_what_its_strategy_bought_and_nothing_of_another() -> None:
    made = machine(account=shared("0.5", "0.25"))
    (exit_,) = made.on_score(a_score(0, "sell")).approved
    assert exit_.intent.quantity == Decimal("0.5")


def test_a_strategy_without_coins_has_nothing_to_sell_whatever_others_hold() -> None:
    made = machine(account=shared("0", "0.25"))
    outputs = made.on_score(a_score(0, "sell"))
    assert outputs.approved == ()
    assert DenialCode.NOTHING_TO_REDUCE in codes(outputs)
    assert says_nothing(made.on_score(a_score(1, "hold")))


def test_what_others_hold_is_no_exit_that_is_owed() -> None:
    made = machine(account=shared("0.5", "0.25"))
    (exit_,) = made.on_score(a_score(0, "sell")).approved
    left = msgspec.structs.replace(shared("0", "0.25"), closed_intents=(exit_.intent.intent_id,), closed_count=1)
    made.on_account(left)
    assert made.state.exits_owed == {}
    assert says_nothing(made.on_score(a_score(1, "hold")))


@pytest.mark.parametrize("told", [False, True])
def test_an_exit_does_not_wait_until_each_wallet_has_been_explained(told: bool) -> None:
    """A ledger that did not answer after a login kept positions from being closed, for as long as it did not."""
    unclear = msgspec.structs.replace(an_account(held=Decimal(1), known=False), told=told)
    made = machine(account=unclear)
    sold = made.on_score(a_score(0, "sell")).judgements[0].verdict
    assert sold.approved is told
    assert [each.code for each in sold.denials] == ([] if told else [DenialCode.ACCOUNT_UNKNOWN])
    bought = machine(account=unclear).on_score(a_score(0, "buy")).judgements[0].verdict
    assert DenialCode.ACCOUNT_UNKNOWN in [each.code for each in bought.denials]


def test_what_was_told_before_a_restart_tells_an_exit_nothing() -> None:
    made = machine(account=msgspec.structs.replace(an_account(held=Decimal(1), known=False), told=True))
    made.forget_account()
    assert not made.on_score(a_score(0, "sell")).judgements[0].verdict.approved
