"""What the exchange does with orders and ticks, one behaviour a test."""

from decimal import Decimal
from typing import Any

import pytest

from genesis.domain.matching import FillModel, FillWhen
from genesis.domain.pairs import pair_specs
from genesis.domain.venue import NOTHING, Venue, request_of
from genesis.domain.venue_margin import collateral_limits, liquidation_price, unbound
from genesis.domain.venue_state import PositionChange, PositionNews, VenueNotice, VenueOutput
from protocols.bitfinex.account import FLAG_CLOSE, FLAG_HIDDEN, FLAG_OCO, FLAG_POST_ONLY, FLAG_REDUCE_ONLY
from protocols.bitfinex.inputs import ChangeOrder, EndOrder, EndOrders, NewOrder
from protocols.market import Liquidation
from protocols.orders import SubmitOrder, VenueOrder, VenueTrade, VenueWallet
from protocols.units import Side, Symbol

D = Decimal
BTC = Symbol("tBTCUSD")
NO_COSTS = FillModel(half_spread=D(0), slippage=D(0))
AT_ONCE = FillModel(when=FillWhen.AT_ONCE)
RICH = (("exchange", "USD", D(100_000)), ("exchange", "BTC", D(10)), ("margin", "USD", D(10_000)))


def a_venue(model: FillModel | None = None, *names: str, last: float = 8000.0) -> Venue:
    venue = Venue(pair_specs(["tBTCUSD", "tETHUSD"]), model=model)
    for name in names or ("sim",):
        venue.open_account(name, RICH)
    if last:
        venue.on_tick(BTC, last, 1.0, 1_000)
    return venue


def an_order(amount: str, wire_type: str = "EXCHANGE MARKET", **fields: object) -> NewOrder:
    prices = {name: D(str(value)) for name, value in fields.items() if name.endswith(("price", "distance"))}
    plain: dict[str, Any] = {"cid": 1, "group_id": None, "symbol": BTC, "wire_type": wire_type, "amount": D(amount)}
    return NewOrder(**plain | fields | prices)


def said(out: list[VenueOutput]) -> list[str]:
    """The outputs in short: what a reader of the wire sees."""
    words: list[str] = []
    for _, message in out:
        match message:
            case VenueNotice():
                words.append(f"n {message.kind} {message.status}")
            case PositionNews():
                words.append(f"n {message.kind}")
            case VenueOrder() | VenueTrade():
                words.append(message.event)
            case PositionChange():
                words.append(message.event)
            case VenueWallet():
                words.append(f"wu {message.currency}")
    return words


def order_of(out: list[VenueOutput]) -> VenueOrder:
    return [message for _, message in out if isinstance(message, VenueOrder)][-1]


def test_a_market_order_waits_for_the_next_tick_and_pays_spread_and_slippage() -> None:
    venue = a_venue()
    assert said(venue.submit("sim", an_order("0.1"), 2_000)) == ["n on-req SUCCESS", "on"]
    out = venue.on_tick(BTC, 8010.0, 1.0, 3_000)
    assert said(out) == ["oc", "te", "wu USD", "wu BTC", "tu"]
    order = order_of(out)
    # 8010 + 0.005 % is 8010.4005, rounded up to the price step 8010.5; slippage of 0.005 % makes 8010.9...: 8011.
    assert (order.average_price, order.status, order.remaining) == (D("8011"), "EXECUTED @ 8011(0.1)", D(0))
    assert venue.accounts["sim"].wallet("exchange", "BTC").balance == D("10.0998")
    assert venue.accounts["sim"].wallet("exchange", "USD").balance == D("100000") - D("801.1")


def test_a_resting_limit_is_filled_at_its_own_price_as_maker() -> None:
    venue = a_venue()
    assert said(venue.submit("sim", an_order("0.1", "EXCHANGE LIMIT", price=7990), 2_000))[-1] == "on"
    assert venue.on_tick(BTC, 7990.1, 1.0, 3_000) is NOTHING
    out = venue.on_tick(BTC, 7900.0, 1.0, 4_000)
    trade = next(message for _, message in out if isinstance(message, VenueTrade) and message.event == "tu")
    assert (trade.price, trade.maker, trade.fee, trade.fee_currency) == (D(7990), True, D("-0.0001"), "BTC")


