"""What a strategy says over a market, for the fast walk: of one set of parameters, or of many that share averages."""

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate
from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt

from genesis.domain.indicators.averages import ema_start, ema_step
from genesis.domain.indicators.catalog import INDICATORS, run_over
from genesis.domain.indicators.compiling import compiled
from genesis.domain.strategy import Turning
from genesis.domain.strategy_arrays import Floats, Said, Spoken, say, speak, turns_on_averages
from genesis.domain.volatility import WARM_UP, Volatility
from genesis.research import fast_events, fast_places
from genesis.research.bars import Whole
from genesis.research.fast_market import Bits, Flags, Prepared
from genesis.research.fast_places import RECORD
from genesis.research.fast_turns import CHUNK, LONG, STRETCH, WORD, find_turns
from genesis.research.heard_ranges import volatility_over

LARGEST_RANGES: Final = 200_000_000
"""Bytes of ranges from which on sets are traded one by one."""
AT_ONCE: Final = 250
"""Sets that are traded in one call, of all threads together: many share what a call works out, and all threads have
something to do to the end."""
AT_A_TIME: Final = 16_384
"""Candles that plain Python has as numbers at a time."""
USUAL: Final = 16
"""Candles to a turn for which there is room at first."""
MANY: Final = 50
"""Sets from which on what an order would meet is worked out at every score beforehand."""
NOTHING: Floats = np.empty(0)


@attrs.frozen(kw_only=True)
class Events:
    """What each set's strategy said, the scores that begin days or trip breakers, and what risk heard of the range.

    `score` and `code` have a row for each set, of which the first `count` are what it said; `atr` are the ranges told
    with that, of one set after another. `wanted` are the scores at which something begins, whatever is said.
    """

    score: npt.NDArray[np.int32]
    code: npt.NDArray[np.int8]
    atr: Floats
    count: Whole
    wanted: Whole
    flags: Bits
    heard_atr: Floats
    table: Floats = attrs.field(factory=lambda: np.empty((0, RECORD)))
    """The record of every score, or nothing: then records are worked out where something is said."""


def said_by(prepared: Prepared, given: Mapping[str, float]) -> Events:
    """What one set says."""
    resolved = prepared.kind.resolve(given)
    prepared = prepared.beginning_with(prepared.begins_with(resolved))
    kind, is_compiled = prepared.kind, prepared.is_compiled()
    state = kind.start(resolved)
    if prepared.minds_range:
        warm = say(kind, state, prepared.warm, compile=is_compiled).atr if len(prepared.warm) else np.empty(0)
        said = say(kind, state, prepared.candles, compile=is_compiled)
        heard_atr, is_wild, trips = _wildness(prepared, warm, said)
        wild = is_wild * fast_places.IS_WILD + trips * fast_places.TRIPS
        place = np.flatnonzero(said.code)
        spoken = Spoken(place=place, code=said.code.astype(np.float64, copy=False)[place], atr=said.atr[place])
        wanted = np.flatnonzero(prepared.flags & fast_places.NEW_DAY | trips)
        return _of_one(spoken, wanted, prepared.flags + wild.astype(np.uint8), heard_atr)
    if turns_on_averages(kind) and not prepared.tells_range:
        if is_compiled:
            return Together.of_alike(prepared, [resolved], LONG).said(0, 1, Room.of(prepared, 1))
        assert kind.turning is not None
        return _of_one(plain_turns(prepared, kind.turning, resolved), prepared.first_of_days, prepared.flags, NOTHING)
    if len(prepared.warm):
        speak(kind, state, prepared.warm, compile=is_compiled, with_atr=True)
    spoken = speak(kind, state, prepared.candles, compile=is_compiled, with_atr=prepared.tells_range)
    return _of_one(spoken, prepared.first_of_days, prepared.flags, NOTHING)


def _of_one(spoken: Spoken, wanted: Whole, flags: Bits, heard_atr: Floats) -> Events:
    return Events(
        score=spoken.place.astype(np.int32)[None],
        code=spoken.code.astype(np.int8)[None],
        atr=spoken.atr,
        count=np.array([len(spoken.place)]),
        wanted=wanted,
        flags=flags,
        heard_atr=heard_atr,
    )


def _wildness(prepared: Prepared, warm_atr: Floats, said: Said) -> tuple[Floats, Flags, Flags]:
    """What risk heard of the range, whether the market was wild, and whether that trips the symbol's breaker."""
    limits, size = prepared.settings.risk, len(said.atr)
    quiet = np.zeros(size, dtype=np.bool_)
    breaker_ratio = float(limits.breaker_volatility_ratio)
    # Of what came before those, nothing was said.
    warm_atr, warm_close = warm_atr[-prepared.told :], prepared.warm.close[-prepared.told :]
    warm = len(warm_atr)
    atrs = np.concatenate([warm_atr, said.atr])
    closes = np.concatenate([warm_close, prepared.candles.close])
    heard, relative, usual, scores = volatility_over(Volatility(symbol=prepared.strategy.symbol), atrs, closes)
    known = (scores >= WARM_UP) & (usual > 0)
    ratio = np.divide(relative, usual, out=np.full(len(usual), -1.0), where=known)[warm:]
    ever_told = np.maximum.accumulate(~np.isnan(atrs))[warm:]
    is_wild: Flags = ratio >= float(limits.regime_high_ratio)
    trips: Flags = (ratio > breaker_ratio) & ~np.isnan(said.atr) if breaker_ratio else quiet
    return np.where(ever_told, heard[warm:], math.nan), is_wild, trips


