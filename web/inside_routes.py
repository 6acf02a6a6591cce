"""Routes of the engine's inside: dead letters, trouble that can be made in sim mode, and what was measured of it."""

from functools import cache
from pathlib import Path
from typing import Final

import msgspec

from genesis.edge.proof_files import FOLDER, read_sheets
from protocols.health import DeadLetterView
from protocols.proof import ProofSheet
from web.api import Api, Call, Route
from web.chaos_port import ChaosPort, FaultInfo, FaultView
from web.errors import ApiError
from web.models import Accepted
from web.tokens import Scope

V2: Final = "/api/v2"


class DeadLetters(msgspec.Struct, frozen=True, kw_only=True):
    """Newest first. `total` is how many there were in this process; the newest 200 are kept."""

    letters: tuple[DeadLetterView, ...]
    total: int


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """The kinds of trouble that can be made, and what is broken now."""

    kinds: tuple[FaultInfo, ...]
    active: tuple[FaultView, ...]


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """The figures that this release was shipped with, by the tool that wrote them."""

    sheets: tuple[ProofSheet, ...]


async def dead_letters(api: Api, call: Call) -> DeadLetters:
    letters = api.readers.dead_letters()
    return DeadLetters(letters=tuple(reversed(letters)), total=letters[-1].number if letters else 0)


async def dead_letter(api: Api, call: Call) -> DeadLetterView:
    number = call.path["number"]
    found = [letter for letter in api.readers.dead_letters() if str(letter.number) == number]
    if not found:
        raise ApiError(404, f"no dead letter has number {number[:20]}", code="unknown_letter")
    return found[0]


async def trouble(api: Api, call: Call) -> Trouble:
    port = _port(api)
    return Trouble(kinds=port.kinds, active=port.active())


async def mend(api: Api, call: Call) -> Accepted:
    number = await _port(api).clear()
    return Accepted(accepted=True, correlation_id=f"api:{api.new_id()}", message=f"{number} faults were mended")


@cache
def shipped() -> Proof:
    """What lies in the package; it does not change while we run."""
    return Proof(sheets=read_sheets(Path(__file__).parent / FOLDER.name))


async def proof(api: Api, call: Call) -> Proof:
    return shipped()


def _port(api: Api) -> ChaosPort:
    port = api.controls.chaos
    if port is None:
        raise ApiError(409, "trouble can be made in sim mode only", code="not_in_sim")
    return port


INSIDE_ROUTES: Final = (
    Route(
        method="GET",
        path=f"{V2}/proof",
        scope=Scope.READ,
        handler=proof,
        answer=Proof,
        tag="engine",
        summary="Conformance, reliability and speed of this release, as its own tools measured them.",
        etag=True,
    ),
    Route(
        method="GET",
        path=f"{V2}/actors/dead-letters",
        scope=Scope.READ,
        handler=dead_letters,
        answer=DeadLetters,
        tag="engine",
        summary="Messages that were put aside because their actor could not handle them, with what they said and why.",
    ),
    Route(
        method="GET",
        path=f"{V2}/actors/dead-letters/{{number}}",
        scope=Scope.READ,
        handler=dead_letter,
        answer=DeadLetterView,
        tag="engine",
        summary="One dead letter.",
        statuses=(404,),
    ),
    Route(
        method="GET",
        path=f"{V2}/chaos",
        scope=Scope.READ,
        handler=trouble,
        answer=Trouble,
        tag="engine",
        summary="The kinds of trouble that can be made in sim mode, and what is broken now.",
        statuses=(409,),
    ),
    Route(
        method="DELETE",
        path=f"{V2}/chaos",
        scope=Scope.ADMIN,
        handler=mend,
        answer=Accepted,
        tag="engine",
        summary="Mend what was broken by hand. What has happened already runs its course.",
        statuses=(409,),
    ),
)
