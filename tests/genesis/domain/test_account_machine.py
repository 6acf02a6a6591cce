"""The account: profit equals what the wallets gained, whatever is bought and sold at whatever fee."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genesis.domain.account_cells import read_order_cells
from genesis.domain.account_checkpoint import CountedOtherwise
from genesis.domain.account_machine import TRADES_KEPT, AccountMachine
from genesis.domain.live_performance import live_performance
from genesis.domain.order_ledger import encode
from genesis.domain.order_rows import OrderRow, WantedChange, view_of
from genesis.domain.position import Position
from protocols.journal import CellWrite
from protocols.orders import (
    Adopted,
    Fill,
    OrderIntent,
    OrderState,
    OrderType,
    OrderUpdate,
    OrderView,
    Purpose,
    VenueWallet,
    WalletSnapshot,
)
from protocols.risk import SettledChange
from protocols.settings import Settings
from protocols.units import ZERO, Side, Symbol

BTC = Symbol("tBTCUSD")
STEP = Decimal("0.00000001")
TAKER = Decimal("0.002")


def a_fill(
    number: int,
    side: Side,
    quantity: Decimal | str,
    price: Decimal | str,
    *,
    fee: Decimal | str | None = None,
    currency: str | None = None,
    foreign: bool = False,
) -> Fill:
    """A spot fill; by default with the venue's taker fee in what was received."""
    quantity, price = Decimal(quantity), Decimal(price)
    received = quantity if side is Side.BUY else quantity * price
    return Fill(
        trade_id=number,
        intent_id=f"i{number}",
        cid=number,
        venue_order_id=number,
        strategy="s",
        symbol=BTC,
        side=side,
        quantity=quantity,
        price=price,
        fee=-(received * TAKER).quantize(STEP) if fee is None else Decimal(fee),
        fee_currency=currency or ("BTC" if side is Side.BUY else "USD"),
        maker=False,
        purpose=Purpose.ENTRY,
        time_ms=number * 1000,
        correlation_id=f"c{number}",
        foreign=foreign,
    )


def wallet(currency: str, balance: Decimal | str) -> VenueWallet:
    return VenueWallet(
        session=1, wallet_type="exchange", currency=currency, balance=Decimal(balance), available=None, received_ns=0
    )


def with_cash(amount: str = "10000") -> AccountMachine:
    machine = AccountMachine(Settings())
    machine.on_balance(WalletSnapshot(session=1, wallets=(wallet("USD", amount),), received_ns=0))
    return machine


# --- positions ----------------------------------------------------------------------------------------------------


def test_a_fee_in_base_leaves_less_to_sell_and_raises_the_average_price() -> None:
    position = Position(symbol=BTC)
    position.on_fill(a_fill(1, Side.BUY, "1", "100"))
    assert position.quantity == Decimal("0.998")
    assert position.average_price == Decimal(100) / Decimal("0.998")
    assert position.fees_quote == Decimal("0.2")
    assert position.unrealized_pnl(Decimal(100)) == Decimal("-0.2")


def test_a_round_trip_is_one_trade_with_all_its_fees() -> None:
    position = Position(symbol=BTC)
    assert position.on_fill(a_fill(1, Side.BUY, "1", "100")) is None
    assert position.on_fill(a_fill(2, Side.SELL, "0.5", "110")) is None
    trade = position.on_fill(a_fill(3, Side.SELL, "0.498", "120"))
    assert trade is not None
    cash = -Decimal(100) + Decimal("0.5") * 110 + Decimal("0.498") * 120 - Decimal("0.11") - Decimal("0.11952")
    assert trade.pnl == cash == position.realized_pnl
    assert (trade.entry_price, trade.quantity) == (Decimal(100), Decimal(1))
    assert trade.exit_price == (Decimal(55) + Decimal("59.76")) / Decimal("0.998")
    assert trade.fees_quote == Decimal("0.2") + Decimal("0.11") + Decimal("0.11952")
    assert (trade.entry_ms, trade.exit_ms) == (1000, 3000)
    assert (position.quantity, position.cost) == (ZERO, ZERO)


