"""What is said about money that a person moves between two wallets of the account."""

from decimal import Decimal
from enum import StrEnum

import msgspec

WALLETS = ("exchange", "margin", "funding")


class TransferState(StrEnum):
    """ASKED: it may have left, and the venue has not said what came of it. The others are final: the venue did it,
    the venue (or the way there) said no, or its ledger was looked through long after and does not have it."""

    ASKED = "asked"
    DONE = "done"
    REFUSED = "refused"
    ABSENT = "absent"


class TransferWish(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """`amount` of `currency` from one wallet to another, where it becomes `currency_to` (UST for contracts: USTF0).

    Raises ValueError for what no transfer can be.
    """

    transfer_id: str
    from_wallet: str
    to_wallet: str
    currency: str
    currency_to: str
    amount: Decimal
    actor: str
    reason: str

    def __post_init__(self) -> None:
        if self.from_wallet not in WALLETS or self.to_wallet not in WALLETS:
            raise ValueError(f"wallets must be of {', '.join(WALLETS)}, were {self.from_wallet} and {self.to_wallet}")
        if (self.from_wallet, self.currency) == (self.to_wallet, self.currency_to):
            raise ValueError(f"a transfer must change wallet or currency, were {self.from_wallet} and {self.currency}")
        if not (self.amount.is_finite() and self.amount > 0):
            raise ValueError(f"amount must be finite and above zero, was {self.amount}")


class Transfer(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A wish and what came of it. `after_entry` is the newest entry of the currency's ledger before it was asked,
    `entry_id` the one that proved it where the venue's answer was lost; times are this machine's."""

    wish: TransferWish
    state: TransferState
    asked_ms: int
    settled_ms: int | None = None
    after_entry: int = 0
    entry_id: int | None = None
    text: str = ""
