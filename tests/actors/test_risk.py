"""The risk actor puts an approval into the journal's line before it tells it, and never approves twice."""

import random
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from typing import Any

import msgspec
import pytest
import trio

import actors.risk
from actors.risk import RiskActor
from genesis.core.channel import Channel, Overflow
from genesis.core.latest import Latest
from genesis.domain.decision_log import decision_line, record_lines, signal_record
from genesis.domain.heard import RiskInput, read_risk_heard
from genesis.domain.pairs import PairSpecs, pair_specs
from genesis.domain.risk_ahead import RiskAhead
from genesis.domain.risk_machine import RiskMachine
from genesis.domain.risk_outputs import Switch
from genesis.domain.risk_state import RiskState
from genesis.edge.store_errors import CommitRefused
from protocols.health import Notice
from protocols.journal import CellWrite, Commit, Record
from protocols.orders import Approved, ApprovedChange, OrderIntent, OrderType, Purpose, UpdateIntent
from protocols.risk import (
    AccountState,
    AddLock,
    ChangeOrder,
    DenialCode,
    EntryUnwanted,
    ManualOrder,
    OrderResult,
    RemoveLock,
    ResetBreaker,
    ResetPeaks,
    RiskCommand,
    RiskStatus,
    SetPaused,
    SetTradingState,
    TradeResult,
    TradingState,
    Verdict,
)
from protocols.settings import Settings
from protocols.signals import ForeseenScores
from protocols.units import Side, Symbol
from tests.actors.deciding_stage import Listener, MemoryDisk, Stage, journal_channel, on_stage
from tests.genesis.domain.risk_world import BTC, START_MS, a_score, an_account, crossing_scores

SETTINGS = Settings()
PAIRS = pair_specs(SETTINGS.market.symbols)


class World:
    def __init__(self) -> None:
        self.scores: Channel[Any] = Channel("scores", Overflow.BLOCK)
        self.accounts: Channel[AccountState] = Channel("accounts", Overflow.CONFLATE, key=lambda state: "account")
        self.commands: Channel[RiskCommand] = Channel("commands", Overflow.FAIL)
        self.orders: Channel[Approved | ApprovedChange | EntryUnwanted] = Channel("orders", Overflow.BLOCK)
        self.hints: Channel[ForeseenScores] = Channel("hints", Overflow.CONFLATE, key=lambda hint: hint.symbol)
        self.journal = journal_channel()
        self.settings = Latest(SETTINGS)
        self.status: Latest[RiskStatus | None] = Latest(None)
        self.verdicts: Latest[tuple[Verdict, ...]] = Latest(())
        self.pairs: Latest[PairSpecs] = Latest(PAIRS)
        self.listener = Listener()
        self.screens = Listener()
        self.ui: Channel[Any] | None = None
        self.proven_after_seq = 0

    def told(self, code: str) -> list[str]:
        """What notices of that code said."""
        return [each.text for each in self.screens.heard if isinstance(each, Notice) and each.code == code]

    def actor(self) -> RiskActor:
        return RiskActor(
            settings=self.settings,
            journal=self.journal,
            orders=self.orders,
            status=self.status,
            verdicts=self.verdicts,
            pairs=self.pairs,
            ui=self.ui,
            proven_after_seq=self.proven_after_seq,
        )

    def run(self, disk: MemoryDisk | None = None) -> AbstractAsyncContextManager[Stage]:
        return on_stage(
            self.actor,
            hears=(self.accounts, self.scores, self.commands, self.hints),
            journal=self.journal,
            listeners={
                "order": (self.listener, self.orders),
                **({"screens": (self.screens, self.ui)} if self.ui is not None else {}),
            },
            disk=disk,
        )


