"""The user's strategies: they trade like shipped ones, and whatever is wrong with one is told and hurts nobody else."""

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trio

from genesis.domain.indicators.catalog import INDICATORS
from genesis.domain.signal_machine import SignalMachine
from genesis.domain.strategies import STRATEGY_KINDS, StrategyShelf
from genesis.patience import AUTHORS_S
from genesis.research.backtest import run_backtest
from genesis.strategy_template import TEMPLATE, class_name
from genesis.user_strategies import MAX_FILES, STARTS_S, TELLS_S, Budget, UserStrategies
from protocols.market import CandleHistory
from protocols.settings import Settings, StrategySettings
from protocols.signals import Recommendation, SignalScore
from tests.house import house, lively_layer, piece_of, settings_of
from tests.recorded_candles import as_closed, recorded_candles

QUICK = Budget(warn_s=5.0, end_s=0.4, load_s=20.0)
CANDLES = [as_closed(candle) for candle in recorded_candles()]
GOOD = TEMPLATE.replace("CLASS_NAME", class_name("rsi_dip")).replace("KIND_NAME", "rsi_dip")
CODE = """
from genesis.strategy_kit import Bar, Indicator, Signal, Strategy, Whole, buy, hold, sell

class Mine(Strategy):
    indicators = {"fast": Indicator("ema", period=2)}
    memory = {"seen": 0.0}

    def on_candle(self, bar, memory):
        memory["seen"] += 1
        if memory["seen"] == 3:
            BROKEN
        return hold("waits", seen=memory["seen"])
"""


@pytest.fixture
def shelf() -> StrategyShelf:
    return StrategyShelf(tuple(STRATEGY_KINDS.shipped.values()))


class Folder:
    def __init__(self, path: Path, shelf: StrategyShelf, budget: Budget = QUICK) -> None:
        self.path, self.shelf = path, shelf
        self.slow: list[str] = []
        self.strategies = UserStrategies(path, shelf=shelf, budget=budget, on_slow=self.slow.append)

    def write(self, text: str, name: str = "rsi_dip") -> tuple[tuple[str, str], ...]:
        (self.path / f"{name}.py").write_text(text)
        return self.strategies.refresh()

    def machine(self) -> SignalMachine:
        declared = {each.name for each in self.shelf["rsi_dip"].parameters}
        dip = StrategySettings(
            name="dip",
            kind="rsi_dip",
            symbol="tBTCUSD",
            timeframe="1m",
            parameters={"period": 5.0} if "period" in declared else {},
        )
        ema = StrategySettings(name="ema", kind="ema_cross", symbol="tBTCUSD", timeframe="1m")
        return without_a_past(SignalMachine(Settings(strategies=(dip, ema)), self.shelf))


@pytest.fixture
def folder(tmp_path: Path, shelf: StrategyShelf) -> Iterator[Folder]:
    made = Folder(tmp_path, shelf)
    yield made
    made.strategies.close()


def without_a_past(machine: SignalMachine) -> SignalMachine:
    """On a market that begins with the candle that is told first."""
    for wish in machine.wishes():
        none = CandleHistory(symbol=wish.symbol, timeframe=wish.timeframe, candles=(), is_all=True, received_ns=0)
        machine.on_history(none)
    return machine


def scores(machine: SignalMachine, first: int, last: int) -> list[SignalScore]:
    return [score for closed in CANDLES[first:last] for score in machine.on_candle(closed)]


def test_the_written_one_trades_and_says_why(folder: Folder) -> None:
    assert folder.write(GOOD) == (("info", "strategy rsi_dip was read"),)
    kind = folder.shelf["rsi_dip"]
    assert [each.name for each in kind.parameters] == ["period", "dip", "recovered"]
    assert kind.text == "Buys dips of the RSI and sells when it has recovered."
    mine = [score for score in scores(folder.machine(), 0, 1500) if score.strategy == "dip"]
    acted = [score.recommendation for score in mine if score.recommendation is not Recommendation.HOLD]
    assert len(acted) > 4
    assert acted[:4] == [Recommendation.BUY, Recommendation.SELL] * 2
    assert "indicators are not known yet" in mine[0].reasons[0]
    assert "trend" in next(score for score in mine if score.recommendation is Recommendation.BUY).features
    assert mine[-1].features["atr"] > 0
    assert mine[-1].source == f"rsi_dip/{kind.version}"
    assert folder.slow == []


