"""A paper shadow in a whole engine: what it decides, what it never does, and that nothing of it is lost."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio

from genesis.core.supervisor import EventKind
from genesis.domain.decision_log import decision_line
from genesis.domain.paper_records import BEGAN, PAPER_FILL, PAPER_ORDER, PAPER_SCORE, PAPER_VERDICT
from genesis.domain.recording import CandleRecording
from genesis.domain.settings_build import Layer
from genesis.domain.shadow_book import TABLES, ShadowBook
from genesis.research.backtest import run_backtest
from genesis.research.parity import compare
from genesis.simulator.settings import ExchangeSettings
from protocols.config import (
    EndRollout,
    Metric,
    PaperTerms,
    Rollback,
    RolloutPlan,
    RolloutStatus,
    SetSettings,
    SettingsApplied,
    StartRollout,
)
from protocols.health import Notice
from protocols.journal import ReadCells, ReadRecords
from protocols.orders import Fill, SubmitOrder
from protocols.risk import DenialCode, TradingState, Verdict
from protocols.settings import StrategySettings
from protocols.shadow import ShadowBegan, ShadowView
from protocols.signals import SignalScore
from tests.house import House, check_books, decision_lines, house, lively_layer, piece_of, settings_of

WHO: dict[str, Any] = {"actor": "tester", "reason": "a test"}
LIVE: list[dict[str, Any]] = msgspec.convert(lively_layer().values["strategies"], list[dict[str, Any]])
TWIN = {**LIVE[0], "name": "btc-paper"}


def a_plan(strategies: list[dict[str, Any]], **fields: Any) -> RolloutPlan:
    given: dict[str, Any] = {
        "name": "tried",
        "changes": {"strategies": strategies},
        "shadow": True,
        "metric": Metric.LOSS,
        "threshold": 0.5,
        "duration_s": 86_400.0,
        "min_samples": 3,
    }
    return RolloutPlan(**{**given, **fields})


async def begin(here: House, wanted: RolloutPlan) -> int:
    """Start it, and wait until its shadow is there."""
    answer = await here.engine.set_settings(StartRollout(plan=wanted, correlation_id=f"begin-{wanted.name}", **WHO))
    assert isinstance(answer, SettingsApplied), answer
    await shown(here)
    return answer.version


async def shown(here: House) -> ShadowView:
    cell = here.engine.cells.shadow
    with trio.fail_after(60):
        while cell.value is None:
            await cell.changed(cell.version)
    return cell.value


async def counted(here: House) -> RolloutStatus:
    """The figures once the rollout actor has counted all that there is."""
    cell = here.engine.cells.rollout
    with trio.fail_after(60):
        await here.pacer.settled()
        # What it says next it may have counted before; what it says after that it counted then.
        for _ in range(2):
            if cell.value is None or not cell.value.verdict:
                await cell.changed(cell.version)
    assert cell.value is not None
    return cell.value


async def figures(here: House) -> tuple[RolloutStatus, ShadowView]:
    """What was counted of it and what it shows of itself, once both are of the same moment: it shows itself a few times
    a second."""
    with trio.fail_after(60):
        while True:
            status, view = await counted(here), here.engine.cells.shadow.value
            assert status.paper is not None
            if view is not None and abs(status.paper.shadow.pnl - (view.equity - status.paper.cash)) < Decimal("0.01"):
                return status, view


def kept(here: House, *kinds: str) -> list[Any]:
    """What the journal has of the shadow."""
    types: dict[str, Any] = {
        BEGAN: ShadowBegan,
        PAPER_SCORE: SignalScore,
        PAPER_VERDICT: Verdict,
        PAPER_ORDER: SubmitOrder,
        PAPER_FILL: Fill,
    }
    records = here.store.store.read_records(ReadRecords(kinds=kinds, limit=1_000_000)).records
    return [msgspec.json.decode(each.record.payload, type=types[each.record.kind]) for each in records]


def live_cells(here: House) -> list[Any]:
    """What is kept of the live trading."""
    tables = ("orders", "account_state", "risk_state", "signal_state")
    return [cell for table in tables for cell in here.store.store.read_cells(ReadCells(table=table)).cells]


def own_cells(here: House) -> list[Any]:
    return [cell for table in TABLES for cell in here.store.store.read_cells(ReadCells(table=table)).cells]


def lines(here: House) -> list[bytes]:
    """The shadow's decisions as a backtest writes its own; settings have another number there."""
    made = kept(here, PAPER_SCORE, PAPER_VERDICT, PAPER_ORDER)
    return [decision_line(_of_version_one(each)) for each in made]


def _of_version_one(made: Any) -> Any:
    return msgspec.structs.replace(made, settings_version=1) if isinstance(made, Verdict) else made