async def test_what_stands_behind_an_approval_in_the_journals_line_is_durable_after_it() -> None:
    """The order actor commits after it has heard of the approval: the verdict is durable before that, or with it.

    It is named as the follower by the name that it commits under: for one of another name the journal waits in vain.
    """
    world = World()
    disk = MemoryDisk()
    seen: list[bool] = []

    class Suspicious(Listener):
        async def run(self, ctx: Any) -> None:
            journal = ctx.outlet(world.journal)
            ctx.ready()
            while True:
                for envelope in await ctx.inbox.lease():
                    intent_id = envelope.message.intent.intent_id
                    await journal.ask(Commit(writer=ctx.name))
                    seen.append(ctx.name in disk.followers)
                    seen.append(any(record.key == intent_id for record in disk.records))
                    seen.append(intent_id.encode() in disk.cells[("risk_state", "state")].payload)
                    ctx.inbox.ack(envelope)

    world.listener = Suspicious()
    async with world.run(disk) as stage:
        world.accounts.put_nowait(an_account())
        for score in crossing_scores(200):
            await world.scores.put(score)
        await stage.settled()
        assert seen
        assert all(seen)


async def test_a_commit_that_the_journal_would_refuse_is_told_to_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Commit) -> None:
        raise CommitRefused("the test says so")

    monkeypatch.setattr("actors.risk.check_commit", refuse)
    world = World()
    async with world.run() as stage:
        world.accounts.put_nowait(an_account())
        for score in crossing_scores(200):
            await world.scores.put(score)
        await stage.settled()
        assert world.listener.heard == []


@pytest.mark.parametrize("seed", range(5))
async def test_kills_at_any_moment_double_no_approval_and_change_no_verdict(seed: int) -> None:
    account = an_account()
    scores = crossing_scores(300)
    machine = RiskMachine(SETTINGS, PAIRS)
    machine.on_account(account)
    outputs = [machine.on_score(score) for score in scores]
    expected_approved = [approved for output in outputs for approved in output.approved]
    expected_unwanted = [unwanted for output in outputs for unwanted in output.unwanted]
    expected_verdicts = [verdict for output in outputs for verdict in output.verdicts]
    assert expected_approved
    assert expected_unwanted
    assert len(expected_verdicts) > 10

    world = World()
    chance = random.Random(seed)
    async with world.run() as stage:
        world.accounts.put_nowait(account)
        await stage.settled()
        for score in scores:
            if chance.random() < 0.8:
                # Some come too late, with the score or behind it, and some are foreseen by a life that ends.
                world.hints.put_nowait(ForeseenScores(symbol=BTC, timeframe="1m", scores=(score,)))
                if chance.random() < 0.7:
                    await stage.settled()
            await world.scores.put(score)
            if chance.random() < 0.2:
                for _ in range(chance.randrange(8)):
                    await trio.lowlevel.checkpoint()
                stage.supervisor.kill("world/subject", reason="chaos")
        await stage.settled()
        heard = [each for each in world.listener.heard if isinstance(each, Approved)]
        by_id = {approved.intent.intent_id: approved for approved in heard}
        assert list(by_id.values()) == expected_approved
        assert all(by_id[approved.intent.intent_id] == approved for approved in heard)
        # Perhaps more than once, but always that an entry is unwanted whose strategy has said sell.
        unwanted = [each for each in world.listener.heard if isinstance(each, EntryUnwanted)]
        assert list(dict.fromkeys(unwanted)) == expected_unwanted
        assert record_lines(stage.disk.records) == [decision_line(verdict) for verdict in expected_verdicts]


async def test_a_hint_decides_nothing_and_is_not_kept() -> None:
    world = World()
    async with world.run() as stage:
        world.accounts.put_nowait(an_account())
        await stage.settled()
        kept = list(stage.disk.records)
        for score in crossing_scores(200):
            world.hints.put_nowait(ForeseenScores(symbol=BTC, timeframe="1m", scores=(score,)))
            await stage.settled()
        assert stage.disk.records == kept
        assert world.listener.heard == []
        assert world.verdicts.value == ()