def test_a_kept_state_goes_on_as_if_nothing_had_been(folder: Folder) -> None:
    folder.write(GOOD)
    whole = scores(folder.machine(), 0, 400)
    first = folder.machine()
    said = scores(first, 0, 211)
    second = folder.machine()
    assert second.restore(first.checkpoint(everything=True)) == ()
    assert said + scores(second, 211, 400) == whole


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        ("return 5", "rsi_dip.py: TypeError: on_candle must return buy"),
        ("return nothing_of_that_name", "rsi_dip.py, line 11: NameError"),
        ("return buy(confidence=float('nan'))", "rsi_dip.py: confidence must be a number from 0 to 1, was nan"),
        ("return buy(probability=1.5)", "rsi_dip.py: probability must be a number from 0 to 1, was 1.5"),
        ("return buy(edge=float('inf'))", "rsi_dip.py: feature edge must be a finite number, was inf"),
        ("return buy(confidence='high')", "rsi_dip.py: TypeError: confidence must be a number, was str"),
        ("memory['new'] = 1.0", "memory must keep the names that are declared, was different in new"),
        ("memory['seen'] = float('nan'); return None", "memory seen must be a finite number, was nan"),
        ("while True: pass", "rsi_dip.py, line 11: must answer within its time"),
        ("import os; os._exit(9)", "rsi_dip.py: its process was lost: the process ended with code 9"),
        ("bar['slow']", "rsi_dip.py, line 11: KeyError"),
        ("raise SystemExit", "rsi_dip.py, line 11: SystemExit"),
    ],
)
def test_what_goes_wrong_in_a_step_switches_that_one_off(folder: Folder, broken: str, told: str) -> None:
    folder.write(CODE.replace("BROKEN", broken))
    machine = folder.machine()
    said = scores(machine, 0, 12)
    # The average takes two candles, the third call is the fourth candle: three scores, and then silence.
    assert [score.strategy for score in said].count("dip") == 3
    assert [score.strategy for score in said].count("ema") == 12
    (fault,) = machine.new_faults().values()
    assert told in fault
    assert machine.new_faults() == {}
    assert {view.strategy: bool(view.fault) for view in machine.views()} == {"dip": True, "ema": False}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("class X(", "rsi_dip.py, line 1: SyntaxError: '(' was never closed"),
        ("import nothing_like_it", "rsi_dip.py, line 1: ModuleNotFoundError"),
        ("x = 1", "the file must define one class made of Strategy, had none"),
        (CODE.replace("period=2", "period=0"), "period must be at least 1, was 0"),
        (CODE.replace('"ema"', '"magic"'), "indicator fast must be one of adx"),
        (CODE.replace("period=2", "period='length'"), "must take a parameter that is declared, was 'length'"),
        (CODE.replace('{"seen": 0.0}', '{"seen": "none"}'), "Expected `float`, got `str`"),
        (CODE.replace("period=2", "period=2, timeframe='7m'"), "time frame of fast must be one of"),
        (CODE.replace('memory = {"seen"', 'parameters = (Whole("n", 5, 6, 9),)\n    memory = {"seen"'), "6 <= 5 <= 9"),
        ("while True: pass", "must answer within its time"),
        (
            CODE.replace("def on_candle(", "async def on_candle("),
            "plain def on_candle(self, bar, memory), was an async",
        ),
        (CODE.replace("BROKEN", "yield"), "plain def on_candle(self, bar, memory), was a generator"),
        (
            CODE.replace("(self, bar, memory)", "(self, bar)"),
            "must be a plain def on_candle(self, bar, memory), was def",
        ),
        (CODE.replace("def on_candle(", "def on_candles("), "must have on_candle(self, bar, memory), had none"),
        (CODE + "    on_tick = 5\n", "on_tick of Mine must be a plain def on_tick(self, tick, memory), was int"),
        (
            CODE + "    async def on_fill(self, fill, memory): ...\n",
            "plain def on_fill(self, fill, memory), was an async",
        ),
    ],
)
def test_what_is_wrong_with_a_file_is_told_when_it_is_read(
    tmp_path: Path, shelf: StrategyShelf, text: str, told: str
) -> None:
    folder = Folder(tmp_path, shelf, Budget(load_s=0.5 if "while" in text else 20.0))
    ((level, sentence),) = folder.write(text)
    assert level == "alarm"
    assert told in sentence
    machine = folder.machine()
    assert {score.strategy for score in scores(machine, 0, 5)} == {"ema"}
    assert told in machine.new_faults()["dip"]
    folder.strategies.close()