async def test_a_shadow_decides_what_a_backtest_of_the_same_stretch_decides(tmp_path: Path) -> None:
    recording, layer = piece_of(minutes=240, skip=600), lively_layer()
    async with house(tmp_path, recording=recording, layer=layer) as here:
        await here.ready()
        await begin(here, a_plan([*LIVE, TWIN]))
        await here.replay()
        await here.all_orders_known()
        found = lines(here)
        fills = kept(here, PAPER_FILL)
        check_books(here)
        live = decision_lines(here.store.store)
        beside = live_cells(here)
    strategies = msgspec.convert([TWIN], tuple[StrategySettings, ...])
    alone = msgspec.structs.replace(settings_of(layer), strategies=strategies)
    result = run_backtest(recording, alone)
    news = [each for each in result.decisions if not (isinstance(each, SignalScore) and each.catch_up)]
    expected = [decision_line(each) for each in news]
    report = compare(expected, found)
    assert report.equal, str(report)
    assert [(fill.side, fill.quantity, fill.price, fill.fee) for fill in fills] == [
        (fill.side, fill.quantity, fill.price, fill.fee) for fill in result.fills
    ]
    assert len(fills) > 20
    assert not any(b"btc-paper" in line for line in live)
    assert not any(b"btc-paper" in row.payload for row in beside)


async def test_nothing_of_a_shadow_reaches_the_venue_or_risk(tmp_path: Path) -> None:
    """A shadow that trades much, beside a live side that may not trade at all."""
    layer = Layer(name="test", values={**lively_layer().values, "risk.max_trades_per_symbol": 0})
    free = {"risk.max_trades_per_symbol": 1000, "strategies": LIVE}
    async with house(tmp_path, recording=piece_of(minutes=120, skip=600), layer=layer) as here:
        await here.ready()
        await begin(here, a_plan(LIVE, changes=free))
        await here.replay()
        await here.all_orders_known()
        assert len(kept(here, PAPER_FILL)) > 10
        assert not here.exchange.snapshot().trades
        assert not here.exchange.snapshot().orders_by_cid
        assert here.engine.channels.venue_commands.put_total == 0
        assert here.engine.channels.approved.put_total == 0
        status = await counted(here)
        assert status.paper is not None
        assert status.paper.live.trades == 0
        assert status.paper.live.refusals == status.paper.live.decisions > 0
        assert status.paper.shadow.trades > 3
        assert status.paper.shadow.refusals == 0


async def test_its_figures_are_those_of_its_own_account(tmp_path: Path) -> None:
    fast = [{**LIVE[0], "parameters": {"fast": 2, "slow": 5}}, LIVE[1]]
    async with house(tmp_path, recording=piece_of(minutes=180, skip=600), layer=lively_layer()) as here:
        await here.ready()
        await begin(here, a_plan(fast))
        await here.replay()
        await here.all_orders_known()
        status, view = await figures(here)
        assert status.paper is not None
        assert status.paper.strategies == ("btc-quick",)
        shadow, live = status.paper.shadow, status.paper.live
        assert abs(shadow.pnl - (view.equity - status.paper.cash)) < Decimal("0.01")
        assert shadow.trades > 5
        assert 0 < shadow.won < shadow.trades
        assert status.samples == shadow.trades
        account = here.engine.cells.account.value
        assert account is not None
        mine = [trade for trade in account.trades if trade.symbol == "tBTCUSD"]
        assert live.trades == len(mine)
        assert abs(live.closed_pnl - sum((trade.pnl for trade in mine), Decimal(0))) < Decimal("0.01")


async def test_it_goes_on_over_kills_of_its_actor_and_a_restart(tmp_path: Path) -> None:
    """Three lives in one process and one in the next decide what one life decides."""
    whole, layer = piece_of(minutes=120, skip=600), lively_layer()
    wanted = a_plan([*LIVE, TWIN])
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    async with house(first, recording=whole, layer=layer) as here:
        await here.ready()
        await begin(here, wanted)
        await here.replay()
        await here.all_orders_known()
        expected = lines(here)
        fills = kept(here, PAPER_FILL)
    venue = ExchangeSettings(state=second / "venue")
    async with house(second, recording=whole, layer=layer, venue=venue) as here:
        await here.ready()
        await begin(here, wanted)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_kill_now_and_then, here, whole)
            await here.replay()
        assert len([event for event in here.events if event.kind is EventKind.CRASHED]) == 3
        await here.all_orders_known()
        with trio.fail_after(60):
            while len(lines(here)) < len(expected):  # noqa: ASYNC110 - after its last death it reads what it missed
                await trio.sleep(0.05)
        assert compare(expected, lines(here)).equal
        assert [(one.trade_id, one.price) for one in fills] == [
            (one.trade_id, one.price) for one in kept(here, PAPER_FILL)
        ]
        before, view = await figures(here)
        assert view.gaps >= 1
    async with house(second, recording=whole, layer=layer, venue=venue) as here:
        await shown(here)
        after, again = await figures(here)
        assert after.paper == before.paper
        assert (again.equity, again.balance, again.holdings) == (view.equity, view.balance, view.holdings)
        assert len(kept(here, BEGAN)) == 1