def test_two_trades_in_a_row_are_counted_apart() -> None:
    position = Position(symbol=BTC)
    trades = [
        position.on_fill(fill)
        for fill in (
            a_fill(1, Side.BUY, "1", "100", fee="0"),
            a_fill(2, Side.SELL, "1", "90", fee="0"),
            a_fill(3, Side.BUY, "2", "100", fee="0"),
            a_fill(4, Side.SELL, "2", "105", fee="0"),
        )
    ]
    assert [trade.pnl for trade in trades if trade is not None] == [Decimal(-10), Decimal(10)]
    assert position.realized_pnl == ZERO


def test_a_fill_that_turns_the_position_over_ends_one_trade_and_begins_the_next() -> None:
    position = Position(symbol=BTC)
    position.on_fill(a_fill(1, Side.BUY, "1", "100", fee="0"))
    trade = position.on_fill(a_fill(2, Side.SELL, "3", "110", fee="-1", currency="USD"))
    assert trade is not None
    assert (trade.side, trade.quantity) == (Side.BUY, Decimal(1))
    assert position.quantity == -2
    closing = position.on_fill(a_fill(3, Side.BUY, "2", "100", fee="0", currency="USD"))
    assert closing is not None
    assert (closing.side, closing.exit_price) == (Side.SELL, Decimal(100))
    assert position.realized_pnl == Decimal(10) + Decimal(20) - 1


def test_a_fee_in_a_third_currency_has_no_price_here() -> None:
    position = Position(symbol=BTC)
    position.on_fill(a_fill(1, Side.BUY, "1", "100", fee="-0.5", currency="LEO"))
    assert (position.quantity, position.fees_quote) == (Decimal(1), ZERO)


@given(
    moves=st.lists(
        st.tuples(st.sampled_from(Side), st.integers(1, 10**9), st.integers(1, 10**7)), min_size=1, max_size=40
    ),
    mark=st.integers(1, 10**7),
)
def test_realized_and_unrealized_are_together_what_the_wallets_gained(
    moves: list[tuple[Side, int, int]], mark: int
) -> None:
    """Long, short and over again, fees in base and in quote: no coin and no cent appears or is lost."""
    position = Position(symbol=BTC)
    base = quote = ZERO
    for number, (side, units, cents) in enumerate(moves):
        fill = a_fill(number, side, Decimal(units) * STEP, Decimal(cents) / 100)
        position.on_fill(fill)
        base += side.sign * fill.quantity + (fill.fee if side is Side.BUY else ZERO)
        quote -= side.sign * fill.quantity * fill.price - (fill.fee if side is Side.SELL else ZERO)
    price = Decimal(mark) / 100
    gained = quote + base * price
    assert position.quantity == base
    assert abs(position.realized_pnl + position.unrealized_pnl(price) - gained) < Decimal("1e-9")


# --- the machine --------------------------------------------------------------------------------------------------


def test_a_fill_heard_twice_counts_once() -> None:
    machine = with_cash()
    fill = a_fill(1, Side.BUY, "1", "100")
    machine.on_report(fill)
    version = machine.version
    machine.on_report(fill)
    assert machine.version == version
    assert machine.positions[BTC].quantity == Decimal("0.998")


def test_a_trade_between_two_of_our_own_orders_is_two_fills() -> None:
    machine = with_cash()
    machine.on_report(a_fill(1, Side.BUY, "1", "100", fee="0"))
    machine.on_report(msgspec.structs.replace(a_fill(1, Side.SELL, "1", "100", fee="0"), venue_order_id=2))
    assert machine.positions[BTC].quantity == ZERO


def test_coins_of_foreign_orders_are_not_ours_to_sell() -> None:
    machine = with_cash()
    machine.on_report(a_fill(1, Side.BUY, "1", "100", foreign=True))
    assert machine.state().positions == ()
    assert len(machine.fills) == 1


def test_equity_is_the_wallets_worth_and_only_a_price_marks_coins() -> None:
    machine = with_cash("1000")
    machine.on_balance(wallet("BTC", "2"))
    assert machine.equity == 1000
    machine.on_price(BTC, 50.5)
    assert machine.equity == Decimal("1101")
    machine.on_balance(
        VenueWallet(session=1, wallet_type="funding", currency="USD", balance=Decimal(5), available=None, received_ns=0)
    )
    assert machine.equity == Decimal("1101"), "what is lent is not traded with"