async def _kept_of_scores(hinted: bool) -> tuple[list[Record], dict[tuple[str, str], CellWrite], list[Approved]]:
    """What the journal has of scores of which most were foreseen: rightly, otherwise, and with a switch between."""
    world, chance = World(), random.Random(7)
    async with world.run() as stage:
        world.accounts.put_nowait(an_account())
        await stage.settled()
        for number, score in enumerate(crossing_scores(300)):
            kind, heard = chance.randrange(8), msgspec.structs.replace(score, received_ns=1_000 + number)
            if kind == 7:
                score = msgspec.structs.replace(score, price=score.price + 1)
            if hinted and kind:
                world.hints.put_nowait(ForeseenScores(symbol=BTC, timeframe="1m", scores=(score,)))
                await stage.settled()
            if kind == 6:
                world.commands.put_nowait(ResetPeaks(strategy=None, reason="r", actor="a", correlation_id=f"p{number}"))
                await stage.settled()
            told = len(world.listener.heard)
            await world.scores.put(heard)
            await stage.settled()
            if len(world.listener.heard) > told:
                # It ends at once, and the next one may come.
                ended = tuple([approved.intent.intent_id for approved in world.listener.heard])
                world.accounts.put_nowait(an_account(closed=ended))
                await stage.settled()
        return stage.disk.records, stage.disk.cells, world.listener.heard


async def test_what_was_foreseen_is_kept_and_told_as_what_was_not(monkeypatch: pytest.MonkeyPatch) -> None:
    ahead: list[bool] = []
    commit_ahead = actors.risk._Memory.commit_ahead

    def counted(memory: actors.risk._Memory, machine: RiskAhead, inputs: Sequence[RiskInput]) -> Commit | None:
        commit = commit_ahead(memory, machine, inputs)
        ahead.append(commit is not None and bool(commit.follower))
        return commit

    monkeypatch.setattr(actors.risk._Memory, "commit_ahead", counted)
    seen, blind = [await _kept_of_scores(hinted) for hinted in (True, False)]
    assert seen == blind
    assert len(seen[2]) > sum(ahead) > 10


async def test_an_account_state_is_kept_without_what_risk_knows_already() -> None:
    """Each tells the newest hundred endings and results again: a journal of years would be made of them."""
    world = World()
    result = TradeResult(
        number=1, symbol=BTC, strategy="s", pnl=Decimal(1), fraction=Decimal(0), exit_ms=START_MS + 60_000
    )
    account = msgspec.structs.replace(
        an_account(closed=("a stranger's",)),
        results=(result,),
        trades_count=1,
        endings=(
            OrderResult(
                intent_id="a stranger's",
                refused=False,
                filled_quantity=Decimal(1),
                average_price=Decimal(1),
                ended_ms=START_MS,
            ),
        ),
    )
    async with world.run() as stage:
        world.accounts.put_nowait(account)
        await stage.settled()
        world.accounts.put_nowait(msgspec.structs.replace(account, version=account.version + 1))
        await stage.settled()
        heard = [read_risk_heard(each.payload) for each in stage.disk.records if each.kind == "RiskHeard"]
    first, second = [each for batch in heard for each in batch.inputs if isinstance(each, AccountState)]
    assert (first.closed_intents, first.endings, first.results) == ((), (), (result,))
    assert (second.closed_intents, second.endings, second.results) == ((), (), ())
    assert first.trades_count == 1


async def test_a_halt_outlives_the_process_and_its_reason_is_told() -> None:
    first = World()
    async with first.run() as stage:
        first.accounts.put_nowait(an_account())
        status = await first.commands.ask(
            SetTradingState(state=TradingState.HALTED, reason="enough for today", actor="anna", correlation_id="c1")
        )
        assert status.state is TradingState.HALTED
        disk = stage.disk
    second = World()
    async with second.run(disk) as stage:
        assert second.status.value is not None
        assert second.status.value.state is TradingState.HALTED
        second.accounts.put_nowait(an_account())
        await second.scores.put(a_score(1, "buy"))
        await stage.settled()
        assert second.listener.heard == []
        (verdict,) = second.verdicts.value
        assert [result.code for result in verdict.denials] == [DenialCode.HALTED]
        assert verdict.denials[0].numbers["reason"] == "enough for today"
        assert any(record.kind == "SetTradingState" for record in disk.records)


