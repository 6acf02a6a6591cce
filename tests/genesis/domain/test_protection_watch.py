"""The watch sees a stop that is missing, short or there twice, says since when, and does not nag."""

import itertools
from decimal import Decimal
from typing import Any

from genesis.domain.pairs import pair_specs
from genesis.domain.protection_watch import Looked, ProtectionWatch
from protocols.orders import OrderState, OrderType, OrderView, Purpose
from protocols.risk import PositionView
from protocols.units import ZERO, Side, Symbol

D = Decimal
BTC = Symbol("tBTCUSD")
PAIRS = pair_specs([BTC])


def a_position(quantity: str) -> PositionView:
    return PositionView(
        symbol=BTC,
        quantity=D(quantity),
        average_price=D(100),
        mark_price=D(100),
        notional=ZERO,
        unrealized_pnl=ZERO,
        realized_pnl=ZERO,
        fees=ZERO,
    )


def a_stop(quantity: str, **changes: Any) -> OrderView:
    fields: dict[str, Any] = {
        "intent_id": "protect:tBTCUSD:exchange:2",
        "cid": 2,
        "venue_id": 7,
        "strategy": "s",
        "symbol": BTC,
        "side": Side.SELL,
        "order_type": OrderType.STOP,
        "purpose": Purpose.STOP,
        "quantity": D(quantity),
        "filled_quantity": ZERO,
        "average_fill_price": ZERO,
        "price": D(95),
        "state": OrderState.ACKED,
        "reason": "",
        "created_ms": 0,
        "updated_ms": 0,
        "correlation_id": "c",
        "foreign": False,
        "stop_price": D(95),
    }
    return OrderView(**{**fields, **changes})


def look(watch: ProtectionWatch, now: float, held: str, *orders: OrderView, fraction: str = "0.05") -> Looked:
    return watch.look(
        now, positions=[a_position(held)], orders=orders, pairs=PAIRS, stop_fraction=D(fraction), within_s=5.0
    )


def test_a_position_with_its_stop_is_quiet() -> None:
    looked = look(ProtectionWatch(), 0.0, "1", a_stop("1"))
    assert (looked.repairs, looked.alarms) == ((), ())
    assert (looked.status.protected, looked.status.naked) == (1, 0)


def test_a_missing_stop_is_asked_for_and_then_told_to_people() -> None:
    watch = ProtectionWatch()
    assert look(watch, 0.0, "1").status.naked == 1
    assert look(watch, 1.9, "1").repairs == ()
    (repair,) = look(watch, 2.0, "1").repairs
    assert repair.stop_price == D("95.000")
    assert look(watch, 2.1, "1").repairs == ()
    late = look(watch, 5.0, "1")
    assert late.repairs
    assert late.alarms == ("tBTCUSD: 0 of 1.00000000 stopped by 0 orders for 5.0 s (missing)",)
    assert look(watch, 9.0, "1").alarms == ()
    healed = look(watch, 10.0, "1", a_stop("1")).status
    assert (healed.naked, healed.spans_total, healed.naked_p99_s, healed.worst_naked_s) == (0, 1, 10.0, 10.0)


def test_a_wish_that_changes_nothing_is_said_less_and_less_often_until_something_changes() -> None:
    """Else a person's resting sale, whose coins no stop can have, has history asked every five seconds for a day."""
    watch = ProtectionWatch()
    asked = [second for second in range(200) if look(watch, float(second), "1", a_stop("0.4")).repairs]
    assert asked == [2, 4, 8, 16, 32, 62, 92, 122, 152, 182]
    assert not look(watch, 183.0, "1", a_stop("0.4")).repairs
    assert look(watch, 184.0, "1", a_stop("0.3")).repairs, "less is stopped than before"
    assert look(watch, 186.0, "1", a_stop("0.3")).repairs


def test_a_short_stop_and_a_doubled_one_are_faults() -> None:
    watch = ProtectionWatch()
    assert look(watch, 0.0, "1", a_stop("0.4")).status.positions[0].fault == "short"
    doubled = look(watch, 0.0, "1", a_stop("1"), a_stop("1", cid=3)).status
    assert doubled.positions[0].fault == "doubled"
    assert doubled.doubled_total == 1
    assert look(watch, 3.0, "1", a_stop("1"), a_stop("1", cid=3)).repairs


def test_a_target_that_lost_its_stop_protects_nothing() -> None:
    alone = a_stop("1", order_type=OrderType.LIMIT, stop_price=None)
    assert look(ProtectionWatch(), 0.0, "1", alone).status.positions[0].fault == "missing"
    whole = a_stop("1", order_type=OrderType.LIMIT)
    assert look(ProtectionWatch(), 0.0, "1", whole).status.positions[0].fault == ""


def test_foreign_stops_and_stops_in_doubt_do_not_count() -> None:
    for changes in ({"foreign": True}, {"state": OrderState.UNKNOWN}, {"state": OrderState.INTENT}):
        assert look(ProtectionWatch(), 0.0, "1", a_stop("1", **changes)).status.positions[0].fault == "missing"


