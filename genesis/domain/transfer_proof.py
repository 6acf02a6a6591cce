"""What became of a transfer whose answer was lost: the venue's ledger says. Pure.

An answer that does not come is no refusal: asked again, the money would move twice. So nothing is asked again; the
ledger is looked at instead. A transfer takes from one wallet and gives to another, an entry each. Numbers of entries
rise, so the newest one before the transfer was asked tells apart what came before without a clock. What came long after
it, or names another pair of wallets, is another's.
"""

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from protocols.reference import LedgerEntry
from protocols.transfers import Transfer, TransferState, TransferWish

ABSENT_AFTER_MS: Final = 15 * 60_000
"""A request that is not in the ledger by then is on no wire any more: it was bounded by half a minute."""
SHOWN_BY_MS: Final = 2 * 60_000
"""A ledger that has an entry so long after the request is not behind any more: it would have the request's, too."""

CLOCKS_DIFFER_MS: Final = 60_000

_TRANSFER: Final = re.compile(r"^transfer of .*?\bfrom wallet (\w+) to (\w+)", re.IGNORECASE)
"""As the venue writes it: "Transfer of 5.0 USD from wallet Exchange to Trading on wallet exchange"."""
_WALLETS: Final = {
    "exchange": "exchange",
    "trading": "margin",
    "margin": "margin",
    "deposit": "funding",
    "funding": "funding",
}


def newest_entry(entries: Sequence[LedgerEntry]) -> int:
    """The number of the newest entry; 0 of none."""
    return max((entry.entry_id for entry in entries), default=0)


def _is_its_text(text: str, wish: TransferWish) -> bool:
    """Whether an entry's text can be of this transfer; a wallet's name that nobody knows may be any."""
    if not text.lower().startswith("transfer of"):
        return False
    named = _TRANSFER.match(text)
    if named is None:
        return True
    pair = [_WALLETS.get(name.lower()) for name in named.groups()]
    return all(told in (None, asked) for told, asked in zip(pair, (wish.from_wallet, wish.to_wallet), strict=True))


def proven(
    transfer: Transfer, entries: Sequence[LedgerEntry], *, whole: bool, now_ms: int, waited_ms: int | None = None
) -> Transfer:
    """The transfer as the ledger of its currency tells it. `entries` are the newest; `whole`: there are no older ones.
    `waited_ms` is how long ago it was asked by a clock that nobody sets (None: as `now_ms` says).

    It stays as it is while nothing is proven: an entry may come late, and a page may not reach back far enough.
    """
    if transfer.state is not TransferState.ASKED:
        return transfer
    wish = transfer.wish
    # A clock that is behind the venue's says nothing of how long after it an entry came.
    is_behind = any(entry.time_ms > now_ms + CLOCKS_DIFFER_MS for entry in entries)
    taken = [
        entry
        for entry in entries
        if entry.entry_id > transfer.after_entry
        and entry.currency == wish.currency
        and entry.amount == -wish.amount
        and entry.wallet_type in (wish.from_wallet, "")
        and (is_behind or entry.time_ms <= transfer.asked_ms + ABSENT_AFTER_MS)
        and _is_its_text(entry.description, wish)
    ]
    if taken:
        entry = min(taken, key=lambda each: each.entry_id)
        text = f"the venue's ledger has it: entry {entry.entry_id}"
        return msgspec.structs.replace(
            transfer, state=TransferState.DONE, settled_ms=now_ms, entry_id=entry.entry_id, text=text
        )
    reaches_back = whole or any(entry.entry_id <= transfer.after_entry for entry in entries)
    waited = now_ms - transfer.asked_ms
    if waited_ms is not None:
        # This machine's clock may have been set meanwhile.
        waited = min(waited, waited_ms)
    is_shown = not is_behind and any(entry.time_ms >= transfer.asked_ms + SHOWN_BY_MS for entry in entries)
    if reaches_back and waited >= (SHOWN_BY_MS if is_shown else ABSENT_AFTER_MS):
        text = f"the venue's ledger does not have it {max(waited, 0) // 60_000} minutes after it was asked"
        return msgspec.structs.replace(transfer, state=TransferState.ABSENT, settled_ms=now_ms, text=text)
    return transfer
