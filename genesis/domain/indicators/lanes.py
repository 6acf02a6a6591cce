"""Averages over long arrays, in four or eight lanes: the same steps to the same bits, in less time.

Each value of an average waits for the one before, so a processor does one step at a time and idles. But an average
forgets: begun anywhere, it soon comes to the very bits that it would have had. So an array is walked in four quarters
at once. All but the first begin early, from a price, and must hold the value that the quarter before ends with by the
time their own part begins; one that does not (in a market that hardly moves) is walked again from that value.
"""

import math
from typing import Any, Final

from genesis.domain.indicators.averages import EMA_SIZE, ema_step
from genesis.domain.indicators.compiling import local_floats
from genesis.domain.indicators.ranges import ATR_SIZE, atr_step

LANES: Final = 4
EMA_ROOM: Final = LANES * EMA_SIZE
ATR_LANES: Final = 8
PART: Final = 8192
"""Bars of a lane, at least, where an array is walked a stretch at a time."""
EMA_FORGETS: Final = 32
"""Periods after which an exponential average has long forgotten where it began; one of Wilder's takes longer."""
ATR_FORGETS: Final = 48

# Numbers of a lane: where in the closes it reads and where in the room it writes (whole), its weight, and its value.
L_BEGIN: Final = 0
L_PLACE: Final = 1
L_WEIGHT: Final = 2
L_VALUE: Final = 3
LANE: Final = 4


def ema_over(closes: Any, period: int, values: Any) -> None:
    """`ema_step` over an array of finite closes."""
    size = len(closes)
    early = EMA_FORGETS * period
    quarter = (size - period) // LANES
    kept = local_floats(EMA_ROOM)
    for place in range(EMA_ROOM):
        kept[place] = 0.0
    kept[0] = kept[3] = kept[6] = kept[9] = float(period)
    if quarter <= early:
        for place in range(size):
            values[place] = ema_step(kept, 0, closes[place])
        return
    for place in range(period):
        values[place] = ema_step(kept, 0, closes[place])
    second, third, fourth = period + quarter, period + 2 * quarter, period + 3 * quarter
    kept[4] = kept[7] = kept[10] = float(period)
    kept[5], kept[8], kept[11] = closes[second - early], closes[third - early], closes[fourth - early]
    for back in range(early, 0, -1):
        ema_step(kept, 3, closes[second - back])
        ema_step(kept, 6, closes[third - back])
        ema_step(kept, 9, closes[fourth - back])
    begun_second, begun_third, begun_fourth = kept[5], kept[8], kept[11]
    for place in range(quarter):
        values[period + place] = ema_step(kept, 0, closes[period + place])
        values[second + place] = ema_step(kept, 3, closes[second + place])
        values[third + place] = ema_step(kept, 6, closes[third + place])
        values[fourth + place] = ema_step(kept, 9, closes[fourth + place])
    if kept[2] != begun_second:
        kept[5] = kept[2]
        for place in range(second, third):
            values[place] = ema_step(kept, 3, closes[place])
    if kept[5] != begun_third:
        kept[8] = kept[5]
        for place in range(third, fourth):
            values[place] = ema_step(kept, 6, closes[place])
    if kept[8] != begun_fourth:
        kept[11] = kept[8]
        for place in range(fourth, fourth + quarter):
            values[place] = ema_step(kept, 9, closes[place])
    for place in range(fourth + quarter, size):
        values[place] = ema_step(kept, 9, closes[place])


