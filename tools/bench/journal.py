"""How many durable intents the journal actor writes a second, and how long one waits for the disk.

    python -m tools.bench.journal [rounds]

64 askers at once (one transaction for all that wait), then one after the other. The limit is the same disk synchronised
by hand, one record at a time, without a database or a chain.
"""

import os
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import trio

from actors.journal import JournalActor
from genesis.core.clock import TrioClock
from genesis.core.mailbox import Channel, Mailbox, Overflow
from genesis.core.supervisor import ChildSpec, Supervisor, SupervisorSpec
from genesis.edge.store import Store
from genesis.edge.store_thread import StoreThread
from protocols.journal import Commit, Record
from tools.bench._figures import tell

ASKERS: Final = 64
EACH: Final = 40
ALONE: Final = 100
PAYLOAD: Final = b'{"intent_id":"bench","quantity":"0.01","symbol":"tBTCUSD","why":"' + b"x" * 240 + b'"}'


def intent(number: int) -> Commit:
    record = Record(kind="Intent", key=str(number), payload=PAYLOAD, correlation_id="bench", at_ms=number)
    return Commit(writer="bench", records=(record,))


async def measure(directory: Path) -> tuple[float, float]:
    """(intents a second with many in flight, median seconds of one alone)."""
    store = StoreThread(Store.open(directory / "bench.sqlite", at_ms=1))
    channel = Channel[Commit]("journal", Overflow.BLOCK)
    child = ChildSpec(
        id="journal", start=lambda: JournalActor(store=store), mailbox=Mailbox("journal", [channel]), shutdown_s=5.0
    )
    spec = SupervisorSpec(id="bench", children=(child,))
    supervisor = Supervisor(spec, clock=TrioClock(), chance=random.Random(1), on_event=lambda _: None)  # noqa: S311
    took: list[float] = []

    async def ask(first: int) -> None:
        for number in range(first, first + EACH):
            await channel.ask(intent(number))

    async with trio.open_nursery() as nursery:
        await nursery.start(supervisor.run)
        began = time.perf_counter()
        async with trio.open_nursery() as askers:
            for asker in range(ASKERS):
                askers.start_soon(ask, asker * EACH)
        together = ASKERS * EACH / (time.perf_counter() - began)
        for number in range(ALONE):
            began = time.perf_counter()
            await channel.ask(intent(ASKERS * EACH + number))
            took.append(time.perf_counter() - began)
        await supervisor.stop()
    await store.close()
    return together, statistics.median(took)


def by_hand(directory: Path) -> float:
    """Median seconds of one record appended and synchronised."""
    took: list[float] = []
    with (directory / "bench.log").open("ab", buffering=0) as file:
        for _ in range(ALONE):
            began = time.perf_counter()
            file.write(PAYLOAD)
            os.fdatasync(file.fileno())
            took.append(time.perf_counter() - began)
    return statistics.median(took)


def main() -> int:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as name:
            directory = Path(name)
            sync_s = by_hand(directory)
            together, alone_s = trio.run(measure, directory)
            beside_name = "fdatasync by hand"
            tell("durable intents, 64 in flight", together, "intents/s", beside=1 / sync_s, beside_name=beside_name)
            tell("durable intent, alone, p50", alone_s * 1e3, "ms", beside=sync_s * 1e3, beside_name=beside_name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