def test_a_new_snapshot_replaces_all_wallets() -> None:
    machine = with_cash()
    machine.on_balance(wallet("ETH", "3"))
    machine.on_balance(WalletSnapshot(session=2, wallets=(wallet("USD", "5"),), received_ns=0))
    assert [view.currency for view in machine.state_wallets()] == ["USD"]


def test_prices_change_no_version() -> None:
    machine = with_cash()
    version = machine.version
    machine.on_price(BTC, 1.0)
    machine.mark_time(10)
    assert machine.version == version


def test_the_curve_has_one_point_a_step_and_keeps_its_shape_when_thinned() -> None:
    machine = AccountMachine(Settings(), curve_limit=100)
    machine.on_balance(wallet("USD", "1000"))
    machine.known = True
    machine.on_balance(wallet("BTC", "1"))
    for minute in range(1000):
        machine.on_price(BTC, float(minute + 1))
        machine.mark_time(minute * 60_000)
        machine.mark_time(minute * 60_000)
    times = [point.at_ms for point in machine.curve]
    assert times == sorted(set(times))
    assert len(times) <= 100
    assert machine.curve[0].equity == 1001
    assert machine.curve[-1].at_ms > 980 * 60_000
    assert all(point.equity == 1001 + point.at_ms // 60_000 for point in machine.curve)


def test_the_curve_begins_with_what_was_there_before_the_first_trade() -> None:
    """An entry on history trades before the first minute has closed: its fee and its fall were left out, and a loss was
    told as a return of +0.00 %."""
    machine = with_cash("10000")
    machine.on_balance(wallet("USD", "9300"))
    machine.on_balance(wallet("BTC", "0.0998"))
    machine.on_price("tBTCUSD", 7000.0)
    machine.mark_time(120_000)
    told = machine.view().performance
    assert told is not None
    assert (told.start_equity, told.final_equity) == (Decimal(10000), Decimal("9998.6"))
    assert told.total_return == pytest.approx(-0.00014)
    assert [point.at_ms for point in machine.curve] == [60_000, 120_000]
    machine.mark_time(180_000)
    assert len(machine.curve) == 3


def test_a_deposit_before_the_first_price_is_no_profit_of_the_first_minute() -> None:
    machine = with_cash("10000")
    deposit = msgspec.structs.replace(wallet("BTC", "1"), description="Deposit (BITCOIN) #7 on wallet exchange")
    machine.on_balance(deposit)
    machine.on_price("tBTCUSD", 7000.0)
    machine.mark_time(60_000)
    told = machine.view().performance
    assert told is not None
    assert (told.start_equity, told.total_return) == (Decimal(17000), 0.0)


def test_fills_and_ends_are_read_from_the_order_cells_in_their_order() -> None:
    def cell(key: str, value: object) -> CellWrite:
        return CellWrite(table="orders", key=key, payload=msgspec.json.encode(value))

    later, earlier = a_fill(2, Side.SELL, "1", "100"), a_fill(1, Side.BUY, "1", "100")
    fills, ended = read_order_cells(
        [
            cell("fill:2:2", {"fill": later, "serial": 3}),
            cell("fill:1:1", {"fill": earlier}),
            cell("fill:3:3", {"fill": None}),
            cell("order:2", {"intent": {"intent_id": "b"}, "state": "FILLED", "updated_ms": 9, "cid": 2}),
            cell("order:1", {"intent": {"intent_id": "a"}, "state": "DEAD", "updated_ms": 3}),
            cell("order:3", {"intent": {"intent_id": "c"}, "state": "SENT", "updated_ms": 1}),
            cell("session", {"epoch": 1}),
        ]
    )
    assert fills == [earlier, later]
    assert ended == ["a", "b"]


def test_a_restored_account_equals_the_one_that_wrote_it() -> None:
    machine = with_cash()
    fill = a_fill(1, Side.BUY, "1", "100")
    machine.on_report(fill)
    machine.on_balance(wallet("USD", "9900"))
    machine.on_balance(wallet("BTC", "0.998"))
    machine.on_price(BTC, 101.0)
    for minute in range(5):
        machine.mark_time(minute * 60_000)
    orders = [CellWrite(table="orders", key="fill:1:1", payload=msgspec.json.encode({"fill": fill}))]
    again = AccountMachine(Settings())
    again.restore(orders=orders, kept=machine.checkpoint(), same_process=True)
    assert msgspec.structs.replace(again.state(), version=0) == msgspec.structs.replace(machine.state(), version=0)
    assert again.curve == machine.curve
    assert again.version > machine.version
    elsewhere = AccountMachine(Settings())
    elsewhere.restore(orders=orders, kept=machine.checkpoint(), same_process=False)
    assert not elsewhere.known


def by(strategy: str, fill: Fill) -> Fill:
    return msgspec.structs.replace(fill, strategy=strategy)


def owners(machine: AccountMachine) -> dict[str, Decimal]:
    return {each.strategy: each.quantity for each in machine.state().owners}


def test_coins_belong_to_who_bought_them_and_a_sale_takes_from_its_seller() -> None:
    machine = with_cash()
    machine.on_report(by("fast", a_fill(1, Side.BUY, "1", "100", fee="-0.002")))
    machine.on_report(by("manual", a_fill(2, Side.BUY, "0.5", "100", fee="0")))
    assert owners(machine) == {"fast": Decimal("0.998"), "manual": Decimal("0.5")}
    machine.on_report(by("manual", a_fill(3, Side.SELL, "0.2", "100")))
    assert owners(machine) == {"fast": Decimal("0.998"), "manual": Decimal("0.3")}
    machine.on_report(by("fast", a_fill(4, Side.SELL, "0.998", "100")))
    assert owners(machine) == {"manual": Decimal("0.3")}


def test_who_sells_more_than_they_bought_takes_from_the_oldest() -> None:
    machine = with_cash()
    machine.on_report(by("fast", a_fill(1, Side.BUY, "1", "100", fee="0")))
    machine.on_report(by("slow", a_fill(2, Side.BUY, "1", "100", fee="0")))
    machine.on_report(by("flatten", a_fill(3, Side.SELL, "1.5", "100")))
    assert owners(machine) == {"slow": Decimal("0.5")}
    margin = msgspec.structs.replace(a_fill(4, Side.BUY, "9", "100", fee="0"), margin=True)
    machine.on_report(margin)
    assert owners(machine) == {"slow": Decimal("0.5")}


# --- how orders ended ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "withdrawn", "refused"),
    [
        (OrderState.REJECTED, False, True),
        (OrderState.REJECTED, True, False),
        (OrderState.DEAD, False, True),
        (OrderState.CANCELED, False, False),
    ],
)
def test_what_we_withdrew_nobody_refused(state: OrderState, withdrawn: bool, refused: bool) -> None:
    machine = with_cash()
    order = OrderView(
        intent_id="i1",
        cid=1,
        venue_id=None,
        strategy="s",
        symbol=BTC,
        side=Side.SELL,
        order_type=OrderType.MARKET,
        purpose=Purpose.EXIT,
        quantity=Decimal(1),
        filled_quantity=ZERO,
        average_fill_price=ZERO,
        price=None,
        state=state,
        reason="",
        created_ms=1,
        updated_ms=2,
        correlation_id="c",
        foreign=False,
        withdrawn=withdrawn,
    )
    machine.on_report(OrderUpdate(order=order))
    (ending,) = machine.state().endings
    assert ending.refused is refused


