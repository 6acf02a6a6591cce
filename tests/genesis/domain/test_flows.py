"""Money paid in or taken out is neither won nor lost: no figure and no limit takes it for that."""

from decimal import Decimal

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genesis.domain.account_machine import AccountMachine
from genesis.domain.flows import moves_money
from genesis.domain.measures import below_peak, measure
from genesis.domain.performance import EquityFigures, TradeFigures, figures
from genesis.domain.risk_history import rederive
from genesis.domain.risk_machine import RiskMachine, RiskOutputs
from protocols.account import EquityPoint
from protocols.journal import AnyRecord
from protocols.orders import VenueWallet, WalletSnapshot
from protocols.risk import DenialCode
from protocols.settings import RiskSettings, Settings
from protocols.units import ZERO
from tests.genesis.domain.denials import machine
from tests.genesis.domain.risk_world import START_MS, a_score, an_account

HOUR_MS = 3_600_000
DEPOSIT = "Deposit (BITCOIN) #2168494 on wallet exchange"
WITHDRAWAL = "BITCOIN Withdrawal #123 on wallet exchange"
TRADE = "Exchange 0.5 BTC for USD @ 7000.0 on wallet exchange"


@pytest.mark.parametrize(
    ("text", "moves"),
    [
        (DEPOSIT, True),
        (WITHDRAWAL, True),
        ("Crypto Withdrawal fee on wallet Exchange", True),
        ("Transfer of 40.0 IOT from wallet Exchange to Trading on wallet margin", True),
        ("tetherusd withdrawal of 5 UST on wallet exchange", True),
        (TRADE, False),
        ("Trading fees for 0.5 BTC (BTCUSD) @ 7000 on BFX (0.2%) on wallet exchange", False),
        ("Margin Funding Payment on wallet deposit", False),
        ("Position closed @ 7000 (TRADE) on wallet margin", False),
        (None, False),
    ],
)
def test_the_text_of_an_entry_says_whether_money_moved(text: str | None, moves: bool) -> None:
    assert moves_money(text) is moves


def wallet(balance: str, text: str | None = None, *, kind: str = "exchange", currency: str = "USD") -> VenueWallet:
    return VenueWallet(
        session=1,
        wallet_type=kind,
        currency=currency,
        balance=Decimal(balance),
        available=None,
        received_ns=0,
        description=text,
    )


def an_account_of(balance: str) -> AccountMachine:
    made = AccountMachine(Settings())
    made.on_balance(wallet("1", DEPOSIT))
    made.on_balance(WalletSnapshot(session=1, wallets=(wallet(balance),), received_ns=0))
    made.mark_time(START_MS)
    return made


def test_what_was_made_does_not_wait_for_the_next_point_of_the_line() -> None:
    """Months on, the line has a point every quarter of an hour: so long the withdrawal stood there as a loss."""
    made = an_account_of("10000")
    made.on_balance(wallet("9000", WITHDRAWAL))
    told = made.view().performance
    assert told is not None
    assert (told.start_equity, told.final_equity, told.flows_quote) == (Decimal(10000), Decimal(9000), Decimal(-1000))
    assert (told.total_return, told.max_drawdown) == (0.0, 0.0)
    made.mark_time(START_MS + 60_000)
    assert made.view().performance == told


def test_what_was_paid_in_outlives_a_restart() -> None:
    made = an_account_of("10000")
    made.on_price("tBTCUSD", 7000.0)
    made.on_balance(wallet("12500", DEPOSIT))
    made.on_balance(wallet("12400", TRADE))
    made.on_balance(wallet("2", DEPOSIT, currency="BTC"))
    made.on_balance(wallet("12000", "Transfer of 400 USD from wallet Exchange to Trading on wallet exchange"))
    made.on_balance(
        wallet("400", "Transfer of 400 USD from wallet Exchange to Trading on wallet margin", kind="margin")
    )
    made.on_balance(wallet("77", DEPOSIT, kind="funding"))
    assert made.state().flows == made.flows == 2500 + 14000
    again = AccountMachine(Settings())
    again.restore(orders=(), kept=made.checkpoint(), same_process=True)
    assert again.flows == made.flows
    again.mark_time(START_MS + HOUR_MS)
    told = again.view().performance
    assert told is not None
    assert told.flows_quote == 16500
    # Between two points of the curve, what was made counts as made with what was there at the first.
    assert told.total_return == pytest.approx(-100 / 10000)


