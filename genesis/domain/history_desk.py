"""The history desk: which candles of the past are asked for when, what is told to strategies, and what keeps them.

A question is asked again while it has no answer, each time later than before, whatever the last answer was: nobody
trades on a history with a hole in it. Only a hole in a stream by which no strategy decides is given up after a while,
so that charts go on.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import attrs

from genesis.domain.market_book import MarketBook
from protocols.market import CandleHistory, CandleRequest, CandlesFailed, HistoryWait, HistoryWish
from protocols.settings import Settings

ASK_AGAIN_S: Final = 10.0
"""After the first question; twice as long after each other one, where strategies wait."""
LONGEST_PAUSE_S: Final = 300.0
CHART_TRIES: Final = 3
"""Questions after which a hole that only charts have is left."""
SPEAKING_S: Final = 10.0
"""Histories are told when every stream that strategies decide by has begun: in one order, whoever answers first. A
stream that says nothing for so long keeps nobody waiting."""
TELL_AGAIN_S: Final = 60.0
"""A history that was told and is still wished for did not arrive: its hearer died of something else."""


@attrs.define
class _Asked:
    for_charts: bool
    again_at: float
    tries: int = 0
    trouble: str = ""

    def later(self, now: float) -> None:
        self.again_at = now + (ASK_AGAIN_S if self.for_charts else pause_s(self.tries))


@attrs.define(kw_only=True)
class HistoryDesk:
    """State of the questions. Times are seconds of one monotonic clock."""

    wishes: tuple[HistoryWish, ...] = ()
    waits: tuple[HistoryWait, ...] = ()
    """What strategies are kept waiting for, as of the last turn."""
    _asked: dict[CandleRequest, _Asked] = attrs.field(factory=dict, init=False)
    _told: dict[HistoryWish, float] = attrs.field(factory=dict, init=False)
    _wished_at: float | None = attrs.field(default=None, init=False)

    def on_wishes(self, wishes: tuple[HistoryWish, ...], now: float) -> None:
        self._wished_at = None if not wishes else now if self._wished_at is None else self._wished_at
        self.wishes = wishes
        self._told = {wish: at for wish, at in self._told.items() if wish in wishes}

    def on_failure(self, failed: CandlesFailed, now: float) -> HistoryWait | None:
        """What to tell people, of the first failure of a question that strategies wait for."""
        asked = self._asked.get(failed.request)
        if asked is None:
            return None
        first = not asked.trouble
        if first or failed.asked:
            # What the venue said says more than that it is left alone since.
            asked.trouble = failed.reason
        asked.later(now)
        request = failed.request
        return next((each for each in self.waits if _of(each) == _of(request)), None) if first else None

    def due(self, book: MarketBook, now: float) -> tuple[list[CandleRequest], list[CandleRequest]]:
        """(what is to be asked now, holes that nobody fills and nobody decides by)."""
        wanted = [*book.wanted(), *book.older()]
        if not (wanted or self.wishes or self._asked or self.waits):
            # As nearly always.
            return [], []
        decided = _decided_by(book.settings)
        self._asked = {request: asked for request, asked in self._asked.items() if request in wanted}
        ask: list[CandleRequest] = []
        hopeless: list[CandleRequest] = []
        for request in wanted:
            asked = self._asked.get(request)
            if asked is None:
                for_charts = request.newest is None and _of(request) not in decided
                asked = self._asked[request] = _Asked(for_charts=for_charts, again_at=now)
            if now < asked.again_at:
                continue
            if asked.for_charts and asked.tries >= CHART_TRIES:
                hopeless.append(request)
                continue
            asked.tries += 1
            asked.later(now)
            ask.append(request)
        self.waits = tuple(self._waits(book, decided))
        return ask, hopeless

    def tell(self, book: MarketBook, now: float) -> list[CandleHistory]:
        """The histories that are whole, in the order in which they were wished for."""
        if self._wished_at is None:
            return []
        if now - self._wished_at < SPEAKING_S and not all(book.speaks(*each) for each in _decided_by(book.settings)):
            return []
        told: list[CandleHistory] = []
        for wish in self.wishes:
            if now - self._told.get(wish, -TELL_AGAIN_S) < TELL_AGAIN_S:
                continue
            history = book.history(wish)
            if history is not None:
                self._told[wish] = now
                told.append(history)
        return told

    def again_at(self) -> float | None:
        """When there is a question to ask again; None when nobody waits for an answer."""
        return min((asked.again_at for asked in self._asked.values()), default=None)

    def _waits(self, book: MarketBook, decided: set[tuple[str, str]]) -> Iterable[HistoryWait]:
        for request in book.wanted():
            if _of(request) in decided:
                yield self._wait(book, request, wanted=0)
        older: dict[tuple[str, str], CandleRequest | HistoryWish] = {_of(each): each for each in book.older()}
        for wish in self.wishes:
            if not book.is_whole(wish):
                asked_for = older.get((wish.symbol, wish.timeframe), wish)
                yield self._wait(book, asked_for, wanted=wish.candles)

    def _wait(self, book: MarketBook, of: CandleRequest | HistoryWish, *, wanted: int) -> HistoryWait:
        asked = self._asked.get(of) if isinstance(of, CandleRequest) else None
        return HistoryWait(
            symbol=of.symbol,
            timeframe=of.timeframe,
            wanted=wanted,
            have=book.closed_known(of.symbol, of.timeframe),
            tries=0 if asked is None else asked.tries,
            trouble="" if asked is None else asked.trouble,
        )


def pause_s(tries: int) -> float:
    """How long after so many questions the next one is asked."""
    return min(LONGEST_PAUSE_S, ASK_AGAIN_S * 2.0 ** min(tries - 1, 10))


def wait_text(wait: HistoryWait) -> str:
    """What is waited for, for people."""
    what = f"{wait.wanted} closed candles, has {wait.have}" if wait.wanted else "a hole in its candles to be filled"
    return f"{wait.symbol} {wait.timeframe} waits for {what}"


def _of(one: CandleRequest | HistoryWait | HistoryWish) -> tuple[str, str]:
    return one.symbol, one.timeframe


def _decided_by(settings: Settings) -> set[tuple[str, str]]:
    return {(each.symbol, each.timeframe) for each in settings.strategies if each.enabled}


def waiting_for(symbol: str, timeframe: str, waits: Sequence[HistoryWait], *, history: bool) -> HistoryWait | None:
    """What keeps a strategy of this stream: a hole keeps all of them, a history those that have not had it."""
    mine = (wait for wait in waits if _of(wait) == (symbol, timeframe) and (history or not wait.wanted))
    return next(mine, None)
