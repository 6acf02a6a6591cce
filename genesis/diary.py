"""The diary: one log line for each thing an operator asks about in the morning.

Trades, refusals, orders that went wrong, notices, lines up and down, changed trading state and settings. Quiet things
(acknowledgements, approvals, an exit while nothing is held) are told at debug. It tells what was done; the journal is
the book.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeVar

import attrs
import structlog

from genesis.core.latest import Latest
from protocols.health import ConnectionView, Notice
from protocols.orders import Fill, OrderState, OrderUpdate
from protocols.risk import DenialCode, RiskStatus, TradingState, Verdict
from protocols.settings import Settings
from protocols.units import plain

WRONG: Final = frozenset({OrderState.REJECTED, OrderState.UNKNOWN, OrderState.DEAD})
ORDERS_KNOWN: Final = 10_000
NOTICE_LEVELS: Final = {"alarm": "error", "warning": "warning"}

T = TypeVar("T")

log = structlog.get_logger("genesis.diary")


@attrs.define(eq=False)
class Diary:
    """Hears what the screens hear, and watches cells of which only a change is worth a line."""

    _fills: set[tuple[int, int]] = attrs.field(factory=set)
    _states: dict[str, OrderState] = attrs.field(factory=dict)
    _line: dict[str, str] = attrs.field(factory=dict)
    _trading: tuple[TradingState, bool] | None = None

    @classmethod
    def after(cls, fills: Iterable[Fill], states: Mapping[str, OrderState]) -> "Diary":
        """One that has told these fills and orders before: they are told again at every start and after a crash."""
        newest = dict(list(states.items())[-ORDERS_KNOWN:])
        return cls(fills={(fill.trade_id, fill.venue_order_id) for fill in fills}, states=newest)

    def hear(self, event: object) -> None:
        match event:
            case Notice():
                getattr(log, NOTICE_LEVELS.get(event.level, "info"))("notice", code=event.code, text=event.text)
            case Fill():
                known, identity = len(self._fills), (event.trade_id, event.venue_order_id)
                self._fills.add(identity)
                if len(self._fills) > known:
                    _on_fill(event)
            case OrderUpdate():
                self._on_order(event)
            case Verdict():
                _on_verdict(event)

    def on_risk(self, status: RiskStatus | None) -> None:
        if status is None:
            return
        now = (status.state, status.paused)
        before, self._trading = self._trading, now
        if now != before and (before is not None or now != (TradingState.ACTIVE, False)):
            tell = log.info if status.state is TradingState.ACTIVE else log.warning
            tell("trading", state=status.state.value, paused=status.paused, reason=status.reason)

    def on_connection(self, view: ConnectionView) -> None:
        before = self._line.get(view.name)
        self._line[view.name] = view.status
        if view.status == before:
            return
        if "up" in (view.status, before):
            # The steps between down and up are told at debug: an outage would be nothing else.
            tell = log.info if view.status == "up" else log.warning
        else:
            tell = log.debug
        tell("connection", name=view.name, status=view.status, session=view.session, last_error=view.last_error)

    def on_settings(self, settings: Settings) -> None:
        log.info("settings", version=settings.version)

    def _on_order(self, event: OrderUpdate) -> None:
        order = event.order
        if self._states.get(order.intent_id) is order.state:
            return
        self._states[order.intent_id] = order.state
        if order.state in WRONG:
            tell = log.warning
        else:
            tell = log.info if order.state is OrderState.CANCELED else log.debug
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
        )
        while len(self._states) > ORDERS_KNOWN:
            del self._states[next(iter(self._states))]


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


def _on_verdict(verdict: Verdict) -> None:
    codes = [rule.code for rule in verdict.denials]
    quiet = verdict.approved or codes == [DenialCode.NOTHING_TO_REDUCE]
    (log.debug if quiet else log.info)(
        "approved" if verdict.approved else "refused",
        symbol=verdict.symbol,
        side=None if verdict.side is None else verdict.side.value,
        rules={rule.rule: rule.numbers for rule in verdict.denials},
        verdict_id=verdict.verdict_id,
    )
