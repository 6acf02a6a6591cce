"""Money between wallets by a running engine: moved once, whatever becomes of the answer, as the ledger proves."""

from decimal import Decimal
from pathlib import Path
from typing import cast

import attrs
import msgspec
import pytest
import trio
import trio.testing

from genesis.core.channel import Channel
from genesis.domain.transfer_proof import ABSENT_AFTER_MS
from genesis.edge.errors import RequestFailed
from genesis.edge.rest import CircuitOpen, RestDoor
from genesis.simulator.faults import FaultKind, FaultRule
from genesis.simulator.link import HttpRequest, HttpResponse
from genesis.simulator.rest import Rest
from genesis.transfer_desk import ANSWER_WITHIN_S, TOLD_BY_MS, TransferDesk
from protocols.bitfinex.errors import Maintenance, MalformedFrame, RateLimited, VenueError
from protocols.bitfinex.rest_requests import RestRequest
from protocols.journal import Cells, CellWrite, Commit, Committed, JournalRequest, NotKept, ReadRecords
from protocols.transfers import Transfer, TransferState, TransferWish
from tests.house import House, house, lively_layer, piece_of
from web.controls import Refused
from web.desk import VenueSilent

DONE, ASKED, ABSENT, REFUSED = TransferState.DONE, TransferState.ASKED, TransferState.ABSENT, TransferState.REFUSED
BAD_GATEWAY = HttpResponse(status=502, body=b"<html>bad gateway</html>")


@attrs.define
class Line:
    """What happens to requests: `lose` says which part of a transfer is lost, `silent` whether the ledger answers."""

    lose: str = ""
    silent: bool = False
    asked: int = 0
    under_way: trio.Event = attrs.field(factory=trio.Event)


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> Line:
    answer, line = Rest.handle, Line()

    async def handle(rest: Rest, request: HttpRequest) -> HttpResponse:
        if line.silent and "/ledgers/" in request.target:
            return BAD_GATEWAY
        if "/auth/w/transfer" not in request.target:
            return await answer(rest, request)
        line.asked += 1
        if line.lose == "request":
            return BAD_GATEWAY
        told = await answer(rest, request)
        if line.lose == "process":
            line.under_way.set()
            await trio.sleep_forever()
        return BAD_GATEWAY if line.lose == "answer" else told

    monkeypatch.setattr(Rest, "handle", handle)
    return line


@attrs.define
class Teller:
    now_ms: int = 1_000_000
    set_by_ms: int = 0
    """How far somebody set the clock of this machine."""
    told: list[tuple[str, str]] = attrs.field(factory=list)

    def wall_ms(self) -> int:
        return self.now_ms + self.set_by_ms

    def monotonic_s(self) -> float:
        return self.now_ms / 1000

    def tell(self, level: str, code: str, text: str) -> None:
        self.told.append((level, code))


def a_desk(here: House, teller: Teller) -> TransferDesk:
    engine = here.engine
    return TransferDesk(
        door=engine.venue.door,
        journal=engine.channels.journal,
        wall_ms=teller.wall_ms,
        tell=teller.tell,
        listens=lambda: engine.cells.orders.value.ready,
        monotonic_s=teller.monotonic_s,
    )


def a_wish(name: str = "one", amount: str = "100", currency: str = "USD") -> TransferWish:
    return TransferWish(
        transfer_id=name,
        from_wallet="exchange",
        to_wallet="margin",
        currency=currency,
        currency_to=currency,
        amount=Decimal(amount),
        actor="me",
        reason="because",
    )


def on_margin(here: House) -> Decimal:
    return here.exchange.venue.accounts["sim"].wallet("margin", "USD").balance


async def records(here: House) -> list[tuple[str, TransferState]]:
    """What the audit has, oldest first."""
    found = await here.engine.channels.journal.ask(ReadRecords(kinds=("Transfer",)))
    rows = [msgspec.json.decode(each.record.payload, type=Transfer) for each in found.records]
    return [(row.wish.transfer_id, row.state) for row in rows]


