"""The data store: what goes in comes out, what is wrong is told with its line, and a cut download goes on."""

import gzip
import math
import tracemalloc
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from genesis.domain.bars import TIME, VOLUME, Table, are_sound, check_bars, first_faults, repaired, resampled
from genesis.edge.bar_files import TRADES, BarFiles, DataUnusable, let_go
from genesis.markets import load_market, market_span
from genesis.research.bars import rows_before
from genesis.research.downloading import download
from genesis.research.importing import bars_of_trades, guess, import_file
from genesis.research.runs import stamp_data
from protocols.bitfinex.errors import RateLimited
from protocols.bitfinex.rest_requests import RestRequest
from protocols.units import Symbol
from tests.house import house, lively_layer, piece_of

MINUTE = 60_000
START = 1_517_443_200_000  # 2018-02-01 00:00
ODD = [-1.0, 0.0, 1.0, 2e15, math.nan, math.inf]
HEAD = "time,open,close,high,low,volume\n"


def bars(count: int, *, start_ms: int = START, seed: int = 1) -> Table:
    rng = np.random.default_rng(seed)
    close = 7000.0 * np.exp(np.cumsum(rng.normal(0, 1e-3, count)))
    opened = np.concatenate(([7000.0], close[:-1]))
    high, low = np.maximum(opened, close) * 1.0005, np.minimum(opened, close) * 0.9995
    return np.column_stack((start_ms + MINUTE * np.arange(count), opened, close, high, low, rng.random(count)))


def test_what_goes_in_comes_out_by_month_and_by_range(tmp_path: Path) -> None:
    files, table = BarFiles(tmp_path), bars(60_000)
    written = files.write("tBTCUSD", "1m", table)
    assert (written.added, written.changed, written.same) == (60_000, 0, 0)
    assert [path.stem for path in files.months("tBTCUSD", "1m")] == ["2018-02", "2018-03"]
    assert np.array_equal(files.read("tBTCUSD", "1m"), table)
    some = files.read("tBTCUSD", "1m", START + 100 * MINUTE, START + 50_000 * MINUTE)
    assert np.array_equal(some, table[100:50_000])
    assert files.span("tBTCUSD", "1m") == (START, START + 59_999 * MINUTE, 60_000)
    again = table[59_990:].copy()
    again[:, 2] *= 1.0001
    again[:, 3] *= 1.01
    written = files.write("tBTCUSD", "1m", np.concatenate((table[59_980:59_990], again)))
    assert (written.added, written.changed, written.same) == (0, 10, 10)
    assert np.array_equal(files.read("tBTCUSD", "1m")[59_990:], again)
    (series,) = files.series()
    assert (series.symbol, series.timeframe, series.months) == ("tBTCUSD", "1m", ("2018-02", "2018-03"))
    assert len(files.read("tBTCUSD", "1m", 0, 1000)) == 0
    assert files.span("tETHUSD", "1m") is None
    assert files.remove("tBTCUSD", "1m") == 2
    assert files.series() == []


def test_arrays_are_mapped_and_made_anew_when_the_data_changed(tmp_path: Path) -> None:
    files, table = BarFiles(tmp_path), bars(500)
    files.write("tBTCUSD", "1m", table[:400])
    first = files.array("tBTCUSD", "1m")
    assert isinstance(first, np.memmap)
    assert np.array_equal(first.T, table[:400])
    (path,) = (tmp_path / "arrays").glob("*.npy")
    assert np.array_equal(files.array("tBTCUSD", "1m").T, table[:400])
    files.write("tBTCUSD", "1m", table[400:])
    assert np.array_equal(files.array("tBTCUSD", "1m").T, table)
    assert not path.exists()
    with pytest.raises(DataUnusable, match="tETHUSD:1m must be in the data store"):
        files.array("tETHUSD", "1m")


def test_a_damaged_month_is_told(tmp_path: Path) -> None:
    files = BarFiles(tmp_path)
    files.write("tBTCUSD", "1m", bars(10))
    (path,) = files.months("tBTCUSD", "1m")
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(DataUnusable, match="must be Parquet, was not"):
        files.read("tBTCUSD", "1m")
    with pytest.raises(ValueError, match="market: "):
        market_span("tBTCUSD:1m", tmp_path)


