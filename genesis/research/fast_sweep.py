"""The sweep of a strategy that speaks when two columns change sides.

A column (an average of some length) is made once, however many sets of parameters look at it. Where two columns change
sides is found a block at a time, so a set costs hardly more than what it trades.
"""

from typing import Any, Final

from genesis.domain.strategy import BUY, HOLD, SELL

LOOKED_AT: Final = 16
"""Rows that are looked at together for whether all of them are on the side of the last one."""


def _side(one: float, other: float) -> float:
    raise NotImplementedError("the sweep must be given a strategy's side")


def find_turns(
    one: Any, other: Any, skip: int, wanted: Any, atr: Any, event_score: Any, event_code: Any, event_atr: Any
) -> int:
    """Where the side changes, and the `wanted` places, ascending, into the events; how many there are.

    The first `skip` rows are warm-up: they say nothing, and places are counted from behind them.
    """
    size = len(one)
    before = 0.0
    found, next_wanted = 0, 0
    begin = 0
    while begin < size:
        end = min(begin + LOOKED_AT, size)
        if before != 0.0 and end - begin == LOOKED_AT:
            same = 0
            for offset in range(LOOKED_AT):
                same += 1 if _side(one[begin + offset], other[begin + offset]) == before else 0
            if same == LOOKED_AT:
                begin = end
                continue
        for at in range(begin, end):
            side = _side(one[at], other[at])
            if side == 0.0 or side == before:
                continue
            if before != 0.0 and at >= skip:
                place = at - skip
                while next_wanted < len(wanted) and wanted[next_wanted] < place:
                    event_score[found], event_code[found] = wanted[next_wanted], HOLD
                    event_atr[found] = atr[wanted[next_wanted] + skip]
                    found += 1
                    next_wanted += 1
                if next_wanted < len(wanted) and wanted[next_wanted] == place:
                    next_wanted += 1
                event_score[found], event_code[found] = place, BUY if side > 0.0 else SELL
                event_atr[found] = atr[at]
                found += 1
            before = side
        begin = end
    while next_wanted < len(wanted):
        event_score[found], event_code[found] = wanted[next_wanted], HOLD
        event_atr[found] = atr[wanted[next_wanted] + skip]
        found += 1
        next_wanted += 1
    return found
