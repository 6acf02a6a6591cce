"""What became of a transfer, by the ledger: its own entry proves it, nobody else's does, and absence takes time."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genesis.domain.transfer_proof import ABSENT_AFTER_MS, SHOWN_BY_MS, newest_entry, proven
from protocols.reference import LedgerEntry
from protocols.transfers import Transfer, TransferState, TransferWish

WISH = TransferWish(
    transfer_id="one",
    from_wallet="exchange",
    to_wallet="margin",
    currency="USD",
    currency_to="USD",
    amount=Decimal("12.5"),
    actor="me",
    reason="",
)
ASKED = Transfer(wish=WISH, state=TransferState.ASKED, asked_ms=1_000, after_entry=10)
MINE = LedgerEntry(
    entry_id=11,
    currency="USD",
    wallet_type="exchange",
    time_ms=0,
    amount=Decimal("-12.50"),
    balance=Decimal(0),
    description="Transfer of 12.5 USD from wallet Exchange to Trading on wallet exchange",
)


def test_its_own_entry_proves_it() -> None:
    done = proven(ASKED, (MINE,), whole=True, now_ms=2_000)
    assert (done.state, done.entry_id, done.settled_ms) == (TransferState.DONE, 11, 2_000)
    unnamed = msgspec.structs.replace(MINE, wallet_type="")
    assert proven(ASKED, (unnamed,), whole=True, now_ms=2_000).state is TransferState.DONE


@pytest.mark.parametrize(
    "more",
    [
        {"entry_id": 10},
        {"currency": "UST"},
        {"wallet_type": "margin"},
        {"amount": Decimal("12.5")},
        {"amount": Decimal("-12.51")},
        {"description": "Exchange 12.5 USD for BTC @ 1 on wallet exchange"},
        {"description": "USD Withdrawal #5 on wallet exchange"},
        {"description": "Transfer of 12.5 USD from wallet Exchange to Deposit on wallet exchange"},
        {"description": "Transfer of 12.5 USD from wallet Trading to Exchange on wallet exchange"},
    ],
)
def test_an_entry_of_something_else_does_not(more: dict[str, object]) -> None:
    other = msgspec.structs.replace(MINE, **more)
    assert proven(ASKED, (other,), whole=True, now_ms=2_000) is ASKED


def test_an_equal_transfer_of_long_after_is_another_one_and_absence_is_said() -> None:
    later = msgspec.structs.replace(MINE, time_ms=ASKED.asked_ms + ABSENT_AFTER_MS + 1)
    found = proven(ASKED, (later,), whole=True, now_ms=later.time_ms)
    assert found.state is TransferState.ABSENT
    # Where this machine's clock is behind, nobody can say how long after it came.
    assert proven(ASKED, (later,), whole=True, now_ms=2_000).state is TransferState.DONE


def test_a_ledger_that_has_what_came_later_is_not_waited_for() -> None:
    """One that was never sent held up its currency for a quarter of an hour."""
    later = msgspec.structs.replace(MINE, amount=Decimal(1), time_ms=ASKED.asked_ms + SHOWN_BY_MS)
    assert proven(ASKED, (later,), whole=True, now_ms=later.time_ms).state is TransferState.ABSENT
    assert proven(ASKED, (later,), whole=True, now_ms=later.time_ms - 1) is ASKED
    early = msgspec.structs.replace(later, time_ms=later.time_ms - 1)
    assert proven(ASKED, (early,), whole=True, now_ms=later.time_ms) is ASKED


def test_a_clock_that_is_set_makes_no_time_pass() -> None:
    now_ms = ASKED.asked_ms + 2 * ABSENT_AFTER_MS
    assert proven(ASKED, (), whole=True, now_ms=now_ms, waited_ms=ABSENT_AFTER_MS - 1) is ASKED
    assert proven(ASKED, (), whole=True, now_ms=now_ms, waited_ms=ABSENT_AFTER_MS).state is TransferState.ABSENT


@given(
    ids=st.lists(st.integers(1, 30), unique=True, max_size=20),
    whole=st.booleans(),
    waited_ms=st.integers(0, 2 * ABSENT_AFTER_MS),
)
def test_absence_takes_time_and_a_ledger_that_reaches_back(ids: list[int], whole: bool, waited_ms: int) -> None:
    entries = [msgspec.structs.replace(MINE, entry_id=number, amount=Decimal(5)) for number in ids]
    found = proven(ASKED, entries, whole=whole, now_ms=ASKED.asked_ms + waited_ms)
    sure = waited_ms >= ABSENT_AFTER_MS and (whole or any(number <= ASKED.after_entry for number in ids))
    assert (found.state is TransferState.ABSENT) is sure
    assert newest_entry(entries) == max(ids, default=0)


@given(st.sampled_from([TransferState.DONE, TransferState.REFUSED, TransferState.ABSENT]), st.integers(0, 10**9))
def test_what_is_settled_stays_so(state: TransferState, now_ms: int) -> None:
    settled = msgspec.structs.replace(ASKED, state=state)
    assert proven(settled, (MINE,), whole=True, now_ms=now_ms) is settled


@pytest.mark.parametrize(
    "more",
    [
        {"to_wallet": "exchange"},
        {"to_wallet": "moon"},
        {"amount": Decimal(0)},
        {"amount": Decimal("NaN")},
        {"amount": Decimal("Infinity")},
    ],
)
def test_a_wish_that_no_transfer_can_be_is_none(more: dict[str, object]) -> None:
    fields = {name: getattr(WISH, name) for name in WISH.__struct_fields__} | more
    with pytest.raises(ValueError, match="must"):
        TransferWish(**fields)
