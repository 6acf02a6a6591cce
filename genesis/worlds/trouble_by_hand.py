"""What people do by hand with coins and money: they order, take over what strategies hold, and move money about.

Who takes coins over sells them later, or gives them back. Money goes from the exchange wallet to the funding wallet and
comes back; so do coins that were there before, where a world has some.
"""

import random
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from genesis.worlds.engine_host import EngineHost
from protocols.orders import MANUAL, Adopt, OrderIntent, OrderType, Purpose
from protocols.risk import ManualOrder, StrategyHolding
from protocols.units import Side, Symbol

if TYPE_CHECKING:
    from genesis.worlds.world import World

LOOKS_AGAIN_S: Final = 20.0
LOOKS: Final = 15
"""How often a person looks whether a strategy holds something that could be taken over."""
TO_ANOTHER_SHARE: Final = 0.2
"""Of what is taken over: this goes to the symbol's other strategy, which gets nothing while it holds some itself."""
GIVES_BACK_SHARE: Final = 0.5
BELOW: Final = Decimal("0.998")
"""A sale at this part of the price meets the market."""
MONEY: Final = Decimal(1_000)
COINS: Final = Decimal("0.02")
"""Of those that were there before."""
COINS_SHARE: Final = 0.7


async def asked(control: Callable[[Any], Any] | None, wish: Any) -> None:
    assert control is not None, "an engine in a world has all of its controls"
    await control(wish)


class TroubleByHand:
    """A part of `Trouble`."""

    world: "World"
    chance: random.Random
    _live: Callable[[], EngineHost | None]
    _for: Callable[[float, float], float]
    _later: Callable[[float, Callable[[], None]], None]
    _wish: Callable[[Callable[[EngineHost], Any]], None]
    _name: Callable[[str], str]
    _wishes: int

    # --- orders ---------------------------------------------------------------------------------------------------

    def _manual_order(self) -> str:
        """A limit order that rests, below or above the market."""
        symbol = self.chance.choice(self.world.symbols)
        side = Side.BUY if self.chance.random() < 0.7 else Side.SELL
        price = self.world.price_of(symbol)
        if price is None:
            return "no price yet"
        away = Decimal(str(round(self.chance.choice((0.001, 0.01, 0.05)), 4)))
        limit = price * (1 - away if side is Side.BUY else 1 + away)
        return self._order_by_hand(Symbol(symbol), side, (Decimal(200) / price).quantize(Decimal("0.00001")), limit)

    def _order_by_hand(self, symbol: Symbol, side: Side, quantity: Decimal, limit: Decimal) -> str:
        name = f"manual-{self.world.seed}-{self._wishes}"
        intent = OrderIntent(
            intent_id=name,
            strategy=MANUAL,
            symbol=symbol,
            side=side,
            quantity=quantity,
            order_type=OrderType.LIMIT,
            purpose=Purpose.MANUAL,
            decided_ms=self.world.wall_ms(),
            correlation_id=name,
            price=limit.quantize(Decimal("0.1")),
        )

        async def order(host: EngineHost) -> None:
            await asked(host.controls.order, ManualOrder(intent=intent, actor="chaos"))

        self._wish(order)
        return f"{side.value} {intent.quantity} at {intent.price}"

    # --- taking over ----------------------------------------------------------------------------------------------

    def _held(self) -> list[StrategyHolding]:
        """Who holds what, as people are shown it."""
        host = self._live()
        view = None if host is None or host.engine is None else host.engine.readers.account()
        return [] if view is None else list(view.owners)

    def _adopt(self) -> str:
        return self._adopt_within(LOOKS * self.world.timeframes.times)

    def _adopt_within(self, looks: int) -> str:
        """A person takes over what a strategy holds, or will soon; to sell it or to give it back some minutes later."""
        theirs = [holding for holding in self._held() if holding.strategy != MANUAL]
        if not theirs:
            if looks:

                def again() -> None:
                    self._note_by_hand(self._adopt_within(looks - 1))

                self._later(self._for(LOOKS_AGAIN_S, LOOKS_AGAIN_S), again)
            return "nobody holds anything"
        taken = self.chance.choice(theirs)
        heir = MANUAL
        if self.chance.random() < TO_ANOTHER_SHARE:
            heir = self._other_of(taken) or MANUAL
        self._give(taken.symbol, taken.strategy, heir)
        if heir == MANUAL:
            self._later(self._for(30, 240), lambda: self._note_by_hand(self._let_go(taken.symbol, taken.strategy)))
        return f"{taken.quantity} of {taken.symbol} from {taken.strategy} to {heir}"

    def _other_of(self, taken: StrategyHolding) -> str | None:
        host = self._live()
        assert host is not None, "its account was read a moment ago"
        names = [each.name for each in host.settings.strategies if each.symbol == taken.symbol]
        return next((name for name in names if name != taken.strategy), None)

    def _let_go(self, symbol: Symbol, strategy: str) -> str:
        mine = [holding for holding in self._held() if (holding.symbol, holding.strategy) == (symbol, MANUAL)]
        price = self.world.price_of(symbol)
        if not mine or price is None:
            return "what was taken over is sold"
        if self.chance.random() < GIVES_BACK_SHARE:
            self._give(symbol, MANUAL, strategy)
            return f"{mine[0].quantity} of {symbol} back to {strategy}"
        self.world.witness.reached("a person sold adopted coins by hand")
        return self._order_by_hand(symbol, Side.SELL, mine[0].quantity, price * BELOW)

    def _give(self, symbol: Symbol, owner: str, heir: str) -> None:
        name = self._name("adopt")
        wish = Adopt(symbol=symbol, owner=owner, heir=heir, reason="a drill", correlation_id=name)

        async def give(host: EngineHost) -> None:
            await asked(host.controls.adopt, wish)

        self._wish(give)

    # --- money ----------------------------------------------------------------------------------------------------

    def _move_money(self) -> str:
        """Somebody moves money from one wallet to another at the venue, and back some minutes later."""
        # Of two markets both would have to move: there is as much to spare of each coin.
        coins = bool(self.world.spare) and len(self.world.symbols) == 1 and self.chance.random() < COINS_SHARE
        # Of coins that leave while no engine looks and an order is in doubt, nobody can say afterwards who sold any.
        coins = coins and self._somebody_looks()
        currency, amount = (self.world.symbols[0][1:4], COINS) if coins else ("USD", MONEY)
        text = self._transfer("exchange", "funding", currency, amount)
        until = self._for(30, 300)
        self._later(until, lambda: self._note_by_hand(self._transfer("funding", "exchange", currency, amount)))
        return text

    def _transfer(self, source: str, target: str, currency: str, amount: Decimal) -> str:
        exchange = self.world.venue.exchange
        try:
            moved = exchange.venue.books.transfer(
                "sim", source, target, currency, currency, amount, exchange.venue_ms()
            )
        except ValueError:
            return f"there are no {amount} {currency} to move"
        if currency != "USD":
            self.world.spare_moves(-amount if source == "exchange" else amount)
        exchange.accounts.apply(moved)
        what = "money was" if currency == "USD" else "coins that were there before were"
        self.world.witness.reached(f"{what} moved while the engine traded", self._somebody_looks())
        return f"{amount} {currency} from {source} to {target}"

    def _somebody_looks(self) -> bool:
        host = self._live()
        return host is not None and host.engine is not None and host.engine.ready_to_trade()

    def _note_by_hand(self, text: str) -> None:
        self.world.witness.note("fault", f"by hand, later: {text}")
