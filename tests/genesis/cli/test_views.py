"""Where orders and stops rest, as the commands say it."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from genesis.cli.views import _level, _stop
from protocols.risk import PositionView
from protocols.trading import LotView, Protection, ProtectionStatus, ProtectionView
from protocols.units import Symbol
from web.stops import with_stops

BTC = Symbol("tBTCUSD")


def a_lot(name: str, *, stop: str | None = None, trails: str | None = None, stopped: str = "1") -> LotView:
    return LotView(
        lot=name,
        strategy=name,
        quantity=Decimal(1),
        wanted=Decimal(1),
        stopped=Decimal(stopped),
        stop_price=None if stop is None else Decimal(stop),
        target_price=None,
        trailing_distance=None if trails is None else Decimal(trails),
        activation_price=None,
    )


def told(*lots: LotView, fault: str = "", naked_s: float = 0.0) -> Any:
    """One position as /api/v2/positions answers it."""
    held, stopped = Decimal(len(lots)), sum((lot.stopped for lot in lots), Decimal(0))
    book = ProtectionView(
        symbol=BTC,
        margin=False,
        held=held,
        wanted=held,
        stopped=stopped,
        stops=len(lots),
        stop_price=None,
        target_price=None,
        trailing_distance=None,
        note="",
        lots=lots,
    )
    seen = Protection(symbol=BTC, margin=False, held=held, stopped=stopped, fault=fault, naked_s=naked_s)
    return msgspec.json.decode(
        msgspec.json.encode(with_stops(a_position(held), (book,), ProtectionStatus(positions=(seen,))))
    )


def a_position(quantity: Decimal) -> PositionView:
    one = Decimal(1)
    return PositionView(
        symbol=BTC,
        quantity=quantity,
        average_price=one,
        mark_price=one,
        notional=one,
        unrealized_pnl=one,
        realized_pnl=one,
        fees=one,
    )


@pytest.mark.parametrize(
    ("row", "shown"),
    [
        ({"price": None, "stop_price": None, "trailing_distance": None}, ""),
        ({"price": "7000", "stop_price": None}, "7000"),
        ({"price": "7768.3", "stop_price": "7768.30"}, "7768.3"),
        ({"price": "9000", "stop_price": "7768.3"}, "9000, stop 7768.3"),
        ({"price": None, "stop_price": None, "trailing_distance": "50.0"}, "trails 50"),
    ],
)
def test_an_order_is_shown_with_where_it_rests(row: dict[str, Any], shown: str) -> None:
    assert _level(row) == shown


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        (told(a_lot("a", stop="7768.3")), "7768.3"),
        (told(a_lot("a", stop="7768.3"), a_lot("b", trails="50")), "7768.3, trails 50"),
        (told(a_lot("a", stop="7768.3"), a_lot("b", stopped="0"), fault="short", naked_s=3.14), "short 3.1 s 7768.3"),
        (told(a_lot("a", stopped="0"), fault="missing", naked_s=61.0), "missing 61.0 s"),
        (told(a_lot("a", stopped="0")), "none"),
    ],
)
def test_a_position_is_shown_with_the_stops_that_cover_it(answer: Any, shown: str) -> None:
    assert _stop(answer) == shown
