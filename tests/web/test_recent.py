"""What the web remembers: bounded windows, open orders never forgotten, candles in order."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from protocols.market import CandleUpdate
from protocols.orders import OrderState, OrderUpdate
from protocols.signals import Recommendation
from tests.web.fakes import BTC, a_candle, a_fill, a_score, an_account, an_order
from web.recent import EQUITY_POINTS, FILLS, HOLDS, ORDERS, Recent


def test_an_open_order_survives_any_number_of_closed_ones() -> None:
    recent = Recent()
    recent.hear(OrderUpdate(order=an_order(1)))
    for number in range(2, ORDERS + 200):
        recent.hear(OrderUpdate(order=an_order(number, state=OrderState.FILLED)))
    orders = recent.orders()
    assert len(orders) == ORDERS
    assert orders[0].cid == 1


def test_holds_do_not_push_out_what_mattered() -> None:
    recent = Recent()
    recent.hear(a_score(1))
    for number in range(2, HOLDS + 500):
        recent.hear(a_score(number, Recommendation.HOLD))
    assert recent.signals()[0].recommendation is Recommendation.BUY
    assert len(recent.signals()) == HOLDS + 1


def test_fills_are_said_once_and_bounded() -> None:
    recent = Recent()
    for number in range(FILLS + 10):
        recent.hear(a_fill(number))
        recent.hear(a_fill(number))
    assert len(recent.fills()) == FILLS


@given(st.permutations(range(12)))
def test_candles_are_told_oldest_first_however_they_came(order: list[int]) -> None:
    recent = Recent()
    for number in order:
        recent.hear(CandleUpdate(candle=a_candle(number), venue_ms=0, received_ns=0))
    recent.hear(CandleUpdate(candle=a_candle(11, close=9.0), venue_ms=0, received_ns=0))
    told = recent.candles(BTC, "1m")
    assert [candle.open_ms for candle in told] == sorted(candle.open_ms for candle in told)
    assert len(told) == 12
    assert told[-1].close == 9.0


def test_the_equity_line_keeps_its_ends_and_never_runs_backwards() -> None:
    recent = Recent()
    for number in range(EQUITY_POINTS * 2):
        recent.hear(an_account(str(Decimal(10_000) + number), at_ms=1 + number))
    recent.hear(an_account("1", at_ms=5))
    points = recent.equity()
    assert len(points) <= EQUITY_POINTS
    assert points[0].at_ms == 1
    assert points[-1].at_ms == EQUITY_POINTS * 2
    assert [point.at_ms for point in points] == sorted({point.at_ms for point in points})
