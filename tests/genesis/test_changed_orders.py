"""A resting order that is made larger counts for risk at once, at the venue or not, and whoever is killed meanwhile."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import msgspec
import trio

from genesis.domain.risk_machine import RISK_TABLE
from genesis.domain.risk_state import RiskState
from genesis.domain.settings_build import Layer
from genesis.edge.store import ReadOnlyStore
from genesis.research.replay import REPLAYED_KINDS, replay
from protocols.bitfinex.inputs import NewOrder
from protocols.journal import ReadCells, ReadRecords
from protocols.orders import OrderIntent, OrderType, OrderView, Purpose, UpdateIntent
from protocols.risk import ChangeOrder, DenialCode, ManualOrder, Verdict
from protocols.units import Side, Symbol
from tests.genesis.test_protection import ACCOUNT, quiet
from tests.house import House, house, leaves, lively_layer, piece_of

BTC = Symbol("tBTCUSD")
PRICE = Decimal(5000)
LIMITS = {
    "risk.max_position_notional": 5000,
    "risk.max_order_notional": 5000,
    "risk.max_gross_exposure": 5000,
}


def an_order(here: House, name: str, quantity: str) -> OrderIntent:
    return OrderIntent(
        intent_id=name,
        strategy="manual",
        symbol=BTC,
        side=Side.BUY,
        quantity=Decimal(quantity),
        order_type=OrderType.LIMIT,
        purpose=Purpose.MANUAL,
        decided_ms=here.exchange.venue_ms(),
        correlation_id=name,
        price=PRICE,
    )


async def place(here: House, name: str, quantity: str) -> Verdict:
    verdict = await here.engine.controls.order(  # type: ignore[misc]
        ManualOrder(intent=an_order(here, name, quantity), actor="tester")
    )
    assert verdict is not None
    return verdict


async def change(here: House, name: str, quantity: str) -> None:
    def shown() -> list[OrderView]:
        return [view for view in here.engine.cells.orders.value.open if view.intent_id == name]

    await until(lambda: bool(shown()))
    (view,) = shown()
    update = UpdateIntent(
        intent_id=name, price=None, quantity=Decimal(quantity), reason="a test", correlation_id=view.correlation_id
    )
    becomes = msgspec.structs.replace(an_order(here, name, quantity), intent_id=f"change:{name}:{quantity}")
    answer = await here.engine.controls.change(  # type: ignore[misc]
        ChangeOrder(intent=becomes, update=update, rests=view.leaves_quantity * PRICE, actor="tester")
    )
    assert answer is not None
    assert answer.known
    assert answer.verdict is None or answer.verdict.approved


def reserved(here: House) -> dict[str, Decimal]:
    """By the journal's file: what a kill of the process would leave."""
    with ReadOnlyStore.open(here.store.path) as store:
        (cell,) = store.read_cells(ReadCells(table=RISK_TABLE)).cells
    state = msgspec.json.decode(cell.payload, type=RiskState)
    return {name: kept.notional for name, kept in state.reservations.items()}


def kill(here: House, name: str) -> None:
    (path,) = [path for path in leaves(here.engine) if path.endswith(f"/{name}")]
    assert here.engine.supervisor.kill(path, reason="a test")


def at_venue(here: House) -> Decimal:
    return sum((o.remaining * o.price for o in here.exchange.venue.accounts[ACCOUNT].orders.values()), Decimal(0))


async def until(condition: Callable[[], bool]) -> None:
    with trio.fail_after(60):
        while not condition():  # noqa: ASYNC110 - the venue's books and the journal have no bell
            await trio.sleep(0.002)


