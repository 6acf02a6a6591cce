"""One way into each refusal: a machine, what it hears, and the denial code that must come of it."""

from collections.abc import Callable
from decimal import Decimal

import msgspec

from genesis.domain.pairs import pair_specs
from genesis.domain.risk_machine import RiskMachine, RiskOutputs
from protocols.orders import OrderIntent, OrderType, Purpose
from protocols.risk import (
    AccountState,
    AddLock,
    ConditionKind,
    DenialCode,
    ManualOrder,
    MarketCondition,
    SetPaused,
    SetTradingState,
    TradeResult,
    TradingState,
)
from protocols.settings import MarketSettings, RiskSettings, Settings
from protocols.units import ZERO, Side, Symbol
from tests.genesis.domain.risk_world import BTC, START_MS, a_score, an_account

ETH = Symbol("tETHUSD")
PAIRS = pair_specs((BTC, ETH))


def machine(risk: RiskSettings | None = None, account: AccountState | None = None) -> RiskMachine:
    made = RiskMachine(Settings(risk=risk or RiskSettings()), PAIRS)
    made.on_account(account or an_account())
    return made


def manual(quantity: str = "0.01", side: Side = Side.BUY, intent_id: str = "m", symbol: str = BTC) -> ManualOrder:
    intent = OrderIntent(
        intent_id=intent_id,
        strategy="manual",
        symbol=Symbol(symbol),
        side=side,
        quantity=Decimal(quantity),
        order_type=OrderType.MARKET,
        purpose=Purpose.MANUAL,
        decided_ms=START_MS,
        correlation_id="c",
    )
    return ManualOrder(intent=intent, actor="anna")


LOST = an_account(cash=Decimal(9_000))


def after_loss(made: RiskMachine) -> RiskOutputs:
    made.on_score(a_score(0, "hold"))
    made.on_account(LOST)
    return made.on_score(a_score(1, "buy"))


def _order_at_work(made: RiskMachine) -> RiskOutputs:
    made.on_score(a_score(0, "buy"))
    return made.on_score(a_score(1, "buy"))


def _commanded(made: RiskMachine, state: TradingState) -> RiskOutputs:
    made.on_command(SetTradingState(state=state, reason="r", actor="a", correlation_id="c"))
    return made.on_score(a_score(0, "buy"))


def _paused(made: RiskMachine) -> RiskOutputs:
    made.on_command(SetPaused(paused=True, reason="lunch", actor="a", correlation_id="c"))
    return made.on_score(a_score(0, "buy"))


def _late(made: RiskMachine) -> RiskOutputs:
    made.on_score(a_score(10, "hold", strategy="other"))
    return made.on_score(a_score(0, "buy"))


def wild(made: RiskMachine, *, usual: float = 20.0, now: float = 100.0) -> RiskOutputs:
    """Sixty calm minutes, then one that is not, and a wish to buy in it."""
    for minute in range(60):
        made.on_score(msgspec.structs.replace(a_score(minute, "hold"), features={"atr": usual}))
    return made.on_score(msgspec.structs.replace(a_score(60, "buy"), features={"atr": now}))


def _told(made: RiskMachine, kind: ConditionKind, symbol: str, value: float) -> RiskOutputs:
    made.on_score(a_score(0, "hold"))
    made.on_condition(MarketCondition(kind=kind, symbol=symbol, value=value, at_ms=0, correlation_id="c"))
    return made.on_score(a_score(1, "buy"))


def _locked(made: RiskMachine) -> RiskOutputs:
    made.on_command(
        AddLock(symbol=BTC, strategy=None, duration_s=600, reason="news at two", actor="anna", correlation_id="c")
    )
    return made.on_score(a_score(0, "buy"))


def _fallen(made: RiskMachine) -> RiskOutputs:
    """The strategy's own trades lost a third of the account's begin, and the account's own limits look away."""
    (entry,) = made.on_score(a_score(0, "buy")).approved
    result = TradeResult(
        number=1, symbol=BTC, strategy="s", pnl=Decimal(-3300), fraction=Decimal("-0.3"), exit_ms=START_MS
    )
    account = an_account(closed=(entry.intent.intent_id,))
    made.on_account(msgspec.structs.replace(account, results=(result,), trades_count=1))
    return made.on_score(a_score(1, "buy"))


def _entered_before(made: RiskMachine) -> RiskOutputs:
    (entry,) = made.on_score(a_score(0, "buy")).approved
    made.on_account(an_account(closed=(entry.intent.intent_id,)))
    return made.on_score(a_score(1, "buy"))


def _mismatched() -> RiskOutputs:
    account = msgspec.structs.replace(an_account(), mismatched_symbols=(BTC,))
    return machine(account=account).on_score(a_score(0, "buy"))