def test_two_writers_do_not_meet(tmp_path: Path) -> None:
    files = BarFiles(tmp_path)
    files.write("tBTCUSD", "1m", bars(10))
    with files._held(files.folder("tBTCUSD", "1m")), pytest.raises(DataUnusable, match="is being written by process"):
        files.write("tBTCUSD", "1m", bars(20))


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        ("", "must have rows"),
        ("1517443200000,7000,7000,7001,6999\n", "cannot be read"),
        ("1517443200000,7000,7000,7001,abc,1\n", "low must be a number, was 'abc' in line 2"),
        ("1517443200000,7000,7000,7001,,1\n", "low must be given, was empty in line 2"),
        ("1517443200000,7000,7000,7001,-6999,1\n", "prices must be above zero: 1 rows are not so, the first in line 2"),
        ("1517443200000,7000,7000,7001,6999,-1\n", "volume must not be below zero"),
        ("1517443200000,7000,7000,6000,6999,1\n", "high must be the highest price"),
        ("1517443200000,7000,7000,7001,7000.5,1\n", "low must be the lowest price"),
        ("1517443201000,7000,7000,7001,6999,1\n", "time must be a multiple of the time frame"),
        ("1517443200000,7,7,7,7,1\n" * 2, "each time must be there once: 1 rows are not so, the first in line 3"),
        (
            "1517443260000,7,7,7,7,1\n1517443200000,7,7,7,7,1\n",
            "times must ascend: 1 rows are not so, the first in line 3",
        ),
        ("1517443200000,nan,7,7,7,1\n", "numbers must be finite"),
        ("yesterday,7,7,7,7,1\n", "time must be a number or a date"),
    ],
)
def test_a_bad_file_is_told_with_its_line_and_nothing_is_written(tmp_path: Path, lines: str, text: str) -> None:
    path = tmp_path / "x.csv"
    path.write_text(HEAD + lines)
    files = BarFiles(tmp_path / "data")
    with pytest.raises(DataUnusable) as caught:
        import_file(path, files, "tBTCUSD", "1m")
    assert text in str(caught.value)
    assert files.series() == []


def test_wrong_columns_and_wrong_files_are_told(tmp_path: Path) -> None:
    files = BarFiles(tmp_path / "data")
    path = tmp_path / "x.csv"
    path.write_text("time,open,close,high\n1,2,3,4\n")
    with pytest.raises(DataUnusable, match="low, volume is missing, there are time, open, close, high"):
        import_file(path, files, "tBTCUSD", "1m")
    for name, content in (("x.csv.gz", b"no gzip"), ("x.parquet", b"no parquet"), ("x.xlsx", b""), ("none.csv", None)):
        other = tmp_path / name
        if content is not None:
            other.write_bytes(content)
        with pytest.raises(DataUnusable, match=name):
            import_file(other, files, "tBTCUSD", "1m")
    with pytest.raises(DataUnusable, match="symbol must be"):
        import_file(path, files, "BTC", "1m")
    with pytest.raises(DataUnusable, match="time frame must be one of"):
        import_file(path, files, "tBTCUSD", "7m")


def test_the_same_bars_in_other_words_are_the_same_bars(tmp_path: Path) -> None:
    files, table = BarFiles(tmp_path / "data"), bars(5)
    rows = table.tolist()
    texts = {
        "seconds.csv": "timestamp,Open,High,Low,Close,Volume\n"
        + "".join(f"{int(t) // 1000},{o!r},{h!r},{lo!r},{c!r},{v!r}\n" for t, o, c, h, lo, v in rows),
        "dates.csv": "Date,open,high,low,close,vol\n"
        + "".join(
            f"2018-02-01 00:{n:02}:00,{o!r},{h!r},{lo!r},{c!r},{v!r}\n" for n, (_, o, c, h, lo, v) in enumerate(rows)
        ),
        "micros.csv": "ts,o,c,h,l,v\n"
        + "".join(f"{int(t) * 1000},{o!r},{c!r},{h!r},{lo!r},{v!r}\n" for t, o, c, h, lo, v in rows),
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    files.write("tETHUSD", "1m", table)
    (parquet,) = files.months("tETHUSD", "1m")
    packed = tmp_path / "packed.csv.gz"
    packed.write_bytes(gzip.compress(texts["micros.csv"].encode()))
    for path in (*(tmp_path / name for name in texts), packed, parquet):
        done = import_file(path, files, "tBTCUSD", "1m")
        assert (done.rows, done.first_ms) == (5, START), path
        assert np.array_equal(files.read("tBTCUSD", "1m"), table), path


def test_repair_mends_what_can_be_mended(tmp_path: Path) -> None:
    path = tmp_path / "BTCUSD-1m-2018.csv"
    path.write_text(
        HEAD + "1517443320000,9,9,9,9,1\n1517443200000,7,7,7,7,1\n1517443260000,8,8,8,-8,1\n1517443320000,9,9,9,9,2\n"
    )
    files = BarFiles(tmp_path / "data")
    assert guess(path) == ("tBTCUSD", "1m")
    done = import_file(path, files, "tBTCUSD", "1m", repair=True)
    assert {"not_positive", "duplicate", "unsorted"} <= done.repairs.keys()
    assert files.read("tBTCUSD", "1m").tolist() == [[START, 7, 7, 7, 7, 1], [START + 2 * MINUTE, 9, 9, 9, 9, 2]]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 30), st.floats(-1.0, 10.0)), min_size=1, max_size=40))