def test_a_changed_order_is_told_as_it_rests_until_it_ends_and_over_a_crash() -> None:
    def row(**more: Any) -> OrderRow:
        intent = OrderIntent(
            intent_id="i1",
            strategy="manual",
            symbol=BTC,
            side=Side.BUY,
            quantity=Decimal(1),
            order_type=OrderType.LIMIT,
            purpose=Purpose.MANUAL,
            decided_ms=1,
            correlation_id="c",
            price=Decimal(100),
        )
        numbers = {"quantity": Decimal(3), "price": Decimal(110), "filled": Decimal(1), "cost": Decimal(100)}
        now = {"cid": 1, "cid_date": "", "group_id": 1, "flags": 0, "state": OrderState.ACKED, "reason": "", **numbers}
        return OrderRow(intent=intent, created_ms=1, updated_ms=1, since_at=0.0, **{**now, **more})

    wanted = WantedChange(price=None, quantity=Decimal(9), leaves=Decimal(2), reason="")
    under_way = [row(), row(change=2, update_out=True), row(change=2, wanted=wanted)]
    told = SettledChange(intent_id="i1", number=2, quantity=Decimal(2), price=Decimal(110))
    for one, changes in [*[(each, ()) for each in under_way], (row(change=2), (told,))]:
        machine, again = with_cash(), AccountMachine(Settings())
        if changes:
            # Nobody hears that an order has traded before its trade.
            machine.on_report(a_fill(1, Side.BUY, "1", "100"))
        version = machine.version
        machine.on_report(OrderUpdate(order=view_of(one)))
        assert machine.state().changes == changes
        assert (machine.version > version) is bool(changes)
        cell = CellWrite(table="orders", key=one.key, payload=encode(one))
        again.restore(orders=[cell], kept=(), same_process=True)
        assert again.state().changes == changes
    machine.on_report(OrderUpdate(order=view_of(row(change=2, state=OrderState.CANCELED))))
    assert (machine.state().changes, machine.state().closed_intents) == ((), ("i1",))


