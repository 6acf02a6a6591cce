"""What moved while nobody listened is found in the venue's ledger, and in nothing else."""

from collections.abc import Sequence
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genesis.domain.account_machine import AccountMachine
from genesis.domain.missed_flows import ASKED_AT_MOST, Gap, moved_between
from protocols.journal import CellWrite
from protocols.orders import VenueWallet, WalletSnapshot
from protocols.reference import LedgerEntry
from protocols.settings import Settings
from protocols.units import ZERO

DEPOSIT = "Deposit (BITCOIN) #2168494 on wallet exchange"
WITHDRAWAL = "BITCOIN Withdrawal #123 on wallet exchange"
TRADE = "Exchange 0.5 BTC for USD @ 7000.0 on wallet exchange"
TEXTS = (DEPOSIT, WITHDRAWAL, TRADE, "Trading fees for 0.5 BTC (BTCUSD) @ 7000 on BFX (0.2%) on wallet exchange")


def ledger(*rows: tuple[str, str], start: str = "1000", wallet: str = "exchange") -> list[LedgerEntry]:
    """Entries of an amount and a text, newest first, as the venue lists them."""
    balance, entries = Decimal(start), []
    for number, (amount, text) in enumerate(rows, 1):
        balance += Decimal(amount)
        entries.append(
            LedgerEntry(
                entry_id=number * 10,
                currency="USD",
                wallet_type=wallet,
                time_ms=number * 1000,
                amount=Decimal(amount),
                balance=balance,
                description=text,
            )
        )
    return entries[::-1]


def a_gap(before: str, after: str, *, since_ms: int = 0) -> Gap:
    return Gap(wallet_type="exchange", currency="USD", before=Decimal(before), after=Decimal(after), since_ms=since_ms)


def test_only_what_moved_between_the_two_balances_counts() -> None:
    entries = ledger(
        ("50", DEPOSIT), ("-20", TRADE), ("300", DEPOSIT), ("-7", TRADE), ("-100", WITHDRAWAL), ("9", DEPOSIT)
    )
    # Known until 1030; the login tells 1223; the last deposit came after it, and is told by the stream.
    assert moved_between(a_gap("1030", "1223"), entries, whole=True) == 200
    assert moved_between(a_gap("1000", "1232"), entries, whole=True) == 259
    assert moved_between(a_gap("1330", "1323"), entries, whole=True) == 0


def test_a_ledger_that_is_behind_is_asked_again_and_at_last_believed() -> None:
    entries = ledger(("50", DEPOSIT))
    assert moved_between(a_gap("1000", "1200"), entries, whole=True, is_last=False) is None
    assert moved_between(a_gap("1000", "1200"), entries, whole=True) == 50


def test_a_balance_that_no_entry_has_is_told_by_the_time() -> None:
    entries = ledger(("50", DEPOSIT), ("300", DEPOSIT), ("-7", TRADE))
    assert moved_between(a_gap("77", "1343", since_ms=1500), entries, whole=False) == 300


def test_an_entry_without_its_wallet_says_it_in_its_text_and_other_wallets_count_nothing() -> None:
    assert moved_between(a_gap("1000", "1050"), ledger(("50", DEPOSIT), wallet=""), whole=True) == 50
    assert moved_between(a_gap("1000", "1050"), ledger(("50", DEPOSIT), wallet="funding"), whole=True) == 0


amounts = st.integers(1, 10**6).map(lambda number: Decimal(number) / 7).map(lambda number: round(number, 8))


@given(st.lists(st.tuples(amounts, st.booleans(), st.sampled_from(TEXTS)), min_size=2, max_size=12), st.data())
def test_wherever_a_gap_lies_what_moved_in_it_is_found(
    rows: list[tuple[Decimal, bool, str]], data: st.DataObject
) -> None:
    entries = ledger(*[(str(amount if up else -amount), text) for amount, up, text in rows], start="5000000")
    balances = [Decimal(5_000_000), *[entry.balance for entry in reversed(entries)]]
    if len(set(balances)) < len(balances):
        return
    first = data.draw(st.integers(0, len(rows) - 1))
    last = data.draw(st.integers(first + 1, len(rows)))
    moved = sum((e.amount for e in entries[::-1][first:last] if e.description in (DEPOSIT, WITHDRAWAL)), ZERO)
    assert moved_between(a_gap(str(balances[first]), str(balances[last])), entries, whole=True) == moved


