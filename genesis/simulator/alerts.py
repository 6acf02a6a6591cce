"""Price alerts: told once as a notification when the market crosses a price."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import attrs

from protocols.bitfinex.account import notice_row
from protocols.units import Symbol, exact, plain


@attrs.define(kw_only=True)
class Alert:
    """`rises` says from which side the price will be reached; None while the pair has not traded."""

    account: str
    symbol: Symbol
    price: Decimal
    count: int
    rises: bool | None = None

    @property
    def key(self) -> str:
        return f"price:{self.symbol}:{plain(self.price)}"

    def row(self) -> list[Any]:
        return [self.key, "price", self.symbol, self.price, self.count]


class AlertDesk:
    """Alerts of all accounts. They live as long as the process: nobody's money hangs on them."""

    def __init__(self, told: Callable[[str, list[Any]], None], venue_ms: Callable[[], int]) -> None:
        self._told = told
        self._venue_ms = venue_ms
        self._alerts: dict[tuple[str, str, Decimal], Alert] = {}

    def of(self, account: str) -> list[Alert]:
        return [alert for alert in self._alerts.values() if alert.account == account]

    def set(self, alert: Alert, last: Decimal | None) -> None:
        alert.rises = None if last is None else last < alert.price
        self._alerts[alert.account, alert.symbol, alert.price] = alert

    def delete(self, account: str, symbol: str, price: Decimal) -> bool:
        return self._alerts.pop((account, symbol, price), None) is not None

    def on_tick(self, symbol: Symbol, price: float) -> None:
        """Tell and forget every alert of this pair that the price has reached."""
        if not self._alerts:
            return
        now = exact(price)
        for key, alert in list(self._alerts.items()):
            if alert.symbol != symbol:
                continue
            if alert.rises is None:
                alert.rises = now < alert.price
            elif now >= alert.price if alert.rises else now <= alert.price:
                del self._alerts[key]
                info = [alert.key, "price", symbol, price, alert.count, 1 if alert.rises else -1]
                row = notice_row("uca", info, "INFO", f"{symbol} reached {plain(alert.price)}", time=self._venue_ms())
                self._told(alert.account, row)