def test_an_order_that_began_to_rest_at_a_tick_is_not_filled_by_that_tick() -> None:
    venue = a_venue(last=0)
    venue.submit("sim", an_order("0.1", "EXCHANGE LIMIT", price=8000), 2_000)
    # The tick is at the limit, but a taker would have to pay the spread: the order rests now, and trades later.
    assert said(venue.on_tick(BTC, 8000.0, 1.0, 3_000)) == []
    assert said(venue.on_tick(BTC, 8000.0, 1.0, 4_000)) == ["oc", "te", "wu USD", "wu BTC", "tu"]


def test_a_stop_fills_at_the_tick_that_reached_it_however_far_past() -> None:
    venue = a_venue(NO_COSTS)
    venue.submit("sim", an_order("-1", "EXCHANGE STOP", price=7900), 2_000)
    out = venue.on_tick(BTC, 7000.0, 1.0, 3_000)
    order = order_of(out)
    assert order.average_price == D(7000)
    assert (order.wire_type, order.wire_type_before) == ("EXCHANGE MARKET", "EXCHANGE STOP")


def test_a_stop_limit_rests_when_the_market_jumped_over_it() -> None:
    venue = a_venue(NO_COSTS)
    venue.submit("sim", an_order("-1", "EXCHANGE STOP LIMIT", price=7900, aux_limit_price=7890), 2_000)
    out = venue.on_tick(BTC, 7000.0, 1.0, 3_000)
    assert said(out) == ["ou"]
    assert (order_of(out).wire_type, order_of(out).price) == ("EXCHANGE LIMIT", D(7890))
    assert order_of(venue.on_tick(BTC, 7895.0, 1.0, 4_000)).average_price == D(7890)


def test_a_trailing_stop_follows_and_never_goes_back() -> None:
    venue = a_venue(NO_COSTS)
    out = venue.submit("sim", an_order("-1", "EXCHANGE TRAILING STOP", trailing_distance=100), 2_000)
    assert order_of(out).price == D(7900)
    assert order_of(venue.on_tick(BTC, 8200.0, 1.0, 3_000)).price == D(8100)
    assert said(venue.on_tick(BTC, 8150.0, 1.0, 4_000)) == []
    assert order_of(venue.on_tick(BTC, 8100.0, 1.0, 5_000)).status.startswith("EXECUTED @ 8100")


@pytest.mark.parametrize(("price", "winner"), [(8200.0, "EXCHANGE LIMIT"), (7800.0, "EXCHANGE MARKET")])
def test_one_half_of_an_oco_cancels_the_other(price: float, winner: str) -> None:
    venue = a_venue(NO_COSTS)
    request = an_order("-10", "EXCHANGE LIMIT", price=8100, oco_stop_price=7900, flags=FLAG_OCO)
    out = venue.submit("sim", request, 2_000)
    # Both halves together hold back the wallet's ten coins once.
    assert said(out) == ["n on-req SUCCESS", "on", "on"]
    assert venue.accounts["sim"].wallet("exchange", "BTC").available == 0
    out = venue.on_tick(BTC, price, 1.0, 3_000)
    ended = [message for _, message in out if isinstance(message, VenueOrder)]
    assert ended[0].wire_type == winner
    assert [order.status.split(" @")[0] for order in ended] == ["EXECUTED", "CANCELED"]
    assert venue.accounts["sim"].wallet("exchange", "BTC").locked == 0


def test_cancelling_one_half_of_an_oco_ends_both() -> None:
    venue = a_venue()
    request = an_order("-1", "EXCHANGE LIMIT", price=8100, oco_stop_price=7900, flags=FLAG_OCO)
    first = venue.submit("sim", request, 2_000)[0][1]
    assert isinstance(first, VenueNotice)
    out = venue.cancel("sim", EndOrder(venue_id=first.venue_ids[1], cid=None, cid_date=None), 3_000)
    assert said(out) == ["n oc-req SUCCESS", "oc", "oc"]
    assert venue.accounts["sim"].orders == {}


