"""Where orders and stops rest, as the commands say it."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from genesis.cli.views import _level, _stop
from protocols.trading import LotView, Protection, ProtectionView
from protocols.units import Symbol

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
    """The answer of /api/v2/protection about one position."""
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
    builtins = msgspec.to_builtins({"watch": {"positions": (seen,)}, "brackets": (book,)})
    return msgspec.json.decode(msgspec.json.encode(builtins))


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
        (None, "unknown"),
    ],
)
def test_a_position_is_shown_with_the_stops_that_cover_it(answer: Any, shown: str) -> None:
    assert _stop("tBTCUSD", answer) == shown
