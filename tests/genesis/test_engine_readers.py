"""What an engine shows of itself: everything that the web knows how to read."""

from pathlib import Path

import attrs

from genesis.engine_readers import readers_of
from tests.house import house, lively_layer, piece_of
from web.readers import Readers

OF_THE_PROCESS = {"event_counts", "log_lines"}
"""The engine keeps no log: who runs it adds this."""


async def test_an_engine_gives_every_reader(tmp_path: Path) -> None:
    """A reader that nobody gives answers as if there were nothing, which looks on the page like a figure."""
    async with house(tmp_path, recording=piece_of(minutes=5), layer=lively_layer()) as here:
        readers = readers_of(here.engine)
        missing = {field.name for field in attrs.fields(Readers) if getattr(readers, field.name) is field.default}
        assert missing == OF_THE_PROCESS


async def test_the_day_begins_with_one_number_for_whoever_asks(tmp_path: Path) -> None:
    async with house(tmp_path, recording=piece_of(minutes=5), layer=lively_layer()) as here:
        await here.replay()
        await here.all_orders_known()
        risk = here.engine.cells.risk.value
        assert risk is not None
        assert readers_of(here.engine).day_start_equity() == risk.day_start_equity > 0
