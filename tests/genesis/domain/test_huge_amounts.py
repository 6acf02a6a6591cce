"""Amounts of the cheapest coins: hundreds of millions with eight decimals do not come back as they went, because the
venue's JSON numbers are doubles. An order must be known by what comes back of it, and its stop must neither be missing
nor be changed again and again for the difference.
"""

import random
from decimal import Decimal
from typing import Any

import attrs
import msgspec
import pytest

from genesis.domain.position import Position
from genesis.domain.venue import Venue
from protocols.orders import (
    Flatten,
    HistoryReport,
    OrderSnapshot,
    OrderState,
    PositionSnapshot,
    Purpose,
    RequestNotice,
    VenueOrder,
    VenuePosition,
    VenueTrade,
    VenueWallet,
    WalletSnapshot,
)
from protocols.units import ZERO, Side, amount_blur, floor_amount, same_amount
from tests.genesis.domain import bracket_world
from tests.genesis.domain.bracket_words import ACCOUNT
from tests.genesis.domain.bracket_world import BTC, BracketWorld
from tests.genesis.domain.protect_bench import SETTINGS, START_MS, Bench, sent
from tests.genesis.domain.test_strategy_books import fill

D = Decimal
S = OrderState
SCALE = 300_000_000
SEEDS = 25
LARGE = D("923456789.12345678")


def of_double(amount: Decimal) -> Decimal:
    """What is read of an amount that was written as a double."""
    return D(repr(float(amount)))


def as_doubles(message: Any) -> Any:
    match message:
        case VenueOrder():
            left, original = of_double(message.remaining), of_double(message.original)
            return msgspec.structs.replace(message, remaining=left, original=original)
        case VenueTrade() | VenuePosition():
            return msgspec.structs.replace(message, amount=of_double(message.amount))
        case RequestNotice() if message.amount is not None:
            return msgspec.structs.replace(message, amount=of_double(message.amount))
        case VenueWallet():
            return msgspec.structs.replace(message, balance=of_double(message.balance))
        case OrderSnapshot():
            return msgspec.structs.replace(message, orders=tuple(map(as_doubles, message.orders)))
        case WalletSnapshot():
            return msgspec.structs.replace(message, wallets=tuple(map(as_doubles, message.wallets)))
        case PositionSnapshot():
            return msgspec.structs.replace(message, positions=tuple(map(as_doubles, message.positions)))
        case HistoryReport():
            return msgspec.structs.replace(
                message,
                open_orders=tuple(map(as_doubles, message.open_orders)),
                closed_orders=tuple(map(as_doubles, message.closed_orders)),
                trades=tuple(map(as_doubles, message.trades)),
                positions=None if message.positions is None else tuple(map(as_doubles, message.positions)),
            )
    return message


class HugeWorld(BracketWorld):
    """The world of brackets with a coin of which hundreds of millions are held, and a venue that speaks in doubles."""

    def __attrs_post_init__(self) -> None:
        self.venue = Venue({BTC: bracket_world.PAIR})
        purse = (("exchange", "USD", D(10) ** 17), ("margin", "USD", D(10) ** 17))
        self.venue.open_account(ACCOUNT, purse, maker_fee=ZERO, taker_fee=ZERO)
        self.tick(self.price)
        self.start_process()

    def order(self, strategy: str, purpose: Purpose, side: Side, quantity: Decimal, **more: Any) -> None:
        if purpose is not Purpose.EXIT:
            quantity = quantity * SCALE + D(self.chance.randrange(10**8)) / 10**8
        super().order(strategy, purpose, side, quantity, **more)

    def hear(self, count: int) -> None:
        self.frames[:count] = map(as_doubles, self.frames[:count])
        super().hear(count)

    def answer(self) -> None:
        before = len(self.inbox)
        super().answer()
        self.inbox[before:] = map(as_doubles, self.inbox[before:])

    def check_settled(self) -> None:
        """As where amounts are exact, but for what the digits of a double cannot say."""
        machine = self.machine
        assert machine.illegal_total == 0, machine._out.alarms
        assert not [row for row in machine.orders.values() if row.state is S.UNKNOWN]
        assert not machine.foreign
        for margin in (False, True):
            held = self.truly_held(margin)
            blur = 50 * amount_blur(D(SCALE) * 10)
            assert abs(machine.fills.held.get((BTC, margin), ZERO) - held) <= blur
            covered = sum((order.remaining for order in self.stops(margin)), ZERO)
            wanted = abs(held) if abs(held) >= bracket_world.PAIR.minimum else ZERO
            assert abs(covered - wanted) <= blur, f"stops must cover {wanted}, covered {covered}"
        assert not self.commands, "all is as it should be, and still orders are changed"


