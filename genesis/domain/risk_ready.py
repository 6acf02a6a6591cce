"""What the next wishes of strategies rest on, worked out while nobody waits.

An order waits for the facts that it is judged by, and in a process that was idle those have to be gathered from all
over its memory. Most of them hang neither on the time nor on a price (`Grounds`): between two candles they are known.
Who changes anything of them says `forget`; what was forgotten, or was never ready, is worked out when it is asked for.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from genesis.domain.account_sheet import AccountSheet
from genesis.domain.risk_facts import Grounds
from genesis.domain.risk_foresight import Foreseen
from protocols.orders import Purpose
from protocols.settings import Settings
from protocols.units import ZERO, Side, Symbol

AT_MOST: Final = 32
"""Strategies for which something is ready: some ten microseconds each, whenever something has changed."""


class _Ready(msgspec.Struct, frozen=True):
    symbol: str
    side: Side
    purpose: Purpose
    settings: Settings
    grounds: Grounds


class ReadyGrounds:
    """Of each strategy what it will most likely wish: out of what is held in its market, or else into it."""

    def __init__(self) -> None:
        self._by_strategy: dict[str, _Ready] = {}
        self._settings: Settings | None = None
        self._sheet: AccountSheet | None = None
        """Of what those are made."""
        self._forgotten: dict[str, _Ready] = {}
        """Given back when something is ready again: what it is made of is fetched for that, and an order would wait."""
        self.foreseen: dict[tuple[str, str], tuple[Foreseen, ...]] = {}
        """By symbol and time frame, the answers to what will most likely be said when a candle closes, in that order.
        A score that is not the first of them makes them void, too."""

    def forget(self) -> None:
        """Something changed that is neither the time nor a price."""
        if self._by_strategy:
            self._forgotten, self._by_strategy = self._by_strategy, {}
        if self.foreseen:
            self.foreseen = {}

    def find(
        self, strategy: str, symbol: str, side: Side, purpose: Purpose, settings: Settings, sheet: AccountSheet
    ) -> Grounds | None:
        """The grounds of this wish, if they are ready, by these settings and of this account."""
        ready = self._by_strategy.get(strategy)
        if (
            ready is not None
            and ready.purpose is purpose
            and ready.side is side
            and ready.symbol == symbol
            and ready.settings is settings
            and ready.grounds.sheet is sheet
        ):
            return ready.grounds
        return None

    def any_of(self, sheet: AccountSheet) -> Grounds | None:
        """The grounds of any wish at all, of this account."""
        for ready in self._by_strategy.values():
            if ready.grounds.sheet is sheet:
                return ready.grounds
        return None

    def prepare(
        self,
        settings: Settings,
        sheet: AccountSheet,
        limits_of: Callable[[str, str], Settings],
        work_out: Callable[[Symbol, Side, Purpose, str, Settings], Grounds],
    ) -> None:
        """Of all strategies that are enabled; `limits_of` gives the settings of a symbol and a strategy."""
        if self._by_strategy and self._settings is settings and self._sheet is sheet:
            # Nothing was forgotten since.
            return
        self._settings, self._sheet = settings, sheet
        ready, self._forgotten = self._by_strategy, {}
        for strategy in settings.strategies:
            if len(ready) >= AT_MOST:
                return
            if not strategy.enabled or strategy.name in ready:
                continue
            symbol = Symbol(strategy.symbol)
            position = sheet.positions.get(symbol)
            coins = ZERO if position is None else position.quantity - position.margin_quantity
            purpose = Purpose.EXIT if coins else Purpose.ENTRY
            side = Side.SELL if coins > ZERO else Side.BUY
            own = limits_of(symbol, strategy.name)
            grounds = work_out(symbol, side, purpose, strategy.name, own)
            ready[strategy.name] = _Ready(symbol, side, purpose, own, grounds)
