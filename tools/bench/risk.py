"""What a judgement costs with every rule on: the rules alone, with their facts, and a whole decision with its record.

    python -m tools.bench.risk [rounds]

CPU time of one thread; the median of the rounds is shown. The rules alone are held to 50 microseconds.
"""

import statistics
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Final

import msgspec

from genesis.domain.decision_log import verdict_record
from genesis.domain.pairs import pair_specs
from genesis.domain.risk_facts import facts_at, grounds_of
from genesis.domain.risk_machine import RiskMachine
from genesis.domain.risk_rules import RULES, judge
from genesis.domain.risk_rules.results import told
from genesis.domain.risk_state import Facts, Wish
from protocols.orders import OrderIntent, OrderType, Purpose
from protocols.risk import AccountState, AddLock, PositionView, WalletView
from protocols.settings import RiskSettings, Settings
from protocols.signals import Recommendation, SignalScore
from protocols.units import ZERO, Side, Symbol

LIMIT_US: Final = 50.0
JUDGEMENTS: Final = 2_000
BTC: Final = Symbol("tBTCUSD")
START_MS: Final = 1_517_832_000_000

EVERYTHING_ON: Final = Settings(
    risk=RiskSettings(
        cooldown_s=1.0,
        windows=("mon 00:00-24:00", "tue 00:00-24:00", "wed 00:00-24:00", "thu 08:00-17:00", "fri 08:00-16:00"),
        windows_timezone="Europe/Stockholm",
        exit_cooldown_s=60.0,
        stop_guard_losses=4,
        low_profit_trades=4,
        atr_budget=Decimal("0.05"),
        regime_high_fraction=Decimal("0.5"),
        breaker_volatility_ratio=Decimal(5),
        breaker_data_age_s=60.0,
    )
)


def a_score(minute: int) -> SignalScore:
    open_ms = START_MS + minute * 60_000
    return SignalScore(
        signal_id=f"s:{BTC}:1m:{open_ms}",
        strategy="s",
        symbol=BTC,
        timeframe="1m",
        candle_open_ms=open_ms,
        decided_ms=open_ms + 60_000,
        price=7000.5,
        recommendation=Recommendation.HOLD,
        confidence=0.5,
        probability=0.5,
        source="bench/1",
        features={"atr": 20.0 + minute % 5},
        reasons=(),
        catch_up=False,
        correlation_id=f"{BTC}:1m:{open_ms}",
        received_ns=0,
    )


def an_account() -> AccountState:
    position = PositionView(
        symbol=BTC,
        quantity=Decimal("0.1"),
        average_price=Decimal(6900),
        mark_price=Decimal(7000),
        notional=Decimal(700),
        unrealized_pnl=Decimal(10),
        realized_pnl=ZERO,
        fees=ZERO,
    )
    wallets = tuple(
        WalletView(wallet_type="exchange", currency=currency, balance=balance, available=None)
        for currency, balance in (("BTC", Decimal("0.1")), ("ETH", Decimal(2)), ("USD", Decimal(9_000)))
    )
    return AccountState(
        known=True,
        version=1,
        quote_currency="USD",
        equity=Decimal(9_700),
        cash=Decimal(9_000),
        realized_pnl=ZERO,
        unrealized_pnl=ZERO,
        fees=ZERO,
        wallets=wallets,
        positions=(position,),
        closed_intents=(),
        closed_count=0,
        mismatched_symbols=(),
        as_of_ms=START_MS,
    )


def prepared() -> tuple[RiskMachine, Facts, Wish]:
    """A machine that has seen an hour, holds something, and has locks that concern others."""
    machine = RiskMachine(EVERYTHING_ON, pair_specs(EVERYTHING_ON.market.symbols))
    machine.on_account(an_account())
    for minute in range(60):
        machine.on_score(a_score(minute))
    for strategy in ("other", "another"):
        machine.on_command(
            AddLock(symbol=None, strategy=strategy, duration_s=None, reason="", actor="", correlation_id="")
        )
    intent = OrderIntent(
        intent_id="i",
        strategy="s",
        symbol=BTC,
        side=Side.BUY,
        quantity=Decimal("0.05"),
        order_type=OrderType.MARKET,
        purpose=Purpose.ENTRY,
        decided_ms=machine.state.now_ms,
        correlation_id="c",
        signal_id="s",
    )
    wish = Wish(
        intent_id="i",
        strategy="s",
        symbol=BTC,
        side=Side.BUY,
        purpose=Purpose.ENTRY,
        quantity=intent.quantity,
        price=Decimal("7000.5"),
        decided_ms=intent.decided_ms,
        correlation_id="c",
        signal_id="s",
        intent=intent,
    )
    facts = facts_of(machine, wish)
    assert judge(machine.settings, facts, wish) == (), "the whole trace must be walked"
    return machine, facts, wish


def facts_of(machine: RiskMachine, wish: Wish) -> Facts:
    pairs = pair_specs(EVERYTHING_ON.market.symbols)
    grounds = grounds_of(
        machine.state,
        machine.settings,
        symbol=wish.symbol,
        side=wish.side,
        purpose=wish.purpose,
        quantity=wish.quantity,
        strategy=wish.strategy,
        known_symbols=frozenset(EVERYTHING_ON.market.symbols),
        pairs=pairs,
    )
    return facts_at(grounds, machine.state, machine.settings, pairs, machine.state.now_ms)


def microseconds(work: Callable[[], object], rounds: int) -> float:
    taken = []
    for _ in range(rounds):
        begin = time.thread_time()
        for _ in range(JUDGEMENTS):
            work()
        taken.append((time.thread_time() - begin) / JUDGEMENTS * 1e6)
    return statistics.median(taken)


def main() -> int:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    machine, facts, wish = prepared()
    settings = machine.settings
    assert wish.intent is not None
    intent = msgspec.structs.replace(wish.intent)
    rows = {
        f"judge, {len(RULES)} rules": microseconds(lambda: judge(settings, facts, wish), rounds),
        "facts of one judgement": microseconds(lambda: facts_of(machine, wish), rounds),
        "numbers as text": microseconds(
            lambda: [told(rule, settings, facts, wish, passed=True) for rule in RULES], rounds
        ),
        "a whole verdict": microseconds(lambda: machine.evaluate(intent), rounds),
        "a verdict and its record": microseconds(lambda: verdict_record(machine.evaluate(intent)), rounds),
        "the state written down": microseconds(machine.checkpoint, rounds),
    }
    for name, value in rows.items():
        print(f"{name:<28} {value:8.1f} us")
    judged = next(iter(rows.values()))
    print(f"held to {LIMIT_US:.0f} us: {'yes' if judged <= LIMIT_US else 'NO'}")
    return 0 if judged <= LIMIT_US else 1


if __name__ == "__main__":
    sys.exit(main())
