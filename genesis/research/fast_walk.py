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

from genesis.research.fast_numbers import (
    cut_float,
    first_above,
    half_even,
    is_below,
    lost_part,
    multiply_divide,
    notional_of,
    price_down,
    price_up,
    taker_buys,
    taker_sells,
    ten,
    value_of,
)
from genesis.research.fast_places import (
    DONE,
    ENTRY,
    EXACT_ADDS,
    EXACT_BIG,
    EXACT_SMALL,
    EXACT_STARVED,
    EXACT_TIE,
    EXACT_WAITS,
    EXIT,
    L_ATR_BUDGET,
    L_DAILY,
    L_DRAWDOWN,
    L_PROFIT,
    L_SLIPPAGE_BPS,
    L_STOP_ATR,
    L_STRATEGY,
    L_TARGET_ATR,
    L_WEEKLY,
    LARGEST,
    LONGEST_PAUSES,
    N_BREAKER_MS,
    N_CAP,
    N_CASH,
    N_COOLDOWN_MS,
    N_COST_DECIMALS,
    N_CUT,
    N_DISTANCE_DECIMALS,
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
    N_SPREAD_UP,
    N_STOP_FRACTION,
    N_TAKER,
    N_TARGET_FRACTION,
    N_TRADES_A_DAY,
    RESULTS_KEPT,
    STOP,
    TARGET,
)

BLOCK: Final = 16
"""Rows of which the lowest low and the highest high are known beforehand."""


def first_reached(
    row: int, until: int, stop_at: int, target_at: int, lows: Any, highs: Any, block_low: Any, block_high: Any
) -> int:
    """The first row in [row, until) whose low is at or below the stop, or whose high at or above the target."""
    while row < until:
        if row % BLOCK == 0 and row + BLOCK <= until:
            block = row // BLOCK
            if block_low[block] > stop_at and block_high[block] < target_at:
                row += BLOCK
                continue
        if lows[row] <= stop_at or highs[row] >= target_at:
            return row
        row += 1
    return until


