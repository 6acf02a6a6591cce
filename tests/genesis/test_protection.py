"""Every position has its stop at the venue, by the venue's own books: while trading, dying, and after a stranger."""

import math
import random
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
import trio

from genesis.core.events import EventKind
from genesis.domain.decision_log import digest
from genesis.domain.protection_watch import percentile
from genesis.domain.settings_build import Layer
from genesis.domain.venue_state import Order
from genesis.research.backtest import run_backtest
from genesis.simulator.settings import AccountTerms, ExchangeSettings
from protocols.bitfinex.inputs import EndOrder
from protocols.config import SetSettings
from protocols.journal import ReadRecords
from protocols.orders import Adopt, Bracket, Flatten, OrderIntent, OrderType, OrderUpdate, Purpose
from protocols.risk import ManualOrder, TradingState
from protocols.units import ZERO, Side, Symbol, base_currency
from tests.house import House, check_books, decision_lines, house, leaves, lively_layer, piece_of, settings_of
from tests.own_time import own_s

ACCOUNT = "sim"
KILLS = 60
STOPS = ("STOP", "STOP LIMIT", "TRAILING STOP")


def stops_of(here: House, symbol: str) -> list[Order]:
    orders = here.exchange.venue.accounts[ACCOUNT].orders.values()
    return [order for order in orders if order.symbol == symbol and order.kind in STOPS and order.sign < 0]


def bare(here: House, symbol: str) -> Decimal:
    """How much of what the account owns no order of the venue would sell on a fall; what is being sold counts."""
    account, spec = here.exchange.venue.accounts[ACCOUNT], here.exchange.venue.specs[symbol]  # type: ignore[index]
    held = account.wallet("exchange", base_currency(symbol)).balance
    selling = sum((o.remaining for o in account.orders.values() if o.symbol == symbol and o.kind == "MARKET"), ZERO)
    left = held - selling - sum((order.remaining for order in stops_of(here, symbol)), ZERO)
    return left if left >= spec.minimum else ZERO


def codes(here: House) -> list[str]:
    return [notice.code for notice in here.engine.readers.notices()]


def check_stops(here: House) -> int:
    """By the venue: each position is covered once and whole. Gives how many there are."""
    found = 0
    for symbol in here.exchange.venue.specs:
        held = here.exchange.venue.accounts[ACCOUNT].wallet("exchange", base_currency(symbol)).balance
        stops = stops_of(here, symbol)
        assert len(stops) <= 1, f"{symbol} must have one stop, had {len(stops)}"
        assert bare(here, symbol) == ZERO, f"{symbol}: {held} held must be stopped, {bare(here, symbol)} was not"
        assert sum((order.remaining for order in stops), ZERO) <= held
        found += bool(stops)
    return found


def with_target(layer: Layer) -> Layer:
    more = {"risk.stop_atr": 1, "risk.target_atr": 2}
    return Layer(name=layer.name, values={**layer.values, **more})


def trailing(layer: Layer) -> Layer:
    return Layer(name=layer.name, values={**layer.values, "risk.stop_fraction": "0.004", "risk.stop_trails": True})


@pytest.mark.parametrize("change", [with_target, trailing])
async def test_brackets_decide_in_the_simulation_what_they_decide_in_a_backtest(
    tmp_path: Path, change: Callable[..., Layer]
) -> None:
    recording, layer = piece_of(minutes=90, skip=600), change(lively_layer())
    async with house(tmp_path, recording=recording, layer=layer) as here:
        await here.replay()
        await here.all_orders_known()
        check_books(here)
        check_stops(here)
        lines = decision_lines(here.store.store)
        purposes = {fill.purpose.value for fill in here.engine.cells.orders.value.fills}
    result = run_backtest(recording, settings_of(layer))
    assert "stop" in purposes
    assert digest(lines) == result.digest


async def test_a_stop_begins_to_follow_when_the_gain_of_the_settings_is_won(tmp_path: Path) -> None:
    more = {"risk.stop_fraction": "0.004", "risk.stop_trails": True, "risk.stop_trails_from": "0.002"}
    layer = lively_layer()
    layer = Layer(name=layer.name, values={**layer.values, **more})
    async with house(tmp_path, recording=piece_of(minutes=90, skip=600), layer=layer) as here:
        await here.replay()
        await here.all_orders_known()
        check_books(here)
        check_stops(here)
        told = here.store.store.read_records(ReadRecords(kinds=("OrderUpdate",), limit=100_000)).records
        prices: dict[int, list[Decimal]] = {}
        for row in told:
            order = msgspec.json.decode(row.record.payload, type=OrderUpdate).order
            if order.purpose is Purpose.STOP and order.price is not None:
                assert order.order_type is OrderType.STOP, "the venue moves nothing: the engine does"
                prices.setdefault(order.cid, []).append(order.price)
    assert any(each[-1] > each[0] for each in prices.values())
    assert all(each == sorted(each) for each in prices.values()), "no stop of a long position moves back"


