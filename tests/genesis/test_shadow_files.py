"""A person's own strategy file on paper: it runs apart from the live one's, and what is wrong with it stays there."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio

from genesis.domain.paper_records import PAPER_SCORE
from genesis.domain.settings_build import Layer
from genesis.domain.shadow_book import ShadowBook
from genesis.domain.strategies import STRATEGY_KINDS
from genesis.user_strategies import Budget, UserFile, UserStrategies
from protocols.journal import ReadRecords
from protocols.signals import SignalScore
from tests.genesis.test_shadows import LIVE, a_plan, begin, ended, kept, noticed
from tests.house import House, check_books, house, lively_layer, piece_of

MINE: dict[str, Any] = {"name": "mine", "kind": "mine", "symbol": "tBTCUSD", "timeframe": "1m"}
CODE = """
import os
from genesis.strategy_kit import Bar, Indicator, Signal, Strategy, Whole, buy, hold, sell

class Mine(Strategy):
    parameters = (Whole("limit", 1_000_000, 1, 1_000_000, "candles until it breaks"),)
    memory = {"seen": 0.0}

    def on_candle(self, bar, memory):
        memory["seen"] += 1
        if memory["seen"] > bar.parameters["limit"]:
            BROKEN
        return hold("waits", seen=memory["seen"], process=float(os.getpid()))
"""


@pytest.fixture
def files(tmp_path: Path) -> Iterator[UserStrategies]:
    folder = tmp_path / "strategies"
    folder.mkdir()
    (folder / "mine.py").write_text(CODE.replace("BROKEN", "raise RuntimeError('this candle is too much')"))
    (folder / "silent.py").write_text(CODE.replace("BROKEN", "while True: pass"))
    made = UserStrategies(folder, budget=Budget(warn_s=5.0, end_s=0.4, load_s=20.0))
    made.refresh()
    yield made
    made.close()


async def judged(here: House, candles: int) -> None:
    """Until the shadow's files have answered for so many candles: they are processes, and take what they are given."""
    with trio.fail_after(60):
        while len([score for score in kept(here, PAPER_SCORE) if score.strategy == "twin"]) < candles:  # noqa: ASYNC110
            await trio.sleep(0.01)
    await here.pacer.settled()


async def test_a_live_file_and_its_shadow_run_in_processes_of_their_own(tmp_path: Path, files: UserStrategies) -> None:
    layer = Layer(name="test", values={**lively_layer().values, "strategies": [*LIVE, MINE]})
    twin = {**MINE, "name": "twin"}
    async with house(tmp_path, recording=piece_of(minutes=8, skip=600), layer=layer, user_strategies=files) as here:
        await here.ready()
        await begin(here, a_plan([*LIVE, MINE, twin]))
        await here.replay()
        await judged(here, 9)
        paper = [score for score in kept(here, PAPER_SCORE) if score.strategy == "twin"]
        live = [score for score in _scores(here) if score.strategy == "mine" and not score.catch_up]
        assert len(paper) == len(live) == 9
        assert len({score.features["process"] for score in paper} | {score.features["process"] for score in live}) == 2
        assert [score.features["seen"] for score in paper] == [score.features["seen"] for score in live]
    assert STRATEGY_KINDS.users.keys() >= {"mine", "silent"}, "the live shelf is as it was"


async def test_a_shadow_after_one_that_never_began_runs_the_file_as_it_is_now(
    tmp_path: Path, files: UserStrategies, monkeypatch: pytest.MonkeyPatch
) -> None:
    begins, twin = ShadowBook.begin, {**MINE, "name": "twin"}

    def refused(*_: Any) -> None:
        raise ValueError("settings must be others, were these")

    async with house(
        tmp_path, recording=piece_of(minutes=8, skip=600), layer=lively_layer(), user_strategies=files
    ) as here:
        await here.ready()
        monkeypatch.setattr(ShadowBook, "begin", refused)
        await begin(here, a_plan([*LIVE, twin], name="first"))
        await ended(here)
        monkeypatch.setattr(ShadowBook, "begin", begins)
        path = files.folder / "mine.py"
        path.write_text(path.read_text().replace("waits", "waits anew"))
        files.refresh()
        here.engine.cells.kinds.set(here.engine.cells.kinds.value + 1)
        while here.engine.cells.shadow.value is not None:  # noqa: ASYNC110
            await trio.sleep(0.01)
        await begin(here, a_plan([*LIVE, twin], name="second"))
        await here.replay()
        await judged(here, 9)
        heard = [score for score in kept(here, PAPER_SCORE) if score.strategy == "twin"]
    assert {(score.reasons, score.source) for score in heard} == {
        (("waits anew",), f"mine/{files.kinds['mine'].version}")
    }


async def test_no_question_to_a_file_on_paper_holds_the_loop_up(
    tmp_path: Path, files: UserStrategies, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither while the shadow begins with its 240 candles of history, nor later: a step may take seconds."""
    on_loop: list[bool] = []
    ask = UserFile._ask

    def noted(file: UserFile, question: Any) -> Any:
        on_loop.append(trio.lowlevel.in_trio_run())
        return ask(file, question)

    async with house(
        tmp_path, recording=piece_of(minutes=8, skip=600), layer=lively_layer(), user_strategies=files
    ) as here:
        await here.ready()
        monkeypatch.setattr(UserFile, "_ask", noted)
        await begin(here, a_plan([*LIVE, {**MINE, "name": "twin"}]))
        await here.replay()
        await judged(here, 9)
        heard = [score for score in kept(here, PAPER_SCORE) if score.strategy == "twin"]
    assert len(heard) == 9
    assert len(on_loop) > 240
    assert not any(on_loop)


def _scores(here: Any) -> list[SignalScore]:
    records = here.store.store.read_records(ReadRecords(kinds=("SignalScore",), limit=100_000)).records
    return [msgspec.json.decode(each.record.payload, type=SignalScore) for each in records]


@pytest.mark.parametrize(
    ("kind", "why"), [("mine", "this candle is too much"), ("silent", "must answer within its time, was still at work")]
)
async def test_a_file_that_breaks_on_paper_takes_the_shadow_back_and_nobody_else(
    tmp_path: Path, files: UserStrategies, kind: str, why: str
) -> None:
    """The history is 240 candles: it breaks some candles later, in the middle of the replay."""
    broken = {**MINE, "kind": kind, "parameters": {"limit": 244}}
    async with house(
        tmp_path, recording=piece_of(minutes=30, skip=600), layer=lively_layer(), user_strategies=files
    ) as here:
        await here.ready()
        await begin(here, a_plan([*LIVE, broken]))
        await here.replay()
        await here.all_orders_known()
        await ended(here)
        status = here.engine.cells.rollout.value
        assert status is not None
        assert status.verdict.startswith(f"taken back: the shadow cannot go on: mine: {kind}.py"), status.verdict
        assert why in status.verdict
        await noticed(here, "shadow_strategy_off")
        await noticed(here, "rollout_taken_back")
        assert "actor_crashed" not in {notice.code for notice in here.engine.readers.notices()}
        check_books(here)
        spoken = {score.candle_open_ms for score in _scores(here) if score.strategy == "btc-quick"}
        assert len(spoken) >= 31, "the live ones heard every candle"
