"""Requests are grouped by patterns, each within the limit of its endpoint and of its class."""

import pytest

from genesis.domain.rest_budget import PER_MINUTE, RestBudget, read_patterns

SEED = (
    "^auth/w/=>PRIVATE_TRADING;^auth/r/positions=>PRIVATE_ACCOUNT;^auth/r/wallets=>PRIVATE_ACCOUNT;"
    "^auth/r/info/margin=>PRIVATE_MARGIN;^(ticker|candles|book|trades)=>PUBLIC_MARKET"
)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("auth/w/order/submit", "PRIVATE_TRADING"),
        ("auth/r/wallets", "PRIVATE_ACCOUNT"),
        ("auth/r/info/margin", "PRIVATE_MARGIN"),
        ("candles", "PUBLIC_MARKET"),
        ("conf", "PUBLIC_OTHER"),
    ],
)
def test_kinds_fall_into_their_classes(kind: str, name: str) -> None:
    assert RestBudget(SEED).class_of(kind) == name
    assert RestBudget().class_of(kind) == name


def test_own_patterns_come_before_the_defaults() -> None:
    assert RestBudget("^candles=>PUBLIC_OTHER").class_of("candles") == "PUBLIC_OTHER"


def test_ledgers_of_many_wallets_take_no_place_from_the_history_of_orders() -> None:
    """After a login with eighty changed wallets what happened to orders and stops was asked a minute later."""
    budget = RestBudget()
    assert max([budget.take("auth/r/ledgers/hist", 0.0) for _ in range(80)]) > 60.0
    for kind in ("auth/r/positions", "auth/r/orders", "auth/r/orders/hist", "auth/r/trades/hist"):
        assert budget.take(kind, 0.0) == 0.0


@pytest.mark.parametrize("text", ["^x", "^x=>NOBODY", "(=>PUBLIC_MARKET"])
def test_a_wrong_pattern_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="rate limit pattern must be"):
        read_patterns(text)


@pytest.mark.parametrize("kind", sorted(PER_MINUTE))
def test_no_minute_holds_more_than_the_venue_allows(kind: str) -> None:
    budget = RestBudget()
    used = [budget.take(kind, 0.0) for _ in range(200)]
    for first in used:
        assert sum(first <= at < first + 60 - 1e-6 for at in used) <= PER_MINUTE[kind]


def test_a_hold_is_of_the_endpoint_not_of_its_class() -> None:
    budget = RestBudget()
    budget.hold("candles", 0.0, 60.0)
    assert budget.take("candles", 0.0) >= 60
    assert budget.take("ticker", 0.0) == 0


@pytest.mark.parametrize(
    ("kind", "longest"), [("auth/r/orders/hist", 15.0), ("auth/w/order/submit", 15.0), ("candles", 120.0)]
)
def test_who_was_down_for_long_is_asked_again_soon_where_trading_waits(kind: str, longest: float) -> None:
    breaker = RestBudget().breaker(kind)
    now = 0.0
    for _ in range(20):
        breaker.note_failure(now)
        now += breaker.time_until_open(now)
        assert breaker.can_request(now)
    breaker.note_failure(now)
    assert breaker.time_until_open(now) == longest


def test_the_view_shows_tokens_and_breakers() -> None:
    budget = RestBudget()
    budget.take("candles", 0.0)
    budget.breaker("candles").note_failure(0.0, status=429)
    view = budget.view(10.0)
    assert view["breakers"]["candles"] == {
        "state": "open",
        "fail_count": 1,
        "time_until_open": 50.0,
        "last_failure_age_s": 10.0,
        "opened_total": 1,
    }
    assert view["endpoints"]["candles"]["class"] == "PUBLIC_MARKET"
    assert view["classes"]["PUBLIC_MARKET"]["taken"] == 1
