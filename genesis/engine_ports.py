"""What an engine stands on: its patience with failures, and the ways to its venue."""

from typing import Final

import attrs

from genesis.core.backoff import DEFAULT, Backoff
from genesis.edge.nonce import NonceOwner
from genesis.edge.rest import RestDoor
from genesis.edge.secrets import Credentials
from genesis.edge.websocket import Dial


@attrs.frozen(kw_only=True)
class Restarts:
    """How many failures a part of the engine may have in a period before it is given up, and the pauses between."""

    intensity: int = 10
    period_s: float = 10.0
    max_consecutive: int = 20
    backoff: Backoff = DEFAULT


DEFAULT_RESTARTS: Final = Restarts()


@attrs.frozen(kw_only=True)
class VenuePorts:
    """How this engine reaches its venue: two addresses, two ways to dial, one door for REST, one key.

    `pace_dials` keeps to the venue's limit of connections; an exchange of our own, on loopback, has none, and its clock
    is ours. `replayed` says that the market is a recording that waits for us: there data is never old, and no wall
    clock may move a decision. `changes_pairs`: least and largest orders are those of the real venue and change, so
    they are asked for.
    """

    public_uri: str
    private_uri: str
    dial_public: Dial
    dial_private: Dial
    door: RestDoor
    credentials: Credentials
    nonce: NonceOwner
    pace_dials: bool = True
    replayed: bool = False
    changes_pairs: bool = False
