"""What is said about paper shadows: what one began with, what it hears, and what it made beside the live trading.

A shadow trades a candidate's strategies with paper money on the very market that the live ones trade on. Money is in
the quote currency.
"""

from decimal import Decimal

import msgspec

from protocols.orders import Fill, OrderView
from protocols.signals import StrategyView
from protocols.units import ZERO, Symbol


class Stretch(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What a pair traded since the shadow heard of it last: mostly one trade, several while it was busy.

    `open` is the first price (at `first_ms`), `close` the newest (at `time_ms`, trade `trade_id`), times are the
    venue's; `volume` is base. So much of a stretch is kept that orders meet in it what they meet in a candle.
    """

    symbol: Symbol
    trade_id: int
    first_ms: int
    time_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    trades: int
    received_ns: int


class ShadowBegan(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A shadow counts from here: for the rollout of settings version `version`, at venue time `at_ms`.

    `strategies` are the names that are compared, those that only the live side or only the shadow has among them.
    `equity` is the live account's, `cash` the shadow's own. `again` says why it had to begin anew, empty at first.
    """

    version: int
    at_ms: int
    strategies: tuple[str, ...]
    cash: Decimal
    equity: Decimal
    again: str = ""


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One side's figures since the comparison began.

    `decisions` are entries that risk judged, `refusals` those it refused; `trades` are positions that were closed,
    `won` those of them that earned something after fees. `pnl` is after fees and includes what is open at its newest
    price, `closed_pnl` does not; `drawdown` is the deepest fall of `pnl` from its best; `open` counts positions.
    """

    decisions: int = 0
    refusals: int = 0
    trades: int = 0
    won: int = 0
    pnl: Decimal = ZERO
    closed_pnl: Decimal = ZERO
    fees: Decimal = ZERO
    drawdown: Decimal = ZERO
    open: int = 0


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """The shadow beside the live trading of the same strategies, both counted since `since_ms` of the venue's time."""

    since_ms: int
    strategies: tuple[str, ...]
    cash: Decimal
    equity: Decimal
    again: str
    shadow: Side
    live: Side


class ShadowHolding(msgspec.Struct, frozen=True, kw_only=True):
    """What the shadow holds of a symbol, with its result at the newest price."""

    symbol: Symbol
    quantity: Decimal
    average_price: Decimal
    unrealized_pnl: Decimal


class ShadowView(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The shadow that runs: its paper account, its strategies, and how far behind the market it is.

    `lag_ms` is how much older than the market the newest thing is that it has dealt with; `dropped` counts candles that
    it could not take in time (they are read again from the chart). `gaps` counts times that it was not there.
    `dead` counts messages that were put aside since the engine started; one more ends it. `trouble` says why it cannot
    run at all.
    """

    version: int
    name: str
    since_ms: int
    at_ms: int
    equity: Decimal
    balance: Decimal
    holdings: tuple[ShadowHolding, ...] = ()
    orders: tuple[OrderView, ...] = ()
    fills: tuple[Fill, ...] = ()
    strategies: tuple[StrategyView, ...] = ()
    lag_ms: int = 0
    dropped: int = 0
    gaps: int = 0
    dead: int = 0
    trouble: str = ""

    @property
    def fault(self) -> str:
        """Why it cannot run, or which of its strategies is off and why; empty while all run."""
        return self.trouble or next((f"{one.strategy}: {one.fault}" for one in self.strategies if one.fault), "")
