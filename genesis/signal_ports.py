"""What the web may ask about signals, in the words it speaks: a search through the journal, off the loop."""

from pathlib import Path
from typing import Final

import trio

from genesis.domain.decision_log import SIGNAL_KIND
from genesis.domain.signal_search import SignalHunt, SignalSearch, SignalsFound
from genesis.edge.store import ReadOnlyStore
from protocols.journal import ReadRecords
from web.signal_ports import SignalPorts

PAGE: Final = 5_000
SEARCHED: Final = 100_000
"""How many of the newest scores one search looks through: about a second in a thread of its own."""


def search_signals(journal: Path, asked: SignalSearch) -> SignalsFound:
    """Look through the journal, newest first, until the page is full and the time that was asked for is behind."""
    hunt = SignalHunt(asked=asked)
    before: int | None = None
    with ReadOnlyStore.open(journal) as store:
        while hunt.searched < SEARCHED:
            question = ReadRecords(kinds=(SIGNAL_KIND,), before_seq=before, limit=PAGE, newest_first=True)
            records = store.read_records(question).records
            hunt.take(records)
            if len(records) < PAGE:
                hunt.complete = True
                break
            before = records[-1].seq
    return hunt.found()


def signal_ports(journal: Path) -> SignalPorts:
    limiter: list[trio.CapacityLimiter] = []

    async def search(asked: SignalSearch) -> SignalsFound:
        if not limiter:
            # Made on first use: before there is a loop there can be none. Two searches at a time are enough for people.
            limiter.append(trio.CapacityLimiter(2))
        return await trio.to_thread.run_sync(search_signals, journal, asked, limiter=limiter[0])

    return SignalPorts(search=search)
