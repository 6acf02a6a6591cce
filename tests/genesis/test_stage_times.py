"""Each decision is timed at every stage it passes, once."""

from pathlib import Path

from tests.house import house, lively_layer, piece_of


async def test_a_decision_is_counted_at_every_stage_from_frame_to_frame(tmp_path: Path) -> None:
    async with house(tmp_path, recording=piece_of(minutes=30, skip=600), layer=lively_layer()) as here:
        await here.replay()
        await here.all_orders_known()
        engine = here.engine
        times = {view.line: view for view in engine.readers.line_times() if view.what == "decision"}
        counts = {stage: sum(view.counts) for stage, view in times.items()}
        approved = [verdict for verdict in engine.cells.verdicts.value if verdict.approved]
        decided = {order.intent_id for order in engine.readers.orders() if order.strategy.endswith("-quick")}
    assert counts["signal"] >= counts["risk"] == len(approved) > 5
    assert counts["sent"] == counts["order"] == counts["risk"]
    assert decided >= {verdict.intent.intent_id for verdict in approved if verdict.intent is not None}
    # What comes later has taken longer, each time.
    assert times["risk"].sum_s < times["order"].sum_s < times["sent"].sum_s
