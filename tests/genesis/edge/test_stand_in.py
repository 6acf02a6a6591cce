"""When sessions over REST begin: at once where one is due, and later each time where the venue refuses the key."""

import itertools
import random
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import trio
from trio.testing import MockClock

from genesis.core.clock import TrioClock
from genesis.domain.rest_budget import RestBudget
from genesis.edge.http import HttpClient
from genesis.edge.narrow_line import NarrowLine
from genesis.edge.nonce import NonceOwner
from genesis.edge.rest import RestDoor, RestKey
from genesis.edge.secrets import Secret
from genesis.edge.send_ledger import SendLedger
from genesis.edge.stand_in import StandIn
from protocols.bitfinex.rest import error_body
from tests.genesis.edge.scripted_http import Answer, scripted_http

UNKNOWN_KEY = error_body(10100, "apikey: invalid")


async def never_numbered() -> int:
    raise AssertionError("no session begins")


async def never_lives(line: NarrowLine, dial_at: float) -> None:
    raise AssertionError("no session begins")


async def test_a_key_that_is_refused_for_days_is_asked_for_as_long(autojump_clock: MockClock, tmp_path: Path) -> None:
    autojump_clock.autojump_threshold = 0.002
    told: list[str] = []
    async with scripted_http() as server, HttpClient(server.url) as client:
        nonce = NonceOwner(tmp_path / "nonce", lambda: 1_700_000_000_000_000)
        key = RestKey(key="genesis-test-key", secret=Secret("genesis-test-secret"), nonce=nonce)
        door, clock = RestDoor(client, client, RestBudget(), TrioClock(), random.Random(3), key), TrioClock()
        server.otherwise = lambda heard: Answer(status=500, body=UNKNOWN_KEY)
        ctx: Any = SimpleNamespace(clock=clock, outside=nullcontext())
        stand_in = StandIn(away_since=clock.now())
        # As after months with such a key: the pause is not reckoned with numbers that no float holds.
        stand_in._refused = 2_000
        await stand_in.pause(
            ctx,
            1_000.0,
            door=door,
            ledger=SendLedger(),
            books=None,
            number=never_numbered,
            live=never_lives,
            refused=told.append,
        )
        nonce.close()
    assert 3 <= len(server.heard) <= 4, "every 300 s"
    assert told == [], "that was told at the first"


async def test_one_that_is_due_begins_by_a_clock_that_moves_between_two_looks(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    """As every real clock does, and no world's: what is left until now is a little less than nothing by then."""
    autojump_clock.autojump_threshold = 0.002
    told: list[str] = []
    looks = itertools.count()
    async with scripted_http() as server, HttpClient(server.url) as client:
        nonce = NonceOwner(tmp_path / "nonce", lambda: 1_700_000_000_000_000)
        key = RestKey(key="genesis-test-key", secret=Secret("genesis-test-secret"), nonce=nonce)
        clock = TrioClock(lambda: trio.current_time() + next(looks) * 1e-6)
        door = RestDoor(client, client, RestBudget(), clock, random.Random(3), key)
        server.otherwise = lambda heard: Answer(status=500, body=UNKNOWN_KEY)
        ctx: Any = SimpleNamespace(clock=clock, outside=nullcontext())
        await StandIn(away_since=clock.now() - 60.0).pause(
            ctx,
            5.0,
            door=door,
            ledger=SendLedger(),
            books=None,
            number=never_numbered,
            live=never_lives,
            refused=told.append,
        )
        nonce.close()
    assert len(server.heard) == 1
    assert len(told) == 1
