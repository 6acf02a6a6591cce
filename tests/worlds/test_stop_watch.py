"""The measure of naked seconds, against an exchange whose every step is known."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from genesis.domain.pairs import pair_specs
from genesis.domain.venue import Venue
from genesis.worlds.stop_watch import (
    BARE_WHEN_COMPARED_S,
    BARE_WITH_A_ROUTE_S,
    BARE_WITH_REST_S,
    TWINS_WITH_A_ROUTE_S,
    StopWatch,
)
from genesis.worlds.witness import Witness
from protocols.bitfinex.account import FLAG_OCO
from protocols.bitfinex.inputs import EndOrder, NewOrder
from protocols.units import Symbol

D = Decimal
BTC = Symbol("tBTCUSD")
A_PERSONS = 7


class Desk:
    """A venue with one account, its watch, and the engine's word that its books are compared."""

    def __init__(self) -> None:
        self.venue = Venue(pair_specs([BTC]))
        self.venue.open_account("sim", (("exchange", "USD", D(100_000)),))
        self.venue.on_tick(BTC, 8000.0, 1.0, 1_000)
        self.witness = Witness()
        self.watch = StopWatch(self.venue, self.witness, lambda cid: cid == A_PERSONS)
        self.watch.compared(True)

    def order(self, amount: str, wire_type: str = "EXCHANGE MARKET", *, cid: int = 1, **fields: object) -> int:
        plain = {"group_id": None, "symbol": BTC, "wire_type": wire_type, "amount": D(amount), "cid": cid}
        self.venue.submit("sim", NewOrder(**plain | fields), 2_000)  # type: ignore[arg-type]
        self.watch.look()
        return max(self.venue.accounts["sim"].orders, default=0)

    def buy(self, amount: str) -> None:
        self.order(amount)
        self.tick()

    def tick(self, price: float = 8000.0) -> None:
        self.venue.on_tick(BTC, price, 1.0, 3_000)
        self.watch.look()

    def cancel(self, venue_id: int) -> None:
        self.venue.cancel("sim", EndOrder(venue_id=venue_id, cid=None, cid_date=None), 4_000)
        self.watch.look()


def held(desk: Desk) -> str:
    return f"-{desk.venue.accounts['sim'].wallet('exchange', 'BTC').balance}"


async def test_a_position_is_bare_from_its_fill_to_its_stop(autojump_clock: MockClock) -> None:
    desk = Desk()
    desk.buy("0.1")
    await trio.sleep(3)
    assert desk.watch.bare() == [BTC]
    desk.order(held(desk), "EXCHANGE STOP", price=D(7900))
    assert desk.watch.bare() == []
    assert desk.watch.naked_s == desk.watch.compared_s == [3.0]
    assert desk.watch.openings == 1


async def test_a_stop_that_is_too_small_leaves_the_rest_bare(autojump_clock: MockClock) -> None:
    desk = Desk()
    desk.buy("0.1")
    desk.order("-0.05", "EXCHANGE STOP", price=D(7900))
    assert desk.watch.bare() == [BTC]


async def test_what_is_bare_while_the_engine_is_away_is_told_apart(autojump_clock: MockClock) -> None:
    desk = Desk()
    desk.buy("0.1")
    await trio.sleep(2)
    desk.watch.starts()
    await trio.sleep(30)
    desk.watch.compared(True)
    await trio.sleep(1)
    assert desk.watch.recovery_s == [], "a session is compared, but the position has no stop yet"
    desk.order(held(desk), "EXCHANGE STOP", price=D(7900))
    assert (desk.watch.naked_s, desk.watch.compared_s) == ([33.0], [3.0])
    assert desk.watch.recovery_s == [31.0]


async def test_what_is_bare_without_a_route_is_told_apart(autojump_clock: MockClock) -> None:
    """Half a second into the third the line falls, and stands again for the last second."""
    desk = Desk()
    looks: list[tuple[float, Callable[[], None]]] = []
    desk.watch.at = lambda when, action: looks.append((when, action))
    desk.watch.route = lambda: not 2.5 <= trio.current_time() < 9.0
    desk.buy("0.1")
    while looks and looks[0][0] <= 10.0:
        when, action = looks.pop(0)
        await trio.sleep_until(when)
        action()
    desk.order(held(desk), "EXCHANGE STOP", price=D(7900))
    assert desk.watch.naked_s == [10.0]
    # What is between two looks counts for the side that has less of it.
    assert desk.watch.routed_s == [pytest.approx(3.5, abs=0.5)]
    assert desk.watch.cut_off_s == [pytest.approx(6.5, abs=0.5)]


