"""What the account keeps beside the order actor's cells, and in which currency a journal counts."""

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from genesis.domain.missed_flows import Gap
from protocols.journal import CellWrite
from protocols.risk import MarginHolding, WalletView
from protocols.units import ZERO

ACCOUNT_TABLE = "account_state"
ACCOUNT_KEY = "state"


class AccountCheckpoint(msgspec.Struct, frozen=True, kw_only=True):
    known: bool
    version: int
    wallets: tuple[WalletView, ...]
    marks: dict[str, Decimal]
    now_ms: int
    margin: tuple[MarginHolding, ...] = ()
    flows: Decimal = ZERO
    quote_currency: str = ""
    """What its money is counted in; empty in what older programs kept."""
    told: bool = False
    told_before: bool = False
    unclear: tuple[tuple[str, str], ...] = ()
    gaps: tuple[Gap, ...] = ()
    day: str = ""
    day_start_equity: Decimal = ZERO
    """What older programs cannot read it without: what the day began with is risk's to know."""


CHECKPOINTS = msgspec.json.Decoder(AccountCheckpoint)


class CountedOtherwise(ValueError):
    """The journal counts equity, results and peaks in another currency than the settings name."""

    def __init__(self, kept: str, wanted: str) -> None:
        super().__init__(
            f"quote_currency must be {kept}, in which this journal counts equity and results, was {wanted}: another "
            f"--data-dir is another account (and --fresh another session of a simulation)"
        )


def check_currency(kept: Iterable[CellWrite], wanted: str) -> None:
    """Raises CountedOtherwise when these cells of the account count in another currency than that."""
    for cell in kept:
        if cell.key == ACCOUNT_KEY:
            counted = CHECKPOINTS.decode(cell.payload).quote_currency
            if counted not in ("", wanted):
                raise CountedOtherwise(counted, wanted)