def ema_lanes(closes: Any, lanes: Any, count: int, room: Any) -> None:
    """Eight averages that are known, `count` closes on: the formula of `ema_step`, written out.

    So many chains of three operations that each waits for keep the processor just busy. `lanes` holds eight times the
    numbers above; only values move on.
    """
    x0, y0, k0, v0 = closes[int(lanes[0]) :], room[int(lanes[1]) :], lanes[2], lanes[3]
    x1, y1, k1, v1 = closes[int(lanes[4]) :], room[int(lanes[5]) :], lanes[6], lanes[7]
    x2, y2, k2, v2 = closes[int(lanes[8]) :], room[int(lanes[9]) :], lanes[10], lanes[11]
    x3, y3, k3, v3 = closes[int(lanes[12]) :], room[int(lanes[13]) :], lanes[14], lanes[15]
    x4, y4, k4, v4 = closes[int(lanes[16]) :], room[int(lanes[17]) :], lanes[18], lanes[19]
    x5, y5, k5, v5 = closes[int(lanes[20]) :], room[int(lanes[21]) :], lanes[22], lanes[23]
    x6, y6, k6, v6 = closes[int(lanes[24]) :], room[int(lanes[25]) :], lanes[26], lanes[27]
    x7, y7, k7, v7 = closes[int(lanes[28]) :], room[int(lanes[29]) :], lanes[30], lanes[31]
    for at in range(count):
        v0 += (x0[at] - v0) * k0
        v1 += (x1[at] - v1) * k1
        v2 += (x2[at] - v2) * k2
        v3 += (x3[at] - v3) * k3
        v4 += (x4[at] - v4) * k4
        v5 += (x5[at] - v5) * k5
        v6 += (x6[at] - v6) * k6
        v7 += (x7[at] - v7) * k7
        y0[at], y1[at], y2[at], y3[at] = v0, v1, v2, v3
        y4[at], y5[at], y6[at], y7[at] = v4, v5, v6, v7
    lanes[3], lanes[7], lanes[11], lanes[15] = v0, v1, v2, v3
    lanes[19], lanes[23], lanes[27], lanes[31] = v4, v5, v6, v7


def atr_over(highs: Any, lows: Any, closes: Any, period: int, values: Any) -> None:
    """`atr_step` over arrays of finite numbers, its formula written out: true ranges of many bars at once, with their
    weight already, then what waits for the bar before, a stretch at a time so that the ranges are still near."""
    size = len(closes)
    kept = local_floats(ATR_SIZE)
    kept[0], kept[1], kept[2], kept[3] = math.nan, float(period), 0.0, 0.0
    first = min(period + 1, size)
    for place in range(first):
        values[place] = atr_step(kept, 0, highs[place], lows[place], closes[place])
    now = kept[3]
    weight = 1.0 / float(period)
    rest = 1.0 - weight
    early = ATR_FORGETS * period
    stretch = ATR_LANES * max(PART, 4 * early)
    for begin in range(first, size, stretch):
        count = min(stretch, size - begin)
        high, low = highs[begin : begin + count], lows[begin : begin + count]
        previous, ranges = closes[begin - 1 : begin - 1 + count], values[begin : begin + count]
        for place in range(count):
            close = previous[place]
            distance = (high[place] if high[place] >= close else close) - (low[place] if low[place] <= close else close)
            ranges[place] = distance * weight
        part = count // ATR_LANES
        if part <= early:
            for place in range(count):
                now = now * rest + ranges[place]
                ranges[place] = now
            continue
        r0, r1, r2, r3 = ranges[:part], ranges[part:], ranges[2 * part :], ranges[3 * part :]
        r4, r5, r6, r7 = ranges[4 * part :], ranges[5 * part :], ranges[6 * part :], ranges[7 * part :]
        at = part - early
        v1, v2, v3, v4 = r0[at] / weight, r1[at] / weight, r2[at] / weight, r3[at] / weight
        v5, v6, v7 = r4[at] / weight, r5[at] / weight, r6[at] / weight
        for place in range(at, part):
            v1 = v1 * rest + r0[place]
            v2 = v2 * rest + r1[place]
            v3 = v3 * rest + r2[place]
            v4 = v4 * rest + r3[place]
            v5 = v5 * rest + r4[place]
            v6 = v6 * rest + r5[place]
            v7 = v7 * rest + r6[place]
        b1, b2, b3, b4, b5, b6, b7 = v1, v2, v3, v4, v5, v6, v7
        for place in range(part):
            now = now * rest + r0[place]
            v1 = v1 * rest + r1[place]
            v2 = v2 * rest + r2[place]
            v3 = v3 * rest + r3[place]
            v4 = v4 * rest + r4[place]
            v5 = v5 * rest + r5[place]
            v6 = v6 * rest + r6[place]
            v7 = v7 * rest + r7[place]
            r0[place], r1[place], r2[place], r3[place] = now, v1, v2, v3
            r4[place], r5[place], r6[place], r7[place] = v4, v5, v6, v7
        if now != b1 or v1 != b2 or v2 != b3 or v3 != b4 or v4 != b5 or v5 != b6 or v6 != b7:
            # It had not forgotten: from the first part's end on, one bar after another.
            for place in range(part, ATR_LANES * part):
                close = previous[place]
                distance = (high[place] if high[place] >= close else close) - (
                    low[place] if low[place] <= close else close
                )
                now = now * rest + distance * weight
                ranges[place] = now
        else:
            now = v7
        for place in range(ATR_LANES * part, count):
            now = now * rest + ranges[place]
            ranges[place] = now