async def test_a_stop_that_a_stranger_cancels_comes_back(tmp_path: Path) -> None:
    recording, layer = piece_of(minutes=22, skip=600), lively_layer()
    async with house(tmp_path, recording=recording, layer=layer) as here:
        await here.replay()
        await here.all_orders_known()
        assert check_stops(here) > 0
        for symbol in here.exchange.venue.specs:
            for order in stops_of(here, symbol):
                end = EndOrder(venue_id=order.venue_id, cid=None, cid_date=None)
                here.exchange.accounts.apply(here.exchange.venue.cancel(ACCOUNT, end, here.exchange.venue_ms()))
        with trio.fail_after(60):
            while any(bare(here, symbol) for symbol in here.exchange.venue.specs):  # noqa: ASYNC110 - the venue's books
                await trio.sleep(0.005)
        await here.all_orders_known()
        assert check_stops(here) > 0
        codes = [notice.code for notice in here.engine.readers.notices()]
        assert "protection_replaced" in codes


async def test_what_a_removed_strategy_holds_keeps_its_stop_and_is_told(tmp_path: Path) -> None:
    async with house(tmp_path, recording=piece_of(minutes=22, skip=600), layer=lively_layer()) as here:
        await here.replay()
        await here.all_orders_known()
        before = check_stops(here)
        assert before > 0
        wish = SetSettings(changes={"strategies": []}, actor="me", reason="enough", correlation_id="enough")
        answer = await here.engine.controls.settings(wish)  # type: ignore[misc]
        assert answer.pending == ()  # type: ignore[union-attr]
        with trio.fail_after(60):
            while "position_without_strategy" not in codes(here):  # noqa: ASYNC110 - it comes when it comes
                await trio.sleep(0.005)
        await here.all_orders_known()
        assert check_stops(here) == before
        assert here.engine.readers.strategies() == ()
        # A person takes it over: the very orders go on resting.
        resting = {order.venue_id for symbol in here.exchange.venue.specs for order in stops_of(here, symbol)}
        account = here.engine.readers.account()
        assert account is not None
        left = {each.strategy for each in account.owners}
        assert left
        for owner in sorted(left):
            adopt = Adopt(symbol=None, owner=owner, heir="manual", reason="mine", correlation_id=f"a:{owner}")
            await here.engine.controls.adopt(adopt)  # type: ignore[misc]
        with trio.fail_after(60):
            while {each.strategy for each in here.engine.readers.account().owners} != {"manual"}:  # type: ignore[union-attr]  # noqa: ASYNC110
                await trio.sleep(0.005)
        assert resting == {order.venue_id for symbol in here.exchange.venue.specs for order in stops_of(here, symbol)}
        assert check_stops(here) == before
        assert "position_adopted" in codes(here)
        told = here.store.store.read_records(ReadRecords(kinds=("Adopted",), limit=100)).records
        assert len(told) == len(left)
        check_nothing_fell(here)
    async with house(tmp_path, recording=piece_of(minutes=5, skip=622), layer=lively_layer()) as here:
        # The journal says it again at every start.
        await here.ready()
        await here.all_orders_known()
        assert {each.strategy for each in here.engine.readers.account().owners} == {"manual"}  # type: ignore[union-attr]
        check_nothing_fell(here)
        assert "position_adopted" not in codes(here)


async def test_what_a_strategy_holds_that_trades_another_symbol_now_is_told(tmp_path: Path) -> None:
    """Its name still spoke, of something else: nobody would ever have sold, and nobody was told."""
    async with house(tmp_path, recording=piece_of(minutes=22, skip=600), layer=lively_layer()) as here:
        await here.replay()
        await here.all_orders_known()
        account = here.engine.readers.account()
        assert account is not None
        held = {(each.strategy, each.symbol) for each in account.owners}
        assert held
        other = {"tBTCUSD": "tETHUSD", "tETHUSD": "tBTCUSD"}
        swapped = [
            {"name": view.strategy, "kind": view.kind, "symbol": other[view.symbol], "timeframe": view.timeframe}
            for view in here.engine.readers.strategies()
        ]
        wish = SetSettings(changes={"strategies": swapped}, actor="me", reason="moved", correlation_id="moved")
        answer = await here.engine.controls.settings(wish)  # type: ignore[misc]
        assert answer.pending == ()  # type: ignore[union-attr]
        with trio.fail_after(60):
            while codes(here).count("position_without_strategy") < len(held):  # noqa: ASYNC110 - it comes when it comes
                await trio.sleep(0.005)