def test_sums_reach_back_to_the_first_trade_however_many_there_were() -> None:
    """Rows are kept of the newest trades and fills only: profit, days and books must not begin there."""
    machine, made = with_cash(), ZERO
    machine.mark_time(1)
    for number in range(1, 2 * TRADES_KEPT + 7, 2):
        machine.on_report(a_fill(number, Side.BUY, "1", "100", fee="0"))
        machine.on_report(a_fill(number + 1, Side.SELL, "1", "101" if number % 3 else "97", fee="0"))
        made += 1 if number % 3 else -3
    view = machine.view()
    assert len(view.trades) == TRADES_KEPT < sum(day.trades for day in view.closed.days)
    assert sum(group.profit for group in view.closed.groups) == made == view.state.realized_pnl
    assert sum(group.trades for group in view.closed.groups) == TRADES_KEPT + 3
    told = live_performance(view, (), (), {})
    assert told is not None
    assert told.measures.traded_quote == view.traded_quote
    assert view.traded_quote == 200 * (TRADES_KEPT + 3) + made
    (book,) = view.books
    assert (book.quantity, book.realized_pnl, book.fills) == (ZERO, made, 2 * TRADES_KEPT + 6)


def test_coins_that_were_given_away_are_in_the_heirs_book() -> None:
    machine = with_cash()
    machine.on_report(a_fill(1, Side.BUY, "2", "100", fee="0"))
    given = Adopted(
        symbol=BTC, owner="s", heir="t", quantity=Decimal(2), time_ms=2, serial=1, reason="", correlation_id="a"
    )
    machine.on_report(given)
    sale = msgspec.structs.replace(a_fill(3, Side.SELL, "2", "110", fee="0"), strategy="t")
    machine.on_report(sale)
    books = {book.strategy: (book.quantity, book.realized_pnl) for book in machine.view().books}
    assert books == {"s": (ZERO, ZERO), "t": (ZERO, Decimal(20))}


def test_a_part_that_traded_is_told_once_it_stands_in_the_position() -> None:
    """An order's news may come before its trade's: what is set aside must not go before the position is there."""
    machine = with_cash()
    order = OrderView(
        intent_id="i1",
        cid=1,
        venue_id=1,
        strategy="s",
        symbol=BTC,
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        purpose=Purpose.ENTRY,
        quantity=Decimal(2),
        filled_quantity=Decimal("0.5"),
        average_fill_price=Decimal(100),
        price=Decimal(100),
        state=OrderState.PARTIAL,
        reason="",
        created_ms=0,
        updated_ms=0,
        correlation_id="c",
        foreign=False,
    )

    def told() -> list[tuple[int, Decimal]]:
        return [(change.number, change.quantity) for change in machine.state().changes]

    machine.on_report(OrderUpdate(order=order))
    assert told() == []
    machine.on_report(a_fill(1, Side.BUY, "0.5", "100"))
    assert told() == [(0, Decimal("1.5"))]
    changed = msgspec.structs.replace(order, quantity=Decimal(3), settled_change=1)
    machine.on_report(OrderUpdate(order=changed))
    machine.on_report(msgspec.structs.replace(a_fill(2, Side.BUY, "0.5", "100"), intent_id="i1"))
    assert told() == [(1, Decimal("2.5"))]
    machine.on_report(OrderUpdate(order=msgspec.structs.replace(changed, state=OrderState.CANCELED)))
    assert told() == []


