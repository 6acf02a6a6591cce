"""What became of a transfer whose answer was lost: the venue's ledger says. Pure.

An answer that does not come is no refusal: asked again, the money would move twice. So nothing is asked again; the
ledger is looked at instead. A transfer takes from one wallet and gives to another, an entry each. Numbers of entries
rise, so the newest one before the transfer was asked tells apart what came before without a clock.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from genesis.domain.flows import moves_money
from protocols.reference import LedgerEntry
from protocols.transfers import Transfer, TransferState

ABSENT_AFTER_MS: Final = 15 * 60_000
"""A request that is not in the ledger by then is on no wire any more: it was bounded by half a minute."""


def newest_entry(entries: Sequence[LedgerEntry]) -> int:
    """The number of the newest entry; 0 of none."""
    return max((entry.entry_id for entry in entries), default=0)


def proven(transfer: Transfer, entries: Sequence[LedgerEntry], *, whole: bool, now_ms: int) -> Transfer:
    """The transfer as the ledger of its currency tells it. `entries` are the newest; `whole`: there are no older ones.

    It stays as it is while nothing is proven: an entry may come late, and a page may not reach back far enough.
    """
    if transfer.state is not TransferState.ASKED:
        return transfer
    wish = transfer.wish
    taken = [
        entry
        for entry in entries
        if entry.entry_id > transfer.after_entry
        and entry.currency == wish.currency
        and entry.amount == -wish.amount
        and entry.wallet_type in (wish.from_wallet, "")
        and moves_money(entry.description)
    ]
    if taken:
        entry = min(taken, key=lambda each: each.entry_id)
        text = f"the venue's ledger has it: entry {entry.entry_id}"
        return msgspec.structs.replace(
            transfer, state=TransferState.DONE, settled_ms=now_ms, entry_id=entry.entry_id, text=text
        )
    reaches_back = whole or any(entry.entry_id <= transfer.after_entry for entry in entries)
    if reaches_back and now_ms - transfer.asked_ms >= ABSENT_AFTER_MS:
        text = f"the venue's ledger does not have it {ABSENT_AFTER_MS // 60_000} minutes after it was asked"
        return msgspec.structs.replace(transfer, state=TransferState.ABSENT, settled_ms=now_ms, text=text)
    return transfer
