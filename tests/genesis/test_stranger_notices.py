"""What a person hears of orders on the account that somebody else placed: from the venue's frames to the notices."""

from decimal import Decimal
from pathlib import Path

import trio

from protocols.bitfinex.inputs import NewOrder
from tests.house import House, house, lively_layer, piece_of

ACCOUNT = "sim"


def stranger_orders(here: House, wire_type: str, price: Decimal | None) -> None:
    order = NewOrder(cid=1, group_id=None, symbol="tBTCUSD", wire_type=wire_type, amount=Decimal("0.01"), price=price)
    here.exchange.accounts.apply(here.exchange.venue.submit(ACCOUNT, order, here.exchange.venue_ms()))


async def test_orders_of_somebody_else_are_warned_of_once_each_and_ours_never(tmp_path: Path) -> None:
    async with house(tmp_path, recording=piece_of(minutes=22, skip=600), layer=lively_layer()) as here:

        def told() -> list[tuple[str, str]]:
            return [(each.level, each.code) for each in here.engine.readers.notices() if "foreign" in each.code]

        await here.replay()
        await here.all_orders_known()
        assert here.engine.cells.orders.value.fills, "the engine must have traded"
        assert told() == []
        for number, (wire_type, price) in enumerate([("EXCHANGE LIMIT", Decimal(100)), ("EXCHANGE MARKET", None)], 1):
            stranger_orders(here, wire_type, price)
            with trio.fail_after(60):
                while len(told()) < number:  # noqa: ASYNC110 - it comes when it comes
                    await trio.sleep(0.005)
        await here.all_orders_known()
        assert told() == [("warning", "foreign_order")] * 2
