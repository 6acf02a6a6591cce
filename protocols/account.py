"""What is said about how it went: equity over time, finished trades, and the figures made of them."""

from decimal import Decimal

import msgspec

from protocols.measures import OpenRow, TradeShare
from protocols.orders import Fill
from protocols.reference import LedgerEntry
from protocols.risk import AccountState
from protocols.units import ZERO, Side, Symbol


class EquityPoint(msgspec.Struct, frozen=True, kw_only=True, tag=True, omit_defaults=True):
    """What the account was worth, in the quote currency, at one moment of venue time.

    `flows` is what had been paid in by then less what had been taken out: equity that rises with it was not earned.
    """

    at_ms: int
    equity: Decimal
    flows: Decimal = ZERO


class ClosedTrade(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A position from flat to flat. `pnl` is in quote, after `fees_quote`; prices are volume-weighted averages.

    `exit_reason` is the purpose of the order whose fill ended it: exit, stop, target, flatten, manual. `strategy`
    opened it; where others had a part, too, `shares` says who made what of it, and is empty else.
    """

    symbol: Symbol
    strategy: str
    side: Side
    quantity: Decimal
    entry_price: Decimal
    exit_price: Decimal
    entry_ms: int
    exit_ms: int
    pnl: Decimal
    fees_quote: Decimal
    correlation_id: str
    exit_reason: str = ""
    shares: tuple[TradeShare, ...] = ()

    def parts(self) -> tuple[TradeShare, ...]:
        """Who made what of it: one who made all, or each who had a share."""
        return self.shares or (TradeShare(strategy=self.strategy, pnl=self.pnl, fees_quote=self.fees_quote),)


class Performance(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The figures of a run. Fractions, not percent; None where too little happened to say.

    `sharpe` is that of every report: annualised from returns by the day once 30 days have ended, by the hour before, as
    `sharpe_period_ms` says; `max_drawdown` is the deepest fall from a peak.
    """

    start_equity: Decimal
    final_equity: Decimal
    total_return: float
    max_drawdown: float
    sharpe: float | None
    sharpe_period_ms: int
    trades: int
    winrate: float | None
    profit_factor: float | None
    fees_quote: Decimal
    realized_pnl: Decimal
    flows_quote: Decimal = ZERO
    """Paid in less taken out since the start: in `final_equity`, and in no other figure."""


class ClosedGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Finished trades that are alike in all four names, added up. `outcome` is win, loss or draw.

    `put_in` is what entering cost and `volume` both ways, without fees; `ratios` is the sum of each trade's profit over
    what it put in, `held_ms` of how long each was open.
    """

    symbol: Symbol
    strategy: str
    exit_reason: str
    outcome: str
    trades: int
    profit: Decimal
    put_in: Decimal
    volume: Decimal
    ratios: float
    held_ms: int


class ClosedDay(msgspec.Struct, frozen=True, kw_only=True):
    """The finished trades of one day. `day` counts days UTC from 1970 on."""

    day: int
    trades: int
    profit: Decimal


class ClosedTotals(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Every finished trade, added up: rows of trades are kept for the newest only, sums for all of them."""

    groups: tuple[ClosedGroup, ...] = ()
    parts: tuple[ClosedGroup, ...] = ()
    """The same by who made what: a trade that several had a part in counts once for each of them."""
    days: tuple[ClosedDay, ...] = ()
    first_entry_ms: int = 0
    last_exit_ms: int = 0


class StrategyBookView(msgspec.Struct, frozen=True, kw_only=True):
    """`quantity` is signed base; money is quote. `realized_pnl` is after all fees, `unrealized_pnl` by the last price.

    `exits` are fills that made the position smaller, `won` those of them that made money before fees.
    """

    strategy: str
    symbol: Symbol
    quantity: Decimal
    average_price: Decimal
    realized_pnl: Decimal
    unrealized_pnl: Decimal
    fees: Decimal
    fills: int
    exits: int
    won: int


class AccountView(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The account for readers: its state with fresh marks, its history, and its figures.

    `trades` and `fills` are the newest; `closed`, `books` and `traded_quote` (what was bought and sold) are of
    all there ever were.
    """

    state: AccountState
    curve: tuple[EquityPoint, ...]
    trades: tuple[ClosedTrade, ...]
    fills: tuple[Fill, ...]
    performance: Performance | None
    left_open: tuple[OpenRow, ...] = ()
    closed: ClosedTotals = ClosedTotals()
    books: tuple[StrategyBookView, ...] = ()
    traded_quote: Decimal = ZERO


class LedgerRequest(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Ask REST for the newest entries of a currency's ledger."""

    currency: str


class LedgerReport(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What it says, newest first. `whole`: there are no older entries."""

    currency: str
    entries: tuple[LedgerEntry, ...]
    whole: bool


class LedgerFailed(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """There was no answer; `refused`: the venue does not give it, and will not when it is asked again."""

    currency: str
    reason: str
    refused: bool
