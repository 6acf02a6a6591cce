"""The venue's book about the account: money in and out, logins, price alerts, past positions, fees, what a key may do.

It is asked when somebody looks, through the one door with its budget, and the answer serves everybody for a while.
Nothing here is near an order.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Final, TypeVar

import attrs

from genesis.core.clock import Clock
from genesis.domain.pairs import is_perpetual
from genesis.edge.rest import RestDoor
from genesis.kept_answers import KeptAnswers
from genesis.venue_asking import ask_venue
from protocols.bitfinex import rest_requests
from protocols.bitfinex.rest_account import (
    read_alerts,
    read_available,
    read_fee_rates,
    read_logins,
    read_movements,
    read_past_positions,
    read_permissions_answer,
)
from protocols.bitfinex.rest_requests import RestRequest
from protocols.reference import ClosedPosition, FeeRates, Login, Movement, Permission, PriceAlert
from protocols.units import Side, plain
from web.desk import VenueRefused, VenueSilent

TTL_S: Final = 5.0
SLOW_TTL_S: Final = 60.0
"""For what changes a few times a year: fees, and what a key may do."""
ALERTS: Final = "alerts"

T = TypeVar("T")


@attrs.define(kw_only=True, eq=False)
class VenueBook:
    """One a process. Every method may raise VenueSilent or VenueRefused."""

    door: RestDoor
    clock: Clock
    _kept: KeptAnswers = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._kept = KeptAnswers(self.clock)

    async def movements(self, currency: str | None, limit: int) -> Sequence[Movement]:
        return await self._told(rest_requests.movements(currency, limit=limit), read_movements)

    async def logins(self, limit: int) -> Sequence[Login]:
        return await self._told(rest_requests.logins(limit=limit), read_logins)

    async def past_positions(self, limit: int) -> Sequence[ClosedPosition]:
        return await self._told(rest_requests.position_history(limit=limit), read_past_positions)

    async def position_snapshots(self, limit: int) -> Sequence[ClosedPosition]:
        return await self._told(rest_requests.position_snapshots(limit=limit), read_past_positions)

    async def permissions(self) -> Sequence[Permission]:
        return await self._told(rest_requests.permissions(), read_permissions_answer, SLOW_TTL_S)

    async def fees(self) -> FeeRates:
        return await self._told(rest_requests.summary(), read_fee_rates, SLOW_TTL_S)

    async def available(self, symbol: str, side: Side, price: Decimal | None, margin: bool) -> Decimal:
        """What could be ordered now, base currency, without a sign."""
        request = rest_requests.available_balance(
            symbol,
            direction=side.sign,
            rate=None if price is None else plain(price),
            order_type="DERIV" if is_perpetual(symbol) else "MARGIN" if margin else "EXCHANGE",
        )
        return abs(await self._told(request, read_available))

    # --- alerts -------------------------------------------------------------------------------------------------------

    async def alerts(self) -> Sequence[PriceAlert]:
        return (await self._kept.get(ALERTS, self._ask_alerts, TTL_S)).value

    async def set_alert(self, symbol: str, price: Decimal) -> PriceAlert:
        """Setting one that is there changes nothing, so a person may always ask again."""
        try:
            found = await ask_venue(self.door, rest_requests.set_alert(symbol, plain(price)), read_alerts)
        except VenueRefused:
            raise
        except VenueSilent as silent:
            found = tuple(each for each in await self._after(silent) if _is(each, symbol, price))
            if not found:
                raise VenueSilent(f"the alert is not set: {silent}") from None
        finally:
            self._kept.forget(ALERTS)
        if not found:
            raise VenueSilent("the venue gave no alert back")
        return found[0]

    async def drop_alert(self, symbol: str, price: Decimal) -> None:
        try:
            await ask_venue(self.door, rest_requests.delete_alert(symbol, plain(price)), bool)
        except VenueRefused:
            raise
        except VenueSilent as silent:
            if any(_is(each, symbol, price) for each in await self._after(silent)):
                raise VenueSilent(f"the alert is still set: {silent}") from None
        finally:
            self._kept.forget(ALERTS)

    async def _after(self, silent: VenueSilent) -> Sequence[PriceAlert]:
        """What is set after a change that was not answered."""
        try:
            return await self._ask_alerts()
        except VenueSilent as again:
            raise VenueSilent(
                f"whether it was done is not known: {silent}; nor could the list be asked: {again}"
            ) from None

    async def _ask_alerts(self) -> tuple[PriceAlert, ...]:
        return await ask_venue(self.door, rest_requests.alerts(), read_alerts)

    # --- asking -------------------------------------------------------------------------------------------------------

    async def _told(self, request: RestRequest, read: Callable[[Any], T], ttl_s: float = TTL_S) -> T:
        async def ask() -> T:
            return await ask_venue(self.door, request, read)

        return (await self._kept.get((request.path, request.body), ask, ttl_s)).value


def _is(alert: PriceAlert, symbol: str, price: Decimal) -> bool:
    return alert.symbol == symbol and alert.price == price