def test_post_only_is_cancelled_against_the_visible_book_and_trades_against_a_hidden_order() -> None:
    venue = a_venue(None, "sim", "other")
    crossing = an_order("0.1", "EXCHANGE LIMIT", price=8100, flags=FLAG_POST_ONLY)
    out = venue.submit("sim", crossing, 2_000)
    assert said(out) == ["n on-req SUCCESS", "oc"]
    assert order_of(out).status == "POSTONLY CANCELED"
    at_once = a_venue(AT_ONCE, "sim", "other")
    at_once.submit("other", an_order("-1", "EXCHANGE LIMIT", price=8000.2, flags=FLAG_HIDDEN), 2_000)
    out = at_once.submit("sim", an_order("0.1", "EXCHANGE LIMIT", price=8000.3, flags=FLAG_POST_ONLY), 3_000)
    assert any(isinstance(message, VenueTrade) for _, message in out)


def test_fill_or_kill_ends_whole_or_not_at_all() -> None:
    venue = a_venue(FillModel(when=FillWhen.AT_ONCE, half_spread=D(0), slippage=D(0)))
    assert order_of(venue.submit("sim", an_order("1", "EXCHANGE FOK", price=9000), 2_000)).status.startswith("EXECUTED")
    out = venue.submit("sim", an_order("1", "EXCHANGE FOK", price=7000), 3_000)
    assert order_of(out).status == "FILLORKILL CANCELED"


def test_immediate_or_cancel_keeps_what_it_got() -> None:
    venue = a_venue(FillModel(half_spread=D(0), slippage=D(0), participation=D("0.5")))
    venue.submit("sim", an_order("1", "EXCHANGE IOC", price=9000), 2_000)
    out = venue.on_tick(BTC, 8000.0, 0.4, 3_000)
    assert said(out) == ["ou", "te", "wu USD", "wu BTC", "tu", "oc"]
    assert order_of(out).status == "IOC CANCELED was: PARTIALLY FILLED @ 8000(0.2)"


def test_a_market_order_larger_than_the_ticks_goes_on_at_the_next() -> None:
    venue = a_venue(FillModel(half_spread=D(0), slippage=D(0), participation=D("0.5")))
    venue.submit("sim", an_order("0.3"), 2_000)
    assert said(venue.on_tick(BTC, 8000.0, 0.4, 3_000)) == ["ou", "te", "wu USD", "wu BTC", "tu"]
    out = venue.on_tick(BTC, 8010.0, 0.4, 4_000)
    assert order_of(out).status == "EXECUTED @ 8010(0.1): was PARTIALLY FILLED @ 8000(0.2)"


def test_an_order_at_once_tells_no_on_when_it_is_filled() -> None:
    out = a_venue(AT_ONCE).submit("sim", an_order("0.1"), 2_000)
    assert said(out) == ["n on-req SUCCESS", "oc", "te", "wu USD", "wu BTC", "tu"]


def test_latency_delays_an_order_to_the_first_tick_after_it() -> None:
    venue = a_venue(FillModel(latency_ms=500))
    venue.submit("sim", an_order("0.1"), 2_000)
    assert venue.on_tick(BTC, 8000.0, 1.0, 2_400) == []
    assert said(venue.on_tick(BTC, 8000.0, 1.0, 2_500))[0] == "oc"


