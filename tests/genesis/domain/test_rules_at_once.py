"""All rules as one question: the same answer as the rules give one by one, whatever is asked."""

from decimal import Decimal
from types import FunctionType

import msgspec
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from genesis.domain.pairs import pair_specs
from genesis.domain.risk_rules import RULES, judge, judge_at_once, write_at_once
from genesis.domain.risk_rules.at_once import at_once
from genesis.domain.risk_state import Facts, Wish
from genesis.domain.volatility import USUAL, WILD
from protocols.orders import OrderIntent, OrderType, Purpose
from protocols.risk import BreakerState, BreakerView, Lock, LockSource, TradingState
from protocols.settings import RiskSettings, Settings
from protocols.units import ZERO, Side, Symbol

BTC = Symbol("tBTCUSD")
NOW_MS = 1_517_832_000_000
MONEY = st.sampled_from([ZERO, Decimal("0.00000001"), Decimal("0.02"), Decimal(1), Decimal(100), Decimal(9_999)])
SIGNED = MONEY | MONEY.map(lambda number: -number)
COUNTS = st.integers(0, 2)
LOCK = Lock(
    lock_id="1", symbol=None, strategy=None, source=LockSource.MANUAL, reason="", actor="", created_ms=0, until_ms=None
)
BREAKER = BreakerView(scope="", state=BreakerState.OPEN, cause="", since_ms=0, until_ms=0, trips=1)


def an_intent(purpose: Purpose, *, margin: bool) -> OrderIntent:
    return OrderIntent(
        intent_id="i", strategy="s", symbol=BTC, side=Side.BUY, quantity=Decimal(1), order_type=OrderType.MARKET,
        purpose=purpose, decided_ms=NOW_MS, correlation_id="c", margin=margin,
    )  # fmt: skip


SETTINGS = st.builds(
    Settings,
    risk=st.builds(
        RiskSettings,
        windows=st.sampled_from([(), ("mon 00:00-20:00", "tue 03:00-26:00")]),
        cooldown_s=st.sampled_from([0.0, 600.0]),
        atr_budget=st.sampled_from([ZERO, Decimal("0.01")]),
        position_fraction=st.sampled_from([Decimal("0.1"), Decimal(1)]),
        regime_high_fraction=st.sampled_from([Decimal(1), Decimal("0.5")]),
        max_order_notional=st.sampled_from([Decimal(100), Decimal(10_000)]),
        max_position_notional=st.sampled_from([Decimal(100), Decimal(10_000)]),
        max_gross_exposure=st.sampled_from([Decimal(100), Decimal(10_000)]),
        max_net_exposure=st.sampled_from([Decimal(100), Decimal(10_000)]),
        max_open_positions=st.integers(1, 2),
        max_drawdown=st.sampled_from([Decimal("0.99"), Decimal("0.01")]),
        max_trades_per_day=st.integers(1, 2),
        max_orders_per_minute=st.integers(1, 2),
    ),
)
FACTS = st.builds(
    Facts,
    now_ms=st.sampled_from([NOW_MS, NOW_MS + 90_000_000]),
    account_known=st.booleans(),
    price_known=st.booleans(),
    symbol_known=st.booleans(),
    equity=MONEY,
    free_cash=MONEY,
    held=SIGNED,
    base_balance=MONEY,
    position_notional=MONEY,
    gross_notional=MONEY,
    open_symbols=st.sampled_from([frozenset(), frozenset({"tETHUSD"}), frozenset({"tETHUSD", "tBTCUSD"})]),
    working=st.sampled_from(
        [(), (an_intent(Purpose.MANUAL, margin=False),), (an_intent(Purpose.ENTRY, margin=False),)]
    ),
    reduces=st.booleans(),
    pair=st.sampled_from([None, pair_specs([BTC])[BTC]]),
    net_notional=SIGNED,
    strategy_result=SIGNED,
    mismatched=st.booleans(),
    overdue_ms=st.sampled_from([0, 10_000_000]),
    atr=st.none() | MONEY,
    regime=st.sampled_from([USUAL, WILD]),
    locks=st.sampled_from([(), (LOCK,)]),
    breaker=st.sampled_from([None, BREAKER]),
    free_margin=MONEY,
    initial_margin=st.sampled_from([Decimal(1), Decimal("0.2")]),
    trading=st.sampled_from(TradingState),
    paused=st.booleans(),
    data_age_ms=st.sampled_from([0.0, 90_000.0]),
    clock_skew_ms=st.sampled_from([0.0, 50_000.0]),
    day_start_equity=st.none() | MONEY,
    week_start_equity=st.none() | MONEY,
    peak_equity=st.none() | MONEY,
    strategy_peak=MONEY,
    strategy_base=MONEY,
    trades_today=COUNTS,
    trades_today_here=COUNTS,
    orders_last_minute=COUNTS,
    last_entry_ms=st.none() | st.sampled_from([NOW_MS, NOW_MS - 700_000]),
)
WISHES = st.builds(
    Wish,
    intent_id=st.just("i"),
    strategy=st.just("s"),
    symbol=st.sampled_from([BTC, Symbol("tDUSK:USD"), Symbol("tETHEUR")]),
    side=st.sampled_from(Side),
    purpose=st.sampled_from(Purpose),
    quantity=MONEY,
    price=MONEY,
    decided_ms=st.just(NOW_MS),
    correlation_id=st.just("c"),
    signal_id=st.sampled_from([None, "s"]),
    catch_up=st.booleans(),
    lag_ms=st.sampled_from([0, 10_000_000]),
    intent=st.sampled_from([None, an_intent(Purpose.ENTRY, margin=False), an_intent(Purpose.ENTRY, margin=True)]),
)
EACH = tuple((rule, at_once([rule.asks])) for rule in RULES)


