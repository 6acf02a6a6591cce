"""What each strategy will say to the candles of a run, worked out before its first minute."""

import itertools
import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping

import attrs
import msgspec
import numpy as np
import numpy.typing as npt

from genesis.domain.replay import MINUTE_MS
from genesis.domain.running_strategy import Running
from genesis.domain.strategy import HOLD, RECOMMENDATIONS, Opinion
from genesis.domain.strategy_arrays import CandleArrays, Said, say
from genesis.domain.volatility import Volatility
from genesis.research.bars import candle_at, part
from genesis.research.heard_ranges import HeardRanges
from genesis.research.refused import Wanted
from protocols.settings import StrategySettings
from protocols.units import Symbol

Places = npt.NDArray[np.int32]
"""Minutes, and places in a list: a run of four thousand years would still fit."""
_CODE = {recommendation: code for code, recommendation in RECOMMENDATIONS.items()}


@attrs.define(kw_only=True)
class Market:
    """Candles of one (symbol, time frame) that close in the run; `ends` are minute indexes of their boundaries."""

    symbol: Symbol
    timeframe: str
    candles: CandleArrays
    ends: Places


@attrs.define(kw_only=True)
class Voice:
    """One strategy: what it says to each candle of its market, and where those scores stand among all scores."""

    running: Running
    market: Market
    ends: Places
    said: Said
    opinions: tuple[Opinion, ...] | None
    """Of a plain Python step: it is not asked twice. It may have failed before the last candle."""
    volatility: HeardRanges | None = None
    """None where no range is told."""

    @property
    def settings(self) -> StrategySettings:
        return self.running.settings

    passed: int = 0
    """Scores up to which risk was told what they left behind."""
    places: Places = attrs.field(factory=lambda: np.empty(0, dtype=np.int32))


def outspoken(running: Running, market: Market, before: Volatility | None) -> Voice:
    """What a strategy says to each candle of its market; `before` is what risk had heard of the range."""
    kind, candles = running.kind, market.candles
    opinions: tuple[Opinion, ...] | None = None
    if kind.numeric is not None:
        said = say(kind, list(running.state), candles)
    else:
        each = (candle_at(candles, place, market.symbol, market.timeframe) for place in range(len(candles)))
        opinions = tuple(itertools.takewhile(lambda one: one is not None, map(running.say, each)))  # type: ignore[arg-type]
        candles = part(candles, 0, len(opinions))
        said = Said(
            code=np.array([_CODE[one.recommendation] for one in opinions], dtype=np.float64),
            confidence=np.array([one.confidence for one in opinions], dtype=np.float64),
            probability=np.array([one.probability for one in opinions], dtype=np.float64),
            atr=np.array([one.features.get("atr", math.nan) for one in opinions], dtype=np.float64),
        )
    said = _in_little_room(said)
    voice = Voice(running=running, market=market, ends=market.ends[: len(candles)], said=said, opinions=opinions)
    if before is not None or not np.isnan(said.atr).all():
        heard = Volatility(symbol=market.symbol) if before is None else msgspec.structs.replace(before)
        voice.volatility = HeardRanges.of(heard, said.atr, candles.close)
    return voice


def _in_little_room(said: Said) -> Said:
    """The same numbers: codes in a byte each, and a probability that never changes once for all."""
    even = said.probability
    if len(even) and bool((even == even[0]).all()):
        even = np.broadcast_to(even[:1].copy(), even.shape)
    return attrs.evolve(said, code=said.code.astype(np.int8), probability=even)


def wanted(
    voice: Voice, first: int, last: int, first_ms: int, heard_by: Mapping[str, Volatility], *, with_ranges: bool
) -> list[Wanted] | None:
    """What a strategy asks for in the scores from `first` to `last` (not included) of a run that begins at `first_ms`;
    with the ranges that risk hears, where those decide anything.

    None where risk may look at what another strategy `heard_by` heard, or at no price.
    """
    begin, end = bisect_left(voice.places.data, first), bisect_left(voice.places.data, last)
    at = begin + np.flatnonzero(voice.said.code[begin:end] != HOLD)
    asked = [RECOMMENDATIONS[code] for code in voice.said.code[at].tolist()]
    closes = voice.market.candles.close[at]
    times_ms = (first_ms + voice.ends[at].astype(np.int64) * MINUTE_MS).tolist()
    symbol, name = voice.market.symbol, voice.settings.name
    heard: Iterable[Volatility | None] = itertools.repeat(None, len(asked))
    if with_ranges and name in heard_by and voice.volatility is not None:
        heard = [
            Volatility(symbol=symbol, atr=atr, relative=relative, usual=usual, scores=scores)
            for atr, relative, usual, scores in map(voice.volatility.at, at.tolist())
        ]
    elif with_ranges and any([each.symbol == symbol for each in heard_by.values()]):
        return None
    if len(closes) and closes.min() <= 0.0:
        return None
    return list(zip(asked, closes.tolist(), times_ms, heard, strict=True))