def test_accounts_trade_with_each_other_by_price_then_time() -> None:
    venue = a_venue(FillModel(when=FillWhen.AT_ONCE, half_spread=D("0.01"), slippage=D(0)), "sim", "a", "b")
    prints: list[tuple[D, D]] = []
    venue.on_print = lambda symbol, trade_id, time_ms, amount, price: prints.append((amount, price))
    venue.submit("a", an_order("-1", "EXCHANGE LIMIT", price=8010), 2_000)
    venue.submit("b", an_order("-1", "EXCHANGE LIMIT", price=8005), 3_000)
    venue.submit("a", an_order("-1", "EXCHANGE LIMIT", price=8005), 4_000)
    out = venue.submit("sim", an_order("2.5"), 5_000)
    assert prints == [(D(1), D(8005)), (D(1), D(8005)), (D("0.5"), D(8010))]
    makers = [
        name for name, message in out if isinstance(message, VenueTrade) and message.maker and message.event == "te"
    ]
    assert makers == ["b", "a", "a"]
    assert order_of([each for each in out if each[0] == "sim"]).average_price == D(8006)


@pytest.mark.parametrize(
    ("request_fields", "text"),
    [
        ({"amount": D(100)}, "Invalid order: not enough exchange balance for 100.0 BTCUSD at 8000.4"),
        ({"amount": D(-11)}, "Invalid order: not enough exchange balance for 11.0 BTCUSD at 8000.4"),
        ({"amount": D("0.00001")}, "Invalid order: minimum size for BTCUSD is 0.00004"),
        ({"amount": D(0)}, "amount: invalid"),
        ({"amount": D("NaN")}, "amount: invalid"),
        ({"symbol": "tNOPEUSD"}, "symbol: invalid"),
        ({"symbol": "tTESTBTC:TESTUSD"}, "symbol: invalid"),
        ({"wire_type": "EXCHANGE WISH"}, "type: invalid"),
        ({"wire_type": "EXCHANGE LIMIT"}, "price: invalid"),
        ({"wire_type": "EXCHANGE STOP LIMIT", "price": D(1)}, "price_aux_limit: invalid"),
        ({"wire_type": "EXCHANGE TRAILING STOP"}, "price_trailing: invalid"),
        ({"wire_type": "EXCHANGE LIMIT", "price": D(1), "flags": FLAG_OCO}, "price_oco_stop: invalid"),
        ({"cid": 2**45}, "cid: invalid"),
        (
            {"wire_type": "MARKET", "amount": D(50)},
            "Invalid order: not enough tradable balance for 50.0 BTCUSD at 8000.4",
        ),
    ],
)
def test_refusals_use_the_venues_words_and_change_nothing(request_fields: dict[str, object], text: str) -> None:
    venue = a_venue()
    venue.open_account("poor", [("exchange", "USD", D(1))])
    plain: dict[str, Any] = {
        "cid": 5,
        "group_id": None,
        "symbol": BTC,
        "wire_type": "EXCHANGE MARKET",
        "amount": D(1),
    }
    request = NewOrder(**plain | request_fields)
    before = {key: (wallet.balance, wallet.locked) for key, wallet in venue.accounts["sim"].wallets.items()}
    (answer,) = venue.submit("sim", request, 2_000)
    notice = answer[1]
    assert isinstance(notice, VenueNotice)
    assert (notice.status, notice.text, notice.cid) == ("ERROR", text, request.cid)
    assert before == {key: (wallet.balance, wallet.locked) for key, wallet in venue.accounts["sim"].wallets.items()}
    assert venue.accounts["sim"].orders == {}


def test_a_buy_that_slips_beyond_the_wallet_is_filled_as_far_as_the_money_goes() -> None:
    venue = Venue(pair_specs([BTC]), model=NO_COSTS)
    venue.open_account("sim", [("exchange", "USD", D(8000))])
    venue.on_tick(BTC, 8000.0, 1.0, 1_000)
    venue.submit("sim", an_order("0.99"), 2_000)
    out = venue.on_tick(BTC, 10_000.0, 1.0, 3_000)
    assert order_of(out).status == "INSUFFICIENT BALANCE (G1) was: PARTIALLY FILLED @ 10000(0.8)"
    assert venue.accounts["sim"].wallet("exchange", "USD").balance == 0


