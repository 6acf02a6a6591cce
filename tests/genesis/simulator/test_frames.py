"""A recording of raw frames, replayed as it was sent; cut short here, whole in the slow test."""

import gzip
from decimal import Decimal
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import pytest

from genesis.domain.recording import RecordingError
from genesis.edge.recordings import text_lines
from genesis.simulator.frame_tape import RecordedBook, tape
from genesis.simulator.recordings import FrameRecording, load
from genesis.simulator.replay_driver import MAX_SPEED
from protocols.bitfinex.wire_book import LevelBook
from protocols.units import Side, Symbol

NAME = "2018-11-12-tBTCUSD"
BTC = Symbol("tBTCUSD")


def shipped_lines(count: int) -> list[str]:
    recording = load(NAME)
    assert isinstance(recording, FrameRecording)
    return list(islice(text_lines(recording.path, recording.data), count))


def written(folder: Path, lines: list[str]) -> FrameRecording:
    path = folder / "cut.frames.jsonl.gz"
    path.write_bytes(gzip.compress("".join(lines).encode()))
    recording = load(str(path))
    assert isinstance(recording, FrameRecording)
    return recording


@pytest.fixture(scope="module")
def cut(tmp_path_factory: pytest.TempPathFactory) -> FrameRecording:
    return written(tmp_path_factory.mktemp("frames"), shipped_lines(40_000))


def test_times_ascend_and_agree_with_the_trades(cut: FrameRecording) -> None:
    frames = list(tape(cut))
    assert all(early.time_ms <= late.time_ms for early, late in pairwise(frames))
    trades = [(frame.time_ms, frame.trade.time_ms) for frame in frames if frame.trade is not None]
    assert len(trades) > 30
    assert all(estimate >= stamp for estimate, stamp in trades)
    beats = [frame.time_ms for frame in frames if frame.frame[1] == "hb" and frame.channel.channel == "book"]
    steps = [late - early for early, late in pairwise(beats)]
    # About 7.5 s as measured; a single estimate may be off by a few.
    assert 7_000 < sum(steps) / len(steps) < 8_000


def test_the_recorded_book_is_never_crossed_and_forgets_what_was_taken() -> None:
    book = RecordedBook()
    book.snapshot([[100, 1, 2], [99, 1, 3], [101, 1, -1], [102, 1, -5]])
    assert book.levels(Side.SELL) == [(Decimal("101"), Decimal("1")), (Decimal("102"), Decimal("5"))]
    book.take(Side.SELL, Decimal(101), Decimal("0.4"))
    assert book.levels(Side.SELL)[0] == (Decimal("101"), Decimal("0.6"))
    book.take(Side.SELL, Decimal(101), Decimal("0.6"))
    assert book.levels(Side.SELL)[0][0] == 102
    book.update([101, 2, -3])
    assert book.levels(Side.SELL)[0] == (Decimal("101"), Decimal("3"))


async def test_who_asks_for_the_recorded_cut_hears_the_recorded_bytes(open_world: Any, cut: FrameRecording) -> None:
    recorded = [frame.text for frame in tape(cut) if frame.channel.channel == "book" and frame.frame[1] != "hb"]
    books = {}
    async with open_world(recording=cut) as world, world.talker() as talker:
        await talker.ask({"event": "conf", "flags": 131072})
        number, _ = await talker.subscribe("book", symbol="tBTCUSD", len="100")
        for length in ("1", "25"):
            other, _ = await talker.subscribe("book", symbol="tBTCUSD", len=length)
            books[other] = LevelBook()
        books[number] = LevelBook()
        candles, _ = await talker.subscribe("candles", key="trade:1m:tBTCUSD")
        await talker.authenticate()
        world.nursery.start_soon(world.exchange.replay, MAX_SPEED)
        heard = []
        sums = 0
        while not (world.exchange.ended.is_set() and world.exchange.sent_frames == len(talker.heard) + 1):
            frame = await talker.hear()
            book = books.get(frame[0]) if isinstance(frame, list) else None
            if book is None or frame[1] == "hb":
                continue
            if frame[1] == "cs":
                assert book.checksum() == frame[2]
                sums += 1
            else:
                book.apply(frame[1], talker.raw[-1])
                assert not book.is_crossed
                if frame[0] == number:
                    heard.append(talker.raw[-1])
        assert sums > 20
        assert any(isinstance(frame, list) and frame[0] == candles and frame[1] != "hb" for frame in talker.heard)
        # The snapshot comes as updates here, because the client was there before the recording began.
        tails = [text.partition(",")[2] for text in heard]
        assert tails[-2_000:] == [text.partition(",")[2] for text in recorded[-2_000:]]


async def test_orders_walk_the_recorded_book(open_world: Any, cut: FrameRecording) -> None:
    async with open_world(recording=cut) as world, world.talker() as talker:
        await talker.authenticate()
        await world.exchange.replay(MAX_SPEED, wait_for_clients=False)
        best, second = world.exchange.market.sources[BTC]()[1][:2]
        # Asks carry a minus; a thousandth more than the best level holds must come from the next.
        notice = await talker.order(amount=str(round(0.001 - best.amount, 8)))
        assert notice[6] == "SUCCESS"
        assert (await talker.account("oc"))[13].startswith("EXECUTED @")
        prices = [float(trade.price) for trade in world.exchange.snapshot("alice").trades]
        assert prices == [best.price, second.price]
        # What was taken is gone: the next order starts behind it.
        await talker.order(cid=2, amount="0.001")
        await talker.account("oc")
        assert float(world.exchange.snapshot("alice").trades[-1].price) == second.price


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("[81568,[6433.9,0]]\n", "book frame must hold"),
        ('[81568,["a",0,1]]\n', "book frame must hold"),
        ("[81568,[6433.9,0,0]]\n", "book frame must hold"),
        ('[5262,"te",[1,2,3]]\n', "trade must be"),
        ("nonsense\n", "must be a JSON frame"),
        ("[1]\n", "frame must be an event or"),
    ],
)
def test_a_broken_line_is_told_with_its_number(tmp_path: Path, line: str, reason: str) -> None:
    lines = shipped_lines(300)
    recording = written(tmp_path, [*lines, line])
    with pytest.raises(RecordingError, match=reason) as caught:
        list(tape(recording))
    assert caught.value.line == 301


@pytest.mark.slow
def test_the_whole_recording_keeps_an_uncrossed_book() -> None:
    recording = load(NAME)
    assert isinstance(recording, FrameRecording)
    book = RecordedBook()
    count = last_ms = 0
    for frame in tape(recording):
        assert frame.time_ms >= last_ms
        last_ms = frame.time_ms
        if frame.channel.channel == "book" and frame.frame[1] != "hb":
            if isinstance(frame.frame[1][0], list):
                book.snapshot(frame.frame[1])
            else:
                book.update(frame.frame[1])
                count += 1
            assert not book.book.is_crossed
    assert (count, book.book.unknown_deletes) == (904_852, 0)
