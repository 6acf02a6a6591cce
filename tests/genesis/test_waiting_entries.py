"""An entry that waits for its line in a running house while a person or its own strategy shuts the door on it."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trio

from genesis.domain.candles import series_key
from genesis.domain.settings_build import Layer
from genesis.edge.store import ReadOnlyStore
from genesis.research.replay import REPLAYED_KINDS, replay
from genesis.simulator.faults import FaultKind, FaultRule
from genesis.user_strategies import UserStrategies
from protocols.journal import ReadRecords
from protocols.orders import OrderState, OrderView
from protocols.signals import Recommendation, SignalScore
from protocols.units import Symbol
from tests.genesis.test_user_strategies import GOOD
from tests.house import House, house, lively_layer, piece_of
from tests.web.fakes import a_web

SYMBOL = Symbol("tBTCUSD")


def a_layer() -> Layer:
    """A strategy of the user's that buys nothing of itself in this piece, and time enough to wait."""
    layer = lively_layer()
    mine = {
        "name": "dip",
        "kind": "rsi_dip",
        "symbol": SYMBOL,
        "timeframe": "1m",
        "parameters": {"period": 5, "dip": 1},
    }
    layer.values["strategies"] = [mine]  # type: ignore[index]
    layer.values["risk.signal_max_age_s"] = 3600.0  # type: ignore[index]
    return layer


async def ask(here: House, method: str, path: str, **body: object) -> None:
    async with a_web(readers=here.engine.readers, controls=here.engine.controls).client() as http:
        answer = await http.request(method, path, json=body)
    assert answer.status_code in (200, 202), answer.text


async def disable(here: House, _: Path) -> None:
    await ask(here, "PATCH", "/api/v2/strategies/dip", enabled=False, reason="enough")


async def lock(here: House, _: Path) -> None:
    await ask(here, "POST", "/api/v2/risk/unified/locks", strategy="dip", reason="enough")


async def spoil(_: House, file: Path) -> None:
    file.write_text("class X(")  # noqa: ASYNC240 - a few bytes


DOORS: tuple[tuple[Callable[[House, Path], Awaitable[None]], str], ...] = (
    (disable, "not sent: dip was disabled before it could leave"),
    (lock, "not sent: entries in dip were locked by manual before it could leave: enough"),
    (spoil, "not sent: dip failed before it could leave: "),
)


def says_buy(here: House) -> SignalScore:
    status = here.engine.cells.risk.value
    assert status is not None
    mark = here.engine.cells.market.value.series[series_key(SYMBOL, "1m")].candles[-1].close
    return SignalScore(
        signal_id="dip:the-test-says-so",
        strategy="dip",
        symbol=SYMBOL,
        timeframe="1m",
        candle_open_ms=status.now_ms,
        decided_ms=status.now_ms + 60_000,
        price=mark,
        recommendation=Recommendation.BUY,
        confidence=0.5,
        probability=0.5,
        source="test/1",
        features={},
        reasons=(),
        catch_up=False,
        correlation_id="the-test-says-so",
        received_ns=here.engine.clock.now_ns(),
    )


@pytest.mark.parametrize(("shut", "reason"), DOORS, ids=lambda each: getattr(each, "__name__", ""))
async def test_it_ends_with_the_reason_and_never_reaches_the_venue(
    tmp_path: Path, shut: Callable[[House, Path], Awaitable[None]], reason: str
) -> None:
    files = tmp_path / "strategies"
    files.mkdir()
    file = files / "rsi_dip.py"
    file.write_text(GOOD)
    own = UserStrategies(files)
    own.refresh()
    try:
        async with house(tmp_path, recording=piece_of(minutes=5), layer=a_layer(), user_strategies=own) as here:
            await here.replay()
            await here.all_orders_known()
            orders = here.engine.cells.orders

            async def until(what: Callable[[], bool]) -> None:
                with trio.fail_after(60):
                    while not what():  # noqa: ASYNC110 - cells, and a file that is looked for now and then
                        await trio.sleep(0.005)

            # No login is answered any more, and the socket that was up is cut.
            here.exchange.faults.add(FaultRule(kind=FaultKind.LOSE, times=None, contains='"event":"auth"'))
            here.exchange.faults.drop(private=True)
            await until(lambda: not orders.value.ready)
            here.engine.channels.scores.put_nowait(says_buy(here))
            await until(lambda: any(each.strategy == "dip" for each in orders.value.open))
            (waits,) = orders.value.open
            assert waits.state is OrderState.INTENT

            await shut(here, file)

            def ended() -> list[OrderView]:
                return [each for each in orders.value.ended if each.cid == waits.cid]

            await until(lambda: bool(ended()))
            (end,) = ended()
            assert end.state is OrderState.REJECTED
            assert end.reason.startswith(reason)
            here.exchange.faults.clear()
            await until(lambda: orders.value.ready)
            await here.all_orders_known()
            assert waits.cid not in here.exchange.snapshot().orders_by_cid
    finally:
        own.close()
    with ReadOnlyStore.open(tmp_path / "sim.sqlite") as store:
        kept = store.read_records(ReadRecords(kinds=("OrderUpdate",), limit=1_000)).records
        assert [row for row in kept if reason.encode() in row.record.payload]
        rows = store.read_records(ReadRecords(kinds=REPLAYED_KINDS, limit=1_000_000)).records
    report = replay(rows)
    assert report.equal, report
    assert report.states > 0
