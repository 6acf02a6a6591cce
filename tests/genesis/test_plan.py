"""The plan of the house: whose dead letters halt trading."""

import attrs

from genesis.plan import MONEY_CHANNELS, Channels

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
