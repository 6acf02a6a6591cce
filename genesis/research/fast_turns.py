"""Where the averages of many sets change sides: a stretch of candles at a time, so that every column of it is near.

A column is one exponential average of closes, however many sets look at it. Of a long array only a stretch is ever
written down: averages go on from where the stretch before ended, and what is kept are the turns.
"""

from typing import Any, Final

from genesis.domain.indicators.averages import ema_step
from genesis.domain.indicators.compiling import local_floats, one_kind_a_name
from genesis.domain.indicators.lanes import EMA_FORGETS, L_BEGIN, L_PLACE, L_VALUE, L_WEIGHT, LANE, ema_lanes

STRETCH: Final = 1024
"""Candles of which many columns fit into the second cache."""
LONG: Final = 65_536
"""Candles of which two columns do: they are walked in four parts at once."""
PARTS: Final = 4
LANES: Final = 8
LANES_ROOM: Final = LANES * LANE
CHUNK: Final = 1024
"""Candles that are looked at together for where sides change."""
WORD: Final = 8
"""Candles whose turns make one word of the machine."""
TURNED: Final = 1 ^ -1
UNKNOWN: Final = 0x0202020202020202
PLACES: Final = 0x0001020304050607
"""Multiplied by the lowest byte that is 1 in a word, its first byte is that one's place."""


def _side(one: float, other: float) -> float:
    raise NotImplementedError("the sweep must be given a strategy's side")