HALTED, ACTIVE = TradingState.HALTED, TradingState.ACTIVE
SWITCHES: tuple[Switch, ...] = (
    SetTradingState(state=HALTED, reason="the house", actor="health", correlation_id="w0", only_tighter=True),
    SetTradingState(state=ACTIVE, reason="go on", actor="anna", correlation_id="w1"),
    SetTradingState(state=TradingState.REDUCING, reason="enough", actor="anna", correlation_id="w2"),
    SetPaused(paused=True, reason="lunch", actor="anna", correlation_id="w3"),
    SetPaused(paused=False, reason="back", actor="anna", correlation_id="w4"),
    AddLock(symbol=BTC, strategy=None, duration_s=None, reason="news", actor="anna", correlation_id="w5"),
    AddLock(symbol=None, strategy="s", duration_s=60.0, reason="news", actor="anna", correlation_id="w6"),
    RemoveLock(lock_id="manual-1", reason="read", actor="anna", correlation_id="w7"),
    ResetBreaker(scope=None, reason="calm", actor="anna", correlation_id="w8"),
    ResetPeaks(strategy=None, reason="new month", actor="anna", correlation_id="w9"),
)


@pytest.mark.parametrize("steps", range(14))
async def test_what_a_person_switched_is_done_and_kept_once_whenever_risk_dies(steps: int) -> None:
    """It is killed so many steps after the wishes came, time and again, and each time hears again what it had."""
    world = World()
    async with world.run() as stage:
        world.accounts.put_nowait(an_account())
        await world.scores.put(a_score(1, "hold"))
        await stage.settled()
        machine = RiskMachine(SETTINGS, PAIRS)
        machine.on_account(an_account())
        machine.on_score(a_score(1, "hold"))
        for command in SWITCHES:
            machine.on_command(command)
            world.commands.put_nowait(command)
        for _ in range(2):
            for _ in range(steps):
                await trio.lowlevel.checkpoint()
            # The second may come while nobody lives.
            stage.supervisor.kill("world/subject", reason="chaos")
        await stage.settled()
        kinds = {type(command).__name__ for command in SWITCHES}
        kept = [(record.kind, record.correlation_id) for record in stage.disk.records if record.kind in kinds]
        assert kept == [(type(command).__name__, command.correlation_id) for command in SWITCHES]
        assert sum(record.kind == "LockAdded" for record in stage.disk.records) == 2
        assert world.status.value == machine.status()


async def test_a_person_is_answered_with_the_verdict() -> None:
    world = World()
    async with world.run() as stage:
        world.accounts.put_nowait(an_account())
        await world.scores.put(a_score(1, "hold"))
        await stage.settled()
        order = ManualOrder(intent=_manual("m1", Decimal("0.1")), actor="anna")
        verdict = await world.commands.ask(order)
        assert verdict.approved
        again = await world.commands.ask(order)
        assert again == verdict
        refused = await world.commands.ask(ManualOrder(intent=_manual("m2", Decimal(5)), actor="anna"))
        assert DenialCode.MAX_ORDER_NOTIONAL in {result.code for result in refused.denials}
        await stage.settled()
        assert {approved.intent.intent_id for approved in world.listener.heard} == {"m1"}


async def test_an_order_by_hand_that_was_refused_is_told_so_again_after_a_crash_and_a_new_start() -> None:
    """No answer would mean that it is still being judged: the person would wait for an order that never comes."""
    first, second = World(), World()
    order = ManualOrder(intent=_manual("m1", Decimal(5)), actor="anna")
    async with first.run() as stage:
        first.accounts.put_nowait(an_account())
        await first.scores.put(a_score(1, "hold"))
        refused = await first.commands.ask(order)
        assert not refused.approved
        stage.kill()
        await stage.settled()
        assert await first.commands.ask(order) == refused
        disk = stage.disk
    async with second.run(disk):
        assert await second.commands.ask(order) == refused


async def test_an_approval_that_never_left_is_void_in_the_next_process() -> None:
    first = World()
    async with first.run() as stage:
        first.accounts.put_nowait(an_account())
        await first.scores.put(a_score(1, "buy"))
        await stage.settled()
        (approved,) = first.listener.heard
        disk = stage.disk
    # The order actor died before it wrote anything: the slot must not stay taken.
    second = World()
    async with second.run(disk) as stage:
        second.accounts.put_nowait(an_account())
        await second.scores.put(a_score(2, "buy"))
        await stage.settled()
        assert [one.intent.signal_id for one in second.listener.heard] == [a_score(2, "buy").signal_id]
    # Had it written the order, risk would go on waiting for its end.
    row = msgspec.json.encode({"intent": msgspec.to_builtins(approved.intent), "state": "SENT", "updated_ms": 1})
    disk.cells[("risk_state", "state")] = _state_with(approved)
    disk.cells[("orders", "order:1")] = CellWrite(table="orders", key="order:1", payload=row)
    third = World()
    async with third.run(disk) as stage:
        third.accounts.put_nowait(an_account())
        await third.scores.put(a_score(2, "buy"))
        await stage.settled()
        (verdict,) = third.verdicts.value
        assert DenialCode.ORDER_ALREADY_WORKING in {result.code for result in verdict.denials}