@given(settings=SETTINGS, facts=FACTS, wish=WISHES)
@hypothesis_settings(max_examples=600, deadline=None)
def test_every_rule_answers_alike_as_it_is_written_out(settings: Settings, facts: Facts, wish: Wish) -> None:
    for rule, written in EACH:
        assert written(settings, facts, wish) is bool(rule.asks(settings, facts, wish)), rule.name


@given(settings=SETTINGS, facts=FACTS, wish=WISHES)
@hypothesis_settings(max_examples=400, deadline=None)
def test_a_judgement_is_the_same_at_once_and_one_by_one(settings: Settings, facts: Facts, wish: Wish) -> None:
    denied = judge(settings, facts, wish)
    assert judge_at_once(settings, facts, wish) == denied
    assert denied == tuple(rule for rule in RULES if not rule.passes(settings, facts, wish))
    of_all, of_what_reduces = write_at_once()
    assert (of_what_reduces if facts.reduces else of_all)(settings, facts, wish) is (not denied)


def test_no_rule_is_left_as_a_call() -> None:
    """Else it costs what it costs by itself. What loops or keeps its answers stays, behind a question of its own."""
    for written in write_at_once():
        assert isinstance(written, FunctionType)
        called = {name for name in written.__code__.co_names if callable(written.__globals__.get(name))}
        assert called - {"abs", "int", "len", "max"} <= {"_in_the_way", "_open_in_minute"}


def test_a_question_without_source_is_called() -> None:
    def asks(settings: Settings, facts: Facts, wish: Wish) -> bool:
        return facts.trades_today == limit

    limit = 1
    made: dict[str, object] = {}
    exec("def asks(settings, facts, wish): return facts.trades_today == 1", made)  # noqa: S102 - as a test has it
    for question in (asks, made["asks"]):
        written = at_once([question])  # type: ignore[list-item]
        for today in (0, 1):
            facts = facts_of_nothing(trades_today=today)
            assert written(Settings(), facts, WISH) is (today == 1)


def facts_of_nothing(**told: int) -> Facts:
    return Facts(
        now_ms=0, account_known=True, price_known=True, symbol_known=True, equity=ZERO, free_cash=ZERO, held=ZERO,
        base_balance=ZERO, position_notional=ZERO, gross_notional=ZERO, open_symbols=frozenset(), working=(),
        reduces=False, pair=None, **told,  # type: ignore[arg-type]
    )  # fmt: skip


WISH = Wish(
    intent_id="i", strategy="s", symbol=BTC, side=Side.BUY, purpose=Purpose.ENTRY, quantity=ZERO, price=ZERO,
    decided_ms=0, correlation_id="c", signal_id=None, intent=None,
)  # fmt: skip


def test_a_judgement_names_rules_in_their_order() -> None:
    facts = msgspec.structs.replace(facts_of_nothing(), paused=True, account_known=False)
    denied = judge_at_once(Settings(), facts, WISH)
    assert list(denied) == sorted(denied, key=RULES.index)
    assert [rule.name for rule in denied] == ["not_paused", "known_account", "minimum_size"]