@one_kind_a_name
def find_turns(
    closes: Any,
    kept: Any,
    is_warm_up: bool,
    looks_at: Any,
    before: Any,
    found: Any,
    scores: Any,
    codes: Any,
    stretch: int,
    room: Any,
    sides: Any,
    turns: Any,
    words: Any,
    busy: Any,
) -> bool:
    """Where the sides of each set change: places and sides, ascending, into its row of `scores` and `codes`; False
    when the rows are too short for them (then nothing of what was found or kept is of any use).

    `kept` holds the state of each average (`ema_start`), and set `number` looks at the two that `looks_at[number]`
    names. All of `kept`, `before` (the side last seen, 0 at first) and `found` (how many turns) go on from one call to
    the next. In a warm-up sides are taken in silence.
    `room` (float64[columns * (stretch + WORD)]), `sides` (int8[CHUNK + 1]), `turns` (int8[CHUNK], and the same eight in
    a word as `words`) and `busy` (int64[CHUNK // WORD + 1]) are room to work in.
    """
    size, begin = len(closes), 0
    pitch = stretch + WORD
    while begin < size:
        count = min(stretch, size - begin)
        for column in range(len(kept)):
            # An average that is not known yet is made step by step, until it is.
            if kept[column, 1] < kept[column, 0]:
                count = min(count, int(kept[column, 0] - kept[column, 1]))
        averages_over(closes, kept, begin, count, room, pitch)
        for number in range(len(looks_at)):
            side_before, many = before[number], found[number]
            own_scores, own_codes = scores[number], codes[number]
            first_one, first_other = looks_at[number, 0] * pitch, looks_at[number, 1] * pitch
            for chunk in range(0, count, CHUNK):
                length = min(CHUNK, count - chunk)
                one = room[first_one + chunk : first_one + chunk + length]
                other = room[first_other + chunk : first_other + chunk + length]
                # Loops without a branch, of which the compiler does many rows at once.
                sides[0] = side_before
                now = sides[1:]
                for place in range(length):
                    side = _side(one[place], other[place])
                    now[place] = (side > 0.0) - (side < 0.0)
                for place in range(length):
                    # An exclusive or stays within a byte, where a sum would be worked out in eight.
                    turns[place] = ((sides[place] ^ now[place]) == TURNED) | ((now[place] == 0) << 1)
                for place in range(length, CHUNK):
                    turns[place] = 0
                unknown = 0
                for word in range(CHUNK // WORD):
                    unknown |= words[word] & UNKNOWN
                if unknown != 0:
                    # No side at all: the one before holds on.
                    for place in range(length):
                        if now[place] == 0:
                            now[place] = sides[place]
                        turns[place] = now[place] != 0 and sides[place] + now[place] == 0
                side_before = sides[length]
                if is_warm_up:
                    continue
                # Which words hold a turn is found without a branch too: one would be guessed wrong at each of them.
                waiting = 0
                for word in range(CHUNK // WORD):
                    busy[waiting] = word
                    waiting += words[word] != 0
                if many + waiting * WORD > own_scores.shape[0]:
                    return False
                for place in range(waiting):
                    word = busy[place]
                    left = words[word]
                    while left != 0:
                        lowest = left & -left
                        at = word * WORD + ((lowest * PLACES) >> 56)
                        own_scores[many], own_codes[many] = begin + chunk + at, now[at]
                        many += 1
                        left ^= lowest
            before[number], found[number] = side_before, many
        begin += count
    return True


@one_kind_a_name
def averages_over(closes: Any, kept: Any, begin: int, count: int, room: Any, pitch: int) -> None:
    """The averages of closes[begin : begin + count], each into its part of `room`, to the bits of `ema_step`."""
    columns, known, longest = len(kept), True, 0
    for column in range(columns):
        known = known and kept[column, 1] >= kept[column, 0]
        longest = max(longest, int(kept[column, 0]))
    early, quarter = EMA_FORGETS * longest, count // PARTS
    if known and 2 * columns <= LANES // 2 and quarter > 2 * early:
        if in_parts(closes, kept, begin, quarter, early, room, pitch):
            for column in range(columns):
                for place in range(PARTS * quarter, count):
                    room[column * pitch + place] = ema_step(kept[column], 0, closes[begin + place])
            return
        known = False
    if not known:
        for column in range(columns):
            own = kept[column]
            for place in range(count):
                room[column * pitch + place] = ema_step(own, 0, closes[begin + place])
        return
    lanes = local_floats(LANES_ROOM)
    for first in range(0, columns, LANES):
        for lane in range(LANES):
            column = min(first + lane, columns - 1)
            at = lane * LANE
            lanes[at + L_BEGIN], lanes[at + L_PLACE] = float(begin), float(column * pitch)
            lanes[at + L_WEIGHT], lanes[at + L_VALUE] = 2.0 / (kept[column, 0] + 1.0), kept[column, 2]
        ema_lanes(closes, lanes, count, room)
        for lane in range(min(LANES, columns - first)):
            kept[first + lane, 2] = lanes[lane * LANE + L_VALUE]


@one_kind_a_name
def in_parts(closes: Any, kept: Any, begin: int, quarter: int, early: int, room: Any, pitch: int) -> bool:
    """One or two averages of four quarters at once; False, and nothing moved on, where one had not forgotten.

    All but the first quarter begin early, from a price (`genesis.domain.indicators.lanes` says why that is right).
    """
    columns = len(kept)
    lanes, begun = local_floats(LANES_ROOM), local_floats(LANES)
    for lane in range(LANES):
        column, part = min(lane // PARTS, columns - 1), max(1, lane % PARTS)
        at, place = lane * LANE, part * quarter - early
        lanes[at + L_BEGIN], lanes[at + L_PLACE] = float(begin + place), float(column * pitch + place)
        lanes[at + L_WEIGHT], lanes[at + L_VALUE] = 2.0 / (kept[column, 0] + 1.0), closes[begin + place]
    ema_lanes(closes, lanes, early, room)
    for lane in range(LANES):
        column, part, at = min(lane // PARTS, columns - 1), lane % PARTS, lane * LANE
        lanes[at + L_BEGIN], lanes[at + L_PLACE] = float(begin + part * quarter), float(column * pitch + part * quarter)
        if part == 0:
            lanes[at + L_VALUE] = kept[column, 2]
        begun[lane] = lanes[at + L_VALUE]
    ema_lanes(closes, lanes, quarter, room)
    for lane in range(LANES):
        if lane % PARTS != 0 and begun[lane] != lanes[(lane - 1) * LANE + L_VALUE]:
            return False
    for column in range(columns):
        kept[column, 2] = lanes[(column * PARTS + PARTS - 1) * LANE + L_VALUE]
    return True