# --- the account --------------------------------------------------------------------------------------------------


def wallet(balance: str, text: str | None = None) -> VenueWallet:
    return VenueWallet(
        session=1,
        wallet_type="exchange",
        currency="USD",
        balance=Decimal(balance),
        available=None,
        received_ns=0,
        description=text,
    )


def login(balance: str) -> WalletSnapshot:
    return WalletSnapshot(session=1, wallets=(wallet(balance),), received_ns=0)


def an_account() -> AccountMachine:
    machine = AccountMachine(Settings(), asks_ledger=True)
    machine.on_balance(login("1000"))
    machine.mark_time(60_000)
    return machine


def restarted(machine: AccountMachine, *, same_process: bool) -> AccountMachine:
    cells: Sequence[CellWrite] = machine.checkpoint()
    again = AccountMachine(Settings(), asks_ledger=True)
    again.restore(orders=(), kept=cells, same_process=same_process)
    return again


@pytest.mark.parametrize("restarts", [False, True])
def test_a_deposit_while_nobody_listened_is_no_gain(restarts: bool) -> None:
    """It stood as won, also among the day's profit, and a withdrawal as lost: by its limit trading was halted."""
    machine = an_account()
    if restarts:
        machine = restarted(machine, same_process=False)
    machine.on_balance(login("1470"))
    assert not machine.state().known, "until the ledger has said why, no limit may be measured by that"
    assert machine.state().told, "what only takes away need not wait for that"
    machine.mark_time(120_000)
    assert len(machine.curve) == 1
    assert machine.missed.currencies() == ("USD",)
    closed = machine.on_ledger("USD", ledger(("500", DEPOSIT), ("-30", TRADE)), whole=True)
    assert [moved for _, moved in closed] == [500]
    state = machine.state()
    assert (state.known, state.flows) == (True, Decimal(500))
    machine.mark_time(180_000)
    assert (machine.curve[-1].equity, machine.curve[-1].flows) == (Decimal(1470), Decimal(500))


def test_a_login_that_tells_what_was_known_asks_for_nothing() -> None:
    machine = an_account()
    machine.on_balance(login("1000"))
    assert machine.state().known
    assert not machine.missed.gaps


def test_a_first_login_ever_asks_for_nothing() -> None:
    machine = AccountMachine(Settings(), asks_ledger=True)
    machine.on_balance(login("1000"))
    assert machine.state().known


@pytest.mark.parametrize("restarts", [0, 1, 2])
def test_a_deposit_to_an_account_that_was_empty_is_no_gain_either(restarts: int) -> None:
    """No wallet was taken for nothing known: the first money of an account stood as won."""
    machine = AccountMachine(Settings(), asks_ledger=True)
    machine.on_balance(WalletSnapshot(session=1, wallets=(), received_ns=0))
    assert machine.state().known
    for _ in range(restarts):
        machine = restarted(machine, same_process=False)
    machine.on_balance(login("500"))
    assert not machine.state().known
    machine.on_ledger("USD", ledger(("500", DEPOSIT), start="0"), whole=True)
    assert machine.state().known
    assert machine.state().flows == 500


def test_a_crash_and_another_login_in_between_forget_no_part_of_it() -> None:
    machine = restarted(an_account(), same_process=False)
    machine.on_balance(login("1500"))
    machine = restarted(machine, same_process=True)
    assert machine.missed.currencies() == ("USD",)
    assert not machine.state().known
    # What is told live is counted at once, and by the ledger's answer not again.
    machine.on_balance(wallet("1600", DEPOSIT))
    assert machine.state().flows == 100
    machine.on_ledger("USD", ledger(("500", DEPOSIT), ("100", DEPOSIT)), whole=True)
    assert machine.state().flows == 600
    assert machine.state().known
    machine = an_account()
    machine.on_balance(login("1500"))
    machine.on_balance(login("1600"))
    machine.on_ledger("USD", ledger(("500", DEPOSIT), ("100", DEPOSIT)), whole=True)
    assert machine.state().flows == 600