def test_what_was_repaired_has_no_fault(rows: list[tuple[int, float]]) -> None:
    table = np.array([[START + minute * MINUTE, price, price, price, price, 1.0] for minute, price in rows])
    mended, _ = repaired(table, MINUTE)
    assert list(first_faults(mended, MINUTE)) == []
    assert set(mended[:, TIME]) <= set(table[:, TIME])
    assert (len(mended) == 0) == all(price <= 0 for _, price in rows)


@settings(deadline=None, max_examples=200)
@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.integers(0, 5), st.sampled_from([-1.0, 0.0, 1.0, 2e15, math.nan, math.inf]))
    )
)
def test_a_table_is_sound_when_it_has_no_fault(changes: list[tuple[int, int, float]]) -> None:
    table = bars(10)
    for row, column, number in changes[:2]:
        table[row, column] = number if column != TIME else table[row, TIME] + number * MINUTE
    assert are_sound(table, MINUTE) == (not list(first_faults(table, MINUTE)))


def test_a_check_finds_holes_spikes_and_stillness() -> None:
    table = bars(1000)
    table[500, 3] = table[500, 2] * 1.2
    table[600, 1:5] = 7000.0
    holed = np.delete(table, [*range(100, 140), 300], axis=0)
    found = check_bars(holed, MINUTE)
    assert (found.bars, found.missing, found.usable) == (959, 41, True)
    assert [(gap.from_ms, gap.bars) for gap in found.gaps] == [(START + 100 * MINUTE, 40), (START + 300 * MINUTE, 1)]
    assert found.longest_gap_ms == 40 * MINUTE
    assert START + 500 * MINUTE in {one.at_ms for one in found.largest_spikes}
    assert found.still == 1
    with pytest.raises(ValueError, match="at least one"):
        check_bars(table[:0], MINUTE)


def test_bars_are_put_together(tmp_path: Path) -> None:
    table = bars(600)
    hours = resampled(table, 60 * MINUTE)
    assert len(hours) == 10
    third = table[120:180]
    assert hours[2].tolist() == pytest.approx(
        [third[0, 0], third[0, 1], third[-1, 2], third[:, 3].max(), third[:, 4].min(), third[:, 5].sum()]
    )
    with pytest.raises(ValueError, match="must not be finer"):
        resampled(hours, MINUTE)


def test_trades_become_the_venues_own_bars() -> None:
    """By the recorded day of 2018-11-12: the prints of the venue against the candles of the venue."""
    import csv

    from genesis.simulator.recordings import SHIPPED
    from protocols.bitfinex.public import read_trade_print
    from tests.recorded_candles import FOLDER
    from tests.recordings import day_of_frames

    assert SHIPPED.is_dir()
    trades = []
    for frame in day_of_frames():
        if b'"te"' in frame:
            import json

            row = json.loads(frame)[2]
            one = read_trade_print(row, "tBTCUSD", venue_ms=0, received_ns=0)
            trades.append([one.trade_id, one.time_ms, one.amount, one.price])
    made = bars_of_trades(np.array(trades), MINUTE)
    with open(FOLDER.parent / "candles" / "BTCUSD-1m-2018-11-12.csv") as file:
        known = {int(row["time"]): row for row in csv.DictReader(file)}
    assert len(made) > 250
    for at, opened, close, high, low, volume in made.tolist():
        row = known[int(at)]
        assert [opened, close, high, low] == [float(row[name]) for name in ("open", "close", "high", "low")]
        assert volume == pytest.approx(float(row["volume"]), abs=1e-8)