def _change(change_id: str, quantity: str) -> ChangeOrder:
    """Of the order m1, which rests as 0.1 at 7000."""
    intent = msgspec.structs.replace(_manual(f"change:{change_id}", Decimal(quantity)), price=Decimal(7000))
    update = UpdateIntent(
        intent_id="m1", price=None, quantity=Decimal(quantity), reason="a wish", correlation_id="change"
    )
    return ChangeOrder(intent=intent, update=update, rests=Decimal(700), actor="anna")


async def test_a_change_is_on_the_disk_before_it_is_told_and_its_answer_is_the_same_after_a_crash() -> None:
    world = World()
    async with world.run() as stage:
        world.accounts.put_nowait(an_account())
        await world.scores.put(a_score(1, "hold"))
        await stage.settled()
        assert (await world.commands.ask(ManualOrder(intent=_manual("m1", Decimal("0.1")), actor="anna"))).approved
        for change_id, quantity, approved in (("a", "0.3", True), ("b", "5", False), ("c", "0.05", None)):
            said = await world.commands.ask(_change(change_id, quantity))
            assert said.known
            assert (None if said.verdict is None else said.verdict.approved) is approved
            stage.kill()
            await stage.settled()
            assert await world.commands.ask(_change(change_id, quantity)) == said
        await stage.settled()
        told = [(one.number, one.update) for one in world.listener.heard if isinstance(one, ApprovedChange)]
        # Said again by who cannot know that it was heard; the order actor knows it by its number.
        assert set(told) == {(1, _change("a", "0.3").update), (2, _change("c", "0.05").update)}
        state = msgspec.json.decode(stage.disk.cells[("risk_state", "state")].payload, type=RiskState)
        assert state.reservations["m1"].notional == 2100
        unknown = msgspec.structs.replace(_change("d", "1").update, intent_id="gone")
        said = await world.commands.ask(msgspec.structs.replace(_change("d", "1"), update=unknown))
        assert (said.known, said.verdict) == (False, None)


@pytest.mark.parametrize(("taken", "left"), [(0, 700), (1, 2100)])
async def test_a_change_that_never_left_is_void_in_the_next_process(taken: int, left: int) -> None:
    first, second = World(), World()
    second.ui = Channel("ui", Overflow.BLOCK)
    async with first.run() as stage:
        first.accounts.put_nowait(an_account())
        await first.scores.put(a_score(1, "hold"))
        await stage.settled()
        order = ManualOrder(intent=_manual("m1", Decimal("0.1")), actor="anna")
        assert (await first.commands.ask(order)).approved
        assert (await first.commands.ask(_change("a", "0.3"))).verdict.approved
        disk = stage.disk
    row = {"intent": {"intent_id": "m1"}, "state": "ACKED", "updated_ms": 1, "change": taken}
    disk.cells["orders", "order:1"] = CellWrite(table="orders", key="order:1", payload=msgspec.json.encode(row))
    async with second.run(disk) as stage:
        await second.scores.put(a_score(2, "hold"))
        await stage.settled()
        state = msgspec.json.decode(disk.cells["risk_state", "state"].payload, type=RiskState)
        assert state.reservations["m1"].notional == left
        assert len(second.told("approval_void")) == 1 - taken