moves = st.tuples(st.floats(-0.4, 0.6), st.sampled_from([0, 0, 0, 5000, -2000, 100_000]))


@given(st.lists(moves, min_size=2, max_size=60))
def test_figures_are_those_of_an_account_that_nobody_paid_into(rows: list[tuple[float, int]]) -> None:
    share, equity, flows = 1.0, 10_000.0, 0
    shares, curve = [share], [EquityPoint(at_ms=0, equity=Decimal(equity))]
    for hour, (earned, moved) in enumerate(rows, start=1):
        share, equity = share * (1 + earned), equity * (1 + earned)
        if moved > -equity * 0.9:
            equity, flows = equity + moved, flows + moved
        shares.append(share)
        curve.append(EquityPoint(at_ms=hour * HOUR_MS, equity=Decimal(equity), flows=Decimal(flows)))
    made = measure(curve, (), fees_quote=ZERO, realized_pnl=ZERO)
    running = EquityFigures()
    running.on_points(curve)
    short = figures(running, TradeFigures(), fees_quote=ZERO, realized_pnl=ZERO)
    deepest = float(below_peak(np.array(shares)).max())
    for told in (made, short):
        assert told.total_return == pytest.approx(share - 1, abs=1e-9)
        assert told.max_drawdown == pytest.approx(deepest, abs=1e-9)
        assert told.flows_quote == flows
    assert made.profit == curve[-1].equity - curve[0].equity - flows
    assert short.sharpe == (None if made.sharpe is None else pytest.approx(made.sharpe, rel=1e-6))


# --- limits -------------------------------------------------------------------------------------------------------


def after(cash: int, flows: int, risk: RiskSettings | None = None) -> tuple[RiskMachine, RiskOutputs, list[AnyRecord]]:
    """A day that began with 10,000, and a wish to buy with what is there now."""
    made = machine(risk)
    records = [*made.on_score(a_score(0, "hold")).records]
    account = msgspec.structs.replace(an_account(cash=Decimal(cash)), flows=Decimal(flows))
    records += made.on_account(account).records
    outputs = made.on_score(a_score(1, "buy"))
    return made, outputs, [*records, *outputs.records]


def codes(outputs: RiskOutputs) -> set[DenialCode]:
    return {result.code for verdict in outputs.verdicts for result in verdict.denials if result.code is not None}


def test_a_deposit_hides_no_loss() -> None:
    _, outputs, _ = after(19_000, 10_000, RiskSettings(max_daily_loss=Decimal("0.05")))
    assert codes(outputs) == {DenialCode.MAX_DAILY_LOSS}


def test_a_withdrawal_is_no_loss() -> None:
    assert codes(after(4_000, 0)[1]) >= {
        DenialCode.MAX_DAILY_LOSS,
        DenialCode.MAX_WEEKLY_LOSS,
        DenialCode.MAX_DRAWDOWN,
    }
    made, outputs, records = after(4_000, -6_000)
    assert codes(outputs) == set()
    assert outputs.approved
    left = Decimal(4_000)
    assert (made.state.peak_equity, made.state.week_start_equity) == (left, left)
    # And the journal alone says the same.
    told = rederive(records, "UTC")
    assert (told.day_start_equity, told.peak_equity) == (left, left)
    assert made.settle(told) == ()
    assert made.on_account(msgspec.structs.replace(an_account(), flows=Decimal(-6_000))).records == ()