def test_a_slow_step_is_warned_of_and_then_ended(tmp_path: Path, shelf: StrategyShelf) -> None:
    folder = Folder(tmp_path, shelf, Budget(warn_s=0.0, slow_steps=6, end_s=10.0))
    folder.write(CODE.replace("BROKEN", "pass"))
    machine = folder.machine()
    said = scores(machine, 0, 12)
    assert [score.strategy for score in said].count("dip") == 5
    assert len(folder.slow) == 1
    assert "3 steps in a row took too long" in folder.slow[0]
    assert "must keep to its budget, 6 steps in a row did not" in machine.new_faults()["dip"]
    folder.strategies.close()


def test_a_mended_file_is_taken_up_and_a_lost_one_is_off(folder: Folder) -> None:
    settings = Settings(strategies=(StrategySettings(name="dip", kind="rsi_dip", symbol="tBTCUSD", timeframe="1m"),))
    folder.write("class X(")
    machine = SignalMachine(settings, folder.shelf)
    assert scores(machine, 0, 5) == []
    assert folder.write(GOOD) == (("info", "strategy rsi_dip was read again"),)
    machine.on_settings(settings, lambda symbol, timeframe: [one.candle for one in CANDLES[:100]])
    (wish,) = machine.wishes()
    assert wish.candles == 5_000, "its trend is of hours: a day of minutes is not all that it begins with"
    told = tuple(one.candle for one in CANDLES[:100])
    history = CandleHistory(symbol=wish.symbol, timeframe="1m", candles=told, is_all=True, received_ns=0)
    assert len(machine.on_history(history)) == 100
    assert len(scores(machine, 95, 105)) == 5, "warmed by history, and no candle twice"
    assert folder.strategies.refresh() == ()
    (folder.path / "rsi_dip.py").unlink()
    assert folder.strategies.refresh()[0][0] == "warning"
    machine.on_settings(settings)
    assert "is gone" in machine.new_faults()["dip"]


def test_the_guide_names_every_indicator() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "strategies.md").read_text()
    assert [name for name in INDICATORS if f"| `{name}` |" not in guide] == []


def test_one_step_and_its_process_end_before_who_asks_is_taken_to_hang() -> None:
    budget = Budget()
    assert STARTS_S + 4 * budget.wall_s + TELLS_S + budget.wall_s < AUTHORS_S


def test_names_that_cannot_be_are_refused(folder: Folder) -> None:
    assert "must differ from the shipped" in folder.write(GOOD, "ema_cross")[0][1]
    assert folder.shelf["ema_cross"].foreign is False
    assert "must be named by" in folder.write(GOOD, "Bad-Name")[0][1]
    folder.path.joinpath("_helpers.py").write_text("x = 1")
    assert folder.strategies.refresh() == ()


async def test_the_engine_and_the_backtest_decide_the_same_with_ones_own(tmp_path: Path) -> None:
    """The whole engine with a strategy of the user's, against the exact backtest; and a file that breaks meanwhile."""
    files = tmp_path / "strategies"
    files.mkdir()
    (files / "rsi_dip.py").write_text(GOOD)
    own = UserStrategies(files)
    own.refresh()
    layer = lively_layer()
    layer.values["strategies"].append(  # type: ignore[attr-defined]
        {"name": "dip", "kind": "rsi_dip", "symbol": "tBTCUSD", "timeframe": "1m", "parameters": {"period": 5}}
    )
    recording = piece_of(minutes=40)
    expected = run_backtest(recording, settings_of(layer))
    assert expected.faults == {}
    try:
        async with house(tmp_path, recording=recording, layer=layer, user_strategies=own) as here:
            await here.replay()
            await here.all_orders_known()
            told = [score for score in here.engine.readers.signals() if score.strategy == "dip"]
            wanted = [one for one in expected.decisions if isinstance(one, SignalScore) and one.strategy == "dip"]
            by_candle = {score.candle_open_ms: score for score in wanted}
            assert len(told) > 30
            for score in told:
                assert score.reasons == by_candle[score.candle_open_ms].reasons
            assert {view.strategy: view.own for view in here.engine.readers.strategies()}["dip"]
            before = here.engine.cells.kinds.value
            (files / "rsi_dip.py").write_text("class X(")
            with trio.fail_after(60):
                while here.engine.cells.kinds.value == before:
                    await here.engine.cells.kinds.changed(here.engine.cells.kinds.version)
    finally:
        own.close()


