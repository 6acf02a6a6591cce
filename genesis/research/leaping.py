"""The leaping walk: the same run as the full walk, but only where something can happen.

Between two such minutes nothing is traded, asked or refused, so what the machines would remember of them is worked out
from columns: the last price of each symbol, the newest candle end, how wild the market was, the points of the curve.
A minute is walked in full when

- a strategy says something else than HOLD, or still owes an exit that could not leave (but while nothing is held, and
  rules that no price or hour moves refuse whatever is said, refusals are counted and nothing is walked);
- it holds the first score of a symbol or of a trading day, or a score that may trip or try a breaker;
- a price of it reaches an order that rests or lies armed at the venue, or an order waits for the next tick;
- a stop is drawn after the market by us, not by the venue.

Equity peaks, and every strategy's best result, are raised by the scores that can raise them, found in the columns and
told to risk as they are. The full walk stays the judge: a property test holds the two against each other.
"""

import itertools
import math
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from typing import Any

import attrs
import msgspec
import numpy as np
import numpy.typing as npt

from genesis.domain import risk_marks, risk_protections
from genesis.domain.candles import correlation_id, name_of
from genesis.domain.decision_log import Decision
from genesis.domain.matching import FillModel
from genesis.domain.pairs import PairSpecs
from genesis.domain.paper_desk import Unread
from genesis.domain.refusals import Refusals, can_be_in_a_row, kept, minds_range
from genesis.domain.replay import BOUNDARY_MS, MINUTE_MS, TICK_MS, tick_prices
from genesis.domain.risk_state import TRADED_WALLETS, RiskState, spot_symbol
from genesis.domain.running_strategy import score_at, score_of
from genesis.domain.strategies import STRATEGY_KINDS
from genesis.domain.strategies.ensemble import kinds_of
from genesis.domain.strategy import HOLD, RECOMMENDATIONS, Opinion
from genesis.domain.strategy_arrays import Floats
from genesis.domain.trading_day import trading_day
from genesis.domain.trading_floor import CARRY_EVERY_MS
from genesis.research.bars import (
    BarRecording,
    Whole,
    ascending,
    candle_at,
    in_time_frame,
    part,
    row_at,
    stretches,
)
from genesis.research.refused import Refused, Wanted, count
from genesis.research.voices import Market, Places, Voice, outspoken, wanted
from genesis.research.walk import Walk, in_words
from protocols.account import EquityPoint
from protocols.market import CandleClosed
from protocols.orders import VenueWallet
from protocols.risk import AccountState, BreakerState
from protocols.settings import Settings
from protocols.signals import Recommendation, SignalScore
from protocols.units import TIMEFRAME_MS, ZERO, Symbol, exact

DAY_MS = 86_400_000
QUARTER_MS = 900_000
_NEAR = 1e-11
"""Equities of floats that are nearer to one another than this (relative) are compared as exact numbers."""
_CODE = {recommendation: code for code, recommendation in RECOMMENDATIONS.items()}


def can_leap(settings: Settings) -> bool:
    """Whether candles close at the boundary right after their end, and are news then: with any settings in their usual
    ranges. Otherwise only the full walk knows when they do. So it is with strategies that hear of trades or fills:
    what they say cannot be worked out before the orders are."""
    wanted = (kinds_of(each, STRATEGY_KINDS) for each in settings.strategies if each.enabled)
    if any(kind is not None and kind.hears_trades for kinds in wanted for kind in kinds):
        return False
    return settings.market.candle_close_grace_ms <= BOUNDARY_MS <= int(settings.risk.signal_max_age_s * 1000)


