"""The diary: one log line for each thing an operator asks about in the morning.

Trades, refusals, orders that went wrong, notices, lines up and down, changed trading state and settings. Quiet things
(acknowledgements, approvals, an exit while nothing is held) are told at debug. Of what is frequent that share is told
which the settings name (`events.*`), and all is counted by category. It tells what was done; the journal is the book.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeVar

import attrs
import structlog
import trio

from genesis.core.latest import Latest
from genesis.domain.event_sampling import EventSampler
from genesis.domain.news import REMEMBERED, remember, room_for
from protocols.health import ConnectionView, EventCount, Notice
from protocols.market import CandleClosed, CandleUpdate, Ticker
from protocols.orders import Fill, OrderState, OrderUpdate
from protocols.risk import DenialCode, RiskStatus, TradingState, Verdict
from protocols.settings import Settings
from protocols.signals import SignalScore
from protocols.units import plain

WRONG: Final = frozenset({OrderState.REJECTED, OrderState.UNKNOWN, OrderState.DEAD})
NOTICE_LEVELS: Final = {"alarm": "error", "warning": "warning"}

T = TypeVar("T")

log = structlog.get_logger("genesis.diary")


@attrs.define(eq=False)
class Diary:
    """Hears what the screens hear, and watches cells of which only a change is worth a line. `now` is monotonic."""

    settings: Latest[Settings] = attrs.field(factory=lambda: Latest(Settings()))
    now: Callable[[], float] = trio.current_time
    events: EventSampler = attrs.field(factory=EventSampler)
    _fills: dict[tuple[int, int], None] = attrs.field(factory=dict)
    _states: dict[str, OrderState] = attrs.field(factory=dict)
    _line: dict[str, str] = attrs.field(factory=dict)
    _known: int = REMEMBERED
    _trading: tuple[TradingState, bool] | None = None

    @classmethod
    def after(cls, fills: Iterable[Fill], states: Mapping[str, OrderState], **ports: Any) -> "Diary":
        """One that has told these fills and orders before: they are told again at every start and after a crash."""
        told = dict.fromkeys([(fill.trade_id, fill.venue_order_id) for fill in fills])
        return cls(fills=told, states=dict(states), known=room_for(told, states), **ports)

    def hear(self, event: object) -> None:
        match event:
            # First what there is most of.
            case Ticker():
                self._sample("ticker", symbol=event.symbol, bid=event.bid, ask=event.ask, last=event.last)
            case CandleUpdate() | CandleClosed():
                closed, candle = isinstance(event, CandleClosed), event.candle
                self._sample(
                    "candle" if closed else "forming",
                    symbol=candle.symbol,
                    timeframe=candle.timeframe,
                    open_ms=candle.open_ms,
                    close=candle.close,
                    volume=candle.volume,
                )
            case SignalScore():
                self._sample(
                    "score",
                    strategy=event.strategy,
                    symbol=event.symbol,
                    recommendation=event.recommendation.value,
                    confidence=event.confidence,
                )
            case Notice():
                self.events.whole("notice")
                getattr(log, NOTICE_LEVELS.get(event.level, "info"))("notice", code=event.code, text=event.text)
            case Fill():
                identity = (event.trade_id, event.venue_order_id)
                if identity not in self._fills:
                    remember(self._fills, identity, None, self._known)
                    self.events.whole("fill")
                    _on_fill(event)
            case OrderUpdate():
                self._on_order(event)
            case Verdict():
                self._on_verdict(event)

    def counts(self) -> tuple[EventCount, ...]:
        """How many events there were of each category, and how many of them are in the log."""
        return tuple(self.events.counts(self.settings.value.events))

    def _sample(self, category: str, **values: object) -> None:
        """One of many: a line when its category has earned one."""
        untold = self._turn_of(category)
        if untold is not None:
            log.info(category, **values, untold=untold)

    def _turn_of(self, category: str) -> int | None:
        rate = getattr(self.settings.value.events, category)
        return self.events.sample(category, rate, self.now() if rate else 0.0)

    def _sampled(self, category: str) -> tuple[Callable[..., None], dict[str, int]]:
        """How an ordinary event is told: at info when its turn has come, else at debug."""
        untold = self._turn_of(category)
        return (log.debug, {}) if untold is None else (log.info, {"untold": untold})

    def on_risk(self, status: RiskStatus | None) -> None:
        if status is None:
            return
        now = (status.state, status.paused)
        before, self._trading = self._trading, now
        if now != before and (before is not None or now != (TradingState.ACTIVE, False)):
            self.events.whole("trading")
            tell = log.info if status.state is TradingState.ACTIVE else log.warning
            tell("trading", state=status.state.value, paused=status.paused, reason=status.reason)

    def on_connection(self, view: ConnectionView) -> None:
        before = self._line.get(view.name)
        self._line[view.name] = view.status
        if view.status == before:
            return
        self.events.whole("connection")
        if "up" in (view.status, before):
            # The steps between down and up are told at debug: an outage would be nothing else.
            tell = log.info if view.status == "up" else log.warning
        else:
            tell = log.debug
        tell("connection", name=view.name, status=view.status, session=view.session, last_error=view.last_error)

    def on_settings(self, settings: Settings) -> None:
        self.events.whole("settings")
        log.info("settings", version=settings.version)

    def _on_order(self, event: OrderUpdate) -> None:
        order = event.order
        if self._states.get(order.intent_id) is order.state:
            return
        remember(self._states, order.intent_id, order.state, self._known)
        more: dict[str, int] = {}
        if order.state in WRONG or order.state is OrderState.CANCELED:
            self.events.whole("order_ended")
            tell = log.warning if order.state in WRONG else log.info
        else:
            tell, more = self._sampled("order")
        tell(
            "order",
            state=order.state.value,
            symbol=order.symbol,
            side=order.side.value,
            quantity=plain(order.quantity),
            intent_id=order.intent_id,
            cid=order.cid,
            venue_id=order.venue_id,
            reason=order.reason,
            **more,
        )

    def _on_verdict(self, verdict: Verdict) -> None:
        codes = [rule.code for rule in verdict.denials]
        more: dict[str, int] = {}
        if verdict.approved or codes == [DenialCode.NOTHING_TO_REDUCE]:
            tell, more = self._sampled("approval")
        else:
            self.events.whole("refusal")
            tell = log.info
        tell(
            "approved" if verdict.approved else "refused",
            symbol=verdict.symbol,
            side=None if verdict.side is None else verdict.side.value,
            rules={rule.rule: rule.numbers for rule in verdict.denials},
            verdict_id=verdict.verdict_id,
            **more,
        )


async def watch(cell: Latest[T], tell: Callable[[T], None]) -> None:
    """Tell a cell's values from the next one on; one that is replaced before we look is missed."""
    version = cell.version
    while True:
        value = await cell.changed(version)
        version = cell.version
        tell(value)


def _on_fill(fill: Fill) -> None:
    log.info(
        "fill",
        symbol=fill.symbol,
        side=fill.side.value,
        quantity=plain(fill.quantity),
        price=plain(fill.price),
        fee=f"{plain(fill.fee)} {fill.fee_currency}",
        purpose=fill.purpose.value,
        strategy=fill.strategy,
        intent_id=fill.intent_id,
        trade_id=fill.trade_id,
        venue_ms=fill.time_ms,
    )
