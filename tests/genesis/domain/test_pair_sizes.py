"""Sizes of pairs are the venue's word: it changes them, and pairs go, while the engine runs."""

from decimal import Decimal

import pytest

from genesis.domain.order_check import order_faults
from genesis.domain.pair_sizes import said_by_venue
from genesis.domain.pairs import pair_specs
from protocols.reference import PairInfo
from protocols.units import Symbol
from tests.genesis.domain.test_order_check import an_intent

BTC, ETH = Symbol("tBTCUSD"), Symbol("tETHUSD")


def info(symbol: str = BTC, minimum: str = "0.001", maximum: str = "50", margin: str | None = None) -> PairInfo:
    wanted = None if margin is None else Decimal(margin)
    return PairInfo(
        symbol=Symbol(symbol),
        minimum_size=Decimal(minimum),
        maximum_size=Decimal(maximum),
        initial_margin=wanted,
        minimum_margin=wanted,
    )


def test_sizes_and_margins_are_those_that_the_venue_says() -> None:
    specs, news = said_by_venue([info(margin="0.3"), info(ETH)], pair_specs([BTC]), [BTC])
    assert (specs[BTC].minimum, specs[BTC].maximum) == (Decimal("0.001"), Decimal(50))
    assert specs[BTC].initial_margin == Decimal("0.3")
    assert [each.text for each in news] == [
        "tBTCUSD: the venue takes orders of 0.001 to 50 BTC now, was 0.00004 to 2000"
    ]
    assert set(specs) == {BTC}, "only what is watched or held"
    assert said_by_venue([info(margin="0.3")], specs, [BTC]) == (specs, ())


def test_what_was_only_guessed_is_no_news() -> None:
    shib = Symbol("tSHIB:USD")
    specs, news = said_by_venue([info(shib, "20000", "100000000000")], pair_specs([shib]), [shib], frozenset({shib}))
    assert specs[shib].maximum == 10**11
    assert news == ()


def test_a_pair_that_is_gone_is_told_once_takes_nothing_new_and_lets_exits_leave() -> None:
    known = pair_specs([BTC, ETH])
    specs, (news,) = said_by_venue([info(ETH, "0.0004", "5000", "0.2")], known, [BTC, ETH])
    assert news.is_alarm
    assert "tBTCUSD" in news.text
    assert not specs[BTC].is_listed
    assert specs[BTC].minimum == known[BTC].minimum
    # Risk refuses what is above a largest size of 0 unless it is an exit; nothing later may hold an exit back.
    assert order_faults(an_intent(symbol=BTC, quantity=Decimal("0.5")), specs[BTC]) == ()
    again, none = said_by_venue([info(ETH, "0.0004", "5000", "0.2")], specs, [BTC, ETH])
    assert (again, none) == (specs, ())
    back, (news,) = said_by_venue([info(), info(ETH, "0.0004", "5000", "0.2")], specs, [BTC, ETH])
    assert back[BTC].is_listed
    assert "was not listed" in news.text


@pytest.mark.parametrize(("minimum", "maximum"), [("0", "5"), ("-1", "5"), ("6", "5"), ("1", "0")])
def test_sizes_that_no_pair_can_have_change_nothing(minimum: str, maximum: str) -> None:
    known = pair_specs([BTC])
    assert said_by_venue([info(BTC, minimum, maximum)], known, [BTC]) == (known, ())


@pytest.mark.parametrize(("unclear", "stays"), [({BTC}, True), ({""}, True), ({ETH}, False), (set(), False)])
def test_a_pair_whose_row_cannot_be_keeps_what_it_had_and_is_not_gone(unclear: set[str], stays: bool) -> None:
    """One such row kept the old sizes of all pairs in force."""
    known = pair_specs([BTC, ETH])
    specs, news = said_by_venue([info(ETH, "0.5", "9")], known, [BTC, ETH], unclear=unclear)
    assert specs[ETH].minimum == Decimal("0.5")
    assert (specs[BTC] == known[BTC]) is stays
    assert [each.symbol for each in news if each.is_alarm] == ([] if stays else [BTC])
