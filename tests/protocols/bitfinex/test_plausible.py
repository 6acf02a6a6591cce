"""Numbers that no market can have are refused with a reason, one by one, and cost what is beside them nothing."""

from decimal import Decimal
from typing import Any

import pytest

from genesis.domain.market_book import MarketBook
from protocols.bitfinex.account import read_trade
from protocols.bitfinex.errors import MalformedFrame
from protocols.bitfinex.events import FLAG_TIMESTAMP, FrameRefused, conf_answer, subscribed_event
from protocols.bitfinex.numbers import write_json
from protocols.bitfinex.public import read_candles
from protocols.bitfinex.rest_account import read_own_trades
from protocols.bitfinex.session import PublicEvent, PublicSession
from protocols.bitfinex.subscriptions import candles, ticker, trades
from protocols.market import Candle, CandleClosed, CandleSnapshot, CandleUpdate, StreamBeat, Ticker, TradePrint
from protocols.settings import Settings

BTC, ETH = "tBTCUSD", "tETHUSD"
MINUTE = 60_000
MS = 1_700_000_040_000
"""The start of a minute."""
TICKER, TRADES, CANDLES, OTHERS = 3, 4, 5, 6

GOOD: dict[int, list[Any]] = {
    TICKER: [[100, 1, 101, 1, 0, 0, 100, 5, 110, 90]],
    TRADES: ["te", [1, MS, 0.5, 100]],
    CANDLES: [[MS, 100, 101, 102, 99, 5]],
}
FAR = MS + 10**12
WRONG: list[tuple[int, list[Any], str]] = [
    (TICKER, [[-100, 1, 101, 1, 0, 0, 100, 5, 110, 90]], "bid must be"),
    (TICKER, [[100, 1, 1e15, 1, 0, 0, 100, 5, 110, 90]], "ask must be"),
    (TICKER, [[100, 1, 101, 1, 0, 0, 1e-12, 5, 110, 90]], "last must be"),
    (TICKER, [["100", 1, 101, 1, 0, 0, 100, 5, 110, 90]], "must be a number"),
    (TRADES, ["te", [0, MS, 0.5, 100]], "id must be above 0"),
    (TRADES, ["te", [1, MS, 0, 100]], "amount must be"),
    (TRADES, ["te", [1, MS, 1e15, 100]], "amount must be"),
    (TRADES, ["te", [1, MS, 0.5, -100]], "price must be"),
    (TRADES, ["te", [1, MS, 0.5, 0]], "price must be"),
    (TRADES, ["te", [1, MS // 1000, 0.5, 100]], "time must be milliseconds"),
    (TRADES, ["te", [1, FAR, 0.5, 100]], "time must not be after"),
    (CANDLES, [[MS, 100, 101, 98, 103, 5]], "must be between low"),
    (CANDLES, [[MS, 100, 104, 102, 99, 5]], "must be between low"),
    (CANDLES, [[MS, -100, -101, -99, -102, 5]], "open must be"),
    (CANDLES, [[MS, 0, 0, 0, 0, 5]], "open must be"),
    (CANDLES, [[MS, 1e15, 1e15, 1e15, 1e15, 5]], "open must be"),
    (CANDLES, [[MS, 100, 101, 102, 99, -5]], "volume must be"),
    (CANDLES, [[MS // 1000, 100, 101, 102, 99, 5]], "time must be milliseconds"),
    (CANDLES, [[FAR, 100, 101, 102, 99, 5]], "time must not be after"),
    (CANDLES, [[2**62, 100, 101, 102, 99, 5]], "time must not be after"),
    (CANDLES, [[MS, "100", 101, 102, 99, 5]], "must be a number"),
]


def a_session(*, about_ms: int = 0) -> PublicSession:
    session = PublicSession(session=1, about_ms=about_ms)
    session.receive(conf_answer(FLAG_TIMESTAMP), 1)
    streams = (
        (TICKER, ticker(BTC)),
        (TRADES, trades(BTC)),
        (CANDLES, candles(BTC, "1m")),
        (OTHERS, candles(ETH, "1m")),
    )
    for channel, stream in streams:
        session.receive(subscribed_event(stream, channel), 1)
    if not about_ms:
        session.receive(write_json([TRADES, [], MS]), 1)
    return session


def hear(session: PublicSession, channel: int, rest: list[Any], stamp: int = MS + 100) -> list[PublicEvent]:
    return session.receive(write_json([channel, *rest, stamp]), 2)


@pytest.mark.parametrize(("channel", "rest", "reason"), WRONG)
def test_what_no_market_can_have_is_refused_with_its_reason_and_the_next_word_is_heard(
    channel: int, rest: list[Any], reason: str
) -> None:
    session = a_session()
    for times in (1, 2):
        # The first word of a stream is read with care, those behind it fast: both refuse.
        (refused,) = hear(session, channel, rest)
        assert isinstance(refused, FrameRefused)
        assert reason in str(refused.error)
        (heard,) = hear(session, channel, GOOD[channel] if channel != TRADES else ["te", [times, MS, 0.5, 100]])
        assert isinstance(heard, Ticker | TradePrint | CandleUpdate)
    assert session.tolerance.refused == 2


def test_an_empty_side_of_a_ticker_is_no_fault() -> None:
    """Real tickers of pairs that hardly trade have a bid of 0."""
    (heard,) = hear(a_session(), TICKER, [[0, 0, 101, 1, 0, 0, 100, 5, 110, 90]])
    assert isinstance(heard, Ticker)


def test_a_row_of_a_history_that_can_be_no_candle_costs_that_candle_alone() -> None:
    rows = [[MS - n * MINUTE, 100, 101, 102, 99, 5] for n in range(5)]
    rows[2][3] = 1
    refused, snapshot = hear(a_session(), CANDLES, [rows])
    assert isinstance(refused, FrameRefused)
    assert isinstance(snapshot, CandleSnapshot)
    assert [candle.open_ms for candle in snapshot.candles] == [MS - n * MINUTE for n in (4, 3, 1, 0)]
    assert [candle.close for candle in read_candles(rows[:2], BTC, "1m")] == [101, 101]


OWN = [7, BTC, MS, 55, "0.5", "100", "EXCHANGE LIMIT", "100", 1, "-0.1", "USD", 3]


@pytest.mark.parametrize(
    ("place", "wrong", "reason"),
    [(0, 0, "id"), (2, None, "time"), (4, 0, "amount"), (4, None, "amount"), (4, "1e15", "amount")]
    + [(5, number, "price") for number in (0, None, "-100", "1e15", "1e30")],
)
def test_a_trade_of_ours_that_cannot_be_is_refused_and_the_others_are_known(
    place: int, wrong: object, reason: str
) -> None:
    """Booked, one at 1e30 ended the order actor each time it was told, one of amount 0 was a fill of nothing."""
    row = [*OWN[:place], wrong, *OWN[place + 1 :]]
    with pytest.raises(MalformedFrame, match=f"own trade .* {reason} must be"):
        read_trade(row, event="te", session=1, received_ns=1)
    refused: list[MalformedFrame] = []
    (known,) = read_own_trades([row, OWN], session=1, received_ns=1, refused=refused)
    assert (known.trade_id, known.price) == (7, Decimal(100))
    assert len(refused) == 1


def test_a_candle_from_the_future_closes_nothing_and_makes_no_other_stream_old() -> None:
    """Believed, it moved the stream's clock: each later candle was told as closed at its first word, half formed."""
    session, book, closed = a_session(), MarketBook(Settings()), []
    frames: list[tuple[int, list[Any], int]] = []
    for minute in range(4):
        at = MS + minute * MINUTE
        frames += [(channel, [[at, 100, 101, 102, 99, 1]], at + 100) for channel in (CANDLES, OTHERS)]
        if minute == 1:
            frames.append((CANDLES, [[FAR, 100, 101, 102, 99, 1]], at + 200))
        frames += [(channel, [[at, 100, 102, 102, 99, 9]], at + 50_000) for channel in (CANDLES, OTHERS)]
    for channel in (CANDLES, OTHERS):
        for event in hear(session, channel, [[[MS - MINUTE, 100, 101, 102, 99, 5]]]):
            closed += _told(book, event)
    for channel, rest, stamp in frames:
        for event in hear(session, channel, rest, stamp):
            closed += _told(book, event)
    whole: list[Candle] = [each.candle for each in closed if each.candle.open_ms >= MS]
    assert len(whole) == 6
    assert all(candle.volume == 9 for candle in whole), "told before it was whole"
    assert not any(fresh.stale for fresh in book.freshness(2))


@pytest.mark.parametrize("rest", [["hb"], *GOOD.values()])
def test_a_stamp_of_another_year_is_not_believed_and_what_it_stands_behind_is(rest: list[Any]) -> None:
    """One made all that every other stream said look old until the next start."""
    session, book = a_session(), MarketBook(Settings())
    for channel in (CANDLES, OTHERS):
        (snapshot,) = hear(session, channel, [[[MS - MINUTE, 100, 101, 102, 99, 5]]])
        _told(book, snapshot)
    channel = next((channel for channel, good in GOOD.items() if good == rest), CANDLES)
    (heard,) = hear(session, channel, rest, FAR)
    assert isinstance(heard, Ticker | TradePrint | CandleUpdate | StreamBeat)
    assert (heard.venue_ms, session.venue_ms) == (MS + 100, MS + 100)
    assert session.tolerance.strange_stamps == 1
    (later,) = hear(session, OTHERS, [[MS, 100, 101, 102, 99, 5]], MS + 900)
    book.on_event(heard)
    assert [each.candle.open_ms for each in _told(book, later)] == [MS - MINUTE]
    assert not any(fresh.stale for fresh in book.freshness(2))


@pytest.mark.parametrize("wrong", [FAR, MS - 10**12, MS + 3 * 86_400_000])
@pytest.mark.parametrize("first", [["hb"], GOOD[TICKER]])
def test_the_first_stamp_of_a_socket_is_judged_by_our_clock(wrong: int, first: list[Any]) -> None:
    """Believed, one of the future made all other streams look old until the next start, and one of the past made every
    true one of that socket a leap that nobody believed."""
    session = a_session(about_ms=MS + 3_600_000)
    (heard,) = hear(session, TICKER, first, wrong)
    assert isinstance(heard, Ticker | StreamBeat)
    assert (heard.venue_ms, session.venue_ms, session.tolerance.strange_stamps) == (0, 0, 1)
    (heard,) = hear(session, TICKER, first, MS + 200)
    assert isinstance(heard, Ticker | StreamBeat)
    assert heard.venue_ms == MS + 200


def test_two_stamps_that_agree_are_believed_against_our_clock() -> None:
    """A machine whose clock is a year off hears the market all the same."""
    session = a_session(about_ms=MS + 365 * 86_400_000)
    hear(session, TICKER, ["hb"], MS)
    (heard,) = hear(session, TICKER, GOOD[TICKER], MS + 15_000)
    assert isinstance(heard, Ticker)
    assert heard.venue_ms == MS + 15_000


def _told(book: MarketBook, event: PublicEvent) -> list[CandleClosed]:
    return book.on_event(event) if isinstance(event, CandleUpdate | CandleSnapshot) else []
