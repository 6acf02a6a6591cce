"""Money that came or went while nobody listened: what the venue's ledger says of wallets that changed meanwhile. Pure.

A login tells balances, not why they are others than before: trades made some of it, a deposit or withdrawal the rest.
The ledger has an entry for each change, with the balance after it. Where it says the balance that we knew our knowledge
ended, and where it says that of the login it began again: what moved money between the two was neither won nor lost.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Final

import msgspec

from genesis.domain.flows import moves_money
from genesis.domain.risk_state import TRADED_WALLETS
from protocols.reference import LedgerEntry
from protocols.risk import WalletView
from protocols.units import ZERO, same_amount

ASKED_AT_MOST: Final = 4
"""So often a ledger that does not show the newest balance is asked again; then what it shows is all there is."""

Key = tuple[str, str]
"""A wallet: its type and its currency."""


class Gap(msgspec.Struct, kw_only=True):
    """A traded wallet that changed while nobody listened: since about `since_ms`, from one balance to another.

    What was moved is told live, too, while the ledger has not answered: `counted` of it before the login that told
    `after`, and `live` since. Both are in the flows already.
    """

    wallet_type: str
    currency: str
    before: Decimal
    after: Decimal
    since_ms: int
    asked: int = 0
    counted: Decimal = ZERO
    live: Decimal = ZERO


class MissedFlows:
    """The gaps whose reason is not known yet."""

    def __init__(self, gaps: Iterable[Gap] = ()) -> None:
        self.gaps: dict[Key, Gap] = {(gap.wallet_type, gap.currency): gap for gap in gaps}

    def on_snapshot(self, before: Mapping[Key, WalletView], after: Mapping[Key, WalletView], since_ms: int) -> None:
        """Wallets as they were last known, and as a login tells them. An open gap begins where it began."""
        for key in sorted({*before, *after}):
            if key[0] not in TRADED_WALLETS:
                continue
            was = before[key].balance if key in before else ZERO
            now = after[key].balance if key in after else ZERO
            gap = self.gaps.pop(key, None)
            since, counted = since_ms, ZERO
            if gap is not None:
                was, since, counted = gap.before, min(gap.since_ms, since_ms), gap.counted + gap.live
            # What was counted and is there no more went again while nobody listened.
            if counted or not same_amount(was, now):
                self.gaps[key] = Gap(
                    wallet_type=key[0], currency=key[1], before=was, after=now, since_ms=since, counted=counted
                )

    def on_flow(self, key: Key, amount: Decimal) -> None:
        """So much was moved, was told live, and is counted: the ledger's entry of it must not count again."""
        gap = self.gaps.get(key)
        if gap is not None:
            gap.live += amount

    def currencies(self) -> tuple[str, ...]:
        """Whose ledgers are to be asked."""
        return tuple(sorted({currency for _, currency in self.gaps}))

    def on_ledger(self, currency: str, entries: Sequence[LedgerEntry], *, whole: bool) -> list[tuple[Gap, Decimal]]:
        """Gaps of a currency that its newest entries close, and how much was moved in each (out of it: below zero).

        `whole` says that there are no older entries.
        """
        closed = []
        for key, gap in list(self.gaps.items()):
            if gap.currency != currency:
                continue
            gap.asked += 1
            moved = moved_between(gap, entries, whole=whole, is_last=gap.asked >= ASKED_AT_MOST)
            if moved is not None:
                del self.gaps[key]
                closed.append((gap, moved))
        return closed

    def give_up(self, currency: str) -> list[Gap]:
        """The venue does not show this ledger: what was moved counts as won or lost."""
        gone = [gap for gap in self.gaps.values() if gap.currency == currency]
        for gap in gone:
            del self.gaps[gap.wallet_type, gap.currency]
        return gone


def moved_between(gap: Gap, entries: Sequence[LedgerEntry], *, whole: bool, is_last: bool = True) -> Decimal | None:
    """How much of a gap somebody moved that is not counted yet; None while the ledger does not show the newest balance
    yet."""
    rows = sorted([each for each in entries if _is_of(each, gap)], key=lambda each: each.entry_id)
    ends = [at for at in range(len(rows) - 1, -1, -1) if same_amount(rows[at].balance, gap.after)]
    if not ends and not is_last:
        return None
    # A balance may come back: the login was where behind it stands what has been told live since.
    ends = ends or list(range(len(rows) - 1, -2, -1))
    end = next((at for at in ends if same_amount(_moved(rows[at + 1 :]), gap.live)), ends[0])
    start = next((at for at in range(end - 1, -1, -1) if same_amount(rows[at].balance, gap.before)), None)
    if start is None and rows and same_amount(rows[0].balance - rows[0].amount, gap.before):
        start = -1
    if start is None:
        # The balance that we knew is in no entry: what is young enough counts.
        start = sum(1 for each in rows if each.time_ms <= gap.since_ms) - 1
    return _moved(rows[start + 1 : end + 1]) - gap.counted


def _moved(rows: Iterable[LedgerEntry]) -> Decimal:
    return sum((each.amount for each in rows if moves_money(each.description)), ZERO)


def _is_of(entry: LedgerEntry, gap: Gap) -> bool:
    if entry.currency != gap.currency:
        return False
    # The venue leaves the field empty at times; the text says it then.
    return gap.wallet_type == (entry.wallet_type or entry.description.rpartition(" on wallet ")[2].lower())