def test_cancel_and_update_of_an_unknown_order_say_so() -> None:
    venue = a_venue()
    for out in (
        venue.cancel("sim", EndOrder(venue_id=5, cid=None, cid_date=None), 2_000),
        venue.update("sim", ChangeOrder(venue_id=5, cid=None, cid_date=None, price=D(1)), 2_000),
    ):
        notice = out[0][1]
        assert isinstance(notice, VenueNotice)
        assert (notice.status, notice.text, len(out)) == ("ERROR", "Order not found.", 1)


def test_an_update_keeps_the_id_and_drops_flags_that_are_not_said_again() -> None:
    venue = a_venue()
    request = an_order("1", "EXCHANGE LIMIT", price=7000, flags=FLAG_POST_ONLY | FLAG_HIDDEN)
    order = order_of(venue.submit("sim", request, 2_000))
    change = ChangeOrder(venue_id=order.venue_id, cid=None, cid_date=None, price=D("7100.123"), amount=D("0.5"))
    out = venue.update("sim", change, 3_000)
    assert said(out) == ["n ou-req SUCCESS", "ou"]
    changed = order_of(out)
    assert (changed.venue_id, changed.price, changed.remaining, changed.original) == (
        order.venue_id,
        D("7100.1"),
        D("0.5"),
        D("0.5"),
    )
    assert (changed.flags, changed.wire_type_before, changed.updated_ms) == (0, "EXCHANGE LIMIT", 3_000)
    assert venue.accounts["sim"].wallet("exchange", "USD").locked == D("3550.05")


def test_cancel_by_client_id_needs_the_day_of_creation() -> None:
    venue = a_venue()
    venue.submit("sim", an_order("1", "EXCHANGE LIMIT", price=7000, cid=77), 2_000)
    assert said(venue.cancel("sim", EndOrder(venue_id=None, cid=77, cid_date="1970-01-02"), 3_000)) == [
        "n oc-req ERROR"
    ]
    assert said(venue.cancel("sim", EndOrder(venue_id=None, cid=77, cid_date="1970-01-01"), 3_000))[-1] == "oc"


def test_cancel_many_takes_ids_groups_and_everything() -> None:
    venue = a_venue()
    for cid, group in ((1, 5), (2, 5), (3, 6)):
        venue.submit("sim", an_order("0.1", "EXCHANGE LIMIT", price=7000, cid=cid, group_id=group), 2_000)
    assert said(venue.cancel_many("sim", EndOrders(group_ids=(5,)), 3_000)) == ["n oc_multi-req SUCCESS", "oc", "oc"]
    assert said(venue.cancel_many("sim", EndOrders(everything=True), 3_000)) == ["n oc_multi-req SUCCESS", "oc"]


def test_an_order_past_its_time_ends_with_or_without_a_tick() -> None:
    venue = a_venue()
    for cid in (1, 2):
        venue.submit("sim", an_order("0.1", "EXCHANGE LIMIT", price=7000, cid=cid, expires_ms=5_000 * cid), 2_000)
    assert venue.on_tick(BTC, 8000.0, 1.0, 4_999) == []
    assert order_of(venue.on_tick(BTC, 8000.0, 1.0, 5_000)).status == "CANCELED"
    assert said(venue.advance(10_000)) == ["oc"]


def test_a_margin_position_is_opened_averaged_reduced_and_closed() -> None:
    venue = a_venue(NO_COSTS)
    assert said(venue.submit("sim", an_order("1", "MARKET"), 2_000))[-1] == "on"
    assert said(venue.on_tick(BTC, 8000.0, 1.0, 3_000)) == ["oc", "te", "pn", "wu USD", "tu"]
    venue.submit("sim", an_order("1", "MARKET"), 4_000)
    venue.on_tick(BTC, 9000.0, 1.0, 5_000)
    position = venue.accounts["sim"].positions[BTC]
    assert (position.amount, position.base_price) == (D(2), D(8500))
    venue.submit("sim", an_order("-0.5", "MARKET", flags=FLAG_REDUCE_ONLY), 6_000)
    assert "pu" in said(venue.on_tick(BTC, 9500.0, 1.0, 7_000))
    out = venue.submit("sim", an_order("-0.001", "MARKET", flags=FLAG_CLOSE), 8_000)
    assert order_of(out).original == D("-1.5")
    out = venue.on_tick(BTC, 8500.0, 1.0, 9_000)
    assert "pc" in said(out)
    assert order_of(out).status == "EXECUTED @ 8500(-1.5) was ACTIVE (note:POSCLOSE)"
    fees = (D(8000) + D(9000) + D(4750) + D(12750)) * D("0.002")
    assert venue.accounts["sim"].wallet("margin", "USD").balance == D(10_000) + D(500) - fees