def test_a_ledger_that_never_shows_it_does_not_stop_trading_for_ever() -> None:
    machine = an_account()
    machine.on_balance(login("1500"))
    for _ in range(ASKED_AT_MOST):
        assert not machine.state().known
        machine.on_ledger("USD", [], whole=True)
    assert machine.state().known
    machine.on_balance(login("1700"))
    assert [gap.before for gap in machine.give_up("USD")] == [1500]
    assert machine.state().known
    assert machine.state().flows == 0


@pytest.mark.parametrize("restarts", [False, True])
def test_what_was_told_live_before_the_next_login_is_not_counted_again_by_the_ledger(restarts: bool) -> None:
    """The line fell again before REST had answered: the deposit of in between stood twice among what people moved."""
    machine = an_account()
    machine.on_balance(login("1500"))
    machine.on_balance(wallet("1600", DEPOSIT))
    assert machine.state().flows == 100
    if restarts:
        machine = restarted(machine, same_process=False)
    machine.on_balance(login("1600"))
    machine.on_ledger("USD", ledger(("500", DEPOSIT), ("100", DEPOSIT)), whole=True)
    assert machine.state().known
    assert machine.state().flows == 600


def test_money_that_came_unheard_and_went_before_all_eyes_is_still_asked_about() -> None:
    """The wallet was again what it had been: only what went was counted, and 500 stood as won."""
    machine = an_account()
    machine.on_balance(login("1500"))
    machine.on_balance(wallet("1000", WITHDRAWAL))
    machine.on_balance(login("1000"))
    assert not machine.state().known
    machine.on_ledger("USD", ledger(("500", DEPOSIT), ("-500", WITHDRAWAL)), whole=True)
    assert machine.state().known
    assert machine.state().flows == 0


def test_a_balance_that_comes_back_after_the_login_does_not_count_what_was_told_live_again() -> None:
    machine = an_account()
    machine.on_balance(login("1500"))
    machine.on_balance(wallet("1600", DEPOSIT))
    machine.on_balance(wallet("1500", TRADE))
    machine.on_ledger("USD", ledger(("500", DEPOSIT), ("100", DEPOSIT), ("-100", TRADE)), whole=True)
    assert machine.state().flows == 600


def test_a_ledger_without_the_logins_balance_does_not_count_again_what_was_told_live() -> None:
    machine = an_account()
    machine.on_balance(login("1500.5"))
    machine.on_balance(wallet("1600.5", DEPOSIT))
    for _ in range(ASKED_AT_MOST):
        machine.on_ledger("USD", ledger(("500", DEPOSIT), ("100", DEPOSIT)), whole=True)
    assert machine.state().known
    assert machine.state().flows == 600


times = st.lists(st.tuples(amounts, st.booleans(), st.sampled_from(TEXTS), st.integers(0, 3)), min_size=1, max_size=10)


@given(times)
def test_heard_or_not_each_amount_that_was_moved_counts_once(rows: list[tuple[Decimal, bool, str, int]]) -> None:
    """Entries are told live, or not at all and a login follows; the ledger answers only at the end."""
    entries = ledger(*[(str(amount if up else -amount), text) for amount, up, text, _ in rows], start="5000000")
    if len({Decimal(5_000_000), *[entry.balance for entry in entries]}) <= len(entries):
        return
    machine = AccountMachine(Settings(), asks_ledger=True)
    machine.on_balance(login("5000000"))
    for entry, (_, _, _, heard) in zip(reversed(entries), rows, strict=True):
        if heard:
            machine.on_balance(wallet(str(entry.balance), entry.description))
        else:
            machine.on_balance(login(str(entry.balance)))
    if machine.missed.gaps:
        machine.on_ledger("USD", entries, whole=True)
    assert machine.state().known
    moved = sum((entry.amount for entry in entries if entry.description in (DEPOSIT, WITHDRAWAL)), ZERO)
    assert machine.state().flows == moved
