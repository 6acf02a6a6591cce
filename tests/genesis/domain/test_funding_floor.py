"""Offers meet the market, loans earn and end; whatever happens, money is neither made nor lost."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genesis.domain.funding_floor import PAYOUT_MS, FundingFloor, next_payout
from genesis.domain.venue_funding import DAY_MS, OfferRefused, funding_info, interest
from genesis.domain.venue_ledger import Books
from genesis.domain.venue_state import Account, Position, Renewal, VenueOutput
from protocols.bitfinex.inputs import NewOffer
from protocols.funding import FundingLoan, FundingOffer, FundingTrade
from protocols.orders import VenueWallet
from protocols.units import Symbol

D = Decimal
NOW = 1_517_788_800_000
FRR = D("0.0003")


def a_floor(funding: str = "10000", margin: str = "100") -> tuple[FundingFloor, Account]:
    books = Books()
    account = books.open_account("sim", (("funding", "USD", D(funding)), ("margin", "USD", D(margin))))
    return FundingFloor(books, {"USD": ("tBTCUSD",)}), account


def an_offer(amount: str, rate: str = "0.0002", wire_type: str = "LIMIT", **fields: int) -> NewOffer:
    terms = {"period": 2} | fields
    return NewOffer(wire_type=wire_type, symbol="fUSD", amount=D(amount), rate=D(rate), **terms)


def said(outputs: list[VenueOutput]) -> list[str]:
    words = []
    for _, message in outputs:
        match message:
            case FundingOffer() | FundingLoan() | FundingTrade():
                words.append(message.event)
            case VenueWallet():
                words.append(f"wu {message.wallet_type}")
    return words


def rates(currency: str) -> Decimal | None:
    return FRR if currency == "USD" else None


def test_the_cheapest_offers_are_taken_first_each_at_its_own_rate() -> None:
    floor, account = a_floor()
    dear = floor.place("sim", an_offer("100", "0.0003"), NOW)
    cheap = floor.place("sim", an_offer("100", "0.0002"), NOW)
    out = floor.meet("fUSD", D("150"), D("0.0003"), FRR, NOW + 1)
    assert [word for word in said(out) if word[1] == "o"] == ["foc", "fou"]
    assert (cheap.offer_id in account.offers, dear.amount) == (False, D("50"))
    assert sorted((loan.amount, loan.rate) for loan in account.loans.values()) == [
        (D("50"), D("0.0003")),
        (D("100"), D("0.0002")),
    ]
    # Lent money is the wallet's still, and not to be had.
    assert (account.wallet("funding", "USD").balance, account.wallet("funding", "USD").available) == (
        D(10_000),
        D(9_800),
    )


@pytest.mark.parametrize(
    ("amount", "rate", "taken"),
    [("100", "0.00019", False), ("100", "0.0002", True), ("-100", "0.0003", False)],
    ids=["the market pays less", "the market pays this", "the market lends"],
)
def test_an_offer_above_the_market_waits(amount: str, rate: str, taken: bool) -> None:
    floor, account = a_floor()
    floor.place("sim", an_offer("100"), NOW)
    assert bool(floor.meet("fUSD", D(amount), D(rate), FRR, NOW)) is taken
    assert bool(account.loans) is taken


def test_a_flash_rate_offer_lends_at_the_flash_rate_and_follows_it() -> None:
    floor, account = a_floor()
    floor.place("sim", an_offer("100", "0", "FRRDELTAVAR", period=30), NOW)
    assert floor.meet("fUSD", D("100"), FRR - D("0.0001"), FRR, NOW) == []
    floor.meet("fUSD", D("100"), FRR, FRR, NOW)
    (loan,) = account.loans.values()
    assert (loan.rate, loan.rate_type) == (FRR, "VAR")
    floor.advance(next_payout(NOW), lambda currency: D("0.0009"))
    assert loan.rate == D("0.0009")


def test_interest_is_paid_at_half_past_one_less_the_fee_and_at_the_end() -> None:
    floor, account = a_floor()
    wallet, loan_id = account.wallet("funding", "USD"), 0
    total = floor.books.total("USD")
    floor.place("sim", an_offer("1000", "0.001"), NOW)
    floor.meet("fUSD", D("1000"), D("0.001"), FRR, NOW)
    ((loan_id, loan),) = account.loans.items()
    assert floor.due_ms == NOW + PAYOUT_MS
    out = floor.advance(NOW + PAYOUT_MS, rates)
    assert said(out) == ["wu funding", f"f{'c' if loan.position_pair else 'l'}u"]
    # An hour and a half of 1000 at 0.1 % a day is 0.0625, of which the venue keeps 15 %.
    assert wallet.balance == D("10000") + D("0.0625") - D("0.009375")
    assert floor.advance(NOW + PAYOUT_MS + 1, rates) == []
    out = floor.advance(NOW + 2 * DAY_MS, rates)
    assert said(out)[0] == "wu funding"
    assert said(out)[1][2] == "c"
    assert account.loans == {}
    assert (wallet.locked, wallet.balance) == (D(0), D("10000") + D("2") * D("0.85"))
    (kept,) = floor.books.histories["sim"].loans
    assert (kept.loan_id, kept.status, kept.updated_ms) == (loan_id, "CLOSED", NOW + 2 * DAY_MS)
    assert [entry.category for entry in floor.books.histories["sim"].ledger] == [28, 28]
    assert floor.books.total("USD") == total
    assert floor.due_ms == float("inf")


def test_a_hidden_offer_pays_more() -> None:
    floor, account = a_floor()
    floor.place("sim", an_offer("1000", "0.001", flags=64), NOW)
    floor.meet("fUSD", D("1000"), D("0.001"), FRR, NOW)
    floor.advance(NOW + 2 * DAY_MS, rates)
    assert account.wallet("funding", "USD").balance == D("10000") + D("2") * D("0.82")


def test_what_is_borrowed_costs_interest_is_used_by_a_position_and_goes_back_with_it() -> None:
    floor, account = a_floor()
    floor.place("sim", an_offer("-500", "0.001"), NOW)
    out = floor.meet("fUSD", D("-500"), D("0.0008"), FRR, NOW)
    assert said(out) == ["foc", "fte", "fln", "ftu"]
    assert account.wallet("margin", "USD").balance == 100
    position = Position(
        position_id=1, symbol=Symbol("tBTCUSD"), amount=D(1), base_price=D(1), created_ms=NOW, updated_ms=NOW
    )
    account.positions["tBTCUSD"] = position
    assert said(floor.positions_changed("sim", NOW, rates)) == ["flc", "fcn"]
    assert floor.positions_changed("sim", NOW, rates) == []
    floor.advance(NOW + PAYOUT_MS, rates)
    assert account.wallet("margin", "USD").balance == D("100") - D("0.03125")
    assert floor.books.histories["sim"].ledger[-1].description == "Used Margin Funding Charge on wallet margin"
    del account.positions["tBTCUSD"]
    assert said(floor.positions_changed("sim", NOW + PAYOUT_MS, rates)) == ["fcc"]
    assert account.loans == {}


def a_position(amount: str, base_price: str = "100") -> Position:
    return Position(
        position_id=1,
        symbol=Symbol("tBTCUSD"),
        amount=D(amount),
        base_price=D(base_price),
        created_ms=NOW,
        updated_ms=NOW,
    )


def test_a_margin_position_borrows_what_it_costs_pays_for_it_daily_and_gives_it_back() -> None:
    floor, account = a_floor()
    account.positions["tBTCUSD"] = position = a_position("2")
    assert said(floor.positions_changed("sim", NOW, rates)) == ["fcn"]
    position.amount = D(3)
    assert said(floor.positions_changed("sim", NOW, rates)) == ["fcu"], "the fills of one moment are one loan"
    (first,) = account.loans.values()
    assert (first.amount, first.side, first.rate, first.position_pair) == (D(300), -1, FRR, "tBTCUSD")
    assert account.wallet("margin", "USD").balance == 100, "what is borrowed is no money of his"
    position.amount = D(4)
    assert said(floor.positions_changed("sim", NOW + DAY_MS // 2, rates)) == ["fcn"]
    assert floor.due_ms == next_payout(NOW)
    paid_ms = next_payout(NOW + DAY_MS // 2)
    floor.advance(paid_ms, rates)
    owed = FRR * (300 * (paid_ms - NOW) + 100 * (paid_ms - NOW - DAY_MS // 2)) / DAY_MS
    assert account.wallet("margin", "USD").balance == 100 - round(owed, 8)
    position.amount = D(1)
    assert said(floor.positions_changed("sim", paid_ms, rates)) == ["fcc", "fcu"], "the newest goes first"
    assert first.amount == 100
    del account.positions["tBTCUSD"]
    assert said(floor.positions_changed("sim", paid_ms + DAY_MS // 4, rates)) == ["wu margin", "fcc"]
    assert (account.loans, account.wallet("margin", "USD").balance) == ({}, 100 - round(owed, 8) - 25 * FRR)
    assert floor.books.histories["sim"].ledger[-1].description == "Used Margin Funding Charge on wallet margin"


def test_a_short_borrows_coins_anew_every_two_days_at_the_rate_of_that_day() -> None:
    books = Books()
    account = books.open_account("sim", (("margin", "USD", D(100)), ("margin", "BTC", D(1))))
    floor = FundingFloor(books, {"USD": ("tBTCUSD",), "BTC": ("tBTCUSD",)})
    account.positions["tBTCUSD"] = a_position("-2")
    assert floor.positions_changed("sim", NOW, lambda currency: None) == []
    assert floor.waiting == {"sim"}, "nobody knows what that costs"
    floor.positions_changed("sim", NOW, lambda currency: FRR)
    assert floor.waiting == set()
    (loan,) = account.loans.values()
    assert (loan.symbol, loan.amount) == ("fBTC", D(2))
    floor.advance(NOW + 2 * DAY_MS, lambda currency: 2 * FRR)
    (anew,) = account.loans.values()
    assert (anew.loan_id == loan.loan_id, anew.amount, anew.rate) == (False, D(2), 2 * FRR)
    assert account.wallet("margin", "BTC").balance == 1 - 2 * 2 * FRR


def test_what_somebody_bid_for_counts_and_is_not_given_back_for_him() -> None:
    floor, account = a_floor()
    floor.place("sim", an_offer("-150", "0.001"), NOW)
    floor.meet("fUSD", D("-150"), D("0.0008"), FRR, NOW)
    account.positions["tBTCUSD"] = position = a_position("2")
    floor.positions_changed("sim", NOW, rates)
    assert sorted((loan.amount, loan.automatic) for loan in account.loans.values()) == [(D(50), True), (D(150), False)]
    position.amount = D(1)
    floor.positions_changed("sim", NOW, rates)
    assert [(loan.amount, loan.automatic) for loan in account.loans.values()] == [(D(150), False)]


def test_what_is_kept_stays_when_its_position_is_closed() -> None:
    floor, account = a_floor()
    floor.place("sim", an_offer("-500", "0.001"), NOW)
    floor.meet("fUSD", D("-500"), D("0.0008"), FRR, NOW)
    (loan,) = account.loans.values()
    loan.position_pair, loan.no_close = "tBTCUSD", True
    assert said(floor.positions_changed("sim", NOW, rates)) == ["fcc", "fln"]
    assert list(account.loans.values()) == [loan]


def test_a_renewal_lends_what_comes_back_and_only_that() -> None:
    floor, account = a_floor("1000")
    floor.renew("sim", "USD", Renewal(rate=D("0.0002"), period=2, amount=D("600")))
    assert said(floor.renew_all(NOW, rates)) == ["fon"]
    assert floor.renew_all(NOW, rates) == []
    floor.meet("fUSD", D("600"), D("0.0002"), FRR, NOW)
    assert said(floor.renew_all(NOW + 1, rates)) == ["fon"]
    assert account.wallet("funding", "USD").available == 0
    floor.renew("sim", "USD", None)
    (offer,) = account.offers.values()
    floor.cancel("sim", offer, NOW + 2)
    assert floor.matching is False


def test_means_are_weighted_by_amount() -> None:
    floor, account = a_floor()
    for amount, rate, period in (("100", "0.0001", 2), ("300", "0.0005", 30)):
        floor.place("sim", an_offer(amount, rate, period=period), NOW)
    floor.meet("fUSD", D("1000"), D("0.001"), FRR, NOW)
    info = funding_info(account, "fUSD")
    assert (info.yield_lend, info.duration_lend, info.yield_loan) == (D("0.0004"), D(23), D(0))


amounts = st.integers(-2_000, 4_000).filter(bool).map(lambda cents: D(cents) / 100)
small_rates = st.integers(1, 900).map(lambda part: D(part) / 1_000_000)
moves = st.one_of(
    st.tuples(st.just("place"), amounts, small_rates, st.sampled_from(("LIMIT", "FRRDELTAVAR", "FRRDELTAFIX"))),
    st.tuples(st.just("meet"), amounts, small_rates),
    st.tuples(st.just("wait"), st.integers(1, 3 * DAY_MS)),
    st.tuples(st.just("cancel")),
    st.tuples(st.just("renew"), st.booleans()),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(moves, max_size=25))
def test_money_is_neither_made_nor_lost_nor_locked_for_nothing(story: list[tuple]) -> None:  # type: ignore[type-arg]
    floor, account = a_floor("50")
    total, now_ms = floor.books.total("USD"), NOW
    for word, *terms in story:
        if word == "place":
            try:
                floor.place("sim", an_offer(str(terms[0]), str(terms[1]), terms[2]), now_ms)
            except OfferRefused:
                continue
        elif word == "meet":
            floor.meet("fUSD", terms[0], terms[1], FRR, now_ms)
        elif word == "wait":
            now_ms += terms[0]
            if now_ms >= floor.due_ms:
                floor.advance(now_ms, rates)
            assert floor.due_ms > now_ms
        elif word == "cancel" and account.offers:
            floor.cancel("sim", next(iter(account.offers.values())), now_ms)
        elif word == "renew":
            floor.renew("sim", "USD", Renewal(rate=D("0.0002"), period=2) if terms[0] else None)
            floor.renew_all(now_ms, rates)
        wallet = account.wallet("funding", "USD")
        held = [offer.amount for offer in account.offers.values() if offer.amount > 0]
        held += [loan.amount for loan in account.loans.values() if loan.side > 0]
        assert wallet.locked == sum(held)
        assert 0 <= wallet.locked <= wallet.balance
        assert account.wallet("margin", "USD").balance >= 0
        assert floor.books.total("USD") == total
        assert all(interest(loan, now_ms) >= 0 for loan in account.loans.values())