def test_dust_and_what_is_being_sold_need_no_stop() -> None:
    assert look(ProtectionWatch(), 0.0, "0.00001").status.positions == ()
    selling = a_stop("1", order_type=OrderType.MARKET, purpose=Purpose.EXIT, stop_price=None, state=OrderState.SENT)
    assert look(ProtectionWatch(), 0.0, "1", selling).status.positions == ()


def test_nothing_is_demanded_when_the_settings_want_no_stop() -> None:
    looked = look(ProtectionWatch(), 0.0, "1", fraction="0")
    assert looked.status.positions[0].fault == ""


def test_what_the_venue_says_a_stop_or_an_exit_sold_is_not_naked_though_its_trades_are_missing() -> None:
    """Until its trades come such an order stays open, and the account goes on holding what it sold."""
    watch = ProtectionWatch()
    sold = a_stop("1", filled_quantity=D("1"), by_word=D("1"))
    for now in (0.0, 2.0, 5.0, 60.0):
        looked = look(watch, now, "1", sold)
        assert (looked.repairs, looked.alarms, looked.status.naked) == ((), (), 0)
    exit_ = {"order_type": OrderType.MARKET, "purpose": Purpose.EXIT, "stop_price": None}
    part = a_stop("0.4", filled_quantity=D("0.4"), by_word=D("0.4"), **exit_)
    assert look(watch, 61.0, "1", part, a_stop("0.6", cid=3)).status.protected == 1
    # The rest of it is as bare as ever.
    assert look(watch, 62.0, "1", part).status.naked == 1


def test_a_span_ends_with_the_venues_word_and_not_with_the_trades_that_come_later() -> None:
    watch = ProtectionWatch()
    assert look(watch, 0.0, "1").status.naked == 1
    sold = a_stop("1", filled_quantity=D("1"), by_word=D("1"))
    told = look(watch, 1.0, "1", sold).status
    assert (told.naked, told.spans_total, told.worst_naked_s) == (0, 1, 1.0)
    assert look(watch, 90.0, "0").status.worst_naked_s == 1.0


def test_what_rests_for_sale_holds_its_coins_back_and_is_not_nagged_about_whatever_trades_beside_it() -> None:
    """A person's sale rests for days; each wish costs three questions to REST, and no answer can place a stop."""
    watch = ProtectionWatch()
    sale = a_stop("1", cid=3, order_type=OrderType.LIMIT, purpose=Purpose.MANUAL, price=D(120), stop_price=None)
    asked = []
    for second in range(4000):
        traded = second // 60 % 2
        beside = (a_stop("2"),) if traded else ()
        if look(watch, float(second), "3" if traded else "1", sale, *beside).repairs:
            asked.append(second)
    assert asked[:4] == [2, 4, 8, 16]
    assert len(asked) == 14
    assert asked[-1] - asked[-2] == 600
    # What it does not hold back is asked for at once.
    assert look(watch, 4000.0, "3", sale).repairs


def test_on_margin_a_resting_sale_holds_nothing_back() -> None:
    watch = ProtectionWatch()
    sale = a_stop("1", cid=3, order_type=OrderType.LIMIT, purpose=Purpose.MANUAL, stop_price=None, margin=True)
    asked = [second for second in range(400) if look(watch, float(second), "1", sale).repairs]
    assert max(later - one for one, later in itertools.pairwise(asked)) == 30


def an_exit(quantity: str, state: OrderState, **changes: Any) -> OrderView:
    market = {"order_type": OrderType.MARKET, "purpose": Purpose.EXIT, "price": None, "stop_price": None}
    return a_stop(quantity, cid=3, intent_id="exit", state=state, **market, **changes)


def test_an_exit_that_waits_is_told_and_is_no_exit_that_leaves() -> None:
    """In a maintenance it waited for minutes, and the watch said that all was well."""
    watch = ProtectionWatch()
    waits = an_exit("1", OrderState.INTENT)
    first = look(watch, 0.0, "1", waits)
    assert [(each.fault, each.naked_s) for each in first.status.positions] == [("waits", 0.0)]
    later = look(watch, 5.0, "1", waits)
    assert later.repairs == (), "whoever sent it looks after it"
    (told,) = later.alarms
    assert "1.00000000 waits to be closed by an exit that has not left yet, 0 stopped, for 5.0 s" in told
    assert look(watch, 9.0, "1", waits).alarms == ()
    gone = look(watch, 10.0, "1", an_exit("1", OrderState.SENT))
    assert gone.status.positions == ()
    assert (gone.status.naked, gone.status.spans_total, gone.status.doubled_total) == (0, 0, 0)
    assert gone.status.worst_naked_s == 0.0


def test_an_exit_that_waits_behind_its_stop_is_covered() -> None:
    watch = ProtectionWatch()
    covered = look(watch, 0.0, "1", a_stop("1"), an_exit("1", OrderState.INTENT))
    assert [each.fault for each in covered.status.positions] == [""]
    # A part that neither covers is missing, whatever waits.
    short = look(watch, 1.0, "2", an_exit("1", OrderState.INTENT))
    assert [each.fault for each in short.status.positions] == ["missing"]
