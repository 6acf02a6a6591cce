"""A year for a tax return: first in, first out, nothing lost, nothing invented, in rows that a spreadsheet reads."""

import csv
import io
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genesis.domain.position import Position
from genesis.domain.tax_report import FifoBook, Kind, Note, csv_of, ledger_export, tax_year, year_ms
from protocols.orders import Fill
from protocols.reference import LedgerEntry
from protocols.units import Side, Symbol
from tests.web.fakes import a_fill

BTC = Symbol("tBTCUSD")
NEW_YEAR_MS = year_ms(2026, "UTC")
DAY_MS = 86_400_000


def fill(number: int, amount: str, price: str, fee: str = "0", currency: str = "USD", **changes: Any) -> Fill:
    quantity = Decimal(amount)
    fields: dict[str, Any] = {
        "trade_id": number,
        "venue_order_id": number,
        "symbol": BTC,
        "strategy": "s",
        "side": Side.BUY if quantity > 0 else Side.SELL,
        "quantity": abs(quantity),
        "price": Decimal(price),
        "fee": Decimal(fee),
        "fee_currency": currency,
        "time_ms": NEW_YEAR_MS + number * DAY_MS,
    }
    return msgspec.structs.replace(a_fill(), **{**fields, **changes})


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_a_sale_is_told_by_the_purchases_it_came_of_oldest_first() -> None:
    fills = [fill(1, "1", "100"), fill(2, "2", "120"), fill(40, "-2.5", "200", "-5")]
    made = tax_year(fills, 2026)
    first, second = made.disposals
    assert (first.quantity, first.cost, first.proceeds) == (Decimal(1), Decimal(100), Decimal(198))
    assert (second.quantity, second.cost, second.proceeds) == (Decimal("1.5"), Decimal(180), Decimal(297))
    assert first.acquired_ms == fills[0].time_ms
    assert second.acquired_ms == fills[1].time_ms
    [total] = made.totals
    assert (total.disposals, total.proceeds, total.cost, total.gain) == (2, Decimal(495), Decimal(280), Decimal(215))
    assert made.notes == {}
    [held] = made.held
    assert (held.quantity, held.cost, held.quote) == (Decimal("0.5"), Decimal(60), "USD")
    assert [each.quantity for each in tax_year(fills, 2025).held] == [], "of what came later nothing is known yet"


def test_fees_in_coins_in_quote_and_in_a_third_currency_are_all_in_the_gain() -> None:
    leo: dict[str, Any] = {"currency": "LEO", "fee_price": Decimal(2)}
    made = tax_year([fill(1, "1", "100", "-0.002", "BTC"), fill(2, "-0.998", "110", "-1", **leo)], 2026)
    [sold] = made.disposals
    assert (sold.quantity, sold.cost, sold.proceeds) == (Decimal("0.998"), Decimal(100), Decimal("107.78"))
    unpriced = tax_year([fill(1, "1", "100", "-1", "LEO"), fill(2, "-1", "110")], 2026)
    assert unpriced.disposals[0].notes == (Note.FEE_UNPRICED,)
    assert unpriced.notes == {"fee_unpriced": 1}


def test_what_no_trade_bought_has_no_cost_and_is_marked() -> None:
    made = tax_year([fill(1, "1", "100"), fill(2, "-3", "200")], 2026)
    own, other = made.disposals
    assert (other.quantity, other.cost, other.proceeds, other.acquired_ms) == (
        Decimal(2),
        Decimal(0),
        Decimal(400),
        None,
    )
    assert (own.notes, other.notes) == ((), (Note.NO_BASIS,))
    assert made.notes == {"no_basis": 1}


def test_a_short_is_told_from_its_sale_to_its_purchase_and_stays_out_of_the_coins() -> None:
    fills = [
        fill(1, "1", "100"),
        fill(2, "-2", "120", "-1", margin=True),
        fill(3, "3", "90", "-1.5", margin=True),
        fill(4, "-1", "95", margin=True),
    ]
    made = tax_year(fills, 2026)
    short, long = made.disposals
    assert (short.side, short.wallet, short.quantity) == ("short", "margin", Decimal(2))
    assert (short.proceeds, short.cost) == (Decimal(239), Decimal(181))
    assert (long.side, long.quantity, long.proceeds, long.cost) == ("long", Decimal(1), Decimal(95), Decimal("90.5"))


def test_a_year_ends_where_its_zone_says_and_knows_what_was_bought_before() -> None:
    bought = fill(1, "1", "100", time_ms=year_ms(2025, "UTC"))
    late = fill(2, "-1", "150", time_ms=NEW_YEAR_MS - 1_800_000)
    assert [len(tax_year([late, bought], year).disposals) for year in (2025, 2026)] == [1, 0]
    swedish = tax_year([late, bought, late], 2026, "Europe/Stockholm")
    [sold] = swedish.disposals
    assert sold.cost == 100
    assert rows_of(csv_of(swedish, Kind.DISPOSALS))[0]["disposed"] == "2026-01-01T00:30:00.000+01:00"
    with pytest.raises(ValueError, match="timezone must be a name such as"):
        tax_year([], 2026, "Mars/Olympus")
    with pytest.raises(ValueError, match="year must be from 2009"):
        tax_year([], 7)


