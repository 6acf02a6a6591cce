"""Ticks: the trades of a pair as strategies hear them, live of the venue's prints and in a backtest of its steps."""

from typing import Final

from genesis.domain.replay import Step
from genesis.domain.venue_ledger import IDS_PER_MS
from protocols.market import Tick, TradePrint
from protocols.units import Symbol

SMALLEST_AMOUNT: Final = 1e-8


def replayed_amount(volume: float) -> float:
    """The base amount that the trade of a replayed step has: a trade of nothing is none."""
    return max(round(volume, 8), SMALLEST_AMOUNT)


def replayed_trade_id(time_ms: int, place: int) -> int:
    """The number of a replayed step's trade; `place` is its symbol's among those of the recording."""
    return time_ms * IDS_PER_MS + place


def replayed_tick(step: Step, place: int) -> Tick:
    """The tick that the simulator's print of this step becomes."""
    return Tick(
        symbol=step.symbol,
        trade_id=replayed_trade_id(step.time_ms, place),
        time_ms=step.time_ms,
        price=step.price,
        high=step.price,
        low=step.price,
        volume=replayed_amount(step.volume),
        trades=1,
        received_ns=0,
    )


def tick_of(trade: TradePrint) -> Tick:
    return Tick(
        symbol=trade.symbol,
        trade_id=trade.trade_id,
        time_ms=trade.time_ms,
        price=trade.price,
        high=trade.price,
        low=trade.price,
        volume=abs(trade.amount),
        trades=1,
        received_ns=trade.received_ns,
    )


def is_news(trade: TradePrint, late_after_ms: int) -> bool:
    """Whether a trade was told as it happened, and not filled in afterwards: such have no stamp, or a late one."""
    return 0 <= trade.venue_ms - trade.time_ms <= late_after_ms if trade.venue_ms else False


def merge_ticks(waiting: Tick, newer: Tick) -> Tick:
    """One tick of two that nobody has heard yet: no extreme and no volume between them is lost."""
    last = newer if newer.trade_id >= waiting.trade_id else waiting
    return Tick(
        symbol=last.symbol,
        trade_id=last.trade_id,
        time_ms=last.time_ms,
        price=last.price,
        high=max(waiting.high, newer.high),
        low=min(waiting.low, newer.low),
        volume=waiting.volume + newer.volume,
        trades=waiting.trades + newer.trades,
        received_ns=last.received_ns,
    )


def tick_symbol(tick: Tick) -> Symbol:
    """What ticks conflate by."""
    return tick.symbol
