"""The venue's own list of its pairs, spot and perpetual, with sizes and margins."""

from typing import Final

from genesis.edge.rest import RestDoor
from protocols.bitfinex import rest_requests
from protocols.bitfinex.errors import MalformedFrame
from protocols.bitfinex.rest import read_conf, read_pair_infos
from protocols.reference import PairInfo

LABELS: Final = ("pub:info:pair", "pub:info:pair:futures")


async def ask_pairs(door: RestDoor) -> tuple[tuple[PairInfo, ...], dict[str, str]]:
    """The pairs, and why others that it lists cannot be as they were told, by symbol ("" where none is named).

    Raises what `ask` raises; MalformedFrame on an empty list, too, for that would mean that every pair is gone.
    """
    found = read_conf(await door.ask(rest_requests.conf(LABELS), exact=True), LABELS)
    unclear: dict[str, str] = {}
    spot, perpetual = (read_pair_infos(found[label], unclear=unclear) for label in LABELS)
    if not spot:
        raise MalformedFrame("pub:info:pair must list pairs, was empty")
    return (*spot, *perpetual), unclear
