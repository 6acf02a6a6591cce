"""Each strategy's book: two of them on one symbol do not mix, and their sum is the account's."""

from decimal import Decimal

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from genesis.domain.position import Position
from genesis.domain.strategy_books import StrategyBooks, strategy_books
from protocols.account import StrategyBookView
from protocols.orders import Fill, Purpose
from protocols.units import Side, Symbol, plain
from tests.web.fakes import a_fill

BTC = Symbol("tBTCUSD")


def fill(strategy: str, amount: str, price: str, fee: str = "0", currency: str = "USD") -> Fill:
    quantity = Decimal(amount)
    return msgspec.structs.replace(
        a_fill(),
        strategy=strategy,
        symbol=BTC,
        side=Side.BUY if quantity > 0 else Side.SELL,
        quantity=abs(quantity),
        price=Decimal(price),
        fee=Decimal(fee),
        fee_currency=currency,
    )


def test_two_strategies_on_one_symbol_keep_their_own_books() -> None:
    fills = [
        fill("a", "1", "100"),
        fill("b", "2", "110"),
        fill("a", "-1", "120", "-0.5"),
        fill("b", "-0.5", "100"),
        msgspec.structs.replace(fill("", "9", "1"), foreign=True),
    ]
    a, b = strategy_books(fills, {"tBTCUSD": Decimal(130)})
    assert numbers(a) == ["0", "0", "19.5", "0", "0.5"]
    assert (a.strategy, a.fills, a.exits, a.won) == ("a", 2, 1, 1)
    assert numbers(b) == ["1.5", "110", "-5", "30", "0"]
    assert (b.strategy, b.fills, b.exits, b.won) == ("b", 2, 1, 0)


def numbers(book: StrategyBookView) -> list[str]:
    found = (book.quantity, book.average_price, book.realized_pnl, book.unrealized_pnl, book.fees)
    return [plain(number) for number in found]


def test_a_fee_in_coins_makes_the_others_dearer_and_is_realized_when_they_are_sold() -> None:
    """The account said 0.00 realized and the books -0.20 of one and the same trade."""
    bought = fill("a", "1", "100", "-0.002", "BTC")
    (book,) = strategy_books([bought], {"tBTCUSD": Decimal(100)})
    assert (plain(book.quantity), plain(book.realized_pnl), plain(book.fees)) == ("0.998", "0", "0.2")
    assert round(book.average_price * book.quantity, 12) == 100
    assert round(book.unrealized_pnl, 12) == Decimal("-0.2")
    (sold,) = strategy_books([bought, fill("a", "-0.998", "100")], {})
    assert numbers(sold) == ["0", "0", "-0.2", "0", "0.2"]
    assert (sold.exits, sold.won) == (1, 0), "what did not bring its fee back was not won"


def test_coins_that_change_hands_take_their_fee_along() -> None:
    books = StrategyBooks()
    books.take(fill("a", "1", "100", "-0.002", "BTC"))
    books.give(BTC, "a", "b", Decimal("0.998"))
    # The heir buys more, and sells all.
    for each in (fill("b", "0.002", "100"), fill("b", "-1", "101")):
        books.take(each)
    a, b = books.views()
    assert numbers(a) == ["0", "0", "0", "0", "0.2"]
    assert numbers(b) == ["0", "0", "0.8", "0", "0"]


def test_a_position_through_zero_is_opened_anew() -> None:
    (book,) = strategy_books([fill("a", "1", "100"), fill("a", "-3", "90"), fill("a", "2", "80")], {})
    assert numbers(book) == ["0", "0", "10", "0", "0"]


def a_close(amount: str, price: str, fee: str = "0") -> Fill:
    """What a flatten trades: whoever it sells for, it is nobody's signal."""
    return msgspec.structs.replace(fill("flatten", amount, price, fee), purpose=Purpose.FLATTEN)


def test_a_close_ends_the_books_of_those_who_held() -> None:
    """`flatten` had a book of its own below zero, and strategies seemed to hold what was long sold."""
    fills = [fill("a", "1", "100"), fill("b", "3", "110"), a_close("-4", "120", "-0.8")]
    a, b = strategy_books(fills, {"tBTCUSD": Decimal(130)})
    assert numbers(a) == ["0", "0", "19.8", "0", "0.2"]
    assert numbers(b) == ["0", "0", "29.4", "0", "0.6"]
    assert (a.exits, a.won, b.exits, b.won) == (1, 1, 1, 1)


