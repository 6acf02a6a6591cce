"""What the fast walk knows of its events beforehand: which they are, and what an order at each of them would meet.

Nothing here hangs on what was traded before, so events are worked out side by side, where the walk must wait for the
cash of the trade before. The rows around an event are copied into its record: the walk reads records one after another,
and rows only where a price reaches a protective order.
"""

import math
from typing import Any, Final

from genesis.domain.indicators.compiling import into_callers, one_kind_a_name
from genesis.domain.strategy import HOLD
from genesis.research.fast_numbers import (
    cut_float,
    price_down,
    price_up,
    taker_buys,
    taker_sells,
    ten,
    ticks_of,
    value_of,
)
from genesis.research.fast_places import (
    DONE,
    E_ASK,
    E_CLOSE,
    E_DECIMALS,
    E_FLAGS,
    E_MINUTE,
    E_OPEN,
    E_PRICE,
    E_ROW,
    E_ROW_MINUTE,
    E_SALE,
    E_SALE_DECIMALS,
    E_SCORE,
    E_STOP,
    E_TARGET,
    E_TARGET_DECIMALS,
    E_TARGET_PRICE,
    E_WHY,
    EXACT_BIG,
    EXACT_TIE,
    L_STOP_ATR,
    L_TARGET_ATR,
    LARGEST,
    N_COST_DECIMALS,
    N_DISTANCE_DECIMALS,
    N_PRICE_DECIMALS,
    N_SPREAD_UP,
    N_STOP_FRACTION,
    N_TARGET_FRACTION,
    NOWHERE_HIGH,
    NOWHERE_LOW,
)

SILENT: Final = int(HOLD)


def merge(wanted: Any, scores: Any, codes: Any, found: Any, first: Any, event_at: Any, event_code: Any) -> None:
    """The events of each set, those of set `number` at first[number]:first[number + 1], ascending: what it says
    (`scores` and `codes`: a row for each set, of which `found` count), and the `wanted` places, at which a day begins.

    `first` is filled in, its last number too.
    """
    event = 0
    for number in range(len(found)):
        first[number] = event
        day = 0
        for place in range(found[number]):
            score = scores[number, place]
            while day < len(wanted) and wanted[day] < score:
                event_at[event], event_code[event] = wanted[day], SILENT
                event += 1
                day += 1
            if day < len(wanted) and wanted[day] == score:
                day += 1
            event_at[event], event_code[event] = score, codes[number, place]
            event += 1
        while day < len(wanted):
            event_at[event], event_code[event] = wanted[day], SILENT
            event += 1
            day += 1
    first[len(found)] = event


def lay_out(
    row_minute: Any,
    row_open: Any,
    score_minute: Any,
    score_row: Any,
    score_price: Any,
    flags: Any,
    numbers: Any,
    limits: Any,
    event_at: Any,
    event_code: Any,
    event_atr: Any,
    records: Any,
) -> None:
    """The record of each event, one after another; `event_atr` is empty where no range decides anything.

    First what lies far apart is gathered, without a branch: so many rows are waited for at once.
    """
    for event in range(len(records)):
        score = event_at[event]
        row = score_row[score]
        records[event, E_SCORE] = score
        records[event, E_MINUTE] = score_minute[score]
        records[event, E_FLAGS] = flags[score]
        records[event, E_CLOSE] = score_price[score]
        records[event, E_ROW] = row
        records[event, E_ROW_MINUTE] = row_minute[row] if row < len(row_minute) else 0
        # An order after the last row is judged all the same, and never fills.
        records[event, E_OPEN] = row_open[row] if row < len(row_open) else score_price[score]
    unit = float(ten(numbers[N_PRICE_DECIMALS]))
    for event in range(len(records)):
        code = int(event_code[event])
        if code < 0:
            # Written out: a call with three arrays takes four times as long as what it does.
            price, price_decimals = taker_sells(ticks_of(records[event, E_OPEN], unit), numbers)
            records[event, E_SALE], records[event, E_SALE_DECIMALS] = price, price_decimals
        elif code > 0:
            atr = event_atr[event] if len(event_atr) > 0 else math.nan
            prepare_entry(records, event, records[event, E_CLOSE], records[event, E_OPEN], atr, numbers, limits)


