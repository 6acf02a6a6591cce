"""What a public frame costs from bytes to cache: microseconds of CPU a message over the recorded day of 2018.

    python -m tools.bench.decode [rounds] [--batch 64] [--frames 300000]

The session decodes, checks sequence numbers and time stamps, keeps the book with its number text and tells events; the
cache beside it keeps the newest ticker, top, trade and candle of each stream. Then the same with stamps and numbers on
(frames rewritten), and a mixed feed of ticker, trades, candles and book. Medians; the bare decoder is the floor.
"""

import argparse
import gzip
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from protocols.bitfinex.events import FLAG_CHECKSUM, FLAG_SEQ_ALL, FLAG_TIMESTAMP, conf_answer, subscribed_event
from protocols.bitfinex.session import PublicSession
from protocols.bitfinex.subscriptions import candles, ticker, trades
from protocols.market import BookTop, CandleUpdate, Ticker, TradePrint
from tools.bench._figures import tell

RECORDING = Path(__file__).parents[2] / "genesis/simulator/recordings/2018-11-12-tBTCUSD.frames.jsonl.gz"
AFTER_MS = 1_542_153_600_000
"""When all of the recorded day is over: what is stamped before its own trades is refused."""


def recording() -> list[bytes]:
    """The frames of the day, which the simulator ships to replay."""
    return gzip.decompress(RECORDING.read_bytes()).splitlines()


def numbered(frames: Sequence[bytes]) -> list[bytes]:
    """The same frames as a socket with SEQ_ALL and TIMESTAMP would have sent them."""
    told: list[bytes] = []
    sequence = 0
    for frame in frames:
        if frame.startswith(b"["):
            sequence += 1
            frame = b"%s,%d,%d]" % (frame[:-1], sequence, AFTER_MS + sequence * 20)
        told.append(frame)
    return told


def mixed(frames: Sequence[bytes]) -> list[bytes]:
    """Of eight frames five book updates, one ticker, one candle and one trade."""
    told = [
        subscribed_event(stream, number)
        for stream, number in ((ticker("tETHUSD"), 11), (candles("tETHUSD", "1m"), 12), (trades("tETHUSD"), 13))
    ]
    told += [b"[12,[[1542045600000,210,211,212,209,5.5]]]", b"[13,[]]"]
    for index, frame in enumerate(frames):
        told.append(frame)
        if index % 5 == 4:
            price = 200 + index % 100
            told.append(b"[11,[%d.1,53.5,%d.3,18.25,-3.5,-0.0167,%d.2,83021.5,216.4,207.9]]" % (price, price, price))
            told.append(b"[12,[1542045600000,210.5,%d.25,330.5,100.25,%d.125]]" % (price, index))
            told.append(b'[13,"te",[%d,1542045600123,-0.4251,%d.75]]' % (index + 1, price))
    return told


def bare(frames: Sequence[bytes], batch: int) -> None:
    """The floor: untyped decoding alone."""
    decode = msgspec.json.Decoder().decode
    for frame in frames:
        decode(frame)


def keep(frames: Sequence[bytes], batch: int, flags: int = 0) -> None:
    """Session and caches, `batch` frames a read."""
    session = PublicSession(session=1)
    session.receive(conf_answer(flags), 0)
    newest: dict[tuple[type, str], object] = {}
    for begin in range(0, len(frames), batch):
        for event in session.receive_many(frames[begin : begin + batch], begin):
            kind = event.__class__
            if kind is BookTop or kind is Ticker or kind is TradePrint:
                newest[kind, event.symbol] = event  # type: ignore[union-attr]
            elif kind is CandleUpdate:
                newest[kind, event.candle.symbol] = event  # type: ignore[union-attr]
    if session.tolerance.refused or session.audit.gaps:
        raise SystemExit(f"refused {session.tolerance.refused}, gaps {session.audit.gaps}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rounds", nargs="?", type=int, default=5)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--frames", type=int, default=300_000)
    options = parser.parse_args()
    frames = recording()[: options.frames]
    every = FLAG_SEQ_ALL | FLAG_TIMESTAMP | FLAG_CHECKSUM
    with_numbers, with_others = numbered(frames), mixed(frames)
    cases: dict[str, tuple[Sequence[bytes], Callable[[Sequence[bytes], int], None]]] = {
        "bare decoder": (frames, bare),
        "recorded day, all caches": (frames, keep),
        "with numbers, stamps, checksum text": (with_numbers, lambda told, batch: keep(told, batch, every)),
        "mixed feed, all caches": (with_others, keep),
    }
    took: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(options.rounds):
        for name, (told, run) in cases.items():
            began = time.process_time()
            run(told, options.batch)
            took[name].append((time.process_time() - began) / len(told) * 1e6)
    medians = {name: statistics.median(values) for name, values in took.items()}
    floor = medians["bare decoder"]
    for name, median in medians.items():
        tell(f"decode, {name}", median, "us CPU/message", beside=floor, beside_name="bare decoder")
    return 0


if __name__ == "__main__":
    sys.exit(main())