def _a_dangling_link(path: Path) -> None:
    path.symlink_to(path.with_name("elsewhere.txt"))


def _a_loop(path: Path) -> None:
    path.symlink_to(path)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (_a_dangling_link, "must lead to a file, leads to nothing"),
        (_a_loop, "must be readable, was not: Too many levels of symbolic links"),
        (Path.mkdir, "must be a file, was something else"),
        (os.mkfifo, "must be a file, was something else"),
    ],
)
def test_what_cannot_be_opened_is_told_and_keeps_nobody_else_out(
    tmp_path: Path, shelf: StrategyShelf, make: Callable[[Path], None], why: str
) -> None:
    """It was passed over in silence; at a pipe the engine's look would have waited for ever."""
    folder = Folder(tmp_path, shelf)
    make(tmp_path / "mine.py")
    told = folder.write(GOOD)
    assert [level for level, text in told if "mine.py" in text and why in text] == ["alarm"]
    assert why in folder.shelf.users["mine"].fault
    assert not folder.shelf.users["rsi_dip"].fault
    assert folder.strategies.refresh() == (), "told once"
    # Mended, it is read; and when one that was read can be opened no more, that is told as well.
    (tmp_path / "mine.py").rmdir() if make is Path.mkdir else (tmp_path / "mine.py").unlink()
    assert ("info", "strategy mine was read") in folder.write(GOOD, "mine")
    assert not folder.shelf.users["mine"].fault
    (tmp_path / "mine.py").unlink()
    make(tmp_path / "mine.py")
    assert [level for level, _ in folder.strategies.refresh()] == ["alarm"]
    assert why in folder.shelf.users["mine"].fault
    folder.strategies.close()


def test_no_right_to_read_is_a_reason_too(
    tmp_path: Path, shelf: StrategyShelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, read = Folder(tmp_path, shelf), Path.read_bytes

    def refused(path: Path) -> bytes:
        if path.name == "mine.py":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return read(path)

    # Who runs as root may read everything.
    monkeypatch.setattr(Path, "read_bytes", refused)
    assert folder.write(GOOD, "mine") == (
        ("alarm", "strategy file cannot be used: mine.py: must be readable, was not: Permission denied"),
    )


def test_a_link_that_goes_while_it_is_looked_at_is_gone(
    tmp_path: Path, shelf: StrategyShelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ended the look, and with that the actor that looked."""
    folder = Folder(tmp_path, shelf)
    _a_dangling_link(tmp_path / "mine.py")

    def gone(path: Path) -> str:
        path.unlink()
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(path))

    monkeypatch.setattr(os, "readlink", gone)
    assert folder.strategies.refresh() == ()


def test_a_folder_that_is_none_or_too_full_is_told_once(tmp_path: Path, shelf: StrategyShelf) -> None:
    nowhere = UserStrategies(tmp_path / "file", shelf=shelf)
    (tmp_path / "file").write_text("")
    ((level, text),) = nowhere.refresh()
    assert (level, nowhere.refresh()) == ("alarm", ())
    assert "cannot be read" in text
    full = tmp_path / "full"
    full.mkdir()
    for number in range(MAX_FILES + 1):
        (full / f"x{number:03}.py").symlink_to(full / "nothing")
    told = UserStrategies(full, shelf=shelf).refresh()
    assert [text for _, text in told if "may have 100 files, has 101: x100.py" in text]


def test_what_was_wrong_before_anybody_listened_is_told_to_the_first_who_does(
    tmp_path: Path, shelf: StrategyShelf
) -> None:
    """Settings are read, and the folder with them, long before there is a page: its first look found nothing new."""
    folder = Folder(tmp_path, shelf)
    _a_dangling_link(tmp_path / "mine.py")
    folder.strategies.look()
    folder.strategies.look()
    assert [level for level, _ in folder.strategies.refresh()] == ["alarm"]
    assert folder.strategies.refresh() == ()