@pytest.mark.parametrize(("amount", "status"), [("1", "RSN_POS_REDUCE_INCR"), ("-2", "RSN_POS_REDUCE_FLIP")])
def test_reduce_only_never_increases_or_flips(amount: str, status: str) -> None:
    venue = a_venue(NO_COSTS)
    venue.submit("sim", an_order("1", "MARKET"), 2_000)
    venue.on_tick(BTC, 8000.0, 1.0, 3_000)
    assert order_of(venue.submit("sim", an_order(amount, "MARKET", flags=FLAG_REDUCE_ONLY), 4_000)).status == status


def test_reduce_only_without_a_position_is_ended() -> None:
    out = a_venue().submit("sim", an_order("-1", "MARKET", flags=FLAG_REDUCE_ONLY), 2_000)
    assert order_of(out).status == "RSN_POS_NOTFOUND"


def test_a_position_that_eats_its_margin_is_liquidated() -> None:
    venue = a_venue(NO_COSTS)
    venue.submit("sim", an_order("-5", "MARKET"), 2_000)
    venue.on_tick(BTC, 8000.0, 1.0, 3_000)
    out = venue.on_tick(BTC, 9500.0, 1.0, 4_000)
    assert order_of(out).status == "FORCED EXECUTED @ 9500(5)"
    assert venue.accounts["sim"].positions == {}


def test_only_a_thousand_orders_in_five_minutes() -> None:
    venue = Venue(pair_specs([BTC]), orders_per_window=2)
    venue.open_account("sim", RICH)
    kinds = [venue.submit("sim", an_order("0.1", "EXCHANGE LIMIT", price=7000), at)[0][1] for at in (0, 1, 2, 300_001)]
    assert [notice.status for notice in kinds if isinstance(notice, VenueNotice)] == [
        "SUCCESS",
        "SUCCESS",
        "ERROR",
        "SUCCESS",
    ]


def test_the_band_is_where_nobody_acts() -> None:
    venue = a_venue()
    venue.submit("sim", an_order("0.1", "EXCHANGE LIMIT", price=7000), 2_000)
    venue.submit("sim", an_order("-0.1", "EXCHANGE STOP", price=7500), 2_000)
    venue.submit("sim", an_order("-0.1", "EXCHANGE LIMIT", price=9000), 2_000)
    assert venue.band(BTC) == (7500.0, 9000.0)
    assert venue.on_tick(BTC, 7500.1, 1.0, 3_000) is NOTHING
    assert [order.price for order in venue.resting(BTC, Side.SELL)] == [D(9000)]


def test_the_engines_command_becomes_the_wires_request() -> None:
    command = SubmitOrder(
        cid=9, cid_date="2018-02-05", group_id=71, symbol=BTC, wire_type="EXCHANGE LIMIT", amount=D("-1"),
        price=D(9000), aux_limit_price=None, trailing_distance=None, oco_stop_price=D(7000), flags=0, session=1,
        correlation_id="x", received_ns=0,
    )  # fmt: skip
    request = request_of(command)
    assert (request.cid, request.group_id, request.flags, request.oco_stop_price) == (9, 71, FLAG_OCO, D(7000))