def test_of_a_position_that_two_strategies_had_each_answers_for_its_own_part() -> None:
    """The one that opened it would answer for what the other lost: stopped for nothing, while that goes on."""
    machine = with_cash()

    def trade(number: int, strategy: str, side: Side, price: str) -> None:
        machine.on_report(msgspec.structs.replace(a_fill(number, side, "1", price, fee="0"), strategy=strategy))

    def told() -> list[tuple[int, str, Decimal]]:
        return [(each.number, each.strategy, each.pnl) for each in machine.state().results]

    trade(1, "a", Side.BUY, "100")
    trade(2, "b", Side.BUY, "100")
    trade(3, "b", Side.SELL, "50")
    assert told() == []
    trade(4, "a", Side.SELL, "120")
    assert told() == [(1, "a", Decimal(20)), (1, "b", Decimal(-50))]
    # Alone again: what it made before is no part of this.
    trade(5, "b", Side.BUY, "100")
    trade(6, "b", Side.SELL, "101")
    assert told()[2:] == [(2, "b", Decimal(1))]
    assert machine.state().trades_count == 2


def test_figures_by_strategy_say_who_made_what_of_one_position_and_who_holds_the_rest() -> None:
    """The one that had opened it was told to have made, and to hold, what the other did."""
    machine = with_cash()
    for number, name, side, quantity, price in (
        (1, "first", Side.BUY, "1", "100"),
        (2, "other", Side.BUY, "2", "110"),
        (3, "first", Side.SELL, "1", "90"),
    ):
        machine.on_report(by(name, a_fill(number, side, quantity, price, fee="-1", currency="USD")))
    machine.on_price(BTC, 120.0)
    machine.mark_time(60_000)
    [left] = machine.left_open()
    assert (left.strategy, left.quantity) == ("other", Decimal(2))
    machine.on_report(by("third", a_fill(4, Side.BUY, "1", "119", fee="-1", currency="USD")))
    held = {r.strategy: [int(r.quantity), int(r.average_price), int(r.unrealized_pnl)] for r in machine.left_open()}
    assert held == {"other": [2, 110, 20], "third": [1, 119, 1]}
    machine.on_report(by("other", a_fill(5, Side.SELL, "2", "120", fee="-1", currency="USD")))
    machine.on_report(by("third", a_fill(6, Side.SELL, "1", "120", fee="-1", currency="USD")))
    [trade] = machine.trades
    assert [(share.strategy, int(share.pnl), int(share.fees_quote)) for share in trade.shares] == [
        ("first", -12, 2),
        ("other", 18, 2),
        ("third", -1, 2),
    ]
    assert trade.pnl == sum(share.pnl for share in trade.shares)
    assert trade.fees_quote == sum(share.fees_quote for share in trade.shares)
    told = live_performance(machine.view(), (), (), {})
    assert told is not None
    rows = {group.name: (group.trades, group.wins, int(group.pnl)) for group in told.measures.tables.strategy}
    assert rows == {"first": (1, 0, -12), "other": (1, 1, 18), "third": (1, 0, -1)}
    assert (told.measures.trades, sum(group.trades for group in told.measures.tables.symbol)) == (1, 1)
    closed = machine.view().closed
    assert {(part.strategy, part.outcome): part.profit for part in closed.parts} == {
        ("first", "loss"): -12,
        ("other", "win"): 18,
        ("third", "loss"): -1,
    }
    assert [(group.strategy, group.trades, group.profit) for group in closed.groups] == [("first", 1, Decimal(5))]


def test_a_journal_counts_in_one_currency() -> None:
    """With another one, equity was nothing at once: a fall of a hundred per cent that stood in the figures for ever,
    and a day's begin and a peak in the one currency for limits in the other."""
    machine = with_cash()
    machine.mark_time(60_000)
    kept = machine.checkpoint()
    for currency in ("USD", "EUR"):
        again = AccountMachine(msgspec.structs.replace(Settings(), quote_currency=currency))
        if currency == "USD":
            again.restore(orders=(), kept=kept, same_process=False)
            assert again.view().performance == machine.view().performance
        else:
            with pytest.raises(CountedOtherwise, match=r"must be USD, in which this journal counts .*, was EUR"):
                again.restore(orders=(), kept=kept, same_process=False)