async def test_a_transfer_is_done_once_however_often_it_is_asked(tmp_path: Path, line: Line) -> None:
    async with house(tmp_path, recording=piece_of(minutes=5), layer=lively_layer()) as here:
        await here.ready()
        teller = Teller()
        desk = a_desk(here, teller)
        first = await desk.make(a_wish())
        assert (first.state, first.text) == (DONE, "100 USD transferred from Exchange to Margin")
        assert await a_desk(here, teller).make(a_wish()) == first
        assert on_margin(here) == 100
        assert line.asked == 1
        with pytest.raises(Refused, match="must be new"):
            await desk.make(a_wish(amount="101"))
        refused = await desk.make(a_wish("two", amount="1000000"))
        assert (refused.state, refused.text) == (REFUSED, "Not enough balance to transfer")
        assert [row.wish.transfer_id for row in await desk.all()] == ["two", "one"]
        assert await records(here) == [("one", ASKED), ("one", DONE), ("two", ASKED), ("two", REFUSED)]
        assert [code for _, code in teller.told] == ["transfer", "transfer"]
        # The same once more is another one, which its own entry proves.
        assert (await desk.make(a_wish("three"))).state is DONE
        assert on_margin(here) == 200


async def test_a_lost_answer_is_doubt_until_the_ledger_says_that_it_was_done(tmp_path: Path, line: Line) -> None:
    async with house(tmp_path, recording=piece_of(minutes=5), layer=lively_layer()) as here:
        await here.ready()
        teller = Teller()
        desk = a_desk(here, teller)
        await desk.make(a_wish("before"))
        line.lose, line.silent = "answer", False
        doubt = await desk.make(a_wish())
        assert (doubt.state, line.asked) == (ASKED, 2)
        assert teller.told[-1] == ("warning", "transfer_in_doubt")
        line.silent = True
        assert (await desk.all())[0].state is ASKED, "a silent ledger proves nothing"
        line.silent, line.lose = False, ""
        settled = next(row for row in await desk.all() if row.wish.transfer_id == "one")
        assert settled.state is DONE
        assert settled.entry_id is not None
        assert settled.entry_id > settled.after_entry
        assert await desk.make(a_wish()) == settled
        assert on_margin(here) == 200
        assert line.asked == 2
        await a_desk(here, teller).all()
        assert await records(here) == [("before", ASKED), ("before", DONE), ("one", ASKED), ("one", DONE)]


async def test_a_lost_request_blocks_its_currency_until_it_is_proven_absent(tmp_path: Path, line: Line) -> None:
    async with house(tmp_path, recording=piece_of(minutes=5), layer=lively_layer()) as here:
        await here.ready()
        teller = Teller()
        desk = a_desk(here, teller)
        line.lose = "request"
        assert (await desk.make(a_wish())).state is ASKED
        line.lose = ""
        teller.now_ms += ABSENT_AFTER_MS - 1
        with pytest.raises(Refused, match="must be known first"):
            await desk.make(a_wish("two"))
        other = await desk.make(a_wish("three", amount="0.1", currency="BTC"))
        assert other.state is REFUSED, "another currency is not held up by it"
        teller.set_by_ms = ABSENT_AFTER_MS
        assert (await desk.all())[-1].state is ASKED, "a clock that is set proves nothing"
        teller.now_ms += 1
        assert (await desk.make(a_wish("two"))).state is DONE
        assert {row.wish.transfer_id: row.state for row in await desk.all()}["one"] is ABSENT
        assert on_margin(here) == 100


async def test_a_process_that_ends_meanwhile_leaves_the_wish_and_the_next_one_looks(tmp_path: Path, line: Line) -> None:
    async with house(tmp_path, recording=piece_of(minutes=5), layer=lively_layer()) as here:
        await here.ready()
        teller = Teller()
        line.lose = "process"
        async with trio.open_nursery() as nursery:
            nursery.start_soon(a_desk(here, teller).make, a_wish())
            await line.under_way.wait()
            nursery.cancel_scope.cancel()
        line.lose = ""
        again = a_desk(here, Teller())
        (row,) = await again.all()
        assert (row.state, line.asked) == (DONE, 1)
        assert on_margin(here) == 100
        assert await again.make(a_wish()) == row