def check_nothing_fell(here: House) -> None:
    """Adoption ended the account actor until its message was a dead letter, and that halted trading, at each start."""
    assert [event for event in here.events if event.kind in (EventKind.CRASHED, EventKind.DEAD_LETTER)] == []
    risk = here.engine.readers.risk()
    assert risk is None or risk.state is TradingState.ACTIVE


async def test_a_bracket_by_hand_rests_at_the_venue_as_one_oco(tmp_path: Path) -> None:
    recording, layer = piece_of(minutes=22, skip=600), quiet(lively_layer())
    async with house(tmp_path, recording=recording, layer=layer) as here:
        await here.ready()
        done = trio.Event()

        async def trader() -> None:
            fresh = recording.first_ms + 3 * 60_000
            while here.exchange.venue_ms() < fresh:  # noqa: ASYNC110 - the venue's clock has no bell
                await trio.sleep(0.001)
            order = here.engine.controls.order
            assert order is not None
            verdict = await order(ManualOrder(intent=a_bracket(here.exchange.venue_ms()), actor="tester"))
            assert verdict is not None
            assert verdict.approved, verdict.denials
            done.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(trader)
            await here.exchange.replay(60 * 60, here.pacer)
        assert done.is_set()
        await here.all_orders_known()
        check_books(here)
        assert check_stops(here) == 1
        kinds = sorted(order.kind for order in here.exchange.venue.accounts[ACCOUNT].orders.values())
        assert kinds == ["LIMIT", "STOP"]
        (view,) = here.engine.cells.orders.value.protection
        assert (view.stop_price, view.target_price, view.stopped) == (Decimal(5000), Decimal(12000), view.held)


async def test_a_short_on_margin_is_protected_and_compared_with_the_venues_position(tmp_path: Path) -> None:
    """Stop above, target below, one OCO on margin; and when the venue holds less than our fills say, nothing opens."""
    recording, layer = piece_of(minutes=40, skip=600), quiet(lively_layer())
    layer = Layer(name=layer.name, values={**layer.values, "orders.reconcile_interval_s": 5})
    purse = (("exchange", "USD", Decimal(10_000)), ("margin", "USD", Decimal(50_000)))
    terms = ExchangeSettings(accounts=(AccountTerms(name=ACCOUNT, balances=purse),))
    async with house(tmp_path, recording=recording, layer=layer, venue=terms) as here:
        await here.ready()
        venue = here.exchange.venue
        symbol = Symbol("tBTCUSD")

        def a_short(number: int) -> OrderIntent:
            return OrderIntent(
                intent_id=f"manual:short{number}",
                strategy="manual",
                symbol=symbol,
                side=Side.SELL,
                quantity=Decimal("0.1"),
                order_type=OrderType.MARKET,
                purpose=Purpose.MANUAL,
                decided_ms=here.exchange.venue_ms(),
                correlation_id=f"manual:short{number}",
                margin=True,
                bracket=Bracket(stop_price=Decimal(20000), target_price=Decimal(2000)),
            )

        async def trader() -> None:
            fresh = recording.first_ms + 3 * 60_000
            while here.exchange.venue_ms() < fresh:  # noqa: ASYNC110 - the venue's clock has no bell
                await trio.sleep(0.001)
            order = here.engine.controls.order
            assert order is not None
            verdict = await order(ManualOrder(intent=a_short(1), actor="tester"))
            assert verdict is not None
            assert verdict.approved, verdict.denials
            while symbol not in venue.accounts[ACCOUNT].positions:  # noqa: ASYNC110 - the venue's books
                await trio.sleep(0.001)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(trader)
            await here.exchange.replay(60 * 60, here.pacer)
        await here.all_orders_known()
        kinds = {order.kind: order for order in venue.accounts[ACCOUNT].orders.values()}
        assert sorted(kinds) == ["LIMIT", "STOP"]
        assert all(order.is_margin and order.sign > 0 for order in kinds.values())
        account = here.engine.cells.account.value
        assert account is not None
        assert account.state.mismatched_symbols == ()
        assert here.engine.cells.protection.value.naked == 0
        venue.accounts[ACCOUNT].positions[symbol].amount = Decimal("-0.05")
        with trio.fail_after(60):
            while not here.engine.cells.orders.value.mismatched:
                await here.engine.cells.orders.changed(here.engine.cells.orders.version)
            while "position_differs" not in [one.code for one in here.engine.readers.notices()]:  # noqa: ASYNC110 - no bell
                await trio.sleep(0.01)


