"""Dead letters and trouble over the API: who may see and make them, and where there are none."""

import attrs
import msgspec

from protocols.health import DeadLetterView
from tests.web.fakes import Told, a_web, some_readers
from web.chaos_port import ChaosPort, FaultInfo, FaultView, FaultWish
from web.controls import Refused
from web.models import EngineStatus
from web.tokens import Scope

V2 = "/api/v2"
LETTER = DeadLetterView(
    number=7,
    at_ms=1_700_000_000_000,
    mailbox="order",
    channel="approved",
    kind="Approved",
    attempts=3,
    error="ValueError: no",
    money=True,
    message={"type": "Approved"},
)


@attrs.define
class Desk:
    wishes: list[FaultWish] = attrs.field(factory=list)
    cleared: int = 0

    async def inject(self, wish: FaultWish) -> str:
        if wish.fault == "meteor":
            raise Refused("unknown_fault", "fault must be one of gap, was meteor")
        self.wishes.append(wish)
        return "done"

    async def clear(self) -> int:
        self.cleared += 1
        return 2

    def port(self) -> ChaosPort:
        return ChaosPort(
            kinds=(FaultInfo(fault="gap", target="sockets", takes=("times",), text="Frames are lost."),),
            active=lambda: (FaultView(fault="gap", text="gap", happened=1, ends_in_s=2.5),),
            inject=self.inject,
            clear=self.clear,
        )


async def test_trouble_is_made_by_admins_in_sim_mode_alone() -> None:
    desk, told = Desk(), Told()
    controls = attrs.evolve(told.controls(), chaos=desk.port())
    web = a_web(told=told, controls=controls)
    async with web.client() as client:
        listed = (await client.get(f"{V2}/chaos")).json()
        assert [kind["fault"] for kind in listed["kinds"]] == ["gap"]
        assert listed["active"][0]["ends_in_s"] == 2.5
        answer = await client.post(f"{V2}/chaos", json={"fault": "gap", "sockets": "public", "times": 3})
        assert (answer.status_code, answer.json()["message"]) == (202, "done")
        assert desk.wishes == [FaultWish(fault="gap", sockets="public", times=3)]
        refused = await client.post(f"{V2}/chaos", json={"fault": "meteor"})
        assert refused.status_code == 409
        assert refused.json()["error"]["code"] == "unknown_fault"
        for body in ({}, {"kill": "engine/risk", "fault": "gap"}, {"fault": "gap", "times": "many"}, {"fault": 7}):
            assert (await client.post(f"{V2}/chaos", json=body)).status_code == 422, body
        assert "2 faults" in (await client.delete(f"{V2}/chaos")).json()["message"]
        assert desk.cleared == 1
    async with web.client(Scope.TRADE) as client:
        assert (await client.post(f"{V2}/chaos", json={"fault": "gap"})).status_code == 403
        assert (await client.delete(f"{V2}/chaos")).status_code == 403
        assert (await client.get(f"{V2}/chaos")).status_code == 200
    live = a_web(
        readers=some_readers(status=lambda: EngineStatus(mode="live", version="1")), told=told, controls=controls
    )
    async with live.client() as client:
        assert (await client.post(f"{V2}/chaos", json={"fault": "gap"})).status_code == 409
    async with a_web(told=told).client() as client:
        assert (await client.get(f"{V2}/chaos")).status_code == 409
        assert (await client.delete(f"{V2}/chaos")).status_code == 409
        assert (await client.post(f"{V2}/chaos", json={"fault": "gap"})).status_code == 404
    assert len(desk.wishes) == 1


async def test_dead_letters_are_listed_newest_first_and_shown_one_by_one() -> None:
    letters = (LETTER, msgspec.structs.replace(LETTER, number=8, money=False))
    async with a_web(readers=some_readers(dead_letters=lambda: letters)).client(Scope.READ) as client:
        answer = (await client.get(f"{V2}/actors/dead-letters")).json()
        assert [letter["number"] for letter in answer["letters"]] == [8, 7]
        assert answer["total"] == 8
        one = (await client.get(f"{V2}/actors/dead-letters/7")).json()
        assert (one["kind"], one["message"], one["money"]) == ("Approved", {"type": "Approved"}, True)
        for number in ("9", "seven", "7.0"):
            assert (await client.get(f"{V2}/actors/dead-letters/{number}")).status_code == 404
    async with a_web().client(Scope.READ) as client:
        assert (await client.get(f"{V2}/actors/dead-letters")).json() == {"letters": [], "total": 0}


async def test_the_figures_of_this_release_are_told_once() -> None:
    async with a_web().client() as client:
        told = await client.get(f"{V2}/proof")
        sheets = {sheet["name"]: sheet for sheet in told.json()["sheets"]}
        facts = {fact["label"]: fact["good"] for fact in sheets["conformance"]["facts"]}
        assert facts["operations passed"] is True
        assert all(sheet["tables"][0]["rows"] for sheet in sheets.values())
        again = await client.get(f"{V2}/proof", headers={"If-None-Match": told.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