async def test_a_ledger_that_is_behind_is_waited_for(tmp_path: Path, line: Line) -> None:
    """The entry of the first, when it comes, would prove a second one that never was."""
    async with house(tmp_path, recording=piece_of(minutes=5), layer=lively_layer()) as here:
        await here.ready()
        desk, ledger = a_desk(here, Teller()), here.exchange.venue.history("sim").ledger
        await desk.make(a_wish())
        late = [ledger.pop() for _ in range(2)]
        with pytest.raises(Refused, match="must show 100 USD from exchange to margin first"):
            await desk.make(a_wish("two"))
        assert (await desk.make(a_wish("three", amount="7"))).state is DONE
        ledger.extend(reversed(late))
        assert (await desk.make(a_wish("two"))).state is DONE
        assert on_margin(here) == 207


async def test_a_venue_that_is_silent_before_hears_nothing_and_nothing_is_kept(tmp_path: Path, line: Line) -> None:
    async with house(tmp_path, recording=piece_of(minutes=5), layer=lively_layer()) as here:
        await here.ready()
        desk = a_desk(here, Teller())
        line.silent = True
        with pytest.raises(VenueSilent):
            await desk.make(a_wish())
        assert (await desk.all(), await records(here), line.asked) == ([], [], 0)


async def test_while_nobody_hears_of_wallets_no_money_moves(tmp_path: Path, line: Line) -> None:
    """The next login shows another balance and does not say why: 1,000 that were moved stood as lost."""
    async with house(tmp_path, recording=piece_of(minutes=5), layer=lively_layer()) as here:
        await here.ready()
        desk = a_desk(here, Teller())
        # Who dials again is let in only when the wish has been refused: it asks the venue first, which takes its time.
        closed = FaultRule(kind=FaultKind.HANDSHAKE, times=None, value=503.0)
        here.exchange.faults.add(closed)
        assert here.exchange.faults.drop(private=True) == 1
        await _line_is(here, ready=False)
        with pytest.raises(Refused, match="private line must be up"):
            await desk.make(a_wish(amount="1000"))
        assert (line.asked, await records(here)) == (0, [])
        here.exchange.faults.remove(closed)
        await _line_is(here, ready=True)
        await desk.make(msgspec.structs.replace(a_wish(amount="1000"), to_wallet="funding"))
        account = here.engine.cells.account
        while account.value is None or account.value.state.flows != -1000:
            await account.changed(account.version)


async def _line_is(here: House, *, ready: bool) -> None:
    orders = here.engine.cells.orders
    while orders.value.ready is not ready:
        await orders.changed(orders.version)


async def test_what_has_no_room_on_the_disk_is_not_asked(tmp_path: Path, line: Line) -> None:
    async with house(tmp_path, recording=piece_of(minutes=5), layer=lively_layer()) as here:
        await here.ready()
        desk = a_desk(here, Teller())
        desk.journal = cast("Channel[JournalRequest]", _Full(here.engine.channels.journal))
        with pytest.raises(Refused, match="no room"):
            await desk.make(a_wish())
        assert line.asked == 0


@attrs.frozen
class _Full:
    """A journal that is read and takes no more."""

    inner: Channel[JournalRequest]

    async def ask(self, message: JournalRequest) -> object:
        return NotKept(reason="full") if isinstance(message, Commit) else await self.inner.ask(message)


# --- what the venue may say, without a venue ------------------------------------------------------------------------


@attrs.define
class _Door:
    """Answers ledgers with nothing, and a transfer with what it is given: nothing at all with None."""

    says: object
    moved: int = 0

    async def ask(self, request: RestRequest, *, exact: bool) -> object:
        await trio.lowlevel.checkpoint()
        if "ledgers" in request.path:
            return []
        self.moved += 1
        if self.says is None:
            await trio.sleep_forever()
        if isinstance(self.says, Exception):
            raise self.says
        return self.says


@attrs.define
class _Memory:
    """A journal that keeps cells; `room` says how many commits it takes before it is full."""

    room: int = 100
    cells: dict[str, CellWrite] = attrs.field(factory=dict)

    async def ask(self, message: JournalRequest) -> object:
        if not isinstance(message, Commit):
            return Cells(cells=tuple(self.cells.values()))
        if self.room == 0:
            return NotKept(reason="full")
        self.room -= 1
        for cell in message.cells:
            assert isinstance(cell, CellWrite)
            self.cells[cell.key] = cell
        return Committed(first_seq=1, new=(True,))


def a_notice(status: str) -> list[object]:
    data = [1, "exchange", "margin", None, "USD", "USD", None, 100]
    return [1_568_736_745_789, "acc_tf", None, None, data, None, status, "so it is"]


