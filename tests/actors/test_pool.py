"""Streams come and go while the engine runs: settings change, sockets subscribe and unsubscribe, nothing else moves."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import msgspec
import pytest
import trio

from actors import pool
from genesis.engine import Engine
from protocols.config import SetSettings, SettingsApplied
from protocols.settings import Settings
from protocols.units import Symbol
from tests.house import House, house, lively_layer, piece_of

ETH = Symbol("tETHUSD")
LEFT = 60.0


def carried(engine: Engine) -> list[set[str]]:
    return [{stream.name for stream in share.value} for share in engine.shares]


async def until(truth: object, within_s: float = LEFT) -> None:
    with trio.fail_after(within_s):
        while not truth():  # type: ignore[operator]  # noqa: ASYNC110 - what is waited for has no event
            await trio.sleep(0.02)


def only_btc(settings: Settings) -> Settings:
    return msgspec.structs.replace(settings, market=msgspec.structs.replace(settings.market, symbols=("tBTCUSD",)))


async def test_a_pair_that_is_wanted_no_more_is_left_and_taken_up_again(tmp_path: Path) -> None:
    async with house(tmp_path, recording=piece_of(minutes=5), layer=lively_layer()) as here:
        await here.ready()
        both, sockets = carried(here.engine), _sockets(here)
        cell, full = here.engine.cells.settings, here.engine.cells.settings.value
        cell.set(only_btc(full))
        await until(lambda: here.exchange.market.counts("ticker") == 1)
        await until(lambda: ETH not in here.engine.cells.market.value.tickers)
        await until(lambda: all(one.symbol != ETH for one in here.engine.cells.market.value.freshness))
        await until(lambda: not any("tETHUSD" in name for share in carried(here.engine) for name in share))
        cell.set(full)
        await until(lambda: here.exchange.market.counts("ticker") == 2)
        await until(lambda: ETH in here.engine.cells.market.value.tickers)
        await until(lambda: carried(here.engine) == both)
        # Nobody had to dial again for it.
        assert _sockets(here) == sockets
        await here.replay()


async def test_more_than_one_socket_can_carry_goes_to_the_spare_one(tmp_path: Path) -> None:
    async with house(tmp_path, recording=piece_of(minutes=5), layer=lively_layer()) as here:
        await here.ready()
        engine = here.engine
        assert [bool(share) for share in carried(engine)] == [True, False, False, False]
        cell, full = engine.cells.settings, engine.cells.settings.value
        cell.set(
            msgspec.structs.replace(
                full,
                market=msgspec.structs.replace(full.market, timeframes=("1m", "5m", "15m", "30m", "1h", "3h")),
                connection=msgspec.structs.replace(full.connection, channels_per_socket=13),
            )
        )
        await until(lambda: here.exchange.market.counts("candles") == 12)
        assert [len(share) for share in carried(engine)] == [13, 5, 0, 0]
        await until(engine.ready_to_trade)
        assert all(stats.up for stats in engine.stats.values())
        # Further pairs open further sockets, as many as the setting allows; then somebody hears of it.
        many = tuple(f"t{name}USD" for name in ("BTC", "ETH", "LTC", "XRP", "EOS", "NEO", "IOT"))
        grown = msgspec.structs.replace(cell.value.market, symbols=many, timeframes=("1m", "5m"))
        cell.set(msgspec.structs.replace(cell.value, market=grown))
        await until(lambda: sum(len(share) for share in carried(engine)) == 35)
        assert all(carried(engine)), carried(engine)
        alarms = [notice.text for notice in engine.readers.notices() if notice.code == "pool_full"]
        assert alarms == []
        smaller = msgspec.structs.replace(cell.value.connection, channels_per_socket=5)
        cell.set(msgspec.structs.replace(cell.value, connection=smaller))
        await until(lambda: any(notice.code == "pool_full" for notice in engine.readers.notices()))


async def test_a_setting_that_the_user_changes_is_enough(tmp_path: Path) -> None:
    async with house(tmp_path, recording=piece_of(minutes=5), layer=lively_layer()) as here:
        await here.ready()
        wish = SetSettings(
            changes={"market.timeframes": ["1m", "5m"]}, actor="test", reason="more", correlation_id="test"
        )
        answer = await here.engine.set_settings(wish)
        assert isinstance(answer, SettingsApplied), answer
        assert answer.pending == ()
        await until(lambda: here.exchange.market.counts("candles") == 4)


def _sockets(here: House) -> list[int]:
    return [stats.sockets for stats in here.engine.stats.values()]


async def test_the_venue_changes_the_sizes_of_a_pair_and_delists_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An engine that does not ask sends orders that the venue refuses, and keeps entering what is gone."""
    monkeypatch.setattr(pool, "PAIRS_EVERY_S", 0.05)

    def of_a_venue_that_changes(engine: Engine) -> None:
        engine.venue = attrs.evolve(engine.venue, changes_pairs=True)

    recording = piece_of(minutes=5)
    async with house(tmp_path, recording=recording, layer=lively_layer(), prepare=of_a_venue_that_changes) as here:
        await here.ready()
        specs: Any = here.exchange.venue.specs
        theirs, pairs, btc = dict(specs), here.engine.cells.pairs, Symbol("tBTCUSD")
        pairs.set(dict(pairs.value))
        specs[btc] = attrs.evolve(specs[btc], minimum=Decimal("0.5"))
        await until(lambda: pairs.value[btc].minimum == Decimal("0.5"))
        del specs[ETH]
        await until(lambda: not pairs.value[ETH].is_listed)

        def notices() -> dict[str, str]:
            return {notice.code: notice.text for notice in here.engine.readers.notices()}

        # What is for people comes behind what it is about.
        await until(lambda: {"pair_sizes", "pair_gone"} <= notices().keys())
        told = notices()
        assert "0.5 to 2000 BTC now, was 0.00004" in told["pair_sizes"]
        assert "tETHUSD" in told["pair_gone"]
        specs.update(theirs)
        await until(lambda: pairs.value[ETH].is_listed and pairs.value[btc].minimum == theirs[btc].minimum)
