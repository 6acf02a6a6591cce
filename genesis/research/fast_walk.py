"""The fast walk: one strategy on one symbol over columns, by the same rules as the engine, in whole numbers.

It is one loop over what the strategy says, plain enough for a compiler; not compiled it is the same source in Python.
Between two words nothing happens but that a price reaches a protective order, or raises a peak: both are looked for in
blocks of rows, so a quiet stretch costs next to nothing however long it is.

Money is counted in hundred-millionths as the venue counts it (int64), prices as the five digits the venue takes with a
power of ten. So quantities, prices and balances are the exact runner's own numbers, not near them. Where a decision
hangs on the last bits of a fraction, and wherever something happens that this loop does not know, it stops and says so
(`EXACT_*`), and the exact runner is asked instead.
"""

import math
from typing import Any, Final

from genesis.domain.indicators.compiling import ask_for, into_callers, one_kind_a_name
from genesis.research.fast_numbers import (
    first_above,
    half_even,
    is_below,
    lost_part,
    multiply_divide,
    notional_of,
    taker_sells,
    ten,
    ticks_of,
    value_of,
)
from genesis.research.fast_places import (
    COARSE,
    DONE,
    E_ASK,
    E_CLOSE,
    E_DECIMALS,
    E_FLAGS,
    E_MINUTE,
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
    ENTRY,
    EXACT_ADDS,
    EXACT_BIG,
    EXACT_SMALL,
    EXACT_STARVED,
    EXACT_TIE,
    EXACT_WAITS,
    EXIT,
    F_DECIMALS,
    F_FEE,
    F_MINUTE,
    F_NOTIONAL,
    F_PRICE,
    F_QUANTITY,
    F_ROW,
    F_TICK,
    F_WHAT,
    IS_WILD,
    L_ATR_BUDGET,
    L_DAILY,
    L_DRAWDOWN,
    L_PROFIT,
    L_SLIPPAGE_BPS,
    L_STRATEGY,
    L_WEEKLY,
    LARGEST,
    LONGEST_PAUSES,
    MAY_OPEN,
    N_BREAKER_MS,
    N_CAP,
    N_CASH,
    N_COOLDOWN_MS,
    N_CUT,
    N_EXIT_LOCK_MS,
    N_FEE_DECIMALS,
    N_FRACTION,
    N_FRACTION_DECIMALS,
    N_GUARD_LOCK_MS,
    N_GUARD_LOSSES,
    N_GUARD_WINDOW_MS,
    N_LOW_FIRST,
    N_MAKER,
    N_MAXIMUM,
    N_MAY_ENTER,
    N_MINIMUM,
    N_PRICE_DECIMALS,
    N_PROBES,
    N_PROFIT_LOCK_MS,
    N_PROFIT_TRADES,
    N_PROFIT_WINDOW_MS,
    N_TAKER,
    N_TRADES_A_DAY,
    NEW_DAY,
    NEW_WEEK,
    NOWHERE_HIGH,
    NOWHERE_LOW,
    RESULTS_KEPT,
    STOP,
    TARGET,
    TRIPS,
)

BLOCK: Final = 64
"""Rows (and scores) of which the lowest low and the highest high are known; the last block may be shorter."""


AHEAD: Final = 10
"""Events by which records are asked for beforehand."""


@into_callers
def first_reached(
    row: int, until: int, stop_at: float, target_at: float, lows: Any, highs: Any, block_low: Any, block_high: Any
) -> int:
    """The first row in [row, until) whose low is at or below the stop, or whose high at or above the target."""
    while row < until:
        block = row // BLOCK
        end = min((block + 1) * BLOCK, until)
        if block_low[block] <= stop_at or block_high[block] >= target_at:
            while row < end:
                if lows[row] <= stop_at or highs[row] >= target_at:
                    return row
                row += 1
        row = end
    return until