class Leap(Walk):
    """One leaping walk. `decisions` holds numbers too: before each, that many scores of the replay had been said."""

    def __init__(
        self,
        bars: BarRecording,
        settings: Settings,
        model: FillModel | None,
        pairs: PairSpecs,
        balances: Iterable[tuple[str, str, Decimal]],
    ) -> None:
        history = msgspec.structs.replace(attrs.evolve(bars, rows={}).as_rows(), rows=dict.fromkeys(bars.rows, ()))
        super().__init__(history, settings, model, pairs, balances)
        self.bars = bars
        self.symbols = tuple(bars.rows)
        self.last_minute = (bars.last_ms - bars.first_ms) // MINUTE_MS
        self.log: list[Unread | Refused | int] = []
        self._voices_of: dict[Symbol, list[Voice]] = {}
        self._last_asked = (-1, 0)
        self._drawn = self._undrawn_from = 0
        """Minutes up to which the curve has its points, and up to which it must have them before a wallet changes."""
        self._wallets_changed = False
        self._was_refused = False
        """Whether the last entry that was asked for did not come about."""
        self._flat: AccountState | None = None
        """The account that risk heard of last, where nothing is held and nothing under way."""
        self._minutes = {symbol: _minutes_of_rows(each.open_ms, bars.first_ms) for symbol, each in bars.rows.items()}
        self._lows = {symbol: each.low for symbol, each in bars.rows.items()}
        self._highs = {symbol: each.high for symbol, each in bars.rows.items()}

    @property
    def market(self) -> dict[str, tuple[float, float]]:
        return {
            symbol: (float(bars.open[0]), float(bars.close[-1])) for symbol, bars in self.bars.rows.items() if len(bars)
        }

    def walk(self, on_progress: Callable[[float], None] | None = None) -> None:
        self.candles = sum(len(bars) for bars in self.bars.rows.values())
        if not self.candles:
            return
        self._prepare()
        self.decisions = self.log  # type: ignore[assignment]
        now = told = 0
        while now <= self.last_minute:
            if on_progress is not None and now >= told + DAY_MS // MINUTE_MS:
                told = now
                on_progress(now / (self.last_minute + 1))
            following = self._next(now)
            self._pass(now, min(following, self.last_minute + 1))
            if following > self.last_minute:
                break
            now = self._pass_refused(following)
            self._let_go()
            if now == following:
                self._walk_minute(following)
                now += 1
        else:
            self._pass(now, now)
        # One more boundary closes the last minute.
        self._boundary(self.last_minute + 1)
        self._draw_until(self.last_minute + 2)
        self.log.append(len(self._score_voice))

    # --- before the first minute --------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        """What every strategy will say, and in which order."""
        self._after_history = {name: list(running.state) for name, running in self.signals.running.items()}
        self._before = self.decisions
        voices: list[Voice] = []
        for symbol, streams in self._streams.items():
            for stream in streams:
                begun = stream.begun
                candles = in_time_frame(self.bars.rows[symbol], stream.timeframe, begun=begun)
                ends = _minutes_of(candles.open_ms, self.bars.first_ms - TIMEFRAME_MS[stream.timeframe])
                closing = _before(ends, self.last_minute + 2)
                candles = part(candles, 0, closing)
                market = Market(symbol=symbol, timeframe=stream.timeframe, candles=candles, ends=ends[:closing])
                voices += [
                    outspoken(self.signals.running[name], market, self.risk.state.volatility.get(name))
                    for name, running in self.signals.running.items()
                    if (running.settings.symbol, running.settings.timeframe) == (symbol, stream.timeframe)
                ]
        self._voices = voices
        self._put_in_order(voices)
        self._forced_minutes = self._always_walked()
        said = [voice.ends[voice.said.code != HOLD] for voice in voices]
        self._busy_minutes = ascending(np.concatenate([np.array(self._forced_minutes, dtype=np.int64), *said])).tolist()

    def _put_in_order(self, voices: list[Voice]) -> None:
        """All scores as they are said: the minute of each, its voice, and its place among that one's."""
        if len(voices) == 1:
            # The columns of the only one are those of all.
            (voice,) = voices
            self._score_minute: Places = voice.ends
            self._score_voice: npt.NDArray[np.int16] = np.broadcast_to(np.zeros(1, dtype=np.int16), voice.ends.shape)
            self._score_candle: Places = np.arange(len(voice.ends), dtype=np.int32)
            voice.places = self._score_candle
            self._voices_of = {voice.market.symbol: [voice]}
            return
        minute = np.concatenate([voice.ends for voice in voices] or [np.empty(0, dtype=np.int32)])
        sizes = np.array([len(voice.ends) for voice in voices], dtype=np.int64)
        voice_of = np.repeat(np.arange(len(voices), dtype=np.int16), sizes)
        candles = [np.arange(len(voice.ends), dtype=np.int32) for voice in voices]
        candle_of = np.concatenate(candles or [np.empty(0, dtype=np.int32)])
        order = np.argsort(minute, kind="stable")
        self._score_minute, self._score_voice, self._score_candle = minute[order], voice_of[order], candle_of[order]
        for number, voice in enumerate(voices):
            voice.places = np.flatnonzero(self._score_voice == number).astype(np.int32)
            self._voices_of.setdefault(voice.market.symbol, []).append(voice)

    def _always_walked(self) -> list[int]:
        """Minutes that have to be walked whatever is said in them and happens before them, ascending."""
        found: list[npt.NDArray[Any]] = [np.empty(0, dtype=np.int64)]
        ratio_limit = float(self.settings.risk.breaker_volatility_ratio)
        first_of_symbol: dict[Symbol, int] = {}
        for voice in self._voices:
            ends = voice.ends
            if len(ends):
                symbol = voice.market.symbol
                first_of_symbol[symbol] = min(first_of_symbol.get(symbol, int(ends[0])), int(ends[0]))
                # The first range that a strategy tells makes its memory.
                told = np.flatnonzero(~np.isnan(voice.said.atr))
                found.append(ends[told[:1]])
            if ratio_limit and voice.volatility is not None:
                found.append(ends[voice.volatility.ratios() > ratio_limit])
        found.append(np.array(sorted(first_of_symbol.values()), dtype=np.int64))
        found.append(self._first_of_days())
        if self.venue.model.carry_a_day:
            first = -(-self.bars.first_ms // CARRY_EVERY_MS) * CARRY_EVERY_MS
            found.append((np.arange(first, self.bars.last_ms + 1, CARRY_EVERY_MS) - self.bars.first_ms) // MINUTE_MS)
        minutes: list[int] = ascending(np.concatenate(found)).tolist()
        return minutes

    def _first_of_days(self) -> Places:
        """The minutes of the first score of each trading day."""
        if not len(self._score_minute):
            return self._score_minute
        timezone = self.settings.risk.day_timezone
        decided = self.bars.first_ms + self._score_minute.astype(np.int64) * MINUTE_MS
        if timezone == "UTC":
            days = decided // DAY_MS
        else:
            quarters, where = np.unique(decided // QUARTER_MS, return_inverse=True)
            names = [trading_day(int(quarter) * QUARTER_MS, timezone) for quarter in quarters]
            numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
            days = np.array([numbers[name] for name in names], dtype=np.int64)[where]
        firsts: Places = self._score_minute[np.concatenate([[True], days[1:] != days[:-1]])]
        return firsts

    # --- where something can happen -----------------------------------------------------------------------------------

    def _next(self, now: int) -> int:
        """The first minute from `now` on that must be walked; past the last one when there is none."""
        if self.machine.follows:
            # A stop is drawn after the market by us, at every tick.
            return now
        never = self.last_minute + 2
        place = bisect_left(self._busy_minutes, now)
        following = self._busy_minutes[place] if place < len(self._busy_minutes) else never
        state = self.risk.state
        if state.exits_owed:
            for voice in self._voices:
                if f"{voice.settings.name} {voice.settings.symbol}" in state.exits_owed:
                    following = min(following, _at_or_after(voice.ends, now, never))
        for breaker in state.breakers.values():
            if breaker.state is BreakerState.OPEN:
                tried = max(now, -(-(breaker.until_ms - self.bars.first_ms) // MINUTE_MS))
                following = min(following, _at_or_after(self._score_minute, tried, never))
        for symbol in self.symbols:
            following = min(following, self._first_reached(symbol, now, following))
        return following

    def _first_reached(self, symbol: Symbol, now: int, before: int) -> int:
        """The first minute from `now` on (and before `before`) in which an order of this pair may act."""
        low, high = self.venue.band(symbol)
        wakes_ms = self.venue.wakes_ms(symbol)
        minutes = self._minutes[symbol]
        begin, end = self._row_from(symbol, now), self._row_from(symbol, before)
        if wakes_ms < math.inf and begin < end:
            woken = math.ceil((wakes_ms - TICK_MS[-1] - self.bars.first_ms) / MINUTE_MS)
            end = min(end, max(begin, _before(minutes, woken)) + 1)
            if minutes[end - 1] >= woken:
                before = int(minutes[end - 1])
                end -= 1
        if low == -math.inf and high == math.inf:
            return before
        lows, highs = self._lows[symbol], self._highs[symbol]
        size = 64
        while begin < end:
            until = min(end, begin + size)
            reached = (lows[begin:until] <= low) | (highs[begin:until] >= high)
            at = int(reached.argmax())
            if reached[at]:
                return int(minutes[begin + at])
            begin, size = until, size * 4
        return before

    def _scores_before(self, minute: int) -> int:
        """How many scores are said before a minute. It is asked of each twice: as an end, and as what follows it."""
        known, place = self._last_asked
        if known != minute:
            place = _before(self._score_minute, minute)
            self._last_asked = minute, place
        return place

    def _row_from(self, symbol: Symbol, minute: int) -> int:
        """The place of the first row at or after a minute."""
        minutes = self._minutes[symbol]
        if isinstance(minutes, range):
            return min(max(minute - minutes.start, 0), len(minutes))
        return _before(minutes, minute)

    # --- passing over -------------------------------------------------------------------------------------------------

    def _pass_refused(self, minute: int) -> int:
        """Pass over what follows from this minute on, as far as risk refuses all of it; gives the minute after that."""
        state = self.risk.state
        is_flat = state.account is self._flat and None not in (state.day_start_equity, state.week_start_equity)
        if not (self._was_refused and is_flat and can_be_in_a_row(state, self.settings)):
            return minute
        place = bisect_left(self._forced_minutes, minute)
        until = self._forced_minutes[place] if place < len(self._forced_minutes) else self.last_minute + 1
        for lock in state.locks.values():
            if lock.until_ms is not None:
                until = min(until, -(-(lock.until_ms - self.bars.first_ms) // MINUTE_MS))
        if until <= minute or any([self._first_reached(each, minute, until) < until for each in self.symbols]):
            return minute
        first, last = self._scores_before(minute), self._scores_before(until)
        found: list[tuple[Refusals, list[Wanted]]] = []
        for voice in self._voices:
            symbol, name = voice.market.symbol, voice.settings.name
            refusals = Refusals.of(state, self.settings, self.risk.pairs, symbol=symbol, strategy=name)
            if refusals is None:
                return minute
            asked = wanted(
                voice, first, last, self.bars.first_ms, state.volatility, with_ranges=minds_range(self.settings)
            )
            if asked is None:
                return minute
            found.append((refusals, asked))
        before = kept(state)
        self._pass(minute, until, Refused(first=first, last=last, state=before))
        for refusals, asked in found:
            count(state, refusals, asked)
        return until

    def _pass(self, begin: int, end: int, refused: Refused | None = None) -> None:
        """All minutes from `begin` to `end` (not included) went by and nothing happened, or all was refused."""
        first, last = self._scores_before(begin), self._scores_before(end)
        if last > first:
            self._pass_scores(first, last)
            self.log.append(refused or last)
        if end > begin:
            self.account.now_ms = max(self.account.now_ms, self.bars.first_ms + (end - 1) * MINUTE_MS)
            for symbol in self.symbols:
                place = self._row_from(symbol, end) - 1
                if place >= 0:
                    close = float(self.bars.rows[symbol].close[place])
                    self.venue.observe(symbol, close)
                    self.account.on_price(symbol, close)

    def _pass_scores(self, first: int, last: int) -> None:
        """Risk remembers what it would have of these scores, all of them HOLD."""
        state = self.risk.state
        is_alone = len(self._voices) == 1
        self._raise_marks(state, first, last)
        for symbol, voices in self._voices_of.items():
            newest = -1
            for voice in voices:
                # All scores are those of the only one.
                until = last if is_alone else _before(voice.places, last)
                if until == voice.passed:
                    continue
                candle, voice.passed = until - 1, until
                place = candle if is_alone else int(voice.places[candle])
                if place < first:
                    continue
                state.judged[voice.settings.name] = int(voice.market.candles.open_ms[candle])
                if place > newest:
                    newest = place
                    state.marks[symbol] = exact(float(voice.market.candles.close[candle]))
                if voice.volatility is not None and voice.settings.name in state.volatility:
                    heard = state.volatility[voice.settings.name]
                    heard.atr, heard.relative, heard.usual, heard.scores = voice.volatility.at(candle)
            if newest >= 0:
                self._pass_due(state, symbol, voices, first, last, newest)
        state.now_ms = max(state.now_ms, self._decided_ms(last - 1))
        if state.locks:
            risk_protections.drop_expired(state)

    def _pass_due(
        self, state: RiskState, symbol: Symbol, voices: list[Voice], first: int, last: int, newest: int
    ) -> None:
        """When the symbol's next candle is due, after these scores."""
        places = [newest]
        if any(voice.market.timeframe != voices[0].market.timeframe for voice in voices):
            mine = [number for number, voice in enumerate(self._voices) if voice.market.symbol == symbol]
            places = np.flatnonzero(np.isin(self._score_voice[first:last], mine)).tolist()
            places = [first + place for place in places]
        for place in places:
            decided_ms = self._decided_ms(place)
            timeframe = self._voices[int(self._score_voice[place])].market.timeframe
            due_ms, waiting_ms = decided_ms + TIMEFRAME_MS[timeframe], state.due_ms.get(symbol, 0)
            state.due_ms[symbol] = min(due_ms, waiting_ms) if waiting_ms > decided_ms else due_ms

    def _raise_marks(self, state: RiskState, first: int, last: int) -> None:
        """Tell risk of those scores that may raise a peak: the first, and the ones nearest to each maximum."""
        account = state.account
        if account is None or not account.known:
            return
        if account is self._flat and state.day_start_equity is not None and state.week_start_equity is not None:
            # No price changes what it is worth, and risk has seen that already.
            return
        held: dict[str, Decimal] = {}
        for wallet in account.wallets:
            symbol = spot_symbol(wallet.currency, self.settings.quote_currency)
            if wallet.wallet_type in TRADED_WALLETS and wallet.balance and symbol in state.marks:
                held[symbol] = held.get(symbol, ZERO) + wallet.balance
        for position in account.positions:
            if position.quantity and position.symbol in state.marks:
                held.setdefault(position.symbol, ZERO)
        quote = self.settings.quote_currency
        coins = any([wallet.balance and wallet.currency != quote for wallet in account.wallets])
        if not (coins or state.reservations or any([position.quantity for position in account.positions])):
            self._flat = account
        held = {symbol: balance for symbol, balance in held.items() if symbol in self._voices_of}
        if len(held) == 1:
            ((symbol, _),) = held.items()
            if len(self._voices_of[Symbol(symbol)]) == 1:
                self._raise_marks_of_one(state, self._voices_of[Symbol(symbol)][0], first, last)
                return
        voices = {
            symbol: [number for number, voice in enumerate(self._voices) if voice.market.symbol == symbol]
            for symbol in held
        }
        candidates = {first}
        if held:
            prices = {
                symbol: self._marks_over(symbol, voices[Symbol(symbol)], first, last, float(state.marks[symbol]))
                for symbol in held
            }
            parts = [float(balance) * prices[symbol] for symbol, balance in held.items()]
            worth: Floats = np.sum(parts, axis=0)
            candidates.update(_highest(worth, float(worth.max()), first))
            for strategy in state.strategies:
                owned = [
                    position
                    for position in account.positions
                    if position.quantity and state.owner.get(position.symbol) == strategy and position.symbol in held
                ]
                if owned:
                    worths = [float(each.quantity) * prices[each.symbol] for each in owned]
                    result: Floats = np.sum(worths, axis=0)
                    candidates.update(_highest(result, float(np.abs(worths).max()), first))
        for place in sorted(candidates):
            for symbol in held:
                state.marks[symbol] = exact(float(prices[symbol][place - first]))
            for _ in risk_marks.follow_equity(state, self.risk.equity):
                pass

    def _raise_marks_of_one(self, state: RiskState, voice: Voice, first: int, last: int) -> None:
        """One symbol is held and one strategy tells its price: worth is highest where the price is (short: lowest).

        Scores before the strategy's first one here have the mark that was there before.
        """
        begin, end = _before(voice.places, first), _before(voice.places, last)
        closes = voice.market.candles.close[begin:end]
        candidates: set[int] = set()
        if begin == end or voice.places[begin] > first:
            for _ in risk_marks.follow_equity(state, self.risk.equity):
                pass
        if begin < end:
            candidates = {0, int(closes.argmax()), int(closes.argmin())}
        for place in sorted(candidates):
            state.marks[voice.market.symbol] = exact(float(closes[place]))
            for _ in risk_marks.follow_equity(state, self.risk.equity):
                pass

    def _marks_over(self, symbol: str, voices: list[int], first: int, last: int, before: float) -> Floats:
        """The price by which a symbol is marked after each of these scores."""
        mine = np.isin(self._score_voice[first:last], voices)
        prices = np.full(last - first + 1, before)
        for number in voices:
            at = np.flatnonzero(self._score_voice[first:last] == number)
            prices[at + 1] = self._voices[number].market.candles.close[self._score_candle[first:last][at]]
        newest = np.maximum.accumulate(np.where(mine, np.arange(1, last - first + 1), 0))
        return prices[newest]

    def _on_wallet(self, wallet: VenueWallet) -> None:
        """Before a wallet changes, the curve gets the points that it has to have by then."""
        self._draw_until(self._undrawn_from)
        self._wallets_changed = True
        super()._on_wallet(wallet)

    def _draw_until(self, end: int) -> None:
        """The points of the curve up to this minute (not included), since it was drawn last: no wallet has changed."""
        account, begin = self.account, self._drawn
        if end <= begin:
            return
        self._drawn = end
        last_ms = self.bars.first_ms + (end - 1) * MINUTE_MS
        while True:
            next_ms, step_ms = account.equity_curve.next_ms(self.bars.first_ms + begin * MINUTE_MS)
            times = range(next_ms, last_ms + 1, step_ms)[: account.equity_curve.room]
            if not times:
                break
            worths = self._worth(times)
            account.take_points([EquityPoint(at_ms=at, equity=worth) for at, worth in zip(times, worths, strict=True)])

    def _worth(self, times: range) -> Iterable[Decimal]:
        """Worth of the wallets at the begin of these minutes: every coin at the last close before."""
        fixed = ZERO
        moving: list[tuple[Decimal, list[int], list[float]]] = []
        for wallet in self.account.state_wallets():
            if wallet.wallet_type not in TRADED_WALLETS:
                continue
            if wallet.currency == self.settings.quote_currency:
                fixed += wallet.balance
                continue
            bars = self.bars.rows.get(Symbol(spot_symbol(wallet.currency, self.settings.quote_currency)))
            if wallet.balance and bars is not None and len(bars):
                asked = np.arange(times.start, times.stop, times.step)
                last = np.searchsorted(bars.open_ms, asked) - 1
                moving.append((wallet.balance, last.tolist(), bars.close[last].tolist()))
        if not moving:
            return itertools.repeat(fixed, len(times))
        if len(moving) == 1 and moving[0][1][0] >= 0:
            ((balance, _, closes),) = moving
            return [fixed + balance * price for price in map(Decimal, map(repr, closes))]
        worths = [fixed] * len(times)
        for balance, places, closes in moving:
            for number, place in enumerate(places):
                if place >= 0:
                    worths[number] += balance * exact(closes[number])
        return worths

    # --- walking ------------------------------------------------------------------------------------------------------

    def _walk_minute(self, minute: int) -> None:
        """A minute as the full walk has it."""
        self._boundary(minute)
        minute_ms = self.bars.first_ms + minute * MINUTE_MS
        places = [self._row_at(symbol, minute) for symbol in self.symbols]
        if self._nobody_acts(places, minute_ms + TICK_MS[-1]):
            self.now_ms = minute_ms + TICK_MS[-1]
            for symbol, place in zip(self.symbols, places, strict=True):
                if place >= 0:
                    close = float(self.bars.rows[symbol].close[place])
                    self.venue.observe(symbol, close)
                    self.account.on_price(symbol, close)
            return
        traded: list[tuple[Symbol, tuple[float, ...], float]] = []
        for symbol, place in zip(self.symbols, places, strict=True):
            if place >= 0:
                row = row_at(self.bars.rows[symbol], place)
                traded.append((symbol, tick_prices(row, low_first=self.venue.model.low_first), row.volume / 4))
        for number, offset_ms in enumerate(TICK_MS):
            self.now_ms = minute_ms + offset_ms
            for symbol, prices, volume in traded:
                self._on_tick(symbol, prices[number], volume)
                if number == 3:
                    self.account.on_price(symbol, prices[number])

    def _row_at(self, symbol: Symbol, minute: int) -> int:
        """The place of the row of a minute; -1 where it has none."""
        minutes = self._minutes[symbol]
        place = self._row_from(symbol, minute)
        return place if place < len(minutes) and minutes[place] == minute else -1

    def _nobody_acts(self, places: list[int], until_ms: int) -> bool:
        """As `_is_quiet` has it, of strategies that hear of no trades."""
        if self.machine.follows:
            return False
        for symbol, place in zip(self.symbols, places, strict=True):
            if place >= 0:
                low, high = self.venue.band(symbol)
                if not (low < self._lows[symbol][place] and self._highs[symbol][place] < high):
                    return False
                if until_ms >= self.venue.wakes_ms(symbol):
                    return False
        return True

    def _boundary(self, minute: int) -> None:
        minute_ms = self.bars.first_ms + minute * MINUTE_MS
        # A wallet that changes now does so before this minute's point is on the curve, one that changes later after it.
        self._undrawn_from, self._wallets_changed = minute, False
        self._pay_carry(minute_ms)
        self.now_ms = minute_ms + BOUNDARY_MS
        first, last = self._scores_before(minute), self._scores_before(minute + 1)
        for place in range(first, last):
            self.log.append(place + 1)
            score = self._score(place)
            self._judge(score)
            if score.recommendation is Recommendation.BUY:
                self._was_refused = not self.risk.state.reservations
        self._undrawn_from = minute + 1
        if self._wallets_changed:
            self.account.mark_time(minute_ms)
            self._drawn = minute + 1
        else:
            self.account.now_ms = max(self.account.now_ms, minute_ms)

    def _score(self, place: int) -> SignalScore:
        """A score with all that risk looks at, and without the words."""
        voice, candle = self._voices[int(self._score_voice[place])], int(self._score_candle[place])
        said, atr = voice.said, float(voice.said.atr[candle])
        open_ms = int(voice.market.candles.open_ms[candle])
        wanted = voice.settings
        return score_at(
            voice.running,
            open_ms=open_ms,
            closed_ms=open_ms + TIMEFRAME_MS[wanted.timeframe],
            price=float(voice.market.candles.close[candle]),
            recommendation=RECOMMENDATIONS[float(said.code[candle])],
            confidence=float(said.confidence[candle]),
            probability=float(said.probability[candle]),
            features={} if math.isnan(atr) else {"atr": atr},
            correlation_id=name_of(wanted.symbol, wanted.timeframe, open_ms),
        )

    def _decided_ms(self, place: int) -> int:
        return self.bars.first_ms + int(self._score_minute[place]) * MINUTE_MS

    # --- afterwards ---------------------------------------------------------------------------------------------------

    def whole_log(self) -> tuple[Decision, ...]:
        """Every decision with its words: the strategies step through their candles once more, and say them."""
        said = self._scores()
        log: list[Unread] = list(self._before)
        told = 0
        for entry in self.log:
            if isinstance(entry, int):
                log += itertools.islice(said, entry - told)
                told = max(told, entry)
            elif isinstance(entry, Refused):
                for judgements in entry.judgements(self.settings, self.risk.pairs, self._score):
                    log += [next(said), *judgements]
                told = entry.last
            else:
                log.append(entry)
        return tuple(in_words(log))

    def _scores(self) -> Iterator[SignalScore]:
        words = [self._opinions(voice) for voice in self._voices]
        for number, place in zip(self._score_voice.tolist(), self._score_candle.tolist(), strict=True):
            voice = self._voices[number]
            yield score_of(voice.running, self._closed(voice.market, place), next(words[number]))

    def _opinions(self, voice: Voice) -> Iterator[Opinion]:
        if voice.opinions is not None:
            yield from voice.opinions
            return
        state, market = list(self._after_history[voice.settings.name]), voice.market
        for place in range(len(voice.ends)):
            yield voice.running.kind.step(state, candle_at(market.candles, place, market.symbol, market.timeframe))

    def _closed(self, market: Market, place: int) -> CandleClosed:
        candle = candle_at(market.candles, place, market.symbol, market.timeframe)
        return CandleClosed(
            candle=candle,
            closed_ms=candle.open_ms + TIMEFRAME_MS[market.timeframe],
            catch_up=False,
            correlation_id=correlation_id(candle),
            received_ns=0,
        )


def _minutes_of(times: Whole, first_ms: int) -> Places:
    """Times in minutes since `first_ms`, a stretch at a time."""
    found = np.empty(len(times), dtype=np.int32)
    begin = 0
    for some in stretches(times):
        found[begin : begin + len(some)] = (some - first_ms) // MINUTE_MS
        begin += len(some)
    return found


def _minutes_of_rows(times: Whole, first_ms: int) -> Places | range:
    """The same, but as a range where no minute is missing: nothing is kept then, and nobody has to look for one."""
    if len(times) and times[-1] - times[0] == (len(times) - 1) * MINUTE_MS:
        first = int(times[0] - first_ms) // MINUTE_MS
        return range(first, first + len(times))
    return _minutes_of(times, first_ms)


def _before(ascending: Places | range, number: int) -> int:
    """How many of them are below a number. `searchsorted` would make all of them as wide as Python's number first."""
    return bisect_left(ascending if isinstance(ascending, range) else ascending.data, number)


def _at_or_after(ascending: Places, minute: int, never: int) -> int:
    place = _before(ascending, minute)
    return int(ascending[place]) if place < len(ascending) else never


def _highest(values: Floats, scale: float, first: int) -> list[int]:
    """Places (counted from `first`) of what may be the highest value, each run of equal ones by its first."""
    near = np.flatnonzero(values >= values.max() - scale * _NEAR)
    begins = (near == 0) | (values[near] != values[near - 1])
    return [first + int(place) for place in near[begins]]