@one_kind_a_name
def lay_out_all(
    row_minute: Any,
    row_open: Any,
    score_minute: Any,
    score_row: Any,
    score_price: Any,
    flags: Any,
    numbers: Any,
    limits: Any,
    begin: int,
    end: int,
    table: Any,
) -> None:
    """The records of the scores from `begin` to `end` (not included), for a buy and for a sale, where neither hangs on
    a range."""
    unit = float(ten(numbers[N_PRICE_DECIMALS]))
    for score in range(begin, end):
        row = score_row[score]
        table[score, E_SCORE] = score
        table[score, E_MINUTE] = score_minute[score]
        table[score, E_FLAGS] = flags[score]
        table[score, E_CLOSE] = score_price[score]
        table[score, E_ROW] = row
        table[score, E_ROW_MINUTE] = row_minute[row] if row < len(row_minute) else 0
        open_ = row_open[row] if row < len(row_open) else score_price[score]
        price, price_decimals = taker_sells(ticks_of(open_, unit), numbers)
        table[score, E_SALE], table[score, E_SALE_DECIMALS] = price, price_decimals
        prepare_entry(table, score, score_price[score], open_, math.nan, numbers, limits)


@into_callers
@one_kind_a_name
def prepare_entry(records: Any, record: int, close: float, open_: float, atr: float, numbers: Any, limits: Any) -> None:
    """What a buy decided at `close` fills at, and where what protects it would stand; E_WHY says what is unsure."""
    decimals = numbers[N_PRICE_DECIMALS]
    unit = float(ten(decimals))
    price, price_decimals = taker_buys(ticks_of(open_, unit), numbers)
    records[record, E_PRICE], records[record, E_DECIMALS] = price, price_decimals
    records[record, E_WHY] = DONE
    tick = ticks_of(close, unit)
    # What the venue locks for it, at the best price it can see.
    ask, ask_decimals = price_up(tick * numbers[N_SPREAD_UP], decimals + numbers[N_COST_DECIMALS])
    records[record, E_ASK] = value_of(ask, ask_decimals)
    records[record, E_STOP], records[record, E_TARGET] = NOWHERE_LOW, NOWHERE_HIGH
    if float(tick) * float(max(numbers[N_STOP_FRACTION], numbers[N_TARGET_FRACTION])) > LARGEST:
        records[record, E_WHY] = EXACT_BIG
        return
    stop_distance, stop_decimals, target_distance, target_decimals = 0, 0, 0, 0
    by_fraction = True
    if limits[L_STOP_ATR] > 0.0 and atr > 0.0:
        stop_distance, stop_decimals, sure = cut_float(limits[L_STOP_ATR] * atr)
        if not sure:
            records[record, E_WHY] = EXACT_TIE
            return
        by_fraction = stop_distance > 0 and value_of(stop_distance, stop_decimals) >= close
    if by_fraction:
        stop_distance, stop_decimals = 0, 0
        if numbers[N_STOP_FRACTION] > 0:
            stop_distance, stop_decimals = price_down(
                tick * numbers[N_STOP_FRACTION], decimals + numbers[N_DISTANCE_DECIMALS]
            )
    if limits[L_TARGET_ATR] > 0.0 and atr > 0.0:
        target_distance, target_decimals, sure = cut_float(limits[L_TARGET_ATR] * atr)
        if not sure:
            records[record, E_WHY] = EXACT_TIE
            return
    elif numbers[N_TARGET_FRACTION] > 0:
        target_distance, target_decimals = price_down(
            tick * numbers[N_TARGET_FRACTION], decimals + numbers[N_DISTANCE_DECIMALS]
        )
    # The levels from the fill, cut to what the venue takes.
    most = max(price_decimals, max(stop_decimals, target_decimals))
    if most - min(price_decimals, min(stop_decimals, target_decimals)) > 12:
        records[record, E_WHY] = EXACT_BIG
        return
    at = price * ten(most - price_decimals)
    if stop_distance > 0:
        level = at - stop_distance * ten(most - stop_decimals)
        if level > 0:
            number, level_decimals = price_down(level, most)
            if number > 0:
                apart = decimals - level_decimals
                level = number * ten(apart) if apart >= 0 else number // ten(-apart)
                records[record, E_STOP] = float(level) / unit
    if target_distance > 0:
        level = at + target_distance * ten(most - target_decimals)
        number, level_decimals = price_down(level, most)
        apart = decimals - level_decimals
        level = number * ten(apart) if apart >= 0 else (number + ten(-apart) - 1) // ten(-apart)
        records[record, E_TARGET] = float(level) / unit
        records[record, E_TARGET_PRICE], records[record, E_TARGET_DECIMALS] = number, level_decimals