@pytest.fixture
def _huge(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = bracket_world.PAIR
    changed = attrs.evolve(pair, minimum=pair.minimum * SCALE, maximum=pair.maximum * SCALE)
    monkeypatch.setattr(bracket_world, "PAIR", changed)


@pytest.mark.chaos
@pytest.mark.usefixtures("_huge")
def test_huge_lots_keep_their_stops_whatever_happens() -> None:
    for seed in range(SEEDS):
        world = HugeWorld(random.Random(f"huge {seed}"), wallets_are_told=seed % 2 == 0)
        for _ in range(250):
            world.act()
        world.heal()
        world.check_settled()


def test_an_order_is_known_by_what_a_double_leaves_of_its_amount() -> None:
    bench = Bench()
    (command,) = sent(bench.admit(quantity=LARGE))
    notice = RequestNotice(
        session=1,
        kind="on-req",
        status="SUCCESS",
        text="",
        cid=1,
        venue_id=1001,
        symbol=BTC,
        amount=of_double(command.amount),
        group_id=SETTINGS.group_id,
        received_ns=0,
    )
    bench.hear(notice)
    assert (bench.machine.orders[1].state, bench.machine.foreign) == (S.ACKED, {})
    bench.hear(as_doubles(bench.row(1, "oc", status="EXECUTED @ 100(1)", remaining="0")))
    part = D("500000000.12345678")
    for quantity in (part, command.amount - part):
        bench.hear(as_doubles(bench.trade(1, str(quantity))))
    assert bench.machine.orders[1].state is S.FILLED
    bench.hear(as_doubles(bench.row(2, "on")))
    stop = bench.machine.orders[2]
    assert stop.state is S.ACKED
    assert same_amount(stop.quantity, command.amount)
    assert not bench.wait(1.0).commands


def test_what_no_order_can_say_of_a_huge_holding_is_not_sold_again() -> None:
    bench = Bench()
    bench.admit(quantity=LARGE, bracket=None)
    bench.hear(as_doubles(bench.row(1, "on")))
    bench.fill(1, "923456789.1234568")
    bench.machine.on_flatten(Flatten(symbol=BTC, reason="x", correlation_id="f"), now=bench.now, wall_ms=START_MS)
    (close,) = sent(bench.take())
    bench.hear(as_doubles(bench.row(2, "on")))
    bench.fill(2, str(abs(close.amount)))
    bench.hear(as_doubles(bench.row(2, "oc", status="EXECUTED @ 100(1)", remaining="0")))
    assert bench.machine.fills.held[BTC, False] == D("923456789.1234568") - abs(close.amount)
    assert bench.machine.fills.held[BTC, False] > ZERO
    for _ in range(5):
        assert not bench.wait(60.0).commands
    assert not any(flatten.books for flatten in bench.machine.flattens.values())


def test_a_huge_position_that_is_sold_is_a_trade_that_ended() -> None:
    position = Position(symbol=BTC)
    fee = D("-1846913.57824691")
    bought = fill("s", str(LARGE), "0.00001", fee=str(fee), currency="BTC")
    assert position.on_fill(bought) is None
    ended = position.on_fill(fill("s", str(-floor_amount(position.quantity)), "0.00001"))
    assert ended is not None
    assert position.quantity == ZERO


@pytest.mark.parametrize("digits", range(1, 16))
def test_what_is_ordered_comes_back_of_a_double_as_it_went(digits: int) -> None:
    chance = random.Random(digits)
    for _ in range(500):
        amount = floor_amount(D(chance.randrange(10 ** (digits + 8))) / 10**8)
        assert of_double(amount) == amount