def test_rows_are_a_spreadsheets_and_no_word_of_others_is_a_formula() -> None:
    fills = [fill(1, "1", "100", "-0.2", strategy='=HYPERLINK("x")'), fill(2, "-1", "110", foreign=True, strategy="")]
    made = tax_year(fills, 2026)
    bought, sold = rows_of(csv_of(made, Kind.TRADES))
    assert (bought["symbol"], bought["side"], bought["value"], bought["fee_value"]) == ("tBTCUSD", "buy", "100", "0.2")
    assert bought["strategy"] == '\'=HYPERLINK("x")'
    assert sold["placed_elsewhere"] == "yes"
    [row] = rows_of(csv_of(made, Kind.DISPOSALS))
    assert (row["asset"], row["quantity"], row["cost"], row["gain"]) == ("BTC", "1", "100.2", "9.8")
    assert row["days_held"] == "1"


def test_the_ledger_tells_what_is_no_trade_oldest_first() -> None:
    def entry(number: int, text: str) -> LedgerEntry:
        return LedgerEntry(
            entry_id=number,
            currency="USD",
            wallet_type="funding",
            time_ms=NEW_YEAR_MS + number,
            amount=Decimal("1.50"),
            balance=Decimal(10),
            description=text,
        )

    entries = [
        entry(3, "Margin Funding Payment on wallet funding"),
        entry(2, "Exchange 1.0 BTC for USD @ 100 on wallet exchange"),
        entry(1, "Deposit (BITCOIN) #1 on wallet exchange"),
        entry(4, "Trading fees for 1.0 BTC (BTCUSD) @ 100 on BFX (0.2%) on wallet exchange"),
    ]
    made = ledger_export(entries, 2026, "UTC", "sim")
    assert [row["entry_id"] for row in rows_of(made.csv)] == ["1", "3"]
    assert (made.rows, made.name) == (2, "genesis-sim-2026-ledger.csv")
    assert rows_of(made.csv)[0]["amount"] == "1.5"


MOVES = st.lists(
    st.tuples(st.sampled_from(("buy", "sell")), st.integers(1, 10**6), st.integers(1, 10**6), st.integers(0, 100)),
    min_size=1,
    max_size=40,
)


@given(moves=MOVES, margin=st.booleans())
def test_gains_and_what_is_left_are_together_all_the_money_that_moved(
    moves: list[tuple[str, int, int, int]], *, margin: bool
) -> None:
    """Not a cent appears or is lost, however purchases are cut."""
    book, cash, gain = FifoBook(), Decimal(0), Decimal(0)
    held = Decimal(0)
    for number, (side, units, cents, fee) in enumerate(moves):
        quantity = Decimal(units) / 1000
        if side == "sell" and not margin:
            quantity = min(quantity, held)
            if not quantity:
                continue
        signed = quantity if side == "buy" else -quantity
        done = fill(number, str(signed), str(Decimal(cents) / 100), str(-Decimal(fee) / 100), margin=margin)
        gain += sum((each.gain for each in book.take(done)), Decimal(0))
        held += signed
        cash += -signed * done.price + done.fee
    if margin:
        # Close what is open at one price: then all of it is gain.
        last = fill(99, str(-held), "50", margin=True) if held else None
        if last is not None:
            gain += sum((each.gain for each in book.take(last)), Decimal(0))
            cash += held * 50
        assert abs(gain - cash) < Decimal("1e-9")
    else:
        left, cost = book.left().get(BTC, (Decimal(0), Decimal(0)))
        assert left == held
        assert abs(gain - (cash + cost)) < Decimal("1e-9")


@given(moves=MOVES)
def test_once_all_is_sold_it_is_what_the_account_says_it_made(moves: list[tuple[str, int, int, int]]) -> None:
    """Average cost there, oldest first here: flat, they must agree."""
    fills = [
        fill(number, str(Decimal(units) / 1000), str(Decimal(cents) / 100), str(-Decimal(fee) / 100))
        for number, (_, units, cents, fee) in enumerate(moves)
    ]
    fills.append(fill(50, str(-sum((each.quantity for each in fills), Decimal(0))), "77", "-1"))
    position = Position(symbol=BTC)
    for each in fills:
        position.on_fill(each)
    made = sum((each.gain for each in tax_year(fills, 2026).disposals), Decimal(0))
    assert abs(made - position.realized_pnl) < Decimal("1e-9")