async def test_what_only_rest_could_have_stopped_is_told_apart(autojump_clock: MockClock) -> None:
    """No socket for eight seconds; REST answers for six of them, and for two more in which one stands again."""
    desk = Desk()
    looks: list[tuple[float, Callable[[], None]]] = []
    desk.watch.at = lambda when, action: looks.append((when, action))
    desk.watch.route = lambda: trio.current_time() >= 8.0
    desk.watch.rest = lambda: trio.current_time() >= 2.0
    desk.buy("0.1")
    while looks and looks[0][0] <= 10.0:
        when, action = looks.pop(0)
        await trio.sleep_until(when)
        action()
    desk.order(held(desk), "EXCHANGE STOP", price=D(7900))
    assert desk.watch.naked_s == [10.0]
    assert desk.watch.rest_alone_s == [pytest.approx(6.0, abs=0.5)]


@pytest.mark.parametrize(("seconds", "broken"), [(BARE_WITH_REST_S, 0), (BARE_WITH_REST_S + 1, 1)])
async def test_bare_for_too_long_with_rest_alone_breaks_it_too(
    autojump_clock: MockClock, seconds: float, broken: int
) -> None:
    desk = Desk()
    desk.watch.route, desk.watch.rest = lambda: False, lambda: True
    desk.buy("0.1")
    await trio.sleep(seconds)
    desk.order(held(desk), "EXCHANGE STOP", price=D(7900))
    assert len(desk.witness.violations) == broken


async def test_a_stop_that_is_cancelled_begins_another_time(autojump_clock: MockClock) -> None:
    desk = Desk()
    desk.buy("0.1")
    stop = desk.order(held(desk), "EXCHANGE STOP", price=D(7900))
    desk.cancel(stop)
    await trio.sleep(5)
    desk.order(held(desk))
    assert desk.watch.naked_s == [0.0, 5.0], "a sale on its way leaves nothing bare"
    assert desk.witness.sometimes["a stop was gone and came back"] == 1


def oco(desk: Desk) -> None:
    desk.order(held(desk), "EXCHANGE LIMIT", price=D(8500), oco_stop_price=D(7900), flags=FLAG_OCO)


def a_persons_sale(desk: Desk) -> None:
    desk.order(held(desk), "EXCHANGE LIMIT", price=D(8500), cid=A_PERSONS)


def a_target_alone(desk: Desk) -> None:
    desk.order(held(desk), "EXCHANGE LIMIT", price=D(8500))


@pytest.mark.parametrize(("rests", "bare"), [(oco, False), (a_persons_sale, False), (a_target_alone, True)])
async def test_what_counts_as_a_stop(autojump_clock: MockClock, rests: Callable[[Desk], None], bare: bool) -> None:
    desk = Desk()
    desk.buy("0.1")
    rests(desk)
    assert (desk.watch.bare() == [BTC]) is bare


@pytest.mark.parametrize(("seconds", "broken"), [(BARE_WHEN_COMPARED_S, 0), (BARE_WHEN_COMPARED_S + 1, 1)])
async def test_bare_for_too_long_breaks_a_rule(autojump_clock: MockClock, seconds: float, broken: int) -> None:
    desk = Desk()
    desk.watch.route = lambda: False
    desk.buy("0.1")
    await trio.sleep(seconds)
    desk.watch.finish()
    assert [one.rule for one in desk.witness.violations] == ["M16"] * broken