def test_a_market_of_the_store_is_a_recording(tmp_path: Path) -> None:
    files, table = BarFiles(tmp_path), bars(3000)
    files.write("tBTCUSD", "1m", table)
    files.write("tETHUSD", "1m", table[:2000])
    whole = load_market("tBTCUSD:1m,tETHUSD:1m", tmp_path)
    assert whole.symbols == ("tBTCUSD", "tETHUSD")
    assert (whole.first_ms, whole.last_ms) == (START, START + 2999 * MINUTE)
    part = load_market("tBTCUSD:1m", tmp_path, START + 1000 * MINUTE, START + 2000 * MINUTE)
    (rows,) = part.rows.values()
    (history,) = part.history.values()
    assert (len(history), len(rows), int(rows.open_ms[0])) == (1000, 1000, START + 1000 * MINUTE)
    assert market_span("tETHUSD:1m", tmp_path) == (START, START + 2000 * MINUTE)
    for name, text in (
        ("tBTCUSD:5m", "must be of minutes"),
        ("tBTCUSD:1m,tBTCUSD:1m", "each pair once"),
        ("tXRPUSD:1m", "must be in the data store"),
    ):
        with pytest.raises(ValueError, match=text):
            market_span(name, tmp_path)
    with pytest.raises(ValueError, match="held none \\(2018-02-01 00:00 to 2018-02-03 01:59 are there\\)"):
        load_market("tBTCUSD:1m", tmp_path, START + 9000 * MINUTE)


@attrs.define(eq=False)
class Venue:
    """A venue with these candles; it fails at the requests a test names."""

    table: Table
    fails: dict[int, Exception] = attrs.field(factory=dict)
    asked: list[dict[str, Any]] = attrs.field(factory=list)

    async def ask(self, request: RestRequest) -> Any:
        from urllib.parse import parse_qs, urlsplit

        await trio.lowlevel.checkpoint()
        query = {name: int(values[0]) for name, values in parse_qs(urlsplit(request.target).query).items()}
        self.asked.append(query)
        fault = self.fails.pop(len(self.asked), None)
        if fault is not None:
            raise fault
        at = self.table[:, 0]
        found = self.table[(at >= query["start"]) & (at <= query["end"])][: query["limit"]]
        return [[int(row[0]), *row[1:]] for row in found.tolist()]


async def fetched(venue: Venue, files: BarFiles, end: int, now: int = 10_000) -> Any:
    return await download(
        venue,
        files,
        "tBTCUSD",
        "1m",
        START,
        START + end * MINUTE,
        now_ms=START + now * MINUTE,
        on_progress=lambda part, text: None,
        page=100,
    )


async def test_a_download_that_was_cut_goes_on_where_it_stopped(tmp_path: Path, autojump_clock: Any) -> None:
    table = np.delete(bars(1000), [*range(250, 420)], axis=0)
    files = BarFiles(tmp_path)
    venue = Venue(table, {4: OSError("the cable"), 2: RateLimited(11010, "slow down")})
    with pytest.raises(OSError, match="the cable"):
        await fetched(venue, files, 1000)
    # Two pages came; the rate limit was waited for.
    assert len(files.read("tBTCUSD", "1m")) == 200
    done = await fetched(venue, files, 1000)
    assert venue.asked[4]["start"] == START + 200 * MINUTE
    assert (done.rows, done.written.added) == (630, 630)
    assert np.array_equal(files.read("tBTCUSD", "1m"), table)
    # All of it was asked for, the hole too: nothing is asked again.
    before = len(venue.asked)
    done = await fetched(venue, files, 1000)
    assert (done.requests, done.rows, len(venue.asked)) == (0, 0, before)
    # A longer range asks for what is new only.
    done = await fetched(venue, files, 1100)
    assert venue.asked[-1]["start"] == START + 1000 * MINUTE


async def test_what_was_forming_is_asked_for_again(tmp_path: Path) -> None:
    table = bars(100)
    files = BarFiles(tmp_path)
    forming = table[:51].copy()
    forming[50, 2] = forming[50, 3]
    await fetched(Venue(forming), files, 100, now=50)
    done = await fetched(Venue(table), files, 100, now=200)
    assert (done.written.changed, done.written.added) == (1, 49)
    assert np.array_equal(files.read("tBTCUSD", "1m"), table)
    assert files.covered("tBTCUSD", "1m") == [(START, START + 100 * MINUTE)]


def test_ranges_that_were_asked_for_are_left_out(tmp_path: Path) -> None:
    files = BarFiles(tmp_path)
    for start, end in ((10, 20), (30, 40), (20, 25), (5, 5)):
        files.cover("tBTCUSD", "1m", start, end)
    assert files.covered("tBTCUSD", "1m") == [(10, 25), (30, 40)]
    assert files.open_ranges("tBTCUSD", "1m", 0, 50) == [(0, 10), (25, 30), (40, 50)]
    assert files.open_ranges("tBTCUSD", "1m", 12, 24) == []
    (files.folder("tBTCUSD", "1m") / "covered.json").write_text("{")
    assert files.open_ranges("tBTCUSD", "1m", 0, 50) == [(0, 50)]


