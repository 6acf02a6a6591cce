"""Before a sale is sent it is told whose coins it takes: exactly what the books make of it afterwards."""

from decimal import Decimal

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from genesis.domain.account_machine import AccountMachine
from genesis.domain.whose_coins import taken_from_others, taken_text
from protocols.orders import Fill, OrderIntent, OrderType, Purpose
from protocols.risk import StrategyHolding
from protocols.settings import Settings
from protocols.units import Side, Symbol
from tests.web.fakes import a_fill

BTC = Symbol("tBTCUSD")


def a_sale(quantity: Decimal, *, margin: bool = False, side: Side = Side.SELL) -> OrderIntent:
    return OrderIntent(
        intent_id="manual:1",
        strategy="manual",
        symbol=BTC,
        side=side,
        quantity=quantity,
        order_type=OrderType.MARKET,
        purpose=Purpose.MANUAL,
        decided_ms=1,
        correlation_id="c",
        margin=margin,
    )


def fill(number: int, strategy: str, side: Side, quantity: Decimal) -> Fill:
    return msgspec.structs.replace(
        a_fill(),
        trade_id=number,
        venue_order_id=number,
        intent_id=f"i{number}",
        strategy=strategy,
        symbol=BTC,
        side=side,
        quantity=quantity,
        price=Decimal(100),
        fee=Decimal(0),
        fee_currency="USD",
        purpose=Purpose.MANUAL,
    )


def machine_with(bought: list[tuple[str, int]]) -> AccountMachine:
    machine = AccountMachine(Settings())
    for number, (strategy, quantity) in enumerate(bought):
        machine.on_report(fill(number, strategy, Side.BUY, Decimal(quantity)))
    return machine


@given(
    bought=st.lists(st.tuples(st.sampled_from(("a", "b", "manual")), st.integers(1, 9)), min_size=1, max_size=6),
    part=st.integers(1, 100),
)
def test_what_is_told_is_what_the_books_lose(bought: list[tuple[str, int]], part: int) -> None:
    machine = machine_with(bought)
    quantity = sum((Decimal(each) for _, each in bought), Decimal(0)) * part / 100
    books = {book.strategy: book.quantity for book in machine.view().books}
    told = {each.strategy: each.quantity for each in taken_from_others(machine.state(), a_sale(quantity))}
    machine.on_report(fill(99, "manual", Side.SELL, quantity))
    after = {book.strategy: book.quantity for book in machine.view().books}
    owned = {each.strategy: each.quantity for each in machine.state().owners}
    for name, before in books.items():
        assert after[name] == owned.get(name, 0), "the books and the owners say the same"
        if name != "manual":
            assert before - after[name] == told.get(name, 0)


def test_a_purchase_a_margin_order_and_a_sale_of_ones_own_take_nothing() -> None:
    state = machine_with([("a", 1), ("manual", 2)]).state()
    assert taken_from_others(None, a_sale(Decimal(1))) == ()
    assert taken_from_others(state, a_sale(Decimal(2))) == ()
    assert taken_from_others(state, a_sale(Decimal(3), margin=True)) == ()
    assert taken_from_others(state, a_sale(Decimal(3), side=Side.BUY)) == ()
    [taken] = taken_from_others(state, a_sale(Decimal("2.50")))
    assert taken == StrategyHolding(symbol=BTC, strategy="a", quantity=Decimal("0.50"))
    assert taken_text(taken).startswith("0.5 of it are coins of a: its stop")
