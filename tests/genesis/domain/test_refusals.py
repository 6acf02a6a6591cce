"""What refuses every wish until something happens: that no rule which is asked once has an eye on the candle."""

from decimal import Decimal

import msgspec
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from genesis.domain.pairs import pair_specs
from genesis.domain.refusals import Refusals, can_be_in_a_row, kept
from genesis.domain.risk_rules import RULES
from genesis.domain.risk_state import Facts, RiskState, Wish
from genesis.domain.volatility import CALM, UNKNOWN, USUAL, WILD
from protocols.orders import Purpose
from protocols.risk import AccountState, TradingState, WalletView
from protocols.settings import RiskSettings, Settings
from protocols.units import ZERO, Side, Symbol

BTC = Symbol("tBTCUSD")
NOW_MS = 1_517_832_000_000
MINUTES = st.integers(0, 3_000).map(lambda minutes: NOW_MS + minutes * 60_000)
MONEY = st.decimals(Decimal(0), Decimal(20_000), places=2)
PRICES = st.decimals(Decimal("0.01"), Decimal(20_000), places=2)
LIMITS = st.builds(
    RiskSettings,
    windows=st.sampled_from([(), ("mon 00:00-20:00", "tue 03:00-26:00")]),
    cooldown_s=st.sampled_from([0.0, 600.0]),
    atr_budget=st.sampled_from([ZERO, Decimal("0.01")]),
    regime_high_fraction=st.sampled_from([Decimal(1), Decimal("0.5")]),
    max_drawdown=st.sampled_from([Decimal("0.2"), Decimal("0.01")]),
    max_trades_per_day=st.sampled_from([200, 1]),
    max_orders_per_minute=st.sampled_from([30, 1]),
)
FACTS = st.builds(
    Facts,
    now_ms=MINUTES,
    account_known=st.booleans(),
    price_known=st.booleans(),
    symbol_known=st.booleans(),
    equity=MONEY,
    free_cash=MONEY,
    held=st.just(ZERO),
    base_balance=st.just(ZERO),
    position_notional=st.just(ZERO),
    gross_notional=MONEY,
    open_symbols=st.sampled_from([frozenset(), frozenset({"tETHUSD"})]),
    working=st.just(()),
    reduces=st.just(False),
    pair=st.sampled_from([None, pair_specs([BTC])[BTC]]),
    net_notional=MONEY,
    strategy_result=st.decimals(Decimal(-500), Decimal(500), places=2),
    mismatched=st.booleans(),
    trading=st.sampled_from(TradingState),
    paused=st.booleans(),
    clock_skew_ms=st.sampled_from([0.0, 5000.0]),
    day_start_equity=st.none() | MONEY,
    week_start_equity=st.none() | MONEY,
    peak_equity=st.none() | MONEY,
    strategy_peak=MONEY,
    strategy_base=MONEY,
    trades_today=st.integers(0, 3),
    last_entry_ms=st.none() | MINUTES,
)
CANDLES = st.fixed_dictionaries(
    {
        "now_ms": MINUTES,
        "overdue_ms": st.sampled_from([0, 600_000]),
        "atr": st.none() | PRICES,
        "regime": st.sampled_from([CALM, USUAL, WILD, UNKNOWN]),
        "orders_last_minute": st.integers(0, 2),
        "data_age_ms": st.sampled_from([0.0, 90_000.0]),
    }
)


def wish_at(price: Decimal, quantity: Decimal, at_ms: int, purpose: Purpose) -> Wish:
    return Wish(
        intent_id=str(at_ms),
        strategy="s",
        symbol=BTC,
        side=Side.BUY if purpose is Purpose.ENTRY else Side.SELL,
        purpose=purpose,
        quantity=quantity,
        price=price,
        decided_ms=at_ms,
        correlation_id=str(at_ms),
        signal_id=str(at_ms),
        lag_ms=at_ms % 7,
        intent=None,
    )


@given(
    limits=LIMITS,
    facts=FACTS,
    one=CANDLES,
    other=CANDLES,
    prices=st.tuples(PRICES, PRICES),
    sizes=st.tuples(MONEY, MONEY),
)
@hypothesis_settings(max_examples=400, deadline=None)
def test_rules_that_stand_still_answer_every_candle_alike(
    limits: RiskSettings,
    facts: Facts,
    one: dict[str, object],
    other: dict[str, object],
    prices: tuple[Decimal, Decimal],
    sizes: tuple[Decimal, Decimal],
) -> None:
    """Of an entry; and of an exit from nothing, which has no size, every rule does."""
    settings = Settings(risk=limits)
    for purpose, rules in ((Purpose.ENTRY, [rule for rule in RULES if not rule.moves]), (Purpose.EXIT, RULES)):
        answers = []
        for candle, price, size in zip((one, other), prices, sizes, strict=True):
            reduces = purpose is Purpose.EXIT
            seen = msgspec.structs.replace(facts, **candle, reduces=reduces)
            wish = wish_at(price, ZERO if reduces else size, seen.now_ms, purpose)
            answers.append([rule.name for rule in rules if not rule.passes(settings, seen, wish)])
        assert answers[0] == answers[1]


def a_state() -> RiskState:
    wallet = WalletView(wallet_type="exchange", currency="USD", balance=Decimal(9_000), available=None)
    account = AccountState(
        known=True, version=1, quote_currency="USD", equity=Decimal(9_000), cash=Decimal(9_000), realized_pnl=ZERO,
        unrealized_pnl=ZERO, fees=ZERO, wallets=(wallet,), positions=(), closed_intents=(), closed_count=0,
        mismatched_symbols=(), as_of_ms=NOW_MS,
    )  # fmt: skip
    return RiskState(
        now_ms=NOW_MS, account=account, marks={"tBTCUSD": Decimal(7_000)}, day_start_equity=Decimal(9_000),
        week_start_equity=Decimal(9_000), peak_equity=Decimal(9_000),
    )  # fmt: skip


def test_nothing_is_in_a_row_while_an_entry_may_be_let_through() -> None:
    state, settings, pairs = a_state(), Settings(), pair_specs([BTC])
    assert can_be_in_a_row(state, settings)
    assert Refusals.of(state, settings, pairs, symbol=BTC, strategy="s") is None
    state.peak_equity = Decimal(20_000)
    found = Refusals.of(state, settings, pairs, symbol=BTC, strategy="s")
    assert found is not None
    assert [rule.name for rule in found.entry(7_000.5, NOW_MS + 60_000, None)] == ["drawdown"]
    # So small an account buys less than the venue takes at such a price.
    assert [rule.name for rule in found.entry(9e8, NOW_MS + 60_000, None)] == ["drawdown", "minimum_size"]
    assert "something_to_reduce" in [rule.name for rule in found.exits]
    state.exits_owed["s tBTCUSD"] = ()
    assert not can_be_in_a_row(state, settings)


def test_what_is_kept_of_a_state_does_not_go_on_with_it() -> None:
    state = a_state()
    before = kept(state)
    assert before == state
    for name in state.__struct_fields__:
        value = getattr(state, name)
        if isinstance(value, dict):
            value["new"] = None
        elif isinstance(value, list):
            value.append(None)
    assert before == a_state()