async def test_the_simulators_candles_and_trades_are_downloaded(tmp_path: Path) -> None:
    """Over real REST, through the engine's own door."""
    recording = piece_of(minutes=30)
    async with house(tmp_path, recording=recording, layer=lively_layer()) as here:
        await here.replay()
        files = BarFiles(tmp_path / "data")
        door, end_ms = here.engine.venue.door, recording.last_ms + MINUTE
        for timeframe in ("1m", TRADES):
            done = await download(
                door,
                files,
                "tBTCUSD",
                timeframe,
                recording.first_ms - 600 * MINUTE,
                end_ms,
                now_ms=end_ms + 10 * MINUTE,
                on_progress=lambda part, text: None,
                page=200,
            )
            assert done.requests > 1 or timeframe == TRADES
        (rows,) = (found for symbol, found in recording.rows.items() if symbol == "tBTCUSD")
        there = files.read("tBTCUSD", "1m", recording.first_ms, end_ms)
        assert there.tolist() == [list(row) for row in rows]
        trades = files.read("tBTCUSD", TRADES)
        assert len(trades) == 4 * len(rows)
        assert trades[-1, 3] == rows[-1].close


def test_a_mapped_market_is_the_market_that_is_read(tmp_path: Path) -> None:
    BarFiles(tmp_path).write("tBTCUSD", "1m", bars(3_000))
    cut = (START + 1_000 * MINUTE, START + 2_500 * MINUTE)
    read, mapped = (load_market("tBTCUSD:1m", tmp_path, *cut, mapped=way) for way in (False, True))
    assert stamp_data("x", mapped) == stamp_data("x", read)
    (found,) = mapped.rows.values()
    assert (len(found), len(mapped.history[Symbol("tBTCUSD")])) == (1_500, 1_000)
    # Nothing is copied, the times neither, which lie there as whole numbers too.
    for column in (found.open_ms, found.close):
        assert not column.flags.owndata
        assert not column.flags.writeable
    assert len(list((tmp_path / "arrays").glob("*.npy"))) == 1
    whole = load_market("tBTCUSD:1m", tmp_path, mapped=True)
    assert stamp_data("x", whole) == stamp_data("x", load_market("tBTCUSD:1m", tmp_path))
    assert [len(part) for part in BarFiles(tmp_path).mapped("tETHUSD", "1m")] == [0, 0]


def test_a_mapped_market_costs_no_memory_of_its_own(tmp_path: Path) -> None:
    """But for what a stretch of it takes while it is looked through: neither now nor when the array is made."""
    BarFiles(tmp_path).write("tBTCUSD", "1m", bars(400_000))
    for _ in range(2):
        tracemalloc.start()
        try:
            market = load_market("tBTCUSD:1m", tmp_path, mapped=True)
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        (found,) = market.rows.values()
        assert most < 400_000 * 8 * 3 < found.close.nbytes * 6


def test_pages_that_were_let_go_come_back(tmp_path: Path) -> None:
    BarFiles(tmp_path).write("tBTCUSD", "1m", bars(3_000))
    table, times = BarFiles(tmp_path).mapped("tBTCUSD", "1m")
    before = table.copy()
    for some in (table[:, VOLUME], table[7:9, TIME], table[:0, TIME], times, before):
        let_go(some)
    assert np.array_equal(table, before)
    assert np.array_equal(times, before[:, TIME])


def test_what_is_written_to_while_it_is_mapped_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A month that grew between the count and the reading has no room in the file."""
    files = BarFiles(tmp_path)
    files.write("tBTCUSD", "1m", bars(100))
    counts = iter([90, 90, 100])
    monkeypatch.setattr(BarFiles, "_rows", lambda self, months: next(counts))
    table, times = files.mapped("tBTCUSD", "1m")
    assert np.array_equal(table, bars(100))
    assert np.array_equal(times, table[:, TIME])
    assert list((tmp_path / "arrays").iterdir()) == []


@given(st.sets(st.integers(0, 60), min_size=1), st.lists(st.integers(-MINUTE, 65 * MINUTE)))
def test_rows_before_a_moment_are_counted_with_and_without_holes(minutes: set[int], moments: list[int]) -> None:
    at = np.array(moments, dtype=np.int64)
    for some in (sorted(minutes), range(max(minutes) + 1)):
        times = np.array(some, dtype=np.int64) * MINUTE
        assert rows_before(times, at).tolist() == np.searchsorted(times, at).tolist()
