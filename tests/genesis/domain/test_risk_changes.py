"""What risk sets aside for an order that is changed: from the approval on the larger of two, until nobody can doubt."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genesis.domain.heard import news_in
from genesis.domain.risk_history import rederive
from genesis.domain.risk_machine import RiskMachine, RiskOutputs
from protocols.orders import OrderType, UpdateIntent
from protocols.risk import (
    AccountState,
    BreakerState,
    ChangeOrder,
    DenialCode,
    ManualOrder,
    OrderResult,
    SettledChange,
)
from protocols.settings import RiskSettings
from protocols.units import ZERO, Side
from tests.genesis.domain.denials import PAIRS, machine, manual
from tests.genesis.domain.risk_world import a_score, an_account

D = Decimal
LIMITS = RiskSettings(max_position_notional=D(5000), max_order_notional=D(5000), max_gross_exposure=D(5000))


def a_limit(quantity: str = "0.2", price: str = "7000", intent_id: str = "m", side: Side = Side.BUY) -> ManualOrder:
    intent = manual(quantity, side, intent_id).intent
    intent = msgspec.structs.replace(intent, order_type=OrderType.LIMIT, price=D(price))
    return ManualOrder(intent=intent, actor="anna")


def a_change(
    number: int = 1, *, quantity: str | None = None, price: str | None = None, of: str = "m", side: Side = Side.BUY
) -> ChangeOrder:
    """Of an order that whoever asks sees as 0.2 at 7000."""
    now = a_limit(quantity or "0.2", price or "7000", f"change:{number}", side).intent
    update = UpdateIntent(
        intent_id=of,
        price=None if price is None else D(price),
        quantity=None if quantity is None else D(quantity),
        reason="r",
        correlation_id="c",
    )
    return ChangeOrder(intent=now, update=update, rests=D(1400), actor="anna")


def rests(number: int, quantity: str, price: str = "7000", of: str = "m") -> AccountState:
    told = SettledChange(intent_id=of, number=number, quantity=D(quantity), price=D(price))
    return msgspec.structs.replace(an_account(), changes=(told,))


def with_order() -> RiskMachine:
    """A machine that has approved a purchase of 1400 where 5000 are allowed."""
    made = machine(LIMITS)
    made.on_score(a_score(0, "hold"))
    assert made.on_command(a_limit()).approved
    return made


def reserved(made: RiskMachine, name: str = "m") -> Decimal:
    return made.state.reservations[name].notional


def ok(outputs: RiskOutputs) -> bool:
    return bool(outputs.changed)


def test_a_second_order_breaks_the_limit_only_because_the_first_was_made_larger() -> None:
    made = with_order()
    second = a_limit("0.3", intent_id="n").intent
    assert made.evaluate(second).approved
    (changed,) = made.on_command(a_change(quantity="0.5")).changed
    assert (changed.number, changed.update.quantity, reserved(made)) == (1, D("0.5"), D(3500))
    denied = {rule.code for rule in made.evaluate(second).denials}
    assert {DenialCode.MAX_POSITION_NOTIONAL, DenialCode.MAX_GROSS_EXPOSURE} <= denied


def test_an_order_is_judged_as_what_it_becomes_without_what_it_is() -> None:
    """1400 and 4200 are more than 5000; the order that becomes 4200 is not."""
    made = with_order()
    outputs = made.on_command(a_change(quantity="0.6"))
    assert outputs.judgements[0].approved
    assert ok(outputs)
    refused = made.on_command(a_change(2, quantity="0.8"))
    assert not refused.judgements[0].approved
    assert (ok(refused), reserved(made)) == (False, D(4200))


@pytest.mark.parametrize(("rests_as", "left"), [("0.5", 3500), ("0.2", 1400)])
def test_taken_or_refused_it_counts_as_what_rests(rests_as: str, left: int) -> None:
    made = with_order()
    made.on_command(a_change(quantity="0.5"))
    made.on_account(an_account(version=2))
    assert reserved(made) == 3500
    made.on_account(rests(1, rests_as))
    assert (reserved(made), made.state.reservations["m"].changes) == (D(left), ())


def test_less_counts_as_less_when_the_venue_has_said_so() -> None:
    made = with_order()
    outputs = made.on_command(a_change(quantity="0.1"))
    assert (ok(outputs), outputs.judgements, reserved(made)) == (True, (), D(1400))
    made.on_account(rests(1, "0.1"))
    assert reserved(made) == 700


def test_an_older_word_frees_nothing_of_a_newer_change() -> None:
    made = with_order()
    made.on_command(a_change(1, quantity="0.3"))
    made.on_command(a_change(2, quantity="0.5"))
    made.on_account(rests(1, "0.3"))
    assert reserved(made) == 3500
    made.on_account(rests(2, "0.5"))
    made.on_account(rests(1, "0.3"))
    assert reserved(made) == 3500


def test_a_price_and_an_amount_of_two_changes_count_together() -> None:
    made = with_order()
    made.on_command(a_change(1, price="8000"))
    made.on_command(a_change(2, quantity="0.5"))
    assert reserved(made) == D("0.5") * 8000
    turned = with_order()
    turned.on_command(a_change(1, quantity="0.5"))
    turned.on_command(a_change(2, price="8000"))
    assert reserved(turned) == D("0.5") * 8000


def test_a_sale_that_grows_beyond_what_is_held_opens_something() -> None:
    made = machine(LIMITS, an_account(held=D("0.2")))
    made.on_score(a_score(0, "hold"))
    assert made.on_command(a_limit(side=Side.SELL)).approved
    assert made.state.reservations["m"].reduces
    refused = made.on_command(a_change(quantity="0.3", price="4000", side=Side.SELL))
    assert refused.judgements, "worth less, and more coins than are held"


def test_of_an_order_that_ended_nothing_is_changed() -> None:
    made = with_order()
    made.on_account(an_account(closed=("m",), version=2))
    assert made.on_command(a_change(quantity="0.1")) == RiskOutputs()


def test_heard_again_it_is_the_same_change_and_after_its_end_none() -> None:
    made = with_order()
    first = made.on_command(a_change(quantity="0.5"))
    again = RiskMachine(made.settings, PAIRS)
    again.restore((made.checkpoint(),))
    repeated = again.on_command(a_change(quantity="0.5"))
    assert (repeated.changed, repeated.records) == (first.changed, ())
    assert again.checkpoint() == made.checkpoint()
    again.on_account(rests(1, "0.5"))
    assert again.on_command(a_change(quantity="0.5")).changed == ()
    assert reserved(again) == 3500


def test_a_change_that_died_on_its_way_is_given_back_and_its_number_used_again() -> None:
    made = with_order()
    made.on_command(a_change(1, quantity="0.3"))
    made.on_command(a_change(2, quantity="0.5"))
    assert made.release_unheard({"m": 2}) == ()
    assert made.release_unheard({"m": 1}) == ("m",)
    assert reserved(made) == D(2100)
    assert made.on_command(a_change(3, quantity="0.4")).changed[0].number == 2


def test_a_change_is_no_trade_and_the_journal_says_the_same() -> None:
    made = with_order()
    again = RiskMachine(made.settings, PAIRS)
    again.on_account(an_account())
    told = [
        *again.on_score(a_score(0, "hold")).records,
        *again.on_command(a_limit()).records,
        *again.on_command(a_change(1, quantity="0.5")).records,
        *again.on_command(a_change(2, quantity="0.9")).records,
    ]
    before = again.checkpoint()
    assert again.settle(rederive(told, made.settings.risk.day_timezone)) == ()
    assert again.checkpoint() == before
    assert again.state.trades_today == 1


def test_what_the_journal_keeps_of_an_account_is_enough() -> None:
    made = with_order()
    made.on_command(a_change(quantity="0.5"))
    other = SettledChange(intent_id="other", number=1, quantity=D(1), price=D(1))
    told = rests(1, "0.2")
    told = msgspec.structs.replace(told, changes=(*told.changes, other))
    news = news_in(told, made.state)
    assert [each.intent_id for each in news.changes] == ["m"]
    copy = RiskMachine(made.settings, PAIRS)
    copy.restore((made.checkpoint(),))
    made.on_account(told)
    copy.on_account(news)
    assert made.checkpoint() == copy.checkpoint()


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.sampled_from("mn"), st.integers(1, 6), st.integers(60, 90)),
        st.tuples(st.sampled_from(("take", "refuse", "tell", "crash")), st.sampled_from("mn"), st.just(0), st.just(0)),
    ),
    max_size=40,
)


@given(STEPS)
def test_what_is_set_aside_is_never_less_than_what_rests_at_the_venue(steps: list[tuple[str, str, int, int]]) -> None:
    """A venue that takes changes in their order, refuses some, and is heard of late; risk dies now and then."""
    made = machine(RiskSettings(max_position_notional=D(9000), max_order_notional=D(9000), max_gross_exposure=D(9000)))
    made.on_score(a_score(0, "hold"))
    resting = {name: (D("0.2"), D(7000)) for name in "mn"}
    under_way: dict[str, list[tuple[int, Decimal | None, Decimal | None]]] = {name: [] for name in "mn"}
    done = dict.fromkeys("mn", 0)
    for name in "mn":
        assert made.on_command(a_limit(intent_id=name)).approved
    for at, (step, name, tenths, hundreds) in enumerate(steps):
        quantity, price = resting[name]
        if step == "ask":
            what = tenths % 3
            new = (None if what == 1 else D(tenths) / 10, None if what == 2 else D(hundreds) * 100)
            update = UpdateIntent(intent_id=name, quantity=new[0], price=new[1], reason="r", correlation_id="c")
            becomes = a_limit(str(new[0] or quantity), str(new[1] or price), f"change:{at}").intent
            ask = ChangeOrder(intent=becomes, update=update, rests=quantity * price, actor="a")
            under_way[name] += [(changed.number, *new) for changed in made.on_command(ask).changed]
        elif step in ("take", "refuse") and under_way[name]:
            number, amount, limit = under_way[name].pop(0)
            done[name] = number
            if step == "take":
                resting[name] = (amount or quantity, limit or price)
        elif step == "tell" and done[name]:
            # The order actor says nothing of a change while another one is under way.
            if not under_way[name]:
                made.on_account(rests(done[name], str(quantity), str(price), of=name))
        elif step == "crash":
            copy = RiskMachine(made.settings, PAIRS)
            copy.restore((made.checkpoint(),))
            made = copy
        for each, (amount, limit) in resting.items():
            assert reserved(made, each) >= amount * limit
        total = sum((amount * limit for amount, limit in resting.values()), ZERO)
        assert total <= sum((kept.notional for kept in made.state.reservations.values()), ZERO) <= 9000
    for name, (amount, limit) in resting.items():
        if not under_way[name] and done[name]:
            made.on_account(rests(done[name], str(amount), str(limit), of=name))
            assert reserved(made, name) == amount * limit


@pytest.mark.parametrize(
    ("quantity", "price", "rests_as", "filled_at", "trips"),
    [
        # Half of what was ordered, at its own price: no slippage at all.
        ("0.1", None, ("0.1", "7000"), "7000", False),
        ("0.5", None, ("0.5", "7000"), "7000", False),
        # It was allowed to pay more, and does.
        (None, "7500", ("0.2", "7500"), "7500", False),
        (None, "7500", None, "7500", False),
        ("0.1", None, ("0.1", "7000"), "7400", True),
    ],
)
def test_a_changed_order_slips_from_the_price_that_it_may_pay(
    quantity: str | None, price: str | None, rests_as: tuple[str, str] | None, filled_at: str, trips: bool
) -> None:
    """What is set aside over the first amount is no price: half an order seemed to be paid twice over."""
    made = with_order()
    assert ok(made.on_command(a_change(quantity=quantity, price=price)))
    if rests_as is not None:
        made.on_account(rests(1, *rests_as))
    end = OrderResult(
        intent_id="m", refused=False, filled_quantity=D(quantity or "0.2"), average_price=D(filled_at), ended_ms=0
    )
    made.on_account(msgspec.structs.replace(an_account(version=9, closed=("m",)), endings=(end,)))
    breaker = made.state.breakers.get("")
    assert (breaker is not None and breaker.state is BreakerState.OPEN) is trips


# --- orders that trade in part ------------------------------------------------------------------------------------


def held_part(quantity: str, left: str) -> AccountState:
    """So much of the order of 0.2 was bought, and stands among the positions."""
    bought = D(quantity)
    account = an_account(cash=D(10_000) - bought * 7000, held=bought, version=3)
    told = SettledChange(intent_id="m", number=0, quantity=D(left), price=ZERO)
    return msgspec.structs.replace(account, changes=(told,))


def test_what_has_traded_of_an_order_is_not_set_aside_a_second_time() -> None:
    """Else an order that hangs half filled for hours counts one and a half times, in every limit and in the cash."""
    made = with_order()
    made.on_account(held_part("0.15", "0.05"))
    assert reserved(made) == D("0.05") * 7000
    verdict = made.evaluate(a_limit("0.51", intent_id="n").intent)
    assert verdict.approved, verdict.denials
    # 1400 of 5000 are spoken for, held or ordered: 3600 are left.
    denied = {rule.code for rule in made.evaluate(a_limit("0.52", intent_id="n").intent).denials}
    assert DenialCode.MAX_POSITION_NOTIONAL in denied


def test_a_change_of_an_order_that_traded_in_part_is_of_what_is_left() -> None:
    made = with_order()
    made.on_account(held_part("0.15", "0.05"))
    assert ok(made.on_command(a_change(quantity="0.3")))
    assert reserved(made) == 2100
    # Late news of the same part frees nothing of the change.
    made.on_account(held_part("0.15", "0.05"))
    assert reserved(made) == 2100
    made.on_account(rests(1, "0.3"))
    made.on_account(held_part("0.15", "0.05"))
    assert reserved(made) == 2100


# --- orders that rest for long ------------------------------------------------------------------------------------


def looks(made: RiskMachine, *worths: int) -> Decimal:
    """The peak after scores a minute apart, at each of which the account is worth so much."""
    for minute, worth in enumerate(worths, start=1):
        made.on_account(an_account(cash=D(worth), version=minute + 1))
        made.on_score(a_score(minute, "hold"))
        # Another strategy at the same moment sees nothing new.
        made.on_score(a_score(minute, "hold", strategy="other"))
    assert made.state.peak_equity is not None
    return made.state.peak_equity


def test_an_order_that_rests_for_weeks_does_not_hold_the_peak_down() -> None:
    """Else an account that doubles meanwhile may lose half of it again before anybody calls that a drawdown."""
    made = machine(RiskSettings(max_daily_loss=D(1), max_weekly_loss=D(1)))
    made.on_score(a_score(0, "hold"))
    assert made.on_command(a_limit("0.01", "1000")).approved
    assert looks(made, 12_000, 15_000, 20_000, 20_000) == 20_000
    made.on_account(an_account(cash=D(15_000), version=9))
    denied = {rule.code for verdict in made.on_score(a_score(9, "buy")).verdicts for rule in verdict.denials}
    assert denied == {DenialCode.MAX_DRAWDOWN}


def test_half_a_trade_in_the_wallets_makes_no_peak() -> None:
    """The coins of a sale are still there when its money has come: one look sees twice its worth."""
    made = machine()
    made.on_score(a_score(0, "hold"))
    assert made.on_command(a_limit("0.01", "1000")).approved
    assert looks(made, 10_000, 10_000, 17_000, 10_000, 10_000) == 10_000
    # An order at market is gone soon, and until then nothing is sure.
    waiting = machine()
    assert waiting.on_score(a_score(0, "buy")).approved
    assert looks(waiting, 17_000, 17_000, 17_000) == 10_000


def test_an_older_price_makes_no_peak_and_no_loss() -> None:
    """A strategy that is added is warmed by history: what is held is not worth what it was then."""
    held = an_account(cash=D(3000), held=D(1))
    made = machine(account=held)
    made.on_score(a_score(100, "hold"))
    for minute in (*range(50), 99):
        made.on_score(a_score(minute, "hold", price=9000.0, strategy="new", catch_up=minute < 50))
    made.on_score(a_score(100, "hold", price=300.0, symbol="tETHUSD", strategy="eth"))
    assert (made.state.marks["tBTCUSD"], made.state.peak_equity) == (D(7000), D(10_000))
    # The next candle's price is taken, of whichever strategy.
    made.on_score(a_score(101, "hold", price=7100.0, strategy="new"))
    assert (made.state.marks["tBTCUSD"], made.state.peak_equity) == (D(7100), D(10_100))
