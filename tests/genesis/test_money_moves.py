"""The whole engine while somebody moves money out of the wallets that it trades: no limit and no figure minds."""

from decimal import Decimal
from pathlib import Path

import pytest

from tests.house import house, lively_layer, piece_of

LEFT = Decimal(4_000)


async def test_a_transfer_on_the_wire_is_neither_won_nor_lost(tmp_path: Path) -> None:
    """A tenth would be the week's loss, and stop every entry."""
    async with house(tmp_path, recording=piece_of(minutes=60), layer=lively_layer()) as here:
        await here.ready()
        exchange = here.exchange
        pair = ("exchange", "funding")
        moved = exchange.venue.books.transfer("sim", *pair, "USD", "USD", LEFT, exchange.venue_ms())
        exchange.accounts.apply(moved)
        await here.replay()
        await here.all_orders_known()
        await here.wallets_agree()
        await here.view_published()
        account, risk = here.engine.cells.account.value, here.engine.cells.risk.value
    assert account is not None
    assert risk is not None
    assert account.state.flows == -LEFT
    assert account.state.fees > 0
    assert not {"max_daily_loss", "max_weekly_loss", "max_drawdown"} & set(risk.denials_by_code)
    assert risk.peak_equity < Decimal(6_100)
    assert float(account.state.equity) == pytest.approx(6_000, rel=0.1)
