"""From the engine's values to the stream's topics: which topic a value is told under, its key, and its snapshot."""

from collections.abc import Callable, Iterator
from typing import Any, Final

import attrs
import msgspec
import trio

from protocols.config import ConfigNews, RolloutStatus, news_of
from protocols.health import ConnectionView, Notice
from protocols.jobs import JobView
from protocols.market import CandleClosed, CandleSnapshot, CandleUpdate, Freshness, Ticker
from protocols.orders import Fill, OrderUpdate
from protocols.regime import RegimeChanged
from protocols.risk import AccountState, RiskStatus, Verdict
from protocols.signals import Recommendation, SignalScore
from web.hub import Hub
from web.models import EquityPoint
from web.readers import Readers
from web.recent import UiEvent

SNAPSHOT_ROWS: Final = 200
SNAPSHOT_VERDICTS: Final = 80
"""Each has the trace of all rules, some five kilobytes."""
SNAPSHOT_CANDLES: Final = 1500


def publish_event(hub: Hub, event: UiEvent) -> None:
    """Tell one event to whoever asked. What the feed polls (account, risk, connections) is not told twice."""
    match event:
        case Ticker():
            hub.publish("ticker", event, key=event.symbol, place=(event.symbol,))
        case CandleUpdate() | CandleClosed():
            candle = event.candle
            place = (candle.symbol, candle.timeframe)
            hub.publish("candle", candle, key=(*place, candle.open_ms), place=place)
        case OrderUpdate():
            order = event.order
            hub.publish("order", order, key=order.intent_id or order.venue_id, place=(order.symbol,))
        case Fill():
            hub.publish("trade", event, place=(event.symbol,))
        case SignalScore():
            hub.publish("signal", event, place=(event.symbol,))
        case RegimeChanged():
            hub.publish("regime", event.now, place=(event.now.symbol, event.now.timeframe))
        case Verdict():
            hub.publish("verdict", event, place=(event.symbol,))
        case Notice():
            hub.publish("notification", event)
        case JobView():
            hub.publish("job", event, key=event.job_id)
        case ConfigNews():
            hub.publish("config", event, key="version")
        case RolloutStatus():
            hub.publish("config", event, key="rollout")
        case CandleSnapshot() | AccountState() | RiskStatus() | ConnectionView() | Freshness() | EquityPoint():
            pass


def hush_for(hub: Hub, event: UiEvent) -> None:
    """Keep the screens quiet when strategies, risk or the order actor are at work because of the same news."""
    if (
        (isinstance(event, CandleClosed) and not event.catch_up)
        or (isinstance(event, SignalScore) and event.recommendation is not Recommendation.HOLD)
        or isinstance(event, Verdict)
    ):
        hub.hush(trio.current_time())


def thin(points: tuple[EquityPoint, ...], limit: int) -> tuple[EquityPoint, ...]:
    """At most `limit` points, the first and the last among them, and of each stretch between its lowest and highest.

    A line of every n-th point would show no fall that came and went between two of them.
    """
    if len(points) <= limit:
        return points
    if limit < 4:
        return points[-limit:] if limit < 2 else (points[0], *points[1 - limit :])
    # What is left of an odd number goes to the newest.
    newest = 1 + limit % 2
    stretches = (limit - 1 - newest) // 2
    middle = len(points) - 1 - newest
    kept = [points[0]]
    for number in range(stretches):
        part = points[1 + middle * number // stretches : 1 + middle * (number + 1) // stretches]
        lowest = min(range(len(part)), key=lambda at: part[at].equity)
        # Of equals the last: a level stretch keeps two points, too.
        highest = max(reversed(range(len(part))), key=lambda at: part[at].equity)
        kept += (part[at] for at in sorted((lowest, highest)))
    return (*kept, *points[-newest:])


def snapshot(readers: Readers, topic: str, places: set[tuple[str, ...]]) -> Any:
    """The state of a topic now, in the shape its updates have (a list of them where there are many)."""
    match topic:
        case "status":
            return readers.status()
        case "ticker":
            return list(readers.tickers().values())
        case "candle":
            return [
                candle
                for place in sorted(places)
                if len(place) == 2
                for candle in readers.candles(place[0], place[1])[-SNAPSHOT_CANDLES:]
            ]
        case "wallet":
            return _wallet(readers)
        case "position":
            account = readers.account()
            return [] if account is None else account.positions
        case "protection":
            return {"watch": readers.protection(), "brackets": readers.brackets()}
        case "order":
            return readers.orders()[-SNAPSHOT_ROWS:]
        case "trade":
            return readers.fills()[-SNAPSHOT_ROWS:]
        case "signal":
            return readers.signals()[-SNAPSHOT_ROWS:]
        case "regime":
            return readers.regimes()
        case "verdict":
            return readers.verdicts()[-SNAPSHOT_VERDICTS:]
        case "risk":
            return readers.risk()
        case "equity":
            return thin(tuple(readers.equity()), 1000)
        case "actor":
            return readers.actors()
        case "connection":
            return readers.connections()
        case "freshness":
            return readers.freshness()
        case "notification":
            return readers.notices()[-SNAPSHOT_ROWS:]
        case "job":
            return readers.jobs()[-SNAPSHOT_ROWS:]
        case "config":
            rollout = readers.rollout()
            return [news_of(readers.config()), *([] if rollout is None else [rollout])]
        case _:
            raise ValueError(f"topic must be one of the hub's, was {topic}")


def _wallet(readers: Readers) -> dict[str, Any] | None:
    account = readers.account()
    if account is None:
        return None
    return {
        "known": account.known,
        "as_of_ms": account.as_of_ms,
        "quote_currency": account.quote_currency,
        "equity": account.equity,
        "day_start_equity": readers.day_start_equity(),
        "flows": account.flows,
        "cash": account.cash,
        "realized_pnl": account.realized_pnl,
        "unrealized_pnl": account.unrealized_pnl,
        "fees": account.fees,
        "wallets": account.wallets,
    }


POLLED: Final = ("status", "wallet", "position", "protection", "risk", "actor", "connection", "freshness")
"""Topics whose whole value is told when it has changed since the last look."""


@attrs.define(kw_only=True)
class Poll:
    """Looks at the polled readers and publishes what changed. Compares the encoded bytes: they are what clients see."""

    readers: Readers
    hub: Hub
    _told: dict[str, bytes] = attrs.field(factory=dict)
    _equity_ms: int = 0
    _encode: Callable[[Any], bytes] = attrs.field(factory=lambda: msgspec.json.Encoder().encode)

    def look(self) -> int:
        """Publish every topic that changed and that somebody wants; gives how many did."""
        return sum(self.steps())

    def steps(self) -> Iterator[bool]:
        """`look` in its parts, between which others may be let go first: whether each topic was told."""
        wanted: set[str] = set().union(*(subscriber.topics for subscriber in self.hub.subscribers))
        for topic in POLLED:
            if topic not in wanted:
                self._told.pop(topic, None)
                continue
            value = snapshot(self.readers, topic, set())
            body = self._encode(value)
            news = self._told.get(topic) != body or topic in self.hub.told_beside
            self.hub.told_beside.discard(topic)
            if news:
                self._told[topic] = body
                self.hub.publish(topic, value, key=topic)
            yield news
        if "equity" in wanted:
            points = self.readers.equity()
            news = bool(points) and points[-1].at_ms > self._equity_ms
            if news:
                self._equity_ms = points[-1].at_ms
                self.hub.publish("equity", points[-1])
            yield news