def _of_another_quote(made: RiskMachine) -> RiskOutputs:
    made.on_settings(Settings(market=MarketSettings(symbols=(BTC, "tETHBTC"))))
    return made.on_score(a_score(0, "buy", symbol="tETHBTC", price=0.05))


DENIALS: dict[DenialCode, Callable[[], RiskOutputs]] = {
    DenialCode.LOCKED: lambda: _locked(machine()),
    DenialCode.OUTSIDE_WINDOWS: lambda: machine(RiskSettings(windows=("sat 08:00-09:00",))).on_score(a_score(0, "buy")),
    DenialCode.MAX_NET_EXPOSURE: lambda: machine(RiskSettings(max_net_exposure=ZERO)).on_score(a_score(0, "buy")),
    DenialCode.MAX_STRATEGY_DRAWDOWN: lambda: _fallen(machine()),
    DenialCode.COOLDOWN: lambda: _entered_before(machine(RiskSettings(cooldown_s=300))),
    DenialCode.VOLATILITY_BUDGET: lambda: machine(RiskSettings(atr_budget=Decimal("0.01"))).on_score(a_score(0, "buy")),
    DenialCode.REGIME_BUDGET: lambda: wild(machine(RiskSettings(regime_high_fraction=ZERO))),
    DenialCode.BREAKER_OPEN: lambda: _told(machine(), ConditionKind.SPREAD, BTC, 500.0),
    DenialCode.SYMBOL_HALTED: _mismatched,
    DenialCode.CLOCK_SKEW: lambda: _told(machine(), ConditionKind.CLOCK_SKEW, "", -1500.0),
    DenialCode.HALTED: lambda: _commanded(machine(), TradingState.HALTED),
    DenialCode.REDUCING_ONLY: lambda: _commanded(machine(), TradingState.REDUCING),
    DenialCode.PAUSED: lambda: _paused(machine()),
    DenialCode.UNKNOWN_SYMBOL: lambda: machine().on_score(a_score(0, "buy", symbol="tXRPUSD")),
    DenialCode.OTHER_QUOTE: lambda: _of_another_quote(machine()),
    DenialCode.STALE_DATA: lambda: machine().on_command(manual()),
    DenialCode.ACCOUNT_UNKNOWN: lambda: machine(account=an_account(known=False)).on_score(a_score(0, "buy")),
    DenialCode.STALE_SIGNAL: lambda: _late(machine()),
    DenialCode.ORDER_ALREADY_WORKING: lambda: _order_at_work(machine()),
    DenialCode.NOTHING_TO_REDUCE: lambda: machine().on_score(a_score(0, "sell")),
    DenialCode.BELOW_MINIMUM_SIZE: lambda: machine(RiskSettings(position_fraction=Decimal("0.00001"))).on_score(
        a_score(0, "buy")
    ),
    DenialCode.ABOVE_MAXIMUM_SIZE: lambda: machine(account=an_account(held=Decimal(3000))).on_command(
        manual("3000", Side.SELL)
    ),
    DenialCode.MAX_ORDER_NOTIONAL: lambda: machine(RiskSettings(max_order_notional=ZERO)).on_score(a_score(0, "buy")),
    DenialCode.MAX_POSITION_NOTIONAL: lambda: machine(RiskSettings(max_position_notional=ZERO)).on_score(
        a_score(0, "buy")
    ),
    DenialCode.MAX_GROSS_EXPOSURE: lambda: machine(RiskSettings(max_gross_exposure=ZERO)).on_score(a_score(0, "buy")),
    DenialCode.MAX_OPEN_POSITIONS: lambda: machine(RiskSettings(max_open_positions=0)).on_score(a_score(0, "buy")),
    DenialCode.MAX_DAILY_LOSS: lambda: after_loss(machine(RiskSettings(max_weekly_loss=Decimal(1)))),
    DenialCode.MAX_WEEKLY_LOSS: lambda: after_loss(machine(RiskSettings(max_daily_loss=Decimal(1)))),
    DenialCode.MAX_DRAWDOWN: lambda: after_loss(
        machine(RiskSettings(max_daily_loss=Decimal(1), max_weekly_loss=Decimal(1), max_drawdown=Decimal("0.1")))
    ),
    DenialCode.MAX_TRADES_PER_DAY: lambda: machine(RiskSettings(max_trades_per_day=0)).on_score(a_score(0, "buy")),
    DenialCode.MAX_TRADES_PER_SYMBOL: lambda: machine(RiskSettings(max_trades_per_symbol=0)).on_score(
        a_score(0, "buy")
    ),
    DenialCode.MAX_ORDERS_PER_MINUTE: lambda: machine(RiskSettings(max_orders_per_minute=0)).on_score(
        a_score(0, "buy")
    ),
    DenialCode.INSUFFICIENT_BALANCE: lambda: machine(account=an_account(cash=ZERO, held=Decimal(1))).on_command(
        manual("0.1", Side.SELL, symbol=ETH)
    ),
}