async def test_two_orders_break_a_limit_only_because_one_was_made_larger_and_a_refused_change_is_freed(
    tmp_path: Path,
) -> None:
    recording, layer = piece_of(minutes=22, skip=600), quiet(lively_layer())
    layer = Layer(name=layer.name, values={**layer.values, **LIMITS})
    done = trio.Event()
    async with house(tmp_path, recording=recording, layer=layer) as here:
        await here.ready()

        async def trader() -> None:
            await until(lambda: here.exchange.venue_ms() >= recording.first_ms + 3 * 60_000)
            assert (await place(here, "first", "0.2")).approved
            await until(lambda: at_venue(here) == 1000)
            await change(here, "first", "0.6")
            # From the approval on: whether the venue has heard of it or not.
            assert reserved(here) == {"first": Decimal(3000)}
            denied = await place(here, "second", "0.5")
            assert DenialCode.MAX_POSITION_NOTIONAL in {rule.code for rule in denied.denials}
            kill(here, "risk")
            kill(here, "account")
            await until(lambda: at_venue(here) == 3000)
            assert reserved(here) == {"first": Decimal(3000)}
            # A stranger takes the money that the next change needs: the venue refuses that one.
            venue = here.exchange.venue
            free = venue.accounts[ACCOUNT].wallet("exchange", "USD").available
            amount = ((free - 500) / 1000).quantize(Decimal("1e-8"))
            stranger = NewOrder(
                cid=None, group_id=None, symbol=BTC, wire_type="EXCHANGE LIMIT", amount=amount, price=Decimal(1000)
            )
            here.exchange.accounts.apply(venue.submit(ACCOUNT, stranger, here.exchange.venue_ms()))
            await change(here, "first", "0.9")
            assert reserved(here) == {"first": Decimal(4500)}
            kill(here, "order")
            await until(lambda: reserved(here) == {"first": Decimal(3000)})
            # Less is less when the venue says so.
            await change(here, "first", "0.1")
            assert reserved(here) == {"first": Decimal(3000)}
            await until(lambda: reserved(here) == {"first": Decimal(500)})
            assert (await place(here, "third", "0.05")).approved
            done.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(trader)
            await here.exchange.replay(60 * 60, here.pacer)
        assert done.is_set()
        await here.all_orders_known()
        with ReadOnlyStore.open(here.store.path) as store:
            rows = store.read_records(ReadRecords(kinds=REPLAYED_KINDS, limit=1_000_000)).records
        report = replay(rows)
        assert report.differences == []
        assert report.counts["ChangeOrder"] == 3
        assert report.lives == 2 + 1, "risk was killed once"


async def test_an_entry_that_is_priced_anew_is_set_aside_at_its_new_price_before_it_leaves(tmp_path: Path) -> None:
    """And one that would break a limit there rests where it is."""
    recording, layer = piece_of(minutes=22, skip=600), quiet(lively_layer())
    patience = {"orders.entry_unfilled_s": 0.5, "orders.entry_reprices": 2}
    layer = Layer(name=layer.name, values={**layer.values, **LIMITS, **patience})
    done = trio.Event()
    async with house(tmp_path, recording=recording, layer=layer) as here:
        await here.ready()
        drifted: list[Decimal] = []

        async def enter(name: str, quantity: str) -> None:
            # As a strategy does it: what a person lets rest is not priced by us.
            intent = msgspec.structs.replace(an_order(here, name, quantity), purpose=Purpose.ENTRY)
            verdict = await here.engine.controls.order(ManualOrder(intent=intent, actor="tester"))  # type: ignore[misc]
            assert verdict is not None
            assert verdict.approved, verdict.denials

        async def trader() -> None:
            await until(lambda: here.exchange.venue_ms() >= recording.first_ms + 3 * 60_000)
            await enter("dear", "0.9")
            await until(lambda: at_venue(here) == 4500)
            await until(lambda: not at_venue(here) and not reserved(here))
            assert here.engine.cells.risk.value is not None
            assert here.engine.cells.risk.value.denials_by_code[DenialCode.MAX_ORDER_NOTIONAL] == 2
            await enter("cheap", "0.2")
            await until(lambda: at_venue(here) == 1000)

            def looked() -> bool:
                worth, aside = at_venue(here), sum(reserved(here).values(), Decimal(0))
                if worth > 0:
                    drifted.append(worth)
                    assert aside >= worth, f"at least {worth} must be set aside, was {aside}"
                return at_venue(here) > 1200

            await until(looked)
            done.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(trader)
            await here.exchange.replay(240, here.pacer)
        assert done.is_set()
        kept = here.store.path
    with ReadOnlyStore.open(kept) as store:
        report = replay(store.read_records(ReadRecords(kinds=REPLAYED_KINDS, limit=1_000_000)).records)
    assert report.equal, str(report)
    assert report.counts["ChangeOrder"] >= 3