@pytest.mark.parametrize(
    ("says", "state"),
    [
        (a_notice("SUCCESS"), DONE),
        (a_notice("ERROR"), REFUSED),
        (a_notice("FAILURE"), REFUSED),
        (a_notice("PENDING"), ASKED),
        (a_notice(""), ASKED),
        ("nonsense", ASKED),
        (VenueError(10001, "Not enough balance"), REFUSED),
        (VenueError(10020, "amount: invalid"), REFUSED),
        (VenueError(None, "HTTP 500"), ASKED),
        (VenueError(10000, "unknown"), ASKED),
        (VenueError(99999, "something new"), ASKED),
        (RateLimited(11010, "ratelimit: error"), REFUSED),
        (Maintenance(20060, "maintenance"), REFUSED),
        (MalformedFrame("must be JSON", b"<html>"), ASKED),
        (RequestFailed("broke", sent=True), ASKED),
        (RequestFailed("no connection", sent=False), REFUSED),
        (CircuitOpen("auth/w/transfer", 3.0), REFUSED),
    ],
)
async def test_only_what_proves_that_nothing_was_done_is_a_refusal(says: object, state: TransferState) -> None:
    teller, memory = Teller(), _Memory()
    desk = _a_desk_beside(_Door(says), memory, teller)
    made = await desk.make(a_wish())
    assert made.state is state
    assert msgspec.json.decode(memory.cells["one"].payload, type=Transfer).state is state


async def test_a_venue_that_does_not_answer_in_time_leaves_doubt(autojump_clock: trio.testing.MockClock) -> None:
    made = await _a_desk_beside(_Door(None), _Memory(), Teller()).make(a_wish())
    assert (made.state, made.settled_ms) == (ASKED, None)
    assert trio.current_time() == pytest.approx(ANSWER_WITHIN_S)


def _a_desk_beside(door: "_Door", memory: "_Memory", teller: Teller) -> TransferDesk:
    return TransferDesk(
        door=cast("RestDoor", door),
        journal=cast("Channel[JournalRequest]", memory),
        wall_ms=teller.wall_ms,
        tell=teller.tell,
        listens=lambda: True,
    )


async def test_of_two_wishes_at_once_the_second_takes_no_coins_of_a_position() -> None:
    """The account shows what the first took some moments later."""
    teller, memory, door = Teller(), _Memory(), _Door(a_notice("SUCCESS"))
    desk, answers = _a_desk_beside(door, memory, teller), dict[str, Transfer | Refused]()

    async def move(name: str, amount: str) -> None:
        try:
            answers[name] = await desk.make(a_wish(name, amount, "BTC"), lambda: Decimal("0.5"))
        except Refused as refused:
            answers[name] = refused

    async with trio.open_nursery() as nursery:
        nursery.start_soon(move, "one", "0.4")
        nursery.start_soon(move, "two", "0.3")
    (refused,) = [each for each in answers.values() if isinstance(each, Refused)]
    (done,) = [each for each in answers.values() if isinstance(each, Transfer)]
    assert (done.state, refused.code, door.moved) == (DONE, "held_by_positions", 1)
    assert f"at most {Decimal('0.5') - done.wish.amount} BTC" in str(refused)
    with pytest.raises(Refused, match=r"at most 0\.5 BTC"):
        teller.now_ms += TOLD_BY_MS + 1
        await desk.make(a_wish("three", "0.6", "BTC"), lambda: Decimal("0.5"))
    assert door.moved == 1


async def test_a_wish_that_was_done_is_told_so_again_also_when_no_more_is_free() -> None:
    desk = _a_desk_beside(_Door(a_notice("SUCCESS")), _Memory(), Teller())
    done = await desk.make(a_wish(currency="BTC"), lambda: Decimal(100))
    assert await desk.make(a_wish(currency="BTC"), lambda: Decimal(0)) == done


async def test_an_outcome_that_has_no_room_leaves_the_wish_open() -> None:
    teller, memory = Teller(), _Memory(room=1)
    desk = _a_desk_beside(_Door(a_notice("SUCCESS")), memory, teller)
    assert (await desk.make(a_wish())).state is DONE
    assert msgspec.json.decode(memory.cells["one"].payload, type=Transfer).state is ASKED
