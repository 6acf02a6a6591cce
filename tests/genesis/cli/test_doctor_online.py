"""The doctor asks the venue what only the venue knows, and nothing that it cannot say stops a start."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio

from genesis.cli.doctor_online import online
from genesis.cli.findings import Finding
from genesis.core.chance import Chance
from genesis.core.clock import TrioClock
from genesis.edge.user_dir import UserDir
from genesis.simulator.exchange import Exchange
from genesis.simulator.recordings import load
from genesis.simulator.settings import DEFAULT_KEY, DEFAULT_SECRET, ExchangeSettings
from protocols.settings import Settings, VenueSettings


@contextmanager
def an_exchange() -> Iterator[str]:
    """An exchange in a thread of its own: the command runs a loop of its own in this one."""
    import threading

    address: list[Any] = []
    up, over = threading.Event(), threading.Event()

    async def serve() -> None:
        exchange = Exchange(ExchangeSettings(), load("2015-08-flash"), TrioClock(), Chance(1).port("venue"))
        async with trio.open_nursery() as nursery:
            address.append(await nursery.start(exchange.serve, "127.0.0.1", 0))
            up.set()
            await trio.to_thread.run_sync(over.wait)
            nursery.cancel_scope.cancel()

    thread = threading.Thread(target=trio.run, args=(serve,))
    thread.start()
    assert up.wait(20)
    try:
        yield address[0].rest
    finally:
        over.set()
        thread.join(20)


def settings_of(address: str) -> Settings:
    return Settings(venue=VenueSettings(public_rest_url=address, private_rest_url=address))


def asked(tmp_path: Path, address: str, **environment: str) -> dict[str, Finding]:
    home = UserDir(tmp_path)
    home.create()
    return {one.name: one for one in online(home, settings_of(address), environment)}


def test_a_venue_that_is_there_and_a_good_key_are_told(tmp_path: Path) -> None:
    keys = {"BITFINEX_API_KEY": DEFAULT_KEY, "BITFINEX_API_SECRET": DEFAULT_SECRET}
    with an_exchange() as address:
        found = asked(tmp_path, address, **keys)
    assert found["venue"].level == "ok"
    assert found["key"].level == "ok"
    assert "cannot withdraw" in found["key"].detail


def test_a_key_that_the_venue_does_not_know_is_told(tmp_path: Path) -> None:
    keys = {"BITFINEX_API_KEY": "nobody", "BITFINEX_API_SECRET": "nothing-at-all"}
    with an_exchange() as address:
        found = asked(tmp_path, address, **keys)
    assert found["key"].level in ("warn", "bad")
    assert "nothing-at-all" not in json.dumps(msgspec.to_builtins([vars_of(one) for one in found.values()]))


def vars_of(finding: Finding) -> dict[str, str]:
    return {"name": finding.name, "level": finding.level, "detail": finding.detail, "advice": finding.advice}


@pytest.mark.parametrize("address", ["http://127.0.0.1:1", "https://venue.invalid"])
def test_nobody_there_is_a_warning(tmp_path: Path, address: str) -> None:
    found = asked(tmp_path, address)
    assert [one.level for one in found.values()] == ["warn"]
    assert "sim does not" in found["venue"].advice