@pytest.mark.parametrize(("closed_s", "open_s", "broken"), [(90.0, 74.0, 0), (90.0, 77.0, 1), (10.0, 80.0, 1)])
async def test_a_maintenance_is_no_time_in_which_orders_might_leave(
    autojump_clock: MockClock, closed_s: float, open_s: float, broken: int
) -> None:
    """World 50161: a fill in the first third of a second of a maintenance that was longer than the bound itself. The
    line stays without a route before and behind it, so that nothing but the maintenance is left out."""
    desk = Desk()
    looks: list[tuple[float, Callable[[], None]]] = []
    desk.watch.at = lambda when, action: looks.append((when, action))
    desk.watch.route = lambda: False
    began = trio.current_time() + 10
    desk.watch.is_open = lambda: not began <= trio.current_time() < began + closed_s
    desk.buy("0.1")
    end = trio.current_time() + closed_s + open_s
    while looks and looks[0][0] <= end:
        when, action = looks.pop(0)
        await trio.sleep_until(when)
        action()
    desk.watch.finish()
    # A look that finds the venue closed where it was open a moment ago counts for open.
    assert desk.watch.compared_s == [pytest.approx(open_s, abs=0.6)]
    assert [one.rule for one in desk.witness.violations] == ["M16"] * broken


@pytest.mark.parametrize(("seconds", "broken"), [(BARE_WITH_A_ROUTE_S, 0), (BARE_WITH_A_ROUTE_S + 1, 1)])
async def test_bare_for_too_long_with_a_route_breaks_it_too(
    autojump_clock: MockClock, seconds: float, broken: int
) -> None:
    desk = Desk()
    desk.watch.compared(False)
    desk.buy("0.1")
    await trio.sleep(seconds)
    desk.watch.finish()
    assert [one.rule for one in desk.witness.violations] == ["M16"] * broken


class OwnersDesk(Desk):
    """Coins of before lie in the wallet, and order 1 and 2 stand for one lot, 3 for another."""

    def __init__(self) -> None:
        super().__init__()
        self.venue.accounts["sim"].wallet("exchange", "BTC").balance += 1
        lots = {1: "s", 2: "s", 3: "other"}
        self.watch = StopWatch(self.venue, self.witness, lambda cid: False, spare=D(1), owner=lots.get)
        self.watch.compared(True)


@pytest.mark.parametrize(("seconds", "broken"), [(TWINS_WITH_A_ROUTE_S, 0), (TWINS_WITH_A_ROUTE_S + 1, 1)])
async def test_two_equal_stops_of_one_lot_break_a_rule_in_time(
    autojump_clock: MockClock, seconds: float, broken: int
) -> None:
    desk = OwnersDesk()
    desk.buy("0.1")
    desk.order("-0.0998", "EXCHANGE STOP", price=D(7900))
    twin = desk.order("-0.0998", "EXCHANGE STOP", price=D(7900), cid=2)
    await trio.sleep(seconds)
    desk.cancel(twin)
    await trio.sleep(100)
    desk.watch.finish()
    assert [one.rule for one in desk.witness.violations] == ["M17"] * broken


@pytest.mark.parametrize(
    ("size", "more"),
    [("-0.0998", {"cid": 3}), ("-0.0998", {"price": D(7890)}), ("-0.0499", {}), ("-0.0998", {"cid": 9})],
)
async def test_no_twins_are_stops_of_others_at_other_levels_or_parts_of_one(
    autojump_clock: MockClock, size: str, more: dict[str, Any]
) -> None:
    desk = OwnersDesk()
    desk.buy("0.1")
    desk.order(size, "EXCHANGE STOP", price=D(7900))
    desk.order(size, "EXCHANGE STOP", **{"price": D(7900), "cid": 2, **more})
    await trio.sleep(100)
    desk.watch.finish()
    assert desk.witness.violations == []


async def test_coins_of_before_that_a_person_sold_hide_nothing_that_is_bought_later(autojump_clock: MockClock) -> None:
    desk = OwnersDesk()
    desk.watch = StopWatch(desk.venue, desk.witness, lambda cid: cid == A_PERSONS, spare=D(1))
    desk.order("-0.4", cid=A_PERSONS)
    desk.tick()
    assert desk.watch.spare_of(BTC) == D("0.6")
    desk.buy("0.1")
    assert desk.watch.bare() == [BTC]
    desk.order("-0.0998", "EXCHANGE STOP", price=D(7900))
    assert desk.watch.bare() == []
    desk.order("-0.2", cid=A_PERSONS)
    desk.tick()
    assert desk.watch.spare_of(BTC) == D("0.4998"), "what was bought goes first, as in the books"