def test_who_runs_out_of_margin_is_warned_once_before_the_position_goes() -> None:
    venue = a_venue(FillModel(half_spread=D(0), slippage=D(0), when=FillWhen.AT_ONCE), last=10_000.0)
    told: list[Liquidation] = []
    venue.on_liquidation = told.append
    venue.submit("sim", an_order("4", "MARKET"), 2_000)
    # 10,000 less the fee of 80 is kept by 4 BTC down to 8,355 or so (a tenth of the value must stay).
    assert venue.on_tick(BTC, 9_000.0, 1.0, 3_000) == []
    (warning,) = [message for _, message in venue.on_tick(BTC, 8_500.0, 1.0, 4_000)]
    assert isinstance(warning, PositionNews)
    assert (warning.kind, "below 3400 it is liquidated" in warning.text) == ("margin_call", True)
    assert venue.on_tick(BTC, 8_490.0, 1.0, 5_000) == []
    assert told == []
    # Well again, and low again: a new call.
    venue.on_tick(BTC, 9_500.0, 1.0, 6_000)
    assert len(venue.on_tick(BTC, 8_500.0, 1.0, 7_000)) == 1
    out = venue.on_tick(BTC, 8_300.0, 1.0, 8_000)
    assert said(out) == ["n liquidation", "oc", "te", "pc", "wu USD", "tu"]
    order = order_of(out)
    assert (order.status, order.flags, order.wire_type) == ("FORCED EXECUTED @ 8300(-4)", FLAG_CLOSE, "MARKET")
    assert [(each.is_match, each.amount, each.price) for each in told] == [(False, 4.0, 8300.0), (True, 4.0, 8300.0)]
    (entry,) = [entry for entry in venue.history("sim").ledger if entry.category == 22]
    assert (entry.amount, "liquidated @ 8300" in entry.description) == (D(-6800), True)
    closed = next(message for _, message in out if isinstance(message, PositionChange))
    assert (closed.status, closed.meta is not None and closed.meta["reason"]) == ("CLOSED", "LIQUIDATION")


def test_a_forced_order_that_the_market_cannot_take_at_once_is_left_to_work() -> None:
    model = FillModel(half_spread=D(0), slippage=D(0), participation=D("0.5"))
    venue = a_venue(model, last=10_000.0)
    venue.submit("sim", an_order("4", "MARKET"), 2_000)
    venue.on_tick(BTC, 10_000.0, 100.0, 3_000)
    venue.on_tick(BTC, 8_000.0, 4.0, 4_000)
    (order,) = venue.accounts["sim"].orders.values()
    venue.on_tick(BTC, 8_000.0, 2.0, 5_000)
    assert list(venue.accounts["sim"].orders.values()) == [order]
    venue.on_tick(BTC, 8_000.0, 2.0, 6_000)
    assert venue.accounts["sim"].positions == {}


PERP = Symbol("tBTCF0:USTF0")


def a_contract_venue(balance: str = "1000", last: float = 10_000.0) -> Venue:
    model = FillModel(half_spread=D(0), slippage=D(0), when=FillWhen.AT_ONCE)
    venue = Venue(pair_specs(["tBTCUSD", PERP]), model=model)
    venue.open_account("sim", (("margin", "USTF0", D(balance)),))
    venue.on_tick(PERP, last, 1.0, 1_000)
    return venue


def test_a_contract_binds_its_collateral_and_gives_it_back_with_the_profit() -> None:
    venue = a_contract_venue()
    venue.submit("sim", an_order("0.1", "MARKET", symbol=PERP, leverage=5), 2_000)
    account = venue.accounts["sim"]
    position = account.positions[PERP]
    assert (position.collateral, position.leverage) == (D(200), D(5))
    # 0.065 % of 1000, the rate of contracts.
    assert account.wallet("margin", "USTF0").balance == D("1000") - D("0.65")
    assert unbound(account, venue.specs, "USTF0") == D("799.35")
    venue.on_tick(PERP, 10_500.0, 1.0, 3_000)
    venue.submit("sim", an_order("-0.05", "MARKET", symbol=PERP), 4_000)
    assert position.collateral == D(100)
    venue.submit("sim", an_order("-0.15", "MARKET", symbol=PERP, leverage=10), 5_000)
    flipped = account.positions[PERP]
    assert (flipped.amount, flipped.base_price, flipped.collateral) == (D("-0.1"), D(10_500), D(105))
    venue.submit("sim", an_order("1", "MARKET", symbol=PERP, flags=FLAG_CLOSE), 6_000)
    assert account.positions == {}
    fees = D("0.00065") * (D(1000) + D("0.05") * 10_500 + D("0.15") * 10_500 + D("0.1") * 10_500)
    assert account.wallet("margin", "USTF0").balance == D(1000) + D(50) - fees