async def _kill_now_and_then(here: House, whole: CandleRecording) -> None:
    """At each quarter of the way, however quick that is."""
    for minutes in (30, 60, 90):
        while here.exchange.venue_ms() < whole.first_ms + minutes * 60_000:  # noqa: ASYNC110 - it has no bell
            await trio.sleep(0.001)
        assert here.engine.supervisor.kill("engine/helpers/shadow", reason="test")


async def test_a_crash_of_the_config_actor_is_no_new_shadow(tmp_path: Path) -> None:
    """It reads the rollout of the journal then, with lists where the command had tuples."""
    layer = lively_layer()
    live = msgspec.to_builtins(settings_of(layer).strategies)
    async with house(tmp_path, recording=piece_of(minutes=60, skip=600), layer=layer) as here:
        await here.ready()
        await begin(here, a_plan([*live, TWIN]))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_kill_config_in_the_middle, here)
            await here.replay()
        assert any(event.path == "engine/config" and event.kind is EventKind.CRASHED for event in here.events)
        await here.all_orders_known()
        assert len(kept(here, BEGAN)) == 1
        assert len(kept(here, PAPER_FILL)) > 3


async def _kill_config_in_the_middle(here: House) -> None:
    while not kept(here, PAPER_FILL):  # noqa: ASYNC110
        await trio.sleep(0.01)
    here.engine.supervisor.kill("engine/config", reason="test")


async def test_one_that_falls_over_its_own_code_is_taken_back_and_nobody_else_falls(tmp_path: Path) -> None:
    async with house(tmp_path, recording=piece_of(minutes=20, skip=600), layer=lively_layer()) as here:
        await here.ready()
        await begin(here, a_plan([*LIVE, TWIN]))
        poison: Any = "a message that nobody understands"
        here.engine.channels.paper_candles.put_nowait(poison)
        await here.replay()
        await ended(here)
        status = here.engine.cells.rollout.value
        assert status is not None
        assert "the shadow cannot go on: it fell three times over one message" in status.verdict
        fallen = {event.path for event in here.events if event.kind is EventKind.CRASHED}
        assert fallen == {"engine/helpers/shadow"}
        assert here.engine.cells.risk.value is not None
        assert here.engine.cells.risk.value.state is TradingState.ACTIVE, "no dead letter of paper halts trading"
        await here.all_orders_known()
        check_books(here)


@pytest.mark.parametrize("where", ["begin", "go_on"])
async def test_one_that_falls_before_it_has_heard_anything_is_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """No message is put aside then, and every life would begin with the same fall."""

    def falls(*_: object) -> None:
        raise ZeroDivisionError("a mistake of ours")

    monkeypatch.setattr(ShadowBook, where, falls)
    async with house(tmp_path, recording=piece_of(minutes=5, skip=600), layer=lively_layer()) as here:
        await here.ready()
        await begin(here, a_plan([*LIVE, TWIN]))
        await ended(here)
        status = here.engine.cells.rollout.value
        assert status is not None
        assert "the shadow cannot go on: it fell: ZeroDivisionError: a mistake of ours" in status.verdict
        assert not [event for event in here.events if event.kind is EventKind.CRASHED]