async def test_flatten_lets_every_stop_go_and_sells_everything_by_the_venues_books(tmp_path: Path) -> None:
    """Two lots with a stop each and a resting order: after one wish nothing rests and nothing is held."""
    recording, layer = piece_of(minutes=40, skip=600), quiet(lively_layer())
    async with house(tmp_path, recording=recording, layer=layer) as here:
        await here.ready()
        account = here.exchange.venue.accounts[ACCOUNT]
        done = trio.Event()

        async def until(true: Callable[[], bool]) -> None:
            while not true():  # noqa: ASYNC110 - the venue's books have no bell
                await trio.sleep(0.001)

        async def trader() -> None:
            order, flatten = here.engine.controls.order, here.engine.controls.flatten
            assert order is not None
            assert flatten is not None
            await until(lambda: here.exchange.venue_ms() >= recording.first_ms + 3 * 60_000)
            for number, more in enumerate(({}, {}, {"order_type": OrderType.LIMIT, "price": Decimal(1000)})):
                name = f"manual:{number}"
                intent = msgspec.structs.replace(
                    a_bracket(here.exchange.venue_ms()), intent_id=name, correlation_id=name
                )
                bracket = Bracket(stop_price=Decimal(900 if more else 5000 + number))
                intent = msgspec.structs.replace(intent, bracket=bracket, **more)
                verdict = await order(ManualOrder(intent=intent, actor="tester"))
                assert verdict is not None
                assert verdict.approved, verdict.denials
            await until(lambda: len(stops_of(here, "tBTCUSD")) == 2 and len(account.orders) == 3)
            assert bare(here, "tBTCUSD") == ZERO
            await flatten(Flatten(symbol=None, reason="test", correlation_id="flat"))
            await until(lambda: not account.orders and account.wallet("exchange", "BTC").balance < Decimal("0.00004"))
            done.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(trader)
            await here.exchange.replay(60 * 60, here.pacer)
            nursery.cancel_scope.deadline = trio.current_time() + 60
        assert done.is_set()
        await here.all_orders_known()
        check_books(here)
        assert not here.engine.cells.orders.value.open
        (wish,) = here.engine.cells.orders.value.flattens
        assert (wish.flatten_id, wish.left, wish.given_up) == ("flat", (), ())


def quiet(layer: Layer) -> Layer:
    """Strategies that look on: nothing of a quarter of an hour crosses averages of days."""
    listed = layer.values["strategies"]
    assert isinstance(listed, list)
    strategies = [{**strategy, "parameters": {"fast": 400, "slow": 900}} for strategy in listed]
    return Layer(name=layer.name, values={**layer.values, "strategies": strategies})


def a_bracket(decided_ms: int) -> OrderIntent:
    return OrderIntent(
        intent_id="manual:bracket",
        strategy="manual",
        symbol=Symbol("tBTCUSD"),
        side=Side.BUY,
        quantity=Decimal("0.1"),
        order_type=OrderType.MARKET,
        purpose=Purpose.MANUAL,
        decided_ms=decided_ms,
        correlation_id="manual:bracket",
        bracket=Bracket(stop_price=Decimal(5000), target_price=Decimal(12000)),
    )


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("change", [lively_layer, lambda: with_target(lively_layer())])
async def test_no_position_stays_naked_whoever_is_killed_when(
    tmp_path: Path, seed: int, change: Callable[..., Layer]
) -> None:
    chance = random.Random(f"naked-{seed}")
    recording = piece_of(minutes=45, skip=150 * seed)
    spans: list[float] = []
    async with house(tmp_path, recording=recording, layer=change(), seed=seed) as here:
        await here.ready()
        paths = leaves(here.engine)

        async def assassin() -> None:
            for _ in range(KILLS):
                for _ in range(chance.randrange(60)):
                    await trio.lowlevel.checkpoint()
                if chance.random() < 0.3:
                    await trio.sleep(chance.random() * 0.03)
                here.engine.supervisor.kill(chance.choice(paths), reason=f"seed {seed}")

        async def inspector() -> None:
            since: dict[str, float] = {}
            while True:
                now = own_s()
                for symbol in here.exchange.venue.specs:
                    if bare(here, symbol):
                        since.setdefault(symbol, now)
                    elif symbol in since:
                        spans.append(now - since.pop(symbol))
                await trio.sleep(0.001)

        async with trio.open_nursery() as watching:
            watching.start_soon(inspector)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(assassin)
                with trio.fail_after(120):
                    await here.exchange.replay(math.inf, here.pacer)
            with trio.fail_after(60):
                await here.all_orders_known()
                await here.pacer.settled()
            watching.cancel_scope.cancel()
        check_books(here)
        check_stops(here)
        assert not here.engine.supervisor.dead_letters
        # The watch looks ten times a second; what the venue's books say already, it must see within its own limit.
        limit, began = here.engine.cells.protection.value.within_s, own_s()
        with trio.fail_after(60):
            while here.engine.cells.protection.value.naked:
                await here.engine.cells.protection.changed(here.engine.cells.protection.version)
        assert own_s() - began < limit
    assert percentile(spans, 0.99) < 5.0, f"the longest was {max(spans):.2f} s"
    print(f"{len(spans)} spans, p50 {percentile(spans, 0.5):.3f} s, p99 {percentile(spans, 0.99):.3f} s")