async def test_a_sell_that_was_kept_and_never_judged_is_owed_by_the_next_process() -> None:
    """kill -9 between the commit of who said it and ours: nobody says it again."""
    held = an_account(held=Decimal("0.5"))
    first = World()
    async with first.run() as stage:
        first.accounts.put_nowait(held)
        await first.scores.put(a_score(1, "hold"))
        await stage.settled()
        disk = stage.disk
    disk.records += [
        signal_record(a_score(minute, said)).written() for minute, said in ((0, "sell"), (1, "hold"), (2, "sell"))
    ]
    second = World()
    async with second.run(disk) as stage:
        second.accounts.put_nowait(held)
        await second.scores.put(a_score(3, "hold"))
        await stage.settled()
        (approved,) = second.listener.heard
        assert (approved.intent.side, approved.intent.quantity) == (Side.SELL, Decimal("0.5"))


async def test_a_buy_that_was_kept_and_never_judged_is_gone_with_its_moment() -> None:
    first = World()
    async with first.run() as stage:
        first.accounts.put_nowait(an_account())
        await first.scores.put(a_score(1, "hold"))
        await stage.settled()
        disk = stage.disk
    disk.records.append(signal_record(a_score(2, "buy")).written())
    second = World()
    async with second.run(disk) as stage:
        second.accounts.put_nowait(an_account())
        await second.scores.put(a_score(3, "hold"))
        await stage.settled()
        assert second.listener.heard == []


async def test_an_ending_that_no_account_state_named_is_looked_up() -> None:
    """More than a state can name ended at once: what they reserved would stay taken for ever."""
    world = World()
    async with world.run() as stage:
        world.accounts.put_nowait(an_account())
        await world.scores.put(a_score(1, "buy"))
        await stage.settled()
        (approved,) = world.listener.heard
        row = {"intent": msgspec.to_builtins(approved.intent), "state": "CANCELED", "updated_ms": 1}
        payload = msgspec.json.encode(row)
        stage.disk.cells[("orders", "order:1")] = CellWrite(table="orders", key="order:1", payload=payload)
        world.accounts.put_nowait(msgspec.structs.replace(an_account(version=2), closed_count=200))
        await stage.settled()
        await world.scores.put(a_score(2, "buy"))
        await stage.settled()
        assert len(world.listener.heard) == 2


def _manual(intent_id: str, quantity: Decimal) -> OrderIntent:
    return OrderIntent(
        intent_id=intent_id,
        strategy="manual",
        symbol=Symbol(BTC),
        side=Side.BUY,
        quantity=quantity,
        order_type=OrderType.MARKET,
        purpose=Purpose.MANUAL,
        decided_ms=0,
        correlation_id=intent_id,
    )


def _state_with(approved: Approved) -> CellWrite:
    machine = RiskMachine(SETTINGS, PAIRS)
    machine.on_account(an_account())
    outputs = machine.on_score(a_score(1, "buy"))
    assert outputs.approved == (approved,)
    return machine.checkpoint()


async def test_a_new_process_tells_its_state_again_from_the_journal_and_believes_that() -> None:
    first = World()
    async with first.run() as stage:
        first.accounts.put_nowait(an_account())
        for score in crossing_scores(300):
            await first.scores.put(score)
        await stage.settled()
        disk = stage.disk
    kept = msgspec.json.decode(disk.cells[("risk_state", "state")].payload, type=RiskState)
    assert kept.trades_today
    assert kept.denials_by_code

    honest = World()
    honest.ui = Channel("ui", Overflow.BLOCK)
    async with honest.run(disk) as stage:
        await stage.settled()
        assert honest.told("risk_rederived") == []

    wrong = msgspec.structs.replace(kept, trades_today=0, trades_today_by_symbol={}, peak_equity=None)
    payload = msgspec.json.encode(wrong, order="sorted")
    disk.commit(Commit(writer="test", cells=(CellWrite(table="risk_state", key="state", payload=payload),)))
    second = World()
    second.ui = Channel("ui", Overflow.BLOCK)
    async with second.run(disk) as stage:
        await stage.settled()
        status = second.status.value
        assert status is not None
        assert (status.trades_today, status.peak_equity) == (kept.trades_today, kept.peak_equity)
        (text,) = second.told("risk_rederived")
    assert "trades_today was kept as 0, the journal says" in text
    again = msgspec.json.decode(disk.cells[("risk_state", "state")].payload, type=RiskState)
    assert (again.trades_today, again.peak_equity) == (kept.trades_today, kept.peak_equity)