def highest(prices: Any, block_price: Any, begin: int, end: int) -> int:
    """The highest of prices[begin:end], of at least one."""
    most: int = prices[begin]
    place = begin
    while place < end:
        if place % BLOCK == 0 and place + BLOCK <= end:
            most = max(most, block_price[place // BLOCK])
            place += BLOCK
        else:
            most = max(most, prices[place])
            place += 1
    return most


def walk_scores(
    row_minute: Any,
    row_open: Any,
    row_high: Any,
    row_low: Any,
    row_close: Any,
    block_low: Any,
    block_high: Any,
    score_minute: Any,
    score_row: Any,
    score_price: Any,
    block_price: Any,
    may_open: Any,
    new_day: Any,
    new_week: Any,
    heard_atr: Any,
    is_wild: Any,
    trips_symbol: Any,
    numbers: Any,
    limits: Any,
    event_score: Any,
    event_code: Any,
    event_atr: Any,
    events: int,
    fills: Any,
    results: Any,
    counts: Any,
) -> int:
    """Trade all scores; answers DONE or why not.

    Rows and scores ascend; `score_row` is the first row at or after the score's minute. Prices are whole numbers of the
    symbol's last decimal; `block_low`, `block_high` and `block_price` are the lowest and highest of each `BLOCK` of
    rows, and the highest of scores. The first `events` of `event_score` are the scores that say something, begin a day
    or trip a breaker, ascending, with what they say and the range they tell. `fills` (int64[m, 8]: what, row, tick,
    quantity, price digits, price decimals, notional, fee) and `results` (float64[m]: what a closing fill made of its
    trade) are filled in; `counts` becomes [fills, refused entries, exits from nothing, cash, coins].
    """
    price_unit = float(ten(numbers[N_PRICE_DECIMALS]))
    cash = numbers[N_CASH]
    coins = 0
    filled = 0
    refused = 0
    from_nothing = 0
    closed = 0
    # The order that waits for the next trade: 0 none, 1 a buy, 2 a sale; and the price it was judged by.
    waiting = 0
    waiting_quantity = 0
    waiting_price = 0
    stop_distance, stop_decimals, target_distance, target_decimals = 0, 0, 0, 0
    # Where the protective orders act, in the symbol's own units; out of reach when there is none.
    nowhere_low, nowhere_high = -1, 9_000_000_000_000_000_000
    stop_at, target_at = nowhere_low, nowhere_high
    target_price, target_price_decimals = 0, 0
    cost = 0.0
    # What risk remembers.
    known = False
    is_settled = False
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
    scores = len(score_minute)
    rows = len(row_minute)
    score = -1
    place_of = 0
    while True:
        # --- the next score that matters ---
        following = score + 1
        while place_of < events and event_score[place_of] < following:
            place_of += 1
        if score >= 0 and waiting == 0:
            ahead = event_score[place_of] if place_of < events else scores
            if coins == 0:
                # Nothing is held and nothing was said: until somebody speaks, every score would come to the same.
                # Breakers that may be tried are tried at the next word, which comes to the same too.
                following = ahead if is_settled else following
            elif ahead > following:
                until = score_row[ahead] if ahead < scores else rows
                row = max(row, score_row[score])
                row = first_reached(row, until, stop_at, target_at, row_low, row_high, block_low, block_high)
                after = ahead if row == until else first_above(score_row, following, ahead, row)
                if after > following:
                    close = highest(score_price, block_price, following, after) / price_unit
                    worth = float(cash) * 1e-8 + float(coins) * 1e-8 * close
                    peak = max(peak, worth)
                    made = book_realized + (float(coins) * 1e-8 * close - cost)
                    if has_book and made > book_peak:
                        book_peak = made
                        book_base = worth
                following = after
        score = following
        until = score_row[score] if score < scores else rows
        # --- the rows before this score ---
        while row < until and (waiting != 0 or stop_at != nowhere_low or target_at != nowhere_high):
            part = 0
            sold = -1
            price, price_decimals = 0, 0
            if waiting == 1:
                waiting = 0
                price, price_decimals = taker_buys(row_open[row], numbers)
                size = float(waiting_quantity) * float(price) * float(ten(max(-price_decimals, 0)))
                if size > LARGEST or float(waiting_quantity) * float(numbers[N_TAKER]) > LARGEST:
                    return EXACT_BIG
                notional = notional_of(waiting_quantity, price, price_decimals)
                # The venue asks whether quantity times price is there, before it cuts the last decimals.
                if notional >= cash:
                    return EXACT_STARVED
                fee = half_even(waiting_quantity * numbers[N_TAKER], ten(numbers[N_FEE_DECIMALS]))
                cash -= notional
                coins = waiting_quantity - fee
                if coins < numbers[N_MINIMUM]:
                    return EXACT_SMALL
                paid = value_of(price, price_decimals)
                cost = float(waiting_quantity) * 1e-8 * paid
                fills[filled, 0], fills[filled, 1], fills[filled, 2], fills[filled, 3] = ENTRY, row, 0, waiting_quantity
                fills[filled, 4], fills[filled, 5], fills[filled, 6], fills[filled, 7] = (
                    price,
                    price_decimals,
                    notional,
                    fee,
                )
                results[filled] = 0.0
                filled += 1
                expected = waiting_price / price_unit
                slipped = (paid - expected) / expected * 10_000.0
                slip_limit = limits[L_SLIPPAGE_BPS]
                if slip_limit > 0.0 and abs(slipped - slip_limit) <= 1e-9:
                    return EXACT_TIE
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
                # The protective orders: levels from the fill, cut to what the venue takes.
                decimals = max(price_decimals, max(stop_decimals, target_decimals))
                if decimals - min(price_decimals, min(stop_decimals, target_decimals)) > 12:
                    return EXACT_BIG
                at = price * ten(decimals - price_decimals)
                if stop_distance > 0:
                    level = at - stop_distance * ten(decimals - stop_decimals)
                    if level > 0:
                        number, level_decimals = price_down(level, decimals)
                        if number > 0:
                            apart = numbers[N_PRICE_DECIMALS] - level_decimals
                            stop_at = number * ten(apart) if apart >= 0 else number // ten(-apart)
                if target_distance > 0:
                    level = at + target_distance * ten(decimals - target_decimals)
                    target_price, target_price_decimals = price_down(level, decimals)
                    apart = numbers[N_PRICE_DECIMALS] - target_price_decimals
                    if apart >= 0:
                        target_at = target_price * ten(apart)
                    else:
                        target_at = (target_price + ten(-apart) - 1) // ten(-apart)
                part = 1
            elif waiting == 2:
                waiting = 0
                price, price_decimals = taker_sells(row_open[row], numbers)
                sold = EXIT
            if sold < 0 and (row_low[row] <= stop_at or row_high[row] >= target_at):
                rises = numbers[N_LOW_FIRST] == 1 or row_close[row] >= row_open[row]
                while part < 4:
                    if part == 0:
                        tick = row_open[row]
                    elif part == 3:
                        tick = row_close[row]
                    elif (part == 1) == rises:
                        tick = row_low[row]
                    else:
                        tick = row_high[row]
                    if tick >= target_at:
                        price, price_decimals = target_price, target_price_decimals
                        sold = TARGET
                        break
                    if tick <= stop_at:
                        price, price_decimals = taker_sells(tick, numbers)
                        sold = STOP
                        break
                    part += 1
            if sold >= 0:
                size = float(coins) * float(price) * float(ten(max(-price_decimals, 0)))
                if size > LARGEST:
                    return EXACT_BIG
                notional = notional_of(coins, price, price_decimals)
                rate = numbers[N_MAKER] if sold == TARGET else numbers[N_TAKER]
                if float(notional) * float(rate) > LARGEST:
                    return EXACT_BIG
                fee = half_even(notional * rate, ten(numbers[N_FEE_DECIMALS]))
                got = value_of(price, price_decimals)
                result = float(coins) * 1e-8 * got - cost - float(fee) * 1e-8
                if abs(result) <= 1e-9:
                    return EXACT_TIE
                fills[filled, 0], fills[filled, 1], fills[filled, 2], fills[filled, 3] = sold, row, part, coins
                fills[filled, 4], fills[filled, 5], fills[filled, 6], fills[filled, 7] = (
                    price,
                    price_decimals,
                    notional,
                    fee,
                )
                results[filled] = result
                filled += 1
                closed += 1
                cash += notional - fee
                coins = 0
                stop_at, target_at = nowhere_low, nowhere_high
                if sold == EXIT:
                    expected = waiting_price / price_unit
                    slipped = (expected - got) / expected * 10_000.0
                    slip_limit = limits[L_SLIPPAGE_BPS]
                    if slip_limit > 0.0 and abs(slipped - slip_limit) <= 1e-9:
                        return EXACT_TIE
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
                exit_ms = row_minute[row] * 60_000 + (
                    2_000 if part == 0 else 17_000 if part == 1 else 32_000 if part == 2 else 59_000
                )
                if numbers[N_EXIT_LOCK_MS] > 0 and exit_ms + numbers[N_EXIT_LOCK_MS] > now_ms:
                    cooldown_lock = max(cooldown_lock, exit_ms + numbers[N_EXIT_LOCK_MS])
                if numbers[N_GUARD_LOSSES] > 0 and result < 0.0:
                    lost = 0
                    seen = 0
                    place = filled - 1
                    while place >= 0 and seen < RESULTS_KEPT:
                        if fills[place, 0] != ENTRY:
                            seen += 1
                            tick_part = fills[place, 2]
                            ended_ms = row_minute[fills[place, 1]] * 60_000 + (
                                2_000
                                if tick_part == 0
                                else 17_000
                                if tick_part == 1
                                else 32_000
                                if tick_part == 2
                                else 59_000
                            )
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
                        if fills[place, 0] != ENTRY:
                            seen += 1
                            tick_part = fills[place, 2]
                            ended_ms = row_minute[fills[place, 1]] * 60_000 + (
                                2_000
                                if tick_part == 0
                                else 17_000
                                if tick_part == 1
                                else 32_000
                                if tick_part == 2
                                else 59_000
                            )
                            if ended_ms <= exit_ms - numbers[N_PROFIT_WINDOW_MS]:
                                break
                            put_in = (
                                float(fills[place - 1, 3]) * 1e-8 * value_of(fills[place - 1, 4], fills[place - 1, 5])
                            )
                            scaled = results[place] / put_in * 1e8
                            mine += 1
                            profit += math.floor(scaled + 0.5)
                            if abs(scaled - math.floor(scaled) - 0.5) < 1e-4:
                                return EXACT_TIE
                        place -= 1
                    wanted = limits[L_PROFIT] * 1e8
                    if mine >= numbers[N_PROFIT_TRADES]:
                        if abs(profit - wanted) < 1e-3:
                            return EXACT_TIE
                        if profit < wanted and exit_ms + numbers[N_PROFIT_LOCK_MS] > now_ms:
                            profit_lock = max(profit_lock, exit_ms + numbers[N_PROFIT_LOCK_MS])
            row += 1
        if score == scores:
            break
        row = max(row, until)
        # --- the score ---
        code = 0.0
        told_atr = math.nan
        if place_of < events and event_score[place_of] == score:
            code = event_code[place_of]
            told_atr = event_atr[place_of]
        now_ms = score_minute[score] * 60_000
        tick = score_price[score]
        close = tick / price_unit
        worth = float(cash) * 1e-8 + float(coins) * 1e-8 * close
        if all_state == 1 and now_ms >= all_until:
            all_state = 2
        if symbol_state == 1 and now_ms >= symbol_until:
            symbol_state = 2
        if trips_symbol[score]:
            if symbol_state == 1:
                symbol_until = max(symbol_until, now_ms + numbers[N_BREAKER_MS])
            else:
                symbol_trips += 1
                pause = min(2.0 ** (symbol_trips - 1), LONGEST_PAUSES)
                symbol_state, symbol_probe, symbol_good = 1, False, 0
                symbol_until = now_ms + numbers[N_BREAKER_MS] * int(pause)
        if new_day[score] or not known:
            trades_today = 0
            day_start = worth
        if new_week[score] or not known:
            week_start = worth
        if not known or (worth > peak and waiting == 0):
            peak = worth
        known = True
        made = book_realized + (float(coins) * 1e-8 * close - cost if coins > 0 else 0.0)
        if has_book and made > book_peak:
            book_peak = made
            book_base = worth
        if code == 0.0:
            is_settled = coins == 0 and waiting == 0
            continue
        is_settled = False
        if waiting != 0:
            return EXACT_WAITS
        if code < 0.0:
            if coins == 0:
                from_nothing += 1
                continue
            if coins > numbers[N_MAXIMUM]:
                return EXACT_BIG
            stop_at, target_at = nowhere_low, nowhere_high
            waiting, waiting_quantity, waiting_price = 2, coins, tick
            continue
        # --- an entry ---
        denied = numbers[N_MAY_ENTER] == 0 or not may_open[score]
        denied = denied or cooldown_lock > now_ms or guard_lock > now_ms or profit_lock > now_ms
        denied = denied or all_state == 1 or (all_state == 2 and all_probe)
        denied = denied or symbol_state == 1 or (symbol_state == 2 and symbol_probe)
        denied = denied or trades_today >= numbers[N_TRADES_A_DAY]
        denied = denied or (last_entry_ms >= 0 and now_ms - last_entry_ms < numbers[N_COOLDOWN_MS])
        budget = limits[L_ATR_BUDGET]
        atr = heard_atr[score]
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
                        return EXACT_TIE
        if denied:
            refused += 1
            continue
        fraction_unit = ten(numbers[N_FRACTION_DECIMALS])
        part_of = numbers[N_CUT] if is_wild[score] else numbers[N_FRACTION]
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
            return EXACT_ADDS
        if float(cash) * float(max(numbers[N_FRACTION], 100)) > LARGEST or tick <= 0:
            return EXACT_BIG
        if float(fraction_unit) * float(tick) * 101.0 > LARGEST:
            return EXACT_BIG
        unit = ten(numbers[N_PRICE_DECIMALS])
        quantity = multiply_divide(cash * min(numbers[N_FRACTION], part_of), unit, fraction_unit * tick)
        quantity = min(quantity, multiply_divide(numbers[N_CAP], unit, tick))
        quantity = min(quantity, multiply_divide(cash * 100, unit, 101 * tick))
        if budget > 0.0 and atr > 0.0:
            affordable = budget * (float(cash) * 1e-8) / atr * 1e8
            if affordable < float(quantity) + 1.0:
                if affordable - math.floor(affordable) < 1e-4 or math.ceil(affordable) - affordable < 1e-4:
                    return EXACT_TIE
                quantity = min(quantity, int(affordable))
        quantity = min(quantity, numbers[N_MAXIMUM])
        if quantity < numbers[N_MINIMUM]:
            refused += 1
            continue
        # What the venue locks for it, at the best price it can see.
        ask, ask_decimals = price_up(tick * numbers[N_SPREAD_UP], numbers[N_PRICE_DECIMALS] + numbers[N_COST_DECIMALS])
        if float(quantity) * 1e-8 * value_of(ask, ask_decimals) >= float(cash) * 1e-8 * (1.0 - 1e-12):
            return EXACT_STARVED
        stop_distance, stop_decimals, target_distance, target_decimals = 0, 0, 0, 0
        if float(tick) * float(max(numbers[N_STOP_FRACTION], numbers[N_TARGET_FRACTION])) > LARGEST:
            return EXACT_BIG
        by_fraction = True
        if limits[L_STOP_ATR] > 0.0 and told_atr > 0.0:
            stop_distance, stop_decimals, sure = cut_float(limits[L_STOP_ATR] * told_atr)
            if not sure:
                return EXACT_TIE
            by_fraction = stop_distance > 0 and value_of(stop_distance, stop_decimals) >= close
        if by_fraction:
            stop_distance, stop_decimals = 0, 0
            if numbers[N_STOP_FRACTION] > 0:
                stop_distance, stop_decimals = price_down(
                    tick * numbers[N_STOP_FRACTION], numbers[N_PRICE_DECIMALS] + numbers[N_DISTANCE_DECIMALS]
                )
        if limits[L_TARGET_ATR] > 0.0 and told_atr > 0.0:
            target_distance, target_decimals, sure = cut_float(limits[L_TARGET_ATR] * told_atr)
            if not sure:
                return EXACT_TIE
        elif numbers[N_TARGET_FRACTION] > 0:
            target_distance, target_decimals = price_down(
                tick * numbers[N_TARGET_FRACTION], numbers[N_PRICE_DECIMALS] + numbers[N_DISTANCE_DECIMALS]
            )
        trades_today += 1
        last_entry_ms = now_ms
        if not has_book:
            has_book = True
            book_base = worth
        if all_state == 2:
            all_probe = True
        if symbol_state == 2:
            symbol_probe = True
        waiting, waiting_quantity, waiting_price = 1, quantity, tick
    counts[0], counts[1], counts[2], counts[3], counts[4] = filled, refused, from_nothing, cash, coins
    return DONE
