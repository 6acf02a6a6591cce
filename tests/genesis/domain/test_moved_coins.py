"""Coins that a person moves between wallets of the account while a stop is in doubt, and history silent."""

from decimal import Decimal

import pytest

from genesis.domain.order_holdings import QUIET_S
from protocols.orders import OrderSnapshot, SessionUp, SubmitOrder, UnclearRow, VenueWallet, WalletSnapshot
from protocols.units import Side
from tests.genesis.domain.protect_bench import Bench, D, sent

BEFORE = "5"
"""Coins of the exchange wallet that were there before."""


def wallets(session: int, **coins: str) -> tuple[VenueWallet, ...]:
    return tuple(
        VenueWallet(session=session, wallet_type=kind, currency="BTC", balance=D(amount), available=None, received_ns=0)
        for kind, amount in coins.items()
    )


def say(bench: Bench, **coins: str) -> list[object]:
    """The session tells of some wallets."""
    return [command for wallet in wallets(bench.machine.fence.session, **coins) for command in sent(bench.hear(wallet))]


def greet(bench: Bench, session: int, *, unclear: tuple[UnclearRow, ...] = (), **coins: str) -> None:
    """A new session with all wallets, without the stop and without history."""
    bench.hear(
        WalletSnapshot(session=session, wallets=wallets(session, **coins), unclear=unclear, received_ns=0),
    )
    bench.hear(OrderSnapshot(session=session, orders=(), received_ns=0))
    bench.hear(SessionUp(session=session, user_id=1, received_ns=0))


@pytest.fixture(params=[False, True], ids=["same life", "next process"])
def bench(request: pytest.FixtureRequest) -> Bench:
    """1 was bought beside coins of before, some of which lie in the funding wallet; the line and its stop are gone."""
    made = Bench(coins=BEFORE)
    say(made, funding="2")
    made.wait(QUIET_S)
    made.open_position()
    say(made, exchange="6")
    if request.param:
        made.restart(new_process=True)
    made.cut()
    made.wait(1.0)
    return made


@pytest.mark.parametrize(
    ("exchange", "funding", "stopped"),
    [
        pytest.param("6", "2", "1", id="nothing was moved, and nothing sold"),
        pytest.param("4", "4", "1", id="moved out"),
        pytest.param("3", "4", None, id="moved out, and the stop has traded"),
        pytest.param("0.5", "7.5", "0.5", id="moved out, with coins of ours"),
        pytest.param("8", "0", "1", id="moved in"),
        pytest.param("7", "0", None, id="moved in, and the stop has traded"),
        pytest.param("5", "2.0001", None, id="interest, and the stop has traded"),
        pytest.param("6", "2.0001", "1", id="interest"),
        pytest.param("5.4", "2.0001", "0.4", id="interest, and half of the stop has traded"),
        pytest.param("5", "3.5", None, id="a deposit, and the stop has traded"),
        pytest.param("5", "2", None, id="gone, to where nobody knows"),
    ],
)
def test_a_stop_is_placed_for_what_was_not_sold_and_not_for_what_was_moved(
    bench: Bench, exchange: str, funding: str, stopped: str | None
) -> None:
    greet(bench, 2, exchange=exchange, funding=funding)
    stops = [command.amount for command in sent(bench.wait(1.0)) if isinstance(command, SubmitOrder)]
    assert stops == ([] if stopped is None else [-D(stopped)])


def test_what_is_moved_while_the_session_stands_is_seen_by_its_frames(bench: Bench) -> None:
    greet(bench, 2, exchange="5", funding="2")
    assert sent(bench.wait(1.0)) == [], "the stop may have sold it"
    assert say(bench, exchange="4") == []
    assert say(bench, funding="3") == [], "one was moved, and two are missing"
    (stop,) = say(bench, funding="4")
    assert isinstance(stop, SubmitOrder)
    assert stop.amount == D(-1)


@pytest.mark.parametrize("new_process", [False, True])
@pytest.mark.parametrize("first", [{"exchange": "5"}, {"funding": "3"}], ids=["its leaving", "its coming"])
def test_of_a_move_of_which_the_session_told_one_half_the_next_one_knows_both(
    first: dict[str, str], new_process: bool
) -> None:
    """What another wallet held was noted with its half; by the exchange's the stop had sold what only went there."""
    bench = Bench(coins=BEFORE)
    say(bench, funding="2")
    bench.wait(QUIET_S)
    bench.open_position()
    say(bench, exchange="6")
    bench.wait(60.0)
    say(bench, **first)
    bench.wait(QUIET_S / 2)
    bench.cut()
    bench.wait(5.0)
    if new_process:
        bench.restart(new_process=True)
    greet(bench, 2, exchange="5", funding="3")
    stops = [command.amount for command in sent(bench.wait(1.0)) if isinstance(command, SubmitOrder)]
    assert stops == [D(-1)]


def test_a_wallet_that_says_the_same_again_and_again_tells_of_no_move() -> None:
    """What is free in a margin wallet changes with each price: the frames of it kept the exchange's own from ever being
    noted, and the stop in doubt had no other beside it."""
    bench = Bench(coins=BEFORE)
    say(bench, margin="2")
    for _ in range(8):
        bench.wait(QUIET_S / 2)
        say(bench, margin="2")
    bench.open_position()
    say(bench, exchange="6")
    bench.cut()
    bench.wait(5.0)
    greet(bench, 2, exchange="6", margin="2")
    stops = [command.amount for command in sent(bench.wait(1.0)) if isinstance(command, SubmitOrder)]
    assert stops == [D(-1)]


def test_a_wallet_that_cannot_be_tells_of_nothing_that_was_moved(bench: Bench) -> None:
    unclear = UnclearRow(reason="a wallet's balance must be a number", wallet_type="margin")
    greet(bench, 2, exchange="4", funding="4", unclear=(unclear,))
    assert sent(bench.wait(1.0)) == []


def test_interest_of_quiet_times_is_no_coin_that_was_moved() -> None:
    """What the other wallets hold is noted as often as what is spare: in a year it comes to as much as a position."""
    bench = Bench(coins=BEFORE)
    say(bench, funding="2")
    bench.wait(QUIET_S)
    say(bench, funding="3")
    bench.wait(60.0)
    bench.open_position()
    say(bench, exchange="6")
    bench.cut()
    bench.wait(1.0)
    greet(bench, 2, exchange="5", funding="3")
    assert sent(bench.wait(1.0)) == [], "one was sold"


def test_an_entry_in_doubt_has_its_coins_whatever_was_moved() -> None:
    bench = Bench(coins=BEFORE)
    bench.wait(QUIET_S)
    bench.admit(side=Side.BUY, quantity=Decimal(1))
    bench.cut()
    bench.wait(1.0)
    greet(bench, 2, exchange="2.998", funding="3")
    (stop,) = sent(bench.wait(1.0))
    assert stop.amount == D("-0.998")


def test_wallets_of_an_older_program_are_believed_of_the_exchange_alone() -> None:
    """It did not note what the others held: nobody knows what was moved since."""
    bench = Bench(coins=BEFORE)
    bench.wait(QUIET_S)
    bench.open_position()
    say(bench, exchange="6")
    told = bench.machine.told_amounts[False]
    told.others, told.elsewhere = None, {}
    bench.cut()
    bench.wait(1.0)
    greet(bench, 2, exchange="4", funding="2")
    assert sent(bench.wait(1.0)) == []
