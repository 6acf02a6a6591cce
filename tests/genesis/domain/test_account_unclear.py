"""Wallets and positions that cannot be as they were told: nothing is lost by them, and nothing entered upon them."""

from decimal import Decimal

import pytest

from genesis.domain.account_machine import AccountMachine
from protocols.orders import PositionSnapshot, UnclearRow, VenuePosition, VenueWallet, WalletSnapshot
from protocols.settings import Settings
from protocols.units import Symbol

BTC = Symbol("tBTCUSD")


def wallet(currency: str, balance: str, kind: str = "exchange") -> VenueWallet:
    return VenueWallet(
        session=1, wallet_type=kind, currency=currency, balance=Decimal(balance), available=None, received_ns=0
    )


def wallets(*told: VenueWallet, unclear: tuple[UnclearRow, ...] = ()) -> WalletSnapshot:
    return WalletSnapshot(session=1, wallets=told, received_ns=0, unclear=unclear)


def position(amount: str = "2") -> VenuePosition:
    return VenuePosition(
        session=1,
        symbol=BTC,
        status="ACTIVE",
        amount=Decimal(amount),
        base_price=Decimal(100),
        margin_funding=Decimal(0),
        position_id=1,
        received_ns=0,
    )


def unclear(kind: str, name: str) -> UnclearRow:
    return UnclearRow(reason="cannot be", wallet_type=kind, name=name)


@pytest.fixture
def machine() -> AccountMachine:
    machine = AccountMachine(Settings())
    machine.on_balance(wallets(wallet("USD", "1000"), wallet("BTC", "1")))
    machine.on_price("tBTCUSD", 100.0)
    machine.mark_time(60_000)
    return machine


@pytest.mark.parametrize("row", [unclear("exchange", "USD"), unclear("", ""), unclear("exchange", "")])
def test_a_wallet_left_out_is_no_loss_and_nothing_is_entered_until_it_is_told(
    machine: AccountMachine, row: UnclearRow
) -> None:
    """Its wallet stood as emptied: a loss of everything in it, by which trading was halted and positions closed."""
    machine.on_balance(wallets(wallet("BTC", "1"), unclear=(row,)))
    assert machine.equity == 1100
    assert machine.state().known is False
    machine.mark_time(120_000)
    assert [point.equity for point in machine.curve] == [1100]
    machine.on_balance(wallets(wallet("USD", "900"), wallet("BTC", "1")))
    assert machine.equity == 1000
    assert machine.state().known is True


def test_the_next_word_on_that_wallet_makes_the_account_known_again(machine: AccountMachine) -> None:
    machine.on_balance(wallets(wallet("BTC", "1"), unclear=(unclear("exchange", "USD"),)))
    version = machine.version
    machine.on_balance(wallet("USD", "950"))
    assert machine.equity == 1050
    assert machine.state().known is True
    assert machine.version > version


def test_a_wallet_that_is_not_traded_with_hides_nothing(machine: AccountMachine) -> None:
    machine.on_balance(wallets(wallet("USD", "1000"), wallet("BTC", "1"), unclear=(unclear("funding", "USD"),)))
    assert machine.state().known


def test_a_position_left_out_is_not_gone(machine: AccountMachine) -> None:
    machine.on_balance(PositionSnapshot(session=1, positions=(position(),), received_ns=0))
    left_out = PositionSnapshot(session=1, positions=(), received_ns=0, unclear=(unclear("", BTC),))
    machine.on_balance(left_out)
    assert [(each.symbol, each.quantity) for each in machine.state().margin] == [(BTC, Decimal(2))]
    assert not machine.state().known
    machine.on_balance(wallets(wallet("USD", "1000"), wallet("BTC", "1")))
    assert not machine.state().known
    version = machine.version
    machine.on_balance(position())
    assert machine.state().known
    assert machine.version > version


def test_an_account_whose_first_word_cannot_be_is_not_known() -> None:
    machine = AccountMachine(Settings())
    machine.on_balance(wallets(wallet("BTC", "1"), unclear=(unclear("exchange", "USD"),)))
    assert not machine.state().known
    machine.on_balance(wallet("USD", "1000"))
    assert machine.state().known
    machine.on_price("tBTCUSD", 100.0)
    machine.mark_time(60_000)
    assert [point.equity for point in machine.curve] == [1100]