# --- strategies that speak when two averages change sides -------------------------------------------------------------


def plain_turns(prepared: Prepared, turning: Turning, resolved: Mapping[str, float]) -> Spoken:
    """Where the sides of one set change, without a compiler: numbers for numbers what `find_turns` finds.

    A stretch at a time, so that what plain Python makes of numbers does not add up.
    """
    one, other = (ema_start(int(resolved[name])) for _, name in (turning.one, turning.other))
    before = 0.0
    places: list[Whole] = []
    codes: list[Floats] = []
    for candles, is_warm_up in ((prepared.warm, True), (prepared.candles, False)):
        for begin in range(0, len(candles), AT_A_TIME):
            closes = candles.close[begin : begin + AT_A_TIME].tolist()
            averages = (average_over(closes, one), average_over(closes, other))
            sides = np.fromiter(map(turning.side, *averages), dtype=np.float64, count=len(closes))
            told = np.flatnonzero(sides)
            known = np.concatenate([[before], sides[told]])
            before = float(known[-1])
            turns = told[(known[1:] != known[:-1]) & (known[:-1] != 0.0)]
            if not is_warm_up:
                places.append(turns + begin)
                codes.append(sides[turns])
    place = np.concatenate([np.empty(0, dtype=np.int64), *places])
    return Spoken(place=place, code=np.concatenate([NOTHING, *codes]), atr=NOTHING)


def average_over(closes: Sequence[float], state: list[float]) -> list[float]:
    """`ema_step` over closes: its steps until it is known, then its formula, written out. `state` moves on."""
    period, seen, value = state
    begun = [ema_step(state, 0, close) for close in closes[: int(period - seen)]]
    if len(begun) == len(closes):
        return begun
    weight = 2.0 / (period + 1.0)
    value = state[2]
    told = accumulate(closes[len(begun) :], lambda value, close: value + (close - value) * weight, initial=value)
    next(told)  # What it begins with was told before.
    begun += told
    state[2] = begun[-1]
    return begun


@attrs.frozen(kw_only=True)
class Together:
    """Sets that share averages: which set looks at which."""

    prepared: Prepared
    turning: Turning
    sides: Sequence[tuple[int, int]]
    """The periods of each set's averages."""
    stretch: int
    atr_of: Whole
    atrs: Floats
    table: Floats

    @classmethod
    def of(
        cls, prepared: Prepared, resolved: Sequence[Mapping[str, float]], pool: ThreadPoolExecutor | None = None
    ) -> "Together | None":
        """None where sets are better traded one by one. What can be shared out is, among the threads of `pool`."""
        size = len(prepared.candles)
        if not cls.may_be(prepared, len(resolved)) or not prepared.is_compiled(len(resolved)):
            return None
        assert prepared.kind.turning is not None
        ranges = {int(one[prepared.kind.turning.atr[1]]) for one in resolved} if prepared.tells_range else set()
        if len(ranges) * (len(prepared.warm) + size) * 8 > LARGEST_RANGES:
            return None
        return cls.of_alike(prepared, resolved, STRETCH, pool)

    @classmethod
    def may_be(cls, prepared: Prepared, sets: int) -> bool:
        """Whether so many sets may be better traded together, told without loading the compiler."""
        alike = turns_on_averages(prepared.kind) and not prepared.minds_range
        return alike and len(prepared.candles) > 0 and prepared.is_worth_compiling(sets)

    @classmethod
    def of_alike(
        cls,
        prepared: Prepared,
        resolved: Sequence[Mapping[str, float]],
        stretch: int,
        pool: ThreadPoolExecutor | None = None,
    ) -> "Together":
        """The same where that is known to do."""
        turning = prepared.kind.turning
        assert turning is not None
        parameter = turning.atr[1]
        ranges = sorted({int(one[parameter]) for one in resolved}) if prepared.tells_range else []
        where = {period: place for place, period in enumerate(ranges)}
        return cls(
            prepared=prepared,
            turning=turning,
            sides=[(int(one[turning.one[1]]), int(one[turning.other[1]])) for one in resolved],
            stretch=stretch,
            atr_of=np.array([where.get(int(one[parameter]), 0) for one in resolved], dtype=np.int64),
            atrs=_ranges(prepared, turning.atr[0], ranges),
            table=_table(prepared, len(resolved), pool),
        )

    def said(self, begin: int, end: int, room: "Room") -> Events:
        """What the sets from `begin` to `end` say; it stands in `room`, until that is used again."""
        prepared, sides = self.prepared, self.sides[begin:end]
        periods = sorted({period for pair in sides for period in pair})
        where = {period: place for place, period in enumerate(periods)}
        looks_at = np.array([where[period] for pair in sides for period in pair], dtype=np.int64).reshape(-1, 2)
        while True:
            count = self._turns(periods, looks_at, room)
            if count is not None:
                break
            room.grow(len(prepared.candles))
        atr = NOTHING
        if prepared.tells_range:
            told = [
                self.atrs[self.atr_of[begin + number], room.score[number, :events] + len(prepared.warm)]
                for number, events in enumerate(count.tolist())
            ]
            atr = np.concatenate(told)
        return Events(
            score=room.score,
            code=room.code,
            atr=atr,
            count=count,
            wanted=prepared.first_of_days,
            flags=prepared.flags,
            heard_atr=NOTHING,
            table=self.table,
        )

    def _turns(self, periods: Sequence[int], looks_at: Whole, room: "Room") -> Whole | None:
        """How many turns each set makes; None when there is too little room for them."""
        kept = np.array([ema_start(period) for period in periods])
        before, count = np.zeros(len(looks_at), dtype=np.int64), np.zeros(len(looks_at), dtype=np.int64)
        averages = np.empty(len(periods) * (self.stretch + WORD))
        find = compiled(find_turns, kept=True, inline=False, _side=self.turning.side)
        for candles, is_warm_up in ((self.prepared.warm, True), (self.prepared.candles, False)):
            closes = np.ascontiguousarray(candles.close, dtype=np.float64)
            sets = (kept, is_warm_up, looks_at, before, count, room.score, room.code)
            if len(closes) and not find(closes, *sets, self.stretch, averages, *room.chunk):
                return None
        return count