@pytest.mark.parametrize(("amount", "leverage", "taken"), [("0.9", 10, True), ("1.1", 10, False), ("1.1", 20, True)])
def test_what_is_free_times_the_leverage_may_be_opened(amount: str, leverage: int, taken: bool) -> None:
    venue = a_contract_venue()
    out = venue.submit("sim", an_order(amount, "LIMIT", symbol=PERP, price=10_000, leverage=leverage), 2_000)
    assert (said(out)[0] == "n on-req SUCCESS") is taken


def test_a_contract_takes_margin_orders_only() -> None:
    out = a_contract_venue().submit("sim", an_order("0.1", symbol=PERP), 2_000)
    assert said(out) == ["n on-req ERROR"]


def test_a_contract_is_valued_at_its_mark_and_loses_no_more_than_its_collateral() -> None:
    venue = a_contract_venue()
    venue.submit("sim", an_order("0.1", "MARKET", symbol=PERP, leverage=10), 2_000)
    venue.set_mark(PERP, 10_000.0)
    total = venue.books.total("USTF0")
    # Nobody is sold out by a price that the mark does not follow.
    assert said(venue.on_tick(PERP, 8_500.0, 1.0, 3_000)) == []
    venue.set_mark(PERP, 8_900.0)
    out = venue.on_tick(PERP, 8_500.0, 1.0, 4_000)
    assert order_of(out).status == "FORCED EXECUTED @ 8500(-0.1)"
    balance = venue.accounts["sim"].wallet("margin", "USTF0").balance
    assert balance == D(1000) - D(100) - D("0.65") - D("0.00065") * D("850")
    assert venue.books.total("USTF0") == total


@pytest.mark.parametrize(
    ("balance", "rate", "paid", "collateral"),
    [("1000", "0.001", "1", "100"), ("1000", "-0.001", "-1", "100"), ("100", "0.05", "50", "50")],
    ids=["a long pays", "a long is paid", "nothing but the collateral is left"],
)
def test_funding_of_a_contract(balance: str, rate: str, paid: str, collateral: str) -> None:
    venue = a_contract_venue("1000")
    account = venue.accounts["sim"]
    venue.submit("sim", an_order("0.1", "MARKET", symbol=PERP), 2_000)
    account.wallet("margin", "USTF0").balance = D(balance)
    position, total = account.positions[PERP], venue.books.total("USTF0")
    out = venue.books.pay_contract_funding(account, position, venue.specs[PERP], D(rate), D(10_000), 3_000)
    assert said(out) == ["wu USTF0", "pu"]
    assert account.wallet("margin", "USTF0").balance == D(balance) - D(paid)
    assert position.collateral == D(collateral)
    assert venue.history("sim").ledger[-1].category == 29
    assert venue.books.total("USTF0") == total


def test_collateral_has_limits() -> None:
    venue = a_contract_venue("1000")
    account = venue.accounts["sim"]
    venue.submit("sim", an_order("0.1", "MARKET", symbol=PERP), 2_000)
    position, spec = account.positions[PERP], venue.specs[PERP]
    least, most = collateral_limits(account, position, spec, venue.specs, D(9_900))
    # 1 % of 990, and the 10 that are lost.
    assert (least, most) == (D("19.9"), D("999.35"))
    assert liquidation_price(account, position, spec) == pytest.approx(D(900) / D("0.0995"))