@into_callers
def bound(block_price: Any, begin: int, end: int) -> float:
    """No price of [begin, end) is above it; `end` is above `begin`."""
    most: float = block_price[begin // BLOCK]
    for block in range(begin // BLOCK + 1, (end - 1) // BLOCK + 1):
        most = max(most, block_price[block])
    return most


def highest(prices: Any, block_price: Any, begin: int, end: int) -> float:
    """The highest of prices[begin:end], of at least one."""
    most: float = prices[begin]
    place = begin
    while place < end:
        if place % BLOCK == 0 and place + BLOCK <= end:
            most = max(most, block_price[place // BLOCK])
            place += BLOCK
        else:
            most = max(most, prices[place])
            place += 1
    return most


@into_callers
def note(
    fills: Any,
    place: int,
    what: int,
    row: int,
    tick: int,
    quantity: int,
    price: int,
    decimals: int,
    notional: int,
    fee: int,
    minute: int,
) -> None:
    """Write one fill down."""
    fills[place, F_WHAT], fills[place, F_ROW], fills[place, F_TICK] = what, row, tick
    fills[place, F_QUANTITY], fills[place, F_PRICE], fills[place, F_DECIMALS] = quantity, price, decimals
    fills[place, F_NOTIONAL], fills[place, F_FEE], fills[place, F_MINUTE] = notional, fee, minute


def moment_of(fills: Any, place: int) -> int:
    """Milliseconds from the first row's minute to the fill's tick."""
    tick = fills[place, F_TICK]
    within = 2_000 if tick == 0 else 17_000 if tick == 1 else 32_000 if tick == 2 else 59_000
    moment: int = fills[place, F_MINUTE] * 60_000 + within
    return moment


@one_kind_a_name
def walk_scores(
    row_minute: Any,
    row_open: Any,
    row_high: Any,
    row_low: Any,
    row_close: Any,
    block_low: Any,
    block_high: Any,
    score_row: Any,
    score_price: Any,
    block_price: Any,
    heard_atr: Any,
    numbers: Any,
    limits: Any,
    records: Any,
    event_at: Any,
    event_code: Any,
    first: Any,
    begin: int,
    end: int,
    fills_of: Any,
    results_of: Any,
    counts: Any,
    stopped: Any,
) -> None:
    """Trade all scores for each of the sets from `begin` to `end` (not included), one after another, and say of each in
    `stopped[set]` DONE or why not.

    Rows and scores ascend; `score_row` is the first row at or after the score's minute. `block_low`, `block_high` and
    `block_price` are the lowest and highest of each `BLOCK` of rows, and the highest of scores. The events
    are the scores that say something (`event_code`), begin a day or trip a breaker, ascending; `event_at` are the
    places of their records, and those of set `number` lie at first[number]:first[number + 1]. Of the sets' own places,
    counted from `begin`, `fills_of` (int64[sets, m, FILL]) and `results_of` (float64[sets, m]: what a closing fill made
    of its trade) are filled in, and `counts` (int64[sets, 5]) becomes [fills, refused entries, exits from nothing,
    cash, coins].
    """
    price_unit = float(ten(numbers[N_PRICE_DECIMALS]))
    fee_unit = ten(numbers[N_FEE_DECIMALS])
    fraction_unit = ten(numbers[N_FRACTION_DECIMALS])
    for number in range(begin, end):
        event, events = first[number], first[number + 1]
        fills, results = fills_of[number - begin], results_of[number - begin]
        cash = numbers[N_CASH]
        coins = 0
        filled = 0
        refused = 0
        from_nothing = 0
        # The order that waits for the next trade: 0 none, 1 a buy, 2 a sale; what it was judged by, and its event's
        # record.
        waiting = 0
        waiting_quantity = 0
        waiting_price = 0.0
        order = 0
        # Where the protective orders act: prices as the market's rows have them; out of reach when there is none.
        stop_at, target_at = NOWHERE_LOW, NOWHERE_HIGH
        cost = 0.0
        # What risk remembers.
        known = False
        day_start, week_start, peak = 0.0, 0.0, 0.0
        trades_today = 0
        last_entry_ms = -1
        has_book = False
        book_realized, book_peak, book_base = 0.0, 0.0, 0.0
        cooldown_lock, guard_lock, profit_lock = -1, -1, -1
        # Breakers: of everything, and of the symbol. 0 closed, 1 open, 2 half open.
        all_state, all_until, all_trips, all_probe, all_good = 0, 0, 0, False, 0
        symbol_state, symbol_until, symbol_trips, symbol_probe, symbol_good = 0, 0, 0, False, 0
        now_ms = 0
        row = 0
        scores = len(score_row)
        rows = len(row_minute)
        score = -1
        # Why it ends: what is not DONE ends it at once.
        why = DONE
        while True:
            # --- the next event, and the row in which an order fills before it ---
            at, ahead, until = 0, scores, rows
            if event < events:
                at = event_at[event]
                # Asked for now, a record is there when its turn comes: to wait for memory costs more than the event
                # does.
                ask_for(records, event_at[min(event + AHEAD, events - 1)])
                ahead, until = int(records[at, E_SCORE]), int(records[at, E_ROW])
            is_walked = False
            if waiting != 0:
                if row >= rows:
                    break
                if row >= until:
                    why = EXACT_WAITS
                    break
                is_walked = True
            elif coins != 0:
                row = first_reached(row, until, stop_at, target_at, row_low, row_high, block_low, block_high)
                is_walked = row < until
                after = first_above(score_row, score + 1, ahead, row) if is_walked else ahead
                if after > score + 1:
                    # Most stretches cannot reach a peak, and are not looked at.
                    close = bound(block_price, score + 1, after)
                    worth = float(cash) * 1e-8 + float(coins) * 1e-8 * close
                    made = book_realized + (float(coins) * 1e-8 * close - cost)
                    if worth > peak or (has_book and made > book_peak):
                        close = highest(score_price, block_price, score + 1, after)
                        worth = float(cash) * 1e-8 + float(coins) * 1e-8 * close
                        peak = max(peak, worth)
                        made = book_realized + (float(coins) * 1e-8 * close - cost)
                        if has_book and made > book_peak:
                            book_peak = made
                            book_base = worth
            if is_walked:
                part = 0
                sold = -1
                price, price_decimals = 0, 0
                if waiting == 1:
                    waiting = 0
                    minute = int(records[order, E_ROW_MINUTE])
                    price, price_decimals = int(records[order, E_PRICE]), int(records[order, E_DECIMALS])
                    size = float(waiting_quantity) * float(price) * float(ten(max(-price_decimals, 0)))
                    if size > LARGEST or float(waiting_quantity) * float(numbers[N_TAKER]) > LARGEST:
                        why = EXACT_BIG
                        break
                    notional = notional_of(waiting_quantity, price, price_decimals)
                    # The venue asks whether quantity times price is there, before it cuts the last decimals.
                    if notional >= cash:
                        why = EXACT_STARVED
                        break
                    fee = half_even(waiting_quantity * numbers[N_TAKER], fee_unit)
                    cash -= notional
                    coins = waiting_quantity - fee
                    if coins < numbers[N_MINIMUM]:
                        why = EXACT_SMALL
                        break
                    paid = value_of(price, price_decimals)
                    cost = float(waiting_quantity) * 1e-8 * paid
                    note(fills, filled, ENTRY, row, 0, waiting_quantity, price, price_decimals, notional, fee, minute)
                    results[filled] = 0.0
                    filled += 1
                    slipped = (paid - waiting_price) / waiting_price * 10_000.0
                    slip_limit = limits[L_SLIPPAGE_BPS]
                    if slip_limit > 0.0 and abs(slipped - slip_limit) <= 1e-9:
                        why = EXACT_TIE
                        break
                    if slip_limit > 0.0 and slipped > slip_limit:
                        if all_state == 1:
                            all_until = max(all_until, now_ms + numbers[N_BREAKER_MS])
                        else:
                            all_trips += 1
                            pause = min(2.0 ** (all_trips - 1), LONGEST_PAUSES)
                            all_state, all_probe, all_good = 1, False, 0
                            all_until = now_ms + numbers[N_BREAKER_MS] * int(pause)
                    else:
                        if all_state == 2 and all_probe:
                            all_good += 1
                            if all_good >= numbers[N_PROBES]:
                                all_state, all_trips, all_good = 0, 0, 0
                        if symbol_state == 2 and symbol_probe:
                            symbol_good += 1
                            if symbol_good >= numbers[N_PROBES]:
                                symbol_state, symbol_trips, symbol_good = 0, 0, 0
                    all_probe = False
                    symbol_probe = False
                    stop_at, target_at = records[order, E_STOP], records[order, E_TARGET]
                    part = 1
                elif waiting == 2:
                    waiting = 0
                    minute = int(records[order, E_ROW_MINUTE])
                    price, price_decimals = int(records[order, E_SALE]), int(records[order, E_SALE_DECIMALS])
                    sold = EXIT
                else:
                    minute = row_minute[row]
                block = row // BLOCK
                # The row is asked for where its block reaches so far.
                is_near = sold < 0 and (block_low[block] <= stop_at or block_high[block] >= target_at)
                if is_near and (row_low[row] <= stop_at or row_high[row] >= target_at):
                    rises = numbers[N_LOW_FIRST] == 1 or row_close[row] >= row_open[row]
                    while part < 4:
                        if part == 0:
                            at_price = row_open[row]
                        elif part == 3:
                            at_price = row_close[row]
                        elif (part == 1) == rises:
                            at_price = row_low[row]
                        else:
                            at_price = row_high[row]
                        if at_price >= target_at:
                            price = int(records[order, E_TARGET_PRICE])
                            price_decimals = int(records[order, E_TARGET_DECIMALS])
                            sold = TARGET
                            break
                        if at_price <= stop_at:
                            price, price_decimals = taker_sells(ticks_of(at_price, price_unit), numbers)
                            sold = STOP
                            break
                        part += 1
                if sold >= 0:
                    size = float(coins) * float(price) * float(ten(max(-price_decimals, 0)))
                    if size > LARGEST:
                        why = EXACT_BIG
                        break
                    notional = notional_of(coins, price, price_decimals)
                    rate = numbers[N_MAKER] if sold == TARGET else numbers[N_TAKER]
                    if float(notional) * float(rate) > LARGEST:
                        why = EXACT_BIG
                        break
                    fee = half_even(notional * rate, fee_unit)
                    got = value_of(price, price_decimals)
                    result = float(coins) * 1e-8 * got - cost - float(fee) * 1e-8
                    if abs(result) <= 1e-9:
                        why = EXACT_TIE
                        break
                    note(fills, filled, sold, row, part, coins, price, price_decimals, notional, fee, minute)
                    results[filled] = result
                    filled += 1
                    cash += notional - fee
                    coins = 0
                    stop_at, target_at = NOWHERE_LOW, NOWHERE_HIGH
                    if sold == EXIT:
                        slipped = (waiting_price - got) / waiting_price * 10_000.0
                        slip_limit = limits[L_SLIPPAGE_BPS]
                        if slip_limit > 0.0 and abs(slipped - slip_limit) <= 1e-9:
                            why = EXACT_TIE
                            break
                        if slip_limit > 0.0 and slipped > slip_limit:
                            if all_state == 1:
                                all_until = max(all_until, now_ms + numbers[N_BREAKER_MS])
                            else:
                                all_trips += 1
                                pause = min(2.0 ** (all_trips - 1), LONGEST_PAUSES)
                                all_state, all_probe, all_good = 1, False, 0
                                all_until = now_ms + numbers[N_BREAKER_MS] * int(pause)
                    # Finished trades lock.
                    book_realized += result
                    exit_ms = moment_of(fills, filled - 1)
                    if numbers[N_EXIT_LOCK_MS] > 0 and exit_ms + numbers[N_EXIT_LOCK_MS] > now_ms:
                        cooldown_lock = max(cooldown_lock, exit_ms + numbers[N_EXIT_LOCK_MS])
                    if numbers[N_GUARD_LOSSES] > 0 and result < 0.0:
                        lost = 0
                        seen = 0
                        place = filled - 1
                        while place >= 0 and seen < RESULTS_KEPT:
                            if fills[place, F_WHAT] != ENTRY:
                                seen += 1
                                ended_ms = moment_of(fills, place)
                                if ended_ms <= exit_ms - numbers[N_GUARD_WINDOW_MS]:
                                    break
                                if results[place] < 0.0:
                                    lost += 1
                            place -= 1
                        if lost >= numbers[N_GUARD_LOSSES] and exit_ms + numbers[N_GUARD_LOCK_MS] > now_ms:
                            guard_lock = max(guard_lock, exit_ms + numbers[N_GUARD_LOCK_MS])
                    if numbers[N_PROFIT_TRADES] > 0:
                        mine = 0
                        profit = 0.0
                        seen = 0
                        place = filled - 1
                        while place >= 0 and seen < RESULTS_KEPT:
                            if fills[place, F_WHAT] != ENTRY:
                                seen += 1
                                ended_ms = moment_of(fills, place)
                                if ended_ms <= exit_ms - numbers[N_PROFIT_WINDOW_MS]:
                                    break
                                paid = value_of(fills[place - 1, F_PRICE], fills[place - 1, F_DECIMALS])
                                put_in = float(fills[place - 1, F_QUANTITY]) * 1e-8 * paid
                                scaled = results[place] / put_in * 1e8
                                mine += 1
                                profit += math.floor(scaled + 0.5)
                                if abs(scaled - math.floor(scaled) - 0.5) < 1e-4:
                                    why = EXACT_TIE
                                    break
                            place -= 1
                        if why != DONE:
                            break
                        wanted = limits[L_PROFIT] * 1e8
                        if mine >= numbers[N_PROFIT_TRADES]:
                            if abs(profit - wanted) < 1e-3:
                                why = EXACT_TIE
                                break
                            if profit < wanted and exit_ms + numbers[N_PROFIT_LOCK_MS] > now_ms:
                                profit_lock = max(profit_lock, exit_ms + numbers[N_PROFIT_LOCK_MS])
                row += 1
                continue
            # While nothing is held and nothing is said, every score would come to the same. Breakers that may be tried
            # are tried at the next word, which comes to the same too.
            score = ahead
            if score >= scores:
                break
            # --- the event ---
            code, close, flag = event_code[event], records[at, E_CLOSE], int(records[at, E_FLAGS])
            row = until
            now_ms = int(records[at, E_MINUTE]) * 60_000
            event += 1
            worth = float(cash) * 1e-8 + float(coins) * 1e-8 * close
            if all_state == 1 and now_ms >= all_until:
                all_state = 2
            if symbol_state == 1 and now_ms >= symbol_until:
                symbol_state = 2
            if flag & TRIPS:
                if symbol_state == 1:
                    symbol_until = max(symbol_until, now_ms + numbers[N_BREAKER_MS])
                else:
                    symbol_trips += 1
                    pause = min(2.0 ** (symbol_trips - 1), LONGEST_PAUSES)
                    symbol_state, symbol_probe, symbol_good = 1, False, 0
                    symbol_until = now_ms + numbers[N_BREAKER_MS] * int(pause)
            if flag & NEW_DAY or not known:
                trades_today = 0
                day_start = worth
            if flag & NEW_WEEK or not known:
                week_start = worth
            if not known or worth > peak:
                peak = worth
            known = True
            made = book_realized + (float(coins) * 1e-8 * close - cost if coins > 0 else 0.0)
            if has_book and made > book_peak:
                book_peak = made
                book_base = worth
            if code == 0:
                continue
            if code < 0:
                if coins == 0:
                    from_nothing += 1
                    continue
                if coins > numbers[N_MAXIMUM]:
                    why = EXACT_BIG
                    break
                stop_at, target_at = NOWHERE_LOW, NOWHERE_HIGH
                waiting, waiting_quantity, waiting_price, order = 2, coins, close, at
                continue
            # --- an entry ---
            denied = numbers[N_MAY_ENTER] == 0 or not flag & MAY_OPEN
            denied = denied or cooldown_lock > now_ms or guard_lock > now_ms or profit_lock > now_ms
            denied = denied or all_state == 1 or (all_state == 2 and all_probe)
            denied = denied or symbol_state == 1 or (symbol_state == 2 and symbol_probe)
            denied = denied or trades_today >= numbers[N_TRADES_A_DAY]
            denied = denied or (last_entry_ms >= 0 and now_ms - last_entry_ms < numbers[N_COOLDOWN_MS])
            budget = limits[L_ATR_BUDGET]
            atr = heard_atr[score] if budget > 0.0 else math.nan
            denied = denied or (budget > 0.0 and atr != atr)
            if not denied:
                fallen = 0.0
                if has_book and book_base > 0.0 and book_peak > made:
                    fallen = (book_peak - made) / book_base
                answers = (
                    is_below(lost_part(day_start, worth), limits[L_DAILY]),
                    is_below(lost_part(week_start, worth), limits[L_WEEKLY]),
                    is_below(lost_part(peak, worth), limits[L_DRAWDOWN]),
                    is_below(fallen, limits[L_STRATEGY]),
                )
                for answer in answers:
                    if answer == 0:
                        denied = True
                if not denied:
                    for answer in answers:
                        if answer < 0:
                            why = EXACT_TIE
                    if why != DONE:
                        break
            if denied:
                refused += 1
                continue
            tick = ticks_of(close, price_unit)
            part_of = numbers[N_CUT] if flag & IS_WILD else numbers[N_FRACTION]
            if coins > 0:
                # Would it add to what is held? Only when there is room for an order that the venue takes.
                held = float(coins) * 1e-8 * close
                target = float(numbers[N_FRACTION]) / float(fraction_unit) * worth - held
                room = min(float(part_of) / float(fraction_unit) * worth, float(numbers[N_CAP]) * 1e-8) - held
                room = min(room, float(cash) * 1e-8 / 1.01)
                if budget > 0.0 and atr > 0.0:
                    room = min(room, budget * worth * close / atr - held)
                if target <= -1e-9 or room <= -1e-9 or min(target, room) / close < float(numbers[N_MINIMUM] - 1) * 1e-8:
                    refused += 1
                    continue
                why = EXACT_ADDS
                break
            if float(cash) * float(max(numbers[N_FRACTION], 100)) > LARGEST or tick <= 0:
                why = EXACT_BIG
                break
            if float(fraction_unit) * float(tick) * 101.0 > LARGEST:
                why = EXACT_BIG
                break
            unit = ten(numbers[N_PRICE_DECIMALS])
            part_of = min(numbers[N_FRACTION], part_of)
            quantity = multiply_divide(cash * part_of, unit, fraction_unit * tick)
            # What cannot be the least of them is not worked out.
            if numbers[N_CAP] < cash or part_of > fraction_unit:
                quantity = min(quantity, multiply_divide(numbers[N_CAP], unit, tick))
            if 101 * part_of > 100 * fraction_unit:
                quantity = min(quantity, multiply_divide(cash * 100, unit, 101 * tick))
            if budget > 0.0 and atr > 0.0:
                affordable = budget * (float(cash) * 1e-8) / atr * 1e8
                if affordable < float(quantity) + 1.0:
                    if affordable - math.floor(affordable) < 1e-4 or math.ceil(affordable) - affordable < 1e-4:
                        why = EXACT_TIE
                        break
                    quantity = min(quantity, int(affordable))
            quantity = min(quantity, numbers[N_MAXIMUM])
            if quantity >= COARSE:
                why = EXACT_BIG
                break
            if quantity < numbers[N_MINIMUM]:
                refused += 1
                continue
            # What the venue locks for it, at the best price it can see.
            if float(quantity) * 1e-8 * records[at, E_ASK] >= float(cash) * 1e-8 * (1.0 - 1e-12):
                why = EXACT_STARVED
                break
            if records[at, E_WHY] != DONE:
                why = int(records[at, E_WHY])
                break
            trades_today += 1
            last_entry_ms = now_ms
            if not has_book:
                has_book = True
                book_base = worth
            if all_state == 2:
                all_probe = True
            if symbol_state == 2:
                symbol_probe = True
            waiting, waiting_quantity, waiting_price, order = 1, quantity, close, at
        stopped[number] = why
        counts[number - begin, 0], counts[number - begin, 1], counts[number - begin, 2] = filled, refused, from_nothing
        counts[number - begin, 3], counts[number - begin, 4] = cash, coins
