"""Ticks: the trades of a pair as strategies hear them, live of the venue's prints and in a backtest of its steps."""

from typing import Final

from genesis.domain.replay import CandleRow, Step, tick_prices
from genesis.domain.venue_ledger import IDS_PER_MS
from protocols.market import Tick, TradePrint
from protocols.shadow import Stretch
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


def stretch_of(trade: TradePrint) -> Stretch:
    return Stretch(
        symbol=trade.symbol,
        trade_id=trade.trade_id,
        first_ms=trade.time_ms,
        time_ms=trade.time_ms,
        open=trade.price,
        high=trade.price,
        low=trade.price,
        close=trade.price,
        volume=abs(trade.amount),
        trades=1,
        received_ns=trade.received_ns,
    )


def merge_stretches(waiting: Stretch, newer: Stretch) -> Stretch:
    """One stretch of two that nobody has heard yet, in the order of their trades."""
    first, last = (waiting, newer) if newer.trade_id >= waiting.trade_id else (newer, waiting)
    return Stretch(
        symbol=last.symbol,
        trade_id=last.trade_id,
        first_ms=min(first.first_ms, last.first_ms),
        time_ms=max(first.time_ms, last.time_ms),
        open=first.open,
        high=max(first.high, last.high),
        low=min(first.low, last.low),
        close=last.close,
        volume=first.volume + last.volume,
        trades=first.trades + last.trades,
        received_ns=last.received_ns,
    )


def stretch_symbol(stretch: Stretch) -> Symbol:
    """What stretches conflate by."""
    return stretch.symbol


def price_path(stretch: Stretch, *, low_first: bool) -> tuple[float, ...]:
    """The prices that an order meets in a stretch: the first, the extremes beyond both ends in the order of a candle's
    (`tick_prices`), the newest. Up to four trades that lie as a replayed minute's do are told as they were."""
    if stretch.trades == 1:
        return (stretch.close,)
    row = CandleRow(stretch.first_ms, stretch.open, stretch.close, stretch.high, stretch.low, stretch.volume)
    first, *between, last = tick_prices(row, low_first=low_first)
    least, most = min(first, last), max(first, last)
    return (first, *(price for price in between if not least <= price <= most), last)