def by_hand(amount: str, price: str, fee: str = "0") -> Fill:
    return msgspec.structs.replace(fill("manual", amount, price, fee), purpose=Purpose.MANUAL)


def test_a_person_who_sells_a_strategys_coins_closes_its_book_and_not_one_of_their_own() -> None:
    """Its book went on holding what was sold, and `manual` stood below zero for ever."""
    (a,) = strategy_books([fill("a", "1", "100"), by_hand("-1", "120", "-0.2")], {"tBTCUSD": Decimal(130)})
    assert (a.strategy, *numbers(a)) == ("a", "0", "0", "19.8", "0", "0.2")
    assert (a.exits, a.won) == (1, 1)


def test_a_person_sells_their_own_coins_first_and_then_those_held_the_longest() -> None:
    fills = [
        fill("a", "1", "100"),
        fill("b", "1", "100"),
        fill("a", "-1", "100"),
        fill("a", "1", "110"),
        by_hand("1", "110"),
        by_hand("-2.5", "120", "-0.5"),
    ]
    a, b, manual = strategy_books(fills, {})
    assert numbers(manual) == ["0", "0", "9.8", "0", "0.2"]
    assert numbers(b) == ["0", "0", "19.8", "0", "0.2"], "it has held the longest"
    assert numbers(a) == ["0.5", "110", "4.9", "0", "0.1"]
    # What nobody bought was in the wallet before, and is the seller's.
    (alone,) = strategy_books([by_hand("-1", "120")], {})
    assert (alone.strategy, alone.quantity) == ("manual", Decimal(-1))


def test_a_short_on_margin_beside_a_strategys_coins_takes_none_of_them() -> None:
    short = msgspec.structs.replace(by_hand("-1", "120"), margin=True)
    a, manual = strategy_books([fill("a", "1", "100"), short], {})
    assert (a.quantity, manual.quantity) == (Decimal(1), Decimal(-1))


def test_a_close_in_parts_takes_from_the_oldest_and_buys_back_what_was_sold_short() -> None:
    a, b = strategy_books([fill("a", "1", "100"), fill("b", "3", "110"), a_close("-2", "120")], {})
    assert (a.quantity, b.quantity) == (Decimal(0), Decimal(2))
    (short,) = strategy_books([fill("a", "-1", "100"), a_close("1", "90")], {})
    assert numbers(short) == ["0", "0", "10", "0", "0"]


amounts = st.decimals("-5", "5", places=3).filter(lambda each: each != 0)
prices = st.decimals("1", "500", places=2)
FEES = st.sampled_from([("0", "USD"), ("-0.01", "USD"), ("-0.002", "BTC"), ("0.003", "USD")])


@given(st.data())
def test_who_holds_a_symbol_alone_has_realized_what_the_account_has(data: st.DataObject) -> None:
    fills = [
        fill("a", str(amount), str(price), *data.draw(FEES))
        for amount, price in data.draw(st.lists(st.tuples(amounts, prices), min_size=1, max_size=20))
    ]
    position = Position(symbol=BTC)
    for each in fills:
        position.on_fill(each)
    (book,) = strategy_books(fills, {})
    # A fill that turns a position is booked in two parts: a third of a fee ends somewhere.
    assert abs(book.quantity - position.quantity) < Decimal("1e-20")
    assert abs(book.average_price - position.average_price) < Decimal("1e-18")
    assert abs(book.realized_pnl - position.realized_pnl) < Decimal("1e-18")
    assert abs(book.fees - position.fees_quote) < Decimal("1e-20")


@given(st.lists(st.tuples(st.sampled_from("abF"), amounts, prices), min_size=1, max_size=30), prices)
def test_books_together_make_what_the_cash_says(rows: list[tuple[str, Decimal, Decimal]], last: Decimal) -> None:
    """Realized and unrealized together are what was paid, what was got, and what is left: whatever the order."""
    fills = [
        a_close(str(amount), str(price), "-0.01") if name == "F" else fill(name, str(amount), str(price), "-0.01")
        for name, amount, price in rows
    ]
    books = strategy_books(fills, {"tBTCUSD": last})
    told = sum(book.realized_pnl + book.unrealized_pnl for book in books)
    cash = sum(-amount * price - Decimal("0.01") for _, amount, price in rows)
    left = sum(amount for _, amount, _ in rows)
    assert abs(told - (cash + left * last)) < Decimal("1e-9")
    assert sum(book.quantity for book in books) == left