@attrs.define
class Room:
    """Where one group's turns after another's are written; one for each group that is under way."""

    score: npt.NDArray[np.int32]
    code: npt.NDArray[np.int8]
    chunk: tuple[npt.NDArray[np.int8], npt.NDArray[np.int8], Whole, Whole]

    @classmethod
    def of(cls, prepared: Prepared, sets: int) -> "Room":
        turns = np.zeros(CHUNK, dtype=np.int8)
        sides, busy = np.empty(CHUNK + 1, dtype=np.int8), np.empty(CHUNK // WORD + 1, dtype=np.int64)
        usual = len(prepared.candles) // USUAL + CHUNK
        chunk = (sides, turns, turns.view(np.int64), busy)
        return cls(np.empty((sets, usual), dtype=np.int32), np.empty((sets, usual), dtype=np.int8), chunk)

    def grow(self, candles: int) -> None:
        """Room for four times as many; no set turns more often than there are candles."""
        shape = (len(self.score), min(4 * self.score.shape[1], candles + CHUNK))
        self.score, self.code = np.empty(shape, dtype=np.int32), np.empty(shape, dtype=np.int8)


def _ranges(prepared: Prepared, name: str, periods: Sequence[int]) -> Floats:
    """The average true range of every candle, warm-up included, a row for each period."""
    warm, candles = prepared.warm, prepared.candles
    size = len(warm) + len(candles)
    ranges = np.empty((len(periods), size))
    if periods:
        rows = np.empty((6, size))
        for column, field in enumerate(("open_ms", "open", "high", "low", "close", "volume")):
            rows[column, : len(warm)], rows[column, len(warm) :] = getattr(warm, field), getattr(candles, field)
        for place, period in enumerate(periods):
            ranges[place] = run_over(INDICATORS[name], rows.T, compile=True, period=period)[:, 0]
    return ranges


PARTS: Final = 8
"""Of a table that several threads lay out: enough that none of them waits long for the last."""


def _table(prepared: Prepared, sets: int, pool: ThreadPoolExecutor | None) -> Floats:
    """The record of every score, where so many sets look at it that this pays, and no range decides anything."""
    if prepared.tells_range or sets < MANY:
        return np.empty((0, RECORD))
    table = np.zeros((len(prepared.candles), RECORD))
    score_minute, score_row, score_price, _ = prepared.scores
    lay_out_all = compiled(fast_events.lay_out_all, kept=True, inline=False)
    terms: tuple[Any, ...] = (prepared.flags, prepared.numbers, prepared.limits)
    size, parts = len(table), 1 if pool is None else PARTS

    def lay_out(part: int) -> None:
        begin, end = size * part // parts, size * (part + 1) // parts
        lay_out_all(*prepared.rows[:2], score_minute, score_row, score_price, *terms, begin, end, table)

    # Each of them, so that what one of them raises is raised here.
    list(map(lay_out, range(parts)) if pool is None else pool.map(lay_out, range(parts)))
    return table
