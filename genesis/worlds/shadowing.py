"""A shadow on paper in a few worlds: it trades beside the live strategies while everything breaks, and leaves no trace.

Worlds without one are the worlds that they were: nothing is drawn for it from anybody else's chance. One with a shadow
takes twice the time, so there are few of them.
"""

from decimal import Decimal
from typing import TYPE_CHECKING, Final

import msgspec
import trio

from genesis.core.errors import ChannelFull
from genesis.domain.order_rows import TABLE as ORDER_TABLE
from genesis.domain.paper_records import BEGAN, PAPER_FILL, is_of
from genesis.domain.shadow_book import STATE_TABLE, ShadowState
from genesis.edge.store import ReadOnlyStore
from protocols.config import Metric, RolloutPlan, SettingsApplied, StartRollout
from protocols.journal import ReadCells, ReadRecords
from web.controls import Busy

if TYPE_CHECKING:
    from genesis.worlds.world import World

SHARE: Final = 0.025
TWIN: Final = "paper-twin"
ASKS_EVERY_S: Final = 240.0
ANSWER_WITHIN_S: Final = 30.0
LONGEST_JOURNAL: Final = 1_000_000
LIVE_KINDS: Final = ("SignalScore", "Verdict", "SubmitOrder", "OrderUpdate", "Fill")

_states = msgspec.json.Decoder(ShadowState)


async def keep_a_shadow(world: "World") -> None:
    """A person wants a twin of the first strategy on paper, and asks again when what broke has ended it."""
    while True:
        await trio.sleep(ASKS_EVERY_S)
        host = world.host
        if host is None or host.engine is None or not host.process.alive or not host.started.is_set():
            continue
        engine = host.engine
        if engine.cells.config.value.rollout is not None or not engine.cells.settings.version:
            continue
        live = msgspec.to_builtins(engine.cells.settings.value.strategies)
        plan = RolloutPlan(
            name="paper",
            changes={"strategies": [*live, {**live[0], "name": TWIN}]},
            shadow=True,
            metric=Metric.LOSS,
            threshold=1.0,
            duration_s=86_400.0,
        )
        wish = StartRollout(plan=plan, actor="chaos", reason="a drill", correlation_id=f"paper-{trio.current_time()}")
        with trio.move_on_after(ANSWER_WITHIN_S):
            try:
                answer = await engine.set_settings(wish)
            except (Busy, ChannelFull):
                continue
            if isinstance(answer, SettingsApplied):
                world.witness.reached("a shadow began on paper")


def p3_a_shadow_stays_on_paper(world: "World", store: ReadOnlyStore) -> None:
    """Nothing that trades money knows the twin, each of its trades was made once, and its money is what it was."""
    witness = world.witness
    for kept in store.read_records(ReadRecords(kinds=LIVE_KINDS, limit=LONGEST_JOURNAL)).records:
        if TWIN.encode() in kept.record.payload:
            witness.check("P3", False, f"a {kept.record.kind} must be of a live strategy, was of the shadow")
    for cell in store.read_cells(ReadCells(table=ORDER_TABLE)).cells:
        witness.check("P3", TWIN.encode() not in cell.payload, f"order cell {cell.key} is the shadow's")
    fills = store.read_records(ReadRecords(kinds=(PAPER_FILL,), limit=LONGEST_JOURNAL)).records
    witness.reached("a shadow traded on paper", len(fills))
    begun = store.read_records(ReadRecords(kinds=(BEGAN,), limit=LONGEST_JOURNAL)).records
    for cell in store.read_cells(ReadCells(table=STATE_TABLE)).cells:
        state = _states.decode(cell.payload)
        again = sum(is_of(each.record, state.began.version) for each in begun)
        witness.check("P3", again == 1, f"a shadow must begin once, began {again} times")
        wallets = state.account.wallets.values()
        held = sum((each.balance for each in wallets if each.currency == "USD"), Decimal(0))
        whole = held + state.market.get("USD", Decimal(0)) + state.fees.get("USD", Decimal(0))
        witness.check("P3", whole == state.began.cash, f"paper money must be {state.began.cash}, was {whole}")
        witness.reached("a shadow went on after a crash or a restart", state.gaps)