async def test_one_that_falls_with_no_message_in_its_hands_is_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of its lives began with the same fall, until a part of the engine had fallen too often."""

    def falls(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a mistake of ours")

    async with house(tmp_path, recording=piece_of(minutes=5, skip=600), layer=lively_layer()) as here:
        await here.ready()
        await begin(here, a_plan([*LIVE, TWIN]))
        monkeypatch.setattr(ShadowBook, "view", falls)
        await here.replay()
        await ended(here)
        status = here.engine.cells.rollout.value
        assert status is not None
        assert "the shadow cannot go on: it fell: ZeroDivisionError: a mistake of ours" in status.verdict
        assert not [event for event in here.events if event.kind is EventKind.CRASHED]


async def test_a_shadow_that_loses_too_much_is_taken_back_with_the_reason(tmp_path: Path) -> None:
    bad = [{**LIVE[0], "parameters": {"fast": 2, "slow": 3}}, LIVE[1]]
    async with house(tmp_path, recording=piece_of(minutes=240, skip=600), layer=lively_layer()) as here:
        await here.ready()
        await begin(here, a_plan(bad, threshold=0.002))
        await here.replay()
        await ended(here)
        status = here.engine.cells.rollout.value
        assert status is not None
        assert status.verdict.startswith("taken back: loss must be at most 0.002, was 0.00")
        assert here.engine.cells.settings.value.strategies == settings_of(lively_layer()).strategies
        told = await noticed(here, "rollout_taken_back")
        assert told.level == "warning"
        assert "shadow tried is taken back: loss must be at most 0.002" in told.text
        with trio.fail_after(60):
            while here.engine.cells.shadow.value is not None or own_cells(here):  # noqa: ASYNC110
                await trio.sleep(0.01)
        assert here.engine.cells.shadow_symbols.value == frozenset()


async def ended(here: House) -> None:
    cell = here.engine.cells.rollout
    with trio.fail_after(60):
        while cell.value is None or not cell.value.verdict:
            await cell.changed(cell.version)


async def noticed(here: House, code: str) -> Notice:
    """Until people have been told of it: what is for them comes behind what it is about."""
    with trio.fail_after(60):
        while True:
            for notice in here.engine.readers.notices():
                if notice.code == code:
                    return notice
            await trio.sleep(0.01)


async def test_one_that_is_proven_waits_for_a_person_and_a_rollback_takes_it_back(tmp_path: Path) -> None:
    fast = [{**LIVE[0], "parameters": {"fast": 2, "slow": 5}}, LIVE[1]]
    wanted = a_plan(fast, paper=PaperTerms(trades=4), min_samples=2)
    async with house(tmp_path, recording=piece_of(minutes=120, skip=600), layer=lively_layer()) as here:
        await here.ready()
        version = await begin(here, wanted)
        await here.replay()
        status = await counted(here)
        assert status.verdict == ""
        assert status.proven.startswith("loss was ")
        assert "closed trades" in status.proven
        await noticed(here, "rollout_proven")
        live = here.engine.cells.settings.value.strategies
        assert live[0].parameters == {"fast": 3, "slow": 6}
        end = EndRollout(name="tried", promote=True, correlation_id="promote", **WHO)
        assert isinstance(await here.engine.set_settings(end), SettingsApplied)
        assert here.engine.cells.settings.value.strategies[0].parameters == {"fast": 2, "slow": 5}
        back = Rollback(version=version - 1, correlation_id="back", **WHO)
        assert isinstance(await here.engine.set_settings(back), SettingsApplied)
        assert here.engine.cells.settings.value.strategies[0].parameters == {"fast": 3, "slow": 6}


async def test_one_that_may_promote_itself_does(tmp_path: Path) -> None:
    fast = [{**LIVE[0], "parameters": {"fast": 2, "slow": 5}}, LIVE[1]]
    wanted = a_plan(fast, paper=PaperTerms(trades=4, automatic=True), min_samples=2)
    async with house(tmp_path, recording=piece_of(minutes=120, skip=600), layer=lively_layer()) as here:
        await here.ready()
        await begin(here, wanted)
        await here.replay()
        await ended(here)
        status = here.engine.cells.rollout.value
        assert status is not None
        assert status.verdict.startswith("promoted: loss was ")
        assert here.engine.cells.settings.value.strategies[0].parameters == {"fast": 2, "slow": 5}


async def test_a_rollback_ends_a_shadow(tmp_path: Path) -> None:
    async with house(tmp_path, recording=piece_of(minutes=5, skip=600), layer=lively_layer()) as here:
        await here.ready()
        version = await begin(here, a_plan([*LIVE, TWIN]))
        back = Rollback(version=version - 1, correlation_id="back", **WHO)
        assert isinstance(await here.engine.set_settings(back), SettingsApplied)
        with trio.fail_after(60):
            while here.engine.cells.shadow.value is not None:  # noqa: ASYNC110
                await trio.sleep(0.01)


async def test_limits_that_change_live_are_the_shadows_too(tmp_path: Path) -> None:
    async with house(tmp_path, recording=piece_of(minutes=120, skip=600), layer=lively_layer()) as here:
        await here.ready()
        await begin(here, a_plan([*LIVE, TWIN]))
        wish = SetSettings(changes={"risk.max_trades_per_symbol": 0}, correlation_id="set-1", **WHO)
        assert isinstance(await here.engine.set_settings(wish), SettingsApplied)
        await here.replay()
        verdicts = kept(here, PAPER_VERDICT)
        codes = {result.code for verdict in verdicts for result in verdict.denials}
        assert DenialCode.MAX_TRADES_PER_SYMBOL in codes
        assert not kept(here, PAPER_FILL)
