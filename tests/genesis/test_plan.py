"""The plan of the house: whose dead letters halt trading, and who is woken by what."""

from decimal import Decimal

import attrs
import msgspec

from genesis.domain.account_machine import AccountMachine
from genesis.plan import MONEY_CHANNELS, Channels, Plan
from protocols.risk import PositionView
from protocols.settings import Settings
from protocols.units import Symbol

NOT_ABOUT_MONEY = frozenset(
    {
        "journal",  # its askers hear of it
        "prices",
        "market_events",
        "closed_to_signal",
        "closed_to_account",
        "conditions",
        "halts",  # the order actor keeps to the wish until risk has taken it
        "risk_commands",  # the person who asked is told
        "history_requests",  # asked again under another number
        "candle_requests",
        "ledger_requests",
        "reconnect_private",
        "set_settings",
        "job_requests",  # the person who asked is told
        "ui",
        "news",
        "own_fills",  # the next life of the strategies finds it among the fills that the order actor keeps
        "ticks",
        "paper_candles",  # a shadow reads what it missed of the chart
        "paper_trades",
        "forming",  # hints, without which all is said and judged just the same
        "foreseen",
        "foreseen_orders",
    }
)


def test_every_channel_either_halts_trading_with_its_dead_letters_or_is_known_not_to() -> None:
    names = {channel.name for channel in attrs.asdict(Channels(), recurse=False).values()}
    assert names >= MONEY_CHANNELS | NOT_ABOUT_MONEY
    assert names - MONEY_CHANNELS - NOT_ABOUT_MONEY == set()
    assert not MONEY_CHANNELS & NOT_ABOUT_MONEY
    assert {"balances", "account_state", "venue_commands"} <= MONEY_CHANNELS


def a_position(quantity: str, mark: str) -> PositionView:
    return PositionView(
        symbol=Symbol("tBTCUSD"),
        quantity=Decimal(quantity),
        average_price=Decimal(100),
        mark_price=Decimal(mark),
        notional=Decimal(100),
        unrealized_pnl=Decimal(0),
        realized_pnl=Decimal(0),
        fees=Decimal(0),
    )


def test_the_watch_over_stops_is_woken_by_what_it_looks_at_and_by_nothing_else() -> None:
    """Orders and account are published many times for each order that is placed or ends."""
    plan = Plan(settings=Settings(), pairs={}, sockets=1, on_dead_letter=lambda letter: None)
    watch, view = plan.mailboxes["protection"], AccountMachine(Settings()).view()

    def is_woken() -> bool:
        woken, watch._nudged = watch._nudged, False
        return woken

    def publish(quantity: str, mark: str) -> None:
        state = msgspec.structs.replace(view.state, positions=(a_position(quantity, mark),))
        plan.cells.account.set(msgspec.structs.replace(view, state=state))

    is_woken()
    publish("1", "100")
    assert is_woken(), "something is held now"
    publish("1", "101")
    assert not is_woken(), "only its price is another"
    publish("2", "101")
    assert is_woken()
    orders = plan.cells.orders.value
    plan.cells.orders.set(msgspec.structs.replace(orders, session=7, ready=True))
    assert not is_woken(), "no order is another"
    plan.cells.pairs.set({})
    assert is_woken()
